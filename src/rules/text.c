
/*
 * Calendar arithmetic and UTF-8 by hand: what libc has depends on a locale or
 * a time zone, or takes memory.  Readers look at no byte beyond the length
 * that they are given.
 */

#include <string.h>

#include "rules/text.h"


#define TOURNAMENT_DAY       86400
#define TOURNAMENT_SECOND    INT64_C(1000000)

/* 0001-01-01 00:00:00 and 10000-01-01 00:00:00, in seconds */

#define TOURNAMENT_YEAR_MIN  INT64_C(-62135596800)
#define TOURNAMENT_YEAR_END  INT64_C(253402300800)


typedef struct {
    unsigned  year;
    unsigned  month;    /* from 1 */
    unsigned  day;      /* from 1 */
    unsigned  hour;
    unsigned  min;
    unsigned  sec;
    unsigned  usec;
} tournament_civil_t;


static size_t tournament_text_space(const unsigned char *s, size_t len);
static int tournament_text_civil(tournament_civil_t *c, int64_t us);
static char *tournament_text_2(char *p, unsigned n);
static size_t tournament_text_day(char *dst, int64_t us, int with_year);
static char *tournament_text_month_day(char *p, const tournament_civil_t *c);
static char *tournament_text_hour_min(char *p, const tournament_civil_t *c);


size_t
tournament_text_instant(char *dst, int64_t us)
{
    char                *p;
    tournament_civil_t   c;

    if (tournament_text_civil(&c, us) != 0) {
        return 0;
    }

    p = tournament_text_2(dst, c.year / 100);
    p = tournament_text_2(p, c.year % 100);
    *p++ = '-';
    p = tournament_text_2(p, c.month);
    *p++ = '-';
    p = tournament_text_2(p, c.day);
    *p++ = 'T';
    p = tournament_text_hour_min(p, &c);
    *p++ = ':';
    p = tournament_text_2(p, c.sec);

    if (c.usec) {
        *p++ = '.';
        p = tournament_text_2(p, c.usec / 10000);
        p = tournament_text_2(p, c.usec / 100 % 100);
        p = tournament_text_2(p, c.usec % 100);
    }

    memcpy(p, "+00:00", 6);
    p += 6;

    return p - dst;
}


size_t
tournament_text_duration(char *dst, int64_t seconds)
{
    char      *p;
    int64_t    days;
    unsigned   n;

    if (seconds < 0) {
        seconds = 0;
    }

    p = dst;
    days = seconds / TOURNAMENT_DAY;
    n = (unsigned) (seconds % TOURNAMENT_DAY);

    if (days) {
        p += tournament_text_int(p, days);

        if (days == 1) {
            memcpy(p, " day, ", 6);
            p += 6;

        } else {
            memcpy(p, " days, ", 7);
            p += 7;
        }
    }

    /* hours alone have no leading zero */

    p += tournament_text_int(p, n / 3600);
    *p++ = ':';
    p = tournament_text_2(p, n / 60 % 60);
    *p++ = ':';
    p = tournament_text_2(p, n % 60);

    return p - dst;
}


size_t
tournament_text_opening(char *dst, int64_t us)
{
    return tournament_text_day(dst, us, 1);
}


size_t
tournament_text_opening_short(char *dst, int64_t us)
{
    return tournament_text_day(dst, us, 0);
}


static size_t
tournament_text_day(char *dst, int64_t us, int with_year)
{
    char                *p;
    tournament_civil_t   c;

    if (tournament_text_civil(&c, us) != 0) {
        return 0;
    }

    p = tournament_text_month_day(dst, &c);
    *p++ = ',';
    *p++ = ' ';

    if (with_year) {
        p = tournament_text_2(p, c.year / 100);
        p = tournament_text_2(p, c.year % 100);
        memcpy(p, " at ", 4);
        p += 4;
    }

    p = tournament_text_hour_min(p, &c);

    return p - dst;
}


size_t
tournament_text_int(char *dst, int64_t n)
{
    char       buf[TOURNAMENT_INT_LEN], *p;
    size_t     len;
    uint64_t   u;

    p = buf + TOURNAMENT_INT_LEN;

    /* the magnitude of INT64_MIN is no int64_t */

    u = (n < 0) ? 0 - (uint64_t) n : (uint64_t) n;

    do {
        *--p = (char) ('0' + u % 10);
        u /= 10;
    } while (u);

    if (n < 0) {
        *--p = '-';
    }

    len = buf + TOURNAMENT_INT_LEN - p;
    memcpy(dst, p, len);

    return len;
}


int
tournament_text_slug_valid(const unsigned char *s, size_t len)
{
    return len > 0 && len <= TOURNAMENT_SLUG_MAX
           && tournament_text_slug_span(s, len) == len;
}


size_t
tournament_text_slug_span(const unsigned char *s, size_t len)
{
    size_t  i;

    /* a byte for each value, which is faster than a bit: polls pass here */

    static const unsigned char  slug[256] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,    /* - */
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,    /* 0 to 9 */
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,    /* A to O */
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1,    /* P to Z, _ */
        0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,    /* a to o */
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0     /* p to z */
    };

    for (i = 0; i < len; i++) {
        if (!slug[s[i]]) {
            break;
        }
    }

    return i;
}


