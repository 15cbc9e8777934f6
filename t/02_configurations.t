# Each configuration in the documents is accepted without a warning and serves;
# endpoints answer at the paths that docs/api.md gives.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Documents qw(blocks rows);
use Tournament::PgBouncer;
use Tournament::Site;
use Tournament::Test;

my $site  = Tournament::Site->new;

my (undef, $options) = run({}, Tournament::Nginx::binary(), '-V');


# What the configuration's locations answer to, an example of each.

sub paths {
    my ($text) = @_;

    my @paths;

    while ($text =~ /^\s*location (=|~) (\S+) \{(.*?)\n\s*\}/gms) {
        my ($kind, $path, $inside) = ($1, $2, $3);

        next if $inside =~ /\binternal;/;

        if ($kind eq '~') {
            $path =~ s/^\^|\$$//g;
            $path =~ s/\(\?<\w+>[^)]*\)/valorant-masters/g;
        }

        $path .= '?slugs=valorant-masters' if $inside =~ /tournament states/;
        push @paths, [ $inside =~ /tournament purge/ ? 'PURGE' : 'GET', $path ];
    }

    return @paths;
}


# Those of context http that go with any other.

sub additions {
    return map { $site->at_home($_->{text}) } grep {
        ($_->{place} // '') eq 'http' && $_->{text} !~ /tournament_database/
    } blocks('nginx');
}


sub configuration {
    my ($block) = @_;

    my $text  = $site->at_home($block->{text});
    my $place = $block->{place}
        // return { conf => $site->standing_alone($block->{text}) };

    return { main => $text, locations => Tournament::Nginx::state_location(),
             database => $site->demo } if $place eq 'main';

    return { http => $text, locations => Tournament::Nginx::state_location(),
             $text =~ /tournament_database/ ? (zone => undef)
                                            : (database => $site->demo) }
        if $place eq 'http';

    return { http => [ additions() ], database => $site->demo,
             locations => '', server => $text . $site->fallback($text) };
}


subtest 'configurations' => sub {
    $site->write_conninfo($site->demo->conninfo);

    for my $block (blocks('nginx')) {
        my ($title) = $block->{text} =~ /^\s*(.*)/;

        $title = "$block->{document}, $block->{section}: $title";

        SKIP: {
            skip "this nginx has no auth_request: $title", 1
                if $block->{text} =~ /auth_request/
                    && $options !~ /http_auth_request_module/;

            my $nginx = Tournament::Nginx->new(start => 0, level => 'warn',
                                               feed => 1);
            my $conf  = configuration($block);
            my ($ok, $output) = $nginx->test(%$conf);

            ok $ok && $output !~ /\[(?:warn|error|crit|alert|emerg)\]/,
                $title or diag($output), next;

            my @paths = paths($block->{text});

            @paths = ([GET => '/tournaments/api/valorant-masters/state/'])
                if !@paths && $conf->{locations};

            $nginx->set(%$conf)->start;

            for my $path (@paths) {
                my $response = $nginx->request(@$path);

                is $response->status, 200, "@$path: status";
                like $response->body, qr/\Aapplication\z|"success":true
                    |\A\#\ HELP\ tournament_/x, '... and what it says';
            }

            $nginx->stop;
        }
    }
};


subtest 'paths of the endpoints' => sub {
    my $nginx = Tournament::Nginx->new(
        conf => Tournament::Nginx::example($site->demo->conninfo));

    for my $row (grep { $_->[0] =~ /^\[`/ } rows('docs/api.md',
                                                 'HTTP contract'))
    {
        my ($endpoint) = $row->[0] =~ /`(.*)`/;

        for my $path ($row->[1] =~ m{`(/[^`]*)`}g) {
            $path =~ s/<slug>|\ba\b/valorant-masters/g;
            $path =~ s/\bb\b/no-such-one/;
            $path =~ s/<game>/valorant/g;

            my $response = $endpoint eq 'purge'
                ? $nginx->request('PURGE', $path) : $nginx->get($path);
            my $expected = $endpoint =~ /^(?:user_reg|participants)/ ? 401
                         : 200;

            is $response->status, $expected, "$endpoint at $path";

            if ($endpoint eq 'metrics') {
                like $response->body, qr/^# TYPE tournament_/m,
                    'and it is what Prometheus reads';
            } else {
                is ref $response->json, 'HASH', 'and it is JSON';
            }
        }
    }
};


done_testing;
