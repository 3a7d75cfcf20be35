// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A resident that has been given a wiki to know about: who may give which, who sees it, and what it
// says when a member asks.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk, assertProblem } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const FILES = {
  'README.md': '# Teahouse\n\nA server that pours tea. It keeps every pot warm.\n',
  'src/pot.c': '/* Keeps the water at the wanted heat. */\nint pot_heat(int degrees)\n{\n    return degrees > 95 ? 95 : degrees;\n}\n\n/* Pours a cup, and says how much is left. */\nint pot_pour(int left, int cup)\n{\n    return left - cup;\n}\n',
  'docs/说明.md': '# 泡茶说明\n\n先把水烧热，再倒进茶壶。\n',
};

let roots;
let server;
let root;
let li;

async function makeRepository(name, files = FILES) {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(roots, name, file)), { recursive: true });
    await writeFile(path.join(roots, name, file), text);
  }
  return path.join(roots, name);
}

async function addWiki(at, token, url, more = {}) {
  const { id } = assertOk(await at.api('POST', '/wikis', { token, json: { url, ...more } }), 201);
  const look = async () => assertOk(await at.api('GET', `/wikis/${id}`, { token }));
  const wiki = await until(look, ({ progress, state }) => progress === null && ['ready', 'failed'].includes(state), { what: 'the wiki' });
  assert.equal(wiki.state, 'ready', wiki.note);
  return wiki;
}

before(async () => {
  roots = await mkdtemp(path.join(tmpdir(), 'hutong-resident-wiki-'));
  server = await startServer({ env: { HUTONG_WIKI_ROOTS: roots, HUTONG_WIKI_GUESTS: 'read' } });
  root = await asAdmin(server);
  li = await server.register('li_asks');
});
after(async () => {
  await server.stop();
  await rm(roots, { recursive: true, force: true });
});

const seen = async (id, token) => assertOk(await server.api('GET', `/users/${id}`, { token }));
const knows = ({ wiki, wiki_name: name }) => [wiki, name];

test('a resident is given a wiki, everybody sees it, and it is taken away again', async () => {
  const wiki = await addWiki(server, root.token, await makeRepository('teahouse'));
  const plain = await root.must('POST', '/admin/residents', { username: 'plain_one' }, 201);
  assert.deepEqual(knows(plain), [null, null]);
  assert.ok(!('wiki' in await seen(plain.id)), 'old clients see what they saw');
  const { id } = await root.must('POST', '/admin/residents', { username: 'tea_keeper', bio: 'pours', wiki: wiki.id }, 201);
  const listed = (await root.must('GET', `/admin/residents?after=${id - 1}&limit=1`)).items[0];
  assert.deepEqual([listed.id, ...knows(listed)], [id, wiki.id, 'teahouse']);
  for (const token of [undefined, li.token]) assert.deepEqual((await seen(id, token)).wiki, { id: wiki.id, name: 'teahouse' });

  const renamed = await root.must('PUT', `/admin/residents/${id}`, { nickname: 'Keeper' });
  assert.deepEqual([renamed.nickname, ...knows(renamed)], ['Keeper', wiki.id, 'teahouse']);
  assert.deepEqual(knows(await root.must('PUT', `/admin/residents/${id}`, { wiki: null })), [null, null]);
  assert.ok(!('wiki' in await seen(id)));
  assert.deepEqual(knows(await root.must('PUT', `/admin/residents/${plain.id}`, { wiki: wiki.id })), [wiki.id, 'teahouse']);
  const { items: [row] } = await root.must('GET', '/admin/audit?limit=1');
  assert.deepEqual([row.action, row.object_id], ['resident.changed', plain.id]);
  // An export goes to other communities, where numbers are others.
  const exported = await root.must('GET', '/admin/residents/export');
  assert.deepEqual(exported.find(({ username }) => username === 'plain_one'), { username: 'plain_one', nickname: 'plain_one' });
  assertProblem(await root.ask('POST', '/admin/residents/import', [{ username: 'abc', wiki: wiki.id }]), 422);
});

test('only a wiki that everybody may read can be given', async () => {
  const url = await makeRepository('secret_house');
  const hidden = await addWiki(server, root.token, url, { access: 'owner' });
  const inside = await addWiki(server, root.token, url, { access: 'members', name: 'inside', exclude: 'docs/' });
  const { id } = await root.must('POST', '/admin/residents', { username: 'discreet' }, 201);
  for (const [wiki, sentence] of [
    [hidden.id, /wiki is not for everyone: a resident speaks where everybody reads/], [inside.id, /wiki is not for everyone/],
    [999_999, /wiki is the number of no wiki here/], ['teahouse', /wiki must be the number of a wiki, or null/], [0, /must be the number/], [-1, /must be the number/],
  ]) {
    for (const [method, target, json] of [['PUT', `/admin/residents/${id}`, {}], ['POST', '/admin/residents', { username: 'nobody_new' }]]) {
      const reply = await root.ask(method, target, { ...json, wiki });
      assertProblem(reply, 422, ['body.wiki value_error']);
      assert.match(reply.body.detail, sentence);
    }
  }
  assert.deepEqual(knows(await root.must('PUT', `/admin/residents/${id}`, {})), [null, null]);
  assert.ok(!(await root.must('GET', '/admin/residents?limit=100')).items.some(({ username }) => username === 'nobody_new'));
});

test('a wiki that becomes private or goes leaves its resident fine', async () => {
  const wiki = await addWiki(server, root.token, await makeRepository('passing'), { name: 'passing' });
  const { id } = await root.must('POST', '/admin/residents', { username: 'remembers', bio: 'b', wiki: wiki.id }, 201);
  assert.equal((await seen(id)).wiki.name, 'passing');
  assertOk(await root.ask('PATCH', `/wikis/${wiki.id}`, { access: 'members' }));
  assert.ok(!('wiki' in await seen(id, li.token)), 'what not everybody may read is not shown');
  // Who runs the community sees it all the same, and can take it away or make it public again.
  assert.deepEqual(knows(await root.must('PUT', `/admin/residents/${id}`, { bio: 'c' })), [wiki.id, 'passing']);
  assertOk(await root.ask('PATCH', `/wikis/${wiki.id}`, { access: 'everyone' }));
  assert.equal((await seen(id)).wiki.id, wiki.id);
  await root.must('DELETE', `/wikis/${wiki.id}`, undefined, 204);
  const left = await root.must('PUT', `/admin/residents/${id}`, { nickname: 'Still here' });
  assert.deepEqual([left.nickname, left.bio, ...knows(left)], ['Still here', 'c', null, null]);
  assert.ok(!('wiki' in await seen(id)));
});

test('where strangers may not read wikis, a profile names none to them', async () => {
  const closed = await startServer({ env: { HUTONG_WIKI_ROOTS: roots, HUTONG_WIKI_GUESTS: 'off' } });
  try {
    const keeper = await asAdmin(closed);
    const wiki = await addWiki(closed, keeper.token, await makeRepository('teahouse'));
    const { id } = await keeper.must('POST', '/admin/residents', { username: 'tea_keeper', wiki: wiki.id }, 201);
    assert.ok(!('wiki' in assertOk(await closed.api('GET', `/users/${id}`))));
    assert.equal((await keeper.must('GET', `/users/${id}`)).wiki.name, 'teahouse');
  } finally {
    await closed.stop();
  }
});
