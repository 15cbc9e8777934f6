
/* Endpoint "count": how many have registered for a tournament, by status. */

#include "endpoints/common.h"


typedef struct {
    int64_t                  id;
    int64_t                  pending;
    int64_t                  confirmed;
    int64_t                  cancelled;
    tournament_string_t      slug;
} tournament_count_t;


static void tournament_count_decode(tournament_result_t *result, int row,
    int n);
static void tournament_count_render(tournament_json_t *json,
    tournament_view_t *view);


/* id, slug, pending, confirmed, cancelled */

static const Oid  tournament_count_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_TEXT, TOURNAMENT_INT8, TOURNAMENT_INT8,
    TOURNAMENT_INT8
};


tournament_endpoint_t  tournament_endpoint_count = {
    .name = ngx_string("count"),
    .number = 6,
    .argument = TOURNAMENT_MUST_ARGUMENT,
    .valid = tournament_arguments_is_slug,
    .allowed = TOURNAMENT_SLUG_ALLOWED,
    .ttl = 60000,
    .stream = 1,
    .slug = 1,
    .statement = { "tournament_count",
                   "SELECT * FROM tournament_api.count($1)", 1 },
    .columns = tournament_count_columns,
    .ncolumns = TOURNAMENT_N(tournament_count_columns),
    .arguments = tournament_arguments_slug,
    .decode = tournament_count_decode,
    .check = tournament_check_found,
    .render = tournament_count_render
};


static void
tournament_count_decode(tournament_result_t *result, int row, int n)
{
    tournament_count_t  count;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result, sizeof(tournament_count_t));

    count.id = tournament_result_integer(result, row, 0, 0);
    count.slug = tournament_result_string(result, row, 1);
    count.pending = tournament_result_integer(result, row, 2, 0);
    count.confirmed = tournament_result_integer(result, row, 3, 0);
    count.cancelled = tournament_result_integer(result, row, 4, 0);

    ngx_memcpy(tournament_result_at(result, 0), &count,
               sizeof(tournament_count_t));

    tournament_result_tournament(result, count.id, NULL);
}


static void
tournament_count_render(tournament_json_t *json, tournament_view_t *view)
{
    u_char              *base;
    int64_t              n;
    tournament_count_t  *count;

    base = view->entry->facts;
    count = (tournament_count_t *) base;

    /* no table has so many rows, but a site's own function may say so */

    if (__builtin_add_overflow(count->pending, count->confirmed, &n)) {
        n = INT64_MAX;
    }

    tournament_json_integer(json, "tournament_id", count->id);
    tournament_render_string(json, "slug", base, &count->slug);
    tournament_json_integer(json, "count", n);

    tournament_json_open_key(json, "by_status");
    tournament_json_integer(json, "PENDING", count->pending);
    tournament_json_integer(json, "CONFIRMED", count->confirmed);
    tournament_json_integer(json, "CANCELLED", count->cancelled);
    tournament_json_close(json);
}
