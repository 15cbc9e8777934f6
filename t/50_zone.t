# A zone with less room than there is to keep: what was used longest ago goes,
# every answer is right, and what is missing does not push out what is not.

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(shuffle);

use Tournament::Test;

my $STATEMENT = '%tournament_api.state(%';
my $SMALLEST  = '256k';
my $COUNT     = 1500;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $nginx = Tournament::Nginx->new(
    database => $pg,
    workers  => 2,
    zone     => $SMALLEST,
    http     => 'tournament_ttl state 1h; tournament_ttl missing 1h;
                 keepalive_requests 1000000; tournament_query_timeout 30s;',
);

my $seed = $ENV{TOURNAMENT_SEED} // int rand 2 ** 31;

note "TOURNAMENT_SEED=$seed";
srand $seed;

# Names of all lengths, so that entries take several numbers of cells; slots
# tell which it is.

$pg->rows(qq{
    INSERT INTO tournaments_tournament
           (name, slug, game, status, slot_size, created_at, updated_at,
            groups_published)
    SELECT 'T', rpad('t' || n || '-', 8 + n % 240, 'x'), 'valorant',
           'PUBLISHED', n, now(), now(), false
      FROM generate_series(1, $COUNT) AS n
});


sub calls { return $pg->calls(like => $STATEMENT) }


sub slug {
    my ($n) = @_;

    my $slug = "t$n-";
    my $pad  = 8 + $n % 240 - length $slug;

    return $slug . 'x' x ($pad > 0 ? $pad : 0);
}


sub path { return '/tournaments/api/' . slug($_[0]) . '/state/' }


# Asks for tournaments on a few kept connections, a hundred at a time; what is
# not as it should be, and { cache status => number }.

sub ask {
    my (@numbers) = @_;

    my $connection = $nginx->connect_workers;
    my @workers    = values %$connection;
    my (%wrong, %cache);

    while (my @some = splice @numbers, 0, 100) {
        my $c = $workers[ rand @workers ];

        my @responses = $c->pipeline(map { path($_) } @some);

        for my $response (@responses) {
            my $n = shift @some;

            $cache{ $response->cache // '' }++;
            $wrong{ $response->raw }++
                if $response->status != 200
                    || $response->body !~ /"max_teams":$n,/;
        }
    }

    return (\%wrong, \%cache);
}


subtest 'more than fit into the smallest zone (invariants 8, 9)' => sub {
    my ($wrong, $cache) = ask(1 .. $COUNT);

    is_deeply $wrong, {}, 'every answer is right';
    is_deeply $cache, { MISS => $COUNT }, 'the first of each';

    $pg->reset_calls;
    ($wrong, $cache) = ask(shuffle map { ($_) x 2 } 1 .. $COUNT);

    is_deeply $wrong, {}, 'again and again';
    cmp_ok $cache->{MISS}, '>', $COUNT / 2, 'most had to make room';
    cmp_ok $cache->{HIT}, '>', $COUNT / 10, 'not all of them';

    # The order of use is kept to the second, so that it may take a second.

    poll_until {
        ($wrong, $cache) = ask(1 .. 100);
        ($cache->{HIT} // 0) == 100;
    } 20, 'all of a few are kept';

    is_deeply $wrong, {}, 'what comes often is there';
};


subtest 'what is missing has a share of its own (invariant 8)' => sub {
    my @real = 1 .. 200;

    # Into an empty zone, where these fit beside that share.

    $nginx->stop;
    $nginx->start;
    ask(@real);

    my $connection = $nginx->connect;
    my %status;

    for my $some (0 .. 49) {
        $status{ $_->status }++ for $connection->pipeline(
            map { '/tournaments/api/missing-' . ($some * 100 + $_)
                  . 'x' x ($_ * 2) . '/state/' } 1 .. 100);
    }

    is_deeply \%status, { 404 => 5000 }, 'a flood of names that are not there';

    # Which cannot be in the workers' memos any longer.

    my ($wrong, $cache) = ask(@real);

    is_deeply [ $wrong, $cache ], [ {}, { HIT => 200 } ],
        'pushes out nothing that is';

    $pg->reset_calls;
    $nginx->state('missing-now') for 1 .. 3;
    is calls(), 1, 'the last of them is kept all the same';

    ask(1 .. $COUNT);
    is $nginx->state('missing-now')->cache, 'HIT',
        'nor is it pushed out by what is there';
};


subtest 'by many at once (invariants 4, 9)' => sub {
    my $load = load(
        port => $nginx->port, concurrency => 20,
        path => sub { path(1 + int rand $COUNT) },
    );

    $load->wait_for(2000);

    my $report = $load->stop;
    my @wrong  = grep {
        my $json = eval { JSON::PP::decode_json($_) };
        !$json || !$json->{success}
    } keys %{ $report->{bodies} };

    is_deeply [ $report->{status}, $report->{failed}, \@wrong ],
        [ { 200 => $report->{requests} }, 0, [] ], 'nothing but answers'
        or diag explain $report->{status}, $report->{errors}, \@wrong;
};


subtest 'a reload into a larger one, and back (invariant 9)' => sub {
    $nginx->reload(zone => '16m');
    ask(1 .. $COUNT);
    $pg->reset_calls;

    my ($wrong, $cache) = ask(shuffle 1 .. $COUNT);

    is_deeply [ $wrong, $cache ], [ {}, { HIT => $COUNT } ], 'all fit';
    is calls(), 0, 'at no query';

    $nginx->reload(zone => $SMALLEST);
    ($wrong, $cache) = ask(shuffle 1 .. $COUNT);

    is_deeply $wrong, {}, 'again too small';
};


done_testing;
