
/*
 * The rules of tournament_state: by example, at their boundaries, and in cross
 * products against oracles.  The oracles follow the text of the HTTP contract
 * from top to bottom, in its words, and know nothing of the code.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

#include "rules/state.h"


#define SECOND  INT64_C(1000000)
#define DAY     INT64_C(86400)

/* 2026-11-23 18:00:00 */
#define NOW     INT64_C(1795456800)

#define NONE    TOURNAMENT_INSTANT_NONE
#define ALWAYS  TOURNAMENT_INSTANT_NEG_INFINITY
#define NEVER   TOURNAMENT_INSTANT_INFINITY

#define count_of(array)  (sizeof(array) / sizeof(array[0]))


static const char  *statuses[] = {
    "DRAFT", "PUBLISHED", "RUNNING", "COMPLETED", "ARCHIVED"
};


static tournament_facts_t  facts;
static tournament_state_t  state;


/* published, open since yesterday until tomorrow, starts the day after */

static void
setup(void)
{
    memset(&facts, 0, sizeof(facts));

    facts.id = 1;
    facts.status = TOURNAMENT_STATUS_PUBLISHED;
    facts.reg_open_at = (NOW - DAY) * SECOND;
    facts.reg_close_at = (NOW + DAY) * SECOND;
    facts.start_at = (NOW + 2 * DAY) * SECOND;
    facts.slot_size = 16;
    facts.confirmed = 3;
}


static uint32_t
status_of(const char *word)
{
    return tournament_status_parse(word, strlen(word));
}


static const char *
phase_at(int64_t now)
{
    tournament_state_derive(&facts, now, &state);

    return tournament_phase_name(state.phase);
}


static const char *
registration_at(int64_t now)
{
    tournament_state_derive(&facts, now, &state);

    return tournament_registration_name(state.registration);
}


static const tournament_state_t *
state_at(int64_t now)
{
    /* what was there before must not show */

    memset(&state, 0xff, sizeof(state));
    tournament_state_derive(&facts, now, &state);

    return &state;
}


/* the text as a string, and a failure if more was written than it tells */

#define UNTOUCHED  0x7e

static char  text[512];


static void
text_clear(void)
{
    memset(text, UNTOUCHED, sizeof(text));
}


static const char *
text_of(size_t len, size_t max)
{
    size_t  i;

    ck_assert_uint_gt(len, 0);
    ck_assert_uint_le(len, max);

    for (i = len; i < sizeof(text); i++) {
        ck_assert_msg(text[i] == UNTOUCHED, "wrote past its end");
    }

    text[len] = '\0';

    return text;
}


static const char *
reason_at(int64_t now)
{
    tournament_state_derive(&facts, now, &state);

    text_clear();

    return text_of(tournament_state_reason(&facts, &state, text),
                   TOURNAMENT_REASON_MAX);
}


static const char *
button_text(tournament_button_e button)
{
    text_clear();

    return text_of(tournament_button_text(button, &facts, text),
                   TOURNAMENT_BUTTON_TEXT_MAX);
}


static const char *
button_reason(tournament_button_e button, const char *captain)
{
    size_t  len;

    len = captain ? strlen(captain) : 0;

    text_clear();

    return text_of(tournament_button_reason(button, captain, len, text),
                   TOURNAMENT_BUTTON_REASON_MAX + len);
}


/* facts are compared and hashed as bytes */

START_TEST(test_facts_have_no_padding)
{
    ck_assert_uint_eq(sizeof(facts),
                      sizeof(facts.id)
                      + sizeof(facts.reg_open_at)
                      + sizeof(facts.reg_close_at)
                      + sizeof(facts.start_at)
                      + sizeof(facts.slot_size)
                      + sizeof(facts.confirmed)
                      + sizeof(facts.min_team_size)
                      + sizeof(facts.max_team_size)
                      + sizeof(facts.status)
                      + sizeof(facts.reserved));
    ck_assert_uint_eq(sizeof(facts), 64);
}
END_TEST


START_TEST(test_status_parse)
{
    size_t  i;

    static const char  *others[] = {
        "", "D", "DRAF", "DRAFTS", "draft", "DRAFt", "Published", "PUBLISHE",
        "PUBLISHEDX", "published", "PUBLISHEX", "RUNNIN", "RUNNINGS",
        "RUNNINX", "running", "COMPLETE", "COMPLETED ", "COMPLETEX",
        " DRAFT", "CANCELLED", "ARCHIVED", "REGISTRATION_OPEN"
    };

    ck_assert_int_eq(status_of("DRAFT"), TOURNAMENT_STATUS_DRAFT);
    ck_assert_int_eq(status_of("PUBLISHED"), TOURNAMENT_STATUS_PUBLISHED);
    ck_assert_int_eq(status_of("RUNNING"), TOURNAMENT_STATUS_RUNNING);
    ck_assert_int_eq(status_of("COMPLETED"), TOURNAMENT_STATUS_COMPLETED);

    for (i = 0; i < count_of(others); i++) {
        ck_assert_msg(status_of(others[i]) == TOURNAMENT_STATUS_OTHER,
                      "\"%s\" is no status", others[i]);
    }

    ck_assert_int_eq(tournament_status_parse(NULL, 0),
                     TOURNAMENT_STATUS_OTHER);

    /* the length decides, not a NUL */

    ck_assert_int_eq(tournament_status_parse("DRAFT", 4),
                     TOURNAMENT_STATUS_OTHER);
    ck_assert_int_eq(tournament_status_parse("DRAFT\0", 6),
                     TOURNAMENT_STATUS_OTHER);
    ck_assert_int_eq(tournament_status_parse("RUNNINGMAN", 7),
                     TOURNAMENT_STATUS_RUNNING);
}
END_TEST


