// SPDX-License-Identifier: AGPL-3.0-or-later
//
// GET /users/me/export: a copy of everything that is a member's own, and nothing of anybody else.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

let server;
let ada;
let bob;
let eve;
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
  [ada, bob, eve] = [await server.register('ada_export', { nickname: '阿达 "A"' }), await server.register('bob_export'), await server.register('eve_export')];
});
after(() => server.stop());

const as = ({ token }) => async (method, target, json, status = method === 'POST' ? 201 : 200) => assertOk(
  await server.api(method, target, { token, json }), status);
const taken = async ({ token }) => {
  const reply = await fetch(`${server.url}/users/me/export`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(reply.status, 200);
  const bytes = await reply.arrayBuffer();
  assert.equal(Number(reply.headers.get('content-length')), bytes.byteLength);
  return { reply, copy: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
};
const ids = (list) => list.map(({ id }) => id);
const range = (n) => Array.from({ length: n }, (_, i) => i);

test('a_new_member_takes_a_name_and_a_log_in_along_and_empty_lists', async () => {
  const { reply, copy } = await taken(eve);
  assert.match(reply.headers.get('content-type'), /^application\/json/);
  assert.match(reply.headers.get('content-disposition'), /^attachment; filename="hutong-eve_export-\d{4}-\d\d-\d\d\.json"$/);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  const { exported_at: at, hutong, profile, sessions, ...lists } = copy;
  assert.ok(at && hutong);
  assert.equal(profile.username, 'eve_export');
  assert.equal(sessions.length, 1);
  assert.deepEqual(Object.keys(lists).sort(), ['chats', 'comments', 'conversations', 'followers', 'following', 'groups', 'keys', 'likes',
    'notifications', 'pictures', 'posts', 'reports', 'said_in_former_groups', 'usage', 'wiki_books', 'wikis']);
  for (const [name, list] of Object.entries(lists)) assert.deepEqual(list, [], name);
});

test('everything_of_a_member_is_in_it_also_past_the_first_page', async () => {
  const [a, b] = [as(ada), as(bob)];
  const posts = await Promise.all(range(1010).map((i) => a('POST', '/posts', { content: `post ${i} 你好 \u{1f980} "\\` })));
  const his = await b('POST', '/posts', { content: 'bob SECRET-post' });
  const comment = await a('POST', `/posts/${his.id}/comments`, { content: 'on his' });
  await b('POST', `/posts/${his.id}/comments`, { content: 'SECRET-comment' });
  await a('PUT', `/posts/${his.id}/like`);
  await a('PUT', `/users/${bob.id}/follow`);
  await b('PUT', `/users/${ada.id}/follow`);
  const letters = await Promise.all(range(1005).map((i) => as(i % 2 ? ada : bob)('POST', `/messages/send/${i % 2 ? bob.id : ada.id}`, { content: `letter ${i}` }, 200)));
  await a('POST', `/messages/send/${eve.id}`, { content: 'to eve' }, 200);
  await b('POST', `/messages/send/${eve.id}`, { content: 'SECRET-letter' }, 200);
  const group = await a('POST', '/groups', { name: '三人', members: [bob.id, eve.id] });
  const talk = await b('POST', `/groups/${group.id}/messages`, { content: 'his in the group' });
  const left = await b('POST', '/groups', { name: 'left', members: [ada.id] });
  const said = await a('POST', `/groups/${left.id}/messages`, { content: 'said and left' });
  await b('POST', `/groups/${left.id}/messages`, { content: 'SECRET-later' });
  await a('DELETE', `/groups/${left.id}/members/${ada.id}`, undefined, 204);
  await b('PUT', `/posts/${posts[0].id}/like`);
  await b('POST', `/posts/${posts[1].id}/comments`, { content: 'good @ada_export' });
  const report = await a('POST', '/reports', { kind: 'post', id: his.id, reason: 'spam', note: 'not nice' });
  const about = await a('POST', '/reports', { kind: 'user', id: eve.id, reason: 'other' });
  await b('POST', '/reports', { kind: 'post', id: posts[2].id, reason: 'abuse', note: 'SECRET-note' });
  await server.sql(`UPDATE reports SET is_open = NULL, outcome = 'dismissed', resolved_us = 1, resolved_by = ${eve.id} WHERE id = ${report.id}`);
  const key = await a('POST', '/keys', { name: 'program' });
  const chat = await a('POST', '/chat/conversations', { title: 'with a model' });
  await server.api('POST', `/chat/conversations/${chat.id}/messages`, { token: ada.token, json: { text: 'what is a hutong?' } });
  await server.sql(`INSERT INTO files (name, kind, owner_id, bytes, width, height, created_us) VALUES
    ('hers.webp', 'image', ${ada.id}, 12, 3, 4, 1), ('his.webp', 'image', ${bob.id}, 1, 1, 1, 2)`);

  const wiki = await a('POST', '/wikis', { url: 'https://nowhere.invalid/ada/hers.git', name: 'hers', token: 'hush-token', access: 'owner' });
  await server.sql(`INSERT INTO wiki_books (wiki_id, kind, owner, repo, url, language, comprehensive, title, description, sections, roots,
    provider, model, commit_id, state, note, access, author_id, created_us, finished_us) VALUES
    (${wiki.id}, 'git', 'o', 'r', '', 'en', 1, 'Her book', '', '[]', '[]', 'p', 'm', '', 'done', '', 'everyone', ${ada.id}, 1, 2),
    (NULL, 'git', 'o', 'r', '', 'en', 1, 'His SECRET-book', '', '[]', '[]', 'p', 'm', '', 'done', '', 'everyone', ${bob.id}, 1, 2)`);

  const { copy } = await taken(ada);
  assert.deepEqual(copy.wikis.map(({ id, name, access }) => [id, name, access]), [[wiki.id, 'hers', 'owner']]);
  assert.deepEqual(copy.wiki_books.map(({ title, wiki_id: of, language }) => [title, of, language]), [['Her book', wiki.id, 'en']]);
  assert.equal(copy.profile.nickname, '阿达 "A"');
  assert.deepEqual(ids(copy.posts).sort((x, y) => x - y), ids(posts).sort((x, y) => x - y));
  assert.ok(copy.posts.every(({ content }) => content.endsWith('你好 \u{1f980} "\\')));
  assert.deepEqual(copy.comments.map(({ id, post_id: post, content }) => [id, post, content]), [[comment.id, his.id, 'on his']]);
  assert.deepEqual(copy.likes.map(({ post_id: post }) => post), [his.id]);
  assert.deepEqual([copy.following, copy.followers].map((list) => list.map(({ user }) => user.username)), [['bob_export'], ['bob_export']]);
  const [withBob, withEve] = [bob, eve].map(({ id }) => copy.conversations.find(({ user }) => user.id === id).messages);
  assert.deepEqual(ids(withBob).sort((x, y) => x - y), ids(letters).sort((x, y) => x - y));
  assert.deepEqual(withEve.map(({ content }) => content), ['to eve']);
  assert.equal(copy.conversations.length, 2);
  assert.deepEqual(copy.groups.map(({ group: { id }, members, messages }) => [id, ids(members), ids(messages)]),
    [[group.id, [ada.id, bob.id, eve.id], [talk.id]]]);
  assert.deepEqual(ids(copy.said_in_former_groups), [said.id]);
  assert.deepEqual(copy.keys.map(({ id, name }) => [id, name]), [[key.id, 'program']]);
  assert.deepEqual(copy.chats.map(({ conversation, messages }) => [conversation.id, messages[0].content, messages.length]), [[chat.id, 'what is a hutong?', 2]]);
  assert.deepEqual(copy.pictures.map(({ url, size, width, height }) => [url, size, width, height]), [['/files/images/hers.webp', 12, 3, 4]]);
  assert.deepEqual(copy.notifications.map(({ kind, actor, post_id: post, excerpt }) => [kind, actor.username, post, excerpt]), [
    ['comment', 'bob_export', posts[1].id, 'good @ada_export'], ['like', 'bob_export', posts[0].id, posts[0].content], ['follow', 'bob_export', null, null]]);
  assert.deepEqual(copy.reports.map(({ created_at: at, ...rest }) => (assert.ok(at), rest)), [
    { id: report.id, kind: 'post', object_id: his.id, post_id: null, reason: 'spam', note: 'not nice', resolved_at: '1970-01-01T00:00:00' },
    { id: about.id, kind: 'user', object_id: eve.id, post_id: null, reason: 'other', note: null, resolved_at: null }]);
  const text = JSON.stringify(copy);
  assert.doesNotMatch(text, /SECRET-|hush-token|password|argon2|refresh|his\.webp/);
  assert.ok(!text.includes(key.key));
});

test('more_notifications_than_a_page_and_more_reports_go_along_each_once', async () => {
  const li = await server.register('li_export');
  const post = await as(li)('POST', '/posts', { content: 'much liked' });
  const rows = (row) => range(1030).map((n) => `(${row(n)})`).join();
  await server.sql(`INSERT INTO notifications (user_id, occasion, kind, actor_id, post_id, created_us) VALUES
    ${rows((n) => `${li.id}, 'x:${n}', 'mention', ${bob.id}, ${post.id}, ${n}`)}`);
  await server.sql(`INSERT INTO reports (created_us, reporter_id, kind, object_id, author_id, content, reason, is_open, outcome, resolved_us) VALUES
    ${rows((n) => `${n}, ${li.id}, 'post', ${post.id}, ${bob.id}, 'SECRET-content', 'spam', NULL, 'removed', ${n}`)}`);
  const { copy } = await taken(li);
  assert.equal(copy.notifications.length, 1000, 'as many as are shown');
  assert.equal(new Set(ids(copy.notifications)).size, 1000);
  assert.equal(copy.reports.length, 1030);
  assert.equal(new Set(ids(copy.reports)).size, 1030);
  assert.doesNotMatch(JSON.stringify(copy), /SECRET-/);
});
