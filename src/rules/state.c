
/*
 * Each group of the contract's rules is one function, so that the two can be
 * read side by side.  Arithmetic on instants saturates: a fact may be any
 * 64-bit number, and infinity is one.
 */

#include <string.h>

#include "rules/state.h"


#define TOURNAMENT_SECOND  1000000


typedef struct {
    const char  *name;
    const char  *text;
    const char  *reason;
} tournament_button_t;


static int tournament_now_cmp(int64_t now, int64_t instant);
static int64_t tournament_until(int64_t now, int64_t instant);
static int64_t tournament_instant_second(int64_t instant);
static int64_t tournament_boundary(const tournament_facts_t *facts,
    int64_t now);
static int64_t tournament_sub(int64_t a, int64_t b);
static tournament_phase_e tournament_phase(const tournament_facts_t *facts,
    const tournament_state_t *state);
static tournament_registration_e tournament_registration(
    const tournament_facts_t *facts, int64_t now,
    const tournament_state_t *state);
static tournament_registration_e tournament_registration_window(
    const tournament_facts_t *facts, int64_t now,
    const tournament_state_t *state);
static tournament_button_e tournament_button(const tournament_state_t *state,
    const tournament_user_facts_t *user, const tournament_context_t *context);
static tournament_button_e tournament_button_open(
    const tournament_context_t *context);
static char *tournament_copy(char *dst, const char *s);


/* these are indexed by the enums, and in their order */

static const char  *tournament_phases[] = {
    "draft",
    "registration",
    "live",
    "completed"
};


static const char  *tournament_registrations[] = {
    "not_open",
    "open",
    "closed",
    "full",
    "started",
    "completed"
};


static const char  *tournament_reasons[] = {
    "Registration is not yet open",
    "Registration is open",
    "Registration has closed",
    "Tournament is full",
    "Tournament has already started",
    "Tournament has ended"
};


static const tournament_button_t  tournament_buttons[] = {

    { "not_authenticated",
      "Login to Register",
      TOURNAMENT_REASON_ANONYMOUS },

    { "registered",
      "Registered \xe2\x9c\x93",    /* U+2713, a check mark */
      TOURNAMENT_REASON_REGISTERED },

    { "completed",
      "Tournament Ended",
      "This tournament has ended" },

    { "started",
      "Tournament Started",
      "Tournament has already begun" },

    { "closed",
      "Registration Closed",
      "Registration deadline has passed" },

    { "not_open",
      "Not Open Yet",
      "Registration has not opened yet" },

    { "full",
      "Tournament Full",
      "All slots have been filled" },

    { "request_pending",
      "Request Pending",
      "Waiting for captain to approve" },

    { "request_approval",
      "Request Captain Approval",
      "Only the team captain can register" },

    { "no_team",
      "Create/Join Team First",
      "You need to be part of a team to register" },

    { "register",
      "Register Now",
      "Ready to register" }
};


tournament_status_e
tournament_status_parse(const char *s, size_t len)
{
    switch (len) {

    case 5:
        if (memcmp(s, "DRAFT", 5) == 0) {
            return TOURNAMENT_STATUS_DRAFT;
        }

        break;

    case 7:
        if (memcmp(s, "RUNNING", 7) == 0) {
            return TOURNAMENT_STATUS_RUNNING;
        }

        break;

    case 9:
        if (memcmp(s, "PUBLISHED", 9) == 0) {
            return TOURNAMENT_STATUS_PUBLISHED;
        }

        if (memcmp(s, "COMPLETED", 9) == 0) {
            return TOURNAMENT_STATUS_COMPLETED;
        }

        break;
    }

    return TOURNAMENT_STATUS_OTHER;
}


const char *
tournament_phase_name(tournament_phase_e phase)
{
    return tournament_phases[phase];
}


const char *
tournament_registration_name(tournament_registration_e reg)
{
    return tournament_registrations[reg];
}


const char *
tournament_button_name(tournament_button_e button)
{
    return tournament_buttons[button].name;
}


void
tournament_state_derive(const tournament_facts_t *facts, int64_t now,
    tournament_state_t *state)
{
    memset(state, 0, sizeof(tournament_state_t));

    state->is_published = facts->status == TOURNAMENT_STATUS_PUBLISHED
                          || facts->status == TOURNAMENT_STATUS_RUNNING
                          || facts->status == TOURNAMENT_STATUS_COMPLETED;
    state->is_completed = facts->status == TOURNAMENT_STATUS_COMPLETED;
    state->is_started = facts->start_at != TOURNAMENT_INSTANT_NONE
                        && tournament_now_cmp(now, facts->start_at) >= 0;
    state->is_team_based = facts->min_team_size > 1
                           || facts->max_team_size > 1;

    state->taken = facts->confirmed;

    if (facts->slot_size) {
        state->has_limit = 1;
        state->total = facts->slot_size;
        state->available = tournament_sub(facts->slot_size, facts->confirmed);
        state->is_full = facts->confirmed >= facts->slot_size;
    }

    state->until_start = tournament_until(now, facts->start_at);
    state->until_reg_closes = tournament_until(now, facts->reg_close_at);

    state->phase = tournament_phase(facts, state);
    state->registration = tournament_registration(facts, now, state);
    state->boundary = tournament_boundary(facts, now);
}


