
/*
 * A reader walks over the bytes of one message.  A read beyond the end yields
 * zero and marks the reader as short, so that a message is read field by field
 * and judged once, at its end: it must have had every byte, and none left.
 */

#include <string.h>

#include "feed/pgoutput.h"


/* from 1970-01-01 to 2000-01-01, in microseconds */
#define TOURNAMENT_PGOUTPUT_EPOCH          INT64_C(946684800000000)

#define TOURNAMENT_PGOUTPUT_TRANSACTIONAL  1


typedef struct {
    const unsigned char  *p;
    size_t                left;
    int                   is_short;
} tournament_pgoutput_reader_t;


static const char *tournament_pgoutput_keepalive(
    tournament_pgoutput_t *event, tournament_pgoutput_reader_t *r);
static const char *tournament_pgoutput_data(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r);
static const char *tournament_pgoutput_begin(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r);
static const char *tournament_pgoutput_commit(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r);
static const char *tournament_pgoutput_message(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r);
static int tournament_pgoutput_whole(const tournament_pgoutput_reader_t *r);
static uint64_t tournament_pgoutput_number(tournament_pgoutput_reader_t *r,
    size_t size);
static int64_t tournament_pgoutput_instant(tournament_pgoutput_reader_t *r);
static const unsigned char *tournament_pgoutput_bytes(
    tournament_pgoutput_reader_t *r, size_t len);
static unsigned char *tournament_pgoutput_put(unsigned char *dst,
    uint64_t n);
static char *tournament_pgoutput_hex(char *dst, uint32_t n);
static const unsigned char *tournament_pgoutput_half(const unsigned char *p,
    const unsigned char *end, uint64_t *n);


const char *
tournament_pgoutput_read(tournament_pgoutput_t *event,
    const unsigned char *p, size_t len)
{
    tournament_pgoutput_reader_t  r;

    r.p = p;
    r.left = len;
    r.is_short = 0;

    switch (tournament_pgoutput_number(&r, 1)) {

    case 'k':
        return tournament_pgoutput_keepalive(event, &r);

    case 'w':
        return tournament_pgoutput_data(event, &r);

    default:
        return "neither a keepalive nor XLogData";
    }
}


static const char *
tournament_pgoutput_keepalive(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r)
{
    event->type = TOURNAMENT_PGOUTPUT_KEEPALIVE;

    event->end = tournament_pgoutput_number(r, 8);
    event->clock = tournament_pgoutput_instant(r);
    event->keepalive.reply = (tournament_pgoutput_number(r, 1) != 0);

    return tournament_pgoutput_whole(r) ? NULL
                                        : "a keepalive of a wrong length";
}


static const char *
tournament_pgoutput_data(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r)
{
    unsigned char  type;

    /* the position of the data: each message of pgoutput has its own */

    (void) tournament_pgoutput_number(r, 8);

    event->end = tournament_pgoutput_number(r, 8);
    event->clock = tournament_pgoutput_instant(r);

    type = (unsigned char) tournament_pgoutput_number(r, 1);

    if (r->is_short) {
        return "XLogData cut short";
    }

    switch (type) {

    case 'B':
        return tournament_pgoutput_begin(event, r);

    case 'C':
        return tournament_pgoutput_commit(event, r);

    case 'M':
        return tournament_pgoutput_message(event, r);

    default:
        event->type = TOURNAMENT_PGOUTPUT_OTHER;
        return NULL;
    }
}


static const char *
tournament_pgoutput_begin(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r)
{
    event->type = TOURNAMENT_PGOUTPUT_BEGIN;

    event->begin.commit = tournament_pgoutput_number(r, 8);
    event->begin.time = tournament_pgoutput_instant(r);
    event->begin.xid = (uint32_t) tournament_pgoutput_number(r, 4);

    return tournament_pgoutput_whole(r) ? NULL : "BEGIN of a wrong length";
}


static const char *
tournament_pgoutput_commit(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r)
{
    event->type = TOURNAMENT_PGOUTPUT_COMMIT;

    /* flags, of which there are none yet */

    (void) tournament_pgoutput_number(r, 1);

    event->commit.commit = tournament_pgoutput_number(r, 8);
    event->commit.next = tournament_pgoutput_number(r, 8);
    event->commit.time = tournament_pgoutput_instant(r);

    return tournament_pgoutput_whole(r) ? NULL : "COMMIT of a wrong length";
}


static const char *
tournament_pgoutput_message(tournament_pgoutput_t *event,
    tournament_pgoutput_reader_t *r)
{
    uint64_t              flags;
    const unsigned char  *nul;

    event->type = TOURNAMENT_PGOUTPUT_MESSAGE;

    flags = tournament_pgoutput_number(r, 1);
    event->message.transactional = (flags & TOURNAMENT_PGOUTPUT_TRANSACTIONAL)
                                   != 0;
    event->message.lsn = tournament_pgoutput_number(r, 8);

    nul = r->left ? memchr(r->p, '\0', r->left) : NULL;
    if (nul == NULL) {
        return "a message whose prefix has no end";
    }

    event->message.prefix_len = nul - r->p;
    event->message.prefix = tournament_pgoutput_bytes(r,
                                               event->message.prefix_len + 1);

    event->message.content_len = (size_t) tournament_pgoutput_number(r, 4);
    event->message.content = tournament_pgoutput_bytes(r,
                                                 event->message.content_len);

    return tournament_pgoutput_whole(r) ? NULL
                                        : "a message of a wrong length";
}


