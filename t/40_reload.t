# Reload and graceful exit, with requests on their way: none is lost, what is
# cached stays, and old processes go.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $STATEMENT   = '%tournament_api.state(%';
my $WORKERS     = 2;
my $CONNECTIONS = 4;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate  = $pg->gate;
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    workers   => $WORKERS,
    http      => http(),
    locations => [
        Tournament::Nginx::state_location(),
        'location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
    ],
);

my @tournaments = map {
    $pg->tournament(slug => "quick-$_", slots => $_)
} 1 .. 30;

my @cached   = map { $_->{path} } @tournaments;
my @uncached = map { "/uncached/$_->{slug}" } @tournaments;


sub http {
    return "tournament_ttl state 1h; tournament_ttl missing 1h;
            tournament_database_connections $CONNECTIONS;
            tournament_query_timeout 30s;";
}


sub calls { return $pg->calls(like => $STATEMENT) }


sub start_load {
    return map {
        load(port => $nginx->port, concurrency => 6, timeout => 40,
             pause => 0.003, path => $_)
    } \@cached, \@uncached;
}


# Answers of tournaments of @tournaments alone, all of them.

sub is_lossless {
    my ($name, @reports) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $report (@reports) {
        my @wrong = grep {
            my $json = eval { JSON::PP::decode_json($_) };
            !$json || !$json->{success} || $json->{max_teams} > @tournaments
        } keys %{ $report->{bodies} };

        is_deeply [ $report->{status}, $report->{failed}, \@wrong ],
            [ { 200 => $report->{requests} }, 0, [] ], $name
            or diag explain $report->{status}, $report->{errors}, \@wrong;
    }

    return;
}


sub wait_connected {
    $pg->wait_idle($CONNECTIONS * $WORKERS);

    return;
}


subtest 'under load (invariants 4, 9)' => sub {
    $nginx->get($_) for @cached;
    $pg->reset_calls;

    my @load = start_load();

    for my $reload (1 .. 4) {
        $_->wait_for(50) for @load;

        # returns when the old workers are gone: they have nothing to wait for

        $nginx->reload;
    }

    $_->wait_for(50) for @load;

    my ($cached, $uncached) = map { $_->stop } @load;

    is_lossless 'no request is lost', $cached, $uncached;
    cmp_ok scalar(keys %{ $cached->{workers} }), '>', $WORKERS,
        '(of several generations)';
    cmp_ok calls(), '<=', $uncached->{requests},
        'no statement for what is cached';

    $pg->reset_calls;
    is scalar(grep { $nginx->get($_)->cache ne 'HIT' } @cached), 0,
        'the cache survives';
    is calls(), 0, 'all of it';
    wait_connected();
    pass 'the old connections are gone';
};


subtest 'with a query on its way (invariant 9)' => sub {
    $pg->tournament(slug => "slow-$_", slots => $_) for 1 .. 6;
    $gate->shut;

    my @asked = map {
        $nginx->connect->send('GET', "/tournaments/api/slow-$_/state/")
    } 1 .. 3;

    $gate->wait_waiting(3);

    my @old = $nginx->worker_pids;

    $nginx->reload(wait => 0);

    is $nginx->state('quick-1')->status, 200, 'new workers answer';
    is scalar(grep { kill 0, $_ } @old) > 0, 1, 'old ones wait';

    $gate->open;

    is_deeply [ map { $_->receive->json->{max_teams} } @asked ], [ 1 .. 3 ],
        'who waited is answered';
    poll_until { !grep { kill 0, $_ } @old } 20, 'old workers are gone';
    pass 'then the old ones go';

    $pg->reset_calls;
    is $nginx->state("slow-$_")->cache, 'HIT', 'and what they read is cached'
        for 1 .. 3;
    is calls(), 0, 'for the new ones';
    wait_connected();
};


