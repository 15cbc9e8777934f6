
#include "serve/answer.h"
#include "endpoints/page.h"
#include "serve/request.h"
#include "endpoints/status.h"


/* bytes of the metrics' text, and of what each worker adds to it */
#define TOURNAMENT_TEXT_SIZE    32768
#define TOURNAMENT_TEXT_WORKER  512


/* everything that is shown, read at one time */

typedef struct {
    tournament_counters_t      counters;
    tournament_arena_stats_t   cache;
    ngx_msec_t                 age;         /* of the zone */

    tournament_gauges_t        gauges[TOURNAMENT_WORKERS];
    ngx_uint_t                 workers;     /* of the newest
                                               configuration */
    uint32_t                   generation;

    uint64_t                   changes;     /* heard by the feed */
    const char                *feed;        /* its state */
    ngx_pid_t                  listener;    /* 0: none */
    ngx_msec_t                 silence;     /* ms */
    unsigned                   listening:1; /* it is not off */
    unsigned                   heard:1;     /* silence is known */
} tournament_figures_t;


/* how well each of two types is accepted: of its most specific range */

typedef struct {
    ngx_uint_t                          specific;
    ngx_uint_t                          quality;     /* thousandths */
} tournament_accept_t;


/* the cache statuses, as columns of the counters, in the order shown */

typedef struct {
    ngx_uint_t                          column;
    const char                         *key;         /* of the document */
    const char                         *label;       /* of the metric */
} tournament_column_t;


static ngx_int_t tournament_status_method(ngx_http_request_t *r);
static ngx_uint_t tournament_status_html(ngx_http_request_t *r);
static void tournament_status_accept(ngx_str_t *value,
    tournament_accept_t *html, tournament_accept_t *json);
static void tournament_status_range(u_char *p, u_char *last,
    tournament_accept_t *html, tournament_accept_t *json);
static ngx_uint_t tournament_status_quality(u_char *p, u_char *last);
static ngx_uint_t tournament_status_specific(u_char *p, size_t len,
    ngx_str_t *type);
static ngx_int_t tournament_status_send(ngx_http_request_t *r, ngx_str_t *type,
    ngx_str_t *text);

static tournament_figures_t *tournament_figures(ngx_http_request_t *r);
static void tournament_figures_feed(tournament_main_conf_t *tmcf,
    tournament_figures_t *f);
static uint64_t tournament_figures_requests(uint64_t *columns);
static uint64_t tournament_figures_count(tournament_histogram_t *histogram);

