
/*
 * The table of endpoints.  A new one is a row here, a function in SQL, a
 * decoder and a renderer; its name is at once a value of "tournament" and of
 * "tournament_ttl".
 */

#ifndef _TOURNAMENT_ENDPOINT_H_INCLUDED_
#define _TOURNAMENT_ENDPOINT_H_INCLUDED_


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
    TOURNAMENT_NO_ARGUMENT = 0,
    TOURNAMENT_MAY_ARGUMENT,
    TOURNAMENT_MUST_ARGUMENT
} tournament_argument_e;


/* whose an answer is */

typedef enum {
    TOURNAMENT_PUBLIC = 0,    /* the same for everybody */
    TOURNAMENT_PERSONAL,      /* its key has the user */
    TOURNAMENT_VIEWED,        /* a second entry is the user's, the
                                 registration_context */
    TOURNAMENT_GUARDED        /* the same, for those who may see it */
} tournament_audience_e;


typedef struct {
    ngx_str_t                   name;
    ngx_uint_t                  number;    /* in keys; never another
                                              endpoint's, up to 255 */
    tournament_argument_e       argument;
    tournament_audience_e       audience;
    ngx_msec_t                  ttl;       /* defaults, ms */
    ngx_msec_t                  coalesce;

    /* ($1) alone and, where entries can be fetched together, ($1[]) */

    tournament_pg_statement_t   statement;
    tournament_pg_statement_t   bulk;
    const Oid                  *columns;   /* of their results */
    ngx_uint_t                  ncolumns;
    int                         bulk_column;  /* says whose a row
                                                 is */

    tournament_error_t       *(*arguments)(ngx_http_request_t *r,
                                           tournament_input_t *in,
                                           tournament_key_t *key);

    void                      (*decode)(
                                 tournament_result_t *result,
                                 int row, int n);

    /* NULL, or why there is no document; entries may be missing */

    tournament_error_t       *(*check)(tournament_view_t *view);

    void                      (*render)(
                                 tournament_json_t *json,
                                 tournament_view_t *view);

    /* instead of all that follows the method: an endpoint of its own kind */

    ngx_int_t                 (*handler)(ngx_http_request_t *r);
} tournament_endpoint_t;


typedef enum {
    TOURNAMENT_STATE = 0,
    TOURNAMENT_STATES,
    TOURNAMENT_HUB,
    TOURNAMENT_DETAIL,
    TOURNAMENT_PARTICIPANTS,
    TOURNAMENT_COUNT,
    TOURNAMENT_CONTEXT,
    TOURNAMENT_REGISTRATIONS,
    TOURNAMENT_STATS,
    TOURNAMENT_PURGE,
    TOURNAMENT_STATUS,
    TOURNAMENT_METRICS,
    TOURNAMENT_ENDPOINTS
} tournament_endpoint_e;


extern tournament_endpoint_t
    tournament_endpoints[TOURNAMENT_ENDPOINTS];


/* the TTL of 404s stands behind those of the endpoints */

#define TOURNAMENT_TTL_MISSING  TOURNAMENT_ENDPOINTS
#define TOURNAMENT_TTLS         (TOURNAMENT_ENDPOINTS + 1)

#define TOURNAMENT_MISSING_TTL  5000


/* The index of a name in the table, or NGX_ERROR. */

ngx_int_t tournament_endpoint_find(ngx_str_t *name);


/* The index of the endpoint that has a number in keys, or NGX_ERROR. */

ngx_int_t tournament_endpoint_number(ngx_uint_t number);


/*
 * The statements of the table as the database room wants them, allocated from
 * pool: first those of the endpoints in their order, then their bulk ones.
 * An endpoint's are at its index, and at TOURNAMENT_ENDPOINTS plus
 * it; without one there is NULL.  NULL: no memory.
 */

tournament_pg_statement_t **tournament_endpoint_statements(ngx_pool_t *pool);

/* the one that warms stands behind them all; its columns are state's */

#define TOURNAMENT_STATEMENT_WARM                                             \
    (2 * TOURNAMENT_ENDPOINTS)
#define TOURNAMENT_STATEMENTS                                                 \
    (2 * TOURNAMENT_ENDPOINTS + 1)


#endif /* _TOURNAMENT_ENDPOINT_H_INCLUDED_ */
