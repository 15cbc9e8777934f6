
/* The module's configuration, as the front door makes it and rooms read it. */

#ifndef _NGX_HTTP_TOURNAMENT_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/body.h"
#include "zone/cache.h"
#include "pg/conninfo.h"
#include "endpoints/endpoint.h"
#include "feed/feed.h"
#include "serve/fetch.h"
#include "serve/json.h"
#include "serve/metrics.h"
#include "pg/pg.h"
#include "serve/warm.h"


/* of one nginx; a worker's copy has the worker's own objects, too */

typedef struct {
    ngx_shm_zone_t                       *zone;
    ngx_http_tournament_cache_t           cache;

    ngx_http_tournament_conninfo_t        conninfo;
    ngx_http_tournament_pg_conf_t         database;
    ngx_uint_t                            cache_version;
    uint64_t                              space;      /* of keys */
    ngx_uint_t                            used;       /* by some location */

    ngx_flag_t                            prepare;

    ngx_flag_t                            listen;
    ngx_http_tournament_conninfo_t        listen_conninfo;
                                            /* none: the database's */
    ngx_array_t                          *listen_targets;
    ngx_flag_t                            warm;
    ngx_msec_t                            slow;       /* 0: no slow log */

    ngx_http_tournament_pg_t             *pg;
    ngx_http_tournament_fetch_t          *fetch;
    ngx_http_tournament_feed_t           *feed;
    ngx_http_tournament_warmer_t         *warmer;
    ngx_http_tournament_memo_t           *memo;
    ngx_http_tournament_json_t           *json;
    ngx_http_tournament_metrics_t        *metrics;
} ngx_http_tournament_main_conf_t;


/* "$name" alone is read as it is, anything else is a complex value */

typedef struct {
    ngx_int_t                             variable;   /* index, or NGX_ERROR */
    ngx_http_complex_value_t             *complex;
} ngx_http_tournament_value_t;


typedef struct {
    ngx_uint_t                            served;     /* endpoint is set */
    ngx_uint_t                            endpoint;
    ngx_http_tournament_value_t          *argument;   /* NULL: none, as the
                                                         next two */
    ngx_http_tournament_value_t          *user;
    ngx_http_tournament_value_t          *staff;

    ngx_msec_t                            ttl[NGX_HTTP_TOURNAMENT_TTLS];
    ngx_msec_t                            coalesce[
                                              NGX_HTTP_TOURNAMENT_ENDPOINTS];
    ngx_msec_t                            stale;
    time_t                                max_age;
    ngx_str_t                             cache_control;
} ngx_http_tournament_loc_conf_t;


extern ngx_module_t  ngx_http_tournament_module;


#endif /* _NGX_HTTP_TOURNAMENT_H_INCLUDED_ */
