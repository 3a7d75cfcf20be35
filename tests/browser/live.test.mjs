// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Everything live, as scripts of a page see it: what arrives, and how connections end. A script sees
// no status of a refused WebSocket, so codes after the handshake are all it has.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { openBrowser, openPage } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 90_000 };

let server, browser, lili;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  lili = await server.register('lili');
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

// A page of our own server whose script logs in as `member`: window.token, ask() and ticket().
async function visit(at, member) {
  const page = await openPage(browser, `${at.url}/docs`);
  await page.evaluate(async ({ username, password }) => {
    window.ask = async (method, target, json) => {
      const reply = await fetch(target, {
        method,
        headers: { ...(window.token && { authorization: `Bearer ${window.token}` }),
          ...(json && { 'content-type': 'application/json' }) },
        body: json && JSON.stringify(json),
      });
      return reply.status === 204 ? undefined : reply.json();
    };
    window.token = (await ask('POST', '/auth/login', { username, password })).access_token;
    window.ticket = async () => (await ask('POST', '/live/ticket')).ticket;
  }, member);
  return page;
}

const post = async (at, member, content) => {
  const reply = await at.api('POST', '/posts', { token: member.token, json: { content } });
  assert.equal(reply.status, 201, reply.text);
  return reply.body;
};

test('a page logs in, opens /live by ticket and hears what happens', WAIT, async () => {
  const wang = await server.register('wang');
  const page = await visit(server, wang);
  await page.evaluate(async () => {
    window.live = hear(`/live?ticket=${await ticket()}`, ['hutong.v1']);
    await live.find({ type: 'hello' });
    live.socket.send('{"type":"subscribe","topic":"feed"}');
    await live.find({ type: 'subscribed' });
    window.old = hear(`/messages/ws?token=${token}`);
    await new Promise((done) => { old.socket.onopen = done; });
  });
  const made = await post(server, lili, '胡同里来人了');
  const event = await page.evaluate(() => live.find({ event: 'post.created' }));
  assert.deepEqual([event.topic, event.data.id, event.data.content], ['feed', made.id, '胡同里来人了']);
  assert.equal(await page.evaluate(() => live.socket.protocol), 'hutong.v1');

  const sent = await server.api('POST', `/messages/send/${wang.id}`, { token: lili.token, json: { content: '在吗？' } });
  const message = await page.evaluate(() => old.find({ type: 'new_message' }));
  assert.deepEqual(message.data, sent.body);
  assert.deepEqual(page.complaints, []);
});

test('a subprotocol carries the token where a ticket is too much', WAIT, async () => {
  const page = await visit(server, lili);
  const heard = await page.evaluate(async () => {
    const live = hear('/live', ['hutong.v1', `bearer.${token}`]);
    await live.find({ type: 'hello' });
    return live.socket.protocol;
  });
  assert.equal(heard, 'hutong.v1');
});

const ENDINGS = [
  ['/live without a ticket', async () => hear('/live').closed, 4001, 'Missing token'],
  ['/live with a ticket that is none', async () => hear('/live?ticket=x').closed, 4002, 'Invalid ticket'],
  ['/live with a ticket for the second time', async () => {
    const again = `/live?ticket=${await ticket()}`;
    await hear(again).find({ type: 'hello' });
    return hear(again).closed;
  }, 4002, 'Invalid ticket'],
  ['/messages/ws without a token', async () => hear('/messages/ws').closed, 4001, 'Missing token'],
  ['/messages/ws with a token that is none', async () => hear('/messages/ws?token=x').closed, 4002, 'Invalid token'],
  ['a page that talks without end', async () => {
    const live = hear(`/live?ticket=${await ticket()}`);
    await live.find({ type: 'hello' });
    for (let i = 0; i < 500; i++) live.socket.send('{"type":"ping"}');
    return live.closed;
  }, 1008],
  ['a message of more than 64 KiB', async () => {
    const live = hear(`/live?ticket=${await ticket()}`);
    await live.find({ type: 'hello' });
    live.socket.send('x'.repeat(65537));
    return live.closed;
  }, 1009],
  ['a log-out', async () => {
    const live = hear(`/live?ticket=${await ticket()}`);
    await live.find({ type: 'hello' });
    await ask('POST', '/auth/logout');
    return live.closed;
  }, 4401],
];
for (const [name, open, code, reason] of ENDINGS) {
  test(`${name} ends with ${code}, and the page sees it`, WAIT, async () => {
    const page = await visit(server, lili);
    const end = await page.evaluate(open);
    assert.equal(end.code, code);
    if (reason) assert.equal(end.reason, reason);
  });
}

