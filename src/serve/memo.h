
/*
 * Rendered answers, and a worker's memo of them.  A body is counted by
 * reference: the memo holds one, and each request that is sending it, since a
 * slow client may still be at it when the memo has a newer one.
 *
 * A body lives for the second that it was rendered for.  The memo is bounded
 * in entries and bytes and takes no lock: whether a body is still valid is
 * asked of the zone's stripes.
 */

#ifndef _TOURNAMENT_MEMO_H_INCLUDED_
#define _TOURNAMENT_MEMO_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"
#include "zone/key.h"


typedef struct tournament_memo_s  tournament_memo_t;


/*
 * What a body was made for.  A user's, or one that only staff may see, is
 * found under the same user and staff, and never without.
 */

typedef struct {
    tournament_key_t               key;
    int64_t                        user;      /* account id; 0: everybody */
    ngx_uint_t                     staff;
} tournament_name_t;


/* the entries that it was made of: the endpoint's own, and the viewer's */

#define TOURNAMENT_BODY_ENTRIES  2

typedef struct {
    ngx_msec_t                     fetched;   /* as the entry's */
    uint64_t                       clock;
    ngx_uint_t                     nstripes;
    uint32_t                      *stripes;
} tournament_origin_t;


/* what a hit asks for comes first, and stands together */

typedef struct {
    ngx_uint_t                     refs;

    uint32_t                       hash;      /* of the name */
    uint32_t                       slot;      /* in the memo */
    tournament_name_t              name;

    time_t                         second;    /* rendered for it */
    ngx_uint_t                     norigins;
    tournament_origin_t            origins[TOURNAMENT_BODY_ENTRIES];

    ngx_str_t                      part;      /* of the text: the marked one */
    uint64_t                       sum;       /* for an answer of many; 0: not
                                                 known yet */
    uint64_t                       id;        /* of the document but for what
                                                 moves; 0: not known */
    int64_t                        until;     /* it says the same, Unix time,
                                                 s; 0: no end */
    ngx_str_t                      etag;
    ngx_str_t                      text;

    ngx_queue_t                    queue;     /* the memo's */
    size_t                         size;      /* of the allocation, bytes */
} tournament_body_t;


/*
 * Copies a text, its ETag and what the memo needs of name and entries into one
 * allocation.  entries is TOURNAMENT_BODY_ENTRIES of them, of which the second
 * may be NULL; for a body that the memo will not get, it and name are NULL.
 * Where the text's data is NULL there is room for its len bytes, and the caller
 * writes them.  The caller holds the only reference.  NULL: no memory.
 */

tournament_body_t *tournament_body_create(tournament_name_t *name,
    tournament_entry_t **entries, time_t second, ngx_str_t *text,
    ngx_str_t *etag);


/* Gives a reference back; the last one frees the body. */

void tournament_body_release(tournament_body_t *body);


/* Memory is taken from pool; bodies are not.  NULL: no memory. */

tournament_memo_t *tournament_memo_create(ngx_pool_t *pool,
    tournament_zone_t *zone);


/*
 * The body of that name for this second, from facts that are not known to have
 * changed and were fetched less than ttls[i] ms ago, i of the entry.  The
 * caller then holds a reference.  NULL: none.
 */

tournament_body_t *tournament_memo_get(tournament_memo_t *memo,
    tournament_name_t *name, ngx_msec_t *ttls);


/* The same for everybody's body, with the hash of its key. */

tournament_body_t *tournament_memo_find(tournament_memo_t *memo,
    tournament_key_t *key, uint32_t hash, ngx_msec_t ttl);


/* Differs from worker to worker: who sends keys cannot choose it. */

uint32_t tournament_memo_hash(tournament_memo_t *memo, u_char *key,
    size_t len);


/*
 * Keeps a body, which has a name and entries, with a reference of its own, in
 * the place of an older one; a user's may find no place.
 */

void tournament_memo_put(tournament_memo_t *memo, tournament_body_t *body);


/* Gives all bodies back. */

void tournament_memo_destroy(tournament_memo_t *memo);


#endif /* _TOURNAMENT_MEMO_H_INCLUDED_ */
