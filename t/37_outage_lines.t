# An outage has one line in the error log as it begins and one as it ends,
# however many workers, connections and addresses have to do with it, and says
# what it is.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $WORKERS     = 3;
my $CONNECTIONS = 2;
my $ALL         = $WORKERS * $CONNECTIONS + 1;
my $ENDS        = qr/\[notice\].*PostgreSQL is available again, after \d+ms/;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $nginx = Tournament::Nginx->new(options(
    database => $pg,
    workers  => $WORKERS,
    http     => http(),
));

my $tournament = $pg->tournament(slots => 4);


sub http {
    return "tournament_database_connections $CONNECTIONS;
            tournament_connect_timeout 10s;
            tournament_query_timeout 500ms; tournament_slow 0;";
}


sub wait_all {
    poll_until { $pg->backends == $ALL } 30, 'all connections';

    return;
}


# What an operator sees since the mark, who has set the level to notice. On a
# busy machine a server's restart may take so long that its reasons are told,
# and backends end so far apart that an outage ends between two of them.

sub is_told {
    my ($name, @patterns) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $passing = qr/: (?:.*(?:Connection refused|No such file|starting\ up
                         |shutting\ down)),/x;

    my @told = grep { !/listening to changes|ceases to listen|module\// }
        $nginx->log_lines(qr/\[(?:notice|warn|error)\].*tournament: /);

    @told = @told[0, grep { $told[$_] !~ $passing } 1 .. $#told] if @told;
    @told = grep { $_ !~ $ENDS || $_ eq $told[-1] } @told;

    my $wrong = @told != @patterns
        || grep { $told[$_] !~ $patterns[$_] } 0 .. $#patterns;

    return ok(!$wrong, $name)
        || diag join "\n", 'got:', @told, 'expected:', @patterns;
}


subtest 'connections that open are no news' => sub {
    wait_all();
    $nginx->log_mark;
    $nginx->reload;
    wait_all();
    is_told 'nothing';
};


subtest 'stopped and started' => sub {
    for my $how (qw(fast kill)) {
        $nginx->log_mark;
        $pg->stop($how);
        $nginx->wait_for_log(qr/Connection refused|No such file/);
        $pg->start;
        $nginx->wait_for_log($ENDS);
        is_told $how, qr/\[error\].*PostgreSQL at ".*": .*, reconnecting/,
            $ENDS;
    }
};


subtest 'terminated, one after the other' => sub {
    wait_all();
    $nginx->log_mark;
    $pg->terminate;
    $nginx->wait_for_log($ENDS);
    is_told 'both lines',
        qr/\[error\].*terminating connection due to administrator command/,
        $ENDS;
};


subtest 'some connections are to be had' => sub {
    my $few = $ALL - 2;

    wait_all();
    $nginx->log_mark;
    $pg->rows("ALTER ROLE tournament CONNECTION LIMIT $few");
    $pg->terminate;

    $nginx->wait_for_log(qr/too many connections for role "tournament"/);
    poll_until { $pg->backends == $few } 20, 'as many as there may be';

    # It lasts: when even those are lost, that is news.

    my @lines = (qr/\[error\].*terminating connection/,
                 qr/\[error\].*too many connections/);

    $nginx->wait_for_log($lines[1]);
    poll_until {
        $nginx->log_lines(qr/too many connections/) > 40
    } 30, 'it has lasted';
    is_told 'what it comes from now, once', @lines;

    poll_until { now() } 0.1, 'a moment';
    $pg->stop('fast');
    $nginx->wait_for_log(qr/Connection refused|No such file/);

    is_told 'it gets worse', @lines, $lines[0];

    $pg->start;
    $pg->rows('ALTER ROLE tournament CONNECTION LIMIT -1');
    $nginx->wait_for_log(qr/$lines[1](?s:.*)$lines[0](?s:.*)$ENDS/);
    is_told 'and ends', @lines, $lines[0], $ENDS;
};


subtest 'the reason of an outage' => sub {
    wait_all();
    $nginx->log_mark;
    $pg->rows('ALTER ROLE tournament NOLOGIN');
    $pg->terminate;
    $nginx->wait_for_log(qr/\[error\].*is not permitted to log in/);
    is_told 'changes', qr/\[error\].*terminating connection/,
        qr/\[error\].*is not permitted to log in/;

    # The configuration that is loaded may be what mends it, or does not.

    $nginx->reload;
    $nginx->wait_for_log(qr/\[error\].*is not permitted to log in/);
    is_told 'is told after a reload, once',
        qr/\[error\].*is not permitted to log in/;

    $nginx->log_mark;
    $pg->rows('ALTER ROLE tournament LOGIN');
    $nginx->wait_for_log($ENDS);
    is_told 'and its end', $ENDS;
};


subtest 'a worker is killed meanwhile (invariant 7)' => sub {
    wait_all();
    $nginx->log_mark;
    $pg->stop('fast');
    $nginx->wait_for_log(qr/Connection refused|No such file/);
    $nginx->kill_worker;
    $pg->start;
    $nginx->wait_for_log($ENDS);
    wait_all();
    is_told 'both lines', qr/\[error\].*PostgreSQL at/, $ENDS;
};


subtest 'a reload ends it' => sub {
    my $wrong = $pg->conninfo(dbname => 'nowhere');

    $nginx->reload(database => $wrong);
    $nginx->wait_for_log(qr/database "nowhere" does not exist/);
    is_told 'the beginning', qr/\[error\].*database "nowhere"/;

    my $from = length $nginx->log;

    $nginx->reload(database => $pg);
    wait_all();
    $nginx->wait_for_log($ENDS);
    is_told 'the end', $ENDS;
};


subtest 'a server that recovers' => sub {
    wait_all();

    # It replays what never comes, and lets nobody in meanwhile.

    $nginx->log_mark;
    $pg->stop('immediate');

    my $file = $pg->data_dir . '/postgresql.auto.conf';

    spew($pg->data_dir . '/standby.signal', '');
    spew($file, "hot_standby = off\nrestore_command = 'false'\n");
    chmod 0644, $file or die "chmod: $!";

    eval { $pg->start(2); 1 };

    $nginx->wait_for_log(
        qr/the database system is (?:not accepting connections|starting up)/);
    is_told 'the beginning', qr/\[error\].*PostgreSQL at/;
    is_error $nginx->get($tournament->{path}), 503, 'unavailable', 'no answer';

    $pg->stop('immediate');
    unlink $pg->data_dir . '/standby.signal' or die "unlink: $!";
    spew($file, '');
    $pg->start;

    $nginx->wait_for_log($ENDS);
    is_told 'and the end', qr/\[error\].*PostgreSQL at/, $ENDS;
    poll_until {
        $nginx->get($tournament->{path})->status == 200
    } 20, 'an answer';
};


done_testing;
