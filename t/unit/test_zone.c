
/*
 * The arena of facts against a plain model of it, and against processes that
 * are killed at any instruction.  The rooms' sources are included, so that the
 * arena's chains and lists can be looked at; the little that they ask of nginx
 * is here.
 */

#include <sys/ptrace.h>

#include "zone/zone.c"
#include "zone/clock.c"
#include "zone/worker.c"
#include "zone/claim.c"
#include "zone/arena.c"
#include "zone/outage.c"

#include "suite.h"


#define ZONE        (TOURNAMENT_ZONE_MIN)
#define ANNEX       1000
#define KEYS        600
#define FACTS_MAX   30000

#define CHILDREN    4
#define KILLS       100

/*
 * Check writes each of its assertions to a file that the processes of a test
 * share.  That is too slow for the inmost loops, and not for a process that is
 * killed: half a message would be left there.
 */

#define must(expr)                                                            \
    if (!(expr)) ck_abort_msg("line %d: %s", __LINE__, #expr)


/* what a key holds: facts follow from key and seed, so they need no copy */

typedef struct {
    ngx_uint_t   present;
    ngx_uint_t   missing;
    uint32_t     seed;
    size_t       len;
    ngx_uint_t   nstripes;
    uint64_t     clock;
    ngx_uint_t   cells;
    time_t       used;
    uint64_t     order;
} model_t;


/* beside the zone, shared as well */

typedef struct {
    ngx_uint_t   ops[CHILDREN];
    ngx_uint_t   bad;
    ngx_uint_t   stop;
} board_t;


static ngx_log_t                    test_log;
static ngx_cycle_t                  test_cycle;
static ngx_time_t                   test_time;
static ngx_shm_zone_t               shm_zone;
static tournament_zone_t  zone;
static ngx_uint_t                   warnings;

static model_t                      model[KEYS];
static uint64_t                     model_order;
static ngx_uint_t                   model_evictions;

static u_char                       facts[FACTS_MAX + 8];
static uint32_t                     stripes[64];
static uint64_t                     random_state;

/* what nginx has */

volatile ngx_cycle_t               *ngx_cycle = &test_cycle;
volatile ngx_time_t                *ngx_cached_time = &test_time;
ngx_pid_t                           ngx_pid;
volatile ngx_msec_t                 ngx_current_msec;
ngx_uint_t                          ngx_pagesize = 4096;


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    warnings++;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


ngx_shm_zone_t *
ngx_shared_memory_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    shm_zone.shm.size = size;
    shm_zone.shm.name = *name;

    return &shm_zone;
}


/* a pool whose memory is never given back */

void *
ngx_slab_alloc(ngx_slab_pool_t *pool, size_t size)
{
    u_char  *p;

    p = pool->start;
    size = ngx_align(size, ngx_pagesize);

    if ((size_t) (pool->end - p) < size) {
        return NULL;
    }

    pool->start = p + size;
    pool->pfree -= size / ngx_pagesize;

    return p;
}


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    while (*mtx->lock || !ngx_atomic_cmp_set(mtx->lock, 0, ngx_pid)) {
        sched_yield();
    }
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    (void) ngx_atomic_cmp_set(mtx->lock, ngx_pid, 0);
}


/* what the master does for a child that has died */

ngx_uint_t
ngx_shmtx_force_unlock(ngx_shmtx_t *mtx, ngx_pid_t pid)
{
    return ngx_atomic_cmp_set(mtx->lock, pid, 0);
}


/* the only format that the room asks for */

u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    return ngx_cpymem(buf, " in a test", sizeof(" in a test"));
}


static uint32_t
random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ULL
                   + 1442695040888963407ULL;

    return (uint32_t) ((random_state >> 33) % n);
}


static void
zone_create(size_t size)
{
    void             *addr;
    ngx_str_t         name = ngx_string("test");
    ngx_slab_pool_t  *pool;

    ngx_pid = getpid();
    test_log.log_level = NGX_LOG_DEBUG;
    test_cycle.log = &test_log;
    test_time.sec = 1000;
    warnings = 0;
    random_state = 1;

    addr = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                -1, 0);
    ck_assert_ptr_ne(addr, MAP_FAILED);

    ngx_memzero(&zone, sizeof(tournament_zone_t));
    ngx_memzero(&shm_zone, sizeof(ngx_shm_zone_t));

    zone.annex_size = ANNEX;

    ck_assert_ptr_eq(tournament_zone_add(NULL, &zone, &name, size,
                                          NULL),
                     &shm_zone);

    /* as ngx_init_zone_pool() */

    pool = addr;
    pool->start = (u_char *) addr + ngx_pagesize;
    pool->end = (u_char *) addr + size;
    pool->pfree = size / ngx_pagesize - 1;
    pool->mutex.lock = &pool->lock.lock;

    shm_zone.shm.addr = addr;

    ck_assert_int_eq(shm_zone.init(&shm_zone, NULL), NGX_OK);
}


