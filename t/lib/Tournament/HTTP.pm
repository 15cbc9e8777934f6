package Tournament::HTTP;

# HTTP/1.1 as bytes on a connection, and many of them at once. Always
# 127.0.0.1.
#
# One connection, opened by the first request and kept:
#
#   my $c = Tournament::HTTP->new(port => $port);
#   my $r = $c->get($path, 'If-None-Match' => $etag);     also head, post
#   my $r = $c->request($method, $path, header => value, ...,
#                       body => $bytes, close => 1);
#   $c->send($method, $path, ...);      sends and does not wait
#   $c->send_raw($bytes);               exactly these bytes
#   my $r = $c->receive($method, $seconds);
#   my @r = $c->pipeline(@paths);       all sent before the first is read
#   $c->eof($seconds)                   true once the server has closed it
#   $c->close
#
# Headers of the same name may be given several times; Host is added unless it
# is among them, and undef leaves it out. An answer that does not come whole
# is an exception.
#
# The answer: $r->status, reason, header($name), headers (list of [name,
# value]), body (bytes), text (its characters), json (decoded), raw (head and body as received),
# worker (pid), cache (X-Cache).
#
# Many at once:
#
#   my @r = fetch(port => $port, paths => \@paths, concurrency => 100);
#       one request for each path, each on a connection of its own; answers in
#       the order of the paths. Where a request failed, there is an object
#       whose status is 0 and whose reason says why. "started => sub { }" is
#       called once all of the first requests are sent.
#
#   my $load = load(port => $port, concurrency => 20,
#                   path => $path | \@paths | sub { $i -> path });
#       runs in a process of its own until stop(). More options:
#       keepalive 1, headers [name => value, ...], requests 1_000_000 and
#       seconds 120 (where it stops by itself), timeout 10 (of a request),
#       pause 0 (seconds between two requests of one connection),
#       rate (requests a second, begun when they are due and measured from
#       then, as long as there are connections left)
#   $load->requests         how many have been answered so far
#   $load->wait_for($n)     returns when $n more have been answered
#   $load->wait             returns when it has stopped by itself
#   my $report = $load->stop;
#       requests            answered or failed
#       status              { 200 => n, 503 => n, ... }
#       cache               { HIT => n, ... }, of X-Cache
#       last                { status => instant of now() of the last such one,
#                           0 for what failed }
#       failed              how many had no whole answer; errors => { text => n }
#       bodies              { body => n }, the first 100 different ones, with
#                           instants replaced by <instant>
#       workers             { pid => n }
#       retried             kept connections that the server had closed just as
#                           the request was sent: sent again on a new one, as
#                           every client does
#       max_ms, median_ms, p99_ms    of the answers
#       ms                  { status => [least, median, most] }

use strict;
use warnings;

use Carp;
use Encode ();
use Errno qw(EAGAIN EINPROGRESS EINTR);
use Exporter 'import';
use IO::Poll qw(POLLIN POLLOUT POLLERR POLLHUP);
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Tournament::Contract;
use Tournament::Util qw(at_end now reap remaining);

our @EXPORT_OK = qw(fetch load);


sub new {
    my ($class, %options) = @_;

    croak 'port is missing' unless $options{port};

    return bless { timeout => 30, %options, buffer => '' }, $class;
}


sub _socket {
    my ($self) = @_;

    return $self->{socket} if $self->{socket};

    $self->{buffer} = '';
    $self->{socket} = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{port},
        Proto    => 'tcp',
        Timeout  => 10,
    ) or croak "connect to 127.0.0.1:$self->{port}: $!";

    setsockopt $self->{socket}, IPPROTO_TCP, TCP_NODELAY, 1;

    return $self->{socket};
}


# The bytes of a request.

