
/*
 * The body of a request, whole and in memory.  Whoever had the request before
 * may have read it, also to a file; whoever has it afterwards, by error_page
 * say, finds it whole.
 */

#ifndef _TOURNAMENT_POST_H_INCLUDED_
#define _TOURNAMENT_POST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * body lives as long as the request.  Returns a value for
 * ngx_http_finalize_request().
 */

typedef ngx_int_t (*tournament_post_pt)(ngx_http_request_t *r,
    ngx_str_t *body);


/*
 * Reads the body and calls handler, now or later; one of more than max bytes
 * is answered with 413.  Returns a value for a handler to return.
 */

ngx_int_t tournament_post_read(ngx_http_request_t *r, size_t max,
    tournament_post_pt handler);


#endif /* _TOURNAMENT_POST_H_INCLUDED_ */
