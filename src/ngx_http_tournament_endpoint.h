
/*
 * The table of endpoints.  A new one is a row here, a function in SQL, a
 * decoder and a renderer; its name is at once a value of "tournament" and of
 * "tournament_ttl".
 */

#ifndef _NGX_HTTP_TOURNAMENT_ENDPOINT_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tournament_error.h"
#include "ngx_http_tournament_json.h"
#include "ngx_http_tournament_key.h"
#include "ngx_http_tournament_pg.h"
#include "ngx_http_tournament_result.h"


typedef struct {
    ngx_str_t                            name;
    ngx_uint_t                           number;    /* in keys; never another
                                                       endpoint's, up to 255 */
    ngx_uint_t                           methods;   /* NGX_HTTP_GET, ... */
    ngx_msec_t                           ttl;       /* the default */

    ngx_http_tournament_pg_statement_t   statement;
    const Oid                           *columns;   /* of its result */
    ngx_uint_t                           ncolumns;

    /*
     * Validates the location's argument and adds its canonical value to the
     * key: the statement's parameters, in their order.  NULL, or the error
     * to answer with.
     */

    ngx_http_tournament_error_t       *(*arguments)(ngx_http_request_t *r,
                                          ngx_str_t *argument,
                                          ngx_http_tournament_key_t *key);

    /* rows of the expected columns -> facts, or entry.missing */

    void                               (*decode)(
                                          ngx_http_tournament_result_t *result,
                                          int rows);

    /* facts -> the members of the document after "success" */

    void                               (*render)(
                                          ngx_http_tournament_json_t *json,
                                          ngx_http_tournament_entry_t *entry,
                                          time_t now);
} ngx_http_tournament_endpoint_t;


#define NGX_HTTP_TOURNAMENT_ENDPOINTS  1

extern ngx_http_tournament_endpoint_t
    ngx_http_tournament_endpoints[NGX_HTTP_TOURNAMENT_ENDPOINTS];


/* the TTL of 404s stands behind those of the endpoints */

#define NGX_HTTP_TOURNAMENT_TTL_MISSING  NGX_HTTP_TOURNAMENT_ENDPOINTS
#define NGX_HTTP_TOURNAMENT_TTLS         (NGX_HTTP_TOURNAMENT_ENDPOINTS + 1)

#define NGX_HTTP_TOURNAMENT_MISSING_TTL  5000


/* The index of a name in the table, or NGX_ERROR. */

ngx_int_t ngx_http_tournament_endpoint_find(ngx_str_t *name);


#endif /* _NGX_HTTP_TOURNAMENT_ENDPOINT_H_INCLUDED_ */