static int
tournament_pgoutput_whole(const tournament_pgoutput_reader_t *r)
{
    return !r->is_short && r->left == 0;
}


/* size bytes, at most 8, byte by byte: no alignment is asked for */

static uint64_t
tournament_pgoutput_number(tournament_pgoutput_reader_t *r, size_t size)
{
    size_t                i;
    uint64_t              n;
    const unsigned char  *p;

    p = tournament_pgoutput_bytes(r, size);
    if (p == NULL) {
        return 0;
    }

    n = 0;

    for (i = 0; i < size; i++) {
        n = n << 8 | p[i];
    }

    return n;
}


static int64_t
tournament_pgoutput_instant(tournament_pgoutput_reader_t *r)
{
    int64_t   us;
    uint64_t  n;

    n = tournament_pgoutput_number(r, 8);

    us = (n <= INT64_MAX) ? (int64_t) n : -1 - (int64_t) (UINT64_MAX - n);

    return (us > INT64_MAX - TOURNAMENT_PGOUTPUT_EPOCH)
               ? INT64_MAX : us + TOURNAMENT_PGOUTPUT_EPOCH;
}


/* NULL, and the reader is short, if there are not as many */

static const unsigned char *
tournament_pgoutput_bytes(tournament_pgoutput_reader_t *r, size_t len)
{
    const unsigned char  *p;

    if (len > r->left) {
        r->is_short = 1;
        r->left = 0;

        return NULL;
    }

    p = r->p;
    r->p += len;
    r->left -= len;

    return p;
}


void
tournament_pgoutput_status(unsigned char *dst, uint64_t applied, int64_t now,
    int reply)
{
    int        i;
    uint64_t   clock;

    /* the wire's instants may wrap: the server only shows them */

    clock = (uint64_t) now - (uint64_t) TOURNAMENT_PGOUTPUT_EPOCH;

    *dst++ = 'r';

    for (i = 0; i < 3; i++) {
        dst = tournament_pgoutput_put(dst, applied);
    }

    dst = tournament_pgoutput_put(dst, clock);
    *dst = (reply != 0);
}


static unsigned char *
tournament_pgoutput_put(unsigned char *dst, uint64_t n)
{
    int  shift;

    for (shift = 56; shift >= 0; shift -= 8) {
        *dst++ = (unsigned char) (n >> shift);
    }

    return dst;
}


uint64_t
tournament_pgoutput_xid8(uint32_t xid, uint64_t xmax)
{
    uint32_t  ahead;

    ahead = xid - (uint32_t) xmax;

    if (ahead <= INT32_MAX) {
        return xmax + ahead;
    }

    /* behind, unless that was before the first of all */

    ahead = 0 - ahead;

    return (xmax >= ahead) ? xmax - ahead : xid;
}


size_t
tournament_pgoutput_lsn_text(char *dst, uint64_t lsn)
{
    char  *p;

    p = tournament_pgoutput_hex(dst, (uint32_t) (lsn >> 32));
    *p++ = '/';
    p = tournament_pgoutput_hex(p, (uint32_t) lsn);

    return p - dst;
}


static char *
tournament_pgoutput_hex(char *dst, uint32_t n)
{
    int  shift;

    for (shift = 28; shift && n >> shift == 0; shift -= 4) { /* void */ }

    for ( /* void */ ; shift >= 0; shift -= 4) {
        *dst++ = "0123456789ABCDEF"[n >> shift & 0xf];
    }

    return dst;
}


int
tournament_pgoutput_lsn(const unsigned char *p, size_t len, uint64_t *lsn)
{
    uint64_t              high, low;
    const unsigned char  *end;

    end = p + len;

    p = tournament_pgoutput_half(p, end, &high);

    if (p == NULL || p == end || *p++ != '/') {
        return -1;
    }

    if (tournament_pgoutput_half(p, end, &low) != end) {
        return -1;
    }

    *lsn = high << 32 | low;

    return 0;
}


/* one to eight digits; where they end, or NULL */

static const unsigned char *
tournament_pgoutput_half(const unsigned char *p, const unsigned char *end,
    uint64_t *n)
{
    unsigned char         c;
    const unsigned char  *first;

    *n = 0;

    for (first = p; p < end; p++) {

        c = *p | 0x20;

        if (*p >= '0' && *p <= '9') {
            *n = *n << 4 | (uint64_t) (*p - '0');

        } else if (c >= 'a' && c <= 'f') {
            *n = *n << 4 | (uint64_t) (c - 'a' + 10);

        } else {
            break;
        }

        if (p - first == 8) {
            return NULL;
        }
    }

    return (p == first) ? NULL : p;
}
