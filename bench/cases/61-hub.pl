# A cached hub page, next to "return 200" with the same bytes.

package Bench::Case::Hub;

use strict;
use warnings;
use utf8;

use Bench::Answers;
use Bench::HTTP qw(response);

my $SAME  = 'nginx `return 200`, same bytes';
my $CARDS = 12;


return {
    name  => 'hub',
    title => 'A cached hub page',

    run => sub {
        my ($bench, $result) = @_;

        $bench->skip('the module is not built (make)') if !$bench->module;

        my $path    = '/tournaments/api/hub/';
        my $answers = Bench::Answers->new($bench,
            path      => $path,
            location  => "= $path",
            directive => 'tournament hub; tournament_ttl hub 1h;',
        );

        my $subject = sub {
            my ($name, $nginx, %more) = @_;

            $answers->check($nginx->port);

            my $body  = response($nginx->port, $path)->{body};
            my $cards = () = $body =~ /"registration_count":/g;

            die "$cards cards, not $CARDS:\n$body\n" if $cards != $CARDS;

            return {
                name   => $name,
                before => sub {
                    $nginx->stop;
                    $nginx->start;
                    response($nginx->port, $path);
                    $bench->wrk(port => $nginx->port, path => $path,
                                seconds => $bench->warm_up);
                },
                measure => sub {
                    $bench->wrk(port => $nginx->port, path => $path,
                                bytes => $answers->bytes);
                },
                %more,
            };
        };

        $bench->compare($result, unit => 'requests/s', base => $SAME,
            saturated => 1, subjects => [
                $subject->('this module', $bench->nginx($answers->module),
                           target => [at_least => 0.7]),
                $subject->($SAME, $bench->nginx($answers->same_bytes)),
            ]);

        $result->note(sprintf 'The default page, %d cards, %d bytes with its '
            . 'headers. nginx.conf has no text that long: `return` puts it '
            . 'together of two variables.', $CARDS, $answers->bytes);
    },
};
