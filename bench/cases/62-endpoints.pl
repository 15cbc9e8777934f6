# How long each endpoint takes when nothing of it is cached, at three sizes of
# the database: one client, one request after the other.

package Bench::Case::Endpoints;

use strict;
use warnings;
use utf8;

use Bench::Client;
use Bench::Report qw(number);
use Bench::Stats qw(median quantile);
use Tournament::Endpoints;
use Tournament::Nginx;
use Tournament::Util qw(now);

my @SIZES    = (100, 10_000, 100_000);
my $REQUESTS = 100;
my $SECONDS  = 1;

# What is asked for by a user, and by staff: the participants are for nobody
# else before a tournament starts.

my %FOR_USERS = map { $_ => 1 } names(account => 1), names(staff => 1);


# What takes as long whatever the database's size: so many times what it does
# at the smallest one, at most.

my $GROWTH = 2;


# Name, path, and what it may take: ms at every size, or at the smallest one,
# which are those of the application that is replaced, and no more at others.

my @ENDPOINTS = (
    ['state',                 'api/bench-7/state/', first => 45],
    ['states, 100 of them',   'api/states/?slugs='
                              . join(',', map { "bench-$_" } 1 .. 100),
                              first => undef],
    ['hub',                   'api/hub/', each => 10],
    ['hub, page 3 of a game', 'api/hub/?game=valorant&page=3'],
    ['hub, most popular',     'api/hub/?sort=popular'],
    ['hub, a text of some',   'api/hub/?q=bench+99'],
    ['hub, a text of all',    'api/hub/?q=bench'],
    ['hub, a text of none',   'api/hub/?q=zq'],
    ['detail',                'api/bench-7/detail/', first => 120],
    ['participants',          'api/bench-7/participants/', first => undef],
    ['count',                 'api/bench-7/count/', first => undef],
    ['registration_context',  'api/bench-7/register/context/', first => 65],
    ['user_registrations',    'api/me/registrations/', first => undef],
    ['platform_stats',        'api/stats/'],
);


sub node {
    my ($bench, $pg) = @_;

    my %api = Tournament::Nginx::api();

    return $bench->nginx(
        name   => 'endpoints',
        core   => $bench->load,
        module => 1,
        http   => join("\n", $bench->module_conf(postgres => $pg),
                       @{ $api{http} },
                       map({ "tournament_ttl $_ 0;" } ttls()),
                       map({ "tournament_coalesce $_ 0;" }
                           names(coalesced => 1))),
        server => join("\n", @{ $api{locations} }),
    );
}


# Milliseconds of each request, fewer than asked for where they take long.

sub durations {
    my ($client, $path, $count, %headers) = @_;

    my $end = now() + $SECONDS;
    my @took;

    for (1 .. $count) {
        my $start = now();
        my ($head, $body) = $client->get("/tournaments/$path", %headers);
        my $now = now();

        die "$path: $head\n\n$body\n" if $head !~ m{^HTTP/1.1 200 };

        push @took, 1e3 * ($now - $start);

        last if $now > $end;
    }

    return @took;
}


# Compares a row with that of the smallest size, and gives it its target.

sub limit {
    my ($rows, $size, %limit) = @_;

    my $row   = $rows->{$size};
    my $first = $rows->{ $SIZES[0] };
    my $ms    = $size == $SIZES[0] ? $limit{each} // $limit{first}
                                   : $limit{each};

    $row->{target} = [at_most => $ms] if defined $ms;

    return if !exists $limit{first} || $row == $first;

    $row->{ratio}    = $row->{value} / $first->{value};
    $row->{ratio_to} = 'that of ' . number($SIZES[0]);
    $row->{target}   = [at_most => $GROWTH] if $size == $SIZES[-1];

    return;
}


return {
    name  => 'endpoints',
    title => 'Each endpoint, not cached',

    run => sub {
        my ($bench, $result) = @_;

        my @rows;

        for my $size (@SIZES) {
            my $pg    = $bench->postgres_of($size);
            my $nginx = node($bench, $pg);

            # Somebody of the demonstration data: those of the bench are in
            # thousands of tournaments.

            my ($account, $registrations) = $pg->row(q{
                SELECT p.user_id, count(*)
                  FROM user_profile_userprofile p
                  JOIN tournaments_registration r ON r.user_id = p.id
                 WHERE p.user_id < 9000000
                 GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1});

            my $client = Bench::Client->http($nginx->port);

            for my $n (0 .. $#ENDPOINTS) {
                my ($name, $path, %limit) = @{ $ENDPOINTS[$n] };
                my %headers = !$FOR_USERS{$name} ? ()
                    : ('X-Account' => $account, 'X-Staff' => 1);

                # PostgreSQL plans the first ones anew each time.

                durations($client, $path, 10, %headers);
                $pg->reset_calls;

                my @took = durations($client, $path,
                                     $REQUESTS / ($bench->quick ? 10 : 1),
                                     %headers);

                # A list by popularity is an order and its cards.

                my $each  = $name =~ /popular/ ? 2 : 1;
                my $calls = $pg->calls(like => '%tournament_api%');

                die "$name: $calls statements for ", scalar @took,
                    " requests\n"
                    if $calls != $each * @took;

                $rows[$n]{$size} = {
                    name   => "$name, " . number($size) . ' tournaments',
                    unit   => 'ms',
                    value  => median(@took),
                    p99_us => 1e3 * quantile(0.99, @took),
                    more   => { requests => scalar @took },
                };

                limit($rows[$n], $size, %limit);

                $bench->say(sprintf '  %-60s %8.2f ms',
                    @{ $rows[$n]{$size} }{qw(name value)});
            }

            $result->note("The user has $registrations registrations.")
                if $size == $SIZES[0];

            $nginx->stop;
            $pg->stop('immediate');
        }

        for my $row (@rows) {
            $result->row(%{ $row->{$_} }) for @SIZES;
        }

        $result->note("Medians of at most $REQUESTS requests on one "
            . 'connection, a statement each, prepared before. The ratio is '
            . 'to the time with ' . number($SIZES[0]) . ' tournaments.');
    },
};
