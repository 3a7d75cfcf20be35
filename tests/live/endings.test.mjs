// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How live connections end: log-out, ban, role, password, expiry, restart, storms.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Live, legacyToken, socketUrl } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';

const SECRET = 'a secret that the old system had';
const PASSWORD = 'correct horse';
const WAIT = { timeout: 30_000 };

let server, admin, names = 0;
before(async () => {
  server = await startServer({ env: { HUTONG_JWT_SECRET: SECRET, HUTONG_LIVE_PING: '600', HUTONG_LOOPS: '2' } });
  admin = await firstAdmin();
});
after(() => server.stop());

async function firstAdmin() {
  const code = await until(() => server.api('GET', '/health').then(() => /^\s+([0-9a-f]{32})$/m.exec(server.log())?.[1]), Boolean);
  const made = await server.api('POST', '/auth/register', {
    json: { username: 'admin', password: PASSWORD, nickname: 'admin', admin_code: code },
  });
  assert.equal(made.status, 201, made.text);
  return { ...made.body, token: await logIn('admin') };
}

async function logIn(username, password = PASSWORD) {
  const reply = await server.api('POST', '/auth/login', { form: { username, password } });
  assert.equal(reply.status, 200, reply.text);
  return reply.body.access_token;
}

async function call(token, method, target, json, status = 204) {
  const reply = await server.api(method, target, { token, json });
  assert.equal(reply.status, status, `${method} ${target}: ${reply.text}`);
}

// A member with two log-ins, each with a socket on /live and one of the old kind.
async function member() {
  const who = await server.register(`member${++names}`, { password: PASSWORD });
  const tokens = [who.token, await logIn(who.username)];
  const sockets = [];
  for (const token of tokens) sockets.push({ live: await Live.open(server, token), legacy: await Live.openLegacy(server, token) });
  return { ...who, tokens, sockets };
}

const ENDS = [
  ['log-out here', (m) => call(m.tokens[0], 'POST', '/auth/logout'), [true, false]],
  ['log-out everywhere', (m) => call(m.tokens[0], 'POST', '/auth/logout-all'), [true, true]],
  ['a new password', (m) => call(m.tokens[0], 'PUT', '/auth/password', { old_password: PASSWORD, new_password: 'another horse' }), [false, true]],
  ['a ban', (m) => call(admin.token, 'PUT', `/admin/users/${m.id}/banned`, { banned: true }), [true, true]],
  ['a change of role', (m) => call(admin.token, 'PUT', `/admin/users/${m.id}/role`, { role: 'moderator' }), [true, true]],
];
describe('sockets that are open end within a second', () => {
  for (const [name, act, ends] of ENDS) {
    test(`by ${name}`, WAIT, async () => {
      const m = await member();
      const bystander = await Live.open(server, admin.token);
      await act(m);
      const began = Date.now();
      for (const [i, { live, legacy }] of m.sockets.entries()) {
        if (!ends[i]) continue;
        assert.deepEqual(await live.closed, { code: 4401, reason: 'signed out' });
        assert.equal((await legacy.closed).code, 4002);
      }
      assert.ok(Date.now() - began < 1000, `${Date.now() - began} ms`);
      for (const [i, { live, legacy }] of m.sockets.entries()) {
        if (ends[i]) continue;
        await live.settle();
        await legacy.settle();
        await live.close();
        await legacy.close();
      }
      await bystander.settle();
      await bystander.close();
    });
  }

  test('an event stream too', WAIT, async () => {
    const who = await server.register('streamer', { password: PASSWORD });
    const reply = await fetch(`${server.url}/live/events?topics=feed`, { headers: { authorization: `Bearer ${who.token}` } });
    const reader = reply.body.getReader();
    assert.match(Buffer.from((await reader.read()).value).toString(), /subscribed/);
    await call(who.token, 'POST', '/auth/logout');
    const began = Date.now();
    while (!(await reader.read()).done) continue;
    assert.ok(Date.now() - began < 1000);
  });

  test('one that was opened with a ticket ends with its log-in', WAIT, async () => {
    const who = await server.register('ticketed', { password: PASSWORD });
    const { body } = await server.api('POST', '/live/ticket', { token: who.token });
    const live = new Live(socketUrl(server, `/live?ticket=${body.ticket}`));
    await live.next((m) => m.type === 'hello');
    await call(who.token, 'POST', '/auth/logout');
    assert.equal((await live.closed).code, 4401);
  });
});

test('a socket opened with a token ends with the token', WAIT, async () => {
  const who = await server.register('expiring');
  const live = new Live(socketUrl(server, '/live'), [], { headers: { authorization: `Bearer ${legacyToken(SECRET, who.id, 3)}` } });
  await live.next((m) => m.type === 'hello');
  assert.deepEqual(await live.closed, { code: 4002, reason: 'token expired' });
});

test('a restart tells every socket 1012 and ends every stream, then the program ends with 0', WAIT, async () => {
  const other = await startServer();
  const who = await other.register('restart');
  const peers = [];
  for (let i = 0; i < 20; i++) peers.push(await Live.open(other, who.token), await Live.openLegacy(other, who.token));
  const stream = await fetch(`${other.url}/live/events`, { headers: { authorization: `Bearer ${who.token}` } });
  const pieces = stream.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = '';
  while (!text.includes('subscribed')) text += (await pieces.next()).value;
  await other.stop();
  for (const peer of peers) assert.deepEqual(await peer.closed, { code: 1012, reason: 'the server restarts' });
  while (!(await pieces.next()).done); // ended, not broken: that would throw
});

test('500 sockets that come and go in a storm leave nothing behind', { timeout: 120_000 }, async () => {
  const members = [];
  for (let i = 0; i < 10; i++) members.push(await server.register(`storm${i}`));
  const watcher = await Live.open(server, admin.token);
  await watcher.ask({ type: 'presence', users: members.map((m) => m.id) }, (m) => m.type === 'presence');
  const one = async (i) => {
    const who = members[i % members.length];
    const live = i % 3 === 2 ? await Live.openLegacy(server, who.token) : await Live.open(server, who.token);
    if (i % 3 !== 2) live.say({ type: 'resume', topics: { feed: 0, me: 0, [`post:${i}`]: 0 } });
    if (i % 5 === 0) live.destroy();
    else if (i % 5 === 1) live.ws._socket.resetAndDestroy();
    else if (i % 5 === 2) live.ws._socket.end();
    else await live.settle().then(() => live.close());
    live.destroy();
  };
  for (let at = 0; at < 500; at += 100) {
    await Promise.all([
      ...Array.from({ length: 100 }, (_, i) => one(at + i)),
      ...members.map((m) => server.api('POST', '/posts', { token: m.token, json: { content: 'in the storm' } })),
    ]);
  }
  await until(() => metric(server, 'hutong_live_connections'), (n) => n === 1, { what: 'live connections' });
  await until(() => metric(server, 'hutong_hub_present'), (n) => n === 1, { what: 'members present' });
  const seen = await watcher.ask({ type: 'presence', users: members.map((m) => m.id) }, (m) => m.type === 'presence');
  assert.deepEqual(Object.values(seen.users), members.map(() => false));
  for (const m of members) {
    const told = watcher.messages.filter((x) => x.event === 'presence' && x.data.user_id === m.id).map((x) => x.data.online);
    assert.ok(told.every((online, i) => online === (i % 2 === 0)), `${told}: comes and goes take turns`);
    assert.equal(told.at(-1), false);
  }
  await watcher.close();
});
