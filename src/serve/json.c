
/*
 * A text grows in one buffer.  Which separator comes next follows from its
 * last byte: a member or element that does not come first has a comma before.
 */

#include "serve/json.h"
#include "zone/buffer.h"
#include "rules/hash.h"
#include "rules/text.h"


/* bytes; what was larger is given back before the next text */
#define TOURNAMENT_JSON_KEEP   (1024 * 1024)

/* seconds for which one ETag stands for a time left */
#define TOURNAMENT_JSON_STEP   30


struct tournament_json_s {
    u_char                    *data;
    size_t                     len;
    size_t                     size;

    uint64_t                   hash;      /* of the text up to hashed */
    size_t                     hashed;
    uint64_t                   id;        /* 0: not known yet */
    int64_t                    until;     /* Unix time, s; 0: no end */

    size_t                     marks[2];

    u_char                     etag[TOURNAMENT_ETAG_LEN];

    unsigned                   counting:1;    /* shows a time left */
    unsigned                   failed:1;
};


static u_char *tournament_json_room(tournament_json_t *json, size_t size);
static void tournament_json_append(tournament_json_t *json, const void *data,
    size_t len);
static void tournament_json_byte(tournament_json_t *json, u_char ch);
static void tournament_json_comma(tournament_json_t *json);
static void tournament_json_key(tournament_json_t *json, const char *key);
static void tournament_json_text(tournament_json_t *json, const u_char *p,
    size_t len);
static size_t tournament_json_plain(const u_char *p, size_t len);
static void tournament_json_escape(tournament_json_t *json, u_char ch);
static void tournament_json_hash(tournament_json_t *json, const void *data,
    size_t len);
static void tournament_json_settle(tournament_json_t *json);
static ngx_uint_t tournament_json_left(tournament_json_t *json,
    const char *key, int64_t seconds);


tournament_json_t *
tournament_json_create(ngx_pool_t *pool)
{
    return ngx_pcalloc(pool, sizeof(tournament_json_t));
}


void
tournament_json_destroy(tournament_json_t *json)
{
    if (json->data) {
        ngx_free(json->data);
    }
}


void
tournament_json_begin(tournament_json_t *json)
{
    if (json->size > TOURNAMENT_JSON_KEEP) {
        ngx_free(json->data);
        json->data = NULL;
        json->size = 0;
    }

    json->len = 0;
    json->hash = 0;
    json->hashed = 0;
    json->id = 0;
    json->until = 0;
    json->marks[0] = 0;
    json->marks[1] = 0;
    json->counting = 0;
    json->failed = 0;

    tournament_json_open(json);
}


ngx_int_t
tournament_json_end(tournament_json_t *json, time_t now, ngx_str_t *text,
    ngx_str_t *etag)
{
    int64_t  step;

    tournament_json_close(json);

    if (json->failed) {
        return NGX_ERROR;
    }

    text->data = json->data;
    text->len = json->len;

    if (etag == NULL) {
        return NGX_OK;
    }

    (void) tournament_json_id(json);

    if (json->counting) {
        step = (int64_t) now / TOURNAMENT_JSON_STEP;
        tournament_json_hash(json, &step, sizeof(int64_t));
    }

    etag->data = json->etag;
    etag->len = ngx_sprintf(json->etag, "W/\"%016xL\"", json->hash)
                - json->etag;

    return NGX_OK;
}


void
tournament_json_open(tournament_json_t *json)
{
    tournament_json_comma(json);
    tournament_json_byte(json, '{');
}


void
tournament_json_close(tournament_json_t *json)
{
    tournament_json_byte(json, '}');
}


void
tournament_json_close_array(tournament_json_t *json)
{
    tournament_json_byte(json, ']');
}


void
tournament_json_open_array(tournament_json_t *json, const char *key)
{
    tournament_json_key(json, key);
    tournament_json_byte(json, '[');
}


void
tournament_json_open_key(tournament_json_t *json, const char *key)
{
    tournament_json_key(json, key);
    tournament_json_byte(json, '{');
}


void
tournament_json_string(tournament_json_t *json, const char *key,
    const char *value, size_t len)
{
    tournament_json_key(json, key);
    tournament_json_text(json, (u_char *) value, len);
}


void
tournament_json_element(tournament_json_t *json, const char *value, size_t len)
{
    tournament_json_comma(json);
    tournament_json_text(json, (u_char *) value, len);
}


void
tournament_json_word(tournament_json_t *json, const char *key,
    const char *word)
{
    tournament_json_string(json, key, word, ngx_strlen(word));
}


