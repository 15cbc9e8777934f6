# Endpoint status: what it counts, exactly, against requests whose every answer
# is known; that nothing is lost by reloads and killed workers; who gets JSON
# and who the page.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Socket::INET;

use Tournament::Endpoints;
use Tournament::Test;
use Tournament::Feed;

my $API     = '/tournaments/api';
my @COLUMNS = qw(requests hits misses expired stale updating bypass errors
                 errors_4xx errors_5xx);

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

my @tournaments = map { $pg->tournament(slots => 8) } 1 .. 6;
my @slugs       = map { $_->{slug} } @tournaments;

my $nginx = Tournament::Nginx->new(
    database => $pg,
    options(
        http      => 'tournament_query_timeout 1s; tournament_stale 1h;'
                   . ' tournament_database_connections 2;',
        locations => [
            'location ~ ^/bypass/(?<slug>.*)$ { tournament_ttl count 0;'
                . ' tournament count $slug; }',
            'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
            'location ~ ^/page/(?<slug>.*)$ { error_page 404 /sorry;'
                . ' tournament state $slug; }',
            'location = /sorry { return 200 sorry; }',
            'location /included/ { ssi on; ssi_types *; root %%DIR%%; }',
            'location = /coalesced/ { tournament_coalesce hub 1h;'
                . ' tournament hub; }',
        ],
    ),
);

# A figure is asked for on a connection that is kept: by one worker.

my $asker = Tournament::HTTP->new(port => $nginx->port);


