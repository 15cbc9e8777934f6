# nginx.conf.example beside an application: who is logged in comes from there,
# what the module cannot answer does too.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;

my (undef, $options) = run({}, Tournament::Nginx::binary(), '-V');

if ($options !~ /http_auth_request_module/) {
    plan skip_all => 'this nginx has no auth_request';
}

# The application: a session's id is its account's.

my $application = Tournament::Nginx->new(
    name      => 'application',
    module    => 0,
    locations => {
        '= /account/' => 'add_header X-Account $cookie_sessionid;'
                       . ' add_header Set-Cookie seen=1; return 204;',
        '/'           => 'return 200 "application $uri";',
    },
);

my $pg    = Tournament::Postgres->new;
my $nginx = Tournament::Nginx->new(
    conf => Tournament::Nginx::example($pg->conninfo,
        application => '127.0.0.1:' . $application->port),
);

my ($account, $slug, $count) = $pg->row(<<'END');
    SELECT u.user_id, min(t.slug), count(*)
      FROM user_profile_userprofile u
      JOIN tournaments_registration r ON r.user_id = u.id
      JOIN tournaments_tournament t ON t.id = r.tournament_id
     WHERE t.status <> 'DRAFT' AND r.status <> 'CANCELLED'
     GROUP BY u.user_id
     ORDER BY count(*) DESC, u.user_id
     LIMIT 1
END

my $mine  = '/tournaments/api/me/registrations/';
my $state = "/tournaments/api/$slug/state/";

sub asked {
    return scalar grep { m{/account/} } $application->access_log;
}


subtest 'who is logged in' => sub {
    is_error($nginx->get($mine), 401, 'unauthenticated', 'an anonymous');

    my $response = $nginx->get($mine, Cookie => "sessionid=$account");

    is $response->status, 200, 'a session';
    cmp_ok scalar @{ $response->json->{registrations} }, '>=', $count,
        'has its registrations';

    is $nginx->get($state)->json->{user_registered}, JSON::PP::false(),
        'nobody is not registered';
    is $nginx->get($state, Cookie => "sessionid=$account")
             ->json->{user_registered}, JSON::PP::true(),
        'the session is';
    is_error($nginx->get($mine, 'X-Account' => $account), 401,
             'unauthenticated', 'a header of the client\'s says nothing');
    is $nginx->get('/account/')->status, 404, '/account/ is internal';

    my $before = asked();

    $nginx->get($state, Cookie => "sessionid=$account") for 1 .. 5;
    is asked(), $before, 'the application is not asked for each poll';
};


subtest 'the application has the rest' => sub {
    is $nginx->get('/')->body, 'application /', 'other pages';
    is $nginx->get('/tournaments/new/')->body, 'application /tournaments/new/',
        'others below /tournaments/';

    $pg->stop;
    $nginx->expect_log(qr/PostgreSQL at/);

    my $fresh = '/tournaments/api/never-asked-for/state/';

    is $nginx->get($fresh)->body, "application $fresh",
        'what the database does not answer';
};


done_testing;
