// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Coming back after a break: nothing missed, nothing twice, or an explicit reload.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';

const CUTS = 200;

let server, lili, wang;
before(async () => {
  server = await startServer({ env: { HUTONG_LOOPS: '2', HUTONG_LIVE_QUEUE_BYTES: '65536' } });
  lili = await server.register('lili');
  wang = await server.register('wang');
});
after(() => server.stop());

async function ok(who, method, target, json) {
  const reply = await server.api(method, target, { token: who.token, json });
  assert.ok(reply.status < 300, `${method} ${target}: ${reply.status} ${reply.text}`);
  return reply.body;
}

// A small generator, so that a failing run can be repeated with its seed.
function random(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// A client as docs/live.md describes it: keeps the last number of each topic, comes back with it.
class Reader {
  positions = { feed: 0, me: 0 };
  seen = { feed: new Map(), me: new Map() }; // id → event
  twice = [];
  reloads = 0;

  constructor(who) {
    this.who = who;
  }

  take(message) {
    const { type, topic, id } = message;
    if (type === 'reload') this.reloads++;
    if (['event', 'subscribed', 'reload'].includes(type) && id !== undefined) {
      if (type === 'event' && id <= this.positions[topic]) this.twice.push(message);
      if (type === 'event') this.seen[topic].set(id, message);
      this.positions[topic] = id;
    }
  }

  // One connection: resumes, takes what comes, is cut off after `bytesOrMessages` messages.
  async live(count) {
    const live = await Live.open(server, this.who.token);
    const began = live.messages.length;
    let taken = 0;
    let enough;
    const cut = new Promise((done) => { enough = done; });
    live.ws.removeAllListeners('message');
    for (const message of live.messages.slice(began)) this.take(message);
    live.ws.on('message', (bytes) => {
      if (taken >= count) return; // cut: what the socket still held is lost to us
      this.take(JSON.parse(bytes.toString()));
      if (++taken === count) {
        live.ws._socket.destroy(); // mid-stream, no close frame
        enough();
      }
    });
    live.say({ type: 'resume', topics: { ...this.positions } });
    await Promise.race([cut, live.closed]);
    live.destroy();
    await live.closed;
  }

  async until(right) {
    const live = await Live.open(server, this.who.token);
    live.ws.removeAllListeners('message');
    let done;
    const finished = new Promise((resolve) => { done = resolve; });
    live.ws.on('message', (bytes) => {
      this.take(JSON.parse(bytes.toString()));
      if (right(this)) done();
    });
    live.say({ type: 'resume', topics: { ...this.positions } });
    await finished;
    await live.close();
  }
}

test(`a reader cut off ${CUTS} times at random ends with exactly the right set`, { timeout: 240_000 }, async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  const below = random(seed);
  const reader = new Reader(wang);
  const posts = [], letters = [], liked = new Map();
  let going = true;

  const posting = (async () => {
    for (let i = 0; going; i++) {
      posts.push((await ok(lili, 'POST', '/posts', { content: `post ${i} ${'胡同'.repeat(below(200))}` })).id);
    }
  })();
  const writing = (async () => {
    for (let i = 0; going; i++) letters.push((await ok(lili, 'POST', `/messages/send/${wang.id}`, { content: `letter ${i}` })).id);
  })();
  const liking = (async () => {
    while (going) {
      while (posts.length < 5) await ok(wang, 'GET', '/posts');
      const id = posts[below(Math.min(posts.length, 10))];
      const on = below(2) === 1;
      const { likes_count: count } = await ok([lili, wang][below(2)], on ? 'PUT' : 'DELETE', `/posts/${id}/like`);
      liked.set(id, count);
    }
  })();

  try {
    for (let i = 0; i < CUTS; i++) await reader.live(1 + below(25));
  } finally {
    going = false;
    await Promise.all([posting, writing, liking]);
  }
  const feedHead = Number(/feed=(\d+)/.exec((await server.api('GET', '/posts')).headers.get('live-position'))[1]);
  const lastLetter = letters.at(-1);
  await reader.until((r) => r.positions.feed >= feedHead && [...r.seen.me.values()].some((e) => e.data.id === lastLetter));

  const kinds = (topic, kind) => [...reader.seen[topic].values()].filter((e) => e.event === kind);
  const note = `seed ${seed}, ${posts.length} posts, ${letters.length} letters`;
  assert.deepEqual(reader.twice, [], note);
  assert.equal(reader.reloads, 0, note);
  assert.equal(reader.positions.feed, feedHead, note);
  assert.deepEqual(kinds('feed', 'post.created').map((e) => e.data.id), posts, note);
  assert.deepEqual(kinds('me', 'message.created').map((e) => e.data.id), letters, note);
  assert.ok(liked.size > 0 && posts.length > 50, note);
  for (const id of liked.keys()) {
    const right = (await ok(wang, 'GET', `/posts/${id}`)).likes_count;
    const heard = kinds('feed', 'post.counts').filter((e) => e.data.id === id);
    assert.equal(heard.at(-1)?.data.likes_count ?? 0, right, `${note}: likes of ${id}`);
  }
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 0);
});

