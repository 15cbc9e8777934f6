# PostgreSQL is away as nginx starts, restarts, refuses, and has lost what it
# should have: 503 or what is cached meanwhile, a line in the error log that says
# why, and right answers afterwards without anybody's help. (What happens to a
# load while it is away: 43_outages_server.t and those behind it.)

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $CONNECTIONS = 3;
my $STATEMENT   = '%tournament_api.state(%';

my $pg    = Tournament::Postgres->new(
    load  => [qw(schema install)],
    conf  => { max_connections => 20 },
    start => 0,
);
my $nginx = Tournament::Nginx->new(
    start     => 0,
    database  => $pg,
    workers   => 1,
    http      => http('2s'),
    locations => [
        Tournament::Nginx::state_location(),
        'location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
    ],
);

my @tournaments;


sub http {
    my ($timeout) = @_;

    return "tournament_database_connections $CONNECTIONS;
            tournament_query_timeout $timeout;
            tournament_ttl state 1h; tournament_ttl missing 1h;";
}


# Lines of the error log since the mark that an operator sees: of an outage's
# beginning, of its end, and of refused queries.

sub begins {
    return $nginx->log_lines(qr/\[error\].*tournament: PostgreSQL at/);
}

sub ends {
    return $nginx->log_lines(qr/\[notice\].*PostgreSQL is available again/);
}

sub refused { return $nginx->log_lines(qr/\[error\].*PostgreSQL refused/) }


