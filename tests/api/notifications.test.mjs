// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What members are told of: each deed once, to whom it concerns and nobody else, and no longer when
// it is undone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';

let server;
let number = 0;
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
});
after(() => server.stop());

// Fresh people for each test: what one is told in one of them is not there in the next.
async function people(...names) {
  number += 1;
  const all = [];
  for (const name of names) all.push({ name: `${name}_${number}`, ...await server.register(`${name}_${number}`) });
  return all;
}
async function resident(name) {
  const one = await server.register(name);
  await server.sql(`UPDATE users SET is_ai = 1 WHERE id = ${one.id}`);
  return one;
}

const call = (member, method, path, json) => server.api(method, path, { token: member.token, json });
const list = async (member, query = '') => assertOk(await call(member, 'GET', `/notifications${query}`));
const unread = async (member) => assertOk(await call(member, 'GET', '/notifications/unread_count')).unread_count;
const post = async (member, content) => assertOk(await call(member, 'POST', '/posts', { content }), 201);
const comment = async (member, { id }, content, parent_id) =>
  assertOk(await call(member, 'POST', `/posts/${id}/comments`, { content, parent_id }), 201);
const like = async (member, { id }, method = 'PUT') => assertOk(await call(member, method, `/posts/${id}/like`));
const follow = async (member, { id }, method = 'PUT') => assertOk(await call(member, method, `/users/${id}/follow`));
// "like by bob_3", newest first.
const told = async (member) => (await list(member)).items.map(({ kind, actor }) => `${kind} by ${actor.username.replace(/_\d+$/, '')}`);

test('a follow, a like, a comment, an answer and a mention are told, with what they are about', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'the lane is quiet today');
  await follow(bob, ada);
  await like(bob, about);
  const first = await comment(bob, about, 'not for long');
  const answer = await comment(ada, about, 'why?', first.id);
  const named = await post(bob, `come and see, @${ada.name}.`);

  const page = await list(ada);
  assert.deepEqual(await told(ada), ['mention by bob', 'comment by bob', 'like by bob', 'follow by bob']);
  assert.equal(page.unread_count, 4);
  assert.equal(page.next_before, null);
  for (const one of page.items) assertShape(one, 'notification');
  const [mention, commented, liked, followed] = page.items;
  const of = ({ post_id, comment_id, excerpt, is_read }) => ({ post_id, comment_id, excerpt, is_read });
  assert.deepEqual(of(mention), { post_id: named.id, comment_id: null, excerpt: named.content, is_read: false });
  assert.deepEqual(of(commented), { post_id: about.id, comment_id: first.id, excerpt: 'not for long', is_read: false });
  assert.deepEqual(of(liked), { post_id: about.id, comment_id: null, excerpt: about.content, is_read: false });
  assert.deepEqual(of(followed), { post_id: null, comment_id: null, excerpt: null, is_read: false });
  assert.equal(liked.actor.id, bob.id);

  const [reply] = (await list(bob)).items;
  assert.deepEqual([reply.kind, reply.comment_id, reply.excerpt], ['reply', answer.id, 'why?']);
  assert.deepEqual(await told(bob), ['reply by ada']);
});

test('nobody is told of their own deeds', async () => {
  const [ada] = await people('ada');
  const own = await post(ada, `I am @${ada.name}`);
  await like(ada, own);
  const said = await comment(ada, own, `me again, @${ada.name}`);
  await comment(ada, own, 'and again', said.id);
  assert.deepEqual(await told(ada), []);
  assert.equal(await unread(ada), 0);
});

test('residents are told nothing, and what they do is told', async () => {
  const [ada] = await people('ada');
  const lin = await resident(`lin_r${number}`);
  const hers = await post(lin, `good morning, @${ada.name}`);
  await like(ada, hers);
  await follow(ada, lin);
  const said = await comment(lin, hers, 'a fine day');
  await comment(ada, hers, `it is, @lin_r${number}`, said.id);
  assert.deepEqual(await server.sql(`SELECT id FROM notifications WHERE user_id = ${lin.id}`), []);
  await follow(lin, ada);
  assert.deepEqual((await list(ada)).items.map(({ kind, actor }) => [kind, actor.is_ai]), [['follow', true], ['mention', true]]);
});

