
/*
 * A flight is a key that somebody waits for, or that is to be refreshed; a
 * batch is a query and the flights that its result serves.  A flight is in one
 * state, and tournament_flight_set() alone changes it:
 *
 *   from      to        when
 *
 *   -         ADDED     a key is asked for that nobody here fetches
 *   ADDED     WAITING   another worker fetches it, or the feed is not up yet
 *   ADDED     SENT      it is this worker's to query, or is not to be stored
 *   WAITING   SENT      the other one has not stored what suits
 *   WAITING   LANDING   the zone has it now
 *   SENT      LANDING   there is a result, or an error
 *   SENT      REFUSED   the query could not be handed over after all
 *   REFUSED   LANDING   in the same turn of the event loop: an error
 *   LANDING   SENT      it did not suit all who wait: one more query
 *   LANDING   WAITING   the same, but another worker has the claim
 *
 * A flight that is LANDING is in no queue: its handlers are being called.  It
 * is freed once nobody waits for it: after it has landed, or where it is met
 * in ADDED or WAITING, or with its batch where that can still be taken back.
 */

#include <ngx_event.h>

#include "feed/feed.h"
#include "serve/fetch.h"
#include "serve/metrics.h"
#include "zone/limit.h"
#include "zone/timer.h"


/* ms; results of no use are logged at most once in this time */
#define TOURNAMENT_RESULT_PAUSE  10000

/* ms; a wake-up that was lost delays a request by so much at most */
#define TOURNAMENT_REMOTE_POLL     50

/* ms; how long queries wait for the feed, and how often it is looked at */
#define TOURNAMENT_GATE            250
#define TOURNAMENT_GATE_POLL       5

/* ms; who has not renewed a claim for so long hangs, and how often it is */
#define TOURNAMENT_CLAIM           700
#define TOURNAMENT_CLAIM_RENEW     150


typedef enum {
    TOURNAMENT_FLIGHT_ADDED = 0,
    TOURNAMENT_FLIGHT_WAITING,
    TOURNAMENT_FLIGHT_SENT,
    TOURNAMENT_FLIGHT_REFUSED,
    TOURNAMENT_FLIGHT_LANDING
} tournament_flight_state_e;


struct tournament_fetch_s {
    ngx_rbtree_t              flights;    /* ngx_str_node_t */
    ngx_rbtree_node_t         sentinel;

    ngx_queue_t               added;      /* flights, by state */
    ngx_queue_t               waiting;
    ngx_queue_t               refused;
    ngx_queue_t               claimed;    /* flights, by claim */
    ngx_queue_t               due;        /* waiters, by arrival */

    ngx_event_t               poll;       /* those waiting: behind wake-ups */
    ngx_event_t               refuse;     /* those refused */
    ngx_event_t               renew;      /* claims */
    ngx_event_t               expire;     /* the first waiter's time */
    ngx_event_t               away;       /* so is the database */
    tournament_wake_t        *wake;
    tournament_wake_pt        follower;   /* who wants to be woken, too */
    void                     *follower_data;

    ngx_log_t                *log;
    tournament_zone_t        *zone;
    tournament_pg_t          *pg;
    tournament_result_t      *result;
    ngx_msec_t                timeout;
    ngx_msec_t                started;
    unsigned                  gated:1;    /* it may be closed */

    tournament_limit_t        limit;      /* of lines on results of no use */
};


/* a query, and the flights that its result serves */

typedef struct {
    tournament_pg_query_t     query;
    tournament_fetch_t       *fetch;
    tournament_endpoint_t    *endpoint;
    ngx_queue_t               flights;
    uint64_t                  clock;      /* before it was sent */
    ngx_msec_t                sent;
    u_char                   *list;       /* of keys, for many */
} tournament_batch_t;


/* a key, and who waits for it */

struct tournament_flight_s {
    ngx_str_node_t            node;       /* first: found by key */
    tournament_fetch_t       *fetch;
    tournament_endpoint_t    *endpoint;

    tournament_flight_state_e  state;
    ngx_queue_t               queue;      /* of its state, or batch */
    ngx_queue_t               claim;      /* if claimed */
    tournament_batch_t       *batch;      /* while SENT */
    ngx_queue_t               waiters;
    ngx_uint_t                sends;
    tournament_pg_times_t     times;      /* of its last query */

    uint64_t                  seen_clock;    /* the waiters' */
    ngx_msec_t                seen_fetched;

    unsigned                  store:1;    /* the result */
    unsigned                  refresh:1;  /* whoever waits */
    unsigned                  claimed:1;  /* in the zone */

    tournament_key_t          key;
};


static void tournament_fetch_begin(tournament_flight_t *flight);
static void tournament_fetch_send(tournament_fetch_t *fetch);
static ngx_uint_t tournament_fetch_closed(tournament_fetch_t *fetch);
static void tournament_fetch_woken(void *data);
static void tournament_fetch_check(tournament_fetch_t *fetch);
static void tournament_fetch_poll(ngx_event_t *ev);
static void tournament_fetch_expire(ngx_event_t *ev);

static void tournament_waiter_remove(tournament_fetch_t *fetch,
    tournament_waiter_t *waiter);

static void tournament_fetch_refuse(ngx_event_t *ev);
static void tournament_fetch_renew(ngx_event_t *ev);
static void tournament_fetch_away(void *data);
static void tournament_fetch_give_up(ngx_event_t *ev);

static tournament_flight_t *tournament_flight_find(tournament_fetch_t *fetch,
    tournament_key_t *key, uint32_t *hash);
