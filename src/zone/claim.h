
/*
 * Which worker fetches a key: a hash of places in the shared zone, under its
 * mutex.  A claim ends when its worker gives it back, dies, or does not renew
 * it: one that hangs holds nobody up for long.  Whoever finds a key claimed is
 * in the set that the owner's release() returns.
 *
 * A worker that dies as it writes a place leaves one that is torn, but that
 * has its process number, or is free: it is nobody's either way.
 */

#ifndef _TOURNAMENT_CLAIM_H_INCLUDED_
#define _TOURNAMENT_CLAIM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "zone/key.h"


/* places, a power of two */
#define TOURNAMENT_CLAIMS  1024


/* a key that is being fetched */

typedef struct {
    uint64_t                   hash;
    uint64_t                   until;     /* ms */
    uint64_t                   waiting;   /* workers, a bit each */
    ngx_pid_t                  pid;       /* 0: free */
} tournament_claim_t;


/* a process' view of them */

typedef struct {
    tournament_claim_t        *places;    /* in the zone, zeroed at first */
    ngx_slab_pool_t           *shpool;    /* the mutex */
    u_char                    *secret;    /* of hashes of keys */
} tournament_claims_t;


/*
 * NGX_OK: this worker fetches the key from now on, until release(), until it
 * dies, or for so many ms.  NGX_BUSY: another one does, and worker, this one's
 * number or NGX_ERROR, is in the set that its release() will return.  (Where
 * the places for this key are taken it is NGX_OK: a query too many.)
 */

ngx_int_t tournament_claims_take(tournament_claims_t *claims,
    tournament_key_t *key, ngx_int_t worker, ngx_msec_t ms);


/* Keeps a claim for so many ms from now, if it is this worker's still. */

void tournament_claims_renew(tournament_claims_t *claims,
    tournament_key_t *key, ngx_msec_t ms);


/*
 * Gives a claim back, or with ms keeps it for as long from now.  Returns the
 * set of workers, a bit each, that wait for it: they are to be woken.
 */

uint64_t tournament_claims_release(tournament_claims_t *claims,
    tournament_key_t *key, ngx_msec_t ms);


#endif /* _TOURNAMENT_CLAIM_H_INCLUDED_ */
