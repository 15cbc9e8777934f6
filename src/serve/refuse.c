
/*
 * How an error goes out: as a JSON document of ours, or, where the location
 * has an error_page for the status, as nginx sees to it.
 */

#include "serve/answer.h"
#include "serve/context.h"
#include "serve/refuse.h"


static ngx_uint_t tournament_refuse_has_page(ngx_http_request_t *r,
    ngx_uint_t status);


static ngx_str_t  tournament_refuse_no_store = ngx_string("no-store");


ngx_int_t
tournament_refuse(ngx_http_request_t *r, tournament_error_t *error)
{
    if (tournament_refuse_has_page(r, error->status)) {
        tournament_count(r, error->status);
        return error->status;
    }

    return tournament_refuse_here(r, error);
}


ngx_int_t
tournament_refuse_here(ngx_http_request_t *r, tournament_error_t *error)
{
    ngx_str_t  value;

    static ngx_str_t  seconds[] = {
        ngx_string("1"), ngx_string("2"), ngx_string("3"), ngx_string("4"),
        ngx_string("5"), ngx_string("6"), ngx_string("7"), ngx_string("8"),
        ngx_string("9"), ngx_string("10")
    };

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "tournament error: %ui %V", error->status, &error->body);

    tournament_count(r, error->status);

    r->headers_out.status = error->status;

    if (tournament_answer_header(r, &tournament_refuse_no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value = error->value;

    if (value.len == 0) {

        /* Retry-After: clients come again, but not all at one time */

        value = seconds[ngx_random() % (error->spread ? error->spread : 3)];
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
tournament_refuse_has_page(ngx_http_request_t *r, ngx_uint_t status)
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
