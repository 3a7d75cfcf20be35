// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeEach, describe, expect, test } from 'vitest';
import { Outbox, type Letter, type OutboxWorld, type Shelf, type Verdict } from '@/messages/outbox';

class Memory implements Shelf {
  readonly all = new Map<string, string>();
  full = false;
  get length(): number {
    return this.all.size;
  }
  key(i: number): string | null {
    return [...this.all.keys()][i] ?? null;
  }
  getItem(key: string): string | null {
    return this.all.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    if (this.full) throw new Error('QuotaExceededError');
    this.all.set(key, value);
  }
  removeItem(key: string): void {
    this.all.delete(key);
  }
}

/** A server that stores a client_id once and answers when the test says so. */
class Played {
  readonly stored: string[] = [];
  readonly asked: string[] = [];
  readonly timers: { ms: number; run: () => void }[] = [];
  shown: Letter[] = [];
  answer: (letter: Letter) => Verdict | Promise<Verdict> = () => ({ is: 'sent' });
  private readonly known = new Set<string>();

  constructor(readonly shelf: Memory) {}

  world(): OutboxWorld {
    return {
      shelf: this.shelf,
      send: async (letter) => {
        this.asked.push(letter.content);
        const verdict = await this.answer(letter);
        if (verdict.is === 'sent') this.store(letter);
        return verdict;
      },
      changed: (letters) => (this.shown = letters),
      later: (ms, run) => {
        const timer = { ms, run };
        this.timers.push(timer);
        return () => void this.timers.splice(this.timers.indexOf(timer), 1);
      },
      now: () => 1000, // a clock that stands still: the order must not rest on it
      random: () => 1,
    };
  }
  store(letter: Letter): void {
    if (!this.known.has(letter.client)) this.stored.push(letter.content);
    this.known.add(letter.client);
  }
  fire(): void {
    this.timers.shift()!.run();
  }
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
let shelf: Memory;
let played: Played;
let box: Outbox;
beforeEach(() => {
  shelf = new Memory();
  played = new Played(shelf);
  box = new Outbox('out.7.', played.world());
});

describe('an outbox', () => {
  test('sends at once and keeps nothing of what has arrived', async () => {
    box.add('/m/3', 'hello');
    expect(played.shown.map(({ content }) => content)).toEqual(['hello']);
    await settled();
    expect(played.stored).toEqual(['hello']);
    expect(shelf.length).toBe(0);
    expect(played.shown).toEqual([]);
  });

  test('sends the letters of a place one after the other, and does not make another place wait', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((go) => (open = go));
    played.answer = async ({ content }) => {
      if (content === 'one') await gate;
      return { is: 'sent' };
    };
    box.add('/m/3', 'one');
    box.add('/m/3', 'two');
    box.add('/g/9', 'elsewhere');
    await settled();
    expect(played.asked).toEqual(['one', 'elsewhere']);
    open();
    await settled();
    expect(played.stored).toEqual(['elsewhere', 'one', 'two']);
  });

  test('waits longer after every failure in a row, and begins anew when the connection is back', async () => {
    played.answer = () => ({ is: 'later' });
    box.add('/m/3', 'one');
    box.add('/m/3', 'two');
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      await settled();
      waits.push(played.timers[0]!.ms);
      expect(played.timers.length).toBe(1);
      played.fire();
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(new Set(played.asked)).toEqual(new Set(['one']));
    await settled();
    played.answer = () => ({ is: 'sent' });
    box.hurry();
    await settled();
    expect(played.stored).toEqual(['one', 'two']);
    expect(played.timers).toEqual([]);
  });

  test('waits as long as the server asks for', async () => {
    played.answer = () => ({ is: 'later', afterMs: 7000 });
    box.add('/m/3', 'one');
    await settled();
    expect(played.timers.map(({ ms }) => ms)).toEqual([7000]);
  });

  test('a request that breaks is a letter that waits', async () => {
    played.answer = () => Promise.reject(new Error('reset'));
    box.add('/m/3', 'one');
    await settled();
    expect(box.letters().map(({ content, refused }) => [content, refused])).toEqual([['one', undefined]]);
    expect(played.timers.length).toBe(1);
  });

  test('a reload loses nothing: what waits is sent by the next page, in order', async () => {
    played.answer = () => ({ is: 'later' });
    for (const text of ['one', 'two', 'three']) box.add('/m/3', text);
    await settled();
    box.stop();
    const next = new Played(shelf);
    const opened = new Outbox('out.7.', next.world());
    opened.hurry();
    await settled();
    expect(next.stored).toEqual(['one', 'two', 'three']);
    expect(shelf.length).toBe(0);
  });

  test('an answer that was lost on its way stores nothing twice', async () => {
    played.answer = (letter) => {
      played.store(letter);
      return { is: 'later' };
    };
    box.add('/m/3', 'one');
    await settled();
    played.answer = () => ({ is: 'sent' });
    played.fire();
    await settled();
    expect(played.asked).toEqual(['one', 'one']);
    expect(played.stored).toEqual(['one']);
  });

  test('two tabs send the same letters and the server has each once', async () => {
    played.answer = () => ({ is: 'later' });
    box.add('/m/3', 'one');
    box.add('/m/3', 'two');
    await settled();
    played.answer = () => ({ is: 'sent' });
    const other = new Outbox('out.7.', played.world());
    box.hurry();
    other.hurry();
    await settled();
    expect(played.stored).toEqual(['one', 'two']);
    expect(shelf.length).toBe(0);
  });

  test('what the server does not take stays, holds up nobody, and is sent again only when asked for', async () => {
    played.answer = ({ content }) => (content === 'bad' ? { is: 'refused', why: 'no such member' } : { is: 'sent' });
    box.add('/m/3', 'bad');
    box.add('/m/3', 'good');
    await settled();
    expect(played.stored).toEqual(['good']);
    expect(played.shown.map(({ content, refused }) => [content, refused])).toEqual([['bad', 'no such member']]);
    box.hurry();
    await settled();
    expect(played.asked).toEqual(['bad', 'good']);
    played.answer = () => ({ is: 'sent' });
    box.again(played.shown[0]!.client);
    await settled();
    expect(played.stored).toEqual(['good', 'bad']);
    expect(shelf.length).toBe(0);
  });

  test('what is thrown away is not sent, also when it was under way', async () => {
    played.answer = () => ({ is: 'later' });
    const letter = box.add('/m/3', 'one');
    await settled();
    box.drop(letter.client);
    expect(played.shown).toEqual([]);
    played.fire();
    await settled();
    expect(played.asked).toEqual(['one']);

    const gate: (() => void)[] = [];
    played.answer = async () => {
      await new Promise<void>((go) => gate.push(go));
      return { is: 'refused', why: 'no' };
    };
    const second = box.add('/m/3', 'two');
    await settled();
    box.drop(second.client);
    gate[0]!();
    await settled();
    expect(box.letters()).toEqual([]);
  });

  test('one member never sends what another wrote in the same browser', async () => {
    played.answer = () => ({ is: 'later' });
    box.add('/m/3', 'mine');
    await settled();
    const other = new Played(shelf);
    const theirs = new Outbox('out.70.', other.world());
    theirs.hurry();
    await settled();
    expect(other.asked).toEqual([]);
    expect(theirs.letters()).toEqual([]);
  });

  test('a full store does not stop anybody from writing', async () => {
    shelf.full = true;
    played.answer = () => ({ is: 'later' });
    box.add('/m/3', 'one');
    await settled();
    expect(box.letters().map(({ content }) => content)).toEqual(['one']);
    played.answer = () => ({ is: 'sent' });
    box.hurry();
    await settled();
    expect(played.stored).toEqual(['one']);
    expect(box.letters()).toEqual([]);
  });

  test('rubbish in the store is passed over', () => {
    shelf.all.set('out.7.x', '{"client":');
    shelf.all.set('out.7.y', '[]');
    shelf.all.set('out.7.z', 'null');
    expect(box.letters()).toEqual([]);
  });
});
