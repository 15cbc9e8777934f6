
/*
 * One statement at a time, in the background, its rows stored in steps between
 * which requests get their turn.  It never keeps an exit waiting, and whatever
 * it could not load a request will.
 */

#include <ngx_event.h>

#include "serve/warm.h"
#include "zone/atomic.h"
#include "zone/timer.h"


/* rows that are stored before requests get their turn */
#define TOURNAMENT_WARM_STEP     200

/* ms; it is a large statement, and nobody waits for it */
#define TOURNAMENT_WARM_TIMEOUT  60000


struct tournament_warmer_s {
    ngx_log_t               *log;
    tournament_zone_t       *zone;
    tournament_pg_t         *pg;
    tournament_fetch_t      *fetch;
    tournament_result_t     *result;
    tournament_endpoint_t  **endpoints;
    uint64_t                 space;

    tournament_endpoint_t  **at;       /* its statement is under way */
    tournament_pg_query_t    query;
    uint64_t                 clock;
    ngx_msec_t               sent;

    PGresult                *res;      /* being stored */
    int                      row;
    ngx_event_t              step;

    unsigned                 active:1;
};


static void tournament_warm_send(tournament_warmer_t *warmer);
static void tournament_warm_sending(tournament_pg_query_t *query);
static void tournament_warm_done(tournament_pg_query_t *query,
    tournament_pg_rc_e rc, PGresult *res);
static void tournament_warm_failed(tournament_warmer_t *warmer);
static void tournament_warm_step(ngx_event_t *ev);
static void tournament_warm_end(tournament_warmer_t *warmer);
static ngx_int_t tournament_warm_row(tournament_warmer_t *warmer, int row);
static void tournament_warm_front(tournament_warmer_t *warmer,
    tournament_endpoint_t *endpoint);


tournament_warmer_t *
tournament_warm_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, tournament_pg_t *pg, tournament_fetch_t *fetch,
    tournament_endpoint_t **endpoints, uint64_t space)
{
    tournament_warmer_t  *warmer;

    warmer = ngx_pcalloc(pool, sizeof(tournament_warmer_t));
    if (warmer == NULL) {
        return NULL;
    }

    warmer->result = tournament_result_create(pool, zone);
    if (warmer->result == NULL) {
        return NULL;
    }

    warmer->log = log;
    warmer->zone = zone;
    warmer->pg = pg;
    warmer->fetch = fetch;
    warmer->endpoints = endpoints;
    warmer->space = space;

    tournament_timer_init(&warmer->step, tournament_warm_step, warmer, log, 1);

    return warmer;
}


void
tournament_warm_destroy(tournament_warmer_t *warmer)
{
    tournament_timer_stop(&warmer->query.deadline);

    if (warmer->res) {
        tournament_warm_end(warmer);
    }

    tournament_result_destroy(warmer->result);
}


void
tournament_warm_start(void *data, ngx_uint_t continued)
{
    tournament_warmer_t  *warmer = data;

    uint64_t                 loaded;
    tournament_listener_t   *listener;
    tournament_endpoint_t  **ep;

    if (warmer->active || ngx_exiting) {
        return;
    }

    listener = warmer->zone->listener;
    loaded = tournament_atomic_swap(&listener->warmed, warmer->space);

    if (continued && loaded == warmer->space) {
        return;
    }

    for (ep = warmer->endpoints; *ep; ep++) {
        if ((*ep)->front) {
            tournament_warm_front(warmer, *ep);
        }
    }

    tournament_fetch_start(warmer->fetch);

    warmer->at = warmer->endpoints;
    tournament_warm_send(warmer);
}


/* one statement after the other: nobody waits for them */

