
/*
 * A part is in one state, and tournament_part_set() alone changes it:
 *
 *   from      to        when
 *
 *   NEW       READY     the memo had its body, or the zone has an entry that
 *                       may be shown
 *   NEW       WAITING   it must be queried
 *   WAITING   READY     there is a result; or the database fails, and an
 *                       older entry may be shown then
 *   WAITING   FAILED    it fails, and none may: the answer is an error
 *   WAITING   NEW       the request is over, whatever comes
 *   READY     NEW       its body's second has passed while others were waited
 *                       for; or its order leads to one entry instead of two
 *
 * What an entry is good for is judged without starting anything; what follows
 * from the verdict is done where the part is looked up.
 */

#include "feed/feed.h"
#include "serve/gather.h"
#include "serve/refuse.h"


/* ms; a user's entries live so long while the feed is down */
#define TOURNAMENT_UNHEARD_TTL  2000


static void tournament_part_set(tournament_ctx_t *ctx, tournament_part_t *part,
    tournament_part_state_e state);
static ngx_int_t tournament_gather_look_up(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_part_t *part);
static ngx_int_t tournament_gather_use(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_part_t *part, tournament_entry_t *entry);
static void tournament_gather_judge_old(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    tournament_entry_t *entry, tournament_verdict_t *verdict);
static ngx_uint_t tournament_gather_public(tournament_endpoint_t *endpoint);
static ngx_int_t tournament_gather_copy(ngx_http_request_t *r,
    tournament_part_t *part, tournament_entry_t *entry);
static ngx_int_t tournament_gather_add(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_part_t *part);
static void tournament_gather_fall_back(tournament_ctx_t *ctx,
    tournament_part_t *part);