static tournament_flight_t *tournament_flight_create(tournament_fetch_t *fetch,
    tournament_endpoint_t *endpoint, tournament_key_t *key, uint32_t hash);
static void tournament_flight_set(tournament_flight_t *flight,
    tournament_flight_state_e state, tournament_batch_t *batch);
static ngx_uint_t tournament_flight_idle(tournament_flight_t *flight);
static void tournament_flight_wait(tournament_flight_t *flight, ngx_msec_t ms);
static void tournament_flight_yield(tournament_flight_t *flight, ngx_int_t rc);
static ngx_int_t tournament_flight_claim(tournament_flight_t *flight);
static void tournament_flight_claimed(tournament_flight_t *flight);
static void tournament_flight_release(tournament_flight_t *flight, ngx_msec_t
    ms);
static ngx_int_t tournament_flight_stored(tournament_flight_t *flight,
    tournament_entry_t *entry);
static void tournament_flight_check(tournament_flight_t *flight);
static void tournament_flight_copy(tournament_flight_t *flight,
    tournament_entry_t *entry);
static void tournament_flight_send(tournament_flight_t *flight);
static void tournament_flight_free(tournament_flight_t *flight);
static void tournament_flight_detach(tournament_flight_t *flight);
static void tournament_flight_land(tournament_flight_t *flight,
    tournament_pg_rc_e rc, tournament_entry_t *entry);
static ngx_uint_t tournament_flight_ends(tournament_flight_t *flight,
    tournament_waiter_t *waiter, tournament_pg_rc_e rc,
    tournament_entry_t *entry);
static ngx_uint_t tournament_flight_suits(tournament_flight_t *flight,
    tournament_waiter_t *waiter, tournament_entry_t *entry);
static char *tournament_flight_argument(tournament_flight_t *flight);

static tournament_batch_t *tournament_batch_create(tournament_flight_t
    *flight);
static void tournament_batch_send(tournament_batch_t *batch);
static ngx_int_t tournament_batch_parameters(tournament_batch_t *batch);
static ngx_uint_t tournament_batch_idle(tournament_batch_t *batch);
static void tournament_batch_free(tournament_batch_t *batch);
static void tournament_batch_sending(tournament_pg_query_t *query);
static void tournament_batch_done(tournament_pg_query_t *query,
    tournament_pg_rc_e rc, PGresult *res);
static void tournament_batch_give(tournament_batch_t *batch,
    tournament_flight_t *flight, tournament_pg_rc_e rc, PGresult *res);
static tournament_entry_t *tournament_batch_decode(tournament_batch_t *batch,
    tournament_flight_t *flight, PGresult *res);
static int tournament_batch_row(tournament_batch_t *batch,
    tournament_flight_t *flight, PGresult *res);


tournament_fetch_t *
tournament_fetch_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, tournament_pg_t *pg, tournament_pg_conf_t *conf)
{
    tournament_fetch_t  *fetch;

    fetch = ngx_pcalloc(pool, sizeof(tournament_fetch_t));
    if (fetch == NULL) {
        return NULL;
    }

    fetch->result = tournament_result_create(pool, zone);
    if (fetch->result == NULL) {
        return NULL;
    }

    fetch->log = log;
    fetch->zone = zone;
    fetch->pg = pg;
    fetch->timeout = conf->query_timeout;

    conf->away = tournament_fetch_away;
    conf->data = fetch;

    ngx_queue_init(&fetch->added);
    ngx_queue_init(&fetch->waiting);
    ngx_queue_init(&fetch->refused);
    ngx_queue_init(&fetch->claimed);
    ngx_queue_init(&fetch->due);

    tournament_timer_init(&fetch->poll, tournament_fetch_poll, fetch, log, 0);
    tournament_timer_init(&fetch->refuse, tournament_fetch_refuse, fetch, log,
                          0);
    tournament_timer_init(&fetch->renew, tournament_fetch_renew, fetch, log,
                          1);
    tournament_timer_init(&fetch->expire, tournament_fetch_expire, fetch, log,
                          0);
    tournament_timer_init(&fetch->away, tournament_fetch_give_up, fetch, log,
                          0);

    fetch->wake = tournament_wake_create(pool, log, zone,
                                         tournament_fetch_woken, fetch);
    if (fetch->wake == NULL) {
        return NULL;
    }

    ngx_rbtree_init(&fetch->flights, &fetch->sentinel,
                    ngx_str_rbtree_insert_value);

    return fetch;
}


void
tournament_fetch_gate(tournament_fetch_t *fetch)
{
    fetch->started = ngx_current_msec;
    fetch->gated = 1;
}


ngx_int_t
tournament_fetch_number(tournament_fetch_t *fetch)
{
    return tournament_wake_number(fetch->wake);
}


void
tournament_fetch_follow(tournament_fetch_t *fetch, tournament_wake_pt handler,
    void *data)
{
    fetch->follower = handler;
    fetch->follower_data = data;
}


void
tournament_fetch_wake(tournament_fetch_t *fetch, uint64_t workers)
{
    tournament_wake_up(fetch->wake, workers);
}


static ngx_uint_t
tournament_fetch_closed(tournament_fetch_t *fetch)
{
    if (fetch->gated
        && (ngx_current_msec - fetch->started >= TOURNAMENT_GATE
            || tournament_feed_state(fetch->zone)
               == TOURNAMENT_FEED_UP))
    {
        fetch->gated = 0;
    }

    return fetch->gated;
}