START_TEST(test_names)
{
    ck_assert_str_eq(tournament_phase_name(TOURNAMENT_PHASE_DRAFT), "draft");
    ck_assert_str_eq(tournament_phase_name(TOURNAMENT_PHASE_REGISTRATION),
                     "registration");
    ck_assert_str_eq(tournament_phase_name(TOURNAMENT_PHASE_LIVE), "live");
    ck_assert_str_eq(tournament_phase_name(TOURNAMENT_PHASE_COMPLETED),
                     "completed");

#define check_registration(reg, name)                                         \
    ck_assert_str_eq(tournament_registration_name(reg), name)

    check_registration(TOURNAMENT_REGISTRATION_NOT_OPEN, "not_open");
    check_registration(TOURNAMENT_REGISTRATION_OPEN, "open");
    check_registration(TOURNAMENT_REGISTRATION_CLOSED, "closed");
    check_registration(TOURNAMENT_REGISTRATION_FULL, "full");
    check_registration(TOURNAMENT_REGISTRATION_STARTED, "started");
    check_registration(TOURNAMENT_REGISTRATION_COMPLETED, "completed");
}
END_TEST


START_TEST(test_status_flags)
{
    size_t  i;

    static const struct {
        const char  *status;
        unsigned     published;
        unsigned     completed;
    } expected[] = {
        { "DRAFT",     0, 0 },
        { "PUBLISHED", 1, 0 },
        { "RUNNING",   1, 0 },
        { "COMPLETED", 1, 1 },
        { "ARCHIVED",  0, 0 }
    };

    for (i = 0; i < count_of(expected); i++) {
        facts.status = status_of(expected[i].status);

        ck_assert_uint_eq(state_at(NOW)->is_published, expected[i].published);
        ck_assert_uint_eq(state_at(NOW)->is_completed, expected[i].completed);
    }

    /* not even a value that no parser gives is anything else */

    facts.status = UINT32_MAX;
    ck_assert_uint_eq(state_at(NOW)->is_published, 0);
    ck_assert_str_eq(phase_at(NOW), "registration");
    ck_assert_str_eq(registration_at(NOW), "not_open");
}
END_TEST


/* before, at and after the start */

START_TEST(test_phase)
{
    size_t  i;

    static const struct {
        const char  *status;
        const char  *before;
        const char  *after;
    } expected[] = {
        { "DRAFT",     "draft",        "draft" },
        { "PUBLISHED", "registration", "live" },
        { "RUNNING",   "live",         "live" },
        { "COMPLETED", "completed",    "completed" },
        { "ARCHIVED",  "registration", "live" }
    };

    for (i = 0; i < count_of(expected); i++) {
        facts.status = status_of(expected[i].status);

        facts.start_at = NOW * SECOND;
        ck_assert_str_eq(phase_at(NOW - 1), expected[i].before);
        ck_assert_str_eq(phase_at(NOW), expected[i].after);
        ck_assert_str_eq(phase_at(NOW + 1), expected[i].after);

        facts.start_at = NONE;
        ck_assert_str_eq(phase_at(NOW), expected[i].before);

        facts.start_at = NEVER;
        ck_assert_str_eq(phase_at(NOW), expected[i].before);

        facts.start_at = ALWAYS;
        ck_assert_str_eq(phase_at(NOW), expected[i].after);
    }
}
END_TEST


START_TEST(test_started)
{
    facts.start_at = NOW * SECOND;
    ck_assert_uint_eq(state_at(NOW - 1)->is_started, 0);
    ck_assert_uint_eq(state_at(NOW)->is_started, 1);
    ck_assert_uint_eq(state_at(NOW + 1)->is_started, 1);

    facts.start_at = NOW * SECOND + 1;
    ck_assert_uint_eq(state_at(NOW)->is_started, 0);
    ck_assert_uint_eq(state_at(NOW + 1)->is_started, 1);

    facts.start_at = NOW * SECOND + 999999;
    ck_assert_uint_eq(state_at(NOW)->is_started, 0);
    ck_assert_uint_eq(state_at(NOW + 1)->is_started, 1);

    facts.start_at = NOW * SECOND - 1;
    ck_assert_uint_eq(state_at(NOW - 1)->is_started, 0);
    ck_assert_uint_eq(state_at(NOW)->is_started, 1);

    facts.start_at = NONE;
    ck_assert_uint_eq(state_at(NOW)->is_started, 0);

    facts.start_at = NEVER;
    ck_assert_uint_eq(state_at(NOW)->is_started, 0);
    ck_assert_uint_eq(state_at(INT64_MAX)->is_started, 0);

    facts.start_at = ALWAYS;
    ck_assert_uint_eq(state_at(NOW)->is_started, 1);
    ck_assert_uint_eq(state_at(INT64_MIN)->is_started, 1);

    /* a status is not a start */

    facts.start_at = NONE;
    facts.status = TOURNAMENT_STATUS_RUNNING;
    ck_assert_uint_eq(state_at(NOW)->is_started, 0);
}
END_TEST


START_TEST(test_before_the_epoch)
{
    facts.start_at = -1;
    ck_assert_uint_eq(state_at(-1)->is_started, 0);
    ck_assert_int_eq(state.until_start, 0);
    ck_assert_uint_eq(state_at(0)->is_started, 1);

    facts.start_at = -10 * SECOND;
    ck_assert_uint_eq(state_at(-11)->is_started, 0);
    ck_assert_int_eq(state.until_start, 1);
    ck_assert_uint_eq(state_at(-10)->is_started, 1);

    facts.start_at = -10 * SECOND - 1;
    ck_assert_uint_eq(state_at(-12)->is_started, 0);
    ck_assert_int_eq(state.until_start, 1);
    ck_assert_uint_eq(state_at(-11)->is_started, 0);
    ck_assert_int_eq(state.until_start, 0);
    ck_assert_uint_eq(state_at(-10)->is_started, 1);
}
END_TEST


