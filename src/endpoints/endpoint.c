
#include "endpoints/decode.h"
#include "endpoints/endpoint.h"
#include "endpoints/purge.h"
#include "endpoints/states.h"
#include "endpoints/status.h"


static tournament_error_t *tournament_check_found(tournament_view_t *view);
static tournament_error_t *tournament_check_context(tournament_view_t *view);
static tournament_error_t *tournament_check_participants(
    tournament_view_t *view);


#define TOURNAMENT_NO_STATEMENT  { NULL, NULL, 0 }


tournament_endpoint_t
    tournament_endpoints[TOURNAMENT_ENDPOINTS] =
{
    { ngx_string("state"), 1,
      TOURNAMENT_MUST_ARGUMENT, TOURNAMENT_VIEWED,
      30000, 0,
      { "tournament_state",
        "SELECT * FROM tournament_api.state($1)", 1 },
      { "tournament_states",
        "SELECT * FROM tournament_api.states($1)", 1 },
      tournament_state_columns, TOURNAMENT_STATE_COLUMNS,
      TOURNAMENT_STATE_SLUG,
      tournament_arguments_slug,
      tournament_decode_state,
      tournament_check_found,
      tournament_render_state,
      NULL },

    /* its entries are those of state */

    { ngx_string("states"), 2,
      TOURNAMENT_NO_ARGUMENT, TOURNAMENT_PUBLIC,
      30000, 0,
      TOURNAMENT_NO_STATEMENT, TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      tournament_states_handler },

    { ngx_string("hub"), 3,
      TOURNAMENT_MAY_ARGUMENT, TOURNAMENT_PUBLIC,
      30000, 1000,
      { "tournament_hub",
        "SELECT * FROM tournament_api.hub($1, $2, $3, $4, $5, $6, $7, $8)",
        8 },
      TOURNAMENT_NO_STATEMENT,
      tournament_hub_columns, TOURNAMENT_HUB_COLUMNS, 0,
      tournament_arguments_hub,
      tournament_decode_hub,
      tournament_check_found,
      tournament_render_hub,
      NULL },

    { ngx_string("detail"), 4,
      TOURNAMENT_MUST_ARGUMENT, TOURNAMENT_PUBLIC,
      30000, 0,
      { "tournament_detail",
        "SELECT * FROM tournament_api.detail($1)", 1 },
      TOURNAMENT_NO_STATEMENT,
      tournament_detail_columns, TOURNAMENT_DETAIL_COLUMNS,
      0,
      tournament_arguments_slug,
      tournament_decode_detail,
      tournament_check_found,
      tournament_render_detail,
      NULL },

    { ngx_string("participants"), 5,
      TOURNAMENT_MUST_ARGUMENT, TOURNAMENT_GUARDED,
      60000, 0,
      { "tournament_participants",
        "SELECT * FROM tournament_api.participants($1)", 1 },
      TOURNAMENT_NO_STATEMENT,
      tournament_participants_columns,
      TOURNAMENT_PARTICIPANTS_COLUMNS, 0,
      tournament_arguments_slug,
      tournament_decode_participants,
      tournament_check_participants,
      tournament_render_participants,
      NULL },

    { ngx_string("count"), 6,
      TOURNAMENT_MUST_ARGUMENT, TOURNAMENT_PUBLIC,
      60000, 0,
      { "tournament_count",
        "SELECT * FROM tournament_api.count($1)", 1 },
      TOURNAMENT_NO_STATEMENT,
      tournament_count_columns, TOURNAMENT_COUNT_COLUMNS, 0,
      tournament_arguments_slug,
      tournament_decode_count,
      tournament_check_found,
      tournament_render_count,
      NULL },

    { ngx_string("registration_context"), 7,
      TOURNAMENT_MUST_ARGUMENT, TOURNAMENT_PERSONAL,
      60000, 0,
      { "tournament_registration_context",
        "SELECT * FROM tournament_api.registration_context($1, $2)", 2 },
      TOURNAMENT_NO_STATEMENT,
      tournament_context_columns,
      TOURNAMENT_CONTEXT_COLUMNS, 0,
      tournament_arguments_user_slug,
      tournament_decode_context,
      tournament_check_context,
      tournament_render_context,
      NULL },

    { ngx_string("user_registrations"), 8,
      TOURNAMENT_NO_ARGUMENT, TOURNAMENT_PERSONAL,
      60000, 0,
      { "tournament_user_registrations",
        "SELECT * FROM tournament_api.user_registrations($1)", 1 },
      TOURNAMENT_NO_STATEMENT,
      tournament_registrations_columns,
      TOURNAMENT_REGISTRATIONS_COLUMNS, 0,
      tournament_arguments_user,
      tournament_decode_registrations,
      tournament_check_found,
      tournament_render_registrations,
      NULL },

    { ngx_string("platform_stats"), 9,
      TOURNAMENT_NO_ARGUMENT, TOURNAMENT_PUBLIC,
      300000, 1000,
      { "tournament_platform_stats",
        "SELECT * FROM tournament_api.platform_stats()", 0 },
      TOURNAMENT_NO_STATEMENT,
      tournament_stats_columns, TOURNAMENT_STATS_COLUMNS, 0,
      tournament_arguments_none,
      tournament_decode_stats,
      tournament_check_found,
      tournament_render_stats,
      NULL },

    /* it has no entries, it ends those of others */

    { ngx_string("purge"), 10,
      TOURNAMENT_MUST_ARGUMENT, TOURNAMENT_PUBLIC,
      0, 0,
      TOURNAMENT_NO_STATEMENT, TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      tournament_purge_handler },

    /* these are of the node itself */

    { ngx_string("status"), 11,
      TOURNAMENT_NO_ARGUMENT, TOURNAMENT_PUBLIC,
      0, 0,
      TOURNAMENT_NO_STATEMENT, TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      tournament_status_handler },

    { ngx_string("metrics"), 12,
      TOURNAMENT_NO_ARGUMENT, TOURNAMENT_PUBLIC,
      0, 0,
      TOURNAMENT_NO_STATEMENT, TOURNAMENT_NO_STATEMENT,
      NULL, 0, 0, NULL, NULL, NULL, NULL,
      tournament_metrics_handler }
};


