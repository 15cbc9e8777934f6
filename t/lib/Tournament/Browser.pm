package Tournament::Browser;

# A headless Chromium of the test's own, driven through ChromeDriver's
# WebDriver protocol, and stopped at the end.
#
#   my $why = Tournament::Browser::missing();    what is not installed, or undef
#   my $browser = Tournament::Browser->new;
#
#   $browser->open($url)
#   $browser->value($expression)      what JavaScript makes of it, as Perl data
#   $browser->text($selector)         of the first element; undef without one
#   $browser->wait_for($expression, $what, $seconds)
#                                     until it is true; returns what it is. An
#                                     expression that throws is not yet true
#   $browser->click($selector)
#   $browser->console                 what was logged since the last call:
#                                     { level => 'SEVERE', message => ... }
#   $browser->screen(width => 360, height => 780, mobile => 1)
#   $browser->scheme('dark')          or 'light': prefers-color-scheme
#   $browser->screenshot($file)       PNG of the whole page
#   $browser->cdp($command, \%parameters)     of Chromium's own protocol

use strict;
use warnings;

use Carp;
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 ();
use Tournament::Util qw(
    at_end free_port poll_until reap slurp spawn spew tempdir
);

# No sandbox: within a container root has none to give. Nothing that is opened
# here is anybody else's.

my @ARGUMENTS = qw(
    --headless --no-sandbox --disable-gpu --disable-quic --no-first-run
    --disable-background-networking --disable-component-update
    --disable-sync --disable-dev-shm-usage --hide-scrollbars
    --force-color-profile=srgb
);

my @PROGRAMS = qw(chromium chromedriver);


sub missing {
    for my $program (@PROGRAMS) {
        return "$program is not installed (make deps)" if !_find($program);
    }

    return undef;
}


sub _find {
    my ($program) = @_;

    return (grep { -x } map { "$_/$program" } split /:/, $ENV{PATH})[0];
}


sub new {
    my ($class) = @_;

    my $dir  = tempdir();
    my $self = bless {
        owner => $$,
        dir   => $dir,
        http  => HTTP::Tiny->new(timeout => 60, proxy => undef,
                                 http_proxy => undef),
        json  => JSON::PP->new->utf8->allow_nonref,
    }, $class;

    at_end($self);

    # Both are children of ours: one that ChromeDriver starts would outlive a
    # test that is killed.

    my $debugger = $self->_start_browser;

    $self->_start_driver;

    my $session = $self->_call(POST => '/session', {
        capabilities => { alwaysMatch => {
            browserName          => 'chrome',
            'goog:loggingPrefs'  => { browser => 'ALL' },
            'goog:chromeOptions' => { debuggerAddress => $debugger },
        } },
    });

    $self->{session} = "/session/$session->{sessionId}";
    $self->screen(width => 1280, height => 900);

    return $self;
}


# Returns what the log has of the pattern; undef where the program ended.

sub _run {
    my ($self, $program, $pattern, @arguments) = @_;

    my $log = "$self->{dir}/$program.log";

    CORE::open(my $out, '>', $log) or croak "open $log: $!";

    my $pid = $self->{pids}{$program} = spawn({
        stdout => $out,
        stderr => $out,
        env    => { HOME => $self->{dir}, TMPDIR => $self->{dir} },
    }, _find($program), @arguments);

    my $found;

    poll_until {
        my $ended = defined reap($pid, 0);

        ($found) = slurp($log) =~ $pattern;

        $found || $ended
    } 60, "$program is up";

    delete $self->{pids}{$program} unless defined $found;

    return $found;
}


