# A node that starts loads what will be asked for, in the background, and does
# so again when it has been without the feed.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $STATE = '%FROM tournament_api.state($1)%';
my $WARM  = '%FROM tournament_api.warm(%';
my $HUB   = '%FROM tournament_api.hub(%';
my $STATS = '%FROM tournament_api.platform_stats(%';

my $pg = database();

my %status = (
    'published-1' => 'PUBLISHED',
    'published-2' => 'PUBLISHED',
    'running-1'   => 'RUNNING',
    'draft-1'     => 'DRAFT',
    'completed-1' => 'COMPLETED',
);

my %tournament = map {
    $_ => $pg->tournament(slug => $_, status => $status{$_}, slots => 10)
} sort keys %status;

my @loaded = grep { /published|running/ } sort keys %status;
my $lock   = $pg->session;
my $LOADED = qr/tournament: (\d+) states loaded/;


# From here on warm() waits, having read, while the lock is held.

my $result = $pg->value(
    q{SELECT pg_get_function_result('tournament_api.warm()'::regprocedure)});

$pg->psql(<<"END");
    ALTER FUNCTION tournament_api.warm() RENAME TO warm_at_once;
    CREATE FUNCTION tournament_api.warm() RETURNS $result
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS \$\$
    BEGIN
        RETURN QUERY SELECT * FROM tournament_api.warm_at_once();
        PERFORM pg_advisory_xact_lock_shared(4711);
    END
    \$\$;
    GRANT EXECUTE ON FUNCTION tournament_api.warm() TO PUBLIC;
END


sub hold    { $lock->rows('SELECT pg_advisory_lock(4711)') }
sub release { $lock->rows('SELECT pg_advisory_unlock(4711)') }

sub wait_held {
    poll_until {
        $pg->value(q{SELECT count(*) FROM pg_stat_activity
                      WHERE wait_event = 'advisory'})
    } 20, 'it is being loaded';

    return;
}


sub node {
    my ($name, %options) = @_;

    return Tournament::Nginx->new(name => $name, database => $pg,
                                  options(warm => 1, %options));
}