test('a folded counter comes back once, with its last value', { timeout: 30_000 }, async () => {
  const post = await ok(lili, 'POST', '/posts', { content: 'folded' });
  const live = await Live.open(server, wang.token);
  const { id } = await live.subscribe('feed');
  await live.close();
  for (let i = 0; i < 20; i++) await ok(lili, i % 2 ? 'DELETE' : 'PUT', `/posts/${post.id}/like`);
  await ok(lili, 'PUT', `/posts/${post.id}/like`);
  const back = await Live.open(server, wang.token);
  const answer = await back.subscribe('feed', id);
  assert.equal(answer.id, id + 21);
  assert.deepEqual(back.events().map((e) => [e.id, e.event, e.data.likes_count]), [[id + 21, 'post.counts', 1]]);
  await back.close();
});

test('more missed than the queue holds comes whole, at the reader\'s pace', { timeout: 60_000 }, async () => {
  const live = await Live.open(server, wang.token);
  const { id } = await live.subscribe('feed');
  await live.close();
  const made = [];
  for (let i = 0; i < 60; i++) {
    made.push((await ok(lili, 'POST', '/posts', { content: `${i} ${'胡'.repeat(4900)}` })).id); // 15 kB each, 64 KiB queue
  }
  const back = await Live.open(server, wang.token);
  back.ws.pause();
  back.say({ type: 'subscribe', topic: 'feed', after: id });
  await until(() => metric(server, 'hutong_http_requests_total'), (n) => n > 0);
  back.ws.resume();
  assert.equal((await back.next((m) => m.type === 'subscribed')).id, id + 60);
  assert.deepEqual(back.events('post.created').map((e) => e.data.id), made);
  const next = await ok(lili, 'POST', '/posts', { content: 'live again' });
  assert.equal((await back.event('post.created')).data.id, next.id);
  await back.close();
});

test('more than a thousand events missed, or a position from the future, is a reload', { timeout: 120_000 }, async () => {
  const live = await Live.open(server, wang.token);
  const { id } = await live.subscribe('feed');
  for (let i = 0; i < 1001; i += 77) {
    const some = Math.min(77, 1001 - i);
    await Promise.all(Array.from({ length: some }, () => ok(lili, 'POST', '/posts', { content: 'x' })));
  }
  const old = await live.subscribe('feed', id);
  assert.deepEqual(old, { type: 'reload', topic: 'feed', id: id + 1001 });
  const before = live.events().length;
  const justEnough = await live.subscribe('feed', id + 1);
  assert.equal(justEnough.type, 'subscribed');
  assert.equal(live.events().length - before, 1000);
  assert.deepEqual(await live.subscribe('feed', id + 5000), { type: 'reload', topic: 'feed', id: id + 1001 });
  const next = await ok(lili, 'POST', '/posts', { content: 'after the reload' });
  assert.equal((await live.event('post.created')).data.id, next.id);
  await live.close();
});

