package Tournament::Proxy;

# A faulty network between nginx and PostgreSQL: a process of its own that
# passes bytes on, in both directions, and does with them what a test tells it.
#
#   my $proxy = $pg->proxy;                  through a Unix socket
#   my $proxy = $pg->proxy(listen => 'tcp'); through a port of 127.0.0.1
#   Tournament::Nginx->new(database => $proxy->conninfo, ...)
#
#   $proxy->set(%faults)   what is wrong from now on. What is not named is all
#                          right (again). In force on return.
#       refuse => 1        nobody listens; open connections stay
#       stall => 1         new connections are accepted and never answered, not
#                          even when the fault is over
#       hold => $side      nothing is read from there, until the fault is over:
#                          a black hole
#       lose => 1          open connections are silent for ever, as those that
#                          a firewall has forgotten; new ones are all right
#       delay => $seconds  everything arrives so much later
#       trickle => $n      $n bytes at a time, and a pause of a millisecond
#       from => $side      whose bytes are delayed, or trickle; both by default
#       cut => { from => $side, after => $bytes, how => ..., new => 1 }
#                          each open connection, and with new => 1 each new one,
#                          is cut once so many more bytes came from that side;
#                          of several only so many have been passed on. how is
#                          what the client sees: "close" (default) or "reset"
#       mangle => { way => ..., each => $n, seed => $n }
#                          about one message in n of the server's is changed, in
#                          a way that its name tells: length, type, byte, short,
#                          drop, twice, swap, insert. No TLS then
#     A side is "server", "client" or "both".
#   $proxy->pass           nothing is wrong
#   $proxy->cut($how)      all open connections, now; how many
#   $proxy->count          { accepted, open, cut, mangled (how many so far),
#                          server, client (bytes that came from there) }
#   $proxy->wait_count($name, $least, $seconds)
#                          until that count is so high
#   $proxy->conninfo(%more)    of PostgreSQL, by way of it
#   $proxy->port
#   $proxy->stop           the process ends; so it does at the test's end
#
# Options of new(): pg, a Tournament::Postgres; listen; to => "tcp" passes on
# to its port instead of to its socket.

use strict;
use warnings;

use Carp;
use Errno qw(EAGAIN EINTR);
use IO::Poll qw(POLLIN POLLOUT POLLERR POLLHUP);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM SOL_SOCKET SO_LINGER IPPROTO_TCP
              TCP_NODELAY);
use Tournament::Util qw(at_end free_port now poll_until reap remaining
                        tempdir);

my @FAULTS = qw(refuse stall hold lose delay trickle from cut mangle);
my @SIDES  = qw(server client);

# Messages of the server's that nobody has asked for.

sub _message { return $_[0] . pack('N', 4 + length $_[1]) . $_[1] }

my @UNASKED = (
    _message('N', "SNOTICE\0VNOTICE\0C00000\0Mon and on\0\0") x 1000,
    _message('S', "some_parameter\0some value\0") x 1000,
    (map { _message('A', pack('N', 1) . "tournament_changes\0$_\0") }
        '', 'x' x 8000, 't1 ' x 2000, "\xff\xfe"),
    (map { _message($_, pack 'Cn', 0, 0) } qw(G H W)),
    (map { _message('R', pack 'N', $_) } 0, 3, 5, 10, 12),
    _message('d', 'w' . 'x' x 24), _message('c', ''),
    _message('D', pack('n', 1) . pack('N', 1) . 'x'),
    _message('D', pack('n', 9) . pack('N', 1 << 30)),
    _message('T', pack 'n', 65535),
    _message('C', "SELECT 1\0"), _message('I', ''), _message('n', ''),
    _message('s', ''), _message('1', ''), _message('2', ''),
    _message('Z', 'I'), _message('Z', 'E'), _message('Z', '?'),
    _message('K', pack 'NN', 1, 2), _message('V', pack 'N', -1),
    _message('v', pack 'NN', 0, 0), _message('E', ''),
    _message('E', "SFATAL\0VFATAL\0C57P01\0Mgo away\0\0"),
    _message('E', "SERROR\0VERROR\0CXX000\0Mno reason\0\0"),
);

my %MANGLE = (
    length => sub { substr $_[0], 1, 4, pack 'N', rand 2 ** (3 + rand 29) },
    type   => sub { substr $_[0], 0, 1, chr rand 256 },
    byte   => sub { substr $_[0], 5 + rand(length($_[0]) - 5), 1,
                           chr rand 256 if length $_[0] > 5 },
    short  => sub { $_[0] = _message(substr($_[0], 0, 1),
                                     substr $_[0], 5,
                                     rand(length($_[0]) - 5)) },
    drop   => sub { $_[0] = '' },
    twice  => sub { $_[0] .= $_[0] },
    insert => sub { $_[0] = $UNASKED[rand @UNASKED] . $_[0] },
);