test('what is taken back is told no longer, and done again told once, read or not', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'like me');
  const again = [
    [() => like(bob, about), () => like(bob, about, 'DELETE')],
    [() => follow(bob, ada), () => follow(bob, ada, 'DELETE')],
    [() => like(bob, about, 'POST'), () => like(bob, about, 'POST')], // toggles
  ];
  for (const [act, undo] of again) {
    await act();
    const [{ id }] = (await list(ada)).items;
    await undo();
    assert.deepEqual([await told(ada), await unread(ada)], [[], 0]);
    await act();
    assert.deepEqual((await list(ada)).items.map((one) => one.id), [id]);
    await call(ada, 'POST', '/notifications/read');
    await undo();
    await act();
    const page = await list(ada);
    assert.deepEqual([page.items.map((one) => [one.id, one.is_read]), page.unread_count], [[[id, true]], 0]);
    await undo();
    assert.deepEqual(await told(ada), []);
  }
});

test('of one comment everybody is told once, as what concerns them most', async () => {
  const [ada, bob, cem] = await people('ada', 'bob', 'cem');
  const about = await post(ada, 'a question');
  const first = await comment(bob, about, `@${ada.name} @${ada.name}: what about @${cem.name} and @${cem.name.toUpperCase()}?`);
  assert.deepEqual([await told(ada), await told(cem)], [['comment by bob'], ['mention by bob']]);
  await comment(cem, about, `@${bob.name} @${ada.name} here I am`, first.id);
  assert.deepEqual([await told(ada), await told(bob)], [['comment by cem', 'comment by bob'], ['reply by cem']]);
  const own = await comment(ada, about, 'mine');
  await comment(bob, about, `to you, @${ada.name}`, own.id);
  assert.equal((await told(ada))[0], 'reply by bob');
  assert.equal((await told(ada)).length, 3);
});

test('a name is told once, as the app shows it: not in mails or addresses, twenty of a text at most', async () => {
  const [ada, bob, dot] = await people('ada', 'bob', 'li-wei.x');
  for (const [text, tells] of [
    [`@${bob.name}`, true], [`你好@${bob.name}，`, false], [`你好 @${bob.name}，来`, true], [`(@${bob.name})`, true],
    [`@${bob.name}.`, true], [`@${bob.name.toUpperCase()}!`, true], [`mail@${bob.name}`, false], [`@@${bob.name}`, false],
    [`https://x.example/?q=@${bob.name}`, false], [`https://x.example/ @${bob.name}`, true], [`@${bob.name}x`, false],
    [`/@${bob.name}`, false], [`@nobody_of_that_name`, false],
  ]) {
    const before = (await list(bob)).items.length;
    await post(ada, text);
    assert.equal((await list(bob)).items.length - before, tells ? 1 : 0, text);
  }
  await post(ada, `and @${dot.name}. You too.`);
  assert.deepEqual(await told(dot), ['mention by ada']);

  const crowd = await people(...Array.from({ length: 22 }, (_, i) => `crowd${i}`));
  await post(ada, crowd.map(({ name }) => `@${name}`).join(' '));
  const counts = await Promise.all(crowd.map(unread));
  assert.deepEqual(counts, [...Array(20).fill(1), 0, 0]);
});

test('an edit tells who is named since, and takes it back from who is named no longer', async () => {
  const [ada, bob, cem] = await people('ada', 'bob', 'cem');
  const about = await post(ada, `hello @${bob.name}`);
  const edit = async (content) => assertOk(await call(ada, 'PUT', `/posts/${about.id}`, { content }));
  const [{ id }] = (await list(bob)).items;
  await call(bob, 'POST', '/notifications/read');
  await edit(`hello @${bob.name} and @${cem.name}`);
  assert.deepEqual([await told(bob), await unread(bob), await told(cem)], [['mention by ada'], 0, ['mention by ada']]);
  await edit(`hello @${cem.name}`);
  assert.deepEqual([await told(bob), await told(cem)], [[], ['mention by ada']]);
  await edit(`hello @${bob.name}`);
  const page = await list(bob);
  assert.deepEqual([page.items.map((one) => one.id), page.unread_count], [[id], 0]);
  assert.equal(page.items[0].excerpt, `hello @${bob.name}`);
});

