-- What this session needs, whatever the role or the database has set, and the
-- options of the run, which DO blocks and functions read as settings.

SET client_min_messages = warning;
SET statement_timeout = 0;
SET search_path = pg_catalog, pg_temp;
SET lock_timeout = 0;
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;
SET standard_conforming_strings = on;
SET array_nulls = on;
SET row_security = on;

-- Where the tables were in the last run: its triggers tell.

SELECT string_agg(DISTINCT n.nspname, ', ') AS last_schema,
       count(DISTINCT n.oid) = 1 AND :'tables_schema' = '' AS same_schema
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
  JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pronamespace = to_regnamespace('tournament_api')
   AND c.relname = 'tournaments_tournament'
   AND starts_with(g.tgname, 'tournament_api_')
\gset
\if :same_schema
    \set tables_schema :last_schema
\endif
SELECT :'tables_schema' = '' AS no_schema \gset
\if :no_schema
    \set tables_schema public
\endif

SELECT set_config('tournament_api.tables_schema', :'tables_schema', false),
       set_config('tournament_api.role', :'role', false),
       set_config('tournament_api.listener', :'listener', false),
       set_config('tournament_api.feed', :'feed', false);
