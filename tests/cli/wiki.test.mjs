// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong wiki`: a bare repository over file:// is added, asked, brought up to date, written about and deleted from the
// terminal, and the demo's server has the allowed folder as its first wiki.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { assertOk } from '../support/checks.mjs';
import { hutong, newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const run = promisify(execFile);
const git = (at, ...args) => run('git', ['-C', at, '-c', 'user.name=Li', '-c', 'user.email=li@example.org',
  '-c', 'commit.gpgsign=false', '-c', 'init.defaultBranch=main', ...args]);

// A repository with a commit, and a bare clone of it.
async function repository(t) {
  const top = await newFolder(t);
  const work = path.join(top, 'work');
  await mkdir(path.join(work, 'src'), { recursive: true });
  await writeFile(path.join(work, 'README.md'), '# Lantern\n\nLights the lane at night.\n');
  await writeFile(path.join(work, 'src/lamp.c'), '/* Turns the lamp on at dusk. */\nint lamp_light(int hour)\n{\n    return hour >= 18;\n}\n');
  await git(work, 'init', '-q');
  await git(work, 'add', '-A');
  await git(work, 'commit', '-qm', 'first');
  await run('git', ['clone', '-q', '--bare', work, path.join(top, 'lantern.git')]);
  return { top, work, bare: path.join(top, 'lantern.git') };
}

test('a bare repository is added, asked, updated and deleted', async (t) => {
  const { top, work, bare } = await repository(t);
  const data = await newFolder(t);
  const provider = await startProvider();
  t.after(() => provider.stop());
  const env = { HUTONG_WIKI_ROOTS: top, HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_LLM_FALLBACK: '' };
  const wiki = (...args) => hutong(['wiki', ...args, '--data', data], { env });

  const added = await wiki('add', `file://${bare}`);
  assert.equal(added.status, 0, added.err);
  assert.match(added.out, /lantern +ready +2 files/);
  provider.script([{ deltas: ['At dusk [src/lamp.c:2-5] [src/lamp.c:90].'] }]);
  const asked = await wiki('ask', 'lantern', 'When is the lamp lit?', '--sources');
  assert.deepEqual([asked.status, asked.out], [0, 'At dusk [src/lamp.c:2-5] .\n']);
  assert.match(asked.err, /^src\/lamp\.c:1-5/m);
  assert.match(asked.err, /1 citations, 1 more/);

  await writeFile(path.join(work, 'src/bell.c'), 'int bell_ring(void)\n{\n    return 1;\n}\n');
  await git(work, 'add', '-A');
  await git(work, 'commit', '-qm', 'second');
  await git(work, 'push', '-q', bare, 'HEAD');
  const again = await wiki('index', 'lantern');
  assert.match(again.out, /lantern +ready +3 files/);
  const head = (await git(work, 'rev-parse', 'HEAD')).stdout.slice(0, 12);
  assert.ok((await wiki('list')).out.includes(head));

  provider.script([
    { deltas: [JSON.stringify({ title: 'Lantern', description: 'Light.', sections: [{ title: 'All', pages: [
      { title: 'Lamp', description: 'When it is lit.', importance: 'high', files: ['src/lamp.c'] }] }] })] },
    { deltas: ['# Lamp\n\nAt dusk [src/lamp.c:2-5].\n'] },
  ]);
  const nothing = await wiki('export', 'lantern');
  assert.match(nothing.err, /nothing has been written about lantern; hutong wiki generate lantern/);
  const written = await wiki('generate', 'lantern');
  assert.deepEqual([written.status, written.out], [0, 'book 1 of lantern: done\n'], written.err);
  assert.match(written.err, /1 of 1 pages/);
  assert.match((await wiki('export', 'lantern')).out, /^# Lantern\n[^]*# Lamp\n\nAt dusk \[src\/lamp\.c:2-5\]/);
  const renewed = await wiki('generate', 'lantern', '--renew'); // nothing has changed: no model is asked
  assert.deepEqual([renewed.status, renewed.out], [0, 'book 2 of lantern: done\n'], renewed.err);
  const pages = path.join(top, 'pages');
  assert.equal((await wiki('export', 'lantern', '--format', 'folder', '--output', pages)).status, 0);
  assert.match(await readFile(path.join(pages, '01.md'), 'utf8'), /^# Lamp/);
  assert.match(await readFile(path.join(pages, 'README.md'), 'utf8'), /- \[Lamp\]\(01\.md\)/);
  assert.equal((await wiki('export', 'lantern', '--format', 'pdf')).status, 1);

  assert.equal((await wiki('delete', 'lantern')).status, 0);
  assert.equal((await wiki('list')).out, '');
  await assert.rejects(access(path.join(data, 'wiki', '1')));
  const none = await wiki('ask', 'lantern', 'x');
  assert.equal(none.status, 1);
  assert.match(none.err, /no wiki called lantern/);
});

test('the demo has the allowed folder as its first wiki, without any model', async (t) => {
  const { work } = await repository(t);
  const server = await startServer({ args: ['--demo'], env: { HUTONG_WIKI_ROOTS: work, HUTONG_LLM_MODEL: 'offline/' } });
  t.after(() => server.stop());
  const wiki = await until(() => server.api('GET', '/wikis/work'), ({ body }) => body.state === 'ready', { what: 'the first wiki' });
  assert.equal(wiki.body.files, 2);
  const { text } = await server.api('POST', '/wikis/work/ask', { json: { question: 'When is the lamp lit?' } });
  assert.match(text, /\[src\/lamp\.c:1-5\]/);
  assertOk(await server.api('GET', '/wikis/work/file?path=src/lamp.c'));
});

test('what deepwiki-open wrote is imported, private wikis for one member alone', async (t) => {
  const server = await startServer({ env: { HUTONG_LLM_MODEL: 'offline/' } });
  t.after(() => server.stop());
  const li = await server.register('li_import');
  const folder = await newFolder(t);
  const page = { id: 'p', title: 'One', content: '# One', filePaths: ['a.c'], importance: 'high', relatedPages: [] };
  const wiki = (more) => JSON.stringify({
    wiki_structure: { id: 'wiki', title: 'T', description: '', pages: [{ ...page, content: '' }] }, generated_pages: { p: page }, ...more });
  await writeFile(path.join(folder, 'deepwiki_cache_github_ann_tea_en.json'), wiki());
  await writeFile(path.join(folder, 'deepwiki_cache_github_ann_own_en.json'), wiki({ repo: { owner: 'ann', repo: 'own', type: 'github', token: 'hush', repoUrl: 'https://github.com/ann/own' } }));
  await writeFile(path.join(folder, 'deepwiki_cache_github_ann_bad_en.json'), '{"wiki_structure":7}');
  const { status, out } = await hutong(['wiki', 'import', folder, '--as', 'li_import', '--data', server.dataDir], {});
  assert.equal(status, 1);
  assert.match(out, /no {3}deepwiki_cache_github_ann_bad_en\.json\n {5}\S/);
  assert.match(out, /2 of 3 files imported/);
  const load = (repo, token) => server.api('GET', `/api/wiki_cache?owner=ann&repo=${repo}&repo_type=github&language=en`, { token });
  assert.equal((await load('tea')).body.generated_pages.p.content, '# One');
  assert.equal((await load('own')).body, null);
  assert.equal((await load('own', li.token)).body.repo.token, null);
  assert.equal((await hutong(['wiki', 'import', folder, '--data', server.dataDir], {})).status, 2);
});

test('with an embedder, index makes the vectors and says how many', async (t) => {
  const { top, bare } = await repository(t);
  const data = await newFolder(t);
  const provider = await startProvider();
  t.after(() => provider.stop());
  const env = {
    HUTONG_WIKI_ROOTS: top, HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_LLM_FALLBACK: '',
    HUTONG_WIKI_EMBEDDER: 'openai/small',
  };
  const wiki = (...args) => hutong(['wiki', ...args, '--data', data], { env });
  const added = await wiki('add', `file://${bare}`);
  assert.equal(added.status, 0, added.err);
  assert.match(added.out, /vectors: 2 of 2 by openai\/small/);
  // What is there is not asked for again; a question is embedded.
  const before = provider.requests.length;
  assert.match((await wiki('index', 'lantern')).out, /vectors: 2 of 2/);
  assert.equal(provider.requests.length, before);
  assert.equal((await wiki('ask', 'lantern', 'When is the lamp lit?')).status, 0);
  assert.deepEqual(provider.requests.slice(before).map(({ kind }) => kind), ['embeddings', 'chat']);
  // A provider that fails: the words are indexed, the sentence says what is missing.
  provider.always({ status: 401, error: { message: 'Incorrect API key' } });
  await writeFile(path.join(top, 'work/src/bell.c'), 'int bell(void);\n');
  await git(path.join(top, 'work'), 'add', '-A');
  await git(path.join(top, 'work'), 'commit', '-qm', 'second');
  await git(path.join(top, 'work'), 'push', '-q', bare, 'HEAD');
  const failed = await wiki('index', 'lantern');
  assert.equal(failed.status, 1);
  assert.match(failed.out, /3 files[^]*vectors: 2 of 3/);
  assert.match(failed.err, /key.*words alone lead to the rest/);
  // A site that is none stops it before anything is asked.
  env.HUTONG_WIKI_EMBEDDER = 'nowhere/small';
  const wrong = await wiki('index', 'lantern');
  assert.equal(wrong.status, 1);
  assert.match(wrong.err, /wiki-embedder "nowhere\/small": SITE\/MODEL/);
});
