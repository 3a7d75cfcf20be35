// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Two instances on one database, with a real Redis between them that is taken away and given back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { startMariadb } from '../support/mariadb.mjs';
import { startRedis } from '../support/redis.mjs';
import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';

const PASSWORD = 'p@ss:/wörd';
let redis, mariadb, database, a, b, lili, ming;

const both = (f) => Promise.all([f(a), f(b)]);
const isUp = (server) => until(() => metric(server, 'hutong_broker_up'), (up) => up === 1, { what: 'the broker' });
const isDown = (server) => until(() => metric(server, 'hutong_broker_up'), (up) => up === 0, { what: 'the broker' });

// Each resync follows what caused it within a moment: wait until no more come.
async function settled(server, ms = 400) {
  let count = -1, since = Date.now();
  await until(() => metric(server, 'hutong_hub_resyncs_total'), (now) => {
    if (now !== count) [count, since] = [now, Date.now()];
    return Date.now() - since > ms;
  });
}

async function post(server, token, content) {
  const reply = await server.api('POST', '/posts', { token, json: { content } });
  assert.equal(reply.status, 201, reply.text);
  return reply.body.id;
}

const ids = (live) => live.events().filter((m) => m.topic === 'feed').map((m) => m.id);
const postIds = (live) => live.events('post.created').map((m) => m.data.id);

// Everything after `from`, once each, in order.
function assertGapless(live, from, count) {
  const expected = Array.from({ length: count }, (_, i) => from + 1 + i);
  assert.deepEqual(ids(live), expected);
}

async function reach(live, id) {
  while (ids(live).at(-1) !== id) await live.next();
}

const hears = (live, id) => live.next((m) => m.event === 'post.created' && m.data.id === id);

before(async () => {
  [redis, mariadb] = await Promise.all([startRedis({ password: PASSWORD }), startMariadb()]);
  database = await mariadb.newDatabase();
  const env = { HUTONG_DATABASE: database, HUTONG_REDIS: redis.url, HUTONG_LOOPS: '2' };
  a = await startServer({ env });
  b = await startServer({ env, dataDir: a.dataDir });
  lili = await a.register('lili');
  ming = await b.register('ming');
  await both(isUp);
  await both((server) => settled(server));
}, { timeout: 120_000 });

after(async () => {
  await b?.stop({ keepData: true });
  await a?.stop();
  await redis?.stop();
  await mariadb?.stop();
}, { timeout: 60_000 });

test('posts of both instances reach the readers of both, in order and without gaps', { timeout: 60_000 }, async () => {
  const live = await both((server) => Live.open(server, lili.token));
  const from = await Promise.all(live.map(async (l) => (await l.subscribe('feed')).id));
  const each = 60;
  const posting = [a, b, a, b].map(async (server, who) => {
    for (let i = 0; i < each; i++) await post(server, who % 2 ? ming.token : lili.token, `${who} ${i}`);
  });
  await Promise.all(posting);
  for (const [i, l] of live.entries()) {
    await reach(l, from[i] + 4 * each);
    await l.settle();
    assertGapless(l, from[i], 4 * each);
    await l.close();
  }
});

test('a message reaches an old client at another instance in its own form', { timeout: 60_000 }, async () => {
  const old = await Live.openLegacy(b, ming.token);
  const sent = await a.api('POST', `/messages/send/${ming.id}`, { token: lili.token, json: { content: '你好 "x"' } });
  assert.ok([200, 201].includes(sent.status), sent.text);
  const heard = await old.next((m) => m.type === 'new_message');
  assert.equal(heard.data.content, '你好 "x"');
  assert.equal(heard.data.id, sent.body.id);
  await old.close();
});

test('typing is told across instances', { timeout: 60_000 }, async () => {
  const reader = await Live.open(b, ming.token), writer = await Live.open(a, lili.token);
  await reader.subscribe('me');
  writer.say({ type: 'typing', to: { user_id: ming.id } });
  const typing = await reader.next((m) => m.event === 'typing');
  assert.equal(typing.data.user_id, lili.id);
  await Promise.all([reader.close(), writer.close()]);
});

