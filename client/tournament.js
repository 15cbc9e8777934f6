/*
 * Watches a document of the tournament API: by server-sent events where the
 * server has a stream of it, and otherwise by polling.  One ES module, for
 * browsers, without dependencies; tournament.d.ts has its types.
 *
 *     import { watch } from './tournament.js';
 *
 *     const watcher = watch('/tournaments/api/cup/state/', show,
 *                           { stream: '/tournaments/api/cup/state/stream/' });
 */

const INTERVAL = 5000;          // ms; between two polls
const LEAST = 1000;             // ms; the first pause after a failure
const MOST = 60000;             // ms; the longest one
const PATIENCE = 10000;         // ms; a stream that is broken for so long
                                // is an old document

// Adds up to a fifth more or less: pages that were opened together do not ask
// together for ever.

const spread = ms => ms * (0.8 + 0.4 * Math.random());


// Seconds left until an instant of a document, by the server's clock: seconds is
// what the document had as it was received, null stays null.

function left(seconds, received) {
    return seconds == null ? null
        : Math.max(0, seconds - Math.floor((performance.now() - received) / 1000));
}


// What an "event: change" of the endpoint "states" makes of the document.

function changed(document, change) {
    const states = { ...document.states, ...change.states };
    const missing = new Set(document.missing);

    for (const slug of change.missing ?? []) {
        missing.add(slug);
        delete states[slug];
    }

    for (const slug of Object.keys(change.states ?? {})) missing.delete(slug);

    return { ...document, ...change, states, missing: [...missing] };
}


class Watcher {
    #url; #onchange; #options;
    #document; #received = 0; #etag; #stale = false;
    #source; #broken; #timer; #abort;
    #failures = 0; #streams; #closed = false; #ended = false;

    constructor(url, onchange, options) {
        this.#url = url;
        this.#onchange = onchange;
        this.#options = options;
        this.#streams = options.stream && typeof EventSource === 'function';

        document.addEventListener('visibilitychange', this);
        window.addEventListener('online', this);

        if (!document.hidden) this.#begin();
    }

