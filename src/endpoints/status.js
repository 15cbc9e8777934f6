// The page of endpoint "status": it polls the address that it came from, and
// shows what has changed between two samples.

'use strict';

const PERIOD = 1000;            // ms between two polls
const PATIENCE = 5000;          // ms until an answer counts as missing
const SHOWN = 600;              // samples in a line
const MINUTE = 60000;
const RECENT = 10000;           // ms over which rates are taken

const $ = id => document.getElementById(id);
const now = () => performance.now();

let samples = [];               // what was read, oldest first
let failure = null;             // { since, why } while nothing answers
let restarted = null;           // when the counters began anew, ms
let reloaded = null;
let paused = false;
let timer;


// Text

const whole = new Intl.NumberFormat('en');
const number = n => n == null ? '–' : whole.format(n);
const percent = r => r == null ? '–' : (100 * r).toFixed(2) + ' %';

function rate(n) {
    return n == null ? '–' : n >= 100 ? number(Math.round(n)) : n.toFixed(1);
}

function seconds(s) {
    if (s == null) return '–';

    const n = s < 1 ? s * 1000 : s;

    return n.toFixed(n < 1 ? 2 : n < 10 ? 1 : 0) + (s < 1 ? ' ms' : ' s');
}

function duration(s) {
    const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    const at = parts.findIndex(([n]) => s >= n);

    if (at < 0) return '0 s';

    return parts.slice(at, at + 2).map(([n, unit], i) =>
        Math.floor(i ? s % parts[at][0] / n : s / n) + ' ' + unit)
        .filter((text, i) => !i || !text.startsWith('0 ')).join(' ');
}

const clock = ms => new Date(ms).toTimeString().slice(0, 8);


// Document

function make(name, text, attributes) {
    const element = document.createElement(name);

    if (text != null) element.textContent = text;
    for (const key in attributes) element.setAttribute(key, attributes[key]);

    return element;
}

function say(element, text) {
    if (element.textContent !== text) element.textContent = text;
}

function mark(element, kind, text) {
    say(element, text);
    if (element.className !== 'mark ' + kind)
        element.className = 'mark ' + kind;
}

// Rows stay as long as their names do, so that a selection survives.

function rows(body, names, build) {
    const key = names.join();

    if (body.dataset.key !== key) {
        body.dataset.key = key;
        body.replaceChildren(...names.map(build));
    }

    return [...body.children];
}

function list(id, pairs) {
    const dl = $(id);

    if (dl.children.length !== 2 * pairs.length)
        dl.replaceChildren(...pairs.flatMap(([name]) =>
            [make('dt', name), make('dd')]));

    pairs.forEach(([, text], i) => say(dl.children[2 * i + 1], text));
}

