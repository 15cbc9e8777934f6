
/*
 * The way of a request: its key, the worker's memo, the zone, the database,
 * the answer.
 */

#ifndef _TOURNAMENT_REQUEST_H_INCLUDED_
#define _TOURNAMENT_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/context.h"


/* the content handler of a location with "tournament" */

ngx_int_t tournament_handler(ngx_http_request_t *r);


/* The value of a directive's variables.  NGX_OK or NGX_ERROR. */

ngx_int_t tournament_value(ngx_http_request_t *r, tournament_value_t *tv,
    ngx_str_t *value);


/*
 * Sends ctx->body: as a public answer, or as that of the user in ctx.  Returns
 * a value for a handler to return.
 */

ngx_int_t tournament_send(ngx_http_request_t *r, tournament_ctx_t *ctx);


#endif /* _TOURNAMENT_REQUEST_H_INCLUDED_ */
