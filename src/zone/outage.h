
/*
 * What the workers of a node know of an outage together, so that it has one
 * line in the log as it begins, one when it goes on for another reason, and one
 * as it ends, however many workers have lost their connections.
 *
 * It lives in the shared zone, zeroed at first, and is written without a lock.
 * Who is in trouble is told by process ids: those of the dead do not count.
 * Where two workers act at the same instant a line may come twice or stand at
 * a lower level; nothing else depends on it.
 */

#ifndef _TOURNAMENT_OUTAGE_H_INCLUDED_
#define _TOURNAMENT_OUTAGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* more who are in trouble at the same time are not told apart */
#define TOURNAMENT_OUTAGE_PLACES  128


typedef struct {
    uint64_t                     begun;     /* ms, never 0; 0: there is none;
                                               end() sets it before it reads
                                               pids, begin() the other way */
    uint64_t                     worse;     /* said that it has become so */
    uint64_t                     told;      /* the reason that a line named, a
                                               hash; 0: none */
    uint64_t                     reason;    /* another one */
    uint64_t                     since;     /* ms; it has been that; set before
                                               reason, read after it */
    int32_t                      pids[TOURNAMENT_OUTAGE_PLACES];
} tournament_outage_t;


/* one who may be in trouble: a worker's pool, or the listener; zeroed */

typedef struct {
    ngx_uint_t                   place;     /* in pids, from 1; 0: none */
} tournament_outage_seat_t;


/*
 * Whoever holds seat is in trouble, for that reason (a hash).  1: the node's
 * outage begins with it, and the reason is to be told.
 */

ngx_uint_t tournament_outage_begin(tournament_outage_t *outage,
    tournament_outage_seat_t *seat, uint64_t reason);


/*
 * The outage goes on for that reason (a hash).  1: it is to be told, since it
 * has been the reason for so many ms and the last line named another one.
 * forget: what was told does not count any more, since the configuration is a
 * new one.
 */

ngx_uint_t tournament_outage_goes_on(tournament_outage_t *outage,
    uint64_t reason, ngx_msec_t ms);
void tournament_outage_forget(tournament_outage_t *outage);


/*
 * Nothing is left where something was.  1: the outage has lasted longer than
 * that many ms, and nobody has said so yet.
 */

ngx_uint_t tournament_outage_worse(tournament_outage_t *outage, ngx_msec_t ms);


/*
 * All is well with seat's holder, which may not have been in trouble.  1: the
 * outage ends with it, after so many ms.
 */

ngx_uint_t tournament_outage_end(tournament_outage_t *outage,
    tournament_outage_seat_t *seat, ngx_msec_t *lasted);


/* The holder goes, whatever its state. */

void tournament_outage_leave(tournament_outage_t *outage,
    tournament_outage_seat_t *seat);


#endif /* _TOURNAMENT_OUTAGE_H_INCLUDED_ */
