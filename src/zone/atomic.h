
/*
 * Memory that processes share without a lock.  Every access of this kind goes
 * through here, so that its order is chosen once.  Which accesses pair, so that
 * whoever sees the later one sees the earlier one, stands where the memory is
 * declared; t/litmus has the pairs for Arm's model, whose order x86 hides.
 *
 * Sequential consistency costs next to nothing where it matters: on x86 such
 * a load is a plain one.  The weaker forms are for places that say why.
 */

#ifndef _TOURNAMENT_ATOMIC_H_INCLUDED_
#define _TOURNAMENT_ATOMIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define tournament_atomic_load(p)      __atomic_load_n(p, __ATOMIC_SEQ_CST)
#define tournament_atomic_store(p, v)  __atomic_store_n(p, v, __ATOMIC_SEQ_CST)
#define tournament_atomic_swap(p, v)                                          \
    __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

#define tournament_atomic_or(p, v)                                            \
    (void) __atomic_or_fetch(p, v, __ATOMIC_SEQ_CST)
#define tournament_atomic_and(p, v)                                           \
    (void) __atomic_and_fetch(p, v, __ATOMIC_SEQ_CST)

/* adds 1; the value is the new one */
#define tournament_atomic_next(p)                                             \
    __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST)

/*
 * Compares with *old, an lvalue, and sets; 1: it was that.  0: *old is what it
 * was instead.
 */
#define tournament_atomic_set(p, old, v)                                      \
    __atomic_compare_exchange_n(p, old, v, 0, __ATOMIC_SEQ_CST,               \
                                __ATOMIC_SEQ_CST)

/* a load that no later access of this process goes before */
#define tournament_atomic_acquire(p)   __atomic_load_n(p, __ATOMIC_ACQUIRE)

/* a store that no earlier access of this process goes behind */
#define tournament_atomic_release(p, v)                                       \
    __atomic_store_n(p, v, __ATOMIC_RELEASE)

/* no access of this process goes across */
#define tournament_atomic_fence()      __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* counters and gauges, which order nothing else, and pair with nothing */
#define tournament_atomic_peek(p)      __atomic_load_n(p, __ATOMIC_RELAXED)
#define tournament_atomic_add(p, n)                                           \
    (void) __atomic_add_fetch(p, n, __ATOMIC_RELAXED)


/* Sets *p to value, unless it is that or more already. */

static ngx_inline void
tournament_atomic_advance(uint64_t *p, uint64_t value)
{
    uint64_t  old;

    old = tournament_atomic_load(p);

    while (old < value && !tournament_atomic_set(p, &old, value)) {
        /* void: old is what another process has set */
    }
}


#endif /* _TOURNAMENT_ATOMIC_H_INCLUDED_ */
