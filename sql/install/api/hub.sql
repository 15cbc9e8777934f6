-- hub_order: which tournaments a page of the hub has, in order, and how many
-- match.
--
--     SELECT * FROM tournament_api.hub_order($1, $2, $3, $4, $5, $6, $7, $8)
--
--     $1 text: game        $2 text: open, live, upcoming or completed
--     $3 text: free, paid  $4 text: high, medium or low
--     $5 text: newest, starting_soon, prize_high, prize_low or popular
--     $6 text: what to look for in name, game and short description
--     $7 integer: page     $8 integer: rows of a page
--
-- Null is none, and so is an empty text.  All of it is about the tournament's
-- own columns, whatever its settings say.  A page past the end is the last
-- one.  There always is one row.
--
-- The clock is the second's, as the module's is: what opens at 18:00:00.5 is
-- closed until 18:00:01, what closes at 18:00:00 is open until then.
--
-- The statements are built from constants, so that each combination has the
-- plan that fits it; what the client sent goes as parameters.
SELECT pg_temp.tournament_api_define(
    'hub_order(text,text,text,text,text,text,integer,integer,timestamptz)',
    $sql$
CREATE OR REPLACE FUNCTION tournament_api.hub_order(
    p_game      text,
    p_status    text,
    p_fee       text,
    p_prize     text,
    p_sort      text,
    p_q         text,
    p_page      integer,
    p_per_page  integer,
    p_now       timestamptz DEFAULT now())
RETURNS TABLE (
    total_count  bigint,
    page         bigint,         -- the one that this is
    per_page     bigint,
    valid_until  timestamptz,    -- the clock alone changes it then
    ids          bigint[]
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
SET jit = off
SET max_parallel_workers_per_gather = 0
SET enable_seqscan = off
AS $body$
#variable_conflict use_variable
DECLARE
    -- Of the instants in the tables: those that the clock will reach; a whole
    -- second from which on an instant is past; and one that has reached it.
    c_far      CONSTANT text := $$timestamptz '290000-01-01 00:00:00+00'$$;
    c_past     CONSTANT text := $$interval '1 second'$$;
    c_reached  CONSTANT text := $$interval '999999 microseconds'$$;
    c_from     CONSTANT text :=
        $$FROM @tables@.tournaments_tournament t WHERE t.status = $$;

    v_now       timestamptz := date_trunc('second', p_now);
    v_page      bigint := greatest(coalesce(p_page, 1), 1);
    v_statuses  text[];
    v_where     text;
    v_counted   text;
    v_until     text;
    v_key       text;
    v_order     text;
    v_pattern   text;
    v_branches  text;
BEGIN
    v_key := CASE
        WHEN p_status NOT IN ('', 'open', 'live', 'upcoming', 'completed')
        THEN 'status'
        WHEN p_fee NOT IN ('', 'free', 'paid') THEN 'fee'
        WHEN p_prize NOT IN ('', 'high', 'medium', 'low') THEN 'prize'
        WHEN p_sort NOT IN ('', 'newest', 'starting_soon', 'prize_high',
                            'prize_low', 'popular') THEN 'sort' END;

    IF v_key IS NOT NULL THEN
        RAISE 'hub: no such %', v_key USING ERRCODE = '22023';
    END IF;

    per_page := least(greatest(coalesce(p_per_page, 12), 1), 100);

    v_statuses := CASE p_status WHEN 'open'      THEN '{PUBLISHED}'
                                WHEN 'upcoming'  THEN '{PUBLISHED}'
                                WHEN 'live'      THEN '{RUNNING}'
                                WHEN 'completed' THEN '{COMPLETED}'
                                ELSE '{PUBLISHED,RUNNING}' END;

    -- Rows that the clock takes out for good are left out at once, and the
    -- first of the others to go or to come is the boundary.  An instant that
    -- is reached still counts where the comparison says "or equal": the
    -- change is a second later.

    v_where := concat(
        CASE p_status WHEN 'open'     THEN ' AND t.reg_close_at >= $1'
                      WHEN 'upcoming' THEN ' AND t.start_at > $1' END,
        CASE p_sort WHEN 'starting_soon' THEN ' AND t.start_at >= $1'
                    WHEN 'prize_high' THEN ' AND t.prize_pool_bdt IS NOT NULL'
                    WHEN 'prize_low'  THEN ' AND t.prize_pool_bdt IS NOT NULL'
                    END,
        CASE p_fee WHEN 'free' THEN ' AND coalesce(t.entry_fee_bdt, 0) = 0'
                   WHEN 'paid' THEN ' AND t.entry_fee_bdt > 0' END,
        CASE p_prize WHEN 'high'   THEN ' AND t.prize_pool_bdt >= 50000'
                     WHEN 'medium' THEN ' AND t.prize_pool_bdt >= 10000'
                                        ' AND t.prize_pool_bdt < 50000'
                     WHEN 'low'    THEN ' AND t.prize_pool_bdt > 0'
                                        ' AND t.prize_pool_bdt < 10000' END,
        CASE WHEN p_game <> ''
             THEN ' AND t.game = $2 AND t.game COLLATE "C" = $2' END,
        CASE WHEN p_q <> ''
             THEN ' AND (t.name COLLATE "default" ILIKE $3'
                  ' OR t.game COLLATE "default" ILIKE $3'
                  ' OR t.short_description COLLATE "default" ILIKE $3)' END);

    v_counted := CASE p_status WHEN 'open' THEN 't.reg_open_at <= $1'
                               ELSE 'true' END;

    v_until := concat_ws(', ', 'NULL::timestamptz',
        CASE p_status
        WHEN 'open' THEN
            'min(t.reg_open_at) FILTER (WHERE t.reg_open_at > $1'
            ' AND t.reg_open_at < ' || c_far || ') + ' || c_reached
            || ', min(t.reg_close_at) FILTER (WHERE t.reg_close_at < '
            || c_far || ') + ' || c_past
        WHEN 'upcoming' THEN
            'min(t.start_at) FILTER (WHERE t.start_at < ' || c_far || ') + '
            || c_reached
        END,
        CASE p_sort
        WHEN 'starting_soon' THEN
            'min(t.start_at) FILTER (WHERE t.start_at < ' || c_far || ') + '
            || c_past
        END);

    v_key := CASE p_sort WHEN 'newest'     THEN 't.created_at'
                         WHEN 'prize_high' THEN 't.prize_pool_bdt'
                         WHEN 'prize_low'  THEN 't.prize_pool_bdt'
                         WHEN 'popular' THEN $$(
                             SELECT count(*)
                               FROM @tables@.tournaments_registration r
                              WHERE r.tournament_id = t.id
                                AND r.status IN ('PENDING', 'CONFIRMED'))$$
                         ELSE 't.start_at' END;

    v_order := CASE WHEN p_sort IN ('starting_soon', 'prize_low')
                    THEN 'ASC' ELSE 'DESC' END;

    IF p_q <> '' OR p_sort = 'popular' THEN

        -- What takes time to find or to count is kept, to count all of it and
        -- to take the page from it.

        v_pattern := '%' || regexp_replace(p_q, E'([\\\\%_])', E'\\\\\\1', 'g')
                     || '%';

        EXECUTE format('WITH t AS MATERIALIZED ('
                       'SELECT t.id, %s AS key, %s AS counted, t.reg_open_at,'
                       ' t.reg_close_at, t.start_at %s ANY (%L)%s),'
                       ' n AS (SELECT count(*) FILTER (WHERE counted) AS total,'
                       ' least(%s) AS until FROM t)'
                       ' SELECT n.total, n.until, ARRAY('
                       'SELECT id FROM t WHERE counted'
                       ' ORDER BY key %s, id DESC LIMIT $5 OFFSET $5'
                       ' * least($4 - 1, greatest(n.total - 1, 0) / $5))'
                       ' FROM n', v_key, v_counted, c_from, v_statuses,
                       v_where, v_until, v_order)
           INTO total_count, valid_until, ids
          USING v_now, p_game, v_pattern, v_page, per_page;
    ELSE
        EXECUTE format('SELECT count(*) FILTER (WHERE %s), least(%s) %s'
                       ' ANY (%L)%s', v_counted, v_until, c_from, v_statuses,
                       v_where)
           INTO total_count, valid_until
          USING v_now, p_game;
    END IF;

    page := least(v_page, greatest((total_count - 1) / per_page + 1, 1));

    -- Else a branch for each status reads the index in its order, and not
    -- further than to the end of the page.

    IF ids IS NULL THEN
        SELECT string_agg(format('(SELECT t.id, %s AS key %s %L AND %s%s'
                                 ' ORDER BY key %s, t.id DESC LIMIT $4 + $3)',
                                 v_key, c_from, b.status, v_counted, v_where,
                                 v_order), ' UNION ALL ')
          INTO v_branches
          FROM unnest(v_statuses) AS b (status);

        EXECUTE format('SELECT ARRAY(SELECT id FROM (%s) AS p'
                       ' ORDER BY key %s, id DESC OFFSET $3 LIMIT $4)',
                       v_branches, v_order)
           INTO ids
          USING v_now, p_game, (page - 1) * per_page, per_page;
    END IF;

    valid_until := date_trunc('second', valid_until);

    RETURN NEXT;
END
$body$
$sql$);


-- hub_cards: tournaments as the hub shows them, in the order of their ids;
-- those that are gone, or drafts again, are left out.
--
--     SELECT * FROM tournament_api.hub_cards($1)    -- $1 bigint[]: the ids
SELECT pg_temp.tournament_api_define('hub_cards(bigint[])', $sql$
CREATE OR REPLACE FUNCTION tournament_api.hub_cards(p_ids bigint[])
RETURNS TABLE (
    @card_columns@
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 12
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT @card@
      FROM unnest(p_ids) WITH ORDINALITY AS o (id, n)
      JOIN @tables@.tournaments_tournament t ON t.id = o.id
      LEFT JOIN @settings@
     CROSS JOIN @card_counts@
     WHERE t.status <> 'DRAFT'
     ORDER BY o.n;
END
$body$
$sql$);


-- hub: both in one.  Where nothing matches there is one row, whose id is null.
--
--     SELECT * FROM tournament_api.hub($1, $2, $3, $4, $5, $6, $7, $8)
SELECT pg_temp.tournament_api_define(
    'hub(text,text,text,text,text,text,integer,integer,timestamptz)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.hub(
    p_game      text,
    p_status    text,
    p_fee       text,
    p_prize     text,
    p_sort      text,
    p_q         text,
    p_page      integer,
    p_per_page  integer,
    p_now       timestamptz DEFAULT now())
RETURNS TABLE (
    total_count  bigint,
    page         bigint,
    per_page     bigint,
    valid_until  timestamptz,
    @card_columns@
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 12
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT o.total_count, o.page, o.per_page, o.valid_until, c.*
      FROM tournament_api.hub_order(p_game, p_status, p_fee, p_prize, p_sort,
                                    p_q, p_page, p_per_page, p_now) o
      LEFT JOIN tournament_api.hub_cards(o.ids) c ON true;
END
$body$
$sql$);
