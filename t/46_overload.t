# More is asked than the database can answer: what is cached is answered as
# ever, who is one too many learns it at once, the others in their order, and
# nobody waits longer than the deadline.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $QUEUE = 20;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $proxy = $pg->proxy;
my $gate  = $pg->gate;
my $nginx = Tournament::Nginx->new(start => 0);

my @tournaments = map { $pg->tournament(slug => "quick-$_") } 1 .. 20;

$pg->tournament(slug => "slow-$_") for 1 .. 40;


sub start {
    my ($timeout, $connections, @http) = @_;

    $nginx->stop;
    $nginx->set(
        database => $proxy->conninfo(options => '-c statement_timeout=60s'),
        http     => [
            "tournament_query_timeout $timeout;
             tournament_database_connections $connections;
             tournament_database_queue $QUEUE;", @http,
        ],
        locations => [
            Tournament::Nginx::state_location(),
            'location ~ ^/uncached/(?<slug>.*)$ {
                 tournament_ttl state 0; tournament state $slug; }',
            'location ~ ^/expired/(?<slug>.*)$ {
                 tournament_ttl state 1ms; tournament state $slug; }',
        ],
    );
    $nginx->log_mark;
    $nginx->start;
    $pg->wait_idle($connections);

    return;
}


sub unanswered {
    return !IO::Select->new(map { $_->{socket} } @_)->can_read(0);
}


# Requests at the gate, until no more are taken; the ones that wait.

sub fill {
    my @asked;

    $gate->shut;

    for my $i (1 .. 40) {
        push @asked, $nginx->connect->send('GET', "/uncached/slow-$i");
        $gate->wait_waiting(1) if $i == 1;
        $nginx->get('/-/worker') for 1 .. 2;

        next if unanswered($asked[-1]);

        is_error +(pop @asked)->receive, 503, 'unavailable',
            'one too many, at once';
        last;
    }

    return @asked;
}


subtest 'a full queue (invariant 8)' => sub {
    start('60s', 1, 'tournament_ttl state 1h;');

    my ($t, $other) = @tournaments;

    $nginx->get($t->{path});
    $nginx->get("/expired/$other->{slug}");

    my @asked = fill();

    cmp_ok scalar(@asked), '>', $QUEUE, 'the queue is full';
    is $nginx->get($t->{path})->cache, 'HIT', 'what is cached is answered';

    my $stale = $nginx->get("/expired/$other->{slug}");

    is $stale->status, 200, 'so is what would have been refreshed';
    like $stale->cache, qr/^(?:UPDATING|STALE)$/, '(which it says)';

    is_error $nginx->get("/uncached/$t->{slug}"), 503, 'unavailable',
        'what must be asked for is not';

    $gate->open;
    is_deeply [ map { $_->receive->status } @asked ], [ (200) x @asked ],
        'who waited is answered';

    # an answer is logged after it is sent

    my @order;

    poll_until {
        @order = map { m{^200 .*/uncached/slow-(\d+)} ? $1 : () }
            $nginx->access_log;
        @order == @asked;
    } 20, 'all are logged';

    is_deeply \@order, [ 1 .. @asked ], 'in their order';
};


# The database takes twice the deadline for an answer, so that none comes: some
# requests wait in vain, and there is no room for the others.

subtest 'a slow database (invariants 1, 8)' => sub {
    my $TIMEOUT = 1;

    start("${TIMEOUT}s", 2, 'tournament_ttl state 1h;');

    my @cached = map { $_->{path} } @tournaments;

    $nginx->get($_) for @cached;

    my $cached = load(port => $nginx->port, path => \@cached, rate => 150,
                      concurrency => 50);
    my $before = $cached->wait_for(150) && $cached->stop;

    $proxy->set(delay => 2, from => 'server');

    my $cold = load(port => $nginx->port, rate => 150, concurrency => 400,
                    path => sub { "/tournaments/api/none-$_[0]/state/" });

    $cached = load(port => $nginx->port, path => \@cached, rate => 150,
                   concurrency => 50);

    # Longer than a deadline: until it is as it will be.

    $cold->wait_for(400);
    $cached->wait_for(300);

    my $during = $cached->stop;
    my $report = $cold->stop;

    $proxy->pass;

    for ([ before => $before ], [ during => $during ]) {
        my ($when, $of) = @$_;

        is_deeply [ $of->{status}, $of->{cache}, $of->{failed} ],
            [ { 200 => $of->{requests} }, { HIT => $of->{requests} }, 0 ],
            "$when: all of what is cached";
        cmp_ok $of->{median_ms}, '<=', 50 + 10 * $before->{median_ms},
            'as soon as ever';
        note sprintf '%s: median %.1f ms, 99%% %.1f ms', $when,
            @$of{qw(median_ms p99_ms)};
    }

    is_deeply [ sort keys %{ $report->{status} } ], [ 503, 504 ],
        'what is not is late, or too much' or diag explain $report->{status};
    is $report->{failed}, 0, 'and is told so';

    my $late = $report->{ms}{504};
    my $much = $report->{ms}{503};

    # Ours may be busy as well: what is cached tells how late answers are seen.

    my $slack = 50 + 3 * $during->{max_ms};

    cmp_ok $late->[2], '<=', 1000 * $TIMEOUT + $slack,
        'nobody waits longer than the deadline';
    cmp_ok $late->[0], '>=', 1000 * $TIMEOUT - 50, 'nor less';
    cmp_ok $much->[1], '<=', $slack, 'who is too much waits for nothing';

    poll_until {
        $nginx->get("/uncached/$tournaments[0]{slug}")->status == 200
    } 20, 'an answer again';
    $pg->wait_idle(2);
    pass 'then all is as before';
};


# The timers' side of it, where the database gives no sign at all.

subtest 'the deadline is kept (invariant 1)' => sub {
    start('500ms', 2, 'tournament_connect_timeout 500ms;');

    my $quick = load(port => $nginx->port, concurrency => 1,
                     path => '/-/worker', pause => 0.01);

    $proxy->set(hold => 'both');

    my @asked = map { [ now(), $nginx->connect->send('GET',
                                   "/uncached/quick-$_") ] } 1 .. 20;
    my @took  = map { $_->[1]->receive; now() - $_->[0] } @asked;

    $proxy->pass;

    my $slack = 0.05 + 3 * $quick->stop->{max_ms} / 1000;

    is scalar(grep { $_ < 0.495 } @took), 0, 'all of it is used';
    is scalar(grep { $_ > 0.5 + $slack } @took), 0, 'and no more'
        or diag "within $slack: @took";
};


done_testing;
