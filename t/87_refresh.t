# Of several parts of an answer one is refreshed in the background while another
# is waited for: neither takes the other's place, nor its turn.

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;

use Tournament::Test;
use Tournament::Feed;

my $API = '/tournaments/api';

my $pg    = database();
my $gate  = $pg->gate;
my $nginx = Tournament::Nginx->new(
    database => $pg,
    options(http => 'tournament_query_timeout 20s; tournament_stale 1h;
                     tournament_database_connections 1;
                     tournament_database_queue 1;'),
);

my $changed = $pg->tournament(slug => 'changed', slots => 7);

$pg->tournament(slug => 'slow-other', slots => 3);
$pg->tournament(slug => "slow-$_") for 1 .. 20;


# From now on what is cached is refreshed by who asks for it.

sub interrupt {
    $nginx->log_mark;
    $pg->rows("SELECT pg_terminate_backend($_)") for feed_backend($pg);
    wait_listening($nginx);

    return;
}


sub slots {
    my ($response) = @_;

    my $states = $response->json->{states};

    return { map { $_ => $states->{$_}{slots}{total} } keys %$states };
}


# A worker refreshes one state; another one is asked for it and for one that it
# must query.

subtest 'parts do not take the place of others' => sub {
    my ($one, $two) = values %{ $nginx->connect_workers };

    $nginx->get("$API/$_/state/") for qw(changed slow-other);

    interrupt();
    $pg->change($changed, slots => 8);
    handled($pg, $nginx);
    $gate->shut;

    is $one->get("$API/slow-other/state/")->cache, 'UPDATING',
        'one is being refreshed';
    $gate->wait_waiting(1);

    is_deeply slots($two->get("$API/states/?slugs=changed,slow-other")),
        { changed => 8, 'slow-other' => 3 }, 'each has its own facts';

    $gate->open;
};


# The queue has no room for either: who waits is told so, and does not wait for
# ever.

subtest 'a full queue' => sub {
    $nginx->stop;
    $nginx->set(workers => 1);
    $nginx->log_mark;
    $nginx->start;
    wait_listening($nginx);

    $nginx->get("$API/slow-other/state/");

    interrupt();
    $gate->shut;

    my @asked;

    for my $i (1 .. 20) {
        push @asked, $nginx->connect->send('GET', "$API/slow-$i/state/");
        $gate->wait_waiting(1) if $i == 1;
        $nginx->get('/-/worker') for 1 .. 2;

        last if IO::Select->new($asked[-1]{socket})->can_read(0);
    }

    is_error +(pop @asked)->receive, 503, 'unavailable', 'the queue is full';

    my $both = $nginx->connect->send('GET',
                                     "$API/states/?slugs=none,slow-other");

    ok +(IO::Select->new($both->{socket})->can_read(10)), 'an answer'
        and is_error $both->receive, 503, 'unavailable',
                     'what must be asked for is not';

    $gate->open;
    is_deeply [ map { $_->receive->status } @asked ], [ (200) x @asked ],
        'who waited is answered';
};


done_testing;
