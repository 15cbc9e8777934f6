
/*
 * Texts in and out of the HTTP contract: instants, durations, integers, slugs,
 * ids and UTF-8.  Pure C99: no nginx, no libpq, no allocation, no locale, no
 * libc time functions.
 *
 * Writers put their text at dst, add no terminating NUL, and return its length
 * in bytes.  dst must have room for the *_LEN that stands with each function;
 * no writer ever writes more.  Nothing is kept, nothing has to be freed.
 *
 * Instants are int64_t microseconds since the Unix epoch, UTC, any value.
 */

#ifndef TOURNAMENT_TEXT_H
#define TOURNAMENT_TEXT_H


#include <stddef.h>
#include <stdint.h>


/* "2026-11-23T07:12:00.123456+00:00" */
#define TOURNAMENT_INSTANT_LEN        32

/* "106751991167300 days, 15:30:07" */
#define TOURNAMENT_DURATION_LEN       30

/* "Nov 23, 2026 at 18:00" */
#define TOURNAMENT_OPENING_LEN        21

/* "Nov 23, 18:00" */
#define TOURNAMENT_OPENING_SHORT_LEN  13

/* "-9223372036854775808" */
#define TOURNAMENT_INT_LEN            20

/* the longest slug, in bytes: slugs are kept in a varchar(255) */
#define TOURNAMENT_SLUG_MAX           255


/*
 * Python's datetime.isoformat() of an aware datetime in UTC:
 * 2026-11-23T07:12:00+00:00, with six digits of a fraction where it is not
 * zero.  Python's datetimes end with the years 1 and 9999.  PostgreSQL's do
 * not, and know infinities: for anything outside of those years nothing is
 * written and 0 returned, and the caller writes null.
 */

size_t tournament_text_instant(char *dst, int64_t us);


/*
 * Python's str(timedelta) of whole seconds: 0:00:59, 1 day, 0:00:00,
 * 2 days, 3:04:05.  Below zero counts as zero.  (That a duration of zero is
 * null in an answer is the caller's business.)
 */

size_t tournament_text_duration(char *dst, int64_t seconds);


/*
 * An instant for people, in UTC and in English whatever the locale, as
 * strftime() writes "%b %d, %Y at %H:%M" and "%b %d, %H:%M"; seconds are cut
 * off.  Outside of the years 1 to 9999 nothing is written and 0 returned.
 */

size_t tournament_text_opening(char *dst, int64_t us);
size_t tournament_text_opening_short(char *dst, int64_t us);


/* a decimal integer, as short as it can be; at most TOURNAMENT_INT_LEN */

size_t tournament_text_int(char *dst, int64_t n);


/*
 * 1 if the len bytes at s are a slug (1 to TOURNAMENT_SLUG_MAX of A-Z a-z 0-9
 * _ -), 0 if not.  Any byte may be among them, NUL too.
 */

int tournament_text_slug_valid(const unsigned char *s, size_t len);


/* How many of the len bytes at s, from the first on, may stand in a slug. */

size_t tournament_text_slug_span(const unsigned char *s, size_t len);


/* Reads 16 hexadecimal digits in lower case.  Returns 0, or -1. */

int tournament_text_hex(const unsigned char *s, size_t len, uint64_t *n);


/*
 * Bytes of the UTF-8 character that the len bytes at s begin with, 1 to 4, as
 * RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF.
 * 0: there is none.
 */

size_t tournament_text_utf8(const unsigned char *s, size_t len);


/*
 * Moves *s and *len past white space at both ends, as Python's str.strip()
 * does in UTF-8.  Bytes that are no characters stay.
 */

void tournament_text_strip(const unsigned char **s, size_t *len);


/*
 * Reads an id: one or more decimal digits and nothing else, at most INT64_MAX.
 * Zero and leading zeros are accepted, so that *id, not the text, is what to
 * make keys of.  Returns 0, or -1 if it is not an id; then *id is untouched.
 */

int tournament_text_id(const unsigned char *s, size_t len, int64_t *id);


#endif /* TOURNAMENT_TEXT_H */
