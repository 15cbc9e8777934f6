
/* The error answers of the HTTP contract. */

#ifndef _NGX_HTTP_TOURNAMENT_ERROR_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_uint_t                     status;
    ngx_str_t                      body;
    ngx_str_t                      header;    /* one more header, or len 0 */
    ngx_str_t                      value;
} ngx_http_tournament_error_t;


extern ngx_http_tournament_error_t  ngx_http_tournament_error_slug;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_slugs;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_too_many;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_json;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_user;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_game;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_status;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_fee;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_prize;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_sort;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_q;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_page;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_per_page;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_login;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_forbidden;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_too_large;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_not_found;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_method;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_method_post;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_method_purge;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_pattern;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_unavailable;
extern ngx_http_tournament_error_t  ngx_http_tournament_error_timeout;


/*
 * Answers a request with an error: a value for a location's handler to return
 * or for ngx_http_finalize_request().  Where the location has an error_page
 * for the status nothing is sent: the status is returned, and nginx sees to
 * it.
 */

ngx_int_t ngx_http_tournament_error_send(ngx_http_request_t *r,
    ngx_http_tournament_error_t *error);


#endif /* _NGX_HTTP_TOURNAMENT_ERROR_H_INCLUDED_ */
