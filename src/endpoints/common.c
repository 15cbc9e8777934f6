
/*
 * Decoding and rendering of what several endpoints show: the facts of a
 * tournament, the state that is derived from them, and cards.
 */

#include "endpoints/common.h"
#include "rules/text.h"


static void tournament_decode_status(tournament_result_t *result, int row,
    int column, tournament_facts_t *facts);
static void tournament_render_reason(tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user);
static void tournament_render_slots(tournament_json_t *json,
    tournament_state_t *state);
static void tournament_render_money(tournament_json_t *json, const char *key,
    u_char *base, tournament_string_t *string);


/* there is no such thing until the catalogue's rows change */

void
tournament_decode_missing(tournament_result_t *result)
{
    result->entry.missing = 1;

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
}


/* the columns of a state, from the first */

void
tournament_decode_facts(tournament_result_t *result, int row,
    tournament_facts_t *facts)
{
    facts->id = tournament_result_integer(result, row, 0, 0);
    tournament_decode_status(result, row, 1, facts);
    facts->slot_size = tournament_result_integer(result, row, 2, 0);
    facts->reg_open_at = tournament_result_instant(result, row, 3);
    facts->reg_close_at = tournament_result_instant(result, row, 4);
    facts->start_at = tournament_result_instant(result, row, 5);
    facts->min_team_size = (int32_t)
                  tournament_result_integer(result, row, 6, 0);
    facts->max_team_size = (int32_t)
                  tournament_result_integer(result, row, 7, 0);
    facts->confirmed = tournament_result_integer(result, row, 8, 0);

    tournament_result_tournament(result, facts->id, NULL);
}


/* the columns of a card, from that one */

void
tournament_decode_card(tournament_result_t *result, int row, int column,
    tournament_card_t *card)
{
    int                  c;
    tournament_facts_t  *facts;

    ngx_memzero(card, sizeof(tournament_card_t));

    c = column;
    facts = &card->facts;

    facts->id = tournament_result_integer(result, row, c++, 0);
    card->slug = tournament_result_string(result, row, c++);
    card->name = tournament_result_string(result, row, c++);
    card->game = tournament_result_string(result, row, c++);
    tournament_decode_status(result, row, c, facts);
    card->status = tournament_result_string(result, row, c++);
    card->short_description = tournament_result_string(result, row, c++);
    card->banner = tournament_result_string(result, row, c++);
    card->entry_fee = tournament_result_string(result, row, c++);
    card->prize_pool = tournament_result_string(result, row, c++);
    facts->reg_open_at = tournament_result_instant(result, row, c++);
    facts->reg_close_at = tournament_result_instant(result, row, c++);
    facts->start_at = tournament_result_instant(result, row, c++);
    card->end_at = tournament_result_instant(result, row, c++);
    facts->slot_size = tournament_result_integer(result, row, c++, 0);
    facts->min_team_size = (int32_t)
                  tournament_result_integer(result, row, c++, 0);
    facts->max_team_size = (int32_t)
                  tournament_result_integer(result, row, c++, 0);
    facts->confirmed = tournament_result_integer(result, row, c++, 0);
    card->registered = tournament_result_integer(result, row, c, 0);

    tournament_result_tournament(result, facts->id, &card->slug);
}


ngx_uint_t
tournament_decode_is(tournament_result_t *result, int row, int column,
    const char *word)
{
    ngx_str_t  text;

    tournament_result_text(result, row, column, &text);

    return text.len == ngx_strlen(word)
           && ngx_strncmp(text.data, word, text.len) == 0;
}


static void
tournament_decode_status(tournament_result_t *result, int row, int column,
    tournament_facts_t *facts)
{
    ngx_str_t  status;

    tournament_result_text(result, row, column, &status);

    facts->status = tournament_status_parse((char *) status.data, status.len);
}


tournament_error_t *
tournament_check_found(tournament_view_t *view)
{
    return view->entry->missing ? &tournament_error_not_found : NULL;
}


tournament_error_t *
tournament_no_arguments(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    return NULL;
}


/* the members of a state object */

