
/*
 * Texts of tournament_text.  Each is written by hand from what Python prints,
 * or compared with libc's idea of the calendar.  The unit under test uses no
 * libc time functions; the oracle here does.
 */

#define _POSIX_C_SOURCE  200809L

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "suite.h"

#include "rules/text.h"


#define SECOND     INT64_C(1000000)
#define DAY        INT64_C(86400)

/* 0001-01-01 00:00:00 and 9999-12-31 23:59:59 */
#define FIRST      INT64_C(-62135596800)
#define LAST       INT64_C(253402300799)

#define UNTOUCHED  0x7e


typedef size_t (*writer_pt)(char *dst, int64_t n);


typedef struct {
    int64_t      n;
    const char  *text;
} pair_t;


/*
 * The text as a string, and a failure if a byte past its end was touched, or
 * if it is longer than its header says.
 */

static const char *
written(writer_pt writer, int64_t n, size_t max)
{
    size_t       i, len;

    static char  buf[64];

    memset(buf, UNTOUCHED, sizeof(buf));

    len = writer(buf, n);

    if (len > max) {
        ck_abort_msg("%" PRId64 ": %zu bytes, at most %zu", n, len, max);
    }

    for (i = len; i < sizeof(buf); i++) {
        if (buf[i] != UNTOUCHED) {
            ck_abort_msg("%" PRId64 ": wrote past its end", n);
        }
    }

    buf[len] = '\0';

    return buf;
}


static void
check_pairs(writer_pt writer, const pair_t *pairs, size_t n, size_t max)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        ck_assert_str_eq(written(writer, pairs[i].n, max), pairs[i].text);
    }
}


#define check_all(writer, pairs, max)                                         \
    check_pairs(writer, pairs, sizeof(pairs) / sizeof(pairs[0]), max)


START_TEST(test_instant)
{
    static const pair_t  pairs[] = {

        { 0, "1970-01-01T00:00:00+00:00" },
        { INT64_C(1795417920) * SECOND, "2026-11-23T07:12:00+00:00" },

        /* leap days, and the days around those that are none */

        { INT64_C(1709164799) * SECOND, "2024-02-28T23:59:59+00:00" },
        { INT64_C(1709164800) * SECOND, "2024-02-29T00:00:00+00:00" },
        { INT64_C(1709251199) * SECOND, "2024-02-29T23:59:59+00:00" },
        { INT64_C(1709251200) * SECOND, "2024-03-01T00:00:00+00:00" },
        { INT64_C(1677628799) * SECOND, "2023-02-28T23:59:59+00:00" },
        { INT64_C(1677628800) * SECOND, "2023-03-01T00:00:00+00:00" },
        { INT64_C(951782400) * SECOND, "2000-02-29T00:00:00+00:00" },
        { INT64_C(951868800) * SECOND, "2000-03-01T00:00:00+00:00" },
        { INT64_C(-2203891201) * SECOND, "1900-02-28T23:59:59+00:00" },
        { INT64_C(-2203891200) * SECOND, "1900-03-01T00:00:00+00:00" },
        { INT64_C(4107542399) * SECOND, "2100-02-28T23:59:59+00:00" },
        { INT64_C(4107542400) * SECOND, "2100-03-01T00:00:00+00:00" },

        /* ends of years */

        { INT64_C(946684799) * SECOND, "1999-12-31T23:59:59+00:00" },
        { INT64_C(946684800) * SECOND, "2000-01-01T00:00:00+00:00" },
        { INT64_C(1735689599) * SECOND, "2024-12-31T23:59:59+00:00" },
        { INT64_C(1735689600) * SECOND, "2025-01-01T00:00:00+00:00" },

        /* fractions: none, or six digits */

        { 1, "1970-01-01T00:00:00.000001+00:00" },
        { 10, "1970-01-01T00:00:00.000010+00:00" },
        { 123456, "1970-01-01T00:00:00.123456+00:00" },
        { 500000, "1970-01-01T00:00:00.500000+00:00" },
        { 999999, "1970-01-01T00:00:00.999999+00:00" },
        { 1000000, "1970-01-01T00:00:01+00:00" },

        /* before the epoch, time still runs forward */

        { -1, "1969-12-31T23:59:59.999999+00:00" },
        { -999999, "1969-12-31T23:59:59.000001+00:00" },
        { -1000000, "1969-12-31T23:59:59+00:00" },
        { -1000001, "1969-12-31T23:59:58.999999+00:00" },
        { -DAY * SECOND, "1969-12-31T00:00:00+00:00" },
        { -DAY * SECOND - 1, "1969-12-30T23:59:59.999999+00:00" },

        /* from year 1 to year 9999 */

        { FIRST * SECOND, "0001-01-01T00:00:00+00:00" },
        { FIRST * SECOND + 1, "0001-01-01T00:00:00.000001+00:00" },
        { (FIRST + 59 * DAY) * SECOND, "0001-03-01T00:00:00+00:00" },
        { LAST * SECOND, "9999-12-31T23:59:59+00:00" },
        { LAST * SECOND + 999999, "9999-12-31T23:59:59.999999+00:00" },

        /* and nothing outside */

        { FIRST * SECOND - 1, "" },
        { (FIRST - 1) * SECOND, "" },
        { (LAST + 1) * SECOND, "" },
        { (LAST + 1) * SECOND + 1, "" },
        { INT64_C(9223372036854) * SECOND, "" },
        { INT64_C(-210866803200) * SECOND, "" },
        { INT64_MIN, "" },
        { INT64_MIN + 1, "" },
        { INT64_MAX, "" }
    };

    check_all(tournament_text_instant, pairs, TOURNAMENT_INSTANT_LEN);

    ck_assert_uint_eq(strlen(written(tournament_text_instant, 1,
                                     TOURNAMENT_INSTANT_LEN)),
                      TOURNAMENT_INSTANT_LEN);
}
END_TEST