int
tournament_text_hex(const unsigned char *s, size_t len, uint64_t *n)
{
    size_t  i;

    if (len != 16) {
        return -1;
    }

    *n = 0;

    for (i = 0; i < len; i++) {

        if (s[i] >= '0' && s[i] <= '9') {
            *n = *n << 4 | (unsigned) (s[i] - '0');

        } else if (s[i] >= 'a' && s[i] <= 'f') {
            *n = *n << 4 | (unsigned) (s[i] - 'a' + 10);

        } else {
            return -1;
        }
    }

    return 0;
}


size_t
tournament_text_utf8(const unsigned char *s, size_t len)
{
    size_t         i, n;
    unsigned char  low, high;

    if (len == 0) {
        return 0;
    }

    if (s[0] < 0x80) {
        return 1;
    }

    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }

    n = (s[0] < 0xe0) ? 2 : (s[0] < 0xf0) ? 3 : 4;

    /* the second byte tells overlong forms, surrogates and too large ones */

    low = (s[0] == 0xe0) ? 0xa0 : (s[0] == 0xf0) ? 0x90 : 0x80;
    high = (s[0] == 0xed) ? 0x9f : (s[0] == 0xf4) ? 0x8f : 0xbf;

    if (len < n || s[1] < low || s[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


void
tournament_text_strip(const unsigned char **s, size_t *len)
{
    size_t                n, used;
    const unsigned char  *p, *last;

    p = *s;
    last = p + *len;

    while ((n = tournament_text_space(p, last - p)) != 0) {
        p += n;
    }

    *s = p;
    used = 0;

    while (p < last) {
        n = tournament_text_space(p, last - p);

        if (n == 0) {
            n = tournament_text_utf8(p, last - p);
            n += (n == 0);
            used = p + n - *s;
        }

        p += n;
    }

    *len = used;
}


/* bytes of the white space that s begins with: of str.isspace() in Python */

static size_t
tournament_text_space(const unsigned char *s, size_t len)
{
    unsigned  ch;

    if (len == 0) {
        return 0;
    }

    if (s[0] < 0x80) {
        return (s[0] >= '\t' && s[0] <= '\r') || (s[0] >= 0x1c && s[0] <= ' ');
    }

    /* U+0085, U+00A0 */

    if (len >= 2 && s[0] == 0xc2) {
        return (s[1] == 0x85 || s[1] == 0xa0) ? 2 : 0;
    }

    if (len < 3) {
        return 0;
    }

    ch = (unsigned) s[0] << 16 | s[1] << 8 | s[2];

    switch (ch) {

    case 0xe19a80:    /* U+1680 */
    case 0xe280a8:    /* U+2028 */
    case 0xe280a9:    /* U+2029 */
    case 0xe280af:    /* U+202F */
    case 0xe2819f:    /* U+205F */
    case 0xe38080:    /* U+3000 */
        return 3;
    }

    /* U+2000 to U+200A */

    return (ch >= 0xe28080 && ch <= 0xe2808a) ? 3 : 0;
}


int
tournament_text_id(const unsigned char *s, size_t len, int64_t *id)
{
    size_t   i;
    int64_t  n;

    if (len == 0) {
        return -1;
    }

    n = 0;

    for (i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return -1;
        }

        if (n > (INT64_MAX - (s[i] - '0')) / 10) {
            return -1;
        }

        n = n * 10 + (s[i] - '0');
    }

    *id = n;

    return 0;
}


/*
 * Source: civil_from_days() of Howard Hinnant's "chrono-Compatible Low-Level
 * Date Algorithms".  Years begin in March there, so that the leap day is the
 * last one; days count from 0000-03-01, so none is below zero.
 */

static int
tournament_text_civil(tournament_civil_t *c, int64_t us)
{
    uint32_t  days, era, doe, yoe, doy, mp, sec;
    uint64_t  u;

    if (us < TOURNAMENT_YEAR_MIN * TOURNAMENT_SECOND
        || us >= TOURNAMENT_YEAR_END * TOURNAMENT_SECOND)
    {
        return -1;
    }

    u = (uint64_t) (us - TOURNAMENT_YEAR_MIN * TOURNAMENT_SECOND);

    c->usec = (unsigned) (u % TOURNAMENT_SECOND);
    u /= TOURNAMENT_SECOND;

    sec = (uint32_t) (u % TOURNAMENT_DAY);

    /* 306 days from March to December of year 0 */

    days = (uint32_t) (u / TOURNAMENT_DAY) + 306;

    c->hour = sec / 3600;
    c->min = sec / 60 % 60;
    c->sec = sec % 60;

    era = days / 146097;
    doe = days % 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;

    c->day = doy - (153 * mp + 2) / 5 + 1;
    c->month = (mp < 10) ? mp + 3 : mp - 9;
    c->year = era * 400 + yoe + (c->month <= 2);

    return 0;
}


static char *
tournament_text_2(char *p, unsigned n)
{
    *p++ = (char) ('0' + n / 10);
    *p++ = (char) ('0' + n % 10);

    return p;
}


static char *
tournament_text_month_day(char *p, const tournament_civil_t *c)
{
    static const char  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

    memcpy(p, &months[(c->month - 1) * 3], 3);
    p += 3;
    *p++ = ' ';

    return tournament_text_2(p, c->day);
}


static char *
tournament_text_hour_min(char *p, const tournament_civil_t *c)
{
    p = tournament_text_2(p, c->hour);
    *p++ = ':';

    return tournament_text_2(p, c->min);
}
