-- The schema itself: whose it is, who may create in it, and its version.

-- The tables may have changed hands since the last run, and only their owner
-- can replace what is there.  In this transaction, so that what somebody else
-- may have put there never runs with the owner's rights.

SET LOCAL ROLE :me;

SELECT format('ALTER %s OWNER TO %s', o.what, :'owner')
  FROM (SELECT 'SCHEMA tournament_api', n.nspowner
          FROM pg_catalog.pg_namespace n
         WHERE n.nspname = 'tournament_api'
        UNION ALL
        SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner
          FROM pg_catalog.pg_proc p
          JOIN pg_temp.tournament_api_functions() f ON f.name = p.proname
         WHERE p.pronamespace = 'tournament_api'::regnamespace
        UNION ALL
        SELECT 'TABLE ' || c.oid::regclass, c.relowner
          FROM pg_catalog.pg_class c
         WHERE c.relnamespace = 'tournament_api'::regnamespace
           AND c.relname IN ('registered', 'registered_change')
        UNION ALL
        SELECT 'PUBLICATION tournament_api', p.pubowner
          FROM pg_catalog.pg_publication p
         WHERE p.pubname = 'tournament_api'
       ) AS o (what, owner)
 WHERE quote_ident(pg_get_userbyid(o.owner)) <> :'owner'
\gexec

SET LOCAL ROLE :owner;

-- Nobody else creates in it.

REVOKE ALL ON SCHEMA tournament_api FROM PUBLIC;

SELECT format('REVOKE CREATE ON SCHEMA tournament_api FROM %s CASCADE',
              a.grantee::regrole)
  FROM pg_catalog.pg_namespace n
 CROSS JOIN LATERAL aclexplode(n.nspacl) a
 WHERE n.nspname = 'tournament_api'
   AND a.privilege_type = 'CREATE'
   AND a.grantee NOT IN (0, n.nspowner)
\gexec

COMMENT ON SCHEMA tournament_api IS
    'Read by ngx_http_tournament_module; made by its sql/install.sql';


-- The version of what install.sql installs: it goes up with each change.
SELECT pg_temp.tournament_api_define('version()', $sql$
CREATE OR REPLACE FUNCTION tournament_api.version()
RETURNS integer
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
    RETURN 5;
END
$body$
$sql$);
