
/*
 * Server-sent events: an answer that goes on, as HTML's EventSource reads it.
 */

#ifndef _TOURNAMENT_STREAM_H_INCLUDED_
#define _TOURNAMENT_STREAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/context.h"


/*
 * Answers with a stream of ctx->subject, which begins with ctx->body.  Returns
 * a value for a handler to return.
 */

ngx_int_t tournament_stream_start(ngx_http_request_t *r,
    tournament_ctx_t *ctx);


#endif /* _TOURNAMENT_STREAM_H_INCLUDED_ */
