
/*
 * The change clock: a counter that every change which the node learns of
 * advances.  A change of a thing sets the thing's stripe, a slot of a fixed
 * array, to the clock's new value.  Whatever is read from the database keeps
 * the clock as it was before its query was sent, and the stripes of the things
 * that it shows: it is valid as long as none of them, and not the floor, is
 * above its clock.
 *
 * So a change costs a few atomic writes, however many entries show the thing;
 * a row that was read before a commit and stored after its notification is
 * invalid as it lands; two things in one stripe cost a needless query, never a
 * wrong answer.
 *
 * It lives in the shared zone.  Nothing here takes a lock.
 */

#ifndef _TOURNAMENT_CLOCK_H_INCLUDED_
#define _TOURNAMENT_CLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Kinds of things that change; ids of one kind are no ids of another */

typedef enum {
    TOURNAMENT_ROWS = 0,    /* the catalogue's rows; id is 0 */
    TOURNAMENT_COUNTS,      /* the catalogue's counts; id is 0 */
    TOURNAMENT_TOURNAMENT,
    TOURNAMENT_TEAM,
    TOURNAMENT_PROFILE
} tournament_thing_e;


/*
 * How good what was read is.  TTLs are the locations', so that this is without
 * them.
 */

typedef enum {
    TOURNAMENT_FRESH = 0,   /* not known to have changed */
    TOURNAMENT_SUSPECT,     /* the feed was interrupted since */
    TOURNAMENT_INVALID,     /* known to have changed */
    TOURNAMENT_PURGED       /* taken back: never to be shown */
} tournament_class_e;


typedef struct {
    uint64_t                   value;
    uint64_t                   floor;         /* older is invalid */
    uint64_t                   suspect;       /* older is suspect */
    uint64_t                   purge_floor;   /* older is purged */
    uint64_t                   walked;        /* older is not stored */
    u_char                     padding[24];   /* to a cache line */

    uint64_t                  *stripes;       /* last change */
    uint64_t                  *purges;        /* last purge */
    uint64_t                  *ring;          /* the last changes, by value */
    uint32_t                   nstripes;      /* a power of two */
    uint32_t                   nring;
} tournament_clock_t;


/*
 * Begins at 0, with that many stripes in memory, which has
 * tournament_clock_size() bytes and is aligned to 8.
 */

#define tournament_clock_ring(nstripes)  ngx_min(nstripes, 4096)

#define tournament_clock_size(nstripes)                                       \
    ((2 * (nstripes) + tournament_clock_ring(nstripes)) * sizeof(uint64_t))

void tournament_clock_init(tournament_clock_t *clock, u_char *memory,
    uint32_t nstripes);


/* The clock, read before a query is sent and as a waiter arrives. */

uint64_t tournament_clock_now(tournament_clock_t *clock);


/* The stripe of a thing, for the list of what an entry shows. */

uint32_t tournament_clock_stripe(tournament_clock_t *clock,
    tournament_thing_e kind, int64_t id);


/*
 * Makes invalid what shows the thing, also where the query is under way;
 * change_all: whatever there is.
 */

void tournament_clock_change(tournament_clock_t *clock,
    tournament_thing_e kind, int64_t id);
void tournament_clock_change_all(tournament_clock_t *clock);


/* Makes everything suspect: changes may have gone by unheard until now. */

void tournament_clock_suspect_all(tournament_clock_t *clock);


/*
 * As change() and change_all(), and takes back what is shown of it: not even
 * a failing database lets it be seen again.
 */

void tournament_clock_purge(tournament_clock_t *clock,
    tournament_thing_e kind, int64_t id);
void tournament_clock_purge_all(tournament_clock_t *clock);


/*
 * For who follows the changes: *seen is the clock's value up to which that was
 * done, and goes on by one.  NGX_OK: *stripe has changed, all of them with
 * TOURNAMENT_CLOCK_ALL, none with TOURNAMENT_CLOCK_NONE.  NGX_DECLINED: there
 * was no change since.  NGX_AGAIN: somebody is just at it.  NGX_ERROR: more
 * than the ring keeps were missed; *seen is the clock's value now.
 */

#define TOURNAMENT_CLOCK_ALL   0xffffffff
#define TOURNAMENT_CLOCK_NONE  0xfffffffe

ngx_int_t tournament_clock_follow(tournament_clock_t *clock, uint64_t *seen,
    uint32_t *stripe);


/*
 * Before a walk that looks for what to purge: results of queries that are
 * under way, which it cannot find, will not be stored.
 */

void tournament_clock_walk(tournament_clock_t *clock);


/* Whether a walk has begun since: what was read at then is not stored. */

ngx_uint_t tournament_clock_walked(tournament_clock_t *clock, uint64_t then);


/*
 * What the worst of those n stripes, the floors, and the feed's interruptions
 * make of what was read at then.
 */

tournament_class_e tournament_clock_class(tournament_clock_t *clock,
    uint64_t then, uint32_t *stripes, ngx_uint_t n);


/* Whether it is FRESH, at the least cost. */

ngx_uint_t tournament_clock_fresh(tournament_clock_t *clock, uint64_t then,
    uint32_t *stripes, ngx_uint_t n);


/*
 * Whether what was read at then and shows those n stripes is known to have
 * changed since: 1 when it has not, else 0.
 */

ngx_uint_t tournament_clock_valid(tournament_clock_t *clock, uint64_t then,
    uint32_t *stripes, ngx_uint_t n);


#endif /* _TOURNAMENT_CLOCK_H_INCLUDED_ */
