
#include "zone/cache.h"
#include "rules/hash.h"


#define TOURNAMENT_CELL_SIZE  256
#define TOURNAMENT_NIL        0xffffffff

/* missing things may fill one cell in so many */
#define TOURNAMENT_MISSING_SHARE  16

/* one entry may fill one cell in so many */
#define TOURNAMENT_ENTRY_SHARE    4

/* one stripe for so many cells */
#define TOURNAMENT_STRIPE_SHARE   4

/* stripes of the catalogue; all other things share the rest */
#define TOURNAMENT_STRIPES_FIXED  2

/* places for claims, a power of two, and how many are looked at for one */
#define TOURNAMENT_CLAIMS         1024
#define TOURNAMENT_CLAIM_PLACES   8


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

    u_char                data[TOURNAMENT_CELL_SIZE - 64];
} tournament_head_t;


typedef struct {
    uint32_t              next;
    u_char                data[TOURNAMENT_CELL_SIZE - 4];
} tournament_link_t;


typedef union {
    uint32_t           next;
    tournament_head_t  head;
    tournament_link_t  link;
} tournament_cell_t;


typedef struct {
    uint32_t              newest;
    uint32_t              oldest;
    uint32_t              entries;
    uint32_t              cells;
} tournament_list_t;


/* a key that is being fetched */

typedef struct {
    uint64_t              hash;
    uint64_t              until;        /* ms */
    uint64_t              waiting;      /* workers, a bit each */
    ngx_pid_t             pid;          /* 0: free */
} tournament_claim_t;


struct tournament_zone_s {

    /* written without the lock: a cache line of their own */

    uint64_t            clock;
    uint64_t            floor;         /* older is invalid */
    uint64_t            suspect;       /* older is suspect */
    uint64_t            purge_floor;   /* older is purged */
    uint64_t            walked;        /* older is not stored */
    u_char              padding[24];

    tournament_listener_t  listener;
    tournament_outage_t    outages[TOURNAMENT_OUTAGES];
    uint32_t            generation;
    uint64_t            made;          /* ngx_current_msec, then */
    void               *annex;
    uint64_t            workers[TOURNAMENT_WORKERS];

    uint64_t           *stripes;       /* last change */
    uint64_t           *purges;        /* last purge */
    uint32_t            stripe_mask;

    uint32_t            ncells;
    uint32_t            bucket_mask;
    uint32_t            missing_max;    /* cells */

    uint32_t           *buckets;
    tournament_cell_t  *cells;

    u_char              secret[16];

    /* the arena, under the lock */

    uint32_t            changing;
    uint32_t            free;
    uint32_t            nfree;
    tournament_list_t   lists[2];       /* facts, missing */
    uint64_t            evictions;
    uint64_t            recoveries;
    tournament_claim_t  claims[TOURNAMENT_CLAIMS];
};


/* a place in an entry's chain of cells */

typedef struct {
    tournament_cell_t  *cells;
    uint32_t            cell;
    u_char             *pos;
    u_char             *end;
} tournament_cursor_t;


static ngx_int_t tournament_cache_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t tournament_cache_layout(tournament_cache_t *cache,
    ngx_shm_zone_t *shm_zone);
static void tournament_cache_secret(u_char *secret, size_t len);
static void tournament_cache_advance(uint64_t *stripe, uint64_t value);
static void tournament_cache_lock(tournament_cache_t *cache);
static void tournament_cache_unlock(tournament_cache_t *cache);
static void tournament_cache_change_begin(tournament_zone_t *zone);
static void tournament_cache_change_end(tournament_zone_t *zone);
static void tournament_cache_empty(tournament_zone_t *zone);
static uint32_t tournament_cache_find(tournament_zone_t *zone,
    tournament_key_t *key, uint32_t hash);
static tournament_claim_t *tournament_cache_claim_find(tournament_zone_t *zone,
    uint64_t hash);
static ngx_uint_t tournament_cache_alive(ngx_pid_t pid);
static ngx_int_t tournament_cache_scratch(tournament_cache_t *cache,
    size_t size);
static void tournament_cache_link(tournament_zone_t *zone, uint32_t n);
static void tournament_cache_unlink(tournament_zone_t *zone, uint32_t n);
static void tournament_cache_free(tournament_zone_t *zone, uint32_t n);
static ngx_int_t tournament_cache_make_room(tournament_zone_t *zone,
    uint32_t cells, ngx_uint_t missing);
