
/*
 * A watched key of a worker: the document that it shows, when it is to be
 * looked up anew, and how.  The worker's lists of keys are here, too; watch.h
 * is for those who watch.
 */

#ifndef _TOURNAMENT_WATCHED_H_INCLUDED_
#define _TOURNAMENT_WATCHED_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/context.h"
#include "serve/event.h"
#include "serve/fetch.h"


/* a power of two: stripes are found in so many lists */
#define TOURNAMENT_WATCH_LISTS   4096

/* bytes; of a key's name at most */
#define TOURNAMENT_WATCH_NAME    (2 * TOURNAMENT_KEY_MAX + 32)


typedef struct tournament_watched_s  tournament_watched_t;


/* a worker's keys */

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


/* The worker's next turn comes after what is under way. */

void tournament_watched_turn(tournament_watch_t *watch);


/*
 * name: into TOURNAMENT_WATCH_NAME bytes; their number.  find: NULL if there is
 * none; *hash is set in any case.  create: of a name that there is not yet, and
 * without a document; NULL: no memory.
 */

size_t tournament_watched_name(tournament_subject_t *subject,
    u_char *name);
tournament_watched_t *tournament_watched_find(tournament_watch_t *watch,
    ngx_str_t *name, uint32_t *hash);
tournament_watched_t *tournament_watched_create(
    tournament_watch_t *watch, tournament_subject_t *subject, ngx_str_t *name,
    uint32_t hash);
void tournament_watched_free(tournament_watched_t *watched);


/* Whether nobody watches it. */

ngx_uint_t tournament_watched_idle(tournament_watched_t *watched);


/* It is to be looked up in one of the next turns.  look_up: in this one. */

void tournament_watched_due(tournament_watched_t *watched);
void tournament_watched_look_up(tournament_watched_t *watched);


/*
 * A body of this second takes the place of what is shown.  NGX_DECLINED: it is
 * older, NGX_ERROR: no memory.
 */

ngx_int_t tournament_watched_show(tournament_watched_t *watched,
    tournament_body_t *body);


/* When it is looked up next, whatever is heard until then. */

void tournament_watched_schedule(tournament_watched_t *watched);


/* Its boundary is no longer waited for. */

void tournament_watched_unbound(tournament_watched_t *watched);


#endif /* _TOURNAMENT_WATCHED_H_INCLUDED_ */