START_TEST(test_duration)
{
    static const pair_t  pairs[] = {
        { 0, "0:00:00" },
        { 1, "0:00:01" },
        { 59, "0:00:59" },
        { 60, "0:01:00" },
        { 3599, "0:59:59" },
        { 3600, "1:00:00" },
        { 35999, "9:59:59" },
        { 36000, "10:00:00" },
        { DAY - 1, "23:59:59" },
        { DAY, "1 day, 0:00:00" },
        { DAY + 1, "1 day, 0:00:01" },
        { 2 * DAY - 1, "1 day, 23:59:59" },
        { 2 * DAY, "2 days, 0:00:00" },
        { 2 * DAY + 11045, "2 days, 3:04:05" },
        { 10 * DAY, "10 days, 0:00:00" },
        { 999999999 * DAY + 86399, "999999999 days, 23:59:59" },
        { INT64_MAX, "106751991167300 days, 15:30:07" },
        { -1, "0:00:00" },
        { INT64_MIN, "0:00:00" }
    };

    check_all(tournament_text_duration, pairs, TOURNAMENT_DURATION_LEN);

    ck_assert_uint_eq(strlen(written(tournament_text_duration, INT64_MAX,
                                     TOURNAMENT_DURATION_LEN)),
                      TOURNAMENT_DURATION_LEN);
}
END_TEST


/* every second of some days, counted up as a clock does */

START_TEST(test_duration_every_second)
{
    int          n, d, h, m, s;
    char         expected[64];
    const char  *text;

    d = h = m = s = 0;

    for (n = 0; d < 3; n++) {

        if (d == 0) {
            snprintf(expected, sizeof(expected), "%d:%02d:%02d", h, m, s);

        } else {
            snprintf(expected, sizeof(expected), "%d day%s, %d:%02d:%02d",
                     d, d == 1 ? "" : "s", h, m, s);
        }

        text = written(tournament_text_duration, n, TOURNAMENT_DURATION_LEN);

        if (strcmp(text, expected) != 0) {
            ck_abort_msg("%d: \"%s\", not \"%s\"", n, text, expected);
        }

        if (++s == 60) {
            s = 0;
            m++;
        }

        if (m == 60) {
            m = 0;
            h++;
        }

        if (h == 24) {
            h = 0;
            d++;
        }
    }
}
END_TEST