subtest 'a bad configuration (invariant 9)' => sub {
    my $good = slurp($nginx->conf_file);
    my @pids = $nginx->worker_pids;

    for my $bad ('tournament_zone 1k;', 'tournament_ttl nothing 1s;',
                 'tournament_database "port=x";', 'tournament nonsense;')
    {
        my $load = load(port => $nginx->port, concurrency => 4,
                        path => [ @cached, @uncached ]);

        spew($nginx->conf_file, $good =~ s/^http \{/http { $bad/mr);
        $nginx->log_mark->signal('HUP');
        $nginx->wait_for_log(qr/\[emerg\]/);
        $load->wait_for(50);

        is_lossless "$bad: the old one goes on", $load->stop;
    }

    $nginx->expect_log(qr/\[emerg\]/);
    is_deeply [ $nginx->worker_pids ], \@pids, 'with the same workers';

    spew($nginx->conf_file, $good);
    $nginx->reload;
    is $nginx->get($cached[0])->cache, 'HIT', 'the next reload is as ever';
};


subtest 'with another database (invariant 9)' => sub {
    my $other = Tournament::Postgres->new(load => [qw(schema install)]);

    $other->tournament(slug => 'quick-1', slots => 777);
    $other->tournament(slug => 'only-there');

    is $nginx->state('only-there')->status, 404, 'not in the first one';

    # While requests come all the time: old workers must not leave anything
    # where new ones find it.

    my $load = load(port => $nginx->port, concurrency => 4,
                    path => '/tournaments/api/quick-1/state/');

    $load->wait_for(50);
    $nginx->reload(database => $other);

    my %seen;

    $seen{ $nginx->state('quick-1')->json->{max_teams} }++ for 1 .. 50;

    is_deeply \%seen, { 777 => 50 }, 'nothing of the old one is shown';
    is $nginx->state('only-there')->status, 200, 'not even that it had not';
    is $nginx->state('quick-2')->status, 404, 'or had';
    is_deeply [ keys %{ $load->stop->{status} } ], [ 200 ],
        'no request is lost';

    poll_until { !$pg->backends } 20, 'connections to the old one are gone';

    $other->reset_calls;
    $nginx->reload(database => $other->conninfo_tcp);
    is $nginx->state('quick-1')->json->{max_teams}, 777, 'by another way';

    $pg->reset_calls;
    $nginx->reload(database => $pg);
    is $nginx->state('quick-1')->json->{max_teams}, 1, 'back again';
    is calls(), 0, 'what it had is still there';
    wait_connected();
    $other->stop;
};


subtest 'with another size of the zone (invariant 9)' => sub {
    for my $zone ('1m', '16m') {
        my @load = start_load();

        $_->wait_for(50) for @load;
        $nginx->reload(zone => $zone);
        $_->wait_for(50) for @load;

        is_lossless "$zone: no request is lost", map { $_->stop } @load;
        is $nginx->state('quick-1')->cache, 'HIT', 'and it caches';
    }
};


subtest 'with other numbers of workers and connections (invariant 9)' => sub {
    my @load = start_load();

    for my $workers (1, 3, $WORKERS) {
        $nginx->reload(
            workers => $workers,
            http    => http() =~ s/connections \d/connections $workers/r,
        );
        $_->wait_for(50) for @load;
    }

    $nginx->reload(http => http());

    is_lossless 'no request is lost', map { $_->stop } @load;
    wait_connected();
};


subtest 'nginx -s quit, with connections open and queries on their way'
. ' (invariant 9)' => sub {
    wait_connected();

    my $idle = $nginx->connect;

    is $idle->get($cached[0])->status, 200, 'a kept connection';
    $gate->shut;

    my @asked = map {
        $nginx->connect->send('GET', "/uncached/slow-$_")
    } 1 .. 6;

    $gate->wait_waiting(4);

    $nginx->signal('QUIT');
    ok $idle->eof, 'what is idle is closed';
    ok $nginx->running, 'queries are waited for';

    $gate->open;
    is_deeply [ map { $_->receive->json->{max_teams} } @asked ], [ 1 .. 6 ],
        'and answered';

    $nginx->stop('quit');
    poll_until { !$pg->backends } 20, 'connections are gone';
    pass 'then all of it ends';

    $nginx->start;
    $nginx->get($cached[0]);
    $nginx->stop('quit');
    pass 'at once where nothing is on its way';
};


subtest 'nginx -s stop (invariant 7)' => sub {
    $nginx->start;
    $gate->shut;

    my $asked = $nginx->connect->send('GET', '/uncached/slow-1');

    $gate->wait_waiting(1);
    $nginx->stop('term');

    ok $asked->eof, 'waits for nothing';
    $gate->open;
    poll_until { !$pg->backends } 20, 'connections are gone';
};


done_testing;
