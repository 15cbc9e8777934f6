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