sub _start_browser {
    my ($self) = @_;

    return $self->_run('chromium', qr{DevTools listening on ws://([^/\s]+)/},
        @ARGUMENTS, '--remote-debugging-port=0',
        "--user-data-dir=$self->{dir}/profile", 'about:blank')
        // croak "chromium does not start:\n"
            . slurp("$self->{dir}/chromium.log");
}


sub _start_driver {
    my ($self) = @_;

    for my $try (1 .. 5) {
        my $port = free_port();

        if ($self->_run('chromedriver', qr/(started successfully)/,
                        "--port=$port"))
        {
            $self->{port} = $port;
            return;
        }
    }

    croak "chromedriver does not start:\n"
        . slurp("$self->{dir}/chromedriver.log");
}


# A command's value. Errors have theirs in "message".

sub _call {
    my ($self, $method, $path, $data) = @_;

    my $response = $self->{http}->request(
        $method, "http://127.0.0.1:$self->{port}$path", {
            headers => { 'Content-Type' => 'application/json' },
            defined $data ? (content => $self->{json}->encode($data)) : (),
        });

    my $answer = eval { $self->{json}->decode($response->{content}) };

    croak "WebDriver: $method $path: $response->{status}"
        . " $response->{content}" if ref $answer ne 'HASH';

    my $value = $answer->{value};

    croak "WebDriver: $method $path: $value->{error}: "
        . (split /\n/, $value->{message})[0] if !$response->{success};

    return $value;
}


sub _command {
    my ($self, $method, $path, $data) = @_;

    return $self->_call($method, "$self->{session}$path", $data);
}


sub open {
    my ($self, $url) = @_;

    $self->_command(POST => '/url', { url => $url });

    return $self;
}


sub value {
    my ($self, $expression, @arguments) = @_;

    return $self->_command(POST => '/execute/sync', {
        script => "return ($expression);",
        args   => \@arguments,
    });
}


sub text {
    my ($self, $selector) = @_;

    return $self->value('(document.querySelector(arguments[0]) || {})'
        . '.textContent', $selector);
}


sub wait_for {
    my ($self, $expression, $what, $seconds) = @_;

    return poll_until {
        eval { $self->value($expression) }
    } $seconds // 20, $what // $expression;
}


sub click {
    my ($self, $selector) = @_;

    my $element = $self->_command(POST => '/element', {
        using => 'css selector',
        value => $selector,
    });

    $self->_command(POST => '/element/' . (values %$element)[0] . '/click',
                    {});

    return $self;
}


sub console {
    my ($self) = @_;

    return @{ $self->_command(POST => '/se/log', { type => 'browser' }) };
}


sub cdp {
    my ($self, $command, $parameters) = @_;

    return $self->_command(POST => '/goog/cdp/execute', {
        cmd    => $command,
        params => $parameters // {},
    });
}


sub screen {
    my ($self, %options) = @_;

    $self->cdp('Emulation.setDeviceMetricsOverride', {
        width             => $options{width},
        height            => $options{height},
        deviceScaleFactor => 1,
        mobile            => $options{mobile} ? JSON::PP::true
                                              : JSON::PP::false,
    });

    return $self;
}


sub scheme {
    my ($self, $scheme) = @_;

    $self->cdp('Emulation.setEmulatedMedia', { features => [
        { name => 'prefers-color-scheme', value => $scheme },
    ] });

    return $self;
}


sub screenshot {
    my ($self, $file) = @_;

    my $shot = $self->cdp('Page.captureScreenshot', {
        format                => 'png',
        captureBeyondViewport => JSON::PP::true,
    });

    return spew($file, MIME::Base64::decode_base64($shot->{data}));
}


# What a program has started is in its process group.

sub cleanup {
    my ($self) = @_;

    return if $self->{owner} != $$;

    my $pids = delete $self->{pids} or return;

    for my $pid (@{$pids}{ grep { $pids->{$_} } qw(chromedriver chromium) }) {
        kill 'TERM', $pid;

        my $ended = defined reap($pid, 10);

        kill 'KILL', -$pid;
        reap($pid, 5) if !$ended;
    }

    return;
}


sub DESTROY {
    my ($self) = @_;

    local ($?, $@, $!);

    eval { $self->cleanup; 1 } or warn $@;

    return;
}


1;
