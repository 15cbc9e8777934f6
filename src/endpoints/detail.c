
/*
 * Endpoint "detail": the page of a tournament, its state, and related ones.
 */

#include "endpoints/common.h"


typedef struct {
    tournament_card_t        card;
    tournament_string_t      members;     /* from its description on */
    uint32_t                 related;     /* cards' offset */
    uint32_t                 n;
} tournament_detail_t;


static void tournament_detail_decode(tournament_result_t *result, int row,
    int n);
static tournament_string_t tournament_detail_members(
    tournament_result_t *result, int row, tournament_facts_t *facts);
static void tournament_detail_size(tournament_json_t *json, const char *key,
    int32_t size);
static void tournament_detail_render(tournament_json_t *json,
    tournament_view_t *view);


/*
 * card, description, tournament_type, check_in_required, check_in_open_at,
 * check_in_close_at, youtube, facebook, discord, prize_distribution,
 * rules_pdf, created_at, updated_at, related
 */

static const Oid  tournament_detail_columns[] = {
    TOURNAMENT_CARD_OIDS,
    TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_BOOL,
    TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TEXT,
    TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_TEXT,
    TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_BOOL
};


tournament_endpoint_t  tournament_endpoint_detail = {
    .name = ngx_string("detail"),
    .number = 4,
    .argument = TOURNAMENT_MUST_ARGUMENT,
    .valid = tournament_arguments_is_slug,
    .allowed = TOURNAMENT_SLUG_ALLOWED,
    .ttl = 30000,
    .stream = 1,
    .slug = 1,
    .statement = { "tournament_detail",
                   "SELECT * FROM tournament_api.detail($1)", 1 },
    .columns = tournament_detail_columns,
    .ncolumns = TOURNAMENT_N(tournament_detail_columns),
    .arguments = tournament_arguments_slug,
    .decode = tournament_detail_decode,
    .check = tournament_check_found,
    .render = tournament_detail_render
};


static void
tournament_detail_decode(tournament_result_t *result, int row, int n)
{
    int                  i;
    uint32_t             related;
    tournament_card_t    card, *dst;
    tournament_detail_t  detail;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    /* whatever happens to the catalogue may change what is related */

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);

    (void) tournament_result_reserve(result, sizeof(tournament_detail_t));

    ngx_memzero(&detail, sizeof(tournament_detail_t));

    tournament_decode_card(result, row, 0, &detail.card);

    detail.members = tournament_detail_members(result, row,
                                               &detail.card.facts);

    related = tournament_result_reserve(result, n * sizeof(tournament_card_t));

    for (i = 1; i < n && !result->failed; i++) {
        tournament_decode_card(result, row + i, 0, &card);

        dst = tournament_result_at(result, related);
        dst[i - 1] = card;
    }

    detail.related = related;
    detail.n = n - 1;

    ngx_memcpy(tournament_result_at(result, 0), &detail,
               sizeof(tournament_detail_t));
}


/* what a card does not have, and time does not change */

static tournament_string_t
tournament_detail_members(tournament_result_t *result, int row,
    tournament_facts_t *facts)
{
    int                 column;
    tournament_json_t  *json;

    json = result->json;
    column = TOURNAMENT_CARD_COLUMNS;

    tournament_json_begin(json);
    tournament_result_column(result, "description", row, column);

    tournament_json_open_key(json, "format");
    tournament_result_column(result, "type", row, column + 1);
    tournament_detail_size(json, "min_team_size", facts->min_team_size);
    tournament_detail_size(json, "max_team_size", facts->max_team_size);
    tournament_json_bool(json, "check_in_required",
                         tournament_result_bool(result, row, column + 2));
    tournament_json_close(json);

    tournament_json_open_key(json, "schedule");
    tournament_json_instant(json, "check_in_open_at",
                        tournament_result_instant(result, row, column + 3));
    tournament_json_instant(json, "check_in_close_at",
                        tournament_result_instant(result, row, column + 4));
    tournament_json_close(json);

    tournament_json_open_key(json, "links");
    tournament_result_column(result, "youtube", row, column + 5);
    tournament_result_column(result, "facebook", row, column + 6);
    tournament_result_column(result, "discord", row, column + 7);
    tournament_json_close(json);

    tournament_result_column(result, "prize_distribution", row, column + 8);
    tournament_result_column(result, "rules_pdf", row, column + 9);
    tournament_json_instant(json, "created_at",
                        tournament_result_instant(result, row, column + 10));
    tournament_json_instant(json, "updated_at",
                        tournament_result_instant(result, row, column + 11));

    return tournament_result_members(result);
}


/* a team's size, null without one */

static void
tournament_detail_size(tournament_json_t *json, const char *key, int32_t size)
{
    if (size) {
        tournament_json_integer(json, key, size);

    } else {
        tournament_json_null(json, key);
    }
}


static void
tournament_detail_render(tournament_json_t *json, tournament_view_t *view)
{
    u_char                  *base;
    tournament_facts_t      *facts;
    tournament_state_t       state;
    tournament_user_facts_t  user;
    tournament_detail_t     *detail;

    base = view->entry->facts;
    detail = (tournament_detail_t *) base;
    facts = &detail->card.facts;

    ngx_memzero(&user, sizeof(tournament_user_facts_t));
    tournament_state_derive(facts, view->now, &state);

    tournament_json_now(json, "timestamp", view->now);

    tournament_json_open_key(json, "tournament");
    tournament_render_card(json, base, &detail->card, view->now);
    tournament_render_members(json, base, &detail->members);

    tournament_json_open_key(json, "state");
    tournament_render_state(json, facts, &state, &user);
    tournament_json_close(json);

    tournament_render_cards(json, "related", base, detail->related,
                            detail->n, view->now);
    tournament_json_close(json);
}
