
#include <ngx_event.h>

#include "feed/feed.h"
#include "pg/conninfo.h"
#include "pg/pg.h"
#include "rules/hash.h"
#include "rules/text.h"


/* ms; how often a worker looks at the lease, and the holder beats */
#define TOURNAMENT_FEED_TICK       100

/* ms; a holder that has not beaten for so long has hung */
#define TOURNAMENT_FEED_LEASE      700

/* ms; a query now and then shows that the other end is there */
#define TOURNAMENT_FEED_HEARTBEAT  2000
#define TOURNAMENT_FEED_ANSWER     1000

/* ms; an old listener has so long to hear what was on its way to it */
#define TOURNAMENT_FEED_HANDOVER   1000

/* ms; an exiting listener waits so long for its successor */
#define TOURNAMENT_FEED_EXIT       1000

/* percent; so full the queue of notifications is about to swallow some */
#define TOURNAMENT_FEED_QUEUE      50

/* percent; so empty it is again before it counts as mended */
#define TOURNAMENT_FEED_QUEUE_LOW  40


typedef enum {
    TOURNAMENT_FEED_IDLE = 0,     /* another worker listens */
    TOURNAMENT_FEED_CONNECTING,   /* elected, LISTEN not confirmed */
    TOURNAMENT_FEED_LISTENING,
    TOURNAMENT_FEED_LEAVING       /* listening, and succeeded */
} tournament_feed_phase_e;


struct tournament_feed_s {
    tournament_feed_phase_e   phase;
    ngx_log_t                *log;
    tournament_zone_t       *zone;
    tournament_listener_t    *listener;
    uint64_t                  lease;       /* ours, held or not */

    tournament_pg_conf_t      conf;
    tournament_pg_t          *pg;          /* unless IDLE */
    ngx_pool_t               *pool;        /* pg's */
    tournament_pg_query_t     query;       /* LISTEN, heartbeat */
    unsigned                  asking:1;
    unsigned                  follows:1;   /* on one that beats */

    uint64_t                  source;      /* a hash */
    uint64_t                  predecessor; /* the lease that is yet
                                              to be drained, or 0 */

    ngx_event_t               tick;
    ngx_event_t               handover;    /* from it */
    ngx_event_t               drained;     /* after the answer */
    ngx_event_t               hold;        /* keeps an old worker */
    ngx_msec_t                asked;       /* the last heartbeat */
    ngx_msec_t                confirmed;   /* LISTEN was */
    ngx_msec_t                exiting;

    tournament_feed_begun_pt  begun;
    void                     *data;

    tournament_metrics_t     *metrics;
};


static void tournament_feed_tick(ngx_event_t *ev);
static void tournament_feed_hold(ngx_event_t *ev);
static void tournament_feed_inherit(tournament_feed_t *feed);
static void tournament_feed_beat(tournament_feed_t *feed);
static ngx_uint_t tournament_feed_vacant(tournament_feed_t *feed,
    uint64_t lease);
static uint64_t tournament_feed_source(ngx_array_t *targets);
static void tournament_feed_yield(tournament_feed_t *feed);
static void tournament_feed_drained(ngx_event_t *ev);
static void tournament_feed_elected(tournament_feed_t *feed);
static void tournament_feed_idle(tournament_feed_t *feed);
static void tournament_feed_ask(tournament_feed_t *feed, ngx_uint_t statement);
static void tournament_feed_answered(tournament_pg_query_t *query,
    tournament_pg_rc_e rc, PGresult *res);
static void tournament_feed_queue(tournament_feed_t *feed, PGresult *res);
static void tournament_feed_up(tournament_feed_t *feed);
static void tournament_feed_handover(ngx_event_t *ev);
static void tournament_feed_begin(tournament_feed_t *feed,
    ngx_uint_t continued);
