// The hub's cards, and a tournament with its state, slots and countdowns, all of
// which change by themselves.

import { watch } from './tournament.js';

const API = '/tournaments/api';
const HUB = `${API}/hub/`;
const MANY = '?per_page=60';

const REGISTRATION = {
    not_open: 'Registration is not open yet',
    open: 'Registration is open',
    full: 'All slots are taken',
    closed: 'Registration is closed',
    started: 'The tournament has started',
    completed: 'The tournament is over',
};

const $ = id => document.getElementById(id);

let one;                        // { slug, watcher, state, left }
const outdated = new Map();       // what is old: its URL -> when it was right


// What was last known, for when the network is gone.

const kept = 'caches' in window ? caches.open('tournaments') : undefined;

async function keep(url, data) {
    await (await kept)?.put(url, new Response(JSON.stringify(data)));
}

async function known(url) {
    return (await (await kept)?.match(url))?.json();
}


// Shows what was last known, if anything, until there is an answer.

function follow(url, stream, show) {
    let answered = false;

    const shown = (data, stale, left) => {
        if (stale) outdated.set(url, data.timestamp);
        else outdated.delete(url);

        notice();
        show(data, left);
    };

    known(url).then(data => {
        if (data && !answered) shown(data, true, () => null);
    }).catch(() => {});

    const watcher = watch(url, (data, { stale, watcher }) => {
        answered = true;
        shown(data, stale, seconds => watcher.left(seconds));

        if (!stale) keep(url, data).catch(() => {});
    }, { stream, onerror: error => gone(url, error) });

    return {
        close() {
            answered = true;
            outdated.delete(url);
            watcher.close();
        },
    };
}

function notice() {
    const since = [...outdated.values()].sort()[0];

    $('notice').textContent = since
        ? 'There is no connection. This is how things were at '
          + new Date(since).toLocaleTimeString() + '.'
        : '';
}

function gone(url, error) {
    if (url === HUB + MANY) return;

    $('registration').textContent = error.error ?? 'This tournament is gone';
    $('registration').className = '';
    $('facts').hidden = true;
    one.state = undefined;
}


// "3 days, 04:05:06"

function duration(seconds) {
    const days = Math.floor(seconds / 86400);
    const clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60]
        .map(n => String(Math.floor(n)).padStart(2, '0')).join(':');

    return days ? `${days} ${days === 1 ? 'day' : 'days'}, ${clock}` : clock;
}

function instant(text) {
    return text == null ? '–' : new Date(text).toLocaleString(undefined,
        { dateStyle: 'medium', timeStyle: 'short' });
}

function slots({ total, taken, has_limit }) {
    return has_limit ? `${taken} of ${total} slots taken`
        : `${taken} ${taken === 1 ? 'participant' : 'participants'}`;
}


function make(tag, text, name) {
    const element = document.createElement(tag);

    if (text != null) element.textContent = text;
    if (name) element.className = name;

    return element;
}

function card(tournament) {
    const item = make('li');
    const link = make('a');
    const end = make('span', null, 'end');

    link.href = `#${tournament.slug}`;
    item.dataset.slug = tournament.slug;

    end.append(make('span', REGISTRATION[tournament.registration_state]
                            ?? tournament.registration_state,
                    tournament.registration_state),
               make('span', slots(tournament.slots), 'quiet'));
    link.append(make('b', tournament.name),
                make('span', tournament.game, 'quiet'), end);
    item.append(link);

    return item;
}

// A card that says the same stays: the keyboard's focus may be on it.

function showHub(data) {
    const old = new Map([...$('cards').children]
        .map(item => [item.dataset.slug, item]));

    const items = data.tournaments.map(tournament => {
        const item = card(tournament);
        const before = old.get(tournament.slug);

        return before?.isEqualNode(item) ? before : item;
    });

    const focused = document.activeElement.closest?.('#cards li')
        ?.dataset.slug;

    if (items.length !== old.size
        || items.some((item, i) => item !== $('cards').children[i])) {
        $('cards').replaceChildren(...items);

        if (focused) {
            $('cards').querySelector(`[data-slug="${CSS.escape(focused)}"] a`)
                ?.focus();
        }
    }

    $('none').hidden = items.length > 0;
    title();
}

function showOne(data, left) {
    const { state } = data;

    $('registration').textContent = REGISTRATION[state.registration_state]
        ?? state.registration_state;
    $('registration').className = state.registration_state;
    $('slots').textContent = slots(state.slots);

    $('taken').hidden = !state.slots.has_limit;
    $('taken').max = state.slots.total || 1;
    $('taken').value = state.slots.taken;

    $('facts').hidden = false;
    one.state = state;
    one.left = left;
    title();
    countdown();
}

// Between two answers time passes here.

function countdown() {
    if (!one?.state) return;

    const { state, left } = one;
    const until = (seconds, at) => {
        const rest = left(seconds);

        return rest ? `in ${duration(rest)}` : instant(at);
    };

    $('opens').textContent = instant(state.opens_at);
    $('closes').textContent = until(state.seconds_until_reg_closes,
                                    state.closes_at);
    $('starts').textContent = until(state.seconds_until_start,
                                    state.starts_at);
}

setInterval(countdown, 1000);


function title() {
    if (!one) {
        document.title = 'Tournaments';
        return;
    }

    const link = $('cards').querySelector(
        `[data-slug="${CSS.escape(one.slug)}"] a`);

    $('name').textContent = link?.children[0].textContent ?? one.slug;
    $('game').textContent = link?.children[1].textContent ?? '';
    document.title = $('name').textContent;
}

function choose() {
    const slug = decodeURIComponent(location.hash.slice(1));

    one?.watcher.close();
    one = undefined;
    notice();

    $('one').hidden = !slug;

    if (slug) {
        const url = `${API}/${encodeURIComponent(slug)}/state/`;

        one = { slug };
        $('registration').textContent = '';
        $('registration').className = '';
        $('facts').hidden = true;
        one.watcher = follow(url, `${url}stream/`, showOne);
        $('name').focus();
        scrollTo(0, 0);
    }

    title();
}

addEventListener('hashchange', choose);

follow(HUB + MANY, `${HUB}stream/${MANY}`, showHub);
choose();

navigator.serviceWorker?.register('worker.js').catch(() => {});
