
/*
 * What a request asks for: arguments of the location, the query string and the
 * configured user, validated and made canonical, so that what means the same
 * has one cache entry.
 */

#ifndef _TOURNAMENT_ARGUMENTS_H_INCLUDED_
#define _TOURNAMENT_ARGUMENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/error.h"
#include "zone/key.h"


/* who and what, before it is validated */

typedef struct {
    ngx_str_t                       argument;  /* the location's; len 0: none */
    int64_t                         user;      /* account id; 0: anonymous */
    ngx_uint_t                      staff;
    ngx_uint_t                      search;    /* set where the key's values
                                                  are without bound */
    ngx_uint_t                      ordered;   /* set where an order is to be
                                                  asked for first */
} tournament_input_t;


/*
 * Each adds canonical values to the key: the location's argument as a slug,
 * the user's account id, who must be there, and both, where an anonymous is
 * account 0, which nobody has.  NULL, or the error to answer with.
 */

tournament_error_t *tournament_arguments_slug(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);
tournament_error_t *tournament_arguments_user(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);
tournament_error_t *tournament_arguments_user_slug(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);


/* Whether a location's argument is a slug, and what one is, in words. */

ngx_uint_t tournament_arguments_is_slug(ngx_str_t *argument);

#define TOURNAMENT_SLUG_ALLOWED                                               \
    "a slug of 1 to 255 letters, digits, \"_\" and \"-\""


/* Adds a number.  NGX_OK, or NGX_ERROR where the key would grow too long. */

ngx_int_t tournament_arguments_number(tournament_key_t *key, int64_t n);


/*
 * An argument of the query string, decoded as a form's; value->data is NULL
 * where there is none.  NULL, or the error to answer with: it is given twice,
 * or memory is short.
 */

tournament_error_t *tournament_arguments_find(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);


#endif /* _TOURNAMENT_ARGUMENTS_H_INCLUDED_ */