static void
zone_destroy(void)
{
    tournament_arena_close(&zone.arena);
    munmap(shm_zone.shm.addr, shm_zone.shm.size);
}


/* the key's bytes are good until the next one is made */

static void
key_make(tournament_key_t *key, uint32_t n)
{
    u_char         name[255];
    size_t         i, len;

    static u_char  buf[TOURNAMENT_KEY_MAX];

    tournament_key_init(key, buf, 7, 1);

    /* of any length: some do not fit into an entry's first cell */

    len = 1 + n * 7 % sizeof(name);

    for (i = 0; i < len; i++) {
        name[i] = (u_char) ('a' + (n >> (i % 3 * 4)) % 16);
    }

    must(tournament_key_add(key, name, len) == NGX_OK);
    must(tournament_key_add(key, (u_char *) &n, sizeof(n)) == NGX_OK);
}


static u_char
facts_byte(uint32_t n, uint32_t seed, size_t i)
{
    return (u_char) (n * 31 + seed * 17 + i * 7 + (i >> 8));
}


static void
entry_make(tournament_entry_t *entry, uint32_t n, uint32_t seed, size_t len,
    ngx_uint_t nstripes, uint64_t clock, ngx_uint_t missing)
{
    size_t  i;

    ngx_memzero(entry, sizeof(tournament_entry_t));

    for (i = 0; i < len; i++) {
        facts[i] = facts_byte(n, seed, i);
    }

    for (i = 0; i < nstripes; i++) {
        stripes[i] = (n + seed + (uint32_t) i) % 32;
    }

    entry->clock = clock;
    entry->fetched = seed;
    entry->valid_until = (int64_t) len;
    entry->stripes = stripes;
    entry->nstripes = nstripes;
    entry->facts = facts;
    entry->len = len;
    entry->missing = missing;
}


/* an entry tells by itself what should be in it; 1: it is */

static ngx_uint_t
entry_sound(tournament_entry_t *entry, uint32_t n)
{
    size_t  i;

    if (entry->len != (size_t) entry->valid_until) {
        return 0;
    }

    for (i = 0; i < entry->len; i++) {
        if (entry->facts[i] != facts_byte(n, (uint32_t) entry->fetched, i)) {
            return 0;
        }
    }

    for (i = 0; i < entry->nstripes; i++) {
        if (entry->stripes[i]
            != (n + (uint32_t) entry->fetched + (uint32_t) i) % 32)
        {
            return 0;
        }
    }

    return 1;
}


/* each cell of a list is met once; how many there are */

static uint32_t
cells_check(tournament_store_t *store, u_char *seen, uint32_t n)
{
    uint32_t  cells;

    for (cells = 0; n != TOURNAMENT_NIL; n = store->cells[n].next) {
        must(n < store->ncells);
        must(seen[n]++ == 0);
        cells++;
    }

    return cells;
}


static void
bucket_check(tournament_store_t *store, u_char *seen, uint32_t bucket,
    uint32_t *entries)
{
    u_char                name[TOURNAMENT_KEY_MAX];
    uint32_t              n, key;
    tournament_head_t    *head;
    tournament_cursor_t   cur;

    for (n = store->buckets[bucket]; n != TOURNAMENT_NIL; n = head->chain) {
        must(n < store->ncells);

        head = &store->cells[n].head;

        must(head->missing <= 1);
        entries[head->missing]++;

        tournament_cursor_init(&cur, store->cells, n);
        tournament_cursor_read(&cur, name, head->key_len);

        key = (uint32_t) tournament_hash(zone.arena.secret, name,
                                         head->key_len);
        must(head->hash == key);
        must((head->hash & store->bucket_mask) == bucket);
        must(head->cells == cells_check(store, seen, n));
    }
}


