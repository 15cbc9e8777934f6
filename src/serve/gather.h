
/*
 * The parts of an answer: entries of the zone, or results of the database.  A
 * request gathers all of its parts, now or later, and is then answered.
 */

#ifndef _TOURNAMENT_GATHER_H_INCLUDED_
#define _TOURNAMENT_GATHER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/fetch.h"
#include "serve/memo.h"
#include "zone/entry.h"
#include "zone/key.h"


typedef struct tournament_ctx_s  tournament_ctx_t;


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


/* see gather.c for what leads from one to another */

typedef enum {
    TOURNAMENT_PART_NEW = 0,     /* to be looked up */
    TOURNAMENT_PART_WAITING,     /* for the database */
    TOURNAMENT_PART_READY,       /* its body or its entry is there */
    TOURNAMENT_PART_FAILED
} tournament_part_state_e;


typedef struct {

    /* set by whoever makes it, in the request's pool, zeroed */

    tournament_endpoint_t     *endpoint;
    tournament_key_t           key;
    tournament_waiter_t        waiter;      /* its member cache */

    tournament_part_state_e    state;
    tournament_body_t         *body;        /* the memo's, or NULL */
    tournament_entry_t         entry;

    unsigned                   fallback:1;  /* the entry may be shown if the
                                               database fails */
    unsigned                   transient:1; /* the entry is not for the memo */
} tournament_part_t;


/* answers when all parts are there: a value for finalize_request() */

typedef ngx_int_t (*tournament_answer_pt)(ngx_http_request_t *r,
    tournament_ctx_t *ctx);


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


/* Copies a key to a part.  NGX_OK or NGX_ERROR: no memory. */

ngx_int_t tournament_part_key(ngx_http_request_t *r, tournament_part_t *part,
    tournament_key_t *key);


/*
 * The part has its body, with a reference of the caller's that is the part's
 * from now on; NULL: it has none, and is to be looked up.
 */

void tournament_part_body(tournament_part_t *part, tournament_body_t *body);


/*
 * Looks each part up that is NEW, fetches what is not fresh, and calls
 * ctx->answer when all are READY, now or later.  Without a body a part has its
 * key set.  Returns a value for a handler to return.
 */

ngx_int_t tournament_gather(ngx_http_request_t *r, tournament_ctx_t *ctx);


/*
 * How long an entry of that endpoint holds here, ms: a user's a short time
 * while nothing is heard of changes.
 */

ngx_msec_t tournament_gather_ttl(ngx_http_request_t *r,
    tournament_endpoint_t *endpoint, ngx_uint_t missing);


/* Stops waiting for whatever is to come. */

void tournament_gather_leave(tournament_ctx_t *ctx);


#endif /* _TOURNAMENT_GATHER_H_INCLUDED_ */
