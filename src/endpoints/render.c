
#include "serve/facts.h"
#include "endpoints/render.h"
#include "rules/state.h"
#include "rules/text.h"


static void ngx_http_tournament_render_state_object(
    ngx_http_tournament_json_t *json, tournament_facts_t *facts,
    tournament_state_t *state, tournament_user_facts_t *user);
static void ngx_http_tournament_render_reason(
    ngx_http_tournament_json_t *json, tournament_facts_t *facts,
    tournament_state_t *state, tournament_user_facts_t *user);
static void ngx_http_tournament_render_button(
    ngx_http_tournament_json_t *json, tournament_facts_t *facts,
    tournament_button_e button);
static void ngx_http_tournament_render_slots(ngx_http_tournament_json_t *json,
    tournament_state_t *state);
static void ngx_http_tournament_render_limit(ngx_http_tournament_json_t *json,
    const char *key, tournament_state_t *state, int64_t value);
static void ngx_http_tournament_render_card(ngx_http_tournament_json_t *json,
    u_char *base, ngx_http_tournament_card_t *card, time_t now);
static void ngx_http_tournament_render_cards(ngx_http_tournament_json_t *json,
    const char *key, u_char *base, uint32_t offset, uint32_t n, time_t now);
static void ngx_http_tournament_render_string(
    ngx_http_tournament_json_t *json, const char *key, u_char *base,
    ngx_http_tournament_string_t *string);
static void ngx_http_tournament_render_money(ngx_http_tournament_json_t *json,
    const char *key, u_char *base, ngx_http_tournament_string_t *string);
static void ngx_http_tournament_render_size(ngx_http_tournament_json_t *json,
    const char *key, int32_t size);
static void ngx_http_tournament_render_user(
    ngx_http_tournament_view_t *view, tournament_user_facts_t *user);


void
ngx_http_tournament_render_state(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    tournament_facts_t       *facts;
    tournament_state_t        state;
    tournament_context_t      context;
    tournament_user_facts_t   user;

    facts = (tournament_facts_t *) view->entry->facts;

    tournament_state_derive(facts, view->now, &state);

    ngx_http_tournament_render_user(view, &user);
    tournament_context_derive(&state, &user, &context);

    ngx_http_tournament_json_now(json, "timestamp", view->now);

    ngx_http_tournament_json_mark(json);
    ngx_http_tournament_json_open_key(json, "state");
    ngx_http_tournament_render_state_object(json, facts, &state, &user);
    ngx_http_tournament_json_close(json);
    ngx_http_tournament_json_mark(json);

    ngx_http_tournament_json_bool(json, "user_registered", user.registered);

    /* the same once more, flat: what the platform's page script reads */

    ngx_http_tournament_json_word(json, "registration_state",
                         tournament_registration_name(state.registration));
    ngx_http_tournament_json_word(json, "phase",
                                  tournament_phase_name(state.phase));
    ngx_http_tournament_json_duration(json, "time_until_start",
                                      state.until_start);
    ngx_http_tournament_json_integer(json, "registered_count", state.taken);
    ngx_http_tournament_render_limit(json, "max_teams", &state, state.total);
    ngx_http_tournament_render_limit(json, "available_slots", &state,
                                     state.available);
    ngx_http_tournament_json_bool(json, "is_full", state.is_full);

    ngx_http_tournament_render_button(json, facts, context.button);
}


void
ngx_http_tournament_render_hub(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    u_char                     *base;
    int64_t                     pages;
    ngx_http_tournament_hub_t  *hub;

    base = view->entry->facts;
    hub = (ngx_http_tournament_hub_t *) base;

    pages = (hub->total_count > 0)
            ? (hub->total_count - 1) / ngx_max(hub->per_page, 1) + 1 : 1;

    ngx_http_tournament_json_now(json, "timestamp", view->now);

    ngx_http_tournament_render_cards(json, "tournaments", base, hub->cards,
                                     hub->n, view->now);

    ngx_http_tournament_json_open_key(json, "pagination");
    ngx_http_tournament_json_integer(json, "page", hub->page);
    ngx_http_tournament_json_integer(json, "per_page", hub->per_page);
    ngx_http_tournament_json_integer(json, "total_pages", pages);
    ngx_http_tournament_json_integer(json, "total_count", hub->total_count);
    ngx_http_tournament_json_bool(json, "has_next", hub->page < pages);
    ngx_http_tournament_json_bool(json, "has_previous", hub->page > 1);
    ngx_http_tournament_json_close(json);
}


