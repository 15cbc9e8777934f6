
/*
 * Who listens, and what that means for what is cached.  How changes come is a
 * source's business (source.h); this room elects the listener, starts its
 * source, hands over to a successor, and makes everything suspect where a
 * change may have gone by.
 *
 *     IDLE       another worker listens, or is about to
 *     STARTING   elected: the source does not tell of changes yet
 *     FOLLOWING  it does; of what was committed before another listener has
 *                yet to say that it has heard all
 *     LISTENING  all that is committed is heard
 *     LEAVING    the same, and another listener is up: what was committed
 *                before has yet to be heard here
 *
 *     IDLE      -> STARTING   elected(): the lease was vacant
 *     STARTING  -> FOLLOWING  up(): a predecessor listens
 *     STARTING  -> LISTENING  up(): nobody does, everything is suspect
 *     FOLLOWING -> LISTENING  handover(): the predecessor has said so; or it
 *                             is dead or too slow, and everything is suspect
 *     LISTENING -> LEAVING    yield(): a successor is up
 *     FOLLOWING, LISTENING,
 *     LEAVING   -> STARTING   lost(): the source, or the server, is
 *     LEAVING   -> IDLE       drained(): the successor is told so
 *     STARTING  -> IDLE       tick(): the lease went to another worker
 *     any       -> IDLE       destroy(): the process exits
 *
 * A listener that is up may have doubts: it listens, but changes may go by or
 * come late.  With any of them the feed counts as down, and TTLs bound how old
 * an answer can be; after the last of them everything is suspect.
 */

#include <ngx_event.h>

#include "feed/feed.h"
#include "zone/atomic.h"
#include "zone/timer.h"


/* ms; how often a worker looks at the lease, and the holder beats */
#define TOURNAMENT_FEED_TICK       100

/* ms; a holder that has not beaten for so long has hung */
#define TOURNAMENT_FEED_LEASE      700

/* ms; between checks that the server is there, and of what it says */
#define TOURNAMENT_FEED_HEARTBEAT  2000

/* ms; between attempts to start the source */
#define TOURNAMENT_FEED_AGAIN      1000

/* ms; an old listener has so long to hear what was on its way to it */
#define TOURNAMENT_FEED_HANDOVER   1000

/* ms; an exiting listener looks often for its successor, then rarely */
#define TOURNAMENT_FEED_SOON       1000

/* percent; so full the queue of notifications is about to swallow some */
#define TOURNAMENT_FEED_QUEUE      50

/* percent; so empty it is again before it counts as mended */
#define TOURNAMENT_FEED_QUEUE_LOW  40


/* ms; a pool that leads elsewhere for so long is told of, and called back */
#define TOURNAMENT_FEED_STRAYS      2000
#define TOURNAMENT_FEED_RETURN      10000


/* ms; between lines that changes come late */
#define TOURNAMENT_FEED_COMPLAIN    60000

/* ms; other workers make room for the listener where its own could not */
#define TOURNAMENT_FEED_CROWDED     500

/* bits of the zone's doubts */

enum {
    TOURNAMENT_FEED_QUEUED = 1,    /* the queue of notifications fills up */
    TOURNAMENT_FEED_DEAF = 2,      /* the triggers announce otherwise */
    TOURNAMENT_FEED_UNARMED = 4,   /* triggers are missing or disabled */
    TOURNAMENT_FEED_LATE = 8       /* the source is */
};


typedef enum {
    TOURNAMENT_FEED_IDLE = 0,
    TOURNAMENT_FEED_STARTING,
    TOURNAMENT_FEED_FOLLOWING,
    TOURNAMENT_FEED_LISTENING,
    TOURNAMENT_FEED_LEAVING
} tournament_feed_phase_e;


struct tournament_feed_s {
    tournament_feed_phase_e    phase;
    ngx_log_t                 *log;
    tournament_feed_conf_t     conf;
    tournament_zone_t         *zone;
    tournament_listener_t     *listener;
    tournament_source_kind_t  *kind;
    uint64_t                   lease;       /* ours, held or not */
    uint64_t                   holder;      /* whose it was, last seen */
    ngx_msec_t                 holds;       /* since this one saw that */

    ngx_pool_t                *pool;        /* the session's */
    tournament_session_t      *session;     /* unless IDLE */
    void                      *source;      /* NULL: not started */
    tournament_source_conf_t   source_conf;

