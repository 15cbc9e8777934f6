
#include "endpoints/decode.h"


#define TOURNAMENT_CARD_COLUMNS  18


static void tournament_decode_facts(tournament_result_t *result, int row,
    tournament_facts_t *facts);
static void tournament_decode_card(tournament_result_t *result, int row,
    int column, tournament_card_t *card);
static void tournament_decode_missing(tournament_result_t *result);
static void tournament_decode_status(tournament_result_t *result, int row,
    int column, tournament_facts_t *facts);
static ngx_uint_t tournament_decode_is(tournament_result_t *result, int row,
    int column, const char *word);


#define BOOL   TOURNAMENT_BOOL
#define INT4   TOURNAMENT_INT4
#define INT8   TOURNAMENT_INT8
#define IDS    TOURNAMENT_INT8_ARRAY
#define TEXT   TOURNAMENT_TEXT
#define TIME   TOURNAMENT_TIMESTAMPTZ

/*
 * id, status, slot_size, reg_open_at, reg_close_at, start_at, min_team_size,
 * max_team_size, confirmed, slug
 */

#define TOURNAMENT_STATE_OIDS                                                 \
    INT8, TEXT, INT8, TIME, TIME, TIME, INT4, INT4, INT8, TEXT

/*
 * id, slug, name, game, status, short_description, banner, entry_fee,
 * prize_pool, reg_open_at, reg_close_at, start_at, end_at, slot_size,
 * min_team_size, max_team_size, confirmed, registered
 */

#define TOURNAMENT_CARD_OIDS                                                  \
    INT8, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TIME, TIME, TIME,   \
    TIME, INT8, INT4, INT4, INT8, INT8


const Oid  tournament_state_columns[] = {
    TOURNAMENT_STATE_OIDS
};


/* total_count, page, per_page, valid_until, card */

const Oid  tournament_hub_columns[] = {
    INT8, INT8, INT8, TIME,
    TOURNAMENT_CARD_OIDS
};


/*
 * card, description, tournament_type, check_in_required, check_in_open_at,
 * check_in_close_at, youtube, facebook, discord, prize_distribution,
 * rules_pdf, created_at, updated_at, related
 */

const Oid  tournament_detail_columns[] = {
    TOURNAMENT_CARD_OIDS,
    TEXT, TEXT, BOOL, TIME, TIME, TEXT, TEXT, TEXT, TEXT, TEXT, TIME, TIME,
    BOOL
};


/*
 * id, start_at, min_team_size, max_team_size, registration_id, status, name,
 * team_id, team_name, team_tag, captain, profile_id, captain_id
 */

const Oid  tournament_participants_columns[] = {
    INT8, TIME, INT4, INT4, INT8, TEXT, TEXT, INT8, TEXT, TEXT, TEXT, INT8,
    INT8
};


/* id, slug, pending, confirmed, cancelled */

const Oid  tournament_count_columns[] = {
    INT8, TEXT, INT8, INT8, INT8
};


/*
 * state, requires_payment, profile_id, own_status, team_id, team_name,
 * is_captain, team_status, request_pending, captain_name, captain_id,
 * participant, teams
 */

const Oid  tournament_context_columns[] = {
    TOURNAMENT_STATE_OIDS,
    BOOL, INT8, TEXT, INT8, TEXT, BOOL, TEXT, BOOL, TEXT, INT8, BOOL, IDS
};


/*
 * profile_id, teams, registration_id, status, payment_status, created_at,
 * team_id, team_name, team_tag, card
 */

const Oid  tournament_registrations_columns[] = {
    INT8, IDS, INT8, TEXT, TEXT, TIME, INT8, TEXT, TEXT,
    TOURNAMENT_CARD_OIDS
};


/*
 * total_active, players_this_month, prize_pool_month, tournaments_completed,
 * new_this_week, valid_until, game, game_count
 */

const Oid  tournament_stats_columns[] = {
    INT8, INT8, INT8, INT8, INT8, TIME, TEXT, INT8
};


void
tournament_decode_state(tournament_result_t *result, int row, int n)
{
    tournament_facts_t  *facts;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    facts = tournament_result_at(result,
                                 tournament_result_reserve(result,
                                               sizeof(tournament_facts_t)));

    tournament_decode_facts(result, row, facts);
}


void
tournament_decode_hub(tournament_result_t *result, int row, int n)
{
    int                 i;
    uint32_t            cards;
    tournament_hub_t   *hub;
    tournament_card_t   card, *dst;

    (void) tournament_result_reserve(result, sizeof(tournament_hub_t));

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
    tournament_result_shows(result, TOURNAMENT_COUNTS, 0);

    if (n == 0) {
        return;
    }

    tournament_result_valid_until(result, row, 3);

    hub = tournament_result_at(result, 0);
    hub->total_count = tournament_result_integer(result, row, 0, 0);
    hub->page = tournament_result_integer(result, row, 1, 1);
    hub->per_page = tournament_result_integer(result, row, 2, 1);

    if (tournament_result_is_null(result, row, 4)) {
        return;
    }

    cards = tournament_result_reserve(result, n * sizeof(tournament_card_t));

    for (i = 0; i < n && !result->failed; i++) {
        tournament_decode_card(result, row + i, 4, &card);

        dst = tournament_result_at(result, cards);
        dst[i] = card;
    }

    hub = tournament_result_at(result, 0);
    hub->cards = cards;
    hub->n = n;
}


void
tournament_decode_detail(tournament_result_t *result, int row, int n)
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


