
#include "endpoints/arguments.h"
#include "rules/text.h"


/* bytes of a game's name, which is a varchar(20) in the database */
#define TOURNAMENT_GAME_MAX    80

/* characters of a text to search for */
#define TOURNAMENT_SEARCH_MAX  100

/* a page past the end is the last one: no need to tell larger ones apart */
#define TOURNAMENT_PAGE_MAX    1000000


typedef struct {
    ngx_str_t             name;
    const char          **words;    /* allowed; ends with NULL */
} tournament_filter_t;


#define TOURNAMENT_BAD_VALUE    "Bad value of the argument %V"
#define TOURNAMENT_GIVEN_TWICE  "The argument %V is given twice"


static void tournament_unescape(ngx_http_request_t *r, u_char *src, size_t len,
    ngx_str_t *value);
static ngx_uint_t tournament_is_word(const char **words, ngx_str_t *value);
static ngx_int_t tournament_hub_text(ngx_str_t *value, size_t max,
    tournament_key_t *key);
static tournament_error_t *tournament_hub_search(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);
static tournament_error_t *tournament_hub_number(ngx_http_request_t *r,
    ngx_str_t *name, int64_t def, int64_t max, ngx_uint_t clamp,
    tournament_key_t *key);
static ngx_int_t tournament_add_number(tournament_key_t *key, int64_t n);


static const char  *tournament_hub_status[] = {
    "open", "live", "upcoming", "completed", NULL
};

static const char  *tournament_hub_fee[] = {
    "free", "paid", NULL
};

static const char  *tournament_hub_prize[] = {
    "high", "medium", "low", NULL
};

static const char  *tournament_hub_sort[] = {
    "newest", "starting_soon", "prize_high", "prize_low", "popular", NULL
};


/* in the order of the statement's parameters, after the game */

static tournament_filter_t  tournament_hub_filters[] = {
    { ngx_string("status"), tournament_hub_status },
    { ngx_string("fee"), tournament_hub_fee },
    { ngx_string("prize"), tournament_hub_prize },
    { ngx_string("sort"), tournament_hub_sort },
    { ngx_null_string, NULL }
};


static ngx_str_t  tournament_game = ngx_string("game");
static ngx_str_t  tournament_q = ngx_string("q");
static ngx_str_t  tournament_page = ngx_string("page");
static ngx_str_t  tournament_per_page = ngx_string("per_page");


tournament_error_t *
tournament_arguments_none(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    return NULL;
}


tournament_error_t *
tournament_arguments_slug(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    if (!tournament_text_slug_valid(in->argument.data, in->argument.len)
        || tournament_key_add(key, in->argument.data, in->argument.len)
           != NGX_OK)
    {
        return &tournament_error_slug;
    }

    return NULL;
}


tournament_error_t *
tournament_arguments_user(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    if (in->user == 0) {
        return &tournament_error_login;
    }

    if (tournament_add_number(key, in->user) != NGX_OK) {
        return &tournament_error_user;
    }

    return NULL;
}


/* an anonymous is account 0, which nobody has */

tournament_error_t *
tournament_arguments_user_slug(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    if (tournament_add_number(key, in->user) != NGX_OK) {
        return &tournament_error_user;
    }

    return tournament_arguments_slug(r, in, key);
}


tournament_error_t *
tournament_arguments_hub(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    ngx_str_t             value;
    tournament_error_t   *error;
    tournament_filter_t  *filter;

    /* the location's game goes before the client's */

    value = in->argument;

    if (value.len == 0) {
        error = tournament_arguments_find(r, &tournament_game, &value);
        if (error) {
            return error;
        }
    }

    if (tournament_hub_text(&value, TOURNAMENT_GAME_MAX, key) != NGX_OK) {
        return tournament_error_argument(r, TOURNAMENT_BAD_VALUE,
                                         &tournament_game);
    }

    for (filter = tournament_hub_filters; filter->words; filter++) {

        error = tournament_arguments_find(r, &filter->name, &value);
        if (error) {
            return error;
        }

        if ((value.len && !tournament_is_word(filter->words, &value))
            || tournament_key_add(key, value.data, value.len) != NGX_OK)
        {
            return tournament_error_argument(r, TOURNAMENT_BAD_VALUE,
                                             &filter->name);
        }
    }

    error = tournament_hub_search(r, in, key);
    if (error) {
        return error;
    }

    error = tournament_hub_number(r, &tournament_page, 1,
                                  TOURNAMENT_PAGE_MAX, 1, key);
    if (error) {
        return error;
    }

    return tournament_hub_number(r, &tournament_per_page, 12, 100, 0, key);
}


static tournament_error_t *
tournament_hub_search(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    ngx_str_t             value;
    const u_char         *text;
    tournament_error_t   *error;

    error = tournament_arguments_find(r, &tournament_q, &value);
    if (error) {
        return error;
    }

    text = value.data;
    tournament_text_strip(&text, &value.len);
    value.data = (u_char *) text;

    if (tournament_hub_text(&value, TOURNAMENT_SEARCH_MAX, key) != NGX_OK) {
        return tournament_error_argument(r, TOURNAMENT_BAD_VALUE,
                                         &tournament_q);
    }

    in->search = (value.len != 0);

    return NULL;
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

    if (start) {
        tournament_unescape(r, start, len, value);
    }

    return NULL;
}


/*
 * As forms are decoded: what is no escape stands for itself.  Without memory
 * there is no value: the request fails soon after.
 */

static void
tournament_unescape(ngx_http_request_t *r, u_char *src, size_t len,
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
        return;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
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
}


static ngx_uint_t
tournament_is_word(const char **words, ngx_str_t *value)
{
    for ( /* void */ ; *words; words++) {
        if (ngx_strlen(*words) == value->len
            && ngx_strncmp(*words, value->data, value->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* adds text of UTF-8 with at most max characters, none of which is NUL */

static ngx_int_t
tournament_hub_text(ngx_str_t *value, size_t max, tournament_key_t *key)
{
    size_t   n, len;
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    for (n = 0; p < last; n++) {
        len = *p ? tournament_text_utf8(p, last - p) : 0;

        if (len == 0 || n == max) {
            return NGX_ERROR;
        }

        p += len;
    }

    return tournament_key_add(key, value->data, value->len);
}


/* a number from 1 to max; clamp: what is above it is max */

static tournament_error_t *
tournament_hub_number(ngx_http_request_t *r, ngx_str_t *name, int64_t def,
    int64_t max, ngx_uint_t clamp, tournament_key_t *key)
{
    size_t               i;
    int64_t              n;
    ngx_str_t            value;
    tournament_error_t  *error;

    error = tournament_arguments_find(r, name, &value);
    if (error) {
        return error;
    }

    n = value.len ? 0 : def;

    for (i = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            n = 0;
            break;
        }

        n = ngx_min(n * 10 + (value.data[i] - '0'), max + 1);
    }

    if (n == 0 || (n > max && !clamp)
        || tournament_add_number(key, ngx_min(n, max)) != NGX_OK)
    {
        return tournament_error_argument(r, TOURNAMENT_BAD_VALUE, name);
    }

    return NULL;
}


static ngx_int_t
tournament_add_number(tournament_key_t *key, int64_t n)
{
    char    text[TOURNAMENT_INT_LEN];
    size_t  len;

    len = tournament_text_int(text, n);

    return tournament_key_add(key, (u_char *) text, len);
}
