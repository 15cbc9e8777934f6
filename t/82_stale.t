# What may be shown that is not fresh, and what may not: the four classes of
# entries, coalesced answers, refreshes ahead of time, and what is a user's.
#
# Invariants 2, 5 and 6.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Endpoints;
use Tournament::Feed;

my $STATEMENT = '%FROM tournament_api.state($1)%';

my $pg   = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate = $pg->gate;

my $account = 5001;
my $player  = $pg->profile(user_id => $account);
my @account = ('X-Account' => $account);

# A TTL belongs to a location: an entry that one has stored has expired at
# another. X is the endpoint's part of a path.

my @EXPIRED = map { "tournament_ttl $_ 1ms;" } ttls();

my @LOCATIONS = map { s{/api/}{/}r } (
    locations('kept'),
    locations('expired', @EXPIRED),
    locations('strict', 'tournament_stale 0;'),
    locations('strictly_expired', 'tournament_stale 0;', @EXPIRED),
    locations('coalesced', 'tournament_coalesce hub 1s;'),
    locations('two', 'tournament_ttl state 2s;'),
    locations('four', 'tournament_ttl state 4s;'),
    'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
);

my $nginx = node('nginx');


sub node {
    my ($name, %options) = @_;

    my $http    = delete $options{http} // '';
    my $timeout = delete $options{timeout} // '1s';

    return Tournament::Nginx->new(
        name     => $name,
        database => $pg,
        options(
            http      => "tournament_query_timeout $timeout;
                          tournament_stale 1h; $http",
            locations => \@LOCATIONS,
            %options,
        ),
    );
}


my $n = 0;

sub tournament {
    my (%columns) = @_;

    my $t = $pg->tournament(slug => 'slow-' . ++$n, slots => 10, %columns);

    $pg->insert('tournaments_registration', tournament_id => $t->{id},
        user_id => $player, status => 'CONFIRMED', payment_status => 'pending',
        payment_method => '', payment_sender => '', payment_reference => '',
        created_at => \'now()');

    return $t;
}


sub calls { return $pg->calls(like => $STATEMENT) }


