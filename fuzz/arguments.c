
/*
 * A location's argument, a user and a query string: what is accepted becomes
 * as many values as the statement has parameters, all of them UTF-8, and asked
 * for by those values it is the same key.  The input is a number that chooses
 * the endpoint and the user, the location's argument, a newline, the query.
 */

#include "stub.h"
#include "endpoints/common.h"
#include "rules/text.h"


#define FUZZ_VALUES  8

/* each byte of a key may be three, and its names are short */
#define FUZZ_QUERY   (3 * TOURNAMENT_KEY_MAX + 100)


extern tournament_endpoint_t  tournament_endpoint_hub;
extern tournament_endpoint_t  tournament_endpoint_registration_context;
extern tournament_endpoint_t  tournament_endpoint_state;
extern tournament_endpoint_t  tournament_endpoint_user_registrations;


static ngx_uint_t fuzz_key(tournament_endpoint_t *endpoint,
    tournament_input_t *in, ngx_str_t *query, tournament_key_t *key,
    u_char *buf);
static void fuzz_values(tournament_key_t *key, ngx_str_t *values,
    ngx_uint_t n);
static void fuzz_again(ngx_str_t *values, tournament_key_t *key);


static ngx_http_request_t  fuzz_request;


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    u_char                  ch, *newline, buf[TOURNAMENT_KEY_MAX];
    ngx_str_t               query, values[FUZZ_VALUES];
    fuzz_input_t            input;
    tournament_key_t        key;
    tournament_input_t      in;
    tournament_endpoint_t  *endpoint;

    static tournament_endpoint_t  *endpoints[] = {
        &tournament_endpoint_hub, &tournament_endpoint_state,
        &tournament_endpoint_registration_context,
        &tournament_endpoint_user_registrations
    };

    input.p = data;
    input.last = data + size;

    ngx_memzero(&in, sizeof(tournament_input_t));

    ch = fuzz_byte(&input);
    endpoint = endpoints[ch % 4];
    in.user = (ch & 4) ? INT64_MAX - (ch >> 3) : ch >> 3;

    query = fuzz_bytes(&input, size);
    newline = memchr(query.data, '\n', query.len);

    if (newline) {
        in.argument.data = query.data;
        in.argument.len = newline - query.data;
        query.data = newline + 1;
        query.len -= in.argument.len + 1;
    }

    if (fuzz_key(endpoint, &in, &query, &key, buf)) {
        fuzz_values(&key, values, endpoint->statement.nparams);

        if (endpoint == &tournament_endpoint_hub) {
            fuzz_again(values, &key);
        }
    }

    fuzz_pool_reset();

    return 0;
}


/* 0: it is refused, in a document whose text is the module's own */

static ngx_uint_t
fuzz_key(tournament_endpoint_t *endpoint, tournament_input_t *in,
    ngx_str_t *query, tournament_key_t *key, u_char *buf)
{
    tournament_error_t  *error;

    fuzz_request.pool = &fuzz_pool;
    fuzz_request.args = *query;

    tournament_key_init(key, buf, 0, endpoint->number);

    error = endpoint->arguments(&fuzz_request, in, key);

    if (error == NULL) {
        return 1;
    }

    fuzz_assert(error->status == NGX_HTTP_BAD_REQUEST
                || error->status == NGX_HTTP_UNAUTHORIZED);
    fuzz_assert(error->body.len > 2 && error->body.data[0] == '{'
                && error->body.data[error->body.len - 1] == '}');

    return 0;
}


static void
fuzz_values(tournament_key_t *key, ngx_str_t *values, ngx_uint_t n)
{
    size_t       len;
    u_char      *p, *last;
    ngx_uint_t   i;

    p = key->data + TOURNAMENT_KEY_PREFIX;
    last = key->data + key->len;

    fuzz_assert(key->len <= TOURNAMENT_KEY_MAX && n <= FUZZ_VALUES);

    for (i = 0; i < n; i++) {
        fuzz_assert(p < last);

        values[i].data = p;

        for ( /* void */ ; *p; p += len) {
            len = tournament_text_utf8(p, last - p);
            fuzz_assert(len != 0);
        }

        values[i].len = p++ - values[i].data;
    }

    fuzz_assert(p == last);
}


/* of the hub's values, as a query that has them all, escaped */

static void
fuzz_again(ngx_str_t *values, tournament_key_t *key)
{
    size_t              i;
    u_char             *p, buf[TOURNAMENT_KEY_MAX];
    ngx_str_t           query;
    ngx_uint_t          n;
    tournament_key_t    again;
    tournament_input_t  in;

    static u_char       text[FUZZ_QUERY];
    static const char  *names[FUZZ_VALUES] = {
        "game", "status", "fee", "prize", "sort", "q", "page", "per_page"
    };

    p = text;

    for (n = 0; n < FUZZ_VALUES; n++) {
        p += sprintf((char *) p, "&%s=", names[n]);

        for (i = 0; i < values[n].len; i++) {
            p += sprintf((char *) p, "%%%02x", values[n].data[i]);
        }
    }

    query.data = text;
    query.len = p - text;

    ngx_memzero(&in, sizeof(tournament_input_t));

    fuzz_assert(fuzz_key(&tournament_endpoint_hub, &in, &query, &again, buf));
    fuzz_assert(again.len == key->len
                && memcmp(again.data, key->data, key->len) == 0);
}
