// Keeps the page itself, so that it opens without a network and can show what was
// last known.  The network comes first: a new page is never held back.

const NAME = 'page';
const FILES = ['./', 'page.css', 'page.js', 'tournament.js'];

self.addEventListener('install', event => {
    event.waitUntil(caches.open(NAME).then(cache => cache.addAll(FILES)));
});

self.addEventListener('fetch', event => {
    const url = new URL(event.request.url);

    if (event.request.method !== 'GET' || url.origin !== location.origin
        || url.pathname.startsWith('/tournaments/')) return;

    event.respondWith(fetch(event.request).then(response => {
        if (response.ok) {
            const copy = response.clone();

            event.waitUntil(caches.open(NAME)
                .then(cache => cache.put(event.request, copy)));
        }

        return response;
    }, () => caches.match(event.request, { ignoreSearch: true })));
});
