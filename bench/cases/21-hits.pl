# A cached hit of each endpoint, next to "return 200" with the same bytes.

package Bench::Case::Hits;

use strict;
use warnings;
use utf8;

use Bench::Answers;
use Bench::HTTP qw(response);
use Bench::Result;
use Tournament::Nginx;

my $ROUNDS  = 3;
my $SECONDS = 1;

my $SLUG = '(?<slug>[^/]+)';

# Path below /tournaments/, location, directive; for a user, for staff.

my @ENDPOINTS = (
    ['state',  'api/bench-cached/state/', "~ /api/$SLUG/state/", '$slug'],
    ['hub',    'api/hub/',                '/tournaments/api/hub/'],
    ['detail', 'api/bench-cached/detail/', "~ /api/$SLUG/detail/", '$slug'],
    ['participants', 'api/bench-cached/participants/',
     "~ /api/$SLUG/participants/", '$slug', 'X-Staff'],
    ['count',  'api/bench-cached/count/', "~ /api/$SLUG/count/", '$slug'],
    ['registration_context', 'api/bench-cached/register/context/',
     "~ /api/$SLUG/register/context/", '$slug', 'X-Account'],
    ['user_registrations', 'api/me/registrations/',
     '/tournaments/api/me/registrations/', '', 'X-Account'],
    ['platform_stats', 'api/stats/', '/tournaments/api/stats/'],
);


sub subject {
    my ($bench, $answers, $name, $nginx, %headers) = @_;

    my $path = $answers->path;

    $answers->check($nginx->port);

    my $load = sub {
        return $bench->wrk(port => $nginx->port, path => $path,
                           seconds => $SECONDS, headers => \%headers,
                           bytes => $answers->bytes);
    };

    return {
        name    => $name,
        before  => sub { response($nginx->port, $path, %headers) },
        measure => $load,
    };
}


return {
    name  => 'hits',
    title => 'A cached hit of each endpoint',

    run => sub {
        my ($bench, $result) = @_;

        $bench->skip('the module is not built (make)') if !$bench->module;

        my $pg  = $bench->postgres;
        my %api = Tournament::Nginx::api();

        # Somebody of the demonstration data: those of the bench are in
        # thousands of tournaments.

        my ($account, $registrations) = $pg->row(q{
            SELECT p.user_id, count(*)
              FROM user_profile_userprofile p
              JOIN tournaments_registration r ON r.user_id = p.id
             WHERE p.user_id < 9000000
             GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1});

        my %value = ('X-Account' => $account, 'X-Staff' => 1);
        my (@subjects, @bytes);

        for my $endpoint (@ENDPOINTS) {
            my ($name, $path, $location, $argument, $header) = @$endpoint;

            my %headers = $header ? ($header => $value{$header}) : ();

            my $answers = Bench::Answers->new($bench,
                path      => "/tournaments/$path",
                location  => $location,
                directive => 'tournament ' . join(' ', $name, $argument || ())
                    . "; tournament_ttl $name 1h;",
                headers   => \%headers,
                http      => join("\n", @{ $api{http} }),
            );

            push @bytes, $answers->bytes;
            push @subjects, map {
                subject($bench, $answers, $_->[0],
                        $bench->nginx(%{ $_->[1] }), %headers)
            } [$name, { $answers->module }],
              ["$name, `return 200`", { $answers->same_bytes }];

            $subjects[-2]{base} = $subjects[-1]{name};
        }

        my $both = Bench::Result->new({ name => '', title => '' });

        $bench->compare($both, unit => 'requests/s', rounds => $ROUNDS,
                        subjects => \@subjects);

        for my $n (0 .. $#ENDPOINTS) {
            my ($ours, $theirs) = @{ $both->{rows} }[2 * $n, 2 * $n + 1];

            $result->row(%$ours,
                name => "$ours->{name}, $bytes[$n] bytes",
                more => { return_200 => $theirs->{value} });
        }

        $result->note("Ratios are to `return 200` with the same bytes; $ROUNDS "
            . "rounds of $SECONDS s. What is a user’s ("
            . join(', ', map { "`$_->[0]`" } grep { $_->[4] } @ENDPOINTS)
            . ') is rendered for each request, the rest once a second. The '
            . "user has $registrations registrations.");
    },
};
