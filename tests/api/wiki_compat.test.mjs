// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What an unchanged page of deepwiki-open 1.x asks, but for questions to a model: languages, models,
// written wikis, files to take along, folders. docs/wiki.md is its manual.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { page, wiki } from '../support/wiki.mjs';

const query = ({ owner = 'o', repo = 'r', type = 'github', language = 'en', ...more } = {}) =>
  `?${new URLSearchParams({ owner, repo, repo_type: type, language, ...more })}`;
const load = (server, which, more = {}) => server.api('GET', `/api/wiki_cache${query(which)}`, more);
const save = (server, which, more = {}) => server.api('POST', '/api/wiki_cache', { json: wiki(which), ...more });
const remove = (server, which, more = {}) => server.api('DELETE', `/api/wiki_cache${query(which)}`, more);
const projects = async (server, more) => assertOk(await server.api('GET', '/api/processed_projects', more));
const repos = async (server, more) => (await projects(server, more)).map(({ repo }) => repo);

// Both words for the sentence, for pages that ask their own server.
function assertFails(reply, status, words) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.headers.get('content-type'), 'application/problem+json');
  assert.equal(reply.body.error, reply.body.detail);
  if (words) assert.match(reply.body.detail, words);
}

const places = (reply) => reply.body.errors.map(({ loc, type }) => `${loc.join('.')} ${type}`);

