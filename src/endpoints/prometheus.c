
/*
 * Endpoint "metrics": the node's own figures in Prometheus' text format,
 * version 0.0.4.  A metric is a line of the table below.
 */

#include "endpoints/figures.h"
#include "endpoints/table.h"
#include "version.h"


/* bytes of the text, and of what each worker adds to it */
#define TOURNAMENT_PROMETHEUS_SIZE    65536
#define TOURNAMENT_PROMETHEUS_WORKER  512


typedef struct tournament_metric_s  tournament_metric_t;


struct tournament_metric_s {
    const char  *name;
    const char  *type;
    const char  *help;

    /* of the figure: a uint64_t, unless there is a function that writes it */
    size_t       offset;
    u_char    *(*write)(u_char *p, u_char *last, tournament_metric_t *metric,
                        tournament_figures_t *f);

    /* of a uint64_t that is 0 where there is no such figure; 0: always */
    size_t       given;
};


static ngx_int_t tournament_prometheus_handler(ngx_http_request_t *r);
static u_char *tournament_prometheus_metric(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_build(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_requests(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_errors(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_histogram(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_cells(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_changes(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_streams(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_ends(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_connections(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_worker(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);
static u_char *tournament_prometheus_msec(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f);


tournament_endpoint_t  tournament_endpoint_metrics = {
    .name = ngx_string("metrics"),
    .number = 12,
    .handler = tournament_prometheus_handler
};


#define at(member)         offsetof(tournament_figures_t, member)
#define of_worker(member)  offsetof(tournament_gauges_t, member)


static tournament_metric_t  tournament_metrics_table[] = {

    { "tournament_build_info", "gauge",
      "The versions of module and nginx, as labels; the value is 1.",
      0, tournament_prometheus_build, 0 },

    { "tournament_requests_total", "counter",
      "Requests by endpoint and cache status.",
      0, tournament_prometheus_requests, 0 },

    { "tournament_request_errors_total", "counter",
      "Requests that were answered with a status of 400 or higher, by class.",
      0, tournament_prometheus_errors, 0 },

    { "tournament_miss_seconds", "histogram",
      "Time of the requests that waited for the database.",
      at(counters.misses), tournament_prometheus_histogram, 0 },

    { "tournament_cache_entries", "gauge",
      "Entries in the cache, those of missing things included.",
      at(entries), NULL, 0 },

    { "tournament_cache_missing_entries", "gauge",
      "Entries in the cache that say that a thing is missing.",
      at(missing), NULL, 0 },

    { "tournament_cache_cells", "gauge",
      "Cells of the cache's memory, of 256 bytes.",
      0, tournament_prometheus_cells, 0 },

    { "tournament_cache_evictions_total", "counter",
      "Entries that made room for others.",
      at(evictions), NULL, 0 },

    { "tournament_cache_recoveries_total", "counter",
      "Times that the cache was emptied after a worker's death.",
      at(recoveries), NULL, 0 },

    { "tournament_changes_total", "counter",
      "Changes heard from the database, and purges.",
      0, tournament_prometheus_changes, 0 },

    { "tournament_streams", "gauge",
      "Streams that are open, by endpoint.",
      0, tournament_prometheus_streams, 0 },

    { "tournament_waiting_polls", "gauge",
      "Polls that wait for a change.",
      at(waiting), NULL, 0 },

    { "tournament_stream_events_total", "counter",
      "Events sent to streams.",
      at(counters.events), NULL, 0 },

    { "tournament_stream_skipped_total", "counter",
      "Events that slow clients missed, for newer ones.",
      at(counters.skipped), NULL, 0 },

    { "tournament_stream_refused_total", "counter",
      "Streams for which there was no room.",
      at(counters.full), NULL, 0 },

    { "tournament_stream_ends_total", "counter",
      "Streams that have ended, by reason.",
      0, tournament_prometheus_ends, 0 },

    { "tournament_database_queries_total", "counter",
      "Queries that have ended.",
      at(counters.queries), NULL, 0 },

    { "tournament_database_errors_total", "counter",
      "Queries that PostgreSQL refused, or that had no connection.",
      at(counters.errors), NULL, 0 },

    { "tournament_database_timeouts_total", "counter",
      "Queries that took longer than tournament_query_timeout.",
      at(counters.timeouts), NULL, 0 },

    { "tournament_database_slow_total", "counter",
      "Queries that took tournament_slow or longer.",
      at(counters.slow), NULL, 0 },

    { "tournament_database_refused_total", "counter",
      "Queries for which tournament_database_queue had no room.",
      at(counters.refused), NULL, 0 },

    { "tournament_database_query_seconds", "histogram",
      "Time of queries, from sending to their result.",
      at(counters.latency), tournament_prometheus_histogram, 0 },

    { "tournament_database_connections", "gauge",
      "Connections to the database, by worker and state.",
      0, tournament_prometheus_connections, 0 },

    { "tournament_database_queue", "gauge",
      "Queries that wait for a connection, by worker.",
      of_worker(queued), tournament_prometheus_worker, 0 },

    { "tournament_database_in_flight", "gauge",
      "Queries that PostgreSQL is at, by worker.",
      of_worker(in_flight), tournament_prometheus_worker, 0 },

    /* a feed that is off is not down */

    { "tournament_feed_up", "gauge",
      "Whether changes are heard.",
      at(up), NULL, at(listening) },

    { "tournament_feed_last_message_seconds", "gauge",
      "Time since the feed's last notification or heartbeat.",
      at(silence), tournament_prometheus_msec, at(heard) },

    { "tournament_feed_delay_seconds", "histogram",
      "How far the feed is behind, as its heartbeats measure it.",
      at(counters.delay), tournament_prometheus_histogram, 0 },

    { "tournament_feed_lag_bytes", "gauge",
      "The server's log that the logical feed has not handled yet.",
      at(behind), NULL, at(streamed) },

    { "tournament_feed_lag_seconds", "gauge",
      "How old the first change of it is.",
      at(behind_ms), tournament_prometheus_msec, at(streamed) },

    { "tournament_uptime_seconds", "gauge",
      "Time since the zone was made: counters began with it.",
      at(uptime), NULL, 0 },

    { "tournament_workers", "gauge",
      "Workers of the newest configuration.",
      at(workers), NULL, 0 },

    { "tournament_config_generation", "gauge",
      "The configuration's number: each reload has a higher one.",
      at(generation), NULL, 0 },

    { NULL, NULL, NULL, 0, NULL, 0 }
};


static ngx_int_t
tournament_prometheus_handler(ngx_http_request_t *r)
{
    size_t                 size;
    u_char                *p, *last;
    ngx_int_t              rc;
    ngx_str_t              text;
    tournament_metric_t   *metric;
    tournament_figures_t  *f;

    rc = tournament_figures_begin(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    f = tournament_figures(r);
    if (f == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    size = TOURNAMENT_PROMETHEUS_SIZE
           + TOURNAMENT_WORKERS * TOURNAMENT_PROMETHEUS_WORKER;

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;
    last = p + size;

    for (metric = tournament_metrics_table; metric->name; metric++) {
        p = tournament_prometheus_metric(p, last, metric, f);
    }

    text.len = p - text.data;

    return tournament_figures_send(r,
                                   "text/plain; version=0.0.4; charset=utf-8",
                                   &text);
}


static u_char *
tournament_prometheus_metric(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    u_char  *base;

    base = (u_char *) f;

    if (metric->given && *(uint64_t *) (base + metric->given) == 0) {
        return p;
    }

    p = ngx_slprintf(p, last, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
                     metric->help, metric->name, metric->type);

    if (metric->write) {
        return metric->write(p, last, metric, f);
    }

    return ngx_slprintf(p, last, "%s %uL\n", metric->name,
                        *(uint64_t *) (base + metric->offset));
}


static u_char *
tournament_prometheus_build(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    return ngx_slprintf(p, last, "%s{version=\"%s\",nginx=\"%s\"} 1\n",
                        metric->name, TOURNAMENT_VERSION, NGINX_VERSION);
}


static u_char *
tournament_prometheus_requests(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    tournament_column_t     *column;
    tournament_endpoint_t  **ep;

    for (ep = tournament_endpoints; *ep; ep++) {

        if (!tournament_endpoint_serves(*ep)) {
            continue;
        }

        for (column = tournament_columns; column->label; column++) {
            p = ngx_slprintf(p, last,
                             "%s{endpoint=\"%V\",status=\"%s\"} %uL\n",
                             metric->name, &(*ep)->name, column->label,
                             f->counters.requests[(*ep)->number]
                                                 [column->column]);
        }
    }

    return p;
}


static u_char *
tournament_prometheus_errors(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    uint64_t                *columns;
    tournament_endpoint_t  **ep;

    for (ep = tournament_endpoints; *ep; ep++) {

        if (!tournament_endpoint_serves(*ep)) {
            continue;
        }

        columns = f->counters.requests[(*ep)->number];

        p = ngx_slprintf(p, last, "%s{endpoint=\"%V\",class=\"4xx\"} %uL\n"
                         "%s{endpoint=\"%V\",class=\"5xx\"} %uL\n",
                         metric->name, &(*ep)->name,
                         columns[TOURNAMENT_METRICS_4XX],
                         metric->name, &(*ep)->name,
                         columns[TOURNAMENT_METRICS_5XX]);
    }

    return p;
}


/* here buckets hold what is in those before them, too */

static u_char *
tournament_prometheus_histogram(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    uint64_t                 sum;
    ngx_uint_t               i;
    tournament_histogram_t  *histogram;

    histogram = (tournament_histogram_t *) ((u_char *) f + metric->offset);

    sum = 0;

    for (i = 0; i < TOURNAMENT_BUCKETS; i++) {
        sum += histogram->buckets[i];

        p = ngx_slprintf(p, last, "%s_bucket{le=\"%V\"} %uL\n", metric->name,
                         &tournament_bounds[i].seconds, sum);
    }

    return ngx_slprintf(p, last, "%s_sum %uL.%06uL\n%s_count %uL\n",
                        metric->name, histogram->sum / 1000000,
                        histogram->sum % 1000000, metric->name, sum);
}


static u_char *
tournament_prometheus_cells(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    return ngx_slprintf(p, last, "%s{state=\"used\"} %uL\n"
                        "%s{state=\"free\"} %uL\n",
                        metric->name, f->cells - f->cells_free,
                        metric->name, f->cells_free);
}


static u_char *
tournament_prometheus_changes(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    return ngx_slprintf(p, last, "%s{source=\"feed\"} %uL\n"
                        "%s{source=\"purge\"} %uL\n",
                        metric->name, f->changes,
                        metric->name, f->counters.purges);
}


static u_char *
tournament_prometheus_streams(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    tournament_endpoint_t  **ep;

    for (ep = tournament_endpoints; *ep; ep++) {
        if ((*ep)->stream) {
            p = ngx_slprintf(p, last, "%s{endpoint=\"%V\"} %uL\n",
                             metric->name, &(*ep)->name,
                             f->streams[(*ep)->number]);
        }
    }

    return p;
}


static u_char *
tournament_prometheus_ends(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    ngx_uint_t  i;

    for (i = 0; i < TOURNAMENT_ENDS; i++) {
        p = ngx_slprintf(p, last, "%s{reason=\"%s\"} %uL\n", metric->name,
                         tournament_ends[i], f->counters.ends[i]);
    }

    return p;
}


/* a worker's label is its number: pids would make ever more series */

static u_char *
tournament_prometheus_connections(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    ngx_uint_t            i;
    tournament_gauges_t  *g;

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        g = &f->gauges[i];

        if (g->worker) {
            p = ngx_slprintf(p, last,
                             "%s{worker=\"%ui\",state=\"ready\"} %uD\n"
                             "%s{worker=\"%ui\",state=\"connecting\"} %uD\n"
                             "%s{worker=\"%ui\",state=\"down\"} %uD\n",
                             metric->name, i, g->ready,
                             metric->name, i, g->connecting,
                             metric->name, i, g->down);
        }
    }

    return p;
}


static u_char *
tournament_prometheus_worker(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    u_char      *gauges;
    ngx_uint_t   i;

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        gauges = (u_char *) &f->gauges[i];

        if (f->gauges[i].worker) {
            p = ngx_slprintf(p, last, "%s{worker=\"%ui\"} %uD\n",
                             metric->name, i,
                             *(uint32_t *) (gauges + metric->offset));
        }
    }

    return p;
}


static u_char *
tournament_prometheus_msec(u_char *p, u_char *last,
    tournament_metric_t *metric, tournament_figures_t *f)
{
    uint64_t  msec;

    msec = *(uint64_t *) ((u_char *) f + metric->offset);

    return ngx_slprintf(p, last, "%s %uL.%03uL\n", metric->name, msec / 1000,
                        msec % 1000);
}
