package Bench::Django;

# The stack that the module replaces: bench/peers/django under gunicorn, all
# of it on one core: gunicorn's workers and, with cache => 1, Redis.
#
#   my $django = Bench::Django->new(postgres => $pg, core => 0, cache => 1);
#   $django->port

use strict;
use warnings;

use Bench::Daemon;
use Bench::Machine qw(on_core);
use JSON::PP ();
use Tournament::Util qw(free_port project tempdir);

# 2n + 1 workers for n cores, as gunicorn's manual has it, and threads, which
# let it keep connections alive. On one core no number of workers from 1 to 5,
# with threads or without, was faster by more than a tenth.

my @GUNICORN = qw(
    --workers 3 --worker-class gthread --threads 4 --keep-alive 75
    --worker-connections 1000 --log-level warning
);


sub new {
    my ($class, %options) = @_;

    my $dir  = tempdir();
    my $self = bless { }, $class;

    my %database = (
        NAME => 'tournament',
        USER => 'application',
        HOST => $options{postgres}->socket_dir,
        PORT => $options{postgres}->port,
    );

    my %env = (
        BENCH_DATABASE          => JSON::PP::encode_json(\%database),
        DJANGO_SETTINGS_MODULE  => 'settings',
        PYTHONDONTWRITEBYTECODE => 1,
    );

    if ($options{cache}) {
        my $socket = "$dir/redis";

        $self->{redis} = Bench::Daemon->new(
            name    => 'redis-server',
            dir     => $dir,
            command => [on_core($options{core}, 'redis-server', '--port', 0,
                '--unixsocket', $socket, '--save', '', '--appendonly', 'no',
                '--daemonize', 'no', '--dir', $dir)],
            ready   => sub { -S $socket },
        );

        $env{BENCH_REDIS} = "unix://$socket?db=0";
    }

    $self->{port}     = free_port();
    $self->{gunicorn} = Bench::Daemon->new(
        name    => 'gunicorn',
        dir     => $dir,
        env     => \%env,
        signal  => 'INT',
        command => [on_core($options{core}, '/usr/bin/gunicorn', @GUNICORN,
            '--worker-tmp-dir', -d '/dev/shm' ? '/dev/shm' : $dir,
            '--chdir', project('bench', 'peers', 'django'),
            '--bind', "127.0.0.1:$self->{port}", 'wsgi:application')],
        port    => $self->{port},
    );

    return $self;
}


sub port { return $_[0]{port} }


sub stop {
    my ($self) = @_;

    $_->stop for grep { defined } @{$self}{qw(gunicorn redis)};

    return;
}


1;
