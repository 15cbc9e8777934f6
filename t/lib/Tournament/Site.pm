package Tournament::Site;

# The site that the documents speak of, with the places of a test: its
# application, its databases, and what stands for /etc/nginx.
#
#   my $site = Tournament::Site->new;
#   $site->application     an nginx: account 1001 is logged in, and every other
#                          answer is "application"
#   $site->demo            a Tournament::Postgres with the demonstration's data
#   $site->platform        one whose database "platform" has tables and data and
#                          none of our functions
#   $site->etc             the directory that stands for /etc/nginx
#   $site->write_conninfo($conninfo)     into its tournament.conninfo
#   $site->at_home($text)  a configuration of the documents with these places
#   $site->standing_alone($text)         the same for a whole nginx.conf, as
#                          option conf of Tournament::Nginx
#   $site->fallback($text) the location @application, if the text names it

use strict;
use warnings;

use Tournament::Nginx;
use Tournament::PgBouncer;
use Tournament::Postgres;
use Tournament::Util qw(free_port spew tempdir worker_user);


sub new {
    my ($class) = @_;

    return bless { etc => tempdir() }, $class;
}


sub application {
    my ($self) = @_;

    return $self->{application} //= Tournament::Nginx->new(
        name      => 'application',
        module    => 0,
        locations => {
            '= /account/' => 'add_header X-Account 1001; return 204;',
            '/'           => 'return 200 "application";',
        },
    );
}


sub demo {
    my ($self) = @_;

    return $self->{demo} //= do {
        my $pg = Tournament::Postgres->new(conf => { wal_level => 'logical' });

        $pg->psql('ALTER ROLE tournament REPLICATION');
        $pg->load('install', role => 'tournament', feed => 'both');

        $pg;
    };
}


sub platform {
    my ($self) = @_;

    return $self->{platform} //= do {
        my $pg = Tournament::Postgres->new(load => []);

        $pg->psql('CREATE DATABASE platform');
        $pg->load('schema', -dbname => 'platform');
        $pg->load('demo', -dbname => 'platform');

        $pg;
    };
}


sub pooler {
    my ($self) = @_;

    return $self->{pooler} //= Tournament::PgBouncer->new(
        $self->demo, pool_mode => 'transaction');
}


sub etc { return $_[0]{etc} }


sub write_conninfo {
    my ($self, $conninfo) = @_;

    spew("$self->{etc}/tournament.conninfo", "$conninfo\n");

    return;
}


# Two servers, the first of which is away.

sub _several {
    my ($self, $attrs) = @_;

    return $self->demo->conninfo_tcp(
        host => '127.0.0.1,127.0.0.1',
        port => free_port() . ',' . $self->demo->port,
    ) . " $attrs";
}


sub at_home {
    my ($self, $text) = @_;

    my $etc = $self->{etc};

    $text =~ s{/etc/nginx/}{$etc/}g;
    $text =~ s{/var/log/nginx/}{$etc/}g;
    $text =~ s{127\.0\.0\.1:8000}{'127.0.0.1:' . $self->application->port}ge;
    $text =~ s{host=10\.0\.0\.1,10\.0\.0\.2 (target_\S+) .*user=nginx}
              { $self->_several($1) }ge;
    $text =~ s{host=10\.0\.0\.1 dbname=\w+ user=\w+}
              { $self->demo->conninfo_tcp }ge;
    $text =~ s{host=127\.0\.0\.1 port=5432 .*user=nginx}
              { $self->demo->conninfo_tcp }ge;
    $text =~ s{host=127\.0\.0\.1 port=6432 .*user=nginx}
              { $self->pooler->conninfo }ge;
    $text =~ s{(host=127\.0\.0\.1) (?!port=)}
              { "$1 port=" . $self->platform->port . ' ' }ge;

    return $text;
}


sub standing_alone {
    my ($self, $conf) = @_;

    my $user = worker_user();
    my $temp = join '', map { "${_}_temp_path %%DIR%%/temp_$_;\n" }
        qw(client_body proxy fastcgi uwsgi scgi);

    $conf = $self->at_home($conf);
    $conf =~ s/^load_module .*/load_module %%MODULE%%;\npid %%DIR%%\/pid;
               error_log %%DIR%%\/error.log;/m;
    $conf = "user $user;\n$conf" if defined $user;
    $conf =~ s/^http \{\n/http {\naccess_log off;\n$temp/m;
    $conf =~ s/listen 80;/listen 127.0.0.1:%%PORT%%;/;

    return $conf;
}


sub fallback {
    my ($self, $text) = @_;

    return '' if $text !~ /\@application/ || $text =~ /location \@application/;

    return 'location @application { proxy_pass http://127.0.0.1:'
        . $self->application->port . '; }';
}


1;
