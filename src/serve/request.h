
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


/*
 * From the best; of several parts the worst one names an answer's: that
 * something in it may be old is said whatever was queried for the rest.
 */

typedef enum {
    TOURNAMENT_NONE = 0,
    TOURNAMENT_HIT,
    TOURNAMENT_EXPIRED,
    TOURNAMENT_MISS,
    TOURNAMENT_BYPASS,
    TOURNAMENT_UPDATING,
    TOURNAMENT_STALE
} tournament_cache_status_e;


/* one entry that an answer is made of */

typedef struct {
    ngx_uint_t                  endpoint;   /* its index */
    tournament_key_t            key;
    tournament_entry_t          entry;      /* when it has arrived */
    tournament_body_t          *body;       /* the memo's, or NULL */
    tournament_waiter_t         waiter;
    unsigned                    arrived:1;
    unsigned                    stale:1;    /* the entry will do if
                                               the database fails */
} tournament_part_t;


typedef struct tournament_ctx_s  tournament_ctx_t;


/* answers when all parts are there: a value for finalize_request() */

typedef ngx_int_t (*tournament_answer_pt)(ngx_http_request_t *r,
    tournament_ctx_t *ctx);


/* of one request; lives in a cleanup of its pool */

struct tournament_ctx_s {
    ngx_http_request_t          *request;
    tournament_body_t           *body;      /* being sent */

    tournament_part_t           *parts;
    ngx_uint_t                   nparts;
    ngx_uint_t                   waiting;   /* parts to come */
    tournament_answer_pt         answer;
    void                        *data;      /* the endpoint's own */

    ngx_uint_t                   endpoint;   /* its index */
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
    unsigned                     failed:1;   /* an error is sent */
    unsigned                     counted:1;
};


/*
 * The age, ms, at which an entry in use is refreshed, before its TTL (ms) ends:
 * an eighth of it, two seconds at most.  Until then the memo may answer without
 * a look at the zone.
 */

static ngx_inline ngx_msec_t
tournament_settled(ngx_msec_t ttl)
{
    return ttl - ngx_min(ttl / 8, 2000);
}


/* the content handler of a location with "tournament" */

ngx_int_t tournament_handler(ngx_http_request_t *r);


/* Makes a request's context.  NULL: no memory. */

tournament_ctx_t *tournament_create_ctx(ngx_http_request_t *r);


/*
 * The context also where an internal redirect, by error_page say, has cleared
 * the module's.  NULL: the request did not come to this module.
 */

tournament_ctx_t *tournament_get_ctx(ngx_http_request_t *r);


/* Copies a key to a part.  NGX_OK or NGX_ERROR: no memory. */

ngx_int_t tournament_part_key(ngx_http_request_t *r, tournament_part_t *part,
    tournament_key_t *key);


/*
 * Looks each part up that has neither body nor entry, fetches what is not
 * fresh, and calls ctx->answer when all is there, now or later.  Parts live in
 * the request's pool, with endpoint, waiter.cache and, without a body, key
 * set.  Returns a value for a handler to return.
 */

ngx_int_t tournament_gather(ngx_http_request_t *r, tournament_ctx_t *ctx);


/*
 * Counts a request, as what ctx->status says, and as an error where failed is
 * set: once, just before its answer is sent, so that who has the answer finds
 * it counted.  What never had an answer is counted as its pool is destroyed.
 */

void tournament_count(ngx_http_request_t *r, ngx_uint_t failed);


/* The value of a directive's variables.  NGX_OK or NGX_ERROR. */

ngx_int_t tournament_value(ngx_http_request_t *r, tournament_value_t *tv,
    ngx_str_t *value);


/*
 * The public body of an entry for this second: from the memo, or rendered and
 * kept there; without a key just rendered.  The caller gets a reference.
 * NULL: no memory.
 */

tournament_body_t *tournament_render(ngx_http_request_t *r,
    ngx_uint_t endpoint, tournament_key_t *key, tournament_entry_t *entry);


/*
 * Sends ctx->body as a public answer.  Returns a value for a handler to
 * return.
 */

ngx_int_t tournament_send(ngx_http_request_t *r, tournament_ctx_t *ctx);


#endif /* _TOURNAMENT_REQUEST_H_INCLUDED_ */