void
tournament_fetch_destroy(tournament_fetch_t *fetch)
{
    tournament_batch_t   *batch;
    tournament_flight_t  *flight;

    while (fetch->flights.root != fetch->flights.sentinel) {
        flight = (tournament_flight_t *) fetch->flights.root;
        batch = flight->batch;

        tournament_flight_detach(flight);
        tournament_flight_free(flight);

        if (batch && ngx_queue_empty(&batch->flights)) {

            tournament_timer_stop(&batch->query.deadline);
            tournament_batch_free(batch);
        }
    }

    tournament_timer_stop(&fetch->poll);
    tournament_timer_stop(&fetch->renew);
    tournament_timer_stop(&fetch->expire);
    tournament_timer_stop(&fetch->away);

    if (fetch->refuse.posted) {
        ngx_delete_posted_event(&fetch->refuse);
    }

    tournament_wake_destroy(fetch->wake);
    tournament_result_destroy(fetch->result);
}


ngx_int_t
tournament_fetch_add(tournament_fetch_t *fetch,
    tournament_endpoint_t *endpoint,
    tournament_key_t *key, tournament_waiter_t *waiter)
{
    uint32_t              hash;
    tournament_flight_t  *flight;

    flight = tournament_flight_find(fetch, key, &hash);

    if (flight == NULL) {
        flight = tournament_flight_create(fetch, endpoint, key, hash);
        if (flight == NULL) {
            return NGX_ERROR;
        }
    }

    waiter->flight = flight;
    waiter->arrived = ngx_current_msec;
    waiter->clock = tournament_clock_now(fetch->zone->clock);
    waiter->sends = flight->sends;

    if (waiter->cache) {
        flight->store = 1;
    }

    if (flight->state == TOURNAMENT_FLIGHT_SENT) {
        tournament_pg_attend(&flight->batch->query);
    }

    flight->seen_clock = ngx_max(flight->seen_clock, waiter->seen_clock);
    flight->seen_fetched = ngx_max(flight->seen_fetched, waiter->seen_fetched);

    ngx_queue_insert_tail(&flight->waiters, &waiter->queue);
    ngx_queue_insert_tail(&fetch->due, &waiter->due);

    return NGX_OK;
}


void
tournament_fetch_refresh(tournament_fetch_t *fetch,
    tournament_endpoint_t *endpoint,
    tournament_key_t *key, tournament_entry_t *entry)
{
    uint32_t              hash;
    tournament_flight_t  *flight;

    if (ngx_exiting || tournament_flight_find(fetch, key, &hash)) {
        return;
    }

    flight = tournament_flight_create(fetch, endpoint, key, hash);
    if (flight == NULL) {
        return;
    }

    flight->store = 1;
    flight->refresh = 1;

    if (entry) {
        flight->seen_clock = entry->clock;
        flight->seen_fetched = entry->fetched;
    }
}


void
tournament_fetch_start(tournament_fetch_t *fetch)
{
    ngx_queue_t  *q, *next;

    for (q = ngx_queue_head(&fetch->added);
         q != ngx_queue_sentinel(&fetch->added);
         q = next)
    {
        next = ngx_queue_next(q);

        tournament_fetch_begin(ngx_queue_data(q, tournament_flight_t, queue));
    }

    while (!ngx_queue_empty(&fetch->added)) {
        tournament_fetch_send(fetch);
    }

    /* after the queries' timers: theirs comes first where both are due */

    if (!ngx_queue_empty(&fetch->due) && !fetch->expire.timer_set) {
        ngx_add_timer(&fetch->expire, fetch->timeout);
    }
}


/* a flight that is this worker's to query stays ADDED */

static void
tournament_fetch_begin(tournament_flight_t *flight)
{
    ngx_int_t  rc;

    if (tournament_flight_idle(flight)) {

        /* who added has left again */

        tournament_flight_free(flight);
        return;
    }

    if (flight->store && tournament_fetch_closed(flight->fetch)) {
        tournament_flight_wait(flight, TOURNAMENT_GATE_POLL);
        return;
    }

    rc = tournament_flight_claim(flight);

    if (rc != NGX_OK) {
        tournament_flight_yield(flight, rc);
    }
}


/*
 * The first flight that is ADDED, and those of its endpoint behind it, where
 * its statement takes many.
 */

static void
tournament_fetch_send(tournament_fetch_t *fetch)
{
    ngx_queue_t          *q;
    tournament_batch_t   *batch;
    tournament_flight_t  *flight;

    q = ngx_queue_head(&fetch->added);
    flight = ngx_queue_data(q, tournament_flight_t, queue);

    batch = tournament_batch_create(flight);

    if (batch == NULL) {
        return;
    }

    while (batch->endpoint->bulk.sql && !ngx_queue_empty(&fetch->added)) {
        q = ngx_queue_head(&fetch->added);
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        if (flight->endpoint != batch->endpoint) {
            break;
        }

        tournament_flight_set(flight, TOURNAMENT_FLIGHT_SENT, batch);
    }

    tournament_batch_send(batch);
}


void
tournament_fetch_leave(tournament_waiter_t *waiter)
{
    ngx_queue_t          *q;
    tournament_batch_t   *batch;
    tournament_flight_t  *flight;

    flight = waiter->flight;

    if (flight == NULL) {
        return;
    }

    tournament_waiter_remove(flight->fetch, waiter);

    /* in other states one without waiters is dropped where it is met next */

    if (flight->state != TOURNAMENT_FLIGHT_SENT) {
        return;
    }

    batch = flight->batch;

    if (!tournament_batch_idle(batch)
        || tournament_pg_cancel(&batch->query) != NGX_OK)
    {
        return;
    }

    while (!ngx_queue_empty(&batch->flights)) {
        q = ngx_queue_head(&batch->flights);

        tournament_flight_free(ngx_queue_data(q, tournament_flight_t, queue));
    }

    tournament_batch_free(batch);
}


