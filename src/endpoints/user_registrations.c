
/*
 * Endpoint "user_registrations": what a user, or a team of the user's, has
 * registered for.
 */

#include "endpoints/common.h"


typedef struct {
    tournament_card_t     card;
    tournament_string_t   members;        /* before the tournament */
} tournament_registration_t;


typedef struct {
    uint32_t                          registrations;  /* offset */
    uint32_t                          n;
} tournament_registrations_t;


static void tournament_registrations_decode(tournament_result_t *result,
    int row, int n);
static tournament_string_t tournament_registrations_members(
    tournament_result_t *result, int row);
static void tournament_registrations_render(tournament_json_t *json,
    tournament_view_t *view);


/*
 * profile_id, teams, registration_id, status, payment_status, created_at,
 * team_id, team_name, team_tag, card
 */

static const Oid  tournament_registrations_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_INT8_ARRAY, TOURNAMENT_INT8, TOURNAMENT_TEXT,
    TOURNAMENT_TEXT, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_INT8,
    TOURNAMENT_TEXT, TOURNAMENT_TEXT,
    TOURNAMENT_CARD_OIDS
};


tournament_endpoint_t  tournament_endpoint_user_registrations = {
    .name = ngx_string("user_registrations"),
    .number = 8,
    .audience = TOURNAMENT_PERSONAL,
    .ttl = 60000,
    .stream = 1,
    .statement = { "tournament_user_registrations",
                   "SELECT * FROM tournament_api.user_registrations($1)", 1 },
    .columns = tournament_registrations_columns,
    .ncolumns = TOURNAMENT_N(tournament_registrations_columns),
    .arguments = tournament_arguments_user,
    .decode = tournament_registrations_decode,
    .check = tournament_check_found,
    .render = tournament_registrations_render
};


static void
tournament_registrations_decode(tournament_result_t *result, int row, int n)
{
    int                          i, r;
    uint32_t                     registrations;
    tournament_registration_t    reg, *dst;
    tournament_registrations_t  *facts;

    (void) tournament_result_reserve(result,
                                     sizeof(tournament_registrations_t));

    if (n == 0) {
        return;
    }

    /* without a profile it shows profile 0: that one is being made */

    tournament_result_shows(result, TOURNAMENT_PROFILE,
                            tournament_result_integer(result, row, 0, 0));

    tournament_result_shows_all(result, TOURNAMENT_TEAM, row, 1);

    if (tournament_result_is_null(result, row, 2)) {
        return;
    }

    registrations = tournament_result_reserve(result,
                             n * sizeof(tournament_registration_t));

    for (i = 0; i < n && !result->failed; i++) {
        r = row + i;

        reg.members = tournament_registrations_members(result, r);

        tournament_result_shows_one(result, TOURNAMENT_TEAM, r, 6);
        tournament_decode_card(result, r, 9, &reg.card);

        dst = tournament_result_at(result, registrations);
        dst[i] = reg;
    }

    facts = tournament_result_at(result, 0);
    facts->registrations = registrations;
    facts->n = n;
}


/* what is known of a registration: time does not change it */

static tournament_string_t
tournament_registrations_members(tournament_result_t *result, int row)
{
    tournament_json_t  *json;

    json = result->json;

    tournament_json_begin(json);
    tournament_json_integer(json, "id",
                            tournament_result_integer(result, row, 2, 0));
    tournament_result_column(result, "status", row, 3);
    tournament_result_column(result, "payment_status", row, 4);
    tournament_json_instant(json, "created_at",
                            tournament_result_instant(result, row, 5));

    if (tournament_result_is_null(result, row, 6)) {
        tournament_json_null(json, "team");
        return tournament_result_members(result);
    }

    tournament_json_open_key(json, "team");
    tournament_json_integer(json, "id",
                            tournament_result_integer(result, row, 6, 0));
    tournament_result_column(result, "name", row, 7);
    tournament_result_column(result, "tag", row, 8);
    tournament_json_close(json);

    return tournament_result_members(result);
}


static void
tournament_registrations_render(tournament_json_t *json,
    tournament_view_t *view)
{
    u_char                      *base;
    uint32_t                     i;
    tournament_registration_t   *reg;
    tournament_registrations_t  *facts;

    base = view->entry->facts;
    facts = (tournament_registrations_t *) base;

    tournament_json_now(json, "timestamp", view->now);
    tournament_json_open_array(json, "registrations");

    reg = (tournament_registration_t *) (base + facts->registrations);

    for (i = 0; i < facts->n; i++, reg++) {
        tournament_json_open(json);
        tournament_render_members(json, base, &reg->members);
        tournament_json_open_key(json, "tournament");
        tournament_render_card(json, base, &reg->card, view->now);
        tournament_json_close(json);

        tournament_json_close(json);
    }

    tournament_json_close_array(json);
}
