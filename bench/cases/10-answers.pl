# Do the module and the Django peer say the same?  Only then is it fair to
# compare them.

package Bench::Case::Answers;

use strict;
use warnings;
use utf8;

use Bench::HTTP qw(response);
use JSON::PP ();


# Both answers of the same second, as they are.

sub pair {
    my ($path, @ports) = @_;

    my @bodies;

    for my $try (1 .. 20) {
        @bodies = map { response($_, $path)->{body} } @ports;

        my @seconds = map { /"timestamp":"([^"]*)"/ ? $1 : '' } @bodies;

        last if $seconds[0] eq $seconds[1];
    }

    return @bodies;
}


return {
    name  => 'answers',
    title => 'The same answers',

    run => sub {
        my ($bench, $result) = @_;

        my $nginx = $bench->nginx(
            name   => 'module',
            module => 1,
            http   => $bench->module_conf,
            server => 'location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {'
                . ' tournament state $slug; }',
        );

        my $django = $bench->django;

        my @slugs = map { $_->[0] } $bench->postgres->rows(q{
            SELECT slug FROM tournaments_tournament
             WHERE slug !~ '^bench-\d{3,}$' ORDER BY id});

        my @differ;

        for my $slug (@slugs, 'no-such-tournament') {
            my ($ours, $theirs) = pair("/tournaments/api/$slug/state/",
                                       $nginx->port, $django->port);

            push @differ, "$slug:\n  module $ours\n  Django $theirs\n"
                if $ours ne $theirs;
        }

        my $asked = @slugs + 1;

        $result->row(
            name   => 'module and Django',
            unit   => "of $asked answers the same, byte for byte",
            value  => $asked - @differ,
            target => [at_least => $asked],
        );

        die "answers differ:\n", @differ if @differ;
    },
};
