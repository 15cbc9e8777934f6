# What is peculiar to the feed over logical decoding: a commit that others do
# not see yet, slots, and what a node leaves behind on the server.
#
# Invariants 1, 2 and 9. What it shares with NOTIFY: t/*_logical.t.

use FindBin;
use lib "$FindBin::Bin/lib";

BEGIN { $ENV{TOURNAMENT_FEED} = 'logical' }

use Tournament::Test;
use Tournament::Feed;
use Tournament::PgBouncer;
use Tournament::Util qw(database_user);

my $pg = database(
    conf => {
        max_prepared_transactions   => 4,
        logical_decoding_work_mem   => '64kB',
        synchronous_standby_names   => '',
    },
);

my $t     = $pg->tournament(slug => 'one', slots => 1);
my $other = $pg->tournament(slug => 'other', slots => 1);

handled($pg);

my $nginx = Tournament::Nginx->new(database => $pg, options());


sub max_teams {
    my ($t) = @_;

    return $nginx->get($t->{path})->json->{max_teams};
}


sub cached {
    for my $connection (values %{ $nginx->connect_workers }) {
        for my $path (map { $_->{path} } $t, $other) {
            poll_until {
                $connection->get($path)->cache eq 'HIT'
            } 20, "$path is cached";
        }
    }

    return;
}