static void
tournament_fetch_woken(void *data)
{
    tournament_fetch_t  *fetch = data;

    tournament_fetch_check(fetch);

    if (fetch->follower) {
        fetch->follower(fetch->follower_data);
    }
}


/* another worker is done with a key that somebody here waits for */

static void
tournament_fetch_check(tournament_fetch_t *fetch)
{
    ngx_queue_t           flights, *q;
    tournament_flight_t  *flight;

    if (ngx_queue_empty(&fetch->waiting)) {
        return;
    }

    /* those that go on waiting join the queue anew */

    ngx_queue_init(&flights);
    ngx_queue_add(&flights, &fetch->waiting);
    ngx_queue_init(&fetch->waiting);

    while (!ngx_queue_empty(&flights)) {
        q = ngx_queue_head(&flights);
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        tournament_flight_check(flight);
    }
}


static void
tournament_fetch_poll(ngx_event_t *ev)
{
    tournament_fetch_check(ev->data);
}


/*
 * The time of those who came first has passed.  Their query may be a later one,
 * which goes on for others, and for the zone.
 */

static void
tournament_fetch_expire(ngx_event_t *ev)
{
    ngx_queue_t          *q;
    ngx_msec_int_t        left;
    tournament_fetch_t   *fetch;
    tournament_flight_t  *flight;
    tournament_waiter_t  *waiter;

    fetch = ev->data;

    while (!ngx_queue_empty(&fetch->due)) {
        q = ngx_queue_head(&fetch->due);
        waiter = ngx_queue_data(q, tournament_waiter_t, due);

        left = (ngx_msec_int_t) (waiter->arrived + fetch->timeout
                                 - ngx_current_msec);
        if (left > 0) {

            /* a handler may have seen to it */

            if (!ev->timer_set) {
                ngx_add_timer(ev, (ngx_msec_t) left);
            }

            return;
        }

        flight = waiter->flight;
        waiter->times = flight->times;

        if (flight->state == TOURNAMENT_FLIGHT_SENT) {
            waiter->times = flight->batch->query.times;
            waiter->times.done = tournament_pg_now();
        }

        tournament_fetch_leave(waiter);
        waiter->handler(waiter, TOURNAMENT_PG_TIMEOUT, NULL);
    }
}


static void
tournament_waiter_remove(tournament_fetch_t *fetch,
    tournament_waiter_t *waiter)
{
    ngx_queue_remove(&waiter->queue);
    ngx_queue_remove(&waiter->due);
    waiter->flight = NULL;

    if (ngx_queue_empty(&fetch->due)) {
        tournament_timer_stop(&fetch->expire);
    }
}


/* queries that could not be handed over: handlers run now, and not before */

static void
tournament_fetch_refuse(ngx_event_t *ev)
{
    ngx_queue_t          *q;
    tournament_fetch_t   *fetch;
    tournament_flight_t  *flight;

    fetch = ev->data;

    while (!ngx_queue_empty(&fetch->refused)) {
        q = ngx_queue_head(&fetch->refused);
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        tournament_flight_land(flight, TOURNAMENT_PG_UNAVAILABLE, NULL);
    }
}


static void
tournament_fetch_renew(ngx_event_t *ev)
{
    ngx_queue_t          *q;
    tournament_fetch_t   *fetch;
    tournament_flight_t  *flight;

    fetch = ev->data;

    if (ngx_queue_empty(&fetch->claimed)) {
        return;
    }

    for (q = ngx_queue_head(&fetch->claimed);
         q != ngx_queue_sentinel(&fetch->claimed);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, tournament_flight_t, claim);

        tournament_claims_renew(&fetch->zone->claims, &flight->key,
                                TOURNAMENT_CLAIM);
    }

    ngx_add_timer(&fetch->renew, TOURNAMENT_CLAIM_RENEW);
}


/* of pg; handlers must not run from within a call of this room */

static void
tournament_fetch_away(void *data)
{
    tournament_fetch_t  *fetch = data;

    if (!fetch->away.timer_set) {
        ngx_add_timer(&fetch->away, 0);
    }
}


/*
 * No connection can be had: who has something to show does not wait until its
 * query's deadline.  The queries wait on, and refresh what is stored if it does
 * not take too long.
 */

static void
tournament_fetch_give_up(ngx_event_t *ev)
{
    ngx_queue_t           waiters, *q, *next;
    ngx_rbtree_node_t    *node;
    tournament_fetch_t   *fetch;
    tournament_flight_t  *flight;
    tournament_waiter_t  *waiter;

    fetch = ev->data;

    if (!tournament_pg_away(fetch->pg)
        || fetch->flights.root == fetch->flights.sentinel)
    {
        return;
    }

    ngx_queue_init(&waiters);

    for (node = ngx_rbtree_min(fetch->flights.root, fetch->flights.sentinel);
         node;
         node = ngx_rbtree_next(&fetch->flights, node))
    {
        flight = (tournament_flight_t *) node;

        for (q = ngx_queue_head(&flight->waiters);
             q != ngx_queue_sentinel(&flight->waiters);
             q = next)
        {
            next = ngx_queue_next(q);
            waiter = ngx_queue_data(q, tournament_waiter_t, queue);

            if (waiter->impatient) {
                ngx_queue_remove(q);
                ngx_queue_insert_tail(&waiters, q);

                /* so that it stays where it is, whoever leaves */

                flight->refresh = 1;
            }
        }
    }

    while (!ngx_queue_empty(&waiters)) {
        q = ngx_queue_head(&waiters);
        waiter = ngx_queue_data(q, tournament_waiter_t, queue);

        tournament_waiter_remove(fetch, waiter);
        waiter->handler(waiter, TOURNAMENT_PG_UNAVAILABLE, NULL);
    }
}


