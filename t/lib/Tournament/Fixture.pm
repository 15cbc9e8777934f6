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
