# README.md: each configuration in it serves, each command that can be run here
# is run, and its tables name what there is, no more and no less. A block that
# nothing here runs fails it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::PgBouncer;

my $readme = slurp(project('README.md'));

utf8::decode($readme);

my @blocks = blocks($readme);
my $source = join '', map { slurp($_) }
    glob project("*.c") . " " . project("src/*/*.c");


# Fenced blocks: { language, place, text, section, ran }, the place being the
# second word behind the fence. Indented ones belong to a list. Whoever has run
# one says so.

sub blocks {
    my ($text) = @_;

    my @found;

    for my $section (split /^(?=## )/m, $text) {
        my ($title) = $section =~ /\A## (.*)/;

        while ($section =~ /^( *)```(\w+)(?: (\w+))?\n(.*?)^\1```$/gms) {
            my ($indent, $language, $place, $block) = ($1, $2, $3, $4);

            $block =~ s/^$indent//gm;
            push @found, { language => $language, place => $place,
                           text => $block, section => $title // '' };
        }
    }

    return @found;
}


sub of_language {
    my ($language) = @_;

    return grep { $_->{language} eq $language } @blocks;
}


# The rows of the table under a heading, or of all tables, as lists of cells.

sub rows {
    my ($heading) = @_;

    my ($section) = $readme =~ /^## \Q$heading\E\n(.*?)(?=^## |\z)/ms
        or die "README.md has no section $heading\n";

    return grep { $_->[0] !~ /^-+$/ } map {
        s/^\| *| *\|$//g;
        [ split / *\| */, $_, -1 ]
    } $section =~ /^(\|.*\|)$/gm;
}


# Each once, in order.

sub words {
    my %seen = map { $_ => 1 } @_;

    return join ' ', sort keys %seen;
}


subtest 'tables' => sub {
    my @directives = $source =~ /\{\ ngx_string\("(tournament\w*)"\),\s+
                                 NGX_HTTP_(?:MAIN|SRV|LOC)_CONF/gx;
    my @documented = map { $_->[0] =~ /^`(tournament\w*)/ } rows('Directives');

    cmp_ok scalar @directives, '>', 10, 'the directives are found';
    is words(@documented), words(@directives), 'every directive';

    my @endpoints = $source =~ /^    \{ ngx_string\("(\w+)"\), \d+,$/mg;
    my @table     = grep { $_->[0] =~ /^`[a-z_]+`$/ && @$_ == 5 }
        rows('Endpoints');

    cmp_ok scalar @endpoints, '>', 5, 'the endpoints are found';
    is words(map { $_->[0] =~ /`(.*)`/ } @table), words(@endpoints),
        'every endpoint';

    my @variables = $source =~ /\{ ngx_string\("(tournament_\w+)"\), NULL/g;

    is words(map { $_->[0] =~ /`\$(\w+)`/ } rows('Variables')),
        words(@variables), 'every variable';

    my @rooms = map { m{(src/.*)\.[ch]$} }
        glob project('src/*.[ch]') . ' ' . project('src/*/*.[ch]');
    my @house = map { $_->[0] =~ /`([^`]*)`/g } rows('The house');

    is words(grep { m{^src/[\w/]+$} } @house), words(@rooms), 'every room';

    for my $path (grep { !m{^src/[\w/]+$} } @house) {
        ok -e project($path), "$path is there";
    }
};


# What the module says by itself while it runs; what refuses a configuration
# explains itself.

subtest 'log messages' => sub {
    my $table = join "\n", map { $_->[0] } rows('Troubleshooting');
    my $found = 0;

    while ($source =~ /ngx_log_error\((\w+),\s*[\w>.-]+,\s*\w+,\s*
                       ((?:"(?:[^"\\]|\\.)*"\s*)+)/gx)
    {
        my ($level, $strings) = ($1, $2);

        next if $level eq 'NGX_LOG_EMERG';

        my $text = join '', $strings =~ /"((?:[^"\\]|\\.)*)"/g;

        $text =~ s/\\"/"/g;

        my $pattern = join '.*', map { quotemeta }
            split /%\*?[a-zA-Z]+/, $text, -1;

        like $table, qr/`$pattern`|`$pattern/, $text;
        $found++;
    }

    cmp_ok $found, '>', 4, 'messages are found';
};


# The application beside nginx: account 1001 is logged in, and all its answers
# say that they are its own.

my $application = Tournament::Nginx->new(
    name      => 'application',
    module    => 0,
    locations => {
        '= /account/' => 'add_header X-Account 1001; return 204;',
        '/'           => 'return 200 "application";',
    },
);

# Its database, without our functions, and the demonstration's.

my $pg = Tournament::Postgres->new(load => []);

$pg->psql('CREATE DATABASE platform');
$pg->load('schema', -dbname => 'platform');
$pg->load('demo', -dbname => 'platform');

my $demo_pg = Tournament::Postgres->new;
my $demo    = Tournament::Nginx->new(
    conf => Tournament::Nginx::example($demo_pg->conninfo));

# What stands for /etc/nginx

my $etc = tempdir();


# Two servers, the first of which is away.

sub several {
    my ($attrs) = @_;

    return $demo_pg->conninfo_tcp(
        host => '127.0.0.1,127.0.0.1',
        port => free_port() . ',' . $demo_pg->port,
    ) . " $attrs";
}


my $pooler;

sub pooler {
    return $pooler //= Tournament::PgBouncer->new(
        $demo_pg, pool_mode => 'transaction');
}


# A configuration of README.md with the places of this test.

sub at_home {
    my ($text) = @_;

    $text =~ s{/etc/nginx/}{$etc/}g;
    $text =~ s{127\.0\.0\.1:8000}{'127.0.0.1:' . $application->port}ge;
    $text =~ s{host=10\.0\.0\.1,10\.0\.0\.2 (target_\S+) .*user=nginx}
              { several($1) }ge;
    $text =~ s{host=127\.0\.0\.1 port=5432 .*user=nginx}
              { $demo_pg->conninfo_tcp }ge;
    $text =~ s{host=127\.0\.0\.1 port=6432 .*user=nginx}
              { pooler()->conninfo }ge;
    $text =~ s{(host=127\.0\.0\.1) (?!port=)}{"$1 port=" . $pg->port . ' '}ge;

    return $text;
}


# A whole nginx.conf, in places of its own.

sub standing_alone {
    my ($conf) = @_;

    my $user = worker_user();
    my $temp = join '', map { "${_}_temp_path %%DIR%%/temp_$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);

    $conf = at_home($conf);
    $conf =~ s/^load_module .*/load_module %%MODULE%%;\npid %%DIR%%\/pid;
               error_log %%DIR%%\/error.log;/m;
    $conf = "user $user;\n$conf" if defined $user;
    $conf =~ s/^http \{\n/http {\naccess_log off;\n$temp/m;
    $conf =~ s/listen 80;/listen 127.0.0.1:%%PORT%%;/;

    return $conf;
}


# What the configuration's locations answer to, an example of each.

sub paths {
    my ($text) = @_;

    my @paths;

    while ($text =~ /^\s*location (=|~) (\S+) \{(.*?)\n\s*\}/gms) {
        my ($kind, $path, $inside) = ($1, $2, $3);

        next if $inside =~ /\binternal;/;

        if ($kind eq '~') {
            $path =~ s/^\^|\$$//g;
            $path =~ s/\(\?<\w+>[^)]*\)/valorant-masters/g;
        }

        $path .= '?slugs=valorant-masters' if $inside =~ /tournament states/;
        push @paths, [ $inside =~ /tournament purge/ ? 'PURGE' : 'GET', $path ];
    }

    return @paths;
}


# Those of context http that go with any other.

sub additions {
    return map { at_home($_->{text}) } grep {
        ($_->{place} // '') eq 'http' && $_->{text} !~ /tournament_database/
    } of_language('nginx');
}


sub configuration {
    my ($block) = @_;

    my $text  = at_home($block->{text});
    my $place = $block->{place}
        // return { conf => standing_alone($block->{text}) };

    return { http => $text, locations => Tournament::Nginx::state_location(),
             $text =~ /tournament_database/ ? (zone => undef)
                                            : (database => $demo_pg) }
        if $place eq 'http';

    my $fallback = $text =~ /\@application/
        ? 'location @application { proxy_pass http://127.0.0.1:'
            . $application->port . '; }' : '';

    return { http => [ additions() ], database => $demo_pg,
             locations => '', server => "$text$fallback" };
}


subtest 'configurations' => sub {
    my ($file) = grep { m{> /etc/nginx/tournament\.conninfo} }
        map { $_->{text} } of_language('sh');

    ok $file, 'the file with the conninfo is made by one of the commands';
    spew("$etc/tournament.conninfo", $demo_pg->conninfo . "\n");

    my (undef, $options) = run({}, Tournament::Nginx::binary(), '-V');

    for my $block (of_language('nginx')) {
        my ($title) = $block->{text} =~ /^\s*(.*)/;

        $block->{ran} = 1;

        SKIP: {
            skip "this nginx has no auth_request: $title", 1
                if $block->{text} =~ /auth_request/
                    && $options !~ /http_auth_request_module/;

            my $nginx = Tournament::Nginx->new(start => 0, level => 'warn',
                                               feed => 1);
            my $conf  = configuration($block);
            my ($ok, $output) = $nginx->test(%$conf);

            ok $ok && $output !~ /\[(?:warn|error|crit|alert|emerg)\]/,
                "accepted: $title" or diag($output), next;

            my @paths = paths($block->{text});

            @paths = ([GET => '/tournaments/api/valorant-masters/state/'])
                if !@paths && $conf->{locations};

            $nginx->set(%$conf)->start;

            for my $path (@paths) {
                my $response = $nginx->request(@$path);

                is $response->status, 200, "@$path: status";
                like $response->body, qr/\Aapplication\z|"success":true
                    |\A\#\ HELP\ tournament_/x, '... and what it says';
            }

            $nginx->stop;
        }
    }
};


# What is not run here, and why.

my %NOT_RUN = (
    './configure --with-compat'
        . ' --add-dynamic-module=/usr/local/src/ngx_http_tournament_module'
        => 'tools/build calls nginx\'s configure, as this does',
    'make modules' => 'and then nginx\'s make',
);


# The site of "Put it beside a site": the first whole configuration, and purge.

my $site = do {
    my ($whole) = grep { !defined $_->{place} } of_language('nginx');
    my ($purge) = grep { /tournament purge/ } map { $_->{text} }
        of_language('nginx');
    my $conf = standing_alone($whole->{text});

    $conf =~ s/(listen 127\S+;)/$1\n$purge/;

    Tournament::Nginx->new(name => 'site', conf => $conf, start => 0,
                           daemon => 1);
};


# What make run does in the end; building is none of this test's business.

subtest 'make run' => sub {
    my $port = free_port();
    my $out  = tempdir() . '/out';

    open my $fh, '>', $out or die "$out: $!";

    my $pid = Tournament::Util::spawn({
        stdout => $fh,
        stderr => $fh,
        signal => 'INT',
        env    => { TOURNAMENT_BUILD  => tempdir(),
                    TOURNAMENT_MODULE => Tournament::Nginx::module_file() },
    }, project('tools/run'), $port);

    poll_until {
        slurp($out) =~ /^Ready/m || !alive($pid)
    } 120, 'it is ready';

    like slurp($out), qr/^Ready/m, 'it is ready';

    my $curls = 0;

    for my $block (grep { /:8080\// } map { $_->{text} } of_language('sh')) {
        for my $line (grep { /^curl / } split /\n/, $block) {
            (my $here = $line) =~ s/:8080\//:$port\//;
            $here =~ s/^curl /curl --fail --show-error /;

            my ($status, $output) = run({}, 'sh', '-c', $here);

            is $status, 0, $line;
            like $output, qr/"success":true/, '... and success';
            $curls++;
        }
    }

    cmp_ok $curls, '>', 1, 'its lines are in README.md';

    kill 'INT', $pid;
    is Tournament::Util::reap($pid, 60), 0, 'Ctrl-C ends it';
};


# A command of README.md as it is run here, with the places of this test;
# undef for one that is not known.

sub command {
    my ($line, $root) = @_;

    my $binary = Tournament::Nginx::binary();

    return undef if $line =~ /\bsudo\b.*\bsudo\b/;

    $line =~ s/^sudo //;

    # Not built again: others may be testing it.

    if ($line =~ /^make (?:un)?install\b/) {
        $line =~ s{NGINX=\S+}{NGINX=$binary};

        return "make -o build DESTDIR=$root " . ($line =~ s/^make //r);
    }

    if ($line =~ /^make\b/) {
        $line =~ s{NGINX=\S+}{NGINX=$binary};

        return $line =~ s/^make\b/make -n/r;
    }

    if ($line =~ /^nginx (-t|-s \w+)$/) {
        return "$binary -p " . $site->dir . '/ -c ' . $site->conf_file . " $1";
    }

    if ($line =~ /^curl .*http:\/\/127\.0\.0\.1\//) {
        $line =~ s{http://127\.0\.0\.1/}{$site->url('/')}e;

        return $line =~ s/^curl /curl --fail --silent --show-error /r;
    }

    return "test -e " . project($1)
        if $line =~ /^(?:TOURNAMENT_\w+=1 )?prove\b.* (t\/\S+)$/;

    # What the reader gives some seconds is waited for here.

    my $pid = $site->dir . '/pid';

    return $line =~ s{/run/nginx\.pid}{$pid}r
        if $line =~ /^kill -(?:USR2|QUIT) /;
    return "timeout 30 sh -c 'until test -s $pid && test -s $pid.oldbin;"
        . " do sleep 0.1; done'" if $line =~ /^sleep \d+$/;

    return $line =~ s{/etc/nginx/}{$etc/}gr if $line =~ m{/etc/nginx/};

    return $line =~ /^psql / ? $line : undef;
}


# Functions are there before somebody calls them: the database's section is
# the second step of the first one.

subtest 'commands' => sub {
    my $root = tempdir();
    my %env  = (
        PATH             => Tournament::Postgres::bindir() . ":$ENV{PATH}",
        PGHOST           => $pg->socket_dir,
        PGPORT           => $pg->port,
        PGUSER           => 'postgres',
        PGCLIENTENCODING => 'UTF8',
        MAKEFLAGS        => '',
    );

    my @all    = of_language('sh');
    my @blocks = ((grep { $_->{section} eq 'The database' } @all),
                  (grep { $_->{section} ne 'The database' } @all));
    my %seen;

    for my $block (@blocks) {
        my $known = 1;

        for my $line (grep { /\S/ } split /\n/, $block->{text}) {
            $seen{$line} = 1;

            next if $NOT_RUN{$line} || $line =~ /^curl .*:8080\//;

            my $command = command($line, $root);

            if (!defined $command) {
                fail "$line: this test does not know how to run it";
                $known = 0;
                next;
            }

            $site->start if $command =~ /^\S*nginx |^curl /
                            && !$site->running;

            my ($status, $output) =
                run({ env => \%env, dir => project() }, 'sh', '-c', $command);

            is $status, 0, $line or diag $output;

            after($line, $output, $root);
        }

        $block->{ran} = $known;
    }

    is_deeply [ grep { !$seen{$_} } sort keys %NOT_RUN ], [],
        'what is not run is in README.md';
};


# What a command must have done.

sub after {
    my ($line, $output, $root) = @_;

    my $module = 'ngx_http_tournament_module.so';
    my @there  = grep { /\Q$module\E$/ } split /\n/,
        run_ok({}, 'find', $root, '-type', 'f');

    if ($line =~ /^(?:sudo )?make install/) {
        is scalar @there, 1, '... the module is installed';

    } elsif ($line =~ /^(?:sudo )?make uninstall/) {
        is scalar @there, 0, '... the module is gone';

    } elsif ($line =~ /kill -QUIT/) {
        my $before = $site->pid;

        isnt $site->upgraded->pid, $before, '... there is another master';

    } elsif ($line =~ /^curl -i/) {
        like $output, qr/^Cache-Control: public.*"success":true/ms,
            '... the module has answered';

    } elsif ($line =~ /^curl .*PURGE/) {
        like $output, qr/"success":true,"purged":"\*"/, '... purged';

    } elsif ($line =~ /-f sql\/install\.sql/) {
        is run_ok({}, Tournament::Postgres::bindir() . '/psql', '-XAtc',
                  "SELECT count(*) > 5 FROM pg_proc WHERE pronamespace ="
                  . " 'tournament_api'::regnamespace",
                  $pg->conninfo(user => 'postgres', dbname => 'platform')),
            "t\n", '... the functions are there';

    } elsif ($line =~ m{^echo .*/tournament\.conninfo}) {
        my $mode = (stat "$etc/tournament.conninfo")[2] & 0777;

        is sprintf('%o', $mode), '600', '... only its owner reads it';
        like slurp("$etc/tournament.conninfo"), qr/^host=\S+ .*password=/,
            '... and it is a conninfo';
    }

    return;
}


# What "Upgrade and removal" says of reloads, and of upgrades on the fly

subtest 'another build of the module' => sub {
    my $dir   = tempdir();
    my $user  = worker_user() // '';
    my $place = sub {
        spew("$dir/new", slurp(Tournament::Nginx::module_file()));
        rename "$dir/new", "$dir/module.so" or die "rename: $!";
    };

    $place->();

    my $conninfo = $demo_pg->conninfo;
    my $nginx    = Tournament::Nginx->new(daemon => 1, conf => <<"END");
${\ ($user ? "user $user;" : '') }
load_module $dir/module.so;
worker_processes 2;
pid %%DIR%%/pid;
error_log %%DIR%%/error.log info;
events { }
http {
    tournament_zone 1m;
    tournament_database "$conninfo";
    access_log off;
    server {
        listen 127.0.0.1:%%PORT%%;
        location = /status { tournament status; }
        location ~ ^/tournaments/api/(?<slug>.+)/state/\$ {
            tournament state \$slug;
        }
    }
}
END

    my $state   = '/tournaments/api/valorant-masters/state/';
    my $counted = sub {
        return $nginx->get('/status')->json->{endpoints}{state}{requests};
    };

    $nginx->get($state) for 1 .. 3;
    is $counted->(), 3, 'requests are counted';

    $nginx->reload;
    is $counted->(), 3, 'a reload keeps the counters';

    my $load = load(port => $nginx->port, path => $state, concurrency => 4);

    $load->wait_for(20);
    $place->();
    $nginx->reload;
    $load->wait_for(20);
    cmp_ok $counted->(), '>', 40, 'it does so with another file in its place';

    $nginx->signal('USR2');

    poll_until {
        -s $nginx->dir . '/pid.oldbin' && -s $nginx->dir . '/pid'
    } 30, 'there is a second master';

    $nginx->signal('QUIT')->upgraded;
    $load->wait_for(20);

    my $report = $load->stop;

    is_deeply [ keys %{ $report->{status} } ], [200], 'no request is lost';
    cmp_ok $counted->(), '<', $report->{requests},
        'and the new module has counted anew';

    $nginx->stop;
};


subtest 'paths of the endpoints' => sub {
    for my $row (grep { @$_ == 5 && $_->[2] =~ m{`/} } rows('Endpoints')) {
        my ($endpoint) = $row->[0] =~ /`(.*)`/;

        for my $path ($row->[2] =~ m{`(/[^`]*)`}g) {
            $path =~ s/<slug>|\ba\b/valorant-masters/g;
            $path =~ s/\bb\b/no-such-one/;
            $path =~ s/<game>/valorant/g;

            my $response = $endpoint eq 'purge'
                ? $demo->request('PURGE', $path) : $demo->get($path);
            my $expected = $endpoint =~ /^(?:user_reg|participants)/ ? 401
                         : 200;

            is $response->status, $expected, "$endpoint at $path";

            if ($endpoint eq 'metrics') {
                like $response->body, qr/^# TYPE tournament_/m,
                    'and it is what Prometheus reads';
            } else {
                is ref $response->json, 'HASH', 'and it is JSON';
            }
        }

        is $row->[3], ttl_of($endpoint), "$endpoint: the TTL" if $row->[3];
    }
};


sub ttl_of {
    my ($endpoint) = @_;

    my ($ms) = $source =~ /ngx_string\("$endpoint"\), \d+,.*?\b(\d{4,}),/s
        or return 'not found in the endpoint table';

    return $endpoint eq 'states' ? '' : $ms / 1000 . 's';
}


subtest 'the test to begin with' => sub {
    my ($block) = of_language('perl');

    $block->{ran} = 1;

    my $file    = tempdir() . '/begin.t';
    my $text    = $block->{text};

    $text =~ s{"\$FindBin::Bin/lib"}{"'" . project('t/lib') . "'"}e;
    spew($file, $text);

    my ($status, $output) = run({}, $^X, $file);

    is $status, 0, 'passes' or diag $output;
    like $output, qr/^ok 1 - three of eight/m, 'and tests something';
};


# Other tests take theirs from README.md.

my %ELSEWHERE = (yaml => 't/91_metrics.t');

subtest 'every block is run' => sub {
    for my $language (sort keys %ELSEWHERE) {
        my $test = slurp(project($ELSEWHERE{$language}));
        my @its  = of_language($language);
        my ($variables) = $test =~ /^my\ \((.*)\)\ =\ slurp\(project\(
            'README\.md'\)\)\s=~\ \/\^```$language\\n/mx;
        my @taken = split /,/, $variables // '';

        is scalar @taken, scalar @its,
            "each $language block is taken by $ELSEWHERE{$language}"
            or next;

        $_->{ran} = 1 for @its;
    }

    my @fences = $readme =~ /^ *```/gm;

    is scalar @fences, 2 * @blocks, 'each fence begins or ends one';
    is_deeply [ map { "$_->{language}: $_->{text}" }
                grep { !$_->{ran} } @blocks ], [], 'each has been run';
};


subtest 'tools/readme-bench' => sub {
    my $dir  = tempdir();
    my $tool = project('tools/readme-bench');

    spew("$dir/README.md", slurp(project('README.md')));
    spew("$dir/bench.md", "Measured.\n\n### A case\n\n| a | b |\n");

    run_ok({}, $tool, "$dir/bench.md", "$dir/README.md");

    my $once = slurp("$dir/README.md");

    my $place = qr/(<!-- bench: [^\n]* -->\n)(.*?)(<!-- \/bench -->\n)/s;
    my @then  = slurp(project('README.md')) =~ /\A(.*?)$place(.*)\z/s;
    my @now   = $once =~ /\A(.*?)$place(.*)\z/s;

    is splice(@now, 2, 1), "\nMeasured.\n\n### A case\n\n| a | b |\n\n",
        'figures are put in their place';
    splice @then, 2, 1;
    is_deeply \@now, \@then, 'and nothing else has changed';

    run_ok({}, $tool, "$dir/bench.md", "$dir/README.md");
    is slurp("$dir/README.md"), $once, 'a second time changes nothing';

    spew("$dir/bench.svg", '<svg/>');
    run_ok({}, $tool, "$dir/bench.md", "$dir/README.md");
    like slurp("$dir/README.md"),
        qr{^!\[[^\]]+\]\(bench/chart\.svg\)\n\nMeasured\.$}m,
        'a chart goes above them';
    is slurp("$dir/bench/chart.svg"), '<svg/>', 'to its own place';

    unlink "$dir/bench.svg";
    run_ok({}, $tool, "$dir/bench.md", "$dir/README.md");
    is slurp("$dir/README.md"), $once, 'and is gone with the next run\'s';

    spew("$dir/bench.md", "\n");
    my ($status) = run({}, $tool, "$dir/bench.md", "$dir/README.md");
    isnt $status, 0, 'no figures are refused';

    spew("$dir/none.md", "# Nothing\n");
    spew("$dir/bench.md", "x\n");
    ($status) = run({}, $tool, "$dir/bench.md", "$dir/none.md");
    isnt $status, 0, 'and so is a file without the place';
    is slurp("$dir/none.md"), "# Nothing\n", 'which stays as it is';
};


done_testing;
