
/*
 * What the header offers takes the lock, sets the flag before it changes a
 * link, and clears it once all links are whole again: a process may die between
 * any two instructions.  Nothing that can wait is called under the lock.
 */

#include "zone/arena.h"
#include "zone/atomic.h"
#include "rules/hash.h"


/* no cell */
#define TOURNAMENT_NIL            0xffffffff

/* missing things may fill one cell in so many */
#define TOURNAMENT_MISSING_SHARE  16

/* one entry may fill one cell in so many */
#define TOURNAMENT_ENTRY_SHARE    4


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


struct tournament_store_s {
    uint32_t              ncells;
    uint32_t              bucket_mask;
    uint32_t              missing_max;   /* cells */

    uint32_t             *buckets;
    tournament_cell_t    *cells;

    /* under the lock */

    uint32_t              changing;
    uint32_t              free;
    uint32_t              nfree;
    tournament_list_t     lists[2];      /* facts, missing */
    uint64_t              evictions;
    uint64_t              recoveries;
};


/* a place in an entry's chain of cells */

typedef struct {
    tournament_cell_t  *cells;
    uint32_t            cell;
    u_char             *pos;
    u_char             *end;
} tournament_cursor_t;


static void tournament_arena_use(tournament_store_t *store, uint32_t n);
static size_t tournament_arena_visit(tournament_arena_t *arena, uint32_t
    bucket, tournament_visit_pt visit, void *data);
static void tournament_arena_lock(tournament_arena_t *arena);
static void tournament_arena_unlock(tournament_arena_t *arena);
static void tournament_arena_begin(tournament_store_t *store);
static void tournament_arena_end(tournament_store_t *store);
static void tournament_arena_empty(tournament_store_t *store);
static uint32_t tournament_arena_hash(tournament_arena_t *arena,
    tournament_key_t *key);
static uint32_t tournament_arena_cells(size_t size);
static void tournament_arena_read(tournament_head_t *head,
    tournament_entry_t *entry);
static void tournament_arena_write(tournament_store_t *store, uint32_t n,
    tournament_key_t *key, tournament_entry_t *entry);
static uint32_t tournament_arena_find(tournament_store_t *store,
    tournament_key_t *key, uint32_t hash);
static void tournament_arena_link(tournament_store_t *store, uint32_t n);
static void tournament_arena_unlink(tournament_store_t *store, uint32_t n);
static void tournament_arena_free(tournament_store_t *store, uint32_t n);
static ngx_int_t tournament_arena_make_room(tournament_store_t *store, uint32_t
    cells, ngx_uint_t missing);
static uint32_t tournament_arena_alloc(tournament_store_t *store, uint32_t
    cells);
static void tournament_cursor_init(tournament_cursor_t *cur,
    tournament_cell_t *cells, uint32_t n);
static size_t tournament_cursor_room(tournament_cursor_t *cur);
static void tournament_cursor_read(tournament_cursor_t *cur, void *dst, size_t
    len);
static void tournament_cursor_write(tournament_cursor_t *cur, void *src, size_t
    len);
static ngx_uint_t tournament_cursor_equal(tournament_cursor_t *cur, u_char
    *data, size_t len);


tournament_store_t *
tournament_arena_layout(u_char *memory, size_t size, uint32_t nbuckets)
{
    u_char              *p;
    tournament_store_t  *store;

    store = (tournament_store_t *) memory;
    ngx_memzero(store, sizeof(tournament_store_t));

    p = memory + ngx_align(sizeof(tournament_store_t), 8);

    store->buckets = (uint32_t *) p;
    store->bucket_mask = nbuckets - 1;
    p += nbuckets * sizeof(uint32_t);

    p = ngx_align_ptr(p, TOURNAMENT_CELL_SIZE);

    store->cells = (tournament_cell_t *) p;
    store->ncells = (uint32_t) ((size - (p - memory)) / TOURNAMENT_CELL_SIZE);
    store->missing_max = store->ncells / TOURNAMENT_MISSING_SHARE;

    tournament_arena_empty(store);

    return store;
}


