package Tournament::Outage;

# Outages of the database, and what they must not do: clients ask all the time,
# and afterwards everything is as it was before.
#
#   my $outage = Tournament::Outage->new(http => '...');
#
# makes a PostgreSQL, a proxy before it, some tournaments, and an nginx of two
# workers with all endpoints and the feed. Options: http, for nginx; tcp => 1
# for a proxy on a port; seconds that a fault may take to be over; kind, of the
# feed: TOURNAMENT_FEED by default, see Tournament::Feed.
#
#   $outage->pg, proxy, nginx, tournaments
#   $outage->faults            the names of all that is known to go wrong
#   $outage->test($name)       that one as a subtest, under load
#   $outage->break($name), mend($name)
#   $outage->lossless($name)   whether nobody may notice
#   $outage->warm              asks for what is to be cached
#   $outage->start_load(%options)      ($cached, $cold): Tournament::HTTP::Load
#                              on what is cached, and on what needs a query
#   $outage->settle_connections    until all of them are there, and changes
#                              are listened to
#   $outage->settle            until they are idle, too, and nobody has a
#                              descriptor but for them
#   $outage->is_answered($report, $name)   200, and right, every time
#   $outage->is_bearable($report, $name)   right, or 503 or 504
#   $outage->is_kept($name)    memory is what it was but for a little
#
# A fault is a pair of subs, break and mend; mend returns once the database is
# to be had again. What else is known of it:
#   lossless   1: not even who asks for what is not cached notices
#   calm       1: no connection is lost, so that the log says nothing of it
#   times      2: connections are lost at two moments
#   least      0: it may be no outage to speak of
#   partial    1: some still get their answers meanwhile
#   feed       1: the feed is lost for certain

use strict;
use warnings;

use JSON::PP ();
use Test::More ();
use Tournament::HTTP qw(fetch load);
use Tournament::Nginx;
use Tournament::Postgres;
use Tournament::Util qw(children now poll_until project slurp);

my $WORKERS     = 2;
my $CONNECTIONS = 2;
my $PASSWORD    = 'correct horse';

# kB that the allocator may keep of each worker.

my $KEPT = 4096;

# Seconds that an outage may be felt after its end, and what a busy machine may
# add to it.

my $NORMAL = 2;
my $BUSY   = 0.5;

# How much slower everything is under valgrind, where SCRAM takes seconds.

my $SLOW  = $ENV{TOURNAMENT_VALGRIND} ? 6 : 1;
my $LOGIN = $ENV{TOURNAMENT_VALGRIND} ? 'password' : 'scram-sha-256';


sub new {
    my ($class, %options) = @_;

    my $kind = $options{kind} // $ENV{TOURNAMENT_FEED} // 'notify';
    my $self = bless {
        all => $WORKERS * $CONNECTIONS + ($kind eq 'logical' ? 2 : 1),
    }, $class;

    my $pg = $self->{pg} = Tournament::Postgres->new(
        load    => [qw(schema install)],
        logical => 1,

        # A client that falls silent as it logs in holds up a shutdown so long;
        # and what was mended is not to be lost as the server is killed.

        conf => {
            max_connections        => 20,
            authentication_timeout => '2s',
            synchronous_commit     => 'on',
        },
        hba  => [
            "local all tournament $LOGIN",
            'local all all trust',
            "host all all 127.0.0.1/32 $LOGIN",
        ],
    );

    $pg->rows("ALTER ROLE tournament PASSWORD '$PASSWORD' REPLICATION");
    $pg->load('install', feed => $kind) if $kind ne 'notify';
    $pg->create_role('stranger', password => 'x');

    $self->{tournaments} = [ map {
        my $t = $pg->tournament(slots => 100 + $_, confirmed => 3);
        +{ %$t, slots => 100 + $_ };
    } 1 .. 8 ];

    $self->{proxy} = $pg->proxy($options{tcp} ? (listen => 'tcp') : ());

    my %api = Tournament::Nginx::api();

    $self->{nginx} = Tournament::Nginx->new(
        workers   => $WORKERS,
        feed      => 1,
        database  => $self->{proxy}->conninfo(password => $PASSWORD),
        http      => [
            "tournament_database_connections $CONNECTIONS;
             tournament_connect_timeout ${SLOW}s;
             tournament_query_timeout ${\ (700 * $SLOW) }ms;",
            $kind eq 'notify' ? () : "tournament_feed $kind;",
            @{ $api{http} }, $options{http} // (),
        ],
        locations => [
            @{ $api{locations} },
            'location ~ ^/short/(?<slug>.*)$ {
                 tournament_ttl state 200ms; tournament state $slug; }',
            'location ~ ^/uncached/(?<slug>.*)$ {
                 tournament_ttl state 0; tournament_ttl missing 0;
                 tournament state $slug; }',
        ],
    );

    my @slugs = map { $_->{slug} } @{ $self->{tournaments} };

    $self->{cached} = [
        '/tournaments/', '/tournaments/api/stats/',
        map { ("/tournaments/api/$_/state/", "/short/$_", "/tournaments/t/$_/",
               "/tournaments/api/$_/count/") } @slugs,
    ];
    $self->{cold} = [ map { "/uncached/$_" } @slugs ];

    $self->warm;

    $self->{fault} = { $self->_server, $self->_network, $self->_login,
                       $self->_functions };

    # What workers come to hold under load is not lost.

    my @load = $self->start_load;

    $_->wait_for(200 / $SLOW) for @load;
    $_->stop for @load;

    $self->settle;
    $self->{before} = $self->{nginx}->held;

    return $self;
}


