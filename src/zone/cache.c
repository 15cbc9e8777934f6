
#include "zone/cache.h"
#include "rules/hash.h"


#define NGX_HTTP_TOURNAMENT_CELL_SIZE  256
#define NGX_HTTP_TOURNAMENT_NIL        0xffffffff

/* missing things may fill one cell in so many */
#define NGX_HTTP_TOURNAMENT_MISSING_SHARE  16

/* one entry may fill one cell in so many */
#define NGX_HTTP_TOURNAMENT_ENTRY_SHARE    4

/* one stripe for so many cells */
#define NGX_HTTP_TOURNAMENT_STRIPE_SHARE   4

/* stripes of the catalogue; all other things share the rest */
#define NGX_HTTP_TOURNAMENT_STRIPES_FIXED  2

/* places for claims, a power of two, and how many are looked at for one */
#define NGX_HTTP_TOURNAMENT_CLAIMS         1024
#define NGX_HTTP_TOURNAMENT_CLAIM_PLACES   8


/* the cell that an entry's chain starts with */

typedef struct {
    uint32_t              next;         /* of the chain; first, as in a link */
    uint32_t              chain;        /* next entry of the bucket */
    uint32_t              newer;        /* order of use */
    uint32_t              older;

    uint64_t              clock;
    uint64_t              fetched;
    int64_t               valid_until;

    uint32_t              hash;
    uint32_t              len;          /* of the facts */
    uint32_t              cells;        /* in the chain */
    uint32_t              used;         /* ngx_time() of its last move */

    uint16_t              key_len;
    uint16_t              nstripes;
    uint16_t              missing;
    uint16_t              failed;       /* so has a query for a newer one */

    u_char                data[NGX_HTTP_TOURNAMENT_CELL_SIZE - 64];
} ngx_http_tournament_head_t;


typedef struct {
    uint32_t              next;
    u_char                data[NGX_HTTP_TOURNAMENT_CELL_SIZE - 4];
} ngx_http_tournament_link_t;


typedef union {
    uint32_t                    next;
    ngx_http_tournament_head_t  head;
    ngx_http_tournament_link_t  link;
} ngx_http_tournament_cell_t;


typedef struct {
    uint32_t              newest;
    uint32_t              oldest;
    uint32_t              entries;
    uint32_t              cells;
} ngx_http_tournament_list_t;


/* a key that is being fetched */

typedef struct {
    uint64_t              hash;
    uint64_t              until;        /* ms */
    uint64_t              waiting;      /* workers, a bit each */
    ngx_pid_t             pid;          /* 0: free */
} ngx_http_tournament_claim_t;


struct ngx_http_tournament_zone_s {

    /* written without the lock: a cache line of their own */

    uint64_t                     clock;
    uint64_t                     floor;         /* older is invalid */
    uint64_t                     suspect;       /* older is suspect */
    uint64_t                     purge_floor;   /* older is purged */
    uint64_t                     walked;        /* older is not stored */
    u_char                       padding[24];

    ngx_http_tournament_listener_t  listener;
    ngx_http_tournament_outage_t    outages[NGX_HTTP_TOURNAMENT_OUTAGES];
    uint32_t                     generation;
    uint64_t                     made;          /* ngx_current_msec, then */
    void                        *annex;
    uint64_t                     workers[NGX_HTTP_TOURNAMENT_WORKERS];

    uint64_t                    *stripes;       /* last change */
    uint64_t                    *purges;        /* last purge */
    uint32_t                     stripe_mask;

    uint32_t                     ncells;
    uint32_t                     bucket_mask;
    uint32_t                     missing_max;    /* cells */

    uint32_t                    *buckets;
    ngx_http_tournament_cell_t  *cells;

    u_char                       secret[16];

    /* the arena, under the lock */

    uint32_t                     changing;
    uint32_t                     free;
    uint32_t                     nfree;
    ngx_http_tournament_list_t   lists[2];       /* facts, missing */
    uint64_t                     evictions;
    uint64_t                     recoveries;
    ngx_http_tournament_claim_t  claims[NGX_HTTP_TOURNAMENT_CLAIMS];
};


/* a place in an entry's chain of cells */

typedef struct {
    ngx_http_tournament_cell_t  *cells;
    uint32_t                     cell;
    u_char                      *pos;
    u_char                      *end;
} ngx_http_tournament_cursor_t;


static ngx_int_t ngx_http_tournament_cache_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_tournament_cache_layout(
    ngx_http_tournament_cache_t *cache, ngx_shm_zone_t *shm_zone);
static void ngx_http_tournament_cache_secret(u_char *secret, size_t len);
static void ngx_http_tournament_cache_advance(uint64_t *stripe,
    uint64_t value);
static void ngx_http_tournament_cache_lock(ngx_http_tournament_cache_t *cache);
static void ngx_http_tournament_cache_unlock(
    ngx_http_tournament_cache_t *cache);
static void ngx_http_tournament_cache_change_begin(
    ngx_http_tournament_zone_t *zone);
static void ngx_http_tournament_cache_change_end(
    ngx_http_tournament_zone_t *zone);
