
/* See stub.h.  Formats are those that the rooms use, and no others. */

#include <inttypes.h>

#include "stub.h"


/* what is at the head of a piece of the pool */

typedef struct fuzz_piece_s  fuzz_piece_t;

struct fuzz_piece_s {
    fuzz_piece_t  *next;
    void          *p;
};


static u_char *fuzz_print(u_char *buf, u_char *last, const char *fmt,
    va_list args);
static u_char *fuzz_put(u_char *buf, u_char *last, const void *data,
    size_t len);


ngx_pool_t            fuzz_pool;
u_char                fuzz_said[4096];

static fuzz_piece_t  *fuzz_pieces;
static ngx_log_t      fuzz_log;
static ngx_cycle_t    fuzz_cycle = { .log = &fuzz_log };

volatile ngx_cycle_t *ngx_cycle = &fuzz_cycle;
ngx_uint_t            ngx_pagesize = 4096;
ngx_module_t          ngx_core_module;
ngx_module_t          ngx_http_tournament_module;


void
fuzz_pool_reset(void)
{
    fuzz_piece_t  *piece;

    while (fuzz_pieces) {
        piece = fuzz_pieces;
        fuzz_pieces = piece->next;

        free(piece->p);
        free(piece);
    }
}


u_char
fuzz_byte(fuzz_input_t *in)
{
    return (in->p < in->last) ? *in->p++ : 0;
}


ngx_str_t
fuzz_bytes(fuzz_input_t *in, size_t len)
{
    ngx_str_t  bytes;

    bytes.data = (u_char *) in->p;
    bytes.len = ngx_min(len, (size_t) (in->last - in->p));

    in->p += bytes.len;

    return bytes;
}


void *
ngx_pnalloc(ngx_pool_t *pool, size_t size)
{
    fuzz_piece_t  *piece;

    piece = malloc(sizeof(fuzz_piece_t));
    fuzz_assert(pool == &fuzz_pool && piece != NULL);

    piece->p = malloc(size);
    fuzz_assert(piece->p != NULL);

    piece->next = fuzz_pieces;
    fuzz_pieces = piece;

    return piece->p;
}


void *
ngx_pcalloc(ngx_pool_t *pool, size_t size)
{
    return memset(ngx_pnalloc(pool, size), 0, size);
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    return malloc(size);
}


ngx_chain_t *
ngx_alloc_chain_link(ngx_pool_t *pool)
{
    return ngx_pnalloc(pool, sizeof(ngx_chain_t));
}


/* of a size that is never outgrown */

ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t  *array;

    array = ngx_pcalloc(pool, sizeof(ngx_array_t));
    array->nalloc = 1024;
    array->size = size;
    array->elts = ngx_pcalloc(pool, array->nalloc * size);

    return array;
}


void *
ngx_array_push(ngx_array_t *array)
{
    return (array->nelts == array->nalloc)
           ? NULL : (u_char *) array->elts + array->size * array->nelts++;
}


ngx_int_t
ngx_hextoi(u_char *line, size_t n)
{
    char  *end, text[3];

    fuzz_assert(n == 2);

    if (!isxdigit(line[0]) || !isxdigit(line[1])) {
        return NGX_ERROR;
    }

    text[0] = (char) line[0];
    text[1] = (char) line[1];
    text[2] = '\0';

    return strtol(text, &end, 16);
}


ngx_int_t
ngx_atoi(u_char *line, size_t n)
{
    ngx_int_t  value;

    if (n == 0 || n > 18) {
        return NGX_ERROR;
    }

    for (value = 0; n--; line++) {
        if (*line < '0' || *line > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (*line - '0');
    }

    return value;
}


u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    while (n > 1 && *src) {
        *dst++ = *src++;
        n--;
    }

    *dst = '\0';

    return dst;
}


u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = fuzz_print(buf, (u_char *) -1, fmt, args);
    va_end(args);

    return p;
}


u_char *
ngx_slprintf(u_char *buf, u_char *last, const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = fuzz_print(buf, last, fmt, args);
    va_end(args);

    return p;
}


void ngx_cdecl
ngx_conf_log_error(ngx_uint_t level, ngx_conf_t *cf, ngx_err_t err,
    const char *fmt, ...)
{
    va_list   args;

    va_start(args, fmt);
    *fuzz_print(fuzz_said, fuzz_said + sizeof(fuzz_said) - 1, fmt, args)
        = '\0';
    va_end(args);
}


static u_char *
fuzz_print(u_char *buf, u_char *last, const char *fmt, va_list args)
{
    char        text[64];
    size_t      len;
    ngx_str_t  *str;

    static const struct {
        const char  *format;
        const char  *c;
    } numbers[] = {
        { "%016xL", "%016" PRIx64 },
        { "%02Xd", "%02" PRIX64 },
        { "%M", "%" PRIu64 }
    };

    ngx_uint_t  i;

    for ( /* void */ ; *fmt; fmt++) {

        for (i = 0; i < 3; i++) {
            len = ngx_strlen(numbers[i].format);

            if (ngx_strncmp(fmt, numbers[i].format, len) == 0) {
                break;
            }
        }

        if (i < 3) {
            snprintf(text, sizeof(text), numbers[i].c,
                     i == 1 ? (uint64_t) va_arg(args, u_int)
                            : va_arg(args, uint64_t));
            buf = fuzz_put(buf, last, text, ngx_strlen(text));
            fmt += len - 1;

        } else if (ngx_strncmp(fmt, "%V", 2) == 0) {
            str = va_arg(args, ngx_str_t *);
            buf = fuzz_put(buf, last, str->data, str->len);
            fmt++;

        } else if (ngx_strncmp(fmt, "%s", 2) == 0) {
            str = va_arg(args, void *);
            buf = fuzz_put(buf, last, str, ngx_strlen(str));
            fmt++;

        } else if (ngx_strncmp(fmt, "%*s", 3) == 0) {
            len = va_arg(args, size_t);
            buf = fuzz_put(buf, last, va_arg(args, char *), len);
            fmt += 2;

        } else if (ngx_strncmp(fmt, "%Z", 2) == 0) {
            buf = fuzz_put(buf, last, "", 1);
            fmt++;

        } else {
            fuzz_assert(*fmt != '%');
            buf = fuzz_put(buf, last, fmt, 1);
        }
    }

    return buf;
}


static u_char *
fuzz_put(u_char *buf, u_char *last, const void *data, size_t len)
{
    len = ngx_min(len, (size_t) (last - buf));

    return len ? ngx_cpymem(buf, data, len) : buf;
}
