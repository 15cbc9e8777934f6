
/*
 * Endpoint "states": the states of many tournaments in one answer.  Its
 * entries are those of "state", and what the memo has of them is taken as it
 * stands.
 */

#include "endpoints/state.h"
#include "serve/answer.h"
#include "serve/post.h"
#include "serve/gather.h"
#include "serve/refuse.h"
#include "serve/render.h"
#include "serve/request.h"
#include "rules/hash.h"
#include "rules/slugs.h"


/* bytes of a POST's body */
#define TOURNAMENT_STATES_BODY    (64 * 1024)

/* a power of two that leaves places free */
#define TOURNAMENT_STATES_PLACES  256


/* the list of slugs as it is read */

typedef struct {
    tournament_slug_t    slugs[TOURNAMENT_SLUGS_MAX];
    size_t               n;
    tournament_error_t  *error;

    /* of each slug: its state for this second, NULL where there is none */

    tournament_body_t   *bodies[TOURNAMENT_SLUGS_MAX];
} tournament_list_t;


/* the slugs that have been met, by hash: a repeated one is answered once */

typedef struct {
    tournament_slug_t            *slugs[TOURNAMENT_STATES_PLACES];
    uint32_t                      hashes[TOURNAMENT_STATES_PLACES];
} tournament_seen_t;


static ngx_int_t tournament_states_handler(ngx_http_request_t *r);
static ngx_int_t tournament_states_query(ngx_http_request_t *r,
    tournament_list_t *list);
static ngx_int_t tournament_states_body(ngx_http_request_t *r,
    ngx_str_t *body);
static tournament_error_t *tournament_states_error(tournament_slugs_rc_e rc);
static ngx_uint_t tournament_states_repeated(tournament_seen_t *seen,
    tournament_slug_t *slug, uint32_t hash);
static ngx_int_t tournament_states_gather(ngx_http_request_t *r,
    tournament_list_t *list);
static ngx_uint_t tournament_states_look_up(ngx_http_request_t *r,
    tournament_list_t *list);
static void tournament_states_release(tournament_list_t *list);
static ngx_int_t tournament_states_parts(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_states_refresh(ngx_http_request_t *r,
    tournament_ctx_t *ctx, ngx_uint_t *stale);
static ngx_int_t tournament_states_answer(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static ngx_int_t tournament_states_send(ngx_http_request_t *r,
    tournament_ctx_t *ctx);
static tournament_body_t *tournament_states_join(ngx_http_request_t *r,
    tournament_list_t *list);
static size_t tournament_states_frame(tournament_json_t *json,
    tournament_list_t *list);
static u_char *tournament_states_copy(u_char *p, tournament_list_t *list);
static uint64_t tournament_states_sum(tournament_body_t *body,
    tournament_slug_t *slug);


tournament_endpoint_t  tournament_endpoint_states = {
    .name = ngx_string("states"),
    .number = 2,
    .source = &tournament_endpoint_state,
    .handler = tournament_states_handler
};


static ngx_str_t  tournament_slugs = ngx_string("slugs");


static ngx_int_t
tournament_states_handler(ngx_http_request_t *r)
{
    tournament_list_t  *list;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST))) {
        return tournament_refuse(r, &tournament_error_method_post);
    }

    if (r->method == NGX_HTTP_POST) {
        return tournament_post_read(r, TOURNAMENT_STATES_BODY,
                                    tournament_states_body);
    }

    list = ngx_pcalloc(r->pool, sizeof(tournament_list_t));
    if (list == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_states_query(r, list);
}


static ngx_int_t
tournament_states_query(ngx_http_request_t *r, tournament_list_t *list)
{
    ngx_str_t  value;

    list->error = tournament_arguments_find(r, &tournament_slugs, &value);

    if (list->error == NULL && value.data == NULL) {
        list->error = &tournament_error_slugs;
    }

    if (list->error == NULL) {
        list->error = tournament_states_error(
                          tournament_slugs_query(value.data, value.len,
                                                 list->slugs, &list->n));
    }

    if (list->error) {
        return tournament_refuse(r, list->error);
    }

    return tournament_states_gather(r, list);
}


