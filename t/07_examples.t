# examples/: the composed services' configuration and first steps work, and systemd
# takes the drop-in. (The dashboard is t/91_metrics.t's, the container's steps are
# tools/deb-test's.)

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();

use Tournament::Test;


subtest 'compose' => sub {
    my $pg     = Tournament::Postgres->new(load => []);
    my $script = slurp(project('examples/compose-init.sh'));
    my $sql    = project('sql');

    $script =~ s{/sql/}{$sql/}g;
    $pg->psql('CREATE DATABASE platform');

    my ($status, $output) = run({ env => {
        PATH   => Tournament::Postgres::bindir() . ":$ENV{PATH}",
        PGHOST => $pg->socket_dir, PGPORT => $pg->port, PGUSER => 'postgres',
    } }, 'bash', '-e', '-c', $script);

    is $status, 0, 'the database is made' or diag $output;

    my $file = tempdir() . '/conninfo';
    my $port = $pg->port;
    my $conf = slurp(project('examples/container.conf'));

    spew($file, slurp(project('examples/compose.conninfo'))
                =~ s/host=postgres/host=127.0.0.1 port=$port/r);
    $conf =~ s{/run/secrets/tournament\.conninfo}{$file};
    $conf =~ s{^error_log .*\n}{}m;
    $conf =~ s{listen 8080;}{listen 127.0.0.1:%%PORT%%;};

    my $user  = Tournament::Util::worker_user();
    my $nginx = Tournament::Nginx->new(conf => ($user ? "user $user;\n" : '')
        . <<"END");
load_module %%MODULE%%;
pid %%DIR%%/pid;
error_log %%DIR%%/error.log notice;
events { }
http {
    access_log off;
    $conf
}
END

    is $nginx->get('/tournaments/api/valorant-masters/state/')->status, 200,
        'nginx answers a poll';
    is $nginx->get('/tournaments/api/hub/')->status, 200, 'and the hub';
    is $nginx->get('/tournaments/status')->json->{feed}{state}, 'up',
        'and hears of changes';
};


subtest 'what the container copies' => sub {
    my @files = slurp(project('examples/Containerfile')) =~ /^COPY (\S+)/gm;

    ok -e project($_), $_ for grep { !/^build/ } @files;
};


SKIP: {
    my ($status, $where) = run({}, 'sh', '-c', 'command -v systemd-analyze');

    skip 'systemd-analyze is not installed', 1
        if $status != 0 || !-e '/lib/systemd/system/nginx.service';

    subtest 'the drop-in' => sub {
        my $dir = tempdir();

        mkdir "$dir/nginx.service.d" or die "mkdir: $!";
        spew("$dir/nginx.service", slurp('/lib/systemd/system/nginx.service'));
        spew("$dir/nginx.service.d/hardening.conf",
             slurp(project('examples/nginx-hardening.conf')));

        my ($status, $output) = run({ env => { SYSTEMD_UNIT_PATH => "$dir:" } },
                                    'systemd-analyze', 'verify',
                                    "$dir/nginx.service");

        is $status, 0, 'is accepted' or diag $output;
        unlike $output, qr/hardening\.conf/, 'without a warning';
    };
}


done_testing;
