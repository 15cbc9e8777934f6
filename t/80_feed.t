# The feed: a commit is visible in every worker at once, whatever table it
# changes and whichever answer shows it, and no break of the feed leaves an
# answer behind that is not known to be old.
#
# Invariants 2, 6, 7 and 9.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $pg = database();

my $account  = 5001;
my $captain  = $pg->profile(user_id => 5002, display_name => 'Captain');
my $player   = $pg->profile(user_id => $account, display_name => 'Player');
my $stranger = $pg->profile(user_id => 5003, display_name => 'Stranger');

my $team = $pg->insert('teams_team', name => 'Team', tag => 'TM',
                       game => 'valorant', captain_id => $captain);

my $membership = member($player, 'PLAYER');

member($captain, 'CAPTAIN');

my %teams = (settings => { min_team_size => 5, max_team_size => 5 });
my $main  = $pg->tournament(slug => 'main', slots => 16, %teams,
                            status => 'RUNNING');
my $solo  = $pg->tournament(slug => 'solo', slots => 8);
my $third = $pg->tournament(slug => 'third', slots => 8, %teams);
my $far   = $pg->tournament(slug => 'far', slots => 8, game => 'chess');

my $theirs = registration($main, team_id => $team);
my $own    = registration($solo, user_id => $player);

$pg->insert('tournaments_schedule', tournament_id => $main->{id},
            check_in_open_mins => 60);

my $nginx = Tournament::Nginx->new(database => $pg, options());

my @account = ('X-Account' => $account);

my %SHOWN = (
    'state main'        => [ 'api/main/state/' ],
    'state main, user'  => [ 'api/main/state/', @account ],
    'state solo'        => [ 'api/solo/state/' ],
    'state far'         => [ 'api/far/state/' ],
    'state renamed'     => [ 'api/renamed/state/' ],
    'state new'         => [ 'api/new/state/' ],
    'states'            => [ 'api/states/?slugs=main,third,new' ],
    'hub'               => [ 'api/hub/' ],
    'hub chess'         => [ 'game/chess/' ],
    'detail main'       => [ 'api/main/detail/' ],
    'detail solo'       => [ 'api/solo/detail/' ],
    'detail far'        => [ 'api/far/detail/' ],
    'count main'        => [ 'api/main/count/' ],
    'count solo'        => [ 'api/solo/count/' ],
    'context main'      => [ 'api/main/register/context/', @account ],
    'context solo'      => [ 'api/solo/register/context/', @account ],
    'context third'     => [ 'api/third/register/context/', @account ],
    'context stranger'  => [ 'api/main/register/context/',
                             'X-Account' => 5003 ],
    'context no profile' => [ 'api/solo/register/context/',
                              'X-Account' => 5004 ],
    'participants main' => [ 'api/main/participants/', @account ],
    'participants solo' => [ 'api/solo/participants/', 'X-Staff' => 1 ],
    'dashboard'         => [ 'api/me/registrations/', @account ],
    'dashboard, no profile' => [ 'api/me/registrations/',
                                 'X-Account' => 5004 ],
    'stats'             => [ 'api/stats/' ],
);


sub member {
    my ($profile, $role) = @_;

    return $pg->insert('teams_teammembership', team_id => $team,
                       profile_id => $profile, role => $role,
                       status => 'ACTIVE', joined_at => \'now()');
}


sub registration {
    my ($tournament, %who) = @_;

    return $pg->insert('tournaments_registration',
        tournament_id => $tournament->{id}, status => 'CONFIRMED',
        payment_status => 'pending', payment_method => '',
        payment_sender => '', payment_reference => '',
        created_at => \'now()', %who);
}


sub answers {
    my ($connection, $prefix) = @_;

    return map {
        my ($path, @headers) = @{ $SHOWN{$_} };
        ($_ => $connection->get("/$prefix/$path", @headers))
    } sort keys %SHOWN;
}


sub fresh {
    my %answer = answers($nginx->connect, 'fresh');

    return { map { ($_ => bare($answer{$_})) } keys %answer };
}


