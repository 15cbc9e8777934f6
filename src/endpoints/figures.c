
/* Reads the node's figures: counters, gauges, the zone's state, the feed's. */

#include "endpoints/figures.h"
#include "serve/answer.h"
#include "serve/refuse.h"
#include "serve/request.h"
#include "zone/atomic.h"


static void tournament_figures_zone(tournament_main_conf_t *tmcf,
    tournament_figures_t *f);
static void tournament_figures_feed(tournament_main_conf_t *tmcf,
    tournament_figures_t *f);


tournament_column_t  tournament_columns[] = {
    { TOURNAMENT_HIT, "hits", "hit" },
    { TOURNAMENT_MISS, "misses", "miss" },
    { TOURNAMENT_EXPIRED, "expired", "expired" },
    { TOURNAMENT_STALE, "stale", "stale" },
    { TOURNAMENT_UPDATING, "updating", "updating" },
    { TOURNAMENT_BYPASS, "bypass", "bypass" },

    /* refused before the cache was asked */
    { TOURNAMENT_NONE, NULL, "none" },

    { 0, NULL, NULL }
};


const char  *tournament_ends[] = {
    "client", "slow", "gone", "limit", "exit"
};


tournament_figures_t *
tournament_figures(ngx_http_request_t *r)
{
    ngx_uint_t               i, k;
    tournament_figures_t    *f;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    f = ngx_pcalloc(r->pool, sizeof(tournament_figures_t));
    if (f == NULL) {
        return NULL;
    }

    tournament_metrics_sum(tmcf->metrics, &f->counters);

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    f->stale = tlcf->stale / 1000;

    tournament_figures_zone(tmcf, f);
    tournament_figures_feed(tmcf, f);

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {

        if (tournament_metrics_gauges(tmcf->metrics, i, &f->gauges[i])
            != NGX_OK)
        {
            continue;
        }

        f->waiting += f->gauges[i].waiting;

        for (k = 0; k < TOURNAMENT_ENDPOINTS; k++) {
            f->streams[k] += f->gauges[i].streams[k];
        }

        if (tournament_worker_generation(f->gauges[i].worker)
            == f->generation)
        {
            f->workers++;
        }
    }

    return f;
}


static void
tournament_figures_zone(tournament_main_conf_t *tmcf, tournament_figures_t *f)
{
    uint64_t                  begun;
    tournament_arena_stats_t  stats;

    tournament_arena_stats(&tmcf->zone.arena, &stats);

    f->entries = stats.entries;
    f->missing = stats.missing;
    f->cell_size = stats.cell_size;
    f->cells = stats.cells;
    f->cells_free = stats.cells_free;
    f->evictions = stats.evictions;
    f->recoveries = stats.recoveries;

    f->uptime = tournament_elapsed((ngx_msec_t) *tmcf->zone.made) / 1000;
    f->generation = tournament_workers_generation(tmcf->zone.workers);

    begun = tournament_atomic_peek(
                &tmcf->zone.outages[TOURNAMENT_OUTAGE_DATABASE].begun);

    if (begun) {
        f->away = 1;
        f->outage = tournament_elapsed((ngx_msec_t) begun) / 1000;
    }
}


static void
tournament_figures_feed(tournament_main_conf_t *tmcf, tournament_figures_t *f)
{
    uint64_t                heard, up;
    tournament_listener_t  *listener;

    listener = tmcf->zone.listener;

    f->changes = tournament_atomic_peek(&listener->changes);

    if (!tmcf->listen) {
        f->feed = "off";
        return;
    }

    f->listening = 1;
    f->kind = tmcf->feed_kind->name;

    heard = tournament_atomic_peek(&listener->heard);

    if (heard) {
        f->heard = 1;
        f->silence = tournament_elapsed((ngx_msec_t) heard);
    }

    f->feed = "down";

    up = tournament_atomic_peek(&listener->up);

    if (up && tournament_feed_state(&tmcf->zone) == TOURNAMENT_FEED_UP) {
        f->feed = "up";
        f->listener = (ngx_pid_t) (up & 0xffffffff);
        f->up = (f->listener != 0);
    }

    if (up && listener->slot[0]) {
        f->streamed = 1;
        (void) ngx_cpystrn((u_char *) f->slot, (u_char *) listener->slot,
                           sizeof(f->slot));
        f->behind = tournament_atomic_peek(&listener->behind);
        f->behind_ms = tournament_atomic_peek(&listener->behind_ms);
    }
}


uint64_t
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


ngx_int_t
tournament_figures_begin(ngx_http_request_t *r)
{
    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return NGX_DECLINED;
    }

    return tournament_refuse(r, &tournament_error_method);
}


ngx_int_t
tournament_figures_send(ngx_http_request_t *r, const char *type,
    ngx_str_t *text)
{
    ngx_str_t  name;

    static ngx_str_t  no_store = ngx_string("no-store");

    name.data = (u_char *) type;
    name.len = ngx_strlen(type);

    r->headers_out.status = NGX_HTTP_OK;

    if (tournament_answer_header(r, &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tournament_answer_type(r, &name);

    return tournament_answer_send(r, text);
}
