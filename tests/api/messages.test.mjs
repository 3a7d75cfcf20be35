// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Private messages and group chats: who sees what, in which order, read or not.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

let server;
let ada;
let bob;
let eve; // is never in on anything
let pairs = 0;
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off', HUTONG_LOOPS: '2' } });
  ada = await server.register('ada_msg');
  bob = await server.register('bob_msg');
  eve = await server.register('eve_msg');
});
after(() => server.stop());

const get = (path, member) => server.api('GET', path, { token: member?.token });
const send = (from, to, json, headers = {}) => server.api('POST', `/messages/send/${to}`, { token: from?.token, json, headers });
const tell = async (from, to, content) => assertOk(await send(from, to.id, { content }));
const read = (member, from) => server.api('POST', `/messages/read/${from}`, { token: member?.token });
const unread = async (member) => assertOk(await get('/messages/unread_count', member)).unread_count;
const history = (member, other, query = '') => get(`/messages/history/${other}${query}`, member);
const conversations = async (member, query = '') => assertOk(await get(`/messages/conversations${query}`, member));
const remove = (member, id) => server.api('DELETE', `/messages/${id}`, { token: member?.token });
const contents = (reply) => assertOk(reply).items.map(({ content }) => content);
// Two members who have never talked to anybody.
async function strangers() {
  pairs++;
  return [await server.register(`left_${pairs}`), await server.register(`right_${pairs}`)];
}

const NOT_THERE = ['0', '-1', '999999', '9223372036854775807'];
const NO_NUMBER = ['x', '1.5', '9223372036854775808', '%20'];

/* --- one message --- */

