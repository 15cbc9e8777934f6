# What must never leave the database (invariant 10): payment data, people's
# contact data, accounts that money is sent to. All of it is sentinels that
# begin with SECRET-; no answer, log or memory of nginx holds one.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $API    = '/tournaments/api';
my $SECRET = qr/SECRET-/;

# Those of the demonstration data, and not what somebody searches for.

my $STORED = qr/SECRET-[a-z]+-\d/;

my @TABLES = qw(
    tournaments_tournament tournaments_tournamentsettings
    tournaments_schedule tournaments_registration
    tournaments_registrationrequest user_profile_userprofile teams_team
    teams_teammembership
);

my $pg    = Tournament::Postgres->new;
my $nginx = Tournament::Nginx->new(
    Tournament::Nginx::api(),
    database => $pg,
    zone     => '16m',
    level    => 'debug',
);

my @slugs    = map { $_->[0] } $pg->rows(
    'SELECT slug FROM tournaments_tournament ORDER BY id');
my @accounts = map { $_->[0] } $pg->rows(
    'SELECT user_id FROM user_profile_userprofile ORDER BY id');


# Columns with nothing but sentinels, that is to say: the test can fail.

subtest 'the sentinels are there' => sub {
    my %secret = (
        tournaments_registration => [ qw(payment_method payment_sender
                                         payment_reference) ],
        tournaments_tournamentsettings => [ qw(
            bkash_receive_number nagad_receive_number rocket_receive_number
            bank_instructions) ],
        user_profile_userprofile => [ qw(email phone facebook discord) ],
    );

    for my $table (sort keys %secret) {
        for my $column (@{ $secret{$table} }) {
            is $pg->value("SELECT count(*) FROM $table
                            WHERE $column NOT LIKE '%SECRET-%'"), 0,
                "$table.$column";
        }
    }
};


subtest 'no answer has one' => sub {
    my $connection = $nginx->connect;
    my (@found, %status, %payment);
    my $answers = 0;

    my $get = sub {
        my ($endpoint, $path, @headers) = @_;
        my $got = $connection->get($path, @headers);

        $answers++;
        $status{$endpoint}{ $got->status }++;
        push @found, "$path @headers" if $got->raw =~ $SECRET;
        $payment{$endpoint} = 1
            if $got->body =~ /payment_(?!status)|verified_|bkash|nagad|rocket/
                || $got->body =~ /payment_status|"verified"|"rejected"/;
    };

    for my $slug (@slugs) {
        $get->('state', "$API/$slug/state/");
        $get->('detail', "$API/$slug/detail/");
        $get->('count', "$API/$slug/count/");
        $get->('context', "$API/$slug/register/context/");
        $get->('participants', "$API/$slug/participants/", 'X-Staff' => 1);

        for my $account (@accounts[0 .. 9, 50 .. 54]) {
            $get->('state', "$API/$slug/state/", 'X-Account' => $account);
            $get->('context', "$API/$slug/register/context/",
                   'X-Account' => $account);
            $get->('participants', "$API/$slug/participants/",
                   'X-Account' => $account);
        }
    }

    $get->('registrations', "$API/me/registrations/", 'X-Account' => $_)
        for @accounts;
    $get->('states', "$API/states/?slugs=" . join ',', @slugs);
    $get->('stats', "$API/stats/");

    for my $query ('', 'status=open', 'status=completed', 'sort=popular',
                   map { "q=$_" } 'SECRET', 'SECRET-', 'example.invalid',
                                  'bkash', '%25', 'a')
    {
        $get->('hub', "$API/hub/?per_page=100&$query");
    }

    is_deeply \@found, [], "none of $answers answers";
    is_deeply [ keys %payment ], [ 'registrations' ],
        'payment_status is in its owner\'s alone';
    is $connection->get("$API/hub/?q=SECRET-")->json
       ->{pagination}{total_count}, 0, 'nor can they be searched for';
    is_deeply [ sort grep { $status{$_}{200} } keys %status ],
        [ sort qw(state detail count context participants registrations
                  states stats hub) ], 'every endpoint has answered';
};


# Zone, bodies, libpq's buffers: all that the worker can write to.

subtest 'the memory of nginx has none' => sub {
    my ($pid) = $nginx->worker_pids;

    plan skip_all => 'a sanitizer maps terabytes'
        if $ENV{TOURNAMENT_SANITIZE};

    open my $maps, '<', "/proc/$pid/maps" or plan skip_all => "maps: $!";
    open my $mem, '<:raw', "/proc/$pid/mem" or plan skip_all => "mem: $!";

    my ($bytes, $found, $known) = (0, 0, 0);

    no warnings 'portable';    # addresses have 64 bits

    while (my $line = <$maps>) {
        my ($from, $to) = $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;

        next if $line =~ /\[(?:vvar|vdso|stack)/;

        sysseek $mem, hex $from, 0 or next;

        my $left = hex($to) - hex $from;
        my $tail = '';

        while ($left > 0) {
            my $n = sysread $mem, my $block, $left < 1 << 20 ? $left : 1 << 20;

            last unless $n;

            $left  -= $n;
            $bytes += $n;
            $block  = $tail . $block;

            $found += () = $block =~ /$STORED/g;
            $known += () = $block =~ /Valorant Masters/g;
            $tail   = substr $block, -40;
        }
    }

    cmp_ok $bytes, '>', 16 << 20, 'the zone is among what was read';
    cmp_ok $known, '>', 0, 'and what is no secret was found there';
    is $found, 0, 'but no sentinel';
};


subtest 'no log has one' => sub {
    is scalar(grep { /$STORED/ } $nginx->access_log), 0, 'the access log';
    is scalar(grep { /$STORED/ } split /\n/, $nginx->log), 0,
        'the error log, at debug level';
};


subtest 'the role of nginx has no right to the tables' => sub {
    my $session = $pg->session(user => 'tournament');

    for my $table (@TABLES) {
        is $pg->value("SELECT bool_or(has_table_privilege('tournament',
                           '$table', p) OR has_any_column_privilege(
                           'tournament', '$table', p))
                         FROM unnest('{SELECT,INSERT,UPDATE,REFERENCES}'
                                     ::text[]) AS p"), 'f',
            "$table: not even to a column";
        is $pg->value("SELECT bool_or(has_table_privilege('tournament',
                           '$table', p))
                         FROM unnest('{DELETE,TRUNCATE,TRIGGER}'::text[])
                              AS p"), 'f', 'nor to delete';

        ok !eval { $session->rows("SELECT * FROM $table"); 1 }, 'SELECT fails';
        like $@, qr/permission denied for table $table/, 'for want of rights';
    }

    is $pg->value("SELECT bool_or(has_sequence_privilege('tournament', oid,
                       'USAGE'))
                     FROM pg_class WHERE relkind = 'S'"), 'f', 'sequences';
    is $pg->value("SELECT has_schema_privilege('tournament',
                       'tournament_api', 'CREATE')"), 'f',
        'it can make no function of its own there';
    is $pg->value("SELECT rolsuper OR rolcreaterole OR rolcreatedb
                          OR rolbypassrls
                     FROM pg_roles WHERE rolname = 'tournament'"), 'f',
        'nor is it anything more';
    is $pg->value("SELECT count(*) FROM pg_auth_members m
                     JOIN pg_roles r ON r.oid = m.member
                    WHERE r.rolname = 'tournament'"), 0, 'or a member of any';
};


# What the functions return to who calls them by hand.

subtest 'no function returns one' => sub {
    my $session = $pg->session(user => 'tournament');
    my $list    = join ',', map { $pg->quote($_) } @slugs;
    my $all     = "FROM unnest(ARRAY[$list]) AS s (slug)";

    for my $sql ("SELECT f.* $all, tournament_api.state(slug) f",
                 "SELECT f.* FROM tournament_api.states(ARRAY[$list]) f",
                 "SELECT f.* $all, tournament_api.detail(slug) f",
                 "SELECT f.* $all, tournament_api.count(slug) f",
                 "SELECT f.* $all, tournament_api.participants(slug) f",
                 "SELECT f.* $all, generate_series(1001, 1060) AS u (u),
                         tournament_api.registration_context(u, slug) f",
                 "SELECT f.* FROM generate_series(1001, 1060) AS u (u),
                         tournament_api.user_registrations(u) f",
                 "SELECT f.* FROM tournament_api.hub('', '', '', '', '', '',
                                                     1, 100) f",
                 'SELECT f.* FROM tournament_api.platform_stats() f')
    {
        my ($name) = $sql =~ /tournament_api\.(\w+)/;
        my @rows   = $session->rows($sql);

        cmp_ok scalar(@rows), '>', 0, "$name returns rows";
        is scalar(grep { ($_ // '') =~ $SECRET } map { @$_ } @rows), 0,
            'without one';
    }
};


# What the database says, where it is and how to get in stay in the log, and
# the last not even there.

subtest 'errors tell nothing' => sub {
    $pg->psql(q{
        CREATE OR REPLACE FUNCTION tournament_api.count(p_slug text)
        RETURNS TABLE (id bigint, slug text, pending bigint, confirmed bigint,
                       cancelled bigint)
        LANGUAGE plpgsql AS $$ BEGIN
            RAISE 'TOLD-message %', p_slug USING DETAIL = 'TOLD-detail',
                  HINT = 'TOLD-hint', TABLE = 'TOLD-table';
        END $$;
    });

    my $closed = free_port();
    my $away   = Tournament::Nginx->new(
        Tournament::Nginx::api(),
        name     => 'away',
        database => "host=localhost hostaddr=127.0.0.1 port=$closed"
                    . ' user=TOLD-user password=SECRET-password'
                    . ' dbname=TOLD-name',
    );

    my $slug    = $pg->tournament->{slug};
    my $refused = $nginx->get("$API/$slug/count/");

    is_error $refused, 503, 'unavailable', 'a failing statement';
    is_error $nginx->get("$API/$slug/count/"), 503, 'unavailable',
        'which is not cached (invariant 6)';
    ok $nginx->log =~ /TOLD-message/, 'the log has the message';

    my $no = $away->get("$API/busy-bees/state/");

    is_error $no, 503, 'unavailable', 'no database';

    for my $answer ($refused, $no) {
        unlike $answer->raw,
            qr/TOLD|SECRET|SELECT|tournament_api|localhost|127\.|$closed
               |libpq|PostgreSQL|SQLSTATE/xi, 'a client hears nothing of it';
    }

    like $away->log, qr/$closed/, 'the log says where';
    unlike $away->log, $SECRET, 'but has no password';
};


done_testing;
