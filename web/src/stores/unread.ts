// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How many messages wait to be read, private and in groups. Counted by the server: after every
// message, receipt and break it is asked again, at most once in a while.
import { defineStore } from 'pinia';
import { ref, watch } from 'vue';
import { api, ask } from '@/api/client';
import { useLive } from '@/live';
import { useSession } from './session';

const TOGETHER_MS = 300;

export const useUnread = defineStore('unread', () => {
  const session = useSession();
  const live = useLive();
  const count = ref(0);
  let timer = 0;

  async function look(): Promise<void> {
    timer = 0;
    if (!session.me) return void (count.value = 0);
    try {
      const [letters, groups] = await Promise.all([
        ask(api.GET('/messages/unread_count')),
        ask(api.GET('/groups', { params: { query: { limit: 100 } } })),
      ]);
      count.value = letters.unread_count + groups.items.reduce((sum, group) => sum + group.unread_count, 0);
    } catch {
      // The number stays; the next event or connection asks again.
    }
  }
  function soon(): void {
    if (!timer) timer = window.setTimeout(() => void look(), TOGETHER_MS);
  }

  let stop: (() => void) | null = null;
  watch(
    () => session.me?.id,
    (id) => {
      stop?.();
      stop = id ? live.listen('me', { event: ({ event }) => event.startsWith('message.') && event !== 'message.draft' && soon(), reload: soon }) : null;
      soon();
    },
    { immediate: true },
  );
  watch(() => live.connected, (is) => is && soon());
  return { count, soon };
});
