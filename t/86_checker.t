# The randomised checker. A writer changes tournaments at random while readers
# poll all endpoints, on all workers of three nodes; slot sizes and the numbers
# of registrations grow with every change, so that an answer tells how old it
# is. No answer may be older than what its node had handled when the request
# began.
#
# Invariants 2, 4, 7 and 9. The two exceptions of invariant 2 are named by the
# cache status: hub and platform_stats within their interval (UPDATING, where
# they are coalesced), and suspect entries, after the feed was interrupted.
#
# TOURNAMENT_CHANGES=5000 for a long run, TOURNAMENT_SEED=n for a known one.

use FindBin;
use POSIX ();
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $CHANGES = $ENV{TOURNAMENT_CHANGES} // 200;
my $SEED    = $ENV{TOURNAMENT_SEED} // int rand 2**31;
my $COUNT   = 5;

srand $SEED;
diag "seed $SEED, $CHANGES changes";

my $pg = database();

my $account = 5001;
my $player  = $pg->profile(user_id => $account);
my @account = ('X-Account' => $account);

my @tournaments = map {
    $pg->tournament(slug => "t-$_", slots => 1000, status => 'RUNNING')
} 1 .. $COUNT;

# Registrations are of profiles that take part in all of them.

my @profiles = map { $pg->profile } 1 .. 40;

for my $tournament (@tournaments) {
    registration($tournament, $player);
}

my @nodes = map {
    Tournament::Nginx->new(
        name     => "node-$_",
        database => $pg,
        options(http => 'tournament_query_timeout 10s;'),
    )
} 1 .. 3;


sub registration {
    my ($tournament, $profile) = @_;

    $pg->insert('tournaments_registration',
        tournament_id => $tournament->{id}, user_id => $profile,
        status => 'CONFIRMED', payment_status => 'pending',
        payment_method => '', payment_sender => '', payment_reference => '',
        created_at => \'now()');

    return;
}


# What an answer shows: { slug => slot size }.

my %READ = (
    state => {
        path  => sub { "/tournaments/api/$_[0]/state/" },
        shows => sub { return { $_[1] => $_[0]{max_teams} } },
    },
    states => {
        path  => sub {
            '/tournaments/api/states/?slugs='
                . join ',', map { $_->{slug} } @tournaments
        },
        shows => sub {
            my $states = $_[0]{states};
            return { map { ($_ => $states->{$_}{slots}{total}) }
                     keys %$states };
        },
    },
    detail => {
        path  => sub { "/tournaments/api/$_[0]/detail/" },
        shows => sub {
            my $t = $_[0]{tournament};
            return { map { ($_->{slug} => $_->{slots}{total}) }
                     $t, @{ $t->{related} } };
        },
    },
    hub => {
        path  => sub { '/tournaments/api/hub/' },
        shows => sub {
            return { map { ($_->{slug} => $_->{slots}{total}) }
                     @{ $_[0]{tournaments} } };
        },
    },
    dashboard => {
        path    => sub { '/tournaments/api/me/registrations/' },
        headers => \@account,
        shows   => sub {
            return { map { ($_->{tournament}{slug}
                            => $_->{tournament}{slots}{total}) }
                     @{ $_[0]{registrations} } };
        },
    },
    user_state => {
        path    => sub { "/tournaments/api/$_[0]/state/" },
        headers => \@account,
        shows   => sub { return { $_[1] => $_[0]{max_teams} } },
    },

    # These do not show the slot size, but how many there are, which grows too.

    count => {
        path  => sub { "/tournaments/api/$_[0]/count/" },
        shows => sub { return { "$_[1] count" => $_[0]{count} } },
    },
    participants => {
        path    => sub { "/tournaments/api/$_[0]/participants/" },
        headers => [ 'X-Staff' => 1 ],
        shows   => sub {
            return { "$_[1] count" => scalar @{ $_[0]{participants} } };
        },
    },
);


# The writer does not wait for its commits while readers ask.