test('a conversation is followed at another instance, but for the pieces of its answers', { timeout: 60_000 }, async () => {
  const reader = await Live.open(b, lili.token);
  const chat = (await a.api('POST', '/chat/conversations', { token: lili.token, json: {} })).body;
  const topic = `chat:${chat.id}`;
  await reader.subscribe(topic);
  const asked = await a.api('POST', `/chat/conversations/${chat.id}/messages`, { token: lili.token, json: { text: 'hello' } });
  assert.equal(asked.status, 200, asked.text);
  const { question, answer } = (await reader.event('chat.asked')).data;
  assert.equal(question.content, 'hello');
  const end = (await reader.event('chat.answered')).data;
  assert.deepEqual([end.turn, end.status, end.offline], [answer.id, 'complete', true]);
  await reader.settle();
  assert.deepEqual(reader.events('chat.piece'), []);
  await reader.close();
});

test('a log-out at one instance closes the sockets at the other within a second', { timeout: 60_000 }, async () => {
  const wang = await a.register('wang');
  const live = await Live.open(b, wang.token), old = await Live.openLegacy(b, wang.token);
  const began = Date.now();
  const out = await a.api('POST', '/auth/logout', { token: wang.token });
  assert.ok(out.status < 300, out.text);
  const [closed, oldClosed] = await Promise.all([live.closed, old.closed]);
  assert.ok(Date.now() - began < 1000, `took ${Date.now() - began} ms`);
  assert.equal(closed.code, 4401);
  assert.equal(oldClosed.code, 4002);
});

test('presence counts every instance, and tells a change once', { timeout: 60_000 }, async () => {
  const zhao = await a.register('zhao');
  const watcher = await Live.open(a, lili.token);
  const asked = await watcher.ask({ type: 'presence', users: [zhao.id] }, (m) => m.type === 'presence');
  assert.deepEqual(asked.users, { [zhao.id]: false });
  const first = await Live.open(b, zhao.token);
  assert.equal((await watcher.event('presence')).data.online, true);
  const second = await Live.open(a, zhao.token); // here too: no news
  await first.close();
  await second.close();
  assert.equal((await watcher.event('presence')).data.online, false);
  await watcher.settle();
  assert.deepEqual(watcher.events('presence').map((m) => m.data.online), [true, false]);
  await watcher.close();
});

test('a member of an instance that died is forgotten', { timeout: 60_000 }, async () => {
  const qian = await a.register('qian');
  const env = { HUTONG_DATABASE: database, HUTONG_REDIS: redis.url, HUTONG_LOOPS: '1' };
  const third = await startServer({ env, dataDir: a.dataDir });
  await isUp(third);
  const watcher = await Live.open(b, ming.token);
  await watcher.ask({ type: 'presence', users: [qian.id] }, (m) => m.type === 'presence');
  await Live.open(third, qian.token);
  assert.equal((await watcher.event('presence')).data.online, true);
  await third.kill();
  let gone = null; // thirty seconds are more than one next() waits
  for (let tries = 0; !gone && tries < 3; tries++) gone = await watcher.event('presence').catch(() => null);
  assert.equal(gone?.data.online, false);
  const { users } = await watcher.ask({ type: 'presence', users: [qian.id] }, (m) => m.type === 'presence');
  assert.deepEqual(users, { [qian.id]: false });
  await watcher.close();
});

test('nothing is missed when Redis dies and comes back', { timeout: 60_000 }, async () => {
  const [la, lb] = await both((server) => Live.open(server, lili.token));
  const from = (await la.subscribe('feed')).id;
  await lb.subscribe('feed');
  await redis.kill();
  await both(isDown);
  const made = [await post(a, lili.token, 'from a, alone'), await post(b, ming.token, 'from b, alone')];
  await hears(la, made[0]);
  await hears(lb, made[1]);
  await redis.start();
  await both(isUp);
  await Promise.all([la, lb].map((l) => reach(l, from + 2)));
  made.push(await post(a, lili.token, 'together again'));
  await Promise.all([la, lb].map((l) => reach(l, from + 3)));
  for (const l of [la, lb]) {
    await l.settle();
    assertGapless(l, from, 3);
    assert.deepEqual([...postIds(l)].sort(), [...made].sort());
    await l.close();
  }
  for (const server of [a, b]) {
    assert.equal(server.log().match(/ broker\.down /g).length, 1, 'once, not at each try');
    assert.ok(!server.log().includes(PASSWORD) && !server.log().includes(encodeURIComponent(PASSWORD)));
  }
});

