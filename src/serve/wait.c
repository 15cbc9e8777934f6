
/*
 * A request that waits watches its document, as a stream does, but is told
 * once.  It is then looked up anew, and answered as a poll of that instant is:
 * whether that is a 304 is nginx's to say.
 */

#include <ngx_event.h>

#include "serve/header.h"
#include "serve/wait.h"
#include "serve/watch.h"
#include "zone/timer.h"


typedef struct {
    tournament_watcher_t      watcher;     /* first */
    ngx_http_request_t       *request;
    tournament_ctx_t         *ctx;
    tournament_metrics_t     *metrics;     /* if it is counted there */
    tournament_answer_pt      answer;
    uint64_t                  id;          /* of what the client has */
    ngx_event_t               timer;
} tournament_wait_t;


static tournament_wait_t *tournament_wait_create(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_answer_pt answer);
static ngx_msec_t tournament_wait_preferred(ngx_http_request_t *r);
static ngx_int_t tournament_wait_seconds(u_char *p, u_char *last);
static ngx_uint_t tournament_wait_same(ngx_http_request_t *r,
    tournament_body_t *body);
static void tournament_wait_news(tournament_watcher_t *watcher);
static void tournament_wait_leave(tournament_watcher_t *watcher);
static void tournament_wait_timer(ngx_event_t *ev);
static void tournament_wait_over(tournament_wait_t *wait);
static void tournament_wait_cease(tournament_wait_t *wait);
static void tournament_wait_cleanup(void *data);


ngx_int_t
tournament_wait(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_answer_pt answer)
{
    ngx_msec_t               ms;
    tournament_wait_t       *wait;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    ms = ngx_min(tournament_wait_preferred(r), tlcf->wait);

    /* a body that is still to be read has the reading */

    if (ms == 0 || ngx_exiting || r->headers_in.content_length_n > 0
        || r->headers_in.chunked || !tournament_wait_same(r, ctx->body))
    {
        return NGX_DECLINED;
    }

    wait = tournament_wait_create(r, ctx, answer);
    if (wait == NULL) {
        return NGX_DECLINED;
    }

    if (tournament_watch_add(tmcf->watch, ctx->subject, ctx->body,
                             &wait->watcher)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    wait->metrics = tmcf->metrics;
    tournament_metrics_waiting(wait->metrics, 1);

    tournament_body_release(ctx->body);
    ctx->body = NULL;

    ngx_add_timer(&wait->timer, ms);

    r->connection->log->action = "waiting for a change";
    r->read_event_handler = ngx_http_test_reading;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        tournament_wait_cease(wait);
        return NGX_ERROR;
    }

    r->main->count++;

    /* others may have brought something newer */

    if (tournament_watch_news(&wait->watcher)->document->id != wait->id) {
        tournament_timer_stop(&wait->timer);
        ngx_add_timer(&wait->timer, 0);
    }

    return NGX_DONE;
}


static tournament_wait_t *
tournament_wait_create(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_answer_pt answer)
{
    tournament_wait_t   *wait;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(tournament_wait_t));
    if (cln == NULL) {
        return NULL;
    }

    wait = cln->data;
    ngx_memzero(wait, sizeof(tournament_wait_t));

    wait->request = r;
    wait->ctx = ctx;
    wait->answer = answer;
    wait->id = ctx->body->id;
    wait->watcher.handler = tournament_wait_news;
    wait->watcher.leave = tournament_wait_leave;
    wait->watcher.hasty = 1;

    tournament_timer_init(&wait->timer, tournament_wait_timer, wait,
                          r->connection->log, 0);

    cln->handler = tournament_wait_cleanup;

    return wait;
}


/* ms; 0: not at all */

static ngx_msec_t
tournament_wait_preferred(ngx_http_request_t *r)
{
    u_char               *p, *last, *end;
    ngx_int_t             n;
    ngx_str_t            *value;
    tournament_header_t   at;

    static ngx_str_t  name = ngx_string("Prefer");

    ngx_memzero(&at, sizeof(tournament_header_t));

    while ((value = tournament_header_next(r, &name, &at)) != NULL) {
        last = value->data + value->len;

        for (p = value->data; p < last; p = end + 1) {
            end = ngx_strlchr(p, last, ',');

            if (end == NULL) {
                end = last;
            }

            n = tournament_wait_seconds(p, end);

            if (n >= 0) {
                return (ngx_msec_t) n * 1000;
            }
        }
    }

    return 0;
}


/* of "wait=N", N up to six digits; NGX_ERROR: it is something else */

static ngx_int_t
tournament_wait_seconds(u_char *p, u_char *last)
{
    while (p < last && *p == ' ') {
        p++;
    }

    while (last > p && last[-1] == ' ') {
        last--;
    }

    if (last - p < 6 || last - p > 11
        || ngx_strncasecmp(p, (u_char *) "wait=", 5) != 0)
    {
        return NGX_ERROR;
    }

    return ngx_atoi(p + 5, last - p - 5);
}


/* whether the client has this very document: tags are compared as weak ones */

static ngx_uint_t
tournament_wait_same(ngx_http_request_t *r, tournament_body_t *body)
{
    u_char     *p, *last;
    ngx_str_t  *value, tag;

    if (body->etag.len <= 2 || body->id == 0) {
        return 0;
    }

    tag.data = body->etag.data + 2;
    tag.len = body->etag.len - 2;

    value = &r->headers_in.if_none_match->value;
    last = value->data + value->len;

    for (p = value->data; (size_t) (last - p) >= tag.len; p++) {
        if (*p == '"' && ngx_memcmp(p, tag.data, tag.len) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
tournament_wait_news(tournament_watcher_t *watcher)
{
    tournament_wait_t  *wait = (tournament_wait_t *) watcher;

    tournament_news_t  *news;

    news = tournament_watch_news(watcher);

    if (news->document->id != wait->id || news->gone || news->stale) {
        tournament_wait_over(wait);
    }
}


static void
tournament_wait_leave(tournament_watcher_t *watcher)
{
    tournament_wait_over((tournament_wait_t *) watcher);
}


static void
tournament_wait_timer(ngx_event_t *ev)
{
    tournament_wait_over(ev->data);
}


static void
tournament_wait_over(tournament_wait_t *wait)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    tournament_wait_cease(wait);

    r = wait->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_tournament_module) != wait->ctx) {

        /* the client went, and the request is with "post_action" now */

        return;
    }

    r->read_event_handler = ngx_http_block_reading;

    ngx_http_finalize_request(r, wait->answer(r, wait->ctx));
    ngx_http_run_posted_requests(c);
}


static void
tournament_wait_cease(tournament_wait_t *wait)
{
    tournament_watch_remove(&wait->watcher);
    tournament_timer_stop(&wait->timer);

    if (wait->metrics) {
        tournament_metrics_waiting(wait->metrics, -1);
        wait->metrics = NULL;
    }
}


static void
tournament_wait_cleanup(void *data)
{
    tournament_wait_cease(data);
}
