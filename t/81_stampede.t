# A key that many ask for at once is one query, whoever asks in whichever
# worker, and nobody gets an older answer than may be given to who came then.
#
# Invariants 2, 4, 6 and 7.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $STATEMENT = '%FROM tournament_api.state($1)%';
my $CLIENTS   = 1000;

my $pg   = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate = $pg->gate;

# pg_stat_statements does not count what failed; a sequence does, and a slug
# with "fail" in it fails behind the gate.

$pg->psql(q{
    CREATE SEQUENCE public.asked;
    ALTER FUNCTION tournament_api.state_behind_gate(text)
        RENAME TO state_that_works;
});

my $result = $pg->value(q{
    SELECT pg_get_function_result(
               'tournament_api.state_that_works(text)'::regprocedure)
});

$pg->psql(<<"END");
    CREATE FUNCTION tournament_api.state_behind_gate(p_slug text)
    RETURNS $result
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS \$\$
    BEGIN
        PERFORM nextval('public.asked');
        IF p_slug LIKE '%fail%' THEN
            RAISE EXCEPTION 'this one fails';
        END IF;
        RETURN QUERY SELECT * FROM tournament_api.state_that_works(p_slug);
    END
    \$\$;
END

my $nginx = Tournament::Nginx->new(
    database    => $pg,
    connections => 2 * $CLIENTS,
    options(http => 'tournament_query_timeout 30s;',
            main => 'worker_rlimit_nofile 8192;',
            locations => [ q{location ~ ^/page/(?<slug>.+)$ {
                default_type text/html;
                ssi on;
                return 200 '<!--# include
                    virtual="/tournaments/api/$slug/state/" wait="yes"
                    --><!--# include
                    virtual="/tournaments/api/long/state/" -->';
            }},
            'location ~ ^/fresh/(?<slug>.+)$ {
                tournament_ttl state 0; tournament state $slug; }' ]),
);

my $tournament;
my $n = 0;


sub calls { return $pg->calls(like => $STATEMENT) }
sub asked { return $pg->value('SELECT last_value FROM public.asked') }


sub slow {
    my (%columns) = @_;

    $tournament = $pg->tournament(slug => 'slow-' . ++$n, slots => 8,
                                  %columns);
    handled($pg, $nginx);
    $pg->reset_calls;
    $gate->shut;

    return $tournament;
}


# How many connections have sent a request that has not been answered: the
# clients are in a process of their own, so that the test can go on.

sub stampede {
    my ($path, $clients, $while) = @_;

    pipe my $ready, my $is_ready or die "pipe: $!";
    pipe my $out,   my $in       or die "pipe: $!";

    my $pid = fork // die "fork: $!";

    if (!$pid) {
        my @responses = fetch(
            port    => $nginx->{spread},
            paths   => [ ($path) x $clients ],
            started => sub { syswrite $is_ready, 'x' },
        );

        my %seen;

        for my $response (@responses) {
            my $what = $response->status || $response->reason;
            my $slots = eval { $response->json->{max_teams} } // '-';
            my $worker = $response->status ? $response->worker : '-';

            $seen{"$what|$slots|$worker|"
                  . ($response->status ? $response->cache // '-' : '-')}++;
        }

        print {$in} "$seen{$_} $_\n" for keys %seen;
        close $in;
        POSIX::_exit(0);
    }

    close $is_ready;
    close $in;
    sysread $ready, my $byte, 1 or die 'no stampede';

    my @got = eval { $while->(); 1 } ? () : $@;

    my %seen;

    while (<$out>) {
        my ($count, $status, $slots, $worker, $cache)
            = /^(\d+) (.*)\|(.*)\|(.*)\|(.*)$/;

        $seen{status}{$status} += $count;
        $seen{slots}{$slots}   += $count;
        $seen{worker}{$worker} += $count;
        $seen{cache}{$cache}   += $count;
    }

    waitpid $pid, 0;
    die @got if @got;

    return \%seen;
}


# The server's ends of connections: [bytes that nginx has not read], for each
# that it has accepted.

sub unread {
    my @ports = map { sprintf '%04X', $_ } $nginx->port, $nginx->{spread};

    return map {
        my (undef, $local, undef, $state, $queues, undef, undef, undef, undef,
            $inode) = split ' ';

        $state eq '01' && $inode && (grep { $local =~ /:$_$/ } @ports)
            ? hex((split /:/, $queues)[1]) : ()
    } split /\n/, slurp('/proc/net/tcp');
}


sub wait_arrived {
    my ($clients) = @_;

    poll_until { (grep { !$_ } unread()) >= $clients } 60,
        "$clients requests are there";

    return;
}


# nginx has read whatever has been sent.

sub wait_taken {
    poll_until { !grep { $_ } unread() } 20, 'all requests are there';

    return;
}


subtest "$CLIENTS requests for a cold key" => sub {
    slow();

    my $seen = stampede($tournament->{path}, $CLIENTS, sub {
        wait_arrived($CLIENTS);
        $gate->wait_waiting(1);
        is $gate->waiting, 1, 'one query is under way';
        $gate->open;
    });

    is_deeply $seen->{status}, { 200 => $CLIENTS }, 'all are answered';
    is_deeply $seen->{slots}, { 8 => $CLIENTS }, 'with what is';
    is keys %{ $seen->{worker} }, 2, 'by two workers'
        or diag explain $seen->{worker};
    is calls(), 1, 'one statement';
};


subtest 'the fetching worker is killed' => sub {
    slow();

    my $clients   = 400;
    my $workers   = $nginx->connect_workers;
    my ($worker)  = keys %$workers;
    my $first     = $workers->{$worker};

    $first->send('GET', $tournament->{path});
    $gate->wait_waiting(1);

    my $seen = stampede($tournament->{path}, $clients, sub {
        wait_arrived($clients);
        is $gate->waiting, 1, 'one query is under way';
        $nginx->expect_log(qr/worker process $worker exited on signal 9/);
        kill 'KILL', $worker;

        # the killed one's query goes on in PostgreSQL

        $gate->wait_waiting(2);
        is $gate->waiting, 2, 'the other worker has taken over';
        $gate->open;
    });

    my $cut = 0;

    $cut += $seen->{status}{$_} for grep { $_ ne 200 } keys %{ $seen->{status} };

    ok $seen->{status}{200} && $cut,
        'its own clients are cut off, the others answered'
        or diag explain $seen;
    is_deeply [ grep { !/^200$|ended|reset/ } keys %{ $seen->{status} } ], [],
        'nobody waits in vain' or diag explain $seen;
    ok $first->eof, 'as is who was the first';
    ok !$seen->{worker}{$worker}, 'nobody is answered by who is dead';

    poll_until { !$gate->waiting } 20, 'both queries are over';
    is calls(), 2, 'two statements';

    poll_until { $nginx->worker_pids == 2 } 20, 'two workers';
};


# Alive, it keeps its connections and its claim; but it does not say so.

subtest 'the fetching worker hangs' => sub {
    slow();

    my $workers = $nginx->connect_workers;
    my ($hung, $other) = sort keys %$workers;

    $workers->{$hung}->send('GET', $tournament->{path});
    $gate->wait_waiting(1);
    kill 'STOP', $hung;
    $workers->{$other}->send('GET', $tournament->{path});

    $gate->wait_waiting(2);
    is $gate->waiting, 2, 'the other worker has taken over';
    $gate->open;

    is $workers->{$other}->receive->max_teams, 8, 'and answers';
    kill 'CONT', $hung;
    is $workers->{$hung}->receive->max_teams, 8, 'the first, too, when it can';
    is calls(), 2, 'two statements';
};


# One that takes long is no reason: its claim is renewed.

subtest 'a query that takes long' => sub {
    slow();

    my $workers = $nginx->connect_workers;
    my ($first, $second) = values %$workers;
    my $since = now();

    $first->send('GET', $tournament->{path});
    $gate->wait_waiting(1);
    $second->send('GET', $tournament->{path});

    poll_until { now() > $since + 2 } 20, 'it takes long';
    is $gate->waiting, 1, 'one query is under way';
    $gate->open;

    is $_->receive->max_teams, 8, 'answered' for $first, $second;
    is calls(), 1, 'one statement';
};


# What a worker takes from the zone for many is not changed by what the first of
# them does with it: a page that includes two answers, one after the other. The
# others are users', which no memo has.

subtest 'a page among those who wait' => sub {
    slow();

    my $long    = $pg->tournament(slug => 'long', slots => 77);
    my $workers = $nginx->connect_workers;
    my ($fetching, $waiting) = sort keys %$workers;

    handled($pg, $nginx);

    poll_until {
        $workers->{$fetching}->get($long->{path})->cache eq 'HIT'
    } 20, 'one is cached';

    $workers->{$fetching}->send('GET', $tournament->{path});
    $gate->wait_waiting(1);

    my @others = map { $nginx->connect_workers->{$waiting} } 1 .. 3;

    $workers->{$waiting}->send('GET', "/page/$tournament->{slug}");
    wait_taken();
    $_->send('GET', $tournament->{path}, 'X-Account' => 7) for @others;
    wait_taken();
    $gate->open;

    my $page = $workers->{$waiting}->receive->body;

    like $page, qr/"slots":\{"total":8,.*"slots":\{"total":77,/s, 'the page';
    is $_->receive->max_teams, 8,
        'the others have what they asked for' for @others;
    is calls(), 2, 'one statement for each';
};


# What there is in the zone is for those who take what is cached, and for the
# others no reason to look at it again and again. (In each worker: the one that
# listens is relieved by another when it spins, which ends it.)

subtest 'those who want it fresh among those who wait' => sub {
    for my $worker (keys %{ $nginx->connect_workers }) {
        slow();

        my @clients = map { $nginx->connect_workers->{$worker} } 1 .. 3;
        my $fresh   = "/fresh/$tournament->{slug}";

        $nginx->log_mark;
        $clients[0]->send('GET', $fresh);
        $gate->wait_waiting(1);

        for my $i (1, 2) {
            $clients[$i]->send('GET', $i == 1 ? $tournament->{path} : $fresh);
            wait_taken();
        }

        is $gate->waiting, 1, 'one query is under way';
        $gate->open;

        is $_->receive->max_teams, 8, 'answered' for @clients;
        is calls(), 2, 'and one for whom it was not new enough';
        unlike $nginx->log_since, qr/listening to changes/,
            'nobody had to be relieved';
    }
};


subtest 'a query that fails' => sub {
    slow(slug => 'slow-fail');

    my $before  = asked();
    my $clients = 400;

    $pg->expect_log(qr/this one fails/);

    my $seen = stampede($tournament->{path}, $clients, sub {
        wait_arrived($clients);
        $gate->wait_waiting(1);
        $gate->open;
    });

    is_deeply $seen->{status}, { 503 => $clients }, 'all are told'
        or diag explain $seen;
    cmp_ok asked() - $before, '<=', 2, 'a statement for each worker at most';

    is $nginx->get($tournament->{path})->status, 503, 'nothing is cached';
    cmp_ok asked() - $before, '>', 1, 'the next one asks again';
};


subtest 'a query that takes too long' => sub {
    my $impatient = Tournament::Nginx->new(database => $pg, name => 'impatient',
        options(http => 'tournament_query_timeout 500ms;'));

    slow();

    my @responses = fetch(port => $impatient->port,
                          paths => [ ($tournament->{path}) x 50 ]);

    is_deeply [ grep { $_->status != 504 } @responses ], [], 'all are told';
    $gate->open;
    poll_until {
        $impatient->get($tournament->{path})->status == 200
    } 20, 'and it is asked for again';
    pass 'and it is asked for again';
    $impatient->stop;
};


# The fill race. Behind the gate a query has yet to read; here it waits with what
# it has read.

sub read_then_wait {
    $pg->psql(<<"END");
        CREATE OR REPLACE FUNCTION tournament_api.state_behind_gate(
            p_slug text)
        RETURNS $result
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS \$\$
        BEGIN
            RETURN QUERY
                SELECT * FROM tournament_api.state_that_works(p_slug);
            IF p_slug LIKE 'read%' THEN
                PERFORM pg_advisory_xact_lock_shared(4711);
            END IF;
        END
        \$\$;
END

    return;
}

read_then_wait();

my $lock = $pg->session;


sub hold    { $lock->rows('SELECT pg_advisory_lock(4711)') }
sub release { $lock->rows('SELECT pg_advisory_unlock(4711)') }

sub wait_read {
    my ($count) = @_;

    $gate->wait_waiting($count);
    is $gate->waiting, $count, "$count " . ($count == 1 ? 'query has' : 'have')
        . ' read what is';

    return;
}


subtest 'what was read before a change is not served after it' => sub {
    my $t = $pg->tournament(slug => 'read-1', slots => 10);

    handled($pg, $nginx);
    hold();

    my $early = $nginx->connect->send('GET', $t->{path});

    wait_read(1);
    $pg->change($t, slots => 20);
    handled($pg, $nginx);
    release();

    # It came before the change was known: either will do.

    like $early->receive->max_teams, qr/^[12]0$/,
        'who came before it is answered';

    my $workers = $nginx->connect_workers;

    is $workers->{$_}->get($t->{path})->max_teams, 20,
        'as does every worker after'
        for keys %$workers;
};


subtest 'who comes while an old row is read' => sub {
    my $t       = $pg->tournament(slug => 'read-2', slots => 10);
    my $workers = $nginx->connect_workers;

    handled($pg, $nginx);
    hold();

    my $early = $nginx->connect->send('GET', $t->{path});

    wait_read(1);
    $pg->change($t, slots => 20);
    handled($pg, $nginx);

    $_->send('GET', $t->{path}) for values %$workers;

    my $states = $nginx->connect->send('GET',
        '/tournaments/api/states/?slugs=read-2');

    wait_taken();
    release();

    is $_->receive->max_teams, 20, 'gets the new one' for values %$workers;
    is $states->receive->json->{states}{'read-2'}{slots}{total}, 20,
        'among many, too';
    like $early->receive->max_teams, qr/^[12]0$/,
        'and who was there before one';
};


subtest 'two changes while it is read' => sub {
    my $t = $pg->tournament(slug => 'read-3', slots => 10);

    handled($pg, $nginx);
    hold();

    my $workers = $nginx->connect_workers;
    my ($first, $second) = values %$workers;

    $first->send('GET', $t->{path});
    wait_read(1);

    $pg->change($t, slots => 20);
    handled($pg, $nginx);
    $second->send('GET', $t->{path});
    wait_taken();
    $pg->change($t, slots => 30);
    handled($pg, $nginx);
    release();

    like $first->receive->max_teams, qr/^[123]0$/,
        'the first waits for two only';
    like $second->receive->max_teams, qr/^[23]0$/, 'the second is not shown 10';
    is $nginx->connect_workers->{$_}->get($t->{path})->max_teams, 30,
        'then it is 30'
        for keys %$workers;
};


# Changes never cease while each query runs: nobody waits for more than two.

subtest 'no end of changes' => sub {
    my $t = $pg->tournament(slug => 'read-4', slots => 1);

    handled($pg, $nginx);

    my $slots = 1;
    my $load  = load(port => $nginx->port, concurrency => 8,
                     path => $t->{path}, timeout => 10);

    for (1 .. 100) {
        $pg->change($t, slots => ++$slots);
        $load->wait_for(5);
    }

    my $report = $load->stop;

    is_deeply [ $report->{failed}, keys %{ $report->{status} } ], [ 0, 200 ],
        'all are answered';
    handled($pg, $nginx);
    is $nginx->get($t->{path})->max_teams, $slots, 'the last one is shown';
};


subtest 'a client that goes away' => sub {
    my $t = $pg->tournament(slug => 'read-5', slots => 3);

    handled($pg, $nginx);
    hold();

    my $workers = $nginx->connect_workers;
    my ($first, $second) = map { $workers->{$_} } sort keys %$workers;

    $first->send('GET', $t->{path});
    wait_read(1);
    $second->send('GET', $t->{path});
    wait_taken();
    $first->close;
    release();

    is $second->receive->max_teams, 3, 'the other worker has its answer';
    is $nginx->get($t->{path})->max_teams, 3, 'as has who comes next';
};


$nginx->expect_log(qr/open socket .* left in connection/);

done_testing;
