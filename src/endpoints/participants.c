
/*
 * Endpoint "participants": who takes part, for those who may see it.  Names of
 * private profiles come as null.
 */

#include "endpoints/common.h"
#include "endpoints/registration_context.h"


typedef struct {
    int64_t               start_at;
    tournament_string_t   members;        /* the list, as it is shown */
} tournament_participants_t;


static void tournament_participants_decode(tournament_result_t *result,
    int row, int n);
static tournament_error_t *tournament_participants_check(
    tournament_view_t *view);
static void tournament_participants_render(tournament_json_t *json,
    tournament_view_t *view);
static void tournament_participants_one(tournament_result_t *result, int row,
    int seed);


/*
 * id, start_at, min_team_size, max_team_size, registration_id, status, name,
 * team_id, team_name, team_tag, captain, profile_id, captain_id
 */

static const Oid  tournament_participants_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_INT4, TOURNAMENT_INT4,
    TOURNAMENT_INT8, TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_INT8,
    TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_TEXT, TOURNAMENT_INT8,
    TOURNAMENT_INT8
};


tournament_endpoint_t  tournament_endpoint_participants = {
    .name = ngx_string("participants"),
    .number = 5,
    .argument = TOURNAMENT_MUST_ARGUMENT,
    .valid = tournament_arguments_is_slug,
    .allowed = TOURNAMENT_SLUG_ALLOWED,
    .audience = TOURNAMENT_GUARDED,
    .viewer = &tournament_endpoint_registration_context,
    .ttl = 60000,
    .stream = 1,
    .slug = 1,
    .statement = { "tournament_participants",
                   "SELECT * FROM tournament_api.participants($1)", 1 },
    .columns = tournament_participants_columns,
    .ncolumns = TOURNAMENT_N(tournament_participants_columns),
    .arguments = tournament_arguments_slug,
    .decode = tournament_participants_decode,
    .check = tournament_participants_check,
    .render = tournament_participants_render
};


static void
tournament_participants_decode(tournament_result_t *result, int row, int n)
{
    int                         i;
    tournament_string_t         members;
    tournament_participants_t  *facts;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result,
                                     sizeof(tournament_participants_t));

    tournament_result_tournament(result,
                         tournament_result_integer(result, row, 0, 0), NULL);

    tournament_json_begin(result->json);
    tournament_json_open_array(result->json, "participants");

    if (!tournament_result_is_null(result, row, 4)) {
        for (i = 0; i < n; i++) {
            tournament_participants_one(result, row + i, i + 1);
        }
    }

    tournament_json_close_array(result->json);

    members = tournament_result_members(result);

    facts = tournament_result_at(result, 0);
    facts->start_at = tournament_result_instant(result, row, 1);
    facts->members = members;
}


static void
tournament_participants_one(tournament_result_t *result, int row, int seed)
{
    tournament_json_t  *json;

    json = result->json;

    tournament_result_shows_one(result, TOURNAMENT_TEAM, row, 7);
    tournament_result_shows_one(result, TOURNAMENT_PROFILE, row, 11);
    tournament_result_shows_one(result, TOURNAMENT_PROFILE, row, 12);

    tournament_json_open(json);
    tournament_json_integer(json, "seed", seed);
    tournament_result_column(result, "name", row, 6);

    if (tournament_result_is_null(result, row, 7)) {
        tournament_json_null(json, "team");

    } else {
        tournament_json_open_key(json, "team");
        tournament_result_column(result, "name", row, 8);
        tournament_result_column(result, "tag", row, 9);
        tournament_result_column(result, "captain", row, 10);
        tournament_json_close(json);
    }

    tournament_result_column(result, "status", row, 5);
    tournament_json_close(json);
}


static void
tournament_participants_render(tournament_json_t *json,
    tournament_view_t *view)
{
    u_char                     *base;
    tournament_participants_t  *facts;

    base = view->entry->facts;
    facts = (tournament_participants_t *) base;

    tournament_json_now(json, "timestamp", view->now);
    tournament_render_members(json, base, &facts->members);
}


/* to staff always; to participants once it has started, or has no start */

static tournament_error_t *
tournament_participants_check(tournament_view_t *view)
{
    tournament_context_facts_t  *context;
    tournament_participants_t   *facts;

    if (view->entry->missing) {
        return &tournament_error_not_found;
    }

    if (view->staff) {
        return NULL;
    }

    if (view->context == NULL || view->context->missing) {
        return &tournament_error_forbidden;
    }

    facts = (tournament_participants_t *) view->entry->facts;
    context = (tournament_context_facts_t *) view->context->facts;

    if (!context->participant
        || (facts->start_at != TOURNAMENT_INSTANT_NONE
            && (int64_t) view->now * 1000000 < facts->start_at))
    {
        return &tournament_error_forbidden;
    }

    return NULL;
}
