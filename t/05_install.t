# make install and uninstall on a stock Debian nginx, and what a host without
# the packages is told: in a mount namespace, where all that they write is an
# overlay of this machine's /etc and /usr. No other module is installed there.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $NAME    = 'ngx_http_tournament_module.so';
my $ENABLED = '/etc/nginx/modules-enabled/50-mod-http-tournament.conf';

plan skip_all => 'only root can mount' if $> != 0;
plan skip_all => 'nginx is not Debian\'s'
    if !grep { /modules-enabled/ } -f '/etc/nginx/nginx.conf'
        ? split /\n/, slurp('/etc/nginx/nginx.conf') : ();

my $dir = tempdir();

# Runs a script there; the shell's own status, and all that was said.

sub inside {
    my ($script) = @_;

    # "!" in front of a command would be none of -e's business.

    spew("$dir/script", <<'END' . $script);
refused() {
    if "$@"; then
        echo "not refused: $*"
        exit 1
    fi
}

END

    return run({ dir => project(), env => { TOURNAMENT_NGINX => '' } },
               'unshare', '-m', 'sh', '-ec', <<"END");
        mkdir -p $dir/over
        mount -t tmpfs tmpfs $dir/over
        for top in etc usr; do
            mkdir $dir/over/\$top $dir/over/\$top.work
            mount -t overlay overlay -o lowerdir=/\$top,upperdir=$dir/over/\$top,workdir=$dir/over/\$top.work /\$top
        done
        rm -rf /usr/share/nginx/modules-available
        rm -f /etc/nginx/modules-enabled/*
        echo mounted
        exec sh -e $dir/script
END
}

my ($status, $output) = inside('true');

plan skip_all => "no overlay to be had: $output" if $output !~ /^mounted$/m;


subtest 'a stock nginx' => sub {
    ($status, $output) = inside(<<"END");
        tools/install
        nginx -t
        tools/install
        nginx -T
        tools/install --uninstall
        nginx -t
        refused test -e /usr/lib/nginx/modules/$NAME
        refused test -L $ENABLED
END

    is $status, 0, 'is installed, again, and removed' or diag $output;
    is scalar(() = $output =~ /^load_module .*\Q$NAME\E;/mg), 1,
        'the module is enabled once';
};


subtest 'a module that nginx.conf loads' => sub {
    ($status, $output) = inside(<<"END");
        sed -i '1i load_module modules/$NAME;' /etc/nginx/nginx.conf
        tools/install
        nginx -T
        refused test -e $ENABLED
        refused tools/install --uninstall
        test -e /usr/lib/nginx/modules/$NAME
        nginx -t
END

    is $status, 0, 'is not enabled a second time, and stays' or diag $output;
    like $output, qr{^\s*/etc/nginx/nginx\.conf:1:load_module}m,
        'and the line that must go first is named';
};


subtest 'a configuration with its directives' => sub {
    ($status, $output) = inside(<<"END");
        tools/install
        echo 'tournament_zone 1m;' > /etc/nginx/conf.d/site.conf
        refused tools/install --uninstall
        nginx -t
        rm /etc/nginx/conf.d/site.conf
        tools/install --uninstall
        nginx -t
END

    is $status, 0, 'keeps the module until they are gone' or diag $output;
    like $output, qr{^\s*/etc/nginx/conf\.d/site\.conf:1:tournament_zone}m,
        'and they are named';
};


subtest 'a host without the packages' => sub {
    ($status, $output) = inside(<<'END');
        mkdir /usr/src/without
        cat > /usr/src/without/dpkg-query <<'EOT'
#!/bin/sh
for package; do :; done
case $package in nginx-dev | libpq-dev) echo not-installed ;;
*) echo installed ;; esac
EOT
        chmod +x /usr/src/without/dpkg-query
        rm -rf /usr/share/nginx/src
        PATH=/usr/src/without:$PATH
        refused tools/build
END

    is $status, 0, 'does not build' or diag $output;
    like $output, qr/^    apt-get install .* nginx-dev libpq-dev$/m,
        'and is told of all that is missing at once';
};


done_testing;