START_TEST(test_opening)
{
    static const pair_t  longs[] = {
        { INT64_C(1795456800) * SECOND, "Nov 23, 2026 at 18:00" },
        { INT64_C(1795456859) * SECOND + 999999, "Nov 23, 2026 at 18:00" },
        { INT64_C(1795456860) * SECOND, "Nov 23, 2026 at 18:01" },
        { INT64_C(1795456800) * SECOND - 1, "Nov 23, 2026 at 17:59" },
        { INT64_C(1709164800) * SECOND, "Feb 29, 2024 at 00:00" },
        { 0, "Jan 01, 1970 at 00:00" },
        { -1, "Dec 31, 1969 at 23:59" },
        { FIRST * SECOND, "Jan 01, 0001 at 00:00" },
        { LAST * SECOND + 999999, "Dec 31, 9999 at 23:59" },
        { FIRST * SECOND - 1, "" },
        { (LAST + 1) * SECOND, "" },
        { INT64_MIN, "" },
        { INT64_MIN + 1, "" },
        { INT64_MAX, "" }
    };

    static const pair_t  shorts[] = {
        { INT64_C(1795456800) * SECOND, "Nov 23, 18:00" },
        { INT64_C(1795456860) * SECOND - 1, "Nov 23, 18:00" },
        { 0, "Jan 01, 00:00" },
        { -1, "Dec 31, 23:59" },
        { FIRST * SECOND, "Jan 01, 00:00" },
        { LAST * SECOND + 999999, "Dec 31, 23:59" },
        { FIRST * SECOND - 1, "" },
        { (LAST + 1) * SECOND, "" },
        { INT64_MIN, "" },
        { INT64_MIN + 1, "" },
        { INT64_MAX, "" }
    };

    check_all(tournament_text_opening, longs, TOURNAMENT_OPENING_LEN);
    check_all(tournament_text_opening_short, shorts,
              TOURNAMENT_OPENING_SHORT_LEN);

    ck_assert_uint_eq(strlen(longs[0].text), TOURNAMENT_OPENING_LEN);
    ck_assert_uint_eq(strlen(shorts[0].text), TOURNAMENT_OPENING_SHORT_LEN);
}
END_TEST


/* the first and the last second of every month, in English */