static void tournament_feed_ready(void *data);
static void tournament_feed_lost(void *data);
static void tournament_feed_closing(void *data);
static void tournament_feed_notify(void *data, char *payload);
static void tournament_feed_token(tournament_feed_t *feed, u_char *p,
    size_t len);


enum {
    TOURNAMENT_FEED_STATEMENT_LISTEN = 0,
    TOURNAMENT_FEED_STATEMENT_HEARTBEAT,
    TOURNAMENT_FEED_STATEMENT_DRAIN,
    TOURNAMENT_FEED_STATEMENTS
};


static tournament_pg_statement_t  tournament_feed_listen =
    { "tournament_listen", "LISTEN tournament_changes", 0 };

static tournament_pg_statement_t  tournament_feed_heartbeat =
    { "tournament_heartbeat",
      "SELECT (pg_catalog.pg_notification_queue_usage() * 100)::int4", 0 };

/*
 * Whoever notifies is made to read the queue of notifications up to its own
 * one, before the statement ends.  Any other statement could be answered
 * before the server process is told of what was committed a moment ago.
 * Nobody listens there.
 */

static tournament_pg_statement_t  tournament_feed_drain =
    { "tournament_drain", "SELECT pg_notify('tournament_drain', '')", 0 };

static tournament_pg_statement_t
    *tournament_feed_statements[] =
{
    &tournament_feed_listen,
    &tournament_feed_heartbeat,
    &tournament_feed_drain
};


tournament_feed_t *
tournament_feed_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, ngx_array_t *targets,
    tournament_outage_t *outage, ngx_msec_t connect_timeout,
    tournament_feed_begun_pt begun, void *data)
{
    tournament_feed_t  *feed;

    feed = ngx_pcalloc(pool, sizeof(tournament_feed_t));
    if (feed == NULL) {
        return NULL;
    }

    feed->log = log;
    feed->zone = zone;
    feed->listener = zone->listener;
    feed->lease = tournament_worker_id(zone->generation);
    feed->source = tournament_feed_source(targets);
    feed->begun = begun;
    feed->data = data;

    feed->conf.targets = targets;
    feed->conf.connections = 1;
    feed->conf.queue = 4;
    feed->conf.connect_timeout = connect_timeout;
    feed->conf.query_timeout = TOURNAMENT_FEED_ANSWER;
    feed->conf.statements = tournament_feed_statements;
    feed->conf.nstatements = TOURNAMENT_FEED_STATEMENTS;
    feed->conf.outage = outage;
    feed->conf.prepare = 1;
    feed->conf.primary = 1;
    feed->conf.ready = tournament_feed_ready;
    feed->conf.lost = tournament_feed_lost;
    feed->conf.notify = tournament_feed_notify;
    feed->conf.closing = tournament_feed_closing;
    feed->conf.data = feed;

    feed->tick.handler = tournament_feed_tick;
    feed->tick.data = feed;
    feed->tick.log = log;
    feed->tick.cancelable = 1;

    feed->handover.handler = tournament_feed_handover;
    feed->handover.data = feed;
    feed->handover.log = log;
    feed->handover.cancelable = 1;

    feed->drained.handler = tournament_feed_drained;
    feed->drained.data = feed;
    feed->drained.log = log;
    feed->drained.cancelable = 1;

    feed->hold.handler = tournament_feed_hold;
    feed->hold.data = feed;
    feed->hold.log = log;

    tournament_feed_tick(&feed->tick);

    return feed;
}


/*
 * What names the server and the database: who listens elsewhere does not go on
 * with what was heard here.
 */