static void
list_check(tournament_store_t *store, uint32_t missing, uint32_t entries)
{
    uint32_t            n, prev, cells;
    tournament_head_t  *head;
    tournament_list_t  *list;

    list = &store->lists[missing];
    prev = TOURNAMENT_NIL;
    cells = 0;

    for (n = list->newest; n != TOURNAMENT_NIL; n = head->older) {
        head = &store->cells[n].head;

        must(head->missing == missing);
        must(head->newer == prev);

        must(entries > 0);
        entries--;
        cells += head->cells;
        prev = n;
    }

    must(list->oldest == prev);
    must(list->cells == cells);
    must(entries == 0);
}


/* every cell is free or in one chain, every chain in one bucket and list */

static void
arena_check(void)
{
    u_char              *seen;
    uint32_t             i, entries[2];
    tournament_store_t  *store;

    store = zone.arena.store;

    must(store->changing == 0);

    seen = calloc(store->ncells, 1);
    must(seen != NULL);

    ngx_memzero(entries, sizeof(entries));

    must(store->nfree == cells_check(store, seen, store->free));

    for (i = 0; i <= store->bucket_mask; i++) {
        bucket_check(store, seen, i, entries);
    }

    for (i = 0; i < store->ncells; i++) {
        must(seen[i] == 1);
    }

    list_check(store, 0, entries[0]);
    list_check(store, 1, entries[1]);

    must(store->lists[1].cells <= store->missing_max);

    free(seen);
}


static ngx_uint_t
model_cells(size_t key_len, ngx_uint_t nstripes, size_t len)
{
    size_t  size;

    size = key_len + nstripes * 4 + len;

    return size <= 192 ? 1 : 1 + (size - 192 + 251) / 252;
}


static ngx_uint_t
model_used(ngx_int_t missing)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < KEYS; i++) {
        if (model[i].present
            && (missing < 0 || model[i].missing == (ngx_uint_t) missing))
        {
            n += model[i].cells;
        }
    }

    return n;
}


static ngx_uint_t
model_evict(ngx_uint_t missing)
{
    ngx_uint_t  i, oldest;

    oldest = KEYS;

    for (i = 0; i < KEYS; i++) {
        if (model[i].present && model[i].missing == missing
            && (oldest == KEYS || model[i].order < model[oldest].order))
        {
            oldest = i;
        }
    }

    if (oldest == KEYS) {
        return 0;
    }

    model[oldest].present = 0;
    model_evictions++;

    return 1;
}


static void
model_put(uint32_t n, tournament_entry_t *entry, uint32_t seed,
    ngx_uint_t cells)
{
    model_t  *m;

    m = &model[n];

    if (m->present && m->clock > entry->clock) {
        return;
    }

    m->present = 0;

    if (entry->missing) {
        if (cells > zone.arena.store->missing_max) {
            return;
        }

        while (model_used(1) + cells > zone.arena.store->missing_max) {
            ck_assert(model_evict(1));
        }
    }

    while (model_used(-1) + cells > zone.arena.store->ncells) {
        if (!model_evict(0)) {
            ck_assert(model_evict(1));
        }
    }

    m->present = 1;
    m->missing = entry->missing;
    m->seed = seed;
    m->len = entry->len;
    m->nstripes = entry->nstripes;
    m->clock = entry->clock;
    m->cells = cells;
    m->used = ngx_time();
    m->order = ++model_order;
}


static void
random_put(void)
{
    size_t              len;
    uint32_t            n, seed;
    uint64_t            clock;
    ngx_int_t           rc;
    ngx_uint_t          nstripes, missing, cells;
    tournament_key_t    key;
    tournament_entry_t  entry;

    static const uint32_t  sizes[] = { 1, 16, 200, 700, 3000, FACTS_MAX };

    n = random_below(KEYS);
    seed = random_below(1000000);
    missing = random_below(3) == 0;
    nstripes = random_below(random_below(4) ? 3 : 64);
    len = missing && random_below(8) ? 0 : random_below(sizes[random_below(6)]
                                                        + 1);
    clock = tournament_clock_now(zone.clock) - random_below(3);

    key_make(&key, n);
    entry_make(&entry, n, seed, len, nstripes, clock, missing);

    cells = model_cells(key.len, nstripes, len);

    rc = tournament_arena_put(&zone.arena, &key, &entry);

    if (rc == NGX_OK) {
        model_put(n, &entry, seed, cells);
        return;
    }

    ck_assert_int_eq(rc, NGX_DECLINED);
    ck_assert(missing && cells > zone.arena.store->missing_max);

    model_put(n, &entry, seed, cells);
}


