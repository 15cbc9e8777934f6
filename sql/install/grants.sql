-- The functions are given to the roles that call them, once all of them have
-- run on this site's tables.

SELECT (SELECT count(*) FROM tournament_api.state('')),
       (SELECT count(*) FROM tournament_api.states('{}')),
       (SELECT count(*) FROM tournament_api.hub('', 'open', 'free', 'low',
                                                'popular', '-', 1, 12)),
       (SELECT count(*) FROM tournament_api.detail('')),
       (SELECT count(*) FROM tournament_api.count('')),
       (SELECT count(*) FROM tournament_api.registration_context(0, '')),
       (SELECT count(*) FROM tournament_api.participants('')),
       (SELECT count(*) FROM tournament_api.user_registrations(0)),
       (SELECT count(*) FROM tournament_api.platform_stats());

SELECT :'role' <> '' AS has_role, :'listener' <> '' AS has_listener \gset
\if :has_role
    GRANT USAGE ON SCHEMA tournament_api TO :"role";
    SELECT format('GRANT EXECUTE ON FUNCTION %s TO %I', p.oid::regprocedure,
                  :'role')
      FROM pg_catalog.pg_proc p
      JOIN pg_temp.tournament_api_functions() f
           ON f.name = p.proname AND f.kind = 'read'
     WHERE p.pronamespace = 'tournament_api'::regnamespace
    \gexec
\endif
\if :has_listener
    GRANT USAGE ON SCHEMA tournament_api TO :"listener";
    GRANT EXECUTE ON FUNCTION tournament_api.feed(),
                              tournament_api.version() TO :"listener";
\endif
