
/*
 * Endpoint "purge": takes back all that shows a tournament, those whose slug
 * matches a glob ("*" any characters, "?" one), or everything.
 */

#ifndef _TOURNAMENT_PURGE_H_INCLUDED_
#define _TOURNAMENT_PURGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* Returns a value for a location's handler to return. */

ngx_int_t tournament_purge_handler(ngx_http_request_t *r);


#endif /* _TOURNAMENT_PURGE_H_INCLUDED_ */
