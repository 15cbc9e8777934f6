# Endpoint metrics: promtool finds nothing wrong with it, it says what status
# says, and a real Prometheus with the documents' configuration and rules
# reads it.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Documents qw(blocks);
use Tournament::Test;

my $API = '/tournaments/api';

for my $program (qw(prometheus promtool)) {
    grep { -x "$_/$program" } split /:/, $ENV{PATH}
        or plan skip_all => "$program is not installed (make deps)";
}

my $dir   = tempdir();
my $pg    = Tournament::Postgres->new;
my $nginx = Tournament::Nginx->new(
    Tournament::Nginx::api(),
    database => $pg,
    feed     => 1,
    workers  => 2,
);

my $slug = $pg->value(
    q{SELECT min(slug) FROM tournaments_tournament WHERE status = 'RUNNING'});

# What the documents tell Prometheus: its configuration, and rules.

my ($config, $rules) = map { $_->{text} } blocks('yaml');

is scalar(() = blocks('yaml')), 2, 'each block is one of these';


# The text as { 'name{labels}' => value }.

sub samples {
    my ($text) = @_;

    return map { /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/ ? ($1 => $2)
                 : /^#/ ? () : die "no sample: $_\n" } split /\n/, $text;
}


subtest 'the text' => sub {
    $nginx->get("$API/$slug/state/") for 1 .. 10;
    $nginx->get("$API/no-such-one/state/");
    $nginx->get("$API/no%20such%20one/count/");

    poll_until { $nginx->get('/tournaments/status')->json->{feed}{delay}{count} }
        10, 'a heartbeat';

    my $response = $nginx->get('/tournaments/metrics', Accept => 'text/html');

    is $response->status, 200, 'its status';
    is $response->header('Content-Type'),
        'text/plain; version=0.0.4; charset=utf-8', 'its type';
    is $response->header('Cache-Control'), 'no-store', 'is not to be kept';
    is $response->header('ETag'), undef, 'and has no ETag';

    my ($status, $output) = run({ input => $response->body },
                                'promtool', 'check', 'metrics');

    is "$status $output", '0 ', 'promtool finds nothing';

    my %sample = samples($response->body);
    my $json   = $nginx->get('/tournaments/status')->json;

    # what does not change by itself

    my %expected = (
        "tournament_build_info{version=\"$json->{version}\","
            . "nginx=\"$json->{nginx}\"}"         => 1,
        'tournament_cache_entries'               => $json->{cache}{entries},
        'tournament_cache_missing_entries'       => 1,
        'tournament_cache_cells{state="used"}'   => $json->{cache}{cells}{used},
        'tournament_cache_cells{state="free"}'   => $json->{cache}{cells}{free},
        'tournament_cache_evictions_total'       => 0,
        'tournament_cache_recoveries_total'      => 0,
        'tournament_changes_total{source="feed"}' => $json->{changes}{feed},
        'tournament_changes_total{source="purge"}' => 0,
        (map { ("tournament_streams{endpoint=\"$_\"}" => 0) }
             keys %{ $json->{streams}{open} }),
        (map { ("tournament_stream_ends_total{reason=\"$_\"}" => 0) }
             keys %{ $json->{streams}{ends} }),
        'tournament_waiting_polls'               => 0,
        (map { ("tournament_stream_${_}_total" => 0) }
             qw(events skipped refused)),
        'tournament_feed_up'                     => 1,
        'tournament_workers'                     => 2,
        'tournament_config_generation'           => 1,
        'tournament_miss_seconds_count'          => $json->{misses}{count},
        'tournament_miss_seconds_sum'            => $json->{misses}{sum},
        (map { ("tournament_database_${_}_total" => $json->{database}{$_}) }
             qw(queries errors timeouts slow refused)),
    );

    my %column = (hit => 'hits', miss => 'misses', map { ($_ => $_) }
                  qw(expired stale updating bypass));

    for my $endpoint (keys %{ $json->{endpoints} }) {
        my $e    = $json->{endpoints}{$endpoint};
        my $none = $e->{requests};

        for my $word (keys %column) {
            $expected{"tournament_requests_total{endpoint=\"$endpoint\","
                      . "status=\"$word\"}"} = $e->{ $column{$word} };
            $none -= $e->{ $column{$word} };
        }

        $expected{"tournament_requests_total{endpoint=\"$endpoint\","
                  . 'status="none"}'} = $none;
        $expected{"tournament_request_errors_total{endpoint=\"$endpoint\","
                  . "class=\"$_\"}"} = $e->{"errors_$_"} for qw(4xx 5xx);
    }

    for my $worker (0, 1) {
        $expected{"tournament_database_connections{worker=\"$worker\","
                  . "state=\"$_\"}"} =
            $json->{database}{workers}[$worker]{$_}
            for qw(ready connecting down);
        $expected{"tournament_database_queue{worker=\"$worker\"}"} = 0;
        $expected{"tournament_database_in_flight{worker=\"$worker\"}"} = 0;
    }

    for my $histogram (['tournament_database_query_seconds',
                        $json->{database}{latency}],
                       ['tournament_miss_seconds', $json->{misses}]) {
        my ($name, $h) = @$histogram;
        my $sum = 0;

        $expected{"${name}_count"} = $h->{count};
        $expected{"${name}_sum"}   = $h->{sum};

        for my $bucket (@{ $h->{buckets} }) {
            $sum += $bucket->{count};
            $expected{"${name}_bucket{le=\"" . ($bucket->{le} // '+Inf')
                      . '"}'} = $sum;
        }

        is $sum, $h->{count}, "$name: all are in its buckets";
    }

    my @differ = grep { !defined $sample{$_} || $sample{$_} != $expected{$_} }
        sort keys %expected;

    is_deeply { map { $_ => $sample{$_} } @differ },
        { map { $_ => $expected{$_} } @differ }, 'it says what status says';

    my @more = grep { !exists $expected{$_}
        && !/^tournament_(?:feed_(?:delay|last_message)|uptime)_seconds/ }
        sort keys %sample;

    is "@more", '', 'and nothing else';
    is $sample{'tournament_requests_total{endpoint="state",status="hit"}'}
        + $sample{'tournament_requests_total{endpoint="state",status="miss"}'},
        11, 'requests';
    is $sample{'tournament_requests_total{endpoint="count",status="none"}'}, 1,
        'refused ones';

    is_error($nginx->request('POST', '/tournaments/metrics', body => ''),
             405, 'method_not_allowed', 'POST');
    is $nginx->head('/tournaments/metrics')->status, 200, 'HEAD';

    my $off = Tournament::Nginx->new(Tournament::Nginx::api(),
                                     database => $pg, name => 'off');

    unlike $off->get('/tournaments/metrics')->body,
        qr/^tournament_feed_(?:up|last)/m, 'a feed that is off is not down';
    $off->stop;
};


subtest 'the documents' => sub {
    spew("$dir/prometheus.yml", $config);
    spew("$dir/rules.yml", $rules);

    for my $check ([config => 'prometheus.yml'], [rules => 'rules.yml']) {
        my ($what, $file) = @$check;
        my ($status, $output) = run({}, 'promtool', 'check', $what,
                                    "$dir/$file");

        is $status, 0, "the $what" or diag $output;
    }

    my %name = map { (s/\{.*//r => 1) }
        keys %{ { samples($nginx->get('/tournaments/metrics')->body) } };
    my @used = $rules =~ /\b(tournament_\w+)/g;

    cmp_ok scalar @used, '>', 5, 'rules ask for metrics';
    is join(' ', grep { !$name{$_} } @used), '', 'that there are';
};


# The documents' configuration, but for places, and more often.

sub prometheus {
    my ($port) = @_;

    my $conf = $config =~ s/127\.0\.0\.1:80\b/'127.0.0.1:' . $nginx->port/er;

    spew("$dir/prometheus.yml", <<"END" . $conf);
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  evaluation_interval: 200ms
rule_files: [ rules.yml ]
END

    open my $out, '>', "$dir/log" or die "$dir/log: $!\n";

    return Tournament::Util::spawn({ stdout => $out, stderr => $out },
        'prometheus', "--config.file=$dir/prometheus.yml",
        "--storage.tsdb.path=$dir/data",
        "--web.listen-address=127.0.0.1:$port", '--log.level=warn');
}


subtest 'Prometheus' => sub {
    my $port = free_port();
    my $pid  = prometheus($port);

    my $query = sub {
        my ($expr) = @_;

        $expr =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ge;

        my $answer = eval {
            Tournament::HTTP->new(port => $port)
                ->get("/api/v1/query?query=$expr")->json;
        } or return;

        return map { $_->{value}[1] } @{ $answer->{data}{result} };
    };

    my $ok = eval {
        my $hits = 'tournament_requests_total{endpoint="state",status="hit"}';

        poll_until { ($query->('up{job="tournament"}'))[0] } 30,
            'Prometheus has read it';

        my ($before) = $query->($hits);

        cmp_ok $before, '>=', 9, 'a counter';

        $nginx->get("$API/$slug/state/") for 1 .. 7;

        my $after = poll_until {
            my ($n) = $query->($hits);

            $n > $before && $n;
        } 10, 'it is read again';

        is $after, $before + 7, 'has counted on';

        is join(' ', $query->('tournament_feed_up')), 1, 'a gauge';
        is join(' ', $query->('sum(tournament_database_connections)')), 8,
            'connections of all workers';
        is join(' ', $query->('tournament_database_query_seconds_count'
                              . ' == ignoring(le) '
                              . 'tournament_database_query_seconds_bucket'
                              . '{le="+Inf"}') > 0), 1, 'a histogram';

        my $rate = poll_until {
            my ($value) = $query->('tournament:hit_rate:5m{endpoint="state"}');

            # of nothing at all in the first moments

            ($value // 'NaN') ne 'NaN' && $value;
        } 10, 'the hit rate is recorded';

        cmp_ok $rate, '>', 0.5, 'a rate of the documents\' rules';
        is join(' ', $query->('ALERTS{alertstate="firing"}')), '',
            'and no alert fires';

        # Each expression of the dashboard has something to show.

        for my $expr (slurp(project('examples/grafana.json'))
                      =~ /"expr": "((?:[^"\\]|\\.)*)"/g)
        {
            $expr =~ s/\\(.)/$1/g;
            $expr =~ s/\$__rate_interval/10s/g;
            $expr =~ s/\$instance/.*/g;

            ok eval { poll_until { 0 < (() = $query->($expr)) } 10, $expr },
                $expr;
        }

        1;
    };
    my $error = $@;

    kill 'TERM', $pid;
    defined Tournament::Util::reap($pid, 20)
        or kill 'KILL', $pid;

    $ok or die $error . slurp("$dir/log");
};


done_testing;
