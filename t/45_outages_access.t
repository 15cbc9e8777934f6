# The server lets nobody in, or its functions change, while clients ask all the
# time: what is cached is answered, all is as ever two seconds after its end,
# and nothing is left behind.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Outage;

my $outage = Tournament::Outage->new;

$outage->test($_) for grep { /^(?:login|functions)/ } $outage->faults;

done_testing;
