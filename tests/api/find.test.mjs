// SPDX-License-Identifier: AGPL-3.0-or-later
//
// GET /search/messages: what one wrote and was written, and never what others say to each other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

let server;
let ada;
let bob;
let eve;
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
  [ada, bob, eve] = [await server.register('ada_find'), await server.register('bob_find'), await server.register('eve_find')];
});
after(() => server.stop());

const tell = async (from, to, content) => assertOk(await server.api('POST', `/messages/send/${to.id}`, { token: from.token, json: { content } })).id;
const say = async (from, group, content) => assertOk(await server.api('POST', `/groups/${group.id}/messages`, { token: from.token, json: { content } }), 201).id;
const open = async (from, name, ...members) => assertOk(await server.api('POST', '/groups', { token: from.token, json: { name, members: members.map(({ id }) => id) } }), 201);
const look = (member, q, rest = '') => server.api('GET', `/search/messages?q=${encodeURIComponent(q)}${rest}`, { token: member?.token });
const found = async (member, q, rest) => assertOk(await look(member, q, rest)).items.map(({ message }) => message.id);

test('words and parts of words are found in letters and groups, newest first, whatever the case', async () => {
  const group = await open(ada, '读书会', bob);
  const first = await tell(ada, bob, 'The Kingfisher sat by the river');
  const second = await say(bob, group, '河边有一只 KINGFISHER，真漂亮');
  const third = await tell(bob, ada, 'no bird at all; ÉTÉ');
  assert.deepEqual(await found(ada, 'kingfisher'), [second, first]);
  assert.deepEqual(await found(bob, 'fish'), [second, first]);
  assert.deepEqual(await found(ada, '河边'), [second]);
  assert.deepEqual(await found(ada, '真　kingf'), [second]);
  assert.deepEqual(await found(ada, 'river sat'), [first]);
  assert.deepEqual(await found(ada, 'river bird'), []);
  assert.deepEqual(await found(ada, 'été'), [third]);
  for (const nothing of ['%', '_ing', '   ']) assert.deepEqual(await found(ada, nothing), [], nothing);
  const { items } = assertOk(await look(ada, 'kingfisher'));
  assert.deepEqual(items.map(({ user, group_name: name, message }) => [user?.username ?? null, name, message.group_id]),
    [[null, '读书会', group.id], ['bob_find', null, null]]);
  assert.deepEqual(await found(ada, 'kingfisher', `&with=${bob.id}`), [first]);
  assert.deepEqual(await found(ada, 'kingfisher', `&group=${group.id}`), [second]);
});

test('nobody finds what others say to each other, or in a group they are not in any more', async () => {
  const group = await open(ada, 'two', bob);
  await tell(ada, bob, 'wolverine between us');
  await say(ada, group, 'wolverine in the group');
  assert.deepEqual(await found(eve, 'wolverine'), []);
  assert.deepEqual(await found(eve, 'wolverine', `&with=${ada.id}`), []);
  assertProblem(await look(eve, 'wolverine', `&group=${group.id}`), 404);
  assert.equal((await found(bob, 'wolverine')).length, 2);
  assertOk(await server.api('DELETE', `/groups/${group.id}/members/${bob.id}`, { token: bob.token }), 204);
  assert.equal((await found(bob, 'wolverine')).length, 1);
  assertProblem(await look(null, 'wolverine'), 401);
});

test('pages go back to the first and miss nothing, from many places at once', async () => {
  const groups = [await open(ada, 'g1', bob), await open(ada, 'g2', eve), await open(eve, 'g3', ada)];
  const ids = [];
  for (let i = 0; i < 90; i += 1) {
    const where = i % 5;
    if (where < 3) ids.push(await say(ada, groups[where], `narwhal ${i}`));
    else ids.push(await tell(ada, where === 3 ? bob : eve, `narwhal ${i}`));
  }
  const seen = [];
  let pages = 0;
  for (let before = 0; before !== null; pages += 1) {
    const { items, next_before: next } = assertOk(await look(ada, 'narwhal', `&limit=7&before=${before}`));
    seen.push(...items.map(({ message }) => message.id));
    before = next;
  }
  assert.deepEqual(seen, ids.reverse());
  assert.ok(pages >= 13);
});

test('a long conversation is read in more than one call', async () => {
  const [li, wu] = [await server.register('li_find'), await server.register('wu_find')];
  const first = await tell(li, wu, 'the very first okapi');
  // More than one call looks at: as an import would have put them there.
  const rows = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 51000)
    SELECT ${li.id}, ${wu.id}, ${li.id}, ${wu.id}, 'hay', 1 FROM n`;
  const limit = server.env.HUTONG_DATABASE ? 'SET max_recursive_iterations = 100000; ' : '';
  await server.sqlText(`${limit}INSERT INTO messages (sender_id, receiver_id, low_id, high_id, content, created_us) ${rows}`);
  const { items, next_before: next } = assertOk(await look(li, 'okapi'));
  assert.deepEqual(items, []);
  assert.ok(next > first);
  assert.deepEqual(await found(li, 'okapi', `&before=${next}`), [first]);
  assert.equal(assertOk(await look(li, 'okapi', `&before=${next}`)).next_before, null);
});

test('what is wrong with a question is said', async () => {
  assertProblem(await server.api('GET', '/search/messages', { token: ada.token }), 422, ['query.q missing']);
  assertProblem(await look(ada, 'x', '&limit=101'), 422, ['query.limit less_than_equal']);
  assertProblem(await look(ada, 'x', '&with=0'), 422, ['query.with greater_than_equal']);
  assertProblem(await look(ada, 'x', '&with=999999'), 404);
});
