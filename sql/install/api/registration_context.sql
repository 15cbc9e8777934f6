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
     WHERE @has_slug@;
END
$body$
$sql$);
