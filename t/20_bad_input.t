# What clients send that they should not, or send oddly: an answer all the
# same, never a query, nothing of another's answer.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::HTTP;
use Tournament::Test;

my $pg     = Tournament::Postgres->new(load => [qw(schema install)]);
my $narrow = free_port();

# What is freed is overwritten: who still sends it sends this.

local $ENV{MALLOC_PERTURB_} = 90;

my $nginx = Tournament::Nginx->new(
    database => $pg,
    workers  => 1,
    http     => [
        'tournament_ttl state 1h; tournament_ttl missing 1h;',
        'keepalive_requests 100000; client_header_timeout 20s;',
        "server {
             listen 127.0.0.1:$narrow sndbuf=4k;
             ${\ Tournament::Nginx::state_location() }
         }",
    ],
    locations => [
        Tournament::Nginx::state_location(),
        'location /argument/ { tournament state $arg_slug; }',
        'location /header/ { tournament state $http_x_slug; }',
        'location = /hub/ { tournament hub; }',
        'location ~ ^/games/(?<game>.*)/$ { tournament hub $game; }',
        "location = /nul/ { set \$nul 'a\0b'; tournament hub \$nul; }",
    ],
);

my $STATEMENT = '%tournament_api.state(%';

my $tournament = $pg->tournament(slots => 12345);
my $path       = $tournament->{path};

$nginx->get($path);


sub calls { return $pg->calls(like => $STATEMENT) }


# The tournament's answer, whole and nobody else's.

