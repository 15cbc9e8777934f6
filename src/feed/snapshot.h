
/*
 * A snapshot of the server's, as pg_current_snapshot() writes it: which
 * transactions others see.  Pure C99: no nginx, no libpq, no allocation.
 *
 *     snapshot = xmin ":" xmax ":" [xip *("," xip)]
 *
 * Those before xmin have ended, those from xmax on have not, nor have those of
 * the ascending list between.
 */

#ifndef TOURNAMENT_SNAPSHOT_H
#define TOURNAMENT_SNAPSHOT_H


#include <stddef.h>
#include <stdint.h>


/* xid8s; the list is in the caller's buffer */

typedef struct {
    uint64_t              xmin;
    uint64_t              xmax;
    const unsigned char  *xip;
    size_t                len;
} tournament_snapshot_t;


/*
 * Reads the len bytes at p, which have to stay.  Returns 0, or -1 if they are
 * no snapshot; of the list only the characters are looked at.
 */

int tournament_snapshot_read(tournament_snapshot_t *snapshot,
    const unsigned char *p, size_t len);


/* Whether the transaction has ended: 1 or 0. */

int tournament_snapshot_shows(const tournament_snapshot_t *snapshot,
    uint64_t xid);


#endif /* TOURNAMENT_SNAPSHOT_H */
