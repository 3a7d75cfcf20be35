// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A reader that does not read is bounded, dropped and can come back; nobody else notices.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';

let server, lili, wang;
before(async () => {
  server = await startServer({ env: { HUTONG_LIVE_QUEUE_BYTES: '65536', HUTONG_LIVE_PING: '600' } });
  lili = await server.register('lili');
  wang = await server.register('wang');
});
after(() => server.stop());

const LONG = '🏮'.repeat(4900); // 20 kB
async function post(content) {
  const began = performance.now();
  const reply = await server.api('POST', '/posts', { token: lili.token, json: { content } });
  assert.equal(reply.status, 201, reply.text);
  return performance.now() - began;
}

// The kernel's buffers take megabytes before our own queue begins to fill.
async function postUntilSlow(times) {
  const before = server.log().match(/ws\.slow/g)?.length ?? 0;
  let worst = 0;
  for (let sent = 0; (server.log().match(/ws\.slow/g)?.length ?? 0) < before + times; sent += 20) {
    assert.ok(sent < 4000, '80 MB wait for a reader that does not read');
    worst = Math.max(worst, ...await Promise.all(Array.from({ length: 20 }, () => post(LONG))));
  }
  return worst;
}

test('it is closed with 4010, the others hear everything at once, and it resumes without loss', { timeout: 120_000 }, async () => {
  const quick = await Live.open(server, wang.token);
  const slow = await Live.open(server, wang.token);
  const { id } = await quick.subscribe('feed');
  await slow.subscribe('feed');
  slow.ws.pause();
  const worst = await postUntilSlow(1);
  slow.ws.resume();
  assert.deepEqual(await slow.closed, { code: 4010, reason: 'too slow: come back and resume' });
  assert.ok(worst < 2000, `a sender waited ${worst} ms`);
  await post('the last one');
  await quick.next((m) => m.data?.content === 'the last one');
  const all = quick.events('post.created').map((e) => e.id);
  const heard = slow.events('post.created').map((e) => e.id);
  assert.ok(heard.length < all.length, 'it was never slow');
  assert.deepEqual(all, Array.from(all, (_, i) => id + 1 + i));
  assert.deepEqual(heard, all.slice(0, heard.length), 'what came before the close has no gap');

  const back = await Live.open(server, wang.token);
  const answer = await back.subscribe('feed', id + heard.length);
  assert.equal(answer.type, 'subscribed');
  assert.deepEqual([...heard, ...back.events('post.created').map((e) => e.id)], all);
  for (const peer of [quick, back]) await peer.close();
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 0);
});

test('one that never comes back to read is forgotten within seconds', { timeout: 60_000 }, async () => {
  const slow = await Live.open(server, wang.token);
  await slow.subscribe('feed');
  // The figures are up to a second old: first see it there, then see it gone.
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 1, { ms: 30_000 });
  slow.ws.pause();
  await postUntilSlow(1);
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 0, { ms: 30_000 });
  assert.equal(await metric(server, 'hutong_hub_present'), 0);
  slow.destroy();
});

test('an event larger than the whole queue reaches a reader that reads', { timeout: 30_000 }, async () => {
  const small = await startServer({ env: { HUTONG_LIVE_QUEUE_BYTES: '4096' } });
  const who = await small.register('small');
  const live = await Live.open(small, who.token);
  await live.subscribe('feed');
  const made = await Promise.all(Array.from({ length: 50 }, async () => {
    const reply = await small.api('POST', '/posts', { token: who.token, json: { content: LONG } });
    return reply.body.id;
  }));
  // Either it kept up, or it was told to come back: never a gap, never for ever.
  let position = 0;
  let reader = live;
  const heard = new Set();
  for (let round = 0; round < 50 && heard.size < made.length; round++) {
    await Promise.race([reader.closed, reader.next((m) => m.type === 'event' && m.id === 50).catch(() => {})]);
    for (const e of reader.events()) { heard.add(e.data.id); position = Math.max(position, e.id); }
    if (heard.size === made.length) break;
    assert.equal((await reader.closed).code, 4010);
    reader = await Live.open(small, who.token);
    reader.say({ type: 'subscribe', topic: 'feed', after: position });
  }
  assert.equal(heard.size, made.length);
  reader.destroy();
  await small.stop();
});
