# Where a location has an error_page for the status, nginx's wins: the site
# behind answers in place of the module, and where there is none the module
# does.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $pg   = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate = $pg->gate;
my $site = free_port();
my $echo = free_port();
my $h2   = free_port();

my $nginx = Tournament::Nginx->new(
    database => $pg,
    http     => [
        'tournament_query_timeout 300ms;',
        'tournament_ttl state 1h; tournament_ttl missing 1h;',
        qq(server {
            listen 127.0.0.1:$site;
            location / { return 200 "site: \$request_method \$uri"; }
            location /write/ {
                proxy_pass       http://127.0.0.1:$echo;
                proxy_set_header X-Body \$request_body;
                client_body_buffer_size 128k;
            }
        }
        server {
            listen 127.0.0.1:$echo;
            large_client_header_buffers 4 256k;
            return 200 "\$request_method \$http_x_body";
        }
        server {
            listen 127.0.0.1:$h2 http2;
            location /write/states {
                error_page 503 504 413 = \@site; tournament states; }
            location \@site { proxy_pass http://127.0.0.1:$site; }
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
        # whose bodies the site behind has to get, whoever had them before
        (map { my ($name, $more) = @$_;
              "location = /write/$name {
                   error_page 405 413 503 504 = \@site; $more }" }
            ([ states => 'tournament states;' ],
             [ small  => 'client_body_buffer_size 1k; tournament states;' ],
             [ mirror => 'mirror /mirrored; tournament states;
                          client_body_buffer_size 1k;' ],
             [ file   => 'client_body_in_file_only clean; tournament states;' ],
             [ read   => 'mirror /mirrored; tournament states;
                          client_body_in_file_only clean;' ],
             [ state  => 'tournament state slow-write;' ],
             [ purge  => 'tournament purge *;' ],
             [ stats  => 'tournament status;' ])),
        'location = /mirrored { internal; return 204; }',
        'location = /plain { tournament states; }',
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


# A write that goes to the site behind, by 405, 413, 503 or 504, has its body;
# as it comes in one piece, in two, in chunks, and by HTTP/2.

sub sent {
    my ($path, $body, %how) = @_;

    my $method = $how{method} // 'POST';
    my $c      = $nginx->connect;
    my $chunk  = sprintf "%x\r\n%s\r\n", length $body, $body;

    $c->send_raw("$method $path HTTP/1.1\r\nHost: a\r\n"
        . ($how{chunked} ? "Transfer-Encoding: chunked\r\n\r\n"
                         : 'Content-Length: ' . length($body) . "\r\n\r\n"));

    for my $piece ($how{chunked} ? ($chunk, "0\r\n\r\n")
                                 : unpack '(a' . ($how{piece} // 65536) . ')*',
                                          $body)
    {
        # what was sent has been read before more comes

        $nginx->get('/-/worker');
        $c->send_raw($piece);
    }

    my $response = $c->receive($method);

    is $c->get('/-/worker')->status, 200, 'the connection goes on'
        if $response->header('Connection') ne 'close';

    return $response;
}


sub is_handed_on {
    my ($path, $size, $name, %how) = @_;

    my $body   = '["a-slug"' . ' ' x ($size - 9) . ']';
    my $method = $how{method} // 'POST';

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is_text sent($path, $body, %how)->body, "$method $body",
        "$name, $size bytes";

    return;
}


subtest 'a body goes on: the method is not allowed' => sub {
    for my $path (map { "/write/$_" } qw(state purge stats)) {
        is_handed_on $path, 20,     "$path: at once";
        is_handed_on $path, 5000,   "$path: in pieces", piece => 1000;
        is_handed_on $path, 60_000, "$path: in chunks", chunked => 1;
    }

    is_handed_on '/write/states', 70_000, '413';
    is_handed_on '/write/states', 70, 'PUT', method => 'PUT';
};


subtest 'a body goes on: the deadline has passed' => sub {
    $pg->tournament(slug => 'slow-write');
    $gate->shut;

    is_handed_on '/write/state', 3000, 'of a GET', method => 'GET';
    is_handed_on '/write/state', 3000, 'of a GET in pieces', method => 'GET',
        piece => 1000;
    $gate->open;
};


subtest 'no "100 Continue" for what is refused' => sub {
    for my $case ([ 'PUT', '/plain', 10, 405 ],
                  [ 'POST', '/plain', 70_000, 413 ],
                  [ 'POST', '/tournaments/api/found/state/', 10, 405 ])
    {
        my ($method, $path, $size, $status) = @$case;
        my $c = $nginx->connect;

        $c->send_raw("$method $path HTTP/1.1\r\nHost: a\r\n"
            . "Content-Length: $size\r\nExpect: 100-continue\r\n\r\n");

        my $response = $c->receive($method);

        is $response->status, $status, "$method $path";
        is $response->header('Connection'), 'close',
            'and what may follow is no request';
    }
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


subtest 'a body goes on: the database is away' => sub {
    for my $name (qw(states small mirror file read)) {
        my $path = "/write/$name";

        is_handed_on $path, 20,     "$name: at once";
        is_handed_on $path, 60_000, "$name: at once";
        is_handed_on $path, 5000,   "$name: in pieces", piece => 700;
        is_handed_on $path, 5000,   "$name: in chunks", chunked => 1;
    }

    my ($body, $file) = ('["a-slug"' . ' ' x 40_000 . ']',
                         $nginx->dir . '/body');

    spew($file, $body);

    SKIP: {
        skip 'nghttp is not installed (make deps)', 1
            unless grep { -x "$_/nghttp" } split /:/, $ENV{PATH};

        is_text run_ok({}, 'nghttp', '-d', $file, '-t', 30,
                       "http://127.0.0.1:$h2/write/states"), "POST $body",
            'by HTTP/2';
    }
};


done_testing;