static void ngx_http_tournament_cache_empty(ngx_http_tournament_zone_t *zone);
static uint32_t ngx_http_tournament_cache_find(
    ngx_http_tournament_zone_t *zone, ngx_http_tournament_key_t *key,
    uint32_t hash);
static ngx_http_tournament_claim_t *ngx_http_tournament_cache_claim_find(
    ngx_http_tournament_zone_t *zone, uint64_t hash);
static ngx_uint_t ngx_http_tournament_cache_alive(ngx_pid_t pid);
static ngx_int_t ngx_http_tournament_cache_scratch(
    ngx_http_tournament_cache_t *cache, size_t size);
static void ngx_http_tournament_cache_link(ngx_http_tournament_zone_t *zone,
    uint32_t n);
static void ngx_http_tournament_cache_unlink(ngx_http_tournament_zone_t *zone,
    uint32_t n);
static void ngx_http_tournament_cache_free(ngx_http_tournament_zone_t *zone,
    uint32_t n);
static ngx_int_t ngx_http_tournament_cache_make_room(
    ngx_http_tournament_zone_t *zone, uint32_t cells, ngx_uint_t missing);
static uint32_t ngx_http_tournament_cache_alloc(
    ngx_http_tournament_zone_t *zone, uint32_t cells);
static void ngx_http_tournament_cursor_init(ngx_http_tournament_cursor_t *cur,
    ngx_http_tournament_cell_t *cells, uint32_t n);
static size_t ngx_http_tournament_cursor_room(
    ngx_http_tournament_cursor_t *cur);
static void ngx_http_tournament_cursor_read(ngx_http_tournament_cursor_t *cur,
    void *dst, size_t len);
static void ngx_http_tournament_cursor_write(ngx_http_tournament_cursor_t *cur,
    void *src, size_t len);
static ngx_uint_t ngx_http_tournament_cursor_equal(
    ngx_http_tournament_cursor_t *cur, u_char *data, size_t len);


ngx_shm_zone_t *
ngx_http_tournament_cache_add(ngx_conf_t *cf,
    ngx_http_tournament_cache_t *cache, ngx_str_t *name, size_t size,
    void *tag)
{
    ngx_shm_zone_t  *shm_zone;

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_http_tournament_cache_init_zone;
    shm_zone->data = cache;

    return shm_zone;
}


static ngx_int_t
ngx_http_tournament_cache_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_tournament_cache_t  *ocache = data;

    ngx_http_tournament_cache_t  *cache;

    cache = shm_zone->data;

    if (ocache) {

        /*
         * A reload: nginx keeps the memory only where the module is the very
         * same one, so the layout is ours.
         */

        cache->zone = ocache->zone;
        cache->shpool = ocache->shpool;

        return NGX_OK;
    }

    cache->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        cache->zone = cache->shpool->data;

        return NGX_OK;
    }

    return ngx_http_tournament_cache_layout(cache, shm_zone);
}


static ngx_int_t
ngx_http_tournament_cache_layout(ngx_http_tournament_cache_t *cache,
    ngx_shm_zone_t *shm_zone)
{
    u_char                      *p;
    size_t                       len, size;
    uint32_t                     n, buckets, stripes;
    ngx_slab_pool_t             *shpool;
    ngx_http_tournament_zone_t  *zone;

    shpool = cache->shpool;

    len = sizeof(" in tournament zone \"\"") + shm_zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in tournament zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* the rest is one allocation: the arena keeps house by itself */

    size = shpool->pfree * ngx_pagesize;

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    n = (uint32_t) (size / NGX_HTTP_TOURNAMENT_CELL_SIZE);

    for (buckets = 64; buckets <= n / 2; buckets *= 2) { /* void */ }

    stripes = buckets / NGX_HTTP_TOURNAMENT_STRIPE_SHARE;

    zone = (ngx_http_tournament_zone_t *) p;
    p += ngx_align(sizeof(ngx_http_tournament_zone_t),
                   NGX_HTTP_TOURNAMENT_CELL_SIZE);

    ngx_memzero(zone, sizeof(ngx_http_tournament_zone_t));

    if (cache->annex) {
        zone->annex = p;
        ngx_memzero(p, cache->annex);
        p += ngx_align(cache->annex, NGX_HTTP_TOURNAMENT_CELL_SIZE);
    }

    zone->stripes = (uint64_t *) p;
    zone->stripe_mask = stripes - 1;
    ngx_memzero(zone->stripes, stripes * sizeof(uint64_t));
    p += stripes * sizeof(uint64_t);

    zone->purges = (uint64_t *) p;
    ngx_memzero(zone->purges, stripes * sizeof(uint64_t));
    p += stripes * sizeof(uint64_t);

    zone->buckets = (uint32_t *) p;
    zone->bucket_mask = buckets - 1;
    p += buckets * sizeof(uint32_t);

    p = ngx_align_ptr(p, NGX_HTTP_TOURNAMENT_CELL_SIZE);

    zone->cells = (ngx_http_tournament_cell_t *) p;
    zone->ncells = (uint32_t) ((size - (p - (u_char *) zone))
                               / NGX_HTTP_TOURNAMENT_CELL_SIZE);
    zone->missing_max = zone->ncells / NGX_HTTP_TOURNAMENT_MISSING_SHARE;

    ngx_http_tournament_cache_secret(zone->secret, sizeof(zone->secret));

    ngx_http_tournament_cache_empty(zone);

    zone->made = ngx_current_msec;

    cache->zone = zone;
    shpool->data = zone;

    return NGX_OK;
}


