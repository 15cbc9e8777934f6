
/*
 * The arena of facts: an array of fixed cells in the shared zone.  An entry is
 * a chain of them, linked by index, never by pointer; a hash of buckets and
 * two lists in order of use, one for entries with facts and one for missing
 * things, hold the entries.  Eviction frees what it needs, the least recently
 * used first.
 *
 * The arena is under the zone's mutex, which nginx's master releases when its
 * owner dies.  A flag says that the arena is being changed: whoever takes the
 * lock and finds it set knows that a process died half way, and empties the
 * arena.
 */

#ifndef _TOURNAMENT_ARENA_H_INCLUDED_
#define _TOURNAMENT_ARENA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/buffer.h"
#include "zone/clock.h"
#include "zone/entry.h"
#include "zone/key.h"


/* bytes; also what the arena's memory is aligned to */
#define TOURNAMENT_CELL_SIZE  256


typedef struct tournament_store_s  tournament_store_t;


/* a process' view of it */

typedef struct {
    tournament_store_t        *store;     /* in the zone */
    ngx_slab_pool_t           *shpool;    /* the mutex, and words for the log */
    tournament_clock_t        *clock;
    u_char                    *secret;    /* of hashes of keys */
    tournament_buffer_t        scratch;   /* what an entry is copied to */
} tournament_arena_t;


typedef struct {
    size_t                     cell_size;    /* bytes */
    ngx_uint_t                 cells;
    ngx_uint_t                 cells_free;
    ngx_uint_t                 entries;      /* missing ones included */
    ngx_uint_t                 missing;
    ngx_uint_t                 evictions;    /* since the zone was made */
    ngx_uint_t                 recoveries;   /* emptied after a death */
} tournament_arena_stats_t;


/*
 * Lays an empty arena out in size bytes of the zone, with that many buckets, a
 * power of two.  memory is aligned to TOURNAMENT_CELL_SIZE.
 */

tournament_store_t *tournament_arena_layout(u_char *memory, size_t size,
    uint32_t nbuckets);


/*
 * Looks an entry up and copies it out, valid or not.  entry's pointers are
 * good until the next call of get() or walk() in this process.  Returns
 * NGX_OK, NGX_DECLINED when there is none, NGX_ERROR when memory is short.
 */

ngx_int_t tournament_arena_get(tournament_arena_t *arena,
    tournament_key_t *key, tournament_entry_t *entry);


/*
 * Stores an entry in the place of an older one of the same key (one with a
 * later clock stays), evicting what was not used for longest.  Returns NGX_OK,
 * or NGX_DECLINED where the entry is too large for the zone, or a walk has
 * begun since it was read.
 */

ngx_int_t tournament_arena_put(tournament_arena_t *arena,
    tournament_key_t *key, tournament_entry_t *entry);


/*
 * A query for a newer entry of the key has failed: get() says so from now on,
 * until there is one.
 */

void tournament_arena_failed(tournament_arena_t *arena,
    tournament_key_t *key);


/*
 * Calls visit for the entries in step of the buckets, from number first on,
 * with the zone locked: it must be quick, and call nothing that locks.  Its
 * entry's pointers are good until it returns; it is without stripes.  Where
 * visit returns 1 the entry is dropped.  Returns the number of the bucket to
 * go on with, 0 at the end.
 */

typedef ngx_uint_t (*tournament_visit_pt)(void *data, u_char *key,
    size_t key_len, tournament_entry_t *entry);

uint32_t tournament_arena_walk(tournament_arena_t *arena, uint32_t first,
    uint32_t step, tournament_visit_pt visit, void *data);


void tournament_arena_stats(tournament_arena_t *arena,
    tournament_arena_stats_t *stats);


/* Frees what this process has for copies: it exits. */

void tournament_arena_close(tournament_arena_t *arena);


#endif /* _TOURNAMENT_ARENA_H_INCLUDED_ */