static ngx_int_t
tournament_states_body(ngx_http_request_t *r, ngx_str_t *body)
{
    tournament_list_t  *list;

    list = ngx_pcalloc(r->pool, sizeof(tournament_list_t));
    if (list == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    list->error = tournament_states_error(
                      tournament_slugs_json(body->data, body->len,
                                            list->slugs, &list->n));
    if (list->error) {
        return tournament_refuse(r, list->error);
    }

    return tournament_states_gather(r, list);
}


static tournament_error_t *
tournament_states_error(tournament_slugs_rc_e rc)
{
    switch (rc) {

    case TOURNAMENT_SLUGS_MALFORMED:
        return &tournament_error_slug;

    case TOURNAMENT_SLUGS_TOO_MANY:
        return &tournament_error_too_many;

    case TOURNAMENT_SLUGS_NO_ARRAY:
        return &tournament_error_json;

    default:
        return NULL;
    }
}


/* notes a slug, which stays where it is; 1: it is there already */

static ngx_uint_t
tournament_states_repeated(tournament_seen_t *seen, tournament_slug_t *slug,
    uint32_t hash)
{
    ngx_uint_t          i;
    tournament_slug_t  *other;

    for (i = hash % TOURNAMENT_STATES_PLACES;
         seen->slugs[i];
         i = (i + 1) % TOURNAMENT_STATES_PLACES)
    {
        other = seen->slugs[i];

        if (seen->hashes[i] == hash && other->len == slug->len
            && ngx_memcmp(other->data, slug->data, slug->len) == 0)
        {
            return 1;
        }
    }

    seen->slugs[i] = slug;
    seen->hashes[i] = hash;

    return 0;
}


static ngx_int_t
tournament_states_gather(ngx_http_request_t *r, tournament_list_t *list)
{
    ngx_int_t          rc;
    tournament_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);

    ctx->data = list;
    ctx->answer = tournament_states_answer;

    if (tournament_states_look_up(r, list) != list->n) {
        return tournament_states_parts(r, ctx);
    }

    if (list->n) {
        ctx->status = TOURNAMENT_HIT;
    }

    rc = tournament_states_send(r, ctx);

    tournament_states_release(list);

    return rc;
}


/* asks the memo for each slug; how many it has */

static ngx_uint_t
tournament_states_look_up(ngx_http_request_t *r, tournament_list_t *list)
{
    u_char                   buf[TOURNAMENT_KEY_MAX];
    uint32_t                 hash;
    tournament_slug_t       *slug;
    ngx_msec_t               ttl;
    ngx_uint_t               i, n, found;
    tournament_key_t         key;
    tournament_body_t       *body;
    tournament_seen_t        seen;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    ttl = tournament_settled(tlcf->ttl[tournament_endpoint_state.number]);

    tournament_key_init(&key, buf, tmcf->space,
                        tournament_endpoint_state.number);

    ngx_memzero(seen.slugs, sizeof(seen.slugs));

    n = 0;
    found = 0;

    for (i = 0; i < list->n; i++) {
        slug = &list->slugs[n];
        *slug = list->slugs[i];

        /* a slug always fits */
        key.len = TOURNAMENT_KEY_PREFIX;
        (void) tournament_key_add(&key, slug->data, slug->len);

        hash = tournament_memo_hash(tmcf->memo, key.data, key.len);

        if (tournament_states_repeated(&seen, slug, hash)) {
            continue;
        }

        body = tournament_memo_find(tmcf->memo, &key, hash, ttl);

        list->bodies[n++] = body;
        found += (body != NULL);
    }

    list->n = n;

    return found;
}


static void
tournament_states_release(tournament_list_t *list)
{
    ngx_uint_t  i;

    for (i = 0; i < list->n; i++) {
        if (list->bodies[i]) {
            tournament_body_release(list->bodies[i]);
        }
    }
}


/* some are to be looked up in the zone, and queried where it has none */

