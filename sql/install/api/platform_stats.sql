-- platform_stats: figures of the whole platform, drafts apart, and a row for
-- each game; there always is a row.
--
--     SELECT * FROM tournament_api.platform_stats()
--
-- Days are of 24 hours, whatever a session's time zone makes of them.
SELECT pg_temp.tournament_api_define('platform_stats(timestamptz)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.platform_stats(
    p_now  timestamptz DEFAULT now())
RETURNS TABLE (
    total_active           bigint,    -- PUBLISHED or RUNNING, yet to start
    players_this_month     bigint,    -- with a CONFIRMED registration
    prize_pool_month       bigint,    -- of those that started
    tournaments_completed  bigint,
    new_this_week          bigint,    -- PUBLISHED or RUNNING
    valid_until            timestamptz,    -- the clock alone changes it then
    game                   text,      -- null: there is none
    game_count             bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
SET max_parallel_workers_per_gather = 0
SET enable_seqscan = off
SET plan_cache_mode = force_custom_plan
AS $body$
#variable_conflict use_column
DECLARE
    c_far      CONSTANT timestamptz := '290000-01-01 00:00:00+00';
    c_past     CONSTANT interval := '1 second';            -- as in hub
    c_reached  CONSTANT interval := '999999 microseconds';
    c_week     CONSTANT interval := '168 hours';
    c_month    CONSTANT interval := '720 hours';

    v_now        timestamptz := date_trunc('second', p_now);
    v_players    bigint;
    v_active     bigint;
    v_completed  bigint;
    v_prize      numeric;
    v_until      timestamptz[];
BEGIN
    SELECT count(DISTINCT r.user_id),
           ARRAY[min(r.created_at) FILTER (WHERE r.created_at < c_far)
                 + c_month + c_past]
      INTO v_players, v_until
      FROM @tables@.tournaments_registration r
     WHERE r.status = 'CONFIRMED'
       AND r.created_at >= v_now - c_month;

    -- A prize counts from the start on, for a month.

    SELECT trunc(sum(t.prize_pool_bdt)
                 FILTER (WHERE abs(t.prize_pool_bdt::numeric) < 'Infinity')),
           v_until || min(t.start_at) + c_month + c_past
      INTO v_prize, v_until
      FROM @tables@.tournaments_tournament t
     WHERE t.status IN ('PUBLISHED', 'RUNNING', 'COMPLETED')
       AND t.start_at BETWEEN v_now - c_month AND v_now
       AND t.prize_pool_bdt <> 0;

    SELECT v_until || min(n.start_at) + c_reached
      INTO v_until
      FROM unnest(ARRAY['PUBLISHED', 'RUNNING', 'COMPLETED']) AS s (status)
     CROSS JOIN LATERAL (
               SELECT t.start_at
                 FROM @tables@.tournaments_tournament t
                WHERE t.status = s.status
                  AND t.start_at > v_now
                  AND t.start_at < c_far
                ORDER BY t.start_at
                LIMIT 1
           ) AS n;

    SELECT count(*)
      INTO v_completed
      FROM @tables@.tournaments_tournament t
     WHERE t.status = 'COMPLETED';

    SELECT count(*),
           v_until || min(t.start_at) FILTER (WHERE t.start_at < c_far)
           + c_past
      INTO v_active, v_until
      FROM @tables@.tournaments_tournament t
     WHERE t.status IN ('PUBLISHED', 'RUNNING')
       AND t.start_at >= v_now;

    -- How many a game has comes in the order of the index, a status at a time;
    -- which are new, from another one, a game and a status at a time.

    RETURN QUERY
    WITH parts AS (
        SELECT t.game, 'PUBLISHED' AS status, count(*) AS n
          FROM @tables@.tournaments_tournament t
         WHERE t.status = 'PUBLISHED'
         GROUP BY t.game
        UNION ALL
        SELECT t.game, 'RUNNING', count(*)
          FROM @tables@.tournaments_tournament t
         WHERE t.status = 'RUNNING'
         GROUP BY t.game
    ), games AS (
        SELECT p.game, sum(p.n)::bigint AS n
          FROM parts p
         GROUP BY p.game
    ), fresh AS (
        SELECT coalesce(sum(n.n), 0)::bigint AS n,
               min(n.created) + c_week + c_past AS until
          FROM parts p
         CROSS JOIN LATERAL (
                   SELECT count(*),
                          min(t.created_at) FILTER (WHERE t.created_at < c_far)
                     FROM @tables@.tournaments_tournament t
                    WHERE t.game = p.game
                      AND t.status = p.status
                      AND t.created_at >= v_now - c_week
               ) AS n (n, created)
    )
    SELECT v_active,
           v_players,
           greatest(least(coalesce(v_prize, 0), 9223372036854775807),
                    -9223372036854775808)::bigint,
           v_completed,
           f.n,
           date_trunc('second', least(f.until, (SELECT min(u)
                                                  FROM unnest(v_until) AS u))),
           g.game::text,
           g.n
      FROM fresh f
      LEFT JOIN games g ON true
     ORDER BY g.n DESC, g.game;
END
$body$
$sql$);
