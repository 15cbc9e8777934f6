
#include <ngx_event.h>

#include "ngx_http_tournament_fetch.h"


/* ms; a statement with unknown columns is logged at most once in this time */
#define NGX_HTTP_TOURNAMENT_MISMATCH_PAUSE  10000


struct ngx_http_tournament_fetch_s {
    ngx_rbtree_t                       flights;    /* ngx_str_node_t */
    ngx_rbtree_node_t                  sentinel;

    ngx_log_t                         *log;
    ngx_http_tournament_cache_t       *cache;
    ngx_http_tournament_pg_t          *pg;
    ngx_http_tournament_result_t      *result;
    ngx_msec_t                         timeout;

    ngx_msec_t                         mismatch_logged;
};


struct ngx_http_tournament_flight_s {
    ngx_str_node_t                     node;       /* first: found by key */
    ngx_http_tournament_fetch_t       *fetch;
    ngx_http_tournament_endpoint_t    *endpoint;

    ngx_http_tournament_pg_query_t     query;
    ngx_queue_t                        waiters;

    ngx_uint_t                         sends;
    uint64_t                           clock;      /* before the last one */
    ngx_msec_t                         sent;

    unsigned                           active:1;   /* the query is out, or
                                                      its result is given */
    unsigned                           store:1;    /* the result */

    ngx_http_tournament_key_t          key;
};


static ngx_http_tournament_flight_t *ngx_http_tournament_flight_create(
    ngx_http_tournament_fetch_t *fetch,
    ngx_http_tournament_endpoint_t *endpoint, ngx_uint_t statement,
    ngx_http_tournament_key_t *key, uint32_t hash);
static void ngx_http_tournament_flight_free(
    ngx_http_tournament_flight_t *flight);
static ngx_int_t ngx_http_tournament_flight_start(
    ngx_http_tournament_flight_t *flight);
static void ngx_http_tournament_flight_sending(
    ngx_http_tournament_pg_query_t *query);
static void ngx_http_tournament_flight_done(
    ngx_http_tournament_pg_query_t *query, ngx_http_tournament_pg_rc_e rc,
    PGresult *res);
static ngx_http_tournament_entry_t *ngx_http_tournament_flight_decode(
    ngx_http_tournament_flight_t *flight, PGresult *res);
static ngx_uint_t ngx_http_tournament_flight_suits(
    ngx_http_tournament_flight_t *flight,
    ngx_http_tournament_waiter_t *waiter,
    ngx_http_tournament_entry_t *entry);


ngx_http_tournament_fetch_t *
ngx_http_tournament_fetch_create(ngx_pool_t *pool, ngx_log_t *log,
    ngx_http_tournament_cache_t *cache, ngx_http_tournament_pg_t *pg,
    ngx_msec_t timeout)
{
    ngx_http_tournament_fetch_t  *fetch;

    fetch = ngx_pcalloc(pool, sizeof(ngx_http_tournament_fetch_t));
    if (fetch == NULL) {
        return NULL;
    }

    fetch->result = ngx_http_tournament_result_create(pool, cache);
    if (fetch->result == NULL) {
        return NULL;
    }

    fetch->log = log;
    fetch->cache = cache;
    fetch->pg = pg;
    fetch->timeout = timeout;

    ngx_rbtree_init(&fetch->flights, &fetch->sentinel,
                    ngx_str_rbtree_insert_value);

    return fetch;
}


void
ngx_http_tournament_fetch_destroy(ngx_http_tournament_fetch_t *fetch)
{
    ngx_queue_t                   *q;
    ngx_http_tournament_flight_t  *flight;
    ngx_http_tournament_waiter_t  *waiter;

    while (fetch->flights.root != fetch->flights.sentinel) {
        flight = (ngx_http_tournament_flight_t *) fetch->flights.root;

        while (!ngx_queue_empty(&flight->waiters)) {
            q = ngx_queue_head(&flight->waiters);
            waiter = ngx_queue_data(q, ngx_http_tournament_waiter_t, queue);

            ngx_queue_remove(q);
            waiter->flight = NULL;
        }

        if (flight->query.deadline.timer_set) {
            ngx_del_timer(&flight->query.deadline);
        }

        ngx_http_tournament_flight_free(flight);
    }

    ngx_http_tournament_result_destroy(fetch->result);
}


