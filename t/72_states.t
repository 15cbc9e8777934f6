# Many states at once: what may be asked for and how, the body of a POST in
# every way that it can come, and the entries shared with the state endpoint.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();

use Tournament::Oracle;
use Tournament::Test;

my $NOW    = 1795417920;    # 2026-11-23 07:12:00
my $STATES = '/tournaments/api/states/';

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

$pg->load('demo', now => '2026-11-23 07:12:00+00');

# Further addresses: one with small buffers for a body, one for HTTP/2.

my $small = free_port();
my $h2    = free_port();
my $api   = { Tournament::Nginx::api() };
my $temp  = tempdir();

chown((getpwnam(worker_user()))[2, 3], $temp) if defined worker_user();

my $nginx = Tournament::Nginx->new(
    database  => $pg,
    clock     => $NOW,
    zone      => '32m',
    http      => $api->{http},
    server    => [
        "listen 127.0.0.1:$small;
         listen 127.0.0.1:$h2 http2;
         client_body_temp_path $temp/body;
         tournament_ttl state 1h; tournament_ttl missing 1h;
         client_body_buffer_size 16;",
        'location = /large { client_max_body_size 0; tournament states; }',
        'location = /uncached { tournament_ttl state 0; tournament states; }',
    ],
    locations => $api->{locations},
);

my $connection = $nginx->connect;
my @demo       = map { $_->{slug} } Tournament::Oracle->new($pg)->tournaments;


sub get {
    return $connection->get("$STATES?slugs=" . join(',', @_));
}


sub post {
    my ($body, @headers) = @_;

    return $connection->post($STATES, @headers, body => $body);
}


sub list { return '[' . join(',', map { "\"$_\"" } @_) . ']' }


sub new_slugs {
    my ($count) = @_;

    return map { $pg->tournament(confirmed => $_ % 3, slots => 2)->{slug} }
               1 .. $count;
}


subtest 'documents' => sub {
    my $oracle = Tournament::Oracle->new($pg);
    my @mixed  = ('none', @demo[0 .. 4], 'nobody', 'secret-plans', @demo[2, 1],
                  'none', 'NONE', $demo[0]);

    for my $case ([ 'one', $demo[0] ], [ 'all of the demonstration', @demo ],
                  [ 'one that is missing', 'nobody' ],
                  [ 'some, some missing, some twice, a draft', @mixed ])
    {
        my ($name, @slugs) = @$case;
        my $expected = $oracle->states($NOW, @slugs);

        is_text get(@slugs)->text, $expected, "$name: GET";
        is_text post(list(@slugs))->text, $expected, "$name: POST";
        is get(@slugs)->cache, 'HIT', 'and again from the cache';
    }

    my $empty = $oracle->states($NOW);

    is_json $empty, '{"success": true, "timestamp": <instant>, "states": {},
                      "missing": []}', 'of none, as written by hand';
    is_text get()->text, $empty, 'none: GET';
    is_text post('[]')->text, $empty, 'none: POST';
    is $connection->head("$STATES?slugs=$demo[0]")->header('Content-Length'),
        length $oracle->states($NOW, $demo[0]), 'HEAD';
};


subtest 'how many' => sub {
    my @slugs = new_slugs(100);
    my $oracle = Tournament::Oracle->new($pg);

    $pg->reset_calls;

    is_text post(list(@slugs))->text, $oracle->states($NOW, @slugs),
        'a hundred';
    is $pg->calls, 1, 'in one statement';
    is $pg->calls(like => '%tournament_api.states(%'), 1, 'for many';

    my $hit = post(list(reverse @slugs));

    is_text $hit->text, $oracle->states($NOW, reverse @slugs),
        'in the order that is asked for';
    is $hit->cache, 'HIT', 'cached';
    is get(@slugs)->cache, 'HIT', 'GET of as many';
    is $pg->calls, 1, 'at no further statement';


    for my $case ([ '101', @slugs, 'x' ],
                  [ '101, one of them twice', @slugs, $slugs[0] ],
                  [ 'the same 101 times', ('x') x 101 ],
                  [ 'a thousand', 1 .. 1000 ])
    {
        my ($name, @many) = @$case;

        is_error get(@many), 400, 'bad_request', "$name: GET";
        is_error post(list(@many)), 400, 'bad_request', "$name: POST";
    }

    like get((1) x 101)->json->{error}, qr/100/, 'the error says how many';

    my @longest = map { $_ . 'x' x 252 } 100 .. 199;

    is_deeply post(list(@longest))->json->{missing}, \@longest,
        '100 of 255 characters: POST';
};


