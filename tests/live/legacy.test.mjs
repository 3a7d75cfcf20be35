// SPDX-License-Identifier: AGPL-3.0-or-later
//
// /messages/ws, the socket of the older clients: nothing they knew has changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Live, legacyToken, socketUrl } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';

const SECRET = 'a secret that the old system had';
const WAIT = { timeout: 30_000 };

let server, lili, wang, zhao;
before(async () => {
  server = await startServer({ env: { HUTONG_JWT_SECRET: SECRET } });
  lili = await server.register('lili');
  wang = await server.register('wang');
  zhao = await server.register('zhao');
});
after(() => server.stop());

const at = (query, protocols, options) => new Live(socketUrl(server, `/messages/ws${query}`), protocols, options);
const send = async (from, to, content) => {
  const reply = await server.api('POST', `/messages/send/${to.id}`, { token: from.token, json: { content } });
  assert.equal(reply.status, 200, reply.text);
  return reply.body;
};

const REFUSALS = [
  ['no token', () => '', 4001, 'Missing token'],
  ['an empty token', () => '?token=', 4001, 'Missing token'],
  ['a token that is none', () => '?token=nonsense', 4002, 'Invalid token'],
  ['a token with a wrong signature', () => `?token=${legacyToken('another secret altogether', lili.id, 60)}`, 4002, 'Invalid token'],
  ['an expired token', () => `?token=${legacyToken(SECRET, lili.id, -5)}`, 4002, 'Invalid token'],
  ['a token without a subject', () => `?token=${legacyToken(SECRET, '', 60)}`, 4002, 'Invalid token'],
  ['a token of nobody', () => `?token=${legacyToken(SECRET, 999999, 60)}`, 4003, 'User not found'],
];
for (const [name, query, code, reason] of REFUSALS) {
  test(`${name} is closed with ${code} after the handshake`, WAIT, async () => {
    const peer = at(query());
    await peer.opened;
    assert.deepEqual(await peer.closed, { code, reason });
    assert.deepEqual(peer.messages, []);
  });
}

test('a token that was logged out is invalid', WAIT, async () => {
  const login = await server.api('POST', '/auth/login', { form: { username: 'lili', password: lili.password } });
  const token = login.body.access_token;
  assert.equal((await server.api('POST', '/auth/logout', { token })).status, 204);
  assert.deepEqual(await at(`?token=${token}`).closed, { code: 4002, reason: 'Invalid token' });
});

const WAYS = [
  ['the query', () => at(`?token=${lili.token}`)],
  ['Authorization', () => at('', [], { headers: { authorization: `Bearer ${lili.token}` } })],
  ['a subprotocol', () => at('', [`bearer.${lili.token}`])],
  ['a subprotocol beside hutong.v1', () => at('', ['hutong.v1', `bearer.${lili.token}`])],
  ['the query, from the old system', () => at(`?token=${legacyToken(SECRET, lili.id, 60)}`)],
];
for (const [name, open] of WAYS) {
  test(`a token in ${name} opens it, without a greeting`, WAIT, async () => {
    const peer = open();
    await peer.opened;
    peer.say({ type: 'ping' });
    await peer.next();
    assert.deepEqual(peer.messages, [{ type: 'pong' }]);
    assert.equal((await peer.close()).code, 1000);
  });
}

test('any page may open it: the token is what it takes', WAIT, async () => {
  const peer = at(`?token=${lili.token}`, [], { origin: 'https://elsewhere.example' });
  await peer.opened;
  await peer.close();
});

test('without an upgrade the answer is 426', WAIT, async () => {
  const reply = await server.api('GET', `/messages/ws?token=${lili.token}`);
  assert.equal(reply.status, 426);
});

test('garbage, JSON that is no object, unknown types and binary frames are met with silence', WAIT, async () => {
  const peer = await Live.openLegacy(server, lili.token);
  for (const text of ['nonsense', '{', '[1]', '"x"', 'null', '5', 'true', '{}', '{"type":"pong"}', '{"type":7}',
    '{"type":"subscribe","topic":"feed"}', '', '{"type":"ping","type":"x"']) {
    peer.say(text);
  }
  peer.say(Buffer.from([0, 1, 2, 255]));
  peer.say('{"type":"ping","more":[1,2]}');
  await peer.next();
  assert.deepEqual(peer.messages, [{ type: 'pong' }]);
  await peer.close();
});

test('a message reaches all sockets of its receiver and none of its sender, in the old form', WAIT, async () => {
  const receivers = [await Live.openLegacy(server, wang.token), await Live.openLegacy(server, wang.token)];
  const sender = await Live.openLegacy(server, lili.token);
  const other = await Live.openLegacy(server, zhao.token);
  const sent = [await send(lili, wang, '你好'), await send(lili, wang, 'second')];
  for (const peer of receivers) {
    await peer.next();
    await peer.next();
    assert.deepEqual(peer.messages.map((m) => m.type), ['new_message', 'new_message']);
    for (const [i, message] of sent.entries()) {
      const { data } = peer.messages[i];
      for (const field of ['id', 'sender_id', 'receiver_id', 'content', 'is_read', 'created_at']) {
        assert.deepEqual(data[field], message[field], field);
      }
      assert.equal(data.sender.username, 'lili');
    }
  }
  for (const peer of [sender, other]) {
    await peer.settle();
    assert.deepEqual(peer.events(), []);
    assert.ok(peer.messages.every((m) => m.type === 'pong'));
  }
  for (const peer of [...receivers, sender, other]) await peer.close();
});

test('nothing else comes: no posts, likes, receipts, group messages, heartbeats', WAIT, async () => {
  const peer = await Live.openLegacy(server, wang.token);
  const post = await server.api('POST', '/posts', { token: lili.token, json: { content: 'public' } });
  await server.api('PUT', `/posts/${post.body.id}/like`, { token: zhao.token });
  await server.api('POST', `/messages/read/${lili.id}`, { token: wang.token });
  const group = await server.api('POST', '/groups', { token: lili.token, json: { name: 'all', members: [wang.id] } });
  assert.equal(group.status, 201, group.text);
  await server.api('POST', `/groups/${group.body.id}/messages`, { token: lili.token, json: { content: 'group' } });
  await send(lili, wang, 'the only one');
  await peer.next((m) => m.type === 'new_message');
  await peer.settle();
  assert.deepEqual(peer.messages.filter((m) => m.type !== 'pong').map((m) => m.data.content), ['the only one']);
  await peer.close();
});

test('a receiver that is cut off hurts nobody', WAIT, async () => {
  const gone = await Live.openLegacy(server, wang.token);
  const stays = await Live.openLegacy(server, wang.token);
  gone.destroy();
  await send(lili, wang, 'still there?');
  assert.equal((await stays.next((m) => m.type === 'new_message')).data.content, 'still there?');
  await stays.close();
});

test('an open socket ends with its token', WAIT, async () => {
  const peer = at(`?token=${legacyToken(SECRET, lili.id, 2)}`);
  await peer.opened;
  assert.equal((await peer.closed).code, 4002);
});