sub shows {
    my ($t, $slots, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    eval { poll_until { max_teams($t) == $slots } 20, $name };

    return is max_teams($t), $slots, $name;
}


sub feed { return $nginx->get('/tournaments/status')->json->{feed} }


sub state_is {
    my ($state) = @_;

    return poll_until { feed()->{state} eq $state } 20, "the feed is $state";
}


sub change {
    my ($t, $slots) = @_;

    return "UPDATE tournaments_tournament SET slot_size = $slots
             WHERE id = $t->{id}";
}


state_is('up');


subtest 'a commit that waits for a standby' => sub {
    my $writer = $pg->session;

    $pg->set(synchronous_standby_names => 'absent');
    cached();

    $writer->do(change($t, 2));

    poll_until {
        $pg->value("SELECT count(*) FROM pg_stat_activity
                     WHERE wait_event = 'SyncRep'")
    } 20, 'it waits';

    # Its message is there. Meanwhile others come and show at once, and whoever
    # asks has the old row, which is what the database says.

    for my $slots (10 .. 19) {
        $pg->rows('SET synchronous_commit = local; ' . change($other, $slots));
        shows($other, $slots, 'another change shows');
        is max_teams($t), 1, 'this one is not visible';
    }

    cached();
    $pg->set(synchronous_standby_names => '');
    $writer->wait;
    shows($t, 2, 'it shows when it is visible');

    handled($pg, $nginx);
    is max_teams($t), 2, 'and stays';
    $pg->rows('RESET synchronous_commit');
};


subtest 'a commit that waited as the slot was made' => sub {
    my $writer = $pg->session;

    $pg->set(synchronous_standby_names => 'absent');
    cached();
    $writer->do(change($t, 3));

    poll_until {
        $pg->value("SELECT count(*) FROM pg_stat_activity
                     WHERE wait_event = 'SyncRep'")
    } 20, 'it waits';

    # A new slot begins behind it, and its message does not come again: so
    # there is none before it is visible.

    $nginx->log_mark;
    $pg->terminate(pid => $_) for feed_backend($pg);
    $nginx->wait_for_log(qr/stream of changes is lost/, 20);
    $nginx->wait_for_log(qr/the replication slot waits for process \d+/, 20);
    $pg->set(synchronous_standby_names => '');
    $writer->wait;
    wait_listening($nginx, 20);
    shows($t, 3, 'it shows');
};


# One that begins while the slot waits for others does not delay it: its commit
# lies before the slot, and it may become visible at any time after that.

sub slot_waits_for {
    my ($pid) = @_;

    return poll_until {
        $pg->value("SELECT count(*) FROM pg_stat_activity
                     WHERE query ~ 'pg_create_logical_replication_slot'
                       AND $pid = ANY (pg_blocking_pids(pid))")
    } 20, 'the slot is being made';
}


for my $case ([ 33, 'streams on' ], [ 34, 'is succeeded' ]) {
    my ($slots, $listener) = @$case;

    subtest "a commit waits before the slot and after it: who listens $listener"
        => sub
    {
        my ($first, $second, $writer) = map { $pg->session } 1 .. 3;

        $first->rows('BEGIN; SELECT pg_current_xact_id()');
        $nginx->log_mark;
        $pg->terminate(pid => $_) for feed_backend($pg);
        slot_waits_for($first->pid);
        $second->rows('BEGIN; SELECT pg_current_xact_id()');
        $first->rows('ROLLBACK');
        slot_waits_for($second->pid);

        $pg->set(synchronous_standby_names => 'absent');
        $writer->do(change($t, $slots));
        poll_until {
            $pg->value("SELECT count(*) FROM pg_stat_activity
                         WHERE wait_event = 'SyncRep'")
        } 20, 'it waits';

        $second->rows('ROLLBACK');
        wait_listening($nginx, 20);
        state_is('up');
        cached();
        isnt max_teams($t), $slots, 'it is not visible';

        if ($listener eq 'is succeeded') {
            $nginx->signal('HUP');
            slot_waits_for($writer->pid);
        }

        $pg->set(synchronous_standby_names => '');
        $writer->wait;
        shows($t, $slots, 'it shows when it is visible');
        poll_until { !$nginx->old_worker_pids } 20, 'no old worker is left';
        state_is('up');
    };
}

$pg->rows(change($t, 3));
shows($t, 3, 'and what comes after it');


subtest 'prepared transactions, and savepoints' => sub {
    cached();

    my $writer = $pg->session;

    $writer->rows("BEGIN; " . change($t, 4) . "; PREPARE TRANSACTION 'p'");
    handled($pg, $nginx);
    is max_teams($t), 3, 'prepared: nothing has changed';
    cached();
    $pg->rows("COMMIT PREPARED 'p'");
    shows($t, 4, 'committed');

    $writer->rows("BEGIN; " . change($t, 5) . "; PREPARE TRANSACTION 'q'");
    $pg->rows("ROLLBACK PREPARED 'q'");
    handled($pg, $nginx);
    is max_teams($t), 4, 'rolled back';

    cached();
    $writer->rows('BEGIN; SAVEPOINT a; ' . change($other, 77)
        . '; ROLLBACK TO a; SAVEPOINT b; ' . change($t, 6)
        . '; RELEASE b; COMMIT');
    shows($t, 6, 'of a savepoint that was kept');
    is $nginx->get($other->{path})->cache, 'HIT', 'not of one that was not';
};


subtest 'a transaction that spills, and one that nobody watches' => sub {
    cached();
    $pg->rows('BEGIN; CREATE TABLE unwatched AS
                   SELECT n, repeat(md5(n::text), 20) AS t
                     FROM generate_series(1, 50000) n; '
              . change($t, 7) . '; COMMIT');
    shows($t, 7, 'the change among many rows');
    $pg->rows('DROP TABLE unwatched');

    cached();
    $pg->rows("SELECT pg_logical_emit_message(true, 'tournament_api',
                   repeat(' x', 5000))");
    poll_until {
        $nginx->get($t->{path})->cache ne 'HIT'
    } 20, 'a payload that is too long is everything';

    cached();
    $pg->rows("SELECT pg_logical_emit_message(false, 'tournament_api', '*');
               SELECT pg_logical_emit_message(true, 'another', '*');
               BEGIN;
               SELECT pg_logical_emit_message(true, 'tournament_api', '*');
               ROLLBACK");
    handled($pg, $nginx);
    is $nginx->get($t->{path})->cache, 'HIT',
        'what proves nothing changes nothing';
};


subtest 'a long transaction delays the slot' => sub {
    my $idler = $pg->session;

    $idler->rows('BEGIN; SELECT pg_current_xact_id()');

    my $pid = $idler->pid;

    $nginx->log_mark;
    cached();
    $pg->terminate(pid => $_) for feed_backend($pg);
    $nginx->wait_for_log(qr/the replication slot waits for process $pid/, 20);
    state_is('down');

    is $nginx->get($t->{path})->status, 200, 'TTLs apply';

    $idler->rows('COMMIT');
    wait_listening($nginx, 20);
    state_is('up');
    like $nginx->log_since, qr/the replication slot is there, after \d+ms/,
        'it says so';

    my @lines = $nginx->log_since =~ /slot waits for/g;

    is @lines, 1, 'in one line';
};


subtest 'a reload does not depend on a long transaction' => sub {
    my $idler = $pg->session;

    $idler->rows('BEGIN; SELECT pg_current_xact_id()');
    cached();
    $nginx->log_mark;
    $nginx->signal('HUP');
    $nginx->wait_for_log(qr/the replication slot waits for process/, 20);
    is scalar($nginx->old_worker_pids), 1, 'one old worker waits';
    state_is('up');

    $pg->rows(change($t, 8));
    shows($t, 8, 'it streams meanwhile');
    cached();

    $idler->rows('COMMIT');
    $nginx->wait_for_log(qr/listening to changes, without interruption/, 20);
    is $nginx->get($t->{path})->cache, 'HIT', 'all is cached still';
    poll_until { !$nginx->old_worker_pids } 20, 'the old one goes';
    shows($t, 8, 'as it was');
};


subtest 'slots and senders are used up' => sub {
    for my $case ([ max_replication_slots => qr/max_replication_slots/ ],
                  [ max_wal_senders       => qr/max_wal_senders/ ])
    {
        my ($name, $says) = @$case;

        $nginx->stop;
        $pg->stop;
        $pg->launch($name => 0, max_wal_senders => 0,
                    $name eq 'max_replication_slots'
                        ? (max_wal_senders => 5) : ())->wait_started;
        $nginx->log_mark;
        $nginx->start;
        $nginx->wait_for_log(qr/does not stream changes.*$says/, 20);
        is feed()->{state}, 'down', "$name: the feed is down";
        is max_teams($t), 8, 'there are answers';

        $nginx->stop;
        $pg->restart;
        $nginx->start;
        state_is('up');
    }
};


subtest 'a role that may not' => sub {
    $pg->rows('ALTER ROLE tournament NOREPLICATION');
    $nginx->log_mark;
    $pg->terminate(pid => $_) for feed_backend($pg);
    $nginx->wait_for_log(qr/needs the REPLICATION attribute/, 20);
    state_is('down');

    $pg->rows('ALTER ROLE tournament REPLICATION');
    wait_listening($nginx, 20);
    state_is('up');
    cached();
    $pg->rows(change($t, 9));
    shows($t, 9, 'it goes on');
};


subtest 'the triggers announce otherwise' => sub {
    $nginx->log_mark;
    announce($pg, 'notify');
    $nginx->wait_for_log(qr/"tournament_feed logical", but .* do not/, 20);
    state_is('down');

    $nginx->log_mark;
    announce($pg, 'both');
    wait_listening($nginx, 20) if $nginx->log_since =~ /does not stream/;
    state_is('up');
    announce($pg, 'logical');
    cached();
    $pg->rows(change($t, 10));
    shows($t, 10, 'it goes on');
};


subtest 'a server that takes long to tell' => sub {
    my ($sender) = feed_backend($pg);

    $nginx->log_mark;

    for my $slots (51, 52) {
        cached();
        kill 'STOP', $sender;
        state_is('down');
        $pg->rows(change($t, $slots));
        kill 'CONT', $sender;
        state_is('up');
        shows($t, $slots, 'a change meanwhile');
    }

    for my $line (qr/changes come late/, qr/changes come in time again/) {
        my @lines = $nginx->log_since =~ /$line/g;

        is @lines, 1, 'one line';
    }
};


subtest 'a consumer that is stopped' => sub {
    my $pid = listener($nginx);

    cached();
    $nginx->log_mark;
    kill 'STOP', $pid;
    isnt wait_listening($nginx, 10), $pid, 'another one listens';

    $pg->rows(change($t, 11));

    # wal_sender_timeout is 10 s: nothing is held for one that has stopped.

    poll_until {
        $pg->value("SELECT count(*) FROM pg_replication_slots") == 1
    } 40, 'its slot is gone';

    kill 'CONT', $pid;
    shows($t, 11, 'a change meanwhile');
};


# Commits would wait for this node, which waits for them to be visible.

subtest 'synchronous_standby_names that match everybody' => sub {
    for my $names ('*', 'ANY 1 (a, "*")',
                   'FIRST 2 (a, NGX_http_tournament_module)')
    {
        cached();
        $nginx->log_mark;
        $pg->set(synchronous_standby_names => $names);
        $nginx->wait_for_log(
            qr/does not .*: synchronous_standby_names match this node, too/, 20);
        state_is('down');
        poll_until { !feed_backend($pg) } 20, 'nobody waits for it';
        pass $names;

        $pg->set(synchronous_standby_names => 'a, "a*"');
        wait_listening($nginx, 20);
        state_is('up');
    }

    $pg->set(synchronous_standby_names => '');
};


# The role that listens need not be the pool's, nor have a right to anything.

subtest 'a role of its own, with SCRAM over TLS' => sub {
    my $dir = $pg->data_dir;

    run_ok({ user => database_user(), dir => $dir }, 'openssl',
           qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
              -nodes -days 2 -subj /CN=localhost
              -keyout server.key -out server.crt));

    $pg->set(ssl => 'on');
    $pg->create_role('listener', password => 'it\'s', REPLICATION => '');
    $pg->load('install', role => 'tournament', listener => 'listener');
    $pg->set_hba('hostssl tournament listener 127.0.0.1/32 scram-sha-256',
                 'local all all trust');
    $pg->rows('ALTER ROLE tournament NOREPLICATION');

    my $listen = $pg->conninfo_tcp(user => 'listener', password => 'it\'s',
                                   sslmode => 'require');

    $listen =~ s/(["\\])/\\$1/g;
    $nginx->log_mark;
    $nginx->reload(http => [ @{ { options() }->{http} },
                             qq{tournament_listen "$listen";} ]);
    wait_listening($nginx, 20);
    state_is('up');
    is $pg->value('SELECT count(*) FROM pg_stat_replication
                     JOIN pg_stat_ssl USING (pid)
                    WHERE usename = \'listener\' AND ssl'), 1, 'by TLS';

    cached();
    $pg->rows(change($t, 12));
    shows($t, 12, 'it hears');

    $pg->rows('ALTER ROLE tournament REPLICATION');
    $pg->set_hba;
    $nginx->reload(options());
};


subtest 'a pooler has no streams' => sub {
    my $pooler = Tournament::PgBouncer->new($pg, pool_mode => 'session',
        ignore_startup_parameters => 'options,extra_float_digits');
    my $listen = $pooler->conninfo;

    $nginx->log_mark;
    $nginx->reload(wait => 0, http => [ @{ { options() }->{http} },
                                        qq{tournament_listen "$listen";} ]);
    $nginx->wait_for_log(
        qr/does not stream .* unsupported startup parameter: replication/, 20);

    $nginx->log_mark;
    $nginx->reload(options());
    wait_listening($nginx, 20);
    state_is('up');
    pass 'it says so';
};


subtest 'worker_shutdown_timeout' => sub {
    $nginx->reload(main => 'worker_shutdown_timeout 2s;');

    my $idler = $pg->session;

    $idler->rows('BEGIN; SELECT pg_current_xact_id()');
    cached();
    $nginx->log_mark;
    $nginx->signal('HUP');
    $nginx->wait_for_log(qr/ceases to listen before its successor/, 20);
    poll_until { !$nginx->old_worker_pids } 10, 'no old worker is left';
    state_is('down');

    $pg->rows(change($t, 13));
    $idler->rows('COMMIT');
    wait_listening($nginx, 20);
    isnt $nginx->get($t->{path})->cache, 'HIT', 'all is suspect';
    shows($t, 13, 'a change meanwhile');
};


subtest 'what status shows' => sub {
    my $feed = feed();

    is $feed->{kind}, 'logical', 'the kind';
    like $feed->{slot}, qr/^tournament_[a-z0-9_]+_\d+_[0-9a-f]{8}$/, 'the slot';
    is $feed->{slot}, $pg->value('SELECT slot_name FROM pg_replication_slots'),
        'as the server has it';
    like $feed->{lag_bytes}, qr/^\d+$/, 'bytes';
    like $feed->{lag_seconds}, qr/^[\d.]+$/, 'seconds';

    my $metrics = $nginx->get('/tournaments/metrics')->body;

    like $metrics, qr/^tournament_feed_lag_bytes \d+$/m, 'metrics: bytes';
    like $metrics, qr/^tournament_feed_lag_seconds \d+\.\d+$/m, 'and seconds';
};


sub nothing_is_left {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @pids = ($nginx->pid, $nginx->worker_pids);

    $nginx->expect_log(qr/exited on signal 9/);
    kill 'KILL', @pids;

    poll_until {
        $pg->value("SELECT (SELECT count(*) FROM pg_replication_slots)
                         + (SELECT count(*) FROM pg_stat_activity
                             WHERE usename = 'tournament')") == 0
    } 30, $name;

    return pass $name;
}


subtest 'nothing is left on the server' => sub {
    nothing_is_left('of a node that streamed');

    my $idler = $pg->session;

    $idler->rows('BEGIN; SELECT pg_current_xact_id()');
    $nginx = Tournament::Nginx->new(database => $pg, options());
    $nginx->wait_for_log(qr/the replication slot waits for process/, 20);
    nothing_is_left('of one whose slot was being made');
};


done_testing;
