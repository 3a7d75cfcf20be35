// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members follow members, and see who follows whom.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';

let server;
let ada;
let bob;
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
  ada = await server.register('ada_follows');
  bob = await server.register('bob_follows');
});
after(() => server.stop());

const follow = (member, id, method = 'PUT') => server.api(method, `/users/${id}/follow`, { token: member?.token });
const tally = async (member, id) => assertOk(await follow(member, id, 'GET'));
const list = async (id, which, query = '') => assertOk(await server.api('GET', `/users/${id}/${which}?${query}`));
const names = ({ items }) => items.map(({ user }) => user.username);

const none = { followers_count: 0, following_count: 0, following: false };

test('following is done once, undone once, and counted exactly', async () => {
  assert.deepEqual(await tally(ada, bob.id), none);
  assert.deepEqual(assertOk(await follow(ada, bob.id, 'DELETE')), none);
  for (let i = 0; i < 3; i += 1) {
    assert.deepEqual(assertOk(await follow(ada, bob.id)), { ...none, followers_count: 1, following: true });
  }
  assert.deepEqual(await tally(ada, bob.id), { ...none, followers_count: 1, following: true });
  assert.deepEqual(await tally(bob, bob.id), { ...none, followers_count: 1 });
  assert.deepEqual(await tally(null, ada.id), { ...none, following_count: 1 });
  for (let i = 0; i < 2; i += 1) assert.deepEqual(assertOk(await follow(ada, bob.id, 'DELETE')), none);
  assert.deepEqual(await server.sql('SELECT * FROM follows'), []);
});

test('one cannot follow oneself, or somebody who is not there, or without a name', async () => {
  const self = await follow(ada, ada.id);
  assertProblem(self, 400);
  assert.match(self.body.detail, /cannot follow oneself/);
  for (const method of ['PUT', 'DELETE', 'GET']) {
    assertProblem(await follow(ada, 999999, method), 404);
    assertProblem(await follow(ada, 'bob', method), 422, ['path.user_id int_parsing']);
  }
  for (const method of ['PUT', 'DELETE']) assertProblem(await follow(null, bob.id, method), 401);
  for (const which of ['followers', 'following']) {
    assertProblem(await server.api('GET', `/users/999999/${which}`), 404);
    for (const [query, fault] of [['limit=0', 'limit greater_than_equal'], ['limit=101', 'limit less_than_equal'],
      ['before=-1', 'before greater_than_equal']]) {
      assertProblem(await server.api('GET', `/users/${ada.id}/${which}?${query}`), 422, [`query.${fault}`]);
    }
  }
  assert.deepEqual(await server.sql('SELECT * FROM follows'), []);
});

test('both lists go back from the newest, page by page, and miss nothing when more come', async () => {
  const star = await server.register('star_follows');
  const fans = [];
  for (let i = 0; i < 5; i += 1) {
    fans.push(await server.register(`fan${i}_follows`));
    assertOk(await follow(fans[i], star.id));
  }
  const first = await list(star.id, 'followers', 'limit=2');
  assert.deepEqual(names(first), ['fan4_follows', 'fan3_follows']);
  assert.equal(first.total, 5);
  assertShape(first.items[0].user, 'userBrief');
  assert.match(first.items[0].followed_at, /^\d{4}-\d\d-\d\dT/);
  assertOk(await follow(ada, star.id));
  const second = await list(star.id, 'followers', `limit=2&before=${first.next_before}`);
  assert.deepEqual(names(second), ['fan2_follows', 'fan1_follows']);
  assert.equal(second.total, 6);
  const last = await list(star.id, 'followers', `limit=2&before=${second.next_before}`);
  assert.deepEqual(names(last), ['fan0_follows']);
  assert.equal(last.next_before, null);

  assertOk(await follow(fans[0], bob.id));
  assert.deepEqual(names(await list(fans[0].id, 'following')), ['bob_follows', 'star_follows']);
  assert.deepEqual(await list(star.id, 'following'), { items: [], total: 0, next_before: null });
});

test('who is followed hears of it at once; who stops, or follows again, is in the log once', async () => {
  const star = await server.register('heard_follows');
  const live = await Live.open(server, star.token);
  await live.subscribe('me');
  assertOk(await follow(ada, star.id));
  const told = await live.next((m) => m.event === 'follow.created');
  assert.deepEqual(told.data.user.id, ada.id);
  assertShape(told.data.user, 'userBrief');
  assert.equal(told.data.followers_count, 1);
  for (const method of ['PUT', 'DELETE', 'DELETE', 'PUT']) assertOk(await follow(ada, star.id, method));
  const again = await live.next((m) => m.event === 'follow.created');
  assert.equal(live.messages.filter(({ event }) => event === 'follow.created').length, 2, 'nothing of it was told in between');
  await live.close();
  const kept = await server.sql(`SELECT COUNT(*) AS n FROM events e JOIN topics t ON t.id = e.topic_id
    WHERE t.name = 'user:${star.id}' AND e.payload LIKE '%follow.created%'`);
  assert.equal(kept[0].n, 1);
});

test('a profile says it as well, to each reader its own, and an account that goes takes its follows along', async () => {
  const star = await server.register('seen_follows');
  const fan = await server.register('gone_follows');
  assertOk(await follow(fan, star.id));
  assertOk(await follow(ada, star.id));
  assertOk(await follow(star, fan.id));
  const profile = async (member, path = `/users/${star.id}`) => {
    const user = assertOk(await server.api('GET', path, { token: member?.token }));
    assertShape(user, 'user');
    const { followers_count, following_count, following } = user;
    return { followers_count, following_count, following };
  };
  const both = { followers_count: 2, following_count: 1, following: false };
  assert.deepEqual(await profile(ada), { ...both, following: true });
  for (const member of [bob, null, { token: 'none' }]) assert.deepEqual(await profile(member), both);
  assert.deepEqual(await profile(star, '/auth/me'), both);
  const changed = assertOk(await server.api('PUT', '/users/me', { token: star.token, json: { bio: 'here' } }));
  assert.equal(changed.followers_count, 2);

  await server.sql(`DELETE FROM users WHERE id = ${fan.id}`);
  assert.deepEqual(await profile(ada), { followers_count: 1, following_count: 0, following: true });
  const left = await list(star.id, 'followers');
  assert.deepEqual([names(left), left.total], [['ada_follows'], 1]);
  assertProblem(await follow(ada, fan.id), 404);
});
