
/*
 * A slot is claimed by compare-and-swap, given back by a store, and taken over
 * from a process that is dead.  A process number may be given anew to something
 * that is no worker: the slot stays taken then, which costs a number for a
 * while and nothing else.
 */

#include "zone/atomic.h"
#include "zone/worker.h"


ngx_uint_t
tournament_worker_lives(uint64_t id)
{
    return kill((ngx_pid_t) (id & 0xffffffff), 0) == 0 || ngx_errno != ESRCH;
}


uint32_t
tournament_workers_begin(tournament_workers_t *workers)
{
    return tournament_atomic_next(&workers->generation);
}


uint32_t
tournament_workers_generation(tournament_workers_t *workers)
{
    return tournament_atomic_load(&workers->generation);
}


ngx_int_t
tournament_workers_join(tournament_workers_t *workers, uint32_t generation)
{
    uint64_t    id;
    ngx_int_t   i;

    for (i = 0; i < TOURNAMENT_WORKERS; i++) {
        id = tournament_atomic_load(&workers->ids[i]);

        /* its own: master_process is off, and this is a reload */

        if ((id == 0 || (uint32_t) id == (uint32_t) ngx_pid
             || !tournament_worker_lives(id))
            && tournament_atomic_set(&workers->ids[i], &id,
                                     tournament_worker_id(generation)))
        {
            tournament_workers_watch(workers, i, 0);
            return i;
        }
    }

    return NGX_ERROR;
}


void
tournament_workers_leave(tournament_workers_t *workers, ngx_int_t number)
{
    if (number != NGX_ERROR) {
        tournament_atomic_store(&workers->ids[number], 0);
    }
}


void
tournament_workers_watch(tournament_workers_t *workers, ngx_int_t number,
    ngx_uint_t on)
{
    uint64_t  bit;

    if (number == NGX_ERROR) {
        return;
    }

    bit = (uint64_t) 1 << number;

    if (on) {
        tournament_atomic_or(&workers->watching, bit);

        /* pairs with who changes the clock and then looks who watches it */

        tournament_atomic_fence();

    } else {
        tournament_atomic_and(&workers->watching, ~bit);
    }
}


uint64_t
tournament_workers_watching(tournament_workers_t *workers)
{
    return tournament_atomic_load(&workers->watching);
}


uint64_t
tournament_workers_at(tournament_workers_t *workers, ngx_uint_t number)
{
    uint64_t  id;

    id = tournament_atomic_load(&workers->ids[number]);

    return id && tournament_worker_lives(id) ? id : 0;
}
