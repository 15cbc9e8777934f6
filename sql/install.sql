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
--                           by what the triggers announce changes: see there.
--                           The default is notify, later the previous choice.
--   -v listener=NAME        the role that tournament_listen names, if it is
--                           another one: it may ask what is installed, and
--                           call nothing else
--
-- Text search reads the tournaments one by one, unless the database has the
-- extension pg_trgm: CREATE EXTENSION pg_trgm; and run this again.
--
-- Functions and not views: a view on a table would make the application's own
-- migrations fail (ALTER COLUMN ... TYPE, DROP COLUMN), a function with a
-- string body does not.  They are plpgsql, which keeps plans for the life of
-- a connection, and run with their owner's rights (SECURITY DEFINER).  Their
-- search_path is fixed and does not contain the schema of the tables, where
-- others might be able to create operators: each table is named in full, as
-- @tables@.name, and @tables@ is replaced as the function is created.
--
-- A site with other tables rewrites the functions' bodies; names, parameters
-- and result columns are what the module relies on.

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


-- Helpers of this file are in pg_temp and go with the session.

CREATE OR REPLACE FUNCTION pg_temp.tournament_api_tables()
RETURNS TABLE (name text, rel oid, required boolean)
LANGUAGE sql AS $$
    WITH found AS (
        SELECT t.name, t.required, c.oid, c.relkind, c.relowner
          FROM (VALUES ('tournaments_tournament', true),
                       ('tournaments_tournamentsettings', true),
                       ('tournaments_schedule', false),
                       ('tournaments_registration', true),
                       ('tournaments_registrationrequest', true),
                       ('user_profile_userprofile', true),
                       ('teams_team', true),
                       ('teams_teammembership', true)) AS t (name, required)
          LEFT JOIN pg_catalog.pg_class c
                 ON c.oid = to_regclass(format('%I.%I',
                        current_setting('tournament_api.tables_schema'),
                        t.name))
    )
    -- A table that need not be there must be a table of the same owner:
    -- whoever may create in the schema could put a view in its place, whose
    -- functions would run with the owner's rights.
    SELECT f.name,
           CASE WHEN f.required
                  OR (f.relkind IN ('r', 'p')
                      AND f.relowner = (SELECT o.relowner
                                          FROM found o
                                         WHERE o.name
                                               = 'tournaments_tournament'))
                THEN f.oid END,
           f.required
      FROM found f
$$;

-- The functions of schema tournament_api.  Roles that read may execute those
-- of kind "read" and no other: who may execute a trigger's function can make
-- it run, with its owner's rights, on a table of his own, whose columns have
-- types and casts of his own.  Those of kind "older" are no longer made.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_functions()
RETURNS TABLE (name text, kind text)
LANGUAGE sql AS $$
    SELECT name, kind
      FROM (VALUES
           ('read', 'version feed checks state states warm hub hub_order hub_cards '
                    'detail count participants registration_context '
                    'user_registrations platform_stats'),
           ('trigger', 'announce_tournament announce_settings '
                       'announce_schedule announce_registration '
                       'announce_request announce_profile announce_team '
                       'announce_membership announce_truncate'),
           ('older', 'notify_tournament notify_settings notify_schedule '
                     'notify_registration notify_request notify_profile '
                     'notify_team notify_membership count_registration '
                     'count_in')
           ) AS k (kind, names)
     CROSS JOIN LATERAL string_to_table(names, ' ') AS n (name)
$$;

-- For each table: its triggers' function, the tokens that a row sends (see
-- there), and the columns that answers show or depend on.  A new profile, or a
-- profile's new user_id, sends p0.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_feed()
RETURNS TABLE (tab text, fname text, tokens text, shown text)
LANGUAGE sql AS $$
    VALUES
    ('tournaments_tournament', 'announce_tournament', 't id',
     'id name slug short_description game status banner slot_size '
     'reg_open_at reg_close_at start_at end_at entry_fee_bdt prize_pool_bdt '
     'created_at updated_at'),
    ('tournaments_tournamentsettings', 'announce_settings', 't tournament_id',
     'tournament_id tournament_type description start_at end_at reg_open_at '
     'reg_close_at min_team_size max_team_size prize_pool_bdt '
     'prize_distribution_text banner rules_pdf stream_facebook_url '
     'stream_youtube_url discord_url auto_check_in check_in_open_mins '
     'check_in_close_mins'),
    ('tournaments_schedule', 'announce_schedule', 't tournament_id',
     'tournament_id check_in_open_mins check_in_close_mins'),
    ('tournaments_registration', 'announce_registration',
     'm team_id, p user_id, r tournament_id',
     'id tournament_id user_id team_id status payment_status created_at'),
    ('tournaments_registrationrequest', 'announce_request', 'p requester_id',
     'tournament_id team_id requester_id status'),
    ('user_profile_userprofile', 'announce_profile', '0 user_id, p id',
     'id user_id display_name is_private'),
    ('teams_team', 'announce_team', 'm id',
     'id name tag game captain_id'),
    ('teams_teammembership', 'announce_membership',
     'm team_id, p profile_id',
     'team_id profile_id role status')
$$;


-- Is everything there that this file works on?  Nothing changes before that is
-- known.

DO $do$
DECLARE
    tables  text := current_setting('tournament_api.tables_schema');
    roles   text[] := ARRAY[current_setting('tournament_api.role'),
                            current_setting('tournament_api.listener')];
    feed    text := current_setting('tournament_api.feed');
    role    text;
    missing text;
    columns text;
    owners  text;
    owner   oid;
