# The latency of what is cached while the database takes a second for each query
# and thousands of others need one.  Next to it nginx answers those others by
# `return 503`: the same number of requests, clients and bytes, and no database.

package Bench::Case::Overload;

use strict;
use warnings;
use utf8;

use Bench;
use Bench::HTTP qw(response);
use Bench::Machine qw(pin busy busy_clock);
use Tournament::HTTP ();

my $RATE = 2_500;
my $BASE = 'the others are `return 503`';


# Requests come when they are due, whatever has become of those before.

sub load {
    my ($bench, $server, $seconds, $path) = @_;

    my $load = Tournament::HTTP::load(
        port        => $server->port,
        path        => $path,
        rate        => $RATE,
        concurrency => 1_500,
        seconds     => $seconds,
    );

    pin($bench->load, $load->{pid});

    return $load;
}


sub subject {
    my ($bench, $server, $name, $others, %more) = @_;

    my $round   = 0;
    my $seconds = $bench->quick ? 2 : 4;

    return {
        name    => $name,
        measure => sub {
            my $before = busy_clock();
            my $n      = ++$round;
            my @loads  = (
                load($bench, $server, $seconds, sub {
                    '/tournaments/api/bench-' . ($_[0] % 1000 + 1) . '/state/'
                }),
                load($bench, $server, $seconds, sub {
                    "$others/none-$n-$_[0]/state/"
                }),
            );

            my ($cached, $other) = map { $_->wait->stop } @loads;

            die "what is cached was not answered\n"
                if keys %{ $cached->{status} } != 1
                    || !$cached->{status}{200} || $cached->{failed};
            die "none of the others was refused\n" if !$other->{status}{503};

            $bench->say(sprintf '    %s: %d cached, of the others %s', $name,
                $cached->{requests}, join ', ',
                map { "$other->{status}{$_} times $_" }
                sort keys %{ $other->{status} });

            return {
                rate   => $cached->{p99_ms},
                p50_us => 1e3 * $cached->{median_ms},
                p99_us => 1e3 * $cached->{p99_ms},
                busy   => busy($before, busy_clock(), $bench->server),
            };
        },
        %more,
    };
}


return {
    name  => 'overload',
    title => 'Cached states while the database is overloaded',

    run => sub {
        my ($bench, $result) = @_;

        my $pg     = $bench->postgres_of(1_000);
        my $proxy  = $pg->proxy;
        my $server = $bench->nginx(
            name        => 'overload',
            module      => 1,
            connections => 4_096,
            http        => $bench->module_conf(postgres => $proxy)
                . 'tournament_ttl state 1h;',
            server      => '
                location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                    tournament state $slug;
                }
                location /refused/ { return 503; }',
        );

        response($server->port, "/tournaments/api/bench-$_/state/")
            for 1 .. 1_000;

        $proxy->set(delay => 1, from => 'server');

        $bench->compare($result, unit => 'ms', base => $BASE, subjects => [
            subject($bench, $server, 'the others need the database',
                    '/tournaments/api', target => [at_most => 2]),
            subject($bench, $server, $BASE, '/refused'),
        ]);

        $result->note("$RATE requests a second of 1,000 cached states, and as "
            . 'many others, each begun when it is due; what is shown is the '
            . '99th percentile of the cached ones. A query takes a second, so '
            . 'that 4 connections give 4 answers a second: the others wait '
            . 'for two seconds in vain, or find the queue full.');
    },
};