START_TEST(test_window)
{
    facts.reg_open_at = NOW * SECOND;
    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(registration_at(NOW + 1), "open");

    facts.reg_open_at = (NOW - DAY) * SECOND;
    facts.reg_close_at = NOW * SECOND;
    ck_assert_str_eq(registration_at(NOW - 1), "open");
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(registration_at(NOW + 1), "closed");

    /* fractions of a second */

    facts.reg_open_at = NOW * SECOND + 1;
    facts.reg_close_at = (NOW + DAY) * SECOND;
    ck_assert_str_eq(registration_at(NOW), "not_open");
    ck_assert_str_eq(registration_at(NOW + 1), "open");

    facts.reg_open_at = NOW * SECOND - 1;
    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "open");

    facts.reg_open_at = (NOW - DAY) * SECOND;
    facts.reg_close_at = NOW * SECOND + 999999;
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(registration_at(NOW + 1), "closed");

    facts.reg_close_at = NOW * SECOND - 1;
    ck_assert_str_eq(registration_at(NOW - 1), "open");
    ck_assert_str_eq(registration_at(NOW), "closed");

    /* a window of one instant, and one that closes before it opens */

    facts.reg_open_at = NOW * SECOND;
    facts.reg_close_at = NOW * SECOND;
    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(registration_at(NOW + 1), "closed");

    facts.reg_close_at = (NOW - 10) * SECOND;
    ck_assert_str_eq(registration_at(NOW - 11), "not_open");
    ck_assert_str_eq(registration_at(NOW - 5), "not_open");
    ck_assert_str_eq(registration_at(NOW), "closed");
}
END_TEST


START_TEST(test_window_full)
{
    facts.confirmed = 16;
    facts.reg_open_at = NOW * SECOND;
    facts.reg_close_at = (NOW + 10) * SECOND;

    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "full");
    ck_assert_str_eq(registration_at(NOW + 10), "full");
    ck_assert_str_eq(registration_at(NOW + 11), "closed");
}
END_TEST


/* neither the start nor RUNNING closes a window that is set */

START_TEST(test_window_decides_alone)
{
    facts.start_at = (NOW - 1) * SECOND;
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(phase_at(NOW), "live");

    facts.status = TOURNAMENT_STATUS_RUNNING;
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(registration_at(NOW - 2 * DAY), "not_open");
    ck_assert_str_eq(registration_at(NOW + 2 * DAY), "closed");

    facts.start_at = NONE;
    ck_assert_str_eq(registration_at(NOW), "open");

    facts.confirmed = 16;
    ck_assert_str_eq(registration_at(NOW), "full");
}
END_TEST


START_TEST(test_window_infinite)
{
    facts.reg_open_at = ALWAYS;
    facts.reg_close_at = NEVER;
    ck_assert_str_eq(registration_at(NOW), "open");
    ck_assert_str_eq(registration_at(INT64_MIN), "open");
    ck_assert_str_eq(registration_at(INT64_MAX), "open");
    ck_assert_int_eq(state_at(NOW)->until_reg_closes, 0);

    facts.reg_open_at = NEVER;
    ck_assert_str_eq(registration_at(NOW), "not_open");
    ck_assert_str_eq(registration_at(INT64_MAX), "not_open");

    facts.reg_open_at = ALWAYS;
    facts.reg_close_at = ALWAYS;
    ck_assert_str_eq(registration_at(NOW), "closed");
    ck_assert_str_eq(registration_at(INT64_MIN), "closed");
    ck_assert_int_eq(state_at(NOW)->until_reg_closes, 0);
}
END_TEST


/* open alone, close alone or neither: the loop's index takes them away */

START_TEST(test_half_window)
{
    /* what stays must not count: it would make the window not open, closed */

    facts.reg_open_at = (_i & 1) ? NONE : (NOW + 10 * DAY) * SECOND;
    facts.reg_close_at = (_i & 2) ? NONE : (NOW - 10 * DAY) * SECOND;

    facts.start_at = NOW * SECOND;
    ck_assert_str_eq(registration_at(NOW - 1), "open");
    ck_assert_str_eq(registration_at(NOW), "started");
    ck_assert_str_eq(registration_at(NOW + 1), "started");

    facts.confirmed = 16;
    ck_assert_str_eq(registration_at(NOW - 1), "full");
    ck_assert_str_eq(registration_at(NOW), "started");

    facts.start_at = NONE;
    ck_assert_str_eq(registration_at(NOW), "full");

    facts.confirmed = 15;
    ck_assert_str_eq(registration_at(NOW), "open");

    facts.status = TOURNAMENT_STATUS_RUNNING;
    ck_assert_str_eq(registration_at(NOW), "not_open");

    facts.start_at = NOW * SECOND;
    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "started");

    facts.status = TOURNAMENT_STATUS_COMPLETED;
    ck_assert_str_eq(registration_at(NOW), "completed");

    facts.status = TOURNAMENT_STATUS_DRAFT;
    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "not_open");

    facts.status = TOURNAMENT_STATUS_OTHER;
    ck_assert_str_eq(registration_at(NOW - 1), "not_open");
    ck_assert_str_eq(registration_at(NOW), "not_open");
}
END_TEST


/* status comes before the window */

START_TEST(test_status_decides_first)
{
    facts.status = TOURNAMENT_STATUS_DRAFT;
    ck_assert_str_eq(registration_at(NOW), "not_open");
    ck_assert_str_eq(registration_at(NOW + 2 * DAY), "not_open");

    facts.status = TOURNAMENT_STATUS_OTHER;
    ck_assert_str_eq(registration_at(NOW), "not_open");

    facts.status = TOURNAMENT_STATUS_COMPLETED;
    ck_assert_str_eq(registration_at(NOW - 2 * DAY), "completed");
    ck_assert_str_eq(registration_at(NOW), "completed");
    ck_assert_str_eq(registration_at(NOW + 2 * DAY), "completed");
}
END_TEST


