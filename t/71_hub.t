# The hub: every filter, order and page against an oracle's, which values are
# refused, what is one cache entry and what is none, and the boundaries in time
# at which a page that is cached ends.

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode qw(encode_utf8);

use Tournament::Feed;
use Tournament::Oracle;
use Tournament::Test;

my $NOW = 1795417920;    # 2026-11-23 07:12:00
my $HUB = '/tournaments/api/hub/';

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

$pg->load('demo', now => '2026-11-23 07:12:00+00');
$pg->set_clock($NOW);

my $nginx = Tournament::Nginx->new(
    Tournament::Nginx::api(),
    database => $pg,
    zone     => '32m',
    clock    => $NOW,
    server   => [
        'tournament_ttl hub 1h;',
        'location = /uncached { tournament_ttl hub 0; tournament hub; }',
    ],
);

my $connection = $nginx->connect;


sub get { return $connection->get(@_) }


sub escape {
    my ($text) = @_;

    return encode_utf8($text)
        =~ s/([^A-Za-z0-9_.-])/sprintf '%%%02X', ord $1/ger;
}


sub query {
    my (%arguments) = @_;

    return join '&', map { "$_=" . escape($arguments{$_}) }
        sort keys %arguments;
}


# Of a page, the slugs.

sub slugs {
    my ($response) = @_;

    return join ' ', map { $_->{slug} } @{ $response->json->{tournaments} };
}


# Rows of which many are alike in what they are sorted by and lie on the
# boundaries of what they are filtered by.

my @instants = (undef, map({ \"to_timestamp($NOW) + interval '$_'" }
    '-1 day', '-1 s', '-1 us', '0', '1 us', '1 s', '1 day'),
    \"'infinity'::timestamptz", \"'-infinity'::timestamptz");
my @prizes = (undef, '0', '0.01', '9999.99', '10000', '49999.99', '50000',
              '-5', '10000');
my @fees   = (undef, '0', '0.01', '-1', '50');

for my $n (0 .. 119) {
    $pg->tournament(
        slug         => "row-$n",
        name         => ('Row', 'row of %', 'Row_of', "R\x{f6}w \\ n",
                         "\x{dd}row")[ $n % 5 ] . " $n",
        game         => ('cs2', 'dota2', 'Row')[ $n % 3 ],
        status       => (qw(PUBLISHED PUBLISHED RUNNING COMPLETED DRAFT
                            PUBLISHED))[ $n % 6 ],
        start_at     => $instants[ $n % 7 ],
        reg_open_at  => $instants[ $n % 11 % 10 ],
        reg_close_at => $instants[ $n % 13 % 10 ],
        entry_fee_bdt  => $fees[ $n % 5 ],
        prize_pool_bdt => $prizes[ $n % 9 ],
        created_at   => \"to_timestamp($NOW) - interval '1 day' * ($n % 4)",
        confirmed    => $n % 8 ? 0 : $n % 3,
        pending      => $n % 7 ? 0 : 1,
        cancelled    => $n % 9 ? 0 : 4,
    );
}

my $oracle = Tournament::Oracle->new($pg);