test('what retention has dropped is a reload, what it kept comes whole', { timeout: 60_000 }, async () => {
  const tidy = await startServer({
    env: { HUTONG_MAINTENANCE_SECONDS: '1', HUTONG_EVENT_RETENTION: '100', HUTONG_EVENT_RETENTION_HOURS: '1' },
  });
  const who = await tidy.register('tidy');
  for (let i = 0; i < 130; i++) {
    assert.equal((await tidy.api('POST', '/posts', { token: who.token, json: { content: `${i}` } })).status, 201);
  }
  const live = await Live.open(tidy, who.token);
  const young = await live.subscribe('feed', 0);
  assert.deepEqual([young.type, young.id], ['subscribed', 130]);
  await tidy.sql('UPDATE events SET at_us = at_us - 7200000000'); // two hours pass
  await until(() => tidy.sql("SELECT tail FROM topics WHERE name = 'feed'"), ([{ tail }]) => tail > 0, { what: 'the log' });
  const kept = live.events().length;
  assert.deepEqual(await live.ask({ type: 'resume', topics: { feed: 29 } }, (m) => m.type !== 'event'),
    { type: 'reload', topic: 'feed', id: 130 });
  assert.equal(live.events().length, kept);
  assert.deepEqual(await live.ask({ type: 'resume', topics: { feed: 30 } }, (m) => m.type !== 'event'),
    { type: 'subscribed', topic: 'feed', id: 130 });
  assert.deepEqual(live.events().slice(kept).map((e) => e.id), Array.from({ length: 100 }, (_, i) => 31 + i));
  await live.close();
  await tidy.stop();
});

test('a position survives a restart of the server', { timeout: 60_000 }, async () => {
  const first = await startServer();
  const who = await first.register('restarted');
  const live = await Live.open(first, who.token);
  const { id } = await live.subscribe('feed');
  await first.api('POST', '/posts', { token: who.token, json: { content: 'one' } });
  await live.event('post.created');
  await live.close();
  await first.stop({ keepData: true });
  const second = await startServer({ dataDir: first.dataDir });
  const made = await second.api('POST', '/posts', { token: who.token, json: { content: 'two' } });
  assert.equal(made.status, 201);
  const back = await Live.open(second, who.token);
  assert.equal((await back.subscribe('feed', id + 1)).id, id + 2);
  assert.deepEqual(back.events().map((e) => e.data.content), ['two']);
  await back.close();
  await second.stop({ keepData: false });
});

test('what was deleted is not heard by who comes back, whatever number they say', async () => {
  const ann = await server.register('ann_unsaid');
  const ben = await server.register('ben_unsaid');
  const early = await Live.open(server, ben.token);
  const { id: feed } = await early.subscribe('feed');
  await early.close();
  const kept = await ok(ann, 'POST', '/posts', { content: 'UNSAID first words' });
  await ok(ann, 'PUT', `/posts/${kept.id}`, { content: 'edited once' });
  await ok(ann, 'PUT', `/posts/${kept.id}`, { content: 'edited twice' });
  const note = await ok(ben, 'POST', `/posts/${kept.id}/comments`, { content: 'UNSAID comment' });
  await ok(ben, 'DELETE', `/posts/${kept.id}/comments/${note.id}`);
  const gone = await ok(ann, 'POST', '/posts', { content: 'UNSAID post' });
  await ok(ann, 'PUT', `/posts/${gone.id}`, { content: 'UNSAID edit' });
  await ok(ann, 'DELETE', `/posts/${gone.id}`);
  const letter = await ok(ann, 'POST', `/messages/send/${ben.id}`, { content: 'UNSAID letter' });
  await ok(ann, 'DELETE', `/messages/${letter.id}`);
  // And all of somebody who leaves.
  const eve = await server.register('eve_unsaid');
  await ok(eve, 'POST', '/posts', { content: 'UNSAID by who left' });
  await ok(eve, 'POST', `/messages/send/${ben.id}`, { content: 'UNSAID letter of who left' });
  const bye = await server.api('DELETE', '/users/me', { token: eve.token, json: { password: eve.password } });
  assert.equal(bye.status, 204, bye.text);
  await until(async () => (await server.api('GET', `/users/${eve.id}`, { token: ben.token })).status, (status) => status === 404);
  const back = await Live.open(server, ben.token);
  back.say({ type: 'resume', topics: { feed, me: 0, [`post:${kept.id}`]: 0 } });
  await back.next((m) => m.event === 'user.deleted' && m.topic === 'feed' && m.data.id === eve.id);
  await back.next((m) => m.event === 'user.deleted' && m.topic === 'me').catch(() => {});
  const heard = JSON.stringify(back.messages);
  assert.doesNotMatch(heard, /UNSAID/);
  assert.match(heard, /edited twice/);
  assert.doesNotMatch(heard, /edited once/);
  const told = back.events().map((m) => [m.event, m.data.id]);
  for (const want of [['post.created', kept.id], ['post.deleted', gone.id], ['message.deleted', letter.id]]) {
    assert.ok(told.some(([event, id]) => event === want[0] && id === want[1]), `${want}`);
  }
  await back.close();
});
