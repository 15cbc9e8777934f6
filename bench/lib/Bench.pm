package Bench;

# What the cases of bench/cases/ stand on.  A case is a file that ends in a
# hash:
#
#   name    one word, for --only
#   title   heading of its table
#   run     sub { my ($bench, $result) = @_; ... } measures, and fills a
#           Bench::Result. What dies there fails this case alone.
#
# Files are taken in the order of their names.  What a case starts may stay up
# for the next one; all of it is stopped at the end, whatever ends the bench.
#
#   $bench->quick              1: a run for whoever works on the bench, a
#                              tenth of everything
#   $bench->server, load       the core that the measured server has, and that
#                              of whoever asks it (the same where there is one)
#   $bench->postgres           Tournament::Postgres with the bench's data, on
#                              no core of its own until pinned
#   $bench->postgres_of($n, %o)    another one, with so many tournaments, and
#                              options of Tournament::Postgres, as durable => 1;
#                              it is stopped once nobody holds it
#   $bench->module             path of the module; undef: not built
#   $bench->module_conf(%o)    lines for http { }: zone and database, without
#                              the feed unless feed => 1, and never with what
#                              warming would load at a start; postgres =>
#                              another one than $bench->postgres
#   $bench->nginx(name => ..., server => ..., ...)   a Bench::Nginx
#   $bench->django(cache => 1, core => ...)          a Bench::Django
#   $bench->need(@programs)    dies as skip() does when one is missing
#   $bench->skip($why)         ends the case: it cannot be measured here
#   $bench->try($result, $name, sub { ... })
#                              what the sub returns; where it skips, a row
#                              that says so, and undef
#   $bench->wrk(...)           one load; see below
#   $bench->compare($result, ...), pairs
#                              subjects measured in turn; see below

use strict;
use warnings;
use utf8;

use Bench::Django;
use Bench::Machine qw(cores on_core busy busy_clock);
use Bench::Nginx;
use Bench::Stats qw(median quantile);
use Carp;
use JSON::PP ();
use List::Util qw(max min);
use Scalar::Util ();
use Tournament::Nginx;
use Tournament::Postgres;
use Tournament::Util qw(project run);

# So many tournaments data.sql makes, and so many of them have registrations.

use constant {
    TOURNAMENTS => 300_000,
    WITH_REGISTRATIONS => 10_000,
};


sub new {
    my ($class, %options) = @_;

    my @cores = cores();

    return bless {
        quick    => $options{quick} // 0,
        rounds   => $options{rounds} // ($options{quick} ? 2 : 5),
        seconds  => $options{seconds} // ($options{quick} ? 1 : 2),
        warm_up  => 1,
        databases => 0,         # of postgres_of: each has a name of its own
        cores    => \@cores,
        say      => $options{say} // sub { },
    }, $class;
}


sub quick   { return $_[0]{quick} }
sub rounds  { return $_[0]{rounds} }
sub seconds { return $_[0]{seconds} }
sub warm_up { return $_[0]{warm_up} }
sub server  { return $_[0]{cores}[0] }
sub load    { return $_[0]{cores}[1] // $_[0]{cores}[0] }

sub say {
    my ($self, $text) = @_;

    $self->{say}->($text);

    return;
}


sub skip {
    my ($self, $why) = @_;

    die Bench::Skip->new($why);
}


sub need {
    my ($self, @programs) = @_;

    for my $program (@programs) {
        next if grep { -x "$_/$program" }
            split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin';

        $self->skip("$program is not installed");
    }

    return;
}


# Debian's own Python, as that is what gunicorn's package runs.

sub need_python {
    my ($self, @modules) = @_;

    for my $module (@modules) {
        my ($status) = run({}, '/usr/bin/python3', '-c', "import $module");

        $self->skip("Python's $module is not installed") if $status;
    }

    return;
}


sub try {
    my ($self, $result, $name, $code) = @_;

    my $value;

    return $value if eval { $value = $code->(); 1 };

    my $error = $@;

    die $error if !Bench::Skip->caught($error);

    $result->absent($name, $error->why);

    return undef;
}


sub postgres {
    my ($self) = @_;

    return $self->{postgres} //= do {
        my $pg = Tournament::Postgres->new(
            name => 'bench',
            load => ['schema', 'demo', project('bench', 'data.sql'),
                     'install'],
            conf => {
                shared_buffers  => '512MB',
                max_connections => 60,
            },
        );

        # Its hours are not to go from two digits to one within a run, nor
        # its days: the answer would change its length.

        $pg->psql(q{
            UPDATE tournaments_tournament
               SET reg_open_at  = now() - interval '1 day',
                   reg_close_at = now() + interval '30 days 5:59:00',
                   start_at     = now() + interval '40 days 5:59:00'
             WHERE slug = 'bench-cached';
        });

        $pg
    };
}


