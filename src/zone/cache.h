
/*
 * The shared zone: the change clock with its stripes, and the arena of facts.
 *
 * The change clock is one counter that every change which the node learns of
 * advances.  A change of a thing sets the thing's stripe, a slot of a fixed
 * array, to the clock's new value.  An entry keeps the clock as it was before
 * its query was sent, and the stripes of the things that its result shows: it
 * is valid iff none of them, and not the floor, is above its clock.  So a
 * change costs a few atomic writes, however many entries show the thing; a row
 * that was read before a commit and stored after its notification is invalid
 * as it lands; two things in one stripe cost a needless query, never a wrong
 * answer.
 *
 * The arena is an array of fixed cells.  An entry is a chain of them, linked
 * by index; a hash of buckets and two lists in order of use, one for entries
 * with facts and one for missing things, hold the entries.  The arena alone is
 * under the zone's mutex, which nginx's master releases when its owner dies.
 * A flag says that the arena is being changed: who takes the lock and finds it
 * set knows that a process died half way, and empties the arena.
 */

#ifndef _TOURNAMENT_CACHE_H_INCLUDED_
#define _TOURNAMENT_CACHE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/key.h"
#include "zone/outage.h"


/* bytes; below it the fixed parts leave too little room for entries */
#define TOURNAMENT_ZONE_MIN  (256 * 1024)

/* above it the cells' numbers, which are of 32 bits, run out */
#define TOURNAMENT_ZONE_MAX  ((off_t) 256 * 1024 * 1024 * 1024)


/* Kinds of things that change; ids of one kind are no ids of another */

typedef enum {
    TOURNAMENT_ROWS = 0,    /* the catalogue's rows; id is 0 */
    TOURNAMENT_COUNTS,      /* the catalogue's counts; id is 0 */
    TOURNAMENT_TOURNAMENT,
    TOURNAMENT_TEAM,
    TOURNAMENT_PROFILE
} tournament_thing_e;


typedef struct tournament_zone_s  tournament_zone_t;


typedef struct {
    tournament_zone_t  *zone;
    ngx_slab_pool_t    *shpool;

    uint32_t            generation;

    /* bytes of the zone for another room, set before the zone is made */
    size_t              annex;

    /* what an entry was copied to; this process' own, reused */
    u_char             *scratch;
    size_t              scratch_size;
} tournament_cache_t;


/*
 * How good the content of an entry is.  TTLs are the locations', so that this
 * is without them.
 */

typedef enum {
    TOURNAMENT_FRESH = 0,   /* not known to have changed */
    TOURNAMENT_SUSPECT,     /* the feed was interrupted since */
    TOURNAMENT_INVALID,     /* known to have changed */
    TOURNAMENT_PURGED       /* taken back: never to be shown */
} tournament_class_e;


/*
 * An entry outside the zone: a result of the database, or a copy of one.
 * Without facts (missing is set) the thing does not exist.
 */

typedef struct {
    uint64_t                     clock;        /* before the query was sent */
    ngx_msec_t                   fetched;      /* ngx_current_msec, likewise */
    int64_t                      valid_until;  /* Unix time, s; 0: no end */

    uint32_t                    *stripes;      /* of the things it shows */
    ngx_uint_t                   nstripes;

    u_char                      *facts;        /* aligned to 8 */
    size_t                       len;          /* bytes */

    unsigned                     missing:1;
    unsigned                     failed:1;     /* so has the last query for
                                                  a newer one; set by get() */
} tournament_entry_t;


typedef struct {
    size_t                       cell_size;    /* bytes */
    ngx_uint_t                   cells;
    ngx_uint_t                   cells_free;
    ngx_uint_t                   entries;      /* missing ones included */
    ngx_uint_t                   missing;
    ngx_uint_t                   evictions;    /* since the zone was made */
    ngx_uint_t                   recoveries;   /* arena emptied after a death */
    ngx_msec_t                   age;          /* of the zone */
} tournament_cache_stats_t;


