
/*
 * The node's figures, as status and metrics show them: all of them, read at
 * one time.
 */

#ifndef _TOURNAMENT_FIGURES_H_INCLUDED_
#define _TOURNAMENT_FIGURES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/metrics.h"


typedef struct {
    tournament_counters_t   counters;
    tournament_gauges_t     gauges[TOURNAMENT_WORKERS];

    uint64_t                entries;      /* missing ones included */
    uint64_t                missing;
    uint64_t                cell_size;    /* bytes */
    uint64_t                cells;
    uint64_t                cells_free;
    uint64_t                evictions;
    uint64_t                recoveries;

    uint64_t                uptime;       /* of the zone, s */
    uint64_t                workers;      /* of the newest configuration */
    uint64_t                generation;

    uint64_t                stale;        /* of the location, s */
    uint64_t                away;         /* the database is, */
    uint64_t                outage;       /* for so long, s */

    uint64_t                changes;      /* heard by the feed */
    uint64_t                listening;    /* 0: the feed is off */
    uint64_t                up;           /* the feed is */
    const char             *feed;         /* its state */
    ngx_str_t               kind;         /* the feed's, if it listens */
    ngx_pid_t               listener;     /* 0: none */
    uint64_t                streamed;     /* from a slot, as follows */
    char                    slot[sizeof(((tournament_listener_t *) 0)->slot)];
    uint64_t                behind;       /* bytes of the server's log */
    uint64_t                behind_ms;
    uint64_t                heard;        /* silence is known */
    uint64_t                silence;      /* ms */

    uint64_t                waiting;      /* polls, for a change */

    /* open, by number of the endpoint */
    uint64_t                streams[TOURNAMENT_ENDPOINTS];
} tournament_figures_t;


/* a cache status, as a column of the counters */

typedef struct {
    ngx_uint_t              column;
    const char             *key;          /* of the document; NULL: none */
    const char             *label;        /* of the metric */
} tournament_column_t;


/* in the order shown; ends with a label of NULL */

extern tournament_column_t  tournament_columns[];


/* the words for a stream's end, by tournament_end_e */

extern const char  *tournament_ends[];


/* Reads them.  They are of the request's pool.  NULL: no memory. */

tournament_figures_t *tournament_figures(ngx_http_request_t *r);


/* The sum of a histogram's buckets. */

uint64_t tournament_figures_count(tournament_histogram_t *histogram);


/*
 * What the handlers have in common.  begin: NGX_DECLINED to go on, else a
 * value to return: methods but GET and HEAD are refused.  send: returns a value
 * for a handler to return; text lives as long as the request.
 */

ngx_int_t tournament_figures_begin(ngx_http_request_t *r);
ngx_int_t tournament_figures_send(ngx_http_request_t *r, const char *type,
    ngx_str_t *text);


#endif /* _TOURNAMENT_FIGURES_H_INCLUDED_ */