# Everything that is shown, in the cache.

sub fill {
    my ($workers) = @_;

    for my $round (1 .. 5) {
        answers($_, 'tournaments') for values %$workers;

        my %cold;

        for my $connection (values %$workers) {
            my %answer = answers($connection, 'tournaments');

            $cold{$_}++ for grep { $answer{$_}->cache ne 'HIT' } keys %answer;
        }

        return 1 if !%cold;
    }

    return 0;
}


# What differs from the database's own in the answers of the workers.

sub differences {
    my ($workers, $fresh) = @_;

    my %wrong;

    for my $pid (sort keys %$workers) {
        my %answer = answers($workers->{$pid}, 'tournaments');

        for my $name (keys %answer) {
            $wrong{$name} = $answer{$name}->cache . ' ' . bare($answer{$name})
                if bare($answer{$name}) ne $fresh->{$name};
        }
    }

    return \%wrong;
}


my @CHANGES = (
    [ 'slots', "UPDATE tournaments_tournament SET slot_size = 17
                 WHERE slug = 'main'",
      'state main', 'state main, user', 'states', 'hub', 'detail main',
      'detail solo', 'dashboard' ],
    [ 'name', "UPDATE tournaments_tournament SET name = 'Solo cup'
                WHERE slug = 'solo'",
      'hub', 'detail main', 'detail solo', 'dashboard' ],
    [ 'a new slug', "UPDATE tournaments_tournament SET slug = 'renamed'
                      WHERE slug = 'solo'",
      'state solo', 'state renamed', 'hub', 'detail main', 'detail solo',
      'count solo', 'context solo', 'context no profile',
      'participants solo', 'dashboard' ],
    [ 'the old slug', "UPDATE tournaments_tournament SET slug = 'solo'
                        WHERE slug = 'renamed'",
      'state solo', 'state renamed', 'hub', 'detail main', 'detail solo',
      'count solo', 'context solo', 'context no profile',
      'participants solo', 'dashboard' ],
    [ 'draft', "UPDATE tournaments_tournament SET status = 'DRAFT'
                 WHERE slug = 'solo'",
      'state solo', 'hub', 'detail main', 'detail solo', 'count solo',
      'context solo', 'context no profile', 'participants solo', 'dashboard',
      'stats' ],
    [ 'published', "UPDATE tournaments_tournament SET status = 'PUBLISHED'
                     WHERE slug = 'solo'",
      'state solo', 'hub', 'detail main', 'detail solo', 'count solo',
      'context solo', 'context no profile', 'participants solo', 'dashboard',
      'stats' ],
    [ 'another game', "UPDATE tournaments_tournament SET game = 'chess'
                        WHERE slug = 'solo'",
      'hub', 'hub chess', 'detail main', 'detail solo', 'detail far',
      'dashboard', 'stats' ],
    [ 'its own game', "UPDATE tournaments_tournament SET game = 'valorant'
                        WHERE slug = 'solo'",
      'hub', 'hub chess', 'detail main', 'detail solo', 'detail far',
      'dashboard', 'stats' ],
    [ 'a new tournament', "INSERT INTO tournaments_tournament (name, slug,
            game, status, created_at, updated_at, groups_published)
        VALUES ('New', 'new', 'chess', 'PUBLISHED', now(), now(), false)",
      'state new', 'states', 'hub', 'hub chess', 'detail far', 'stats' ],
    [ 'one less', "DELETE FROM tournaments_tournament WHERE slug = 'new'",
      'state new', 'states', 'hub', 'hub chess', 'detail far', 'stats' ],
    [ 'settings', "UPDATE tournaments_tournamentsettings
                      SET description = 'Long', prize_pool_bdt = 7
                    WHERE tournament_id = $main->{id}",
      'hub', 'detail main', 'detail solo', 'dashboard' ],
    [ 'sizes of teams', "UPDATE tournaments_tournamentsettings
                            SET min_team_size = 1, max_team_size = 1
                          WHERE tournament_id = $main->{id}",
      'state main', 'state main, user', 'states', 'detail main',
      'context main', 'context stranger', 'participants main' ],
    [ 'no settings', "DELETE FROM tournaments_tournamentsettings
                       WHERE tournament_id = $main->{id}",
      'hub', 'detail main', 'detail solo', 'dashboard' ],
    [ 'new settings', "INSERT INTO tournaments_tournamentsettings
            (tournament_id, min_team_size, max_team_size, created_at,
             updated_at)
        VALUES ($main->{id}, 5, 5, now(), now())",
      'state main', 'state main, user', 'states', 'detail main',
      'context main', 'context stranger', 'participants main' ],
    [ 'a start', "UPDATE tournaments_tournament SET start_at = '2100-01-01Z'
                   WHERE slug = 'far'",
      qr/state far|hub|hub chess|detail far|stats/ ],
    [ 'no start', "UPDATE tournaments_tournament SET start_at = NULL
                    WHERE slug = 'far'",
      qr/state far|hub|hub chess|detail far|stats/ ],
    [ 'check-in', "UPDATE tournaments_tournament SET start_at = '2000-01-01Z'
                    WHERE slug = 'main';
                   UPDATE tournaments_schedule SET check_in_open_mins = 30
                    WHERE tournament_id = $main->{id}",
      qr/main|states|hub|detail solo|dashboard|context stranger/ ],
    [ 'schedule', "UPDATE tournaments_schedule SET check_in_close_mins = 10
                    WHERE tournament_id = $main->{id}",
      'detail main' ],
    [ 'no schedule', "DELETE FROM tournaments_schedule", 'detail main' ],
    [ 'a registration', "INSERT INTO tournaments_registration
            (tournament_id, user_id, status, payment_status, created_at,
             payment_method, payment_sender, payment_reference)
        VALUES ($main->{id}, $stranger, 'PENDING', 'pending', now(),
                '', '', '')",
      'hub', 'detail main', 'detail solo', 'count main', 'dashboard',
      'context stranger' ],
    [ 'confirmed', "UPDATE tournaments_registration SET status = 'CONFIRMED'
                     WHERE user_id = $stranger",
      'state main', 'state main, user', 'states', 'hub', 'detail main',
      'detail solo', 'count main', 'participants main', 'dashboard',
      'stats' ],
    [ 'moved', "UPDATE tournaments_registration
                   SET tournament_id = $solo->{id}
                 WHERE user_id = $stranger",
      'state main', 'state main, user', 'state solo', 'states', 'hub',
      'detail main', 'detail solo', 'count main', 'count solo',
      'participants main', 'participants solo', 'context stranger',
      'dashboard' ],
    [ 'no registration', "DELETE FROM tournaments_registration
                           WHERE user_id = $stranger",
      'state solo', 'hub', 'detail main', 'detail solo', 'count solo',
      'participants solo', 'dashboard', 'stats' ],
    [ 'payment', "UPDATE tournaments_registration
                     SET payment_status = 'verified'
                   WHERE id = $own",
      'dashboard' ],
    [ 'own registration cancelled', "UPDATE tournaments_registration
            SET status = 'CANCELLED' WHERE id = $own",
      'state solo', 'hub', 'detail main', 'detail solo', 'count solo',
      'participants solo', 'dashboard', 'stats' ],
    [ 'registration of the team gone', "DELETE FROM tournaments_registration
            WHERE id = $theirs",
      'state main', 'state main, user', 'states', 'hub', 'detail main',
      'detail solo', 'count main', 'context main', 'participants main',
      'dashboard' ],
    [ 'registration of the team', "INSERT INTO tournaments_registration
            (tournament_id, team_id, status, payment_status, created_at,
             payment_method, payment_sender, payment_reference)
        VALUES ($main->{id}, $team, 'CONFIRMED', 'pending', now(),
                '', '', '')",
      'state main', 'state main, user', 'states', 'hub', 'detail main',
      'detail solo', 'count main', 'context main', 'participants main',
      'dashboard' ],
    [ 'a request', "INSERT INTO tournaments_registrationrequest
            (tournament_id, team_id, requester_id, captain_id, status,
             created_at, expires_at)
        VALUES ($third->{id}, $team, $player, $captain, 'PENDING', now(),
                now())",
      'context third' ],
    [ 'no request', "UPDATE tournaments_registrationrequest
                        SET status = 'REJECTED'",
      'context third' ],
    [ 'membership', "UPDATE teams_teammembership SET status = 'LEFT'
                      WHERE id = $membership",
      'context main', 'context third', 'participants main', 'dashboard',
      'state main, user' ],
    [ 'membership again', "UPDATE teams_teammembership SET status = 'ACTIVE'
                            WHERE id = $membership",
      'context main', 'context third', 'participants main', 'dashboard',
      'state main, user' ],
    [ 'role', "UPDATE teams_teammembership SET role = 'CAPTAIN'
                WHERE id = $membership",
      'context main', 'context third' ],
    [ 'a new member', "INSERT INTO teams_teammembership (team_id, profile_id,
            role, status, joined_at)
        VALUES ($team, $stranger, 'PLAYER', 'ACTIVE', now())",
      'context stranger' ],
    [ 'team', "UPDATE teams_team SET name = 'A-Team' WHERE id = $team",
      'context main', 'context third', 'context stranger',
      'participants main', 'dashboard' ],
    [ 'captain of the team', "UPDATE teams_team SET captain_id = $stranger
                               WHERE id = $team",
      'context stranger', 'participants main' ],
    [ 'its name', "UPDATE user_profile_userprofile
                      SET display_name = 'Boss' WHERE id = $stranger",
      'participants main' ],
    [ 'private', "UPDATE user_profile_userprofile SET is_private = true
                   WHERE id = $stranger",
      'participants main' ],
    [ 'a profile', "INSERT INTO user_profile_userprofile (user_id,
            display_name, is_private, created_at, email, phone, facebook,
            discord)
        VALUES (5004, 'Late', false, now(), '', '', '', '');
        INSERT INTO tournaments_registration
            (tournament_id, user_id, status, payment_status, created_at,
             payment_method, payment_sender, payment_reference)
        SELECT $far->{id}, id, 'CONFIRMED', 'pending', now(), '', '', ''
          FROM user_profile_userprofile WHERE user_id = 5004",
      'state far', 'hub', 'hub chess', 'detail far', 'stats',
      'dashboard, no profile' ],
    [ 'account', "UPDATE user_profile_userprofile SET user_id = 5005
                   WHERE user_id = 5004",
      'dashboard, no profile' ],
);

