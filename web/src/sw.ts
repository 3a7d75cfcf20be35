// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The service worker: the app opens without a network. It keeps the app's own files and nothing
// that members wrote; what is shown without a network is what the pages themselves still have.
declare const __SHELL_FILES__: string[];
declare const __SHELL_NAME__: string;

const worker = self as unknown as ServiceWorkerGlobalScope;
const SLOW_MS = 4000;

worker.addEventListener('install', (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(__SHELL_NAME__);
      await cache.addAll([new Request('/login', { cache: 'reload' }), ...__SHELL_FILES__]);
      await worker.skipWaiting();
    })(),
  );
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(
    (async () => {
      for (const name of await caches.keys()) if (name !== __SHELL_NAME__) await caches.delete(name);
      await worker.clients.claim();
    })(),
  );
});

/** The page from the server; from here when it does not answer soon. All pages are one file. */
async function page(request: Request): Promise<Response> {
  const kept = await caches.match('/login');
  if (!kept) return fetch(request);
  const slow = new Promise<Response>((give) => setTimeout(give, SLOW_MS, kept));
  const answer = fetch(request).then(
    (reply) => (reply.status >= 500 ? kept : reply),
    () => kept,
  );
  return Promise.race([answer, slow]);
}

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== worker.location.origin) return;
  if (url.pathname.startsWith('/assets/')) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  } else if (request.mode === 'navigate' && !/^\/(docs|redoc|openapi\.json|metrics|health|files)(\/|$)/.test(url.pathname)) {
    event.respondWith(page(request));
  }
});