static uint64_t
tournament_feed_source(ngx_array_t *targets)
{
    u_char                secret[16];
    uint64_t              hash;
    ngx_uint_t            i, k;
    const char           *keyword, *value;
    tournament_target_t  *target;

    ngx_memzero(secret, sizeof(secret));

    hash = 0;
    target = targets->elts;

    for (i = 0; i < targets->nelts; i++) {

        for (k = 0; target[i].keywords[k]; k++) {
            keyword = target[i].keywords[k];
            value = target[i].values[k];

            if (value
                && (ngx_strcmp(keyword, "host") == 0
                    || ngx_strcmp(keyword, "hostaddr") == 0
                    || ngx_strcmp(keyword, "port") == 0
                    || ngx_strcmp(keyword, "dbname") == 0))
            {
                hash = tournament_hash(secret, value, ngx_strlen(value));
                ngx_memcpy(secret, &hash, sizeof(uint64_t));
            }
        }
    }

    return hash;
}


void
tournament_feed_measure(tournament_feed_t *feed, tournament_metrics_t *metrics)
{
    feed->metrics = metrics;
}


void
tournament_feed_destroy(tournament_feed_t *feed)
{
    uint64_t  lease;

    if (feed->tick.timer_set) {
        ngx_del_timer(&feed->tick);
    }

    if (feed->hold.timer_set) {
        ngx_del_timer(&feed->hold);
    }

    tournament_feed_idle(feed);

    /* nobody need wait for the lease to run out */

    lease = feed->lease;
    (void) __atomic_compare_exchange_n(&feed->listener->lease, &lease, 0, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}


tournament_feed_state_e
tournament_feed_state(tournament_zone_t *zone)
{
    uint64_t                beat;
    tournament_listener_t  *listener;

    listener = zone->listener;

    beat = __atomic_load_n(&listener->beat, __ATOMIC_ACQUIRE);

    if (__atomic_load_n(&listener->up, __ATOMIC_ACQUIRE) == 0
        || __atomic_load_n(&listener->doubts, __ATOMIC_ACQUIRE) != 0
        || tournament_elapsed((ngx_msec_t) beat)
           > TOURNAMENT_FEED_LEASE)
    {
        return TOURNAMENT_FEED_DOWN;
    }

    return TOURNAMENT_FEED_UP;
}


static void
tournament_feed_tick(ngx_event_t *ev)
{
    uint64_t                lease;
    tournament_feed_t      *feed;
    tournament_listener_t  *listener;

    feed = ev->data;
    listener = feed->listener;

    lease = __atomic_load_n(&listener->lease, __ATOMIC_SEQ_CST);

    if (feed->phase == TOURNAMENT_FEED_IDLE) {

        if (!ngx_exiting
            && tournament_feed_vacant(feed, lease)
            && __atomic_compare_exchange_n(&listener->lease, &lease,
                                           feed->lease, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST))
        {
            tournament_feed_elected(feed);
        }

    } else if (lease == feed->lease) {
        tournament_feed_inherit(feed);

        __atomic_store_n(&listener->beat, (uint64_t) ngx_current_msec,
                         __ATOMIC_SEQ_CST);

        tournament_feed_beat(feed);

    } else if (feed->phase == TOURNAMENT_FEED_CONNECTING) {
        tournament_feed_idle(feed);

    } else {
        tournament_feed_yield(feed);
    }

    ngx_add_timer(&feed->tick, TOURNAMENT_FEED_TICK);
}


/* who listens before this one does may die meanwhile: then nobody listens */

static void
tournament_feed_inherit(tournament_feed_t *feed)
{
    uint64_t  up;

    up = __atomic_load_n(&feed->listener->up, __ATOMIC_SEQ_CST);

    if (feed->phase == TOURNAMENT_FEED_CONNECTING
        && up != 0 && up != feed->lease
        && (!feed->follows || !tournament_worker_lives(up)))
    {
        (void) __atomic_compare_exchange_n(&feed->listener->up, &up, 0, 0,
                                           __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
}


/* a query from time to time: a peer that is gone does not answer */

static void
tournament_feed_beat(tournament_feed_t *feed)
{
    ngx_msec_t  passed;

    if (feed->asking) {
        return;
    }

    passed = ngx_current_msec - feed->asked;

    if (feed->phase == TOURNAMENT_FEED_LISTENING
        && passed >= TOURNAMENT_FEED_HEARTBEAT)
    {
        tournament_feed_ask(feed, TOURNAMENT_FEED_STATEMENT_HEARTBEAT);

    } else if (feed->phase == TOURNAMENT_FEED_CONNECTING
               && passed >= TOURNAMENT_FEED_ANSWER)
    {
        tournament_feed_ask(feed, TOURNAMENT_FEED_STATEMENT_LISTEN);
    }
}


/* an older generation's lease, a dead one's, a hanging one's, or nobody's */

static ngx_uint_t
tournament_feed_vacant(tournament_feed_t *feed, uint64_t lease)
{
    uint64_t  beat;

    if (lease == 0 || (lease >> 32) < (feed->lease >> 32)) {
        return 1;
    }

    if ((lease >> 32) > (feed->lease >> 32)) {
        return 0;
    }

    beat = __atomic_load_n(&feed->listener->beat, __ATOMIC_SEQ_CST);

    return !tournament_worker_lives(lease)
           || tournament_elapsed((ngx_msec_t) beat)
              > TOURNAMENT_FEED_LEASE;
}


/*
 * Another worker has the lease: once it listens, and what was committed before
 * has arrived here, this one need not.
 */

static void
tournament_feed_yield(tournament_feed_t *feed)
{
    uint64_t  up;

    if (feed->phase == TOURNAMENT_FEED_LISTENING) {

        up = __atomic_load_n(&feed->listener->up, __ATOMIC_SEQ_CST);

        /* what its own predecessor has not heard it cannot vouch for */

        if (up == 0 || up == feed->lease || feed->predecessor) {
            return;
        }

        feed->phase = TOURNAMENT_FEED_LEAVING;
    }

    if (feed->phase == TOURNAMENT_FEED_LEAVING
        && !feed->asking && !feed->drained.timer_set)
    {
        tournament_feed_ask(feed, TOURNAMENT_FEED_STATEMENT_DRAIN);
    }
}


/* LEAVING -> IDLE: all is heard, and the successor is told */

static void
tournament_feed_drained(ngx_event_t *ev)
{
    tournament_feed_t  *feed;

    feed = ev->data;

    __atomic_store_n(&feed->listener->drained, feed->lease, __ATOMIC_SEQ_CST);

    tournament_feed_idle(feed);
}


/* IDLE -> CONNECTING */

static void
tournament_feed_elected(tournament_feed_t *feed)
{
    uint64_t                beat;
    tournament_listener_t  *listener;

    listener = feed->listener;

    /* one that hangs holds its connection, but hears of nothing */

    beat = __atomic_exchange_n(&listener->beat, (uint64_t) ngx_current_msec,
                               __ATOMIC_SEQ_CST);

    feed->follows = (tournament_elapsed((ngx_msec_t) beat)
                     <= TOURNAMENT_FEED_LEASE);

    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, feed->log, 0,
                   "tournament feed: this worker is elected");

    feed->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, feed->log);
    if (feed->pool == NULL) {
        return;
    }

    feed->phase = TOURNAMENT_FEED_CONNECTING;

    tournament_feed_inherit(feed);

    feed->pg = tournament_pg_create(feed->pool, feed->log, &feed->conf);
    if (feed->pg == NULL) {
        tournament_feed_idle(feed);
    }
}


/* any phase -> IDLE */

static void
tournament_feed_idle(tournament_feed_t *feed)
{
    uint64_t  up;

    up = __atomic_load_n(&feed->listener->up, __ATOMIC_SEQ_CST);

    if (feed->predecessor
        || ((feed->phase == TOURNAMENT_FEED_LISTENING
             || feed->phase == TOURNAMENT_FEED_LEAVING)
            && up != 0 && up != feed->lease
            && __atomic_load_n(&feed->listener->drained, __ATOMIC_SEQ_CST)
               != feed->lease))
    {
        /* what was on its way here, or there, nobody has heard */

        tournament_clock_suspect_all(feed->zone->clock);
    }

    feed->phase = TOURNAMENT_FEED_IDLE;
    feed->predecessor = 0;

    if (feed->handover.timer_set) {
        ngx_del_timer(&feed->handover);
    }

    if (feed->drained.timer_set) {
        ngx_del_timer(&feed->drained);
    }

    up = feed->lease;
    (void) __atomic_compare_exchange_n(&feed->listener->up, &up, 0, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    if (feed->asking && feed->query.deadline.timer_set) {
        ngx_del_timer(&feed->query.deadline);
    }

    feed->asking = 0;

    if (feed->pg) {
        tournament_pg_destroy(feed->pg);
        feed->pg = NULL;
    }

    if (feed->pool) {
        ngx_destroy_pool(feed->pool);
        feed->pool = NULL;
    }
}


static void
tournament_feed_ask(tournament_feed_t *feed, ngx_uint_t statement)
{
    ngx_memzero(&feed->query, sizeof(tournament_pg_query_t));

    feed->query.statement = statement;
    feed->query.timeout = TOURNAMENT_FEED_ANSWER;
    feed->query.background = 1;
    feed->query.bound = 1;
    feed->query.handler = tournament_feed_answered;
    feed->query.data = feed;

    feed->asked = ngx_current_msec;

    if (tournament_pg_send(feed->pg, &feed->query) == NGX_OK) {
        feed->asking = 1;
    }
}


static void
tournament_feed_answered(tournament_pg_query_t *query, tournament_pg_rc_e rc,
    PGresult *res)
{
    tournament_feed_t  *feed;

    feed = query->data;
    feed->asking = 0;

    if (rc != TOURNAMENT_PG_OK) {

        /* lost, or as good as lost: LISTEN must be confirmed anew */

        if (feed->phase != TOURNAMENT_FEED_CONNECTING) {
            tournament_feed_lost(feed);
        }

        return;
    }

    if (query->statement == TOURNAMENT_FEED_STATEMENT_LISTEN) {
        tournament_feed_up(feed);
        return;
    }

    __atomic_store_n(&feed->listener->heard, (uint64_t) ngx_current_msec,
                     __ATOMIC_SEQ_CST);

    if (feed->metrics) {
        tournament_metrics_observe(&feed->metrics->counters->delay,
                                   query->times.done
                                   - query->times.handed);
    }

    if (query->statement == TOURNAMENT_FEED_STATEMENT_HEARTBEAT) {
        tournament_feed_queue(feed, res);

    } else {

        /* notifications that came with the answer are handled after it */

        ngx_add_timer(&feed->drained, 0);
    }
}


/*
 * PostgreSQL keeps notifications for whoever is slow to hear them, and anybody
 * with a login may be: as their queue fills up, changes are not announced any
 * more.  Before it comes to that the feed counts as down.
 */

static void
tournament_feed_queue(tournament_feed_t *feed, PGresult *res)
{
    int32_t     percent;
    ngx_uint_t  doubted;

    if (PQntuples(res) != 1 || PQgetlength(res, 0, 0) != sizeof(int32_t)) {
        return;
    }

    ngx_memcpy(&percent, PQgetvalue(res, 0, 0), sizeof(int32_t));
    percent = ntohl(percent);

    doubted = (__atomic_load_n(&feed->listener->doubts, __ATOMIC_SEQ_CST) != 0);

    if (!doubted && percent >= TOURNAMENT_FEED_QUEUE) {
        __atomic_store_n(&feed->listener->doubts, 1, __ATOMIC_SEQ_CST);

        ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                      "tournament: the queue of notifications is %d %% full, "
                      "changes may go by: some session that listens has been "
                      "in one transaction for long", percent);

    } else if (doubted && percent < TOURNAMENT_FEED_QUEUE_LOW) {
        tournament_clock_suspect_all(feed->zone->clock);
        __atomic_store_n(&feed->listener->doubts, 0, __ATOMIC_SEQ_CST);

        ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                      "tournament: the queue of notifications is %d %% full, "
                      "all changes are heard again", percent);
    }
}


