# What "nginx -t" accepts and what it refuses, and what it says then.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $nginx = Tournament::Nginx->new(
    start     => 0,
    zone      => undef,
    level     => 'warn',
    locations => '',
);

my $ZONE     = 'tournament_zone 1m;';
my $DATABASE = 'tournament_database "host=/nowhere dbname=x user=y";';
my $STATE    = Tournament::Nginx::state_location();


sub accepted {
    my ($name, %options) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($ok, $output) = $nginx->test(%options);

    ok $ok && $output !~ /\[(?:warn|error|crit|alert|emerg)\]/, $name
        or diag $output;

    return;
}


# Each pattern must match the one line that refuses.

sub refused {
    my ($name, $options, @patterns) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($ok, $output) = $nginx->test(%$options);
    my @lines = grep { /\[emerg\]/ } split /\n/, $output;

    ok !$ok && @lines == 1 && !grep({ $lines[0] !~ $_ } @patterns), $name
        or diag "$output\nexpected: @patterns";

    return;
}


# A directive in http{}: values that are accepted, and values that are refused
# with a message that says what is allowed.

sub values_of {
    my ($directive, $allowed, $good, $bad) = @_;

    subtest $directive => sub {
        accepted("$directive $_", http => "$directive $_;") for @$good;

        for my $value (@$bad) {
            my ($word) = $value =~ /"?([^" ]*)"?$/;

            refused("$directive $value", { http => "$directive $value;" },
                    qr/"$directive"/, qr/"\Q$word\E"/, $allowed);
        }

        refused("$directive without a value", { http => "$directive;" },
                qr/invalid number of arguments in "$directive"/);
    };

    return;
}


