package Tournament::Server;

# What the servers of a test have in common: a log that a test can wait for,
# and that is looked through when the test ends.
#
#   $server->log               the log's text
#   $server->log_mark          remembers the log's end
#   $server->log_since         the text after the last mark
#   $server->log_lines(qr//)   those of its lines that match; how many there are
#   $server->wait_for_log(qr//, $seconds)    until it matches what follows the
#                              last mark; returns the matching part
#   $server->expect_log(qr//)  lines that match it are no complaints
#
#   complaints()               the lines, of all servers of this test, that no
#                              test should leave behind: crashes, alerts,
#                              valgrind's errors
#   tails($lines)              the end of every log, for diag

use strict;
use warnings;

use Tournament::Util qw(poll_until slurp);

my @records;


# Called by a server's new(). $bad matches lines to complain about; the files
# of %more{files}, a glob, are looked through as well.

sub watch_log {
    my ($self, $log, $bad, $files) = @_;

    $self->{log}   = $log;
    $self->{mark}  = 0;
    $self->{allow} = [];

    push @records, {
        name  => $self->{name},
        log   => $log,
        bad   => $bad,
        files => $files,
        allow => $self->{allow},
    };

    return;
}


sub log {
    my ($self) = @_;

    return -e $self->{log} ? slurp($self->{log}) : '';
}


sub log_mark {
    my ($self) = @_;

    $self->{mark} = -s $self->{log} || 0;

    return $self;
}


sub log_since {
    my ($self) = @_;

    return substr $self->log, $self->{mark};
}


sub log_lines {
    my ($self, $pattern) = @_;

    my @lines = grep { $_ =~ $pattern } split /\n/, $self->log_since;

    return @lines;
}


sub wait_for_log {
    my ($self, $pattern, $seconds) = @_;

    my $found = eval {
        poll_until {
            $self->log_since =~ $pattern ? [$&] : undef
        } $seconds, "$pattern in the log of $self->{name}"
    };

    die $@ . _tail($self->{log}, 20) unless $found;

    return $found->[0];
}


sub expect_log {
    my ($self, @patterns) = @_;

    push @{ $self->{allow} }, @patterns;

    return $self;
}


sub complaints {
    my @complaints;

    for my $record (@records) {
        next unless defined $record->{bad};

        for my $file ($record->{log}, glob($record->{files} // '')) {
            next unless -e $file;

            for my $line (split /\n/, slurp($file)) {
                next unless $line =~ $record->{bad};
                next if grep { $line =~ $_ } @{ $record->{allow} };

                push @complaints, "$record->{name}: $line";
            }
        }
    }

    return @complaints;
}


sub tails {
    my ($lines) = @_;

    return map {
        my $record = $_;

        "--- end of the log of $record->{name}:\n"
            . _tail($record->{log}, $lines),
            map { "--- $_:\n" . _tail($_, 100) }
                grep { slurp($_) =~ $record->{bad} }
                glob($record->{files} // '');
    } @records;
}


sub _tail {
    my ($file, $count) = @_;

    return '' unless -e $file;

    my @lines = split /^/, slurp($file);

    @lines = @lines[-$count .. -1] if @lines > $count;

    return join '', @lines;
}


# Of a server that nobody has any more; each has a cleanup() of its own.

sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);

    eval { $self->cleanup; 1 } or warn $@;

    return;
}


1;
