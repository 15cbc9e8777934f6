
/* From entries to a document. */

#ifndef _TOURNAMENT_RENDER_H_INCLUDED_
#define _TOURNAMENT_RENDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/conf.h"


/*
 * The body of a view: from the memo, or rendered and kept there under key and
 * the view's user; without a key just rendered.  The caller gets a reference.
 * NULL: no memory.
 */

tournament_body_t *tournament_render(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    tournament_key_t *key, tournament_view_t *view);


#endif /* _TOURNAMENT_RENDER_H_INCLUDED_ */