ngx_int_t
tournament_arena_get(tournament_arena_t *arena, tournament_key_t *key,
    tournament_entry_t *entry)
{
    size_t               size, stripes;
    uint32_t             n, hash;
    tournament_head_t   *head;
    tournament_store_t  *store;
    tournament_cursor_t  cur;

    store = arena->store;
    hash = tournament_arena_hash(arena, key);

    for ( ;; ) {

        tournament_arena_lock(arena);

        n = tournament_arena_find(store, key, hash);

        if (n == TOURNAMENT_NIL) {
            tournament_arena_unlock(arena);
            return NGX_DECLINED;
        }

        head = &store->cells[n].head;

        stripes = ngx_align(head->nstripes * sizeof(uint32_t), 8);
        size = stripes + head->len;

        if (size <= arena->scratch.size) {
            break;
        }

        /* memory is never asked for under the lock */

        tournament_arena_unlock(arena);

        if (tournament_buffer_reserve(&arena->scratch, size) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    tournament_arena_read(head, entry);

    entry->nstripes = head->nstripes;
    entry->stripes = arena->scratch.data;
    entry->facts = (u_char *) arena->scratch.data + stripes;

    tournament_cursor_init(&cur, store->cells, n);
    tournament_cursor_read(&cur, NULL, head->key_len);
    tournament_cursor_read(&cur, entry->stripes,
                           entry->nstripes * sizeof(uint32_t));
    tournament_cursor_read(&cur, entry->facts, entry->len);

    tournament_arena_use(store, n);
    tournament_arena_unlock(arena);

    return NGX_OK;
}


/* order of use is kept to the second: most hits only read */

static void
tournament_arena_use(tournament_store_t *store, uint32_t n)
{
    if (store->cells[n].head.used != (uint32_t) ngx_time()) {
        tournament_arena_begin(store);
        tournament_arena_unlink(store, n);
        tournament_arena_link(store, n);
        tournament_arena_end(store);
    }
}


ngx_int_t
tournament_arena_put(tournament_arena_t *arena, tournament_key_t *key,
    tournament_entry_t *entry)
{
    size_t               size;
    uint32_t             n, old, hash, cells;
    ngx_int_t            rc;
    tournament_head_t   *head;
    tournament_store_t  *store;

    store = arena->store;

    size = key->len + entry->nstripes * sizeof(uint32_t) + entry->len;

    if (entry->nstripes > 0xffff
        || size / sizeof(head->data) > store->ncells / TOURNAMENT_ENTRY_SHARE)
    {
        return NGX_DECLINED;
    }

    cells = tournament_arena_cells(size);
    hash = tournament_arena_hash(arena, key);

    tournament_arena_lock(arena);

    old = tournament_arena_find(store, key, hash);

    if (old != TOURNAMENT_NIL && store->cells[old].head.clock > entry->clock) {
        tournament_arena_unlock(arena);
        return NGX_OK;
    }

    if (tournament_clock_walked(arena->clock, entry->clock)) {

        /* read before a purge that did not know which thing it was */

        tournament_arena_unlock(arena);
        return NGX_DECLINED;
    }

    tournament_arena_begin(store);

    if (old != TOURNAMENT_NIL) {
        tournament_arena_free(store, old);
    }

    rc = tournament_arena_make_room(store, cells, entry->missing);

    if (rc == NGX_OK) {
        n = tournament_arena_alloc(store, cells);

        store->cells[n].head.hash = hash;
        store->cells[n].head.cells = cells;

        tournament_arena_write(store, n, key, entry);
        tournament_arena_link(store, n);
    }

    tournament_arena_end(store);
    tournament_arena_unlock(arena);

    return rc;
}


uint32_t
tournament_arena_walk(tournament_arena_t *arena, uint32_t first, uint32_t step,
    tournament_visit_pt visit, void *data)
{
    size_t    need;
    uint32_t  bucket, last;

    /* entries are found by their buckets: a cell alone does not tell */

    last = ngx_min(first + step, arena->store->bucket_mask + 1);
    bucket = first;

    while (bucket < last) {
        need = 0;

        tournament_arena_lock(arena);

        while (bucket < last && need == 0) {
            need = tournament_arena_visit(arena, bucket, visit, data);

            if (need == 0) {
                bucket++;
            }
        }

        tournament_arena_unlock(arena);

        /* memory is never asked for under the lock */

        if (tournament_buffer_reserve(&arena->scratch, need) != NGX_OK) {
            return 0;
        }
    }

    return last <= arena->store->bucket_mask ? last : 0;
}


/* 0: all of a bucket's entries were shown.  Else: bytes of scratch it needs. */

static size_t
tournament_arena_visit(tournament_arena_t *arena, uint32_t bucket,
    tournament_visit_pt visit, void *data)
{
    u_char               key[TOURNAMENT_KEY_MAX];
    uint32_t             n, next;
    tournament_head_t   *head;
    tournament_entry_t   entry;
    tournament_store_t  *store;
    tournament_cursor_t  cur;

    store = arena->store;

    for (n = store->buckets[bucket]; n != TOURNAMENT_NIL; n = next) {
        head = &store->cells[n].head;
        next = head->chain;

        if (head->len > arena->scratch.size) {
            return head->len;
        }

        tournament_arena_read(head, &entry);

        entry.nstripes = 0;
        entry.stripes = NULL;
        entry.facts = arena->scratch.data;

        tournament_cursor_init(&cur, store->cells, n);
        tournament_cursor_read(&cur, key, head->key_len);
        tournament_cursor_read(&cur, NULL, head->nstripes * sizeof(uint32_t));
        tournament_cursor_read(&cur, entry.facts, entry.len);

        if (visit(data, key, head->key_len, &entry)) {
            tournament_arena_begin(store);
            tournament_arena_free(store, n);
            tournament_arena_end(store);
        }
    }

    return 0;
}


void
tournament_arena_failed(tournament_arena_t *arena, tournament_key_t *key)
{
    uint32_t             n, hash;
    tournament_store_t  *store;

    store = arena->store;
    hash = tournament_arena_hash(arena, key);

    tournament_arena_lock(arena);

    n = tournament_arena_find(store, key, hash);

    if (n != TOURNAMENT_NIL) {
        store->cells[n].head.failed = 1;
    }

    tournament_arena_unlock(arena);
}


void
tournament_arena_stats(tournament_arena_t *arena,
    tournament_arena_stats_t *stats)
{
    tournament_store_t  *store;

    store = arena->store;

    tournament_arena_lock(arena);

    stats->cell_size = TOURNAMENT_CELL_SIZE;
    stats->cells = store->ncells;
    stats->cells_free = store->nfree;
    stats->missing = store->lists[1].entries;
    stats->entries = store->lists[0].entries + stats->missing;
    stats->evictions = (ngx_uint_t) store->evictions;
    stats->recoveries = (ngx_uint_t) store->recoveries;

    tournament_arena_unlock(arena);
}


void
tournament_arena_close(tournament_arena_t *arena)
{
    tournament_buffer_free(&arena->scratch);
}


static void
tournament_arena_lock(tournament_arena_t *arena)
{
    tournament_store_t  *store;

    ngx_shmtx_lock(&arena->shpool->mutex);

    store = arena->store;

    if (store->changing) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "a process died while it changed the cache%s, "
                      "the cache is emptied", arena->shpool->log_ctx);

        tournament_arena_empty(store);
        store->recoveries++;
    }
}