void
ngx_http_tournament_cache_begin(ngx_http_tournament_cache_t *cache)
{
    cache->generation = __atomic_add_fetch(&cache->zone->generation, 1,
                                           __ATOMIC_SEQ_CST);
}


/*
 * Keys come from clients: with a secret in the hash nobody can choose keys
 * that meet in one bucket.
 */

static void
ngx_http_tournament_cache_secret(u_char *secret, size_t len)
{
    size_t    i;
    ssize_t   n;
    ngx_fd_t  fd;

    n = 0;

    fd = ngx_open_file((u_char *) "/dev/urandom", NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, secret, len);
        (void) ngx_close_file(fd);
    }

    if (n == (ssize_t) len) {
        return;
    }

    for (i = 0; i < len; i++) {
        secret[i] = (u_char) (ngx_random() >> 8);
    }
}


uint64_t
ngx_http_tournament_cache_clock(ngx_http_tournament_cache_t *cache)
{
    return __atomic_load_n(&cache->zone->clock, __ATOMIC_SEQ_CST);
}


uint32_t
ngx_http_tournament_cache_stripe(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_thing_e kind, int64_t id)
{
    uint32_t  n, stripes;
    uint64_t  h;

    if (kind < NGX_HTTP_TOURNAMENT_STRIPES_FIXED) {
        return kind;
    }

    /* ids are dense, so they only need mixing: MurmurHash3's finalizer */

    h = (uint64_t) id ^ ((uint64_t) kind << 56);

    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdULL;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ULL;
    h ^= h >> 33;

    stripes = cache->zone->stripe_mask + 1;
    n = (uint32_t) (h % (stripes - NGX_HTTP_TOURNAMENT_STRIPES_FIXED));

    return n + NGX_HTTP_TOURNAMENT_STRIPES_FIXED;
}


void
ngx_http_tournament_cache_change(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_thing_e kind, int64_t id)
{
    uint32_t                     n;
    uint64_t                     now;
    ngx_http_tournament_zone_t  *zone;

    zone = cache->zone;

    n = ngx_http_tournament_cache_stripe(cache, kind, id);
    now = __atomic_add_fetch(&zone->clock, 1, __ATOMIC_SEQ_CST);

    ngx_http_tournament_cache_advance(&zone->stripes[n], now);
}


void
ngx_http_tournament_cache_change_all(ngx_http_tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    ngx_http_tournament_cache_advance(&cache->zone->floor, now);
}


void
ngx_http_tournament_cache_suspect_all(ngx_http_tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    ngx_http_tournament_cache_advance(&cache->zone->suspect, now);
}


void
ngx_http_tournament_cache_purge(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_thing_e kind, int64_t id)
{
    uint32_t                     n;
    uint64_t                     now;
    ngx_http_tournament_zone_t  *zone;

    zone = cache->zone;

    n = ngx_http_tournament_cache_stripe(cache, kind, id);
    now = __atomic_add_fetch(&zone->clock, 1, __ATOMIC_SEQ_CST);

    ngx_http_tournament_cache_advance(&zone->purges[n], now);
    ngx_http_tournament_cache_advance(&zone->stripes[n], now);
}


void
ngx_http_tournament_cache_purge_all(ngx_http_tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    ngx_http_tournament_cache_advance(&cache->zone->purge_floor, now);
    ngx_http_tournament_cache_advance(&cache->zone->floor, now);
}


