# What the module costs whoever writes: registrations a second, each in a
# durable transaction of its own, relative to a server without triggers. The
# triggers announce by NOTIFY, which commits one transaction after the other,
# or by messages in the log, which each node's WAL sender decodes.

package Bench::Case::Writer;

use strict;
use warnings;
use utf8;

use Bench::HTTP qw(response);
use Bench::Machine qw(cores on_core pin);
use Tournament::Postgres;
use Tournament::Util qw(poll_until project run slurp spew tempdir);

my $CLIENTS = 8;
my $NODES   = 8;
my $MANY    = 20_000;
my $TABLE   = 'tournaments_registration';
my $BATCH   = 10;
my $SECONDS = 1;


# Each is compared with the same load on the same server, its triggers off.
#
#   feed      what the triggers announce by
#   nodes     nginxes that hear it
#   rows, clients    of the load
#   apart     server and load share one core, WAL senders and nodes another
#   replica   no triggers, and wal_level replica

my @SUBJECTS = (
    ['logical, nobody listens', feed => 'logical', target => 0.85],
    ['logical, one node', feed => 'logical', nodes => 1, target => 0.72],
    ['logical, one node on a core of its own', feed => 'logical', nodes => 1,
     apart => 1, target => 0.85],
    ["logical, $NODES nodes", feed => 'logical', nodes => $NODES,
     target => 0.5],
    ["logical, $BATCH rows in a transaction", feed => 'logical',
     rows => $BATCH, target => 0.85],
    ['logical, one client', feed => 'logical', clients => 1, target => 0.95],
    ['notify, nobody listens', feed => 'notify'],
    ['notify, one node', feed => 'notify', nodes => 1],
    ['no triggers, `wal_level` replica', replica => 1],
);


sub server {
    my ($wal_level) = @_;

    my $pg = Tournament::Postgres->new(
        name    => "writer-$wal_level",
        load    => ['schema', 'install'],
        durable => 1,
        conf    => { wal_level => $wal_level, max_wal_senders => 20,
                     max_replication_slots => 20, max_connections => 100 },
    );

    $pg->psql(<<"END");
INSERT INTO user_profile_userprofile
    (user_id, display_name, is_private, email, phone, facebook, discord,
     created_at)
SELECT n, 'Player ' || n, false, '', '', '', '', now()
  FROM generate_series(1, $MANY) n;

INSERT INTO tournaments_tournament
    (name, slug, game, status, slot_size, created_at, updated_at,
     groups_published)
SELECT 'Bench ' || n, 'bench-' || n, 'valorant', 'PUBLISHED', 16, now(),
       now(), false
  FROM generate_series(1, $MANY) n;

ALTER ROLE tournament REPLICATION;
VACUUM ANALYZE;
END

    return $pg;
}


sub pgbench {
    my ($bench, $pg, %options) = @_;

    my $rows   = $options{rows} // 1;
    my $script = project('bench', 'sql', 'registrations.sql');

    if ($rows > 1) {
        my $insert = slurp($script);

        $script = spew(tempdir() . '/batch.sql',
                       "BEGIN;\n" . $insert x $rows . "COMMIT;\n");
    }

    my ($status, $output) = run({ timeout => $SECONDS + 60 }, on_core(
        $options{apart} ? $bench->server : $bench->load,
        Tournament::Postgres::client('pgbench'), '--no-vacuum',
        '--protocol', 'prepared', '--client', $options{clients} // $CLIENTS,
        '--jobs', 1, '--time', $SECONDS, '--define', "tournaments=$MANY",
        '--define', "users=$MANY", '--file', $script,
        $pg->conninfo(user => 'postgres')));

    my ($done)   = $output =~ /actually processed: (\d+)/;
    my ($tps)    = $output =~ /^tps = ([\d.]+)/m;
    my $inserted = $pg->value("SELECT count(*) FROM $TABLE");

    die "pgbench failed:\n$output" if $status || !defined $tps;
    die "of $done registrations $inserted were inserted\n"
        if $inserted < 0.98 * $rows * $done;

    return { rate => $rows * $tps };
}


# Nodes that hear the feed: each says so in its status.

sub nodes {
    my ($bench, $pg, %options) = @_;

    my @nodes = map {
        $bench->nginx(
            name   => 'writer',
            core   => $options{apart} ? $bench->load : $bench->server,
            module => 1,
            http   => $bench->module_conf(postgres => $pg, connections => 1,
                                          feed => $options{feed}),
            server => 'location = /status { tournament status; }',
        )
    } 1 .. $options{nodes} // 0;

    for my $node (@nodes) {
        poll_until {
            response($node->port, '/status')->{body}
                =~ /"feed":\{"state":"up"/
        } 30, 'a node listens';
    }

    return @nodes;
}


sub subject {
    my ($bench, $server, $name, %options) = @_;

    my $pg = $server->{logical};
    my @nodes;

    my $before = sub {
        my ($triggers) = @_;

        @nodes = ();
        $pg->rows("TRUNCATE $TABLE");
        $pg->rows("ALTER TABLE $TABLE $triggers TRIGGER USER");
        $pg->rows('CHECKPOINT');
        pin($options{apart} ? $bench->server : join(',', cores()), $pg->pid);
    };

    my $base = {
        name    => "$name: without triggers",
        before  => sub { $before->('DISABLE') },
        measure => sub { pgbench($bench, $pg, %options) },
    };

    my %subject = (
        name   => $name,
        base   => $base,
        target => $options{target} ? [at_least => $options{target}] : undef,
    );

    return {
        %subject,
        before  => sub {
            $server->{replica}->rows("TRUNCATE $TABLE");
            $server->{replica}->rows(
                "ALTER TABLE $TABLE DISABLE TRIGGER USER");
            $server->{replica}->rows('CHECKPOINT');
        },
        measure => sub { pgbench($bench, $server->{replica}, %options) },
    } if $options{replica};

    return {
        %subject,
        before => sub {
            if ($server->{feed} ne $options{feed}) {
                $pg->load('install', feed => $options{feed});
                $server->{feed} = $options{feed};
            }

            $before->('ENABLE');
            @nodes = nodes($bench, $pg, %options);

            pin($bench->load, map { $_->[0] } $pg->rows(
                'SELECT pid FROM pg_stat_replication')) if $options{apart};
        },
        measure => sub {
            my $report = pgbench($bench, $pg, %options);

            @nodes = ();

            return $report;
        },
    };
}


return {
    name  => 'writer',
    title => 'Registrations inserted, durable',

    run => sub {
        my ($bench, $result) = @_;

        $bench->need('taskset');
        $bench->skip('the module is not built (make)') if !$bench->module;

        my %server = (
            feed    => '',
            logical => server('logical'),
            replica => server('replica'),
        );

        $bench->pairs($result, unit => 'inserts/s', subjects => [
            map { subject($bench, \%server, @$_) } @SUBJECTS
        ]);

        $result->note("`pgbench -M prepared`, $CLIENTS clients, one insert in "
            . 'a transaction, `fsync` and `synchronous_commit` on, where not '
            . 'said otherwise; foreign keys checked in all. Ratios are to the '
            . 'same load without triggers, measured right before or after at '
            . '`wal_level` logical: the median of pairs, and their quartiles. '
            . 'The load runs on core ' . $bench->load . ', nginx on core '
            . $bench->server . ', the server on all; where a node has a core '
            . 'of its own, server and load share core ' . $bench->server
            . ', WAL sender and nginx have core ' . $bench->load . '.');
    },
};
