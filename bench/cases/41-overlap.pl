# Queries that take long overlap: as many as there are connections.

package Bench::Case::Overlap;

use strict;
use warnings;
use utf8;

my $MS   = 10;
my $ONE  = '1 connection';
my $FOUR = '4 connections';


# The database's answer, after its time.

sub slow_database {
    my ($bench) = @_;

    my $pg = $bench->postgres_of(100);

    my $result = $pg->value(q{
        SELECT pg_get_function_result('tournament_api.count(text)'
                                      ::regprocedure)});
    my $seconds = $MS / 1000;

    $pg->psql(<<"END");
CREATE OR REPLACE FUNCTION tournament_api.count(p_slug text)
RETURNS $result
LANGUAGE sql VOLATILE
AS \$\$
    SELECT 1::bigint, p_slug, 0::bigint, 0::bigint, 0::bigint
      FROM pg_sleep($seconds)
\$\$;
END

    return $pg;
}


return {
    name  => 'overlap',
    title => "Queries of $MS ms",

    run => sub {
        my ($bench, $result) = @_;

        $bench->need('wrk', 'taskset');

        my $pg = slow_database($bench);

        my $subject = sub {
            my ($name, $connections, %more) = @_;

            my $nginx = $bench->nginx(
                name   => 'overlap',
                module => 1,
                http   => $bench->module_conf(postgres => $pg,
                                              connections => $connections),
                server => q{
                    location ~ ^/tournaments/api/(?<slug>[^/]+)/count/$ {
                        tournament count $slug;
                        tournament_ttl count 0;
                    }
                },
            );

            my $load = sub {
                return $bench->wrk(
                    port        => $nginx->port,
                    script      => 'distinct.lua',
                    args        => [1_000_000, 1, '/tournaments/api/bench-',
                                    '/count/'],
                    connections => 16,
                    seconds     => 2,
                );
            };

            $load->();

            return { name => $name, measure => $load, %more };
        };

        $bench->compare($result, unit => 'requests/s', base => $ONE,
            rounds => 3, subjects => [
                $subject->($ONE, 1),
                $subject->($FOUR, 4, target => [at_least => 3]),
            ]);

        $result->note("`count` in the database’s place sleeps $MS ms; 16 "
            . 'clients, one worker. Queries on one connection run one after '
            . 'the other.');
    },
};
