
/*
 * The order of accesses.  A writer first takes a new value of the clock and
 * then sets stripes and floors to it.  A query notes the clock before it is
 * sent, so what it finds to be changed later has a higher value.  Where it
 * notes the clock between the two steps of a writer, its value is that of the
 * change, and what it reads is newer than the change, which was committed
 * before the node heard of it: to take it for valid is right.
 *
 * Loads of stripes, purges and floors in valid(), fresh() and class() pair
 * with the stores of change(), suspect_all() and purge() by advance().  A
 * request that starts after a change was handled sees it, since whoever sent
 * that request was told of the change by means that order memory.  Of the
 * clock's value, now() pairs with next(): who reads a writer's value sends its
 * query after the writer had heard of the change.  walked() pairs with walk(),
 * under the arena's mutex: what is stored before the walk takes it is found by
 * the walk.
 */

#include "zone/atomic.h"
#include "zone/clock.h"


/* stripes of the catalogue; all other things share the rest */
#define TOURNAMENT_STRIPES_FIXED  2


static void tournament_clock_note(tournament_clock_t *clock, uint64_t value,
    uint32_t stripe);


void
tournament_clock_init(tournament_clock_t *clock, u_char *memory,
    uint32_t nstripes)
{
    ngx_memzero(clock, sizeof(tournament_clock_t));
    ngx_memzero(memory, tournament_clock_size(nstripes));

    clock->stripes = (uint64_t *) memory;
    clock->purges = clock->stripes + nstripes;
    clock->ring = clock->purges + nstripes;
    clock->nstripes = nstripes;
    clock->nring = tournament_clock_ring(nstripes);
}


uint64_t
tournament_clock_now(tournament_clock_t *clock)
{
    return tournament_atomic_load(&clock->value);
}


uint32_t
tournament_clock_stripe(tournament_clock_t *clock, tournament_thing_e kind,
    int64_t id)
{
    uint32_t  n;
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

    n = (uint32_t) (h % (clock->nstripes - TOURNAMENT_STRIPES_FIXED));

    return n + TOURNAMENT_STRIPES_FIXED;
}


void
tournament_clock_change(tournament_clock_t *clock, tournament_thing_e kind,
    int64_t id)
{
    uint32_t  n;
    uint64_t  now;

    n = tournament_clock_stripe(clock, kind, id);
    now = tournament_atomic_next(&clock->value);

    tournament_atomic_advance(&clock->stripes[n], now);
    tournament_clock_note(clock, now, n);
}


void
tournament_clock_change_all(tournament_clock_t *clock)
{
    uint64_t  now;

    now = tournament_atomic_next(&clock->value);

    tournament_atomic_advance(&clock->floor, now);
    tournament_clock_note(clock, now, TOURNAMENT_CLOCK_ALL);
}


void
tournament_clock_suspect_all(tournament_clock_t *clock)
{
    uint64_t  now;

    now = tournament_atomic_next(&clock->value);

    tournament_atomic_advance(&clock->suspect, now);
    tournament_clock_note(clock, now, TOURNAMENT_CLOCK_ALL);
}


/*
 * A purge is known before the change is: whoever finds the stripe moved, and
 * then looks why, in class(), must find the purge (t/litmus/purge.litmus).
 */

void
tournament_clock_purge(tournament_clock_t *clock, tournament_thing_e kind,
    int64_t id)
{
    uint32_t  n;
    uint64_t  now;

    n = tournament_clock_stripe(clock, kind, id);
    now = tournament_atomic_next(&clock->value);

    tournament_atomic_advance(&clock->purges[n], now);
    tournament_atomic_advance(&clock->stripes[n], now);
    tournament_clock_note(clock, now, n);
}


void
tournament_clock_purge_all(tournament_clock_t *clock)
{
    uint64_t  now;

    now = tournament_atomic_next(&clock->value);

    tournament_atomic_advance(&clock->purge_floor, now);
    tournament_atomic_advance(&clock->floor, now);
    tournament_clock_note(clock, now, TOURNAMENT_CLOCK_ALL);
}


void
tournament_clock_walk(tournament_clock_t *clock)
{
    uint64_t  now;

    now = tournament_atomic_next(&clock->value);

    tournament_atomic_advance(&clock->walked, now);
    tournament_clock_note(clock, now, TOURNAMENT_CLOCK_NONE);
}


/* after the stripe: whoever finds the note finds the stripe moved, too */

static void
tournament_clock_note(tournament_clock_t *clock, uint64_t value,
    uint32_t stripe)
{
    tournament_atomic_release(&clock->ring[value % clock->nring],
                              value << 32 | stripe);
}


ngx_int_t
tournament_clock_follow(tournament_clock_t *clock, uint64_t *seen,
    uint32_t *stripe)
{
    uint64_t  now, note;

    now = tournament_clock_now(clock);

    if (now == *seen) {
        return NGX_DECLINED;
    }

    note = tournament_atomic_acquire(&clock->ring[(*seen + 1) % clock->nring]);

    if (now - *seen > clock->nring
        || (int32_t) ((uint32_t) (note >> 32) - (uint32_t) (*seen + 1)) > 0)
    {
        *seen = now;
        return NGX_ERROR;
    }

    if ((uint32_t) (note >> 32) != (uint32_t) (*seen + 1)) {
        return NGX_AGAIN;
    }

    (*seen)++;
    *stripe = (uint32_t) note;

    return NGX_OK;
}


ngx_uint_t
tournament_clock_walked(tournament_clock_t *clock, uint64_t then)
{
    return tournament_atomic_load(&clock->walked) > then;
}


ngx_uint_t
tournament_clock_valid(tournament_clock_t *clock, uint64_t then,
    uint32_t *stripes, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (tournament_atomic_acquire(&clock->floor) > then) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (tournament_atomic_acquire(&clock->stripes[stripes[i]]) > then) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
tournament_clock_fresh(tournament_clock_t *clock, uint64_t then,
    uint32_t *stripes, ngx_uint_t n)
{
    return tournament_atomic_acquire(&clock->suspect) <= then
           && tournament_clock_valid(clock, then, stripes, n);
}


tournament_class_e
tournament_clock_class(tournament_clock_t *clock, uint64_t then,
    uint32_t *stripes, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (tournament_clock_fresh(clock, then, stripes, n)) {
        return TOURNAMENT_FRESH;
    }

    if (tournament_atomic_acquire(&clock->purge_floor) > then) {
        return TOURNAMENT_PURGED;
    }

    for (i = 0; i < n; i++) {
        if (tournament_atomic_acquire(&clock->purges[stripes[i]]) > then) {
            return TOURNAMENT_PURGED;
        }
    }

    return tournament_clock_valid(clock, then, stripes, n)
           ? TOURNAMENT_SUSPECT : TOURNAMENT_INVALID;
}
