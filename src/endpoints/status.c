
/*
 * Endpoint "status": the node's own figures as JSON, or a page that shows them
 * in a browser.  The page, status.html, .css and .js beside this file, is
 * compiled in by the rule in config.make.  Style and script have addresses of
 * their own, "?style" and "?script", so that a Content-Security-Policy without
 * 'unsafe-inline' lets them pass; the script reads the JSON of the address that
 * it came from.
 */

#include "endpoints/common.h"
#include "endpoints/figures.h"
#include "endpoints/table.h"
#include "rules/accept.h"
#include "serve/answer.h"
#include "serve/header.h"
#include "serve/request.h"
#include "version.h"


static ngx_int_t tournament_status_handler(ngx_http_request_t *r);
static ngx_uint_t tournament_status_html(ngx_http_request_t *r);
static void tournament_status_json(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_streams(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_endpoint(tournament_json_t *json,
    tournament_endpoint_t *endpoint, uint64_t *columns);
static void tournament_status_rate(tournament_json_t *json, uint64_t hits,
    uint64_t all);
static void tournament_status_cache(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_database(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_seconds(tournament_json_t *json,
    const char *key, ngx_uint_t known, ngx_msec_t ms);
static void tournament_status_feed(tournament_json_t *json,
    tournament_figures_t *f);
static void tournament_status_histogram(tournament_json_t *json,
    const char *key, tournament_histogram_t *histogram);


tournament_endpoint_t  tournament_endpoint_status = {
    .name = ngx_string("status"),
    .number = 11,
    .handler = tournament_status_handler
};


static u_char  tournament_status_page[] = {
#include "status_html.inc"
};

static u_char  tournament_status_style[] = {
#include "status_css.inc"
};

static u_char  tournament_status_script[] = {
#include "status_js.inc"
};


/* a part of the page; the first is the page itself */

typedef struct {
    ngx_str_t    args;
    const char  *type;
    ngx_str_t    text;
} tournament_status_part_t;


static tournament_status_part_t  tournament_status_parts[] = {
    { ngx_null_string, "text/html; charset=utf-8",
      { sizeof(tournament_status_page), tournament_status_page } },
    { ngx_string("style"), "text/css; charset=utf-8",
      { sizeof(tournament_status_style), tournament_status_style } },
    { ngx_string("script"), "text/javascript; charset=utf-8",
      { sizeof(tournament_status_script), tournament_status_script } }
};


static tournament_status_part_t *tournament_status_part(
    ngx_http_request_t *r);


static ngx_int_t
tournament_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_str_t                  text;
    tournament_json_t         *json;
    tournament_figures_t      *f;
    tournament_main_conf_t    *tmcf;
    tournament_status_part_t  *part;

    static ngx_str_t  vary = ngx_string("Vary");
    static ngx_str_t  accept = ngx_string("Accept");

    rc = tournament_figures_begin(r);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (tournament_answer_add(r, &vary, &accept) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    part = tournament_status_part(r);

    if (part) {
        return tournament_figures_send(r, part->type, &part->text);
    }

    f = tournament_figures(r);
    if (f == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    json = tmcf->json;

    tournament_json_begin(json);
    tournament_status_json(json, f);

    if (tournament_json_end(json, ngx_time(), &text, NULL) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the writer's text is gone with the next one */

    text.data = ngx_pstrdup(r->pool, &text);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_figures_send(r, "application/json; charset=utf-8",
                                   &text);
}


/* what is asked for of the page; NULL: the figures */

static tournament_status_part_t *
tournament_status_part(ngx_http_request_t *r)
{
    ngx_uint_t                 i;
    tournament_status_part_t  *part;

    for (i = 1; i < TOURNAMENT_N(tournament_status_parts); i++) {
        part = &tournament_status_parts[i];

        if (r->args.len == part->args.len
            && ngx_strncmp(r->args.data, part->args.data, part->args.len) == 0)
        {
            return part;
        }
    }

    return tournament_status_html(r) ? &tournament_status_parts[0] : NULL;
}


/*
 * A browser gets the page: whoever would rather have HTML than JSON.  Others,
 * also those who would take neither, get JSON.
 */

static ngx_uint_t
tournament_status_html(ngx_http_request_t *r)
{
    ngx_str_t            *value;
    tournament_accept_t   html, json;
    tournament_header_t   at;

    static ngx_str_t  name = ngx_string("Accept");

    ngx_memzero(&html, sizeof(tournament_accept_t));
    ngx_memzero(&json, sizeof(tournament_accept_t));
    ngx_memzero(&at, sizeof(tournament_header_t));

    while ((value = tournament_header_next(r, &name, &at)) != NULL) {
        tournament_accept_read(&html, "text/html", value->data, value->len);
        tournament_accept_read(&json, "application/json", value->data,
                               value->len);
    }

    return html.quality > json.quality;
}


static void
tournament_status_json(tournament_json_t *json, tournament_figures_t *f)
{
    tournament_endpoint_t  **ep;

    tournament_json_bool(json, "success", 1);
    tournament_json_now(json, "timestamp", ngx_time());
    tournament_json_word(json, "version", TOURNAMENT_VERSION);
    tournament_json_word(json, "nginx", NGINX_VERSION);
    tournament_json_string(json, "host", (char *) ngx_cycle->hostname.data,
                           ngx_cycle->hostname.len);
    tournament_json_integer(json, "uptime", f->uptime);
    tournament_json_integer(json, "generation", f->generation);
    tournament_json_integer(json, "workers", f->workers);
    tournament_json_integer(json, "stale", f->stale);

    tournament_json_open_key(json, "endpoints");

    for (ep = tournament_endpoints; *ep; ep++) {
        if (tournament_endpoint_serves(*ep)) {
            tournament_status_endpoint(json, *ep,
                                       f->counters.requests[(*ep)->number]);
        }
    }

    tournament_json_close(json);

    tournament_status_cache(json, f);

    tournament_json_open_key(json, "changes");
    tournament_json_integer(json, "feed", f->changes);
    tournament_json_integer(json, "purges", f->counters.purges);
    tournament_json_close(json);

    tournament_status_streams(json, f);
    tournament_status_database(json, f);
    tournament_status_histogram(json, "misses", &f->counters.misses);
    tournament_status_feed(json, f);
}


static void
tournament_status_streams(tournament_json_t *json, tournament_figures_t *f)
{
    ngx_uint_t               i;
    tournament_endpoint_t  **ep;

    tournament_json_open_key(json, "streams");

    tournament_json_open_key(json, "open");

    for (ep = tournament_endpoints; *ep; ep++) {
        if ((*ep)->stream) {
            tournament_json_integer(json, (char *) (*ep)->name.data,
                                    f->streams[(*ep)->number]);
        }
    }

    tournament_json_close(json);

    tournament_json_integer(json, "waiting", f->waiting);
    tournament_json_integer(json, "events", f->counters.events);
    tournament_json_integer(json, "skipped", f->counters.skipped);
    tournament_json_integer(json, "refused", f->counters.full);

    tournament_json_open_key(json, "ends");

    for (i = 0; i < TOURNAMENT_ENDS; i++) {
        tournament_json_integer(json, tournament_ends[i],
                                f->counters.ends[i]);
    }

    tournament_json_close(json);
    tournament_json_close(json);
}


static void
tournament_status_endpoint(tournament_json_t *json,
    tournament_endpoint_t *endpoint, uint64_t *columns)
{
    uint64_t              requests, cacheable, n;
    tournament_column_t  *column;

    requests = 0;
    cacheable = 0;

    for (column = tournament_columns; column->label; column++) {
        n = columns[column->column];
        requests += n;

        if (column->key && column->column != TOURNAMENT_BYPASS) {
            cacheable += n;
        }
    }

    tournament_json_open_key(json, (char *) endpoint->name.data);
    tournament_json_integer(json, "requests", requests);

    for (column = tournament_columns; column->key; column++) {
        tournament_json_integer(json, column->key, columns[column->column]);
    }

    tournament_json_integer(json, "errors",
                            columns[TOURNAMENT_METRICS_4XX]
                            + columns[TOURNAMENT_METRICS_5XX]);
    tournament_json_integer(json, "errors_4xx",
                            columns[TOURNAMENT_METRICS_4XX]);
    tournament_json_integer(json, "errors_5xx",
                            columns[TOURNAMENT_METRICS_5XX]);

    tournament_status_rate(json, columns[TOURNAMENT_HIT], cacheable);

    tournament_json_close(json);
}


static void
tournament_status_rate(tournament_json_t *json, uint64_t hits, uint64_t all)
{
    u_char    *p, rate[NGX_INT64_LEN + sizeof(".0000")];
    uint64_t   n;

    if (all == 0) {
        tournament_json_null(json, "hit_rate");
        return;
    }

    /* to the nearest, but 1 only where nothing else has been */

    n = (hits * 10000 + all / 2) / all;

    if (n == 10000 && hits < all) {
        n = 9999;
    }

    p = ngx_sprintf(rate, "%uL.%04uL", n / 10000, n % 10000);

    tournament_json_number(json, "hit_rate", (char *) rate, p - rate);
}


static void
tournament_status_cache(tournament_json_t *json, tournament_figures_t *f)
{
    tournament_json_open_key(json, "cache");

    tournament_json_integer(json, "entries", f->entries);
    tournament_json_integer(json, "missing", f->missing);

    tournament_json_open_key(json, "cells");
    tournament_json_integer(json, "size", f->cell_size);
    tournament_json_integer(json, "total", f->cells);
    tournament_json_integer(json, "used", f->cells - f->cells_free);
    tournament_json_integer(json, "free", f->cells_free);
    tournament_json_close(json);

    tournament_json_integer(json, "evictions", f->evictions);
    tournament_json_integer(json, "recoveries", f->recoveries);

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

    if (f->away) {
        tournament_json_integer(json, "outage", f->outage);

    } else {
        tournament_json_null(json, "outage");
    }

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
tournament_status_seconds(tournament_json_t *json, const char *key,
    ngx_uint_t known, ngx_msec_t ms)
{
    u_char  *p, text[NGX_INT64_LEN + sizeof(".000")];

    if (!known) {
        tournament_json_null(json, key);
        return;
    }

    p = ngx_sprintf(text, "%M.%03M", ms / 1000, ms % 1000);
    tournament_json_number(json, key, (char *) text, p - text);
}


static void
tournament_status_feed(tournament_json_t *json, tournament_figures_t *f)
{
    tournament_json_open_key(json, "feed");

    tournament_json_word(json, "state", f->feed);

    if (f->listening) {
        tournament_json_word(json, "kind", (char *) f->kind.data);

    } else {
        tournament_json_null(json, "kind");
    }

    if (f->listener) {
        tournament_json_integer(json, "worker", f->listener);

    } else {
        tournament_json_null(json, "worker");
    }

    tournament_status_seconds(json, "last_message", f->heard, f->silence);

    if (f->streamed) {
        tournament_json_word(json, "slot", f->slot);
        tournament_json_integer(json, "lag_bytes", f->behind);

    } else {
        tournament_json_null(json, "slot");
        tournament_json_null(json, "lag_bytes");
    }

    tournament_status_seconds(json, "lag_seconds", f->streamed, f->behind_ms);

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
