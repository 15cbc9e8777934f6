# A conninfo that leads to a standby: refused while changes are listened to,
# since it may lag behind what was heard; used where nothing is.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $CONNECTIONS = 2;

my $primary = Tournament::Postgres->new(load => [qw(schema install)]);

my $tournament = $primary->tournament(slug => 'changing', slots => 10);

handled($primary);

my $standby = Tournament::Postgres->new(standby_of => $primary);
my $nginx   = Tournament::Nginx->new(start => 0);


# Where there is no server to use, nobody need wait for one for long.

my $SHORT = 'tournament_query_timeout 500ms;';


sub start {
    my ($conninfo, @http) = @_;

    $nginx->stop;
    $nginx->set(options(
        database => $conninfo,
        http     => ["tournament_database_connections $CONNECTIONS;
                      tournament_connect_timeout 5s;",
                     (grep { $_ eq $SHORT } @http)
                         ? () : 'tournament_query_timeout 10s;', @http],
        workers  => 2,
    ));
    $nginx->log_mark;
    $nginx->start;

    return;
}


sub both {
    my ($attrs) = @_;

    return $primary->conninfo(
        host => '127.0.0.1,127.0.0.1',
        port => $primary->port . ',' . $standby->port,
        target_session_attrs => $attrs,
    );
}


sub fresh { return $nginx->get('/fresh/api/changing/state/') }


subtest 'no listener: a standby is as good as another' => sub {
    for my $case ([ 'the standby', $standby->conninfo ],
                  [ 'standby', both('standby') ],
                  [ 'prefer-standby', both('prefer-standby') ],
                  [ 'read-only', both('read-only') ])
    {
        my ($name, $conninfo) = @$case;

        start($conninfo, 'tournament_listen off;');
        $standby->wait_idle(2 * $CONNECTIONS);
        is fresh()->json->{max_teams}, 10, "$name: an answer";
        is $primary->backends + 0, 0, 'from the standby';
    }

    $standby->stop;
    start(both('prefer-standby'), 'tournament_listen off;');
    $primary->wait_idle(2 * $CONNECTIONS);
    is fresh()->json->{max_teams}, 10, 'prefer-standby, and there is none';
    unlike $nginx->log_since, qr/\[error\]/, 'which is no outage';
    $standby->start;
};


# The listener hears the primary, the pool would read the standby, which waits
# for a while before it replays: an answer from it is older than the change.

subtest 'a standby that lags, and a listener (invariant 2)' => sub {
    my $direct = $primary->conninfo(application_name => 'listener');

    start($standby->conninfo, qq{tournament_listen "$direct";}, $SHORT);
    $nginx->wait_for_log(qr/listening to changes/);
    $nginx->wait_for_log(qr/\[error\].*it is a standby/);

    my @lines = grep { /\[error\].*PostgreSQL at/ } split /\n/,
        $nginx->log_since;

    like $lines[0], qr/name the primary, or set "tournament_listen off"/,
        'the log says what to do';
    is scalar(@lines), 1, 'once';
    is_error fresh(), 503, 'unavailable', 'nothing is read from it';

    # With both in the conninfo it is passed by.

    $standby->rows('SELECT pg_wal_replay_pause()');
    start(join(' ', 'target_session_attrs=any', $primary->conninfo(
        host => '127.0.0.1,127.0.0.1',
        port => $standby->port . ',' . $primary->port)));
    $nginx->wait_for_log(qr/listening to changes/);

    is $nginx->get($tournament->{path})->json->{max_teams}, 10, 'before';
    $primary->change($tournament, slots => 11);
    handled($primary, $nginx);
    is $nginx->get($tournament->{path})->json->{max_teams}, 11, 'after';
    $standby->rows('SELECT pg_wal_replay_resume()');
};


subtest 'it is promoted (invariant 2)' => sub {
    start($standby->conninfo, $SHORT);
    $nginx->wait_for_log(qr/\[error\].*it is a standby/);
    is_error fresh(), 503, 'unavailable', 'a standby alone';

    $standby->wait_replayed($primary);
    $primary->stop('fast');
    $standby->promote;

    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    $nginx->wait_for_log(qr/listening to changes/);
    poll_until { fresh()->status == 200 } 20, 'an answer';
    is fresh()->json->{max_teams}, 11, 'it is read by itself';

    $standby->change($tournament, slots => 12);
    handled($standby, $nginx);
    is $nginx->get($tournament->{path})->json->{max_teams}, 12,
        'and listened to';
};


done_testing;
