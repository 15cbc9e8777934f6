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
     WHERE @has_slug@
       AND t.status <> 'DRAFT';
END
$body$
$sql$);
