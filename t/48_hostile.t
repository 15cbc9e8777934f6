# A database whose functions are a site's own, and do what they like: nothing
# of it breaks a document, a worker or the log.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

my $nginx = Tournament::Nginx->new(
    Tournament::Nginx::api(),
    database => $pg,
    feed     => 1,
);

my $connection = $nginx->connect;

$nginx->wait_for_log(qr/listening to changes/);


# A function with the same columns, and another body.

sub becomes {
    my ($function, $body) = @_;

    my ($name)   = $function =~ /^(\w+)/;
    my $regproc  = "'tournament_api.$function'::regprocedure";
    my $result   = $pg->value("SELECT pg_get_function_result($regproc)");
    my $argument = $pg->value("SELECT pg_get_function_arguments($regproc)");

    $pg->psql(<<"END");
        CREATE OR REPLACE FUNCTION tournament_api.$name($argument)
        RETURNS $result
        LANGUAGE plpgsql
        AS \$body\$
        #variable_conflict use_column
        BEGIN
            $body
        END
        \$body\$;
END

    return;
}


# The columns of a card, some of them other than null.

sub card {
    my (%value) = @_;

    $value{$_} //= "'x'" for qw(slug name game status);

    my @columns = (
        ([ id => 'bigint' ], map { [ $_ => 'text' ] }
            qw(slug name game status short_description banner entry_fee
               prize_pool)),
        (map { [ $_ => 'timestamptz' ] }
            qw(reg_open_at reg_close_at start_at end_at)),
        [ slot_size => 'bigint' ], [ min_team_size => 'integer' ],
        [ max_team_size => 'integer' ], [ confirmed => 'bigint' ],
        [ registered => 'bigint' ],
    );

    return join ', ',
        map { '(' . ($value{ $_->[0] } // 'NULL') . ")::$_->[1]" } @columns;
}


sub hub {
    my ($rows, @card) = @_;

    becomes('hub(text,text,text,text,text,text,integer,integer,timestamptz)',
            'RETURN QUERY SELECT 1::bigint, 1::bigint, 12::bigint,'
            . ' NULL::timestamptz, ' . card(id => 'g', @card)
            . " FROM generate_series(1, $rows) g;");

    return;
}


subtest 'numbers' => sub {
    my %money = (
        '1.50'      => '1.50',
        '-0.05'     => '-0.05',
        '0'         => '0',
        '00012.50'  => undef,
        '-01'       => undef,
        '1.5'       => undef,
        '1e5'       => undef,
        'NaN'       => undef,
        'Infinity'  => undef,
        '-'         => undef,
        '.50'       => undef,
        ''          => undef,
    );

    my $n = 0;

    for my $text (sort keys %money) {
        hub(1, entry_fee => "'$text'");

        my $response = $connection->get('/tournaments/api/hub/?q=' . ++$n);
        my ($fee)    = $response->body =~ /"entry_fee":([^,]*),/;

        is $fee, $money{$text} // 'null', "money: \"$text\"";
        ok eval { $response->json }, '(in JSON)';
    }

    my $most = '9223372036854775807';

    becomes('count(text)', "RETURN QUERY SELECT 1::bigint, p_slug,"
            . " $most, $most, 0::bigint;");

    like $connection->get('/tournaments/api/some/count/')->body,
        qr/"count":$most,"by_status":\{"PENDING":$most,"CONFIRMED":$most,/,
        'a sum is as much as there is room for';
};


subtest 'what it says is a line each, and not too many' => sub {
    my $forged = 'E\'first\n2026/11/23 18:00:00 [crit] 1#1: forged\'';

    $nginx->log_mark;

    becomes('state(text)', "FOR i IN 1..500 LOOP RAISE NOTICE '%', $forged;"
            . " END LOOP; RAISE EXCEPTION '%', $forged;");

    is_error $connection->get('/tournaments/api/some/state/'), 503,
        'unavailable', 'an error';
    $nginx->wait_for_log(qr/refused ".*state.*": first \(SQLSTATE P0001\)/);

    is scalar(() = $nginx->log_since =~ /notice from PostgreSQL: first$/mg),
        1, '500 notices are one line';
    unlike $nginx->log_since, qr/forged/, 'and none is of its making';

    becomes('state(text)', "RAISE EXCEPTION '%', repeat('long', 100000);");

    poll_until {
        $connection->get('/tournaments/api/other/state/');
        $nginx->log_since =~ /: longlong\w+ \(SQLSTATE P0001\)/
    } 10, 'a long message is cut, and what it is about is said';
};


subtest 'a result that is too large' => sub {
    my $peak = sub {
        return slurp('/proc/' . ($nginx->worker_pids)[0] . '/status')
            =~ /^VmHWM:\s+(\d+) kB/m ? $1 >> 10 : undef;
    };

    my $before = $peak->();

    $nginx->log_mark;
    hub(100, short_description => q{repeat('x', 1000000)});

    is_error $connection->get('/tournaments/api/hub/?q=large'), 503,
        'unavailable', 'no answer is made of it';
    $nginx->wait_for_log(qr/\[error\].*the result of ".*hub.*" is larger/);
    $nginx->wait_for_log(qr/more than 32 MB without an end, reconnecting/);
    cmp_ok $peak->() - $before, '<', 100, 'the rest of its 100 MB never came';

    $nginx->log_mark;
    hub(5, short_description => q{repeat('x', 6711500)});

    is_error $connection->get('/tournaments/api/hub/?q=just'), 503,
        'unavailable', 'nor of one that is just too large';
    $nginx->wait_for_log(qr/\[error\].*the result of ".*hub.*" is larger/);

    hub(3, short_description => q{repeat('x', 1000000)});

    my $answer = $connection->get('/tournaments/api/hub/?q=rather-large');

    is $answer->status, 200, 'a large one is answered';
    is length $answer->json->{tournaments}[2]{short_description}, 1_000_000,
        'whole';

    hub(1);
    is scalar @{ $connection->get('/tournaments/api/hub/?q=small')->json
                     ->{tournaments} }, 1, 'then a small one';
};


subtest 'arrays' => sub {
    my $path = '/tournaments/api/me/registrations/';

    for my $teams ('ARRAY[NULL, 7]', 'ARRAY[[NULL, 1], [2, 7]]',
                   q('[5:6]={1,7}'))
    {
        becomes('user_registrations(bigint)',
                "RETURN QUERY SELECT 1::bigint, ($teams)::bigint[],"
                . ' NULL::bigint, NULL::text, NULL::text, NULL::timestamptz,'
                . ' NULL::bigint, NULL::text, NULL::text, '
                . card() . ';');

        $connection->get($path, 'X-Account' => 1);
        is $connection->get($path, 'X-Account' => 1)->cache, 'HIT',
            "$teams: cached";

        $pg->psql(q{NOTIFY tournament_changes, 'm7'});
        poll_until {
            $connection->get($path, 'X-Account' => 1)->cache ne 'HIT'
        } 5, 'a change of the last team is seen';
    }
};


# PostgreSQL has no right that would restrict it.

subtest 'any login announces what it likes' => sub {
    $pg->load('install');
    $pg->create_role('stranger');

    my $slots      = 40;
    my $tournament = $pg->tournament(slots => $slots);
    my $stranger   = $pg->session(user => 'stranger');
    my $path       = $tournament->{path};

    my @forged = ('', ' ', '*', 't', 't-1', 't99999999999999999999', '"',
                  'x' x 7999, 't1 ' x 2600, 'v1 ' x 2600, '%s%n',
                  "\xc3\xa4", "a\nb", "@{[ 2 ** 63 - 1 ]} t1");

    poll_until { $connection->get($path)->status == 200 } 10, 'an answer';

    for my $round (1 .. 20) {
        $stranger->rows('SELECT pg_notify($$tournament_changes$$, p) FROM'
            . ' unnest(ARRAY[' . join(', ', map { $pg->quote($_) } @forged)
            . ']) AS p, generate_series(1, 50)');
    }

    poll_until {
        $connection->get($path)->json->{max_teams} == $slots
    } 10, 'answers go on';

    $pg->update('tournaments_tournament', $tournament->{id},
                slot_size => ++$slots);
    poll_until {
        $connection->get($path)->json->{max_teams} == $slots
    } 20, 'a change behind them is seen';

    is_deeply [ $nginx->worker_pids ], [ $connection->get($path)->worker ],
        'by the same worker';
};


done_testing;
