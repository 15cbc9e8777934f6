
#include "endpoints/decode.h"
#include "endpoints/endpoint.h"
#include "endpoints/purge.h"
#include "endpoints/states.h"
#include "endpoints/status.h"


static ngx_http_tournament_error_t *ngx_http_tournament_check_found(
    ngx_http_tournament_view_t *view);
static ngx_http_tournament_error_t *ngx_http_tournament_check_context(
    ngx_http_tournament_view_t *view);
static ngx_http_tournament_error_t *ngx_http_tournament_check_participants(
    ngx_http_tournament_view_t *view);


#define NGX_HTTP_TOURNAMENT_NO_STATEMENT  { NULL, NULL, 0 }


ngx_http_tournament_endpoint_t
    ngx_http_tournament_endpoints[NGX_HTTP_TOURNAMENT_ENDPOINTS] =
{
    { ngx_string("state"), 1,
      NGX_HTTP_TOURNAMENT_MUST_ARGUMENT, NGX_HTTP_TOURNAMENT_VIEWED,
      30000, 0,
      { "tournament_state",
        "SELECT * FROM tournament_api.state($1)", 1 },
      { "tournament_states",
        "SELECT * FROM tournament_api.states($1)", 1 },
      ngx_http_tournament_state_columns, NGX_HTTP_TOURNAMENT_STATE_COLUMNS,
      NGX_HTTP_TOURNAMENT_STATE_SLUG,
      ngx_http_tournament_arguments_slug,
      ngx_http_tournament_decode_state,
      ngx_http_tournament_check_found,
      ngx_http_tournament_render_state,
      NULL },

    /* its entries are those of state */

    { ngx_string("states"), 2,
      NGX_HTTP_TOURNAMENT_NO_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      30000, 0,
      NGX_HTTP_TOURNAMENT_NO_STATEMENT, NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      ngx_http_tournament_states_handler },

    { ngx_string("hub"), 3,
      NGX_HTTP_TOURNAMENT_MAY_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      30000, 1000,
      { "tournament_hub",
        "SELECT * FROM tournament_api.hub($1, $2, $3, $4, $5, $6, $7, $8)",
        8 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_hub_columns, NGX_HTTP_TOURNAMENT_HUB_COLUMNS, 0,
      ngx_http_tournament_arguments_hub,
      ngx_http_tournament_decode_hub,
      ngx_http_tournament_check_found,
      ngx_http_tournament_render_hub,
      NULL },

    { ngx_string("detail"), 4,
      NGX_HTTP_TOURNAMENT_MUST_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      30000, 0,
      { "tournament_detail",
        "SELECT * FROM tournament_api.detail($1)", 1 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_detail_columns, NGX_HTTP_TOURNAMENT_DETAIL_COLUMNS,
      0,
      ngx_http_tournament_arguments_slug,
      ngx_http_tournament_decode_detail,
      ngx_http_tournament_check_found,
      ngx_http_tournament_render_detail,
      NULL },

    { ngx_string("participants"), 5,
      NGX_HTTP_TOURNAMENT_MUST_ARGUMENT, NGX_HTTP_TOURNAMENT_GUARDED,
      60000, 0,
      { "tournament_participants",
        "SELECT * FROM tournament_api.participants($1)", 1 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_participants_columns,
      NGX_HTTP_TOURNAMENT_PARTICIPANTS_COLUMNS, 0,
      ngx_http_tournament_arguments_slug,
      ngx_http_tournament_decode_participants,
      ngx_http_tournament_check_participants,
      ngx_http_tournament_render_participants,
      NULL },

    { ngx_string("count"), 6,
      NGX_HTTP_TOURNAMENT_MUST_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      60000, 0,
      { "tournament_count",
        "SELECT * FROM tournament_api.count($1)", 1 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_count_columns, NGX_HTTP_TOURNAMENT_COUNT_COLUMNS, 0,
      ngx_http_tournament_arguments_slug,
      ngx_http_tournament_decode_count,
      ngx_http_tournament_check_found,
      ngx_http_tournament_render_count,
      NULL },

    { ngx_string("registration_context"), 7,
      NGX_HTTP_TOURNAMENT_MUST_ARGUMENT, NGX_HTTP_TOURNAMENT_PERSONAL,
      60000, 0,
      { "tournament_registration_context",
        "SELECT * FROM tournament_api.registration_context($1, $2)", 2 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_context_columns,
      NGX_HTTP_TOURNAMENT_CONTEXT_COLUMNS, 0,
      ngx_http_tournament_arguments_user_slug,
      ngx_http_tournament_decode_context,
      ngx_http_tournament_check_context,
      ngx_http_tournament_render_context,
      NULL },

    { ngx_string("user_registrations"), 8,
      NGX_HTTP_TOURNAMENT_NO_ARGUMENT, NGX_HTTP_TOURNAMENT_PERSONAL,
      60000, 0,
      { "tournament_user_registrations",
        "SELECT * FROM tournament_api.user_registrations($1)", 1 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_registrations_columns,
      NGX_HTTP_TOURNAMENT_REGISTRATIONS_COLUMNS, 0,
      ngx_http_tournament_arguments_user,
      ngx_http_tournament_decode_registrations,
      ngx_http_tournament_check_found,
      ngx_http_tournament_render_registrations,
      NULL },

    { ngx_string("platform_stats"), 9,
      NGX_HTTP_TOURNAMENT_NO_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      300000, 1000,
      { "tournament_platform_stats",
        "SELECT * FROM tournament_api.platform_stats()", 0 },
      NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      ngx_http_tournament_stats_columns, NGX_HTTP_TOURNAMENT_STATS_COLUMNS, 0,
      ngx_http_tournament_arguments_none,
      ngx_http_tournament_decode_stats,
      ngx_http_tournament_check_found,
      ngx_http_tournament_render_stats,
      NULL },

    /* it has no entries, it ends those of others */

    { ngx_string("purge"), 10,
      NGX_HTTP_TOURNAMENT_MUST_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      0, 0,
      NGX_HTTP_TOURNAMENT_NO_STATEMENT, NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      ngx_http_tournament_purge_handler },

    /* these are of the node itself */

    { ngx_string("status"), 11,
      NGX_HTTP_TOURNAMENT_NO_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      0, 0,
      NGX_HTTP_TOURNAMENT_NO_STATEMENT, NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      ngx_http_tournament_status_handler },

    { ngx_string("metrics"), 12,
      NGX_HTTP_TOURNAMENT_NO_ARGUMENT, NGX_HTTP_TOURNAMENT_PUBLIC,
      0, 0,
      NGX_HTTP_TOURNAMENT_NO_STATEMENT, NGX_HTTP_TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      ngx_http_tournament_metrics_handler }
};


static ngx_http_tournament_pg_statement_t  ngx_http_tournament_warm =
    { "tournament_warm", "SELECT * FROM tournament_api.warm()", 0 };


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


ngx_int_t
ngx_http_tournament_endpoint_number(ngx_uint_t number)
{
    ngx_int_t  i;

    for (i = 0; i < NGX_HTTP_TOURNAMENT_ENDPOINTS; i++) {
        if (ngx_http_tournament_endpoints[i].number == number) {
            return i;
        }
    }

    return NGX_ERROR;
}


ngx_http_tournament_pg_statement_t **
ngx_http_tournament_endpoint_statements(ngx_pool_t *pool)
{
    ngx_uint_t                            i;
    ngx_http_tournament_endpoint_t       *endpoint;
    ngx_http_tournament_pg_statement_t  **st;

    st = ngx_pcalloc(pool, NGX_HTTP_TOURNAMENT_STATEMENTS
                           * sizeof(ngx_http_tournament_pg_statement_t *));
    if (st == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_HTTP_TOURNAMENT_ENDPOINTS; i++) {
        endpoint = &ngx_http_tournament_endpoints[i];

        if (endpoint->statement.sql) {
            st[i] = &endpoint->statement;
        }

        if (endpoint->bulk.sql) {
            st[NGX_HTTP_TOURNAMENT_ENDPOINTS + i] = &endpoint->bulk;
        }
    }

    st[NGX_HTTP_TOURNAMENT_STATEMENT_WARM] = &ngx_http_tournament_warm;

    return st;
}


static ngx_http_tournament_error_t *
ngx_http_tournament_check_found(ngx_http_tournament_view_t *view)
{
    return view->entry->missing ? &ngx_http_tournament_error_not_found : NULL;
}


/* the entry is there for drafts too: a user's view of their state needs it */

static ngx_http_tournament_error_t *
ngx_http_tournament_check_context(ngx_http_tournament_view_t *view)
{
    ngx_http_tournament_context_t  *context;

    if (view->entry->missing) {
        return &ngx_http_tournament_error_not_found;
    }

    context = (ngx_http_tournament_context_t *) view->entry->facts;

    return context->facts.status == TOURNAMENT_STATUS_DRAFT
           ? &ngx_http_tournament_error_not_found : NULL;
}


/* to staff always; to participants once it has started, or has no start */

static ngx_http_tournament_error_t *
ngx_http_tournament_check_participants(ngx_http_tournament_view_t *view)
{
    ngx_http_tournament_context_t       *context;
    ngx_http_tournament_participants_t  *facts;

    if (view->entry->missing) {
        return &ngx_http_tournament_error_not_found;
    }

    if (view->staff) {
        return NULL;
    }

    if (view->context == NULL || view->context->missing) {
        return &ngx_http_tournament_error_forbidden;
    }

    facts = (ngx_http_tournament_participants_t *) view->entry->facts;
    context = (ngx_http_tournament_context_t *) view->context->facts;

    if (!context->participant
        || (facts->start_at != TOURNAMENT_INSTANT_NONE
            && (int64_t) view->now * 1000000 < facts->start_at))
    {
        return &ngx_http_tournament_error_forbidden;
    }

    return NULL;
}