void
tournament_render_state(tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user)
{
    ngx_uint_t  can_register;

    can_register = user->authenticated && !user->has_row
                   && state->registration == TOURNAMENT_REGISTRATION_OPEN;

    tournament_json_word(json, "phase", tournament_phase_name(state->phase));
    tournament_json_bool(json, "is_published", state->is_published);
    tournament_json_bool(json, "is_started", state->is_started);
    tournament_json_bool(json, "is_completed", state->is_completed);
    tournament_json_word(json, "registration_state",
                         tournament_registration_name(state->registration));
    tournament_json_bool(json, "can_register", can_register);
    tournament_render_reason(json, facts, state, user);
    tournament_json_bool(json, "is_team_based", state->is_team_based);

    tournament_json_open_key(json, "slots");
    tournament_render_slots(json, state);
    tournament_json_close(json);

    tournament_json_duration(json, "time_until_start", state->until_start);
    tournament_json_duration(json, "time_until_reg_closes",
                             state->until_reg_closes);
    tournament_json_seconds(json, "seconds_until_start", state->until_start);
    tournament_json_seconds(json, "seconds_until_reg_closes",
                            state->until_reg_closes);

    tournament_json_instant(json, "opens_at", facts->reg_open_at);
    tournament_json_instant(json, "closes_at", facts->reg_close_at);
    tournament_json_instant(json, "starts_at", facts->start_at);
}


static void
tournament_render_reason(tournament_json_t *json, tournament_facts_t *facts,
    tournament_state_t *state, tournament_user_facts_t *user)
{
    char    text[TOURNAMENT_REASON_MAX];
    size_t  len;

    if (!user->authenticated) {
        tournament_json_word(json, "reason", TOURNAMENT_REASON_ANONYMOUS);
        return;
    }

    if (user->has_row) {
        tournament_json_word(json, "reason", TOURNAMENT_REASON_REGISTERED);
        return;
    }

    len = tournament_state_reason(facts, state, text);

    tournament_json_string(json, "reason", text, len);
}


void
tournament_render_button(tournament_json_t *json, tournament_facts_t *facts,
    tournament_button_e button)
{
    char    text[TOURNAMENT_BUTTON_TEXT_MAX];
    size_t  len;

    len = tournament_button_text(button, facts, text);

    tournament_json_word(json, "button_state", tournament_button_name(button));
    tournament_json_string(json, "button_text", text, len);
}


static void
tournament_render_slots(tournament_json_t *json, tournament_state_t *state)
{
    tournament_render_limit(json, "total", state, state->total);
    tournament_json_integer(json, "taken", state->taken);
    tournament_render_limit(json, "available", state, state->available);
    tournament_json_bool(json, "is_full", state->is_full);
    tournament_json_bool(json, "has_limit", state->has_limit);
}


/* a number that is null without a limit */

void
tournament_render_limit(tournament_json_t *json, const char *key,
    tournament_state_t *state, int64_t value)
{
    if (state->has_limit) {
        tournament_json_integer(json, key, value);

    } else {
        tournament_json_null(json, key);
    }
}


/* the members of a card */

void
tournament_render_card(tournament_json_t *json, u_char *base,
    tournament_card_t *card, time_t now)
{
    tournament_facts_t  *facts;
    tournament_state_t   state;

    facts = &card->facts;

    tournament_state_derive(facts, now, &state);

    tournament_json_integer(json, "id", facts->id);
    tournament_render_string(json, "slug", base, &card->slug);
    tournament_render_string(json, "name", base, &card->name);
    tournament_render_string(json, "game", base, &card->game);
    tournament_render_string(json, "status", base, &card->status);
    tournament_render_string(json, "short_description", base,
                             &card->short_description);
    tournament_render_string(json, "banner", base, &card->banner);
    tournament_render_money(json, "entry_fee", base, &card->entry_fee);
    tournament_render_money(json, "prize_pool", base, &card->prize_pool);
    tournament_json_instant(json, "reg_open_at", facts->reg_open_at);
    tournament_json_instant(json, "reg_close_at", facts->reg_close_at);
    tournament_json_instant(json, "start_at", facts->start_at);
    tournament_json_instant(json, "end_at", card->end_at);
    tournament_json_integer(json, "registration_count", card->registered);
    tournament_json_word(json, "phase", tournament_phase_name(state.phase));
    tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));

    tournament_json_open_key(json, "slots");
    tournament_render_slots(json, &state);
    tournament_json_close(json);
}


void
tournament_render_cards(tournament_json_t *json, const char *key, u_char *base,
    uint32_t offset, uint32_t n, time_t now)
{
    uint32_t            i;
    tournament_card_t  *card;

    tournament_json_open_array(json, key);

    card = (tournament_card_t *) (base + offset);

    for (i = 0; i < n; i++) {
        tournament_json_open(json);
        tournament_render_card(json, base, &card[i], now);
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
}


void
tournament_render_string(tournament_json_t *json, const char *key,
    u_char *base, tournament_string_t *string)
{
    if (string->offset == 0) {
        tournament_json_null(json, key);
        return;
    }

    tournament_json_string(json, key,
                           (char *) base + string->offset,
                           string->len);
}


static void
tournament_render_money(tournament_json_t *json, const char *key, u_char *base,
    tournament_string_t *string)
{
    tournament_json_money(json, key, (char *) base + string->offset,
                          string->offset ? string->len : 0);
}
