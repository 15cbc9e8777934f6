# client/tournament.js and the page of make run, in a real browser: a commit and
# an opening show by themselves, with streams and without; a server that goes
# away and comes back; a phone's width.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Browser;
use Tournament::Documents qw(blocks);
use Tournament::Test;

my $missing = Tournament::Browser::missing();

plan skip_all => $missing if defined $missing;

my $API    = '/tournaments/api';
my $STREAM = <<'END';
    location ~ ^/tournaments/api/(?<slug>[^/]+)/state/stream/$ {
        tournament state $slug;
        tournament_stream on;
    }
    location = /tournaments/api/hub/stream/ {
        tournament hub;
        tournament_stream on;
    }
END

my $pg    = Tournament::Postgres->new(load => [qw(schema install)]);
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    feed      => 1,
    locations => locations(1),
);

sub locations {
    my ($streams) = @_;

    my %api = Tournament::Nginx::api();

    return [ $streams ? $STREAM : (), @{ $api{locations} },
             Tournament::Nginx::page($nginx ? $nginx->dir : tempdir()) ];
}

my %cup = %{ $pg->tournament(slug => 'cup', name => 'A cup', slots => 8,
                             confirmed => 3) };

my $browser = Tournament::Browser->new;


sub shows {
    my ($selector, $text, $seconds) = @_;

    my $quoted = JSON::PP->new->allow_nonref->encode($text);

    return $browser->wait_for(
        "document.querySelector('$selector').textContent.includes($quoted)",
        "$selector says $text", $seconds // 20);
}


sub requests {
    my ($pattern) = @_;

    return scalar grep { $_ =~ $pattern } split /\n/, $nginx->access_log;
}


subtest 'the page' => sub {
    $browser->open($nginx->url('/'));

    shows '#cards', 'A cup';
    $browser->click('#cards a');
    shows '#registration', 'Registration is open';
    is $browser->text('h2'), 'A cup', 'its name';
    shows '#slots', '3 of 8 slots taken';
    is $browser->value('document.activeElement.id'), 'name',
        'the keyboard is where the news is';
};


for my $streams (1, 0) {
    subtest $streams ? 'streams' : 'polls' => sub {
        if (!$streams) {
            $nginx->reload(locations => locations(0));
            $browser->open($nginx->url('/?again#cup'));
            shows '#slots', '4 of 8 slots taken';
        }

        $pg->register(\%cup, 'CONFIRMED');
        shows '#slots', ($streams ? '4' : '5') . ' of 8 slots taken';
        shows '#cards', ($streams ? '4' : '5') . ' of 8 slots taken';
        pass 'a commit shows';

        $pg->rows("UPDATE tournaments_tournament
                      SET reg_open_at = now() + '1 hour',
                          reg_close_at = now() + '2 hours'
                    WHERE slug = 'cup'");
        shows '#registration', 'not open yet';

        $pg->rows("UPDATE tournaments_tournament
                      SET reg_open_at = date_trunc('second', now()) + '2 s'
                    WHERE slug = 'cup'");
        shows '#registration', 'Registration is open';
        cmp_ok $pg->value("SELECT extract(epoch FROM now() - reg_open_at)
                             FROM tournaments_tournament WHERE slug = 'cup'"),
            '>=', 0, 'an opening shows, and not early';
    };
}


subtest 'a server that goes away' => sub {
    $nginx->stop;
    shows '#notice', 'There is no connection', 40;

    $pg->register(\%cup, 'CONFIRMED');
    $nginx->start;
    shows '#slots', '6 of 8 slots taken', 60;
    $browser->wait_for("!document.querySelector('#notice').textContent",
                       'the notice has gone', 60);
    pass 'it catches up';
};


subtest 'offline' => sub {
    $browser->wait_for('navigator.serviceWorker.controller !== null
                        || navigator.serviceWorker.ready.then(() => true)',
                       'the worker is there', 20);
    $nginx->stop;
    $browser->open($nginx->url('/#cup'));
    shows '#slots', '6 of 8 slots taken';
    shows '#notice', 'This is how things were at';
    pass 'the page opens, shows what was last known, and says so';
    $nginx->start;
    $browser->wait_for("!document.querySelector('#notice').textContent",
                       'the notice has gone', 60);
};


subtest 'docs/clients.md' => sub {
    my ($block) = blocks('js');

    $pg->tournament(slug => 'valorant-masters', slots => 16);
    spew($nginx->dir . '/page/documented.js', $block->{text} . <<'END');

function show(state, stale) {
    document.title = `${stale}: ${state.slots.total} slots`;
}
END
    spew($nginx->dir . '/page/documented.html',
         '<title></title><script type="module" src="documented.js"></script>');

    $browser->open($nginx->url('/documented.html'));
    $browser->wait_for('document.title == "false: 16 slots"', 'its lines work',
                       20);
    pass 'its lines work';
};


subtest 'a tournament that is not there' => sub {
    $nginx->reload(locations => locations(1));
    $browser->open($nginx->url('/?gone#no-such-cup'));
    shows '#registration', 'No such tournament';

    my $asked = requests(qr/no-such-cup/);

    $pg->register(\%cup, 'CONFIRMED');
    shows '#cards', '7 of 8 slots taken';
    is requests(qr/no-such-cup/), $asked, 'is not asked for again';
};


subtest 'widths' => sub {
    $browser->open($nginx->url('/?widths#cup'));
    shows '#slots', '7 of 8 slots taken';

    for my $width (320, 1280) {
        for my $scheme (qw(light dark)) {
            $browser->screen(width => $width, height => 780,
                             mobile => $width == 320);
            $browser->scheme($scheme);
            cmp_ok $browser->value('document.documentElement.scrollWidth'),
                '<=', $width, "$width, $scheme: nothing sticks out";
            $browser->screenshot("$ENV{TOURNAMENT_SHOTS}/$width-$scheme.png")
                if $ENV{TOURNAMENT_SHOTS};
        }
    }
};


# The failed requests are the test's.

my @errors = grep { $_->{message} !~ /Failed to load resource|ERR_CONNECTION/ }
    $browser->console;

is_deeply \@errors, [], 'the console has no errors';

done_testing;
