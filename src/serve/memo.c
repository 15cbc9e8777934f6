
#include "serve/memo.h"


/*
 * Sets of a few places each: a key that meets others in its set costs a
 * rendering and never a long search, whoever chose the keys.
 */

#define TOURNAMENT_MEMO_SETS   2048
#define TOURNAMENT_MEMO_WAYS   4

#define TOURNAMENT_MEMO_BYTES  (16 * 1024 * 1024)


struct tournament_memo_s {
    tournament_zone_t   *zone;
    ngx_queue_t           queue;     /* newest first */
    size_t                size;      /* bytes held */
    uint64_t              seed;
    tournament_body_t    *bodies[TOURNAMENT_MEMO_SETS * TOURNAMENT_MEMO_WAYS];
};


static ngx_uint_t tournament_body_is(tournament_body_t *body, uint32_t hash,
    u_char *key, size_t len);
static void tournament_memo_remove(tournament_memo_t *memo,
    tournament_body_t *body);


tournament_body_t *
tournament_body_create(tournament_key_t *key, tournament_entry_t *entry,
    time_t second, ngx_str_t *text, ngx_str_t *etag)
{
    u_char             *p;
    size_t              size, key_len;
    ngx_uint_t          nstripes;
    tournament_body_t  *body;

    nstripes = entry ? entry->nstripes : 0;
    key_len = key ? key->len : 0;

    size = sizeof(tournament_body_t) + nstripes * sizeof(uint32_t)
           + key_len + text->len + etag->len;

    body = ngx_alloc(size, ngx_cycle->log);
    if (body == NULL) {
        return NULL;
    }

    p = (u_char *) body + sizeof(tournament_body_t);

    body->refs = 1;
    body->size = size;
    body->second = second;

    if (entry) {
        body->fetched = entry->fetched;
        body->clock = entry->clock;
        body->nstripes = nstripes;
        body->stripes = (uint32_t *) p;
        p = ngx_cpymem(p, entry->stripes, nstripes * sizeof(uint32_t));
    }

    if (key) {
        body->key_len = key_len;
        body->key = p;
        p = ngx_cpymem(p, key->data, key_len);
    }

    body->etag.len = etag->len;
    body->etag.data = p;
    p = ngx_cpymem(p, etag->data, etag->len);

    body->text.len = text->len;
    body->text.data = p;

    if (text->data) {
        ngx_memcpy(p, text->data, text->len);
    }

    ngx_str_null(&body->part);
    body->sum = 0;

    return body;
}


void
tournament_body_release(tournament_body_t *body)
{
    if (--body->refs == 0) {
        ngx_free(body);
    }
}


tournament_memo_t *
tournament_memo_create(ngx_pool_t *pool, tournament_zone_t *zone)
{
    tournament_memo_t  *memo;

    memo = ngx_pcalloc(pool, sizeof(tournament_memo_t));
    if (memo == NULL) {
        return NULL;
    }

    memo->zone = zone;
    memo->seed = ((uint64_t) ngx_random() << 32) ^ ngx_random();

    ngx_queue_init(&memo->queue);

    return memo;
}


tournament_body_t *
tournament_memo_get(tournament_memo_t *memo, tournament_key_t *key,
    ngx_msec_t ttl)
{
    return tournament_memo_find(memo, key,
                   tournament_memo_hash(memo, key->data, key->len),
                                ttl);
}


tournament_body_t *
tournament_memo_find(tournament_memo_t *memo, tournament_key_t *key,
    uint32_t hash, ngx_msec_t ttl)
{
    ngx_uint_t           i;
    tournament_body_t   *body, **set;

    set = &memo->bodies[hash % TOURNAMENT_MEMO_SETS * TOURNAMENT_MEMO_WAYS];

    for (i = 0; i < TOURNAMENT_MEMO_WAYS; i++) {
        body = set[i];

        if (body == NULL
            || !tournament_body_is(body, hash, key->data, key->len))
        {
            continue;
        }

        if (body->second != ngx_time()
            || tournament_elapsed(body->fetched) >= ttl
            || tournament_clock_walked(memo->zone->clock, body->clock)
            || !tournament_clock_fresh(memo->zone->clock, body->clock,
                                       body->stripes,
                                       body->nstripes))
        {
            return NULL;
        }

        body->refs++;

        return body;
    }

    return NULL;
}


void
tournament_memo_put(tournament_memo_t *memo, tournament_body_t *body)
{
    uint32_t             set, slot;
    ngx_uint_t           i;
    ngx_queue_t         *q;
    tournament_body_t   *old;

    body->hash = tournament_memo_hash(memo, body->key, body->key_len);

    set = body->hash % TOURNAMENT_MEMO_SETS
          * TOURNAMENT_MEMO_WAYS;

    /* its own place, else a free one, else that of the oldest second */

    slot = set;

    for (i = 0; i < TOURNAMENT_MEMO_WAYS; i++) {
        old = memo->bodies[set + i];

        if (old
            && tournament_body_is(old, body->hash, body->key,
                                  body->key_len))
        {
            slot = set + i;
            break;
        }

        if (memo->bodies[slot]
            && (old == NULL || old->second < memo->bodies[slot]->second))
        {
            slot = set + i;
        }
    }

    if (memo->bodies[slot]) {
        tournament_memo_remove(memo, memo->bodies[slot]);
    }

    body->slot = slot;
    body->refs++;

    memo->bodies[slot] = body;
    memo->size += body->size;
    ngx_queue_insert_head(&memo->queue, &body->queue);

    while (memo->size > TOURNAMENT_MEMO_BYTES) {
        q = ngx_queue_last(&memo->queue);

        tournament_memo_remove(memo,
                               ngx_queue_data(q, tournament_body_t, queue));
    }
}


void
tournament_memo_destroy(tournament_memo_t *memo)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&memo->queue)) {
        q = ngx_queue_head(&memo->queue);

        tournament_memo_remove(memo,
                               ngx_queue_data(q, tournament_body_t, queue));
    }
}


static void
tournament_memo_remove(tournament_memo_t *memo, tournament_body_t *body)
{
    memo->bodies[body->slot] = NULL;
    memo->size -= body->size;
    ngx_queue_remove(&body->queue);

    tournament_body_release(body);
}


/* eight bytes at a time, a multiplication each: keys are short */

uint32_t
tournament_memo_hash(tournament_memo_t *memo, u_char *key, size_t len)
{
    uint64_t  h, n;

    h = memo->seed ^ len;

    while (len >= sizeof(uint64_t)) {
        ngx_memcpy(&n, key, sizeof(uint64_t));

        h = (h ^ n) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;

        key += sizeof(uint64_t);
        len -= sizeof(uint64_t);
    }

    if (len) {
        n = 0;

        while (len) {
            n = n << 8 | key[--len];
        }

        h = (h ^ n) * 0x9e3779b97f4a7c15ULL;
    }

    return (uint32_t) (h >> 32);
}


static ngx_uint_t
tournament_body_is(tournament_body_t *body, uint32_t hash, u_char *key,
    size_t len)
{
    return body->hash == hash && body->key_len == len
           && ngx_memcmp(body->key, key, len) == 0;
}
