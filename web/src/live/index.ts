// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What happens, while it happens, for components:
//
//     useTopic(() => `post:${id}`, (event) => …, { after: () => position, reload: () => query.refetch() });
//     useLive().connected
import { defineStore } from 'pinia';
import { computed, onScopeDispose, reactive, ref, watch } from 'vue';
import { api, ApiError, ask } from '@/api/client';
import { useSession } from '@/stores/session';
import { Hub, type FromHub, type LiveEvent, type ToHub } from './hub';

export type { LiveEvent };
import { world } from './world';

interface Ear {
  event(event: LiveEvent): void;
  /** What was missed is not there any more: load the state anew. */
  reload(): void;
  /** From now on everything is heard: what was loaded before may lack what happened in between. */
  subscribed?(): void;
}

const HERE_MS = 20_000;
const REACHED_MS = 3_000;

/** Connects this page with the hub; what it says comes to `told`. */
function reachHub(told: (what: FromHub) => void): (said: ToHub) => void {
  if (typeof SharedWorker === 'undefined') {
    const hub = new Hub(world);
    const port = { tell: told };
    return (said) => hub.hear(port, said);
  }
  const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'hutong-live' });
  worker.port.onmessage = ({ data }) => told(data as FromHub);
  return (said) => worker.port.postMessage(said);
}

export const useLive = defineStore('live', () => {
  const session = useSession();
  const connected = ref(false);
  /** The connection was there before and is gone. */
  const lost = ref(false);
  /** The device says that it has no network, and the server is not reached. */
  const off = ref(false);
  /** Say so in the page. */
  const broken = computed(() => lost.value || off.value);
  /** Member → online, of those who are watched. */
  const online = reactive(new Map<number, boolean>());
  const ears = new Map<string, Set<Ear>>();
  const positions = new Map<string, number>();
  const watched = new Map<number, number>();
  let say: ((said: ToHub) => void) | null = null;
  let brokenTimer = 0;

  async function fetchTicket(): Promise<void> {
    try {
      const { ticket } = await ask(api.POST('/live/ticket'));
      say?.({ do: 'ticket', ticket });
    } catch (error) {
      const over = error instanceof ApiError && error.status === 401;
      say?.({ do: 'ticket', ticket: null, over });
    }
  }

  function told(what: FromHub): void {
    switch (what.is) {
      case 'event': {
        const { topic, id } = what.event;
        if (id !== undefined) positions.set(topic, id);
        for (const ear of ears.get(topic) ?? []) ear.event(what.event);
        break;
      }
      case 'subscribed':
        positions.set(what.topic, what.id);
        for (const ear of ears.get(what.topic) ?? []) ear.subscribed?.();
        break;
      case 'reload':
        positions.set(what.topic, what.id);
        for (const ear of ears.get(what.topic) ?? []) ear.reload();
        break;
      case 'presence':
        for (const [id, is] of Object.entries(what.users)) online.set(Number(id), is);
        break;
      case 'state':
        connected.value = what.connected;
        clearTimeout(brokenTimer);
        // A blink is not worth a word.
        if (what.connected) lost.value = off.value = false;
        else brokenTimer = window.setTimeout(() => (lost.value = true), 2500);
        break;
      case 'need-ticket':
        void fetchTicket();
        break;
      case 'signed-out':
        // Perhaps the token was only old: the next answer of the server tells.
        void session.look().then(begin, () => undefined);
        break;
    }
  }

  function begin(): void {
    const user = session.me?.id;
    if (!user) return;
    say ??= reachHub(told);
    say({ do: 'here', user });
    for (const topic of ears.keys()) say({ do: 'subscribe', topic, after: positions.get(topic) });
    tellWatched();
  }

  watch(
    () => session.me?.id,
    (id, before) => {
      if (before) {
        say?.({ do: 'bye' });
        positions.clear();
        online.clear();
        lost.value = false;
      }
      if (id) begin();
    },
  );
  setTimeout(begin); // pages come first
  setInterval(() => session.me && say?.({ do: 'here', user: session.me.id }), HERE_MS);
  window.addEventListener('online', () => {
    off.value = false;
    say?.({ do: 'online' });
  });
  // The socket would notice only minutes later. A server on this device is there without a network.
  window.addEventListener('offline', () => {
    fetch('/health/live', { cache: 'no-store', signal: AbortSignal.timeout(REACHED_MS) }).catch(() => (off.value = !navigator.onLine));
  });
  window.addEventListener('pagehide', () => say?.({ do: 'bye' }));
  // Back from the browser's store of pages, or from a long sleep.
  window.addEventListener('pageshow', (event) => event.persisted && begin());
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && begin());

  function listen(topic: string, ear: Ear, after?: number): () => void {
    const all = ears.get(topic) ?? new Set();
    ears.set(topic, all.add(ear));
    if (!say && after !== undefined) positions.set(topic, after); // for when it begins
    if (all.size === 1 || after !== undefined) say?.({ do: 'subscribe', topic, after: after ?? positions.get(topic) });
    return () => {
      all.delete(ear);
      if (all.size > 0) return;
      ears.delete(topic);
      positions.delete(topic);
      say?.({ do: 'unsubscribe', topic });
    };
  }

  function tellWatched(): void {
    say?.({ do: 'watch', users: [...watched.keys()] });
  }

  /** Learn whether these members are online, until the returned function is called. */
  function watchUsers(users: number[]): () => void {
    for (const id of users) watched.set(id, (watched.get(id) ?? 0) + 1);
    tellWatched();
    return () => {
      for (const id of users) {
        const count = (watched.get(id) ?? 1) - 1;
        if (count) watched.set(id, count);
        else watched.delete(id);
      }
      tellWatched();
    };
  }

  /** Known to be here. Without a connection nothing is known. */
  const isOnline = (user: number): boolean => !broken.value && online.get(user) === true;

  function typing(to: { user_id: number } | { group_id: number }): void {
    say?.({ do: 'say', message: { type: 'typing', to } });
  }

  return { connected, broken, isOnline, listen, watchUsers, typing };
});

/**
 * Hear a topic while the component lives. `after`: the number that the loaded state stands at
 * (the header Live-Position), so that nothing is missed between the two.
 */
export function useTopic(
  topic: () => string | null,
  event: (event: LiveEvent) => void,
  more: { after?: () => number | undefined; reload?: () => void; subscribed?: () => void } = {},
): void {
  const live = useLive();
  let stop: (() => void) | null = null;
  watch(
    topic,
    (now) => {
      stop?.();
      stop = now ? live.listen(now, { event, reload: more.reload ?? (() => undefined), subscribed: more.subscribed }, more.after?.()) : null;
    },
    { immediate: true },
  );
  onScopeDispose(() => stop?.());
}

/** Know who of these is online, while the component lives. */
export function usePresence(users: () => number[]): void {
  const live = useLive();
  let stop: (() => void) | null = null;
  watch(
    () => users().join(),
    () => {
      stop?.();
      stop = live.watchUsers(users());
    },
    { immediate: true },
  );
  onScopeDispose(() => stop?.());
}
