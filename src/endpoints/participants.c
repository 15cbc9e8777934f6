
/*
 * Endpoint "participants": who takes part, for those who may see it.  Names of
 * private profiles come as null.
 */

#include "endpoints/common.h"
#include "endpoints/registration_context.h"


typedef struct {
    tournament_string_t      status;
    tournament_string_t      name;
    tournament_string_t      team_name;
    tournament_string_t      team_tag;
    tournament_string_t      captain;
    uint32_t                 has_team;
    uint32_t                 reserved;
} tournament_participant_t;


typedef struct {
    int64_t                           start_at;
    uint32_t                          participants;  /* offset */
    uint32_t                          n;
} tournament_participants_t;


static void tournament_participants_decode(tournament_result_t *result,
    int row, int n);
static tournament_error_t *tournament_participants_check(
    tournament_view_t *view);
static void tournament_participants_render(tournament_json_t *json,
    tournament_view_t *view);
static void tournament_participants_shows(tournament_result_t *result,
    tournament_thing_e kind, int row, int column);


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
    int                         i, r;
    int64_t                     id;
    uint32_t                    participants;
    tournament_participant_t    participant, *dst;
    tournament_participants_t  *facts;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result,
                                     sizeof(tournament_participants_t));

    id = tournament_result_integer(result, row, 0, 0);
    tournament_result_tournament(result, id, NULL);

    facts = tournament_result_at(result, 0);
    facts->start_at = tournament_result_instant(result, row, 1);

    if (tournament_result_is_null(result, row, 4)) {
        return;
    }

    participants = tournament_result_reserve(result,
                              n * sizeof(tournament_participant_t));

    for (i = 0; i < n && !result->failed; i++) {
        r = row + i;

        ngx_memzero(&participant, sizeof(tournament_participant_t));

        participant.status = tournament_result_string(result, r, 5);
        participant.name = tournament_result_string(result, r, 6);
        participant.has_team = !tournament_result_is_null(result, r, 7);
        participant.team_name = tournament_result_string(result, r, 8);
        participant.team_tag = tournament_result_string(result, r, 9);
        participant.captain = tournament_result_string(result, r, 10);

        tournament_participants_shows(result, TOURNAMENT_TEAM, r, 7);
        tournament_participants_shows(result, TOURNAMENT_PROFILE, r, 11);
        tournament_participants_shows(result, TOURNAMENT_PROFILE, r, 12);

        dst = tournament_result_at(result, participants);
        dst[i] = participant;
    }

    facts = tournament_result_at(result, 0);
    facts->participants = participants;
    facts->n = n;
}


static void
tournament_participants_shows(tournament_result_t *result,
    tournament_thing_e kind, int row, int column)
{
    if (!tournament_result_is_null(result, row, column)) {
        tournament_result_shows(result, kind,
                            tournament_result_integer(result, row, column, 0));
    }
}


static void
tournament_participants_render(tournament_json_t *json,
    tournament_view_t *view)
{
    u_char                     *base;
    uint32_t                    i;
    tournament_participant_t   *p;
    tournament_participants_t  *facts;

    base = view->entry->facts;
    facts = (tournament_participants_t *) base;

    tournament_json_now(json, "timestamp", view->now);
    tournament_json_open_array(json, "participants");

    p = (tournament_participant_t *) (base + facts->participants);

    for (i = 0; i < facts->n; i++, p++) {
        tournament_json_open(json);
        tournament_json_integer(json, "seed", (int64_t) i + 1);
        tournament_render_string(json, "name", base, &p->name);

        if (p->has_team) {
            tournament_json_open_key(json, "team");
            tournament_render_string(json, "name", base, &p->team_name);
            tournament_render_string(json, "tag", base, &p->team_tag);
            tournament_render_string(json, "captain", base, &p->captain);
            tournament_json_close(json);

        } else {
            tournament_json_null(json, "team");
        }

        tournament_render_string(json, "status", base, &p->status);
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
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