sub is_page {
    my ($arguments, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $got = get("$HUB?" . query(%$arguments));

    return is_text $got->text, $oracle->hub($NOW, %$arguments),
        $name // join ', ', map { "$_ $arguments->{$_}" }
                            sort keys %$arguments;
}


subtest 'each filter, each order' => sub {
    is_page { per_page => 100 }, 'none';
    is_page { per_page => 100, @$_ }
        for (map({ [ status => $_ ] } qw(open live upcoming completed)),
             map({ [ fee => $_ ] } qw(free paid)),
             map({ [ prize => $_ ] } qw(high medium low)),
             map({ [ sort => $_ ] } qw(newest starting_soon prize_high
                                       prize_low popular)),
             map({ [ game => $_ ] } qw(valorant cs2 Row row none), 'Row '));
};


subtest 'all of them together' => sub {
    my ($right, $wrong, @wrong) = (0, 0);
    my $i = 0;

    for my $status ('', qw(open live upcoming completed)) {
        for my $fee ('', qw(free paid)) {
            for my $prize ('', qw(high medium low)) {
                for my $sort ('', qw(newest starting_soon prize_high prize_low
                                     popular))
                {
                    my %arguments = (
                        status => $status, fee => $fee, prize => $prize,
                        sort => $sort,
                        game => ('', '', 'cs2', 'dota2')[ $i % 4 ],
                        per_page => 1 + $i % 23, page => 1 + $i++ % 3,
                    );
                    my $got = get("$HUB?" . query(%arguments));

                    if ($got->text eq $oracle->hub($NOW, %arguments)) {
                        $right++;
                    } else {
                        push @wrong, query(%arguments);
                    }
                }
            }
        }
    }

    is_deeply \@wrong, [], "$right pages are right";
};


subtest 'pages' => sub {
    for my $sort ('', 'popular', 'newest') {
        my ($pages, @seen) = 1;

        for (my $page = 1; $page <= $pages; $page++) {
            my $got = get("$HUB?sort=$sort&per_page=7&page=$page")->json;

            $pages = $got->{pagination}{total_pages};
            push @seen, map { $_->{id} } @{ $got->{tournaments} };
        }

        my %seen = map { $_ => 1 } @seen;

        is scalar(keys %seen), scalar(@seen),
            "nothing twice on the pages of sort=$sort";
        is scalar(@seen), get($HUB)->json->{pagination}{total_count},
            'and nothing left out';
    }

    is_page { page => 99999, per_page => 10 }, 'past the end is the last one';
    is_page { page => 2, game => 'none' }, 'of none there is one';
    is_page { per_page => 1, page => 3 }, 'a page of one';
    is_page { per_page => 100, page => 2 }, 'pages of a hundred';

    my $last = $oracle->hub($NOW, page => 99999);

    is_text get("$HUB?page=$_")->text, $last,
        'the last one: page=' . substr $_, 0, 30
        for 999_999, 1_000_000, 1_000_001, '2147483647', '2147483648',
            '9223372036854775807', '9223372036854775808',
            '18446744073709551617', '9' x 500, '0' x 500 . 9999;
};


subtest 'the game of a path' => sub {
    my $expected = $oracle->hub($NOW, game => 'cs2');

    is_text get('/tournaments/game/cs2/')->text, $expected, 'is a filter';
    is_text get('/tournaments/game/cs2/?game=dota2')->text, $expected,
        'and goes before the argument';
    is_text get("$HUB?game=cs2")->text, $expected, 'the same as the argument';
    is_text get('/tournaments/?game=cs2')->text, $expected,
        'and at the page URL';
    is_text get('/tournaments/game/nothing-like-it/')->text,
        $oracle->hub($NOW, game => 'nothing-like-it'), 'an unknown one';
    is_error get('/tournaments/game/%FF/'), 400, 'bad_request', 'broken UTF-8';
};


# One statement for all of what means the same.

sub same_entry {
    my ($name, @queries) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    get("$HUB?$queries[0]");
    $pg->reset_calls;

    my @other = grep { get("$HUB?$_")->cache ne 'HIT' } @queries;

    return is_deeply [ $pg->calls, @other ], [ 0 ], $name;
}


subtest 'what means the same is one entry' => sub {
    same_entry 'the order of arguments',
        'status=live&fee=free&per_page=3', 'per_page=3&status=live&fee=free',
        'fee=free&per_page=3&status=live';
    same_entry 'unknown arguments', '', 'utm_source=x', 'Status=live',
        'statu=live', 'xstatus=live', 'status_=live', '&&&', 'a', '=', '=x',
        'x=%00', 'q%20=x', 'x=%', 'status', 'page', 'game', 'csrf=1&_=12345';
    same_entry 'defaults written out', '', 'page=1', 'per_page=12',
        'page=1&per_page=12', 'page=01', 'page=0000000000000000000000001',
        'per_page=012';
    same_entry 'empty values', '', 'status=', 'q=', 'game=', 'page=',
        'per_page=', 'sort=', 'fee=&prize=&status=&sort=&game=&q=',
        'q=%20', 'q=+', 'q=+%09%0A%0D%0B%0C+',
        'q=%1C%C2%85%C2%A0%E1%9A%80%E2%80%8A%E2%80%A8%E3%80%80';
    same_entry 'percent-encoding', 'game=mobile_legends&sort=prize_high',
        'game=mobile%5Flegends&sort=prize%5fhigh',
        'game=%6D%6f%62%69%6c%65_legends&sort=prize_high';
    same_entry 'pages that can only be the last', 'page=1000000',
        'page=1000001', 'page=' . '9' x 100;
    same_entry 'the other paths of it', 'game=cs2';

    $pg->reset_calls;
    is get($_)->cache, 'HIT', $_
        for '/tournaments/?game=cs2', '/tournaments/game/cs2/',
            '/tournaments/game/cs2/?game=dota2&page=1';
    is get("$HUB?page=1", 'X-Account' => 1002)->cache, 'HIT',
        'whoever asks';
    is $pg->calls, 0, 'none of them costs a statement';
};


subtest 'a value that is none is refused, and named' => sub {
    $pg->reset_calls;

    my @bad = (
        (map { my $name = $_;
               map { [ $name, $_ ] } qw(bad OPEN %00 1 %20 on 0 null),
                                     'ope%6e%00', "'", "'%20OR%201=1--" }
             qw(status fee prize sort)),
        (map { [ status => $_ ] } 'open%20', '+live', 'open,live', 'draft',
                                  'DRAFT', 'PUBLISHED', '%open', 'open%',
                                  'op%en', '%6fpe%6', 'open%2'),
        (map { my $name = $_;
               map { [ $name, $_ ] } '0', '00', '-1', '+1', '%2B1', '1.0',
                                     '1e1', '0x1', 'x', '1x', '%201', '1+',
                                     '%D9%A1', '%00', '1%00', '-', '%',
                                     '%1', '1%', '1%3', '1%zz' }
             qw(page per_page)),
        (map { [ per_page => $_ ] } '101', '4294967297',
                                    '18446744073709551617', '9' x 300),
        (map { my $name = $_;
               map { [ $name, $_ ] } '%00', 'a%00b', '%FF', '%C0%AF',
                                     '%ED%A0%80', '%F4%90%80%80', '%E2%82',
                                     'x' x 401 } qw(q game)),
        [ q => 'x' x 101 ], [ q => '%E0%A6%BE' x 101 ],
    );

    my @wrong;

    for my $case (@bad) {
        my ($name, $value) = @$case;
        my $got = get("$HUB?$name=$value");

        push @wrong, "$name=$value: " . $got->status . ' ' . $got->body
            if $got->status != 400
                || $got->body ne '{"success":false,"error":"Bad value of the '
                   . qq(argument $name","code":"bad_request"});
    }

    is_deeply \@wrong, [], scalar(@bad) . ' bad values';
    is_error get("$HUB?page=0"), 400, 'bad_request', 'as errors are';
    is $pg->calls, 0, 'none of them reaches the database';
};


subtest 'the text to look for' => sub {
    is_page { q => $_, per_page => 100 }, '"' . substr($_, 0, 30) . '"'
        for 'row', 'ROW', 'rOw oF', '%', '_', '\\', 'w_o', "R\x{f6}W",
            "R\x{d6}w", "\x{dd}", 'cup', 'a tournament of', 'VALORANT',
            "\x{1F3C6}", "'", "''", '"', '"Night"', ' & ', '<', 'x;DROP',
            '%%', '\\\\', '\\%', '$1', "E'\\x'", '{}', 'n', 'x' x 100,
            "\x{1F3C6}" x 100;

    is_text get("$HUB?q=" . escape("  \t\n night cup \r\n") . '&per_page=100')
           ->text,
        $oracle->hub($NOW, q => 'night cup', per_page => 100), 'is trimmed';
    is_text get("$HUB?q=night+cup")->text, $oracle->hub($NOW, q => 'night cup'),
        'a plus is a blank';
    is_text get("$HUB?q=night%2Bcup")->text,
        $oracle->hub($NOW, q => 'night+cup'),
        'but not %2B';
    is_text get("$HUB?per_page=100&q=$_->[0]")->text,
        $oracle->hub($NOW, q => $_->[1], per_page => 100),
        "what is no escape is itself: $_->[0]"
        for [ 'of+%', 'of %' ], [ '%', '%' ], [ '%%', '%%' ],
            [ '%72o%', 'ro%' ], [ 'row%zz', 'row%zz' ], [ 'row%2', 'row%2' ],
            [ '%%72ow', '%row' ], [ 'f%20%25+', 'f %' ];
    is get("$HUB?q=" . '+' x 300 . 'x' x 100 . '%20' x 300)->status, 200,
        'blanks around it do not count as characters';
    is_page { q => 'row', sort => 'popular', status => 'upcoming',
              fee => 'free', per_page => 3, page => 2 };
};


subtest 'a text search is not cached' => sub {
    $pg->reset_calls;

    is get("$HUB?q=night")->cache, 'BYPASS', 'the first' for 1 .. 2;
    is get("$HUB?q=night")->cache, 'BYPASS', 'the next one';
    is $pg->calls, 3, 'a statement each';

    # No matter how many there are: the zone holds none of them.

    get($HUB);
    get("$HUB?q=$_") for 1 .. 200;
    $pg->reset_calls;
    is get($HUB)->cache, 'HIT', 'others are not pushed out';
};


subtest 'headers' => sub {
    my $page = get($HUB);
    my $etag = $page->header('ETag');

    is $page->header('Cache-Control'), 'public, max-age=1', 'Cache-Control';
    is $page->header('Vary'), undef, 'no Vary: it is the same for everybody';
    like $etag, qr{^W/"[0-9a-f]{16}"$}, 'ETag';
    is get($HUB, 'If-None-Match' => $etag)->status, 304, 'If-None-Match';
    isnt get("$HUB?page=2")->header('ETag'), $etag, 'each page has its own';

    my $completed = get("$HUB?status=completed")->header('ETag');

    $nginx->set_clock($NOW + 3600);
    is get("$HUB?status=completed")->header('ETag'), $completed,
        'no time left is shown: an hour later it is the same';
    $nginx->set_clock($NOW);

    is_error $connection->post($HUB, body => 'x'), 405, 'method_not_allowed',
        'POST';
};


# The clock of both is moved, a step at a time, over each boundary; nothing
# changes in the tables. PostgreSQL's is somewhere within the second, as it
# always is: lists and states go by the same clock all the same.

subtest 'a page ends where the clock changes it (invariant 3)' => sub {
    my $start = $NOW + 1000;

    # Seconds from $start at which something happens; fractions come with the
    # next second.

    for my $n (1 .. 3) {
        $pg->tournament(slug => "timed-$n", game => 'timed',
            reg_open_at  => \"to_timestamp($start + 10 * $n)",
            reg_close_at => \"to_timestamp($start + 10 * $n + 5)",
            start_at     => \"to_timestamp($start + 10 * $n + 7)");
    }

    $pg->tournament(slug => 'timed-4', game => 'timed',
        reg_open_at  => \"to_timestamp($start + 22.5)",
        reg_close_at => \"to_timestamp($start + 33.5)",
        start_at     => \"'infinity'::timestamptz");

    my $timed = Tournament::Oracle->new($pg);
    my @views = map { { game => 'timed', @$_ } }
        [], [ status => 'open' ], [ status => 'upcoming' ],
        [ sort => 'starting_soon' ], [ status => 'live' ],
        [ status => 'open', sort => 'starting_soon' ];

    my %misses;
    my @wrong;
    my $calls = 0;

    for my $second (0 .. 45) {
        my $now = $start + $second;

        $pg->set_clock($now + (0, 0.3, 0.7, 0.99)[$second % 4]);
        $nginx->set_clock($now);
        $pg->reset_calls;

        for my $view (@views) {
            my $got = get("$HUB?" . query(%$view));

            push @wrong, "$second: " . query(%$view) . "\n" . $got->text
                if $got->text ne $timed->hub($now, %$view);

            $misses{ query(%$view) }++ if $got->cache ne 'HIT';
        }

        $calls += $pg->calls;

        # The same from the database, in this very second.

        for my $view (@views) {
            my %view = (%$view, per_page => 20 + $second);
            my $got  = get("$HUB?" . query(%view));

            push @wrong, "$second: " . query(%view) . "\n" . $got->text
                if $got->text ne $timed->hub($now, %view)
                    || $got->cache ne 'MISS';
        }
    }

    is_deeply \@wrong, [], 'each page is right at each second';

    # The first time, and once for each boundary: openings at 10, 20, 30 and
    # 23, endings a second after 15, 25, 35 and with 34; starts at 17, 27, 37,
    # or a second after (by then, registration is closed).

    is_deeply \%misses, {
        'game=timed'                    => 1,
        'game=timed&status=live'        => 1,
        'game=timed&status=open'        => 9,
        'game=timed&status=upcoming'    => 4,
        'game=timed&sort=starting_soon' => 4,
        'game=timed&sort=starting_soon&status=open' => 9,
    }, 'and is asked for again at its boundaries alone';
    is $calls, 28, 'in so many statements';

    is get("$HUB?game=timed")->json->{tournaments}[1]{registration_state},
        'closed', 'a page without a boundary shows the state of the moment';
};


subtest 'figures of the platform end likewise' => sub {
    my $start = $NOW + 5000;

    $pg->set_clock($start);
    $nginx->set_clock($start);

    $pg->tournament(game => 'timed', prize_pool_bdt => 10,
                    start_at   => \"to_timestamp($start + 3)",
                    created_at => \"to_timestamp($start + 5 - 7 * 86400)");

    my $t = $pg->tournament(game => 'timed', prize_pool_bdt => 100,
                            start_at => \"to_timestamp($start + 7
                                                       - 30 * 86400)");

    my ($id) = @{ $pg->register($t, 'CONFIRMED') };

    $pg->update('tournaments_registration', $id,
                created_at => \"to_timestamp($start + 9 - 30 * 86400)");

    my $timed = Tournament::Oracle->new($pg);
    my (@wrong, %figures);

    for my $second (0 .. 12) {
        $pg->set_clock($start + $second + 0.4);
        $nginx->set_clock($start + $second);

        my $got = get('/tournaments/api/stats/');

        push @wrong, "$second: " . $got->text . "\n"
                     . $timed->stats($start + $second)
            if $got->text ne $timed->stats($start + $second);

        $figures{ $got->text } = 1;
    }

    is_deeply \@wrong, [], 'they are right at each second';
    cmp_ok scalar(keys %figures), '>=', 5, 'and changed with it';
};


# The order is counted at most every 30 seconds; the cards are exact. (The
# clock stands still, the time that entries grow old by does not.)

subtest 'sort=popular: the order waits, the cards do not' => sub {
    my $listens = Tournament::Nginx->new(name => 'listens', database => $pg,
                                         options());
    my ($first, $second) = map { $pg->tournament(game => 'pop', slots => 99,
                                                 confirmed => $_) } 3, 2;
    my $path  = "$HUB?game=pop&sort=popular";
    my $cards = sub {
        join ' ', map { "$_->{slug} $_->{registration_count}" }
            @{ $listens->get($_[0])->json->{tournaments} }
    };

    handled($pg, $listens);

    my $before = "$first->{slug} 3 $second->{slug} 2";

    is $cards->($path), $before, 'the most popular first';
    $pg->reset_calls;
    is $cards->($path), $before, 'and again';
    is $listens->get($path)->cache, 'HIT', 'from the cache';
    is $pg->calls, 0, 'at no statement';

    $pg->register($second, 'CONFIRMED', 5);
    handled($pg, $listens);
    $pg->reset_calls;

    is $cards->($path), "$first->{slug} 3 $second->{slug} 7",
        'a card shows its registrations at once';
    is $pg->calls(like => '%hub_order%'), 0, 'but nothing is counted anew';

    $pg->update('tournaments_tournament', $first->{id}, status => 'DRAFT');
    handled($pg, $listens);
    is $cards->($path), "$second->{slug} 7", 'a draft goes at once';

    $pg->rows("SELECT pg_notify('tournament_changes', '*')");
    handled($pg, $listens);
    is $cards->($path), "$second->{slug} 7", 'when everything may be another';
    is $pg->calls(like => '%hub_order%'), 1, 'it is counted, once';

    my $large = "$HUB?game=pop&sort=popular&per_page=100";

    $pg->rows("SELECT setval('tournaments_tournament_id_seq', 9000000000000)");
    $pg->tournament(game => 'pop') for 1 .. 100;
    handled($pg, $listens);
    is scalar(@{ $listens->get($large)->json->{tournaments} }), 100,
        'ids that no key has room for';
};


done_testing;