static void
random_get(void)
{
    model_t            *m;
    uint32_t            n;
    ngx_int_t           rc;
    tournament_key_t    key;
    tournament_entry_t  entry;

    n = random_below(KEYS);
    m = &model[n];

    key_make(&key, n);

    rc = tournament_arena_get(&zone.arena, &key, &entry);

    ck_assert_int_eq(rc, m->present ? NGX_OK : NGX_DECLINED);

    if (!m->present) {
        return;
    }

    ck_assert_uint_eq(entry.missing, m->missing);
    ck_assert_uint_eq(entry.fetched, m->seed);
    ck_assert_uint_eq(entry.len, m->len);
    ck_assert_uint_eq(entry.nstripes, m->nstripes);
    ck_assert_uint_eq(entry.clock, m->clock);
    ck_assert_uint_eq((uintptr_t) entry.facts % 8, 0);
    ck_assert(entry_sound(&entry, n));

    if (m->used != ngx_time()) {
        m->used = ngx_time();
        m->order = ++model_order;
    }
}


START_TEST(arena_is_as_the_model)
{
    ngx_uint_t                i;
    tournament_arena_stats_t  stats;

    zone_create(ZONE);
    ngx_memzero(model, sizeof(model));
    model_order = 0;
    model_evictions = 0;
    random_state = _i + 1;

    for (i = 0; i < 10; i++) {
        tournament_clock_change_all(zone.clock);
    }

    for (i = 0; i < 4000; i++) {

        if (random_below(2)) {
            random_put();

        } else {
            random_get();
        }

        if (random_below(20) == 0) {
            test_time.sec++;
        }

        if (random_below(50) == 0) {
            tournament_clock_change(zone.clock, TOURNAMENT_TOURNAMENT, i);
        }

        if (i % 8 == 0) {
            arena_check();

            ck_assert_uint_eq(zone.arena.store->nfree,
                              zone.arena.store->ncells - model_used(-1));
            ck_assert_uint_eq(zone.arena.store->lists[1].cells, model_used(1));
        }
    }

    tournament_arena_stats(&zone.arena, &stats);

    ck_assert_uint_gt(stats.evictions, 100);
    ck_assert_uint_eq(stats.evictions, model_evictions);
    ck_assert_uint_eq(stats.recoveries, 0);
    ck_assert_uint_eq(warnings, 0);

    zone_destroy();
}
END_TEST


/* the largest entry, and what is larger */

START_TEST(size_of_an_entry_is_limited)
{
    size_t              len, max;
    u_char             *big;
    ngx_int_t           rc;
    tournament_key_t    key;
    tournament_entry_t  entry;

    zone_create(ZONE);

    big = calloc(1, ZONE);
    ck_assert_ptr_nonnull(big);

    ngx_memzero(&entry, sizeof(tournament_entry_t));
    entry.facts = big;
    key_make(&key, 1);
    max = 0;

    for (len = 1; len < ZONE; len += 97) {
        entry.len = len;
        rc = tournament_arena_put(&zone.arena, &key, &entry);

        if (rc == NGX_OK) {
            ck_assert_uint_ge(len, max);
            max = len;

        } else {
            ck_assert_int_eq(rc, NGX_DECLINED);
        }
    }

    arena_check();

    ck_assert_uint_gt(max, ZONE / 8);
    ck_assert_uint_lt(max, ZONE / 2);

    /* the last that went in is still there */

    ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry), NGX_OK);
    ck_assert_uint_eq(entry.len, max);

    free(big);
    zone_destroy();
}
END_TEST


/* a scan of names that do not exist leaves the facts where they are */

START_TEST(missing_things_have_a_share)
{
    uint32_t            i, n;
    tournament_key_t    key;
    tournament_entry_t  entry;

    zone_create(ZONE);

    n = (zone.arena.store->ncells - zone.arena.store->missing_max) / 3;

    for (i = 0; i < n; i++) {
        key_make(&key, i);
        entry_make(&entry, i, i, 100, 1, 0, 0);
        ck_assert_int_eq(tournament_arena_put(&zone.arena, &key, &entry),
                         NGX_OK);
    }

    for (i = 0; i < 3 * zone.arena.store->ncells; i++) {
        key_make(&key, n + i);
        entry_make(&entry, n + i, i, 0, 1, 0, 1);
        ck_assert_int_eq(tournament_arena_put(&zone.arena, &key, &entry),
                         NGX_OK);
    }

    arena_check();

    for (i = 0; i < n; i++) {
        key_make(&key, i);
        ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry),
                         NGX_OK);
        ck_assert(entry_sound(&entry, i));
    }

    zone_destroy();
}
END_TEST


