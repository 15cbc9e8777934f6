package Bench::Instructions;

# How many instructions nginx spends on one request, in user space.
#
#   method()                   "perf stat", "callgrind", or undef: neither works
#   per_request($path, %conf)  of an nginx with that Bench::Nginx::conf; the
#                              path is asked for over one connection
#
# The figure is the difference between a run of some and a run of many more
# requests, divided by how many more: starting, stopping, opening connections
# and filling caches cancel out.

use strict;
use warnings;

use Bench::Daemon;
use Bench::HTTP qw(ask);
use Bench::Nginx;
use Carp;
use Exporter 'import';
use Tournament::Util qw(free_port project run slurp spew tempdir);

our @EXPORT_OK = qw(method per_request);

my $method;


sub method {
    return $method if defined $method;

    my ($status, $output)
        = eval { run({}, split / /, 'perf stat -x , -e instructions:u true') };

    return $method = 'perf stat'
        if defined $status && !$status && $output =~ /^\d+,/m;

    ($status) = eval { run({}, 'valgrind', '--version') };

    return $method = 'callgrind' if defined $status && !$status;

    return undef;
}


sub per_request {
    my ($path, %options) = @_;

    my ($few, $many) = @{ delete $options{requests} };

    my $count = method() eq 'perf stat' ? \&_perf : \&_callgrind;

    return ($count->($path, $many, %options)
            - $count->($path, $few, %options)) / ($many - $few);
}


# In one process, which valgrind can follow from start to end.

sub _callgrind {
    my ($path, $requests, %options) = @_;

    my $dir  = tempdir();
    my $port = free_port();
    my $out  = "$dir/callgrind.out";
    my $conf = Bench::Nginx::conf(%options, single => 1);

    my %value = (
        PORT   => $port,
        DIR    => $dir,
        MODULE => Tournament::Nginx::module_file(),
    );

    $conf =~ s/%%(PORT|DIR|MODULE)%%/$value{$1}/g;
    spew("$dir/nginx.conf", $conf);

    my $nginx = Bench::Daemon->new(
        name    => "nginx-callgrind",
        dir     => $dir,
        port    => $port,
        signal  => 'QUIT',
        seconds => 60,
        command => ['valgrind', '--tool=callgrind', '--quiet',
            "--callgrind-out-file=$out", Tournament::Nginx::binary(),
            '-p', "$dir/", '-c', "$dir/nginx.conf", '-g', 'daemon off;'],
    );

    ask($port, $path, $requests);

    $nginx->stop;

    my ($total) = slurp($out) =~ /^(?:totals|summary): (\d+)/m
        or croak "callgrind counted nothing:\n" . $nginx->log;

    return $total;
}


# perf counts a worker of nginx for as long as the client runs.

sub _perf {
    my ($path, $requests, %options) = @_;

    my $nginx = Bench::Nginx->new(%options);
    my $out   = $nginx->dir . '/perf.out';

    ask($nginx->port, $path, 10);

    my ($status, $output) = run({}, 'perf', 'stat', '-x', ',', '-e',
        'instructions:u', '-p', $nginx->worker, '-o', $out, '--', $^X, '-I' . project('t', 'lib'),
        '-I' . project('bench', 'lib'), '-MBench::HTTP=ask', '-e',
        'ask(@ARGV)', $nginx->port, $path, $requests);

    my ($total) = slurp($out) =~ /^(\d+),/m;

    croak "perf stat counted nothing:\n$output" if $status || !defined $total;

    $nginx->stop;

    return $total;
}


1;
