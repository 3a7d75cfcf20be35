// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What who is logged in has written and waits to be sent, wherever in the app they are (the App itself
// opens this store, so what an earlier visit left is sent on every page). Likes wait here, too: of each
// post only whether it is liked in the end.
import { defineStore } from 'pinia';
import { ref, shallowRef, watch } from 'vue';
import { api, ApiError, ask, type Comment, type Message, type Post } from '@/api/client';
import { useLive } from '@/live';
import { Outbox, type Letter, type Verdict } from '@/messages/outbox';
import { placeOf } from '@/messages/places';
import { useSession } from './session';

/** A server that has not answered by then is not going to. */
const PATIENCE_MS = 20_000;

/** What a letter has become, by where it belongs. */
type Arrived = Message | Post | Comment;

function post(letter: Letter): Promise<Arrived> {
  const { content, client } = letter;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const headers = { 'Idempotency-Key': client };
  if (letter.place === '/') return ask(api.POST('/posts', { body: { content, image_path: letter.image }, headers, signal }));
  const post_id = Number(/^\/p\/(\d+)$/.exec(letter.place)?.[1]);
  if (post_id) return ask(api.POST('/posts/{post_id}/comments', { params: { path: { post_id } }, body: { content, parent_id: letter.parent }, headers, signal }));
  const place = placeOf(letter.place);
  if (!place) throw new ApiError(404, '');
  const body = { content, client_id: client };
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
  const ears = new Set<{ of: RegExp; hear: (arrived: Arrived) => void }>();
  let box: Outbox | null = null;
  let prefix = '';
  let likes = '';

  async function send(letter: Letter): Promise<Verdict> {
    try {
      const arrived = await post(letter);
      // Before the letter goes, so that it is not gone for a moment.
      for (const ear of ears) if (ear.of.test(letter.place)) ear.hear(arrived);
      return { is: 'sent' };
    } catch (error) {
      const verdict = verdictOn(error);
      if (verdict.is === 'later') late.value.add(letter.client);
      return verdict;
    }
  }

  function open(user: number): void {
    prefix = `hutong.out.${user}.`;
    likes = `hutong.likes.${user}`;
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
    hurry();
  }
  function hurry(): void {
    box?.hurry();
    void likeWaiting();
  }

  /** By post: liked, or no longer. */
  function waitingLikes(): Record<string, boolean> {
    try {
      return JSON.parse(localStorage.getItem(likes) ?? '{}') as Record<string, boolean>;
    } catch {
      return {};
    }
  }
  function keepLike(post: number, liked: boolean | undefined): void {
    const all = waitingLikes();
    if (all[post] === liked) return;
    if (liked === undefined) delete all[post];
    else all[post] = liked;
    localStorage.setItem(likes, JSON.stringify(all));
  }
  /** How many like it now; null: it is told when there is a connection. Throws what the server has against it. */
  async function like(post_id: number, liked: boolean): Promise<number | null> {
    const how = { params: { path: { post_id } }, signal: AbortSignal.timeout(PATIENCE_MS) };
    try {
      const { likes_count } = await ask(liked ? api.PUT('/posts/{post_id}/like', how) : api.DELETE('/posts/{post_id}/like', how));
      keepLike(post_id, undefined);
      return likes_count;
    } catch (error) {
      const later = verdictOn(error).is === 'later';
      keepLike(post_id, later ? liked : undefined);
      if (!later) throw error;
      return null;
    }
  }
  async function likeWaiting(): Promise<void> {
    for (const [post, liked] of Object.entries(waitingLikes())) {
      // What the server has against it, it has for good: the post has gone.
      if ((await like(Number(post), liked).catch(() => 0)) === null) return;
    }
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
  watch(() => live.connected, (is) => is && hurry());
  window.addEventListener('online', hurry);
  window.addEventListener('storage', ({ key }) => (key === null || key.startsWith(prefix)) && box?.tell());

  const add = (...what: Parameters<Outbox['add']>): void => void box?.add(...what);
  const again = (client: string): void => box?.again(client);
  const drop = (client: string): void => box?.drop(client);

  function listen<T extends Arrived>(of: RegExp, hear: (arrived: T) => void): () => void {
    const ear = { of, hear: hear as (arrived: Arrived) => void };
    ears.add(ear);
    return () => ears.delete(ear);
  }
  /** Hear of every letter of this tab that has arrived, until the returned function is called. */
  const onSent = (hear: (message: Message) => void): (() => void) => listen(/^\/[mg]\//, hear);
  const onPosted = (hear: (post: Post) => void): (() => void) => listen(/^\/$/, hear);
  const onCommented = (post: number, hear: (comment: Comment) => void): (() => void) => listen(new RegExp(`^/p/${post}$`), hear);
  return { letters, late, add, again, drop, like, onSent, onPosted, onCommented };
});