    /** The newest document, or undefined. */
    get document() { return this.#document; }

    /** Whether the server could not be asked, or could not ask its database. */
    get stale() { return this.#stale; }

    /** Seconds that are left now of what the document gives in seconds. */
    left(seconds) { return left(seconds, this.#received); }

    /** Asks at once. */
    refresh() {
        if (this.#closed || this.#ended) return;

        this.#rest();
        this.#begin();
    }

    /** Watches no more. */
    close() {
        this.#closed = true;
        this.#rest();
        document.removeEventListener('visibilitychange', this);
        window.removeEventListener('online', this);
    }

    // A page that nobody sees asks nothing, and catches up once it is seen.  A
    // stream from before the network was lost may never say that it is.

    handleEvent() {
        if (document.hidden) this.#rest();
        else this.refresh();
    }

    #rest() {
        clearTimeout(this.#timer);
        clearTimeout(this.#broken);
        this.#abort?.abort();
        this.#source?.close();
        this.#source = this.#abort = undefined;
    }

    #begin() {
        if (this.#streams) this.#open();
        else this.#poll();
    }

    #later(ms) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#begin(), ms);
    }

    // Waits for as long as the server says, or else ever longer.

    #fail(response) {
        const asked = Number(response?.headers.get('Retry-After')) * 1000;
        const pause = Math.min(LEAST * 2 ** this.#failures++, MOST);

        this.#outdated();
        this.#later(asked > 0 ? Math.max(asked, spread(pause))
                              : spread(pause));
    }

    #outdated() {
        if (this.#stale) return;

        this.#stale = true;
        if (this.#document) this.#tell();
    }

    #tell() {
        this.#onchange(this.#document, { stale: this.#stale, watcher: this });
    }

    #show(text, change) {
        const data = JSON.parse(text);

        this.#document = change ? changed(this.#document, data) : data;
        this.#received = performance.now();
        this.#works();
        this.#tell();
    }

    #works() {
        clearTimeout(this.#broken);
        this.#failures = 0;
        this.#stale = false;
    }

    // Nothing was missed: the document is as new as can be.

    #same() {
        const was = this.#stale;

        this.#works();
        if (was && this.#document) this.#tell();
    }

    // 401, 403, 404 and the like: asking again would change nothing.

    #end(status, error) {
        this.#ended = true;
        this.#rest();
        this.#options.onerror?.(error, status);
    }


    // Streams.  EventSource comes back by itself after a lost connection, and
    // stops for good at any other status than 200.

    #open() {
        const source = this.#source = new EventSource(this.#options.stream,
            { withCredentials: this.#options.credentials === 'include' });

        const heard = handler => event => {
            if (source === this.#source) handler(event);
        };

        source.onopen = heard(() => this.#same());
        source.onmessage = heard(event => this.#show(event.data, false));

        source.addEventListener('change', heard(event => {
            if (this.#document) this.#show(event.data, true);
        }));

        source.addEventListener('stale', heard(() => this.#outdated()));

        source.addEventListener('gone', heard(event => {
            const error = JSON.parse(event.data);

            this.#end({ not_found: 404, forbidden: 403 }[error.code] ?? 401,
                      error);
        }));

        source.onerror = heard(() => {
            if (source.readyState === EventSource.CLOSED) {
                this.#refused();
                return;
            }

            clearTimeout(this.#broken);
            this.#broken = setTimeout(() => this.#outdated(), PATIENCE);
        });
    }

    // Why there is no stream: only a request that can be looked at says so.

    async #refused() {
        this.#rest();

        const response = await this.#ask(this.#options.stream,
            { headers: { Accept: 'text/event-stream' } });
        const status = response?.status;

        if (response === null) return;

        response?.body?.cancel();

        if (status >= 400 && status < 500 && status !== 429) {
            this.#streams = false;
            this.#poll();
            return;
        }

        // Until there is a stream again a poll tells what is new.

        if (status === 429) this.#poll(response);
        else this.#fail(response);
    }


    // Polls.

    #known() { return this.#etag ? { 'If-None-Match': this.#etag } : {}; }

    // undefined: there is no answer; null: nobody waits for it any more.

    async #ask(url, options) {
        const abort = this.#abort = new AbortController();

        try {
            return await fetch(url, {
                cache: 'no-store',
                credentials: this.#options.credentials ?? 'same-origin',
                signal: abort.signal,
                ...options,
            });
        } catch {
            return abort.signal.aborted ? null : undefined;
        }
    }

    // After 429 of a stream, this is the pause until the next one.

    async #poll(refused) {
        const asked = this.#ask(this.#url, { headers: this.#known() });
        const abort = this.#abort;
        const response = await asked;

        if (response === null) return;

        const status = response?.status;

        if (status === 304) {
            this.#same();

        } else if (status === 200) {
            const text = await response.text().catch(() => undefined);

            if (abort !== this.#abort) return;
            if (text === undefined) return this.#fail();

            this.#etag = response.headers.get('ETag');
            this.#show(text, false);

        } else if (status >= 400 && status < 500 && status !== 429) {
            const error = await response.json().catch(() => ({}));

            if (abort === this.#abort) this.#end(status, error);

            return;

        } else {
            return this.#fail(response);
        }

        // The handler may have closed it, or asked again.

        if (abort !== this.#abort) return;

        const pause = spread(this.#options.interval ?? INTERVAL);
        const told = Number(refused?.headers.get('Retry-After')) * 1000 || 0;

        this.#later(Math.max(told, pause));
    }
}


/**
 * Calls onchange(document, { stale, watcher }) for the document of url as it is
 * now, and whenever it has changed.  Nothing is asked while the page is hidden.
 */
export function watch(url, onchange, options = {}) {
    return new Watcher(url, onchange, options);
}
