# A hundred cached states in one request, next to a hundred requests for one.

package Bench::Case::States;

use strict;
use warnings;
use utf8;

use Bench::HTTP qw(response);

my $STATES = 100;
my $ONE    = 'one state a request';


return {
    name  => 'states',
    title => 'A hundred cached states in one request',

    run => sub {
        my ($bench, $result) = @_;

        my $pg    = $bench->postgres;
        my $nginx = $bench->nginx(
            name   => 'states',
            module => 1,
            http   => $bench->module_conf,
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

        my $one  = '/tournaments/api/bench-1/state/';
        my $many = '/tournaments/api/states/?slugs='
            . join ',', map { "bench-$_" } 1 .. $STATES;

        # They are all there, and stay there.

        my $answer = response($nginx->port, $many);
        my $found  = () = $answer->{body} =~ /"bench-\d+":\{/g;

        die "$found of $STATES states: $answer->{body}\n"
            if $answer->{status} != 200 || $found != $STATES;

        $pg->reset_calls;

        my $subject = sub {
            my ($name, $path, %more) = @_;

            return {
                name   => $name,
                before => sub {
                    $bench->wrk(port => $nginx->port, path => $path,
                                seconds => $bench->warm_up);
                },
                measure => sub {
                    $bench->wrk(port => $nginx->port, path => $path);
                },
                %more,
            };
        };

        $bench->compare($result, unit => 'requests/s', base => $ONE,
            saturated => 1, subjects => [
                $subject->($ONE, $one),
                $subject->("$STATES states a request", $many,
                           target => [at_least => 0.3]),
            ]);

        my $calls = $pg->calls(like => '%tournament_api%');

        die "$calls statements for what was cached\n" if $calls;

        $result->note("A ratio of 0.30 is a thirtieth of the cost for each of "
            . "the $STATES states.");
    },
};
