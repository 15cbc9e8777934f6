
/*
 * Arguments that endpoints have in common become values of keys.  Of a query
 * string only the names that an endpoint asks for are looked at.
 */

#include "serve/arguments.h"
#include "rules/text.h"


static tournament_error_t *tournament_arguments_unescape(
    ngx_http_request_t *r, u_char *src, size_t len, ngx_str_t *value);


tournament_error_t *
tournament_arguments_slug(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    if (!tournament_arguments_is_slug(&in->argument)
        || tournament_key_add(key, in->argument.data, in->argument.len)
           != NGX_OK)
    {
        return &tournament_error_slug;
    }

    return NULL;
}


ngx_uint_t
tournament_arguments_is_slug(ngx_str_t *argument)
{
    return tournament_text_slug_valid(argument->data, argument->len);
}


tournament_error_t *
tournament_arguments_user(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    if (in->user == 0) {
        return &tournament_error_login;
    }

    if (tournament_arguments_number(key, in->user) != NGX_OK) {
        return &tournament_error_user;
    }

    return NULL;
}


/* an anonymous is account 0, which nobody has */

tournament_error_t *
tournament_arguments_user_slug(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    if (tournament_arguments_number(key, in->user) != NGX_OK) {
        return &tournament_error_user;
    }

    return tournament_arguments_slug(r, in, key);
}


tournament_error_t *
tournament_arguments_find(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char  *p, *last, *end, *start;
    size_t   len;

    start = NULL;
    len = 0;

    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) <= name->len || p[name->len] != '='
            || ngx_strncmp(p, name->data, name->len) != 0)
        {
            continue;
        }

        if (start) {
            return tournament_error_argument(r, TOURNAMENT_GIVEN_TWICE, name);
        }

        start = p + name->len + 1;
        len = end - start;
    }

    ngx_str_null(value);

    return start ? tournament_arguments_unescape(r, start, len, value) : NULL;
}


ngx_int_t
tournament_arguments_number(tournament_key_t *key, int64_t n)
{
    char    text[TOURNAMENT_INT_LEN];
    size_t  len;

    len = tournament_text_int(text, n);

    return tournament_key_add(key, (u_char *) text, len);
}


/* as forms are decoded: what is no escape stands for itself */

static tournament_error_t *
tournament_arguments_unescape(ngx_http_request_t *r, u_char *src, size_t len,
    ngx_str_t *value)
{
    size_t      i;
    u_char     *p;
    ngx_int_t   ch;

    ngx_str_set(value, "");

    if (memchr(src, '%', len) == NULL && memchr(src, '+', len) == NULL) {

        /* the usual case, and long lists of slugs among it */

        value->data = src;
        value->len = len;
        return NULL;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return &tournament_error_unavailable;
    }

    value->data = p;

    for (i = 0; i < len; i++) {

        if (src[i] == '%' && len - i > 2) {
            ch = ngx_hextoi(&src[i + 1], 2);

            if (ch != NGX_ERROR) {
                *p++ = (u_char) ch;
                i += 2;
                continue;
            }
        }

        *p++ = (src[i] == '+') ? ' ' : src[i];
    }

    value->len = p - value->data;

    return NULL;
}
