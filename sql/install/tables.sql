-- What is worked on: the application's tables, the functions of schema
-- tournament_api, and what triggers tell of which table.  These helpers and
-- those of the other files are in pg_temp and go with the session.

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
           ('read', 'version feed state states warm hub hub_order hub_cards '
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
-- there), the columns that answers show or depend on, and the one of them that
-- changes most often.  A new profile, or a profile's new user_id, sends p0.
CREATE OR REPLACE FUNCTION pg_temp.tournament_api_feed()
RETURNS TABLE (tab text, fname text, tokens text, shown text, often text)
LANGUAGE sql AS $$
    VALUES
    ('tournaments_tournament', 'announce_tournament', 't id',
     'id name slug short_description game status banner slot_size '
     'reg_open_at reg_close_at start_at end_at entry_fee_bdt prize_pool_bdt '
     'created_at updated_at', 'updated_at'),
    ('tournaments_tournamentsettings', 'announce_settings', 't tournament_id',
     'tournament_id tournament_type description start_at end_at reg_open_at '
     'reg_close_at min_team_size max_team_size prize_pool_bdt '
     'prize_distribution_text banner rules_pdf stream_facebook_url '
     'stream_youtube_url discord_url auto_check_in check_in_open_mins '
     'check_in_close_mins', 'description'),
    ('tournaments_schedule', 'announce_schedule', 't tournament_id',
     'tournament_id check_in_open_mins check_in_close_mins',
     'check_in_open_mins'),
    ('tournaments_registration', 'announce_registration',
     'm team_id, p user_id, r tournament_id',
     'id tournament_id user_id team_id status payment_status created_at',
     'status'),
    ('tournaments_registrationrequest', 'announce_request', 'p requester_id',
     'tournament_id team_id requester_id status', 'status'),
    ('user_profile_userprofile', 'announce_profile', '0 user_id, p id',
     'id user_id display_name is_private', 'display_name'),
    ('teams_team', 'announce_team', 'm id',
     'id name tag game captain_id', 'name'),
    ('teams_teammembership', 'announce_membership',
     'm team_id, p profile_id',
     'team_id profile_id role status', 'status')
$$;
