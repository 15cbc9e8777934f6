
#include "serve/answer.h"
#include "compat.h"


static ngx_str_t  tournament_cache_control = ngx_string("Cache-Control");


ngx_int_t
tournament_answer_header(ngx_http_request_t *r, ngx_str_t *cache_control)
{
    ngx_table_elt_t  *h;

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
tournament_answer_send(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.content_length_n = text->len;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
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