my $workers = $nginx->connect_workers;

handled($pg, $nginx);

for my $change (@CHANGES) {
    my ($name, $sql, @expected) = @$change;

    subtest "a change: $name" => sub {
        ok fill($workers), 'all is cached';

        my $before = fresh();

        $pg->rows($sql);
        handled($pg, $nginx);

        my $wrong = differences($workers, my $after = fresh());

        is_deeply $wrong, {}, 'and every worker shows what is, at once'
            or diag explain $wrong;

        my @changed = grep { $before->{$_} ne $after->{$_} } sort keys %SHOWN;

        if (ref $expected[0]) {
            ok @changed && !(grep { !/$expected[0]/ } @changed),
                'which is not what was' or diag explain \@changed;
        } else {
            is_deeply \@changed, [ sort @expected ],
                'which is not what was';
        }
    };
}


subtest 'what is rolled back changes nothing' => sub {
    ok fill($workers), 'all is cached';

    my $session = $pg->session;

    $session->rows('BEGIN');
    $session->rows($CHANGES[$_][1]) for 0 .. 10;
    handled($pg, $nginx);
    is_deeply differences($workers, fresh()), {}, 'while it is under way';
    $session->rows('ROLLBACK');

    handled($pg, $nginx);

    my %cold;

    for my $connection (values %$workers) {
        my %answer = answers($connection, 'tournaments');

        $cold{$_} = $answer{$_}->cache
            for grep { $answer{$_}->cache ne 'HIT' } keys %answer;
    }

    is_deeply \%cold, {}, 'all is cached as before';
};