START_TEST(test_opening_months)
{
    int      month;
    char     expected[32];
    int64_t  at;

    static const char  *names[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun",
        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    static const int  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    at = INT64_C(1767225600);    /* 2026-01-01 */

    for (month = 0; month < 12; month++) {
        snprintf(expected, sizeof(expected), "%s 01, 2026 at 00:00",
                 names[month]);
        ck_assert_str_eq(written(tournament_text_opening, at * SECOND,
                                 TOURNAMENT_OPENING_LEN), expected);

        at += days[month] * DAY;

        snprintf(expected, sizeof(expected), "%s %d, 2026 at 23:59",
                 names[month], days[month]);
        ck_assert_str_eq(written(tournament_text_opening, (at - 1) * SECOND,
                                 TOURNAMENT_OPENING_LEN), expected);
    }
}
END_TEST


static void
compare_with_libc(int64_t us)
{
    int          usec;
    char         iso[64];
    time_t       t;
    int64_t      sec;
    struct tm    tm;
    const char  *text;

    usec = (int) (((us % SECOND) + SECOND) % SECOND);
    sec = (us - usec) / SECOND;

    t = (time_t) sec;

    if (t != sec || gmtime_r(&t, &tm) == NULL) {
        return;
    }

    snprintf(iso, sizeof(iso), "%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, usec);

    if (usec == 0) {
        memmove(iso + 19, iso + 26, sizeof("+00:00"));
    }

    text = written(tournament_text_instant, us, TOURNAMENT_INSTANT_LEN);

    if (strcmp(text, iso) != 0) {
        ck_abort_msg("%" PRId64 ": \"%s\", libc has \"%s\"", us, text, iso);
    }
}


/*
 * Every day of years 1 to 9999, one of seven a run: a day of the Gregorian
 * calendar is the same again after 400 years, so that few would do.
 */

START_TEST(test_instant_every_day)
{
    int64_t  at;

    for (at = FIRST + _i * DAY; at <= LAST; at += 7 * DAY) {
        compare_with_libc(at * SECOND);
    }
}
END_TEST


/* all through the day, with fractions: the steps are odd */

START_TEST(test_instant_sample)
{
    int64_t  us;

    for (us = FIRST * SECOND;
         us < (LAST + 1) * SECOND;
         us += INT64_C(631074793943))
    {
        compare_with_libc(us);
    }

    for (us = -3 * DAY * SECOND; us <= 3 * DAY * SECOND; us += 1999993) {
        compare_with_libc(us);
    }
}
END_TEST


START_TEST(test_int)
{
    int      i;
    char     expected[32];
    int64_t  n;

    static const pair_t  pairs[] = {
        { 0, "0" },
        { 1, "1" },
        { 9, "9" },
        { 10, "10" },
        { 99, "99" },
        { 100, "100" },
        { -1, "-1" },
        { -10, "-10" },
        { INT64_MAX, "9223372036854775807" },
        { INT64_MAX - 1, "9223372036854775806" },
        { INT64_MIN + 1, "-9223372036854775807" },
        { INT64_MIN, "-9223372036854775808" }
    };

    check_all(tournament_text_int, pairs, TOURNAMENT_INT_LEN);

    /* every number of digits */

    n = 1;

    for (i = 0; i < 19; i++) {
        snprintf(expected, sizeof(expected), "%" PRId64, n);
        ck_assert_str_eq(written(tournament_text_int, n, TOURNAMENT_INT_LEN),
                         expected);

        snprintf(expected, sizeof(expected), "%" PRId64, 1 - n);
        ck_assert_str_eq(written(tournament_text_int, 1 - n,
                                 TOURNAMENT_INT_LEN), expected);

        n = (n <= INT64_MAX / 10) ? n * 10 : INT64_MAX;
    }

    ck_assert_uint_eq(strlen(written(tournament_text_int, INT64_MIN,
                                     TOURNAMENT_INT_LEN)),
                      TOURNAMENT_INT_LEN);
}
END_TEST


static int
slug(const char *s)
{
    return tournament_text_slug_valid((const unsigned char *) s, strlen(s));
}


START_TEST(test_slug)
{
    ck_assert_int_eq(slug("valorant-masters"), 1);
    ck_assert_int_eq(slug("a"), 1);
    ck_assert_int_eq(slug("-"), 1);
    ck_assert_int_eq(slug("_"), 1);
    ck_assert_int_eq(slug("0"), 1);
    ck_assert_int_eq(slug("ABCXYZabcxyz0189_-"), 1);

    ck_assert_int_eq(slug(""), 0);
    ck_assert_int_eq(slug(" a"), 0);
    ck_assert_int_eq(slug("a "), 0);
    ck_assert_int_eq(slug("a\n"), 0);
    ck_assert_int_eq(slug("a/b"), 0);
    ck_assert_int_eq(slug("../a"), 0);
    ck_assert_int_eq(slug("a%20b"), 0);
    ck_assert_int_eq(slug("caf\xc3\xa9"), 0);

    ck_assert_int_eq(tournament_text_slug_valid(NULL, 0), 0);
}
END_TEST


START_TEST(test_slug_span)
{
    size_t          len;
    unsigned char  *s;

    /* a copy of exact size, so that reading on is seen */

    for (len = 1; len <= 600; len++) {
        s = malloc(len);
        ck_assert_ptr_nonnull(s);
        memset(s, 'a', len);

        ck_assert_uint_eq(tournament_text_slug_span(s, len), len);

        s[len - 1] = ',';
        ck_assert_uint_eq(tournament_text_slug_span(s, len), len - 1);

        s[len / 2] = '\0';
        ck_assert_uint_eq(tournament_text_slug_span(s, len), len / 2);
        free(s);
    }

    ck_assert_uint_eq(tournament_text_slug_span(NULL, 0), 0);
}
END_TEST


/* every byte value, alone, first, last, and between good ones */

START_TEST(test_slug_bytes)
{
    int            c, valid;
    unsigned char  s[5];

    static const char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "abcdefghijklmnopqrstuvwxyz"
                                    "0123456789_-";

    for (c = 0; c < 256; c++) {
        valid = memchr(alphabet, c, sizeof(alphabet) - 1) != NULL;

        s[0] = (unsigned char) c;
        ck_assert_int_eq(tournament_text_slug_valid(s, 1), valid);

        memcpy(s + 1, "abcd", 4);
        ck_assert_int_eq(tournament_text_slug_valid(s, 5), valid);

        memcpy(s, "abcde", 5);
        s[2] = (unsigned char) c;
        ck_assert_int_eq(tournament_text_slug_valid(s, 5), valid);

        memcpy(s, "abcde", 5);
        s[4] = (unsigned char) c;
        ck_assert_int_eq(tournament_text_slug_valid(s, 5), valid);
    }
}
END_TEST


/* as long as it may be; what stands behind is not looked at */

START_TEST(test_slug_length)
{
    size_t          len;
    unsigned char  *s;

    for (len = 1; len <= 600; len++) {
        s = malloc(len);
        ck_assert_ptr_nonnull(s);
        memset(s, 'a', len);

        ck_assert_int_eq(tournament_text_slug_valid(s, len),
                         len <= 255 ? 1 : 0);

        s[len - 1] = '.';
        ck_assert_int_eq(tournament_text_slug_valid(s, len), 0);
        ck_assert_int_eq(tournament_text_slug_valid(s, len - 1),
                         len >= 2 && len <= 256 ? 1 : 0);
        free(s);
    }

    ck_assert_int_eq(tournament_text_slug_valid((unsigned char *) "a",
                                                SIZE_MAX), 0);
}
END_TEST


static void
check_id(const char *s, size_t len, int64_t expected)
{
    int             rc;
    int64_t         id;
    unsigned char  *copy;

    /* a copy of exact size, so that reading on is seen */

    copy = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, s, len);

    id = -42;
    rc = tournament_text_id(copy, len, &id);
    free(copy);

    if (expected < 0) {
        ck_assert_msg(rc == -1, "\"%s\" is no id", s);
        ck_assert_msg(id == -42, "\"%s\" changed the value", s);

    } else {
        ck_assert_msg(rc == 0, "\"%s\" is an id", s);
        ck_assert_int_eq(id, expected);
    }
}


START_TEST(test_id)
{
    size_t  i;

    static const char  *bad[] = {
        "", " ", "-", "+", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x10", "a",
        "1a", "a1", "1\n", "/", ":", "1/", "1:", "\xd9\xa1", "1\xff", "1,000",
        "9223372036854775808", "9223372036854775809", "9223372036854775810",
        "9223372036854775817", "9300000000000000000",
        "10000000000000000000", "18446744073709551615",
        "18446744073709551616", "18446744073709551617",
        "99999999999999999999999999999999999999",
        "00009223372036854775808"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        check_id(bad[i], strlen(bad[i]), -1);
    }

    check_id("0", 1, 0);
    check_id("1", 1, 1);
    check_id("9", 1, 9);
    check_id("10", 2, 10);
    check_id("0123456789", 10, 123456789);
    check_id("0000", 4, 0);
    check_id("007", 3, 7);
    check_id("999999999999999999", 18, INT64_C(999999999999999999));
    check_id("9223372036854775799", 19, INT64_C(9223372036854775799));
    check_id("9223372036854775806", 19, INT64_MAX - 1);
    check_id("9223372036854775807", 19, INT64_MAX);
    check_id("00000000000000000000000009223372036854775807", 44, INT64_MAX);

    /* NUL is a byte like any other that is not a digit */

    check_id("1\0", 2, -1);
    check_id("\0", 1, -1);
    check_id("1\0" "2", 3, -1);

    /* the length decides, not what stands behind */

    check_id("123abc", 3, 123);
}
END_TEST


/* what tournament_text_int() writes of an id is read back as the same */

START_TEST(test_id_round_trip)
{
    int       i;
    char      text[TOURNAMENT_INT_LEN];
    size_t    len;
    int64_t   id;
    uint64_t  x;

    x = 1;

    for (i = 0; i < 10000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;

        len = tournament_text_int(text, (int64_t) (x >> (1 + i % 63)));
        ck_assert_int_eq(tournament_text_id((unsigned char *) text, len, &id),
                         0);
        ck_assert_int_eq(id, (int64_t) (x >> (1 + i % 63)));
    }
}
END_TEST


/* one of each character there is, and nothing else, is UTF-8 */

static unsigned
encode(unsigned ch, unsigned char *p)
{
    if (ch < 0x80) {
        p[0] = (unsigned char) ch;
        return 1;
    }

    if (ch < 0x800) {
        p[0] = (unsigned char) (0xc0 | ch >> 6);
        p[1] = (unsigned char) (0x80 | (ch & 0x3f));
        return 2;
    }

    if (ch < 0x10000) {
        p[0] = (unsigned char) (0xe0 | ch >> 12);
        p[1] = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
        p[2] = (unsigned char) (0x80 | (ch & 0x3f));
        return 3;
    }

    p[0] = (unsigned char) (0xf0 | ch >> 18);
    p[1] = (unsigned char) (0x80 | (ch >> 12 & 0x3f));
    p[2] = (unsigned char) (0x80 | (ch >> 6 & 0x3f));
    p[3] = (unsigned char) (0x80 | (ch & 0x3f));

    return 4;
}


START_TEST(test_utf8)
{
    size_t          i, len, n, found;
    unsigned        ch, high;
    unsigned char   s[4], *copy[5];

    /* of exact size, so that reading on is seen */

    for (i = 0; i <= 4; i++) {
        copy[i] = malloc(i ? i : 1);
        ck_assert_ptr_nonnull(copy[i]);
    }

    for (ch = 0; ch < 0x140000; ch++) {
        len = encode(ch, s);

        n = (ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff)) ? 0 : len;

        for (i = 0; i <= len; i++) {
            memcpy(copy[i], s, i);
            found = tournament_text_utf8(copy[i], i);

            if (found != ((i == len) ? n : 0)) {
                ck_abort_msg("U+%04X in %zu bytes: %zu", ch, i, found);
            }
        }
    }

    for (i = 0; i <= 4; i++) {
        free(copy[i]);
    }

    /* of all four bytes that there are, as many are one as have been seen */

    memset(s, 0, sizeof(s));
    found = 0;

    for (high = 0x800000; high < 0x1000000; high++) {
        s[0] = (unsigned char) (high >> 16);
        s[1] = (unsigned char) (high >> 8);
        s[2] = (unsigned char) high;
        s[3] = 0x80;
        n = tournament_text_utf8(s, 4);
        found += (n == 2 && s[2] == 0) || n == 3;

        if (n == 4) {
            found += 0x40;
            s[3] = 0xc0;
            ck_assert_uint_eq(tournament_text_utf8(s, 4), 0);
        }
    }

    ck_assert_uint_eq(found, 0x110000 - 0x800 - 0x80);
}
END_TEST


