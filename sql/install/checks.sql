-- Is everything there that install.sql works on?  Nothing changes before that
-- is known.

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
