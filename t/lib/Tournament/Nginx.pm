package Tournament::Nginx;

# An nginx of the test's own, with the module loaded, in a temporary directory
# and on a free port of 127.0.0.1, stopped and removed at the end.
#
#   my $nginx = Tournament::Nginx->new(database => $pg);   started
#   my $r = $nginx->get('/tournaments/api/some-slug/state/');
#
# Options of new(), each a text of nginx's configuration or a list of them:
#   main       at the top level
#   events     in events {}
#   http       in http {}
#   server     in server {}
#   locations  { 'path or modifier and pattern' => 'what is in it' }, or a text
#              with whole location blocks. By default what state_location()
#              returns.
#   conf       instead of all that: the whole file; %%PORT%%, %%DIR%% and
#              %%MODULE%% are replaced
# and
#   database   a Tournament::Postgres, or a conninfo. Without one there is no
#              tournament_database directive
#   zone       of tournament_zone, 8m by default; undef for no directive
#   feed       1: listens to changes and warms, as is nginx.conf's default;
#              without it entries change by their TTLs alone
#   workers    1 by default; 0 is master_process off
#   module     0: do not load the module at all
#   level      of the error log: "info" by default, "debug" shows everything
#   valgrind   1: run under valgrind, whose errors and leaks the test's end
#              complains about. TOURNAMENT_VALGRIND=1 asks for it everywhere.
#   clock      seconds since 1970: what its clock shows, and goes on showing,
#              through libfaketime. Its timers are not concerned.
#   start      0: do not start it yet
#   daemon     1: in the background, as a service; only then it takes USR2. A
#              test that is killed leaves it behind
#   name       for messages and the directory, "nginx" by default
#   dir, port  instead of a temporary directory and a free port
#
#   $nginx->start                  returns when it listens and all its workers
#                                  are there
#   $nginx->stop($how)             quit (default) | term | kill; returns when
#                                  every process is gone, dies if they stay
#   $nginx->reload(%options)       returns when new workers are there and the
#                                  old ones are gone; wait => 0 does not wait
#                                  for the latter. Takes options of new() that
#                                  change the configuration first.
#   $nginx->upgraded               after USR2 and QUIT: returns when the old
#                                  master is gone; the new one is ours from
#                                  then on
#   $nginx->test(%options)         nginx -t with other options: (ok, output)
#   $nginx->set(%options)          for the next start or reload
#   $nginx->pid, port, dir, conf_file, url($path), running
#   $nginx->worker_pids            of workers that accept connections
#   $nginx->old_worker_pids        of those that are shutting down
#   $nginx->held                   { workers, descriptors, anonymous (kB of
#                                  memory, but for what is shared) }: what its
#                                  workers, old ones too, hold together
#   $nginx->kill_worker($pid)      kill -9; returns when another has come
#   $nginx->signal($name)          to the master
#   $nginx->set_clock($seconds)    a request that is sent after it sees it
#   $nginx->get, head, post, request, connect    see Tournament::HTTP
#   $nginx->connect_workers        { pid => open Tournament::HTTP connection }
#                                  for each worker
#   $nginx->log, log_mark, wait_for_log, expect_log    see Tournament::Server
#   $nginx->state($slug, %headers)     GET of its state at the usual path
#   $nginx->access_log             lines: "status cache_status query_time
#                                  request_time request"
#
# Every answer carries X-Worker, the pid of the worker that gave it, and
# X-Cache, $tournament_cache_status, unless the location has an add_header of
# its own.
#
# Tournament::Nginx::api() is a list of options with all endpoints at the paths
# of the contract; the header X-Account says who asks, X-Staff whether they are
# staff.
#
# Tournament::Nginx::example($conninfo) is nginx.conf.example as an option conf,
# with that database and with the places of an nginx of its own. With
# application => 'host:port' the lines for a site beside it are in use.
#
# The environment's TOURNAMENT_NGINX names the binary, TOURNAMENT_MODULE the
# module.