describe('a message', () => {
  test('is answered with 200, as older clients expect, and comes back as it was stored', async () => {
    const [a, b] = await strangers();
    const reply = await send(a, b.id, { content: ' 你好 👋 ', receiver_id: 1, group_id: 2 });
    const sent = assertOk(reply, 200);
    assertShape(sent, 'message');
    assert.deepEqual([sent.sender_id, sent.receiver_id, sent.group_id, sent.content, sent.is_read, sent.client_id],
      [a.id, b.id, null, '你好 👋', false, null]);
    assert.equal(sent.sender.username, a.username);
    for (const [member, other] of [[a, b], [b, a]]) {
      const body = assertOk(await history(member, other.id));
      assert.deepEqual(body.items, [sent]);
    }
  });

  test('has 1 to 2000 characters', async () => {
    assert.equal((await tell(ada, bob, '😀'.repeat(2000))).content.length, 4000);
    assertProblem(await send(ada, bob.id, { content: 'x'.repeat(2001) }), 422, ['body.content string_too_long']);
    assertProblem(await send(ada, bob.id, { content: '\u3000 ' }), 422, ['body.content string_too_short']);
    assertProblem(await send(ada, bob.id, { content: 5, client_id: 6 }), 422,
      ['body.content string_type', 'body.client_id string_type']);
    assertProblem(await send(ada, bob.id, {}), 422, ['body.content missing']);
    assertProblem(await send(ada, bob.id, { content: 'a\u0000' }), 422);
  });

  test('needs somebody else to go to', async () => {
    assertProblem(await send(ada, ada.id, { content: 'me' }), 400);
    assertProblem(await send(undefined, bob.id, { content: 'x' }), 401);
    for (const id of NOT_THERE) assertProblem(await send(ada, id, { content: 'x' }), 404);
    for (const id of NO_NUMBER) assertProblem(await send(ada, id, { content: 'x' }), 422, ['path.user_id int_parsing']);
  });

  test('sent again under its client_id is the same message', async () => {
    const [a, b] = await strangers();
    const first = assertOk(await send(a, b.id, { content: 'once', client_id: 'c-1' }));
    assert.equal(first.client_id, 'c-1');
    assert.deepEqual(assertOk(await send(a, b.id, { content: 'once', client_id: 'c-1' })), first);
    const at_once = await Promise.all(Array.from({ length: 20 }, () => send(a, b.id, { content: 'storm', client_id: 'c-2' })));
    assert.equal(new Set(at_once.map((reply) => assertOk(reply).id)).size, 1);
    assert.deepEqual(contents(await history(b, a.id)), ['once', 'storm']);
    assert.equal(await unread(b), 2);
    // Read meanwhile: the repetition says so.
    assertOk(await read(b, a.id));
    assert.equal(assertOk(await send(a, b.id, { content: 'once', client_id: 'c-1' })).is_read, true);
  });

  test('under a client_id that went to somebody else is a conflict, not lost in silence', async () => {
    const [a, b] = await strangers();
    const to_b = assertOk(await send(a, b.id, { content: 'for b', client_id: 'mine' }));
    assertProblem(await send(a, bob.id, { content: 'for bob', client_id: 'mine' }), 409);
    assertProblem(await send(a, b.id, { content: 'other words', client_id: 'mine' }), 409);
    const other = assertOk(await send(b, a.id, { content: 'from b', client_id: 'mine' }));
    assert.notEqual(other.id, to_b.id, 'names belong to their sender');
    for (const client_id of ['', 'x'.repeat(65), 'a\u0007']) {
      const reply = await send(a, b.id, { content: 'x', client_id });
      assertProblem(reply, 422);
      assert.equal(reply.body.errors[0].loc[1], 'client_id');
    }
    assertOk(await send(a, b.id, { content: 'x', client_id: null }));
    assertOk(await send(a, b.id, { content: 'x', client_id: 'x'.repeat(64) }));
  });

  test('sent again under its Idempotency-Key is the same message', async () => {
    const [a, b] = await strangers();
    const key = { 'idempotency-key': 'letter' };
    const replies = await Promise.all(Array.from({ length: 5 }, () => send(a, b.id, { content: 'keyed' }, key)));
    assert.equal(new Set(replies.map((reply) => assertOk(reply).id)).size, 1);
    assertProblem(await send(a, bob.id, { content: 'keyed' }, key), 409);
  });

  test('is deleted by its sender alone, for both, and the counts follow', async () => {
    const [a, b] = await strangers();
    const [one, two, three] = [await tell(a, b, 'one'), await tell(a, b, 'two'), await tell(a, b, 'three')];
    for (const member of [b, eve]) assertProblem(await remove(member, one.id), 404);
    assertProblem(await remove(undefined, one.id), 401);
    assertOk(await remove(a, one.id), 204);
    assertProblem(await remove(a, one.id), 404);
    assert.equal(await unread(b), 2);
    assertOk(await remove(a, three.id), 204);
    assert.deepEqual(contents(await history(b, a.id)), ['two']);
    assert.equal(assertOk(await history(b, a.id)).total, 1);
    const [row] = (await conversations(b)).conversations;
    assert.deepEqual([row.last_message.id, row.unread_count], [two.id, 1]);
    assertOk(await read(b, a.id));
    assertOk(await remove(a, two.id), 204);
    assert.deepEqual((await conversations(a)).conversations, []);
    assert.deepEqual((await conversations(b)).conversations, []);
    assert.equal(await unread(b), 0);
    await tell(b, a, 'new start');
    assert.equal((await conversations(a)).conversations[0].unread_count, 1);
    for (const id of NOT_THERE) assertProblem(await remove(a, id), 404);
    for (const id of NO_NUMBER) assertProblem(await remove(a, id), 422, ['path.message_id int_parsing']);
  });
});

/* --- history --- */

