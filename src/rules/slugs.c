
/*
 * Reads lists of slugs.  A list has one level and slugs have few characters,
 * so that one loop over the bytes does; what is no slug is told apart from
 * what is no JSON, which strings that are no slugs must be all the same.
 */

#include <string.h>

#include "rules/slugs.h"
#include "rules/text.h"


/* of an escape: any character that no slug has */
#define TOURNAMENT_SLUGS_OTHER  ' '


static tournament_slugs_rc_e tournament_slugs_add(tournament_slug_t *slugs,
    size_t *n, unsigned char *s, size_t len);
static unsigned char *tournament_slugs_blank(unsigned char *p,
    unsigned char *last);
static unsigned char *tournament_slugs_string(unsigned char *p,
    unsigned char *last, tournament_slug_t *slug);
static unsigned char *tournament_slugs_escape(unsigned char *p,
    unsigned char *last, unsigned char *ch);


tournament_slugs_rc_e
tournament_slugs_query(unsigned char *s, size_t len, tournament_slug_t *slugs,
    size_t *n)
{
    size_t                  span;
    unsigned char          *p, *last;
    tournament_slugs_rc_e   rc;

    p = s;
    last = s + len;
    *n = 0;

    if (len == 0) {
        return TOURNAMENT_SLUGS_OK;
    }

    for ( ;; ) {
        span = tournament_text_slug_span(p, last - p);

        if (span != (size_t) (last - p) && p[span] != ',') {
            return TOURNAMENT_SLUGS_MALFORMED;
        }

        rc = tournament_slugs_add(slugs, n, p, span);
        p += span;

        if (rc != TOURNAMENT_SLUGS_OK || p == last) {
            return rc;
        }

        p++;
    }
}


tournament_slugs_rc_e
tournament_slugs_json(unsigned char *s, size_t len, tournament_slug_t *slugs,
    size_t *n)
{
    unsigned char          *p, *last;
    tournament_slug_t       slug;
    tournament_slugs_rc_e   rc;

    last = s + len;
    *n = 0;

    p = tournament_slugs_blank(s, last);

    if (p == last || *p != '[') {
        return TOURNAMENT_SLUGS_NO_ARRAY;
    }

    p = tournament_slugs_blank(p + 1, last);

    if (p < last && *p == ']') {
        p = tournament_slugs_blank(p + 1, last);
        return (p == last) ? TOURNAMENT_SLUGS_OK : TOURNAMENT_SLUGS_NO_ARRAY;
    }

    for ( ;; ) {
        p = tournament_slugs_string(p, last, &slug);

        if (p == NULL) {
            return TOURNAMENT_SLUGS_NO_ARRAY;
        }

        rc = tournament_slugs_add(slugs, n, slug.data, slug.len);

        if (rc != TOURNAMENT_SLUGS_OK) {
            return rc;
        }

        p = tournament_slugs_blank(p, last);

        if (p == last || *p != ',') {
            break;
        }

        p = tournament_slugs_blank(p + 1, last);
    }

    if (p == last || *p != ']') {
        return TOURNAMENT_SLUGS_NO_ARRAY;
    }

    p = tournament_slugs_blank(p + 1, last);

    return (p == last) ? TOURNAMENT_SLUGS_OK : TOURNAMENT_SLUGS_NO_ARRAY;
}


static tournament_slugs_rc_e
tournament_slugs_add(tournament_slug_t *slugs, size_t *n, unsigned char *s,
    size_t len)
{
    if (len == 0 || len > TOURNAMENT_SLUG_MAX) {
        return TOURNAMENT_SLUGS_MALFORMED;
    }

    if (*n == TOURNAMENT_SLUGS_MAX) {
        return TOURNAMENT_SLUGS_TOO_MANY;
    }

    slugs[*n].data = s;
    slugs[*n].len = len;
    (*n)++;

    return TOURNAMENT_SLUGS_OK;
}


/* JSON's white space */

static unsigned char *
tournament_slugs_blank(unsigned char *p, unsigned char *last)
{
    while (p < last
           && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
    {
        p++;
    }

    return p;
}


/*
 * A string of JSON: the bytes behind it, or NULL if it is none.  One that is
 * no slug has len 0.
 */

static unsigned char *
tournament_slugs_string(unsigned char *p, unsigned char *last,
    tournament_slug_t *slug)
{
    int             valid;
    size_t          n;
    unsigned char  *dst;

    if (p == last || *p++ != '"') {
        return NULL;
    }

    valid = 1;
    dst = p;
    slug->data = p;

    while (p < last && *p != '"') {

        if (*p == '\\') {
            p = tournament_slugs_escape(p + 1, last, dst);

            if (p == NULL) {
                return NULL;
            }

            valid = valid && tournament_text_slug_span(dst, 1);
            dst++;
            continue;
        }

        n = tournament_text_slug_span(p, last - p);

        if (n == 0) {
            n = (*p < ' ') ? 0 : tournament_text_utf8(p, last - p);
            valid = 0;
        }

        if (n == 0) {
            return NULL;
        }

        if (dst != p) {
            memmove(dst, p, n);
        }

        dst += n;
        p += n;
    }

    slug->len = valid ? (size_t) (dst - slug->data) : 0;

    return (p < last) ? p + 1 : NULL;
}


/* What follows a backslash; NULL: it is no escape. */

static unsigned char *
tournament_slugs_escape(unsigned char *p, unsigned char *last,
    unsigned char *ch)
{
    unsigned  i, n, digit;

    if (p == last) {
        return NULL;
    }

    *ch = TOURNAMENT_SLUGS_OTHER;

    if (*p != 'u') {
        return memchr("\"\\/bfnrt", *p, 8) ? p + 1 : NULL;
    }

    n = 0;

    for (i = 1; i <= 4; i++) {

        if (last - p <= (long) i) {
            return NULL;
        }

        if (p[i] >= '0' && p[i] <= '9') {
            digit = p[i] - '0';

        } else if ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f') {
            digit = (p[i] | 0x20) - 'a' + 10;

        } else {
            return NULL;
        }

        n = n << 4 | digit;
    }

    if (n > ' ' && n < 0x7f) {
        *ch = (unsigned char) n;
    }

    return p + 5;
}
