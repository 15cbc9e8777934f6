
/*
 * Rows of any types, lengths and nulls become a document: it is UTF-8 and JSON
 * by yajl, and wherever an object stands it has the same members in the same
 * order as in any document before.  The input is the endpoint, who asks, the
 * number of rows, and values: a byte of length, and its bytes.
 */

#include <yajl/yajl_parse.h>

#include "stub.h"
#include "endpoints/common.h"
#include "rules/hash.h"


#define FUZZ_ROWS     3
#define FUZZ_DEPTH    8

/* places of objects in all documents, more than there are */
#define FUZZ_PLACES   1024

/* a value's length that means null, and one that means a wrong type */
#define FUZZ_NULL     0xff
#define FUZZ_WRONG    0xfe


extern tournament_endpoint_t  tournament_endpoint_count;
extern tournament_endpoint_t  tournament_endpoint_detail;
extern tournament_endpoint_t  tournament_endpoint_hub;
extern tournament_endpoint_t  tournament_endpoint_participants;
extern tournament_endpoint_t  tournament_endpoint_platform_stats;
extern tournament_endpoint_t  tournament_endpoint_registration_context;
extern tournament_endpoint_t  tournament_endpoint_state;
extern tournament_endpoint_t  tournament_endpoint_user_registrations;


/* a document that is being read: the places and members of open objects */

typedef struct {
    uint64_t    place[FUZZ_DEPTH];
    uint64_t    members[FUZZ_DEPTH];
    uint64_t    key;
    ngx_uint_t  depth;
} fuzz_document_t;


static ngx_uint_t fuzz_entry(tournament_endpoint_t *endpoint,
    fuzz_input_t *in, tournament_entry_t *entry);
static PGresult *fuzz_rows(tournament_endpoint_t *endpoint, fuzz_input_t *in,
    ngx_uint_t *wrong);
static void fuzz_render(tournament_endpoint_t *endpoint,
    tournament_view_t *view);
static void fuzz_read(const u_char *text, size_t len);
static uint64_t fuzz_hash(uint64_t seed, const void *data, size_t len);
static int fuzz_open(void *data);
static int fuzz_key(void *data, const unsigned char *key, size_t len);
static int fuzz_close(void *data);
static int fuzz_array(void *data);
static int fuzz_array_end(void *data);


static tournament_zone_t    fuzz_zone;
static tournament_clock_t   fuzz_clock = { .nstripes = 1024 };
static tournament_result_t *fuzz_result;
static tournament_json_t   *fuzz_json;


int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    u_char                  who;
    fuzz_input_t            in;
    tournament_view_t       view;
    tournament_entry_t      entry, context;
    tournament_endpoint_t  *endpoint;

    static tournament_endpoint_t  *endpoints[] = {
        &tournament_endpoint_state, &tournament_endpoint_hub,
        &tournament_endpoint_detail, &tournament_endpoint_participants,
        &tournament_endpoint_count, &tournament_endpoint_platform_stats,
        &tournament_endpoint_registration_context,
        &tournament_endpoint_user_registrations
    };

    in.p = data;
    in.last = data + size;

    fuzz_zone.clock = &fuzz_clock;
    fuzz_result = tournament_result_create(&fuzz_pool, &fuzz_zone);
    fuzz_json = tournament_json_create(&fuzz_pool);

    endpoint = endpoints[fuzz_byte(&in) % 8];
    who = fuzz_byte(&in);

    ngx_memzero(&view, sizeof(tournament_view_t));
    ngx_memzero(&entry, sizeof(tournament_entry_t));
    ngx_memzero(&context, sizeof(tournament_entry_t));

    view.now = 1700000000;
    view.user = who & 1;
    view.staff = who & 2;
    view.entry = &entry;

    if (fuzz_entry(endpoint, &in, &entry)
        && (!endpoint->viewer || !view.user
            || fuzz_entry(endpoint->viewer, &in, &context)))
    {
        view.context = (endpoint->viewer && view.user) ? &context : NULL;
        fuzz_render(endpoint, &view);
    }

    free(entry.facts);
    free(context.facts);
    tournament_result_destroy(fuzz_result);
    tournament_json_destroy(fuzz_json);
    fuzz_pool_reset();

    return 0;
}


/* in memory of its own, as an answer has it: nothing points back */

static ngx_uint_t
fuzz_entry(tournament_endpoint_t *endpoint, fuzz_input_t *in,
    tournament_entry_t *entry)
{
    u_char      *memory;
    PGresult    *res;
    ngx_int_t    rc;
    ngx_uint_t   wrong;

    res = fuzz_rows(endpoint, in, &wrong);

    rc = tournament_result_begin(fuzz_result, res, 0, 0, endpoint->columns,
                                 endpoint->ncolumns);

    fuzz_assert((rc == NGX_OK) == !wrong);

    if (rc == NGX_OK) {
        endpoint->decode(fuzz_result, 0, PQntuples(res));
        rc = tournament_result_end(fuzz_result);
        fuzz_assert(rc == NGX_OK);

        memory = malloc(tournament_entry_size(&fuzz_result->entry));
        fuzz_assert(memory != NULL);

        tournament_entry_copy(entry, &fuzz_result->entry, memory);
    }

    PQclear(res);

    return rc == NGX_OK;
}


