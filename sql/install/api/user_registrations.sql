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
