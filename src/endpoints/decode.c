
#include "endpoints/decode.h"


#define NGX_HTTP_TOURNAMENT_CARD_COLUMNS  18


static void ngx_http_tournament_decode_facts(
    ngx_http_tournament_result_t *result, int row, tournament_facts_t *facts);
static void ngx_http_tournament_decode_card(
    ngx_http_tournament_result_t *result, int row, int column,
    ngx_http_tournament_card_t *card);
static void ngx_http_tournament_decode_missing(
    ngx_http_tournament_result_t *result);
static void ngx_http_tournament_decode_status(
    ngx_http_tournament_result_t *result, int row, int column,
    tournament_facts_t *facts);
static ngx_uint_t ngx_http_tournament_decode_is(
    ngx_http_tournament_result_t *result, int row, int column,
    const char *word);


#define BOOL   NGX_HTTP_TOURNAMENT_BOOL
#define INT4   NGX_HTTP_TOURNAMENT_INT4
#define INT8   NGX_HTTP_TOURNAMENT_INT8
#define IDS    NGX_HTTP_TOURNAMENT_INT8_ARRAY
#define TEXT   NGX_HTTP_TOURNAMENT_TEXT
#define TIME   NGX_HTTP_TOURNAMENT_TIMESTAMPTZ

/*
 * id, status, slot_size, reg_open_at, reg_close_at, start_at, min_team_size,
 * max_team_size, confirmed, slug
 */

#define NGX_HTTP_TOURNAMENT_STATE_OIDS                                        \
    INT8, TEXT, INT8, TIME, TIME, TIME, INT4, INT4, INT8, TEXT

/*
 * id, slug, name, game, status, short_description, banner, entry_fee,
 * prize_pool, reg_open_at, reg_close_at, start_at, end_at, slot_size,
 * min_team_size, max_team_size, confirmed, registered
 */

#define NGX_HTTP_TOURNAMENT_CARD_OIDS                                         \
    INT8, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TIME, TIME, TIME,   \
    TIME, INT8, INT4, INT4, INT8, INT8


const Oid  ngx_http_tournament_state_columns[] = {
    NGX_HTTP_TOURNAMENT_STATE_OIDS
};


/* total_count, page, per_page, valid_until, card */

const Oid  ngx_http_tournament_hub_columns[] = {
    INT8, INT8, INT8, TIME,
    NGX_HTTP_TOURNAMENT_CARD_OIDS
};


/*
 * card, description, tournament_type, check_in_required, check_in_open_at,
 * check_in_close_at, youtube, facebook, discord, prize_distribution,
 * rules_pdf, created_at, updated_at, related
 */

const Oid  ngx_http_tournament_detail_columns[] = {
    NGX_HTTP_TOURNAMENT_CARD_OIDS,
    TEXT, TEXT, BOOL, TIME, TIME, TEXT, TEXT, TEXT, TEXT, TEXT, TIME, TIME,
    BOOL
};


/*
 * id, start_at, min_team_size, max_team_size, registration_id, status, name,
 * team_id, team_name, team_tag, captain, profile_id, captain_id
 */

const Oid  ngx_http_tournament_participants_columns[] = {
    INT8, TIME, INT4, INT4, INT8, TEXT, TEXT, INT8, TEXT, TEXT, TEXT, INT8,
    INT8
};


/* id, slug, pending, confirmed, cancelled */

const Oid  ngx_http_tournament_count_columns[] = {
    INT8, TEXT, INT8, INT8, INT8
};


/*
 * state, requires_payment, profile_id, own_status, team_id, team_name,
 * is_captain, team_status, request_pending, captain_name, captain_id,
 * participant, teams
 */

const Oid  ngx_http_tournament_context_columns[] = {
    NGX_HTTP_TOURNAMENT_STATE_OIDS,
    BOOL, INT8, TEXT, INT8, TEXT, BOOL, TEXT, BOOL, TEXT, INT8, BOOL, IDS
};


/*
 * profile_id, teams, registration_id, status, payment_status, created_at,
 * team_id, team_name, team_tag, card
 */

const Oid  ngx_http_tournament_registrations_columns[] = {
    INT8, IDS, INT8, TEXT, TEXT, TIME, INT8, TEXT, TEXT,
    NGX_HTTP_TOURNAMENT_CARD_OIDS
};


/*
 * total_active, players_this_month, prize_pool_month, tournaments_completed,
 * new_this_week, valid_until, game, game_count
 */

const Oid  ngx_http_tournament_stats_columns[] = {
    INT8, INT8, INT8, INT8, INT8, TIME, TEXT, INT8
};


