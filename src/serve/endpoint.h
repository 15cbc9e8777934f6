
/*
 * An endpoint: one kind of answer, with all that the rooms of this folder need
 * to know of it.  Each is a file of src/endpoints/, which holds its row: its
 * columns, arguments, decoder, check and renderer.  What a row does not name
 * is absent.
 */

#ifndef _TOURNAMENT_ENDPOINT_H_INCLUDED_
#define _TOURNAMENT_ENDPOINT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "serve/arguments.h"
#include "serve/error.h"
#include "serve/json.h"
#include "serve/result.h"
#include "pg/pg.h"


/* numbers of endpoints are below it */
#define TOURNAMENT_ENDPOINTS  32

/* no endpoint's number: in arrays of TTLs that of 404s has its place */
#define TOURNAMENT_MISSING    0

#define TOURNAMENT_MISSING_TTL  5000  /* ms, by default */


typedef struct tournament_endpoint_s  tournament_endpoint_t;


/* the location's argument */

typedef enum {
    TOURNAMENT_NO_ARGUMENT = 0,
    TOURNAMENT_MAY_ARGUMENT,
    TOURNAMENT_MUST_ARGUMENT
} tournament_argument_e;


/* whose an answer is */

typedef enum {
    TOURNAMENT_PUBLIC = 0,    /* the same for everybody */
    TOURNAMENT_PERSONAL,      /* its key has the user */
    TOURNAMENT_VIEWED,        /* a second entry is the user's: the viewer's */
    TOURNAMENT_GUARDED        /* the same, for those who may see it */
} tournament_audience_e;


/* what an answer is made of */

typedef struct {
    time_t                      now;       /* Unix time, s */
    int64_t                     user;      /* account id; 0: anonymous */
    ngx_uint_t                  staff;

    tournament_entry_t         *entry;     /* of the endpoint itself */
    tournament_entry_t         *context;   /* of the viewer, or NULL */
} tournament_view_t;


struct tournament_endpoint_s {
    ngx_str_t                   name;      /* in directives and figures */
    ngx_uint_t                  number;    /* in keys and counters: from 1,
                                              below TOURNAMENT_ENDPOINTS, and
                                              never another endpoint's */
    tournament_argument_e       argument;
    tournament_audience_e       audience;
    tournament_endpoint_t      *viewer;
    tournament_endpoint_t      *source;    /* its entries are that one's */

    /*
     * Where the input is ordered: an endpoint of the table's row alone, whose
     * entry says which things are shown, in their order.  follow() adds them
     * to the key of a second entry, its viewer's, in the place of a user.  It
     * lives at most its ttl; both have the TTLs of their source.
     */

    tournament_endpoint_t      *order;

    ngx_msec_t                  ttl;       /* defaults, ms */
    ngx_msec_t                  coalesce;

    ngx_uint_t                  stream;    /* there may be streams of it */

    /* what a constant argument of a location must be; NULL: anything */
    ngx_uint_t                (*valid)(ngx_str_t *argument);
    const char                 *allowed;   /* in words */

    /* which of the key's values, from 1, is a tournament's slug; 0: none */
    ngx_uint_t                  slug;

    /*
     * The statement of one entry, that of many ($1[]), and the one whose rows
     * are loaded as a node starts; the last two have a row for each entry,
     * whose key's only value is the text in the column named.
     */

    tournament_pg_statement_t   statement;
    tournament_pg_statement_t   bulk;
    tournament_pg_statement_t   warm;
    int                         column;
    const Oid                  *columns;   /* of their results */
    ngx_uint_t                  ncolumns;

    /* an entry that is fetched as a node starts: its key's values, and NULL */
    const char *const          *front;

    /*
     * Adds the canonical values of the arguments to the key, in the order of
     * the statement's parameters.  NULL, or the error to answer with.
     */

    tournament_error_t       *(*arguments)(ngx_http_request_t *r,
                                           tournament_input_t *in,
                                           tournament_key_t *key);

    /*
     * Makes facts of n rows, from that row on, and says which things they
     * show.  n may be 0: what does not exist is result->entry.missing.
     */

    void                      (*decode)(tournament_result_t *result, int row,
                                        int n);

    /* NULL, or why there is no document; entries may be missing */

    tournament_error_t       *(*check)(tournament_view_t *view);

    /*
     * Writes the members of the document after "success".  No entry is missing
     * but the viewer's.
     */

    void                      (*render)(tournament_json_t *json,
                                        tournament_view_t *view);

    /* of an order: NGX_OK, or NGX_ERROR where they are more than a key has */

    ngx_int_t                 (*follow)(tournament_entry_t *entry,
                                        tournament_key_t *key);

    /* instead of all that follows the method: an endpoint of its own kind */

    ngx_int_t                 (*handler)(ngx_http_request_t *r);
};


/* Whether it answers with tournaments; else it is of the node itself. */

#define tournament_endpoint_serves(endpoint)                                  \
    ((endpoint)->statement.sql || (endpoint)->source)


/* The number by which a location has its TTL and the like. */

#define tournament_endpoint_settings(endpoint)                                \
    ((endpoint)->source ? (endpoint)->source->number : (endpoint)->number)


/* Their places among the statements of the pool. */

#define tournament_endpoint_statement(endpoint)                               \
    ((endpoint)->number)
#define tournament_endpoint_bulk(endpoint)                                    \
    (TOURNAMENT_ENDPOINTS + (endpoint)->number)
#define tournament_endpoint_warm(endpoint)                                    \
    (2 * TOURNAMENT_ENDPOINTS + (endpoint)->number)

#define TOURNAMENT_STATEMENTS  (3 * TOURNAMENT_ENDPOINTS)


#endif /* _TOURNAMENT_ENDPOINT_H_INCLUDED_ */
