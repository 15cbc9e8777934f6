
#include "ngx_http_tournament_render.h"
#include "tournament_state.h"


static void ngx_http_tournament_render_state_object(
    ngx_http_tournament_json_t *json, tournament_state_t *state);
static void ngx_http_tournament_render_slots(ngx_http_tournament_json_t *json,
    tournament_state_t *state);
static void ngx_http_tournament_render_limit(ngx_http_tournament_json_t *json,
    const char *key, tournament_state_t *state, int64_t value);


void
ngx_http_tournament_render_state(ngx_http_tournament_json_t *json,
    ngx_http_tournament_entry_t *entry, time_t now)
{
    char                 text[TOURNAMENT_BUTTON_TEXT_MAX];
    size_t               len;
    tournament_facts_t  *facts;
    tournament_state_t   state;

    facts = (tournament_facts_t *) entry->facts;

    tournament_state_derive(facts, now, &state);

    ngx_http_tournament_json_now(json, "timestamp", now);

    ngx_http_tournament_json_open_key(json, "state");
    ngx_http_tournament_render_state_object(json, &state);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_json_bool(json, "user_registered", 0);

    /* the same once more, flat: what the platform's page script reads */

    ngx_http_tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));
    ngx_http_tournament_json_word(json, "phase",
                                  tournament_phase_name(state.phase));
    ngx_http_tournament_json_duration(json, "time_until_start",
                                      state.until_start);
    ngx_http_tournament_json_integer(json, "registered_count", state.taken);
    ngx_http_tournament_render_limit(json, "max_teams", &state, state.total);
    ngx_http_tournament_render_limit(json, "available_slots", &state,
                                     state.available);
    ngx_http_tournament_json_bool(json, "is_full", state.is_full);

    ngx_http_tournament_json_word(json, "button_state",
            tournament_button_name(TOURNAMENT_BUTTON_NOT_AUTHENTICATED));

    len = tournament_button_text(TOURNAMENT_BUTTON_NOT_AUTHENTICATED, facts,
                                 text);
    ngx_http_tournament_json_string(json, "button_text", text, len);
}


static void
ngx_http_tournament_render_state_object(ngx_http_tournament_json_t *json,
    tournament_state_t *state)
{
    ngx_http_tournament_json_word(json, "phase",
                                  tournament_phase_name(state->phase));
    ngx_http_tournament_json_bool(json, "is_published", state->is_published);
    ngx_http_tournament_json_bool(json, "is_started", state->is_started);
    ngx_http_tournament_json_bool(json, "is_completed", state->is_completed);
    ngx_http_tournament_json_word(json, "registration_state",
                         tournament_registration_name(state->registration));
    ngx_http_tournament_json_bool(json, "can_register", 0);
    ngx_http_tournament_json_word(json, "reason",
                                  TOURNAMENT_REASON_ANONYMOUS);
    ngx_http_tournament_json_bool(json, "is_team_based",
                                  state->is_team_based);

    ngx_http_tournament_json_open_key(json, "slots");
    ngx_http_tournament_render_slots(json, state);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_json_duration(json, "time_until_start",
                                      state->until_start);
    ngx_http_tournament_json_duration(json, "time_until_reg_closes",
                                      state->until_reg_closes);
}


static void
ngx_http_tournament_render_slots(ngx_http_tournament_json_t *json,
    tournament_state_t *state)
{
    ngx_http_tournament_render_limit(json, "total", state, state->total);
    ngx_http_tournament_json_integer(json, "taken", state->taken);
    ngx_http_tournament_render_limit(json, "available", state,
                                     state->available);
    ngx_http_tournament_json_bool(json, "is_full", state->is_full);
    ngx_http_tournament_json_bool(json, "has_limit", state->has_limit);
}


/* a number that is null without a limit */

static void
ngx_http_tournament_render_limit(ngx_http_tournament_json_t *json,
    const char *key, tournament_state_t *state, int64_t value)
{
    if (state->has_limit) {
        ngx_http_tournament_json_integer(json, key, value);

    } else {
        ngx_http_tournament_json_null(json, key);
    }
}