void
tournament_json_integer(tournament_json_t *json, const char *key,
    int64_t value)
{
    char    text[TOURNAMENT_INT_LEN];
    size_t  len;

    len = tournament_text_int(text, value);

    tournament_json_number(json, key, text, len);
}


void
tournament_json_bool(tournament_json_t *json, const char *key,
    ngx_uint_t value)
{
    if (value) {
        tournament_json_number(json, key, "true", 4);

    } else {
        tournament_json_number(json, key, "false", 5);
    }
}


void
tournament_json_null(tournament_json_t *json, const char *key)
{
    tournament_json_number(json, key, "null", 4);
}


void
tournament_json_duration(tournament_json_t *json, const char *key,
    int64_t seconds)
{
    char    text[TOURNAMENT_DURATION_LEN];
    size_t  len;

    if (tournament_json_left(json, key, seconds)) {
        len = tournament_text_duration(text, seconds);
        tournament_json_text(json, (u_char *) text, len);
        json->hashed = json->len;
    }
}


void
tournament_json_seconds(tournament_json_t *json, const char *key,
    int64_t seconds)
{
    char    text[TOURNAMENT_INT_LEN];
    size_t  len;

    if (tournament_json_left(json, key, seconds)) {
        len = tournament_text_int(text, seconds);
        tournament_json_append(json, text, len);
        json->hashed = json->len;
    }
}


/* the key of a time left, whose value comes next; 0: there is none, null */

static ngx_uint_t
tournament_json_left(tournament_json_t *json, const char *key,
    int64_t seconds)
{
    tournament_json_key(json, key);
    tournament_json_settle(json);

    /* that none is left is no news by itself either */

    if (seconds == 0) {
        tournament_json_append(json, "null", 4);
        json->hashed = json->len;
        return 0;
    }

    json->counting = 1;

    return 1;
}


void
tournament_json_instant(tournament_json_t *json, const char *key, int64_t us)
{
    char    text[TOURNAMENT_INSTANT_LEN];
    size_t  len;

    /* absent, infinite, and what is no instant of the contract's: 0 */

    len = tournament_text_instant(text, us);

    if (len == 0) {
        tournament_json_null(json, key);
        return;
    }

    tournament_json_string(json, key, text, len);
}


void
tournament_json_money(tournament_json_t *json, const char *key,
    const char *value, size_t len)
{
    size_t  i, start, digits;

    digits = 0;
    start = (len && value[0] == '-');

    /* JSON has no leading zeros: who writes them does not write numbers */

    if (len > start + 1 && value[start] == '0' && value[start + 1] != '.') {
        len = 0;
    }

    for (i = start; i < len; i++) {

        if (value[i] >= '0' && value[i] <= '9') {
            digits++;

        } else if (value[i] != '.' || digits == 0 || i + 3 != len) {
            digits = 0;
            break;
        }
    }

    if (digits == 0) {
        tournament_json_null(json, key);
        return;
    }

    tournament_json_number(json, key, value, len);
}


void
tournament_json_number(tournament_json_t *json, const char *key,
    const char *value, size_t len)
{
    tournament_json_key(json, key);
    tournament_json_append(json, value, len);
}


ngx_int_t
tournament_json_written(tournament_json_t *json, ngx_str_t *text)
{
    if (json->failed) {
        return NGX_ERROR;
    }

    /* past the brace */

    text->data = json->data + 1;
    text->len = json->len - 1;

    return NGX_OK;
}


void
tournament_json_members(tournament_json_t *json, const u_char *text,
    size_t len)
{
    tournament_json_comma(json);
    tournament_json_append(json, text, len);
}


void
tournament_json_sum(tournament_json_t *json, const void *data, size_t len)
{
    tournament_json_settle(json);
    tournament_json_hash(json, data, len);
}


void
tournament_json_until(tournament_json_t *json, int64_t second)
{
    if (second != 0 && (json->until == 0 || second < json->until)) {
        json->until = second;
    }
}


int64_t
tournament_json_holds(tournament_json_t *json)
{
    return json->until;
}


uint64_t
tournament_json_id(tournament_json_t *json)
{
    if (json->id == 0) {
        tournament_json_settle(json);
        json->id = json->hash ? json->hash : 1;
    }

    return json->id;
}


void
tournament_json_mark(tournament_json_t *json)
{
    json->marks[0] = json->marks[1];
    json->marks[1] = json->len;
}


