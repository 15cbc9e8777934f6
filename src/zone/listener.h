
/*
 * The listener's place in the shared zone: which worker hears of changes, and
 * how far it is.  The feed's room owns it; it is written and read without a
 * lock.
 *
 * Pairs, each the order of the stores; it is read in the other one
 * (t/litmus/listener.litmus): what is said of the listener before up, by
 * tournament_feed_up(), read by tournament_feed_state(), _compare() and
 * _yield(); the clock's suspect before doubts and up, read by _state() before
 * a class; up before the beat of one that does not follow, by _elected(), read
 * by _state(); the changes of one that leaves before drained, read by
 * _handover().
 * lease changes by compare-and-swap: it has one holder at most.
 */

#ifndef _TOURNAMENT_LISTENER_H_INCLUDED_
#define _TOURNAMENT_LISTENER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    uint64_t                     lease;       /* generation and pid */
    uint64_t                     beat;        /* ms; the holder lives */
    uint64_t                     up;          /* the lease that listens */
    uint64_t                     doubts;      /* not 0: changes may go by */
    uint64_t                     source;      /* where and how; a hash */
    uint64_t                     position;    /* since this LSN, or 0 */
    uint64_t                     server;      /* it leads to; 0: unknown */
    uint64_t                     crowded;     /* ms; it finds no room, since */
    uint64_t                     strayed;     /* ms; a pool leads elsewhere */
    uint64_t                     drained;     /* a lease that was succeeded,
                                                 and has heard all before */
    uint64_t                     heard;       /* ms; the last message */
    uint64_t                     changes;     /* tokens handled so far */
    uint64_t                     warmed;      /* the space of keys that is
                                                 loaded */
    uint64_t                     behind;      /* bytes of the server's log */
    uint64_t                     behind_ms;
    char                         slot[64];    /* there, or ""; pairs with
                                                 nothing: a status page may
                                                 show two names mixed */
} tournament_listener_t;


#endif /* _TOURNAMENT_LISTENER_H_INCLUDED_ */
