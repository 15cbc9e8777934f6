package Tournament::Endpoints;

# The tests' table of endpoints: a new one is a row here. Lists of them in
# tests and measurements come from it.
#
#   endpoints(%filter)   the rows, as hashes, in the order of status; with
#                        cached => 1 those that keep entries of their own, with
#                        coalesced => 1 those whose answers may be shared for a
#                        time, with counted => 1 those with numbers in status
#   names(%filter)       their names
#   ttls()               what tournament_ttl takes: the cached ones, "missing"
#   locations($prefix, @directives)    a location for each path of each, below
#                        /$prefix/, with those directives
#
# A row:
#   name       what the directive "tournament" calls it
#   paths      below /tournaments/; SLUG and GAME are the location's argument
#   account    1: what a user sees is the user's (X-Account)
#   staff      1: some of it only staff may see (X-Staff)

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(endpoints names ttls locations);

my @ENDPOINTS = (
    { name => 'state', cached => 1, counted => 1,
      paths => ['api/SLUG/state/'] },
    { name => 'states', counted => 1, paths => ['api/states/'] },
    { name => 'hub', cached => 1, counted => 1, coalesced => 1,
      paths => ['api/hub/', '', 'game/GAME/'] },
    { name => 'detail', cached => 1, counted => 1,
      paths => ['api/SLUG/detail/', 't/SLUG/'] },
    { name => 'participants', cached => 1, counted => 1, staff => 1,
      paths => ['api/SLUG/participants/'] },
    { name => 'count', cached => 1, counted => 1,
      paths => ['api/SLUG/count/'] },
    { name => 'registration_context', cached => 1, counted => 1,
      account => 1, paths => ['api/SLUG/register/context/'] },
    { name => 'user_registrations', cached => 1, counted => 1, account => 1,
      paths => ['api/me/registrations/'] },
    { name => 'platform_stats', cached => 1, counted => 1, coalesced => 1,
      paths => ['api/stats/'] },
    { name => 'status', paths => ['status'] },
    { name => 'metrics', paths => ['metrics'] },
);


sub endpoints {
    my (%filter) = @_;

    return grep {
        my $row = $_;
        !grep { !$filter{$_} != !$row->{$_} } keys %filter
    } @ENDPOINTS;
}


sub names { return map { $_->{name} } endpoints(@_) }
sub ttls  { return (names(cached => 1), 'missing') }


sub locations {
    my ($prefix, @directives) = @_;

    return map {
        my $name = $_->{name};

        map { _location("/$prefix/$_", $name, @directives) }
            @{ $_->{paths} };
    } @ENDPOINTS;
}


sub _location {
    my ($path, $name, @directives) = @_;

    my $argument = '';

    $argument = ' $slug' if $path =~ s{SLUG}{(?<slug>[^/]+)};
    $argument = ' $game' if $path =~ s{GAME}{(?<game>[^/]*)};

    return "location ~ ^$path\$ { "
        . join(' ', @directives, "tournament $name$argument;") . ' }';
}


1;
