# The network between nginx and PostgreSQL, by a proxy: split anywhere, late,
# silent, cut in the middle of anything. Right answers or none, on time, and
# nobody's but one's own.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $CONNECTIONS = 2;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my %proxy = map { $_ => $pg->proxy(listen => $_) } qw(unix tcp);
my $proxy = $proxy{unix};
my $nginx = Tournament::Nginx->new(
    database  => $proxy->conninfo,
    http      => http('2s'),
    locations => [
        Tournament::Nginx::state_location(),
        'location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
        'location ~ ^/states/$ { tournament_ttl state 0; tournament states; }',
    ],
);

my @tournaments = map { $pg->tournament(slots => 100 + $_) } 1 .. 20;


sub http {
    my ($timeout) = @_;

    return "tournament_database_connections $CONNECTIONS;
            tournament_query_timeout $timeout;
            tournament_connect_timeout 10s;
            tournament_ttl state 1h;";
}


# Every tournament, each by a query, many at once.

sub ask_all {
    return fetch(port  => $nginx->port, concurrency => 8,
                 paths => [ map { "/uncached/$_->{slug}" } @tournaments ]);
}


sub is_all_right {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply [ map { $_->max_teams } ask_all() ],
        [ map { 100 + $_ } 1 .. @tournaments ], $name;
}


sub wait_normal {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $pg->wait_idle($CONNECTIONS);
    is $proxy->count->{open}, $CONNECTIONS, 'connections are as before';

    return is_all_right('and all is right');
}


sub lines { return scalar(() = $nginx->log_since =~ /$_[0]/g) }


subtest 'nothing is wrong' => sub {
    wait_normal();

    my $count = $proxy->count;

    cmp_ok $count->{$_}, '>', 1000, "bytes of the $_" for qw(server client);
    is $count->{accepted}, $CONNECTIONS, 'no connection was opened again';
    is $count->{cut}, 0, 'none was cut';
};


subtest 'a byte at a time (invariant 5)' => sub {
    $nginx->reload(http => http('60s'));
    wait_normal();

    $proxy->set(trickle => 1, from => 'server');
    is $nginx->get("/uncached/$tournaments[$_]{slug}")->max_teams, 101 + $_,
        'from the server' for 0 .. 1;

    my $path = '/states/?slugs='
        . join ',', map { $_->{slug} } @tournaments[0 .. 2];

    is $nginx->get($path)->status, 200, 'an answer of several';
    $proxy->pass;

    $proxy->set(trickle => 1, from => 'client');
    is $nginx->get("/uncached/$tournaments[$_]{slug}")->max_teams, 101 + $_,
        'from the client' for 0 .. 1;

    $proxy->set(trickle => 7);
    is_all_right 'seven, both ways, many at once';

    # From the first byte of a connection.

    $pg->terminate;
    is $nginx->get("/uncached/$tournaments[0]{slug}")->max_teams, 101,
        'and as connections are opened';
    $proxy->pass;
    wait_normal();
    is lines(qr/\[error\] .*PostgreSQL at/), 1, 'what was terminated is told';
};


subtest 'late' => sub {
    $proxy->set(delay => 0.06);

    my @answers = ask_all();

    is_deeply [ map { $_->max_teams } @answers ],
        [ map { 100 + $_ } 1 .. @tournaments ], 'right all the same';
    $proxy->pass;
    wait_normal();
};


subtest 'cut after any number of bytes (invariants 5, 9)' => sub {
    my $through = $proxy;

    for my $listen (qw(unix tcp)) {
        $proxy = $proxy{$listen};
        $nginx->reload(database => $proxy->conninfo, http => http('20s'));
        wait_normal();

        my %wrong;
        my $before = $proxy->count->{cut};
        my $cases  = 0;

        # Both connections carry a query each; the next one must bring both to
        # an end, on new connections.

        for my $from (qw(server client)) {
            for my $after (0, 1, 4, 5, 6, 30, 100, 200, 300) {
                $proxy->set(cut => {
                    from  => $from,
                    after => $after,
                    how   => $cases++ % 2 ? 'reset' : 'close',
                });

                my @answers = fetch(
                    port  => $nginx->port,
                    paths => [ map { "/uncached/$_->{slug}" }
                               @tournaments[0 .. 5] ],
                );

                for my $i (0 .. $#answers) {
                    $wrong{"$from $after: " . $answers[$i]->raw}++
                        if $answers[$i]->max_teams ne 101 + $i;
                }
            }
        }

        is_deeply \%wrong, {}, "$listen: no request is lost";
        cmp_ok $proxy->count->{cut} - $before, '>=', $cases,
            '(connections were cut)';
        $proxy->pass;
        wait_normal();
    }

    $proxy = $through;
};


subtest 'cut as it is opened (invariants 1, 9)' => sub {
    $nginx->reload(database => $proxy->conninfo);
    wait_normal();

    my $before = $proxy->count;
    my @asked  = map {
        $proxy->set(cut => { from => 'server', after => $_, new => 1 });
        $proxy->cut('reset');
        my $connection = $nginx->connect->send('GET',
            "/uncached/$tournaments[0]{slug}");
        $proxy->wait_count(cut => $proxy->count->{cut} + $CONNECTIONS);
        $connection;
    } 0, 1, 9, 20, 100, 400;

    $proxy->pass;

    is $_->receive->max_teams, 101, 'who waits is answered' for @asked;
    wait_normal();
    cmp_ok lines(qr/\[error\] .*PostgreSQL at/), '<=', 2,
        'few lines, however many attempts';
};


# An attempt that began just before the end of an outage must time out first.

subtest 'two seconds after it is over' => sub {
    $nginx->reload(http => http('500ms')
                       =~ s/(?<=connections )\d+|(?<=connect_timeout )10/1/gr);
    $pg->wait_idle(1);
    $nginx->log_mark;

    # Until pauses are as long as they come to be.

    $proxy->set(refuse => 1);
    $proxy->cut;
    poll_until { lines(qr/PostgreSQL at/) > 6 } 20, 'attempts';

    my $accepted = $proxy->count->{accepted};

    $proxy->set(stall => 1);
    $proxy->wait_count(accepted => $accepted + 1);
    $proxy->pass;

    my $over = now();

    $pg->wait_idle(1);
    cmp_ok now() - $over, '<', 2, 'it is connected';
};


subtest 'a black hole (invariants 1, 6)' => sub {
    $nginx->reload(http => http('900ms') =~ s/(?<=connect_timeout )10s/300ms/r);
    wait_normal();
    $nginx->get($tournaments[0]{path});

    for my $fault ({ hold => 'both' }, { hold => 'server' }, { lose => 1 },
                   { hold => 'client', stall => 1 })
    {
        my $name = join ', ', map { "$_ $fault->{$_}" } sort keys %$fault;

        $nginx->log_mark;
        $proxy->set(%$fault);

        is_error $nginx->get("/uncached/$tournaments[0]{slug}"), 504,
            'timeout', "$name: the answer";
        is $nginx->get($tournaments[0]{path})->max_teams, 101, 'what is cached';

        # until it is given up

        $nginx->wait_for_log(qr/no answer, neither rows nor an error/);
        poll_until {
            $nginx->get("/uncached/$tournaments[0]{slug}")->status
                == ($fault->{lose} ? 200 : 503)
        } 20, 'it is taken for away';

        $proxy->pass;
        poll_until {
            $nginx->get("/uncached/$tournaments[0]{slug}")->status == 200
        } 20, 'it is back';
        wait_normal();
    }
};


done_testing;