sub format_request {
    my ($method, $path, @fields) = @_;

    my $body;
    my $host = 'Host: localhost';
    my @lines;

    while (my ($name, $value) = splice @fields, 0, 2) {
        if ($name eq 'body') {
            $body = $value;

        } elsif ($name eq 'close') {
            push @lines, 'Connection: close' if $value;

        } elsif (lc $name eq 'host') {
            $host = defined $value ? "Host: $value" : undef;

        } else {
            push @lines, "$name: $value" if defined $value;
        }
    }

    push @lines, 'Content-Length: ' . length $body
        if defined $body && !grep { /^(?:Content-Length|Transfer-Encoding):/i }
                            @lines;

    return join("\r\n", "$method $path HTTP/1.1", $host // (), @lines, '', '')
        . ($body // '');
}


sub send_raw {
    my ($self, $bytes) = @_;

    my $socket   = $self->_socket;
    my $deadline = now() + $self->{timeout};
    my $select   = IO::Select->new($socket);

    while (length $bytes) {
        croak 'the server does not read'
            unless $select->can_write(remaining($deadline));

        my $n = syswrite $socket, $bytes;

        croak "send: $!" unless defined $n;

        substr $bytes, 0, $n, '';
    }

    return $self;
}


sub send {
    my ($self, @request) = @_;

    push @{ $self->{methods} }, $request[0];

    return $self->send_raw(format_request(@request));
}


sub receive {
    my ($self, $method, $seconds) = @_;

    $method //= shift(@{ $self->{methods} }) // 'GET';

    my $socket   = $self->_socket;
    my $deadline = now() + ($seconds // $self->{timeout});
    my $select   = IO::Select->new($socket);
    my $eof      = 0;

    while (1) {
        my ($response, $length) = parse($self->{buffer}, $method, $eof);

        if ($response) {
            substr $self->{buffer}, 0, $length, '';
            $self->close if $response->{last};

            return $response;
        }

        if ($eof) {
            my $got = $self->{buffer};
            $self->close;
            croak 'the connection ended before the answer did; received: '
                . (length $got ? "\"$got\"" : 'nothing');
        }

        croak "no answer in time; received: \"$self->{buffer}\""
            unless $select->can_read(remaining($deadline));

        my $n = sysread $socket, $self->{buffer}, 65536,
                        length $self->{buffer};

        croak "receive: $!" unless defined $n;

        $eof = 1 if $n == 0;
    }
}


sub request {
    my ($self, @request) = @_;

    my $response = $self->send(@request)->receive;

    Tournament::Contract::note(@request[0, 1], $response);

    return $response;
}


sub get  { my $self = shift; return $self->request('GET',  @_) }
sub head { my $self = shift; return $self->request('HEAD', @_) }
sub post { my $self = shift; return $self->request('POST', @_) }


sub pipeline {
    my ($self, @paths) = @_;

    $self->send_raw(join '', map { format_request('GET', $_) } @paths);

    return map { $self->receive('GET') } @paths;
}


sub eof {
    my ($self, $seconds) = @_;

    return 1 unless $self->{socket};

    my $select   = IO::Select->new($self->{socket});
    my $deadline = now() + ($seconds // 10);

    while ($select->can_read(remaining($deadline))) {
        my $n = sysread $self->{socket}, $self->{buffer}, 65536,
                        length $self->{buffer};

        return 1 unless $n;
    }

    return 0;
}


sub close {
    my ($self) = @_;

    my $socket = delete $self->{socket};

    close $socket if $socket;
    delete $self->{methods};

    return;
}


# A response at the start of $bytes, and its length; nothing while it is not
# whole. $eof: no more bytes will come.

sub parse {
    my ($bytes, $method, $eof) = @_;

    my $end = index $bytes, "\r\n\r\n";

    return if $end < 0;

    my ($line, @lines) = split /\r\n/, substr $bytes, 0, $end;

    croak "not an HTTP answer: \"$line\""
        unless $line =~ m{\AHTTP/1\.([01]) (\d\d\d) ?(.*)\z};

    my ($minor, $status, $reason) = ($1, $2, $3);
    my @headers = map { [ split /:[ \t]*/, $_, 2 ] } @lines;
    my %header  = map { lc $_->[0] => $_->[1] } @headers;
    my $start   = $end + 4;
    my $body;
    my $length;
    my $last = ($header{connection} // '') =~ /close/i
        || $minor == 0 && ($header{connection} // '') !~ /keep-alive/i;

    if ($method eq 'HEAD' || $status =~ /^(?:1..|204|304)$/) {
        $body   = '';
        $length = $start;

    } elsif (lc($header{'transfer-encoding'} // '') eq 'chunked') {
        ($body, $length) = _chunks($bytes, $start);

        return unless defined $body;

    } elsif (defined $header{'content-length'}) {
        $length = $start + $header{'content-length'};

        return if length $bytes < $length;

        $body = substr $bytes, $start, $header{'content-length'};

    } else {
        return unless $eof;

        $length = length $bytes;
        $body   = substr $bytes, $start;
        $last   = 1;
    }

    return (bless({
        status  => $status,
        reason  => $reason,
        headers => \@headers,
        body    => $body,
        raw     => substr($bytes, 0, $length),
        last    => $last,
    }, 'Tournament::HTTP::Response'), $length);
}


sub _chunks {
    my ($bytes, $at) = @_;

    my $body = '';

    while (1) {
        my $end = index $bytes, "\r\n", $at;

        return if $end < 0;

        my $size = hex substr $bytes, $at, $end - $at;

        if ($size == 0) {
            my $trailer = index $bytes, "\r\n", $end + 2;

            return if $trailer < 0;
            return ($body, $trailer + 2);
        }

        return if length $bytes < $end + 2 + $size + 2;

        $body .= substr $bytes, $end + 2, $size;
        $at    = $end + 2 + $size + 2;
    }
}


# The engine under fetch() and load(): keeps up to %option{concurrency}
# connections busy. next() returns a request ([method, path, ...], tag) or
# nothing; done($response, $tag, $seconds) gets each answer. stopped() ends
# it: what has been sent is still waited for. tick() is called at least ten
# times a second.

sub _drive {
    my (%option) = @_;

    my $poll    = IO::Poll->new;
    my $address = Socket::pack_sockaddr_in(
        $option{port}, Socket::inet_aton('127.0.0.1'));

    my (%busy, @idle, @later);
    my $exhausted = 0;
    my $retried   = 0;
    my $due       = now();

    my $begin = sub {
        my ($socket, $request, $tag, $since) = @_;

        my $slot = {
            request => $request,
            tag     => $tag,
            since   => $since // now(),
            reused  => defined $socket,
            in      => '',
            out     => format_request(@$request),
        };

        if (!$socket) {
            socket($socket, Socket::PF_INET(), Socket::SOCK_STREAM(), 0)
                or croak "socket: $!";
            $socket->blocking(0);
            setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;

            if (!connect($socket, $address) && $! != EINPROGRESS) {
                $option{done}->(_failure("connect: $!"), $tag,
                                now() - $slot->{since});
                return;
            }
        }

        $slot->{socket} = $socket;
        $busy{ fileno $socket } = $slot;
        $poll->mask($socket => POLLIN | POLLOUT);
    };

    my $end = sub {
        my ($slot, $response) = @_;

        my $socket = $slot->{socket};

        delete $busy{ fileno $socket };
        $poll->remove($socket);

        # A kept connection that the server closes as we send says nothing of
        # the request.

        if (!$response->{status} && $slot->{reused} && $slot->{in} eq ''
            && $response->{reason} !~ /in time/)
        {
            $retried++;
            $begin->(undef, @$slot{qw(request tag since)});
            return;
        }

        if ($option{keepalive} && $response->{status} && !$response->{last}) {
            push @idle, $socket;
        }

        push @later, now() + $option{pause} if $option{pause};

        $option{done}->($response, $slot->{tag}, now() - $slot->{since});
    };

    while (1) {
        my $stopped = $option{stopped} && $option{stopped}->();

        @later = grep { $_ > now() } @later if @later;

        while (!$exhausted && !$stopped
               && keys(%busy) + @later < $option{concurrency})
        {
            last if $option{rate} && $due > now();

            my ($request, $tag) = $option{next}->();

            if (!$request) {
                $exhausted = 1;
                last;
            }

            $begin->(pop @idle, $request, $tag, $option{rate} ? $due : ());
            $due += 1 / $option{rate} if $option{rate};
        }

        if ($option{started} && !grep { length $_->{out} } values %busy) {
            (delete $option{started})->();
        }

        last if !keys %busy && ($exhausted || $stopped);

        if (keys %busy) {
            my $wait = @later ? 0.01 : 0.1;

            $wait = remaining($due)
                if $option{rate} && remaining($due) < $wait
                    && keys(%busy) < $option{concurrency};

            $poll->poll($wait);

        } else {
            select undef, undef, undef, 0.005;
        }

        for my $socket ($poll->handles(POLLIN | POLLOUT | POLLERR | POLLHUP)) {
            my $slot = $busy{ fileno $socket } or next;
            my $events = $poll->events($socket);

            if (length $slot->{out} && $events & POLLOUT) {
                my $n = syswrite $socket, $slot->{out};

                if (defined $n) {
                    substr $slot->{out}, 0, $n, '';
                    $poll->mask($socket => POLLIN) if !length $slot->{out};

                } elsif ($! != EAGAIN && !($events & POLLIN)) {
                    $end->($slot, _failure("send: $!"));
                    next;
                }
            }

            next unless $events & (POLLIN | POLLERR | POLLHUP);

            my $n = sysread $socket, $slot->{in}, 65536, length $slot->{in};

            next if !defined $n && ($! == EAGAIN || $! == EINTR);

            if (!defined $n) {
                $end->($slot, _failure("receive: $!"));
                next;
            }

            my ($response) = eval {
                parse($slot->{in}, $slot->{request}[0], $n == 0)
            };

            if ($@) {
                $end->($slot, _failure($@));

            } elsif ($response) {
                $end->($slot, $response);

            } elsif ($n == 0) {
                $end->($slot, _failure(length $slot->{in}
                    ? 'the connection ended in the middle of the answer'
                    : 'the connection ended without an answer'));
            }
        }

        my $now = now();

        for my $slot (values %busy) {
            $end->($slot, _failure('no answer in time'))
                if $now - $slot->{since} > $option{timeout};
        }

        $option{tick}->() if $option{tick};
    }

    return $retried;
}


sub _failure {
    my ($reason) = @_;

    return bless {
        status  => 0,
        reason  => $reason,
        headers => [],
        body    => '',
        raw     => '',
    }, 'Tournament::HTTP::Response';
}


# Descriptors for that many connections: the soft limit of a login is 1,024.

sub _allow_descriptors {
    my ($count) = @_;

    return if $count < 900;

    system('prlimit', '--pid', $$, '--nofile=' . ($count + 200) . ':') == 0
        or croak "no $count descriptors to be had";

    return;
}


sub fetch {
    my (%option) = @_;

    my @paths = @{ $option{paths} };
    my @responses;
    my $i = 0;

    my $concurrency = $option{concurrency} // @paths;

    _allow_descriptors($concurrency);

    _drive(
        timeout => 60,
        %option,
        concurrency => $concurrency,
        next => sub {
            return if $i >= @paths;

            return ([ $option{method} // 'GET', $paths[$i],
                      @{ $option{headers} // [] }, close => 1 ], $i++);
        },
        done => sub {
            my ($response, $tag) = @_;
            $responses[$tag] = $response;
        },
    );

    return @responses;
}


sub load {
    my (%option) = @_;

    %option = (
        concurrency => 10,
        keepalive   => 1,
        requests    => 1_000_000,
        seconds     => 120,
        timeout     => 10,
        pause       => 0,
        %option,
    );

    pipe my $read, my $write or croak "pipe: $!";

    my $pid = fork // croak "fork: $!";

    if (!$pid) {
        CORE::close $read;

        my $ok = eval { _load_child($write, %option); 1 };

        print STDERR "load: $@" unless $ok;
        POSIX::_exit($ok ? 0 : 1);
    }

    CORE::close $write;
    $read->blocking(0);

    my $self = bless {
        owner  => $$,
        pid    => $pid,
        read   => $read,
        buffer => '',
        count  => 0,
    }, 'Tournament::HTTP::Load';

    at_end($self);

    return $self;
}


sub _load_child {
    my ($write, %option) = @_;

    my $stop   = 0;
    my $parent = getppid;

    local $SIG{TERM} = sub { $stop = 1 };
    local $SIG{INT}  = sub { $stop = 1 };

    _allow_descriptors($option{concurrency});

    my $path = $option{path} // croak 'load: path is missing';
    my $list = ref $path eq 'ARRAY' ? $path : undef;
    my $next = ref $path eq 'CODE' ? $path
        : $list ? sub { $list->[ $_[0] % @$list ] }
        : sub { $path };

    my $deadline = now() + $option{seconds};
    my $sent     = 0;
    my $answered = 0;
    my $told     = 0;
    my $told_at  = 0;
    my (@ms, %ms);
    my %report   = (
        requests => 0, failed => 0, status => {}, errors => {}, bodies => {},
        workers  => {}, cache => {}, last => {},
    );

    my $tell = sub {
        return if $told == $answered || now() - $told_at < 0.005;

        $told    = $answered;
        $told_at = now();
        syswrite $write, "$answered\n";
    };

    $report{retried} = _drive(
        %option,
        next => sub {
            return if $sent >= $option{requests};

            return [ 'GET', $next->($sent++), @{ $option{headers} // [] },
                     close => !$option{keepalive} ];
        },
        done => sub {
            my ($response, $tag, $seconds) = @_;

            $report{requests}++;
            $report{last}{ $response->status } = now();
            $answered++;

            if (!$response->status) {
                $report{failed}++;
                $report{errors}{ $response->reason }++;
                return;
            }

            push @ms, $seconds * 1000;
            push @{ $ms{ $response->status } }, $ms[-1];

            $report{status}{ $response->status }++;
            $report{workers}{ $response->worker // '' }++;
            $report{cache}{ $response->cache // '' }++;

            my $body = $response->body;

            $body =~ s/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00/<instant>/g;

            $report{bodies}{$body}++
                if exists $report{bodies}{$body}
                    || keys %{ $report{bodies} } < 100;
        },
        stopped => sub {
            return $stop || now() > $deadline || getppid != $parent;
        },
        tick => $tell,
    );

    @ms = sort { $a <=> $b } @ms;

    $report{max_ms}    = $ms[-1];
    $report{median_ms} = $ms[ @ms / 2 ];
    $report{p99_ms}    = $ms[ @ms * 0.99 ];

    for my $status (keys %ms) {
        my @of = sort { $a <=> $b } @{ $ms{$status} };

        $report{ms}{$status} = [ @of[ 0, @of / 2, -1 ] ];
    }

    my $text = JSON::PP->new->latin1->encode(\%report) . "\n";

    while (length $text) {
        my $n = syswrite $write, $text;
        last unless defined $n;
        substr $text, 0, $n, '';
    }

    return;
}


package Tournament::HTTP::Load;

use Carp;
use Tournament::Util qw(now reap remaining);


sub _read {
    my ($self, $deadline) = @_;

    my $select = IO::Select->new($self->{read});

    return 0 unless $select->can_read(remaining($deadline));

    my $n = sysread $self->{read}, $self->{buffer}, 65536,
                    length $self->{buffer};

    $self->{ended} = 1 if defined $n && $n == 0;

    while ($self->{buffer} =~ s/\A(\d+)\n//) {
        $self->{count} = $1;
    }

    return 1;
}


sub requests {
    my ($self) = @_;

    1 while !$self->{ended} && $self->_read(0);

    return $self->{count};
}


sub wait_for {
    my ($self, $count, $seconds) = @_;

    my $goal     = $self->requests + $count;
    my $deadline = now() + ($seconds // 30);

    while ($self->{count} < $goal) {
        croak 'the load has ended' if $self->{ended};
        croak "no $count more answers in time" unless $self->_read($deadline);
    }

    return $self;
}


sub wait {
    my ($self, $seconds) = @_;

    my $deadline = now() + ($seconds // 120);

    while (!$self->{ended}) {
        croak 'the load goes on' unless $self->_read($deadline);
    }

    return $self;
}


sub stop {
    my ($self) = @_;

    my $pid = delete $self->{pid} or croak 'the load is stopped already';

    kill 'TERM', $pid;

    my $deadline = now() + 60;

    while (!$self->{ended}) {
        if (!$self->_read($deadline)) {
            kill 'KILL', $pid;
            reap($pid, 10);
            croak 'the load does not stop';
        }
    }

    reap($pid, 10);

    my ($json) = $self->{buffer} =~ /^(\{.*\})$/m
        or croak 'the load ended without a report';

    return JSON::PP->new->latin1->decode($json);
}


sub cleanup {
    my ($self) = @_;

    my $pid = delete $self->{pid} or return;

    return if $self->{owner} != $$;

    kill 'KILL', $pid;
    reap($pid, 10);

    return;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);

    $self->cleanup;

    return;
}


package Tournament::HTTP::Response;

sub status  { return $_[0]{status} }
sub reason  { return $_[0]{reason} }
sub headers { return @{ $_[0]{headers} } }
sub body    { return $_[0]{body} }
sub raw     { return $_[0]{raw} }

# of a state, or what came instead of one
sub max_teams { return eval { $_[0]->json->{max_teams} } // $_[0]{raw} }
sub worker  { return $_[0]->header('X-Worker') }
sub cache   { return $_[0]->header('X-Cache') }


# The first header of that name.

sub header {
    my ($self, $name) = @_;

    for my $header (@{ $self->{headers} }) {
        return $header->[1] if lc $header->[0] eq lc $name;
    }

    return undef;
}


sub text {
    my ($self) = @_;

    return Encode::decode('UTF-8', $self->{body}, Encode::FB_CROAK()
                                                  | Encode::LEAVE_SRC());
}


sub json {
    my ($self) = @_;

    return JSON::PP->new->utf8->decode($self->{body});
}


1;