void
ngx_http_tournament_render_detail(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    u_char                        *base;
    tournament_facts_t            *facts;
    tournament_state_t             state;
    tournament_user_facts_t        user;
    ngx_http_tournament_detail_t  *detail;

    base = view->entry->facts;
    detail = (ngx_http_tournament_detail_t *) base;
    facts = &detail->card.facts;

    ngx_memzero(&user, sizeof(tournament_user_facts_t));
    tournament_state_derive(facts, view->now, &state);

    ngx_http_tournament_json_now(json, "timestamp", view->now);

    ngx_http_tournament_json_open_key(json, "tournament");
    ngx_http_tournament_render_card(json, base, &detail->card, view->now);
    ngx_http_tournament_render_string(json, "description", base,
                                      &detail->description);

    ngx_http_tournament_json_open_key(json, "format");
    ngx_http_tournament_render_string(json, "type", base, &detail->type);
    ngx_http_tournament_render_size(json, "min_team_size",
                                    facts->min_team_size);
    ngx_http_tournament_render_size(json, "max_team_size",
                                    facts->max_team_size);
    ngx_http_tournament_json_bool(json, "check_in_required",
                                  detail->check_in_required != 0);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_json_open_key(json, "schedule");
    ngx_http_tournament_json_instant(json, "check_in_open_at",
                                     detail->check_in_open_at);
    ngx_http_tournament_json_instant(json, "check_in_close_at",
                                     detail->check_in_close_at);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_json_open_key(json, "links");
    ngx_http_tournament_render_string(json, "youtube", base,
                                      &detail->youtube);
    ngx_http_tournament_render_string(json, "facebook", base,
                                      &detail->facebook);
    ngx_http_tournament_render_string(json, "discord", base,
                                      &detail->discord);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_render_string(json, "prize_distribution", base,
                                      &detail->prize_distribution);
    ngx_http_tournament_render_string(json, "rules_pdf", base,
                                      &detail->rules_pdf);
    ngx_http_tournament_json_instant(json, "created_at", detail->created_at);
    ngx_http_tournament_json_instant(json, "updated_at", detail->updated_at);

    ngx_http_tournament_json_open_key(json, "state");
    ngx_http_tournament_render_state_object(json, facts, &state, &user);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_render_cards(json, "related", base, detail->related,
                                     detail->n, view->now);
    ngx_http_tournament_json_close(json);
}


void
ngx_http_tournament_render_participants(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    u_char                              *base;
    uint32_t                             i;
    ngx_http_tournament_participant_t   *p;
    ngx_http_tournament_participants_t  *facts;

    base = view->entry->facts;
    facts = (ngx_http_tournament_participants_t *) base;

    ngx_http_tournament_json_now(json, "timestamp", view->now);
    ngx_http_tournament_json_open_array(json, "participants");

    p = (ngx_http_tournament_participant_t *) (base + facts->participants);

    for (i = 0; i < facts->n; i++, p++) {
        ngx_http_tournament_json_open(json);
        ngx_http_tournament_json_integer(json, "seed", (int64_t) i + 1);
        ngx_http_tournament_render_string(json, "name", base, &p->name);

        if (p->has_team) {
            ngx_http_tournament_json_open_key(json, "team");
            ngx_http_tournament_render_string(json, "name", base,
                                              &p->team_name);
            ngx_http_tournament_render_string(json, "tag", base,
                                              &p->team_tag);
            ngx_http_tournament_render_string(json, "captain", base,
                                              &p->captain);
            ngx_http_tournament_json_close(json);

        } else {
            ngx_http_tournament_json_null(json, "team");
        }

        ngx_http_tournament_render_string(json, "status", base, &p->status);
        ngx_http_tournament_json_close(json);
    }

    ngx_http_tournament_json_close_array(json);
}


void
ngx_http_tournament_render_count(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    u_char                       *base;
    int64_t                       n;
    ngx_http_tournament_count_t  *count;

    base = view->entry->facts;
    count = (ngx_http_tournament_count_t *) base;

    /* no table has so many rows, but a site's own function may say so */

    if (__builtin_add_overflow(count->pending, count->confirmed, &n)) {
        n = INT64_MAX;
    }

    ngx_http_tournament_json_integer(json, "tournament_id", count->id);
    ngx_http_tournament_render_string(json, "slug", base, &count->slug);
    ngx_http_tournament_json_integer(json, "count", n);

    ngx_http_tournament_json_open_key(json, "by_status");
    ngx_http_tournament_json_integer(json, "PENDING", count->pending);
    ngx_http_tournament_json_integer(json, "CONFIRMED", count->confirmed);
    ngx_http_tournament_json_integer(json, "CANCELLED", count->cancelled);
    ngx_http_tournament_json_close(json);
}


