# The real clocks of nginx and PostgreSQL over a boundary: registration opens
# and closes while it is looked at, and every answer is right for its own
# timestamp, though all are cached (invariant 3). (The rest of what the clock
# does is tested with clocks that stand still.)

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::Local qw(timegm);

use Tournament::Test;

my $API = '/tournaments/api';

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $nginx = Tournament::Nginx->new(
    Tournament::Nginx::api(),
    database => $pg,
    server   => [ map { "tournament_ttl $_ 1h;" }
                  qw(state hub detail registration_context) ],
);


sub epoch {
    my ($response) = @_;

    my @field = $response->body
        =~ /"timestamp":"(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\+00:00"/
        or die 'no timestamp: ' . $response->raw;

    return timegm(reverse(@field[3 .. 5]), $field[2], $field[1] - 1, $field[0]);
}


my $opens  = $pg->value('SELECT ceil(extract(epoch FROM now()))::bigint') + 1;
my $closes = $opens + 1;

my $t = $pg->tournament(
    slots        => 4,
    reg_open_at  => \"to_timestamp($opens)",
    reg_close_at => \"to_timestamp($closes)",
);

# A list whose statement depends on the time, and what is derived from facts.

my $open  = "$API/hub/?status=open";
my %state = (
    state   => [ "$API/$t->{slug}/state/",
                 sub { $_[0]{state}{registration_state} } ],
    'state of a user' => [ "$API/$t->{slug}/state/",
                 sub { $_[0]{state}{registration_state} },
                 'X-Account' => 1 ],
    states  => [ "$API/states/?slugs=$t->{slug}",
                 sub { $_[0]{states}{ $t->{slug} }{registration_state} } ],
    detail  => [ "$API/$t->{slug}/detail/",
                 sub { $_[0]{tournament}{registration_state} } ],
    hub     => [ "$API/hub/",
                 sub { $_[0]{tournaments}[0]{registration_state} } ],
);

my $connection = $nginx->connect;
my (@wrong, %seen);
my $asked = 0;

$connection->get($open);

for my $name (keys %state) {
    my ($path, $registration, @headers) = @{ $state{$name} };

    $connection->get($path, @headers);
}

$pg->reset_calls;

poll_until {
    my $got   = $connection->get($open);
    my $now   = epoch($got);
    my $count = $got->json->{pagination}{total_count};

    $asked++ if $got->cache ne 'HIT';

    # PostgreSQL's clock may be one tick ahead of nginx's, which shows the
    # instant at which the request was read.

    push @wrong, "open at $now: $count"
        if $now < $opens - 1 && $count || $now >= $opens && $now <= $closes
               && !$count || $now > $closes && $count;

    for my $name (keys %state) {
        my ($path, $registration, @headers) = @{ $state{$name} };
        my $response = $connection->get($path, @headers);
        my $at       = epoch($response);
        my $expected = $at < $opens ? 'not_open'
            : $at > $closes ? 'closed' : 'open';
        my $is = $registration->($response->json);

        $seen{$name}{$is} = 1;
        push @wrong, "$name at $at: $is, not $expected" if $is ne $expected;
    }

    $now > $closes;
} 30, 'registration closes';

is_deeply [ splice @wrong, 0, 3 ], [], 'every answer is right';
is_deeply \%seen, {
    map { $_ => { not_open => 1, open => 1, closed => 1 } } keys %state
}, 'before, between and after';
cmp_ok $asked, '<=', 3, 'the list is asked for at its boundaries';
is $pg->calls, $asked, 'and nothing else';

done_testing;
