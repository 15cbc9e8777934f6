# The triggers that install.sql makes: what each write to the application's
# tables announces, by notification and by message in the log, and that no
# write fails or waits because of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Tournament::Postgres;
use Tournament::Util qw(poll_until project slurp spew tempdir);

my $pg = Tournament::Postgres->new(load => [], conf => {
    wal_level                 => 'logical',
    synchronous_commit        => 'on',
    max_replication_slots     => 50,
    max_prepared_transactions => 2,
});

# A row of each table; its tokens; columns that answers show, and all others.

my $NOW = q{'2026-01-01Z'};

my @TABLES = (
    {
        name   => 'user_profile_userprofile',
        row    => { id => 1, user_id => 101, display_name => q{'a'},
                    is_private => 'false', email => q{''}, phone => q{''},
                    facebook => q{''}, discord => q{''},
                    created_at => $NOW },
        tokens => 'p1',
        insert => 'p0 p1',
        shown  => [qw(id user_id display_name is_private)],
        hidden => [qw(avatar email phone facebook discord created_at)],
        after  => { id => 'p1 p1001', user_id => 'p0 p1' },
    }, {
        name   => 'teams_team',
        row    => { id => 10, name => q{'a'}, tag => q{'b'}, game => q{'c'},
                    captain_id => 1 },
        tokens => 'm10',
        shown  => [qw(id name tag game captain_id)],
        hidden => [qw(logo)],
        after  => { id => 'm10 m1010' },
    }, {
        name   => 'teams_teammembership',
        row    => { id => 50, team_id => 10, profile_id => 2,
                    role => q{'PLAYER'}, status => q{'ACTIVE'},
                    joined_at => $NOW },
        tokens => 'm10 p2',
        shown  => [qw(team_id profile_id role status)],
        hidden => [qw(id joined_at)],
        after  => { team_id => 'm10 m1010 p2',
                    profile_id => 'm10 p2 p1002' },
    }, {
        name   => 'tournaments_tournament',
        row    => { id => 20, name => q{'a'}, slug => q{'b'}, game => q{'c'},
                    status => q{'DRAFT'}, created_at => $NOW,
                    updated_at => $NOW, groups_published => 'false' },
        tokens => 't20',
        shown  => [qw(id name slug short_description game status banner
                      slot_size reg_open_at reg_close_at start_at end_at
                      entry_fee_bdt prize_pool_bdt created_at updated_at)],
        hidden => [qw(groups_published)],
        after  => { id => 't20 t1020' },
    }, {
        name   => 'tournaments_tournamentsettings',
        row    => { id => 5, tournament_id => 20, created_at => $NOW,
                    updated_at => $NOW },
        tokens => 't20',
        shown  => [qw(tournament_id tournament_type description start_at
                      end_at reg_open_at reg_close_at min_team_size
                      max_team_size prize_pool_bdt prize_distribution_text
                      banner rules_pdf stream_facebook_url
                      stream_youtube_url discord_url auto_check_in
                      check_in_open_mins check_in_close_mins)],
        hidden => [qw(id invite_only bkash_receive_number nagad_receive_number
                      rocket_receive_number bank_instructions created_at
                      updated_at)],
        after  => { tournament_id => 't20 t1020' },
    }, {
        name   => 'tournaments_schedule',
        row    => { id => 6, tournament_id => 20 },
        tokens => 't20',
        shown  => [qw(tournament_id check_in_open_mins check_in_close_mins)],
        hidden => [qw(id reg_open_at reg_close_at start_at end_at)],
        after  => { tournament_id => 't20 t1020' },
    }, {
        name   => 'tournaments_registration',
        row    => { id => 30, tournament_id => 20, user_id => 1,
                    team_id => 10, payment_method => q{''},
                    payment_sender => q{''}, payment_reference => q{''},
                    payment_status => q{'pending'}, status => q{'PENDING'},
                    created_at => $NOW },
        tokens => 'm10 p1 r20',
        shown  => [qw(id tournament_id user_id team_id status payment_status
                      created_at)],
        hidden => [qw(payment_method payment_sender payment_reference
                      payment_verified_by_id payment_verified_at)],
        after  => { tournament_id => 'm10 p1 r20 r1020',
                    user_id => 'm10 p1 p1001 r20',
                    team_id => 'm10 m1010 p1 r20' },
    }, {
        name   => 'tournaments_registrationrequest',
        row    => { id => 40, tournament_id => 20, team_id => 10,
                    requester_id => 2, captain_id => 1,
                    status => q{'PENDING'}, created_at => $NOW,
                    expires_at => $NOW },
        tokens => 'p2',
        shown  => [qw(tournament_id team_id requester_id status)],
        hidden => [qw(id captain_id created_at expires_at)],
        after  => { requester_id => 'p2 p1002' },
    },
);

my %TABLE = map { $_->{name} => $_ } @TABLES;

# Another value of a column, by its type

my %OTHER = (
    'bigint'                   => 'coalesce(%1$s, 0) + 1000',
    'integer'                  => 'coalesce(%1$s, 0) + 1000',
    'smallint'                 => 'coalesce(%1$s, 0) + 1000',
    'numeric'                  => 'coalesce(%1$s, 0) + 1',
    'boolean'                  => 'NOT coalesce(%1$s, false)',
    'text'                     => q{coalesce(%1$s, '') || 'x'},
    'character varying'        => q{left(md5(coalesce(%1$s, '')), 2)},
    'timestamp with time zone' =>
        q{coalesce(%1$s, '2026-01-01Z') + interval '1 second'},
);

my $databases = 0;
my $marks     = 0;


# A new database, installed unless told otherwise. Returns a writer's session.