static PGresult *
fuzz_rows(tournament_endpoint_t *endpoint, fuzz_input_t *in,
    ngx_uint_t *wrong)
{
    int              row, rows, set;
    u_char           ch;
    PGresult        *res;
    ngx_str_t        value;
    ngx_uint_t       i;
    PGresAttDesc     columns[64];

    *wrong = 0;
    rows = fuzz_byte(in) % (FUZZ_ROWS + 1);

    ngx_memzero(columns, sizeof(columns));

    for (i = 0; i < endpoint->ncolumns; i++) {
        columns[i].name = "";
        columns[i].format = 1;
        columns[i].typid = endpoint->columns[i];
    }

    if (in->p < in->last && *in->p == FUZZ_WRONG) {
        (void) fuzz_byte(in);
        ch = fuzz_byte(in);
        i = fuzz_byte(in) % endpoint->ncolumns;

        columns[i].format = ch & 1;
        columns[i].typid += ch >> 1;
        *wrong = (ch != 1);
    }

    res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    fuzz_assert(PQsetResultAttrs(res, endpoint->ncolumns, columns));

    for (row = 0; row < rows; row++) {
        for (i = 0; i < endpoint->ncolumns; i++) {

            ch = (in->p < in->last) ? fuzz_byte(in) : FUZZ_NULL;
            value = fuzz_bytes(in, ch == FUZZ_NULL ? 0 : ch);

            set = PQsetvalue(res, row, i, (char *) value.data,
                             ch == FUZZ_NULL ? -1 : (int) value.len);
            fuzz_assert(set);
        }
    }

    return res;
}


static void
fuzz_render(tournament_endpoint_t *endpoint, tournament_view_t *view)
{
    ngx_str_t  text, etag;

    if (endpoint->check(view)) {
        return;
    }

    tournament_json_begin(fuzz_json);
    tournament_json_bool(fuzz_json, "success", 1);

    endpoint->render(fuzz_json, view);

    fuzz_assert(tournament_json_end(fuzz_json, view->now, &text, &etag)
                == NGX_OK);
    fuzz_assert(etag.len == TOURNAMENT_ETAG_LEN);

    fuzz_read(text.data, text.len);
}


static void
fuzz_read(const u_char *text, size_t len)
{
    yajl_handle      yajl;
    yajl_status      status;
    fuzz_document_t  document;

    static yajl_callbacks  callbacks = {
        .yajl_start_map = fuzz_open,
        .yajl_map_key = fuzz_key,
        .yajl_end_map = fuzz_close,
        .yajl_start_array = fuzz_array,
        .yajl_end_array = fuzz_array_end
    };

    ngx_memzero(&document, sizeof(fuzz_document_t));

    yajl = yajl_alloc(&callbacks, NULL, &document);

    status = yajl_parse(yajl, text, len);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(yajl);
    }

    fuzz_assert(status == yajl_status_ok && document.depth == 0);

    yajl_free(yajl);
}


static uint64_t
fuzz_hash(uint64_t seed, const void *data, size_t len)
{
    uint8_t  key[TOURNAMENT_HASH_KEY_LEN];

    ngx_memzero(key, sizeof(key));
    ngx_memcpy(key, &seed, sizeof(uint64_t));

    return tournament_hash(key, data, len);
}


static int
fuzz_open(void *data)
{
    fuzz_document_t  *document = data;

    fuzz_assert(++document->depth < FUZZ_DEPTH);

    document->place[document->depth] = document->key;
    document->members[document->depth] = 1;

    return 1;
}


static int
fuzz_key(void *data, const unsigned char *key, size_t len)
{
    fuzz_document_t  *document = data;

    document->members[document->depth] =
                    fuzz_hash(document->members[document->depth], key, len);
    document->key = fuzz_hash(document->place[document->depth], key, len);

    return 1;
}


/* what is at a place for the first time says how it is there for good */

static int
fuzz_close(void *data)
{
    uint64_t          place, members;
    ngx_uint_t        i;
    fuzz_document_t  *document = data;

    static struct {
        uint64_t  place;
        uint64_t  members;
    } known[FUZZ_PLACES];

    place = document->place[document->depth];
    members = document->members[document->depth--];

    if (place == 0) {

        /* the documents themselves are told apart by their members */

        return 1;
    }

    for (i = 0; known[i].members && known[i].place != place; i++) {
        fuzz_assert(i + 1 < FUZZ_PLACES);
    }

    fuzz_assert(known[i].members == 0 || known[i].members == members);

    known[i].place = place;
    known[i].members = members;

    return 1;
}


/* all elements of an array are at the place of its key */

static int
fuzz_array(void *data)
{
    return fuzz_open(data);
}


static int
fuzz_array_end(void *data)
{
    fuzz_document_t  *document = data;

    document->key = document->place[document->depth--];

    return 1;
}
