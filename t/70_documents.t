# Every endpoint's documents compared whole, byte by byte, with those that
# Tournament::Oracle works out from the tables: at a fixed instant, over all
# of the demonstration data and over rows as odd as an application may leave
# them.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Endpoints;
use Tournament::Oracle;
use Tournament::Test;

my $NOW = 1795417920;    # 2026-11-23 07:12:00
my $API = '/tournaments/api';

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

$pg->load('demo', now => '2026-11-23 07:12:00+00');
$pg->set_clock($NOW);

my $nginx = Tournament::Nginx->new(
    Tournament::Nginx::api(),
    database => $pg,
    zone     => '32m',
    clock    => $NOW,
    server   => 'tournament_ttl state 1h; tournament_ttl detail 1h;',
);

my $connection = $nginx->connect;


# Documents that are as they must be, counted; each that is not is told of.

my ($right, $wrong);

sub compare {
    my ($what, $expected, $path, @headers) = @_;

    my $response = $connection->get($path, @headers);

    if (!defined $expected) {
        $response->status == 404 ? $right++ : $wrong++;
        diag "$what: status " . $response->status . ', not 404'
            if $response->status != 404;
        return;
    }

    my $got = $response->text;

    if ($response->status == 200 && $got eq $expected) {
        $right++;
        return;
    }

    is_text $got, $expected, "$what ($path)" if $wrong++ < 5;

    return;
}


