
#include "serve/answer.h"
#include "serve/error.h"
#include "serve/request.h"
#include "rules/text.h"


static void tournament_log_key(ngx_http_request_t *r,
    tournament_endpoint_t *endpoint, tournament_key_t *key);
static tournament_error_t *tournament_who(ngx_http_request_t *r,
    tournament_endpoint_t *endpoint, tournament_input_t *in);
static ngx_int_t tournament_parts(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_input_t *in, tournament_key_t *key);
static ngx_int_t tournament_look_up(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_part_t *part);
static tournament_cache_status_e tournament_judge(ngx_http_request_t *r,
    tournament_part_t *part, tournament_entry_t *entry);
static ngx_int_t tournament_part_copy(ngx_http_request_t *r,
    tournament_part_t *part, tournament_entry_t *entry);
static void tournament_use_stale(tournament_ctx_t *ctx,
    tournament_part_t *part);
static ngx_int_t tournament_wait(ngx_http_request_t *r, tournament_ctx_t *ctx);
static void tournament_arrived(tournament_waiter_t *waiter,
    tournament_pg_rc_e rc, tournament_entry_t *entry);
static void tournament_leave(tournament_ctx_t *ctx);
static ngx_int_t tournament_answer(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_send_age(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_answer_user(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_view_t *view);
static void tournament_count_ctx(tournament_metrics_t *metrics,
    tournament_ctx_t *ctx, ngx_uint_t failed);
static void tournament_cleanup(void *data);


/* ms; a user's entries live so long while the feed is down */
#define TOURNAMENT_UNHEARD_TTL  2000


static ngx_str_t  tournament_etag = ngx_string("ETag");
static ngx_str_t  tournament_age = ngx_string("Age");
static ngx_str_t  tournament_vary = ngx_string("Vary");
static ngx_str_t  tournament_vary_value = ngx_string("Cookie, Authorization");
static ngx_str_t  tournament_private = ngx_string("private, no-store");


ngx_int_t
tournament_handler(ngx_http_request_t *r)
{
    u_char                   buf[TOURNAMENT_KEY_MAX];
    ngx_int_t                rc;
    ngx_msec_t               ttl;
    tournament_ctx_t        *ctx;
    tournament_key_t         key;
    tournament_input_t       in;
    tournament_error_t      *error;
    tournament_endpoint_t   *endpoint;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    endpoint = &tournament_endpoints[tlcf->endpoint];

    ctx = tournament_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (endpoint->handler) {
        return endpoint->handler(r);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return tournament_error_send(r, &tournament_error_method);
    }

    ngx_str_null(&in.argument);
    in.user = 0;
    in.staff = 0;
    in.search = 0;

    if (tlcf->argument
        && tournament_value(r, tlcf->argument, &in.argument)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    error = NULL;

    if (endpoint->audience != TOURNAMENT_PUBLIC) {
        error = tournament_who(r, endpoint, &in);
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);
    tournament_key_init(&key, buf, tmcf->space, endpoint->number);

    if (error == NULL) {
        error = endpoint->arguments(r, &in, &key);
    }

    if (error) {
        return tournament_error_send(r, error);
    }

    ctx->user = in.user;
    ctx->staff = in.staff;

    tournament_log_key(r, endpoint, &key);

    if (in.user == 0 && !in.staff && !in.search) {

        ttl = tlcf->ttl[tlcf->endpoint];

        ctx->body = tournament_memo_get(tmcf->memo, &key,
                                        tournament_settled(ttl));
        if (ctx->body) {
            ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "tournament memo: has it");

            ctx->status = TOURNAMENT_HIT;
            return tournament_send(r, ctx);
        }
    }

    return tournament_parts(r, ctx, &in, &key);
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

    if (tlcf->user
        && (tournament_value(r, tlcf->user, &value) != NGX_OK
            || (value.len
                && (tournament_text_id(value.data, value.len, &in->user) != 0
                    || in->user == 0))))
    {
        return &tournament_error_user;
    }

    if (endpoint->audience != TOURNAMENT_GUARDED) {
        return NULL;
    }

    ngx_str_null(&value);

    if (tlcf->staff && tournament_value(r, tlcf->staff, &value) == NGX_OK) {
        in->staff = (value.len == 1 && value.data[0] == '1');
    }

    return (in->user || in->staff) ? NULL : &tournament_error_login;
}


tournament_ctx_t *
tournament_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    tournament_ctx_t       *ctx;
    tournament_loc_conf_t  *tlcf;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(tournament_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(tournament_ctx_t));

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    ctx->request = r;
    ctx->endpoint = tlcf->endpoint;
    cln->handler = tournament_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_tournament_module);

    return ctx;
}


