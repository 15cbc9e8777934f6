# t/33_failover.t, with the feed over logical decoding.

use strict;
use warnings;

use FindBin;

$ENV{TOURNAMENT_FEED} = 'logical';

do "$FindBin::Bin/33_failover.t";

die $@ if $@;
