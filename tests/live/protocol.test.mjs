// SPDX-License-Identifier: AGPL-3.0-or-later
//
// /live: every verb, who hears what, in which order (docs/live.md).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Live, socketUrl } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 30_000 };

let server, lili, wang, zhao;
before(async () => {
  server = await startServer({ env: { HUTONG_LIVE_PING: '1', HUTONG_LOOPS: '2' } });
  lili = await server.register('lili');
  wang = await server.register('wang');
  zhao = await server.register('zhao');
});
after(() => server.stop());

async function ok(status, who, method, target, json) {
  const reply = await server.api(method, target, { token: who.token, json });
  assert.equal(reply.status, status, `${method} ${target}: ${reply.text}`);
  return reply.body;
}
const post = (who, content) => ok(201, who, 'POST', '/posts', { content });
const write = (from, to, content, more) => ok(200, from, 'POST', `/messages/send/${to.id}`, { content, ...more });
const group = (owner, ...members) => ok(201, owner, 'POST', '/groups', { name: 'circle', members: members.map((m) => m.id) });

describe('verbs', () => {
  test('hello tells who one is and how often the heart beats', WAIT, async () => {
    const live = await Live.open(server, lili.token);
    assert.deepEqual(live.messages[0], { type: 'hello', user_id: lili.id, heartbeat_s: 1 });
    await live.close();
  });

  test('ping is answered', WAIT, async () => {
    const live = await Live.open(server, lili.token);
    assert.deepEqual(await live.ask({ type: 'ping' }, (m) => m.type === 'pong'), { type: 'pong' });
    await live.close();
  });

  const MISTAKES = [
    ['not JSON', 'nonsense', /JSON/],
    ['an unfinished object', '{"type":', /JSON/],
    ['an empty message', '', /JSON/],
    ['a list', '[1]', /type must be/],
    ['null', 'null', /type must be/],
    ['a number', '5', /type must be/],
    ['no type', '{}', /type must be/],
    ['a type that is no text', '{"type":7}', /type must be/],
    ['an unknown type', '{"type":"shout"}', /type must be/],
    ['binary', Buffer.from([1, 2, 3]), /text frames/],
    ['subscribe without topic', '{"type":"subscribe"}', /topic must be/],
    ['subscribe to nonsense', '{"type":"subscribe","topic":"everything"}', /topic must be/],
    ['subscribe to another member', '{"type":"subscribe","topic":"user:1"}', /topic must be/],
    ['subscribe to presence by name', '{"type":"subscribe","topic":"presence:1"}', /topic must be/],
    ['subscribe to group 0', '{"type":"subscribe","topic":"group:0"}', /topic must be/],
    ['subscribe to a group past 64 bits', '{"type":"subscribe","topic":"group:99999999999999999999"}', /topic must be/],
    ['subscribe to a group with a sign', '{"type":"subscribe","topic":"group:-1"}', /topic must be/],
    ['subscribe to a group that is not there', '{"type":"subscribe","topic":"group:999"}', /no such group/],
    ['after that is no number', '{"type":"subscribe","topic":"feed","after":"1"}', /after must be/],
    ['after below zero', '{"type":"subscribe","topic":"feed","after":-1}', /after must be/],
    ['after that is no whole number', '{"type":"subscribe","topic":"feed","after":1.5}', /after must be/],
    ['unsubscribe from nonsense', '{"type":"unsubscribe","topic":7}', /topic must be/],
    ['resume without topics', '{"type":"resume"}', /topics must be/],
    ['resume with a list', '{"type":"resume","topics":["feed"]}', /topics must be/],
    ['resume with a text', '{"type":"resume","topics":{"feed":"1"}}', /number of a topic/],
    ['resume of nonsense', '{"type":"resume","topics":{"x":1}}', /topic must be feed, me/],
    ['presence without users', '{"type":"presence"}', /users must be/],
    ['presence of names', '{"type":"presence","users":["lili"]}', /users must be/],
    ['presence of 201', `{"type":"presence","users":[${Array(201).fill(1)}]}`, /users must be/],
    ['typing to nobody', '{"type":"typing"}', /to must be/],
    ['typing to a text', '{"type":"typing","to":"wang"}', /to must be/],
    ['typing to a group one does not hear', '{"type":"typing","to":{"group_id":1}}', /subscribe to the group/],
    ['JSON nested past all sense', `{"type":${'['.repeat(1000)}${']'.repeat(1000)}}`, /JSON|deep|nest/],
  ];
  for (const [name, message, sentence] of MISTAKES) {
    test(`${name} is answered by an error, and the connection stays`, WAIT, async () => {
      const live = await Live.open(server, lili.token);
      const error = await live.ask(message, (m) => m.type === 'error');
      assert.match(error.detail, sentence);
      await live.settle();
      assert.equal(live.messages.filter((m) => m.type === 'error').length, 1);
      await live.close();
    });
  }

  test('subscribe tells the position, unsubscribe ends the events, twice is fine', WAIT, async () => {
    const live = await Live.open(server, wang.token);
    const first = await live.subscribe('feed');
    assert.equal(first.type, 'subscribed');
    await post(lili, 'one');
    assert.equal((await live.event('post.created')).id, first.id + 1);
    for (let i = 0; i < 2; i++) {
      const done = await live.ask({ type: 'unsubscribe', topic: 'feed' }, (m) => m.type === 'unsubscribed');
      assert.deepEqual(done, { type: 'unsubscribed', topic: 'feed', id: 0 });
    }
    await post(lili, 'two');
    await live.settle();
    assert.equal(live.events().length, 1);
    assert.equal((await live.subscribe('feed')).id, first.id + 2);
    await live.close();
  });

  test('subscribe again with an older position brings what came since', WAIT, async () => {
    const live = await Live.open(server, wang.token);
    const { id } = await live.subscribe('feed');
    await post(lili, 'one');
    await live.event('post.created');
    const again = await live.subscribe('feed', id);
    assert.equal(again.id, id + 1);
    assert.deepEqual(live.events().map((e) => e.id), [id + 1, id + 1]);
    await live.close();
  });

  test('resume takes several topics; a position from the future is a reload', WAIT, async () => {
    const live = await Live.open(server, wang.token);
    const feed = (await live.subscribe('feed')).id;
    await live.close();
    await post(lili, 'missed');
    const back = await Live.open(server, wang.token);
    back.say({ type: 'resume', topics: { feed, me: 1_000_000_000 } });
    const missed = await back.event('post.created');
    assert.equal(missed.id, feed + 1);
    assert.equal(missed.data.content, 'missed');
    assert.deepEqual(await back.next((m) => m.topic === 'feed'), { type: 'subscribed', topic: 'feed', id: feed + 1 });
    const reload = await back.next((m) => m.topic === 'me');
    assert.equal(reload.type, 'reload');
    await write(lili, wang, 'after the reload');
    const event = await back.event('message.created');
    assert.equal(event.id, reload.id + 1);
    await back.close();
  });
});