sub once_in_http {
    my ($line) = @_;

    my ($directive) = $line =~ /^(\w+)/;

    refused("$directive twice", { http => "$line\n$line" },
            qr/"\Q$directive\E.*is duplicate/);
    refused("$directive in a server", { server => $line },
            qr/"\Q$directive\E" directive is not allowed here/);

    return;
}


values_of('tournament_zone', qr/256k to 256g/,
          [qw(256k 1m 64M)], [qw(255k 0 -1 1x abc "")]);

values_of('tournament_database_connections', qr/from 1 to 256/,
          [qw(1 4 256)], [qw(0 257 -1 1.5 abc "")]);

values_of('tournament_database_queue', qr/from 1 to 1000000/,
          [qw(1 1024 1000000)], [qw(0 1000001 -1 1k abc "")]);

values_of($_, qr/from 1ms to 1h/,
          [qw(1ms 250ms 2 2s 1m 1h)], [qw(0 61m 2h -1s 1x abc "")])
    for qw(tournament_connect_timeout tournament_query_timeout);

values_of('tournament_slow', qr/a time from 1ms to 1h, or 0/,
          [qw(0 1ms 250ms 2 1m 1h)], [qw(61m -1s 1x abc "")]);

values_of('tournament_max_age', qr/time in whole seconds/,
          [qw(0 1 1s 5m 1d)], [qw(1ms -1 1x abc "")]);

values_of('tournament_ttl', qr/a time such as 30s, or 0/,
          [map { ("state $_", "missing $_") } qw(0 1ms 500ms 30 30s 5m 1d)],
          [map { ("state $_", "missing $_") } qw(-1 1x abc "")]);

values_of('tournament_stale', qr/a time such as 5m, or 0/,
          [qw(0 1ms 5m 1d)], [qw(-1 1x abc "")]);

values_of('tournament_coalesce', qr/a time such as 1s, or 0/,
          [map { ("hub $_", "platform_stats $_", "detail $_") } qw(0 1ms 1s)],
          [map { "hub $_" } qw(-1 1x abc "")]);

values_of('tournament_cache_version', qr/from 0 to 2147483647/,
          [qw(0 1 2147483647)], [qw(-1 2147483648 1.5 abc "")]);


values_of('tournament_feed', qr/"notify" or "logical"/,
          [qw(notify logical)], [qw(both Logical 1)]);

subtest 'tournament_listen' => sub {
    accepted("tournament_listen $_", feed => 1,
             http => "$ZONE $DATABASE tournament_listen $_;",
             locations => $STATE)
        for 'on', 'off', '"host=127.0.0.1 dbname=x"';

    refused('neither on, off nor a conninfo',
            { feed => 1, http => 'tournament_listen yes;' },
            qr/"tournament_listen"/, qr/host=.*dbname=/);
    refused('a host that is not found',
            { feed => 1, http => "$ZONE $DATABASE" .
                      'tournament_listen "host=no-such-host.invalid";',
              locations => $STATE },
            qr/"tournament_listen"/, qr/no-such-host\.invalid/);
};


subtest 'tournament_prepare' => sub {
    my $direct = 'tournament_listen "host=127.0.0.1 dbname=x";';

    accepted("$_->[0], $_->[1]", feed => 1, locations => $STATE,
             http => "$ZONE $DATABASE tournament_prepare $_->[0]; $_->[1]")
        for [ on => '' ], [ on => $direct ], [ off => $direct ],
            [ off => 'tournament_listen off;' ];

    refused("off, $_", { feed => 1, locations => $STATE,
                         http => "$ZONE $DATABASE tournament_prepare off; $_" },
            qr/"tournament_prepare off"/, qr/pooler/, qr/"tournament_listen"/)
        for '', 'tournament_listen on;';

    refused('neither on nor off', { http => 'tournament_prepare yes;' },
            qr/"yes" in "tournament_prepare" directive, it must be "on"/);
};


subtest 'a standby and a listener' => sub {
    my $standby = 'host=127.0.0.1 dbname=x target_session_attrs=';

    for my $attrs (qw(standby prefer-standby)) {
        refused("$attrs of the database",
                { feed => 1, locations => $STATE,
                  http => qq{$ZONE tournament_database "$standby$attrs";} },
                qr/"tournament_database"/, qr/"target_session_attrs=$attrs"/,
                qr/"primary"/, qr/"tournament_listen off"/);
        refused("$attrs of the listener",
                { feed => 1, locations => $STATE,
                  http => qq{$ZONE $DATABASE
                             tournament_listen "$standby$attrs";} },
                qr/"tournament_listen"/, qr/"target_session_attrs=$attrs"/);
        accepted("$attrs without a listener", locations => $STATE,
                 http => qq{$ZONE tournament_database "$standby$attrs";});
    }

    accepted("$_ with a listener", feed => 1, locations => $STATE,
             http => qq{$ZONE tournament_database "$standby$_";})
        for qw(any read-write primary read-only);
    refused('what libpq does not know', { feed => 1, locations => $STATE,
            http => qq{$ZONE tournament_database "${standby}some";} },
            qr/"tournament_database"/, qr/target_session_attrs/);
};


subtest 'connections that a worker has no room for' => sub {
    my $http = "$ZONE $DATABASE tournament_database_connections 20;";

    for my $case ([ 1, 26 ], [ 0, 24 ]) {
        my ($feed, $least) = @$case;
        my %options = (http => $http, locations => $STATE, feed => $feed);

        refused("less than $least", { %options, connections => $least - 1 },
                qr/"tournament_database_connections 20"/,
                qr/at least $least "worker_connections"/);
        accepted("$least of them", %options, connections => $least);
    }
};


subtest 'the line that an error is in' => sub {
    my $http = "$ZONE\n\ntournament_database\n'host=no-such-host.invalid';\n\n";
    my (undef, $output) = $nginx->test(http => $http, locations => $STATE);

    my ($file, $line) = $output =~ / in (\S+test\.conf):(\d+)$/m;

    my @lines = split /^/, slurp($file);

    like $lines[$line - 1], qr/no-such-host/, 'is that of the directive';
};


subtest 'endpoints without entries of their own' => sub {
    refused($_, { http => "$_;" },
            qr/"states"|"purge"|"state"|"status"|"metrics"/,
            qr/no entries|not coalesced/)
        for 'tournament_ttl states 1s', 'tournament_ttl purge 1s',
            'tournament_ttl status 1s', 'tournament_coalesce metrics 1s',
            'tournament_coalesce states 1s', 'tournament_coalesce state 1s';
};


once_in_http($_)
    for $ZONE, $DATABASE, 'tournament_database_connections 4;',
        'tournament_database_queue 8;', 'tournament_connect_timeout 1s;',
        'tournament_query_timeout 1s;', 'tournament_cache_version 2;',
        'tournament_prepare off;', 'tournament_slow 1s;',
        'tournament_listen off;', 'tournament_warm off;';


subtest 'tournament_ttl and tournament_max_age are inherited' => sub {
    for my $line ('tournament_ttl state 1s;', 'tournament_ttl missing 1s;',
                  'tournament_max_age 1s;')
    {
        accepted("$line everywhere", http => $line, server => $line,
                 locations => { '/' => $line });
        refused("$line twice", { server => $line . $line },
                qr/"tournament_(?:ttl \w+|max_age)"(?: directive)? is duplicate/);
    }

    refused('an endpoint that does not exist',
            { http => 'tournament_ttl nothing 1s;' },
            qr/"nothing"/, qr/"tournament_ttl"/, qr/"state".*"missing"/);
};


subtest 'tournament' => sub {
    my $http = "$ZONE $DATABASE";

    accepted('state', http => $http, locations => $STATE);
    accepted('an argument of several variables', http => $http,
             locations => { '/' => 'tournament state "${arg_a}-$arg_b";' });
    accepted('a text', http => $http,
             locations => { '/' => 'tournament state some-slug;' });

    refused('an endpoint that does not exist',
            { http => $http, locations => { '/' => 'tournament statee $uri;' } },
            qr/"statee"/, qr/"tournament"/, qr/must be one of.*"state"/);
    refused('"missing" is none',
            { http => $http, locations => { '/' => 'tournament missing $uri;' } },
            qr/"missing".*"tournament".*one of/);
    refused('no endpoint',
            { http => $http, locations => { '/' => 'tournament;' } },
            qr/invalid number of arguments in "tournament"/);
    refused('no argument',
            { http => $http, locations => { '/' => 'tournament state;' } },
            qr/"tournament state" needs an argument/);
    for my $endpoint (qw(state detail participants count registration_context
                         purge))
    {
        refused("$endpoint of what is no slug: '$_'",
                { http => $http,
                  locations => { '/' => qq{tournament $endpoint "$_";} } },
                qr/"\Q$_\E" in "tournament" directive, a slug.* is expected/)
            for '', 'no good/slug', "\x{e9}", 'x' x 256;
    }

    accepted("a constant pattern: '$_'", http => $http,
             locations => { '/' => qq{tournament purge "$_";} }) for '*', 'a-?';
    accepted('a game', http => $http,
             locations => { '/' => 'tournament hub "any game";' });

    refused('too many arguments',
            { http => $http, locations => { '/' => 'tournament state a b;' } },
            qr/invalid number of arguments in "tournament"/);
    refused('an unknown variable',
            { http => $http, locations => { '/' => 'tournament state $slug;' } },
            qr/unknown "slug" variable/);
    refused('twice',
            { http => $http, locations => {
                '/' => 'tournament state $uri; tournament state $uri;' } },
            qr/"tournament" directive is duplicate/);
    refused('in a server', { http => $http, server => 'tournament state $uri;' },
            qr/"tournament" directive is not allowed here/);
    refused('without a zone', { http => $DATABASE, locations => $STATE },
            qr/"tournament_zone"/, qr/tournament_zone 64m;/);
    refused('without a database', { http => $ZONE, locations => $STATE },
            qr/"tournament_database"/, qr/"tournament_database_file"/);
};


subtest 'tournament_database' => sub {
    accepted($_, http => qq{$ZONE tournament_database "$_";},
             locations => $STATE)
        for 'host=/run/postgresql dbname=x',
            'dbname=x', '',
            'host=127.0.0.1 port=6543 dbname=x user=y password=z',
            'host=localhost,127.0.0.1 port=1,2 dbname=x',
            "host=/nowhere dbname='a b' application_name='it\\\\'s'",
            'postgresql://y@127.0.0.1:6543/x?connect_timeout=3',
            'postgres://y:z@localhost/x',
            'hostaddr=127.0.0.1 host=elsewhere.invalid dbname=x';

    refused('an option that libpq does not know',
            { http => 'tournament_database "hots=a dbname=x";' },
            qr/"tournament_database"/, qr/hots/, qr/host=.*dbname=/);
    refused('no conninfo at all',
            { http => 'tournament_database "nonsense";' },
            qr/"tournament_database"/, qr/host=.*dbname=/);
    refused('a URI with an unknown parameter',
            { http => 'tournament_database "postgresql://a/b?hots=c";' },
            qr/"tournament_database"/, qr{postgresql://});
    refused('a host that is not found',
            { http => $ZONE . 'tournament_database "host=no-such-host.invalid";',
              locations => $STATE }, qr/"tournament_database"/, qr/no-such-host\.invalid/);

    refused("port=$_", { http => $ZONE . "tournament_database port=$_;",
                         locations => $STATE },
            qr/"tournament_database"/, qr/"\Q$_\E"/, qr/from 1 to 65535/)
        for qw(abc 0 65536);
    refused('hostaddr=bogus',
            { http => $ZONE . 'tournament_database hostaddr=bogus;',
              locations => $STATE },
            qr/"tournament_database"/, qr/"bogus"/, qr/an IP address/);

    for my $conninfo ('password=hidden hots=a', 'hots=hidden password=x',
                      'postgresql://a:hidden@b/c?hots=1',
                      'password=hidden host')
    {
        my ($ok, $output) =
            $nginx->test(http => qq{tournament_database "$conninfo";});

        ok !$ok && $output !~ /hidden/, 'a password is in no message'
            or diag $output;
    }
};


subtest 'tournament_database_file' => sub {
    my $dir = tempdir();

    spew("$dir/good", "host=/nowhere dbname=x user=y password='a b'\n");
    spew("$dir/blanks", "\thost=/nowhere dbname=x \r\n\n");
    spew("$dir/bad", "password=hidden hots=a\n");
    spew("$dir/binary", "host=/nowhere\0 dbname=x\n");
    spew("$dir/large", 'x' x 70_000);

    accepted('a good file', http => "$ZONE tournament_database_file $dir/good;",
             locations => $STATE);
    accepted('blanks and line ends around it',
             http => "$ZONE tournament_database_file $dir/blanks;",
             locations => $STATE);
    refused("a file that is $_->[0]",
            { http => "tournament_database_file $dir/$_->[1];" },
            qr/"tournament_database_file"/, qr/$_->[2]/)
        for ['missing',   'missing', 'No such file'],
            ['malformed', 'bad',     'host=.*dbname='],
            ['binary',    'binary',  'host=.*dbname='],
            ['too large', 'large',   'at most 64k'],
            ['a directory', '',      'not a file'];

    my ($ok, $output) =
        $nginx->test(http => "tournament_database_file $dir/bad;");

    ok $output !~ /hidden/, 'a password is in no message' or diag $output;

    refused('both', { http => "$DATABASE tournament_database_file $dir/good;" },
            qr/"tournament_database"/, qr/"tournament_database_file"/,
            qr/only one/);
    refused('twice', { http => "tournament_database_file $dir/good;" x 2 },
            qr/"tournament_database_file" directive is duplicate/);
};


subtest 'nginx.conf.example' => sub {
    my @database = 'host=/nowhere dbname=x';

    accepted('as it is', conf => Tournament::Nginx::example(@database));

    my $beside = Tournament::Nginx::example(@database,
                                            application => '127.0.0.1:8000');

    like $beside, qr/^ +\Q$_\E/m, "$_, for a site beside it"
        for 'error_page 503 504 = @application;', 'tournament_user $account;',
            'auth_request /account/;', 'location = /account/ {';
    unlike $beside, qr{^ +#.*[;{}]$(?<!conninfo;)}m, 'all of its lines are used';

    SKIP: {
        my (undef, $options) = run({}, Tournament::Nginx::binary(), '-V');

        skip 'this nginx has no auth_request', 1
            if $options !~ /http_auth_request_module/;

        accepted('beside a site', conf => $beside);
    }
};


subtest 'the module is loaded and not used' => sub {
    accepted('no directive', locations => '');
    accepted('a database alone', http => $DATABASE);
    accepted('a zone alone', http => $ZONE);
};


done_testing;