sub is_loaded {
    my ($node, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return subtest $name => sub {
        my $workers = $node->connect_workers;

        for my $connection (values %$workers) {
            is $connection->get($tournament{$_}{path})->cache, 'HIT', $_
                for @loaded;
        }

        my ($connection) = values %$workers;

        for my $page ([ 'api/hub/', $HUB ], [ '', $HUB ],
                      [ 'api/stats/', $STATS ])
        {
            poll_until {
                $connection->get("/tournaments/$page->[0]")->cache eq 'HIT'
            } 20, 'it is loaded';
        }

        is $pg->calls(like => $STATE), 0, 'no state was asked for';
        is $pg->calls(like => $_), 1, 'one statement' for $WARM, $HUB, $STATS;
    };
}


subtest 'a node starts' => sub {
    $pg->reset_calls;

    my $node = node('starting');

    is $node->wait_for_log($LOADED), 'tournament: 3 states loaded', 'the log';
    is_loaded($node, 'what is to be seen is loaded');

    for my $slug (qw(draft-1 completed-1)) {
        is $node->state($slug)->cache, 'MISS', "$slug is not";
    }

    is $node->state('published-1')->json->{max_teams}, 10, 'as it is';

    $pg->change($tournament{'published-1'}, slots => 11);
    handled($pg, $node);
    is $node->state('published-1')->json->{max_teams}, 11,
        'and changes as everything';
    $pg->change($tournament{'published-1'}, slots => 10);
    handled($pg, $node);

    # Without the feed for a moment: nobody has to ask for what is suspect.

    $pg->reset_calls;
    $node->log_mark;
    $pg->terminate(pid => feed_backend($pg));
    $node->wait_for_log($LOADED);
    is_loaded($node, 'it is loaded again after the feed was lost');

    # The listening worker's death is a loss, too.

    $pg->reset_calls;
    $node->log_mark;
    $node->kill_worker(listener($node));
    $node->wait_for_log($LOADED);
    is_loaded($node, 'and after the listening worker has died');

    # A reload is not.

    $pg->reset_calls;
    $node->reload;
    $node->wait_for_log(qr/listening to changes/);
    is $node->state($_)->cache, 'HIT', "$_ is there still" for @loaded;
    is $pg->calls(like => $WARM), 0, 'a reload loads nothing again';

    $node->stop;
};


# Other keys are another, cold cache, though no change has gone by.

for my $case ([ 'heard' ], [ 'unheard', http => 'tournament_listen off;' ]) {
    my ($name, %options) = @$case;

    subtest "a new tournament_cache_version, $name" => sub {
        $pg->reset_calls;

        my $node = node($name, %options);
        my $http = $node->{http};

        $node->wait_for_log($LOADED);
        is_loaded($node, 'under the first keys');

        for my $version (2, 3) {
            $pg->reset_calls;
            $node->log_mark;
            $node->reload(http => [ @$http,
                                    "tournament_cache_version $version;" ]);
            is $node->wait_for_log($LOADED), 'tournament: 3 states loaded',
                'they are loaded again';
            is_loaded($node, 'under the new keys');
        }

        $pg->reset_calls;
        $node->reload;
        $node->wait_for_log(qr/listening to changes/) if $name eq 'heard';
        is $node->state($_)->cache, 'HIT', "$_ is there still" for @loaded;
        is $pg->calls(like => $WARM), 0, 'a reload like any loads nothing';
        $node->stop;
    };
}


subtest 'what has failed is tried again at a reload' => sub {
    $pg->psql(<<"END");
        ALTER FUNCTION tournament_api.warm() RENAME TO warm_away;
        CREATE FUNCTION tournament_api.warm() RETURNS $result
        LANGUAGE plpgsql
        AS \$\$ BEGIN RAISE EXCEPTION 'not now'; END \$\$;
        GRANT EXECUTE ON FUNCTION tournament_api.warm() TO PUBLIC;
END

    my $node = node('failing');

    $node->expect_log(qr/refused.*not now/);
    $node->wait_for_log(qr/refused.*not now/);
    $pg->psql('DROP FUNCTION tournament_api.warm();
               ALTER FUNCTION tournament_api.warm_away() RENAME TO warm;');
    $node->log_mark;
    $node->reload;
    is $node->wait_for_log($LOADED), 'tournament: 3 states loaded', 'loaded';
    $node->stop;
};


subtest 'without the feed' => sub {
    $pg->reset_calls;

    my $node = node('deaf', feed => 1, http => 'tournament_listen off;');

    is $node->wait_for_log($LOADED), 'tournament: 3 states loaded', 'the log';
    is_loaded($node, 'it is loaded once, by one worker');
    $node->stop;
};


subtest 'off' => sub {
    $pg->reset_calls;

    my $node = Tournament::Nginx->new(name => 'cold', database => $pg,
                                      options());

    handled($pg, $node);
    is $node->state('published-1')->cache, 'MISS', 'nothing is loaded';
    is $pg->calls(like => $WARM), 0, 'nor asked for';
    $node->stop;
};


subtest 'nobody waits for it' => sub {
    hold();
    $pg->reset_calls;

    my $node = node('busy');

    wait_held();

    is $node->state('published-1')->json->{max_teams}, 10,
        'requests are answered meanwhile';
    is $node->state('draft-1')->status, 200, 'others too';

    # What it has read before a change is old as it comes.

    $pg->change($tournament{'published-1'}, slots => 20);
    $pg->change($tournament{'running-1'}, slots => 20);
    handled($pg, $node);
    is $node->state('published-1')->json->{max_teams}, 20, 'one has changed';

    $node->log_mark;
    release();
    $node->wait_for_log($LOADED);

    my $workers = $node->connect_workers;

    for my $slug ('published-1', 'running-1') {
        is $workers->{$_}->get($tournament{$slug}{path})->json->{max_teams},
            20, "$slug is not what was read before" for sort keys %$workers;
    }

    is $node->state('published-2')->cache, 'HIT', 'the others are loaded';
    $node->stop;
};


subtest 'a node that exits while it loads' => sub {
    hold();

    my $node = node('quitting');

    wait_held();
    $node->stop;
    release();
    pass 'is gone';
};


subtest 'many' => sub {
    $pg->rows("INSERT INTO tournaments_tournament (name, slug, game, status,
            slot_size, created_at, updated_at, groups_published)
        SELECT 'x', 'many-' || n, 'x', 'PUBLISHED', n, now(), now(), false
          FROM generate_series(1, 1500) n");
    $pg->reset_calls;

    my $node = node('many');

    is $node->wait_for_log($LOADED), 'tournament: 1503 states loaded',
        'all of them';

    my $wrong = 0;

    for my $n (map { $_ * 50 } 1 .. 30) {
        my $response = $node->state("many-$n");
        $wrong++ if $response->cache ne 'HIT'
                    || $response->json->{max_teams} != $n;
    }

    is $wrong, 0, 'each with its own facts';
    $node->stop;
};


subtest 'tournament_cache_version' => sub {
    my $t = $tournament{'completed-1'};
    my $node = Tournament::Nginx->new(name => 'version', database => $pg,
                                      options());
    my $http = $node->{http};
    my %shown = (state => $t->{path}, hub => '/tournaments/api/hub/',
                 stats => '/tournaments/api/stats/',
                 states => '/tournaments/api/states/?slugs=completed-1');

    handled($pg, $node);

    for my $version (undef, 2, 3) {
        $node->reload(http => [ @$http,
            "tournament_cache_version $version;" ]) if $version;

        is $node->get($shown{$_})->cache, 'MISS', "$_ is not there yet"
            for $version ? qw(hub stats state) : 'state';

        for my $path (values %shown) {
            poll_until {
                $node->get($path)->cache eq 'HIT'
            } 20, 'it is cached';
        }
    }

    $node->reload(http => $http);
    is $node->get($t->{path})->cache, 'HIT', 'the first one is there still';
};


done_testing;
