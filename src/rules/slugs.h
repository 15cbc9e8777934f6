
/*
 * Lists of slugs as clients send them: "a,b,c", or a JSON array of strings.
 * Pure C99: no nginx, no allocation, no recursion.
 */

#ifndef TOURNAMENT_SLUGS_H
#define TOURNAMENT_SLUGS_H


#include <stddef.h>


#define TOURNAMENT_SLUGS_MAX  100


typedef struct {
    size_t                 len;
    unsigned char         *data;    /* not ended by a NUL */
} tournament_slug_t;


typedef enum {
    TOURNAMENT_SLUGS_OK = 0,
    TOURNAMENT_SLUGS_MALFORMED,     /* one of them is no slug */
    TOURNAMENT_SLUGS_TOO_MANY,
    TOURNAMENT_SLUGS_NO_ARRAY       /* it is not a JSON array of strings */
} tournament_slugs_rc_e;


/*
 * Both read the len bytes at s, which the slugs then point into, and stop at
 * the first fault.  slugs has TOURNAMENT_SLUGS_MAX places; *n is how many were
 * found.  No bytes at all are an empty list in a query.  json() decodes
 * escapes in place: s changes.
 */

tournament_slugs_rc_e tournament_slugs_query(unsigned char *s, size_t len,
    tournament_slug_t *slugs, size_t *n);
tournament_slugs_rc_e tournament_slugs_json(unsigned char *s, size_t len,
    tournament_slug_t *slugs, size_t *n);


#endif /* TOURNAMENT_SLUGS_H */
