# The server stops, hangs, starts, recovers, while clients ask all the time:
# what is cached is answered, all is as ever two seconds after its end, and
# nothing is left behind.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Outage;

my $outage = Tournament::Outage->new;

$outage->test($_) for grep { /^server/ } $outage->faults;

done_testing;
