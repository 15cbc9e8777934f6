
#include "ngx_http_tournament_result.h"
#include "tournament_state.h"


/* us from the Unix epoch to PostgreSQL's, 2000-01-01 */
#define NGX_HTTP_TOURNAMENT_PG_EPOCH  946684800000000LL


static ngx_int_t ngx_http_tournament_result_grow(void **data, size_t *size,
    size_t len, size_t need);
static uint64_t ngx_http_tournament_result_bytes(
    ngx_http_tournament_result_t *result, int row, int column, int *len);


ngx_http_tournament_result_t *
ngx_http_tournament_result_create(ngx_pool_t *pool,
    ngx_http_tournament_cache_t *cache)
{
    ngx_http_tournament_result_t  *result;

    result = ngx_pcalloc(pool, sizeof(ngx_http_tournament_result_t));
    if (result == NULL) {
        return NULL;
    }

    result->cache = cache;

    return result;
}


void
ngx_http_tournament_result_destroy(ngx_http_tournament_result_t *result)
{
    if (result->entry.facts) {
        ngx_free(result->entry.facts);
    }

    if (result->entry.stripes) {
        ngx_free(result->entry.stripes);
    }
}


ngx_int_t
ngx_http_tournament_result_begin(ngx_http_tournament_result_t *result,
    PGresult *res, uint64_t clock, ngx_msec_t sent, const Oid *columns,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    result->res = res;
    result->failed = 0;

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
ngx_http_tournament_result_end(ngx_http_tournament_result_t *result)
{
    result->res = NULL;

    return result->failed ? NGX_ERROR : NGX_OK;
}


void *
ngx_http_tournament_result_facts(ngx_http_tournament_result_t *result,
    size_t size)
{
    u_char                       *p;
    ngx_http_tournament_entry_t  *entry;

    entry = &result->entry;
    size = ngx_align(size, 8);

    if (ngx_http_tournament_result_grow((void **) &entry->facts,
                                        &result->facts_size, entry->len,
                                        entry->len + size)
        != NGX_OK)
    {
        result->failed = 1;
        return NULL;
    }

    p = entry->facts + entry->len;
    entry->len += size;

    ngx_memzero(p, size);

    return p;
}


void
ngx_http_tournament_result_shows(ngx_http_tournament_result_t *result,
    ngx_http_tournament_thing_e kind, int64_t id)
{
    uint32_t                      stripe;
    ngx_uint_t                    i;
    ngx_http_tournament_entry_t  *entry;

    entry = &result->entry;
    stripe = ngx_http_tournament_cache_stripe(result->cache, kind, id);

    for (i = 0; i < entry->nstripes; i++) {
        if (entry->stripes[i] == stripe) {
            return;
        }
    }

    if (ngx_http_tournament_result_grow((void **) &entry->stripes,
                                        &result->stripes_size,
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


int64_t
ngx_http_tournament_result_integer(ngx_http_tournament_result_t *result,
    int row, int column, int64_t null)
{
    int       len;
    uint64_t  n;

    n = ngx_http_tournament_result_bytes(result, row, column, &len);

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
ngx_http_tournament_result_instant(ngx_http_tournament_result_t *result,
    int row, int column)
{
    int      len;
    int64_t  us;

    us = (int64_t) ngx_http_tournament_result_bytes(result, row, column,
                                                    &len);
    if (len != 8) {
        return TOURNAMENT_INSTANT_NONE;
    }

    if (us == INT64_MIN) {
        return TOURNAMENT_INSTANT_NEG_INFINITY;
    }

    /* the last years that PostgreSQL knows do not fit after the move */

    if (us > INT64_MAX - NGX_HTTP_TOURNAMENT_PG_EPOCH) {
        return TOURNAMENT_INSTANT_INFINITY;
    }

    return us + NGX_HTTP_TOURNAMENT_PG_EPOCH;
}


void
ngx_http_tournament_result_text(ngx_http_tournament_result_t *result, int row,
    int column, ngx_str_t *text)
{
    text->data = (u_char *) PQgetvalue(result->res, row, column);
    text->len = PQgetlength(result->res, row, column);
}


/* an integer in network byte order; len is -1 for null */

static uint64_t
ngx_http_tournament_result_bytes(ngx_http_tournament_result_t *result,
    int row, int column, int *len)
{
    int        i;
    u_char    *p;
    uint64_t   n;

    *len = -1;

    if (PQgetisnull(result->res, row, column)) {
        return 0;
    }

    *len = PQgetlength(result->res, row, column);
    p = (u_char *) PQgetvalue(result->res, row, column);

    n = 0;

    for (i = 0; i < *len && i < 8; i++) {
        n = n << 8 | p[i];
    }

    return n;
}


static ngx_int_t
ngx_http_tournament_result_grow(void **data, size_t *size, size_t len,
    size_t need)
{
    void    *p;
    size_t   n;

    if (need <= *size) {
        return NGX_OK;
    }

    n = ngx_max(*size * 2, 1024);
    n = ngx_max(n, need);

    p = ngx_alloc(n, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (*data) {
        ngx_memcpy(p, *data, len);
        ngx_free(*data);
    }

    *data = p;
    *size = n;

    return NGX_OK;
}
