
/*
 * A key's claim is in one of a few places from its hash on.  Where all of them
 * are taken the key is fetched without a claim: a needless query at worst.
 */

#include "zone/claim.h"
#include "zone/worker.h"
#include "rules/hash.h"


/* places that are looked at for a key */
#define TOURNAMENT_CLAIM_PLACES  8


static tournament_claim_t *tournament_claims_find(tournament_claims_t *claims,
    uint64_t hash);
static uint64_t tournament_claims_hash(tournament_claims_t *claims,
    tournament_key_t *key);


ngx_int_t
tournament_claims_take(tournament_claims_t *claims, tournament_key_t *key,
    ngx_int_t worker, ngx_msec_t ms)
{
    uint64_t             hash;
    ngx_int_t            rc;
    tournament_claim_t  *claim;

    hash = tournament_claims_hash(claims, key);
    rc = NGX_OK;

    ngx_shmtx_lock(&claims->shpool->mutex);

    claim = tournament_claims_find(claims, hash);

    if (claim && claim->pid && claim->pid != ngx_pid) {

        if (worker != NGX_ERROR) {
            claim->waiting |= (uint64_t) 1 << worker;
        }

        rc = NGX_BUSY;

    } else if (claim) {
        claim->hash = hash;
        claim->until = ngx_current_msec + ms;
        claim->waiting = 0;
        claim->pid = ngx_pid;
    }

    ngx_shmtx_unlock(&claims->shpool->mutex);

    return rc;
}


void
tournament_claims_renew(tournament_claims_t *claims, tournament_key_t *key,
    ngx_msec_t ms)
{
    uint64_t             hash;
    tournament_claim_t  *claim;

    hash = tournament_claims_hash(claims, key);

    ngx_shmtx_lock(&claims->shpool->mutex);

    claim = tournament_claims_find(claims, hash);

    if (claim && claim->pid == ngx_pid) {
        claim->until = ngx_current_msec + ms;
    }

    ngx_shmtx_unlock(&claims->shpool->mutex);
}


uint64_t
tournament_claims_release(tournament_claims_t *claims, tournament_key_t *key,
    ngx_msec_t ms)
{
    uint64_t             hash, waiting;
    tournament_claim_t  *claim;

    hash = tournament_claims_hash(claims, key);
    waiting = 0;

    ngx_shmtx_lock(&claims->shpool->mutex);

    claim = tournament_claims_find(claims, hash);

    if (claim && claim->pid == ngx_pid) {
        waiting = claim->waiting;
        claim->waiting = 0;
        claim->until = ngx_current_msec + ms;
        claim->pid = ms ? ngx_pid : 0;
    }

    ngx_shmtx_unlock(&claims->shpool->mutex);

    return waiting;
}


/* the claim of a key that is alive, else a free place for one, else NULL */

static tournament_claim_t *
tournament_claims_find(tournament_claims_t *claims, uint64_t hash)
{
    uint32_t             i;
    tournament_claim_t  *claim, *free;

    free = NULL;

    for (i = 0; i < TOURNAMENT_CLAIM_PLACES; i++) {
        claim = &claims->places[(hash + i) & (TOURNAMENT_CLAIMS - 1)];

        if (claim->pid
            && ((ngx_msec_int_t) (claim->until - ngx_current_msec) < 0
                || (claim->pid != ngx_pid
                    && !tournament_worker_lives((uint32_t) claim->pid))))
        {
            claim->pid = 0;
        }

        if (claim->pid && claim->hash == hash) {
            return claim;
        }

        if (claim->pid == 0 && free == NULL) {
            free = claim;
        }
    }

    return free;
}


static uint64_t
tournament_claims_hash(tournament_claims_t *claims, tournament_key_t *key)
{
    return tournament_hash(claims->secret, key->data, key->len);
}