subtest 'all that are missing in one statement (invariant 4)' => sub {
    my @slugs = new_slugs(30);
    my @gone  = map { "gone-$_" } 1 .. 10;

    get($slugs[$_]) for 0 .. 9;
    $pg->reset_calls;

    my $mixed = get(@slugs, @gone);

    is $pg->calls, 1, 'of some that are cached and some that are not, one';
    is $mixed->cache, 'MISS', 'a miss is told';
    is scalar(@{ $mixed->json->{missing} }), 10, 'none is forgotten';

    get(reverse(@slugs), @gone);
    is $pg->calls, 1, 'what does not exist is cached, too';

    $pg->tournament(slug => 'one');
    $pg->reset_calls;
    get('one', $slugs[0]);
    is $pg->calls(like => '%tournament_api.state(%'), 1,
        'a single one comes as state does';
    is $connection->get("/uncached?slugs=$slugs[0],$slugs[1]")->cache,
        'BYPASS', 'a TTL of 0';
    is $pg->calls, 2, 'is a statement for both';
};


subtest 'entries are those of state, in both directions' => sub {
    my ($first, $second) = new_slugs(2);
    my $state = sub { $connection->get("/tournaments/api/$_[0]/state/") };

    is $state->($first)->cache, 'MISS', 'a state';
    $pg->reset_calls;
    is get($first)->cache, 'HIT', 'is there for states';
    is get($first, $second)->cache, 'MISS', 'and another is not';
    is $state->($second)->cache, 'HIT', 'until states has read it';
    is $pg->calls, 1, 'one statement for that';

    is_deeply get($second)->json->{states}{$second},
        $state->($second)->json->{state}, 'they say the same';

    get('never-there');
    is $state->('never-there')->cache, 'HIT', 'that there is none, too';
    is $state->('never-there')->status, 404, 'is a 404 there';
    is $pg->calls, 2, 'of one statement';

    my $as = $connection->get("$STATES?slugs=$first", 'X-Account' => 1002);

    is $as->body, get($first)->body, 'a user gets what everybody gets';
    is $as->header('Cache-Control'), 'public, max-age=1', 'and public';
    is $as->header('Vary'), undef, 'without Vary';
    is $connection->get("$STATES?slugs=$first", 'X-Account' => 'x')->status,
        200, 'no account is looked at';
};


