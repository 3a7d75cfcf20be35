// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Conversations with models, as far as this page has looked into them. An answer that was asked for
// here is read from the reply to the question, also while another page is shown; one that another
// device asked for, or that was under way when the page came, from the topic chat:ID.
import { defineStore } from 'pinia';
import { reactive, watch } from 'vue';
import { api, ApiError, ask, authorized, errorOf, type ChatTurn } from '@/api/client';
import type { LiveEvent } from '@/live';
import { useSession } from '@/stores/session';
import { readBlocks, type Piece } from './stream';
import { BEGINNING, chooseTo, lineOf } from './tree';

type Found = NonNullable<ChatTurn['found']>;

export interface Talk {
  id: number;
  turns: Map<number, ChatTurn>;
  /** Parent → the branch that is shown. */
  chosen: Map<number, number>;
  loaded: boolean;
  /** Those below this id are not here yet; null: all are. */
  older: number | null;
  error: unknown;
}

const PAGE = 100;
/** Above all ids. */
const NEWEST = Number.MAX_SAFE_INTEGER;
const FOLLOW_TRIES = 4;
const FACTS = new Set(['round', 'sources', 'notice']);
const ENDS = new Set(['done', 'interrupted', 'error', 'stored']);

const weightOf = (found: ChatTurn['found']): number => (found ? found.sources.length + found.notices.length + found.round : -1);

/** What is known of a turn and what comes of it: the newer of the two. While it is written, what it is
 *  made of may be known from its stream before it is stored. */
export function newerTurn(known: ChatTurn | undefined, come: ChatTurn): ChatTurn {
  if (!known || known.status !== 'streaming' || come.status !== 'streaming') {
    return known && known.status !== 'streaming' && come.status === 'streaming' ? known : come;
  }
  const newer = come.content.length + come.reasoning.length >= known.content.length + known.reasoning.length ? come : known;
  const { found } = weightOf(come.found) >= weightOf(known.found) ? come : known;
  return { ...newer, found };
}

/** What an answer about a wiki is made of. Rounds of a research find places again. */
function addFact(found: Found, piece: Piece): void {
  if (piece.type === 'round') Object.assign(found, { round: piece.round, last: piece.last });
  else if (piece.type === 'notice') found.notices.push(piece as unknown as Found['notices'][0]);
  else {
    for (const one of piece.sources as Found['sources']) {
      if (!found.sources.some(({ path, first, last }) => path === one.path && first === one.first && last === one.last)) found.sources.push(one);
    }
  }
}

/** Add a piece of an answer to it. */
function addPiece(turn: ChatTurn, piece: Piece): void {
  const text = String(piece.text ?? '');
  if (piece.type === 'delta') turn.content += text;
  else if (piece.type === 'reasoning') turn.reasoning += text;
  else if (piece.type === 'start' || piece.type === 'so_far') {
    turn.site = String(piece.site ?? '');
    turn.model = String(piece.model ?? '');
    turn.offline = piece.offline === true;
    turn.detail = String(piece.instead ?? '');
    turn.content = text;
    turn.reasoning = String(piece.reasoning ?? '');
    if (piece.found) turn.found = piece.found as Found;
  } else if (FACTS.has(piece.type)) addFact((turn.found ??= { round: 0, last: false, sources: [], notices: [], cited: 0, removed: 0 }), piece);
}

