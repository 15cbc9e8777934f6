package Bench::Result;

# What one case found: rows of a table, and remarks beneath it.
#
#   $result->row(name => ..., value => ..., ...)
#       name       what was measured
#       value      the figure; samples => [...] in its place reports their
#                  median, and the least and the greatest beside it
#       unit       of the value, "requests/s" say
#       ratio      to the row that the case compares with; quartiles => [2]
#       target     [at_least => 0.95] or [at_most => 1.10]: for the ratio, or,
#                  where the row has none, for the value
#       p50_us, p99_us   latency
#       busy       share of its core that the server was working, 0 to 1
#       more       hash of further figures, for the JSON only
#   $result->absent($name, $why)     a row for what could not be measured
#   $result->note($text)             a remark, in Markdown

use strict;
use warnings;

use Bench::Stats qw(median quantile);


sub new {
    my ($class, $case) = @_;

    return bless {
        name  => $case->{name},
        title => $case->{title},
        rows  => [],
        notes => [],
    }, $class;
}


sub row {
    my ($self, %row) = @_;

    if (my $samples = $row{samples}) {
        $row{value} = median(@$samples);
        $row{low}   = quantile(0, @$samples);
        $row{high}  = quantile(1, @$samples);
    }

    if (my $target = $row{target}) {
        my ($kind, $limit) = @$target;
        my $is = $row{ratio} // $row{value};

        $row{met} = $kind eq 'at_least' ? $is >= $limit : $is <= $limit;
    }

    push @{ $self->{rows} }, \%row;

    return \%row;
}


sub absent {
    my ($self, $name, $why) = @_;

    push @{ $self->{rows} }, { name => $name, absent => $why };

    return;
}


sub note {
    my ($self, $text) = @_;

    push @{ $self->{notes} }, $text;

    return;
}


sub skipped {
    my ($self, $why) = @_;

    $self->{skipped} = $why;

    return;
}


sub failed {
    my ($self, $why) = @_;

    $self->{failed} = $why;

    return;
}


1;
