// SPDX-License-Identifier: AGPL-3.0-or-later
//
// One connection to /live for all tabs of a browser (docs/live.md). It lives in a SharedWorker where
// there are any (live/worker.ts), else in the page itself. It knows no browser: sockets, time and
// chance come from outside, so tests/hub.test.ts can play them.
//
// Each page is a port. What a page has seen of a topic is counted per port, so a page that comes
// with an older number gets what it missed, and the others hear nothing twice.

export interface LiveEvent {
  type: 'event';
  topic: string;
  /** Missing: kept nowhere (typing, presence, pieces of an answer). */
  id?: number;
  event: string;
  data: Record<string, unknown>;
}

/** What a page says to the hub. */
export type ToHub =
  | { do: 'here'; user: number; again?: boolean }
  | { do: 'subscribe'; topic: string; after?: number }
  | { do: 'unsubscribe'; topic: string }
  | { do: 'say'; message: Record<string, unknown> }
  | { do: 'watch'; users: number[] }
  | { do: 'ticket'; ticket: string | null; over?: boolean }
  | { do: 'online' }
  | { do: 'bye' };

/** What the hub says to a page. */
export type FromHub =
  | { is: 'event'; event: LiveEvent }
  | { is: 'subscribed'; topic: string; id: number }
  | { is: 'reload'; topic: string; id: number }
  | { is: 'unsubscribed'; topic: string }
  | { is: 'presence'; users: Record<string, boolean> }
  | { is: 'state'; connected: boolean; since: number }
  | { is: 'need-ticket' }
  | { is: 'signed-out' };

export interface Port {
  tell(what: FromHub): void;
}

export interface Wire {
  send(text: string): void;
  close(): void;
}

export interface WireEvents {
  open(): void;
  message(text: string): void;
  closed(code: number): void;
}

export interface World {
  /** A WebSocket, or where those do not get through a stream of events that can say nothing. */
  connect(kind: 'socket' | 'stream', query: URLSearchParams, events: WireEvents): Wire;
  later(ms: number, run: () => void): () => void;
  random(): number;
  now(): number;
}

interface Listener {
  user: number;
  /** Topic → greatest number this page has. */
  seen: Map<string, number | undefined>;
  watches: Set<number>;
  heard: number;
}

/** Without a word for so long a page is gone (hidden ones are let run once a minute). */
export const SILENT_MS = 150_000;
const TICKET_MS = 5_000;
const BEHIND_MS = 2_000;
/** So many sockets that never said hello: this way is blocked, try the other. */
const SOCKETS_IN_VAIN = 3;
const SIGNED_OUT = new Set([4401, 4001, 4003]);

export class Hub {
  private readonly ports = new Map<Port, Listener>();
  /** Topic → greatest number heard. */
  private readonly last = new Map<string, number>();
  private user = 0;
  private wire: Wire | null = null;
  private kind: 'socket' | 'stream' = 'socket';
  private streams = '';
  private inVain = 0;
  private fails = 0;
  private connected = false;
  private since = 0;
  private beatMs = 30_000;
  private stopWaiting: (() => void) | null = null;
  private stopBeat: (() => void) | null = null;
  private stopTicket: (() => void) | null = null;
  private asked: Port[] = [];
  private readonly behind = new Map<string, () => void>();

  constructor(private readonly world: World) {}

  hear(port: Port, said: ToHub): void {
    let listener = this.ports.get(port);
    if (said.do === 'here') {
      if (said.user !== this.user) this.become(said.user);
      if (!listener) {
        listener = { user: said.user, seen: new Map(), watches: new Set(), heard: 0 };
        this.ports.set(port, listener);
        port.tell({ is: 'state', connected: this.connected, since: this.since });
      }
      listener.heard = this.world.now();
      this.sweep();
      if (!this.wire && !this.stopWaiting && !this.stopTicket) this.open();
      return;
    }
    if (!listener) return;
    listener.heard = this.world.now();
    switch (said.do) {
      case 'subscribe':
        this.subscribe(port, listener, said.topic, said.after);
        break;
      case 'unsubscribe':
        listener.seen.delete(said.topic);
        this.forget(said.topic);
        break;
      case 'say':
        this.say(said.message);
        break;
      case 'watch':
        listener.watches = new Set(said.users);
        this.watch();
        break;
      case 'ticket':
        this.ticket(port, said.ticket, said.over ?? false);
        break;
      case 'online':
        this.hurry();
        break;
      case 'bye':
        this.drop(port);
        break;
    }
  }

  private become(user: number): void {
    for (const [port, listener] of this.ports) {
      if (listener.user !== user) this.ports.delete(port);
    }
    this.user = user;
    this.last.clear();
    this.fails = 0;
    this.cut();
  }

