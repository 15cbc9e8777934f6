
/*
 * Changes by NOTIFY: PostgreSQL delivers a notification once its transaction
 * is visible, in the order of commits, to every session that has confirmed its
 * LISTEN by then.
 *
 *     STARTING  -> LISTENING   LISTEN is confirmed
 *     LISTENING -> DRAINING    drain()
 *     DRAINING  -> DRAINED     an answer that comes after all there was
 */

#include <ngx_event.h>

#include "feed/source.h"
#include "zone/timer.h"


typedef enum {
    TOURNAMENT_NOTIFY_STARTING = 0,
    TOURNAMENT_NOTIFY_LISTENING,
    TOURNAMENT_NOTIFY_DRAINING,
    TOURNAMENT_NOTIFY_DRAINED
} tournament_notify_state_e;


enum {
    TOURNAMENT_NOTIFY_LISTEN = TOURNAMENT_SESSION_CHECK + 1,
    TOURNAMENT_NOTIFY_DRAIN
};


typedef struct {
    tournament_notify_state_e   state;
    tournament_source_conf_t   *conf;
    tournament_question_t       question;
    ngx_event_t                 drained;    /* after the answer */
} tournament_notify_t;


static void *tournament_notify_start(tournament_source_conf_t *conf,
    tournament_report_t *report);
static void tournament_notify_stop(void *source);
static void tournament_notify_beat(void *source);
static void tournament_notify_checked(void *source,
    tournament_report_t *report);
static void tournament_notify_notified(void *source, char *payload);
static void tournament_notify_listens(void *data, ngx_uint_t ok,
    PGresult *res);
static void tournament_notify_drain(void *source, uint64_t position);
static void tournament_notify_answered(void *data, ngx_uint_t ok,
    PGresult *res);
static void tournament_notify_drained(ngx_event_t *ev);


static tournament_pg_statement_t  tournament_notify_listen = {
    "tournament_listen", "LISTEN tournament_changes", 0
};

/*
 * Whoever notifies is made to read the queue of notifications up to its own
 * one, before the statement ends.  Any other statement could be answered
 * before the server process is told of what was committed a moment ago.
 * Nobody listens there.
 */

static tournament_pg_statement_t  tournament_notify_drain_statement = {
    "tournament_drain", "SELECT pg_catalog.pg_notify('tournament_drain', '')",
    0
};


static tournament_pg_statement_t  *tournament_notify_statements[] = {
    &tournament_session_check_statement,
    &tournament_notify_listen,
    &tournament_notify_drain_statement
};


tournament_source_kind_t  tournament_notify_kind = {
    ngx_string("notify"),
    TOURNAMENT_SESSION_NOTIFY,
    1000,
    TOURNAMENT_PG_PRIMARY,
    tournament_notify_statements,
    3,
    tournament_notify_start,
    tournament_notify_stop,
    tournament_notify_beat,
    tournament_notify_checked,
    tournament_notify_notified,
    tournament_notify_drain
};


static void *
tournament_notify_start(tournament_source_conf_t *conf,
    tournament_report_t *report)
{
    tournament_notify_t  *notify;

    notify = ngx_calloc(sizeof(tournament_notify_t), conf->log);
    if (notify == NULL) {
        return NULL;
    }

    notify->conf = conf;

    tournament_timer_init(&notify->drained, tournament_notify_drained, notify,
                          conf->log, 1);

    if (tournament_session_ask(conf->session, &notify->question,
                               TOURNAMENT_NOTIFY_LISTEN, NULL,
                               tournament_notify_listens, notify)
        != NGX_OK)
    {
        ngx_free(notify);
        return NULL;
    }

    return notify;
}


static void
tournament_notify_stop(void *source)
{
    tournament_notify_t  *notify = source;

    tournament_session_forget(&notify->question);
    tournament_timer_stop(&notify->drained);
    ngx_free(notify);
}


/* STARTING -> LISTENING */

static void
tournament_notify_listens(void *data, ngx_uint_t ok, PGresult *res)
{
    tournament_notify_t  *notify = data;

    if (!ok) {
        notify->conf->hooks->lost(notify->conf->data);
        return;
    }

    notify->state = TOURNAMENT_NOTIFY_LISTENING;
    notify->conf->hooks->up(notify->conf->data, 0);
}


static void
tournament_notify_beat(void *source)
{
    /* void: the session's checks show that the server is there */
}


static void
tournament_notify_checked(void *source, tournament_report_t *report)
{
    /* void */
}


static void
tournament_notify_notified(void *source, char *text)
{
    tournament_notify_t *notify = source;

    tournament_token_t         token;
    tournament_payload_t       payload;
    tournament_source_conf_t  *conf;

    conf = notify->conf;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, conf->log, 0,
                   "tournament feed: \"%s\"", text);

    conf->hooks->heard(conf->data);

    tournament_payload_open(&payload, (u_char *) text, ngx_strlen(text));

    while (tournament_payload_next(&payload, &token)) {
        conf->hooks->token(conf->data, &token);
    }
}


/* LISTENING -> DRAINING */

static void
tournament_notify_drain(void *source, uint64_t position)
{
    tournament_notify_t  *notify = source;

    if (notify->state == TOURNAMENT_NOTIFY_LISTENING
        && tournament_session_ask(notify->conf->session, &notify->question,
                                  TOURNAMENT_NOTIFY_DRAIN, NULL,
                                  tournament_notify_answered, notify)
           == NGX_OK)
    {
        notify->state = TOURNAMENT_NOTIFY_DRAINING;
    }
}


/* notifications that came with the answer are handled after it */

static void
tournament_notify_answered(void *data, ngx_uint_t ok, PGresult *res)
{
    tournament_notify_t  *notify = data;

    if (!ok) {
        notify->conf->hooks->lost(notify->conf->data);
        return;
    }

    ngx_add_timer(&notify->drained, 0);
}


/* DRAINING -> DRAINED */

static void
tournament_notify_drained(ngx_event_t *ev)
{
    tournament_notify_t  *notify;

    notify = ev->data;
    notify->state = TOURNAMENT_NOTIFY_DRAINED;

    notify->conf->hooks->drained(notify->conf->data);
}