export const useTalks = defineStore('talks', () => {
  const session = useSession();
  const talks = reactive(new Map<number, Talk>());
  /** Answers that are read from a stream of their own, not from the topic. */
  const own = new Set<number>();
  /** What an answer waits for before its first word: its repository is still on its way. */
  const stages = reactive(new Map<number, { stage: string; percent: number | null }>());
  function add(turn: ChatTurn, piece: Piece): void {
    if (piece.type === 'waiting') stages.set(turn.id, { stage: String(piece.stage ?? ''), percent: typeof piece.percent === 'number' ? piece.percent : null });
    else stages.delete(turn.id);
    addPiece(turn, piece);
  }
  /** Pieces of turns that are not known yet. */
  const early = new Map<number, Piece[]>();

  watch(
    () => session.me?.id,
    () => {
      talks.clear();
      own.clear();
      early.clear();
      stages.clear();
      older.clear();
    },
  );

  function open(id: number): Talk {
    if (!talks.has(id)) talks.set(id, { id, turns: new Map(), chosen: new Map(), loaded: false, older: NEWEST, error: null });
    return talks.get(id)!;
  }

  function put(talk: Talk, come: ChatTurn): void {
    talk.turns.set(come.id, newerTurn(talk.turns.get(come.id), come));
    const pieces = early.get(come.id);
    early.delete(come.id);
    const turn = talk.turns.get(come.id)!;
    if (turn.status === 'streaming') for (const piece of pieces ?? []) add(turn, piece);
  }

  const older = new Map<number, Promise<void>>();
  /** The page of turns before those that are here: first the newest. */
  async function loadBefore(talk: Talk): Promise<void> {
    const page = await ask(api.GET('/chat/conversations/{chat_id}/messages', {
      params: { path: { chat_id: talk.id }, query: { before: talk.older ?? 0, limit: PAGE } },
    }));
    const top = lineOf(talk.turns.values(), talk.chosen)[0]?.turn.id;
    for (const turn of page.items) put(talk, turn);
    if (top) chooseTo(talk.turns, top, talk.chosen); // what is read goes on being read
    talk.older = page.next_before ?? null;
  }

  function loadOlder(id: number): Promise<void> {
    const talk = open(id);
    if (talk.older === null) return Promise.resolve();
    const under = older.get(id) ?? loadBefore(talk).finally(() => older.delete(id));
    older.set(id, under);
    return under;
  }

  /** The turns behind this one, put there together. */
  async function loadAfter(talk: Talk, from: number): Promise<void> {
    const come: ChatTurn[] = [];
    try {
      for (let after: number | null = from; after !== null; ) {
        const page: { items: ChatTurn[]; next_after?: number | null } = await ask(
          api.GET('/chat/conversations/{chat_id}/messages', { params: { path: { chat_id: talk.id }, query: { after, limit: PAGE } } }),
        );
        come.push(...page.items);
        after = page.next_after ?? null;
      }
    } finally {
      for (const turn of come) put(talk, turn);
    }
  }

  /** What came since, and what was under way. */
  function loadNewer(talk: Talk): Promise<void> {
    const unsure = [...talk.turns.values()].filter((turn) => turn.status === 'streaming').map((turn) => turn.id - 1);
    return loadAfter(talk, Math.min(...unsure, Math.max(0, ...talk.turns.keys())));
  }

  /** Its newest turns, or what is new since. */
  async function load(id: number): Promise<void> {
    const talk = open(id);
    talk.error = null;
    try {
      await (talk.older === NEWEST ? loadOlder(id) : loadNewer(talk));
      talk.loaded = true;
    } catch (error) {
      talk.error = error;
    }
  }

  async function loadAll(id: number): Promise<void> {
    await load(id);
    const talk = open(id);
    try {
      while (talk.loaded && talk.older !== null) await loadOlder(id);
    } catch (error) {
      talk.error = error;
    }
  }

  /** What happened between loading and hearing, or while nothing was heard. */
  async function catchUp(id: number): Promise<void> {
    const talk = open(id);
    if (!talk.loaded) return;
    // Nobody is told of this: what is shown stays, and the next event or break tries again.
    await loadNewer(talk).catch(() => undefined);
  }

  /** The turn as it is stored. */
  async function reload(talk: Talk, id: number): Promise<void> {
    const page = await ask(
      api.GET('/chat/conversations/{chat_id}/messages', { params: { path: { chat_id: talk.id }, query: { after: id - 1, limit: 1 } } }),
    );
    for (const turn of page.items) put(talk, turn);
  }

  async function over(talk: Talk, id: number, status: ChatTurn['status'], said: Partial<ChatTurn>): Promise<void> {
    await reload(talk, id).catch(() => {
      const turn = talk.turns.get(id);
      if (turn) Object.assign(turn, said, { status });
    });
    own.delete(id);
    stages.delete(id);
  }

  function asked(talk: Talk, question: ChatTurn, answer: ChatTurn, follow: boolean): void {
    put(talk, question);
    put(talk, answer);
    if (follow) chooseTo(talk.turns, answer.id, talk.chosen);
  }

  // --- what was asked for here ---

  /** Reads an answer to its end. Resolves with its first block; then goes on by itself. */
  function attend(talk: Talk, body: ReadableStream<Uint8Array>): Promise<void> {
    return new Promise((begun, failed) => {
      let id = 0;
      let ended = false;
      const take = (piece: Piece): void => {
        if (piece.type === 'turns') {
          const answer = piece.answer as ChatTurn;
          id = answer.id;
          own.add(id);
          asked(talk, piece.question as ChatTurn, answer, true);
          talk.turns.get(id)!.found = null; // all of it comes (again)
        } else if (ENDS.has(piece.type)) {
          ended = true;
          id ||= (piece.answer as ChatTurn | undefined)?.id ?? 0;
          const word = piece.type === 'done' ? (piece.end as ChatTurn['status']) : piece.type === 'error' ? 'failed' : 'interrupted';
          void over(talk, id, word, { detail: String(piece.detail ?? piece.instead ?? '') });
        } else {
          const turn = talk.turns.get(id);
          if (turn) add(turn, piece);
        }
        begun();
      };
      readBlocks(body, take).then(
        () => (id && !ended ? follow(talk, id) : begun()),
        (error) => (id ? follow(talk, id) : failed(error)),
      );
    });
  }

  /** The stream of an answer broke: join it anew. When that cannot be, the topic tells its end. */
  async function follow(talk: Talk, id: number): Promise<void> {
    for (let i = 0; i < FOLLOW_TRIES; i++) {
      try {
        const url = `${location.origin}/chat/conversations/${talk.id}/messages/${id}/stream`;
        const reply = await authorized(new Request(url));
        if (reply.ok && reply.body) return await attend(talk, reply.body);
        if (reply.status < 500) break;
      } catch {
        // The network: once more.
      }
      await new Promise((later) => setTimeout(later, 1000 * 2 ** i));
    }
    own.delete(id);
    await reload(talk, id).catch(() => undefined);
  }

  async function begin(id: number, path: string, json: unknown, key: string): Promise<void> {
    const talk = open(id);
    const reply = await authorized(
      new Request(`${location.origin}/chat/conversations/${id}/messages${path}`, {
        method: 'POST',
        body: json === undefined ? undefined : JSON.stringify(json),
        headers: { 'Idempotency-Key': key, ...(json === undefined ? {} : { 'Content-Type': 'application/json' }) },
      }),
    );
    if (!reply.ok) throw errorOf(reply, await reply.json().catch(() => null));
    if (reply.headers.get('Content-Type')?.startsWith('text/event-stream') && reply.body) return attend(talk, reply.body);
    // This was asked before, and only the reply was lost.
    const turns = (await reply.json()) as { question: ChatTurn; answer: ChatTurn };
    asked(talk, turns.question, turns.answer, true);
    void follow(talk, turns.answer.id);
  }

  /** Resolves when the question is stored. */
  const askModel = (id: number, text: string, parent: number, key: string, wants: object = {}): Promise<void> =>
    begin(id, '', { text, parent, ...wants }, key);
  const regenerate = (id: number, answer: number, key: string): Promise<void> => begin(id, `/${answer}/regenerate`, undefined, key);

  async function stop(id: number, turn: number): Promise<void> {
    try {
      await ask(api.POST('/chat/conversations/{chat_id}/messages/{turn_id}/stop', { params: { path: { chat_id: id, turn_id: turn } } }));
    } catch (error) {
      // Another instance writes it; or it has just ended.
      if (!(error instanceof ApiError && error.status === 404)) throw error;
    }
  }

  // --- what is heard ---

  function hear(id: number, { event, data }: LiveEvent): void {
    const talk = open(id);
    if (event === 'chat.asked') {
      const question = data.question as ChatTurn;
      const answer = data.answer as ChatTurn;
      // It is shown where it belongs to what is shown: a reader in another branch stays there.
      const line = lineOf(talk.turns.values(), talk.chosen).map(({ turn }) => turn.id);
      if (line[0] && !talk.turns.has(question.parent)) chooseTo(talk.turns, line[0], talk.chosen);
      const here = question.parent === BEGINNING || line.includes(question.parent);
      asked(talk, question, answer, here && !talk.turns.has(answer.id));
    } else if (event === 'chat.piece') {
      const turn = Number(data.turn);
      if (own.has(turn)) return;
      const known = talk.turns.get(turn);
      if (!known) early.set(turn, [...(early.get(turn) ?? []), data as unknown as Piece]);
      else if (known.status === 'streaming') add(known, data as unknown as Piece);
    } else if (event === 'chat.answered') {
      const { turn, ...said } = data as unknown as { turn: number } & ChatTurn;
      const known = talk.turns.get(turn);
      if (own.has(turn) || !known || known.status === said.status) return;
      void over(talk, turn, said.status, said);
    } else if (event === 'chat.deleted') talks.delete(id);
  }

  return { talks, stages, open, load, loadOlder, loadAll, catchUp, askModel, regenerate, stop, hear };
});
