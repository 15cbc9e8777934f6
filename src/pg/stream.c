
/*
 * The life of a stream:
 *
 *     CONNECTING  -> READY        ready(): libpq says that it is open
 *     READY       -> COMMAND      command()
 *     COMMAND     -> COPYING      result(): START_REPLICATION was accepted
 *     COPYING     -> COMMAND      copied(): the server ended it
 *     COMMAND     -> READY        result(): the command has no more of them
 *     any         -> LOST         lost(), or destroy()
 *
 * The link brings the bytes.  A turn of the event loop hands a bounded number
 * of CopyData on, however many have arrived: what is left in libpq's buffer
 * comes before the socket is read again.
 */

#include "pg/errors.h"
#include "pg/link.h"
#include "pg/stream.h"


/* results and CopyData that are handed on in a turn of the event loop */
#define TOURNAMENT_STREAM_UNITS  256


typedef enum {
    TOURNAMENT_STREAM_CONNECTING = 0,
    TOURNAMENT_STREAM_READY,
    TOURNAMENT_STREAM_COMMAND,
    TOURNAMENT_STREAM_COPYING,
    TOURNAMENT_STREAM_LOST
} tournament_stream_state_e;


struct tournament_stream_s {
    tournament_stream_state_e   state;
    tournament_stream_conf_t   *conf;
    tournament_link_t           link;

    /* CONNECTING: begins it; else: tells of a failure to send */
    ngx_event_t                 timer;
};


static void tournament_stream_change(tournament_stream_t *stream,
    tournament_stream_state_e state);
static void tournament_stream_timer(ngx_event_t *ev);
static ngx_int_t tournament_stream_failed(tournament_stream_t *stream);
static void tournament_stream_ready(void *data);
static ngx_int_t tournament_stream_input(void *data);
static ngx_int_t tournament_stream_result(tournament_stream_t *stream);
static ngx_int_t tournament_stream_copied(tournament_stream_t *stream);
static void tournament_stream_lost(void *data, const char *reason);
static void tournament_stream_notice(void *data, const PGresult *res);


static const tournament_link_hooks_t  tournament_stream_hooks = {
    tournament_stream_ready,
    tournament_stream_input,
    NULL,
    tournament_stream_lost,
    tournament_stream_notice,
    NULL
};


tournament_stream_t *
tournament_stream_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_stream_conf_t *conf)
{
    tournament_stream_t  *stream;

    stream = ngx_pcalloc(pool, sizeof(tournament_stream_t));
    if (stream == NULL) {
        return NULL;
    }

    stream->conf = conf;

    tournament_link_init(&stream->link, log, &tournament_stream_hooks, stream);

    stream->timer.handler = tournament_stream_timer;
    stream->timer.data = stream;
    stream->timer.log = log;
    stream->timer.cancelable = 1;

    ngx_add_timer(&stream->timer, 0);

    return stream;
}


void
tournament_stream_destroy(tournament_stream_t *stream)
{
    tournament_stream_change(stream, TOURNAMENT_STREAM_LOST);
}


const char *
tournament_stream_sqlstate(tournament_stream_t *stream)
{
    return stream->link.sqlstate;
}


ngx_int_t
tournament_stream_command(tournament_stream_t *stream, const char *sql)
{
    if (stream->state != TOURNAMENT_STREAM_READY) {
        return NGX_BUSY;
    }

    if (PQsendQuery(stream->link.conn, sql) != 1
        || tournament_link_flush(&stream->link) != NGX_OK)
    {
        return tournament_stream_failed(stream);
    }

    tournament_stream_change(stream, TOURNAMENT_STREAM_COMMAND);

    return NGX_OK;
}


ngx_int_t
tournament_stream_send(tournament_stream_t *stream, u_char *buf, size_t len)
{
    if (stream->state != TOURNAMENT_STREAM_COPYING) {
        return NGX_BUSY;
    }

    if (tournament_link_unsent(&stream->link)) {
        return NGX_AGAIN;
    }

    switch (PQputCopyData(stream->link.conn, (char *) buf, (int) len)) {

    case 1:
        break;

    case 0:
        return NGX_AGAIN;

    default:
        return tournament_stream_failed(stream);
    }

    if (tournament_link_flush(&stream->link) != NGX_OK) {
        return tournament_stream_failed(stream);
    }

    return NGX_OK;
}


static void
tournament_stream_change(tournament_stream_t *stream,
    tournament_stream_state_e state)
{
    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, stream->link.log, 0,
                   "tournament stream state %d -> %d", stream->state, state);

    stream->state = state;

    if (state == TOURNAMENT_STREAM_LOST) {
        tournament_link_close(&stream->link);

        if (stream->timer.timer_set) {
            ngx_del_timer(&stream->timer);
        }
    }
}


