
#include "serve/body.h"


/*
 * Sets of a few places each: a key that meets others in its set costs a
 * rendering and never a long search, whoever chose the keys.
 */

#define NGX_HTTP_TOURNAMENT_MEMO_SETS   2048
#define NGX_HTTP_TOURNAMENT_MEMO_WAYS   4

#define NGX_HTTP_TOURNAMENT_MEMO_BYTES  (16 * 1024 * 1024)


struct ngx_http_tournament_memo_s {
    ngx_http_tournament_cache_t   *cache;
    ngx_queue_t                    queue;     /* newest first */
    size_t                         size;      /* bytes held */
    uint64_t                       seed;
    ngx_http_tournament_body_t    *bodies[NGX_HTTP_TOURNAMENT_MEMO_SETS
                                          * NGX_HTTP_TOURNAMENT_MEMO_WAYS];
};


static ngx_uint_t ngx_http_tournament_body_is(ngx_http_tournament_body_t *body,
    uint32_t hash, u_char *key, size_t len);
static void ngx_http_tournament_memo_remove(ngx_http_tournament_memo_t *memo,
    ngx_http_tournament_body_t *body);


ngx_http_tournament_body_t *
ngx_http_tournament_body_create(ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry, time_t second, ngx_str_t *text,
    ngx_str_t *etag)
{
    u_char                      *p;
    size_t                       size, key_len;
    ngx_uint_t                   nstripes;
    ngx_http_tournament_body_t  *body;

    nstripes = entry ? entry->nstripes : 0;
    key_len = key ? key->len : 0;

    size = sizeof(ngx_http_tournament_body_t) + nstripes * sizeof(uint32_t)
           + key_len + text->len + etag->len;

    body = ngx_alloc(size, ngx_cycle->log);
    if (body == NULL) {
        return NULL;
    }

    p = (u_char *) body + sizeof(ngx_http_tournament_body_t);

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
ngx_http_tournament_body_release(ngx_http_tournament_body_t *body)
{
    if (--body->refs == 0) {
        ngx_free(body);
    }
}


ngx_http_tournament_memo_t *
ngx_http_tournament_memo_create(ngx_pool_t *pool,
    ngx_http_tournament_cache_t *cache)
{
    ngx_http_tournament_memo_t  *memo;

    memo = ngx_pcalloc(pool, sizeof(ngx_http_tournament_memo_t));
    if (memo == NULL) {
        return NULL;
    }

    memo->cache = cache;
    memo->seed = ((uint64_t) ngx_random() << 32) ^ ngx_random();

    ngx_queue_init(&memo->queue);

    return memo;
}


ngx_http_tournament_body_t *
ngx_http_tournament_memo_get(ngx_http_tournament_memo_t *memo,
    ngx_http_tournament_key_t *key, ngx_msec_t ttl)
{
    return ngx_http_tournament_memo_find(memo, key,
                   ngx_http_tournament_memo_hash(memo, key->data, key->len),
                   ttl);
}


ngx_http_tournament_body_t *
ngx_http_tournament_memo_find(ngx_http_tournament_memo_t *memo,
    ngx_http_tournament_key_t *key, uint32_t hash, ngx_msec_t ttl)
{
    ngx_uint_t                    i;
    ngx_http_tournament_body_t   *body, **set;

    set = &memo->bodies[hash % NGX_HTTP_TOURNAMENT_MEMO_SETS
                        * NGX_HTTP_TOURNAMENT_MEMO_WAYS];

    for (i = 0; i < NGX_HTTP_TOURNAMENT_MEMO_WAYS; i++) {
        body = set[i];

        if (body == NULL
            || !ngx_http_tournament_body_is(body, hash, key->data, key->len))
        {
            continue;
        }

        if (body->second != ngx_time()
            || ngx_http_tournament_cache_age(body->fetched) >= ttl
            || ngx_http_tournament_cache_walked(memo->cache, body->clock)
            || !ngx_http_tournament_cache_fresh(memo->cache, body->clock,
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
ngx_http_tournament_memo_put(ngx_http_tournament_memo_t *memo,
    ngx_http_tournament_body_t *body)
{
    uint32_t                      set, slot;
    ngx_uint_t                    i;
    ngx_queue_t                  *q;
    ngx_http_tournament_body_t   *old;

    body->hash = ngx_http_tournament_memo_hash(memo, body->key,
                                               body->key_len);

    set = body->hash % NGX_HTTP_TOURNAMENT_MEMO_SETS
          * NGX_HTTP_TOURNAMENT_MEMO_WAYS;

    /* its own place, else a free one, else that of the oldest second */

    slot = set;

    for (i = 0; i < NGX_HTTP_TOURNAMENT_MEMO_WAYS; i++) {
        old = memo->bodies[set + i];

        if (old
            && ngx_http_tournament_body_is(old, body->hash, body->key,
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
        ngx_http_tournament_memo_remove(memo, memo->bodies[slot]);
    }

    body->slot = slot;
    body->refs++;

    memo->bodies[slot] = body;
    memo->size += body->size;
    ngx_queue_insert_head(&memo->queue, &body->queue);

    while (memo->size > NGX_HTTP_TOURNAMENT_MEMO_BYTES) {
        q = ngx_queue_last(&memo->queue);

        ngx_http_tournament_memo_remove(memo,
                      ngx_queue_data(q, ngx_http_tournament_body_t, queue));
    }
}


void
ngx_http_tournament_memo_destroy(ngx_http_tournament_memo_t *memo)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&memo->queue)) {
        q = ngx_queue_head(&memo->queue);

        ngx_http_tournament_memo_remove(memo,
                      ngx_queue_data(q, ngx_http_tournament_body_t, queue));
    }
}


static void
ngx_http_tournament_memo_remove(ngx_http_tournament_memo_t *memo,
    ngx_http_tournament_body_t *body)
{
    memo->bodies[body->slot] = NULL;
    memo->size -= body->size;
    ngx_queue_remove(&body->queue);

    ngx_http_tournament_body_release(body);
}


/* eight bytes at a time, a multiplication each: keys are short */

uint32_t
ngx_http_tournament_memo_hash(ngx_http_tournament_memo_t *memo, u_char *key,
    size_t len)
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
ngx_http_tournament_body_is(ngx_http_tournament_body_t *body, uint32_t hash,
    u_char *key, size_t len)
{
    return body->hash == hash && body->key_len == len
           && ngx_memcmp(body->key, key, len) == 0;
}
