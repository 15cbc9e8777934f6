package Tournament::Stream;

# A stream of server-sent events, read from a raw connection.
#
#   my $s = Tournament::Stream->new(port => $port, path => $path,
#                                   headers => [ name => value, ... ]);
#       returns when the headers are there; with unread => 1 when it is asked
#       for. window is the size of the buffer that receives it
#   $s->status, header($name), body   body: of what is no stream
#   $s->event($seconds)    the next event, or undef: a hash of event, id and
#                          data, as they stand, json (the decoded data), and at
#                          (when it was read); for Tournament::Feed::bare() it
#                          is an answer
#   $s->retry              ms
#   $s->quiet($seconds)    true if no event comes
#   $s->comments           how many comments have come
#   $s->ended($seconds)    true once the server has ended it, as it should
#   $s->broken             true if it ended otherwise
#   $s->socket, close

use strict;
use warnings;

use Carp;
use Errno qw(EAGAIN EINTR);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(INADDR_LOOPBACK SOL_SOCKET SO_RCVBUF pack_sockaddr_in);
use Time::HiRes qw(time);

my $SECONDS = 20;


sub new {
    my ($class, %options) = @_;

    my $socket = IO::Socket::INET->new(Proto => 'tcp')
        or croak "socket: $!";

    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $options{window}
        if $options{window};

    connect $socket, pack_sockaddr_in($options{port}, INADDR_LOOPBACK)
        or croak "connect: $!";

    my $self = bless { socket => $socket, raw => '', text => '',
                       comments => 0, events => [] }, $class;

    my @headers = (Host => 'localhost', Accept => 'text/event-stream',
                   @{ $options{headers} // [] });
    my $method  = $options{method} // 'GET';
    my $request = "$method $options{path} HTTP/1.1\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $request .= "$name: $value\r\n";
    }

    syswrite $socket, "$request\r\n" or croak "write: $!";
    $socket->blocking(0);

    $self->_head($options{path}) unless $options{unread};

    return $self;
}


sub _head {
    my ($self, $path) = @_;

    my $until = time + $SECONDS;

    while ($self->{raw} !~ /\r\n\r\n/) {
        $self->_read($until - time)
            or croak "no header from $path: $self->{raw}";
    }

    ($self->{head}, $self->{raw}) = split /\r\n\r\n/, $self->{raw}, 2;

    return;
}


sub socket   { return $_[0]{socket} }
sub comments { return $_[0]{comments} }
sub close    { return close $_[0]{socket} }
sub broken   { return $_[0]{closed} && !$_[0]{last} }
sub status   { return +(split / /, $_[0]{head})[1] }

sub header {
    my ($self, $name) = @_;

    return join ', ', $self->{head} =~ /^\Q$name\E: *(.*?)\r?$/mig;
}


sub body {
    my ($self) = @_;

    my $length = $self->header('Content-Length');
    my $until  = time + $SECONDS;

    while (length $self->{raw} < $length && $self->_read($until - time)) { }

    return $self->{raw};
}


# Reads what there is within so many seconds; false: nothing was.

sub _read {
    my ($self, $seconds) = @_;

    return 0 if $self->{closed};
    return 0 unless IO::Select->new($self->{socket})->can_read(
        $seconds > 0 ? $seconds : 0);

    my $n = sysread $self->{socket}, $self->{raw}, 65536,
        length $self->{raw};

    return 0 if !defined $n && ($! == EAGAIN || $! == EINTR);

    $self->{closed} = 1 unless $n;

    return $n ? 1 : 0;
}


# Chunks become text, and text events.

sub _parse {
    my ($self) = @_;

    while (!$self->{last} && $self->{raw} =~ /\A([0-9a-f]+)\r\n/) {
        my ($line, $size) = ($&, hex $1);

        last if length $self->{raw} < length($line) + $size + 2;

        $self->{text} .= substr $self->{raw}, length $line, $size;
        substr $self->{raw}, 0, length($line) + $size + 2, '';
        $self->{last} = 1 unless $size;
    }

    while ($self->{text} =~ s/\A(.*?)\n\n//s) {
        my %event;

        for my $line (split /\n/, $1) {
            if ($line =~ /^:/) {
                $self->{comments}++;

            } elsif ($line =~ /^(\w+): (.*)$/) {
                croak "$1 twice in an event" if exists $event{$1};
                $event{$1} = $2;

            } else {
                croak "no line of an event: $line";
            }
        }

        next unless %event;

        $self->{retry} = $event{retry} if exists $event{retry};
        next unless exists $event{data};

        push @{ $self->{events} }, bless {
            %event,
            at   => time,
            json => JSON::PP::decode_json($event{data}),
        }, 'Tournament::Stream::Event';
    }

    return;
}


sub event {
    my ($self, $seconds) = @_;

    my $until = time + ($seconds // $SECONDS);

    $self->_head('there') unless defined $self->{head};
    $self->_parse;

    until (@{ $self->{events} }) {
        $self->_read($until - time) or time < $until && !$self->{closed}
            or last;
        $self->_parse;
    }

    return shift @{ $self->{events} };
}


sub quiet { return !defined $_[0]->event($_[1]) }


sub ended {
    my ($self, $seconds) = @_;

    my $until = time + ($seconds // $SECONDS);

    $self->_parse;

    until ($self->{last} || $self->{closed} || time >= $until) {
        $self->_read($until - time);
        $self->_parse;
    }

    return $self->{last};
}


sub retry { return $_[0]{retry} }


package Tournament::Stream::Event;

sub status { return 200 }
sub body   { return $_[0]{data} }


1;
