
/*
 * Endpoint "detail": the page of a tournament, its state, and related ones.
 */

#include "endpoints/common.h"


typedef struct {
    tournament_card_t        card;
    tournament_string_t      description;
    tournament_string_t      type;
    tournament_string_t      youtube;
    tournament_string_t      facebook;
    tournament_string_t      discord;
    tournament_string_t      prize_distribution;
    tournament_string_t      rules_pdf;
    int64_t                  check_in_open_at;
    int64_t                  check_in_close_at;
    int64_t                  created_at;
    int64_t                  updated_at;
    int64_t                  check_in_required;
    uint32_t                 related;     /* cards' offset */
    uint32_t                 n;
} tournament_detail_t;


static void tournament_detail_decode(tournament_result_t *result, int row,
    int n);
static void tournament_detail_render(tournament_json_t *json,
    tournament_view_t *view);
static void tournament_detail_size(tournament_json_t *json, const char *key,
    int32_t size);


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
    int                   i, column;
    uint32_t              related;
    tournament_card_t     card, *dst;
    tournament_detail_t   detail;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    /* whatever happens to the catalogue may change what is related */

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);

    (void) tournament_result_reserve(result, sizeof(tournament_detail_t));

    ngx_memzero(&detail, sizeof(tournament_detail_t));

    tournament_decode_card(result, row, 0, &detail.card);

    column = TOURNAMENT_CARD_COLUMNS;

    detail.description = tournament_result_string(result, row, column);
    detail.type = tournament_result_string(result, row, column + 1);
    detail.check_in_required = tournament_result_bool(result, row, column + 2);
    detail.check_in_open_at = tournament_result_instant(result, row,
                                                        column + 3);
    detail.check_in_close_at = tournament_result_instant(result, row,
                                                         column + 4);
    detail.youtube = tournament_result_string(result, row, column + 5);
    detail.facebook = tournament_result_string(result, row, column + 6);
    detail.discord = tournament_result_string(result, row, column + 7);
    detail.prize_distribution = tournament_result_string(result, row,
                                                         column + 8);
    detail.rules_pdf = tournament_result_string(result, row, column + 9);
    detail.created_at = tournament_result_instant(result, row, column + 10);
    detail.updated_at = tournament_result_instant(result, row, column + 11);

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
    tournament_render_string(json, "description", base, &detail->description);

    tournament_json_open_key(json, "format");
    tournament_render_string(json, "type", base, &detail->type);
    tournament_detail_size(json, "min_team_size", facts->min_team_size);
    tournament_detail_size(json, "max_team_size", facts->max_team_size);
    tournament_json_bool(json, "check_in_required",
                         detail->check_in_required != 0);
    tournament_json_close(json);

    tournament_json_open_key(json, "schedule");
    tournament_json_instant(json, "check_in_open_at",
                            detail->check_in_open_at);
    tournament_json_instant(json, "check_in_close_at",
                            detail->check_in_close_at);
    tournament_json_close(json);

    tournament_json_open_key(json, "links");
    tournament_render_string(json, "youtube", base, &detail->youtube);
    tournament_render_string(json, "facebook", base, &detail->facebook);
    tournament_render_string(json, "discord", base, &detail->discord);
    tournament_json_close(json);

    tournament_render_string(json, "prize_distribution", base,
                             &detail->prize_distribution);
    tournament_render_string(json, "rules_pdf", base, &detail->rules_pdf);
    tournament_json_instant(json, "created_at", detail->created_at);
    tournament_json_instant(json, "updated_at", detail->updated_at);

    tournament_json_open_key(json, "state");
    tournament_render_state(json, facts, &state, &user);
    tournament_json_close(json);

    tournament_render_cards(json, "related", base, detail->related,
                            detail->n, view->now);
    tournament_json_close(json);
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
