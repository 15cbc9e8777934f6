
/*
 * A key is looked up anew, in turns of the event loop, when it is due: a stripe
 * of it has changed, the instant has come that its document says to wait for,
 * or its timer says so.  It is looked up in the memo, in the zone, and queried
 * where it must be, together with others, a few at a time: requests go first.
 * What becomes of it is told in turns, too, so that nobody is called from
 * within a call of this room.
 *
 *   due      stripes, boundaries, timers         -> keys to be looked up
 *   looking  waiters of the fetch room           -> entries
 *   news     document, stale, or gone            -> watchers
 *
 * Wake-ups may be lost: once a second, as the second begins, the clock is
 * looked at anyway.
 */

#include <ngx_event.h>

#include "feed/feed.h"
#include "serve/gather.h"
#include "serve/render.h"
#include "serve/watch.h"
#include "zone/timer.h"


/* a power of two: stripes are found in so many lists */
#define TOURNAMENT_WATCH_LISTS   4096

/* keys that are queried at the same time; single statements weigh more */
#define TOURNAMENT_WATCH_WEIGHT  64

/* look-ups and watchers that are seen to before others get their turn */
#define TOURNAMENT_WATCH_STEP    256

/* ms; how often is asked at most, and while nothing is heard of changes */
#define TOURNAMENT_WATCH_LEAST   1000
#define TOURNAMENT_WATCH_UNHEARD 10000

/* bytes */
#define TOURNAMENT_WATCH_NAME    (2 * TOURNAMENT_KEY_MAX + 32)

/* ms; of one that fails, and of one that has changed again meanwhile */
#define TOURNAMENT_WATCH_RETRY   1000
#define TOURNAMENT_WATCH_AGAIN   10
#define TOURNAMENT_WATCH_PAUSE   10000

/* ms; no timer is longer */
#define TOURNAMENT_WATCH_LONG    86400000

/* ms; old workers send their watchers away over that time at most, in steps */
#define TOURNAMENT_WATCH_LEAVE   5000
#define TOURNAMENT_WATCH_LEAVES  20


struct tournament_watch_s {
    ngx_log_t                 *log;
    tournament_main_conf_t    *tmcf;

    ngx_rbtree_t               keys;        /* ngx_str_node_t */
    ngx_rbtree_node_t          keys_sentinel;
    ngx_rbtree_t               boundaries;  /* by second of Unix time */
    ngx_rbtree_node_t          boundaries_sentinel;
    ngx_queue_t               *stripes;     /* lists of links; NULL: nothing
                                               was watched yet */

    ngx_queue_t                watchers;    /* all, the oldest first */
    ngx_queue_t                hasty;       /* but these */
    ngx_queue_t                due;         /* keys */
    ngx_queue_t                news;        /* keys */

    ngx_event_t                turn;        /* posted */
    ngx_event_t                tick;
    ngx_event_t                leave;

    uint64_t                   seen;        /* of the clock */
    uint64_t                   hole;        /* what it was a tick ago */
    ngx_uint_t                 nkeys;
    ngx_uint_t                 nwatchers;
    ngx_uint_t                 max;         /* watchers */
    ngx_uint_t                 single;      /* what a statement for one key
                                               weighs */
    ngx_uint_t                 weight;      /* of what is queried */

    ngx_msec_t                 leaving;     /* since */
    ngx_uint_t                 leavers;     /* then */
    unsigned                   exiting:1;
    unsigned                   tell:1;      /* other workers */
};


/* a stripe of a key */

typedef struct {
    ngx_queue_t                queue;
    tournament_watched_t      *watched;
    uint32_t                   stripe;
} tournament_link_t;


/* an entry of a key's document */

