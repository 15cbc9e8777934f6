
/*
 * The transactions that ran as a stream of changes was about to begin.  One
 * whose commit lies before the stream is not told of, and with synchronous
 * replication it may become visible long after the stream has begun.
 */

#ifndef _TOURNAMENT_ELDERS_H_INCLUDED_
#define _TOURNAMENT_ELDERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "feed/session.h"


typedef struct tournament_elders_s  tournament_elders_t;


/*
 * counted, once: which they are is known.  ended: some have since then, and
 * others may see now what they did.  failed: the server gives no answer.
 */

typedef struct {
    ngx_log_t                 *log;
    tournament_session_t      *session;     /* on the stream's server */
    ngx_uint_t                 statement;   /* its tournament_elders_running */

    void                     (*counted)(void *data);
    void                     (*ended)(void *data);
    void                     (*failed)(void *data);
    void                      *data;
} tournament_elders_conf_t;


extern tournament_pg_statement_t  tournament_elders_running;


/* conf is copied, memory is pool's.  NULL: no memory. */

tournament_elders_t *tournament_elders_create(ngx_pool_t *pool,
    tournament_elders_conf_t *conf);
void tournament_elders_destroy(tournament_elders_t *elders);


/* Counts those that run now, and watches them until all have ended. */

void tournament_elders_watch(tournament_elders_t *elders);


/* How many run still; 0 before they are counted. */

uint64_t tournament_elders_left(tournament_elders_t *elders);


#endif /* _TOURNAMENT_ELDERS_H_INCLUDED_ */