void
tournament_json_marked(tournament_json_t *json, size_t *start, size_t *len)
{
    *start = json->marks[0];
    *len = json->marks[1] - json->marks[0];

    /* past the comma and the key, which has no colon in it */

    while (*len) {
        (*len)--;

        if (json->data[(*start)++] == ':') {
            break;
        }
    }
}


void
tournament_json_now(tournament_json_t *json, const char *key, time_t now)
{
    char    text[TOURNAMENT_INSTANT_LEN];
    size_t  len;

    len = tournament_text_instant(text, (int64_t) now * 1000000);

    tournament_json_key(json, key);
    tournament_json_settle(json);
    tournament_json_text(json, (u_char *) text, len);
    json->hashed = json->len;
}


static void
tournament_json_key(tournament_json_t *json, const char *key)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(key);

    tournament_json_comma(json);

    p = tournament_json_room(json, len + 3);

    if (p) {
        *p++ = '"';
        p = ngx_cpymem(p, key, len);
        *p++ = '"';
        *p = ':';
        json->len += len + 3;
    }
}


static void
tournament_json_comma(tournament_json_t *json)
{
    u_char  ch;

    if (json->len == 0) {
        return;
    }

    ch = json->data[json->len - 1];

    if (ch != '{' && ch != '[') {
        tournament_json_byte(json, ',');
    }
}


/*
 * A database in SQL_ASCII may hold anything: each byte that is not part of a
 * character becomes a question mark.
 */

static void
tournament_json_text(tournament_json_t *json, const u_char *p, size_t len)
{
    size_t         n;
    const u_char  *last;

    last = p + len;

    tournament_json_byte(json, '"');

    for ( ;; ) {
        n = tournament_json_plain(p, last - p);
        tournament_json_append(json, p, n);
        p += n;

        if (p == last) {
            break;
        }

        tournament_json_escape(json, *p++);
    }

    tournament_json_byte(json, '"');
}


/* how many of the bytes at p stand for themselves */

static size_t
tournament_json_plain(const u_char *p, size_t len)
{
    size_t  i, n;

    for (i = 0; i < len; i += n) {
        n = 1;

        if (p[i] >= 0x80) {
            n = tournament_text_utf8(p + i, len - i);

        } else if (p[i] < ' ' || p[i] == '"' || p[i] == '\\') {
            n = 0;
        }

        if (n == 0) {
            break;
        }
    }

    return i;
}


static void
tournament_json_escape(tournament_json_t *json, u_char ch)
{
    char         *name;
    u_char        text[sizeof("\\u0000")];

    static char   chars[] = "\b\f\n\r\t\"\\";
    static char   names[] = "bfnrt\"\\";

    if (ch >= 0x80) {
        tournament_json_byte(json, '?');
        return;
    }

    name = ch ? strchr(chars, ch) : NULL;

    if (name) {
        tournament_json_byte(json, '\\');
        tournament_json_byte(json, names[name - chars]);
        return;
    }

    tournament_json_append(json, text,
                           ngx_sprintf(text, "\\u00%02Xd", (u_int) ch)
                           - text);
}


static void
tournament_json_byte(tournament_json_t *json, u_char ch)
{
    tournament_json_append(json, &ch, 1);
}


static void
tournament_json_append(tournament_json_t *json, const void *data, size_t len)
{
    u_char  *p;

    p = tournament_json_room(json, len);

    if (p) {
        ngx_memcpy(p, data, len);
        json->len += len;
    }
}


/* the place of so many more bytes; NULL: no memory, and the text has failed */

static u_char *
tournament_json_room(tournament_json_t *json, size_t size)
{
    if (tournament_grow((void **) &json->data, &json->size, json->len,
                        json->len + size)
        != NGX_OK)
    {
        json->failed = 1;
        return NULL;
    }

    return json->data + json->len;
}


/* what was written since the last time goes into the ETag */

static void
tournament_json_settle(tournament_json_t *json)
{
    tournament_json_hash(json, json->data + json->hashed,
                         json->len - json->hashed);
    json->hashed = json->len;
}


/* each piece is hashed with the hash of those before it as the key */

static void
tournament_json_hash(tournament_json_t *json, const void *data, size_t len)
{
    uint8_t     key[TOURNAMENT_HASH_KEY_LEN];
    ngx_uint_t  i;

    ngx_memzero(key, sizeof(key));

    for (i = 0; i < sizeof(uint64_t); i++) {
        key[i] = (uint8_t) (json->hash >> (8 * i));
    }

    json->hash = tournament_hash(key, data, len);
}