test('nothing is missed under load while Redis comes and goes', { timeout: 60_000 }, async () => {
  const live = await both((server) => Live.open(server, lili.token));
  const from = await Promise.all(live.map(async (l) => (await l.subscribe('feed')).id));
  let on = true, count = 0;
  const posting = [a, b].map(async (server, i) => {
    for (; on; count++) await post(server, i ? ming.token : lili.token, `load ${count}`);
  });
  for (let i = 0; i < 3; i++) {
    const before = count;
    await redis.kill();
    await until(() => metric(a, 'hutong_hub_published_total'), () => count > before + 10);
    await redis.start();
    await both(isUp);
    const back = count;
    await until(() => metric(a, 'hutong_hub_published_total'), () => count > back + 10);
  }
  on = false;
  await Promise.all(posting);
  for (const [i, l] of live.entries()) {
    await reach(l, from[i] + count);
    await l.settle();
    assertGapless(l, from[i], count);
    await l.close();
  }
});

test('nothing is missed when Redis falls silent for a while, and members do not wait for it', { timeout: 60_000 }, async () => {
  const live = await both((server) => Live.open(server, lili.token));
  const from = (await live[0].subscribe('feed')).id;
  await live[1].subscribe('feed');
  redis.freeze();
  const began = Date.now();
  await both((server) => post(server, lili.token, 'into the silence'));
  assert.ok(Date.now() - began < 1500, `took ${Date.now() - began} ms`);
  await both(isDown);
  await both((server) => post(server, lili.token, 'nobody hears'));
  redis.go();
  await both(isUp);
  for (const l of live) {
    await reach(l, from + 4);
    await l.settle();
    assertGapless(l, from, 4);
    await l.close();
  }
});

test('a log-out that Redis could not tell closes the sockets once it is back', { timeout: 60_000 }, async () => {
  const sun = await a.register('sun');
  const live = await Live.open(b, sun.token), old = await Live.openLegacy(b, sun.token);
  await live.subscribe('feed');
  await redis.kill();
  await both(isDown);
  const out = await a.api('POST', '/auth/logout', { token: sun.token });
  assert.ok(out.status < 300, out.text);
  await redis.start();
  assert.equal((await live.closed).code, 4401);
  assert.equal((await old.closed).code, 4002);
  await both(isUp);
});

test('what strangers put into the channel is dropped', { timeout: 60_000 }, async () => {
  const dropped = await metric(a, 'hutong_broker_dropped_total');
  const live = await Live.open(a, lili.token);
  const { id } = await live.subscribe('feed');
  const nonsense = ['', '{', '{"v":1}', '[1]', '{"v":1,"from":"0123456789abcdef","kind":"event","topic":"feed","seq":1,"legacy":false,"payload":"{\\"event\\":\\"x\\"}"}'];
  for (const text of nonsense) assert.equal(await redis.command('PUBLISH', 'hutong:1:events', text), ':2');
  await until(() => metric(a, 'hutong_broker_dropped_total'), (now) => now === dropped + nonsense.length);
  const made = await post(b, ming.token, 'still here');
  await hears(live, made);
  assertGapless(live, id, 1);
  await live.close();
});