test('what goes takes what was told of it along: comments, posts, accounts', async () => {
  const [ada, bob, cem, mod] = await people('ada', 'bob', 'cem', 'mod');
  const about = await post(ada, `with @${cem.name}`);
  const first = await comment(bob, about, `so, @${cem.name}`);
  await comment(cem, about, 'what?', first.id);
  await like(bob, about);
  await follow(bob, ada);
  await follow(mod, ada);
  assert.deepEqual([await unread(ada), await unread(bob), await unread(cem)], [5, 1, 2]);

  assertOk(await call(bob, 'DELETE', `/posts/${about.id}/comments/${first.id}`), 204);
  assert.deepEqual(await told(ada), ['follow by mod', 'follow by bob', 'like by bob', 'comment by cem']);
  assert.deepEqual([await told(cem), await told(bob)], [['mention by ada'], ['reply by cem']], 'the answer is still there');

  assertOk(await call(ada, 'DELETE', `/posts/${about.id}`), 204);
  assert.deepEqual([await told(ada), await told(bob), await told(cem)], [['follow by mod', 'follow by bob'], [], []]);
  await server.sql(`DELETE FROM users WHERE id = ${bob.id}`);
  assert.deepEqual(await told(ada), ['follow by mod']);
});

test('pages go back from the newest, and an excerpt is cut between characters', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'so?');
  const long = `${'😀'.repeat(139)}好吧`;
  for (const text of ['one', 'two', 'three', long, '😀'.repeat(140)]) await comment(bob, about, text);
  const first = await list(ada, '?limit=2');
  assert.deepEqual(first.items.map(({ excerpt }) => excerpt), ['😀'.repeat(140), `${'😀'.repeat(139)}好…`]);
  await comment(bob, about, 'meanwhile');
  const second = await list(ada, `?limit=2&before=${first.next_before}`);
  assert.deepEqual(second.items.map(({ excerpt }) => excerpt), ['three', 'two']);
  const last = await list(ada, `?limit=2&before=${second.next_before}`);
  assert.deepEqual([last.items.map(({ excerpt }) => excerpt), last.next_before, last.unread_count], [['one'], null, 6]);
  for (const [query, fault] of [['limit=0', 'limit greater_than_equal'], ['limit=101', 'limit less_than_equal'],
    ['before=x', 'before int_parsing']]) {
    assertProblem(await call(ada, 'GET', `/notifications?${query}`), 422, [`query.${fault}`]);
  }
});

test('reading goes up to one of them, or all; nobody reads another\'s', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'count me');
  for (let i = 0; i < 4; i += 1) await comment(bob, about, `${i}`);
  const { items } = await list(ada);
  const read = async (member, json) => assertOk(await call(member, 'POST', '/notifications/read', json)).unread_count;
  assert.equal(await read(ada, { up_to: items[2].id }), 2);
  assert.deepEqual((await list(ada)).items.map(({ is_read }) => is_read), [false, false, true, true]);
  assert.equal(await read(ada, { up_to: items[3].id }), 2, 'an older one changes nothing');
  assert.equal(await read(bob, {}), 0);
  assert.equal(await unread(ada), 2);
  assert.equal(await read(ada, { up_to: null }), 0);
  await comment(bob, about, 'one more');
  assert.equal(await read(ada), 0, 'also without a body');
  for (const up_to of ['7', 0, -1, 1.5, true]) {
    assertProblem(await call(ada, 'POST', '/notifications/read', { up_to }), 422, ['body.up_to int_type']);
  }
  assertProblem(await server.api('GET', '/notifications'), 401);
  assertProblem(await server.api('GET', '/notifications/unread_count'), 401);
  assertProblem(await server.api('POST', '/notifications/read'), 401);
});

