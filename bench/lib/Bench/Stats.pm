package Bench::Stats;

# The few statistics that the bench reports.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(median quantile);


# The quantile $q (0..1) of @values, interpolated; undef of nothing.

sub quantile {
    my ($q, @values) = @_;

    return undef if !@values;

    my @sorted = sort { $a <=> $b } @values;
    my $at     = $q * $#sorted;
    my $low    = int $at;

    return $sorted[$low] if $low == $#sorted;

    return $sorted[$low]
        + ($at - $low) * ($sorted[$low + 1] - $sorted[$low]);
}


sub median {
    return quantile(0.5, @_);
}


1;