sub compared {
    my ($name, $at_least, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    ($right, $wrong) = (0, 0);
    $code->();

    is $wrong, 0, "$name: $right documents are right";
    cmp_ok $right, '>=', $at_least, '(so many at least)';

    return;
}


# All documents of all endpoints, as the tables are now.

sub everything {
    my ($name, $oracle, $now, $tournaments, $accounts) = @_;

    my @slugs = map { $_->{slug} } @$tournaments;

    subtest $name => sub {
        compared 'state', scalar @slugs, sub {
            compare("state of $_", $oracle->state($_, $now),
                    "$API/$_/state/") for @slugs;
        };

        compared 'detail', scalar @slugs, sub {
            for (@slugs) {
                my $expected = $oracle->detail($_, $now);

                compare("detail of $_", $expected, "$API/$_/detail/");
            }
        };

        compared 'count', scalar @slugs, sub {
            compare("count of $_", $oracle->count($_), "$API/$_/count/")
                for @slugs;
        };

        compared 'participants, to staff', scalar @slugs, sub {
            compare("participants of $_", $oracle->participants($_, $now),
                    "$API/$_/participants/", 'X-Staff' => 1) for @slugs;
        };

        compared 'states', 1, sub {
            my @left = @slugs;

            while (my @some = splice @left, 0, 50) {
                compare('states', $oracle->states($now, @some),
                        "$API/states/?slugs=" . join ',', @some);
            }
        };

        compared 'registration_context of an anonymous', scalar @slugs, sub {
            compare("context of $_", $oracle->context($_, $now),
                    "$API/$_/register/context/") for @slugs;
        };

        compared 'hub', 1, sub {
            my $pages = 1;

            for (my $page = 1; $page <= $pages; $page++) {
                my $expected = $oracle->hub($now, per_page => 5,
                                            page => $page);

                ($pages) = $expected =~ /"total_pages":(\d+)/;
                compare("hub, page $page", $expected,
                        "$API/hub/?per_page=5&page=$page");
            }

            compare("hub, $_", $oracle->hub($now, status => $_,
                                            per_page => 100),
                    "$API/hub/?per_page=100&status=$_")
                for qw(open live upcoming completed);
        };

        compared 'platform_stats', 1, sub {
            compare('stats', $oracle->stats($now), "$API/stats/");
        };

        compared 'user_registrations', scalar @$accounts, sub {
            compare("registrations of $_", $oracle->registrations($_, $now),
                    "$API/me/registrations/", 'X-Account' => $_)
                for @$accounts;
        };

        compared 'state and context of users', scalar @slugs, sub {
            for my $tournament (@$tournaments) {
                my $slug = $tournament->{slug};
                my $step = $tournament->{id} >= 30 ? 1 : 4;

                for (my $i = $tournament->{id} % $step; $i < @$accounts;
                     $i += $step)
                {
                    my $account = $accounts->[$i];

                    compare("state of $slug to $account",
                            $oracle->state($slug, $now, $account),
                            "$API/$slug/state/", 'X-Account' => $account);
                    compare("context of $slug of $account",
                            $oracle->context($slug, $now, $account),
                            "$API/$slug/register/context/",
                            'X-Account' => $account);
                }
            }
        };
    };

    return;
}


my $demo = Tournament::Oracle->new($pg);

everything('the demonstration data', $demo, $NOW, [ $demo->tournaments ],
           [ 1001 .. 1060, 999 ]);


# The oracle is no judge of its own: some documents as people would write
# them.

subtest 'documents written by hand' => sub {
    is_json $connection->get("$API/valorant-masters/state/"), <<'END',
        {"success": true, "timestamp": "2026-11-23T07:12:00+00:00",
         "state": {
            "phase": "registration", "is_published": true,
            "is_started": false, "is_completed": false,
            "registration_state": "open", "can_register": false,
            "reason": "You must be logged in to register",
            "is_team_based": false,
            "slots": {"total": 16, "taken": 3, "available": 13,
                      "is_full": false, "has_limit": true},
            "time_until_start": "7 days, 3:04:05",
            "time_until_reg_closes": "5 days, 0:00:00",
            "seconds_until_start": 615845,
            "seconds_until_reg_closes": 432000,
            "opens_at": "2026-11-21T07:12:00+00:00",
            "closes_at": "2026-11-28T07:12:00+00:00",
            "starts_at": "2026-11-30T10:16:05+00:00"},
         "user_registered": false, "registration_state": "open",
         "phase": "registration", "time_until_start": "7 days, 3:04:05",
         "registered_count": 3, "max_teams": 16, "available_slots": 13,
         "is_full": false, "button_state": "not_authenticated",
         "button_text": "Login to Register"}
END
        'state';

    is_json $connection->get("$API/hub/?q=masters"), <<'END',
        {"success": true, "timestamp": "2026-11-23T07:12:00+00:00",
         "tournaments": [
            {"id": 1, "slug": "valorant-masters", "name": "Valorant Masters",
             "game": "valorant", "status": "PUBLISHED",
             "short_description": null, "banner": null, "entry_fee": 100.00,
             "prize_pool": 50000.00,
             "reg_open_at": "2026-11-21T07:12:00+00:00",
             "reg_close_at": "2026-11-28T07:12:00+00:00",
             "start_at": "2026-11-30T10:16:05+00:00",
             "end_at": "2026-12-01T07:12:00+00:00",
             "registration_count": 5, "phase": "registration",
             "registration_state": "open",
             "slots": {"total": 16, "taken": 3, "available": 13,
                       "is_full": false, "has_limit": true}}],
         "pagination": {"page": 1, "per_page": 12, "total_pages": 1,
             "total_count": 1, "has_next": false, "has_previous": false}}
END
        'hub';

    is_json $connection->get("$API/five-a-side/register/context/",
                             'X-Account' => 1002), <<'END',
        {"success": true, "context": {
            "can_register": false, "button_state": "request_pending",
            "button_text": "Request Pending",
            "message": "Waiting for Amber Otter to approve",
            "reason": "Waiting for Amber Otter to approve",
            "is_team_event": true, "is_captain": false,
            "team_registered": false, "already_registered": false,
            "slots_available": true, "requires_payment": true,
            "registration_closes_in": "6 days, 0:00:00", "has_team": true,
            "team_name": "Paper Tigers", "has_pending_request": true}}
END
        'registration_context';

    is_json $connection->get("$API/valorant-masters/count/"), <<'END',
        {"success": true, "tournament_id": 1, "slug": "valorant-masters",
         "count": 5,
         "by_status": {"PENDING": 2, "CONFIRMED": 3, "CANCELLED": 1}}
END
        'count';
};


# A column may take what differs in case for equal, but a key does not, nor
# does "states" as it looks for the row of a slug.

subtest 'texts that ignore case' => sub {
    my $schema = slurp(project('sql', 'schema.sql'));

    $schema =~ s/\bvarchar(?:\(\d+\))?/$& COLLATE any_case/g;
    $schema =~ s/^COMMIT;//m or die;
    $schema =~ s/^CREATE INDEX[^;]*_pattern_ops\);\n//m or die;

    $pg->rows('CREATE DATABASE any_case');
    $pg->psql(q{CREATE COLLATION any_case (provider = icu,
                    locale = 'und-u-ks-level2', deterministic = false)},
              -dbname => 'any_case');
    $pg->load(spew(tempdir() . '/schema.sql', "$schema\nCOMMIT;"),
              -dbname => 'any_case');
    $pg->load('demo', -dbname => 'any_case', now => '2026-11-23 07:12:00+00');
    $pg->load('install', -dbname => 'any_case', role => 'tournament');
    $pg->set_clock($NOW, -dbname => 'any_case');

    my $other = Tournament::Nginx->new(
        Tournament::Nginx::api(),
        name     => 'any_case',
        database => $pg->conninfo(dbname => 'any_case'),
        clock    => $NOW,
    );

    my @headers = ('X-Account' => 7, 'X-Staff' => 1);

    for my $path ('api/hub/?q=mASTERS',
                  map { @{ $_->{paths} } } endpoints(cached => 1))
    {
        my ($right, $wrong) = map {
            '/tournaments/' . $path =~ s/SLUG/$_/r =~ s/GAME/Valorant/r
        } qw(valorant-masters Valorant-Masters);

        my $answer = $other->get($right, @headers);

        is $answer->status, 200, $right;
        is $answer->text, $nginx->get($right, @headers)->text, 'as anywhere';
        is $other->get($wrong, @headers)->status, 404, $wrong
            if $path =~ /SLUG/;
    }

    for my $slugs ('Valorant-Masters', 'valorant-masters,Valorant-Masters') {
        is_deeply $other->get("$API/states/?slugs=$slugs")->json->{missing},
            ['Valorant-Masters'], "states of $slugs";
    }

    is_deeply $other->get("$API/hub/?game=VALORANT")->json->{tournaments}, [],
        'and a game is spelt as it is';
};


