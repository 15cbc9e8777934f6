
/*
 * What differs between the versions of nginx that the module is built for,
 * 1.18 to the newest.  Nothing else in the module asks for nginx_version.
 */

#ifndef _TOURNAMENT_COMPAT_H_INCLUDED_
#define _TOURNAMENT_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Since 1.23.0 headers of one name are a linked list, and known headers that
 * were arrays are such lists.
 */

#if (nginx_version >= 1023000)

#define tournament_header_init(h)  (h)->next = NULL

#else

#define tournament_header_init(h)

#endif


/* There is no Cache-Control any more: those on the list are not sent. */

#if (nginx_version >= 1023000)

#define tournament_clear_cache_control(r)                                     \
    (r)->headers_out.cache_control = NULL

#else

#define tournament_clear_cache_control(r)                                     \
    (r)->headers_out.cache_control.nelts = 0

#endif


/*
 * Registers an output header as nginx's Cache-Control, so that "expires"
 * replaces it and does not add a second one.  h is on the request's list of
 * output headers.  Returns NGX_OK or NGX_ERROR.
 */

static ngx_inline ngx_int_t
tournament_set_cache_control(ngx_http_request_t *r, ngx_table_elt_t *h)
{
#if (nginx_version >= 1023000)

    r->headers_out.cache_control = h;

    return NGX_OK;

#else

    ngx_table_elt_t  **ccp;

    if (r->headers_out.cache_control.elts == NULL
        && ngx_array_init(&r->headers_out.cache_control, r->pool, 1,
                          sizeof(ngx_table_elt_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ccp = ngx_array_push(&r->headers_out.cache_control);
    if (ccp == NULL) {
        return NGX_ERROR;
    }

    *ccp = h;

    return NGX_OK;

#endif
}


#endif /* _TOURNAMENT_COMPAT_H_INCLUDED_ */