# More than some hundreds in one statement are announced as everything. What
# comes after it has been handled when it is seen: so has everything.

sub settles {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    handled($pg, $nginx);

    my $wrong = differences($workers, fresh());

    return is_deeply($wrong, {}, $name) || diag explain $wrong;
}


subtest 'many at once' => sub {
    $pg->rows("INSERT INTO tournaments_tournament (name, slug, game, status,
            created_at, updated_at, groups_published)
        SELECT 'Many ' || n, 'many-' || n, 'chess', 'PUBLISHED',
               '2000-01-01', now(), false
          FROM generate_series(1, 500) n");
    settles('new ones');

    for my $round (1 .. 2) {
        ok fill($workers), 'all is cached';
        $pg->rows('UPDATE tournaments_tournament
                      SET slot_size = coalesce(slot_size, 0) + 1
                    WHERE status <> \'DRAFT\'');
        settles('all have changed');
    }

    ok fill($workers), 'all is cached';
    $pg->rows("DELETE FROM tournaments_tournament WHERE slug LIKE 'many-%'");
    settles('they are gone');
};


subtest 'TRUNCATE' => sub {
    ok fill($workers), 'all is cached';

    my $before = fresh();

    $pg->rows('TRUNCATE tournaments_registration');
    settles('no registrations');
    isnt $before->{'count main'}, fresh()->{'count main'}, 'as it is';
};


