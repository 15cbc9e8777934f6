package Tournament::Fixture;

# Rows that tests start from; part of Tournament::Postgres.
#
#   my $t = $pg->tournament(slots => 16, confirmed => 3, start_at => '+2 days');
#
# makes a published tournament with a name of its own and returns a hash: id,
# slug, path (of its state). What is not given is NULL or the least that the
# table asks for. Arguments are columns of tournaments_tournament, and
#   slots       slot_size
#   settings    { column => value } of tournaments_tournamentsettings
#   confirmed, pending, cancelled    how many registrations of that status
#
#   $pg->register($t, 'CONFIRMED', $count)       more of them; [ids]
#   $pg->change($t, slots => 8, ...)             UPDATE of the tournament
#   $pg->profile(%columns)                       the id of a new profile
#   $pg->team(members => [ids], %columns)        the id of a new team; the
#                                                first member is its captain
#   $pg->set_clock($seconds, -dbname => $name)
#       what the statements of hub and platform_stats, which depend on the
#       time, take for it from then on, instead of the server's own clock
#
# An instant is SQL's text of one, or an interval from the current second:
# '+2 days', '-1 hour'.

use strict;
use warnings;

use Carp;

my $INSTANT = qr/_at\z/;
my $count   = 0;


sub tournament {
    my ($self, %columns) = @_;

    my $settings = delete $columns{settings};
    my %registrations;

    for my $status (qw(confirmed pending cancelled)) {
        $registrations{$status} = delete $columns{$status} // 0;
    }

    my $n = ++$count;

    %columns = (
        name             => "Tournament $n",
        slug             => "tournament-$n",
        game             => 'valorant',
        status           => 'PUBLISHED',
        created_at       => '+0 s',
        updated_at       => '+0 s',
        groups_published => 'f',
        _columns(%columns),
    );

    my $id = $self->insert('tournaments_tournament', _instants(%columns));

    if ($settings) {
        $self->insert('tournaments_tournamentsettings', _instants(
            created_at => '+0 s',
            updated_at => '+0 s',
            %$settings,
            tournament_id => $id,
        ));
    }

    my $tournament = {
        id   => $id,
        slug => $columns{slug},
        path => "/tournaments/api/$columns{slug}/state/",
    };

    $self->register($tournament, uc $_, $registrations{$_})
        for grep { $registrations{$_} } sort keys %registrations;

    return $tournament;
}


sub change {
    my ($self, $tournament, %columns) = @_;

    %columns = _columns(%columns);

    $self->update('tournaments_tournament', $tournament->{id},
                  _instants(%columns));

    $tournament->{slug} = $columns{slug} if defined $columns{slug};

    return;
}


sub register {
    my ($self, $tournament, $status, $number) = @_;

    my @ids;

    for (1 .. $number // 1) {
        push @ids, $self->insert('tournaments_registration', _instants(
            tournament_id     => $tournament->{id},
            user_id           => $self->profile,
            status            => $status,
            payment_status    => 'pending',
            payment_method    => 'SECRET-method',
            payment_sender    => 'SECRET-sender',
            payment_reference => 'SECRET-reference',
            created_at        => '+0 s',
        ));
    }

    return \@ids;
}


sub profile {
    my ($self, %columns) = @_;

    my $n = ++$count;

    return $self->insert('user_profile_userprofile', _instants(
        user_id      => 1_000_000 + $n,
        display_name => "Player $n",
        is_private   => 'f',
        email        => 'SECRET-email',
        phone        => 'SECRET-phone',
        facebook     => 'SECRET-facebook',
        discord      => 'SECRET-discord',
        created_at   => '+0 s',
        %columns,
    ));
}


sub team {
    my ($self, %columns) = @_;

    my $n       = ++$count;
    my @members = @{ delete $columns{members} // [] };

    %columns = (
        name       => "Team $n",
        tag        => "T$n",
        game       => 'valorant',
        captain_id => $members[0],
        %columns,
    );

    my $id = $self->insert('teams_team', %columns);

    $self->member($id, $_) for @members;

    return $id;
}


sub member {
    my ($self, $team, $profile, %columns) = @_;

    return $self->insert('teams_teammembership', _instants(
        team_id    => $team,
        profile_id => $profile,
        role       => 'PLAYER',
        status     => 'ACTIVE',
        joined_at  => '+0 s',
        %columns,
    ));
}


# A function whose last parameter is the instant makes place for one that has
# none, and for one that must be given it, which others of them call.

sub set_clock {
    my ($self, $seconds, @database) = @_;

    $self->psql(q{
        CREATE TABLE public.clock (now timestamptz);

        DO $do$
        DECLARE
            f record;
        BEGIN
            FOR f IN SELECT p.oid::regprocedure AS signature, p.oid, p.proname,
                            p.pronargs - 1 AS n,
                            regexp_replace(pg_get_function_identity_arguments(
                                p.oid), '(, )?[^,]*$', '') AS arguments
                       FROM pg_proc p
                      WHERE p.pronamespace = 'tournament_api'::regnamespace
                        AND p.pronargdefaults = 1
            LOOP
                EXECUTE format('ALTER FUNCTION %s RENAME TO %I', f.signature,
                               f.proname || '_at');
                EXECUTE format(
                    'CREATE FUNCTION tournament_api.%I(%s)'
                    ' RETURNS %s LANGUAGE sql SECURITY DEFINER'
                    ' AS $$ SELECT * FROM tournament_api.%I(%s(SELECT now'
                    ' FROM public.clock)) $$', f.proname, f.arguments,
                    pg_get_function_result(f.oid), f.proname || '_at',
                    (SELECT string_agg(format('$%s, ', i), '')
                       FROM generate_series(1, f.n) AS i));
                EXECUTE format(
                    'CREATE FUNCTION tournament_api.%I(%s)'
                    ' RETURNS %s LANGUAGE sql SECURITY DEFINER'
                    ' AS $$ SELECT * FROM tournament_api.%I(%s) $$',
                    f.proname, pg_get_function_identity_arguments(f.oid),
                    pg_get_function_result(f.oid), f.proname || '_at',
                    (SELECT string_agg(format('$%s', i), ', ')
                       FROM generate_series(1, f.n + 1) AS i));
            END LOOP;
        END
        $do$;
    }, @database) unless $self->{clocked}{"@database"}++;

    $self->psql("BEGIN; DELETE FROM public.clock;
                 INSERT INTO public.clock VALUES (to_timestamp($seconds));
                 COMMIT", @database);

    return;
}


sub _columns {
    my (%columns) = @_;

    $columns{slot_size} = delete $columns{slots} if exists $columns{slots};

    return %columns;
}


sub _instants {
    my (%columns) = @_;

    for my $name (grep { /$INSTANT/ } keys %columns) {
        my $value = $columns{$name} // next;

        next if ref $value || $value !~ /^[+-]\s*\d/;

        $columns{$name} =
            \"date_trunc('second', now()) + interval '$value'";
    }

    return map { ($_ => $columns{$_}) } sort keys %columns;
}


1;
