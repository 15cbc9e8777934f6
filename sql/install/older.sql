-- What an older version made and nothing of ours uses any more, and functions
-- of triggers without any, which a listener takes for missing.  A trigger that
-- somebody else made of it is none of ours to drop, and fires whatever
-- rights its owner has by now: its function is emptied first.

SELECT pg_temp.tournament_api_define(f.name || '()', format(
           'CREATE OR REPLACE FUNCTION tournament_api.%I() RETURNS trigger '
           'LANGUAGE plpgsql AS ''BEGIN RETURN NULL; END''', f.name))
  FROM pg_temp.tournament_api_functions() f
 WHERE f.kind = 'older'
   AND to_regprocedure(format('tournament_api.%I()', f.name)) IS NOT NULL;

SELECT format('DROP FUNCTION %s', p.oid::regprocedure)
  FROM pg_catalog.pg_proc p
  JOIN pg_temp.tournament_api_functions() f
       ON f.name = p.proname AND f.kind IN ('older', 'trigger')
 WHERE p.pronamespace = 'tournament_api'::regnamespace
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgfoid = p.oid)
\gexec

DROP TABLE IF EXISTS tournament_api.registered,
                     tournament_api.registered_change;

DO $do$
DECLARE
    users text;
BEGIN
    SELECT string_agg(DISTINCT g.tgrelid::regclass::text, ', ')
      INTO users
      FROM pg_catalog.pg_trigger g
      JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
      JOIN pg_temp.tournament_api_functions() f
           ON f.name = p.proname AND f.kind <> 'read'
     WHERE p.pronamespace = 'tournament_api'::regnamespace
       AND (f.kind = 'older' OR NOT starts_with(g.tgname, 'tournament_api_'));

    IF users IS NOT NULL THEN
        RAISE WARNING 'somebody else made triggers of our functions: %', users;
    END IF;
END
$do$;
