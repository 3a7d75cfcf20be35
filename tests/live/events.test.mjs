// SPDX-License-Identifier: AGPL-3.0-or-later
//
// GET /live/events: the same events for those who cannot have a WebSocket.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';

const WAIT = { timeout: 60_000 };

let server, lili, wang;
before(async () => {
  server = await startServer({ env: { HUTONG_LIVE_PING: '1', HUTONG_LIVE_QUEUE_BYTES: '65536' } });
  lili = await server.register('lili');
  wang = await server.register('wang');
});
after(() => server.stop());

// As a browser's EventSource: remembers the id of the last whole event.
class Stream {
  messages = [];
  lastId = '';
  #rest = '';
  #at = 0;
  #wake = () => {};

  static open(target, { token, lastId } = {}) {
    return new Promise((done, fail) => {
      const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(lastId && { 'last-event-id': lastId }) };
      http.get(server.url + target, { headers, agent: false }, (reply) => done(new Stream(reply))).on('error', fail);
    });
  }

  constructor(reply) {
    this.reply = reply;
    this.ended = new Promise((told) => {
      reply.on('close', () => {
        this.over = true;
        this.#wake();
        told();
      });
    });
    reply.on('error', () => {});
    reply.setEncoding('utf8').on('data', (text) => this.#take(text));
  }

  #take(text) {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop();
    for (const block of blocks) {
      const match = /^(?:id: ([^\n]+)\n)?data: ([^\n]*)$/.exec(block); // an empty id would wipe the last one
      assert.ok(match, `no event: ${block}`);
      this.lastId = match[1] ?? this.lastId;
      this.messages.push({ ...JSON.parse(match[2]), lastId: match[1] });
    }
    this.#wake();
  }

  async next(right = () => true) {
    for (;;) {
      while (this.#at < this.messages.length) {
        const message = this.messages[this.#at++];
        if (right(message)) return message;
      }
      assert.ok(!this.over, `ended while waiting for ${right}`);
      await new Promise((done) => { this.#wake = done; });
    }
  }

  events() {
    return this.messages.filter((m) => m.type === 'event');
  }

  destroy() {
    this.reply.destroy();
  }
}

async function post(content) {
  const reply = await server.api('POST', '/posts', { token: lili.token, json: { content } });
  assert.equal(reply.status, 201, reply.text);
  return reply.body;
}
const letter = (content) => server.api('POST', `/messages/send/${wang.id}`, { token: lili.token, json: { content } });

test('events of all its topics come with an id that names every position', WAIT, async () => {
  const stream = await Stream.open('/live/events?topics=feed,me', { token: wang.token });
  assert.equal(stream.reply.statusCode, 200);
  assert.equal(stream.reply.headers['content-type'], 'text/event-stream');
  assert.equal(stream.reply.headers['cache-control'], 'no-store');
  const feed = await stream.next((m) => m.type === 'subscribed' && m.topic === 'feed');
  const me = await stream.next((m) => m.type === 'subscribed' && m.topic === 'me');
  const made = await post('through the stream');
  const created = await stream.next((m) => m.event === 'post.created');
  assert.deepEqual([created.topic, created.id, created.data.id], ['feed', feed.id + 1, made.id]);
  assert.equal(created.lastId, `feed=${feed.id + 1};me=${me.id}`);
  await letter('psst');
  const got = await stream.next((m) => m.event === 'message.created');
  assert.equal(got.lastId, `feed=${feed.id + 1};me=${me.id + 1}`);
  const beat = await stream.next((m) => m.type === 'heartbeat');
  assert.deepEqual(beat.heads, { feed: feed.id + 1, me: me.id + 1 });
  stream.destroy();
});

test('coming back with Last-Event-ID brings what was missed, in every topic, once', WAIT, async () => {
  let stream = await Stream.open('/live/events?topics=feed,me', { token: wang.token });
  await stream.next((m) => m.topic === 'me');
  const heard = [];
  const wanted = [];
  for (let round = 0; round < 10; round++) {
    const { lastId } = stream;
    stream.destroy();
    await stream.ended;
    heard.push(...stream.events());
    for (let i = 0; i < 5; i++) {
      wanted.push((await post(`missed ${round} ${i}`)).id, `letter ${round} ${i}`);
      await letter(`letter ${round} ${i}`);
    }
    stream = await Stream.open('/live/events?topics=feed,me', { token: wang.token, lastId });
    await stream.next((m) => m.type === 'subscribed' && m.topic === 'me');
  }
  heard.push(...stream.events());
  const got = heard.map((e) => (e.event === 'post.created' ? e.data.id : e.data.content));
  assert.deepEqual(got.filter((x) => typeof x === 'number'), wanted.filter((x) => typeof x === 'number'));
  assert.deepEqual(got.filter((x) => typeof x === 'string'), wanted.filter((x) => typeof x === 'string'));
  stream.destroy();
});

test('every id within a replay is one to come back with', WAIT, async () => {
  const first = await Stream.open('/live/events?topics=feed,me', { token: wang.token });
  await first.next((m) => m.topic === 'me');
  const start = first.lastId;
  first.destroy();
  const made = [];
  for (let i = 0; i < 5; i++) made.push((await post(`replayed ${i}`)).id);
  const whole = await Stream.open('/live/events?topics=feed,me', { token: wang.token, lastId: start });
  await whole.next((m) => m.type === 'subscribed' && m.topic === 'me');
  whole.destroy();
  for (const [i, event] of whole.events().entries()) {
    const rest = await Stream.open('/live/events?topics=feed,me', { token: wang.token, lastId: event.lastId });
    for (const topic of ['feed', 'me']) assert.equal((await rest.next((m) => m.topic === topic && m.type !== 'event')).type, 'subscribed');
    assert.deepEqual(rest.events().map((e) => e.data.id), made.slice(i + 1));
    rest.destroy();
  }
});

test('an id from the future, or nonsense, does not lose anything silently', WAIT, async () => {
  const future = await Stream.open('/live/events?topics=feed', { token: wang.token, lastId: 'feed=99999999' });
  assert.equal((await future.next()).type, 'reload');
  future.destroy();
  for (const lastId of ['feed=;=;;x', 'garbage', 'feed=x', 'feed']) {
    const nonsense = await Stream.open('/live/events?topics=feed', { token: wang.token, lastId });
    assert.equal((await nonsense.next()).type, 'reload', lastId);
    nonsense.destroy();
  }
});

test('the last id may stand in the query, for browsers; the header is newer', WAIT, async () => {
  const first = await Stream.open('/live/events?topics=feed', { token: wang.token });
  const { lastId } = await first.next();
  first.destroy();
  const made = [await post('while nobody listened'), await post('nor here')];
  const target = `/live/events?topics=feed&last_event_id=${encodeURIComponent(lastId)}`;
  const back = await Stream.open(target, { token: wang.token });
  const events = [];
  for (const { id } of made) events.push(await back.next((m) => m.event === 'post.created' && m.data.id === id));
  back.destroy();
  const again = await Stream.open(target, { token: wang.token, lastId: events[0].lastId });
  assert.equal((await again.next()).data.id, made[1].id);
  again.destroy();
});

test('a ticket opens it, strangers and foreign pages are refused', WAIT, async () => {
  assert.equal((await server.api('GET', '/live/events')).status, 401);
  assert.equal((await server.api('GET', '/live/events?ticket=nonsense')).status, 401);
  const foreign = await server.api('GET', '/live/events', { token: wang.token, headers: { origin: 'https://evil.example' } });
  assert.equal(foreign.status, 403);
  const { body } = await server.api('POST', '/live/ticket', { token: wang.token });
  const stream = await Stream.open(`/live/events?ticket=${body.ticket}`);
  assert.equal((await stream.next()).topic, 'feed');
  stream.destroy();
});

test('topics that are nonsense, or not for the caller, are errors in the stream', WAIT, async () => {
  const stream = await Stream.open('/live/events?topics=everything,group:999,feed', { token: wang.token });
  const errors = [await stream.next(), await stream.next()];
  assert.deepEqual(errors.map((e) => [e.type, e.topic]), [['error', 'everything'], ['error', 'group:999']]);
  assert.equal((await stream.next()).type, 'subscribed');
  stream.destroy();
});

test('a reader that does not read is cut off, and comes back without a gap', { timeout: 120_000 }, async () => {
  const stream = await Stream.open('/live/events?topics=feed', { token: wang.token });
  const start = (await stream.next((m) => m.type === 'subscribed')).id;
  stream.reply.pause();
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 1); // figures are a second old
  const long = '🏮'.repeat(4900);
  const connections = () => metric(server, 'hutong_live_connections');
  let sent = 0;
  // Less than what is sent again after a return (1,000): the figures are late, posts are quick.
  for (; sent < 900 && (await connections()) > 0; sent += 20) {
    await Promise.all(Array.from({ length: 20 }, () => post(long)));
  }
  await until(connections, (n) => n === 0); // not with 18 MB that wait for a reader that does not read
  stream.reply.resume();
  await stream.ended;
  const heard = stream.events().map((e) => e.id);
  assert.ok(heard.length < sent);
  assert.equal(stream.lastId, `feed=${start + heard.length}`);
  const back = await Stream.open('/live/events?topics=feed', { token: wang.token, lastId: stream.lastId });
  await back.next((m) => m.type === 'subscribed');
  assert.deepEqual([...heard, ...back.events().map((e) => e.id)], Array.from({ length: sent }, (_, i) => start + 1 + i));
  back.destroy();
});

test('a reader that is gone is forgotten', WAIT, async () => {
  const streams = [];
  for (let i = 0; i < 20; i++) streams.push(await Stream.open('/live/events', { token: wang.token }));
  for (const stream of streams) stream.destroy();
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 0);
  assert.equal(await metric(server, 'hutong_hub_present'), 0);
});
