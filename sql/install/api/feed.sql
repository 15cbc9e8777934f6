-- feed: by what the triggers announce: notify, logical or both.
--
--     SELECT tournament_api.feed()
SELECT pg_temp.tournament_api_define('feed()', format($sql$
CREATE OR REPLACE FUNCTION tournament_api.feed()
RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN %L;
END
$body$
$sql$, current_setting('tournament_api.feed')));


-- checks: what a listener asks now and then: by what the triggers announce; a
-- value that changes when a table is another one (swapped by rename, say), has
-- other partitions or other triggers, since what it said before is uncertain
-- then; and what is wrong with the triggers, null: nothing.
--
--     SELECT * FROM tournament_api.checks()
SELECT pg_temp.tournament_api_define('checks()', format($sql$
CREATE OR REPLACE FUNCTION tournament_api.checks()
RETURNS TABLE (
    feed         text,
    fingerprint  text,
    problem      text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT tournament_api.feed(),
           hashtextextended(string_agg(
               concat(w.name, ' ', m.oid, ' ', g.state), ','
               ORDER BY w.name COLLATE "C", m.oid), 0)::text,
           'no trigger that is enabled ALWAYS: '
           || string_agg(DISTINCT w.name, ', ')
              FILTER (WHERE g.state IS NULL
                         OR g.state !~ 'tournament_api_row A')
      FROM unnest(%L::text[]) AS w (name)
     CROSS JOIN LATERAL (
               SELECT to_regclass(format('%%I.%%I', %L, w.name))::oid
           ) AS r (oid)
     CROSS JOIN LATERAL (
               SELECT r.oid
               UNION
               SELECT t.relid::oid FROM pg_partition_tree(r.oid) t
           ) AS m (oid)
     CROSS JOIN LATERAL (
               SELECT string_agg(concat(t.tgname, ' ', t.tgenabled), ' '
                                 ORDER BY t.tgname)
                 FROM pg_trigger t
                 JOIN pg_proc p ON p.oid = t.tgfoid
                WHERE t.tgrelid = m.oid
                  AND p.pronamespace = 'tournament_api'::regnamespace
           ) AS g (state);
END
$body$
$sql$, (SELECT array_agg(t.name ORDER BY t.name)
          FROM pg_temp.tournament_api_tables() t
          JOIN pg_catalog.pg_class c ON c.oid = t.rel
         WHERE c.relkind IN ('r', 'p')),
       current_setting('tournament_api.tables_schema')));
