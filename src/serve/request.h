
/*
 * The way of a request: its key, the worker's memo, the zone, the database,
 * the answer.
 */

#ifndef _NGX_HTTP_TOURNAMENT_REQUEST_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tournament.h"


/*
 * From the best; of several parts the worst one names an answer's: that
 * something in it may be old is said whatever was queried for the rest.
 */

typedef enum {
    NGX_HTTP_TOURNAMENT_NONE = 0,
    NGX_HTTP_TOURNAMENT_HIT,
    NGX_HTTP_TOURNAMENT_EXPIRED,
    NGX_HTTP_TOURNAMENT_MISS,
    NGX_HTTP_TOURNAMENT_BYPASS,
    NGX_HTTP_TOURNAMENT_UPDATING,
    NGX_HTTP_TOURNAMENT_STALE
} ngx_http_tournament_cache_status_e;


/* one entry that an answer is made of */

typedef struct {
    ngx_uint_t                           endpoint;   /* its index */
    ngx_http_tournament_key_t            key;
    ngx_http_tournament_entry_t          entry;      /* when it has arrived */
    ngx_http_tournament_body_t          *body;       /* the memo's, or NULL */
    ngx_http_tournament_waiter_t         waiter;
    unsigned                             arrived:1;
    unsigned                             stale:1;    /* the entry will do if
                                                        the database fails */
} ngx_http_tournament_part_t;


typedef struct ngx_http_tournament_ctx_s  ngx_http_tournament_ctx_t;


/* answers when all parts are there: a value for finalize_request() */

typedef ngx_int_t (*ngx_http_tournament_answer_pt)(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);


/* of one request; lives in a cleanup of its pool */

struct ngx_http_tournament_ctx_s {
    ngx_http_request_t                   *request;
    ngx_http_tournament_body_t           *body;      /* being sent */

    ngx_http_tournament_part_t           *parts;
    ngx_uint_t                            nparts;
    ngx_uint_t                            waiting;   /* parts to come */
    ngx_http_tournament_answer_pt         answer;
    void                                 *data;      /* the endpoint's own */

    ngx_uint_t                            endpoint;   /* its index */
    int64_t                               user;
    ngx_uint_t                            staff;

    ngx_http_tournament_cache_status_e    status;
    ngx_msec_t                            query_time; /* ms */
    ngx_msec_t                            age;        /* ms; of what is
                                                         stale */
    uint64_t                              waits;      /* us; when it began to
                                                         wait; 0: it did not */
    ngx_http_tournament_part_t           *waited;     /* the last to come */
    unsigned                              queried:1;
    unsigned                              failed:1;   /* an error is sent */
    unsigned                              counted:1;
};


/*
 * The age, ms, at which an entry in use is refreshed, before its TTL (ms) ends:
 * an eighth of it, two seconds at most.  Until then the memo may answer without
 * a look at the zone.
 */

static ngx_inline ngx_msec_t
ngx_http_tournament_settled(ngx_msec_t ttl)
{
    return ttl - ngx_min(ttl / 8, 2000);
}


/* the content handler of a location with "tournament" */

ngx_int_t ngx_http_tournament_handler(ngx_http_request_t *r);


/* Makes a request's context.  NULL: no memory. */

ngx_http_tournament_ctx_t *ngx_http_tournament_create_ctx(
    ngx_http_request_t *r);


/*
 * The context also where an internal redirect, by error_page say, has cleared
 * the module's.  NULL: the request did not come to this module.
 */

ngx_http_tournament_ctx_t *ngx_http_tournament_get_ctx(ngx_http_request_t *r);


/* Copies a key to a part.  NGX_OK or NGX_ERROR: no memory. */

ngx_int_t ngx_http_tournament_part_key(ngx_http_request_t *r,
    ngx_http_tournament_part_t *part, ngx_http_tournament_key_t *key);


/*
 * Looks each part up that has neither body nor entry, fetches what is not
 * fresh, and calls ctx->answer when all is there, now or later.  Parts live in
 * the request's pool, with endpoint, waiter.cache and, without a body, key
 * set.  Returns a value for a handler to return.
 */

ngx_int_t ngx_http_tournament_gather(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);


/*
 * Counts a request, as what ctx->status says, and as an error where failed is
 * set: once, just before its answer is sent, so that who has the answer finds
 * it counted.  What never had an answer is counted as its pool is destroyed.
 */

void ngx_http_tournament_count(ngx_http_request_t *r, ngx_uint_t failed);


/* The value of a directive's variables.  NGX_OK or NGX_ERROR. */

ngx_int_t ngx_http_tournament_value(ngx_http_request_t *r,
    ngx_http_tournament_value_t *tv, ngx_str_t *value);


/*
 * The public body of an entry for this second: from the memo, or rendered and
 * kept there; without a key just rendered.  The caller gets a reference.
 * NULL: no memory.
 */

ngx_http_tournament_body_t *ngx_http_tournament_render(ngx_http_request_t *r,
    ngx_uint_t endpoint, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry);


/*
 * Sends ctx->body as a public answer.  Returns a value for a handler to
 * return.
 */

ngx_int_t ngx_http_tournament_send(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);


#endif /* _NGX_HTTP_TOURNAMENT_REQUEST_H_INCLUDED_ */
