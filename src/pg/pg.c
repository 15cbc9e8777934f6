
/*
 * The life of a connection, and the one place of each transition:
 *
 *     DOWN        -> CONNECTING   connect(), when its timer fires, and at once
 *                                 for a query of an exiting worker
 *     CONNECTING  -> READY        ready(): libpq says that it is open
 *     CONNECTING,
 *     READY       -> DOWN         down(): refused, lost, silent, of no use; or
 *                                 renew(): it works, and another would work
 *                                 better.  Its queries go elsewhere, the timer
 *                                 is set
 *     any         -> DOWN         close(), which these call, too: the worker
 *                                 exits, and there is nothing under way
 *
 * Of a query:
 *
 *     QUEUED      -> SENT         dispatch()
 *     SENT        -> QUEUED       retry(), when its connection is lost or its
 *                                 statement is missing; slow(), when it is held
 *                                 up
 *     SENT        -> LOST         release(): it was repeated before
 *     any         -> DONE         finish(), with the result, the server's error
 *                                 or the deadline
 */

#include <ngx_event.h>

#include "pg/conninfo.h"
#include "pg/errors.h"
#include "pg/link.h"
#include "pg/pg.h"
#include "zone/limit.h"
#include "zone/timer.h"


/* queries under way on one connection */
#define TOURNAMENT_PG_DEPTH        8

/* ms; a connection whose oldest query is older gets no more of them */
#define TOURNAMENT_PG_SLOW_HEAD    20

/* ms; what the server may take to cancel a statement, and to say so */
#define TOURNAMENT_PG_GRACE        500

/* ms; queries behind an older one are sent once more, elsewhere */
#define TOURNAMENT_PG_HOLD_UP      200

/* ms; pauses between attempts to connect, each with up to a quarter more */
#define TOURNAMENT_PG_BACKOFF_MIN  50
#define TOURNAMENT_PG_BACKOFF_MAX  500
#define TOURNAMENT_PG_BACKOFF_BUSY 100   /* while queries wait */

/* ms; the pause where no more connections are allowed, for who has some */
#define TOURNAMENT_PG_BACKOFF_FULL 1000

/* ms; a pool gives up a connection for another one so often at most */
#define TOURNAMENT_PG_YIELD        1000

/* ms; an outage is over when all connections have been open for so long */
#define TOURNAMENT_PG_SETTLE       500

/* ms; an outage that takes the last connection so late is told of again */
#define TOURNAMENT_PG_WORSE        2000

/* ms; what has been an outage's reason for so long is told */
#define TOURNAMENT_PG_REASON       5000

/* ms; errors of queries, and notices, are logged at most once in this time */
#define TOURNAMENT_PG_LOG_PAUSE    1000

/*
 * bytes; no answer is made of a larger result, and nothing larger is waited for
 * to its end.  libpq keeps a connection's buffer as large as its largest row
 * was, so that the connection goes.
 */
#define TOURNAMENT_PG_RESULT_MAX   (32 * 1024 * 1024)

/* ms; a session without rights is renewed at most once in this time */
#define TOURNAMENT_PG_RENEW        1000


typedef enum {
    TOURNAMENT_PG_DOWN = 0,
    TOURNAMENT_PG_CONNECTING,
    TOURNAMENT_PG_READY
} tournament_pg_state_e;


/* a statement on a connection */

enum {
    TOURNAMENT_PG_UNPREPARED = 0,
    TOURNAMENT_PG_PREPARED,
    TOURNAMENT_PG_TAKEN         /* the name is: do without it */
};


/* what is under way on a connection, up to its sync */

typedef struct tournament_pg_conn_s  tournament_pg_conn_t;


/*
 * The first thing that is said on a connection: what queries depend on is ours
 * to say, whatever role and database have set.  Settings that a server does
 * not know are left out.  The time of its start tells a server from others.
 * (Through a pooler in transaction mode these would become other clients'
 * settings: there the role has to have them.)
 */

static tournament_pg_statement_t  tournament_pg_settings = {
    "tournament_settings",
    "SELECT pg_catalog.pg_postmaster_start_time(),"
    " pg_catalog.count(pg_catalog.set_config(name, value, false))"
    " FROM (VALUES ('DateStyle', 'ISO, MDY'), ('IntervalStyle', 'postgres'),"
    " ('array_nulls', 'on'), ('client_min_messages', 'notice'),"
    " ('default_transaction_isolation', 'read committed'),"
    " ('idle_in_transaction_session_timeout', '0'),"
    " ('idle_session_timeout', '0'), ('lock_timeout', '0'),"
    " ('row_security', 'on'), ('standard_conforming_strings', 'on'),"
    " ('transaction_timeout', '0')) AS s (name, value)"
    " WHERE pg_catalog.current_setting(name, true)"
    " OPERATOR(pg_catalog.<>) value",
    0
};


typedef struct tournament_pg_slot_s {
    tournament_pg_conn_t      *conn;
    tournament_pg_query_t     *query;     /* NULL: nobody waits */
    ngx_uint_t                 statement;
    ngx_msec_t                 sent;
    PGresult                  *result;    /* rows */
    PGresult                  *error;     /* the first one */
    unsigned                   preparing:1;  /* not confirmed yet */
} tournament_pg_slot_t;


struct tournament_pg_conn_s {
    tournament_pg_state_e      state;
    tournament_pg_t           *pg;

    tournament_link_t          link;

    /* DOWN: reopens; READY: nobody waits, no answer */
    ngx_event_t                timer;
    ngx_msec_t                 backoff;
    ngx_msec_t                 since;     /* CONNECTING, READY */
    ngx_msec_t                 heard;     /* the last bytes */
    ngx_uint_t                 target;
    ngx_uint_t                 number;    /* ever higher */
    uint64_t                   server;    /* its start; 0: not known */

    /* several queries under way: the oldest one may hold up the others */
    ngx_event_t                slow;

    ngx_uint_t                 first;     /* the ring's oldest */
    ngx_uint_t                 active;    /* slots in use */
    tournament_pg_slot_t      *slots;     /* a ring */

    u_char                    *prepared;  /* by statement */
};


struct tournament_pg_s {
    tournament_pg_conf_t      *conf;
    ngx_log_t                 *log;

    tournament_pg_conn_t      *conns;
    ngx_uint_t                 nready;
    ngx_uint_t                 opened;    /* connections so far */
    ngx_uint_t                 nslots;    /* of each ring */
    ngx_uint_t                 depth;     /* queries on one */

    ngx_queue_t                queue;
    ngx_uint_t                 nqueued;

    ngx_msec_t                 down_since;  /* with no ready one */
    ngx_uint_t                 failed;      /* attempts since then */
    uint64_t                   connected;   /* us; after it */
    ngx_msec_t                 yielded;     /* 0: never */

    ngx_event_t                settled;     /* all are open */
    tournament_outage_seat_t   seat;

    tournament_limit_t         errors;
    tournament_limit_t         notices;

