
/* Timers, as every room sets them up. */

#ifndef _TOURNAMENT_TIMER_H_INCLUDED_
#define _TOURNAMENT_TIMER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


/*
 * ev is zeroed.  A timer that serves a client must not be cancelable: nginx
 * exits as soon as only cancelable ones are left.
 */

static ngx_inline void
tournament_timer_init(ngx_event_t *ev, ngx_event_handler_pt handler,
    void *data, ngx_log_t *log, ngx_uint_t cancelable)
{
    ev->handler = handler;
    ev->data = data;
    ev->log = log;
    ev->cancelable = cancelable;
}


static ngx_inline void
tournament_timer_stop(ngx_event_t *ev)
{
    if (ev->timer_set) {
        ngx_del_timer(ev);
    }
}


#endif /* _TOURNAMENT_TIMER_H_INCLUDED_ */