static tournament_flight_t *
tournament_flight_find(tournament_fetch_t *fetch, tournament_key_t *key,
    uint32_t *hash)
{
    ngx_str_t  name;

    *hash = ngx_murmur_hash2(key->data, key->len);

    name.len = key->len;
    name.data = key->data;

    return (tournament_flight_t *)
               ngx_str_rbtree_lookup(&fetch->flights, &name, *hash);
}


static tournament_flight_t *
tournament_flight_create(tournament_fetch_t *fetch,
    tournament_endpoint_t *endpoint,
    tournament_key_t *key, uint32_t hash)
{
    tournament_flight_t  *flight;

    flight = ngx_alloc(sizeof(tournament_flight_t) + key->len, fetch->log);
    if (flight == NULL) {
        return NULL;
    }

    ngx_memzero(flight, sizeof(tournament_flight_t));

    flight->fetch = fetch;
    flight->endpoint = endpoint;

    flight->key.len = key->len;
    flight->key.data = (u_char *) flight
                       + sizeof(tournament_flight_t);
    ngx_memcpy(flight->key.data, key->data, key->len);

    flight->node.node.key = hash;
    flight->node.str.len = flight->key.len;
    flight->node.str.data = flight->key.data;

    ngx_queue_init(&flight->queue);
    ngx_queue_init(&flight->waiters);

    ngx_rbtree_insert(&fetch->flights, &flight->node.node);
    tournament_flight_set(flight, TOURNAMENT_FLIGHT_ADDED, NULL);

    return flight;
}


/*
 * The only place where a flight's state changes: see the top of this file.
 * batch is that of SENT.
 */

static void
tournament_flight_set(tournament_flight_t *flight,
    tournament_flight_state_e state, tournament_batch_t *batch)
{
    tournament_fetch_t  *fetch;

    fetch = flight->fetch;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, fetch->log, 0,
                   "tournament flight:%p from state %d to %d",
                   flight, flight->state, state);

    ngx_queue_remove(&flight->queue);

    flight->state = state;
    flight->batch = batch;

    switch (state) {

    case TOURNAMENT_FLIGHT_ADDED:
        ngx_queue_insert_tail(&fetch->added, &flight->queue);
        break;

    case TOURNAMENT_FLIGHT_WAITING:
        ngx_queue_insert_tail(&fetch->waiting, &flight->queue);
        break;

    case TOURNAMENT_FLIGHT_SENT:
        ngx_queue_insert_tail(&batch->flights, &flight->queue);
        break;

    case TOURNAMENT_FLIGHT_REFUSED:
        ngx_queue_insert_tail(&fetch->refused, &flight->queue);

        if (!fetch->refuse.posted) {
            ngx_post_event(&fetch->refuse, &ngx_posted_events);
        }

        break;

    case TOURNAMENT_FLIGHT_LANDING:
        ngx_queue_init(&flight->queue);
        break;
    }
}


/* nobody waits for it, and it is no refresh */

static ngx_uint_t
tournament_flight_idle(tournament_flight_t *flight)
{
    return ngx_queue_empty(&flight->waiters) && !flight->refresh;
}


/* it is looked at again in so many ms at most */

static void
tournament_flight_wait(tournament_flight_t *flight, ngx_msec_t ms)
{
    ngx_event_t  *poll;

    tournament_flight_set(flight, TOURNAMENT_FLIGHT_WAITING, NULL);

    poll = &flight->fetch->poll;

    /* the soonest one counts */

    if (poll->timer_set
        && (ngx_msec_int_t) (poll->timer.key - ngx_current_msec - ms) > 0)
    {
        ngx_del_timer(poll);
    }

    if (!poll->timer_set) {
        ngx_add_timer(poll, ms);
    }
}


/* what claim() returned: it is not for this worker to query */

static void
tournament_flight_yield(tournament_flight_t *flight, ngx_int_t rc)
{
    if (ngx_queue_empty(&flight->waiters)) {

        /* a refresh, which another worker does, or has done */

        tournament_flight_free(flight);
        return;
    }

    tournament_flight_wait(flight,
                           (rc == NGX_DONE) ? 0 : TOURNAMENT_REMOTE_POLL);
}


/*
 * NGX_OK: to be queried here.  NGX_BUSY: another worker is at it.  NGX_DONE:
 * the zone has it by now.
 */

static ngx_int_t
tournament_flight_claim(tournament_flight_t *flight)
{
    tournament_fetch_t  *fetch;
    tournament_entry_t   entry;

    fetch = flight->fetch;

    if (!flight->store) {
        return NGX_OK;
    }

    if (tournament_claims_take(&fetch->zone->claims, &flight->key,
                               tournament_wake_number(fetch->wake),
                               TOURNAMENT_CLAIM)
        != NGX_OK)
    {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, fetch->log, 0,
                       "tournament flight:%p waits for another worker",
                       flight);
        return NGX_BUSY;
    }

    tournament_flight_claimed(flight);

    if (tournament_flight_stored(flight, &entry) != NGX_OK) {
        return NGX_OK;
    }

    /* it came between the look-up and the claim */

    tournament_flight_release(flight, 0);

    return NGX_DONE;
}


static void
tournament_flight_claimed(tournament_flight_t *flight)
{
    tournament_fetch_t  *fetch;

    fetch = flight->fetch;

    flight->claimed = 1;
    ngx_queue_insert_tail(&fetch->claimed, &flight->claim);

    if (!fetch->renew.timer_set) {
        ngx_add_timer(&fetch->renew, TOURNAMENT_CLAIM_RENEW);
    }
}


