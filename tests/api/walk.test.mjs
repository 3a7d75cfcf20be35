// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A walk over the route table: no route gives a stranger, or the wrong member,
// what isn't theirs, and none lets them change it.
//
// Every route has an entry below that says who may and what the wrong member
// gets. A route without one fails the walk, so whoever adds a route has to
// think about it here.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';
import { wiki } from '../support/wiki.mjs';

const PASSWORD = 'correct horse';

let server;
let folder; // ada's repository
const world = {}; // ada's and bob's, which eve should not have
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hutong-walk-'));
  await writeFile(path.join(folder, 'plan.md'), '# SECRET-heading\n\nSECRET-line\n');
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off', HUTONG_WIKI_ROOTS: folder, HUTONG_LLM_MODEL: 'offline' } });
  for (const name of ['ada', 'bob', 'eve', 'mod', 'root', 'gone', 'banned']) {
    world[name] = await server.register(`${name}_walk`, { nickname: `${name} walks` });
  }
  await server.sql(`UPDATE users SET role = 'moderator' WHERE id = ${world.mod.id};
    UPDATE users SET role = 'admin' WHERE id = ${world.root.id};`);
  for (const name of ['mod', 'root']) world[name].token = await signIn(name);
  const { ada, bob, root, banned } = world;
  const make = async (path, json, status = 201) => assertOk(
    await server.api('POST', path, { token: ada.token, json }), status);
  world.post = await make('/posts', { content: 'ada wrote this' });
  world.comment = await make(`/posts/${world.post.id}/comments`, { content: 'ada said this' });
  world.message = await make(`/messages/send/${bob.id}`, { content: 'SECRET-letter' }, 200);
  world.group = await make('/groups', { name: 'SECRET-group', members: [bob.id] });
  world.said = await make(`/groups/${world.group.id}/messages`, { content: 'SECRET-talk' });
  world.key = await make('/keys', { name: 'SECRET-program' });
  world.chat = await make('/chat/conversations', { title: 'SECRET-chat' });
  await server.api('POST', `/chat/conversations/${world.chat.id}/messages`, { token: ada.token, json: { text: 'SECRET-question' } });
  world.turn = assertOk(await server.api('GET', `/chat/conversations/${world.chat.id}/messages`, { token: ada.token })).items[1];
  world.wiki = await make('/wikis', { url: folder, name: 'ada-wiki', access: 'owner' });
  const see = (to = '') => server.api('GET', `/wikis/${world.wiki.id}${to}`, { token: ada.token });
  await until(() => see(), ({ body }) => body.state === 'ready', { what: 'the wiki' });
  world.book = await make(`/wikis/${world.wiki.id}/books`, {});
  await until(() => see(`/books/${world.book.id}`), ({ body }) => body.state === 'done', { what: 'the book' });
  await make('/api/wiki_cache', wiki({ owner: 'ada', token: 'SECRET-token' }), 200);
  await server.sql(`UPDATE sessions SET client = 'SECRET-phone' WHERE user_id = ${ada.id}`);
  [world.session] = await server.sql(`SELECT id FROM sessions WHERE user_id = ${ada.id}`);
  assertOk(await server.api('POST', '/auth/logout-all', { token: world.gone.token }), 204);
  assertOk(await server.api('PUT', `/admin/users/${banned.id}/banned`, {
    token: root.token, json: { banned: true },
  }), 204);
});
after(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function signIn(name) {
  const reply = await server.api('POST', '/auth/login', {
    form: { username: `${name}_walk`, password: PASSWORD },
  });
  return assertOk(reply).access_token;
}

/*
 * who      anyone, optional, live, key, member, moderator, admin: as the table has it
 * path     with ada's and bob's ids filled in
 * json     a body that would do what the route is for
 * body     the same as something else
 * wrong    what eve gets, a plain member who owns nothing of it
 * spends   eve's log-in is over afterwards
 * stranger what somebody without a token gets, where that isn't the same as eve
 * stream   the answer goes on: see the test of its own
 */
const ids = {
  user_id: () => world.bob.id,
  post_id: () => world.post.id,
  comment_id: () => world.comment.id,
  group_id: () => world.group.id,
  message_id: () => world.message.id,
  session_id: () => world.session.id,
  key_id: () => world.key.id,
  site: () => 'offline',
  model: () => 'hutong-offline',
  chat_id: () => world.chat.id,
  picture_id: () => 1, // for administrators alone, whoever asks
  log_id: () => 1, // the same
  report_id: () => 1, // for moderators alone
  turn_id: () => world.turn.id,
  wiki: () => world.wiki.id,
  book_id: () => world.book.id,
  slug: () => 'overview',
  filename: () => 'nothing.png',
  name: () => 'nothing.backup',
};
const SECRET_WIKI = '?owner=ada&repo=r&repo_type=github&language=en';
const proxied = { 'x-forwarded-for': '203.0.113.9' };
const text = { content: 'eve was here' };
function noPicture() {
  const form = new FormData();
  form.set('file', new Blob(['eve was here']), 'eve.png');
  return form;
}
const entries = {
  'GET /': { who: 'anyone', wrong: 200 },
  'GET /health': { who: 'anyone', wrong: 200 },
  'GET /health/live': { who: 'anyone', wrong: 200 },
  'GET /health/ready': { who: 'anyone', wrong: 200 },
  'GET /metrics': { who: 'optional', wrong: 403, headers: proxied },
  'GET /openapi.json': { who: 'anyone', wrong: 200 },
  'GET /docs': { who: 'anyone', wrong: 200 },
  'GET /redoc': { who: 'anyone', wrong: 200 },

  'POST /auth/register': { who: 'anyone', json: { username: 'ada_walk', password: PASSWORD, nickname: 'x' }, wrong: 400 },
  'POST /auth/login': { who: 'anyone', json: { username: 'ada_walk', password: 'guessed' }, wrong: 401 },
  'POST /auth/refresh': { who: 'anyone', json: { refresh_token: 'A'.repeat(65) }, wrong: 401 },
  'POST /auth/logout': { who: 'member', wrong: 204, spends: true },
  'POST /auth/logout-all': { who: 'member', wrong: 204, spends: true },
  'GET /auth/me': { who: 'member', wrong: 200 },
  'PUT /auth/password': { who: 'member', json: { old_password: 'guessed', new_password: 'eve owns it' }, wrong: 403 },
  'GET /auth/sessions': { who: 'member', wrong: 200 },
  'DELETE /auth/sessions/{session_id}': { who: 'member', wrong: 404 },

  'GET /community': { who: 'anyone', wrong: 200 },
  'PATCH /community': { who: 'admin', json: { name: "eve's own" }, wrong: 403 },

  'GET /users/': { who: 'anyone', wrong: 200 },
  'GET /search/users': { who: 'anyone', query: '?q=SECRET', wrong: 200 },
  'GET /users/{user_id}': { who: 'optional', wrong: 200 },
  'PUT /users/me': { who: 'member', json: { nickname: 'eve', id: 1, user_id: 1 }, wrong: 200 },
  'DELETE /users/me': { who: 'member', json: { password: 'guessed' }, wrong: 403 },
  'GET /users/me/export': { who: 'member', wrong: 200 },
  'GET /users/{user_id}/follow': { who: 'optional', wrong: 200 },
  'PUT /users/{user_id}/follow': { who: 'member', wrong: 200 },
  'DELETE /users/{user_id}/follow': { who: 'member', wrong: 200 },
  'GET /users/{user_id}/followers': { who: 'anyone', wrong: 200 },
  'GET /users/{user_id}/following': { who: 'anyone', wrong: 200 },
  'PUT /admin/users/{user_id}/role': { who: 'admin', json: { role: 'admin' }, wrong: 403 },
  'PUT /admin/users/{user_id}/banned': { who: 'moderator', json: { banned: true }, wrong: 403 },
  'POST /reports': { who: 'member', json: () => ({ kind: 'post', id: world.post.id, reason: 'spam' }), wrong: 201 },
  'GET /admin/reports': { who: 'moderator', wrong: 403 },
  'POST /admin/reports/{report_id}/resolve': { who: 'moderator', json: { outcome: 'removed' }, wrong: 403 },
  'GET /admin/users': { who: 'moderator', wrong: 403 },
  'GET /admin/overview': { who: 'moderator', wrong: 403 },
  'GET /admin/audit': { who: 'admin', wrong: 403 },

  'GET /admin/residents': { who: 'admin', wrong: 403 },
  'POST /admin/residents': { who: 'admin', json: { username: 'eves_own' }, wrong: 403 },
  'POST /admin/residents/import': { who: 'admin', json: [{ username: 'eves_own' }], wrong: 403 },
  'GET /admin/residents/export': { who: 'admin', wrong: 403 },
  'PUT /admin/residents/{user_id}': { who: 'admin', json: { nickname: 'eve' }, wrong: 403 },
  'DELETE /admin/residents/{user_id}': { who: 'admin', wrong: 403 },
  'POST /admin/residents/draft': { who: 'admin', json: { text: 'somebody' }, wrong: 403 },
  'GET /admin/settlers': { who: 'admin', wrong: 403 },
  'POST /admin/settlers': { who: 'admin', json: { usernames: ['ai_xiaoming'], language: 'zh' }, wrong: 403 },
  'GET /admin/models': { who: 'admin', wrong: 403 },
  'POST /admin/models/look': { who: 'admin', wrong: 403 },
  'POST /admin/models/check': { who: 'admin', json: { site: 'offline' }, wrong: 403 },
  'GET /admin/backups': { who: 'admin', wrong: 403 },
  'POST /admin/backups': { who: 'admin', wrong: 403 },
  'GET /admin/backups/{name}': { who: 'admin', wrong: 403 },
  'DELETE /admin/backups/{name}': { who: 'admin', wrong: 403 },
  'GET /admin/settings': { who: 'admin', wrong: 403 },
  'GET /admin/town': { who: 'admin', wrong: 403 },

  'GET /posts': { who: 'optional', wrong: 200 },
  'POST /posts': { who: 'member', json: { ...text, author_id: 1, id: 1 }, wrong: 201 },
  'GET /posts/{post_id}': { who: 'optional', wrong: 200 },
  'PUT /posts/{post_id}': { who: 'member', json: text, wrong: 403 },
  'DELETE /posts/{post_id}': { who: 'member', wrong: 403 },
  'POST /posts/{post_id}/like': { who: 'member', wrong: 200 },
  'PUT /posts/{post_id}/like': { who: 'member', wrong: 200 },
  'DELETE /posts/{post_id}/like': { who: 'member', wrong: 200 },
  'GET /posts/{post_id}/comments': { who: 'anyone', wrong: 200 },
  'POST /posts/{post_id}/comments': { who: 'member', json: text, wrong: 201 },
  'DELETE /posts/{post_id}/comments/{comment_id}': { who: 'member', wrong: 403 },
  'GET /search/posts': { who: 'optional', query: '?q=SECRET', wrong: 200 },

  'GET /search/tags': { who: 'anyone', wrong: 200 },

  'POST /files/upload': { who: 'member', body: noPicture, wrong: 422 },
  'POST /files/upload/avatar': { who: 'member', body: noPicture, wrong: 422 },
  'GET /files/images/{filename}': { who: 'anyone', wrong: 404 },
  'GET /files/avatars/{filename}': { who: 'anyone', wrong: 404 },

  'GET /messages/conversations': { who: 'member', wrong: 200 },
  'GET /messages/history/{user_id}': { who: 'member', wrong: 200 },
  'POST /messages/send/{user_id}': { who: 'member', json: { ...text, sender_id: 1 }, wrong: 200 },
  'GET /notifications': { who: 'member', wrong: 200 },
  'GET /notifications/unread_count': { who: 'member', wrong: 200 },
  'POST /notifications/read': { who: 'member', json: {}, wrong: 200 },
  'POST /messages/read/{user_id}': { who: 'member', wrong: 200 },
  'GET /search/messages': { who: 'member', query: () => `?q=SECRET&group=${world.group.id}`, wrong: 404 },
  'GET /messages/unread_count': { who: 'member', wrong: 200 },
  'DELETE /messages/{message_id}': { who: 'member', wrong: 404 },
  // Refused before or after the handshake; what it then sends is for tests/live.
  'GET /messages/ws': { who: 'live', wrong: [400, 403, 426] },

  'GET /groups': { who: 'member', wrong: 200 },
  'POST /groups': { who: 'member', json: { name: 'eve alone' }, wrong: 201 },
  'GET /groups/{group_id}': { who: 'member', wrong: 404 },
  'PUT /groups/{group_id}': { who: 'member', json: { name: 'eve renamed it' }, wrong: 404 },
  'GET /groups/{group_id}/messages': { who: 'member', wrong: 404 },
  'POST /groups/{group_id}/messages': { who: 'member', json: text, wrong: 404 },
  'POST /groups/{group_id}/members': { who: 'member', json: () => ({ user_id: world.eve.id }), wrong: 404 },
  'DELETE /groups/{group_id}/members/{user_id}': { who: 'member', wrong: 404 },
  'POST /groups/{group_id}/read': { who: 'member', wrong: 404 },

  'POST /live/ticket': { who: 'member', wrong: 200 },
  'GET /live': { who: 'live', wrong: [400, 403, 426] },
  'GET /live/events': { who: 'live', query: () => `?topics=group:${world.group.id}`, wrong: 200, stranger: 401, stream: true },

  'GET /keys': { who: 'member', wrong: 200 },
  'POST /keys': { who: 'member', json: { name: 'eve alone', user_id: 1 }, wrong: 201 },
  'PATCH /keys/{key_id}': { who: 'member', json: { name: 'eve renamed it' }, wrong: 404 },
  'DELETE /keys/{key_id}': { who: 'member', wrong: 404 },
  'GET /usage': { who: 'member', query: () => `?user_id=${world.ada.id}`, wrong: 403 },

  'POST /v1/chat/completions': { who: 'key', json: { model: 'offline/', messages: [{ role: 'user', content: 'x' }] }, wrong: 401 },
  'POST /v1/embeddings': { who: 'key', json: { model: 'offline/', input: 'x' }, wrong: 401 },
  'GET /v1/models': { who: 'key', wrong: 401 },
  'GET /v1/models/{model}': { who: 'key', wrong: 401 },
  'GET /v1/models/{site}/{model}': { who: 'key', wrong: 401 },
  'GET /wikis': { who: 'optional', wrong: 200 },
  'POST /wikis': { who: 'optional', json: () => ({ url: folder, name: 'ada-wiki' }), wrong: 409, stranger: 401 },
  'GET /wikis/{wiki}': { who: 'optional', wrong: 404 },
  'PATCH /wikis/{wiki}': { who: 'member', json: { name: 'eve-wiki' }, wrong: 404 },
  'DELETE /wikis/{wiki}': { who: 'member', wrong: 404 },
  'POST /wikis/{wiki}/update': { who: 'member', json: {}, wrong: 404 },
  'POST /wikis/{wiki}/stop': { who: 'member', wrong: 404 },
  'GET /wikis/{wiki}/files': { who: 'optional', wrong: 404 },
  'GET /wikis/{wiki}/file': { who: 'optional', query: '?path=plan.md', wrong: 404 },
  'GET /wikis/{wiki}/symbols': { who: 'optional', wrong: 404 },
  'GET /wikis/{wiki}/graph': { who: 'optional', wrong: 404 },
  'GET /wikis/{wiki}/search': { who: 'optional', query: '?q=SECRET', wrong: 404 },
  'POST /wikis/{wiki}/ask': { who: 'optional', json: { question: 'What is SECRET?' }, wrong: 404 },
  'GET /wikis/{wiki}/books': { who: 'optional', wrong: 404 },
  'POST /wikis/{wiki}/books': { who: 'optional', json: { language: 'zh' }, wrong: 404, stranger: 401 },
  'GET /wikis/{wiki}/books/{book_id}': { who: 'optional', wrong: 404 },
  'GET /wikis/{wiki}/books/{book_id}/pages/{slug}': { who: 'optional', wrong: 404 },
  'GET /wikis/{wiki}/books/{book_id}/export': { who: 'optional', wrong: 404 },
  'POST /wikis/{wiki}/books/{book_id}/stop': { who: 'optional', wrong: 404 },
  'POST /wikis/{wiki}/books/{book_id}/continue': { who: 'optional', wrong: 404 },
  'DELETE /wikis/{wiki}/books/{book_id}': { who: 'optional', wrong: 404 },
  'POST /chat/completions/stream': { who: 'optional', json: { repo_url: '/nowhere', messages: [{ role: 'user', content: 'x' }] }, wrong: 500, stranger: 401 },
  'POST /api/chat/stream': { who: 'optional', json: { repo_url: '/nowhere', messages: [{ role: 'user', content: 'x' }] }, wrong: 500, stranger: 401 },
  'GET /ws/chat': { who: 'live', wrong: [400, 403, 426] },
  'GET /chat': { who: 'live', wrong: [400, 403, 426] },
  'GET /chat/models': { who: 'member', wrong: 200 },
  'GET /chat/conversations': { who: 'member', wrong: 200 },
  'POST /chat/conversations': { who: 'member', json: { title: 'eve alone', owner_id: 1 }, wrong: 201 },
  'GET /chat/conversations/{chat_id}': { who: 'member', wrong: 404 },
  'PATCH /chat/conversations/{chat_id}': { who: 'member', json: { title: 'eve renamed it' }, wrong: 404 },
  'DELETE /chat/conversations/{chat_id}': { who: 'member', wrong: 404 },
  'GET /chat/conversations/{chat_id}/messages': { who: 'member', wrong: 404 },
  'POST /chat/conversations/{chat_id}/messages': { who: 'member', json: { text: 'eve was here' }, wrong: 404 },
  'GET /chat/conversations/{chat_id}/export': { who: 'member', wrong: 404 },
  'GET /chat/conversations/{chat_id}/messages/{turn_id}/stream': { who: 'member', wrong: 404 },
  'POST /chat/conversations/{chat_id}/messages/{turn_id}/stop': { who: 'member', wrong: 404 },
  'POST /chat/conversations/{chat_id}/messages/{turn_id}/regenerate': { who: 'member', wrong: 404 },

  'GET /places': { who: 'anyone', wrong: 200 },
  // No town runs in this test; what one answers is in town.test.mjs.
  'GET /town': { who: 'member', wrong: 404 },
  'GET /town/log': { who: 'member', wrong: 200 },
  'GET /town/log/{log_id}': { who: 'admin', wrong: 403 },
  'GET /town/society': { who: 'member', wrong: 404 },
  'GET /town/ties': { who: 'member', wrong: 404 },
  'GET /town/residents/{user_id}': { who: 'member', wrong: 404 },
  'GET /town/pictures': { who: 'admin', wrong: 403 },
  'POST /town/pictures/{picture_id}/retry': { who: 'admin', wrong: 403 },
  'POST /town/control': { who: 'admin', json: { action: 'pause' }, wrong: 403 },

  'GET /auth/status': { who: 'anyone', wrong: 200 },
  'GET /api/auth/status': { who: 'anyone', wrong: 200 },
  'POST /auth/validate': { who: 'anyone', json: { code: 'guessed' }, wrong: 200 },
  'POST /api/auth/validate': { who: 'anyone', json: { code: 'guessed' }, wrong: 200 },
  'GET /lang/config': { who: 'anyone', wrong: 200 },
  'GET /api/lang/config': { who: 'anyone', wrong: 200 },
  'GET /models/config': { who: 'optional', wrong: 200 },
  'GET /api/models/config': { who: 'optional', wrong: 200 },
  'GET /api/wiki_cache': { who: 'optional', query: SECRET_WIKI, wrong: 200 },
  'POST /api/wiki_cache': { who: 'optional', json: () => wiki({ owner: 'eve' }), wrong: 200, stranger: 401 },
  'DELETE /api/wiki_cache': { who: 'optional', query: SECRET_WIKI, wrong: 404, stranger: 401 },
  'GET /api/processed_projects': { who: 'optional', wrong: 200 },
  'GET /api/wiki/projects': { who: 'optional', wrong: 200 },
  'DELETE /api/wiki/projects': { who: 'optional', json: { owner: 'ada', repo: 'r', repo_type: 'github', language: 'en' }, wrong: 404, stranger: 401 },
  'POST /export/wiki': { who: 'optional', json: { repo_url: 'u', pages: [], format: 'json' }, wrong: 200 },
  'GET /local_repo/structure': { who: 'optional', query: '?path=/etc', wrong: 403, stranger: 401 },
};

// The rows of src/api/routes.c: method, path, who may.
async function tableOfRoutes() {
  const source = await readFile(new URL('../../src/api/routes.c', import.meta.url), 'utf8');
  const rows = [...source.matchAll(/^\s*\{HTTP_([A-Z]+)_, "([^"]+)", LANE_[A-Z]+,\s+ACCESS_([A-Z]+),/gm)];
  return new Map(rows.map(([, method, path, who]) => [`${method} ${path}`, who.toLowerCase()]));
}

const each = Object.entries(entries).map(([name, entry]) => {
  const [method, route] = name.split(' ');
  return { name, method, route, ...entry };
});

// The description names every failure of a route; "default" is for those of ours.
async function assertDescribed(entry, { status }) {
  world.api ??= (await server.api('GET', '/openapi.json')).body;
  const { responses } = world.api.paths[entry.route][entry.method.toLowerCase()];
  assert.ok(responses[status], `${entry.name}: ${status} is not described`);
}

function ask(entry, { token, method = entry.method } = {}) {
  const value = (part) => (typeof part === 'function' ? part() : part);
  const path = entry.route.replace(/\{(\w+)\}/g, (_, name) => ids[name]());
  return server.api(method, path + (value(entry.query) ?? ''), {
    token, json: value(entry.json), body: value(entry.body), headers: entry.headers,
  });
}

// Nothing that ada and bob keep to themselves, and no credential of anybody.
function assertNoSecret(reply, name) {
  assert.doesNotMatch(reply.text, /SECRET-/, name);
  assert.doesNotMatch(reply.text, /\$argon2|\$2b\$|password_hash|family_hash|refresh_hash/, name);
  assert.ok(!reply.text.includes(world.key.key), `${name}: a key`);
  for (const who of ['ada', 'bob', 'mod', 'root']) {
    assert.ok(!reply.text.includes(world[who].token), `${name}: the token of ${who}`);
  }
}

// Everything that is ada's and bob's, as the store has it. Others may like, comment and follow, so what
// they add is not looked at.
async function theirs() {
  const { ada, bob, mod, root } = world;
  const members = [ada, bob, mod, root].map(({ id }) => id).join();
  const both = `${ada.id}, ${bob.id}`;
  const questions = [
    `SELECT id, username, password_hash, nickname, bio, avatar_path, role, banned_us, tokens_from_us FROM users WHERE id IN (${members})`,
    `SELECT id, user_id, revoked_us, refresh_hash FROM sessions WHERE user_id IN (${members})`,
    `SELECT id, content, edited_us FROM posts WHERE author_id IN (${both})`,
    `SELECT id, content FROM comments WHERE author_id IN (${both})`,
    `SELECT * FROM post_likes WHERE user_id IN (${both})`,
    `SELECT * FROM follows WHERE follower_id IN (${both})`,
    `SELECT id, is_read FROM notifications WHERE user_id IN (${both}) AND actor_id IN (${both})`,
    `SELECT * FROM messages WHERE sender_id IN (${both})`,
    `SELECT * FROM conversations WHERE user_id IN (${both}) AND partner_id IN (${both})`,
    `SELECT * FROM chat_groups WHERE owner_id IN (${both})`,
    `SELECT * FROM api_keys WHERE user_id IN (${both})`,
    `SELECT * FROM llm_usage WHERE user_id IN (${both})`,
    `SELECT * FROM chats WHERE owner_id IN (${both})`,
    `SELECT * FROM chat_turns WHERE chat_id = ${world.chat.id}`,
    `SELECT * FROM chat_group_members WHERE group_id = ${world.group.id}`,
  ];
  return server.sqlText(questions.join('; '));
}

const isOneOf = (status, expected) => [].concat(expected).includes(status);

test('every route has an entry here, and every entry is a route with those rights', async () => {
  const table = await tableOfRoutes();
  assert.ok(table.size > 40, 'the table was read');
  const { body: api } = await server.api('GET', '/openapi.json');
  const described = Object.entries(api.paths).flatMap(([path, methods]) => Object.keys(methods)
    .map((method) => `${method.toUpperCase()} ${path}`));
  assert.match(await theirs(), /SECRET-letter[^]*SECRET-group/, 'the store was read');
  assert.deepEqual(described.sort(), [...table.keys()].sort(), 'routes.c and what runs');
  for (const [name, who] of table) {
    assert.ok(entries[name], `${name} is new: say in tests/api/walk.test.mjs who may and what the wrong member gets`);
    assert.equal(entries[name].who, who, name);
  }
  for (const name of Object.keys(entries)) assert.ok(table.has(name), `${name} is gone`);
});

describe('without a good token', () => {
  const closed = each.filter(({ who }) => !['anyone', 'optional', 'live'].includes(who));
  for (const entry of closed) {
    test(`${entry.name} answers 401 and does nothing`, async () => {
      const before = await theirs();
      const tokens = [undefined, 'garbage', world.gone.token, world.banned.token,
        `${world.ada.token.slice(0, -4)}AAAA`];
      for (const token of tokens) {
        const reply = await ask(entry, { token });
        await assertDescribed(entry, reply);
        if (entry.who === 'key') {
          assert.equal(reply.status, 401);
          assert.equal(reply.body.error.code, 'invalid_api_key');
        } else {
          assertProblem(reply, 401);
        }
        assertNoSecret(reply, entry.name);
      }
      if (entry.method === 'GET') assert.equal((await ask(entry, { method: 'HEAD' })).status, 401);
      assert.equal(await theirs(), before);
    });
  }

  const open = each.filter(({ who }) => ['anyone', 'optional', 'live'].includes(who));
  for (const entry of open) {
    test(`${entry.name} shows nothing private`, async () => {
      const before = await theirs();
      for (const token of [undefined, 'garbage', world.gone.token, world.banned.token]) {
        const reply = await ask(entry, { token });
        await assertDescribed(entry, reply);
        assert.ok(isOneOf(reply.status, entry.stranger ?? entry.wrong), `${reply.status} ${reply.text}`);
        assertNoSecret(reply, entry.name);
      }
      assert.equal(await theirs(), before);
    });
  }
});

describe('with the token of the wrong member', () => {
  for (const entry of each.filter(({ stream }) => !stream)) {
    test(`${entry.name} neither shows nor changes what isn't theirs`, async () => {
      const before = await theirs();
      const reply = await ask(entry, { token: world.eve.token });
      await assertDescribed(entry, reply);
      assert.ok(isOneOf(reply.status, entry.wrong), `${reply.status} ${reply.text}`);
      assertNoSecret(reply, entry.name);
      assert.equal(await theirs(), before);
      if (entry.spends) world.eve.token = await signIn('eve');
    });
  }

  test('GET /live/events tells nothing of another\'s group, letters or log-ins', async () => {
    const { ada, bob, eve, group } = world;
    const leave = new AbortController();
    const topics = `group:${group.id},user:${ada.id},user:${bob.id},me,feed`;
    const stream = await fetch(`${server.url}/live/events?topics=${topics}`, {
      headers: { authorization: `Bearer ${eve.token}` },
      signal: AbortSignal.any([leave.signal, AbortSignal.timeout(20000)]),
    });
    assert.equal(stream.status, 200);
    let heard = '';
    const reader = stream.body.getReader();
    const hear = async (words) => {
      while (!words.every((word) => heard.includes(word))) {
        const { value, done } = await reader.read();
        assert.ok(!done, heard);
        heard += Buffer.from(value).toString();
      }
    };
    await hear(['"subscribed","topic":"feed"', '"subscribed","topic":"me"', `"topic":"group:${group.id}"`]);
    const tell = (path, content) => server.api('POST', path, { token: ada.token, json: { content } });
    assertOk(await tell(`/groups/${group.id}/messages`, 'SECRET-news'), 201);
    assertOk(await tell(`/messages/send/${bob.id}`, 'SECRET-news'));
    assertOk(await tell('/posts', 'for all to hear'), 201);
    await hear(['for all to hear']);
    leave.abort();
    assert.doesNotMatch(heard, /SECRET-/);
    assert.doesNotMatch(heard, /"subscribed","topic":"(group|user)/);
  });

  test('a moderator is no administrator, and reads nobody\'s letters', async () => {
    const before = await theirs();
    const admins = each.filter(({ who }) => who === 'admin');
    assert.ok(admins.length > 0);
    for (const entry of admins) assertProblem(await ask(entry, { token: world.mod.token }), 403);
    const letters = each.filter(({ route }) => /\{(group_id|message_id|session_id|key_id)\}/.test(route));
    assert.ok(letters.length > 5);
    for (const who of ['mod', 'root']) {
      for (const entry of letters) {
        const reply = await ask(entry, { token: world[who].token });
        assertProblem(reply, 404);
        assertNoSecret(reply, entry.name);
      }
    }
    assert.equal(await theirs(), before);
  });

  test('the right members still have everything', async () => {
    for (const who of ['ada', 'bob']) {
      const { token } = world[who];
      const partner = who === 'ada' ? world.bob : world.ada;
      const history = await server.api('GET', `/messages/history/${partner.id}`, { token });
      assert.match(assertOk(history).items[0].content, /^SECRET-/);
      const talk = await server.api('GET', `/groups/${world.group.id}/messages`, { token });
      assert.match(assertOk(talk).items[0].content, /^SECRET-/);
    }
  });
});

test('no two shapes of the description have one name', async () => {
  const source = await readFile(new URL('../../src/api/openapi.c', import.meta.url), 'utf8');
  const names = [...source.matchAll(/^ {4}\{"(\w+)",\s+"[\w?]+:/gm)].map(([, name]) => name);
  assert.ok(names.length > 50);
  assert.deepEqual(names.filter((name, i) => names.indexOf(name) !== i), []);
});
