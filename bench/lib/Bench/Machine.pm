package Bench::Machine;

# What the numbers were measured on, and how busy it is.
#
#   cores()            the CPUs that this process may run on, in order
#   describe()         { cpu, cores, memory_gib, kernel, date, versions }
#   pin($core, @pids)  moves those processes, their threads and descendants
#   on_core($core, @command)   the command, to be run on that core
#   others_clock()     the time that everything worked, and that we did;
#                      others($before, $after) is the share of the machine's
#                      time that somebody else took in between
#   cpu_time($pid)     seconds that the process has worked so far: what it costs
#                      does not depend on who else wants the core
#   busy_clock()       the CPUs' times; busy($before, $after, $core) is the
#                      share of the time between two of them, 0 to 1, that
#                      the core (all cores without one) worked

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use Tournament::Postgres;
use Tournament::Util qw(run);

our @EXPORT_OK = qw(
    cores describe pin on_core busy_clock busy children others_clock others
    cpu_time
);


sub cores {
    my ($list) = _read('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m;

    return map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split /,/, $list;
}


sub _read {
    my ($path) = @_;

    open my $fh, '<', $path or return '';
    local $/;

    return scalar <$fh> // '';
}


# The first line that the command prints and the pattern finds something in;
# undef without the command.

sub _version {
    my ($pattern, @command) = @_;

    my ($status, $output) = run({ timeout => 30 }, @command);

    return $output =~ $pattern ? $1 : undef;
}


sub describe {
    my ($cpu)    = _read('/proc/cpuinfo') =~ /^model name\s*:\s*(.*\S)/m;
    my ($memory) = _read('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
    my ($kernel) = (POSIX::uname())[2] =~ /^([\d.]+\d)/;
    my $bindir   = Tournament::Postgres::bindir();
    my @python   = ('/usr/bin/python3', '-c');

    return {
        cpu        => $cpu // (POSIX::uname())[4],
        cores      => scalar cores(),
        memory_gib => sprintf('%.0f', $memory / 1024 ** 2),
        kernel     => (POSIX::uname())[0] . " $kernel",
        date       => POSIX::strftime('%Y-%m-%d', gmtime),
        versions   => {
            nginx      => _version(qr{nginx/(\S+)}, 'nginx', '-v'),
            PostgreSQL => _version(qr{\) ([\d.]+)}, "$bindir/postgres", '-V'),
            wrk        => _version(qr{wrk (?:debian/)?([\d.]+)}, 'wrk', '-v'),
            'lua-nginx-module' => _version(qr{^(?:\d+:)?([\d.]+)}, 'dpkg-query', '-W',
                '-f', '${Version}', 'libnginx-mod-http-lua'),
            Redis      => _version(qr{v=([\d.]+)}, 'redis-server', '-v'),
            Python     => _version(qr{Python ([\d.]+)}, '/usr/bin/python3',
                '-V'),
            Django     => _version(qr{^([\d.]+)}, @python,
                'import django; print(django.get_version())'),
            gunicorn   => _version(qr{^([\d.]+)}, @python,
                'import gunicorn; print(gunicorn.__version__)'),
            valgrind   => _version(qr{valgrind-([\d.]+)}, 'valgrind',
                '--version'),
        },
    };
}


sub on_core {
    my ($core, @command) = @_;

    return ('taskset', '-c', $core, @command);
}


sub pin {
    my ($core, @pids) = @_;

    for my $pid (@pids, map { children($_) } @pids) {

        # One that has just ended needs no core.

        run({}, 'taskset', '-acp', $core, $pid);
    }

    return;
}


# All descendants.

sub children {
    my ($pid) = @_;

    my %children;

    for my $stat (glob '/proc/[0-9]*/stat') {
        push @{ $children{$2} }, $1
            if _read($stat) =~ /^(\d+) \(.*\) \S (\d+)/s;
    }

    my @found = @{ $children{$pid} // [] };

    for (my $i = 0; $i < @found; $i++) {
        push @found, @{ $children{ $found[$i] } // [] };
    }

    return @found;
}


# Nanoseconds where the kernel counts them, else ticks.

sub cpu_time {
    my ($pid) = @_;

    my ($ns) = _read("/proc/$pid/schedstat") =~ /^(\d+) /;

    return $ns / 1e9 if $ns;

    my ($fields) = _read("/proc/$pid/stat") =~ /.*\) (.*)/s;
    my ($user, $system) = (split ' ', $fields)[11, 12];

    return ($user + $system) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}


sub busy_clock {
    my %clock;

    for my $line (split /\n/, _read('/proc/stat')) {
        my ($cpu, @ticks) = split ' ', $line;

        next unless $cpu =~ /^cpu(\d*)\z/;

        my $total = 0;
        $total += $_ for @ticks[0 .. 7];

        # user, nice and system are what processes are charged for

        $clock{ length $1 ? $1 : 'all' } = {
            total     => $total,
            idle      => $ticks[3] + $ticks[4],
            processes => $ticks[0] + $ticks[1] + $ticks[2],
        };
    }

    return \%clock;
}


sub busy {
    my ($before, $after, $core) = @_;

    my ($from, $to) = map { $_->{ $core // 'all' } } $before, $after;
    my $total = $to->{total} - $from->{total};

    return $total > 0 ? 1 - ($to->{idle} - $from->{idle}) / $total : 0;
}


# A process's own time, and that of the children which it has waited for.

sub others_clock {
    my $ours = 0;

    for my $pid ($$, children($$)) {
        my ($fields) = _read("/proc/$pid/stat") =~ /.*\) (.*)/s or next;

        $ours += $_ for (split ' ', $fields)[11 .. 14];
    }

    return { %{ busy_clock()->{all} }, ours => $ours };
}


sub others {
    my ($before, $after) = @_;

    my %took = map { $_ => $after->{$_} - $before->{$_} } keys %$after;

    return 0 if $took{total} <= 0;

    my $others = ($took{processes} - $took{ours}) / $took{total};

    return $others > 0 ? $others : 0;
}


1;
