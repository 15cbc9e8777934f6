
/*
 * A key is looked up anew, in turns of the event loop, when it is due: a stripe
 * of it has changed, the instant has come that its document says to wait for,
 * or its timer says so.  What becomes of it is told in turns, too, so that
 * nobody is called from within a call of this room.
 *
 *   due      stripes, boundaries, timers         -> keys to be looked up
 *   looking  waiters of the fetch room           -> entries
 *   news     document, stale, or gone            -> watchers
 *
 * Wake-ups may be lost: once a second, as the second begins, the clock is
 * looked at anyway.
 */

#include <ngx_event.h>

#include "serve/watch.h"
#include "serve/watched.h"
#include "zone/timer.h"


/* keys that are queried at the same time; single statements weigh more */
#define TOURNAMENT_WATCH_WEIGHT  64

/* look-ups and watchers that are seen to before others get their turn */
#define TOURNAMENT_WATCH_STEP    256

/* ms; old workers send their watchers away over that time at most, in steps */
#define TOURNAMENT_WATCH_LEAVE   5000
#define TOURNAMENT_WATCH_LEAVES  20


static ngx_int_t tournament_watch_start(tournament_watch_t *watch);
static void tournament_watch_stop(tournament_watch_t *watch);
static void tournament_watch_woken(void *data);
static void tournament_watch_turn(ngx_event_t *ev);
static void tournament_watch_follow(tournament_watch_t *watch);
static void tournament_watch_stripe(tournament_watch_t *watch,
    uint32_t stripe);
static void tournament_watch_everything(tournament_watch_t *watch);
static void tournament_watch_look(tournament_watch_t *watch);
static void tournament_watch_tell(tournament_watch_t *watch);
static void tournament_watch_tick(ngx_event_t *ev);
static void tournament_watch_next_tick(tournament_watch_t *watch);
static void tournament_watch_exit(tournament_watch_t *watch);
static void tournament_watch_leave(ngx_event_t *ev);


tournament_watch_t *
tournament_watch_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_main_conf_t *tmcf)
{
    tournament_watch_t  *watch;

    watch = ngx_pcalloc(pool, sizeof(tournament_watch_t));
    if (watch == NULL) {
        return NULL;
    }

    watch->log = log;
    watch->tmcf = tmcf;
    watch->max = tmcf->stream_connections;
    watch->single = TOURNAMENT_WATCH_WEIGHT
                    / ngx_max(tmcf->database.connections / 2, 1);

    if (watch->max == NGX_CONF_UNSET_UINT) {
        watch->max = ngx_max(ngx_cycle->connection_n / 2, 1);
    }

    ngx_rbtree_init(&watch->keys, &watch->keys_sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_rbtree_init(&watch->boundaries, &watch->boundaries_sentinel,
                    ngx_rbtree_insert_value);

    ngx_queue_init(&watch->watchers);
    ngx_queue_init(&watch->hasty);
    ngx_queue_init(&watch->due);
    ngx_queue_init(&watch->news);

    tournament_timer_init(&watch->turn, tournament_watch_turn, watch, log, 1);
    tournament_timer_init(&watch->tick, tournament_watch_tick, watch, log, 0);
    tournament_timer_init(&watch->leave, tournament_watch_leave, watch, log,
                          0);

    tournament_fetch_follow(tmcf->fetch, tournament_watch_woken, watch);

    return watch;
}


void
tournament_watch_destroy(tournament_watch_t *watch)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&watch->watchers)) {
        q = ngx_queue_head(&watch->watchers);

        tournament_watch_remove(ngx_queue_data(q, tournament_watcher_t, all));
    }

    while (!ngx_queue_empty(&watch->hasty)) {
        q = ngx_queue_head(&watch->hasty);

        tournament_watch_remove(ngx_queue_data(q, tournament_watcher_t, all));
    }

    if (watch->turn.posted) {
        ngx_delete_posted_event(&watch->turn);
    }

    if (watch->stripes) {
        ngx_free(watch->stripes);
        watch->stripes = NULL;
    }
}