static void tournament_status_json(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_endpoint(tournament_json_t *json,
    ngx_uint_t endpoint, uint64_t *columns);
static void tournament_status_cache(tournament_json_t *json,
    tournament_arena_stats_t *cache);
static void tournament_status_database(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_feed(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_histogram(tournament_json_t *json,
    const char *key, tournament_histogram_t *histogram);

static u_char *tournament_metrics_requests(u_char *p, u_char *last,
    tournament_counters_t *counters);
static u_char *tournament_metrics_workers(u_char *p, u_char *last,
    tournament_figures_t *f);
static u_char *tournament_metrics_head(u_char *p, u_char *last,
    const char *name, const char *type, const char *help);
static u_char *tournament_metrics_value(u_char *p, u_char *last,
    const char *name, const char *type, const char *help, uint64_t value);
static u_char *tournament_metrics_histogram(u_char *p, u_char *last,
    const char *name, const char *help, tournament_histogram_t *histogram);


static ngx_str_t  tournament_status_no_store = ngx_string("no-store");
static ngx_str_t  tournament_status_vary = ngx_string("Vary");
static ngx_str_t  tournament_status_accept_name = ngx_string("Accept");

static ngx_str_t  tournament_type_json =
    ngx_string("application/json; charset=utf-8");
static ngx_str_t  tournament_type_html =
    ngx_string("text/html; charset=utf-8");
static ngx_str_t  tournament_type_metrics =
    ngx_string("text/plain; version=0.0.4; charset=utf-8");


static tournament_column_t  tournament_columns[] = {
    { TOURNAMENT_HIT, "hits", "hit" },
    { TOURNAMENT_MISS, "misses", "miss" },
    { TOURNAMENT_EXPIRED, "expired", "expired" },
    { TOURNAMENT_STALE, "stale", "stale" },
    { TOURNAMENT_UPDATING, "updating", "updating" },
    { TOURNAMENT_BYPASS, "bypass", "bypass" },

    /* refused before the cache was asked */
    { TOURNAMENT_NONE, NULL, "none" }
};

#define TOURNAMENT_NCOLUMNS                                                   \
    (sizeof(tournament_columns)                                               \
     / sizeof(tournament_column_t))


ngx_int_t
tournament_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                text, etag;
    tournament_json_t       *json;
    tournament_figures_t    *f;
    tournament_main_conf_t  *tmcf;

    rc = tournament_status_method(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (tournament_answer_add(r, &tournament_status_vary,
                              &tournament_status_accept_name)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tournament_status_html(r)) {
        return tournament_status_send(r,
                                      &tournament_type_html,
                                      &tournament_page);
    }

    f = tournament_figures(r);
    if (f == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    json = tmcf->json;

    tournament_json_begin(json);
    tournament_status_json(json, f);

    if (tournament_json_end(json, ngx_time(), &text, &etag) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the writer's text is gone with the next one */

    text.data = ngx_pstrdup(r->pool, &text);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_status_send(r, &tournament_type_json, &text);
}


/* NGX_DECLINED: go on */

static ngx_int_t
tournament_status_method(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return NGX_DECLINED;
    }

    return tournament_error_send(r, &tournament_error_method);
}


/*
 * A browser gets the page: whoever would rather have HTML than JSON.  Others,
 * also those who would take neither, get JSON.
 */

static ngx_uint_t
tournament_status_html(ngx_http_request_t *r)
{
    ngx_uint_t            i;
    ngx_list_part_t      *part;
    ngx_table_elt_t      *header;
    tournament_accept_t   html, json;

    ngx_memzero(&html, sizeof(tournament_accept_t));
    ngx_memzero(&json, sizeof(tournament_accept_t));

    /* several headers of the name are one list */

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (header[i].key.len == sizeof("Accept") - 1
                && ngx_strncasecmp(header[i].key.data, (u_char *) "Accept",
                                   sizeof("Accept") - 1)
                   == 0)
            {
                tournament_status_accept(&header[i].value, &html, &json);
            }
        }
    }

    return html.quality > json.quality;
}


static void
tournament_status_accept(ngx_str_t *value, tournament_accept_t *html,
    tournament_accept_t *json)
{
    u_char  *p, *end, *last;

    p = value->data;
    last = p + value->len;

    while (p < last) {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        tournament_status_range(p, end, html, json);

        p = end + 1;
    }
}


/* one media range, with its parameters */

static void
tournament_status_range(u_char *p, u_char *last, tournament_accept_t *html,
    tournament_accept_t *json)
{
    size_t                len;
    u_char               *end;
    ngx_uint_t            i, n, quality;
    tournament_accept_t  *accept[2];

    static ngx_str_t  types[] = {
        ngx_string("text/html"), ngx_string("application/json")
    };

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    end = ngx_strlchr(p, last, ';');

    quality = end ? tournament_status_quality(end, last) : 1000;

    len = (end ? end : last) - p;

    while (len && (p[len - 1] == ' ' || p[len - 1] == '\t')) {
        len--;
    }

    accept[0] = html;
    accept[1] = json;

    for (i = 0; i < 2; i++) {
        n = tournament_status_specific(p, len, &types[i]);

        if (n > accept[i]->specific) {
            accept[i]->specific = n;
            accept[i]->quality = quality;
        }
    }
}


/* thousandths, of the parameter q; 1000 where there is none, 0 of a bad one */

static ngx_uint_t
tournament_status_quality(u_char *p, u_char *last)
{
    ngx_int_t  n;

    for ( /* void */ ; p; p = ngx_strlchr(p, last, ';')) {

        p++;

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if (last - p >= 2 && (p[0] == 'q' || p[0] == 'Q') && p[1] == '=') {
            p += 2;

            for (last = p;
                 *last == '.' || (*last >= '0' && *last <= '9');
                 last++)
            {
                /* void */
            }

            n = ngx_atofp(p, last - p, 3);

            return (n < 0 || n > 1000) ? 0 : n;
        }
    }

    return 1000;
}


/* 3: the type itself, 2: any of its kind, 1: any; 0: another one */

static ngx_uint_t
tournament_status_specific(u_char *p, size_t len, ngx_str_t *type)
{
    size_t  kind;

    if (len == sizeof("*/*") - 1 && ngx_strncmp(p, "*/*", len) == 0) {
        return 1;
    }

    kind = ngx_strlchr(type->data, type->data + type->len, '/') - type->data
           + 1;

    if (len == kind + 1 && p[kind] == '*'
        && ngx_strncasecmp(p, type->data, kind) == 0)
    {
        return 2;
    }

    return (len == type->len && ngx_strncasecmp(p, type->data, len) == 0)
           ? 3 : 0;
}


static ngx_int_t
tournament_status_send(ngx_http_request_t *r, ngx_str_t *type, ngx_str_t *text)
{
    r->headers_out.status = NGX_HTTP_OK;

    if (tournament_answer_header(r, &tournament_status_no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tournament_answer_type(r, type);

    return tournament_answer_send(r, text);
}


/* NULL: no memory */

static tournament_figures_t *
tournament_figures(ngx_http_request_t *r)
{
    ngx_uint_t               i;
    tournament_figures_t    *f;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    f = ngx_pcalloc(r->pool, sizeof(tournament_figures_t));
    if (f == NULL) {
        return NULL;
    }

    tournament_metrics_sum(tmcf->metrics, &f->counters);
    tournament_arena_stats(&tmcf->zone.arena, &f->cache);
    f->age = tournament_elapsed((ngx_msec_t) *tmcf->zone.made);

    f->generation = tournament_workers_generation(tmcf->zone.workers);

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {

        if (tournament_metrics_gauges(tmcf->metrics, i,
                                      &f->gauges[i])
            == NGX_OK
            && tournament_worker_generation(f->gauges[i].worker)
               == f->generation)
        {
            f->workers++;
        }
    }

    tournament_figures_feed(tmcf, f);

    return f;
}


static void
tournament_figures_feed(tournament_main_conf_t *tmcf, tournament_figures_t *f)
{
    uint64_t                heard, up;
    tournament_listener_t  *listener;

    listener = tmcf->zone.listener;

    f->changes = __atomic_load_n(&listener->changes, __ATOMIC_RELAXED);

    if (!tmcf->listen) {
        f->feed = "off";
        return;
    }

    f->listening = 1;

    heard = __atomic_load_n(&listener->heard, __ATOMIC_RELAXED);

    if (heard) {
        f->heard = 1;
        f->silence = tournament_elapsed((ngx_msec_t) heard);
    }

    f->feed = "down";

    up = __atomic_load_n(&listener->up, __ATOMIC_RELAXED);

    if (up && tournament_feed_state(&tmcf->zone) == TOURNAMENT_FEED_UP) {
        f->feed = "up";
        f->listener = (ngx_pid_t) (up & 0xffffffff);
    }
}


static uint64_t
tournament_figures_requests(uint64_t *columns)
{
    uint64_t    sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; i < TOURNAMENT_METRICS_ERRORS; i++) {
        sum += columns[i];
    }

    return sum;
}


static uint64_t
tournament_figures_count(tournament_histogram_t *histogram)
{
    uint64_t    sum;
    ngx_uint_t  i;

    sum = 0;

    for (i = 0; i < TOURNAMENT_BUCKETS; i++) {
        sum += histogram->buckets[i];
    }

    return sum;
}


static void
tournament_status_json(tournament_json_t *json, tournament_figures_t *f)
{
    ngx_uint_t  i;

    tournament_json_bool(json, "success", 1);
    tournament_json_now(json, "timestamp", ngx_time());
    tournament_json_integer(json, "uptime", f->age / 1000);
    tournament_json_integer(json, "generation", f->generation);
    tournament_json_integer(json, "workers", f->workers);

    tournament_json_open_key(json, "endpoints");

    for (i = 0; i < TOURNAMENT_SERVED; i++) {
        tournament_status_endpoint(json, i, f->counters.requests[i]);
    }

    tournament_json_close(json);

    tournament_status_cache(json, &f->cache);

    tournament_json_open_key(json, "changes");
    tournament_json_integer(json, "feed", f->changes);
    tournament_json_integer(json, "purges", f->counters.purges);
    tournament_json_close(json);

    tournament_status_database(json, f);
    tournament_status_histogram(json, "misses", &f->counters.misses);
    tournament_status_feed(json, f);
}


static void
tournament_status_endpoint(tournament_json_t *json, ngx_uint_t endpoint,
    uint64_t *columns)
{
    u_char      *p, rate[sizeof("1.0000")];
    uint64_t     cacheable, hits, n;
    ngx_uint_t   i;

    tournament_json_open_key(json,
                  (char *) tournament_endpoints[endpoint].name.data);

    tournament_json_integer(json, "requests",
                            tournament_figures_requests(columns));
    cacheable = 0;

    for (i = 0; i < TOURNAMENT_NCOLUMNS; i++) {

        if (tournament_columns[i].key == NULL) {
            continue;
        }

        n = columns[tournament_columns[i].column];

        tournament_json_integer(json, tournament_columns[i].key, n);

        if (tournament_columns[i].column != TOURNAMENT_BYPASS) {
            cacheable += n;
        }
    }

    tournament_json_integer(json, "errors",
                            columns[TOURNAMENT_METRICS_ERRORS]);

    if (cacheable == 0) {
        tournament_json_null(json, "hit_rate");

    } else {
        hits = columns[TOURNAMENT_HIT];

        /* to the nearest, but 1 only where nothing else has been */

        n = (hits * 10000 + cacheable / 2) / cacheable;

        if (n == 10000 && hits < cacheable) {
            n = 9999;
        }

        p = ngx_sprintf(rate, "%uL.%04uL", n / 10000, n % 10000);

        tournament_json_number(json, "hit_rate", (char *) rate, p - rate);
    }

    tournament_json_close(json);
}


static void
tournament_status_cache(tournament_json_t *json,
    tournament_arena_stats_t *cache)
{
    tournament_json_open_key(json, "cache");

    tournament_json_integer(json, "entries", cache->entries);
    tournament_json_integer(json, "missing", cache->missing);

    tournament_json_open_key(json, "cells");
    tournament_json_integer(json, "size", cache->cell_size);
    tournament_json_integer(json, "total", cache->cells);
    tournament_json_integer(json, "used", cache->cells - cache->cells_free);
    tournament_json_integer(json, "free", cache->cells_free);
    tournament_json_close(json);

    tournament_json_integer(json, "evictions", cache->evictions);
    tournament_json_integer(json, "recoveries", cache->recoveries);

    tournament_json_close(json);
}


static void
tournament_status_database(tournament_json_t *json, tournament_figures_t *f)
{
    ngx_uint_t              i;
    tournament_gauges_t    *g;
    tournament_counters_t  *counters;

    counters = &f->counters;

    tournament_json_open_key(json, "database");

    tournament_json_integer(json, "queries", counters->queries);
    tournament_json_integer(json, "errors", counters->errors);
    tournament_json_integer(json, "timeouts", counters->timeouts);
    tournament_json_integer(json, "slow", counters->slow);
    tournament_json_integer(json, "refused", counters->refused);

    tournament_status_histogram(json, "latency", &counters->latency);

    tournament_json_open_array(json, "workers");

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        g = &f->gauges[i];

        if (g->worker == 0) {
            continue;
        }

        tournament_json_open(json);
        tournament_json_integer(json, "pid", g->worker & 0xffffffff);
        tournament_json_integer(json, "ready", g->ready);
        tournament_json_integer(json, "connecting", g->connecting);
        tournament_json_integer(json, "down", g->down);
        tournament_json_integer(json, "queued", g->queued);
        tournament_json_integer(json, "in_flight", g->in_flight);
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
    tournament_json_close(json);
}


static void
tournament_status_feed(tournament_json_t *json, tournament_figures_t *f)
{
    u_char  *p, silence[NGX_INT64_LEN + sizeof(".000")];

    tournament_json_open_key(json, "feed");

    tournament_json_word(json, "state", f->feed);

    if (f->listener) {
        tournament_json_integer(json, "worker", f->listener);

    } else {
        tournament_json_null(json, "worker");
    }

    if (f->heard) {
        p = ngx_sprintf(silence, "%M.%03M", f->silence / 1000,
                        f->silence % 1000);
        tournament_json_number(json, "last_message",
                               (char *) silence, p - silence);

    } else {
        tournament_json_null(json, "last_message");
    }

    tournament_status_histogram(json, "delay", &f->counters.delay);

    tournament_json_close(json);
}


static void
tournament_status_histogram(tournament_json_t *json, const char *key,
    tournament_histogram_t *histogram)
{
    u_char      *p, sum[NGX_INT64_LEN + sizeof(".000000")];
    ngx_str_t   *bound;
    ngx_uint_t   i;

    tournament_json_open_key(json, key);

    tournament_json_integer(json, "count",
                            tournament_figures_count(histogram));

    p = ngx_sprintf(sum, "%uL.%06uL", histogram->sum / 1000000,
                    histogram->sum % 1000000);
    tournament_json_number(json, "sum", (char *) sum, p - sum);

    tournament_json_open_array(json, "buckets");

    for (i = 0; i < TOURNAMENT_BUCKETS; i++) {
        bound = &tournament_bounds[i].seconds;

        tournament_json_open(json);

        if (i == TOURNAMENT_BUCKETS - 1) {
            tournament_json_null(json, "le");

        } else {
            tournament_json_number(json, "le", (char *) bound->data,
                                   bound->len);
        }

        tournament_json_integer(json, "count", histogram->buckets[i]);
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
    tournament_json_close(json);
}


ngx_int_t
tournament_metrics_handler(ngx_http_request_t *r)
{
    size_t                  size;
    u_char                 *p, *last;
    ngx_int_t               rc;
    ngx_str_t               text;
    tournament_figures_t   *f;
    tournament_counters_t  *counters;

    rc = tournament_status_method(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    f = tournament_figures(r);
    if (f == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    size = TOURNAMENT_TEXT_SIZE
           + TOURNAMENT_WORKERS * TOURNAMENT_TEXT_WORKER;

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;
    last = p + size;

    counters = &f->counters;

    p = tournament_metrics_requests(p, last, counters);

    p = tournament_metrics_histogram(p, last,
                                     "tournament_miss_seconds",
             "Time of the requests that waited for the database.",
                                     &counters->misses);

    p = tournament_metrics_value(p, last,
                                 "tournament_cache_entries", "gauge",
             "Entries in the cache, those of missing things included.",
                                 f->cache.entries);

    p = tournament_metrics_value(p, last,
                                 "tournament_cache_missing_entries", "gauge",
             "Entries in the cache that say that a thing is missing.",
                                 f->cache.missing);

    p = tournament_metrics_head(p, last,
                                "tournament_cache_cells", "gauge",
                                "Cells of the cache's memory, of 256 bytes.");
    p = ngx_slprintf(p, last,
                     "tournament_cache_cells{state=\"used\"} %ui\n"
                     "tournament_cache_cells{state=\"free\"} %ui\n",
                     f->cache.cells - f->cache.cells_free,
                     f->cache.cells_free);

    p = tournament_metrics_value(p, last,
                                 "tournament_cache_evictions_total", "counter",
                                 "Entries that made room for others.",
                                 f->cache.evictions);

    p = tournament_metrics_value(p, last,
             "tournament_cache_recoveries_total", "counter",
             "Times that the cache was emptied after a worker's death.",
                                 f->cache.recoveries);

    p = tournament_metrics_head(p, last,
                                "tournament_changes_total", "counter",
             "Changes heard from the database, and purges.");
    p = ngx_slprintf(p, last,
                     "tournament_changes_total{source=\"feed\"} %uL\n"
                     "tournament_changes_total{source=\"purge\"} %uL\n",
                     f->changes, counters->purges);

    p = tournament_metrics_value(p, last,
             "tournament_database_queries_total", "counter",
                                 "Queries that have ended.",
                                 counters->queries);

    p = tournament_metrics_value(p, last,
                                 "tournament_database_errors_total", "counter",
             "Queries that PostgreSQL refused, or that had no connection.",
                                 counters->errors);

    p = tournament_metrics_value(p, last,
             "tournament_database_timeouts_total", "counter",
             "Queries that took longer than tournament_query_timeout.",
                                 counters->timeouts);

    p = tournament_metrics_value(p, last,
                                 "tournament_database_slow_total", "counter",
             "Queries that took tournament_slow or longer.",
                                 counters->slow);

    p = tournament_metrics_value(p, last,
             "tournament_database_refused_total", "counter",
             "Queries for which tournament_database_queue had no room.",
                                 counters->refused);

    p = tournament_metrics_histogram(p, last,
                                     "tournament_database_query_seconds",
             "Time of queries, from sending to their result.",
                                     &counters->latency);

    p = tournament_metrics_workers(p, last, f);

    /* a feed that is off is not down */

    if (f->listening) {
        p = tournament_metrics_value(p, last,
                                     "tournament_feed_up", "gauge",
                                     "Whether changes are heard.",
                                     f->listener != 0);
    }

    if (f->heard) {
        p = tournament_metrics_head(p, last,
             "tournament_feed_last_message_seconds", "gauge",
             "Time since the feed's last notification or heartbeat.");
        p = ngx_slprintf(p, last,
                         "tournament_feed_last_message_seconds %M.%03M\n",
                         f->silence / 1000, f->silence % 1000);
    }

    p = tournament_metrics_histogram(p, last,
                                     "tournament_feed_delay_seconds",
             "How far the feed is behind, as its heartbeats measure it.",
                                     &counters->delay);

    p = tournament_metrics_value(p, last,
                                 "tournament_uptime_seconds", "gauge",
             "Time since the zone was made: counters began with it.",
                                 f->age / 1000);

    p = tournament_metrics_value(p, last,
                                 "tournament_workers", "gauge",
                                 "Workers of the newest configuration.",
                                 f->workers);

    p = tournament_metrics_value(p, last,
                                 "tournament_config_generation", "gauge",
             "The configuration's number: each reload has a higher one.",
                                 f->generation);

    text.len = p - text.data;

    return tournament_status_send(r, &tournament_type_metrics, &text);
}


static u_char *
tournament_metrics_requests(u_char *p, u_char *last,
    tournament_counters_t *counters)
{
    ngx_str_t            *name;
    ngx_uint_t            i, k;
    tournament_column_t  *column;

    p = tournament_metrics_head(p, last,
                                "tournament_requests_total", "counter",
                                "Requests by endpoint and cache status.");

    for (i = 0; i < TOURNAMENT_SERVED; i++) {
        name = &tournament_endpoints[i].name;

        for (k = 0; k < TOURNAMENT_NCOLUMNS; k++) {
            column = &tournament_columns[k];

            p = ngx_slprintf(p, last, "tournament_requests_total{"
                             "endpoint=\"%V\",status=\"%s\"} %uL\n",
                             name, column->label,
                             counters->requests[i][column->column]);
        }
    }

    p = tournament_metrics_head(p, last,
                                "tournament_request_errors_total", "counter",
             "Requests that were answered with a status of 400 or higher.");

    for (i = 0; i < TOURNAMENT_SERVED; i++) {
        p = ngx_slprintf(p, last, "tournament_request_errors_total{"
                         "endpoint=\"%V\"} %uL\n",
                         &tournament_endpoints[i].name,
                         counters->requests[i]
                                       [TOURNAMENT_METRICS_ERRORS]);
    }

    return p;
}


/* a worker's label is its number: pids would make ever more series */

static u_char *
tournament_metrics_workers(u_char *p, u_char *last, tournament_figures_t *f)
{
    ngx_uint_t            i;
    tournament_gauges_t  *g;

    p = tournament_metrics_head(p, last,
                                "tournament_database_connections", "gauge",
             "Connections to the database, by worker and state.");

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        g = &f->gauges[i];

        if (g->worker) {
            p = ngx_slprintf(p, last, "tournament_database_connections{"
                             "worker=\"%ui\",state=\"ready\"} %uD\n"
                             "tournament_database_connections{"
                             "worker=\"%ui\",state=\"connecting\"} %uD\n"
                             "tournament_database_connections{"
                             "worker=\"%ui\",state=\"down\"} %uD\n",
                             i, g->ready, i, g->connecting, i, g->down);
        }
    }

    p = tournament_metrics_head(p, last,
                                "tournament_database_queue", "gauge",
             "Queries that wait for a connection, by worker.");

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        g = &f->gauges[i];

        if (g->worker) {
            p = ngx_slprintf(p, last,
                             "tournament_database_queue{worker=\"%ui\"} %uD\n",
                             i, g->queued);
        }
    }

    p = tournament_metrics_head(p, last,
                                "tournament_database_in_flight", "gauge",
                                "Queries that PostgreSQL is at, by worker.");

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        g = &f->gauges[i];

        if (g->worker) {
            p = ngx_slprintf(p, last, "tournament_database_in_flight{"
                             "worker=\"%ui\"} %uD\n", i, g->in_flight);
        }
    }

    return p;
}


static u_char *
tournament_metrics_head(u_char *p, u_char *last, const char *name,
    const char *type, const char *help)
{
    return ngx_slprintf(p, last, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                        name, type);
}


static u_char *
tournament_metrics_value(u_char *p, u_char *last, const char *name,
    const char *type, const char *help, uint64_t value)
{
    p = tournament_metrics_head(p, last, name, type, help);

    return ngx_slprintf(p, last, "%s %uL\n", name, value);
}


/* here buckets hold what is in those before them, too */

static u_char *
tournament_metrics_histogram(u_char *p, u_char *last, const char *name,
    const char *help, tournament_histogram_t *histogram)
{
    uint64_t    sum;
    ngx_uint_t  i;

    p = tournament_metrics_head(p, last, name, "histogram", help);

    sum = 0;

    for (i = 0; i < TOURNAMENT_BUCKETS; i++) {
        sum += histogram->buckets[i];

        p = ngx_slprintf(p, last, "%s_bucket{le=\"%V\"} %uL\n", name,
                         &tournament_bounds[i].seconds, sum);
    }

    return ngx_slprintf(p, last, "%s_sum %uL.%06uL\n%s_count %uL\n", name,
                        histogram->sum / 1000000, histogram->sum % 1000000,
                        name, sum);
}
