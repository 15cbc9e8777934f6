
#include "serve/answer.h"
#include "serve/error.h"
#include "serve/request.h"


#define tournament_error_body(text, code)                                     \
    ngx_string("{\"success\":false,\"error\":\"" text "\",\"code\":\""        \
               code "\"}")


static ngx_uint_t tournament_error_has_page(ngx_http_request_t *r,
    ngx_uint_t status);


static ngx_str_t  tournament_no_store = ngx_string("no-store");


tournament_error_t  tournament_error_slug = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("Malformed tournament slug", "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_slugs = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("The argument slugs is missing", "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_too_many = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("More than 100 slugs", "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_json = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("The body is not a JSON array of slugs",
                          "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_user = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("Malformed account id", "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_login = {
    NGX_HTTP_UNAUTHORIZED,
    tournament_error_body("You must be logged in", "unauthenticated"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_forbidden = {
    NGX_HTTP_FORBIDDEN,
    tournament_error_body("The participants are not public yet", "forbidden"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_not_found = {
    NGX_HTTP_NOT_FOUND,
    tournament_error_body("No such tournament", "not_found"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_method = {
    NGX_HTTP_NOT_ALLOWED,
    tournament_error_body("This method is not allowed here",
                          "method_not_allowed"),
    ngx_string("Allow"), ngx_string("GET, HEAD")
};


tournament_error_t  tournament_error_method_post = {
    NGX_HTTP_NOT_ALLOWED,
    tournament_error_body("This method is not allowed here",
                          "method_not_allowed"),
    ngx_string("Allow"), ngx_string("GET, HEAD, POST")
};


tournament_error_t  tournament_error_method_purge = {
    NGX_HTTP_NOT_ALLOWED,
    tournament_error_body("This method is not allowed here",
                          "method_not_allowed"),
    ngx_string("Allow"), ngx_string("PURGE, DELETE")
};


tournament_error_t  tournament_error_pattern = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("Malformed tournament slug or pattern",
                          "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_query = {
    NGX_HTTP_BAD_REQUEST,
    tournament_error_body("A query string is not allowed: a question mark "
                          "in a pattern is %3F", "bad_request"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_too_large = {
    NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
    tournament_error_body("The body is too large", "too_large"),
    ngx_null_string, ngx_null_string
};


tournament_error_t  tournament_error_unavailable = {
    NGX_HTTP_SERVICE_UNAVAILABLE,
    tournament_error_body("The data is unavailable at the moment",
                          "unavailable"),
    ngx_string("Retry-After"), ngx_null_string
};


tournament_error_t  tournament_error_timeout = {
    NGX_HTTP_GATEWAY_TIME_OUT,
    tournament_error_body("The data did not come in time", "timeout"),
    ngx_string("Retry-After"), ngx_null_string
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


ngx_int_t
tournament_error_send(ngx_http_request_t *r, tournament_error_t *error)
{
    if (tournament_error_has_page(r, error->status)) {
        tournament_count(r, error->status);
        return error->status;
    }

    return tournament_error_answer(r, error);
}


ngx_int_t
tournament_error_answer(ngx_http_request_t *r, tournament_error_t *error)
{
    ngx_str_t  value;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament error: %ui %V", error->status, &error->body);

    tournament_count(r, error->status);

    r->headers_out.status = error->status;

    if (tournament_answer_header(r, &tournament_no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value = error->value;

    if (value.len == 0) {

        /* Retry-After: clients come again in 1 to 3 s, not all at one time */

        value.data = (u_char *) &"123"[ngx_random() % 3];
        value.len = 1;
    }

    if (error->header.len
        && tournament_answer_add(r, &error->header, &value) == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return tournament_answer_send(r, &error->body);
}


/* as ngx_http_special_response_handler() will look for it */

static ngx_uint_t
tournament_error_has_page(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *pages;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->error_page || r->uri_changes == 0) {
        return 0;
    }

    pages = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (pages[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}
