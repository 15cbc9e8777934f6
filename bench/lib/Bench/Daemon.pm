package Bench::Daemon;

# A server that stays in the foreground, as a child of ours.
#
#   my $daemon = Bench::Daemon->new(
#       name    => 'redis-server',
#       command => [...],
#       dir     => where its log goes,
#       port    => 1234, or ready => sub { ... },    until when new() waits
#       signal  => 'TERM',                           what stop() sends
#       env     => { ... },
#       user    => whom it runs as,
#   );
#   $daemon->pid
#   $daemon->stop        returns when it is gone
#
# Stopped at the end, too; and by the kernel, should the bench be killed.

use strict;
use warnings;

use Carp;
use IO::Socket::INET;
use Tournament::Util qw(at_end poll_until reap slurp spawn);


sub new {
    my ($class, %options) = @_;

    my $self = bless {
        owner  => $$,
        name   => $options{name},
        signal => $options{signal} // 'TERM',
        log    => "$options{dir}/$options{name}.log",
    }, $class;

    open my $log, '>>', $self->{log} or croak "open $self->{log}: $!";

    $self->{pid} = spawn({
        stdout => $log,
        stderr => $log,
        user   => $options{user},
        env    => $options{env},
    }, @{ $options{command} });

    at_end($self);

    my $ready = $options{ready} // sub {
        IO::Socket::INET->new(PeerAddr => "127.0.0.1:$options{port}") ? 1 : 0
    };

    my $ended;

    poll_until {
        $ended = defined reap($self->{pid}, 0);

        $ended || $ready->()
    } $options{seconds} // 30, "$self->{name} is up";

    if ($ended) {
        delete $self->{pid};
        croak "$self->{name} does not start:\n" . slurp($self->{log});
    }

    return $self;
}


sub pid { return $_[0]{pid} }
sub log { return slurp($_[0]{log}) }


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    # Again and again: a signal that nginx gets just before it waits for events
    # is not looked at until the next one, and valgrind makes "just" long.

    for my $try (1 .. 15) {
        kill $self->{signal}, $pid;

        return if defined reap($pid, 1);
    }

    kill 'KILL', $pid;
    reap($pid, 5);
    carp "$self->{name} did not stop: killed";

    return;
}


sub cleanup {
    my ($self) = @_;

    return if $self->{owner} != $$;

    $self->stop;

    return;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);

    $self->cleanup;

    return;
}


1;
