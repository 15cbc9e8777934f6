# The test library itself: above all, that it notices what it is there to
# notice.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $LIB = "$FindBin::Bin/lib";


# Runs a test of its own in another process: status and output.

sub try_test {
    my ($text, %env) = @_;

    my $file = spew(tempdir() . '/try.t',
                    "use Tournament::Test;\n$text\ndone_testing;\n");

    return run({ env => \%env }, $^X, "-I$LIB", $file);
}


sub fails {
    my ($name, $text, @patterns) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my ($status, $output) = try_test($text);

    ok $status != 0 && !grep({ $output !~ $_ } @patterns), $name
        or diag "status $status\n$output\nexpected: @patterns";

    return;
}


subtest 'is_json' => sub {
    is_json '{"a":1,"b":[true,null,"x y"]}',
        ' { "a": 1, "b": [ true, null, "x y" ] } ', 'white space';
    is_json '{"t":"2026-11-23T07:12:00+00:00","d":"1 day, 0:00:00","n":-5}',
        '{"t": <instant>, "d": <duration>, "n": <int>}', 'patterns';
    is_json '{"s":"ключ \" <any>"}', '{"s": "ключ \" <any>"}', 'strings';

    fails("is_json sees $_->[0]",
          "is_json '$_->[1]', '$_->[2]', 'documents';", qr/not ok 1/, qr/got:/)
        for ['the order of keys',  '{"a":1,"b":2}', '{"b":2,"a":1}'],
            ['a missing key',      '{"a":1}',       '{"a":1,"b":2}'],
            ['one too many',       '{"a":1,"b":2}', '{"a":1}'],
            ['a type',             '{"a":"1"}',     '{"a":1}'],
            ['white space sent',   '{"a": 1}',      '{"a": 1}'],
            ['a blank in strings', '{"a":"b c"}',   '{"a": "bc"}'],
            ['no instant',         '{"a":"now"}',   '{"a": <instant>}'];
};


subtest 'what a log has to say' => sub {
    my $start = 'my $n = Tournament::Nginx->new(module => 0);';

    fails('a worker that was killed',
          "$start kill 'KILL', (\$n->worker_pids)[0];"
          . '$n->wait_for_log(qr/exited on signal/);',
          qr/not ok/, qr/exited on signal 9/, qr/end of the log/);
    fails('a server that does not start',
          'Tournament::Nginx->new(module => 0, http => "nonsense;");',
          qr/nginx does not start.*unknown directive "nonsense"/s);
    fails('a reload that fails',
          "$start \$n->reload(http => 'nonsense;');",
          qr/reload failed.*unknown directive/s);
    fails('a log line that does not come',
          "$start \$n->wait_for_log(qr/never/, 0.1);", qr/not within 0.1 s/);
    fails('an SQL error',
          'Tournament::Postgres->new(load => [])->rows("SELECT nothing");',
          qr/column "nothing" does not exist/);

    my ($status, $output) = try_test(
        "$start \$n->expect_log(qr/exited on signal 9/);"
        . 'kill "KILL", ($n->worker_pids)[0];'
        . '$n->wait_for_log(qr/exited on signal/);');

    is $status, 0, 'what is expected is no complaint' or diag $output;
};


# A primary and standbys with slots of their own, of any version there is.