typedef struct {
    tournament_watched_t      *watched;
    tournament_endpoint_t     *endpoint;
    tournament_key_t           key;

    /* of what is shown */
    uint64_t                   clock;
    ngx_msec_t                 fetched;

    /* while it is looked up */
    tournament_waiter_t        waiter;
    tournament_entry_t         entry;
    u_char                    *memory;      /* the entry's */
    ngx_uint_t                 weight;
    unsigned                   fallback:1;  /* as a request's part has them */
    unsigned                   transient:1;
} tournament_view_part_t;


struct tournament_watched_s {
    ngx_str_node_t             node;        /* first: found by name */
    ngx_rbtree_node_t          boundary;    /* if bounded */
    tournament_watch_t        *watch;
    tournament_loc_conf_t     *tlcf;
    tournament_endpoint_t     *endpoint;
    int64_t                    user;
    ngx_uint_t                 staff;

    tournament_news_t          news;
    ngx_queue_t                watchers;
    ngx_queue_t                pending;     /* those not told yet */
    ngx_queue_t                told;        /* of the worker's news */
    ngx_queue_t                due;         /* of the worker's due */

    tournament_link_t         *links;
    ngx_uint_t                 nlinks;

    ngx_event_t                timer;
    ngx_uint_t                 tries;       /* in vain, so far */
    ngx_uint_t                 waiting;     /* parts */
    tournament_error_t        *error;       /* of a part that failed */

    unsigned                   bounded:1;
    unsigned                   is_due:1;
    unsigned                   has_news:1;
    unsigned                   telling:1;   /* stays until all are told */
    unsigned                   unsettled:1; /* has changed again meanwhile */

    ngx_uint_t                 nparts;
    tournament_view_part_t     parts[TOURNAMENT_BODY_ENTRIES];
};


static ngx_int_t tournament_watch_start(tournament_watch_t *watch);
static void tournament_watch_stop(tournament_watch_t *watch);
static void tournament_watch_woken(void *data);
static void tournament_watch_post(tournament_watch_t *watch);
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

static size_t tournament_watched_name(tournament_subject_t *subject,
    u_char *name);
static tournament_watched_t *tournament_watched_find(tournament_watch_t *watch,
    ngx_str_t *name, uint32_t *hash);
static tournament_watched_t *tournament_watched_create(
    tournament_watch_t *watch, tournament_subject_t *subject, ngx_str_t *name,
    uint32_t hash);
static void tournament_watched_free(tournament_watched_t *watched);
static ngx_uint_t tournament_watched_idle(tournament_watched_t *watched);
static void tournament_watched_due(tournament_watched_t *watched);
static void tournament_watched_timer(ngx_event_t *ev);
static void tournament_watched_look_up(tournament_watched_t *watched);
static ngx_int_t tournament_watched_part(tournament_watched_t *watched,
    tournament_view_part_t *part);
static ngx_int_t tournament_watched_wait(tournament_watched_t *watched,
    tournament_view_part_t *part);
static void tournament_watched_arrived(tournament_waiter_t *waiter,
    tournament_pg_rc_e rc, tournament_entry_t *entry);
static void tournament_watched_found(tournament_watched_t *watched);
static ngx_int_t tournament_watched_copy(tournament_view_part_t *part,
    tournament_entry_t *entry);
static void tournament_watched_drop(tournament_watched_t *watched);
static void tournament_watched_derive(tournament_watched_t *watched);
static ngx_uint_t tournament_watched_older(tournament_watched_t *watched,
    ngx_uint_t i, uint64_t clock, ngx_msec_t fetched);
static ngx_int_t tournament_watched_show(tournament_watched_t *watched,
    tournament_body_t *body);
static ngx_int_t tournament_watched_link(tournament_watched_t *watched,
    tournament_body_t *body);
static void tournament_watched_unlink(tournament_watched_t *watched);
static void tournament_watched_fail(tournament_watched_t *watched,
    tournament_error_t *error);
static void tournament_watched_say(tournament_watched_t *watched,
    tournament_event_t **place, const char *name, tournament_error_t *error);