START_TEST(test_slots)
{
    size_t  i;

    static const struct {
        int64_t   slot_size, confirmed;
        unsigned  has_limit, is_full;
        int64_t   total, available;
    } expected[] = {
        {  0,  0, 0, 0,  0,  0 },
        {  0, 16, 0, 0,  0,  0 },
        { 16,  0, 1, 0, 16, 16 },
        { 16,  3, 1, 0, 16, 13 },
        { 16, 15, 1, 0, 16,  1 },
        { 16, 16, 1, 1, 16,  0 },
        { 16, 17, 1, 1, 16, -1 },
        {  1,  0, 1, 0,  1,  1 },
        {  1,  1, 1, 1,  1,  0 },

        /* only null and 0 are no limit */

        { -1,  0, 1, 1, -1, -1 },
        { -4,  3, 1, 1, -4, -7 },

        { INT64_MAX, 0, 1, 0, INT64_MAX, INT64_MAX },
        { INT64_MAX, -1, 1, 0, INT64_MAX, INT64_MAX },
        { INT64_MAX, INT64_MIN, 1, 0, INT64_MAX, INT64_MAX },
        { INT64_MAX, INT64_MAX, 1, 1, INT64_MAX, 0 },
        { 1, INT64_MAX, 1, 1, 1, 1 - INT64_MAX },
        { -1, INT64_MAX, 1, 1, -1, INT64_MIN },
        { -2, INT64_MAX, 1, 1, -2, INT64_MIN },
        { -1, INT64_MIN, 1, 0, -1, INT64_MAX },
        { -2, INT64_MIN, 1, 0, -2, INT64_MAX - 1 },
        { 1, INT64_MIN, 1, 0, 1, INT64_MAX },
        { INT64_MIN, 0, 1, 1, INT64_MIN, INT64_MIN },
        { INT64_MIN, 1, 1, 1, INT64_MIN, INT64_MIN },
        { INT64_MIN, -1, 1, 1, INT64_MIN, INT64_MIN + 1 },
        { INT64_MIN, INT64_MAX, 1, 1, INT64_MIN, INT64_MIN },
        { INT64_MIN, INT64_MIN, 1, 1, INT64_MIN, 0 }
    };

    for (i = 0; i < count_of(expected); i++) {
        facts.slot_size = expected[i].slot_size;
        facts.confirmed = expected[i].confirmed;

        state_at(NOW);

        ck_assert_uint_eq(state.has_limit, expected[i].has_limit);
        ck_assert_uint_eq(state.is_full, expected[i].is_full);
        ck_assert_int_eq(state.total, expected[i].total);
        ck_assert_int_eq(state.taken, expected[i].confirmed);
        ck_assert_int_eq(state.available, expected[i].available);
        ck_assert_int_eq(state.registration == TOURNAMENT_REGISTRATION_FULL,
                         expected[i].is_full);
    }
}
END_TEST


START_TEST(test_team_based)
{
    size_t  i;

    static const struct {
        int32_t   min, max;
        unsigned  team_based;
    } expected[] = {
        { 0, 0, 0 }, { 1, 0, 0 }, { 0, 1, 0 }, { 1, 1, 0 },
        { 2, 0, 1 }, { 0, 2, 1 }, { 2, 1, 1 }, { 1, 2, 1 }, { 5, 5, 1 },
        { -2, 0, 0 }, { 0, -2, 0 }, { -2, 2, 1 },
        { INT32_MIN, INT32_MIN, 0 }, { INT32_MAX, INT32_MIN, 1 },
        { INT32_MIN, INT32_MAX, 1 }
    };

    for (i = 0; i < count_of(expected); i++) {
        facts.min_team_size = expected[i].min;
        facts.max_team_size = expected[i].max;

        ck_assert_uint_eq(state_at(NOW)->is_team_based,
                          expected[i].team_based);
    }
}
END_TEST


/* both times left follow the same rule */

START_TEST(test_time_left)
{
    size_t   i;

    static const struct {
        int64_t  us;        /* after now */
        int64_t  left;
    } expected[] = {
        { 0, 0 },
        { 1, 0 },
        { 999999, 0 },
        { 1000000, 1 },
        { 1000001, 1 },
        { 1999999, 1 },
        { 2000000, 2 },
        { 59 * SECOND, 59 },
        { DAY * SECOND - 1, DAY - 1 },
        { DAY * SECOND, DAY },
        { (2 * DAY + 11045) * SECOND, 2 * DAY + 11045 },
        { -1, 0 },
        { -999999, 0 },
        { -1000000, 0 },
        { -1000001, 0 },
        { -DAY * SECOND, 0 }
    };

    for (i = 0; i < count_of(expected); i++) {
        setup();

        facts.start_at = NOW * SECOND + expected[i].us;
        ck_assert_int_eq(state_at(NOW)->until_start, expected[i].left);
        ck_assert_int_eq(state.until_reg_closes, DAY);

        setup();

        facts.reg_close_at = NOW * SECOND + expected[i].us;
        ck_assert_int_eq(state_at(NOW)->until_reg_closes, expected[i].left);
        ck_assert_int_eq(state.until_start, 2 * DAY);
    }

    facts.start_at = NONE;
    facts.reg_close_at = NONE;
    ck_assert_int_eq(state_at(NOW)->until_start, 0);
    ck_assert_int_eq(state.until_reg_closes, 0);
    ck_assert_int_eq(state_at(INT64_MIN)->until_start, 0);

    facts.start_at = NEVER;
    facts.reg_close_at = NEVER;
    ck_assert_int_eq(state_at(NOW)->until_start, 0);
    ck_assert_int_eq(state.until_reg_closes, 0);
    ck_assert_int_eq(state_at(INT64_MIN)->until_start, 0);

    facts.start_at = ALWAYS;
    facts.reg_close_at = ALWAYS;
    ck_assert_int_eq(state_at(NOW)->until_start, 0);
    ck_assert_int_eq(state.until_reg_closes, 0);
    ck_assert_int_eq(state_at(INT64_MIN)->until_start, 0);
}
END_TEST