describe('the history with a member', () => {
  let a;
  let b;
  let all;
  before(async () => {
    [a, b] = await strangers();
    all = [];
    for (let i = 0; i < 23; i++) all.push((await tell(i % 3 ? a : b, i % 3 ? b : a, `m${i}`)).content);
  });

  test('counts pages back from the newest and is oldest first inside', async () => {
    const body = assertOk(await history(a, b.id, '?page=1&page_size=10'));
    assert.deepEqual(Object.keys(body), ['items', 'next_before', 'total', 'page', 'page_size', 'other_user']);
    assert.deepEqual([body.total, body.page, body.page_size, body.other_user.id], [23, 1, 10, b.id]);
    for (const item of body.items) assertShape(item, 'message');
    assertShape(body.other_user, 'userBrief');
    assert.deepEqual(contents(await history(a, b.id, '?page=1&page_size=10')), all.slice(13));
    assert.deepEqual(contents(await history(b, a.id, '?page=2&page_size=10')), all.slice(3, 13));
    assert.deepEqual(contents(await history(b, a.id, '?page=3&page_size=10')), all.slice(0, 3));
    assert.deepEqual(contents(await history(b, a.id, '?page=4&page_size=10')), []);
    assert.equal(assertOk(await history(b, a.id)).page_size, 50);
  });

  test('reads by cursor in both directions, each message once, while more come', async () => {
    const seen = [];
    let extra = 0;
    for (let query = '?limit=5'; query;) {
      const body = assertOk(await history(a, b.id, query));
      seen.unshift(...body.items.map(({ content }) => content));
      query = body.next_before === null ? '' : `?limit=5&before=${body.next_before}`;
      await tell(b, a, `extra ${extra++}`);
    }
    assert.deepEqual(seen, all);
    const { items: [oldest] } = assertOk(await history(a, b.id, `?page_size=1&page=${23 + extra}`));
    const onwards = [];
    for (let after = oldest.id; after !== null;) {
      const body = assertOk(await history(a, b.id, `?limit=5&after=${after}`));
      onwards.push(...body.items.map(({ content }) => content));
      after = body.next_after;
    }
    assert.deepEqual(onwards.slice(0, 22), all.slice(1));
    assert.equal(onwards.length, 22 + extra);
  });

  test('keeps its order among messages of the same microsecond', async () => {
    await server.sql(`UPDATE messages SET created_us = 1700000000000000 WHERE sender_id IN (${a.id}, ${b.id})`);
    assert.deepEqual(contents(await history(a, b.id, '?page_size=100')).slice(0, 23), all);
  });

  test('with oneself or somebody never met is empty', async () => {
    for (const other of [a.id, eve.id]) {
      const body = assertOk(await history(a, other));
      assert.deepEqual([body.items, body.total, body.other_user.id], [[], 0, other]);
    }
  });

  test('refuses questions that make no sense', async () => {
    for (const [query, fault] of [['page=0', 'page greater_than_equal'], ['page=-5', 'page greater_than_equal'],
      ['page_size=0', 'page_size greater_than_equal'], ['page_size=-1', 'page_size greater_than_equal'],
      ['page_size=101', 'page_size less_than_equal'], ['page=99999999999999999999', 'page int_parsing'],
      ['limit=1000', 'limit less_than_equal'], ['before=1&after=1', 'after value_error'],
      ['before=-1', 'before greater_than_equal']]) {
      assertProblem(await history(a, b.id, `?${query}`), 422, [`query.${fault}`]);
    }
    assertOk(await history(a, b.id, '?page=2147483647&page_size=100'));
    for (const id of NOT_THERE) assertProblem(await history(a, id), 404);
    for (const id of NO_NUMBER) assertProblem(await history(a, id), 422, ['path.user_id int_parsing']);
    assertProblem(await history(undefined, b.id), 401);
  });
});

/* --- read, unread, conversations --- */

describe('reading', () => {
  test('everything from one member takes it off the count, and shows the sender', async () => {
    const [a, b] = await strangers();
    const c = await server.register('third_msg');
    await tell(a, b, '1');
    await tell(a, b, '2');
    await tell(c, b, '3');
    assert.deepEqual([await unread(a), await unread(b)], [0, 3]);
    const done = assertOk(await read(b, a.id));
    assert.deepEqual(Object.keys(done), ['success', 'message']);
    assert.equal(done.success, true);
    assert.equal(await unread(b), 1);
    for (const [member, other] of [[a, b], [b, a]]) {
      assert.ok(assertOk(await history(member, other.id)).items.every((item) => item.is_read));
    }
    const late = await tell(a, b, 'after reading');
    assert.equal(assertOk(await history(a, b.id)).items.at(-1).is_read, false);
    // Answering is not reading.
    await tell(b, a, 'answer');
    const items = new Map(assertOk(await history(a, b.id)).items.map((item) => [item.id, item]));
    assert.equal(items.get(late.id).is_read, false);
    assert.equal(await unread(b), 2);
    assert.equal(await unread(a), 1);
  });

  test('is fine when there is nothing, or nobody', async () => {
    const [a] = await strangers();
    for (const id of [String(bob.id), String(a.id), ...NOT_THERE]) assert.equal(assertOk(await read(a, id)).success, true);
    for (const id of NO_NUMBER) assertProblem(await read(a, id), 422, ['path.user_id int_parsing']);
    assertProblem(await read(undefined, 1), 401);
  });

  test('counts exactly while many write at once', async () => {
    const [a, b] = await strangers();
    await Promise.all(Array.from({ length: 40 }, (_, i) => tell(a, b, `w${i}`)));
    assert.equal(await unread(b), 40);
    const { total, items } = assertOk(await history(b, a.id, '?page_size=100'));
    assert.equal(total, 40);
    assert.equal(new Set(items.map(({ content }) => content)).size, 40);
    const numbers = items.map(({ id }) => id);
    assert.deepEqual(numbers, [...numbers].sort((x, y) => x - y));
  });
});

