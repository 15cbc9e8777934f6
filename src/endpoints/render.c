
#include "serve/facts.h"
#include "endpoints/render.h"
#include "rules/state.h"
#include "rules/text.h"


static void tournament_render_state_object(tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user);
static void tournament_render_reason(tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user);
static void tournament_render_button(tournament_json_t *json,
    tournament_facts_t *facts, tournament_button_e button);
static void tournament_render_slots(tournament_json_t *json,
    tournament_state_t *state);
static void tournament_render_limit(tournament_json_t *json, const char *key,
    tournament_state_t *state, int64_t value);
static void tournament_render_card(tournament_json_t *json, u_char *base,
    tournament_card_t *card, time_t now);
static void tournament_render_cards(tournament_json_t *json, const char *key,
    u_char *base, uint32_t offset, uint32_t n, time_t now);
static void tournament_render_string(tournament_json_t *json, const char *key,
    u_char *base, tournament_string_t *string);
static void tournament_render_money(tournament_json_t *json, const char *key,
    u_char *base, tournament_string_t *string);
static void tournament_render_size(tournament_json_t *json, const char *key,
    int32_t size);
static void tournament_render_user(tournament_view_t *view,
    tournament_user_facts_t *user);


void
tournament_render_state(tournament_json_t *json, tournament_view_t *view)
{
    tournament_facts_t       *facts;
    tournament_state_t        state;
    tournament_context_t      context;
    tournament_user_facts_t   user;

    facts = (tournament_facts_t *) view->entry->facts;

    tournament_state_derive(facts, view->now, &state);

    tournament_render_user(view, &user);
    tournament_context_derive(&state, &user, &context);

    tournament_json_now(json, "timestamp", view->now);

    tournament_json_mark(json);
    tournament_json_open_key(json, "state");
    tournament_render_state_object(json, facts, &state, &user);
    tournament_json_close(json);
    tournament_json_mark(json);

    tournament_json_bool(json, "user_registered", user.registered);

    /* the same once more, flat: what the platform's page script reads */

    tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));
    tournament_json_word(json, "phase", tournament_phase_name(state.phase));
    tournament_json_duration(json, "time_until_start", state.until_start);
    tournament_json_integer(json, "registered_count", state.taken);
    tournament_render_limit(json, "max_teams", &state, state.total);
    tournament_render_limit(json, "available_slots", &state, state.available);
    tournament_json_bool(json, "is_full", state.is_full);

    tournament_render_button(json, facts, context.button);
}


void
tournament_render_hub(tournament_json_t *json, tournament_view_t *view)
{
    u_char            *base;
    int64_t            pages;
    tournament_hub_t  *hub;

    base = view->entry->facts;
    hub = (tournament_hub_t *) base;

    pages = (hub->total_count > 0)
            ? (hub->total_count - 1) / ngx_max(hub->per_page, 1) + 1 : 1;

    tournament_json_now(json, "timestamp", view->now);

    tournament_render_cards(json, "tournaments", base, hub->cards,
                            hub->n, view->now);

    tournament_json_open_key(json, "pagination");
    tournament_json_integer(json, "page", hub->page);
    tournament_json_integer(json, "per_page", hub->per_page);
    tournament_json_integer(json, "total_pages", pages);
    tournament_json_integer(json, "total_count", hub->total_count);
    tournament_json_bool(json, "has_next", hub->page < pages);
    tournament_json_bool(json, "has_previous", hub->page > 1);
    tournament_json_close(json);
}


void
tournament_render_detail(tournament_json_t *json, tournament_view_t *view)
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
    tournament_render_size(json, "min_team_size", facts->min_team_size);
    tournament_render_size(json, "max_team_size", facts->max_team_size);
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
    tournament_render_state_object(json, facts, &state, &user);
    tournament_json_close(json);

    tournament_render_cards(json, "related", base, detail->related,
                            detail->n, view->now);
    tournament_json_close(json);
}