use strict;
use warnings;

use parent 'Tournament::Server';

use Carp;
use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX ();
use Tournament::Endpoints;
use Tournament::HTTP;
use Tournament::Util qw(
    alive at_end build_dir children free_port poll_until project reap run slurp
    spawn spew tempdir worker_user
);

my %SIGNAL = (quit => 'QUIT', term => 'TERM', kill => 'KILL');

my $BAD = qr/\[(?:alert|emerg)\]|segfault|exited on signal|Sanitizer
             |runtime\ error:|ERROR\ SUMMARY:\ [1-9]/x;

my @CONFIGURING = qw(main events http server locations conf database zone
                     workers module level connections feed);

my @TEMP = qw(client_body proxy fastcgi uwsgi scgi);

my $count = 0;


sub new {
    my ($class, %options) = @_;

    my $name = $options{name} // 'nginx' . ($count || '');

    $count++;

    my $self = bless {
        owner    => $$,
        name     => $name,
        dir      => $options{dir} // tempdir($name),
        port     => $options{port} // free_port(),
        fixed    => defined $options{port},
        spread   => free_port(),
        valgrind => $options{valgrind} // $ENV{TOURNAMENT_VALGRIND},
        zone     => '8m',
        workers  => 1,
        module   => 1,
        level    => 'info',
        clock    => delete $options{clock},
    }, $class;

    $self->watch_log("$self->{dir}/error.log", $BAD,
                     "$self->{dir}/valgrind.*");
    at_end($self);

    my $start = delete $options{start} // 1;

    $self->{daemon} = delete $options{daemon};

    delete @options{qw(name valgrind dir port)};

    $self->set_clock($self->{clock}) if defined $self->{clock};
    $self->set(%options);
    $self->start if $start;

    return $self;
}


sub set {
    my ($self, %options) = @_;

    for my $key (keys %options) {
        croak "Tournament::Nginx has no option $key"
            unless grep { $_ eq $key } @CONFIGURING;

        $self->{$key} = $options{$key};
    }

    return $self;
}


# libfaketime reads this file each time that somebody asks for the time, and
# the workers' environment has its name: see _clock_conf.

sub set_clock {
    my ($self, $seconds) = @_;

    my $file = "$self->{dir}/clock";

    spew("$file.new", POSIX::strftime("%Y-%m-%d %H:%M:%S\n",
                                      gmtime $seconds));
    rename "$file.new", $file or croak "rename $file.new: $!";

    $self->{clock} = $seconds;

    return $self;
}


sub _clock_environment {
    my ($self) = @_;

    my ($library) = glob '/usr/lib/*/faketime/libfaketime.so.1'
        or croak 'libfaketime is not installed (make deps)';

    return {
        LD_PRELOAD               => $library,
        TZ                       => 'UTC',
        FAKETIME_TIMESTAMP_FILE  => "$self->{dir}/clock",
        FAKETIME_NO_CACHE        => 1,
        FAKETIME_DONT_FAKE_MONOTONIC => 1,
        FAKETIME_DONT_RESET      => 1,
    };
}


sub pid       { return $_[0]{pid} }
sub port      { return $_[0]{port} }
sub dir       { return $_[0]{dir} }
sub name      { return $_[0]{name} }
sub conf_file { return "$_[0]{dir}/nginx.conf" }