describe('who hears what', () => {
  test('a post and what happens to it, by topic', WAIT, async () => {
    const feed = await Live.open(server, wang.token);
    await feed.subscribe('feed');
    const made = await post(lili, '胡同里的第一天');
    const page = await Live.open(server, zhao.token);
    await page.subscribe(`post:${made.id}`);
    const created = await feed.event('post.created');
    assert.equal(created.topic, 'feed');
    for (const field of ['id', 'content', 'author_id', 'likes_count', 'comments_count', 'created_at', 'is_liked']) {
      assert.deepEqual(created.data[field], made[field], field);
    }
    await ok(200, wang, 'PUT', `/posts/${made.id}/like`);
    for (const peer of [feed, page]) {
      assert.deepEqual((await peer.event('post.counts')).data, { id: made.id, likes_count: 1, comments_count: 0 });
    }
    const comment = await ok(201, wang, 'POST', `/posts/${made.id}/comments`, { content: '欢迎' });
    assert.equal((await page.event('comment.created')).data.id, comment.id);
    assert.deepEqual((await feed.event('post.counts')).data, { id: made.id, likes_count: 1, comments_count: 1 });
    await ok(200, lili, 'PUT', `/posts/${made.id}`, { content: 'edited' });
    for (const peer of [feed, page]) {
      const { data } = await peer.event('post.updated');
      assert.equal(data.content, 'edited');
      assert.equal(data.is_liked, false);
      assert.ok(data.edited_at);
    }
    await ok(204, wang, 'DELETE', `/posts/${made.id}/comments/${comment.id}`);
    assert.deepEqual((await page.event('comment.deleted')).data, { id: comment.id, post_id: made.id });
    await ok(204, lili, 'DELETE', `/posts/${made.id}`);
    for (const peer of [feed, page]) assert.deepEqual((await peer.event('post.deleted')).data, { id: made.id });
    assert.equal(feed.events('comment.created').length, 0);
    await feed.close();
    await page.close();
  });

  test('liking twice tells once', WAIT, async () => {
    const made = await post(lili, 'like me');
    const live = await Live.open(server, wang.token);
    await live.subscribe('feed');
    for (let i = 0; i < 3; i++) await ok(200, wang, 'PUT', `/posts/${made.id}/like`);
    await ok(200, zhao, 'PUT', `/posts/${made.id}/like`);
    await live.next((m) => m.event === 'post.counts' && m.data.likes_count === 2);
    assert.equal(live.events('post.counts').length, 2);
    await live.close();
  });

  test('a private message reaches every device of both, and nobody else', WAIT, async () => {
    const devices = [];
    for (const who of [lili, lili, wang, wang]) devices.push(await Live.open(server, who.token));
    const stranger = await Live.open(server, zhao.token);
    for (const device of [...devices, stranger]) await device.subscribe('me');
    const sent = await write(lili, wang, 'psst', { client_id: 'c-1' });
    const again = await write(lili, wang, 'psst', { client_id: 'c-1' });
    assert.equal(again.id, sent.id);
    for (const device of devices) {
      const event = await device.event('message.created');
      assert.equal(event.topic, 'me');
      assert.deepEqual({ ...event.data }, sent);
      await device.settle();
      assert.equal(device.events().length, 1, 'told once');
    }
    await ok(200, wang, 'POST', `/messages/read/${lili.id}`);
    for (const device of devices) {
      const { data } = await device.event('message.read');
      assert.deepEqual([data.reader_id, data.partner_id, data.read_id], [wang.id, lili.id, sent.id]);
    }
    await ok(204, lili, 'DELETE', `/messages/${sent.id}`);
    for (const device of devices) {
      assert.deepEqual((await device.event('message.deleted')).data, { id: sent.id, sender_id: lili.id });
    }
    await stranger.settle();
    assert.deepEqual(stranger.events(), []);
    for (const device of [...devices, stranger]) await device.close();
  });

  test('a group is for its members only; joining, leaving and removal take effect at once', WAIT, async () => {
    const made = await group(lili, wang);
    const topic = `group:${made.id}`;
    const outsider = await Live.open(server, zhao.token);
    await outsider.subscribe('me');
    const refused = await outsider.subscribe(topic);
    assert.equal(refused.type, 'error');
    assert.match(refused.detail, /no such group, or you are not in it/);
    outsider.say({ type: 'resume', topics: { [topic]: 0 } });
    assert.equal((await outsider.next((m) => m.topic === topic)).type, 'error');

    const member = await Live.open(server, wang.token);
    await member.subscribe('me');
    assert.equal((await member.subscribe(topic)).type, 'subscribed');
    const first = await ok(201, lili, 'POST', `/groups/${made.id}/messages`, { content: 'one' });
    assert.equal((await member.event('message.created')).data.id, first.id);

    await ok(204, lili, 'POST', `/groups/${made.id}/members`, { user_id: zhao.id });
    assert.deepEqual((await outsider.event('group.joined')).data, { group_id: made.id, user_id: zhao.id });
    assert.equal((await member.event('group.joined')).data.user_id, zhao.id);
    assert.equal((await outsider.subscribe(topic)).type, 'subscribed');
    await ok(200, lili, 'PUT', `/groups/${made.id}`, { name: '新名字' });
    for (const peer of [outsider, member]) assert.equal((await peer.event('group.renamed')).data.name, '新名字');
    await ok(204, wang, 'POST', `/groups/${made.id}/read`);
    assert.equal((await outsider.event('message.read')).data.reader_id, wang.id);

    await ok(204, lili, 'DELETE', `/groups/${made.id}/members/${zhao.id}`); // removed
    assert.equal((await outsider.next((m) => m.type === 'unsubscribed')).topic, topic);
    assert.deepEqual((await outsider.event('group.left')).data, { group_id: made.id, user_id: zhao.id });
    await ok(204, wang, 'DELETE', `/groups/${made.id}/members/${wang.id}`); // left
    assert.equal((await member.next((m) => m.type === 'unsubscribed')).topic, topic);
    await ok(201, lili, 'POST', `/groups/${made.id}/messages`, { content: 'alone' });
    for (const peer of [outsider, member]) {
      await peer.settle();
      assert.ok(!peer.events('message.created').some((e) => e.data.content === 'alone'));
      assert.equal((await peer.subscribe(topic)).type, 'error');
      await peer.close();
    }
  });

  test('a changed profile is told to the feed', WAIT, async () => {
    const live = await Live.open(server, wang.token);
    await live.subscribe('feed');
    await ok(200, zhao, 'PUT', '/users/me', { nickname: '老赵' });
    const { data } = await live.event('user.updated');
    assert.equal(data.id, zhao.id);
    assert.equal(data.nickname, '老赵');
    await live.close();
  });

  test('events are told after the change is durable and before its answer can be acted upon', WAIT, async () => {
    const live = await Live.open(server, wang.token);
    await live.subscribe('feed');
    for (let i = 0; i < 20; i++) {
      const posting = post(lili, `durable ${i}`);
      const event = await live.event('post.created');
      // whoever hears of it can read it
      assert.equal((await ok(200, wang, 'GET', `/posts/${event.data.id}`)).content, `durable ${i}`);
      await posting;
    }
    await live.close();
  });

  test('numbers have no gaps and order is the same for all, with many writers at once', WAIT, async () => {
    const readers = [];
    for (let i = 0; i < 6; i++) readers.push(await Live.open(server, [lili, wang, zhao][i % 3].token));
    const starts = [];
    for (const reader of readers) starts.push((await reader.subscribe('feed')).id);
    const made = await Promise.all(Array.from({ length: 200 }, (_, i) => post([lili, wang, zhao][i % 3], `together ${i}`)));
    const last = starts[0] + 200;
    for (const reader of readers) await reader.next((m) => m.type === 'event' && m.id === last);
    const ids = new Set(made.map((p) => p.id));
    for (const [i, reader] of readers.entries()) {
      const events = reader.events('post.created').filter((e) => ids.has(e.data.id));
      assert.deepEqual(events.map((e) => e.id), Array.from({ length: 200 }, (_, n) => starts[i] + 1 + n));
      assert.deepEqual(events.map((e) => e.data.id), readers[0].events('post.created').filter((e) => ids.has(e.data.id)).map((e) => e.data.id));
      await reader.close();
    }
  });

  test('Live-Position of a page and a subscription from there meet without a gap', WAIT, async () => {
    let going = true;
    const writing = (async () => { for (let i = 0; going; i++) await post(lili, `flow ${i}`); })();
    for (let round = 0; round < 20; round++) {
      const page = await server.api('GET', '/posts?page_size=100', { token: wang.token });
      const position = Number(/feed=(\d+)/.exec(page.headers.get('live-position'))[1]);
      const live = await Live.open(server, wang.token);
      assert.equal((await live.subscribe('feed', position)).type, 'subscribed');
      await live.event('post.created');
      const known = new Set(page.body.items.map((p) => p.id));
      const events = live.events('post.created');
      assert.ok(events.every((e) => !known.has(e.data.id)), 'twice');
      const newest = Math.max(...known);
      assert.equal(events[0].data.id, newest + 1, 'a gap between state and stream');
      await live.close();
    }
    going = false;
    await writing;
  });
});