    ngx_msec_t                 strays;      /* this worker's pool does, since;
                                               0: not */
    ngx_uint_t                 strays_told;
    ngx_msec_t                 called;      /* back, last */
    uint64_t                   server;      /* of the source; a hash */
    uint64_t                   triggers;    /* as last seen; a hash */
    uint64_t                   doubts;
    ngx_msec_t                 complained;  /* that it is late, last; or 0 */

    uint64_t                   predecessor; /* FOLLOWING: its lease */
    ngx_msec_t                 confirmed;   /* FOLLOWING: since */

    ngx_event_t                tick;
    ngx_event_t                handover;    /* from the predecessor */
    ngx_event_t                hold;        /* keeps an old worker */
    ngx_msec_t                 asked;       /* the last check */
    ngx_msec_t                 started;     /* the source was, last */
    ngx_msec_t                 exiting;     /* since */
    ngx_msec_t                 patience;    /* ms; exiting for so long */

    unsigned                   told:1;      /* that it is late */
    unsigned                   follows:1;   /* on one that beat */
    unsigned                   continued:1; /* a predecessor has heard all that
                                               was committed before up() */
};


static void tournament_feed_change(tournament_feed_t *feed,
    tournament_feed_phase_e phase);
static void tournament_feed_tick(ngx_event_t *ev);
static ngx_uint_t tournament_feed_strayed(tournament_listener_t *listener);
static void tournament_feed_compare(tournament_feed_t *feed);
static void tournament_feed_inherit(tournament_feed_t *feed);
static void tournament_feed_beat(tournament_feed_t *feed);
static ngx_uint_t tournament_feed_vacant(tournament_feed_t *feed,
    uint64_t lease);
static void tournament_feed_yield(tournament_feed_t *feed);
static uint64_t tournament_feed_origin(tournament_feed_t *feed);
static void tournament_feed_elected(tournament_feed_t *feed);
static ngx_int_t tournament_feed_open(tournament_feed_t *feed);
static void tournament_feed_idle(tournament_feed_t *feed);
static void tournament_feed_down(tournament_feed_t *feed);

static void tournament_feed_crowded(void *data);
static void tournament_feed_make_room(tournament_feed_t *feed);
static void tournament_feed_ready(void *data);
static void tournament_feed_checked(void *data, tournament_report_t *report,
    uint64_t took);
static void tournament_feed_start(tournament_feed_t *feed,
    tournament_report_t *report);
static void tournament_feed_judge(tournament_feed_t *feed,
    tournament_report_t *report);
static void tournament_feed_judge_queue(tournament_feed_t *feed,
    ngx_uint_t percent);
static ngx_uint_t tournament_feed_doubt(tournament_feed_t *feed,
    uint64_t doubt, ngx_uint_t on);
static void tournament_feed_notified(void *data, char *payload);

static void tournament_feed_up(void *data, uint64_t position);
static void tournament_feed_handover(ngx_event_t *ev);
static void tournament_feed_begin(tournament_feed_t *feed,
    ngx_uint_t continued);
static void tournament_feed_token(void *data, tournament_token_t *token);
static void tournament_feed_unheard(void *data);
static void tournament_feed_heard(void *data);
static void tournament_feed_late(void *data, ngx_uint_t late);
static void tournament_feed_lag(void *data, tournament_source_lag_t *lag);
static void tournament_feed_drained(void *data);
static void tournament_feed_lost(void *data);
static void tournament_feed_exiting(void *data);
static void tournament_feed_hold(ngx_event_t *ev);


static const tournament_source_hooks_t  tournament_feed_hooks = {
    tournament_feed_up,
    tournament_feed_token,
    tournament_feed_unheard,
    tournament_feed_heard,
    tournament_feed_late,
    tournament_feed_lag,
    tournament_feed_drained,
    tournament_feed_lost,
    tournament_feed_exiting
};


