
/*
 * The way of a request: its key, the worker's memo, the zone, the database,
 * the answer.
 */

#ifndef _TOURNAMENT_REQUEST_H_INCLUDED_
#define _TOURNAMENT_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "tournament.h"
#include "serve/gather.h"


typedef struct tournament_post_s  tournament_post_t;


/* of one request; lives in a cleanup of its pool */

struct tournament_ctx_s {
    ngx_http_request_t          *request;
    tournament_body_t           *body;      /* being sent */

    tournament_post_t           *post;      /* its body, as it is read */

    tournament_part_t           *parts;
    ngx_uint_t                   nparts;
    ngx_uint_t                   waiting;   /* parts to come */
    tournament_answer_pt         answer;
    void                        *data;      /* the endpoint's own */

    tournament_endpoint_t       *endpoint;
    int64_t                      user;
    ngx_uint_t                   staff;

    tournament_cache_status_e    status;
    ngx_msec_t                   query_time; /* ms */
    ngx_msec_t                   age;        /* ms; of what is
                                                stale */
    uint64_t                     waits;      /* us; when it began to
                                                wait; 0: it did not */
    tournament_part_t           *waited;     /* the last to come */
    unsigned                     queried:1;
    unsigned                     counted:1;
};


/* the content handler of a location with "tournament" */

ngx_int_t tournament_handler(ngx_http_request_t *r);


/* Makes a request's context.  NULL: no memory. */

tournament_ctx_t *tournament_create_ctx(ngx_http_request_t *r);


/*
 * The context also where an internal redirect, by error_page say, has cleared
 * the module's.  NULL: the request did not come to this module.
 */

tournament_ctx_t *tournament_get_ctx(ngx_http_request_t *r);


/*
 * Counts a request by its cache status, ctx->status, and by the class of its
 * HTTP status where that is an error.  It is counted once, just before its
 * answer is sent, so that whoever has the answer finds it counted; a request
 * without an answer is counted as its pool is destroyed.
 */

void tournament_count(ngx_http_request_t *r, ngx_uint_t status);


/* The value of a directive's variables.  NGX_OK or NGX_ERROR. */

ngx_int_t tournament_value(ngx_http_request_t *r, tournament_value_t *tv,
    ngx_str_t *value);


/*
 * The body of a view: from the memo, or rendered and kept there under key and
 * the view's user; without a key just rendered.  The caller gets a reference.
 * NULL: no memory.
 */

tournament_body_t *tournament_render(ngx_http_request_t *r,
    tournament_endpoint_t *endpoint, tournament_key_t *key,
    tournament_view_t *view);


/*
 * Sends ctx->body: as a public answer, or as that of the user in ctx.  Returns
 * a value for a handler to return.
 */

ngx_int_t tournament_send(ngx_http_request_t *r, tournament_ctx_t *ctx);


#endif /* _TOURNAMENT_REQUEST_H_INCLUDED_ */
