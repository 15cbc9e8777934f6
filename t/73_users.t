# What belongs to a user: who they are taken for, what they get, and that
# nobody else gets it (invariant 5).

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Oracle;
use Tournament::Test;

my $NOW = 1795417920;    # 2026-11-23 07:12:00
my $API = '/tournaments/api';

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

$pg->load('demo', now => '2026-11-23 07:12:00+00');

my $api   = { Tournament::Nginx::api() };
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    clock     => $NOW,
    zone      => '32m',
    http      => $api->{http},
    locations => [
        @{ $api->{locations} },
        'location ~ ^/nobody/(?<slug>.*)$ { tournament_user "";
             tournament state $slug; }',
        'location ~ ^/fixed/(?<slug>.*)$ { tournament_user "10${arg_n}";
             tournament registration_context $slug; }',
        'location ~ ^/staff/(?<slug>.*)$ { tournament_user "";
             tournament_staff 1; tournament participants $slug; }',
        'location ~ ^/uncached/(?<slug>.*)$ { tournament_ttl state 0;
             tournament_ttl registration_context 0; tournament state $slug; }',
    ],
    server => [ map { "tournament_ttl $_ 1h;" }
                qw(state registration_context user_registrations participants
                   missing) ],
);

my $connection = $nginx->connect;


sub get {
    my ($account, $path, @headers) = @_;

    return $connection->get("$API/$path",
                            defined $account ? ('X-Account' => $account) : (),
                            @headers);
}