ngx_int_t
tournament_watch_add(tournament_watch_t *watch, tournament_subject_t *subject,
    tournament_body_t *body, tournament_watcher_t *watcher)
{
    u_char                 buf[TOURNAMENT_WATCH_NAME];
    uint32_t               hash;
    ngx_int_t              rc;
    ngx_str_t              name;
    tournament_watched_t  *watched;

    if (watch->nwatchers >= watch->max) {
        return NGX_BUSY;
    }

    name.data = buf;
    name.len = tournament_watched_name(subject, buf);

    watched = tournament_watched_find(watch, &name, &hash);

    if (watched == NULL) {

        if (watch->nkeys >= watch->tmcf->stream_keys) {
            return NGX_BUSY;
        }

        /* before what it shows is compared with the clock */

        if (watch->nkeys == 0 && tournament_watch_start(watch) != NGX_OK) {
            return NGX_ERROR;
        }

        watched = tournament_watched_create(watch, subject, &name, hash);
    }

    rc = watched ? tournament_watched_show(watched, body) : NGX_ERROR;

    /* those that come later do not put its next look-up off */

    if (rc == NGX_OK && !watched->timer.timer_set) {
        tournament_watched_schedule(watched);
    }

    if (watched == NULL || watched->news.document == NULL) {

        if (watched) {
            tournament_watched_free(watched);
        }

        if (watch->nkeys == 0) {
            tournament_watch_stop(watch);
        }

        return NGX_ERROR;
    }

    watcher->watched = watched;
    ngx_queue_insert_tail(&watched->watchers, &watcher->queue);
    ngx_queue_insert_tail(watcher->hasty ? &watch->hasty : &watch->watchers,
                          &watcher->all);
    watch->nwatchers++;

    return NGX_OK;
}


void
tournament_watch_remove(tournament_watcher_t *watcher)
{
    tournament_watch_t    *watch;
    tournament_watched_t  *watched;

    watched = watcher->watched;

    if (watched == NULL) {
        return;
    }

    watch = watched->watch;

    ngx_queue_remove(&watcher->queue);
    ngx_queue_remove(&watcher->all);
    watcher->watched = NULL;
    watch->nwatchers--;

    if (tournament_watched_idle(watched) && !watched->telling) {
        tournament_watched_free(watched);
    }

    if (watch->nkeys == 0) {
        tournament_watch_stop(watch);
    }
}


tournament_news_t *
tournament_watch_news(tournament_watcher_t *watcher)
{
    return &watcher->watched->news;
}


void
tournament_watch_changed(void *data)
{
    tournament_watch_t  *watch = data;

    if (tournament_workers_watching(watch->tmcf->zone.workers)) {
        watch->tell = 1;
        tournament_watched_turn(watch);
    }
}


/* the first key */

static ngx_int_t
tournament_watch_start(tournament_watch_t *watch)
{
    ngx_uint_t          i;
    tournament_zone_t  *zone;

    if (watch->stripes == NULL) {
        watch->stripes = ngx_alloc(TOURNAMENT_WATCH_LISTS
                                   * sizeof(ngx_queue_t), watch->log);
        if (watch->stripes == NULL) {
            return NGX_ERROR;
        }

        for (i = 0; i < TOURNAMENT_WATCH_LISTS; i++) {
            ngx_queue_init(&watch->stripes[i]);
        }
    }

    zone = &watch->tmcf->zone;
    watch->exiting = 0;

    tournament_workers_watch(zone->workers,
                             tournament_fetch_number(watch->tmcf->fetch), 1);

    watch->seen = tournament_clock_now(zone->clock);
    watch->hole = watch->seen;

    if (!watch->tick.timer_set) {
        tournament_watch_next_tick(watch);
    }

    return NGX_OK;
}


/* the last key is gone */