static void
tournament_warm_send(tournament_warmer_t *warmer)
{
    warmer->active = 0;

    while (*warmer->at && (*warmer->at)->warm.sql == NULL) {
        warmer->at++;
    }

    if (*warmer->at == NULL) {
        return;
    }

    ngx_memzero(&warmer->query, sizeof(tournament_pg_query_t));

    warmer->query.statement = tournament_endpoint_warm(*warmer->at);
    warmer->query.timeout = TOURNAMENT_WARM_TIMEOUT;
    warmer->query.sending = tournament_warm_sending;
    warmer->query.handler = tournament_warm_done;
    warmer->query.data = warmer;
    warmer->query.background = 1;
    warmer->query.keep = 1;

    if (tournament_pg_send(warmer->pg, &warmer->query) == NGX_OK) {
        warmer->active = 1;

    } else {
        tournament_warm_failed(warmer);
    }
}


/* the next reload may try again */

static void
tournament_warm_failed(tournament_warmer_t *warmer)
{
    uint64_t                space;
    tournament_listener_t  *listener;

    listener = warmer->zone->listener;
    space = warmer->space;

    (void) tournament_atomic_set(&listener->warmed, &space, 0);
}


static void
tournament_warm_sending(tournament_pg_query_t *query)
{
    tournament_warmer_t  *warmer;

    warmer = query->data;

    warmer->clock = tournament_clock_now(warmer->zone->clock);
    warmer->sent = ngx_current_msec;
}


static void
tournament_warm_done(tournament_pg_query_t *query, tournament_pg_rc_e rc,
    PGresult *res)
{
    tournament_warmer_t  *warmer;

    warmer = query->data;

    if (rc != TOURNAMENT_PG_OK) {
        warmer->active = 0;
        tournament_warm_failed(warmer);
        return;
    }

    warmer->res = res;
    warmer->row = 0;

    tournament_warm_step(&warmer->step);
}


static void
tournament_warm_step(ngx_event_t *ev)
{
    int                   n, last;
    tournament_warmer_t  *warmer;

    warmer = ev->data;

    n = PQntuples(warmer->res);
    last = ngx_min(n, warmer->row + TOURNAMENT_WARM_STEP);

    while (warmer->row < last) {
        if (tournament_warm_row(warmer, warmer->row++) != NGX_OK) {
            tournament_warm_end(warmer);
            return;
        }
    }

    if (last < n) {
        ngx_add_timer(&warmer->step, 1);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, warmer->log, 0,
                  "tournament: %d %Vs loaded", n, &(*warmer->at)->name);

    tournament_warm_end(warmer);

    warmer->at++;
    tournament_warm_send(warmer);
}


static void
tournament_warm_end(tournament_warmer_t *warmer)
{
    PQclear(warmer->res);

    warmer->res = NULL;
    warmer->active = 0;
}


static ngx_int_t
tournament_warm_row(tournament_warmer_t *warmer, int row)
{
    u_char                  buf[TOURNAMENT_KEY_MAX];
    ngx_str_t               slug;
    tournament_key_t        key;
    tournament_result_t    *result;
    tournament_endpoint_t  *endpoint;

    result = warmer->result;
    endpoint = *warmer->at;

    if (tournament_result_begin(result, warmer->res, warmer->clock,
                                warmer->sent, endpoint->columns,
                                endpoint->ncolumns)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    tournament_result_text(result, row, endpoint->column, &slug);

    tournament_key_init(&key, buf, warmer->space, endpoint->number);

    if (tournament_key_add(&key, slug.data, slug.len) != NGX_OK) {
        return NGX_OK;
    }

    endpoint->decode(result, row, 1);

    if (tournament_result_end(result) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) tournament_arena_put(&warmer->zone->arena, &key, &result->entry);

    return NGX_OK;
}


static void
tournament_warm_front(tournament_warmer_t *warmer,
    tournament_endpoint_t *endpoint)
{
    u_char               buf[TOURNAMENT_KEY_MAX];
    tournament_key_t     key;
    const char *const   *value;

    tournament_key_init(&key, buf, warmer->space, endpoint->number);

    for (value = endpoint->front; *value; value++) {
        (void) tournament_key_add(&key, (u_char *) *value,
                                  ngx_strlen(*value));
    }

    tournament_fetch_refresh(warmer->fetch, endpoint, &key, NULL);
}
