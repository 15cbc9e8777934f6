package Tournament::Postgres;

# A PostgreSQL server of the test's own: a new cluster in a temporary
# directory, on a Unix socket and on a free port of 127.0.0.1, run by an
# unprivileged user, stopped and removed at the end.
#
#   my $pg = Tournament::Postgres->new;     started, with schema, functions and
#                                           demo data in database "tournament"
#
# Options of new():
#   load     [qw(schema install demo)] by default: files of sql/ (or paths)
#            loaded in this order. [] is an empty database.
#   conf     { name => value }: settings of postgresql.conf
#   durable  1: fsync and synchronous commits as in production. Off by default.
#   hba      [lines]: replaces the lines of pg_hba.conf for other roles than
#            the superuser: who connects to the socket or to 127.0.0.1 is
#            trusted by default
#   logical  1: wal_level is logical, so that slots for logical decoding can be
#            made
#   version  another server's major version: see has_version
#   standby_of   another Tournament::Postgres, which runs: a hot standby of it,
#            by streaming replication, of its version and with its settings
#   slot     a name: the standby has a physical slot of its own there, and
#            hot_standby_feedback, as logical decoding on a standby wants
#   start    0: do not start it yet
#   name     for messages and the directory, "pg" by default
#   dir      where the cluster is, or is put, and stays
#   port     instead of a free one
#
# Roles: "postgres" is the superuser (through the socket only), "tournament"
# is what nginx connects as; install.sql gave it its rights.
#
#   $pg->start                 returns when the server accepts connections
#   $pg->launch(name => value, ...)    starts it with those settings, and does
#                              not wait
#   $pg->wait_started          until it accepts connections, or is a standby
#   $pg->stop('fast')          smart | fast | immediate | kill; returns when
#                              every process is gone
#   $pg->restart($mode)
#   $pg->promote               a standby becomes a primary
#   $pg->demote($primary)      one that is stopped: its next start is as a
#                              standby of that one
#   $pg->pause_replay, resume_replay    a standby receives, and shows nothing
#   $pg->log_snapshot          a primary (16 or newer) logs what the creation of
#                              a slot on a standby waits for
#   $pg->slots                 rows of pg_replication_slots, as hashes: name,
#                              plugin, type, temporary, active_pid
#   $pg->wait_replayed($primary)     a standby has all that is committed there
#   $pg->conninfo(%more)       for tournament_database: through the socket, as
#                              role tournament; e.g. conninfo(user => 'a')
#   $pg->conninfo_tcp(%more)   the same through 127.0.0.1
#   $pg->socket_dir, port, data_dir, pid, running, version (15)
#
#   bindir()                   the programs of the server that tests use: those
#                              of the newest that is installed, or PG_BINDIR's
#   $pg->bindir                those of this one
#   sql_text($path)            of an SQL file, with those that it includes
#   client('psql')             a client's program: another version's, where only
#                              a server is installed
#   has_version(17)            whether new(version => 17) will do: Debian's
#                              package, or what tools/postgres has installed
#
#   $pg->rows/row/value($sql)  as superuser, on a connection kept for it: see
#                              Tournament::Session
#   $pg->psql($text, %vars)    a new psql that reads $text; -v name=value for
#                              each var. Dies at the first error, returns what
#                              was printed. Option -user, -dbname.
#   $pg->load($file, %vars)    the same from a file (sql/NAME.sql by name)
#   $pg->session(user => ...)  a connection of its own: Tournament::Session
#   $pg->quote($value)         an SQL literal: undef is NULL, \'now()' is now()
#   $pg->insert($table, column => value, ...)    the new row's id
#   $pg->update($table, $id, column => value, ...)
#   $pg->tournament, register, change, profile   see Tournament::Fixture
#   $pg->create_role($name, %attributes)         e.g. password => 'x'
#   $pg->set(name => value, ...)   ALTER SYSTEM, and reload: settings that need
#                                  no restart are in force on return
#   $pg->set_hba(@lines)           the same for pg_hba.conf
#
#   $pg->calls(%filter)        how many statements ran since reset_calls (not
#                              counting the superuser's, nor the settings of
#                              sessions that begin), by pg_stat_statements:
#                              filter like => '%tournament_api%', user => name.
#                              Statements that failed are not among them.
#   $pg->reset_calls
#   $pg->statements            [query, calls] of each, for diag
#   $pg->backends(%filter)     rows of pg_stat_activity of clients but ours, as
#                              hashes: pid, user, state, query, wait
#   $pg->wait_idle($count)     until that many connections of nginx are there,
#                              statements prepared, with nothing to do
#   $pg->terminate(%filter)    pg_terminate_backend on those; how many. Returns
#                              when they are gone
#   $pg->wait_blocked($session or pid)   until it waits for a lock
#   $pg->gate                  queries that wait: Tournament::Gate
#   $pg->proxy(%options)       a faulty network before it: Tournament::Proxy
#   $pg->log, log_mark, wait_for_log, expect_log    see Tournament::Server
#
# Making a cluster takes seconds, so that one is kept under build/ for each
# combination of PostgreSQL's version and SQL files, and copied.