/*
 * CONNECTING -> LISTENING: LISTEN is confirmed.  What is committed from now on
 * is heard here.  What was before, one that still listens may have heard, or
 * is about to: nothing is suspect if it says so.
 */

static void
tournament_feed_up(tournament_feed_t *feed)
{
    uint64_t                up, drained;
    tournament_listener_t  *listener;

    listener = feed->listener;

    up = __atomic_load_n(&listener->up, __ATOMIC_SEQ_CST);

    if (feed->follows && up != 0 && up != feed->lease
        && __atomic_load_n(&listener->doubts, __ATOMIC_SEQ_CST) == 0
        && __atomic_load_n(&listener->source, __ATOMIC_SEQ_CST)
           == feed->source)
    {
        feed->predecessor = up;

    } else {
        tournament_clock_suspect_all(feed->zone->clock);
    }

    feed->phase = TOURNAMENT_FEED_LISTENING;

    /* what it once said as it was succeeded does not hold any more */

    drained = feed->lease;
    (void) __atomic_compare_exchange_n(&listener->drained, &drained, 0, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    /* the next tick asks whether there are doubts */

    feed->asked = ngx_current_msec - TOURNAMENT_FEED_HEARTBEAT;
    __atomic_store_n(&listener->doubts, 0, __ATOMIC_SEQ_CST);

    __atomic_store_n(&listener->heard, (uint64_t) ngx_current_msec,
                     __ATOMIC_SEQ_CST);
    __atomic_store_n(&listener->source, feed->source, __ATOMIC_SEQ_CST);
    __atomic_store_n(&listener->up, feed->lease, __ATOMIC_SEQ_CST);

    if (feed->predecessor) {
        feed->confirmed = ngx_current_msec;
        tournament_feed_handover(&feed->handover);

    } else {
        tournament_feed_begin(feed, 0);
    }
}


static void
tournament_feed_handover(ngx_event_t *ev)
{
    ngx_uint_t              over;
    tournament_feed_t      *feed;
    tournament_listener_t  *listener;

    feed = ev->data;
    listener = feed->listener;

    /* looked at before its word: it may die having given it */

    over = !tournament_worker_lives(feed->predecessor)
           || ngx_current_msec - feed->confirmed
              >= TOURNAMENT_FEED_HANDOVER;

    if (__atomic_load_n(&listener->drained, __ATOMIC_SEQ_CST)
        == feed->predecessor)
    {
        tournament_feed_begin(feed, 1);
        return;
    }

    if (over) {
        tournament_clock_suspect_all(feed->zone->clock);
        tournament_feed_begin(feed, 0);
        return;
    }

    ngx_add_timer(&feed->handover, TOURNAMENT_FEED_TICK / 20);
}


static void
tournament_feed_begin(tournament_feed_t *feed, ngx_uint_t continued)
{
    feed->predecessor = 0;

    ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                  "tournament: listening to changes%s",
                  continued ? ", without interruption" : "");

    if (feed->begun) {
        feed->begun(feed->data, continued);
    }
}