subtest 'what is refused' => sub {
    $pg->reset_calls;

    my $error = sub {
        my ($response, $text, $name) = @_;

        local $Test::Builder::Level = $Test::Builder::Level + 1;

        is $response->status . ' ' . $response->body,
            qq(400 {"success":false,"error":"$text","code":"bad_request"}),
            $name;
    };

    my $slug = 'Malformed tournament slug';
    my $json = 'The body is not a JSON array of slugs';

    $error->($connection->get($STATES . $_), 'The argument slugs is missing',
             "GET $_") for '', '?', '?slug=a', '?Slugs=a', '?slugs';

    $error->($connection->get("$STATES?slugs=a&x=&slugs=b"),
             'The argument slugs is given twice', 'given twice');

    $error->(get($_), $slug, "GET $_")
        for ',', 'a,', ',a', 'a,,b', 'a.b', 'a%20', '%2Ba', 'a+b', "a'b",
            'a%00b', '%00', '%FF', 'a%0Ab', 'x' x 256, 'a,' . 'x' x 256,
            'a;b', '%E0%A6%BE', '"a"', '[]', '{a}';

    $error->(post($_->[1]), $slug, "POST $_->[0]")
        for [ 'an empty slug', '[""]' ], [ 'a blank', '["a b"]' ],
            [ 'a dot', '["a","a.b"]' ], [ '256 characters',
                                          '["' . 'x' x 256 . '"]' ],
            [ 'NUL', '["a\u0000b"]' ], [ 'NUL alone', '["\u0000"]' ],
            [ 'an escaped quote', '["a\"b"]' ],
            [ 'a surrogate', '["\ud800"]' ],
            [ 'a pair of them', '["\ud83c\udfc6"]' ],
            [ 'UTF-8', '["ঢ"]' =~ s/\x{9a2}/\xe0\xa6\xa2/r ],
            [ 'a comma in it', '["a,b"]' ], [ 'braces in it', '["{a}"]' ];

    $error->(post($_->[1]), $json, "POST $_->[0]")
        for [ 'nothing', '' ], [ 'blanks', " \r\n\t " ], [ 'null', 'null' ],
            [ 'true', 'true' ], [ 'a number', '1' ], [ 'a string', '"a"' ],
            [ 'an object', '{"slugs":["a"]}' ], [ 'an empty object', '{}' ],
            [ 'a number in it', '["a",1]' ], [ 'a fraction', '[1.5]' ],
            [ 'a large number', '[' . '9' x 1000 . ']' ],
            [ 'null in it', '["a",null]' ], [ 'true in it', '[true]' ],
            [ 'an object in it', '["a",{}]' ],
            [ 'an object with a list', '[{"a":["a"]}]' ],
            [ 'an array in it', '["a",["b"]]' ], [ 'empty ones', '[[]]' ],
            [ 'deep nesting', '[' x 30000 ],
            [ 'deep nesting that is closed', '[' x 9999 . ']' x 9999 ],
            [ 'deep nesting of objects', '{"a":' x 9999 ],
            [ 'truncated', '["a"' ], [ 'truncated in a string', '["a' ],
            [ 'truncated in an escape', '["a\u00' ], [ 'a bracket', '[' ],
            [ 'a closing one', ']' ], [ 'the wrong one', '["a"}' ],
            [ 'something after it', '["a"]x' ], [ 'two of them', '["a"]["b"]' ],
            [ 'two, on two lines', "[\"a\"]\n[\"b\"]" ],
            [ 'a comma after it', '["a"],' ], [ 'a comma too many', '["a",]' ],
            [ 'no comma', '["a" "b"]' ], [ 'only a comma', '[,]' ],
            [ 'single quotes', "['a']" ], [ 'no quotes', '[a]' ],
            [ 'a bad escape', '["\x61"]' ], [ 'a bad \u', '["\u00g0"]' ],
            [ 'a comment', '["a"/*x*/]' ], [ 'a line feed', "[\"a\nb\"]" ],
            [ 'NUL bytes', "[\"a\"]\0" ], [ 'NUL in it', "[\0\"a\"]" ],
            [ 'broken UTF-8', "[\"\xff\"]" ],
            [ 'a byte order mark', "\xef\xbb\xbf[\"a\"]" ],
            [ 'UTF-16', "\xff\xfe[\0\"\0a\0\"\0]\0" ],
            [ 'a form', 'slugs=a,b' ], [ 'XML', '<a/>' ];

    is_error $connection->request($_, $STATES, body => '[]'), 405,
        'method_not_allowed', $_ for qw(PUT DELETE PATCH OPTIONS);
    is $connection->request('PUT', $STATES)->header('Allow'),
        'GET, HEAD, POST', 'Allow';

    is $pg->calls, 0, 'none of them reaches the database';
};


subtest 'JSON as others write it' => sub {
    my $expected = get(@demo[0, 1])->body;
    my $escaped  = join '', map { sprintf '\u%04x', ord } split //, $demo[0];

    is post($_->[1])->body, $expected, $_->[0]
        for [ 'blanks', " \r\n[\t\"$demo[0]\" ,\n \"$demo[1]\"\t]\r\n " ],
            [ 'escapes', "[\"$escaped\",\"$demo[1]\"]" ],
            [ 'a body of 64 KiB',
              sprintf '%-65536s', list(@demo[0, 1]) ];

    is post(list(@demo[0, 1]), 'Content-Type' => $_)->body, $expected,
        "Content-Type: $_"
        for 'application/json', 'text/plain', 'x';
};


# However the bytes come, and however nginx buffers them.