sub uncached {
    my ($tournament) = @_;

    return $nginx->get('/uncached/' . ($tournament // $tournaments[0])->{slug});
}


sub wait_available {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    poll_until {
        my $status = uncached()->status;

        die "status $status" unless $status =~ /^(?:200|503|504)$/;

        $status == 200;
    } 20, 'answers come again';
    pass 'it recovers by itself';

    return;
}


sub wait_connected {
    $pg->wait_idle($CONNECTIONS);

    return;
}


# Requests without pause: of what is cached, and of what is not.

sub start_load {
    my (%options) = @_;

    return (
        load(port => $nginx->port, concurrency => 4,
             path => [ map { $_->{path} } @tournaments ], %options),
        load(port => $nginx->port, concurrency => 8, timeout => 30,
             path => [ map { "/uncached/$_->{slug}" } @tournaments ],
             %options),
    );
}


# Each document that came is one of the tournaments', and whole.

sub is_sound {
    my ($report, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %slots = map { $_->{slots} => 1 } @tournaments;
    my @wrong = grep {
        my $json = eval { JSON::PP::decode_json($_) };

        !$json || ($json->{success} ? !$slots{ $json->{max_teams} }
                                    : $json->{code} ne 'unavailable');
    } keys %{ $report->{bodies} };

    is_deeply \@wrong, [], $name;
    is $report->{failed}, 0, '(each was answered)'
        or diag explain $report->{errors};

    return;
}


subtest 'absent as nginx starts (invariants 1, 6)' => sub {
    $nginx->start;

    my $first = $nginx->state('absent');

    is_error $first, 503, 'unavailable', 'the answer';

    $nginx->wait_for_log(qr/PostgreSQL at/);

    is_error $nginx->state('absent'), 503, 'unavailable', 'and again';
    is_error uncached({ slug => 'absent' }), 503, 'unavailable',
        'where nothing is cached';
    is_error $nginx->state('a.b'), 400, 'bad_request',
        'what needs no database is answered';

    $pg->start;
    @tournaments = map {
        my $t = $pg->tournament(slots => 100 + $_);
        +{ %$t, slots => 100 + $_ };
    } 1 .. 5;

    wait_available();
    wait_connected();
    $nginx->wait_for_log(qr/PostgreSQL is available again/);

    is scalar(begins()), 1, 'one line of the beginning'
        or diag $nginx->log_since;
    like((begins())[0], qr/No such file|Connection refused/, 'that says why');
    is scalar(ends()), 1, 'one of the end';
    is_error $nginx->state('absent'), 404, 'not_found',
        'the error is not cached';
};


subtest 'a restart within the deadline loses no request (invariant 9)' => sub {
    $nginx->reload(http => http('30s'));
    wait_connected();

    for my $how (qw(fast immediate)) {
        my ($cached, $uncached) = start_load();

        $_->wait_for(50) for $cached, $uncached;
        $pg->restart($how);
        $_->wait_for(50) for $cached, $uncached;

        for my $report ($cached->stop, $uncached->stop) {
            is_deeply [ keys %{ $report->{status} } ], [ 200 ], "$how: all 200"
                or diag explain $report->{status};
            is_sound $report, 'rightly';
        }

        wait_connected();
    }
};


subtest 'all connections terminated, again and again (invariant 9)' => sub {
    my ($cached, $uncached) = start_load();

    for (1 .. 5) {
        poll_until { $pg->backends == $CONNECTIONS } 20, 'connections';
        $uncached->wait_for(50);
        $pg->terminate;
    }

    $uncached->wait_for(50);

    for my $report ($cached->stop, $uncached->stop) {
        is_deeply [ keys %{ $report->{status} } ], [ 200 ], 'all 200'
            or diag explain $report->{status};
        is_sound $report, 'rightly';
    }

    wait_connected();

    $nginx->reload(http => http('2s'));
    wait_connected();
};


subtest 'tables and functions that come and go (invariant 6)' => sub {
    my @cases = (
        [ 'a table',
          'ALTER TABLE tournaments_registration RENAME TO elsewhere',
          'ALTER TABLE elsewhere RENAME TO tournaments_registration',
          qr/relation "public\.tournaments_registration" does not exist/ ],
        [ 'a column',
          'ALTER TABLE tournaments_tournament RENAME slot_size TO elsewhere',
          'ALTER TABLE tournaments_tournament RENAME elsewhere TO slot_size',
          qr/column t\.slot_size does not exist/ ],
        [ 'the function',
          'ALTER FUNCTION tournament_api.state(text) RENAME TO elsewhere',
          'ALTER FUNCTION tournament_api.elsewhere(text) RENAME TO state',
          qr/function tournament_api\.state\(text\) does not exist/ ],
        [ 'the schema',
          'ALTER SCHEMA tournament_api RENAME TO elsewhere',
          'ALTER SCHEMA elsewhere RENAME TO tournament_api',
          qr/schema "tournament_api" does not exist/ ],
        [ 'the right to use the schema',
          'REVOKE USAGE ON SCHEMA tournament_api FROM tournament',
          'GRANT USAGE ON SCHEMA tournament_api TO tournament',
          qr/permission denied for schema tournament_api/ ],
        [ 'the right to call the function',
          'REVOKE EXECUTE ON FUNCTION tournament_api.state(text)
             FROM tournament',
          'GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO tournament',
          qr/permission denied for function state/ ],
    );

    for my $case (@cases) {
        my ($name, $gone, $back, $message) = @$case;

        # Errors are logged once a second.

        my $absent = 'absent-' . $name =~ s/ /-/gr;
        my @answers;

        $nginx->log_mark;
        $pg->rows($gone);

        poll_until {
            push @answers, uncached(), $nginx->state($absent);
            refused();
        } 20, "a line about $name";

        is scalar(grep { $_->status != 503 } @answers), 0, "$name is gone: 503";
        is_error $answers[-1], 503, 'unavailable', 'the answer';
        like +(refused())[0], $message, 'the log says what is missing';
        like +(refused())[0], qr/SELECT \* FROM tournament_api\.state/,
            'and to whom';

        is $nginx->get($_->{path})->status, 200, 'what is cached stays'
            for $tournaments[0];

        $pg->rows($back);

        is uncached()->status, 200, 'it is back: the next answer is right';
        is_error $nginx->state($absent), 404, 'not_found',
            'no error was cached';
        is scalar(begins()), 0, 'no connection was lost for it';
    }
};


subtest 'a function of another version (invariant 6)' => sub {
    my $definition = $pg->value(q{
        SELECT pg_get_functiondef('tournament_api.state(text)'::regprocedure)
    });

    $nginx->log_mark;
    $pg->psql(q{
        BEGIN;
        DROP FUNCTION tournament_api.state(text);
        CREATE FUNCTION tournament_api.state(p_slug text)
            RETURNS TABLE (id bigint, name text) LANGUAGE sql AS
            $$ SELECT 1::bigint, 'x' $$;
        COMMIT;
    });

    is_error uncached(), 503, 'unavailable', 'columns that are not known';
    $nginx->wait_for_log(
        qr/\[error\].*columns of ".*tournament_api\.state.*install\.sql/);
    pass 'the log says what to do';

    $pg->psql("BEGIN; DROP FUNCTION tournament_api.state(text);
               $definition;
               GRANT EXECUTE ON FUNCTION tournament_api.state(text)
                  TO tournament; COMMIT;");

    is uncached()->status, 200, 'the right one is back';
    wait_connected();
};


subtest 'statements that the server has forgotten (invariant 9)' => sub {
    my $result = $pg->value(q{
        SELECT pg_get_function_result('tournament_api.state(text)'::regprocedure)
    });

    # As behind a pooler that gives a client another server connection.

    $pg->psql(qq{
        ALTER FUNCTION tournament_api.state(text) RENAME TO state_kept;
        CREATE FUNCTION tournament_api.state(p_slug text) RETURNS $result
        LANGUAGE plpgsql AS \$\$
        BEGIN
            IF p_slug = 'forget' THEN
                DEALLOCATE ALL;
            END IF;
            RETURN QUERY SELECT * FROM tournament_api.state_kept(p_slug);
        END
        \$\$;
        GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO tournament;
    });

    # With connections that know no other function.

    $nginx->reload;
    wait_connected();
    is uncached()->status, 200, 'the new function';

    for (1 .. 5) {
        is uncached({ slug => 'forget' })->status, 404, 'forgotten';
        is uncached()->status, 200, 'the next is none the worse';
    }

    my @wrong = grep {
        $_->status != ($_->body =~ /not_found/ ? 404 : 200)
    } map {
        fetch(port => $nginx->port, concurrency => 6,
              paths => [ '/uncached/forget',
                         map { "/uncached/$_->{slug}" } @tournaments ])
    } 1 .. 10;

    is_deeply [ map { $_->raw } @wrong ], [], 'nor are many at once';
    is scalar(begins()), 0, 'no connection was lost for it';

    $pg->psql(q{
        DROP FUNCTION tournament_api.state(text);
        ALTER FUNCTION tournament_api.state_kept(text) RENAME TO state;
    });
};


# A new start each, so that the reason is the first that the log has to say.

subtest 'no connection to be had (invariants 1, 6)' => sub {
    $pg->create_role($_) for qw(stranger helpless limited);
    $pg->rows('ALTER ROLE limited CONNECTION LIMIT 0');

    my @sessions;

    my @cases = (
        [ 'max_connections are used up', $pg->conninfo,
          qr/remaining connection slots are reserved|too many clients/,
          sub {
              while (1) {
                  push @sessions, eval {
                      $pg->session(user => 'stranger')
                  } // last;
              }
          },
          sub { $_->close for splice @sessions } ],
        [ 'the limit of a role', $pg->conninfo(user => 'limited'),
          qr/too many connections for role "limited"/, undef,
          sub {
              $pg->rows($_) for 'ALTER ROLE limited CONNECTION LIMIT -1',
                  'GRANT tournament TO limited';
          } ],
        [ 'no such role', $pg->conninfo(user => 'late'),
          qr/role "late" does not exist/, undef,
          sub {
              $pg->create_role('late');
              $pg->rows('GRANT tournament TO late');
          } ],
        [ 'no such database', $pg->conninfo(dbname => 'late'),
          qr/database "late" does not exist/, undef,
          sub {
              $pg->psql('CREATE DATABASE late TEMPLATE template0',
                        -dbname => 'postgres');
              $pg->load($_, -dbname => 'late',
                        $_ eq 'install' ? (role => 'tournament') : ())
                  for qw(schema install);
          }, 404 ],
        [ 'pg_hba.conf', $pg->conninfo_tcp,
          qr/no pg_hba\.conf entry|pg_hba\.conf rejects/,
          sub { $pg->set_hba('local all all trust') },
          sub { $pg->set_hba } ],
        [ 'no listener', $pg->conninfo_tcp(port => free_port()),
          qr/Connection refused/ ],
    );

    for my $case (@cases) {
        my ($name, $conninfo, $message, $break, $mend, $status) = @$case;

        $nginx->stop;
        $break->() if $break;
        $nginx->set(database => $conninfo, http => http('700ms'));
        $nginx->log_mark;
        $nginx->start;

        is_error uncached(), 503, 'unavailable', $name;
        $nginx->wait_for_log($message);
        like +(begins())[0], $message, 'the log says why';
        unlike +(begins())[0], qr/password=/, 'and no more';

        next unless $mend;

        $mend->();
        poll_until {
            uncached()->status == ($status // 200)
        } 20, 'answers come';
        pass 'it recovers by itself';

        $nginx->wait_for_log(qr/PostgreSQL is available again/);
        is scalar(begins()), 1, 'one line of the beginning';
    }
};


subtest 'a role without rights (invariant 6)' => sub {
    $nginx->reload(database => $pg->conninfo(user => 'helpless'),
                   http     => http('2s'));

    is_error uncached(), 503, 'unavailable', 'the answer';
    $nginx->wait_for_log(qr/\[error\].*permission denied for schema/);
    pass 'the log says why';

    $pg->rows('GRANT tournament TO helpless');
    is uncached()->status, 200, 'with them the next answer is right';
};


done_testing;
