# Every path of a request and of a process under valgrind, in one process and
# with a master: no error, and nothing definitely lost. What valgrind found is
# what the end of the test complains about.

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More ();

BEGIN {
    Test::More->import(skip_all => 'valgrind is not installed (make deps)')
        unless grep { -x "$_/valgrind" } split /:/, $ENV{PATH};
}

use Tournament::Test;

my $pg   = Tournament::Postgres->new(load => [qw(schema install)]);
my $gate = $pg->gate;

my @tournaments = map { $pg->tournament(slots => $_) } 1 .. 5;

$pg->tournament(slug => "slow-$_") for 1 .. 5;

my %options = (
    database  => $pg,
    valgrind  => 1,
    zone      => '256k',
    http      => http('4s'),
    locations => [
        Tournament::Nginx::state_location(),
        'location ~ ^/uncached/(?<slug>.*)$ {
             tournament_ttl state 0; tournament state $slug; }',
        'location ~ ^/short/(?<slug>.*)$ {
             tournament_ttl state 1s; tournament state $slug; }',
        'location ~ ^/expired/(?<slug>.*)$ {
             tournament_ttl state 1ms; tournament_stale 0;
             tournament state $slug; }',
        'location ~ ^/paged/(?<slug>.*)$ {
             error_page 404 503 504 = @page; tournament state $slug; }',
        'location @page { return 200 "page"; }',
        'location = /status { tournament status; }',
        'location = /metrics { tournament metrics; }',
        'location /included/ { ssi on; ssi_types *; root %%DIR%%; }',
    ],
);


sub http {
    my ($timeout) = @_;

    return "tournament_query_timeout $timeout;
            tournament_connect_timeout 20s;
            tournament_database_connections 2;
            tournament_database_queue 4;";
}