static void
tournament_arena_unlock(tournament_arena_t *arena)
{
    ngx_shmtx_unlock(&arena->shpool->mutex);
}


/*
 * A process is killed between two instructions: it is enough that neither the
 * compiler nor the processor moves a change across the flag.  A store alone,
 * of whatever order, lets later plain stores pass it: the fence does not, and
 * the store in tournament_arena_end() lets no earlier ones pass.  Whoever
 * reads the flag, in tournament_arena_lock(), has the mutex.
 */

static void
tournament_arena_begin(tournament_store_t *store)
{
    tournament_atomic_release(&store->changing, 1);
    tournament_atomic_fence();
}


static void
tournament_arena_end(tournament_store_t *store)
{
    tournament_atomic_release(&store->changing, 0);
}


static void
tournament_arena_empty(tournament_store_t *store)
{
    uint32_t  i;

    tournament_arena_begin(store);

    ngx_memset(store->buckets, 0xff,
               (store->bucket_mask + 1) * sizeof(uint32_t));

    for (i = 0; i < 2; i++) {
        store->lists[i].newest = TOURNAMENT_NIL;
        store->lists[i].oldest = TOURNAMENT_NIL;
        store->lists[i].entries = 0;
        store->lists[i].cells = 0;
    }

    for (i = 0; i < store->ncells; i++) {
        store->cells[i].next = i + 1;
    }

    store->cells[store->ncells - 1].next = TOURNAMENT_NIL;
    store->free = 0;
    store->nfree = store->ncells;

    tournament_arena_end(store);
}


static uint32_t
tournament_arena_hash(tournament_arena_t *arena, tournament_key_t *key)
{
    return (uint32_t) tournament_hash(arena->secret, key->data, key->len);
}


/* how many cells an entry's key, stripes and facts take */

static uint32_t
tournament_arena_cells(size_t size)
{
    size_t  first, more;

    first = sizeof(((tournament_head_t *) NULL)->data);
    more = sizeof(((tournament_link_t *) NULL)->data);

    return 1 + (size > first ? (uint32_t) ((size - first + more - 1) / more)
                             : 0);
}


/* all but what is in the chain */

static void
tournament_arena_read(tournament_head_t *head, tournament_entry_t *entry)
{
    entry->clock = head->clock;
    entry->fetched = (ngx_msec_t) head->fetched;
    entry->valid_until = head->valid_until;
    entry->missing = head->missing;
    entry->failed = head->failed;
    entry->len = head->len;
}


/* hash and cells are set: the rest, and its place in a bucket */