sub state   { return get($_[0], "$_[1]/state/", @_[2 .. $#_]) }
sub context { return get($_[0], "$_[1]/register/context/", @_[2 .. $#_]) }
sub mine    { return get($_[0], 'me/registrations/', @_[1 .. $#_]) }
sub players { return get($_[0], "$_[1]/participants/", @_[2 .. $#_]) }


sub is_private {
    my ($response, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return is_deeply [ $response->status,
                       map { $response->header($_) }
                           qw(Cache-Control Vary ETag Last-Modified) ],
        [ 200, 'private, no-store', 'Cookie, Authorization', undef, undef ],
        $name;
}


subtest 'headers (invariant 5)' => sub {
    my $slug = 'already-started';

    # Each that a user gets, the first time and from the cache.

    for my $try ('', ', cached') {
        is_private state(1012, $slug), "state$try";
        is_private context(1012, $slug), "registration_context$try";
        is_private mine(1012), "user_registrations$try";
        is_private players(1015, $slug), "participants$try";
        is_private players(undef, $slug, 'X-Staff' => 1),
            "participants, to staff$try";
    }

    for my $code (\&state, \&context, sub { mine($_[0], @_[2 .. $#_]) },
                  \&players)
    {
        for my $value ('*', 'W/"0000000000000000"',
                       state(undef, $slug)->header('ETag'))
        {
            is $code->(1015, $slug, 'If-None-Match' => $value)->status, 200,
                "never 304: $value";
        }

        is $code->(1015, $slug,
                   'If-Modified-Since' => 'Sat, 01 Jan 2050 00:00:00 GMT')
           ->status, 200, 'nor for a date';
    }

    # What the same endpoints say to nobody is public, and depends on who asks.

    for my $public (state(undef, $slug), context(undef, $slug)) {
        is $public->header('Cache-Control'), 'public, max-age=1', 'public';
        is $public->header('Vary'), 'Cookie, Authorization', 'with Vary';
        like $public->header('ETag'), qr{^W/"[0-9a-f]{16}"$}, 'and an ETag';
    }

    my $etag = state(undef, $slug)->header('ETag');
    my $not  = state(undef, $slug, 'If-None-Match' => $etag);

    is $not->status, 304, 'to nobody a 304 is possible';
    is $not->header('Vary'), 'Cookie, Authorization', 'with Vary as well';

    is $connection->head("$API/me/registrations/", 'X-Account' => 1012)
       ->header('Cache-Control'), 'private, no-store', 'HEAD';

    is get(1012, $_)->header('Vary'), undef, "$_ is the same for everybody"
        for "$slug/detail/", "$slug/count/", 'hub/', 'stats/';
};


subtest 'account ids' => sub {
    my $max = '9223372036854775807';

    $pg->profile(user_id => $max, display_name => 'Last');

    my $last = $pg->value("SELECT id FROM user_profile_userprofile
                            WHERE user_id = $max");

    $pg->insert('tournaments_registration', tournament_id => 2,
        user_id => $last, payment_method => '', payment_sender => '',
        payment_reference => '', payment_status => 'pending',
        status => 'PENDING', created_at => '2026-11-23 07:00:00+00');

    is scalar(@{ mine($max)->json->{registrations} }), 1, '2^63 - 1';
    is state($max, 'valorant-night-cup')->json->{button_state}, 'registered',
        'has its state';
    is mine('00000000000000000000000001012')->body, mine(1012)->body,
        'leading zeros';
    is mine('0001012')->cache, 'HIT', 'are the same account';
    is_json mine(1), '{"success": true, "timestamp": <instant>,
                       "registrations": []}', 'an account without a profile';
    is state(1, 'valorant-masters')->json->{button_state}, 'register',
        'has a state all the same';

    $pg->reset_calls;

    for my $bad ('0', '000', '9223372036854775808', '18446744073709551617',
                 '9' x 1000, '-1', '-0', '+1', '1.0', '1e3', '0x10', ' 1',
                 '1 ', "1\t", '1,2', 'x', '1x', 'null', 'None', "1'--",
                 '1/state', "\xd9\xa1", "\xff", '%31')
    {
        # (nginx takes blanks around a header's value away)

        next if $bad =~ /^\s|\s$/;

        my @answers = (state($bad, 'valorant-masters'),
                       context($bad, 'valorant-masters'), mine($bad),
                       players($bad, 'already-started'),
                       players($bad, 'already-started', 'X-Staff' => 1));

        is_deeply [ map { $_->status . $_->body } @answers ],
            [ ('400{"success":false,"error":"Malformed account id",'
               . '"code":"bad_request"}') x 5 ], "\"$bad\"";
    }

    is_error mine('x'), 400, 'bad_request', 'as errors are';
    is $pg->calls, 0, 'none of them reaches the database';

    for my $none (undef, '') {
        is_error mine($none), 401, 'unauthenticated', 'user_registrations';
        is_error players($none, 'already-started'), 401, 'unauthenticated',
            'participants';
        is context($none, 'valorant-masters')->json->{context}{button_state},
            'not_authenticated', 'registration_context';
    }

    is_error mine(undef, 'X-Staff' => 1), 401, 'unauthenticated',
        'staff is nobody';
};


subtest 'directives' => sub {
    my $slug = 'valorant-masters';

    is $connection->get("/nobody/$slug", 'X-Account' => 1012)->body,
        state(undef, $slug)->body, 'tournament_user "" is nobody';
    is $connection->get("/fixed/$slug?n=12")->body,
        context(1012, $slug)->body, 'of more than one variable';
    is $connection->get("/fixed/$slug?n=x")->status, 400, 'what is no account';

    is players(undef, 'already-started', 'X-Staff' => $_)->status, 401,
        "tournament_staff \"$_\" is no staff"
        for '', '0', '2', '11', '01', 'true', 'yes', 'on', '-1', '1 1', '1,';
    is $connection->get('/staff/already-started')->status, 200,
        'tournament_staff 1';

    my @checks = (
        [ 'tournament_user $http_x;',    1 ], [ 'tournament_user $arg_x;', 1 ],
        [ 'tournament_user $cookie_x;',  1 ],
        [ 'tournament_staff $http_x;',   1 ],
        [ 'tournament_staff $arg_x;',    1 ],
        [ 'tournament_staff $cookie_x;', 1 ],
        [ 'tournament_user "${http_x_user}";', 1 ],
        [ 'tournament_user u$HTTP_x;',   1 ], [ 'tournament_user 1${arg_x};', 1 ],
        [ 'tournament_user $remote_user;', 1 ],
        [ 'tournament_user "${remote_user}";', 1 ],
        [ 'tournament_user $account;',   0 ], [ 'tournament_staff 1;', 0 ],
        [ 'tournament_user "";',         0 ],
    );

    for my $check (@checks) {
        my ($directive, $warned) = @$check;
        my ($ok, $output) = $nginx->test(locations =>
            "location /x { $directive tournament user_registrations; }");

        ok $ok, "$directive is allowed";
        is !!($output =~ /\[warn\].*tournament_(?:user|staff)/), !!$warned,
            $warned ? 'and warned of' : 'without a warning';
    }
};


subtest 'nobody gets what is another\'s (invariant 5)' => sub {
    my @accounts = (1001 .. 1060, 7);
    my @slugs    = qw(valorant-masters five-a-side squads-full duos-free
                      already-started busy-bees city-league);
    my $oracle   = Tournament::Oracle->new($pg);
    my (@wrong, $right);

    # With a cache that knows nothing yet.

    $nginx->stop;
    $nginx->start;
    $connection = $nginx->connect;

    # All of them again and again, in another order each time, so that what is
    # in any cache is another's, and anonymous ones in between.

    for my $round (1 .. 3) {
        for my $i (0 .. $#accounts * @slugs) {
            my $n       = $i * 101 * $round % (@accounts * @slugs);
            my $account = $accounts[ $n % @accounts ];
            my $slug    = $slugs[ $n / @accounts ];
            my $who     = $n % 5 ? $account : undef;

            for my $pair (
                [ state($who, $slug), $oracle->state($slug, $NOW, $who) ],
                [ context($who, $slug), $oracle->context($slug, $NOW, $who) ],
                $who ? [ mine($who), $oracle->registrations($who, $NOW) ] : ())
            {
                my ($got, $expected) = @$pair;
                my $public = $got->header('Cache-Control') !~ /private/;

                $got->text eq $expected && $public == !defined $who
                    ? $right++
                    : push @wrong, ($who // 'nobody') . ": $slug: "
                                   . $got->raw;
            }
        }
    }

    is_deeply [ splice @wrong, 0, 3 ], [], "$right answers are their owner's";

    # payment_status is in its owner's alone.

    unlike $_->body, qr/payment_status/, 'no payment_status elsewhere'
        for state(1012, 'valorant-masters'), context(1012, 'valorant-masters'),
            players(1015, 'already-started'), get(undef, 'hub/'),
            get(undef, 'valorant-masters/detail/');
};


subtest 'a poll of a user costs no query' => sub {
    my $slug = $pg->tournament(reg_open_at => '-1 hour')->{slug};

    $pg->reset_calls;
    is state(1012, $slug)->cache, 'MISS', 'the first time';
    is $pg->calls(like => '%tournament_api.state(%'), 1,
        'it is the tournament\'s entry';
    is $pg->calls(like => '%tournament_api.registration_context(%'), 1,
        'and the user\'s';
    is $pg->calls, 2, 'in two statements';

    $pg->reset_calls;
    is state(1012, $slug)->cache, 'HIT', 'then none' for 1 .. 3;
    is state(undef, $slug)->cache, 'HIT', 'the tournament\'s is everybody\'s';
    is context(1012, $slug)->cache, 'HIT', 'the user\'s is the context\'s';
    is $pg->calls, 0, 'none at all';

    is state(1013, $slug)->cache, 'MISS', 'another user';
    is $pg->calls, 1, 'needs one';
    is context(1014, $slug)->cache, 'MISS', 'a context first';
    is state(1014, $slug)->cache, 'HIT', 'is one for the state';
    is $pg->calls, 2, 'likewise';

    # A slug that does not exist.

    $pg->reset_calls;
    is state(1012, 'nothing-there')->status, 404, 'a 404' for 1 .. 2;
    cmp_ok $pg->calls, '<=', 2, 'is asked for once';

    $pg->reset_calls;
    is $connection->get("/uncached/$slug", 'X-Account' => 1012)->cache,
        'BYPASS', 'without TTLs';
    is $pg->calls, 2, 'two statements each time';
};


# A row of the table for each combination of what it depends on.

subtest 'the whole table of registration_context' => sub {
    my %instant = (past => '-1 hour', future => '+1 day', none => undef);
    my $to_sql = sub {
        defined $_[0] ? \"to_timestamp($NOW) + interval '$_[0]'" : undef;
    };

    # Users: by what they have to do with a team of game "cs2".

    my %user;

    for my $kind (qw(none captain role member left pending both)) {
        $user{$kind} = $pg->profile(user_id => 700_000 + keys %user);
    }

    my $led = $pg->team(game => 'cs2', name => 'B led',
                        members => [ $user{captain} ]);

    $pg->update('user_profile_userprofile', $user{captain},
                display_name => 'The Captain');
    $pg->member($led, $user{role}, role => 'CAPTAIN');
    $pg->member($led, $user{$_}) for qw(member pending both);
    $pg->member($led, $user{left}, status => 'REMOVED', role => 'CAPTAIN');

    # Of other games and earlier names: the game goes first, then the name.

    my $second = $pg->team(game => 'cs2', name => 'C second');

    $pg->member($pg->team(game => 'dota2', name => 'A other'), $user{$_})
        for qw(member both);
    $pg->member($second, $user{$_}) for qw(both captain);

    my @tournaments;

    for my $status (qw(PUBLISHED RUNNING COMPLETED)) {
        for my $window ([ 'none', 'none' ], [ 'past', 'future' ],
                        [ 'future', 'future' ], [ 'past', 'past' ],
                        [ 'none', 'future' ], [ 'future', 'none' ])
        {
            for my $start (qw(none past future)) {
                for my $team (0, 1) {
                    push @tournaments, $pg->tournament(
                        game => 'cs2', status => $status,
                        reg_open_at  => $to_sql->($instant{ $window->[0] }),
                        reg_close_at => $to_sql->($instant{ $window->[1] }),
                        start_at     => $to_sql->($instant{$start}),
                        entry_fee_bdt => @tournaments % 3 ? '5' : undef,
                        slots     => @tournaments % 5 ? 2 : 1,
                        confirmed => 1,
                        settings => $team ? { max_team_size => 5 } : undef,
                    );
                }
            }
        }
    }

    # On each third their rows, on each the requests of some.

    my $n = 0;

    my @row = (payment_method => '', payment_sender => '',
               payment_reference => '', payment_status => 'pending',
               created_at => '2026-11-23 07:00:00+00');

    for my $t (@tournaments) {
        my $status = (qw(PENDING CONFIRMED CANCELLED))[ $n % 3 ];

        $pg->insert('tournaments_registration', @row, status => $status,
                    tournament_id => $t->{id}, team_id => $led)
            if $n % 7 == 3;
        $pg->insert('tournaments_registration', @row, status => $status,
                    tournament_id => $t->{id},
                    user_id => $user{ (sort keys %user)[ $n / 4 % 7 ] })
            if $n % 4 == 1;

        for my $kind (qw(pending both captain)) {
            $pg->insert('tournaments_registrationrequest',
                tournament_id => $t->{id}, team_id => $_->[0],
                requester_id => $user{$kind}, captain_id => $user{captain},
                status => $_->[1], created_at => '2026-11-23 07:00:00+00',
                expires_at => '2026-11-23 07:00:00+00')
                for [ $kind eq 'both' ? $second : $led,
                      $n % 2 || $kind ne 'captain' ? 'PENDING' : 'APPROVED' ];
        }

        $n++;
    }

    my $oracle = Tournament::Oracle->new($pg);
    my (%seen, @wrong, $right);

    for my $t (@tournaments) {
        for my $who (undef, map { 700_000 + $_ } 0 .. 6) {
            for my $pair ([ context($who, $t->{slug}),
                            $oracle->context($t->{slug}, $NOW, $who) ],
                          [ state($who, $t->{slug}),
                            $oracle->state($t->{slug}, $NOW, $who) ])
            {
                my ($got, $expected) = @$pair;

                $got->text eq $expected ? $right++
                    : push @wrong, $got->text . "\n" . $expected;

                my ($button) = $expected =~ /"button_state":"(\w+)"/;
                $seen{$button}++;
            }
        }
    }

    is_deeply [ splice @wrong, 0, 3 ], [], "$right answers are right";
    is_deeply [ sort keys %seen ], [ sort qw(
        not_authenticated registered completed started closed not_open full
        request_pending request_approval no_team register) ],
        'and every row of the table is among them';
};


subtest 'who sees the participants' => sub {
    my %at = (past => '-1 s', now => '0', future => '1 s', none => undef);
    my %user;
    my $to_sql = sub {
        defined $_[0] ? \"to_timestamp($NOW) + interval '$_[0]'" : undef;
    };

    $user{$_} = $pg->profile(user_id => 710_000 + keys %user)
        for qw(confirmed pending cancelled member invited removed stranger
               captain);

    my $team = $pg->team(members => []);

    $pg->member($team, $user{$_->[0]}, status => $_->[1])
        for [ member => 'ACTIVE' ], [ invited => 'INVITED' ],
            [ removed => 'REMOVED' ];
    $pg->update('teams_team', $team, captain_id => $user{captain});

    my %account = map { $_ => $pg->value("SELECT user_id
        FROM user_profile_userprofile WHERE id = $user{$_}") } keys %user;

    my @row = (payment_method => '', payment_sender => '',
               payment_reference => '', payment_status => 'pending',
               created_at => '2026-11-23 07:00:00+00');

    for my $case (
        [ PUBLISHED => 'past',   'CONFIRMED', 1 ],
        [ PUBLISHED => 'now',    'CONFIRMED', 1 ],
        [ PUBLISHED => 'future', 'CONFIRMED', 0 ],
        [ PUBLISHED => 'none',   'CONFIRMED', 1 ],
        [ RUNNING   => 'past',   'CONFIRMED', 1 ],
        [ RUNNING   => 'future', 'CONFIRMED', 0 ],
        [ COMPLETED => 'none',   'CONFIRMED', 1 ],
        [ PUBLISHED => 'past',   'PENDING',   2 ],
        [ PUBLISHED => 'past',   'CANCELLED', 2 ])
    {
        my ($status, $start, $teams, $open) = @$case;

        for my $team_event (0, 1) {
            my $t = $pg->tournament(status => $status,
                start_at => $team_event ? undef : $to_sql->($at{$start}),
                settings => { start_at => $to_sql->($at{$start}),
                              max_team_size => 1 + $team_event });

            $pg->insert('tournaments_registration', @row,
                        tournament_id => $t->{id}, status => uc,
                        user_id => $user{$_})
                for qw(confirmed pending cancelled);
            $pg->insert('tournaments_registration', @row,
                        tournament_id => $t->{id}, status => $teams,
                        team_id => $team);

            my %may = map { $_ => 403 } keys %user;

            $may{confirmed} = 200 if $open;
            $may{member}    = 200 if $open == 1;

            my $oracle = Tournament::Oracle->new($pg);

            is_deeply { map { $_ => players($account{$_}, $t->{slug})->status }
                        keys %user }, \%may,
                "$status, start $start, team $teams, "
                . ($team_event ? 'of teams' : 'of players');
            is_deeply { map { $_ => $oracle->visible($t->{slug}, $NOW,
                                                     $account{$_}) ? 200 : 403
                            } keys %user }, \%may, 'as the oracle has it';
            is_text players(undef, $t->{slug}, 'X-Staff' => 1)->text,
                $oracle->participants($t->{slug}, $NOW), 'staff sees them';
            is players($account{stranger}, $t->{slug}, 'X-Staff' => 1)->status,
                200, 'whoever they are';
            is_text players($account{confirmed}, $t->{slug})->text,
                $oracle->participants($t->{slug}, $NOW), 'all get the same'
                if $open;
        }
    }

    is_error players($account{stranger}, 'already-started'), 403, 'forbidden',
        'who may not see them';
    is_error players(1012, 'nothing-there'), 404, 'not_found', 'none';
    is_error players(1012, 'secret-plans'), 404, 'not_found', 'a draft';
    is_error players(undef, 'secret-plans', 'X-Staff' => 1), 404, 'not_found',
        'a draft, to staff';

    # The clock opens them, at no query.

    my $slug = $pg->tournament(confirmed => 0,
        start_at => \"to_timestamp($NOW + 10)")->{slug};

    $pg->insert('tournaments_registration', @row, status => 'CONFIRMED',
        tournament_id => $pg->value("SELECT id FROM tournaments_tournament
                                      WHERE slug = '$slug'"),
        user_id => $user{confirmed});

    my %status;

    players($account{confirmed}, $slug);
    $pg->reset_calls;

    for my $second (8 .. 12) {
        $nginx->set_clock($NOW + $second);
        $status{$second} = players($account{confirmed}, $slug)->status;
    }

    is_deeply \%status, { 8 => 403, 9 => 403, 10 => 200, 11 => 200,
                          12 => 200 }, 'from the start on (invariant 3)';
    is $pg->calls, 0, 'at no query';
    $nginx->set_clock($NOW);
};


subtest 'user_registrations: order, and each once' => sub {
    my $profile = $pg->profile(user_id => 720_001);
    my @teams   = map { $pg->team(members => [ $profile ]) } 1 .. 3;
    my @row = (payment_method => '', payment_sender => '',
               payment_reference => '', payment_status => 'rejected');
    my $at = sub { "2026-11-$_[0] 07:00:00+00" };
    my @ids;

    # Their own, their team's, both in one row, an own and a team's for the
    # same tournament, two of the same instant, one of a draft.

    for my $case ([ 10, user_id => $profile ], [ 20, team_id => $teams[0] ],
                  [ 15, user_id => $profile, team_id => $teams[1] ],
                  [ 15, team_id => $teams[2] ], [ 15, user_id => $profile ],
                  [ '01', user_id => $profile ])
    {
        my ($day, @who) = @$case;
        my $t = $pg->tournament($day eq '01' ? (status => 'DRAFT') : ());

        push @ids, $pg->insert('tournaments_registration', @row, @who,
            tournament_id => $t->{id}, created_at => $at->($day),
            status => (qw(CONFIRMED PENDING CANCELLED))[ @ids % 3 ]);
    }

    my $same = $pg->tournament;

    push @ids, $pg->insert('tournaments_registration', @row, @$_,
        tournament_id => $same->{id}, created_at => $at->(12),
        status => 'PENDING')
        for [ user_id => $profile ], [ team_id => $teams[0] ];

    $pg->member($teams[0], $profile, role => 'CAPTAIN');    # twice in it

    my $oracle = Tournament::Oracle->new($pg);
    my $got    = mine(720_001);

    is_text $got->text, $oracle->registrations(720_001, $NOW), 'the document';
    is_deeply [ map { $_->{id} } @{ $got->json->{registrations} } ],
        [ @ids[1, 4, 3, 2, 7, 6, 0, 5] ], 'newest first, then by id';

    my $member = $pg->profile(user_id => 720_002);

    $pg->member($teams[0], $member, status => 'INVITED');
    $pg->member($teams[1], $member, status => 'REMOVED');
    is_deeply mine(720_002)->json->{registrations}, [],
        'not those of teams that one is not in';
};


done_testing;