subtest 'bodies in pieces' => sub {
    my $expected = get(@demo[0 .. 9])->body;
    my $body     = list(@demo[0 .. 9]);

    my $whole = Tournament::HTTP::format_request('POST', $STATES,
                                                 body => $body);

    for my $size (1, 2, 7, 100) {
        my $c = Tournament::HTTP->new(port => $small);

        # Each piece is a segment of its own, sent when the one before has
        # been acknowledged: nginx may read them apart or together.

        $c->send_raw($_) for unpack "(a$size)*", $whole;
        is $c->receive('POST')->body, $expected, "$size bytes at a time";
        is $c->get("$STATES?slugs=x")->status, 200, 'the connection goes on';
    }

    for my $size (1, 3, 50, 1000) {
        my $c = Tournament::HTTP->new(port => $nginx->port);

        $c->send_raw("POST $STATES HTTP/1.1\r\nHost: a\r\n"
                     . "Transfer-Encoding: chunked\r\n\r\n");
        $c->send_raw(sprintf "%x\r\n%s\r\n", length, $_)
            for unpack "(a$size)*", $body;
        $c->send_raw("0\r\n\r\n");
        is $c->receive('POST')->body, $expected, "chunks of $size bytes";
        is $c->get("$STATES?slugs=x")->status, 200, 'the connection goes on';
    }

    my $c = $nginx->connect;

    $c->send_raw("POST $STATES HTTP/1.1\r\nHost: a\r\nContent-Length: "
                 . length($body) . "\r\nExpect: 100-continue\r\n\r\n");
    is $c->receive('POST')->status, 100, 'Expect: 100-continue';
    $c->send_raw($body);
    is $c->receive('POST')->body, $expected, 'and the body after it';

    # A request behind the body on the same connection.

    $c->send_raw($whole x 3);
    is $c->receive('POST')->body, $expected, 'pipelined' for 1 .. 3;

    # Who goes away in the middle of it.

    for my $length (1, 20, length($body) - 1) {
        my $gone = $nginx->connect;

        $gone->send_raw(substr $whole, 0, length($whole) - $length);
        $gone->close;
    }

    is get($demo[0])->status, 200, 'clients that go away do no harm';
};


subtest 'bodies that are too large' => sub {
    my $large = sprintf '%-65537s', list('a');
    my $c     = $nginx->connect;

    is_error $c->post($STATES, body => $large), 413, 'too_large',
        'a byte above 64 KiB';

    # A list of too many, and then of too many bytes.

    my $chunked = sub {
        my ($path, @chunks) = @_;
        my $c = $nginx->connect;

        $c->send_raw("POST $path HTTP/1.1\r\nHost: a\r\n"
                     . "Transfer-Encoding: chunked\r\n\r\n");

        # The server may answer before it has all.

        eval {
            $c->send_raw(sprintf "%x\r\n%s\r\n", length, $_) for @chunks;
            $c->send_raw("0\r\n\r\n");
        };

        return $c->receive('POST');
    };

    is $chunked->($STATES, list('a'), ' ' x 65531)->status, 200,
        '64 KiB in chunks';
    is_error $chunked->($STATES, list('a'), ' ' x 65532), 413, 'too_large',
        'a byte more in chunks';
    is_error $chunked->($STATES, list('a'), (' ' x 1000) x 66), 413,
        'too_large', 'in many chunks';
    is_error $chunked->('/large', list('a'), (' ' x 1000) x 3000), 413,
        'too_large', 'much more in chunks';
    is_error $nginx->post('/large', body => ' ' x 3_000_000), 413,
        'too_large', 'much more at once';
    is_error $chunked->($STATES, '[', ('"x" ,' x 10) x 2000), 413,
        'too_large', 'whatever is in it';

    is get('a')->status, 200, 'and it goes on';
};


subtest 'no body touches a file' => sub {
    unlike $nginx->log, qr/buffered to a temporary file/, 'by the log';
    is_deeply [ grep { -f } glob "$temp/body/* $temp/body/*/*" ], [],
        'by the directory';
};


# A mirror's subrequest has no body where the main request's is not read; a
# redirect may come before anybody has read it, or when somebody has.

subtest 'bodies that others have' => sub {
    my $other = Tournament::Nginx->new(
        name      => 'other',
        database  => $pg,
        locations => [
            'location = /mirrored { mirror /states; mirror_request_body off;
                                    tournament states; }',
            'location = /copied   { mirror /states; tournament states;
                                    client_body_buffer_size 128k; }',
            'location = /refused  { error_page 405 = @states;
                                    tournament state $arg_slug; }',
            'location = /states   { tournament states; }',
            'location @states     { tournament states; }',
        ],
    );

    for my $size (100, 60_000) {
        my $body = '["none"]' . ' ' x $size;

        for my $path ('/mirrored', '/copied', '/refused') {
            my $response = $other->post($path, body => $body);

            is $response->status, 200, "$path, $size bytes";
            is_deeply $response->json->{missing}, [ 'none' ], 'its list';
        }
    }
};