test('a server that stops says 1012 to its sockets', WAIT, async () => {
  const other = await startServer();
  const page = await visit(other, await other.register('zhao'));
  await page.evaluate(async () => {
    window.ends = Promise.all([
      hear(`/live?ticket=${await ticket()}`), hear(`/messages/ws?token=${token}`),
    ].map(async (heard) => {
      await new Promise((done) => { heard.socket.onopen = done; });
      return heard;
    }));
    await ends;
  });
  await other.stop();
  const codes = await page.evaluate(async () => Promise.all((await ends).map(async ({ closed }) => (await closed).code)));
  assert.deepEqual(codes, [1012, 1012]);
});

/* --- server-sent events --- */

test('the EventSource of docs/live.md misses nothing and hears nothing twice over a restart', WAIT, async (t) => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-test-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  let other = await startServer({ dataDir });
  const zhao = await other.register('zhao');
  const page = await visit(other, zhao);
  const doc = await readFile(new URL('../../docs/live.md', import.meta.url), 'utf8');
  const [, code] = /```js\n(async function listen[\s\S]*?)```/.exec(doc);
  await page.evaluate(`(() => {
    ${code}
    window.heard = [];
    listen((message) => heard.push(message));
  })()`);
  const hears = (id) => page.waitForFunction((wanted) => heard.some(({ data }) => data?.id === wanted), id);
  await page.waitForFunction(() => heard.filter(({ type }) => type === 'subscribed').length === 2);
  const made = [await post(other, zhao, 'before')];
  await hears(made[0].id);

  await other.stop({ keepData: true });
  other = await startServer({ dataDir, listen: new URL(other.url).host });
  made.push(await post(other, zhao, 'while the page was away'));
  await hears(made[1].id);
  made.push(await post(other, zhao, 'after'));
  await hears(made[2].id);
  const ids = await page.evaluate(() => heard.filter(({ event }) => event === 'post.created').map(({ data }) => data.id));
  assert.deepEqual(ids, made.map(({ id }) => id));
  await page.close();
  await other.stop();
});

test('an EventSource that comes back by itself is refused: its ticket is used up', WAIT, async (t) => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-test-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  let other = await startServer({ dataDir });
  const page = await visit(other, await other.register('zhao'));
  await page.evaluate(async () => {
    window.stream = new EventSource(`/live/events?ticket=${await ticket()}`);
    await new Promise((done) => { stream.onmessage = done; });
  });
  await other.stop({ keepData: true });
  other = await startServer({ dataDir, listen: new URL(other.url).host });
  await page.waitForFunction(() => stream.readyState === EventSource.CLOSED);
  assert.match(page.complaints.join('\n'), /401/);
  await other.stop();
});

/* --- pages of others --- */

// A page that is not ours: another port is another origin.
async function neighbour(t) {
  const site = http.createServer((request, reply) => {
    reply.setHeader('content-type', 'text/html');
    reply.end('<!doctype html><title>neighbour</title>');
  });
  await new Promise((done) => { site.listen(0, '127.0.0.1', done); });
  t.after(() => {
    site.closeAllConnections();
    site.close();
  });
  return `http://127.0.0.1:${site.address().port}`;
}

// What a script there gets of us: a reading, a log-in, a socket by ticket.
const TRIES = async ({ url, username, password }) => {
  const failed = () => 'refused';
  const health = await fetch(`${url}/users/`).then((reply) => reply.status, failed);
  const login = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  }).then((reply) => reply.json(), failed);
  if (login === 'refused') return { health, login, code: (await hear(`${url}/live?ticket=x`).closed).code };
  const headers = { authorization: `Bearer ${login.access_token}` };
  const { ticket } = await (await fetch(`${url}/live/ticket`, { method: 'POST', headers })).json();
  const live = hear(`${url}/live?ticket=${ticket}`);
  await live.find({ type: 'hello' });
  live.socket.close(1000);
  return { health, login: 'ok', code: (await live.closed).code };
};

test('a page of another site gets nothing, unless cors-origins names it', WAIT, async (t) => {
  const origin = await neighbour(t);
  const page = await openPage(browser, origin);
  assert.deepEqual(await page.evaluate(TRIES, { url: server.url, ...lili }),
    { health: 'refused', login: 'refused', code: 1006 });

  const friendly = await startServer({ env: { HUTONG_CORS_ORIGINS: origin } });
  const zhao = await friendly.register('zhao');
  assert.deepEqual(await page.evaluate(TRIES, { url: friendly.url, ...zhao }),
    { health: 200, login: 'ok', code: 1000 });
  await page.close();
  await friendly.stop();
});