tournament_feed_t *
tournament_feed_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_feed_conf_t *conf)
{
    tournament_feed_t  *feed;

    feed = ngx_pcalloc(pool, sizeof(tournament_feed_t));
    if (feed == NULL) {
        return NULL;
    }

    feed->log = log;
    feed->conf = *conf;
    feed->kind = conf->kind;
    feed->zone = conf->zone;
    feed->listener = conf->zone->listener;
    feed->lease = tournament_worker_id(conf->zone->generation);
    feed->patience = conf->kind->patience;

    feed->source_conf.log = log;
    feed->source_conf.targets = conf->targets;
    feed->source_conf.connect_timeout = conf->connect_timeout;
    feed->source_conf.hooks = &tournament_feed_hooks;
    feed->source_conf.data = feed;

    tournament_timer_init(&feed->tick, tournament_feed_tick, feed, log, 1);
    tournament_timer_init(&feed->handover, tournament_feed_handover, feed, log,
                          1);

    /* the one that keeps an exiting worker */

    tournament_timer_init(&feed->hold, tournament_feed_hold, feed, log, 0);

    tournament_feed_tick(&feed->tick);

    return feed;
}


void
tournament_feed_destroy(tournament_feed_t *feed)
{
    uint64_t  lease;

    tournament_timer_stop(&feed->tick);

    tournament_timer_stop(&feed->hold);

    tournament_feed_idle(feed);

    /* nobody need wait for the lease to run out */

    lease = feed->lease;
    (void) tournament_atomic_set(&feed->listener->lease, &lease, 0);
}


tournament_feed_state_e
tournament_feed_state(tournament_zone_t *zone)
{
    uint64_t                beat;
    tournament_listener_t  *listener;

    listener = zone->listener;

    /* in this order: see zone/listener.h */

    beat = tournament_atomic_acquire(&listener->beat);

    if (tournament_atomic_acquire(&listener->up) == 0
        || tournament_atomic_acquire(&listener->doubts) != 0
        || tournament_feed_strayed(listener)
        || tournament_elapsed((ngx_msec_t) beat) > TOURNAMENT_FEED_LEASE)
    {
        return TOURNAMENT_FEED_DOWN;
    }

    return TOURNAMENT_FEED_UP;
}


/* whether some worker's pool reads another server than the one listened to */

static ngx_uint_t
tournament_feed_strayed(tournament_listener_t *listener)
{
    uint64_t  strayed;

    strayed = tournament_atomic_load(&listener->strayed);

    return strayed
           && tournament_elapsed((ngx_msec_t) strayed) <= TOURNAMENT_FEED_LEASE;
}


/*
 * Two servers that both accept connections, or a pooler that balances: what is
 * read there may be older than what was heard here, and changes there are not
 * heard at all.  A failover moves both, not at the same instant.
 */

static void
tournament_feed_compare(tournament_feed_t *feed)
{
    uint64_t                server, up;
    tournament_listener_t  *listener;

    listener = feed->listener;

    /* pairs with tournament_feed_up(): a server is that of up, or later */

    up = tournament_atomic_load(&listener->up);
    server = tournament_atomic_load(&listener->server);

    if (server == 0
        || up == 0
        || !tournament_pg_elsewhere(feed->conf.pg, server))
    {
        if (feed->strays) {
            feed->strays = 0;
            feed->strays_told = 0;
            tournament_clock_suspect_all(feed->zone->clock);
        }

        return;
    }

    if (feed->strays == 0) {
        feed->strays = ngx_current_msec | 1;

        /* whoever was the first says so */
        feed->strays_told = tournament_feed_strayed(listener);
        feed->called = ngx_current_msec - TOURNAMENT_FEED_RETURN
                       + TOURNAMENT_FEED_STRAYS;
    }

    /* of several hosts each connection takes the first that accepts it */

    if (ngx_current_msec - feed->called >= TOURNAMENT_FEED_RETURN) {
        feed->called = ngx_current_msec;
        tournament_pg_return(feed->conf.pg, server);
    }

    if (!feed->strays_told
        && ngx_current_msec - feed->strays >= TOURNAMENT_FEED_STRAYS)
    {
        feed->strays_told = 1;

        ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                      "tournament: queries go to another server than the one "
                      "that is listened to, and TTLs bound how old answers "
                      "are: let \"tournament_database\" and "
                      "\"tournament_listen\" lead to the same one");
    }

    tournament_atomic_store(&listener->strayed,
                            (uint64_t) ngx_current_msec | 1);
}


/* the one place where the phase changes */

static void
tournament_feed_change(tournament_feed_t *feed, tournament_feed_phase_e phase)
{
#if (NGX_DEBUG)

    static const char  *names[] = {
        "idle", "starting", "following", "listening", "leaving"
    };

#endif

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, feed->log, 0,
                   "tournament feed: %s -> %s", names[feed->phase],
                   names[phase]);

    feed->phase = phase;

    if (phase != TOURNAMENT_FEED_FOLLOWING) {
        feed->predecessor = 0;

        tournament_timer_stop(&feed->handover);
    }
}