void
ngx_http_tournament_decode_state(ngx_http_tournament_result_t *result,
    int row, int n)
{
    tournament_facts_t  *facts;

    if (n == 0) {
        ngx_http_tournament_decode_missing(result);
        return;
    }

    facts = ngx_http_tournament_result_at(result,
                ngx_http_tournament_result_reserve(result,
                                               sizeof(tournament_facts_t)));

    ngx_http_tournament_decode_facts(result, row, facts);
}


void
ngx_http_tournament_decode_hub(ngx_http_tournament_result_t *result, int row,
    int n)
{
    int                          i;
    uint32_t                     cards;
    ngx_http_tournament_hub_t   *hub;
    ngx_http_tournament_card_t   card, *dst;

    (void) ngx_http_tournament_result_reserve(result,
                                           sizeof(ngx_http_tournament_hub_t));

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_ROWS, 0);
    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_COUNTS, 0);

    if (n == 0) {
        return;
    }

    ngx_http_tournament_result_valid_until(result, row, 3);

    hub = ngx_http_tournament_result_at(result, 0);
    hub->total_count = ngx_http_tournament_result_integer(result, row, 0, 0);
    hub->page = ngx_http_tournament_result_integer(result, row, 1, 1);
    hub->per_page = ngx_http_tournament_result_integer(result, row, 2, 1);

    if (ngx_http_tournament_result_is_null(result, row, 4)) {
        return;
    }

    cards = ngx_http_tournament_result_reserve(result,
                                    n * sizeof(ngx_http_tournament_card_t));

    for (i = 0; i < n && !result->failed; i++) {
        ngx_http_tournament_decode_card(result, row + i, 4, &card);

        dst = ngx_http_tournament_result_at(result, cards);
        dst[i] = card;
    }

    hub = ngx_http_tournament_result_at(result, 0);
    hub->cards = cards;
    hub->n = n;
}


void
ngx_http_tournament_decode_detail(ngx_http_tournament_result_t *result,
    int row, int n)
{
    int                            i, column;
    uint32_t                       related;
    ngx_http_tournament_card_t     card, *dst;
    ngx_http_tournament_detail_t   detail;

    if (n == 0) {
        ngx_http_tournament_decode_missing(result);
        return;
    }

    /* whatever happens to the catalogue may change what is related */

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_ROWS, 0);

    (void) ngx_http_tournament_result_reserve(result,
                                       sizeof(ngx_http_tournament_detail_t));

    ngx_memzero(&detail, sizeof(ngx_http_tournament_detail_t));

    ngx_http_tournament_decode_card(result, row, 0, &detail.card);

    column = NGX_HTTP_TOURNAMENT_CARD_COLUMNS;

    detail.description = ngx_http_tournament_result_string(result, row,
                                                           column);
    detail.type = ngx_http_tournament_result_string(result, row, column + 1);
    detail.check_in_required = ngx_http_tournament_result_bool(result, row,
                                                               column + 2);
    detail.check_in_open_at = ngx_http_tournament_result_instant(result, row,
                                                                 column + 3);
    detail.check_in_close_at = ngx_http_tournament_result_instant(result, row,
                                                                  column + 4);
    detail.youtube = ngx_http_tournament_result_string(result, row,
                                                       column + 5);
    detail.facebook = ngx_http_tournament_result_string(result, row,
                                                        column + 6);
    detail.discord = ngx_http_tournament_result_string(result, row,
                                                       column + 7);
    detail.prize_distribution = ngx_http_tournament_result_string(result, row,
                                                                  column + 8);
    detail.rules_pdf = ngx_http_tournament_result_string(result, row,
                                                         column + 9);
    detail.created_at = ngx_http_tournament_result_instant(result, row,
                                                           column + 10);
    detail.updated_at = ngx_http_tournament_result_instant(result, row,
                                                           column + 11);

    related = ngx_http_tournament_result_reserve(result,
                                    n * sizeof(ngx_http_tournament_card_t));

    for (i = 1; i < n && !result->failed; i++) {
        ngx_http_tournament_decode_card(result, row + i, 0, &card);

        dst = ngx_http_tournament_result_at(result, related);
        dst[i - 1] = card;
    }

    detail.related = related;
    detail.n = n - 1;

    ngx_memcpy(ngx_http_tournament_result_at(result, 0), &detail,
               sizeof(ngx_http_tournament_detail_t));
}


