
/*
 * The endpoints status and metrics: the node's own figures, as JSON (as a page
 * for a browser), and in Prometheus' text format, version 0.0.4.
 */

#ifndef _TOURNAMENT_STATUS_H_INCLUDED_
#define _TOURNAMENT_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* handlers of locations; each returns a value for a handler to return */

ngx_int_t tournament_status_handler(ngx_http_request_t *r);
ngx_int_t tournament_metrics_handler(ngx_http_request_t *r);


#endif /* _TOURNAMENT_STATUS_H_INCLUDED_ */