static void
tournament_feed_tick(ngx_event_t *ev)
{
    uint64_t                lease;
    tournament_feed_t      *feed;
    tournament_listener_t  *listener;

    feed = ev->data;
    listener = feed->listener;

    lease = tournament_atomic_load(&listener->lease);

    tournament_feed_compare(feed);
    tournament_feed_make_room(feed);

    if (feed->phase == TOURNAMENT_FEED_IDLE) {

        if (!ngx_exiting
            && tournament_feed_vacant(feed, lease)
            && tournament_atomic_set(&listener->lease, &lease, feed->lease))
        {
            tournament_feed_elected(feed);
        }

    } else if (lease == feed->lease) {

        if (feed->phase == TOURNAMENT_FEED_STARTING) {
            tournament_feed_inherit(feed);
        }

        tournament_atomic_store(&listener->beat, (uint64_t) ngx_current_msec);

        /* one that was succeeded as it stored its own may have been the last */

        if (tournament_atomic_load(&listener->up) == feed->lease) {
            tournament_atomic_store(&listener->doubts, feed->doubts);
        }

        tournament_feed_beat(feed);

    } else if (feed->phase == TOURNAMENT_FEED_STARTING) {
        tournament_feed_idle(feed);

    } else {

        /* one that hears nothing any more is not to be waited for */

        tournament_feed_beat(feed);
        tournament_feed_yield(feed);
    }

    ngx_add_timer(&feed->tick, TOURNAMENT_FEED_TICK);
}


/* who listens before this one does may die meanwhile: then nobody listens */

static void
tournament_feed_inherit(tournament_feed_t *feed)
{
    uint64_t  up;

    up = tournament_atomic_load(&feed->listener->up);

    if (up != 0 && up != feed->lease
        && (!feed->follows || !tournament_worker_lives(up)))
    {
        (void) tournament_atomic_set(&feed->listener->up, &up, 0);
    }
}


/* a check from time to time: a peer that is gone does not answer */

static void
tournament_feed_beat(tournament_feed_t *feed)
{
    ngx_msec_t  passed;

    passed = ngx_current_msec - feed->asked;

    if (feed->source == NULL && feed->started) {
        passed = ngx_max(passed, ngx_current_msec - feed->started);
    }

    if (passed >= (feed->phase == TOURNAMENT_FEED_STARTING
                   ? TOURNAMENT_FEED_AGAIN : TOURNAMENT_FEED_HEARTBEAT))
    {
        feed->asked = ngx_current_msec;
        tournament_session_check(feed->session);
    }

    if (feed->source) {
        feed->kind->beat(feed->source);
    }
}


/* an older generation's lease, a dead one's, a hanging one's, or nobody's */

static ngx_uint_t
tournament_feed_vacant(tournament_feed_t *feed, uint64_t lease)
{
    uint64_t  beat;

    if (lease != feed->holder) {
        feed->holder = lease;
        feed->holds = ngx_current_msec;
    }

    if (lease == 0 || (lease >> 32) < (feed->lease >> 32)) {
        return 1;
    }

    if ((lease >> 32) > (feed->lease >> 32)) {
        return 0;
    }

    beat = tournament_atomic_load(&feed->listener->beat);

    /* who has just been elected may not have beaten yet */

    return !tournament_worker_lives(lease)
           || (tournament_elapsed((ngx_msec_t) beat) > TOURNAMENT_FEED_LEASE
               && ngx_current_msec - feed->holds > TOURNAMENT_FEED_LEASE);
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

        up = tournament_atomic_load(&feed->listener->up);

        if (up == 0 || up == feed->lease) {
            return;
        }

        tournament_feed_change(feed, TOURNAMENT_FEED_LEAVING);
    }

    /* while it follows it cannot vouch for what its predecessor heard */

    if (feed->phase == TOURNAMENT_FEED_LEAVING) {
        feed->kind->drain(feed->source,
                          tournament_atomic_load(&feed->listener->position));
    }
}


/* all is heard, and the successor is told */

static void
tournament_feed_drained(void *data)
{
    tournament_feed_t  *feed = data;

    tournament_atomic_store(&feed->listener->drained, feed->lease);

    tournament_feed_idle(feed);
}


