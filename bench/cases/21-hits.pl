# A cached hit of each endpoint, next to "return 200" with the same bytes.

package Bench::Case::Hits;

use strict;
use warnings;
use utf8;

use Bench::Answers;
use Bench::HTTP qw(response);
use Bench::Result;
use Tournament::Endpoints;
use Tournament::Nginx;

my $ROUNDS  = 3;
my $SECONDS = 1;

my @ENDPOINTS = endpoints(cached => 1);


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

        my %value = (account => $account, staff => 1);
        my (@subjects, @bytes);

        for my $endpoint (@ENDPOINTS) {
            my ($name, $path) = ($endpoint->{name}, $endpoint->{paths}[0]);
            my $slug    = $path =~ /SLUG/;
            my %headers = map { ('X-' . ucfirst $_ => $value{$_}) }
                grep { $endpoint->{$_} } keys %value;

            my $answers = Bench::Answers->new($bench,
                path      => '/tournaments/' . $path =~ s/SLUG/bench-cached/r,
                location  => $slug ? "~ /$path" =~ s/SLUG/(?<slug>[^\/]+)/r
                                   : "/tournaments/$path",
                directive => "tournament $name" . ($slug ? ' $slug' : '')
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
            . join(', ', map { "`$_->{name}`" }
                         grep { $_->{account} || $_->{staff} } @ENDPOINTS)
            . ') is rendered for each request, the rest once a second. The '
            . "user has $registrations registrations.");
    },
};
