
/* Facts and an instant make the documents of the HTTP contract. */

#ifndef _TOURNAMENT_RENDER_H_INCLUDED_
#define _TOURNAMENT_RENDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/zone.h"
#include "serve/json.h"


/* what an answer is made of */

typedef struct {
    time_t                now;       /* Unix time, s */
    int64_t               user;      /* account id; 0: anonymous */
    ngx_uint_t            staff;

    tournament_entry_t   *entry;     /* of the endpoint itself */
    tournament_entry_t   *context;   /* of the user at this
                                        tournament, or NULL */
} tournament_view_t;


/*
 * Each writes the members of a document after "success".  The entries are not
 * missing, and hold the facts of their endpoint.  In a state's answer the
 * value of "state" is marked.
 */

void tournament_render_state(tournament_json_t *json, tournament_view_t *view);
void tournament_render_hub(tournament_json_t *json, tournament_view_t *view);
void tournament_render_detail(tournament_json_t *json,
    tournament_view_t *view);
void tournament_render_participants(tournament_json_t *json,
    tournament_view_t *view);
void tournament_render_count(tournament_json_t *json, tournament_view_t *view);
void tournament_render_context(tournament_json_t *json,
    tournament_view_t *view);
void tournament_render_registrations(tournament_json_t *json,
    tournament_view_t *view);
void tournament_render_stats(tournament_json_t *json, tournament_view_t *view);


#endif /* _TOURNAMENT_RENDER_H_INCLUDED_ */