static void
tournament_arena_write(tournament_store_t *store, uint32_t n,
    tournament_key_t *key, tournament_entry_t *entry)
{
    uint32_t             *bucket;
    tournament_head_t    *head;
    tournament_cursor_t   cur;

    head = &store->cells[n].head;

    head->clock = entry->clock;
    head->fetched = entry->fetched;
    head->valid_until = entry->valid_until;
    head->len = (uint32_t) entry->len;
    head->key_len = (uint16_t) key->len;
    head->nstripes = (uint16_t) entry->nstripes;
    head->missing = entry->missing;
    head->failed = 0;

    tournament_cursor_init(&cur, store->cells, n);
    tournament_cursor_write(&cur, key->data, key->len);
    tournament_cursor_write(&cur, entry->stripes,
                            entry->nstripes * sizeof(uint32_t));
    tournament_cursor_write(&cur, entry->facts, entry->len);

    bucket = &store->buckets[head->hash & store->bucket_mask];
    head->chain = *bucket;
    *bucket = n;
}


static uint32_t
tournament_arena_find(tournament_store_t *store, tournament_key_t *key,
    uint32_t hash)
{
    uint32_t             n;
    tournament_head_t   *head;
    tournament_cursor_t  cur;

    n = store->buckets[hash & store->bucket_mask];

    while (n != TOURNAMENT_NIL) {
        head = &store->cells[n].head;

        if (head->hash == hash && head->key_len == key->len) {

            tournament_cursor_init(&cur, store->cells, n);

            if (tournament_cursor_equal(&cur, key->data, key->len)) {
                return n;
            }
        }

        n = head->chain;
    }

    return TOURNAMENT_NIL;
}


static void
tournament_arena_link(tournament_store_t *store, uint32_t n)
{
    tournament_head_t  *head;
    tournament_list_t  *list;

    head = &store->cells[n].head;
    list = &store->lists[head->missing];

    head->newer = TOURNAMENT_NIL;
    head->older = list->newest;

    if (list->newest != TOURNAMENT_NIL) {
        store->cells[list->newest].head.newer = n;

    } else {
        list->oldest = n;
    }

    list->newest = n;
    list->entries++;
    list->cells += head->cells;

    head->used = (uint32_t) ngx_time();
}


static void
tournament_arena_unlink(tournament_store_t *store, uint32_t n)
{
    tournament_head_t  *head;
    tournament_list_t  *list;

    head = &store->cells[n].head;
    list = &store->lists[head->missing];

    if (head->newer != TOURNAMENT_NIL) {
        store->cells[head->newer].head.older = head->older;

    } else {
        list->newest = head->older;
    }

    if (head->older != TOURNAMENT_NIL) {
        store->cells[head->older].head.newer = head->newer;

    } else {
        list->oldest = head->newer;
    }

    list->entries--;
    list->cells -= head->cells;
}


static void
tournament_arena_free(tournament_store_t *store, uint32_t n)
{
    uint32_t           *next, last;
    tournament_head_t  *head;

    head = &store->cells[n].head;

    tournament_arena_unlink(store, n);

    next = &store->buckets[head->hash & store->bucket_mask];

    while (*next != n) {
        next = &store->cells[*next].head.chain;
    }

    *next = head->chain;

    last = n;

    while (store->cells[last].next != TOURNAMENT_NIL) {
        last = store->cells[last].next;
    }

    store->nfree += head->cells;
    store->cells[last].next = store->free;
    store->free = n;
}


/*
 * Evicts until so many cells are free.  Missing things live within their
 * share, so that a scan of names cannot push out facts.
 */

static ngx_int_t
tournament_arena_make_room(tournament_store_t *store, uint32_t cells,
    ngx_uint_t missing)
{
    tournament_list_t  *list;

    if (missing) {
        list = &store->lists[1];

        if (cells > store->missing_max) {
            return NGX_DECLINED;
        }

        while (list->cells + cells > store->missing_max) {
            tournament_arena_free(store, list->oldest);
            store->evictions++;
        }
    }

    while (store->nfree < cells) {
        list = &store->lists[0];

        if (list->oldest == TOURNAMENT_NIL) {
            list = &store->lists[1];
        }

        tournament_arena_free(store, list->oldest);
        store->evictions++;
    }

    return NGX_OK;
}


/* there are as many free cells: make_room() has seen to it */

static uint32_t
tournament_arena_alloc(tournament_store_t *store, uint32_t cells)
{
    uint32_t  i, first, last;

    first = store->free;
    last = first;

    for (i = 1; i < cells; i++) {
        last = store->cells[last].next;
    }

    store->free = store->cells[last].next;
    store->nfree -= cells;
    store->cells[last].next = TOURNAMENT_NIL;

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