static void
tournament_feed_ready(void *data)
{
    tournament_feed_t  *feed = data;

    feed->phase = TOURNAMENT_FEED_CONNECTING;

    if (!feed->asking) {
        tournament_feed_ask(feed, TOURNAMENT_FEED_STATEMENT_LISTEN);
    }
}


/*
 * LISTENING, LEAVING -> CONNECTING: changes go by unheard.  What was asked is
 * forgotten: an answer is one of the connection that the question went to.
 */

static void
tournament_feed_lost(void *data)
{
    uint64_t            up;
    tournament_feed_t  *feed = data;

    if (feed->asking) {
        (void) tournament_pg_cancel(&feed->query);
        feed->asking = 0;
    }

    up = __atomic_load_n(&feed->listener->up, __ATOMIC_SEQ_CST);

    if (feed->phase == TOURNAMENT_FEED_LEAVING
        || (feed->phase == TOURNAMENT_FEED_LISTENING
            && up != 0 && up != feed->lease))
    {
        /* when it ceased to hear the successor may not have heard yet */

        tournament_clock_suspect_all(feed->zone->clock);
    }

    up = feed->lease;
    (void) __atomic_compare_exchange_n(&feed->listener->up, &up, 0, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    feed->phase = TOURNAMENT_FEED_CONNECTING;
    feed->predecessor = 0;

    if (feed->handover.timer_set) {
        ngx_del_timer(&feed->handover);
    }

    if (feed->drained.timer_set) {
        ngx_del_timer(&feed->drained);
    }
}


/*
 * The worker begins to exit.  After a reload it stays until a worker of the
 * new configuration listens, which is soon, and it has heard all before.
 */

static void
tournament_feed_closing(void *data)
{
    tournament_feed_t  *feed = data;

    if ((feed->phase != TOURNAMENT_FEED_LISTENING
         && feed->phase != TOURNAMENT_FEED_LEAVING)
        || tournament_workers_generation(feed->zone->workers)
           == feed->zone->generation)
    {
        return;
    }

    feed->exiting = ngx_current_msec;

    tournament_feed_hold(&feed->hold);
}


static void
tournament_feed_hold(ngx_event_t *ev)
{
    tournament_feed_t  *feed;

    feed = ev->data;

    if ((feed->phase != TOURNAMENT_FEED_LISTENING
         && feed->phase != TOURNAMENT_FEED_LEAVING)
        || ngx_current_msec - feed->exiting >= TOURNAMENT_FEED_EXIT)
    {
        return;
    }

    tournament_feed_yield(feed);

    ngx_add_timer(&feed->hold, TOURNAMENT_FEED_TICK / 10);
}


static void
tournament_feed_notify(void *data, char *payload)
{
    u_char             *p, *last;
    tournament_feed_t  *feed = data;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, feed->log, 0,
                   "tournament feed: \"%s\"", payload);

    __atomic_store_n(&feed->listener->heard, (uint64_t) ngx_current_msec,
                     __ATOMIC_SEQ_CST);

    for (p = (u_char *) payload; *p; p = last) {

        while (*p == ' ') {
            p++;
        }

        for (last = p; *last && *last != ' '; last++) { /* void */ }

        if (last != p) {
            tournament_feed_token(feed, p, last - p);
        }
    }
}


static void
tournament_feed_token(tournament_feed_t *feed, u_char *p, size_t len)
{
    int64_t             id;
    tournament_zone_t  *zone;

    zone = feed->zone;

    (void) __atomic_add_fetch(&feed->listener->changes, 1, __ATOMIC_RELAXED);

    if (tournament_text_id(p + 1, len - 1, &id) != 0) {

        /* "*", or what a newer install.sql may have come to send */

        tournament_clock_change_all(zone->clock);
        return;
    }

    switch (*p) {

    case 't':
        tournament_clock_change(zone->clock, TOURNAMENT_TOURNAMENT, id);
        tournament_clock_change(zone->clock, TOURNAMENT_ROWS, 0);
        break;

    case 'r':
        tournament_clock_change(zone->clock, TOURNAMENT_TOURNAMENT, id);
        tournament_clock_change(zone->clock, TOURNAMENT_COUNTS, 0);
        break;

    case 'p':
        tournament_clock_change(zone->clock, TOURNAMENT_PROFILE, id);
        break;

    case 'm':
        tournament_clock_change(zone->clock, TOURNAMENT_TEAM, id);
        break;

    default:
        tournament_clock_change_all(zone->clock);
    }
}
