// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The letters of who is logged in that wait to be sent, wherever in the app they are (the App itself
// opens this store, so what an earlier visit left is sent on every page).
import { defineStore } from 'pinia';
import { ref, shallowRef, watch } from 'vue';
import { api, ApiError, ask, type Message } from '@/api/client';
import { useLive } from '@/live';
import { Outbox, type Letter, type Verdict } from '@/messages/outbox';
import { placeOf } from '@/messages/places';
import { useSession } from './session';

/** A server that has not answered by then is not going to. */
const PATIENCE_MS = 20_000;

function post(letter: Letter): Promise<Message> {
  const place = placeOf(letter.place);
  if (!place) throw new ApiError(404, '');
  const body = { content: letter.content, client_id: letter.client };
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return place.kind === 'member'
    ? ask(api.POST('/messages/send/{user_id}', { params: { path: { user_id: place.id } }, body, signal }))
    : ask(api.POST('/groups/{group_id}/messages', { params: { path: { group_id: place.id } }, body, signal }));
}

function verdictOn(error: unknown): Verdict {
  const { status, detail, retryAfter } = error instanceof ApiError ? error : new ApiError(0, '');
  if (status === 429) return { is: 'later', afterMs: (retryAfter || 5) * 1000 };
  // The log-in has ended: the letter waits for the next one.
  if (status === 401 || status === 408 || status < 400 || status >= 500) return { is: 'later' };
  return { is: 'refused', why: detail };
}

export const useOutbox = defineStore('outbox', () => {
  const session = useSession();
  const live = useLive();
  const letters = shallowRef<Letter[]>([]);
  /** Letters whose first try has failed: worth a word to their writer. */
  const late = ref(new Set<string>());
  const ears = new Set<(message: Message) => void>();
  let box: Outbox | null = null;
  let prefix = '';

  async function send(letter: Letter): Promise<Verdict> {
    try {
      const message = await post(letter);
      // Before the letter goes, so that it is not gone for a moment.
      for (const ear of ears) ear(message);
      return { is: 'sent' };
    } catch (error) {
      const verdict = verdictOn(error);
      if (verdict.is === 'later') late.value.add(letter.client);
      return verdict;
    }
  }

  function open(user: number): void {
    prefix = `hutong.out.${user}.`;
    box = new Outbox(prefix, {
      shelf: localStorage,
      send,
      changed: (now) => (letters.value = now),
      later: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
      now: Date.now,
      random: Math.random,
    });
    box.tell();
    box.hurry();
  }

  watch(
    () => session.me?.id,
    (id) => {
      box?.stop();
      box = null;
      letters.value = [];
      late.value.clear();
      if (id) open(id);
    },
    { immediate: true },
  );
  watch(() => live.connected, (is) => is && box?.hurry());
  window.addEventListener('online', () => box?.hurry());
  window.addEventListener('storage', ({ key }) => (key === null || key.startsWith(prefix)) && box?.tell());

  const add = (place: string, content: string): void => void box?.add(place, content);
  const again = (client: string): void => box?.again(client);
  const drop = (client: string): void => box?.drop(client);

  /** Hear of every letter of this tab that has arrived, until the returned function is called. */
  function onSent(ear: (message: Message) => void): () => void {
    ears.add(ear);
    return () => ears.delete(ear);
  }
  return { letters, late, add, again, drop, onSent };
});
