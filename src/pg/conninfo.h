
/*
 * A libpq conninfo, resolved when the configuration is read: whatever libpq
 * would look up as it connects (environment, service file, password file, user
 * name, host names) is looked up here, since a worker has an empty environment
 * and must not wait for a name server.
 */

#ifndef _TOURNAMENT_CONNINFO_H_INCLUDED_
#define _TOURNAMENT_CONNINFO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * One address of one host, ready for PQconnectStartParams(): NULL-terminated
 * arrays of keywords and values.  name is for log lines: "host:port" or the
 * socket's path; no secret is in it.
 */

typedef struct {
    const char               **keywords;
    const char               **values;
    ngx_str_t                  name;
} tournament_target_t;


/* a conninfo as it was configured, and where, for messages */

typedef struct {
    ngx_str_t                  text;        /* string or URI */
    ngx_str_t                  directive;   /* data is NULL: none was */
    ngx_conf_file_t            place;
} tournament_conninfo_t;


/*
 * Notes a conninfo that the directive which is being read has, and checks its
 * syntax.  Returns NGX_CONF_OK or NGX_CONF_ERROR; the error is logged in the
 * name of the directive, without anything that may be a password.
 */

char *tournament_conninfo_set(ngx_conf_t *cf, tournament_conninfo_t *conninfo,
    ngx_str_t *text);


/*
 * Resolves a conninfo into the targets to try, in libpq's order.  What is
 * resolved is allocated from cf->pool; passwords among it live as long as the
 * configuration.  statement_timeout (ms) becomes a server option of each
 * session unless the conninfo sets one; 0 leaves it out.  Where primary is
 * set, a conninfo that asks for a standby is refused.  identity, if not NULL,
 * becomes a hash of what names the database: hosts, ports, database, user.
 * Errors are logged as above.  Returns an array of
 * tournament_target_t or NULL.
 */

ngx_array_t *tournament_conninfo_resolve(ngx_conf_t *cf,
    tournament_conninfo_t *conninfo, ngx_msec_t statement_timeout,
    ngx_uint_t primary, uint64_t *identity);


#endif /* _TOURNAMENT_CONNINFO_H_INCLUDED_ */
