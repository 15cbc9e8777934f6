# How many tournaments a zone holds, and what happens past that.

package Bench::Case::Memory;

use strict;
use warnings;
use utf8;

use Bench;
use Bench::Machine qw(pin);
use Bench::Report qw(number);


# Asks for each once, in that order; how many came from the cache. Dies unless
# all of them were answered, with 200.

sub sweep {
    my ($bench, $nginx, $first, $last) = @_;

    my $report = $bench->wrk(
        port    => $nginx->port,
        script  => 'sweep.lua',
        args    => [$first, $last],
        seconds => 600,
    );

    my $asked    = abs($last - $first) + 1;
    my $answered = $report->{status}{200} // 0;

    die "of $asked tournaments $answered were answered: ",
        join(', ', map { "$_: $report->{status}{$_}" }
                   sort keys %{ $report->{status} }), "\n"
        if $answered != $asked;

    $bench->say(sprintf '  %d to %d: %d a second, %s', $first, $last,
        $asked / ($report->{duration_us} / 1e6),
        join ', ', map { "$_ $report->{cache}{$_}" }
                   sort keys %{ $report->{cache} });

    return $report->{cache}{HIT} // 0;
}


return {
    name  => 'memory',
    title => 'Tournaments in a zone of 64 MiB',

    run => sub {
        my ($bench, $result) = @_;

        my $part  = $bench->quick ? 10 : 1;
        my $zone  = int(64 * 1024 / $part) * 1024;
        my $some  = 100_000 / $part;
        my $many  = Bench::TOURNAMENTS / $part;

        my $nginx = $bench->nginx(
            name   => 'memory',
            core   => $bench->load,
            module => 1,
            http   => $bench->module_conf(zone => $zone / 1024 . 'k'),
            server => q{
                location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                    tournament state $slug;
                    tournament_ttl state 1h;
                    add_header X-Cache $tournament_cache_status;
                }

                location = /over {
                    return 204;
                }
            },
        );

        pin($bench->server, $bench->postgres->pid);

        # Backwards, the newest are asked for first: what is read anew then
        # pushes out only what has been counted.

        my $held = sub {
            my ($count) = @_;

            sweep($bench, $nginx, 1, $count);

            return sweep($bench, $nginx, $count, 1);
        };

        $result->row(
            name   => 'held of ' . number($some) . ' asked for',
            unit   => 'tournaments',
            value  => $held->($some),
            target => [at_least => $some],
        );

        $nginx->stop;
        $nginx->start;

        my $most = $held->($many);

        $result->row(
            name  => 'held of ' . number($many) . ' asked for',
            unit  => 'tournaments',
            value => $most,
        );

        $result->row(
            name  => 'of the zone for each that it holds',
            unit  => 'bytes',
            value => $zone / $most,
        ) if $most && $most < $many;

        $result->note('Every request was answered with 200, those of '
            . 'tournaments that had been evicted as well.');

        $result->note(sprintf 'Measured with a zone of %.1f MiB.',
            $zone / 1024 ** 2) if $part > 1;
    },
};
