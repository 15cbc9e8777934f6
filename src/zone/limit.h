
/* What would fill the log is written once in a while, and counted meanwhile. */

#ifndef _TOURNAMENT_LIMIT_H_INCLUDED_
#define _TOURNAMENT_LIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* zeroed at first */

typedef struct {
    ngx_msec_t                 written;   /* when */
    ngx_uint_t                 held;      /* lines since then */
    unsigned                   begun:1;
} tournament_limit_t;


/*
 * Whether a line may be written at now, ms, at least that many ms after the
 * last one.  1: *held, unless it is NULL, is how many were not in between.
 */

static ngx_inline ngx_uint_t
tournament_limit_pass(tournament_limit_t *limit, ngx_msec_t now, ngx_msec_t ms,
    ngx_uint_t *held)
{
    if (limit->begun && now - limit->written < ms) {
        limit->held++;
        return 0;
    }

    if (held) {
        *held = limit->held;
    }

    limit->written = now;
    limit->held = 0;
    limit->begun = 1;

    return 1;
}


#endif /* _TOURNAMENT_LIMIT_H_INCLUDED_ */