// When the older ones go: tests/contract/test_notifications.c.
test('a thousand can be seen of each member, the newest', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'popular');
  // As if others had liked it for months: what is tested is what the next deed does.
  const rows = Array.from({ length: 1000 }, (_, i) => `(${ada.id}, 'old:${i}', 'like', ${bob.id}, ${about.id}, 1)`);
  await server.sql(`INSERT INTO notifications (user_id, occasion, kind, actor_id, post_id, created_us) VALUES ${rows.join()}`);
  await follow(bob, ada);
  await like(bob, about);
  assert.deepEqual((await list(ada, '?limit=2')).items.map(({ kind }) => kind), ['like', 'follow']);
  const seen = [];
  for (let before = ''; before !== null;) {
    const page = await list(ada, `?limit=100${before && `&before=${before}`}`);
    seen.push(...page.items.map(({ id }) => id));
    before = page.next_before ?? null;
  }
  assert.equal(seen.length, 1000);
  assert.equal(await unread(ada), 1000);
});

// --- live ---

const named = (name) => (m) => m.event === name;

test('whom it concerns hears of it at once on every device, and of what is gone and read', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'hear me');
  const phone = await Live.open(server, ada.token);
  const desk = await Live.open(server, ada.token);
  const others = await Live.open(server, bob.token);
  for (const one of [phone, desk, others]) await one.subscribe('me');
  await like(bob, about);
  for (const one of [phone, desk]) {
    const event = await one.next(named('notification.created'));
    assert.equal(event.topic, 'me');
    assertShape(event.data, 'notification');
    assert.deepEqual(event.data, (await list(ada)).items[0]);
  }
  await like(bob, about, 'DELETE');
  const gone = await phone.next(named('notification.deleted'));
  const said = await comment(bob, about, 'words');
  const { data: created } = await phone.next(named('notification.created'));
  assert.notEqual(gone.data.id, created.id);
  assert.equal(created.comment_id, said.id);
  await call(ada, 'POST', '/notifications/read', { up_to: created.id });
  assert.deepEqual((await desk.next(named('notification.read'))).data, { up_to: created.id });
  assertOk(await call(bob, 'DELETE', `/posts/${about.id}/comments/${said.id}`), 204);
  assert.deepEqual((await phone.next(named('notification.deleted'))).data, { id: created.id });
  await comment(bob, about, 'more words');
  assertOk(await call(ada, 'DELETE', `/posts/${about.id}`), 204);
  assert.deepEqual((await phone.next(named('notification.deleted'))).data, { post_id: about.id });
  await follow(ada, bob); // what comes last; nothing was told to bob before
  assert.equal((await others.next(named('notification.created'))).data.kind, 'follow');
  assert.equal(others.messages.filter(named('notification.created')).length, 1);
  for (const one of [phone, desk, others]) await one.close();
});

test('who was away hears what they missed, each in its newest form; the list says where it stands', async () => {
  const [ada, bob, cem] = await people('ada', 'bob', 'cem');
  const about = await post(ada, 'later');
  const page = await call(ada, 'GET', '/notifications');
  const position = Number(/^me=(\d+)$/.exec(page.headers.get('live-position'))[1]);
  await follow(bob, ada);
  for (const method of ['PUT', 'DELETE', 'PUT']) await like(bob, about, method);
  await like(cem, about);
  await like(cem, about, 'DELETE');
  const back = await Live.open(server, ada.token);
  await back.subscribe('me', position);
  const missed = back.messages.filter(({ event }) => event?.startsWith('notification.'));
  assert.deepEqual(missed.map(({ event, data }) => [event, data.kind]),
    [['notification.created', 'follow'], ['notification.created', 'like'], ['notification.deleted', undefined]]);
  assert.deepEqual((await list(ada)).items.map(({ id }) => id), [missed[1].data.id, missed[0].data.id]);
  await back.close();
});

test('what is refused tells nobody', async () => {
  const [ada, bob] = await people('ada', 'bob');
  const about = await post(ada, 'closed');
  assertProblem(await call(bob, 'POST', `/posts/${about.id}/comments`, { content: `@${ada.name}`, parent_id: 999999 }), 422);
  assertProblem(await call(bob, 'PUT', `/posts/${about.id}`, { content: `@${ada.name}` }), 403);
  assertProblem(await call(bob, 'POST', '/posts', { content: `@${ada.name}`, image_path: 'https://x.example/y.png' }), 422);
  assert.deepEqual(await told(ada), []);
});
