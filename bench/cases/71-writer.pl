# What the triggers cost whoever writes: registrations a second, each in a
# durable transaction of its own.

package Bench::Case::Writer;

use strict;
use warnings;
use utf8;

use Tournament::Postgres;
use Tournament::Util qw(project run);

my $CLIENTS = 8;
my $MANY    = 20_000;
my $TABLE   = 'tournaments_registration';
my $WITHOUT = 'without triggers';


sub pgbench {
    my ($pg, $seconds) = @_;

    my ($status, $output) = run({ timeout => $seconds + 60 },
        Tournament::Postgres::bindir() . '/pgbench', '--no-vacuum',
        '--protocol', 'prepared', '--client', $CLIENTS, '--jobs', 1,
        '--time', $seconds, '--define', "tournaments=$MANY",
        '--define', "users=$MANY",
        '--file', project('bench', 'sql', 'registrations.sql'),
        $pg->conninfo(user => 'postgres'));

    my ($done)   = $output =~ /actually processed: (\d+)/;
    my ($tps)    = $output =~ /^tps = ([\d.]+)/m;
    my $inserted = $pg->value("SELECT count(*) FROM $TABLE");

    die "pgbench failed:\n$output" if $status || !defined $tps;
    die "of $done registrations $inserted were inserted\n"
        if $inserted < 0.98 * $done;

    return { rate => $tps };
}


return {
    name  => 'writer',
    title => 'Registrations inserted, durable',

    run => sub {
        my ($bench, $result) = @_;

        my $pg = Tournament::Postgres->new(
            name    => 'writer',
            load    => ['schema', 'install'],
            durable => 1,
        );

        $pg->psql(<<"END");
INSERT INTO user_profile_userprofile
    (user_id, display_name, is_private, email, phone, facebook, discord,
     created_at)
SELECT n, 'Player ' || n, false, '', '', '', '', now()
  FROM generate_series(1, $MANY) n;

INSERT INTO tournaments_tournament
    (name, slug, game, status, slot_size, created_at, updated_at,
     groups_published)
SELECT 'Bench ' || n, 'bench-' || n, 'valorant', 'PUBLISHED', 16, now(),
       now(), false
  FROM generate_series(1, $MANY) n;

VACUUM ANALYZE;
END

        my $subject = sub {
            my ($name, $triggers) = @_;

            return {
                name   => $name,
                before => sub {
                    $pg->rows("TRUNCATE $TABLE");
                    $pg->rows("ALTER TABLE $TABLE $triggers TRIGGER USER");
                    $pg->rows('CHECKPOINT');
                },
                measure => sub { pgbench($pg, $bench->seconds) },
            };
        };

        $bench->compare($result, unit => 'inserts/s', base => $WITHOUT,
            subjects => [
                $subject->('with triggers', 'ENABLE'),
                $subject->($WITHOUT, 'DISABLE'),
            ]);

        $result->note("`pgbench -M prepared`, $CLIENTS clients, one insert in "
            . 'a transaction, `fsync` and `synchronous_commit` on, foreign '
            . 'keys checked in both. Nobody listens.');
    },
};