my $writer = $pg->session;
my %slots  = map { ($_->{slug} => 1000) } @tournaments;
my %count  = map { ($_->{slug} => 1) } @tournaments;

sub change {
    my $t    = $tournaments[ int rand @tournaments ];
    my $what = rand;
    my $sql;

    if ($what < 0.5) {
        my $slots = ++$slots{ $t->{slug} };

        $sql = "UPDATE tournaments_tournament SET slot_size = $slots
                 WHERE id = $t->{id}";

    } elsif ($what < 0.7) {
        my $slots  = ++$slots{ $t->{slug} };
        my $status = (qw(PUBLISHED RUNNING COMPLETED))[ int rand 3 ];

        # hub shows the former two only

        $sql = "UPDATE tournaments_tournament
                   SET slot_size = $slots, status = '$status'
                 WHERE id = $t->{id}";

    } elsif ($what < 0.9 && $count{ $t->{slug} } < @profiles) {
        my $profile = $profiles[ $count{ $t->{slug} }++ ];

        $sql = "INSERT INTO tournaments_registration (tournament_id, user_id,
                    status, payment_status, payment_method, payment_sender,
                    payment_reference, created_at)
                VALUES ($t->{id}, $profile, 'CONFIRMED', 'pending', '', '',
                        '', now())";

    } else {

        # several at once

        $slots{ $_->{slug} }++ for @tournaments;

        my $ids = join ', ', map { $_->{id} } @tournaments;

        $sql = "UPDATE tournaments_tournament SET slot_size = slot_size + 1
                 WHERE id IN ($ids)";
    }

    $writer->do($sql);

    return;
}


# What each node is known to have handled: a barrier tells that it is all that
# was committed before.

my %floor;     # $floor{node}{thing}: what the node must show at least
my @problems;
my %word;
my $answers = 0;

my %connection;

