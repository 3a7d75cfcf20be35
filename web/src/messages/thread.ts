// SPDX-License-Identifier: AGPL-3.0-or-later
//
// One conversation: what was said, what is being said, who has read it. The state is loaded while the
// topic is heard already, so nothing falls between the two.
import { computed, onScopeDispose, reactive, ref, shallowRef, watch } from 'vue';
import { api, ask, type Message, type Schemas, type UserBrief } from '@/api/client';
import { useLive, useTopic, type LiveEvent } from '@/live';
import { useOutbox } from '@/stores/outbox';
import { useSession } from '@/stores/session';
import { useUnread } from '@/stores/unread';
import { pathOf, type Place } from './places';
import { indexOf, merge, without } from './run';

export type Group = Schemas['GroupWithMembers'];

const PAGE = 50;
/** After a long break so much is loaded anew at once; what is older comes when it is scrolled to. */
const ANEW_PAGES = 5;
const TYPING_SHOWN_MS = 6_000;
const TYPING_EVERY_MS = 3_000;
/** Of an answer nobody has heard for so long nothing comes any more. */
const DRAFT_SILENT_MS = 60_000;
/** Conversations that open with what they last showed, while the newest is loaded. */
const REMEMBERED = 20;
const REMEMBERED_MESSAGES = 100;

interface Page {
  items: Message[];
  before: number | null;
}

interface Memory {
  user: number;
  messages: readonly Message[];
  before: number | null;
  other: UserBrief | null;
  group: Group | null;
}
const memories = new Map<string, Memory>();

/** A resident's answer while it is written. */
export interface Draft {
  stream: string;
  user: number;
  text: string;
}

