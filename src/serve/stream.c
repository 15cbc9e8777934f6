
/*
 * One event is on its way at a time, in one buffer, whose bytes are those of
 * all who watch the same.  Once the client has taken it, it gets what is newest
 * then: what it missed is not kept for it, and a stream takes no more memory
 * however long it lasts.
 */

#include <ngx_event.h>
#include <netinet/tcp.h>

#include "rules/text.h"
#include "serve/answer.h"
#include "serve/header.h"
#include "serve/refuse.h"
#include "serve/stream.h"
#include "serve/watch.h"
#include "zone/timer.h"


/* ms; clients that were sent away come back between the two */
#define TOURNAMENT_STREAM_RETRY   2000
#define TOURNAMENT_STREAM_SPREAD  4000

/* bytes; what a slow client has not taken is kept by us, where it is newest */
#define TOURNAMENT_STREAM_LOWAT   16384


typedef struct {
    tournament_watcher_t      watcher;     /* first */
    ngx_http_request_t       *request;
    tournament_ctx_t         *ctx;
    tournament_metrics_t     *metrics;
    tournament_end_e          end;         /* why it ends */

    ngx_buf_t                 buf;
    ngx_chain_t               chain;
    tournament_event_t       *event;       /* in the buffer, or NULL */
    uint64_t                  sent;        /* id of the document that the
                                              client has; 0: none */

    ngx_event_t               timer;
    ngx_msec_t                began;
    ngx_msec_t                wrote;
    ngx_msec_t                heartbeat;   /* with jitter */
    ngx_msec_t                limit;       /* it lasts so long; 0: for ever */

    unsigned                  beat:1;      /* a comment is due */
    unsigned                  stale:1;     /* the client knows */
    unsigned                  over:1;      /* nothing is to follow */
    unsigned                  missed:1;    /* there is news for it */
    unsigned                  counted:1;
} tournament_stream_t;


