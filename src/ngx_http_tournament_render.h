
/* Facts and an instant make the documents of the HTTP contract. */

#ifndef _NGX_HTTP_TOURNAMENT_RENDER_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_RENDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_tournament_cache.h"
#include "ngx_http_tournament_json.h"


/*
 * The members of a state answer between success and the end, for an anonymous.
 * entry's facts are a tournament_facts_t; now is Unix time in s.
 */

void ngx_http_tournament_render_state(ngx_http_tournament_json_t *json,
    ngx_http_tournament_entry_t *entry, time_t now);


#endif /* _NGX_HTTP_TOURNAMENT_RENDER_H_INCLUDED_ */
