package Tournament::Test;

# All that a test needs:
#
#   use lib 't/lib';
#   use Tournament::Test;
#
#   my $pg    = Tournament::Postgres->new;
#   my $nginx = Tournament::Nginx->new(database => $pg);
#
#   is $nginx->get('/tournaments/api/valorant-masters/state/')->status, 200,
#       'a tournament has a state';
#
#   done_testing;
#
# It turns on strict, warnings and utf8, exports Test::More, and:
#
#   fetch, load          many requests at once: Tournament::HTTP
#   poll_until, tempdir, now, slurp, spew, run, run_ok, free_port, project,
#   worker_user, alive, children    Tournament::Util
#   is_json($response or text, $expected, $name)
#                        compares JSON byte by byte, order and all, but for
#                        white space outside of strings in what is expected;
#                        there <instant>, <duration>, <string>, <int>,
#                        <number> and <any> stand for what they say
#   is_text($got, $expected, $name)
#                        two long texts; where they part is shown
#   is_error($response, $status, $code, $name)
#                        an error of the API: status, JSON, headers
#   done_testing         stops the servers, makes tests of it that no log has
#                        anything alarming (see expect_log) and that answers
#                        were as docs/openapi.yaml says, and then does what
#                        Test::More's does
#
# When a test has failed, the end of each server's log is printed. With
# TOURNAMENT_KEEP=1 the files stay.

use strict;
use warnings;
use utf8;

use Test::More ();
use Tournament::Contract;
use Tournament::HTTP;
use Tournament::Nginx;
use Tournament::Postgres;
use Tournament::Server;
use Tournament::Util;

my @OURS = qw(is_json is_text is_error done_testing);
my @HTTP = qw(fetch load);
my @UTIL = qw(poll_until tempdir now slurp spew run run_ok free_port project
              worker_user alive children);

my $owner = $$;
my $done;


sub import {
    strict->import;
    warnings->import;
    utf8->import;

    my $caller  = caller;
    my $builder = Test::More->builder;

    binmode $_, ':encoding(UTF-8)'
        for map { $builder->$_ } qw(output failure_output todo_output);

    no strict 'refs';

    for my $name (@Test::More::EXPORT) {
        next if $name eq 'done_testing' || $name !~ /^\w+$/;
        *{"${caller}::$name"} = \&{"Test::More::$name"};
    }

    *{"${caller}::TODO"} = \${"${caller}::TODO"};
    *{"${caller}::$_"}   = \&{"Tournament::Test::$_"} for @OURS;
    *{"${caller}::$_"}   = \&{"Tournament::HTTP::$_"} for @HTTP;
    *{"${caller}::$_"}   = \&{"Tournament::Util::$_"} for @UTIL;

    $builder->exported_to($caller);

    return;
}


my %PATTERN = (
    instant  => qr/"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00"/,
    duration => qr/"(?:\d+ days?, )?\d+:\d\d:\d\d"/,
    string   => qr/"(?:[^"\\]|\\.)*"/,
    int      => qr/-?\d+/,
    number   => qr/-?\d+(?:\.\d+)?/,
    any      => qr/.*?/s,
);


sub is_json {
    my ($got, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $got = $got->body if ref $got;
    utf8::decode($got);

    my $regex   = '';
    my $compact = '';

    while ($expected =~ /\G(?:("(?:[^"\\]|\\.)*")|<(\w+)>|\s+|([^\s"<]+))/gc) {
        my ($string, $pattern, $other) = ($1, $2, $3);

        if (defined $pattern) {
            die "is_json: no such pattern: <$pattern>\n"
                unless $PATTERN{$pattern};

            $regex   .= $PATTERN{$pattern};
            $compact .= "<$pattern>";

        } else {
            my $text = $string // $other // next;

            $regex   .= quotemeta $text;
            $compact .= $text;
        }
    }

    die "is_json: cannot read what is expected: $expected\n"
        if (pos $expected // 0) < length $expected;

    return Test::More::pass($name) if $got =~ /\A$regex\z/;

    return Test::More::fail($name)
        || Test::More::diag("     got: $got\nexpected: $compact\n",
                            _difference($got, $expected));
}


# Where two texts part, for who has to find it in a long line. Only right as
# far as no pattern comes before.

sub _difference {
    my ($got, $regexless) = @_;

    (my $plain = $regexless) =~ s/("(?:[^"\\]|\\.)*")|\s+/$1 \/\/ ''/ge;

    my $at = 0;

    $at++ while $at < length $got && $at < length $plain
        && substr($got, $at, 1) eq substr($plain, $at, 1);

    return '' if substr($plain, $at, 1) eq '<';

    my $from = $at > 20 ? $at - 20 : 0;

    return "   where: ..." . substr($got, $from, 60);
}


sub is_text {
    my ($got, $expected, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::pass($name) if $got eq $expected;

    my $at = 0;

    $at++ while $at < length $got && $at < length $expected
        && substr($got, $at, 1) eq substr($expected, $at, 1);

    my $from = $at > 60 ? $at - 60 : 0;

    return Test::More::fail($name)
        || Test::More::diag("     got: ..." . substr($got, $from, 160)
                            . "\nexpected: ..."
                            . substr($expected, $from, 160));
}


sub is_error {
    my ($response, $status, $code, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    return Test::More::subtest($name => sub {
        Test::More::is($response->status, $status, 'status');
        is_json($response,
            qq({"success":false,"error":<string>,"code":"$code"}), 'body');
        Test::More::is($response->header('Content-Type'),
                       'application/json; charset=utf-8', 'Content-Type');
        Test::More::is($response->header('Cache-Control'), 'no-store',
                       'Cache-Control');
        Test::More::is($response->header('ETag'), undef, 'no ETag');
        Test::More::like($response->header('Retry-After') // '',
                         $status =~ /^50[34]$/ ? qr/^[123]$/
                         : $status == 429 ? qr/^\d+$/ : qr/^$/,
                         'Retry-After');
    });
}


sub done_testing {
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    Tournament::Util::cleanup_all();

    my @complaints = Tournament::Server::complaints();

    Test::More::ok(!@complaints, 'no log has anything alarming')
        or Test::More::diag(join "\n", @complaints);

    my @faults = Tournament::Contract::faults();

    Test::More::ok(!@faults, 'answers are as docs/openapi.yaml says')
        or Test::More::diag(join "\n", @faults);

    $done = 1;
    _tell_failure() unless Test::More->builder->is_passing;

    return Test::More::done_testing(@_);
}


sub _tell_failure {
    Test::More::diag(Tournament::Server::tails(30));

    return;
}


# A test that died has had no done_testing.

END {
    if ($$ == $owner && !$done) {
        my $status = $?;

        _tell_failure() if $status || !Test::More->builder->is_passing;

        $? = $status;
    }
}


1;
