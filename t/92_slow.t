# The slow log: what a query or a request waited for, in lines that are not a
# flood and have no secrets; the request's time in the access log; and how a
# request is followed through the debug log.

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes ();

use Tournament::Test;
use Tournament::Feed;

my $API  = '/tournaments/api';
my $LINE = qr/\[warn\].*tournament:\ slow\ (\w+)\ "(\w+)",\ key\ "([^"]*)":
              \ (\d+)\ ms\ \(connect\ (\d+),\ queue\ (\d+),\ query\ (\d+),
              \ other\ queries\ (\d+)\)
              (?:,\ ([1-9]\d*)\ more\ slow\ ones\ since\ the\ last\ such\ line)?
/x;

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

$pg->profile(user_id => 5001);

my $gate = $pg->gate;


sub node {
    my ($slow, %options) = @_;

    my $http = delete $options{http} // '';

    return Tournament::Nginx->new(
        database => $pg,
        options(
            workers => 1,
            feed    => 0,
            http    => "tournament_query_timeout 20s; $http "
                     . (defined $slow ? "tournament_slow $slow;" : ''),
            %options,
        ),
    );
}


# The slow log's lines since the last mark.

sub lines {
    my ($nginx) = @_;

    return map { /$LINE/ ? { what => $1, endpoint => $2, key => $3, ms => $4,
                             connect => $5, queue => $6, query => $7,
                             other => $8, more => $9 // 0 } : () }
        split /\n/, $nginx->log_since;
}


# Requests that are sent, while the gate is shut, and their answers when it has
# been for so many seconds.

sub held {
    my ($nginx, $seconds, @paths) = @_;

    $gate->shut;

    my @clients = map { Tournament::HTTP->new(port => $nginx->port) } @paths;

    $clients[$_]->send('GET', $paths[$_]) for 0 .. $#paths;
    $gate->wait_waiting(1);

    # A worker that answers who came later has them all, however busy it is.

    $nginx->get('/tournaments/status');
    Time::HiRes::sleep($seconds);
    $gate->open;

    return map { $_->receive('GET') } @clients;
}


# A line of the last second is the only one of it.

sub pause {
    Time::HiRes::sleep(1.05);

    return;
}


subtest 'a slow query' => sub {
    my $nginx = node('50ms');

    my $slow  = sub {
        return $nginx->get('/tournaments/status')->json->{database}{slow};
    };

    # as connections are opened it may be slow

    is $nginx->get("$API/slow-a/state/", Cookie => 'sessionid=topsecret',
                   Authorization => 'Basic topsecret')->status, 404, 'a first one';
    pause();

    my $before = $slow->();

    $nginx->log_mark;
    held($nginx, 0.1, "$API/slow-b/state/");
    $nginx->wait_for_log($LINE);

    my @lines = lines($nginx);

    is scalar @lines, 1, 'one line';

    my $line = $lines[0];

    is "$line->{what} $line->{endpoint} $line->{key}", 'query state slow-b',
        'says which';
    cmp_ok $line->{ms}, '>=', 90, 'how long';
    cmp_ok abs($line->{ms} - $line->{connect} - $line->{queue}
               - $line->{query} - $line->{other}), '<=', 4,
        'its parts add up';
    cmp_ok $line->{query}, '>=', $line->{ms} - 40, 'PostgreSQL had it';
    is $line->{other} + $line->{connect}, 0, 'nothing else';
    is $slow->(), $before + 1, 'it is counted';

    pause();
    $nginx->log_mark;
    held($nginx, 0.1, map { "$API/slow-$_/state/" } 1 .. 20);

    poll_until { $slow->() >= $before + 21 } 10, 'all are counted';

    @lines = lines($nginx);
    cmp_ok scalar @lines, '<=', 2, 'many are no flood';

    my $said = 0;

    $said += 1 + $_->{more} for @lines;

    pause();
    $nginx->log_mark;
    held($nginx, 0.1, "$API/slow-c/state/");
    $nginx->wait_for_log($LINE);

    ($line) = lines($nginx);
    is $line->{key}, 'slow-c', 'the next one';
    is $said + $line->{more}, 20, 'says how many were left out';
    is $slow->(), $before + 22, 'all are counted';

    pause();
    $nginx->log_mark;
    held($nginx, 0.1, "$API/slow-d/state/");
    $nginx->wait_for_log($LINE);

    ($line) = lines($nginx);
    is $line->{more}, 0, 'and says so once';

    unlike $nginx->log, qr/topsecret/, 'what a client sent is not told';
};


subtest 'keys' => sub {
    my $nginx = node('50ms');
    my $lock  = $pg->session;

    for my $case (
        [ "$API/hub/?q=a%22b%5Cc%C3%BC&game=go&page=2&per_page=5",
          'hub', 'go,,,,,a\x22b\x5cc\xc3\xbc,2,5', 'TABLE tournaments_tournament' ],
        [ "$API/me/registrations/", 'user_registrations', '5001',
          'TABLE tournaments_registration' ],
        [ "$API/some-slug/register/context/", 'registration_context',
          '5001,some-slug', 'TABLE tournaments_tournament' ],
        [ "$API/states/?slugs=" . join(',', map { "slug-$_" } 1 .. 60),
          'states', qr/^\{\\x22slug-1\\x22,\\x22slug-2\\x22,.*\.\.\.$/,
          'TABLE tournaments_tournament' ],
    ) {
        my ($path, $endpoint, $key, $what) = @$case;
        my $client = Tournament::HTTP->new(port => $nginx->port);

        $nginx->log_mark;
        $lock->rows("BEGIN; LOCK $what");
        $client->send('GET', $path, 'X-Account' => 5001);

        poll_until {
            $pg->value(q{SELECT count(*) FROM pg_stat_activity
                          WHERE wait_event_type = 'Lock'})
        } 10, 'a query waits';
        Time::HiRes::sleep(0.06);

        $lock->rows('ROLLBACK');
        $client->receive('GET');
        $nginx->wait_for_log($LINE);

        my ($line) = lines($nginx);

        is $line->{endpoint}, $endpoint, $endpoint;
        ref $key ? like $line->{key}, $key, 'its key is cut'
                 : is $line->{key}, $key, 'its key';
        pause();
    }

    $lock->close;
};


subtest 'what it waited for' => sub {
    my $nginx = node('1s', http => 'tournament_database_connections 1;');
    my $lock  = $pg->session;
    my $line;

    # The first one, 0.7 s, is not slow, and holds up another one, which then
    # takes as long. On a machine that has much to do it may become slow.

    for my $try (1 .. 5) {
        my ($c, $d) = map { Tournament::HTTP->new(port => $nginx->port) } 1, 2;

        $nginx->log_mark;
        $gate->shut;
        $lock->rows('BEGIN; LOCK TABLE teams_teammembership');

        $c->send('GET', "$API/slow-$try/state/");
        $gate->wait_waiting(1);
        Time::HiRes::sleep(0.05);
        $d->send('GET', "$API/me/registrations/", 'X-Account' => 5100 + $try);
        Time::HiRes::sleep(0.6);
        $gate->open;
        $c->receive('GET');
        Time::HiRes::sleep(0.6);
        $lock->rows('ROLLBACK');
        $d->receive('GET');
        $nginx->wait_for_log($LINE);

        ($line) = lines($nginx);
        last if $line->{endpoint} eq 'user_registrations';
        pause();
    }

    is $line->{endpoint}, 'user_registrations', 'a query behind another';
    cmp_ok $line->{queue}, '>=', 500, 'was in the queue';
    cmp_ok $line->{query}, '>=', 500, 'and then took its time';
    is $line->{connect}, 0, 'there was a connection';

    $lock->close;
    $nginx->stop;

    # no server as nginx starts

    $pg->stop;
    $nginx = node('100ms', http => 'tournament_connect_timeout 10s;');
    $nginx->expect_log(qr/reconnecting/);
    $nginx->log_mark;

    my $client = Tournament::HTTP->new(port => $nginx->port);

    $client->send('GET', "$API/some-slug/count/");
    $nginx->wait_for_log(qr/reconnecting/);
    Time::HiRes::sleep(0.2);
    $pg->start;
    is $client->receive('GET', 20)->status, 404, 'a request as it starts';
    $nginx->wait_for_log($LINE);

    ($line) = lines($nginx);
    cmp_ok $line->{connect}, '>=', 200, 'waited for a connection';
    cmp_ok $line->{connect}, '>', $line->{query}, 'more than for the query';
    $nginx->stop;
};


subtest 'a request that waits for another worker' => sub {
    my $nginx   = node('50ms', workers => 2);
    my $workers = $nginx->connect_workers;
    my ($c, $d) = values %$workers;

    $nginx->log_mark;
    $gate->shut;
    $c->send('GET', "$API/slow-shared/state/");
    $gate->wait_waiting(1);
    $d->send('GET', "$API/slow-shared/state/");
    Time::HiRes::sleep(0.15);
    is $gate->waiting, 1, 'it sends no query of its own';
    $gate->open;
    $_->receive('GET') for $c, $d;

    poll_until { lines($nginx) == 2 } 10, 'two lines';

    my %line = map { $_->{what} => $_ } lines($nginx);

    is join(' ', sort keys %line), 'query request', 'of either';
    is "$line{request}{endpoint} $line{request}{key}", 'state slow-shared',
        'the request has its key';
    cmp_ok $line{request}{other}, '>=', $line{request}{ms} - 3,
        'and waited for the other one';
    is $line{request}{query} + $line{request}{queue}, 0, 'for nothing else';
};


subtest 'limits' => sub {
    my $nginx = node(undef);

    $nginx->log_mark;
    held($nginx, 0.15, "$API/slow-x/state/");
    ok $nginx->wait_for_log($LINE), '100 ms without the directive';

    $nginx->set(http => [ @{ $nginx->{http} }[0 .. $#{ $nginx->{http} } - 1],
                          'tournament_slow 0;' ]);
    $nginx->reload;
    pause();
    $nginx->log_mark;
    held($nginx, 0.15, "$API/slow-y/state/");
    is scalar(lines($nginx)), 0, '0 is none';
    is $nginx->get('/tournaments/status')->json->{database}{slow}, 1,
        'and none is counted';
};


subtest 'times in the access log' => sub {
    my $nginx  = node('0');
    my $begin  = now();
    my ($slow) = held($nginx, 0.3, "$API/slow-time/state/");
    my $passed = now() - $begin;

    is $slow->cache, 'MISS', 'a miss';
    is $nginx->get("$API/slow-time/state/")->cache, 'HIT', 'and a hit';

    my @lines = poll_until {
        my @found = grep { /slow-time/ } $nginx->access_log;

        @found == 2 && \@found;
    } 10, 'the access log has them';

    my (undef, undef, $query, $request) = split / /, $lines[0][0];

    cmp_ok $request, '>=', 0.25, 'the request\'s time is that it waited';
    cmp_ok $request, '<=', $passed + 0.002, 'and no more';
    # two clocks, each to the millisecond

    cmp_ok $query, '<=', $request + 0.002, 'it waited for the query';
    cmp_ok $query, '>=', 0.25, 'all the time';

    (undef, undef, $query, $request) = split / /, $lines[0][1];

    is $query, '-', 'a hit has no query';
    like $request, qr/^\d+\.\d{3}$/, 'but a time';
};


# The page is being loaded, which nobody waits for; then somebody does.

subtest 'a query that was begun in the background' => sub {
    my $lock = $pg->session;

    $lock->rows('BEGIN; LOCK TABLE tournaments_tournament');

    my $nginx = node('50ms', feed => 1, warm => 1);

    poll_until {
        $pg->value(q{SELECT count(*) FROM pg_stat_activity
                      WHERE wait_event_type = 'Lock'
                        AND query LIKE '%tournament_api.hub(%'})
    } 20, 'the page is being loaded';

    my $client = $nginx->connect->send('GET', '/tournaments/api/hub/');

    Time::HiRes::sleep(0.2);
    $lock->rows('ROLLBACK');
    $lock->close;

    is $client->receive->status, 200, 'an answer, late';
    $nginx->wait_for_log($LINE);

    my @slow = map { "$_->{what} $_->{endpoint}" } lines($nginx);

    is "@slow", 'query hub', 'which is said';
};


subtest 'debug log' => sub {
    my $options = (run({}, Tournament::Nginx::binary(), '-V'))[1];

    plan skip_all => 'this nginx is without --with-debug'
        if $options !~ /--with-debug/;

    my $nginx = node('0', level => 'debug');
    my $t     = $pg->tournament(slots => 3);

    $nginx->log_mark;
    $nginx->get($t->{path});
    $nginx->get($t->{path});
    $nginx->get("$API/no-such-one/state/");
    $nginx->wait_for_log(qr/tournament error: 404/);

    my $log = join "\n", grep { /tournament [a-z]+(?::| )/ && !/http script/ }
        split /\n/, $nginx->log_since;

    like $log, qr/(\*\d+)\ tournament\ request:\ state,\ key\ "\Q$t->{slug}\E"
        .*\1\ tournament\ zone:\ no\ entry
        .*\1\ tournament\ (flight:\w+)\ is\ waited\ for
        .*tournament\ \2\ is\ sent\ at\ clock\ \d+:\ tournament_state
        .*tournament\ \2\ has\ its\ result:\ rc\ 0,\ 1\ rows
        .*\1\ tournament\ result:\ rc\ 0\ after
        .*tournament\ rendered:\ \d+\ bytes,\ ETag\ W
        .*(\*\d+)\ tournament\ request:\ state,\ key\ "\Q$t->{slug}\E"
        .*\3\ tournament\ (?:memo:\ has\ it|zone:\ an\ entry\ of\ class\ 0)
        .*(\*\d+)\ tournament\ request:\ state,\ key\ "no-such-one"
        .*\4\ tournament\ error:\ 404/xs, 'a request is followed';
};


done_testing;