# What may be on its way in one direction of a connection, in bytes.

my $WINDOW = 262_144;

my $json = JSON::PP->new->canonical;


sub new {
    my ($class, %options) = @_;

    my $pg   = $options{pg} // croak 'pg is missing';
    my $tcp  = ($options{listen} // 'unix') eq 'tcp';
    my $self = bless {
        owner => $$,
        pg    => $pg,
        port  => $tcp ? free_port() : 5432,
        dir   => $tcp ? undef : tempdir(),
        to    => ($options{to} // 'unix') eq 'tcp' ? [ $pg->port ]
            : $pg->socket_dir . '/.s.PGSQL.' . $pg->port,
    }, $class;

    socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or croak "socketpair: $!";

    $self->_listen;

    my $pid = fork // croak "fork: $!";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);

        close $ours;

        my $ok = eval { $self->_run($theirs); 1 };

        print STDERR "proxy: $@" unless $ok;
        POSIX::_exit($ok ? 0 : 1);
    }

    close $theirs;
    close delete $self->{listener};

    $self->{pid}     = $pid;
    $self->{control} = $ours;
    $self->{in}      = '';

    at_end($self);

    return $self;
}


sub port { return $_[0]{port} }


sub conninfo {
    my ($self, %more) = @_;

    return $self->{pg}->conninfo(
        host => $self->{dir} // '127.0.0.1',
        port => $self->{port},
        %more,
    );
}


sub set {
    my ($self, %faults) = @_;

    for my $name (keys %faults) {
        croak "no such fault: $name" unless grep { $_ eq $name } @FAULTS;
    }

    $self->_ask({ set => \%faults });

    return $self;
}


sub pass { return $_[0]->set }


sub cut {
    my ($self, $how) = @_;

    return $self->_ask({ cut => $how // 'close' })->{now};
}


sub count { return $_[0]->_ask({}) }


sub wait_count {
    my ($self, $name, $least, $seconds) = @_;

    poll_until {
        $self->count->{$name} >= $least
    } $seconds // 20, "the proxy's count \"$name\" is $least";

    return $self;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return $self;

    return $self if $self->{owner} != $$;

    close $self->{control};

    if (!defined reap($pid, 5)) {
        kill 'KILL', $pid;
        reap($pid, 5);
    }

    return $self;
}

sub cleanup { $_[0]->stop }


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $@, $!);

    $self->stop;

    return;
}


# A line there, a line back.

sub _ask {
    my ($self, $command) = @_;

    croak 'the proxy is stopped' unless $self->{pid};

    my $line = $json->encode($command) . "\n";

    syswrite($self->{control}, $line) == length $line
        or croak "the proxy does not listen: $!";

    my $select   = IO::Select->new($self->{control});
    my $deadline = now() + 20;

    while ($self->{in} !~ /\n/) {
        croak 'no answer of the proxy'
            unless $select->can_read(remaining($deadline))
                && sysread $self->{control}, $self->{in}, 65536,
                           length $self->{in};
    }

    $self->{in} =~ s/\A(.*)\n//;

    return $json->decode($1);
}


# From here on it is the other process's.

sub _listen {
    my ($self) = @_;

    my $listener;

    if (defined $self->{dir}) {
        my $path = "$self->{dir}/.s.PGSQL.$self->{port}";
        my $mask = umask 0;

        unlink $path;
        $listener = IO::Socket::UNIX->new(Local => $path, Listen => 512);
        umask $mask;

    } else {
        $listener = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1',
            LocalPort => $self->{port},
            ReuseAddr => 1,
            Proto     => 'tcp',
            Listen    => 512,
        );
    }

    croak "the proxy cannot listen: $!" unless $listener;

    $listener->blocking(0);
    $self->{listener} = $listener;

    return;
}


sub _refuse {
    my ($self) = @_;

    my $listener = delete $self->{listener} or return;

    $self->{poll}->remove($listener);
    unlink "$self->{dir}/.s.PGSQL.$self->{port}" if defined $self->{dir};
    close $listener;

    return;
}


