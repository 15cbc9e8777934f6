package Tournament::Session;

# One connection to PostgreSQL that stays open: a psql fed through pipes.
# Made by Tournament::Postgres->session(user => ..., dbname => ...).
#
#   $s->rows($sql)     all rows of all statements, as array references of
#                      character strings; NULL is undef. Dies with PostgreSQL's
#                      message when a statement fails.
#   $s->row($sql)      the first row, as a list
#   $s->value($sql)    the first column of the first row
#   $s->do($sql)       sends and does not wait: to hold a lock, or to be blocked
#   $s->wait($seconds) waits for the oldest statement sent by do(); its rows
#   $s->busy           how many do() have not been waited for
#   $s->pid            the server process's id, as in pg_stat_activity
#   $s->close          ends the session (an open transaction is rolled back)
#
# Statements are sent in order; rows() after do() waits for both. psql's own
# backslash commands work.

use strict;
use warnings;

use Carp;
use Encode ();
use IO::Handle;
use IO::Select;
use Tournament::Util qw(now remaining spawn reap at_end);

my $NULL = "\x01null\x01";


sub new {
    my ($class, %options) = @_;

    pipe my $in_read, my $in         or croak "pipe: $!";
    pipe my $out,     my $out_write  or croak "pipe: $!";
    pipe my $err,     my $err_write  or croak "pipe: $!";

    my $pid = spawn({
        stdin  => $in_read,
        stdout => $out_write,
        stderr => $err_write,
        env    => {
            PGCLIENTENCODING => 'UTF8',
            PGCONNECT_TIMEOUT => 10,
            %{ $options{env} // {} },
        },
    }, $options{psql}, qw(-X -q -t --csv -P), "null=$NULL", $options{conninfo});

    # Our copies of its ends would keep us from seeing it go.

    close $_ for $in_read, $out_write, $err_write;

    $_->blocking(0) for $in, $out, $err;

    my $self = bless {
        process => $pid,
        owner   => $$,
        in      => $in,
        out     => $out,
        err     => $err,
        to_send => '',
        got     => { out => '', err => '' },
        sent    => 0,
        waited  => 0,
    }, $class;

    at_end($self);

    $self->{pid} = $self->value('SELECT pg_backend_pid()');

    return $self;
}


sub pid  { return $_[0]{pid} }
sub busy { return $_[0]{sent} - $_[0]{waited} }


sub do {
    my ($self, $sql) = @_;

    croak 'the session is closed' if !$self->{process};

    my $n = ++$self->{sent};

    $self->{to_send} .= Encode::encode('UTF-8', "$sql\n;\n")
        . "\\echo >>>$n\n\\warn >>>$n\n";

    $self->_pump(0);

    return $self;
}


sub wait {
    my ($self, $seconds) = @_;

    croak 'nothing to wait for' if $self->{waited} >= $self->{sent};

    my $n        = ++$self->{waited};
    my $deadline = now() + ($seconds // 60);
    my %text;

    while (1) {
        for my $stream (qw(out err)) {
            next if defined $text{$stream};

            $text{$stream} = $1
                if $self->{got}{$stream} =~ s/\A(.*?)^>>>$n\n//ms;
        }

        last if keys %text == 2;

        if (now() >= $deadline) {
            $self->{waited}--;
            croak 'PostgreSQL has not answered in time';
        }

        if (!$self->_pump(remaining($deadline))) {
            my $message = $self->{got}{err};
            $self->close;
            croak "psql ended: $message";
        }
    }

    croak $1 if $text{err} =~ /^((?:psql:.*?:\s*)?(?:ERROR|FATAL|PANIC):.*)/ms;
    croak $text{err} if $text{err} =~ /^(?:psql: )?error:/m;

    return _parse($text{out});
}


sub rows {
    my ($self, $sql) = @_;

    $self->do($sql);

    $self->wait while $self->busy > 1;

    return $self->wait;
}


sub row {
    my ($self, $sql) = @_;

    my ($row) = $self->rows($sql);

    return $row ? @$row : ();
}


sub value {
    my ($self, $sql) = @_;

    return ($self->row($sql))[0];
}


sub close {
    my ($self) = @_;

    my $pid = delete $self->{process} or return;

    # Processes that the test has forked hold the pipe's other end open: psql
    # does not see ours go.

    syswrite $self->{in}, "\n\\q\n" unless $self->busy;

    close $self->{$_} for qw(in out err);

    # A psql that waits for an answer does not see its input's end.

    kill 'TERM', $pid if $self->busy;

    if (!defined reap($pid, 5)) {
        kill 'KILL', $pid;
        reap($pid, 5);
    }

    return;
}

sub cleanup { $_[0]->close }


sub DESTROY {
    my ($self) = @_;

    return if $self->{owner} != $$;

    local ($?, $@, $!);

    $self->close;

    return;
}


# Moves bytes in both directions, waiting up to $seconds for the first of
# them. False once psql has closed its output.

sub _pump {
    my ($self, $seconds) = @_;

    my $deadline = now() + $seconds;
    my $read     = IO::Select->new($self->{out}, $self->{err});
    my $alive    = 1;
    my $moved    = 0;

    while (1) {
        my $write = length $self->{to_send}
            ? IO::Select->new($self->{in}) : undef;

        my ($readable, $writable) = IO::Select->select(
            $read, $write, undef, $moved ? 0 : remaining($deadline));

        last unless $readable;
        last unless @$readable || @$writable;

        if (@$writable) {
            my $n = syswrite $self->{in}, $self->{to_send};

            return 0 if !defined $n && !$!{EAGAIN};

            substr $self->{to_send}, 0, $n // 0, '';
            $moved = 1;
        }

        for my $fh (@$readable) {
            my $stream = $fh == $self->{out} ? 'out' : 'err';
            my $n = sysread $fh, $self->{got}{$stream}, 65536,
                            length $self->{got}{$stream};

            if (!$n) {
                next if !defined $n && $!{EAGAIN};

                $read->remove($fh);
                $alive = 0 if $stream eq 'out';

                next;
            }

            $moved = 1;
        }

        last if !$alive;
    }

    return $alive;
}


sub _parse {
    my ($csv) = @_;

    my @rows;
    my $row = [];

    $csv = Encode::decode('UTF-8', $csv);

    while ($csv =~ /\G(?:"((?:[^"]|"")*)"|([^,\n]*))([,\n])/gc) {
        my ($quoted, $plain, $end) = ($1, $2, $3);

        if (defined $quoted) {
            $quoted =~ s/""/"/g;
            push @$row, $quoted;

        } else {
            push @$row, $plain eq $NULL ? undef : $plain;
        }

        if ($end eq "\n") {
            push @rows, $row;
            $row = [];
        }
    }

    return @rows;
}


1;