sub requests {
    my ($nginx, $connections) = @_;

    my ($t)  = @tournaments;
    my $path = $t->{path};

    $pg->wait_idle($connections);

    my $etag = $nginx->get($path)->header('ETag');
    my $c    = $nginx->connect;

    like $etag, qr{^W/}, 'a miss';
    is $nginx->get($path)->status, 200, 'a hit';
    is $nginx->get($path, 'If-None-Match' => $etag)->status, 304, 'not modified';
    is $nginx->head($path)->status, 200, 'HEAD';
    is $nginx->get("/uncached/$t->{slug}")->status, 200, 'not cached';
    is $nginx->state('nobody')->status, 404, 'missing';
    is $nginx->state('nobody')->status, 404, 'missing, cached';
    is $nginx->get('/paged/nobody')->body, 'page', '404 with a page';
    is $nginx->state('a.b')->status, 400, 'malformed';
    is $nginx->state('x' x 255)->status, 404, 'the longest slug';
    is $nginx->post($path, body => 'x' x 100)->status, 405, 'another method';

    is scalar(grep { $_->status == 200 } $c->pipeline(
        map { $_->{path} } (@tournaments) x 4)), 20, 'pipelined';

    poll_until {
        $nginx->get("/expired/$t->{slug}")->cache eq 'EXPIRED'
    } 20, 'an entry expires';

    $pg->reset_calls;
    poll_until {
        $nginx->get("/short/$t->{slug}")->status == 200
            && $pg->calls(like => '%tournament_api.state(%')
    } 20, 'an entry is refreshed before it expires';

    spew($nginx->dir . '/page',
         join '', map { qq(<!--# include virtual="$_->{path}" -->) }
                  @tournaments) if mkdir $nginx->dir . '/included';
    rename $nginx->dir . '/page', $nginx->dir . '/included/page';

    is scalar(() = $nginx->get('/included/page')->body =~ /"success":true/g),
        5, 'subrequests';

    my @responses = fetch(
        port  => $nginx->port,
        paths => [ map { $_->{path}, "/uncached/$_->{slug}" }
                   (@tournaments) x 5 ],
    );

    is scalar(grep { $_->status !~ /^(?:200|503)$/ } @responses), 0,
        'many at once';

    is $nginx->get('/status')->json->{success}, 1, 'figures';
    is $nginx->get('/status', Accept => 'text/html;q=0.1')->status, 200,
        'a page';
    is $nginx->get('/metrics')->status, 200, 'metrics';

    # More than the share of what is missing holds.

    is scalar(grep { $_->status == 404 } $c->pipeline(
        map { "/tournaments/api/none-$_" . 'x' x 200 . '/state/' } 1 .. 100)),
        100, 'evictions';

    return;
}


sub timeouts {
    my ($nginx, $connections) = @_;

    $pg->wait_idle($connections);
    $gate->shut;

    my @stay = map {
        $nginx->connect->send('GET', "/uncached/slow-$_")
    } 1, 1, 2, 3, 4;
    my @leave = map {
        $nginx->connect->send('GET', "/uncached/slow-$_")
    } 1, 5;

    $gate->wait_waiting(2);
    $_->close for @leave;
    is_deeply [ map { $_->receive->status } @stay ], [ (504) x @stay ],
        'deadlines';

    $gate->open;
    poll_until {
        $nginx->get('/uncached/slow-1')->status == 200
    } 20, 'an answer again';

    return;
}


sub outage {
    my ($nginx, $connections) = @_;

    my $uncached = "/uncached/$tournaments[0]{slug}";

    $pg->terminate;
    poll_until { $nginx->get($uncached)->status == 200 } 20, 'an answer';

    $pg->stop;
    poll_until { $nginx->get($uncached)->status == 503 } 20, '503';
    is $nginx->get('/paged/away')->body, 'page', '503 with a page';

    $pg->start;
    poll_until { $nginx->get($uncached)->status == 200 } 20, 'an answer';
    $pg->wait_idle($connections);
    pass 'over, for every worker';

    $pg->rows('ALTER TABLE tournaments_registration RENAME TO elsewhere');
    is $nginx->get($uncached)->status, 503, 'a table is missing';
    $pg->rows('ALTER TABLE elsewhere RENAME TO tournaments_registration');
    is $nginx->get($uncached)->status, 200, 'it is back';

    return;
}


# Each process has written a summary, and none of it is an error. (That there
# is none is what done_testing() sees to.)

sub is_watched {
    my ($nginx, $count) = @_;

    my @logs = glob $nginx->dir . '/valgrind.*';

    cmp_ok scalar(@logs), '>=', $count, 'valgrind has watched';

    is_deeply [ grep { slurp($_) !~ /ERROR SUMMARY: 0 errors/ } @logs ], [],
        'and found nothing' or diag map { slurp($_) } @logs;

    return;
}


subtest 'one process (invariants 7, 8)' => sub {
    my $nginx = Tournament::Nginx->new(%options, workers => 0);

    requests($nginx, 2);
    timeouts($nginx, 2);
    outage($nginx, 2);

    # It ends while a query is on its way and a client waits.

    $gate->shut;

    my $asked = $nginx->connect->send('GET', '/uncached/slow-1');

    $gate->wait_waiting(1);
    $nginx->stop('term');
    ok $asked->eof, 'stop';
    $gate->open;

    is_watched($nginx, 1);
};


subtest 'a master and two workers (invariants 7, 9)' => sub {
    my $nginx = Tournament::Nginx->new(%options, workers => 2);

    requests($nginx, 4);

    $nginx->reload(wait => 0);
    is $nginx->get($tournaments[0]{path})->status, 200, 'after a reload';

    $nginx->reload(zone => '1m', wait => 0);
    is $nginx->get($tournaments[0]{path})->status, 200, 'of another zone';

    outage($nginx, 4);
    timeouts($nginx, 4);

    $gate->shut;

    my $asked = $nginx->connect->send('GET', '/uncached/slow-1');

    $gate->wait_waiting(1);
    $nginx->signal('QUIT');
    $gate->open;
    is $asked->receive->status, 200, 'a graceful exit';
    $nginx->stop('quit');

    is_watched($nginx, 7);
};


subtest 'without a database (invariants 1, 8)' => sub {
    $pg->stop;

    my $nginx = Tournament::Nginx->new(%options, workers => 0,
                                       http => http('200ms'));

    is $nginx->state('absent')->status, 503, 'away' for 1 .. 3;
    $pg->start;
    poll_until { $nginx->state('absent')->status == 404 } 20, 'an answer';

    $nginx->stop('quit');
    is_watched($nginx, 1);
};


done_testing;
