
/*
 * The shared zone, from which the other rooms of this folder have their
 * memory: the change clock, the workers, the listener's place, outages, the
 * claims, an annex for another room, and the arena, which has the rest.
 *
 * A reload keeps the zone with all that is in it, unless its size is another.
 */

#ifndef _TOURNAMENT_ZONE_H_INCLUDED_
#define _TOURNAMENT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/arena.h"
#include "zone/claim.h"
#include "zone/clock.h"
#include "zone/listener.h"
#include "zone/outage.h"
#include "zone/worker.h"


/* bytes; below it the fixed parts leave too little room for entries */
#define TOURNAMENT_ZONE_MIN  (256 * 1024)

/* above it the cells' numbers, which are of 32 bits, run out */
#define TOURNAMENT_ZONE_MAX  ((off_t) 256 * 1024 * 1024 * 1024)


/* Outages: of the database, and of the listener where it has its own way. */

typedef enum {
    TOURNAMENT_OUTAGE_DATABASE = 0,
    TOURNAMENT_OUTAGE_LISTENER,
    TOURNAMENT_OUTAGES
} tournament_outage_e;


/* a process' view of it */

typedef struct {
    uint32_t                   generation;   /* of this configuration */

    tournament_clock_t        *clock;
    tournament_workers_t      *workers;
    tournament_listener_t     *listener;
    tournament_outage_t       *outages;      /* by tournament_outage_e */

    tournament_arena_t         arena;
    tournament_claims_t        claims;

    /*
     * Memory that is another room's, zeroed when the zone is made, aligned to
     * 64 bytes.  Its size is set before the zone is added.
     */

    void                      *annex;
    size_t                     annex_size;   /* bytes */

    uint64_t                  *made;         /* ngx_current_msec, then */
} tournament_zone_t;


/*
 * Adds the zone, of size bytes, to the configuration.  zone is the caller's,
 * from the configuration's pool, zeroed but for annex_size; tag is the module.
 * Returns NULL on error, which is logged.
 */

ngx_shm_zone_t *tournament_zone_add(ngx_conf_t *cf, tournament_zone_t *zone,
    ngx_str_t *name, size_t size, void *tag);


/* The configuration is in force: see tournament_workers_begin(). */

void tournament_zone_begin(tournament_zone_t *zone);


#endif /* _TOURNAMENT_ZONE_H_INCLUDED_ */
