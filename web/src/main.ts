// SPDX-License-Identifier: AGPL-3.0-or-later
import { QueryClient, VueQueryPlugin } from '@tanstack/vue-query';
import { createPinia } from 'pinia';
import { createApp } from 'vue';
import { ApiError } from '@/api/client';
import App from './App.vue';
import { i18n, speak } from './i18n';
import { learnServer } from './i18n/server';
import { router } from './router';
import { useLook } from './stores/look';
import './styles.css';

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // What changes is told live; a page that comes back shows what it had and looks again.
      staleTime: 30_000,
      gcTime: 10 * 60_000,
      refetchOnWindowFocus: false,
      // The server's own word is final; the network may get better.
      retry: (count, error) => count < 3 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
    },
  },
});

/** What waits gets its turn: a start in one piece would leave taps unheard on a slow phone. */
const breath = (): Promise<void> => new Promise((go) => setTimeout(go));

async function begin(): Promise<void> {
  const app = createApp(App);
  app.use(createPinia()).use(i18n).use(VueQueryPlugin, { queryClient });
  await speak(useLook().language);
  let stand = (): void => undefined;
  const standing = new Promise<void>((done) => (stand = done));
  router.beforeResolve(() => standing.then(breath));
  await breath();
  app.use(router); // which begins to look for the page
  await breath();
  app.mount('#app');
  stand();
  learnServer();
  if ('serviceWorker' in navigator && import.meta.env.PROD) {
    void navigator.serviceWorker.register('/sw.js').catch(() => undefined);
  }
}
void begin();
