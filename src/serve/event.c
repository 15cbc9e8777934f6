
/*
 * An event's text is made once, for all to whom it is sent, and lies behind it
 * in the same memory.
 */

#include "serve/event.h"


tournament_event_t *
tournament_event_create(const char *first, uint64_t id, ngx_str_t *data)
{
    u_char              *p;
    size_t               len;
    tournament_event_t  *event;

    len = ngx_strlen(first) + 2 * sizeof(uint64_t) + sizeof("\ndata: \n\n")
          + data->len;

    event = ngx_alloc(sizeof(tournament_event_t) + len, ngx_cycle->log);
    if (event == NULL) {
        return NULL;
    }

    event->refs = 1;
    event->id = id;
    event->second = 0;

    p = (u_char *) event + sizeof(tournament_event_t);
    event->text.data = p;

    p = ngx_cpymem(p, first, ngx_strlen(first));

    if (id) {
        p = ngx_sprintf(p, "%016xL", id);
    }

    p = ngx_cpymem(p, "\ndata: ", sizeof("\ndata: ") - 1);
    p = ngx_cpymem(p, data->data, data->len);
    *p++ = LF;
    *p++ = LF;

    event->text.len = p - event->text.data;

    return event;
}


void
tournament_event_release(tournament_event_t *event)
{
    if (--event->refs == 0) {
        ngx_free(event);
    }
}


void
tournament_event_forget(tournament_event_t **event)
{
    if (*event) {
        tournament_event_release(*event);
        *event = NULL;
    }
}