sub _run {
    my ($self, $control) = @_;

    my $poll = $self->{poll} = IO::Poll->new;
    my $in   = '';

    $self->{fault} = {};
    $self->{count} = { accepted => 0, cut => 0, server => 0, client => 0,
                        mangled => 0 };
    $self->{pairs} = {};

    while (1) {
        $poll->mask($control => POLLIN);
        $poll->mask($self->{listener} => POLLIN) if $self->{listener};

        my $wait = $self->_interest;

        $poll->poll($wait);

        # Before anything else: an answer says that it is in force.

        if ($poll->events($control)) {
            return unless sysread $control, $in, 65536, length $in;

            while ($in =~ s/\A(.*)\n//) {
                my $reply = $self->_command($json->decode($1));

                syswrite $control, $json->encode($reply) . "\n";
            }

            next;
        }

        $self->_accept
            if $self->{listener} && $poll->events($self->{listener});

        for my $pair (values %{ $self->{pairs} }) {
            $self->_serve($pair);
        }
    }
}


sub _command {
    my ($self, $command) = @_;

    my $now = 0;

    if ($command->{set}) {
        $self->_set($command->{set});

    } elsif ($command->{cut}) {
        $now = keys %{ $self->{pairs} };
        $self->_close($_, $command->{cut}) for values %{ $self->{pairs} };
        $self->{count}{cut} += $now;
    }

    return { %{ $self->{count} }, open => scalar keys %{ $self->{pairs} },
             now => $now };
}


sub _set {
    my ($self, $fault) = @_;

    $self->{fault} = $fault;

    srand $fault->{mangle}{seed} if $fault->{mangle};

    if ($fault->{refuse}) {
        $self->_refuse;

    } elsif (!$self->{listener}) {
        $self->_listen;
    }

    for my $pair (values %{ $self->{pairs} }) {
        $self->_silence($pair) if $fault->{lose};

        delete $pair->{$_}{left} for @SIDES;
        $self->_limit($pair) if $fault->{cut};
    }

    return;
}


sub _limit {
    my ($self, $pair) = @_;

    my $cut = $self->{fault}{cut};

    for my $side (@SIDES) {
        $pair->{$side}{left} = $cut->{after}
            if ($cut->{from} // 'server') =~ /^(?:$side|both)$/;
    }

    return;
}


# What the client goes on saying is read, and forgotten: so its end is seen.

sub _silence {
    my ($self, $pair) = @_;

    $pair->{silent} = 1;

    if (my $socket = delete $pair->{server}{socket}) {
        $self->{poll}->remove($socket);
        close $socket;
    }

    $pair->{$_}{queue} = [] for @SIDES;

    return;
}


my $number = 0;

sub _accept {
    my ($self) = @_;

    while (my $client = $self->{listener}->accept) {
        $self->{count}{accepted}++;

        my $pair = { number => ++$number };

        for my $side (@SIDES) {
            $pair->{$side} = { queue => [], bytes => 0, ready => 0 };
        }

        $client->blocking(0);
        $pair->{client}{socket}     = $client;
        $self->{pairs}{ $number }   = $pair;

        setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1
            unless defined $self->{dir};

        if ($self->{fault}{stall}) {
            $self->_silence($pair);
            next;
        }

        my $server = $self->_connect;

        if (!$server) {
            $self->_close($pair, 'close');
            next;
        }

        $pair->{server}{socket} = $server;
        $self->_limit($pair)
            if $self->{fault}{cut} && $self->{fault}{cut}{new};
    }

    return;
}


# One on this machine answers at once.

sub _connect {
    my ($self) = @_;

    my $to = $self->{to};

    my $server = ref $to
        ? IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to->[0],
                                Proto => 'tcp')
        : IO::Socket::UNIX->new(Peer => $to);

    return unless $server;

    $server->blocking(0);
    setsockopt $server, IPPROTO_TCP, TCP_NODELAY, 1 if ref $to;

    return $server;
}


# A side's queue holds what came from there: [when it is due, bytes].

sub _other { return $_[0] eq 'server' ? 'client' : 'server' }


# What each socket is waited for; how long at most, in seconds.