sub unheard_slots {
    my ($t, $slots) = @_;

    unheard($pg, "UPDATE tournaments_tournament SET slot_size = $slots
              WHERE id = $t->{id}");

    return;
}


# "status cache slots" of a state.

sub seen {
    my ($response) = @_;

    return join ' ', $response->status, $response->cache // '-',
        eval { $response->json->{max_teams} } // '-';
}


sub cached {
    my ($connection, $path, @headers) = @_;

    poll_until {
        $connection->get($path, @headers)->cache eq 'HIT'
    } 20, "$path is cached";

    return;
}


# Several requests of each worker while the query that they cause is held up.

sub one_refresh {
    my ($node, $t, $path) = @_;

    my $workers = $node->connect_workers;

    $pg->reset_calls;
    $gate->shut;

    my %seen;

    for my $round (1 .. 5) {
        $seen{ seen($_->get($path)) }++ for values %$workers;
    }

    is_deeply \%seen, { '200 UPDATING 10' => 10 },
        'it is shown, and said to be updating';

    $gate->wait_waiting(1);
    is $gate->waiting, 1, 'while one query is under way';
    $gate->open;

    # A worker's memo may answer for what is left of its second: nobody has
    # heard of a change.

    for my $connection (values %$workers) {
        poll_until {
            seen($connection->get("/kept/$t->{slug}/state/")) eq '200 HIT 20'
        } 20, 'it is refreshed';
    }

    is calls(), 1, 'by one statement';

    return;
}


subtest 'expired' => sub {
    my $t = tournament();

    handled($pg, $nginx);
    cached($nginx->connect, "/kept/$t->{slug}/state/");
    unheard_slots($t, 20);
    one_refresh($nginx, $t, "/expired/$t->{slug}/state/");
};


subtest 'expired, with nothing to be stale' => sub {
    my $t = tournament();

    handled($pg, $nginx);
    cached($nginx->connect, "/kept/$t->{slug}/state/");
    unheard_slots($t, 20);
    is seen($nginx->get("/strictly_expired/$t->{slug}/state/")),
        '200 EXPIRED 20', 'it is queried';
};


subtest 'expired, of all endpoints' => sub {
    my $t = tournament(slug => 'every');

    my %word = (
        'every/state/'   => 'UPDATING',
        'states/?slugs=every' => 'UPDATING',
        'hub/'           => 'UPDATING',
        'every/detail/'  => 'UPDATING',
        'every/count/'   => 'UPDATING',
        'stats/'         => 'UPDATING',
        'every/register/context/' => 'EXPIRED',
        'me/registrations/' => 'EXPIRED',
        'every/participants/' => 'EXPIRED',
        'absent/state/'  => 'EXPIRED',
        'absent/detail/' => 'EXPIRED',
    );

    handled($pg, $nginx);

    my %got;

    for my $path (sort keys %word) {
        my @headers = $path =~ /me|context/ ? @account
                    : $path =~ /participants/ ? ('X-Staff' => 1) : ();

        cached($nginx->connect, "/kept/$path", @headers);
        $got{$path} = $nginx->get("/expired/$path", @headers)->cache;
    }

    is_deeply \%got, \%word, 'a 404 and what is guarded is never shown'
        or diag explain \%got;

    # Of two parts, one the user's, the word is that of the older one.

    cached($nginx->connect, '/kept/every/state/', @account);
    unheard($pg, "UPDATE tournaments_registration SET status = 'CANCELLED'
                   WHERE tournament_id = $t->{id}");

    my $response = $nginx->get('/expired/every/state/', @account);

    is $response->cache, 'UPDATING', "what is old in a user's state is named";
    ok !$response->json->{user_registered}, "what is a user's of it is not";
};


subtest 'some of many are old' => sub {
    my @t = map { tournament(slug => "some-$_") } 1 .. 2;

    handled($pg, $nginx);
    cached($nginx->connect, '/kept/some-1/state/');
    is $nginx->get('/expired/states/?slugs=some-1,some-2')->cache, 'UPDATING',
        'and it is said';
};


subtest 'expired, without the feed' => sub {
    for my $case ([ 'off', feed => 0 ],
                  [ 'unreachable',
                    http => 'tournament_listen "host=/nonexistent";' ])
    {
        my ($name, %options) = @$case;
        my $node = node($name, %options);
        my $t    = tournament();

        cached($node->connect, "/kept/$t->{slug}/state/");
        unheard_slots($t, 20);
        is seen($node->get("/expired/$t->{slug}/state/")), '200 EXPIRED 20',
            "$name: who asks waits";
        $node->stop;
    }
};


subtest 'suspect' => sub {
    my $t = tournament();

    handled($pg, $nginx);
    cached($nginx->connect, "/kept/$t->{slug}/state/");
    unheard_slots($t, 20);

    $nginx->log_mark;
    $pg->terminate(pid => feed_backend($pg));
    wait_listening($nginx);

    one_refresh($nginx, $t, "/kept/$t->{slug}/state/");
};


subtest 'suspect, and what is never shown then' => sub {
    my $t = tournament(slug => 'suspected');

    my %path = (
        'suspected/register/context/'      => [@account],
        'me/registrations/'                  => [@account],
        'suspected/participants/' => [ 'X-Staff' => 1 ],
        'none/state/'             => [],
        'none/count/'             => [],
    );

    handled($pg, $nginx);
    cached($nginx->connect, "/kept/$_", @{ $path{$_} }) for keys %path;

    $nginx->log_mark;
    $pg->terminate(pid => feed_backend($pg));
    wait_listening($nginx);

    is $nginx->get("/kept/$_", @{ $path{$_} })->cache, 'EXPIRED', $_
        for sort keys %path;
};


subtest 'invalid' => sub {
    my $t = tournament();
    my $path = "/kept/$t->{slug}/state/";

    handled($pg, $nginx);
    cached($nginx->connect, $path);

    my $workers = $nginx->connect_workers;

    $gate->shut;
    $pg->change($t, slots => 20);
    handled($pg, $nginx);

    my ($first, $second) = values %$workers;

    $first->send('GET', $path);
    $gate->wait_waiting(1);
    $second->send('GET', $path);

    ok !IO::Select->new($first->{socket}, $second->{socket})->can_read(0),
        'who asks waits';
    $gate->open;

    is seen($_->receive), '200 EXPIRED 20', 'for what is' for $first, $second;
};


subtest 'invalid, and the query takes too long' => sub {
    my $t = tournament();
    my $path = "/kept/$t->{slug}/state/";

    handled($pg, $nginx);
    cached($nginx->connect, $path);
    $gate->shut;
    $pg->change($t, slots => 20);
    handled($pg, $nginx);

    my @responses = fetch(port => $nginx->port, paths => [ ($path) x 20 ]);
    my %seen;

    $seen{ seen($_) }++ for @responses;

    is_deeply \%seen, { '200 STALE 10' => 20 }, 'what was is shown';
    is_deeply [ grep { ($_->header('Age') // '') !~ /^\d+$/ } @responses ], [],
        'and how old it is';

    is seen($nginx->get("/strict/$t->{slug}/state/")), '504 EXPIRED -',
        'but where nothing is to be stale';

    $gate->open;
    poll_until {
        seen($nginx->get($path)) =~ /^200 \w+ 20/
    } 20, 'it is well again';

    is $nginx->get($path)->header('Age'), undef, 'no Age then';
};


# Nobody who has something to show waits for a database that refuses
# connections; here a deadline is longer than the test's patience.

subtest 'the database is gone, and deadlines are long' => sub {
    my $node = node('patient', timeout => '60s');
    my $t    = tournament();
    my $late = tournament();
    my $cold = $pg->tournament(slug => 'cold', slots => 10);

    handled($pg, $node);
    cached($node->connect, "/kept/$_->{slug}/state/") for $t, $late;

    # Not known to have changed, and expired: no change is heard any more.

    $pg->change($_, slots => 20) for $t, $late;
    handled($pg, $node);
    cached($node->connect, '/kept/hub/');

    $gate->shut;

    my @waiting = map {
        $_->send('GET', "/kept/$late->{slug}/state/")
    } values %{ $node->connect_workers };

    $gate->wait_waiting(1);

    # At once: else the gate would be gone before who waits there.

    $pg->rows('CHECKPOINT');
    $pg->stop('immediate');
    delete $gate->{session};

    is seen($_->receive), '200 STALE 10', 'who waits for a query need not'
        for @waiting;

    for my $connection (values %{ $node->connect_workers }) {
        my $response = $connection->get("/kept/$t->{slug}/state/");

        is seen($response), '200 STALE 10', 'nor who comes then';
        like $response->header('Age'), qr/^\d+$/, 'Age is said';

        $response = $connection->get('/expired/hub/');
        is $response->cache, 'STALE', 'what has expired is stale, too';
        like $response->header('Age'), qr/^\d+$/, 'Age is said';
    }

    my $waiter = $node->connect->send('GET', '/kept/cold/state/');

    is seen($node->get("/kept/$t->{slug}/state/")), '200 STALE 10', 'again';
    ok !IO::Select->new($waiter->{socket})->can_read(0),
        'who has nothing waits';
    $pg->start;
    is seen($waiter->receive), '200 MISS 10', 'until it is there again';

    poll_until {
        seen($node->get("/kept/$t->{slug}/state/")) =~ /^200 \w+ 20/
    } 20, 'it is well again';

    is $node->get("/kept/$t->{slug}/state/")->header('Age'), undef,
        'no Age then';
    $node->stop;
};


# While queries fail, what is shown is not said to be updating.

subtest 'refreshes that fail' => sub {
    for my $case ([ 'suspect', 'kept' ], [ 'expired', 'expired' ]) {
        my ($name, $prefix) = @$case;
        my $t    = tournament();
        my $path = "/$prefix/$t->{slug}/state/";

        handled($pg, $nginx);
        cached($nginx->connect, "/kept/$t->{slug}/state/");
        unheard_slots($t, 20);
        $gate->shut;

        if ($name eq 'suspect') {
            $nginx->log_mark;
            $pg->terminate(pid => feed_backend($pg));
            wait_listening($nginx);
        }

        my $workers = $nginx->connect_workers;
        my ($first) = values %$workers;

        is seen($first->get($path)), '200 UPDATING 10',
            "$name: it is tried first";
        is $first->get($path)->header('Age'), undef, 'without Age';

        for my $connection (values %$workers) {
            my $response;

            poll_until {
                $response = $connection->get($path);
                $response->cache ne 'UPDATING'
            } 20, 'a query has failed';

            is seen($response), '200 STALE 10', "$name: then it is stale";
            like $response->header('Age'), qr/^\d+$/, 'and how old is said';

            $response = $connection->get($path, @account);

            is seen($response), '200 STALE 10', 'to a user, too';
            like $response->header('Age'), qr/^\d+$/, 'and how old is said';
        }

        $gate->open;
        poll_until {
            seen($nginx->get("/kept/$t->{slug}/state/")) eq '200 HIT 20'
        } 20, 'it is refreshed';
        is $nginx->get("/kept/$t->{slug}/state/")->header('Age'), undef,
            'without Age';
    }
};


subtest 'the database is gone' => sub {
    my $node = node('lonely');
    my $t    = tournament(slug => 'orphan');

    # What is stale is the older the later: Age counts from the query on.

    my $stored = now();

    my %path = (
        'orphan/state/'   => [],
        'orphan/detail/'  => [],
        'orphan/count/'   => [],
        'hub/'            => [],
        'states/?slugs=orphan' => [],
        'orphan/register/context/' => [@account],
        'me/registrations/'          => [@account],
        'orphan/participants/' => [ 'X-Staff' => 1 ],
        'void/state/'     => [],
    );

    handled($pg, $node);
    cached($node->connect, "/kept/$_", @{ $path{$_} }) for keys %path;

    my $good = tournament(slug => 'good');

    cached($node->connect, '/kept/good/state/');

    $pg->change($t, slots => 20);
    $pg->rows("UPDATE tournaments_registration SET status = 'PENDING'
                WHERE tournament_id = $t->{id}");
    handled($pg, $node);
    cached($node->connect, '/kept/good/state/');
    cached($node->connect, '/kept/unknown/state/');

    $pg->stop('fast');

    my %got = map {
        my $response = $node->get("/kept/$_", @{ $path{$_} });
        ($_ => $response->status . ' ' . $response->cache . ' '
             . (defined $response->header('Age') ? 'Age' : '-'))
    } keys %path;

    $_ =~ s/^50[34]/50x/ for values %got;

    is_deeply \%got, {
        'orphan/state/'   => '200 STALE Age',
        'orphan/detail/'  => '200 STALE Age',
        'orphan/count/'   => '200 STALE Age',
        'hub/'            => '200 STALE Age',
        'states/?slugs=orphan' => '200 STALE Age',
        'orphan/register/context/' => '50x EXPIRED -',
        'me/registrations/'          => '50x EXPIRED -',
        'orphan/participants/' => '50x EXPIRED -',
        'void/state/'     => '50x EXPIRED -',
    }, 'what was is shown, but for a 404 and what is guarded'
        or diag explain \%got;

    like $node->get("/strict/orphan/state/")->status, qr/^50[34]$/,
        'nor where nothing is to be stale';
    is seen($node->get('/kept/good/state/')), '200 HIT 10',
        'what is not known to have changed is fresh';
    is $node->get('/kept/unknown/state/')->status, 404, 'a fresh 404 too';

    poll_until { now() > $stored + 2.2 } 20, 'time passes';

    my $response = $node->get('/kept/orphan/state/');

    cmp_ok $response->header('Age'), '>=', 1, 'Age counts';
    is $response->cache, 'STALE', 'it is stale still';
    is $response->header('Cache-Control'), 'public, max-age=1',
        'Cache-Control is as ever';

    $node->request('PURGE', '/purge/orphan');
    like $node->get('/kept/orphan/state/')->status, qr/^50[34]$/,
        'what is purged is never shown';

    $pg->start;

    poll_until {
        seen($node->get('/kept/orphan/state/')) =~ /^200 \w+ 20/
    } 20, 'it is well again';

    $node->stop;
};


subtest 'coalesced' => sub {
    my $node = node('pouring');
    my $t    = tournament(slug => 'pouring', slots => 1);
    my $path = '/coalesced/hub/';

    poll_until { $node->get($path)->status == 200 } 20, 'it works';
    handled($pg, $node);

    my $hub = sub {
        my ($card) = grep { $_->{slug} eq 'pouring' }
            @{ $_[0]->json->{tournaments} };
        return $card->{slots}{total};
    };

    my $connection = $node->connect;

    poll_until { $connection->get($path)->cache eq 'HIT' } 20, 'cached';

    $pg->reset_calls;

    my $since = now();
    my $slots = 1;
    my %word;
    my $last = 0;
    my $back = 0;

    while (now() < $since + 3.3) {
        $pg->change($t, slots => ++$slots);

        for (1 .. 5) {
            my $response = $connection->get($path);
            my $shown    = $hub->($response);

            $word{ $response->cache }++;
            $back++ if $shown < $last;
            $last = $shown;
        }
    }

    my $calls = $pg->calls(like => '%tournament_api.hub(%');
    my $most  = int(now() - $since) + 1;

    cmp_ok $calls, '<=', $most, "$slots changes, one query a second";
    cmp_ok $calls, '>=', 2, 'and it is queried';
    cmp_ok $word{UPDATING}, '>', 0, 'UPDATING is said of what is old';
    is_deeply [ grep { !/UPDATING|HIT|EXPIRED/ } keys %word ], [],
        'no other word' or diag explain \%word;
    is $back, 0, 'it never goes back';

    poll_until { $hub->($connection->get($path)) == $slots } 20, 'the last';
    pass 'the last change is shown';

    # Not everything is coalesced, nor everywhere.

    $pg->change($t, slots => ++$slots);
    handled($pg, $node);
    is $hub->($node->get('/kept/hub/')), $slots, 'only where it is asked for';

    $node->stop;
};


# The same with many who wait at once, in two workers, while the query takes its
# time and changes pour in: those who come while it is under way do not make
# another one.

subtest 'coalesced, and many wait' => sub {
    my $node = node('herd');
    my $t    = tournament(slug => 'herd', slots => 1);
    my $path = '/coalesced/hub/';

    my $result = $pg->value(q{
        SELECT pg_get_function_result(oid) FROM pg_proc
         WHERE proname = 'hub'
           AND pronamespace = 'tournament_api'::regnamespace});
    my $arguments = $pg->value(q{
        SELECT pg_get_function_arguments(oid) FROM pg_proc
         WHERE proname = 'hub'
           AND pronamespace = 'tournament_api'::regnamespace});
    my $n = () = $arguments =~ /,/g;
    my $passed = join ', ', map { "\$$_" } 1 .. $n + 1;

    $pg->psql(<<"END");
        ALTER FUNCTION tournament_api.hub RENAME TO hub_at_once;
        CREATE FUNCTION tournament_api.hub($arguments) RETURNS $result
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS \$\$
        BEGIN
            PERFORM pg_catalog.pg_sleep(0.1);
            RETURN QUERY SELECT * FROM tournament_api.hub_at_once($passed);
        END
        \$\$;
        GRANT EXECUTE ON FUNCTION tournament_api.hub TO PUBLIC;
END

    poll_until { $node->get($path)->status == 200 } 20, 'it works';
    handled($pg, $node);
    poll_until { $node->get($path)->cache eq 'HIT' } 20, 'cached';

    my $hub = sub {
        my ($card) = grep { $_->{slug} eq 'herd' }
            @{ $_[0]->json->{tournaments} };
        return $card->{slots}{total};
    };

    $pg->reset_calls;

    my $since = now();
    my $slots = 1;
    my $load  = load(port => $node->{spread}, concurrency => 40, path => $path,
                     timeout => 20, pause => 0.02);

    while (now() < $since + 3.3) {
        $pg->change($t, slots => ++$slots);
    }

    my $calls  = $pg->calls(like => '%tournament_api.hub($%');
    my $most   = int(now() - $since) + 1;
    my $report = $load->stop;

    is_deeply [ $report->{failed}, keys %{ $report->{status} } ], [ 0, 200 ],
        'all are answered';
    is keys %{ $report->{workers} }, 2, 'by two workers';
    cmp_ok $calls, '<=', $most, "$slots changes, one query a second";
    cmp_ok $calls, '>=', 2, 'and it is queried';

    # Each worker shows the last change, and goes on to.

    handled($pg, $node);

    for my $connection (values %{ $node->connect_workers }) {
        poll_until {
            $hub->($connection->get($path)) == $slots
        } 20, 'the last';
        is $hub->($connection->get($path)), $slots, 'the last one is shown';
    }

    $pg->psql('DROP FUNCTION tournament_api.hub;
               ALTER FUNCTION tournament_api.hub_at_once RENAME TO hub');
    $node->stop;
};


# An entry in use is queried again before it expires: within the last eighth of
# its TTL. Where this machine has stood still for as long, nothing is proved.

subtest 'refreshed ahead' => sub {
    my %ttl = (two => 2, four => 4);
    my @polls;

    for my $feed (0, 1) {
        my $node    = node("ahead-$feed", feed => $feed);
        my $workers = $node->connect_workers;

        for my $prefix (sort keys %ttl) {
            my $t = $pg->tournament(slug => 'polled-' . ++$n, slots => 10);

            push @polls, {
                name => "$ttl{$prefix} s, " . ($feed ? 'feed' : 'no feed'),
                node => $node,
                ttl  => $ttl{$prefix},
                path => "/$prefix/$t->{slug}/state/",
                workers => [ values %$workers ],
            };
        }

        handled($pg, $node) if $feed;
    }

    for my $poll (@polls) {
        poll_until {
            $poll->{node}->get($poll->{path})->cache eq 'HIT'
        } 20, 'cached';
    }

    $pg->reset_calls;

    my $since = now();
    my $turn  = $since;

    while ($turn < $since + 8.5) {
        my $next = now();

        for my $poll (@polls) {
            $poll->{still} = $next if $next - $turn > $poll->{ttl} / 32;

            for my $connection (@{ $poll->{workers} }) {
                my $word = $connection->get($poll->{path})->cache;

                $poll->{word}{$word}++
                    if $next > ($poll->{still} // 0) + 2 * $poll->{ttl};
            }
        }

        $turn = $next;
        select undef, undef, undef, 0.005;
    }

    my %word = map { $_->{name} => $_->{word} // {} } @polls;

    is_deeply [ map { grep { $_ ne 'HIT' } keys %$_ } values %word ], [],
        'every answer is a hit' or diag explain \%word;
    cmp_ok calls(), '>=', 2 * 4 + 2 * 2, 'it is queried';

    $_->{node}->stop for grep { $_->{node}->running } @polls;
};


subtest "a user's entries while the feed is down" => sub {
    my $node = node('unheard',
                    http => 'tournament_listen "host=/nonexistent";');
    my $t    = tournament(slug => 'unheard');
    my $connection = $node->connect;
    my @paths = ('/kept/unheard/register/context/', '/kept/me/registrations/');
    my (%before, %late);

    cached($connection, $_, @account) for @paths;
    cached($connection, '/kept/unheard/state/');

    $before{$_} = bare($connection->get($_, @account)) for @paths;
    unheard($pg, 'DELETE FROM tournaments_registration');

    my $changed = now();

    poll_until {
        my $old = 0;

        for my $path (@paths) {
            my $asked = now();

            if (bare($connection->get($path, @account)) eq $before{$path}) {
                $old++;
                $late{$path}++ if $asked > $changed + 2.05;
            }
        }

        !$old
    } 20, 'they expire';

    is_deeply \%late, {}, 'they live for two seconds at most';
    is $connection->get('/kept/unheard/state/')->cache, 'HIT',
        "everybody's for their TTL";
    $node->stop;
};


# A dead listener is not taken for one that listens until another one does: here
# none can.

subtest "a user's entries when the listener has died" => sub {
    my $node = node('orphaned');
    my $t    = tournament(slug => 'orphaned');
    my $path = '/kept/orphaned/register/context/';

    handled($pg, $node);

    my $pid     = listener($node);
    my ($other) = grep { $_ != $pid } $node->worker_pids;
    my $connection = $node->connect_workers->{$other};

    cached($connection, $path, @account);

    my $before = bare($connection->get($path, @account));

    $node->expect_log(qr/worker process $pid exited on signal 9/,
                      qr/timed out while connecting/);
    kill 'STOP', $pg->pid;
    kill 'KILL', $pid;
    unheard($pg, 'DELETE FROM tournaments_registration');

    poll_until {
        bare($connection->get($path, @account)) ne $before
    } 10, 'they expire soon';
    pass 'they expire soon';
    kill 'CONT', $pg->pid;
    $node->stop;
};


$nginx->expect_log(qr/nonexistent/);

done_testing;
