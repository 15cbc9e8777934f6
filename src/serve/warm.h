
/*
 * Loads what is likely to be asked for, in the background: the states of all
 * published and running tournaments by one statement, the hub's default page,
 * the platform's figures.  When a node starts, when the feed was interrupted,
 * so that what is in use does not come back as a herd of queries, and when a
 * reload has made the keys others.
 */

#ifndef _TOURNAMENT_WARM_H_INCLUDED_
#define _TOURNAMENT_WARM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"
#include "serve/fetch.h"
#include "pg/pg.h"


typedef struct tournament_warmer_s  tournament_warmer_t;


/*
 * endpoints, which end with NULL, say what is to be loaded; space is that of
 * the keys.  NULL: no memory.
 */

tournament_warmer_t *tournament_warm_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, tournament_pg_t *pg, tournament_fetch_t *fetch,
    tournament_endpoint_t **endpoints, uint64_t space);


/*
 * Begins, unless it is at it, or keys of this space were the last to be loaded
 * and continued is set.  data is the warmer.
 */

void tournament_warm_start(void *data, ngx_uint_t continued);


void tournament_warm_destroy(tournament_warmer_t *warmer);


#endif /* _TOURNAMENT_WARM_H_INCLUDED_ */
