# The bench's own reckoning: medians, ratios, targets, tables. What it measures
# is no business of a test.

use strict;
use warnings;
use utf8;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../bench/lib";

use Bench;
use Bench::Chart qw(chart panels script);
use Bench::Machine qw(busy cpu_time others);
use Bench::Report qw(json markdown number section targets);
use Bench::Result;
use Bench::Stats qw(median quantile);
use JSON::PP ();
use Tournament::Util qw(project run_ok);

is median(3, 1, 2), 2, 'median of an odd number';
is median(4, 1, 2, 3), 2.5, 'median of an even number';
is median(), undef, 'median of nothing';
is quantile(0, 3, 1, 2), 1, 'least';
is quantile(1, 3, 1, 2), 3, 'greatest';
is quantile(0.25, 0, 10), 2.5, 'quantiles are interpolated';

is number(1234567.8), '1,234,568', 'thousands';
is number(999), '999', 'below a thousand';
is number(0.04567), '0.0457', 'three digits of a small one';


# A measure that a case would make: figures that are known beforehand.

my %figures = (
    base  => [100, 200, 400],
    other => [200, 100, 100],
);

sub subjects {
    my %left = map { $_ => [@{ $figures{$_} }] } keys %figures;
    my @order;

    my @subjects = map {
        my $name = $_;

        +{
            name    => $name,
            before  => sub { push @order, "before $name" },
            measure => sub {
                push @order, $name;

                return { rate => shift @{ $left{$name} }, busy => 0.9,
                         p99_us => 1500 };
            },
        }
    } qw(base other);

    return (\@order, @subjects);
}

my $bench  = Bench->new(rounds => 3, seconds => 1);
my $result = Bench::Result->new({ name => 'x', title => 'Title' });

my ($order, @subjects) = subjects();

$subjects[1]{target} = [at_least => 0.5];

$bench->compare($result, unit => 'requests/s', base => 'base',
                saturated => 1, subjects => \@subjects);

is_deeply [grep { !/before/ } @$order],
    [qw(base other other base base other)], 'rounds go there and back';
is_deeply [@$order[0, 1]], ['before base', 'base'], 'before precedes';

my ($base, $other) = @{ $result->{rows} };

is $base->{value}, 200, 'the median is the figure';
is_deeply [@{$base}{qw(low high)}], [100, 400], 'and its range';
is $base->{ratio}, 1, 'the base is itself';
is $other->{ratio}, 0.5, 'a ratio is the median of the rounds\' ratios';
ok $other->{met}, 'a target just met is met';
like $result->{notes}[0], qr/idle.*base, other/, 'an idle server is told of';

$result->row(name => 'low', value => 1.2, target => [at_most => 1.1]);
ok !$result->{rows}[2]{met}, 'a target for the value, missed';

$result->absent('peer', 'it is not installed');

my $text = section($result);

like $text, qr/^\| base \| 200 requests\/s \| 100 – 400 \| 1\.00 \|/m,
    'a row';
like $text, qr/^\| other \|.*\| 0\.50 \| ≥ 0\.50 ✓ \|/m, 'a target met';
like $text, qr/^\| low \| 1\.2 \|.*≤ 1\.1 ✗/m, 'a target missed';
like $text, qr/^- Not measured: peer: it is not installed\.$/m,
    'what is not measured';
like section(do {
    my $own = Bench::Result->new({ name => 'z', title => 'Own' });
    $own->row(name => 'this module, 4 clients', value => 1);
    $own
}), qr/^\| \*\*this module\*\*, 4 clients \|/m, 'ours stands out';
unlike $text, qr/p50/, 'no column without contents';

my $targets = targets([$result]);

like $targets, qr/^1 of 2 are met\.$/m, 'targets are counted';
like $targets, qr/^\| Title \| other \| 0\.50 of base \| ≥ 0\.50 ✓ \|$/m,
    'one for a ratio';
like $targets, qr/^\|  \| low \| 1\.2 \| ≤ 1\.1 ✗ \|$/m, 'one for a value';
unlike $targets, qr/^\|[^|]*\| base \|/m, 'no row without a target';
is targets([Bench::Result->new({ name => 'w', title => 'None' })]), '',
    'no table without one';

