
/* Endpoint "platform_stats": figures of the whole platform. */

#include "endpoints/common.h"


typedef struct {
    tournament_string_t      game;
    int64_t                  count;
} tournament_game_t;


typedef struct {
    int64_t                           total_active;
    int64_t                           players_this_month;
    int64_t                           prize_pool_month;
    int64_t                           completed;
    int64_t                           new_this_week;
    uint32_t                          games;          /* offset */
    uint32_t                          n;
} tournament_stats_t;


static void tournament_stats_decode(tournament_result_t *result, int row,
    int n);
static void tournament_stats_render(tournament_json_t *json,
    tournament_view_t *view);


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
    .render = tournament_stats_render
};


static void
tournament_stats_decode(tournament_result_t *result, int row, int n)
{
    int                  i;
    uint32_t             games;
    tournament_game_t    game, *dst;
    tournament_stats_t   stats;

    (void) tournament_result_reserve(result, sizeof(tournament_stats_t));

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
    tournament_result_shows(result, TOURNAMENT_COUNTS, 0);

    if (n == 0) {
        return;
    }

    ngx_memzero(&stats, sizeof(tournament_stats_t));

    stats.total_active = tournament_result_integer(result, row, 0, 0);
    stats.players_this_month = tournament_result_integer(result, row, 1, 0);
    stats.prize_pool_month = tournament_result_integer(result, row, 2, 0);
    stats.completed = tournament_result_integer(result, row, 3, 0);
    stats.new_this_week = tournament_result_integer(result, row, 4, 0);

    tournament_result_valid_until(result, row, 5);

    if (!tournament_result_is_null(result, row, 6)) {

        games = tournament_result_reserve(result,
                                          n * sizeof(tournament_game_t));

        for (i = 0; i < n && !result->failed; i++) {
            game.game = tournament_result_string(result, row + i, 6);
            game.count = tournament_result_integer(result, row + i, 7, 0);

            dst = tournament_result_at(result, games);
            dst[i] = game;
        }

        stats.games = games;
        stats.n = n;
    }

    ngx_memcpy(tournament_result_at(result, 0), &stats,
               sizeof(tournament_stats_t));
}


static void
tournament_stats_render(tournament_json_t *json, tournament_view_t *view)
{
    u_char              *base;
    uint32_t             i;
    tournament_game_t   *game;
    tournament_stats_t  *stats;

    base = view->entry->facts;
    stats = (tournament_stats_t *) base;

    tournament_json_open_key(json, "stats");
    tournament_json_integer(json, "total_active", stats->total_active);
    tournament_json_integer(json, "players_this_month",
                            stats->players_this_month);
    tournament_json_integer(json, "prize_pool_month", stats->prize_pool_month);
    tournament_json_integer(json, "tournaments_completed", stats->completed);
    tournament_json_integer(json, "new_this_week", stats->new_this_week);

    tournament_json_open_array(json, "games");

    game = (tournament_game_t *) (base + stats->games);

    for (i = 0; i < stats->n; i++, game++) {
        tournament_json_open(json);
        tournament_render_string(json, "game", base, &game->game);
        tournament_json_integer(json, "count", game->count);
        tournament_json_close(json);
    }

    tournament_json_close_array(json);
    tournament_json_close(json);
}