subtest 'standbys' => sub {
    for my $version (undef, grep { Tournament::Postgres::has_version($_) }
                            14, 16 .. 18)
    {
        my $pg = Tournament::Postgres->new(logical => 1, load => [],
                                           version => $version);
        my ($one, $two) = map {
            Tournament::Postgres->new(standby_of => $pg, slot => $_)
        } qw(one two);

        my $count = sub { $_[0]->value('SELECT count(*) FROM things') };

        note 'PostgreSQL ', $pg->version;
        is $pg->version, $version, 'the version' if defined $version;
        is_deeply [ map { "$_->{name} $_->{type}" } $pg->slots ],
            [ 'one physical', 'two physical' ], 'slots';

        $pg->rows('CREATE TABLE things (id int)');
        $_->wait_replayed($pg) for $one, $two;

        $two->pause_replay;
        $pg->rows('INSERT INTO things VALUES (1)');
        $one->wait_replayed($pg);
        is_deeply [ map { $count->($_) } $one, $two ], [ 1, 0 ], 'one pauses';

        $two->resume_replay;
        $two->wait_replayed($pg);
        is $count->($two), 1, 'it resumes';

        if ($pg->version >= 16) {
            my $session = $one->session;

            $session->do(q{SELECT pg_create_logical_replication_slot(
                                      'decoding', 'pgoutput', true)});

            poll_until {
                $pg->log_snapshot;
                grep { $_->{name} eq 'decoding' && $_->{active_pid} }
                    $one->slots;
            } 20, 'a logical slot';

            $session->wait(20);
            is +($one->slots)[0]{plugin}, 'pgoutput', 'it decodes';
        }

        $pg->stop('immediate');
        $one->promote;
        $one->rows('INSERT INTO things VALUES (2)');
        $two->stop->demote($one)->start;
        $two->wait_replayed($one);
        is $count->($two), 2, 'a promotion';
    }
};


# A process that dies leaves no other behind.

subtest 'nothing outlives a test' => sub {
    for my $signal (qw(INT TERM KILL)) {
        my $pids = tempdir() . '/pids';

        my ($status, $output) = try_test(<<"END");
            my \$pg = Tournament::Postgres->new(load => []);
            my \$nginx = Tournament::Nginx->new(module => 0, workers => 2);
            my \$load = load(port => \$nginx->port, path => '/');
            \$load->wait_for(1);
            my \$session = \$pg->session;
            \$session->do('SELECT pg_sleep(60)');
            spew('$pids-dirs', join ' ', \$nginx->dir, \$pg->data_dir);
            spew('$pids', join ' ', \$pg->pid, \$nginx->pid,
                 \$nginx->worker_pids, \$load->{pid}, \$session->{process});
            kill '$signal', \$\$;
            sleep 60;
END

        my @pids = split ' ', slurp($pids);

        is @pids, 6, "$signal: six processes ran";

        poll_until {
            !grep { alive($_) } @pids
        } 20, "the processes @pids have ended";

        pass "$signal: none is left";

        # Who was killed cannot remove its files; the next one does.

        try_test('ok 1; tempdir(); Tournament::Util::memory_tempdir();');

        ok !grep({ -e } split ' ', slurp("$pids-dirs")),
            "$signal: nor are its files, once another test has run";
    }

    my ($status, $output) = try_test('print "dir: ", tempdir(), "\n"; die "x";');
    my ($dir) = $output =~ /^dir: (.*)$/m;

    ok $status != 0 && !-e $dir, 'nor do its files';

    ($status, $output) = try_test('print "dir: ", tempdir(), "\n"; ok 1;',
                                  TOURNAMENT_KEEP => 1);
    ($dir) = $output =~ /^dir: (.*)$/m;

    my ($kept) = $output =~ /^# kept: (\S+)$/m;

    ok -e $dir && $dir =~ /^\Q$kept/, 'unless they are to be kept';

    run_ok({}, 'rm', '-r', $kept);
};