static void
tournament_feed_elected(tournament_feed_t *feed)
{
    uint64_t                beat;
    tournament_listener_t  *listener;

    listener = feed->listener;

    /* a hung holder is still connected, but handles nothing */

    beat = tournament_atomic_load(&listener->beat);

    feed->follows = (tournament_elapsed((ngx_msec_t) beat)
                     <= TOURNAMENT_FEED_LEASE);

    /* what was said of doubts need not be said again */

    feed->doubts = tournament_atomic_load(&listener->doubts)
                   & ~(uint64_t) TOURNAMENT_FEED_LATE;

    /* pairs with tournament_feed_state(): this beat vouches for nobody else */

    tournament_feed_inherit(feed);

    tournament_atomic_store(&listener->beat, (uint64_t) ngx_current_msec);

    if (tournament_feed_open(feed) != NGX_OK) {
        return;
    }

    tournament_feed_change(feed, TOURNAMENT_FEED_STARTING);

    feed->started = 0;
}


static ngx_int_t
tournament_feed_open(tournament_feed_t *feed)
{
    tournament_session_conf_t  conf;

    feed->pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, feed->log);
    if (feed->pool == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&conf, sizeof(tournament_session_conf_t));

    conf.targets = feed->conf.targets;
    conf.outage = feed->conf.outage;
    conf.connect_timeout = feed->conf.connect_timeout;
    conf.statements = feed->kind->statements;
    conf.nstatements = feed->kind->nstatements;
    conf.standby = feed->kind->standby;
    conf.ready = tournament_feed_ready;
    conf.crowded = tournament_feed_crowded;
    conf.lost = tournament_feed_lost;
    conf.notify = tournament_feed_notified;
    conf.closing = tournament_feed_exiting;
    conf.checked = tournament_feed_checked;
    conf.data = feed;

    feed->session = tournament_session_create(feed->pool, feed->log, &conf);

    if (feed->session == NULL) {
        ngx_destroy_pool(feed->pool);
        feed->pool = NULL;
        return NGX_ERROR;
    }

    feed->source_conf.session = feed->session;

    return NGX_OK;
}


static void
tournament_feed_idle(tournament_feed_t *feed)
{
    uint64_t  up;

    if (feed->phase == TOURNAMENT_FEED_IDLE) {
        return;
    }

    up = tournament_atomic_load(&feed->listener->up);

    if (feed->phase == TOURNAMENT_FEED_FOLLOWING
        || (feed->phase != TOURNAMENT_FEED_STARTING
            && up != 0 && up != feed->lease
            && tournament_atomic_load(&feed->listener->drained)
               != feed->lease))
    {
        /* what was on its way here, or there, nobody has heard */

        tournament_clock_suspect_all(feed->zone->clock);
    }

    tournament_feed_change(feed, TOURNAMENT_FEED_IDLE);
    tournament_feed_down(feed);

    tournament_session_destroy(feed->session);
    feed->session = NULL;

    ngx_destroy_pool(feed->pool);
    feed->pool = NULL;
}


/* without a source nothing is heard here */

static void
tournament_feed_down(tournament_feed_t *feed)
{
    uint64_t  up;

    up = feed->lease;
    (void) tournament_atomic_set(&feed->listener->up, &up, 0);

    if (feed->source) {
        feed->kind->stop(feed->source);
        feed->source = NULL;
    }

    feed->doubts &= ~(uint64_t) TOURNAMENT_FEED_LATE;
}


/* the server or the role allows no more connections: this one comes first */

static void
tournament_feed_crowded(void *data)
{
    uint64_t            none;
    tournament_feed_t  *feed = data;

    none = 0;
    (void) tournament_atomic_set(&feed->listener->crowded, &none,
                                 (uint64_t) ngx_current_msec | 1);

    tournament_pg_yield(feed->conf.pg);
}


static void
tournament_feed_make_room(tournament_feed_t *feed)
{
    uint64_t  crowded;

    crowded = tournament_atomic_load(&feed->listener->crowded);

    if (crowded
        && tournament_elapsed((ngx_msec_t) crowded) > TOURNAMENT_FEED_CROWDED)
    {
        tournament_pg_yield(feed->conf.pg);
    }
}


static void
tournament_feed_ready(void *data)
{
    tournament_feed_t  *feed = data;

    tournament_atomic_store(&feed->listener->crowded, 0);

    feed->asked = ngx_current_msec;
    tournament_session_check(feed->session);
}


