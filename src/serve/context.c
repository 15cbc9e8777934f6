
/*
 * A request's context lives in a cleanup of its pool: it outlives internal
 * redirects, and whatever it holds is given back when the request ends.
 */

#include "serve/context.h"


static void tournament_count_ctx(tournament_metrics_t *metrics,
    tournament_ctx_t *ctx, ngx_uint_t status);
static void tournament_cleanup(void *data);


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


void
tournament_count(ngx_http_request_t *r, ngx_uint_t status)
{
    tournament_ctx_t        *ctx;
    tournament_main_conf_t  *tmcf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);

    if (ctx) {
        tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

        tournament_count_ctx(tmcf->metrics, ctx, status);
    }
}


static void
tournament_count_ctx(tournament_metrics_t *metrics, tournament_ctx_t *ctx,
    ngx_uint_t status)
{
    uint64_t  *columns;

    if (ctx->counted || !tournament_endpoint_serves(ctx->endpoint)) {
        return;
    }

    ctx->counted = 1;

    columns = metrics->counters->requests[ctx->endpoint->number];

    tournament_metrics_add(&columns[ctx->status]);

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        tournament_metrics_add(&columns[TOURNAMENT_METRICS_5XX]);

    } else if (status >= NGX_HTTP_BAD_REQUEST) {
        tournament_metrics_add(&columns[TOURNAMENT_METRICS_4XX]);
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

    if (ctx->leave) {
        ctx->leave(ctx);
    }

    if (!ctx->counted) {
        r = ctx->request;
        tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

        tournament_count_ctx(tmcf->metrics, ctx,
                             (r->headers_out.status
                              == NGX_HTTP_INTERNAL_SERVER_ERROR)
                             ? NGX_HTTP_INTERNAL_SERVER_ERROR : 0);
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