# From here on: the feed itself. A loss of continuity is forced by changes that
# nobody could have heard of.

sub slots {
    my ($slots) = @_;

    $pg->change($main, slots => $slots);

    return;
}


# After the takeover an old answer may be seen, once more in each worker and
# said to be so, and never again after the first new one.

sub recovers {
    my ($slots, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $seen = 0;
    my @wrong;

    eval {
        poll_until {
            my $n = 0;

            for my $connection (values %{ $nginx->connect_workers }) {
                my $response = $connection->get($main->{path});
                my $is       = $response->max_teams;

                push @wrong, $is . ' ' . $response->cache
                    if $is ne $slots && ($seen || $response->cache eq 'HIT');
                $n++ if $is eq $slots;
                $seen = 1 if $is eq $slots;
            }

            $n >= 2
        } 20, 'all workers show it'
    } or push @wrong, $@;

    return is_deeply \@wrong, [], $name;
}


sub warm_up {
    my $workers = $nginx->connect_workers;

    for my $connection (values %$workers) {
        poll_until {
            $connection->get($main->{path})->cache eq 'HIT'
        } 20, 'it is cached';
    }

    return;
}


subtest 'the listening worker is killed' => sub {
    for my $slots (100 .. 102) {
        warm_up();
        $nginx->log_mark;

        my $pid = listener($nginx);

        # before the other one listens: nobody hears of it

        $nginx->expect_log(qr/worker process $pid exited on signal 9/);
        kill 'STOP', $pid;
        slots($slots);
        kill 'KILL', $pid;

        isnt wait_listening($nginx, 10), $pid, 'another one listens';

        handled($pg, $nginx);
        poll_until { $nginx->worker_pids == 2 } 20, 'two workers';
        recovers($slots, 'nothing is stale after');
    }
};


subtest 'the listening worker hangs' => sub {
    for my $slots (200 .. 202) {
        warm_up();
        $nginx->log_mark;

        my $pid     = listener($nginx);
        my ($other) = grep { $_ != $pid } $nginx->worker_pids;
        my $connection = $nginx->connect_workers->{$other};

        kill 'STOP', $pid;
        slots($slots);

        is wait_listening($nginx, 10), $other, 'the other one listens';

        # What has come meanwhile is in the hanging one's socket.

        my $response;

        poll_until {
            $response = $connection->get($main->{path});
            $response->cache ne 'UPDATING'
        } 20, 'it is refreshed';

        is $response->max_teams, $slots, 'nothing is stale then';

        slots($slots + 50);
        poll_until {
            $connection->get($main->{path})->max_teams eq $slots + 50
        } 20, 'it hears of changes';

        kill 'CONT', $pid;
        handled($pg, $nginx);
        recovers($slots + 50, 'nor after it goes on');
    }

    poll_until { feed_backend($pg) == 1 } 20, 'one of them listens';
    pass 'one of them listens';
};


subtest 'the listening worker exits' => sub {
    for my $slots (300 .. 301) {
        warm_up();
        $nginx->log_mark;

        my $pid = listener($nginx);

        kill 'QUIT', $pid;
        slots($slots);

        isnt wait_listening($nginx, 10), $pid, 'another one listens';

        handled($pg, $nginx);
        poll_until { $nginx->worker_pids == 2 && !alive($pid) } 20,
            'two workers';
        recovers($slots, 'nothing is stale after');
    }
};


subtest 'the connection of the feed is lost' => sub {
    for my $slots (400 .. 402) {
        warm_up();
        $nginx->log_mark;

        # Stopped, it does not notice until the change is committed.

        my $pid = listener($nginx);
        my ($backend) = feed_backend($pg);

        kill 'STOP', $pid;
        $pg->terminate(pid => $backend);
        slots($slots);
        kill 'CONT', $pid;

        wait_listening($nginx, 10);
        handled($pg, $nginx);
        recovers($slots, 'nothing is stale after');
    }

    like $nginx->log, qr/\[(?:error|warn)\].*(?:terminat|closed|lost)/,
        'the loss is in the log';
};


subtest 'PostgreSQL restarts' => sub {
    warm_up();
    $nginx->log_mark;

    $pg->restart('immediate');
    slots(500);

    wait_listening($nginx, 20);
    handled($pg, $nginx);
    recovers(500, 'nothing is stale after');
};


# At a reload the old listener goes on until the new one listens: what is
# cached stays good, and no change goes by.

subtest 'reload, and nothing has changed' => sub {
    for my $round (1 .. 3) {
        warm_up();
        $nginx->reload;
        $nginx->wait_for_log(qr/listening to changes, without interruption/);
        is $nginx->get($main->{path})->cache, 'HIT', 'all is cached still';
        poll_until { feed_backend($pg) == 1 } 20, 'one of them listens';
    }
};


subtest 'reload' => sub {
    my $slots = 600;

    for my $round (1 .. 5) {
        warm_up();
        $nginx->log_mark;
        $nginx->signal('HUP');

        my $done;

        while (!$done) {
            $done = $nginx->log_since =~ /listening to changes/;

            slots(++$slots);

            # By way of the change, not of time: no query but for it.

            my $response;

            eval {
                poll_until {
                    $response = eval { $nginx->get($main->{path}) };
                    $response && $response->max_teams eq $slots
                } 10, 'the change is seen'
            } or return fail("the change to $slots has gone by");
        }

        like $nginx->log_since, qr/listening to changes, without interruption/,
            'handed over';
        unlike $nginx->log_since,
            qr/listening to changes(?!, without interruption)/,
            'without a gap';

        poll_until { !$nginx->old_worker_pids && $nginx->worker_pids == 2 } 20,
            'old workers are gone';
        recovers($slots, "the last of the changes, $slots, is there");
    }
};


# What the old listener has not read yet is not lost with it: its server
# process is held up while the change is committed, and the server takes no
# connection until the old workers have begun to exit.

subtest 'reload while a notification is on its way' => sub {
    for my $slots (800 .. 803) {
        warm_up();
        $nginx->log_mark;

        my ($backend) = feed_backend($pg);

        kill 'STOP', $backend;
        slots($slots);
        kill 'STOP', $pg->pid;
        $nginx->signal('HUP');
        $nginx->wait_for_log(qr/gracefully shutting down/, 20);
        kill 'CONT', $pg->pid;
        wait_listening($nginx, 20);
        kill 'CONT', $backend;

        poll_until { !$nginx->old_worker_pids && $nginx->worker_pids == 2 } 20,
            'old workers are gone';
        handled($pg, $nginx);
        recovers($slots, 'it is heard of');
    }
};


# The same, but the old listener never gets to read it: what it had not heard
# when the new one's LISTEN was confirmed is suspect.

sub listens {
    my ($pg, $not) = @_;

    poll_until {
        kind() eq 'logical'
            ? grep { $_ != $not } feed_backend($pg)
            : $pg->value("SELECT count(*) FROM pg_stat_activity
                           WHERE query = 'LISTEN tournament_changes'
                             AND state = 'idle' AND pid <> $not")
    } 20, 'the new one listens';

    return;
}


subtest 'reload, and the old listener is killed' => sub {
    for my $slots (900 .. 902) {
        warm_up();
        $nginx->log_mark;

        my $pid = listener($nginx);
        my ($backend) = feed_backend($pg);

        $nginx->expect_log(qr/worker process $pid exited on signal 9/);
        kill 'STOP', $backend;
        slots($slots);
        $nginx->signal('HUP');
        listens($pg, $backend);
        kill 'KILL', $pid;
        wait_listening($nginx, 20);
        kill 'CONT', $backend;

        poll_until { !$nginx->old_worker_pids && $nginx->worker_pids == 2 } 20,
            'old workers are gone';
        handled($pg, $nginx);
        recovers($slots, 'what it has not heard is suspect');
    }
};


subtest 'reload, and the old listener hangs' => sub {
    for my $slots (1000 .. 1001) {
        warm_up();
        $nginx->log_mark;

        my $pid = listener($nginx);

        kill 'STOP', $pid;
        slots($slots);
        $nginx->signal('HUP');
        wait_listening($nginx, 20);


        # It does not answer: those that do are the new ones.

        my $response;
        my @wrong;

        poll_until {
            $response = $nginx->get($main->{path});
            push @wrong, $response->cache
                if $response->max_teams ne $slots && $response->cache eq 'HIT';
            $response->max_teams eq $slots
        } 20, 'the change is seen';

        is_deeply \@wrong, [], 'what it has not heard is suspect';

        kill 'CONT', $pid;
        poll_until { !$nginx->old_worker_pids } 20, 'it goes when it can';
        recovers($slots, 'and nothing is stale then');
    }
};


# Another database hears of nothing that changes in this one.

subtest 'reload with another database, and back' => sub {
    $pg->psql('CREATE DATABASE elsewhere TEMPLATE template0');
    $pg->psql("\\c elsewhere\n" . slurp(project('sql/schema.sql'))
              . 'CREATE PUBLICATION tournament_api;');

    my $other = $pg->conninfo(dbname => 'elsewhere');

    warm_up();
    $nginx->log_mark;
    $nginx->reload(http => [ @{ { options() }->{http} },
                             qq{tournament_listen "$other";} ]);
    wait_listening($nginx, 20);
    slots(1100);

    $nginx->log_mark;
    $nginx->reload(options());
    wait_listening($nginx, 20);
    handled($pg, $nginx);
    recovers(1100, 'what changed meanwhile is suspect');
};


# The listener is asked whether it hears as its connection dies: the question
# dies with it, and on the next connection only LISTEN's own answer counts.

subtest 'the connection is lost while a heartbeat is on its way' => sub {
    my $proxy = $pg->proxy;

    $nginx->log_mark;
    $nginx->reload(http => [ @{ { options() }->{http} },
                   'tournament_listen "' . $proxy->conninfo . '";' ]);
    wait_listening($nginx, 20);

    for my $slots (1200 .. 1202) {
        warm_up();
        $nginx->log_mark;

        $proxy->set(hold => 'server');
        $proxy->wait_count(client => $proxy->count->{client} + 1);
        $proxy->cut;
        slots($slots);
        $proxy->pass;

        wait_listening($nginx, 20);
        handled($pg, $nginx);
        recovers($slots, 'nothing is stale after');
    }

    $nginx->reload(options());
};


# A table may be swapped for another, or its triggers disabled: that is seen
# with the next heartbeat.

subtest 'triggers change' => sub {
    my $alter = sub {
        $pg->rows("ALTER TABLE tournaments_tournament $_[0]
                   TRIGGER tournament_api_row");
    };
    my $install = sub { announce($pg, kind()) };
    my $slots   = 1210;

    for my $case (
        [ 'disabled', sub { $alter->('DISABLE') },
                      sub { $alter->('ENABLE ALWAYS') } ],
        [ 'for replicas', sub { $alter->('ENABLE REPLICA') }, $install ],
        [ 'dropped', sub { $pg->rows('DROP TRIGGER tournament_api_row
                                        ON tournaments_tournament') },
                     $install ],
    ) {
        my ($name, $break, $mend) = @$case;

        warm_up();
        $nginx->log_mark;
        $break->();
        slots(++$slots);
        $nginx->wait_for_log(qr/triggers .* are missing or disabled/, 20);
        is $nginx->get('/tournaments/status')->json->{feed}{state}, 'down',
            $name;

        $mend->();
        $nginx->wait_for_log(qr/triggers .* are there again/, 20);
        recovers($slots, 'what changed meanwhile is suspect');
    }

    warm_up();
    $nginx->log_mark;
    $alter->('ENABLE');
    $nginx->wait_for_log(qr/the triggers .* are others/, 20);
    isnt $nginx->get($main->{path})->cache, 'HIT', 'other ones';
    $alter->('ENABLE ALWAYS');
};


# Anybody with a login can keep the queue of notifications from being emptied.
# When it is full, changes are not announced: before that the feed is down. Its
# 8 GB can be made less from PostgreSQL 17 on.

subtest 'the queue of notifications fills up' => sub {
    plan skip_all => 'tools/postgres 17 has not been run'
        if !Tournament::Postgres::has_version(17);
    plan skip_all => 'of notifications' if kind() ne 'notify';

    my $pg    = database(version => 17,
                         conf    => { max_notify_queue_pages => 64 });
    my $t     = $pg->tournament(slug => 'main', slots => 1);
    my $nginx = Tournament::Nginx->new(database => $pg, options());
    my $state = sub {
        return $nginx->get('/tournaments/status')->json->{feed}{state};
    };
    my $idler = $pg->session(user => 'tournament');
    my $full  = qr/the queue of notifications is \d+ % full/;

    wait_listening($nginx, 20);
    poll_until { $nginx->get($t->{path})->cache eq 'HIT' } 20, 'it is cached';
    is $state->(), 'up', 'the feed is up';
    $nginx->log_mark;

    $idler->rows('LISTEN nothing; BEGIN; SELECT 1');
    $pg->rows("SELECT pg_notify('nothing', repeat('x', 7900) || n)
                 FROM generate_series(1, 40) n");

    $nginx->wait_for_log(qr/\[error\].*$full, changes may go by/, 20);
    is $state->(), 'down', 'it is down while changes may go by';

    $pg->change($t, slots => 2);
    $idler->rows('ROLLBACK');
    $nginx->wait_for_log(qr/$full, all changes are heard again/, 20);
    is $state->(), 'up', 'it is up again';

    isnt $nginx->get($t->{path})->cache, 'HIT', 'all is suspect';
    handled($pg, $nginx);
    is $nginx->get($t->{path})->max_teams, 2, 'nothing is stale after';

    my @lines = $nginx->log_since =~ /$full/g;

    is @lines, 2, 'one line each';
};


subtest 'the log' => sub {
    my $log = $nginx->log;

    unlike $log, qr/\[(?:error|crit)\].*(?<!_)feed\b(?!=)/,
        'no errors of the feed';
    like $log, qr/\[notice\] \d+#\d+: tournament: listening to changes$/m,
        'when it listens';
};


done_testing;
