# Clients that break off: at every byte of a request, at every stage of its
# query, and by streams of HTTP/2 in waves; bodies in tiny chunks, and a page
# of hundreds of parts. The next request is right, and nothing is kept.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate  = $pg->gate;
my $proxy = $pg->proxy;
my $h2    = free_port();
my %api   = Tournament::Nginx::api();

my $tournament = $pg->tournament(slots => 321, slug => 'some');
my $path       = $tournament->{path};

$pg->tournament(slug => "slow-$_") for 1 .. 3;

my ($option) = Tournament::Nginx::version() =~ /^1\.(\d+)/;

my $nginx = Tournament::Nginx->new(
    %api,
    database => $proxy->conninfo,
    http     => [
        @{ $api{http} },
        'tournament_database_connections 2; tournament_query_timeout 20s;
         keepalive_requests 100000;',
        $option < 25 ? "server { listen 127.0.0.1:$h2 http2;"
                     : "server { listen 127.0.0.1:$h2; http2 on;",
        'http2_max_concurrent_streams 128;
         location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; } }',
    ],
    locations => [
        @{ $api{locations} },
        'location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
        'location /pages/ { ssi on; ssi_types *; root %%DIR%%; }',
    ],
);

my ($worker) = $nginx->worker_pids;


sub is_well {
    my ($name) = @_;

    my $response = $nginx->get($path);

    is eval { $response->json->{max_teams} }, 321, $name;
    is $response->worker, $worker, 'of the same worker';

    return;
}


# A reset, not an end.

sub break_off {
    my ($connection) = @_;

    setsockopt $connection->{socket}, Socket::SOL_SOCKET(),
        Socket::SO_LINGER(), pack 'ii', 1, 0;
    $connection->close;

    return;
}


sub gone {
    my ($most) = @_;

    poll_until { $nginx->held->{descriptors} <= $most } 20, "descriptors";

    return;
}


is_well('at first');

my $before = $nginx->held->{descriptors};


subtest 'at every byte of a request' => sub {
    my $slugs = '["some","nobody"]';

    for my $request (
        "GET $path HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /tournaments/api/states/ HTTP/1.1\r\nHost: x\r\nContent-Length: "
            . length($slugs) . "\r\n\r\n$slugs",
        "POST /tournaments/api/states/ HTTP/1.1\r\nHost: x\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n"
            . join('', map { "1\r\n$_\r\n" } split //, $slugs) . "0\r\n\r\n",
    ) {
        for my $n (1 .. length $request) {
            my $connection = $nginx->connect;

            $connection->send_raw(substr $request, 0, $n);
            break_off($connection);
        }
    }

    is_well('the next is answered');
    gone($before);
};


subtest 'at every stage of a query' => sub {
    my @stages = (
        [ 'sent'       => sub { $gate->wait_waiting(2) } ],
        [ 'queued'     => sub { $gate->wait_waiting(2) } ],
        [ 'no server'  => sub { $proxy->set(refuse => 1); $proxy->cut } ],
        [ 'connecting' => sub { $proxy->set(stall => 1); $proxy->cut } ],
        [ 'silent'     => sub { $proxy->set(hold => 'server') } ],
    );

    for my $stage (@stages) {
        my ($name, $reach) = @$stage;
        my $waits = $name =~ /sent|queued/;

        $gate->shut if $waits;
        $reach->() unless $waits;

        my @connections = map {
            $nginx->connect->send('GET', "/uncached/slow-$_")
        } (1 .. 3) x 5;

        $reach->() if $waits;

        break_off($_) for @connections;

        $gate->open if $waits;
        $proxy->pass;

        poll_until {
            $nginx->get('/uncached/some')->status == 200
        } 30, "an answer after \"$name\"";
        pass $name;
    }

    is_well('all is well');
    gone($before + 4);
};


# HTTP/2 by hand: a connection's preface, requests whose header is not
# compressed, and a reset of each.

sub frame {
    my ($type, $flags, $stream, $payload) = @_;

    return substr(pack('N', length $payload), 1)
        . pack('CCN', $type, $flags, $stream) . $payload;
}

sub header_block {
    my ($to) = @_;

    return join '', map {
        my ($name, $value) = @$_;
        "\0" . chr(length $name) . $name . chr(length $value) . $value
    } [ ':method', 'GET' ], [ ':scheme', 'http' ], [ ':path', $to ],
      [ ':authority', 'x' ];
}


subtest 'streams of HTTP/2 in waves' => sub {
    $gate->shut;

    for my $wave (1 .. 20) {
        my $connection = Tournament::HTTP->new(port => $h2);
        my $bytes      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');

        for my $n (0 .. 99) {
            my $stream = 2 * $n + 1;

            $bytes .= frame(1, 5, $stream,
                            header_block('/uncached/slow-' . (1 + $n % 3)))
                . frame(3, 0, $stream, pack 'N', 8);
        }

        $connection->send_raw($bytes);

        # the server's settings, at least, or it would not have read

        sysread $connection->{socket}, my $settings, 4096;
        $wave % 2 ? break_off($connection) : $connection->close;
    }

    $gate->open;
    poll_until {
        $nginx->get('/uncached/some')->status == 200
    } 30, 'an answer';
    is_well('all is well');
    gone($before + 4);
};


subtest 'bodies in tiny chunks' => sub {
    for my $size (65535, 65536, 65537) {
        my $connection = $nginx->connect(timeout => 60);
        my $body       = sprintf "%-${size}s", '["some","nobody"]';
        my $bytes      = join '', map { sprintf "%x\r\n%s\r\n", length, $_ }
                                  unpack '(a3)*', $body;

        $connection->send_raw("POST /tournaments/api/states/ HTTP/1.1\r\n"
                              . "Host: x\r\nTransfer-Encoding: chunked\r\n\r\n");

        # what is too large may be answered, and the rest not read

        eval { $connection->send_raw("${bytes}0\r\n\r\n") };

        my $response = $connection->receive('POST');

        is $response->status, $size > 65536 ? 413 : 200, "$size bytes";
        is $response->json->{missing}[0], 'nobody', 'and its answer'
            if $size <= 65536;
    }

    is_well('the next is answered');
};


subtest 'a page of 200 parts' => sub {
    $pg->rows(q{
        INSERT INTO tournaments_tournament
               (name, slug, game, status, slot_size, created_at, updated_at,
                groups_published)
        SELECT 'T', 'part-' || n, 'valorant', 'PUBLISHED', 5000 + n, now(),
               now(), false
          FROM generate_series(1, 200) AS n
    });

    mkdir $nginx->dir . '/pages' or die "mkdir: $!";
    spew($nginx->dir . '/pages/all', join "\n", map {
        qq(<!--# include virtual="/tournaments/api/part-$_/state/" -->)
    } 1 .. 200);

    for my $time ('from the database', 'from memory') {
        my $body = $nginx->get('/pages/all')->body;

        is_deeply [ $body =~ /"max_teams":(\d+)/g ], [ 5001 .. 5200 ],
            "all of them, in order, $time";
    }
};


done_testing;