use strict;
use warnings;

use parent qw(Tournament::Server Tournament::Fixture);

use Carp;
use Cwd ();
use Digest::SHA ();
use Fcntl qw(:flock);
use File::Basename ();
use File::Path ();
use Scalar::Util ();
use Tournament::Gate;
use Tournament::Proxy;
use Tournament::Session;
use Tournament::Util qw(
    alive at_end build_dir children database_user free_port memory_tempdir
    poll_until project reap run run_ok slurp spawn spew tempdir
);

my %SIGNAL = (smart => 'TERM', fast => 'INT', immediate => 'QUIT');

# Part of the kept clusters' key: a change here makes new ones.

my @INITDB = qw(--no-sync --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1
                --username=postgres --auth=trust);

my %CONF = (
    max_connections           => 60,
    shared_buffers            => '32MB',
    shared_preload_libraries  => 'pg_stat_statements',
    max_wal_size              => '256MB',
    min_wal_size              => '8MB',
    autovacuum                => 'off',
    logging_collector         => 'off',
    log_line_prefix           => '%m [%p] %q%u@%d ',
    log_min_messages          => 'warning',
    log_timezone              => 'UTC',
    timezone                  => 'UTC',
    lc_messages               => 'C',
    jit                       => 'off',
);

my %LOGICAL = (
    wal_level             => 'logical',
    max_wal_senders       => 20,
    max_replication_slots => 20,
);

my %FAST = (
    fsync              => 'off',
    synchronous_commit => 'off',
    full_page_writes   => 'off',
);

my $count = 0;


