// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What a community is called and says of itself: set by its administrator, seen by everybody, in the
// pages and in what is installed; and whether it is still to be set up.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { asAdmin, withRole } from '../support/admin.mjs';
import { assertOk, assertProblem } from '../support/checks.mjs';
import { hutong, newFolder } from '../support/command.mjs';
import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { towns } from '../support/town.mjs';

const { kept } = towns();
const CODE = /^ {4}([0-9a-f]{32})$/m;
let server;
let root;
before(async () => {
  server = await startServer();
});
after(() => server.stop());

const look = async (at = server) => assertOk(await at.api('GET', '/community'));
const patch = (json) => root.must('PATCH', '/community', json);
const page = async (path, headers = {}) => {
  const answer = await fetch(server.url + path, { headers: { Accept: 'text/html', ...headers } });
  return { answer, text: await answer.text() };
};

test('a fresh one has no name, and is to be set up', async () => {
  assert.deepEqual(await look(), {
    name: null, about: null, language: null, registration_open: true, needs_setup: true, members: 0, residents: 0,
  });
  const { answer, text } = await page('/login', { 'Accept-Encoding': 'br' });
  assert.match(text, /<title>胡同 Hutong<\/title>/);
  assert.equal(answer.headers.get('content-encoding'), 'br', 'as it was built');
});

test('an administrator names it, and everybody sees it at once', async () => {
  root = await asAdmin(server);
  const mei = await server.register('mei_community');
  const live = await Live.open(server, mei.token);
  await live.subscribe('feed');
  const now = await patch({ name: '  槐树胡同 ', about: 'Neighbours under a locust tree.', language: 'zh' });
  assert.deepEqual(now, {
    name: '槐树胡同', about: 'Neighbours under a locust tree.', language: 'zh', registration_open: true, needs_setup: true, members: 2, residents: 0,
  });
  assert.deepEqual(await look(), now);
  const told = await live.next((m) => m.event === 'community.updated');
  assert.deepEqual(told.data, { name: '槐树胡同', about: 'Neighbours under a locust tree.', language: 'zh' });
  await live.close();
});

test('what is absent stays, null and "" take away, and the audit log says what was changed', async () => {
  const before_ = await look();
  assert.deepEqual(await patch({}), before_);
  assert.deepEqual(await patch({ name: before_.name, needs_setup: true }), before_);
  const log = async () => (await root.must('GET', '/admin/audit?action=community.changed')).items;
  assert.equal((await log()).length, 1, 'what was so already is no deed');
  assert.deepEqual(await patch({ about: null, language: '' }), { ...before_, about: null, language: null });
  assert.deepEqual(await patch({ needs_setup: false }), { ...before_, about: null, language: null, needs_setup: false });
  assert.deepEqual(await patch({ about: before_.about, language: 'en' }), { ...before_, language: 'en', needs_setup: false });
  const rows = await log();
  assert.deepEqual(rows.map(({ detail }) => detail).reverse(), [
    'name: 槐树胡同; about: Neighbours under a locust tree.; language: zh',
    'about: ; language: ', 'first-run page: done', 'about: Neighbours under a locust tree.; language: en',
  ]);
  assert.ok(rows.every(({ actor, kind }) => actor.id === root.id && kind === 'community'));
});

test('what is wrong is named, and nothing is changed', async () => {
  const before_ = await look();
  for (const [json, faults] of [
    [{ name: 'x'.repeat(51) }, ['body.name string_too_long']],
    [{ name: 'a\nb' }, ['body.name value_error']],
    [{ about: 'x'.repeat(201) }, ['body.about string_too_long']],
    [{ name: 'Fine', about: 'a\u0007' }, ['body.about value_error']],
    [{ language: 'fr' }, ['body.language enum']],
    [{ name: 7 }, ['body.name string_type']],
    [{ needs_setup: 'no' }, ['body.needs_setup bool_type']],
  ]) {
    const reply = await root.ask('PATCH', '/community', json);
    assertProblem(reply, 422, faults);
  }
  assert.deepEqual(await look(), before_);
});

