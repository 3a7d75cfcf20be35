// SPDX-License-Identifier: AGPL-3.0-or-later
import { beforeEach, describe, expect, test } from 'vitest';
import { Hub, SILENT_MS, type FromHub, type Port, type ToHub, type WireEvents, type World } from '../src/live/hub';

/** A server, a clock and chance that do what a test wants. */
class Play implements World {
  wires: { kind: string; query: URLSearchParams; events: WireEvents; sent: Record<string, unknown>[]; open: boolean }[] = [];
  clock = 0;
  timers: { at: number; run: () => void }[] = [];

  connect(kind: 'socket' | 'stream', query: URLSearchParams, events: WireEvents) {
    const wire = { kind, query, events, sent: [] as Record<string, unknown>[], open: true };
    this.wires.push(wire);
    return {
      send: (text: string) => void wire.sent.push(JSON.parse(text) as Record<string, unknown>),
      close: () => void (wire.open = false),
    };
  }
  later(ms: number, run: () => void) {
    const timer = { at: this.clock + ms, run };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((one) => one !== timer));
  }
  random = () => 1;
  now = () => this.clock;

  get wire() {
    return this.wires.at(-1)!;
  }
  pass(ms: number) {
    const end = this.clock + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.clock = next.at;
      this.timers.splice(this.timers.indexOf(next), 1);
      next.run();
    }
    this.clock = end;
  }
  says(message: object) {
    this.wire.events.message(JSON.stringify(message));
  }
  event(topic: string, id: number, data: object = {}) {
    this.says({ type: 'event', topic, id, event: 'x', data });
  }
}

class Page implements Port {
  heard: FromHub[] = [];
  ticket: string | null = 'T';
  over = false;
  constructor(private readonly hub: Hub, readonly user = 7) {}
  tell(what: FromHub) {
    this.heard.push(what);
    if (what.is === 'need-ticket') this.says({ do: 'ticket', ticket: this.ticket, over: this.over });
  }
  says(said: ToHub) {
    this.hub.hear(this, said);
  }
  here() {
    this.says({ do: 'here', user: this.user });
    return this;
  }
  ids(topic: string) {
    return this.heard.flatMap((one) => (one.is === 'event' && one.event.topic === topic ? [one.event.id] : []));
  }
  is(kind: FromHub['is']) {
    return this.heard.filter((one) => one.is === kind);
  }
}

let play: Play, hub: Hub;
beforeEach(() => {
  play = new Play();
  hub = new Hub(play);
});
function greeted(page = new Page(hub)) {
  page.here();
  play.says({ type: 'hello', user_id: page.user, heartbeat_s: 25 });
  return page;
}

describe('one connection for all pages', () => {
  test('the second page opens no second one', () => {
    greeted();
    new Page(hub).here();
    expect(play.wires.length).toBe(1);
    expect(play.wire.query.get('ticket')).toBe('T');
  });
  test('a topic is subscribed once, and given up when nobody wants it any more', () => {
    const one = greeted();
    const two = new Page(hub).here();
    one.says({ do: 'subscribe', topic: 'feed', after: 3 });
    play.says({ type: 'subscribed', topic: 'feed', id: 3 });
    two.says({ do: 'subscribe', topic: 'feed' });
    one.says({ do: 'unsubscribe', topic: 'feed' });
    expect(play.wire.sent.filter(({ topic }) => topic === 'feed')).toEqual([{ type: 'subscribe', topic: 'feed', after: 3 }]);
    two.says({ do: 'bye' });
    expect(play.wire.open).toBe(true);
    expect(play.wire.sent.at(-1)).toEqual({ type: 'unsubscribe', topic: 'feed' });
    one.says({ do: 'bye' });
    expect(play.wire.open).toBe(false);
  });
  test('a page that comes with an older number gets what it missed, the other nothing twice', () => {
    const one = greeted();
    one.says({ do: 'subscribe', topic: 'feed', after: 5 });
    play.event('feed', 6);
    play.event('feed', 7);
    const two = new Page(hub).here();
    two.says({ do: 'subscribe', topic: 'feed', after: 5 });
    expect(play.wire.sent.at(-1)).toEqual({ type: 'subscribe', topic: 'feed', after: 5 });
    for (const id of [6, 7]) play.event('feed', id);
    play.says({ type: 'subscribed', topic: 'feed', id: 7 });
    play.event('feed', 8);
    expect(one.ids('feed')).toEqual([6, 7, 8]);
    expect(two.ids('feed')).toEqual([6, 7, 8]);
  });
  test('a page that says nothing for long is gone', () => {
    const one = greeted();
    const two = new Page(hub).here();
    two.says({ do: 'subscribe', topic: 'post:1' });
    for (let i = 0; i < 10; i++) {
      play.pass(SILENT_MS / 8);
      play.says({ type: 'heartbeat', heads: {} });
      one.here();
    }
    expect(play.wire.sent.at(-1)).toEqual({ type: 'unsubscribe', topic: 'post:1' });
  });
  test('somebody else logs in: nothing of the first is told on', () => {
    const one = greeted();
    one.says({ do: 'subscribe', topic: 'me', after: 1 });
    const first = play.wire;
    const two = new Page(hub, 8).here();
    expect(first.open).toBe(false);
    play.says({ type: 'hello', user_id: 8, heartbeat_s: 25 });
    two.says({ do: 'subscribe', topic: 'me' });
    play.event('me', 2);
    expect(one.ids('me')).toEqual([]);
    expect(two.ids('me')).toEqual([2]);
  });
});

