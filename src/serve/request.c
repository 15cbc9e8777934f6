
#include "serve/answer.h"
#include "serve/error.h"
#include "serve/request.h"
#include "rules/text.h"


static void ngx_http_tournament_log_key(ngx_http_request_t *r,
    ngx_http_tournament_endpoint_t *endpoint, ngx_http_tournament_key_t *key);
static ngx_http_tournament_error_t *ngx_http_tournament_who(
    ngx_http_request_t *r, ngx_http_tournament_endpoint_t *endpoint,
    ngx_http_tournament_input_t *in);
static ngx_int_t ngx_http_tournament_parts(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_input_t *in,
    ngx_http_tournament_key_t *key);
static ngx_int_t ngx_http_tournament_look_up(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_part_t *part);
static ngx_http_tournament_cache_status_e ngx_http_tournament_judge(
    ngx_http_request_t *r, ngx_http_tournament_part_t *part,
    ngx_http_tournament_entry_t *entry);
static ngx_int_t ngx_http_tournament_part_copy(ngx_http_request_t *r,
    ngx_http_tournament_part_t *part, ngx_http_tournament_entry_t *entry);
static void ngx_http_tournament_use_stale(ngx_http_tournament_ctx_t *ctx,
    ngx_http_tournament_part_t *part);
static ngx_int_t ngx_http_tournament_wait(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);
static void ngx_http_tournament_arrived(ngx_http_tournament_waiter_t *waiter,
    ngx_http_tournament_pg_rc_e rc, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry);
static void ngx_http_tournament_leave(ngx_http_tournament_ctx_t *ctx);
static ngx_int_t ngx_http_tournament_answer(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);
static ngx_int_t ngx_http_tournament_send_age(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);
static ngx_int_t ngx_http_tournament_answer_user(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_view_t *view);
static void ngx_http_tournament_count_ctx(
    ngx_http_tournament_metrics_t *metrics, ngx_http_tournament_ctx_t *ctx,
    ngx_uint_t failed);
static void ngx_http_tournament_cleanup(void *data);


/* ms; a user's entries live so long while the feed is down */
#define NGX_HTTP_TOURNAMENT_UNHEARD_TTL  2000


static ngx_str_t  ngx_http_tournament_etag = ngx_string("ETag");
static ngx_str_t  ngx_http_tournament_age = ngx_string("Age");
static ngx_str_t  ngx_http_tournament_vary = ngx_string("Vary");
static ngx_str_t  ngx_http_tournament_vary_value =
    ngx_string("Cookie, Authorization");
static ngx_str_t  ngx_http_tournament_private =
    ngx_string("private, no-store");


ngx_int_t
ngx_http_tournament_handler(ngx_http_request_t *r)
{
    u_char                            buf[NGX_HTTP_TOURNAMENT_KEY_MAX];
    ngx_int_t                         rc;
    ngx_msec_t                        ttl;
    ngx_http_tournament_ctx_t        *ctx;
    ngx_http_tournament_key_t         key;
    ngx_http_tournament_input_t       in;
    ngx_http_tournament_error_t      *error;
    ngx_http_tournament_endpoint_t   *endpoint;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    endpoint = &ngx_http_tournament_endpoints[tlcf->endpoint];

    ctx = ngx_http_tournament_create_ctx(r);
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
        return ngx_http_tournament_error_send(r,
                                          &ngx_http_tournament_error_method);
    }

    ngx_str_null(&in.argument);
    in.user = 0;
    in.staff = 0;
    in.search = 0;

    if (tlcf->argument
        && ngx_http_tournament_value(r, tlcf->argument, &in.argument)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    error = NULL;

    if (endpoint->audience != NGX_HTTP_TOURNAMENT_PUBLIC) {
        error = ngx_http_tournament_who(r, endpoint, &in);
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);
    ngx_http_tournament_key_init(&key, buf, tmcf->space, endpoint->number);

    if (error == NULL) {
        error = endpoint->arguments(r, &in, &key);
    }

    if (error) {
        return ngx_http_tournament_error_send(r, error);
    }

    ctx->user = in.user;
    ctx->staff = in.staff;

    ngx_http_tournament_log_key(r, endpoint, &key);

    if (in.user == 0 && !in.staff && !in.search) {

        ttl = tlcf->ttl[tlcf->endpoint];

        ctx->body = ngx_http_tournament_memo_get(tmcf->memo, &key,
                                            ngx_http_tournament_settled(ttl));
        if (ctx->body) {
            ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                           "tournament memo: has it");

            ctx->status = NGX_HTTP_TOURNAMENT_HIT;
            return ngx_http_tournament_send(r, ctx);
        }
    }

    return ngx_http_tournament_parts(r, ctx, &in, &key);
}


