
/*
 * Waiting polls: a request that would be answered 304, and whose client would
 * rather wait ("Prefer: wait=10", RFC 7240), is answered once its document is
 * another one.
 */

#ifndef _TOURNAMENT_WAIT_H_INCLUDED_
#define _TOURNAMENT_WAIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/context.h"


/* Whether a request might wait, before it is known what it is answered. */

#define tournament_wait_may(r, tlcf)                                          \
    ((tlcf)->wait && (r)->headers_in.if_none_match                            \
     && (r)->method == NGX_HTTP_GET && (r) == (r)->main)


/*
 * Lets a request wait for ctx->subject to be another document than ctx->body.
 * Answer is called when it is, or when the time is up; it returns a value for
 * ngx_http_finalize_request().  NGX_DONE: it waits.  NGX_DECLINED: it is to be
 * answered now.
 */

ngx_int_t tournament_wait(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_answer_pt answer);


#endif /* _TOURNAMENT_WAIT_H_INCLUDED_ */