static void
tournament_feed_checked(void *data, tournament_report_t *report, uint64_t took)
{
    tournament_feed_t  *feed = data;

    if (report == NULL) {

        /* lost, or as good as lost */

        if (feed->phase != TOURNAMENT_FEED_STARTING) {
            tournament_feed_lost(feed);
        }

        return;
    }

    if (feed->source == NULL) {
        tournament_feed_start(feed, report);
        return;
    }

    if (report->server != feed->server) {
        ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                      "tournament: the server that is listened to was "
                      "promoted, or is another one: listening anew");
        tournament_feed_lost(feed);
        return;
    }

    tournament_feed_judge(feed, report);
    tournament_feed_heard(feed);

    if (feed->conf.delay && feed->phase != TOURNAMENT_FEED_STARTING) {
        feed->conf.delay(feed->conf.delay_data, took);
    }

    feed->kind->checked(feed->source, report);
}


static void
tournament_feed_start(tournament_feed_t *feed, tournament_report_t *report)
{
    if (report->server != feed->server) {
        feed->server = report->server;
        feed->triggers = 0;
    }

    tournament_feed_judge(feed, report);

    feed->started = ngx_current_msec;
    feed->source = feed->kind->start(&feed->source_conf, report);
}


static void
tournament_feed_judge(tournament_feed_t *feed, tournament_report_t *report)
{
    tournament_source_kind_t  *kind;

    kind = feed->kind;

    if (kind->announced == TOURNAMENT_SESSION_NOTIFY) {
        tournament_feed_judge_queue(feed, report->queue);
    }

    if (tournament_feed_doubt(feed, TOURNAMENT_FEED_DEAF,
                              !(report->announced & kind->announced)))
    {
        if (feed->doubts & TOURNAMENT_FEED_DEAF) {
            ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                          "tournament: \"tournament_feed %V\", but the "
                          "database's triggers do not announce changes that "
                          "way, and TTLs bound how old answers are: run "
                          "install.sql with -v feed=%V or -v feed=both",
                          &kind->name, &kind->name);

        } else {
            ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                          "tournament: the database's triggers announce "
                          "changes by \"%V\" again", &kind->name);
        }
    }

    if (tournament_feed_doubt(feed, TOURNAMENT_FEED_UNARMED, !report->armed)) {

        if (feed->doubts & TOURNAMENT_FEED_UNARMED) {
            ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                          "tournament: the triggers that announce changes are "
                          "missing or disabled, and TTLs bound how old "
                          "answers are: run install.sql");

        } else {
            ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                          "tournament: the triggers that announce changes are "
                          "there again");
        }

    } else if (feed->triggers && feed->triggers != report->triggers) {
        tournament_clock_suspect_all(feed->zone->clock);

        ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                      "tournament: the triggers that announce changes, or "
                      "their tables, are others: what is cached may be old");
    }

    feed->triggers = report->triggers;
}


/*
 * PostgreSQL keeps notifications for whoever is slow to hear them, and anybody
 * with a login may be: as their queue fills up, changes are not announced any
 * more.  Before it comes to that the feed counts as down.
 */

static void
tournament_feed_judge_queue(tournament_feed_t *feed, ngx_uint_t percent)
{
    ngx_uint_t  doubted;

    doubted = (feed->doubts & TOURNAMENT_FEED_QUEUED) != 0;

    if (!tournament_feed_doubt(feed, TOURNAMENT_FEED_QUEUED,
                               percent >= (doubted
                                           ? TOURNAMENT_FEED_QUEUE_LOW
                                           : TOURNAMENT_FEED_QUEUE)))
    {
        return;
    }

    if (!doubted) {
        ngx_log_error(NGX_LOG_ERR, feed->log, 0,
                      "tournament: the queue of notifications is %ui %% full, "
                      "changes may go by: some session that listens has been "
                      "in one transaction for long", percent);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                      "tournament: the queue of notifications is %ui %% full, "
                      "all changes are heard again", percent);
    }
}


/* 1: that is new, and to be logged */

static ngx_uint_t
tournament_feed_doubt(tournament_feed_t *feed, uint64_t doubt, ngx_uint_t on)
{
    tournament_listener_t  *listener;

    listener = feed->listener;

    if (((feed->doubts & doubt) != 0) == on) {
        return 0;
    }

    feed->doubts ^= doubt;

    if (!on) {
        tournament_clock_suspect_all(feed->zone->clock);
    }

    if (tournament_atomic_load(&listener->up) == feed->lease) {
        tournament_atomic_store(&listener->doubts, feed->doubts);
    }

    return 1;
}


