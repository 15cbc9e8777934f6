
/*
 * One allocation of nginx's slab pool holds everything: the fixed parts first,
 * each on cache lines of its own, then the annex, stripes, and the arena.
 */

#include "zone/zone.h"


/* one stripe for so many buckets */
#define TOURNAMENT_STRIPE_SHARE  4


/* the fixed parts */

typedef struct {
    tournament_clock_t       clock;      /* first: aligned to a cache line */
    tournament_workers_t     workers;
    tournament_listener_t    listener;
    tournament_outage_t      outages[TOURNAMENT_OUTAGES];
    tournament_claim_t       claims[TOURNAMENT_CLAIMS];
    uint64_t                 made;
    u_char                   secret[16];

    u_char                  *annex;
    tournament_store_t      *store;
} tournament_fixed_t;


static ngx_int_t tournament_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static tournament_fixed_t *tournament_zone_layout(tournament_zone_t *zone,
    ngx_slab_pool_t *shpool, ngx_str_t *name);
static void tournament_zone_secret(u_char *secret, size_t len);


ngx_shm_zone_t *
tournament_zone_add(ngx_conf_t *cf, tournament_zone_t *zone, ngx_str_t *name,
    size_t size, void *tag)
{
    ngx_shm_zone_t  *shm_zone;

    shm_zone = ngx_shared_memory_add(cf, name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = tournament_zone_init;
    shm_zone->data = zone;

    return shm_zone;
}


void
tournament_zone_begin(tournament_zone_t *zone)
{
    ngx_uint_t  i;

    zone->generation = tournament_workers_begin(zone->workers);

    /* what an outage comes from is told of each configuration */

    for (i = 0; i < TOURNAMENT_OUTAGES; i++) {
        tournament_outage_forget(&zone->outages[i]);
    }
}


static ngx_int_t
tournament_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t     *shpool;
    tournament_zone_t   *zone;
    tournament_fixed_t  *fixed;

    zone = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    /*
     * At a reload nginx keeps the memory only where the module is the very
     * same one, so the layout is ours.
     */

    fixed = (data || shm_zone->shm.exists)
            ? shpool->data
            : tournament_zone_layout(zone, shpool, &shm_zone->shm.name);

    if (fixed == NULL) {
        return NGX_ERROR;
    }

    zone->clock = &fixed->clock;
    zone->workers = &fixed->workers;
    zone->listener = &fixed->listener;
    zone->outages = fixed->outages;
    zone->made = &fixed->made;
    zone->annex = fixed->annex;

    zone->claims.places = fixed->claims;
    zone->claims.shpool = shpool;
    zone->claims.secret = fixed->secret;

    zone->arena.store = fixed->store;
    zone->arena.shpool = shpool;
    zone->arena.clock = &fixed->clock;
    zone->arena.secret = fixed->secret;

    return NGX_OK;
}


/* NULL: the zone is too small */

static tournament_fixed_t *
tournament_zone_layout(tournament_zone_t *zone, ngx_slab_pool_t *shpool,
    ngx_str_t *name)
{
    u_char              *p, *end;
    size_t               len, size;
    uint32_t             cells, buckets, stripes;
    tournament_fixed_t  *fixed;

    len = sizeof(" in tournament zone \"\"") + name->len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NULL;
    }

    ngx_sprintf(shpool->log_ctx, " in tournament zone \"%V\"%Z", name);

    /* the rest is one allocation: the arena keeps house by itself */

    size = shpool->pfree * ngx_pagesize;

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        return NULL;
    }

    end = p + size;

    cells = (uint32_t) (size / TOURNAMENT_CELL_SIZE);

    for (buckets = 64; buckets <= cells / 2; buckets *= 2) { /* void */ }

    stripes = buckets / TOURNAMENT_STRIPE_SHARE;

    fixed = (tournament_fixed_t *) p;
    p += ngx_align(sizeof(tournament_fixed_t), TOURNAMENT_CELL_SIZE);

    ngx_memzero(fixed, sizeof(tournament_fixed_t));

    fixed->annex = p;
    ngx_memzero(p, zone->annex_size);
    p += ngx_align(zone->annex_size, TOURNAMENT_CELL_SIZE);

    tournament_clock_init(&fixed->clock, p, stripes);
    p += ngx_align(tournament_clock_size(stripes), TOURNAMENT_CELL_SIZE);

    fixed->store = tournament_arena_layout(p, end - p, buckets);

    tournament_zone_secret(fixed->secret, sizeof(fixed->secret));

    fixed->made = ngx_current_msec;

    shpool->data = fixed;

    return fixed;
}


/*
 * Keys come from clients: with a secret in the hash nobody can choose keys
 * that meet in one bucket.
 */

static void
tournament_zone_secret(u_char *secret, size_t len)
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