static ngx_int_t tournament_stream_watch(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_stream_t **place);
static ngx_int_t tournament_stream_header(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static uint64_t tournament_stream_last_id(ngx_http_request_t *r);
static ngx_int_t tournament_stream_greet(tournament_stream_t *stream,
    uint64_t last);
static ngx_int_t tournament_stream_read(ngx_http_request_t *r);
static void tournament_stream_lowat(ngx_http_request_t *r);
static ngx_int_t tournament_stream_push(tournament_stream_t *stream);
static ngx_uint_t tournament_stream_busy(tournament_stream_t *stream);
static ngx_uint_t tournament_stream_next(tournament_stream_t *stream);
static void tournament_stream_event(tournament_stream_t *stream,
    tournament_event_t *event);
static void tournament_stream_text(tournament_stream_t *stream, u_char *text,
    size_t len);
static ngx_int_t tournament_stream_wait(tournament_stream_t *stream);
static void tournament_stream_writable(ngx_http_request_t *r);
static void tournament_stream_news(tournament_watcher_t *watcher);
static void tournament_stream_leave(tournament_watcher_t *watcher);
static void tournament_stream_timer(ngx_event_t *ev);
static void tournament_stream_arm(tournament_stream_t *stream);
static ngx_uint_t tournament_stream_ours(tournament_stream_t *stream);
static void tournament_stream_go_on(tournament_stream_t *stream);
static void tournament_stream_end(tournament_stream_t *stream, ngx_int_t rc);
static void tournament_stream_cease(tournament_stream_t *stream);
static void tournament_stream_cleanup(void *data);


static ngx_str_t  tournament_stream_type =
    ngx_string("text/event-stream; charset=utf-8");
static ngx_str_t  tournament_stream_public = ngx_string("no-store");
static ngx_str_t  tournament_stream_private = ngx_string("private, no-store");
static ngx_str_t  tournament_stream_buffering =
    ngx_string("X-Accel-Buffering");
static ngx_str_t  tournament_stream_no = ngx_string("no");
static ngx_str_t  tournament_stream_vary = ngx_string("Vary");
static ngx_str_t  tournament_stream_vary_value =
    ngx_string("Cookie, Authorization");

static u_char  tournament_stream_beat[] = ":\n\n";
static u_char  tournament_stream_same[] = ": nothing was missed\n\n";


ngx_int_t
tournament_stream_start(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    uint64_t              last;
    ngx_int_t             rc;
    tournament_stream_t  *stream;

    stream = NULL;
    last = tournament_stream_last_id(r);

    if (r->method != NGX_HTTP_HEAD) {
        rc = tournament_stream_watch(r, ctx, &stream);

        if (rc == NGX_BUSY) {
            tournament_metrics_add(&stream->metrics->counters->full);
            return tournament_refuse(r, &tournament_error_too_many_streams);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    tournament_count(r, NGX_HTTP_OK);

    rc = tournament_stream_header(r, ctx);

    if (rc == NGX_OK) {
        rc = tournament_answer_begin(r);
    }

    if (rc != NGX_OK || r->header_only || stream == NULL) {

        if (stream) {
            tournament_stream_cease(stream);
        }

        return rc;
    }

    /* the memo's body is not held for so long */

    tournament_body_release(ctx->body);
    ctx->body = NULL;

    r->connection->log->action = "sending event stream to client";

    if (tournament_stream_greet(stream, last) != NGX_OK) {
        tournament_stream_cease(stream);
        return NGX_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static ngx_int_t
tournament_stream_watch(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_stream_t **place)
{
    ngx_int_t                rc;
    ngx_pool_cleanup_t      *cln;
    tournament_stream_t     *stream;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(tournament_stream_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    stream = cln->data;
    ngx_memzero(stream, sizeof(tournament_stream_t));

    cln->handler = tournament_stream_cleanup;

    stream->request = r;
    stream->ctx = ctx;
    stream->metrics = tmcf->metrics;
    stream->watcher.handler = tournament_stream_news;
    stream->watcher.leave = tournament_stream_leave;

    stream->began = ngx_current_msec;
    stream->wrote = ngx_current_msec;
    stream->heartbeat = tlcf->stream_heartbeat
                        - ngx_random() % (tlcf->stream_heartbeat / 4 + 1);

    if (ctx->user || ctx->staff) {
        stream->limit = tlcf->stream_timeout;
    }

    stream->buf.memory = 1;
    stream->buf.flush = 1;
    stream->chain.buf = &stream->buf;

    tournament_timer_init(&stream->timer, tournament_stream_timer, stream,
                          r->connection->log, 1);

    rc = tournament_watch_add(tmcf->watch, ctx->subject, ctx->body,
                              &stream->watcher);

    if (rc == NGX_OK) {
        stream->counted = 1;
        tournament_metrics_begun(stream->metrics, ctx->endpoint->number);
    }

    ctx->data = stream;
    *place = stream;

    return rc;
}


static ngx_int_t
tournament_stream_header(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_uint_t              private;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    private = (ctx->user || ctx->staff);

    r->headers_out.status = NGX_HTTP_OK;
    r->disable_not_modified = 1;

    if (tournament_answer_header(r, private ? &tournament_stream_private
                                            : &tournament_stream_public)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tournament_answer_type(r, &tournament_stream_type);
    ngx_http_clear_content_length(r);

    if (tournament_answer_add(r, &tournament_stream_buffering,
                              &tournament_stream_no)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tlcf->user && tlcf->endpoint->audience != TOURNAMENT_PUBLIC
        && tournament_answer_add(r, &tournament_stream_vary,
                                 &tournament_stream_vary_value)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* the id of the document that the client has from an earlier stream, or 0 */

static uint64_t
tournament_stream_last_id(ngx_http_request_t *r)
{
    uint64_t              id;
    ngx_str_t            *value;
    tournament_header_t   at;

    static ngx_str_t  name = ngx_string("Last-Event-ID");

    ngx_memzero(&at, sizeof(tournament_header_t));

    value = tournament_header_next(r, &name, &at);

    return (value && tournament_text_hex(value->data, value->len, &id) == 0)
           ? id : 0;
}


/* what comes first; from then on it is the stream's request */

static ngx_int_t
tournament_stream_greet(tournament_stream_t *stream, uint64_t last)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    tournament_news_t   *news;
    ngx_http_request_t  *r;

    r = stream->request;

    tournament_stream_lowat(r);

    b = ngx_create_temp_buf(r->pool, sizeof("retry: \n\n") + NGX_INT_T_LEN);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "retry: %ui\n\n",
                          (ngx_uint_t) TOURNAMENT_STREAM_RETRY
                          + ngx_random() % TOURNAMENT_STREAM_SPREAD);

    news = tournament_watch_news(&stream->watcher);

    if (last && last == news->document->id) {
        stream->sent = last;
        tournament_stream_text(stream, tournament_stream_same,
                               sizeof(tournament_stream_same) - 1);

    } else {
        (void) tournament_stream_next(stream);
    }

    out.buf = b;
    out.next = &stream->chain;

    rc = ngx_http_output_filter(r, &out);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NGX_ERROR;
    }

    r->write_event_handler = tournament_stream_writable;

    if (tournament_stream_read(r) != NGX_OK) {
        return NGX_ERROR;
    }

    tournament_stream_arm(stream);

    /* where it is over already, or was not taken at once */

    if (tournament_stream_busy(stream)) {
        return tournament_stream_wait(stream);
    }

    if (stream->over) {
        ngx_post_event(r->connection->write, &ngx_posted_events);
    }

    return NGX_OK;
}


/* whether the client is still there; a body being discarded has the reading */

static ngx_int_t
tournament_stream_read(ngx_http_request_t *r)
{
    if (r->discard_body) {
        return NGX_OK;
    }

    r->read_event_handler = ngx_http_test_reading;

    return ngx_handle_read_event(r->connection->read, 0);
}


/* HTTP/2 has other answers on its connection, HTTP/3 no connection of TCP */

static void
tournament_stream_lowat(ngx_http_request_t *r)
{
#ifdef TCP_NOTSENT_LOWAT
    int                lowat;
    ngx_connection_t  *c;

    c = r->connection;
    lowat = TOURNAMENT_STREAM_LOWAT;

    if (r->http_version <= NGX_HTTP_VERSION_11) {

        /* a Unix socket has no such thing, and does without */

        (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
                          (const void *) &lowat, sizeof(int));
    }
#endif
}


/*
 * Sends what is due and the client takes.  NGX_OK: it goes on.  NGX_DONE: the
 * stream has come to its end.  NGX_ERROR: the client is gone.
 */

static ngx_int_t
tournament_stream_push(tournament_stream_t *stream)
{
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = stream->request;

    for ( ;; ) {

        out = NULL;

        if (!tournament_stream_busy(stream)) {

            if (stream->over) {
                return NGX_DONE;
            }

            if (!tournament_stream_next(stream)) {
                break;
            }

            out = &stream->chain;
        }

        if (ngx_http_output_filter(r, out) == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (tournament_stream_busy(stream)) {
            break;
        }
    }

    return tournament_stream_wait(stream);
}


/* filters that keep a part of it have copied it */

static ngx_uint_t
tournament_stream_busy(tournament_stream_t *stream)
{
    return ngx_buf_size((&stream->buf)) != 0
           || stream->request->connection->buffered;
}


/* puts what is due into the buffer, which is free; 0: nothing is */

static ngx_uint_t
tournament_stream_next(tournament_stream_t *stream)
{
    tournament_news_t  *news;

    if (stream->event) {
        tournament_event_release(stream->event);
        stream->event = NULL;
    }

    news = tournament_watch_news(&stream->watcher);

    stream->missed = 0;

    if (news->gone) {
        stream->over = 1;
        stream->end = TOURNAMENT_END_GONE;
        tournament_stream_event(stream, news->gone);
        return 1;
    }

    if (news->stale && !stream->stale) {

        /* once it is known again, the document is, whatever it says */

        stream->stale = 1;
        stream->sent = 0;
        tournament_stream_event(stream, news->stale);
        return 1;
    }

    if (news->stale == NULL) {
        stream->stale = 0;

        if (stream->sent != news->document->id) {
            stream->sent = news->document->id;
            tournament_stream_event(stream, news->document);
            return 1;
        }
    }

    if (stream->beat) {
        tournament_stream_text(stream, tournament_stream_beat,
                               sizeof(tournament_stream_beat) - 1);
        return 1;
    }

    return 0;
}


static void
tournament_stream_event(tournament_stream_t *stream, tournament_event_t *event)
{
    event->refs++;
    stream->event = event;

    tournament_metrics_add(&stream->metrics->counters->events);

    tournament_stream_text(stream, event->text.data, event->text.len);
}


static void
tournament_stream_text(tournament_stream_t *stream, u_char *text, size_t len)
{
    stream->buf.start = text;
    stream->buf.pos = text;
    stream->buf.last = text + len;
    stream->buf.end = text + len;

    stream->beat = 0;
    stream->wrote = ngx_current_msec;
}


/* for the client, if it has not taken all, at most send_timeout */

static ngx_int_t
tournament_stream_wait(tournament_stream_t *stream)
{
    ngx_event_t               *wev;
    ngx_http_core_loc_conf_t  *clcf;

    wev = stream->request->connection->write;

    if (!tournament_stream_busy(stream)) {

        if (wev->timer_set && !wev->delayed) {
            ngx_del_timer(wev);
        }

        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(stream->request,
                                        ngx_http_core_module);

    /* what is new does not make the client any faster */

    if (!wev->timer_set && !wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    return ngx_handle_write_event(wev, clcf->send_lowat);
}


static void
tournament_stream_writable(ngx_http_request_t *r)
{
    ngx_event_t          *wev;
    tournament_ctx_t     *ctx;
    tournament_stream_t  *stream;

    wev = r->connection->write;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);
    stream = ctx->data;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client timed out");

        r->connection->timedout = 1;
        stream->end = TOURNAMENT_END_SLOW;
        tournament_stream_end(stream, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    /* limit_rate's turn is not over */

    if (wev->delayed) {
        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            tournament_stream_end(stream, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    tournament_stream_go_on(stream);
}


static void
tournament_stream_news(tournament_watcher_t *watcher)
{
    tournament_stream_t  *stream = (tournament_stream_t *) watcher;

    if (!tournament_stream_ours(stream)) {
        return;
    }

    if (stream->missed) {
        tournament_metrics_add(&stream->metrics->counters->skipped);
    }

    stream->missed = 1;
    tournament_stream_go_on(stream);
}


/* the worker exits; who has not even taken the last event is cut off */

static void
tournament_stream_leave(tournament_watcher_t *watcher)
{
    tournament_stream_t  *stream = (tournament_stream_t *) watcher;

    if (!tournament_stream_ours(stream)) {
        return;
    }

    stream->end = TOURNAMENT_END_EXIT;

    if (tournament_stream_busy(stream)) {
        stream->request->connection->error = 1;
        tournament_stream_end(stream, NGX_ERROR);
        return;
    }

    tournament_stream_end(stream, NGX_DONE);
}


static void
tournament_stream_timer(ngx_event_t *ev)
{
    tournament_stream_t  *stream;

    stream = ev->data;

    if (!tournament_stream_ours(stream)) {
        return;
    }

    if (stream->limit && ngx_current_msec - stream->began >= stream->limit) {
        stream->end = TOURNAMENT_END_LIMIT;
        tournament_stream_end(stream, NGX_DONE);
        return;
    }

    if (ngx_current_msec - stream->wrote >= stream->heartbeat) {
        stream->beat = 1;
    }

    tournament_stream_arm(stream);
    tournament_stream_go_on(stream);
}


/* to the next comment, if nothing else is sent, or to its end */

static void
tournament_stream_arm(tournament_stream_t *stream)
{
    ngx_msec_t  ms, passed;

    passed = ngx_current_msec - stream->wrote;
    ms = (passed < stream->heartbeat) ? stream->heartbeat - passed
                                      : stream->heartbeat;

    if (stream->limit) {
        passed = ngx_current_msec - stream->began;
        passed = ngx_min(passed, stream->limit);
        ms = ngx_min(ms, stream->limit - passed);
    }

    ngx_add_timer(&stream->timer, ngx_max(ms, 1));
}


/*
 * Whether the request is the stream's still: the client may have gone, and the
 * request be with "post_action".
 */

static ngx_uint_t
tournament_stream_ours(tournament_stream_t *stream)
{
    if (ngx_http_get_module_ctx(stream->request, ngx_http_tournament_module)
        == stream->ctx)
    {
        return 1;
    }

    tournament_stream_cease(stream);

    return 0;
}


static void
tournament_stream_go_on(tournament_stream_t *stream)
{
    ngx_int_t  rc;

    rc = tournament_stream_push(stream);

    if (rc != NGX_OK) {
        tournament_stream_end(stream, rc);
    }
}


/* NGX_DONE: as it should end */

static void
tournament_stream_end(tournament_stream_t *stream, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    tournament_stream_cease(stream);

    r = stream->request;
    c = r->connection;

    if (rc == NGX_DONE) {
        rc = ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* it watches no more; what is on its way stays until the request is over */

static void
tournament_stream_cease(tournament_stream_t *stream)
{
    tournament_watch_remove(&stream->watcher);
    tournament_timer_stop(&stream->timer);

    if (stream->counted) {
        stream->counted = 0;
        tournament_metrics_over(stream->metrics, stream->ctx->endpoint->number,
                                stream->end);
    }
}


static void
tournament_stream_cleanup(void *data)
{
    tournament_stream_t  *stream = data;

    tournament_stream_cease(stream);

    if (stream->event) {
        tournament_event_release(stream->event);
        stream->event = NULL;
    }
}