void
ngx_http_tournament_render_context(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    char                            text[TOURNAMENT_BUTTON_REASON_MAX + 320];
    char                           *captain;
    u_char                         *base;
    size_t                          len, captain_len;
    tournament_facts_t             *facts;
    tournament_state_t              state;
    tournament_context_t            context;
    tournament_user_facts_t         user;
    ngx_http_tournament_context_t  *stored;

    base = view->entry->facts;
    stored = (ngx_http_tournament_context_t *) base;
    facts = &stored->facts;

    user = stored->user;
    user.authenticated = (view->user != 0);

    tournament_state_derive(facts, view->now, &state);
    tournament_context_derive(&state, &user, &context);

    captain = (char *) base + stored->captain_name.offset;
    captain_len = ngx_min(stored->captain_name.len, 320);

    len = tournament_button_reason(context.button, captain, captain_len,
                                   text);

    ngx_http_tournament_json_open_key(json, "context");
    ngx_http_tournament_json_bool(json, "can_register",
                                  context.can_register);
    ngx_http_tournament_render_button(json, facts, context.button);
    ngx_http_tournament_json_string(json, "message", text, len);
    ngx_http_tournament_json_string(json, "reason", text, len);
    ngx_http_tournament_json_bool(json, "is_team_event",
                                  context.is_team_event);
    ngx_http_tournament_json_bool(json, "is_captain", context.is_captain);
    ngx_http_tournament_json_bool(json, "team_registered",
                                  context.team_registered);
    ngx_http_tournament_json_bool(json, "already_registered",
                                  context.already_registered);
    ngx_http_tournament_json_bool(json, "slots_available",
                                  context.slots_available);
    ngx_http_tournament_json_bool(json, "requires_payment",
                                  stored->requires_payment);
    ngx_http_tournament_json_duration(json, "registration_closes_in",
                                      state.until_reg_closes);
    ngx_http_tournament_json_bool(json, "has_team", context.has_team);

    if (context.has_team) {
        ngx_http_tournament_render_string(json, "team_name", base,
                                          &stored->team_name);

    } else {
        ngx_http_tournament_json_null(json, "team_name");
    }

    ngx_http_tournament_json_bool(json, "has_pending_request",
                                  context.has_pending_request);
    ngx_http_tournament_json_close(json);
}


void
ngx_http_tournament_render_registrations(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    u_char                               *base;
    uint32_t                              i;
    ngx_http_tournament_registration_t   *reg;
    ngx_http_tournament_registrations_t  *facts;

    base = view->entry->facts;
    facts = (ngx_http_tournament_registrations_t *) base;

    ngx_http_tournament_json_now(json, "timestamp", view->now);
    ngx_http_tournament_json_open_array(json, "registrations");

    reg = (ngx_http_tournament_registration_t *) (base + facts->registrations);

    for (i = 0; i < facts->n; i++, reg++) {
        ngx_http_tournament_json_open(json);
        ngx_http_tournament_json_integer(json, "id", reg->id);
        ngx_http_tournament_render_string(json, "status", base, &reg->status);
        ngx_http_tournament_render_string(json, "payment_status", base,
                                          &reg->payment_status);
        ngx_http_tournament_json_instant(json, "created_at", reg->created_at);

        if (reg->has_team) {
            ngx_http_tournament_json_open_key(json, "team");
            ngx_http_tournament_json_integer(json, "id", reg->team_id);
            ngx_http_tournament_render_string(json, "name", base,
                                              &reg->team_name);
            ngx_http_tournament_render_string(json, "tag", base,
                                              &reg->team_tag);
            ngx_http_tournament_json_close(json);

        } else {
            ngx_http_tournament_json_null(json, "team");
        }

        ngx_http_tournament_json_open_key(json, "tournament");
        ngx_http_tournament_render_card(json, base, &reg->card, view->now);
        ngx_http_tournament_json_close(json);

        ngx_http_tournament_json_close(json);
    }

    ngx_http_tournament_json_close_array(json);
}


