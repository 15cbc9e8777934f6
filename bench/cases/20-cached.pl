# A cached state in requests per second, next to everything else that could
# serve those bytes.  Each server has the same core, wrk the other one.

package Bench::Case::Cached;

use strict;
use warnings;
use utf8;

use Bench::Answers;
use Bench::HTTP qw(response);

my $SAME = 'nginx `return 200`, same bytes';


# Started anew in each round, so that no server keeps a lucky layout of its
# memory for the whole run.

sub subject {
    my ($bench, $answers, $name, $nginx, %more) = @_;

    my $path = $answers->path;

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
            $bench->wrk(port => $nginx->port, path => $path);
        },
        %more,
    };
}


return {
    name  => 'cached',
    title => 'A cached state',

    run => sub {
        my ($bench, $result) = @_;

        my $answers = Bench::Answers->state($bench);
        my $path    = $answers->path;
        my (@subjects, $source);

        my $add = sub {
            my ($name, $nginx, %more) = @_;

            $answers->check($nginx->port) if delete $more{same};

            push @subjects,
                subject($bench, $answers, $name, $nginx, %more);
        };

        $bench->try($result, 'this module', sub {
            $add->('this module', $bench->nginx($answers->module),
                   same => 1, target => [at_least => 0.95]);
        });

        $source = $bench->nginx($answers->same_bytes);
        $add->($SAME, $source, same => 1);

        $add->('nginx `return 200`, empty', $bench->nginx($answers->plain));

        # Caches are filled by a server of their own; it is not asked again.

        my $upstream = $bench->nginx($answers->same_bytes, name => 'upstream',
                                     core => $bench->load);

        $add->('nginx `proxy_cache`',
               $bench->nginx($answers->proxy_cache($upstream->port)),
               same => 1);

        $bench->try($result, 'Lua shared dictionary', sub {
            $add->('Lua shared dictionary', $bench->nginx($answers->lua),
                   same => 1);
        });

        $bench->try($result, 'Django, `cache_page` on Redis', sub {
            my $django = $bench->django(cache => 1);

            push @subjects, {
                name   => 'Django, `cache_page` on Redis',
                before => sub {
                    response($django->port, $path);
                    $bench->wrk(port => $django->port, path => $path,
                                seconds => $bench->warm_up);
                },
                measure => sub {
                    $bench->wrk(port => $django->port, path => $path);
                },
            };
        });

        $bench->compare($result, unit => 'requests/s', base => $SAME,
                        saturated => 1, subjects => \@subjects);

        $result->note('`wrk` with 32 kept-alive connections on one core; each '
            . 'server, Django’s gunicorn and Redis together, on the other. '
            . 'Ratios are medians of those of each round.');
    },
};