subtest 'odd rows' => sub {
    my $long  = "\x{1F3C6}" x 255;
    my $wild  = "\"q\" \\ / \x01\x1f\x7f \t\r\n\f\b </script> '"
              . " \x{e9}\x{9a6}\x{2028}\x{1F600}\x{FFFD}\x{10FFFF}";
    my $big   = 'x' x 300_000;
    my $n     = 0;
    my %new   = (game => 'odd');

    # Far and broken dates; windows that end before they begin.

    my @instants = (undef, 'infinity', '-infinity', '4713-01-01 00:00:00 BC',
        '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00 BC',
        '9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00',
        '290000-12-31 23:59:59+00', '1970-01-01 00:00:00+00',
        '1969-12-31 23:59:59.5+00', '2026-11-23 07:12:00+00',
        '2026-11-23 07:12:00.000001+00', '2026-11-23 07:11:59.999999+00',
        '2026-11-23 07:12:01+00', '2026-11-23 07:12:00.999999+00',
        '2026-11-24 07:12:00.5+00', '2024-02-29 12:00:00+00');

    for my $status (qw(PUBLISHED RUNNING)) {
        for my $i (0 .. $#instants) {
            $pg->tournament(%new, status => $status,
                start_at     => $instants[$i],
                reg_open_at  => $instants[ $i - 5 ],
                reg_close_at => $instants[ $i - 11 ],
                end_at       => $instants[ $i - 3 ],
                slots        => $i % 3 ? $i : 0, confirmed => $i % 4,
                settings     => $i % 2 ? {
                    start_at           => $instants[ $i - 7 ],
                    reg_close_at       => $instants[ $i - 2 ],
                    check_in_open_mins => (30, 0, -5, 2147483647,
                                           -2147483648)[ $i % 5 ],
                    auto_check_in      => (undef, 't', 'f')[ $i % 3 ],
                } : undef);
        }
    }

    for my $columns (
        { name => $long, short_description => $long, slots => -3,
          confirmed => 1 },
        { name => $wild, short_description => $wild, slots => 1,
          confirmed => 4, pending => 2, cancelled => 3,
          settings => { description => $wild, prize_distribution_text => $wild,
                        banner => $wild, rules_pdf => $wild,
                        stream_youtube_url => $wild,
                        stream_facebook_url => $wild, discord_url => $wild,
                        tournament_type => '"\\' } },
        { name => '', short_description => '', banner => '', game => '',
          settings => { map({ $_ => '' } qw(description tournament_type banner
              prize_distribution_text rules_pdf stream_youtube_url
              stream_facebook_url discord_url)), min_team_size => 0,
              max_team_size => 0 } },
        { slots => 2147483647, entry_fee_bdt => '-0.01',
          prize_pool_bdt => '-9999999999.99',
          settings => { prize_pool_bdt => -2147483648,
                        min_team_size => -32768, max_team_size => 32767 } },
        { slots => -2147483648, entry_fee_bdt => 'NaN',
          prize_pool_bdt => 'NaN' },
        { entry_fee_bdt => '0.00', prize_pool_bdt => '0',
          settings => { prize_pool_bdt => 2147483647 } },
        { settings => { prize_pool_bdt => 0, banner => '/b' }, banner => '' },
        { short_description => $big, settings => { description => $big } },
        { status => 'ARCHIVED', start_at => '2026-12-01 00:00:00+00' },
        { status => 'published' },
        { slug => 'x' x 255 }, { slug => '-' }, { slug => '_' },
        { slug => '0' }, { slug => 'A-B_9' },
    ) {
        $pg->tournament(%new, %$columns);
    }

    # Rows with nobody, with a deleted team's id, with both; people without
    # names.

    my $nobody = $pg->profile(display_name => '', user_id => 5001);
    my $hidden = $pg->profile(display_name => $wild, is_private => 't',
                              user_id => 5002);
    my $wide   = $pg->profile(display_name => "\x{1F3C6}" x 80,
                              user_id => 5003);
    my $last   = $pg->profile(user_id => '9223372036854775807');
    my $teams  = $pg->tournament(%new, settings => { max_team_size => 5 },
                                 start_at => '2026-11-23 07:00:00+00');
    my $team   = $pg->team(name => $wild, tag => '"\\', game => 'odd',
                           members => [ $hidden, $nobody, $last ]);
    my $headless = $pg->team(name => '', tag => '', captain_id => undef,
                             game => 'odd');
    my $led      = $pg->team(members => [ $wide ], game => 'odd');
    my $unnamed  = $pg->team(members => [ $nobody ], game => 'odd');

    $pg->member($headless, $wide, role => 'CAPTAIN');
    $pg->member($led, $_) for $hidden, $last;
    $pg->member($led, $last);                    # twice

    my @row = (payment_method => '', payment_sender => '',
               payment_reference => '',
               payment_status => substr($wild, 0, 16),
               created_at => '2026-11-23 07:00:00.123456+00');

    for my $t ($teams, $pg->tournament(%new)) {
        $pg->insert('tournaments_registration', @row, status => 'CONFIRMED',
                    tournament_id => $t->{id}, @$_)
            for [], [ user_id => $nobody ],
                [ user_id => $hidden, team_id => $team ],
                [ team_id => $headless ], [ user_id => $wide ];
        $pg->insert('tournaments_registration', @row, status => 'REFUNDED',
                    tournament_id => $t->{id}, user_id => $last);
        $pg->insert('tournaments_registration', @row, status => 'CANCELLED',
                    tournament_id => $t->{id}, team_id => $led);
    }

    for my $t ($pg->tournament(%new, settings => { min_team_size => 2 })) {
        $pg->insert('tournaments_registrationrequest',
            tournament_id => $t->{id}, team_id => $_->[0],
            requester_id => $_->[1], captain_id => $nobody,
            status => 'PENDING', created_at => '2026-11-23 07:00:00+00',
            expires_at => '2026-11-23 07:00:00+00')
            for [ $led, $hidden ], [ $team, $last ], [ $unnamed, $nobody ];
    }

    # Ids that need more than 31 bits, and more than a double has.

    $pg->rows("SELECT setval('tournaments_tournament_id_seq', 2147483648),
                      setval('tournaments_registration_id_seq',
                             9007199254740993)");
    $pg->tournament(%new, confirmed => 1);

    my $oracle = Tournament::Oracle->new($pg);

    # What was cached is of other rows.

    $nginx->stop;
    $nginx->start;
    $connection = $nginx->connect;

    my @odd = grep { $_->{game} =~ /^(?:odd|)$/ } $oracle->tournaments;

    everything('their documents', $oracle, $NOW, \@odd,
               [ 5001, 5002, 5003, '9223372036854775807' ]);
};


subtest 'the clock moves on (invariant 3)' => sub {
    my $oracle = Tournament::Oracle->new($pg);
    my @slugs  = map { $_->{slug} } $demo->tournaments;

    # The entries are those of before: what follows from the clock does so at
    # no query, to the second.

    $connection->get("$API/$_/state/"), $connection->get("$API/$_/detail/")
        for @slugs;

    $pg->reset_calls;

    compared 'state and detail', 600, sub {
        for my $moment (-1, 1, 299, 300, 301, 599, 600, 601, 3599, 3600, 3601,
                        86400)
        {
            my $now = $NOW + $moment;

            $nginx->set_clock($now);

            for (@slugs) {
                compare("state of $_ at $moment", $oracle->state($_, $now),
                        "$API/$_/state/");
                compare("detail of $_ at $moment", $oracle->detail($_, $now),
                        "$API/$_/detail/");
            }
        }
    };

    is $pg->calls, 0, 'at no query';
};


# Such a database takes any bytes; with client_encoding=SQL_ASCII they come to
# nginx. JSON is UTF-8 all the same.

subtest 'a database in SQL_ASCII' => sub {
    my @name = (
        [ 'a \xc3\xa9 \xf0\x9f\x8f\x86 b', "a \x{e9} \x{1F3C6} b" ],
        [ '\xff',                 '?' ],
        [ '\xd2\xca in cp1251',   '?? in cp1251' ],
        [ 'cut \xe0\xa6',         'cut ??' ],
        [ '\xc3(',                '?(' ],
        [ 'overlong \xc0\x80',    'overlong ??' ],
        [ '\xe0\x80\xaf',         '???' ],
        [ '\xf0\x80\x80\xaf',     '????' ],
        [ 'surrogate \xed\xa0\x80', 'surrogate ???' ],
        [ 'beyond \xf4\x90\x80\x80', 'beyond ????' ],
        [ '\xf8\x88\x80\x80\x80', '?????' ],
        [ '\x80\xbf',             '??' ],
    );

    $pg->rows("CREATE DATABASE ascii TEMPLATE template0
                   ENCODING 'SQL_ASCII' LOCALE 'C'");
    $pg->load('schema', -dbname => 'ascii');
    $pg->load('install', -dbname => 'ascii', role => 'tournament');
    $pg->psql(join('', map {
        "INSERT INTO tournaments_tournament (name, slug, game, status,
             created_at, updated_at, groups_published)
         VALUES (E'$name[$_][0]', 'name-$_', 'x', 'PUBLISHED', now(), now(),
                 false);"
    } 0 .. $#name), -dbname => 'ascii');

    my $ascii = Tournament::Nginx->new(
        Tournament::Nginx::api(),
        name     => 'ascii',
        database => $pg->conninfo(dbname => 'ascii',
                                  client_encoding => 'SQL_ASCII'),
    );

    for my $n (0 .. $#name) {
        my $got = $ascii->get("$API/name-$n/detail/");

        is eval { JSON::PP->new->decode($got->text)->{tournament}{name} },
            $name[$n][1], $name[$n][0];
    }
};


# What its encoding cannot hold it does not have, which is no fault of the
# database's: any client can ask for it.

for my $encoding (qw(LATIN1 EUC_JP)) {
    subtest "a database in $encoding" => sub {
        my $name = lc $encoding;

        $pg->rows("CREATE DATABASE $name TEMPLATE template0
                       ENCODING '$encoding' LOCALE 'C'");
        $pg->load('schema', -dbname => $name);
        $pg->load('install', -dbname => $name, role => 'tournament');
        $pg->psql("INSERT INTO tournaments_tournament (name, slug, game,
                       status, created_at, updated_at, groups_published)
                   VALUES ('Cup', 'cup', 'x', 'PUBLISHED', now(), now(),
                       false);", -dbname => $name);

        my $nginx = Tournament::Nginx->new(
            Tournament::Nginx::api(),
            name     => $name,
            database => $pg->conninfo(dbname => $name),
        );

        for my $query ("q=%F0%9F%8F%86", "q=cup+%F0%9F%8F%86",
                       "game=%F0%9F%8F%86")
        {
            my $hub = $nginx->get("$API/hub/?$query");

            is $hub->status, 200, $query;
            is_deeply $hub->json->{tournaments}, [], 'an empty list';
            is $hub->json->{pagination}{page}, 1, 'of one page';
        }

        is scalar @{ $nginx->get("$API/hub/?q=cup")->json->{tournaments} }, 1,
            'what it can hold is found';
        unlike $nginx->log, qr/\[error\]/, 'no line says so';
    };
}


done_testing;
