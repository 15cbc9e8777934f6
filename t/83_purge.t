# PURGE: one tournament, those of a pattern, everything; wherever it is shown,
# also by a query that is under way. The next request reads the database.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

# Without the feed too: what a purge does it does by itself. Changes are made
# unheard of.

my $nginx = Tournament::Nginx->new(
    database => $pg,
    options(
        feed      => 0,
        http      => 'tournament_query_timeout 30s; tournament_stale 1h;',
        locations => [
            'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
        ],
    ),
);

my $account = 5001;
my $player  = $pg->profile(user_id => $account);
my @account = ('X-Account' => $account);

# Games keep them from being related to one another.

my %tournament = map {
    $_->[0] => $pg->tournament(slug => $_->[0], slots => 1, game => $_->[1])
} [ 'spring-cup', 'chess' ], [ 'spring-open', 'go' ], [ 'autumn-cup', 'golf' ],
  [ 'relative', 'chess' ];

for my $tournament (values %tournament) {
    next if $tournament->{slug} eq 'relative';

    $pg->insert('tournaments_registration',
        tournament_id => $tournament->{id}, user_id => $player,
        status => 'CONFIRMED', payment_status => 'pending',
        payment_method => '', payment_sender => '', payment_reference => '',
        created_at => \'now()');
}

my %SHOWN = (
    (map {
        ("state $_"        => [ "api/$_/state/" ],
         "detail $_"       => [ "api/$_/detail/" ],
         "count $_"        => [ "api/$_/count/" ],
         "context $_"      => [ "api/$_/register/context/", @account ],
         "participants $_" => [ "api/$_/participants/", 'X-Staff' => 1 ])
    } keys %tournament, 'missing'),
    states    => [ 'api/states/?slugs=spring-cup,autumn-cup' ],
    hub       => [ 'api/hub/' ],
    hub_go    => [ 'game/go/' ],
    dashboard => [ 'api/me/registrations/', @account ],
    stats     => [ 'api/stats/' ],
);

my $workers = $nginx->connect_workers;


