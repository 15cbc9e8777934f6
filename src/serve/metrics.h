
/*
 * What this node counts and measures, and the slow log.
 *
 * Counters live in the zone's annex and so outlive reloads and workers.  Each
 * worker adds to a slot of its own, of whole cache lines, so that nobody waits
 * for anybody; a slot is passed on with the worker's number and goes on
 * counting.  A total is the sum of all slots.  Additions are atomic all the
 * same, which costs next to nothing on a line that is one's own: in a small
 * zone, and beyond TOURNAMENT_WORKERS, several workers share a slot.
 *
 * A gauge tells how things are now.  Each worker writes its own, as its
 * database room tells; those of a worker that is dead are not read.
 */

#ifndef _TOURNAMENT_METRICS_H_INCLUDED_
#define _TOURNAMENT_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/atomic.h"
#include "zone/limit.h"
#include "zone/zone.h"
#include "pg/pg.h"
#include "serve/endpoint.h"


/* a request's cache status is the column that it is counted in */
#define TOURNAMENT_METRICS_4XX      7
#define TOURNAMENT_METRICS_5XX      8
#define TOURNAMENT_METRICS_COLUMNS  9

#define TOURNAMENT_BUCKETS         13


/* why a stream has ended: the client went, or took nothing; as it should */

typedef enum {
    TOURNAMENT_END_CLIENT = 0,
    TOURNAMENT_END_SLOW,
    TOURNAMENT_END_GONE,       /* what it showed */
    TOURNAMENT_END_LIMIT,      /* its time */
    TOURNAMENT_END_EXIT,       /* of the worker */
    TOURNAMENT_ENDS
} tournament_end_e;


/* durations; which bucket one is counted in follows from the bounds below */

typedef struct {
    uint64_t                       buckets[TOURNAMENT_BUCKETS];
    uint64_t                       sum;             /* us */
} tournament_histogram_t;


/* a slot: only ever added to */

typedef struct {
    /* by number of the endpoint */
    uint64_t                       requests[TOURNAMENT_ENDPOINTS]
                                        [TOURNAMENT_METRICS_COLUMNS];
    uint64_t                       purges;

    uint64_t                       queries;         /* that have ended */
    uint64_t                       errors;
    uint64_t                       timeouts;
    uint64_t                       slow;
    uint64_t                       refused;         /* the queue was full */

    uint64_t                       events;          /* of streams: sent, */
    uint64_t                       skipped;         /* missed by slow clients */
    uint64_t                       full;            /* streams refused */
    uint64_t                       ends[TOURNAMENT_ENDS];

    tournament_histogram_t  latency;       /* of queries */
    tournament_histogram_t  misses;        /* of requests */
    tournament_histogram_t  delay;         /* of the feed */
} tournament_counters_t;


/* of one worker's connections to the database, and its streams */

typedef struct {
    uint64_t                       worker;          /* its id, in a copy */
    uint32_t                       ready;           /* connections */
    uint32_t                       connecting;
    uint32_t                       down;
    uint32_t                       queued;          /* queries */
    uint32_t                       in_flight;
    uint32_t                       waiting;         /* polls, for a change */

    /* by number of the endpoint */
    uint32_t                       streams[TOURNAMENT_ENDPOINTS];
} tournament_gauges_t;


/* a worker's own view of it */

typedef struct {
    tournament_counters_t  *counters;      /* its slot */
    tournament_gauges_t    *gauges;        /* NULL: without number */
    tournament_pg_statement_t
                          **statements;    /* by a query's number */

    ngx_log_t              *log;
    tournament_zone_t      *zone;
    ngx_msec_t              slow;          /* 0: no slow log */
    tournament_limit_t      limit;         /* of its lines */
} tournament_metrics_t;


/* The bounds of the buckets: the last one has none, its text is "+Inf". */

typedef struct {
    uint64_t                       us;              /* at most */
    ngx_str_t                      seconds;
} tournament_bound_t;

extern tournament_bound_t
    tournament_bounds[TOURNAMENT_BUCKETS];


/*
 * Bytes of the annex in a zone of that size: a thirty-second of it at most, but
 * that there is room for the gauges and one slot.
 */

size_t tournament_metrics_size(size_t zone);


/*
 * Memory is taken from pool.  What takes slow ms and longer is logged; 0:
 * nothing is.  NULL: no memory.
 */

tournament_metrics_t *tournament_metrics_create(ngx_pool_t *pool,
    ngx_log_t *log, tournament_zone_t *zone, ngx_msec_t slow);


/*
 * From now on it counts as the worker of that number, of cache_join();
 * NGX_ERROR: without one its gauges are not shown.
 */

void tournament_metrics_join(tournament_metrics_t *metrics, ngx_int_t number);


static ngx_inline void
tournament_metrics_add(uint64_t *counter)
{
    tournament_atomic_add(counter, 1);
}


/* A stream of that endpoint has begun, or ended. */

void tournament_metrics_begun(tournament_metrics_t *metrics,
    ngx_uint_t number);
void tournament_metrics_over(tournament_metrics_t *metrics, ngx_uint_t number,
    tournament_end_e end);


/* One more poll waits for a change, or with -1 one less. */

void tournament_metrics_waiting(tournament_metrics_t *metrics, int n);


/* Counts a duration, us. */

void tournament_metrics_observe(tournament_histogram_t *histogram,
    uint64_t us);


/*
 * Sets conf's meter: from now on it counts the queries of who is made with that
 * conf, logs those that were slow, and keeps the gauges.
 */

void tournament_metrics_follow(tournament_metrics_t *metrics,
    tournament_pg_conf_t *conf);


/*
 * Counts a request that waited for the database from start (us) on, and logs
 * it if that was long.  times are those of the query that it waited for last,
 * all 0 where another worker sent it.  key is its entry's.
 */

void tournament_metrics_waited(tournament_metrics_t *metrics,
    tournament_endpoint_t *endpoint, tournament_key_t *key, uint64_t start,
    tournament_pg_times_t *times);


/*
 * Writes the arguments in a key, with commas between, as printable text, NUL
 * behind it.  Returns buf.
 */

#define TOURNAMENT_METRICS_TEXT  256

u_char *tournament_metrics_key(u_char *buf, tournament_key_t *key);


/* Adds all slots up. */

void tournament_metrics_sum(tournament_metrics_t *metrics,
    tournament_counters_t *total);


/*
 * Copies the gauges of the worker of that number.  NGX_DECLINED: there is no
 * such worker alive.
 */

ngx_int_t tournament_metrics_gauges(tournament_metrics_t *metrics,
    ngx_uint_t number, tournament_gauges_t *gauges);


#endif /* _TOURNAMENT_METRICS_H_INCLUDED_ */
