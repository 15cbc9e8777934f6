
/*
 * A key is looked up in the memo, in the zone, and queried where it must be,
 * together with others, a few at a time: requests go first.  What is shown
 * never goes back to older facts.
 *
 *   due, timer    look_up()            -> parts that wait, or found()
 *   waiting       arrived(), the last  -> found()
 *   found         derive(), fail()     -> document, stale or gone, and its news
 *
 * schedule() says when it is due again.
 */

#include <ngx_event.h>

#include "feed/feed.h"
#include "serve/gather.h"
#include "serve/render.h"
#include "serve/watched.h"
#include "zone/timer.h"


/* ms; how often is asked at most, and while nothing is heard of changes */
#define TOURNAMENT_WATCH_LEAST   1000
#define TOURNAMENT_WATCH_UNHEARD 10000

/* ms; of one that fails, and of one that has changed again meanwhile */
#define TOURNAMENT_WATCH_RETRY   1000
#define TOURNAMENT_WATCH_AGAIN   10
#define TOURNAMENT_WATCH_PAUSE   10000

/* ms; no timer is longer */
#define TOURNAMENT_WATCH_LONG    86400000


static void tournament_watched_timer(ngx_event_t *ev);
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
static void tournament_watched_adopt(tournament_watched_t *watched,
    tournament_body_t *body, ngx_uint_t same);
static ngx_int_t tournament_watched_link(tournament_watched_t *watched,
    tournament_body_t *body);
static void tournament_watched_unlink(tournament_watched_t *watched);
static void tournament_watched_fail(tournament_watched_t *watched,
    tournament_error_t *error);
static void tournament_watched_say(tournament_watched_t *watched,
    tournament_event_t **place, const char *name, tournament_error_t *error);
static void tournament_watched_tell(tournament_watched_t *watched);
static void tournament_watched_bound(tournament_watched_t *watched,
    int64_t until);
static ngx_msec_t tournament_watched_pause(tournament_watched_t *watched);
static ngx_msec_t tournament_watched_rest(tournament_watched_t *watched);
static ngx_msec_t tournament_watched_backoff(tournament_watched_t *watched,
    ngx_msec_t first);


void
tournament_watched_turn(tournament_watch_t *watch)
{
    if (!watch->turn.posted) {
        ngx_post_event(&watch->turn, &ngx_posted_events);
    }
}


size_t
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


tournament_watched_t *
tournament_watched_find(tournament_watch_t *watch, ngx_str_t *name,
    uint32_t *hash)
{
    *hash = ngx_murmur_hash2(name->data, name->len);

    return (tournament_watched_t *)
               ngx_str_rbtree_lookup(&watch->keys, name, *hash);
}


tournament_watched_t *
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


void
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

    tournament_event_forget(&watched->news.document);
    tournament_event_forget(&watched->news.stale);
    tournament_event_forget(&watched->news.gone);

    ngx_rbtree_delete(&watch->keys, &watched->node.node);
    watch->nkeys--;

    ngx_free(watched);

    /* others may be queried now */

    if (!ngx_queue_empty(&watch->due)) {
        tournament_watched_turn(watch);
    }
}


ngx_uint_t
tournament_watched_idle(tournament_watched_t *watched)
{
    return ngx_queue_empty(&watched->watchers)
           && ngx_queue_empty(&watched->pending);
}


/* to be looked up; while it is being looked up the clock is compared later */

void
tournament_watched_due(tournament_watched_t *watched)
{
    if (watched->is_due || watched->waiting) {
        return;
    }

    watched->is_due = 1;
    ngx_queue_insert_tail(&watched->watch->due, &watched->due);

    tournament_watched_turn(watched->watch);
}


static void
tournament_watched_timer(ngx_event_t *ev)
{
    tournament_watched_due(ev->data);
}


void
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
        tournament_watched_turn(watch);
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


ngx_int_t
tournament_watched_show(tournament_watched_t *watched, tournament_body_t *body)
{
    ngx_uint_t            i, other, same;
    tournament_event_t   *event, *old;
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

    if (other || old->second != body->second) {
        event = tournament_event_create("id: ", body->id, &body->text);
        if (event == NULL) {
            return NGX_ERROR;
        }

        event->second = body->second;

        tournament_event_forget(&watched->news.document);
        watched->news.document = event;
    }

    tournament_watched_adopt(watched, body, same && watched->links);

    if (other || watched->news.stale || watched->news.gone) {
        tournament_event_forget(&watched->news.stale);
        tournament_event_forget(&watched->news.gone);
        tournament_watched_tell(watched);
    }

    tournament_watched_bound(watched, body->until);

    return NGX_OK;
}


/* what it is made of, unless it is the same, and whether that has changed */

static void
tournament_watched_adopt(tournament_watched_t *watched,
    tournament_body_t *body, ngx_uint_t same)
{
    ngx_uint_t            i;
    tournament_clock_t   *clock;
    tournament_origin_t  *origin;

    clock = watched->watch->tmcf->zone.clock;
    watched->unsettled = 0;

    /* many that begin at the same time bring the same */

    if (!same && tournament_watched_link(watched, body) != NGX_OK) {
        tournament_watched_unlink(watched);
        watched->unsettled = 1;
    }

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
}


/* to the lists of its stripes; NGX_ERROR: no memory */

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

    tournament_event_forget(place);
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

    tournament_watched_turn(watched->watch);
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


void
tournament_watched_unbound(tournament_watched_t *watched)
{
    if (watched->bounded) {
        ngx_rbtree_delete(&watched->watch->boundaries, &watched->boundary);
        watched->bounded = 0;
    }
}


void
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
