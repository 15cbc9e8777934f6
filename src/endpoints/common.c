
/*
 * Decoding and rendering of what several endpoints show: the facts of a
 * tournament, the state that is derived from them, and cards.
 */

#include "endpoints/common.h"
#include "rules/text.h"


static void tournament_decode_money(tournament_result_t *result,
    const char *key, int row, int column);
static void tournament_decode_status(tournament_result_t *result, int row,
    int column, tournament_facts_t *facts);
static void tournament_render_reason(tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user);
static void tournament_render_slots(tournament_json_t *json,
    tournament_state_t *state);


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


/* the columns of a card, from that one, in the order of their list */

void
tournament_decode_card(tournament_result_t *result, int row, int column,
    tournament_card_t *card)
{
    tournament_json_t   *json;
    tournament_state_t   state;
    tournament_facts_t  *facts;

    ngx_memzero(card, sizeof(tournament_card_t));

    json = result->json;
    facts = &card->facts;

    facts->id = tournament_result_integer(result, row, column, 0);
    tournament_decode_status(result, row, column + 4, facts);
    facts->reg_open_at = tournament_result_instant(result, row, column + 9);
    facts->reg_close_at = tournament_result_instant(result, row, column + 10);
    facts->start_at = tournament_result_instant(result, row, column + 11);
    facts->slot_size = tournament_result_integer(result, row, column + 13, 0);
    facts->min_team_size = (int32_t)
                  tournament_result_integer(result, row, column + 14, 0);
    facts->max_team_size = (int32_t)
                  tournament_result_integer(result, row, column + 15, 0);
    facts->confirmed = tournament_result_integer(result, row, column + 16, 0);

    tournament_json_begin(json);
    tournament_json_integer(json, "id", facts->id);
    tournament_result_column(result, "slug", row, column + 1);
    tournament_result_column(result, "name", row, column + 2);
    tournament_result_column(result, "game", row, column + 3);
    tournament_result_column(result, "status", row, column + 4);
    tournament_result_column(result, "short_description", row, column + 5);
    tournament_result_column(result, "banner", row, column + 6);
    tournament_decode_money(result, "entry_fee", row, column + 7);
    tournament_decode_money(result, "prize_pool", row, column + 8);
    tournament_json_instant(json, "reg_open_at", facts->reg_open_at);
    tournament_json_instant(json, "reg_close_at", facts->reg_close_at);
    tournament_json_instant(json, "start_at", facts->start_at);
    tournament_json_instant(json, "end_at",
                       tournament_result_instant(result, row, column + 12));
    tournament_json_integer(json, "registration_count",
                       tournament_result_integer(result, row, column + 17, 0));

    card->before = tournament_result_members(result);

    /* slots are the same at any time */

    tournament_state_derive(facts, 0, &state);

    tournament_json_begin(json);
    tournament_json_open_key(json, "slots");
    tournament_render_slots(json, &state);
    tournament_json_close(json);

    card->behind = tournament_result_members(result);

    card->slug = tournament_result_string(result, row, column + 1);

    tournament_result_tournament(result, facts->id, &card->slug);
}


static void
tournament_decode_money(tournament_result_t *result, const char *key, int row,
    int column)
{
    ngx_str_t  text;

    tournament_result_text(result, row, column, &text);

    tournament_json_money(result->json, key, (char *) text.data, text.len);
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

    tournament_json_until(json, state->boundary);

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
    tournament_state_t  state;

    tournament_state_derive(&card->facts, now, &state);
    tournament_json_until(json, state.boundary);

    tournament_render_members(json, base, &card->before);
    tournament_json_word(json, "phase", tournament_phase_name(state.phase));
    tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));
    tournament_render_members(json, base, &card->behind);
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
tournament_render_members(tournament_json_t *json, u_char *base,
    tournament_string_t *string)
{
    if (string->len) {
        tournament_json_members(json, base + string->offset, string->len);
    }
}


void
tournament_decode_written(tournament_result_t *result)
{
    tournament_string_t  members;

    (void) tournament_result_reserve(result, sizeof(tournament_string_t));

    members = tournament_result_members(result);

    ngx_memcpy(tournament_result_at(result, 0), &members,
               sizeof(tournament_string_t));
}


void
tournament_render_written(tournament_json_t *json, tournament_view_t *view)
{
    u_char  *base;

    base = view->entry->facts;

    tournament_render_members(json, base, (tournament_string_t *) base);
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