sub postgres_of {
    my ($self, $tournaments, %options) = @_;

    my $pg = Tournament::Postgres->new(
        name => "bench$tournaments-" . ++$self->{databases},
        load => ['schema', 'demo'],
        %options,
    );

    $pg->load(project('bench', 'data.sql'), tournaments => $tournaments);
    $pg->load('install', role => 'tournament');
    $pg->psql('VACUUM ANALYZE');

    return $pg;
}


sub module {
    my $path = Tournament::Nginx::module_file();

    return -f $path ? $path : undef;
}


sub module_conf {
    my ($self, %options) = @_;

    $self->skip('the module is not built (make)') if !$self->module;

    my $zone        = $options{zone} // '64m';
    my $connections = $options{connections} // 4;
    my $postgres    = $options{postgres} // $self->postgres;
    my $conninfo    = $postgres->conninfo;

    return qq{
        tournament_zone $zone;
        tournament_database "$conninfo";
        tournament_database_connections $connections;
        tournament_listen ${\ ($options{feed} ? 'on' : 'off') };
        ${\ (($options{feed} // '') eq 'logical'
             ? 'tournament_feed logical;' : '') }
        tournament_warm off;
    };
}


sub nginx {
    my ($self, %options) = @_;

    return Bench::Nginx->new(core => $self->server, %options);
}


sub django {
    my ($self, %options) = @_;

    $self->need('gunicorn', $options{cache} ? 'redis-server' : ());
    $self->need_python('django', 'psycopg2',
                       $options{cache} ? 'django_redis' : ());

    return Bench::Django->new(
        core     => $self->server,
        postgres => $self->postgres,
        %options,
    );
}


# One load by wrk, from a core of its own.
#
#   port, path, or url
#   connections  32 by default
#   seconds      that of the run by default
#   script       of bench/wrk/, report.lua by default; args => [...] for it
#   headers      { name => value } of each request; not for a script that
#                makes requests of its own
#   core         of wrk; load by default
#   watch        core whose work is reported as busy; server by default
#   bytes        size of each answer: dies when they were others
#
# Returns { rate (requests a second), requests, p50_us, p99_us, busy, ... }.
# Dies when an answer was not 2xx or 3xx, or a connection failed.

sub wrk {
    my ($self, %options) = @_;

    $self->need('wrk', 'taskset');

    my $url = $options{url}
        // "http://127.0.0.1:$options{port}" . ($options{path} // '/');
    my $seconds     = $options{seconds} // $self->{seconds};
    my $connections = $options{connections} // 32;
    my $script      = project('bench', 'wrk', $options{script} // 'report.lua');

    # wrk takes whole seconds only, as it takes numbers with units.

    my $whole = $seconds < 1 ? 1 : int $seconds;

    my $before = busy_clock();

    my ($status, $output) = run({ timeout => $whole + 60 }, on_core(
        $options{core} // $self->load, 'wrk', '-t', 1, '-c', $connections,
        '-d', "${whole}s", '--timeout', '10s', '-s', $script,
        _headers($options{headers}), $url,
        $options{args} ? ('--', @{ $options{args} }) : ()));

    my $after = busy_clock();

    my ($json) = $output =~ /^wrk-report (\{.*\})$/m;

    croak "wrk failed for $url:\n$output" if $status || !defined $json;

    my $report = JSON::PP::decode_json($json);

    croak "$url: no answer" if !$report->{requests};
    croak "$url: $report->{errors} connections failed" if $report->{errors};
    croak "$url: $report->{bad_status} of $report->{requests} answers were "
        . 'errors' if $report->{bad_status};

    if (my $bytes = $options{bytes}) {
        my $got = $report->{bytes} / $report->{requests};

        # Answers that were cut off by the end of the load are in its bytes.

        croak sprintf('%s: answers had %.1f bytes, not %d', $url, $got, $bytes)
            if abs($got - $bytes) > $bytes / 200;
    }

    $report->{rate} = $report->{requests} / ($report->{duration_us} / 1e6);
    $report->{busy} = busy($before, $after, $options{watch} // $self->server);

    return $report;
}


sub _headers {
    my ($headers) = @_;

    return map { ('-H', "$_: $headers->{$_}") } sort keys %{ $headers // {} };
}


# Measures subjects in turn, round after round, and adds a row for each.
# Neighbours in time are compared: a subject's ratio is the median of the
# rounds' ratios, so that what slows the machine for a while slows both.
#
#   unit       of the figure
#   base       name of the subject that the others are compared with; a
#              subject may name another one (base => ...)
#   rounds     at most so many
#   saturated  1: the watched core is to have no time left; a remark names
#              the subjects that left it some, as their figure may be wrk's
#   subjects   [{ name, target, before => sub, measure => sub }, ...]
#              before is called ahead of each measure: starts, warms up;
#              measure returns { rate, p50_us, p99_us, busy }

sub compare {
    my ($self, $result, %options) = @_;

    my @subjects = @{ $options{subjects} };
    my (%samples, %reports);

    my $rounds = $options{rounds} // $self->{rounds};

    for my $round (1 .. min($rounds, $self->{rounds})) {

        # There and back, so that none is always behind the same one.

        for my $subject ($round % 2 ? @subjects : reverse @subjects) {
            my $name = $subject->{name};

            $subject->{before}->() if $subject->{before};

            my $report = $subject->{measure}->();

            push @{ $samples{$name} }, $report->{rate};
            push @{ $reports{$name} }, $report;

            $self->say(sprintf '  round %d: %-48s %10.0f %s', $round, $name,
                       $report->{rate}, $options{unit});
        }
    }

    my @idle;

    for my $subject (@subjects) {
        my $name = $subject->{name};
        my $base = $subject->{base} // $options{base};

        my %row = (
            name    => $name,
            unit    => $options{unit},
            samples => $samples{$name},
            target  => $subject->{target},
        );

        for my $key (qw(p50_us p99_us busy)) {
            my @values = grep { defined } map { $_->{$key} }
                @{ $reports{$name} };

            $row{$key} = median(@values) if @values;
        }

        if (defined $base && $samples{$base}) {
            my @ratios = map {
                $samples{$name}[$_] / $samples{$base}[$_]
            } 0 .. $#{ $samples{$name} };

            $row{ratio}    = median(@ratios);
            $row{ratio_to} = $base;
            $row{ratios}   = \@ratios;
        }

        $result->row(%row);

        push @idle, $name if $options{saturated} && $row{busy} < 0.95;
    }

    $result->note('The load left the server’s core idle at times, so that '
        . 'these could be faster than measured: ' . join(', ', @idle) . '.')
        if @idle;

    return;
}


# Measures each subject right after, or right before, the one that it is
# compared with: subjects are as for compare(), and base is such a subject too.
# The ratio is the median of the pairs', of which there are at least seven in a
# run that is not quick; its quartiles stand beside it.

sub pairs {
    my ($self, $result, %options) = @_;

    my $rounds = $self->{quick} ? 2 : max(7, $self->{rounds});
    my (%samples, %ratios);

    for my $round (1 .. $rounds) {
        for my $subject (@{ $options{subjects} }) {
            my @pair = ($subject, $subject->{base});
            my %rate;

            for my $one ($round % 2 ? @pair : reverse @pair) {
                $one->{before}->();
                $rate{ $one->{name} } = $one->{measure}->()->{rate};
            }

            my ($rate, $base) = map { $rate{ $_->{name} } } @pair;

            push @{ $samples{ $subject->{name} } }, $rate;
            push @{ $ratios{ $subject->{name} } }, $rate / $base;

            $self->say(sprintf '  round %d: %-44s %8.0f %s, %.2f of %.0f',
                       $round, $subject->{name}, $rate, $options{unit},
                       $rate / $base, $base);
        }
    }

    for my $subject (@{ $options{subjects} }) {
        my @ratios = @{ $ratios{ $subject->{name} } };

        $result->row(
            name      => $subject->{name},
            unit      => $options{unit},
            samples   => $samples{ $subject->{name} },
            target    => $subject->{target},
            ratio     => median(@ratios),
            ratio_to  => $subject->{base}{name},
            ratios    => \@ratios,
            quartiles => [ quantile(0.25, @ratios), quantile(0.75, @ratios) ],
        );
    }

    return;
}


package Bench::Skip;

# What skip() dies of.

sub new {
    my ($class, $why) = @_;

    return bless { why => $why }, $class;
}


sub why { return $_[0]{why} }


sub caught {
    my ($class, $error) = @_;

    return Scalar::Util::blessed($error) && $error->isa($class);
}


1;