START_TEST(test_time_left_extreme)
{
    const int64_t  last = INT64_MAX / SECOND, first = INT64_MIN / SECOND - 1;

    facts.start_at = NEVER - 1;
    ck_assert_int_eq(state_at(0)->until_start, last);
    ck_assert_int_eq(state_at(last - 1)->until_start, 1);
    ck_assert_int_eq(state_at(last)->until_start, 0);
    ck_assert_uint_eq(state.is_started, 0);
    ck_assert_uint_eq(state_at(last + 1)->is_started, 1);
    ck_assert_uint_eq(state_at(INT64_MAX)->is_started, 1);
    ck_assert_int_eq(state_at(-INT64_MAX + last)->until_start, INT64_MAX);
    ck_assert_int_eq(state_at(-INT64_MAX + last + 1)->until_start,
                     INT64_MAX - 1);
    ck_assert_int_eq(state_at(INT64_MIN)->until_start, INT64_MAX);
    ck_assert_uint_eq(state.is_started, 0);

    facts.start_at = ALWAYS + 1;
    ck_assert_uint_eq(state_at(first + 1)->is_started, 1);
    ck_assert_uint_eq(state_at(first)->is_started, 0);
    ck_assert_int_eq(state.until_start, 0);
    ck_assert_int_eq(state_at(first - 1)->until_start, 1);
    ck_assert_int_eq(state_at(INT64_MIN)->until_start, INT64_MAX + first + 1);
}
END_TEST


/* nothing overflows: the sanitizer is the judge */

START_TEST(test_extremes)
{
    size_t               open, close, start, slots, taken, now;
    tournament_state_t  *s = &state;

    static const int64_t  values[] = {
        INT64_MIN, INT64_MIN + 1, INT64_MIN + 2, -SECOND - 1, -1, 0, 1,
        SECOND, INT64_MAX / SECOND, INT64_MAX - 1, INT64_MAX
    };

#define each(i)  for (i = 0; i < count_of(values); i++)

    each(open) each(close) each(start) each(now) {
        facts.reg_open_at = values[open];
        facts.reg_close_at = values[close];
        facts.start_at = values[start];

        tournament_state_derive(&facts, values[now], s);

        if (s->until_start < 0 || s->until_reg_closes < 0) {
            ck_abort_msg("time left is never below zero");
        }

        if (tournament_state_reason(&facts, s, text) > TOURNAMENT_REASON_MAX) {
            ck_abort_msg("a reason too long");
        }
    }

    each(slots) each(taken) {
        facts.slot_size = values[slots];
        facts.confirmed = values[taken];

        tournament_state_derive(&facts, NOW, s);

        if (s->has_limit && s->is_full != (s->available <= 0)) {
            ck_abort_msg("full with slots left, or not full without");
        }
    }
}
END_TEST


/* "Rules, from facts and the instant now", as the contract has them */

typedef struct {
    const char  *status;
    int64_t      open, close, start;        /* NONE is null */
    int64_t      slot_size, confirmed;
    int32_t      min_team_size, max_team_size;
} row_t;


typedef struct {
    const char  *phase;
    const char  *registration_state;
    int          is_published, is_started, is_completed, is_team_based;
    int          has_limit, is_full;
    int64_t      total, taken, available;
    int64_t      until_start, until_reg_closes;
} answer_t;


static int
is(const row_t *r, const char *status)
{
    return strcmp(r->status, status) == 0;
}


static int64_t
oracle_left(int64_t instant, int64_t now_us)
{
    if (instant == NONE || instant == NEVER || instant <= now_us) {
        return 0;
    }

    return (instant - now_us) / SECOND;
}


static const char *
oracle_phase(const row_t *r, const answer_t *a)
{
    return is(r, "DRAFT") ? "draft"
           : is(r, "COMPLETED") ? "completed"
           : is(r, "RUNNING") ? "live"
           : a->is_started ? "live"
           : "registration";
}


static const char *
oracle_registration(const row_t *r, const answer_t *a, int64_t now_us)
{
    int  both, either_missing;

    both = r->open != NONE && r->close != NONE;
    either_missing = !both;

    return !a->is_published ? "not_open"
           : a->is_completed ? "completed"
           : (both && now_us < r->open) ? "not_open"
           : (both && now_us > r->close) ? "closed"
           : (both && a->is_full) ? "full"
           : both ? "open"
           : (either_missing && is(r, "PUBLISHED") && !a->is_started
              && a->is_full) ? "full"
           : (is(r, "PUBLISHED") && !a->is_started) ? "open"
           : a->is_started ? "started"
           : "not_open";
}


static void
oracle(const row_t *r, int64_t now_us, answer_t *a)
{
    a->is_started = r->start != NONE && now_us >= r->start;
    a->is_published = is(r, "PUBLISHED") || is(r, "RUNNING")
                      || is(r, "COMPLETED");
    a->is_completed = is(r, "COMPLETED");
    a->is_team_based = r->min_team_size > 1 || r->max_team_size > 1;

    a->has_limit = r->slot_size != 0;
    a->taken = r->confirmed;
    a->total = a->has_limit ? r->slot_size : 0;
    a->available = a->has_limit ? r->slot_size - r->confirmed : 0;
    a->is_full = a->has_limit && r->confirmed >= r->slot_size;

    a->until_start = oracle_left(r->start, now_us);
    a->until_reg_closes = oracle_left(r->close, now_us);

    a->phase = oracle_phase(r, a);
    a->registration_state = oracle_registration(r, a, now_us);
}


static int
agree(const tournament_state_t *s, const answer_t *a)
{
    return strcmp(tournament_phase_name(s->phase), a->phase) == 0
           && strcmp(tournament_registration_name(s->registration),
                     a->registration_state) == 0
           && (int) s->is_published == a->is_published
           && (int) s->is_started == a->is_started
           && (int) s->is_completed == a->is_completed
           && (int) s->is_team_based == a->is_team_based
           && (int) s->has_limit == a->has_limit
           && (int) s->is_full == a->is_full
           && s->total == a->total
           && s->taken == a->taken
           && s->available == a->available
           && s->until_start == a->until_start
           && s->until_reg_closes == a->until_reg_closes;
}