static void
tournament_watch_stop(tournament_watch_t *watch)
{
    tournament_timer_stop(&watch->tick);
    tournament_timer_stop(&watch->leave);

    tournament_workers_watch(watch->tmcf->zone.workers,
                             tournament_fetch_number(watch->tmcf->fetch), 0);
}


/* others have changed the clock, or stored an entry; or the worker exits */

static void
tournament_watch_woken(void *data)
{
    tournament_watch_t  *watch = data;

    if (watch->nkeys) {
        tournament_watch_exit(watch);
        tournament_watched_turn(watch);
    }
}


static void
tournament_watch_turn(ngx_event_t *ev)
{
    tournament_watch_t  *watch;

    watch = ev->data;

    if (watch->tell) {
        watch->tell = 0;

        tournament_fetch_wake(watch->tmcf->fetch,
                  tournament_workers_watching(watch->tmcf->zone.workers));
    }

    if (watch->nkeys) {
        tournament_watch_follow(watch);
        tournament_watch_look(watch);
        tournament_watch_tell(watch);
    }
}


static void
tournament_watch_follow(tournament_watch_t *watch)
{
    uint32_t   stripe;
    ngx_int_t  rc;

    for ( ;; ) {
        rc = tournament_clock_follow(watch->tmcf->zone.clock, &watch->seen,
                                     &stripe);

        if (rc == NGX_DECLINED || rc == NGX_AGAIN) {

            /* who is at it wakes this worker; who died at it does not */

            return;
        }

        if (rc == NGX_ERROR || stripe == TOURNAMENT_CLOCK_ALL) {
            tournament_watch_everything(watch);

        } else if (stripe != TOURNAMENT_CLOCK_NONE) {
            tournament_watch_stripe(watch, stripe);
        }
    }
}


static void
tournament_watch_stripe(tournament_watch_t *watch, uint32_t stripe)
{
    ngx_queue_t        *q, *list;
    tournament_link_t  *link;

    list = &watch->stripes[stripe % TOURNAMENT_WATCH_LISTS];

    for (q = ngx_queue_head(list);
         q != ngx_queue_sentinel(list);
         q = ngx_queue_next(q))
    {
        link = ngx_queue_data(q, tournament_link_t, queue);

        if (link->stripe == stripe) {
            tournament_watched_due(link->watched);
        }
    }
}


static void
tournament_watch_everything(tournament_watch_t *watch)
{
    ngx_rbtree_node_t  *node;

    for (node = ngx_rbtree_min(watch->keys.root, watch->keys.sentinel);
         node;
         node = ngx_rbtree_next(&watch->keys, node))
    {
        tournament_watched_due((tournament_watched_t *) node);
    }
}


static void
tournament_watch_look(tournament_watch_t *watch)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    tournament_watched_t  *watched;

    for (n = 0;
         n < TOURNAMENT_WATCH_STEP
         && watch->weight < TOURNAMENT_WATCH_WEIGHT
         && !ngx_queue_empty(&watch->due);
         n++)
    {
        q = ngx_queue_head(&watch->due);
        watched = ngx_queue_data(q, tournament_watched_t, due);

        ngx_queue_remove(q);
        watched->is_due = 0;

        tournament_watched_look_up(watched);
    }

    if (n) {
        tournament_fetch_start(watch->tmcf->fetch);
    }

    if (n == TOURNAMENT_WATCH_STEP && !watch->turn.posted) {
        ngx_post_event(&watch->turn, &ngx_posted_next_events);
    }
}


/* handlers may do anything to watchers and keys */