static void tournament_watched_tell(tournament_watched_t *watched);
static void tournament_watched_forget(tournament_event_t **event);
static void tournament_watched_bound(tournament_watched_t *watched,
    int64_t until);
static void tournament_watched_unbound(tournament_watched_t *watched);
static void tournament_watched_schedule(tournament_watched_t *watched);
static ngx_msec_t tournament_watched_pause(tournament_watched_t *watched);
static ngx_msec_t tournament_watched_rest(tournament_watched_t *watched);
static ngx_msec_t tournament_watched_backoff(tournament_watched_t *watched,
    ngx_msec_t first);

static tournament_event_t *tournament_event_create(const char *first,
    uint64_t id, ngx_str_t *data);


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
        tournament_watch_post(watch);
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
        tournament_watch_post(watch);
    }
}


static void
tournament_watch_post(tournament_watch_t *watch)
{
    if (!watch->turn.posted) {
        ngx_post_event(&watch->turn, &ngx_posted_events);
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
    tournament_watch_post(watch);
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


static size_t
tournament_watched_name(tournament_subject_t *subject, u_char *name)
{
    u_char      *p;
    ngx_uint_t   i;

    p = ngx_cpymem(name, &subject->tlcf, sizeof(tournament_loc_conf_t *));
    p = ngx_cpymem(p, &subject->user, sizeof(int64_t));
    *p++ = (u_char) subject->staff;

    for (i = 0; i < subject->nkeys; i++) {
        p = ngx_cpymem(p, subject->keys[i].data, subject->keys[i].len);
    }

    return p - name;
}


static tournament_watched_t *
tournament_watched_find(tournament_watch_t *watch, ngx_str_t *name,
    uint32_t *hash)
{
    *hash = ngx_murmur_hash2(name->data, name->len);

    return (tournament_watched_t *)
               ngx_str_rbtree_lookup(&watch->keys, name, *hash);
}


static tournament_watched_t *
tournament_watched_create(tournament_watch_t *watch,
    tournament_subject_t *subject, ngx_str_t *name, uint32_t hash)
{
    u_char                  *p;
    ngx_uint_t               i;
    tournament_watched_t    *watched;
    tournament_view_part_t  *part;

    /* the keys are the end of the name */

    watched = ngx_calloc(sizeof(tournament_watched_t) + name->len,
                         watch->log);
    if (watched == NULL) {
        return NULL;
    }

    p = (u_char *) watched + sizeof(tournament_watched_t);
    ngx_memcpy(p, name->data, name->len);

    watched->node.node.key = hash;
    watched->node.str.data = p;
    watched->node.str.len = name->len;

    watched->watch = watch;
    watched->tlcf = subject->tlcf;
    watched->endpoint = subject->endpoint;
    watched->user = subject->user;
    watched->staff = subject->staff;
    watched->nparts = subject->nkeys;

    p += name->len;

    for (i = subject->nkeys; i; i--) {
        part = &watched->parts[i - 1];
        p -= subject->keys[i - 1].len;

        part->watched = watched;
        part->endpoint = (i == 1) ? subject->endpoint
                                  : subject->endpoint->viewer;
        part->key.data = p;
        part->key.len = subject->keys[i - 1].len;
    }

    ngx_queue_init(&watched->watchers);
    ngx_queue_init(&watched->pending);

    tournament_timer_init(&watched->timer, tournament_watched_timer, watched,
                          watch->log, 1);

    ngx_rbtree_insert(&watch->keys, &watched->node.node);
    watch->nkeys++;

    return watched;
}


static void
tournament_watched_free(tournament_watched_t *watched)
{
    ngx_uint_t               i;
    tournament_watch_t      *watch;
    tournament_view_part_t  *part;

    watch = watched->watch;

    for (i = 0; i < watched->nparts; i++) {
        part = &watched->parts[i];

        tournament_fetch_leave(&part->waiter);
        watch->weight -= part->weight;
        part->weight = 0;
    }

    tournament_watched_drop(watched);
    tournament_watched_unlink(watched);
    tournament_watched_unbound(watched);
    tournament_timer_stop(&watched->timer);

    if (watched->is_due) {
        ngx_queue_remove(&watched->due);
    }

    if (watched->has_news) {
        ngx_queue_remove(&watched->told);
    }

    tournament_watched_forget(&watched->news.document);
    tournament_watched_forget(&watched->news.stale);
    tournament_watched_forget(&watched->news.gone);

    ngx_rbtree_delete(&watch->keys, &watched->node.node);
    watch->nkeys--;

    ngx_free(watched);

    /* others may be queried now */

    if (!ngx_queue_empty(&watch->due)) {
        tournament_watch_post(watch);
    }
}


static ngx_uint_t
tournament_watched_idle(tournament_watched_t *watched)
{
    return ngx_queue_empty(&watched->watchers)
           && ngx_queue_empty(&watched->pending);
}


/* to be looked up; while it is being looked up the clock is compared later */

static void
tournament_watched_due(tournament_watched_t *watched)
{
    if (watched->is_due || watched->waiting) {
        return;
    }

    watched->is_due = 1;
    ngx_queue_insert_tail(&watched->watch->due, &watched->due);

    tournament_watch_post(watched->watch);
}


static void
tournament_watched_timer(ngx_event_t *ev)
{
    tournament_watched_due(ev->data);
}


static void
tournament_watched_look_up(tournament_watched_t *watched)
{
    ngx_uint_t               i;
    ngx_msec_t               ttls[TOURNAMENT_BODY_ENTRIES];
    tournament_body_t       *body;
    tournament_name_t        name;
    tournament_main_conf_t  *tmcf;

    tmcf = watched->watch->tmcf;

    tournament_timer_stop(&watched->timer);

    name.key = watched->parts[0].key;
    name.user = watched->user;
    name.staff = watched->staff;

    ngx_memzero(ttls, sizeof(ttls));

    for (i = 0; i < watched->nparts; i++) {
        ttls[i] = tournament_gather_ttl(tmcf, watched->tlcf,
                                        watched->parts[i].endpoint, 0);
    }

    body = tournament_memo_get(tmcf->memo, &name, ttls);

    if (body) {
        if (tournament_watched_show(watched, body) != NGX_OK) {
            watched->tries++;
        }

        tournament_body_release(body);
        tournament_watched_schedule(watched);
        return;
    }

    watched->error = NULL;

    for (i = 0; i < watched->nparts; i++) {
        if (tournament_watched_part(watched, &watched->parts[i]) != NGX_OK) {
            watched->error = &tournament_error_unavailable;
        }
    }

    if (watched->waiting == 0) {
        tournament_watched_found(watched);
    }
}


/* NGX_OK: it has its entry, or waits.  NGX_ERROR: no memory. */

static ngx_int_t
tournament_watched_part(tournament_watched_t *watched,
    tournament_view_part_t *part)
{
    ngx_int_t                rc;
    tournament_entry_t       entry;
    tournament_verdict_t     verdict;
    tournament_main_conf_t  *tmcf;

    tmcf = watched->watch->tmcf;

    part->fallback = 0;
    part->transient = 0;

    ngx_memzero(&part->waiter, sizeof(tournament_waiter_t));

    rc = tournament_arena_get(&tmcf->zone.arena, &part->key, &entry);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? tournament_watched_wait(watched, part)
                                    : NGX_ERROR;
    }

    tournament_gather_judge(tmcf, watched->tlcf, part->endpoint, &entry,
                            &verdict);

    part->waiter.seen_clock = entry.clock;
    part->waiter.seen_fetched = entry.fetched;
    part->fallback = verdict.fallback;

    /* an expired one is waited for: nobody is in a hurry */

    if (verdict.status == TOURNAMENT_UPDATING && verdict.refresh) {
        verdict.status = TOURNAMENT_EXPIRED;
    }

    part->transient = (verdict.status != TOURNAMENT_HIT);

    if (verdict.status == TOURNAMENT_STALE) {
        tournament_fetch_refresh(tmcf->fetch, part->endpoint, &part->key,
                                 &entry);
    }

    if ((verdict.status != TOURNAMENT_EXPIRED || verdict.fallback)
        && tournament_watched_copy(part, &entry) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (verdict.status == TOURNAMENT_EXPIRED)
           ? tournament_watched_wait(watched, part) : NGX_OK;
}


static ngx_int_t
tournament_watched_wait(tournament_watched_t *watched,
    tournament_view_part_t *part)
{
    tournament_watch_t  *watch;

    watch = watched->watch;

    part->waiter.handler = tournament_watched_arrived;
    part->waiter.data = part;
    part->waiter.owner = watched;
    part->waiter.cache = 1;
    part->waiter.impatient = part->fallback;
    part->waiter.coalesce =
        watched->tlcf->coalesce[tournament_endpoint_settings(part->endpoint)];

    if (tournament_fetch_add(watch->tmcf->fetch, part->endpoint, &part->key,
                             &part->waiter)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    part->weight = part->endpoint->bulk.sql ? 1 : watch->single;
    watch->weight += part->weight;
    watched->waiting++;

    return NGX_OK;
}


static void
tournament_watched_arrived(tournament_waiter_t *waiter, tournament_pg_rc_e rc,
    tournament_entry_t *entry)
{
    tournament_watch_t      *watch;
    tournament_watched_t    *watched;
    tournament_view_part_t  *part;

    part = waiter->data;
    watched = part->watched;
    watch = watched->watch;

    watch->weight -= part->weight;
    part->weight = 0;
    watched->waiting--;

    if (rc == TOURNAMENT_PG_OK) {
        part->transient = tournament_clock_walked(watch->tmcf->zone.clock,
                                                  entry->clock);

        if (tournament_watched_copy(part, entry) != NGX_OK) {
            watched->error = &tournament_error_unavailable;
        }

    } else if (!part->fallback) {
        watched->error = (rc == TOURNAMENT_PG_TIMEOUT)
                         ? &tournament_error_timeout
                         : &tournament_error_unavailable;
    }

    if (watched->waiting == 0) {
        tournament_watched_found(watched);
    }

    if (!ngx_queue_empty(&watch->due)) {
        tournament_watch_post(watch);
    }
}


/* all entries are there, or one is not to be had */

static void
tournament_watched_found(tournament_watched_t *watched)
{
    ngx_uint_t  i;

    for (i = 0; i < watched->nparts && watched->error == NULL; i++) {
        if (tournament_watched_older(watched, i, watched->parts[i].entry.clock,
                                     watched->parts[i].entry.fetched))
        {
            break;
        }
    }

    if (watched->error) {
        tournament_watched_fail(watched, watched->error);

    } else if (i < watched->nparts) {
        watched->tries++;

    } else {
        tournament_watched_derive(watched);
    }

    tournament_watched_drop(watched);
    tournament_watched_schedule(watched);
}


static ngx_int_t
tournament_watched_copy(tournament_view_part_t *part,
    tournament_entry_t *entry)
{
    if (part->memory) {
        ngx_free(part->memory);
    }

    part->memory = ngx_alloc(ngx_max(tournament_entry_size(entry), 1),
                             part->watched->watch->log);
    if (part->memory == NULL) {
        return NGX_ERROR;
    }

    tournament_entry_copy(&part->entry, entry, part->memory);

    return NGX_OK;
}


/* the copies of entries */

static void
tournament_watched_drop(tournament_watched_t *watched)
{
    ngx_uint_t               i;
    tournament_view_part_t  *part;

    for (i = 0; i < watched->nparts; i++) {
        part = &watched->parts[i];

        if (part->memory) {
            ngx_free(part->memory);
            part->memory = NULL;
        }
    }
}


/* entries make a document, or the reason why there is none any more */

static void
tournament_watched_derive(tournament_watched_t *watched)
{
    ngx_uint_t               i, transient;
    tournament_body_t       *body;
    tournament_view_t        view;
    tournament_error_t      *error;
    tournament_view_part_t  *part;

    part = watched->parts;
    transient = 0;

    for (i = 0; i < watched->nparts; i++) {
        transient |= part[i].transient;
    }

    view.now = ngx_time();
    view.user = watched->user;
    view.staff = watched->staff;
    view.entry = &part->entry;
    view.context = (watched->nparts == 2) ? &part[1].entry : NULL;

    error = watched->endpoint->check(&view);

    if (error) {
        tournament_watched_say(watched, &watched->news.gone, "gone", error);
        return;
    }

    body = tournament_render(watched->watch->tmcf, watched->tlcf,
                             watched->endpoint,
                             transient ? NULL : &part->key, &view);

    if (body == NULL || tournament_watched_show(watched, body) != NGX_OK) {
        watched->tries++;
    }

    if (body) {
        tournament_body_release(body);
    }
}


static ngx_uint_t
tournament_watched_older(tournament_watched_t *watched, ngx_uint_t i,
    uint64_t clock, ngx_msec_t fetched)
{
    tournament_view_part_t  *part;

    if (watched->news.document == NULL) {
        return 0;
    }

    part = &watched->parts[i];

    return clock < part->clock
           || (clock == part->clock
               && (ngx_msec_int_t) (fetched - part->fetched) < 0);
}


/*
 * A body of this second takes the place of what is shown.  NGX_DECLINED: it is
 * older, NGX_ERROR: no memory.
 */

static ngx_int_t
tournament_watched_show(tournament_watched_t *watched, tournament_body_t *body)
{
    ngx_uint_t            i, other, same;
    tournament_event_t   *event, *old;
    tournament_clock_t   *clock;
    tournament_origin_t  *origin;

    old = watched->news.document;
    other = (old == NULL || old->id != body->id);
    same = (!other && old->second == body->second);

    for (i = 0; i < body->norigins && i < watched->nparts; i++) {
        origin = &body->origins[i];

        if (tournament_watched_older(watched, i, origin->clock,
                                     origin->fetched))
        {
            return NGX_DECLINED;
        }

        same &= (origin->clock == watched->parts[i].clock
                 && origin->fetched == watched->parts[i].fetched);
    }

    /* many come at the same time */

    if (same && watched->news.stale == NULL && watched->news.gone == NULL) {
        return NGX_OK;
    }

    if (other || old->second != body->second) {
        event = tournament_event_create("id: ", body->id, &body->text);
        if (event == NULL) {
            return NGX_ERROR;
        }

        event->second = body->second;

        tournament_watched_forget(&watched->news.document);
        watched->news.document = event;
    }

    clock = watched->watch->tmcf->zone.clock;
    watched->unsettled = (tournament_watched_link(watched, body) != NGX_OK);

    for (i = 0; i < body->norigins && i < watched->nparts; i++) {
        origin = &body->origins[i];

        if (origin->clock > watched->parts[i].clock) {
            watched->tries = 0;
        }

        watched->parts[i].clock = origin->clock;
        watched->parts[i].fetched = origin->fetched;

        if (!tournament_clock_fresh(clock, origin->clock, origin->stripes,
                                    origin->nstripes))
        {
            watched->unsettled = 1;
        }
    }

    if (!watched->unsettled) {
        watched->tries = 0;
    }

    if (other || watched->news.stale || watched->news.gone) {
        tournament_watched_forget(&watched->news.stale);
        tournament_watched_forget(&watched->news.gone);
        tournament_watched_tell(watched);
    }

    tournament_watched_bound(watched, body->until);

    return NGX_OK;
}


/* to the lists of its stripes; NGX_ERROR: no memory, and it is as before */

static ngx_int_t
tournament_watched_link(tournament_watched_t *watched, tournament_body_t *body)
{
    uint32_t             *stripes;
    ngx_uint_t            i, k, n;
    tournament_link_t    *links;
    tournament_watch_t   *watch;

    watch = watched->watch;
    n = 0;

    for (i = 0; i < body->norigins; i++) {
        n += body->origins[i].nstripes;
    }

    links = ngx_alloc(ngx_max(n, 1) * sizeof(tournament_link_t), watch->log);
    if (links == NULL) {
        return NGX_ERROR;
    }

    tournament_watched_unlink(watched);

    watched->links = links;
    watched->nlinks = n;

    for (i = 0; i < body->norigins; i++) {
        stripes = body->origins[i].stripes;

        for (k = 0; k < body->origins[i].nstripes; k++) {
            links->watched = watched;
            links->stripe = stripes[k];

            ngx_queue_insert_tail(&watch->stripes[stripes[k]
                                                  % TOURNAMENT_WATCH_LISTS],
                                  &links->queue);
            links++;
        }
    }

    return NGX_OK;
}


static void
tournament_watched_unlink(tournament_watched_t *watched)
{
    ngx_uint_t  i;

    for (i = 0; i < watched->nlinks; i++) {
        ngx_queue_remove(&watched->links[i].queue);
    }

    if (watched->links) {
        ngx_free(watched->links);
    }

    watched->links = NULL;
    watched->nlinks = 0;
}


/* a poll would be answered with that error: said once, and tried again */

static void
tournament_watched_fail(tournament_watched_t *watched,
    tournament_error_t *error)
{
    watched->tries++;

    if (watched->news.stale == NULL) {
        tournament_watched_say(watched, &watched->news.stale, "stale", error);
    }
}


static void
tournament_watched_say(tournament_watched_t *watched,
    tournament_event_t **place, const char *name, tournament_error_t *error)
{
    u_char               first[sizeof("event: stale")];
    tournament_event_t  *event;

    (void) ngx_sprintf(first, "event: %s%Z", name);

    event = tournament_event_create((char *) first, 0, &error->body);

    if (event == NULL) {
        watched->tries++;
        return;
    }

    tournament_watched_forget(place);
    *place = event;

    tournament_watched_tell(watched);
}


static void
tournament_watched_tell(tournament_watched_t *watched)
{
    ngx_queue_t  *watchers;

    watchers = &watched->watchers;

    if (!ngx_queue_empty(watchers)) {
        ngx_queue_add(&watched->pending, watchers);
        ngx_queue_init(watchers);
    }

    if (watched->has_news || ngx_queue_empty(&watched->pending)) {
        return;
    }

    watched->has_news = 1;
    ngx_queue_insert_tail(&watched->watch->news, &watched->told);

    tournament_watch_post(watched->watch);
}


static void
tournament_watched_forget(tournament_event_t **event)
{
    if (*event) {
        tournament_event_release(*event);
        *event = NULL;
    }
}


/* it says the same until then; 0: without end */

static void
tournament_watched_bound(tournament_watched_t *watched, int64_t until)
{
    tournament_watched_unbound(watched);

    if (until == 0) {
        return;
    }

    /* where its time is over, and it is all that is to be had, not at once */

    watched->boundary.key = (ngx_rbtree_key_t) ngx_max(until, ngx_time() + 1);
    watched->bounded = 1;

    ngx_rbtree_insert(&watched->watch->boundaries, &watched->boundary);
}


static void
tournament_watched_unbound(tournament_watched_t *watched)
{
    if (watched->bounded) {
        ngx_rbtree_delete(&watched->watch->boundaries, &watched->boundary);
        watched->bounded = 0;
    }
}


/* when it is looked up next, whatever is heard until then */

static void
tournament_watched_schedule(tournament_watched_t *watched)
{
    ngx_msec_t  ms;

    tournament_timer_stop(&watched->timer);

    if (watched->waiting || watched->news.gone) {
        return;
    }

    ms = (watched->unsettled || watched->news.stale || watched->tries)
         ? tournament_watched_pause(watched)
         : tournament_watched_rest(watched);

    ngx_add_timer(&watched->timer, ngx_min(ms, TOURNAMENT_WATCH_LONG));
}


/* ms until another attempt */

static ngx_msec_t
tournament_watched_pause(tournament_watched_t *watched)
{
    ngx_msec_t               age, coalesce;
    tournament_view_part_t  *part;

    if (watched->news.stale || watched->tries > 1) {
        return tournament_watched_backoff(watched, TOURNAMENT_WATCH_RETRY);
    }

    /* changes pour in: one refresh in so much time is enough */

    part = watched->parts;
    age = tournament_elapsed(part->fetched);
    coalesce =
        watched->tlcf->coalesce[tournament_endpoint_settings(part->endpoint)];

    if (age < coalesce) {
        return coalesce - age + 1;
    }

    watched->tries++;

    return tournament_watched_backoff(watched, TOURNAMENT_WATCH_AGAIN);
}


/* longer each time, and not for all at the same time */

static ngx_msec_t
tournament_watched_backoff(tournament_watched_t *watched, ngx_msec_t first)
{
    ngx_msec_t  ms;

    ms = first << ngx_min(watched->tries, 10);
    ms = ngx_min(ms, TOURNAMENT_WATCH_PAUSE);

    return ms - ngx_random() % (ms / 4 + 1);
}


/* ms until a TTL ends */

static ngx_msec_t
tournament_watched_rest(tournament_watched_t *watched)
{
    ngx_msec_t               ms, ttl, age, rest;
    ngx_uint_t               i;
    tournament_main_conf_t  *tmcf;
    tournament_view_part_t  *part;

    tmcf = watched->watch->tmcf;
    rest = TOURNAMENT_WATCH_LONG;

    for (i = 0; i < watched->nparts; i++) {
        part = &watched->parts[i];

        ttl = tournament_gather_ttl(tmcf, watched->tlcf, part->endpoint, 0);
        age = tournament_elapsed(part->fetched);

        ms = (age < ttl) ? ttl - age : 0;
        ms += 1 + ngx_random() % (ttl / 8 + 1);

        rest = ngx_min(rest, ms);
    }

    if (tmcf->listen
        && tournament_feed_state(&tmcf->zone) != TOURNAMENT_FEED_UP)
    {
        return ngx_max(rest, TOURNAMENT_WATCH_UNHEARD);
    }

    return ngx_max(rest, TOURNAMENT_WATCH_LEAST);
}


/* id 0: there is none, and first is a line of its own */

static tournament_event_t *
tournament_event_create(const char *first, uint64_t id, ngx_str_t *data)
{
    u_char              *p;
    size_t               len;
    tournament_event_t  *event;

    len = ngx_strlen(first) + 2 * sizeof(uint64_t) + sizeof("\ndata: \n\n")
          + data->len;

    event = ngx_alloc(sizeof(tournament_event_t) + len, ngx_cycle->log);
    if (event == NULL) {
        return NULL;
    }

    event->refs = 1;
    event->id = id;
    event->second = 0;

    p = (u_char *) event + sizeof(tournament_event_t);
    event->text.data = p;

    p = ngx_cpymem(p, first, ngx_strlen(first));

    if (id) {
        p = ngx_sprintf(p, "%016xL", id);
    }

    p = ngx_cpymem(p, "\ndata: ", sizeof("\ndata: ") - 1);
    p = ngx_cpymem(p, data->data, data->len);
    *p++ = LF;
    *p++ = LF;

    event->text.len = p - event->text.data;

    return event;
}


void
tournament_event_release(tournament_event_t *event)
{
    if (--event->refs == 0) {
        ngx_free(event);
    }
}