describe('a connection that breaks', () => {
  test('is tried again at once, then after 1, 2, 4 … 30 seconds, from the last numbers', () => {
    const page = greeted();
    page.says({ do: 'subscribe', topic: 'feed', after: 5 });
    play.event('feed', 6);
    play.wire.events.closed(1006);
    play.pass(0);
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      const before = play.wires.length;
      const began = play.clock;
      play.wire.events.closed(1006);
      while (play.wires.length === before) play.pass(100);
      waits.push(Math.round((play.clock - began) / 100) / 10);
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 30, 30]);
    while (play.wire.kind === 'stream') {
      play.wire.events.closed(1006);
      play.pass(30_000);
    }
    play.says({ type: 'hello', user_id: 7, heartbeat_s: 25 });
    expect(play.wire.sent[0]).toEqual({ type: 'subscribe', topic: 'feed', after: 6 });
  });
  test('nothing for two heartbeats is a break', () => {
    greeted();
    play.pass(49_000);
    play.says({ type: 'heartbeat', heads: {} });
    play.pass(49_000);
    expect(play.wires.length).toBe(1);
    play.pass(2_000);
    expect(play.wires[0]!.open).toBe(false);
    expect(play.wires.length).toBe(2);
  });
  test('the network that is back waits for no timer', () => {
    const page = greeted();
    for (let i = 0; i < 6; i++) {
      play.wire.events.closed(1006);
      play.pass(i === 5 ? 10 : 30_000);
    }
    const before = play.wires.length;
    page.says({ do: 'online' });
    expect(play.wires.length).toBe(before + 1);
  });
  test('a page without a ticket is passed over, and a log-in that is over ends it', () => {
    const one = new Page(hub);
    const two = new Page(hub);
    one.ticket = null;
    two.ticket = null;
    one.here();
    two.here();
    expect(play.wires.length).toBe(0);
    two.ticket = 'good';
    play.pass(1000);
    expect(play.wire.query.get('ticket')).toBe('good');
    play.wire.events.closed(4401);
    expect(one.is('signed-out').length).toBe(1);
    play.pass(60_000);
    expect(play.wires.length).toBe(1);
  });
});

describe('a gap', () => {
  test('that a heartbeat shows is asked for', () => {
    const page = greeted();
    page.says({ do: 'subscribe', topic: 'feed', after: 5 });
    play.says({ type: 'subscribed', topic: 'feed', id: 5 });
    play.says({ type: 'heartbeat', heads: { feed: 9 } });
    play.pass(2_000);
    expect(play.wire.sent.at(-1)).toEqual({ type: 'subscribe', topic: 'feed', after: 5 });
  });
  test('that closes by itself is not', () => {
    const page = greeted();
    page.says({ do: 'subscribe', topic: 'feed', after: 5 });
    play.says({ type: 'heartbeat', heads: { feed: 6 } });
    play.event('feed', 6);
    const said = play.wire.sent.length;
    play.pass(5_000);
    expect(play.wire.sent.length).toBe(said);
  });
  test('that is too long is a reload, but not for a page that had everything', () => {
    const one = greeted();
    one.says({ do: 'subscribe', topic: 'feed', after: 5000 });
    play.says({ type: 'subscribed', topic: 'feed', id: 5000 });
    const two = new Page(hub).here();
    two.says({ do: 'subscribe', topic: 'feed', after: 1 });
    play.says({ type: 'reload', topic: 'feed', id: 5000 });
    expect(one.is('reload')).toEqual([]);
    expect(two.is('reload')).toEqual([{ is: 'reload', topic: 'feed', id: 5000 }]);
  });
});

describe('where WebSockets do not get through', () => {
  test('a stream of events takes over, with all topics and positions', () => {
    const page = new Page(hub).here();
    page.says({ do: 'subscribe', topic: 'feed', after: 5 });
    page.says({ do: 'subscribe', topic: 'me' });
    for (let i = 0; i < 3; i++) {
      play.wire.events.closed(1006);
      play.pass(4_000);
    }
    expect(play.wire.kind).toBe('stream');
    expect(play.wire.query.get('topics')).toBe('feed,me');
    expect(play.wire.query.get('last_event_id')).toBe('feed=5');
    play.wire.events.open();
    play.event('feed', 6);
    expect(page.ids('feed')).toEqual([6]);
    expect(page.is('state').at(-1)).toMatchObject({ connected: true });
    page.says({ do: 'subscribe', topic: 'post:1' });
    play.pass(0);
    expect(play.wire.query.get('topics')).toBe('feed,me,post:1');
    expect(play.wire.query.get('last_event_id')).toBe('feed=6');
  });
  test('and are tried again when that stream ends', () => {
    new Page(hub).here();
    for (let i = 0; i < 3; i++) {
      play.wire.events.closed(1006);
      play.pass(4_000);
    }
    play.wire.events.open();
    play.wire.events.closed(1006);
    play.pass(0);
    expect(play.wire.kind).toBe('socket');
    play.wire.events.closed(1006);
    play.pass(1_000);
    expect(play.wire.kind).toBe('stream');
  });
});
