# The documents name what there is, no more and no less: directives, endpoints,
# variables, log messages with their levels, folders; their links lead somewhere;
# and each block in them is of a kind that some test runs.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Documents
    qw(documents blocks section rows anchors source);
use Tournament::Test;


# Each once, in order.

sub words {
    my %seen = map { $_ => 1 } @_;

    return join ' ', sort keys %seen;
}


# nginx's own word on it.

my $nginx   = Tournament::Nginx->new(start => 0);
my ($names) = ($nginx->test(locations => 'location / { tournament nonesuch; }'))
    [1] =~ /must be one of (.*) in /;
my @endpoints = ($names // '') =~ /"(\w+)"/g;

cmp_ok scalar @endpoints, '>', 5, 'the endpoints are found';


subtest 'directives' => sub {
    my %flag = (http => 'MAIN', server => 'SRV', location => 'LOC');
    my $source = source();
    my (%context, @defaults);

    while ($source =~ /\{\ ngx_string\("(tournament\w*)"\),\s+
                        (NGX_HTTP_[\w|]+)/gx)
    {
        my ($name, $flags) = ($1, $2);

        $context{$name} = join ', ',
            grep { $flags =~ /NGX_HTTP_$flag{$_}_CONF/ }
            qw(http server location);
    }

    cmp_ok scalar keys %context, '>', 10, 'the directives are found';

    my @documented = documents()->{'docs/directives.md'}
        =~ /^### (tournament\w*)$/gm;

    is words(@documented), words(keys %context), 'every directive';

    for my $name (@documented) {
        my ($syntax, $default, $context) = section('docs/directives.md', $name)
            =~ /\A\n    Syntax:  (.*)\n    Default: (.*)\n    Context: (.*)\n/;

        like $syntax // '', qr/^$name .*;$/, "$name: its syntax";
        is $context, $context{$name}, '... and where it may stand';
        push @defaults, $default if ($default // '-') ne '-';
    }

    # Of those that stand in a location alone, one is as if it were not there.

    my ($ok, $output) = $nginx->test(
        http     => [ grep { /^\w+ .*;$/ && !/^tournament_stream / } @defaults ],
        server   => [ 'location /defaults { ',
                      grep({ /^tournament_stream / } @defaults), '}' ],
        database => 'host=127.0.0.1', feed => 1);

    ok $ok, 'the defaults are values that it takes' or diag $output;
};


subtest 'endpoints' => sub {
    my @table = grep { $_->[0] =~ /^\[`/ } rows('docs/api.md', 'HTTP contract');

    is words(map { $_->[0] =~ /`(.*)`/ } @table), words(@endpoints),
        'the table has every endpoint';

    for my $link (map { $_->[0] =~ /\(#(.*)\)/ } @table) {
        ok anchors('docs/api.md')->{$link}, "there is a section $link";
    }

    my ($list) = section('docs/directives.md', 'Directives')
        =~ /The endpoints are\s(.*?);/s;

    is words($list =~ /`(\w+)`/g), words(@endpoints),
        'the page of directives names each';
};


subtest 'variables' => sub {
    my @variables = source() =~ /\{ ngx_string\("(tournament_\w+)"\), NULL/g;

    is words(map { $_->[0] =~ /`\$(\w+)`/ }
             rows('docs/directives.md', 'Variables')),
        words(@variables), 'every variable';
};


subtest 'the house' => sub {
    my @house   = map { $_->[0] =~ /`([^`]*)`/g }
        rows('docs/design.md', 'The house');
    my @folders = map { substr $_, length project('') }
        grep { -d } glob project('src/*');

    is words(map { s{/$}{}r } grep { m{^src/} } @house), words(@folders),
        'every folder';
    ok -e project($_), "$_ is there" for @house;
};


# What the module says by itself while it runs; what refuses a configuration
# explains itself.

subtest 'log messages' => sub {
    my %level = (ERR => 'error');
    my @table = rows('docs/operations.md', 'Troubleshooting');
    my $source = source();
    my $found  = 0;

    while ($source =~ /\bngx_log_error\((\w+),\s*[\w>.-]+,\s*\w+,\s*
                       ((?:"(?:[^"\\]|\\.)*"\s*)+)/gx)
    {
        my ($level, $strings) = ($1, $2);

        next if $level eq 'NGX_LOG_EMERG';

        my $text = join '', $strings =~ /"((?:[^"\\]|\\.)*)"/g;

        $text =~ s/\\"/"/g;

        my $pattern = join '.*', map { quotemeta }
            split /%\*?[a-zA-Z]+|(?<=%)%/, $text, -1;
        my ($row) = grep { $_->[0] =~ /`$pattern`|`$pattern/ } @table;

        ok $row, $text or next;
        $found++;

        my ($name) = $level =~ /^NGX_LOG_(\w+)/ or next;

        $name = $level{$name} // lc $name;
        like $row->[1], qr/\b$name\b/, "... at level $name";
    }

    cmp_ok $found, '>', 4, 'messages are found';
};


subtest 'links' => sub {
    for my $document (sort keys %{ documents() }) {
        my $text = documents()->{$document} =~ s/^```.*?^```$//gmsr;
        my ($dir) = $document =~ m{^(.*/)?};

        for my $link ($text =~ /\]\(([^)\s]+)\)/g) {
            next if $link =~ m{^https?://};

            my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
            my $path = $file eq '' ? $document : ($dir // '') . $file;

            1 while $path =~ s{[^/]+/\.\./}{};

            ok -e project($path), "$document: $link is there" or next;

            next if !defined $anchor;

            ok anchors($path)->{$anchor}, "$document: $link has its heading";
        }
    }
};


# Which test runs the blocks of a language.

my %RUN_BY = (
    js    => 't/95_client.t',
    nginx => 't/02_configurations.t',
    sh    => 't/03_commands.t',
    perl  => 't/03_commands.t',
    conf  => 't/03_commands.t',
    yaml  => 't/91_metrics.t',
);

subtest 'every block is run' => sub {
    my %language = map { $_->{language} => 1 } blocks();

    is words(keys %language), words(keys %RUN_BY), 'the languages are known';

    for my $language (sort keys %RUN_BY) {
        like slurp(project($RUN_BY{$language})), qr/\bblocks\('$language'\)/,
            "$RUN_BY{$language} takes those in $language";
    }

    for my $document (sort keys %{ documents() }) {
        my @fences = documents()->{$document} =~ /^ *```/gm;

        is scalar @fences, 2 * grep({ $_->{document} eq $document } blocks()),
            "$document: each fence begins or ends a block";
    }
};


subtest 'README.md is short' => sub {
    cmp_ok scalar(split /\n/, documents()->{'README.md'}), '<=', 150,
        'it has at most 150 lines';
};


subtest 'the version' => sub {
    my ($version) = slurp(project('src/version.h'))
        =~ /define TOURNAMENT_VERSION\s+"(.*)"/;

    ok defined $version, 'has its place';
    is((documents()->{'CHANGELOG.md'} =~ /^## (\S+)/m)[0], $version,
       'CHANGELOG.md begins with it');
};


subtest 'tools/readme-bench' => sub {
    my $dir   = tempdir();
    my $tool  = project('tools/readme-bench');
    my @files = ('README.md', 'docs/benchmarks.md');
    my $place = qr/(<!-- bench: [^\n]* -->\n)(.*?)(<!-- \/bench -->\n)/s;
    my $text  = "Measured.\n\n### A cached state\n\n| a |\n| - |\n\n- Note.\n";

    mkdir "$dir/docs" or die "mkdir: $!";
    spew("$dir/$_", slurp(project($_))) for @files;
    spew("$dir/bench.md", $text);
    run_ok({}, $tool, "$dir/bench.md", $dir);

    my %once = map { $_ => slurp("$dir/$_") } @files;
    my %put  = ('README.md'          => "\nA cached state:\n\n| a |\n| - |\n\n",
                'docs/benchmarks.md' => "\n$text\n");

    for my $file (@files) {
        my @then = slurp(project($file)) =~ /\A(.*?)$place(.*)\z/s;
        my @now  = $once{$file}          =~ /\A(.*?)$place(.*)\z/s;

        is splice(@now, 2, 1), $put{$file}, "$file: figures in their place";
        splice @then, 2, 1;
        is_deeply \@now, \@then, '... and nothing else has changed';
    }

    spew("$dir/bench.svg", '<svg/>');
    run_ok({}, $tool, "$dir/bench.md", $dir);
    like slurp("$dir/docs/benchmarks.md"),
        qr{^!\[[^\]]+\]\(benchmarks\.svg\)\n\nMeasured\.$}m,
        'a chart goes above them';
    is slurp("$dir/docs/benchmarks.svg"), '<svg/>', 'to its own place';

    unlink "$dir/bench.svg";
    run_ok({}, $tool, "$dir/bench.md", $dir);
    is slurp("$dir/$_"), $once{$_}, "$_: gone with the next run's" for @files;

    spew("$dir/bench.md", "\n");
    isnt((run({}, $tool, "$dir/bench.md", $dir))[0], 0,
         'no figures are refused');

    spew("$dir/bench.md", "x\n");
    spew("$dir/docs/benchmarks.md", "# Nothing\n");
    isnt((run({}, $tool, "$dir/bench.md", $dir))[0], 0,
         'and so is a file without the place');
    is slurp("$dir/docs/benchmarks.md"), "# Nothing\n",
        'which stays as it is';
};


done_testing;
