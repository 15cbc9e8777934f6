
/*
 * Facts grow in one buffer of the worker, which is reused: strings and lists
 * in it are offsets from its start, since it moves as it grows and is copied
 * into the zone as a whole.
 */

#include "serve/result.h"
#include "zone/buffer.h"
#include "rules/state.h"


/* us from the Unix epoch to PostgreSQL's, 2000-01-01 */
#define TOURNAMENT_PG_EPOCH  946684800000000LL

/* bytes; above it an answer would not be one that a page can use */
#define TOURNAMENT_FACTS_MAX  (32 * 1024 * 1024)

/* bytes; what was larger is given back before the next result */
#define TOURNAMENT_FACTS_KEEP  (1024 * 1024)

/* bytes; no struct of facts is larger */
#define TOURNAMENT_FACTS_MIN  4096


static void tournament_result_shrink(tournament_result_t *result);
static tournament_string_t tournament_result_keep(tournament_result_t *result,
    const void *data, size_t len);
static void tournament_result_append(tournament_result_t *result);
static uint64_t tournament_result_bytes(tournament_result_t *result, int row,
    int column, int *len);
static uint64_t tournament_result_number(u_char *p, int len);


tournament_result_t *
tournament_result_create(ngx_pool_t *pool, tournament_zone_t *zone)
{
    tournament_result_t  *result;

    result = ngx_pcalloc(pool, sizeof(tournament_result_t));
    if (result == NULL) {
        return NULL;
    }

    result->zone = zone;

    result->json = tournament_json_create(pool);
    if (result->json == NULL) {
        return NULL;
    }

    /* there is always memory to write to */

    if (tournament_grow((void **) &result->entry.facts,
                               &result->facts_size, 0,
                               TOURNAMENT_FACTS_MIN)
        != NGX_OK)
    {
        return NULL;
    }

    return result;
}


void
tournament_result_destroy(tournament_result_t *result)
{
    if (result->entry.facts) {
        ngx_free(result->entry.facts);
    }

    if (result->entry.stripes) {
        ngx_free(result->entry.stripes);
    }

    if (result->shown) {
        ngx_free(result->shown);
    }

    tournament_json_destroy(result->json);
}


