
/*
 * Endpoint "purge": takes back all that shows a tournament, those whose slug
 * matches a glob ("*" any characters, "?" one), or everything.  The zone is
 * walked in steps, between which requests get their turn.
 */

#include <ngx_event.h>

#include "endpoints/table.h"
#include "serve/answer.h"
#include "serve/refuse.h"
#include "serve/watch.h"
#include "serve/request.h"
#include "rules/text.h"


/* buckets that are looked at before requests get their turn */
#define TOURNAMENT_PURGE_STEP  2048


typedef struct {
    ngx_http_request_t  *request;
    tournament_zone_t   *zone;
    ngx_str_t            pattern;
    uint64_t             space;
    uint32_t             bucket;
    ngx_event_t          step;
} tournament_purge_t;


static ngx_int_t tournament_purge_handler(ngx_http_request_t *r);
static ngx_int_t tournament_purge_walk(ngx_http_request_t *r,
    ngx_str_t *pattern);
static ngx_uint_t tournament_purge_valid(ngx_str_t *pattern);
static void tournament_purge_step(ngx_event_t *ev);
static ngx_uint_t tournament_purge_visit(void *data, u_char *key,
    size_t key_len, tournament_entry_t *entry);
static ngx_uint_t tournament_purge_key(tournament_purge_t *purge,
    u_char *key);
static ngx_uint_t tournament_purge_matches(tournament_purge_t *purge,
    u_char *slug, size_t len);
static ngx_int_t tournament_purge_answer(ngx_http_request_t *r,
    ngx_str_t *pattern);
static void tournament_purge_cleanup(void *data);


static ngx_str_t  tournament_purge_method = ngx_string("PURGE");
static ngx_str_t  tournament_purge_cache = ngx_string("no-store");


/* it has no entries: it ends those of others */

tournament_endpoint_t  tournament_endpoint_purge = {
    .name = ngx_string("purge"),
    .number = 10,
    .argument = TOURNAMENT_MUST_ARGUMENT,
    .valid = tournament_purge_valid,
    .allowed = "a slug, or a pattern with \"*\" and \"?\"",
    .handler = tournament_purge_handler
};


