// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A member's questions to a repository, as a conversation that is kept (docs/chat.md, "Conversations
// about a wiki"). It begins with the first question; which one is open in which wiki stays on this device,
// for this member alone, so that the page finds it again, also in the middle of an answer.
import { useQueryClient } from '@tanstack/vue-query';
import { computed, ref, watch } from 'vue';
import { useI18n } from 'vue-i18n';
import { api, ApiError, ask as call } from '@/api/client';
import { putChat, useChat } from '@/chat/chats';
import { useTalks } from '@/chat/talks';
import { BEGINNING, lineOf } from '@/chat/tree';
import { useTries } from '@/chat/tries';
import { useTopic } from '@/live';
import { useSession } from '@/stores/session';
import { useToasts } from '@/stores/toasts';
import { sentenceOf } from '@/text/faults';
import type { Chat } from '@/api/client';
import { answerOf, type Asked, type Wanted } from './answer';

export function useKept(wiki: () => number) {
  const { t } = useI18n();
  const session = useSession();
  const talks = useTalks();
  const toasts = useToasts();
  const client = useQueryClient();
  const tries = useTries();

  /** The conversation that is open; 0: one that has not begun. */
  const current = ref(0);
  const sending = ref(false);
  const keyOf = (): string => `hutong.talk.${session.me?.id ?? 0}/w/${wiki()}`;

  function open(id: number): void {
    current.value = id;
    try {
      if (id) localStorage.setItem(keyOf(), String(id));
      else localStorage.removeItem(keyOf());
    } catch {
      // A full store: it is open as long as the page.
    }
    if (id) void talks.load(id);
  }
  watch([wiki, () => session.me?.id], () => open(session.me ? Number(localStorage.getItem(keyOf())) || 0 : 0), { immediate: true });

  const chat = useChat(current);
  const own = computed(() => (current.value ? talks.talks.get(current.value) : undefined));
  const line = computed(() => (own.value ? lineOf(own.value.turns.values(), own.value.chosen).map(({ turn }) => turn) : []));
  const last = computed(() => line.value.at(-1));
  const talk = computed<Asked[]>(() =>
    line.value.flatMap((turn, at) => {
      const answer = line.value[at + 1];
      return turn.role === 'user' && answer ? [{ id: turn.id, question: turn.content, answer: answerOf(answer), turn: answer.id }] : [];
    }));
  const busy = computed(() => sending.value || last.value?.status === 'streaming');
  const loading = computed(() => current.value > 0 && !own.value?.loaded && !own.value?.error && !line.value.length);
  const error = computed(() => (line.value.length ? null : (own.value?.error ?? null)));
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
  async function send(what: string, run: (key: string) => Promise<void>): Promise<boolean> {
    if (busy.value) return false;
    sending.value = true;
    try {
      await run(tries.keyOf(what));
      tries.done();
      return true;
    } catch (failure) {
      tries.done(failure);
      toasts.say(sentenceOf(failure, t), true);
      return false;
    } finally {
      sending.value = false;
    }
  }
  async function begin(): Promise<number> {
    const made = await call(api.POST('/chat/conversations', { body: { wiki: wiki() } }));
    putChat(client, made);
    open(made.id);
    return made.id;
  }
  function ask(question: string, { model, research, file }: Wanted): Promise<boolean> {
    const parent = last.value?.id ?? BEGINNING;
    return send(`${parent}/${research}/${question}`, async (key) => {
      const wants = { ...(research && { research }), ...(model && { model }), ...(file && { file }) };
      await talks.askModel(current.value || (await begin()), question, parent, key, wants);
    });
  }
  async function again(at: number): Promise<void> {
    const asked = talk.value[at];
    if (asked?.turn) await send(`again/${asked.turn}`, (key) => talks.regenerate(current.value, asked.turn!, key));
  }
  function stop(): void {
    const turn = last.value;
    if (turn) talks.stop(current.value, turn.id).catch((failure: unknown) => toasts.say(sentenceOf(failure, t), true));
  }
  const retry = (): void => void talks.load(current.value);
  return { talk, busy, ask, again, stop, clear: () => open(0), kept: { current, title: computed(() => (current.value ? (chat.data.value?.title ?? '') : '')), loading, error, open, retry } };
}
export type Kept = ReturnType<typeof useKept>;