ngx_int_t
tournament_result_begin(tournament_result_t *result, PGresult *res,
    uint64_t clock, ngx_msec_t sent, const Oid *columns, ngx_uint_t n)
{
    ngx_uint_t  i;

    tournament_result_shrink(result);

    result->res = res;
    result->failed = 0;
    result->nshown = 0;

    result->entry.clock = clock;
    result->entry.fetched = sent;
    result->entry.valid_until = 0;
    result->entry.nstripes = 0;
    result->entry.len = 0;
    result->entry.missing = 0;

    if (PQnfields(res) != (int) n) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (PQftype(res, i) != columns[i] || PQfformat(res, i) != 1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
tournament_result_end(tournament_result_t *result)
{
    result->res = NULL;

    if (!result->entry.missing) {
        tournament_result_append(result);
    }

    return result->failed ? NGX_ERROR : NGX_OK;
}


/* the list of tournaments, and where it is, become the end of the facts */

static void
tournament_result_append(tournament_result_t *result)
{
    size_t                size;
    uint32_t              offset;
    tournament_string_t  *last;

    size = result->nshown * sizeof(tournament_shown_t);

    offset = tournament_result_reserve(result,
                                       size + sizeof(tournament_string_t));
    if (result->failed) {
        return;
    }

    if (size) {
        ngx_memcpy(tournament_result_at(result, offset), result->shown, size);
    }

    last = tournament_result_at(result, offset + size);
    last->offset = offset;
    last->len = (uint32_t) result->nshown;
}


tournament_shown_t *
tournament_result_shown(tournament_entry_t *entry, ngx_uint_t *n)
{
    tournament_string_t  *last;

    last = (tournament_string_t *)
               (entry->facts + entry->len - sizeof(tournament_string_t));
    *n = last->len;

    return (tournament_shown_t *) (entry->facts + last->offset);
}


uint32_t
tournament_result_reserve(tournament_result_t *result, size_t size)
{
    size_t               offset;
    tournament_entry_t  *entry;

    entry = &result->entry;

    offset = ngx_align(entry->len, 8);

    if (result->failed
        || offset + size > TOURNAMENT_FACTS_MAX
        || tournament_grow((void **) &entry->facts, &result->facts_size,
                           entry->len,
                                  offset + size)
           != NGX_OK)
    {
        result->failed = 1;
        return 0;
    }

    ngx_memzero(entry->facts + entry->len, offset + size - entry->len);
    entry->len = offset + size;

    return (uint32_t) offset;
}


void
tournament_result_shows(tournament_result_t *result, tournament_thing_e kind,
    int64_t id)
{
    uint32_t             stripe;
    ngx_uint_t           i;
    tournament_entry_t  *entry;

    entry = &result->entry;
    stripe = tournament_clock_stripe(result->zone->clock, kind, id);

    /* the usual few repetitions; more are harmless, looking for them is not */

    for (i = 0; i < entry->nstripes && i < 64; i++) {
        if (entry->stripes[i] == stripe) {
            return;
        }
    }

    if (tournament_grow((void **) &entry->stripes, &result->stripes_size,
                        entry->nstripes * sizeof(uint32_t),
                               (entry->nstripes + 1)
                               * sizeof(uint32_t))
        != NGX_OK)
    {
        result->failed = 1;
        return;
    }

    entry->stripes[entry->nstripes++] = stripe;
}


void
tournament_result_tournament(tournament_result_t *result, int64_t id,
    tournament_string_t *slug)
{
    tournament_shown_t  *shown;

    tournament_result_shows(result, TOURNAMENT_TOURNAMENT, id);

    if (tournament_grow((void **) &result->shown, &result->shown_size,
                        result->nshown * sizeof(tournament_shown_t),
                               (result->nshown + 1)
                               * sizeof(tournament_shown_t))
        != NGX_OK)
    {
        result->failed = 1;
        return;
    }

    shown = &result->shown[result->nshown++];
    shown->id = id;
    shown->slug.offset = slug ? slug->offset : 0;
    shown->slug.len = slug ? slug->len : 0;
}


void
tournament_result_shows_one(tournament_result_t *result,
    tournament_thing_e kind, int row, int column)
{
    if (!tournament_result_is_null(result, row, column)) {
        tournament_result_shows(result, kind,
                            tournament_result_integer(result, row, column, 0));
    }
}


void
tournament_result_shows_all(tournament_result_t *result,
    tournament_thing_e kind, int row, int column)
{
    int        n, len;
    u_char    *p, *end;
    int64_t    id;

    /*
     * An array: the number of dimensions, has-nulls and the element type, 4
     * bytes each; a size and a lower bound of each dimension; then a length,
     * -1 for a null, and a value for each element.
     */

    len = PQgetlength(result->res, row, column);
    p = (u_char *) PQgetvalue(result->res, row, column);
    end = p + len;

    if (len < 12) {
        return;
    }

    n = 12 + 8 * (int) tournament_result_number(p + 3, 1);

    if (len < n) {
        return;
    }

    for (p += n; end - p >= 4; p += n) {
        n = (int) tournament_result_number(p, 4);
        p += 4;

        if (n == -1) {
            n = 0;
            continue;
        }

        if (n != 8 || end - p < n) {
            return;
        }

        id = (int64_t) tournament_result_number(p, 8);
        tournament_result_shows(result, kind, id);
    }
}


void
tournament_result_valid_until(tournament_result_t *result, int row, int column)
{
    int64_t  us;

    us = tournament_result_instant(result, row, column);

    if (us <= 0 || us == TOURNAMENT_INSTANT_INFINITY) {
        return;
    }

    /* answers are for whole seconds: it changes with the next one */

    result->entry.valid_until = us / 1000000 + (us % 1000000 != 0);
}


ngx_uint_t
tournament_result_is_null(tournament_result_t *result, int row, int column)
{
    return PQgetisnull(result->res, row, column);
}


ngx_uint_t
tournament_result_bool(tournament_result_t *result, int row, int column)
{
    return PQgetlength(result->res, row, column) == 1
           && *PQgetvalue(result->res, row, column) != 0;
}


tournament_string_t
tournament_result_string(tournament_result_t *result, int row, int column)
{
    tournament_string_t  null = { 0, 0 };

    if (PQgetisnull(result->res, row, column)) {
        return null;
    }

    return tournament_result_keep(result,
                                  PQgetvalue(result->res, row, column),
                                  PQgetlength(result->res, row, column));
}


tournament_string_t
tournament_result_members(tournament_result_t *result)
{
    ngx_str_t            text;
    tournament_string_t  null = { 0, 0 };

    if (tournament_json_written(result->json, &text) != NGX_OK) {
        result->failed = 1;
        return null;
    }

    return tournament_result_keep(result, text.data, text.len);
}


void
tournament_result_column(tournament_result_t *result, const char *key,
    int row, int column)
{
    if (PQgetisnull(result->res, row, column)) {
        tournament_json_null(result->json, key);
        return;
    }

    tournament_json_string(result->json, key,
                           PQgetvalue(result->res, row, column),
                           PQgetlength(result->res, row, column));
}


/* copies a string to the facts */

static tournament_string_t
tournament_result_keep(tournament_result_t *result, const void *data,
    size_t len)
{
    tournament_entry_t   *entry;
    tournament_string_t   string;

    entry = &result->entry;

    string.offset = 0;
    string.len = 0;

    if (result->failed
        || entry->len + len > TOURNAMENT_FACTS_MAX
        || tournament_grow((void **) &entry->facts, &result->facts_size,
                           entry->len,
                                  entry->len + len)
           != NGX_OK)
    {
        result->failed = 1;
        return string;
    }

    ngx_memcpy(entry->facts + entry->len, data, len);

    string.offset = (uint32_t) entry->len;
    string.len = (uint32_t) len;

    entry->len += len;

    return string;
}


int64_t
tournament_result_integer(tournament_result_t *result, int row, int column,
    int64_t null)
{
    int       len;
    uint64_t  n;

    n = tournament_result_bytes(result, row, column, &len);

    switch (len) {
    case 8:
        return (int64_t) n;
    case 4:
        return (int32_t) (uint32_t) n;
    default:
        return null;
    }
}


int64_t
tournament_result_instant(tournament_result_t *result, int row, int column)
{
    int      len;
    int64_t  us;

    us = (int64_t) tournament_result_bytes(result, row, column, &len);
    if (len != 8) {
        return TOURNAMENT_INSTANT_NONE;
    }

    if (us == INT64_MIN) {
        return TOURNAMENT_INSTANT_NEG_INFINITY;
    }

    /* the last years that PostgreSQL knows do not fit after the move */

    if (us > INT64_MAX - TOURNAMENT_PG_EPOCH) {
        return TOURNAMENT_INSTANT_INFINITY;
    }

    return us + TOURNAMENT_PG_EPOCH;
}


void
tournament_result_text(tournament_result_t *result, int row, int column,
    ngx_str_t *text)
{
    text->data = (u_char *) PQgetvalue(result->res, row, column);
    text->len = PQgetlength(result->res, row, column);
}


/* an integer; len is -1 for null */

static uint64_t
tournament_result_bytes(tournament_result_t *result, int row, int column,
    int *len)
{
    *len = -1;

    if (PQgetisnull(result->res, row, column)) {
        return 0;
    }

    *len = PQgetlength(result->res, row, column);

    return tournament_result_number(
                          (u_char *) PQgetvalue(result->res, row, column),
                          ngx_min(*len, 8));
}


/* up to 8 bytes in network byte order */

static uint64_t
tournament_result_number(u_char *p, int len)
{
    uint64_t  n;

    n = 0;

    while (len--) {
        n = n << 8 | *p++;
    }

    return n;
}


/* what a large result needed is not kept for the small ones after it */

static void
tournament_result_shrink(tournament_result_t *result)
{
    u_char              *p;
    tournament_entry_t  *entry;

    entry = &result->entry;

    if (result->facts_size > TOURNAMENT_FACTS_KEEP) {

        p = ngx_alloc(TOURNAMENT_FACTS_MIN, ngx_cycle->log);

        if (p) {
            ngx_free(entry->facts);
            entry->facts = p;
            result->facts_size = TOURNAMENT_FACTS_MIN;
        }
    }

    if (result->stripes_size > TOURNAMENT_FACTS_KEEP) {
        ngx_free(entry->stripes);
        entry->stripes = NULL;
        result->stripes_size = 0;
    }
}