describe('presence, typing, heartbeat', () => {
  test('a member is there while any of their sockets is, and is told to go once', WAIT, async () => {
    const watcher = await Live.open(server, lili.token);
    const first = await watcher.ask({ type: 'presence', users: [zhao.id, lili.id] }, (m) => m.type === 'presence');
    assert.deepEqual(first.users, { [zhao.id]: false, [lili.id]: true });
    const tell = (m) => m.event === 'presence' && m.data.user_id === zhao.id;
    const sockets = [await Live.open(server, zhao.token), await Live.openLegacy(server, zhao.token), await Live.open(server, zhao.token)];
    assert.equal((await watcher.next(tell)).data.online, true);
    await sockets[0].close();
    sockets[1].destroy();
    const still = await watcher.ask({ type: 'presence', users: [zhao.id] }, (m) => m.type === 'presence');
    assert.equal(still.users[zhao.id], true);
    await sockets[2].close();
    assert.equal((await watcher.next(tell)).data.online, false);
    assert.deepEqual(watcher.messages.filter(tell).map((m) => m.data.online), [true, false]);
    await watcher.close();
  });

  test('a new list of members takes the place of the one before', WAIT, async () => {
    const watcher = await Live.open(server, lili.token);
    const watch = (users) => watcher.ask({ type: 'presence', users }, (m) => ['presence', 'error'].includes(m.type));
    for (let from = 1; from < 2000; from += 200) {
      const answer = await watch(Array.from({ length: 200 }, (_, i) => 100_000 + from + i));
      assert.equal(answer.type, 'presence');
    }
    await watch([zhao.id]);
    await watch([]);
    const zhaos = await Live.open(server, zhao.token);
    await zhaos.close();
    await watcher.settle();
    assert.equal(watcher.messages.filter((m) => m.event === 'presence').length, 0);
    await watcher.close();
  });

  test('typing is told to the other, or the group, without a number', WAIT, async () => {
    const made = await group(lili, wang);
    const li = await Live.open(server, lili.token);
    const wa = await Live.open(server, wang.token);
    await wa.subscribe('me');
    li.say({ type: 'typing', to: { user_id: wang.id } });
    assert.deepEqual(await wa.event('typing'), { type: 'event', topic: 'me', event: 'typing', data: { user_id: lili.id } });
    for (const peer of [li, wa]) await peer.subscribe(`group:${made.id}`);
    li.say({ type: 'typing', to: { group_id: made.id } });
    assert.deepEqual(await wa.event('typing'), {
      type: 'event', topic: `group:${made.id}`, event: 'typing', data: { user_id: lili.id, group_id: made.id },
    });
    const outsider = await Live.open(server, zhao.token);
    assert.equal((await outsider.ask({ type: 'typing', to: { group_id: made.id } }, (m) => m.type === 'error')).topic, `group:${made.id}`);
    for (const peer of [li, wa, outsider]) await peer.close();
  });

  test('heartbeats carry the head of every topic', WAIT, async () => {
    const live = await Live.open(server, wang.token);
    const feed = (await live.subscribe('feed')).id, me = (await live.subscribe('me')).id;
    await post(lili, 'heard');
    await live.event('post.created');
    const beat = await live.next((m) => m.type === 'heartbeat');
    assert.deepEqual(beat, { type: 'heartbeat', heads: { feed: feed + 1, me } });
    await live.close();
  });

  test('a peer that answers no ping is dropped', WAIT, async () => {
    const live = await Live.open(server, wang.token, { autoPong: false });
    assert.equal((await live.closed).code, 1006);
  });
});

