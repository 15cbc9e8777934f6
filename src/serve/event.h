
/*
 * Events of text/event-stream, as they are sent.  Counted by reference: a slow
 * client may still be receiving one when there is a newer one.
 */

#ifndef _TOURNAMENT_EVENT_H_INCLUDED_
#define _TOURNAMENT_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_uint_t                   refs;
    uint64_t                     id;        /* of the document */
    time_t                       second;    /* that it was rendered for */
    ngx_str_t                    text;
} tournament_event_t;


/*
 * How things are.  document is there always, stale while a poll would be
 * answered that the database cannot be asked, gone once it would be 401, 403
 * or 404.  Whoever keeps an event adds a reference.
 */

typedef struct {
    tournament_event_t          *document;
    tournament_event_t          *stale;
    tournament_event_t          *gone;
} tournament_news_t;


/*
 * One with a reference, the caller's, in memory of its own.  first is its first
 * line, or the beginning of it, which the id ends; with id 0 there is none.
 * NULL: no memory.
 */

tournament_event_t *tournament_event_create(const char *first, uint64_t id,
    ngx_str_t *data);


/* Gives a reference back.  forget: *event's, if any; it is NULL then. */

void tournament_event_release(tournament_event_t *event);
void tournament_event_forget(tournament_event_t **event);


#endif /* _TOURNAMENT_EVENT_H_INCLUDED_ */
