# Memory that fails, at every allocation of a request's life: the client gets
# an answer or a closed connection, the worker lives, and the same request is
# right the next time. Each allocation fails by itself, then with the three
# after it, then with all of them.
#
# There is a time for each request, and an order by chance.
#
#   TOURNAMENT_FAILING=$seconds   of each request instead, 600 for all of it

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(shuffle);
use Tournament::Feed;
use Tournament::Stream;
use Tournament::Test;

my $SECONDS = $ENV{TOURNAMENT_FAILING} // (kind() eq 'logical' ? 5 : 1.5);

my $dir  = tempdir('memory');
my $seed = $ENV{TOURNAMENT_SEED} // int rand 2 ** 31;

note "TOURNAMENT_SEED=$seed";
srand $seed;

run_ok({ dir => $dir }, qw(cc -O1 -fPIC -shared -Wall -Wextra -Werror -o
       failing.so), project('t/failing.c'), '-ldl');

spew("$dir/failing", pack 'q5', (0) x 5);
chmod 0666, "$dir/failing" or die "chmod: $!";

my $pg    = database();
my $proxy = $pg->proxy;

my $nginx = do {
    local $ENV{LD_PRELOAD}      = join ':', "$dir/failing.so",
                                     $ENV{LD_PRELOAD} // ();
    local $ENV{TOURNAMENT_FAIL} = "$dir/failing";

    Tournament::Nginx->new(
        options(
            warm      => 1,
            workers   => 1,
            zone      => '256k',
            http      => 'tournament_database_connections 1;
                          tournament_query_timeout 1s;',
            locations => ['location ~ ^/purge/(?<slug>.*)$
                           { tournament purge $slug; }',
                          'location ~ ^/stream/(?<slug>.*)$
                           { tournament state $slug; tournament_stream on; }'],
        ),
        database => $proxy->conninfo,
    );
};

# A worker that has no memory says so as loudly as nginx does.

$nginx->expect_log(qr/Cannot allocate memory/, qr/failed \(\d+: |no memory/);

my ($worker)   = $nginx->worker_pids;
my $slots      = 777;
my $tournament = $pg->tournament(slots => $slots, slug => 'some');

$pg->rows(q{
    INSERT INTO tournaments_tournament
           (name, slug, game, status, slot_size, created_at, updated_at,
            groups_published)
    SELECT 'T', 'other-' || n, 'valorant', 'PUBLISHED', n, now(), now(), false
      FROM generate_series(1, 800) AS n
});

open my $file, '+<', "$dir/failing" or die "$dir/failing: $!";



# The worker's allocations from the first on, to the last, fail from now on;
# then how many there were and how many failed, which ends it.

sub arm {
    my ($first, $last) = @_;

    sysseek $file, 0, 0;
    syswrite $file, pack 'q5', 0, $first, $last, 0, 0;
    sysseek $file, 0, 0;
    syswrite $file, pack 'q', $worker;

    return;
}

sub disarm {
    sysseek $file, 0, 0;
    syswrite $file, pack 'q', 0;
    sysseek $file, 24, 0;
    sysread $file, my $bytes, 16;

    return unpack 'q2', $bytes;
}


sub ask {
    my ($method, $path, @more) = @_;

    my $connection = $nginx->connect(timeout => 15);

    return $connection->request($method, $path, @more, close => 1);
}

sub purge { ask('PURGE', '/purge/*') }


# What a stream that is open, or else a new one, has said last, as an answer; 504
# where it has said nothing yet.

my ($stream, $last);

sub hear {
    $last = $stream->event(0.2) // $last if $stream;

    undef $stream if $stream && ($stream->ended(0) || $stream->broken);

    if (!$stream) {
        $stream = Tournament::Stream->new(port => $nginx->port,
                                          path => '/stream/some');
        $last   = $stream->status == 200 ? $stream->event(5) : undef;
        undef $stream unless $last;
    }

    return bless {
        status  => $last ? 200 : 504,
        body    => $last ? $last->{data} : '',
        raw     => $last ? $last->{data} : '',
        headers => [ [ 'X-Worker', $worker ] ],
    }, 'Tournament::HTTP::Response';
}


my $state    = '/tournaments/api/some/state/';
my $is_state = sub { ($_[0]->json->{max_teams} // 0) == $slots };

my @CASES = (
    { name  => 'a hit',
      ask   => sub { ask('GET', $state) },
      right => $is_state },

    { name   => 'a miss',
      before => \&purge,
      ask    => sub { ask('GET', $state) },
      right  => $is_state },

    { name   => "a user's answer, of two entries",
      before => \&purge,
      ask    => sub { ask('GET', $state, 'X-Account' => 5) },
      right  => $is_state },

    { name   => 'a page of many',
      before => \&purge,
      ask    => sub { ask('GET', '/tournaments/api/hub/?per_page=%350') },
      right  => sub { @{ $_[0]->json->{tournaments} } == 50 } },

    { name   => 'a body of slugs',
      before => \&purge,
      ask    => sub { ask('POST', '/tournaments/api/states/',
                          body => '["some","other-1","no\u0062ody"]') },
      right  => sub { $_[0]->json->{missing}[0] eq 'nobody'
                      && $_[0]->json->{states}{some}{slots}{total}
                         == $slots } },

    { name  => 'figures',
      ask   => sub { ask('GET', '/tournaments/status') },
      right => sub { $_[0]->json->{success} } },

    { name  => 'metrics',
      ask   => sub { ask('GET', '/tournaments/metrics') },
      right => sub { $_[0]->body =~ /^tournament_requests_total/m } },

    { name  => 'a change',
      while => sub {
          $pg->update('tournaments_tournament', $tournament->{id},
                      slot_size => ++$slots);
      },
      later => 1,
      ask   => sub { ask('GET', $state) },
      right => $is_state },

    { name   => 'a new stream',
      before => sub { undef $stream },
      ask    => \&hear,
      right  => $is_state },

    { name  => 'a change, to a stream',
      while => sub {
          $pg->update('tournaments_tournament', $tournament->{id},
                      slot_size => ++$slots);
      },
      later => 1,
      ask   => \&hear,
      right => $is_state },

    { name  => 'connections that are lost, and made anew',
      while => sub { $proxy->cut },
      ask   => sub { ask('GET', '/tournaments/api/hub/?q=tournament') },
      right => sub { @{ $_[0]->json->{tournaments} } == 1 } },
);


# the logical feed differs where the server speaks first

@CASES = grep { $_->{while} } @CASES if kind() eq 'logical';


# What is wrong with an answer that came while memory failed; '' nothing.

sub wrong {
    my ($case, $response, $error) = @_;

    if (!$response) {
        return $error =~ /the connection ended|no header from|receive:|send:/ ? '' : $error;
    }

    return $response->raw
        if $response->status !~ /^(?:200|500|503|504)$/
            || $response->status == 200 && !$case->{later}
               && !eval { $case->{right}->($response) };

    return '';
}


sub attempt {
    my ($case, $first, $last) = @_;

    $case->{before}->() if $case->{before};

    arm($first, $last);

    $case->{while}->() if $case->{while};

    my $response = eval { $case->{ask}->() };
    my $error    = $@;
    my ($count, $failed) = disarm();

    my $wrong = wrong($case, $response, $error);

    eval {
        poll_until {
            $response = $case->{ask}->();
            $response->status == 200 && $case->{right}->($response)
        } 20, 'a right answer';
        1;
    } or $wrong .= $@;

    $wrong .= 'another worker' if $response && $response->worker != $worker;

    return ($count, $failed, $wrong && "$first to $last: $wrong");
}


# The zone is full from here on: what is kept takes the place of another.

for my $hundred (0 .. 7) {
    $nginx->connect->pipeline(map { "/tournaments/api/other-$_/state/" }
                                  $hundred * 100 + 1 .. $hundred * 100 + 100);
}

for my $case (@CASES) {
    subtest $case->{name} => sub {
        my ($count) = (attempt($case, 0, 0), attempt($case, 0, 0))[3];

        my @ways = map {
            my $more = $_;
            shuffle map { [ $_, $_ + $more ] } 1 .. $count
        } 0, 3, 2 ** 40;

        my $deadline = now() + $SECONDS;
        my ($tried, $injected, @wrong) = (0, 0);

        for my $way (@ways) {
            my (undef, $failed, $wrong) = attempt($case, @$way);

            $tried++;
            $injected++ if $failed;
            push @wrong, $wrong if $wrong;

            last if now() > $deadline;
        }

        note "$tried of ", scalar @ways, " ways, $injected with a failure";
        cmp_ok $injected, '>', 0, 'allocations failed';
        is_deeply \@wrong, [], 'answers, or closed connections';
    };
}


subtest 'what is larger than the zone' => sub {
    my $path = '/tournaments/api/some/detail/';

    $pg->update('tournaments_tournament', $tournament->{id},
                short_description => 'x' x 300_000);

    poll_until {
        my $response = ask('GET', $path);
        length($response->json->{tournament}{short_description} // '')
            == 300_000
    } 10, 'the new description';

    is ask('GET', $state)->json->{max_teams}, $slots, 'the next one is right, too';
};


is_deeply [ $nginx->worker_pids ], [ $worker ], 'the worker has lived';

done_testing;