BEGIN
    IF strpos(tables, '$') > 0 THEN
        RAISE EXCEPTION 'a schema whose name has a "$" does not do';
    END IF;

    IF current_setting('server_version_num')::int < 140000 THEN
        RAISE EXCEPTION 'PostgreSQL 14 or newer is needed, this is %',
                        current_setting('server_version');
    END IF;

    SELECT string_agg(t.name, ', ' ORDER BY t.name)
      INTO missing
      FROM pg_temp.tournament_api_tables() t
     WHERE t.required AND t.rel IS NULL;

    SELECT string_agg(f.tab || '.' || c.name, ', ' ORDER BY f.tab, c.name)
      INTO columns
      FROM pg_temp.tournament_api_feed() f
      JOIN pg_temp.tournament_api_tables() t ON t.name = f.tab
     CROSS JOIN LATERAL string_to_table(f.shown, ' ') AS c (name)
     WHERE t.rel IS NOT NULL
       AND NOT EXISTS (SELECT
                         FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = t.rel
                          AND a.attname = c.name
                          AND a.attnum > 0
                          AND NOT a.attisdropped);

    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'schema "%" has no table %', tables,
                        concat_ws(', and no column ', missing, columns)
              USING HINT = 'Is this the application''s database? Tables in '
                           'another schema than "public" need '
                           '-v tables_schema=NAME.';
    END IF;

    IF columns IS NOT NULL THEN
        RAISE EXCEPTION 'schema "%" has no column %', tables, columns
              USING HINT = 'Were they renamed or dropped? The functions here '
                           'must be written for other ones.';
    END IF;

    -- The functions have the rights of the tables' owner, and of nobody else.

    SELECT string_agg(format('%I (%s)', o.owner, o.tables), ', '
                      ORDER BY o.owner)
      INTO owners
      FROM (SELECT pg_get_userbyid(c.relowner),
                   string_agg(t.name, ', ' ORDER BY t.name)
              FROM pg_temp.tournament_api_tables() t
              JOIN pg_catalog.pg_class c ON c.oid = t.rel
             GROUP BY c.relowner) AS o (owner, tables)
    HAVING count(*) > 1;

    IF owners IS NOT NULL THEN
        RAISE EXCEPTION 'the tables belong to several roles: %', owners
              USING HINT = 'Give them to one: ALTER TABLE ... OWNER TO ...;';
    END IF;

    SELECT c.relowner
      INTO owner
      FROM pg_temp.tournament_api_tables() t
      JOIN pg_catalog.pg_class c ON c.oid = t.rel
     LIMIT 1;

    SELECT string_agg(t.name, ', ')
      INTO missing
      FROM pg_temp.tournament_api_tables() t
     WHERE t.rel IS NULL
       AND to_regclass(format('%I.%I', tables, t.name)) IS NOT NULL;

    IF missing IS NOT NULL THEN
        RAISE WARNING 'left out: %', missing
              USING DETAIL = format('It is no table, or it does not belong to '
                                    '%I, as the others do.',
                                    pg_get_userbyid(owner));
    END IF;

    IF EXISTS (SELECT
                 FROM pg_catalog.pg_namespace n
                CROSS JOIN LATERAL aclexplode(n.nspacl) a
                WHERE n.nspname = tables
                  AND a.privilege_type = 'CREATE'
                  AND a.grantee NOT IN (owner, n.nspowner))
    THEN
        RAISE WARNING 'others than the tables'' owner may create in schema '
                      '"%"', tables
              USING DETAIL = 'Where a table is dropped or renamed, they could '
                             'put something of their own in its place, which '
                             'then runs with the owner''s rights.',
                    HINT = format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC;',
                                  tables);
    END IF;

    IF EXISTS (SELECT
                 FROM pg_catalog.pg_namespace n
                WHERE n.nspname = 'tournament_api'
                  AND n.nspowner <> owner)
       AND NOT (SELECT r.rolsuper
                  FROM pg_catalog.pg_roles r
                 WHERE r.rolname = current_user)
    THEN
        RAISE EXCEPTION 'schema tournament_api does not belong to "%", who '
                        'owns the tables', pg_get_userbyid(owner)
              USING HINT = 'Run this as a superuser.';
    END IF;

    FOREACH role IN ARRAY roles LOOP
        IF role <> '' AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles
                                       WHERE rolname = role)
        THEN
            RAISE EXCEPTION 'role "%" does not exist', role
                  USING HINT = format('CREATE ROLE %I LOGIN PASSWORD '
                                      '''...'';', role);
        END IF;
    END LOOP;

    -- What the last run chose is in the function that tells it.

    IF feed = '' THEN
        feed := coalesce((SELECT substring(p.prosrc, 'RETURN ''(\w+)''')
                            FROM pg_catalog.pg_proc p
                           WHERE p.oid = to_regprocedure(
                                             'tournament_api.feed()')),
                         'notify');
        PERFORM set_config('tournament_api.feed', feed, false);
    END IF;

    IF feed NOT IN ('notify', 'logical', 'both') THEN
        RAISE EXCEPTION 'no such feed: "%"', feed
              USING HINT = '-v feed=notify, logical or both.';
    END IF;

    IF feed <> 'notify' AND current_setting('wal_level') <> 'logical' THEN
        RAISE WARNING 'wal_level is %: nobody hears a feed of kind "%" until '
                      'it is logical', current_setting('wal_level'), feed;
    END IF;

    IF feed <> 'notify' AND EXISTS (SELECT
                                      FROM pg_catalog.pg_publication p
                                     WHERE p.pubname = 'tournament_api'
                                       AND (p.puballtables
                                            OR EXISTS (
                                               SELECT
                                                 FROM pg_publication_tables f
                                                WHERE f.pubname
                                                      = 'tournament_api')))
    THEN
        RAISE EXCEPTION 'there is a publication tournament_api, with tables'
              USING HINT = 'The module needs an empty one of that name: '
                           'rename yours.';
    END IF;

    IF NOT pg_try_advisory_lock(hashtext('tournament_api'),
                                hashtext('install'))
    THEN
        RAISE EXCEPTION 'another install.sql or uninstall.sql is running '
                        'in this database';
    END IF;
END
$do$;


-- A superuser makes everything as the owner of the tables, so that the
-- functions run with the application's rights and not with a superuser's.

SELECT DISTINCT quote_ident(pg_get_userbyid(c.relowner)) AS owner,
       quote_ident(current_user) AS me
  FROM pg_temp.tournament_api_tables() t
  JOIN pg_catalog.pg_class c ON c.oid = t.rel
\gset

SELECT format('CREATE SCHEMA tournament_api AUTHORIZATION %s', :'owner')
 WHERE to_regnamespace('tournament_api') IS NULL
\gexec

SET ROLE :owner;


-- Functions
--
-- All in one transaction, so that a reader finds either the old ones or the
-- new ones.  Columns' order and types are the interface to the module, which
-- asks for results in binary format.

