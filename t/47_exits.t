# Reload, quit, and an exchange of the binary, there and back, with all
# endpoints and the feed, also while the database does not answer: no request is
# lost, and nobody lingers.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Outage;

my $outage = Tournament::Outage->new(tcp => 1);
my $nginx  = $outage->nginx;
my $pg     = $outage->pg;
my $proxy  = $outage->proxy;


sub is_lossless {
    my (@load) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $outage->is_answered($_->stop, 'no request is lost') for @load;

    return;
}


sub is_as_before {
    my ($name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $outage->settle;
    pass $name;

    return;
}


sub wait_gone {
    my ($what, @pids) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    poll_until { !grep { alive($_) } @pids } 20, $what;
    pass $what;

    return;
}


subtest 'reload under load (invariant 9)' => sub {
    my @load = $outage->start_load;

    for (1 .. 3) {
        $_->wait_for(50) for @load;
        $nginx->reload;
    }

    $_->wait_for(50) for @load;
    is_lossless @load;
    is_as_before 'old workers have left nothing';
};


subtest 'reload while the database does not answer (invariants 1, 9)' => sub {
    for my $fault ('network: black hole', 'network: nobody listens',
                   'network: new ones are not answered')
    {
        my ($cached, $cold) = $outage->start_load;

        $_->wait_for(30) for $cached, $cold;
        $outage->break($fault);
        $cold->wait_for(8);

        my @old = $nginx->worker_pids;

        $nginx->reload(wait => 0);
        wait_gone "$fault: old workers go", @old;

        $cached->wait_for(30);
        $outage->mend($fault);
        $cold->wait_for(30);

        $outage->is_answered($cached->stop, 'what is cached is answered');
        $outage->is_bearable($cold->stop, 'what is not is, or is an error');
        is_as_before 'they have left nothing';
    }
};


# Nothing but a waiting client holds up an exit: timers that would end in an
# hour do not.

subtest 'quit while the database does not answer (invariant 1)' => sub {
    my $http = $nginx->{http};

    for my $fault ('network: black hole', 'network: nobody listens',
                   'network: new ones are not answered')
    {
        $nginx->reload(http => [
            map { s/(?<=connect_timeout )\w+/1h/r } @$http
        ]);
        $outage->settle;
        $outage->break($fault);

        my @asked = map {
            $nginx->connect->send('GET', $_->{path} =~ s{.*/api/(.*)/state/}
                                                       {/uncached/$1}r)
        } $outage->tournaments;

        $nginx->get('/-/worker') for 1 .. 2;
        $nginx->stop('quit');
        is_deeply [ grep { !/^50[34]$/ } map { $_->receive->status } @asked ],
            [], "$fault: who waits is told, and it ends";

        $outage->mend($fault);
        poll_until { !$pg->backends } 20, 'connections are gone';
        $nginx->set(http => $http);
        $nginx->start;
        $outage->warm;
    }

    is_as_before 'a new start is as ever';
};


subtest 'stop (invariant 7)' => sub {
    my @load = $outage->start_load;

    $_->wait_for(50) for @load;
    $nginx->stop('term');
    $_->stop for @load;

    poll_until { !$pg->backends } 20, 'connections are gone';
    pass 'connections are gone';
};


# Only a master whose parent has gone takes USR2, so that this one is a daemon.

my $file = $nginx->dir . '/nginx.pid';
my @masters;


sub master {
    my ($not) = @_;

    my $pid = poll_until {
        my $found = -s $file ? slurp($file) + 0 : 0;

        $found != ($not // 0) && $found;
    } 20, 'a master';

    push @masters, $pid;

    return $pid;
}


sub daemon {
    run_ok({}, $nginx->_command('-g', 'daemon on;'));

    my $master = $nginx->{pid} = master();

    poll_until { $nginx->worker_pids == 2 } 20, 'workers';
    $outage->warm;
    $outage->settle;

    return $master;
}


# Those of a master that is not among them.

sub wait_workers {
    my ($master, $other) = @_;

    poll_until {
        my @workers = grep { $_ != ($other // 0) } children($master);

        @workers == 2;
    } 20, "workers of master $master";

    return;
}


# A new master under load, and the old one's workers are told to go.

sub exchange {
    my ($old, @load) = @_;

    my @workers = children($old);

    $_->wait_for(50) for @load;
    kill 'USR2', $old;

    my $new = master($old);

    wait_workers($new);

    kill 'WINCH', $old;
    wait_gone 'workers of the old one are gone',
        grep { $_ != $new } @workers;
    ok alive($old), 'it is still there';
    $_->wait_for(50) for @load;

    return $new;
}


sub finish {
    my ($master) = @_;

    kill 'QUIT', $master;
    wait_gone 'and ends as ever', $master, children($master);
    poll_until { !$pg->backends } 20, 'connections are gone';

    return;
}


subtest 'an exchange of the binary (invariant 9)' => sub {
    my $old  = daemon();
    my @load = $outage->start_load;
    my $new  = exchange($old, @load);

    kill 'QUIT', $old;
    wait_gone 'the old master is gone', $old;
    $_->wait_for(50) for @load;

    is_lossless @load;
    $nginx->{pid} = $new;
    is_as_before 'the new one is as the old one was';
    finish($new);
};


subtest 'and back again (invariant 9)' => sub {
    my $old  = daemon();
    my @load = $outage->start_load;
    my $new  = exchange($old, @load);

    # The old master takes its place again, and the new one goes.

    my @workers = children($new);

    kill 'HUP', $old;
    wait_workers($old, $new);

    kill 'QUIT', $new;
    wait_gone 'the new master and its workers are gone', $new, @workers;
    poll_until { !-e "$file.oldbin" } 20, 'the old one has its file';
    $_->wait_for(50) for @load;

    is_lossless @load;
    is_as_before 'the old one is as it was';
    finish($old);
};


# Whatever has happened above: daemons are nobody's children.

END {
    my $status = $?;

    delete $nginx->{pid} if @masters;
    kill 'TERM', grep { alive($_) } @masters;
    poll_until { !grep { alive($_) } @masters } 20, 'masters are gone';
    $? = $status;
}

delete $nginx->{pid};

done_testing;
