
/*
 * The table of endpoints.  Their order is that of the figures in status and
 * metrics, and of the names in messages.
 */

#ifndef _TOURNAMENT_TABLE_H_INCLUDED_
#define _TOURNAMENT_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "serve/endpoint.h"


/* ends with NULL */

extern tournament_endpoint_t  *tournament_endpoints[];


/* The endpoint of that name, or of that number in keys; NULL: none. */

tournament_endpoint_t *tournament_endpoint_find(ngx_str_t *name);
tournament_endpoint_t *tournament_endpoint_numbered(ngx_uint_t number);


/*
 * The TOURNAMENT_STATEMENTS statements as the pool of connections wants them,
 * NULL at places that have none, allocated from pool.  NULL: no memory.
 */

tournament_pg_statement_t **tournament_endpoint_statements(ngx_pool_t *pool);


#endif /* _TOURNAMENT_TABLE_H_INCLUDED_ */
