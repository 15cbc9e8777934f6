
/*
 * Endpoint "registration_context": what the register button shows to a user,
 * and why.  Its entries also tell other endpoints who the user is.
 */

#include "endpoints/common.h"
#include "endpoints/registration_context.h"
#include "rules/text.h"


static void tournament_context_decode(tournament_result_t *result, int row,
    int n);
static tournament_error_t *tournament_context_check(tournament_view_t *view);
static void tournament_context_render(tournament_json_t *json,
    tournament_view_t *view);


/*
 * state, requires_payment, profile_id, own_status, team_id, team_name,
 * is_captain, team_status, request_pending, captain_name, captain_id,
 * participant, teams
 */

static const Oid  tournament_context_columns[] = {
    TOURNAMENT_STATE_OIDS,
    TOURNAMENT_BOOL, TOURNAMENT_INT8, TOURNAMENT_TEXT, TOURNAMENT_INT8,
    TOURNAMENT_TEXT, TOURNAMENT_BOOL, TOURNAMENT_TEXT, TOURNAMENT_BOOL,
    TOURNAMENT_TEXT, TOURNAMENT_INT8, TOURNAMENT_BOOL,
    TOURNAMENT_INT8_ARRAY
};


tournament_endpoint_t  tournament_endpoint_registration_context = {
    .name = ngx_string("registration_context"),
    .number = 7,
    .argument = TOURNAMENT_MUST_ARGUMENT,
    .valid = tournament_arguments_is_slug,
    .allowed = TOURNAMENT_SLUG_ALLOWED,
    .audience = TOURNAMENT_PERSONAL,
    .ttl = 60000,
    .stream = 1,
    .slug = 2,
    .statement = { "tournament_registration_context",
                   "SELECT * FROM tournament_api.registration_context($1, $2)",
                   2 },
    .columns = tournament_context_columns,
    .ncolumns = TOURNAMENT_N(tournament_context_columns),
    .arguments = tournament_arguments_user_slug,
    .decode = tournament_context_decode,
    .check = tournament_context_check,
    .render = tournament_context_render
};


static void
tournament_context_decode(tournament_result_t *result, int row, int n)
{
    int                          column;
    tournament_user_facts_t     *user;
    tournament_context_facts_t   context;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result,
                                     sizeof(tournament_context_facts_t));

    ngx_memzero(&context, sizeof(tournament_context_facts_t));

    tournament_decode_facts(result, row, &context.facts);

    column = TOURNAMENT_STATE_COLUMNS;
    user = &context.user;

    context.requires_payment = tournament_result_bool(result, row, column);

    user->has_row = !tournament_result_is_null(result, row, column + 2);
    user->registered = tournament_decode_is(result, row, column + 2, "PENDING")
                       || tournament_decode_is(result, row,
                                               column + 2,
                                               "CONFIRMED");
    user->has_team = !tournament_result_is_null(result, row, column + 3);
    user->is_captain = tournament_result_bool(result, row, column + 5);
    user->team_registered = !tournament_result_is_null(result, row,
                                                       column + 6);
    user->request_pending = tournament_result_bool(result, row, column + 7);

    context.team_name = tournament_result_string(result, row, column + 4);
    context.captain_name = tournament_result_string(result, row, column + 8);
    context.participant = tournament_result_bool(result, row, column + 10);

    ngx_memcpy(tournament_result_at(result, 0), &context,
               sizeof(tournament_context_facts_t));

    /* without a profile it shows profile 0: that one is being made */

    tournament_result_shows(result, TOURNAMENT_PROFILE,
              tournament_result_integer(result, row, column + 1, 0));

    tournament_result_shows_one(result, TOURNAMENT_PROFILE, row, column + 9);
    tournament_result_shows_all(result, TOURNAMENT_TEAM, row, column + 11);
}


static void
tournament_context_render(tournament_json_t *json, tournament_view_t *view)
{
    char                         text[TOURNAMENT_BUTTON_REASON_MAX + 320];
    char                        *captain;
    u_char                      *base;
    size_t                       len, captain_len;
    tournament_facts_t          *facts;
    tournament_state_t           state;
    tournament_context_t         context;
    tournament_user_facts_t      user;
    tournament_context_facts_t  *stored;

    base = view->entry->facts;
    stored = (tournament_context_facts_t *) base;
    facts = &stored->facts;

    user = stored->user;
    user.authenticated = (view->user != 0);

    tournament_state_derive(facts, view->now, &state);
    tournament_json_until(json, state.boundary);
    tournament_context_derive(&state, &user, &context);

    captain = (char *) base + stored->captain_name.offset;
    captain_len = ngx_min(stored->captain_name.len, 320);

    len = tournament_button_reason(context.button, captain, captain_len, text);

    tournament_json_open_key(json, "context");
    tournament_json_bool(json, "can_register", context.can_register);
    tournament_render_button(json, facts, context.button);
    tournament_json_string(json, "message", text, len);
    tournament_json_string(json, "reason", text, len);
    tournament_json_bool(json, "is_team_event", context.is_team_event);
    tournament_json_bool(json, "is_captain", context.is_captain);
    tournament_json_bool(json, "team_registered", context.team_registered);
    tournament_json_bool(json, "already_registered",
                         context.already_registered);
    tournament_json_bool(json, "slots_available", context.slots_available);
    tournament_json_bool(json, "requires_payment", stored->requires_payment);
    tournament_json_duration(json, "registration_closes_in",
                             state.until_reg_closes);
    tournament_json_bool(json, "has_team", context.has_team);

    if (context.has_team) {
        tournament_render_string(json, "team_name", base, &stored->team_name);

    } else {
        tournament_json_null(json, "team_name");
    }

    tournament_json_bool(json, "has_pending_request",
                         context.has_pending_request);
    tournament_json_close(json);
}


/* the entry is there for drafts too: a user's view of their state needs it */

static tournament_error_t *
tournament_context_check(tournament_view_t *view)
{
    tournament_context_facts_t  *context;

    if (view->entry->missing) {
        return &tournament_error_not_found;
    }

    context = (tournament_context_facts_t *) view->entry->facts;

    return context->facts.status == TOURNAMENT_STATUS_DRAFT
           ? &tournament_error_not_found : NULL;
}
