package Tournament::Util;

# What the other modules of the test library stand on: temporary directories,
# unprivileged users, child processes, deadlines, and cleaning up.
#
#   tempdir()              a new directory under the test's own one; removed at
#                          the end unless TOURNAMENT_KEEP=1. Any user may
#                          traverse it, and its name is short enough for a
#                          Unix socket.
#   memory_tempdir()       the same in memory, where there is enough of it;
#                          for what has many files
#   poll_until { ... } $seconds, "what is awaited"
#                          calls the block with a short backoff until it
#                          returns something true, returns that, dies at the
#                          deadline. For conditions that no event tells.
#   remaining($deadline)   seconds until an instant of now(), never below 0
#   now()                  monotonic seconds, as a fraction
#   slurp($path), spew($path, $text)
#   free_port()            a TCP port of 127.0.0.1 that nobody listens to now
#   run(\%options, @command)
#                          runs a command, returns (status, output of both
#                          streams). Options: user, dir, input, env.
#   run_ok(...)            the same, dies unless the status is 0; returns the
#                          output
#   spawn(\%options, @command)
#                          starts a child that is told to terminate when this
#                          process dies, even by kill -9. Options: user,
#                          stdin, stdout, stderr (handles), signal (what it
#                          gets when we die, TERM by default). Returns its pid.
#   reap($pid, $seconds)   waits for a child; its status, or undef at the
#                          deadline
#   alive($pid)            whether that process runs; a zombie, whose parent may
#                          never ask for its status, does not
#   children($pid)         the pids of a process's children
#   at_end($object)        $object->cleanup is called when the test ends,
#                          whatever ends it, last registered first. The object
#                          is held weakly.
#   project(@parts)        a path inside the checkout
#   build_dir()            where build products are; TOURNAMENT_BUILD overrides
#   database_user()        who runs PostgreSQL: undef for ourselves
#   worker_user()          who runs nginx's workers: undef for ourselves
#   may_traverse($user, $dir)    whether that user can reach files in it

use strict;
use warnings;

use Carp;
use Cwd ();
use Exporter 'import';
use File::Basename ();
use File::Path ();
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Scalar::Util ();
use Time::HiRes ();

our @EXPORT_OK = qw(
    tempdir memory_tempdir poll_until remaining now slurp spew free_port run run_ok spawn
    reap alive children at_end cleanup_all project build_dir database_user worker_user
    keep_files may_traverse
);

my $owner = $$;
my $root;
my %top;
my @registered;


# A signal ends the test through END, so that servers are stopped.

for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} = sub { exit 128 + { INT => 2, TERM => 15, HUP => 1 }->{$signal} }
        unless $SIG{$signal};
}

$SIG{PIPE} = 'IGNORE';

# Nothing of the caller's environment may choose another server (to nginx,
# NGINX is a list of sockets to inherit), and nothing of the caller's file mask
# may hide ours from nginx's workers.

delete @ENV{ 'NGINX', grep { /^PG/ } keys %ENV };
umask 022;


sub now {
    return Time::HiRes::clock_gettime(Time::HiRes::CLOCK_MONOTONIC());
}


sub remaining {
    my ($deadline) = @_;

    my $left = $deadline - now();

    return $left > 0 ? $left : 0;
}


sub poll_until (&;@) {
    my ($condition, $seconds, $what) = @_;

    $seconds //= 20;

    my $deadline = now() + $seconds;
    my $pause    = 0.002;

    while (1) {
        my $result = $condition->();

        return $result if $result;

        last if now() >= $deadline;

        Time::HiRes::sleep($pause);

        $pause *= 1.5 if $pause < 0.05;
    }

    croak "not within $seconds s: " . ($what // 'the awaited condition');
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or croak "open $path: $!";
    local $/;

    return scalar <$fh> // '';
}


sub spew {
    my ($path, $text) = @_;

    open my $fh, '>:raw', $path or croak "open $path: $!";
    print {$fh} $text or croak "write $path: $!";
    close $fh or croak "write $path: $!";

    return $path;
}


sub project {
    $root //= Cwd::abs_path(
        File::Basename::dirname(__FILE__) . '/../../..');

    return join '/', $root, @_;
}