function draw(svg, width, shapes) {
    const all = shapes.map(([name, attributes]) => {
        const shape = document.createElementNS(
            'http://www.w3.org/2000/svg', name);

        for (const key in attributes)
            shape.setAttribute(key, attributes[key]);

        return shape;
    });

    svg.setAttribute('viewBox', `0 0 ${width} 44`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.replaceChildren(...all);
}

// A line of values, the newest at the right; null is a gap.

function line(name, values, top, text) {
    const svg = $(name + '-line');
    const max = top || Math.max(1, ...values);
    const first = SHOWN - values.length;
    const shapes = [['line', { class: 'base', x1: 0, x2: SHOWN - 1, y1: 43,
                               y2: 43 }]];
    let run = [];

    const flush = () => {
        if (run.length > 1) {
            const path = run.map(([x, y]) => `${x} ${y}`).join(' L');

            shapes.push(['path', { class: 'area', d: `M${run[0][0]} 43 L${path}`
                + ` L${run[run.length - 1][0]} 43 Z` }],
                ['path', { class: 'line', d: 'M' + path }]);
        }
        run = [];
    };

    values.forEach((value, i) => {
        if (value == null) return flush();
        run.push([first + i, (43 - 41 * value / max).toFixed(1)]);
    });
    flush();
    draw(svg, SHOWN - 1, shapes);
    say($(name + '-scale'), '0 to ' + text(max));
}

function bars(svg, counts) {
    const max = Math.max(1, ...counts);

    draw(svg, 10 * counts.length, counts.map((count, i) => {
        const height = count ? Math.max(2, 42 * count / max) : 0;

        return ['rect', { class: 'bar', x: 10 * i + 1, width: 8,
                          y: 43 - height, height }];
    }).concat([['line', { class: 'base', x1: 0, x2: 10 * counts.length,
                          y1: 43.5, y2: 43.5 }]]));
}


// Figures

const CACHED = ['hits', 'misses', 'expired', 'stale', 'updating'];

function totals(data) {
    const sum = { requests: 0, hits: 0, cacheable: 0, failures: 0 };

    for (const endpoint of Object.values(data.endpoints)) {
        sum.requests += endpoint.requests;
        sum.hits += endpoint.hits;
        sum.failures += endpoint.errors_5xx;
        for (const key of CACHED) sum.cacheable += endpoint[key];
    }

    return sum;
}

// The last sample that is at least so old, or the oldest.

function before(ms) {
    const last = samples[samples.length - 1];

    for (let i = samples.length - 2; i >= 0; i--)
        if (last.at - samples[i].at >= ms - PERIOD / 2) return samples[i];

    return samples[0];
}

function perSecond(from, to, read) {
    return to.at > from.at
        ? (read(to) - read(from)) / (to.at - from.at) * 1000 : null;
}

// A histogram less an earlier one of the same.

function since(histogram, earlier) {
    return {
        count: histogram.count - earlier.count,
        buckets: histogram.buckets.map((bucket, i) => ({
            le: bucket.le, count: bucket.count - earlier.buckets[i].count,
        })),
    };
}

// As Prometheus has it: evenly spread within a bucket.

function quantile(q, histogram) {
    let wanted = q * histogram.count, lower = 0;

    if (!histogram.count) return '–';

    for (const { le, count } of histogram.buckets) {
        if (count && wanted <= count)
            return le == null ? '> ' + seconds(lower)
                : seconds(lower + (le - lower) * wanted / count);
        wanted -= count;
        lower = le;
    }

    return '–';
}

function hitRate(from, to) {
    const cacheable = to.sum.cacheable - from.sum.cacheable;

    return cacheable > 0 ? (to.sum.hits - from.sum.hits) / cacheable : null;
}


// What is shown

function tiles(data, last, recent, minute) {
    const all = last.sum.cacheable ? last.sum.hits / last.sum.cacheable : null;
    const lately = hitRate(minute, last);
    const database = data.database, latency = database.latency;
    const window = since(latency, minute.data.database.latency);
    const shown = window.count ? window : latency;
    const steps = samples.slice(1);

    say($('hit-rate'), percent(lately == null ? all : lately));
    say($('hit-rate-all'), lately == null ? 'since the start'
        : `last minute; ${percent(all)} in all`);
    say($('requests'), rate(perSecond(recent, last, s => s.sum.requests)));
    say($('requests-all'), `${number(last.sum.requests)} in all`);
    say($('queries'),
        rate(perSecond(recent, last, s => s.data.database.queries)));
    say($('queries-all'), `${number(database.queries)} in all`);
    say($('query-time'), quantile(0.5, shown));
    say($('query-span'), !latency.count ? 'no queries yet'
        : `p99 ${quantile(0.99, shown)}, `
            + (window.count ? 'last minute' : 'since the start'));
    say($('query-first'), '≤ ' + seconds(latency.buckets[0].le));
    say($('query-last'),
        '> ' + seconds(latency.buckets[latency.buckets.length - 2].le));

    const failures = perSecond(recent, last, s => s.sum.failures);

    say($('failures'), rate(failures));
    say($('failures-all'), `${number(last.sum.failures)} in all`);
    $('failures').classList.toggle('bad', failures > 0);

    const steady = (name, read) => line(name, steps.map((s, i) =>
        perSecond(samples[i], s, read)), null, rate);

    line('hit', steps.map((s, i) => hitRate(samples[i], s)), 1, () => '100 %');
    steady('requests', s => s.sum.requests);
    steady('failures', s => s.sum.failures);
    steady('queries', s => s.data.database.queries);
    bars($('query-bars'), shown.buckets.map(bucket => bucket.count));
}

const COLUMNS = ['requests', 'hits', 'misses', 'expired', 'updating', 'stale',
                 'bypass', 'errors_4xx', 'errors_5xx'];
const label = key => key.replace('errors_', '');

function endpoints(data, last, recent) {
    const table = $('endpoints');
    const head = table.querySelector('thead');
    const names = Object.keys(data.endpoints);

    rows(head, ['head'], () => {
        const row = make('tr', null, { role: 'row' });

        row.append(...['endpoint', 'hit rate', 'per second',
                     ...COLUMNS.map(label)].map(
            text => make('th', text, { scope: 'col', role: 'columnheader' })));

        return row;
    });

    rows(table.querySelector('tbody'), names, name => {
        const row = make('tr', null, { role: 'row', 'data-endpoint': name });
        const meter = make('td', null, { role: 'cell', class: 'rate' });
        const inner = make('div', null, { class: 'meter' });
        const track = make('div', null, { class: 'track' });

        track.append(make('i'));
        inner.append(track, make('span'));
        meter.append(inner);
        row.append(make('th', name, { scope: 'row', role: 'rowheader' }),
                   meter,
                   ...['per second', ...COLUMNS.map(label)].map(
                       text => make('td', null,
                           { role: 'cell', 'data-label': text })));

        return row;
    }).forEach((row, i) => {
        const endpoint = data.endpoints[names[i]];
        const values = [
            rate(perSecond(recent, last,
                s => (s.data.endpoints[names[i]] || endpoint).requests)),
            ...COLUMNS.map(key => number(endpoint[key])),
        ];

        row.querySelector('i').style.width =
            100 * (endpoint.hit_rate || 0) + '%';
        say(row.querySelector('.meter span'), percent(endpoint.hit_rate));

        values.forEach((value, column) => {
            const cell = row.children[2 + column];

            say(cell, value);
            cell.classList.toggle('zero', /^(0(\.0)?|–)$/.test(value));
        });
    });
}

function latencies(data, minute) {
    const all = [
        ['Queries', d => d.database.latency],
        ['Misses', d => d.misses],
        ['Feed delay', d => d.feed.delay],
    ];

    rows($('latency').tBodies[0], all.map(([name]) => name), name => {
        const row = make('tr');

        row.append(make('th', name, { scope: 'row' }),
                   ...['', '', '', '', 'wide', 'wide'].map(
                       kind => make('td', null, { class: kind })));

        return row;
    }).forEach((row, i) => {
        const histogram = all[i][1](data);
        const lately = since(histogram, all[i][1](minute.data));

        [quantile(0.5, lately), quantile(0.99, lately),
         quantile(0.5, histogram), quantile(0.99, histogram),
         histogram.count ? seconds(histogram.sum / histogram.count) : '–',
         number(histogram.count),
        ].forEach((text, column) => say(row.children[1 + column], text));
    });
}

function panels(data, minute) {
    const { cache, database, feed, changes, streams } = data;
    const cells = cache.cells;
    const used = cells.total ? cells.used / cells.total : 0;

    latencies(data, minute);

    mark($('feed-state'), { up: 'good', down: 'bad' }[feed.state] || 'quiet',
         feed.state);
    list('feed', [
        ['Last message', feed.last_message == null ? '–'
            : seconds(feed.last_message) + ' ago'],
        ['Kind', feed.kind ?? '–'],
        ...(feed.slot == null ? [] : [
            ['Slot', feed.slot],
            ['Lag', `${number(feed.lag_bytes)} bytes, `
                + seconds(feed.lag_seconds)],
        ]),
        ['Listening worker', feed.worker == null ? '–' : `${feed.worker}`],
        ['Changes heard', number(changes.feed)],
        ['Purges', number(changes.purges)],
        ['Streams', number(Object.values(streams.open).reduce(
            (sum, n) => sum + n, 0))],
        ['Events sent', number(streams.events)],
    ]);

    list('database', ['queries', 'errors', 'timeouts', 'slow', 'refused'].map(
        key => [key[0].toUpperCase() + key.slice(1), number(database[key])]));

    const workers = database.workers;

    rows($('workers').tBodies[0], workers.map(w => `${w.pid}`), name => {
        const row = make('tr');

        row.append(make('th', name, { scope: 'row' }),
                   ...Array.from({ length: 5 }, () => make('td')));

        return row;
    }).forEach((row, i) =>
        ['ready', 'connecting', 'down', 'in_flight', 'queued'].forEach(
            (key, column) => {
                const cell = row.children[1 + column];

                say(cell, number(workers[i][key]));
                cell.className = workers[i][key] === 0 ? 'zero'
                    : key === 'down' ? 'mark bad' : '';
            }));

    $('fill').style.width = 100 * used + '%';
    say($('fill-text'), `${(100 * used).toFixed(1)} % full`);
    list('cache', [
        ['Entries', number(cache.entries)],
        ['… of what does not exist', number(cache.missing)],
        [`Cells of ${cells.size} bytes, used`,
         `${number(cells.used)} of ${number(cells.total)}`],
        ['Evictions', number(cache.evictions)],
        ['Recoveries', number(cache.recoveries)],
    ]);
}

// Each note is [kind, what, what follows].

function troubles(data, last, minute) {
    const found = [];
    const lately = read => read(data) - read(minute.data);
    const count = (n, one, many) => `${number(n)} ${n === 1 ? one : many}`;
    const total = key => data.database.workers.reduce((n, w) => n + w[key], 0);
    const ready = total('ready');
    const other = total('connecting') + total('down');

    // The cause comes first: without PostgreSQL there is no feed either.

    const outage = data.database.outage;
    const ago = s => s == null ? '' : ' since ' + clock(Date.now() - 1000 * s);
    const gone = !ready && other > 0;

    if (gone)
        found.push(['bad', `No connection to PostgreSQL${ago(outage)}.`,
            'Answers come from the cache' + (data.stale && outage != null
            ? `, old ones until about ${clock(Date.now()
                + 1000 * (data.stale - outage))} (tournament_stale)` : '')
            + '; anything else is answered with 503. The error log says why.']);

    if (data.feed.state === 'down')
        found.push(['bad', 'The feed ' + (data.feed.last_message == null
            ? 'is down' : `has been down${ago(data.feed.last_message)}`)
            + (gone ? ', as a consequence.' : '.'),
            'Changes are not heard: until it is back TTLs bound how old an'
            + ' answer can be.']);

    const failed = last.sum.failures - minute.sum.failures;

    if (failed > 0)
        found.push([gone ? 'warn' : 'bad', count(failed, 'request was',
            'requests were') + ' answered with 5xx in the last minute.', '']);

    if (!gone && total('down'))
        found.push(['warn', `${total('down')} of ${ready + other} connections`
            + ' to PostgreSQL are down.', 'The error log says why.']);

    for (const [key, one, many] of [
        ['errors', 'query failed', 'queries failed'],
        ['timeouts', 'query timed out', 'queries timed out'],
        ['refused', 'query was refused', 'queries were refused'],
    ]) {
        const n = lately(d => d.database[key]);

        if (n > 0) found.push(['warn', count(n, one, many)
            + ' in the last minute.', {
                errors: 'The error log has PostgreSQL’s words.',
                timeouts: 'PostgreSQL is slow, or waits for a lock.',
                refused: 'tournament_database_queue was full: more is asked'
                    + ' of PostgreSQL than it answers.',
            }[key]]);
    }

    const evicted = lately(d => d.cache.evictions);

    if (evicted > 0)
        found.push(['warn', count(evicted, 'entry was', 'entries were')
            + ' evicted in the last minute.',
            'The cache is full: a larger tournament_zone keeps more.']);

    if (lately(d => d.cache.recoveries) > 0)
        found.push(['warn', 'The cache was emptied.',
            'A worker died while it changed it; the error log has more.']);

    return found;
}

function verdict(data, last, minute) {
    const workers = data.database.workers;
    const ready = workers.reduce((n, w) => n + w.ready, 0);
    const asked = last.sum.requests - minute.sum.requests;
    const queries = data.database.queries - minute.data.database.queries;

    return ['good', 'No trouble.', `${number(ready)} connections ready, feed `
        + `${data.feed.state}.` + (asked > 0 ? ` In the last minute `
        + `${number(asked)} requests took ${number(queries)} `
        + (queries === 1 ? 'query.' : 'queries.') : '')];
}

function notes(found) {
    const ul = $('notes');
    const key = JSON.stringify(found);

    if (ul.dataset.key === key) return;
    ul.dataset.key = key;
    ul.replaceChildren(...found.map(([kind, what, then]) => {
        const item = make('li', null, { class: kind });

        if (kind === 'bad') item.setAttribute('role', 'alert');
        item.append(make('b', what, { class: 'mark ' + kind }), ' ' + then);

        return item;
    }));
}

function show() {
    const last = samples[samples.length - 1];
    const found = [];

    document.body.classList.toggle('lost', !!failure);

    if (failure) {
        mark($('live'), 'bad', 'Not answering');
        found.push(['bad', `This node has not answered since `
            + `${clock(failure.since)}: ${failure.why}.`, last
            ? `The figures below are those of ${clock(last.time)}.` : '']);

    } else if (paused) {
        mark($('live'), 'quiet', 'Paused');

    }

    if (last) {
        const data = last.data;
        const recent = before(RECENT), minute = before(MINUTE);

        if (restarted)
            found.push(['warn', `The counters began anew at `
                + `${clock(restarted)}.`, 'nginx was restarted, or its zone'
                + ' made anew: it fills up again.']);
        if (reloaded)
            found.push(['good', `The configuration was reloaded at `
                + `${clock(reloaded)}.`, 'The counters go on.']);

        if (!failure) {
            const bad = troubles(data, last, minute);

            found.push(...bad.length ? bad : [verdict(data, last, minute)]);
        }

        say($('facts'), `${data.host} · nginx ${data.nginx} · module `
            + `${data.version} · up ${duration(data.uptime)} · `
            + `${number(data.workers)} `
            + (data.workers === 1 ? 'worker' : 'workers')
            + ` · configuration ${number(data.generation)}`);

        tiles(data, last, recent, minute);
        endpoints(data, last, recent);
        panels(data, minute);
    }

    if (!getComputedStyle(document.documentElement).getPropertyValue('--page'))
        found.push(['bad', 'The style of this page has not been loaded.',
            'The browser’s console says why.']);

    const worst = ['bad', 'warn'].find(kind => found.some(n => n[0] === kind))
        || 'good';

    if (!failure && !paused && last) mark($('live'), worst, 'Live');

    notes(found);
    tab(worst, failure ? 'no answer' : last
        ? (worst === 'bad' ? found[0][1].replace(/\.$/, '') + ' · ' : '')
            + percent(hitRate(before(MINUTE), last)) : '…', last);
}

// The tab tells trouble by its title and by its icon.

function tab(worst, text, last) {
    const sign = { bad: '✕ ', warn: '▲ ', good: '' }[worst];
    const title = `${sign}${text} · ${last ? last.data.host : 'tournament'}`;
    const color = { bad: '#d6362a', warn: '#d68a00', good: '#1d8a4e' }[worst];
    const icon = 'data:image/svg+xml,' + encodeURIComponent(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        + `<circle cx="8" cy="8" r="7" fill="${color}"/></svg>`);

    if (document.title !== title) document.title = title;
    if ($('icon').href !== icon) $('icon').href = icon;
}


// What is read

function began(earlier, data) {
    return data.uptime < earlier.uptime
        || data.generation < earlier.generation
        || data.database.queries < earlier.database.queries
        || totals(data).requests < totals(earlier).requests;
}

function take(data) {
    const last = samples[samples.length - 1];
    const at = now(), time = Date.now();

    if (last && began(last.data, data)) {
        samples = [];
        restarted = time;
        reloaded = null;

    } else if (last && data.generation !== last.data.generation) {
        reloaded = time;
    }

    if (time - restarted > MINUTE) restarted = null;
    if (time - reloaded > MINUTE) reloaded = null;

    samples.push({ at, time, data, sum: totals(data) });
    if (samples.length > SHOWN + 1) samples.shift();
}

async function read() {
    const abort = new AbortController();
    const patience = setTimeout(() => abort.abort(), PATIENCE);

    try {
        const response = await fetch(location.href, {
            headers: { Accept: 'application/json' },
            cache: 'no-store', signal: abort.signal,
        });

        if (!response.ok) throw new Error(`status ${response.status}`);

        const text = await response.text();

        if (!/^\{.*"endpoints":/s.test(text))
            throw new Error('it sent something else than figures');

        take(JSON.parse(text));
        failure = null;

    } catch (error) {
        failure = {
            since: failure ? failure.since : Date.now(),
            why: error.name === 'AbortError'
                ? `nothing came within ${PATIENCE / 1000} s`
                : error instanceof TypeError ? 'it cannot be reached'
                : error.message,
        };

    } finally {
        clearTimeout(patience);
    }
}

async function poll() {
    const start = now();

    timer = null;

    if (!paused && !document.hidden) {
        await read();
        show();
    }

    timer = setTimeout(poll, Math.max(100, PERIOD - (now() - start)));
}

$('pause').addEventListener('click', event => {
    paused = !paused;
    event.target.setAttribute('aria-pressed', paused);
    say(event.target, paused ? 'Resume' : 'Pause');
    show();
});

document.addEventListener('visibilitychange', () => {
    if (!document.hidden && timer) {
        clearTimeout(timer);
        poll();
    }
});

poll();
