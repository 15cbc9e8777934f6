
/*
 * The errors of the HTTP contract: status, document, and a header of their
 * own.  How one goes out is refuse.c's business.
 */

#include "serve/error.h"


#define tournament_error_body(text, code)                                     \
    ngx_string("{\"success\":false,\"error\":\"" text "\",\"code\":\""        \
               code "\"}")


tournament_error_t  tournament_error_slug = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("Malformed tournament slug", "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_slugs = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("The argument slugs is missing", "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_too_many = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("More than 100 slugs", "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_json = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("The body is not a JSON array of slugs",
                          "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_user = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("Malformed account id", "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_login = {
    NGX_HTTP_UNAUTHORIZED,
    tournament_error_body("You must be logged in", "unauthenticated"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_forbidden = {
    NGX_HTTP_FORBIDDEN,
    tournament_error_body("The participants are not public yet", "forbidden"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_not_found = {
    NGX_HTTP_NOT_FOUND,
    tournament_error_body("No such tournament", "not_found"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_method = {
    NGX_HTTP_NOT_ALLOWED,
    tournament_error_body("This method is not allowed here",
                          "method_not_allowed"),
    ngx_string("Allow"), ngx_string("GET, HEAD"), 0
};


tournament_error_t  tournament_error_method_post = {
    NGX_HTTP_NOT_ALLOWED,
    tournament_error_body("This method is not allowed here",
                          "method_not_allowed"),
    ngx_string("Allow"), ngx_string("GET, HEAD, POST"), 0
};


tournament_error_t  tournament_error_method_purge = {
    NGX_HTTP_NOT_ALLOWED,
    tournament_error_body("This method is not allowed here",
                          "method_not_allowed"),
    ngx_string("Allow"), ngx_string("PURGE, DELETE"), 0
};


tournament_error_t  tournament_error_pattern = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("Malformed tournament slug or pattern",
                          "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_query = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("A query string is not allowed: a question mark "
                          "in a pattern is %3F", "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_too_large = {
    NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
    tournament_error_body("The body is too large", "too_large"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_no_stream = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("There is no stream of what is not cached",
                          "bad_request"),
    ngx_null_string, ngx_null_string, 0
};


tournament_error_t  tournament_error_too_many_streams = {
    NGX_HTTP_TOO_MANY_REQUESTS,
    tournament_error_body("There are too many streams", "too_many_streams"),
    ngx_string("Retry-After"), ngx_null_string, 10
};


tournament_error_t  tournament_error_unavailable = {
    NGX_HTTP_SERVICE_UNAVAILABLE,
    tournament_error_body("The data is unavailable at the moment",
                          "unavailable"),
    ngx_string("Retry-After"), ngx_null_string, 0
};


tournament_error_t  tournament_error_timeout = {
    NGX_HTTP_GATEWAY_TIME_OUT,
    tournament_error_body("The data did not come in time", "timeout"),
    ngx_string("Retry-After"), ngx_null_string, 0
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
