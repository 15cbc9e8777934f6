
/*
 * The feed of committed changes: one worker of the node listens to PostgreSQL
 * and turns what it hears into changes of the zone, where all workers see them
 * at once.
 *
 * The listener's place is a lease in the zone, held by one worker of one
 * generation of the configuration.  The holder beats; a worker of the same
 * generation takes a lease over whose holder is dead or has not beaten for a
 * while, one of a newer generation takes it at once.  Two that listen at the
 * same time do no harm: at a reload the old one goes on until the new one
 * listens and all that was committed before has arrived, and says so in the
 * zone, so that no change goes by.  Wherever one may have gone by, everything
 * that is cached becomes suspect: before the feed is up, or as soon as it is
 * known that the old one will not say it: it is dead, or has taken too long.
 */

#ifndef _TOURNAMENT_FEED_H_INCLUDED_
#define _TOURNAMENT_FEED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "feed/source.h"
#include "pg/pg.h"
#include "zone/zone.h"


typedef struct tournament_feed_s  tournament_feed_t;


typedef enum {
    TOURNAMENT_FEED_DOWN = 0,
    TOURNAMENT_FEED_UP
} tournament_feed_state_e;


/*
 * begun, called in the listening worker once the feed is up: continued is 0
 * where what was cached before is suspect, or nothing was.  delay: how long, in
 * us, a heartbeat took; what was committed before it was sent has been heard
 * before its answer.  (Notifications have no time in them: no writer is
 * burdened with it.)  changed: the clock knows of one more change.  Each may be
 * NULL.
 */

typedef struct {
    tournament_zone_t         *zone;
    ngx_array_t               *targets;     /* where to listen */
    tournament_outage_t       *outage;
    ngx_msec_t                 connect_timeout;
    tournament_source_kind_t  *kind;
    tournament_pg_t           *pg;          /* the pool: what is heard must
                                               come from where it reads, and
                                               it makes room for the listener */

    void                     (*begun)(void *data, ngx_uint_t continued);
    void                      *begun_data;
    void                     (*delay)(void *data, uint64_t us);
    void                      *delay_data;
    void                     (*changed)(void *data);
    void                      *changed_data;
} tournament_feed_conf_t;


/*
 * Joins the election.  conf is copied; memory is taken from pool.  NULL: no
 * memory.
 */

tournament_feed_t *tournament_feed_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_feed_conf_t *conf);


/* Leaves the lease to others: the process exits. */

void tournament_feed_destroy(tournament_feed_t *feed);


/* Whether this node hears of changes now. */

tournament_feed_state_e tournament_feed_state(tournament_zone_t *zone);


#endif /* _TOURNAMENT_FEED_H_INCLUDED_ */