static ngx_int_t tournament_gather_wait(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static void tournament_gather_arrived(tournament_waiter_t *waiter,
    tournament_pg_rc_e rc, tournament_entry_t *entry);
static ngx_int_t tournament_gather_take(ngx_http_request_t *r,
    tournament_ctx_t *ctx, tournament_part_t *part, tournament_pg_rc_e rc,
    tournament_entry_t *entry);
static void tournament_gather_leave(tournament_ctx_t *ctx);


void
tournament_part_body(tournament_ctx_t *ctx, tournament_part_t *part,
    tournament_body_t *body)
{
    if (part->body) {
        tournament_body_release(part->body);
    }

    part->body = body;

    tournament_part_set(ctx, part, body ? TOURNAMENT_PART_READY
                                        : TOURNAMENT_PART_NEW);
}


ngx_int_t
tournament_part_key(ngx_http_request_t *r, tournament_part_t *part,
    tournament_key_t *key)
{
    part->key.len = key->len;
    part->key.data = ngx_pnalloc(r->pool, key->len);

    if (part->key.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(part->key.data, key->data, key->len);

    return NGX_OK;
}


ngx_int_t
tournament_gather(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    tournament_part_t       *part;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    /* all are looked up before start(): what they need goes together */

    for (i = 0; i < ctx->nparts; i++) {
        part = &ctx->parts[i];

        if (part->state != TOURNAMENT_PART_NEW) {
            continue;
        }

        rc = tournament_gather_look_up(r, ctx, part);

        if (rc == NGX_DECLINED) {
            rc = tournament_gather_add(r, ctx, part);
        }

        if (rc != NGX_OK) {
            tournament_gather_leave(ctx);
            tournament_fetch_start(tmcf->fetch);

            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->waiting && ctx->waits == 0) {
        ctx->waits = tournament_pg_now();
        ctx->leave = tournament_gather_leave;
    }

    tournament_fetch_start(tmcf->fetch);

    if (ctx->waiting == 0) {
        return ctx->answer(r, ctx);
    }

    return tournament_gather_wait(r, ctx);
}


static void
tournament_part_set(tournament_ctx_t *ctx, tournament_part_t *part,
    tournament_part_state_e state)
{
    if (part->state == TOURNAMENT_PART_WAITING) {
        ctx->waiting--;
    }

    if (state == TOURNAMENT_PART_WAITING) {
        ctx->waiting++;
    }

    part->state = state;
}


/* NGX_OK: the part has its entry.  NGX_DECLINED: it must be queried. */

static ngx_int_t
tournament_gather_look_up(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_part_t *part)
{
    ngx_int_t                rc;
    ngx_uint_t               number;
    tournament_entry_t       entry;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    number = tournament_endpoint_settings(part->endpoint);

    if (tlcf->ttl[number] == 0 || !part->waiter.cache) {
        part->waiter.cache = 0;
        ctx->status = ngx_max(ctx->status, TOURNAMENT_BYPASS);
        return NGX_DECLINED;
    }

    part->waiter.coalesce = tlcf->coalesce[number];

    rc = tournament_arena_get(&tmcf->zone.arena, &part->key, &entry);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "tournament zone: no entry");

        ctx->status = ngx_max(ctx->status, TOURNAMENT_MISS);
        return NGX_DECLINED;
    }

    return tournament_gather_use(r, ctx, part, &entry);
}


/* the zone has an entry: the part takes it, as far as it is good for that */

static ngx_int_t
tournament_gather_use(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_part_t *part, tournament_entry_t *entry)
{
    tournament_verdict_t     verdict;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    tournament_gather_judge(tmcf, tlcf, part->endpoint, entry, &verdict);

    part->waiter.seen_clock = entry->clock;
    part->waiter.seen_fetched = entry->fetched;
    part->fallback = verdict.fallback;

    if (verdict.refresh) {
        tournament_fetch_refresh(tmcf->fetch, part->endpoint, &part->key,
                                 entry);
    }

    if ((verdict.status != TOURNAMENT_EXPIRED || verdict.fallback)
        && tournament_gather_copy(r, part, entry) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (verdict.status == TOURNAMENT_STALE) {
        tournament_gather_fall_back(ctx, part);
        return NGX_OK;
    }

    ctx->status = ngx_max(ctx->status, verdict.status);

    if (verdict.status == TOURNAMENT_EXPIRED) {
        return NGX_DECLINED;
    }

    part->transient = (verdict.status == TOURNAMENT_UPDATING);
    tournament_part_set(ctx, part, TOURNAMENT_PART_READY);

    return NGX_OK;
}


void
tournament_gather_judge(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    tournament_entry_t *entry, tournament_verdict_t *verdict)
{
    ngx_memzero(verdict, sizeof(tournament_verdict_t));

    verdict->ttl = tournament_gather_ttl(tmcf, tlcf, endpoint,
                                         entry->missing);
    verdict->age = tournament_elapsed(entry->fetched);
    verdict->over = (entry->valid_until != 0
                     && ngx_time() >= entry->valid_until);

    verdict->class = tournament_clock_class(tmcf->zone.clock, entry->clock,
                                            entry->stripes, entry->nstripes);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, ngx_cycle->log, 0,
                   "tournament zone: an entry of class %d, age %M of %M ms%s",
                   verdict->class, verdict->age, verdict->ttl,
                   entry->missing ? ", missing" : "");

    if (verdict->class != TOURNAMENT_FRESH || verdict->age >= verdict->ttl
        || verdict->over)
    {
        tournament_gather_judge_old(tmcf, tlcf, endpoint, entry, verdict);
        return;
    }

    /* what is in use is refreshed before it expires */

    verdict->status = TOURNAMENT_HIT;
    verdict->refresh = (!entry->missing
                        && verdict->age >= tournament_settled(verdict->ttl));
}


static void
tournament_gather_judge_old(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    tournament_entry_t *entry, tournament_verdict_t *verdict)
{
    ngx_msec_t  coalesce;
    ngx_uint_t  up;

    verdict->status = TOURNAMENT_EXPIRED;

    /* a 404, a user's, or a guarded one is never shown once it is not fresh */

    if (!tournament_gather_public(endpoint) || entry->missing
        || verdict->class == TOURNAMENT_PURGED
        || verdict->age >= verdict->ttl + tlcf->stale)
    {
        return;
    }

    verdict->fallback = (tlcf->stale != 0);

    if (verdict->fallback && tournament_pg_away(tmcf->pg)) {
        verdict->status = TOURNAMENT_STALE;
        return;
    }

    if (verdict->over) {
        return;
    }

    if (verdict->class == TOURNAMENT_INVALID) {

        /* changes pour in: one refresh in so much time is enough */

        coalesce = tlcf->coalesce[tournament_endpoint_settings(endpoint)];

        if (verdict->age < ngx_min(coalesce, verdict->ttl)) {
            verdict->status = TOURNAMENT_UPDATING;
        }

        return;
    }

    /* without the feed only the TTL bounds how old an answer can be */

    up = tmcf->listen
         && tournament_feed_state(&tmcf->zone) == TOURNAMENT_FEED_UP;

    if (verdict->fallback && (verdict->age < verdict->ttl || up)) {
        verdict->refresh = 1;
        verdict->status = entry->failed ? TOURNAMENT_STALE
                                        : TOURNAMENT_UPDATING;
    }
}


ngx_msec_t
tournament_gather_ttl(tournament_main_conf_t *tmcf,
    tournament_loc_conf_t *tlcf, tournament_endpoint_t *endpoint,
    ngx_uint_t missing)
{
    ngx_msec_t  ttl;

    ttl = tlcf->ttl[missing ? TOURNAMENT_MISSING
                            : tournament_endpoint_settings(endpoint)];

    if (endpoint->follow) {
        ttl = ngx_min(ttl, endpoint->ttl);
    }

    if (endpoint->audience != TOURNAMENT_PERSONAL) {
        return ttl;
    }

    if (tmcf->listen
        && tournament_feed_state(&tmcf->zone) != TOURNAMENT_FEED_UP)
    {
        ttl = ngx_min(ttl, TOURNAMENT_UNHEARD_TTL);
    }

    return ttl;
}


static ngx_uint_t
tournament_gather_public(tournament_endpoint_t *endpoint)
{
    tournament_audience_e  audience;

    audience = endpoint->audience;

    return audience == TOURNAMENT_PUBLIC || audience == TOURNAMENT_VIEWED;
}


/* into the request's pool: the memory of the zone's copy is reused */

static ngx_int_t
tournament_gather_copy(ngx_http_request_t *r, tournament_part_t *part,
    tournament_entry_t *entry)
{
    u_char  *p;

    p = ngx_palloc(r->pool, tournament_entry_size(entry));
    if (p == NULL) {
        return NGX_ERROR;
    }

    tournament_entry_copy(&part->entry, entry, p);

    return NGX_OK;
}


static ngx_int_t
tournament_gather_add(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_part_t *part)
{
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    part->waiter.handler = tournament_gather_arrived;
    part->waiter.data = part;
    part->waiter.owner = ctx;
    part->waiter.impatient = part->fallback;

    if (tournament_fetch_add(tmcf->fetch, part->endpoint, &part->key,
                             &part->waiter)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    tournament_part_set(ctx, part, TOURNAMENT_PART_WAITING);

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament flight:%p is waited for",
                   part->waiter.flight);

    return NGX_OK;
}


/* the database fails: what is there is shown, and said to be old */

static void
tournament_gather_fall_back(tournament_ctx_t *ctx, tournament_part_t *part)
{
    ngx_msec_t  age;

    age = tournament_elapsed(part->entry.fetched);

    part->transient = 1;
    tournament_part_set(ctx, part, TOURNAMENT_PART_READY);

    ctx->age = ngx_max(ctx->age, age);
    ctx->status = TOURNAMENT_STALE;
}


static ngx_int_t
tournament_gather_wait(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    /* a client that goes away meanwhile is noticed */

    r->read_event_handler = ngx_http_test_reading;

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        tournament_gather_leave(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


static void
tournament_gather_arrived(tournament_waiter_t *waiter, tournament_pg_rc_e rc,
    tournament_entry_t *entry)
{
    ngx_int_t            result;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    tournament_ctx_t    *ctx;
    tournament_part_t   *part;

    part = waiter->data;
    ctx = waiter->owner;
    r = ctx->request;
    c = r->connection;

    if (ngx_http_get_module_ctx(r, ngx_http_tournament_module) != ctx) {

        /* the client went, and the request is with "post_action" now */

        tournament_gather_leave(ctx);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, c->log, 0,
                   "tournament result: rc %d after %M ms", rc,
                   ngx_current_msec - waiter->arrived);

    if (!waiter->refused) {
        ctx->queried = 1;
        ctx->waited = part;
        ctx->query_time = ngx_current_msec - waiter->arrived;
    }

    /* an answer begins to read what is left of a body, or waits once more */

    r->read_event_handler = ngx_http_block_reading;

    result = tournament_gather_take(r, ctx, part, rc, entry);

    if (result == NGX_OK && part->state != TOURNAMENT_PART_FAILED) {

        if (ctx->waiting) {
            r->read_event_handler = ngx_http_test_reading;
            return;
        }

        result = ctx->answer(r, ctx);
    }

    if (result != NGX_DONE) {
        tournament_gather_leave(ctx);
    }

    ngx_http_finalize_request(r, result);

    ngx_http_run_posted_requests(c);
}


/*
 * A part has its result, or shows what it has, or the answer is an error, which
 * is sent: a value for finalize_request() then.
 */

static ngx_int_t
tournament_gather_take(ngx_http_request_t *r, tournament_ctx_t *ctx,
    tournament_part_t *part, tournament_pg_rc_e rc, tournament_entry_t *entry)
{
    tournament_clock_t      *clock;
    tournament_main_conf_t  *tmcf;

    if (rc != TOURNAMENT_PG_OK && part->fallback) {
        tournament_gather_fall_back(ctx, part);
        return NGX_OK;
    }

    if (rc != TOURNAMENT_PG_OK) {
        tournament_part_set(ctx, part, TOURNAMENT_PART_FAILED);

        return tournament_refuse(r, rc == TOURNAMENT_PG_TIMEOUT
                                        ? &tournament_error_timeout
                                        : &tournament_error_unavailable);
    }

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);
    clock = tmcf->zone.clock;

    tournament_part_set(ctx, part, TOURNAMENT_PART_READY);

    /* what a purge has not found in the zone is not for the memo either */

    part->transient = tournament_clock_walked(clock, entry->clock);

    if (part->waiter.coalesce && entry->clock < part->waiter.clock
        && !tournament_clock_valid(clock, entry->clock, entry->stripes,
                                   entry->nstripes))
    {
        /* changes pour in: it was old already as it was asked for */

        ctx->status = ngx_max(ctx->status, TOURNAMENT_UPDATING);
    }

    return tournament_gather_copy(r, part, entry) == NGX_OK
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
tournament_gather_leave(tournament_ctx_t *ctx)
{
    ngx_uint_t          i;
    tournament_part_t  *part;

    for (i = 0; ctx->waiting && i < ctx->nparts; i++) {
        part = &ctx->parts[i];

        if (part->state == TOURNAMENT_PART_WAITING) {
            tournament_fetch_leave(&part->waiter);
            tournament_part_set(ctx, part, TOURNAMENT_PART_NEW);
        }
    }
}
