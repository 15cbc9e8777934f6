# From a commit to the first answer that shows it, for both kinds of feed: the
# commit's return starts the clock, and both workers of a node are asked, in a
# tight loop, until each has given a fresh answer.

package Bench::Case::Fresh;

use strict;
use warnings;
use utf8;

use Bench::Client;
use Bench::HTTP qw(response);
use Bench::Machine qw(on_core);
use Bench::Stats qw(median quantile);
use Tournament::Util qw(now poll_until reap spawn);

my $TOURNAMENTS = 10_000;
my $WARM_UP     = 20;
my $PATIENCE    = 10;

my $next = 1_000;


# A connection to each of both workers.

sub connections {
    my ($nginx) = @_;

    my %worker;

    for (1 .. 200) {
        my $client = Bench::Client->http($nginx->port);
        my ($head) = $client->get('/worker');

        $worker{ ($head =~ /^X-Worker: (\d+)/m)[0] } //= $client;

        return values %worker if keys %worker == 2;
    }

    die "200 connections came to one worker\n";
}


# Changes one tournament; milliseconds until each worker's answer showed it.

sub change {
    my ($writer, @clients) = @_;

    my $n    = 1 + int rand $TOURNAMENTS;
    my $size = ++$next;
    my $path = "/tournaments/api/bench-$n/state/";

    # What is not cached would be fresh anyhow.

    $_->get($path) for @clients;

    $writer->execute("UPDATE tournaments_tournament SET slot_size = $size"
        . " WHERE slug = 'bench-$n'");

    my $committed = now();
    my $deadline  = $committed + $PATIENCE;
    my @took;
    while (@clients) {
        my @stale;

        for my $client (@clients) {
            my ($head, $body) = $client->get($path);
            my $now           = now();

            if (index($body, "\"max_teams\":$size,") >= 0) {
                push @took, 1e3 * ($now - $committed);

            } else {
                die "not fresh after $PATIENCE s: $head\n$body\n"
                    if $now > $deadline;

                push @stale, $client;
            }
        }

        @clients = @stale;
    }

    return @took;
}


# The median of notify is what logical's is compared with.

sub report {
    my ($result, $name, $base, @took) = @_;

    my $row = $result->row(
        name   => "$name, median",
        unit   => 'ms',
        value  => median(@took),
        target => [at_most => $base ? 1.5 : 2],
        more   => { count => scalar @took },
        $base ? (ratio => median(@took) / $base->{value},
                 ratio_to => $base->{name}) : (),
    );

    $result->row(
        name   => "$name, p99",
        unit   => 'ms',
        value  => quantile(0.99, @took),
        target => [at_most => 10],
        more   => { greatest => quantile(1, @took) },
    );

    return $row;
}


sub measure {
    my ($bench, $result, $feed, $base) = @_;

    my $pg = $bench->postgres_of($TOURNAMENTS, durable => 1, logical => 1);

    $pg->rows('ALTER ROLE tournament REPLICATION');
    $pg->load('install', feed => $feed);

    my $nginx = $bench->nginx(
        name    => 'fresh',
        workers => 2,
        module  => 1,
        http    => $bench->module_conf(postgres => $pg, feed => $feed),
        server  => q{
            add_header X-Worker $pid;

            location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                tournament state $slug;
                tournament_ttl state 1h;
            }

            location = /status {
                tournament status;
            }

            location = /worker {
                return 200 worker;
            }
        },
    );

    poll_until {
        response($nginx->port, '/status')->{body}
            =~ /"feed":\{"state":"up"/
    } 30, 'the node listens';

    my $writer  = Bench::Client->postgres($pg);
    my @clients = connections($nginx);
    my $commits = $bench->quick ? 50 : 500;
    my %row;

    change($writer, @clients) for 1 .. $WARM_UP;

    $row{idle} = report($result, "$feed, idle node", $base->{idle},
                        map { change($writer, @clients) } 1 .. $commits);

    my $wrk = spawn({}, on_core($bench->load, qw(wrk -t 1 -c 8 -d 120s),
        'http://127.0.0.1:' . $nginx->port
        . '/tournaments/api/bench-cached/state/'));

    my @took = map { change($writer, @clients) } 1 .. $WARM_UP + $commits;

    die "wrk ended before the commits did\n" if defined reap($wrk, 0);

    kill 'TERM', $wrk;
    reap($wrk, 10);

    $row{busy} = report($result, "$feed, while `wrk` polls", $base->{busy},
                        @took[2 * $WARM_UP .. $#took]);

    return \%row;
}


return {
    name  => 'fresh',
    title => 'From a commit to a fresh answer',

    run => sub {
        my ($bench, $result) = @_;

        $bench->need('wrk', 'taskset');

        my $notify = measure($bench, $result, 'notify', {});

        measure($bench, $result, 'logical', $notify);

        $result->note('Durable commits, to random '
            . 'tournaments that are cached; from the commit’s return to the '
            . 'first answer with the change, of each of two workers. They '
            . 'share a core; `wrk` keeps 8 connections busy from the other, '
            . 'which is the client’s too.');
    },
};
