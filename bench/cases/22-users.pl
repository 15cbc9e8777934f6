# What a user asks, next to "return 200" with the same bytes: with a hundred
# registrations, and with the session asked for by auth_request, whose answer
# nginx caches as nginx.conf.example does, or by the whole cookie header, as one
# would at first.

package Bench::Case::Users;

use strict;
use warnings;
use utf8;

use Bench::Answers;
use Bench::HTTP qw(response);

my $ROUNDS        = 3;
my $SECONDS       = 1;
my $REGISTRATIONS = 100;

# What a browser sends that has been shown advertisements.

my $COOKIE = join '; ', 'sessionid=' . '0123456789abcdef' x 2,
    map { "_measured$_=" . "$_" x 60 } 1 .. 12;

my %KEY = (
    'by the session’s cookie'     => '$cookie_sessionid|$http_authorization',
    'by the whole cookie header'  => '$http_cookie|$http_authorization',
);

my $STATE = '/tournaments/api/bench-cached/state/';


# Somebody of the demonstration data, who takes part in as many tournaments of
# the bench as are missing.

sub someone {
    my ($pg) = @_;

    my ($account, $profile, $has) = $pg->row(q{
        SELECT p.user_id, p.id, count(r.id)
          FROM user_profile_userprofile p
          LEFT JOIN tournaments_registration r ON r.user_id = p.id
         WHERE p.user_id < 9000000
         GROUP BY 1, 2 ORDER BY 3, 1 LIMIT 1});

    $pg->rows(sprintf q{
        INSERT INTO tournaments_registration
                    (tournament_id, user_id, payment_method, payment_sender,
                     payment_reference, payment_status, status, created_at)
             SELECT t.id, %d, 'bkash', '', 'bench-users', 'pending', 'PENDING',
                    now()
               FROM tournaments_tournament t
              WHERE t.slug LIKE 'bench-%%'
              ORDER BY t.id DESC LIMIT %d},
        $profile, $REGISTRATIONS - $has);

    return $account;
}


# The same subrequest for every request, answered from nginx's own cache.

sub behind {
    my ($answers, $key, $port) = @_;

    my %module = do {
        local $answers->{http} = undef;    # the user comes in no header
        $answers->module;
    };

    $module{http} .= ' proxy_cache_path %%DIR%%/account keys_zone=account:10m;'
        . " upstream application { server 127.0.0.1:$port; keepalive 16; }";

    $module{server} = "location $answers->{location} {"
        . ' auth_request /account/;'
        . ' auth_request_set $account $upstream_http_x_account;'
        . " tournament_user \$account; $answers->{directive} }"
        . ' location = /account/ { internal; proxy_pass http://application;'
        . ' proxy_http_version 1.1; proxy_set_header Connection "";'
        . ' proxy_pass_request_body off; proxy_set_header Content-Length "";'
        . " proxy_cache account; proxy_cache_key $key;"
        . ' proxy_cache_valid 204 10s; proxy_cache_lock on;'
        . ' open_file_cache max=1000; }';

    return %module;
}


return {
    name  => 'users',
    title => 'What a user asks',

    run => sub {
        my ($bench, $result) = @_;

        $bench->skip('the module is not built (make)') if !$bench->module;

        my $pg      = $bench->postgres;
        my $account = someone($pg);
        my %user    = ('X-Account' => $account);
        my $http    = 'tournament_user $http_x_account;';

        my $registrations = Bench::Answers->new($bench,
            path      => '/tournaments/api/me/registrations/',
            location  => '= /tournaments/api/me/registrations/',
            directive => 'tournament user_registrations;'
                . ' tournament_ttl user_registrations 1h;',
            headers   => \%user,
            http      => $http,
        );

        my $state = Bench::Answers->new($bench,
            path      => $STATE,
            location  => '~ ^/tournaments/api/(?<slug>[^/]+)/state/$',
            directive => 'tournament state $slug; tournament_ttl state 1h;',
            headers   => { %user, Cookie => $COOKIE },
            http      => $http,
        );

        my $application = $bench->nginx(
            name   => 'application',
            server => "location / { add_header X-Account $account always;"
                . ' return 204; }',
        );

        my @subjects;

        my $subject = sub {
            my ($name, $answers, $base, $target, %conf) = @_;

            my $nginx = $bench->nginx(%conf);

            $answers->check($nginx->port);

            push @subjects, {
                name    => $name,
                base    => $base,
                target  => $target && [at_least => $target],
                before  => sub {
                    response($nginx->port, $answers->path,
                             %{ $answers->{headers} });
                },
                measure => sub {
                    return $bench->wrk(
                        port    => $nginx->port,
                        path    => $answers->path,
                        seconds => $SECONDS,
                        headers => $answers->{headers},
                        bytes   => $answers->bytes,
                    );
                },
            };
        };

        my $theirs = "$REGISTRATIONS registrations, `return 200`";

        $subject->($theirs, $registrations, undef, undef,
                   $registrations->same_bytes);
        $subject->("$REGISTRATIONS registrations, " . $registrations->bytes
                   . ' bytes', $registrations, $theirs, 0.7,
                   $registrations->module);

        $theirs = 'state, `return 200`';

        $subject->($theirs, $state, undef, undef, $state->same_bytes);
        $subject->('state, the user in a header', $state, $theirs, 0.9,
                   $state->module);

        for my $key (sort keys %KEY) {
            $subject->("state behind `auth_request`, cached $key", $state,
                       $theirs, undef,
                       behind($state, $KEY{$key}, $application->port));
        }

        $bench->compare($result, unit => 'requests/s', rounds => $ROUNDS,
                        subjects => \@subjects);

        $pg->rows(q{DELETE FROM tournaments_registration
                     WHERE payment_reference = 'bench-users'});

        $result->note("Ratios are to `return 200` with the same bytes; $ROUNDS "
            . "rounds of $SECONDS s. Behind `auth_request` the request has "
            . length($COOKIE) . ' bytes of cookies, and nginx keeps the '
            . 'application’s answer for ten seconds.');
    },
};
