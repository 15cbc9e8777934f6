
/*
 * Facts and an instant make a state: phase, registration state, slots, time
 * left, and what the register button shows to whom.  Pure C99: no nginx, no
 * libpq, no allocation.  Nothing here can fail, overflow or keep anything,
 * whatever the facts and the instants are.
 *
 * The rules are those of the HTTP contract, "State" and "Users".
 */

#ifndef TOURNAMENT_STATE_H
#define TOURNAMENT_STATE_H


#include <stddef.h>
#include <stdint.h>

#include "rules/text.h"


/*
 * Instants are int64_t microseconds since the Unix epoch, UTC.  An infinity is
 * an instant like any other: set, and after or before all others.  Whoever
 * decodes PostgreSQL's microseconds since 2000 must make INFINITY of the last
 * thirty years of its calendar, from 294247 on: they do not fit.
 */

#define TOURNAMENT_INSTANT_NONE          INT64_MIN
#define TOURNAMENT_INSTANT_INFINITY      INT64_MAX
#define TOURNAMENT_INSTANT_NEG_INFINITY  (INT64_MIN + 1)


/* OTHER is any word that the application may come to use */

typedef enum {
    TOURNAMENT_STATUS_OTHER = 0,
    TOURNAMENT_STATUS_DRAFT,
    TOURNAMENT_STATUS_PUBLISHED,
    TOURNAMENT_STATUS_RUNNING,
    TOURNAMENT_STATUS_COMPLETED
} tournament_status_e;


typedef enum {
    TOURNAMENT_PHASE_DRAFT = 0,
    TOURNAMENT_PHASE_REGISTRATION,
    TOURNAMENT_PHASE_LIVE,
    TOURNAMENT_PHASE_COMPLETED
} tournament_phase_e;


typedef enum {
    TOURNAMENT_REGISTRATION_NOT_OPEN = 0,
    TOURNAMENT_REGISTRATION_OPEN,
    TOURNAMENT_REGISTRATION_CLOSED,
    TOURNAMENT_REGISTRATION_FULL,
    TOURNAMENT_REGISTRATION_STARTED,
    TOURNAMENT_REGISTRATION_COMPLETED
} tournament_registration_e;


/* what the register button shows, in the order of precedence */

typedef enum {
    TOURNAMENT_BUTTON_NOT_AUTHENTICATED = 0,
    TOURNAMENT_BUTTON_REGISTERED,
    TOURNAMENT_BUTTON_COMPLETED,
    TOURNAMENT_BUTTON_STARTED,
    TOURNAMENT_BUTTON_CLOSED,
    TOURNAMENT_BUTTON_NOT_OPEN,
    TOURNAMENT_BUTTON_FULL,
    TOURNAMENT_BUTTON_REQUEST_PENDING,
    TOURNAMENT_BUTTON_REQUEST_APPROVAL,
    TOURNAMENT_BUTTON_NO_TEAM,
    TOURNAMENT_BUTTON_REGISTER
} tournament_button_e;


/*
 * What the database says of a tournament, as far as its state goes.  Facts are
 * stored, compared and hashed as bytes: no hidden padding, reserved is zero.
 */

typedef struct {
    int64_t                    id;

    /*
     * The effective instants: the statement has merged the tournament's and
     * its settings'.  TOURNAMENT_INSTANT_NONE is absent.
     */
    int64_t                    reg_open_at;
    int64_t                    reg_close_at;
    int64_t                    start_at;

    int64_t                    slot_size;      /* 0: no limit */
    int64_t                    confirmed;      /* CONFIRMED registrations */
    int32_t                    min_team_size;  /* 0: none, as the next */
    int32_t                    max_team_size;
    uint32_t                   status;         /* tournament_status_e */
    uint32_t                   reserved;
} tournament_facts_t;


