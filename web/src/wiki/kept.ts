// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A member's questions to a repository, as a conversation that is kept (docs/chat.md, "Conversations
// about a wiki"). It begins with the first question; which one is open in which wiki stays on this device,
// for this member alone, so that the page finds it again, also in the middle of an answer.
import { useQueryClient } from '@tanstack/vue-query';
import { computed, ref, watch, type ComputedRef } from 'vue';
import { useI18n } from 'vue-i18n';
import { api, ApiError, ask as call } from '@/api/client';
import { putChat, useChat } from '@/chat/chats';
import { useTalks } from '@/chat/talks';
import { BEGINNING, lineOf } from '@/chat/tree';
import { useTries } from '@/api/tries';
import { useTopic } from '@/live';
import { useSession } from '@/stores/session';
import { useToasts } from '@/stores/toasts';
import { sentenceOf } from '@/text/faults';
import type { Chat, ChatTurn } from '@/api/client';
import { answerOf, type Answer, type Asked, type Wanted } from './answer';

export function useKept(wiki: () => number) {
  const { t } = useI18n();
  const session = useSession();
  const talks = useTalks();
  const toasts = useToasts();
  const client = useQueryClient();
  const tries = useTries();
  const begun = useTries();

  /** The conversation that is open; 0: one that has not begun. */
  const current = ref(0);
  const sending = ref(false);
  const keyOf = (): string => `hutong.talk.${session.me?.id ?? 0}/w/${wiki()}`;

  function store(key: string, id: number): void {
    try {
      if (id) localStorage.setItem(key, String(id));
      else localStorage.removeItem(key);
    } catch {
      // A full store: it is open as long as the page.
    }
  }
  function open(id: number): void {
    current.value = id;
    store(keyOf(), id);
    if (id) void talks.loadAll(id);
  }
  watch([wiki, () => session.me?.id], () => open(session.me ? Number(localStorage.getItem(keyOf())) || 0 : 0), { immediate: true });

  const chat = useChat(current);
  /** What was stored under this wiki and is about another. */
  const stray = computed(() => {
    const one = chat.data.value;
    return one?.wiki && one.id === current.value && one.wiki.id !== wiki();
  });
  watch(stray, (now) => now && open(0), { immediate: true });
  const own = computed(() => (current.value ? talks.talks.get(current.value) : undefined));
  const line = computed(() => (own.value ? lineOf(own.value.turns.values(), own.value.chosen).map(({ turn }) => turn) : []));
  /** Each made anew only when its own turn changes: while one is written the others stay what they are. */
  const answers = new WeakMap<ChatTurn, ComputedRef<Answer>>();
  function answerFor(turn: ChatTurn): ComputedRef<Answer> {
    const known = answers.get(turn) ?? computed(() => answerOf(turn, talks.stages.get(turn.id)));
    answers.set(turn, known);
    return known;
  }
  const last = computed(() => line.value.at(-1));
  const talk = computed<Asked[]>(() =>
    line.value.flatMap((turn, at) => {
      const answer = line.value[at + 1];
      if (turn.role !== 'user' || !answer) return [];
      const shown = answerFor(answer);
      return [{ id: turn.id, question: turn.content, turn: answer.id, get answer() { return shown.value; } }];
    }));
  const busy = computed(() => sending.value || last.value?.status === 'streaming');
  /** Where a question belongs is known only when all before it is. */
  const able = computed(() => !current.value || own.value?.loaded === true);
  const stoppable = computed(() => last.value?.status === 'streaming');
  const loading = computed(() => current.value > 0 && !own.value?.loaded && !own.value?.error && !line.value.length);
  const error = computed(() => (own.value?.loaded && line.value.length ? null : (own.value?.error ?? null)));
  // It was deleted, here or elsewhere.
  watch(error, (now) => now instanceof ApiError && now.status === 404 && open(0));

  useTopic(
    () => (current.value ? `chat:${current.value}` : null),
    (event) => {
      const id = current.value;
      talks.hear(id, event);
      if (event.event === 'chat.updated') putChat(client, event.data as unknown as Chat);
      if (event.event === 'chat.deleted') open(0);
    },
    { reload: () => void talks.load(current.value), subscribed: () => void talks.catchUp(current.value) },
  );

  /** False: it could not be asked, and that was told. */
  async function send(run: () => Promise<void>): Promise<boolean> {
    if (busy.value) return false;
    sending.value = true;
    try {
      await run();
      tries.done();
      return true;
    } catch (failure) {
      tries.done(failure);
      toasts.say(() => sentenceOf(failure, t), true);
      return false;
    } finally {
      sending.value = false;
    }
  }
  /** 0: meanwhile somebody else is logged in. */
  async function begin(): Promise<number> {
    const place = keyOf();
    const me = session.me?.id;
    const made = await call(api.POST('/chat/conversations', { body: { wiki: wiki() }, headers: { 'Idempotency-Key': begun.keyOf(place) } }))
      .catch((failure: unknown) => {
        begun.done(failure);
        throw failure;
      });
    begun.done();
    if (session.me?.id === me) putChat(client, made);
    // The page may show another wiki by now: there this one is not open.
    if (place === keyOf()) open(made.id);
    else store(place, made.id);
    return session.me?.id === me ? made.id : 0;
  }
  async function ask(question: string, { model, research, file }: Wanted): Promise<boolean> {
    if (!able.value) return false;
    const parent = last.value?.id ?? BEGINNING;
    const wants = { ...(research && { research }), ...(model && { model }), ...(file && { file }) };
    return send(async () => {
      const id = current.value || (await begin());
      if (id) await talks.askModel(id, question, parent, tries.keyOf(JSON.stringify([id, parent, wants, question])), wants);
    });
  }
  async function again(at: number): Promise<void> {
    const asked = talk.value[at];
    if (asked?.turn) await send(() => talks.regenerate(current.value, asked.turn!, tries.keyOf(`again/${asked.turn}`)));
  }
  function stop(): void {
    const turn = last.value;
    // Until the new answer has begun, the last one is that to another question.
    if (turn && stoppable.value) talks.stop(current.value, turn.id).catch((failure: unknown) => toasts.say(() => sentenceOf(failure, t), true));
  }
  const retry = (): void => void talks.loadAll(current.value);
  return { talk, busy, ask, again, stop, clear: () => open(0), kept: { current, title: computed(() => (current.value ? (chat.data.value?.title ?? '') : '')), able, stoppable, loading, error, open, retry } };
}
export type Kept = ReturnType<typeof useKept>;
