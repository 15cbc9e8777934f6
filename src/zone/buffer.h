
/* Memory that grows and is used again: it belongs to one process. */

#ifndef _TOURNAMENT_BUFFER_H_INCLUDED_
#define _TOURNAMENT_BUFFER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Sees to room for need bytes at *data, which has *size and keeps the first
 * len.  It at least doubles, from a page on.  Returns NGX_OK, or NGX_ERROR
 * where memory is short: nothing has changed then.
 */

static ngx_inline ngx_int_t
tournament_grow(void **data, size_t *size, size_t len, size_t need)
{
    void    *p;
    size_t   n;

    if (need <= *size) {
        return NGX_OK;
    }

    n = ngx_max(2 * *size, ngx_align(need, 4096));

    p = ngx_alloc(n, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(p, *data, len);
    }

    if (*data) {
        ngx_free(*data);
    }

    *data = p;
    *size = n;

    return NGX_OK;
}


/* zeroed at first */

typedef struct {
    void                      *data;
    size_t                     size;      /* bytes */
} tournament_buffer_t;


/* The same for one whose bytes need not be kept. */

static ngx_inline ngx_int_t
tournament_buffer_reserve(tournament_buffer_t *buffer, size_t need)
{
    return tournament_grow(&buffer->data, &buffer->size, 0, need);
}


/* Gives the memory back; the buffer can be used again. */

static ngx_inline void
tournament_buffer_free(tournament_buffer_t *buffer)
{
    if (buffer->data) {
        ngx_free(buffer->data);
        buffer->data = NULL;
        buffer->size = 0;
    }
}


#endif /* _TOURNAMENT_BUFFER_H_INCLUDED_ */
