
/*
 * Endpoint "hub": pages of tournaments, filtered and sorted.  Its arguments
 * become canonical, so that what means the same has one entry; a text to
 * search for has none, since there is no end of them.
 *
 * By popularity a page has two entries: its order, which is counted at most
 * every 30 seconds, whatever changes meanwhile, and its cards, which are as
 * new as any.
 */

#include "endpoints/common.h"
#include "rules/text.h"


/* characters of a game's name, which is a varchar(20) in the database */
#define TOURNAMENT_GAME_MAX    80

/* characters of a text to search for */
#define TOURNAMENT_SEARCH_MAX  100

/* a page past the end is the last one: no need to tell larger ones apart */
#define TOURNAMENT_PAGE_MAX    1000000


typedef struct {
    int64_t                           total_count;
    int64_t                           page;
    int64_t                           per_page;
    uint32_t                          cards;       /* offset */
    uint32_t                          n;
    tournament_string_t               ids;         /* of an order */
} tournament_hub_t;


typedef struct {
    ngx_str_t             name;
    const char          **words;    /* allowed; ends with NULL */
} tournament_filter_t;


static tournament_error_t *tournament_hub_arguments(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);
static tournament_error_t *tournament_hub_search(ngx_http_request_t *r,
    tournament_input_t *in, tournament_key_t *key);
static tournament_error_t *tournament_hub_number(ngx_http_request_t *r,
    ngx_str_t *name, int64_t def, int64_t max, ngx_uint_t clamp,
    tournament_key_t *key);
static ngx_int_t tournament_hub_text(ngx_str_t *value, size_t max,
    tournament_key_t *key);
static ngx_uint_t tournament_hub_is_word(const char **words,
    ngx_str_t *value);
static void tournament_hub_decode(tournament_result_t *result, int row,
    int n);
static void tournament_hub_render(tournament_json_t *json,
    tournament_view_t *view);
static void tournament_hub_write(tournament_json_t *json,
    tournament_hub_t *hub, u_char *base, time_t now);


static void tournament_hub_decode_cards(tournament_result_t *result, int row,
    int n, int column, uint32_t *cards);
static void tournament_hub_order_decode(tournament_result_t *result, int row,
    int n);
static ngx_int_t tournament_hub_order_follow(tournament_entry_t *entry,
    tournament_key_t *key);
static void tournament_hub_order_render(tournament_json_t *json,
    tournament_view_t *view);
static void tournament_hub_cards_decode(tournament_result_t *result, int row,
    int n);


/* total_count, page, per_page, valid_until, card */

static const Oid  tournament_hub_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_INT8, TOURNAMENT_INT8,
    TOURNAMENT_TIMESTAMPTZ,
    TOURNAMENT_CARD_OIDS
};


/* total_count, page, per_page, valid_until, ids */

static const Oid  tournament_hub_order_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_INT8, TOURNAMENT_INT8,
    TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TEXT
};


static const Oid  tournament_hub_cards_columns[] = { TOURNAMENT_CARD_OIDS };


/* the first page: no filters */

static const char  *tournament_hub_front[] = {
    "", "", "", "", "", "", "1", "12", NULL
};


static const char  *tournament_hub_status[] = {
    "open", "live", "upcoming", "completed", NULL
};

static const char  *tournament_hub_fee[] = {
    "free", "paid", NULL
};

static const char  *tournament_hub_prize[] = {
    "high", "medium", "low", NULL
};

static const char  tournament_hub_popular[] = "popular";

static const char  *tournament_hub_sort[] = {
    "newest", "starting_soon", "prize_high", "prize_low",
    tournament_hub_popular, NULL
};


/* in the order of the statement's parameters, after the game */

static tournament_filter_t  tournament_hub_filters[] = {
    { ngx_string("status"), tournament_hub_status },
    { ngx_string("fee"), tournament_hub_fee },
    { ngx_string("prize"), tournament_hub_prize },
    { ngx_string("sort"), tournament_hub_sort },
    { ngx_null_string, NULL }
};


static ngx_str_t  tournament_hub_game = ngx_string("game");
static ngx_str_t  tournament_hub_q = ngx_string("q");
static ngx_str_t  tournament_hub_page = ngx_string("page");
static ngx_str_t  tournament_hub_per_page = ngx_string("per_page");


extern tournament_endpoint_t  tournament_endpoint_hub;


