-- Takes out of a site's database what install.sql put there: schema
-- tournament_api with everything in it, and the triggers and indexes that
-- install.sql made (their names begin with tournament_api_).  The site's
-- tables, their contents, their other indexes and triggers stay.
--
--     psql -X -v ON_ERROR_STOP=1 -f sql/uninstall.sql [conninfo]
--
-- Run it as whoever may run install.sql, and not in a transaction: the
-- indexes are dropped CONCURRENTLY, so that a live site is not locked.  It
-- can be run again.  nginx should no longer call the functions: until its
-- configuration changes, what it has not cached becomes an error.  The role
-- that nginx connects as stays: DROP ROLE it.

\set ON_ERROR_STOP on
\set AUTOCOMMIT on
\set QUIET on
\o /dev/null

SET statement_timeout = 0;
SET search_path = pg_catalog, pg_temp;

DO $do$
BEGIN
    IF NOT pg_try_advisory_lock(hashtext('tournament_api'),
                                hashtext('install'))
    THEN
        RAISE EXCEPTION 'another install.sql or uninstall.sql is running '
                        'in this database';
    END IF;
END
$do$;

-- Triggers first, each table's in a transaction of its own.  DROP TRIGGER
-- waits for every transaction that has used the table, and whoever wants to
-- use it waits behind it: so it gives up soon, lets them pass and tries again.

CREATE OR REPLACE PROCEDURE pg_temp.tournament_api_locked(
    p_rel regclass, p_command text)
LANGUAGE plpgsql AS $$
DECLARE
    done    boolean;
    holders text;
BEGIN
    FOR try IN 1 .. 600 LOOP
        BEGIN
            SET LOCAL lock_timeout = '200ms';
            EXECUTE p_command;
            done := true;
        EXCEPTION WHEN lock_not_available THEN
            done := false;
        END;

        COMMIT;

        IF done THEN
            RETURN;
        END IF;

        IF try = 1 THEN
            SELECT string_agg(DISTINCT l.pid::text, ', ')
              INTO holders
              FROM pg_catalog.pg_locks l
             WHERE l.relation = p_rel AND l.granted;

            RAISE WARNING 'waiting for transactions that use table %', p_rel
                  USING DETAIL = 'Processes: ' || coalesce(holders, 'none now');
        END IF;

        PERFORM pg_sleep(0.8);
    END LOOP;

    RAISE EXCEPTION 'table % has been in use for ten minutes', p_rel
          USING HINT = 'End the transaction that holds it, or wait for it, '
                       'and run this again.';
END
$$;

SELECT format('CALL pg_temp.tournament_api_locked(%s, %L)', g.tgrelid,
              string_agg(format('DROP TRIGGER %I ON %s', g.tgname,
                                g.tgrelid::regclass), '; '))
  FROM pg_catalog.pg_trigger g
  JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE n.nspname = 'tournament_api'
   AND NOT g.tgisinternal
 GROUP BY g.tgrelid
 ORDER BY g.tgrelid
\gexec

DROP SCHEMA IF EXISTS tournament_api CASCADE;

SELECT 'DROP PUBLICATION tournament_api'
  FROM pg_catalog.pg_publication p
 WHERE p.pubname = 'tournament_api'
   AND NOT p.puballtables
   AND NOT EXISTS (SELECT
                     FROM pg_catalog.pg_publication_tables t
                    WHERE t.pubname = p.pubname)
   AND pg_has_role(p.pubowner, 'MEMBER')
\gexec

SELECT format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE starts_with(c.relname, 'tournament_api_')
   AND t.relname IN ('tournaments_tournament',
                     'tournaments_tournamentsettings',
                     'tournaments_schedule',
                     'tournaments_registration',
                     'tournaments_registrationrequest',
                     'user_profile_userprofile',
                     'teams_team',
                     'teams_teammembership')
 ORDER BY n.nspname, c.relname
\gexec

SELECT pg_advisory_unlock(hashtext('tournament_api'), hashtext('install'));
RESET statement_timeout;
\o
\echo tournament_api is uninstalled
