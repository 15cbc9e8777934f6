# Nodes on replicas: each reads its own hot standby, and hears of changes from
# it once they have been replayed there.
#
# Invariants 2 and 9: a node is never behind what its own server has told it.

use FindBin;
use lib "$FindBin::Bin/lib";

BEGIN { $ENV{TOURNAMENT_FEED} = 'logical' }

use Tournament::Test;
use Tournament::Feed;

my $VERSION = 17;

plan skip_all => "tools/postgres $VERSION has not been run"
    if !Tournament::Postgres::has_version($VERSION);

my $primary = database(name => 'primary', version => $VERSION);
my $t       = $primary->tournament(slug => 'one', slots => 1);

handled($primary);

my @standbys = map {
    Tournament::Postgres->new(name => $_, standby_of => $primary, slot => $_)
} qw(a b);

my @servers = ($primary, @standbys);
my @nodes   = map {
    Tournament::Nginx->new(name => 'node_' . $_->name, database => $_,
                           options(start => 0))
} @servers;


sub state_of { return $_[0]->get('/tournaments/status')->json->{feed}{state} }


# A slot on a standby waits for what its primary logs now and then.

sub wait_up {
    my (@of) = @_;

    for my $node (@of) {
        poll_until {
            $primary->log_snapshot if $primary->running;
            state_of($node) eq 'up'
        } 30, $node->name . ' is up';
    }

    return;
}


sub max_teams {
    my ($node) = @_;

    return $node->get($t->{path})->json->{max_teams};
}


sub show {
    my ($slots, $name, @of) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $node (@of) {
        eval { poll_until { max_teams($node) == $slots } 20, $name };
        is max_teams($node), $slots, "$name: " . $node->name;
    }

    return;
}


sub cached {
    for my $connection (map { values %{ $_->connect_workers } } @_) {
        poll_until { $connection->get($t->{path})->cache eq 'HIT' } 20,
            'it is cached';
    }

    return;
}


subtest 'a slot on a standby of an idle primary' => sub {
    my $hint = qr/"SELECT pg_log_standby_snapshot\(\)" on the primary/;

    $nodes[0]->start;
    wait_up($nodes[0]);

    for my $node (@nodes[1, 2]) {
        $node->start;

        # The primary may do so by itself, every now and then.

        poll_until {
            $node->log =~ $hint || state_of($node) eq 'up'
        } 20, 'a hint, or a slot';

        like $node->log, $hint, 'a hint' if state_of($node) ne 'up';
        is max_teams($node), 1, 'an answer, in any case';
    }

    wait_up(@nodes);
    is state_of($_), 'up', $_->name for @nodes;
};


subtest 'a replica that is behind' => sub {
    cached(@nodes);
    $standbys[0]->pause_replay;
    $primary->change($t, slots => 2);
    show(2, 'others are not', @nodes[0, 2]);

    is $nodes[1]->get($t->{path})->cache, 'HIT', 'it has heard of nothing';
    is max_teams($nodes[1]), 1, 'and shows what its server does';

    $standbys[0]->resume_replay;
    show(2, 'it has come', $nodes[1]);
};


# Random changes and pauses. An answer never goes back, and in the end each
# node shows what its server does.

subtest 'changes at random' => sub {
    my $slots  = 2;
    my %least  = map { ($_->name => 0) } @nodes;
    my @wrong;
    my %paused;

    for my $round (1 .. 60) {
        $primary->change($t, slots => ++$slots) for 1 .. 1 + rand 3;

        my $standby = $standbys[ rand @standbys ];

        if (rand() < 0.3) {
            my $name = $standby->name;

            $paused{$name} ? $standby->resume_replay
                           : $standby->pause_replay;
            $paused{$name} = !$paused{$name};
        }

        for my $i (0 .. $#nodes) {
            my $node = $nodes[$i];

            for my $connection (values %{ $node->connect_workers }) {
                my $is = $connection->get($t->{path})->json->{max_teams};

                push @wrong, $node->name . ": $is after $least{$node->name}"
                    if $is < $least{ $node->name };
                $least{ $node->name } = $is;
            }
        }
    }

    $_->resume_replay for grep { $paused{ $_->name } } @standbys;

    is_deeply \@wrong, [], 'no answer is older than one before';
    show($slots, 'in the end', @nodes);
};


subtest 'a standby that delays' => sub {
    $standbys[1]->set(recovery_min_apply_delay => '500ms');
    cached(@nodes);
    $primary->change($t, slots => 500);
    show(500, 'a change', @nodes);
    handled($primary, @nodes);
    $standbys[1]->set(recovery_min_apply_delay => undef);
};


# Without feedback the primary removes what the standby's slot needs.