subtest 'PostgreSQL' => sub {
    my $pg = Tournament::Postgres->new(load => []);

    is_deeply [ $pg->rows(q{VALUES ('a"b', NULL, E'x,\ny', 'é☃'),
                                   ('', 'NULL', E'\\\\N', '1')}) ],
        [ [ 'a"b', undef, "x,\ny", 'é☃' ], [ '', 'NULL', '\N', '1' ] ],
        'values come as they are';

    $pg->rows('CREATE TABLE t (id serial, v text)');
    $pg->insert('t', v => $_) for "it's \\ ☃", undef, \'upper(\'x\')';

    is_deeply [ map { $_->[0] } $pg->rows('SELECT v FROM t ORDER BY id') ],
        [ "it's \\ ☃", undef, 'X' ], 'and go so';

    my ($holder, $waiter) = ($pg->session, $pg->session);

    $holder->rows('BEGIN; LOCK TABLE t');
    $waiter->do('SELECT count(*) FROM t');
    $pg->wait_blocked($waiter);
    $holder->rows('COMMIT');
    is_deeply [ $waiter->wait ], [ [3] ], 'sessions hold locks';

    my $client = $pg->session(user => 'tournament');

    $pg->reset_calls;
    $client->rows('SELECT 42') for 1 .. 3;
    is $pg->calls, 3, 'statements of others are counted';
    is $pg->backends, 1, 'their connections are seen';
    is $pg->terminate, 1, 'and cut';
    is $pg->backends, 0, 'gone';

    $pg->log_mark;
    $pg->set(log_statement => 'all');
    $pg->value('SELECT 77');
    $pg->wait_for_log(qr/SELECT 77/);

    for my $mode (qw(fast immediate kill)) {
        my $port = $pg->port;

        $pg->restart($mode);
        is $pg->value('SELECT count(*) FROM t'), 3, "restarted: $mode";
        is $pg->port, $port, 'on the same port';
    }

    is $pg->session(host => '127.0.0.1', user => 'tournament')
          ->value('SELECT 1'), 1, 'TCP';

    $pg->create_role('guarded', password => 'it\'s');
    $pg->set_hba('host all guarded 127.0.0.1/32 scram-sha-256');
    is $pg->session(host => '127.0.0.1', user => 'guarded',
                    password => 'it\'s')->value('SELECT 1'), 1, 'a password';
    ok !eval { $pg->session(host => '127.0.0.1', user => 'guarded',
                            password => 'no') }, 'a wrong one';
};


subtest 'nginx' => sub {
    my $nginx = Tournament::Nginx->new(
        module    => 0,
        workers   => 2,
        locations => {
            '/'       => 'return 200 "$pid";',
            '/closed' => 'return 444;',
        },
    );

    my @workers = $nginx->worker_pids;

    is @workers, 2, 'workers';
    is_deeply [ sort keys %{ $nginx->connect_workers } ],
        [ sort @workers ], 'a connection to each';

    my $connection = $nginx->connect;

    is_deeply [ map { $_->status } $connection->pipeline(('/') x 3) ],
        [ 200, 200, 200 ], 'pipelining';
    is $connection->head('/')->body, '', 'HEAD';

    $connection->send_raw("GET / HTTP/1.1\r\n\r\n");
    is $connection->receive->status, 400, 'bytes as they are';
    ok $connection->eof, 'and the end of the connection';

    my @responses = fetch(port => $nginx->port, paths => [ ('/') x 1000 ]);

    is scalar(grep { $_->status == 200 } @responses), 1000,
        'a thousand connections at once';

    my $load = load(port => $nginx->port, path => '/', concurrency => 10);

    $load->wait_for(50);
    $nginx->reload for 1 .. 3;
    $load->wait_for(50);

    my $report = $load->stop;

    is $report->{failed}, 0, 'no request is lost in a reload'
        or diag explain $report->{errors};
    is $report->{status}{200}, $report->{requests}, 'all are answered';
    cmp_ok scalar(keys %{ $report->{workers} }), '>', 2, 'by new workers too';

    $load = load(port => $nginx->port, path => '/closed');
    $load->wait_for(10);
    $report = $load->stop;

    is $report->{failed}, $report->{requests}, 'requests without an answer fail';
    is_deeply $report->{status}, {}, 'and have no status';
    like +(%{ $report->{errors} })[0], qr/without an answer/, 'but a reason';

    my $victim = $connection->get('/')->body;

    $nginx->kill_worker($victim);
    ok !grep({ $_ == $victim } $nginx->worker_pids), 'a killed worker is gone';
    is $nginx->worker_pids, 2, 'and replaced';
    ok $connection->eof, 'its connections are closed';

    my ($ok, $output) = $nginx->test(http => 'nonsense;');

    ok !$ok, 'a configuration is tried';
    like $output, qr/unknown directive "nonsense"/, 'without being used';

    for my $how (qw(quit term kill)) {
        $nginx->stop($how);
        ok !$nginx->running, "stopped: $how";
        $nginx->start;
        is $nginx->get('/')->status, 200, 'and started';
    }

    my $single = Tournament::Nginx->new(module => 0, workers => 0,
        locations => { '/' => 'return 200 "$pid";' });

    is $single->get('/')->body, $single->pid, 'master_process off';
};


done_testing;
