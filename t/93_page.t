# The page of endpoint "status" in a real browser: its figures are those of the
# JSON, it follows them, says when there are none, and fits a phone, by day and
# by night.

use FindBin;
use lib "$FindBin::Bin/lib";

use Tournament::Test;
use Tournament::Browser;

my $missing = Tournament::Browser::missing();

plan skip_all => $missing if defined $missing;

my %api   = Tournament::Nginx::api();
my $pg    = Tournament::Postgres->new;
my $nginx = Tournament::Nginx->new(
    database  => $pg,
    feed      => 1,
    workers   => 2,
    http      => [ @{ $api{http} }, 'keepalive_timeout 5s;' ],
    locations => [ @{ $api{locations} },
                   map { "location = /$_->[0] { $_->[1] tournament status; }" }
                       [ 'status', '' ], [ 'strict', csp("default-src 'self'") ],
                       [ 'dumb', csp("default-src 'none'") ],
                       [ 'bare', csp("default-src 'self'; style-src 'none'") ],
    ],
);


sub csp { return "add_header Content-Security-Policy \"$_[0]\";" }

my $slug    = $pg->tournament(slots => 8, confirmed => 3)->{slug};
my $browser = Tournament::Browser->new;


sub figures {
    return $nginx->get('/status', Accept => 'application/json')->json;
}


# A number as the page writes it.

sub shown {
    my ($number) = @_;

    1 while $number =~ s/^(\d+)(\d{3})/$1,$2/;

    return $number;
}


sub ask {
    my ($count, $path) = @_;

    my $connection = $nginx->connect;

    $connection->get($path) for 1 .. $count;
    $connection->close;

    return;
}


sub row {
    my ($endpoint) = @_;

    my $row = "document.querySelector('[data-endpoint=$endpoint]')";

    return $browser->value("Object.fromEntries([...$row.cells].map(cell =>"
        . ' [cell.dataset.label || "rate", cell.textContent]))');
}


# The text beside a term of a list, or null.

sub beside {
    my ($id, $term) = @_;

    return "[...document.querySelectorAll('#$id dt')].find(dt =>"
        . " dt.textContent === '$term').nextSibling.textContent";
}


sub is_live {
    $browser->wait_for(q{document.querySelector('#live').textContent
        === 'Live'}, 'the page is live');

    return;
}


$nginx->wait_for_log(qr/listening to changes/);

