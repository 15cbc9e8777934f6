
/*
 * What several endpoints share: a tournament's facts and the object of its
 * state, cards, and strings that entries refer to.
 */

#ifndef _TOURNAMENT_COMMON_H_INCLUDED_
#define _TOURNAMENT_COMMON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "rules/state.h"
#include "serve/endpoint.h"


/* elements of an array */

#define TOURNAMENT_N(array)  (sizeof(array) / sizeof((array)[0]))


/*
 * Columns of a state: id, status, slot_size, reg_open_at, reg_close_at,
 * start_at, min_team_size, max_team_size, confirmed, slug.
 */

#define TOURNAMENT_STATE_OIDS                                                 \
    TOURNAMENT_INT8, TOURNAMENT_TEXT, TOURNAMENT_INT8,                        \
    TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TIMESTAMPTZ,   \
    TOURNAMENT_INT4, TOURNAMENT_INT4, TOURNAMENT_INT8, TOURNAMENT_TEXT

#define TOURNAMENT_STATE_SLUG     9
#define TOURNAMENT_STATE_COLUMNS  10


/*
 * Columns of a card: id, slug, name, game, status, short_description, banner,
 * entry_fee, prize_pool, reg_open_at, reg_close_at, start_at, end_at,
 * slot_size, min_team_size, max_team_size, confirmed, registered.
 */

#define TOURNAMENT_CARD_OIDS                                                  \
    TOURNAMENT_INT8, TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_TEXT,       \
    TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_TEXT,       \
    TOURNAMENT_TEXT, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TIMESTAMPTZ,          \
    TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_INT8,          \
    TOURNAMENT_INT4, TOURNAMENT_INT4, TOURNAMENT_INT8, TOURNAMENT_INT8

#define TOURNAMENT_CARD_COLUMNS   18


/*
 * A tournament in a list, and in its own page.  What time does not change is
 * written as it is shown: the members before its phase, and those behind its
 * registration state.
 */

typedef struct {
    tournament_facts_t    facts;
    tournament_string_t   slug;
    tournament_string_t   before;
    tournament_string_t   behind;
} tournament_card_t;


/* There is no such thing until the catalogue's rows change. */

void tournament_decode_missing(tournament_result_t *result);


/*
 * Facts of the columns of a state, which are the first, and of a card's, from
 * that column on.  A card grows the entry's facts: what is at an offset moves.
 */

void tournament_decode_facts(tournament_result_t *result, int row,
    tournament_facts_t *facts);
void tournament_decode_card(tournament_result_t *result, int row, int column,
    tournament_card_t *card);


/* Whether a text is that word, which is a constant. */

ngx_uint_t tournament_decode_is(tournament_result_t *result, int row,
    int column, const char *word);


/* The usual check: 404 for what is missing. */

tournament_error_t *tournament_check_found(tournament_view_t *view);


/* Arguments of none at all. */

tournament_error_t *tournament_no_arguments(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);


/* The members of a state object, of a card, and an array of n cards. */

void tournament_render_state(tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user);
void tournament_render_card(tournament_json_t *json, u_char *base,
    tournament_card_t *card, time_t now);
void tournament_render_cards(tournament_json_t *json, const char *key,
    u_char *base, uint32_t offset, uint32_t n, time_t now);


/* button_state and button_text */

void tournament_render_button(tournament_json_t *json,
    tournament_facts_t *facts, tournament_button_e button);


/* A number that is null without a limit of slots. */

void tournament_render_limit(tournament_json_t *json, const char *key,
    tournament_state_t *state, int64_t value);


/* Members of an entry whose facts are at base, written as it was decoded. */

void tournament_render_members(tournament_json_t *json, u_char *base,
    tournament_string_t *string);


/*
 * An answer that time does not change: its facts are the members that decoding
 * has written to result->json.
 */

void tournament_decode_written(tournament_result_t *result);
void tournament_render_written(tournament_json_t *json,
    tournament_view_t *view);


/* A string of an entry whose facts are at base; null where it has none. */

void tournament_render_string(tournament_json_t *json, const char *key,
    u_char *base, tournament_string_t *string);


#endif /* _TOURNAMENT_COMMON_H_INCLUDED_ */