static tournament_endpoint_t  tournament_endpoint_hub_cards = {
    .name = ngx_string("hub"),
    .number = 14,
    .source = &tournament_endpoint_hub,
    .statement = { "tournament_hub_cards",
                   "SELECT * FROM tournament_api.hub_cards($1)", 1 },
    .columns = tournament_hub_cards_columns,
    .ncolumns = TOURNAMENT_N(tournament_hub_cards_columns),
    .decode = tournament_hub_cards_decode
};


static tournament_endpoint_t  tournament_endpoint_hub_order = {
    .name = ngx_string("hub"),
    .number = 13,
    .viewer = &tournament_endpoint_hub_cards,
    .source = &tournament_endpoint_hub,
    .ttl = 30000,
    .statement = { "tournament_hub_order",
                   "SELECT total_count, page, per_page, valid_until, "
                   "ids::text FROM tournament_api.hub_order($1, $2, $3, $4, "
                   "$5, $6, $7, $8)", 8 },
    .columns = tournament_hub_order_columns,
    .ncolumns = TOURNAMENT_N(tournament_hub_order_columns),
    .decode = tournament_hub_order_decode,
    .check = tournament_check_found,
    .render = tournament_hub_order_render,
    .follow = tournament_hub_order_follow
};


tournament_endpoint_t  tournament_endpoint_hub = {
    .name = ngx_string("hub"),
    .number = 3,
    .argument = TOURNAMENT_MAY_ARGUMENT,
    .ttl = 30000,
    .stream = 1,
    .coalesce = 1000,
    .statement = { "tournament_hub",
                   "SELECT * FROM tournament_api.hub($1, $2, $3, $4, $5, $6, "
                   "$7, $8)", 8 },
    .columns = tournament_hub_columns,
    .ncolumns = TOURNAMENT_N(tournament_hub_columns),
    .front = tournament_hub_front,
    .order = &tournament_endpoint_hub_order,
    .arguments = tournament_hub_arguments,
    .decode = tournament_hub_decode,
    .check = tournament_check_found,
    .render = tournament_hub_render
};


static tournament_error_t *
tournament_hub_arguments(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    ngx_str_t             value;
    tournament_error_t   *error;
    tournament_filter_t  *filter;

    /* the location's game goes before the client's */

    value = in->argument;

    if (value.len == 0) {
        error = tournament_arguments_find(r, &tournament_hub_game, &value);
        if (error) {
            return error;
        }
    }

    if (tournament_hub_text(&value, TOURNAMENT_GAME_MAX, key) != NGX_OK) {
        return tournament_error_argument(r, TOURNAMENT_BAD_VALUE,
                                         &tournament_hub_game);
    }

    for (filter = tournament_hub_filters; filter->words; filter++) {

        error = tournament_arguments_find(r, &filter->name, &value);
        if (error) {
            return error;
        }

        if ((value.len && !tournament_hub_is_word(filter->words, &value))
            || tournament_key_add(key, value.data, value.len) != NGX_OK)
        {
            return tournament_error_argument(r, TOURNAMENT_BAD_VALUE,
                                             &filter->name);
        }

        if (filter->words == tournament_hub_sort
            && value.len == sizeof(tournament_hub_popular) - 1
            && ngx_strncmp(value.data, tournament_hub_popular, value.len) == 0)
        {
            in->ordered = 1;
        }
    }

    error = tournament_hub_search(r, in, key);
    if (error) {
        return error;
    }

    error = tournament_hub_number(r, &tournament_hub_page, 1,
                                  TOURNAMENT_PAGE_MAX, 1, key);
    if (error) {
        return error;
    }

    return tournament_hub_number(r, &tournament_hub_per_page, 12, 100, 0, key);
}


static tournament_error_t *
tournament_hub_search(ngx_http_request_t *r, tournament_input_t *in,
    tournament_key_t *key)
{
    ngx_str_t             value;
    const u_char         *text;
    tournament_error_t   *error;

    error = tournament_arguments_find(r, &tournament_hub_q, &value);
    if (error) {
        return error;
    }

    text = value.data;
    tournament_text_strip(&text, &value.len);
    value.data = (u_char *) text;

    if (tournament_hub_text(&value, TOURNAMENT_SEARCH_MAX, key) != NGX_OK) {
        return tournament_error_argument(r, TOURNAMENT_BAD_VALUE,
                                         &tournament_hub_q);
    }

    in->search = (value.len != 0);

    if (in->search) {
        in->ordered = 0;
    }

    return NULL;
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
        || tournament_arguments_number(key, ngx_min(n, max)) != NGX_OK)
    {
        return tournament_error_argument(r, TOURNAMENT_BAD_VALUE, name);
    }

    return NULL;
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