sub connections {
    my ($node) = @_;

    return values %{ $connection{ $node->name }
                     //= eval { $node->connect_workers } // {} };
}


sub barrier {
    my @up = @_;

    $writer->wait while $writer->busy;

    my %committed = (%slots,
                     map { ("$_ count" => $count{$_}) } keys %count);

    handled($pg, @up);

    for my $node (@up) {
        $floor{ $node->name } = {%committed};
    }

    return;
}


# One request of each worker of a node, all sent before any is read.

sub round {
    my ($node, $lenient) = @_;

    my $name = (sort keys %READ)[ int rand keys %READ ];
    my $read = $READ{$name};
    my $slug = $tournaments[ int rand @tournaments ]{slug};
    my $path = $read->{path}->($slug);
    my $floor = { %{ $floor{ $node->name } // {} } };
    my @open  = connections($node);

    my @sent = grep {
        eval { $_->send('GET', $path, @{ $read->{headers} // [] }); 1 }
    } @open;

    if (@sent < @open) {
        delete $connection{ $node->name };
    }

    for my $connection (@sent) {
        my $response = eval { $connection->receive('GET', 20) };

        if (!$response) {
            push @problems, "$path of " . $node->name . ": $@" if !$lenient;
            delete $connection{ $node->name };
            next;
        }

        delete $connection{ $node->name } if $response->{last};

        my $json = eval { $response->json };
        my $word = $response->cache // '-';

        $word{"$name $word"}++;
        $answers++;

        if ($response->status != 200 || !$json) {
            push @problems, "$path of " . $node->name . ': '
                . $response->status . " $word";
            next;
        }

        my $shown = $read->{shows}->($json, $slug);

        for my $thing (keys %$shown) {
            my $least = $floor->{$thing} // 0;

            next if $shown->{$thing} >= $least;
            next if $lenient && $word eq 'UPDATING';

            push @problems, sprintf '%s of %s, worker %s, %s: %s is %s, '
                . 'it was %s', $path, $node->name, $response->worker, $word,
                $thing, $shown->{$thing}, $least;
        }
    }

    return;
}


sub run_changes {
    my ($number, %option) = @_;

    for my $i (1 .. $number) {
        change();

        if (rand() < 0.3) {
            barrier(@nodes);
        }

        round($nodes[ int rand @nodes ], $option{lenient}) for 1 .. 6;

        $writer->wait while $writer->busy > 3;
        last if @problems > 20;
    }

    barrier(@nodes);

    # Now all of it, of every worker.

    for my $node (@nodes) {
        round($node, $option{lenient}) for 1 .. 10;
    }

    return;
}


sub is_right {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $right = is scalar(@problems), 0, $name;

    diag join "\n", "seed $SEED", splice @problems, 0, 20 if !$right;
    @problems = ();

    return $right;
}


run_changes($CHANGES);
is_right("$CHANGES changes, no answer older than it may be");


# Each entry was used, else nothing has been proved.

for my $name (sort keys %READ) {
    ok $word{"$name HIT"}, "$name was a hit, too";
}


# Disturbances, at random. Where the feed was interrupted, answers may be old
# that say UPDATING, until the node has caught up.

my %DISTURB = (
    "the feed's connections are cut" => sub {
        $pg->terminate(pid => $_) for feed_backend($pg);
    },
    'a listening worker is killed' => sub {
        my $node = $nodes[ int rand @nodes ];
        my $pid  = listener($node);

        $node->expect_log(qr/worker process $pid exited on signal 9/,
                          qr/was locked by $pid/);
        kill 'KILL', $pid;
    },
    'any worker is killed' => sub {
        my $node = $nodes[ int rand @nodes ];
        my @pids = $node->worker_pids;
        my $pid  = $pids[ int rand @pids ];

        $node->expect_log(qr/worker process $pid exited on signal 9/,
                          qr/was locked by $pid/,
                          qr/a process died while it changed the cache/);
        kill 'KILL', $pid;
    },
    'a worker hangs for a while' => sub {
        my $node = $nodes[ int rand @nodes ];
        my @pids = $node->worker_pids;
        my $pid  = $pids[ int rand @pids ];

        kill 'STOP', $pid;

        if (!fork) {
            select undef, undef, undef, 0.2 + rand 1.5;
            kill 'CONT', $pid;
            POSIX::_exit(0);
        }
    },
    'a node is reloaded, and the listening worker is killed' => sub {
        my $node = $nodes[ int rand @nodes ];
        my $pid  = listener($node);

        $node->expect_log(qr/worker process $pid exited on signal 9/,
                          qr/was locked by $pid/);
        $node->signal('HUP');

        # from before its successor is elected until it has gone

        select undef, undef, undef, rand 0.2;
        kill 'KILL', $pid;
    },
    'a node is reloaded' => sub {
        $nodes[ int rand @nodes ]->signal('HUP');
    },
);

for my $name (sort keys %DISTURB) {
    my $times = $CHANGES >= 1000 ? 10 : 1;

    for my $time (1 .. $times) {
        $DISTURB{$name}->();

        # A worker that goes away cuts its connections: that is no matter here.

        run_changes($CHANGES / 10, lenient => 1);

        poll_until {
            !grep { $_->old_worker_pids || $_->worker_pids < 2 } @nodes
        } 20, 'all workers are there';
        %connection = ();
        barrier(@nodes);

        # Suspect ones are refreshed by who asks first.

        poll_until {
            my $updating = 0;

            for my $node (@nodes) {
                for my $connection (connections($node)) {
                    for my $read (values %READ) {
                        for my $tournament (@tournaments) {
                            $updating++ if $connection->get(
                                $read->{path}->($tournament->{slug}),
                                @{ $read->{headers} // [] })->cache
                                    eq 'UPDATING';
                        }
                    }
                }
            }

            !$updating
        } 20, 'nothing is suspect';

        run_changes($CHANGES / 20);
    }

    is_right($name);
}


diag "$answers answers";
diag join ', ', map { "$_ $word{$_}" } sort keys %word;

done_testing;