void
ngx_http_tournament_render_stats(ngx_http_tournament_json_t *json,
    ngx_http_tournament_view_t *view)
{
    u_char                       *base;
    uint32_t                      i;
    ngx_http_tournament_game_t   *game;
    ngx_http_tournament_stats_t  *stats;

    base = view->entry->facts;
    stats = (ngx_http_tournament_stats_t *) base;

    ngx_http_tournament_json_open_key(json, "stats");
    ngx_http_tournament_json_integer(json, "total_active",
                                     stats->total_active);
    ngx_http_tournament_json_integer(json, "players_this_month",
                                     stats->players_this_month);
    ngx_http_tournament_json_integer(json, "prize_pool_month",
                                     stats->prize_pool_month);
    ngx_http_tournament_json_integer(json, "tournaments_completed",
                                     stats->completed);
    ngx_http_tournament_json_integer(json, "new_this_week",
                                     stats->new_this_week);

    ngx_http_tournament_json_open_array(json, "games");

    game = (ngx_http_tournament_game_t *) (base + stats->games);

    for (i = 0; i < stats->n; i++, game++) {
        ngx_http_tournament_json_open(json);
        ngx_http_tournament_render_string(json, "game", base, &game->game);
        ngx_http_tournament_json_integer(json, "count", game->count);
        ngx_http_tournament_json_close(json);
    }

    ngx_http_tournament_json_close_array(json);
    ngx_http_tournament_json_close(json);
}


/* the members of a state object */

static void
ngx_http_tournament_render_state_object(ngx_http_tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user)
{
    ngx_uint_t  can_register;

    can_register = user->authenticated && !user->has_row
                   && state->registration == TOURNAMENT_REGISTRATION_OPEN;

    ngx_http_tournament_json_word(json, "phase",
                                  tournament_phase_name(state->phase));
    ngx_http_tournament_json_bool(json, "is_published", state->is_published);
    ngx_http_tournament_json_bool(json, "is_started", state->is_started);
    ngx_http_tournament_json_bool(json, "is_completed", state->is_completed);
    ngx_http_tournament_json_word(json, "registration_state",
                         tournament_registration_name(state->registration));
    ngx_http_tournament_json_bool(json, "can_register", can_register);
    ngx_http_tournament_render_reason(json, facts, state, user);
    ngx_http_tournament_json_bool(json, "is_team_based",
                                  state->is_team_based);

    ngx_http_tournament_json_open_key(json, "slots");
    ngx_http_tournament_render_slots(json, state);
    ngx_http_tournament_json_close(json);

    ngx_http_tournament_json_duration(json, "time_until_start",
                                      state->until_start);
    ngx_http_tournament_json_duration(json, "time_until_reg_closes",
                                      state->until_reg_closes);
}


static void
ngx_http_tournament_render_reason(ngx_http_tournament_json_t *json,
    tournament_facts_t *facts, tournament_state_t *state,
    tournament_user_facts_t *user)
{
    char    text[TOURNAMENT_REASON_MAX];
    size_t  len;

    if (!user->authenticated) {
        ngx_http_tournament_json_word(json, "reason",
                                      TOURNAMENT_REASON_ANONYMOUS);
        return;
    }

    if (user->has_row) {
        ngx_http_tournament_json_word(json, "reason",
                                      TOURNAMENT_REASON_REGISTERED);
        return;
    }

    len = tournament_state_reason(facts, state, text);

    ngx_http_tournament_json_string(json, "reason", text, len);
}


static void
ngx_http_tournament_render_button(ngx_http_tournament_json_t *json,
    tournament_facts_t *facts, tournament_button_e button)
{
    char    text[TOURNAMENT_BUTTON_TEXT_MAX];
    size_t  len;

    len = tournament_button_text(button, facts, text);

    ngx_http_tournament_json_word(json, "button_state",
                                  tournament_button_name(button));
    ngx_http_tournament_json_string(json, "button_text", text, len);
}


static void
ngx_http_tournament_render_slots(ngx_http_tournament_json_t *json,
    tournament_state_t *state)
{
    ngx_http_tournament_render_limit(json, "total", state, state->total);
    ngx_http_tournament_json_integer(json, "taken", state->taken);
    ngx_http_tournament_render_limit(json, "available", state,
                                     state->available);
    ngx_http_tournament_json_bool(json, "is_full", state->is_full);
    ngx_http_tournament_json_bool(json, "has_limit", state->has_limit);
}


