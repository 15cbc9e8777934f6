
/*
 * The front door: directives, configuration, the location handler, variables,
 * and the life of a worker.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_tournament_answer.h"
#include "ngx_http_tournament_body.h"
#include "ngx_http_tournament_cache.h"
#include "ngx_http_tournament_conninfo.h"
#include "ngx_http_tournament_endpoint.h"
#include "ngx_http_tournament_error.h"
#include "ngx_http_tournament_fetch.h"
#include "ngx_http_tournament_json.h"
#include "ngx_http_tournament_pg.h"
#include "tournament_hash.h"


typedef struct {
    ngx_shm_zone_t                       *zone;
    ngx_http_tournament_cache_t           cache;

    ngx_str_t                             conninfo;
    ngx_str_t                             conninfo_directive;
    ngx_http_tournament_pg_conf_t         database;
    uint64_t                              space;      /* of keys */
    ngx_uint_t                            used;       /* by some location */

    /* a worker's */

    ngx_http_tournament_pg_t             *pg;
    ngx_http_tournament_fetch_t          *fetch;
    ngx_http_tournament_memo_t           *memo;
    ngx_http_tournament_json_t           *json;
} ngx_http_tournament_main_conf_t;


typedef struct {
    ngx_uint_t                            served;     /* endpoint is set */
    ngx_uint_t                            endpoint;

    /* the argument: a variable alone, else a complex value */

    ngx_int_t                             variable;   /* index, or NGX_ERROR */
    ngx_http_complex_value_t             *argument;

    ngx_msec_t                            ttl[NGX_HTTP_TOURNAMENT_TTLS];
    time_t                                max_age;
    ngx_str_t                             cache_control;
} ngx_http_tournament_loc_conf_t;


typedef enum {
    NGX_HTTP_TOURNAMENT_NONE = 0,
    NGX_HTTP_TOURNAMENT_MISS,
    NGX_HTTP_TOURNAMENT_HIT,
    NGX_HTTP_TOURNAMENT_EXPIRED,
    NGX_HTTP_TOURNAMENT_BYPASS
} ngx_http_tournament_cache_status_e;


/* of one request; lives in a cleanup of its pool */

typedef struct {
    ngx_http_request_t                   *request;
    ngx_http_tournament_body_t           *body;       /* a reference */
    ngx_http_tournament_waiter_t         *waiter;
    ngx_http_tournament_cache_status_e    status;
    ngx_msec_t                            query_time; /* ms */
    unsigned                              queried:1;
} ngx_http_tournament_ctx_t;


/* bounds of a directive's number or time, and how to say them */

typedef struct {
    ngx_int_t                             low;
    ngx_int_t                             high;
    const char                           *allowed;
} ngx_http_tournament_bounds_t;


static ngx_int_t ngx_http_tournament_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_tournament_argument(ngx_http_request_t *r,
    ngx_http_tournament_loc_conf_t *tlcf, ngx_str_t *value);
static ngx_http_tournament_ctx_t *ngx_http_tournament_create_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_tournament_look_up(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_key_t *key);
static ngx_int_t ngx_http_tournament_query(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_key_t *key,
    ngx_uint_t cache);
static void ngx_http_tournament_queried(ngx_http_tournament_waiter_t *waiter,
    ngx_http_tournament_pg_rc_e rc, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry);
static ngx_int_t ngx_http_tournament_answer(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry, ngx_uint_t cache);
static ngx_int_t ngx_http_tournament_send(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx);
static void ngx_http_tournament_cleanup(void *data);

static ngx_int_t ngx_http_tournament_add_variables(ngx_conf_t *cf);
static ngx_http_tournament_ctx_t *ngx_http_tournament_get_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_tournament_cache_status_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_tournament_query_time_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);

