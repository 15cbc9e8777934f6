
/*
 * The front door: directives, configuration, variables, and the life of a
 * worker.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/conf.h"
#include "endpoints/table.h"
#include "serve/request.h"
#include "serve/watch.h"
#include "rules/hash.h"
#include "version.h"


/* bounds of a directive's number or time, and how to say them */

typedef struct {
    ngx_int_t                             low;
    ngx_int_t                             high;
    const char                           *allowed;
} tournament_bounds_t;


static ngx_int_t ngx_http_tournament_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_tournament_cache_status_variable(
    ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_tournament_query_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static void *ngx_http_tournament_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_tournament_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_tournament_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_tournament_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_tournament_merge_stream(ngx_conf_t *cf,
    tournament_loc_conf_t *prev, tournament_loc_conf_t *conf,
    ngx_uint_t noname);
static ngx_int_t ngx_http_tournament_init(ngx_conf_t *cf);
static char *ngx_http_tournament_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_database(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_database_file(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_tournament_read_file(ngx_conf_t *cf,
    ngx_str_t *value, ngx_fd_t fd, ngx_str_t *text);
static char *ngx_http_tournament_set_conninfo(ngx_conf_t *cf,
    tournament_main_conf_t *tmcf, ngx_str_t *value);
static char *ngx_http_tournament_number(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_msec(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_ttl(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_coalesce(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static tournament_endpoint_t *ngx_http_tournament_entries(ngx_conf_t *cf,
    ngx_str_t *name);
static char *ngx_http_tournament_feed(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_listen(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_max_age(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_tournament_argument(ngx_conf_t *cf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint);
static char *ngx_http_tournament_who(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_tournament_names(ngx_str_t *value,
    const char *prefix);
static tournament_value_t *ngx_http_tournament_compile(ngx_conf_t *cf,
    ngx_str_t *value);
static char *ngx_http_tournament_invalid(ngx_conf_t *cf, const char *allowed,
    ngx_str_t *value);
static char *ngx_http_tournament_unknown(ngx_conf_t *cf, ngx_str_t *value,
    ngx_uint_t missing);

static char *ngx_http_tournament_cache_control(ngx_conf_t *cf,
    tournament_loc_conf_t *conf);
static ngx_int_t ngx_http_tournament_complete(ngx_conf_t *cf,
    tournament_main_conf_t *tmcf);
static ngx_int_t ngx_http_tournament_targets(ngx_conf_t *cf,
    tournament_main_conf_t *tmcf, uint64_t *identity);
static ngx_int_t ngx_http_tournament_fits(ngx_conf_t *cf,
    tournament_main_conf_t *tmcf);
static ngx_int_t ngx_http_tournament_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_tournament_init_process(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_tournament_init_feed(ngx_cycle_t *cycle,
    tournament_main_conf_t *tmcf);
static ngx_int_t ngx_http_tournament_create_feed(ngx_cycle_t *cycle,
    tournament_main_conf_t *tmcf);
static void ngx_http_tournament_feed_delay(void *data, uint64_t us);
static void ngx_http_tournament_exit_process(ngx_cycle_t *cycle);


static tournament_bounds_t  ngx_http_tournament_connections_bounds =
    { 1, 256, "a number from 1 to 256" };

static tournament_bounds_t  ngx_http_tournament_queue_bounds =
    { 1, 1000000, "a number from 1 to 1000000" };

static tournament_bounds_t  ngx_http_tournament_version_bounds =
    { 0, 2147483647, "a number from 0 to 2147483647" };

static tournament_bounds_t  ngx_http_tournament_timeout_bounds =
    { 1, 3600000, "a time from 1ms to 1h" };

static tournament_bounds_t  ngx_http_tournament_slow_bounds =
    { 0, 3600000, "a time from 1ms to 1h, or 0 (no slow log)" };

static tournament_bounds_t  ngx_http_tournament_stale_bounds =
    { 0, 2147483647, "a time such as 5m, or 0 (nothing stale)" };

static tournament_bounds_t  ngx_http_tournament_heartbeat_bounds =
    { 1000, 3600000, "a time from 1s to 1h" };

static tournament_bounds_t  ngx_http_tournament_wait_bounds =
    { 0, 3600000, "a time up to 1h, or 0 (polls do not wait)" };

static tournament_bounds_t  ngx_http_tournament_life_bounds =
    { 1000, 2147483647, "a time of 1s and more" };


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
      offsetof(tournament_main_conf_t, database.connections),
      &ngx_http_tournament_connections_bounds },

    { ngx_string("tournament_database_queue"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, database.queue),
      &ngx_http_tournament_queue_bounds },

    { ngx_string("tournament_connect_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, database.connect_timeout),
      &ngx_http_tournament_timeout_bounds },

    { ngx_string("tournament_query_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, database.query_timeout),
      &ngx_http_tournament_timeout_bounds },

    { ngx_string("tournament_prepare"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, prepare),
      NULL },

    { ngx_string("tournament_cache_version"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, cache_version),
      &ngx_http_tournament_version_bounds },

    { ngx_string("tournament_ttl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_tournament_ttl,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_stale"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, stale),
      &ngx_http_tournament_stale_bounds },

    { ngx_string("tournament_coalesce"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_tournament_coalesce,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_feed"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_feed,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_listen"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_listen,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_warm"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, warm),
      NULL },

    { ngx_string("tournament_slow"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, slow),
      &ngx_http_tournament_slow_bounds },

    { ngx_string("tournament_stream"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, stream),
      NULL },

    { ngx_string("tournament_stream_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, stream_heartbeat),
      &ngx_http_tournament_heartbeat_bounds },

    { ngx_string("tournament_stream_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, stream_timeout),
      &ngx_http_tournament_life_bounds },

    { ngx_string("tournament_stream_connections"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, stream_connections),
      &ngx_http_tournament_queue_bounds },

    { ngx_string("tournament_stream_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_number,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(tournament_main_conf_t, stream_keys),
      &ngx_http_tournament_queue_bounds },

    { ngx_string("tournament_wait"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_msec,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, wait),
      &ngx_http_tournament_wait_bounds },

    { ngx_string("tournament_max_age"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_max_age,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("tournament_user"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_who,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, user),
      NULL },

    { ngx_string("tournament_staff"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_tournament_who,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(tournament_loc_conf_t, staff),
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
    ngx_http_tournament_init_module,       /* init module */
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


static ngx_int_t
ngx_http_tournament_cache_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t         *word;
    tournament_ctx_t  *ctx;

    static ngx_str_t  words[] = {
        ngx_null_string,
        ngx_string("HIT"),
        ngx_string("EXPIRED"),
        ngx_string("MISS"),
        ngx_string("BYPASS"),
        ngx_string("UPDATING"),
        ngx_string("STALE")
    };

    ctx = tournament_get_ctx(r);

    if (ctx == NULL || ctx->status == TOURNAMENT_NONE) {
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
    u_char            *p;
    tournament_ctx_t  *ctx;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    ctx = tournament_get_ctx(r);

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
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_pcalloc(cf->pool, sizeof(tournament_main_conf_t));
    if (tmcf == NULL) {
        return NULL;
    }

    tmcf->prepare = NGX_CONF_UNSET;
    tmcf->listen = NGX_CONF_UNSET;
    tmcf->warm = NGX_CONF_UNSET;
    tmcf->slow = NGX_CONF_UNSET_MSEC;
    tmcf->cache_version = NGX_CONF_UNSET_UINT;
    tmcf->stream_connections = NGX_CONF_UNSET_UINT;
    tmcf->stream_keys = NGX_CONF_UNSET_UINT;
    tmcf->database.connections = NGX_CONF_UNSET_UINT;
    tmcf->database.queue = NGX_CONF_UNSET_UINT;
    tmcf->database.connect_timeout = NGX_CONF_UNSET_MSEC;
    tmcf->database.query_timeout = NGX_CONF_UNSET_MSEC;

    return tmcf;
}


static char *
ngx_http_tournament_init_main_conf(ngx_conf_t *cf, void *conf)
{
    tournament_main_conf_t *tmcf = conf;

    ngx_conf_init_value(tmcf->prepare, 1);
    ngx_conf_init_value(tmcf->listen, 1);

    if (tmcf->feed_kind == NULL) {
        tmcf->feed_kind = &tournament_notify_kind;
    }

    ngx_conf_init_value(tmcf->warm, 1);
    ngx_conf_init_msec_value(tmcf->slow, 100);
    ngx_conf_init_uint_value(tmcf->cache_version, 1);
    ngx_conf_init_uint_value(tmcf->stream_keys, 10000);
    ngx_conf_init_uint_value(tmcf->database.connections, 4);
    ngx_conf_init_uint_value(tmcf->database.queue, 1024);
    ngx_conf_init_msec_value(tmcf->database.connect_timeout, 1000);
    ngx_conf_init_msec_value(tmcf->database.query_timeout, 2000);

    return NGX_CONF_OK;
}


static void *
ngx_http_tournament_create_loc_conf(ngx_conf_t *cf)
{
    ngx_uint_t              i;
    tournament_loc_conf_t  *tlcf;

    tlcf = ngx_pcalloc(cf->pool, sizeof(tournament_loc_conf_t));
    if (tlcf == NULL) {
        return NULL;
    }

    for (i = 0; i < TOURNAMENT_ENDPOINTS; i++) {
        tlcf->ttl[i] = NGX_CONF_UNSET_MSEC;
        tlcf->coalesce[i] = NGX_CONF_UNSET_MSEC;
    }

    tlcf->stale = NGX_CONF_UNSET_MSEC;
    tlcf->user = NGX_CONF_UNSET_PTR;
    tlcf->staff = NGX_CONF_UNSET_PTR;
    tlcf->max_age = NGX_CONF_UNSET;
    tlcf->stream = NGX_CONF_UNSET;
    tlcf->stream_heartbeat = NGX_CONF_UNSET_MSEC;
    tlcf->stream_timeout = NGX_CONF_UNSET_MSEC;
    tlcf->wait = NGX_CONF_UNSET_MSEC;

    return tlcf;
}


static char *
ngx_http_tournament_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    tournament_loc_conf_t *prev = parent;
    tournament_loc_conf_t *conf = child;

    ngx_uint_t                 i;
    tournament_endpoint_t    **ep;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* "if" and "limit_except" have a configuration, but no handler */

    if (clcf->noname && prev->endpoint) {
        conf->endpoint = prev->endpoint;
        conf->argument = prev->argument;

        if (clcf->lmt_excpt && clcf->handler == NULL) {
            clcf->handler = tournament_handler;
        }
    }

    for (ep = tournament_endpoints; *ep; ep++) {
        i = (*ep)->number;

        ngx_conf_merge_msec_value(conf->ttl[i], prev->ttl[i], (*ep)->ttl);
        ngx_conf_merge_msec_value(conf->coalesce[i], prev->coalesce[i],
                                  (*ep)->coalesce);
    }

    ngx_conf_merge_msec_value(conf->ttl[TOURNAMENT_MISSING],
                              prev->ttl[TOURNAMENT_MISSING],
                              TOURNAMENT_MISSING_TTL);

    ngx_conf_merge_msec_value(conf->stale, prev->stale, 300000);
    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);
    ngx_conf_merge_ptr_value(conf->staff, prev->staff, NULL);
    ngx_conf_merge_value(conf->max_age, prev->max_age, 1);
    ngx_conf_merge_msec_value(conf->stream_heartbeat, prev->stream_heartbeat,
                              15000);
    ngx_conf_merge_msec_value(conf->stream_timeout, prev->stream_timeout,
                              3600000);

    if (ngx_http_tournament_merge_stream(cf, prev, conf, clcf->noname)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_tournament_cache_control(cf, conf);
}


static char *
ngx_http_tournament_cache_control(ngx_conf_t *cf, tournament_loc_conf_t *conf)
{
    u_char  *p;

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


/* a location's, and that of an "if" in it */

static ngx_int_t
ngx_http_tournament_merge_stream(ngx_conf_t *cf, tournament_loc_conf_t *prev,
    tournament_loc_conf_t *conf, ngx_uint_t noname)
{
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tournament_module);

    ngx_conf_init_value(conf->stream, noname ? prev->stream : 0);
    ngx_conf_merge_msec_value(conf->wait, prev->wait, 0);

    if (conf->endpoint && !conf->endpoint->stream) {
        conf->wait = 0;
    }

    tmcf->watched |= (conf->endpoint && conf->wait);

    if (conf->stream == 0) {
        return NGX_OK;
    }

    if (conf->endpoint == NULL || !conf->endpoint->stream) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tournament_stream\" is in a location without "
                           "a \"tournament\" that has streams");
        return NGX_ERROR;
    }

    tmcf->watched = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_tournament_init(ngx_conf_t *cf)
{
    u_char                   secret[TOURNAMENT_HASH_KEY_LEN];
    uint64_t                 identity;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tournament_module);

    if (ngx_http_tournament_complete(cf, tmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (tmcf->conninfo.directive.data == NULL) {
        return NGX_OK;
    }

    if (ngx_http_tournament_fits(cf, tmcf) != NGX_OK
        || ngx_http_tournament_targets(cf, tmcf, &identity) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memzero(secret, sizeof(secret));
    ngx_memcpy(secret, &tmcf->cache_version, sizeof(ngx_uint_t));
    tmcf->space = tournament_hash(secret, &identity, sizeof(uint64_t));

    tmcf->database.prepare = tmcf->prepare;
    tmcf->database.nstatements = TOURNAMENT_STATEMENTS;
    tmcf->database.statements = tournament_endpoint_statements(cf->pool);

    return tmcf->database.statements ? NGX_OK : NGX_ERROR;
}


/* whether the directives that others need are there */

static ngx_int_t
ngx_http_tournament_complete(ngx_conf_t *cf, tournament_main_conf_t *tmcf)
{
    ngx_uint_t  database;

    database = (tmcf->conninfo.directive.data != NULL);

    if (tmcf->used && tmcf->shm_zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tournament\" is used, but no \"tournament_zone\" is "
                      "defined; add one to the http block, for example "
                      "\"tournament_zone 64m;\"");
        return NGX_ERROR;
    }

    if (tmcf->used && !database) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tournament\" is used, but neither "
                      "\"tournament_database\" nor "
                      "\"tournament_database_file\" is defined; add one to "
                      "the http block");
        return NGX_ERROR;
    }

    if (database && !tmcf->prepare && tmcf->listen
        && tmcf->listen_conninfo.directive.data == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"tournament_prepare off\" is for a pooler in "
                      "transaction mode, through which no change is heard "
                      "of: give \"tournament_listen\" a conninfo that leads "
                      "past it, or set it off");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* where the pool connects to, and the feed's worker; and the database's hash */

static ngx_int_t
ngx_http_tournament_targets(ngx_conf_t *cf, tournament_main_conf_t *tmcf,
    uint64_t *identity)
{
    ngx_msec_t             timeout;
    ngx_uint_t             primary;
    tournament_pg_conf_t  *database;

    database = &tmcf->database;
    database->standby = tmcf->listen ? tmcf->feed_kind->standby : 0;
    primary = (database->standby == TOURNAMENT_PG_PRIMARY);

    /* a pooler refuses "options", and its role has the timeout */

    timeout = tmcf->prepare ? database->query_timeout : 0;

    database->targets = tournament_conninfo_resolve(cf, &tmcf->conninfo,
                                                    timeout, primary,
                                                    identity);
    tmcf->listen_targets = database->targets;

    if (database->targets && tmcf->listen_conninfo.directive.data) {
        tmcf->listen_targets =
            tournament_conninfo_resolve(cf, &tmcf->listen_conninfo, 0,
                                        primary, NULL);
    }

    return tmcf->listen_targets ? NGX_OK : NGX_ERROR;
}


/*
 * A worker's connections to the database are among its worker_connections, and
 * so are those of the feed: the ordinary one and a stream.  One is for
 * wake-ups, one for the master's channel, one for a listening socket, and some
 * client should get through.  (An events block further down is not known yet.)
 */

static ngx_int_t
ngx_http_tournament_fits(ngx_conf_t *cf, tournament_main_conf_t *tmcf)
{
    void              **events;
    ngx_uint_t          needed;
    ngx_event_conf_t   *ecf;

    events = (void **) ngx_get_conf(cf->cycle->conf_ctx, ngx_events_module);

    if (events == NULL) {
        return NGX_OK;
    }

    ecf = (*(void ***) events)[ngx_event_core_module.ctx_index];

    needed = tmcf->database.connections + (tmcf->listen ? 2 : 0) + 4;

    if (needed <= ecf->connections) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"tournament_database_connections %ui\" needs at least %ui "
                  "\"worker_connections\", and one more for each client that "
                  "is served at the same time; they are %ui",
                  tmcf->database.connections, needed, ecf->connections);

    return NGX_ERROR;
}


static char *
ngx_http_tournament_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    tournament_main_conf_t *tmcf = conf;

    off_t       size;
    ngx_str_t  *value, name;

    if (tmcf->shm_zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    /* unlike ngx_parse_size() it knows gigabytes */

    size = ngx_parse_offset(&value[1]);

    if (size < TOURNAMENT_ZONE_MIN || size > TOURNAMENT_ZONE_MAX) {
        return ngx_http_tournament_invalid(cf, "a size from 256k to 256g, "
                                           "such as 64m", &value[1]);
    }

    ngx_str_set(&name, "tournament");

    tmcf->zone.annex_size = tournament_metrics_size((size_t) size);

    tmcf->shm_zone = tournament_zone_add(cf, &tmcf->zone, &name,
                                      (size_t) size,
                                      &ngx_http_tournament_module);
    if (tmcf->shm_zone == NULL) {
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
    ngx_fd_t    fd;
    ngx_int_t   rc;
    ngx_str_t  *value, text;

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

    rc = ngx_http_tournament_read_file(cf, value, fd, &text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &value[1]);
    }

    if (rc != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    while (text.len && (text.data[text.len - 1] == LF
                        || text.data[text.len - 1] == CR
                        || text.data[text.len - 1] == ' '
                        || text.data[text.len - 1] == '\t'))
    {
        text.len--;
    }

    /* libpq would take it for "all defaults", which nobody means by a file */

    if (text.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" is empty, a libpq connection "
                           "string is expected", &value[1], &value[0]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_tournament_set_conninfo(cf, conf, &text);
}


static ngx_int_t
ngx_http_tournament_read_file(ngx_conf_t *cf, ngx_str_t *value, ngx_fd_t fd,
    ngx_str_t *text)
{
    ssize_t          n;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &value[1]);
        return NGX_ERROR;
    }

    if (!ngx_is_file(&fi) || ngx_file_size(&fi) > 65536) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"%V\" is not a file of at most 64k",
                           &value[1], &value[0]);
        return NGX_ERROR;
    }

    text->len = (size_t) ngx_file_size(&fi);
    text->data = ngx_pnalloc(cf->pool, text->len + 1);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, text->data, text->len);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &value[1]);
        return NGX_ERROR;
    }

    text->len = n;

    return NGX_OK;
}


static char *
ngx_http_tournament_set_conninfo(ngx_conf_t *cf, tournament_main_conf_t *tmcf,
    ngx_str_t *value)
{
    ngx_str_t  *args;

    args = cf->args->elts;

    if (tmcf->conninfo.directive.data) {

        if (tmcf->conninfo.directive.len == args[0].len) {
            return "is duplicate";
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%V\" both name the database, only "
                           "one of them is allowed",
                           &tmcf->conninfo.directive, &args[0]);
        return NGX_CONF_ERROR;
    }

    return tournament_conninfo_set(cf, &tmcf->conninfo, value);
}


static char *
ngx_http_tournament_number(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_int_t             n;
    ngx_str_t            *value;
    ngx_uint_t           *np;
    tournament_bounds_t  *bounds = cmd->post;

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

    ngx_int_t             n;
    ngx_str_t            *value;
    ngx_msec_t           *np;
    tournament_bounds_t  *bounds = cmd->post;

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
    tournament_loc_conf_t *tlcf = conf;

    ngx_int_t               i, ttl;
    ngx_str_t              *value;
    tournament_endpoint_t  *endpoint;

    value = cf->args->elts;

    if (value[1].len == sizeof("missing") - 1
        && ngx_strncmp(value[1].data, "missing", value[1].len) == 0)
    {
        i = TOURNAMENT_MISSING;

    } else {
        endpoint = ngx_http_tournament_entries(cf, &value[1]);

        if (endpoint == NULL) {
            return NGX_CONF_ERROR;
        }

        i = endpoint->number;
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
ngx_http_tournament_coalesce(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    tournament_loc_conf_t *tlcf = conf;

    ngx_int_t               i, ms;
    ngx_str_t              *value;
    tournament_endpoint_t  *endpoint;

    value = cf->args->elts;

    endpoint = ngx_http_tournament_entries(cf, &value[1]);

    if (endpoint == NULL) {
        return NGX_CONF_ERROR;
    }

    i = endpoint->number;

    if (endpoint->audience != TOURNAMENT_PUBLIC) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "answers of \"%V\" are not coalesced: a change "
                           "shows at once", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (tlcf->coalesce[i] != NGX_CONF_UNSET_MSEC) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tournament_coalesce %V\" is duplicate",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ms = ngx_parse_time(&value[2], 0);

    if (ms == NGX_ERROR) {
        return ngx_http_tournament_invalid(cf, "a time such as 1s, or 0 (a "
                                           "change shows at once)", &value[2]);
    }

    tlcf->coalesce[i] = ms;

    return NGX_CONF_OK;
}


/* an endpoint that has entries in the cache; NULL: it has not, or is unknown */

static tournament_endpoint_t *
ngx_http_tournament_entries(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_str_t              *args;
    tournament_endpoint_t  *endpoint;

    args = cf->args->elts;

    endpoint = tournament_endpoint_find(name);

    if (endpoint == NULL) {
        (void) ngx_http_tournament_unknown(cf, name, 1);
        return NULL;
    }

    if (endpoint->source) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no entries of its own in the cache "
                           "for \"%V\", those of \"%V\" serve it",
                           name, &args[0], &endpoint->source->name);
        return NULL;
    }

    if (endpoint->statement.sql == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has no entries of its own in the cache "
                           "for \"%V\"", name, &args[0]);
        return NULL;
    }

    return endpoint;
}


static char *
ngx_http_tournament_feed(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    tournament_main_conf_t *tmcf = conf;

    ngx_uint_t   i;
    ngx_str_t   *value;

    static tournament_source_kind_t  *kinds[] = {
        &tournament_notify_kind,
        &tournament_logical_kind
    };

    if (tmcf->feed_kind) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {

        if (value[1].len == kinds[i]->name.len
            && ngx_strncmp(value[1].data, kinds[i]->name.data, value[1].len)
               == 0)
        {
            tmcf->feed_kind = kinds[i];
            return NGX_CONF_OK;
        }
    }

    return ngx_http_tournament_invalid(cf, "\"notify\" or \"logical\"",
                                       &value[1]);
}


static char *
ngx_http_tournament_listen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    tournament_main_conf_t *tmcf = conf;

    ngx_str_t  *value;

    if (tmcf->listen != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    tmcf->listen = 1;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        tmcf->listen = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "on") == 0) {
        return NGX_CONF_OK;
    }

    return tournament_conninfo_set(cf, &tmcf->listen_conninfo, &value[1]);
}


static char *
ngx_http_tournament_max_age(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    tournament_loc_conf_t *tlcf = conf;

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
    tournament_loc_conf_t *tlcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;
    tournament_endpoint_t     *endpoint;
    tournament_main_conf_t    *tmcf;

    if (tlcf->endpoint) {
        return "is duplicate";
    }

    value = cf->args->elts;

    endpoint = tournament_endpoint_find(&value[1]);

    if (endpoint == NULL) {
        return ngx_http_tournament_unknown(cf, &value[1], 0);
    }

    if (ngx_http_tournament_argument(cf, tlcf, endpoint) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    tlcf->endpoint = endpoint;

    tmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tournament_module);
    tmcf->used = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = tournament_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_tournament_argument(ngx_conf_t *cf, tournament_loc_conf_t *tlcf,
    tournament_endpoint_t *endpoint)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (endpoint->argument != TOURNAMENT_MUST_ARGUMENT) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tournament %V\" needs an argument, for example "
                           "\"tournament %V $slug;\"", &value[1], &value[1]);
        return NGX_CONF_ERROR;
    }

    if (endpoint->argument == TOURNAMENT_NO_ARGUMENT) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"tournament %V\" takes no argument, but \"%V\" "
                           "is given", &value[1], &value[2]);
        return NGX_CONF_ERROR;
    }

    tlcf->argument = ngx_http_tournament_compile(cf, &value[2]);

    if (tlcf->argument == NULL) {
        return NGX_CONF_ERROR;
    }

    if (endpoint->valid && tlcf->argument->complex
        && tlcf->argument->complex->lengths == NULL
        && !endpoint->valid(&value[2]))
    {
        return ngx_http_tournament_invalid(cf, endpoint->allowed, &value[2]);
    }

    return NGX_CONF_OK;
}


/* tournament_user, tournament_staff */

static char *
ngx_http_tournament_who(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    ngx_str_t            *value;
    tournament_value_t  **tvp;

    tvp = (tournament_value_t **) (p + cmd->offset);

    if (*tvp != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_tournament_names(&value[1], "http_")
        || ngx_http_tournament_names(&value[1], "arg_")
        || ngx_http_tournament_names(&value[1], "cookie_"))
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V %V\" is what a client sends: anyone "
                           "could set it; take it from an authenticated "
                           "source, such as auth_request_set",
                           &value[0], &value[1]);

    } else if (ngx_http_tournament_names(&value[1], "remote_user")) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V %V\" is what a client sends, unless "
                           "\"auth_basic\" has checked it in the same "
                           "location", &value[0], &value[1]);
    }

    *tvp = NULL;

    if (value[1].len == 0) {
        return NGX_CONF_OK;
    }

    *tvp = ngx_http_tournament_compile(cf, &value[1]);

    return *tvp ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* whether a value has a variable whose name begins so, in any case */

static ngx_uint_t
ngx_http_tournament_names(ngx_str_t *value, const char *prefix)
{
    u_char  *p, *last;
    size_t   len;

    len = ngx_strlen(prefix);
    last = value->data + value->len;

    for (p = value->data; p < last; p++) {

        if (*p != '$') {
            continue;
        }

        if (last - p > 1 && p[1] == '{') {
            p++;
        }

        if ((size_t) (last - p) > len
            && ngx_strncasecmp(p + 1, (u_char *) prefix, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* a variable alone, the usual case, is read without a script and a copy */

static tournament_value_t *
ngx_http_tournament_compile(ngx_conf_t *cf, ngx_str_t *value)
{
    size_t                             i;
    u_char                             ch;
    ngx_str_t                          name;
    tournament_value_t                *tv;
    ngx_http_compile_complex_value_t   ccv;

    tv = ngx_pcalloc(cf->pool, sizeof(tournament_value_t));
    if (tv == NULL) {
        return NULL;
    }

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

        tv->variable = ngx_http_get_variable_index(cf, &name);

        return tv->variable == NGX_ERROR ? NULL : tv;
    }

    tv->complex = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (tv->complex == NULL) {
        return NULL;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = tv->complex;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? tv : NULL;
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
    u_char                  *p, names[1024];
    ngx_str_t               *args;
    tournament_endpoint_t  **ep;

    args = cf->args->elts;
    p = names;

    for (ep = tournament_endpoints; *ep; ep++) {
        p = ngx_slprintf(p, names + sizeof(names), "%s\"%V\"",
                         (p == names) ? "" : ", ", &(*ep)->name);
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
ngx_http_tournament_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t         *ccf;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_tournament_module);

    if (ngx_test_config || tmcf == NULL || !tmcf->used) {
        return NGX_OK;
    }

    tournament_zone_begin(&tmcf->zone);

    ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                  "tournament: ngx_http_tournament_module/"
                  TOURNAMENT_VERSION);

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    return tournament_wake_init(cycle->log, ccf->worker_processes);
}


static ngx_int_t
ngx_http_tournament_init_process(ngx_cycle_t *cycle)
{
    tournament_main_conf_t  *tmcf;

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

    tmcf->metrics = tournament_metrics_create(cycle->pool,
                                              cycle->log,
                                              &tmcf->zone,
                                              tmcf->slow);
    if (tmcf->metrics == NULL) {
        return NGX_ERROR;
    }

    tournament_metrics_follow(tmcf->metrics, &tmcf->database);

    tmcf->database.outage =
        &tmcf->zone.outages[TOURNAMENT_OUTAGE_DATABASE];

    tmcf->json = tournament_json_create(cycle->pool);
    tmcf->memo = tournament_memo_create(cycle->pool, &tmcf->zone);
    tmcf->pg = tournament_pg_create(cycle->pool, cycle->log, &tmcf->database);

    if (tmcf->json == NULL || tmcf->memo == NULL || tmcf->pg == NULL) {
        return NGX_ERROR;
    }

    tmcf->fetch = tournament_fetch_create(cycle->pool, cycle->log,
                                          &tmcf->zone, tmcf->pg,
                                          &tmcf->database);
    if (tmcf->fetch == NULL) {
        return NGX_ERROR;
    }

    tournament_metrics_join(tmcf->metrics,
                            tournament_fetch_number(tmcf->fetch));
    tournament_pg_report(tmcf->pg);

    if (tmcf->watched) {
        tmcf->watch = tournament_watch_create(cycle->pool, cycle->log, tmcf);

        if (tmcf->watch == NULL) {
            return NGX_ERROR;
        }
    }

    return ngx_http_tournament_init_feed(cycle, tmcf);
}


static ngx_int_t
ngx_http_tournament_init_feed(ngx_cycle_t *cycle, tournament_main_conf_t *tmcf)
{
    if (tmcf->warm) {
        tmcf->warmer = tournament_warm_create(cycle->pool,
                                              cycle->log, &tmcf->zone,
                                              tmcf->pg, tmcf->fetch,
                                              tournament_endpoints,
                                              tmcf->space);
        if (tmcf->warmer == NULL) {
            return NGX_ERROR;
        }
    }

    if (tmcf->listen) {
        return ngx_http_tournament_create_feed(cycle, tmcf);
    }

    /* one worker does, and after a reload only where the keys are others */

    if (tmcf->warm) {
        tournament_warm_start(tmcf->warmer, 1);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_tournament_create_feed(ngx_cycle_t *cycle,
    tournament_main_conf_t *tmcf)
{
    tournament_feed_conf_t  conf;

    ngx_memzero(&conf, sizeof(tournament_feed_conf_t));

    conf.zone = &tmcf->zone;
    conf.targets = tmcf->listen_targets;
    conf.connect_timeout = tmcf->database.connect_timeout;
    conf.kind = tmcf->feed_kind;
    conf.pg = tmcf->pg;
    conf.delay = ngx_http_tournament_feed_delay;
    conf.delay_data = tmcf;

    if (tmcf->watch) {
        conf.changed = tournament_watch_changed;
        conf.changed_data = tmcf->watch;
    }

    /* where both lead to the same place, an outage is both's */

    conf.outage = tmcf->database.outage;

    if (tmcf->listen_conninfo.directive.data) {
        conf.outage = &tmcf->zone.outages[TOURNAMENT_OUTAGE_LISTENER];
    }

    /* what was loaded before it listens would have to be loaded again */

    if (tmcf->warm) {
        conf.begun = tournament_warm_start;
        conf.begun_data = tmcf->warmer;
    }

    tmcf->feed = tournament_feed_create(cycle->pool, cycle->log, &conf);

    if (tmcf->feed == NULL) {
        return NGX_ERROR;
    }

    tournament_fetch_gate(tmcf->fetch);

    return NGX_OK;
}


static void
ngx_http_tournament_feed_delay(void *data, uint64_t us)
{
    tournament_main_conf_t *tmcf = data;

    tournament_metrics_observe(&tmcf->metrics->counters->delay, us);
}


static void
ngx_http_tournament_exit_process(ngx_cycle_t *cycle)
{
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_tournament_module);

    if (tmcf == NULL || tmcf->fetch == NULL) {
        return;
    }

    if (tmcf->feed) {
        tournament_feed_destroy(tmcf->feed);
    }

    if (tmcf->warmer) {
        tournament_warm_destroy(tmcf->warmer);
    }

    if (tmcf->watch) {
        tournament_watch_destroy(tmcf->watch);
    }

    tournament_pg_destroy(tmcf->pg);
    tournament_fetch_destroy(tmcf->fetch);
    tournament_memo_destroy(tmcf->memo);
    tournament_json_destroy(tmcf->json);
    tournament_arena_close(&tmcf->zone.arena);
}