describe('opening', () => {
  const open = (target, protocols, options) => new Live(socketUrl(server, target), protocols, options);
  const bearer = () => ({ headers: { authorization: `Bearer ${lili.token}` } });

  test('the subprotocol that was offered is chosen', WAIT, async () => {
    for (const [offered, chosen] of [
      [['hutong.v1', `bearer.${lili.token}`], 'hutong.v1'],
      [[`bearer.${lili.token}`, 'hutong.v1'], 'hutong.v1'],
      [[`bearer.${lili.token}`], `bearer.${lili.token}`],
    ]) {
      const live = open('/live', offered);
      assert.equal((await live.next()).type, 'hello');
      assert.equal(live.ws.protocol, chosen);
      await live.close();
    }
  });

  test('without, or with a wrong token, it is closed with a code that scripts can see', WAIT, async () => {
    for (const [target, options, code] of [
      ['/live', {}, 4001],
      ['/live?token=ignored-here', {}, 4001],
      ['/live?ticket=', {}, 4002],
      ['/live?ticket=nonsense', {}, 4002],
    ]) {
      const live = open(target, [], options);
      await live.opened;
      assert.equal((await live.closed).code, code, target);
      assert.deepEqual(live.messages, []);
    }
    assert.equal((await open('/live', ['bearer.nonsense']).closed).code, 4002);
  });

  test('a ticket opens once', WAIT, async () => {
    const { ticket, expires_in: seconds } = await ok(200, lili, 'POST', '/live/ticket');
    assert.equal(seconds, 30);
    const live = open(`/live?ticket=${ticket}`);
    assert.equal((await live.next()).user_id, lili.id);
    assert.equal((await open(`/live?ticket=${ticket}`).closed).code, 4002);
    await live.close();
  });

  test('a ticket is good for as long as it says, and a young one still is', WAIT, async () => {
    const brief = await startServer({ env: { HUTONG_LIVE_TICKET_SECONDS: '1' } });
    const { token } = await brief.register('brief');
    const get = async () => (await brief.api('POST', '/live/ticket', { token })).body;
    const old = await get();
    const late = performance.now() + old.expires_in * 1000;
    assert.equal(old.expires_in, 1);
    await until(() => brief.api('GET', '/health'), () => performance.now() > late);
    const young = await get();
    const refused = new Live(socketUrl(brief, `/live?ticket=${old.ticket}`));
    assert.equal((await refused.closed).code, 4002);
    const live = new Live(socketUrl(brief, `/live?ticket=${young.ticket}`));
    assert.equal((await live.next()).type, 'hello');
    await live.close();
    await brief.stop();
  });

  test('questions about topics are answered in their order', WAIT, async () => {
    const live = await Live.open(server, lili.token);
    const topics = ['me', ...Array.from({ length: 40 }, (_, i) => `post:${i + 1}`), 'group:999999', 'feed'];
    for (const topic of topics.slice(0, 20)) live.say({ type: 'subscribe', topic });
    live.say({ type: 'resume', topics: Object.fromEntries(topics.slice(20).map((topic) => [topic, 0])) });
    const heard = [];
    while (heard.length < topics.length) heard.push((await live.next((m) => m.type !== 'event')).topic);
    assert.deepEqual(heard, topics);
    await live.close();
  });

  test('a ticket of a log-in that has ended opens nothing', WAIT, async () => {
    const login = await server.api('POST', '/auth/login', { form: { username: 'lili', password: lili.password } });
    const { ticket } = await ok(200, { token: login.body.access_token }, 'POST', '/live/ticket');
    await ok(204, { token: login.body.access_token }, 'POST', '/auth/logout');
    assert.equal((await open(`/live?ticket=${ticket}`).closed).code, 4401);
  });

  test('strangers get no ticket', WAIT, async () => {
    assert.equal((await server.api('POST', '/live/ticket')).status, 401);
  });

  test('a foreign page is refused, our own and the listed ones are not', WAIT, async () => {
    for (const origin of ['https://evil.example', 'null', 'http://localhost:3000.evil.example']) {
      assert.equal(await open('/live', [], { ...bearer(), origin }).refusal, 403, origin);
    }
    for (const origin of [server.url, 'http://localhost:3000']) {
      const live = open('/live', [], { ...bearer(), origin });
      assert.equal((await live.next()).type, 'hello', origin);
      await live.close();
    }
  });

  test('a plain request is told to upgrade, another version is not spoken', WAIT, async () => {
    assert.equal((await server.api('GET', '/live', { token: lili.token })).status, 426);
    const old = open('/live', [], { ...bearer(), protocolVersion: 8 });
    assert.equal(await old.refusal, 426);
  });
});

