
/* The module's configuration, as the front door makes it and rooms read it. */

#ifndef _TOURNAMENT_CONF_H_INCLUDED_
#define _TOURNAMENT_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/memo.h"
#include "zone/zone.h"
#include "pg/conninfo.h"
#include "serve/endpoint.h"
#include "feed/feed.h"
#include "serve/fetch.h"
#include "serve/json.h"
#include "serve/metrics.h"
#include "pg/pg.h"
#include "serve/warm.h"


typedef struct tournament_watch_s  tournament_watch_t;


/* of one nginx; a worker's copy has the worker's own objects, too */

typedef struct {
    ngx_shm_zone_t              *shm_zone;
    tournament_zone_t            zone;

    tournament_conninfo_t        conninfo;
    tournament_pg_conf_t         database;
    ngx_uint_t                   cache_version;
    uint64_t                     space;      /* of keys */
    ngx_uint_t                   used;       /* by some location */
    ngx_uint_t                   watched;    /* some have streams */
    ngx_uint_t                   stream_connections;  /* NGX_CONF_UNSET_UINT:
                                                half of the worker's */
    ngx_uint_t                   stream_keys;

    ngx_flag_t                   prepare;

    ngx_flag_t                   listen;
    tournament_conninfo_t        listen_conninfo;
                                            /* none: the database's */
    ngx_array_t                 *listen_targets;
    tournament_source_kind_t    *feed_kind;
    ngx_flag_t                   warm;
    ngx_msec_t                   slow;       /* 0: no slow log */

    tournament_pg_t             *pg;
    tournament_fetch_t          *fetch;
    tournament_feed_t           *feed;
    tournament_warmer_t         *warmer;
    tournament_memo_t           *memo;
    tournament_json_t           *json;
    tournament_metrics_t        *metrics;
    tournament_watch_t          *watch;      /* NULL: nobody may */
} tournament_main_conf_t;


/* "$name" alone is read as it is, anything else is a complex value */

typedef struct {
    ngx_int_t                             variable;   /* index, or NGX_ERROR */
    ngx_http_complex_value_t             *complex;
} tournament_value_t;


typedef struct {
    tournament_endpoint_t       *endpoint;   /* NULL: another handler */
    tournament_value_t          *argument;   /* NULL: none, as the
                                                next two */
    tournament_value_t          *user;
    tournament_value_t          *staff;

    ngx_msec_t                   ttl[TOURNAMENT_ENDPOINTS];
    ngx_msec_t                   coalesce[TOURNAMENT_ENDPOINTS];
    ngx_msec_t                   stale;
    time_t                       max_age;
    ngx_str_t                    cache_control;

    ngx_flag_t                   stream;
    ngx_msec_t                   stream_heartbeat;
    ngx_msec_t                   stream_timeout;
    ngx_msec_t                   wait;      /* 0: a poll does not */
} tournament_loc_conf_t;


extern ngx_module_t  ngx_http_tournament_module;


#endif /* _TOURNAMENT_CONF_H_INCLUDED_ */
