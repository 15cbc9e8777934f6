# The sources' dependencies point down (tools/layers), and the check of it
# sees what does not.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my $TOOL = project('tools', 'layers');


# A tree of empty files but for those lines.

sub tree {
    my (%more) = @_;

    my $dir   = tempdir();
    my %files = (
        'ngx_http_tournament_module.c' => '#include "endpoints/table.h"',
        'src/common.h'                 => '',
        'src/rules/text.h'             => '',
        'src/rules/text.c'             => '#include "rules/text.h"',
        'src/zone/zone.h'              => '#include "common.h"',
        'src/zone/zone.c'              => '#include "zone/zone.h"',
        'src/serve/serve.h'            => '#include "zone/zone.h"',
        'src/endpoints/table.h'        => '#include "serve/serve.h"',
        'src/endpoints/table.c'        => '.name = ngx_string("hub"),'
                                        . '.name = ngx_string("count"),',
        %more,
    );

    for my $file (sort keys %files) {
        run_ok({}, 'mkdir', '-p', "$dir/$file" =~ s{/[^/]+\z}{}r);
        spew("$dir/$file", "$files{$file}\n");
    }

    return run({}, $TOOL, $dir);
}


subtest 'what it sees' => sub {
    my ($status, $output) = tree();

    is "$status $output", '0 ', 'a sound tree';

    for my $case (
        [ 'an include that points up', qr/zone includes serve/,
          'src/zone/zone.c' => '#include "serve/serve.h"' ],
        [ 'a circle of headers', qr/a circle: \S+zone .*\S+other .*\S+zone/,
          'src/zone/zone.h' => '#include "zone/other.h"',
          'src/zone/other.h' => '#include "zone/zone.h"' ],
        [ 'a circle of rooms', qr/a circle/,
          'src/zone/zone.c' => '#include "zone/other.h"',
          'src/zone/other.h' => '',
          'src/zone/other.c' => '#include "zone/zone.h"' ],
        [ 'common ground that is not', qr/common ground includes/,
          'src/common.h' => '#include "rules/text.h"' ],
        [ 'an unknown folder', qr/no such layer: misc/,
          'src/misc/a.c' => '' ],
        [ 'an endpoint as a string', qr/an endpoint's name: count/,
          'src/serve/serve.c' => 'f("count")' ],
        [ 'an endpoint in a name', qr/an endpoint's name: hub/,
          'src/serve/serve.c' => 'tournament_hub_page()' ],
    ) {
        my ($name, $pattern, %files) = @$case;

        ($status, $output) = tree(%files);

        isnt $status, 0, $name;
        like $output, $pattern, 'said';
    }

    ($status, $output) = tree(
        'src/serve/serve.c' => "/* the hub\n * */ a->count = hubbub(\"hubs\")");
    is "$status $output", '0 ', 'other words are none';
};


subtest 'the sources' => sub {
    my ($status, $output) = run({}, $TOOL);

    is $output, '', 'nothing points up';
    is $status, 0, 'status';
};


done_testing;
