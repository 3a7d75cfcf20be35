// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The conversations, private and groups in one list, the newest first.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue';
import { api, ask, type Message, type Schemas, type UserBrief } from '@/api/client';
import { useLive, useTopic, type LiveEvent } from '@/live';
import { useOutbox } from '@/stores/outbox';
import { useSession } from '@/stores/session';
import { useUnread } from '@/stores/unread';
import { fromServer } from '@/text/time';
import { pathOf } from './places';

type Conversation = Schemas['Conversation'];

export interface Entry {
  path: string;
  name: string;
  /** Of a private conversation. */
  user: UserBrief | null;
  groupId: number;
  text: string;
  at: string;
  mine: boolean;
  unread: number;
}

const PAGE = 30;
const LONGEST = 500;
const TOGETHER_MS = 300;

/** `open`: path of the conversation that is before somebody's eyes. */
export function useConversations(open: () => string) {
  const session = useSession();
  const live = useLive();
  const unread = useUnread();
  const letters = shallowRef<Conversation[]>([]);
  const next = ref<number | null>(null);
  const state = ref<'loading' | 'failed' | 'ready'>('loading');
  const fault = shallowRef<unknown>(null);
  const busy = ref(false);
  let timer = 0;

  async function load(): Promise<void> {
    timer = 0;
    // All that is shown, in one answer.
    const limit = Math.min(LONGEST, Math.max(PAGE, letters.value.length));
    try {
      const page = await ask(api.GET('/messages/conversations', { params: { query: { limit } } }));
      letters.value = page.conversations;
      next.value = page.next_before;
      state.value = 'ready';
      fault.value = null;
    } catch (error) {
      fault.value = error;
      if (state.value === 'loading') state.value = 'failed';
    }
  }
  function soon(): void {
    if (!timer) timer = window.setTimeout(() => void load(), TOGETHER_MS);
  }

  async function more(): Promise<void> {
    if (next.value === null || busy.value) return;
    busy.value = true;
    try {
      const page = await ask(api.GET('/messages/conversations', { params: { query: { limit: PAGE, before: next.value } } }));
      const known = new Set(letters.value.map(({ user }) => user.id));
      letters.value = [...letters.value, ...page.conversations.filter(({ user }) => !known.has(user.id))];
      next.value = page.next_before;
      fault.value = null;
    } catch (error) {
      fault.value = error;
    } finally {
      busy.value = false;
    }
  }

  /** At once what the message itself tells; the server's word follows. */
  function arrive(message: Message): void {
    if (message.group_id !== null) return;
    soon();
    const mine = message.sender_id === session.me?.id;
    const partner = mine ? message.receiver_id : message.sender_id;
    const was = letters.value.find(({ user }) => user.id === partner);
    if (mine && !was) return; // who it is comes with the list
    if (was && was.last_message.id >= message.id) return;
    const now: Conversation = {
      user: mine ? was!.user : message.sender,
      last_message: { id: message.id, content: message.content, created_at: message.created_at, is_mine: mine },
      unread_count: (was?.unread_count ?? 0) + (mine || open() === pathOf({ kind: 'member', id: message.sender_id }) ? 0 : 1),
    };
    letters.value = [now, ...letters.value.filter((one) => one !== was)];
  }
  function hear({ event, data }: LiveEvent): void {
    if (event === 'message.created') arrive(data as unknown as Message);
    else if (event === 'message.deleted' || event === 'message.read' || event === 'user.deleted') soon();
  }

  const entries = computed((): Entry[] => {
    const me = session.me?.id;
    const list: (Entry & { order: number; last: number })[] = letters.value.map(({ user, last_message: last, unread_count }) => ({
      path: pathOf({ kind: 'member', id: user.id }), name: user.nickname, user, groupId: 0,
      text: last.content, at: last.created_at, mine: last.is_mine, unread: unread_count, order: fromServer(last.created_at).getTime(), last: last.id,
    }));
    // Groups older than the last loaded conversation come with the pages around them.
    const oldest = next.value === null ? 0 : (list.at(-1)?.order ?? 0);
    for (const { id, name, last_message: last, created_at, unread_count } of unread.groups) {
      const at = last?.created_at ?? created_at;
      const order = fromServer(at).getTime();
      if (order < oldest) continue;
      list.push({
        path: pathOf({ kind: 'group', id }), name, user: null, groupId: id,
        text: last?.content ?? '', at, mine: last?.sender_id === me, unread: unread_count, order, last: last?.id ?? 0,
      });
    }
    // Times may be whole seconds; messages of both kinds share their numbers.
    return list.sort((a, b) => b.order - a.order || b.last - a.last);
  });

  useTopic(() => (session.me ? 'me' : null), hear, { reload: soon, subscribed: soon });
  onScopeDispose(useOutbox().onSent(arrive));
  onScopeDispose(() => clearTimeout(timer));
  watch(() => live.connected, (is) => is && soon());
  void load();
  if (!unread.known) unread.soon();

  return { entries, next, state, fault, busy, load, more };
}