  private drop(port: Port): void {
    const listener = this.ports.get(port);
    if (!listener) return;
    this.ports.delete(port);
    for (const topic of listener.seen.keys()) this.forget(topic);
    if (listener.watches.size) this.watch();
    if (this.ports.size === 0) this.cut();
  }

  private sweep(): void {
    const now = this.world.now();
    for (const [port, listener] of this.ports) {
      if (now - listener.heard > SILENT_MS) this.drop(port);
    }
  }

  /** Close everything and wait for nothing. */
  private cut(): void {
    this.stopWaiting?.();
    this.stopTicket?.();
    this.stopBeat?.();
    this.stopWaiting = this.stopTicket = this.stopBeat = null;
    for (const stop of this.behind.values()) stop();
    this.behind.clear();
    const wire = this.wire;
    this.wire = null;
    wire?.close();
    this.connect(false);
  }

  private connect(connected: boolean): void {
    if (connected === this.connected) return;
    this.connected = connected;
    this.since = this.world.now();
    this.tellAll({ is: 'state', connected, since: this.since });
  }

  private tellAll(what: FromHub): void {
    for (const port of this.ports.keys()) port.tell(what);
  }

  // --- topics ---

  private subscribe(port: Port, listener: Listener, topic: string, after?: number): void {
    listener.seen.set(topic, after);
    const last = this.last.get(topic);
    if (after !== undefined && (last === undefined || after < last)) this.last.set(topic, after);
    if (this.kind === 'stream') this.restream();
    // Up to date already. But pieces of an answer begin with a summary, which a fresh subscription brings.
    else if (after === undefined && last !== undefined && !topic.startsWith('chat:')) port.tell({ is: 'subscribed', topic, id: last });
    else this.say({ type: 'subscribe', topic, ...this.from(topic) });
  }

  private from(topic: string): { after?: number } {
    const after = this.last.get(topic);
    return after === undefined ? {} : { after };
  }

  private wanted(): string[] {
    const topics = new Set<string>();
    for (const listener of this.ports.values()) for (const topic of listener.seen.keys()) topics.add(topic);
    return [...topics];
  }

  /** Nobody wants it any more? */
  private forget(topic: string): void {
    for (const listener of this.ports.values()) if (listener.seen.has(topic)) return;
    this.last.delete(topic);
    if (this.kind === 'stream') this.restream();
    else this.say({ type: 'unsubscribe', topic });
  }

  private watch(): void {
    const users = new Set<number>();
    for (const listener of this.ports.values()) for (const id of listener.watches) users.add(id);
    this.say({ type: 'presence', users: [...users].slice(0, 200) });
  }

  private say(message: Record<string, unknown>): void {
    if (this.connected && this.kind === 'socket') this.wire?.send(JSON.stringify(message));
  }

  // --- the connection ---

  private open(): void {
    this.stopWaiting = null;
    if (this.ports.size === 0) return;
    // The page that spoke last is the likeliest to be awake.
    this.asked = [...this.ports].sort((a, b) => a[1].heard - b[1].heard).map(([port]) => port);
    this.askNext();
  }

  private askNext(): void {
    this.stopTicket?.();
    this.stopTicket = null;
    const port = this.asked.pop();
    if (!port) return this.again();
    this.stopTicket = this.world.later(TICKET_MS, () => this.askNext());
    port.tell({ is: 'need-ticket' });
  }

  private ticket(port: Port, ticket: string | null, over: boolean): void {
    if (!this.stopTicket || this.ports.get(port)?.user !== this.user) return;
    if (over) {
      this.cut();
      return this.tellAll({ is: 'signed-out' });
    }
    if (ticket === null) return this.askNext();
    this.stopTicket();
    this.stopTicket = null;
    const query = new URLSearchParams({ ticket });
    if (this.kind === 'stream') {
      this.streams = this.wanted().sort().join(',');
      query.set('topics', this.streams || 'me');
      const from = [...this.last].map(([topic, id]) => `${topic}=${id}`).join(';');
      if (from) query.set('last_event_id', from);
    }
    let greeted = false;
    const wire = this.world.connect(this.kind, query, {
      open: () => {
        if (this.wire !== wire || this.kind !== 'stream') return;
        greeted = true;
        this.greet();
      },
      message: (text) => {
        if (this.wire !== wire) return;
        const message = parse(text);
        if (!message) return;
        if (message.type === 'hello') {
          greeted = true;
          this.beatMs = Number(message.heartbeat_s) * 1000;
          this.greet();
        } else this.take(message);
      },
      closed: (code) => {
        if (this.wire !== wire) return;
        this.wire = null;
        if (this.kind === 'stream') this.kind = 'socket';
        else if (!greeted && !SIGNED_OUT.has(code) && ++this.inVain >= SOCKETS_IN_VAIN) {
          this.kind = 'stream';
          this.inVain = SOCKETS_IN_VAIN - 1; // the next time one try will do
        }
        this.lost(code);
      },
    });
    this.wire = wire;
    this.listenForBeat();
  }

