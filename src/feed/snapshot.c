
/*
 * The list is searched as it is written: from the middle of what is left, back
 * to where its number begins.
 */

#include "feed/snapshot.h"


static const unsigned char *tournament_snapshot_number(
    const unsigned char *p, const unsigned char *end, uint64_t *n);


int
tournament_snapshot_read(tournament_snapshot_t *snapshot,
    const unsigned char *p, size_t len)
{
    const unsigned char  *end;

    end = p + len;

    p = tournament_snapshot_number(p, end, &snapshot->xmin);

    if (p == NULL || p == end || *p != ':') {
        return -1;
    }

    p = tournament_snapshot_number(p + 1, end, &snapshot->xmax);

    if (p == NULL || p == end || *p != ':') {
        return -1;
    }

    snapshot->xip = ++p;
    snapshot->len = end - p;

    for ( /* void */ ; p < end; p++) {
        if ((*p < '0' || *p > '9') && *p != ',') {
            return -1;
        }
    }

    return 0;
}


int
tournament_snapshot_shows(const tournament_snapshot_t *snapshot, uint64_t xid)
{
    uint64_t              n;
    const unsigned char  *p, *low, *high, *next;

    if (xid < snapshot->xmin) {
        return 1;
    }

    if (xid >= snapshot->xmax) {
        return 0;
    }

    low = snapshot->xip;
    high = low + snapshot->len;

    while (low < high) {
        p = low + (high - low) / 2;

        while (p > low && p[-1] != ',') {
            p--;
        }

        next = tournament_snapshot_number(p, snapshot->xip + snapshot->len,
                                          &n);
        if (next == NULL || n == xid) {
            return 0;
        }

        if (n < xid) {
            low = next + 1;

        } else {
            high = p;
        }
    }

    return 1;
}


/* the end of the number at p; NULL: there is none */

static const unsigned char *
tournament_snapshot_number(const unsigned char *p, const unsigned char *end,
    uint64_t *n)
{
    const unsigned char  *begin;

    *n = 0;

    for (begin = p; p < end && *p >= '0' && *p <= '9'; p++) {
        if (p - begin == 19) {
            return NULL;
        }

        *n = *n * 10 + (*p - '0');
    }

    return (p == begin) ? NULL : p;
}
