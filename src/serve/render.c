
/*
 * A worker has one writer: a document is written, and at once copied into a
 * body of its own, which the memo may keep for others who ask in its second.
 */

#include "serve/gather.h"
#include "serve/render.h"


static tournament_body_t *tournament_render_body(
    tournament_main_conf_t *tmcf, tournament_endpoint_t *endpoint,
    tournament_name_t *name, tournament_view_t *view);


tournament_body_t *
tournament_render(tournament_main_conf_t *tmcf, tournament_loc_conf_t *tlcf,
    tournament_endpoint_t *endpoint, tournament_key_t *key,
    tournament_view_t *view)
{
    ngx_msec_t          ttls[TOURNAMENT_BODY_ENTRIES];
    tournament_body_t  *body;
    tournament_name_t   name;

    if (key == NULL) {
        return tournament_render_body(tmcf, endpoint, NULL, view);
    }

    name.key = *key;
    name.user = view->user;
    name.staff = view->staff;

    ttls[0] = tournament_gather_ttl(tmcf, tlcf, endpoint, 0);
    ttls[1] = view->context
              ? tournament_gather_ttl(tmcf, tlcf, endpoint->viewer, 0) : 0;

    /* others may have waited for the same facts, and been here before */

    body = tournament_memo_get(tmcf->memo, &name, ttls);
    if (body) {
        return body;
    }

    body = tournament_render_body(tmcf, endpoint, &name, view);

    if (body) {
        tournament_memo_put(tmcf->memo, body);
    }

    return body;
}


static tournament_body_t *
tournament_render_body(tournament_main_conf_t *tmcf,
    tournament_endpoint_t *endpoint, tournament_name_t *name,
    tournament_view_t *view)
{
    size_t               start, len;
    ngx_str_t            text, etag;
    ngx_uint_t           private;
    tournament_body_t   *body;
    tournament_json_t   *json;
    tournament_entry_t  *entries[TOURNAMENT_BODY_ENTRIES];

    json = tmcf->json;

    tournament_json_begin(json);
    tournament_json_bool(json, "success", 1);

    endpoint->render(json, view);

    /* a user's answer has no ETag */

    ngx_str_set(&etag, "");
    private = (view->user || view->staff);

    if (tournament_json_end(json, view->now, &text, private ? NULL : &etag)
        != NGX_OK)
    {
        return NULL;
    }

    entries[0] = view->entry;
    entries[1] = view->context;

    body = tournament_body_create(name, entries, view->now, &text, &etag);
    if (body == NULL) {
        return NULL;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "tournament rendered: %uz bytes, ETag %V", text.len,
                   &etag);

    tournament_json_marked(json, &start, &len);

    body->part.data = body->text.data + start;
    body->part.len = len;

    /* only who watches asks for what follows */

    if (tmcf->watch) {
        tournament_json_until(json, view->entry->valid_until);

        if (view->context) {
            tournament_json_until(json, view->context->valid_until);
        }

        body->until = tournament_json_holds(json);
        body->id = tournament_json_id(json);
    }

    return body;
}