    unsigned                   trouble:1;   /* an outage, here */
    unsigned                   missing:1;   /* statements: logged */
};


static ngx_int_t tournament_pg_init(ngx_pool_t *pool, tournament_pg_t *pg,
    tournament_pg_conn_t *conn);
static void tournament_pg_connect(tournament_pg_conn_t *conn);
static void tournament_pg_ready(void *data);
static const char *tournament_pg_useless(tournament_pg_conn_t *conn);
static ngx_int_t tournament_pg_begin(tournament_pg_conn_t *conn);
static void tournament_pg_down(void *data, const char *reason);
static void tournament_pg_renew(tournament_pg_conn_t *conn,
    const char *reason);
static void tournament_pg_fall(tournament_pg_conn_t *conn);
static void tournament_pg_close(tournament_pg_conn_t *conn);
static ngx_msec_t tournament_pg_pause(tournament_pg_conn_t *conn);
static void tournament_pg_log_down(tournament_pg_conn_t *conn,
    const char *reason);
static void tournament_pg_settled(ngx_event_t *ev);
static void tournament_pg_release(tournament_pg_conn_t *conn);

static void tournament_pg_exiting(void *data);
static void tournament_pg_guard(tournament_pg_conn_t *conn);
static void tournament_pg_timer(ngx_event_t *ev);
static void tournament_pg_silent(tournament_pg_conn_t *conn);
static void tournament_pg_slow(ngx_event_t *ev);
static void tournament_pg_deadline(ngx_event_t *ev);
static void tournament_pg_notice(void *data, const PGresult *res);

static void tournament_pg_dispatch(tournament_pg_t *pg);
static tournament_pg_conn_t *tournament_pg_pick(tournament_pg_t *pg);
static ngx_int_t tournament_pg_start(tournament_pg_conn_t *conn,
    ngx_uint_t statement, tournament_pg_query_t *query);
static ngx_int_t tournament_pg_input(void *data);
static void tournament_pg_turn(void *data);
static ngx_int_t tournament_pg_bounded(tournament_pg_conn_t *conn);
static void tournament_pg_notified(tournament_pg_conn_t *conn);
static ngx_int_t tournament_pg_results(tournament_pg_conn_t *conn);
static ngx_int_t tournament_pg_starved(tournament_pg_conn_t *conn);
static ngx_int_t tournament_pg_result(tournament_pg_conn_t *conn,
    tournament_pg_slot_t *slot, PGresult *res);
static void tournament_pg_sync(tournament_pg_conn_t *conn);
static void tournament_pg_next(tournament_pg_conn_t *conn);
static void tournament_pg_answered(tournament_pg_conn_t *conn,
    tournament_pg_slot_t *done);
static void tournament_pg_refused(tournament_pg_conn_t *conn,
    tournament_pg_slot_t *done);
static tournament_pg_slot_t *tournament_pg_slot(tournament_pg_conn_t *conn,
    ngx_uint_t statement, tournament_pg_query_t *query);
static ngx_int_t tournament_pg_set(tournament_pg_conn_t *conn);
static void tournament_pg_told(tournament_pg_conn_t *conn, PGresult *result);
static tournament_pg_statement_t *tournament_pg_statement(tournament_pg_t *pg,
    ngx_uint_t statement);
static void tournament_pg_enqueue(tournament_pg_query_t *query,
    ngx_uint_t head);
static void tournament_pg_dequeue(tournament_pg_query_t *query);
static ngx_uint_t tournament_pg_again(tournament_pg_conn_t *conn,
    tournament_pg_slot_t *done);
static ngx_uint_t tournament_pg_worth(tournament_pg_query_t *query,
    PGresult *error);
static ngx_uint_t tournament_pg_preparing(tournament_pg_conn_t *conn,
    ngx_uint_t statement);
static ngx_uint_t tournament_pg_retry(tournament_pg_conn_t *conn,
    tournament_pg_query_t *query);
static void tournament_pg_finish(tournament_pg_query_t *query,
    tournament_pg_rc_e rc, PGresult *res);
static void tournament_pg_count(tournament_pg_query_t *query,
    tournament_pg_rc_e rc);
static void tournament_pg_log_error(tournament_pg_t *pg, ngx_uint_t statement,
    PGresult *error);
static void tournament_pg_log_notice(tournament_pg_t *pg, const char *message);
static void tournament_pg_more(u_char *buf, ngx_uint_t held, const char *what);
static void tournament_pg_log_missing(tournament_pg_t *pg, PGresult *error);


static const tournament_link_hooks_t  tournament_pg_hooks = {
    tournament_pg_ready,
    tournament_pg_input,
    tournament_pg_turn,
    tournament_pg_down,
    tournament_pg_notice,
    tournament_pg_exiting
};


tournament_pg_t *
tournament_pg_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_pg_conf_t *conf)
{
    ngx_uint_t        i;
    tournament_pg_t  *pg;

    pg = ngx_pcalloc(pool, sizeof(tournament_pg_t));
    if (pg == NULL) {
        return NULL;
    }

    pg->conf = conf;
    pg->log = log;
    pg->down_since = ngx_current_msec;
    pg->depth = TOURNAMENT_PG_DEPTH;

    /* a ring has room for settings, and statements being prepared, too */
    pg->nslots = TOURNAMENT_PG_DEPTH + 1 + conf->nstatements;

    ngx_queue_init(&pg->queue);

    tournament_timer_init(&pg->settled, tournament_pg_settled, pg, log, 1);

    pg->conns = ngx_pcalloc(pool, conf->connections
                                  * sizeof(tournament_pg_conn_t));
    if (pg->conns == NULL) {
        return NULL;
    }

    for (i = 0; i < conf->connections; i++) {
        if (tournament_pg_init(pool, pg, &pg->conns[i]) != NGX_OK) {
            return NULL;
        }
    }

    for (i = 0; i < conf->connections; i++) {
        tournament_pg_connect(&pg->conns[i]);
    }

    return pg;
}


static ngx_int_t
tournament_pg_init(ngx_pool_t *pool, tournament_pg_t *pg,
    tournament_pg_conn_t *conn)
{
    conn->pg = pg;
    tournament_link_init(&conn->link, pg->log, &tournament_pg_hooks, conn);

    conn->slots = ngx_pcalloc(pool, pg->nslots * sizeof(tournament_pg_slot_t));
    conn->prepared = ngx_pcalloc(pool, pg->conf->nstatements + 1);

    if (conn->slots == NULL || conn->prepared == NULL) {
        return NGX_ERROR;
    }

    tournament_timer_init(&conn->slow, tournament_pg_slow, conn, pg->log, 1);
    tournament_timer_init(&conn->timer, tournament_pg_timer, conn, pg->log, 1);

    return NGX_OK;
}


void
tournament_pg_destroy(tournament_pg_t *pg)
{
    ngx_uint_t             i, k;
    tournament_pg_conn_t  *conn;

    for (i = 0; i < pg->conf->connections; i++) {
        conn = &pg->conns[i];

        tournament_pg_close(conn);

        for (k = 0; k < pg->nslots; k++) {
            PQclear(conn->slots[k].result);
            PQclear(conn->slots[k].error);
        }
    }

    tournament_outage_leave(pg->conf->outage, &pg->seat);
}


