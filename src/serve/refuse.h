
/* An error as the answer to a request. */

#ifndef _TOURNAMENT_REFUSE_H_INCLUDED_
#define _TOURNAMENT_REFUSE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/error.h"


/*
 * Answers a request with an error: a value for a location's handler to return
 * or for ngx_http_finalize_request().  Where the location has an error_page
 * for the status nothing is sent: the status is returned, and nginx sees to
 * it.
 */

ngx_int_t tournament_refuse(ngx_http_request_t *r, tournament_error_t *error);


/* The same without regard to an error_page. */

ngx_int_t tournament_refuse_here(ngx_http_request_t *r,
    tournament_error_t *error);


#endif /* _TOURNAMENT_REFUSE_H_INCLUDED_ */