describe('the list of conversations', () => {
  test('shows each partner once, the newest last message first', async () => {
    const [me] = await strangers();
    const others = [];
    for (let i = 0; i < 5; i++) others.push(await server.register(`partner_${i}`));
    for (const other of others) await tell(other, me, `hello from ${other.username}`);
    await tell(me, others[1], 'mine is the newest');
    const body = await conversations(me);
    assert.deepEqual(Object.keys(body), ['conversations', 'next_before']);
    for (const row of body.conversations) {
      assertShape(row, 'conversation');
      assertShape(row.last_message, 'lastMessage');
    }
    const order = [1, 4, 3, 2, 0].map((i) => others[i].id);
    assert.deepEqual(body.conversations.map(({ user }) => user.id), order);
    assert.deepEqual(body.conversations.map(({ last_message: last }) => last.is_mine), [true, false, false, false, false]);
    assert.deepEqual(body.conversations.map((row) => row.unread_count), [1, 1, 1, 1, 1]);
    assert.equal(body.conversations[0].last_message.content, 'mine is the newest');
    assert.deepEqual((await conversations(others[1])).conversations.map((row) => row.unread_count), [1]);

    const seen = [];
    for (let before = ''; before !== null;) {
      const page = await conversations(me, `?limit=2${before}`);
      seen.push(...page.conversations.map(({ user }) => user.id));
      before = page.next_before === null ? null : `&before=${page.next_before}`;
    }
    assert.deepEqual(seen, order);
  });

  test('shows the right last message among many of one microsecond', async () => {
    const [a, b] = await strangers();
    for (let i = 0; i < 5; i++) await tell(a, b, `burst ${i}`);
    await server.sql(`UPDATE messages SET created_us = 1700000000000000 WHERE sender_id = ${a.id}`);
    assert.equal((await conversations(b)).conversations[0].last_message.content, 'burst 4');
  });

  test('refuses questions that make no sense, and strangers', async () => {
    for (const [query, fault] of [['limit=0', 'limit greater_than_equal'], ['limit=501', 'limit less_than_equal'],
      ['before=x', 'before int_parsing']]) {
      assertProblem(await get(`/messages/conversations?${query}`, ada), 422, [`query.${fault}`]);
    }
    assertProblem(await get('/messages/conversations'), 401);
    assertProblem(await get('/messages/unread_count'), 401);
  });
});

