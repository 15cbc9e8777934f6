# Through PgBouncer: in transaction mode without prepared statements, where many
# connections of nginx share few of the server's; with prepared statements that
# it or an operator drops; in session mode.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;
use Tournament::PgBouncer;

my $WORKERS     = 2;
my $CONNECTIONS = 4;
my $POOL        = 2;

my $pg     = Tournament::Postgres->new;
my $pooler = Tournament::PgBouncer->new($pg,
    pool_mode => 'transaction', default_pool_size => $POOL);
my $nginx  = Tournament::Nginx->new(start => 0);

my $changing = $pg->tournament(slug => 'changing', slots => 60);

handled($pg);

my @SLUGS = qw(valorant-masters city-league opens-soon busy-bees no-open
               winter-warmup quick-cup late-entry five-a-side);
my @PATHS = (
    (map { ("/api/$_/state/", "/api/$_/detail/", "/api/$_/count/",
            "/api/$_/register/context/") } @SLUGS),
    '/api/hub/', '/api/hub/?sort=popular', '/game/valorant/', '/api/stats/',
    '/api/states/?slugs=' . join(',', @SLUGS),
    '/api/nobody/state/', '/api/nobody/detail/',
);


sub start {
    my ($conninfo, @http) = @_;

    $nginx->stop;
    $nginx->set(options(
        database => $conninfo,
        workers  => $WORKERS,
        http     => ["tournament_database_connections $CONNECTIONS;
                      tournament_connect_timeout 5s;
                      tournament_query_timeout 5s;
                      tournament_slow 0;", @http],
    ));
    $nginx->log_mark;
    $nginx->start;
    $nginx->wait_for_log(qr/listening to changes/);

    return;
}


sub direct {
    my $conninfo = $pg->conninfo_tcp(application_name => 'direct');

    return qq{tournament_listen "$conninfo";};
}


# What each path answers, the present moment aside, by a nginx that asks the
# server directly.

my %expected = do {
    my $reference = Tournament::Nginx->new(options(
        name => 'reference', database => $pg));

    map { $_ => bare($reference->get("/fresh$_")) } @PATHS;
};


# Many clients, each answer compared.

sub are_right {
    my ($rounds, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @paths = map { ("/fresh$_", "/tournaments$_") } (@PATHS) x $rounds;
    my @got   = fetch(port => $nginx->port, paths => \@paths,
                      concurrency => 40);
    my @wrong = grep {
        bare($got[$_]) ne $expected{ $paths[$_] =~ s{^/\w+}{}r }
    } 0 .. $#paths;

    return is_deeply
        [ map { "$paths[$_]: " . substr bare($got[$_]), 0, 99 } @wrong ], [],
        "$name: " . @paths . ' answers';
}


sub changes_show {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @wrong;

    for my $slots (map { 50 + $_ } 1 .. 10) {
        $pg->change($changing, slots => $slots);
        handled($pg, $nginx);

        for my $connection (values %{ $nginx->connect_workers }) {
            my $got = $connection->get($changing->{path})->json->{max_teams};

            push @wrong, "$got for $slots" if $got != $slots;
        }
    }

    return is_deeply \@wrong, [], $name;
}


subtest 'transaction mode (invariants 2, 9)' => sub {
    start($pooler->conninfo, 'tournament_prepare off;', direct());

    are_right 3, 'a pool smaller than the connections';
    changes_show 'changes show, in every worker';

    my ($stats) = grep { $_->{database} eq 'tournament' } $pooler->show('POOLS');

    is $stats->{cl_active} + $stats->{cl_waiting}, $WORKERS * $CONNECTIONS,
        'all connections of nginx are the pooler\'s';

    my @backends = $pg->backends;
    my @shared   = grep { $_->{application} ne 'direct' } @backends;

    cmp_ok scalar(@shared), '<=', $POOL, 'which has a few of the server\'s';
    is scalar(@backends) - @shared, 1, 'and one leads past it, to listen';
    is scalar(grep { $_->{query} =~ /PREPARE/ } @backends), 0,
        'nothing is prepared';
    is scalar($nginx->log_lines(qr/\[(?:warn|error)\]/)), 0,
        'and nothing to complain of'
        or diag $nginx->log_lines(qr/\[(?:warn|error)\]/);
};


subtest 'the timeout is the role\'s' => sub {
    $pg->rows(q{ALTER ROLE tournament SET statement_timeout = '300ms'});
    $pooler->stop->start;

    poll_until {
        $nginx->get('/fresh/api/hub/')->status == 200
    } 20, 'the new sessions';

    my $lock = $pg->session;

    $lock->rows('BEGIN; LOCK TABLE tournaments_tournament');
    is_error $nginx->get('/fresh/api/hub/'), 504, 'timeout', 'a blocked query';
    $lock->rows('ROLLBACK');

    like $nginx->log_since, qr/canceling statement due to statement timeout/,
        'was cancelled there';
    is $nginx->get('/fresh/api/hub/')->status, 200, 'the next is well';

    $pg->rows('ALTER ROLE tournament RESET statement_timeout');
};


subtest 'the pooler goes and comes (invariant 9)' => sub {
    $nginx->wait_for_log(qr/available again/);

    $nginx->get("/tournaments$_") for @PATHS;
    $nginx->log_mark;

    my $load = load(port => $nginx->port, concurrency => 4, pause => 0.002,
                    path => [ map { "/tournaments$_" } @PATHS ]);

    $load->wait_for(50);
    $pooler->stop;
    poll_until {
        $nginx->get('/fresh/api/hub/')->status == 503
    } 20, 'it is away';
    $load->wait_for(50);
    $pooler->start;
    $nginx->wait_for_log(qr/PostgreSQL is available again/);

    my $report = $load->stop;

    is_deeply [ sort keys %{ $report->{status} } ], [ 200, 404 ],
        'what is cached was answered all the time';

    # It is away for so long that what it comes from by then is told, too.

    my @told = map { /\[error\].*PostgreSQL at ".*?": (.*)/ }
        $nginx->log_lines(qr/./);
    my %told = map { $_ => 1 } @told;

    cmp_ok scalar(@told), '<=', 2, 'a line of the beginning, for all workers'
        or diag @told;
    is scalar(keys %told), @told, 'and one of another reason at the most';
    is scalar($nginx->log_lines(qr/PostgreSQL is available again/)), 1,
        'one of the end';
    are_right 1, 'afterwards';
};


# Prepared statements in transaction mode are not promised: but no answer is
# wrong, and the log says what to do.

subtest 'transaction mode, and prepared statements all the same' => sub {
    for my $reset (0, 1) {
        $nginx->stop;
        $pooler->stop->set(
            ignore_startup_parameters => 'options',
            server_reset_query        => 'DISCARD ALL',
            server_reset_query_always => $reset,
        )->start;

        start($pooler->conninfo, direct());
        are_right 2, $reset ? 'dropped after each transaction' : 'shared';

        my @hints = $nginx->log_lines(
            qr/\[warn\].*the query is repeated; .*"tournament_prepare off"/);

        cmp_ok scalar(@hints), '>=', 1, 'the log says what is amiss';
        cmp_ok scalar(@hints), '<=', $WORKERS, 'once for each worker';
        is scalar($nginx->log_lines(qr/\[error\]/)), 0, 'and no error'
            or diag $nginx->log_lines(qr/\[error\]/);
    }
};


subtest 'session mode (invariants 2, 9)' => sub {
    $nginx->stop;
    $pooler->stop->set(
        pool_mode                 => 'session',
        server_reset_query_always => 0,
        default_pool_size         => $WORKERS * $CONNECTIONS + 1,
    )->start;

    start($pooler->conninfo);
    are_right 2, 'with prepared statements';
    changes_show 'changes show, heard of through it';
    is scalar($nginx->log_lines(qr/\[(?:warn|error)\]/)), 0,
        'nothing to complain of'
        or diag $nginx->log_lines(qr/\[(?:warn|error)\]/);

    $nginx->reload;
    are_right 1, 'sessions that others have left';
    is scalar($nginx->log_lines(qr/\[(?:warn|error)\]/)), 0,
        'have no statements any more'
        or diag $nginx->log_lines(qr/\[(?:warn|error)\]/);
};


done_testing;