/*
 * Adds the zone to the configuration.  cache is allocated by the caller from
 * the configuration's pool and lives as long; tag is the module.  Returns NULL
 * on error, which is logged.
 */

ngx_shm_zone_t *tournament_cache_add(ngx_conf_t *cf, tournament_cache_t *cache,
    ngx_str_t *name, size_t size, void *tag);


/*
 * The configuration is in force: it gets its number.  Called by the master
 * before its workers are made; a reload that fails does not come so far.
 */

void tournament_cache_begin(tournament_cache_t *cache);


/* The change clock, read before a query is sent and as a waiter arrives. */

uint64_t tournament_cache_clock(tournament_cache_t *cache);


/* The stripe of a thing, for an entry's list of them. */

uint32_t tournament_cache_stripe(tournament_cache_t *cache,
    tournament_thing_e kind, int64_t id);


/*
 * Makes every entry that shows the thing invalid, also those whose query is
 * under way.  Takes no lock.
 */

void tournament_cache_change(tournament_cache_t *cache,
    tournament_thing_e kind, int64_t id);


/* The same for every entry there is. */

void tournament_cache_change_all(tournament_cache_t *cache);


/*
 * Makes every entry that there is suspect: changes may have gone by unheard
 * until now.
 */

void tournament_cache_suspect_all(tournament_cache_t *cache);


/*
 * As change() and change_all(), and takes back what is shown of it: not even
 * a failing database lets it be seen again.
 */

void tournament_cache_purge(tournament_cache_t *cache, tournament_thing_e kind,
    int64_t id);
void tournament_cache_purge_all(tournament_cache_t *cache);


/*
 * What the worst of those stripes, the floors, and the feed's interruptions
 * make of what was read at that clock.  Takes no lock.
 */

tournament_class_e tournament_cache_class(tournament_cache_t *cache,
    uint64_t clock, uint32_t *stripes, ngx_uint_t n);


/* Whether it is FRESH, at the least cost. */

ngx_uint_t tournament_cache_fresh(tournament_cache_t *cache, uint64_t clock,
    uint32_t *stripes, ngx_uint_t n);


/*
 * Whether what was read at that clock and shows those stripes is known to have
 * changed since: 1 when it has not, else 0.  Takes no lock.
 */

ngx_uint_t tournament_cache_valid(tournament_cache_t *cache, uint64_t clock,
    uint32_t *stripes, ngx_uint_t n);


/*
 * Looks an entry up and copies it out, valid or not.  entry's pointers are
 * good until the next call of this function in this process.  Returns NGX_OK,
 * NGX_DECLINED when there is none, NGX_ERROR when memory is short.
 */

ngx_int_t tournament_cache_get(tournament_cache_t *cache,
    tournament_key_t *key, tournament_entry_t *entry);


/*
 * Stores an entry in the place of an older one of the same key (one with a
 * later clock stays), evicting what was not used for longest.  Returns NGX_OK,
 * or NGX_DECLINED where the entry is too large for the zone.
 */

ngx_int_t tournament_cache_put(tournament_cache_t *cache,
    tournament_key_t *key, tournament_entry_t *entry);


/*
 * A query for a newer entry of the key has failed: get() says so from now on,
 * until there is one.
 */

void tournament_cache_failed(tournament_cache_t *cache, tournament_key_t *key);


/*
 * Before a walk that looks for what to purge: results of queries that are
 * under way, which it cannot find, will not be stored.
 */

void tournament_cache_walk_begin(tournament_cache_t *cache);


/* Whether a walk has begun since: what was read at that clock is not stored. */

ngx_uint_t tournament_cache_walked(tournament_cache_t *cache, uint64_t clock);


/*
 * Calls visit for the entries in step of the buckets, from number first on,
 * with the zone locked: it must be quick, and call nothing that locks.  Its
 * entry's pointers are good until it returns; it is without stripes.  Where
 * visit returns 1 the entry is dropped.  Returns the number of the bucket to
 * go on with, 0 at the end.
 */

