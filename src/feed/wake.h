
/*
 * Wake-ups between workers: a table of eventfds that the master makes once,
 * before it starts workers, and that every worker of every configuration
 * inherits.  A worker reads the one of its number in the zone and writes those
 * of others.  A wake-up may be lost (a number passed on, a worker that just
 * died): a coarse timer of who waits stands behind it.
 */

#ifndef _NGX_HTTP_TOURNAMENT_WAKE_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_WAKE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/cache.h"


typedef struct ngx_http_tournament_wake_s  ngx_http_tournament_wake_t;

typedef void (*ngx_http_tournament_wake_pt)(void *data);


/* Makes the table, once in the life of the master.  NGX_OK or NGX_ERROR. */

ngx_int_t ngx_http_tournament_wake_init(ngx_log_t *log);


/*
 * Takes a number for this worker; handler is called with data when others
 * wake it.  Without a number or without eventfds it is never called.  NULL: no
 * memory.
 */

ngx_http_tournament_wake_t *ngx_http_tournament_wake_create(ngx_pool_t *pool,
    ngx_log_t *log, ngx_http_tournament_cache_t *cache,
    ngx_http_tournament_wake_pt handler, void *data);


/* Gives the number back: the process exits. */

void ngx_http_tournament_wake_destroy(ngx_http_tournament_wake_t *wake);


/* This worker's number, or NGX_ERROR. */

ngx_int_t ngx_http_tournament_wake_number(ngx_http_tournament_wake_t *wake);


/* Wakes the workers of a set, a bit each. */

void ngx_http_tournament_wake_up(ngx_http_tournament_wake_t *wake,
    uint64_t workers);


#endif /* _NGX_HTTP_TOURNAMENT_WAKE_H_INCLUDED_ */