static void
tournament_stream_timer(ngx_event_t *ev)
{
    tournament_target_t  *target;
    tournament_stream_t  *stream;

    stream = ev->data;

    if (stream->state == TOURNAMENT_STREAM_CONNECTING) {
        target = stream->conf->targets->elts;

        tournament_link_connect(&stream->link, &target[stream->conf->target],
                                stream->conf->extra,
                                stream->conf->connect_timeout);
        return;
    }

    tournament_stream_lost(stream, PQerrorMessage(stream->link.conn));
}


/* the owner is told in the next turn, not from within its own call */

static ngx_int_t
tournament_stream_failed(tournament_stream_t *stream)
{
    if (!stream->timer.timer_set) {
        ngx_add_timer(&stream->timer, 0);
    }

    return NGX_ERROR;
}


static void
tournament_stream_ready(void *data)
{
    tournament_stream_t  *stream = data;

    tournament_stream_change(stream, TOURNAMENT_STREAM_READY);

    stream->conf->ready(stream->conf->data);
}


/*
 * Takes what has come whole, up to a number: who sends results or CopyData
 * without end has to wait for everybody else.
 */

static ngx_int_t
tournament_stream_input(void *data)
{
    ngx_int_t             rc;
    ngx_uint_t            n;
    tournament_stream_t  *stream = data;

    for (n = 0; n < TOURNAMENT_STREAM_UNITS; n++) {

        rc = (stream->state == TOURNAMENT_STREAM_COPYING)
             ? tournament_stream_copied(stream)
             : tournament_stream_result(stream);

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }

        if (rc == NGX_DECLINED) {

            if (stream->link.starved) {
                tournament_stream_lost(stream, "out of memory");
                return NGX_DONE;
            }

            if (tournament_link_endless(&stream->link)) {
                tournament_stream_lost(stream, TOURNAMENT_LINK_ENDLESS);
                return NGX_DONE;
            }

            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


/* one result; NGX_DECLINED: none has come whole, or none is due; NGX_DONE */

static ngx_int_t
tournament_stream_result(tournament_stream_t *stream)
{
    PGresult        *res;
    ExecStatusType   status;

    /* asked of an idle connection, too: what comes is taken as it is */

    if (tournament_link_busy(&stream->link)
        || stream->state != TOURNAMENT_STREAM_COMMAND)
    {
        return NGX_DECLINED;
    }

    res = tournament_link_result(&stream->link);

    tournament_link_ended(&stream->link);

    if (res == NULL) {
        tournament_stream_change(stream, TOURNAMENT_STREAM_READY);

        stream->conf->result(stream->conf->data, NULL);
        return NGX_OK;
    }

    status = PQresultStatus(res);

    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
        PQclear(res);
        tournament_stream_lost(stream, "unexpected kind of result");
        return NGX_DONE;
    }

    if (status == PGRES_COPY_BOTH) {
        tournament_stream_change(stream, TOURNAMENT_STREAM_COPYING);
    }

    stream->conf->result(stream->conf->data, res);

    PQclear(res);

    return NGX_OK;
}


/*
 * One CopyData, or their end, which the next result explains; libpq fails for
 * want of memory alone.
 */

static ngx_int_t
tournament_stream_copied(tournament_stream_t *stream)
{
    int    len;
    char  *buf;

    len = PQgetCopyData(stream->link.conn, &buf, 1);

    if (len == 0) {
        return NGX_DECLINED;
    }

    tournament_link_ended(&stream->link);

    if (len == -2) {
        tournament_stream_lost(stream, PQerrorMessage(stream->link.conn));
        return NGX_DONE;
    }

    if (len < 0) {
        tournament_stream_change(stream, TOURNAMENT_STREAM_COMMAND);
        return NGX_OK;
    }

    stream->conf->copy(stream->conf->data, (u_char *) buf, len);

    PQfreemem(buf);

    return NGX_OK;
}


static void
tournament_stream_lost(void *data, const char *reason)
{
    size_t                len;
    u_char                text[TOURNAMENT_ERRORS_LINE + 1];
    tournament_stream_t  *stream = data;

    /* libpq's own text goes with its connection */

    len = tournament_errors_line(reason);
    (void) ngx_cpystrn(text, (u_char *) reason, len + 1);

    tournament_stream_change(stream, TOURNAMENT_STREAM_LOST);

    stream->conf->lost(stream->conf->data, (char *) text);
}


static void
tournament_stream_notice(void *data, const PGresult *res)
{
    tournament_stream_t  *stream = data;

    tournament_link_ended(&stream->link);
}
