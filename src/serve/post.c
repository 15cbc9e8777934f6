
/*
 * nginx hands over what it has read of a body, and the rest bit by bit, so
 * that nothing is written to a temporary file.  All of it is copied to one
 * buffer, which in the end takes the place of what was handed over.
 *
 * A body that is in a file already is read from there: 64 KiB at most, which
 * the system's cache has, since they were just written.  A worker may block
 * for that.
 */

#include "serve/refuse.h"
#include "serve/post.h"
#include "serve/request.h"


struct tournament_post_s {
    tournament_post_pt         handler;
    u_char                    *data;
    size_t                     len;
    size_t                     size;
    unsigned                   partly:1;   /* not handed over as a whole */
};


static void tournament_post_event(ngx_http_request_t *r);
static ngx_int_t tournament_post_collect(ngx_http_request_t *r,
    tournament_post_t *post);
static ngx_int_t tournament_post_take(ngx_http_request_t *r,
    tournament_post_t *post);
static ngx_int_t tournament_post_take_buf(tournament_post_t *post,
    ngx_buf_t *b);
static ngx_int_t tournament_post_restore(ngx_http_request_t *r,
    tournament_post_t *post);


ngx_int_t
tournament_post_read(ngx_http_request_t *r, size_t max,
    tournament_post_pt handler)
{
    ngx_int_t           rc;
    tournament_ctx_t   *ctx;
    tournament_post_t  *post;

    if (r->headers_in.content_length_n > (off_t) max) {
        return tournament_refuse(r, &tournament_error_too_large);
    }

    post = ngx_pcalloc(r->pool, sizeof(tournament_post_t));
    if (post == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    post->handler = handler;
    post->size = (r->headers_in.content_length_n < 0)
                 ? max : (size_t) r->headers_in.content_length_n;

    post->data = ngx_pnalloc(r->pool, ngx_max(post->size, 1));
    if (post->data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);
    ctx->post = post;

    r->request_body_no_buffering = 1;

    rc = ngx_http_read_client_request_body(r, tournament_post_event);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}


static void
tournament_post_event(ngx_http_request_t *r)
{
    ngx_int_t           rc;
    ngx_str_t           body;
    tournament_ctx_t   *ctx;
    tournament_post_t  *post;

    ctx = ngx_http_get_module_ctx(r, ngx_http_tournament_module);
    post = ctx->post;

    r->read_event_handler = tournament_post_event;

    rc = tournament_post_collect(r, post);

    if (rc == NGX_AGAIN) {
        return;
    }

    r->read_event_handler = ngx_http_block_reading;

    if (rc == NGX_DECLINED) {

        /* what was read of it is gone: nobody else can be asked */

        rc = r->reading_body || post->partly
             ? tournament_refuse_here(r, &tournament_error_too_large)
             : tournament_refuse(r, &tournament_error_too_large);

    } else if (rc == NGX_OK) {
        body.data = post->data;
        body.len = post->len;

        rc = post->handler(r, &body);
    }

    ngx_http_finalize_request(r, rc);
}


/*
 * NGX_OK: it is whole.  NGX_AGAIN: more will come.  NGX_DECLINED: it is too
 * large.  Else a status.
 */

static ngx_int_t
tournament_post_collect(ngx_http_request_t *r, tournament_post_t *post)
{
    ngx_int_t  rc;

    /* of a redirect it may be discarded, of a subrequest not asked for */

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    for ( ;; ) {
        rc = tournament_post_take(r, post);

        if (rc != NGX_OK) {
            return rc;
        }

        if (!r->reading_body) {
            return tournament_post_restore(r, post);
        }

        post->partly = 1;

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return NGX_AGAIN;
        }
    }
}


/* copies what there is, and lets nginx use its buffers again if more comes */

static ngx_int_t
tournament_post_take(ngx_http_request_t *r, tournament_post_t *post)
{
    ngx_int_t     rc;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        rc = tournament_post_take_buf(post, cl->buf);

        if (rc != NGX_OK) {
            return rc;
        }

        if (r->reading_body) {
            cl->buf->pos = cl->buf->last;
        }
    }

    if (r->reading_body) {
        r->request_body->bufs = NULL;
    }

    return NGX_OK;
}


static ngx_int_t
tournament_post_take_buf(tournament_post_t *post, ngx_buf_t *b)
{
    off_t    size;
    ssize_t  n;

    size = ngx_buf_size(b);

    if (size > (off_t) (post->size - post->len)) {
        return NGX_DECLINED;
    }

    if (ngx_buf_in_memory(b)) {
        ngx_memcpy(post->data + post->len, b->pos, (size_t) size);

    } else if (size) {
        n = ngx_read_file(b->file, post->data + post->len, (size_t) size,
                          b->file_pos);
        if (n != size) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    post->len += (size_t) size;

    return NGX_OK;
}


static ngx_int_t
tournament_post_restore(ngx_http_request_t *r, tournament_post_t *post)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (!post->partly) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = post->data;
    b->last = post->data + post->len;
    b->memory = 1;

    cl->buf = b;
    cl->next = NULL;

    r->request_body->bufs = cl;

    return NGX_OK;
}