void
tournament_render_participants(tournament_json_t *json,
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


void
tournament_render_count(tournament_json_t *json, tournament_view_t *view)
{
    u_char              *base;
    int64_t              n;
    tournament_count_t  *count;

    base = view->entry->facts;
    count = (tournament_count_t *) base;

    /* no table has so many rows, but a site's own function may say so */

    if (__builtin_add_overflow(count->pending, count->confirmed, &n)) {
        n = INT64_MAX;
    }

    tournament_json_integer(json, "tournament_id", count->id);
    tournament_render_string(json, "slug", base, &count->slug);
    tournament_json_integer(json, "count", n);

    tournament_json_open_key(json, "by_status");
    tournament_json_integer(json, "PENDING", count->pending);
    tournament_json_integer(json, "CONFIRMED", count->confirmed);
    tournament_json_integer(json, "CANCELLED", count->cancelled);
    tournament_json_close(json);
}


void
tournament_render_context(tournament_json_t *json, tournament_view_t *view)
{
    char                         text[TOURNAMENT_BUTTON_REASON_MAX + 320];
    char                        *captain;
    u_char                      *base;
    size_t                       len, captain_len;
    tournament_facts_t          *facts;
    tournament_state_t           state;
    tournament_context_t         context;
    tournament_user_facts_t      user;
    tournament_context_facts_t  *stored;

    base = view->entry->facts;
    stored = (tournament_context_facts_t *) base;
    facts = &stored->facts;

    user = stored->user;
    user.authenticated = (view->user != 0);

    tournament_state_derive(facts, view->now, &state);
    tournament_context_derive(&state, &user, &context);

    captain = (char *) base + stored->captain_name.offset;
    captain_len = ngx_min(stored->captain_name.len, 320);

    len = tournament_button_reason(context.button, captain, captain_len, text);

    tournament_json_open_key(json, "context");
    tournament_json_bool(json, "can_register", context.can_register);
    tournament_render_button(json, facts, context.button);
    tournament_json_string(json, "message", text, len);
    tournament_json_string(json, "reason", text, len);
    tournament_json_bool(json, "is_team_event", context.is_team_event);
    tournament_json_bool(json, "is_captain", context.is_captain);
    tournament_json_bool(json, "team_registered", context.team_registered);
    tournament_json_bool(json, "already_registered",
                         context.already_registered);
    tournament_json_bool(json, "slots_available", context.slots_available);
    tournament_json_bool(json, "requires_payment", stored->requires_payment);
    tournament_json_duration(json, "registration_closes_in",
                             state.until_reg_closes);
    tournament_json_bool(json, "has_team", context.has_team);

    if (context.has_team) {
        tournament_render_string(json, "team_name", base, &stored->team_name);

    } else {
        tournament_json_null(json, "team_name");
    }

    tournament_json_bool(json, "has_pending_request",
                         context.has_pending_request);
    tournament_json_close(json);
}


void
tournament_render_registrations(tournament_json_t *json,
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


void
tournament_render_stats(tournament_json_t *json, tournament_view_t *view)
{
    u_char              *base;
    uint32_t             i;
    tournament_game_t   *game;
    tournament_stats_t  *stats;

    base = view->entry->facts;
    stats = (tournament_stats_t *) base;

    tournament_json_open_key(json, "stats");
    tournament_json_integer(json, "total_active", stats->total_active);
    tournament_json_integer(json, "players_this_month",
                            stats->players_this_month);
    tournament_json_integer(json, "prize_pool_month", stats->prize_pool_month);
    tournament_json_integer(json, "tournaments_completed", stats->completed);
    tournament_json_integer(json, "new_this_week", stats->new_this_week);

    tournament_json_open_array(json, "games");

    game = (tournament_game_t *) (base + stats->games);

    for (i = 0; i < stats->n; i++, game++) {
        tournament_json_open(json);
        tournament_render_string(json, "game", base, &game->game);
        tournament_json_integer(json, "count", game->count);
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
    tournament_json_close(json);
}


/* the members of a state object */

static void
tournament_render_state_object(tournament_json_t *json,
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


static void
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

static void
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

static void
tournament_render_card(tournament_json_t *json, u_char *base,
    tournament_card_t *card, time_t now)
{
    tournament_facts_t  *facts;
    tournament_state_t   state;

    facts = &card->facts;

    tournament_state_derive(facts, now, &state);

    tournament_json_integer(json, "id", facts->id);
    tournament_render_string(json, "slug", base, &card->slug);
    tournament_render_string(json, "name", base, &card->name);
    tournament_render_string(json, "game", base, &card->game);
    tournament_render_string(json, "status", base, &card->status);
    tournament_render_string(json, "short_description", base,
                             &card->short_description);
    tournament_render_string(json, "banner", base, &card->banner);
    tournament_render_money(json, "entry_fee", base, &card->entry_fee);
    tournament_render_money(json, "prize_pool", base, &card->prize_pool);
    tournament_json_instant(json, "reg_open_at", facts->reg_open_at);
    tournament_json_instant(json, "reg_close_at", facts->reg_close_at);
    tournament_json_instant(json, "start_at", facts->start_at);
    tournament_json_instant(json, "end_at", card->end_at);
    tournament_json_integer(json, "registration_count", card->registered);
    tournament_json_word(json, "phase", tournament_phase_name(state.phase));
    tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));

    tournament_json_open_key(json, "slots");
    tournament_render_slots(json, &state);
    tournament_json_close(json);
}


static void
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


static void
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


static void
tournament_render_money(tournament_json_t *json, const char *key, u_char *base,
    tournament_string_t *string)
{
    tournament_json_money(json, key, (char *) base + string->offset,
                          string->offset ? string->len : 0);
}


/* a team's size, null without one */

static void
tournament_render_size(tournament_json_t *json, const char *key, int32_t size)
{
    if (size) {
        tournament_json_integer(json, key, size);

    } else {
        tournament_json_null(json, key);
    }
}


/* who asks: what the context entry knows of a user, or an anonymous */

static void
tournament_render_user(tournament_view_t *view, tournament_user_facts_t *user)
{
    tournament_context_facts_t  *context;

    ngx_memzero(user, sizeof(tournament_user_facts_t));

    if (view->user == 0 || view->context == NULL) {
        return;
    }

    context = (tournament_context_facts_t *) view->context->facts;

    if (!view->context->missing) {
        *user = context->user;
    }

    user->authenticated = 1;
}
