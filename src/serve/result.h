
/*
 * What becomes of a statement's rows: facts, the stripes of the things that
 * they show, and until when they hold.  One result serves a worker: what it
 * holds is good until the next one is begun.
 *
 * Rows come in PostgreSQL's binary format.  The columns that an endpoint
 * expects are compared with those that came, once for each result, so that the
 * functions below can trust them.
 */

#ifndef _TOURNAMENT_RESULT_H_INCLUDED_
#define _TOURNAMENT_RESULT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <libpq-fe.h>

#include "serve/json.h"
#include "zone/zone.h"


/* PostgreSQL's type ids, of its catalogue pg_type */

#define TOURNAMENT_BOOL         16
#define TOURNAMENT_INT8         20
#define TOURNAMENT_INT4         23
#define TOURNAMENT_TEXT         25
#define TOURNAMENT_INT8_ARRAY   1016
#define TOURNAMENT_TIMESTAMPTZ  1184


/*
 * A string of an entry, by its place in the facts.  Offset 0 is null: there is
 * the endpoint's own struct.  What entries hold is such a struct, at offset 0,
 * structs and strings that it refers to by offset behind it, and at the end the
 * tournaments that it shows: bytes that can be copied anywhere whose address
 * is a multiple of 8.
 */

typedef struct {
    uint32_t              offset;
    uint32_t              len;
} tournament_string_t;


/* a tournament that an entry shows */

typedef struct {
    int64_t               id;
    tournament_string_t   slug;        /* null: it is in the entry's key */
} tournament_shown_t;


typedef struct {
    tournament_zone_t    *zone;
    PGresult             *res;

    tournament_entry_t    entry;

    /* the entry's memory */

    size_t                facts_size;
    ngx_uint_t            stripes_size;

    /* for members that are written once for an entry's life */

    tournament_json_t    *json;

    /* the tournaments that it shows, so far */

    tournament_shown_t   *shown;
    size_t                shown_size;
    ngx_uint_t            nshown;

    unsigned              failed:1;
} tournament_result_t;


/* Memory is taken from pool, buffers apart, which destroy frees. */

tournament_result_t *tournament_result_create(ngx_pool_t *pool,
    tournament_zone_t *zone);
void tournament_result_destroy(tournament_result_t *result);


/*
 * Begins with a result whose query was sent at that clock and time.  Returns
 * NGX_OK, or NGX_ERROR where its columns are not the n expected ones.
 */

ngx_int_t tournament_result_begin(tournament_result_t *result, PGresult *res,
    uint64_t clock, ngx_msec_t sent, const Oid *columns, ngx_uint_t n);


/* Returns NGX_OK, or NGX_ERROR where memory was short in between. */

ngx_int_t tournament_result_end(tournament_result_t *result);


/*
 * Reserves so many more bytes of facts, zeroed.  Returns their offset, a
 * multiple of 8.  What is at an offset moves as facts grow: it is found by at()
 * anew after each call that adds some.  When memory is short the offset is 0
 * and at() gives memory that can be written and is not kept.
 */

uint32_t tournament_result_reserve(tournament_result_t *result, size_t size);

#define tournament_result_at(result, offset)                                  \
    ((void *) ((result)->entry.facts + (offset)))


/* The entry shows this thing. */

void tournament_result_shows(tournament_result_t *result,
    tournament_thing_e kind, int64_t id);


/*
 * The same for a tournament, which it shows under that slug, a string of its
 * facts; NULL: the one in its key.  So a purge by pattern finds the entry.
 */

void tournament_result_tournament(tournament_result_t *result, int64_t id,
    tournament_string_t *slug);


/* The n tournaments that an entry shows, in its facts.  It is not missing. */

tournament_shown_t *tournament_result_shown(tournament_entry_t *entry,
    ngx_uint_t *n);


/* The same for a bigint, or each element of a bigint[]; null is none. */

void tournament_result_shows_one(tournament_result_t *result,
    tournament_thing_e kind, int row, int column);
void tournament_result_shows_all(tournament_result_t *result,
    tournament_thing_e kind, int row, int column);


/*
 * The entry ends at the instant of that column, rounded up to a second, unless
 * it is null.
 */

void tournament_result_valid_until(tournament_result_t *result, int row,
    int column);


/*
 * Values of a row.  A null is the last argument, for an instant
 * TOURNAMENT_INSTANT_NONE, for a bool 0; a null text has len 0.  integer reads
 * int4 and int8.  A text is the result's memory, good as long as that; string
 * copies one into the facts.
 */

ngx_uint_t tournament_result_is_null(tournament_result_t *result, int row,
    int column);
int64_t tournament_result_integer(tournament_result_t *result, int row,
    int column, int64_t null);
ngx_uint_t tournament_result_bool(tournament_result_t *result, int row,
    int column);
int64_t tournament_result_instant(tournament_result_t *result, int row,
    int column);
void tournament_result_text(tournament_result_t *result, int row, int column,
    ngx_str_t *text);
tournament_string_t tournament_result_string(tournament_result_t *result,
    int row, int column);


/*
 * Members of a document that do not depend on the time, written once for an
 * entry's life: what was written to result->json since tournament_json_begin(),
 * as a string of the facts.  column writes a text of the database, null
 * included.
 */

tournament_string_t tournament_result_members(tournament_result_t *result);
void tournament_result_column(tournament_result_t *result, const char *key,
    int row, int column);


#endif /* _TOURNAMENT_RESULT_H_INCLUDED_ */
