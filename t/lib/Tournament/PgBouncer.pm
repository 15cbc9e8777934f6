package Tournament::PgBouncer;

# A PgBouncer of the test's own in front of a Tournament::Postgres, on a free
# port of 127.0.0.1, run by the user that runs PostgreSQL, stopped at the end.
#
#   my $pooler = Tournament::PgBouncer->new($pg,
#       pool_mode => 'transaction', default_pool_size => 2);
#
# More arguments are settings of its configuration. Who connects is trusted,
# and so is PgBouncer by the server.
#
#   $pooler->conninfo(%more)   for tournament_database, as role tournament
#   $pooler->start, stop, port, pid
#   $pooler->set(%settings)    for the next start
#   $pooler->show($what)       rows of its console's SHOW, as hashes
#   $pooler->log, log_mark, wait_for_log, expect_log    see Tournament::Server

use strict;
use warnings;

use parent 'Tournament::Server';

use Carp;
use IO::Socket::INET;
use Tournament::Postgres;
use Tournament::Util qw(
    at_end database_user free_port poll_until reap run_ok slurp spawn spew
    tempdir
);

my %SETTINGS = (
    listen_addr           => '127.0.0.1',
    unix_socket_dir       => '',
    auth_type             => 'trust',
    admin_users           => 'tournament',
    max_client_conn       => 200,
    server_login_retry    => 1,
    log_connections       => 0,
    log_disconnections    => 0,
);


sub new {
    my ($class, $pg, %settings) = @_;

    my $self = bless {
        owner    => $$,
        name     => 'pgbouncer',
        pg       => $pg,
        dir      => tempdir('pgbouncer'),
        port     => free_port(),
        settings => { %SETTINGS, %settings },
    }, $class;

    $self->watch_log("$self->{dir}/log", qr/FATAL|crashed/);
    at_end($self);

    return $self->start;
}


sub port { return $_[0]{port} }
sub pid  { return $_[0]{pid} }


sub set {
    my ($self, %settings) = @_;

    @{ $self->{settings} }{ keys %settings } = values %settings;

    return $self;
}


sub conninfo {
    my ($self, %more) = @_;

    return $self->{pg}->conninfo_tcp(port => $self->{port}, %more);
}


sub start {
    my ($self) = @_;

    croak 'PgBouncer runs already' if $self->{pid};

    my ($binary) = grep { -x } '/usr/sbin/pgbouncer', '/usr/bin/pgbouncer';

    croak 'PgBouncer is not installed (make deps)' unless $binary;

    # From 1.21 on it can follow prepared statements, and from 1.24 on it does.

    my ($minor) = run_ok({}, $binary, '--version') =~ /PgBouncer 1\.(\d+)/;

    my ($dir, $pg, %settings) = ($self->{dir}, $self->{pg},
        ($minor // 0) >= 21 ? (max_prepared_statements => 0) : (),
        %{ $self->{settings} });

    spew("$dir/users", qq{"tournament" ""\n});
    spew("$dir/pgbouncer.ini", join "\n",
        '[databases]',
        'tournament = host=' . $pg->socket_dir . ' port=' . $pg->port,
        '[pgbouncer]',
        "listen_port = $self->{port}",
        "auth_file = $dir/users",
        map({ "$_ = $settings{$_}" } sort keys %settings),
        '');

    open my $log, '>>', $self->{log} or croak "open $self->{log}: $!";

    $self->{pid} = spawn({
        user   => database_user(),
        stdout => $log,
        stderr => $log,
    }, $binary, "$dir/pgbouncer.ini");

    poll_until {
        croak "PgBouncer does not start:\n" . $self->log
            if defined reap($self->{pid}, 0);

        IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                              PeerPort => $self->{port}, Timeout => 1);
    } 20, 'PgBouncer listens';

    return $self;
}


# At once: clients lose their connections. What SIGTERM does depends on the
# version: it may wait for them.

sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return $self;

    kill 'KILL', $pid;
    reap($pid, 20) // croak 'PgBouncer does not stop';

    return $self;
}


sub cleanup {
    my ($self) = @_;

    $self->stop if $self->{owner} == $$;

    return;
}


sub show {
    my ($self, $what) = @_;

    my ($head, @rows) = map { [ split /\t/, $_, -1 ] } split /\n/, run_ok({},
        Tournament::Postgres::client('psql'), qw(-X -q -A -P footer=off),
        '-F', "\t", '-c', "SHOW $what",
        $self->conninfo(dbname => 'pgbouncer'));

    return map { my $row = $_; +{ map { $head->[$_] => $row->[$_] } 0 .. $#$row } }
        @rows;
}


1;