ngx_int_t
ngx_http_tournament_fetch(ngx_http_tournament_fetch_t *fetch,
    ngx_http_tournament_endpoint_t *endpoint, ngx_uint_t statement,
    ngx_http_tournament_key_t *key, ngx_http_tournament_waiter_t *waiter)
{
    uint32_t                       hash;
    ngx_str_t                      name;
    ngx_http_tournament_flight_t  *flight;

    hash = ngx_murmur_hash2(key->data, key->len);

    name.len = key->len;
    name.data = key->data;

    flight = (ngx_http_tournament_flight_t *)
                 ngx_str_rbtree_lookup(&fetch->flights, &name, hash);

    if (flight == NULL) {
        flight = ngx_http_tournament_flight_create(fetch, endpoint, statement,
                                                   key, hash);
        if (flight == NULL) {
            return NGX_ERROR;
        }
    }

    waiter->flight = flight;
    waiter->arrived = ngx_current_msec;
    waiter->clock = ngx_http_tournament_cache_clock(fetch->cache);
    waiter->sends = flight->sends;

    if (waiter->cache) {
        flight->store = 1;
    }

    ngx_queue_insert_tail(&flight->waiters, &waiter->queue);

    if (flight->active) {
        return NGX_OK;
    }

    if (ngx_http_tournament_flight_start(flight) != NGX_OK) {
        ngx_queue_remove(&waiter->queue);
        waiter->flight = NULL;

        ngx_http_tournament_flight_free(flight);

        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_tournament_fetch_leave(ngx_http_tournament_waiter_t *waiter)
{
    ngx_http_tournament_flight_t  *flight;

    flight = waiter->flight;

    if (flight == NULL) {
        return;
    }

    ngx_queue_remove(&waiter->queue);
    waiter->flight = NULL;

    if (ngx_queue_empty(&flight->waiters)
        && ngx_http_tournament_pg_cancel(&flight->query) == NGX_OK)
    {
        ngx_http_tournament_flight_free(flight);
    }
}


static ngx_http_tournament_flight_t *
ngx_http_tournament_flight_create(ngx_http_tournament_fetch_t *fetch,
    ngx_http_tournament_endpoint_t *endpoint, ngx_uint_t statement,
    ngx_http_tournament_key_t *key, uint32_t hash)
{
    u_char                        *p;
    ngx_uint_t                     i;
    ngx_http_tournament_flight_t  *flight;

    flight = ngx_calloc(sizeof(ngx_http_tournament_flight_t), fetch->log);
    if (flight == NULL) {
        return NULL;
    }

    flight->fetch = fetch;
    flight->endpoint = endpoint;

    flight->key.len = key->len;
    ngx_memcpy(flight->key.data, key->data, key->len);

    /* the key's arguments are the parameters, in place */

    p = flight->key.data + NGX_HTTP_TOURNAMENT_KEY_PREFIX;

    for (i = 0; i < endpoint->statement.nparams; i++) {
        flight->query.values[i] = (char *) p;
        p += ngx_strlen(p) + 1;
    }

    flight->query.statement = statement;
    flight->query.sending = ngx_http_tournament_flight_sending;
    flight->query.handler = ngx_http_tournament_flight_done;
    flight->query.data = flight;

    ngx_queue_init(&flight->waiters);

    flight->node.node.key = hash;
    flight->node.str.len = flight->key.len;
    flight->node.str.data = flight->key.data;

    ngx_rbtree_insert(&fetch->flights, &flight->node.node);

    return flight;
}


static void
ngx_http_tournament_flight_free(ngx_http_tournament_flight_t *flight)
{
    ngx_rbtree_delete(&flight->fetch->flights, &flight->node.node);
    ngx_free(flight);
}


/* the oldest waiter's time is the query's */

static ngx_int_t
ngx_http_tournament_flight_start(ngx_http_tournament_flight_t *flight)
{
    ngx_msec_t                     waited;
    ngx_queue_t                   *q;
    ngx_http_tournament_waiter_t  *waiter;

    q = ngx_queue_head(&flight->waiters);
    waiter = ngx_queue_data(q, ngx_http_tournament_waiter_t, queue);

    flight->active = 1;

    waited = ngx_current_msec - waiter->arrived;

    flight->query.timeout = (waited < flight->fetch->timeout)
                            ? flight->fetch->timeout - waited : 1;

    return ngx_http_tournament_pg_send(flight->fetch->pg, &flight->query);
}


static void
ngx_http_tournament_flight_sending(ngx_http_tournament_pg_query_t *query)
{
    ngx_http_tournament_flight_t  *flight;

    flight = query->data;

    flight->sends++;
    flight->clock = ngx_http_tournament_cache_clock(flight->fetch->cache);
    flight->sent = ngx_current_msec;
}


static void
ngx_http_tournament_flight_done(ngx_http_tournament_pg_query_t *query,
    ngx_http_tournament_pg_rc_e rc, PGresult *res)
{
    ngx_queue_t                    late, *q;
    ngx_http_tournament_entry_t   *entry;
    ngx_http_tournament_flight_t  *flight;
    ngx_http_tournament_waiter_t  *waiter;

    flight = query->data;
    entry = NULL;

    if (rc == NGX_HTTP_TOURNAMENT_PG_OK) {
        entry = ngx_http_tournament_flight_decode(flight, res);

        if (entry == NULL) {
            rc = NGX_HTTP_TOURNAMENT_PG_FAILED;

        } else if (flight->store) {
            (void) ngx_http_tournament_cache_put(flight->fetch->cache,
                                                 &flight->key, entry);
        }
    }

    ngx_queue_init(&late);

    while (!ngx_queue_empty(&flight->waiters)) {
        q = ngx_queue_head(&flight->waiters);
        waiter = ngx_queue_data(q, ngx_http_tournament_waiter_t, queue);

        ngx_queue_remove(q);

        if (entry
            && !ngx_http_tournament_flight_suits(flight, waiter, entry))
        {
            ngx_queue_insert_tail(&late, q);
            continue;
        }

        waiter->flight = NULL;
        waiter->handler(waiter, rc, &flight->key, entry);
    }

    if (ngx_queue_empty(&late)) {
        ngx_http_tournament_flight_free(flight);
        return;
    }

    ngx_queue_add(&flight->waiters, &late);

    if (ngx_http_tournament_flight_start(flight) != NGX_OK) {
        ngx_http_tournament_flight_done(query,
                                        NGX_HTTP_TOURNAMENT_PG_UNAVAILABLE,
                                        NULL);
    }
}


static ngx_http_tournament_entry_t *
ngx_http_tournament_flight_decode(ngx_http_tournament_flight_t *flight,
    PGresult *res)
{
    ngx_http_tournament_fetch_t     *fetch;
    ngx_http_tournament_result_t    *result;
    ngx_http_tournament_endpoint_t  *endpoint;

    fetch = flight->fetch;
    result = fetch->result;
    endpoint = flight->endpoint;

    if (ngx_http_tournament_result_begin(result, res, flight->clock,
                                         flight->sent, endpoint->columns,
                                         endpoint->ncolumns)
        != NGX_OK)
    {
        if (fetch->mismatch_logged == 0
            || ngx_current_msec - fetch->mismatch_logged
               > NGX_HTTP_TOURNAMENT_MISMATCH_PAUSE)
        {
            fetch->mismatch_logged = ngx_current_msec;

            ngx_log_error(NGX_LOG_ERR, fetch->log, 0,
                          "tournament: the columns of \"%s\" are not those "
                          "that this module expects: run the install.sql "
                          "that came with it", endpoint->statement.sql);
        }

        return NULL;
    }

    endpoint->decode(result, PQntuples(res));

    if (ngx_http_tournament_result_end(result) != NGX_OK) {
        return NULL;
    }

    return &result->entry;
}


/*
 * Whether a result is not older than its waiter may ask for.  A stripe keeps
 * its last change only, so one that moved at all after the query was sent is
 * taken for one that moved before the waiter came.
 */

static ngx_uint_t
ngx_http_tournament_flight_suits(ngx_http_tournament_flight_t *flight,
    ngx_http_tournament_waiter_t *waiter, ngx_http_tournament_entry_t *entry)
{
    if (flight->sends > waiter->sends) {
        return 1;
    }

    if (!waiter->cache) {
        return 0;
    }

    return entry->clock >= waiter->clock
           || ngx_http_tournament_cache_valid(flight->fetch->cache,
                                              entry->clock, entry->stripes,
                                              entry->nstripes);
}
