
/*
 * Whoever is affected takes a seat first and then looks whether an outage has
 * begun; whoever ends one writes that first and then looks whether anybody has
 * a seat.  So of two that meet at least one sees the other: pids in begin()
 * and begun in end() are each stored before the other is read, in one order for
 * all (t/litmus/outage.litmus).
 */

#include "zone/atomic.h"
#include "zone/outage.h"
#include "zone/worker.h"


static ngx_uint_t tournament_outage_lasts(tournament_outage_t *outage);


ngx_uint_t
tournament_outage_begin(tournament_outage_t *outage,
    tournament_outage_seat_t *seat, uint64_t reason)
{
    int32_t     pid;
    uint64_t    begun, now, none;
    ngx_uint_t  i, lasts;

    begun = tournament_atomic_load(&outage->begun);
    lasts = tournament_outage_lasts(outage);

    for (i = 0; seat->place == 0 && i < TOURNAMENT_OUTAGE_PLACES; i++) {
        pid = tournament_atomic_load(&outage->pids[i]);

        if ((pid == 0 || !tournament_worker_lives((uint32_t) pid))
            && tournament_atomic_set(&outage->pids[i], &pid,
                                     (int32_t) ngx_pid))
        {
            seat->place = i + 1;
        }
    }

    now = (uint64_t) ngx_current_msec | 1;

    /* all who knew of the last one have gone without a word */

    if (begun != 0 && !lasts
        && tournament_atomic_set(&outage->begun, &begun, now))
    {
        tournament_atomic_store(&outage->worse, 0);
        tournament_atomic_store(&outage->reason, 0);
        tournament_atomic_store(&outage->told, reason);
        return 1;
    }

    /* of those who come at the same time one is the first */

    none = 0;

    if (!tournament_atomic_set(&outage->begun, &none, now)) {
        return 0;
    }

    tournament_atomic_store(&outage->reason, 0);
    tournament_atomic_store(&outage->told, reason);

    return 1;
}


ngx_uint_t
tournament_outage_goes_on(tournament_outage_t *outage, uint64_t reason,
    ngx_msec_t ms)
{
    uint64_t        told, since;
    ngx_msec_int_t  passed;

    told = tournament_atomic_load(&outage->told);

    if (told == reason || tournament_atomic_load(&outage->begun) == 0) {
        return 0;
    }

    if (tournament_atomic_load(&outage->reason) != reason) {
        tournament_atomic_store(&outage->since, (uint64_t) ngx_current_msec);
        tournament_atomic_store(&outage->reason, reason);
        return 0;
    }

    since = tournament_atomic_load(&outage->since);
    passed = (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) since);

    return passed > (ngx_msec_int_t) ms
           && tournament_atomic_set(&outage->told, &told, reason);
}


void
tournament_outage_forget(tournament_outage_t *outage)
{
    tournament_atomic_store(&outage->told, 0);
    tournament_atomic_store(&outage->reason, 0);
}


ngx_uint_t
tournament_outage_worse(tournament_outage_t *outage, ngx_msec_t ms)
{
    uint64_t  begun;

    begun = tournament_atomic_load(&outage->begun);

    return begun != 0
           && (ngx_msec_int_t) (ngx_current_msec - (ngx_msec_t) begun)
              > (ngx_msec_int_t) ms
           && tournament_atomic_swap(&outage->worse, 1) == 0;
}


ngx_uint_t
tournament_outage_end(tournament_outage_t *outage,
    tournament_outage_seat_t *seat, ngx_msec_t *lasted)
{
    uint64_t        begun, none;
    ngx_msec_int_t  ms;

    tournament_outage_leave(outage, seat);

    if (tournament_outage_lasts(outage)) {
        return 0;
    }

    tournament_atomic_store(&outage->worse, 0);

    begun = tournament_atomic_swap(&outage->begun, 0);

    /* pairs with begin(): who took a seat meanwhile may have joined this */

    none = 0;

    if (begun && tournament_outage_lasts(outage)
        && tournament_atomic_set(&outage->begun, &none, begun))
    {
        return 0;
    }

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
        tournament_atomic_store(&outage->pids[seat->place - 1], 0);
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
        pid = tournament_atomic_load(&outage->pids[i]);

        if (pid == 0) {
            continue;
        }

        if (tournament_worker_lives((uint32_t) pid)) {
            return 1;
        }

        (void) tournament_atomic_set(&outage->pids[i], &pid, 0);
    }

    return 0;
}