subtest 'its source' => sub {
    my $page = join '', map { slurp(project("src/endpoints/status.$_")) }
        qw(html css js);

    unlike $page, qr/\b(?:innerHTML|outerHTML|insertAdjacentHTML
                     |document\.write|eval)\b/x, 'data is text';
    unlike $page, qr/\b(?:src|href)="(?!data:|\?style"|\?script")/,
        'nothing is loaded from elsewhere';
    unlike $page, qr/ (?:style|on\w+)="|<style|<script>/, 'nothing is inline';
    unlike $page, qr/\burl\(|\@import/, 'not by its style either';
};


subtest 'the figures of the JSON' => sub {
    ask(30, "/tournaments/api/$slug/state/");
    ask(5, "/tournaments/api/$slug/count/");
    ask(2, '/tournaments/api/no-such-one/detail/');

    $browser->open($nginx->url('/status'));
    is_live();

    my $figures = figures();

    is $figures->{endpoints}{state}{requests}, 30, 'requests are counted';

    for my $name (sort keys %{ $figures->{endpoints} }) {
        my $counted = $figures->{endpoints}{$name};
        my $row     = row($name);

        for my $key (qw(requests hits misses expired updating stale bypass
                        errors_4xx errors_5xx))
        {
            is $row->{ $key =~ s/errors_//r }, shown($counted->{$key}),
                "$name: $key";
        }

        my $rate = $counted->{hit_rate};

        is $browser->text("[data-endpoint=$name] .meter span"),
            defined $rate ? sprintf('%.2f %%', 100 * $rate) : '–',
            "$name: hit rate";
    }

    # What is loaded in the background may still be on its way.

    ok poll_until {
        my $cache = figures()->{cache};

        $browser->value(beside('cache', 'Entries')) eq shown($cache->{entries})
            && $browser->value(beside('cache', 'Cells of 256 bytes, used'))
            eq shown($cache->{cells}{used}) . ' of '
                . shown($cache->{cells}{total})
    } 20, 'entries and cells';

    is $browser->text('#feed-state'), 'up', 'the feed';

    my @workers = map { "$_->{pid}" } @{ $figures->{database}{workers} };

    is_deeply $browser->value(q{[...document.querySelectorAll(
        '#workers tbody th')].map(th => th.textContent)}), \@workers,
        'a row for each worker';
    like $browser->text('#facts'), qr/· 2 workers ·/, 'the number of workers';
    unlike $browser->text('#latency'), qr/NaN|undefined/, 'the latencies';
};


subtest 'it follows' => sub {
    ask(1200, "/tournaments/api/$slug/state/");

    $browser->wait_for("document.querySelector('[data-endpoint=state]"
        . " [data-label=requests]').textContent === '1,230'"
        . " && parseFloat(document.querySelector('#requests').textContent) > 0",
        'the new requests show, and how many there are in a second');

    $browser->wait_for("document.querySelectorAll('#requests-line .line')"
        . '.length', 'a line is drawn');

    $pg->rows("UPDATE tournaments_tournament SET slot_size = 9
                WHERE slug = '$slug'");

    $browser->wait_for(beside('feed', 'Changes heard') . " !== '0'",
        'a change shows');

    is_deeply [ map { $_->{message} } $browser->console ], [],
        'the console is empty';
};


# Nothing may reach beyond its panel, nor a panel beyond the screen.

sub too_wide {
    return $browser->value(q{[...document.querySelectorAll('body *')].filter(
        element => {
            const panel = element.parentElement.closest('section');
            const edge = panel ? panel.getBoundingClientRect().right
                - parseFloat(getComputedStyle(panel).paddingRight)
                : document.documentElement.clientWidth;

            return element.getBoundingClientRect().right > edge + 0.5
                && !element.closest('svg');
        }).map(element => element.tagName + '#' + element.id)});
}


# Pictures for who wants to look at them.

sub shoot {
    my ($name) = @_;

    my $dir = $ENV{TOURNAMENT_SHOTS} // return;

    for my $width (320, 1280) {
        $browser->screen(width => $width, height => 780,
                         mobile => $width < 700);
        $browser->screenshot("$dir/$name-$width.png");
    }

    return;
}


# The least contrast of any text, as WCAG 2 defines it.

my $CONTRAST = <<'END';
(() => {
    const channels = color => (color.match(/[\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(
        c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const back = element => {
        for (; element; element = element.parentElement) {
            const color = channels(getComputedStyle(element).backgroundColor);
            if (color[3] !== 0) return color;
        }
        return [255, 255, 255];
    };
    return Math.min(...[...document.querySelectorAll('body *')].filter(
        element => !element.closest('script, noscript')
            && [...element.childNodes].some(
                node => node.nodeType === 3 && node.data.trim()))
        .map(element => {
            const [a, b] = [light(channels(getComputedStyle(element).color)),
                light(back(element))].sort((x, y) => y - x);
            return (a + 0.05) / (b + 0.05);
        }));
})()
END


subtest 'phones, day and night' => sub {
    my %back;

    for my $scheme (qw(light dark)) {
        $browser->scheme($scheme);

        for my $width (320, 360, 768, 1280) {
            $browser->screen(width => $width, height => 780,
                             mobile => $width < 700);

            is $browser->value('document.documentElement.scrollWidth'),
                $width, "$scheme, $width pixels: no wider than that";
            is_deeply too_wide(), [], 'and nothing is beyond its edge';
        }

        $back{$scheme} = $browser->value(
            'getComputedStyle(document.body).backgroundColor');
        cmp_ok $browser->value($CONTRAST), '>=', 4.5, "$scheme: contrast";

        shoot($scheme);
    }

    isnt $back{dark}, $back{light}, 'the schemes differ';
};


subtest 'paused' => sub {
    $browser->click('#pause');
    $browser->wait_for("document.querySelector('#live').textContent"
        . " === 'Paused'", 'it says so');
    is $browser->value("document.querySelector('#pause').getAttribute("
        . "'aria-pressed')"), 'true', 'to a screen reader as well';

    $browser->click('#pause');
    is_live();
};


subtest 'a reload, an outage, a new start' => sub {
    my $note = 'document.querySelector("#notes").textContent';

    $nginx->reload;
    $browser->wait_for("/configuration was reloaded/.test($note)",
        'a reload is told');
    ok !$browser->value("/began anew/.test($note)"), 'and nothing else';

    $browser->console;
    $nginx->stop;
    $browser->wait_for("/has not answered since .*cannot be reached/.test("
        . "$note)", 'silence is told');
    is $browser->text('#live'), 'Not answering', 'at the top';
    is $browser->text('[data-endpoint=state] [data-label=requests]'), '1,230',
        'the last figures stay';
    like $browser->value('document.title'), qr/no answer/,
        'the title says it, too';

    $nginx->start;
    is_live();
    $browser->wait_for("/counters began anew/.test($note)",
        'the counters are new');
    is $browser->text('[data-endpoint=state] [data-label=requests]'), '0',
        'and so are the figures';

    my @other = grep { $_->{source} ne 'network' } $browser->console;

    is_deeply [ map { $_->{message} } @other ], [],
        'but for refused connections the console is empty';
};


subtest 'a policy of the site' => sub {
    my $note = 'document.querySelector("#notes").textContent';

    $browser->open($nginx->url('/strict'));
    is_live();
    $browser->wait_for("/No trouble/.test($note)", 'a strict one will do');

    $browser->open($nginx->url('/bare'));
    $browser->wait_for("/style of this page has not been/.test($note)",
        'without style it says so');

    $browser->open($nginx->url('/dumb'));
    $browser->wait_for("/script of this page has not been/.test($note)",
        'without a script it says so');

    $browser->open($nginx->url('/status'));
    $browser->console;
    is_live();
    pass('and without one it is as before');
};


subtest 'PostgreSQL is gone' => sub {
    my $note = 'document.querySelector("#notes").textContent';
    my $live = 'document.querySelector("#live").className';

    is $browser->value($live), 'mark good', 'all is well';

    $pg->stop;
    $browser->wait_for("/feed has been down/.test($note)"
        . " && /connections? to PostgreSQL/i.test($note)", 'it is told');
    is $browser->text('#feed-state'), 'down', 'in the feed\'s panel as well';

    ask(3, '/tournaments/api/not-cached/state/');
    $browser->wait_for("/^\\s*No connection to PostgreSQL since "
        . "\\d\\d:\\d\\d:\\d\\d\\..*until about \\d\\d:.*feed has been down.*consequence"
        . ".*3 requests were answered with 5xx/s.test($note)",
        'the cause first, since when, and how long old answers last');
    $browser->wait_for('parseFloat(document.querySelector("#failures")'
        . '.textContent) > 0', 'errors in a second');
    is $browser->value($live), 'mark bad', 'it is live, and not green';
    like $browser->value('document.title'), qr/^✕ No connection to PostgreSQL/,
        'the title says it, too';
    like $browser->value('document.querySelector("#icon").href'), qr/d6362a/,
        'and the icon';

    for my $scheme (qw(light dark)) {
        $browser->scheme($scheme);
        shoot("gone-$scheme");
        is_deeply too_wide(), [], "$scheme: nothing is beyond its edge";
        cmp_ok $browser->value($CONTRAST), '>=', 4.5, 'and its contrast';
    }

    $pg->start;
    $browser->wait_for("!/No connection|feed has been down/.test($note)",
        'and its end is');
};


done_testing;
