# What ends a session and what does not: functions that change or raise an error
# which looks like a change, queries that nobody waits for as nginx exits, and
# what the environment says of encryption.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $CONNECTIONS = 2;

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate  = $pg->gate;
my $nginx = Tournament::Nginx->new(
    database  => $pg->conninfo(options => '-c statement_timeout=60s'),
    http      => "tournament_database_connections $CONNECTIONS;
                  tournament_query_timeout 60s;",
    locations => [
        Tournament::Nginx::state_location(),
        'location ~ ^/fresh/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
    ],
);

my $tournament = $pg->tournament(slots => 6);
my $result     = $pg->value(q{
    SELECT pg_get_function_result('tournament_api.state(text)'::regprocedure)
});


sub fresh { return $nginx->get("/fresh/$tournament->{slug}") }

sub pids {
    return join ' ', map { $_->{pid} } $pg->backends;
}

# The same function under its name, with something before it.

sub wrap {
    my ($before, $returns) = @_;

    $pg->psql(qq{
        BEGIN;
        ALTER FUNCTION tournament_api.state(text) RENAME TO state_kept;
        CREATE FUNCTION tournament_api.state(p_slug text)
        RETURNS ${\ ($returns // $result) } LANGUAGE plpgsql AS \$\$
        BEGIN
            $before
            RETURN QUERY SELECT * FROM tournament_api.state_kept(p_slug);
        END \$\$;
        GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO tournament;
        COMMIT;
    });

    return;
}


sub unwrap {
    $pg->psql(q{
        BEGIN;
        DROP FUNCTION tournament_api.state(text);
        ALTER FUNCTION tournament_api.state_kept(text) RENAME TO state;
        COMMIT;
    });

    return;
}


subtest 'an error that a function raises by itself' => sub {
    $pg->wait_idle($CONNECTIONS);

    my $before = pids();

    for my $state (qw(0A000 26000 42P05 XX000 P0001)) {
        wrap("RAISE 'no' USING ERRCODE = '$state';");
        is fresh()->status, 503, "SQLSTATE $state" for 1 .. 3;
        unwrap();
        is fresh()->status, 200, 'and afterwards';
    }

    is pids(), $before, 'no connection was given up for it';
};


# Reads can be repeated; a query that is refused again has had its chance.

subtest 'errors that go by themselves' => sub {
    $pg->psql('CREATE SEQUENCE tries; GRANT ALL ON tries TO tournament;');

    my %tries = ('40001' => [ 2, 200 ], '40P01' => [ 2, 200 ],
                 P0001   => [ 1, 503 ]);

    for my $state (sort keys %tries) {
        $pg->rows("SELECT setval('tries', 1, false)");
        wrap("IF nextval('tries') = 1 THEN
                  RAISE 'no' USING ERRCODE = '$state';
              END IF;");
        is fresh()->status, $tries{$state}[1], "SQLSTATE $state, once";
        is $pg->value('SELECT last_value FROM tries'), $tries{$state}[0],
            'so often asked';
        unwrap();
    }

    wrap("PERFORM nextval('tries');
          RAISE 'no' USING ERRCODE = 'serialization_failure';");
    $pg->rows("SELECT setval('tries', 1, false)");
    is fresh()->status, 503, 'for ever';
    is $pg->value('SELECT last_value FROM tries'), 2, 'asked twice';
    unwrap();
};


subtest 'settings of role and database do not matter' => sub {
    my %ours = (
        DateStyle                     => 'ISO, MDY',
        default_transaction_isolation => 'read committed',
        idle_session_timeout          => 0,
        lock_timeout                  => 0,
        row_security                  => 'on',
        array_nulls                   => 'on',
        $pg->version >= 17 ? (transaction_timeout => 0) : (),
    );
    my %theirs = (
        DateStyle                     => 'German',
        default_transaction_isolation => 'serializable',
        idle_session_timeout          => '50ms',
        lock_timeout                  => '1ms',
        row_security                  => 'off',
        array_nulls                   => 'off',
        transaction_timeout           => '1ms',
    );
    my @names = sort keys %ours;

    $pg->psql("ALTER ROLE tournament SET $_ = '$theirs{$_}';") for @names;
    $nginx->reload;
    $pg->wait_idle($CONNECTIONS);
    wrap("RAISE NOTICE 'settings %', concat_ws('; ', " . join(', ',
         map { "current_setting('$_')" } @names) . ');');
    $nginx->log_mark;

    my $before = pids();

    is fresh()->status, 200, 'an answer';
    $nginx->wait_for_log(qr/settings \Q${\ join '; ', @ours{@names} }\E$/m);
    pass 'sessions have settings of their own';
    is pids(), $before, 'and last';

    unwrap();
    $pg->psql('ALTER ROLE tournament RESET ALL;');
    $nginx->reload;
    $pg->wait_idle($CONNECTIONS);
};


# As an install.sql does that comes with another result: what was prepared
# cannot be used any more.

subtest 'a function whose result changes (invariant 9)' => sub {
    $nginx->reload;

    my $load = load(port => $nginx->port, concurrency => 4,
                    path => "/fresh/$tournament->{slug}");

    $load->wait_for(50);
    $nginx->log_mark;

    my $before = pids();

    wrap('RETURN;', 'TABLE (a int)');
    $nginx->wait_for_log(qr/columns of ".*state.*" are not those/);
    unwrap();

    poll_until { fresh()->status == 200 } 20, 'the right one is back';
    $load->wait_for(50);

    my $report = $load->stop;

    is_deeply [ sort keys %{ $report->{status} } ], [ 200, 503 ],
        'answers, or none';
    isnt pids(), $before, 'connections were opened anew';
    like $nginx->log_since,
        qr/\[info\].*a function of tournament_api has changed/,
        'the log says why';
    is scalar($nginx->log_lines(qr/\[error\].*PostgreSQL at|available again/)),
        0, 'it is no outage' or diag $nginx->log_lines(qr/PostgreSQL at/);
    is scalar(grep { fresh()->status != 200 } 1 .. 20), 0, 'all is well';
    $nginx->reload;
};


# (The queries' deadline is later than the test waits for nginx to go.)

subtest 'an exit does not wait for what nobody waits for' => sub {
    my $slug = $pg->tournament(slug => 'slow-exit')->{slug};

    $pg->wait_idle($CONNECTIONS);
    $gate->shut;

    my $gone = $nginx->connect->send('GET', "/tournaments/api/$slug/state/");

    $gate->wait_waiting(1);
    $gone->close;
    poll_until {
        grep { /^499 .*$slug/ } $nginx->access_log
    } 20, 'the client is missed';

    ok eval { $nginx->stop; 1 }, 'nobody waits for the query' or diag $@;

    $nginx->start;
    $gate->open;
    $pg->wait_idle($CONNECTIONS);
    $gate->shut;

    # Another client has come for it since: that one is answered.

    my ($first, $second) = map {
        $nginx->connect->send('GET', "/tournaments/api/$slug/state/")
    } 1 .. 2;

    $gate->wait_waiting(1);
    $nginx->get('/-/worker') for 1 .. 2;
    $first->close;
    poll_until {
        grep({ /^499 .*$slug/ } $nginx->access_log) == 2
    } 20, 'the client is missed';

    $second->close;
    poll_until {
        grep({ /^499 .*$slug/ } $nginx->access_log) == 3
    } 20, 'the other one, too';

    my $third = $nginx->connect->send('GET', "/tournaments/api/$slug/state/");

    $nginx->get('/-/worker') for 1 .. 2;

    my ($worker) = $nginx->worker_pids;

    $nginx->log_mark;
    $nginx->signal('QUIT');
    $nginx->wait_for_log(qr/gracefully shutting down/);
    is $gate->waiting, 1, 'the query is the same' for 1 .. 5;
    ok alive($worker), 'and its worker is there';
    $gate->open;
    is $third->receive->status, 200, 'somebody waits for the query';
    $nginx->stop;
};


# The kernel's timer of each socket, in hundredths of a second: a server that has
# gone without a word is missed, although nobody asks it anything.

subtest 'idle connections are watched' => sub {
    my $timers = sub {
        my ($conninfo) = @_;

        $nginx->set(database => $conninfo, http => '');
        $nginx->start;
        $pg->wait_idle(4);

        my $port = sprintf '%04X', $pg->port;
        my $tcp  = slurp('/proc/net/tcp');
        my @timers;

        while ($tcp =~ /^ \s* \d+: [ ] \S+ [ ] 0100007F:$port
                        [ ] 01 [ ] \S+ [ ] (\w+):(\w+) [ ]/gmx)
        {
            push @timers, [ hex $1, hex($2) / 100 ];
        }

        $nginx->stop;

        return grep { $_->[0] == 2 && $_->[1] <= 30 } @timers;
    };

    is scalar($timers->($pg->conninfo_tcp)), 4, 'each, by half a minute';
    is scalar($timers->($pg->conninfo_tcp(keepalives_idle => 600))), 0,
        'unless the conninfo says otherwise';
};


subtest 'encryption by the environment' => sub {
    my $dir  = tempdir('service');
    my $text = join "\n", '[x]', 'host=127.0.0.1', 'port=' . $pg->port,
        'dbname=tournament', 'user=tournament', '';

    spew("$dir/plain", $text);
    spew("$dir/wants", "${text}gssencmode=require\n");

    for my $case ([ 'no word of it', 'service=x', "$dir/plain", undef, 200 ],
                  [ 'a service file', 'service=x', "$dir/wants", undef, 503 ],
                  [ 'PGGSSENCMODE', 'service=x', "$dir/plain", 'require',
                    503 ],
                  [ 'the conninfo', 'service=x gssencmode=disable',
                    "$dir/wants", 'require', 200 ])
    {
        my ($name, $conninfo, $file, $mode, $status) = @$case;

        local $ENV{PGSERVICEFILE} = $file;
        local $ENV{PGGSSENCMODE}  = $mode if defined $mode;

        $nginx->set(database => $conninfo, http => $status == 200
            ? 'tournament_query_timeout 20s; tournament_connect_timeout 20s;'
            : 'tournament_query_timeout 300ms;');
        $nginx->log_mark;
        $nginx->start;
        is fresh()->status, $status, $name;
        $nginx->wait_for_log(qr/GSSAPI encryption required|gssencmode/)
            if $status != 200;
        $nginx->stop;
    }
};


done_testing;
