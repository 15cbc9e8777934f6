# The archive of make dist is whole: another archive made from it, without git,
# is the same. The man page has every directive, and man finds nothing wrong.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Documents qw(documents);
use Tournament::Test;

my ($version) = slurp(project('src/version.h'))
    =~ /TOURNAMENT_VERSION\s+"(.*)"/;
my $name = "ngx_http_tournament_module-$version";


subtest 'make dist' => sub {
    my $dir = tempdir();

    run_ok({ dir => project() }, 'tools/dist');

    my $archive = project('build', "$name.tar.gz");

    run_ok({}, 'tar', '-xzf', $archive, '-C', $dir);
    ok -x "$dir/$name/$_", "$_ is in it" for qw(tools/build debian/rules);
    ok -e "$dir/$name/$_", "$_ is in it"
        for qw(config sql/install/api/count.sql docs/install.md t/01_documents.t);

    run_ok({ dir => "$dir/$name" }, 'tools/dist');

    ok slurp("$dir/$name/build/$name.tar.gz") eq slurp($archive),
        'an archive of what was unpacked is the same';
};


subtest 'the man page' => sub {
    my $file = tempdir() . '/page.5';
    my $page = run_ok({}, project('tools/man'), project('docs/directives.md'));

    spew($file, $page);

    for my $directive (documents()->{'docs/directives.md'}
                       =~ /^### (tournament\w*)$/gm)
    {
        like $page, qr/^\.SS \Q$directive\E$/m, $directive;
    }

    SKIP: {
        my ($status, $output)
            = run({}, 'sh', '-c', "man --warnings -E UTF-8 -l $file 2>&1");

        skip 'man is not installed', 1 if $status == 127;

        is $status, 0, 'man shows it';
        unlike $output, qr/warning|error:|`/i, 'and nothing is left of Markdown';
    }
};


done_testing;
