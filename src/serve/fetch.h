
/*
 * From a key to facts by way of the database: one query a key, however many
 * requests wait for it in however many workers, and its result into the zone.
 * A key that is to be cached is claimed in the zone before it is queried; who
 * finds it claimed by another worker is woken when that one is done, and takes
 * the result from the zone, or the claim.
 *
 * A waiter that comes when the query has been sent takes its result only where
 * nothing that it shows is known to have changed before the waiter came, or
 * where the waiter's endpoint coalesces changes; else it waits for the next
 * query, which is sent after it came: two at most.
 */

#ifndef _TOURNAMENT_FETCH_H_INCLUDED_
#define _TOURNAMENT_FETCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"
#include "serve/endpoint.h"
#include "zone/key.h"
#include "pg/pg.h"
#include "feed/wake.h"


typedef struct tournament_fetch_s   tournament_fetch_t;
typedef struct tournament_flight_s  tournament_flight_t;
typedef struct tournament_waiter_s  tournament_waiter_t;


/*
 * entry is good until the handler returns; NULL unless rc is PG_OK.  With
 * PG_TIMEOUT the waiter's own time has passed: the query may go on, for others.
 */

typedef void (*tournament_fetch_handler_pt)(tournament_waiter_t *waiter,
    tournament_pg_rc_e rc, tournament_entry_t *entry);


/* the caller's to allocate, zeroed, and to keep until it is called or left */

struct tournament_waiter_s {

    /* set by the caller */

    tournament_fetch_handler_pt   handler;
    void                         *data;
    void                         *owner;
    ngx_msec_t                    coalesce; /* a result that is
                                               younger will do,
                                               whatever changed
                                               since */
    unsigned                      cache:1;  /* the result may be
                                               stored; else it must
                                               be queried for now */
    unsigned                      impatient:1;  /* it need not wait
                                               for a database that
                                               is away */

    /* of the entry that was not good enough, if there is one: else 0 */

    uint64_t                      seen_clock;
    ngx_msec_t                    seen_fetched;

    /* the room's own */

    ngx_queue_t                   queue;     /* of the flight */
    ngx_queue_t                   due;       /* by arrival */
    tournament_flight_t          *flight;   /* NULL: not waiting */
    ngx_msec_t                    arrived;
    uint64_t                      clock;    /* as it arrived */
    ngx_uint_t                    sends;    /* of the flight, then */
    unsigned                      refused:1;  /* no query for it was sent */
    tournament_pg_times_t         times;    /* of its query; all 0:
                                               another worker's */
};


/*
 * Memory is taken from pool, but for flights.  conf is that of pg: its hook for
 * a database that is away becomes this room's.  NULL: no memory.
 */

tournament_fetch_t *tournament_fetch_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, tournament_pg_t *pg,
    tournament_pg_conf_t *conf);


/*
 * Of a worker that has just started: what is queried before the feed is up
 * would be suspect at once, so queries wait for it, a moment at most.
 */

void tournament_fetch_gate(tournament_fetch_t *fetch);


/* This worker's number in the zone, or NGX_ERROR. */

ngx_int_t tournament_fetch_number(tournament_fetch_t *fetch);


/* Has handler called, too, when others wake this worker, and as it exits. */

void tournament_fetch_follow(tournament_fetch_t *fetch,
    tournament_wake_pt handler, void *data);


/* Wakes the workers of a set, a bit each. */

void tournament_fetch_wake(tournament_fetch_t *fetch, uint64_t workers);


/* Forgets all flights, calling no handlers: the process exits. */

void tournament_fetch_destroy(tournament_fetch_t *fetch);


/*
 * Waits for the facts of a key of that endpoint, with
 * those who wait already or for a query that start() sends.  Returns NGX_OK or
 * NGX_ERROR: no memory.
 */

ngx_int_t tournament_fetch_add(tournament_fetch_t *fetch,
    tournament_endpoint_t *endpoint,
    tournament_key_t *key, tournament_waiter_t *waiter);


/*
 * Sends what the calls of add() and refresh() since the last start() need: one
 * statement for all keys of an endpoint that has one for many, else one for
 * each key.  Handlers are called later, never from within this call, also where
 * the database cannot be asked: with PG_UNAVAILABLE, waiter->refused set, in
 * the same turn of the event loop.
 */

void tournament_fetch_start(tournament_fetch_t *fetch);


/*
 * Has start() query a key in the background, unless somebody does already, and
 * stores the result in the place of the entry, which may be NULL.  The zone is
 * not looked at before start(): what cache_get() gave is good until then.
 */

void tournament_fetch_refresh(tournament_fetch_t *fetch,
    tournament_endpoint_t *endpoint,
    tournament_key_t *key, tournament_entry_t *entry);


/*
 * Stops waiting, if it does: the handler will not be called.  A query that
 * nobody waits for any more is taken back if it was not sent; else its result
 * is stored.
 */

void tournament_fetch_leave(tournament_waiter_t *waiter);


#endif /* _TOURNAMENT_FETCH_H_INCLUDED_ */