test('an answer whose instance has died is cut off by another, and one that is written is not', { timeout: 90_000 }, async () => {
  const provider = await startProvider();
  const env = {
    HUTONG_DATABASE: database, HUTONG_REDIS: redis.url, HUTONG_LOOPS: '1', HUTONG_MAINTENANCE_SECONDS: '1',
    HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_CHAT_TITLES: 'off',
  };
  const [dies, lives] = await Promise.all([1, 2].map(() => startServer({ env, dataDir: a.dataDir })));
  const base = '/chat/conversations';
  const { token } = lili;
  const ask = async (server) => {
    provider.script([{ deltas: ['half', ' more'], stallAfter: 1 }]);
    const chat = (await server.api('POST', base, { token, json: {} })).body.id;
    const at = provider.requests.length;
    const reply = server.api('POST', `${base}/${chat}/messages`, { token, json: { text: 'go' } }).catch(() => undefined);
    const asked = await provider.request(at);
    await provider.until(() => asked.stalled);
    return { chat, reply, asked };
  };
  const answerOf = async ({ chat }) => (await lives.api('GET', `${base}/${chat}/messages`, { token })).body.items[1];
  const dead = await ask(dies);
  const living = await ask(lives);
  const live = await Live.open(lives, token);
  await live.subscribe(`chat:${dead.chat}`);
  await dies.kill();
  await dead.reply;
  // The dead one was heard of two minutes ago; nobody waits so long in a test.
  await mariadb.sql(database, `UPDATE chat_turns SET alive_us = alive_us - 120000000 WHERE chat_id = ${dead.chat}`);
  const end = await live.event('chat.answered');
  assert.equal(end.data.status, 'cut_off');
  const stored = await answerOf(dead);
  assert.deepEqual([stored.status, stored.detail], ['cut_off', 'the server stopped while it was written']);
  assert.equal((await answerOf(living)).status, 'streaming');
  living.asked.resume();
  await living.reply;
  assert.deepEqual([(await answerOf(living)).status, (await answerOf(living)).content], ['complete', 'half more']);
  await live.close();
  await lives.stop({ keepData: true });
  await provider.stop();
});

test('an answer that another instance writes can be stopped', { timeout: 60_000 }, async () => {
  const provider = await startProvider();
  const env = {
    HUTONG_DATABASE: database, HUTONG_REDIS: redis.url, HUTONG_LOOPS: '2',
    HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_CHAT_TITLES: 'off',
  };
  const [writes, asked] = await Promise.all([1, 2].map(() => startServer({ env, dataDir: a.dataDir })));
  await Promise.all([isUp(writes), isUp(asked)]);
  const base = '/chat/conversations';
  provider.script([{ deltas: ['half', ' more'], stallAfter: 1 }]);
  const chat = (await writes.api('POST', base, { token: lili.token, json: {} })).body.id;
  const live = await Live.open(asked, lili.token);
  await live.subscribe(`chat:${chat}`);
  const at = provider.requests.length;
  const reply = writes.api('POST', `${base}/${chat}/messages`, { token: lili.token, json: { text: 'go' } });
  const upstream = await provider.request(at);
  await provider.until(() => upstream.stalled);
  const { answer } = (await live.event('chat.asked')).data;
  const stop = (token) => asked.api('POST', `${base}/${chat}/messages/${answer.id}/stop`, { token });
  assert.equal((await stop(ming.token)).status, 404);
  assert.equal((await stop(lili.token)).status, 204);
  const end = (await live.event('chat.answered')).data;
  assert.deepEqual([end.turn, end.status], [answer.id, 'interrupted']);
  await reply;
  const stored = (await asked.api('GET', `${base}/${chat}/messages`, { token: lili.token })).body.items[1];
  assert.deepEqual([stored.status, stored.content], ['interrupted', 'half']);
  await live.close();
  await writes.stop({ keepData: true });
  await asked.stop({ keepData: true });
  await provider.stop();
});

test('a server whose Redis is not there starts, and tells once that it is alone', { timeout: 60_000 }, async () => {
  const nowhere = await startRedis();
  await nowhere.stop(); // its port is free, most likely; and if not, nobody there speaks Redis
  const alone = await startServer({ env: { HUTONG_REDIS: nowhere.url.replace(':@', ''), HUTONG_LOOPS: '1' } });
  const one = await alone.register('alone');
  const live = await Live.open(alone, one.token);
  await live.subscribe('feed');
  await hears(live, await post(alone, one.token, 'hello'));
  await until(() => alone.log(), (log) => (live.ws.ping(), / warn broker\.down /.test(log)));
  assert.equal(await metric(alone, 'hutong_broker_up'), 0);
  await live.close();
  await alone.stop();
  assert.equal(alone.log().match(/ broker\.down /g).length, 1);
});

test('a wrong address stops the start with a sentence that keeps the password', { timeout: 60_000 }, async () => {
  await assert.rejects(startServer({ env: { HUTONG_REDIS: 'redis://:hunter2@host:x' } }), (error) => {
    assert.match(error.message, /setting redis: this is no address of a broker/);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
});