typedef struct {
    tournament_phase_e         phase;
    tournament_registration_e  registration;

    unsigned                   is_published:1;
    unsigned                   is_started:1;
    unsigned                   is_completed:1;
    unsigned                   is_team_based:1;
    unsigned                   has_limit:1;
    unsigned                   is_full:1;

    /*
     * total and available are null without has_limit, and 0 here.  available
     * is below zero where more are confirmed than there are slots.
     */
    int64_t                    total;
    int64_t                    taken;
    int64_t                    available;

    /* whole seconds left; 0 is null: absent, reached, past, or endless */
    int64_t                    until_start;
    int64_t                    until_reg_closes;

    /* Unix time, s, of the next instant of the facts; 0: none is ahead */
    int64_t                    boundary;
} tournament_state_t;


/*
 * What the database says of a user, or of the user's team, at a tournament.
 * All zero is an anonymous.  The last four are looked at in team events only.
 */

typedef struct {
    unsigned                   authenticated:1;
    unsigned                   registered:1;       /* own row, PENDING or
                                                      CONFIRMED */
    unsigned                   has_row:1;          /* own row, any status */
    unsigned                   team_registered:1;  /* the team's row, any
                                                      status */
    unsigned                   has_team:1;
    unsigned                   is_captain:1;
    unsigned                   request_pending:1;  /* own, for the team */
} tournament_user_facts_t;


/* registration_context, as far as it follows from facts, state and user */

typedef struct {
    tournament_button_e        button;

    unsigned                   can_register:1;
    unsigned                   is_team_event:1;
    unsigned                   is_captain:1;
    unsigned                   team_registered:1;
    unsigned                   already_registered:1;
    unsigned                   slots_available:1;
    unsigned                   has_team:1;
    unsigned                   has_pending_request:1;
} tournament_context_t;


/*
 * Sizes of what the writers below may write, in bytes.  They add no
 * terminating NUL and return the length.
 */

/* enough for the two fixed reasons below, too */
#define TOURNAMENT_REASON_MAX         48

/* "Create/Join Team First", "Request Captain Approval" */
#define TOURNAMENT_BUTTON_TEXT_MAX    32

/* besides the captain's name */
#define TOURNAMENT_BUTTON_REASON_MAX  64


/* reasons that follow from the user and not from the state */

#define TOURNAMENT_REASON_ANONYMOUS   "You must be logged in to register"
#define TOURNAMENT_REASON_REGISTERED                                          \
    "You are already registered for this tournament"


/* the status that the len bytes at s name, in capitals as the database does */

tournament_status_e tournament_status_parse(const char *s, size_t len);


/* the words of the contract: static strings, NUL-terminated */

const char *tournament_phase_name(tournament_phase_e phase);
const char *tournament_registration_name(tournament_registration_e reg);
const char *tournament_button_name(tournament_button_e button);


/*
 * Derives the state of a tournament at now, in whole seconds since the Unix
 * epoch.  The facts' microseconds count: what opens half a second after now is
 * not open.
 */

void tournament_state_derive(const tournament_facts_t *facts, int64_t now,
    tournament_state_t *state);


/*
 * Writes the sentence that tells a user without a registration how things
 * stand.  state is that of facts; at most TOURNAMENT_REASON_MAX.
 */

size_t tournament_state_reason(const tournament_facts_t *facts,
    const tournament_state_t *state, char *dst);


/* derives what a tournament's register button is for a user */

void tournament_context_derive(const tournament_state_t *state,
    const tournament_user_facts_t *user, tournament_context_t *context);


/*
 * Writes what stands on a button: at most TOURNAMENT_BUTTON_TEXT_MAX.  facts
 * give the opening instant and are read for TOURNAMENT_BUTTON_NOT_OPEN only.
 */

size_t tournament_button_text(tournament_button_e button,
    const tournament_facts_t *facts, char *dst);


/*
 * Writes why a button is what it is: at most TOURNAMENT_BUTTON_REASON_MAX and
 * len.  captain is the name of the team's captain, copied as it is and read
 * for TOURNAMENT_BUTTON_REQUEST_PENDING only; with len 0 it may be NULL.
 */

size_t tournament_button_reason(tournament_button_e button,
    const char *captain, size_t len, char *dst);


#endif /* TOURNAMENT_STATE_H */