sub new {
    my ($class, %options) = @_;

    my $name = $options{name} // 'pg' . ($count || '');
    my $dir  = $options{dir} // tempdir($name);
    my $user = database_user();

    $count++;

    my $primary = $options{standby_of};

    my $self = bless {
        owner  => $$,
        name   => $name,
        dir    => $dir,
        user   => $user,
        bindir => $primary ? $primary->bindir : _bindir($options{version}),
        slot   => $options{slot},
        data   => ($options{dir} || $options{durable}
                  ? $dir : memory_tempdir()) . '/data',
        port   => $options{port} // free_port(),
        fixed  => defined $options{port},
        conf   => {
            $options{durable} ? () : %FAST,
            $options{logical} ? %LOGICAL : (),
            $primary ? %{ $primary->{conf} } : (),
            %{ $options{conf} // {} },
        },
        hba    => $options{hba},
    }, $class;

    $self->watch_log("$dir/log", qr/PANIC|terminated by signal/);
    spew($self->{log}, '');

    _give_to($user, $dir);

    at_end($self);

    my $files = $options{load} // [qw(schema install demo)];

    my $new = !-d $self->data_dir;

    $primary ? $self->_copy_primary($primary)
             : $new ? $self->_copy_template(@$files)
                    : _own_all($self->data_dir);

    $self->_configure;

    # The kept cluster may be of yesterday, and so would be the dates in it.

    $self->{renew} = $new && !$primary
        && grep { $_ eq 'demo' } @$files;

    $self->start if $options{start} // 1;

    return $self;
}


sub data_dir   { return $_[0]{data} }
sub socket_dir { return $_[0]{dir} }
sub port       { return $_[0]{port} }
sub pid        { return $_[0]{pid} }
sub name       { return $_[0]{name} }


sub version {
    my ($self) = @_;

    my ($version) = _server_version(bindir(ref $self ? $self : ())) =~ /(\d+)/;

    return $version;
}


sub has_version {
    my ($version) = @_;

    return defined _bindir($version, 1);
}


sub bindir {
    my ($self) = @_;

    return ref $self ? $self->{bindir} : _bindir();
}


sub client {
    my ($name) = @_;

    return (grep { -x } map { "$_/$name" } bindir(), _installed())[0]
        // croak "no $name found: install postgresql-client";
}


# The newest installed server, unless PG_BINDIR names another, or a version is
# asked for.

my %bindir;

sub _bindir {
    my ($version, $may_lack) = @_;

    my $key = $version // '';

    my @candidates = defined $version
        ? ("/usr/lib/postgresql/$version/bin",
           build_dir() . "/pg/$version/bin")
        : $ENV{PG_BINDIR} ? Cwd::abs_path($ENV{PG_BINDIR}) // $ENV{PG_BINDIR}
        : _installed();

    ($bindir{$key}) = grep { -x "$_/postgres" && -x "$_/initdb" } @candidates
        unless defined $bindir{$key};

    croak defined $version
        ? "no PostgreSQL $version found: tools/postgres $version"
        : "no PostgreSQL server in @candidates: install postgresql,"
          . ' or set PG_BINDIR'
        unless defined $bindir{$key} || $may_lack;

    return $bindir{$key};
}


sub _installed {
    return reverse sort {
        ($a =~ m{/(\d+)/})[0] <=> ($b =~ m{/(\d+)/})[0]
    } glob '/usr/lib/postgresql/*/bin';
}


sub start {
    my ($self, $seconds) = @_;

    $seconds //= 60;

    for my $try (1 .. 5) {
        my $from = -s $self->{log};

        $self->launch;

        if ($self->_wait_ready($seconds)) {
            $self->load('demo') if delete $self->{renew};
            return $self;
        }

        # The port was free a moment ago; somebody else has it now. A server
        # that has run keeps its port: clients know it.

        my $said = substr slurp($self->{log}), $from;

        croak "PostgreSQL does not start:\n$said"
            if $said !~ /Address already in use/ || $self->{started}
                || $self->{fixed};

        $self->{port} = free_port();
    }

    croak 'no free port for PostgreSQL';
}


sub launch {
    my ($self, %settings) = @_;

    croak "$self->{name} runs already" if $self->{pid};

    open my $log, '>>', $self->{log} or croak "open $self->{log}: $!";

    $self->{pid} = spawn({
        user   => $self->{user},
        stdout => $log,
        stderr => $log,
        signal => 'QUIT',
    }, $self->bindir . '/postgres', '-D', $self->data_dir, '-p', $self->{port},
        map { ('-c', "$_=$settings{$_}") } sort keys %settings);

    return $self;
}


sub wait_started {
    my ($self, $seconds) = @_;

    $self->_wait_ready($seconds // 60)
        or croak "$self->{name} has ended";

    return $self;
}


# The postmaster writes its state into the last line of postmaster.pid.

sub _wait_ready {
    my ($self, $seconds) = @_;

    my $file = $self->data_dir . '/postmaster.pid';
    my $ready;

    poll_until {
        if (open my $fh, '<', $file) {
            my @lines = <$fh>;

            if (@lines >= 8 && $lines[0] == $self->{pid}
                && $lines[7] =~ /^(?:ready|standby)/)
            {
                $ready = 1;
                return 1;
            }
        }

        return defined reap($self->{pid}, 0);
    } $seconds, "$self->{name} accepts connections";

    if (!$ready) {
        delete $self->{pid};
        return 0;
    }

    $self->{started} = 1;

    return 1;
}


sub running {
    my ($self) = @_;

    return $self->{pid} && alive($self->{pid}) ? 1 : 0;
}


sub stop {
    my ($self, $mode) = @_;

    $mode //= 'fast';

    delete $self->{session};

    my $pid = $self->{pid} or return $self;

    if ($mode eq 'kill') {
        $self->_kill_all;

    } else {
        my $signal = $SIGNAL{$mode}
            or croak "stop: no such mode: $mode (smart, fast, immediate, kill)";

        kill $signal, $pid;

        if (!defined reap($pid, 60)) {
            $self->_kill_all;
            carp "$self->{name} did not stop ($mode): killed";
        }
    }

    delete $self->{pid};

    return $self;
}


# As a crash does: the postmaster and its children at once. What they leave
# behind, start() copes with.

sub _kill_all {
    my ($self) = @_;

    my $pid = $self->{pid};
    my @children = children($pid);

    kill 'KILL', $pid, @children;
    reap($pid, 10);

    poll_until {
        !grep { alive($_) } @children
    } 10, 'backends are gone';

    return;
}


# By the functions for a backup, since a server may be there without
# pg_basebackup. Its log is kept for the copy by the slot, or is short.

sub _copy_primary {
    my ($self, $primary) = @_;

    my ($begin, $end) = $primary->version >= 15
        ? ("pg_backup_start('copy', true)", 'pg_backup_stop(false)')
        : ("pg_start_backup('copy', true, false)", 'pg_stop_backup(false, false)');

    $self->_make_slot($primary);

    my $session = $primary->session;

    $session->value("SELECT $begin");

    # Files that come and go under a running server may be missing.

    run({}, 'cp', '-a', $primary->data_dir, $self->data_dir);

    my ($label) = $session->value("SELECT labelfile FROM $end");

    $session->close;

    _own_all($self->data_dir);

    unlink glob $self->data_dir . '/postmaster.*';
    unlink glob $self->data_dir . '/pg_replslot/*/*';
    rmdir for glob $self->data_dir . '/pg_replslot/*';

    $self->_write('backup_label', $label);

    return $self->demote($primary);
}


sub _make_slot {
    my ($self, $primary) = @_;

    $primary->rows("SELECT pg_create_physical_replication_slot('$self->{slot}',
                                                               true)
                     WHERE NOT EXISTS (SELECT FROM pg_replication_slots
                                        WHERE slot_name = '$self->{slot}')")
        if defined $self->{slot};

    return;
}


sub demote {
    my ($self, $primary) = @_;

    croak "$self->{name} runs" if $self->{pid};

    my %conf = (primary_conninfo => $primary->conninfo(user => 'postgres',
                                                       dbname => undef));

    if (defined $self->{slot}) {
        $self->_make_slot($primary);

        $conf{primary_slot_name}    = $self->{slot};
        $conf{hot_standby_feedback} = 'on';
    }

    $self->_write('standby.signal', '');
    $self->_write('postgresql.auto.conf', _settings(%conf));

    return $self;
}


sub pause_replay {
    my ($self) = @_;

    $self->rows('SELECT pg_wal_replay_pause()');

    poll_until {
        $self->value('SELECT pg_get_wal_replay_pause_state()') eq 'paused'
    } 20, "$self->{name} replays nothing";

    return;
}


sub resume_replay {
    my ($self) = @_;

    $self->rows('SELECT pg_wal_replay_resume()');

    return;
}


sub log_snapshot {
    my ($self) = @_;

    $self->rows('SELECT pg_log_standby_snapshot()');

    return;
}


sub slots {
    my ($self) = @_;

    my @names = qw(name plugin type temporary active_pid);

    return map {
        my %slot;
        @slot{@names} = @$_;
        \%slot;
    } $self->rows('SELECT slot_name, plugin, slot_type, temporary, active_pid
                     FROM pg_replication_slots ORDER BY slot_name');
}


sub promote {
    my ($self) = @_;

    $self->value('SELECT pg_promote(true, 60)') eq 't'
        or croak "$self->{name} was not promoted";

    return $self;
}


sub wait_replayed {
    my ($self, $primary) = @_;

    # Commits that are not synchronous are flushed by one that is.

    $primary->rows(q{
        BEGIN;
        SET LOCAL synchronous_commit = 'local';
        SELECT pg_logical_emit_message(true, 'test', '');
        COMMIT});

    my $lsn = $primary->value('SELECT pg_current_wal_flush_lsn()');

    poll_until {
        ($self->value("SELECT pg_last_wal_replay_lsn() >= '$lsn'") // '') eq 't'
    } 30, "$self->{name} has replayed all of " . $primary->name;

    return;
}


sub restart {
    my ($self, $mode) = @_;

    return $self->stop($mode)->start;
}


sub cleanup {
    my ($self) = @_;

    return if $self->{owner} != $$;

    $_->close for grep { defined } @{ $self->{sessions} // [] };

    # What is removed next needs no orderly shutdown.

    $self->stop('immediate');

    return;
}


sub conninfo {
    my ($self, %more) = @_;

    return _conninfo(
        host   => $self->socket_dir,
        port   => $self->{port},
        dbname => 'tournament',
        user   => 'tournament',
        %more,
    );
}


sub conninfo_tcp {
    my ($self, %more) = @_;

    return $self->conninfo(host => '127.0.0.1', %more);
}


# Keys in order, so that the same arguments make the same text. A key with
# the value undef is left out.

sub _conninfo {
    my (%value) = @_;

    my @words;

    for my $key (sort keys %value) {
        my $text = $value{$key} // next;

        if ($text !~ m{\A[\w./:,-]+\z}) {
            $text =~ s/([\\'])/\\$1/g;
            $text = "'$text'";
        }

        push @words, "$key=$text";
    }

    return join ' ', @words;
}


sub session {
    my ($self, %options) = @_;

    my $session = Tournament::Session->new(
        psql     => client('psql'),
        conninfo => $self->conninfo(user => 'postgres', %options),
    );

    push @{ $self->{sessions} }, $session;
    Scalar::Util::weaken($self->{sessions}[-1]);

    return $session;
}


sub _own {
    my ($self) = @_;

    return $self->{session} //= $self->session(application_name => 'test');
}


sub rows  { my ($self, $sql) = @_; return $self->_own->rows($sql) }
sub row   { my ($self, $sql) = @_; return $self->_own->row($sql) }
sub value { my ($self, $sql) = @_; return $self->_own->value($sql) }


sub psql {
    my ($self, $text, %vars) = @_;

    return $self->_psql(\%vars, '-', $text);
}


sub load {
    my ($self, $file, %vars) = @_;

    return $self->_psql(\%vars, _sql_file($file));
}


sub _sql_file {
    my ($file) = @_;

    return $file =~ m{/} ? $file : project('sql', "$file.sql");
}


# With the files that it includes

sub sql_text {
    my ($file) = @_;

    my $dir = File::Basename::dirname($file);

    return slurp($file) =~ s{^\\ir (\S+)$}{sql_text("$dir/$1")}gmer;
}


sub _psql {
    my ($self, $vars, $file, $input) = @_;

    my $user   = delete $vars->{-user}   // 'postgres';
    my $dbname = delete $vars->{-dbname} // 'tournament';

    return run_ok(
        { input => $input, env => { PGCLIENTENCODING => 'UTF8' } },
        client('psql'), qw(-X -q -t -A -v ON_ERROR_STOP=1),
        (map { ('-v', "$_=$vars->{$_}") } sort keys %$vars),
        '-f', $file, $self->conninfo(user => $user, dbname => $dbname));
}


sub quote {
    my ($self, $value) = @_;

    return 'NULL' unless defined $value;
    return $$value if ref $value eq 'SCALAR';

    $value =~ s/'/''/g;

    return $value =~ s/\\/\\\\/g ? "E'$value'" : "'$value'";
}


sub insert {
    my ($self, $table, @pairs) = @_;

    my (@columns, @values);

    while (my ($column, $value) = splice @pairs, 0, 2) {
        push @columns, $column;
        push @values, $self->quote($value);
    }

    return $self->value(
        "INSERT INTO $table (" . join(', ', @columns) . ') VALUES ('
        . join(', ', @values) . ') RETURNING id');
}


sub update {
    my ($self, $table, $id, @pairs) = @_;

    my @set;

    while (my ($column, $value) = splice @pairs, 0, 2) {
        push @set, "$column = " . $self->quote($value);
    }

    $self->rows("UPDATE $table SET " . join(', ', @set) . " WHERE id = $id");

    return;
}


sub create_role {
    my ($self, $name, %attributes) = @_;

    my $password = delete $attributes{password};

    $self->rows(qq{CREATE ROLE "$name" LOGIN}
        . (defined $password ? ' PASSWORD ' . $self->quote($password) : '')
        . join '', map { " $_ $attributes{$_}" } sort keys %attributes);

    return;
}


sub set {
    my ($self, %values) = @_;

    for my $name (sort keys %values) {
        $self->rows(defined $values{$name}
            ? "ALTER SYSTEM SET $name = " . $self->quote($values{$name})
            : "ALTER SYSTEM RESET $name");
    }

    $self->_reload;

    return;
}


sub set_hba {
    my ($self, @lines) = @_;

    $self->{hba} = @lines ? \@lines : undef;
    $self->_write_hba;
    $self->_reload;

    return;
}


# A new connection sees the new settings once the postmaster has read them;
# it says so in pg_conf_load_time() of new backends.

sub _reload {
    my ($self) = @_;

    my $before = $self->value('SELECT clock_timestamp()');

    kill 'HUP', $self->{pid};

    my $loaded = "SELECT pg_conf_load_time() >= '$before'";

    poll_until {
        $self->value($loaded) eq 't'
    } 20, 'the configuration is reloaded';

    poll_until {
        $self->session->value($loaded) eq 't'
    } 20, 'the configuration is reloaded';

    return;
}


sub calls {
    my ($self, %filter) = @_;

    return $self->value(
        'SELECT coalesce(sum(calls), 0) FROM (' . $self->_statements(%filter)
        . ') AS s') + 0;
}


sub statements {
    my ($self, %filter) = @_;

    return $self->rows($self->_statements(%filter));
}


sub _statements {
    my ($self, %filter) = @_;

    my $sql = q{
        SELECT query, calls FROM public.pg_stat_statements AS s
          JOIN pg_roles AS r ON r.oid = s.userid
         WHERE rolname <> 'postgres'
           AND query NOT LIKE 'SELECT pg_catalog.pg_postmaster_start_time%'};

    $sql .= ' AND rolname = ' . $self->quote($filter{user})
        if defined $filter{user};
    $sql .= ' AND query LIKE ' . $self->quote($filter{like})
        if defined $filter{like};

    return "$sql ORDER BY calls DESC, query";
}


sub reset_calls {
    my ($self) = @_;

    $self->rows('SELECT public.pg_stat_statements_reset()');

    return;
}


sub backends {
    my ($self, %filter) = @_;

    my @names = qw(pid user state query wait application);

    return map {
        my %backend;
        @backend{@names} = @$_;
        \%backend;
    } $self->rows('SELECT pid, usename, state, query, wait_event_type,
        application_name' . _activity($self, %filter) . ' ORDER BY pid');
}


sub _activity {
    my ($self, %filter) = @_;

    my $sql = q{ FROM pg_stat_activity
                WHERE backend_type IN ('client backend', 'walsender')
                  AND pid <> pg_backend_pid()};

    $sql .= ' AND usename = ' . $self->quote($filter{user} // 'tournament');
    $sql .= ' AND application_name = ' . $self->quote($filter{application})
        if defined $filter{application};
    $sql .= " AND pid = $filter{pid}" if defined $filter{pid};

    return $sql;
}


sub wait_idle {
    my ($self, $count) = @_;

    poll_until {
        my @all  = $self->backends;
        my @idle = grep {
            ($_->{state} // '') eq 'idle' && $_->{query} =~ /tournament_api/
        } @all;

        @all == $count && @idle == $count;
    } 30, "$count connections, and no more";

    return;
}


sub terminate {
    my ($self, %filter) = @_;

    my @pids = map { $_->[0] } $self->rows(
        'SELECT pid, pg_terminate_backend(pid)' . _activity($self, %filter));

    return 0 unless @pids;

    my $list = join ',', @pids;

    poll_until {
        !$self->value(
            "SELECT count(*) FROM pg_stat_activity WHERE pid IN ($list)")
    } 20, 'backends are gone';

    return scalar @pids;
}


sub wait_blocked {
    my ($self, $session, $seconds) = @_;

    my $pid = ref $session ? $session->pid : $session;

    poll_until {
        ($self->value("SELECT wait_event_type FROM pg_stat_activity
                        WHERE pid = $pid") // '') eq 'Lock'
    } $seconds // 20, "backend $pid waits for a lock";

    return;
}


sub gate {
    my ($self) = @_;

    return Tournament::Gate->new($self);
}


sub proxy {
    my ($self, %options) = @_;

    return Tournament::Proxy->new(pg => $self, %options);
}


sub _configure {
    my ($self) = @_;

    my %conf = (
        %CONF, %{ $self->{conf} },
        listen_addresses        => '127.0.0.1',
        unix_socket_directories => $self->socket_dir,
    );

    $self->_write('postgresql.conf', _settings(%conf));

    # Whoever runs the test is the superuser, and nobody else.

    my $me = getpwuid $>;

    $self->_write('pg_ident.conf', join '', map { "owner $_ postgres\n" }
        grep { defined } $me, $self->{user});

    $self->_write_hba;

    return;
}


sub _settings {
    my (%conf) = @_;

    return join '', map {
        my $value = $conf{$_};
        $value =~ s/'/''/g;
        "$_ = '$value'\n"
    } sort keys %conf;
}


sub _write_hba {
    my ($self) = @_;

    my $lines = $self->{hba} // [
        'local all all              trust',
        'host  all all 127.0.0.1/32 trust',
        'local replication all              trust',
        'host  replication all 127.0.0.1/32 trust',
    ];

    $self->_write('pg_hba.conf', join '', map { "$_\n" }
        'local all         postgres                peer map=owner',
        'local replication postgres                peer map=owner',
        'host  all         postgres 127.0.0.1/32   reject',
        @$lines);

    return;
}


sub _write {
    my ($self, $file, $text) = @_;

    my $path = $self->data_dir . "/$file";

    spew($path, $text);

    _give_to($self->{user}, $path);

    return;
}


sub _give_to {
    my ($user, @paths) = @_;

    return unless defined $user;

    my ($uid, $gid) = (getpwnam $user)[2, 3];

    for my $path (@paths) {
        chown $uid, $gid, $path or croak "chown $path: $!";
    }

    return;
}


# A cluster that was made by a user may be used by root next, whose PostgreSQL
# runs as yet another. The other way round it is out of reach.

sub _own_all {
    my ($dir) = @_;

    my $user = database_user();
    my $uid  = defined $user ? (getpwnam $user)[2] : $>;

    return if (stat $dir)[4] == $uid;

    croak "$dir belongs to another user" if $> != 0;

    run_ok({}, 'chown', '-R', "$user:", $dir);

    return;
}


# Copies the kept cluster, having made it where it is missing. A lock keeps
# tests that run side by side from making it twice.

sub _copy_template {
    my ($self, @files) = @_;

    my $bindir = $self->bindir;

    my $sha = Digest::SHA->new(256);

    $sha->add(join "\0", $bindir, @INITDB, _server_version($bindir),
              map { "$_=$CONF{$_}" } sort keys %CONF);

    for my $file (@files) {
        my $path = _sql_file($file);

        croak "no such file: $path" unless -f $path;

        $sha->add("\0$file\0", sql_text($path));
    }

    my $dir  = build_dir() . '/clusters';
    my $kept = "$dir/" . substr $sha->hexdigest, 0, 16;

    File::Path::make_path($dir);

    open my $lock, '>>', "$dir/lock" or croak "open $dir/lock: $!";

    flock $lock, LOCK_SH or croak "flock $dir/lock: $!";

    if (!-d $kept) {
        flock $lock, LOCK_UN;
        flock $lock, LOCK_EX or croak "flock $dir/lock: $!";

        _make_template($dir, $kept, $bindir, @files) unless -d $kept;
    }

    utime undef, undef, $kept;

    run_ok({}, 'cp', '-a', $kept, $self->data_dir);
    _own_all($self->data_dir);

    return;
}


sub _server_version {
    my ($bindir) = @_;

    return run_ok({}, "$bindir/postgres", '--version');
}


sub _make_template {
    my ($dir, $kept, $bindir, @files) = @_;

    # Those that no test has used for a day are of older SQL files.

    for my $old (glob "$dir/*/") {
        $old =~ s{/\z}{};
        File::Path::remove_tree($old) if -M $old > 1;
    }

    my $self = bless {
        owner => $$,
        name  => 'template',
        dir   => tempdir(),
        bindir => $bindir,
        data  => memory_tempdir() . '/data',
        user  => database_user(),
        port  => free_port(),
        conf  => {%FAST},
    }, __PACKAGE__;

    $self->{log} = spew("$self->{dir}/log", '');

    at_end($self);

    _give_to($self->{user}, File::Basename::dirname($self->data_dir),
             $self->{dir});

    run_ok({ user => $self->{user}, env => { LC_ALL => 'C' } },
           "$bindir/initdb", @INITDB, '-D', $self->data_dir);

    $self->_configure;
    $self->start;

    $self->psql(q{
        CREATE ROLE tournament LOGIN;
        CREATE DATABASE tournament;
        \connect tournament
        CREATE EXTENSION pg_stat_statements SCHEMA public;
    }, -dbname => 'postgres');

    for my $file (@files) {
        $self->load($file, $file eq 'install' ? (role => 'tournament') : ());
    }

    $self->psql('VACUUM ANALYZE');
    $self->stop('fast');

    # Made beside its place, so that no other test ever sees half of it.

    my $new = "$kept.new";

    File::Path::remove_tree($new) if -d $new;
    run_ok({}, 'cp', '-a', $self->data_dir, $new);
    rename $new, $kept or croak "rename $new: $!";

    File::Path::remove_tree($self->{dir},
                            File::Basename::dirname($self->data_dir));

    return;
}


1;
