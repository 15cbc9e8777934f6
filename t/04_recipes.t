# docs/recipes.md: its recipes do what they say, in one server together.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Browser;
use Tournament::Documents qw(blocks);
use Tournament::Site;
use Tournament::Test;

my (undef, $options) = run({}, Tournament::Nginx::binary(), '-V');

plan skip_all => 'this nginx has no auth_request'
    if $options !~ /http_auth_request_module/;

my $API  = '/tournaments/api';
my $site = Tournament::Site->new;
my $pg   = $site->demo;
my $slug = $pg->tournament(slots => 8, confirmed => 3)->{slug};

# Pages come from an origin of their own, in place of the recipe's.

my $pages = Tournament::Nginx->new(
    name      => 'pages',
    module    => 0,
    locations => 'location / { default_type text/html; return 200 ""; }',
);
my $ORIGIN = $pages->url('');

my @recipes = grep { $_->{document} eq 'docs/recipes.md' } blocks('nginx');
my $server  = recipes('server');

sub recipes {
    my ($place) = @_;

    my $text = join '', map { $_->{text} }
        grep { $_->{place} eq $place } @recipes;

    $text =~ s/https:\/\/www\\\.example\\\.com/\Q$ORIGIN\E/;

    return $site->at_home($text);
}

my $nginx = Tournament::Nginx->new(
    http      => [ recipes('http'), 'add_header X-Seen 1;' ],
    database  => $pg,
    feed      => 1,
    locations => 'location /page { default_type text/html; return 200 ""; }'
        . ' location ~ ^/tournaments/api/(?<slug>[^/]+)/count/$ {'
        . ' tournament count $slug; }',
    server    => "add_header Content-Security-Policy \"default-src 'self'\";"
        . $server . $site->fallback($server),
);

my $mine  = "$API/me/registrations/";
my $state = "$API/$slug/state/";


sub asked {
    return scalar grep { !m{/account/} } $site->application->access_log;
}


subtest 'a user' => sub {
    my $response = $nginx->get($mine);

    is $response->status, 200, 'is known by the application';
    is $response->header('Cache-Control'), 'private, no-store',
        'and the answer is not to be shared, whatever expires says';
    is $response->header('Expires'), undef, 'nor does it expire';
    is $nginx->get($state)->header('Cache-Control'), 'private, no-store',
        'a state as the user sees it';
};


subtest 'a rate limit' => sub {
    $site->application;

    my $before = asked();
    my @status = map { $_->status } fetch(
        port => $nginx->port, concurrency => 10,
        paths => [ ("$API/hub/") x 60 ]);
    my $refused = grep { $_ == 429 } @status;

    cmp_ok $refused, '>', 10, 'refuses with 429';
    is scalar(grep { $_ == 200 } @status), 60 - $refused, 'and answers the rest';
    is asked(), $before, 'of which the application sees nothing';

    my $response = poll_until {
        my $r = $nginx->get("$API/hub/");
        $r->status == 429 && $r;
    } 10, 'another is refused';

    is_error($response, 429, 'too_many_requests', 'it');
    is $response->header('Retry-After'), 1, 'says when to come again';
    is $response->header('Access-Control-Allow-Origin'), undef,
        'and has no header for another origin';
    is $nginx->get("$API/hub/", Origin => $ORIGIN)
             ->header('Access-Control-Allow-Origin'), $ORIGIN,
        'but for one that may see it, also of a refusal';
    is $nginx->get($state)->header('Retry-After'), undef,
        'others say nothing of that';
};


subtest 'another origin' => sub {
    my $preflight = $nginx->request('OPTIONS', $state, Origin => $ORIGIN,
        'Access-Control-Request-Method'  => 'GET',
        'Access-Control-Request-Headers' => 'if-none-match');

    is $preflight->status, 204, 'a preflight is answered';
    is $preflight->header('Access-Control-Allow-Origin'), $ORIGIN,
        '... to that origin';

    for my $name (qw(If-None-Match Prefer Last-Event-ID)) {
        like $preflight->header('Access-Control-Allow-Headers'),
            qr/\b$name\b/, "... and allows $name";
    }

    is $nginx->request('OPTIONS', $state, Origin => 'https://evil.example')
             ->header('Access-Control-Allow-Origin'), undef,
        'not to others';

    is $nginx->get($state, Origin => $ORIGIN)
             ->header('Access-Control-Expose-Headers'),
        'ETag, Retry-After, Preference-Applied', 'a page may read these';
    is $nginx->get($state, Origin => "$ORIGIN.evil.example")
             ->header('Access-Control-Allow-Origin'), undef,
        'a longer name is another origin';
    is $nginx->get('/page', Origin => $ORIGIN)
             ->header('Access-Control-Allow-Origin'), undef,
        'other pages are not shared';
};


subtest 'compression' => sub {
    my $response = $nginx->get($state, 'Accept-Encoding' => 'gzip');

    is $response->header('Content-Encoding'), 'gzip', 'JSON is compressed';
    like join(',', map { $_->[1] } grep { lc $_->[0] eq 'vary' }
              $response->headers), qr/Accept-Encoding/, 'and varies';
};


SKIP: {
    my $missing = Tournament::Browser::missing();

    skip $missing, 1 if defined $missing;

    my $browser = Tournament::Browser->new;

    subtest 'a page of another origin' => sub {
        my $url = $nginx->url("$API/$slug/count/");

        $browser->open("$ORIGIN/");
        $browser->value(<<"END");
            (async () => {
                const first = await fetch("$url");
                const etag = first.headers.get("ETag");
                const headers = { "If-None-Match": etag, "Prefer": "wait=1" };
                const again = await fetch("$url", { headers, cache: "no-store" });

                window.seen = [first.status, etag, again.status];
            })().catch(error => { window.seen = [String(error)]; }), 1
END
        my $seen = $browser->wait_for('window.seen', 'both answers', 20);

        is $seen->[0], 200, 'reads an answer' or diag explain $seen;
        like $seen->[1] // '', qr/^W\/"/, 'and its ETag';
        is $seen->[2], 304, 'which it may send';
    };

    subtest 'the status page' => sub {
        $browser->open($nginx->url('/tournaments/status'));
        ok $browser->wait_for(
            'document.querySelectorAll("tbody tr").length > 3',
            'the page shows figures', 20), 'shows figures';
        $browser->open($nginx->url('/page'));
    };
}


subtest 'the application is away' => sub {
    $site->application->stop;
    $nginx->expect_log(qr/connect\(\) failed/, qr/auth request unexpected/);

    my $response = $nginx->get($state);

    is $response->status, 200, 'a poll is answered';
    is $response->json->{user_registered}, JSON::PP::false(),
        'as for an anonymous';
    is $nginx->get($mine)->status, 502, 'what is a user\'s fails';
};


done_testing;
