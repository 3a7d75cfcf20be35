// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What was written and is not known to have arrived: messages, posts, comments. Each letter has a place of its own in the
// browser's store, so it outlives a reload and two tabs cannot overwrite each other's. The letters of
// a place go one after the other, oldest first. Each is sent until the server has answered, always
// with the same client_id, which the server stores once: so nothing is lost and nothing comes twice,
// whichever tab sends it and however often.
//
// It knows no browser and no server; tests/outbox.test.ts plays them.

import { newId } from '@/text/ids';

export interface Letter {
  /** The name by which the server knows it again. */
  client: string;
  /** Path of the page where it belongs: of a conversation (places.ts), '/' a post, '/p/3' a comment. */
  place: string;
  content: string;
  /** The picture of a post, as it was uploaded. */
  image?: string;
  /** The comment that a comment answers. */
  parent?: number;
  /** Milliseconds since 1970, and greater than that of every letter before it. */
  at: number;
  /** The server does not take it; a sentence why. Only its writer may try again. */
  refused?: string;
}

export type Verdict =
  | { is: 'sent' }
  /** As it is the server will never take it. */
  | { is: 'refused'; why: string }
  /** Nobody can tell whether it arrived, or it is too early: send it again. */
  | { is: 'later'; afterMs?: number };

/** What is needed of localStorage. */
export interface Shelf {
  readonly length: number;
  key(index: number): string | null;
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface OutboxWorld {
  shelf: Shelf;
  send(letter: Letter): Promise<Verdict>;
  /** The letters are others now. */
  changed(letters: Letter[]): void;
  later(ms: number, run: () => void): () => void;
  now(): number;
  random(): number;
}

const LONGEST_WAIT_S = 30;

function parse(text: string | null): Letter | null {
  try {
    const letter = JSON.parse(text ?? 'null') as Letter | null;
    return letter && typeof letter.client === 'string' && typeof letter.place === 'string' && typeof letter.content === 'string' ? letter : null;
  } catch {
    return null;
  }
}

export class Outbox {
  /** What a full or forbidden store did not take; it lives as long as the page. */
  private readonly loose = new Map<string, Letter>();
  private readonly busy = new Set<string>();
  private fails = 0;
  private stopWaiting: (() => void) | null = null;
  private stopped = false;

  /** `prefix`: of the keys in the store; one for each member. */
  constructor(
    private readonly prefix: string,
    private readonly world: OutboxWorld,
  ) {}

  /** All letters, oldest first. */
  letters(): Letter[] {
    const all = [...this.loose.values()];
    const { shelf } = this.world;
    for (let i = 0; i < shelf.length; i++) {
      const key = shelf.key(i);
      const letter = key?.startsWith(this.prefix) ? parse(shelf.getItem(key)) : null;
      if (letter) all.push(letter);
    }
    return all.sort((a, b) => a.at - b.at || (a.client < b.client ? -1 : 1));
  }

  /** `more.client`: it was tried under this name before. */
  add(place: string, content: string, more: Pick<Letter, 'image' | 'parent'> & { client?: string } = {}): Letter {
    const letter = { client: newId(), place, content, ...more, at: this.nextAt() };
    this.keep(letter);
    this.tell();
    this.hurry(); // whoever writes now wants to know now
    return letter;
  }

  /** Its writer wants it sent again: at the end of what waits, and at once. */
  again(client: string): void {
    const letter = this.find(client);
    if (!letter) return;
    if (letter.refused !== undefined) this.keep({ ...letter, refused: undefined, at: this.nextAt() });
    this.tell();
    this.hurry();
  }

  /** Thrown away by its writer, or seen to have arrived. */
  drop(client: string): void {
    if (!this.find(client)) return;
    this.loose.delete(client);
    this.world.shelf.removeItem(this.prefix + client);
    this.tell();
  }

  /** Send what waits, now: the connection is back, or the page has just opened. */
  hurry(): void {
    this.stopWaiting?.();
    this.stopWaiting = null;
    this.fails = 0;
    this.sendAll();
  }

  /** Another tab has changed the store. */
  tell(): void {
    if (!this.stopped) this.world.changed(this.letters());
  }

  stop(): void {
    this.stopped = true;
    this.stopWaiting?.();
  }

  private nextAt(): number {
    return Math.max(this.world.now(), (this.letters().at(-1)?.at ?? 0) + 1);
  }

  private find(client: string): Letter | null {
    return this.loose.get(client) ?? parse(this.world.shelf.getItem(this.prefix + client));
  }

  private keep(letter: Letter): void {
    try {
      this.world.shelf.setItem(this.prefix + letter.client, JSON.stringify(letter));
      this.loose.delete(letter.client);
    } catch {
      this.loose.set(letter.client, letter);
    }
  }

  private sendAll(): void {
    for (const place of new Set(this.letters().map((letter) => letter.place))) void this.drain(place);
  }

  /** Everything of one place, in order, until something has to wait. */
  private async drain(place: string): Promise<void> {
    if (this.busy.has(place) || this.stopWaiting) return;
    this.busy.add(place);
    try {
      while (!this.stopped) {
        const letter = this.letters().find((one) => one.place === place && one.refused === undefined);
        if (!letter) return;
        if (!(await this.deliver(letter))) return;
      }
    } finally {
      this.busy.delete(place);
    }
  }

  /** False: it must wait, and so must what comes behind it. */
  private async deliver(letter: Letter): Promise<boolean> {
    const verdict = await this.world.send(letter).catch((): Verdict => ({ is: 'later' }));
    if (this.stopped) return false;
    if (verdict.is === 'later') {
      this.wait(verdict.afterMs);
      return false;
    }
    this.fails = 0;
    if (verdict.is === 'sent') this.drop(letter.client);
    else if (this.find(letter.client)) {
      this.keep({ ...letter, refused: verdict.why });
      this.tell();
    }
    return true;
  }

  /** 1 s, 2 s … 30 s, each times a random number between ½ and 1; or as long as the server says. */
  private wait(afterMs?: number): void {
    if (this.stopWaiting) return;
    const seconds = Math.min(LONGEST_WAIT_S, 2 ** this.fails++);
    const ms = afterMs ?? seconds * 1000 * (0.5 + 0.5 * this.world.random());
    this.stopWaiting = this.world.later(ms, () => {
      this.stopWaiting = null;
      this.sendAll();
    });
  }
}
