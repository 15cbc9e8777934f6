
/*
 * A list of media ranges is walked once.  Of those that match a type the most
 * specific one says how well it is accepted, wherever in the list it stands.
 */

#include <string.h>

#include "rules/accept.h"


static void tournament_accept_range(tournament_accept_t *accept,
    const char *type, const unsigned char *p, const unsigned char *last);
static unsigned tournament_accept_specific(const unsigned char *p, size_t len,
    const char *type);
static unsigned tournament_accept_quality(const unsigned char *p,
    const unsigned char *last);
static int tournament_accept_same(const unsigned char *p, const char *s,
    size_t len);
static const unsigned char *tournament_accept_find(const unsigned char *p,
    const unsigned char *last, int ch);
static const unsigned char *tournament_accept_blank(const unsigned char *p,
    const unsigned char *last);


void
tournament_accept_read(tournament_accept_t *accept, const char *type,
    const unsigned char *value, size_t len)
{
    const unsigned char  *p, *end, *last;

    last = value + len;

    for (p = value; p < last; p = end + 1) {
        end = tournament_accept_find(p, last, ',');
        tournament_accept_range(accept, type, p, end);
    }
}


/* one range, with its parameters */

static void
tournament_accept_range(tournament_accept_t *accept, const char *type,
    const unsigned char *p, const unsigned char *last)
{
    unsigned              n;
    const unsigned char  *end, *parameters;

    p = tournament_accept_blank(p, last);

    parameters = tournament_accept_find(p, last, ';');
    end = parameters;

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    n = tournament_accept_specific(p, end - p, type);

    if (n > accept->specific) {
        accept->specific = n;
        accept->quality = tournament_accept_quality(parameters, last);
    }
}


/* 0: a range of other types */

static unsigned
tournament_accept_specific(const unsigned char *p, size_t len,
    const char *type)
{
    size_t  kind;

    if (len == 3 && memcmp(p, "*/*", 3) == 0) {
        return 1;
    }

    kind = strchr(type, '/') - type + 1;

    if (len == kind + 1 && p[kind] == '*'
        && tournament_accept_same(p, type, kind))
    {
        return 2;
    }

    return (len == strlen(type) && tournament_accept_same(p, type, len))
           ? 3 : 0;
}


/* of the parameter q; 1000 where there is none, 0 of a bad one */

static unsigned
tournament_accept_quality(const unsigned char *p, const unsigned char *last)
{
    unsigned              n, unit;
    const unsigned char  *end;

    for ( /* void */ ; p < last; p = end) {
        p = tournament_accept_blank(p + 1, last);
        end = tournament_accept_find(p, last, ';');

        if (end - p < 2 || (p[0] != 'q' && p[0] != 'Q') || p[1] != '=') {
            continue;
        }

        /* 0 or 1, and up to three digits behind a point */

        p += 2;

        if (p == end || (*p != '0' && *p != '1')) {
            return 0;
        }

        n = (*p++ - '0') * 1000;

        if (p < end && *p == '.') {
            p++;

            for (unit = 100; unit && p < end && *p >= '0' && *p <= '9';
                 unit /= 10)
            {
                n += (*p++ - '0') * unit;
            }
        }

        return (n > 1000 || tournament_accept_blank(p, end) != end) ? 0 : n;
    }

    return 1000;
}


/* in any case of letters; s is in lower case */

static int
tournament_accept_same(const unsigned char *p, const char *s, size_t len)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < len; i++) {
        ch = p[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch |= 0x20;
        }

        if (ch != (unsigned char) s[i]) {
            return 0;
        }
    }

    return 1;
}


/* the first such byte, or last */

static const unsigned char *
tournament_accept_find(const unsigned char *p, const unsigned char *last,
    int ch)
{
    const unsigned char  *found;

    found = (p < last) ? memchr(p, ch, last - p) : NULL;

    return found ? found : last;
}


static const unsigned char *
tournament_accept_blank(const unsigned char *p, const unsigned char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}
