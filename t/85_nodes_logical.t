# t/85_nodes.t, with the feed over logical decoding.

use strict;
use warnings;

use FindBin;

$ENV{TOURNAMENT_FEED} = 'logical';

do "$FindBin::Bin/85_nodes.t";

die $@ if $@;
