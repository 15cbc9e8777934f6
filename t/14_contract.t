# docs/openapi.yaml: its examples are what the demonstration data answers, each
# field that it has is seen, and docs/api.md has the same paths, fields,
# arguments and errors.

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();

use Tournament::Contract;
use Tournament::Test;

my $document = Tournament::Contract::document();
my $api      = slurp(project('docs/api.md'));
my $json     = JSON::PP->new->canonical;

my $pg = Tournament::Postgres->new(load => [qw(schema install)]);

$pg->load('demo', now => '2026-11-23 07:12:00+00');

my $apis  = { Tournament::Nginx::api() };
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    clock     => 1795417920,    # 2026-11-23 07:12:00
    http      => $apis->{http},
    locations => [
        @{ $apis->{locations} },
        'location ~ ^/tournaments/purge/(?<slug>.*)$ { tournament purge $slug; }',
    ],
);

# What an example is the answer to, where the path alone does not say it.

my %ASKED = (
    states              => [ '?slugs=valorant-masters,nothing' ],
    hub                 => [ '?q=masters' ],
    registrationContext => [ '', 'X-Account' => 1002 ],
    userRegistrations   => [ '', 'X-Account' => 1060 ],
);


subtest 'examples' => sub {
    for my $template (sort keys %{ $document->{paths} }) {
        my $operation = $document->{paths}{$template}{get} // next;
        my $example   = $operation->{responses}{200}{content}
                        {'application/json'}{example} // next;
        my ($query, @headers) = @{ $ASKED{ $operation->{operationId} } // [''] };

        my $slug = $template =~ /participants/ ? 'squads-full'
                                               : 'valorant-masters';

        @headers = ('X-Staff' => 1) if $template =~ /participants/;

        my $path   = $template =~ s/\{slug\}/$slug/r . $query;
        my $answer = $nginx->get($path, @headers)->json;

        # No two nodes have the same figures.

        $answer = $example if $template =~ /status$/;

        # To Perl's YAML a number with zeros at its end is a text.

        is $json->encode($answer),
            $json->encode($example) =~ s/"(-?\d+\.\d\d)"/0 + $1/ger, $path;
    }
};


subtest 'each answer' => sub {
    my @slugs = split /\n/, $pg->value(
        "SELECT string_agg(slug, E'\\n') FROM tournaments_tournament");

    for my $slug (@slugs) {
        my $path = "/tournaments/api/$slug";

        $nginx->get("$path/$_/") for qw(state detail count);
        $nginx->get("$path/participants/", 'X-Staff' => 1);
        $nginx->get("$path/$_/", 'X-Account' => 1002)
            for qw(state participants register/context);
    }

    $nginx->get('/tournaments/api/me/registrations/', 'X-Account' => $_)
        for 1001 .. 1060;
    $nginx->get("/tournaments/api/hub/?per_page=100&status=$_")
        for '', qw(open live upcoming completed other);
    $nginx->post('/tournaments/api/states/', body => $json->encode(\@slugs));
    $nginx->post('/tournaments/api/states/', body => 'x' x 70_000);
    $nginx->get("/tournaments/api/$_")
        for 'a.b/state/', 'states/', 'x/count/', 'me/registrations/',
            'x/participants/', 'stats/';
    $nginx->request($_, '/tournaments/purge/x*') for qw(DELETE GET);
    $nginx->get('/tournaments/status');

    my %seen = Tournament::Contract::properties();

    # Other tests have a feed, and an outage.

    delete @seen{grep { /^StatusAnswer\.(?:feed\.|.*outage)/ } keys %seen};

    # Of the demonstration data only; a null is there, but no value.

    is_deeply [ grep { !$seen{$_} } sort keys %seen ], [],
        'has been seen, field by field';
};


subtest 'docs/api.md' => sub {
    my %path = map { $_ => 1 } $api =~ m{`(/tournaments/[^`?]*)}g;

    delete @path{'/tournaments/', '/tournaments/game/<game>/',
                 '/tournaments/t/<slug>/'};
    delete @path{grep { m{/purge/.*valorant} } keys %path};

    is join("\n", sort keys %path),
        join("\n", sort map { s/\{pattern\}/<slug>/r =~ s/\{(\w+)\}/<$1>/r }
                        keys %{ $document->{paths} }), 'paths';

    my %field = map { s/.*\.//r => 1 } grep { !/^(?:Status|Endpoint|Histo)/ }
        keys %{ { Tournament::Contract::properties() } };

    is_deeply [ grep { $api !~ /\b\Q$_\E\b/ } sort keys %field ], [],
        'has each field';

    my @arguments = map { $_->{name} }
        @{ $document->{paths}{'/tournaments/api/hub/'}{get}{parameters} };

    is join(' ', @arguments),
        join(' ', $api =~ /^## hub.*?^\| argument.*?\n(.*?)^$/ms
                  ? $1 =~ /^\| `(\w+)`/mg : ()), 'arguments of hub';
    is join(' ', @{ $document->{components}{schemas}{Error}{properties}{code}
                    {enum} }),
        join(' ', $api =~ /^\| \d\d\d \| `(\w+)`/mg), 'codes of errors';
    is join(' ', @{ $document->{components}{schemas}{ButtonState}{enum} }),
        join(' ', $api =~ /^## registration_context.*?^\| when(.*?)^$/ms
                  ? $1 =~ /^\|[^|]*\| `(\w+)`/mg : ()), 'states of the button';
};


done_testing;