static void
compare_with_oracle(const row_t *r, int64_t now)
{
    answer_t  a;

    oracle(r, now * SECOND, &a);

    facts.status = status_of(r->status);
    facts.reg_open_at = r->open;
    facts.reg_close_at = r->close;
    facts.start_at = r->start;
    facts.slot_size = r->slot_size;
    facts.confirmed = r->confirmed;
    facts.min_team_size = r->min_team_size;
    facts.max_team_size = r->max_team_size;

    if (!agree(state_at(now), &a)) {
        ck_abort_msg("%s, now %" PRId64 ", open %" PRId64 ", close %" PRId64
                     ", start %" PRId64 ", %" PRId64 " of %" PRId64
                     ", teams %d-%d: \"%s\", \"%s\", not \"%s\", \"%s\"",
                     r->status, now * SECOND, r->open, r->close, r->start,
                     r->confirmed, r->slot_size, (int) r->min_team_size,
                     (int) r->max_team_size,
                     tournament_phase_name(state.phase),
                     tournament_registration_name(state.registration),
                     a.phase, a.registration_state);
    }
}


static const int64_t  nows[] = { NOW, 0, -DAY, 1 };


static int64_t
instant(size_t i, int64_t now)
{
    static const int64_t  offsets[] = {
        -DAY * SECOND, -SECOND - 1, -SECOND, -SECOND + 1, -1, 0, 1, 500000,
        SECOND - 1, SECOND, SECOND + 1, DAY * SECOND + 1
    };

    switch (i) {
    case 0:
        return NONE;
    case 1:
        return ALWAYS;
    case 2:
        return NEVER;
    }

    return now * SECOND + offsets[i - 3];
}


#define INSTANTS  15


/* the loop's index is the status */

START_TEST(test_state_cross_product)
{
    size_t   open, close, start, slots, taken, n;
    row_t    r;
    int64_t  now;

    static const int64_t  slot_sizes[] = { 0, 1, 16, -1 };
    static const int64_t  confirmed[] = { 0, 1, 15, 16, 17 };

    memset(&r, 0, sizeof(r));
    r.status = statuses[_i];

    for (n = 0; n < count_of(nows); n++) {
        now = nows[n];

        for (open = 0; open < INSTANTS; open++) {
            r.open = instant(open, now);

            for (close = 0; close < INSTANTS; close++) {
                r.close = instant(close, now);

                for (start = 0; start < INSTANTS; start++) {
                    r.start = instant(start, now);

                    for (slots = 0; slots < 4; slots++) {
                        r.slot_size = slot_sizes[slots];

                        for (taken = 0; taken < 5; taken++) {
                            r.confirmed = confirmed[taken];
                            compare_with_oracle(&r, now);
                        }
                    }
                }
            }
        }
    }
}
END_TEST


START_TEST(test_state_cross_product_teams)
{
    size_t  status, start;
    row_t   r;

    memset(&r, 0, sizeof(r));
    r.open = NONE;
    r.close = NONE;

    for (status = 0; status < count_of(statuses); status++) {
        r.status = statuses[status];

        for (start = 0; start < INSTANTS; start++) {
            r.start = instant(start, NOW);

            for (r.min_team_size = -1; r.min_team_size < 6;
                 r.min_team_size++)
            {
                for (r.max_team_size = -1; r.max_team_size < 6;
                     r.max_team_size++)
                {
                    compare_with_oracle(&r, NOW);
                }
            }
        }
    }
}
END_TEST


START_TEST(test_reasons)
{
    ck_assert_str_eq(reason_at(NOW), "Registration is open");
    ck_assert_str_eq(reason_at(NOW + DAY), "Registration is open");
    ck_assert_str_eq(reason_at(NOW + DAY + 1), "Registration has closed");

    facts.confirmed = 16;
    ck_assert_str_eq(reason_at(NOW), "Tournament is full");

    facts.reg_close_at = NONE;
    facts.start_at = NOW * SECOND;
    ck_assert_str_eq(reason_at(NOW), "Tournament has already started");

    facts.status = TOURNAMENT_STATUS_COMPLETED;
    ck_assert_str_eq(reason_at(NOW), "Tournament has ended");

    ck_assert_uint_le(sizeof(TOURNAMENT_REASON_ANONYMOUS) - 1,
                      TOURNAMENT_REASON_MAX);
    ck_assert_uint_le(sizeof(TOURNAMENT_REASON_REGISTERED) - 1,
                      TOURNAMENT_REASON_MAX);
}
END_TEST


START_TEST(test_reason_not_open)
{
    facts.reg_open_at = NOW * SECOND;
    ck_assert_str_eq(reason_at(NOW - 1),
                     "Registration opens Nov 23, 2026 at 18:00");
    ck_assert_str_eq(reason_at(NOW), "Registration is open");

    facts.reg_open_at = (NOW + 59) * SECOND + 999999;
    ck_assert_str_eq(reason_at(NOW),
                     "Registration opens Nov 23, 2026 at 18:00");

    /* a draft has an opening instant, or none */

    facts.status = TOURNAMENT_STATUS_DRAFT;
    ck_assert_str_eq(reason_at(NOW),
                     "Registration opens Nov 23, 2026 at 18:00");

    facts.reg_open_at = NONE;
    ck_assert_str_eq(reason_at(NOW), "Registration is not yet open");

    /* an opening that has no date is none */

    facts.status = TOURNAMENT_STATUS_PUBLISHED;
    facts.reg_open_at = NEVER;
    ck_assert_str_eq(reason_at(NOW), "Registration is not yet open");

    facts.reg_open_at = INT64_C(253402300800) * SECOND;
    ck_assert_str_eq(reason_at(NOW), "Registration is not yet open");

    facts.reg_open_at = INT64_C(253402300800) * SECOND - 1;
    ck_assert_str_eq(reason_at(NOW),
                     "Registration opens Dec 31, 9999 at 23:59");
}
END_TEST


/* button_state, button_text and reason, as the contract's table has them */