-- What several functions have in common: a name in their text stands for it.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_fragments()
RETURNS TABLE (name text, body text)
LANGUAGE sql AS $$
    VALUES

    -- The facts of a tournament.  The instants are the effective ones: the
    -- start is the tournament's, else its settings'; registration opens and
    -- closes as the settings say, else as the tournament says.
    ('@state_columns@', $sql$id             bigint,
    status         text,           -- DRAFT, PUBLISHED, RUNNING, COMPLETED
    slot_size      bigint,         -- null: no limit, as 0
    reg_open_at    timestamptz,    -- null from here on: not set
    reg_close_at   timestamptz,
    start_at       timestamptz,
    min_team_size  integer,
    max_team_size  integer,
    confirmed      bigint,         -- registrations that hold a slot
    slug           text$sql$),

    ('@state@', $sql$t.id::bigint,
           t.status::text,
           t.slot_size::bigint,
           coalesce(s.reg_open_at, t.reg_open_at),
           coalesce(s.reg_close_at, t.reg_close_at),
           coalesce(t.start_at, s.start_at),
           s.min_team_size::integer,
           s.max_team_size::integer,
           (SELECT count(*)
              FROM @tables@.tournaments_registration r
             WHERE r.tournament_id = t.id
               AND r.status = 'CONFIRMED'),
           t.slug::text$sql$),

    -- A tournament as lists show it, the instants as above.  Money has two
    -- decimals; what is no number is null.  Registered are the CONFIRMED and
    -- the PENDING.
    ('@card_columns@', $sql$id                 bigint,
    slug               text,
    name               text,
    game               text,
    status             text,
    short_description  text,
    banner             text,
    entry_fee          text,
    prize_pool         text,
    reg_open_at        timestamptz,
    reg_close_at       timestamptz,
    start_at           timestamptz,
    end_at             timestamptz,
    slot_size          bigint,
    min_team_size      integer,
    max_team_size      integer,
    confirmed          bigint,
    registered         bigint$sql$),

    ('@card@', $sql$t.id::bigint,
           t.slug::text,
           t.name::text,
           t.game::text,
           t.status::text,
           t.short_description::text,
           coalesce(nullif(t.banner, ''), nullif(s.banner, ''))::text,
           CASE WHEN abs(t.entry_fee_bdt::numeric) < 'Infinity'
                THEN round(t.entry_fee_bdt::numeric, 2)::text END,
           CASE WHEN abs(coalesce(t.prize_pool_bdt, s.prize_pool_bdt)::numeric)
                     < 'Infinity'
                THEN round(coalesce(t.prize_pool_bdt,
                                    s.prize_pool_bdt)::numeric, 2)::text END,
           coalesce(s.reg_open_at, t.reg_open_at),
           coalesce(s.reg_close_at, t.reg_close_at),
           coalesce(t.start_at, s.start_at),
           coalesce(t.end_at, s.end_at),
           t.slot_size::bigint,
           s.min_team_size::integer,
           s.max_team_size::integer,
           n.confirmed,
           n.registered$sql$),

    ('@card_counts@', $sql$LATERAL (
               SELECT count(*) FILTER (WHERE r.status = 'CONFIRMED'), count(*)
                 FROM @tables@.tournaments_registration r
                WHERE r.tournament_id = t.id
                  AND r.status IN ('PENDING', 'CONFIRMED')
           ) AS n (confirmed, registered)$sql$),

    -- None is normal
    ('@settings@', $sql$@tables@.tournaments_tournamentsettings s
             ON s.tournament_id = t.id$sql$),

    ('@is_team_event@', $sql$coalesce(
               greatest(s.min_team_size, s.max_team_size) > 1, false)$sql$),

    -- Who an account is
    ('@profile@', $sql$(
           SELECT p.id
             FROM @tables@.user_profile_userprofile p
            WHERE p.user_id = p_account)$sql$),

    ('@teams@', $sql$ARRAY(
           SELECT DISTINCT m.team_id::bigint
             FROM @tables@.teams_teammembership m
            WHERE m.profile_id = v_profile
              AND m.status = 'ACTIVE'
            ORDER BY 1)$sql$),

    -- Where a site has no such table, check-in is what the settings say
    ('@schedule@', CASE WHEN EXISTS (SELECT
                                       FROM pg_temp.tournament_api_tables() t
                                      WHERE t.name = 'tournaments_schedule'
                                        AND t.rel IS NOT NULL)
    THEN $sql$@tables@.tournaments_schedule c
             ON c.tournament_id = t.id$sql$
    ELSE $sql$(SELECT NULL::integer, NULL::integer)
             AS c (check_in_open_mins, check_in_close_mins)
             ON false$sql$ END)
$$;

-- Creates or replaces one function, @tables@ and the names above replaced in
-- its text.  Where CREATE OR REPLACE cannot change what an older version left
-- (other result columns, other parameters), that one is dropped.  Whoever
-- could execute the older one can execute the new one; a function of a new
-- name is given to whoever reads already (state).  That is for functions
-- that are read; nobody else has anything, whatever default privileges say.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_define(
    p_signature text, p_definition text)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    signature  text := 'tournament_api.' || p_signature;
    fname      text := split_part(p_signature, '(', 1);
    definition text := p_definition;
    grants     jsonb;              -- grantee: with grant option?
    known      boolean;
    old        record;
    command    text;
    fragment   record;
BEGIN
    FOR fragment IN SELECT * FROM pg_temp.tournament_api_fragments() LOOP
        definition := replace(definition, fragment.name, fragment.body);
    END LOOP;

    definition := replace(definition, '@tables@', quote_ident(
                      current_setting('tournament_api.tables_schema')));

    known := EXISTS (SELECT
                       FROM pg_catalog.pg_proc p
                      WHERE p.pronamespace = 'tournament_api'::regnamespace
                        AND p.proname = fname);

    SELECT jsonb_object_agg(g.grantee, g.grantable)
      INTO grants
      FROM (SELECT a.grantee, bool_or(a.is_grantable)
              FROM pg_catalog.pg_proc p
             CROSS JOIN LATERAL aclexplode(p.proacl) a
             WHERE known
               AND p.pronamespace = 'tournament_api'::regnamespace
               AND p.proname = fname
               AND a.grantee NOT IN (0, p.proowner)
             GROUP BY 1
            UNION ALL
            SELECT a.grantee, false
              FROM pg_catalog.pg_namespace n
             CROSS JOIN LATERAL aclexplode(n.nspacl) a
             WHERE NOT known
               AND n.nspname = 'tournament_api'
               AND a.privilege_type = 'USAGE'
               AND a.grantee NOT IN (0, n.nspowner)
               AND a.grantee IN (
                       SELECT r.grantee
                         FROM pg_catalog.pg_proc p
                        CROSS JOIN LATERAL aclexplode(p.proacl) r
                        WHERE p.pronamespace = n.oid
                          AND p.proname = 'state')
             GROUP BY 1) AS g (grantee, grantable)
     WHERE EXISTS (SELECT
                     FROM pg_temp.tournament_api_functions() f
                    WHERE f.name = fname AND f.kind = 'read');

    BEGIN
        EXECUTE definition;
    EXCEPTION
        WHEN invalid_function_definition OR wrong_object_type THEN
            IF to_regprocedure(signature) IS NULL THEN
                RAISE;
            END IF;

            EXECUTE 'DROP ROUTINE ' || signature;
            EXECUTE definition;
    END;

    FOR old IN SELECT p.oid
                 FROM pg_catalog.pg_proc p
                WHERE p.pronamespace = 'tournament_api'::regnamespace
                  AND p.proname = fname
                  AND p.oid <> signature::regprocedure
    LOOP
        EXECUTE 'DROP ROUTINE ' || old.oid::regprocedure;
    END LOOP;

    -- Rights that are as they should be stay untouched.

    FOR command IN
        SELECT format('REVOKE ALL ON FUNCTION %s FROM %s CASCADE', signature,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC'
                                     ELSE a.grantee::regrole::text END)
          FROM pg_catalog.pg_proc p
         CROSS JOIN LATERAL aclexplode(
                   coalesce(p.proacl, acldefault('f', p.proowner))) a
         WHERE p.oid = signature::regprocedure
           AND a.grantee <> p.proowner
           AND NOT coalesce(grants, '{}') ? a.grantee::text
        UNION ALL
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s%s', signature,
                      g.key::oid::regrole,
                      CASE WHEN g.value = 'true'
                           THEN ' WITH GRANT OPTION' ELSE '' END)
          FROM jsonb_each(coalesce(grants, '{}')) g
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;

