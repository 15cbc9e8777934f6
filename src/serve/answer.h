
/* How a JSON answer goes out: headers, one buffer, nginx's filters. */

#ifndef _TOURNAMENT_ANSWER_H_INCLUDED_
#define _TOURNAMENT_ANSWER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Sets the headers that every answer has, Content-Type and Cache-Control, in
 * the place of those that say as much; so it comes before answer_add().  Tells
 * the filters of nginx that the body is UTF-8, and that it has no date.
 * Returns NGX_OK or NGX_ERROR.
 */

ngx_int_t tournament_answer_header(ngx_http_request_t *r,
    ngx_str_t *cache_control);


/* Another type than JSON, one with a parameter, after answer_header(). */

void tournament_answer_type(ngx_http_request_t *r, ngx_str_t *type);


/*
 * Adds a header, whose strings must live as long as the request.  Returns it,
 * or NULL when memory is short.
 */

ngx_table_elt_t *tournament_answer_add(ngx_http_request_t *r, ngx_str_t *key,
    ngx_str_t *value);


/*
 * Sends the header; what is left of the request's body is not for the answer.
 * Returns NGX_OK, or what ngx_http_send_header() does.
 */

ngx_int_t tournament_answer_begin(ngx_http_request_t *r);


/*
 * Sends header and body; text is not copied and must live as long as the
 * request.  Returns a value for ngx_http_finalize_request().
 */

ngx_int_t tournament_answer_send(ngx_http_request_t *r, ngx_str_t *text);


#endif /* _TOURNAMENT_ANSWER_H_INCLUDED_ */
