
/*
 * Wake-ups between workers: a table of eventfds that the master makes once,
 * before it starts workers, and that every worker of every configuration
 * inherits.  A worker reads the one of its number in the zone and writes those
 * of others.  A wake-up may be lost (a number passed on, a worker that just
 * died): a coarse timer of who waits stands behind it.
 */

#ifndef _TOURNAMENT_WAKE_H_INCLUDED_
#define _TOURNAMENT_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"


typedef struct tournament_wake_s  tournament_wake_t;

typedef void (*tournament_wake_pt)(void *data);


/*
 * Makes the table, once in the life of the master: four eventfds for each of
 * the configured workers, for old ones may be there too.  NGX_OK or NGX_ERROR.
 */

ngx_int_t tournament_wake_init(ngx_log_t *log, ngx_uint_t workers);


/*
 * Takes a number for this worker; handler is called with data when others
 * wake it, and as it begins to exit.  Without a number or without eventfds it
 * is never called.  NULL: no memory.
 */

tournament_wake_t *tournament_wake_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, tournament_wake_pt handler, void *data);


/* Gives the number back: the process exits. */

void tournament_wake_destroy(tournament_wake_t *wake);


/* This worker's number, or NGX_ERROR. */

ngx_int_t tournament_wake_number(tournament_wake_t *wake);


/* Wakes the workers of a set, a bit each. */

void tournament_wake_up(tournament_wake_t *wake, uint64_t workers);


#endif /* _TOURNAMENT_WAKE_H_INCLUDED_ */
