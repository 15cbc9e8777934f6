# The connection that listens comes before those that read, and leads to where
# they do.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $WORKERS     = 2;
my $CONNECTIONS = 3;

my $pg         = Tournament::Postgres->new(load => [qw(schema install)]);
my $tournament = $pg->tournament(slots => 7);


sub nginx {
    my (%options) = @_;

    return Tournament::Nginx->new(options(
        database => $pg,
        workers  => $WORKERS,
        http     => "tournament_database_connections $CONNECTIONS;",
        %options,
    ));
}


# Fewer connections than the pools of all workers would take.

for my $limit (2 .. 4) {
    subtest "a role with $limit connections" => sub {
        $pg->rows("ALTER ROLE tournament CONNECTION LIMIT $limit");

        my $nginx = nginx();

        $nginx->wait_for_log(qr/listening to changes/);

        poll_until {
            $nginx->get($tournament->{path})->status == 200
        } 20, 'an answer';

        # The server is restarted, and the pools are not the first again.

        $nginx->log_mark;
        $pg->terminate;
        $nginx->wait_for_log(qr/listening to changes/);
        pass 'the listener is back';

        poll_until { $pg->backends == $limit } 20, 'all are in use';
        $nginx->stop;
        poll_until { $pg->backends == 0 } 20, 'nobody is left';
        $pg->rows('ALTER ROLE tournament CONNECTION LIMIT -1');
    };
}


# Workers that start together: who is elected is not taken for one that hangs.

subtest 'one listener' => sub {
    for my $start (1 .. 6) {
        my $nginx = nginx(workers => 4, http => '');

        $nginx->wait_for_log(qr/listening to changes/);
        handled($pg, $nginx);
        is scalar($nginx->log_lines(qr/listening to changes/)), 1,
            "start $start";
        $nginx->stop;
    }
};


sub status { return $_[0]->get('/tournaments/status')->json }


# Both accept writes; what is written to the one shows on that one alone.

subtest 'a pool on another server than the listener' => sub {
    my $other = Tournament::Postgres->new(load => [qw(schema install)]);
    my $there = $other->conninfo;
    my $nginx = nginx(http => qq{tournament_listen "$there";});

    $nginx->wait_for_log(qr/queries go to another server than the one that is/);
    is scalar($nginx->log_lines(qr/queries go to another server/)), 1,
        'one line';
    is status($nginx)->{feed}{state}, 'down', 'the feed counts as down';

    my $here = $pg->conninfo;

    $nginx->log_mark;
    $nginx->reload(http => qq{tournament_listen "$here";});
    poll_until {
        status($nginx)->{feed}{state} eq 'up'
    } 20, 'the same server';
    is scalar($nginx->log_lines(qr/queries go to another server/)), 0,
        'no line';
};


done_testing;
