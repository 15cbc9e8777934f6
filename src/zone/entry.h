
/*
 * An entry outside the zone: a result of the database, or a copy of one.
 * Without facts (missing is set) the thing does not exist.
 */

#ifndef _TOURNAMENT_ENTRY_H_INCLUDED_
#define _TOURNAMENT_ENTRY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    uint64_t                   clock;        /* before the query was sent */
    ngx_msec_t                 fetched;      /* ngx_current_msec, likewise */
    int64_t                    valid_until;  /* Unix time, s; 0: no end */

    uint32_t                  *stripes;      /* of the things it shows */
    ngx_uint_t                 nstripes;

    u_char                    *facts;        /* aligned to 8 */
    size_t                     len;          /* bytes */

    unsigned                   missing:1;
    unsigned                   failed:1;     /* so has the last query for
                                                a newer one; the arena's */
} tournament_entry_t;


/* Bytes that a copy of an entry's facts and stripes takes. */

static ngx_inline size_t
tournament_entry_size(tournament_entry_t *entry)
{
    return ngx_align(entry->len, 8) + entry->nstripes * sizeof(uint32_t);
}


/*
 * Copies an entry; its facts and stripes go to memory, which has
 * tournament_entry_size() bytes and is aligned to 8.
 */

static ngx_inline void
tournament_entry_copy(tournament_entry_t *to, tournament_entry_t *from,
    u_char *memory)
{
    *to = *from;

    to->facts = memory;
    to->stripes = (uint32_t *) (memory + ngx_align(from->len, 8));

    /* memcpy() is not to be given NULL */

    if (from->len) {
        ngx_memcpy(to->facts, from->facts, from->len);
    }

    if (from->nstripes) {
        ngx_memcpy(to->stripes, from->stripes,
                   from->nstripes * sizeof(uint32_t));
    }
}


/*
 * How long ago that was, ms.  Another worker's cached time may be a little
 * ahead of this one's: what it has fetched by then is of age 0.
 */

static ngx_inline ngx_msec_t
tournament_elapsed(ngx_msec_t then)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec - then);

    return age > 0 ? (ngx_msec_t) age : 0;
}


#endif /* _TOURNAMENT_ENTRY_H_INCLUDED_ */
