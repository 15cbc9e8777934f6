# The documents' commands work as they are written, with the places of a test;
# so does the test that CONTRIBUTING.md begins with.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Documents qw(blocks);
use Tournament::Site;
use Tournament::Test;

my $site = Tournament::Site->new;
my $pg   = $site->platform;


# What is not run here, and why.

my %NOT_RUN = (
    './configure --with-compat'
        . ' --add-dynamic-module=/usr/local/src/ngx_http_tournament_module'
        => 'tools/build calls nginx\'s configure, as this does',
    'make modules' => 'and then nginx\'s make',
    'sudo apt-get install ./libnginx-mod-http-tournament_*.deb'
        => 'make deb-test installs the package in a bare system',
);


# The first whole configuration of the documents, with purge.

my $nginx = do {
    my ($whole) = grep { !defined $_->{place} } blocks('nginx');
    my ($purge) = grep { /tournament purge/ } map { $_->{text} }
        blocks('nginx');
    my $conf = $site->standing_alone($whole->{text});

    $conf =~ s/(listen 127\S+;)/$1\n$purge/;

    Tournament::Nginx->new(name => 'site', conf => $conf, start => 0,
                           daemon => 1);
};


# What make run does in the end; building is none of this test's business.

subtest 'make run' => sub {
    my $port = free_port();
    my $out  = tempdir() . '/out';

    open my $fh, '>', $out or die "$out: $!";
    pipe my $keys, my $enter or die "pipe: $!";

    my $pid = Tournament::Util::spawn({
        stdin  => $keys,
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

    for my $line (grep { /^curl .*:8080\// }
                  map { split /\n/, $_->{text} } blocks('sh'))
    {
        (my $here = $line) =~ s/:8080\//:$port\//;
        $here =~ s/^curl /curl --fail --show-error /;

        my ($status, $output) = run({}, 'sh', '-c', $here);

        is $status, 0, $line;
        like $output, qr/"success":true/, '... and success';
        $curls++;
    }

    cmp_ok $curls, '>', 1, 'its lines are in the documents';

    my $url   = "http://127.0.0.1:$port";
    my $state = "$url/tournaments/api/valorant-masters/state/";
    my @links = run_ok({}, 'curl', '--fail', '--silent', "$url/")
        =~ /(?:href|src)="\/?([^"#:]+)"/g;

    cmp_ok scalar @links, '>', 3, 'its first page has links';
    is((run({}, qw(curl --fail --silent), "$url/$_"))[0], 0, "... $_")
        for @links;

    my ($postgres) = slurp($out) =~ /^    kill -INT (\d+)$/m;

    kill 'INT', $postgres;
    poll_until { slurp($out) =~ /Press Enter/ } 30, 'PostgreSQL stops';
    is((run({}, qw(curl --fail --silent), $state))[0], 0,
       'without PostgreSQL there is an answer');

    syswrite $enter, "\n";
    poll_until { slurp($out) =~ /^PostgreSQL runs/m } 60, 'Enter starts it';

    kill 'INT', $pid;
    is Tournament::Util::reap($pid, 60), 0, 'Ctrl-C ends it';
};


# A command as it is run here; undef for one that is not known.

sub command {
    my ($line, $root) = @_;

    my $binary = Tournament::Nginx::binary();
    my $etc    = $site->etc;
    my $port   = $pg->port;

    return undef if $line =~ /\bsudo\b.*\bsudo\b(?! tee )/;

    # Who may do what is not known here: one user does everything.

    $line =~ s/\bsudo (?:-u postgres )?//g;
    $line =~ s{/usr/local/share/}{$root/share/}g;
    $line =~ s{/etc/nginx/}{$etc/}g;

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
        return "$binary -p " . $nginx->dir . '/ -c ' . $nginx->conf_file
            . " $1";
    }

    if ($line =~ /^curl .*http:\/\/127\.0\.0\.1\//) {
        $line =~ s{http://127\.0\.0\.1/}{$nginx->url('/')}e;

        return $line =~ s/^curl /curl --fail --silent --show-error /r;
    }

    return "test -e " . project($1)
        if $line =~ /^(?:TOURNAMENT_\w+=1 )?prove\b.* (t\/\S+)$/;

    # What the reader gives some seconds is waited for here.

    my $pid = $nginx->dir . '/pid';

    return $line =~ s{/run/nginx\.pid}{$pid}r
        if $line =~ /^kill -(?:USR2|QUIT) /;
    return "timeout 30 sh -c 'until test -s $pid && test -s $pid.oldbin;"
        . " do sleep 0.1; done'" if $line =~ /^sleep \d+$/;

    return $line =~ s/host=127\.0\.0\.1 /host=127.0.0.1 port=$port /r
        if $line =~ /^psql /;

    # Nothing is installed here.

    return $line =~ s/ / --missing /r if $line =~ m{^tools/deps };

    return $line if $line =~ m{^(?:cp -r sql|install -m|echo .* tee )};

    return undef;
}


# In the order of a reader, the removal last.

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

    my @all    = blocks('sh');
    my @blocks = ((grep { $_->{section} ne 'Removal' } @all),
                  (grep { $_->{section} eq 'Removal' } @all));
    my %seen;

    mkdir "$root/share" or die "mkdir: $!";

    for my $block (@blocks) {
        my $dir = project();

        for my $line (grep { /\S/ } split /\n/, $block->{text}) {
            $seen{$line} = 1;

            next if $NOT_RUN{$line} || $line =~ /^curl .*:8080\//;

            if ($line =~ /^cd (\S+)$/) {
                $dir = $1 =~ s{^/usr/local/share/}{$root/share/}r;
                next;
            }

            my $command = command($line, $root);

            if (!defined $command) {
                fail "$line: this test does not know how to run it";
                next;
            }

            $nginx->start if $command =~ /^\S*nginx |^curl /
                             && !$nginx->running;

            my ($status, $output) =
                run({ env => \%env, dir => $dir }, 'sh', '-c', $command);

            is $status, 0, $line or diag $output;

            after($line, $output, $root);
        }
    }

    is_deeply [ grep { !$seen{$_} } sort keys %NOT_RUN ], [],
        'what is not run is in the documents';
};


# What a command must have done.

sub after {
    my ($line, $output, $root) = @_;

    my $module = 'ngx_http_tournament_module.so';
    my $file   = $site->etc . '/tournament.conninfo';
    my @there  = grep { /\Q$module\E$/ } split /\n/,
        run_ok({}, 'find', $root, '-type', 'f');

    if ($line =~ /^(?:sudo )?make install/) {
        is scalar @there, 1, '... the module is installed';

    } elsif ($line =~ /^(?:sudo )?make uninstall/) {
        is scalar @there, 0, '... the module is gone';

    } elsif ($line =~ /kill -QUIT/) {
        my $before = $nginx->pid;

        isnt $nginx->upgraded->pid, $before, '... there is another master';

    } elsif ($line =~ /^curl -i/) {
        like $output, qr/^Cache-Control: public.*"success":true/ms,
            '... the module has answered';

    } elsif ($line =~ /^curl .*PURGE/) {
        like $output, qr/"success":true,"purged":"\*"/, '... purged';

    } elsif ($line =~ /psql .*SELECT slug/) {
        like $output, qr/\([1-9]\d* rows?\)/, '... and sees tournaments';

    } elsif ($line =~ /-f \S*uninstall\.sql/) {
        is functions(), 0, '... the functions are gone';

    } elsif ($line =~ /-f \S*install\.sql/) {
        cmp_ok functions(), '>', 5, '... the functions are there';

    } elsif ($line =~ m{^echo .*/tournament\.conninfo}) {
        is sprintf('%o', (stat $file)[2] & 0777), '600',
            '... only its owner reads it';
        like slurp($file), qr/^host=\S+ .*password=/,
            '... and it is a conninfo';
    }

    return;
}


sub functions {
    return 0 + run_ok({}, Tournament::Postgres::client('psql'), '-XAtc',
        'SELECT count(*) FROM pg_proc p JOIN pg_namespace n'
        . " ON n.oid = p.pronamespace WHERE n.nspname = 'tournament_api'",
        $pg->conninfo(user => 'postgres', dbname => 'platform'));
}


# What "Upgrade" says of reloads, and of upgrades on the fly

subtest 'another build of the module' => sub {
    my $dir   = tempdir();
    my $user  = worker_user() // '';
    my $place = sub {
        spew("$dir/new", slurp(Tournament::Nginx::module_file()));
        rename "$dir/new", "$dir/module.so" or die "rename: $!";
    };

    $place->();

    my $conninfo = $site->demo->conninfo;
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


subtest 'settings of PostgreSQL' => sub {
    for my $block (blocks('conf')) {
        my %conf = $block->{text} =~ /^(\w+) = '?(.*?)'?$/gm;
        my $pg   = Tournament::Postgres->new(load => [], conf => \%conf);

        is $pg->value("SELECT setting FROM pg_settings WHERE name = '$_'"
                      . " AND source = 'configuration file'") ne '', 1,
            "$block->{section}: $_" for sort keys %conf;
        $pg->stop;
    }
};


subtest 'the test to begin with' => sub {
    my ($block) = blocks('perl');

    my $file = tempdir() . '/begin.t';
    my $text = $block->{text};

    $text =~ s{"\$FindBin::Bin/lib"}{"'" . project('t/lib') . "'"}e;
    spew($file, $text);

    my ($status, $output) = run({}, $^X, $file);

    is $status, 0, 'passes' or diag $output;
    like $output, qr/^ok 1 - three of eight/m, 'and tests something';
};


done_testing;
