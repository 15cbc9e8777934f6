
/*
 * The workers of a node: which of them live, in which configuration, and by
 * which numbers.  Every other room that keeps who does something, keeps a
 * worker's id and asks here whether it lives.
 *
 * It lives in the shared zone.  Nothing here takes a lock.
 */

#ifndef _TOURNAMENT_WORKER_H_INCLUDED_
#define _TOURNAMENT_WORKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* workers that have a number; a set of them is a bit each of 64 */
#define TOURNAMENT_WORKERS  64


typedef struct {
    uint64_t                   ids[TOURNAMENT_WORKERS];   /* by number; 0: it
                                                             is free; leave()
                                                             pairs with join()
                                                             and at() */
    uint32_t                   generation;                /* begin() comes
                                                             before the fork */
    uint64_t                   watching;  /* a bit each: to be woken by
                                             changes; set before the clock is
                                             read, read after it is set */
} tournament_workers_t;


/*
 * A worker's id: the generation of its configuration in the upper half, its
 * process in the lower one.  0 is nobody's.
 */

#define tournament_worker_id(generation)                                      \
    ((uint64_t) (generation) << 32 | (uint32_t) ngx_pid)

#define tournament_worker_generation(id)  ((uint32_t) ((id) >> 32))


/* Whether the process of an id, or of a bare process number, is there. */

ngx_uint_t tournament_worker_lives(uint64_t id);


/*
 * The configuration is in force: returns its generation, which is higher than
 * those before.  Called by the master before its workers are made; a reload
 * that fails does not come so far.
 */

uint32_t tournament_workers_begin(tournament_workers_t *workers);


/* The newest configuration's generation. */

uint32_t tournament_workers_generation(tournament_workers_t *workers);


/*
 * A number for this worker, whose configuration is of that generation: 0 to
 * TOURNAMENT_WORKERS - 1, and no other living worker's.  NGX_ERROR: all are
 * taken.  leave() gives it back; of NGX_ERROR nothing.
 */

ngx_int_t tournament_workers_join(tournament_workers_t *workers,
    uint32_t generation);
void tournament_workers_leave(tournament_workers_t *workers, ngx_int_t number);


/*
 * Whether the worker of that number is to be woken as something has changed,
 * and the set of those that are.  A worker that joins is not.
 */

void tournament_workers_watch(tournament_workers_t *workers, ngx_int_t number,
    ngx_uint_t on);
uint64_t tournament_workers_watching(tournament_workers_t *workers);


/* The id of the living worker that has a number, or 0. */

uint64_t tournament_workers_at(tournament_workers_t *workers,
    ngx_uint_t number);


#endif /* _TOURNAMENT_WORKER_H_INCLUDED_ */