static void *ngx_http_tournament_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_tournament_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_tournament_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_tournament_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_tournament_init(ngx_conf_t *cf);
static char *ngx_http_tournament_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_database(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_database_file(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_tournament_set_conninfo(ngx_conf_t *cf,
    ngx_http_tournament_main_conf_t *tmcf, ngx_str_t *value);
static char *ngx_http_tournament_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_msec(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_ttl(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_max_age(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_tournament_compile_argument(ngx_conf_t *cf,
    ngx_http_tournament_loc_conf_t *tlcf, ngx_str_t *value);
static char *ngx_http_tournament_invalid(ngx_conf_t *cf,
    const char *allowed, ngx_str_t *value);
static char *ngx_http_tournament_unknown(ngx_conf_t *cf,
    ngx_str_t *value, ngx_uint_t missing);

static ngx_int_t ngx_http_tournament_init_process(ngx_cycle_t *cycle);
static void ngx_http_tournament_exit_process(ngx_cycle_t *cycle);


static ngx_http_tournament_bounds_t  ngx_http_tournament_connections_bounds =
    { 1, 256, "a number from 1 to 256" };

static ngx_http_tournament_bounds_t  ngx_http_tournament_queue_bounds =
    { 1, 1000000, "a number from 1 to 1000000" };

static ngx_http_tournament_bounds_t  ngx_http_tournament_timeout_bounds =
    { 1, 3600000, "a time from 1ms to 1h" };


static ngx_command_t  ngx_http_tournament_commands[] = {

    { ngx_string("tournament_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_database"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_database,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_database_file"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_database_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_database_connections"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_tournament_main_conf_t, database.connections),
      &ngx_http_tournament_connections_bounds },

    { ngx_string("tournament_database_queue"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_tournament_main_conf_t, database.queue),
      &ngx_http_tournament_queue_bounds },

    { ngx_string("tournament_connect_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_tournament_main_conf_t, database.connect_timeout),
      &ngx_http_tournament_timeout_bounds },

    { ngx_string("tournament_query_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_tournament_main_conf_t, database.query_timeout),
      &ngx_http_tournament_timeout_bounds },

    { ngx_string("tournament_ttl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_tournament_ttl,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_max_age"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_max_age,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_tournament,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_tournament_module_ctx = {
    ngx_http_tournament_add_variables,     /* preconfiguration */
    ngx_http_tournament_init,              /* postconfiguration */

    ngx_http_tournament_create_main_conf,  /* create main configuration */
    ngx_http_tournament_init_main_conf,    /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_tournament_create_loc_conf,   /* create location configuration */
    ngx_http_tournament_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_tournament_module = {
    NGX_MODULE_V1,
    &ngx_http_tournament_module_ctx,       /* module context */
    ngx_http_tournament_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_tournament_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_tournament_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_tournament_vars[] = {

    { ngx_string("tournament_cache_status"), NULL,
      ngx_http_tournament_cache_status_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("tournament_query_time"), NULL,
      ngx_http_tournament_query_time_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_str_t  ngx_http_tournament_etag = ngx_string("ETag");


static ngx_int_t
ngx_http_tournament_handler(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_str_t                         argument;
    ngx_msec_t                        ttl;
    ngx_http_tournament_ctx_t        *ctx;
    ngx_http_tournament_key_t         key;
    ngx_http_tournament_error_t      *error;
    ngx_http_tournament_endpoint_t   *endpoint;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    endpoint = &ngx_http_tournament_endpoints[tlcf->endpoint];

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & endpoint->methods)) {
        return ngx_http_tournament_error_send(r,
                                          &ngx_http_tournament_error_method);
    }

    if (ngx_http_tournament_argument(r, tlcf, &argument) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_tournament_key_init(&key, tmcf->space, endpoint->number);

    error = endpoint->arguments(r, &argument, &key);
    if (error) {
        return ngx_http_tournament_error_send(r, error);
    }

    ctx = ngx_http_tournament_create_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ttl = tlcf->ttl[tlcf->endpoint];

    if (ttl == 0) {
        ctx->status = NGX_HTTP_TOURNAMENT_BYPASS;
        return ngx_http_tournament_query(r, ctx, &key, 0);
    }

    ctx->body = ngx_http_tournament_memo_get(tmcf->memo, &key, ttl);

    if (ctx->body) {
        ctx->status = NGX_HTTP_TOURNAMENT_HIT;
        return ngx_http_tournament_send(r, ctx);
    }

    return ngx_http_tournament_look_up(r, ctx, &key);
}


static ngx_int_t
ngx_http_tournament_argument(ngx_http_request_t *r,
    ngx_http_tournament_loc_conf_t *tlcf, ngx_str_t *value)
{
    ngx_http_variable_value_t  *vv;

    if (tlcf->argument) {
        return ngx_http_complex_value(r, tlcf->argument, value);
    }

    ngx_str_null(value);

    if (tlcf->variable != NGX_ERROR) {
        vv = ngx_http_get_flushed_variable(r, tlcf->variable);

        if (vv == NULL) {
            return NGX_ERROR;
        }

        if (!vv->not_found) {
            value->len = vv->len;
            value->data = vv->data;
        }
    }

    return NGX_OK;
}


static ngx_http_tournament_ctx_t *
ngx_http_tournament_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_tournament_ctx_t  *ctx;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_tournament_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_tournament_ctx_t));

    ctx->request = r;
    cln->handler = ngx_http_tournament_cleanup;

    ngx_http_set_ctx(r, ctx, ngx_http_tournament_module);

    return ctx;
}


/* the zone, where the worker's memo has nothing */

static ngx_int_t
ngx_http_tournament_look_up(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_key_t *key)
{
    ngx_int_t                         rc;
    ngx_msec_t                        ttl;
    ngx_http_tournament_entry_t       entry;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    rc = ngx_http_tournament_cache_get(&tmcf->cache, key, &entry);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->status = NGX_HTTP_TOURNAMENT_MISS;

    if (rc == NGX_OK) {
        ttl = tlcf->ttl[entry.missing ? NGX_HTTP_TOURNAMENT_TTL_MISSING
                                      : tlcf->endpoint];

        if (ngx_http_tournament_cache_age(entry.fetched) < ttl
            && (entry.valid_until == 0 || ngx_time() < entry.valid_until)
            && ngx_http_tournament_cache_valid(&tmcf->cache, entry.clock,
                                               entry.stripes,
                                               entry.nstripes))
        {
            ctx->status = NGX_HTTP_TOURNAMENT_HIT;
            return ngx_http_tournament_answer(r, ctx, key, &entry, 1);
        }

        ctx->status = NGX_HTTP_TOURNAMENT_EXPIRED;
    }

    return ngx_http_tournament_query(r, ctx, key, 1);
}


static ngx_int_t
ngx_http_tournament_query(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_key_t *key,
    ngx_uint_t cache)
{
    ngx_int_t                         rc;
    ngx_http_tournament_waiter_t     *waiter;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    waiter = ngx_pcalloc(r->pool, sizeof(ngx_http_tournament_waiter_t));
    if (waiter == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    waiter->handler = ngx_http_tournament_queried;
    waiter->data = ctx;
    waiter->cache = cache;

    ctx->waiter = waiter;

    rc = ngx_http_tournament_fetch(tmcf->fetch,
                          &ngx_http_tournament_endpoints[tlcf->endpoint],
                          tlcf->endpoint, key, waiter);

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        return ngx_http_tournament_error_send(r,
                                     &ngx_http_tournament_error_unavailable);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a client that goes away meanwhile is noticed */

    r->read_event_handler = ngx_http_test_reading;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
ngx_http_tournament_queried(ngx_http_tournament_waiter_t *waiter,
    ngx_http_tournament_pg_rc_e rc, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry)
{
    ngx_int_t                   result;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_tournament_ctx_t  *ctx;

    ctx = waiter->data;
    r = ctx->request;
    c = r->connection;

    ctx->queried = 1;
    ctx->query_time = ngx_current_msec - waiter->arrived;

    r->read_event_handler = ngx_http_block_reading;

    switch (rc) {

    case NGX_HTTP_TOURNAMENT_PG_OK:
        result = ngx_http_tournament_answer(r, ctx, key, entry,
                                            waiter->cache);
        break;

    case NGX_HTTP_TOURNAMENT_PG_TIMEOUT:
        result = ngx_http_tournament_error_send(r,
                                         &ngx_http_tournament_error_timeout);
        break;

    default:
        result = ngx_http_tournament_error_send(r,
                                     &ngx_http_tournament_error_unavailable);
    }

    ngx_http_finalize_request(r, result);

    ngx_http_run_posted_requests(c);
}


/* facts and this second make the answer, and the memo's next body */

static ngx_int_t
ngx_http_tournament_answer(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx, ngx_http_tournament_key_t *key,
    ngx_http_tournament_entry_t *entry, ngx_uint_t cache)
{
    time_t                            now;
    ngx_str_t                         text, etag;
    ngx_http_tournament_json_t       *json;
    ngx_http_tournament_loc_conf_t   *tlcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    if (entry->missing) {
        return ngx_http_tournament_error_send(r,
                                       &ngx_http_tournament_error_not_found);
    }

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    if (cache) {

        /* others may have waited for the same facts, and been here before */

        ctx->body = ngx_http_tournament_memo_get(tmcf->memo, key,
                                                 tlcf->ttl[tlcf->endpoint]);
        if (ctx->body) {
            return ngx_http_tournament_send(r, ctx);
        }
    }

    json = tmcf->json;
    now = ngx_time();

    ngx_http_tournament_json_begin(json);
    ngx_http_tournament_json_bool(json, "success", 1);

    ngx_http_tournament_endpoints[tlcf->endpoint].render(json, entry, now);

    if (ngx_http_tournament_json_end(json, now, &text, &etag) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->body = ngx_http_tournament_body_create(key, entry, now, &text,
                                                &etag);
    if (ctx->body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (cache) {
        ngx_http_tournament_memo_put(tmcf->memo, ctx->body);
    }

    return ngx_http_tournament_send(r, ctx);
}


static ngx_int_t
ngx_http_tournament_send(ngx_http_request_t *r,
    ngx_http_tournament_ctx_t *ctx)
{
    ngx_table_elt_t                 *h;
    ngx_http_tournament_loc_conf_t  *tlcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);

    r->headers_out.status = NGX_HTTP_OK;

    if (ngx_http_tournament_answer_header(r, &tlcf->cache_control)
        != NGX_OK)
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


static void
ngx_http_tournament_cleanup(void *data)
{
    ngx_http_tournament_ctx_t  *ctx = data;

    if (ctx->waiter) {
        ngx_http_tournament_fetch_leave(ctx->waiter);
    }

    if (ctx->body) {
        ngx_http_tournament_body_release(ctx->body);
    }
}


static ngx_int_t
ngx_http_tournament_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_tournament_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* an internal redirect, by error_page say, has cleared the module's context */

static ngx_http_tournament_ctx_t *
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


static ngx_int_t
ngx_http_tournament_cache_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                  *word;
    ngx_http_tournament_ctx_t  *ctx;

    static ngx_str_t  words[] = {
        ngx_null_string,
        ngx_string("MISS"),
        ngx_string("HIT"),
        ngx_string("EXPIRED"),
        ngx_string("BYPASS")
    };

    ctx = ngx_http_tournament_get_ctx(r);

    if (ctx == NULL || ctx->status == NGX_HTTP_TOURNAMENT_NONE) {
        v->not_found = 1;
        return NGX_OK;
    }

    word = &words[ctx->status];

    v->len = word->len;
    v->data = word->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tournament_query_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                     *p;
    ngx_http_tournament_ctx_t  *ctx;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    ctx = ngx_http_tournament_get_ctx(r);

    if (ctx == NULL || !ctx->queried) {
        v->len = 1;
        v->data = (u_char *) "-";
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN + sizeof(".000"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_sprintf(p, "%T.%03M", (time_t) ctx->query_time / 1000,
                         ctx->query_time % 1000)
             - p;

    return NGX_OK;
}


static void *
ngx_http_tournament_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_tournament_main_conf_t  *tmcf;

    tmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tournament_main_conf_t));
    if (tmcf == NULL) {
        return NULL;
    }

    tmcf->database.connections = NGX_CONF_UNSET_UINT;
    tmcf->database.queue = NGX_CONF_UNSET_UINT;
    tmcf->database.connect_timeout = NGX_CONF_UNSET_MSEC;
    tmcf->database.query_timeout = NGX_CONF_UNSET_MSEC;

    return tmcf;
}


static char *
ngx_http_tournament_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_tournament_main_conf_t *tmcf = conf;

    ngx_conf_init_uint_value(tmcf->database.connections, 4);
    ngx_conf_init_uint_value(tmcf->database.queue, 1024);
    ngx_conf_init_msec_value(tmcf->database.connect_timeout, 1000);
    ngx_conf_init_msec_value(tmcf->database.query_timeout, 2000);

    return NGX_CONF_OK;
}


static void *
ngx_http_tournament_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_tournament_loc_conf_t  *tlcf;

    tlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_tournament_loc_conf_t));
    if (tlcf == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_TOURNAMENT_TTLS; i++) {
        tlcf->ttl[i] = NGX_CONF_UNSET_MSEC;
    }

    tlcf->variable = NGX_ERROR;
    tlcf->max_age = NGX_CONF_UNSET;

    return tlcf;
}


static char *
ngx_http_tournament_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_tournament_loc_conf_t *prev = parent;
    ngx_http_tournament_loc_conf_t *conf = child;

    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" have a configuration, but no handler */

    if (clcf->noname && prev->served) {
        conf->served = 1;
        conf->endpoint = prev->endpoint;
        conf->variable = prev->variable;
        conf->argument = prev->argument;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = ngx_http_tournament_handler;
        }
    }

    for (i = 0; i < NGX_HTTP_TOURNAMENT_ENDPOINTS; i++) {
        ngx_conf_merge_msec_value(conf->ttl[i], prev->ttl[i],
                                  ngx_http_tournament_endpoints[i].ttl);
    }

    ngx_conf_merge_msec_value(conf->ttl[NGX_HTTP_TOURNAMENT_TTL_MISSING],
                              prev->ttl[NGX_HTTP_TOURNAMENT_TTL_MISSING],
                              NGX_HTTP_TOURNAMENT_MISSING_TTL);

    ngx_conf_merge_value(conf->max_age, prev->max_age, 1);

    p = ngx_pnalloc(cf->pool, sizeof("public, max-age=") + NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->cache_control.data = p;
    conf->cache_control.len = ngx_sprintf(p, "public, max-age=%T",
                                          conf->max_age)
                              - p;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_tournament_init(ngx_conf_t *cf)
{
    u_char                            secret[TOURNAMENT_HASH_KEY_LEN];
    uint64_t                          identity;
    ngx_uint_t                        i;
    ngx_http_tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tournament_module);

    if (tmcf->used && tmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tournament\" is used, but no \"tournament_zone\" is "
                      "defined; add one to the http block, for example "
                      "\"tournament_zone 64m;\"");
        return NGX_ERROR;
    }

    if (tmcf->used && tmcf->conninfo.data == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tournament\" is used, but neither "
                      "\"tournament_database\" nor "
                      "\"tournament_database_file\" is defined; add one to "
                      "the http block");
        return NGX_ERROR;
    }

    if (tmcf->conninfo.data == NULL) {
        return NGX_OK;
    }

    tmcf->database.targets =
        ngx_http_tournament_conninfo_resolve(cf, &tmcf->conninfo_directive,
                                             &tmcf->conninfo,
                                             tmcf->database.query_timeout,
                                             &identity);
    if (tmcf->database.targets == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(secret, sizeof(secret));
    tmcf->space = tournament_hash(secret, &identity, sizeof(uint64_t));

    tmcf->database.nstatements = NGX_HTTP_TOURNAMENT_ENDPOINTS;
    tmcf->database.statements =
        ngx_palloc(cf->pool, NGX_HTTP_TOURNAMENT_ENDPOINTS
                             * sizeof(ngx_http_tournament_pg_statement_t *));
    if (tmcf->database.statements == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_TOURNAMENT_ENDPOINTS; i++) {
        tmcf->database.statements[i] =
            &ngx_http_tournament_endpoints[i].statement;
    }

    return NGX_OK;
}


static char *
ngx_http_tournament_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_tournament_main_conf_t *tmcf = conf;

    off_t       size;
    ngx_str_t  *value, name;

    if (tmcf->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    /* unlike ngx_parse_size() it knows gigabytes */

    size = ngx_parse_offset(&value[1]);

    if (size < NGX_HTTP_TOURNAMENT_ZONE_MIN
        || size > NGX_HTTP_TOURNAMENT_ZONE_MAX)
    {
        return ngx_http_tournament_invalid(cf, "a size from 256k to 256g, "
                                           "such as 64m", &value[1]);
    }

    ngx_str_set(&name, "tournament");

    tmcf->zone = ngx_http_tournament_cache_add(cf, &tmcf->cache, &name,
                                               (size_t) size,
                                               &ngx_http_tournament_module);
    if (tmcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_tournament_database(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return ngx_http_tournament_set_conninfo(cf, conf, &value[1]);
}


static char *
ngx_http_tournament_database_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    u_char           *buf;
    size_t            size;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t        *value, conninfo;
    ngx_file_info_t   fi;

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(value[1].data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" of \"%V\" failed",
                           &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    buf = NULL;
    n = -1;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &value[1]);

    } else if (!ngx_is_file(&fi) || ngx_file_size(&fi) > 65536) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" is not a file of at most 64k",
                           &value[1], &value[0]);

    } else {
        size = (size_t) ngx_file_size(&fi);

        buf = ngx_pnalloc(cf->pool, size + 1);

        if (buf) {
            n = ngx_read_fd(fd, buf, size);
        }

        if (n == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               ngx_read_fd_n " \"%V\" failed", &value[1]);
        }
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &value[1]);
    }

    if (n == -1) {
        return NGX_CONF_ERROR;
    }

    while (n && (buf[n - 1] == LF || buf[n - 1] == CR
                 || buf[n - 1] == ' ' || buf[n - 1] == '\t'))
    {
        n--;
    }

    /* libpq would take it for "all defaults", which nobody means by a file */

    if (n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" is empty, a libpq connection "
                           "string is expected", &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    conninfo.data = buf;
    conninfo.len = n;

    return ngx_http_tournament_set_conninfo(cf, conf, &conninfo);
}


static char *
ngx_http_tournament_set_conninfo(ngx_conf_t *cf,
    ngx_http_tournament_main_conf_t *tmcf, ngx_str_t *value)
{
    ngx_str_t  *args;

    args = cf->args->elts;

    if (tmcf->conninfo.data) {

        if (tmcf->conninfo_directive.len == args[0].len) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%V\" both name the database, only "
                           "one of them is allowed",
                           &tmcf->conninfo_directive, &args[0]);
        return NGX_CONF_ERROR;
    }

    tmcf->conninfo = *value;
    tmcf->conninfo_directive = args[0];

    return ngx_http_tournament_conninfo_check(cf, &args[0], value);
}


static char *
ngx_http_tournament_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t                      n;
    ngx_str_t                     *value;
    ngx_uint_t                    *np;
    ngx_http_tournament_bounds_t  *bounds = cmd->post;

    np = (ngx_uint_t *) (p + cmd->offset);

    if (*np != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n < bounds->low || n > bounds->high) {
        return ngx_http_tournament_invalid(cf, bounds->allowed, &value[1]);
    }

    *np = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_tournament_msec(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t                      n;
    ngx_str_t                     *value;
    ngx_msec_t                    *np;
    ngx_http_tournament_bounds_t  *bounds = cmd->post;

    np = (ngx_msec_t *) (p + cmd->offset);

    if (*np != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_parse_time(&value[1], 0);

    if (n == NGX_ERROR || n < bounds->low || n > bounds->high) {
        return ngx_http_tournament_invalid(cf, bounds->allowed, &value[1]);
    }

    *np = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_tournament_ttl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_tournament_loc_conf_t *tlcf = conf;

    ngx_int_t   i, ttl;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == sizeof("missing") - 1
        && ngx_strncmp(value[1].data, "missing", value[1].len) == 0)
    {
        i = NGX_HTTP_TOURNAMENT_TTL_MISSING;

    } else {
        i = ngx_http_tournament_endpoint_find(&value[1]);

        if (i == NGX_ERROR) {
            return ngx_http_tournament_unknown(cf, &value[1], 1);
        }
    }

    if (tlcf->ttl[i] != NGX_CONF_UNSET_MSEC) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tournament_ttl %V\" is duplicate", &value[1]);
        return NGX_CONF_ERROR;
    }

    ttl = ngx_parse_time(&value[2], 0);

    if (ttl == NGX_ERROR) {
        return ngx_http_tournament_invalid(cf, "a time such as 30s, or 0 "
                                           "(caching off)", &value[2]);
    }

    tlcf->ttl[i] = ttl;

    return NGX_CONF_OK;
}