static void
tournament_feed_notified(void *data, char *payload)
{
    tournament_feed_t  *feed = data;

    if (feed->source) {
        feed->kind->notified(feed->source, payload);
    }
}


/*
 * What is committed from now on is heard here.  What was before, one that still
 * listens may have heard, or is about to: nothing is suspect if it says so.
 */

static void
tournament_feed_up(void *data, uint64_t position)
{
    uint64_t                up, drained;
    tournament_feed_t      *feed = data;
    tournament_listener_t  *listener;

    listener = feed->listener;

    up = tournament_atomic_load(&listener->up);

    if (feed->follows && up != 0 && up != feed->lease
        && tournament_atomic_load(&listener->doubts) == 0
        && tournament_atomic_load(&listener->source)
           == tournament_feed_origin(feed))
    {
        tournament_feed_change(feed, TOURNAMENT_FEED_FOLLOWING);
        feed->predecessor = up;
        feed->confirmed = ngx_current_msec;

    } else {
        tournament_clock_suspect_all(feed->zone->clock);
        tournament_feed_change(feed, TOURNAMENT_FEED_LISTENING);
    }

    /* what it once said as it was succeeded does not hold any more */

    drained = feed->lease;
    (void) tournament_atomic_set(&listener->drained, &drained, 0);

    tournament_feed_heard(feed);

    if (position == 0) {
        listener->slot[0] = '\0';
    }

    tournament_atomic_store(&listener->doubts, feed->doubts);
    tournament_atomic_store(&listener->source, tournament_feed_origin(feed));
    tournament_atomic_store(&listener->position, position);
    tournament_atomic_store(&listener->server,
                            tournament_session_server(feed->session));
    tournament_atomic_store(&listener->up, feed->lease);

    if (feed->phase == TOURNAMENT_FEED_FOLLOWING) {
        tournament_feed_handover(&feed->handover);

    } else {
        tournament_feed_begin(feed, 0);
    }
}


/*
 * What names the stream of changes: who hears another one does not go on with
 * what was heard of this one.
 */

static uint64_t
tournament_feed_origin(tournament_feed_t *feed)
{
    return feed->server ^ feed->kind->announced;
}


static void
tournament_feed_handover(ngx_event_t *ev)
{
    ngx_uint_t          over;
    tournament_feed_t  *feed;

    feed = ev->data;

    /* looked at before its word: it may die having given it */

    over = !tournament_worker_lives(feed->predecessor)
           || ngx_current_msec - feed->confirmed >= TOURNAMENT_FEED_HANDOVER;

    /* pairs with tournament_feed_drained(): its changes are seen here */

    if (tournament_atomic_load(&feed->listener->drained)
        == feed->predecessor)
    {
        tournament_feed_change(feed, TOURNAMENT_FEED_LISTENING);
        tournament_feed_begin(feed, 1);
        return;
    }

    if (over) {
        tournament_clock_suspect_all(feed->zone->clock);
        tournament_feed_change(feed, TOURNAMENT_FEED_LISTENING);
        tournament_feed_begin(feed, 0);
        return;
    }

    ngx_add_timer(&feed->handover, TOURNAMENT_FEED_TICK / 20);
}


static void
tournament_feed_begin(tournament_feed_t *feed, ngx_uint_t continued)
{
    feed->continued = continued;

    ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                  "tournament: listening to changes%s",
                  continued ? ", without interruption" : "");

    if (feed->conf.begun) {
        feed->conf.begun(feed->conf.begun_data, continued);
    }
}


/* while it follows, its predecessor hears that, or everything is suspect */

static void
tournament_feed_unheard(void *data)
{
    tournament_feed_t  *feed = data;

    if (feed->phase != TOURNAMENT_FEED_FOLLOWING && !feed->continued) {
        tournament_clock_suspect_all(feed->zone->clock);
    }
}


static void
tournament_feed_heard(void *data)
{
    tournament_feed_t  *feed = data;

    tournament_atomic_store(&feed->listener->heard,
                            (uint64_t) ngx_current_msec);
}


