# Server-sent events: what a stream begins with, what it goes on with, and how
# it ends.

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(sleep time);

use Tournament::Endpoints;
use Tournament::Feed;
use Tournament::Stream;
use Tournament::Test;

my $pg = database();

my $STREAM = 'location ~ ^/stream/(?<slug>[^/]*)$ {
                  tournament state $slug; tournament_stream on; }';

my %OPTIONS = options(
    database => $pg,
    workers  => 2,
    http     => 'tournament_stream_heartbeat 1s;',
    server   => [ $STREAM,
                  'location ~ ^/short/(?<slug>[^/]*)$ {
                       tournament state $slug; tournament_stream on;
                       tournament_stream_timeout 1s; }',
                  'location ~ ^/uncached/(?<slug>[^/]*)$ {
                       tournament state $slug; tournament_stream on;
                       tournament_ttl state 0; }',
                  'location = /coalesced/ {
                       tournament hub; tournament_stream on;
                       tournament_coalesce hub 1s; }',
                  'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
                  grep { !/tournament (?:states|status|metrics)\b/ }
                      locations('streams', 'tournament_stream on;'),
                ],
);

my $nginx = Tournament::Nginx->new(%OPTIONS);


sub stream {
    my ($tournament, %options) = @_;

    my $place = delete $options{place} // 'stream';
    my $node  = delete $options{node}  // $nginx;

    return Tournament::Stream->new(
        port => $node->port, path => "/$place/$tournament->{slug}",
        %options);
}


poll_until { $nginx->get('/tournaments/api/stats/')->status == 200 } 30,
    'an answer';


subtest 'the first event' => sub {
    my $t = $pg->tournament(slots => 8, reg_open_at => '-1 hour',
                            reg_close_at => '+1 hour', start_at => '+1 day');
    my $s = stream($t);
    my $event = $s->event;

    is $s->status, 200, 'an answer';
    is $s->header('Content-Type'), 'text/event-stream; charset=utf-8', 'type';
    is $s->header('Cache-Control'), 'no-store', 'not to be stored';
    is $s->header('X-Accel-Buffering'), 'no', 'nor buffered';
    is $s->header($_), '', "no $_" for qw(ETag Content-Length Last-Modified);

    cmp_ok $s->retry, '>=', 2000, 'a client waits 2 s';
    cmp_ok $s->retry, '<',  6000, 'to 6 s';

    like $event->{id}, qr/^[0-9a-f]{16}$/, 'an id';
    is bare($event), bare($nginx->get($t->{path})),
        'the document is that of a poll';
    ok $s->quiet(0.3), 'nothing follows';

    my $again = stream($t, headers => [ 'Last-Event-ID' => $event->{id} ]);

    ok $again->quiet(0.5), 'whoever has it gets no event';
    ok $again->comments, 'but a comment';

    for my $id ('x' x 16, '0' x 16, 'f' x 17, '') {
        my $other = stream($t, headers => [ 'Last-Event-ID' => $id ]);

        is $other->event->{id}, $event->{id}, "who has '$id' gets it";
    }

    my $head = stream($t, method => 'HEAD');

    is $head->status, 200, 'HEAD';
    like $head->header('Content-Type'), qr/event-stream/, 'has the type';
};


subtest 'a commit' => sub {
    my $t = $pg->tournament(slots => 99, reg_open_at => '-1 hour',
                            reg_close_at => '+1 hour', start_at => '+1 day');
    my (@s, %workers);

    poll_until {
        push @s, stream($t);
        $workers{ $s[-1]->header('X-Worker') } = 1;
        @s >= 8 && keys %workers == 2;
    } 20, 'both workers have some';

    $_->event for @s;

    my (@took, @ids);

    for my $taken (1 .. 16) {
        my $before = time;

        $pg->register($t, 'CONFIRMED');

        my @events = map { $_->event(5) } @s;

        is_deeply [ map { $_->{json}{registered_count} } @events ],
            [ ($taken) x @s ], "registration $taken is told to all";

        push @took, (sort { $a <=> $b } map { $_->{at} - $before } @events)[-1];
        push @ids, $events[0]{id};
    }

    # Without a wake-up it is told as the next second begins.

    @took = sort { $a <=> $b } @took;
    cmp_ok $took[7], '<', 0.25, sprintf 'at once: %.1f ms', $took[7] * 1000;
    is keys %{ { map { $_ => 1 } @ids } }, 16, 'each has an id of its own';

    $pg->change($t, name => 'Another name');
    $pg->change($t, name => 'A third name');
    handled($pg, $nginx);

    ok $_->quiet(0.2), 'what does not show is no event' for @s;
};


# An entry that was read within tournament_coalesce is not read again at once.

subtest 'commits that are coalesced' => sub {
    my $t = $pg->tournament(game => 'coalesced', slots => 99);
    my $s = stream({ slug => '?game=coalesced' }, place => 'coalesced');

    $s->event;

    for my $taken (1 .. 4) {
        $pg->register($t, 'CONFIRMED');

        poll_until {
            my $event = $s->event(0.5);
            $event && $event->{json}{tournaments}[0]{slots}{taken} == $taken
        } 10, "registration $taken is told";
    }

    pass 'each is told';
};


