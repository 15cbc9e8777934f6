
/*
 * What the triggers announce of a transaction, by a notification or by a
 * logical message: words, with spaces between them.  Each is a token: "*", or
 * a letter and an id, such as "t42".
 *
 * Pure C99: no nginx, no libpq, no allocation.  Anybody who may log in to the
 * database can write a payload: any bytes are taken, and what is not
 * understood means everything, as does a payload that is too long.
 */

#ifndef TOURNAMENT_PAYLOAD_H
#define TOURNAMENT_PAYLOAD_H


#include <stddef.h>
#include <stdint.h>


/* bytes; what NOTIFY can carry, and the triggers make of a message */
#define TOURNAMENT_PAYLOAD_MAX         8000

/* the kind of a token that concerns everything */
#define TOURNAMENT_PAYLOAD_EVERYTHING  '*'


typedef struct {
    const unsigned char  *p;
    const unsigned char  *end;
    unsigned              too_long:1;
} tournament_payload_t;


typedef struct {
    unsigned char  kind;               /* a to z, or EVERYTHING */
    int64_t        id;                 /* 0 with EVERYTHING */
} tournament_token_t;


/* Starts on the len bytes at p, which have to stay while it is read. */

void tournament_payload_open(tournament_payload_t *payload,
    const unsigned char *p, size_t len);


/* Reads the next token.  Returns 1, or 0 if there is none any more. */

int tournament_payload_next(tournament_payload_t *payload,
    tournament_token_t *token);


#endif /* TOURNAMENT_PAYLOAD_H */
