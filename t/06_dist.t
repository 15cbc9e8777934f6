# The archive of make dist is whole: another archive made from it, without git,
# is the same. The man page has every directive, and man finds nothing wrong. The
# packages of other systems are of this version, and install what there is.

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


# With Fedora's macros, as its nginx-mod-devel says what they are.

my @macros = map { ('--define', $_) } (
    'nginx_moddir /usr/lib64/nginx/modules',
    'nginx_modconfdir /usr/share/nginx/modules',
    '_vpath_builddir build',
    'nginx_modconfigure mkdir build',
    'nginx_modbuild touch build/ngx_http_tournament_module.so',
);

my @DOCUMENTS = qw(README.md SECURITY.md CHANGELOG.md docs/install.md
    examples/compose.yaml nginx.conf.example);

subtest 'an RPM' => sub {
    my ($none) = run({}, 'rpmbuild', '--version');

    plan skip_all => 'rpmbuild is not installed' if $none;

    my $dir = tempdir();
    my $rpm = "$dir/RPMS/nginx-mod-http-tournament-$version-1.rpm";

    run_ok({}, 'rpmbuild', '-bb', '--nodeps', '--quiet', @macros,
        '--define', "_topdir $dir", '--define', 'debug_package %{nil}',
        '--define', '_sourcedir ' . project('build'),
        '--define', '_rpmfilename %{NAME}-%{VERSION}-%{RELEASE}.rpm',
        project('packaging', 'nginx-mod-http-tournament.spec'));

    my $files = run_ok({}, 'rpm', '-qpl', $rpm);

    like $files, qr{/\Q$_\E$}m, "$_ is in it"
        for @DOCUMENTS, 'sql/install.sql', 'ngx_http_tournament_module.so',
        'mod-http-tournament.conf', 'LICENSE';
};


subtest 'an APKBUILD' => sub {
    my $dir = tempdir();

    run_ok({ dir => $dir }, 'tar', '-xzf', project('build', "$name.tar.gz"));
    run_ok({ dir => "$dir/$name" }, 'sh', '-euc', qq{
        srcdir=$dir pkgdir=$dir/pkg
        . ./packaging/APKBUILD
        [ "\$builddir" = "\$PWD" ]
        tools/man docs/directives.md > \$_module.5
        mkdir build
        touch build/\$_module.so
        package
    });

    ok -e "$dir/pkg/usr/share/doc/nginx-mod-http-tournament/$_", $_
        for @DOCUMENTS;
    ok -e "$dir/pkg$_", $_ for '/etc/nginx/modules/50_http_tournament.conf',
        '/usr/lib/nginx/modules/ngx_http_tournament_module.so',
        '/usr/share/man/man5/ngx_http_tournament_module.5',
        '/usr/share/nginx-mod-http-tournament/sql/install.sql';
};


done_testing;
