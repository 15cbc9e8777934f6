# The state endpoint: documents, headers, conditional requests, errors, and
# what of it is cached.

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::Local qw(timegm);

use Tournament::Test;

my $STATE = Tournament::Nginx::state_location();

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    workers   => 2,
    http      => 'tournament_ttl state 1h; tournament_ttl missing 1h;',
    locations => [
        $STATE,
        'location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
        'location ~ ^/shortest/(?<slug>.*)$ {
             tournament state $slug; tournament_ttl state 1ms; }',
        'location ~ ^/short/(?<slug>.*)$ {
             tournament_ttl state 1s; tournament_ttl missing 1s;
             tournament_max_age 0; tournament state $slug; }',
        'location ~ ^/paged/(?<slug>.*)$ {
             error_page 400 404 405 = @page; tournament state $slug; }',
        'location @page { return 200 "page for $slug"; }',
        'location /argument/ { tournament state $arg_slug; }',
        'location /joined/ { tournament state "${arg_a}-$arg_b"; }',
    ],
);


sub epoch {
    my ($instant) = @_;

    my @field = $instant =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\+00:00$/
        or die "no instant: $instant";

    return timegm(reverse(@field[3 .. 5]), $field[2], $field[1] - 1, $field[0]);
}


# As Python's str(timedelta); null for what is not ahead.

sub duration {
    my ($seconds) = @_;

    return 'null' if $seconds <= 0;

    my $days = int $seconds / 86400;
    my $text = sprintf '%d:%02d:%02d', $seconds % 86400 / 3600,
        $seconds % 3600 / 60, $seconds % 60;

    return $days == 0 ? qq("$text")
        : sprintf '"%d day%s, %s"', $days, $days == 1 ? '' : 's', $text;
}


# The whole document of a tournament without a user. $expected has what the
# rules make of it; instants are relative to $now.

