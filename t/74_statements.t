# One statement for an entry that is not cached, none for one that is: every
# endpoint, counted twice, by pg_stat_statements and by the server's log.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Endpoints;
use Tournament::Test;

my $API = '/tournaments/api';

my $pg = Tournament::Postgres->new(conf => {
    log_statement   => 'all',
    log_line_prefix => '%u: ',
});

my $api   = { Tournament::Nginx::api() };
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    workers   => 2,
    http      => $api->{http},
    locations => $api->{locations},
    server    => [ map { "tournament_ttl $_ 1h;" } ttls() ],
);

my $connection = $nginx->connect_workers;
my ($one, $two) = map { $connection->{$_} } sort keys %$connection;


# What the server's log says that nginx has it do: the statements, without
# what libpq's pipeline makes of them.

sub logged {
    $pg->value(q{SELECT 'the end'});
    $pg->wait_for_log(qr/SELECT 'the end'/);

    return grep { !/BEGIN|COMMIT/ }
        $pg->log_since =~ /^tournament: LOG:  execute [^:]*: (.*)/mg;
}


sub costs {
    my ($name, $statements, $code) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $pg->reset_calls;
    $pg->log_mark;
    $code->();

    my @logged = logged();
    my @calls  = $pg->statements;

    return is_deeply
        { logged => scalar(@logged), counted => $pg->calls + 0,
          others => [ grep { !/^SELECT \* FROM tournament_api\.\w+\(/ }
                      @logged, map { $_->[0] } @calls ] },
        { logged => $statements, counted => $statements, others => [] },
        $name;
}


my %STATEMENT = (
    state                => [ "$API/%s/state/" ],
    detail               => [ "$API/%s/detail/" ],
    count                => [ "$API/%s/count/" ],
    registration_context => [ "$API/%s/register/context/",
                              'X-Account' => 1012 ],
    participants         => [ "$API/%s/participants/", 'X-Staff' => 1 ],
    user_registrations   => [ "$API/me/registrations/",
                              'X-Account' => 1012 ],
    platform_stats       => [ "$API/stats/" ],
    hub                  => [ "$API/hub/" ],
    'hub of a game'      => [ '/tournaments/game/valorant/' ],
    'hub with all that there is' => [ "$API/hub/?status=open&fee=paid"
        . '&prize=high&sort=prize_low&page=2&per_page=5&game=cs2' ],
    states               => [ "$API/states/?slugs=opens-soon,busy-bees,"
                              . 'no-open,nobody' ],
    'registration_context of an anonymous'
                         => [ "$API/%s/register/context/" ],
    'a page URL'         => [ '/tournaments/t/busy-bees/' ],
);

for my $name (sort keys %STATEMENT) {
    my ($path, @headers) = @{ $STATEMENT{$name} };

    subtest $name => sub {
        my @paths = $path =~ /%s/
            ? map { sprintf $path, $_ } 'already-started', 'five-a-side',
                                        'nobody', 'secret-plans' : $path;

        for my $path (@paths) {
            my $first;

            costs "$path: one", 1, sub {
                $first = $one->get($path, @headers);
            };
            is $first->cache, 'MISS', 'a miss' if $first->status == 200;

            costs 'and then none, in no worker', 0, sub {
                for my $c ($one, $two, $one, $two) {
                    is $c->get($path, @headers)->cache, 'HIT', 'a hit';
                    $c->head($path, @headers);
                }
            };

            # An account of its own is what it is cached for.

            costs 'another account: another one', 1, sub {
                $two->get($path, 'X-Account' => 1013);
            } if $name =~ /^(?:registration_context|user_registrations)$/;
        }
    };
}


subtest 'what is refused costs none' => sub {
    costs 'bad arguments, methods, users', 0, sub {
        $one->get("$API/a.b/$_/") for qw(state detail count participants
                                         register/context);
        $one->get("$API/hub/?page=x");
        $one->get("$API/me/registrations/");
        $one->get("$API/me/registrations/", 'X-Account' => 'x');
        $one->get("$API/city-league/participants/");
        $one->post("$API/city-league/state/", body => 'x');
        $one->post("$API/states/", body => '[');
        $one->get("$API/states/");
    };
};


subtest 'an answer of two entries' => sub {
    costs 'state with a user: two', 2, sub {
        $one->get("$API/city-league/state/", 'X-Account' => 1012);
    };
    costs 'then none', 0, sub {
        $_->get("$API/city-league/state/", 'X-Account' => 1012)
            for $one, $two;
    };
    costs 'another user: one', 1, sub {
        $two->get("$API/city-league/state/", 'X-Account' => 1013);
    };
    costs 'participants with a user: two', 2, sub {
        $one->get("$API/open-door-league/participants/", 'X-Account' => 1012);
    };
    costs 'then none, whoever may see them or not', 0, sub {
        $_->get("$API/open-door-league/participants/", 'X-Account' => 1012)
            for $one, $two;
    };
    costs 'their context is there for state', 1, sub {
        $two->get("$API/open-door-league/state/", 'X-Account' => 1012);
    };
};


# Of many at once on one worker, whatever they ask for, one.

subtest 'many at once (invariant 4)' => sub {
    my $lock  = $pg->session;
    my ($pid) = sort keys %$connection;
    my @many  = map { $nginx->connect_workers->{$pid} } 1 .. 20;

    for my $case ([ 'count', "$API/opens-soon/count/" ],
                  [ 'hub', "$API/hub/?page=3" ],
                  [ 'detail', "$API/winter-warmup/detail/" ],
                  [ 'states', "$API/states/?slugs=quick-cup,late-entry" ],
                  [ 'user_registrations', "$API/me/registrations/",
                    'X-Account' => 1033 ],
                  [ 'registration_context',
                    "$API/winter-warmup/register/context/",
                    'X-Account' => 1033 ])
    {
        my ($name, $path, @headers) = @$case;

        costs "$name: one", 1, sub {
            $lock->rows('BEGIN; LOCK TABLE tournaments_tournament,
                                            user_profile_userprofile');

            $_->send('GET', $path, @headers) for @many;

            poll_until {
                grep { ($_->{wait} // '') eq 'Lock' } $pg->backends
            } 20, 'it waits';

            $lock->rows('COMMIT');

            is scalar(grep { $_->receive->status == 200 } @many), 20,
                'all are answered';
        };
    }
};


done_testing;