static void
ngx_http_tournament_cache_advance(uint64_t *stripe, uint64_t value)
{
    uint64_t  old;

    old = __atomic_load_n(stripe, __ATOMIC_SEQ_CST);

    while (old < value
           && !__atomic_compare_exchange_n(stripe, &old, value, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    {
        /* void: old is what another process has set */
    }
}


ngx_uint_t
ngx_http_tournament_cache_valid(ngx_http_tournament_cache_t *cache,
    uint64_t clock, uint32_t *stripes, ngx_uint_t n)
{
    ngx_uint_t                   i;
    ngx_http_tournament_zone_t  *zone;

    zone = cache->zone;

    if (__atomic_load_n(&zone->floor, __ATOMIC_ACQUIRE) > clock) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (__atomic_load_n(&zone->stripes[stripes[i]], __ATOMIC_ACQUIRE)
            > clock)
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_tournament_cache_fresh(ngx_http_tournament_cache_t *cache,
    uint64_t clock, uint32_t *stripes, ngx_uint_t n)
{
    return __atomic_load_n(&cache->zone->suspect, __ATOMIC_ACQUIRE) <= clock
           && ngx_http_tournament_cache_valid(cache, clock, stripes, n);
}


ngx_http_tournament_class_e
ngx_http_tournament_cache_class(ngx_http_tournament_cache_t *cache,
    uint64_t clock, uint32_t *stripes, ngx_uint_t n)
{
    ngx_uint_t                   i;
    ngx_http_tournament_zone_t  *zone;

    zone = cache->zone;

    if (ngx_http_tournament_cache_fresh(cache, clock, stripes, n)) {
        return NGX_HTTP_TOURNAMENT_FRESH;
    }

    if (__atomic_load_n(&zone->purge_floor, __ATOMIC_ACQUIRE) > clock) {
        return NGX_HTTP_TOURNAMENT_PURGED;
    }

    for (i = 0; i < n; i++) {
        if (__atomic_load_n(&zone->purges[stripes[i]], __ATOMIC_ACQUIRE)
            > clock)
        {
            return NGX_HTTP_TOURNAMENT_PURGED;
        }
    }

    return ngx_http_tournament_cache_valid(cache, clock, stripes, n)
           ? NGX_HTTP_TOURNAMENT_SUSPECT : NGX_HTTP_TOURNAMENT_INVALID;
}


ngx_int_t
ngx_http_tournament_cache_get(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_key_t *key, ngx_http_tournament_entry_t *entry)
{
    size_t                        size, stripes;
    uint32_t                      n, hash;
    ngx_http_tournament_head_t   *head;
    ngx_http_tournament_zone_t   *zone;
    ngx_http_tournament_cursor_t  cur;

    zone = cache->zone;
    hash = (uint32_t) tournament_hash(zone->secret, key->data, key->len);

    for ( ;; ) {

        ngx_http_tournament_cache_lock(cache);

        n = ngx_http_tournament_cache_find(zone, key, hash);

        if (n == NGX_HTTP_TOURNAMENT_NIL) {
            ngx_http_tournament_cache_unlock(cache);
            return NGX_DECLINED;
        }

        head = &zone->cells[n].head;

        stripes = ngx_align(head->nstripes * sizeof(uint32_t), 8);
        size = stripes + head->len;

        if (size <= cache->scratch_size) {
            break;
        }

        /* memory is never asked for under the lock */

        ngx_http_tournament_cache_unlock(cache);

        if (ngx_http_tournament_cache_scratch(cache, size) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    entry->clock = head->clock;
    entry->fetched = (ngx_msec_t) head->fetched;
    entry->valid_until = head->valid_until;
    entry->missing = head->missing;
    entry->failed = head->failed;
    entry->nstripes = head->nstripes;
    entry->stripes = (uint32_t *) cache->scratch;
    entry->len = head->len;
    entry->facts = cache->scratch + stripes;

    ngx_http_tournament_cursor_init(&cur, zone->cells, n);
    ngx_http_tournament_cursor_read(&cur, NULL, head->key_len);
    ngx_http_tournament_cursor_read(&cur, entry->stripes,
                                    entry->nstripes * sizeof(uint32_t));
    ngx_http_tournament_cursor_read(&cur, entry->facts, entry->len);

    /* order of use is kept to the second: most hits only read */

    if (head->used != (uint32_t) ngx_time()) {
        ngx_http_tournament_cache_change_begin(zone);
        ngx_http_tournament_cache_unlink(zone, n);
        ngx_http_tournament_cache_link(zone, n);
        ngx_http_tournament_cache_change_end(zone);
    }

    ngx_http_tournament_cache_unlock(cache);

    return NGX_OK;
}


ngx_int_t
ngx_http_tournament_cache_put(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_key_t *key, ngx_http_tournament_entry_t *entry)
{
    size_t                        size;
    uint32_t                      n, old, hash, cells, *bucket;
    ngx_int_t                     rc;
    ngx_http_tournament_head_t   *head;
    ngx_http_tournament_zone_t   *zone;
    ngx_http_tournament_cursor_t  cur;

    zone = cache->zone;

    size = key->len + entry->nstripes * sizeof(uint32_t) + entry->len;

    if (entry->nstripes > 0xffff
        || size / sizeof(head->data)
           > zone->ncells / NGX_HTTP_TOURNAMENT_ENTRY_SHARE)
    {
        return NGX_DECLINED;
    }

    cells = 1;

    if (size > sizeof(head->data)) {
        size -= sizeof(head->data);
        cells += (uint32_t) ((size + sizeof(((ngx_http_tournament_link_t *)
                                             NULL)->data) - 1)
                             / sizeof(((ngx_http_tournament_link_t *)
                                       NULL)->data));
    }

    hash = (uint32_t) tournament_hash(zone->secret, key->data, key->len);

    ngx_http_tournament_cache_lock(cache);

    old = ngx_http_tournament_cache_find(zone, key, hash);

    if (old != NGX_HTTP_TOURNAMENT_NIL
        && zone->cells[old].head.clock > entry->clock)
    {
        ngx_http_tournament_cache_unlock(cache);
        return NGX_OK;
    }

    if (ngx_http_tournament_cache_walked(cache, entry->clock)) {

        /* read before a purge that did not know which thing it was */

        ngx_http_tournament_cache_unlock(cache);
        return NGX_DECLINED;
    }

    ngx_http_tournament_cache_change_begin(zone);

    if (old != NGX_HTTP_TOURNAMENT_NIL) {
        ngx_http_tournament_cache_free(zone, old);
    }

    rc = ngx_http_tournament_cache_make_room(zone, cells, entry->missing);

    if (rc == NGX_OK) {
        n = ngx_http_tournament_cache_alloc(zone, cells);
        head = &zone->cells[n].head;

        head->clock = entry->clock;
        head->fetched = entry->fetched;
        head->valid_until = entry->valid_until;
        head->hash = hash;
        head->len = (uint32_t) entry->len;
        head->cells = cells;
        head->key_len = (uint16_t) key->len;
        head->nstripes = (uint16_t) entry->nstripes;
        head->missing = entry->missing;
        head->failed = 0;

        ngx_http_tournament_cursor_init(&cur, zone->cells, n);
        ngx_http_tournament_cursor_write(&cur, key->data, key->len);
        ngx_http_tournament_cursor_write(&cur, entry->stripes,
                                         entry->nstripes * sizeof(uint32_t));
        ngx_http_tournament_cursor_write(&cur, entry->facts, entry->len);

        bucket = &zone->buckets[hash & zone->bucket_mask];
        head->chain = *bucket;
        *bucket = n;

        ngx_http_tournament_cache_link(zone, n);
    }

    ngx_http_tournament_cache_change_end(zone);
    ngx_http_tournament_cache_unlock(cache);

    return rc;
}


void
ngx_http_tournament_cache_walk_begin(ngx_http_tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    ngx_http_tournament_cache_advance(&cache->zone->walked, now);
}


ngx_uint_t
ngx_http_tournament_cache_walked(ngx_http_tournament_cache_t *cache,
    uint64_t clock)
{
    return __atomic_load_n(&cache->zone->walked, __ATOMIC_SEQ_CST) > clock;
}


uint32_t
ngx_http_tournament_cache_walk(ngx_http_tournament_cache_t *cache,
    uint32_t first, uint32_t step, ngx_http_tournament_visit_pt visit,
    void *data)
{
    u_char                        key[NGX_HTTP_TOURNAMENT_KEY_MAX];
    size_t                        size;
    uint32_t                      n, next, bucket, last;
    ngx_http_tournament_head_t   *head;
    ngx_http_tournament_zone_t   *zone;
    ngx_http_tournament_entry_t   entry;
    ngx_http_tournament_cursor_t  cur;

    zone = cache->zone;

    /* entries are found by their buckets: a cell alone does not tell */

    last = ngx_min(first + step, zone->bucket_mask + 1);
    bucket = first;

again:

    ngx_http_tournament_cache_lock(cache);

    for ( /* void */ ; bucket < last; bucket++) {

        for (n = zone->buckets[bucket]; n != NGX_HTTP_TOURNAMENT_NIL; n = next)
        {
            head = &zone->cells[n].head;
            next = head->chain;
            size = head->len;

            if (size > cache->scratch_size) {

                /* memory is never asked for under the lock */

                ngx_http_tournament_cache_unlock(cache);

                if (ngx_http_tournament_cache_scratch(cache, size)
                    != NGX_OK)
                {
                    return 0;
                }

                goto again;
            }

            entry.clock = head->clock;
            entry.fetched = (ngx_msec_t) head->fetched;
            entry.valid_until = head->valid_until;
            entry.missing = head->missing;
            entry.failed = head->failed;
            entry.nstripes = 0;
            entry.stripes = NULL;
            entry.len = 0;
            entry.facts = cache->scratch;

            ngx_http_tournament_cursor_init(&cur, zone->cells, n);
            ngx_http_tournament_cursor_read(&cur, key, head->key_len);
            ngx_http_tournament_cursor_read(&cur, NULL, head->nstripes
                                                        * sizeof(uint32_t));

            entry.len = head->len;
            ngx_http_tournament_cursor_read(&cur, entry.facts, entry.len);

            if (visit(data, key, head->key_len, &entry)) {
                ngx_http_tournament_cache_change_begin(zone);
                ngx_http_tournament_cache_free(zone, n);
                ngx_http_tournament_cache_change_end(zone);
            }
        }
    }

    ngx_http_tournament_cache_unlock(cache);

    return last <= zone->bucket_mask ? last : 0;
}


void
ngx_http_tournament_cache_failed(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_key_t *key)
{
    uint32_t                     n, hash;
    ngx_http_tournament_zone_t  *zone;

    zone = cache->zone;
    hash = (uint32_t) tournament_hash(zone->secret, key->data, key->len);

    ngx_http_tournament_cache_lock(cache);

    n = ngx_http_tournament_cache_find(zone, key, hash);

    if (n != NGX_HTTP_TOURNAMENT_NIL) {
        zone->cells[n].head.failed = 1;
    }

    ngx_http_tournament_cache_unlock(cache);
}


ngx_int_t
ngx_http_tournament_cache_claim(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_key_t *key, ngx_int_t worker, ngx_msec_t ms)
{
    uint64_t                      hash;
    ngx_int_t                     rc;
    ngx_http_tournament_zone_t   *zone;
    ngx_http_tournament_claim_t  *claim;

    zone = cache->zone;
    hash = tournament_hash(zone->secret, key->data, key->len);
    rc = NGX_OK;

    ngx_http_tournament_cache_lock(cache);

    claim = ngx_http_tournament_cache_claim_find(zone, hash);

    if (claim && claim->pid && claim->pid != ngx_pid) {

        if (worker >= 0) {
            claim->waiting |= (uint64_t) 1 << worker;
        }

        rc = NGX_BUSY;

    } else if (claim) {

        /* a torn one, of a process that dies here, is free or soon over */

        claim->hash = hash;
        claim->until = ngx_current_msec + ms;
        claim->waiting = 0;
        claim->pid = ngx_pid;
    }

    ngx_http_tournament_cache_unlock(cache);

    return rc;
}


void
ngx_http_tournament_cache_renew(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_key_t *key, ngx_msec_t ms)
{
    uint64_t                      hash;
    ngx_http_tournament_zone_t   *zone;
    ngx_http_tournament_claim_t  *claim;

    zone = cache->zone;
    hash = tournament_hash(zone->secret, key->data, key->len);

    ngx_http_tournament_cache_lock(cache);

    claim = ngx_http_tournament_cache_claim_find(zone, hash);

    if (claim && claim->pid == ngx_pid) {
        claim->until = ngx_current_msec + ms;
    }

    ngx_http_tournament_cache_unlock(cache);
}


uint64_t
ngx_http_tournament_cache_release(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_key_t *key, ngx_msec_t ms)
{
    uint64_t                      hash, waiting;
    ngx_http_tournament_zone_t   *zone;
    ngx_http_tournament_claim_t  *claim;

    zone = cache->zone;
    hash = tournament_hash(zone->secret, key->data, key->len);
    waiting = 0;

    ngx_http_tournament_cache_lock(cache);

    claim = ngx_http_tournament_cache_claim_find(zone, hash);

    if (claim && claim->pid == ngx_pid) {
        waiting = claim->waiting;
        claim->waiting = 0;
        claim->until = ngx_current_msec + ms;
        claim->pid = ms ? ngx_pid : 0;
    }

    ngx_http_tournament_cache_unlock(cache);

    return waiting;
}


/* the claim of a key that is alive, else a free place for one, else NULL */

static ngx_http_tournament_claim_t *
ngx_http_tournament_cache_claim_find(ngx_http_tournament_zone_t *zone,
    uint64_t hash)
{
    uint32_t                      i;
    ngx_http_tournament_claim_t  *claim, *free;

    free = NULL;

    for (i = 0; i < NGX_HTTP_TOURNAMENT_CLAIM_PLACES; i++) {
        claim = &zone->claims[(hash + i) & (NGX_HTTP_TOURNAMENT_CLAIMS - 1)];

        if (claim->pid
            && ((ngx_msec_int_t) (claim->until - ngx_current_msec) < 0
                || (claim->pid != ngx_pid
                    && !ngx_http_tournament_cache_alive(claim->pid))))
        {
            claim->pid = 0;
        }

        if (claim->pid == 0) {

            if (free == NULL) {
                free = claim;
            }

        } else if (claim->hash == hash) {
            return claim;
        }
    }

    return free;
}


static ngx_uint_t
ngx_http_tournament_cache_alive(ngx_pid_t pid)
{
    return kill(pid, 0) == 0 || ngx_errno != ESRCH;
}


ngx_int_t
ngx_http_tournament_cache_join(ngx_http_tournament_cache_t *cache)
{
    uint64_t   *worker, pid;
    ngx_int_t   i;

    for (i = 0; i < NGX_HTTP_TOURNAMENT_WORKERS; i++) {
        worker = &cache->zone->workers[i];
        pid = __atomic_load_n(worker, __ATOMIC_SEQ_CST);

        if ((pid == 0 || pid == (uint64_t) ngx_pid
             || !ngx_http_tournament_cache_alive((ngx_pid_t) pid))
            && __atomic_compare_exchange_n(worker, &pid, (uint64_t) ngx_pid,
                                           0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST))
        {
            return i;
        }
    }

    return NGX_ERROR;
}


void
ngx_http_tournament_cache_leave(ngx_http_tournament_cache_t *cache,
    ngx_int_t worker)
{
    if (worker >= 0) {
        __atomic_store_n(&cache->zone->workers[worker], 0, __ATOMIC_SEQ_CST);
    }
}


ngx_http_tournament_listener_t *
ngx_http_tournament_cache_listener(ngx_http_tournament_cache_t *cache)
{
    return &cache->zone->listener;
}


void *
ngx_http_tournament_cache_annex(ngx_http_tournament_cache_t *cache)
{
    return cache->zone->annex;
}


ngx_http_tournament_outage_t *
ngx_http_tournament_cache_outage(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_outage_e of)
{
    return &cache->zone->outages[of];
}


uint32_t
ngx_http_tournament_cache_generation(ngx_http_tournament_cache_t *cache)
{
    return __atomic_load_n(&cache->zone->generation, __ATOMIC_SEQ_CST);
}


void
ngx_http_tournament_cache_close(ngx_http_tournament_cache_t *cache)
{
    if (cache->scratch) {
        ngx_free(cache->scratch);
        cache->scratch = NULL;
        cache->scratch_size = 0;
    }
}


void
ngx_http_tournament_cache_stats(ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_cache_stats_t *stats)
{
    ngx_http_tournament_zone_t  *zone;

    zone = cache->zone;

    ngx_http_tournament_cache_lock(cache);

    stats->cell_size = NGX_HTTP_TOURNAMENT_CELL_SIZE;
    stats->cells = zone->ncells;
    stats->cells_free = zone->nfree;
    stats->missing = zone->lists[1].entries;
    stats->entries = zone->lists[0].entries + stats->missing;
    stats->evictions = (ngx_uint_t) zone->evictions;
    stats->recoveries = (ngx_uint_t) zone->recoveries;
    stats->age = ngx_http_tournament_cache_age((ngx_msec_t) zone->made);

    ngx_http_tournament_cache_unlock(cache);
}


static void
ngx_http_tournament_cache_lock(ngx_http_tournament_cache_t *cache)
{
    ngx_http_tournament_zone_t  *zone;

    ngx_shmtx_lock(&cache->shpool->mutex);

    zone = cache->zone;

    if (zone->changing) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "a process died while it changed the cache%s, "
                      "the cache is emptied", cache->shpool->log_ctx);

        ngx_http_tournament_cache_empty(zone);
        zone->recoveries++;
    }
}


static void
ngx_http_tournament_cache_unlock(ngx_http_tournament_cache_t *cache)
{
    ngx_shmtx_unlock(&cache->shpool->mutex);
}


/*
 * A process is killed between two instructions: it is enough that neither the
 * compiler nor the processor moves a change across the flag.
 */

static void
ngx_http_tournament_cache_change_begin(ngx_http_tournament_zone_t *zone)
{
    __atomic_store_n(&zone->changing, 1, __ATOMIC_SEQ_CST);
}


static void
ngx_http_tournament_cache_change_end(ngx_http_tournament_zone_t *zone)
{
    __atomic_store_n(&zone->changing, 0, __ATOMIC_RELEASE);
}


static void
ngx_http_tournament_cache_empty(ngx_http_tournament_zone_t *zone)
{
    uint32_t  i;

    ngx_http_tournament_cache_change_begin(zone);

    ngx_memset(zone->buckets, 0xff,
               (zone->bucket_mask + 1) * sizeof(uint32_t));

    for (i = 0; i < 2; i++) {
        zone->lists[i].newest = NGX_HTTP_TOURNAMENT_NIL;
        zone->lists[i].oldest = NGX_HTTP_TOURNAMENT_NIL;
        zone->lists[i].entries = 0;
        zone->lists[i].cells = 0;
    }

    for (i = 0; i < zone->ncells; i++) {
        zone->cells[i].next = i + 1;
    }

    zone->cells[zone->ncells - 1].next = NGX_HTTP_TOURNAMENT_NIL;
    zone->free = 0;
    zone->nfree = zone->ncells;

    ngx_http_tournament_cache_change_end(zone);
}


static uint32_t
ngx_http_tournament_cache_find(ngx_http_tournament_zone_t *zone,
    ngx_http_tournament_key_t *key, uint32_t hash)
{
    uint32_t                      n;
    ngx_http_tournament_head_t   *head;
    ngx_http_tournament_cursor_t  cur;

    n = zone->buckets[hash & zone->bucket_mask];

    while (n != NGX_HTTP_TOURNAMENT_NIL) {
        head = &zone->cells[n].head;

        if (head->hash == hash && head->key_len == key->len) {

            ngx_http_tournament_cursor_init(&cur, zone->cells, n);

            if (ngx_http_tournament_cursor_equal(&cur, key->data, key->len)) {
                return n;
            }
        }

        n = head->chain;
    }

    return NGX_HTTP_TOURNAMENT_NIL;
}


static ngx_int_t
ngx_http_tournament_cache_scratch(ngx_http_tournament_cache_t *cache,
    size_t size)
{
    u_char  *p;

    size = ngx_align(size, 4096);

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (cache->scratch) {
        ngx_free(cache->scratch);
    }

    cache->scratch = p;
    cache->scratch_size = size;

    return NGX_OK;
}


static void
ngx_http_tournament_cache_link(ngx_http_tournament_zone_t *zone, uint32_t n)
{
    ngx_http_tournament_head_t  *head;
    ngx_http_tournament_list_t  *list;

    head = &zone->cells[n].head;
    list = &zone->lists[head->missing];

    head->newer = NGX_HTTP_TOURNAMENT_NIL;
    head->older = list->newest;

    if (list->newest != NGX_HTTP_TOURNAMENT_NIL) {
        zone->cells[list->newest].head.newer = n;

    } else {
        list->oldest = n;
    }

    list->newest = n;
    list->entries++;
    list->cells += head->cells;

    head->used = (uint32_t) ngx_time();
}


static void
ngx_http_tournament_cache_unlink(ngx_http_tournament_zone_t *zone, uint32_t n)
{
    ngx_http_tournament_head_t  *head;
    ngx_http_tournament_list_t  *list;

    head = &zone->cells[n].head;
    list = &zone->lists[head->missing];

    if (head->newer != NGX_HTTP_TOURNAMENT_NIL) {
        zone->cells[head->newer].head.older = head->older;

    } else {
        list->newest = head->older;
    }

    if (head->older != NGX_HTTP_TOURNAMENT_NIL) {
        zone->cells[head->older].head.newer = head->newer;

    } else {
        list->oldest = head->newer;
    }

    list->entries--;
    list->cells -= head->cells;
}


static void
ngx_http_tournament_cache_free(ngx_http_tournament_zone_t *zone, uint32_t n)
{
    uint32_t                    *next, last;
    ngx_http_tournament_head_t  *head;

    head = &zone->cells[n].head;

    ngx_http_tournament_cache_unlink(zone, n);

    next = &zone->buckets[head->hash & zone->bucket_mask];

    while (*next != n) {
        next = &zone->cells[*next].head.chain;
    }

    *next = head->chain;

    last = n;

    while (zone->cells[last].next != NGX_HTTP_TOURNAMENT_NIL) {
        last = zone->cells[last].next;
    }

    zone->nfree += head->cells;
    zone->cells[last].next = zone->free;
    zone->free = n;
}


/*
 * Evicts until so many cells are free.  Missing things live within their
 * share, so that a scan of names cannot push out facts.
 */

static ngx_int_t
ngx_http_tournament_cache_make_room(ngx_http_tournament_zone_t *zone,
    uint32_t cells, ngx_uint_t missing)
{
    ngx_http_tournament_list_t  *list;

    if (missing) {
        list = &zone->lists[1];

        if (cells > zone->missing_max) {
            return NGX_DECLINED;
        }

        while (list->cells + cells > zone->missing_max) {
            ngx_http_tournament_cache_free(zone, list->oldest);
            zone->evictions++;
        }
    }

    while (zone->nfree < cells) {
        list = &zone->lists[0];

        if (list->oldest == NGX_HTTP_TOURNAMENT_NIL) {
            list = &zone->lists[1];
        }

        ngx_http_tournament_cache_free(zone, list->oldest);
        zone->evictions++;
    }

    return NGX_OK;
}


/* there are as many free cells: make_room() has seen to it */

static uint32_t
ngx_http_tournament_cache_alloc(ngx_http_tournament_zone_t *zone,
    uint32_t cells)
{
    uint32_t  i, first, last;

    first = zone->free;
    last = first;

    for (i = 1; i < cells; i++) {
        last = zone->cells[last].next;
    }

    zone->free = zone->cells[last].next;
    zone->nfree -= cells;
    zone->cells[last].next = NGX_HTTP_TOURNAMENT_NIL;

    return first;
}


static void
ngx_http_tournament_cursor_init(ngx_http_tournament_cursor_t *cur,
    ngx_http_tournament_cell_t *cells, uint32_t n)
{
    cur->cells = cells;
    cur->cell = n;
    cur->pos = cells[n].head.data;
    cur->end = cur->pos + sizeof(cells[n].head.data);
}


/* moves on to the next cell where this one is done; bytes left in the cell */

static size_t
ngx_http_tournament_cursor_room(ngx_http_tournament_cursor_t *cur)
{
    if (cur->pos == cur->end) {
        cur->cell = cur->cells[cur->cell].next;
        cur->pos = cur->cells[cur->cell].link.data;
        cur->end = cur->pos + sizeof(cur->cells[cur->cell].link.data);
    }

    return cur->end - cur->pos;
}


/* without dst the bytes are passed over */

static void
ngx_http_tournament_cursor_read(ngx_http_tournament_cursor_t *cur, void *dst,
    size_t len)
{
    size_t   n;
    u_char  *p;

    p = dst;

    while (len) {
        n = ngx_min(len, ngx_http_tournament_cursor_room(cur));

        if (p) {
            p = ngx_cpymem(p, cur->pos, n);
        }

        cur->pos += n;
        len -= n;
    }
}


static void
ngx_http_tournament_cursor_write(ngx_http_tournament_cursor_t *cur, void *src,
    size_t len)
{
    size_t   n;
    u_char  *p;

    p = src;

    while (len) {
        n = ngx_min(len, ngx_http_tournament_cursor_room(cur));

        ngx_memcpy(cur->pos, p, n);

        cur->pos += n;
        p += n;
        len -= n;
    }
}


static ngx_uint_t
ngx_http_tournament_cursor_equal(ngx_http_tournament_cursor_t *cur,
    u_char *data, size_t len)
{
    size_t  n;

    while (len) {
        n = ngx_min(len, ngx_http_tournament_cursor_room(cur));

        if (ngx_memcmp(cur->pos, data, n) != 0) {
            return 0;
        }

        cur->pos += n;
        data += n;
        len -= n;
    }

    return 1;
}
