package Bench::HTTP;

# The client for what wrk is not for: single answers as they are on the wire,
# and an exact number of requests.
#
#   response($port, $path, %headers)
#       one GET: { bytes, status, headers => { lower case }, body }, bytes with
#       the headers
#   ask($port, $path, $count)
#       so many of it, one after the other, on one connection. Dies unless all
#       of them are 200.

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IO::Socket::INET;

our @EXPORT_OK = qw(response ask);

my $PATIENCE = 30;


sub _connect {
    my ($port) = @_;

    return IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $port,
        Timeout  => $PATIENCE,
    ) // croak "connect to port $port: $!";
}


sub _request {
    my ($port, $path, %headers) = @_;

    return join "\r\n", "GET $path HTTP/1.1", "Host: 127.0.0.1:$port",
        map({ "$_: $headers{$_}" } sort keys %headers), '', '';
}


# Reads one answer: its head, with the empty line, and its body.

sub _answer {
    my ($socket) = @_;

    my $got = '';
    my $size;

    while (1) {
        if (!defined $size && $got =~ /\A(.*?\r\n\r\n)/s) {
            my $head = $1;

            my ($length) = $head =~ /^Content-Length: *(\d+)/mi
                or croak "no Content-Length in:\n$head";

            $size = length($head) + $length;
        }

        last if defined $size && length $got >= $size;

        my $ready = '';
        vec($ready, fileno $socket, 1) = 1;

        select $ready, undef, undef, $PATIENCE
            or croak "no answer for $PATIENCE s, after:\n$got";

        sysread $socket, $got, 65536, length $got
            or croak "connection closed after:\n$got";
    }

    my ($head, $body) = split /(?<=\r\n)\r\n/, $got, 2;

    return ($head, $body, length $got);
}


sub response {
    my ($port, $path, %headers) = @_;

    my $socket = _connect($port);

    syswrite $socket, _request($port, $path, %headers);

    my ($head, $body, $bytes) = _answer($socket);

    my ($status, @lines) = split /\r\n/, $head;

    return {
        bytes   => $bytes,
        status  => ($status =~ m{\AHTTP/1\.\d (\d+)})[0],
        headers => { map { /^([^:]+): *(.*)/ ? (lc $1, $2) : () } @lines },
        names   => [map { /^([^:]+):/ ? $1 : () } @lines],
        body    => $body,
    };
}


sub ask {
    my ($port, $path, $count) = @_;

    my $socket  = _connect($port);
    my $request = _request($port, $path);

    for (1 .. $count) {
        syswrite $socket, $request;

        my ($head) = _answer($socket);

        croak "not 200:\n$head" if $head !~ m{\AHTTP/1\.1 200 };
    }

    return;
}


1;
