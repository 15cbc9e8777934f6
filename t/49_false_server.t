# A server that speaks PostgreSQL's protocol as far as a session that is ready,
# and then sends what no server would: a worker goes on serving, its memory
# stays bounded, and the connection is given up as soon as it is of no use.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Tournament::Test;
use Tournament::Util qw(spawn);

my $dir = tempdir('false');

run_ok({ dir => $dir }, qw(openssl req -x509 -newkey ec -pkeyopt
       ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=false -keyout key
       -out crt));


sub message {
    my ($type, $body) = @_;

    return $type . pack('N', 4 + length $body) . $body;
}


# AuthenticationOk, ReadyForQuery

my $READY = message('R', pack 'N', 0) . message('Z', 'I');

my $NOTICES = message('N', "SNOTICE\0VNOTICE\0C00000\0Mon and on\0\0") x 1000;

my @CASES = (
    {
        name => 'messages without a pause',
        say  => sub { 1 while write_all($_[0], $NOTICES) },
        log  => qr/notice from PostgreSQL: on and on/,
    },
    {
        name => 'messages without a pause, over TLS',
        tls  => 1,
        say  => sub { 1 while write_all($_[0], $NOTICES) },
        log  => qr/notice from PostgreSQL: on and on/,
    },
    {
        # with pauses, as a network has them: without any, libpq goes on reading

        name => 'a message of a gigabyte',
        say  => sub {
            write_all($_[0], 'N' . pack 'N', 1 << 30);
            select undef, undef, undef, 0.001
                while write_all($_[0], 'x' x 262_144);
        },
        log  => qr/more than 32 MB without an end/,
    },
    {
        name => 'a length that cannot be',
        say  => sub { write_all($_[0], 'Z' . pack 'N', 1_000_000); sleep 60 },
        log  => qr/lost synchronization with server/,
    },
);


sub write_all {
    my ($to, $bytes) = @_;

    for (my $at = 0; $at < length $bytes; ) {
        my $n = syswrite $to, $bytes, length($bytes) - $at, $at;

        return 0 unless defined $n;

        $at += $n;
    }

    return 1;
}


# The process of a false server, in a group of its own; the connections that it
# accepts have one each.

sub false_server {
    my ($case) = @_;

    my $listener = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        Listen    => 16,
    ) or die "listen: $!";

    my $pid = fork // die "fork: $!";

    return ($pid, $listener->sockport) if $pid;

    POSIX::setpgid(0, 0);
    $SIG{CHLD} = 'IGNORE';
    $SIG{$_}   = 'DEFAULT' for qw(INT TERM HUP);

    while (my $client = $listener->accept) {
        next if fork;

        eval { $case->{tls} ? serve_tls($client, $case)
                            : serve($client, $client, $case) };
        POSIX::_exit(0);
    }

    POSIX::_exit(0);
}


sub serve {
    my ($from, $to, $case) = @_;

    sysread $from, my $startup, 65536;
    write_all($to, $READY) and $case->{say}->($to);

    return;
}


# OpenSSL's own server encrypts what it reads, and stands behind us: the request
# for TLS comes in plain text.

sub serve_tls {
    my ($client, $case) = @_;

    my $port = free_port();

    pipe my $in, my $clear or die "pipe: $!";
    open my $null, '>', '/dev/null' or die "/dev/null: $!";
    spawn({ stdin => $in, stdout => $null, signal => 'KILL' }, qw(openssl s_server -quiet
          -naccept 1 -cert), "$dir/crt", '-key', "$dir/key", '-accept',
          "127.0.0.1:$port");

    sysread $client, my $request, 8;
    write_all($client, 'S');

    my $server = poll_until {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
    } 20, 'openssl s_server';

    if (!fork) {
        write_all($clear, $READY) and $case->{say}->($clear);
        POSIX::_exit(0);
    }

    my $select = IO::Select->new($client, $server);

    while (1) {
        for my $from ($select->can_read) {
            sysread $from, my $bytes, 65536 or return;
            write_all($from == $client ? $server : $client, $bytes) or return;
        }
    }
}


sub peak {
    my ($pid) = @_;

    return slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 >> 10 : 0;
}


for my $case (@CASES) {
    subtest $case->{name} => sub {
        my ($pid, $port) = false_server($case);
        my $mode = $case->{tls} ? 'require' : 'disable';

        my $nginx = Tournament::Nginx->new(
            database => "host=127.0.0.1 port=$port user=any dbname=any"
                        . " sslmode=$mode",
            http     => 'tournament_database_connections 1;
                         tournament_prepare off;
                         tournament_connect_timeout 20s;',
        );

        my ($worker) = $nginx->worker_pids;

        $nginx->wait_for_log($case->{log}, 30);
        pass 'noticed, with no query under way';

        is $nginx->get('/-/worker')->body, $worker, 'the worker serves';
        cmp_ok peak($worker), '<', 200, 'its memory (MB) is bounded';

        $nginx->stop;
        kill 'KILL', -$pid;
        waitpid $pid, 0;
    };
}


done_testing;