tournament_ctx_t *
tournament_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;
    tournament_ctx_t    *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == tournament_cleanup) {
            ctx = cln->data;

            if (ctx->request == r) {
                return ctx;
            }
        }
    }

    return NULL;
}


/* the endpoint's own entry and, where a user looks at it, the user's */

static ngx_int_t
tournament_parts(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_input_t *in, tournament_key_t *key)
{
    u_char                   buf[TOURNAMENT_KEY_MAX];
    tournament_key_t         context_key;
    tournament_part_t       *parts;
    tournament_endpoint_t   *endpoint, *context;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    endpoint = &tournament_endpoints[tlcf->endpoint];

    parts = ngx_pcalloc(r->pool, 2 * sizeof(tournament_part_t));
    if (parts == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->parts = parts;
    ctx->nparts = 1;
    ctx->answer = tournament_answer;

    parts[0].endpoint = tlcf->endpoint;
    parts[0].waiter.cache = !in->search;

    if (tournament_part_key(r, &parts[0], key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (in->user && !in->staff && endpoint->audience >= TOURNAMENT_VIEWED) {
        context = &tournament_endpoints[TOURNAMENT_CONTEXT];

        tournament_key_init(&context_key, buf, tmcf->space, context->number);

        if (context->arguments(r, in, &context_key) != NULL
            || tournament_part_key(r, &parts[1], &context_key)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        parts[1].endpoint = TOURNAMENT_CONTEXT;
        parts[1].waiter.cache = 1;
        ctx->nparts = 2;
    }

    return tournament_gather(r, ctx);
}


ngx_int_t
tournament_part_key(ngx_http_request_t *r, tournament_part_t *part,
    tournament_key_t *key)
{
    part->key.len = key->len;
    part->key.data = ngx_pnalloc(r->pool, key->len);

    if (part->key.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(part->key.data, key->data, key->len);

    return NGX_OK;
}


ngx_int_t
tournament_gather(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    tournament_part_t       *part;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    /* all are looked up before start(), which drops who cannot be served */

    for (i = 0; i < ctx->nparts; i++) {
        part = &ctx->parts[i];

        if (part->body || part->arrived) {
            continue;
        }

        rc = tournament_look_up(r, ctx, part);

        if (rc == NGX_OK) {
            continue;
        }

        part->waiter.handler = tournament_arrived;
        part->waiter.data = part;
        part->waiter.owner = ctx;
        part->waiter.impatient = part->stale;

        if (rc == NGX_ERROR
            || tournament_fetch_add(tmcf->fetch, part->endpoint,
                                    &part->key, &part->waiter)
               != NGX_OK)
        {
            tournament_leave(ctx);
            (void) tournament_fetch_start(tmcf->fetch);

            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->waiting++;

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "tournament flight:%p is waited for",
                       part->waiter.flight);
    }

    if (ctx->waiting && ctx->waits == 0) {
        ctx->waits = tournament_metrics_now();
    }

    if (tournament_fetch_start(tmcf->fetch) != NGX_OK) {

        for (i = 0; i < ctx->nparts; i++) {
            part = &ctx->parts[i];

            if (part->body || part->arrived || part->waiter.flight) {
                continue;
            }

            if (!part->stale) {
                tournament_leave(ctx);

                return tournament_error_send(r, &tournament_error_unavailable);
            }

            ctx->waiting--;
            tournament_use_stale(ctx, part);
        }
    }

    if (ctx->waiting == 0) {
        return ctx->answer(r, ctx);
    }

    return tournament_wait(r, ctx);
}


/* the database fails: what is there is shown, and said to be old */

static void
tournament_use_stale(tournament_ctx_t *ctx, tournament_part_t *part)
{
    ngx_msec_t  age;

    age = tournament_elapsed(part->entry.fetched);

    part->arrived = 1;

    ctx->age = ngx_max(ctx->age, age);
    ctx->status = TOURNAMENT_STALE;
}


/* NGX_OK: the part has its entry.  NGX_DECLINED: it must be queried. */

static ngx_int_t
tournament_look_up(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_part_t *part)
{
    ngx_int_t                  rc;
    tournament_entry_t         entry;
    tournament_loc_conf_t     *tlcf;
    tournament_main_conf_t    *tmcf;
    tournament_cache_status_e  status;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    if (tlcf->ttl[part->endpoint] == 0 || !part->waiter.cache) {
        part->waiter.cache = 0;
        ctx->status = ngx_max(ctx->status, TOURNAMENT_BYPASS);
        return NGX_DECLINED;
    }

    part->waiter.coalesce = tlcf->coalesce[part->endpoint];

    rc = tournament_arena_get(&tmcf->zone.arena, &part->key, &entry);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    status = TOURNAMENT_MISS;

    if (rc == NGX_DECLINED) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "tournament zone: no entry");
    }

    if (rc == NGX_OK) {

        status = tournament_judge(r, part, &entry);

        part->waiter.seen_clock = entry.clock;
        part->waiter.seen_fetched = entry.fetched;

        if (status != TOURNAMENT_EXPIRED || part->stale) {

            if (tournament_part_copy(r, part, &entry) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    if (status == TOURNAMENT_STALE) {
        tournament_use_stale(ctx, part);
        return NGX_OK;
    }

    if (status == TOURNAMENT_UPDATING) {
        part->stale = 1;
    }

    ctx->status = ngx_max(ctx->status, status);

    if (status == TOURNAMENT_HIT || status == TOURNAMENT_UPDATING) {
        return NGX_OK;
    }

    part->arrived = 0;

    return NGX_DECLINED;
}


/*
 * What an entry is good for: HIT, it is fresh; UPDATING, it may be shown while
 * it is refreshed; STALE, it may be since the database fails; EXPIRED, it may
 * not.  In the last case part->stale says whether a failing database would let
 * it be shown all the same.
 */

static tournament_cache_status_e
tournament_judge(ngx_http_request_t *r, tournament_part_t *part,
    tournament_entry_t *entry)
{
    ngx_msec_t               ttl, age;
    ngx_uint_t               up, over, public;
    tournament_class_e       class;
    tournament_endpoint_t   *endpoint;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    endpoint = &tournament_endpoints[part->endpoint];

    up = tmcf->listen
         && tournament_feed_state(&tmcf->zone)
            == TOURNAMENT_FEED_UP;

    ttl = tlcf->ttl[entry->missing ? TOURNAMENT_TTL_MISSING : part->endpoint];

    /* while nothing is heard of changes, what is a user's is kept short */

    if (tmcf->listen && !up && endpoint->audience == TOURNAMENT_PERSONAL) {
        ttl = ngx_min(ttl, TOURNAMENT_UNHEARD_TTL);
    }

    age = tournament_elapsed(entry->fetched);
    over = (entry->valid_until != 0 && ngx_time() >= entry->valid_until);

    class = tournament_clock_class(tmcf->zone.clock, entry->clock,
                                   entry->stripes, entry->nstripes);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament zone: an entry of class %d, age %M of %M ms%s",
                   class, age, ttl, entry->missing ? ", missing" : "");

    if (class == TOURNAMENT_FRESH && age < ttl && !over) {

        /* what is in use is refreshed before it expires */

        if (!entry->missing && age >= tournament_settled(ttl)) {
            tournament_fetch_refresh(tmcf->fetch, part->endpoint,
                                     &part->key, entry);
        }

        return TOURNAMENT_HIT;
    }

    /* a 404, a user's, or a guarded one is never shown once it is not fresh */

    public = (endpoint->audience == TOURNAMENT_PUBLIC
              || endpoint->audience == TOURNAMENT_VIEWED);

    if (!public || entry->missing || class == TOURNAMENT_PURGED
        || age >= ttl + tlcf->stale)
    {
        return TOURNAMENT_EXPIRED;
    }

    part->stale = (tlcf->stale != 0);

    if (part->stale && tournament_pg_away(tmcf->pg)) {
        return TOURNAMENT_STALE;
    }

    if (over) {
        return TOURNAMENT_EXPIRED;
    }

    if (class == TOURNAMENT_INVALID) {

        /* changes pour in: one refresh in so much time is enough */

        return (age < tlcf->coalesce[part->endpoint] && age < ttl)
               ? TOURNAMENT_UPDATING : TOURNAMENT_EXPIRED;
    }

    /* without the feed only the TTL bounds how old an answer can be */

    if (!part->stale || (age >= ttl && !up)) {
        return TOURNAMENT_EXPIRED;
    }

    tournament_fetch_refresh(tmcf->fetch, part->endpoint, &part->key, entry);

    return entry->failed ? TOURNAMENT_STALE
                         : TOURNAMENT_UPDATING;
}


/* the zone's copy, and a result, are gone with the next one */

static ngx_int_t
tournament_part_copy(ngx_http_request_t *r, tournament_part_t *part,
    tournament_entry_t *entry)
{
    size_t   stripes;
    u_char  *p;

    stripes = entry->nstripes * sizeof(uint32_t);

    p = ngx_palloc(r->pool, ngx_align(entry->len, 8) + stripes);
    if (p == NULL) {
        return NGX_ERROR;
    }

    part->arrived = 1;
    part->entry = *entry;

    part->entry.facts = p;
    ngx_memcpy(p, entry->facts, entry->len);
    p += ngx_align(entry->len, 8);

    part->entry.stripes = (uint32_t *) p;
    ngx_memcpy(p, entry->stripes, stripes);

    return NGX_OK;
}


static ngx_int_t
tournament_wait(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    /* a client that goes away meanwhile is noticed */

    r->read_event_handler = ngx_http_test_reading;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        tournament_leave(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
tournament_arrived(tournament_waiter_t *waiter, tournament_pg_rc_e rc,
    tournament_entry_t *entry)
{
    ngx_int_t                result;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    tournament_ctx_t        *ctx;
    tournament_part_t       *part;
    tournament_main_conf_t  *tmcf;

    part = waiter->data;
    ctx = waiter->owner;
    r = ctx->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_tournament_module) != ctx) {

        /* the client went, and the request is with "post_action" now */

        tournament_leave(ctx);
        return;
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "tournament result: rc %d after %M ms", rc,
                   ngx_current_msec - waiter->arrived);

    ctx->queried = 1;
    ctx->waited = part;
    ctx->query_time = ngx_current_msec - waiter->arrived;

    result = NGX_OK;

    if (rc == TOURNAMENT_PG_OK) {
        ctx->waiting--;

        /* what a purge has not found in the zone is not for the memo either */

        part->stale = tournament_clock_walked(tmcf->zone.clock, entry->clock);

        if (waiter->coalesce && entry->clock < waiter->clock
            && !tournament_clock_valid(tmcf->zone.clock, entry->clock,
                                       entry->stripes,
                                       entry->nstripes))
        {
            /* changes pour in: it was old already as it was asked for */

            ctx->status = ngx_max(ctx->status, TOURNAMENT_UPDATING);
        }

        if (tournament_part_copy(r, part, entry) != NGX_OK) {
            result = NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (part->stale) {
        ctx->waiting--;
        tournament_use_stale(ctx, part);

    } else {
        ctx->waiting--;
        result = tournament_error_send(r,
                                       rc == TOURNAMENT_PG_TIMEOUT
                                       ? &tournament_error_timeout
                                       : &tournament_error_unavailable);
        ctx->failed = 1;
    }

    if (result == NGX_OK && !ctx->failed) {

        if (ctx->waiting) {
            return;
        }

        /* may wait once more */

        result = ctx->answer(r, ctx);
    }

    if (result != NGX_DONE) {
        tournament_leave(ctx);
        r->read_event_handler = ngx_http_block_reading;
    }

    ngx_http_finalize_request(r, result);

    ngx_http_run_posted_requests(c);
}


static void
tournament_leave(tournament_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; ctx->waiting && i < ctx->nparts; i++) {

        if (ctx->parts[i].waiter.flight) {
            tournament_fetch_leave(&ctx->parts[i].waiter);
            ctx->waiting--;
        }
    }

    ctx->waiting = 0;
}


/* all entries are there */

static ngx_int_t
tournament_answer(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    tournament_part_t      *part;
    tournament_view_t       view;
    tournament_error_t     *error;
    tournament_endpoint_t  *endpoint;

    part = ctx->parts;
    endpoint = &tournament_endpoints[part->endpoint];

    view.now = ngx_time();
    view.user = ctx->user;
    view.staff = ctx->staff;
    view.entry = &part->entry;
    view.context = (ctx->nparts == 2) ? &ctx->parts[1].entry : NULL;

    error = endpoint->check(&view);

    if (error) {
        return tournament_error_send(r, error);
    }

    if (ctx->user || ctx->staff) {
        return tournament_answer_user(r, ctx, &view);
    }

    ctx->body = tournament_render(r, part->endpoint,
                                  part->waiter.cache && !part->stale
                                  ? &part->key : NULL,
                                  &part->entry);
    if (ctx->body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_send(r, ctx);
}


tournament_body_t *
tournament_render(ngx_http_request_t *r, ngx_uint_t endpoint,
    tournament_key_t *key, tournament_entry_t *entry)
{
    size_t                   start, len;
    ngx_str_t                text, etag;
    tournament_body_t       *body;
    tournament_json_t       *json;
    tournament_view_t        view;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    if (key) {

        /* others may have waited for the same facts, and been here before */

        tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

        body = tournament_memo_get(tmcf->memo, key, tlcf->ttl[endpoint]);
        if (body) {
            return body;
        }
    }

    view.now = ngx_time();
    view.user = 0;
    view.staff = 0;
    view.entry = entry;
    view.context = NULL;

    json = tmcf->json;

    tournament_json_begin(json);
    tournament_json_bool(json, "success", 1);

    tournament_endpoints[endpoint].render(json, &view);

    if (tournament_json_end(json, view.now, &text, &etag) != NGX_OK) {
        return NULL;
    }

    body = tournament_body_create(key, entry, view.now, &text, &etag);
    if (body == NULL) {
        return NULL;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament rendered: %uz bytes, ETag %V", text.len,
                   &etag);

    tournament_json_marked(json, &start, &len);

    body->part.data = body->text.data + start;
    body->part.len = len;

    if (key) {
        tournament_memo_put(tmcf->memo, body);
    }

    return body;
}


ngx_int_t
tournament_send(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_table_elt_t        *h;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    tournament_count(r, 0);

    r->headers_out.status = NGX_HTTP_OK;

    if (tournament_answer_header(r, &tlcf->cache_control) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tlcf->user
        && tournament_endpoints[tlcf->endpoint].audience
           != TOURNAMENT_PUBLIC
        && tournament_answer_add(r, &tournament_vary, &tournament_vary_value)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->status == TOURNAMENT_STALE
        && tournament_send_age(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = tournament_answer_add(r, &tournament_etag, &ctx->body->etag);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.etag = h;

    return tournament_answer_send(r, &ctx->body->text);
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


/* what is a user's is for nobody else, and for now */

static ngx_int_t
tournament_answer_user(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_view_t *view)
{
    ngx_str_t                text, etag;
    tournament_json_t       *json;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    json = tmcf->json;

    tournament_json_begin(json);
    tournament_json_bool(json, "success", 1);

    tournament_endpoints[ctx->parts[0].endpoint].render(json, view);

    if (tournament_json_end(json, view->now, &text, &etag) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = ngx_pstrdup(r->pool, &text);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    tournament_count(r, 0);

    r->headers_out.status = NGX_HTTP_OK;
    r->disable_not_modified = 1;

    if (tournament_answer_header(r, &tournament_private)
        != NGX_OK
        || tournament_answer_add(r, &tournament_vary, &tournament_vary_value)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->status == TOURNAMENT_STALE
        && tournament_send_age(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_answer_send(r, &text);
}


void
tournament_count(ngx_http_request_t *r, ngx_uint_t failed)
{
    tournament_ctx_t        *ctx;
    tournament_main_conf_t  *tmcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);

    if (ctx) {
        tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

        tournament_count_ctx(tmcf->metrics, ctx, failed);
    }
}


static void
tournament_count_ctx(tournament_metrics_t *metrics, tournament_ctx_t *ctx,
    ngx_uint_t failed)
{
    uint64_t  *columns;

    if (ctx->counted || ctx->endpoint >= TOURNAMENT_SERVED) {
        return;
    }

    ctx->counted = 1;

    columns = metrics->counters->requests[ctx->endpoint];

    tournament_metrics_add(&columns[ctx->status]);

    if (failed) {
        tournament_metrics_add(&columns[TOURNAMENT_METRICS_ERRORS]);
    }

    if (ctx->queried) {
        tournament_metrics_waited(metrics, ctx->endpoint,
                                  &ctx->waited->key, ctx->waits,
                                  &ctx->waited->waiter.times);
    }
}


static void
tournament_cleanup(void *data)
{
    tournament_ctx_t  *ctx = data;

    ngx_uint_t               i;
    ngx_http_request_t      *r;
    tournament_main_conf_t  *tmcf;

    tournament_leave(ctx);

    if (!ctx->counted) {
        r = ctx->request;
        tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

        tournament_count_ctx(tmcf->metrics, ctx,
                             r->headers_out.status
                             == NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    for (i = 0; i < ctx->nparts; i++) {
        if (ctx->parts[i].body) {
            tournament_body_release(ctx->parts[i].body);
        }
    }

    if (ctx->body) {
        tournament_body_release(ctx->body);
    }
}
