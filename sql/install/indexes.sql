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
