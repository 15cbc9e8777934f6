# What a hit costs when the zone holds few tournaments, and many.

package Bench::Case::Growth;

use strict;
use warnings;
use utf8;

use Bench::Client;
use Bench::Machine qw(cpu_time);
use Bench::Report qw(number);
use POSIX qw(ceil);
use Time::HiRes qw(sleep time);

my @SIZES = (1_000, 100_000, 1_000_000);
my $BULK  = 100;
my $SOME  = $SIZES[0];
my $STEP  = 7919;            # prime: so many steps meet no number twice


# What is measured is the zone: its database makes up as many tournaments as
# are asked for, all of them like bench-1.

sub endless_database {
    my ($bench) = @_;

    my $pg = $bench->postgres_of(100);

    my $result = $pg->value(q{
        SELECT pg_get_function_result('tournament_api.states(text[])'
                                      ::regprocedure)});

    my ($columns) = $result =~ /\ATABLE\((.*)\)\z/s
        or die "states returns $result\n";

    my %own = (
        id   => "substr(s.slug, 7)::bigint",
        slug => 's.slug',
    );

    my $list = join ', ', map {
        my ($name) = /\A\s*(\w+)/;

        $own{$name} // "f.$name"
    } split /,/, $columns;

    $pg->psql(<<"END");
CREATE OR REPLACE FUNCTION tournament_api.states(p_slugs text[])
RETURNS $result
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS \$\$
    SELECT $list
      FROM unnest(p_slugs) AS s (slug), tournament_api.state('bench-1') AS f
\$\$;
END

    return $pg;
}


# Asks for all of the paths, some at a time.

sub in_turn {
    my ($nginx, @paths) = @_;

    my @free = map { Bench::Client->http($nginx->port) } 1 .. 8;
    my @busy;

    while (@paths || @busy) {

        if (@paths && @free) {
            $free[0]->ask(shift @paths);
            push @busy, shift @free;
            next;
        }

        my ($head) = $busy[0]->answer;

        die "$head\n" if $head !~ m{^HTTP/1.1 200 };

        push @free, shift @busy;
    }

    return;
}


# Fills the zone, the newest last.

sub fill {
    my ($nginx, $count) = @_;

    in_turn($nginx, map {
        my $first = $_ * $BULK + 1;

        '/tournaments/api/states/?slugs='
            . join ',', map { "bench-$_" } $first .. $first + $BULK - 1
    } 0 .. $count / $BULK - 1);

    return;
}


# From the worker's memo: the newest, over and over.

sub from_memo {
    my ($bench, $nginx, $size) = @_;

    return $bench->wrk(
        port        => $nginx->port,
        script      => 'distinct.lua',
        args        => [$size, $size - $SOME + 1],
        connections => 8,
        seconds     => 1,
    )->{requests};
}


# From the zone: a rendered answer is kept for its second, so that each is
# asked for at most once in it.

sub from_zone {
    my ($bench, $nginx, $size) = @_;

    my $seconds = 3;

    for (1 .. $seconds) {
        sleep ceil(time) + 0.01 - time;

        my $at = int rand $size;

        in_turn($nginx, map {
            $at = ($at + $STEP) % $size;
            '/tournaments/api/bench-' . ($at + 1) . '/state/'
        } 1 .. $SOME);
    }

    return $seconds * $SOME;
}


sub subject {
    my ($bench, $nginx, $size, $from, $code) = @_;

    return {
        name    => number($size) . " in the zone, $from",
        measure => sub {
            my $before = cpu_time($nginx->worker);
            my $asked  = $code->($bench, $nginx, $size);
            my $took   = cpu_time($nginx->worker) - $before;

            return { rate => 1e6 * $took / $asked };
        },
        $size == $SIZES[0] ? () : (target => [at_most => 1.3]),
    };
}


return {
    name  => 'growth',
    title => 'A hit, by how many tournaments the zone holds',

    run => sub {
        my ($bench, $result) = @_;

        $bench->need('wrk', 'taskset');

        my $pg    = endless_database($bench);
        my @sizes = $bench->quick ? @SIZES[0, 1] : @SIZES;
        my (@memo, @zone);

        for my $size (@sizes) {
            my $nginx = $bench->nginx(
                name   => 'growth',
                module => 1,
                http   => $bench->module_conf(postgres => $pg,
                                              zone     => '400m'),
                server => q{
                    tournament_ttl state 1h;

                    location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                        tournament state $slug;
                    }

                    location = /tournaments/api/states/ {
                        tournament states;
                    }
                },
            );

            fill($nginx, $size);

            push @memo, subject($bench, $nginx, $size, 'rendered this second',
                                \&from_memo);
            push @zone, subject($bench, $nginx, $size, 'rendered anew',
                                \&from_zone);
        }

        $pg->reset_calls;

        for my $subjects (\@memo, \@zone) {
            $bench->compare($result, unit => 'µs/request', rounds => 3,
                            base => $subjects->[0]{name},
                            subjects => $subjects);
        }

        my $calls = $pg->calls(like => '%tournament_api%');

        die "$calls statements for what was cached\n" if $calls;

        $result->note('The time that the worker works for a request, its '
            . 'system calls among it. ' . number($SOME) . ' of them: over and '
            . 'over, from the worker’s memo; or each once a '
            . 'second, from facts in the zone.');
    },
};