describe('limits', () => {
  test('the 51st message of a second is the last', WAIT, async () => {
    const live = await Live.open(server, lili.token);
    for (let i = 0; i < 200; i++) live.say({ type: 'ping' });
    assert.equal((await live.closed).code, 1008);
    const pongs = live.messages.filter((m) => m.type === 'pong').length;
    assert.ok(pongs >= 50 && pongs <= 150, String(pongs));
  });

  test('300 topics are heard, the next is refused, one less makes room', { timeout: 60_000 }, async () => {
    const live = await Live.open(server, lili.token);
    const wanted = Array.from({ length: 300 }, (_, i) => `post:${i + 1}`);
    for (let at = 0; at < 300; at += 100) {
      live.say({ type: 'resume', topics: Object.fromEntries(wanted.slice(at, at + 100).map((t) => [t, 0])) });
    }
    for (let i = 0; i < 300; i++) await live.next((m) => ['subscribed', 'reload'].includes(m.type));
    const refused = await live.subscribe('feed');
    assert.equal(refused.type, 'error');
    assert.match(refused.detail, /too many topics/);
    await live.ask({ type: 'unsubscribe', topic: 'post:7' }, (m) => m.type === 'unsubscribed');
    assert.equal((await live.subscribe('feed')).type, 'subscribed');
    await live.close();
  });

  test('a message of 64 KiB is taken, one byte more is closed with 1009', WAIT, async () => {
    const live = await Live.open(server, lili.token);
    const filled = (bytes) => `{"type":"ping","x":"${'x'.repeat(bytes - 22)}"}`;
    assert.equal((await live.ask(filled(64 * 1024), (m) => m.type === 'pong')).type, 'pong');
    live.say(filled(64 * 1024 + 1));
    assert.equal((await live.closed).code, 1009);
  });

  test('text that is not UTF-8 is closed with 1007', WAIT, async () => {
    const live = await Live.open(server, lili.token);
    live.ws.send(Buffer.from([0x7b, 0xff, 0x7d]), { binary: false });
    assert.equal((await live.closed).code, 1007);
  });
});