static void
ngx_http_tournament_log_key(ngx_http_request_t *r,
    ngx_http_tournament_endpoint_t *endpoint, ngx_http_tournament_key_t *key)
{
#if (NGX_DEBUG)
    u_char  text[NGX_HTTP_TOURNAMENT_METRICS_TEXT];

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament request: %V, key \"%s\"", &endpoint->name,
                   ngx_http_tournament_metrics_key(text, key));
#endif
}


ngx_int_t
ngx_http_tournament_value(ngx_http_request_t *r,
    ngx_http_tournament_value_t *tv, ngx_str_t *value)
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

static ngx_http_tournament_error_t *
ngx_http_tournament_who(ngx_http_request_t *r,
    ngx_http_tournament_endpoint_t *endpoint, ngx_http_tournament_input_t *in)
{
    ngx_str_t                        value;
    ngx_http_tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    ngx_str_null(&value);

    if (tlcf->user
        && (ngx_http_tournament_value(r, tlcf->user, &value) != NGX_OK
            || (value.len
                && (tournament_text_id(value.data, value.len, &in->user) != 0
                    || in->user == 0))))
    {
        return &ngx_http_tournament_error_user;
    }

    if (endpoint->audience != NGX_HTTP_TOURNAMENT_GUARDED) {
        return NULL;
    }

    ngx_str_null(&value);

    if (tlcf->staff
        && ngx_http_tournament_value(r, tlcf->staff, &value) == NGX_OK)
    {
        in->staff = (value.len == 1 && value.data[0] == '1');
    }

    return (in->user || in->staff) ? NULL : &ngx_http_tournament_error_login;
}


ngx_http_tournament_ctx_t *
ngx_http_tournament_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t              *cln;
    ngx_http_tournament_ctx_t       *ctx;
    ngx_http_tournament_loc_conf_t  *tlcf;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_tournament_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_tournament_ctx_t));

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    ctx->request = r;
    ctx->endpoint = tlcf->endpoint;
    cln->handler = ngx_http_tournament_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_tournament_module);

    return ctx;
}


