# Streams and what befalls them: clients that do not read or go away, workers
# that are killed or exit, a database that is away.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

use Tournament::Feed;
use Tournament::Stream;
use Tournament::Test;

my $MANY = $ENV{TOURNAMENT_VALGRIND} ? 100 : 2000;

my $pg    = database();
my $way   = $pg->proxy;
my $nginx = Tournament::Nginx->new(options(
    database => $way->conninfo,
    workers  => 2,
    connections => 6000,
    main     => 'worker_shutdown_timeout 30s;',
    http     => 'tournament_connect_timeout 3s; tournament_stale 0; ',
    server   => [ map { "location ~ ^/$_->[0]/(?<slug>[^/]*)\$ {
                             tournament $_->[1] \$slug; $_->[2] }" }
                  [ 'stream', 'state', 'tournament_stream on;' ],
                  [ 'hasty',  'state', 'tournament_stream on;
                                        send_timeout 1s;' ],
                  [ 'purge',  'purge', '' ] ],
));

my $t = $pg->tournament(slots => 5000, reg_open_at => '-1 hour',
                        reg_close_at => '+1 hour', start_at => '+1 day');

poll_until { $nginx->get($t->{path})->status == 200 } 30, 'an answer';


sub stream {
    my (%options) = @_;

    my $place = delete $options{place} // 'stream';

    return Tournament::Stream->new(port => $nginx->port,
                                   path => "/$place/$t->{slug}", %options);
}


sub taken {
    my ($s, $seconds) = @_;

    my $event = $s->event($seconds) or return;

    return $event->{json}{registered_count};
}


# Until all are told of that many; nobody is told of fewer than before.

sub all_taken {
    my ($n, $name, @s) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $wrong = 0;

    for my $s (@s) {
        my $last = -1;

        while ($last < $n) {
            my $taken = taken($s) // last;

            $wrong++ if $taken <= $last;
            $last = $taken;
        }

        $wrong++ if $last != $n;
    }

    return is $wrong, 0, $name;
}


my $n = 0;


sub register {
    $pg->register($t, 'CONFIRMED', $_[0] // 1);
    $n += $_[0] // 1;

    return;
}


subtest 'a client that does not read' => sub {
    my $fast = stream();
    my $slow = stream(window => 1024, unread => 1);
    my $dead = stream(window => 1024, unread => 1, place => 'hasty');

    is taken($fast), $n, 'the first';

    for (1 .. 150) {
        register();
        taken($fast) == $n or fail 'told to who reads';
    }

    my @taken;

    while (my $event = $slow->event(5)) {
        push @taken, $event->{json}{registered_count};
        last if $taken[-1] == $n;
    }

    is $taken[-1], $n, 'gets the newest';
    cmp_ok @taken, '<', 100, 'and not all that it missed: ' . @taken;
    is_deeply [ sort { $a <=> $b } @taken ], \@taken, 'in order';

    register();
    is taken($slow), $n, 'and goes on';

    $nginx->wait_for_log(qr/client timed out .*while sending event stream/);
    pass 'who takes nothing is not waited for';
    $_->close for $fast, $slow, $dead;
};


subtest 'many come and go' => sub {
    my (%least, $descriptors);

    for my $round (0 .. 5) {
        my @s = map { stream(unread => 1) } 1 .. $MANY;

        # Some have had nothing yet, some are reset, some have read.

        for my $i (0 .. $#s) {
            setsockopt $s[$i]->socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0
                if $i % 3 == 0;
            $s[$i]->event if $i % 3 == 1;
            $s[$i]->close if $i % 2;
        }

        register();
        all_taken($n, 'those that are left are told',
                  @s[grep { $_ % 2 == 0 } 0 .. $#s]);
        $_->close for @s[grep { $_ % 2 == 0 } 0 .. $#s];
        undef @s;

        poll_until {
            my $status = $nginx->get('/tournaments/status')->json;

            !grep { $_ } values %{ $status->{streams}{open} }
        } 20, "no stream is left of round $round";

        my $held = $nginx->held;

        $descriptors //= $held->{descriptors};
        cmp_ok $held->{descriptors}, '<=', $descriptors + 4, 'descriptors';

        # An allocator gives memory back when it likes; least by halves.

        my $half = int $round / 3;

        $least{$half} = $held->{anonymous}
            if ($least{$half} // 1e9) > $held->{anonymous};
    }

    # A sanitizer keeps what is freed.

    cmp_ok $least{1}, '<', $least{0} + 600, 'memory: as much as before'
        unless $ENV{TOURNAMENT_SANITIZE};
};


subtest 'a worker is killed' => sub {
    my (@s, %by);

    poll_until {
        push @s, stream();
        push @{ $by{ $s[-1]->header('X-Worker') } }, $s[-1];
        keys %by == 2;
    } 20, 'both workers have some';

    my ($killed, $other) = sort { $a <=> $b } keys %by;

    $nginx->kill_worker($killed);
    ok !$_->ended && $_->broken, 'is cut off' for @{ $by{$killed} };

    register();
    all_taken($n, 'others are told', @{ $by{$other} }, stream());
};


subtest 'the database is away' => sub {
    my $s = stream();

    is taken($s), $n, 'the first';

    $way->set(refuse => 1);
    $way->cut;
    ok $s->quiet(1), 'nothing is known to be wrong';
    is $nginx->request('PURGE', "/purge/$t->{slug}")->status, 200, 'purged';

    my $event = $s->event;

    is $event->{event}, 'stale', 'stale';
    is $event->{json}{code}, 'unavailable', 'with the error of a poll';
    is stream()->status, 503, 'which is that';
    ok $s->quiet(2), 'once';

    $way->pass;
    is taken($s), $n, 'the document, once it is known again';

    $nginx->wait_for_log(qr/listening to changes/);
};


subtest 'the feed is lost and back' => sub {
    my @s = map { stream() } 1 .. 6;

    is taken($_), $n, 'the first' for @s;

    $nginx->log_mark;
    $way->set(refuse => 1);
    $way->cut;
    register(3);
    $way->pass;
    all_taken($n, 'told once it is back', @s);

    register();
    all_taken($n, 'and from then on', @s);
};


subtest 'reload' => sub {
    my @s     = map { stream() } 1 .. $MANY;
    my $begun = time;
    my (%ended, $first);

    is grep({ taken($_) == $n } @s), @s, 'all have begun';

    my @old = $nginx->worker_pids;

    $nginx->signal('HUP');

    my $select = IO::Select->new(map { $_->socket } @s);
    my %of     = map { fileno($_->socket) => $_ } @s;

    while ($select->count && time < $begun + 60) {
        for my $socket ($select->can_read(1)) {
            my $s = $of{ fileno $socket };

            $s->event(0);
            next unless $s->ended(0) || $s->broken;
            $ended{ $s->broken ? 'broken' : 'ended' }++;
            $first //= time;
            $select->remove($socket);
        }
    }

    is_deeply \%ended, { ended => scalar @s }, 'all have ended, as they should';
    cmp_ok time - $first, '>', 2, 'not all at once';
    cmp_ok time - $first, '<', 9, 'in time';

    poll_until { !grep { alive($_) } @old } 10, 'old workers are gone';

    register();
    all_taken($n, 'new ones go on', stream());
};


subtest 'figures' => sub {
    my $figures = sub { $nginx->get('/tournaments/status')->json->{streams} };

    poll_until { $figures->()->{open}{state} == 0 } 10, 'none is open';

    my $s = $figures->();

    cmp_ok $s->{events}, '>', $MANY, 'events';
    cmp_ok $s->{skipped}, '>', 20, 'skipped by who did not read';
    is $s->{ends}{slow}, 1, 'one took nothing';
    is $s->{ends}{exit}, $MANY, 'those that the reload has ended';
    cmp_ok $s->{ends}{client}, '>', 4 * $MANY, 'clients that went';

    my @open = map { stream() } 1 .. 3;

    is $figures->()->{open}{state}, 3, 'open ones';
};

done_testing;