static ngx_int_t
tournament_states_parts(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    u_char                   buf[TOURNAMENT_KEY_MAX];
    ngx_uint_t               i;
    tournament_key_t         key;
    tournament_list_t       *list;
    tournament_part_t       *part;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    list = ctx->data;

    ctx->parts = ngx_pcalloc(r->pool, list->n * sizeof(tournament_part_t));
    if (ctx->parts == NULL) {
        tournament_states_release(list);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->nparts = list->n;

    /* the bodies are the parts' from here on, whatever fails */

    for (i = 0; i < list->n; i++) {
        part = &ctx->parts[i];

        part->endpoint = &tournament_endpoint_state;
        part->waiter.cache = 1;
        tournament_part_body(ctx, part, list->bodies[i]);
    }

    for (i = 0; i < list->n; i++) {
        part = &ctx->parts[i];

        if (part->body) {
            ctx->status = ngx_max(ctx->status, TOURNAMENT_HIT);
            continue;
        }

        tournament_key_init(&key, buf, tmcf->space,
                            tournament_endpoint_state.number);

        (void) tournament_key_add(&key, list->slugs[i].data,
                                  list->slugs[i].len);

        if (tournament_part_key(r, part, &key) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return tournament_gather(r, ctx);
}


/*
 * The second may have passed while others were waited for: what the memo gave
 * for it is looked up again.
 */

static ngx_int_t
tournament_states_refresh(ngx_http_request_t *r, tournament_ctx_t *ctx,
    ngx_uint_t *stale)
{
    ngx_uint_t          i;
    tournament_part_t  *part;

    *stale = 0;

    for (i = 0; i < ctx->nparts; i++) {
        part = &ctx->parts[i];

        if (part->body == NULL || part->body->second == ngx_time()) {
            continue;
        }

        if (tournament_part_key(r, part, &part->body->name.key) != NGX_OK) {
            return NGX_ERROR;
        }

        tournament_part_body(ctx, part, NULL);

        *stale = 1;
    }

    return NGX_OK;
}


static ngx_int_t
tournament_states_answer(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ngx_uint_t               i, stale;
    tournament_list_t       *list;
    tournament_part_t       *part;
    tournament_view_t        view;
    tournament_loc_conf_t   *tlcf;
    tournament_main_conf_t  *tmcf;

    tlcf = ngx_http_get_module_loc_conf(r, ngx_http_tournament_module);
    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    list = ctx->data;

    if (tournament_states_refresh(r, ctx, &stale) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (stale) {
        return tournament_gather(r, ctx);
    }

    ngx_memzero(&view, sizeof(tournament_view_t));
    view.now = ngx_time();

    /* a worker has one writer: all are rendered before the answer is begun */

    for (i = 0; i < ctx->nparts; i++) {
        part = &ctx->parts[i];

        if (part->body == NULL && !part->entry.missing) {

            view.entry = &part->entry;
            part->body = tournament_render(tmcf, tlcf, part->endpoint,
                                           part->transient ? NULL : &part->key,
                                           &view);
            if (part->body == NULL) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }

        list->bodies[i] = part->body;
    }

    return tournament_states_send(r, ctx);
}


static ngx_int_t
tournament_states_send(ngx_http_request_t *r, tournament_ctx_t *ctx)
{
    ctx->body = tournament_states_join(r, ctx->data);
    if (ctx->body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a conditional POST is none of a cache's */

    r->disable_not_modified = (r->method == NGX_HTTP_POST);

    return tournament_send(r, ctx);
}


/*
 * All but the states is written, and they are then copied into their object
 * as they were rendered for answers of their own: a slug needs no escape.
 */

static tournament_body_t *
tournament_states_join(ngx_http_request_t *r, tournament_list_t *list)
{
    u_char                  *p;
    size_t                   start, len, size;
    ngx_str_t                text, etag, room;
    tournament_body_t       *body;
    tournament_json_t       *json;
    tournament_main_conf_t  *tmcf;

    tmcf = ngx_http_get_module_main_conf(r, ngx_http_tournament_module);

    json = tmcf->json;

    tournament_json_begin(json);

    size = tournament_states_frame(json, list);

    if (tournament_json_end(json, ngx_time(), &text, &etag) != NGX_OK) {
        return NULL;
    }

    room.len = text.len + size;
    room.data = NULL;

    body = tournament_body_create(NULL, NULL, ngx_time(), &room, &etag);
    if (body == NULL) {
        return NULL;
    }

    /* past the object's brace */

    tournament_json_marked(json, &start, &len);
    start++;

    p = ngx_cpymem(body->text.data, text.data, start);
    p = tournament_states_copy(p, list);
    p = ngx_cpymem(p, text.data + start, text.len - start);

    body->text.len = p - body->text.data;

    return body;
}


/* writes the rest, and says how many bytes the states take at most */

static size_t
tournament_states_frame(tournament_json_t *json, tournament_list_t *list)
{
    size_t               size;
    uint64_t             sums[TOURNAMENT_SLUGS_MAX];
    ngx_uint_t           i, n;
    tournament_slug_t   *slug;
    tournament_body_t   *state;

    tournament_json_bool(json, "success", 1);
    tournament_json_now(json, "timestamp", ngx_time());

    tournament_json_mark(json);
    tournament_json_open_key(json, "states");
    tournament_json_close(json);
    tournament_json_mark(json);

    tournament_json_open_array(json, "missing");

    n = 0;
    size = 0;

    for (i = 0; i < list->n; i++) {
        slug = &list->slugs[i];
        state = list->bodies[i];

        if (state) {
            sums[n++] = tournament_states_sum(state, slug);
            size += slug->len + state->part.len + sizeof("\"\":,") - 1;

        } else {
            tournament_json_element(json, (char *) slug->data, slug->len);
        }
    }

    tournament_json_close_array(json);
    tournament_json_sum(json, sums, n * sizeof(uint64_t));

    return size;
}


static u_char *
tournament_states_copy(u_char *p, tournament_list_t *list)
{
    u_char             *first;
    ngx_uint_t          i;
    tournament_slug_t  *slug;
    tournament_body_t  *state;

    first = p;

    for (i = 0; i < list->n; i++) {
        slug = &list->slugs[i];
        state = list->bodies[i];

        if (state == NULL) {
            continue;
        }

        if (p != first) {
            *p++ = ',';
        }

        *p++ = '"';
        p = ngx_cpymem(p, slug->data, slug->len);
        *p++ = '"';
        *p++ = ':';
        p = ngx_cpymem(p, state->part.data, state->part.len);
    }

    return p;
}


/* what stands for a slug and its state in the ETag, reckoned once a body */

static uint64_t
tournament_states_sum(tournament_body_t *body, tournament_slug_t *slug)
{
    if (body->sum == 0) {

        /* the state's own ETag has as many digits as a key has bytes */

        body->sum = tournament_hash(&body->etag.data[sizeof("W/\"") - 1],
                                    slug->data, slug->len);
    }

    return body->sum;
}