typedef struct {
    const char  *button_state;
    const char  *button_text;
    const char  *reason;
    unsigned     can_register;
} button_t;


static const button_t  buttons[] = {

    { "not_authenticated", "Login to Register",
      "You must be logged in to register", 0 },

    { "registered", "Registered ✓",
      "You are already registered for this tournament", 0 },

    { "completed", "Tournament Ended",
      "This tournament has ended", 0 },

    { "started", "Tournament Started",
      "Tournament has already begun", 0 },

    { "closed", "Registration Closed",
      "Registration deadline has passed", 0 },

    { "not_open", "Opens Nov 23, 18:00",
      "Registration has not opened yet", 0 },

    { "full", "Tournament Full",
      "All slots have been filled", 0 },

    { "request_pending", "Request Pending",
      "Waiting for captain to approve", 0 },

    { "request_approval", "Request Captain Approval",
      "Only the team captain can register", 1 },

    { "no_team", "Create/Join Team First",
      "You need to be part of a team to register", 0 },

    { "register", "Register Now",
      "Ready to register", 1 }
};


START_TEST(test_buttons)
{
    unsigned  i;

    facts.reg_open_at = NOW * SECOND;

    for (i = 0; i < count_of(buttons); i++) {
        ck_assert_str_eq(tournament_button_name((tournament_button_e) i),
                         buttons[i].button_state);
        ck_assert_str_eq(button_text((tournament_button_e) i),
                         buttons[i].button_text);
        ck_assert_str_eq(button_reason((tournament_button_e) i, NULL),
                         buttons[i].reason);
    }

    ck_assert_int_eq(TOURNAMENT_BUTTON_REGISTER, count_of(buttons) - 1);
}
END_TEST


START_TEST(test_button_not_open)
{
    facts.reg_open_at = NOW * SECOND + 1;
    ck_assert_str_eq(button_text(TOURNAMENT_BUTTON_NOT_OPEN),
                     "Opens Nov 23, 18:00");

    facts.reg_open_at = NONE;
    ck_assert_str_eq(button_text(TOURNAMENT_BUTTON_NOT_OPEN), "Not Open Yet");

    facts.reg_open_at = NEVER;
    ck_assert_str_eq(button_text(TOURNAMENT_BUTTON_NOT_OPEN), "Not Open Yet");
}
END_TEST


/* the table's "<captain>" is a name; all others know none */

START_TEST(test_button_captain)
{
    unsigned  i;
    char      name[321];

    const tournament_button_e  pending = TOURNAMENT_BUTTON_REQUEST_PENDING;

    ck_assert_str_eq(button_reason(pending, "Mira"),
                     "Waiting for Mira to approve");
    ck_assert_str_eq(button_reason(pending, "%s\"✓"),
                     "Waiting for %s\"✓ to approve");
    ck_assert_str_eq(button_reason(pending, ""),
                     "Waiting for captain to approve");
    ck_assert_str_eq(button_reason(pending, NULL),
                     "Waiting for captain to approve");

    /* 80 characters of four bytes */

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ck_assert_uint_eq(strlen(button_reason(pending, name)),
                      strlen("Waiting for  to approve") + 320);

    for (i = 0; i < count_of(buttons); i++) {
        if (i != pending) {
            ck_assert_str_eq(button_reason((tournament_button_e) i, "Mira"),
                             buttons[i].reason);
        }
    }
}
END_TEST


/* "First that holds", for a user who is in the database as it says */

typedef struct {
    int          anonymous, own_row, team_row, member, captain, pending;
    int          team_event, full;
    const char  *registration_state;
} situation_t;


static const char *
oracle_button(const situation_t *s)
{
    int  registered;

    registered = s->own_row || (s->team_event && s->member && s->team_row);

#define state_is(word)  (strcmp(s->registration_state, word) == 0)

    return s->anonymous ? "not_authenticated"
           : registered ? "registered"
           : state_is("completed") ? "completed"
           : state_is("started") ? "started"
           : state_is("closed") ? "closed"
           : state_is("not_open") ? "not_open"
           : state_is("full") ? "full"
           : (s->team_event && s->member && s->pending && !s->captain)
             ? "request_pending"
           : (s->team_event && s->member && !s->captain) ? "request_approval"
           : (s->team_event && !s->member) ? "no_team"
           : "register";
}


static unsigned
oracle_can_register(const char *button_state)
{
    size_t  i;

    for (i = 0; i < count_of(buttons); i++) {
        if (strcmp(buttons[i].button_state, button_state) == 0) {
            return buttons[i].can_register;
        }
    }

    ck_abort_msg("no such button: %s", button_state);

    return 0;
}


static void
compare_context(const tournament_user_facts_t *user, unsigned bits)
{
    int                   known, registered, member;
    const char           *button;
    situation_t           s;
    tournament_context_t  context;

    s.anonymous = !user->authenticated;
    s.own_row = user->registered || user->has_row;
    s.team_row = user->team_registered;
    s.member = user->has_team;
    s.captain = user->is_captain;
    s.pending = user->request_pending;
    s.team_event = state.is_team_based;
    s.full = state.is_full;
    s.registration_state = tournament_registration_name(state.registration);

    button = oracle_button(&s);

    known = !s.anonymous;
    member = known && s.team_event && s.member;
    registered = known && (s.own_row || (member && s.team_row));

    memset(&context, 0xff, sizeof(context));
    tournament_context_derive(&state, user, &context);

    if (strcmp(tournament_button_name(context.button), button) != 0
        || context.can_register != oracle_can_register(button)
        || (int) context.is_team_event != s.team_event
        || (int) context.is_captain != (member && s.captain)
        || (int) context.team_registered != (registered && member)
        || (int) context.already_registered != registered
        || (int) context.slots_available != !s.full
        || (int) context.has_team != member
        || (int) context.has_pending_request
           != (member && s.pending && !s.captain))
    {
        ck_abort_msg("%s, team event %d, full %d, user %#x: \"%s\", not \"%s\"",
                     s.registration_state, s.team_event, s.full, bits,
                     tournament_button_name(context.button), button);
    }
}