START_TEST(change_ends_what_shows_the_thing)
{
    uint32_t  shown[2];
    uint64_t  before;

    zone_create(ZONE);

    shown[0] = tournament_clock_stripe(zone.clock, TOURNAMENT_ROWS, 0);
    shown[1] = tournament_clock_stripe(zone.clock, TOURNAMENT_TEAM, 5);

    ck_assert_uint_ne(shown[0], shown[1]);

    before = tournament_clock_now(zone.clock);
    ck_assert(tournament_clock_valid(zone.clock, before, shown, 2));

    tournament_clock_change(zone.clock, TOURNAMENT_COUNTS, 0);
    ck_assert(tournament_clock_valid(zone.clock, before, shown, 2));

    tournament_clock_change(zone.clock, TOURNAMENT_TEAM, 5);
    ck_assert(!tournament_clock_valid(zone.clock, before, shown, 2));
    ck_assert(tournament_clock_valid(zone.clock, before, shown, 1));

    before = tournament_clock_now(zone.clock);
    ck_assert(tournament_clock_valid(zone.clock, before, shown, 2));

    tournament_clock_change_all(zone.clock);
    ck_assert(!tournament_clock_valid(zone.clock, before, shown, 0));
    ck_assert(tournament_clock_valid(zone.clock, before + 1, shown, 2));

    zone_destroy();
}
END_TEST


/* ids that follow each other do not fall on each other */

START_TEST(stripes_are_spread)
{
    u_char    *seen;
    uint32_t   i, n, used;

    zone_create(ZONE);

    n = zone.clock->nstripes;
    seen = calloc(n, 1);
    ck_assert_ptr_nonnull(seen);
    used = 0;

    for (i = 0; i < n; i++) {
        used += !seen[tournament_clock_stripe(zone.clock,
                                              TOURNAMENT_TOURNAMENT, i)]++;
    }

    ck_assert_uint_eq(seen[0] + seen[1], 0);
    ck_assert_uint_gt(used, n / 2);

    free(seen);
    zone_destroy();
}
END_TEST


/*
 * A process is stopped after each of its instructions, and declared dead
 * there: nginx's master would release its mutex, and the next one must find
 * an arena that it can use.  Then the memory is put back, and the process
 * goes on by one instruction.
 */

static void
victim(void)
{
    uint32_t            i;
    tournament_key_t    key;
    tournament_entry_t  entry;

    ngx_pid = getpid();

    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
        _exit(77);
    }

    raise(SIGSTOP);

    /* a hit that moves, one in the place of another, and with evictions */

    test_time.sec++;

    key_make(&key, 3);
    (void) tournament_arena_get(&zone.arena, &key, &entry);

    for (i = 0; i < 2; i++) {
        key_make(&key, i ? 200 : 5);
        entry_make(&entry, i ? 200 : 5, 9, 300, 2, 0, 0);
        (void) tournament_arena_put(&zone.arena, &key, &entry);
    }

    _exit(0);
}


/* whoever comes after the dead finds the arena sound; 1: it was emptied */

static ngx_uint_t
heir(pid_t pid)
{
    uint32_t            i;
    uint64_t            recoveries;
    ngx_uint_t          emptied;
    tournament_key_t    key;
    tournament_entry_t  entry;

    ck_assert(ngx_shmtx_force_unlock(&zone.arena.shpool->mutex, pid));
    ck_assert_uint_eq(*zone.arena.shpool->mutex.lock, 0);

    recoveries = zone.arena.store->recoveries;

    key_make(&key, 3);
    (void) tournament_arena_get(&zone.arena, &key, &entry);
    arena_check();

    emptied = (zone.arena.store->recoveries != recoveries);

    for (i = 0; i < 3; i++) {
        key_make(&key, 300 + i);
        entry_make(&entry, 300 + i, i, 900 * i, 2, 0, 0);
        ck_assert_int_eq(tournament_arena_put(&zone.arena, &key, &entry),
                         NGX_OK);
        ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry),
                         NGX_OK);
        ck_assert(entry_sound(&entry, 300 + i));
    }

    arena_check();

    return emptied;
}