test('members and moderators change nothing of it', async () => {
  const warden = await withRole(server, 'warden_community', 'moderator');
  const mei = await server.register('mei_two');
  assertProblem(await warden.ask('PATCH', '/community', { name: 'x' }), 403);
  assertProblem(await server.api('PATCH', '/community', { token: mei.token, json: { name: 'x' } }), 403);
  assertProblem(await server.api('PATCH', '/community', { json: { name: 'x' } }), 401);
});

test('its name stands in the title of every page and in what is installed, whatever it is', async () => {
  await patch({ name: '<b>"Tom & Mei"</b></title><script>1', about: '"><script>2</script>', language: 'en' });
  for (const path of ['/', '/login', '/manage/audit', '/p/1']) {
    const { answer, text } = await page(path, { 'Accept-Encoding': 'br, gzip' });
    assert.match(text, /<title>&lt;b&gt;&quot;Tom &amp; Mei&quot;&lt;\/b&gt;&lt;\/title&gt;&lt;script&gt;1<\/title>/, path);
    assert.match(text, /content="&quot;&gt;&lt;script&gt;2&lt;\/script&gt;"/);
    assert.match(text, /<html lang="en">/);
    assert.equal([...text.matchAll(/<script/g)].length, 2);
    assert.equal([...text.matchAll(/<script[^>]* src="\/assets\//g)].length, 2);
    assert.match(text, /<div id="app">/);
    assert.match(answer.headers.get('content-security-policy'), /script-src 'self';/);
    const again = await page(path, { 'If-None-Match': answer.headers.get('etag') });
    assert.equal(again.answer.status, 304);
  }
  const { answer, text } = await page('/manifest.webmanifest');
  assert.equal(answer.headers.get('content-type'), 'application/manifest+json');
  const manifest = JSON.parse(text);
  assert.deepEqual([manifest.name, manifest.short_name], Array(2).fill('<b>"Tom & Mei"</b></title><script>1'));
  assert.deepEqual([manifest.id, manifest.start_url, manifest.lang, manifest.description], ['/', '/', 'en', '"><script>2</script>']);
  assert.equal(manifest.icons.length, 1);
  // A sentence without a name leaves the names.
  await patch({ name: null });
  const unnamed = JSON.parse((await page('/manifest.webmanifest')).text);
  assert.deepEqual([unnamed.name, unnamed.description], ['胡同 Hutong', '"><script>2</script>']);
  assert.match((await page('/login')).text, /<title>胡同 Hutong<\/title>/);
});

test('it is what it was after a restart, and one that people live in is not new', async (t) => {
  const dataDir = await newFolder(t);
  const first = kept(await startServer({ dataDir, env: { HUTONG_REGISTRATION: 'off' } }));
  const [, code] = CODE.exec(first.output());
  assertOk(await first.api('POST', '/auth/register', { json: { username: 'first_one', password: 'correct horse', nickname: 'First', admin_code: code } }), 201);
  const { access_token: token } = assertOk(await first.api('POST', '/auth/login', { json: { username: 'first_one', password: 'correct horse' } }));
  const now = assertOk(await first.api('PATCH', '/community', { token, json: { name: 'Elm Lane', needs_setup: false } }));
  assert.deepEqual([now.registration_open, now.needs_setup, now.members], [false, false, 1]);
  await first.stop();
  const second = kept(await startServer({ dataDir }));
  assert.deepEqual(await look(second), { ...now, registration_open: true });
  assert.doesNotMatch(second.output(), CODE);
  await second.stop();
  const demo = kept(await startServer({ args: ['--demo'] }));
  const shown = await look(demo);
  assert.deepEqual([shown.needs_setup, shown.members, shown.residents], [false, 2, 3]);
  await demo.stop();
});

test('residents out of a file do not take the code from the first person', async (t) => {
  const dataDir = await newFolder(t);
  const { status, err } = await hutong(['resident', 'add', 'early_bird', '--data', dataDir]);
  assert.equal(status, 0, err);
  const one = kept(await startServer({ dataDir, env: { HUTONG_DATABASE: `sqlite:${dataDir}/hutong.db` } }));
  const [, code] = CODE.exec(one.output());
  const made = assertOk(await one.api('POST', '/auth/register', { json: { username: 'first_one', password: 'correct horse', nickname: 'First', admin_code: code } }), 201);
  assert.equal(made.role, 'admin');
  assert.deepEqual([(await look(one)).residents, (await look(one)).members], [1, 1]);
  await one.stop();
});