ngx_int_t
tournament_pg_send(tournament_pg_t *pg, tournament_pg_query_t *query)
{
    ngx_uint_t  i;

    if (pg->nqueued >= pg->conf->queue) {

        if (pg->conf->meter.refused) {
            pg->conf->meter.refused(pg->conf->meter.data);
        }

        return NGX_BUSY;
    }

    if (pg->nready == 0
        && ngx_current_msec - pg->down_since >= pg->conf->query_timeout
        && !ngx_exiting)
    {
        return NGX_DECLINED;
    }

    query->pg = pg;
    query->resent = 0;
    query->times.handed = tournament_pg_now();
    query->times.sent = 0;
    query->unnamed = 0;
    query->repeated = 0;

    query->deadline.handler = tournament_pg_deadline;
    query->deadline.data = query;
    query->deadline.log = pg->log;

    /* a client waits, and an old worker must not leave it */
    query->deadline.cancelable = query->background;
    ngx_add_timer(&query->deadline, query->timeout);

    tournament_pg_enqueue(query, 0);

    if (ngx_exiting && pg->nready == 0) {

        /* an exiting worker closes idle connections and reopens on demand */

        for (i = 0; i < pg->conf->connections; i++) {
            if (pg->conns[i].state == TOURNAMENT_PG_DOWN) {
                tournament_pg_connect(&pg->conns[i]);
                break;
            }
        }
    }

    tournament_pg_dispatch(pg);

    return NGX_OK;
}


ngx_int_t
tournament_pg_cancel(tournament_pg_query_t *query)
{
    if (query->state == TOURNAMENT_PG_SENT
        || query->state == TOURNAMENT_PG_DONE)
    {
        query->deadline.cancelable = 1;
        return NGX_DECLINED;
    }

    if (query->state == TOURNAMENT_PG_QUEUED) {
        tournament_pg_dequeue(query);
    }

    ngx_del_timer(&query->deadline);

    return NGX_OK;
}


void
tournament_pg_attend(tournament_pg_query_t *query)
{
    query->background = 0;
    query->deadline.cancelable = 0;
}


void
tournament_pg_forget(tournament_pg_query_t *query)
{
    if (tournament_pg_cancel(query) == NGX_OK) {
        return;
    }

    tournament_timer_stop(&query->deadline);

    if (query->state == TOURNAMENT_PG_SENT) {
        query->slot->query = NULL;
        query->state = TOURNAMENT_PG_DONE;
        tournament_pg_guard(query->slot->conn);
    }
}


uint64_t
tournament_pg_server(tournament_pg_t *pg)
{
    return pg->conns[0].server;
}


ngx_uint_t
tournament_pg_target(tournament_pg_t *pg)
{
    return pg->conns[0].target;
}


ngx_uint_t
tournament_pg_elsewhere(tournament_pg_t *pg, uint64_t server)
{
    ngx_uint_t             i;
    tournament_pg_conn_t  *conn;

    for (i = 0; i < pg->conf->connections; i++) {
        conn = &pg->conns[i];

        if (conn->state == TOURNAMENT_PG_READY && conn->server
            && conn->server != server)
        {
            return 1;
        }
    }

    return 0;
}


void
tournament_pg_return(tournament_pg_t *pg, uint64_t server)
{
    ngx_uint_t             i;
    tournament_pg_conn_t  *conn;

    for (i = 0; i < pg->conf->connections; i++) {
        conn = &pg->conns[i];

        if (conn->state == TOURNAMENT_PG_READY && conn->server
            && conn->server != server && conn->active == 0)
        {
            tournament_pg_renew(conn, "it is not the server that is listened "
                                "to");
        }
    }
}


ngx_uint_t
tournament_pg_away(tournament_pg_t *pg)
{
    return pg->nready == 0
           && pg->failed >= pg->conf->connections * pg->conf->targets->nelts;
}


/* DOWN -> CONNECTING */

static void
tournament_pg_connect(tournament_pg_conn_t *conn)
{
    tournament_pg_t      *pg;
    tournament_target_t  *target;

    pg = conn->pg;

    tournament_timer_stop(&conn->timer);

    target = pg->conf->targets->elts;
    target += conn->target;

    conn->state = TOURNAMENT_PG_CONNECTING;
    conn->since = ngx_current_msec;

    tournament_link_connect(&conn->link, target, NULL,
                            pg->conf->connect_timeout);

    tournament_pg_report(pg);
}


/* CONNECTING -> READY, unless it is of no use */

static void
tournament_pg_ready(void *data)
{
    const char            *why;
    tournament_pg_t       *pg;
    tournament_pg_conn_t  *conn = data;

    pg = conn->pg;

    why = tournament_pg_useless(conn);

    if (why) {
        tournament_pg_down(conn, why);
        return;
    }

    conn->state = TOURNAMENT_PG_READY;
    conn->since = ngx_current_msec;
    conn->heard = ngx_current_msec;
    conn->number = ++pg->opened;
    pg->failed = 0;

    if (pg->nready++ == 0) {
        pg->connected = tournament_pg_now();
    }

    if (tournament_pg_begin(conn) != NGX_OK) {
        tournament_pg_down(conn, PQerrorMessage(conn->link.conn));
        return;
    }

    tournament_pg_guard(conn);

    if (pg->conf->ready) {
        pg->conf->ready(pg->conf->data);
    }

    if (conn->state != TOURNAMENT_PG_READY) {
        return;
    }

    /* an outage may be another worker's, who is no more */

    if (pg->nready == pg->conf->connections && !pg->settled.timer_set) {
        ngx_add_timer(&pg->settled, TOURNAMENT_PG_SETTLE);
    }

    tournament_pg_dispatch(pg);
}


/* why a connection is of no use; NULL: it is, and in pipeline mode */

static const char *
tournament_pg_useless(tournament_pg_conn_t *conn)
{
    int          standby;
    const char  *status;

    standby = conn->pg->conf->standby;

    /* the server tells it of itself; a promoted one is none any more */

    status = PQparameterStatus(conn->link.conn, "in_hot_standby");

    if (status && ngx_strcmp(status, "on") == 0
        && PQserverVersion(conn->link.conn) < standby)
    {
        return standby == TOURNAMENT_PG_PRIMARY
               ? "it is a standby, where changes are not heard of; name the "
                 "primary, or set \"tournament_listen off\""
               : "it is a standby, on which changes are heard of from "
                 "PostgreSQL 16 on";
    }

    return PQenterPipelineMode(conn->link.conn) == 1
           ? NULL : PQerrorMessage(conn->link.conn);
}


/* what is said first on a connection: its settings, and its statements */

