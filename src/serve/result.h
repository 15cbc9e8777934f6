
/*
 * What becomes of a statement's rows: facts, the stripes of the things that
 * they show, and until when they hold.  One result serves a worker: what it
 * holds is good until the next one is begun.
 *
 * Rows come in PostgreSQL's binary format.  The columns that an endpoint
 * expects are compared with those that came, once for each result, so that the
 * functions below can trust them.
 */

#ifndef _NGX_HTTP_TOURNAMENT_RESULT_H_INCLUDED_
#define _NGX_HTTP_TOURNAMENT_RESULT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <libpq-fe.h>

#include "zone/cache.h"
#include "serve/facts.h"


/* PostgreSQL's type ids, of its catalogue pg_type */

#define NGX_HTTP_TOURNAMENT_BOOL         16
#define NGX_HTTP_TOURNAMENT_INT8         20
#define NGX_HTTP_TOURNAMENT_INT4         23
#define NGX_HTTP_TOURNAMENT_TEXT         25
#define NGX_HTTP_TOURNAMENT_INT8_ARRAY   1016
#define NGX_HTTP_TOURNAMENT_TIMESTAMPTZ  1184


typedef struct {
    ngx_http_tournament_cache_t   *cache;
    PGresult                      *res;

    ngx_http_tournament_entry_t    entry;

    /* the entry's memory */

    size_t                         facts_size;
    ngx_uint_t                     stripes_size;

    unsigned                       failed:1;
} ngx_http_tournament_result_t;


/* Memory is taken from pool, buffers apart, which destroy frees. */

ngx_http_tournament_result_t *ngx_http_tournament_result_create(
    ngx_pool_t *pool, ngx_http_tournament_cache_t *cache);
void ngx_http_tournament_result_destroy(ngx_http_tournament_result_t *result);


/*
 * Begins with a result whose query was sent at that clock and time.  Returns
 * NGX_OK, or NGX_ERROR where its columns are not the n expected ones.
 */

ngx_int_t ngx_http_tournament_result_begin(
    ngx_http_tournament_result_t *result, PGresult *res, uint64_t clock,
    ngx_msec_t sent, const Oid *columns, ngx_uint_t n);


/* Returns NGX_OK, or NGX_ERROR where memory was short in between. */

ngx_int_t ngx_http_tournament_result_end(ngx_http_tournament_result_t *result);


/*
 * Reserves so many more bytes of facts, zeroed.  Returns their offset, a
 * multiple of 8.  What is at an offset moves as facts grow: it is found by at()
 * anew after each call that adds some.  When memory is short the offset is 0
 * and at() gives memory that can be written and is not kept.
 */

uint32_t ngx_http_tournament_result_reserve(
    ngx_http_tournament_result_t *result, size_t size);

#define ngx_http_tournament_result_at(result, offset)                         \
    ((void *) ((result)->entry.facts + (offset)))


/* The entry shows this thing. */

void ngx_http_tournament_result_shows(ngx_http_tournament_result_t *result,
    ngx_http_tournament_thing_e kind, int64_t id);


/* The same for each element of a column of bigint[]; null is none. */

void ngx_http_tournament_result_shows_all(ngx_http_tournament_result_t *result,
    ngx_http_tournament_thing_e kind, int row, int column);


/*
 * The entry ends at the instant of that column, rounded up to a second, unless
 * it is null.
 */

void ngx_http_tournament_result_valid_until(
    ngx_http_tournament_result_t *result, int row, int column);


/*
 * Values of a row.  A null is the last argument, for an instant
 * TOURNAMENT_INSTANT_NONE, for a bool 0; a null text has len 0.  integer reads
 * int4 and int8.  A text is the result's memory, good as long as that; string
 * copies one into the facts.
 */

ngx_uint_t ngx_http_tournament_result_is_null(
    ngx_http_tournament_result_t *result, int row, int column);
int64_t ngx_http_tournament_result_integer(
    ngx_http_tournament_result_t *result, int row, int column, int64_t null);
ngx_uint_t ngx_http_tournament_result_bool(
    ngx_http_tournament_result_t *result, int row, int column);
int64_t ngx_http_tournament_result_instant(
    ngx_http_tournament_result_t *result, int row, int column);
void ngx_http_tournament_result_text(ngx_http_tournament_result_t *result,
    int row, int column, ngx_str_t *text);
ngx_http_tournament_string_t ngx_http_tournament_result_string(
    ngx_http_tournament_result_t *result, int row, int column);


#endif /* _NGX_HTTP_TOURNAMENT_RESULT_H_INCLUDED_ */
