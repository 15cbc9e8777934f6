# How long hits take while others' misses, and changes, go on: with one worker
# and with two.

package Bench::Case::Latency;

use strict;
use warnings;
use utf8;

use Bench::Machine qw(on_core);
use Bench::Report qw(number);
use Tournament::Postgres;
use Tournament::Util qw(project reap spawn);

my $TOURNAMENTS = 10_000;
my $HOT         = 1_000;        # asked for, and left alone
my $CHANGES     = 200;          # a second
my $SECONDS     = 2;

my @OTHERS = (
    ['hits alone'],
    ['with misses', 'misses'],
    ['with changes', 'changes'],
    ['with both', 'misses', 'changes'],
);


sub start {
    my ($bench, $pg, $nginx, $what) = @_;

    my $long = $SECONDS + 30;

    open my $null, '>', '/dev/null' or die "/dev/null: $!\n";

    return spawn({ stdout => $null }, on_core($bench->load, 'wrk', '-t', 1, '-c', 4,
            '-d', "${long}s", '-s', project('bench', 'wrk', 'distinct.lua'),
            'http://127.0.0.1:' . $nginx->port, '--', $TOURNAMENTS, $HOT + 1,
            '/uncached/bench-', '/'))
        if $what eq 'misses';

    return spawn({ stdout => $null },
        Tournament::Postgres::client('pgbench'), '--no-vacuum',
        '--protocol', 'prepared', '--client', 1, '--rate', $CHANGES,
        '--time', $long, '--define', 'first=' . ($HOT + 1),
        '--define', "last=$TOURNAMENTS",
        '--file', project('bench', 'sql', 'changes.sql'),
        $pg->conninfo(user => 'postgres'));
}


sub hits {
    my ($bench, $pg, $nginx, @others) = @_;

    my @pids = map { start($bench, $pg, $nginx, $_) } @others;

    my $report = eval {
        $bench->wrk(port => $nginx->port, script => 'distinct.lua',
                    args => [$HOT], connections => 8, seconds => $SECONDS);
    };

    my $error = $@;

    for my $n (0 .. $#others) {
        $error ||= "$others[$n] ended before the hits did\n"
            if defined reap($pids[$n], 0);

        kill 'TERM', $pids[$n];
        reap($pids[$n], 10);
    }

    die $error if !$report || $error;

    return $report;
}


return {
    name  => 'latency',
    title => 'Hits while misses and changes go on',

    run => sub {
        my ($bench, $result) = @_;

        $bench->need('wrk', 'taskset');

        my $pg = $bench->postgres_of($TOURNAMENTS);

        my $server = q{
            location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                tournament state $slug;
                tournament_ttl state 1h;
            }

            location ~ ^/uncached/(?<slug>[^/]+)/$ {
                tournament state $slug;
                tournament_ttl state 0;
            }
        };

        my @subjects;

        for my $workers (1, 2) {
            my $name  = $workers == 1 ? '1 worker' : "$workers workers";
            my $nginx = $bench->nginx(
                name    => "workers$workers",
                workers => $workers,
                core    => $workers == 1 ? $bench->server : undef,
                module  => 1,
                http    => $bench->module_conf(postgres => $pg, feed => 1),
                server  => $server,
            );

            hits($bench, $pg, $nginx);

            push @subjects, map {
                my ($others, @what) = @$_;

                +{
                    name    => "$name, $others",
                    base    => "$name, $OTHERS[0][0]",
                    measure => sub { hits($bench, $pg, $nginx, @what) },
                }
            } @OTHERS;
        }

        $bench->compare($result, unit => 'requests/s', rounds => 3,
                        subjects => \@subjects);

        $result->note('8 connections ask for random ones of ' . number($HOT)
            . ' cached tournaments, as fast as they are answered. Misses: 4 '
            . "connections for others, each a query. Changes: $CHANGES "
            . 'commits a second to others, which the feed tells. `wrk`, '
            . 'PostgreSQL and, of two, the second worker share a core.');
    },
};