void
tournament_decode_participants(tournament_result_t *result, int row, int n)
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
    tournament_result_shows(result, TOURNAMENT_TOURNAMENT, id);

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

        if (participant.has_team) {
            id = tournament_result_integer(result, r, 7, 0);
            tournament_result_shows(result, TOURNAMENT_TEAM, id);
        }

        if (!tournament_result_is_null(result, r, 11)) {
            id = tournament_result_integer(result, r, 11, 0);
            tournament_result_shows(result, TOURNAMENT_PROFILE, id);
        }

        if (!tournament_result_is_null(result, r, 12)) {
            id = tournament_result_integer(result, r, 12, 0);
            tournament_result_shows(result, TOURNAMENT_PROFILE, id);
        }

        dst = tournament_result_at(result, participants);
        dst[i] = participant;
    }

    facts = tournament_result_at(result, 0);
    facts->participants = participants;
    facts->n = n;
}


void
tournament_decode_count(tournament_result_t *result, int row, int n)
{
    tournament_count_t  count;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result, sizeof(tournament_count_t));

    count.id = tournament_result_integer(result, row, 0, 0);
    count.slug = tournament_result_string(result, row, 1);
    count.pending = tournament_result_integer(result, row, 2, 0);
    count.confirmed = tournament_result_integer(result, row, 3, 0);
    count.cancelled = tournament_result_integer(result, row, 4, 0);

    ngx_memcpy(tournament_result_at(result, 0), &count,
               sizeof(tournament_count_t));

    tournament_result_shows(result, TOURNAMENT_TOURNAMENT, count.id);
}


void
tournament_decode_context(tournament_result_t *result, int row, int n)
{
    int                          column;
    tournament_user_facts_t     *user;
    tournament_context_facts_t   context;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result,
                                     sizeof(tournament_context_facts_t));

    ngx_memzero(&context, sizeof(tournament_context_facts_t));

    tournament_decode_facts(result, row, &context.facts);

    column = TOURNAMENT_STATE_COLUMNS;
    user = &context.user;

    context.requires_payment = tournament_result_bool(result, row, column);

    user->has_row = !tournament_result_is_null(result, row, column + 2);
    user->registered = tournament_decode_is(result, row, column + 2, "PENDING")
                       || tournament_decode_is(result, row,
                                               column + 2,
                                               "CONFIRMED");
    user->has_team = !tournament_result_is_null(result, row, column + 3);
    user->is_captain = tournament_result_bool(result, row, column + 5);
    user->team_registered = !tournament_result_is_null(result, row,
                                                       column + 6);
    user->request_pending = tournament_result_bool(result, row, column + 7);

    context.team_name = tournament_result_string(result, row, column + 4);
    context.captain_name = tournament_result_string(result, row, column + 8);
    context.participant = tournament_result_bool(result, row, column + 10);

    ngx_memcpy(tournament_result_at(result, 0), &context,
               sizeof(tournament_context_facts_t));

    /* without a profile it shows profile 0: that one is being made */

    tournament_result_shows(result, TOURNAMENT_PROFILE,
              tournament_result_integer(result, row, column + 1, 0));

    if (!tournament_result_is_null(result, row, column + 9)) {
        tournament_result_shows(result, TOURNAMENT_PROFILE,
              tournament_result_integer(result, row, column + 9, 0));
    }

    tournament_result_shows_all(result, TOURNAMENT_TEAM, row, column + 11);
}


void
tournament_decode_registrations(tournament_result_t *result, int row, int n)
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


void
tournament_decode_stats(tournament_result_t *result, int row, int n)
{
    int                  i;
    uint32_t             games;
    tournament_game_t    game, *dst;
    tournament_stats_t   stats;

    (void) tournament_result_reserve(result, sizeof(tournament_stats_t));

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
    tournament_result_shows(result, TOURNAMENT_COUNTS, 0);

    if (n == 0) {
        return;
    }

    ngx_memzero(&stats, sizeof(tournament_stats_t));

    stats.total_active = tournament_result_integer(result, row, 0, 0);
    stats.players_this_month = tournament_result_integer(result, row, 1, 0);
    stats.prize_pool_month = tournament_result_integer(result, row, 2, 0);
    stats.completed = tournament_result_integer(result, row, 3, 0);
    stats.new_this_week = tournament_result_integer(result, row, 4, 0);

    tournament_result_valid_until(result, row, 5);

    if (!tournament_result_is_null(result, row, 6)) {

        games = tournament_result_reserve(result,
                                          n * sizeof(tournament_game_t));

        for (i = 0; i < n && !result->failed; i++) {
            game.game = tournament_result_string(result, row + i, 6);
            game.count = tournament_result_integer(result, row + i, 7, 0);

            dst = tournament_result_at(result, games);
            dst[i] = game;
        }

        stats.games = games;
        stats.n = n;
    }

    ngx_memcpy(tournament_result_at(result, 0), &stats,
               sizeof(tournament_stats_t));
}


/* the columns of a state, from the first */

static void
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

    tournament_result_shows(result, TOURNAMENT_TOURNAMENT, facts->id);
}


/* the columns of a card, from that one */

static void
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

    tournament_result_shows(result, TOURNAMENT_TOURNAMENT, facts->id);
}


/* there is no such thing until the catalogue's rows change */

static void
tournament_decode_missing(tournament_result_t *result)
{
    result->entry.missing = 1;

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
}


static void
tournament_decode_status(tournament_result_t *result, int row, int column,
    tournament_facts_t *facts)
{
    ngx_str_t  status;

    tournament_result_text(result, row, column, &status);

    facts->status = tournament_status_parse((char *) status.data, status.len);
}


static ngx_uint_t
tournament_decode_is(tournament_result_t *result, int row, int column,
    const char *word)
{
    ngx_str_t  text;

    tournament_result_text(result, row, column, &text);

    return text.len == ngx_strlen(word)
           && ngx_strncmp(text.data, word, text.len) == 0;
}
