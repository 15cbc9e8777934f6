
/*
 * A kind of feed: how what was committed comes to the listener.  The feed
 * elects, hands over and decides what is suspect; a source brings tokens, and
 * says when it does and when it ceases to.
 */

#ifndef _TOURNAMENT_SOURCE_H_INCLUDED_
#define _TOURNAMENT_SOURCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "feed/payload.h"
#include "feed/session.h"


/* bytes, with the NUL: the longest name of a slot */
#define TOURNAMENT_SOURCE_NAME  64


/* what status shows of one */

typedef struct {
    char                       name[TOURNAMENT_SOURCE_NAME];  /* or "" */
    uint64_t                   behind;      /* bytes */
    uint64_t                   behind_ms;
} tournament_source_lag_t;


/*
 * What a source tells the feed.  Only token may be called from within a
 * function of the source.
 *
 * up        whatever is committed from now on will be told of.  position is
 *           where that begins in the server's log, 0 without one
 * token     something has changed, visibly
 * unheard   what was committed before up() may be visible only now
 * heard     the server has said something
 * late      1: it takes long to tell, 0: no more
 * lag       how far it is behind
 * drained   after drain(): everything before that has been told of
 * lost      it tells of nothing any more: stop() it
 * exiting   the worker begins to exit
 */

typedef struct {
    void                     (*up)(void *data, uint64_t position);
    void                     (*token)(void *data, tournament_token_t *token);
    void                     (*unheard)(void *data);
    void                     (*heard)(void *data);
    void                     (*late)(void *data, ngx_uint_t late);
    void                     (*lag)(void *data, tournament_source_lag_t *lag);
    void                     (*drained)(void *data);
    void                     (*lost)(void *data);
    void                     (*exiting)(void *data);
} tournament_source_hooks_t;


/* what a source is made with; it has to stay */

typedef struct {
    ngx_log_t                 *log;
    tournament_session_t      *session;
    ngx_array_t               *targets;
    ngx_msec_t                 connect_timeout;
    const tournament_source_hooks_t  *hooks;
    void                      *data;

    /* the source's own */
    uint64_t                   complaint;   /* the last one, a hash */
    unsigned                   warned:1;
} tournament_source_conf_t;


/*
 * start     of a server that has answered so.  NULL: it is of no use, which is
 *           logged where it was not yet, or memory is short
 * stop      calls no hooks
 * beat      every 100 ms or so, of the elected worker
 * checked   the session's next report
 * notified  a payload of the session's
 * drain     another worker tells of what is committed from position on: see
 *           drained().  Called again and again
 */

typedef struct {
    ngx_str_t                  name;        /* as it is configured */
    ngx_uint_t                 announced;   /* TOURNAMENT_SESSION_* */
    ngx_msec_t                 patience;    /* an old worker waits so long */
    int                        standby;     /* see tournament_pg_conf_t */
    tournament_pg_statement_t **statements;
    ngx_uint_t                 nstatements;

    void                    *(*start)(tournament_source_conf_t *conf,
                                  tournament_report_t *report);
    void                     (*stop)(void *source);
    void                     (*beat)(void *source);
    void                     (*checked)(void *source,
                                  tournament_report_t *report);
    void                     (*notified)(void *source, char *payload);
    void                     (*drain)(void *source, uint64_t position);
} tournament_source_kind_t;


extern tournament_source_kind_t  tournament_notify_kind;
extern tournament_source_kind_t  tournament_logical_kind;


#endif /* _TOURNAMENT_SOURCE_H_INCLUDED_ */
