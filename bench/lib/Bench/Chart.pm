package Bench::Chart;

# Results as a picture: bars in an SVG, drawn by gnuplot, for light and dark
# pages.
#
#   panels(\@results)      what is to be drawn of them: [{ title, log,
#                          bars => [{ name, value, low, high, ours }] }, ...]
#   script(\@panels)       the same for gnuplot
#   chart(\@results)       the SVG's text; undef where nothing is to be drawn,
#                          or gnuplot is not installed

use strict;
use warnings;
use utf8;

use Bench::Report qw(number);
use Encode ();
use Exporter 'import';
use List::Util qw(max min sum);
use Tournament::Util qw(run slurp spew tempdir);

our @EXPORT_OK = qw(panels script chart);

# Pixels.

my $WIDTH = 890;
my $BAR   = 24;
my $HEAD  = 64;                 # of a panel: its title, and air above
my $LEFT  = 330;
my $RIGHT = 90;

# gnuplot is told of these colours, which the page's own then replace.

my %COLOURS = (
    '#010101' => 'text',
    '#020202' => 'ours',
    '#030303' => 'other',
    '#040404' => 'range',
);

my $STYLE = <<'END';
<style>
.page { fill: #ffffff; } .text { fill: #1f2328; }
.ours { fill: #0969da; } .other { fill: #afb8c1; }
.range { stroke: #1f2328; fill: none; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } .text { fill: #e6edf3; }
.ours { fill: #4493f8; } .other { fill: #656c76; }
.range { stroke: #e6edf3; }
}
</style>
END


# The cases that are drawn, in this order.

my @PANELS = (
    { case => 'cached', title => 'requests/s' },
    { case => 'hits', title => 'requests/s', all => 1 },
    { case => 'misses', title => 'requests/s' },
    { case => 'latency', title => 'µs, p50 and p99, logarithmic', all => 1,
      latency => 1, log => 1 },
    { case => 'growth', title => 'µs/request', all => 1 },
);


sub panels {
    my ($results) = @_;

    my %by_name = map { $_->{name} => $_ } @$results;
    my @panels;

    for my $panel (@PANELS) {
        my $result = $by_name{ $panel->{case} } // next;

        my @bars = map { _bars($panel, $_) }
            grep { !defined $_->{absent} } @{ $result->{rows} };

        push @panels, {
            title => "$result->{title}: $panel->{title}",
            log   => $panel->{log} // 0,
            bars  => \@bars,
        } if @bars;
    }

    return \@panels;
}


sub _bars {
    my ($panel, $row) = @_;

    my %bar = (
        name => $row->{name} =~ tr/`//dr,
        ours => $panel->{all} || $row->{name} =~ /^this module/ ? 1 : 0,
    );

    # A latency has two bars: its median is ours, its tail the other.

    return ({ %bar, value => $row->{p50_us} },
            { %bar, name => '', value => $row->{p99_us}, ours => 0 })
        if $panel->{latency};

    return {
        %bar,
        value => $row->{value},
        low   => $row->{low},
        high  => $row->{high},
    };
}


sub _quote {
    my ($text) = @_;

    return '"' . ($text =~ s/(["\\])/\\$1/gr) . '"';
}


sub script {
    my ($panels) = @_;

    my $height = sum(map { $HEAD + $BAR * @{ $_->{bars} } } @$panels) + $BAR;

    my $text = <<"END";
set encoding utf8
set terminal svg size $WIDTH,$height noenhanced font "sans-serif,13"
set multiplot
set border 0
unset xtics
unset key
set ytics scale 0 textcolor rgb "#010101"
set lmargin at screen @{[ $LEFT / $WIDTH ]}
set rmargin at screen @{[ 1 - $RIGHT / $WIDTH ]}
set style fill solid noborder
END

    my $top = 0;

    for my $n (0 .. $#$panels) {
        my $panel  = $panels->[$n];
        my @bars   = @{ $panel->{bars} };
        my @values = map { ($_->{value}, $_->{high} // ()) } @bars;
        my $max    = max(@values);
        my $min    = $panel->{log} ? min(@values) / 2 : 0;

        $top += $HEAD;

        my $bottom = $top + $BAR * @bars;

        $text .= "\$bars$n << END\n";

        for my $i (0 .. $#bars) {
            my $bar = $bars[$i];

            $text .= join(' ', $i, $bar->{value},
                $bar->{low} // $bar->{value}, $bar->{high} // $bar->{value},
                $bar->{ours}, _quote($bar->{name}),
                _quote(number($bar->{value}))) . "\n";
        }

        my @rows = (
            'set tmargin at screen ' . (1 - $top / $height),
            'set bmargin at screen ' . (1 - $bottom / $height),
            ($panel->{log} ? 'set' : 'unset') . ' logscale x',
            "set xrange [$min:$max]",
            'set yrange [' . (@bars - 0.5) . ':-0.5]',
            'set label 1 ' . _quote($panel->{title})
                . ' at graph 0, graph 1 offset character 0, 1 left'
                . ' textcolor rgb "#010101" font ",15"',
        );

        my $bar = sub {
            my ($ours, $colour) = @_;

            return "\$bars$n using (\$5 == $ours ? \$2 : NaN):1"
                . ":($min):2:(\$1 - 0.36):(\$1 + 0.36):ytic(6)"
                . " with boxxyerror lc rgb \"$colour\"";
        };

        $text .= "END\n" . join("\n", @rows) . "\nplot "
            . join(", \\\n     ",
                $bar->(1, '#020202'), $bar->(0, '#030303'),
                "\$bars$n using (\$3 < \$4 ? \$2 : NaN):1:3:4 with xerrorbars"
                    . ' pt -1 lc rgb "#040404"',
                "\$bars$n using 4:1:7 with labels left offset character 1, 0"
                    . ' textcolor rgb "#010101"') . "\n";

        $top = $bottom;
    }

    return $text . "unset multiplot\n";
}


sub chart {
    my ($results) = @_;

    my $panels = panels($results);

    return undef if !@$panels
        || !grep { -x "$_/gnuplot" } split /:/, $ENV{PATH};

    my $dir = tempdir();

    spew("$dir/chart.gp", Encode::encode('UTF-8',
        "set output \"$dir/chart.svg\"\n" . script($panels)));

    my ($status, $output) = run({ timeout => 60 }, 'gnuplot',
                                "$dir/chart.gp");

    die "gnuplot failed:\n$output" if $status;

    return _for_pages(slurp("$dir/chart.svg"));
}


sub _for_pages {
    my ($svg) = @_;

    for my $colour (sort keys %COLOURS) {
        my $rgb = join ',[ ]*', map { hex } $colour =~ /(..)(..)(..)\z/;

        $svg =~ s/(?:fill|stroke|color)[ ]*=[ ]*(['"])
                  (?:\Q$colour\E|rgb\([ ]*$rgb[ ]*\))\g1
                 /class="$COLOURS{$colour}"/gx;
    }

    $svg =~ s/(<rect x="0" y="0" [^>]*) fill="none"/$1 class="page"/;

    $svg =~ s/(<svg\b[^>]*>)/$1\n$STYLE/;

    # Points that no plot here has, groups of nothing, a line for each tag.

    $svg =~ s{<defs>.*?</defs>}{}s;
    $svg =~ s{<g [^>]*>\s*</g>}{}g;
    $svg =~ s{(?<!</style>)\s*\n\s*(?!<(?:style|g)\b|[.\}\@])}{ }g;
    $svg =~ s{[ ]+(?=</?(?:text|g)\b)}{}g;

    return $svg;
}


1;
