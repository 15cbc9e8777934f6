# Streams over HTTP/2 and TLS, with gzip, behind a proxy, with a limited rate:
# an event comes at once by each of these ways.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use POSIX ();
use Time::HiRes qw(sleep time);

use Tournament::Feed;
use Tournament::Test;

plan skip_all => 'curl with HTTP/2 is not installed (make deps)'
    unless qx(curl --version 2>/dev/null) =~ /HTTP2/;

my $pg    = database();
my $h2    = free_port();
my $tls   = free_port();
my $proxy = free_port();
my $dir   = tempdir('certificate');

run_ok({}, qw(openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj
              /CN=localhost -keyout), "$dir/key", '-out', "$dir/crt");

my $STREAM = 'location ~ ^/stream/(?<slug>[^/]*)$ {
                  tournament state $slug; tournament_stream on; }';

my $nginx = Tournament::Nginx->new(options(
    database => $pg,
    workers  => 1,
    server   => [
        $STREAM,
        "listen 127.0.0.1:$h2 http2; listen 127.0.0.1:$tls ssl http2;
         ssl_certificate $dir/crt; ssl_certificate_key $dir/key;",
        'location ~ ^/gzip/(?<slug>[^/]*)$ {
             gzip on; gzip_types text/event-stream; gzip_min_length 0;
             tournament state $slug; tournament_stream on; }',
        'location ~ ^/slow/(?<slug>[^/]*)$ {
             limit_rate 4k; tournament state $slug; tournament_stream on; }',
        'location ~ ^/filtered/(?<slug>[^/]*)$ {
             sub_filter_types text/event-stream; sub_filter "nowhere" "x";
             tournament state $slug; tournament_stream on; }',
    ],
    http     => "server { listen 127.0.0.1:$proxy; location / {
                     proxy_pass http://127.0.0.1:%%PORT%%; } }",
));

my $t = $pg->tournament(slots => 500, reg_open_at => '-1 hour',
                        reg_close_at => '+1 hour', start_at => '+1 day');

my $port  = $nginx->port;
my $count = 0;

my @ways = (
    [ 'HTTP/1.1',   '',     "http://127.0.0.1:$port/stream" ],
    [ 'HTTP/1.0',   '-0',   "http://127.0.0.1:$port/stream" ],
    [ 'HTTP/2',     '--http2-prior-knowledge',
                            "http://127.0.0.1:$h2/stream" ],
    [ 'HTTP/2 with TLS',    '-k --http2', "https://127.0.0.1:$tls/stream" ],
    [ 'TLS',        '-k --http1.1', "https://127.0.0.1:$tls/stream" ],
    [ 'gzip',       '--compressed', "http://127.0.0.1:$port/gzip" ],
    [ 'gzip, HTTP/2', '--compressed --http2-prior-knowledge',
                            "http://127.0.0.1:$h2/gzip" ],
    [ 'limit_rate', '',     "http://127.0.0.1:$port/slow" ],
    [ 'sub_filter', '',     "http://127.0.0.1:$port/filtered" ],
    [ 'a proxy',    '',     "http://127.0.0.1:$proxy/stream" ],
);


sub documents {
    my ($file) = @_;

    return map { JSON::PP::decode_json($_)->{registered_count} }
        (-e $file ? slurp($file) : '') =~ /^data: (.*)\n\n/mg;
}


my %pid;

for my $way (@ways) {
    my ($name, $options, $url) = @$way;
    my $file = "$dir/" . ++$count;

    $pid{$name} = fork // die "fork: $!";

    if (!$pid{$name}) {
        open STDOUT, '>', $file or die "open: $!";
        exec 'curl', '-sN', split(' ', $options), "$url/$t->{slug}"
            or POSIX::_exit(1);
    }

    push @$way, $file;
}

for my $n (0 .. 5) {
    $pg->register($t, 'CONFIRMED') if $n;

    for my $way (@ways) {
        my ($name, undef, undef, $file) = @$way;

        poll_until { my @got = documents($file); @got && $got[-1] == $n } 20,
            "$name: $n";
        is_deeply [ documents($file) ], [ 0 .. $n ], "$name: $n";
    }
}

$nginx->signal('HUP');

for my $way (@ways) {
    my ($name) = @$way;

    waitpid $pid{$name}, 0;
    is $?, 0, "$name: ended as it should by a reload";
}

done_testing;
