
/*
 * A request's body in any split of buffers, with pauses, in memory and in
 * files: the handler gets all of it, or the client a refusal, once, and a
 * later reader finds it whole.  The input is the limit, whether the length is
 * known, and pieces: a byte of length and kind, and its bytes.
 */

#include "stub.h"
#include "serve/context.h"
#include "serve/post.h"
#include "serve/refuse.h"


/* of an input, bytes */
#define FUZZ_MAX    65536

/* a piece's first byte: its length and kind, or what comes instead */
#define FUZZ_LEN    0x3f
#define FUZZ_MORE   0x40
#define FUZZ_FILE   0x80
#define FUZZ_PAUSE  0xfe
#define FUZZ_GONE   0xff


static ngx_int_t fuzz_handler(ngx_http_request_t *r, ngx_str_t *body);
static void fuzz_whole(ngx_str_t *body);
static ngx_chain_t *fuzz_piece(ngx_http_request_t *r, u_char ch);


static ngx_http_request_t       fuzz_request;
static ngx_http_request_body_t  fuzz_body;
static tournament_ctx_t         fuzz_ctx;
static void                    *fuzz_modules[1] = { &fuzz_ctx };

static fuzz_input_t             fuzz_input;
static u_char                   fuzz_sent[FUZZ_MAX];
static size_t                   fuzz_len;
static ngx_uint_t               fuzz_handled;
static ngx_uint_t               fuzz_refused;
static ngx_uint_t               fuzz_ended;


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    size_t       max;
    ngx_int_t    rc;
    ngx_uint_t   known;

    if (size > sizeof(fuzz_sent)) {
        return 0;
    }

    fuzz_input.p = data;
    fuzz_input.last = data + size;

    fuzz_len = 0;
    fuzz_handled = 0;
    fuzz_refused = 0;
    fuzz_ended = 0;

    ngx_memzero(&fuzz_request, sizeof(ngx_http_request_t));
    ngx_memzero(&fuzz_body, sizeof(ngx_http_request_body_t));
    ngx_memzero(&fuzz_ctx, sizeof(tournament_ctx_t));

    fuzz_request.pool = &fuzz_pool;
    fuzz_request.ctx = fuzz_modules;

    max = fuzz_byte(&fuzz_input);
    known = fuzz_byte(&fuzz_input);

    /* nginx reads no more than Content-Length says; chunks may be longer */

    fuzz_request.headers_in.content_length_n = (known & 1) ? (off_t) size : -1;

    rc = tournament_post_read(&fuzz_request, max, fuzz_handler);

    while (rc == NGX_DONE && !fuzz_ended) {
        fuzz_request.read_event_handler(&fuzz_request);
    }

    fuzz_assert(fuzz_handled + fuzz_refused <= 1);
    fuzz_assert(!fuzz_refused || (known & 1 && size > max) || fuzz_len > max);
    fuzz_assert(!fuzz_handled || fuzz_len <= max);
    fuzz_assert(fuzz_handled || fuzz_refused || fuzz_ended);

    fuzz_pool_reset();

    return 0;
}


static ngx_int_t
fuzz_handler(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_str_t     again;
    ngx_chain_t  *cl;

    fuzz_handled++;
    fuzz_assert(!r->reading_body);
    fuzz_whole(body);

    again.data = ngx_pnalloc(r->pool, fuzz_len);
    again.len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (!ngx_buf_in_memory(cl->buf)) {
            return NGX_OK;
        }

        ngx_memcpy(again.data + again.len, cl->buf->pos,
                   cl->buf->last - cl->buf->pos);
        again.len += cl->buf->last - cl->buf->pos;
    }

    fuzz_whole(&again);

    return NGX_OK;
}


static void
fuzz_whole(ngx_str_t *body)
{
    fuzz_assert(body->len == fuzz_len
                && memcmp(body->data, fuzz_sent, fuzz_len) == 0);
}


/*
 * What nginx does: the next pieces are buffers, each in a file by its kind;
 * there are none for now; or the client is gone.
 */

ngx_int_t
ngx_http_read_unbuffered_request_body(ngx_http_request_t *r)
{
    u_char         ch;
    ngx_chain_t  **last;

    last = &r->request_body->bufs;
    fuzz_assert(*last == NULL);

    do {
        ch = fuzz_byte(&fuzz_input);

        if (ch == FUZZ_GONE) {
            return NGX_HTTP_BAD_REQUEST;
        }

        if (ch == FUZZ_PAUSE) {
            break;
        }

        *last = fuzz_piece(r, ch);
        last = &(*last)->next;

    } while (ch & FUZZ_MORE);

    r->reading_body = (fuzz_input.p < fuzz_input.last);

    return r->reading_body ? NGX_AGAIN : NGX_OK;
}


static ngx_chain_t *
fuzz_piece(ngx_http_request_t *r, u_char ch)
{
    ngx_buf_t    *b;
    ngx_str_t     piece;
    ngx_chain_t  *cl;

    piece = fuzz_bytes(&fuzz_input, ch & FUZZ_LEN);

    b = ngx_pcalloc(r->pool, sizeof(ngx_buf_t));
    cl = ngx_alloc_chain_link(r->pool);

    if (ch & FUZZ_FILE) {
        b->in_file = 1;
        b->file_pos = fuzz_len;
        b->file_last = fuzz_len + piece.len;

    } else {
        b->memory = 1;
        b->pos = ngx_pnalloc(r->pool, piece.len);
        b->last = b->pos + piece.len;
        ngx_memcpy(b->pos, piece.data, piece.len);
    }

    ngx_memcpy(fuzz_sent + fuzz_len, piece.data, piece.len);
    fuzz_len += piece.len;

    cl->buf = b;
    cl->next = NULL;

    return cl;
}


ngx_int_t
ngx_http_read_client_request_body(ngx_http_request_t *r,
    ngx_http_client_body_handler_pt handler)
{
    ngx_int_t  rc;

    r->request_body = &fuzz_body;

    rc = ngx_http_read_unbuffered_request_body(r);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        fuzz_ended = 1;
        return rc;
    }

    handler(r);

    return rc;
}


ssize_t
ngx_read_file(ngx_file_t *file, u_char *buf, size_t size, off_t offset)
{
    ngx_memcpy(buf, fuzz_sent + offset, size);

    return size;
}


void
ngx_http_block_reading(ngx_http_request_t *r)
{
    fuzz_assert(0);
}


void
ngx_http_finalize_request(ngx_http_request_t *r, ngx_int_t rc)
{
    fuzz_assert(!fuzz_ended);

    fuzz_ended = 1;
}


ngx_int_t
tournament_refuse(ngx_http_request_t *r, tournament_error_t *error)
{
    fuzz_refused++;
    fuzz_assert(error == &tournament_error_too_large);

    return error->status;
}


ngx_int_t
tournament_refuse_here(ngx_http_request_t *r, tournament_error_t *error)
{
    return tournament_refuse(r, error);
}