START_TEST(death_at_any_instruction)
{
    int                 status;
    void               *copy;
    pid_t               pid;
    uint32_t            n;
    ngx_uint_t          locked, emptied;
    tournament_key_t    key;
    tournament_entry_t  entry;

    zone_create(ZONE);

    n = 0;

    while (zone.arena.store->nfree > 1) {
        key_make(&key, n % KEYS);
        entry_make(&entry, n % KEYS, n, 200 + n % 600, 2, 0, 0);
        (void) tournament_arena_put(&zone.arena, &key, &entry);
        n++;
    }

    copy = malloc(ZONE);
    ck_assert_ptr_nonnull(copy);

    /* the second time it dies as it empties what another left */

    zone.arena.store->changing = _i;

    pid = fork();
    ck_assert_int_ne(pid, -1);

    if (pid == 0) {
        victim();
    }

    locked = 0;
    emptied = 0;

    for ( ;; ) {
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);

        if (WIFEXITED(status)) {
            break;
        }

        ck_assert(WIFSTOPPED(status));

        /* most instructions are of what is not the arena's business */

        if (*zone.arena.shpool->mutex.lock == (ngx_atomic_t) pid) {
            locked++;

            ngx_memcpy(copy, shm_zone.shm.addr, ZONE);
            emptied += heir(pid);
            ngx_memcpy(shm_zone.shm.addr, copy, ZONE);
        }

        ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
    }

    if (WEXITSTATUS(status) != 77) {
        ck_assert_int_eq(WEXITSTATUS(status), 0);
        ck_assert_uint_gt(locked, 500);
        ck_assert_uint_gt(emptied, 100);
        ck_assert_uint_lt(emptied, locked);
        arena_check();
    }

    free(copy);
    zone_destroy();
}
END_TEST


/* several processes at once; whoever is killed is replaced */

static void
hammer(board_t *board, ngx_uint_t slot, uint32_t seed)
{
    size_t              len;
    uint32_t            n;
    tournament_key_t    key;
    tournament_entry_t  entry;

    ngx_pid = getpid();
    random_state = seed;

    while (!__atomic_load_n(&board->stop, __ATOMIC_RELAXED)) {
        n = random_below(KEYS);
        key_make(&key, n);

        if (random_below(2)) {
            len = random_below(random_below(4) ? 400 : 9000);
            entry_make(&entry, n, random_below(1000), len, random_below(9),
                       tournament_clock_now(zone.clock),
                       random_below(4) == 0);
            (void) tournament_arena_put(&zone.arena, &key, &entry);

        } else if (tournament_arena_get(&zone.arena, &key, &entry)
                       == NGX_OK
                   && !entry_sound(&entry, n))
        {
            __atomic_store_n(&board->bad, 1, __ATOMIC_SEQ_CST);
        }

        if (random_below(10) == 0) {
            test_time.sec++;
        }

        if (random_below(10) == 0) {
            tournament_clock_change(zone.clock, TOURNAMENT_TOURNAMENT, n);
        }

        __atomic_add_fetch(&board->ops[slot], 1, __ATOMIC_RELAXED);
    }

    tournament_arena_close(&zone.arena);
    _exit(0);
}


static void
board_wait(board_t *board, ngx_uint_t slot)
{
    ngx_uint_t  from;

    /* no bound: a hang is for the suite's own time limit */

    from = __atomic_load_n(&board->ops[slot], __ATOMIC_RELAXED);

    while (__atomic_load_n(&board->ops[slot], __ATOMIC_RELAXED) == from) {
        sched_yield();
    }
}


