# States that are not cached, next to what the database gives pgbench.  For
# both, PostgreSQL has one core, and whoever asks it the other: pgbench, or
# nginx and wrk together.

package Bench::Case::Misses;

use strict;
use warnings;
use utf8;

use Bench;
use Bench::Machine qw(pin on_core busy busy_clock);
use Bench::Report qw(number);
use Tournament::Postgres;
use Tournament::Util qw(run spew tempdir);

my $PGBENCH     = '`pgbench -M prepared`, 4 clients';
my $CONNECTIONS = 4;


# One load by pgbench with the module's own statement; what it returns is like
# what wrk() does.

sub pgbench {
    my ($bench, $script, $seconds) = @_;

    my $before = busy_clock();

    my ($status, $output) = run({ timeout => $seconds + 60 },
        on_core($bench->load, Tournament::Postgres::client('pgbench'),
            '--no-vacuum', '--protocol', 'prepared', '--client', $CONNECTIONS,
            '--jobs', 1, '--time', $seconds, '--file', $script,
            $bench->postgres->conninfo));

    my ($tps) = $output =~ /^tps = ([\d.]+)/m;

    die "pgbench failed:\n$output" if $status || !defined $tps;

    return {
        rate => $tps,
        busy => busy($before, busy_clock(), $bench->server),
    };
}


sub load {
    my ($bench, $server, $connections, $seconds) = @_;

    return $bench->wrk(
        port        => $server->port,
        script      => 'distinct.lua',
        args        => [Bench::WITH_REGISTRATIONS],
        connections => $connections,
        seconds     => $seconds,
    );
}


sub subject {
    my ($bench, $name, $server, $connections, %more) = @_;

    return {
        name    => $name,
        before  => sub {
            load($bench, $server, $connections, $bench->warm_up);
        },
        measure => sub {
            load($bench, $server, $connections, $bench->seconds);
        },
        %more,
    };
}


# What is called a miss is one: every answer cost a statement.

sub each_a_query {
    my ($bench, $nginx) = @_;

    my $pg = $bench->postgres;

    $pg->reset_calls;

    my $asked = load($bench, $nginx, 16, 1)->{requests};
    my $calls = $pg->calls(like => '%tournament_api.state(%');

    # Two that ask for the same at the same time may share one.

    die "$asked requests for what is not cached were $calls statements\n"
        if $calls < 0.98 * $asked;

    return;
}


return {
    name  => 'misses',
    title => 'A state that is not cached',

    run => sub {
        my ($bench, $result) = @_;

        my $pg     = $bench->postgres;
        my $script = tempdir() . '/state.sql';

        spew($script, sprintf <<'END', Bench::WITH_REGISTRATIONS);
\set n random(1, %d)
SELECT * FROM tournament_api.state('bench-' || :n);
END

        pin($bench->server, $pg->pid);

        my @subjects = {
            name    => $PGBENCH,
            before  => sub { pgbench($bench, $script, $bench->warm_up) },
            measure => sub { pgbench($bench, $script, $bench->seconds) },
        };

        $bench->try($result, 'this module', sub {
            my $nginx = $bench->nginx(
                name   => 'misses',
                core   => $bench->load,
                module => 1,
                http   => $bench->module_conf(connections => $CONNECTIONS),
                server => q{
                    location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {
                        tournament state $slug;
                        tournament_ttl state 0;
                    }
                },
            );

            each_a_query($bench, $nginx);

            # Four connections are kept busy by more clients than four.

            push @subjects,
                subject($bench, 'this module, 16 clients', $nginx, 16,
                        target => [at_least => 0.9]),
                subject($bench, 'this module, 4 clients', $nginx, 4);
        });

        $bench->try($result, 'Django without a cache', sub {
            my $django = $bench->django(core => $bench->load);

            push @subjects,
                subject($bench, 'Django without a cache', $django, 16);
        });

        $bench->compare($result, unit => 'requests/s', base => $PGBENCH,
                        subjects => \@subjects);

        $result->note('Random ones of ' . number(Bench::WITH_REGISTRATIONS)
            . ' tournaments of 16 registrations each; the same statement on '
            . "$CONNECTIONS connections. PostgreSQL has one core, and it is "
            . 'the one whose work is shown; the other is pgbench’s, or '
            . 'nginx’s and `wrk`’s together, or gunicorn’s and `wrk`’s.');
    },
};
