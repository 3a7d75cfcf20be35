// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How many notifications are unread. Counted by the server: after each that comes, goes or is read, and
// after every break, it is asked again, at most once in a while. Private messages are not among them
// (stores/unread.ts).
import { defineStore } from 'pinia';
import { ref, watch } from 'vue';
import { api, ask } from '@/api/client';
import { useLive, type LiveEvent } from '@/live';
import { useSession } from './session';

const TOGETHER_MS = 300;

export const useBell = defineStore('bell', () => {
  const session = useSession();
  const live = useLive();
  const count = ref(0);
  let timer = 0;
  let asked = 0;

  async function look(): Promise<void> {
    timer = 0;
    const user = session.me?.id;
    if (!user) return;
    const mine = ++asked;
    try {
      const { unread_count } = await ask(api.GET('/notifications/unread_count'));
      // An answer that another has overtaken is older.
      if (mine === asked && session.me?.id === user) count.value = unread_count;
    } catch {
      // The number stays; the next event or connection asks again.
    }
  }
  function soon(): void {
    if (!timer) timer = window.setTimeout(() => void look(), TOGETHER_MS);
  }
  /** As the server has just said. */
  function set(now: number): void {
    asked++;
    count.value = now;
  }

  function hear({ event }: LiveEvent): void {
    if (event.startsWith('notification.')) soon();
  }
  let stop: (() => void) | null = null;
  watch(
    () => session.me?.id,
    (id) => {
      stop?.();
      set(0);
      stop = id ? live.listen('me', { event: hear, reload: soon, subscribed: soon }) : null;
      if (id) soon();
    },
    { immediate: true },
  );
  watch(() => live.connected, (is) => is && soon());
  return { count, soon, set };
});