START_TEST(others_go_on_when_one_is_killed)
{
    int          status;
    pid_t        pids[CHILDREN];
    board_t     *board;
    ngx_uint_t   i, n;

    zone_create(ZONE);

    board = mmap(NULL, sizeof(board_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED|MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(board, MAP_FAILED);

    random_state = 5;

    for (n = 0; n < CHILDREN + KILLS; n++) {
        i = n % CHILDREN;

        if (n >= CHILDREN) {
            board_wait(board, i);
            usleep(random_below(300));

            ck_assert_int_eq(kill(pids[i], SIGKILL), 0);
            ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);

            /* as nginx's master, told of the death */

            (void) ngx_shmtx_force_unlock(&zone.arena.shpool->mutex, pids[i]);

            board_wait(board, (i + 1) % CHILDREN);
        }

        pids[i] = fork();
        ck_assert_int_ne(pids[i], -1);

        if (pids[i] == 0) {
            hammer(board, i, (uint32_t) n + 100);
        }
    }

    board->stop = 1;

    for (i = 0; i < CHILDREN; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    ck_assert_uint_eq(board->bad, 0);

    tournament_arena_lock(&zone.arena);
    tournament_arena_unlock(&zone.arena);

    arena_check();

    munmap(board, sizeof(board_t));
    zone_destroy();
}
END_TEST


/* memory that a reload or another process takes over is as it was */

START_TEST(reload_keeps_the_zone)
{
    tournament_key_t    key;
    tournament_entry_t  entry;
    tournament_zone_t   former;

    zone_create(ZONE);

    key_make(&key, 1);
    entry_make(&entry, 1, 2, 300, 3, 0, 0);
    ck_assert_int_eq(tournament_arena_put(&zone.arena, &key, &entry), NGX_OK);

    tournament_arena_close(&zone.arena);

    former = zone;
    ngx_memzero(&zone, sizeof(tournament_zone_t));

    ck_assert_int_eq(shm_zone.init(&shm_zone, &former), NGX_OK);

    ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry), NGX_OK);
    ck_assert(entry_sound(&entry, 1));

    zone_destroy();
}
END_TEST


/*
 * One key, two workers that are processes: this one and its parent, which is
 * alive as long.
 */

START_TEST(claims_are_one_workers)
{
    pid_t             self, other;
    tournament_key_t  key;

    zone_create(ZONE);
    key_make(&key, 1);

    ngx_current_msec = 1000;
    self = getpid();
    other = getppid();

    ngx_pid = self;
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 3, 500),
                     NGX_OK);

    ngx_pid = other;
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 5, 500),
                     NGX_BUSY);
    ck_assert_uint_eq(tournament_claims_release(&zone.claims, &key, 0), 0);

    /* renewed it holds longer, by its owner alone */

    ngx_current_msec = 1400;
    tournament_claims_renew(&zone.claims, &key, 5000);
    ngx_pid = self;
    tournament_claims_renew(&zone.claims, &key, 500);

    ngx_current_msec = 1900;
    ngx_pid = other;
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 6, 500),
                     NGX_BUSY);

    /* kept for another query, those who wait are told once */

    ngx_pid = self;
    ck_assert_uint_eq(tournament_claims_release(&zone.claims, &key, 500),
                      1 << 5 | 1 << 6);
    ck_assert_uint_eq(tournament_claims_release(&zone.claims, &key, 500), 0);

    /* who does not renew it has lost it */

    ngx_current_msec = 2401;
    ngx_pid = other;
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 6, 500),
                     NGX_OK);

    ngx_pid = self;
    tournament_claims_renew(&zone.claims, &key, 5000);
    ck_assert_uint_eq(tournament_claims_release(&zone.claims, &key, 0), 0);
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 3, 500),
                     NGX_BUSY);

    ngx_pid = other;
    ck_assert_uint_eq(tournament_claims_release(&zone.claims, &key, 0),
                      1 << 3);

    zone_destroy();
}
END_TEST


START_TEST(the_dead_have_no_claims)
{
    pid_t             self, child;
    tournament_key_t  key;

    zone_create(ZONE);
    key_make(&key, 1);

    self = getpid();
    child = fork();
    ck_assert_int_ne(child, -1);

    if (child == 0) {
        _exit(0);
    }

    ngx_pid = child;
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 3, 500),
                     NGX_OK);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);

    ngx_pid = self;
    ck_assert_int_eq(tournament_claims_take(&zone.claims, &key, 4, 500),
                     NGX_OK);

    zone_destroy();
}
END_TEST


/* numbers go to the living, each to one of them */

