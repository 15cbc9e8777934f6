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
     WHERE @has_slug@;
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
     WHERE t.slug = ANY (p_slugs)
       AND t.slug COLLATE "C" = ANY (p_slugs);
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
