# README.md: each configuration in it is accepted, each command that can be run
# here is run, and its tables name what there is, no more and no less.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $readme = slurp(project('README.md'));

utf8::decode($readme);

my @blocks = blocks($readme);
my $source = join '', map { slurp($_) }
    glob project('*.c') . ' ' . project('src/*.c');


# Fenced blocks: { language, place, text }, the place being the second word
# behind the fence. Indented ones belong to a list.

sub blocks {
    my ($text) = @_;

    my @found;

    while ($text =~ /^( *)```(\w+)(?: (\w+))?\n(.*?)^\1```$/gms) {
        my ($indent, $language, $place, $block) = ($1, $2, $3, $4);

        $block =~ s/^$indent//gm;
        push @found, { language => $language, place => $place,
                       text => $block };
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

    my @rooms = map { m{(src/.*)\.[ch]$} } glob project('src/*.[ch]');
    my @house = map { $_->[0] =~ /`([^`]*)`/g } rows('The house');

    is words(grep { m{^src/} } @house), words(@rooms), 'every room';

    for my $path (grep { !m{^src/} } @house) {
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


subtest 'configurations' => sub {
    my $dir   = tempdir();
    my $nginx = Tournament::Nginx->new(start => 0, zone => undef,
                                       level => 'warn', locations => '');

    spew("$dir/tournament.conninfo", "host=/nowhere dbname=x\n");

    my @options = run({}, Tournament::Nginx::binary(), '-V');
    my $found   = 0;

    for my $block (of_language('nginx')) {
        my ($place, $text) = @$block{qw(place text)};
        my ($title) = $text =~ /^\s*(.*)/;

        $found++;
        $text =~ s{/etc/nginx/}{$dir/}g;

        SKIP: {
            skip "this nginx has no auth_request: $title", 1
                if $text =~ /auth_request/
                    && $options[1] !~ /http_auth_request_module/;

            my %conf;

            if (!defined $place) {
                $conf{conf} = standing_alone($text);

            } elsif ($place eq 'http') {
                $conf{http} = $text;

            } else {
                $conf{http} = 'tournament_zone 1m;'
                    . ' tournament_database "host=/nowhere dbname=x";';
                $conf{$place eq 'server' ? 'server' : 'locations'} = $text;
            }

            my ($ok, $output) = $nginx->test(%conf);

            ok $ok && $output !~ /\[(?:warn|error|crit|alert|emerg)\]/,
                $title or diag $output;
        }
    }

    cmp_ok $found, '>', 3, 'configurations are found';
};


# A whole nginx.conf, in places of its own.

sub standing_alone {
    my ($conf) = @_;

    my $temp = join '', map { "${_}_temp_path %%DIR%%/temp_$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);

    $conf =~ s/^load_module .*/load_module %%MODULE%%;\npid %%DIR%%\/pid;
               error_log %%DIR%%\/error.log;/m;
    $conf =~ s/^http \{\n/http {\naccess_log off;\n$temp/m;
    $conf =~ s/listen 80;/listen 127.0.0.1:%%PORT%%;/;

    return $conf;
}


# The servers that the commands are for: an application's database without our
# functions, and "make run".

my $pg = Tournament::Postgres->new(load => []);

$pg->psql('CREATE DATABASE platform');
$pg->load('schema', -dbname => 'platform');

my $demo_pg = Tournament::Postgres->new;
my $demo    = Tournament::Nginx->new(
    conf => Tournament::Nginx::example($demo_pg->conninfo));


# What is not run here, and why.

my %NOT_RUN = map { $_ => 1 } (
    'sudo nginx -t',              # the machine's own nginx: see the blocks
    'sudo nginx -s reload',
    './configure --with-compat'   # nginx's build: the mainline tests have it
        . ' --add-dynamic-module=/usr/local/src/ngx_http_tournament_module',
    'make modules',
);


subtest 'commands' => sub {
    my $etc = tempdir();
    my %env = (
        PATH             => Tournament::Postgres::bindir() . ":$ENV{PATH}",
        PGHOST           => $pg->socket_dir,
        PGPORT           => $pg->port,
        PGUSER           => 'postgres',
        PGCLIENTENCODING => 'UTF8',
        MAKEFLAGS        => '',
    );

    my @commands = map { grep { /\S/ } split /\n/, $_->{text} }
        of_language('sh');

    cmp_ok scalar @commands, '>', 15, 'commands are found';

    for my $command (@commands) {
        next if $NOT_RUN{$command};

        my $line = $command;

        if ($line =~ s/^(?:sudo )?make\b/make -n/) {
            $line =~ s{NGINX=\S+}{'NGINX=' . Tournament::Nginx::binary()}e;

        } elsif ($line =~ /^(?:TOURNAMENT_\w+=1 )?prove\b.* (t\/\S+)$/) {
            ok -e project($1), $command;
            next;

        } elsif ($line =~ /^curl /) {
            ok $line =~ s{http://127\.0\.0\.1:8080/}{$demo->url('/')}ge,
                'an address of make run';
            $line =~ s/^curl /curl --fail --show-error /;

        } elsif ($line =~ m{/etc/nginx/}) {
            $line =~ s{/etc/nginx/}{$etc/}g;

        } elsif ($line !~ /^psql /) {
            fail "$command: this test does not know how to run it";
            next;
        }

        my ($status, $output) =
            run({ env => \%env, dir => project() }, 'sh', '-c', $line);

        is $status, 0, $command or diag $output;
    }

    my $mode = (stat "$etc/tournament.conninfo")[2] & 0777;

    is sprintf('%o', $mode), '600', 'only its owner reads the password';
    like slurp("$etc/tournament.conninfo"), qr/^host=\S+ .*password=/,
        'and it is a conninfo';
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
            is ref $response->json, 'HASH', 'and it is JSON';
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
    my $file    = tempdir() . '/begin.t';
    my $text    = $block->{text};

    $text =~ s{"\$FindBin::Bin/lib"}{"'" . project('t/lib') . "'"}e;
    spew($file, $text);

    my ($status, $output) = run({}, $^X, $file);

    is $status, 0, 'passes' or diag $output;
    like $output, qr/^ok 1 - three of eight/m, 'and tests something';
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
