# The order of accesses of shared memory on Arm: herd7 finds that no execution of
# t/litmus breaks it, and that some would if the accesses were plain ones.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my ($status) = run({}, 'herd7', '-version');

plan skip_all => 'herd7 is not installed' if $status;

for my $file (glob(project('t', 'litmus', '*.litmus'))) {
    my ($name) = $file =~ m{([^/]+)\.litmus\z};
    my $source = slurp($file);

    (my $plain = $source)
        =~ s/\b(?:(CAS|SWP)AL|(LD)AR|(ST)LR)\b/$1 || ($2 || $3) . 'R'/eg;

    for ([ Never => $source ], [ Sometimes => $plain ]) {
        my ($expected, $program) = @$_;

        my $copy = tempdir() . "/$name.litmus";
        spew($copy, $program);

        like run_ok({}, 'herd7', $copy), qr/^Observation $name $expected /m,
            "$name: $expected";
    }
}

done_testing;