subtest 'instants' => sub {
    my $t = $pg->tournament(slots => 8, reg_open_at => '+3 s',
                            reg_close_at => '+5 s', start_at => '+8 s');
    my $opens = $pg->value("SELECT extract(epoch FROM reg_open_at)
                              FROM tournaments_tournament
                             WHERE id = $t->{id}");
    my @s = map { stream($t) } 1 .. 4;

    my %at = (open => $opens, closed => $opens + 3, started => $opens + 5);

    for my $s (@s) {
        is $s->event->{json}{registration_state}, 'not_open', 'not yet';
    }

    for my $what (qw(open closed started)) {
        for my $s (@s) {
            my $event = $s->event;
            my $json  = $event->{json};
            my $late  = $event->{at} - $at{$what};

            is $json->{state}{is_started} ? 'started'
                : $json->{registration_state}, $what, "$what";
            ok $late >= 0 && $late < 1, sprintf 'in its second: %.3f s', $late;
        }
    }

    ok $_->quiet(0.1), 'and nothing else' for @s;
};


subtest 'a clock that is set' => sub {
    plan skip_all => 'libfaketime does not go with valgrind'
        if $ENV{TOURNAMENT_VALGRIND};

    my $time = 1_893_456_000;
    my $t    = $pg->tournament(
        map { ("reg_$_->[0]" => '2030-01-01 ' . $_->[1] . '+00') }
            [ open_at => '00:10:00' ], [ close_at => '01:00:00' ]);
    my $node = Tournament::Nginx->new(%OPTIONS, clock => $time);
    my $s    = stream($t, node => $node);

    is $s->event->{json}{registration_state}, 'not_open', 'not open';

    $node->set_clock($time + 599);
    ok $s->quiet(2), 'nor a second before';

    $node->set_clock($time + 600);
    is $s->event(5)->{json}{registration_state}, 'open', 'open';

    $node->set_clock($time + 3601);
    is $s->event(5)->{json}{registration_state}, 'closed', 'closed';
    $node->stop;
};


subtest 'comments' => sub {
    my $t = $pg->tournament(slots => 8);
    my $s = stream($t);

    $s->event;
    $s->quiet(3.2);
    cmp_ok $s->comments, '>=', 3, 'a comment within each second';
    cmp_ok $s->comments, '<=', 5, 'and no more';
};


subtest 'gone' => sub {
    my $t = $pg->tournament(slots => 8);
    my @s = map { stream($t) } 1 .. 4;

    $_->event for @s;
    $pg->rows("DELETE FROM tournaments_tournament WHERE id = $t->{id}");

    for my $s (@s) {
        my $event = $s->event(5);

        is $event->{event}, 'gone', 'gone';
        is $event->{json}{code}, 'not_found', 'with the error';
        ok $s->ended(5), 'and the end';
    }

    is stream($t)->status, 404, 'who comes back gets the answer';
};


subtest 'instead of a stream' => sub {
    my $t = $pg->tournament(slots => 8);

    is_error($nginx->get('/stream/no-such-thing'), 404, 'not_found', 'unknown');
    is_error($nginx->get('/stream/-%20'), 400, 'bad_request', 'no slug');
    is_error($nginx->get("/uncached/$t->{slug}"), 400, 'bad_request',
             'not cached');
    is_error($nginx->post("/stream/$t->{slug}", body => 'x'), 405,
             'method_not_allowed', 'POST');

    for my $conf ('tournament status; tournament_stream on;',
                  'tournament purge *; tournament_stream on;',
                  'tournament_stream on;', 'tournament state x;
                  tournament_stream on; tournament_stream_heartbeat 9ms;') {
        my ($ok, $output) = $nginx->test(
            locations => [ @{ $OPTIONS{locations} },
                           "location /refused { $conf }" ]);

        ok !$ok, 'refused by -t';
        like $output, qr/tournament_stream/, 'and said why';
    }
};


subtest 'a user' => sub {
    my $t = $pg->tournament(slots => 8, reg_open_at => '-1 hour',
                            reg_close_at => '+1 hour', start_at => '+1 day');
    my $profile = $pg->profile;
    my $account = $pg->value("SELECT user_id FROM user_profile_userprofile
                               WHERE id = $profile");
    my @user    = (headers => [ 'X-Account' => $account ]);
    my $s       = stream($t, @user);
    my $nobody  = stream($t);
    my $event   = $s->event;

    is $s->header('Cache-Control'), 'private, no-store', 'nobody else may';
    is $s->header('Vary'), 'Cookie, Authorization', 'by session';
    is $event->{json}{button_state}, 'register', 'can register';
    $nobody->event;

    $pg->insert('tournaments_registration', tournament_id => $t->{id},
                user_id => $profile, status => 'PENDING',
                (map { ("payment_$_" => 'x') }
                     qw(status method sender reference)),
                created_at => \'now()');

    is $s->event(5)->{json}{button_state}, 'registered', 'has registered';
    ok $nobody->quiet(0.3), 'which is nothing to others';

    my $short     = stream($t, place => 'short', @user);
    my $anonymous = stream($t, place => 'short');

    $_->event for $short, $anonymous;
    ok $short->ended(3), 'it ends after its time';
    ok !$anonymous->ended(0.5), 'one of nobody does not';
};


subtest 'each endpoint' => sub {
    my $t = $pg->tournament(slots => 8, game => 'streamed',
                            reg_open_at => '-1 hour',
                            reg_close_at => '+1 hour', start_at => '-1 day');
    my ($entry)  = @{ $pg->register($t, 'CONFIRMED') };
    my $profile  = $pg->value("SELECT user_id FROM tournaments_registration
                                WHERE id = $entry");
    my $account  = $pg->value("SELECT user_id FROM user_profile_userprofile
                                WHERE id = $profile");
    my @user     = ('X-Account' => $account);
    my %streams;

    for my $row ([ "api/$t->{slug}/state/" ], [ "api/$t->{slug}/count/" ],
                 [ "api/$t->{slug}/state/", @user ],
                 [ "api/$t->{slug}/detail/" ], [ "t/$t->{slug}/" ],
                 [ "api/$t->{slug}/participants/", 'X-Staff' => 1 ],
                 [ "api/$t->{slug}/participants/", @user ],
                 [ "api/$t->{slug}/register/context/", @user ],
                 [ 'api/me/registrations/', @user ], [ 'api/stats/' ],
                 [ 'api/hub/?game=streamed' ], [ '' ],
                 [ 'api/hub/?sort=popular' ], [ 'game/streamed/' ]) {
        my ($path, @headers) = @$row;

        my $poll = sub { $nginx->get("/tournaments/$path", @headers) };
        my $s    = Tournament::Stream->new(
            port => $nginx->port, path => "/streams/$path",
            headers => \@headers);

        is $s->status, 200, "$path @headers" or next;
        is bare($s->event), bare($poll->()), 'begins with what a poll gets';
        $streams{"$path @headers"} = [ $s, $poll ];
    }

    # Each of them shows the one or the other.

    $pg->change($t, name => 'Streamed', slots => 2);
    $pg->register($t, 'CONFIRMED');
    $pg->rows("UPDATE user_profile_userprofile SET display_name = 'Streamed'
                WHERE id = $profile");
    $pg->rows("UPDATE tournaments_tournament SET status = 'RUNNING'
                WHERE id = $t->{id}");

    for my $name (sort keys %streams) {
        my ($s, $poll) = @{ $streams{$name} };
        my (@ids, $event);

        poll_until {
            my $next = $s->event(0.2) or return $event
                && bare($event) eq bare($poll->());
            $event = $next;
            push @ids, $event->{id};
            return 0;
        } 20, "$name ends with what a poll gets";

        pass "$name: as a poll after " . @ids . ' events';
        is grep({ $ids[$_] eq $ids[ $_ - 1 ] } 1 .. $#ids), 0,
            'of which no two say the same';
    }

    my $search = $nginx->get('/streams/api/hub/?q=x');

    is_error($search, 400, 'bad_request', 'a search');
};


subtest 'limits' => sub {
    my @t    = map { $pg->tournament(slots => 8) } 1 .. 3;
    my $node = Tournament::Nginx->new(
        %OPTIONS, workers => 1, name => 'limited',
        http => [ @{ $OPTIONS{http} }, 'tournament_stream_connections 3;',
                  'tournament_stream_keys 2;' ]);
    my @s    = map { stream($_, node => $node) } @t[0, 1];

    $_->event for @s;

    my $refused = sub {
        my ($t, $name) = @_;

        my $r = $node->get("/stream/$t->{slug}");

        is_error($r, 429, 'too_many_streams', $name);
        like $r->header('Retry-After'), qr/^(?:[1-9]|10)$/, 'with a time';
    };

    $refused->($t[2], 'of a third key');
    push @s, stream($t[0], node => $node);
    is $s[2]->status, 200, 'of one of the two';
    $refused->($t[0], 'a fourth stream');

    $s[1]->close;
    poll_until { push @s, stream($t[2], node => $node);
                 $s[-1]->status == 200 } 10, 'a place is free again';
    ok $s[-1]->event, 'for the third key';
    is $node->get($t[0]{path})->status, 200, 'polls are as always';
    $node->stop;
};


subtest 'purge' => sub {
    my $t = $pg->tournament(slots => 8);
    my $s = stream($t);
    my $first = $s->event;

    unheard($pg, "UPDATE tournaments_tournament SET slot_size = 9
                   WHERE id = $t->{id}");
    ok $s->quiet(1.2), 'nothing was heard';
    is $nginx->request('PURGE', "/purge/$t->{slug}")->status, 200, 'purged';
    is $s->event(5)->{json}{max_teams}, 9, 'and read again';
};

done_testing;
