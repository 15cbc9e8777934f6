
/*
 * nginx keeps the headers of a request in a list, in their order; a name may
 * come several times.
 */

#include "serve/header.h"


ngx_str_t *
tournament_header_next(ngx_http_request_t *r, ngx_str_t *name,
    tournament_header_t *at)
{
    ngx_table_elt_t  *h;

    if (at->part == NULL) {
        at->part = &r->headers_in.headers.part;
    }

    for ( /* void */ ; at->part; at->part = at->part->next, at->i = 0) {

        while (at->i < at->part->nelts) {
            h = at->part->elts;
            h += at->i++;

            if (h->key.len == name->len
                && ngx_strncasecmp(h->key.data, name->data, name->len) == 0)
            {
                return &h->value;
            }
        }
    }

    return NULL;
}
