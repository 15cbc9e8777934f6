# Instructions in user space for one cached request, next to those of
# "return 200" with the same bytes: what does not depend on how fast, or how
# busy, the machine is.

package Bench::Case::Instructions;

use strict;
use warnings;
use utf8;

use Bench::Answers;
use Bench::Instructions qw(method per_request);
use Bench::Report qw(number);


return {
    name  => 'instructions',
    title => 'Instructions for a cached state',

    run => sub {
        my ($bench, $result) = @_;

        my $method = method()
            // $bench->skip('neither perf nor valgrind counts instructions');

        my $answers = Bench::Answers->state($bench);
        my $counts  = $bench->quick ? [200, 1_200] : [1_000, 11_000];

        my $count = sub {
            my (%conf) = @_;

            return per_request($answers->path, %conf, requests => $counts,
                               core => $bench->server);
        };

        my $same = $count->($answers->same_bytes);

        $bench->try($result, 'this module', sub {
            my $module = $count->($answers->module);

            $result->row(
                name   => 'this module',
                unit   => 'instructions/request',
                value  => $module,
                ratio  => $module / $same,
                ratio_to => 'nginx `return 200`, same bytes',
                target => [at_most => 1.10],
            );
        });

        $result->row(
            name  => 'nginx `return 200`, same bytes',
            unit  => 'instructions/request',
            value => $same,
            ratio => 1,
        );

        my $plain = $count->($answers->plain);

        $result->row(
            name  => 'nginx `return 200`, empty',
            unit  => 'instructions/request',
            value => $plain,
            ratio => $plain / $same,
        );

        my ($few, $many) = map { number($_) } @$counts;

        $result->note("User space only, by `$method`: the difference between "
            . "$many and $few requests on one connection.");
    },
};
