-- A superuser makes everything as the owner of the tables, so that the
-- functions run with the application's rights and not with a superuser's.

SELECT DISTINCT quote_ident(pg_get_userbyid(c.relowner)) AS owner,
       quote_ident(current_user) AS me
  FROM pg_temp.tournament_api_tables() t
  JOIN pg_catalog.pg_class c ON c.oid = t.rel
\gset

SELECT format('CREATE SCHEMA tournament_api AUTHORIZATION %s', :'owner')
 WHERE to_regnamespace('tournament_api') IS NULL
\gexec

SET ROLE :owner;