sub database {
    my (%options) = @_;

    my $name = 'feed' . ++$databases;
    my %vars = $options{tables_schema}
        ? (tables_schema => $options{tables_schema}) : ();

    $pg->psql("CREATE DATABASE $name");
    $pg->load($options{schema} // 'schema', -dbname => $name, %vars);
    $pg->psql($options{before}, -dbname => $name) if $options{before};
    $pg->load('install', -dbname => $name, feed => $options{feed} // 'both',
              %vars);

    my $db = $pg->session(dbname => $name);

    $db->{name}     = $name;
    $db->{vars}     = \%vars;
    $db->{listener} = $pg->session(dbname => $name);
    $db->{listener}->rows('LISTEN tournament_changes');
    $db->rows("SELECT pg_create_logical_replication_slot('$name', 'pgoutput')");

    return $db;
}


sub install   { $pg->load('install', -dbname => $_[0]{name}, %{ $_[0]{vars} }) }
sub uninstall { $pg->load('uninstall', -dbname => $_[0]{name}) }


# The messages in the log since the last call: of each transaction its id and
# what it announced, each once.

sub messages {
    my ($db) = @_;

    my (@transactions, %seen);

    for ($db->{listener}->rows(qq{
        SELECT xid, encode(substring(data from 11 for 15), 'escape'),
               convert_from(substring(data from 30), 'UTF8')
          FROM pg_logical_slot_get_binary_changes('$db->{name}', NULL, NULL,
                   'proto_version', '1', 'publication_names',
                   'tournament_api', 'messages', 'true')
         WHERE get_byte(data, 0) = ascii('M')}))
    {
        my ($id, $prefix, $payload) = @$_;

        die "a message $payload of $prefix" if $prefix ne 'tournament_api\\000';

        push @transactions, { id => $id, rows => 0, said => [] }
            if !@transactions || $transactions[-1]{id} != $id;
        $transactions[-1]{rows}++;
        push @{ $transactions[-1]{said} }, $payload
            unless $seen{$id}{$payload}++;
    }

    return @transactions;
}


# What was announced since the last call, which both feeds tell alike.
# Notifications come in the order of commits: the listener's own is the last of
# them.

sub heard {
    my ($db) = @_;

    my @heard = notifications($db);
    my @said  = map {
        $_->{rows} > 300 ? (@{ $_->{said} }[0 .. 299], '*') : @{ $_->{said} }
    } messages($db);

    local $Test::Builder::Level = $Test::Builder::Level + 2;

    is_deeply \@said, \@heard, 'both feeds tell the same'
        if "@said" ne "@heard";

    # In which order the tokens of a row come is nothing to anybody.

    return map {
        join ' ', map { "$_->[0]$_->[1]" }
            sort { $a->[0] cmp $b->[0] || $a->[1] <=> $b->[1] }
            map { /^(\w)(\d+)\z/ ? [ $1, $2 ] : [ $_, '' ] } split / /
    } @heard;
}


sub notifications {
    my ($db) = @_;

    my $end = 'end ' . ++$marks;
    my $sql = "NOTIFY tournament_changes, '$end'";
    my @heard;

    poll_until {
        push @heard, map {
            join(',', @$_) =~ /^Asynchronous\ notification
                \ "tournament_changes"\ with\ payload\ "(.*?)"/x ? $1 : ()
        } $db->{listener}->rows($sql);

        $sql = 'SELECT';

        return @heard && $heard[-1] eq $end;
    } 20, 'the end of the notifications';

    pop @heard;

    return @heard;
}


# Writes, and tells what that announced.

sub announced {
    my ($db, $sql) = @_;

    $db->rows($sql);

    return [ heard($db) ];
}


sub warned {
    my ($text) = @_;

    $pg->wait_for_log(qr/WARNING:  .*\Q$text\E/);

    return;
}


sub failure (&) {
    my ($code) = @_;

    return eval { $code->(); 1 } ? 'no failure' : $@;
}


sub insert_sql {
    my ($table, %row) = @_;

    %row = (%{ $TABLE{$table}{row} }, %row);

    my @columns = sort keys %row;

    return "INSERT INTO $table (" . join(', ', @columns) . ') VALUES ('
        . join(', ', map { $_ // 'NULL' } @row{@columns}) . ')';
}


# Rows that others refer to, with nothing announced.

sub parents {
    my ($db, $tables) = @_;

    $tables //= 'public';

    $db->rows("SET search_path = $tables");
    $db->rows(join ';',
        insert_sql('user_profile_userprofile'),
        insert_sql('user_profile_userprofile', id => 2, user_id => 102),
        insert_sql('teams_team'),
        insert_sql('tournaments_tournament'));

    heard($db);

    return $db;
}


# n registrations of users 1001 and up, who have profiles.

sub crowd {
    my ($db) = @_;

    $db->rows(qq{
        INSERT INTO user_profile_userprofile
        SELECT 1000 + n, 1000 + n, 'n', NULL, false, '', '', '', '', now()
          FROM generate_series(1, 1000) n});

    heard($db);

    return;
}


sub register_sql {
    my ($from, $to, $tournament) = @_;

    $tournament //= 20;

    return qq{
        INSERT INTO tournaments_registration (tournament_id, user_id,
               payment_method, payment_sender, payment_reference,
               payment_status, status, created_at)
        SELECT $tournament, 1000 + n, '', '', '', 'pending', 'PENDING', now()
          FROM generate_series($from, $to) n};
}


subtest 'each table, each event' => sub {
    my $db = parents(database());

    # Without foreign keys; the triggers do not mind.
    $db->rows('SET session_replication_role = replica');

    for my $t (@TABLES) {
        my $name = $t->{name};
        my $id   = $t->{row}{id};
        my %type = map { @$_ } $db->rows(qq{
            SELECT column_name, data_type FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '$name'});
        my %shown = map { $_ => 1 } @{ $t->{shown} };
        my %known = map { $_ => 1 } 'id', keys %shown, @{ $t->{hidden} };

        is_deeply [ sort keys %known ], [ sort keys %type ],
            "$name: every column is known here";

        $db->rows("DELETE FROM $name WHERE id = $id");
        heard($db);

        is_deeply announced($db, insert_sql($name)),
            [ $t->{insert} // $t->{tokens} ], 'INSERT';

        for my $column ('id', sort keys %type) {
            my $other    = sprintf $OTHER{ $type{$column} }, $column;
            my $expected = $t->{after}{$column} // $t->{tokens};

            $expected = undef if !$shown{$column};

            is_deeply announced($db, "BEGIN; SAVEPOINT a;
                    UPDATE $name SET $column = $other WHERE id = $id;
                    RELEASE a; COMMIT"),
                [ $expected // () ], "UPDATE of $column";

            is_deeply announced($db, "UPDATE $name SET $column = $column"),
                [], "$column set to what it is";

            $db->rows("DELETE FROM $name WHERE id IN ($id, 1000 + $id)");
            $db->rows(insert_sql($name));
            heard($db);
        }

        is_deeply announced($db, "DELETE FROM $name WHERE id = $id"),
            [ $t->{tokens} ], 'DELETE';
        is_deeply announced($db, "DELETE FROM $name WHERE id = $id"), [],
            'DELETE of nothing';
    }
};


subtest 'values that come and go' => sub {
    my $db = parents(database());

    is_deeply announced($db, 'UPDATE tournaments_tournament
                                 SET slot_size = 8'), ['t20'], 'from null';
    is_deeply announced($db, 'UPDATE tournaments_tournament
                                 SET slot_size = NULL'), ['t20'], 'to null';
    is_deeply announced($db, insert_sql('tournaments_registration',
                                        team_id => undef)), ['p1 r20'],
        'a registration without a team';
    is_deeply announced($db, q{UPDATE tournaments_registration
                                  SET team_id = 10, user_id = NULL}),
        ['m10 p1 r20'], 'becomes a team\'s';
    is_deeply announced($db, q{UPDATE tournaments_registration
                                  SET status = 'CONFIRMED'}),
        ['m10 r20'], 'and is no user\'s any more';

    # Equal to this collation, another text in an answer

    $db->rows(q{
        CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2',
                                   deterministic = false);
        ALTER TABLE teams_team ALTER COLUMN name TYPE varchar(100)
              COLLATE any_case});
    is $db->value(q{SELECT name = 'A' FROM teams_team}), 't',
        '"a" is "A" in this column';
    is_deeply announced($db, q{UPDATE teams_team SET name = 'A'}), ['m10'],
        'the change is told all the same';
};


subtest 'transactions' => sub {
    my $db = parents(database());

    crowd($db);

    is_deeply announced($db, 'BEGIN; ' . register_sql(1, 1) . '; ROLLBACK'),
        [], 'rolled back';
    is_deeply announced($db, 'BEGIN; SAVEPOINT a; ' . register_sql(1, 1)
        . '; ROLLBACK TO a; ' . register_sql(2, 2) . '; COMMIT'),
        ['p1002 r20'], 'rolled back to a savepoint';
    is_deeply announced($db, 'BEGIN; SAVEPOINT a; ' . register_sql(3, 3)
        . '; RELEASE a; COMMIT'), ['p1003 r20'], 'a savepoint released';

    $db->rows('BEGIN; ' . register_sql(4, 4));
    is_deeply [ heard($db) ], [], 'nothing before the commit';
    is_deeply announced($db, 'COMMIT'), ['p1004 r20'], 'then at once';

    is_deeply announced($db, q{
        BEGIN;
        UPDATE tournaments_registration SET status = 'CONFIRMED'
         WHERE user_id = 1004;
        UPDATE tournaments_registration SET payment_status = 'verified'
         WHERE user_id = 1004;
        UPDATE tournaments_tournament SET slot_size = 3;
        } . insert_sql('tournaments_tournamentsettings') . '; COMMIT'),
        [ 'p1004 r20', 't20' ], 'equal changes are told once';

    like failure { $db->rows(register_sql(4, 4)) }, qr/duplicate key/,
        'a statement that fails';
    is_deeply [ heard($db) ], [], 'tells nothing';
};


subtest 'the choice of a feed' => sub {
    my $db = database(feed => 'notify');

    $db->rows("SELECT pg_drop_replication_slot('$db->{name}')");
    $db->rows(join ';', map { insert_sql($_) }
        qw(user_profile_userprofile teams_team tournaments_tournament));
    notifications($db);

    my $choose = sub {
        $pg->load('install', -dbname => $db->{name}, @_);

        return $db->value('SELECT tournament_api.feed()')
             . $db->value(q{SELECT count(*) FROM pg_publication
                             WHERE pubname = 'tournament_api'})
    };

    # A slot asks for the publication whenever it decodes.

    my $told = sub {
        $db->rows('UPDATE tournaments_tournament
                      SET slot_size = coalesce(slot_size, 0) + 1');

        return [ scalar notifications($db),
                 $_[0] ? scalar messages($db) : () ];
    };

    is $choose->(), 'notify0', 'the previous one';
    is_deeply $told->(), [1], 'notifies';
    is $choose->(feed => 'logical'), 'logical1', 'another';
    $db->rows("SELECT pg_create_logical_replication_slot('$db->{name}',
                                                         'pgoutput')");
    is_deeply $told->(1), [ 0, 1 ], 'a message';
    is $choose->(), 'logical1', 'is kept';

    $db->rows("BEGIN; UPDATE tournaments_tournament SET slot_size = 70;
               PREPARE TRANSACTION 'p'");
    is_deeply [ messages($db) ], [], 'prepared: nothing yet';
    $db->rows("COMMIT PREPARED 'p'");
    is_deeply [ map { @{ $_->{said} } } messages($db) ], ['t20'],
        'committed: all';

    is $choose->(feed => 'both'), 'both1', 'both';
    is_deeply $told->(1), [ 1, 1 ], 'tell';
    is $choose->(feed => 'notify'), 'notify0', 'back';

    like failure { $choose->(feed => 'Notify') }, qr/no such feed: "Notify"/,
        'another word is none';
    $db->rows('CREATE PUBLICATION tournament_api FOR TABLE teams_team');
    like failure { $choose->(feed => 'both') },
        qr/there is a publication tournament_api, with tables/,
        'a publication of the site\'s is in the way';
    is $choose->(), 'notify1', 'where it is not, it stays';
    uninstall($db);
    is $db->value('SELECT count(*) FROM pg_publication'), 1, 'in any case';
};


subtest 'many in one transaction' => sub {
    my $db   = parents(database());
    my $each = sub { map { 'p' . (1000 + $_) . ' r20' } @_ };

    crowd($db);

    is_deeply announced($db, register_sql(1, 3)), [ $each->(1 .. 3) ],
        'each row';
    is_deeply announced($db, register_sql(4, 303)), [ $each->(4 .. 303) ],
        '300 rows';
    is_deeply announced($db, register_sql(304, 604)),
        [ $each->(304 .. 603), '*' ], '301 rows';
    is_deeply announced($db, 'BEGIN; ' . register_sql(605, 755) . ';'
        . register_sql(756, 900) . '; SAVEPOINT a; ' . register_sql(901, 999)
        . '; ROLLBACK TO a; ' . register_sql(901, 906) . '; COMMIT'),
        [ $each->(605 .. 904), '*' ], 'of several statements, not all kept';
    is_deeply announced($db, register_sql(907, 907)), [ $each->(907) ],
        'the next transaction begins anew';
    is_deeply announced($db, q{UPDATE tournaments_registration
                                  SET payment_status = 'verified'
                                WHERE user_id IN (1001, 1002)}),
        [ $each->(1 .. 2) ], 'only what changes counts';
    is_deeply announced($db, q{UPDATE tournaments_registration
                                  SET payment_status = 'verified'
                                WHERE user_id <= 1003}),
        [ $each->(3) ], 'of an update too';
    is scalar(@{ announced($db, 'DELETE FROM tournaments_registration') }),
        301, 'a DELETE';

    # The longest there can be

    $db->rows('SET session_replication_role = replica');

    my $payload = announced($db, q{
        INSERT INTO tournaments_registration (tournament_id, user_id, team_id,
               payment_method, payment_sender, payment_reference,
               payment_status, status, created_at)
        SELECT n, n, n, '', '', '', '', '', now()
          FROM (VALUES (-9223372036854775807)) AS v (n)});

    cmp_ok length $payload->[0], '<', 70, 'ids of 20 characters';
};


subtest 'TRUNCATE' => sub {
    my $db = parents(database());

    $db->rows(insert_sql('tournaments_registration'));
    heard($db);

    is_deeply announced($db, 'TRUNCATE tournaments_schedule'), ['*'],
        'of a table';
    is_deeply announced($db, 'TRUNCATE tournaments_tournament CASCADE'),
        ['*'], 'and of all that refer to it';
    is $db->value('SELECT count(*) FROM tournaments_registration'), 0,
        'which are empty';

    is_deeply announced($db, 'BEGIN; TRUNCATE teams_team CASCADE; ROLLBACK'),
        [], 'rolled back';
    is_deeply announced($db, "TRUNCATE $_->{name} CASCADE"), ['*'],
        $_->{name} for @TABLES;
};


subtest 'statements of other kinds' => sub {
    my $db = parents(database());

    crowd($db);

    my $upsert = 'INSERT INTO tournaments_registration (tournament_id,
        user_id, payment_method, payment_sender, payment_reference,
        payment_status, status, created_at)
        SELECT 20, n, %s, %s, %s, %s, %s, now()
          FROM unnest(ARRAY[%s]) n
        ON CONFLICT (tournament_id, user_id) WHERE user_id IS NOT NULL';

    $upsert = sprintf $upsert, "''", "''", "''", "'pending'", "'PENDING'",
        '%s';

    is_deeply announced($db, sprintf "$upsert DO NOTHING", '1001, 1002'),
        ['p1001 r20', 'p1002 r20'], 'ON CONFLICT, without one';
    is_deeply announced($db, sprintf "$upsert DO NOTHING", '1001, 1002'), [],
        'DO NOTHING';
    is_deeply [ sort @{ announced($db, sprintf "$upsert DO UPDATE
        SET status = 'CONFIRMED'", '1002, 1003') } ],
        [ 'p1002 r20', 'p1003 r20' ], 'DO UPDATE: one of each';
    is_deeply announced($db, sprintf "$upsert DO UPDATE
        SET payment_sender = '7'", '1002, 1003'), [],
        'DO UPDATE of what nobody sees';

    $db->rows("\\copy tournaments_registrationrequest from '"
        . spew(tempdir() . '/rows', join '', map {
            "$_\t20\t10\t" . (1000 + $_) . "\t1\tPENDING\t2026-01-01Z"
            . "\t2026-01-01Z\n" } 1 .. 2) . "'");
    is_deeply [ heard($db) ], ['p1001', 'p1002'], 'COPY';

    is_deeply announced($db, q{
        WITH gone AS (DELETE FROM tournaments_registrationrequest
                       RETURNING requester_id)
        UPDATE user_profile_userprofile p SET display_name = 'w'
          FROM gone WHERE p.id = requester_id}), ['p1001', 'p1002'],
        'a WITH that writes, told once';

  SKIP: {
        skip 'MERGE came with PostgreSQL 15', 1 if $pg->version < 15;

        is_deeply [ sort @{ announced($db, q{
            MERGE INTO tournaments_registration r
            USING unnest(ARRAY[1001, 1002, 1003, 1004]) AS s (id)
               ON r.user_id = s.id
             WHEN MATCHED AND s.id = 1001 THEN DELETE
             WHEN MATCHED AND s.id = 1002 THEN
                  UPDATE SET status = 'CANCELLED'
             WHEN MATCHED THEN UPDATE SET payment_sender = '8'
             WHEN NOT MATCHED THEN
                  INSERT (tournament_id, user_id, payment_method,
                          payment_sender, payment_reference, payment_status,
                          status, created_at)
                  VALUES (20, s.id, '', '', '', '', 'PENDING', now())}) } ],
            [ 'p1001 r20', 'p1002 r20', 'p1004 r20' ], 'MERGE';
    }
};


subtest 'keys that cascade' => sub {
    my $db = parents(database());

    $db->rows(q{
        ALTER TABLE tournaments_registration
              DROP CONSTRAINT tournaments_registration_tournament_id_fk,
              ADD FOREIGN KEY (tournament_id)
                  REFERENCES tournaments_tournament ON DELETE CASCADE
                  ON UPDATE CASCADE,
              DROP CONSTRAINT tournaments_registration_team_id_fk,
              ADD FOREIGN KEY (team_id) REFERENCES teams_team
                  ON DELETE SET NULL});
    $db->rows(insert_sql('tournaments_registration'));
    heard($db);

    is_deeply [ sort @{ announced($db, 'UPDATE tournaments_tournament
        SET id = 21') } ], [ 'm10 p1 r20 r21', 't20 t21' ], 'an id changes';
    is_deeply [ sort @{ announced($db, 'DELETE FROM teams_team') } ],
        [ 'm10', 'm10 p1 r21' ], 'a team goes';
    is_deeply [ sort @{ announced($db, 'DELETE FROM
        tournaments_tournament') } ], [ 'p1 r21', 't21' ],
        'a tournament goes, and its registrations';
};


subtest 'a writer without rights' => sub {
    my $db = parents(database());

    $pg->create_role('writer');
    $db->rows('GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE
                  ON ALL TABLES IN SCHEMA public TO writer');

    is $db->value(q{SELECT has_schema_privilege('writer', 'tournament_api',
                                                'USAGE')}), 'f',
        'has nothing of the schema';
    is $db->value(q{
        SELECT count(*) FROM pg_proc
         WHERE pronamespace = 'tournament_api'::regnamespace
           AND has_function_privilege('writer', oid, 'EXECUTE')}), 0,
        'nor of its functions';

    my $writer = $pg->session(user => 'writer', dbname => $db->{name});

    $writer->rows('SET ROLE writer; SET search_path = pg_temp, public');
    $writer->rows(q{UPDATE tournaments_tournament SET slot_size = 1});
    $writer->rows(q{UPDATE teams_team SET logo = 'x'});
    $writer->rows('TRUNCATE tournaments_schedule');
    is_deeply [ heard($db) ], [ 't20', '*' ], 'and is heard';

    like failure { $writer->rows(
        'CREATE TEMP TABLE t (id int);
         CREATE TRIGGER x AFTER TRUNCATE ON t
                EXECUTE FUNCTION tournament_api.announce_team()')
    }, qr/permission denied/, 'cannot use the functions itself';

    # An operator of the writer's, a closer match than pg_catalog's

    $db->rows(q{
        CREATE SCHEMA evil;
        CREATE FUNCTION evil.trap(bigint, bigint) RETURNS boolean
        LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
        CREATE OPERATOR evil.= (LEFTARG = bigint, RIGHTARG = bigint,
                                FUNCTION = evil.trap);
        SET search_path = evil, pg_catalog, public});
    is_deeply announced($db, 'UPDATE tournaments_tournament
                                 SET slot_size = 2'), ['t20'],
        'nothing that others create is found first';
};


# Settings of roles and databases, as sites have them: a write succeeds exactly
# where it does without triggers, and what succeeds is announced.

subtest 'settings' => sub {
    my @settings = (
        { work_mem => '64kB', temp_file_limit => '64kB' },
        { array_nulls => 'off' },
        { lock_timeout => '50ms', statement_timeout => '30s' },
        { default_transaction_isolation => 'serializable' },
        { default_transaction_isolation => 'repeatable read',
          default_transaction_deferrable => 'on' },
        { default_transaction_read_only => 'on' },
        { search_path => '' },
        { search_path => 'pg_temp, evil, pg_catalog, public' },
        { session_replication_role => 'replica' },
        { session_replication_role => 'local' },
        { standard_conforming_strings => 'off', escape_string_warning => 'off',
          transform_null_equals => 'on', quote_all_identifiers => 'on' },
        { 'plpgsql.extra_errors' => 'all', 'plpgsql.extra_warnings' => 'all',
          'plpgsql.variable_conflict' => 'use_column',
          'plpgsql.check_asserts' => 'off' },
        { row_security => 'off', check_function_bodies => 'off',
          track_functions => 'all', plan_cache_mode => 'force_custom_plan' },
        { DateStyle => 'SQL, DMY', IntervalStyle => 'iso_8601',
          TimeZone => 'Asia/Kathmandu', lc_numeric => 'C',
          client_min_messages => 'error', jit => 'on', jit_above_cost => 0 },
        { enable_nestloop => 'off', enable_hashjoin => 'off',
          enable_sort => 'off', enable_seqscan => 'off' },
    );
    my $many = register_sql(1, 2000);

    $many =~ s/INTO (\w+)/INTO public.$1/;
    $many =~ s/'pending'/repeat('x', 10) || n/;

    # Bulk that would spill, TRUNCATE, each kind of statement

    my @writes = (
        $many,
        q{UPDATE public.tournaments_registration SET status = 'CONFIRMED'},
        q{UPDATE public.tournaments_registration SET payment_sender = 'x'},
        q{DELETE FROM public.tournaments_registration},
        q{INSERT INTO public.tournaments_schedule (id, tournament_id)
          VALUES (9, 20) ON CONFLICT (id) DO UPDATE SET start_at = now()},
        q{TRUNCATE public.tournaments_schedule},
        q{UPDATE public.user_profile_userprofile SET user_id = user_id + 5000},
        q{DELETE FROM public.tournaments_tournament WHERE id = 20},
    );

    $pg->create_role('site');

    my %outcome;

    for my $with (0, 1) {
        my $db = parents(database());

        $db->rows(q{
            CREATE SCHEMA evil;
            CREATE FUNCTION evil.trap(text, text) RETURNS boolean
            LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
            CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text,
                                    FUNCTION = evil.trap);
            INSERT INTO user_profile_userprofile
            SELECT 1000 + n, 1000 + n, 'n', NULL, false, '', '', '', '', now()
              FROM generate_series(1, 2000) n});
        uninstall($db) unless $with;
        $with ? heard($db) : notifications($db);

        for my $i (0 .. $#settings) {
            my $set    = $settings[$i];
            my $writer = $pg->session(dbname => $db->{name});

            $writer->rows("SELECT set_config('$_', '$set->{$_}', false)")
                for sort keys %$set;

            $outcome{"$i $_"}[$with]
                = failure { $writer->rows("BEGIN; $writes[$_]; COMMIT") }
                =~ s/ at t.*//sr, $writer->rows('ROLLBACK') for 0 .. $#writes;
            $writer->close;

            $db->rows('TRUNCATE tournaments_registration,
                                tournaments_schedule;
                       DELETE FROM tournaments_tournament');
            $db->rows(insert_sql('tournaments_tournament'));

            next if !$with;

            my @heard = notifications($db);

            cmp_ok scalar(grep { $_ eq '*' } @heard), '>=',
                $set->{default_transaction_read_only} ? 1 : 3,
                'announced under ' . join ' ', %$set;
            unlike "@heard", qr/not announced/, 'without trouble';
        }
    }

    my @other = grep { $outcome{$_}[0] ne $outcome{$_}[1] }
                sort keys %outcome;

    is_deeply { map { $_ => $outcome{$_}[1] } @other },
        { map { $_ => $outcome{$_}[0] } @other },
        'what fails, fails without triggers too';
    cmp_ok scalar(grep { $outcome{$_}[1] eq 'no failure' } keys %outcome),
        '>', 100, 'most do not';
};


# A commit that announces waits for those before it that do, as here for one
# that waits for a standby; a lock_timeout ends that, where no trigger can help.

subtest 'lock_timeout and COMMIT' => sub {
    my $db     = parents(database());
    my $first  = $pg->session(dbname => $db->{name});
    my $second = $pg->session(dbname => $db->{name});

    $second->rows("SET lock_timeout = '100ms'; SET synchronous_commit = off");

    for my $feed (qw(notify logical)) {
        $pg->load('install', -dbname => $db->{name}, feed => $feed);
        $pg->set(synchronous_standby_names => 'nobody');
        $first->do('SET synchronous_commit = on;
                    UPDATE tournaments_tournament SET slot_size = 77');

        poll_until {
            ($pg->value('SELECT wait_event FROM pg_stat_activity
                          WHERE pid = ' . $first->pid) // '') eq 'SyncRep'
        } 20, 'a commit waits for a standby';

        my $failure = failure {
            $second->rows(q{UPDATE teams_team SET name = 'z'});
        };

        $feed eq 'notify'
            ? like $failure, qr/canceling statement due to lock timeout/,
                'notify: the next one fails'
            : is $failure, 'no failure', 'logical: the next one does not wait';

        $pg->set(synchronous_standby_names => undef);
        $first->wait;
    }
};


# What the application's migrations do to a table after the install.

subtest 'migrations' => sub {
    my $db = parents(database());

    is_deeply announced($db, 'UPDATE tournaments_tournament
                                 SET slot_size = 5'), ['t20'],
        'a plan is kept';

    $db->rows(q{
        ALTER TABLE tournaments_tournament
              ALTER COLUMN id TYPE integer,
              ALTER COLUMN slug TYPE varchar(300),
              ALTER COLUMN slot_size TYPE bigint,
              ADD COLUMN region varchar(20) NOT NULL DEFAULT 'x';
        ALTER TABLE tournaments_registration
              ALTER COLUMN tournament_id TYPE integer});

    is_deeply announced($db, 'UPDATE tournaments_tournament
                                 SET slot_size = 6'), ['*'],
        'types may change: a plan that was kept is for the older one';
    install($db);
    is_deeply announced($db, 'UPDATE tournaments_tournament
                                 SET slot_size = 7'), ['t20'],
        'until another run';
    is_deeply announced($db, q{UPDATE tournaments_tournament
                                  SET region = 'y'}), [],
        'a column of the site\'s own is not shown';

    # What an answer shows, gone

    for ([ 'DROP COLUMN banner', 'ADD COLUMN banner varchar(100)' ],
         [ 'RENAME COLUMN banner TO picture',
           'RENAME COLUMN picture TO banner' ])
    {
        my ($change, $back) = @$_;

        $db->rows("ALTER TABLE tournaments_tournament $change");

        for my $write ('UPDATE tournaments_tournament SET slot_size = 9',
                       'UPDATE tournaments_tournament SET region = region')
        {
            is_deeply announced($db, $write), ['*'],
                "$change: everything, and no failure";
        }

        is_deeply announced($db, insert_sql('tournaments_tournament',
            id => 21, slug => q{'s'})), ['t21'], 'an INSERT needs it not';
        is_deeply announced($db, 'DELETE FROM tournaments_tournament
                                   WHERE id = 21'), ['t21'], 'nor a DELETE';

        $pg->log_mark;
        $db->rows('UPDATE tournaments_tournament SET slot_size = 7');
        warned('a change in public.tournaments_tournament is announced as a '
            . 'change of everything: record "old" has no field "banner"');
        heard($db);

        $db->rows("ALTER TABLE tournaments_tournament $back");
        is_deeply announced($db, 'UPDATE tournaments_tournament
                                     SET slot_size = 8'), ['t20'],
            "$back: it is the tournament again";
        is_deeply announced($db, q{UPDATE tournaments_tournament
                                      SET region = region || 'z'}), [],
            'and no more';

        $db->rows('UPDATE tournaments_tournament SET slot_size = 6');
        heard($db);
    }

    $db->rows('ALTER TABLE tournaments_schedule
                     RENAME COLUMN tournament_id TO event_id');
    is_deeply announced($db, 'INSERT INTO tournaments_schedule (id, event_id)
                              VALUES (1, 20)'), ['*'], 'a column of tokens';

    $db->rows('DROP TABLE tournaments_schedule');
    install($db);
    pass 'a table goes';
};


# No error of ours is the application's.

subtest 'failures' => sub {
    my $db = parents(database());

    my $break = sub {
        my ($from, $to) = @_;

        my $text = $db->value(
            'SELECT pg_get_functiondef(' .
            q{'tournament_api.announce_team'::regproc)});

        $text =~ s/\Q$from\E/$to/ or die "no $from";
        $db->rows($text);
    };

    $break->('payload  pg_catalog.text', 'payload  pg_catalog.varchar(1)');
    is_deeply announced($db, q{UPDATE teams_team SET name = 'b'}), ['*'],
        'an error is everything';
    is $db->value('SELECT name FROM teams_team'), 'b', 'the write is done';

    $break->('OPERATOR(pg_catalog.>) 0.9', 'OPERATOR(pg_catalog.>) -1');
    $break->('payload  pg_catalog.varchar(1)', 'payload  pg_catalog.text');
    $pg->log_mark;
    $db->rows(q{UPDATE teams_team SET name = 'c'});
    is_deeply [ notifications($db) ], [], 'a full queue gets no more';
    is_deeply [ map { @{ $_->{said} } } messages($db) ], ['m10'],
        'but the log does';
    warned('the notification queue is nearly full, a change in '
        . 'public.teams_team is not announced');

    $pg->log_mark;
    is_deeply announced($db, q{UPDATE teams_team SET logo = 'c'}), [],
        'where nothing is to be told';
    unlike $pg->log_since, qr/nearly full/, 'nothing is said';

    is $db->value('SELECT name FROM teams_team'), 'c', 'the writes are done';

    # A writer who may do neither

    install($db);
    $pg->create_role('mute');
    $db->rows(q{
        GRANT UPDATE ON teams_team TO mute;
        REVOKE EXECUTE ON FUNCTION pg_notify(text, text),
                                   pg_logical_emit_message(boolean, text, text)
          FROM PUBLIC}) if $pg->version < 17;
    $db->rows(q{
        GRANT UPDATE ON teams_team TO mute;
        REVOKE EXECUTE ON FUNCTION pg_notify(text, text),
               pg_logical_emit_message(boolean, text, text, boolean)
          FROM PUBLIC}) if $pg->version >= 17;
    $pg->log_mark;
    $pg->session(user => 'mute', dbname => $db->{name})->rows(
        q{UPDATE teams_team SET name = 'd'});
    is_deeply [ heard($db) ], [], 'nothing at all can be told';
    warned("is not announced: permission denied for function $_")
        for qw(pg_notify pg_logical_emit_message);
    is $db->value('SELECT name FROM teams_team'), 'd', 'the write is done';
};


# Tables as another deployment has them.

subtest 'other tables' => sub {
    my $text = slurp(project('sql', 'schema.sql'));

    $text =~ s/\bbigserial\b/serial/g;
    $text =~ s/\bbigint\b/integer/g;
    $text =~ s/\bvarchar\(255\)/text/g;
    $text =~ s/^CREATE TABLE IF NOT EXISTS tournaments_schedule.*?^\);\n//ms
        or die 'no schedules in schema.sql';

    my $db = database(
        schema        => spew(tempdir() . '/variant.sql', $text),
        tables_schema => 'App Data',
    );

    parents($db, '"App Data"');

    for my $t (grep { $_->{name} ne 'tournaments_schedule' } @TABLES) {
        my $shown = grep { $_ eq 'id' } @{ $t->{shown} };

        $db->rows('SET session_replication_role = replica');
        $db->rows("DELETE FROM $t->{name}");
        heard($db);

        is_deeply announced($db, insert_sql($t->{name})),
            [ $t->{insert} // $t->{tokens} ], "$t->{name}: INSERT";
        is_deeply announced($db,
            "UPDATE $t->{name} SET id = id + 1000"),
            [ $shown ? $t->{after}{id} // $t->{tokens} : () ], 'UPDATE';
    }

    # The table appears; another run sees it.

    $db->rows(q{CREATE TABLE tournaments_schedule (id serial PRIMARY KEY,
        tournament_id integer, check_in_open_mins int,
        check_in_close_mins int)});
    install($db);
    is_deeply announced($db, insert_sql('tournaments_schedule')), ['t20'],
        'a table that came later';
};


subtest 'partitions' => sub {
    my $text = slurp(project('sql', 'schema.sql'));

    my $parts = join "\n", ') PARTITION BY RANGE (id);', map {
        "CREATE TABLE part_$_ PARTITION OF tournaments_registration FOR VALUES"
        . ' FROM (' . ($_ - 1) * 1000 . ') TO (' . $_ * 1000 . ');' } 1, 2;

    $text =~ s/(EXISTS tournaments_registration \(.*?)^\);/$1$parts/ms
        or die 'no registrations in schema.sql';
    $text =~ s/^CREATE UNIQUE INDEX.*?;\n//msg;

    my $db = parents(database(schema => spew(tempdir() . '/parts.sql',
                                             $text)));

    is_deeply announced($db, insert_sql('tournaments_registration')),
        ['m10 p1 r20'], 'through the table';
    is_deeply announced($db, q{UPDATE part_1 SET status = 'CONFIRMED'}),
        ['m10 p1 r20'], 'through a partition';
    is_deeply announced($db, q{UPDATE tournaments_registration
        SET id = 1500}), ['m10 p1 r20'], 'from one to the other';
    is_deeply announced($db, 'DELETE FROM part_2'), ['m10 p1 r20'],
        'deleted there';

    $db->rows('CREATE TABLE part_3 PARTITION OF tournaments_registration
                      FOR VALUES FROM (2000) TO (3000)');
    is_deeply announced($db, insert_sql('tournaments_registration',
                                        id => 2000)), ['m10 p1 r20'],
        'one that was added later';

    my @before = triggers($db);

    install($db);
    is_deeply announced($db, 'TRUNCATE part_3'), ['*'],
        'which has all triggers after another run';
    is_deeply [ grep { !/part_3/ } triggers($db) ],
        [ grep { !/part_3/ } @before ], 'and nothing else changes';
};


sub triggers {
    my ($db) = @_;

    return map { join ' ', @$_ } $db->rows(q{
        SELECT xmin, oid, tgrelid::regclass, tgname, tgenabled,
               pg_get_triggerdef(oid)
          FROM pg_trigger WHERE NOT tgisinternal ORDER BY oid});
}


subtest 'another run' => sub {
    my $db     = parents(database());
    my @before = triggers($db);

    is scalar @before, 16, 'two of each of the eight tables';

    # One that locked a table would wait for this.

    my $writer = $pg->session(dbname => $db->{name});

    $writer->rows('BEGIN');
    $writer->rows("LOCK TABLE $_->{name} IN ROW EXCLUSIVE MODE") for @TABLES;
    install($db);
    is_deeply [ triggers($db) ], \@before, 'changes nothing, locks no table';
    $writer->rows('ROLLBACK');

    # What an older version or the operator left

    $db->rows(q{
        DROP TRIGGER tournament_api_row ON teams_team;
        ALTER TABLE tournaments_registration
              DISABLE TRIGGER tournament_api_row;
        ALTER TABLE tournaments_registrationrequest ENABLE TRIGGER ALL;
        CREATE OR REPLACE TRIGGER tournament_api_row
         AFTER INSERT OR UPDATE OR DELETE ON tournaments_tournament
           FOR EACH ROW EXECUTE FUNCTION tournament_api.announce_team();
        CREATE OR REPLACE TRIGGER tournament_api_row
         AFTER INSERT OR UPDATE OF name ON teams_team
           FOR EACH ROW EXECUTE FUNCTION tournament_api.announce_team();
        CREATE OR REPLACE TRIGGER tournament_api_row
         AFTER INSERT OR UPDATE OR DELETE ON tournaments_schedule
           FOR EACH ROW WHEN (false)
               EXECUTE FUNCTION tournament_api.announce_schedule();
        CREATE TRIGGER tournament_api_older AFTER INSERT ON teams_team
          FOR EACH STATEMENT EXECUTE FUNCTION tournament_api.announce_team();
        CREATE FUNCTION site_trigger() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER site_own AFTER INSERT ON teams_team
          FOR EACH STATEMENT EXECUTE FUNCTION site_trigger()});
    install($db);

    my $definitions = sub {
        return [ sort map { s/^\d+ \d+ //r } @_ ];
    };

    is_deeply $definitions->(grep { !/site_own/ } triggers($db)),
        $definitions->(@before), 'it puts right what is not';
    is scalar(grep { /site_own/ } triggers($db)), 1,
        'the site\'s own trigger stays';

    uninstall($db);
    is_deeply [ map { /(\w+) O CREATE/ } triggers($db) ], ['site_own'],
        'taken out: only the site\'s is left';
    $db->rows(q{UPDATE teams_team SET name = 'z'});
    is_deeply [ notifications($db) ], [], 'nothing is announced';
};


# Whoever waits for a lock on a table makes everybody wait who comes after.

subtest 'the site goes on meanwhile' => sub {
    my $db     = parents(database());
    my $reader = $pg->session(dbname => $db->{name});
    my $other  = $pg->session(dbname => $db->{name});
    my $write  = q{UPDATE tournaments_tournament SET slot_size = %d};

    $db->rows('ALTER TABLE tournaments_tournament
                     DISABLE TRIGGER tournament_api_row');
    $other->rows(q{SET lock_timeout = '10s'});

    for my $file (qw(install uninstall)) {
        my $operator = $pg->session(dbname => $db->{name});

        # A read is enough in the way of DROP TRIGGER.

        $reader->rows('BEGIN; ' . ($file eq 'install'
            ? 'LOCK TABLE tournaments_tournament IN ROW EXCLUSIVE MODE'
            : 'SELECT FROM tournaments_tournament'));
        $pg->log_mark;
        $operator->do("\\i '" . project('sql', "$file.sql") . "'");
        $pg->wait_blocked($operator);

        is failure { $other->rows(sprintf $write, 2) }, 'no failure',
            "$file.sql does not keep a writer waiting";

        warned('waiting for transactions that use table '
            . 'public.tournaments_tournament');
        $pg->wait_for_log(qr/DETAIL:  Processes: .*\b${\ $reader->pid}\b/);

        $reader->rows('COMMIT');
        $operator->wait;

        is scalar(grep { / A CREATE/ } triggers($db)),
            $file eq 'install' ? 16 : 0, 'and gets through in the end';
    }
};


done_testing;
