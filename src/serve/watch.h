
/*
 * Watched keys of a worker.  Whoever watches one is told when its document has
 * become another: by a change that the clock knows of, by an instant that has
 * come, or by the end of a TTL.  A document is read once for all who watch it,
 * by the way that requests go, and rendered into one event for all of them.
 *
 * What is shown never goes back to older facts.  Where nobody watches anything
 * a change costs a look at one word of the zone.
 */

#ifndef _TOURNAMENT_WATCH_H_INCLUDED_
#define _TOURNAMENT_WATCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/context.h"
#include "serve/event.h"


typedef struct tournament_watcher_s  tournament_watcher_t;


/* in the memory of who watches, zeroed */

struct tournament_watcher_s {

    /*
     * handler: look at the news.  leave: the worker exits, and this one's turn
     * has come; it removes itself.  Either may remove any watcher.
     */

    void                       (*handler)(tournament_watcher_t *watcher);
    void                       (*leave)(tournament_watcher_t *watcher);

    unsigned                     hasty:1;   /* it leaves at once then */

    /* the room's own */

    struct tournament_watched_s *watched;   /* NULL: it does not watch */
    ngx_queue_t                  queue;     /* of the key */
    ngx_queue_t                  all;       /* of the worker, by age */
};


/* Memory is taken from pool, but for keys and events.  NULL: no memory. */

tournament_watch_t *tournament_watch_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_main_conf_t *tmcf);


/* Forgets all keys, calling no handlers: the process exits. */

void tournament_watch_destroy(tournament_watch_t *watch);


/*
 * Begins to watch.  body is what a request for the subject has just got.
 * NGX_OK; NGX_BUSY: there are as many watchers or keys as there may be;
 * NGX_ERROR: no memory.
 */

ngx_int_t tournament_watch_add(tournament_watch_t *watch,
    tournament_subject_t *subject, tournament_body_t *body,
    tournament_watcher_t *watcher);


/* Watches no more, if it does. */

void tournament_watch_remove(tournament_watcher_t *watcher);


/* Of a watcher that watches. */

tournament_news_t *tournament_watch_news(tournament_watcher_t *watcher);


/*
 * This worker has changed the clock: tells those that watch, and itself.  data
 * is the tournament_watch_t.
 */

void tournament_watch_changed(void *data);


#endif /* _TOURNAMENT_WATCH_H_INCLUDED_ */
