
/*
 * An eventfd for each worker's number: writing to it makes the worker's event
 * loop turn.  They are the process's, not a configuration's, so that workers
 * of different generations wake one another.
 */

#include <ngx_event.h>
#include <sys/eventfd.h>

#include "feed/wake.h"


/* eventfds are never fewer */
#define TOURNAMENT_WAKE_LEAST  8


struct tournament_wake_s {
    tournament_zone_t    *zone;
    ngx_int_t             number;
    ngx_connection_t     *c;
    tournament_wake_pt    handler;
    void                 *data;
};


static void tournament_wake_event(ngx_event_t *ev);


/* of the process, not of a configuration: see the header */

static int         tournament_wake_fds[TOURNAMENT_WORKERS];
static ngx_uint_t  tournament_wake_made;


ngx_int_t
tournament_wake_init(ngx_log_t *log, ngx_uint_t workers)
{
    int         fd;
    ngx_uint_t  i, n;

    if (tournament_wake_made) {
        return NGX_OK;
    }

    /* as old workers and new ones need for some reloads in a row */

    n = ngx_max(4 * workers, TOURNAMENT_WAKE_LEAST);
    n = ngx_min(n, TOURNAMENT_WORKERS);

    for (i = 0; i < n; i++) {

        fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (fd == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "eventfd() failed");
            return NGX_ERROR;
        }

        tournament_wake_fds[i] = fd;
    }

    tournament_wake_made = n;

    return NGX_OK;
}


tournament_wake_t *
tournament_wake_create(ngx_pool_t *pool, ngx_log_t *log,
    tournament_zone_t *zone, tournament_wake_pt handler, void *data)
{
    ngx_connection_t   *c;
    tournament_wake_t  *wake;

    wake = ngx_pcalloc(pool, sizeof(tournament_wake_t));
    if (wake == NULL) {
        return NULL;
    }

    wake->zone = zone;
    wake->handler = handler;
    wake->data = data;
    wake->number = tournament_workers_join(zone->workers, zone->generation);

    if (wake->number == NGX_ERROR
        || (ngx_uint_t) wake->number >= tournament_wake_made)
    {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "tournament: more than %ui workers, this one will hear "
                      "of the others' queries late",
                      tournament_wake_made);
        return wake;
    }

    c = ngx_get_connection(tournament_wake_fds[wake->number], log);

    if (c == NULL) {
        tournament_workers_leave(zone->workers, wake->number);
        wake->number = NGX_ERROR;
        return wake;
    }

    c->data = wake;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->read->handler = tournament_wake_event;

    /* nginx calls the handlers of idle ones as a worker begins to exit */

    c->idle = 1;

    wake->c = c;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        tournament_wake_destroy(wake);
    }

    return wake;
}


void
tournament_wake_destroy(tournament_wake_t *wake)
{
    ngx_connection_t  *c;

    c = wake->c;

    if (c) {

        if (c->read->active) {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);
        }

        /* the descriptor is for whoever has the number next */

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        wake->c = NULL;
    }

    tournament_workers_leave(wake->zone->workers, wake->number);

    wake->number = NGX_ERROR;
}


ngx_int_t
tournament_wake_number(tournament_wake_t *wake)
{
    return wake->number;
}


void
tournament_wake_up(tournament_wake_t *wake, uint64_t workers)
{
    uint64_t   one;
    ngx_int_t  i;

    one = 1;

    for (i = 0; workers; i++, workers >>= 1) {

        if (!(workers & 1) || i == wake->number
            || (ngx_uint_t) i >= tournament_wake_made)
        {
            continue;
        }

        if (write(tournament_wake_fds[i], &one, sizeof(uint64_t))
            == -1
            && ngx_errno != NGX_EAGAIN)
        {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                          "write() to an eventfd failed");
        }
    }
}


static void
tournament_wake_event(ngx_event_t *ev)
{
    uint64_t            n;
    ngx_connection_t   *c;
    tournament_wake_t  *wake;

    c = ev->data;
    wake = c->data;

    if (read(c->fd, &n, sizeof(uint64_t)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "read() from an eventfd failed");
    }

    wake->handler(wake->data);
}
