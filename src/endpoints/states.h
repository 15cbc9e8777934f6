
/*
 * Endpoint "states": the states of many tournaments in one answer.  Its
 * entries are those of "state", and what the memo has of them is taken as it
 * stands.
 */

#ifndef _TOURNAMENT_STATES_H_INCLUDED_
#define _TOURNAMENT_STATES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define TOURNAMENT_STATES_BODY  (64 * 1024)  /* bytes */


/* Returns a value for a location's handler to return. */

ngx_int_t tournament_states_handler(ngx_http_request_t *r);


#endif /* _TOURNAMENT_STATES_H_INCLUDED_ */
