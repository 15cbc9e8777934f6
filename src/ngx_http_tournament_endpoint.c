
#include "ngx_http_tournament_endpoint.h"
#include "ngx_http_tournament_render.h"
#include "tournament_state.h"
#include "tournament_text.h"


static ngx_http_tournament_error_t *ngx_http_tournament_slug_argument(
    ngx_http_request_t *r, ngx_str_t *argument,
    ngx_http_tournament_key_t *key);
static void ngx_http_tournament_state_decode(
    ngx_http_tournament_result_t *result, int rows);


/* the columns of tournament_api.state(), in their order */

enum {
    NGX_HTTP_TOURNAMENT_STATE_ID = 0,
    NGX_HTTP_TOURNAMENT_STATE_STATUS,
    NGX_HTTP_TOURNAMENT_STATE_SLOT_SIZE,
    NGX_HTTP_TOURNAMENT_STATE_REG_OPEN_AT,
    NGX_HTTP_TOURNAMENT_STATE_REG_CLOSE_AT,
    NGX_HTTP_TOURNAMENT_STATE_START_AT,
    NGX_HTTP_TOURNAMENT_STATE_MIN_TEAM_SIZE,
    NGX_HTTP_TOURNAMENT_STATE_MAX_TEAM_SIZE,
    NGX_HTTP_TOURNAMENT_STATE_CONFIRMED,
    NGX_HTTP_TOURNAMENT_STATE_COLUMNS
};


static const Oid  ngx_http_tournament_state_columns[] = {
    NGX_HTTP_TOURNAMENT_INT8,
    NGX_HTTP_TOURNAMENT_TEXT,
    NGX_HTTP_TOURNAMENT_INT8,
    NGX_HTTP_TOURNAMENT_TIMESTAMPTZ,
    NGX_HTTP_TOURNAMENT_TIMESTAMPTZ,
    NGX_HTTP_TOURNAMENT_TIMESTAMPTZ,
    NGX_HTTP_TOURNAMENT_INT4,
    NGX_HTTP_TOURNAMENT_INT4,
    NGX_HTTP_TOURNAMENT_INT8
};


ngx_http_tournament_endpoint_t
    ngx_http_tournament_endpoints[NGX_HTTP_TOURNAMENT_ENDPOINTS] =
{
    { ngx_string("state"),
      1,
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      30000,
      { "tournament_state", "SELECT * FROM tournament_api.state($1)", 1 },
      ngx_http_tournament_state_columns,
      NGX_HTTP_TOURNAMENT_STATE_COLUMNS,
      ngx_http_tournament_slug_argument,
      ngx_http_tournament_state_decode,
      ngx_http_tournament_render_state }
};


ngx_int_t
ngx_http_tournament_endpoint_find(ngx_str_t *name)
{
    ngx_str_t  *s;
    ngx_int_t   i;

    for (i = 0; i < NGX_HTTP_TOURNAMENT_ENDPOINTS; i++) {
        s = &ngx_http_tournament_endpoints[i].name;

        if (s->len == name->len
            && ngx_strncmp(s->data, name->data, s->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


static ngx_http_tournament_error_t *
ngx_http_tournament_slug_argument(ngx_http_request_t *r, ngx_str_t *argument,
    ngx_http_tournament_key_t *key)
{
    if (!tournament_text_slug_valid(argument->data, argument->len)
        || ngx_http_tournament_key_add(key, argument->data, argument->len)
           != NGX_OK)
    {
        return &ngx_http_tournament_error_slug;
    }

    return NULL;
}


static void
ngx_http_tournament_state_decode(ngx_http_tournament_result_t *result,
    int rows)
{
    ngx_str_t            status;
    tournament_facts_t  *facts;

    if (rows == 0) {
        result->entry.missing = 1;
        ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_ROWS, 0);
        return;
    }

    facts = ngx_http_tournament_result_facts(result,
                                             sizeof(tournament_facts_t));
    if (facts == NULL) {
        return;
    }

    facts->id = ngx_http_tournament_result_integer(result, 0,
                                       NGX_HTTP_TOURNAMENT_STATE_ID, 0);
    facts->slot_size = ngx_http_tournament_result_integer(result, 0,
                                       NGX_HTTP_TOURNAMENT_STATE_SLOT_SIZE, 0);
    facts->reg_open_at = ngx_http_tournament_result_instant(result, 0,
                                       NGX_HTTP_TOURNAMENT_STATE_REG_OPEN_AT);
    facts->reg_close_at = ngx_http_tournament_result_instant(result, 0,
                                       NGX_HTTP_TOURNAMENT_STATE_REG_CLOSE_AT);
    facts->start_at = ngx_http_tournament_result_instant(result, 0,
                                       NGX_HTTP_TOURNAMENT_STATE_START_AT);
    facts->min_team_size = (int32_t)
                           ngx_http_tournament_result_integer(result, 0,
                                   NGX_HTTP_TOURNAMENT_STATE_MIN_TEAM_SIZE, 0);
    facts->max_team_size = (int32_t)
                           ngx_http_tournament_result_integer(result, 0,
                                   NGX_HTTP_TOURNAMENT_STATE_MAX_TEAM_SIZE, 0);
    facts->confirmed = ngx_http_tournament_result_integer(result, 0,
                                       NGX_HTTP_TOURNAMENT_STATE_CONFIRMED, 0);

    ngx_http_tournament_result_text(result, 0,
                                    NGX_HTTP_TOURNAMENT_STATE_STATUS,
                                    &status);
    facts->status = tournament_status_parse((char *) status.data, status.len);

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TOURNAMENT,
                                     facts->id);
}
