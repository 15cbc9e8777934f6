
/*
 * A request's way: who asks, the key, the memo, the parts of its answer where
 * the memo has none, the document, the headers.
 */

#include "serve/answer.h"
#include "serve/gather.h"
#include "serve/refuse.h"
#include "serve/render.h"
#include "serve/request.h"
#include "serve/stream.h"
#include "serve/wait.h"
#include "serve/watch.h"
#include "rules/text.h"


static void tournament_log_key(ngx_http_request_t *r,
    tournament_endpoint_t *endpoint, tournament_key_t *key);
static ngx_int_t tournament_serve(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_ask(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key, tournament_error_t **error);
static tournament_error_t *tournament_who(ngx_http_request_t *r,
    tournament_endpoint_t *endpoint, tournament_input_t *in);
static tournament_error_t *tournament_watch_what(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_endpoint_t *endpoint,
    tournament_input_t *in, tournament_key_t *key);
static tournament_endpoint_t *tournament_viewer(
    tournament_endpoint_t *endpoint, tournament_input_t *in);
static ngx_int_t tournament_viewer_key(ngx_http_request_t *r,
    tournament_endpoint_t *viewer, tournament_input_t *in, u_char *buf,
    tournament_key_t *key);
static ngx_int_t tournament_parts(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_endpoint_t *endpoint,
    tournament_input_t *in, tournament_key_t *key);
static ngx_int_t tournament_follow(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_answer(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_again(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_send_age(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_send_public(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_send_private(ngx_http_request_t *r);
static tournament_body_t *tournament_look_up(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_endpoint_t *endpoint,
    tournament_key_t *key);
static ngx_uint_t tournament_lasts(tournament_ctx_t *ctx);
static ngx_str_t  tournament_etag = ngx_string("ETag");
static ngx_str_t  tournament_age = ngx_string("Age");
static ngx_str_t  tournament_vary = ngx_string("Vary");
static ngx_str_t  tournament_vary_value = ngx_string("Cookie, Authorization");
static ngx_str_t  tournament_prefer = ngx_string("Prefer");
static ngx_str_t  tournament_applied = ngx_string("Preference-Applied");
static ngx_str_t  tournament_waited = ngx_string("wait");
static ngx_str_t  tournament_private = ngx_string("private, no-store");


ngx_int_t
tournament_handler(ngx_http_request_t *r)
{
    tournament_ctx_t       *ctx;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    ctx = tournament_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tlcf->endpoint->handler) {
        return tlcf->endpoint->handler(r);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return tournament_refuse(r, &tournament_error_method);
    }

    return tournament_serve(r, ctx);
}


/* from the memo, or of parts that are looked up */

static ngx_int_t
tournament_serve(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    u_char                  buf[TOURNAMENT_KEY_MAX];
    tournament_key_t        key;
    tournament_input_t      in;
    tournament_error_t     *error;
    tournament_endpoint_t  *endpoint;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    endpoint = tlcf->endpoint;
    key.data = buf;

    if (tournament_ask(r, &in, &key, &error) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (error) {
        return tournament_refuse(r, error);
    }

    /* a stream's order may change at any time: it is in its one entry */

    if (in.ordered && !tlcf->stream) {
        endpoint = endpoint->order;
        key.data[TOURNAMENT_KEY_PREFIX - 1] = (u_char) endpoint->number;
    }

    ctx->user = in.user;
    ctx->staff = in.staff;

    tournament_log_key(r, endpoint, &key);

    if ((tlcf->stream && r == r->main) || tournament_wait_may(r, tlcf)) {
        error = tournament_watch_what(r, ctx, endpoint, &in, &key);

        if (error) {
            return tournament_refuse(r, error);
        }
    }

    if (!in.search) {
        ctx->body = tournament_look_up(r, ctx, endpoint, &key);

        if (ctx->body) {
            ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "tournament memo: has it");

            ctx->status = TOURNAMENT_HIT;
            return tournament_send(r, ctx);
        }
    }

    return tournament_parts(r, ctx, endpoint, &in, &key);
}


/* the account that asks, and the key, in key->data; or the error */

static ngx_int_t
tournament_ask(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key, tournament_error_t **error)
{
    tournament_endpoint_t   *endpoint;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    endpoint = tlcf->endpoint;

    ngx_memzero(in, sizeof(tournament_input_t));

    if (tlcf->argument
        && tournament_value(r, tlcf->argument, &in->argument) != NGX_OK)
    {
        return NGX_ERROR;
    }

    *error = NULL;

    if (endpoint->audience != TOURNAMENT_PUBLIC) {
        *error = tournament_who(r, endpoint, in);
    }

    tournament_key_init(key, key->data, tmcf->space, endpoint->number);

    if (*error == NULL) {
        *error = endpoint->arguments(r, in, key);
    }

    return NGX_OK;
}


/* the memo's body, unless one of its entries is to be refreshed soon */

static tournament_body_t *
tournament_look_up(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_endpoint_t *endpoint, tournament_key_t *key)
{
    ngx_msec_t               ttls[TOURNAMENT_BODY_ENTRIES];
    tournament_name_t        name;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    name.key = *key;
    name.user = ctx->user;
    name.staff = ctx->staff;

    ttls[0] = tournament_settled(
                         tournament_gather_ttl(tmcf, tlcf, endpoint, 0));
    ttls[1] = 0;

    if (endpoint->viewer && (ctx->user || endpoint->follow)) {
        ttls[1] = tournament_settled(
                         tournament_gather_ttl(tmcf, tlcf, endpoint->viewer,
                                               0));
    }

    return tournament_memo_get(tmcf->memo, &name, ttls);
}


static void
tournament_log_key(ngx_http_request_t *r, tournament_endpoint_t *endpoint,
    tournament_key_t *key)
{
#if (NGX_DEBUG)
    u_char  text[TOURNAMENT_METRICS_TEXT];

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament request: %V, key \"%s\"", &endpoint->name,
                   tournament_metrics_key(text, key));
#endif
}


ngx_int_t
tournament_value(ngx_http_request_t *r, tournament_value_t *tv,
    ngx_str_t *value)
{
    ngx_http_variable_value_t  *vv;

    if (tv->complex) {
        return ngx_http_complex_value(r, tv->complex, value);
    }

    vv = ngx_http_get_flushed_variable(r, tv->variable);

    if (vv == NULL) {
        return NGX_ERROR;
    }

    value->len = vv->not_found ? 0 : vv->len;
    value->data = vv->data;

    return NGX_OK;
}


/* the account that asks, and whether it may see what participants may */

static tournament_error_t *
tournament_who(ngx_http_request_t *r, tournament_endpoint_t *endpoint,
    tournament_input_t *in)
{
    ngx_str_t               value;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    ngx_str_null(&value);

    /* a variable without a value for now is no anonymous and no bad request */

    if (tlcf->user && tournament_value(r, tlcf->user, &value) != NGX_OK) {
        return &tournament_error_unavailable;
    }

    if (value.len
        && (tournament_text_id(value.data, value.len, &in->user) != 0
            || in->user == 0))
    {
        return &tournament_error_user;
    }

    if (endpoint->audience != TOURNAMENT_GUARDED) {
        return NULL;
    }

    ngx_str_null(&value);

    if (tlcf->staff && tournament_value(r, tlcf->staff, &value) != NGX_OK) {
        return &tournament_error_unavailable;
    }

    in->staff = (value.len == 1 && value.data[0] == '1');

    return (in->user || in->staff) ? NULL : &tournament_error_login;
}


/*
 * A stream, and a poll that waits, go on when this request's way is over.  Not
 * every poll can wait: then it does not.  NULL, or the error.
 */

static tournament_error_t *
tournament_watch_what(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_endpoint_t *endpoint, tournament_input_t *in,
    tournament_key_t *key)
{
    u_char                  buf[TOURNAMENT_KEY_MAX];
    tournament_key_t        other;
    tournament_loc_conf_t  *tlcf;
    tournament_subject_t   *subject;
    tournament_endpoint_t  *viewer;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    if (!tlcf->stream && (in->user || in->staff || in->ordered)) {
        return NULL;
    }

    if (in->search
        || tlcf->ttl[tournament_endpoint_settings(endpoint)] == 0)
    {
        return tlcf->stream ? &tournament_error_no_stream : NULL;
    }

    viewer = tournament_viewer(endpoint, in);
    other.len = 0;

    if (viewer
        && tournament_viewer_key(r, viewer, in, buf, &other) != NGX_OK)
    {
        return &tournament_error_slug;
    }

    subject = ngx_pcalloc(r->pool, sizeof(tournament_subject_t) + key->len
                                   + other.len);
    if (subject == NULL) {
        return &tournament_error_unavailable;
    }

    subject->tlcf = tlcf;
    subject->endpoint = endpoint;
    subject->user = in->user;
    subject->staff = in->staff;
    subject->nkeys = viewer ? 2 : 1;

    subject->keys[0].data = (u_char *) subject + sizeof(tournament_subject_t);
    subject->keys[0].len = key->len;
    ngx_memcpy(subject->keys[0].data, key->data, key->len);

    if (viewer) {
        subject->keys[1].data = subject->keys[0].data + key->len;
        subject->keys[1].len = other.len;
        ngx_memcpy(subject->keys[1].data, buf, other.len);
    }

    ctx->subject = subject;

    return NULL;
}


/* whose entry is the second one; NULL: there is one only */

static tournament_endpoint_t *
tournament_viewer(tournament_endpoint_t *endpoint, tournament_input_t *in)
{
    return (in->user && !in->staff
            && endpoint->audience >= TOURNAMENT_VIEWED)
           ? endpoint->viewer : NULL;
}


/* buf has TOURNAMENT_KEY_MAX bytes, and is the key's */

static ngx_int_t
tournament_viewer_key(ngx_http_request_t *r, tournament_endpoint_t *viewer,
    tournament_input_t *in, u_char *buf, tournament_key_t *key)
{
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    tournament_key_init(key, buf, tmcf->space, viewer->number);

    return viewer->arguments(r, in, key) == NULL ? NGX_OK : NGX_ERROR;
}


/* the endpoint's own entry and, where a user looks at it, the user's */

static ngx_int_t
tournament_parts(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_endpoint_t *endpoint, tournament_input_t *in,
    tournament_key_t *key)
{
    u_char                   buf[TOURNAMENT_KEY_MAX];
    tournament_key_t         context_key;
    tournament_part_t       *parts;
    tournament_endpoint_t   *context;

    parts = ngx_pcalloc(r->pool, 2 * sizeof(tournament_part_t));
    if (parts == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->parts = parts;
    ctx->nparts = 1;
    ctx->answer = endpoint->follow ? tournament_follow : tournament_answer;

    parts[0].endpoint = endpoint;
    parts[0].waiter.cache = !in->search;

    if (tournament_part_key(r, &parts[0], key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    context = tournament_viewer(endpoint, in);

    if (context) {
        if (tournament_viewer_key(r, context, in, buf, &context_key) != NGX_OK
            || tournament_part_key(r, &parts[1], &context_key) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        parts[1].endpoint = context;
        parts[1].waiter.cache = 1;
        ctx->nparts = 2;
    }

    return tournament_gather(r, ctx);
}


/* the order is there: the second part is what it says */

static ngx_int_t
tournament_follow(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    u_char                   buf[TOURNAMENT_KEY_MAX];
    tournament_key_t         key;
    tournament_part_t       *order, *part;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    ctx->answer = tournament_answer;

    order = &ctx->parts[0];
    part = &ctx->parts[1];

    part->endpoint = order->endpoint->viewer;
    part->waiter.cache = order->waiter.cache;

    tournament_key_init(&key, buf, tmcf->space, part->endpoint->number);

    if (order->endpoint->follow(&order->entry, &key) != NGX_OK) {

        /* ids that no key has room for: all in one entry */

        order->endpoint = ctx->endpoint;
        order->key.data[TOURNAMENT_KEY_PREFIX - 1] =
            (u_char) ctx->endpoint->number;
        tournament_part_body(ctx, order, NULL);

        return tournament_gather(r, ctx);
    }

    if (tournament_part_key(r, part, &key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->nparts = 2;

    return tournament_gather(r, ctx);
}


/* all entries are there */

static ngx_int_t
tournament_answer(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    tournament_part_t       *part;
    tournament_view_t        view;
    tournament_error_t      *error;
    tournament_endpoint_t   *endpoint;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    part = ctx->parts;
    endpoint = part->endpoint;

    view.now = ngx_time();
    view.user = ctx->user;
    view.staff = ctx->staff;
    view.entry = &part->entry;
    view.context = (ctx->nparts == 2) ? &ctx->parts[1].entry : NULL;

    error = endpoint->check(&view);

    if (error) {
        return tournament_refuse(r, error);
    }

    ctx->body = tournament_render(tmcf, tlcf, endpoint,
                                  tournament_lasts(ctx) ? &part->key : NULL,
                                  &view);
    if (ctx->body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_send(r, ctx);
}


/* whether all of it may be kept for others who ask in this second */

static ngx_uint_t
tournament_lasts(tournament_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; i < ctx->nparts; i++) {
        if (!ctx->parts[i].waiter.cache || ctx->parts[i].transient) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
tournament_send(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_int_t               rc;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    if (ctx->subject && tlcf->stream) {
        return tournament_stream_start(r, ctx);
    }

    if (ctx->subject) {
        rc = tournament_wait(r, ctx, tournament_again);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    tournament_count(r, NGX_HTTP_OK);

    r->headers_out.status = NGX_HTTP_OK;

    rc = (ctx->user || ctx->staff) ? tournament_send_private(r)
                                   : tournament_send_public(r, ctx);

    if (rc != NGX_OK
        || (ctx->status == TOURNAMENT_STALE
            && tournament_send_age(r, ctx) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_answer_send(r, &ctx->body->text);
}


/* it has waited long enough */

static ngx_int_t
tournament_again(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    tournament_input_t     in;
    tournament_subject_t  *subject;

    ngx_memzero(&in, sizeof(tournament_input_t));

    subject = ctx->subject;
    ctx->subject = NULL;

    ctx->patient = 1;
    ctx->status = TOURNAMENT_NONE;
    ctx->waits = 0;
    ctx->queried = 0;
    ctx->nparts = 0;

    ctx->body = tournament_look_up(r, ctx, subject->endpoint,
                                   &subject->keys[0]);
    if (ctx->body) {
        ctx->status = TOURNAMENT_HIT;
        return tournament_send(r, ctx);
    }

    return tournament_parts(r, ctx, subject->endpoint, &in,
                            &subject->keys[0]);
}


static ngx_int_t
tournament_send_public(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_table_elt_t        *h;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    if (tournament_answer_header(r, &tlcf->cache_control) != NGX_OK) {
        return NGX_ERROR;
    }

    if (tlcf->user
        && tlcf->endpoint->audience != TOURNAMENT_PUBLIC
        && tournament_answer_add(r, &tournament_vary, &tournament_vary_value)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (tlcf->wait
        && tournament_answer_add(r, &tournament_vary, &tournament_prefer)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (ctx->patient
        && tournament_answer_add(r, &tournament_applied, &tournament_waited)
           == NULL)
    {
        return NGX_ERROR;
    }

    h = tournament_answer_add(r, &tournament_etag, &ctx->body->etag);
    if (h == NULL) {
        return NGX_ERROR;
    }

    r->headers_out.etag = h;

    return NGX_OK;
}


/* what is a user's is for nobody else, and for now */

static ngx_int_t
tournament_send_private(ngx_http_request_t *r)
{
    r->disable_not_modified = 1;

    if (tournament_answer_header(r, &tournament_private) != NGX_OK
        || tournament_answer_add(r, &tournament_vary, &tournament_vary_value)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
tournament_send_age(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%M", ctx->age / 1000) - value.data;

    return tournament_answer_add(r, &tournament_age, &value)
           ? NGX_OK : NGX_ERROR;
}
