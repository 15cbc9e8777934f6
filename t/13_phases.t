# nginx's own filters and phases work on the module's answers as on any other:
# compression, headers, limits, access, subrequests of every kind, HTTP/2.

use FindBin;
use lib "$FindBin::Bin/lib";

use Compress::Zlib ();
use Encode         ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP       ();
use Tournament::Test;

my $pg   = Tournament::Postgres->new(load => [qw(schema install demo)]);
my $gate = $pg->gate;
my ($site, $h2) = (free_port(), free_port());

# Who is told of requests by "post_action", and takes its time.

my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1:0')
    or die "listen: $!";
my $told     = $listener->sockport;

my $options = (run({}, Tournament::Nginx::binary(), '-V'))[1];

my $http2 = ($options =~ /--with-http_v2_module/);
my $auth  = ($options =~ /--with-http_auth_request_module/);
my $sub   = ($options =~ /--with-http_sub_module/);
my $add   = ($options =~ /--with-http_addition_module/);

my $state = 'location ~ ^%s(?<slug>[^/]+)$ { %s tournament state $slug; }';


# A location of its own for each thing to try, all with the same states.

sub location {
    my ($prefix, $what) = @_;

    return sprintf $state, $prefix, $what;
}


my $nginx = Tournament::Nginx->new(
    database => $pg,
    workers  => 1,
    http     => [
        'charset_map koi8-r utf-8 { eb D09A; d5 D183; c2 D0B1; cf D0BE;
                                    cb D0BA; }',
        'limit_req_zone $server_port zone=few:64k rate=1r/m;',
        'tournament_ttl state 1h; tournament_query_timeout 10s;',
        'map $http_x_account $account { default $http_x_account; }',
        ($http2 ? "server { listen 127.0.0.1:$h2 http2; "
                  . location('/', '') . '}' : ''),
        qq(server {
            listen 127.0.0.1:$site;
            location / { return 204; }
            location /no { return 403; }
            location /account { add_header X-Account 1; return 204; }
            location /hand/ {
                add_header X-Accel-Redirect \$arg_to;
                add_header Cache-Control "public, max-age=999";
                add_header Expires "Thu, 31 Dec 2037 23:55:55 GMT";
                add_header Set-Cookie "a=b";
                return 200 "from the site";
            }
        }),
    ],
    locations => [
        Tournament::Nginx::state_location(),
        location('/gzip/', 'gzip on; gzip_types application/json;
                            gzip_min_length 1; tournament_user $account;'),
        location('/header/', 'add_header X-Always 1 always; expires 5m;
                              add_trailer X-Trailer 1;'),
        location('/few/', 'limit_req zone=few; limit_req_status 429;'),
        location('/slow/', 'limit_rate 2k;'),
        location('/nobody/', 'deny all;'),
        location('/log/', 'post_action @after;'),
        location('/tell/', 'post_action /told;'),
        "location = /told { proxy_pass http://127.0.0.1:$told; }",
        location('/internal/', 'internal;'),
        location('/mirror/', 'mirror /count-it;'),
        'location = /count-it { internal; tournament state valorant-masters; }',
        'location @after { tournament count valorant-masters; }',
        'location ~ ^/count/(?<slug>[^/]+)$ { tournament count $slug; }',
        'location = /hub { tournament hub; }',
        'location /pages/ { ssi on; root %%DIR%%; }',
        'location /koi8/ { ssi on; charset koi8-r; root %%DIR%%; }',
        'location ~ ^/detail/(?<slug>[^/]+)$ { tournament detail $slug; }',
        "location /hand/ { proxy_pass http://127.0.0.1:$site; }",
        'location /rewritten/ { rewrite ^/rewritten/(.*)$ /header/$1 last; }',
        'location /tried/ { try_files /nothing /header/valorant-masters; }',
        'location /headers-only/ { add_header X-Cached
             $tournament_cache_status always; return 200 "ok"; }',
        ($auth ? (
            location('/yes/', "auth_request /ask/yes;"),
            location('/no/',  "auth_request /ask/no;"),
            location('/user/', 'auth_request /account;
                 auth_request_set $who $upstream_http_x_account;
                 tournament_user $who;'),
            'location = /account {
                 internal; proxy_pass http://127.0.0.1:' . $site . '; }',
            "location /ask/ {
                 internal; rewrite ^/ask(.*)\$ \$1 break;
                 proxy_pass http://127.0.0.1:$site; }",
            # the module's answer decides: a tournament that is not there
            'location /guarded/ { set $slug $arg_slug; auth_request /guard;
                 root %%DIR%%; }',
            'location = /guard { internal; tournament state $slug; }',
        ) : ()),
        ($sub ? location('/sub/', 'sub_filter_types application/json;
             sub_filter registration REGISTRATION; sub_filter_once off;')
            : ()),
        ($add ? location('/add/', 'addition_types application/json;
             add_before_body /count/valorant-masters;
             add_after_body /count/valorant-masters;') : ()),
    ],
);

my $slug = 'valorant-masters';


# An answer without what the clock changes.

sub timeless {
    my ($text) = @_;

    $text =~ s/"timestamp":"[^"]*"/"timestamp":T/g;
    $text =~ s/"(time_until_\w+)":"[^"]*"/"$1":T/g;
    $text =~ s/"(seconds_until_\w+)":\d+/"$1":T/g;
    return $text;
}


sub page {
    my ($name, $text) = @_;

    mkdir $nginx->dir . '/pages';
    spew($nginx->dir . "/pages/$name.html", $text);
    return "/pages/$name.html";
}


# What each way of asking must come to.

my $plain = timeless($nginx->state($slug)->text);


subtest 'gzip' => sub {
    for my $name ("a miss's", "a hit's") {
        my $r = $nginx->get("/gzip/$slug", 'Accept-Encoding' => 'gzip');

        is $r->header('Content-Encoding'), 'gzip', "$name body is compressed";
        like $r->header('ETag'), qr{^W/"}, 'its ETag stays';
        is $r->header('Content-Length'), undef, 'its length goes';
        is timeless(Encode::decode_utf8(Compress::Zlib::memGunzip($r->body))),
            $plain, 'the content is the same';
        is $nginx->get("/gzip/$slug", 'Accept-Encoding' => 'gzip',
                       'If-None-Match' => $r->header('ETag'))->status, 304,
            'not modified';
    }

    my $r = $nginx->get("/gzip/$slug", 'Accept-Encoding' => 'gzip',
                        'X-Account' => 1);

    is $r->header('Content-Encoding'), 'gzip', "a user's, too";
    ok JSON::PP::decode_json(Compress::Zlib::memGunzip($r->body))->{success},
        'and whole';
    is timeless($nginx->get("/gzip/$slug")->text), $plain,
        'who asks without gets it without';
};


subtest 'headers' => sub {
    my $r = $nginx->get("/header/$slug");

    is $r->header('X-Always'), 1, 'add_header';
    like join(',', map { $_->[1] } grep { lc $_->[0] eq 'cache-control' }
        $r->headers), qr/max-age=300/, 'expires';
    is $nginx->get('/header/nobody')->header('X-Always'), 1,
        'add_header always, of an error';
    is $nginx->get("/headers-only/")->header('X-Cached'), undef,
        'the variables elsewhere are empty: no header';
};


subtest 'limits and access' => sub {
    is $nginx->get("/few/$slug")->status, 200, 'limit_req lets the first by';
    is $nginx->get("/few/$slug")->status, 429, 'and no second one';
    is $nginx->get("/nobody/$slug")->status, 403, 'deny';
    like $nginx->get("/nobody/$slug")->header('Content-Type'), qr/html/,
        "with nginx's own page";
    is timeless($nginx->get("/slow/$slug")->text), $plain, 'limit_rate';
    is $nginx->get("/internal/$slug")->status, 404, 'internal';
};


subtest 'redirects within' => sub {
    is timeless($nginx->get("/rewritten/$slug")->text), $plain, 'rewrite';
    is timeless($nginx->get('/tried/')->text), $plain, 'try_files';
    is timeless($nginx->get("/hand/?to=/internal/$slug")->text), $plain,
        'X-Accel-Redirect to an internal location';
    is $nginx->get("/hand/?to=/internal/$slug")->header('Cache-Control'),
        'public, max-age=1', 'with its headers';
    is $nginx->get('/hand/?to=/internal/nobody')->status, 404,
        'of what is not there';
};


subtest 'headers that were there before' => sub {
    my $r = $nginx->get("/hand/?to=/header/$slug");

    is_deeply [ map { $_->[1] } grep { lc $_->[0] eq 'cache-control' }
                $nginx->get("/hand/?to=/tournaments/api/$slug/state/")
                      ->headers ],
        [ 'public, max-age=1' ], 'Cache-Control is replaced';
    is $nginx->get("/hand/?to=/tournaments/api/$slug/state/")
             ->header('Expires'), undef, 'Expires goes';
    is $r->header('Set-Cookie'), 'a=b', 'others stay';
    is_deeply [ map { $_->[1] } grep { lc $_->[0] eq 'cache-control' }
                $nginx->get('/hand/?to=/tournaments/api/nobody/state/')
                      ->headers ],
        [ 'no-store' ], 'of an error, too';
    is $r->header('Expires') && $r->header('Cache-Control'),
        'max-age=300', '"expires" has the last word';
};


# RFC 9110, 13.1: an answer without a date

subtest 'conditional requests' => sub {
    my $path = "/tournaments/api/$slug/state/";
    my $past = 'Thu, 01 Jan 2015 00:00:00 GMT';
    my $etag;

    # the tag changes each half minute

    my $status = sub {
        my @headers = @_;

        $etag = $nginx->get($path)->header('ETag');

        return $nginx->get($path, map { $_ eq 'ETAG' ? $etag : $_ } @headers)
                     ->status;
    };

    for my $case ([ 304, 'If-None-Match' => 'ETAG' ],
                  [ 304, 'If-None-Match' => 'ETAG',
                         'If-Modified-Since' => $past ],
                  [ 200, 'If-None-Match' => '"x"',
                         'If-Modified-Since' => $past ],
                  [ 200, 'If-Modified-Since' => $past ],
                  [ 200, 'If-Unmodified-Since' => $past ])
    {
        my ($expected, @headers) = @$case;

        is $status->(@headers), $expected, join ' ', @headers;
    }
};


subtest 'charset' => sub {
    my $name = "\x{41a}\x{443}\x{431}\x{43e}\x{43a}";

    $pg->tournament(slug => 'cup', name => $name);

    mkdir $nginx->dir . '/koi8';
    spew($nginx->dir . '/koi8/page.html',
         '<!--#include virtual="/detail/cup" -->');

    my $page = $nginx->get('/koi8/page.html');

    like $page->header('Content-Type'), qr/charset=koi8-r/, 'a page';
    like $page->body, qr/"name":"\xeb\xd5\xc2\xcf\xcb"/,
        'has what it includes in its own charset';
    like $nginx->get('/detail/cup')->text, qr/"name":"$name"/,
        'which is UTF-8 by itself';
};


subtest 'auth_request' => sub {
    plan skip_all => 'this nginx has none' if !$auth;

    is timeless($nginx->get("/yes/$slug")->text), $plain, 'who may';
    is $nginx->get("/no/$slug")->status, 403, 'who may not';

    my $r = $nginx->get("/user/$slug");

    is $r->header('Cache-Control'), 'private, no-store',
        'the account that it found is the user';
    is $r->json->{state}{reason} =~ /logged in/, '', 'who is logged in';

    mkdir $nginx->dir . '/guarded';
    spew($nginx->dir . '/guarded/page', 'in');

    is $nginx->get("/guarded/page?slug=$slug")->body, 'in',
        'a state as the guard: there';
    is $nginx->get('/guarded/page?slug=nobody')->status, 500,
        'not there: what auth_request makes of a 404';
    like $nginx->log, qr/auth request unexpected status: 404/, 'as it says';
};


subtest 'subrequests' => sub {
    my @slugs = map { $_->[0] } $pg->rows(q{
        SELECT slug FROM tournaments_tournament
        WHERE status IN ('PUBLISHED', 'RUNNING') ORDER BY id LIMIT 20 });

    my %alone = map { $_ => timeless($nginx->state($_)->text) } @slugs;

    my $include = join ',', map { qq(<!--#include virtual="/count/$_" -->) }
        @slugs;
    my $counts = join ',', map { $nginx->get("/count/$_")->text } @slugs;

    is $nginx->get(page('counts', "[$include]"))->text, "[$counts]",
        'includes of hits, in their order';

    # all at once from the database, where they arrive in any order

    $pg->psql('UPDATE tournaments_tournament SET slot_size = 64');
    $nginx->reload(http => [ 'tournament_cache_version 2;',
                             @{ $nginx->{http} } ]);

    my $states = join ',', map { qq(<!--#include virtual="/header/$_" -->) }
        @slugs, 'nobody', $slugs[0];
    my $answer = timeless($nginx->get(page('states', "[$states]"))->text);

    is scalar(() = $answer =~ /"success":true/g), @slugs + 1, 'all are there';
    is_deeply
        [ map { $_->{slots} ? $_->{slots}{total} : $_->{code} }
          map { $_->{state} // $_ }
          @{ JSON::PP::decode_json(Encode::encode_utf8(
              $answer =~ s/:T\b/:0/gr)) } ],
        [ (64) x @slugs, 'not_found', 64 ],
        'includes of misses, in their order, one not there and one twice';

    # what goes with a client that goes in the middle

    $pg->tournament(slug => 'slow-held');
    $gate->shut;

    my $c = $nginx->connect;

    $c->send('GET', page('held', '<!--#include virtual="/header/slow-held" -->,'
        . '<!--#include virtual="/count/slow-held" -->'));
    $gate->wait_waiting(1);
    $c->close;
    $gate->open;

    is $nginx->get('/header/slow-held')->status, 200, 'a client that went away';

    is $nginx->get("/mirror/$slug")->status, 200, 'mirror';

    if ($add) {
        my $count = $nginx->get("/count/$slug")->text;

        is timeless($nginx->get("/add/$slug")->text),
            $count . timeless($nginx->state($slug)->text) . $count,
            'addition, around it';
    }

    if ($sub) {
        is timeless($nginx->get("/sub/$slug")->text),
            timeless($nginx->state($slug)->text)
                =~ s/registration/REGISTRATION/gr, 'sub_filter';
    }

    is $nginx->get("/log/$slug")->status, 200, 'post_action';
};


# The client goes while its answer is waited for; the answer comes while
# "post_action" is under way, which it is none of.

subtest 'post_action of a client that has gone' => sub {
    my $client = $nginx->connect;

    $pg->tournament(slug => 'slow-told');
    $gate->shut;
    $client->send('GET', '/tell/slow-told');
    $gate->wait_waiting(1);

    my $other = $nginx->connect->send('GET', '/tournaments/api/slow-told/state/');

    $nginx->get('/-/worker');
    $client->close;

    ok +(IO::Select->new($listener)->can_read(10)), 'somebody is told'
        or return $gate->open;

    my $socket = $listener->accept;

    $gate->open;
    is $other->receive->status, 200, 'the answer has come';
    $nginx->get('/-/worker');

    my $request = '';

    sysread $socket, $request, 4096;
    like $request, qr/^GET \/told /, 'the request';
    ok !(IO::Select->new($socket)->can_read(0)), 'which goes on';

    syswrite $socket, "HTTP/1.0 200 OK\r\n\r\n";
    close $socket;

    is $nginx->state('slow-told')->cache, 'HIT', 'as does the worker';
};


subtest 'HTTP/2' => sub {
    plan skip_all => 'this nginx has none' if !$http2;
    plan skip_all => 'nghttp is not installed (make deps)'
        unless grep { -x "$_/nghttp" } split /:/, $ENV{PATH};

    my @slugs = map { $_->{slug} } map { $pg->tournament } 1 .. 40;

    # each twice: misses that join each other, in streams of one connection

    my $out = run_ok({}, 'nghttp', '--no-dep', '-t', 30,
        map { "http://127.0.0.1:$h2/$_" }
        map { ($_, "$_?again") } @slugs);

    my @answers = $out =~ /(\{"success":true,.*?"button_text":"[^"]*"\})/g;

    is scalar(@answers), 80, 'many streams at once, each whole';
    is length(join '', @answers), length $out, 'and nothing else';
    is scalar(grep { /^200 .* HTTP\/2\.0$/ } $nginx->access_log), 80,
        'as the log says';
};


done_testing;