/* a number that is null without a limit */

static void
ngx_http_tournament_render_limit(ngx_http_tournament_json_t *json,
    const char *key, tournament_state_t *state, int64_t value)
{
    if (state->has_limit) {
        ngx_http_tournament_json_integer(json, key, value);

    } else {
        ngx_http_tournament_json_null(json, key);
    }
}


/* the members of a card */

static void
ngx_http_tournament_render_card(ngx_http_tournament_json_t *json,
    u_char *base, ngx_http_tournament_card_t *card, time_t now)
{
    tournament_facts_t  *facts;
    tournament_state_t   state;

    facts = &card->facts;

    tournament_state_derive(facts, now, &state);

    ngx_http_tournament_json_integer(json, "id", facts->id);
    ngx_http_tournament_render_string(json, "slug", base, &card->slug);
    ngx_http_tournament_render_string(json, "name", base, &card->name);
    ngx_http_tournament_render_string(json, "game", base, &card->game);
    ngx_http_tournament_render_string(json, "status", base, &card->status);
    ngx_http_tournament_render_string(json, "short_description", base,
                                      &card->short_description);
    ngx_http_tournament_render_string(json, "banner", base, &card->banner);
    ngx_http_tournament_render_money(json, "entry_fee", base,
                                     &card->entry_fee);
    ngx_http_tournament_render_money(json, "prize_pool", base,
                                     &card->prize_pool);
    ngx_http_tournament_json_instant(json, "reg_open_at",
                                     facts->reg_open_at);
    ngx_http_tournament_json_instant(json, "reg_close_at",
                                     facts->reg_close_at);
    ngx_http_tournament_json_instant(json, "start_at", facts->start_at);
    ngx_http_tournament_json_instant(json, "end_at", card->end_at);
    ngx_http_tournament_json_integer(json, "registration_count",
                                     card->registered);
    ngx_http_tournament_json_word(json, "phase",
                                  tournament_phase_name(state.phase));
    ngx_http_tournament_json_word(json, "registration_state",
                          tournament_registration_name(state.registration));

    ngx_http_tournament_json_open_key(json, "slots");
    ngx_http_tournament_render_slots(json, &state);
    ngx_http_tournament_json_close(json);
}


static void
ngx_http_tournament_render_cards(ngx_http_tournament_json_t *json,
    const char *key, u_char *base, uint32_t offset, uint32_t n, time_t now)
{
    uint32_t                     i;
    ngx_http_tournament_card_t  *card;

    ngx_http_tournament_json_open_array(json, key);

    card = (ngx_http_tournament_card_t *) (base + offset);

    for (i = 0; i < n; i++) {
        ngx_http_tournament_json_open(json);
        ngx_http_tournament_render_card(json, base, &card[i], now);
        ngx_http_tournament_json_close(json);
    }

    ngx_http_tournament_json_close_array(json);
}


static void
ngx_http_tournament_render_string(ngx_http_tournament_json_t *json,
    const char *key, u_char *base, ngx_http_tournament_string_t *string)
{
    if (string->offset == 0) {
        ngx_http_tournament_json_null(json, key);
        return;
    }

    ngx_http_tournament_json_string(json, key,
                                    (char *) base + string->offset,
                                    string->len);
}


static void
ngx_http_tournament_render_money(ngx_http_tournament_json_t *json,
    const char *key, u_char *base, ngx_http_tournament_string_t *string)
{
    ngx_http_tournament_json_money(json, key, (char *) base + string->offset,
                                   string->offset ? string->len : 0);
}


/* a team's size, null without one */

static void
ngx_http_tournament_render_size(ngx_http_tournament_json_t *json,
    const char *key, int32_t size)
{
    if (size) {
        ngx_http_tournament_json_integer(json, key, size);

    } else {
        ngx_http_tournament_json_null(json, key);
    }
}


/* who asks: what the context entry knows of a user, or an anonymous */

static void
ngx_http_tournament_render_user(ngx_http_tournament_view_t *view,
    tournament_user_facts_t *user)
{
    ngx_http_tournament_context_t  *context;

    ngx_memzero(user, sizeof(tournament_user_facts_t));

    if (view->user == 0 || view->context == NULL) {
        return;
    }

    context = (ngx_http_tournament_context_t *) view->context->facts;

    if (!view->context->missing) {
        *user = context->user;
    }

    user->authenticated = 1;
}
