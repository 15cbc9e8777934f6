
/*
 * What this module knows of a request while it lasts, and how it is counted.
 */

#ifndef _TOURNAMENT_CONTEXT_H_INCLUDED_
#define _TOURNAMENT_CONTEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/conf.h"
#include "serve/fetch.h"
#include "serve/memo.h"
#include "zone/entry.h"
#include "zone/key.h"


typedef struct tournament_ctx_s   tournament_ctx_t;
typedef struct tournament_post_s  tournament_post_t;


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


/* the request is over: nothing is to come any more */

typedef void (*tournament_leave_pt)(tournament_ctx_t *ctx);


/* what is watched: a document, by the entries that it is made of */

typedef struct {
    tournament_loc_conf_t       *tlcf;
    tournament_endpoint_t       *endpoint;
    int64_t                      user;      /* account id; 0: everybody */
    ngx_uint_t                   staff;
    ngx_uint_t                   nkeys;     /* 1; with the viewer's 2 */
    tournament_key_t             keys[TOURNAMENT_BODY_ENTRIES];
} tournament_subject_t;


/* of one request; lives in a cleanup of its pool */

struct tournament_ctx_s {
    ngx_http_request_t          *request;
    tournament_body_t           *body;      /* being sent */

    tournament_post_t           *post;      /* its body, as it is read */

    tournament_part_t           *parts;
    ngx_uint_t                   nparts;
    ngx_uint_t                   waiting;   /* parts to come */
    tournament_answer_pt         answer;
    tournament_leave_pt          leave;     /* stops waiting; NULL: it
                                                never waited */
    void                        *data;      /* the endpoint's own */

    tournament_endpoint_t       *endpoint;
    int64_t                      user;
    ngx_uint_t                   staff;
    tournament_subject_t        *subject;   /* to be watched; NULL: it is
                                                answered once */

    tournament_cache_status_e    status;
    ngx_msec_t                   query_time; /* ms */
    ngx_msec_t                   age;        /* ms; of what is
                                                stale */
    uint64_t                     waits;      /* us; when it began to
                                                wait; 0: it did not */
    tournament_part_t           *waited;     /* the last to come */
    unsigned                     queried:1;
    unsigned                     counted:1;
    unsigned                     patient:1; /* it has waited for a
                                                change */
};


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


#endif /* _TOURNAMENT_CONTEXT_H_INCLUDED_ */
