
/* Facts and an instant make the documents of the HTTP contract. */

#ifndef _NGX_HTTP_TOURNAMENT_RENDER_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_RENDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/cache.h"
#include "serve/json.h"


/* what an answer is made of */

typedef struct {
    time_t                         now;       /* Unix time, s */
    int64_t                        user;      /* account id; 0: anonymous */
    ngx_uint_t                     staff;

    ngx_http_tournament_entry_t   *entry;     /* of the endpoint itself */
    ngx_http_tournament_entry_t   *context;   /* of the user at this
                                                 tournament, or NULL */
} ngx_http_tournament_view_t;


/*
 * Each writes the members of a document after "success".  The entries are not
 * missing, and hold the facts of their endpoint.  In a state's answer the
 * value of "state" is marked.
 */

void ngx_http_tournament_render_state(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_hub(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_detail(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_participants(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_count(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_context(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_registrations(
    ngx_http_tournament_json_t *json, ngx_http_tournament_view_t *view);
void ngx_http_tournament_render_stats(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view);


#endif /* _NGX_HTTP_TOURNAMENT_RENDER_H_INCLUDED_ */
