package Bench::Report;

# Results as Markdown, for the documents and for the terminal, and as JSON.
#
#   markdown($machine, \@results, \@warnings)     the whole document
#   targets(\@results)                            a table of all targets
#   section($result)                              one case of it
#   json($machine, \@results, \@warnings, \%run)
#   number($value)                                12345.6 is 12,346

use strict;
use warnings;
use utf8;

use Exporter 'import';
use JSON::PP ();

our @EXPORT_OK = qw(markdown section targets json number);


# Small ones keep three significant digits.

sub number {
    my ($value) = @_;

    return '' if !defined $value;

    my $text = $value == int $value || abs $value >= 100
        ? sprintf('%.0f', $value) : sprintf('%.3g', $value);

    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;

    return $text;
}


sub _time {
    my ($us) = @_;

    return '' if !defined $us;
    return $us < 1000 ? sprintf('%d µs', $us)
         : $us < 1e6  ? sprintf('%.3g ms', $us / 1e3)
         :              sprintf('%.3g s', $us / 1e6);
}


sub _target {
    my ($row) = @_;

    my ($kind, $limit) = @{ $row->{target} // return '' };

    # A ratio of 0.9 is shown as 0.90, like the ratio beside it.

    my $text = defined $row->{ratio} ? sprintf('%.2f', $limit)
                                     : number($limit);

    return ($kind eq 'at_least' ? '≥ ' : '≤ ') . $text
        . ($row->{met} ? ' ✓' : ' ✗');
}


# A column appears when one row at least has something in it.

my @COLUMNS = (
    ['',         'left',  sub {
        $_[0]{name} =~ /^(this module)(.*)/s ? "**$1**$2" : $_[0]{name}
    }],
    ['value',    'right', sub {
        defined $_[0]{value}
            ? join(' ', number($_[0]{value}), $_[0]{unit} // ()) : ''
    }],
    ['range',    'right', sub {
        defined $_[0]{low}
            ? number($_[0]{low}) . ' – ' . number($_[0]{high}) : ''
    }],
    ['ratio',    'right', sub {
        defined $_[0]{ratio}
            ? $_[0]{ratio} < 0.1 ? sprintf('%.2g', $_[0]{ratio})
                                 : sprintf('%.2f', $_[0]{ratio})
            : ''
    }],
    ['quartiles', 'right', sub {
        join ' – ', map { sprintf '%.2f', $_ } @{ $_[0]{quartiles} // [] }
    }],
    ['target',   'right', \&_target],
    ['p50',      'right', sub { _time($_[0]{p50_us}) }],
    ['p99',      'right', sub { _time($_[0]{p99_us}) }],
    ['server’s core busy', 'right', sub {
        defined $_[0]{busy} ? sprintf('%.0f %%', 100 * $_[0]{busy}) : ''
    }],
);


sub section {
    my ($result) = @_;

    my $text = "### $result->{title}\n\n";

    if (defined $result->{skipped}) {
        $text .= "Not measured: $result->{skipped}.\n\n";
    }

    if (defined $result->{failed}) {
        my ($why) = $result->{failed} =~ /\A(.*)/;

        $text .= "Failed: $why\n\n";
    }

    my @measured = grep { !defined $_->{absent} } @{ $result->{rows} };
    my @absent   = grep { defined $_->{absent} } @{ $result->{rows} };

    my @columns = grep {
        my $cell = $_->[2];
        grep { $cell->($_) ne '' } @measured
    } @COLUMNS;

    if (@measured) {
        my @units = do {
            my %seen;
            grep { !$seen{$_}++ } map { $_->{unit} // '' } @measured
        };

        # One unit for all stands in the heading.

        my $common = @units == 1 ? $units[0] : undef;

        my @head = map {
            $_->[0] eq 'value' && defined $common ? $common : $_->[0]
        } @columns;

        $text .= '| ' . join(' | ', @head) . " |\n";
        $text .= '| ' . join(' | ', map {
            $_->[1] eq 'right' ? '---:' : '---'
        } @columns) . " |\n";

        for my $row (@measured) {
            my %row = %$row;

            delete $row{unit} if defined $common;

            $text .= '| ' . join(' | ', map { $_->[2](\%row) } @columns)
                . " |\n";
        }

        $text .= "\n";
    }

    $text .= "- Not measured: $_->{name}: $_->{absent}.\n" for @absent;
    $text .= "- $_\n" for @{ $result->{notes} };
    $text .= "\n" if @absent || @{ $result->{notes} };

    return $text;
}


# What was measured of a row that its target is for.

sub _measured {
    my ($row) = @_;

    return sprintf('%.2f of %s', $row->{ratio}, $row->{ratio_to} // 'that')
        if defined $row->{ratio};

    return join ' ', number($row->{value}), $row->{unit} // ();
}


sub targets {
    my ($results) = @_;

    my @rows;

    for my $result (@$results) {
        push @rows, map { [$result->{title}, $_] }
            grep { $_->{target} } @{ $result->{rows} };
    }

    return '' if !@rows;

    my $met  = grep { $_->[1]{met} } @rows;
    my $text = "### Targets\n\n$met of " . scalar @rows . " are met.\n\n"
        . "| | | measured | target |\n| --- | --- | ---: | ---: |\n";

    my $last = '';

    for (@rows) {
        my ($title, $row) = @$_;

        $text .= '| ' . join(' | ', $title eq $last ? '' : $title,
            $row->{name}, _measured($row), _target($row)) . " |\n";

        $last = $title;
    }

    return "$text\n";
}


sub markdown {
    my ($machine, $results, $warnings) = @_;

    my $versions = $machine->{versions};
    my $cores    = $machine->{cores} == 1 ? 'core' : 'cores';

    my $text = "Measured on $machine->{date}: $machine->{cpu}, "
        . "$machine->{cores} $cores, $machine->{memory_gib} GiB, "
        . "$machine->{kernel}; "
        . join(', ', map { "$_ $versions->{$_}" }
                     grep { defined $versions->{$_} } sort keys %$versions)
        . ".\n\n";

    $text .= "**$_**\n\n" for @$warnings;
    $text .= targets($results);
    $text .= section($_) for @$results;

    $text =~ s/\n+\z/\n/;

    return $text;
}


sub json {
    my ($machine, $results, $warnings, $run) = @_;

    my @cases;

    for my $result (@$results) {
        my %case = %$result;

        $case{rows} = [map {
            my %row = %$_;

            if (exists $row{met}) {
                $row{met} = $row{met} ? JSON::PP::true : JSON::PP::false;
            }

            $row{target} = { @{ $row{target} } } if $row{target};

            \%row
        } @{ $result->{rows} }];

        push @cases, \%case;
    }

    return JSON::PP->new->canonical->pretty->utf8->encode({
        machine  => $machine,
        run      => $run,
        warnings => $warnings,
        cases    => \@cases,
    });
}


1;