typedef ngx_uint_t (*tournament_visit_pt)(void *data, u_char *key,
    size_t key_len, tournament_entry_t *entry);

uint32_t tournament_cache_walk(tournament_cache_t *cache, uint32_t first,
    uint32_t step, tournament_visit_pt visit, void *data);


/*
 * Who fetches a key, of all workers.  NGX_OK: this worker does from now on,
 * until release(), until it dies, or for so many ms: one that hangs does not
 * renew its claims.  NGX_BUSY: another one does, and worker, this one's number,
 * is in the set that its release() will return.  (Where the table is full it
 * is NGX_OK: a query too many.)
 */

ngx_int_t tournament_cache_claim(tournament_cache_t *cache,
    tournament_key_t *key, ngx_int_t worker, ngx_msec_t ms);


/* Keeps a claim for so many ms from now, if it is this worker's still. */

void tournament_cache_renew(tournament_cache_t *cache, tournament_key_t *key,
    ngx_msec_t ms);


/*
 * Gives a claim back, or with ms keeps it for as long from now.  Returns the
 * set of workers, a bit each, that wait for it: they are to be woken.
 */

uint64_t tournament_cache_release(tournament_cache_t *cache,
    tournament_key_t *key, ngx_msec_t ms);


/*
 * A number for this worker, 0 to TOURNAMENT_WORKERS - 1, that no other
 * living one has; NGX_ERROR: all are taken.  leave gives it back.
 */

#define TOURNAMENT_WORKERS  64

ngx_int_t tournament_cache_join(tournament_cache_t *cache);
void tournament_cache_leave(tournament_cache_t *cache, ngx_int_t worker);


/*
 * The listener's place: which worker hears of changes.  It is written and read
 * without the lock.  See the feed's room.
 */

typedef struct {
    uint64_t                     lease;       /* generation and pid */
    uint64_t                     beat;        /* ms; the holder lives */
    uint64_t                     up;          /* the lease that listens */
    uint64_t                     doubts;      /* not 0: changes may go by */
    uint64_t                     source;      /* where; a hash */
    uint64_t                     drained;     /* a lease that was succeeded,
                                                 and has heard all before */
    uint64_t                     heard;       /* ms; the last message */
    uint64_t                     changes;     /* tokens handled so far */
    uint64_t                     warmed;      /* the space of keys that is
                                                 loaded */
} tournament_listener_t;

tournament_listener_t *tournament_cache_listener(tournament_cache_t *cache);


/*
 * The annex: memory of the zone that is not this room's, zeroed when the zone
 * is made, aligned to 64 bytes.  NULL where cache->annex is 0.
 */

void *tournament_cache_annex(tournament_cache_t *cache);


/* Outages: of the database, and of the listener where it has its own way. */

typedef enum {
    TOURNAMENT_OUTAGE_DATABASE = 0,
    TOURNAMENT_OUTAGE_LISTENER,
    TOURNAMENT_OUTAGES
} tournament_outage_e;

tournament_outage_t *tournament_cache_outage(tournament_cache_t *cache,
    tournament_outage_e of);


/* The newest configuration's number: each reload has a higher one. */

uint32_t tournament_cache_generation(tournament_cache_t *cache);


/*
 * How long ago that was, ms.  Another worker's cached time may be a little
 * ahead of this one's: what it has fetched by then is of age 0.
 */

static ngx_inline ngx_msec_t
tournament_cache_age(ngx_msec_t fetched)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec - fetched);

    return age > 0 ? (ngx_msec_t) age : 0;
}


/* Frees what this process has for copies: it exits. */

void tournament_cache_close(tournament_cache_t *cache);


void tournament_cache_stats(tournament_cache_t *cache,
    tournament_cache_stats_t *stats);


#endif /* _TOURNAMENT_CACHE_H_INCLUDED_ */