sub is_answer {
    my ($response, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is eval { $response->json->{max_teams} }, 12345, $name;
}


subtest 'slugs that are none (invariant 8)' => sub {
    my @bad = (
        [ 'very long',                'x' x 5000 ],
        [ 'long in UTF-8',            '%D0%B4' x 128 ],
        [ 'UTF-8 as it is',           "\xd0\xb4\xd0\xbe\xd1\x82\xd0\xb0" ],
        [ 'overlong UTF-8',           '%c0%af' ],
        [ 'UTF-8 of a surrogate',     '%ed%a0%80' ],
        [ 'full-width letters',       '%ef%bd%81' ],
        [ 'every byte above 127',
          join '', map { sprintf '%%%02x', $_ } 128 .. 255 ],
        [ 'DEL',                      'a%7f' ],
        [ 'a tab',                    'a%09b' ],
        [ 'a carriage return',        'a%0d%0ab' ],
        [ 'encoded twice',            '%2541' ],
        [ 'a backslash',              'a%5cb' ],
        [ 'a dollar',                 '$1' ],
        [ 'a format',                 '%25s%25n' ],
        [ 'a wildcard',               '*' ],
        [ 'two slugs',                'a,b' ],
        [ 'a plus sign',              'a+b' ],
        [ 'an escape string',         "%5c'; SELECT 1 --" =~ s/ /%20/gr ],
    );

    $pg->reset_calls;

    is_error $nginx->state($_->[1]), 400, 'bad_request', $_->[0] for @bad;

    # An argument or a header comes as it was sent.

    is_error $nginx->get("/argument/?slug=$_->[1]"), 400, 'bad_request',
        "$_->[0], of an argument" for [ 'percent', 'a%00b' ],
                                      [ 'very long', 'x' x 5000 ];
    is_error $nginx->get('/header/', 'X-Slug' => "a\xffb"), 400,
        'bad_request', 'of a header';
    is_error $nginx->get('/header/'), 400, 'bad_request', 'of none';

    is $nginx->state($_->[1])->status, $_->[2], "$_->[0] (nginx's own answer)"
        for [ 'NUL',                 '%00',        400 ],
            [ 'NUL in the middle',   'a%00b',      400 ],
            [ 'broken encoding',     'a%4',        400 ],
            [ 'no hexadecimal',      '%zz',        400 ],
            [ 'a slash',             'a%2fb',      404 ],
            [ 'dots',                '%2e%2e',     404 ],
            [ 'nothing',             '',           404 ],
            [ 'longer than a line',  'x' x 40_000, 414 ];

    is calls(), 0, 'none of them reaches the database';
    is_answer $nginx->get($path), 'and nothing is broken';
};


# What RFC 3629 does not know: overlong forms, surrogates, what is beyond
# U+10FFFF, bytes that never occur, and characters that are not complete.

subtest 'text that is no UTF-8 (invariant 8)' => sub {
    my @bad = qw(%D2%CA %C0%80 %C1%BF %E0%9F%BF %ED%A0%80 %ED%BF%BF
                 %F0%8F%BF%BF %F4%90%80%80 %F5%80%80%80 %F8%88%80%80%80 %FE
                 %FF %80 %BF %C3 %C3%28 %E2%82 %E2%28%A1 %E2%82%28
                 %F0%9F%8F %F0%9F%8F%28 %C3%FF %E2%82%C3 %00 a%00b);

    $pg->reset_calls;

    for my $bad (@bad) {
        is_error $nginx->get("/hub/?q=$bad"), 400, 'bad_request', "q=$bad";
        is_error $nginx->get("/hub/?game=x$bad"), 400, 'bad_request',
            "game=x$bad";

        next if $bad =~ /%00/;

        is_error $nginx->get("/games/$bad/"), 400, 'bad_request',
            "the location's game: $bad";
    }

    is_error $nginx->get('/nul/'), 400, 'bad_request',
        "a NUL in a variable of another module's";

    is $pg->calls, 0, 'none of them reaches the database';

    is $nginx->get("/hub/?q=$_")->status, 200, "q=$_ is UTF-8"
        for qw(%C2%80 %DF%BF %E0%A0%80 %ED%9F%BF %EE%80%80 %F0%90%80%80
               %F4%8F%BF%BF a);
};


subtest 'arguments that are given twice' => sub {
    $pg->reset_calls;

    for my $name (qw(game status fee prize sort q page per_page)) {
        my $twice = $nginx->get("/hub/?$name=&x=1&$name=1");

        is_error $twice, 400, 'bad_request', $name;
        is $twice->json->{error}, "The argument $name is given twice",
            'is named';
    }

    is $pg->calls, 0, 'none of them reaches the database';
    is $nginx->get('/hub/?x=1&x=2&pages=1&pages=1')->status, 200,
        'those that are unknown may be';
    is $nginx->get('/games/a/?game=b&game=c')->status, 200,
        'those that are not read, too';
};


subtest 'names and arguments make no further entries (invariant 8)' => sub {
    my $slug = $tournament->{slug};

    $nginx->get($path);
    $pg->reset_calls;

    is_answer $nginx->get($_), $_
        for "$path?", "$path?a=1", "$path?slug=other", "$path?" . 'x' x 5000,
            "/$path", "/x/..$path", "$path#fragment",
            $path =~ s/$slug/join '', map { sprintf '%%%02x', ord } split m{},
                                                                    $slug/er;

    is calls(), 0, 'all are one entry';
};


subtest 'headers (invariant 8)' => sub {
    is_answer $nginx->get($path, map { ("X-$_" => 'y' x 1000) } 1 .. 25),
        'many';
    is_answer $nginx->get($path, 'Cookie' => 'z' x 7000), 'a long one';

    is $nginx->get($path, 'Cookie' => 'z' x 9000)->status, 400,
        "one that is too long (nginx's own answer)";

    my $etag = $nginx->get($path)->header('ETag');

    for my $value ('', '"', 'W/', 'W/"', '"" ' x 2000, ',' x 5000,
                   'W/"' . 'f' x 7000 . '"', substr($etag, 0, -1),
                   lc($etag) . 'x', "\xff\xfe")
    {
        my $name = length $value > 30 ? length($value) . ' bytes' : $value;

        is_answer $nginx->get($path, 'If-None-Match' => $value),
            "If-None-Match: $name";
    }

    is $nginx->get($path, 'If-None-Match' => '"x", ' x 1000 . $etag)->status,
        304, 'the last of a thousand';
    is $nginx->get($path, 'If-Match' => '"other"')->status, 412,
        "If-Match (nginx's own answer)";

    is_answer $nginx->get($path, @$_), "$_->[0]: $_->[1]"
        for [ 'Range' => 'bytes=0-5' ],
            [ 'If-Modified-Since' => 'never' ],
            [ 'If-Modified-Since' => 'Sun, 06 Nov 2044 08:49:37 GMT' ],
            [ 'Accept' => 'text/html;q=nonsense' ],
            [ 'Accept-Encoding' => 'gzip, br, *;q=0' ],
            [ 'Expect' => 'nothing' ];
};


subtest 'bodies that nobody asked for (invariant 8)' => sub {
    my $connection = $nginx->connect;

    is_answer $connection->get($path, body => 'x' x 100), 'of a GET';
    is_answer $connection->get($path, body => 'x' x 1_000_000), 'long';
    is_answer $connection->get($path,
                               'Transfer-Encoding' => 'chunked',
                               body => "5\r\nhello\r\n0\r\n\r\n"),
        'in chunks';
    is $connection->head($path, body => 'x')->status, 200, 'of a HEAD';
    is_answer $connection->get($path), 'the connection is in step';

    is_error $connection->post($path, body => 'x' x 100_000), 405,
        'method_not_allowed', 'of a POST';
    is_error $connection->get('/argument/?slug=.', body => 'x' x 1000), 400,
        'bad_request', 'of a bad request';
    is_answer $connection->get($path), 'the connection is in step';

    is $nginx->get($path, body => 'x', 'Content-Length' => $_)->status, 400,
        "Content-Length: $_ (nginx's own answer)" for '-1', '1x', '9' x 30;

    is $nginx->get($path, 'Transfer-Encoding' => 'chunked',
                   body => "x\r\n")->status, 400,
        "a broken chunk (nginx's own answer)";

    # The body is announced and does not come: the answer does not wait for
    # it, whether or not the client waits to be told to go on.

    my $waiting = $nginx->connect;

    $waiting->send('GET', $path, 'Content-Length' => 10);
    is_answer $waiting->receive, 'one that does not come';

    $waiting = $nginx->connect;
    $waiting->send('GET', $path, 'Content-Length' => 10,
                   'Expect' => '100-continue');

    my $answer = $waiting->receive;

    $answer = $waiting->receive if $answer->status == 100;

    is_answer $answer, 'Expect: 100-continue';
};


subtest 'methods (invariant 8)' => sub {
    $pg->reset_calls;

    is_error $nginx->request($_, $path), 405, 'method_not_allowed', $_
        for qw(PROPFIND MKCOL COPY LOCK PURGE);

    # nginx knows no names but those of HTTP and WebDAV; others are nothing to
    # a handler but a method that is not GET.

    is $nginx->request($_->[0], $path)->status, $_->[1], $_->[0]
        for [ 'TRACE', 405 ], [ 'get', 400 ], [ 'G_T', 405 ],
            [ 'X' x 200, 405 ], [ 'GET/', 400 ];

    is_error $nginx->request('POST', '/tournaments/api/nobody/state/'), 405,
        'method_not_allowed', 'whether or not there is such a tournament';
    is calls(), 0, 'at no query';
};


subtest 'old and broken HTTP (invariant 8)' => sub {
    my $raw = sub {
        my ($bytes) = @_;

        my $connection = $nginx->connect;

        return $connection->send_raw($bytes)->receive('GET');
    };

    is_answer $raw->("GET $path HTTP/1.0\r\n\r\n"), 'HTTP/1.0';
    is_answer $raw->("GET $path HTTP/1.1\nHost: x\n\n"), 'bare line feeds';
    is_answer $raw->("\r\n\r\nGET $path HTTP/1.1\r\nHost: x\r\n\r\n"),
        'empty lines before it';
    is_answer $raw->("GET http://elsewhere$path HTTP/1.1\r\nHost: x\r\n\r\n"),
        'a whole URL';
    is $raw->("GET $path HTTP/1.1\r\n\r\n")->status, 400, 'no Host';
    is $raw->("GET $path HTTP/9.9\r\nHost: x\r\n\r\n")->status, 505,
        'HTTP/9.9';
    is $raw->("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n")->status, 400,
        'TLS';

    my $ancient = $nginx->connect;

    $ancient->send_raw("GET $path\r\n");
    ok $ancient->eof, 'HTTP/0.9';
    like $ancient->{buffer}, qr/^\{"success":true.*"max_teams":12345/s,
        'is answered with the document alone';

    # Byte by byte; each is on its way before the next is written.

    my $slow = $nginx->connect;

    $slow->send_raw($_) for split //, "GET $path HTTP/1.1\r\nHost: x\r\n\r\n";
    is_answer $slow->receive('GET'), 'byte by byte';
};


subtest 'good and bad ones in one pipeline (invariant 5)' => sub {
    my @good = map { $pg->tournament(slots => 1000 + $_) } 0 .. 9;
    my @expected;
    my $bytes = '';

    for my $i (0 .. 299) {
        my $t    = $good[ $i % 10 ];
        my @kind = (
            [ 200, $t->{path} ],
            [ 400, '/tournaments/api/a.b/state/' ],
            [ 404, '/tournaments/api/nobody/state/' ],
            [ 405, $t->{path}, 'POST' ],
        );
        my ($status, $to, $method) = @{ $kind[ $i % 4 ] };

        push @expected, $status == 200 ? 1000 + $i % 10 : $status;

        $bytes .= Tournament::HTTP::format_request($method // 'GET', $to,
            $method ? (body => 'x' x ($i * 7)) : ());
    }

    my $connection = $nginx->connect->send_raw($bytes);
    my @got = map {
        my $response = $connection->receive('GET');
        $response->status == 200 ? $response->json->{max_teams}
                                 : $response->status;
    } @expected;

    is_deeply \@got, \@expected, 'each has its own answer, in order';
};


subtest 'a reader so slow that its answers are replaced (invariants 5, 8)'
=> sub {
    my @other = map { $pg->tournament(slots => 2000 + $_) } 0 .. 49;
    my $count = 2000;

    # With these buffers a few answers are on their way, and one is half sent.

    socket my $socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0
        or die "socket: $!";
    setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), 2048;
    connect $socket, Socket::pack_sockaddr_in($narrow,
        Socket::inet_aton('127.0.0.1')) or die "connect: $!";

    my $slow = Tournament::HTTP->new(port => $narrow);

    $slow->{socket} = IO::Socket->new_from_fd($socket, '+<');

    # Its requests are of what others ask for as well.

    my $sender = fork // die "fork: $!";

    if (!$sender) {
        syswrite $socket, Tournament::HTTP::format_request('GET', $path)
            for 1 .. $count;
        POSIX::_exit(0);
    }

    my $reader = $nginx->connect;
    my %second;

    poll_until {
        $second{ $reader->get($path)->json->{timestamp} }++;
        $reader->get($_->{path}) for @other;
        keys %second >= 4;
    } 30, 'three more seconds';

    my %wrong;
    my %seen;

    for (1 .. $count) {
        my $response = $slow->receive('GET');
        my $json     = eval { $response->json };

        $wrong{ $response->raw }++ if !$json || $json->{max_teams} != 12345;
        $seen{ $json->{timestamp} }++ if $json;
    }

    waitpid $sender, 0;

    is_deeply \%wrong, {}, 'gets them whole, and no others';
    cmp_ok scalar(keys %seen), '>', 1, 'of more than one second';
    is_answer $reader->get($path), 'and so does the next';
};


subtest 'clients that go away in the middle (invariant 8)' => sub {
    my $slug = 'x' x 200;

    for my $part ("GET $path HT", "GET $path HTTP/1.1\r\nHost: x\r\n",
                  "POST $path HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
                  "GET $path HTTP/1.1\r\nHost: x\r\n\r\n",
                  "GET /tournaments/api/$slug/state/ HTTP/1.1\r\n"
                  . "Host: x\r\n\r\n")
    {
        for (1 .. 20) {
            my $connection = $nginx->connect;

            $connection->send_raw($part);

            # A reset, not an end.

            setsockopt $connection->{socket}, Socket::SOL_SOCKET(),
                Socket::SO_LINGER(), pack 'ii', 1, 0;
            $connection->close;
        }
    }

    is_answer $nginx->get($path), 'leave nothing behind';
};


done_testing;
