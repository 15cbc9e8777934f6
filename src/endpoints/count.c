
/*
 * Endpoint "count": how many have registered for a tournament, by status.
 * Facts are the answer's members.
 */

#include "endpoints/common.h"


static void tournament_count_decode(tournament_result_t *result, int row,
    int n);


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
    .render = tournament_render_written
};


static void
tournament_count_decode(tournament_result_t *result, int row, int n)
{
    int64_t             id, pending, confirmed, count;
    tournament_json_t  *json;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    id = tournament_result_integer(result, row, 0, 0);
    pending = tournament_result_integer(result, row, 2, 0);
    confirmed = tournament_result_integer(result, row, 3, 0);

    /* no table has so many rows, but a site's own function may say so */

    if (__builtin_add_overflow(pending, confirmed, &count)) {
        count = INT64_MAX;
    }

    json = result->json;

    tournament_json_begin(json);
    tournament_json_integer(json, "tournament_id", id);
    tournament_result_column(result, "slug", row, 1);
    tournament_json_integer(json, "count", count);

    tournament_json_open_key(json, "by_status");
    tournament_json_integer(json, "PENDING", pending);
    tournament_json_integer(json, "CONFIRMED", confirmed);
    tournament_json_integer(json, "CANCELLED",
                            tournament_result_integer(result, row, 4, 0));
    tournament_json_close(json);

    tournament_decode_written(result);

    tournament_result_tournament(result, id, NULL);
}
