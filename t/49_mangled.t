# A server whose messages arrive changed: with other lengths, types and bytes, in
# another order, with some missing and others that nobody has asked for, and byte
# by byte. Requests are answered, the worker neither ends nor spins nor keeps
# descriptors, and all is well once the server is.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Feed;
use Tournament::Test;

my $ROUNDS = $ENV{TOURNAMENT_ROUNDS} // 3;

my $seed = $ENV{TOURNAMENT_SEED} // int rand 2 ** 31;

note "TOURNAMENT_SEED=$seed";

my $pg    = database();
my $proxy = $pg->proxy;
my $nginx = Tournament::Nginx->new(
    options(
        warm      => 1,
        workers   => 1,
        http      => 'tournament_database_connections 3;
                      tournament_query_timeout 400ms;
                      tournament_connect_timeout 1s;',
        locations => ['location ~ ^/purge/(?<slug>.*)$
                       { tournament purge $slug; }'],
    ),
    database => $proxy->conninfo,
);

my ($worker)   = $nginx->worker_pids;
my $slots      = 100;
my $tournament = $pg->tournament(slots => $slots, slug => 'some');

$pg->tournament(slug => "other-$_", confirmed => 2) for 1 .. 5;

my @PATHS = map { "/tournaments/api/$_" } qw(
    some/state/ some/detail/ some/count/ some/participants/ hub/ stats/
    hub/?sort=popular states/?slugs=some%2Cother-1
    other-1/state/ other-2/state/ other-3/state/ nobody-1/state/ nobody-2/state/
);


# Seconds of a processor that the worker has taken.

sub taken {
    my @stat = split ' ', slurp("/proc/$worker/stat") =~ s/^.*\) //r;

    return ($stat[11] + $stat[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


sub purge { return $nginx->request('PURGE', '/purge/*')->status }


sub is_right {
    my $response = $nginx->get($tournament->{path});

    return $response->status == 200
        && $response->json->{max_teams} == $slots;
}


# How many had no answer or an odd one.

sub ask {
    purge();

    $pg->update('tournaments_tournament', $tournament->{id},
                slot_size => ++$slots);

    my @odd = grep { $_->status !~ /^(?:200|401|404|500|503|504)$/ }
        fetch(port => $nginx->port, paths => \@PATHS);

    return map { $_->status . ' ' . $_->reason } @odd;
}


poll_until { is_right() } 20, 'a right answer';

my $before = $nginx->held->{descriptors};

for my $fault (
    (map { +{ mangle => { way => $_, each => 4 } } }
        qw(length type byte short drop twice swap insert)),
    { trickle => 1, from => 'server' },
) {
    my $name = $fault->{mangle} ? "messages: $fault->{mangle}{way}"
                                : 'byte by byte';

    subtest $name => sub {
        my @odd;
        my $mangled = $proxy->count->{mangled};

        for my $round (1 .. $ROUNDS) {
            $fault->{mangle}{seed} = $seed + $round if $fault->{mangle};
            $proxy->set(%$fault);

            # new sessions, too: their first messages are changed as well

            $proxy->cut if $round % 2 == 0;
            push @odd, ask();
        }

        is_deeply \@odd, [], 'every request is answered';

        cmp_ok $proxy->count->{mangled} - $mangled, '>=', $ROUNDS,
            'messages were changed' if $fault->{mangle};

        $proxy->pass;
        $proxy->cut;
        poll_until { purge() == 200 && is_right() } 30, 'a right answer';

        is_deeply [ $nginx->worker_pids ], [ $worker ], 'the worker lives';
    };
}

my $taken = taken();

select undef, undef, undef, 1;
cmp_ok taken() - $taken, '<', 0.5, 'and rests';

poll_until {
    $nginx->held->{descriptors} <= $before + 2
} 20, "no descriptor is left ($before before)";

done_testing;
