// SPDX-License-Identifier: AGPL-3.0-or-later
//
// DELETE /users/me: an account goes with everything that is its own, and the rest stands as if it
// had been taken away piece by piece.
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

let provider;
let server;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: {
      HUTONG_ACCESS_LOG: 'off', HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model',
      HUTONG_CHAT_TITLES: 'off',
    },
  });
});
after(async () => {
  await server.stop();
  await provider.stop();
});

const as = ({ token }) => async (method, target, json, status = method === 'POST' ? 201 : 200) => assertOk(
  await server.api(method, target, { token, json }), status);
const leave = ({ token, password }) => server.api('DELETE', '/users/me', { token, json: { password } });
const count = async (table, where) => (await server.sql(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where}`))[0].n;
const counter = async (name) => (await server.sql(`SELECT value FROM counters WHERE name = '${name}'`))[0].value;
const isThere = (target) => access(path.join(server.dataDir, 'uploads', target.replace('/files/', ''))).then(() => true, () => false);

test('only_with_the_password_and_nothing_is_touched_without_it', async () => {
  const ada = await server.register('ada_stays');
  await as(ada)('POST', '/posts', { content: 'I stay' });
  const wrong = await leave({ ...ada, password: 'guessed' });
  assertProblem(wrong, 403);
  assert.match(wrong.body.detail, /the password is wrong/);
  assertProblem(await server.api('DELETE', '/users/me', { token: ada.token, json: {} }), 422, ['body.password missing']);
  assertProblem(await server.api('DELETE', '/users/me', { json: { password: ada.password } }), 401);
  assert.equal((await as(ada)('GET', '/auth/me')).posts_count, 1);
});

test('the_last_administrator_has_to_name_another_one_first', async () => {
  const root = await server.register('root_leaves');
  const next = await server.register('next_leaves');
  await server.sql(`UPDATE users SET role = 'admin' WHERE id = ${root.id}`);
  const last = await leave(root);
  assertProblem(last, 409);
  assert.match(last.body.detail, /make another member administrator first/);
  const login = await server.api('POST', '/auth/login', { form: { username: 'root_leaves', password: root.password } });
  const { access_token: token } = assertOk(login);
  assertOk(await server.api('PUT', `/admin/users/${next.id}/role`, { token, json: { role: 'admin' } }), 204);
  assertOk(await leave({ ...root, token }), 204);
  assert.equal(await count('users', `id = ${root.id}`), 0);
  await server.sql(`UPDATE users SET role = 'member' WHERE id = ${next.id}`);
});

test('everything_goes_and_what_others_have_stays_right', async () => {
  const [ada, bob, eve] = [await server.register('ada_leaves'), await server.register('bob_leaves'), await server.register('eve_leaves')];
  const [a, b] = [as(ada), as(bob)];
  const [mine, shared, avatar] = [
    await server.leavePicture('/files/images/mine.webp'), await server.leavePicture('/files/images/shared.webp'),
    await server.leavePicture(`/files/avatars/avatar_${ada.id}_x.webp`)];
  await server.leavePicture('/files/images/mine_320.webp');
  await server.sql(`INSERT INTO files (name, kind, owner_id, bytes, width, height, created_us) VALUES
    ('mine.webp', 'image', ${ada.id}, 1, 1, 1, 1), ('shared.webp', 'image', ${ada.id}, 1, 1, 1, 2),
    ('avatar_${ada.id}_x.webp', 'avatar', ${ada.id}, 1, 1, 1, 3)`);
  await a('PUT', '/users/me', { avatar_path: avatar });

  const posts = { before: await counter('posts'), users: await counter('users') };
  const post = await a('POST', '/posts', { content: 'zebrafinch zebrafinch', image_path: mine });
  await a('POST', '/posts', { content: 'another zebrafinch', image_path: shared });
  const his = await b('POST', '/posts', { content: 'bob was here', image_path: shared });
  await b('POST', `/posts/${post.id}/comments`, { content: 'on hers' });
  await a('POST', `/posts/${his.id}/comments`, { content: 'on his' });
  await a('PUT', `/posts/${his.id}/like`);
  await a('PUT', `/users/${bob.id}/follow`);
  await b('PUT', `/users/${ada.id}/follow`);
  await a('POST', `/messages/send/${bob.id}`, { content: 'to bob' }, 200);
  await b('POST', `/messages/send/${ada.id}`, { content: 'to ada' }, 200);
  const group = await a('POST', '/groups', { name: 'three', members: [bob.id, eve.id] });
  const alone = await a('POST', '/groups', { name: 'alone' });
  await a('POST', `/groups/${group.id}/messages`, { content: 'hers' });
  await b('POST', `/groups/${group.id}/messages`, { content: 'his' });
  await a('POST', `/groups/${group.id}/messages`, { content: 'hers too' });
  await a('POST', '/keys', { name: 'program' });

  const chat = await a('POST', '/chat/conversations', { title: 'with a model' });
  provider.script([{ deltas: ['one', 'two'], stallAfter: 1 }]);
  const answer = await fetch(`${server.url}/chat/conversations/${chat.id}/messages`, {
    method: 'POST', body: JSON.stringify({ text: 'why?' }),
    headers: { authorization: `Bearer ${ada.token}`, 'content-type': 'application/json' },
  });
  const asked = await provider.request(0);

  const live = await Live.open(server, bob.token);
  for (const topic of ['feed', 'me', `group:${group.id}`]) await live.subscribe(topic);
  const hers = await Live.open(server, ada.token);

  assertOk(await leave(ada), 204);

  await hers.closed;
  await answer.text().catch(() => {}); // it ends, one way or the other
  await provider.until(() => asked.closedAt);
  await live.next((m) => m.topic === 'feed' && m.event === 'user.deleted' && m.data.id === ada.id);
  const heard = (topic, event) => live.messages.filter((m) => m.topic === topic && m.event === event).map(({ data }) => data);
  assert.ok(heard('feed', 'post.deleted').some(({ id }) => id === post.id));
  assert.deepEqual(heard('feed', 'post.counts').filter(({ id }) => id === his.id).at(-1), { id: his.id, likes_count: 0, comments_count: 0 });
  assert.deepEqual(heard('me', 'user.deleted'), [{ id: ada.id }]);
  assert.equal(heard(`group:${group.id}`, 'message.deleted').length, 2);
  assert.deepEqual(heard(`group:${group.id}`, 'group.owner'), [{ group_id: group.id, user_id: bob.id }]);
  live.ws.close();

  assertProblem(await server.api('GET', '/auth/me', { token: ada.token }), 401);
  assertProblem(await server.api('GET', `/users/${ada.id}`), 404);
  assertProblem(await server.api('POST', '/auth/login', { form: { username: 'ada_leaves', password: ada.password } }), 401);
  assertProblem(await server.api('GET', `/posts/${post.id}`), 404);
  assert.deepEqual(assertOk(await server.api('GET', '/search/posts?q=zebrafinch')).items, []);
  const kept = await b('GET', `/posts/${his.id}`);
  assert.deepEqual([kept.likes_count, kept.comments_count, kept.image_path], [0, 0, shared]);
  assert.deepEqual(assertOk(await server.api('GET', `/posts/${his.id}/comments`)).items, []);
  assert.deepEqual((await b('GET', '/messages/conversations')).conversations, []);
  assert.deepEqual(await b('GET', '/messages/unread_count'), { unread_count: 0 });
  const now = await b('GET', `/groups/${group.id}`);
  assert.deepEqual([now.group.owner_id, now.members.map(({ id, user }) => id ?? user.id)], [bob.id, [bob.id, eve.id]]);
  assert.deepEqual((await b('GET', `/groups/${group.id}/messages`)).items.map(({ content }) => content), ['his']);
  const [{ unread_count: unread }] = (await as(eve)('GET', '/groups')).items;
  assert.equal(unread, 1);
  assert.equal(await count('chat_groups', `id = ${alone.id}`), 0);
  const tally = await b('GET', `/users/${bob.id}/follow`);
  assert.deepEqual([tally.followers_count, tally.following_count], [0, 0]);

  for (const [table, where] of [['posts', 'author_id'], ['comments', 'author_id'], ['post_likes', 'user_id'], ['messages', 'sender_id'],
    ['messages', 'receiver_id'], ['sessions', 'user_id'], ['api_keys', 'user_id'], ['chats', 'owner_id'], ['files', 'owner_id'],
    ['follows', 'follower_id'], ['follows', 'followed_id'], ['chat_group_members', 'user_id'], ['conversations', 'partner_id']]) {
    assert.equal(await count(table, `${where} = ${ada.id}`), 0, `${table}.${where}`);
  }
  assert.equal(await count('events', `topic_id IN (SELECT id FROM topics WHERE name = 'user:${ada.id}')`), 0);
  assert.equal(await counter('posts'), posts.before + 1);
  assert.equal(await counter('users'), posts.users - 1);
  assert.deepEqual([await isThere(mine), await isThere('/files/images/mine_320.webp'), await isThere(avatar), await isThere(shared)],
    [false, false, false, true]);
  assert.equal(await count('files', "name = 'shared.webp' AND owner_id IS NULL"), 1);
  // The name is free again, and whoever takes it has nothing of the one before.
  const again = await server.register('ada_leaves');
  assert.deepEqual((await as(again)('GET', '/messages/conversations')).conversations, []);
});

test('what_is_more_than_one_step_takes_goes_as_well', async () => {
  const [li, wu] = [await server.register('li_leaves'), await server.register('wu_leaves')];
  const post = await as(wu)('POST', '/posts', { content: 'everybody talks here' });
  const before = await counter('posts');
  await Promise.all(Array.from({ length: 230 }, (_, i) => as(li)('POST', '/posts', { content: `quetzal ${i}` })));
  await Promise.all(Array.from({ length: 120 }, (_, i) => as(li)('POST', `/posts/${post.id}/comments`, { content: `comment ${i}` })));
  await Promise.all(Array.from({ length: 620 }, (_, i) => as(li)('POST', `/messages/send/${wu.id}`, { content: `letter ${i}` }, 200)));
  await Promise.all(Array.from({ length: 5 }, (_, i) => as(li)('POST', '/groups', { name: `group ${i}`, members: [wu.id] })));
  assertOk(await leave(li), 204);
  assert.equal(await counter('posts'), before);
  assert.equal((await as(wu)('GET', `/posts/${post.id}`)).comments_count, 0);
  assert.deepEqual((await as(wu)('GET', '/messages/conversations')).conversations, []);
  const groups = (await as(wu)('GET', '/groups')).items;
  assert.deepEqual(groups.map(({ owner_id: owner }) => owner), Array(5).fill(wu.id));
  assert.deepEqual(assertOk(await server.api('GET', '/search/posts?q=quetzal')).items, []);
});

test('a group goes to a person, not to a resident, however long that has been there', async () => {
  const [ann, bot, cid] = await Promise.all(['heir_ann', 'heir_bot', 'heir_cid'].map((name) => server.register(name)));
  const api = async (who, method, path, json) => {
    const reply = await server.api(method, path, { token: who.token, json });
    assert.ok(reply.status < 300, `${method} ${path}: ${reply.status} ${reply.text}`);
    return reply.body;
  };
  const group = await api(ann, 'POST', '/groups', { name: 'heirs', members: [bot.id] });
  await server.sql(`UPDATE users SET is_ai = 1 WHERE id = ${bot.id}`);
  await api(ann, 'POST', `/groups/${group.id}/members`, { user_id: cid.id });
  await api(ann, 'DELETE', `/groups/${group.id}/members/${ann.id}`);
  assert.equal((await api(cid, 'GET', `/groups/${group.id}`)).group.owner_id, cid.id);
  // And a resident cannot log in, not even with a password that came along from elsewhere.
  const login = await server.api('POST', '/auth/login', { form: { username: 'heir_bot', password: bot.password } });
  assert.equal(login.status, 401);
});
