
/*
 * A name is found by its hash, in one set of a few places, and is then compared
 * in full: key, user and staff.
 */

#include "serve/memo.h"


/*
 * Sets of a few places each: a key that meets others in its set costs a
 * rendering and never a long search, whoever chose the keys.
 */

#define TOURNAMENT_MEMO_SETS   2048
#define TOURNAMENT_MEMO_WAYS   4

#define TOURNAMENT_MEMO_BYTES  (16 * 1024 * 1024)


struct tournament_memo_s {
    tournament_zone_t    *zone;
    ngx_queue_t           queue;     /* newest first */
    size_t                size;      /* bytes held */
    uint64_t              seed;
    tournament_body_t    *bodies[TOURNAMENT_MEMO_SETS * TOURNAMENT_MEMO_WAYS];
};


static u_char *tournament_body_origin(tournament_origin_t *origin,
    tournament_entry_t *entry, u_char *p);
static ngx_uint_t tournament_body_is(tournament_body_t *body, uint32_t hash,
    tournament_name_t *name);
static uint64_t tournament_body_worth(tournament_body_t *body);
static tournament_body_t *tournament_memo_look_up(tournament_memo_t *memo,
    tournament_name_t *name, uint32_t hash, ngx_msec_t *ttls);
static uint32_t tournament_memo_name_hash(tournament_memo_t *memo,
    tournament_name_t *name);
static void tournament_memo_remove(tournament_memo_t *memo,
    tournament_body_t *body);


tournament_body_t *
tournament_body_create(tournament_name_t *name, tournament_entry_t **entries,
    time_t second, ngx_str_t *text, ngx_str_t *etag)
{
    u_char             *p;
    size_t              size;
    ngx_uint_t          i, n;
    tournament_body_t  *body;

    size = sizeof(tournament_body_t) + (name ? name->key.len : 0) + text->len
           + etag->len;

    n = 0;

    while (entries && n < TOURNAMENT_BODY_ENTRIES && entries[n]) {
        size += entries[n++]->nstripes * sizeof(uint32_t);
    }

    body = ngx_alloc(size, ngx_cycle->log);
    if (body == NULL) {
        return NULL;
    }

    p = (u_char *) body + sizeof(tournament_body_t);

    body->refs = 1;
    body->size = size;
    body->second = second;
    body->norigins = n;

    for (i = 0; i < n; i++) {
        p = tournament_body_origin(&body->origins[i], entries[i], p);
    }

    if (name) {
        body->name = *name;
        body->name.key.data = p;
        p = ngx_cpymem(p, name->key.data, name->key.len);
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
    body->id = 0;
    body->until = 0;

    return body;
}


/* the entry's stripes are copied to p; the place behind them */

static u_char *
tournament_body_origin(tournament_origin_t *origin, tournament_entry_t *entry,
    u_char *p)
{
    origin->fetched = entry->fetched;
    origin->clock = entry->clock;
    origin->nstripes = entry->nstripes;
    origin->stripes = (uint32_t *) p;

    return ngx_cpymem(p, entry->stripes, entry->nstripes * sizeof(uint32_t));
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
tournament_memo_get(tournament_memo_t *memo, tournament_name_t *name,
    ngx_msec_t *ttls)
{
    return tournament_memo_look_up(memo, name,
                                   tournament_memo_name_hash(memo, name),
                                   ttls);
}


tournament_body_t *
tournament_memo_find(tournament_memo_t *memo, tournament_key_t *key,
    uint32_t hash, ngx_msec_t ttl)
{
    tournament_name_t  name;

    name.key = *key;
    name.user = 0;
    name.staff = 0;

    return tournament_memo_look_up(memo, &name, hash, &ttl);
}


static tournament_body_t *
tournament_memo_look_up(tournament_memo_t *memo, tournament_name_t *name,
    uint32_t hash, ngx_msec_t *ttls)
{
    ngx_uint_t            i, n;
    tournament_body_t    *body, **set;
    tournament_origin_t  *origin;

    set = &memo->bodies[hash % TOURNAMENT_MEMO_SETS * TOURNAMENT_MEMO_WAYS];

    for (i = 0; i < TOURNAMENT_MEMO_WAYS; i++) {
        body = set[i];

        if (body == NULL || !tournament_body_is(body, hash, name)) {
            continue;
        }

        if (body->second != ngx_time()) {
            return NULL;
        }

        for (n = 0; n < body->norigins; n++) {
            origin = &body->origins[n];

            if (tournament_elapsed(origin->fetched) >= ttls[n]
                || tournament_clock_walked(memo->zone->clock, origin->clock)
                || !tournament_clock_fresh(memo->zone->clock, origin->clock,
                                           origin->stripes, origin->nstripes))
            {
                return NULL;
            }
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

    body->hash = tournament_memo_name_hash(memo, &body->name);

    set = body->hash % TOURNAMENT_MEMO_SETS * TOURNAMENT_MEMO_WAYS;

    /* its own place, else a free one, else that of the least worth */

    slot = set;

    for (i = 0; i < TOURNAMENT_MEMO_WAYS; i++) {
        old = memo->bodies[set + i];

        if (old && tournament_body_is(old, body->hash, &body->name)) {
            slot = set + i;
            break;
        }

        if (memo->bodies[slot]
            && (old == NULL
                || tournament_body_worth(old)
                   < tournament_body_worth(memo->bodies[slot])))
        {
            slot = set + i;
        }
    }

    old = memo->bodies[slot];

    if (old) {

        if (tournament_body_worth(old) > tournament_body_worth(body)) {
            return;
        }

        tournament_memo_remove(memo, old);
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


/* the key's own hash where it is everybody's */

static uint32_t
tournament_memo_name_hash(tournament_memo_t *memo, tournament_name_t *name)
{
    uint64_t  viewer;

    viewer = ((uint64_t) name->user << 1 | name->staff)
             * 0x9e3779b97f4a7c15ULL;

    return tournament_memo_hash(memo, name->key.data, name->key.len)
           ^ (uint32_t) (viewer >> 32);
}


static ngx_uint_t
tournament_body_is(tournament_body_t *body, uint32_t hash,
    tournament_name_t *name)
{
    return body->hash == hash
           && body->name.user == name->user
           && body->name.staff == name->staff
           && body->name.key.len == name->key.len
           && ngx_memcmp(body->name.key.data, name->key.data, name->key.len)
              == 0;
}


/*
 * What is given up first, the lowest, of bodies that meet: an older second's,
 * and of the same one a user's before everybody's.
 */

static uint64_t
tournament_body_worth(tournament_body_t *body)
{
    return (uint64_t) body->second << 1
           | (body->name.user == 0 && body->name.staff == 0);
}