subtest 'ETag and 304' => sub {
    my $slugs = join ',', @demo[0 .. 2];
    my $page  = $connection->get("$STATES?slugs=$slugs");
    my $etag  = $page->header('ETag');
    my $again = sub {
        return $connection->get("$STATES?slugs=" . ($_[0] // $slugs),
                                'If-None-Match' => $etag)->status;
    };

    like $etag, qr{^W/"[0-9a-f]{16}"$}, 'a weak ETag';
    is $page->header('Cache-Control'), 'public, max-age=1', 'Cache-Control';
    is $again->(), 304, 'the same again';
    is $again->(join ',', @demo[0 .. 1]), 200, 'fewer of them';
    is $again->(join ',', @demo[0 .. 2], 'x'), 200, 'one that is missing';
    is $again->(join ',', @demo[1, 0, 2]), 200, 'another order';
    is $again->(join ',', @demo[0, 0 .. 2]), 304, 'one of them twice';

    my $post = post(list(@demo[0 .. 2]), 'If-None-Match' => $etag);

    is $post->status, 200, 'a POST is answered whole';
    is $post->header('ETag'), $etag, 'with the same ETag';

    # A countdown moves it with the half minute, and not within it.

    my ($open) = grep { $_ eq 'valorant-masters' } @demo;
    my %etags;

    for my $second (0 .. 89) {
        $nginx->set_clock($NOW + $second);
        $etags{ int(($NOW + $second) / 30) }{ get($open)->header('ETag') } = 1;
    }

    is_deeply [ map { scalar keys %$_ } values %etags ], [ 1, 1, 1 ],
        'one in each half minute';
    is scalar(keys %{ { map { %$_ } values %etags } }), 3, 'and another then';

    $etag = get('completed-no-dates')->header('ETag');
    $nginx->set_clock($NOW + 86400);
    is get('completed-no-dates')->header('ETag'), $etag,
        'without a countdown none changes';
    $nginx->set_clock($NOW);
};


subtest 'the second passes while others are waited for (invariant 3)' => sub {
    my ($new)  = new_slugs(1);
    my $oracle = Tournament::Oracle->new($pg);
    my $lock   = $pg->session;

    get(@demo[0 .. 9]);

    # What is cached was rendered for this second; the answer is of a later
    # one, and says so throughout.

    $lock->rows('BEGIN; LOCK TABLE tournaments_tournament');

    my $c = $nginx->connect;

    $c->send('GET', "$STATES?slugs=" . join ',', @demo[0 .. 9], $new);
    poll_until {
        grep { $_->{wait} && $_->{wait} eq 'Lock' } $pg->backends
    } 20, 'the statement waits';

    $nginx->set_clock($NOW + 601);
    $lock->rows('COMMIT');

    is_text $c->receive->text, $oracle->states($NOW + 601, @demo[0 .. 9], $new),
        'all are of one instant';
    $nginx->set_clock($NOW);
};


subtest 'HTTP/2' => sub {
    my ($status, $features) = run({}, 'curl', '--version');

    plan skip_all => 'curl has no HTTP/2' if $features !~ /HTTP2/;

    my $expected = get(@demo[0 .. 9])->body;
    my $body     = list(@demo[0 .. 9]);
    my @curl     = ('curl', '-s', '-m', 30, '--http2-prior-knowledge',
                    '-w', ' %{http_code} %{http_version}');
    my $url      = "http://127.0.0.1:$h2$STATES";

    is run_ok({}, @curl, "$url?slugs=" . join ',', @demo[0 .. 9]),
        "$expected 200 2", 'GET';
    is run_ok({}, @curl, '-d', $body, $url), "$expected 200 2", 'POST';
    is run_ok({ input => $body }, @curl, '-T', '-', '-X', 'POST', $url),
        "$expected 200 2", 'POST without a length';
    is run_ok({ input => sprintf '%-65536s', $body }, @curl,
              '--data-binary', '@-', $url), "$expected 200 2", '64 KiB';

    # nginx resets the stream behind an answer that comes before the body's
    # end, as it may, which not every curl copes with: by nginx's log then.

    run({ input => sprintf '%-65537s', $body }, @curl,
        '--data-binary', '@-', "$url?a-byte-more");
    run({ input => ' ' x 70000 }, @curl, '-T', '-', '-X', 'POST',
        "$url?without-a-length");

    for my $mark (qw(a-byte-more without-a-length)) {
        my $line = poll_until {
            (grep { /\?$mark / } $nginx->access_log)[0]
        } 20, $mark;

        like $line, qr{^413 .* HTTP/2\.0$}, "413: $mark";
    }

    like run_ok({}, @curl, '-d', '[1]', $url), qr/bad_request.* 400 2$/,
        'what is no list of slugs';
    is run_ok({}, @curl, '-d', $body, $url), "$expected 200 2", 'and again';
};


done_testing;
