# t/80_feed.t, with the feed over logical decoding.

use strict;
use warnings;

use FindBin;

$ENV{TOURNAMENT_FEED} = 'logical';

do "$FindBin::Bin/80_feed.t";

die $@ if $@;
