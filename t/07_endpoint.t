# CONTRIBUTING.md, "Add an endpoint": a file and a line in the table, in C and
# in SQL, are all that it takes. They are added to a copy of the tree,
# which is built. The endpoint has no slug in its key, so that a purge by
# pattern must find it by what it shows.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $tree = tempdir('tree');

run_ok({}, 'cp', '-R', map({ project($_) }
    qw(config config.make ngx_http_tournament_module.c sql src tools)), $tree);

spew("$tree/src/endpoints/newest.c", <<'END');

/* Endpoint "newest": the tournament that was created last. */

#include "endpoints/common.h"


typedef struct {
    int64_t               id;
    tournament_string_t   slug;
    tournament_string_t   name;
} tournament_newest_t;


static void tournament_newest_decode(tournament_result_t *result, int row,
    int n);
static void tournament_newest_render(tournament_json_t *json,
    tournament_view_t *view);


/* id, slug, name */

static const Oid  tournament_newest_columns[] = {
    TOURNAMENT_INT8, TOURNAMENT_TEXT, TOURNAMENT_TEXT
};


tournament_endpoint_t  tournament_endpoint_newest = {
    .name = ngx_string("newest"),
    .number = TOURNAMENT_ENDPOINTS - 1,
    .ttl = 60000,
    .statement = { "tournament_newest",
                   "SELECT * FROM tournament_api.newest()", 0 },
    .columns = tournament_newest_columns,
    .ncolumns = TOURNAMENT_N(tournament_newest_columns),
    .arguments = tournament_no_arguments,
    .decode = tournament_newest_decode,
    .check = tournament_check_found,
    .render = tournament_newest_render
};


static void
tournament_newest_decode(tournament_result_t *result, int row, int n)
{
    tournament_newest_t  newest;

    if (n == 0) {
        tournament_decode_missing(result);
        return;
    }

    (void) tournament_result_reserve(result, sizeof(tournament_newest_t));

    newest.id = tournament_result_integer(result, row, 0, 0);
    newest.slug = tournament_result_string(result, row, 1);
    newest.name = tournament_result_string(result, row, 2);

    ngx_memcpy(tournament_result_at(result, 0), &newest,
               sizeof(tournament_newest_t));

    tournament_result_shows(result, TOURNAMENT_ROWS, 0);
    tournament_result_tournament(result, newest.id, &newest.slug);
}


static void
tournament_newest_render(tournament_json_t *json, tournament_view_t *view)
{
    u_char               *base;
    tournament_newest_t  *newest;

    base = view->entry->facts;
    newest = (tournament_newest_t *) base;

    tournament_render_string(json, "slug", base, &newest->slug);
    tournament_render_string(json, "name", base, &newest->name);
}
END

my $table = slurp("$tree/src/endpoints/table.c");

$table =~ s/^( +row\(platform_stats\)) ( *\\)$/$1 $2\n    row(newest) \\/m
    or die "the table has no line for platform_stats\n";
spew("$tree/src/endpoints/table.c", $table);

my ($status, $output) = run({ timeout => 600 }, "$tree/tools/build");

is $status, 0, 'it is built' or diag $output;

spew("$tree/sql/install/api/newest.sql", <<'SQL');
SELECT pg_temp.tournament_api_define('newest()', $sql$
CREATE OR REPLACE FUNCTION tournament_api.newest()
RETURNS TABLE (id bigint, slug text, name text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $body$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT t.id, t.slug::text, t.name::text
      FROM @tables@.tournaments_tournament t
     ORDER BY t.created_at DESC, t.id DESC
     LIMIT 1;
END
$body$
$sql$);
SQL

for ([ 'install.sql', qr{^\\ir install/api/count\.sql\n}m,
       "\\ir install/api/newest.sql\n" ],
     [ 'install/tables.sql', qr/\bcount /, 'newest ' ])
{
    my ($file, $after, $line) = @$_;
    my $text = slurp("$tree/sql/$file");

    $text =~ s/$after/$&$line/ or die "$file has no count\n";
    spew("$tree/sql/$file", $text);
}

my $pg = Tournament::Postgres->new(load => ['schema']);

$pg->load("$tree/sql/install.sql", role => 'tournament');

local $ENV{TOURNAMENT_MODULE} = "$tree/build/ngx_http_tournament_module.so";

my $nginx = Tournament::Nginx->new(
    database  => $pg,
    feed      => 1,
    workers   => 2,
    locations => [
        'location = /newest { tournament newest; tournament_ttl newest 1h; }',
        'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
        'location = /status { tournament status; }',
        'location = /metrics { tournament metrics; }',
    ],
);

my $get = sub { $nginx->get('/newest') };

is_error $get->(), 404, 'not_found', 'of none';

my $cup = $pg->tournament(slug => 'cup-1', name => 'First');

poll_until { $get->()->status == 200 } 10, 'a commit ends the 404';
is $get->()->body, '{"success":true,"slug":"cup-1","name":"First"}',
    'its answer';
is $get->()->cache, 'HIT', 'is cached';
ok $get->()->header('ETag'), 'and has an ETag';

$pg->rows("UPDATE tournaments_tournament SET name = 'Second'");
poll_until { $get->()->json->{name} eq 'Second' } 10, 'a commit changes it';
poll_until { $get->()->cache eq 'HIT' } 10, 'and it is cached again';

is $nginx->request('PURGE', "/purge/$_->[0]")->status, 200, "purge $_->[0]"
    and is $get->()->cache, $_->[1], $_->[1]
    for [ 'cap-*', 'HIT' ], [ 'cup-*', 'EXPIRED' ], [ 'cup-1', 'EXPIRED' ];

my $figures = $nginx->get('/status')->json->{endpoints}{newest};

cmp_ok $figures->{hits}, '>=', 3, 'status counts its hits';
cmp_ok $figures->{errors_4xx}, '>=', 1, 'and errors';
like $nginx->get('/metrics')->body,
    qr/^tournament_requests_total\{endpoint="newest",status="hit"\} \d/m,
    'metrics, too';

like +($nginx->test(http => 'tournament_ttl other 1s;'))[1], qr/"newest"/,
    'and messages name it';


done_testing;
