
/*
 * Endpoint "user_registrations": what a user, or a team of the user's, has
 * registered for.
 */

#include "endpoints/common.h"


typedef struct {
    tournament_card_t        card;
    int64_t                  id;
    int64_t                  created_at;
    int64_t                  team_id;
    tournament_string_t      status;
    tournament_string_t      payment_status;
    tournament_string_t      team_name;
    tournament_string_t      team_tag;
    uint32_t                 has_team;
    uint32_t                 reserved;
} tournament_registration_t;


typedef struct {
    uint32_t                          registrations;  /* offset */
    uint32_t                          n;
} tournament_registrations_t;


static void tournament_registrations_decode(tournament_result_t *result,
    int row, int n);
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

        ngx_memzero(&reg, sizeof(tournament_registration_t));

        reg.id = tournament_result_integer(result, r, 2, 0);
        reg.status = tournament_result_string(result, r, 3);
        reg.payment_status = tournament_result_string(result, r, 4);
        reg.created_at = tournament_result_instant(result, r, 5);
        reg.has_team = !tournament_result_is_null(result, r, 6);
        reg.team_id = tournament_result_integer(result, r, 6, 0);
        reg.team_name = tournament_result_string(result, r, 7);
        reg.team_tag = tournament_result_string(result, r, 8);

        if (reg.has_team) {
            tournament_result_shows(result, TOURNAMENT_TEAM, reg.team_id);
        }

        tournament_decode_card(result, r, 9, &reg.card);

        dst = tournament_result_at(result, registrations);
        dst[i] = reg;
    }

    facts = tournament_result_at(result, 0);
    facts->registrations = registrations;
    facts->n = n;
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
        tournament_json_integer(json, "id", reg->id);
        tournament_render_string(json, "status", base, &reg->status);
        tournament_render_string(json, "payment_status", base,
                                 &reg->payment_status);
        tournament_json_instant(json, "created_at", reg->created_at);

        if (reg->has_team) {
            tournament_json_open_key(json, "team");
            tournament_json_integer(json, "id", reg->team_id);
            tournament_render_string(json, "name", base, &reg->team_name);
            tournament_render_string(json, "tag", base, &reg->team_tag);
            tournament_json_close(json);

        } else {
            tournament_json_null(json, "team");
        }

        tournament_json_open_key(json, "tournament");
        tournament_render_card(json, base, &reg->card, view->now);
        tournament_json_close(json);

        tournament_json_close(json);
    }

    tournament_json_close_array(json);
}