ngx_http_tournament_ctx_t *
ngx_http_tournament_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_tournament_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);

    if (ctx || !(r->internal || r->filter_finalize)) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler == ngx_http_tournament_cleanup) {
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
ngx_http_tournament_parts(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_input_t *in,
    ngx_http_tournament_key_t *key)
{
    u_char                            buf[NGX_HTTP_TOURNAMENT_KEY_MAX];
    ngx_http_tournament_key_t         context_key;
    ngx_http_tournament_part_t       *parts;
    ngx_http_tournament_endpoint_t   *endpoint, *context;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    endpoint = &ngx_http_tournament_endpoints[tlcf->endpoint];

    parts = ngx_pcalloc(r->pool, 2 * sizeof(ngx_http_tournament_part_t));
    if (parts == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->parts = parts;
    ctx->nparts = 1;
    ctx->answer = ngx_http_tournament_answer;

    parts[0].endpoint = tlcf->endpoint;
    parts[0].waiter.cache = !in->search;

    if (ngx_http_tournament_part_key(r, &parts[0], key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (in->user && !in->staff
        && endpoint->audience >= NGX_HTTP_TOURNAMENT_VIEWED)
    {
        context = &ngx_http_tournament_endpoints[NGX_HTTP_TOURNAMENT_CONTEXT];

        ngx_http_tournament_key_init(&context_key, buf, tmcf->space,
                                     context->number);

        if (context->arguments(r, in, &context_key) != NULL
            || ngx_http_tournament_part_key(r, &parts[1], &context_key)
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        parts[1].endpoint = NGX_HTTP_TOURNAMENT_CONTEXT;
        parts[1].waiter.cache = 1;
        ctx->nparts = 2;
    }

    return ngx_http_tournament_gather(r, ctx);
}


ngx_int_t
ngx_http_tournament_part_key(ngx_http_request_t *r,
    ngx_http_tournament_part_t *part, ngx_http_tournament_key_t *key)
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
ngx_http_tournament_gather(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_http_tournament_part_t       *part;
    ngx_http_tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    /* all are looked up before start(), which drops who cannot be served */

    for (i = 0; i < ctx->nparts; i++) {
        part = &ctx->parts[i];

        if (part->body || part->arrived) {
            continue;
        }

        rc = ngx_http_tournament_look_up(r, ctx, part);

        if (rc == NGX_OK) {
            continue;
        }

        part->waiter.handler = ngx_http_tournament_arrived;
        part->waiter.data = part;
        part->waiter.owner = ctx;
        part->waiter.impatient = part->stale;

        if (rc == NGX_ERROR
            || ngx_http_tournament_fetch_add(tmcf->fetch, part->endpoint,
                                             &part->key, &part->waiter)
               != NGX_OK)
        {
            ngx_http_tournament_leave(ctx);
            (void) ngx_http_tournament_fetch_start(tmcf->fetch);

            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ctx->waiting++;

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "tournament flight:%p is waited for",
                       part->waiter.flight);
    }

    if (ctx->waiting && ctx->waits == 0) {
        ctx->waits = ngx_http_tournament_metrics_now();
    }

    if (ngx_http_tournament_fetch_start(tmcf->fetch) != NGX_OK) {

        for (i = 0; i < ctx->nparts; i++) {
            part = &ctx->parts[i];

            if (part->body || part->arrived || part->waiter.flight) {
                continue;
            }

            if (!part->stale) {
                ngx_http_tournament_leave(ctx);

                return ngx_http_tournament_error_send(r,
                                     &ngx_http_tournament_error_unavailable);
            }

            ctx->waiting--;
            ngx_http_tournament_use_stale(ctx, part);
        }
    }

    if (ctx->waiting == 0) {
        return ctx->answer(r, ctx);
    }

    return ngx_http_tournament_wait(r, ctx);
}


/* the database fails: what is there is shown, and said to be old */

static void
ngx_http_tournament_use_stale(ngx_http_tournament_ctx_t *ctx,
    ngx_http_tournament_part_t *part)
{
    ngx_msec_t  age;

    age = ngx_http_tournament_cache_age(part->entry.fetched);

    part->arrived = 1;

    ctx->age = ngx_max(ctx->age, age);
    ctx->status = NGX_HTTP_TOURNAMENT_STALE;
}


/* NGX_OK: the part has its entry.  NGX_DECLINED: it must be queried. */

static ngx_int_t
ngx_http_tournament_look_up(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_part_t *part)
{
    ngx_int_t                           rc;
    ngx_http_tournament_entry_t         entry;
    ngx_http_tournament_loc_conf_t     *tlcf;
    ngx_http_tournament_main_conf_t    *tmcf;
    ngx_http_tournament_cache_status_e  status;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    if (tlcf->ttl[part->endpoint] == 0 || !part->waiter.cache) {
        part->waiter.cache = 0;
        ctx->status = ngx_max(ctx->status, NGX_HTTP_TOURNAMENT_BYPASS);
        return NGX_DECLINED;
    }

    part->waiter.coalesce = tlcf->coalesce[part->endpoint];

    rc = ngx_http_tournament_cache_get(&tmcf->cache, &part->key, &entry);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    status = NGX_HTTP_TOURNAMENT_MISS;

    if (rc == NGX_DECLINED) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "tournament zone: no entry");
    }

    if (rc == NGX_OK) {

        status = ngx_http_tournament_judge(r, part, &entry);

        part->waiter.seen_clock = entry.clock;
        part->waiter.seen_fetched = entry.fetched;

        if (status != NGX_HTTP_TOURNAMENT_EXPIRED || part->stale) {

            if (ngx_http_tournament_part_copy(r, part, &entry) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    if (status == NGX_HTTP_TOURNAMENT_STALE) {
        ngx_http_tournament_use_stale(ctx, part);
        return NGX_OK;
    }

    if (status == NGX_HTTP_TOURNAMENT_UPDATING) {
        part->stale = 1;
    }

    ctx->status = ngx_max(ctx->status, status);

    if (status == NGX_HTTP_TOURNAMENT_HIT
        || status == NGX_HTTP_TOURNAMENT_UPDATING)
    {
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

static ngx_http_tournament_cache_status_e
ngx_http_tournament_judge(ngx_http_request_t *r,
    ngx_http_tournament_part_t *part, ngx_http_tournament_entry_t *entry)
{
    ngx_msec_t                        ttl, age;
    ngx_uint_t                        up, over, public;
    ngx_http_tournament_class_e       class;
    ngx_http_tournament_endpoint_t   *endpoint;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    endpoint = &ngx_http_tournament_endpoints[part->endpoint];

    up = tmcf->listen
         && ngx_http_tournament_feed_state(&tmcf->cache)
            == NGX_HTTP_TOURNAMENT_FEED_UP;

    ttl = tlcf->ttl[entry->missing ? NGX_HTTP_TOURNAMENT_TTL_MISSING
                                   : part->endpoint];

    /* while nothing is heard of changes, what is a user's is kept short */

    if (tmcf->listen && !up
        && endpoint->audience == NGX_HTTP_TOURNAMENT_PERSONAL)
    {
        ttl = ngx_min(ttl, NGX_HTTP_TOURNAMENT_UNHEARD_TTL);
    }

    age = ngx_http_tournament_cache_age(entry->fetched);
    over = (entry->valid_until != 0 && ngx_time() >= entry->valid_until);

    class = ngx_http_tournament_cache_class(&tmcf->cache, entry->clock,
                                            entry->stripes, entry->nstripes);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament zone: an entry of class %d, age %M of %M ms%s",
                   class, age, ttl, entry->missing ? ", missing" : "");

    if (class == NGX_HTTP_TOURNAMENT_FRESH && age < ttl && !over) {

        /* what is in use is refreshed before it expires */

        if (!entry->missing && age >= ngx_http_tournament_settled(ttl)) {
            ngx_http_tournament_fetch_refresh(tmcf->fetch, part->endpoint,
                                              &part->key, entry);
        }

        return NGX_HTTP_TOURNAMENT_HIT;
    }

    /* a 404, a user's, or a guarded one is never shown once it is not fresh */

    public = (endpoint->audience == NGX_HTTP_TOURNAMENT_PUBLIC
              || endpoint->audience == NGX_HTTP_TOURNAMENT_VIEWED);

    if (!public || entry->missing || class == NGX_HTTP_TOURNAMENT_PURGED
        || age >= ttl + tlcf->stale)
    {
        return NGX_HTTP_TOURNAMENT_EXPIRED;
    }

    part->stale = (tlcf->stale != 0);

    if (part->stale && ngx_http_tournament_pg_away(tmcf->pg)) {
        return NGX_HTTP_TOURNAMENT_STALE;
    }

    if (over) {
        return NGX_HTTP_TOURNAMENT_EXPIRED;
    }

    if (class == NGX_HTTP_TOURNAMENT_INVALID) {

        /* changes pour in: one refresh in so much time is enough */

        return (age < tlcf->coalesce[part->endpoint] && age < ttl)
               ? NGX_HTTP_TOURNAMENT_UPDATING : NGX_HTTP_TOURNAMENT_EXPIRED;
    }

    /* without the feed only the TTL bounds how old an answer can be */

    if (!part->stale || (age >= ttl && !up)) {
        return NGX_HTTP_TOURNAMENT_EXPIRED;
    }

    ngx_http_tournament_fetch_refresh(tmcf->fetch, part->endpoint, &part->key,
                                      entry);

    return entry->failed ? NGX_HTTP_TOURNAMENT_STALE
                         : NGX_HTTP_TOURNAMENT_UPDATING;
}


/* the zone's copy, and a result, are gone with the next one */

static ngx_int_t
ngx_http_tournament_part_copy(ngx_http_request_t *r,
    ngx_http_tournament_part_t *part, ngx_http_tournament_entry_t *entry)
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
ngx_http_tournament_wait(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx)
{
    /* a client that goes away meanwhile is noticed */

    r->read_event_handler = ngx_http_test_reading;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_tournament_leave(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_tournament_arrived(ngx_http_tournament_waiter_t *waiter,
    ngx_http_tournament_pg_rc_e rc, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry)
{
    ngx_int_t                         result;
    ngx_connection_t                 *c;
    ngx_http_request_t               *r;
    ngx_http_tournament_ctx_t        *ctx;
    ngx_http_tournament_part_t       *part;
    ngx_http_tournament_main_conf_t  *tmcf;

    part = waiter->data;
    ctx = waiter->owner;
    r = ctx->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_tournament_module) != ctx) {

        /* the client went, and the request is with "post_action" now */

        ngx_http_tournament_leave(ctx);
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

    if (rc == NGX_HTTP_TOURNAMENT_PG_OK) {
        ctx->waiting--;

        /* what a purge has not found in the zone is not for the memo either */

        part->stale = ngx_http_tournament_cache_walked(&tmcf->cache,
                                                       entry->clock);

        if (waiter->coalesce && entry->clock < waiter->clock
            && !ngx_http_tournament_cache_valid(&tmcf->cache, entry->clock,
                                                entry->stripes,
                                                entry->nstripes))
        {
            /* changes pour in: it was old already as it was asked for */

            ctx->status = ngx_max(ctx->status, NGX_HTTP_TOURNAMENT_UPDATING);
        }

        if (ngx_http_tournament_part_copy(r, part, entry) != NGX_OK) {
            result = NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (part->stale) {
        ctx->waiting--;
        ngx_http_tournament_use_stale(ctx, part);

    } else {
        ctx->waiting--;
        result = ngx_http_tournament_error_send(r,
                                   rc == NGX_HTTP_TOURNAMENT_PG_TIMEOUT
                                   ? &ngx_http_tournament_error_timeout
                                   : &ngx_http_tournament_error_unavailable);
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
        ngx_http_tournament_leave(ctx);
        r->read_event_handler = ngx_http_block_reading;
    }

    ngx_http_finalize_request(r, result);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_tournament_leave(ngx_http_tournament_ctx_t *ctx)
{
    ngx_uint_t  i;

    for (i = 0; ctx->waiting && i < ctx->nparts; i++) {

        if (ctx->parts[i].waiter.flight) {
            ngx_http_tournament_fetch_leave(&ctx->parts[i].waiter);
            ctx->waiting--;
        }
    }

    ctx->waiting = 0;
}


/* all entries are there */

static ngx_int_t
ngx_http_tournament_answer(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx)
{
    ngx_http_tournament_part_t      *part;
    ngx_http_tournament_view_t       view;
    ngx_http_tournament_error_t     *error;
    ngx_http_tournament_endpoint_t  *endpoint;

    part = ctx->parts;
    endpoint = &ngx_http_tournament_endpoints[part->endpoint];

    view.now = ngx_time();
    view.user = ctx->user;
    view.staff = ctx->staff;
    view.entry = &part->entry;
    view.context = (ctx->nparts == 2) ? &ctx->parts[1].entry : NULL;

    error = endpoint->check(&view);

    if (error) {
        return ngx_http_tournament_error_send(r, error);
    }

    if (ctx->user || ctx->staff) {
        return ngx_http_tournament_answer_user(r, ctx, &view);
    }

    ctx->body = ngx_http_tournament_render(r, part->endpoint,
                                           part->waiter.cache && !part->stale
                                           ? &part->key : NULL,
                                           &part->entry);
    if (ctx->body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_tournament_send(r, ctx);
}


ngx_http_tournament_body_t *
ngx_http_tournament_render(ngx_http_request_t *r, ngx_uint_t endpoint,
    ngx_http_tournament_key_t *key, ngx_http_tournament_entry_t *entry)
{
    size_t                            start, len;
    ngx_str_t                         text, etag;
    ngx_http_tournament_body_t       *body;
    ngx_http_tournament_json_t       *json;
    ngx_http_tournament_view_t        view;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    if (key) {

        /* others may have waited for the same facts, and been here before */

        tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

        body = ngx_http_tournament_memo_get(tmcf->memo, key,
                                            tlcf->ttl[endpoint]);
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

    ngx_http_tournament_json_begin(json);
    ngx_http_tournament_json_bool(json, "success", 1);

    ngx_http_tournament_endpoints[endpoint].render(json, &view);

    if (ngx_http_tournament_json_end(json, view.now, &text, &etag)
        != NGX_OK)
    {
        return NULL;
    }

    body = ngx_http_tournament_body_create(key, entry, view.now, &text,
                                           &etag);
    if (body == NULL) {
        return NULL;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament rendered: %uz bytes, ETag %V", text.len,
                   &etag);

    ngx_http_tournament_json_marked(json, &start, &len);

    body->part.data = body->text.data + start;
    body->part.len = len;

    if (key) {
        ngx_http_tournament_memo_put(tmcf->memo, body);
    }

    return body;
}


ngx_int_t
ngx_http_tournament_send(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx)
{
    ngx_table_elt_t                 *h;
    ngx_http_tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    ngx_http_tournament_count(r, 0);

    r->headers_out.status = NGX_HTTP_OK;

    if (ngx_http_tournament_answer_header(r, &tlcf->cache_control)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (tlcf->user
        && ngx_http_tournament_endpoints[tlcf->endpoint].audience
           != NGX_HTTP_TOURNAMENT_PUBLIC
        && ngx_http_tournament_answer_add(r, &ngx_http_tournament_vary,
                                          &ngx_http_tournament_vary_value)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->status == NGX_HTTP_TOURNAMENT_STALE
        && ngx_http_tournament_send_age(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = ngx_http_tournament_answer_add(r, &ngx_http_tournament_etag,
                                       &ctx->body->etag);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.etag = h;

    return ngx_http_tournament_answer_send(r, &ctx->body->text);
}


static ngx_int_t
ngx_http_tournament_send_age(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%M", ctx->age / 1000) - value.data;

    return ngx_http_tournament_answer_add(r, &ngx_http_tournament_age, &value)
           ? NGX_OK : NGX_ERROR;
}


/* what is a user's is for nobody else, and for now */

static ngx_int_t
ngx_http_tournament_answer_user(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_view_t *view)
{
    ngx_str_t                         text, etag;
    ngx_http_tournament_json_t       *json;
    ngx_http_tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    json = tmcf->json;

    ngx_http_tournament_json_begin(json);
    ngx_http_tournament_json_bool(json, "success", 1);

    ngx_http_tournament_endpoints[ctx->parts[0].endpoint].render(json, view);

    if (ngx_http_tournament_json_end(json, view->now, &text, &etag)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = ngx_pstrdup(r->pool, &text);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_tournament_count(r, 0);

    r->headers_out.status = NGX_HTTP_OK;
    r->disable_not_modified = 1;

    if (ngx_http_tournament_answer_header(r, &ngx_http_tournament_private)
        != NGX_OK
        || ngx_http_tournament_answer_add(r, &ngx_http_tournament_vary,
                                          &ngx_http_tournament_vary_value)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->status == NGX_HTTP_TOURNAMENT_STALE
        && ngx_http_tournament_send_age(r, ctx) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_tournament_answer_send(r, &text);
}


void
ngx_http_tournament_count(ngx_http_request_t *r, ngx_uint_t failed)
{
    ngx_http_tournament_ctx_t        *ctx;
    ngx_http_tournament_main_conf_t  *tmcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);

    if (ctx) {
        tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

        ngx_http_tournament_count_ctx(tmcf->metrics, ctx, failed);
    }
}


static void
ngx_http_tournament_count_ctx(ngx_http_tournament_metrics_t *metrics,
    ngx_http_tournament_ctx_t *ctx, ngx_uint_t failed)
{
    uint64_t  *columns;

    if (ctx->counted || ctx->endpoint >= NGX_HTTP_TOURNAMENT_SERVED) {
        return;
    }

    ctx->counted = 1;

    columns = metrics->counters->requests[ctx->endpoint];

    ngx_http_tournament_metrics_add(&columns[ctx->status]);

    if (failed) {
        ngx_http_tournament_metrics_add(
                               &columns[NGX_HTTP_TOURNAMENT_METRICS_ERRORS]);
    }

    if (ctx->queried) {
        ngx_http_tournament_metrics_waited(metrics, ctx->endpoint,
                                           &ctx->waited->key, ctx->waits,
                                           &ctx->waited->waiter.times);
    }
}


static void
ngx_http_tournament_cleanup(void *data)
{
    ngx_http_tournament_ctx_t  *ctx = data;

    ngx_uint_t                        i;
    ngx_http_request_t               *r;
    ngx_http_tournament_main_conf_t  *tmcf;

    ngx_http_tournament_leave(ctx);

    if (!ctx->counted) {
        r = ctx->request;
        tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

        ngx_http_tournament_count_ctx(tmcf->metrics, ctx,
                                      r->headers_out.status
                                      == NGX_HTTP_INTERNAL_SERVER_ERROR);
    }

    for (i = 0; i < ctx->nparts; i++) {
        if (ctx->parts[i].body) {
            ngx_http_tournament_body_release(ctx->parts[i].body);
        }
    }

    if (ctx->body) {
        ngx_http_tournament_body_release(ctx->body);
    }
}