/* The server keeps lists, each of its loops its own, and tells readers that theirs is still good. */
describe('a list of conversations asked for again', () => {
  const list = (member, headers = {}, query = '') => server.api('GET', `/messages/conversations${query}`, { token: member.token, headers });
  // All at once, on connections of their own, so that every loop is asked.
  const everywhere = (member, headers) => Promise.all(Array.from({ length: 12 }, () => list(member, headers)));
  let questions = 100;
  // A question that was never asked is answered from the store.
  const stored = async (member) => assertOk(await list(member, {}, `?limit=${++questions}`)).conversations;
  const change = (member, json) => server.api('PUT', '/users/me', { token: member.token, json });

  test('is named by a tag that is good while nothing changes, for its reader and question alone', async () => {
    const [a, b] = await strangers();
    await tell(a, b, 'hello');
    const first = await list(a);
    const tag = first.headers.get('etag');
    assert.match(tag, /^W\/"[^"]+"$/);
    for (const reply of await everywhere(a)) {
      assert.deepEqual([reply.status, reply.text, reply.headers.get('etag')], [200, first.text, tag]);
      assert.match(reply.headers.get('cache-control'), /private/);
    }
    for (const reply of await everywhere(a, { 'if-none-match': tag })) {
      assert.deepEqual([reply.status, reply.text, reply.headers.get('etag')], [304, '', tag]);
    }
    assert.equal((await list(b, { 'if-none-match': tag })).status, 200);
    assert.equal((await list(a, { 'if-none-match': tag }, '?limit=7')).status, 200);
    assert.equal((await list(a, { 'if-none-match': tag }, '?before=99999999')).status, 200);
    // What others do to each other is nothing to this reader.
    const [c, d] = await strangers();
    await tell(c, d, 'not for you');
    assert.equal((await list(a, { 'if-none-match': tag })).status, 304);
  });

  test('shows everything that changed, wherever it is asked', async () => {
    const [a, b] = await strangers();
    const c = await server.register(`third_${pairs}`);
    const said = await tell(b, a, 'the first');
    let mine;
    const deeds = [
      ['a message to them', () => tell(b, a, 'the second')],
      ['their own message', async () => { mine = await tell(a, b, 'the third'); }],
      ['a new partner', () => tell(c, a, 'here I am')],
      ['what they read', () => read(a, b.id)],
      ['an older message deleted', () => remove(b, said.id)],
      ['the last message deleted', () => remove(a, mine.id)],
      ["a partner's nickname", () => change(b, { nickname: 'B the second' })],
      ["a partner's picture", async () => change(b, { avatar_path: await server.leavePicture('/files/avatars/avatar_1_0a1b2c.png') })],
      ["a partner's picture taken away", () => change(b, { avatar_path: '' })],
      ["the other partner's nickname", () => change(c, { nickname: 'C the second' })],
    ];
    for (const [what, deed] of deeds) {
      const before = await everywhere(a);
      const tag = before[0].headers.get('etag');
      await deed();
      const expected = await stored(a);
      if (!what.startsWith('an older')) assert.notDeepEqual(expected, before[0].body.conversations, what);
      for (const reply of await everywhere(a, { 'if-none-match': tag })) {
        assert.equal(reply.status, 200, what);
        assert.notEqual(reply.headers.get('etag'), tag, what);
        assert.deepEqual(reply.body.conversations, expected, what);
      }
    }
  });

  test('is never older than the answer to what its reader just did, while it is asked for all the time', async () => {
    const [a, b] = await strangers();
    let done = false;
    const ask = async () => { while (!done) assertOk(await list(a)); };
    const asking = Promise.all([ask(), ask(), ask(), ask()]);
    try {
      for (let i = 0; i < 20; i++) {
        // One right after the other: a list is under way when the next is stored.
        for (let n = 0; n < 5; n++) await tell(b, a, `round ${i}, ${n}`);
        const mine = await tell(a, b, `round ${i}, mine`);
        for (const reply of await everywhere(a)) {
          assert.equal(assertOk(reply).conversations[0].last_message.id, mine.id, `round ${i}`);
        }
      }
    } finally {
      done = true;
      await asking;
    }
  });

  test('is refused once its reader logged out, whatever tag they hold', async () => {
    const [a, b] = await strangers();
    await tell(a, b, 'farewell');
    const tag = (await list(a)).headers.get('etag');
    assertOk(await server.api('POST', '/auth/logout', { token: a.token }), 204);
    for (const reply of await everywhere(a, { 'if-none-match': tag })) assertProblem(reply, 401);
  });
});

/* --- groups --- */

const open = (member, json) => server.api('POST', '/groups', { token: member?.token, json });
const group = async (owner, name, ...members) => assertOk(await open(owner, { name, members: members.map(({ id }) => id) }), 201);
const look = (member, id) => get(`/groups/${id}`, member);
const say = (member, id, json) => server.api('POST', `/groups/${id}/messages`, { token: member?.token, json });
const heard = (member, id, query = '') => get(`/groups/${id}/messages${query}`, member);
const invite = (member, id, user) => server.api('POST', `/groups/${id}/members`, { token: member?.token, json: { user_id: user } });
const expel = (member, id, user) => server.api('DELETE', `/groups/${id}/members/${user}`, { token: member?.token });
const catchUp = (member, id) => server.api('POST', `/groups/${id}/read`, { token: member?.token });
const rename = (member, id, name) => server.api('PUT', `/groups/${id}`, { token: member?.token, json: { name } });

