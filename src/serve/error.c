
/*
 * The errors of the HTTP contract: status, document, and a header of their
 * own.  How one goes out is refuse.c's business.
 */

#include "serve/error.h"


#define tournament_error(name, status, code, header, value, text)             \
                                                                              \
    tournament_error_t  tournament_error_##name = {                           \
        status,                                                               \
        ngx_string("{\"success\":false,\"error\":\"" text                     \
                   "\",\"code\":\"" code "\"}"),                              \
        ngx_string(header), ngx_string(value), 0                              \
    }


tournament_error(slug, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "Malformed tournament slug");

tournament_error(slugs, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "The argument slugs is missing");

tournament_error(too_many, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "More than 100 slugs");

tournament_error(json, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "The body is not a JSON array of slugs");

tournament_error(user, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "Malformed account id");

tournament_error(login, NGX_HTTP_UNAUTHORIZED, "unauthenticated", "", "",
                 "You must be logged in");

tournament_error(forbidden, NGX_HTTP_FORBIDDEN, "forbidden", "", "",
                 "The participants are not public yet");

tournament_error(not_found, NGX_HTTP_NOT_FOUND, "not_found", "", "",
                 "No such tournament");

tournament_error(method, NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
                 "Allow", "GET, HEAD",
                 "This method is not allowed here");

tournament_error(method_post, NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
                 "Allow", "GET, HEAD, POST",
                 "This method is not allowed here");

tournament_error(method_purge, NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
                 "Allow", "PURGE, DELETE",
                 "This method is not allowed here");

tournament_error(pattern, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "Malformed tournament slug or pattern");

tournament_error(query, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "A query string is not allowed: a question mark "
                 "in a pattern is %3F");

tournament_error(too_large, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "too_large",
                 "", "",
                 "The body is too large");

tournament_error(no_stream, NGX_HTTP_BAD_REQUEST, "bad_request", "", "",
                 "There is no stream of what is not cached");

tournament_error(unavailable, NGX_HTTP_SERVICE_UNAVAILABLE, "unavailable",
                 "Retry-After", "",
                 "The data is unavailable at the moment");

tournament_error(timeout, NGX_HTTP_GATEWAY_TIME_OUT, "timeout",
                 "Retry-After", "",
                 "The data did not come in time");

tournament_error_t  tournament_error_too_many_streams = {
    NGX_HTTP_TOO_MANY_REQUESTS,
    ngx_string("{\"success\":false,\"error\":\"There are too many streams\","
               "\"code\":\"too_many_streams\"}"),
    ngx_string("Retry-After"), ngx_null_string, 10
};


tournament_error_t *
tournament_error_argument(ngx_http_request_t *r, const char *text,
    ngx_str_t *name)
{
    u_char              *p, *last;
    size_t               len;
    tournament_error_t  *error;

    static char  before[] = "{\"success\":false,\"error\":\"";
    static char  behind[] = "\",\"code\":\"bad_request\"}";

    len = sizeof(before) + ngx_strlen(text) + name->len + sizeof(behind);

    error = ngx_pcalloc(r->pool, sizeof(tournament_error_t) + len);
    if (error == NULL) {
        return &tournament_error_slug;
    }

    p = (u_char *) error + sizeof(tournament_error_t);
    last = p + len;

    error->status = NGX_HTTP_BAD_REQUEST;
    error->body.data = p;

    p = ngx_slprintf(p, last, "%s", before);
    p = ngx_slprintf(p, last, text, name);
    p = ngx_slprintf(p, last, "%s", behind);

    error->body.len = p - error->body.data;

    return error;
}