static tournament_pg_statement_t  tournament_warm =
    { "tournament_warm", "SELECT * FROM tournament_api.warm()", 0 };


ngx_int_t
tournament_endpoint_find(ngx_str_t *name)
{
    ngx_str_t  *s;
    ngx_int_t   i;

    for (i = 0; i < TOURNAMENT_ENDPOINTS; i++) {
        s = &tournament_endpoints[i].name;

        if (s->len == name->len
            && ngx_strncmp(s->data, name->data, s->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
tournament_endpoint_number(ngx_uint_t number)
{
    ngx_int_t  i;

    for (i = 0; i < TOURNAMENT_ENDPOINTS; i++) {
        if (tournament_endpoints[i].number == number) {
            return i;
        }
    }

    return NGX_ERROR;
}


tournament_pg_statement_t **
tournament_endpoint_statements(ngx_pool_t *pool)
{
    ngx_uint_t                   i;
    tournament_endpoint_t       *endpoint;
    tournament_pg_statement_t  **st;

    st = ngx_pcalloc(pool, TOURNAMENT_STATEMENTS
                           * sizeof(tournament_pg_statement_t *));
    if (st == NULL) {
        return NULL;
    }

    for (i = 0; i < TOURNAMENT_ENDPOINTS; i++) {
        endpoint = &tournament_endpoints[i];

        if (endpoint->statement.sql) {
            st[i] = &endpoint->statement;
        }

        if (endpoint->bulk.sql) {
            st[TOURNAMENT_ENDPOINTS + i] = &endpoint->bulk;
        }
    }

    st[TOURNAMENT_STATEMENT_WARM] = &tournament_warm;

    return st;
}


static tournament_error_t *
tournament_check_found(tournament_view_t *view)
{
    return view->entry->missing ? &tournament_error_not_found : NULL;
}


/* the entry is there for drafts too: a user's view of their state needs it */

static tournament_error_t *
tournament_check_context(tournament_view_t *view)
{
    tournament_context_facts_t  *context;

    if (view->entry->missing) {
        return &tournament_error_not_found;
    }

    context = (tournament_context_facts_t *) view->entry->facts;

    return context->facts.status == TOURNAMENT_STATUS_DRAFT
           ? &tournament_error_not_found : NULL;
}


/* to staff always; to participants once it has started, or has no start */

static tournament_error_t *
tournament_check_participants(tournament_view_t *view)
{
    tournament_context_facts_t  *context;
    tournament_participants_t   *facts;

    if (view->entry->missing) {
        return &tournament_error_not_found;
    }

    if (view->staff) {
        return NULL;
    }

    if (view->context == NULL || view->context->missing) {
        return &tournament_error_forbidden;
    }

    facts = (tournament_participants_t *) view->entry->facts;
    context = (tournament_context_facts_t *) view->context->facts;

    if (!context->participant
        || (facts->start_at != TOURNAMENT_INSTANT_NONE
            && (int64_t) view->now * 1000000 < facts->start_at))
    {
        return &tournament_error_forbidden;
    }

    return NULL;
}
