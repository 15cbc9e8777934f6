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
     WHERE @has_slug@
       AND t.status <> 'DRAFT'
     ORDER BY r.created_at, r.id;
END
$body$
$sql$);
