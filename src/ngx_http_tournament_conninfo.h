
/*
 * A libpq conninfo, resolved when the configuration is read: whatever libpq
 * would look up as it connects (environment, service file, password file, user
 * name, host names) is looked up here, since a worker has an empty environment
 * and must not wait for a name server.
 */

#ifndef _NGX_HTTP_TOURNAMENT_CONNINFO_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_CONNINFO_H_INCLUDED_


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
} ngx_http_tournament_target_t;


/*
 * Resolves a conninfo string or URI into the targets to try, in libpq's order.
 * What is resolved is allocated from cf->pool; passwords among it live as long
 * as the configuration.  statement_timeout (ms) becomes a server option of each
 * session unless the conninfo sets one; 0 leaves it out.  identity, if not
 * NULL, becomes a hash of what names the database: hosts, ports, database,
 * user.  Errors are logged in the name of the directive, without anything that
 * may be a password.  Returns an array of ngx_http_tournament_target_t or NULL.
 */

ngx_array_t *ngx_http_tournament_conninfo_resolve(ngx_conf_t *cf,
    ngx_str_t *directive, ngx_str_t *conninfo, ngx_msec_t statement_timeout,
    uint64_t *identity);


/*
 * Checks a conninfo's syntax.  Returns NGX_CONF_OK or NGX_CONF_ERROR; the error
 * is logged as above.
 */

char *ngx_http_tournament_conninfo_check(ngx_conf_t *cf, ngx_str_t *directive,
    ngx_str_t *conninfo);


#endif /* _NGX_HTTP_TOURNAMENT_CONNINFO_H_INCLUDED_ */