void
ngx_http_tournament_decode_participants(ngx_http_tournament_result_t *result,
    int row, int n)
{
    int                                  i, r;
    int64_t                              id;
    uint32_t                             participants;
    ngx_http_tournament_participant_t    participant, *dst;
    ngx_http_tournament_participants_t  *facts;

    if (n == 0) {
        ngx_http_tournament_decode_missing(result);
        return;
    }

    (void) ngx_http_tournament_result_reserve(result,
                                 sizeof(ngx_http_tournament_participants_t));

    id = ngx_http_tournament_result_integer(result, row, 0, 0);
    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TOURNAMENT,
                                     id);

    facts = ngx_http_tournament_result_at(result, 0);
    facts->start_at = ngx_http_tournament_result_instant(result, row, 1);

    if (ngx_http_tournament_result_is_null(result, row, 4)) {
        return;
    }

    participants = ngx_http_tournament_result_reserve(result,
                              n * sizeof(ngx_http_tournament_participant_t));

    for (i = 0; i < n && !result->failed; i++) {
        r = row + i;

        ngx_memzero(&participant, sizeof(ngx_http_tournament_participant_t));

        participant.status = ngx_http_tournament_result_string(result, r, 5);
        participant.name = ngx_http_tournament_result_string(result, r, 6);
        participant.has_team = !ngx_http_tournament_result_is_null(result, r,
                                                                   7);
        participant.team_name = ngx_http_tournament_result_string(result, r,
                                                                  8);
        participant.team_tag = ngx_http_tournament_result_string(result, r, 9);
        participant.captain = ngx_http_tournament_result_string(result, r, 10);

        if (participant.has_team) {
            id = ngx_http_tournament_result_integer(result, r, 7, 0);
            ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TEAM,
                                             id);
        }

        if (!ngx_http_tournament_result_is_null(result, r, 11)) {
            id = ngx_http_tournament_result_integer(result, r, 11, 0);
            ngx_http_tournament_result_shows(result,
                                             NGX_HTTP_TOURNAMENT_PROFILE, id);
        }

        if (!ngx_http_tournament_result_is_null(result, r, 12)) {
            id = ngx_http_tournament_result_integer(result, r, 12, 0);
            ngx_http_tournament_result_shows(result,
                                             NGX_HTTP_TOURNAMENT_PROFILE, id);
        }

        dst = ngx_http_tournament_result_at(result, participants);
        dst[i] = participant;
    }

    facts = ngx_http_tournament_result_at(result, 0);
    facts->participants = participants;
    facts->n = n;
}


void
ngx_http_tournament_decode_count(ngx_http_tournament_result_t *result,
    int row, int n)
{
    ngx_http_tournament_count_t  count;

    if (n == 0) {
        ngx_http_tournament_decode_missing(result);
        return;
    }

    (void) ngx_http_tournament_result_reserve(result,
                                        sizeof(ngx_http_tournament_count_t));

    count.id = ngx_http_tournament_result_integer(result, row, 0, 0);
    count.slug = ngx_http_tournament_result_string(result, row, 1);
    count.pending = ngx_http_tournament_result_integer(result, row, 2, 0);
    count.confirmed = ngx_http_tournament_result_integer(result, row, 3, 0);
    count.cancelled = ngx_http_tournament_result_integer(result, row, 4, 0);

    ngx_memcpy(ngx_http_tournament_result_at(result, 0), &count,
               sizeof(ngx_http_tournament_count_t));

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TOURNAMENT,
                                     count.id);
}


