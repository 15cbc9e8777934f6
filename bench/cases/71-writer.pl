# What the triggers cost whoever writes: registrations a second, each in a
# durable transaction of its own, announced by NOTIFY, which commits one
# transaction after the other, or by messages in the log.

package Bench::Case::Writer;

use strict;
use warnings;
use utf8;

use Tournament::Postgres;
use Tournament::Util qw(project run slurp spew tempdir);

my $CLIENTS = 8;
my $MANY    = 20_000;
my $TABLE   = 'tournaments_registration';
my $WITHOUT = 'without triggers';
my $BATCH   = 10;

sub pgbench {
    my ($pg, $seconds, %options) = @_;

    my $rows   = $options{rows} // 1;
    my $script = project('bench', 'sql', 'registrations.sql');

    if ($rows > 1) {
        my $insert = slurp($script);

        $script = spew(tempdir() . '/batch.sql',
                       "BEGIN;\n" . $insert x $rows . "COMMIT;\n");
    }

    my ($status, $output) = run({
            timeout => $seconds + 60,
            env     => { PGOPTIONS => $options{settings} // '' },
        },
        Tournament::Postgres::client('pgbench'), '--no-vacuum',
        '--protocol', 'prepared', '--client', $CLIENTS, '--jobs', 1,
        '--time', $seconds, '--define', "tournaments=$MANY",
        '--define', "users=$MANY",
        '--file', $script,
        $pg->conninfo(user => 'postgres'));

    my ($done)   = $output =~ /actually processed: (\d+)/;
    my ($tps)    = $output =~ /^tps = ([\d.]+)/m;
    my $inserted = $pg->value("SELECT count(*) FROM $TABLE");

    die "pgbench failed:\n$output" if $status || !defined $tps;
    die "of $done registrations $inserted were inserted\n"
        if $inserted < 0.98 * $rows * $done;

    return { rate => $rows * $tps };
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
            conf    => { wal_level => 'logical' },
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
            my ($name, $triggers, %options) = @_;

            return {
                name   => $name,
                base   => $options{base},
                before => sub {
                    $pg->load('install', feed => $options{feed})
                        if $options{feed};
                    $pg->rows("TRUNCATE $TABLE");
                    $pg->rows("ALTER TABLE $TABLE $triggers TRIGGER USER");
                    $pg->rows('CHECKPOINT');
                },
                measure => sub { pgbench($pg, $bench->seconds, %options) },
            };
        };

        my @batch = (rows => $BATCH);
        my @async = (settings => '-c synchronous_commit=off');

        $bench->compare($result, unit => 'inserts/s', base => $WITHOUT,
            subjects => [
                $subject->('with triggers, feed notify', 'ENABLE',
                           feed => 'notify'),
                $subject->('with triggers, feed logical', 'ENABLE',
                           feed => 'logical'),
                $subject->($WITHOUT, 'DISABLE'),
                $subject->("with, logical, $BATCH in a transaction", 'ENABLE',
                           @batch, feed => 'logical',
                           base => "without, $BATCH in a transaction"),
                $subject->("without, $BATCH in a transaction", 'DISABLE',
                           @batch),
                $subject->('with, notify, synchronous_commit off', 'ENABLE',
                           @async, feed => 'notify',
                           base => 'without, synchronous_commit off'),
                $subject->('without, synchronous_commit off', 'DISABLE',
                           @async),
            ]);

        $result->note("`pgbench -M prepared`, $CLIENTS clients, one insert in "
            . 'a transaction, `fsync` and `synchronous_commit` on, where not '
            . 'said otherwise; foreign keys checked in all. Nobody listens.');
    },
};