/* every registration state, event, and combination of a user's flags */

START_TEST(test_context_cross_product)
{
    int                      reg;
    unsigned                 bits, user_bits;
    tournament_user_facts_t  user;

    for (reg = TOURNAMENT_REGISTRATION_NOT_OPEN;
         reg <= TOURNAMENT_REGISTRATION_COMPLETED;
         reg++)
    {
        for (bits = 0; bits < 1 << 9; bits++) {

            memset(&state, 0, sizeof(state));
            state.registration = (tournament_registration_e) reg;
            state.is_team_based = bits & 1;
            state.is_full = bits >> 1 & 1;

            user_bits = bits >> 2;

            memset(&user, 0, sizeof(user));
            user.authenticated = user_bits & 1;
            user.registered = user_bits >> 1 & 1;
            user.has_row = user_bits >> 2 & 1;
            user.team_registered = user_bits >> 3 & 1;
            user.has_team = user_bits >> 4 & 1;
            user.is_captain = user_bits >> 5 & 1;
            user.request_pending = user_bits >> 6 & 1;

            compare_context(&user, user_bits);
        }
    }
}
END_TEST


static const char *
button_of(const tournament_user_facts_t *user)
{
    tournament_context_t  context;

    tournament_state_derive(&facts, NOW, &state);
    tournament_context_derive(&state, user, &context);

    return tournament_button_name(context.button);
}


/* the table from its end to its beginning: each row hides the one before */

START_TEST(test_context_precedence)
{
    tournament_user_facts_t  user;

    memset(&user, 0, sizeof(user));
    user.authenticated = 1;

    ck_assert_str_eq(button_of(&user), "register");

    facts.max_team_size = 5;
    ck_assert_str_eq(button_of(&user), "no_team");

    user.has_team = 1;
    ck_assert_str_eq(button_of(&user), "request_approval");

    user.request_pending = 1;
    ck_assert_str_eq(button_of(&user), "request_pending");

    user.is_captain = 1;
    ck_assert_str_eq(button_of(&user), "register");

    facts.confirmed = 16;
    ck_assert_str_eq(button_of(&user), "full");

    facts.reg_open_at = (NOW + 1) * SECOND;
    ck_assert_str_eq(button_of(&user), "not_open");

    facts.reg_open_at = (NOW - DAY) * SECOND;
    facts.reg_close_at = (NOW - 1) * SECOND;
    ck_assert_str_eq(button_of(&user), "closed");

    facts.start_at = NOW * SECOND;
    ck_assert_str_eq(button_of(&user), "closed");

    facts.reg_close_at = NONE;
    ck_assert_str_eq(button_of(&user), "started");

    facts.status = TOURNAMENT_STATUS_COMPLETED;
    ck_assert_str_eq(button_of(&user), "completed");

    user.team_registered = 1;
    ck_assert_str_eq(button_of(&user), "registered");

    user.authenticated = 0;
    ck_assert_str_eq(button_of(&user), "not_authenticated");
}
END_TEST


/* a row of any status counts; a team and its row count where teams play */

START_TEST(test_context_registered)
{
    tournament_user_facts_t  user;

    memset(&user, 0, sizeof(user));
    user.authenticated = 1;
    user.has_row = 1;
    ck_assert_str_eq(button_of(&user), "registered");

    user.has_row = 0;
    user.registered = 1;
    ck_assert_str_eq(button_of(&user), "registered");

    user.registered = 0;
    user.has_team = 1;
    user.team_registered = 1;
    ck_assert_str_eq(button_of(&user), "register");

    facts.min_team_size = 2;
    ck_assert_str_eq(button_of(&user), "registered");

    user.has_team = 0;
    ck_assert_str_eq(button_of(&user), "no_team");
}
END_TEST


static TCase *
add_case(Suite *suite, const char *name)
{
    TCase  *tc;

    tc = suite_case(suite, name);
    tcase_add_checked_fixture(tc, setup, NULL);

    return tc;
}


int
main(void)
{
    TCase  *tc;
    Suite  *suite;

    suite = suite_create("state");

    tc = add_case(suite, "words");
    tcase_add_test(tc, test_facts_have_no_padding);
    tcase_add_test(tc, test_status_parse);
    tcase_add_test(tc, test_names);

    tc = add_case(suite, "phase");
    tcase_add_test(tc, test_status_flags);
    tcase_add_test(tc, test_phase);
    tcase_add_test(tc, test_started);
    tcase_add_test(tc, test_before_the_epoch);

    tc = add_case(suite, "registration");
    tcase_add_test(tc, test_window);
    tcase_add_test(tc, test_window_full);
    tcase_add_test(tc, test_window_decides_alone);
    tcase_add_test(tc, test_window_infinite);
    tcase_add_loop_test(tc, test_half_window, 1, 4);
    tcase_add_test(tc, test_status_decides_first);

    tc = add_case(suite, "slots and time");
    tcase_add_test(tc, test_slots);
    tcase_add_test(tc, test_team_based);
    tcase_add_test(tc, test_time_left);
    tcase_add_test(tc, test_time_left_extreme);
    tcase_add_test(tc, test_extremes);

    tc = add_case(suite, "cross product");
    tcase_add_loop_test(tc, test_state_cross_product, 0,
                        (int) count_of(statuses));
    tcase_add_test(tc, test_state_cross_product_teams);

    tc = add_case(suite, "reasons");
    tcase_add_test(tc, test_reasons);
    tcase_add_test(tc, test_reason_not_open);

    tc = add_case(suite, "context");
    tcase_add_test(tc, test_buttons);
    tcase_add_test(tc, test_button_not_open);
    tcase_add_test(tc, test_button_captain);
    tcase_add_test(tc, test_context_cross_product);
    tcase_add_test(tc, test_context_precedence);
    tcase_add_test(tc, test_context_registered);

    return suite_run(suite);
}
