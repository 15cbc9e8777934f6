# A primary and its standby, by streaming replication, both in the conninfo:
# after a failover the pool and the listener find the new primary by themselves,
# whatever has become of the old one.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;
use Tournament::Test;
use Tournament::Feed;

my $WORKERS     = 2;
my $CONNECTIONS = 2;
my $ALL         = $WORKERS * $CONNECTIONS + (kind() eq 'logical' ? 2 : 1);

my $one = database();

my $tournament = $one->tournament(slug => 'changing', slots => 10);
my $other      = $one->tournament(slug => 'other', slots => 7);

handled($one);

my $two   = Tournament::Postgres->new(standby_of => $one);
my $nginx = Tournament::Nginx->new(options(
    database => conninfo($one, $two, 'read-write'),
    workers  => $WORKERS,
    http     => ["tournament_database_connections $CONNECTIONS;
                  tournament_query_timeout 2s;
                  tournament_connect_timeout 1500ms;"],
));


sub conninfo {
    my ($first, $second, $attrs) = @_;

    return $first->conninfo(
        host => '127.0.0.1,127.0.0.1',
        port => $first->port . ',' . $second->port,
        target_session_attrs => $attrs,
    );
}


sub begins { return $nginx->log_lines(qr/\[error\].*PostgreSQL at/) }
sub ends   { return $nginx->log_lines(qr/PostgreSQL is available again/) }


sub wait_all_on {
    my ($server) = @_;

    poll_until { $server->backends == $ALL } 30,
        'all connections are on ' . $server->name;

    return;
}


# All is well on that server: connections, answers, changes.

sub is_on {
    my ($server, $slots, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return subtest $name => sub {
        wait_all_on($server);
        pass 'all connections are there';

        $server->change($tournament, slots => $slots);
        handled($server, $nginx);

        for my $connection (values %{ $nginx->connect_workers }) {
            is $connection->get($tournament->{path})->json->{max_teams},
                $slots, 'a change shows (invariant 2)';
            is $connection->get('/fresh/api/changing/state/')
                ->json->{max_teams}, $slots, 'it is read there';
        }
    };
}


# What is cached is asked for all the time, and one thing that is not.

sub start_load {
    $nginx->get($_->{path}) for $tournament, $other;

    return map {
        load(port => $nginx->port, concurrency => 3, pause => 0.005,
             timeout => 30, path => $_)
    } [ map { $_->{path} } $tournament, $other ], '/fresh/api/other/state/';
}


sub is_sound {
    my ($cached, $fresh) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($of_cached, $of_fresh) = map { $_->stop } $cached, $fresh;

    is_deeply [ keys %{ $of_cached->{status} } ], [ 200 ],
        'what is cached was answered all the time'
        or diag explain $of_cached->{status};

    my @wrong = grep { !/^(?:200|503|504)$/ } keys %{ $of_fresh->{status} };

    is_deeply \@wrong, [], 'what is not has come, or was refused as it should'
        or diag explain $of_fresh->{status};
    is $of_cached->{failed} + $of_fresh->{failed}, 0, 'each was answered';

    return;
}


sub wait_fresh {
    poll_until {
        $nginx->get('/fresh/api/other/state/')->status == 200
    } 20, 'answers come again';

    return;
}


subtest 'the primary is found, without a complaint' => sub {
    is_on $one, 11, 'the first of both';

    $nginx->reload(database => conninfo($two, $one, 'read-write'));
    is_on $one, 12, 'the second, behind a standby';

    # A server in recovery is of no use while changes are listened to, unless it
    # can be decoded.

    my $decoded = kind() eq 'logical' && $one->version >= 16;

    for my $attrs ('primary', $decoded ? () : ('any', undef)) {
        $nginx->reload(database => conninfo($two, $one, $attrs));
        wait_all_on($one);
        is $two->backends + 0, 0, ($attrs // 'nothing said') . ': the primary';
    }

    like $nginx->log, qr/it is a standby, .*, trying the next address/,
        'the log says why' if !$decoded;
    is scalar(grep { /\[error\]/ } split /\n/, $nginx->log), 0,
        'at level info';

    $nginx->reload(database => conninfo($one, $two, 'read-write'));
    wait_all_on($one);
};


subtest 'a failover (invariants 1, 2, 9)' => sub {
    my @load = start_load();

    $_->wait_for(20) for @load;
    $nginx->log_mark;
    $one->stop('fast');
    $_->wait_for(20) for @load;
    $two->promote;

    wait_fresh();
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    $_->wait_for(20) for @load;
    is_sound @load;

    is scalar(begins()), 1, 'one line as it begins' or diag begins();
    is scalar(ends()), 1, 'one as it ends' or diag ends();
    is_on $two, 13, 'the new primary';
};


subtest 'back, while the other is a standby (invariants 1, 2, 9)' => sub {
    $one->demote($two)->start;
    $one->wait_replayed($two);

    my @load = start_load();

    # Connections that are lost come back to where they were, past the standby.

    $nginx->log_mark;
    $two->terminate;
    wait_all_on($two);
    is $one->backends + 0, 0, 'none on the standby';
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    is_on $two, 14, 'lost connections come back';

    $one->wait_replayed($two);
    $_->wait_for(20) for @load;
    $nginx->log_mark;
    $two->stop('fast');

    # The standby refuses, which is no reason for more lines.

    $nginx->wait_for_log(qr/session is read-only|hot standby mode/);
    $_->wait_for(20) for @load;
    $one->promote;

    wait_fresh();
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    is_sound @load;
    is scalar(begins()), 1, 'one line as it begins' or diag begins();
    is scalar(ends()), 1, 'one as it ends' or diag ends();
    is_on $one, 15, 'the first one again';
};


# The old primary's machine is there, and nobody on it: connections open, and
# no answer comes.

subtest 'the first host is silent (invariants 1, 2, 9)' => sub {
    $two->demote($one)->start;
    $two->wait_replayed($one);

    my @load = start_load();

    $_->wait_for(20) for @load;
    $nginx->log_mark;
    $one->stop('fast');

    my $silent = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1', LocalPort => $one->port, Listen => 100,
        ReuseAddr => 1) or die "listen: $!";

    $nginx->wait_for_log(qr/timed out while connecting/);
    $two->promote;

    wait_fresh();
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    $_->wait_for(20) for @load;
    is_sound @load;
    is scalar(begins()), 1, 'one line as it begins' or diag begins();
    is scalar(ends()), 1, 'one as it ends' or diag ends();
    is_on $two, 16, 'the second';

    # And a start with it there.

    $nginx->reload;
    $nginx->wait_for_log(qr/listening to changes/);
    is_on $two, 17, 'after a reload';
    is scalar(begins()), 0, 'which is no outage';
};


done_testing;
