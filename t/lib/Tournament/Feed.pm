package Tournament::Feed;

# What tests of the feed need: an nginx with feed => 1 and Tournament::Nginx's
# api(). They are of either kind of feed: the environment's TOURNAMENT_FEED is
# notify (default) or logical.
#
#   kind()                that
#   database(%more)       a Tournament::Postgres whose triggers announce changes
#                         that way, with schema and functions unless load => []
#   announce($pg, $feed)  lets its triggers announce by that: notify, logical
#                         or both
#   options(%more)        api()'s options for Tournament::Nginx->new, with the
#                         feed, without warming unless warm => 1, with TTLs of
#                         an hour and without coalescing; "http" of %more comes after.
#                         Locations below /fresh/ answer the same without any
#                         cache: what the database says now.
#   handled($pg, @nginx)  returns when these have handled every change that has
#                         been committed so far: notifications come in order,
#                         so more changes are made and waited for
#   unheard($pg, $sql)    runs it with all triggers disabled: nobody is told
#   listener($nginx)      the pid of the worker that listens, by the log
#   wait_listening($nginx, $pid)
#                         until a worker listens that has not before the last
#                         log_mark; its pid
#   feed_backend($pg)     the pids of the backends that serve a LISTEN, or a
#                         stream that has begun
#   bare($response)       what is said, the time of the answer aside

use strict;
use warnings;

use Exporter 'import';
use Tournament::Endpoints;
use Tournament::Nginx;
use Tournament::Util qw(poll_until);

our @EXPORT = qw(kind database announce options handled unheard listener wait_listening
                 feed_backend bare);

my $LISTENING = qr/ (\d+)#\d+: (?:\*\d+ )?tournament: listening to changes/;

my $barrier = 0;


sub kind { return $ENV{TOURNAMENT_FEED} // 'notify' }


sub database {
    my (%more) = @_;

    my $load    = delete $more{load} // [qw(schema install)];
    my $conf    = delete $more{conf} // {};
    my $logical = kind() eq 'logical';

    # What is not flushed is not decoded, for up to 600 ms.

    my $pg = Tournament::Postgres->new(
        load    => $load,
        logical => $logical,
        conf    => { $logical ? (synchronous_commit => 'on') : (), %$conf },
        %more,
    );

    announce($pg, kind()) if @$load && kind() ne 'notify';

    return $pg;
}


# Lets the triggers announce by another feed.

sub announce {
    my ($pg, $feed) = @_;

    $pg->rows('ALTER ROLE tournament REPLICATION');

    $pg->load('install', role => 'tournament', feed => $feed);

    return;
}


sub options {
    my (%more) = @_;

    my %api   = Tournament::Nginx::api();
    my $http  = delete $more{http} // [];
    my $warm  = delete $more{warm};
    my $feed  = $more{feed} // 1;
    my @fresh = locations('fresh', map { "tournament_ttl $_ 0;" } ttls());

    return (
        feed      => 1,
        workers   => 2,
        http      => [
            @{ $api{http} },
            $feed && !$warm ? 'tournament_warm off;' : (),
            $feed && kind() ne 'notify' ? 'tournament_feed ' . kind() . ';'
                : (),
            (map { "tournament_ttl $_ 1h;" } ttls()),
            (map { "tournament_coalesce $_ 0;" } names(coalesced => 1)),
            ref $http ? @$http : $http,
        ],
        %more,
        locations => [ @{ $api{locations} }, @fresh,
                       @{ $more{locations} // [] } ],
    );
}


# A profile's name, shown by the participants of a tournament, whose change
# touches nothing else. Whoever sees the n-th value of what was cached knows that
# a change of it has been handled, if only the one before: with the next one it
# is sure, and the last one makes good for an entry that was dropped for another
# reason.

sub handled {
    my ($pg, @nodes) = @_;

    my $slug = 'the-barrier';

    my $find = sub {
        my ($id) = $pg->row("SELECT id FROM tournaments_tournament
                              WHERE slug = '$slug'");
        return $id && { id => $id };
    };

    my $tournament = $find->()
        // $pg->tournament(slug => $slug, status => 'COMPLETED',
                           game => 'barrier');

    my $registered = "SELECT user_id FROM tournaments_registration
                       WHERE tournament_id = $tournament->{id}
                         AND status = 'CONFIRMED'";

    $pg->register($tournament, 'CONFIRMED') unless $pg->value($registered);

    my $profile = $pg->value($registered);

    for (1 .. 3) {
        my $name = 'Barrier ' . ++$barrier;

        $pg->rows("UPDATE user_profile_userprofile
                      SET display_name = '$name' WHERE id = $profile");

        for my $node (@nodes) {
            poll_until {
                my $response = eval {
                    $node->get("/tournaments/api/$slug/participants/",
                               'X-Staff' => 1)
                };
                $response && $response->body =~ /"\Q$name\E"/
            } 20, "a change has come to " . $node->name;
        }
    }

    return;
}


sub unheard {
    my ($pg, $sql) = @_;

    my @triggers = $pg->rows(q{
        SELECT tgrelid::regclass, quote_ident(tgname) FROM pg_trigger
         WHERE NOT tgisinternal AND tgenabled = 'A'});

    my $set = sub {
        return join '', map {
            "ALTER TABLE $_->[0] $_[0] TRIGGER $_->[1];\n"
        } @triggers;
    };

    $pg->rows("BEGIN;\nSET CONSTRAINTS ALL IMMEDIATE;\n" . $set->('DISABLE')
              . "$sql;\n" . $set->('ENABLE ALWAYS') . 'COMMIT');

    return;
}


sub listener {
    my ($nginx) = @_;

    my @pids = $nginx->log =~ /$LISTENING/g;

    return $pids[-1];
}


sub wait_listening {
    my ($nginx, $seconds) = @_;

    return ($nginx->wait_for_log($LISTENING, $seconds) =~ $LISTENING)[0];
}


sub feed_backend {
    my ($pg) = @_;

    return map { $_->[0] } $pg->rows(q{
        SELECT active_pid FROM pg_replication_slots
          JOIN pg_stat_replication ON pid = active_pid
         WHERE slot_name ~ '^tournament_'}) if kind() eq 'logical';

    return map { $_->[0] } $pg->rows(q{
        SELECT pid FROM pg_stat_activity
         WHERE (query = 'LISTEN tournament_changes'
                OR query LIKE '%pg_notification_queue_usage%'
                OR query LIKE '%tournament_drain%')
           AND usename = 'tournament'});
}


sub bare {
    my ($response) = @_;

    (my $text = $response->status . ' ' . $response->body)
        =~ s/"timestamp":"[^"]*",?//;
    $text =~ s/("(?:time_until_\w+|registration_closes_in)":)"[^"]*"
              /$1"<duration>"/gx;
    $text =~ s/("seconds_until_\w+":)\d+/$1<int>/g;

    return $text;
}


1;
