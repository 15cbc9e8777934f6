
/* The errors of the HTTP contract; see refuse.h for how one goes out. */

#ifndef _TOURNAMENT_ERROR_H_INCLUDED_
#define _TOURNAMENT_ERROR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct {
    ngx_uint_t                     status;
    ngx_str_t                      body;
    ngx_str_t                      header;    /* one more header, or len 0 */
    ngx_str_t                      value;     /* len 0: 1 to 3, at random */
    ngx_uint_t                     spread;    /* 1 to that; 0: 3; 10 at most */
} tournament_error_t;


extern tournament_error_t  tournament_error_slug;
extern tournament_error_t  tournament_error_slugs;
extern tournament_error_t  tournament_error_too_many;
extern tournament_error_t  tournament_error_json;
extern tournament_error_t  tournament_error_user;
extern tournament_error_t  tournament_error_login;
extern tournament_error_t  tournament_error_forbidden;
extern tournament_error_t  tournament_error_too_large;
extern tournament_error_t  tournament_error_not_found;
extern tournament_error_t  tournament_error_method;
extern tournament_error_t  tournament_error_method_post;
extern tournament_error_t  tournament_error_method_purge;
extern tournament_error_t  tournament_error_pattern;
extern tournament_error_t  tournament_error_query;
extern tournament_error_t  tournament_error_no_stream;
extern tournament_error_t  tournament_error_too_many_streams;
extern tournament_error_t  tournament_error_unavailable;
extern tournament_error_t  tournament_error_timeout;


#define TOURNAMENT_BAD_VALUE    "Bad value of the argument %V"
#define TOURNAMENT_GIVEN_TWICE  "The argument %V is given twice"


/*
 * 400 for an argument of that name.  text is a format with one %V for the
 * name.  The error is of the request's pool; never NULL.
 */

tournament_error_t *tournament_error_argument(ngx_http_request_t *r,
    const char *text, ngx_str_t *name);


#endif /* _TOURNAMENT_ERROR_H_INCLUDED_ */