export function useThread(place: Place) {
  const session = useSession();
  const live = useLive();
  const outbox = useOutbox();
  const unread = useUnread();
  const path = pathOf(place);
  const me = session.me?.id ?? 0;
  const inGroup = place.kind === 'group';

  const messages = shallowRef<readonly Message[]>([]);
  /** Cursor to the page before; null: all is here. */
  const before = ref<number | null>(null);
  const state = ref<'loading' | 'failed' | 'ready'>('loading');
  const fault = shallowRef<unknown>(null);
  const other = shallowRef<UserBrief | null>(null);
  const group = shallowRef<Group | null>(null);
  /** We are not in the group (any more). */
  const left = ref(false);
  /** The partner has read up to here. */
  const readTo = ref(0);
  const typing = reactive(new Map<number, ReturnType<typeof setTimeout>>());
  const drafts = reactive(new Map<string, Draft & { timer: ReturnType<typeof setTimeout> }>());
  const deleted = new Set<number>();
  const ears = new Set<(message: Message) => void>();
  const waiting = computed(() => outbox.letters.filter((letter) => letter.place === path));

  // --- loading ---

  async function fetchPage(cursor: { before?: number; after?: number }): Promise<Page> {
    const query = { limit: PAGE, ...cursor };
    if (inGroup) {
      const { items, next_before } = await ask(api.GET('/groups/{group_id}/messages', { params: { path: { group_id: place.id }, query } }));
      return { items, before: next_before ?? null };
    }
    const { items, next_before, other_user } = await ask(api.GET('/messages/history/{user_id}', { params: { path: { user_id: place.id }, query } }));
    other.value = other_user;
    return { items, before: next_before ?? null };
  }

  async function loadGroup(): Promise<void> {
    if (inGroup) group.value = await ask(api.GET('/groups/{group_id}', { params: { path: { group_id: place.id } } }));
  }

  function take(more: readonly Message[]): void {
    const alive = more.filter(({ id }) => !deleted.has(id));
    messages.value = merge(messages.value, alive);
    for (const { sender_id, client_id } of alive) if (sender_id === me && client_id) outbox.drop(client_id);
  }

  /** The newest page, and as many before it as were here. */
  async function load(): Promise<void> {
    const had = messages.value;
    const oldest = had[0]?.id ?? Infinity;
    // What comes while it is loaded is newer than all that was here.
    const newest = had.at(-1)?.id ?? 0;
    try {
      const [first] = await Promise.all([fetchPage({}), loadGroup()]);
      let { items, before: next } = first;
      for (let i = 1; i < ANEW_PAGES && next !== null && items[0]!.id > oldest; i++) {
        const page = await fetchPage({ before: next });
        items = [...page.items, ...items];
        next = page.before;
      }
      const since = messages.value.slice(indexOf(messages.value, newest + 1));
      messages.value = since;
      take(items);
      before.value = next;
      state.value = 'ready';
      fault.value = null;
    } catch (error) {
      fault.value = error;
      if (!had.length) state.value = 'failed';
    }
  }

  /** The page before the oldest; add it with addOlder(), when its place in the page is made. */
  async function fetchOlder(): Promise<Page | null> {
    return before.value === null ? null : fetchPage({ before: before.value });
  }
  function addOlder(page: Page): void {
    take(page.items);
    before.value = page.before;
  }

  /** What was said between the state and the first event, page by page. */
  async function catchUp(): Promise<void> {
    if (state.value !== 'ready') return;
    try {
      for (;;) {
        const { items } = await fetchPage({ after: messages.value.at(-1)?.id ?? 0 });
        for (const message of items) arrive(message);
        if (items.length < PAGE) return;
      }
    } catch (error) {
      fault.value = error;
    }
  }

  // --- events ---

  function arrive(message: Message): void {
    if (deleted.has(message.id)) return;
    const known = messages.value[indexOf(messages.value, message.id)]?.id === message.id;
    take([message]);
    stopTyping(message.sender_id);
    for (const [stream, draft] of drafts) if (draft.user === message.sender_id) withdraw(stream);
    if (known) return;
    if (message.sender_id !== me) unreadHere = true;
    for (const ear of ears) ear(message);
  }

  function isHere(message: Message): boolean {
    if (inGroup) return message.group_id === place.id;
    return message.group_id === null && (message.sender_id === place.id || message.receiver_id === place.id);
  }

  function stopTyping(user: number): void {
    clearTimeout(typing.get(user));
    typing.delete(user);
  }
  function showTyping(user: number): void {
    if (user === me || (!inGroup && user !== place.id)) return;
    clearTimeout(typing.get(user));
    typing.set(user, setTimeout(() => typing.delete(user), TYPING_SHOWN_MS));
  }

  function withdraw(stream: string): void {
    clearTimeout(drafts.get(stream)?.timer);
    drafts.delete(stream);
  }
  function showDraft(data: Record<string, unknown>): void {
    const [stream, user, text] = [String(data.stream), Number(data.user_id), String(data.text)];
    if (user !== place.id) return;
    stopTyping(user);
    clearTimeout(drafts.get(stream)?.timer);
    drafts.set(stream, { stream, user, text, timer: setTimeout(() => drafts.delete(stream), DRAFT_SILENT_MS) });
  }

  function changeGroup(change: (was: Group) => Group): void {
    if (group.value) group.value = change(group.value);
  }
  function readBy(reader: number, upTo: number): void {
    if (reader === me) unreadHere = false;
    changeGroup((was) => ({
      ...was,
      members: was.members.map((one) => (one.user.id === reader ? { ...one, read_id: Math.max(one.read_id, upTo) } : one)),
    }));
  }

  function hear({ event, data }: LiveEvent): void {
    switch (event) {
      case 'message.created':
        if (isHere(data as unknown as Message)) arrive(data as unknown as Message);
        break;
      case 'message.deleted':
        deleted.add(Number(data.id));
        messages.value = without(messages.value, Number(data.id));
        break;
      case 'user.deleted':
        // With all that was said; the server has the sentence for it.
        if (!inGroup && data.id === place.id) {
          messages.value = [];
          void load();
        }
        break;
      case 'typing':
        showTyping(Number(data.user_id));
        break;
      case 'message.read':
        if (inGroup) readBy(Number(data.reader_id), Number(data.read_id));
        else if (data.reader_id === place.id && data.partner_id === me) readTo.value = Math.max(readTo.value, Number(data.read_id));
        break;
      case 'message.draft':
        if (!inGroup) showDraft(data);
        break;
      case 'message.withdrawn':
        withdraw(String(data.stream));
        break;
      case 'group.renamed':
        changeGroup((was) => ({ ...was, group: { ...was.group, name: String(data.name) } }));
        break;
      case 'group.owner':
        changeGroup((was) => ({ ...was, group: { ...was.group, owner_id: Number(data.user_id) } }));
        break;
      case 'group.joined':
        void loadGroup().catch(() => undefined);
        break;
      case 'group.left':
        if (data.user_id === me) left.value = true;
        else changeGroup((was) => ({ ...was, members: was.members.filter(({ user }) => user.id !== data.user_id) }));
        break;
    }
  }

  useTopic(() => (inGroup ? `group:${place.id}` : 'me'), hear, { reload: () => void load(), subscribed: () => void catchUp() });
  // That we were taken out is told to us alone: the group's topic has ended.
  if (inGroup) {
    useTopic(() => 'me', ({ event, data }) => {
      if (event === 'group.left' && data.group_id === place.id && data.user_id === me) left.value = true;
    });
  }
  onScopeDispose(outbox.onSent((message) => isHere(message) && arrive(message)));

  /** Hear of each new message, until the returned function is called. */
  function onArrival(ear: (message: Message) => void): () => void {
    ears.add(ear);
    return () => ears.delete(ear);
  }

  // --- what we do ---

  let typedAt = 0;
  function type(): void {
    if (Date.now() - typedAt < TYPING_EVERY_MS) return;
    typedAt = Date.now();
    live.typing(inGroup ? { group_id: place.id } : { user_id: place.id });
  }

  function send(content: string): void {
    typedAt = 0;
    outbox.add(path, content);
  }

  async function remove(id: number): Promise<void> {
    await ask(api.DELETE('/messages/{message_id}', { params: { path: { message_id: id } } }));
    deleted.add(id);
    messages.value = without(messages.value, id);
  }

  /** There may be something here that we have not read. */
  let unreadHere = true;
  let marking = false;
  /** All of it is before somebody's eyes. */
  async function markRead(): Promise<void> {
    if (!unreadHere || marking || state.value !== 'ready') return;
    marking = true;
    unreadHere = false;
    try {
      await ask(
        inGroup
          ? api.POST('/groups/{group_id}/read', { params: { path: { group_id: place.id } } })
          : api.POST('/messages/read/{user_id}', { params: { path: { user_id: place.id } } }),
      );
      unread.soon();
    } catch {
      unreadHere = true; // the next look, or connection, tries again
      return;
    } finally {
      marking = false;
    }
    if (unreadHere) await markRead();
  }

  /** How many others have read it; of one's own messages. */
  function readers({ id, is_read }: Message): number {
    if (!inGroup) return is_read || id <= readTo.value ? 1 : 0;
    return group.value?.members.filter(({ user, read_id }) => user.id !== me && read_id >= id).length ?? 0;
  }

  // --- from one visit to the next ---

  const remembered = memories.get(path);
  if (remembered?.user === me) {
    messages.value = remembered.messages;
    before.value = remembered.before;
    other.value = remembered.other;
    group.value = remembered.group;
    state.value = 'ready';
  }
  onScopeDispose(() => {
    for (const timer of typing.values()) clearTimeout(timer);
    for (const { timer } of drafts.values()) clearTimeout(timer);
    memories.delete(path);
    if (state.value !== 'ready' || left.value) return;
    const kept = messages.value.slice(-REMEMBERED_MESSAGES);
    const cursor = kept.length < messages.value.length ? kept[0]!.id : before.value;
    memories.set(path, { user: me, messages: kept, before: cursor, other: other.value, group: group.value });
    if (memories.size > REMEMBERED) memories.delete(memories.keys().next().value!);
  });
  watch(() => live.connected, (is) => is && state.value === 'failed' && void load());
  void load();

  return {
    place, me, messages, before, state, fault, other, group, left, typing, drafts, waiting,
    load, loadGroup, fetchOlder, addOlder, onArrival, type, send, remove, markRead, readers,
  };
}
export type Thread = ReturnType<typeof useThread>;
