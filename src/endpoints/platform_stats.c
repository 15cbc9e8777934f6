
/*
 * Endpoint "platform_stats": figures of the whole platform.  Facts are the
 * answer's members.
 */

#include "endpoints/common.h"


static void tournament_stats_decode(tournament_result_t *result, int row,
    int n);


/*
 * total_active, players_this_month, prize_pool_month, tournaments_completed,
 * new_this_week, valid_until, game, game_count
 */

static const Oid  tournament_stats_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_INT8, TOURNAMENT_INT8, TOURNAMENT_INT8,
    TOURNAMENT_INT8, TOURNAMENT_TIMESTAMPTZ, TOURNAMENT_TEXT, TOURNAMENT_INT8
};


/* its key has no values */

static const char  *tournament_stats_front[] = { NULL };


tournament_endpoint_t  tournament_endpoint_platform_stats = {
    .name = ngx_string("platform_stats"),
    .number = 9,
    .ttl = 300000,
    .stream = 1,
    .coalesce = 1000,
    .statement = { "tournament_platform_stats",
                   "SELECT * FROM tournament_api.platform_stats()", 0 },
    .columns = tournament_stats_columns,
    .ncolumns = TOURNAMENT_N(tournament_stats_columns),
    .front = tournament_stats_front,
    .arguments = tournament_no_arguments,
    .decode = tournament_stats_decode,
    .check = tournament_check_found,
    .render = tournament_render_written
};


static void
tournament_stats_decode(tournament_result_t *result, int row, int n)
{
    int                 i;
    tournament_json_t  *json;

    static const char  *names[] = {
        "total_active", "players_this_month", "prize_pool_month",
        "tournaments_completed", "new_this_week", NULL
    };

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
    tournament_result_shows(result, TOURNAMENT_COUNTS, 0);

    json = result->json;

    tournament_json_begin(json);
    tournament_json_open_key(json, "stats");

    for (i = 0; names[i]; i++) {
        tournament_json_integer(json, names[i],
                            n ? tournament_result_integer(result, row, i, 0)
                              : 0);
    }

    if (n) {
        tournament_result_valid_until(result, row, 5);
    }

    tournament_json_open_array(json, "games");

    for (i = row; i < row + n && !tournament_result_is_null(result, row, 6);
         i++)
    {
        tournament_json_open(json);
        tournament_result_column(result, "game", i, 6);
        tournament_json_integer(json, "count",
                                tournament_result_integer(result, i, 7, 0));
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
    tournament_json_close(json);

    tournament_decode_written(result);
}