sub purge {
    my ($pattern, $method) = @_;

    $pattern =~ s/\?/%3F/g;

    return $nginx->request($method // 'PURGE', "/purge/$pattern");
}


sub ask {
    my ($connection, $name, $prefix) = @_;

    my ($path, @headers) = @{ $SHOWN{$name} };

    return $connection->get('/' . ($prefix // 'tournaments') . "/$path",
                            @headers);
}


sub fill {
    for my $connection (values %$workers) {
        for my $name (sort keys %SHOWN) {
            poll_until {
                ask($connection, $name)->cache eq 'HIT'
            } 20, "$name is cached";
        }
    }

    return;
}


my $slots = 1000;

sub change_all {
    $slots++;
    unheard($pg, "UPDATE tournaments_tournament
                SET slot_size = $slots, name = 'Name $slots',
                    short_description = 'of $slots'");

    return;
}


# Which answers are not the ones from the cache any more, in any worker.

sub gone {
    my %gone;

    for my $connection (values %$workers) {
        for my $name (sort keys %SHOWN) {
            my $response = ask($connection, $name);

            $gone{$name} = 1 if $response->cache ne 'HIT';

            # who is not the first has what the first one fetched

            $gone{$name} = 1 if $response->body =~ /Name $slots|:$slots\b/;
        }
    }

    return [ sort keys %gone ];
}


sub about { return map { my $slug = $_; map { "$_ $slug" } qw(
    state detail count context participants) } @_ }


subtest 'one' => sub {
    fill();
    change_all();

    my $response = purge('spring-cup');

    is $response->status, 200, 'status';
    is_json $response, '{"success":true,"purged":"spring-cup"}', 'body';
    is $response->header('Cache-Control'), 'no-store', 'Cache-Control';

    is_deeply gone(),
        [ sort { $a cmp $b } about('spring-cup'), 'detail relative', 'dashboard', 'hub',
               'states' ],
        'everything that shows it, and nothing else';
};


subtest 'one that is shown by others only' => sub {
    purge('*');
    fill();

    my %before = %SHOWN;

    purge('*');
    %SHOWN = map { ($_ => $before{$_}) }
        ('detail relative', 'dashboard', 'hub', 'hub_go', 'stats',
         'state autumn-cup');
    fill();
    change_all();
    purge('spring-cup', 'DELETE');
    is_deeply gone(), [ 'dashboard', 'detail relative', 'hub' ],
        'it is gone from them';
    %SHOWN = %before;
};


subtest 'a pattern' => sub {
    for my $pattern ('spring-*', '*pring-*', 's??ing-????', 'spring-?*',
                     '*-*n*', 'spring*', '**s*p*r*-**')
    {
        my @match = $pattern eq '*-*n*' ? 'spring-open'
                  : $pattern eq 's??ing-????' ? 'spring-open'
                  : qw(spring-cup spring-open);

        purge('*');
        fill();
        change_all();
        is purge($pattern)->status, 200, $pattern;

        my @others = (
            (grep { $_ eq 'spring-cup' } @match)
                ? ('detail relative', 'states') : (),
            (grep { $_ eq 'spring-open' } @match) ? 'hub_go' : (),
        );

        is_deeply gone(),
            [ sort { $a cmp $b } about(@match), @others, 'dashboard', 'hub' ],
            'everything that shows what matches';
    }

    fill();
    change_all();

    for my $pattern (qw(summer-* spring- pring-cup spring-cu ????? SPRING-CUP))
    {
        purge($pattern);
        is_deeply gone(), [], "$pattern matches nothing";
    }
};


subtest 'everything' => sub {
    purge('*');
    fill();
    change_all();
    is_json purge('*'), '{"success":true,"purged":"*"}', 'body';
    is_deeply gone(), [ sort keys %SHOWN ], 'it is gone';
};


subtest 'what does not exist' => sub {
    fill();
    unheard($pg, "INSERT INTO tournaments_tournament (name, slug, game, status,
                created_at, updated_at, groups_published)
             VALUES ('x', 'missing', 'x', 'PUBLISHED', now(), now(), false)");
    is $nginx->state('missing')->status, 404, 'is known not to';

    purge('missing');

    is ask($workers->{$_}, 'state missing')->status, 200,
        'until it is purged' for keys %$workers;
    is ask($workers->{$_}, 'detail missing')->status, 200, 'in every answer'
        for keys %$workers;
    unheard($pg, "DELETE FROM tournaments_tournament WHERE slug = 'missing'");
    purge('missing');
};


# Queries that are under way read before the purge.

sub hold_up {
    $pg->psql(q{
        CREATE OR REPLACE FUNCTION public.wait_after_read() RETURNS void
        LANGUAGE plpgsql SECURITY DEFINER AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(4711); END';
    });

    my $result = $pg->value(q{
        SELECT pg_get_function_result('tournament_api.state(text)'::regprocedure)
    });

    $pg->psql(<<"END");
        ALTER FUNCTION tournament_api.state(text) RENAME TO state_at_once;
        CREATE FUNCTION tournament_api.state(p_slug text) RETURNS $result
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS \$\$
        BEGIN
            RETURN QUERY SELECT * FROM tournament_api.state_at_once(p_slug);
            IF p_slug LIKE 'held%' THEN
                PERFORM public.wait_after_read();
            END IF;
        END
        \$\$;
        GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO PUBLIC;
END

    return;
}

hold_up();

my $lock = $pg->session;


# What a request has read changes unheard, and is purged, before it comes.

sub purge_meanwhile {
    my ($connection, $t, $pattern) = @_;

    $lock->rows('SELECT pg_advisory_lock(4711)');
    $connection->send('GET', $t->{path});
    poll_until {
        $pg->value(q{SELECT count(*) FROM pg_stat_activity
                      WHERE wait_event = 'advisory'})
    } 20, 'it has read';

    unheard($pg, "UPDATE tournaments_tournament SET slot_size = 20
                   WHERE id = $t->{id}");
    is purge($pattern)->status, 200, 'purged';

    return;
}


for my $case ([ 'itself', 'held-1', 'held-1' ], [ 'a pattern', 'held-2', 'h*2' ],
              [ 'everything', 'held-3', '*' ])
{
    my ($name, $slug, $pattern) = @$case;

    subtest "a query under way: $name" => sub {
        my $t = $pg->tournament(slug => $slug, slots => 10);
        my $workers = $nginx->connect_workers;
        my ($first, $second) = map { $workers->{$_} } sort keys %$workers;

        purge_meanwhile($first, $t, $pattern);

        # Who asks after it, of the same worker and of the other.

        my $same = $nginx->connect_workers->{ (sort keys %$workers)[0] };

        $same->send('GET', $t->{path});
        $second->send('GET', $t->{path});
        poll_until { !unread() } 20, 'they wait';
        $lock->rows('SELECT pg_advisory_unlock(4711)');

        is $same->receive->max_teams, 20, 'who comes after it, there';
        is $second->receive->max_teams, 20, 'and in the other worker';
        like $first->receive->max_teams, qr/^[12]0$/,
            'who came before it is answered';

        is $_->get($t->{path})->max_teams, 20, 'and all who come then'
            for $same, $second;
    };

    subtest "a query under way, nobody else waits: $name" => sub {
        my $t = $pg->tournament(slug => "$slug-2", slots => 10);
        my $workers = $nginx->connect_workers;
        my ($first) = map { $workers->{$_} } sort keys %$workers;

        (my $its = $pattern) =~ s/(held-1)/$1-2/;
        $its =~ s/h\*2/h*2-2/;

        purge_meanwhile($first, $t, $its);
        $lock->rows('SELECT pg_advisory_unlock(4711)');
        $first->receive;

        is $workers->{$_}->get($t->{path})->max_teams, 20,
            'the next request reads the database' for sort keys %$workers;
    };
}


# Bytes that nginx has not read, on some connection.

sub unread {
    my $port = sprintf '%04X', $nginx->{spread};

    return grep {
        my (undef, $local, undef, $state, $queues) = split ' ';
        $local =~ /:$port$/ && $state eq '01' && $queues !~ /:00000000$/
    } split /\n/, slurp('/proc/net/tcp');
}


subtest 'methods' => sub {
    for my $method (qw(GET HEAD POST PUT OPTIONS PATCH PURGED PURG)) {
        my $response = purge('spring-cup', $method);

        is $response->status, 405, $method;
        like $response->header('Allow') // '', qr/\bPURGE\b.*\bDELETE\b/,
            'Allow';
    }

    is purge('spring-cup', 'DELETE')->status, 200, 'DELETE';
    is $nginx->request('PURGE', '/purge/spring-cup', body => 'x' x 10000)
        ->status, 200, 'a body is no matter';
    is $nginx->request('PURGE', '/tournaments/api/spring-cup/state/')->status,
        405, 'PURGE of something else';
};


subtest 'malformed' => sub {
    fill();
    change_all();

    for my $pattern ('', '%20', 'a/b', 'spring-cup%20', '[a-z]', '%5C*',
                     '%C3%A9', 'a.b', 'a' x 256, '*' x 256, "'", '%22')
    {
        is_error purge($pattern), 400, 'bad_request',
            length $pattern > 20 ? 'too long' : "\"$pattern\"";
    }

    for my $query ('spring-cup?', 'spring-cup?x=1', 'spring-cu?', '*?') {
        my $response = $nginx->request('PURGE', "/purge/$query");

        is_error $response, 400, 'bad_request', "a query: $query";
        like $response->json->{error}, qr/%3F/, 'and how to write it';
    }

    is_deeply gone(), [], 'and nothing is purged';
    is purge('a' x 255)->status, 200, 'the longest';
    is purge('*' x 254 . 'a')->status, 200, 'many stars';
};


subtest 'many entries' => sub {
    $pg->rows("INSERT INTO tournaments_tournament (name, slug, game, status,
            created_at, updated_at, groups_published)
        SELECT 'x', (CASE n % 2 WHEN 0 THEN 'even-' ELSE 'odd-' END) || n,
               'x', 'DRAFT', now(), now(), false
          FROM generate_series(1, 3000) n");

    my @slugs = map { ($_ % 2 ? 'odd-' : 'even-') . $_ } 1 .. 3000;

    while (my @some = splice @slugs, 0, 100) {
        $nginx->get('/tournaments/api/states/?slugs=' . join ',', @some);
    }

    $pg->reset_calls;
    is purge('even-*')->status, 200, 'half of them are purged';

    is $nginx->state('even-3000')->cache, 'MISS', 'one of them';
    is $nginx->state('odd-2999')->cache, 'HIT', 'not one of them';

    my $wrong = 0;

    for my $n (map { $_ * 10 } 1 .. 200) {
        $wrong++ if $nginx->state("even-$n")->cache ne 'MISS';
    }

    is $wrong, 0, 'all of them';
};


# A zone has many buckets: requests have their turn while they are looked at.

subtest 'turns' => sub {
    my $options = (run({}, Tournament::Nginx::binary(), '-V'))[1];

    plan skip_all => 'this nginx is without --with-debug'
        if $options !~ /--with-debug/;

    my $node = Tournament::Nginx->new(
        name      => 'large',
        database  => $pg,
        zone      => '64m',
        level     => 'debug',
        locations => [
            'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
        ],
    );

    $node->log_mark;
    is $node->request('PURGE', '/purge/none')->status, 200, 'a purge';

    cmp_ok scalar(() = $node->log_since =~ /epoll timer:/g), '>', 50,
        'of many turns';
};


# A worker's memo may have an answer for its second whose entry has had to go
# from the zone. The clock stands still, so that the second does not pass.

subtest 'what has gone from the zone' => sub {
    my $node = Tournament::Nginx->new(
        name     => 'small',
        database => $pg,
        clock    => 1_800_000_000,
        zone     => '256k',
        options(
            feed      => 0,
            workers   => 1,
            locations => [
                'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
            ],
        ),
    );

    my @cups  = map {
        $pg->tournament(slug => "winter-$_", slots => 1)
    } 1 .. 8;
    my @many  = map { "/tournaments/api/many-$_/state/" } 1 .. 1500;
    my $slots = sub { $node->get($_[0]{path})->json->{max_teams} };

    $pg->rows("INSERT INTO tournaments_tournament (name, slug, game, status,
            created_at, updated_at, groups_published)
        SELECT 'Many', 'many-' || n, 'many', 'PUBLISHED', now(), now(), false
          FROM generate_series(1, 1500) n");

    is $slots->($_), 1, 'it is there' for @cups;
    fetch(port => $node->port, paths => \@many, concurrency => 20);
    unheard($pg, "UPDATE tournaments_tournament SET slot_size = 2
                   WHERE slug LIKE 'winter-%'");

    # the memo keeps most of them, not each

    my @kept = grep { $node->get($_->{path})->cache eq 'HIT' } @cups;

    ok scalar(@kept), 'some are remembered';
    is $slots->($_), 1, 'as it was' for @kept;
    is $node->request('PURGE', '/purge/winter-*')->status, 200, 'purged';
    is $slots->($_), 2, 'it is not any more' for @cups;
    $node->stop;
};


subtest 'the database fails' => sub {
    my $nginx = Tournament::Nginx->new(
        database => $pg,
        name     => 'failing',
        options(
            feed      => 0,
            http      => 'tournament_query_timeout 500ms;
                          tournament_stale 1h;',
            locations => [
                'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
            ],
        ),
    );

    is $nginx->state($_)->status, 200, $_
        for qw(spring-cup spring-open autumn-cup);
    is $nginx->request('PURGE', '/purge/spring-c*')->status, 200, 'purged';
    $pg->stop('fast');

    like $nginx->state('spring-cup')->status, qr/^50[34]$/,
        'what is purged is not shown';
    is $nginx->state($_)->status, 200, 'what is not is'
        for qw(spring-open autumn-cup);

    is $nginx->request('PURGE', '/purge/*')->status, 200, 'purged';
    like $nginx->state($_)->status, qr/^50[34]$/, 'nor is it now'
        for qw(spring-open autumn-cup);

    $pg->start;
    poll_until { $nginx->state('spring-cup')->status == 200 } 20, 'it is back';
    pass 'and all is well';
};


done_testing;