sub url {
    my ($self, $path) = @_;

    return "http://127.0.0.1:$self->{port}" . ($path // '/');
}


sub binary {
    return $ENV{TOURNAMENT_NGINX} if $ENV{TOURNAMENT_NGINX};

    for my $dir (split(/:/, $ENV{PATH}), qw(/usr/sbin /usr/local/sbin
                                           /usr/local/nginx/sbin))
    {
        return "$dir/nginx" if -x "$dir/nginx";
    }

    croak 'nginx is not installed: make deps, or TOURNAMENT_NGINX=/its/path';
}


# Of the nginx that it is, or, for Angie and Tengine, was made from; one that
# does not say is new.

my $version;

sub version {
    if (!defined $version) {
        my ($status, $output) = run({}, binary(), '-V');

        croak 'no nginx: ' . binary() . " -V says: $output"
            if $status || $output !~ m{(?:nginx|Angie|Tengine)/\d}i;

        $version = $output =~ m{nginx/([\d.]+)} ? $1 : '1.25.5';
    }

    return $version;
}


sub _has_option_e {
    my ($minor, $patch) = version() =~ /^1\.(\d+)\.(\d+)/;

    return !defined $minor || $minor > 19 || $minor == 19 && $patch >= 5;
}


sub module_file {
    return $ENV{TOURNAMENT_MODULE}
        || build_dir() . '/ngx_http_tournament_module.so';
}


sub state_location {
    return 'location ~ ^/tournaments/api/(?<slug>[^/]+)/state/$ {'
        . ' tournament state $slug; }';
}


sub api {
    return (
        http => [ map {
            "map \$http_x_$_ \$$_ { default \$http_x_$_; }"
            . " tournament_" . ($_ eq 'staff' ? $_ : 'user') . " \$$_;"
        } qw(account staff) ],
        locations => [ locations('tournaments') ],
    );
}


sub example {
    my ($conninfo, %options) = @_;

    my $user = worker_user();
    my $conf = slurp(project('nginx.conf.example'));
    my @temp = map { "    ${_}_temp_path %%DIR%%/temp_$_;\n" } @TEMP;

    my @changes = (
        [ qr/^load_module .*$/m, 'load_module %%MODULE%%;' ],
        [ qr/^user .*$/m,        defined $user ? "user $user;" : '' ],
        [ qr/^pid .*$/m,         'pid %%DIR%%/nginx.pid;' ],
        [ qr/^error_log .*$/m,   'error_log %%DIR%%/error.log notice;' ],
        [ qr/^http \{\n/m,       join '', "http {\n", @temp ],
        [ qr/\blisten 80;/,      'listen 127.0.0.1:%%PORT%%;' ],
        [ qr{/var/log/nginx/access\.log},       '%%DIR%%/access.log' ],
        [ qr{/var/lib/nginx/account},           '%%DIR%%/account' ],
        [ qr/^ {4}tournament_database ".*$/m,
          qq{    tournament_database "$conninfo";} ],
    );

    for my $change (@changes) {
        my ($pattern, $replacement) = @$change;

        $conf =~ s/$pattern/$replacement/
            or croak "nginx.conf.example has nothing like $pattern";
    }

    if ($options{application}) {
        $conf =~ s/^( +)# (?!tournament_database_file)(?=.*[;{}]$)/$1/gm;
        $conf =~ s/\bserver 127\.0\.0\.1:8000;/server $options{application};/
            or croak 'nginx.conf.example has no lines for an application';
    }

    return $conf;
}


# The location of client/page and the client, which are copied to where nginx
# may read them.

sub page {
    my ($dir) = @_;

    make_path("$dir/page");

    for my $file (map { glob project($_) }
                      qw(client/tournament.js client/page/*))
    {
        my ($name) = $file =~ m{([^/]+)\z};

        spew("$dir/page/$name", slurp($file));
    }

    return "location / { root $dir/page; types { text/html html;"
        . ' text/css css; text/javascript js; } }';
}


sub start {
    my ($self, $seconds) = @_;

    croak "$self->{name} runs already" if $self->{pid};

    for my $try (1 .. 5) {
        $self->_write_conf;

        open my $out, '>', "$self->{dir}/stderr"
            or croak "open $self->{dir}/stderr: $!";

        $self->{pid} = spawn({
            stdout => $out,
            stderr => $out,
            defined $self->{clock} ? (env => $self->_clock_environment) : (),
        }, $self->_command('-g', $self->{daemon} ? 'daemon on;'
                                                 : 'daemon off;'));

        if ($self->{daemon}) {
            reap($self->{pid}, 30);
            $self->{pid} = $self->_pid_of_file
                // croak "nginx does not start:\n"
                    . slurp("$self->{dir}/stderr");
        }

        my $ready = $self->_wait_ready($seconds // 30);

        if ($ready) {
            $self->{started} = 1;
            return $self;
        }

        my $said = slurp("$self->{dir}/stderr");

        croak "nginx does not start:\n$said"
            if $said !~ /Address already in use/ || $self->{started}
                || $self->{fixed};

        # Somebody took the port since it was found free.

        $self->expect_log(qr/bind\(\) to .* Address already in use/,
                          qr/still could not bind/);
        $self->{port}   = free_port();
        $self->{spread} = free_port();
    }

    croak 'no free port for nginx';
}


# False when nginx ended instead.

sub _wait_ready {
    my ($self, $seconds) = @_;

    my $ended;

    eval {
        poll_until {
            if (defined reap($self->{pid}, 0) && !alive($self->{pid})) {
                $ended = 1;
                return 1;
            }

            return $self->_listens && $self->_complete;
        } $seconds, "$self->{name} listens";

        1;
    } or do {
        my $error = $@;
        $self->stop('kill');
        die $error . slurp("$self->{dir}/stderr");
    };

    delete $self->{pid} if $ended;

    return !$ended;
}


sub _listens {
    my ($self) = @_;

    return !!IO::Socket::INET->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{port},
        Timeout  => 1,
    );
}


sub _complete {
    my ($self) = @_;

    return $self->worker_pids >= ($self->_workers || 1);
}


sub _workers {
    my ($self) = @_;

    my $conf = $self->{conf} // return $self->{workers};

    return 0 if $conf =~ /^\s*master_process\s+off/m;
    return $conf =~ /^\s*worker_processes\s+(\d+)/m ? $1 : 1;
}


sub _command {
    my ($self, @arguments) = @_;

    my @valgrind = $self->{valgrind} ? (
        'valgrind', '--quiet', '--leak-check=full', '--track-fds=no',
        '--errors-for-leak-kinds=definite', '--show-leak-kinds=definite',
        '--num-callers=30', '--verbose',
        "--log-file=$self->{dir}/valgrind.%p",
        map { "--suppressions=$_" }
            grep { -e } project('t/valgrind.supp'),
    ) : ();

    # What goes wrong before the configuration is read goes to standard error.
    # nginx before 1.19.5 cannot be told to leave its own log alone.

    push @arguments, '-e', 'stderr' if _has_option_e();

    return (@valgrind, binary(), '-p', "$self->{dir}/",
            '-c', $self->conf_file, @arguments);
}


sub test {
    my ($self, %options) = @_;

    my %before = %$self;

    $self->set(%options);

    my $file = "$self->{dir}/test.conf";

    spew($file, $self->_conf);
    @$self{@CONFIGURING} = @before{@CONFIGURING};

    my @command = $self->_command('-t');

    s/\Q${\ $self->conf_file }\E\z/$file/ for @command;

    my ($status, $output) = run({}, grep { !/valgrind|^--/ } @command);

    $output =~ s/^.*could not open error log file.*\n//m
        unless _has_option_e();

    return ($status == 0, $output);
}


sub reload {
    my ($self, %options) = @_;

    my $wait = delete $options{wait} // 1;
    my @old  = $self->worker_pids;

    $self->set(%options);
    $self->_write_conf;
    $self->log_mark;
    $self->signal('HUP');

    poll_until {
        croak "reload failed:\n" . $self->log_since
            if $self->log_since =~ /\[emerg\]/;

        my @now = $self->worker_pids;

        for my $pid (@old) {
            return 0 if grep { $_ == $pid } @now;
        }

        return @now >= $self->_workers;
    } 30, "$self->{name} has new workers";

    if ($wait) {
        poll_until {
            !grep { alive($_) } @old
        } 30, "old workers of $self->{name} are gone";
    }

    return $self;
}


sub _pid_of_file {
    my ($self) = @_;

    my ($file) = $self->_conf =~ /^\s*pid (\S+);/m;

    return -s $file && slurp($file) =~ /(\d+)/ ? $1 : undef;
}


sub upgraded {
    my ($self) = @_;

    my $old = $self->{pid};

    poll_until {
        !alive($old)
    } 30, "the old master of $self->{name} is gone";

    $self->{pid} = $self->_pid_of_file;

    return $self;
}


sub signal {
    my ($self, $signal) = @_;

    kill $signal, $self->{pid} or croak "kill -$signal $self->{pid}: $!";

    return $self;
}


sub running {
    my ($self) = @_;

    return $self->{pid} && alive($self->{pid}) ? 1 : 0;
}


sub stop {
    my ($self, $how) = @_;

    $how //= 'quit';

    my $pid    = $self->{pid} or return $self;
    my $signal = $SIGNAL{$how}
        or croak "stop: no such way: $how (quit, term, kill)";

    my @workers = children($pid);

    kill $signal, $pid;
    kill $signal, @workers if $how eq 'kill';

    # A single process that is told just before it begins to wait for events
    # waits on: nginx has no channel to it. Telling it again does no harm.

    my $again = !($self->_workers || 0);

    my $gone = eval {
        poll_until {
            return 1 if defined reap($pid, 0)
                        && !grep { alive($_) } $pid, @workers;

            kill $signal, $pid if $again;

            return 0;
        } 30, "$self->{name} is gone after $signal"
    };

    my $error = $@;

    delete $self->{pid};

    if (!$gone) {
        kill 'KILL', $pid, @workers;
        reap($pid, 10);
        die $error;
    }

    return $self;
}


# nginx says in a process's title what it is. Under valgrind it cannot.

sub _workers_titled {
    my ($self, $title) = @_;

    return $title =~ /down/ ? () : ($self->{pid})
        if defined $self->_workers && $self->_workers == 0;

    my @children = children($self->{pid});

    if ($self->{valgrind}) {
        return $title =~ /down/ ? () : @children;
    }

    return grep { _title($_) =~ /^nginx: \Q$title\E[\0 ]*\z/ } @children;
}


sub _title {
    my ($pid) = @_;

    open my $fh, '<', "/proc/$pid/cmdline" or return '';

    return scalar <$fh> // '';
}


sub worker_pids {
    my ($self) = @_;

    return $self->_workers_titled('worker process');
}


sub old_worker_pids {
    my ($self) = @_;

    return $self->_workers_titled('worker process is shutting down');
}


# One that ends while it is looked at holds nothing.

sub held {
    my ($self) = @_;

    my %held = (workers => 0, descriptors => 0, anonymous => 0);

    for my $pid ($self->worker_pids, $self->old_worker_pids) {
        my $status = eval { slurp("/proc/$pid/status") } // next;

        $held{workers}++;
        $held{descriptors} += () = glob "/proc/$pid/fd/*";
        $held{anonymous}   += $status =~ /^RssAnon:\s+(\d+)/m ? $1 : 0;
    }

    return \%held;
}


sub kill_worker {
    my ($self, $pid) = @_;

    $pid //= ($self->worker_pids)[0];

    $self->expect_log(qr/worker process $pid exited on signal 9/);

    kill 'KILL', $pid or croak "kill -9 $pid: $!";

    poll_until {
        my @workers = $self->worker_pids;
        @workers >= $self->_workers && !grep { $_ == $pid } @workers
    } 20, "$self->{name} has replaced worker $pid";

    return $self;
}


sub connect {
    my ($self, %options) = @_;

    return Tournament::HTTP->new(port => $self->{port}, %options);
}


sub request {
    my ($self, @arguments) = @_;

    return $self->connect->request(@arguments, close => 1);
}


for my $method (qw(get head post)) {
    no strict 'refs';

    *$method = sub {
        my ($self, $path, @arguments) = @_;

        return $self->request(uc $method, $path, @arguments);
    };
}


sub state {
    my ($self, $slug, @headers) = @_;

    return $self->get("/tournaments/api/$slug/state/", @headers);
}


# The kernel chooses among the sockets of reuseport by the client's port: a
# few tries reach everyone.

sub connect_workers {
    my ($self) = @_;

    my @workers = $self->worker_pids;
    my %connection;

    for my $try (1 .. 200) {
        my $connection = Tournament::HTTP->new(port => $self->{spread});
        my $pid        = $connection->get('/-/worker')->body;

        $connection{$pid} //= $connection;

        return \%connection if keys %connection >= @workers;
    }

    croak 'some worker accepts no connections';
}


sub access_log {
    my ($self) = @_;

    my $file = "$self->{dir}/access.log";

    return -e $file ? split(/\n/, slurp($file)) : ();
}


sub cleanup {
    my ($self) = @_;

    return if $self->{owner} != $$;

    $self->stop($? ? 'term' : 'quit');

    return;
}


sub _write_conf {
    my ($self) = @_;

    return spew($self->conf_file, $self->_conf);
}


sub _text {
    my ($part) = @_;

    return join "\n", ref $part eq 'ARRAY' ? @$part : $part // ();
}


sub _conf {
    my ($self) = @_;

    my %value = (
        PORT   => $self->{port},
        DIR    => $self->{dir},
        MODULE => module_file(),
    );

    my $conf = defined $self->{conf} ? $self->{conf} : $self->_composed;

    $conf =~ s/%%(PORT|DIR|MODULE)%%/$value{$1}/g;

    return $conf;
}


sub _composed {
    my ($self) = @_;

    my $dir       = $self->{dir};
    my $user      = worker_user();
    my $database  = $self->{database};
    my $locations = $self->{locations} // ($self->{module}
                                           ? state_location() : '');

    $locations = join "\n", map { "location $_ { $locations->{$_} }" }
        sort keys %$locations if ref $locations eq 'HASH';

    $database = $database->conninfo if ref $database;

    if (defined $database) {
        $database =~ s/([\\"])/\\$1/g;
    }

    my $main = join "\n",
        $self->{module} ? 'load_module %%MODULE%%;' : (),
        defined $user ? "user $user;" : (),
        defined $self->{clock}
            ? map({ "env $_;" } sort keys %{ $self->_clock_environment }) : (),
        $self->{workers}
            ? "worker_processes $self->{workers};"
            : "worker_processes 1;\nmaster_process off;";

    my $format = $self->{module}
        ? '$status $tournament_cache_status $tournament_query_time '
        : '$status - - ';

    my $cache = $self->{module}
        ? 'add_header X-Cache $tournament_cache_status always;' : '';

    my $tournament = !$self->{module} ? '' : join "\n    ",
        defined $self->{zone} ? "tournament_zone $self->{zone};" : (),
        defined $database ? qq{tournament_database "$database";} : (),
        $self->{feed} ? () : ('tournament_listen off;',
                              'tournament_warm off;');

    my $temp = join "\n    ", map { "${_}_temp_path %%DIR%%/temp_$_;" }
        @TEMP;

    return <<"END";
$main
error_log %%DIR%%/error.log $self->{level};
pid %%DIR%%/nginx.pid;
${\ _text($self->{main}) }

events {
    worker_connections ${\ ($self->{connections} // 1024) };
    ${\ _text($self->{events}) }
}

http {
    log_format test '$format\$request_time \$request';
    access_log %%DIR%%/access.log test;
    default_type text/plain;
    add_header X-Worker \$pid always;
    $cache
    $temp
    $tournament
    ${\ _text($self->{http}) }

    server {
        listen 127.0.0.1:%%PORT%% backlog=4096;
        listen 127.0.0.1:$self->{spread} reuseport;
        location = /-/worker { access_log off; return 200 \$pid; }
        ${\ _text($self->{server}) }
        ${\ _text($locations) }
    }
}
END
}


1;