static char *
ngx_http_tournament_max_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_tournament_loc_conf_t *tlcf = conf;

    ngx_str_t  *value;

    if (tlcf->max_age != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    tlcf->max_age = ngx_parse_time(&value[1], 1);

    if (tlcf->max_age == (time_t) NGX_ERROR) {
        return ngx_http_tournament_invalid(cf, "a time in whole seconds, "
                                           "such as 1s, or 0", &value[1]);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_tournament(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_tournament_loc_conf_t *tlcf = conf;

    ngx_int_t                         i;
    ngx_str_t                        *value;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_tournament_main_conf_t  *tmcf;

    if (tlcf->served) {
        return "is duplicate";
    }

    value = cf->args->elts;

    i = ngx_http_tournament_endpoint_find(&value[1]);

    if (i == NGX_ERROR) {
        return ngx_http_tournament_unknown(cf, &value[1], 0);
    }

    if (cf->args->nelts != 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tournament %V\" needs an argument, for example "
                           "\"tournament %V $slug;\"", &value[1], &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_tournament_compile_argument(cf, tlcf, &value[2]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tlcf->served = 1;
    tlcf->endpoint = i;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tournament_module);
    tmcf->used = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_tournament_handler;

    return NGX_CONF_OK;
}


/* "$slug", the usual argument, is read without a script and a copy */

static ngx_int_t
ngx_http_tournament_compile_argument(ngx_conf_t *cf,
    ngx_http_tournament_loc_conf_t *tlcf, ngx_str_t *value)
{
    size_t                             i;
    u_char                             ch;
    ngx_str_t                          name;
    ngx_http_compile_complex_value_t   ccv;

    for (i = 1; i < value->len; i++) {
        ch = value->data[i];

        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
              || (ch >= '0' && ch <= '9') || ch == '_'))
        {
            break;
        }
    }

    if (value->len > 1 && i == value->len && value->data[0] == '$'
        && (value->data[1] < '1' || value->data[1] > '9'))
    {
        name.len = value->len - 1;
        name.data = value->data + 1;

        tlcf->variable = ngx_http_get_variable_index(cf, &name);

        return tlcf->variable == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    tlcf->argument = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (tlcf->argument == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = tlcf->argument;

    return ngx_http_compile_complex_value(&ccv);
}


static char *
ngx_http_tournament_invalid(ngx_conf_t *cf, const char *allowed,
    ngx_str_t *value)
{
    ngx_str_t  *args;

    args = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive, %s is "
                       "expected", value, &args[0], allowed);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_tournament_unknown(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t missing)
{
    u_char      *p, names[256];
    ngx_str_t   *args;
    ngx_uint_t   i;

    args = cf->args->elts;
    p = names;

    for (i = 0; i < NGX_HTTP_TOURNAMENT_ENDPOINTS; i++) {
        p = ngx_slprintf(p, names + sizeof(names), "%s\"%V\"", i ? ", " : "",
                         &ngx_http_tournament_endpoints[i].name);
    }

    if (missing) {
        p = ngx_slprintf(p, names + sizeof(names), ", \"missing\"");
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown endpoint \"%V\" in \"%V\" directive, it must "
                       "be one of %*s", value, &args[0],
                       (size_t) (p - names), names);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_tournament_init_process(ngx_cycle_t *cycle)
{
    ngx_http_tournament_main_conf_t  *tmcf;

    /* cache manager and loader have nothing to ask */

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    tmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_tournament_module);

    if (tmcf == NULL || !tmcf->used) {
        return NGX_OK;
    }

    tmcf->json = ngx_http_tournament_json_create(cycle->pool);
    tmcf->memo = ngx_http_tournament_memo_create(cycle->pool, &tmcf->cache);
    tmcf->pg = ngx_http_tournament_pg_create(cycle->pool, cycle->log,
                                             &tmcf->database);

    if (tmcf->json == NULL || tmcf->memo == NULL || tmcf->pg == NULL) {
        return NGX_ERROR;
    }

    tmcf->fetch = ngx_http_tournament_fetch_create(cycle->pool, cycle->log,
                                                &tmcf->cache, tmcf->pg,
                                                tmcf->database.query_timeout);
    if (tmcf->fetch == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_tournament_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_tournament_module);

    if (tmcf == NULL || tmcf->fetch == NULL) {
        return;
    }

    ngx_http_tournament_pg_destroy(tmcf->pg);
    ngx_http_tournament_fetch_destroy(tmcf->fetch);
    ngx_http_tournament_memo_destroy(tmcf->memo);
    ngx_http_tournament_json_destroy(tmcf->json);
    ngx_http_tournament_cache_close(&tmcf->cache);
}
