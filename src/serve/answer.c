
/*
 * Others may have been here before, and left headers: X-Accel-Redirect keeps
 * some of the first answer's, scripts may set any.  Those that say how long an
 * answer holds, and which one it is, are this answer's alone.
 */

#include "serve/answer.h"
#include "compat.h"


static void tournament_answer_clear(ngx_http_request_t *r);
static ngx_int_t tournament_answer_discard(ngx_http_request_t *r);


static ngx_str_t  tournament_cache_control = ngx_string("Cache-Control");

static ngx_str_t  tournament_answer_own[] = {
    ngx_string("Cache-Control"),
    ngx_string("Expires"),
    ngx_string("ETag"),
    ngx_string("Last-Modified"),
    ngx_string("Age"),
    ngx_string("Retry-After"),
    ngx_null_string
};


ngx_int_t
tournament_answer_header(ngx_http_request_t *r, ngx_str_t *cache_control)
{
    ngx_table_elt_t  *h;

    if (r->headers_out.headers.part.nelts) {
        tournament_answer_clear(r);
    }

    /*
     * There is no date, and without one nginx would refuse If-Unmodified-Since
     * and take If-Modified-Since for one that If-None-Match cannot outweigh.
     */

    r->headers_in.if_modified_since = NULL;
    r->headers_in.if_unmodified_since = NULL;

    /* the filter that recodes must know, and would not look at the type */

    ngx_str_set(&r->headers_out.charset, "utf-8");

    /* the length is the type's alone, as gzip_types and others compare it */

    ngx_str_set(&r->headers_out.content_type,
                "application/json; charset=utf-8");
    r->headers_out.content_type_len = sizeof("application/json") - 1;
    r->headers_out.content_type_lowcase = NULL;

    h = tournament_answer_add(r, &tournament_cache_control, cache_control);
    if (h == NULL) {
        return NGX_ERROR;
    }

    return tournament_set_cache_control(r, h);
}


static void
tournament_answer_clear(ngx_http_request_t *r)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (name = tournament_answer_own; name->len; name++) {

                if (h[i].key.len == name->len
                    && ngx_strncasecmp(h[i].key.data, name->data, name->len)
                       == 0)
                {
                    h[i].hash = 0;
                }
            }
        }
    }

    tournament_clear_cache_control(r);

    r->headers_out.expires = NULL;
    r->headers_out.etag = NULL;
    r->headers_out.last_modified = NULL;
    r->headers_out.last_modified_time = -1;
}


void
tournament_answer_type(ngx_http_request_t *r, ngx_str_t *type)
{
    u_char  *last;

    last = type->data + type->len;

    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = ngx_strlchr(type->data, last, ';')
                                      - type->data;
    r->headers_out.content_type_lowcase = NULL;
}


ngx_table_elt_t *
tournament_answer_add(ngx_http_request_t *r, ngx_str_t *key, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key = *key;
    h->value = *value;
    h->lowcase_key = NULL;
    tournament_header_init(h);

    return h;
}


ngx_int_t
tournament_answer_begin(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = tournament_answer_discard(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_send_header(r);
}


ngx_int_t
tournament_answer_send(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    /* once the header is sent there is no other answer */

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_length_n = text->len;

    rc = tournament_answer_begin(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


/*
 * A body that nobody has asked for.  Not before now: whoever answers in our
 * place must find it.  A client that waits for "100 Continue" is not asked for
 * what will not be read, and what it then sends is not taken for a request.
 */

static ngx_int_t
tournament_answer_discard(ngx_http_request_t *r)
{
    if (r->headers_in.expect && !r->expect_tested && r == r->main
        && r->request_body == NULL)
    {
        r->expect_tested = 1;
        r->keepalive = 0;
    }

    return ngx_http_discard_request_body(r);
}
