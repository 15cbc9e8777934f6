-- How functions are made: what several have in common, and what happens to
-- those that are there.
--
-- Functions and not views: a view on a table would make the application's own
-- migrations fail (ALTER COLUMN ... TYPE, DROP COLUMN), a function with a
-- string body does not.  They are plpgsql, which keeps plans for the life of
-- a connection, and run with their owner's rights (SECURITY DEFINER).  Their
-- search_path is fixed and does not contain the schema of the tables, where
-- others might be able to create operators: each table is named in full, as
-- @tables@.name, and @tables@ is replaced as the function is created.
--
-- A site with other tables rewrites the functions' bodies.  The module relies
-- on their names, on their parameters, and on the order and the types of their
-- result columns: it asks for results in binary format.

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

    -- Byte by byte, whatever the column's collation takes for equal
    ('@has_slug@', $sql$t.slug = p_slug
       AND t.slug COLLATE "C" = p_slug$sql$),

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