size_t
tournament_state_reason(const tournament_facts_t *facts,
    const tournament_state_t *state, char *dst)
{
    char    *p;
    size_t   n;

    if (state->registration == TOURNAMENT_REGISTRATION_NOT_OPEN) {
        p = tournament_copy(dst, "Registration opens ");
        n = tournament_text_opening(p, facts->reg_open_at);

        if (n) {
            return p + n - dst;
        }
    }

    return tournament_copy(dst, tournament_reasons[state->registration]) - dst;
}


void
tournament_context_derive(const tournament_state_t *state,
    const tournament_user_facts_t *user, tournament_context_t *context)
{
    memset(context, 0, sizeof(tournament_context_t));

    context->is_team_event = state->is_team_based;
    context->slots_available = !state->is_full;

    if (user->authenticated) {

        /* a team counts where teams play, and what is of a team needs one */

        context->has_team = state->is_team_based && user->has_team;
        context->is_captain = context->has_team && user->is_captain;

        /* who became captain after asking waits for nobody */

        context->has_pending_request = context->has_team
                                       && !user->is_captain
                                       && user->request_pending;

        context->already_registered = user->registered
                                      || user->has_row
                                      || (context->has_team
                                          && user->team_registered);
        context->team_registered = context->already_registered
                                   && context->has_team;
    }

    context->button = tournament_button(state, user, context);
    context->can_register = context->button == TOURNAMENT_BUTTON_REGISTER
                            || context->button
                               == TOURNAMENT_BUTTON_REQUEST_APPROVAL;
}


size_t
tournament_button_text(tournament_button_e button,
    const tournament_facts_t *facts, char *dst)
{
    char    *p;
    size_t   n;

    if (button == TOURNAMENT_BUTTON_NOT_OPEN) {
        p = tournament_copy(dst, "Opens ");
        n = tournament_text_opening_short(p, facts->reg_open_at);

        if (n) {
            return p + n - dst;
        }
    }

    return tournament_copy(dst, tournament_buttons[button].text) - dst;
}


size_t
tournament_button_reason(tournament_button_e button, const char *captain,
    size_t len, char *dst)
{
    char  *p;

    if (button == TOURNAMENT_BUTTON_REQUEST_PENDING && len) {
        p = tournament_copy(dst, "Waiting for ");
        memcpy(p, captain, len);

        return tournament_copy(p + len, " to approve") - dst;
    }

    return tournament_copy(dst, tournament_buttons[button].reason) - dst;
}


/*
 * Below, at or above zero: now is before, at or after the instant.  Seconds
 * are compared, and not now * 1000000, which might overflow.
 */

static int
tournament_now_cmp(int64_t now, int64_t instant)
{
    int64_t  sec;

    if (instant == TOURNAMENT_INSTANT_INFINITY) {
        return -1;
    }

    if (instant == TOURNAMENT_INSTANT_NEG_INFINITY) {
        return 1;
    }

    sec = tournament_instant_second(instant);

    if (now != sec) {
        return now < sec ? -1 : 1;
    }

    return instant % TOURNAMENT_SECOND ? -1 : 0;
}


/* whole seconds left; those that do not fit are as many as do */

static int64_t
tournament_until(int64_t now, int64_t instant)
{
    uint64_t  left;

    if (instant == TOURNAMENT_INSTANT_NONE
        || instant == TOURNAMENT_INSTANT_INFINITY
        || tournament_now_cmp(now, instant) >= 0)
    {
        return 0;
    }

    left = (uint64_t) tournament_instant_second(instant) - (uint64_t) now;

    return left > INT64_MAX ? INT64_MAX : (int64_t) left;
}


/* the second that an instant is in, before 1970 too */

static int64_t
tournament_instant_second(int64_t instant)
{
    return instant / TOURNAMENT_SECOND - (instant % TOURNAMENT_SECOND < 0);
}


/* what opens or starts does it in its second, what closes in the next one */

static int64_t
tournament_boundary(const tournament_facts_t *facts, int64_t now)
{
    int      i;
    int64_t  sec, next, instants[3];

    instants[0] = facts->reg_open_at;
    instants[1] = facts->reg_close_at;
    instants[2] = facts->start_at;

    next = 0;

    for (i = 0; i < 3; i++) {

        sec = tournament_instant_second(instants[i]);

        if (sec < now || instants[i] == TOURNAMENT_INSTANT_INFINITY) {
            continue;
        }

        if (sec == now) {
            sec++;
        }

        if (next == 0 || sec < next) {
            next = sec;
        }
    }

    return next;
}