my $skipped = Bench::Result->new({ name => 'y', title => 'Other' });

ok !defined $bench->try($skipped, 'a', sub { $bench->skip('why not') }),
    'a skip is caught';
is $skipped->{rows}[0]{absent}, 'why not', 'and told';
ok !eval { $bench->try($skipped, 'a', sub { die "wrong\n" }); 1 },
    'an error is none';
is $@, "wrong\n", 'and goes on';

my %machine = (date => '2026-01-01', cpu => 'CPU', cores => 2,
               memory_gib => 8, kernel => 'Linux 6.1',
               versions => { nginx => '1.22.1', wrk => undef });

like markdown(\%machine, [$result], ['Doubt.']),
    qr/CPU, 2 cores, 8 GiB, Linux 6\.1; nginx 1\.22\.1\.\n\n\*\*Doubt/,
    'the machine is named';

my $json = JSON::PP::decode_json(json(\%machine, [$result], [], {}));

is $json->{cases}[0]{rows}[1]{ratio}, 0.5, 'the same as JSON';
is_deeply $json->{cases}[0]{rows}[1]{target}, { at_least => 0.5 },
    'a target as JSON';


# A chart has the cases that it knows of, a bar for each row with a figure.

my @drawn = (
    Bench::Result->new({ name => 'latency', title => 'Latency' }),
    Bench::Result->new({ name => 'cached', title => 'A "title"' }),
    $result,
);

$drawn[0]->row(name => '1 worker', value => 7, p50_us => 80, p99_us => 900);
$drawn[1]->row(name => 'this module', samples => [1000, 3000, 2000]);
$drawn[1]->row(name => 'nginx `return 200`', samples => [1500]);
$drawn[1]->absent('peer', 'it is not installed');

my $panels = panels(\@drawn);

is_deeply [map { $_->{title} } @$panels],
    ['A "title": requests/s', 'Latency: µs, p50 and p99, logarithmic'], 'panels';
is_deeply $panels->[0]{bars}, [
    { name => 'this module', value => 2000, low => 1000, high => 3000,
      ours => 1 },
    { name => 'nginx return 200', value => 1500, low => 1500, high => 1500,
      ours => 0 },
], 'bars with their range';
is_deeply [map { $_->{value} } @{ $panels->[1]{bars} }], [80, 900],
    'a latency has two';
is_deeply panels([$result]), [], 'nothing of what is not drawn';
like script($panels), qr/^0 2000 1000 3000 1 "this module" "2,000"$/m,
    'gnuplot gets figures and names';
like script($panels), qr/set label 1 "A \\"title\\": /, 'and quoted text';

SKIP: {
    skip 'gnuplot is not installed', 4
        if !grep { -x "$_/gnuplot" } split /:/, $ENV{PATH};

    my $svg = chart(\@drawn);

    like $svg, qr/\A<\?xml.*<svg.*<\/svg>\s*\z/s, 'an SVG';
    like $svg, qr/prefers-color-scheme: dark/, 'for dark pages as well';
    unlike $svg, qr/rgb\(/, 'whose colours are all its own';
    is chart([$result]), undef, 'none of nothing';
}


# A process's time grows with its work.

my $worked = cpu_time($$);

{ my $n = 0; $n += $_ for 1 .. 1_000_000 }

cmp_ok cpu_time($$), '>', $worked, 'time that a process worked';


# Two cores for 100 ticks: one of them ours all the time, the other half busy.

is busy({ 0 => { total => 0, idle => 0 } },
        { 0 => { total => 100, idle => 25 } }, 0), 0.75, 'a busy core';
is others({ total => 0, processes => 0, ours => 0 },
          { total => 200, processes => 150, ours => 100 }), 0.25,
    'what others took';

my $list = run_ok({}, $^X, project('bench', 'run'), '--list');

like $list, qr/^$_\s+\S/m, "case $_ can be loaded"
    for qw(answers cached hits instructions misses overlap stampede memory
           growth states hub endpoints fresh writer latency);

done_testing;