sub build_dir {
    my $dir = $ENV{TOURNAMENT_BUILD} || project('build');

    File::Path::make_path($dir);

    return Cwd::abs_path($dir);
}


sub database_user {
    return undef if $> != 0;

    return (grep { defined getpwnam $_ } qw(postgres nobody))[0];
}


sub worker_user {
    return undef if $> != 0;

    return (grep { defined getpwnam $_ } qw(www-data nginx nobody))[0];
}


sub may_traverse {
    my ($user, $dir) = @_;

    my ($status) = run({ user => $user }, 'test', '-x', $dir);

    return $status == 0;
}


sub keep_files {
    return $ENV{TOURNAMENT_KEEP} ? 1 : 0;
}


# /tmp is not taken from TMPDIR without a look: the path of a Unix socket has
# at most 107 bytes.

sub tempdir {
    my ($name) = @_;

    my $parent = $ENV{TMPDIR} // '/tmp';

    $parent = '/tmp' if length $parent > 40 || !-d $parent;

    return _tempdir($parent, $name);
}


# A cluster is a thousand files, which a disk takes a second to make.

sub memory_tempdir {
    my $free = -w '/dev/shm'
        ? (split ' ', (split /\n/, `df -Pk /dev/shm 2>&1`)[-1])[3] : 0;

    return $free =~ /^\d+$/ && $free > 1024 * 1024
        ? _tempdir('/dev/shm') : tempdir();
}


sub _tempdir {
    my ($parent, $name) = @_;

    if (!defined $top{$parent}) {
        _sweep($parent);

        $top{$parent} = File::Temp::tempdir("$parent/tnt-$$-XXXXXX");

        chmod 0755, $top{$parent} or croak "chmod $top{$parent}: $!";
        spew("$top{$parent}/.pids", _pids_of());
    }

    my $dir;

    if (defined $name) {
        $dir = "$top{$parent}/$name";
        mkdir $dir or croak "mkdir $dir: $!";

    } else {
        $dir = File::Temp::tempdir("$top{$parent}/XXXX");
        chmod 0755, $dir or croak "chmod $dir: $!";
    }

    return $dir;
}


# Removes what killed tests have left: directories named after a process that
# is gone. One of a container that shares the directory with us may look so:
# the numbers of its processes mean something only there.

sub _sweep {
    my ($parent) = @_;

    for my $dir (glob "$parent/tnt-[0-9]*-*") {
        my ($pid) = $dir =~ /tnt-(\d+)-/;

        next if -l $dir || !-o $dir || -e "$dir/.keep" || -d "/proc/$pid";
        next if !-e "$dir/.pids" || slurp("$dir/.pids") ne _pids_of();

        File::Path::remove_tree($dir, { error => \my $errors });
    }

    return;
}


sub _pids_of {
    return readlink('/proc/self/ns/pid') // '';
}


# Not from the range that the kernel takes clients' ports from: such a port may
# be a client's while its server is being restarted.

sub free_port {
    my $end = 32768;

    if (open my $fh, '<', '/proc/sys/net/ipv4/ip_local_port_range') {
        ($end) = <$fh> =~ /(\d+)/;
    }

    my $start = $end > 12000 ? 10000 : 1024;

    for my $try (1 .. 1000) {
        my $port = $start + int rand $end - $start;

        return $port if IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $port,
            Proto     => 'tcp',
            Listen    => 1,
        );
    }

    croak "no free port: $!";
}


# setpriv(1) changes the user and has the kernel signal the child when its
# parent dies; both in one exec, so that the pid is the command's own.

sub _as_user {
    my ($user, $signal, @command) = @_;

    my @options;

    push @options, '--reuid', $user, '--regid', (getpwnam $user)[3],
        '--init-groups'
        if defined $user;

    push @options, '--pdeathsig', $signal if defined $signal;

    return @options ? ('setpriv', @options, '--', @command) : @command;
}


