-- What ngx_http_tournament_module needs in a site's database: schema
-- tournament_api with the functions that it calls, the indexes that serve
-- them, and the triggers that tell the module of changes.  Nothing of the
-- site's own is changed.
--
--     psql -X -v ON_ERROR_STOP=1 -f sql/install.sql \
--          [-v role=NAME] [-v tables_schema=NAME] [conninfo]
--
-- Run it as the owner of the application's tables, who must be allowed to
-- create a schema (GRANT CREATE ON DATABASE ... TO ...), or as a superuser,
-- who then acts as that owner.  Not in a transaction (no -1): the indexes are
-- made CONCURRENTLY, so that a live site is not locked.  It can be run again
-- at any time, upgrades what an older version made, and is undone by
-- uninstall.sql.
--
--   -v role=NAME            the role that nginx connects as; it is given what
--                           it needs here: USAGE on the schema and EXECUTE on
--                           the functions, and nothing on any table.  Make it
--                           first:
--                               CREATE ROLE nginx LOGIN PASSWORD '...';
--                           (CONNECT on the database is everybody's unless it
--                           was revoked: GRANT CONNECT ON DATABASE ... TO ...)
--   -v tables_schema=NAME   where the application's tables are
--                           (default: where they were in the last run, or
--                           public)
--   -v feed=notify|logical|both
--                           by what the triggers announce changes: see
--                           install/announce.sql.  The default is notify,
--                           later the previous choice.
--   -v listener=NAME        the role that tournament_listen names, if it is
--                           another one: it may ask what is installed, and
--                           call nothing else
--
-- Text search reads the tournaments one by one, unless the database has the
-- extension pg_trgm: CREATE EXTENSION pg_trgm; and run this again.

\set ON_ERROR_STOP on
\set AUTOCOMMIT on
\if :{?tables_schema}
\else
    \set tables_schema ''
\endif
\if :{?role}
\else
    \set role ''
\endif
\if :{?listener}
\else
    \set listener ''
\endif
\if :{?feed}
\else
    \set feed ''
\endif

\set QUIET on
\o /dev/null

\ir install/session.sql
\ir install/tables.sql
\ir install/checks.sql
\ir install/owner.sql
\ir install/define.sql

-- All functions in one transaction, so that a reader finds either the old ones
-- or the new ones.

BEGIN;
\ir install/schema.sql
\ir install/api/state.sql
\ir install/api/hub.sql
\ir install/api/detail.sql
\ir install/api/count.sql
\ir install/api/registration_context.sql
\ir install/api/participants.sql
\ir install/api/user_registrations.sql
\ir install/api/platform_stats.sql
\ir install/announce.sql
\ir install/api/feed.sql
\ir install/grants.sql
\ir install/publication.sql
COMMIT;

-- Each of these in a transaction of its own.

\ir install/indexes.sql
\ir install/locked.sql
\ir install/triggers.sql
\ir install/older.sql

SELECT pg_advisory_unlock(hashtext('tournament_api'), hashtext('install'));
\o

SELECT format('tournament_api version %s is installed',
              tournament_api.version()) AS message \gset
\echo :message
RESET ROLE;
RESET client_min_messages;
RESET statement_timeout;
RESET lock_timeout;
RESET default_transaction_isolation;
RESET default_transaction_read_only;
RESET default_transaction_deferrable;
RESET standard_conforming_strings;
RESET array_nulls;
RESET row_security;
RESET search_path;