/* others look at what there is now; with ms the claim is kept */

static void
tournament_flight_release(tournament_flight_t *flight, ngx_msec_t ms)
{
    uint64_t             workers;
    tournament_fetch_t  *fetch;

    if (!flight->claimed) {
        return;
    }

    fetch = flight->fetch;

    workers = tournament_claims_release(&fetch->zone->claims, &flight->key, ms);
    if (ms == 0) {
        flight->claimed = 0;
        ngx_queue_remove(&flight->claim);
    }

    tournament_wake_up(fetch->wake, workers);
}


/*
 * Whether the zone has a newer entry than the one that was no good, and one
 * that suits somebody who waits: else it would be looked at again and again.
 */

static ngx_int_t
tournament_flight_stored(tournament_flight_t *flight,
    tournament_entry_t *entry)
{
    ngx_queue_t          *q;
    tournament_zone_t    *zone;
    tournament_waiter_t  *waiter;

    zone = flight->fetch->zone;

    if (tournament_arena_get(&zone->arena, &flight->key, entry) != NGX_OK
        || (entry->clock <= flight->seen_clock
            && entry->fetched <= flight->seen_fetched))
    {
        return NGX_DECLINED;
    }

    if (ngx_queue_empty(&flight->waiters)) {
        return tournament_clock_fresh(zone->clock, entry->clock,
                                      entry->stripes,
                                      entry->nstripes)
               ? NGX_OK : NGX_DECLINED;
    }

    for (q = ngx_queue_head(&flight->waiters);
         q != ngx_queue_sentinel(&flight->waiters);
         q = ngx_queue_next(q))
    {
        waiter = ngx_queue_data(q, tournament_waiter_t, queue);

        if (tournament_flight_suits(flight, waiter, entry)) {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/* a flight that waits: whether it goes on */

static void
tournament_flight_check(tournament_flight_t *flight)
{
    ngx_int_t           rc;
    tournament_entry_t  entry;

    if (tournament_flight_idle(flight)) {
        tournament_flight_free(flight);
        return;
    }

    if (tournament_fetch_closed(flight->fetch)) {
        tournament_flight_wait(flight, TOURNAMENT_GATE_POLL);
        return;
    }

    if (tournament_flight_stored(flight, &entry) == NGX_OK) {
        tournament_flight_copy(flight, &entry);
        return;
    }

    rc = tournament_flight_claim(flight);

    if (rc != NGX_OK) {
        tournament_flight_yield(flight, rc);
        return;
    }

    tournament_flight_send(flight);
}


/*
 * Lands with an entry of the zone.  Handlers may look up others, which would
 * take its place in memory.
 */

static void
tournament_flight_copy(tournament_flight_t *flight, tournament_entry_t *entry)
{
    u_char              *p;
    tournament_entry_t   copy;

    p = ngx_alloc(tournament_entry_size(entry), flight->fetch->log);

    if (p == NULL) {
        tournament_flight_wait(flight, TOURNAMENT_REMOTE_POLL);
        return;
    }

    tournament_entry_copy(&copy, entry, p);
    tournament_flight_land(flight, TOURNAMENT_PG_OK, &copy);

    ngx_free(p);
}


/* a flight that is claimed, or need not be, goes by itself */

static void
tournament_flight_send(tournament_flight_t *flight)
{
    tournament_batch_t  *batch;

    batch = tournament_batch_create(flight);

    if (batch) {
        tournament_batch_send(batch);
    }
}


static void
tournament_flight_free(tournament_flight_t *flight)
{
    tournament_flight_release(flight, 0);

    ngx_queue_remove(&flight->queue);
    ngx_rbtree_delete(&flight->fetch->flights, &flight->node.node);
    ngx_free(flight);
}


/* nobody waits any more, and nobody is told */

static void
tournament_flight_detach(tournament_flight_t *flight)
{
    ngx_queue_t          *q;
    tournament_waiter_t  *waiter;

    while (!ngx_queue_empty(&flight->waiters)) {
        q = ngx_queue_head(&flight->waiters);
        waiter = ngx_queue_data(q, tournament_waiter_t, queue);

        tournament_waiter_remove(flight->fetch, waiter);
    }
}


/*
 * Gives a result to those whom it suits.  For the others, and for those who
 * come meanwhile, there is a new query, under the same claim: other workers
 * that have come to wait for it need none of their own.
 */

static void
tournament_flight_land(tournament_flight_t *flight, tournament_pg_rc_e rc,
    tournament_entry_t *entry)
{
    ngx_int_t             claimed;
    ngx_uint_t            refused;
    ngx_queue_t           ready, *q, *next;
    tournament_waiter_t  *waiter;

    refused = (flight->state == TOURNAMENT_FLIGHT_REFUSED
               && flight->sends == 0);

    tournament_flight_set(flight, TOURNAMENT_FLIGHT_LANDING, NULL);

    flight->refresh = 0;

    ngx_queue_init(&ready);

    for (q = ngx_queue_head(&flight->waiters);
         q != ngx_queue_sentinel(&flight->waiters);
         q = next)
    {
        next = ngx_queue_next(q);
        waiter = ngx_queue_data(q, tournament_waiter_t, queue);

        if (tournament_flight_ends(flight, waiter, rc, entry)) {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&ready, q);
        }
    }

    /* other workers need not wait for the answers of this one */

    tournament_flight_release(flight,
                              ngx_queue_empty(&flight->waiters)
                              ? 0 : TOURNAMENT_CLAIM);

    while (!ngx_queue_empty(&ready)) {
        q = ngx_queue_head(&ready);
        waiter = ngx_queue_data(q, tournament_waiter_t, queue);

        tournament_waiter_remove(flight->fetch, waiter);
        waiter->times = flight->times;
        waiter->refused = refused;
        waiter->handler(waiter, rc, entry);
    }

    if (ngx_queue_empty(&flight->waiters)) {
        tournament_flight_free(flight);
        return;
    }

    claimed = flight->claimed ? NGX_OK : tournament_flight_claim(flight);

    if (claimed != NGX_OK) {
        tournament_flight_yield(flight, claimed);
        return;
    }

    tournament_flight_send(flight);
}


/*
 * Whether it is the end of waiting.  A query's time is that of whoever waited
 * first; others have theirs, unless they need not wait at all.
 */

static ngx_uint_t
tournament_flight_ends(tournament_flight_t *flight,
    tournament_waiter_t *waiter, tournament_pg_rc_e rc,
    tournament_entry_t *entry)
{
    if (entry) {
        return tournament_flight_suits(flight, waiter, entry);
    }

    return rc != TOURNAMENT_PG_TIMEOUT || waiter->impatient
           || ngx_current_msec - waiter->arrived >= flight->fetch->timeout;
}


/*
 * Whether a result is not older than its waiter may ask for.  A stripe keeps
 * its last change only, so one that moved at all after the query was sent is
 * taken for one that moved before the waiter came.
 */

static ngx_uint_t
tournament_flight_suits(tournament_flight_t *flight,
    tournament_waiter_t *waiter, tournament_entry_t *entry)
{
    tournament_zone_t   *zone;
    tournament_class_e   class;

    if (flight->sends > waiter->sends) {
        return 1;
    }

    if (!waiter->cache) {
        return 0;
    }

    if (entry->clock >= waiter->clock) {
        return 1;
    }

    zone = flight->fetch->zone;

    if (tournament_clock_walked(zone->clock, entry->clock)) {
        return 0;
    }

    class = tournament_clock_class(zone->clock, entry->clock,
                                   entry->stripes, entry->nstripes);

    return class == TOURNAMENT_FRESH
           || (class != TOURNAMENT_PURGED
               && tournament_elapsed(entry->fetched)
                  < waiter->coalesce);
}


/* the first argument in the key, NUL-terminated */

static char *
tournament_flight_argument(tournament_flight_t *flight)
{
    return (char *) flight->key.data + TOURNAMENT_KEY_PREFIX;
}


/* a query for a flight, which is SENT then.  NULL, no memory: it is REFUSED. */

static tournament_batch_t *
tournament_batch_create(tournament_flight_t *flight)
{
    tournament_batch_t  *batch;

    batch = ngx_calloc(sizeof(tournament_batch_t), flight->fetch->log);

    if (batch == NULL) {
        tournament_flight_set(flight, TOURNAMENT_FLIGHT_REFUSED, NULL);
        return NULL;
    }

    batch->fetch = flight->fetch;
    batch->endpoint = flight->endpoint;

    batch->query.statement = tournament_endpoint_statement(batch->endpoint);
    batch->query.timeout = batch->fetch->timeout;
    batch->query.sending = tournament_batch_sending;
    batch->query.handler = tournament_batch_done;
    batch->query.data = batch;

    ngx_queue_init(&batch->flights);

    tournament_flight_set(flight, TOURNAMENT_FLIGHT_SENT, batch);

    return batch;
}


static void
tournament_batch_send(tournament_batch_t *batch)
{
    ngx_queue_t          *q;
    tournament_flight_t  *flight;

    batch->query.background = 1;

    for (q = ngx_queue_head(&batch->flights);
         q != ngx_queue_sentinel(&batch->flights);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        if (!ngx_queue_empty(&flight->waiters)) {
            batch->query.background = 0;
        }
    }

    if (tournament_batch_parameters(batch) == NGX_OK
        && tournament_pg_send(batch->fetch->pg, &batch->query) == NGX_OK)
    {
        return;
    }

    while (!ngx_queue_empty(&batch->flights)) {
        q = ngx_queue_head(&batch->flights);
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        tournament_flight_set(flight, TOURNAMENT_FLIGHT_REFUSED, NULL);
    }

    tournament_batch_free(batch);
}


/*
 * The arguments in the key are the parameters, in place.  Several keys are one
 * array; their arguments are slugs, which need nothing escaped.
 */

static ngx_int_t
tournament_batch_parameters(tournament_batch_t *batch)
{
    char                 *arg;
    size_t                len;
    u_char               *p;
    ngx_uint_t            i;
    ngx_queue_t          *q;
    tournament_flight_t  *flight;

    q = ngx_queue_head(&batch->flights);

    if (q == ngx_queue_last(&batch->flights)) {

        flight = ngx_queue_data(q, tournament_flight_t, queue);
        arg = tournament_flight_argument(flight);

        for (i = 0; i < batch->endpoint->statement.nparams; i++) {
            batch->query.values[i] = arg;
            arg += ngx_strlen(arg) + 1;
        }

        return NGX_OK;
    }

    len = sizeof("{}");

    for ( /* void */ ; q != ngx_queue_sentinel(&batch->flights);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, tournament_flight_t, queue);
        arg = tournament_flight_argument(flight);
        len += ngx_strlen(arg) + sizeof("\"\",") - 1;
    }

    p = ngx_alloc(len, batch->fetch->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    batch->list = p;

    *p++ = '{';

    for (q = ngx_queue_head(&batch->flights);
         q != ngx_queue_sentinel(&batch->flights);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, tournament_flight_t, queue);
        arg = tournament_flight_argument(flight);
        p = ngx_sprintf(p, "\"%s\",", arg);
    }

    p[-1] = '}';
    *p = '\0';

    batch->query.values[0] = (char *) batch->list;
    batch->query.statement = tournament_endpoint_bulk(batch->endpoint);

    return NGX_OK;
}


/* whether nobody waits for any of its flights */

static ngx_uint_t
tournament_batch_idle(tournament_batch_t *batch)
{
    ngx_queue_t          *q;
    tournament_flight_t  *flight;

    for (q = ngx_queue_head(&batch->flights);
         q != ngx_queue_sentinel(&batch->flights);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        if (!ngx_queue_empty(&flight->waiters) || flight->refresh) {
            return 0;
        }
    }

    return 1;
}


static void
tournament_batch_free(tournament_batch_t *batch)
{
    if (batch->list) {
        ngx_free(batch->list);
    }

    ngx_free(batch);
}


static void
tournament_batch_sending(tournament_pg_query_t *query)
{
    ngx_queue_t          *q;
    tournament_batch_t   *batch;
    tournament_flight_t  *flight;

    batch = query->data;

    batch->clock = tournament_clock_now(batch->fetch->zone->clock);
    batch->sent = ngx_current_msec;

    for (q = ngx_queue_head(&batch->flights);
         q != ngx_queue_sentinel(&batch->flights);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, tournament_flight_t, queue);
        flight->sends++;

        ngx_log_debug3(NGX_LOG_DEBUG_HTTP, batch->fetch->log, 0,
                       "tournament flight:%p is sent at clock %uL: %s",
                       flight, batch->clock, batch->endpoint->statement.name);
    }
}