/* a - b, or the nearest to it that an int64_t can hold */

static int64_t
tournament_sub(int64_t a, int64_t b)
{
    if (b > 0 && a < INT64_MIN + b) {
        return INT64_MIN;
    }

    if (b < 0 && a > INT64_MAX + b) {
        return INT64_MAX;
    }

    return a - b;
}


static tournament_phase_e
tournament_phase(const tournament_facts_t *facts,
    const tournament_state_t *state)
{
    switch (facts->status) {

    case TOURNAMENT_STATUS_DRAFT:
        return TOURNAMENT_PHASE_DRAFT;

    case TOURNAMENT_STATUS_COMPLETED:
        return TOURNAMENT_PHASE_COMPLETED;

    case TOURNAMENT_STATUS_RUNNING:
        return TOURNAMENT_PHASE_LIVE;
    }

    return state->is_started ? TOURNAMENT_PHASE_LIVE
                             : TOURNAMENT_PHASE_REGISTRATION;
}


static tournament_registration_e
tournament_registration(const tournament_facts_t *facts, int64_t now,
    const tournament_state_t *state)
{
    if (!state->is_published) {
        return TOURNAMENT_REGISTRATION_NOT_OPEN;
    }

    if (state->is_completed) {
        return TOURNAMENT_REGISTRATION_COMPLETED;
    }

    if (facts->reg_open_at != TOURNAMENT_INSTANT_NONE
        && facts->reg_close_at != TOURNAMENT_INSTANT_NONE)
    {
        return tournament_registration_window(facts, now, state);
    }

    if (state->is_started) {
        return TOURNAMENT_REGISTRATION_STARTED;
    }

    if (facts->status != TOURNAMENT_STATUS_PUBLISHED) {
        return TOURNAMENT_REGISTRATION_NOT_OPEN;
    }

    return state->is_full ? TOURNAMENT_REGISTRATION_FULL
                          : TOURNAMENT_REGISTRATION_OPEN;
}


/* a complete window decides alone, even past the start */

static tournament_registration_e
tournament_registration_window(const tournament_facts_t *facts, int64_t now,
    const tournament_state_t *state)
{
    if (tournament_now_cmp(now, facts->reg_open_at) < 0) {
        return TOURNAMENT_REGISTRATION_NOT_OPEN;
    }

    if (tournament_now_cmp(now, facts->reg_close_at) > 0) {
        return TOURNAMENT_REGISTRATION_CLOSED;
    }

    return state->is_full ? TOURNAMENT_REGISTRATION_FULL
                          : TOURNAMENT_REGISTRATION_OPEN;
}


static tournament_button_e
tournament_button(const tournament_state_t *state,
    const tournament_user_facts_t *user, const tournament_context_t *context)
{
    if (!user->authenticated) {
        return TOURNAMENT_BUTTON_NOT_AUTHENTICATED;
    }

    if (context->already_registered) {
        return TOURNAMENT_BUTTON_REGISTERED;
    }

    switch (state->registration) {

    case TOURNAMENT_REGISTRATION_COMPLETED:
        return TOURNAMENT_BUTTON_COMPLETED;

    case TOURNAMENT_REGISTRATION_STARTED:
        return TOURNAMENT_BUTTON_STARTED;

    case TOURNAMENT_REGISTRATION_CLOSED:
        return TOURNAMENT_BUTTON_CLOSED;

    case TOURNAMENT_REGISTRATION_NOT_OPEN:
        return TOURNAMENT_BUTTON_NOT_OPEN;

    case TOURNAMENT_REGISTRATION_FULL:
        return TOURNAMENT_BUTTON_FULL;

    case TOURNAMENT_REGISTRATION_OPEN:
        break;
    }

    return tournament_button_open(context);
}


static tournament_button_e
tournament_button_open(const tournament_context_t *context)
{
    if (!context->is_team_event) {
        return TOURNAMENT_BUTTON_REGISTER;
    }

    if (!context->has_team) {
        return TOURNAMENT_BUTTON_NO_TEAM;
    }

    if (context->has_pending_request) {
        return TOURNAMENT_BUTTON_REQUEST_PENDING;
    }

    return context->is_captain ? TOURNAMENT_BUTTON_REGISTER
                               : TOURNAMENT_BUTTON_REQUEST_APPROVAL;
}


static char *
tournament_copy(char *dst, const char *s)
{
    size_t  len;

    len = strlen(s);
    memcpy(dst, s, len);

    return dst + len;
}