BEGIN;

-- The tables may have changed hands since the last run, and only their owner
-- can replace what is there.  In this transaction, so that what somebody else
-- may have put there never runs with the owner's rights.

SET LOCAL ROLE :me;

SELECT format('ALTER %s OWNER TO %s', o.what, :'owner')
  FROM (SELECT 'SCHEMA tournament_api', n.nspowner
          FROM pg_catalog.pg_namespace n
         WHERE n.nspname = 'tournament_api'
        UNION ALL
        SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner
          FROM pg_catalog.pg_proc p
          JOIN pg_temp.tournament_api_functions() f ON f.name = p.proname
         WHERE p.pronamespace = 'tournament_api'::regnamespace
        UNION ALL
        SELECT 'TABLE ' || c.oid::regclass, c.relowner
          FROM pg_catalog.pg_class c
         WHERE c.relnamespace = 'tournament_api'::regnamespace
           AND c.relname IN ('registered', 'registered_change')
        UNION ALL
        SELECT 'PUBLICATION tournament_api', p.pubowner
          FROM pg_catalog.pg_publication p
         WHERE p.pubname = 'tournament_api'
       ) AS o (what, owner)
 WHERE quote_ident(pg_get_userbyid(o.owner)) <> :'owner'
\gexec

SET LOCAL ROLE :owner;

-- Nobody else creates in it.

REVOKE ALL ON SCHEMA tournament_api FROM PUBLIC;

SELECT format('REVOKE CREATE ON SCHEMA tournament_api FROM %s CASCADE',
              a.grantee::regrole)
  FROM pg_catalog.pg_namespace n
 CROSS JOIN LATERAL aclexplode(n.nspacl) a
 WHERE n.nspname = 'tournament_api'
   AND a.privilege_type = 'CREATE'
   AND a.grantee NOT IN (0, n.nspowner)
\gexec

COMMENT ON SCHEMA tournament_api IS
    'Read by ngx_http_tournament_module; made by its sql/install.sql';


-- The version of what this file installs: it goes up with each change of it.
SELECT pg_temp.tournament_api_define('version()', $sql$
CREATE OR REPLACE FUNCTION tournament_api.version()
RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN 4;
END
$body$
$sql$);