static void
tournament_batch_done(tournament_pg_query_t *query, tournament_pg_rc_e rc,
    PGresult *res)
{
    ngx_queue_t          *q;
    tournament_batch_t   *batch;
    tournament_flight_t  *flight;

    batch = query->data;

    /*
     * A flight stays in the tree until it has landed: who comes meanwhile
     * joins those who wait.  A handler may make others leave the batch.
     */

    while (!ngx_queue_empty(&batch->flights)) {
        q = ngx_queue_head(&batch->flights);
        flight = ngx_queue_data(q, tournament_flight_t, queue);

        tournament_batch_give(batch, flight, rc, res);
    }

    tournament_batch_free(batch);
}


/* a flight gets its part of the result */

static void
tournament_batch_give(tournament_batch_t *batch, tournament_flight_t *flight,
    tournament_pg_rc_e rc, PGresult *res)
{
    tournament_zone_t   *zone;
    tournament_entry_t  *entry;

    zone = batch->fetch->zone;
    flight->times = batch->query.times;

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, batch->fetch->log, 0,
                   "tournament flight:%p has its result: rc %d, %d rows",
                   flight, rc, res ? PQntuples(res) : 0);

    entry = NULL;

    if (rc == TOURNAMENT_PG_OK) {
        entry = tournament_batch_decode(batch, flight, res);

        if (entry == NULL) {
            rc = TOURNAMENT_PG_FAILED;
        }
    }

    if (entry && flight->store) {
        (void) tournament_arena_put(&zone->arena, &flight->key, entry);
    }

    if (entry == NULL && flight->store) {
        tournament_arena_failed(&zone->arena, &flight->key);
    }

    tournament_flight_land(flight, rc, entry);
}