static void
tournament_watch_tell(tournament_watch_t *watch)
{
    ngx_uint_t             n;
    ngx_queue_t           *q;
    tournament_watched_t  *watched;
    tournament_watcher_t  *watcher;

    n = 0;

    while (n < TOURNAMENT_WATCH_STEP && !ngx_queue_empty(&watch->news)) {
        q = ngx_queue_head(&watch->news);
        watched = ngx_queue_data(q, tournament_watched_t, told);

        watched->telling = 1;

        while (n < TOURNAMENT_WATCH_STEP
               && !ngx_queue_empty(&watched->pending))
        {
            q = ngx_queue_head(&watched->pending);
            watcher = ngx_queue_data(q, tournament_watcher_t, queue);

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&watched->watchers, q);

            watcher->handler(watcher);
            n++;
        }

        watched->telling = 0;

        if (ngx_queue_empty(&watched->pending)) {
            ngx_queue_remove(&watched->told);
            watched->has_news = 0;
        }

        if (tournament_watched_idle(watched)) {
            tournament_watched_free(watched);
        }

        n++;
    }

    if (watch->nkeys == 0) {
        tournament_watch_stop(watch);

    } else if (!ngx_queue_empty(&watch->news) && !watch->turn.posted) {
        ngx_post_event(&watch->turn, &ngx_posted_next_events);
    }
}


/* a second begins: what was to happen at it, and what was not heard of */

static void
tournament_watch_tick(ngx_event_t *ev)
{
    ngx_rbtree_node_t     *node;
    tournament_watch_t    *watch;
    tournament_watched_t  *watched;

    watch = ev->data;

    tournament_watch_exit(watch);
    tournament_watch_follow(watch);

    /* a change that has stayed half done: its worker has died */

    if (watch->seen == watch->hole
        && watch->seen != tournament_clock_now(watch->tmcf->zone.clock))
    {
        watch->seen = tournament_clock_now(watch->tmcf->zone.clock);
        tournament_watch_everything(watch);
    }

    watch->hole = watch->seen;

    while (watch->boundaries.root != watch->boundaries.sentinel) {
        node = ngx_rbtree_min(watch->boundaries.root,
                              watch->boundaries.sentinel);

        if ((time_t) node->key > ngx_time()) {
            break;
        }

        watched = (tournament_watched_t *)
                      ((u_char *) node - offsetof(tournament_watched_t,
                                                  boundary));

        tournament_watched_unbound(watched);
        tournament_watched_due(watched);
    }

    tournament_watch_next_tick(watch);
    tournament_watched_turn(watch);
}


static void
tournament_watch_next_tick(tournament_watch_t *watch)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ngx_add_timer(&watch->tick, 1001 - ngx_min(tp->msec, 999));
}


/* an old worker: its watchers go, one by one */

static void
tournament_watch_exit(tournament_watch_t *watch)
{
    if (!ngx_exiting || watch->exiting) {
        return;
    }

    watch->exiting = 1;
    watch->leaving = ngx_current_msec;
    watch->leavers = watch->nwatchers;

    ngx_add_timer(&watch->leave, 1);
}


static void
tournament_watch_leave(ngx_event_t *ev)
{
    ngx_msec_t             all, passed;
    ngx_uint_t             left;
    ngx_queue_t           *q;
    ngx_core_conf_t       *ccf;
    tournament_watch_t    *watch;
    tournament_watcher_t  *watcher;

    watch = ev->data;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    all = TOURNAMENT_WATCH_LEAVE;

    if (ccf->shutdown_timeout) {
        all = ngx_min(all, ccf->shutdown_timeout / 2);
    }

    passed = ngx_current_msec - watch->leaving;
    left = 0;

    if (passed < all) {
        left = (ngx_uint_t) ((uint64_t) watch->leavers * (all - passed) / all);
    }

    while (watch->nwatchers > left || !ngx_queue_empty(&watch->hasty)) {
        q = ngx_queue_head(ngx_queue_empty(&watch->hasty) ? &watch->watchers
                                                          : &watch->hasty);
        watcher = ngx_queue_data(q, tournament_watcher_t, all);

        watcher->leave(watcher);
    }

    if (watch->nwatchers) {
        ngx_add_timer(ev, TOURNAMENT_WATCH_LEAVES);
    }
}
