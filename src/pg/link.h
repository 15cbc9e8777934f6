
/*
 * One connection of libpq on nginx's event loop: it connects, waits for its
 * socket, reads and writes, and nothing here waits for a peer.  What is said
 * on it is its owner's business: the pool's or a stream's.
 */

#ifndef _TOURNAMENT_LINK_H_INCLUDED_
#define _TOURNAMENT_LINK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <libpq-fe.h>

#include "pg/conninfo.h"


/*
 * What happens to a link.  Only lost may be called from within a function of
 * this room, and of these only from within connect().
 *
 * open      libpq is connected, and does not block
 * input     something was read: take what has come whole.  NGX_OK: all of it
 *           was taken; NGX_AGAIN: enough for this turn, there is more;
 *           NGX_DONE: the link was closed
 * turn      after the reads of a turn of the event loop; may be NULL
 * lost      refused, timed out or lost, for that reason: close() it.  Nothing
 *           of the link is touched after that hook
 * notice    the server says something; res is libpq's
 * exiting   the worker begins to exit; may be NULL
 */

typedef struct {
    void                   (*open)(void *data);
    ngx_int_t              (*input)(void *data);
    void                   (*turn)(void *data);
    void                   (*lost)(void *data, const char *reason);
    void                   (*notice)(void *data, const PGresult *res);
    void                   (*exiting)(void *data);
} tournament_link_hooks_t;


typedef struct {
    const tournament_link_hooks_t  *hooks;
    void                           *data;
    ngx_log_t                      *log;

    PGconn                         *conn;        /* NULL: closed */
    ngx_connection_t               *c;           /* NULL: no events */
    ngx_event_t                     timer;       /* gives up connecting */

    /* since a result or a message ended */
    ngx_uint_t                      reads;
    size_t                          arrived;     /* bytes, at least */

    char                            sqlstate[6]; /* of why it was refused */
    u_char                          last_words[128];

    unsigned                        open:1;
    unsigned                        more:1;      /* than one turn took */
    unsigned                        starved:1;   /* see below */
} tournament_link_t;


/* Prepares a zeroed link; hooks and data are kept. */

void tournament_link_init(tournament_link_t *link, ngx_log_t *log,
    const tournament_link_hooks_t *hooks, void *data);


/*
 * Begins to connect a closed link to an address, for at most timeout ms.  extra
 * has further keywords and values, as PQconnectStartParams() takes them, or is
 * NULL; they replace the target's own, but "options" are added to those.  The
 * outcome comes through the hooks open or lost, the latter perhaps at once.
 */

void tournament_link_connect(tournament_link_t *link,
    tournament_target_t *target, tournament_target_t *extra,
    ngx_msec_t timeout);


/*
 * Sends what libpq holds back, now and as the socket has room.  NGX_ERROR: the
 * connection is lost; PQerrorMessage() says why.
 */

ngx_int_t tournament_link_flush(tournament_link_t *link);


/* Whether something has not been sent yet. */

ngx_uint_t tournament_link_unsent(tournament_link_t *link);


/*
 * The result or the message that was arriving has ended; endless: whether so
 * much of one has come that nobody waits for its end.
 */

void tournament_link_ended(tournament_link_t *link);
ngx_uint_t tournament_link_endless(tournament_link_t *link);

#define TOURNAMENT_LINK_ENDLESS  "more than 32 MB without an end"


/*
 * libpq's functions that take what was read apart.  Without memory it drops a
 * notification, or the end of a pipeline, and says nothing: starved is set
 * then, and the connection must be given up.
 */

ngx_uint_t tournament_link_busy(tournament_link_t *link);
PGresult *tournament_link_result(tournament_link_t *link);
PGnotify *tournament_link_notification(tournament_link_t *link);


/* Closes it, calling no hook; one that is closed stays so. */

void tournament_link_close(tournament_link_t *link);


#endif /* _TOURNAMENT_LINK_H_INCLUDED_ */