subtest 'a slot that is invalidated' => sub {
    my $node = $nodes[2];

    # The others' slots keep it, too.

    $_->stop for @nodes[0, 1];

    cached($node);
    $node->log_mark;
    $standbys[1]->set(hot_standby_feedback => 'off');

    poll_until {
        $primary->rows('CREATE TABLE gone (n int); DROP TABLE gone;
                        VACUUM pg_class; VACUUM pg_attribute; VACUUM pg_type');
        $node->log_since =~ /the stream of changes is lost/
    } 60, 'the stream ends';

    $primary->change($t, slots => 600);
    $standbys[1]->set(hot_standby_feedback => 'on');
    wait_up($node);
    show(600, 'what changed meanwhile shows', $node);
    handled($primary, $node);
    $_->start for @nodes[0, 1];
    wait_up(@nodes);
};


# What the primary does may cancel what a standby reads: it is read again.

subtest 'a read that conflicts with recovery' => sub {
    my ($node, $standby) = ($nodes[1], $standbys[0]);

    my $conflicts = sub {
        return $standby->value(q{SELECT sum(confl_lock)
                                   FROM pg_stat_database_conflicts});
    };
    my $state  = 'tournament_api.state(text)';
    my $result = $primary->value(
        "SELECT pg_get_function_result('$state'::regprocedure)");

    $primary->psql(<<"END");
        ALTER FUNCTION $state RENAME TO state_at_once;
        CREATE FUNCTION tournament_api.state(p_slug text) RETURNS $result
        LANGUAGE plpgsql STABLE SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS \$\$
        BEGIN
            RETURN QUERY SELECT * FROM tournament_api.state_at_once(p_slug);
            PERFORM pg_sleep(0.5);
        END
        \$\$;
        GRANT EXECUTE ON FUNCTION $state TO tournament;
END
    $standby->set(max_standby_streaming_delay => 0);
    $standby->wait_replayed($primary);

    my $before = $conflicts->();
    my $asked  = $node->connect->send('GET', '/fresh/api/one/state/');

    poll_until {
        $standby->value("SELECT count(*) FROM pg_stat_activity
                          WHERE wait_event = 'PgSleep'")
    } 20, 'it is being read';

    $primary->rows('BEGIN; LOCK tournaments_tournament; COMMIT');
    is $asked->receive->json->{max_teams}, 600, 'an answer';
    poll_until { $conflicts->() > $before } 20, 'it was cancelled';

    $primary->psql("DROP FUNCTION $state;
                    ALTER FUNCTION tournament_api.state_at_once(text)
                          RENAME TO state;");
    $standby->set(max_standby_streaming_delay => undef);
    $standby->wait_replayed($primary);
    is state_of($node), 'up', 'the feed is up';
};


# Of two hosts the pool comes to another one than the listener: it is called
# back, and nothing old is left.

subtest 'a pool that strays' => sub {
    my ($near, $far) = map { $_->proxy } @standbys;

    my $node = Tournament::Nginx->new(name => 'astray', options(
        database => $primary->conninfo(host => "$near->{dir},$far->{dir}",
                                       port => '5432,5432')));

    wait_up($node);
    cached($node);
    $node->log_mark;

    $near->set(refuse => 1);
    $standbys[0]->rows(q{
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE usename = 'tournament' AND query LIKE '%tournament_api%'
           AND query NOT LIKE '%pg_notification_queue_usage%'
           AND backend_type = 'client backend'});
    $node->wait_for_log(qr/queries go to another server than the one that/, 20);
    is state_of($node), 'down', 'the feed counts as down';

    $near->pass;
    $node->wait_for_log(qr/it is not the server that is listened to/, 20);
    poll_until { state_of($node) eq 'up' } 30, 'it is up again';
    $primary->change($t, slots => 650);
    show(650, 'a change', $node);
};


subtest 'promotion' => sub {
    my ($node, $standby) = ($nodes[1], $standbys[0]);

    cached($node);
    $standby->wait_replayed($primary);
    $node->log_mark;
    $nodes[$_]->stop for 0, 2;
    $primary->stop('immediate');
    $standby->promote;
    $standby->change($t, slots => 700);

    $node->wait_for_log(qr/was promoted, or is another one/, 20);
    wait_up($node);
    show(700, 'it goes on', $node);
    handled($standby, $node);

    my @lines = $node->log_since =~ /listening to changes/g;

    is @lines, 1, 'it listens anew, once';
};


subtest 'older servers' => sub {
    plan skip_all => 'tools/postgres 14 has not been run'
        if !Tournament::Postgres::has_version(14);

    my $old     = database(name => 'old', version => 14);
    my $standby = Tournament::Postgres->new(name => 'old_standby',
                                            standby_of => $old);
    my $node    = Tournament::Nginx->new(database => $standby, options());

    $node->wait_for_log(qr/a standby, on which .* from PostgreSQL 16 on/, 20);
    is state_of($node), 'down', 'refused on a standby';

    my $good = Tournament::Nginx->new(database => $old, options());
    my $t    = $old->tournament(slug => 'one', slots => 3);

    wait_listening($good, 20);
    handled($old, $good);
    is $good->get($t->{path})->json->{max_teams}, 3, 'not on a primary';
};


done_testing;
