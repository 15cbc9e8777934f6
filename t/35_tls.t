# TLS to the server: a certificate of a test's own authority is checked by name
# and by issuer, and answers of any size come whole.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Util qw(database_user);

my $NAME        = 'db.tournament.example';
my $CONNECTIONS = 2;

my $dir = tempdir('tls');

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $nginx = Tournament::Nginx->new(start => 0, workers => 2, locations => [
    Tournament::Nginx::state_location(),
    'location ~ ^/fresh/state/(?<slug>.*)$ {
         tournament_ttl state 0; tournament state $slug; }',
    'location = /fresh/hub/ { tournament_ttl hub 0; tournament hub; }',
]);


sub openssl {
    my (@arguments) = @_;

    return run_ok({ dir => $dir }, 'openssl', @arguments);
}


sub authority {
    my ($name) = @_;

    openssl(qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
               -nodes -days 2 -subj), "/CN=$name", '-keyout', "$name.key",
            '-out', "$name.crt", '-addext', 'basicConstraints=critical,CA:TRUE');

    return;
}


sub certificate {
    my ($name, $authority, $host) = @_;

    openssl(qw(req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
               -subj), "/CN=$host", '-keyout', "$name.key",
            '-out', "$name.csr");
    spew("$dir/$name.ext", "subjectAltName=DNS:$host\n");
    openssl(qw(x509 -req -days 2 -CAcreateserial -in), "$name.csr",
            '-CA', "$authority.crt", '-CAkey', "$authority.key",
            '-extfile', "$name.ext", '-out', "$name.crt");

    return;
}


# The server takes another certificate as it reloads.

sub serve {
    my ($name) = @_;

    my $user = database_user();

    for my $file (qw(crt key)) {
        my $to = $pg->data_dir . "/server.$file";

        spew($to, slurp("$dir/$name.$file"));
        chown +(getpwnam $user)[2, 3], $to if defined $user;
        chmod 0600, $to or die "chmod $to: $!";
    }

    $pg->set(ssl => 'on', ssl_cert_file => 'server.crt',
             ssl_key_file => 'server.key');

    return;
}


sub conninfo {
    my (%more) = @_;

    return $pg->conninfo(
        host        => $NAME,
        hostaddr    => '127.0.0.1',
        sslmode     => 'verify-full',
        sslrootcert => "$dir/authority.crt",
        %more,
    );
}


sub start {
    my ($conninfo, $timeout) = @_;

    $timeout //= '500ms';

    $nginx->stop;
    $nginx->set(database => $conninfo, http =>
        "tournament_database_connections $CONNECTIONS;
         tournament_connect_timeout 10s;
         tournament_query_timeout $timeout;");
    $nginx->log_mark;
    $nginx->start;

    return;
}


# A slow query is no connection that was lost.

sub complaints {
    return grep { !/tournament: slow / }
        $nginx->log_lines(qr/\[(?:warn|error)\]/);
}


authority('authority');
authority('stranger');
certificate('right', 'authority', $NAME);
certificate('misnamed', 'authority', 'another.tournament.example');
certificate('forged', 'stranger', $NAME);

chmod 0644, glob("$dir/*.crt") or die "chmod: $!";

my $tournament = $pg->tournament(slots => 7);


subtest 'the right certificate' => sub {
    serve('right');
    start(conninfo(), '10s');

    is $nginx->state($tournament->{slug})->json->{available_slots}, 7,
        'an answer';
    $pg->wait_idle(2 * $CONNECTIONS);

    is $pg->value(q{
        SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE usename = 'tournament' AND ssl}), 2 * $CONNECTIONS,
        'all connections are encrypted';
    is scalar(complaints()), 0, 'nothing to complain of'
        or diag complaints();
};


# What is left of a record in OpenSSL no event tells of: a reader that stops too
# early leaves a request to its deadline. (PostgreSQL's records have 8k, which
# libpq reads at once; 16k from version 17 on.)

subtest 'answers of many records (invariant 9)' => sub {
    $pg->rows(q{
        INSERT INTO tournaments_tournament (name, slug, game, status,
            short_description, created_at, updated_at, groups_published)
        SELECT 'Large ' || i, 'large-' || i, 'valorant', 'PUBLISHED',
               repeat(md5(i::text), 5 + i % 7), now(), now(), false
          FROM generate_series(1, 100) AS i});

    my @slugs = map { "large-$_" } 1 .. 100;
    my @paths = map {
        ("/fresh/hub/?per_page=$_", map { "/fresh/state/$_" } @slugs[0 .. 4])
    } (map { 5 * $_ } 1 .. 20) x 3;

    my @got   = fetch(port => $nginx->port, paths => \@paths,
                      concurrency => 30);
    my $bytes = 0;
    my @wrong;

    for my $i (0 .. $#paths) {
        my $json = eval { $got[$i]->json };
        my ($n)  = $paths[$i] =~ /per_page=(\d+)/;

        $bytes += length $got[$i]->body;
        push @wrong, "$paths[$i]: " . $got[$i]->status
            if !$json || (defined $n ? @{ $json->{tournaments} } != $n
                                     : !$json->{success});
    }

    is_deeply \@wrong, [], @paths . ' answers';
    cmp_ok length($got[-6]->body), '>', 40_000, 'the largest of them'
        or diag length $got[-6]->body;
    is scalar(complaints()), 0, 'no connection was lost'
        or diag complaints();
};


my @REFUSED = (
    [ 'another name', 'misnamed', conninfo(),
      qr/"another\.tournament\.example" .*does not match host name "$NAME"/ ],
    [ 'another issuer', 'forged', conninfo(), qr/certificate verify failed/ ],
    [ 'an authority that nobody has', 'right',
      conninfo(sslrootcert => "$dir/stranger.crt"),
      qr/certificate verify failed/ ],
    [ 'a file that is not there', 'right',
      conninfo(sslrootcert => "$dir/nothing.crt"),
      qr/root certificate file ".*nothing\.crt" does not exist/ ],
);

for my $case (@REFUSED) {
    my ($name, $certificate, $conninfo, $message) = @$case;

    subtest "refused: $name" => sub {
        serve($certificate);
        start($conninfo);

        is_error $nginx->state($tournament->{slug}), 503, 'unavailable',
            'no answer';
        $nginx->wait_for_log(qr/\[error\].*$message/);
        pass 'the log says why';
        is scalar($nginx->log_lines(qr/\[error\]/)), 1, 'once, for all workers'
            or diag $nginx->log_lines(qr/\[error\]/);
        is $pg->backends + 0, 0, 'nobody has come in';
    };
}


subtest 'a certificate that is put right' => sub {
    serve('misnamed');
    start(conninfo());
    $nginx->wait_for_log(qr/\[error\].*does not match/);

    serve('right');
    $nginx->wait_for_log(qr/PostgreSQL is available again/);
    poll_until {
        $nginx->state($tournament->{slug})->status == 200
    } 20, 'an answer';
    pass 'it recovers by itself';
};


subtest 'no TLS there' => sub {
    $pg->set(ssl => 'off');
    start(conninfo());
    is_error $nginx->state($tournament->{slug}), 503, 'unavailable',
        'verify-full wants it';
    $nginx->wait_for_log(
        qr/\[error\].*server does not support SSL, but SSL was required/);
    pass 'the log says so';

    start(conninfo(sslmode => 'prefer'), '10s');
    is $nginx->state($tournament->{slug})->status, 200, 'prefer does not';
};


done_testing;