describe('an open server', () => {
  let server;
  let ada;
  let mod;
  before(async () => {
    server = await startServer({ env: { HUTONG_WIKI_GUESTS: 'add' } });
    ada = await server.register('ada_wiki');
    mod = await server.register('mod_wiki');
    await server.sql(`UPDATE users SET role = 'moderator' WHERE id = ${mod.id}`);
    const login = await server.api('POST', '/auth/login', { form: { username: 'mod_wiki', password: mod.password } });
    mod.token = login.body.access_token;
  });
  after(() => server.stop());

  test('a wiki that was handed in comes back the same', async () => {
    assert.deepEqual(assertOk(await load(server)), null);
    const reply = await save(server, {}, { headers: { origin: server.url } });
    assert.deepEqual(assertOk(reply), { message: 'Wiki cache saved successfully' });
    const got = await load(server);
    // What pages show is theirs to make safe: here it is JSON, and no browser takes it for a page.
    assert.equal(got.headers.get('content-type'), 'application/json');
    assert.equal(got.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(got.headers.get('cache-control'), 'no-store');
    const { language, ...sent } = wiki();
    assert.deepEqual(assertOk(got), { ...sent, repo_url: 'https://github.com/o/r' });
    assert.deepEqual(Object.keys(got.body), ['wiki_structure', 'generated_pages', 'repo_url', 'repo', 'provider', 'model']);
    assert.ok(got.text.includes('二')); // not escaped
    assert.equal(language, 'en');
  });

  test('names of every kind are kept apart', async () => {
    const names = [
      { owner: 'my_org', repo: 'deep_wiki' }, { owner: 'my', repo: 'org_deep_wiki' }, { owner: '..', repo: '../../etc/passwd' },
      { owner: 'group/sub', repo: 'r' }, { owner: 'O', repo: 'r' }, { owner: '组织', repo: '仓库%_' }, { repo: 'same', type: 'gitlab' },
      { repo: 'same', type: 'bitbucket' }, { repo: 'same', language: 'zh-tw' }, { owner: "'; DROP TABLE wikis; --", repo: 'r' },
    ];
    for (const [i, which] of names.entries()) {
      assertOk(await save(server, { ...which, written: { 'page-1': `number ${i}` } }));
    }
    for (const [i, which] of names.entries()) {
      const { generated_pages: pages, repo } = assertOk(await load(server, which));
      assert.equal(pages['page-1'].content, `number ${i}`);
      assert.equal(repo.owner, which.owner ?? 'o');
    }
    const list = await projects(server);
    const odd = list.find(({ owner }) => owner === 'my_org');
    assert.deepEqual({ ...odd, submittedAt: 0 }, {
      id: 'deepwiki_cache_github_my_org_deep_wiki_en.json', owner: 'my_org', repo: 'deep_wiki', name: 'my_org/deep_wiki',
      repo_type: 'github', submittedAt: 0, language: 'en',
    });
    assert.ok(Math.abs(odd.submittedAt - Date.now()) < 60_000 && Number.isInteger(odd.submittedAt));
    for (const which of names) assertOk(await remove(server, which));
    assert.ok(!(await projects(server)).some(({ owner }) => owner === 'my_org'));
  });

  test('the test vector of the list: an id that old scripts can take apart', async () => {
    const which = { owner: 'AsyncFuncAI', repo: 'deepwiki-open' };
    assertOk(await save(server, which));
    assertOk(await save(server, { ...which, written: { 'page-1': 'newer' } }));
    const found = (await projects(server)).filter(({ owner }) => owner === 'AsyncFuncAI');
    assert.equal(found.length, 1); // of several versions the newest
    assert.equal(found[0].id, 'deepwiki_cache_github_AsyncFuncAI_deepwiki-open_en.json');
    assert.equal(assertOk(await load(server, which)).generated_pages['page-1'].content, 'newer');
    assert.deepEqual((await projects(server))[0], found[0]); // the newest first
    const own = await server.api('GET', '/api/wiki/projects');
    assert.deepEqual(assertOk(own), await projects(server));
    assert.equal(own.headers.get('cache-control'), 'no-store');
    await remove(server, which);
  });

  test('a language that nobody knows is the usual one, but deletes nothing', async () => {
    assertOk(await save(server, { repo: 'tongues', language: 'tlh' }));
    for (const language of ['en', 'tlh', '']) {
      assert.equal(assertOk(await load(server, { repo: 'tongues', language })).repo.repo, 'tongues');
    }
    assert.equal(assertOk(await load(server, { repo: 'tongues', language: 'kr' })), null);
    assertFails(await remove(server, { repo: 'tongues', language: 'tlh' }), 400, /Language/);
    const reply = await remove(server, { repo: 'tongues' });
    assert.deepEqual(assertOk(reply), { message: 'Wiki cache for o/tongues (en) deleted successfully' });
    assertFails(await remove(server, { repo: 'tongues' }), 404, /^Wiki cache not found$/);
  });

  test('whatever is wrong with a wiki is told at once', async () => {
    assert.deepEqual(places(await server.api('GET', '/api/wiki_cache?owner=o')),
      ['query.repo missing', 'query.repo_type missing', 'query.language missing']);
    const cases = [
      [{}, ['body.repo missing', 'body.language missing', 'body.wiki_structure missing', 'body.generated_pages missing',
        'body.provider missing', 'body.model missing']],
      [wiki({ owner: 7 }), ['body.repo.owner string_type']],
      [wiki({ owner: 'o'.repeat(256) }), ['body.repo.owner string_too_long']],
      [wiki({ owner: '字'.repeat(255), repo: 'a\u0007' }), ['body.repo.repo value_error']],
      [wiki({ written: { 'page-1': 7 } }), ['body.generated_pages.page-1.content string_type']],
      [wiki({ model: null }), ['body.model string_type']],
      [{ ...wiki(), wiki_structure: { ...wiki().wiki_structure, pages: [page('a', ''), page('a', '')] } },
        ['body.wiki_structure.pages.1.id value_error']],
    ];
    for (const [json, expected] of cases) {
      const reply = await server.api('POST', '/api/wiki_cache', { json });
      assertFails(reply, 422);
      assert.deepEqual(places(reply), expected);
    }
    for (const body of ['', '{', '[]', '"x"']) {
      assertFails(await server.api('POST', '/api/wiki_cache', { body, headers: { 'content-type': 'application/json' } }), 422);
    }
    assertFails(await server.api('POST', '/api/wiki_cache', { body: JSON.stringify(wiki()), headers: { 'content-type': 'text/plain' } }), 422);
  });

  test('a large wiki is taken and given whole, a larger one is not', async () => {
    const written = { 'page-1': '内'.repeat(1_500_000), 'page-2': 'x\n"'.repeat(1_000_000) };
    assertOk(await save(server, { repo: 'large', written }));
    const got = assertOk(await load(server, { repo: 'large' }));
    assert.ok(got.generated_pages['page-1'].content === written['page-1']);
    assert.ok(got.generated_pages['page-2'].content === written['page-2']);
    await remove(server, { repo: 'large' });
    const refused = await save(server, { repo: 'large', written: { 'page-1': 'x'.repeat(11 * 1024 * 1024) } }).catch((error) => error);
    // Refused before the body has come: some clients see the answer, some a broken connection.
    if (!(refused instanceof Error)) assert.equal(refused.status, 413);
    assert.equal(assertOk(await load(server, { repo: 'large' })), null);
  });

  test('versions of strangers do not pile up', async () => {
    for (let i = 0; i < 6; i += 1) assertOk(await save(server, { repo: 'piled', written: { 'page-1': `${i}` } }));
    const count = async () => (await server.sql(`SELECT COUNT(*) AS n FROM wiki_books WHERE repo = 'piled'`))[0].n;
    assert.equal(await count(), 3);
    assert.equal(assertOk(await load(server, { repo: 'piled' })).generated_pages['page-1'].content, '5');
    for (let i = 0; i < 4; i += 1) assertOk(await save(server, { repo: 'piled' }, { token: ada.token }));
    assert.equal(await count(), 7); // members' are theirs
    await server.sql(`DELETE FROM wiki_books WHERE repo = 'piled'`);
    // There is an end to what strangers may leave here.
    const rows = Array.from({ length: 1000 }, (_, i) =>
      `('github', 'full', 'r${i}', '', 'en', 0, '', '', '[]', '[]', '', '', '', 'done', '', 'everyone', 1, 1)`);
    await server.sql(`INSERT INTO wiki_books (kind, owner, repo, url, language, comprehensive, title, description, sections,
      roots, provider, model, commit_id, state, note, access, created_us, finished_us) VALUES ${rows.join(',')}`);
    assertFails(await save(server, { repo: 'one too many' }), 409, /1000 wikis/);
    assertOk(await save(server, { repo: 'one too many' }, { token: ada.token }));
    await server.sql(`DELETE FROM wiki_books WHERE owner = 'full' OR repo = 'one too many'`);
  });

  test('tokens are neither kept nor given to anybody', async () => {
    const secret = 'ghp_SECRETSECRET';
    const body = wiki({ repo: 'private', token: secret, repoUrl: `https://me:${secret}@github.com/o/private?private_token=${secret}` });
    const refused = await server.api('POST', '/api/wiki_cache', { json: body });
    assertFails(refused, 403, /private repository/);
    assertOk(await server.api('POST', '/api/wiki_cache', { json: body, token: ada.token }));
    const got = await load(server, { repo: 'private' }, { token: ada.token });
    assert.deepEqual(assertOk(got).repo, {
      owner: 'o', repo: 'private', type: 'github', token: null, localPath: null, repoUrl: 'https://github.com/o/private',
    });
    for (const table of ['wiki_books', 'wiki_pages']) {
      assert.ok(!(await server.sqlText(`SELECT * FROM ${table}`)).includes('SECRETSECRET'), table);
    }
    assert.ok(!server.log().includes('SECRETSECRET'));
    // Whoever could not read the repository does not read the wiki.
    assert.equal(assertOk(await load(server, { repo: 'private' })), null);
    assert.equal(assertOk(await load(server, { repo: 'private' }, { token: mod.token })), null);
    assert.ok(!(await repos(server)).includes('private'));
    assert.ok((await repos(server, { token: ada.token })).includes('private'));
    assertFails(await remove(server, { repo: 'private' }), 404);
    assertOk(await remove(server, { repo: 'private' }, { token: ada.token }));
  });

  test('everybody deletes what is nobody\'s, members what is theirs, moderators what they see', async () => {
    assertOk(await save(server, { repo: 'shared' }));
    assertOk(await save(server, { repo: 'shared' }, { token: ada.token }));
    assertOk(await remove(server, { repo: 'shared' })); // the stranger's version
    assertFails(await remove(server, { repo: 'shared' }), 403, /belongs to a member/);
    assert.equal(assertOk(await load(server, { repo: 'shared' })).repo.repo, 'shared');
    assertOk(await remove(server, { repo: 'shared' }, { token: ada.token }));
    assertOk(await save(server, { repo: 'shared' }, { token: ada.token }));
    assertOk(await remove(server, { repo: 'shared' }, { token: mod.token }));
    const [deed] = await server.sql(`SELECT action, detail, actor_id FROM audit WHERE action = 'wiki.removed'`);
    assert.deepEqual(deed, { action: 'wiki.removed', detail: 'o/shared (en)', actor_id: mod.id });
  });

  test('the older page deletes from its list with a body', async () => {
    assertOk(await save(server, { repo: 'listed' }));
    const right = { owner: 'o', repo: 'listed', repo_type: 'github', language: 'en' };
    const ask = (json) => server.api('DELETE', '/api/wiki/projects', { json });
    for (const wrong of [{}, { ...right, owner: '' }, { ...right, repo: 7 }, { ...right, language: undefined }, { ...right, language: 'tlh' }]) {
      assertFails(await ask(wrong), 400);
    }
    assertFails(await server.api('DELETE', '/api/wiki/projects'), 400);
    assert.deepEqual(assertOk(await ask(right)), { message: 'Wiki cache for o/listed (en) deleted successfully' });
    assertFails(await ask(right), 404);
  });

  test('another web page uses no browser of a stranger for more than reading', async () => {
    const elsewhere = { headers: { origin: 'https://evil.example' } };
    assertFails(await save(server, { repo: 'evil' }, elsewhere), 403, /web page/);
    assertFails(await remove(server, { repo: 'r' }, elsewhere), 403, /web page/);
    assertFails(await server.api('GET', '/local_repo/structure?path=/', elsewhere), 403, /web page/);
    assertOk(await load(server, {}, elsewhere));
    assert.equal((await load(server, {}, elsewhere)).headers.get('access-control-allow-origin'), null);
    assertOk(await save(server, { repo: 'evil' }, { headers: { origin: 'http://localhost:3000' } }));
    assertOk(await remove(server, { repo: 'evil' }, { headers: { origin: server.url } }));
  });

  test('languages and models are those of this server', async () => {
    const languages = assertOk(await server.api('GET', '/lang/config'));
    assert.deepEqual(Object.keys(languages.supported_languages), ['en', 'ja', 'zh', 'zh-tw', 'es', 'kr', 'vi', 'pt-br', 'fr', 'ru']);
    assert.equal(languages.supported_languages.zh, 'Mandarin Chinese (中文)');
    assert.equal(languages.default, 'en');
    const models = assertOk(await server.api('GET', '/models/config'));
    assert.deepEqual(models, {
      providers: [{
        id: 'offline', name: 'Offline', supportsCustomModel: false, models: [{ id: 'hutong-offline', name: 'hutong-offline' }],
      }],
      defaultProvider: 'offline',
    });
    for (const name of ['/lang/config', '/models/config']) {
      assert.equal((await server.api('GET', `/api${name}`)).text, (await server.api('GET', name)).text);
    }
  });

  test('GET / and /health stay what they were, with what the older page\'s checks look for', async () => {
    assert.deepEqual(Object.keys(assertOk(await server.api('GET', '/'))), ['message', 'docs', 'version']);
    const { status, timestamp, service } = assertOk(await server.api('GET', '/health'));
    assert.deepEqual([status, service], ['healthy', 'hutong']);
    assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  });
});

describe('files to take along', () => {
  let server;
  before(async () => { server = await startServer({ env: { TZ: 'CST-8' } }); });
  after(() => server.stop());
  const pages = [page('page-1', '# 一\n\ntext <b>', { relatedPages: ['page-2', 'gone'] }), page('page-2', 'x', { relatedPages: [] })];
  const take = (format, more = {}) => server.api('POST', '/export/wiki', {
    json: { repo_url: 'https://github.com/o/deepwiki-open/', pages, format, type: 'github', ...more },
  });

  test('as Markdown, with contents and anchors', async () => {
    const reply = await take('markdown');
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers.get('content-type'), 'text/markdown; charset=utf-8');
    assert.match(reply.headers.get('content-disposition'), /^attachment; filename=deepwiki-open_wiki_\d{8}_\d{6}\.md$/);
    const lines = reply.text.split('\n');
    assert.match(lines[0], /^# .*https:\/\/github\.com\/o\/deepwiki-open/);
    assert.match(lines[2], /Generated on: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.equal(lines.slice(3).join('\n'), [
      '', '## Table of Contents', '', '- [Title of page-1](#page-1)', '- [Title of page-2](#page-2)', '',
      "<a id='page-1'></a>", '', '## Title of page-1', '', '### Related Pages', '', '[Title of page-2](#page-2)', '',
      '# 一', '', 'text <b>', '', '---', '', "<a id='page-2'></a>", '', '## Title of page-2', '', 'x', '', '---', '', '',
    ].join('\n'));
    // The machine's own time, which is eight hours ahead here.
    const told = Date.parse(`${lines[2].slice(-19).replace(' ', 'T')}+08:00`);
    assert.ok(Math.abs(told - Date.now()) < 60_000, lines[2]);
  });

  test('as JSON in ASCII', async () => {
    const reply = await take('json');
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers.get('content-type'), 'application/json');
    assert.match(reply.headers.get('content-disposition'), /^attachment; filename=deepwiki-open_wiki_\d{8}_\d{6}\.json$/);
    assert.match(reply.text, /^\{\n {2}"metadata": \{\n {4}"repository": "https:\/\/github\.com\/o\/deepwiki-open\/",\n {4}"generated_at": /);
    assert.ok(reply.text.includes('"# \\u4e00\\n\\ntext <b>"'));
    assert.match(reply.text, /^[\x0a\x20-\x7e]*$/);
    assert.equal(reply.body.metadata.page_count, 2);
    assert.deepEqual(reply.body.pages, pages);
    assert.equal(reply.text, JSON.stringify(reply.body, null, 2).replace(/[\u007f-\uffff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
  });

  test('the name of the file and the address in it carry nothing else', async () => {
    const reply = await take('markdown', { repo_url: 'https://TOKEN-x@h/o/a b"\r\nSet-Cookie: x' });
    assert.match(reply.headers.get('content-disposition'), /^attachment; filename=[\w.-]+\.md$/);
    assert.equal(reply.headers.get('set-cookie'), null);
    const clean = await take('json', { repo_url: 'https://TOKEN-x@github.com/o/r?private_token=TOKEN-y' });
    assert.doesNotMatch(clean.text, /TOKEN/);
  });

  test('a wrong wish is told, and a wish without end is ended', async () => {
    const fails = async (more, expected) => {
      const reply = await take('markdown', more);
      assert.equal(reply.status, 422, reply.text);
      assert.deepEqual(places(reply), expected);
    };
    await fails({ format: 'pdf' }, ['body.format enum']);
    await fails({ format: undefined, repo_url: undefined, pages: undefined },
      ['body.repo_url missing', 'body.format missing', 'body.pages missing']);
    await fails({ pages: [7] }, ['body.pages.0 model_attributes_type']);
    await fails({ pages: Array.from({ length: 501 }, () => pages[1]) }, ['body.pages too_long']);
    const title = 't'.repeat(500);
    const related = Array.from({ length: 1900 }, () => 'p');
    const many = Array.from({ length: 100 }, () => page('p', '', { title, relatedPages: related }));
    const reply = await take('markdown', { pages: many });
    assert.equal(reply.status, 400);
    assert.match(reply.body.detail, /larger than 48 MB/);
  });

  test('a large file comes whole', async () => {
    const content = '内'.repeat(2_000_000); // becomes twice as long in ASCII
    const reply = await take('json', { pages: [page('p', content)] });
    assert.ok(reply.text.length > 12_000_000);
    assert.ok(reply.body.pages[0].content === content);
  });
});

describe('who may', () => {
  const CODE = 'open sesame';
  const steps = {
    read: async (server, more) => (await load(server, {}, more)).status,
    export: async (server, more) => (await server.api('POST', '/export/wiki', { json: { repo_url: 'u', pages: [], format: 'json' }, ...more })).status,
    list: async (server, more) => (await server.api('GET', '/api/wiki/projects', more)).status,
    add: async (server, more) => (await save(server, {}, more)).status,
    remove: async (server, more) => (await remove(server, {}, more)).status,
    folder: async (server, more) => (await server.api('GET', '/local_repo/structure?path=/nowhere', more)).status,
  };
  async function tried(server, more) {
    const said = {};
    for (const [name, step] of Object.entries(steps)) said[name] = await step(server, more);
    return said;
  }
  const ALL = { read: 200, export: 200, list: 200, add: 200, remove: 200, folder: 403 };
  const READING = { ...ALL, add: 401, remove: 401, folder: 401 };
  const NOTHING = { ...READING, read: 401, export: 401, list: 401 };

  test('strangers what the operator says, members all of it', async () => {
    for (const [guests, expected] of [['off', NOTHING], ['read', READING], ['ask', READING], ['add', ALL]]) {
      const server = await startServer({ env: { HUTONG_WIKI_GUESTS: guests } });
      const member = await server.register('member_wiki');
      assert.deepEqual(await tried(server), expected, guests);
      assert.deepEqual(await tried(server, { token: 'nonsense' }), expected, guests);
      assert.deepEqual(await tried(server, { token: member.token }), ALL, guests);
      const models = assertOk(await server.api('GET', '/models/config'));
      assert.equal(models.providers.length, guests === 'off' ? 0 : 1);
      assertOk(await server.api('GET', '/lang/config'));
      await server.stop();
    }
  });

  test('with the code of older pages all of it, once it was shown', async () => {
    for (const [guests, expected] of [['off', NOTHING], ['read', READING], ['add', READING]]) {
      const server = await startServer({
        env: { HUTONG_WIKI_GUESTS: guests, DEEPWIKI_AUTH_MODE: 'true', DEEPWIKI_AUTH_CODE: CODE },
      });
      assert.deepEqual(await tried(server), expected, guests);
      const shown = await server.api('POST', '/api/auth/validate', { json: { code: CODE } });
      const [cookie] = shown.headers.get('set-cookie').split(';');
      assert.deepEqual(await tried(server, { headers: { cookie: `a=b; ${cookie}` } }), ALL, guests);
      for (const wrong of [`${cookie}x`, cookie.replace(/=\d/, '=9'), 'hutong_wiki=', 'hutong_wiki=1.2.3', `x${cookie}`]) {
        assert.deepEqual(await tried(server, { headers: { cookie: wrong } }), expected, wrong);
      }
      // Another page of the same site would have the browser send the cookie along.
      const foreign = { headers: { cookie, origin: 'https://elsewhere.example' } };
      assert.deepEqual(await tried(server, foreign), { ...ALL, add: 403, remove: 403 }, guests);
      await server.stop();
    }
  });

  test('the code in a request to delete counts for that request, and each is a guess', async () => {
    const server = await startServer({
      env: { DEEPWIKI_AUTH_MODE: '1', DEEPWIKI_AUTH_CODE: CODE, HUTONG_RATE_LOGIN: '4', HUTONG_TRUSTED_PROXIES: '127.0.0.1' },
    });
    const from = (address) => ({ headers: { 'x-forwarded-for': address } });
    const shown = await server.api('POST', '/auth/validate', { json: { code: CODE } });
    const cookie = shown.headers.get('set-cookie').split(';')[0];
    // Kept for those who have shown the code: others do not see it, in their list neither.
    assertOk(await save(server, { token: 'ghp_x' }, { headers: { cookie } }));
    assert.equal(assertOk(await load(server)), null);
    assert.deepEqual(await repos(server), []);
    assert.deepEqual(await repos(server, { headers: { cookie } }), ['r']);

    assertFails(await remove(server, { authorization_code: '' }, from('203.0.113.1')), 401, /wrong/);
    assertFails(await remove(server, { authorization_code: 'guess' }, from('203.0.113.1')), 401);
    assertFails(await remove(server, {}, from('203.0.113.1')), 401, /enter the access code/);
    const again = { owner: 'o', repo: 'r', repo_type: 'github', language: 'en', authorization_code: 'guess' };
    assertFails(await server.api('DELETE', '/api/wiki/projects', { json: again, ...from('203.0.113.1') }), 401);
    assertFails(await remove(server, { authorization_code: 'guess' }, from('203.0.113.1')), 401);
    const late = await remove(server, { authorization_code: CODE }, from('203.0.113.1'));
    assertFails(late, 429);
    assertOk(await remove(server, { authorization_code: CODE }, from('203.0.113.2')));
    assertFails(await remove(server, { authorization_code: CODE }, from('203.0.113.2')), 404);
    await server.stop();
  });

  test('a new code ends what the old one opened, a restart does not', async () => {
    const env = { DEEPWIKI_AUTH_MODE: 'true', DEEPWIKI_AUTH_CODE: CODE };
    const first = await startServer({ env });
    const { dataDir } = first;
    const cookie = (await first.api('POST', '/auth/validate', { json: { code: CODE } })).headers.get('set-cookie').split(';')[0];
    await first.stop({ keepData: true });
    const second = await startServer({ env, dataDir });
    assert.equal((await save(second, {}, { headers: { cookie } })).status, 200);
    await second.stop({ keepData: true });
    const third = await startServer({ env: { ...env, DEEPWIKI_AUTH_CODE: 'another' }, dataDir });
    assert.equal((await save(third, {}, { headers: { cookie } })).status, 401);
    await third.stop({ keepData: false });
    await rm(dataDir, { recursive: true, force: true });
  });
});

describe('folders of the machine', () => {
  let server;
  let home;
  before(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'hutong-wiki-'));
    for (const folder of ['code/src', 'code/.git', 'code/node_modules', 'other']) await mkdir(path.join(home, folder), { recursive: true });
    const files = { 'code/README.md': '# Über', 'code/src/a.py': '', 'code/src/__init__.py': '', 'code/.git/config': 'SECRET', 'code/node_modules/x.js': '', 'other/keys': 'SECRET' };
    for (const [name, text] of Object.entries(files)) await writeFile(path.join(home, name), text);
    await symlink(path.join(home, 'other'), path.join(home, 'code/out'));
    server = await startServer({ env: { HUTONG_WIKI_GUESTS: 'add', HUTONG_WIKI_ROOTS: `/srv/nowhere:${home}/code` } });
  });
  after(async () => {
    await server.stop();
    await rm(home, { recursive: true, force: true });
  });
  const look = (folder) => server.api('GET', `/local_repo/structure?path=${encodeURIComponent(folder)}`);

  test('show their files and README where they are allowed', async () => {
    assert.deepEqual(assertOk(await look(`${home}/code`)), { file_tree: 'README.md\nsrc/a.py', readme: '# Über' });
    assert.deepEqual(assertOk(await look(`${home}/code/src/`)), { file_tree: 'a.py', readme: '' });
    assert.deepEqual(assertOk(await look(`${home}/code/.git`)), { file_tree: 'config', readme: '' });
  });

  test('and nothing where they are not', async () => {
    for (const place of ['/', '/etc', home, `${home}/other`, `${home}/code/../other`, `${home}/codex`, 'code', '~', `${home}/code\n/x`, server.dataDir]) {
      const reply = await look(place);
      assertFails(reply, 403, /wiki-roots/);
      assert.ok(!reply.text.includes(home), 'no path');
    }
    for (const place of [`${home}/code/out`, `${home}/code/nowhere`, `${home}/code/README.md`]) assertFails(await look(place), 404);
    assert.equal((await look(`${home}/code\0/x`)).status, 400);
    for (const reply of [await look(''), await server.api('GET', '/local_repo/structure')]) assertFails(reply, 400, /path/);
  });

  test('by default there are none', async () => {
    const closed = await startServer({ env: { HUTONG_WIKI_GUESTS: 'add' } });
    const reply = await closed.api('GET', `/local_repo/structure?path=${encodeURIComponent(`${home}/code`)}`);
    assertFails(reply, 403, /wiki-roots/);
    await closed.stop();
  });
});

describe('what is offered', () => {
  let provider;
  before(async () => { provider = await startProvider(); });
  after(() => provider.stop());
  const sites = () => ({ HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'sk-SECRET', HUTONG_LLM_MODEL: 'openai/second' });

  test('are the models of our sites, the usual one first', async () => {
    provider.always({ kind: 'models', models: ['first', 'second', 'org/third'] });
    const server = await startServer({ env: sites() });
    const { providers, defaultProvider } = assertOk(await server.api('GET', '/models/config'));
    assert.equal(defaultProvider, 'openai');
    const openai = providers.find(({ id }) => id === 'openai');
    assert.deepEqual(openai, {
      id: 'openai', name: 'Openai', supportsCustomModel: true,
      models: ['second', 'first', 'org/third'].map((id) => ({ id, name: id })),
    });
    await server.stop();
  });

  test('a site that does not answer still has its usual model', async () => {
    provider.always({ kind: 'models', status: 500 });
    const server = await startServer({ env: { ...sites(), HUTONG_LOOPS: '1' } });
    const before = provider.requests.length;
    const reply = await server.api('GET', '/api/models/config');
    const asked = provider.requests.length;
    assert.ok(asked > before);
    for (let i = 0; i < 5; i += 1) assertOk(await server.api('GET', '/api/models/config'));
    assert.equal(provider.requests.length, asked); // not for every stranger anew
    const { providers, defaultProvider } = assertOk(reply);
    assert.equal(defaultProvider, 'openai');
    assert.deepEqual(providers.find(({ id }) => id === 'openai').models, [{ id: 'second', name: 'second' }]);
    assert.doesNotMatch(reply.text, /SECRET/);
    await server.stop();
  });

  test('is what the operator of an older installation had set up, as far as it can be asked', async (t) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'hutong-wiki-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    await writeFile(path.join(folder, 'lang.json'), JSON.stringify({ supported_languages: { de: 'Deutsch', en: 'English' }, default: 'de' }));
    await writeFile(path.join(folder, 'generator.json'), JSON.stringify({
      default_provider: 'ours',
      providers: {
        google: { default_model: 'gemini-2.5-flash', supportsCustomModel: true, models: { 'gemini-2.5-flash': {} } },
        ours: { client_class: 'OpenAIClient', default_model: '${OUR_MODEL}', supportsCustomModel: true, models: { other: { temperature: 1 } } },
        offline: { default_model: 'hutong-offline', supportsCustomModel: false, models: {} },
      },
    }));
    const server = await startServer({ env: { ...sites(), DEEPWIKI_CONFIG_DIR: folder, OUR_MODEL: 'house-1' } });
    assert.deepEqual(assertOk(await server.api('GET', '/lang/config')), { supported_languages: { de: 'Deutsch', en: 'English' }, default: 'de' });
    const models = (...ids) => ids.map((id) => ({ id, name: id }));
    assert.deepEqual(assertOk(await server.api('GET', '/models/config')), {
      providers: [
        { id: 'ours', name: 'Ours', supportsCustomModel: true, models: models('house-1', 'other') },
        { id: 'offline', name: 'Offline', supportsCustomModel: false, models: models('hutong-offline') },
      ],
      defaultProvider: 'ours',
    });
    const member = await server.register('member_lang');
    assertOk(await save(server, { language: 'zh' }, { token: member.token })); // not known here: the usual one
    assert.equal(assertOk(await load(server, { language: 'de' })).repo.repo, 'r');
    await server.stop();
  });

  test('a folder without sense costs a line in the log and nothing else', async () => {
    const server = await startServer({ env: { DEEPWIKI_CONFIG_DIR: '/nowhere/at/all' } });
    assert.equal(Object.keys(assertOk(await server.api('GET', '/lang/config')).supported_languages).length, 10);
    assert.equal(assertOk(await server.api('GET', '/models/config')).defaultProvider, 'offline');
    assert.match(server.log(), /wiki\.config file=generator\.json reason=/);
    await server.stop();
  });
});
