# Several nodes on one database: what is committed is seen on all of them.
#
# Invariant 2.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Feed;

my $pg = database();

my $account = 5001;
my $player  = $pg->profile(user_id => $account);

my $t = $pg->tournament(slug => 'everywhere', slots => 1);

my @nodes = map {
    Tournament::Nginx->new(name => "node-$_", database => $pg, options(
        locations => [
            'location ~ ^/purge/(?<slug>.*)$ { tournament purge $slug; }',
        ]))
} 1 .. 3;

my @SHOWN = (
    [ 'api/everywhere/state/' ],
    [ 'api/states/?slugs=everywhere,later' ],
    [ 'api/everywhere/detail/' ],
    [ 'api/everywhere/count/' ],
    [ 'api/everywhere/register/context/', 'X-Account' => $account ],
    [ 'api/everywhere/participants/', 'X-Staff' => 1 ],
    [ 'api/me/registrations/', 'X-Account' => $account ],
    [ 'api/later/state/' ],
    [ 'api/hub/' ],
    [ 'api/stats/' ],
);


sub connections {
    my (@of) = @_;

    return map { values %{ $_->connect_workers } } @of ? @of : @nodes;
}


sub fill {
    for my $connection (connections()) {
        for my $shown (@SHOWN) {
            my ($path, @headers) = @$shown;

            poll_until {
                $connection->get("/tournaments/$path", @headers)->cache
                    eq 'HIT'
            } 20, "$path is cached";
        }
    }

    return;
}


# Every worker of every node, of which there are two and three, shows what the
# database says.

sub is_everywhere {
    my ($name, @of) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my @connections = connections(@of);
    my %wrong;

    for my $shown (@SHOWN) {
        my ($path, @headers) = @$shown;
        my $is = bare($connections[0]->get("/fresh/$path", @headers));

        for my $connection (@connections) {
            my $response = $connection->get("/tournaments/$path", @headers);

            $wrong{$path}{ $response->worker } = $response->raw
                if bare($response) ne $is;
        }
    }

    return is_deeply \%wrong, {}, $name;
}


my @CHANGES = (
    "UPDATE tournaments_tournament SET slot_size = 2 WHERE id = $t->{id};",
    "INSERT INTO tournaments_registration (tournament_id, user_id, status,
         payment_status, payment_method, payment_sender, payment_reference,
         created_at)
     VALUES ($t->{id}, $player, 'CONFIRMED', 'pending', '', '', '', now());",
    "INSERT INTO tournaments_tournament (name, slug, game, status, created_at,
         updated_at, groups_published)
     VALUES ('Later', 'later', 'valorant', 'PUBLISHED', now(), now(), false);",
    "UPDATE user_profile_userprofile SET display_name = 'Else'
      WHERE id = $player;",
    "UPDATE tournaments_registration SET status = 'PENDING'
      WHERE user_id = $player;",
    "DELETE FROM tournaments_tournament WHERE slug = 'later';",
);

for my $i (0 .. $#CHANGES) {
    fill();
    $pg->psql($CHANGES[$i]);
    handled($pg, @nodes);
    is_everywhere('a commit of psql: ' . ($CHANGES[$i] =~ /^(\w+ \w+ \w+)/)[0]);
}


subtest 'each has a listener' => sub {
    is scalar(feed_backend($pg)), 3, 'one of each node';

    my %pids = map { listener($_) => 1 } @nodes;

    is keys %pids, 3, 'three workers';
};


subtest 'one of them is stopped, and starts again' => sub {
    fill();
    $nodes[0]->stop;
    $pg->change($t, slots => 30);
    handled($pg, @nodes[1, 2]);
    is_everywhere('the others', @nodes[1, 2]);

    $nodes[0]->start;
    handled($pg, @nodes);
    is_everywhere('all of them');
};


subtest 'one of them hangs' => sub {
    fill();

    my @stopped = ($nodes[0]->pid, $nodes[0]->worker_pids);

    kill 'STOP', @stopped;
    $pg->change($t, slots => 40);
    handled($pg, @nodes[1, 2]);
    is_everywhere('the others do not mind', @nodes[1, 2]);

    kill 'CONT', reverse @stopped;
    handled($pg, @nodes);

    poll_until {
        my $updating = 0;

        for my $connection (connections()) {
            for my $shown (@SHOWN) {
                my ($path, @headers) = @$shown;

                $updating++ if $connection->get("/tournaments/$path",
                                                @headers)->cache
                                   eq 'UPDATING';
            }
        }

        !$updating
    } 20, 'nothing is suspect';

    is_everywhere('all of them');
};


subtest 'a purge is of one node' => sub {
    fill();
    is $nodes[0]->request('PURGE', '/purge/everywhere')->status, 200, 'purged';
    isnt $nodes[0]->get($t->{path})->cache, 'HIT', 'there';
    is $nodes[$_]->get($t->{path})->cache, 'HIT', 'nowhere else' for 1, 2;
};


subtest 'ETags agree' => sub {
    my %etag;

    $etag{ $_->get($t->{path})->header('ETag') }++ for connections();

    is keys %etag, 1, 'of all workers of all nodes' or diag explain \%etag;
};


done_testing;
