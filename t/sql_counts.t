# The counts that hub's order by registrations is taken from: right in every
# snapshot, whatever writes there are, and in nobody's way.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Tournament::Postgres;
use Tournament::Util qw(project slurp spew tempdir);

my $pg   = Tournament::Postgres->new(load => []);
my $seed = $ENV{TOURNAMENT_SEED} // int rand 2 ** 31;

diag "TOURNAMENT_SEED=$seed";
srand $seed;

my $TOURNAMENTS = 30;
my $USERS       = 200;
my $databases   = 0;


# A database with tournaments, some of them no longer or not yet in the list,
# and users. Returns a session in it.

sub database {
    my ($schema) = @_;

    my $name = 'site' . ++$databases;

    $pg->psql("CREATE DATABASE $name");
    $pg->load($schema // 'schema', -dbname => $name);

    my $db = $pg->session(dbname => $name);

    $db->{name} = $name;

    $db->rows(qq{
        INSERT INTO user_profile_userprofile
            (user_id, display_name, is_private, email, phone, facebook,
             discord, created_at)
        SELECT n, n, false, '', '', '', '', now()
          FROM generate_series(1, $USERS) n;
        INSERT INTO tournaments_tournament
            (name, slug, game, status, created_at, updated_at,
             groups_published)
        SELECT 'T ' || n, 't' || n, 'game' || n % 3,
               (ARRAY['PUBLISHED', 'PUBLISHED', 'RUNNING', 'DRAFT',
                      'COMPLETED'])[1 + n % 5], now(), now(), false
          FROM generate_series(1, $TOURNAMENTS) n});

    return $db;
}


sub install { $pg->load('install', -dbname => $_[0]{name}) }


# What is kept, and what there is, in one snapshot.

my $KEPT = q{
    (SELECT tournament_id, n FROM tournament_api.registered
     UNION ALL
     SELECT tournament_id, n FROM tournament_api.registered_change)};

my $WRONG = qq{
    SELECT tournament_id, sum(n)
      FROM (SELECT * FROM $KEPT AS k
            UNION ALL
            SELECT tournament_id, -1 FROM tournaments_registration
             WHERE status NOT IN ('CANCELLED')) AS all_of_them
     GROUP BY 1 HAVING tournament_id IS NULL OR sum(n) <> 0};

# A page of the hub's, and what it should be

sub popular {
    my ($page, $per_page, $game, $q) = @_;

    return qq{
        SELECT p.got, p.wanted
          FROM (SELECT
            (SELECT string_agg(h.id || ':' || h.registered, ' ' ORDER BY n)
               FROM tournament_api.hub('$game', '', '', '', 'popular', '$q',
                                       $page, $per_page)
                    WITH ORDINALITY AS h (a, b, c, d, id, e, f, g, s, i, j, k,
                        l, m1, m2, m3, m4, m5, m6, m7, m8, registered, n)),
            (SELECT string_agg(id || ':' || n, ' ' ORDER BY n DESC, id DESC)
               FROM (SELECT t.id, count(r.id) AS n
                       FROM tournaments_tournament t
                       LEFT JOIN tournaments_registration r
                              ON r.tournament_id = t.id
                             AND r.status IN ('PENDING', 'CONFIRMED')
                      WHERE t.status IN ('PUBLISHED', 'RUNNING')
                        AND '$game' IN ('', t.game)
                        AND position('$q' IN t.name) > 0
                      GROUP BY t.id
                      ORDER BY 2 DESC, 1 DESC
                     OFFSET ($page - 1) * $per_page LIMIT $per_page) AS w)
               ) AS p (got, wanted)
         WHERE p.got IS DISTINCT FROM p.wanted};
}


sub right {
    my ($db, $name) = @_;

    my @wrong = ((map { "kept: @$_" } $db->rows($WRONG)),
                 map { my $sql = $_;
                       map { "got $_->[0], not $_->[1]" } $db->rows($sql) }
                     popular(1, 5, '', ''), popular(2, 5, '', ''),
                     popular(1, 100, '', ''), popular(1, 3, 'game1', ''),
                     popular(1, 7, '', 'T 1'));

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return ok !@wrong, $name || diag explain \@wrong;
}


sub insert {
    my ($tournaments, $users, $status) = @_;

    return qq{
        INSERT INTO tournaments_registration
            (tournament_id, user_id, payment_method, payment_sender,
             payment_reference, payment_status, status, created_at)
        SELECT t, u, '', '', '', 'pending', $status, now()
          FROM unnest(ARRAY[$tournaments]) t, unnest(ARRAY[$users]) u
            ON CONFLICT DO NOTHING};
}


sub some { join ', ', map { 1 + int rand $_[1] } 1 .. 1 + rand $_[0] }


sub any_write {
    my $status = "(ARRAY['PENDING', 'CONFIRMED', 'CANCELLED'])"
               . '[1 + (random() * 2)::int]';
    my $ids    = some(4, $TOURNAMENTS);
    my $users  = some(6, $USERS);

    my @writes = (
        (insert($ids, $users, $status)) x 3,
        "UPDATE tournaments_registration SET status = $status
          WHERE user_id IN ($users)",
        "UPDATE tournaments_registration SET payment_status = 'verified'
          WHERE tournament_id IN ($ids)",
        "UPDATE tournaments_registration SET tournament_id = 1 + id % 30,
                user_id = NULL
          WHERE tournament_id IN ($ids) AND id % 7 = 0",
        "DELETE FROM tournaments_registration WHERE user_id IN ($users)",
    );

    return $writes[rand @writes];
}


my $COUNT_IN = 'SELECT tournament_api.count_in(NULL)';


subtest 'whatever is written' => sub {
    my $db = database();

    $db->rows(insert('1, 2, 3, 4, 5', '1, 2, 3', q{'CONFIRMED'}));
    install($db);
    right($db, 'what was there is counted');

    $db->rows(insert('7', '1', q{'CANCELLED'}));
    is $db->value('SELECT count(*) FROM tournament_api.registered_change'), 0,
        'what does not count leaves nothing';

    $db->rows(insert('1, 2, 7', '4', q{'PENDING'}));
    is $db->value('SELECT count(*) FROM tournament_api.registered_change'), 3,
        'what does leaves a row for each tournament';
    right($db, 'counted in or not');

    $db->rows($COUNT_IN);
    is $db->value('SELECT count(*) FROM tournament_api.registered_change'), 0,
        'counted in';
    right($db, 'the same');

    $db->rows('BEGIN');
    $db->rows(insert('1, 2', '5, 6, 7', q{'PENDING'}));
    right($db, 'the transaction sees its own');
    $db->rows('ROLLBACK');
    right($db, 'rolled back');

    $db->rows('BEGIN; SAVEPOINT s');
    $db->rows(insert('1, 2', '5, 6, 7', q{'PENDING'}));
    $db->rows('ROLLBACK TO s');
    $db->rows(insert('3', '5, 6, 7', q{'PENDING'}) . '; COMMIT');
    right($db, 'a part rolled back');

    my $file = spew(tempdir() . '/rows.csv',
        join '', map { "9,$_,,,,pending,PENDING,2026-01-01Z\n" } 1 .. 20);

    $db->rows("\\copy tournaments_registration (tournament_id, user_id, "
        . 'payment_method, payment_sender, payment_reference, payment_status, '
        . "status, created_at) FROM '$file' (FORMAT csv, FORCE_NOT_NULL "
        . '(payment_method, payment_sender, payment_reference))');
    right($db, 'COPY');

    for (1 .. 60) {
        my $write = any_write();

        $db->rows($write);
        $db->rows($COUNT_IN) if rand() < 0.2;

        right($db, 'right') or diag $write or last;
    }
};


# Writers of the same tournaments in opposite order, whose transactions stay
# open, and readers that count in meanwhile.

subtest 'nobody waits' => sub {
    my $db = database();

    install($db);

    my @sessions = map { $pg->session(dbname => $db->{name}) } 1 .. 4;

    $_->rows(q{SET lock_timeout = '5s'}) for @sessions, $db;

    my @order = (1 .. 10);

    for my $n (0 .. $#sessions) {
        $sessions[$n]->rows('BEGIN');
    }

    for my $step (0 .. $#order) {
        for my $n (0 .. $#sessions) {
            my $t = $order[$n % 2 ? -1 - $step : $step];

            $sessions[$n]->rows(insert($t, 10 * $n + 1, q{'PENDING'}));
        }
        right($db, 'nothing is committed');
        $db->rows($COUNT_IN);
    }

    for my $n (0 .. $#sessions) {
        $sessions[$n]->rows($n == 2 ? 'ROLLBACK' : 'COMMIT');
        right($db, 'session ' . $n);
        $db->rows($COUNT_IN);
        right($db, 'and counted in');
    }

    # Who counts in is not waited for either, nor does another.

    $sessions[0]->rows(insert('1', '77', q{'PENDING'}));
    $sessions[0]->rows("BEGIN; $COUNT_IN");
    $sessions[1]->rows(insert('1', '78', q{'PENDING'}));
    $sessions[1]->rows($COUNT_IN);
    right($sessions[$_], "session $_") for 0, 1, 2;
    $sessions[0]->rows('ROLLBACK');
    right($db, 'it was rolled back');
    $sessions[1]->rows($COUNT_IN);
    right($db, 'and done by the next');
};


subtest 'at random' => sub {
    my $db = database();

    install($db);

    my @levels   = ('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ');
    my @sessions = map { $pg->session(dbname => $db->{name}) } @levels;
    my @open     = (0) x @sessions;
    my $wrong    = 0;

    $_->rows(q{SET lock_timeout = '50ms'}) for @sessions;

    # Rows that two of them want are the application's own affair.

    my $own = sub {
        my ($n, $sql) = @_;

        eval { $sessions[$n]->rows($sql); 1 } and return;

        die $@ if $@ !~ /lock timeout|could not serialize|aborted/;

        $sessions[$n]->rows('ROLLBACK');
        $open[$n] = 0;
    };

    for my $step (1 .. 250) {
        my $n = int rand @sessions;

        if (!$open[$n]) {
            $sessions[$n]->rows("BEGIN ISOLATION LEVEL $levels[$n]");
            $open[$n] = 1;

        } elsif (rand() < 0.3) {
            $sessions[$n]->rows(rand() < 0.3 ? 'ROLLBACK' : 'COMMIT');
            $open[$n] = 0;

        } elsif (rand() < 0.2) {
            $own->($n, $COUNT_IN);

        } else {
            $own->($n, any_write());
        }

        $db->rows($COUNT_IN) if rand() < 0.1;

        my @found = map { $db->rows($_) } $WRONG, popular(1, 12, '', ''),
                                          popular(1, 100, '', '');

        $wrong++ if @found;
        diag explain $step, \@found if @found;
        last if $wrong;
    }

    $_->rows('ROLLBACK') for grep { $_ } map { $open[$_] ? $sessions[$_] : () }
                                          0 .. $#open;
    ok !$wrong, 'right in every snapshot';
    right($db, 'and at the end');
};


subtest 'many changes' => sub {
    my $db = database();

    install($db);

    $db->rows(insert($_, '1, 2', q{'PENDING'})) for map { 1 + $_ % 30 } 1 .. 60;
    $db->rows(q{
        UPDATE tournaments_registration SET status = 'CANCELLED';
        UPDATE tournaments_registration SET status = 'PENDING'}) for 1 .. 9;

    my $rows = 'SELECT count(*) FROM tournament_api.registered_change';
    my $page = 'SELECT count(*) FROM tournament_api.hub(NULL, NULL, NULL,
                                     NULL, %s, NULL, 1, 12)';

    cmp_ok $db->value($rows), '>', 500, 'are there';

    $db->rows('BEGIN READ ONLY');
    is $db->value(sprintf $page, q{'popular'}), 12,
        'a transaction that may not write';
    right($db, 'is answered');
    $db->rows('COMMIT');
    cmp_ok $db->value($rows), '>', 500, 'leaves them there';

    $db->rows(sprintf $page, 'NULL');
    is $db->value($rows), 0, 'another one counts them in, whatever its order';
    right($db, 'and all is right');

    $db->rows(q{
        INSERT INTO tournament_api.registered_change
        SELECT 1 + n % 30, CASE WHEN n <= 12000 THEN 1 ELSE -1 END
          FROM generate_series(1, 24000) n});

    is_deeply [ $db->rows(popular(1, 12, '', '')) ], [], 'too many to sum up';
    is $db->value($rows), 22_000, 'not more than 2,000 are counted in';
    right($db, 'some of them') for 1 .. 3;
    is $db->value($rows), 0, 'and all in the end';
};


