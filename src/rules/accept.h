
/*
 * The header Accept: how well a type of media is accepted, by RFC 9110.  Pure
 * C99: no nginx, no allocation.
 */

#ifndef TOURNAMENT_ACCEPT_H
#define TOURNAMENT_ACCEPT_H


#include <stddef.h>


/* of the most specific range so far; zeroed at first */

typedef struct {
    unsigned  specific;    /* 3: the type, 2: any of its kind, 1: any */
    unsigned  quality;     /* thousandths; 0: not acceptable */
} tournament_accept_t;


/*
 * Reads a header's value, len bytes, for a type such as "text/html".  Several
 * headers of the name are one list: it is called for each of them.
 */

void tournament_accept_read(tournament_accept_t *accept, const char *type,
    const unsigned char *value, size_t len);


#endif /* TOURNAMENT_ACCEPT_H */
