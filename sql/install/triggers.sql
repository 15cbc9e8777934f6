-- Triggers
--
-- CREATE TRIGGER waits for every transaction that has written to the table,
-- and whoever wants to write waits behind it.  So it gives up soon, lets them
-- pass and tries again, one table at a time; a trigger that is there already
-- as it should be is not touched, and needs no lock.
--
-- The triggers fire ALWAYS, for replicas' and loaders' sessions as well
-- (session_replication_role).  A partitioned table's partitions have the row
-- triggers from it, those that are added later too; those for TRUNCATE they
-- have after the next run.

CREATE OR REPLACE FUNCTION pg_temp.tournament_api_trigger_commands()
RETURNS TABLE (rel oid, command text)
LANGUAGE sql AS $$
    WITH RECURSIVE tree AS (
        SELECT t.rel, f.fname, false AS inherited, 0 AS depth
          FROM pg_temp.tournament_api_feed() f
          JOIN pg_temp.tournament_api_tables() t ON t.name = f.tab
         WHERE t.rel IS NOT NULL
        UNION
        SELECT i.inhrelid, tree.fname, c.relispartition, tree.depth + 1
          FROM tree
          JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.rel
          JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
    ), wanted AS (
        SELECT tree.rel, tree.depth, e.name, e.fname, e.tgtype, e.event,
               tree.inherited AND e.name = 'tournament_api_row' AS inherited
          FROM tree
          JOIN pg_catalog.pg_class c ON c.oid = tree.rel
         CROSS JOIN LATERAL (VALUES
               ('tournament_api_row', tree.fname, 29,
                'INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW'),
               ('tournament_api_truncate', 'announce_truncate', 32,
                'TRUNCATE ON %s FOR EACH STATEMENT')
               ) AS e (name, fname, tgtype, event)
         WHERE c.relkind IN ('r', 'p')
    ), ours AS (
        SELECT g.tgrelid AS rel, g.tgname AS name, w.name IS NOT NULL AS known,
               coalesce(g.tgtype = w.tgtype
                        AND g.tgfoid = to_regprocedure(
                                'tournament_api.' || w.fname || '()')
                        AND g.tgenabled = 'A' AND g.tgqual IS NULL
                        AND g.tgattr = ''::int2vector, false) AS good
          FROM pg_catalog.pg_trigger g
          JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
          LEFT JOIN wanted w ON w.rel = g.tgrelid AND w.name = g.tgname
         WHERE p.pronamespace = 'tournament_api'::regnamespace
           AND starts_with(g.tgname, 'tournament_api_')
    )
    SELECT c.rel, string_agg(c.command, '; ' ORDER BY c.step, c.name)
      FROM (SELECT w.rel, w.name, w.depth, 1 AS step,
                   CASE WHEN w.inherited THEN '' ELSE format(
                       'CREATE OR REPLACE TRIGGER %I AFTER ' || w.event
                       || ' EXECUTE FUNCTION tournament_api.%I(); ',
                       w.name, w.rel::regclass, w.fname) END
                   || format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %I',
                             w.rel::regclass, w.name) AS command
              FROM wanted w
             WHERE NOT EXISTS (SELECT FROM ours o
                                WHERE o.rel = w.rel AND o.name = w.name
                                  AND o.good)
            UNION ALL
            SELECT o.rel, o.name, 0, 2,
                   format('DROP TRIGGER %I ON %s', o.name, o.rel::regclass)
              FROM ours o
             WHERE NOT o.known) AS c
     GROUP BY c.rel
     ORDER BY min(c.step), max(c.depth), c.rel
$$;

DO $do$
DECLARE
    views text;
BEGIN
    SELECT string_agg(t.name, ', ')
      INTO views
      FROM pg_temp.tournament_api_tables() t
      JOIN pg_catalog.pg_class c ON c.oid = t.rel
     WHERE c.relkind NOT IN ('r', 'p');

    IF views IS NOT NULL THEN
        RAISE WARNING 'no table: %', views
              USING DETAIL = 'A change there is not noticed: answers show it '
                             'when their time in the cache ends.';
    END IF;
END
$do$;

SELECT format('CALL pg_temp.tournament_api_locked(%s, %L)', rel, command)
  FROM pg_temp.tournament_api_trigger_commands()
\gexec