static uint32_t tournament_cache_alloc(tournament_zone_t *zone,
    uint32_t cells);
static void tournament_cursor_init(tournament_cursor_t *cur,
    tournament_cell_t *cells, uint32_t n);
static size_t tournament_cursor_room(tournament_cursor_t *cur);
static void tournament_cursor_read(tournament_cursor_t *cur, void *dst,
    size_t len);
static void tournament_cursor_write(tournament_cursor_t *cur, void *src,
    size_t len);
static ngx_uint_t tournament_cursor_equal(tournament_cursor_t *cur,
    u_char *data, size_t len);


ngx_shm_zone_t *
tournament_cache_add(ngx_conf_t *cf, tournament_cache_t *cache,
    ngx_str_t *name, size_t size, void *tag)
{
    ngx_shm_zone_t  *shm_zone;

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = tournament_cache_init_zone;
    shm_zone->data = cache;

    return shm_zone;
}


static ngx_int_t
tournament_cache_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    tournament_cache_t  *ocache = data;

    tournament_cache_t  *cache;

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

    return tournament_cache_layout(cache, shm_zone);
}


static ngx_int_t
tournament_cache_layout(tournament_cache_t *cache, ngx_shm_zone_t *shm_zone)
{
    u_char             *p;
    size_t              len, size;
    uint32_t            n, buckets, stripes;
    ngx_slab_pool_t    *shpool;
    tournament_zone_t  *zone;

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

    n = (uint32_t) (size / TOURNAMENT_CELL_SIZE);

    for (buckets = 64; buckets <= n / 2; buckets *= 2) { /* void */ }

    stripes = buckets / TOURNAMENT_STRIPE_SHARE;

    zone = (tournament_zone_t *) p;
    p += ngx_align(sizeof(tournament_zone_t), TOURNAMENT_CELL_SIZE);

    ngx_memzero(zone, sizeof(tournament_zone_t));

    if (cache->annex) {
        zone->annex = p;
        ngx_memzero(p, cache->annex);
        p += ngx_align(cache->annex, TOURNAMENT_CELL_SIZE);
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

    p = ngx_align_ptr(p, TOURNAMENT_CELL_SIZE);

    zone->cells = (tournament_cell_t *) p;
    zone->ncells = (uint32_t) ((size - (p - (u_char *) zone))
                               / TOURNAMENT_CELL_SIZE);
    zone->missing_max = zone->ncells / TOURNAMENT_MISSING_SHARE;

    tournament_cache_secret(zone->secret, sizeof(zone->secret));

    tournament_cache_empty(zone);

    zone->made = ngx_current_msec;

    cache->zone = zone;
    shpool->data = zone;

    return NGX_OK;
}


void
tournament_cache_begin(tournament_cache_t *cache)
{
    cache->generation = __atomic_add_fetch(&cache->zone->generation, 1,
                                           __ATOMIC_SEQ_CST);
}


/*
 * Keys come from clients: with a secret in the hash nobody can choose keys
 * that meet in one bucket.
 */

static void
tournament_cache_secret(u_char *secret, size_t len)
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
tournament_cache_clock(tournament_cache_t *cache)
{
    return __atomic_load_n(&cache->zone->clock, __ATOMIC_SEQ_CST);
}


uint32_t
tournament_cache_stripe(tournament_cache_t *cache, tournament_thing_e kind,
    int64_t id)
{
    uint32_t  n, stripes;
    uint64_t  h;

    if (kind < TOURNAMENT_STRIPES_FIXED) {
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
    n = (uint32_t) (h % (stripes - TOURNAMENT_STRIPES_FIXED));

    return n + TOURNAMENT_STRIPES_FIXED;
}


void
tournament_cache_change(tournament_cache_t *cache, tournament_thing_e kind,
    int64_t id)
{
    uint32_t            n;
    uint64_t            now;
    tournament_zone_t  *zone;

    zone = cache->zone;

    n = tournament_cache_stripe(cache, kind, id);
    now = __atomic_add_fetch(&zone->clock, 1, __ATOMIC_SEQ_CST);

    tournament_cache_advance(&zone->stripes[n], now);
}


void
tournament_cache_change_all(tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    tournament_cache_advance(&cache->zone->floor, now);
}


void
tournament_cache_suspect_all(tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    tournament_cache_advance(&cache->zone->suspect, now);
}


void
tournament_cache_purge(tournament_cache_t *cache, tournament_thing_e kind,
    int64_t id)
{
    uint32_t            n;
    uint64_t            now;
    tournament_zone_t  *zone;

    zone = cache->zone;

    n = tournament_cache_stripe(cache, kind, id);
    now = __atomic_add_fetch(&zone->clock, 1, __ATOMIC_SEQ_CST);

    tournament_cache_advance(&zone->purges[n], now);
    tournament_cache_advance(&zone->stripes[n], now);
}


void
tournament_cache_purge_all(tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    tournament_cache_advance(&cache->zone->purge_floor, now);
    tournament_cache_advance(&cache->zone->floor, now);
}


static void
tournament_cache_advance(uint64_t *stripe, uint64_t value)
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
tournament_cache_valid(tournament_cache_t *cache, uint64_t clock,
    uint32_t *stripes, ngx_uint_t n)
{
    ngx_uint_t          i;
    tournament_zone_t  *zone;

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
tournament_cache_fresh(tournament_cache_t *cache, uint64_t clock,
    uint32_t *stripes, ngx_uint_t n)
{
    return __atomic_load_n(&cache->zone->suspect, __ATOMIC_ACQUIRE) <= clock
           && tournament_cache_valid(cache, clock, stripes, n);
}


tournament_class_e
tournament_cache_class(tournament_cache_t *cache, uint64_t clock,
    uint32_t *stripes, ngx_uint_t n)
{
    ngx_uint_t          i;
    tournament_zone_t  *zone;

    zone = cache->zone;

    if (tournament_cache_fresh(cache, clock, stripes, n)) {
        return TOURNAMENT_FRESH;
    }

    if (__atomic_load_n(&zone->purge_floor, __ATOMIC_ACQUIRE) > clock) {
        return TOURNAMENT_PURGED;
    }

    for (i = 0; i < n; i++) {
        if (__atomic_load_n(&zone->purges[stripes[i]], __ATOMIC_ACQUIRE)
            > clock)
        {
            return TOURNAMENT_PURGED;
        }
    }

    return tournament_cache_valid(cache, clock, stripes, n)
           ? TOURNAMENT_SUSPECT : TOURNAMENT_INVALID;
}


ngx_int_t
tournament_cache_get(tournament_cache_t *cache, tournament_key_t *key,
    tournament_entry_t *entry)
{
    size_t               size, stripes;
    uint32_t             n, hash;
    tournament_head_t   *head;
    tournament_zone_t   *zone;
    tournament_cursor_t  cur;

    zone = cache->zone;
    hash = (uint32_t) tournament_hash(zone->secret, key->data, key->len);

    for ( ;; ) {

        tournament_cache_lock(cache);

        n = tournament_cache_find(zone, key, hash);

        if (n == TOURNAMENT_NIL) {
            tournament_cache_unlock(cache);
            return NGX_DECLINED;
        }

        head = &zone->cells[n].head;

        stripes = ngx_align(head->nstripes * sizeof(uint32_t), 8);
        size = stripes + head->len;

        if (size <= cache->scratch_size) {
            break;
        }

        /* memory is never asked for under the lock */

        tournament_cache_unlock(cache);

        if (tournament_cache_scratch(cache, size) != NGX_OK) {
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

    tournament_cursor_init(&cur, zone->cells, n);
    tournament_cursor_read(&cur, NULL, head->key_len);
    tournament_cursor_read(&cur, entry->stripes,
                           entry->nstripes * sizeof(uint32_t));
    tournament_cursor_read(&cur, entry->facts, entry->len);

    /* order of use is kept to the second: most hits only read */

    if (head->used != (uint32_t) ngx_time()) {
        tournament_cache_change_begin(zone);
        tournament_cache_unlink(zone, n);
        tournament_cache_link(zone, n);
        tournament_cache_change_end(zone);
    }

    tournament_cache_unlock(cache);

    return NGX_OK;
}


ngx_int_t
tournament_cache_put(tournament_cache_t *cache, tournament_key_t *key,
    tournament_entry_t *entry)
{
    size_t               size;
    uint32_t             n, old, hash, cells, *bucket;
    ngx_int_t            rc;
    tournament_head_t   *head;
    tournament_zone_t   *zone;
    tournament_cursor_t  cur;

    zone = cache->zone;

    size = key->len + entry->nstripes * sizeof(uint32_t) + entry->len;

    if (entry->nstripes > 0xffff
        || size / sizeof(head->data)
           > zone->ncells / TOURNAMENT_ENTRY_SHARE)
    {
        return NGX_DECLINED;
    }

    cells = 1;

    if (size > sizeof(head->data)) {
        size -= sizeof(head->data);
        cells += (uint32_t) ((size + sizeof(((tournament_link_t *)
                                             NULL)->data) - 1)
                             / sizeof(((tournament_link_t *)
                                       NULL)->data));
    }

    hash = (uint32_t) tournament_hash(zone->secret, key->data, key->len);

    tournament_cache_lock(cache);

    old = tournament_cache_find(zone, key, hash);

    if (old != TOURNAMENT_NIL && zone->cells[old].head.clock > entry->clock) {
        tournament_cache_unlock(cache);
        return NGX_OK;
    }

    if (tournament_cache_walked(cache, entry->clock)) {

        /* read before a purge that did not know which thing it was */

        tournament_cache_unlock(cache);
        return NGX_DECLINED;
    }

    tournament_cache_change_begin(zone);

    if (old != TOURNAMENT_NIL) {
        tournament_cache_free(zone, old);
    }

    rc = tournament_cache_make_room(zone, cells, entry->missing);

    if (rc == NGX_OK) {
        n = tournament_cache_alloc(zone, cells);
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

        tournament_cursor_init(&cur, zone->cells, n);
        tournament_cursor_write(&cur, key->data, key->len);
        tournament_cursor_write(&cur, entry->stripes,
                                entry->nstripes * sizeof(uint32_t));
        tournament_cursor_write(&cur, entry->facts, entry->len);

        bucket = &zone->buckets[hash & zone->bucket_mask];
        head->chain = *bucket;
        *bucket = n;

        tournament_cache_link(zone, n);
    }

    tournament_cache_change_end(zone);
    tournament_cache_unlock(cache);

    return rc;
}


void
tournament_cache_walk_begin(tournament_cache_t *cache)
{
    uint64_t  now;

    now = __atomic_add_fetch(&cache->zone->clock, 1, __ATOMIC_SEQ_CST);

    tournament_cache_advance(&cache->zone->walked, now);
}


ngx_uint_t
tournament_cache_walked(tournament_cache_t *cache, uint64_t clock)
{
    return __atomic_load_n(&cache->zone->walked, __ATOMIC_SEQ_CST) > clock;
}


uint32_t
tournament_cache_walk(tournament_cache_t *cache, uint32_t first, uint32_t step,
    tournament_visit_pt visit, void *data)
{
    u_char               key[TOURNAMENT_KEY_MAX];
    size_t               size;
    uint32_t             n, next, bucket, last;
    tournament_head_t   *head;
    tournament_zone_t   *zone;
    tournament_entry_t   entry;
    tournament_cursor_t  cur;

    zone = cache->zone;

    /* entries are found by their buckets: a cell alone does not tell */

    last = ngx_min(first + step, zone->bucket_mask + 1);
    bucket = first;

again:

    tournament_cache_lock(cache);

    for ( /* void */ ; bucket < last; bucket++) {

        for (n = zone->buckets[bucket]; n != TOURNAMENT_NIL; n = next) {
            head = &zone->cells[n].head;
            next = head->chain;
            size = head->len;

            if (size > cache->scratch_size) {

                /* memory is never asked for under the lock */

                tournament_cache_unlock(cache);

                if (tournament_cache_scratch(cache, size) != NGX_OK) {
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

            tournament_cursor_init(&cur, zone->cells, n);
            tournament_cursor_read(&cur, key, head->key_len);
            tournament_cursor_read(&cur, NULL, head->nstripes
                                                        * sizeof(uint32_t));

            entry.len = head->len;
            tournament_cursor_read(&cur, entry.facts, entry.len);

            if (visit(data, key, head->key_len, &entry)) {
                tournament_cache_change_begin(zone);
                tournament_cache_free(zone, n);
                tournament_cache_change_end(zone);
            }
        }
    }

    tournament_cache_unlock(cache);

    return last <= zone->bucket_mask ? last : 0;
}


void
tournament_cache_failed(tournament_cache_t *cache, tournament_key_t *key)
{
    uint32_t            n, hash;
    tournament_zone_t  *zone;

    zone = cache->zone;
    hash = (uint32_t) tournament_hash(zone->secret, key->data, key->len);

    tournament_cache_lock(cache);

    n = tournament_cache_find(zone, key, hash);

    if (n != TOURNAMENT_NIL) {
        zone->cells[n].head.failed = 1;
    }

    tournament_cache_unlock(cache);
}


ngx_int_t
tournament_cache_claim(tournament_cache_t *cache, tournament_key_t *key,
    ngx_int_t worker, ngx_msec_t ms)
{
    uint64_t             hash;
    ngx_int_t            rc;
    tournament_zone_t   *zone;
    tournament_claim_t  *claim;

    zone = cache->zone;
    hash = tournament_hash(zone->secret, key->data, key->len);
    rc = NGX_OK;

    tournament_cache_lock(cache);

    claim = tournament_cache_claim_find(zone, hash);

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

    tournament_cache_unlock(cache);

    return rc;
}


void
tournament_cache_renew(tournament_cache_t *cache, tournament_key_t *key,
    ngx_msec_t ms)
{
    uint64_t             hash;
    tournament_zone_t   *zone;
    tournament_claim_t  *claim;

    zone = cache->zone;
    hash = tournament_hash(zone->secret, key->data, key->len);

    tournament_cache_lock(cache);

    claim = tournament_cache_claim_find(zone, hash);

    if (claim && claim->pid == ngx_pid) {
        claim->until = ngx_current_msec + ms;
    }

    tournament_cache_unlock(cache);
}


uint64_t
tournament_cache_release(tournament_cache_t *cache, tournament_key_t *key,
    ngx_msec_t ms)
{
    uint64_t             hash, waiting;
    tournament_zone_t   *zone;
    tournament_claim_t  *claim;

    zone = cache->zone;
    hash = tournament_hash(zone->secret, key->data, key->len);
    waiting = 0;

    tournament_cache_lock(cache);

    claim = tournament_cache_claim_find(zone, hash);

    if (claim && claim->pid == ngx_pid) {
        waiting = claim->waiting;
        claim->waiting = 0;
        claim->until = ngx_current_msec + ms;
        claim->pid = ms ? ngx_pid : 0;
    }

    tournament_cache_unlock(cache);

    return waiting;
}


/* the claim of a key that is alive, else a free place for one, else NULL */

static tournament_claim_t *
tournament_cache_claim_find(tournament_zone_t *zone, uint64_t hash)
{
    uint32_t             i;
    tournament_claim_t  *claim, *free;

    free = NULL;

    for (i = 0; i < TOURNAMENT_CLAIM_PLACES; i++) {
        claim = &zone->claims[(hash + i) & (TOURNAMENT_CLAIMS - 1)];

        if (claim->pid
            && ((ngx_msec_int_t) (claim->until - ngx_current_msec) < 0
                || (claim->pid != ngx_pid
                    && !tournament_cache_alive(claim->pid))))
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
tournament_cache_alive(ngx_pid_t pid)
{
    return kill(pid, 0) == 0 || ngx_errno != ESRCH;
}


ngx_int_t
tournament_cache_join(tournament_cache_t *cache)
{
    uint64_t   *worker, pid;
    ngx_int_t   i;

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        worker = &cache->zone->workers[i];
        pid = __atomic_load_n(worker, __ATOMIC_SEQ_CST);

        if ((pid == 0 || pid == (uint64_t) ngx_pid
             || !tournament_cache_alive((ngx_pid_t) pid))
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
tournament_cache_leave(tournament_cache_t *cache, ngx_int_t worker)
{
    if (worker >= 0) {
        __atomic_store_n(&cache->zone->workers[worker], 0, __ATOMIC_SEQ_CST);
    }
}


tournament_listener_t *
tournament_cache_listener(tournament_cache_t *cache)
{
    return &cache->zone->listener;
}


void *
tournament_cache_annex(tournament_cache_t *cache)
{
    return cache->zone->annex;
}


tournament_outage_t *
tournament_cache_outage(tournament_cache_t *cache, tournament_outage_e of)
{
    return &cache->zone->outages[of];
}


uint32_t
tournament_cache_generation(tournament_cache_t *cache)
{
    return __atomic_load_n(&cache->zone->generation, __ATOMIC_SEQ_CST);
}


void
tournament_cache_close(tournament_cache_t *cache)
{
    if (cache->scratch) {
        ngx_free(cache->scratch);
        cache->scratch = NULL;
        cache->scratch_size = 0;
    }
}


void
tournament_cache_stats(tournament_cache_t *cache,
    tournament_cache_stats_t *stats)
{
    tournament_zone_t  *zone;

    zone = cache->zone;

    tournament_cache_lock(cache);

    stats->cell_size = TOURNAMENT_CELL_SIZE;
    stats->cells = zone->ncells;
    stats->cells_free = zone->nfree;
    stats->missing = zone->lists[1].entries;
    stats->entries = zone->lists[0].entries + stats->missing;
    stats->evictions = (ngx_uint_t) zone->evictions;
    stats->recoveries = (ngx_uint_t) zone->recoveries;
    stats->age = tournament_cache_age((ngx_msec_t) zone->made);

    tournament_cache_unlock(cache);
}


static void
tournament_cache_lock(tournament_cache_t *cache)
{
    tournament_zone_t  *zone;

    ngx_shmtx_lock(&cache->shpool->mutex);

    zone = cache->zone;

    if (zone->changing) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "a process died while it changed the cache%s, "
                      "the cache is emptied", cache->shpool->log_ctx);

        tournament_cache_empty(zone);
        zone->recoveries++;
    }
}


static void
tournament_cache_unlock(tournament_cache_t *cache)
{
    ngx_shmtx_unlock(&cache->shpool->mutex);
}


/*
 * A process is killed between two instructions: it is enough that neither the
 * compiler nor the processor moves a change across the flag.  A store alone,
 * of whatever order, lets later plain stores pass it: the fence does not, and
 * the store in change_end() lets no earlier ones pass.  Whoever reads the flag,
 * in tournament_cache_lock(), has the mutex.
 */

static void
tournament_cache_change_begin(tournament_zone_t *zone)
{
    __atomic_store_n(&zone->changing, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


static void
tournament_cache_change_end(tournament_zone_t *zone)
{
    __atomic_store_n(&zone->changing, 0, __ATOMIC_RELEASE);
}


static void
tournament_cache_empty(tournament_zone_t *zone)
{
    uint32_t  i;

    tournament_cache_change_begin(zone);

    ngx_memset(zone->buckets, 0xff,
               (zone->bucket_mask + 1) * sizeof(uint32_t));

    for (i = 0; i < 2; i++) {
        zone->lists[i].newest = TOURNAMENT_NIL;
        zone->lists[i].oldest = TOURNAMENT_NIL;
        zone->lists[i].entries = 0;
        zone->lists[i].cells = 0;
    }

    for (i = 0; i < zone->ncells; i++) {
        zone->cells[i].next = i + 1;
    }

    zone->cells[zone->ncells - 1].next = TOURNAMENT_NIL;
    zone->free = 0;
    zone->nfree = zone->ncells;

    tournament_cache_change_end(zone);
}


static uint32_t
tournament_cache_find(tournament_zone_t *zone, tournament_key_t *key,
    uint32_t hash)
{
    uint32_t             n;
    tournament_head_t   *head;
    tournament_cursor_t  cur;

    n = zone->buckets[hash & zone->bucket_mask];

    while (n != TOURNAMENT_NIL) {
        head = &zone->cells[n].head;

        if (head->hash == hash && head->key_len == key->len) {

            tournament_cursor_init(&cur, zone->cells, n);

            if (tournament_cursor_equal(&cur, key->data, key->len)) {
                return n;
            }
        }

        n = head->chain;
    }

    return TOURNAMENT_NIL;
}


static ngx_int_t
tournament_cache_scratch(tournament_cache_t *cache, size_t size)
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
tournament_cache_link(tournament_zone_t *zone, uint32_t n)
{
    tournament_head_t  *head;
    tournament_list_t  *list;

    head = &zone->cells[n].head;
    list = &zone->lists[head->missing];

    head->newer = TOURNAMENT_NIL;
    head->older = list->newest;

    if (list->newest != TOURNAMENT_NIL) {
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
tournament_cache_unlink(tournament_zone_t *zone, uint32_t n)
{
    tournament_head_t  *head;
    tournament_list_t  *list;

    head = &zone->cells[n].head;
    list = &zone->lists[head->missing];

    if (head->newer != TOURNAMENT_NIL) {
        zone->cells[head->newer].head.older = head->older;

    } else {
        list->newest = head->older;
    }

    if (head->older != TOURNAMENT_NIL) {
        zone->cells[head->older].head.newer = head->newer;

    } else {
        list->oldest = head->newer;
    }

    list->entries--;
    list->cells -= head->cells;
}


static void
tournament_cache_free(tournament_zone_t *zone, uint32_t n)
{
    uint32_t           *next, last;
    tournament_head_t  *head;

    head = &zone->cells[n].head;

    tournament_cache_unlink(zone, n);

    next = &zone->buckets[head->hash & zone->bucket_mask];

    while (*next != n) {
        next = &zone->cells[*next].head.chain;
    }

    *next = head->chain;

    last = n;

    while (zone->cells[last].next != TOURNAMENT_NIL) {
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
tournament_cache_make_room(tournament_zone_t *zone, uint32_t cells,
    ngx_uint_t missing)
{
    tournament_list_t  *list;

    if (missing) {
        list = &zone->lists[1];

        if (cells > zone->missing_max) {
            return NGX_DECLINED;
        }

        while (list->cells + cells > zone->missing_max) {
            tournament_cache_free(zone, list->oldest);
            zone->evictions++;
        }
    }

    while (zone->nfree < cells) {
        list = &zone->lists[0];

        if (list->oldest == TOURNAMENT_NIL) {
            list = &zone->lists[1];
        }

        tournament_cache_free(zone, list->oldest);
        zone->evictions++;
    }

    return NGX_OK;
}


/* there are as many free cells: make_room() has seen to it */

static uint32_t
tournament_cache_alloc(tournament_zone_t *zone, uint32_t cells)
{
    uint32_t  i, first, last;

    first = zone->free;
    last = first;

    for (i = 1; i < cells; i++) {
        last = zone->cells[last].next;
    }

    zone->free = zone->cells[last].next;
    zone->nfree -= cells;
    zone->cells[last].next = TOURNAMENT_NIL;

    return first;
}


static void
tournament_cursor_init(tournament_cursor_t *cur, tournament_cell_t *cells,
    uint32_t n)
{
    cur->cells = cells;
    cur->cell = n;
    cur->pos = cells[n].head.data;
    cur->end = cur->pos + sizeof(cells[n].head.data);
}


/* moves on to the next cell where this one is done; bytes left in the cell */

static size_t
tournament_cursor_room(tournament_cursor_t *cur)
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
tournament_cursor_read(tournament_cursor_t *cur, void *dst, size_t len)
{
    size_t   n;
    u_char  *p;

    p = dst;

    while (len) {
        n = ngx_min(len, tournament_cursor_room(cur));

        if (p) {
            p = ngx_cpymem(p, cur->pos, n);
        }

        cur->pos += n;
        len -= n;
    }
}


static void
tournament_cursor_write(tournament_cursor_t *cur, void *src, size_t len)
{
    size_t   n;
    u_char  *p;

    p = src;

    while (len) {
        n = ngx_min(len, tournament_cursor_room(cur));

        ngx_memcpy(cur->pos, p, n);

        cur->pos += n;
        p += n;
        len -= n;
    }
}


static ngx_uint_t
tournament_cursor_equal(tournament_cursor_t *cur, u_char *data, size_t len)
{
    size_t  n;

    while (len) {
        n = ngx_min(len, tournament_cursor_room(cur));

        if (ngx_memcmp(cur->pos, data, n) != 0) {
            return 0;
        }

        cur->pos += n;
        data += n;
        len -= n;
    }

    return 1;
}
