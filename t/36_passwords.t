# Passwords: SCRAM from each place that one may be in; what follows when it is
# wrong, changed, or the role is gone; and that it is in no log, answer, process
# title or temporary file.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $PASSWORD    = 'Tell-Nobody-4711';
my $WRONG       = 'Not-The-Right-One';
my $CONNECTIONS = 2;
my $WORKERS     = 2;

my $HTTP = "tournament_database_connections $CONNECTIONS;
            tournament_connect_timeout 10s;";

my $pg = Tournament::Postgres->new(
    load => [qw(schema install)],
    conf => { password_encryption => 'scram-sha-256' },
    hba  => [
        'local all tournament              trust',
        'host  all all        127.0.0.1/32 scram-sha-256',
    ],
);
my $nginx = Tournament::Nginx->new(
    start     => 0,
    level     => 'debug',
    workers   => $WORKERS,
    locations => [
        Tournament::Nginx::state_location(),
        'location ~ ^/fresh/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
    ],
);

my $tournament = $pg->tournament(slots => 5);
my $dir        = tempdir('secrets');

$pg->create_role('guarded', password => $PASSWORD);
$pg->rows('GRANT tournament TO guarded');


sub conninfo { return $pg->conninfo_tcp(user => 'guarded', @_) }

sub fresh { return $nginx->get("/fresh/$tournament->{slug}") }

# A file as root has it: nobody else can read it.

sub secret_file {
    my ($name, $text) = @_;

    spew("$dir/$name", $text);
    chmod 0600, "$dir/$name" or die "chmod: $!";

    return "$dir/$name";
}


# Whether $secret is anywhere where it should not be.

sub told {
    my ($secret, @answers) = @_;

    my %text = (
        'an answer'      => join("\n", map { $_->raw } @answers),
        'the error log'  => $nginx->log,
        'the access log' => join("\n", $nginx->access_log),
        'standard error' => slurp($nginx->dir . '/stderr'),
    );

    for my $pid ($nginx->pid, $nginx->worker_pids) {
        $text{"title of $pid"} = slurp("/proc/$pid/cmdline");
    }

    for my $file (grep { -f } glob $nginx->dir . '/*_temp/*') {
        $text{$file} = slurp($file);
    }

    $text{'nginx -T'} = (run({}, Tournament::Nginx::binary(), '-T', '-p',
        $nginx->dir, '-c', $nginx->conf_file))[1];

    return grep { $text{$_} =~ /\Q$secret/ } sort keys %text;
}


my $host = '127.0.0.1:' . $pg->port . ':*';

my @PLACES = (
    [ 'the conninfo', conninfo(password => $PASSWORD), {}, 'nginx -T' ],
    [ 'a URI', "postgresql://guarded:$PASSWORD\@127.0.0.1:" . $pg->port
               . '/tournament', {}, 'nginx -T' ],
    [ 'PGPASSWORD', conninfo(), { PGPASSWORD => $PASSWORD } ],
    [ 'passfile', conninfo(passfile => secret_file('passfile',
                                         "$host:guarded:$PASSWORD\n")) ],
    [ 'PGPASSFILE', conninfo(), { PGPASSFILE => secret_file('PGPASSFILE',
                                         "$host:guarded:$PASSWORD\n") } ],
    [ 'a service file', 'service=guarded', { PGSERVICEFILE => secret_file(
        'service', join "\n", '[guarded]', 'host=127.0.0.1',
        'port=' . $pg->port, 'dbname=tournament', 'user=guarded',
        "password=$PASSWORD", '') } ],
    [ 'tournament_database_file', undef, {} ],
);


for my $place (@PLACES) {
    my ($name, $conninfo, $env, @known) = @$place;

    subtest $name => sub {
        local @ENV{ keys %{ $env // {} } } = values %{ $env // {} };

        my $file = secret_file('conninfo', conninfo(password => $PASSWORD));

        $nginx->stop;
        unlink glob($nginx->dir . '/*.log'), $nginx->dir . '/stderr';
        $nginx->set(database => $conninfo, http => [
            $HTTP, 'tournament_query_timeout 10s;',
            defined $conninfo ? () : "tournament_database_file $file;",
        ]);
        $nginx->start;

        my @answers = (fresh(), $nginx->get($tournament->{path}),
                       $nginx->get('/fresh/nobody'),
                       $nginx->get('/tournaments/api/a.b/state/'));

        is $answers[0]->json->{available_slots}, 5, 'an answer';
        poll_until {
            $pg->backends(user => 'guarded') == $WORKERS * $CONNECTIONS
        } 20, 'all connections are that role\'s';
        pass 'by that role';
        is_deeply [ told($PASSWORD, @answers) ], \@known, 'it is told '
            . (@known ? 'by nginx -T alone' : 'nowhere');
    };
}


subtest 'a wrong password' => sub {
    $nginx->stop;
    $nginx->log_mark;
    $nginx->set(database => conninfo(password => $WRONG),
                http     => "$HTTP tournament_query_timeout 500ms;");
    $nginx->start;

    my $answer = fresh();

    is_error $answer, 503, 'unavailable', 'no answer';
    $nginx->wait_for_log(
        qr/\[error\].*password authentication failed for user "guarded"/);
    is scalar($nginx->log_lines(qr/\[error\]/)), 1, 'one line, for all workers'
        or diag $nginx->log_lines(qr/\[error\]/);
    is_deeply [ told($WRONG, $answer) ], [ 'nginx -T' ], 'without it';

    # Put right there: it recovers by itself.

    $pg->rows("ALTER ROLE guarded PASSWORD '$WRONG'");
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    poll_until { fresh()->status == 200 } 20, 'it is right now';
    is scalar($nginx->log_lines(qr/\[error\]/)), 1,
        'nothing more to complain of';
    is scalar($nginx->log_lines(qr/available again/)), 1,
        'and one line of the end';
};


subtest 'changed under way' => sub {
    $nginx->log_mark;
    $pg->rows("ALTER ROLE guarded PASSWORD 'elsewhere'");
    poll_until { fresh()->status == 200 } 20, 'open connections stay';

    $pg->terminate(user => 'guarded');
    $nginx->wait_for_log(qr/password authentication failed/);
    is_error fresh(), 503, 'unavailable', 'new ones are refused';

    $pg->rows("ALTER ROLE guarded PASSWORD '$WRONG'");
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    poll_until { fresh()->status == 200 } 20, 'it is changed back';
    is scalar($nginx->log_lines(qr/\[error\].*PostgreSQL at/)), 1, 'one line';
};


# A session belongs to the role's number, and a new role has another one.

subtest 'a role that is dropped, and made anew' => sub {
    $nginx->log_mark;
    $pg->rows('DROP ROLE guarded');
    poll_until { fresh()->status == 503 } 20, 'it has gone';
    $nginx->wait_for_log(
        qr/\[error\].*(?:permission denied|authentication failed)/);
    pass 'the log says so';

    $pg->create_role('guarded', password => $WRONG);
    $pg->rows('GRANT tournament TO guarded');

    poll_until { fresh()->status == 200 } 20, 'it is back';
    pass 'it recovers by itself';

    poll_until {
        my @answers = map { fresh() } 1 .. 20;
        !grep { $_->status != 200 } @answers;
    } 20, 'answers from all connections';
    pass 'on each connection';
    cmp_ok scalar($nginx->log_lines(qr/\[error\].*PostgreSQL at/)), '<=', 1,
        'at most one outage';
};


done_testing;