# What the triggers do not see: the next page mends what it shows, install.sql
# all.

subtest 'past the triggers' => sub {
    my $db = database();

    $db->rows(insert('1, 2, 5, 6, 7', '1, 2, 3', q{'CONFIRMED'}));
    install($db);

    $db->rows('ALTER TABLE tournaments_registration DISABLE TRIGGER ALL;
               DELETE FROM tournaments_registration WHERE tournament_id = 7');
    $db->rows(insert('10', '1, 2, 3, 4, 5', q{'CONFIRMED'}));
    $db->rows('ALTER TABLE tournaments_registration ENABLE TRIGGER ALL');

    my $count = sub {
        $db->value("SELECT sum(n) FROM $KEPT AS k WHERE tournament_id = $_[0]")
    };

    is $count->(7), 3, 'a wrong count';
    $db->rows(popular(1, 5, '', ''));
    is $count->(7), 0, 'is mended by who meets it';
    is $count->(10) // 0, 0, 'another is not met';

    install($db);
    right($db, 'install.sql counts anew');

    # TRUNCATE takes away what was counted.

    $db->rows('TRUNCATE tournaments_registration');
    $db->rows(insert('1, 5', '1, 2', q{'CONFIRMED'}));
    is $db->value('SELECT count(*) FROM tournament_api.registered_change
                    WHERE tournament_id IS NULL'), 1,
        'TRUNCATE: no telling what there is';
    $db->rows($COUNT_IN);
    is_deeply [ map { $db->rows($_) } popular(1, 5, '', ''),
                popular(1, 100, '', ''), popular(1, 100, '', 'T 1') ], [],
        'hub counts for itself';

    install($db);
    right($db, 'until the next run');

    # A column that a migration renamed.

    $db->rows('ALTER TABLE tournaments_registration RENAME status TO state');
    $pg->log_mark;
    $db->rows(q{
        INSERT INTO tournaments_registration
            (tournament_id, payment_method, payment_sender, payment_reference,
             payment_status, state, created_at)
        VALUES (2, '', '', '', '', 'CONFIRMED', now())});
    $pg->wait_for_log(qr/WARNING: .*tournaments_registration is not counted/);
    $db->rows('ALTER TABLE tournaments_registration RENAME state TO status');
    is_deeply [ $db->rows(popular(1, 100, '', '')) ], [],
        'the write is done, and hub counts for itself';
    install($db);
    right($db, 'until the next run');
};


# Writers at work while install.sql makes the triggers, or makes them again.

subtest 'an installation under way' => sub {
    my $db     = database();
    my $writer = $pg->session(dbname => $db->{name});

    # The indexes are there, and nobody waits for those.

    install($db);
    $db->rows('SET client_min_messages = error;
               DROP SCHEMA tournament_api CASCADE');

    for my $how ('first', 'again') {
        my $operator = $pg->session(dbname => $db->{name});

        $db->rows('DROP TRIGGER tournament_api_count_insert
                     ON tournaments_registration') if $how eq 'again';

        $writer->rows('BEGIN');
        $writer->rows(insert('5, 6', $how eq 'first' ? '1, 2' : '3, 4, 5',
                             q{'PENDING'}));

        $operator->do("\\i '" . project('sql', 'install.sql') . "'");
        $pg->wait_blocked($operator);

        is_deeply [ $db->rows(popular(1, 5, '', '')) ], [],
            'hub is right before the triggers are there' if $how eq 'first';

        $writer->rows(insert('7', $how eq 'first' ? '1' : '2',
                             q{'PENDING'}));
        $writer->rows('COMMIT');
        $operator->wait;

        right($db, "$how: what was written meanwhile is counted");
    }
};


subtest 'partitions and views' => sub {
    my $text  = slurp(project('sql', 'schema.sql'));
    my $parts = ') PARTITION BY RANGE (id);' . join '', map {
        "CREATE TABLE part_$_ PARTITION OF tournaments_registration"
        . ' FOR VALUES FROM (' . ($_ - 1) * 10 . ') TO (' . $_ * 10 . ');'
        } 1 .. 5;

    (my $partitioned = $text)
        =~ s/(EXISTS tournaments_registration \(.*?)^\);/$1$parts/ms;
    $partitioned =~ s/^CREATE UNIQUE INDEX.*?;\n//msg;

    my $db = database(spew(tempdir() . '/parts.sql', $partitioned));

    $db->rows(insert('1, 2, 5', '1, 2, 3', q{'PENDING'}));
    install($db);
    $db->rows(insert('5, 6', '1, 2, 3, 4', q{'PENDING'}));
    $db->rows(q{UPDATE part_1 SET status = 'CANCELLED' WHERE id < 4;
                UPDATE tournaments_registration SET id = 40 WHERE id = 5;
                DELETE FROM part_2 WHERE id = 12});
    right($db, 'by way of the table and of its partitions');

    $db = database();
    $db->rows(insert('1, 2, 5', '1, 2, 3', q{'PENDING'}));
    $db->rows('
        ALTER TABLE tournaments_registration RENAME TO registrations;
        CREATE VIEW tournaments_registration AS SELECT * FROM registrations');
    install($db);
    $db->rows(q{UPDATE tournaments_registration SET tournament_id = 7
                 WHERE user_id = 2 AND tournament_id = 1});
    is_deeply [ map { $db->rows($_) } popular(1, 5, '', ''),
                                      popular(1, 100, 'game2', '') ], [],
        'a view: hub counts for itself';
};


done_testing;