  private greet(): void {
    this.fails = 0;
    if (this.kind === 'socket') this.inVain = 0;
    this.connect(true);
    this.listenForBeat();
    if (this.kind === 'stream') return;
    for (const topic of this.wanted()) this.say({ type: 'subscribe', topic, ...this.from(topic) });
    this.watch();
  }

  /** Nothing for two heartbeats: dead. */
  private listenForBeat(): void {
    this.stopBeat?.();
    this.stopBeat = this.world.later(this.beatMs * 2, () => {
      const wire = this.wire;
      this.wire = null;
      wire?.close();
      this.lost(1006);
    });
  }

  private lost(code: number): void {
    this.stopBeat?.();
    this.stopBeat = null;
    this.connect(false);
    if (SIGNED_OUT.has(code)) return this.tellAll({ is: 'signed-out' });
    this.again();
  }

  /** First try at once, then 1 s, 2 s … 30 s, each times a random number between ½ and 1. */
  private again(): void {
    this.stopWaiting?.();
    if (this.ports.size === 0) return void (this.stopWaiting = null);
    const seconds = this.fails === 0 ? 0 : Math.min(30, 2 ** (this.fails - 1));
    this.fails++;
    const ms = seconds * 1000 * (0.5 + 0.5 * this.world.random());
    this.stopWaiting = this.world.later(ms, () => this.open());
  }

  /** The network is back: do not wait any longer. */
  private hurry(): void {
    if (!this.stopWaiting) return;
    this.stopWaiting();
    this.fails = 0;
    this.open();
  }

  /** A stream cannot be told to listen to more: begin another. */
  private restream(): void {
    if (!this.wire || this.wanted().sort().join(',') === this.streams) return;
    const wire = this.wire;
    this.wire = null;
    wire.close();
    this.fails = 0;
    this.again();
  }

  // --- what the server says ---

  private take(message: Record<string, unknown>): void {
    this.listenForBeat();
    const topic = String(message.topic ?? '');
    const id = Number(message.id ?? 0);
    switch (message.type) {
      case 'event':
        this.spread(message as unknown as LiveEvent);
        break;
      case 'subscribed':
      case 'reload':
        this.upTo(topic, id);
        for (const [port, { seen }] of this.ports) {
          if (!seen.has(topic)) continue;
          // Whoever had everything up to here has missed nothing, whatever another page asked for.
          const had = seen.get(topic);
          seen.set(topic, id);
          if (message.type === 'reload' && had !== id) port.tell({ is: 'reload', topic, id });
          else port.tell({ is: 'subscribed', topic, id });
        }
        break;
      case 'unsubscribed':
        this.last.delete(topic);
        for (const [port, { seen }] of this.ports) {
          if (seen.delete(topic)) port.tell({ is: 'unsubscribed', topic });
        }
        break;
      case 'presence':
        this.tellAll({ is: 'presence', users: message.users as Record<string, boolean> });
        break;
      case 'heartbeat':
        this.compare(message.heads as Record<string, number>);
        break;
    }
  }

  private upTo(topic: string, id: number): void {
    this.last.set(topic, id);
    this.behind.get(topic)?.();
    this.behind.delete(topic);
  }

  private spread(event: LiveEvent): void {
    const { topic, id } = event;
    if (event.event === 'presence' && !topic) {
      const { user_id, online } = event.data as { user_id: number; online: boolean };
      return this.tellAll({ is: 'presence', users: { [user_id]: online } });
    }
    if (id !== undefined && id > (this.last.get(topic) ?? 0)) this.upTo(topic, id);
    for (const [port, { seen }] of this.ports) {
      if (!seen.has(topic)) continue;
      if (id !== undefined) {
        if (id <= (seen.get(topic) ?? 0)) continue;
        seen.set(topic, id);
      }
      port.tell({ is: 'event', event });
    }
  }

  /** A head beyond ours, and nothing comes: ask for what is missing. */
  private compare(heads: Record<string, number>): void {
    for (const [topic, head] of Object.entries(heads ?? {})) {
      const last = this.last.get(topic);
      if (last === undefined || head <= last || this.behind.has(topic)) continue;
      const stop = this.world.later(BEHIND_MS, () => {
        this.behind.delete(topic);
        if ((this.last.get(topic) ?? head) < head) this.say({ type: 'subscribe', topic, ...this.from(topic) });
      });
      this.behind.set(topic, stop);
    }
  }
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const message: unknown = JSON.parse(text);
    return typeof message === 'object' ? (message as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