START_TEST(test_strip)
{
    size_t                i, len;
    unsigned              ch;
    unsigned char         s[16], *p;
    const unsigned char  *at;

    /* str.isspace() of Python, all of it */

    static const unsigned  spaces[] = {
        0x9, 0xa, 0xb, 0xc, 0xd, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0,
        0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005, 0x2006,
        0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
        0x3000, 0x110000
    };

    for (i = 0, ch = 0; ch < 0x110000; ch++) {

        p = s;
        p += encode(ch, p);
        *p++ = 'a';
        *p++ = ' ';
        *p++ = 'b';
        p += encode(ch, p);

        at = s;
        len = p - s;
        tournament_text_strip(&at, &len);

        if (ch == spaces[i]) {
            i++;

            if (len != 3 || memcmp(at, "a b", 3) != 0) {
                ck_abort_msg("U+%04X is white space", ch);
            }

        } else if (at != s || len != (size_t) (p - s)) {
            ck_abort_msg("U+%04X is no white space", ch);
        }
    }

    at = (unsigned char *) " \xe3\x80\x80\t";
    len = 5;
    tournament_text_strip(&at, &len);
    ck_assert_uint_eq(len, 0);

    at = (unsigned char *) " \x80\xe3\x80 \xc2";
    len = 6;
    tournament_text_strip(&at, &len);
    ck_assert_uint_eq(len, 5);
}
END_TEST


int
main(void)
{
    TCase  *tc;
    Suite  *suite;

    suite = suite_create("text");

    tc = suite_case(suite, "instant");
    tcase_add_test(tc, test_instant);
    tcase_add_loop_test(tc, test_instant_every_day, 0, 7);
    tcase_add_test(tc, test_instant_sample);

    tc = suite_case(suite, "duration");
    tcase_add_test(tc, test_duration);
    tcase_add_test(tc, test_duration_every_second);

    tc = suite_case(suite, "opening");
    tcase_add_test(tc, test_opening);
    tcase_add_test(tc, test_opening_months);

    tc = suite_case(suite, "integer");
    tcase_add_test(tc, test_int);

    tc = suite_case(suite, "slug");
    tcase_add_test(tc, test_slug);
    tcase_add_test(tc, test_slug_span);
    tcase_add_test(tc, test_slug_bytes);
    tcase_add_test(tc, test_slug_length);

    tc = suite_case(suite, "utf8");
    tcase_add_test(tc, test_utf8);
    tcase_add_test(tc, test_strip);

    tc = suite_case(suite, "id");
    tcase_add_test(tc, test_id);
    tcase_add_test(tc, test_id_round_trip);

    return suite_run(suite);
}