void
ngx_http_tournament_decode_context(ngx_http_tournament_result_t *result,
    int row, int n)
{
    int                             column;
    tournament_user_facts_t        *user;
    ngx_http_tournament_context_t   context;

    if (n == 0) {
        ngx_http_tournament_decode_missing(result);
        return;
    }

    (void) ngx_http_tournament_result_reserve(result,
                                      sizeof(ngx_http_tournament_context_t));

    ngx_memzero(&context, sizeof(ngx_http_tournament_context_t));

    ngx_http_tournament_decode_facts(result, row, &context.facts);

    column = NGX_HTTP_TOURNAMENT_STATE_COLUMNS;
    user = &context.user;

    context.requires_payment = ngx_http_tournament_result_bool(result, row,
                                                               column);

    user->has_row = !ngx_http_tournament_result_is_null(result, row,
                                                        column + 2);
    user->registered = ngx_http_tournament_decode_is(result, row, column + 2,
                                                     "PENDING")
                       || ngx_http_tournament_decode_is(result, row,
                                                        column + 2,
                                                        "CONFIRMED");
    user->has_team = !ngx_http_tournament_result_is_null(result, row,
                                                         column + 3);
    user->is_captain = ngx_http_tournament_result_bool(result, row,
                                                       column + 5);
    user->team_registered = !ngx_http_tournament_result_is_null(result, row,
                                                                column + 6);
    user->request_pending = ngx_http_tournament_result_bool(result, row,
                                                            column + 7);

    context.team_name = ngx_http_tournament_result_string(result, row,
                                                          column + 4);
    context.captain_name = ngx_http_tournament_result_string(result, row,
                                                             column + 8);
    context.participant = ngx_http_tournament_result_bool(result, row,
                                                          column + 10);

    ngx_memcpy(ngx_http_tournament_result_at(result, 0), &context,
               sizeof(ngx_http_tournament_context_t));

    /* without a profile it shows profile 0: that one is being made */

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_PROFILE,
              ngx_http_tournament_result_integer(result, row, column + 1, 0));

    if (!ngx_http_tournament_result_is_null(result, row, column + 9)) {
        ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_PROFILE,
              ngx_http_tournament_result_integer(result, row, column + 9, 0));
    }

    ngx_http_tournament_result_shows_all(result, NGX_HTTP_TOURNAMENT_TEAM,
                                         row, column + 11);
}


void
ngx_http_tournament_decode_registrations(ngx_http_tournament_result_t *result,
    int row, int n)
{
    int                                   i, r;
    uint32_t                              registrations;
    ngx_http_tournament_registration_t    reg, *dst;
    ngx_http_tournament_registrations_t  *facts;

    (void) ngx_http_tournament_result_reserve(result,
                                sizeof(ngx_http_tournament_registrations_t));

    if (n == 0) {
        return;
    }

    /* without a profile it shows profile 0: that one is being made */

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_PROFILE,
                       ngx_http_tournament_result_integer(result, row, 0, 0));

    ngx_http_tournament_result_shows_all(result, NGX_HTTP_TOURNAMENT_TEAM,
                                         row, 1);

    if (ngx_http_tournament_result_is_null(result, row, 2)) {
        return;
    }

    registrations = ngx_http_tournament_result_reserve(result,
                             n * sizeof(ngx_http_tournament_registration_t));

    for (i = 0; i < n && !result->failed; i++) {
        r = row + i;

        ngx_memzero(&reg, sizeof(ngx_http_tournament_registration_t));

        reg.id = ngx_http_tournament_result_integer(result, r, 2, 0);
        reg.status = ngx_http_tournament_result_string(result, r, 3);
        reg.payment_status = ngx_http_tournament_result_string(result, r, 4);
        reg.created_at = ngx_http_tournament_result_instant(result, r, 5);
        reg.has_team = !ngx_http_tournament_result_is_null(result, r, 6);
        reg.team_id = ngx_http_tournament_result_integer(result, r, 6, 0);
        reg.team_name = ngx_http_tournament_result_string(result, r, 7);
        reg.team_tag = ngx_http_tournament_result_string(result, r, 8);

        if (reg.has_team) {
            ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TEAM,
                                             reg.team_id);
        }

        ngx_http_tournament_decode_card(result, r, 9, &reg.card);

        dst = ngx_http_tournament_result_at(result, registrations);
        dst[i] = reg;
    }

    facts = ngx_http_tournament_result_at(result, 0);
    facts->registrations = registrations;
    facts->n = n;
}


void
ngx_http_tournament_decode_stats(ngx_http_tournament_result_t *result,
    int row, int n)
{
    int                           i;
    uint32_t                      games;
    ngx_http_tournament_game_t    game, *dst;
    ngx_http_tournament_stats_t   stats;

    (void) ngx_http_tournament_result_reserve(result,
                                         sizeof(ngx_http_tournament_stats_t));

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_ROWS, 0);
    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_COUNTS, 0);

    if (n == 0) {
        return;
    }

    ngx_memzero(&stats, sizeof(ngx_http_tournament_stats_t));

    stats.total_active = ngx_http_tournament_result_integer(result, row, 0, 0);
    stats.players_this_month = ngx_http_tournament_result_integer(result, row,
                                                                  1, 0);
    stats.prize_pool_month = ngx_http_tournament_result_integer(result, row,
                                                                2, 0);
    stats.completed = ngx_http_tournament_result_integer(result, row, 3, 0);
    stats.new_this_week = ngx_http_tournament_result_integer(result, row, 4,
                                                             0);

    ngx_http_tournament_result_valid_until(result, row, 5);

    if (!ngx_http_tournament_result_is_null(result, row, 6)) {

        games = ngx_http_tournament_result_reserve(result,
                                     n * sizeof(ngx_http_tournament_game_t));

        for (i = 0; i < n && !result->failed; i++) {
            game.game = ngx_http_tournament_result_string(result, row + i, 6);
            game.count = ngx_http_tournament_result_integer(result, row + i,
                                                            7, 0);

            dst = ngx_http_tournament_result_at(result, games);
            dst[i] = game;
        }

        stats.games = games;
        stats.n = n;
    }

    ngx_memcpy(ngx_http_tournament_result_at(result, 0), &stats,
               sizeof(ngx_http_tournament_stats_t));
}


