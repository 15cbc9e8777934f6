-- detail: a tournament that is no draft, then up to four related ones (of the
-- same game, PUBLISHED or RUNNING, newest first), which have nothing between
-- the card and the last column.  No row: no such tournament, or a draft.
--
--     SELECT * FROM tournament_api.detail($1)       -- $1 text: the slug
SELECT pg_temp.tournament_api_define('detail(text)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.detail(p_slug text)
RETURNS TABLE (
    @card_columns@,
    description         text,
    tournament_type     text,           -- SE, DE, RR, SW, CU
    check_in_required   boolean,
    check_in_open_at    timestamptz,
    check_in_close_at   timestamptz,
    youtube             text,
    facebook            text,
    discord             text,
    prize_distribution  text,
    rules_pdf           text,
    created_at          timestamptz,
    updated_at          timestamptz,
    related             boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
DECLARE
    v_id       bigint;
    v_game     text;
    v_related  bigint[];
BEGIN
    SELECT t.id, t.game
      INTO v_id, v_game
      FROM @tables@.tournaments_tournament t
     WHERE @has_slug@
       AND t.status <> 'DRAFT';

    v_related := ARRAY(
        SELECT u.id
          FROM ((SELECT t.id, t.created_at
                   FROM @tables@.tournaments_tournament t
                  WHERE t.game = v_game
                    AND t.status = 'PUBLISHED'
                    AND t.id <> v_id
                  ORDER BY t.created_at DESC, t.id DESC
                  LIMIT 4)
                UNION ALL
                (SELECT t.id, t.created_at
                   FROM @tables@.tournaments_tournament t
                  WHERE t.game = v_game
                    AND t.status = 'RUNNING'
                    AND t.id <> v_id
                  ORDER BY t.created_at DESC, t.id DESC
                  LIMIT 4)) AS u
         ORDER BY u.created_at DESC, u.id DESC
         LIMIT 4);

    RETURN QUERY
    SELECT @card@,
           nullif(s.description, '')::text,
           nullif(s.tournament_type, '')::text,
           s.auto_check_in IS TRUE,
           i.start_at - make_interval(mins => i.opens),
           i.start_at - make_interval(mins => i.closes),
           nullif(s.stream_youtube_url, '')::text,
           nullif(s.stream_facebook_url, '')::text,
           nullif(s.discord_url, '')::text,
           nullif(s.prize_distribution_text, '')::text,
           nullif(s.rules_pdf, '')::text,
           t.created_at,
           t.updated_at,
           false
      FROM @tables@.tournaments_tournament t
      LEFT JOIN @settings@
      LEFT JOIN @schedule@
     CROSS JOIN LATERAL (
               SELECT nullif(coalesce(c.check_in_open_mins,
                                      s.check_in_open_mins), 0),
                      nullif(coalesce(c.check_in_close_mins,
                                      s.check_in_close_mins), 0),
                      -- any number of minutes leads to a year that there is
                      CASE WHEN coalesce(t.start_at, s.start_at)
                                BETWEEN timestamptz '0001-01-01 00:00:00+00'
                                    AND timestamptz '290000-01-01 00:00:00+00'
                           THEN coalesce(t.start_at, s.start_at) END
           ) AS i (opens, closes, start_at)
     CROSS JOIN @card_counts@
     WHERE t.id = v_id;

    RETURN QUERY
    SELECT @card@,
           NULL::text, NULL::text, NULL::boolean, NULL::timestamptz,
           NULL::timestamptz, NULL::text, NULL::text, NULL::text, NULL::text,
           NULL::text, NULL::timestamptz, NULL::timestamptz, true
      FROM unnest(v_related) WITH ORDINALITY AS o (id, n)
      JOIN @tables@.tournaments_tournament t ON t.id = o.id
      LEFT JOIN @settings@
     CROSS JOIN @card_counts@
     ORDER BY o.n;
END
$body$
$sql$);