static tournament_entry_t *
tournament_batch_decode(tournament_batch_t *batch, tournament_flight_t *flight,
    PGresult *res)
{
    int                     row, n;
    tournament_fetch_t     *fetch;
    tournament_result_t    *result;
    tournament_endpoint_t  *endpoint;

    fetch = batch->fetch;
    result = fetch->result;
    endpoint = batch->endpoint;

    if (tournament_result_begin(result, res, batch->clock,
                                batch->sent, endpoint->columns,
                                endpoint->ncolumns)
        != NGX_OK)
    {
        if (tournament_limit_pass(&fetch->limit, ngx_current_msec,
                                  TOURNAMENT_RESULT_PAUSE, NULL))
        {
            ngx_log_error(NGX_LOG_ERR, fetch->log, 0,
                          "tournament: the columns of \"%s\" are not those "
                          "that this module expects: run the install.sql "
                          "that came with it", endpoint->statement.sql);
        }

        return NULL;
    }

    row = 0;
    n = PQntuples(res);

    if (batch->list) {
        row = tournament_batch_row(batch, flight, res);
        n = (row < n) ? 1 : 0;
    }

    endpoint->decode(result, row, n);

    if (tournament_result_end(result) != NGX_OK) {

        if (tournament_limit_pass(&fetch->limit, ngx_current_msec,
                                  TOURNAMENT_RESULT_PAUSE, NULL))
        {
            ngx_log_error(NGX_LOG_ERR, fetch->log, 0,
                          "tournament: the result of \"%s\" is larger than "
                          "32m, or there is no memory for it",
                          endpoint->statement.sql);
        }

        return NULL;
    }

    return &result->entry;
}


/* which row is a flight's in a result of many; their number: none */

static int
tournament_batch_row(tournament_batch_t *batch, tournament_flight_t *flight,
    PGresult *res)
{
    int    row, n;
    char  *arg;

    n = PQntuples(res);
    arg = tournament_flight_argument(flight);

    for (row = 0; row < n; row++) {
        if (ngx_strcmp(PQgetvalue(res, row, batch->endpoint->column), arg)
            == 0)
        {
            break;
        }
    }

    return row;
}
