package Bench::Client;

# What asks and what writes where microseconds count: one connection that
# stays, with as little Perl around it as there can be.
#
#   my $http = Bench::Client->http($port);
#   $http->get($path, %headers)      (head, body) of the answer
#   $http->ask($path, %headers)      the same in two steps, so that several
#   $http->answer                    connections can wait at the same time
#
#   my $db = Bench::Client->postgres($pg);       as superuser
#   $db->execute($sql)               returns when the server says that it is
#                                    done: after the commit, if it is one

use strict;
use warnings;

use Carp;
use IO::Socket::INET;
use IO::Socket::UNIX;

my $PATIENCE = 30;


sub http {
    my ($class, $port) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => $PATIENCE,
    ) // croak "connect to port $port: $!";

    return bless { socket => $socket }, $class;
}


sub get {
    my ($self, $path, %headers) = @_;

    $self->ask($path, %headers);

    return $self->answer;
}


sub ask {
    my ($self, $path, %headers) = @_;

    syswrite $self->{socket}, join "\r\n", "GET $path HTTP/1.1", 'Host: bench',
        map({ "$_: $headers{$_}" } keys %headers), '', '';

    return;
}


sub answer {
    my ($self) = @_;

    my $got = '';

    while (1) {
        my $end = index $got, "\r\n\r\n";

        if ($end >= 0) {
            my ($size) = $got =~ /^Content-Length: (\d+)/m
                or croak "no Content-Length in:\n$got";

            return (substr($got, 0, $end), substr($got, $end + 4))
                if length $got >= $end + 4 + $size;
        }

        $self->_read(\$got);
    }
}


sub _read {
    my ($self, $got) = @_;

    my $ready = '';
    vec($ready, fileno $self->{socket}, 1) = 1;

    select $ready, undef, undef, $PATIENCE
        or croak "nothing for $PATIENCE s, after: $$got";

    sysread $self->{socket}, $$got, 65536, length $$got
        or croak "connection closed after: $$got";

    return;
}


# The simple query flow of the protocol's version 3.0, which trust
# authentication lets begin at once: see "Message Flow" in PostgreSQL's manual.

sub postgres {
    my ($class, $pg) = @_;

    my $path = $pg->socket_dir . '/.s.PGSQL.' . $pg->port;

    my $socket = IO::Socket::UNIX->new(Peer => $path)
        // croak "connect to $path: $!";

    my $self    = bless { socket => $socket }, $class;
    my $startup = pack 'N (Z*)* x', 3 << 16,
        user => 'postgres', database => 'tournament';

    syswrite $socket, pack('N', 4 + length $startup) . $startup;
    $self->_wait_ready;

    return $self;
}


sub execute {
    my ($self, $sql) = @_;

    syswrite $self->{socket}, pack 'a N Z*', 'Q', 5 + length $sql, $sql;
    $self->_wait_ready;

    return;
}


# Reads messages to ReadyForQuery.

sub _wait_ready {
    my ($self) = @_;

    my $got = '';

    while (1) {
        while (length $got >= 5) {
            my ($type, $size) = unpack 'a N', $got;

            last if length $got < 1 + $size;

            my $message = substr $got, 0, 1 + $size, '';

            croak "PostgreSQL: $message" if $type eq 'E';
            return if $type eq 'Z';
        }

        $self->_read(\$got);
    }
}


1;