static ngx_int_t
tournament_pg_begin(tournament_pg_conn_t *conn)
{
    ngx_uint_t             i;
    tournament_pg_conf_t  *conf;

    conf = conn->pg->conf;

    ngx_memzero(conn->prepared, conf->nstatements);
    conn->server = 0;

    if (!conf->prepare) {
        return NGX_OK;
    }

    if (tournament_pg_set(conn) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->nstatements; i++) {

        if (conf->statements[i]
            && tournament_pg_start(conn, i, NULL) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* CONNECTING or READY -> DOWN */

static void
tournament_pg_down(void *data, const char *reason)
{
    tournament_pg_conn_t  *conn = data;

    tournament_pg_log_down(conn, reason);
    tournament_pg_fall(conn);
}


/* READY -> DOWN, which is no outage: it will be open again at once */

static void
tournament_pg_renew(tournament_pg_conn_t *conn, const char *reason)
{
    tournament_target_t  *target;

    target = conn->pg->conf->targets->elts;
    target += conn->target;

    ngx_log_error(NGX_LOG_INFO, conn->pg->log, 0,
                  "tournament: PostgreSQL at \"%V\": %s, reconnecting",
                  &target->name, reason);

    tournament_pg_fall(conn);
}


/* its queries go to the head of the queue, once; after that they fail */

static void
tournament_pg_fall(tournament_pg_conn_t *conn)
{
    ngx_msec_t        pause;
    ngx_uint_t        was_ready;
    tournament_pg_t  *pg;

    pg = conn->pg;
    was_ready = (conn->state == TOURNAMENT_PG_READY);

    tournament_pg_release(conn);
    pause = tournament_pg_pause(conn);
    tournament_pg_close(conn);

    if (was_ready && pg->conf->lost) {
        pg->conf->lost(pg->conf->data);
    }

    if (!was_ready) {
        pg->failed++;

        if (pg->conf->away && tournament_pg_away(pg)) {
            pg->conf->away(pg->conf->data);
        }
    }

    if (!ngx_exiting || pg->nqueued) {
        ngx_add_timer(&conn->timer, pause);
    }

    tournament_pg_dispatch(pg);
}


/* any state -> DOWN, with nothing under way */

static void
tournament_pg_close(tournament_pg_conn_t *conn)
{
    tournament_pg_t  *pg;

    pg = conn->pg;

    tournament_link_close(&conn->link);

    tournament_timer_stop(&conn->timer);

    tournament_timer_stop(&conn->slow);

    tournament_timer_stop(&pg->settled);

    if (conn->state == TOURNAMENT_PG_READY && --pg->nready == 0) {
        pg->down_since = ngx_current_msec;
        pg->failed = 0;
    }

    conn->state = TOURNAMENT_PG_DOWN;
}


/*
 * Which address is next, and in how many ms.  After a loss it is the first,
 * since the conninfo's order is that of preference.
 */

static ngx_msec_t
tournament_pg_pause(tournament_pg_conn_t *conn)
{
    ngx_msec_t        pause;
    tournament_pg_t  *pg;

    pg = conn->pg;

    if (conn->state == TOURNAMENT_PG_READY) {
        conn->target = 0;

        /* one that does not last would be opened and lost in a circle */

        if (ngx_current_msec - conn->since >= TOURNAMENT_PG_BACKOFF_MAX) {
            conn->backoff = 0;
        }

    } else if (++conn->target < pg->conf->targets->nelts) {
        return 0;

    } else {
        conn->target = 0;
    }

    pause = conn->backoff;

    if (ngx_strcmp(conn->link.sqlstate, "53300") == 0) {

        if (pg->conf->crowded) {
            pg->conf->crowded(pg->conf->data);
            return TOURNAMENT_PG_BACKOFF_MIN;
        }

        if (pg->nready) {
            return TOURNAMENT_PG_BACKOFF_FULL
                   + ngx_random() % TOURNAMENT_PG_BACKOFF_FULL;
        }
    }

    if (pg->nqueued) {
        pause = ngx_min(pause, TOURNAMENT_PG_BACKOFF_BUSY);
    }

    if (pause) {
        pause += ngx_random() % (pause / 4 + 1);
    }

    conn->backoff = ngx_min(ngx_max(conn->backoff * 2,
                                    TOURNAMENT_PG_BACKOFF_MIN),
                            TOURNAMENT_PG_BACKOFF_MAX);

    /* from the beginning of an attempt: one that timed out was a pause */

    if (conn->state == TOURNAMENT_PG_CONNECTING) {
        pause -= ngx_min(pause, ngx_current_msec - conn->since);
    }

    return pause;
}


void
tournament_pg_yield(tournament_pg_t *pg)
{
    ngx_uint_t             i;
    tournament_pg_conn_t  *conn, *least;

    if (pg->yielded
        && ngx_current_msec - pg->yielded < TOURNAMENT_PG_YIELD)
    {
        return;
    }

    least = NULL;

    for (i = 0; i < pg->conf->connections; i++) {
        conn = &pg->conns[i];

        if (conn->state == TOURNAMENT_PG_READY
            && (least == NULL || conn->active < least->active))
        {
            least = conn;
        }
    }

    if (least == NULL) {
        return;
    }

    pg->yielded = ngx_current_msec;
    least->backoff = TOURNAMENT_PG_BACKOFF_FULL;
    least->since = ngx_current_msec;

    tournament_pg_renew(least, "given up for the listener");
}


/* one line for an outage's reason, however many connections and attempts */

static void
tournament_pg_log_down(tournament_pg_conn_t *conn, const char *reason)
{
    size_t                len;
    uint64_t              hash;
    ngx_uint_t            level, last;
    const char           *then;
    tournament_pg_t      *pg;
    tournament_target_t  *target;

    pg = conn->pg;

    target = pg->conf->targets->elts;
    target += conn->target;

    level = NGX_LOG_INFO;
    then = "reconnecting";

    if (conn->state == TOURNAMENT_PG_READY) {

        if (pg->nready == 1
            && tournament_outage_worse(pg->conf->outage,
                                       TOURNAMENT_PG_WORSE))
        {
            level = NGX_LOG_ERR;
        }

    } else if (conn->target + 1 < pg->conf->targets->nelts) {
        then = "trying the next address";

    } else if (pg->conf->targets->nelts > 1) {
        then = "the last address, reconnecting";
    }

    /* the first line says it, the others are hints */

    len = tournament_errors_line(reason);
    hash = ngx_crc32_long((u_char *) reason, len) + 1;

    last = (conn->target + 1 == pg->conf->targets->nelts);

    if (!pg->trouble && (conn->state == TOURNAMENT_PG_READY || last)) {
        pg->trouble = 1;

        if (tournament_outage_begin(pg->conf->outage, &pg->seat, hash)) {
            level = NGX_LOG_ERR;
        }
    }

    if (conn->state == TOURNAMENT_PG_CONNECTING && last
        && tournament_outage_goes_on(pg->conf->outage, hash,
                                     TOURNAMENT_PG_REASON))
    {
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, pg->log, 0,
                  "tournament: PostgreSQL at \"%V\": %*s, %s",
                  &target->name, len, reason, then);
}


/* all connections have been open for a while */

static void
tournament_pg_settled(ngx_event_t *ev)
{
    ngx_msec_t        lasted;
    tournament_pg_t  *pg;

    pg = ev->data;
    pg->trouble = 0;

    if (tournament_outage_end(pg->conf->outage, &pg->seat, &lasted)) {
        ngx_log_error(NGX_LOG_NOTICE, pg->log, 0,
                      "tournament: PostgreSQL is available again, after "
                      "%Mms", lasted);
    }
}


/* empties the ring of a connection that is lost */

static void
tournament_pg_release(tournament_pg_conn_t *conn)
{
    tournament_pg_t        *pg;
    tournament_pg_slot_t   *slot;
    tournament_pg_query_t  *query;

    pg = conn->pg;

    /* from the youngest, so that the oldest comes to be the queue's head */

    while (conn->active) {
        conn->active--;
        slot = &conn->slots[(conn->first + conn->active) % pg->nslots];

        PQclear(slot->result);
        PQclear(slot->error);

        query = slot->query;
        ngx_memzero(slot, sizeof(tournament_pg_slot_t));

        if (query && (query->bound || !tournament_pg_retry(conn, query))) {

            /* a handler must not run from within a call of its owner */

            query->state = TOURNAMENT_PG_LOST;
            ngx_add_timer(&query->deadline, 0);
        }
    }

    conn->first = 0;
}


/* the worker begins to exit; what is busy stays until exit_process */

static void
tournament_pg_exiting(void *data)
{
    tournament_pg_t       *pg;
    tournament_pg_conn_t  *conn = data;

    pg = conn->pg;

    if (pg->conf->closing) {
        pg->conf->closing(pg->conf->data);
        return;
    }

    if (conn->state == TOURNAMENT_PG_READY && conn->active == 0
        && pg->nqueued == 0)
    {
        tournament_pg_close(conn);
        tournament_pg_report(pg);
    }
}


static void
tournament_pg_timer(ngx_event_t *ev)
{
    tournament_pg_conn_t  *conn;

    conn = ev->data;

    switch (conn->state) {

    case TOURNAMENT_PG_DOWN:
        tournament_pg_connect(conn);
        break;

    case TOURNAMENT_PG_CONNECTING:
        /* the link has a timer of its own */
        break;

    case TOURNAMENT_PG_READY:
        tournament_pg_silent(conn);
        break;
    }
}


/*
 * A connection that does not answer is given up.  What befell it, as a
 * firewall that has forgotten it, may have befallen the idle ones of which
 * nothing was heard since then either: each would cost a client a deadline.
 */

static void
tournament_pg_silent(tournament_pg_conn_t *conn)
{
    ngx_uint_t             i;
    ngx_msec_t             sent;
    tournament_pg_t       *pg;
    tournament_pg_conn_t  *other;

    pg = conn->pg;
    sent = conn->slots[conn->first].sent;

    tournament_pg_down(conn, "no answer, neither rows nor an error");

    for (i = 0; i < pg->conf->connections; i++) {
        other = &pg->conns[i];

        if (other->state == TOURNAMENT_PG_READY
            && other->active == 0
            && (ngx_msec_int_t) (other->heard - sent) < 0)
        {
            tournament_pg_down(other, "no answer on another "
                               "connection");
        }
    }
}


/*
 * The oldest query takes long: those behind it go to the head of the queue,
 * for other connections.  The server will answer them here all the same, to
 * nobody: they only read.
 */

static void
tournament_pg_slow(ngx_event_t *ev)
{
    ngx_uint_t              i;
    ngx_msec_t              age;
    tournament_pg_t        *pg;
    tournament_pg_conn_t   *conn;
    tournament_pg_slot_t   *slot;
    tournament_pg_query_t  *query;

    conn = ev->data;
    pg = conn->pg;

    if (conn->active < 2) {
        return;
    }

    age = ngx_current_msec - conn->slots[conn->first].sent;

    if (age < TOURNAMENT_PG_HOLD_UP) {
        ngx_add_timer(&conn->slow, TOURNAMENT_PG_HOLD_UP - age);
        return;
    }

    /* it may go on: fewer at a time, until queries are quick again */

    pg->depth = 1;

    for (i = conn->active - 1; i > 0; i--) {
        slot = &conn->slots[(conn->first + i) % pg->nslots];
        query = slot->query;

        if (query) {
            slot->query = NULL;
            tournament_pg_enqueue(query, 1);
        }
    }

    tournament_pg_dispatch(pg);
}


static void
tournament_pg_deadline(ngx_event_t *ev)
{
    tournament_pg_t        *pg;
    tournament_pg_rc_e      rc;
    tournament_pg_query_t  *query;

    query = ev->data;
    pg = query->pg;

    rc = TOURNAMENT_PG_TIMEOUT;

    switch (query->state) {

    case TOURNAMENT_PG_QUEUED:
        tournament_pg_dequeue(query);

        if (pg->nready == 0) {
            rc = TOURNAMENT_PG_UNAVAILABLE;
        }

        break;

    case TOURNAMENT_PG_SENT:

        /* the result, should it come, belongs to nobody */

        query->slot->query = NULL;
        tournament_pg_guard(query->slot->conn);
        break;

    case TOURNAMENT_PG_LOST:
        rc = TOURNAMENT_PG_UNAVAILABLE;
        break;

    case TOURNAMENT_PG_DONE:
        return;
    }

    tournament_pg_finish(query, rc, NULL);
    tournament_pg_report(pg);
}


/*
 * A query that nobody waits for has no deadline here, and the server gives it
 * up by its statement_timeout: a connection that stays silent is stuck.
 */

static void
tournament_pg_guard(tournament_pg_conn_t *conn)
{
    if (conn->active && conn->slots[conn->first].query == NULL
        && !conn->timer.timer_set)
    {
        ngx_add_timer(&conn->timer, conn->pg->conf->query_timeout
                                    + TOURNAMENT_PG_GRACE);
    }
}


static void
tournament_pg_notice(void *data, const PGresult *res)
{
    char                  *message;
    tournament_pg_conn_t  *conn = data;

    if (conn->active == 0) {
        tournament_link_ended(&conn->link);
    }

    message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    if (message) {
        tournament_pg_log_notice(conn->pg, message);
    }
}


static void
tournament_pg_dispatch(tournament_pg_t *pg)
{
    ngx_queue_t            *q;
    tournament_pg_conn_t   *conn;
    tournament_pg_query_t  *query;

    while (!ngx_queue_empty(&pg->queue)) {

        conn = tournament_pg_pick(pg);
        if (conn == NULL) {
            break;
        }

        q = ngx_queue_head(&pg->queue);
        query = ngx_queue_data(q, tournament_pg_query_t, queue);

        tournament_pg_dequeue(query);

        query->times.connected = pg->connected;
        query->times.sent = tournament_pg_now();

        if (query->sending) {
            query->sending(query);
        }

        if (tournament_pg_start(conn, query->statement, query) != NGX_OK) {
            /* this dispatches the rest, and the query among it */
            tournament_pg_down(conn, PQerrorMessage(conn->link.conn));
            return;
        }
    }

    tournament_pg_report(pg);
}


/*
 * The connection with the fewest queries under way.  One whose oldest query
 * takes long, or that still answers to nobody, gets no more: they would wait
 * behind it.
 */

static tournament_pg_conn_t *
tournament_pg_pick(tournament_pg_t *pg)
{
    ngx_uint_t             i;
    tournament_pg_conn_t  *conn, *best;

    best = NULL;

    for (i = 0; i < pg->conf->connections; i++) {
        conn = &pg->conns[i];

        if (conn->state != TOURNAMENT_PG_READY
            || conn->link.c == NULL
            || (best && conn->active >= best->active))
        {
            continue;
        }

        if (conn->active == 0) {
            return conn;
        }

        if (conn->active < pg->depth
            && conn->slots[conn->first].query
            && ngx_current_msec - conn->slots[conn->first].sent
               < TOURNAMENT_PG_SLOW_HEAD)
        {
            best = conn;
        }
    }

    return best;
}


/*
 * Sends a query, its statement's preparation before it where that is needed,
 * and a sync; or the preparation alone.
 */

static ngx_int_t
tournament_pg_start(tournament_pg_conn_t *conn, ngx_uint_t statement,
    tournament_pg_query_t *query)
{
    ngx_uint_t                  named;
    tournament_pg_t            *pg;
    tournament_pg_slot_t       *slot;
    tournament_pg_statement_t  *st;

    pg = conn->pg;
    st = pg->conf->statements[statement];
    named = pg->conf->prepare
            && conn->prepared[statement] != TOURNAMENT_PG_TAKEN
            && !(query && query->unnamed);

    slot = tournament_pg_slot(conn, statement, query);
    slot->preparing = named
                      && conn->prepared[statement]
                         == TOURNAMENT_PG_UNPREPARED;

    if (query) {
        query->state = TOURNAMENT_PG_SENT;
        query->slot = slot;
    }

    if (slot->preparing
        && PQsendPrepare(conn->link.conn, st->name, st->sql, 0, NULL) != 1)
    {
        return NGX_ERROR;
    }

    if (query && named
        && PQsendQueryPrepared(conn->link.conn, st->name, st->nparams,
                               query->values, NULL, NULL, 1)
           != 1)
    {
        return NGX_ERROR;
    }

    if (query && !named
        && PQsendQueryParams(conn->link.conn, st->sql, st->nparams, NULL,
                             query->values, NULL, NULL, 1)
           != 1)
    {
        return NGX_ERROR;
    }

    if (PQpipelineSync(conn->link.conn) != 1) {
        return NGX_ERROR;
    }

    if (slot->preparing) {
        /* taken for prepared from here on: what follows comes after it */
        conn->prepared[statement] = TOURNAMENT_PG_PREPARED;
    }

    if (query && conn->active > 1 && !conn->slow.timer_set) {
        ngx_add_timer(&conn->slow, TOURNAMENT_PG_HOLD_UP);
    }

    return tournament_link_flush(&conn->link);
}


static tournament_pg_slot_t *
tournament_pg_slot(tournament_pg_conn_t *conn, ngx_uint_t statement,
    tournament_pg_query_t *query)
{
    tournament_pg_slot_t  *slot;

    slot = &conn->slots[(conn->first + conn->active) % conn->pg->nslots];
    conn->active++;

    slot->conn = conn;
    slot->query = query;
    slot->statement = statement;
    slot->sent = ngx_current_msec;

    return slot;
}


/* the settings of a session that begins */

static ngx_int_t
tournament_pg_set(tournament_pg_conn_t *conn)
{
    (void) tournament_pg_slot(conn, conn->pg->conf->nstatements, NULL);

    if (PQsendQueryParams(conn->link.conn, tournament_pg_settings.sql, 0, NULL,
                          NULL, NULL, NULL, 1)
        != 1
        || PQpipelineSync(conn->link.conn) != 1)
    {
        return NGX_ERROR;
    }

    return tournament_link_flush(&conn->link);
}


static void
tournament_pg_told(tournament_pg_conn_t *conn, PGresult *result)
{
    ngx_uint_t   i;
    const char  *value;

    if (PQntuples(result) != 1 || PQgetlength(result, 0, 0) != 8) {
        return;
    }

    value = PQgetvalue(result, 0, 0);

    for (i = 0; i < 8; i++) {
        conn->server = conn->server << 8 | (u_char) value[i];
    }
}


/* a number of conf's, or the one behind them */

static tournament_pg_statement_t *
tournament_pg_statement(tournament_pg_t *pg, ngx_uint_t statement)
{
    return statement < pg->conf->nstatements ? pg->conf->statements[statement]
                                             : &tournament_pg_settings;
}


/* NGX_DONE: the connection is not ready any more */

static ngx_int_t
tournament_pg_input(void *data)
{
    tournament_pg_conn_t  *conn = data;

    conn->heard = ngx_current_msec;

    if (tournament_pg_results(conn) != NGX_OK) {
        return NGX_DONE;
    }

    return tournament_pg_bounded(conn);
}


static void
tournament_pg_turn(void *data)
{
    tournament_pg_conn_t  *conn = data;

    tournament_pg_notified(conn);

    tournament_pg_dispatch(conn->pg);
}


/*
 * A result, or a message of another kind, that goes on and on: its query fails
 * here, and would elsewhere.
 */

static ngx_int_t
tournament_pg_bounded(tournament_pg_conn_t *conn)
{
    tournament_pg_slot_t   *slot;
    tournament_pg_query_t  *query;

    if (!tournament_link_endless(&conn->link)) {
        return NGX_OK;
    }

    slot = &conn->slots[conn->first];
    query = conn->active ? slot->query : NULL;

    if (conn->active) {
        ngx_log_error(NGX_LOG_ERR, conn->pg->log, 0,
                      "tournament: the result of \"%s\" is larger than 32m",
                      tournament_pg_statement(conn->pg, slot->statement)->sql);

        slot->query = NULL;
    }

    tournament_pg_renew(conn, TOURNAMENT_LINK_ENDLESS);

    if (query) {
        tournament_pg_finish(query, TOURNAMENT_PG_FAILED, NULL);
    }

    return NGX_DONE;
}


static void
tournament_pg_notified(tournament_pg_conn_t *conn)
{
    PGnotify              *n;
    tournament_pg_conf_t  *conf;

    conf = conn->pg->conf;

    while ((n = tournament_link_notification(&conn->link)) != NULL) {

        if (conn->active == 0) {
            tournament_link_ended(&conn->link);
        }

        if (conf->notify) {
            conf->notify(conf->data, n->extra);
        }

        PQfreemem(n);
    }

    (void) tournament_pg_starved(conn);
}


/* NGX_DONE: the connection is not ready any more */

static ngx_int_t
tournament_pg_results(tournament_pg_conn_t *conn)
{
    PGresult    *res;
    ngx_uint_t   nulls;

    nulls = 0;

    /* asked of an idle connection, too: what comes is taken as it is */

    while (!tournament_link_busy(&conn->link) && conn->active) {

        res = tournament_link_result(&conn->link);

        if (res == NULL) {

            /* one ends a command's results, two say that there are none */

            if (nulls++) {
                break;
            }

            continue;
        }

        nulls = 0;

        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            tournament_pg_sync(conn);

        } else if (tournament_pg_result(conn,
                                        &conn->slots[conn->first],
                                        res)
                   != NGX_OK)
        {
            return NGX_DONE;
        }

        if (conn->state != TOURNAMENT_PG_READY) {
            return NGX_DONE;
        }
    }

    return tournament_pg_starved(conn);
}


/* what is lost without memory may be a change: the next session knows it */

static ngx_int_t
tournament_pg_starved(tournament_pg_conn_t *conn)
{
    if (!conn->link.starved) {
        return NGX_OK;
    }

    tournament_pg_renew(conn, "out of memory");

    return NGX_DONE;
}


static ngx_int_t
tournament_pg_result(tournament_pg_conn_t *conn, tournament_pg_slot_t *slot,
    PGresult *res)
{
    char  *message;

    switch (PQresultStatus(res)) {

    case PGRES_TUPLES_OK:
        PQclear(slot->result);
        slot->result = res;
        return NGX_OK;

    case PGRES_FATAL_ERROR:

        if (tournament_errors_fatal(res)) {
            message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

            tournament_pg_down(conn,
                               message ? message
                                       : PQerrorMessage(conn->link.conn));
            PQclear(res);
            return NGX_DONE;
        }

        if (slot->error == NULL) {
            slot->error = res;
            return NGX_OK;
        }

        break;

    case PGRES_COMMAND_OK:
        slot->preparing = 0;
        break;

    case PGRES_PIPELINE_ABORTED:
        break;

    default:
        PQclear(res);
        tournament_pg_down(conn, "unexpected kind of result");
        return NGX_DONE;
    }

    PQclear(res);

    return NGX_OK;
}


/* the oldest slot is done */

static void
tournament_pg_sync(tournament_pg_conn_t *conn)
{
    tournament_pg_slot_t  done;

    done = conn->slots[conn->first];

    tournament_pg_next(conn);

    if (done.error) {
        PQclear(done.result);
        tournament_pg_refused(conn, &done);

    } else {
        tournament_pg_answered(conn, &done);
    }
}


/* the ring's next slot becomes the oldest */

static void
tournament_pg_next(tournament_pg_conn_t *conn)
{
    tournament_pg_t       *pg;
    tournament_pg_slot_t  *slot;

    pg = conn->pg;
    slot = &conn->slots[conn->first];

    if (slot->query
        && pg->depth < TOURNAMENT_PG_DEPTH
        && ngx_current_msec - slot->sent < TOURNAMENT_PG_SLOW_HEAD)
    {
        pg->depth++;
    }

    ngx_memzero(slot, sizeof(tournament_pg_slot_t));

    conn->first = (conn->first + 1) % pg->nslots;
    conn->active--;
    tournament_link_ended(&conn->link);

    if (conn->active) {

        /* the server begins with it now */

        conn->slots[conn->first].sent = ngx_current_msec;

        if (conn->active > 1 && !conn->slow.timer_set) {
            ngx_add_timer(&conn->slow, TOURNAMENT_PG_HOLD_UP);
        }
    }

    tournament_timer_stop(&conn->timer);

    tournament_pg_guard(conn);
}


static void
tournament_pg_answered(tournament_pg_conn_t *conn, tournament_pg_slot_t *done)
{
    ngx_uint_t              keep, large;
    tournament_pg_query_t  *query;

    query = done->query;

    if (done->statement == conn->pg->conf->nstatements) {
        tournament_pg_told(conn, done->result);
    }

    keep = query && query->keep;
    large = PQresultMemorySize(done->result) > TOURNAMENT_PG_RESULT_MAX;

    if (query) {
        tournament_pg_finish(query, TOURNAMENT_PG_OK, done->result);
    }

    if (!keep) {
        PQclear(done->result);
    }

    if (large && conn->state == TOURNAMENT_PG_READY) {
        tournament_pg_renew(conn, "a result was too large");
    }
}


static void
tournament_pg_refused(tournament_pg_conn_t *conn, tournament_pg_slot_t *done)
{
    PGresult    *error;
    const char  *renew;

    error = done->error;
    renew = NULL;

    if (!done->preparing && tournament_errors_changed(error)) {

        /* what was prepared before it is of no use any more */

        renew = "a function of tournament_api has changed";

    } else if (tournament_errors_sqlstate(error, "42501")
               && ngx_current_msec - conn->since >= TOURNAMENT_PG_RENEW)
    {
        /* a role that was made anew has the name, but not its sessions */

        renew = "the role has no rights, or is another one by now";
    }

    if (!tournament_pg_again(conn, done)) {
        tournament_pg_log_error(conn->pg, done->statement, error);

        if (done->query) {
            tournament_pg_finish(done->query,
                                 tournament_errors_sqlstate(error, "57014")
                                 ? TOURNAMENT_PG_TIMEOUT
                                 : TOURNAMENT_PG_FAILED, NULL);
        }
    }

    PQclear(error);

    /* a handler may have sent another query, and lost the connection */

    if (renew && conn->state == TOURNAMENT_PG_READY) {
        tournament_pg_renew(conn, renew);
    }
}


/*
 * Whether a query that was refused goes back to the queue: for want of a
 * statement, since a function's result has changed, or for another try.
 */

static ngx_uint_t
tournament_pg_again(tournament_pg_conn_t *conn, tournament_pg_slot_t *done)
{
    PGresult               *error;
    ngx_uint_t              statement, preparing, missing, taken;
    tournament_pg_query_t  *query;

    query = done->query;
    error = done->error;
    statement = done->statement;
    preparing = done->preparing;

    /* not there any more, or there already: another client of a pooler's */

    missing = tournament_errors_sqlstate(error, "26000");
    taken = preparing && tournament_errors_sqlstate(error, "42P05");

    if (taken) {
        conn->prepared[statement] = TOURNAMENT_PG_TAKEN;

    } else if (preparing
               || (missing
                   && !tournament_pg_preparing(conn, statement)))
    {
        /* the next query brings it along */
        conn->prepared[statement] = TOURNAMENT_PG_UNPREPARED;
    }

    if (query && tournament_pg_worth(query, error)) {
        query->repeated = 1;
        tournament_pg_enqueue(query, 1);
        return 1;
    }

    if (missing || taken) {
        tournament_pg_log_missing(conn->pg, error);

        if (query == NULL) {
            return 1;
        }

        query->unnamed = 1;

    } else if (query == NULL || preparing
               || !tournament_errors_changed(error))
    {
        return 0;
    }

    return tournament_pg_retry(conn, query);
}


/*
 * Whether a query that was refused is worth a second try.  Reads can be
 * repeated, and what comes in the way of one (class 40: a conflict with
 * recovery, a failure to serialize) may have gone.  A parameter that the
 * database's encoding cannot hold is equal to nothing that is stored there, and
 * neither is a DEL, which any encoding holds.
 */

static ngx_uint_t
tournament_pg_worth(tournament_pg_query_t *query, PGresult *error)
{
    ngx_uint_t     i, replaced;
    const u_char  *p;

    if (query->repeated) {
        return 0;
    }

    if (tournament_errors_sqlstate(error, "40")) {
        return 1;
    }

    if (!tournament_errors_sqlstate(error, "22P05")) {
        return 0;
    }

    replaced = 0;

    for (i = 0; i < TOURNAMENT_PG_PARAMS; i++) {

        for (p = (u_char *) query->values[i]; p && *p; p++) {

            if (*p >= 0x80) {
                query->values[i] = "\177";
                replaced = 1;
                break;
            }
        }
    }

    return replaced;
}


/* whether a query under way brings the statement's preparation along */

static ngx_uint_t
tournament_pg_preparing(tournament_pg_conn_t *conn, ngx_uint_t statement)
{
    ngx_uint_t             i;
    tournament_pg_slot_t  *slot;

    for (i = 0; i < conn->active; i++) {
        slot = &conn->slots[(conn->first + i) % conn->pg->nslots];

        if (slot->statement == statement && slot->preparing) {
            return 1;
        }
    }

    return 0;
}


/*
 * Back to the head of the queue, once; 0: it was there already.  What befell
 * the query may have befallen all connections of that moment, as a restart of
 * the server does: they do not count again, but for a query that is passed on
 * and on.
 */

static ngx_uint_t
tournament_pg_retry(tournament_pg_conn_t *conn, tournament_pg_query_t *query)
{
    tournament_pg_t  *pg;

    pg = query->pg;

    if (query->resent == 0) {
        query->opened = pg->opened;

    } else if (conn->number > query->opened
               || query->resent > pg->conf->connections)
    {
        return 0;
    }

    query->resent++;

    tournament_pg_enqueue(query, 1);

    return 1;
}


static void
tournament_pg_enqueue(tournament_pg_query_t *query, ngx_uint_t head)
{
    tournament_pg_t  *pg;

    pg = query->pg;

    query->state = TOURNAMENT_PG_QUEUED;
    query->slot = NULL;

    if (head) {
        ngx_queue_insert_head(&pg->queue, &query->queue);

    } else {
        ngx_queue_insert_tail(&pg->queue, &query->queue);
    }

    pg->nqueued++;
}


static void
tournament_pg_dequeue(tournament_pg_query_t *query)
{
    ngx_queue_remove(&query->queue);
    query->pg->nqueued--;
}


static void
tournament_pg_finish(tournament_pg_query_t *query, tournament_pg_rc_e rc,
    PGresult *res)
{
    tournament_timer_stop(&query->deadline);

    query->state = TOURNAMENT_PG_DONE;

    tournament_pg_count(query, rc);

    query->handler(query, rc, res);
}


static void
tournament_pg_count(tournament_pg_query_t *query, tournament_pg_rc_e rc)
{
    tournament_pg_t       *pg;
    tournament_pg_conf_t  *conf;

    pg = query->pg;
    conf = pg->conf;

    query->times.done = tournament_pg_now();

    if (query->times.sent == 0) {
        query->times.connected = pg->nready ? pg->connected
                                            : query->times.done;
    }

    if (conf->meter.ended) {
        conf->meter.ended(conf->meter.data, query, rc);
    }
}


void
tournament_pg_report(tournament_pg_t *pg)
{
    ngx_uint_t               i, n[3];
    tournament_pg_conn_t    *conn;
    tournament_pg_gauges_t   gauges;

    if (pg->conf->meter.gauges == NULL) {
        return;
    }

    ngx_memzero(n, sizeof(n));
    gauges.in_flight = 0;

    for (i = 0; i < pg->conf->connections; i++) {
        conn = &pg->conns[i];

        n[conn->state]++;
        gauges.in_flight += conn->active;
    }

    gauges.down = n[TOURNAMENT_PG_DOWN];
    gauges.connecting = n[TOURNAMENT_PG_CONNECTING];
    gauges.ready = n[TOURNAMENT_PG_READY];
    gauges.queued = pg->nqueued;

    pg->conf->meter.gauges(pg->conf->meter.data, &gauges);
}


uint64_t
tournament_pg_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static void
tournament_pg_log_error(tournament_pg_t *pg, ngx_uint_t statement,
    PGresult *error)
{
    u_char       more[sizeof(", more errors since the last such line")
                      + NGX_INT_T_LEN];
    ngx_uint_t   held;
    const char  *state, *message;

    if (!tournament_limit_pass(&pg->errors, ngx_current_msec,
                               TOURNAMENT_PG_LOG_PAUSE, &held))
    {
        return;
    }

    state = PQresultErrorField(error, PG_DIAG_SQLSTATE);
    message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

    if (message == NULL) {
        message = "";
    }

    tournament_pg_more(more, held, "errors");

    ngx_log_error(NGX_LOG_ERR, pg->log, 0,
                  "tournament: PostgreSQL refused \"%s\": %*s (SQLSTATE "
                  "%s)%s", tournament_pg_statement(pg, statement)->sql,
                  tournament_errors_line(message), message,
                  state ? state : "none", more);
}


static void
tournament_pg_log_notice(tournament_pg_t *pg, const char *message)
{
    u_char      more[sizeof(", more notices since the last such line")
                     + NGX_INT_T_LEN];
    ngx_uint_t  held;

    if (!tournament_limit_pass(&pg->notices, ngx_current_msec,
                               TOURNAMENT_PG_LOG_PAUSE, &held))
    {
        return;
    }

    tournament_pg_more(more, held, "notices");

    ngx_log_error(NGX_LOG_INFO, pg->log, 0,
                  "tournament: notice from PostgreSQL: %*s%s",
                  tournament_errors_line(message), message, more);
}


/* what a line says of those that were held back before it */

static void
tournament_pg_more(u_char *buf, ngx_uint_t held, const char *what)
{
    *buf = '\0';

    if (held) {
        ngx_sprintf(buf, ", %ui more %s since the last such line%Z", held,
                    what);
    }
}


/* once: what it says does not change */

static void
tournament_pg_log_missing(tournament_pg_t *pg, PGresult *error)
{
    char  *message;

    if (pg->missing) {
        return;
    }

    pg->missing = 1;

    message = PQresultErrorField(error, PG_DIAG_MESSAGE_PRIMARY);

    ngx_log_error(NGX_LOG_WARN, pg->log, 0,
                  "tournament: %s, the query is repeated; a pooler in "
                  "transaction mode needs \"tournament_prepare off\"",
                  message ? message : "a prepared statement is missing");
}
