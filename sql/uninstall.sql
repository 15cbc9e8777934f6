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

-- Triggers first, each table's in a transaction of its own.

\ir install/locked.sql

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
