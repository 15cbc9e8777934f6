
#include "zone/outage.h"


static ngx_uint_t tournament_outage_lasts(tournament_outage_t *outage);
static ngx_uint_t tournament_outage_dead(int32_t pid);


ngx_uint_t
tournament_outage_begin(tournament_outage_t *outage,
    tournament_outage_seat_t *seat)
{
    int32_t     pid;
    uint64_t    begun, now, none;
    ngx_uint_t  i, lasts;

    /* in this order: who begins takes a seat first */

    begun = __atomic_load_n(&outage->begun, __ATOMIC_SEQ_CST);
    lasts = tournament_outage_lasts(outage);

    for (i = 0; seat->place == 0 && i < TOURNAMENT_OUTAGE_PLACES; i++) {
        pid = __atomic_load_n(&outage->pids[i], __ATOMIC_SEQ_CST);

        if ((pid == 0 || tournament_outage_dead(pid))
            && __atomic_compare_exchange_n(&outage->pids[i], &pid,
                                           (int32_t) ngx_pid, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        {
            seat->place = i + 1;
        }
    }

    now = (uint64_t) ngx_current_msec | 1;

    /* all who knew of the last one have gone without a word */

    if (begun != 0 && !lasts
        && __atomic_compare_exchange_n(&outage->begun, &begun, now, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    {
        __atomic_store_n(&outage->worse, 0, __ATOMIC_SEQ_CST);
        return 1;
    }

    /* of those who come at the same time one is the first */

    none = 0;

    return __atomic_compare_exchange_n(&outage->begun, &none, now, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}


ngx_uint_t
tournament_outage_worse(tournament_outage_t *outage, ngx_msec_t ms)
{
    uint64_t  begun;

    begun = __atomic_load_n(&outage->begun, __ATOMIC_SEQ_CST);

    return begun != 0
           && (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) begun)
              > (ngx_msec_int_t) ms
           && __atomic_exchange_n(&outage->worse, 1, __ATOMIC_SEQ_CST) == 0;
}


ngx_uint_t
tournament_outage_end(tournament_outage_t *outage,
    tournament_outage_seat_t *seat, ngx_msec_t *lasted)
{
    uint64_t        begun;
    ngx_msec_int_t  ms;

    tournament_outage_leave(outage, seat);

    if (tournament_outage_lasts(outage)) {
        return 0;
    }

    __atomic_store_n(&outage->worse, 0, __ATOMIC_SEQ_CST);

    begun = __atomic_exchange_n(&outage->begun, 0, __ATOMIC_SEQ_CST);

    /* another worker's clock may be a little ahead */

    ms = (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) begun);

    *lasted = ms > 0 ? (ngx_msec_t) ms : 0;

    return begun != 0;
}


void
tournament_outage_leave(tournament_outage_t *outage,
    tournament_outage_seat_t *seat)
{
    if (seat->place) {
        __atomic_store_n(&outage->pids[seat->place - 1], 0, __ATOMIC_SEQ_CST);
        seat->place = 0;
    }
}


/* whether somebody is in trouble; the dead go, whose pids others may get */

static ngx_uint_t
tournament_outage_lasts(tournament_outage_t *outage)
{
    int32_t     pid;
    ngx_uint_t  i;

    for (i = 0; i < TOURNAMENT_OUTAGE_PLACES; i++) {
        pid = __atomic_load_n(&outage->pids[i], __ATOMIC_SEQ_CST);

        if (pid == 0) {
            continue;
        }

        if (!tournament_outage_dead(pid)) {
            return 1;
        }

        (void) __atomic_compare_exchange_n(&outage->pids[i], &pid, 0, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }

    return 0;
}


static ngx_uint_t
tournament_outage_dead(int32_t pid)
{
    return kill((ngx_pid_t) pid, 0) == -1 && ngx_errno == ESRCH;
}
