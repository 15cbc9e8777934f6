# t/86_checker.t, with the feed over logical decoding.

use strict;
use warnings;

use FindBin;

$ENV{TOURNAMENT_FEED} = 'logical';

do "$FindBin::Bin/86_checker.t";

die $@ if $@;
