
/*
 * Rendered answers, and a worker's memo of them.  A body is counted by
 * reference: the memo holds one, and each request that is sending it, since a
 * slow client may still be at it when the memo has a newer one.
 *
 * A body lives for the second that it was rendered for.  The memo is bounded
 * in entries and bytes and takes no lock: whether a body is still valid is
 * asked of the zone's stripes.
 */

#ifndef _NGX_HTTP_TOURNAMENT_BODY_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_tournament_cache.h"
#include "ngx_http_tournament_key.h"


typedef struct ngx_http_tournament_memo_s  ngx_http_tournament_memo_t;


typedef struct {
    ngx_uint_t                     refs;

    ngx_str_t                      text;
    ngx_str_t                      etag;
    ngx_str_t                      part;      /* of the text: the marked one */

    /* what the memo asks before it gives the body away */

    time_t                         second;    /* rendered for it */
    ngx_msec_t                     fetched;   /* as the entry's */
    uint64_t                       clock;
    uint32_t                      *stripes;
    ngx_uint_t                     nstripes;

    /* the memo's */

    ngx_queue_t                    queue;
    size_t                         size;      /* of the allocation, bytes */
    uint32_t                       hash;
    uint32_t                       slot;
    size_t                         key_len;
    u_char                        *key;
} ngx_http_tournament_body_t;


/*
 * Copies a text, its ETag and what the memo needs of its entry and key into
 * one allocation; for a body that the memo will not get they may be NULL.  The
 * caller holds the only reference.  NULL: no memory.
 */

ngx_http_tournament_body_t *ngx_http_tournament_body_create(
    ngx_http_tournament_key_t *key, ngx_http_tournament_entry_t *entry,
    time_t second, ngx_str_t *text, ngx_str_t *etag);


/* Gives a reference back; the last one frees the body. */

void ngx_http_tournament_body_release(ngx_http_tournament_body_t *body);


/* Memory is taken from pool; bodies are not.  NULL: no memory. */

ngx_http_tournament_memo_t *ngx_http_tournament_memo_create(ngx_pool_t *pool,
    ngx_http_tournament_cache_t *cache);


/*
 * The body of a key for this second, from facts that are not known to have
 * changed and were fetched less than ttl ms ago; the caller then holds a
 * reference.  NULL: none.
 */

ngx_http_tournament_body_t *ngx_http_tournament_memo_get(
    ngx_http_tournament_memo_t *memo, ngx_http_tournament_key_t *key,
    ngx_msec_t ttl);


/* Keeps a body, with a reference of its own, in the place of an older one. */

void ngx_http_tournament_memo_put(ngx_http_tournament_memo_t *memo,
    ngx_http_tournament_body_t *body);


/* Gives all bodies back. */

void ngx_http_tournament_memo_destroy(ngx_http_tournament_memo_t *memo);


#endif /* _NGX_HTTP_TOURNAMENT_BODY_H_INCLUDED_ */
