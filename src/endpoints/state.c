
/*
 * Endpoint "state": whether one can register, how many slots are left, and
 * what the register button shows.  Facts are a tournament_facts_t; a user's
 * part is that of registration_context.
 */

#include "endpoints/common.h"
#include "endpoints/registration_context.h"
#include "endpoints/state.h"


static void tournament_state_decode(tournament_result_t *result, int row,
    int n);
static void tournament_state_render(tournament_json_t *json,
    tournament_view_t *view);
static void tournament_state_user(tournament_view_t *view,
    tournament_user_facts_t *user);


static const Oid  tournament_state_columns[] = { TOURNAMENT_STATE_OIDS };


tournament_endpoint_t  tournament_endpoint_state = {
    .name = ngx_string("state"),
    .number = 1,
    .argument = TOURNAMENT_MUST_ARGUMENT,
    .valid = tournament_arguments_is_slug,
    .allowed = TOURNAMENT_SLUG_ALLOWED,
    .audience = TOURNAMENT_VIEWED,
    .viewer = &tournament_endpoint_registration_context,
    .ttl = 30000,
    .stream = 1,
    .slug = 1,
    .statement = { "tournament_state",
                   "SELECT * FROM tournament_api.state($1)", 1 },
    .bulk = { "tournament_states",
              "SELECT * FROM tournament_api.states($1)", 1 },
    .warm = { "tournament_warm",
              "SELECT * FROM tournament_api.warm()", 0 },
    .column = TOURNAMENT_STATE_SLUG,
    .columns = tournament_state_columns,
    .ncolumns = TOURNAMENT_STATE_COLUMNS,
    .arguments = tournament_arguments_slug,
    .decode = tournament_state_decode,
    .check = tournament_check_found,
    .render = tournament_state_render
};


static void
tournament_state_decode(tournament_result_t *result, int row, int n)
{
    tournament_facts_t  *facts;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    facts = tournament_result_at(result,
                                 tournament_result_reserve(result,
                                               sizeof(tournament_facts_t)));

    tournament_decode_facts(result, row, facts);
}


static void
tournament_state_render(tournament_json_t *json, tournament_view_t *view)
{
    tournament_facts_t       *facts;
    tournament_state_t        state;
    tournament_context_t      context;
    tournament_user_facts_t   user;

    facts = (tournament_facts_t *) view->entry->facts;

    tournament_state_derive(facts, view->now, &state);

    tournament_state_user(view, &user);
    tournament_context_derive(&state, &user, &context);

    tournament_json_now(json, "timestamp", view->now);

    tournament_json_mark(json);
    tournament_json_open_key(json, "state");
    tournament_render_state(json, facts, &state, &user);
    tournament_json_close(json);
    tournament_json_mark(json);

    tournament_json_bool(json, "user_registered", user.registered);

    /* the same once more, flat: what the platform's page script reads */

    tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));
    tournament_json_word(json, "phase", tournament_phase_name(state.phase));
    tournament_json_duration(json, "time_until_start", state.until_start);
    tournament_json_integer(json, "registered_count", state.taken);
    tournament_render_limit(json, "max_teams", &state, state.total);
    tournament_render_limit(json, "available_slots", &state, state.available);
    tournament_json_bool(json, "is_full", state.is_full);

    tournament_render_button(json, facts, context.button);
}


/* who asks: what the context entry knows of a user, or an anonymous */

static void
tournament_state_user(tournament_view_t *view, tournament_user_facts_t *user)
{
    tournament_context_facts_t  *context;

    ngx_memzero(user, sizeof(tournament_user_facts_t));

    if (view->user == 0 || view->context == NULL) {
        return;
    }

    context = (tournament_context_facts_t *) view->context->facts;

    if (!view->context->missing) {
        *user = context->user;
    }

    user->authenticated = 1;
}
