package Tournament::Logical;

# A test that is another one's twin, t/NAME_logical.t of t/NAME.t: the same with
# the feed over logical decoding.
#
#   use Tournament::Logical;

use strict;
use warnings;

use File::Spec;

sub import {
    my ($file) = (caller)[1];

    $ENV{TOURNAMENT_FEED} = 'logical';

    my $twin = $file =~ s/_logical(?=\.t\z)//r;

    defined do(File::Spec->rel2abs($twin)) or die $@ || "$twin: $!";

    return;
}


1;