sub status {
    my ($from) = @_;

    return ($from // $asker)->get('/tournaments/status')->json;
}


sub counts {
    my ($endpoint, $status) = @_;

    return { %{ ($status // status())->{endpoints}{$endpoint} } };
}


# What is counted while the block runs, and nothing else.

sub counted(&$$$) {
    my ($block, $endpoint, $expected, $name) = @_;

    my $before = counts($endpoint);
    $block->();
    my $after = counts($endpoint);

    my %more = map { $_ => $after->{$_} - $before->{$_} } @COLUMNS;

    # Errors are of the client unless it is said.

    $expected->{errors_4xx} = $expected->{errors}
        if $expected->{errors} && !$expected->{errors_5xx};

    return is_deeply { map { $_ => $more{$_} } grep { $more{$_} } @COLUMNS },
        $expected, $name;
}


subtest 'the document' => sub {
    my $fresh    = Tournament::Nginx->new(Tournament::Nginx::api(),
                                          database => $pg, workers => 2,
                                          name => 'fresh');
    my $response = $fresh->get('/tournaments/status');

    my $endpoints = join ',', map {
        qq("$_":{) . join(',', map { qq("$_":0) } @COLUMNS)
            . ',"hit_rate":null}'
    } names(counted => 1);
    my $streams = join ',', map { qq("$_":0) }
        grep { $_ ne 'states' } names(counted => 1);
    my @bounds = (qw(0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1
                     2.5 null));
    my $empty  = '{"count":0,"sum":0.000000,"buckets":['
        . join(',', map { qq({"le":$_,"count":0}) } @bounds) . ']}';
    my $worker = '{"pid":<int>,"ready":<int>,"connecting":<int>,"down":0,'
        . '"queued":0,"in_flight":<int>}';

    is_json($response, <<"END", 'of a node that has done nothing');
        {"success":true,"timestamp":<instant>,"version":<string>,
         "nginx":<string>,"host":<string>,"uptime":<int>,"generation":1,
         "workers":2,"stale":300,
         "endpoints":{$endpoints},
         "cache":{"entries":0,"missing":0,
                  "cells":{"size":256,"total":<int>,"used":0,"free":<int>},
                  "evictions":0,"recoveries":0},
         "changes":{"feed":0,"purges":0},
         "streams":{"open":{$streams},"waiting":0,"events":0,"skipped":0,"refused":0,
                    "ends":{"client":0,"slow":0,"gone":0,"limit":0,"exit":0}},
         "database":{"queries":0,"errors":0,"timeouts":0,"slow":0,"refused":0,
                     "outage":null,
                     "latency":$empty,
                     "workers":[$worker,$worker]},
         "misses":$empty,
         "feed":{"state":"off","kind":null,"worker":null,
                 "last_message":null,"slot":null,"lag_bytes":null,
                 "lag_seconds":null,"delay":$empty}}
END

    is $response->status, 200, 'its status';
    is $response->header('Content-Type'), 'application/json; charset=utf-8',
        'its type';
    is $response->header('Cache-Control'), 'no-store', 'it is not to be kept';
    is $response->header('Vary'), 'Accept', 'and varies';
    is $response->header('ETag'), undef, 'without an ETag';

    is_error($fresh->request('POST', '/tournaments/status', body => 'x'),
             405, 'method_not_allowed', 'POST');

    my $head = $fresh->head('/tournaments/status');

    is $head->status, 200, 'HEAD';
    is $head->body, '', 'without the document';

    my $json = $response->json;

    is join(' ', sort map { $_->{pid} } @{ $json->{database}{workers} }),
        join(' ', sort $fresh->worker_pids), 'the workers are the living ones';
    is $json->{cache}{cells}{total} * 256 / (8 << 20) > 0.9, 1,
        'most of the zone is for entries';

    poll_until {
        4 == grep { $_->{ready} == 4 }
            map { @{ $fresh->get('/tournaments/status')
                           ->json->{database}{workers} } } 1, 2;
    } 10, 'all connections are ready';

    $fresh->stop;
};


subtest 'who gets the page' => sub {
    my %wants = (
        'text/html' => 1,
        'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' => 1,
        'TEXT/HTML ; q=0.7 , application/json;q=0.5' => 1,
        'text/*' => 1,
        'application/json;q=0, */*' => 1,
        'application/json;q=0.001,text/html;level=1;q=0.002' => 1,
        '*/*' => 0,
        '' => 0,
        ',,;,' => 0,
        'application/json' => 0,
        'application/json, text/html' => 0,
        'text/html;q=0.4,application/json;q=0.5' => 0,
        'text/html;q=0,*/*' => 0,
        'text/html;q=1.5' => 0,
        'text/html;q=' => 0,
        'text/html;q=0' => 0,
        'text/htmlx' => 0,
        'image/png' => 0,
        'text/*;q=0.1,*/*;q=0.2' => 0,
        '*/*;q=0.9,text/html;q=0.5' => 0,
    );

    for my $accept (sort keys %wants) {
        my $response = $nginx->get('/tournaments/status', Accept => $accept);

        is $response->header('Content-Type'),
            $wants{$accept} ? 'text/html; charset=utf-8'
                            : 'application/json; charset=utf-8', "'$accept'";
    }

    is $nginx->get('/tournaments/status', Accept => 'application/json;q=0.1',
                   Accept => 'text/html')->header('Content-Type'),
        'text/html; charset=utf-8', 'two headers are one list';

    my $page = $nginx->get('/tournaments/status', Accept => 'text/html');

    is $page->body, slurp(project('src/endpoints/status.html')),
        'the page is its source, byte by byte';
    is $page->header('Vary'), 'Accept', 'and varies';
    is $page->header('Cache-Control'), 'no-store', 'and is not to be kept';
    is_error($nginx->request('DELETE', '/tournaments/status',
                             Accept => 'text/html'),
             405, 'method_not_allowed', 'DELETE');
};


subtest 'one endpoint, each kind of answer' => sub {
    my ($slug, $other) = @slugs;
    my $path = "$API/$slug/state/";
    my $etag;

    counted { $asker->get($path) } 'state',
        { requests => 1, misses => 1 }, 'a miss';
    counted { $etag = $asker->get($path)->header('ETag') } 'state',
        { requests => 1, hits => 1 }, 'a hit';
    counted { $asker->get($path) for 1 .. 20 } 'state',
        { requests => 20, hits => 20 }, 'those of the memo';
    counted { $asker->head($path) } 'state',
        { requests => 1, hits => 1 }, 'HEAD';
    counted {
        is $asker->get($path, 'If-None-Match' => $etag)->status, 304,
            'an ETag';
    } 'state', { requests => 1, hits => 1 }, 'a 304';
    counted { $asker->get("$API/missing/state/") } 'state',
        { requests => 1, misses => 1, errors => 1 }, '404, of the database';
    counted { $asker->get("$API/missing/state/") } 'state',
        { requests => 1, hits => 1, errors => 1 }, '404, of the cache';
    counted { $asker->get("$API/b%20d/state/") } 'state',
        { requests => 1, errors => 1 }, 'a 400';
    counted { $asker->request('PUT', $path, body => 'x') } 'state',
        { requests => 1, errors => 1 }, 'a 405';
    counted { $asker->get($path, 'X-Account' => 'x') } 'state',
        { requests => 1, errors => 1 }, '400, of an account';
    counted {
        is $nginx->request('PURGE', '/purge/*')->status, 200, 'a purge';
        is $asker->get($path)->cache, 'EXPIRED', 'of everything';
    } 'state', { requests => 1, expired => 1 }, 'an expired one';
    counted { $asker->get("$API/me/registrations/") }
        'user_registrations', { requests => 1, errors => 1 }, 'a 401';
    counted {
        $asker->get("$API/$slug/participants/", 'X-Account' => 77);
        $asker->get("$API/$slug/participants/", 'X-Staff' => 1);
    } 'participants', { requests => 2, misses => 1, hits => 1, errors => 1 },
        'an answer of two entries counts once, 403 as an error';

    counted { $asker->get("/bypass/$slug") for 1, 2 } 'count',
        { requests => 2, bypass => 2 }, 'no caching';
    is counts('count')->{hit_rate}, undef, 'which is no part of the hit rate';

    counted {
        is $asker->get('/page/missing')->body, 'sorry', 'error_page';
    } 'state', { requests => 1, expired => 1, errors => 1 },
        'an error that nginx answers counts once';

    my $states = "$API/states/";

    counted {
        $asker->get("$states?slugs=$slug,$other");
        $asker->get("$states?slugs=$slug,$other");
        $asker->request('POST', $states, body => qq(["$slug"]));
        $asker->request('POST', $states, body => '{}');
        $asker->get($states);
        $asker->request('PUT', $states);
    } 'states', { requests => 6, misses => 1, hits => 2, errors => 3 },
        'states';

    my $dir = $nginx->dir . '/included';

    mkdir $dir or die "mkdir $dir: $!\n";
    spew("$dir/page", qq(<!--# include virtual="$path" -->) x 3);

    counted {
        is scalar(() = $asker->get('/included/page')->body
                           =~ /"success":true/g), 3, 'a page of three';
    } 'state', { requests => 3, hits => 3 }, 'subrequests count each';

    my $json = status();

    is $json->{changes}{purges}, 1, 'purges';

    my $count = $json->{endpoints}{state};

    is_deeply $count, { requests => 34, hits => 27, misses => 2, expired => 2,
        stale => 0, updating => 0, bypass => 0, errors => 6,
        errors_4xx => 6, errors_5xx => 0, hit_rate => 0 + sprintf('%.4f', 27 / 31) }, 'all of them';
    like $asker->get('/tournaments/status')->body,
        qr/"hit_rate":0\.8710\b/, 'a rate has four decimals';
};


subtest 'changes' => sub {
    my $hub    = '/coalesced/';
    my $before = status()->{changes}{feed};

    $asker->get($hub);

    counted { $asker->get($hub) } 'hub',
        { requests => 1, hits => 1 }, 'before it';

    $pg->change($tournaments[0], slots => 9);

    poll_until { status()->{changes}{feed} == $before + 1 } 10,
        'it is heard';

    counted {
        is $asker->get($hub)->cache, 'UPDATING', 'a list within its interval';
    } 'hub', { requests => 1, updating => 1 }, 'is counted as that';

    my $feed = status()->{feed};

    is $feed->{state}, 'up', 'the feed is up';
    ok scalar(grep { $_ == $feed->{worker} } $nginx->worker_pids),
        'one of the workers listens';
    cmp_ok $feed->{last_message}, '<', 5, 'it has been heard of';

    poll_until { status()->{feed}{delay}{count} } 10, 'a heartbeat';

    $feed = status()->{feed};

    cmp_ok $feed->{delay}{sum}, '>', 0, 'it took some time';
    is eval { my $n = 0; $n += $_->{count} for @{ $feed->{delay}{buckets} };
              $n }, $feed->{delay}{count}, 'which is in a bucket';
};


# Each worker is asked by a connection of its own.

subtest 'two workers' => sub {
    my $workers = $nginx->connect_workers;
    my @c       = values %$workers;
    my $path    = "$API/$slugs[2]/state/";

    is scalar @c, 2, 'there are two';
    counted {
        for my $c (@c) {
            $c->get($path) for 1 .. 10;
        }
    } 'state', { requests => 20, misses => 1, hits => 19 },
        'what they count is added up';
    is_deeply counts('state', status($c[0])), counts('state', status($c[1])),
        'whoever is asked';
};


subtest 'database' => sub {
    my $gate = $pg->gate;
    my $one  = Tournament::Nginx->new(
        database => $pg,
        name     => 'one',
        options(
            workers => 1,
            feed    => 0,
            http    => 'tournament_database_connections 1;'
                     . 'tournament_database_queue 2;'
                     . 'tournament_query_timeout 10s; tournament_slow 0;',
        ),
    );
    my $c = Tournament::HTTP->new(port => $one->port);

    my $database = sub { return status($c)->{database} };

    poll_until { $database->()->{workers}[0]{ready} == 1 } 10, 'a connection';

    $c->get("$API/$_/state/") for @slugs[0 .. 2];

    my $json = status($c);

    is $json->{database}{queries}, 3, 'queries';
    is $json->{database}{latency}{count}, 3, 'each has its time';
    is $json->{misses}{count}, 3, 'and so have the requests';
    cmp_ok $json->{misses}{sum}, '>=', $json->{database}{latency}{sum},
        'which is not less';

    $gate->shut;

    my @waiting = map { Tournament::HTTP->new(port => $one->port) } 1 .. 4;

    $waiting[0]->send('GET', "$API/slow-1/state/");
    $gate->wait_waiting(1);

    # 20 ms later the connection is taken for busy

    poll_until { $database->()->{workers}[0]{in_flight} == 1 } 10,
        'a query in flight';
    select undef, undef, undef, 0.05;

    $waiting[$_]->send('GET', "$API/slow-" . ($_ + 1) . '/state/') for 1, 2;

    poll_until { $database->()->{workers}[0]{queued} == 2 } 10,
        'queries in the queue';

    is $c->get("$API/slow-4/state/")->status, 503, 'no room for more';
    is $database->()->{refused}, 1, 'which is counted';
    is counts('state', status($c))->{errors}, 1, 'as an error of the request';

    $gate->open;
    is $_->receive('GET')->status, 404, 'the others go on' for @waiting[0 .. 2];

    my $worker = $database->()->{workers}[0];

    is "$worker->{queued} $worker->{in_flight}", '0 0', 'and nothing is left';
    is $database->()->{queries}, 6, 'they are counted';
    is $database->()->{slow}, 0, 'none is slow without a limit';

    $pg->psql('ALTER FUNCTION tournament_api.count(text) RENAME TO gone');
    $one->expect_log(qr/refused/);
    is $c->get("$API/$slugs[0]/count/")->status, 503, 'no function';
    is $database->()->{errors}, 1, 'an error';
    $pg->psql('ALTER FUNCTION tournament_api.gone(text) RENAME TO count');

    $one->set(http => [ @{ $one->{http} }[0 .. $#{ $one->{http} } - 1],
                        'tournament_query_timeout 100ms;' ]);
    $one->reload;
    $c = Tournament::HTTP->new(port => $one->port);

    is status($c)->{database}{queries}, 7, 'a reload keeps what was counted';

    $gate->shut;
    is $c->get("$API/slow-5/state/")->status, 504, 'a timeout';
    is $database->()->{timeouts}, 1, 'is counted';
    $gate->open;

    $pg->stop;
    $one->expect_log(qr/reconnecting/);

    poll_until {
        my $worker = $database->()->{workers}[0];
        $worker->{ready} == 0;
    } 10, 'no connection';

    is $c->get("$API/$slugs[0]/state/")->cache, 'HIT', 'what is kept';

    # all nodes' database is away; this one purges nothing, so what it has
    # may be shown

    $nginx->expect_log(qr/reconnecting/);
    $one->stop;
    $pg->start;
    $gate->remove;
};


subtest 'a failing database' => sub {
    my $path = "$API/$slugs[3]/state/";

    poll_until { status()->{feed}{state} eq 'up' } 20, 'the feed is up again';

    $asker->get($path);

    my $before = status()->{changes}{feed};

    $pg->change($tournaments[3], slots => 3);
    poll_until { status()->{changes}{feed} > $before } 10, 'a change';

    $pg->stop;

    poll_until {
        !grep { $_->{ready} } @{ status()->{database}{workers} };
    } 10, 'no worker has a connection';
    poll_until { status()->{feed}{state} eq 'down' } 10, 'the feed is down';
    is status()->{feed}{worker}, undef, 'and nobody listens';

    counted {
        is $asker->get($path)->cache, 'STALE', 'an invalid one';
    } 'state', { requests => 1, stale => 1 }, 'is counted as stale';
    counted {
        is $asker->get("$API/$slugs[4]/detail/")->status, 503, 'an unknown one';
    } 'detail', { requests => 1, misses => 1, errors => 1, errors_5xx => 1 },
        'is a miss and an error';

    $pg->start;
};


# A client that goes away has waited all the same.

subtest 'a client that is gone' => sub {
    poll_until { status()->{feed}{state} eq 'up' } 20, 'the feed is up again';

    my $gate   = $pg->gate;
    my $before = counts('state')->{requests};

    $nginx->reload;
    $asker = Tournament::HTTP->new(port => $nginx->port);

    $gate->shut;

    my $client = Tournament::HTTP->new(port => $nginx->port);

    $client->send('GET', "$API/slow-gone/state/");
    $gate->wait_waiting(1);
    is counts('state')->{requests}, $before, 'not before it has its answer';

    $client->close;

    poll_until { counts('state')->{requests} == $before + 1 } 10, 'or is gone';

    $gate->open;
    $gate->remove;
};


subtest 'reloads and deaths' => sub {
    my $state  = counts('state');
    my $before = status();

    $nginx->reload;
    $asker = Tournament::HTTP->new(port => $nginx->port);

    my $after = status();

    is_deeply counts('state', $after), $state, 'a reload loses nothing';
    is $after->{generation}, $before->{generation} + 1,
        'it is another configuration';
    is $after->{workers}, 2, 'with workers of its own';
    cmp_ok $after->{uptime}, '>=', $before->{uptime}, 'of the same zone';

    my ($victim) = $nginx->worker_pids;

    $nginx->expect_log(qr/\Q$victim\E exited on signal 9/);
    $nginx->kill_worker($victim);
    $asker = Tournament::HTTP->new(port => $nginx->port);

    $after = status();

    is_deeply counts('state', $after), $state, 'nor does kill -9';
    is $after->{workers}, 2, 'there are two workers again';
    is join(' ', sort map { $_->{pid} } @{ $after->{database}{workers} }),
        join(' ', sort $nginx->worker_pids), 'the dead one is not shown';

    my $workers = $nginx->connect_workers;

    counted {
        $_->get("$API/missing-too/state/") for values %$workers;
    } 'state', { requests => 2, misses => 1, hits => 1, errors => 2 },
        'the new one goes on counting';

    # The port of it is taken: the old configuration stays.

    my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1:0');
    my $port  = $taken->sockport;

    $nginx->expect_log(qr/bind\(\) to 127\.0\.0\.1:$port failed/,
                       qr/still could not bind/);
    eval { $nginx->reload(server => "listen 127.0.0.1:$port;") };
    $nginx->wait_for_log(qr/still could not bind/);
    $nginx->set(server => '');

    my $still = status();

    is $still->{generation}, $after->{generation},
        'a reload that fails is none';
    is $still->{workers}, 2, 'the workers are those of before';

    $nginx->set(zone => '4m');
    $nginx->reload;
    $asker = Tournament::HTTP->new(port => $nginx->port);

    is counts('state')->{requests}, 0, 'another zone begins anew';
    is status()->{generation}, 1, 'with a generation of its own';
};


# The smallest zone has few slots: workers share them, and lose nothing.

subtest 'small zones' => sub {
    $nginx->set(zone => '256k', workers => 12);
    $nginx->reload;

    my $workers = $nginx->connect_workers;
    my @c       = values %$workers;

    is scalar @c, 12, 'twelve workers';

    $asker = $c[0];

    my $json = status();

    is $json->{workers}, 12, 'all are shown';
    cmp_ok $json->{cache}{cells}{total}, '>', 700,
        'the zone is for entries, not for counters';

    my $n = 0;

    for my $c (@c) {
        $n += $c->get("$API/$slugs[0]/state/")->status == 200 for 1 .. 20;
    }

    is $n, 240, 'requests to each';
    is counts('state')->{requests}, 240, 'are counted';

    $nginx->set(zone => '8m', workers => 2);
    $nginx->reload;
    $asker = Tournament::HTTP->new(port => $nginx->port);
};


# What a team would look at: with polls, users and now and then a registration.

subtest 'hit rates under load' => sub {
    my @events   = map { $pg->tournament(slots => 100) } 1 .. 20;
    my @accounts = 6001 .. 6020;
    my @profiles = map { $pg->profile(user_id => $_) } @accounts;

    $pg->register($_, 'CONFIRMED', 1) for @events;
    handled($pg, $nginx);

    for my $round (1 .. 25) {
        for my $i (0 .. $#events) {
            my $slug = $events[$i]{slug};

            $asker->get("$API/$slug/state/") for 1 .. 4;
            $asker->get("$API/$slug/count/");
            $asker->get("$API/me/registrations/",
                        'X-Account' => $accounts[$i]);
        }

        if ($round % 5 == 0) {
            my $i = $round / 5;

            $pg->insert('tournaments_registration',
                tournament_id => $events[$i]{id}, user_id => $profiles[$i],
                status => 'CONFIRMED', payment_status => 'pending',
                payment_method => '', payment_sender => '',
                payment_reference => '', created_at => \'now()');
        }
    }

    my $endpoints = status()->{endpoints};

    cmp_ok $endpoints->{state}{requests}, '>=', 2000, 'states';
    cmp_ok $endpoints->{state}{hit_rate}, '>=', 0.95, 'come from the cache';
    cmp_ok $endpoints->{count}{hit_rate}, '>=', 0.9, 'and counts';
    cmp_ok $endpoints->{user_registrations}{hit_rate}, '>=', 0.85,
        'and dashboards';
};


done_testing;
