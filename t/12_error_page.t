# Where a location has an error_page for the status, nginx's wins: the site
# behind answers in place of the module, and where there is none the module
# does.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $pg   = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate = $pg->gate;
my $site = free_port();

my $nginx = Tournament::Nginx->new(
    database => $pg,
    http     => [
        'tournament_query_timeout 300ms;',
        'tournament_ttl state 1h; tournament_ttl missing 1h;',
        qq(server {
            listen 127.0.0.1:$site;
            location / { return 200 "site: \$request_method \$uri"; }
        }),
    ],
    locations => [
        Tournament::Nginx::state_location(),
        "location ~ ^/site/(?<slug>.*)\$ {
             error_page 404 503 504 = \@site; tournament state \$slug; }
         location \@site { proxy_pass http://127.0.0.1:$site; }",
        'location ~ ^/kept/(?<slug>.*)$ {
             error_page 404 503 504 @kept; tournament state $slug; }
         location @kept { return 299 "kept"; }',
        'location ~ ^/file/(?<slug>.*)$ {
             error_page 404 503 504 /error.html; tournament state $slug; }
         location = /error.html { internal; root %%DIR%%; }',
        'location ~ ^/other/(?<slug>.*)$ {
             error_page 500 502 = @kept; tournament state $slug; }',
        'location ~ ^/again/(?<slug>.*)$ {
             error_page 404 503 504 = @again; tournament state $slug; }
         location @again { tournament state found; }',
    ],
);

spew($nginx->dir . '/error.html', 'a page');
$pg->tournament(slug => 'found');


# What every status has in common. $slug makes it.

sub pages {
    my ($status, $code, $slug) = @_;

    my $page = sub { $nginx->get("/$_[0]/$slug") };

    is_error $nginx->state($slug), $status, $code, 'without an error_page';
    is_error $page->('other'), $status, $code, 'with one for another status';

    is $page->('site')->status, 200, 'a named location with "="';
    is $page->('site')->body, "site: GET /site/$slug",
        'is the site behind, asked for the same path';
    is $page->('site')->header('Cache-Control'), undef, 'and nothing of ours';
    is $page->('site')->header('Retry-After'), undef, 'in its headers';

    is $page->('file')->status, $status, 'a page keeps the status';
    is $page->('file')->body, 'a page', 'with its own body';
    is $nginx->head("/file/$slug")->status, $status, 'HEAD likewise';

    is $page->('kept')->body, 'kept', 'a named location without "="';

    return;
}


subtest '404: a tournament that is not there (invariant 6)' => sub {
    pages(404, 'not_found', 'nobody');

    is $nginx->get('/site/nobody')->cache, 'HIT', 'of a cached one, too';
    is $nginx->get('/again/nobody')->json->{success}, 1,
        'the fallback may be a tournament again';
    is $nginx->get('/again/nobody')->status, 200, 'with its own status';
    is $nginx->get('/site/found')->json->{success}, 1,
        'what is found has none';
};


subtest '504: the deadline has passed (invariant 6)' => sub {
    $pg->tournament(slug => 'slow');
    $gate->shut;

    pages(504, 'timeout', 'slow');

    $gate->open;
    is $nginx->get('/site/slow')->json->{success}, 1, 'over';
};


subtest '503: the database is away (invariant 6)' => sub {
    $pg->stop;

    poll_until { $nginx->state('away')->status == 503 } 20, 'it is away';

    pages(503, 'unavailable', 'away');

    is $nginx->get('/site/found')->json->{success}, 1,
        'what is cached has none';
    is $nginx->get('/again/away')->json->{success}, 1,
        'nor a fallback that is cached';
};


done_testing;
