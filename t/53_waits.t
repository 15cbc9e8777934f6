# Waiting polls: "Prefer: wait=N" beside If-None-Match.

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(sleep time);

use Tournament::Feed;
use Tournament::HTTP;
use Tournament::Test;

my $pg    = database();
my $nginx = Tournament::Nginx->new(options(
    database => $pg,
    workers  => 2,
    http     => 'tournament_wait 20s; tournament_stream_connections 20;',
    main     => 'worker_shutdown_timeout 30s;',
    server   => 'location ~ ^/brief/(?<slug>[^/]*)$ {
                     tournament_wait 2s; tournament count $slug; }
                 location ~ ^/never/(?<slug>[^/]*)$ {
                     tournament_wait 0; tournament count $slug; }',
));

my $t     = $pg->tournament(slots => 500);
my $count = "/tournaments/api/$t->{slug}/count/";

poll_until { $nginx->get($count)->status == 200 } 30, 'an answer';


# Sends a poll for what it has, on a connection of its own.

sub poll {
    my ($path, $prefer, @headers) = @_;

    my $etag = $nginx->get($path)->header('ETag');
    my $c    = Tournament::HTTP->new(port => $nginx->port);

    $c->send('GET', $path, 'If-None-Match' => $etag,
             defined $prefer ? (Prefer => $prefer) : (), @headers);

    return { c => $c, sent => time, etag => $etag };
}


sub answer {
    my ($poll) = @_;

    my $r = $poll->{c}->receive('GET', 25);

    $poll->{took} = time - $poll->{sent};

    return $r;
}


subtest 'a change' => sub {
    my @polls = map { poll($count, 'wait=20') } 1 .. 6;

    my $waiting = sub {
        $nginx->get('/tournaments/status')->json->{streams}{waiting}
    };

    poll_until { $waiting->() == 6 } 10, 'all wait';
    sleep 0.3;
    $pg->register($t, 'CONFIRMED');

    for my $poll (@polls) {
        my $r = answer($poll);

        is $r->status, 200, 'an answer';
        is $r->json->{count}, 1, 'is the new one';
        is $r->header('Preference-Applied'), 'wait', 'and says that it waited';
        like $r->header('Vary'), qr/Prefer/, 'by header';
        cmp_ok $poll->{took}, '>=', 0.29, 'not before the change';
        cmp_ok $poll->{took}, '<', 10, 'but then';
    }

    my $poll = poll($count, 'respond-async, wait=20');

    poll_until { $waiting->() == 1 } 10, 'one waits';
    $poll->{c}->close;
    poll_until { $waiting->() == 0 } 10, 'none, once its client has gone';
};


subtest 'no change' => sub {
    my $poll = poll("/brief/$t->{slug}", 'wait=20');
    my $r    = answer($poll);

    is $r->status, 304, 'not modified';
    is $r->header('Preference-Applied'), 'wait', 'after it waited';
    cmp_ok $poll->{took}, '>=', 1.9, 'for the location\'s time';

    $poll = poll($count, 'foo; bar, Wait=1');
    $r    = answer($poll);
    is $r->status, 304, 'nor this one';
    cmp_ok $poll->{took}, '>=', 0.9, 'for the client\'s';
    cmp_ok $poll->{took}, '<', 10, 'and no longer';
};


subtest 'who does not wait' => sub {
    my $account = $pg->value('SELECT max(user_id)
                                FROM user_profile_userprofile');

    for my $row ([ 'without Prefer', $count, undef ],
                 [ 'another preference', $count, 'respond-async' ],
                 [ 'no number', $count, 'wait=x' ],
                 [ 'none of digits', $count, 'wait=' ],
                 [ 'a negative one', $count, 'wait=-3' ],
                 [ 'a huge one', $count, 'wait=' . '9' x 30 ],
                 [ 'nothing', $count, 'wait=0' ],
                 [ 'where none may', "/never/$t->{slug}", 'wait=20' ],
                 [ 'another document', $count, 'wait=20',
                   'If-None-Match' => undef ],
                 [ 'a user', $t->{path}, 'wait=20', 'X-Account' => $account ],
                 [ 'what is not there', '/tournaments/api/none/count/',
                   'wait=20', 'If-None-Match' => '"0000000000000000"' ]) {
        my ($name, $path, $prefer, @headers) = @$row;
        my $etag = $nginx->get($path)->header('ETag') // '"x"';
        my %headers = ('If-None-Match' => $etag, @headers);

        delete @headers{grep { !defined $headers{$_} } keys %headers};

        my $begun = time;
        my $r = $nginx->get($path, %headers,
                            defined $prefer ? (Prefer => $prefer) : ());

        cmp_ok time - $begun, '<', 5, $name;
        is $r->header('Preference-Applied'), undef, 'did not wait';
    }
};


subtest 'reload, limit, abort' => sub {
    my @polls = map { poll($count, 'wait=20') } 1 .. 6;

    sleep 0.2;
    $_->{c}->close for splice @polls, 0, 2;
    $nginx->reload(wait => 0);

    for my $poll (@polls) {
        is answer($poll)->status, 304, 'answered as the worker exits';
        cmp_ok $poll->{took}, '<', 15, 'at once';
    }

    poll_until { !$nginx->old_worker_pids } 20, 'which it does';

    # Both workers are full after 40.

    @polls = map { poll($count, 'wait=20') } 1 .. 60;

    my $select = IO::Select->new(map { $_->{c}{socket} } @polls);

    sleep 1;

    my $full = $select->can_read(0);

    cmp_ok $full, '>=', 20, 'those beyond the limit are answered';
    $pg->register($t, 'CONFIRMED');
    is join(' ', sort { $a <=> $b } keys %{ { map { answer($_)->status => 1 }
                                              @polls } }), '200 304',
        'others wait for the change';
};

done_testing;