static void
tournament_feed_late(void *data, ngx_uint_t late)
{
    tournament_feed_t  *feed = data;

    if (!tournament_feed_doubt(feed, TOURNAMENT_FEED_LATE, late)) {
        return;
    }

    /* a server at its limit is late again and again */

    if (late) {
        feed->told = (feed->complained == 0
                      || ngx_current_msec - feed->complained
                         >= TOURNAMENT_FEED_COMPLAIN);
    }

    if (!feed->told) {
        return;
    }

    if (late) {
        feed->complained = ngx_current_msec | 1;

        ngx_log_error(NGX_LOG_WARN, feed->log, 0,
                      "tournament: changes come late, and TTLs bound how old "
                      "answers are: the server is busy, or does not answer");

    } else {
        ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                      "tournament: changes come in time again");
    }
}


static void
tournament_feed_lag(void *data, tournament_source_lag_t *lag)
{
    tournament_feed_t      *feed = data;
    tournament_listener_t  *listener;

    listener = feed->listener;

    if (tournament_atomic_load(&listener->up) != feed->lease) {
        return;
    }

    ngx_memcpy(listener->slot, lag->name, sizeof(listener->slot));

    tournament_atomic_store(&listener->behind, lag->behind);
    tournament_atomic_store(&listener->behind_ms, lag->behind_ms);
}


/* changes go by unheard */

static void
tournament_feed_lost(void *data)
{
    uint64_t            up;
    tournament_feed_t  *feed = data;

    up = tournament_atomic_load(&feed->listener->up);

    if (feed->phase == TOURNAMENT_FEED_LEAVING
        || (feed->phase != TOURNAMENT_FEED_STARTING
            && up != 0 && up != feed->lease))
    {
        /* when it ceased to hear the successor may not have heard yet */

        tournament_clock_suspect_all(feed->zone->clock);
    }

    tournament_feed_change(feed, TOURNAMENT_FEED_STARTING);
    tournament_feed_down(feed);
}


/*
 * The worker begins to exit.  After a reload it stays until a worker of the
 * new configuration listens, and it has heard all before.
 */

static void
tournament_feed_exiting(void *data)
{
    tournament_feed_t  *feed = data;

    ngx_core_conf_t  *ccf;

    if (feed->hold.timer_set
        || feed->phase == TOURNAMENT_FEED_STARTING
        || tournament_workers_generation(feed->zone->workers)
           == feed->zone->generation)
    {
        return;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    if (ccf->shutdown_timeout) {
        feed->patience = ngx_min(feed->patience, ccf->shutdown_timeout);
    }

    feed->exiting = ngx_current_msec;

    tournament_feed_hold(&feed->hold);
}


static void
tournament_feed_hold(ngx_event_t *ev)
{
    ngx_msec_t          passed;
    tournament_feed_t  *feed;

    feed = ev->data;

    if (feed->phase == TOURNAMENT_FEED_IDLE
        || feed->phase == TOURNAMENT_FEED_STARTING)
    {
        return;
    }

    passed = ngx_current_msec - feed->exiting;

    if (passed >= feed->patience) {
        ngx_log_error(NGX_LOG_NOTICE, feed->log, 0,
                      "tournament: an old worker ceases to listen before its "
                      "successor listens");
        return;
    }

    tournament_feed_yield(feed);

    ngx_add_timer(&feed->hold, passed < TOURNAMENT_FEED_SOON
                               ? TOURNAMENT_FEED_TICK / 10
                               : TOURNAMENT_FEED_TICK);
}


static void
tournament_feed_token(void *data, tournament_token_t *token)
{
    tournament_feed_t   *feed = data;
    tournament_clock_t  *clock;

    clock = feed->zone->clock;

    tournament_atomic_add(&feed->listener->changes, 1);

    switch (token->kind) {

    case 't':
        tournament_clock_change(clock, TOURNAMENT_TOURNAMENT, token->id);
        tournament_clock_change(clock, TOURNAMENT_ROWS, 0);
        break;

    case 'r':
        tournament_clock_change(clock, TOURNAMENT_TOURNAMENT, token->id);
        tournament_clock_change(clock, TOURNAMENT_COUNTS, 0);
        break;

    case 'p':
        tournament_clock_change(clock, TOURNAMENT_PROFILE, token->id);
        break;

    case 'm':
        tournament_clock_change(clock, TOURNAMENT_TEAM, token->id);
        break;

    default:

        /* everything, or what a newer install.sql may have come to send */

        tournament_clock_change_all(clock);
    }

    if (feed->conf.changed) {
        feed->conf.changed(feed->conf.changed_data);
    }
}