sub pg          { return $_[0]{pg} }
sub proxy       { return $_[0]{proxy} }
sub nginx       { return $_[0]{nginx} }
sub tournaments { return @{ $_[0]{tournaments} } }
sub faults      { return sort keys %{ $_[0]{fault} } }


sub _fault {
    my ($self, $name) = @_;

    return $self->{fault}{$name} // die "no such fault: $name\n";
}

sub break    { my ($self, $name) = @_; $self->_fault($name)->{break}->() }
sub mend     { my ($self, $name) = @_; $self->_fault($name)->{mend}->() }
sub lossless { my ($self, $name) = @_; return $self->_fault($name)->{lossless} }


# Each worker has connections of its own, so that all are open once all are
# idle; the feed's are among them, of which one may be streaming.

sub settle_connections {
    my ($self, $idle) = @_;

    my $pg = $self->{pg};

    poll_until {
        my @all = $pg->backends;

        @all == $self->{all}
            && !grep { $idle && ($_->{state} // '') ne 'idle'
                       && $_->{query} !~ /^START_REPLICATION/ } @all;
    } 30, "$self->{all} connections, and no more";

    poll_until {
        grep { $_->{query} =~ /^LISTEN|pg_notification_queue_usage/ } $pg->backends
    } 30, 'changes are listened to';

    return;
}


sub settle {
    my ($self) = @_;

    my $nginx = $self->{nginx};

    $self->settle_connections(1);

    return unless $self->{before};

    poll_until {
        my $held = $nginx->held;

        $held->{descriptors} == $self->{before}{descriptors}
            && $held->{workers} == $self->{before}{workers};
    } 30, "no more than $self->{before}{descriptors} descriptors";

    return;
}


sub warm {
    my ($self) = @_;

    for my $path (@{ $self->{cached} }) {
        poll_until {
            $self->{nginx}->get($path)->status == 200
        } 20, "$path is cached";
    }

    return;
}


sub start_load {
    my ($self, %options) = @_;

    return map {
        load(port => $self->{nginx}->port, concurrency => 4, timeout => 30,
             pause => $SLOW > 1 ? 0.1 : 0.004, %options, path => $_)
    } $self->{cached}, $self->{cold};
}


sub _asked {
    my ($self) = @_;

    return $self->{nginx}->get($self->{cold}[0])->status;
}


# The answers of another kind than these statuses have, or that are nobody's.

sub _wrong {
    my ($self, $report, @statuses) = @_;

    my %slots = map { $_->{slots} => 1 } @{ $self->{tournaments} };
    my %fine  = map { $_ => 1 } @statuses;

    my @wrong = map { "$report->{status}{$_} times $_" }
        grep { !$fine{$_} } keys %{ $report->{status} };

    for my $body (keys %{ $report->{bodies} }) {
        my $json = eval { JSON::PP::decode_json($body) };

        push @wrong, $body
            if !$json
                || $json->{success} && defined $json->{max_teams}
                   && !$slots{ $json->{max_teams} }
                || !$json->{success}
                   && $json->{code} !~ /^(?:unavailable|timeout)$/;
    }

    push @wrong, map { "$report->{errors}{$_} times: $_" }
        keys %{ $report->{errors} };

    return \@wrong;
}


sub _is_right {
    my ($self, $report, $name, @statuses) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 2;

    return Test::More::is_deeply($self->_wrong($report, @statuses), [], $name)
        || Test::More::diag(Test::More::explain($report->{status},
                                                $report->{cache}));
}


sub is_answered {
    my ($self, $report, $name) = @_;

    return $self->_is_right($report, $name, 200);
}


sub is_bearable {
    my ($self, $report, $name) = @_;

    return $self->_is_right($report, $name, 200, 503, 504);
}


sub is_kept {
    my ($self, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = $self->{before}{anonymous};
    my $after  = $self->{nginx}->held->{anonymous};

    return Test::More::cmp_ok($after, '<=', $before + $WORKERS * $KEPT,
                              "$name (it was $before kB)");
}


sub _lines {
    my ($self, $pattern) = @_;

    return grep { $_ =~ $pattern } split /\n/, $self->{nginx}->log_since;
}


sub test {
    my ($self, $name) = @_;

    my $fault = $self->_fault($name);

    return Test::More::subtest($name => sub {
        my ($nginx, $pg) = @$self{qw(nginx pg)};

        $self->settle;
        $self->warm;
        $nginx->log_mark;

        my ($cached, $cold) = $self->start_load;
        my $begin = now();

        $_->wait_for(30) for $cached, $cold;
        $fault->{break}->();

        poll_until { $self->_asked != 200 } 30, 'it is noticed'
            unless $fault->{lossless} || $fault->{partial};

        $_->wait_for(30) for $cached, $cold;
        $fault->{mend}->();

        my $back = now();

        poll_until { $self->_asked == 200 } 30, 'answers come again';
        $nginx->wait_for_log(qr/listening to changes/, 30) if $fault->{feed};

        my $listening = now();

        $_->wait_for(100) for $cached, $cold;

        my ($of_cached, $of_cold) = map { $_->stop } $cached, $cold;

        $self->is_answered($of_cached, 'what is cached is answered');

        if ($fault->{lossless}) {
            $self->is_answered($of_cold, 'so is what is not');

        } else {
            $self->is_bearable($of_cold, 'what is not is, or is an error');
        }

        # Slow answers from memory tell how busy the machine is.

        my $busy = $SLOW * ($NORMAL + $BUSY) + $of_cached->{p99_ms} / 100;
        my ($last) = sort { $b <=> $a } $back,
            map { $of_cold->{last}{$_} // 0 } 503, 504;

        Test::More::cmp_ok($last - $back, '<=', $busy,
                           'no error after two seconds');
        Test::More::cmp_ok($listening - $back, '<=', $busy,
                           'changes are listened to by then')
            if $fault->{feed};

        $self->settle;
        Test::More::pass('connections and descriptors are as before');
        $self->_is_told($fault, now() - $begin);
        $self->is_kept('memory is what it was');
    });
}


# One line of the beginning and one of the end, whoever it concerns: workers
# and the feed; what the server refuses, once a second of each worker.

sub _is_told {
    my ($self, $fault, $seconds) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $ENDS = qr/\[notice\].*PostgreSQL is available again/;
    my $AT   = qr/tournament: PostgreSQL at/;

    my @begins  = $self->_lines(qr/\[error\].*$AT/);
    my @refused = $self->_lines(qr/PostgreSQL refused|columns of/);
    my $least   = $fault->{calm} ? 0 : $fault->{least} // 1;
    my $most    = $fault->{calm} ? 0 : $fault->{times} // 1;

    Test::More::ok($least <= @begins && @begins <= $most,
                   'one line of its beginning')
        or Test::More::diag(join "\n", @begins);
    Test::More::cmp_ok(scalar(@refused), '<=', $WORKERS * ($seconds + 2),
                       'not one for each request');

    poll_until { $self->_lines($ENDS) >= @begins } 20, 'its end is told';
    Test::More::is(scalar($self->_lines($ENDS)), scalar(@begins),
                   'and one of its end');

    return;
}


sub _server {
    my ($self) = @_;

    my $pg    = $self->{pg};
    my $start = sub { $pg->start };
    my @stop  = map {
        my $how = $_;
        ("server: stopped, $how" => { feed => 1, mend => $start,
                                      break => sub { $pg->stop($how) } });
    } qw(fast immediate kill);

    my $hung;

    return (
        @stop,

        'server: every connection is terminated' => {
            lossless => 1,
            feed     => 1,
            times    => 2,
            break    => sub { $pg->terminate },
            mend     => sub { },
        },

        # One of its processes hangs, so that it goes on refusing.

        'server: is shutting down' => {
            feed  => 1,
            break => sub {
                my $session = $pg->session;

                $hung = $session->pid;
                kill 'STOP', $hung;
                kill 'INT', $pg->pid;
            },
            mend => sub {
                kill 'CONT', $hung;
                $pg->restart('fast');
            },
        },

        'server: is starting up' => {
            feed  => 1,
            break => sub {
                my $wait = $pg->_write('wait', '');

                $pg->stop('fast');
                $pg->_write('recovery.signal', '');
                $pg->launch(restore_command =>
                    "while test -e wait; do sleep 0.01; done; false");
            },
            mend => sub {
                unlink $pg->data_dir . '/wait';
                $pg->wait_started;
            },
        },

        # It answers, or not; notifications it has not.

        'server: is in recovery' => {
            partial => 1,
            feed    => 1,
            break   => sub {
                $pg->stop('fast');
                $pg->_write('standby.signal', '');
                $pg->launch->wait_started;
            },
            mend => sub { $pg->rows('SELECT pg_promote()') },
        },

        'server: is in recovery, and does not answer' => {
            feed  => 1,
            break => sub {
                $pg->stop('fast');
                $pg->_write('standby.signal', '');
                $pg->launch(hot_standby => 'off')->wait_started;
            },
            mend => sub {
                $pg->stop('fast');
                unlink $pg->data_dir . '/standby.signal';
                $pg->start;
            },
        },
    );
}


sub _network {
    my ($self) = @_;

    my $proxy = $self->{proxy};
    my $pass  = sub { $proxy->pass };

    my %set = (
        'black hole'                  => { hold => 'both' },
        'black hole, one way'         => { hold => 'client' },
        'new ones are not answered'   => { stall => 1, -cut => 'reset' },
        'nobody listens'              => { refuse => 1, -cut => 'close' },
        'cut as they are opened'      => { -cut => 'reset', cut =>
            { from => 'server', after => 20, new => 1, how => 'reset' } },
    );

    return (
        (map {
            my %fault = %{ $set{$_} };
            my $cut   = delete $fault{-cut};

            ("network: $_" => {
                mend  => $pass,
                break => sub {
                    $proxy->set(%fault);
                    $proxy->cut($cut) if $cut;
                },
            });
        } keys %set),

        # As bytes of a result have come, and not all of them.

        (map {
            my ($how, $after) = @$_;

            ("network: $how in the middle of a result, $after bytes" => {
                lossless => 1,
                mend     => $pass,
                break    => sub {
                    $self->settle_connections;

                    my $before = $proxy->count;

                    $proxy->set(cut => { from => 'server', how => $how,
                                         after => $after });
                    $proxy->wait_count(cut => $before->{cut} + $WORKERS);
                },
            });
        } [ reset => 150 ], [ close => 77 ]),

        # Whoever comes first finds out, in each worker.

        # each worker finds out for itself, one connection after the other

        'network: open connections are forgotten' => {
            times => 2 * $WORKERS,
            break => sub { $proxy->set(lose => 1) },
            mend  => sub {
                my $workers = $self->{nginx}->connect_workers;

                $proxy->pass;

                for my $worker (values %$workers) {
                    poll_until {
                        $worker->get($self->{cold}[0])->status == 200
                    } 20, 'it has found out';
                }
            },
        },

        'network: late, and in pieces' => {
            partial => 1,
            calm    => 1,
            mend    => $pass,
            break   => sub { $proxy->set(delay => 0.02, trickle => 40) },
        },
    );
}


sub _login {
    my ($self) = @_;

    my ($pg, $proxy) = @$self{qw(pg proxy)};

    my $password = sub {
        $pg->rows("ALTER ROLE tournament PASSWORD '$_[0]'");
    };

    my @sessions;

    return (
        'login: max_connections is reached' => {
            break => sub {
                $proxy->set(refuse => 1);
                $proxy->cut;
                poll_until { !$pg->backends } 20, 'connections are closed';

                while (1) {
                    push @sessions, eval {
                        $pg->session(user => 'stranger')
                    } // last;
                }

                $proxy->pass;
            },
            mend => sub {
                $_->close for splice @sessions;
                poll_until {
                    !$pg->backends(user => 'stranger')
                } 20, 'there is room';
            },
        },

        'login: the password has changed' => {
            break => sub { $password->('another'); $pg->terminate },
            mend  => sub { $password->($PASSWORD) },
        },

        'login: the role is dropped' => {
            break => sub {
                $pg->rows($_) for 'DROP OWNED BY tournament',
                    'DROP ROLE tournament',
                    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE backend_type IN (\'client backend\', \'walsender\')
                        AND usename IS NULL';
            },
            mend => sub {
                $pg->create_role('tournament', password => $PASSWORD,
                                 REPLICATION => '');
                $pg->load('install', role => 'tournament');
            },
        },

        'login: the role may not connect any more' => {
            break => sub {
                $pg->rows('ALTER ROLE tournament CONNECTION LIMIT 0');
                $pg->terminate;
            },
            mend => sub {
                $pg->rows('ALTER ROLE tournament CONNECTION LIMIT -1');
            },
        },
    );
}


sub _functions {
    my ($self) = @_;

    my $pg     = $self->{pg};
    my $result = $pg->value(q{
        SELECT pg_get_function_result(
                   'tournament_api.state(text)'::regprocedure)
    });

    return (

        # As when a pooler says DISCARD ALL: there is a state for whose sake
        # the connection forgets them.

        'functions: statements are forgotten' => {
            lossless => 1,
            calm     => 1,
            mend     => sub {
                $pg->psql(q{
                    BEGIN;
                    DROP FUNCTION tournament_api.state(text);
                    ALTER FUNCTION tournament_api.state_kept(text)
                        RENAME TO state;
                    COMMIT;
                });
            },
            break    => sub {
                $pg->psql(qq{
                    BEGIN;
                    ALTER FUNCTION tournament_api.state(text)
                        RENAME TO state_kept;
                    CREATE FUNCTION tournament_api.state(p_slug text)
                        RETURNS $result LANGUAGE plpgsql AS \$\$
                    BEGIN
                        IF p_slug = 'forget' THEN
                            DEALLOCATE ALL;
                        END IF;
                        RETURN QUERY
                        SELECT * FROM tournament_api.state_kept(p_slug);
                    END
                    \$\$;
                    GRANT EXECUTE ON FUNCTION tournament_api.state(text),
                        tournament_api.state_kept(text) TO tournament;
                    COMMIT;
                });
                fetch(port  => $self->{nginx}->port, concurrency => 2,
                      paths => [ ('/uncached/forget') x 20 ]);
            },
        },

        'functions: the same ones are installed again' => {
            lossless => 1,
            calm     => 1,
            mend     => sub { },
            break    => sub { $pg->load('install', role => 'tournament') },
        },

        # "cached plan must not change result type", there and back.

        'functions: of another version, and install.sql' => {
            times => 2,
            least => 0,
            break => sub {
                $pg->psql(q{
                    BEGIN;
                    DROP FUNCTION tournament_api.state(text);
                    CREATE FUNCTION tournament_api.state(p_slug text)
                        RETURNS TABLE (id bigint, name text) LANGUAGE sql AS
                        $$ SELECT 1::bigint, 'x' $$;
                    GRANT EXECUTE ON FUNCTION tournament_api.state(text)
                        TO tournament;
                    COMMIT;
                });
            },
            mend => sub { $pg->load('install', role => 'tournament') },
        },
    );
}


1;