sub document {
    my ($timestamp, %e) = @_;

    my $flag = sub { $e{$_[0]} ? 'true' : 'false' };
    my $limit = $e{total} ? 'true' : 'false';
    my $total = $e{total} || 'null';
    my $available = $e{total} ? $e{total} - $e{taken} : 'null';
    my $full = $e{total} && $e{taken} >= $e{total} ? 'true' : 'false';
    my $left = sub {
        my $seconds = ($e{$_[0]} // 0) - epoch($timestamp);

        return $seconds > 0 ? $seconds : 'null';
    };

    my $starts = duration(($e{start} // 0) - epoch($timestamp));
    my $closes = duration(($e{close} // 0) - epoch($timestamp));

    return <<"END";
        {"success": true, "timestamp": "$timestamp", "state": {
            "phase": "$e{phase}", "is_published": ${\ $flag->('published') },
            "is_started": ${\ $flag->('started') },
            "is_completed": ${\ $flag->('completed') },
            "registration_state": "$e{registration}", "can_register": false,
            "reason": "You must be logged in to register",
            "is_team_based": ${\ $flag->('team') },
            "slots": {"total": $total, "taken": $e{taken},
                "available": $available, "is_full": $full,
                "has_limit": $limit},
            "time_until_start": $starts, "time_until_reg_closes": $closes,
            "seconds_until_start": ${\ $left->('start') },
            "seconds_until_reg_closes": ${\ $left->('close') },
            "opens_at": <any>, "closes_at": <any>, "starts_at": <any>},
        "user_registered": false, "registration_state": "$e{registration}",
        "phase": "$e{phase}", "time_until_start": $starts,
        "registered_count": $e{taken}, "max_teams": $total,
        "available_slots": $available, "is_full": $full,
        "button_state": "not_authenticated",
        "button_text": "Login to Register"}
END
}


sub is_document {
    my ($response, $name, %expected) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return fail($name) || diag $response->raw if $response->status != 200;

    return is_json($response,
                   document($response->json->{timestamp}, %expected), $name);
}


subtest 'documents' => sub {
    my $base = $pg->value(q{SELECT extract(epoch FROM
                                           date_trunc('second', now()))::bigint});

    my %instant = map { $_ => $base + $_ * 86400 } -3 .. 3;
    my %sql = map {
        $_ => \"to_timestamp($instant{$_})"
    } keys %instant;

    my @window = (reg_open_at => $sql{-2}, reg_close_at => $sql{1},
                  start_at => $sql{2});
    my @ahead  = (start => $instant{2}, close => $instant{1});
    my @open   = (phase => 'registration', published => 1,
                  registration => 'open');

    my @cases = (
        [ 'open', { @window, slots => 16, confirmed => 3, pending => 2,
                    cancelled => 1 },
          { @open, @ahead, total => 16, taken => 3 } ],
        [ 'full', { @window, slots => 2, confirmed => 2 },
          { @open, @ahead, registration => 'full', total => 2, taken => 2 } ],
        [ 'more than full', { @window, slots => 1, confirmed => 3 },
          { @open, @ahead, registration => 'full', total => 1, taken => 3 } ],
        [ 'no slot size', { @window, confirmed => 1 },
          { @open, @ahead, taken => 1 } ],
        [ 'slot size 0', { @window, slots => 0, confirmed => 1 },
          { @open, @ahead, taken => 1 } ],
        [ 'nothing set', {}, { @open, taken => 0 } ],
        [ 'not yet open', { @window, reg_open_at => $sql{1} },
          { @open, @ahead, registration => 'not_open', taken => 0 } ],
        [ 'closed', { @window, reg_close_at => $sql{-1} },
          { @open, start => $instant{2}, registration => 'closed',
            taken => 0 } ],
        [ 'started', { start_at => $sql{-1} },
          { @open, phase => 'live', started => 1, registration => 'started',
            taken => 0 } ],
        [ 'running', { @window, status => 'RUNNING' },
          { @open, @ahead, phase => 'live', taken => 0 } ],
        [ 'completed', { @window, status => 'COMPLETED' },
          { @open, @ahead, phase => 'completed', completed => 1,
            registration => 'completed', taken => 0 } ],
        [ 'draft', { @window, status => 'DRAFT' },
          { @ahead, phase => 'draft', registration => 'not_open',
            taken => 0 } ],
        [ 'settings of its own',
          { @window, slots => 4, settings => {
              reg_open_at => $sql{-1}, reg_close_at => $sql{3},
              start_at => $sql{3}, min_team_size => 5 } },
          { @open, start => $instant{2}, close => $instant{3}, total => 4,
            taken => 0, team => 1 } ],
        [ 'start of the settings',
          { settings => { start_at => $sql{3}, max_team_size => 2 } },
          { @open, start => $instant{3}, taken => 0, team => 1 } ],
        [ 'settings that say nothing',
          { settings => { min_team_size => 1, max_team_size => 1 } },
          { @open, taken => 0 } ],
        [ 'the largest slot size', { slots => 2147483647, confirmed => 1 },
          { @open, total => 2147483647, taken => 1 } ],
    );

    for my $case (@cases) {
        my ($name, $columns, $expected) = @$case;
        my $tournament = $pg->tournament(%$columns);

        is_document($nginx->get($tournament->{path}), $name, %$expected);
    }
};


subtest 'a cached state changes with the clock (invariant 3)' => sub {
    my $opens = $pg->value(q{SELECT extract(epoch FROM
                               date_trunc('second', now()))::bigint}) + 2;

    my $tournament = $pg->tournament(
        reg_open_at  => \"to_timestamp($opens)",
        reg_close_at => '+1 day',
    );

    my $connection = $nginx->connect;
    my %wrong;

    $connection->get($tournament->{path});
    $pg->reset_calls;

    poll_until {
        my $json  = $connection->get($tournament->{path})->json;
        my $state = $json->{state}{registration_state};

        $wrong{"$json->{timestamp} $state"}++
            if $state ne (epoch($json->{timestamp}) >= $opens
                          ? 'open' : 'not_open');

        $state eq 'open';
    } 20, 'registration opens';

    is_deeply \%wrong, {}, 'each answer is right for its timestamp';
    is $pg->calls, 0, 'at no query';
};


subtest 'misses and hits' => sub {
    my $tournament = $pg->tournament;
    my $connection = $nginx->connect_workers;
    my @workers    = sort keys %$connection;

    $pg->reset_calls;

    my $miss = $connection->{ $workers[0] }->get($tournament->{path});
    my $hit  = $connection->{ $workers[0] }->get($tournament->{path});
    my $zone = $connection->{ $workers[1] }->get($tournament->{path});

    is $miss->cache, 'MISS', 'the first asks the database';
    is $hit->cache, 'HIT', 'the second does not';
    is $zone->cache, 'HIT', 'nor does the other worker';
    is $zone->worker, $workers[1], '(it was another)';
    is $pg->calls, 1, 'one statement in all';

    my $facts = sub { $_[0]->body =~ s/"timestamp":"[^"]*",//r };

    is $facts->($hit), $facts->($miss), 'the same document from the worker';
    is $facts->($zone), $facts->($miss), 'and from the other';

    $pg->reset_calls;
    $connection->{ $workers[0] }->get("/uncached/$tournament->{slug}")
        for 1 .. 3;
    is $nginx->get("/uncached/$tournament->{slug}")->cache, 'BYPASS',
        'a TTL of 0 asks each time';
    is $pg->calls, 4, 'and counts a statement for each';
};


# One in use is asked for again before its TTL ends; one that nobody asked for
# meanwhile is found to be too old. Which of both it is depends on when the
# second look comes: either way it has the new facts, and is cached anew.

subtest 'the end of a TTL' => sub {
    my $tournament = $pg->tournament(slots => 1);
    my $path       = "/short/$tournament->{slug}";

    is $nginx->get($path)->cache, 'MISS', 'read';
    $pg->change($tournament, slots => 2);

    poll_until {
        $nginx->get($path)->json->{max_teams} == 2
    } 20, 'the new facts';
    pass 'it ends';

    my $old = "/shortest/$tournament->{slug}";

    poll_until { $nginx->get($old)->cache eq 'EXPIRED' } 20, 'a TTL of 1 ms';
    pass 'says that it was too old';
};


subtest 'no such tournament' => sub {
    $pg->reset_calls;

    my $miss = $nginx->state('not-there-yet');
    my $hit  = $nginx->state('not-there-yet');

    is_error $miss, 404, 'not_found', 'the error';
    is $miss->cache, 'MISS', 'asked';
    is_error $hit, 404, 'not_found', 'the error, cached';
    is $hit->cache, 'HIT', 'not asked again';
    is $pg->calls, 1, 'one statement';

    is $nginx->get('/short/not-there')->status, 404, 'where it expires soon';
    $pg->tournament(slug => 'not-there');

    poll_until {
        $nginx->get('/short/not-there')->status == 200
    } 20, 'a tournament that came to be';
    pass 'it ends';
};


subtest 'headers' => sub {
    my $tournament = $pg->tournament(slots => 3);
    my $response   = $nginx->get($tournament->{path});
    my @names      = map { $_->[0] } $response->headers;

    is_deeply [ grep { !/^X-/ } @names ],
        [ qw(Server Date Content-Type Content-Length Connection
             Cache-Control ETag) ], 'nothing else is sent';

    is $response->header('Content-Type'), 'application/json; charset=utf-8',
        'Content-Type';
    is $response->header('Cache-Control'), 'public, max-age=1',
        'Cache-Control';
    is $response->header('Content-Length'), length $response->body,
        'Content-Length';
    like $response->header('ETag'), qr{^W/"[0-9a-f]{16}"$}, 'a weak ETag';
    is $nginx->get("/short/$tournament->{slug}")->header('Cache-Control'),
        'public, max-age=0', 'tournament_max_age';

    my $head = $nginx->head($tournament->{path});

    is $head->status, 200, 'HEAD';
    is $head->body, '', 'has no body';
    is $head->header('ETag'), $response->header('ETag'), 'the same ETag';
    is $head->header('Content-Length'), $response->header('Content-Length'),
        'the same length';
};


subtest 'conditional requests' => sub {
    my $tournament = $pg->tournament(slots => 5);
    my $path       = "/uncached/$tournament->{slug}";
    my $etag       = $nginx->get($path)->header('ETag');
    (my $strong    = $etag) =~ s{^W/}{};

    for my $value ($etag, $strong, '*', qq("other", $etag)) {
        my $response = $nginx->get($path, 'If-None-Match' => $value);

        is $response->status, 304, "If-None-Match: $value";
        is $response->body, '', 'no body';
        is $response->header('ETag'), $etag, 'its ETag';
    }

    is $nginx->get($path, 'If-None-Match' => '"other"')->status, 200,
        'another ETag';

    $pg->change($tournament, slots => 6);

    my $changed = $nginx->get($path, 'If-None-Match' => $etag);

    is $changed->status, 200, 'a change';
    isnt $changed->header('ETag'), $etag, 'makes another ETag';

    $pg->change($tournament, slots => 5);
    is $nginx->get($path)->header('ETag'), $etag,
        'the same facts make the same';
    is $nginx->get("/uncached/${\ $pg->tournament(slots => 5)->{slug} }")
           ->header('ETag'), $etag, 'though of another tournament';
};


subtest 'a countdown makes a new ETag each half minute' => sub {
    my $tournament = $pg->tournament(start_at => '+1 day');
    my $connection = $nginx->connect;
    my %of;

    # Each answer tells its own half minute.

    for (1 .. 50) {
        my $response = $connection->get($tournament->{path});
        my $half = int(epoch($response->json->{timestamp}) / 30);

        $of{$half}{ $response->header('ETag') }++;
    }

    is_deeply [ map { scalar keys %$_ } values %of ], [ (1) x keys %of ],
        'one within it';
};


subtest 'methods' => sub {
    my $tournament = $pg->tournament;

    for my $method (qw(POST PUT DELETE OPTIONS PATCH)) {
        my $response = $nginx->request($method, $tournament->{path},
                                       body => '{}');

        is_error $response, 405, 'method_not_allowed', $method;
        is $response->header('Allow'), 'GET, HEAD', 'Allow';
    }
};


subtest 'slugs' => sub {
    my $longest = 'x' x 255;

    $pg->tournament(slug => $longest);
    $pg->tournament(slug => 'A_b-9');
    $pg->reset_calls;

    is $nginx->state($longest)->status, 200, '255 characters';
    is $nginx->state('A_b-9')->status, 200, 'every kind of character';
    is $nginx->state('%41_b%2D9')->status, 200, 'percent-encoded';
    is_error $nginx->state('a_b-9'), 404, 'not_found', 'case matters';
    is $nginx->get('/argument/?slug=A_b-9')->status, 200, 'of an argument';
    is $nginx->get('/joined/?a=A_b&b=9')->status, 200, 'of two variables';
    is $pg->calls, 3, 'the same slug is the same entry';

    $pg->reset_calls;

    is_error $nginx->state($_->[1]), 400, 'bad_request', $_->[0]
        for [ '256 characters',   'x' x 256 ],
            [ 'a blank',          'a%20b' ],
            [ 'a dot',            'a.b' ],
            [ 'a quote',          "a'b" ],
            [ 'a percent sign',   'a%25b' ],
            [ 'UTF-8',            '%D0%B4%D0%BE%D1%82%D0%B0' ],
            [ 'broken UTF-8',     '%ff%fe' ],
            [ 'a line feed',      'a%0Ab' ],
            [ 'SQL',              "a';DROP%20TABLE%20x;--" ];

    is_error $nginx->get('/argument/?slug='), 400, 'bad_request', 'none';
    is_error $nginx->get('/argument/'), 400, 'bad_request', 'no variable';
    is_error $nginx->get('/argument/?slug=a%62'), 400, 'bad_request',
        'an argument is taken as it is';
    is $nginx->state('a%00b')->status, 400, 'NUL (refused by nginx)';

    is $pg->calls, 0, 'none of them reaches the database';
};


subtest 'error_page' => sub {
    my $tournament = $pg->tournament;

    is $nginx->get("/paged/$tournament->{slug}")->json->{success}, 1,
        'not where there is no error';
    is $nginx->get('/paged/nobody')->body, 'page for nobody', 'of a 404';
    is $nginx->get('/paged/a.b')->body, 'page for a.b', 'of a 400';
    is $nginx->post('/paged/nobody', body => 'x')->body, 'page for nobody',
        'of a 405';
};


subtest 'variables' => sub {
    my $tournament = $pg->tournament;

    $nginx->get("$tournament->{path}?n=$_") for 1, 2;
    $nginx->get('/-/other');

    # lines are written when an answer is out: each is waited for

    my $log = poll_until {
        my @lines = grep { m{\?n=[12] |/-/other} } $nginx->access_log;
        @lines >= 3 && [ @lines[-3 .. -1] ];
    } 20, 'the access log';

    like $log->[0], qr/^200 MISS \d+\.\d{3} .*n=1/, 'a miss has a query time';
    like $log->[1], qr/^200 HIT - .*n=2/, 'a hit has none';
    like $log->[2], qr{^404 - - .*/-/other}, 'nor has any other request';
};


subtest 'one connection, many requests' => sub {
    my @paths = map { $pg->tournament->{path} } 1 .. 20;
    my $connection = $nginx->connect;

    my @responses = $connection->pipeline(map { ($_, $_) } @paths);

    is scalar(grep { $_->status == 200 } @responses), 40, 'pipelined';
};


subtest 'many at once' => sub {
    my $tournament = $pg->tournament(confirmed => 1);

    $pg->reset_calls;

    my @responses = fetch(
        port  => $nginx->port,
        paths => [ map { "$tournament->{path}?$_" } 1 .. 200 ],
    );

    is scalar(grep { $_->status == 200
                     && $_->json->{registered_count} == 1 } @responses), 200,
        'all are answered';
    cmp_ok $pg->calls, '<=', 2, 'by a statement of each worker at most';
};


done_testing;
