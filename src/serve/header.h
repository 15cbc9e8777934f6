
/* Headers of a request that nginx has no member for. */

#ifndef _TOURNAMENT_HEADER_H_INCLUDED_
#define _TOURNAMENT_HEADER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* where a search is; zeroed before the first call */

typedef struct {
    ngx_list_part_t             *part;
    ngx_uint_t                   i;
} tournament_header_t;


/*
 * The value of the next header of that name, in any case of letters; the
 * request's memory.  NULL: there is no other one, and the search is over.
 */

ngx_str_t *tournament_header_next(ngx_http_request_t *r, ngx_str_t *name,
    tournament_header_t *at);


#endif /* _TOURNAMENT_HEADER_H_INCLUDED_ */
