# Many ask at once for the same thing, and it is not cached: how many queries
# that costs, and how long the last one waits.

package Bench::Case::Stampede;

use strict;
use warnings;
use utf8;

use Bench::Client;
use Bench::Stats qw(median quantile);
use Tournament::Util qw(now);

my $CLIENTS = 200;


# Milliseconds until the last of the clients has its answer.

sub rush {
    my ($path, @clients) = @_;

    my $start = now();

    $_->ask($path) for @clients;

    for my $client (@clients) {
        my ($head, $body) = $client->answer;

        die "$path: $head\n\n$body\n" if $head !~ m{^HTTP/1.1 200 };
    }

    return 1e3 * (now() - $start);
}


sub calls {
    my ($pg) = @_;

    return $pg->calls(like => '%tournament_api.state(%');
}


return {
    name  => 'stampede',
    title => "$CLIENTS clients at once for a state that is not cached",

    run => sub {
        my ($bench, $result) = @_;

        my $pg    = $bench->postgres;
        my $times = $bench->quick ? 5 : 50;
        my $n     = 0;

        my $nginx = $bench->nginx(
            name    => 'stampede',
            workers => 2,
            module  => 1,
            http    => $bench->module_conf,
            server  => q{
                location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                    tournament state $slug;
                }
            },
        );

        my $next = sub { '/tournaments/api/bench-' . ++$n . '/state/' };

        my @clients = map { Bench::Client->http($nginx->port) }
            1 .. $CLIENTS;

        rush($next->(), @clients) for 1 .. 5;
        $pg->reset_calls;

        my @together = map { rush($next->(), @clients) } 1 .. $times;
        my $queries  = calls($pg) / $times;
        my @alone    = map { rush($next->(), $clients[0]) } 1 .. $times;

        $result->row(
            name   => 'this module, queries for each such state',
            value  => $queries,
            target => [at_most => 1],
        );

        $result->row(
            name   => 'this module, until the last has its answer',
            unit   => 'ms',
            value  => median(@together),
            p99_us => 1e3 * quantile(0.99, @together),
        );

        $result->row(
            name   => 'this module, one client alone',
            unit   => 'ms',
            value  => median(@alone),
            p99_us => 1e3 * quantile(0.99, @alone),
        );

        $bench->try($result, 'Django without a cache', sub {
            my $django = $bench->django;
            my $few    = $bench->quick ? 2 : 5;

            my @all = map { Bench::Client->http($django->port) }
                1 .. $CLIENTS;

            rush($next->(), @all);

            my @took = map { rush($next->(), @all) } 1 .. $few;

            $result->row(
                name  => 'Django without a cache, until the last has it',
                unit  => 'ms',
                value => median(@took),
            );
        });

        $result->note("$times such states, one after the other, of a node of "
            . 'two workers; the time is from the first request’s sending.');
    },
};