static ngx_uint_t
tournament_hub_is_word(const char **words, ngx_str_t *value)
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


static void
tournament_hub_decode(tournament_result_t *result, int row, int n)
{
    uint32_t           cards;
    tournament_hub_t  *hub;

    (void) tournament_result_reserve(result, sizeof(tournament_hub_t));

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
    tournament_result_shows(result, TOURNAMENT_COUNTS, 0);

    if (n == 0) {
        return;
    }

    tournament_result_valid_until(result, row, 3);

    hub = tournament_result_at(result, 0);
    hub->total_count = tournament_result_integer(result, row, 0, 0);
    hub->page = tournament_result_integer(result, row, 1, 1);
    hub->per_page = tournament_result_integer(result, row, 2, 1);

    if (tournament_result_is_null(result, row, 4)) {
        return;
    }

    tournament_hub_decode_cards(result, row, n, 4, &cards);

    hub = tournament_result_at(result, 0);
    hub->cards = cards;
    hub->n = n;
}


static void
tournament_hub_decode_cards(tournament_result_t *result, int row, int n,
    int column, uint32_t *cards)
{
    int                 i;
    tournament_card_t   card, *dst;

    *cards = tournament_result_reserve(result, n * sizeof(tournament_card_t));

    for (i = 0; i < n && !result->failed; i++) {
        tournament_decode_card(result, row + i, column, &card);

        dst = tournament_result_at(result, *cards);
        dst[i] = card;
    }
}


/* it shows nothing: what changes in 30 seconds is for the cards */

static void
tournament_hub_order_decode(tournament_result_t *result, int row, int n)
{
    tournament_hub_t     *hub;
    tournament_string_t   ids;

    (void) tournament_result_reserve(result, sizeof(tournament_hub_t));

    if (n == 0) {
        return;
    }

    tournament_result_valid_until(result, row, 3);

    ids = tournament_result_string(result, row, 4);

    hub = tournament_result_at(result, 0);
    hub->total_count = tournament_result_integer(result, row, 0, 0);
    hub->page = tournament_result_integer(result, row, 1, 1);
    hub->per_page = tournament_result_integer(result, row, 2, 1);
    hub->ids = ids;
}


static ngx_int_t
tournament_hub_order_follow(tournament_entry_t *entry, tournament_key_t *key)
{
    tournament_hub_t  *hub;

    hub = (tournament_hub_t *) entry->facts;

    return tournament_key_add(key, entry->facts + hub->ids.offset,
                              hub->ids.len);
}


static void
tournament_hub_cards_decode(tournament_result_t *result, int row, int n)
{
    uint32_t           cards;
    tournament_hub_t  *hub;

    (void) tournament_result_reserve(result, sizeof(tournament_hub_t));

    tournament_hub_decode_cards(result, row, n, 0, &cards);

    hub = tournament_result_at(result, 0);
    hub->cards = cards;
    hub->n = n;
}


/* what is both, of the order, and the cards of the other entry */

static void
tournament_hub_order_render(tournament_json_t *json, tournament_view_t *view)
{
    tournament_hub_write(json, (tournament_hub_t *) view->entry->facts,
                        view->context->facts, view->now);
}


static void
tournament_hub_render(tournament_json_t *json, tournament_view_t *view)
{
    tournament_hub_write(json, (tournament_hub_t *) view->entry->facts,
                        view->entry->facts, view->now);
}


/* base is the facts that have the cards */

static void
tournament_hub_write(tournament_json_t *json, tournament_hub_t *hub,
    u_char *base, time_t now)
{
    int64_t            pages;
    tournament_hub_t  *shown;

    shown = (tournament_hub_t *) base;

    pages = (hub->total_count > 0)
            ? (hub->total_count - 1) / ngx_max(hub->per_page, 1) + 1 : 1;

    tournament_json_now(json, "timestamp", now);

    tournament_render_cards(json, "tournaments", base, shown->cards,
                            shown->n, now);

    tournament_json_open_key(json, "pagination");
    tournament_json_integer(json, "page", hub->page);
    tournament_json_integer(json, "per_page", hub->per_page);
    tournament_json_integer(json, "total_pages", pages);
    tournament_json_integer(json, "total_count", hub->total_count);
    tournament_json_bool(json, "has_next", hub->page < pages);
    tournament_json_bool(json, "has_previous", hub->page > 1);
    tournament_json_close(json);
}