describe('a group', () => {
  test('opens with its owner and whom the owner names', async () => {
    const made = await group(ada, ' 胡同口 ', bob);
    assertShape(made, 'group');
    assert.deepEqual([made.name, made.group_type, made.owner_id, made.members_count, made.messages_count, made.unread_count, made.last_message],
      ['胡同口', 'online', ada.id, 2, 0, 0, null]);
    const body = assertOk(await look(bob, made.id));
    assert.deepEqual(Object.keys(body), ['group', 'members']);
    assertShape(body.group, 'group');
    for (const member of body.members) assertShape(member, 'groupMember');
    assert.deepEqual(body.members.map(({ user }) => user.id), [ada.id, bob.id]);
  });

  test('takes the owner, a name twice, or nobody else without complaint', async () => {
    const made = assertOk(await open(ada, { name: 'twice', members: [bob.id, ada.id, bob.id] }), 201);
    assert.equal(made.members_count, 2);
    for (const members of [undefined, null, []]) assert.equal(assertOk(await open(ada, { name: 'alone', members }), 201).members_count, 1);
  });

  test('has a name of 1 to 100 characters and members who exist', async () => {
    assertOk(await open(ada, { name: '名'.repeat(100) }), 201);
    assertProblem(await open(ada, { name: '名'.repeat(101) }), 422, ['body.name string_too_long']);
    assertProblem(await open(ada, { name: ' ' }), 422, ['body.name string_too_short']);
    assertProblem(await open(ada, {}), 422, ['body.name missing']);
    assertProblem(await open(ada, { name: 5, members: 'bob' }), 422, ['body.name string_type', 'body.members list_type']);
    for (const members of [['1'], [1.5], [-1], [null], [true], [18446744073709551616]]) {
      assertProblem(await open(ada, { name: 'x', members }), 422, ['body.members int_type']);
    }
    assertProblem(await open(ada, { name: 'x', members: Array(101).fill(bob.id) }), 422, ['body.members too_long']);
    const before = assertOk(await get('/groups?limit=100', ada)).items.length;
    for (const id of [0, 999999, 9007199254740991]) assertProblem(await open(ada, { name: 'x', members: [bob.id, id] }), 404);
    assert.equal(assertOk(await get('/groups?limit=100', ada)).items.length, before, 'half a group is none');
    assertProblem(await open(undefined, { name: 'x' }), 401);
  });

  test('is talked in by all of its members, in order, with cursors', async () => {
    const { id } = await group(ada, 'talk', bob);
    const said = [];
    for (let i = 0; i < 11; i++) {
      const one = assertOk(await say(i % 2 ? ada : bob, id, { content: ` line ${i} ` }), 201);
      assertShape(one, 'message');
      assert.deepEqual([one.group_id, one.receiver_id, one.content], [id, null, `line ${i}`]);
      said.push(one.content);
    }
    const body = assertOk(await heard(bob, id));
    assert.deepEqual(Object.keys(body), ['items', 'next_before']);
    for (const item of body.items) assertShape(item, 'message');
    assert.deepEqual(contents(await heard(ada, id)), said);
    const back = [];
    for (let query = '?limit=4'; query;) {
      const page = assertOk(await heard(ada, id, query));
      back.unshift(...page.items.map(({ content }) => content));
      query = page.next_before === null ? '' : `?limit=4&before=${page.next_before}`;
    }
    assert.deepEqual(back, said);
    const onwards = [];
    for (let after = body.items[0].id; after !== null;) {
      const page = assertOk(await heard(ada, id, `?limit=4&after=${after}`));
      onwards.push(...page.items.map(({ content }) => content));
      after = page.next_after;
    }
    assert.deepEqual(onwards, said.slice(1));
    assertProblem(await heard(ada, id, '?before=5&after=3'), 422, ['query.after value_error']);
    assertProblem(await heard(ada, id, '?limit=0'), 422, ['query.limit greater_than_equal']);
  });

  test('stores a message of one client_id once', async () => {
    const { id } = await group(ada, 'once', bob);
    const replies = await Promise.all(Array.from({ length: 10 }, () => say(ada, id, { content: 'x', client_id: 'group-1' })));
    assert.equal(new Set(replies.map((reply) => assertOk(reply, 201).id)).size, 1);
    assertProblem(await send(ada, bob.id, { content: 'x', client_id: 'group-1' }), 409);
    assertProblem(await say(ada, id, { content: 'x'.repeat(2001) }), 422, ['body.content string_too_long']);
    assertProblem(await say(ada, id, {}), 422, ['body.content missing']);
  });

  test('counts for each member what they have not read', async () => {
    const cat = await server.register('cat_msg');
    const { id } = await group(ada, 'counts', bob);
    const unreadOf = async (member) => assertOk(await look(member, id)).group.unread_count;
    for (let i = 0; i < 3; i++) assertOk(await say(ada, id, { content: `c${i}` }), 201);
    assert.deepEqual([await unreadOf(ada), await unreadOf(bob)], [0, 3]);
    assertOk(await invite(ada, id, cat.id), 204);
    assert.equal(await unreadOf(cat), 0, 'what was said before one came is no news');
    const last = assertOk(await say(bob, id, { content: 'c3' }), 201);
    assert.deepEqual([await unreadOf(ada), await unreadOf(bob), await unreadOf(cat)], [1, 0, 1]);
    assertOk(await catchUp(ada, id), 204);
    assertOk(await catchUp(ada, id), 204);
    assert.equal(await unreadOf(ada), 0);
    const { members } = assertOk(await look(ada, id));
    assert.equal(members.find(({ user }) => user.id === ada.id).read_id, last.id);
    assert.notEqual(members.find(({ user }) => user.id === cat.id).read_id, last.id);
    assertOk(await remove(bob, last.id), 204);
    assert.deepEqual([await unreadOf(ada), await unreadOf(bob), await unreadOf(cat)], [0, 0, 0]);
    assertOk(await say(ada, id, { content: 'c4' }), 201);
    assert.deepEqual([await unreadOf(ada), await unreadOf(bob), await unreadOf(cat)], [0, 1, 1]);
    assert.equal(await unread(cat), 0, 'the count of private messages is another');
  });

  test('stands in the list of each member with its last message', async () => {
    const [a, b] = await strangers();
    const made = [await group(a, 'g1', b), await group(a, 'g2'), await group(a, 'g3', b)];
    const said = assertOk(await say(b, made[0].id, { content: 'last word' }), 201);
    const { items } = assertOk(await get('/groups', a));
    for (const item of items) assertShape(item, 'group');
    assert.deepEqual(items.map(({ name }) => name), ['g1', 'g2', 'g3']);
    assert.deepEqual(items[0].last_message, { id: said.id, sender_id: b.id, content: 'last word', created_at: said.created_at });
    assert.equal(items[1].last_message, null);
    const one = assertOk(await get(`/groups/${items[0].id}`, a)).group;
    assert.deepEqual(one, items[0], 'one by itself is the same');
    assert.deepEqual(assertOk(await get('/groups', b)).items.map(({ name }) => name), ['g1', 'g3']);
    assert.deepEqual(assertOk(await get(`/groups?limit=1&after=${made[0].id}`, a)).items.map(({ name }) => name), ['g2']);
    assertOk(await remove(b, said.id), 204);
    assert.equal(assertOk(await get('/groups', a)).items[0].last_message, null);
    assertProblem(await get('/groups?limit=101', a), 422, ['query.limit less_than_equal']);
    assertProblem(await get('/groups'), 401);
  });

  test('is renamed by its owner only', async () => {
    const { id } = await group(ada, 'old', bob);
    assertProblem(await rename(bob, id, 'new'), 403);
    assertProblem(await rename(ada, id, ''), 422, ['body.name string_too_short']);
    assertProblem(await rename(ada, id, 5), 422, ['body.name string_type']);
    const renamed = assertOk(await rename(ada, id, ' 新名 "quoted" '));
    assertShape(renamed, 'group');
    assert.equal(renamed.name, '新名 "quoted"');
    assert.equal(assertOk(await look(bob, id)).group.name, '新名 "quoted"');
  });

  test('lets any member invite, once', async () => {
    const { id } = await group(ada, 'inviting', bob);
    const guest = await server.register('guest_msg');
    assertOk(await invite(bob, id, guest.id), 204);
    assertProblem(await invite(ada, id, guest.id), 409);
    assertProblem(await invite(eve, id, eve.id), 404);
    for (const user of [0, 999999]) assertProblem(await invite(ada, id, user), 404);
    for (const user of ['7', null, -1, 1.5, undefined]) assertProblem(await invite(ada, id, user), 422, ['body.user_id int_type']);
    assert.equal(assertOk(await look(guest, id)).members.length, 3);
  });

  test('loses who leaves or is removed at once, and goes on without its owner', async () => {
    const dog = await server.register('dog_msg');
    const { id } = await group(ada, 'leaving', bob, dog);
    assertOk(await say(bob, id, { content: 'still here' }), 201);
    assertProblem(await expel(bob, id, dog.id), 403);
    assertProblem(await expel(ada, id, eve.id), 404);
    assertOk(await expel(ada, id, dog.id), 204);
    for (const reply of [await look(dog, id), await heard(dog, id), await say(dog, id, { content: 'x' }), await catchUp(dog, id)]) {
      assertProblem(reply, 404);
    }
    assertProblem(await expel(ada, id, dog.id), 404);
    assertOk(await expel(ada, id, ada.id), 204);
    assertProblem(await look(ada, id), 404);
    const { group: left } = assertOk(await look(bob, id));
    assert.deepEqual([left.owner_id, left.members_count], [bob.id, 1]);
    assert.equal(assertOk(await rename(bob, id, 'mine now')).owner_id, bob.id);
    assert.deepEqual(contents(await heard(bob, id)), ['still here']);
    assertOk(await expel(bob, id, bob.id), 204);
    assertProblem(await look(bob, id), 404);
    assert.deepEqual(await server.sql(`SELECT id FROM chat_groups WHERE id = ${id}`), [], 'the last one out turns off the light');
    assert.deepEqual(await server.sql(`SELECT id FROM messages WHERE group_id = ${id}`), []);
  });

  // Two at once, in many groups: on MariaDB each of the two sees the group as it was before the other.
  test('has an owner who is in it and nobody who was lost, whoever comes and goes at the same moment', async () => {
    const dog = await server.register('dog_race');
    const rooms = (...members) => Promise.all(Array.from({ length: 16 }, () => group(ada, 'race', ...members)));
    const owned = async (id, member) => {
      const { group: now, members } = assertOk(await look(member, id));
      assert.ok(members.some(({ user }) => user.id === now.owner_id), `the owner ${now.owner_id} is in ${JSON.stringify(members)}`);
      assert.equal(now.members_count, members.length);
    };
    const both = (ids, one, other) => Promise.all(ids.map(async ({ id }) => [id, ...(await Promise.all([one(id), other(id)])).map(({ status }) => status)]));

    for (const [id, left, next] of await both(await rooms(bob, dog), (at) => expel(ada, at, ada.id), (at) => expel(bob, at, bob.id))) {
      assert.deepEqual([left, next], [204, 204]);
      await owned(id, dog);
    }
    for (const [id, left, expelled] of await both(await rooms(bob, dog), (at) => expel(ada, at, ada.id), (at) => expel(ada, at, bob.id))) {
      assert.ok(left === 204 && [204, 404].includes(expelled), `${left} ${expelled}`);
      await owned(id, dog);
    }
    for (const [id, left, invited] of await both(await rooms(), (at) => expel(ada, at, ada.id), (at) => invite(ada, at, bob.id))) {
      assert.ok(left === 204 && [204, 404].includes(invited), `${left} ${invited}`);
      if (invited === 204) await owned(id, bob);
      assert.equal((await look(bob, id)).status, invited === 204 ? 200 : 404);
    }
  });

  test('has an owner who is in it when the account of its owner goes while the next one leaves', async () => {
    const dog = await server.register('dog_heir');
    for (let i = 0; i < 6; i++) {
      const owner = await server.register(`owner_${i}`);
      const heir = await server.register(`heir_${i}`);
      const rooms = await Promise.all(Array.from({ length: 6 }, () => group(owner, 'heirs', heir, dog)));
      const [gone, ...left] = await Promise.all([
        server.api('DELETE', '/users/me', { token: owner.token, json: { password: owner.password } }),
        ...rooms.map(({ id }) => expel(heir, id, heir.id))]);
      assert.deepEqual([gone, ...left].map(({ status }) => status), Array(7).fill(204));
      for (const { id } of rooms) {
        const { group: now, members } = assertOk(await look(dog, id));
        assert.deepEqual([now.owner_id, members.map(({ user }) => user.id)], [dog.id, [dog.id]]);
      }
    }
  });

  test('does not exist for whoever is not in it', async () => {
    const { id } = await group(ada, 'secret', bob);
    const said = assertOk(await say(ada, id, { content: 'secret' }), 201);
    const asks = (at, member) => [look(member, at), heard(member, at), say(member, at, { content: 'x' }),
      invite(member, at, bob.id), rename(member, at, 'x'), expel(member, at, member?.id ?? 1), expel(member, at, bob.id), catchUp(member, at)];
    for (const reply of await Promise.all(asks(id, eve))) {
      assertProblem(reply, 404);
      assert.doesNotMatch(reply.text, /secret/);
    }
    for (const reply of await Promise.all(asks(id, undefined))) assertProblem(reply, 401);
    for (const other of NOT_THERE) for (const reply of await Promise.all(asks(other, ada))) assertProblem(reply, 404);
    for (const other of NO_NUMBER) for (const reply of await Promise.all(asks(other, ada))) assertProblem(reply, 422);
    assertProblem(await remove(eve, said.id), 404);
    assert.deepEqual(assertOk(await get('/groups', eve)).items, []);
    assert.equal(assertOk(await look(ada, id)).members.length, 2);
  });
});
