// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A new process takes the port over from the old one while members go on asking:
// both listen (SO_REUSEPORT), the old one is told to stop, and nobody notices.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { hutong, newFolder } from '../support/command.mjs';
import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';
import { Wire } from '../support/wire.mjs';

const FRESH = 6; // clients with a connection for each request
const KEPT = 6; // clients that keep theirs
const TAKEOVERS = 5;
const BETWEEN = 300; // replies between two of them

// How many members ask, what they were told, and what went wrong.
class Load {
  constructor(port, token) {
    Object.assign(this, { port, token, running: true, replies: 0, again: 0, slow: 0, next: 0 });
    this.failures = [];
    this.stored = new Map(); // content → id
    this.waiting = [];
  }

  answered(began) {
    this.replies++;
    if (Date.now() - began > 900) this.slow++;
    this.waiting = this.waiting.filter(({ count, done }) => this.replies < count || done());
  }

  more(count) {
    return new Promise((done) => { this.waiting.push({ count: this.replies + count, done }); });
  }

  // One post in three requests; its key makes asking again safe.
  request() {
    const number = this.next++;
    if (number % 3 > 0) return { method: 'GET', target: number % 3 > 1 ? '/posts?page_size=2' : '/health' };
    const content = `post ${number}`;
    return { method: 'POST', target: '/posts', content, json: { content }, headers: { 'idempotency-key': content } };
  }

  check({ content }, reply) {
    if (reply.status !== (content ? 201 : 200)) this.failures.push(`${reply.status} ${reply.text}`);
    else if (content) this.stored.set(content, reply.json().id);
  }

  async fresh() {
    while (this.running) {
      const request = this.request();
      const began = Date.now();
      try {
        const wire = await Wire.open(this.port);
        const headers = { ...request.headers, connection: 'close' };
        this.check(request, await wire.ask(request.method, request.target, { ...request, headers, token: this.token }));
        wire.close();
      } catch (error) {
        this.failures.push(`new connection: ${error.message}`);
      }
      this.answered(began);
    }
  }

  async kept() {
    let wire;
    while (this.running) {
      const request = this.request();
      const began = Date.now();
      for (let done = false; !done;) {
        const reused = wire !== undefined;
        try {
          wire ??= await Wire.open(this.port);
          this.check(request, await wire.ask(request.method, request.target, { ...request, token: this.token }));
          done = true;
        } catch (error) {
          done = !(reused && error.fate === 'closed');
          if (done) this.failures.push(`${reused ? 'kept' : 'first'}: ${error.message}`);
          else this.again++;
          wire?.close();
          wire = undefined;
        }
        if (wire?.last) {
          wire.close();
          wire = undefined;
        }
      }
      this.answered(began);
    }
    wire?.close();
  }
}

test('a second process takes over the port without a failed request', async (t) => {
  const loops = ['2', '2', '1', '3', '2', '1'];
  let old = await startServer({ env: { HUTONG_LOOPS: loops[0] } });
  t.after(() => old.kill());
  const { dataDir } = old;
  const { token } = await old.register('lilei');
  const port = Number(new URL(old.url).port);
  const load = new Load(port, token);
  const clients = [
    ...Array.from({ length: FRESH }, () => load.fresh()),
    ...Array.from({ length: KEPT }, () => load.kept()),
  ];
  try {
    await load.more(BETWEEN);
    for (let i = 1; i <= TAKEOVERS; i++) {
      const fresh = await startServer({
        env: { HUTONG_LOOPS: loops[i] }, dataDir, listen: `127.0.0.1:${port}`,
      });
      await load.more(BETWEEN);
      const stopped = old.stop({ keepData: true });
      old = fresh;
      await stopped;
      await load.more(BETWEEN);
    }
  } finally {
    load.running = false;
    await Promise.all(clients);
  }
  t.diagnostic(`${load.replies} requests, ${load.again} asked again on a new connection, ${load.slow} slow`);
  assert.deepEqual(load.failures.slice(0, 20), []);
  assert.ok(load.stored.size > BETWEEN, `only ${load.stored.size} posts`);

  const seen = new Map();
  for (let before = ''; before !== null;) {
    const page = await old.api('GET', `/posts?limit=100${before && `&before=${before}`}`);
    assert.equal(page.status, 200, page.text);
    for (const post of page.body.items) {
      assert.ok(!seen.has(post.content), `"${post.content}" is there twice`);
      seen.set(post.content, post.id);
    }
    before = page.body.next_before;
  }
  for (const [content, id] of load.stored) assert.equal(seen.get(content), id, `"${content}" is lost`);
  await old.stop();
});

test('a server with other data does not join: members would be dealt out between two communities', async (t) => {
  const old = await startServer();
  t.after(() => old.kill());
  const listen = new URL(old.url).host;
  const other = await newFolder(t);
  for (const folder of [other, path.join(other, 'not there')]) {
    const { status, err } = await hutong(['serve', '--listen', listen, '--data', folder]);
    assert.equal(status, 2);
    assert.match(err, /^hutong: setting listen is \S+, where a Hutong of another data folder than .+ answers; allowed: another port/);
  }
  assert.deepEqual(readdirSync(other), [], 'nothing was made');
  await old.stop();
});

test('what the old process does late reaches the readers of the new one, with nothing to follow', { timeout: 60_000 }, async (t) => {
  const env = { HUTONG_LIVE_PING: '600' };
  const old = await startServer({ env });
  t.after(() => old.kill());
  const lilei = await old.register('lilei'), ming = await old.register('ming');
  const fresh = await startServer({ env, dataDir: old.dataDir });
  t.after(() => fresh.kill());
  const live = await Live.open(fresh, ming.token);
  const { id: feed } = await live.subscribe('feed');
  const { id: me } = await live.subscribe('me');
  for (let round = 1; round <= 2; round++) {
    const posted = await old.api('POST', '/posts', { token: lilei.token, json: { content: `late ${round}` } });
    const sent = await old.api('POST', `/messages/send/${ming.id}`, { token: lilei.token, json: { content: 'late' } });
    assert.deepEqual([posted.status, sent.status < 300], [201, true]);
    while (live.events().length < 2 * round) await live.next((m) => m.type === 'event');
  }
  await old.stop({ keepData: true });
  const heard = (topic) => live.events().filter((e) => e.topic === topic).map((e) => e.id);
  assert.deepEqual([heard('feed'), heard('me')], [[feed + 1, feed + 2], [me + 1, me + 2]]);

  // Alone again: its own changes and checkpoints are no reason to look.
  const looks = await until(() => metric(fresh, 'hutong_hub_resyncs_total'), (n) => n > 0);
  const began = performance.now();
  let posts = 0;
  while (posts < 150 || performance.now() - began < 5000) {
    const reply = await fresh.api('POST', '/posts', { token: ming.token, json: { content: `${posts++}` } });
    assert.equal(reply.status, 201);
  }
  assert.ok(await metric(fresh, 'hutong_hub_resyncs_total') - looks <= 1, 'it looks for nothing');
  while (heard('feed').length < posts + 2) await live.next();
  assert.deepEqual(heard('feed'), Array.from({ length: posts + 2 }, (_, i) => feed + 1 + i));
  await live.close();
  await fresh.stop({ keepData: false });
});