/* the columns of a state, from the first */

static void
ngx_http_tournament_decode_facts(ngx_http_tournament_result_t *result,
    int row, tournament_facts_t *facts)
{
    facts->id = ngx_http_tournament_result_integer(result, row, 0, 0);
    ngx_http_tournament_decode_status(result, row, 1, facts);
    facts->slot_size = ngx_http_tournament_result_integer(result, row, 2, 0);
    facts->reg_open_at = ngx_http_tournament_result_instant(result, row, 3);
    facts->reg_close_at = ngx_http_tournament_result_instant(result, row, 4);
    facts->start_at = ngx_http_tournament_result_instant(result, row, 5);
    facts->min_team_size = (int32_t)
                  ngx_http_tournament_result_integer(result, row, 6, 0);
    facts->max_team_size = (int32_t)
                  ngx_http_tournament_result_integer(result, row, 7, 0);
    facts->confirmed = ngx_http_tournament_result_integer(result, row, 8, 0);

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TOURNAMENT,
                                     facts->id);
}


/* the columns of a card, from that one */

static void
ngx_http_tournament_decode_card(ngx_http_tournament_result_t *result,
    int row, int column, ngx_http_tournament_card_t *card)
{
    int                  c;
    tournament_facts_t  *facts;

    ngx_memzero(card, sizeof(ngx_http_tournament_card_t));

    c = column;
    facts = &card->facts;

    facts->id = ngx_http_tournament_result_integer(result, row, c++, 0);
    card->slug = ngx_http_tournament_result_string(result, row, c++);
    card->name = ngx_http_tournament_result_string(result, row, c++);
    card->game = ngx_http_tournament_result_string(result, row, c++);
    ngx_http_tournament_decode_status(result, row, c, facts);
    card->status = ngx_http_tournament_result_string(result, row, c++);
    card->short_description = ngx_http_tournament_result_string(result, row,
                                                                c++);
    card->banner = ngx_http_tournament_result_string(result, row, c++);
    card->entry_fee = ngx_http_tournament_result_string(result, row, c++);
    card->prize_pool = ngx_http_tournament_result_string(result, row, c++);
    facts->reg_open_at = ngx_http_tournament_result_instant(result, row, c++);
    facts->reg_close_at = ngx_http_tournament_result_instant(result, row,
                                                             c++);
    facts->start_at = ngx_http_tournament_result_instant(result, row, c++);
    card->end_at = ngx_http_tournament_result_instant(result, row, c++);
    facts->slot_size = ngx_http_tournament_result_integer(result, row, c++, 0);
    facts->min_team_size = (int32_t)
                  ngx_http_tournament_result_integer(result, row, c++, 0);
    facts->max_team_size = (int32_t)
                  ngx_http_tournament_result_integer(result, row, c++, 0);
    facts->confirmed = ngx_http_tournament_result_integer(result, row, c++, 0);
    card->registered = ngx_http_tournament_result_integer(result, row, c, 0);

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_TOURNAMENT,
                                     facts->id);
}


/* there is no such thing until the catalogue's rows change */

static void
ngx_http_tournament_decode_missing(ngx_http_tournament_result_t *result)
{
    result->entry.missing = 1;

    ngx_http_tournament_result_shows(result, NGX_HTTP_TOURNAMENT_ROWS, 0);
}


static void
ngx_http_tournament_decode_status(ngx_http_tournament_result_t *result,
    int row, int column, tournament_facts_t *facts)
{
    ngx_str_t  status;

    ngx_http_tournament_result_text(result, row, column, &status);

    facts->status = tournament_status_parse((char *) status.data, status.len);
}


static ngx_uint_t
ngx_http_tournament_decode_is(ngx_http_tournament_result_t *result, int row,
    int column, const char *word)
{
    ngx_str_t  text;

    ngx_http_tournament_result_text(result, row, column, &text);

    return text.len == ngx_strlen(word)
           && ngx_strncmp(text.data, word, text.len) == 0;
}