-- state: the facts of one tournament, drafts too; no row, no such tournament.
--
--     SELECT * FROM tournament_api.state($1)        -- $1 text: the slug
SELECT pg_temp.tournament_api_define('state(text)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.state(p_slug text)
RETURNS TABLE (
    @state_columns@
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT @state@
      FROM @tables@.tournaments_tournament t
      LEFT JOIN @settings@
     WHERE t.slug = p_slug;
END
$body$
$sql$);


-- states: the same of many, a row for each slug that exists.
--
--     SELECT * FROM tournament_api.states($1)       -- $1 text[]: the slugs
SELECT pg_temp.tournament_api_define('states(text[])', $sql$
CREATE OR REPLACE FUNCTION tournament_api.states(p_slugs text[])
RETURNS TABLE (
    @state_columns@
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT @state@
      FROM @tables@.tournaments_tournament t
      LEFT JOIN @settings@
     WHERE t.slug = ANY (p_slugs);
END
$body$
$sql$);


-- warm: the same of all that are published or running, for a cache to begin
-- with.
--
--     SELECT * FROM tournament_api.warm()
SELECT pg_temp.tournament_api_define('warm()', $sql$
CREATE OR REPLACE FUNCTION tournament_api.warm()
RETURNS TABLE (@state_columns@
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10000
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT @state@
      FROM @tables@.tournaments_tournament t
      LEFT JOIN @settings@
     WHERE t.status IN ('PUBLISHED', 'RUNNING');
END
$body$
$sql$);


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
     WHERE t.slug = p_slug
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


-- count: the registrations of a tournament that is no draft, by status.
--
--     SELECT * FROM tournament_api.count($1)        -- $1 text: the slug
SELECT pg_temp.tournament_api_define('count(text)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.count(p_slug text)
RETURNS TABLE (
    id         bigint,
    slug       text,
    pending    bigint,
    confirmed  bigint,
    cancelled  bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.id::bigint, t.slug::text, n.pending, n.confirmed, n.cancelled
      FROM @tables@.tournaments_tournament t
     CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE r.status = 'PENDING'),
                      count(*) FILTER (WHERE r.status = 'CONFIRMED'),
                      count(*) FILTER (WHERE r.status = 'CANCELLED')
                 FROM @tables@.tournaments_registration r
                WHERE r.tournament_id = t.id
           ) AS n (pending, confirmed, cancelled)
     WHERE t.slug = p_slug
       AND t.status <> 'DRAFT';
END
$body$
$sql$);


-- registration_context: the facts of a tournament, drafts too, and what an
-- account has to do with it.  No row: no such tournament.
--
--     SELECT * FROM tournament_api.registration_context($1, $2)
--
--     $1 bigint: the account    $2 text: the slug
--
-- The team is the one that the user would register: of those with an ACTIVE
-- membership one of the tournament's game, then by name.  It is null where
-- the event is none of teams.
SELECT pg_temp.tournament_api_define('registration_context(bigint,text)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.registration_context(
    p_account  bigint,
    p_slug     text)
RETURNS TABLE (
    @state_columns@,
    requires_payment  boolean,
    profile_id        bigint,         -- null: an account without profile
    own_status        text,           -- of the user's registration, or null
    team_id           bigint,
    team_name         text,
    is_captain        boolean,
    team_status       text,           -- of the team's registration, or null
    request_pending   boolean,
    captain_name      text,
    captain_id        bigint,
    participant       boolean,        -- CONFIRMED, with any of the teams
    teams             bigint[]        -- all with an ACTIVE membership
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
DECLARE
    v_profile  bigint   := @profile@;
    v_teams    bigint[] := @teams@;
BEGIN
    RETURN QUERY
    SELECT @state@,
           coalesce(t.entry_fee_bdt > 0, false),
           v_profile,
           own.status::text,
           g.id::bigint,
           g.name::text,
           coalesce(g.captain_id = v_profile, false)
           OR EXISTS (SELECT
                        FROM @tables@.teams_teammembership m
                       WHERE m.profile_id = v_profile
                         AND m.team_id = g.id
                         AND m.status = 'ACTIVE'
                         AND m.role = 'CAPTAIN'),
           theirs.status::text,
           EXISTS (SELECT
                     FROM @tables@.tournaments_registrationrequest q
                    WHERE q.requester_id = v_profile
                      AND q.team_id = g.id
                      AND q.tournament_id = t.id
                      AND q.status = 'PENDING'),
           nullif(c.display_name, '')::text,
           c.id::bigint,
           coalesce(own.status = 'CONFIRMED', false)
           OR EXISTS (SELECT
                        FROM @tables@.tournaments_registration r
                       WHERE r.team_id = ANY (v_teams)
                         AND r.tournament_id = t.id
                         AND r.status = 'CONFIRMED'),
           v_teams
      FROM @tables@.tournaments_tournament t
      LEFT JOIN @settings@
      LEFT JOIN @tables@.tournaments_registration own
             ON own.tournament_id = t.id
            AND own.user_id = v_profile
      LEFT JOIN LATERAL (
               SELECT g.id, g.name, g.captain_id
                 FROM @tables@.teams_team g
                WHERE g.id = ANY (v_teams)
                  AND @is_team_event@
                ORDER BY (g.game = t.game) DESC, g.name, g.id
                LIMIT 1
           ) AS g ON true
      LEFT JOIN @tables@.tournaments_registration theirs
             ON theirs.tournament_id = t.id
            AND theirs.team_id = g.id
      LEFT JOIN @tables@.user_profile_userprofile c
             ON c.id = g.captain_id
     WHERE t.slug = p_slug;
END
$body$
$sql$);


-- participants: who plays in a tournament that is no draft, first come first.
-- Its own columns are in every row; where nobody plays, in one row without
-- registration_id.  In a team event a row with a team shows the team.
--
--     SELECT * FROM tournament_api.participants($1) -- $1 text: the slug
SELECT pg_temp.tournament_api_define('participants(text)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.participants(p_slug text)
RETURNS TABLE (
    id               bigint,
    start_at         timestamptz,
    min_team_size    integer,
    max_team_size    integer,
    registration_id  bigint,
    status           text,
    name             text,           -- null: private, or a team's row
    team_id          bigint,         -- null from here on: no team is shown
    team_name        text,
    team_tag         text,
    captain          text,           -- null: private, or none
    profile_id       bigint,         -- whose name it is, private or not
    captain_id       bigint
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.id::bigint,
           coalesce(t.start_at, s.start_at),
           s.min_team_size::integer,
           s.max_team_size::integer,
           r.id::bigint,
           r.status::text,
           CASE WHEN g.id IS NULL AND NOT p.is_private
                THEN p.display_name::text END,
           g.id::bigint,
           g.name::text,
           g.tag::text,
           CASE WHEN NOT c.is_private THEN c.display_name::text END,
           p.id::bigint,
           c.id::bigint
      FROM @tables@.tournaments_tournament t
      LEFT JOIN @settings@
      LEFT JOIN @tables@.tournaments_registration r
             ON r.tournament_id = t.id
            AND r.status = 'CONFIRMED'
      LEFT JOIN @tables@.teams_team g
             ON g.id = r.team_id
            AND @is_team_event@
      LEFT JOIN @tables@.user_profile_userprofile p
             ON p.id = r.user_id
      LEFT JOIN @tables@.user_profile_userprofile c
             ON c.id = g.captain_id
     WHERE t.slug = p_slug
       AND t.status <> 'DRAFT'
     ORDER BY r.created_at, r.id;
END
$body$
$sql$);


-- user_registrations: an account's registrations and those of its teams (an
-- ACTIVE membership), newest first, with their tournaments.  There always is
-- a row: where there is no registration, registration_id is null.
--
--     SELECT * FROM tournament_api.user_registrations($1)
--
--     $1 bigint: the account
SELECT pg_temp.tournament_api_define('user_registrations(bigint)', $sql$
CREATE OR REPLACE FUNCTION tournament_api.user_registrations(p_account bigint)
RETURNS TABLE (
    profile_id           bigint,       -- null: an account without profile
    teams                bigint[],     -- all with an ACTIVE membership
    registration_id      bigint,
    registration_status  text,
    payment_status       text,
    created_at           timestamptz,
    team_id              bigint,       -- null: not a team's
    team_name            text,
    team_tag             text,
    @card_columns@
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 12
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
DECLARE
    v_profile  bigint   := @profile@;
    v_teams    bigint[] := @teams@;
    v_ids      bigint[] := ARRAY(
                   SELECT r.id
                     FROM @tables@.tournaments_registration r
                    WHERE r.user_id = v_profile
                   UNION
                   SELECT r.id
                     FROM @tables@.tournaments_registration r
                    WHERE r.team_id = ANY (v_teams));
BEGIN
    RETURN QUERY
    SELECT v_profile,
           v_teams,
           r.id::bigint,
           r.status::text,
           r.payment_status::text,
           r.created_at,
           g.id::bigint,
           g.name::text,
           g.tag::text,
           @card@
      FROM (SELECT) AS one
      LEFT JOIN (unnest(v_ids) AS o (id)
                 JOIN @tables@.tournaments_registration r ON r.id = o.id
                 JOIN @tables@.tournaments_tournament t
                   ON t.id = r.tournament_id
                 LEFT JOIN @settings@
                 LEFT JOIN @tables@.teams_team g ON g.id = r.team_id)
             ON true
     CROSS JOIN @card_counts@
     ORDER BY r.created_at DESC, r.id DESC;
END
$body$
$sql$);


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


-- Triggers: their functions
--
-- A row that changes what an answer shows is announced in the writer's own
-- transaction: heard of once that commits, and never if it does not.  What is
-- said are tokens, separated by spaces:
--
--     t<id>   a tournament: its row, its settings, its schedule
--     r<id>   the registrations of a tournament
--     p<id>   a profile: itself, its registrations, memberships, requests
--     p0      accounts: a profile is new, or has another account
--     m<id>   a team: itself, its registrations, its memberships
--     *       everything: a TRUNCATE, or more than can be told
--
-- Ids only: whoever may connect may listen.  How it is said is chosen by
-- -v feed=:
--
--     notify   a notification in channel tournament_changes, whose payload is
--              the tokens.  Needs nothing of the server, but PostgreSQL holds
--              a lock while a transaction that notifies is flushed, so that
--              such commits come one after the other.  After 300 rows of a
--              transaction it is "*", once.
--     logical  a message in the write-ahead log, which logical decoding finds
--              (wal_level = logical).  Prefix tournament_api, transactional,
--              text: the full id of the writer's transaction
--              (pg_current_xact_id()), a space, the tokens.  However many
--              there are: the reader has to bound them.
--     both     each of them, for a change-over without a gap
--
-- The first installation has notify, later ones what the one before had.
--
-- These functions run for every row that the application writes, and are made
-- of little for that reason.  They are row triggers: transition tables cost
-- more, and spill to disk with many rows (temp_file_limit).  They have the
-- rights and the search_path of whoever writes, so that nothing can be done
-- with them that he could not do himself; a search_path of their own would
-- cost as much as all the rest.  So every name says its schema, operators too.
-- Values are compared byte by byte (*<>): no collation hides a change, no type
-- lacks the operator.
--
-- A trigger must not fail the application's write.  An error becomes a WARNING
-- and "*", say where a migration has dropped or renamed a column, until
-- install.sql is run again.  (The subtransaction for that has no id, since the
-- message is written outside of it: many ids would slow down everybody.)  A
-- full queue of notifications fails COMMIT, where nothing can catch it:
-- nothing is sent into one that is nearly full.  By default that takes 8 GB of
-- them, and a listener that has stopped reading.
--
-- What goes unnoticed: writes while triggers are disabled, and rows of
-- partitions that are attached or detached.  A transaction that has notified
-- cannot be prepared (PREPARE TRANSACTION).

-- How a payload is announced, for each feed.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_announcement(p_feed text)
RETURNS text
LANGUAGE sql AS $$
    SELECT CASE WHEN p_feed IN ('notify', 'both') THEN $sql$
    BEGIN
        -- A mark for each row that this transaction has announced

        marks := pg_catalog.concat(
            pg_catalog.current_setting('tournament_api.marks', true), '.');

        IF pg_catalog.length(marks) OPERATOR(pg_catalog.<=) 301 THEN
            marks := pg_catalog.set_config('tournament_api.marks', marks,
                                           true);

            IF pg_catalog.pg_notification_queue_usage()
               OPERATOR(pg_catalog.>) 0.9
            THEN
                RAISE WARNING 'tournament_api: the notification queue is '
                              'nearly full, a change in %.% is not announced',
                              TG_TABLE_SCHEMA, TG_TABLE_NAME;

            ELSIF pg_catalog.length(marks) OPERATOR(pg_catalog.=) 301 THEN
                PERFORM pg_catalog.pg_notify('tournament_changes', '*');

            ELSE
                PERFORM pg_catalog.pg_notify('tournament_changes', payload);
            END IF;
        END IF;

    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'tournament_api: a change in %.% is not announced: %',
                      TG_TABLE_SCHEMA, TG_TABLE_NAME, SQLERRM;
    END;
$sql$ ELSE '' END

    -- 3577 is pg_logical_emit_message(boolean, text, text), in any version

           || CASE WHEN p_feed IN ('logical', 'both') THEN $sql$
    IF pg_catalog.has_function_privilege(3577::pg_catalog.oid, 'EXECUTE') THEN
        lsn := pg_catalog.pg_logical_emit_message(true, 'tournament_api',
                   pg_catalog.concat(pg_catalog.pg_current_xact_id(), ' ',
                                     payload));
    ELSE
        RAISE WARNING 'tournament_api: a change in %.% is not announced: '
                      'permission denied for function '
                      'pg_logical_emit_message', TG_TABLE_SCHEMA,
                      TG_TABLE_NAME;
    END IF;
$sql$ ELSE '' END
$$;

-- Makes a function of triggers, with what is to be announced.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_define_trigger(
    p_fname text, p_payload text)
RETURNS void
LANGUAGE sql AS $$
    SELECT pg_temp.tournament_api_define(p_fname || '()', format($sql$
CREATE OR REPLACE FUNCTION tournament_api.%I()
RETURNS trigger
LANGUAGE plpgsql
AS $body$
DECLARE
    payload  pg_catalog.text;
    marks    pg_catalog.text;
    lsn      pg_catalog.pg_lsn;
BEGIN
%s
    IF payload IS NULL THEN
        RETURN NULL;
    END IF;
%s
    RETURN NULL;
END
$body$
$sql$, p_fname, p_payload, pg_temp.tournament_api_announcement(
           current_setting('tournament_api.feed'))))
$$;

SELECT pg_temp.tournament_api_define_trigger('announce_truncate',
                                             '    payload := ''*'';');

-- One for each table.  A token is the text of an id, null where there is none;
-- of an update that of both rows, if they differ.
WITH tables AS (
    SELECT f.fname, f.tokens,
           string_agg(format('OLD.%I', a.attname), ', ' ORDER BY a.attnum)
           AS old,
           string_agg(format('NEW.%I', a.attname), ', ' ORDER BY a.attnum)
           AS new
      FROM pg_temp.tournament_api_feed() f
      JOIN pg_temp.tournament_api_tables() t ON t.name = f.tab
      JOIN pg_catalog.pg_attribute a ON a.attrelid = t.rel
     WHERE a.attname = ANY (string_to_array(f.shown, ' '))
       AND NOT a.attisdropped
     GROUP BY f.fname, f.tokens
), tokens AS (
    SELECT t.fname, t.old, t.new, w.n,
           CASE WHEN k.kind = '0' THEN '''p0'''
                ELSE format('''%s'' OPERATOR(pg_catalog.||) '
                            'NEW.%I::pg_catalog.text', k.kind, k.col)
           END AS inserted,
           CASE WHEN k.kind <> '0'
                THEN format('''%s'' OPERATOR(pg_catalog.||) '
                            'OLD.%I::pg_catalog.text', k.kind, k.col)
           END AS deleted,
           format('CASE WHEN ROW(OLD.%1$I)::pg_catalog.record OPERATOR(pg_catalog.*<>) '
                  'ROW(NEW.%1$I)::pg_catalog.record THEN ', k.col) AS if_other
      FROM tables t
     CROSS JOIN LATERAL unnest(string_to_array(t.tokens, ', '))
                        WITH ORDINALITY AS w (words, n)
     CROSS JOIN LATERAL (
               SELECT split_part(w.words, ' ', 1), split_part(w.words, ' ', 2)
           ) AS k (kind, col)
)
SELECT pg_temp.tournament_api_define_trigger(t.fname, format($sql$
    BEGIN
        IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
            payload := pg_catalog.concat_ws(' ',
                %1$s);

        ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
            payload := pg_catalog.concat_ws(' ',
                %2$s);

        ELSIF ROW(%4$s)::pg_catalog.record
              OPERATOR(pg_catalog.*<>)
              ROW(%5$s)::pg_catalog.record
        THEN
            payload := pg_catalog.concat_ws(' ',
                %3$s);
        END IF;

    EXCEPTION WHEN OTHERS THEN
        payload := '*';
        RAISE WARNING 'tournament_api: a change in %%.%% is announced as a '
                      'change of everything: %%', TG_TABLE_SCHEMA,
                      TG_TABLE_NAME, SQLERRM
              USING HINT = 'Run install.sql again.';
    END;
$sql$,
           string_agg(t.inserted, E',\n                ' ORDER BY t.n),
           string_agg(t.deleted, E',\n                ' ORDER BY t.n),
           string_agg(coalesce(t.if_other || t.deleted || E' END,\n'
                               '                ' || t.inserted,
                               t.if_other || t.inserted || ' END'),
                      E',\n                ' ORDER BY t.n),
           t.old, t.new))
  FROM tokens t
 GROUP BY t.fname, t.old, t.new;


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


-- Does all of it run on this site's tables?
SELECT (SELECT count(*) FROM tournament_api.state('')),
       (SELECT count(*) FROM tournament_api.states('{}')),
       (SELECT count(*) FROM tournament_api.hub('', 'open', 'free', 'low',
                                                'popular', '-', 1, 12)),
       (SELECT count(*) FROM tournament_api.detail('')),
       (SELECT count(*) FROM tournament_api.count('')),
       (SELECT count(*) FROM tournament_api.registration_context(0, '')),
       (SELECT count(*) FROM tournament_api.participants('')),
       (SELECT count(*) FROM tournament_api.user_registrations(0)),
       (SELECT count(*) FROM tournament_api.platform_stats()),
       (SELECT count(*) FROM tournament_api.checks());

SELECT :'role' <> '' AS has_role, :'listener' <> '' AS has_listener \gset
\if :has_role
    GRANT USAGE ON SCHEMA tournament_api TO :"role";
    SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure,
                  :'role')
      FROM pg_catalog.pg_proc p
      JOIN pg_temp.tournament_api_functions() f
           ON f.name = p.proname AND f.kind = 'read'
     WHERE p.pronamespace = 'tournament_api'::regnamespace
    \gexec
\endif
\if :has_listener
    GRANT USAGE ON SCHEMA tournament_api TO :"listener";
    GRANT EXECUTE ON FUNCTION tournament_api.feed(), tournament_api.checks(),
                              tournament_api.version() TO :"listener";
\endif


-- Logical decoding asks for a publication, which is empty: the messages are
-- none of its business.

SELECT CASE WHEN f.wanted THEN 'CREATE' ELSE 'DROP' END
       || ' PUBLICATION tournament_api'
  FROM (SELECT current_setting('tournament_api.feed') <> 'notify',
               EXISTS (SELECT
                         FROM pg_catalog.pg_publication p
                        WHERE p.pubname = 'tournament_api'
                          AND NOT p.puballtables
                          AND NOT EXISTS (
                              SELECT
                                FROM pg_catalog.pg_publication_tables t
                               WHERE t.pubname = p.pubname)
                          AND pg_has_role(p.pubowner, 'MEMBER'))
       ) AS f (wanted, present)
 WHERE f.wanted <> f.present
\gexec

COMMIT;


-- Indexes
--
-- Each is made only where no equivalent index exists, whatever its name and
-- whoever made it: a valid one of the same table, kind and predicate over the
-- same columns in the same order and direction (or all of them reversed: a
-- btree is read backwards as well), of the same operator classes; a
-- constraint's index and one that includes more columns count.  An index that
-- only begins with the columns wanted does not: it is larger, and there for
-- other queries of the site's, with which it may go.
--
-- A name that begins with tournament_api_ is ours: left-overs of an
-- interrupted run (INVALID) are dropped and made again, what no longer is
-- wanted is dropped.  An index whose definition changes gets a new name.  What
-- is no plain table (a view in its place, say) is left alone.

-- The schema of pg_trgm, where the site has it.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_trgm()
RETURNS TABLE (nsp text)
LANGUAGE sql AS $$
    SELECT n.nspname::text
      FROM pg_catalog.pg_extension e
      JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_trgm'
       AND has_schema_privilege(n.oid, 'USAGE')
$$;

CREATE OR REPLACE FUNCTION pg_temp.tournament_api_wanted()
RETURNS TABLE (name text, tab text, keys text[], included text[],
               predicate text, kind text)
LANGUAGE sql AS $$
    VALUES
    -- all but hub, user_registrations, platform_stats: the tournament of a
    -- slug
    ('tournament_api_slug', 'tournaments_tournament',
     ARRAY['slug'], '{}'::text[], '', 'btree'),
    -- all but count, platform_stats: the tournament's settings
    ('tournament_api_settings', 'tournaments_tournamentsettings',
     ARRAY['tournament_id'], '{}', '', 'btree'),
    -- detail: the tournament's check-in
    ('tournament_api_schedule', 'tournaments_schedule',
     ARRAY['tournament_id'], '{}', '', 'btree'),
    -- detail: the newest tournaments of a game
    ('tournament_api_related', 'tournaments_tournament',
     ARRAY['game', 'status', 'created_at DESC'], '{}', '', 'btree'),
    -- hub, platform_stats: how many tournaments there are of a status, and of
    -- a game
    ('tournament_api_status_game', 'tournaments_tournament',
     ARRAY['status', 'game'], '{}', '', 'btree'),
    -- hub, platform_stats: tournaments by status, the default order, and what
    -- else they filter and sort by, without a look at the table
    ('tournament_api_hub', 'tournaments_tournament',
     ARRAY['status', 'start_at DESC'],
     ARRAY['id', 'game', 'created_at', 'reg_open_at', 'reg_close_at',
           'entry_fee_bdt', 'prize_pool_bdt'], '', 'btree'),
    -- state, states, hub, detail, count, registration_context,
    -- user_registrations: how many there are of a status, without a look at
    -- the table; participants: which
    ('tournament_api_reg_tournament_status', 'tournaments_registration',
     ARRAY['tournament_id', 'status'], '{}', '', 'btree'),
    -- registration_context, user_registrations: a user's own
    ('tournament_api_reg_user', 'tournaments_registration',
     ARRAY['user_id'], '{}', '', 'btree'),
    -- registration_context, user_registrations: those of a team
    ('tournament_api_reg_team', 'tournaments_registration',
     ARRAY['team_id'], '{}', '', 'btree'),
    -- platform_stats: the players of the last month
    ('tournament_api_reg_recent', 'tournaments_registration',
     ARRAY['created_at'], ARRAY['user_id'],
     $sql$status = 'CONFIRMED'$sql$, 'btree'),
    -- registration_context: a user's requests
    ('tournament_api_request_requester', 'tournaments_registrationrequest',
     ARRAY['requester_id'], '{}', '', 'btree'),
    -- registration_context, user_registrations: the profile of an account
    ('tournament_api_profile_user', 'user_profile_userprofile',
     ARRAY['user_id'], '{}', '', 'btree'),
    -- registration_context, user_registrations: the teams of a profile
    ('tournament_api_membership_profile', 'teams_teammembership',
     ARRAY['profile_id'], '{}', '', 'btree'),
    -- none of ours: deleting a tournament, which looks for what refers to it
    ('tournament_api_reg_tournament', 'tournaments_registration',
     ARRAY['tournament_id'], '{}', '', 'btree'),
    -- none of ours: the site's staff, who look for what is PENDING
    ('tournament_api_reg_status', 'tournaments_registration',
     ARRAY['status'], '{}', '', 'btree')
    UNION ALL
    -- hub: text search
    SELECT 'tournament_api_text', 'tournaments_tournament',
           ARRAY['name gin_trgm_ops', 'game gin_trgm_ops',
                 'short_description gin_trgm_ops'], '{}', '', 'gin'
      FROM pg_temp.tournament_api_trgm()
$$;

-- What there is, written as above.  "reversed" are the same columns as a
-- backward scan gives them.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_indexes()
RETURNS TABLE (name text, tab text, usable boolean, keys text[],
               reversed text[], included text[], predicate text, kind text)
LANGUAGE sql AS $$
    SELECT c.relname::text, t.name,
           i.indisvalid AND i.indisready AND i.indislive,
           k.keys, k.reversed,
           ARRAY(SELECT pg_get_indexdef(i.indexrelid, p, false)
                   FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS p),
           -- status = 'CONFIRMED' is kept, over a varchar, as
           -- ((status)::text = 'CONFIRMED'::text)
           coalesce(regexp_replace(pg_get_expr(i.indpred, i.indrelid),
                                   '::text|[()]', '', 'g'), ''),
           a.amname::text
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_am a ON a.oid = c.relam
      JOIN pg_temp.tournament_api_tables() t ON t.rel = i.indrelid
      CROSS JOIN LATERAL (
          SELECT array_agg(d.def || CASE i.indoption[p - 1] & 3
                                    WHEN 0 THEN ''
                                    WHEN 1 THEN ' DESC NULLS LAST'
                                    WHEN 2 THEN ' NULLS FIRST'
                                    ELSE ' DESC' END
                           ORDER BY p),
                 array_agg(d.def || CASE i.indoption[p - 1] & 3
                                    WHEN 0 THEN ' DESC'
                                    WHEN 1 THEN ' NULLS FIRST'
                                    WHEN 2 THEN ' DESC NULLS LAST'
                                    ELSE '' END
                           ORDER BY p)
            FROM generate_series(1, i.indnkeyatts) AS p
            JOIN pg_catalog.pg_opclass o ON o.oid = i.indclass[p - 1]
            LEFT JOIN pg_catalog.pg_attribute f
                   ON f.attrelid = i.indrelid AND f.attnum = i.indkey[p - 1]
            CROSS JOIN LATERAL (
                SELECT pg_get_indexdef(i.indexrelid, p, false)
                       || CASE WHEN o.opcdefault THEN ''
                               ELSE ' ' || o.opcname END
                       || CASE WHEN i.indcollation[p - 1] = f.attcollation
                               THEN '' ELSE ' COLLATE' END
                 ) AS d (def)
           ) AS k (keys, reversed)
$$;

CREATE OR REPLACE FUNCTION pg_temp.tournament_api_index_commands()
RETURNS TABLE (command text)
LANGUAGE sql AS $$
    WITH wanted AS (
        SELECT w.*
          FROM pg_temp.tournament_api_wanted() w
          JOIN pg_temp.tournament_api_tables() t ON t.name = w.tab
          JOIN pg_catalog.pg_class c ON c.oid = t.rel
         WHERE c.relkind = 'r'
    ), serving AS (
        SELECT w.name AS wanted, i.name
          FROM wanted w
          JOIN pg_temp.tournament_api_indexes() i
               ON i.tab = w.tab AND i.usable AND i.kind = w.kind
              AND w.keys IN (i.keys, i.reversed)
              AND w.included <@ i.included
              AND w.predicate = i.predicate
    ), ours AS (
        SELECT i.name,
               EXISTS (SELECT FROM serving s
                        WHERE s.name = i.name AND s.wanted = i.name) AS good,
               EXISTS (SELECT FROM wanted w WHERE w.name = i.name) AS known
          FROM pg_temp.tournament_api_indexes() i
         WHERE starts_with(i.name, 'tournament_api_')
    )
    SELECT format(c.command, current_setting('tournament_api.tables_schema'),
                  c.name, c.tab, c.definition)
      FROM (SELECT 'DROP INDEX CONCURRENTLY %1$I.%2$I', name, '', '', 1
              FROM ours
             WHERE known AND NOT good
            UNION ALL
            SELECT 'CREATE INDEX CONCURRENTLY %2$I ON %1$I.%3$I %4$s',
                   name, tab,
                   format('USING %s (%s)', kind,
                          replace(array_to_string(keys, ', '), ' gin_',
                                  coalesce(' ' || quote_ident((
                                      SELECT nsp
                                        FROM pg_temp.tournament_api_trgm()
                                  )) || '.gin_', '')))
                   || CASE WHEN included = '{}' THEN '' ELSE format(
                          ' INCLUDE (%s)', array_to_string(included, ', ')) END
                   || CASE WHEN predicate = '' THEN ''
                           ELSE ' WHERE ' || predicate END,
                   2
              FROM wanted
             WHERE name NOT IN (SELECT s.wanted FROM serving s)
            UNION ALL
            SELECT 'DROP INDEX CONCURRENTLY %1$I.%2$I', name, '', '', 3
              FROM ours
             WHERE NOT known
           ) AS c (command, name, tab, definition, step)
     ORDER BY c.step, c.name
$$;

\o
\set ECHO queries
SELECT command FROM pg_temp.tournament_api_index_commands() \gexec
\set ECHO none
\o /dev/null


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

-- Runs commands that lock a table, in a transaction of their own.
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


-- What an older version made and nothing of ours uses any more.  A trigger
-- that somebody else made of it is none of ours to drop, and fires whatever
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
       ON f.name = p.proname AND f.kind = 'older'
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
