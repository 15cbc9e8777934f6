# Random faults of the database, the network and the access, one upon another,
# under load, with reloads and changes of rows between them: what is cached is
# answered all the time, and nothing is left behind. Run by "make soak".
#
#   TOURNAMENT_SOAK     seconds, 600 by default
#   TOURNAMENT_SEED     which faults: the same ones in the same order
#   TOURNAMENT_FEED     notify or logical; by default the seed decides
#   TOURNAMENT_VALGRIND 1: nginx under valgrind

use FindBin;
use lib "$FindBin::Bin/../lib";

use Tournament::Test;
use Tournament::Outage;

my $SECONDS = $ENV{TOURNAMENT_SOAK} || 600;
my $SEED    = $ENV{TOURNAMENT_SEED} || int rand 2 ** 31;
my $ROUND   = 5;

my $begin = now();

diag "seed $SEED, $SECONDS s";

my $outage = Tournament::Outage->new(
    tcp  => chance(0.5),
    kind => $ENV{TOURNAMENT_FEED} || (chance(0.5) ? 'logical' : 'notify'),
);
my $nginx  = $outage->nginx;
my $pg     = $outage->pg;

my @faults  = $outage->faults;
my @network = grep { /^network/ } @faults;

# max_connections is reached by help of the proxy.

my @others = grep { !/^network|max_connections/ } @faults;


# Perl's own numbers are taken by others as well, now more and now less.

my $state;

sub random {
    my ($below) = @_;

    $state = (($state // $SEED) * 1_103_515_245 + 12_345) % 2 ** 31;

    return int $below * $state / 2 ** 31;
}

sub chance { return random(1000) < 1000 * $_[0] }
sub one_of { return $_[ random(scalar @_) ] }


sub say_so { note sprintf '%5.1f s: %s', now() - $begin, @_ }


# So long that some have been answered, or for a moment.

sub linger {
    my (@load) = @_;

    for my $load (@load) {
        my $goal     = $load->requests + random(60);
        my $deadline = now() + 0.1 + random(1500) / 1000;

        Time::HiRes::sleep(0.02)
            while $load->requests < $goal && now() < $deadline;
    }

    return;
}


sub change {
    my $name = 'Name ' . random(1000);

    $pg->rows("UPDATE tournaments_tournament SET name = '$name'
                WHERE id = " . (one_of($outage->tournaments))->{id});

    return;
}


# A fault, or one of the network around another.

sub fault {
    my (@load) = @_;

    my @broken = chance(0.3) ? (one_of(@network), one_of(@others))
                              : one_of(@faults);

    change() for 1 .. random(4);

    for my $fault (@broken) {
        say_so($fault);
        $outage->break($fault);
        linger(@load);
    }

    if (chance(0.15)) {
        say_so('with a reload');
        $nginx->reload(wait => 0);
    }

    for my $fault (reverse @broken) {
        $outage->mend($fault);
        say_so('mended');
        linger(@load) if chance(0.5);
    }

    return @broken;
}


# Clients stay from one fault to the next, and others go away before they have
# an answer. Then all of them go, and everything must be as it was.

my $end   = $begin + $SECONDS;
my $round = 0;

while (now() < $end) {
    my @broken;

    subtest 'round ' . ++$round => sub {
        my ($cached, $cold) = $outage->start_load(seconds => 600);
        my ($hasty) = $outage->start_load(seconds => 600, keepalive => 0,
                                          timeout => 0.02, pause => 0.05);

        for (1 .. $ROUND) {
            last if now() > $end;

            push @broken, fault($cached, $cold);
            $outage->settle_connections if chance(0.3);
        }

        $cached->wait_for(20);
        $hasty->stop;

        $outage->is_answered($cached->stop, 'what is cached is answered');
        $outage->is_bearable($cold->stop, 'what is not is, or is an error');
        $outage->settle;
        pass 'connections and descriptors are as before';
        $outage->is_kept('memory is what it was')
            unless $ENV{TOURNAMENT_VALGRIND};
        $outage->warm;
        change();
    };

    Test::More->builder->is_passing
        or die join("\n    ", "seed $SEED, round $round:", @broken), "\n";
}

$nginx->stop;
poll_until { !$pg->backends } 20, 'connections are gone';
pass "connections are gone (seed $SEED, $round rounds)";

done_testing;
