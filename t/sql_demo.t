# schema.sql and demo.sql: a demonstration database that can be put back to
# what it was, and that has a tournament in every state.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Tournament::Postgres;

my $pg = Tournament::Postgres->new;

my @TABLES = qw(
    tournaments_tournament tournaments_tournamentsettings
    tournaments_schedule tournaments_registration
    tournaments_registrationrequest user_profile_userprofile teams_team
    teams_teammembership
);

my $NOW = '2026-11-23 07:12:00+00';


# All rows, a table a line.

sub contents {
    return join "\n", map {
        my $table = $_;

        map { "$table $_->[0]" }
            $pg->rows("SELECT t::text FROM $table t ORDER BY id")
    } @TABLES;
}


subtest 'schema.sql again' => sub {
    my $oids = q{SELECT string_agg(oid || ' ' || relname, ',' ORDER BY oid)
                   FROM pg_class WHERE oid >= 16384};
    my $before = $pg->value($oids);

    $pg->load('schema');
    is $pg->value($oids), $before, 'makes nothing twice';
};


subtest 'demo.sql again' => sub {
    $pg->load('demo', now => $NOW);

    my $before = contents();

    $pg->load('demo', now => $NOW);
    is contents(), $before, 'the same instant, the same rows';

    # What somebody tries on it

    my $mine = $pg->insert('tournaments_tournament', name => 'Mine',
        slug => 'mine', game => 'cs2', status => 'PUBLISHED',
        created_at => $NOW, updated_at => $NOW, groups_published => 'f');

    cmp_ok $mine, '>', 40, 'a new tournament has an id of its own';

    $pg->rows(q{
        UPDATE tournaments_tournament SET status = 'COMPLETED' WHERE id = 1;
        DELETE FROM tournaments_registration WHERE tournament_id = 2;
        INSERT INTO tournaments_registration (tournament_id, user_id,
               payment_method, payment_sender, payment_reference,
               payment_status, status, created_at)
        SELECT id, 60, '', '', '', 'pending', 'CONFIRMED', now()
          FROM tournaments_tournament WHERE slug IN ('valorant-masters',
                                                     'mine')});
    isnt contents(), $before, 'rows were changed';

    $pg->load('demo', now => $NOW);

    is $pg->value(qq{SELECT count(*) FROM tournaments_registration
                      WHERE tournament_id = $mine}), 1,
        'a tournament that is none of the demonstration\'s stays';

    $pg->rows("DELETE FROM tournaments_registration
                WHERE tournament_id = $mine;
               DELETE FROM tournaments_tournament WHERE id = $mine");
    is contents(), $before, 'the others are back';

    $pg->load('demo', now => '2031-02-03 04:05:00+00');
    is $pg->value(q{
        SELECT reg_open_at + interval '2 days' FROM tournaments_tournament
         WHERE slug = 'valorant-masters'}),
        '2031-02-03 04:05:00+00', 'another instant moves the dates';
};


subtest 'somebody else\'s database' => sub {
    my @others = (
        q{UPDATE tournaments_tournament SET slug = 'summer' WHERE id = 3},
        q{UPDATE teams_team SET name = 'Real Team' WHERE id = 3},
        q{UPDATE user_profile_userprofile SET user_id = 77 WHERE id = 3},
    );

    for my $change (@others) {
        $pg->load('demo');
        $pg->rows($change);

        my $before = contents();

        ok !eval { $pg->load('demo'); 1 }, "refused after $change";
        like $@, qr/holds other rows .*; nothing was changed/, 'says why';
        is contents(), $before, 'indeed nothing was';

        $pg->rows('TRUNCATE ' . join ', ', @TABLES);
    }
};


subtest 'without schedules' => sub {
    $pg->psql('CREATE DATABASE bare');
    $pg->load('schema', -dbname => 'bare');
    $pg->psql('DROP TABLE tournaments_schedule', -dbname => 'bare');
    $pg->load('demo', -dbname => 'bare');

    is $pg->psql('SELECT count(*) FROM tournaments_tournament',
                 -dbname => 'bare'), "40\n", 'the rest is there';
};


# The rules of "state", in SQL: each state occurs, and so do the odd cases.

subtest 'every state' => sub {
    $pg->load('demo');

    my %states = map { $_->[0] => $_->[1] } $pg->rows(q{
        WITH facts AS (
            SELECT s.*, coalesce(confirmed >= nullif(greatest(s.slot_size, 0),
                                                     0), false) AS is_full,
                   s.reg_open_at IS NOT NULL AND s.reg_close_at IS NOT NULL
                       AS has_window,
                   coalesce(now() >= s.start_at, false) AS started
              FROM tournaments_tournament t
             CROSS JOIN LATERAL tournament_api.state(t.slug) s
        )
        SELECT status || ' '
               || CASE WHEN status = 'DRAFT' THEN 'not_open'
                       WHEN status = 'COMPLETED' THEN 'completed'
                       WHEN has_window AND now() < reg_open_at THEN 'not_open'
                       WHEN has_window AND now() > reg_close_at THEN 'closed'
                       WHEN (has_window OR status = 'PUBLISHED'
                                           AND NOT started)
                       THEN CASE WHEN is_full THEN 'full' ELSE 'open' END
                       WHEN started THEN 'started'
                       ELSE 'not_open' END
               || CASE WHEN has_window THEN '' ELSE ' without window' END,
               count(*)
          FROM facts GROUP BY 1});

    is_deeply [ sort keys %states ], [
        'COMPLETED completed', 'COMPLETED completed without window',
        'DRAFT not_open', 'DRAFT not_open without window',
        'PUBLISHED closed', 'PUBLISHED full',
        'PUBLISHED full without window', 'PUBLISHED not_open',
        'PUBLISHED open', 'PUBLISHED open without window',
        'PUBLISHED started without window', 'RUNNING closed',
        'RUNNING not_open without window', 'RUNNING open',
        'RUNNING started without window',
    ], 'is there' or diag explain \%states;

    is_deeply [ $pg->row(q{
        SELECT status, slot_size, confirmed, min_team_size, max_team_size,
               reg_open_at < now(), reg_close_at > now() + interval '4 days'
          FROM tournament_api.state('valorant-masters')}) ],
        [ 'PUBLISHED', 16, 3, 1, 1, 't', 't' ],
        'valorant-masters is open, whatever the day';

    is $pg->value(q{
        SELECT bool_or(s.slot_size IS NULL) AND bool_or(s.slot_size = 0)
               AND bool_or(s.slot_size < confirmed) AND bool_or(confirmed = 0)
               AND bool_or(max_team_size > 1) AND bool_or(min_team_size > 1)
          FROM tournaments_tournament t
         CROSS JOIN LATERAL tournament_api.state(t.slug) s}), 't',
        'no limit, none, more than all slots taken, no registration, teams';
    is $pg->value(q{SELECT count(DISTINCT status)
                      FROM tournaments_registration}), 3,
        'registrations of each status';
};


# Later tests search every answer for these.

subtest 'secrets are recognizable' => sub {
    my %secret = (
        tournaments_registration =>
            [qw(payment_method payment_sender payment_reference)],
        tournaments_tournamentsettings =>
            [qw(bkash_receive_number nagad_receive_number
                rocket_receive_number bank_instructions)],
        user_profile_userprofile => [qw(email phone facebook discord)],
    );

    for my $table (sort keys %secret) {
        for my $column (@{ $secret{$table} }) {
            is $pg->value(qq{
                SELECT count(*) FROM $table
                 WHERE $column IS NULL OR $column NOT LIKE '%SECRET-%'}), 0,
                "$table.$column";
        }
    }
};


done_testing;