sub _interest {
    my ($self) = @_;

    my $fault = $self->{fault};
    my $wait  = -1;
    my $now   = now();

    for my $pair (values %{ $self->{pairs} }) {
        for my $side (@SIDES) {
            my $socket = $pair->{$side}{socket} or next;
            my $from   = $pair->{$side};
            my $to     = $pair->{ _other($side) };
            my $mask   = 0;

            $mask |= POLLIN
                if !$from->{eof} && $from->{bytes} < $WINDOW
                    && ($fault->{hold} // '') !~ /^(?:$side|both)$/;

            # Towards this side:

            if (@{ $to->{queue} }) {
                my $due = $to->{queue}[0][0];

                $due = $to->{ready} if $to->{ready} > $due;

                if ($due <= $now) {
                    $mask |= POLLOUT;

                } elsif ($wait < 0 || $due - $now < $wait) {
                    $wait = $due - $now;
                }
            }

            $self->{poll}->mask($socket => $mask);
        }
    }

    return $wait;
}


sub _serve {
    my ($self, $pair) = @_;

    for my $side (@SIDES) {
        my $socket = $pair->{$side}{socket} or next;
        my $events = $self->{poll}->events($socket) or next;

        $self->_read($pair, $side)
            if $events & (POLLIN | POLLERR | POLLHUP);

        return if $pair->{closed};

        $self->_write($pair, $side) if $events & POLLOUT;

        return if $pair->{closed};
    }

    return;
}


sub _concerns {
    my ($self, $side) = @_;

    return ($self->{fault}{from} // 'both') =~ /^(?:$side|both)$/;
}


sub _read {
    my ($self, $pair, $side) = @_;

    my $from = $pair->{$side};
    my $n    = sysread $from->{socket}, my $bytes, 65536;

    return if !defined $n && ($! == EAGAIN || $! == EINTR);

    if (!$n) {
        $from->{eof} = 1;

        # What came before it still goes on; behind a fault, late.

        $self->_close($pair, 'close')
            if $pair->{silent} || !@{ $from->{queue} };

        return;
    }

    $self->{count}{$side} += $n;

    return if $pair->{silent};

    $bytes = $self->_mangled($pair, $bytes) if $side eq 'server';
    $n     = length $bytes or return;

    if (defined $from->{left} && $n >= $from->{left}) {
        $bytes = substr $bytes, 0, $from->{left};
        $from->{cut} = 1;
        $from->{eof} = 1;

        if (!length $bytes && !@{ $from->{queue} }) {
            $self->_cut($pair);
            return;
        }
    }

    $from->{left} -= length $bytes if defined $from->{left};
    $from->{bytes} += length $bytes;

    my $delay = $self->_concerns($side) ? $self->{fault}{delay} // 0 : 0;

    push @{ $from->{queue} }, [ now() + $delay, $bytes ];

    return;
}


# Messages as they become whole; what is left of one goes on as it is when the
# fault is over.

sub _mangled {
    my ($self, $pair, $bytes) = @_;

    my $mangle = $self->{fault}{mangle};

    $bytes = delete($pair->{part}) . $bytes if defined $pair->{part};

    return $bytes unless $mangle;

    my $out = '';

    while (length $bytes >= 5) {
        my $length = 1 + unpack 'x N', $bytes;

        last if length $bytes < $length;

        my $message = substr $bytes, 0, $length, '';
        my $late    = delete $pair->{late} // '';

        if (rand $mangle->{each} < 1) {
            $self->{count}{mangled}++;

            if ($mangle->{way} eq 'swap') {
                $pair->{late} = $late . $message;
                next;
            }

            $MANGLE{ $mangle->{way} }->($message);
        }

        $out .= $message . $late;
    }

    $pair->{part} = $bytes;

    return $out;
}


# To a side, what came from the other.

sub _write {
    my ($self, $pair, $side) = @_;

    my $from    = $pair->{ _other($side) };
    my $trickle = $self->_concerns(_other($side)) && $self->{fault}{trickle};
    my $now     = now();

    while (@{ $from->{queue} } && $from->{queue}[0][0] <= $now) {
        my $bytes = \$from->{queue}[0][1];
        my $n     = syswrite $pair->{$side}{socket}, $$bytes,
                             $trickle || length $$bytes;

        if (!defined $n) {
            return if $! == EAGAIN || $! == EINTR;

            $self->_close($pair, 'close');
            return;
        }

        substr $$bytes, 0, $n, '';
        $from->{bytes} -= $n;
        shift @{ $from->{queue} } unless length $$bytes;

        if ($trickle) {
            $from->{ready} = $now + 0.001;
            last;
        }
    }

    if (!@{ $from->{queue} } && $from->{eof}) {
        $from->{cut} ? $self->_cut($pair) : $self->_close($pair, 'close');
    }

    return;
}


sub _cut {
    my ($self, $pair) = @_;

    $self->{count}{cut}++;
    $self->_close($pair, $self->{fault}{cut}{how} // 'close');

    return;
}


# A Unix socket has no reset but that of bytes which were not read.

sub _close {
    my ($self, $pair, $how) = @_;

    for my $side (@SIDES) {
        my $socket = delete $pair->{$side}{socket} or next;

        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
            if $side eq 'client' && $how eq 'reset';

        $self->{poll}->remove($socket);
        close $socket;
    }

    $pair->{closed} = 1;
    delete $self->{pairs}{ $pair->{number} };

    return;
}


1;
