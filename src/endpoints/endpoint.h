
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

#include "endpoints/arguments.h"
#include "serve/error.h"
#include "serve/json.h"
#include "zone/key.h"
#include "pg/pg.h"
#include "endpoints/render.h"
#include "serve/result.h"


/* the location's argument */

typedef enum {
    NGX_HTTP_TOURNAMENT_NO_ARGUMENT = 0,
    NGX_HTTP_TOURNAMENT_MAY_ARGUMENT,
    NGX_HTTP_TOURNAMENT_MUST_ARGUMENT
} ngx_http_tournament_argument_e;


/* whose an answer is */

typedef enum {
    NGX_HTTP_TOURNAMENT_PUBLIC = 0,    /* the same for everybody */
    NGX_HTTP_TOURNAMENT_PERSONAL,      /* its key has the user */
    NGX_HTTP_TOURNAMENT_VIEWED,        /* a second entry is the user's, the
                                          registration_context */
    NGX_HTTP_TOURNAMENT_GUARDED        /* the same, for those who may see it */
} ngx_http_tournament_audience_e;


typedef struct {
    ngx_str_t                            name;
    ngx_uint_t                           number;    /* in keys; never another
                                                       endpoint's, up to 255 */
    ngx_http_tournament_argument_e       argument;
    ngx_http_tournament_audience_e       audience;
    ngx_msec_t                           ttl;       /* defaults, ms */
    ngx_msec_t                           coalesce;

    /* ($1) alone and, where entries can be fetched together, ($1[]) */

    ngx_http_tournament_pg_statement_t   statement;
    ngx_http_tournament_pg_statement_t   bulk;
    const Oid                           *columns;   /* of their results */
    ngx_uint_t                           ncolumns;
    int                                  bulk_column;  /* says whose a row
                                                          is */

    ngx_http_tournament_error_t       *(*arguments)(ngx_http_request_t *r,
                                          ngx_http_tournament_input_t *in,
                                          ngx_http_tournament_key_t *key);

    void                               (*decode)(
                                          ngx_http_tournament_result_t *result,
                                          int row, int n);

    /* NULL, or why there is no document; entries may be missing */

    ngx_http_tournament_error_t       *(*check)(
                                          ngx_http_tournament_view_t *view);

    void                               (*render)(
                                          ngx_http_tournament_json_t *json,
                                          ngx_http_tournament_view_t *view);

    /* instead of all that follows the method: an endpoint of its own kind */

    ngx_int_t                          (*handler)(ngx_http_request_t *r);
} ngx_http_tournament_endpoint_t;


typedef enum {
    NGX_HTTP_TOURNAMENT_STATE = 0,
    NGX_HTTP_TOURNAMENT_STATES,
    NGX_HTTP_TOURNAMENT_HUB,
    NGX_HTTP_TOURNAMENT_DETAIL,
    NGX_HTTP_TOURNAMENT_PARTICIPANTS,
    NGX_HTTP_TOURNAMENT_COUNT,
    NGX_HTTP_TOURNAMENT_CONTEXT,
    NGX_HTTP_TOURNAMENT_REGISTRATIONS,
    NGX_HTTP_TOURNAMENT_STATS,
    NGX_HTTP_TOURNAMENT_PURGE,
    NGX_HTTP_TOURNAMENT_STATUS,
    NGX_HTTP_TOURNAMENT_METRICS,
    NGX_HTTP_TOURNAMENT_ENDPOINTS
} ngx_http_tournament_endpoint_e;


extern ngx_http_tournament_endpoint_t
    ngx_http_tournament_endpoints[NGX_HTTP_TOURNAMENT_ENDPOINTS];


/* the TTL of 404s stands behind those of the endpoints */

#define NGX_HTTP_TOURNAMENT_TTL_MISSING  NGX_HTTP_TOURNAMENT_ENDPOINTS
#define NGX_HTTP_TOURNAMENT_TTLS         (NGX_HTTP_TOURNAMENT_ENDPOINTS + 1)

#define NGX_HTTP_TOURNAMENT_MISSING_TTL  5000


/* The index of a name in the table, or NGX_ERROR. */

ngx_int_t ngx_http_tournament_endpoint_find(ngx_str_t *name);


/* The index of the endpoint that has a number in keys, or NGX_ERROR. */

ngx_int_t ngx_http_tournament_endpoint_number(ngx_uint_t number);


/*
 * The statements of the table as the database room wants them, allocated from
 * pool: first those of the endpoints in their order, then their bulk ones.
 * An endpoint's are at its index, and at NGX_HTTP_TOURNAMENT_ENDPOINTS plus
 * it; without one there is NULL.  NULL: no memory.
 */

ngx_http_tournament_pg_statement_t **ngx_http_tournament_endpoint_statements(
    ngx_pool_t *pool);

/* the one that warms stands behind them all; its columns are state's */

#define NGX_HTTP_TOURNAMENT_STATEMENT_WARM                                    \
    (2 * NGX_HTTP_TOURNAMENT_ENDPOINTS)
#define NGX_HTTP_TOURNAMENT_STATEMENTS                                        \
    (2 * NGX_HTTP_TOURNAMENT_ENDPOINTS + 1)


#endif /* _NGX_HTTP_TOURNAMENT_ENDPOINT_H_INCLUDED_ */