static ngx_int_t
tournament_purge_handler(ngx_http_request_t *r)
{
    ngx_str_t                pattern;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    if (r->method != NGX_HTTP_DELETE
        && (r->method_name.len != tournament_purge_method.len
            || ngx_strncmp(r->method_name.data,
                           tournament_purge_method.data,
                           r->method_name.len)
               != 0))
    {
        return tournament_refuse(r, &tournament_error_method_purge);
    }

    if (tournament_value(r, tlcf->argument, &pattern) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a client's "?" is where a query begins, even one that is empty */

    if (memchr(r->unparsed_uri.data, '?', r->unparsed_uri.len)) {
        return tournament_refuse(r, &tournament_error_query);
    }

    if (!tournament_purge_valid(&pattern)) {
        return tournament_refuse(r, &tournament_error_pattern);
    }

    if (pattern.len == 1 && pattern.data[0] == '*') {
        tournament_clock_purge_all(tmcf->zone.clock);
        return tournament_purge_answer(r, &pattern);
    }

    return tournament_purge_walk(r, &pattern);
}


/* those that match, in steps; the answer follows when all have been seen */

static ngx_int_t
tournament_purge_walk(ngx_http_request_t *r, ngx_str_t *pattern)
{
    ngx_pool_cleanup_t      *cln;
    tournament_purge_t      *purge;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    cln = ngx_pool_cleanup_add(r->pool, sizeof(tournament_purge_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    purge = cln->data;
    ngx_memzero(purge, sizeof(tournament_purge_t));

    cln->handler = tournament_purge_cleanup;

    purge->request = r;
    purge->zone = &tmcf->zone;
    purge->space = tmcf->space;
    purge->pattern = *pattern;

    purge->step.handler = tournament_purge_step;
    purge->step.data = purge;
    purge->step.log = r->connection->log;

    tournament_clock_walk(tmcf->zone.clock);

    r->main->count++;
    ngx_add_timer(&purge->step, 0);

    return NGX_DONE;
}


static ngx_uint_t
tournament_purge_valid(ngx_str_t *pattern)
{
    size_t  i;
    u_char  ch;

    if (pattern->len == 0 || pattern->len > TOURNAMENT_SLUG_MAX) {
        return 0;
    }

    for (i = 0; i < pattern->len; i++) {
        ch = pattern->data[i];

        if (ch != '*' && ch != '?' && !tournament_text_slug_valid(&ch, 1)) {
            return 0;
        }
    }

    return 1;
}


static void
tournament_purge_step(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    tournament_purge_t  *purge;

    purge = ev->data;
    r = purge->request;
    c = r->connection;

    purge->bucket = tournament_arena_walk(&purge->zone->arena,
                                          purge->bucket,
                                          TOURNAMENT_PURGE_STEP,
                                          tournament_purge_visit,
                                          purge);
    if (purge->bucket) {

        /* timers of 0 ms would all be handled in this turn */

        ngx_add_timer(&purge->step, 1);
        return;
    }

    ngx_http_finalize_request(r, tournament_purge_answer(r, &purge->pattern));
    ngx_http_run_posted_requests(c);
}


/*
 * Entries have a slug in their key, or show tournaments, or both.  What is
 * found is purged as a thing, which reaches memos and other entries; an entry
 * of the slug itself, which may be a 404, is dropped.
 */

static ngx_uint_t
tournament_purge_visit(void *data, u_char *key, size_t key_len,
    tournament_entry_t *entry)
{
    ngx_uint_t           i, n, found;
    tournament_purge_t  *purge = data;
    tournament_shown_t  *shown;

    if (ngx_memcmp(key, &purge->space, sizeof(uint64_t)) != 0) {
        return 0;
    }

    found = tournament_purge_key(purge, key);

    if (entry->missing) {
        return found;
    }

    shown = tournament_result_shown(entry, &n);

    for (i = 0; i < n; i++) {

        if (shown[i].slug.offset
            ? tournament_purge_matches(purge,
                                       entry->facts + shown[i].slug.offset,
                                       shown[i].slug.len)
            : found)
        {
            tournament_clock_purge(purge->zone->clock, TOURNAMENT_TOURNAMENT,
                                   shown[i].id);
        }
    }

    return found;
}


/* whether the slug in a key matches; of some endpoints there is none */

static ngx_uint_t
tournament_purge_key(tournament_purge_t *purge, u_char *key)
{
    u_char                 *p;
    ngx_uint_t              i;
    tournament_endpoint_t  *endpoint;

    endpoint = tournament_endpoint_numbered(key[TOURNAMENT_KEY_PREFIX - 1]);

    if (endpoint == NULL || endpoint->slug == 0) {
        return 0;
    }

    p = key + TOURNAMENT_KEY_PREFIX;

    for (i = 1; i < endpoint->slug; i++) {
        p += ngx_strlen(p) + 1;
    }

    return tournament_purge_matches(purge, p, ngx_strlen(p));
}


/*
 * A glob's match in linear time but for going back to the last star: of
 * several stars only the last one ever has to take more.
 */

static ngx_uint_t
tournament_purge_matches(tournament_purge_t *purge, u_char *slug, size_t len)
{
    size_t   s, p, star, mark;
    u_char  *pattern;

    pattern = purge->pattern.data;
    star = NGX_MAX_SIZE_T_VALUE;
    mark = 0;
    p = 0;

    for (s = 0; s < len; /* void */ ) {

        if (p < purge->pattern.len && pattern[p] == '*') {
            star = p++;
            mark = s;

        } else if (p < purge->pattern.len
                   && (pattern[p] == '?' || pattern[p] == slug[s]))
        {
            p++;
            s++;

        } else if (star != NGX_MAX_SIZE_T_VALUE) {
            p = star + 1;
            s = ++mark;

        } else {
            return 0;
        }
    }

    while (p < purge->pattern.len && pattern[p] == '*') {
        p++;
    }

    return p == purge->pattern.len;
}


static ngx_int_t
tournament_purge_answer(ngx_http_request_t *r, ngx_str_t *pattern)
{
    ngx_str_t                text;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    tournament_metrics_add(&tmcf->metrics->counters->purges);

    if (tmcf->watch) {
        tournament_watch_changed(tmcf->watch);
    }

    /* a pattern has no characters that JSON escapes */

    text.len = sizeof("{\"success\":true,\"purged\":\"\"}") - 1
               + pattern->len;
    text.data = ngx_pnalloc(r->pool, text.len);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) ngx_sprintf(text.data, "{\"success\":true,\"purged\":\"%V\"}",
                       pattern);

    r->headers_out.status = NGX_HTTP_OK;

    if (tournament_answer_header(r, &tournament_purge_cache) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_answer_send(r, &text);
}


static void
tournament_purge_cleanup(void *data)
{
    tournament_purge_t  *purge = data;

    if (purge->step.timer_set) {
        ngx_del_timer(&purge->step);
    }
}
