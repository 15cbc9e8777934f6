use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Logical;