sub spawn {
    my ($options, @command) = @_;

    my $in = $options->{stdin};

    if (!$in) {
        open $in, '<', '/dev/null' or croak "open /dev/null: $!";
    }

    my $pid = fork // croak "fork: $!";

    return $pid if $pid;

    # The child: nothing of the test may run here, so only exec or _exit.

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);

    eval {
        open STDIN, '<&', $in or die "stdin: $!";
        open STDOUT, '>&', $options->{stdout} or die "stdout: $!"
            if $options->{stdout};
        open STDERR, '>&', $options->{stderr} or die "stderr: $!"
            if $options->{stderr};

        chdir($options->{dir} // '/') or die "chdir: $!";

        # Ctrl-C is for the test, which then stops its servers.

        POSIX::setpgid(0, 0);

        @ENV{ keys %{ $options->{env} } } = values %{ $options->{env} }
            if $options->{env};

        my @exec = _as_user($options->{user}, $options->{signal} // 'TERM',
                            @command);

        no warnings 'exec';
        exec {$exec[0]} @exec or die "$exec[0]: $!";
    };

    print STDERR $@;
    POSIX::_exit(127);
}


sub reap {
    my ($pid, $seconds) = @_;

    my $deadline = now() + ($seconds // 20);
    my $pause    = 0.001;

    while (1) {
        local $?;

        my $got = waitpid $pid, POSIX::WNOHANG();

        return $? if $got == $pid;
        return 0  if $got < 0;
        return undef if now() >= $deadline;

        Time::HiRes::sleep($pause);

        $pause *= 1.5 if $pause < 0.02;
    }
}


# The state and the parent of a process, or nothing.

sub _stat {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/stat" or return;

    return (<$fh> // '') =~ /^\d+ \(.*\) (\S) (\d+)/s;
}


sub alive {
    my ($pid) = @_;

    my ($state) = _stat($pid) or return 0;

    return $state !~ /[ZX]/;
}


sub children {
    my ($parent) = @_;

    return sort { $a <=> $b } grep {
        my (undef, $ppid) = _stat($_);
        defined $ppid && $ppid == $parent
    } map { m{/(\d+)$} } glob '/proc/[0-9]*';
}


sub run {
    my ($options, @command) = @_;

    pipe my $read, my $write or croak "pipe: $!";

    my $in;

    if (defined $options->{input}) {
        $in = File::Temp::tempfile();
        print {$in} $options->{input};
        seek $in, 0, 0;
        $in->flush;
    }

    my $pid = spawn({
        %$options,
        stdin  => $in,
        stdout => $write,
        stderr => $write,
    }, @command);

    close $write;

    my $deadline = now() + ($options->{timeout} // 120);
    my $select   = IO::Select->new($read);
    my $output   = '';

    while (1) {
        if (!$select->can_read(remaining($deadline))) {
            kill 'KILL', $pid;
            reap($pid, 5);
            croak "timed out: @command\n$output";
        }

        my $got = sysread $read, $output, 65536, length $output;

        last unless $got;
    }

    my $status = reap($pid, remaining($deadline) + 1);

    if (!defined $status) {
        kill 'KILL', $pid;
        reap($pid, 5);
        croak "timed out: @command\n$output";
    }

    return ($status, $output);
}


sub run_ok {
    my ($options, @command) = @_;

    my ($status, $output) = run($options, @command);

    croak "status " . ($status >> 8) . " of: @command\n$output" if $status;

    return $output;
}


sub at_end {
    my ($object) = @_;

    push @registered, $object;
    Scalar::Util::weaken($registered[-1]);

    return;
}


# Stops every server that still runs.

sub cleanup_all {
    return if $$ != $owner;

    for my $object (reverse splice @registered) {
        next unless defined $object;

        eval { $object->cleanup; 1 } or warn $@;
    }

    return;
}


END {
    if ($$ == $owner) {
        my $status = $?;

        cleanup_all();

        for my $dir (sort values %top) {
            if (keep_files()) {
                spew("$dir/.keep", '');
                print STDERR "# kept: $dir\n";

            } else {
                File::Path::remove_tree($dir, { error => \my $errors });
            }
        }

        $? = $status;
    }
}


1;