START_TEST(workers_have_numbers)
{
    pid_t      self, child;
    ngx_int_t  i;

    zone_create(ZONE);

    self = getpid();
    child = fork();
    ck_assert_int_ne(child, -1);

    if (child == 0) {
        _exit(0);
    }

    ck_assert_int_eq(tournament_workers_join(zone.workers, 7), 0);
    ck_assert_int_eq(tournament_workers_join(zone.workers, 8), 0);
    ck_assert_uint_eq(tournament_workers_at(zone.workers, 0),
                      (uint64_t) 8 << 32 | (uint32_t) self);
    ck_assert_uint_eq(tournament_workers_at(zone.workers, 1), 0);

    ngx_pid = child;
    ck_assert_int_eq(tournament_workers_join(zone.workers, 8), 1);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(tournament_workers_at(zone.workers, 1), 0);

    ngx_pid = getppid();
    ck_assert_int_eq(tournament_workers_join(zone.workers, 8), 1);

    tournament_workers_leave(zone.workers, 0);
    tournament_workers_leave(zone.workers, NGX_ERROR);
    ck_assert_uint_eq(tournament_workers_at(zone.workers, 0), 0);

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        zone.workers->ids[i] = self;
    }

    ck_assert_int_eq(tournament_workers_join(zone.workers, 9), NGX_ERROR);

    zone_destroy();
}
END_TEST


START_TEST(a_newer_entry_ends_a_failure)
{
    tournament_key_t    key;
    tournament_entry_t  entry;

    zone_create(ZONE);
    key_make(&key, 1);

    tournament_arena_failed(&zone.arena, &key);

    entry_make(&entry, 1, 2, 300, 3, 0, 0);
    ck_assert_int_eq(tournament_arena_put(&zone.arena, &key, &entry), NGX_OK);
    ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry), NGX_OK);
    ck_assert(!entry.failed);

    tournament_arena_failed(&zone.arena, &key);
    ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry), NGX_OK);
    ck_assert(entry.failed);
    ck_assert(entry_sound(&entry, 1));

    entry_make(&entry, 1, 3, 300, 3, 1, 0);
    ck_assert_int_eq(tournament_arena_put(&zone.arena, &key, &entry), NGX_OK);
    ck_assert_int_eq(tournament_arena_get(&zone.arena, &key, &entry), NGX_OK);
    ck_assert(!entry.failed);

    zone_destroy();
}
END_TEST


/* another room's memory: neither does the arena touch it, nor the other way */

START_TEST(annex_is_apart)
{
    u_char             *annex;
    uint32_t            n;
    tournament_key_t    key;
    tournament_entry_t  entry;

    zone_create(ZONE);

    annex = zone.annex;

    ck_assert_ptr_nonnull(annex);
    ck_assert_uint_eq((uintptr_t) annex % 64, 0);

    for (n = 0; n < ANNEX; n++) {
        must(annex[n] == 0);
    }

    ngx_memset(annex, 0xa5, ANNEX);

    for (n = 0; n < 3000; n++) {
        key_make(&key, n % KEYS);
        entry_make(&entry, n % KEYS, n, n % 900, 2, n, n % 5 == 0);
        (void) tournament_arena_put(&zone.arena, &key, &entry);
        tournament_clock_change(zone.clock, TOURNAMENT_TOURNAMENT, n);
        tournament_clock_purge(zone.clock, TOURNAMENT_TEAM, n);
    }

    ck_assert_uint_eq(zone.arena.store->recoveries, 0);
    arena_check();

    for (n = 0; n < ANNEX; n++) {
        must(annex[n] == 0xa5);
    }

    zone_destroy();
}
END_TEST


int
main(void)
{
    Suite  *suite;
    TCase  *tcase;

    suite = suite_create("zone");

    tcase = suite_case(suite, "arena");
    tcase_add_loop_test(tcase, arena_is_as_the_model, 0, 6);
    tcase_add_test(tcase, size_of_an_entry_is_limited);
    tcase_add_test(tcase, missing_things_have_a_share);
    tcase_add_test(tcase, reload_keeps_the_zone);
    tcase_add_test(tcase, annex_is_apart);

    tcase = suite_case(suite, "clock");
    tcase_add_test(tcase, change_ends_what_shows_the_thing);
    tcase_add_test(tcase, stripes_are_spread);

    tcase = suite_case(suite, "fetching");
    tcase_add_test(tcase, claims_are_one_workers);
    tcase_add_test(tcase, the_dead_have_no_claims);
    tcase_add_test(tcase, workers_have_numbers);
    tcase_add_test(tcase, a_newer_entry_ends_a_failure);

    tcase = suite_case(suite, "death");
    tcase_add_loop_test(tcase, death_at_any_instruction, 0, 2);
    tcase_add_test(tcase, others_go_on_when_one_is_killed);

    return suite_run(suite);
}
