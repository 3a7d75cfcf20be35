// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How many messages wait to be read, private and in groups; and the groups themselves, which are
// needed to know. Counted by the server: after every message, receipt and break it is asked again, at
// most once in a while.
import { defineStore } from 'pinia';
import { ref, shallowRef, watch } from 'vue';
import { api, ask, type Schemas } from '@/api/client';
import { useLive, type LiveEvent } from '@/live';
import { useSession } from './session';

type Group = Schemas['Group'];

const TOGETHER_MS = 300;
const PAGE = 100;
/** A connection hears 300 topics and members together; the app watches up to 200 members. */
const GROUPS_HEARD = 80;
/** Groups beyond those are asked for now and then. */
const BEYOND_MS = 60_000;

async function allGroups(): Promise<Group[]> {
  const all: Group[] = [];
  for (;;) {
    const { items } = await ask(api.GET('/groups', { params: { query: { limit: PAGE, after: all.at(-1)?.id } } }));
    all.push(...items);
    if (items.length < PAGE) return all;
  }
}

const lastOf = (group: Group): number => group.last_message?.id ?? 0;

/** As it stands beside an icon. */
export const badge = (count: number): string => (count > 99 ? '99+' : String(count));

export const useUnread = defineStore('unread', () => {
  const session = useSession();
  const live = useLive();
  const count = ref(0);
  const groups = shallowRef<Group[]>([]);
  /** The groups have been asked for; `failed`: in vain, last time. */
  const known = ref(false);
  const failed = shallowRef<unknown>(null);
  const heard = new Map<number, () => void>();
  let timer = 0;
  let beyond = 0;
  let asking = false;
  let askAgain = false;

  async function look(): Promise<void> {
    timer = 0;
    if (asking) return void (askAgain = true);
    const user = session.me?.id;
    if (!user) return;
    asking = true;
    try {
      const [letters, all] = await Promise.all([ask(api.GET('/messages/unread_count')), allGroups()]);
      if (session.me?.id !== user) return;
      count.value = letters.unread_count + all.reduce((sum, group) => sum + group.unread_count, 0);
      groups.value = all;
      known.value = true;
      failed.value = null;
      listen(all);
    } catch (error) {
      // The number stays; the next event or connection asks again.
      failed.value = error;
    } finally {
      asking = false;
      if (askAgain) soon();
      askAgain = false;
    }
  }
  function soon(): void {
    if (!timer) timer = window.setTimeout(() => void look(), TOGETHER_MS);
  }

  /** Those where something was said last, if there are too many for one connection. */
  function listen(all: Group[]): void {
    const wanted = new Set([...all].sort((a, b) => lastOf(b) - lastOf(a)).slice(0, GROUPS_HEARD).map(({ id }) => id));
    for (const [id, stop] of heard) {
      if (wanted.has(id)) continue;
      stop();
      heard.delete(id);
    }
    for (const id of wanted) {
      // What was said between the answer and this is told by the second look.
      if (!heard.has(id)) heard.set(id, live.listen(`group:${id}`, { event: hear, reload: soon, subscribed: soon }));
    }
    clearTimeout(beyond);
    if (all.length > GROUPS_HEARD) beyond = window.setTimeout(soon, BEYOND_MS);
  }

  /** We are out of it: it is not ours to see any more, whatever the next look takes. */
  function forget(id: number): void {
    // The server has ended the topic: should we come back, it must be asked for anew.
    heard.get(id)?.();
    heard.delete(id);
    count.value -= groups.value.find((group) => group.id === id)?.unread_count ?? 0;
    groups.value = groups.value.filter((group) => group.id !== id);
  }

  function hear({ event, data }: LiveEvent): void {
    if (event === 'group.left' && data.user_id === session.me?.id) forget(Number(data.group_id));
    switch (event) {
      case 'message.read':
        if (data.reader_id === session.me?.id) soon();
        break;
      case 'message.created':
      case 'message.deleted':
      case 'user.deleted':
      case 'group.joined':
      case 'group.left':
      case 'group.owner':
      case 'group.renamed':
        soon();
    }
  }

  let stop: (() => void) | null = null;
  watch(
    () => session.me?.id,
    (id) => {
      stop?.();
      for (const deafen of heard.values()) deafen();
      heard.clear();
      clearTimeout(beyond);
      count.value = 0;
      groups.value = [];
      known.value = false;
      stop = id ? live.listen('me', { event: hear, reload: soon, subscribed: soon }) : null;
      if (id) soon();
    },
    { immediate: true },
  );
  watch(() => live.connected, (is) => is && soon());
  return { count, groups, known, failed, soon };
});
