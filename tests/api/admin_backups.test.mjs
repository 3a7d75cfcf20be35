// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Backups over the network: made one at a time, whole or not at all, listed, fetched, deleted; and
// names that lead nowhere else. And the settings, which are shown and keep their secrets.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { asAdmin, withRole } from '../support/admin.mjs';
import { assertOk, assertProblem, TIME } from '../support/checks.mjs';
import { hutong, newFolder } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';
import { towns } from '../support/town.mjs';

const { kept } = towns();
let server;
let root;
let folder;
before(async () => {
  server = await startServer();
  root = await asAdmin(server);
  folder = path.join(server.dataDir, 'backups');
});
after(() => server.stop());

const make = () => root.must('POST', '/admin/backups', undefined, 201);
const list = async () => (await root.must('GET', '/admin/backups')).items;
const fetchBytes = async (name) => {
  const reply = await fetch(`${server.url}/admin/backups/${name}`, { headers: { authorization: `Bearer ${root.token}` } });
  assert.equal(reply.status, 200);
  return { headers: reply.headers, bytes: Buffer.from(await reply.arrayBuffer()) };
};

test('a backup is made, verified, listed, fetched, and is one', async (t) => {
  assert.deepEqual(await list(), []);
  const made = await make();
  assert.match(made.name, /^hutong-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.backup$/);
  assert.match(made.created_at, TIME);
  assert.ok(made.verified && made.tables > 10 && made.rows > 0 && made.bytes > 1000);
  const { tables, rows, ...listed } = made;
  assert.deepEqual(await list(), [listed]);
  assert.deepEqual((await readdir(folder)).sort(), [made.name, `${made.name}.sha256`]);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);

  const { headers, bytes } = await fetchBytes(made.name);
  assert.equal(headers.get('content-disposition'), `attachment; filename="${made.name}"`);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.deepEqual(bytes, await readFile(path.join(folder, made.name)));
  const file = path.join(await newFolder(t), 'fetched');
  await writeFile(file, bytes);
  const { status, out, err } = await hutong(['db', 'check', file]);
  assert.equal(status, 0, err);
  assert.match(out, new RegExp(`holds +${tables} tables`));
});

test('two of the same second have two names', async () => {
  const before_ = (await list()).length;
  const made = [await make(), await make(), await make()];
  assert.equal(new Set(made.map(({ name }) => name)).size, 3);
  const after_ = await list();
  assert.equal(after_.length, before_ + 3);
  assert.equal(after_[0].name, made[2].name, 'the newest is first');
});

test('one is made at a time, whoever makes it', async () => {
  // Another process that holds the folder, as another instance of the same data would.
  const holder = execFile('flock', [folder, 'cat']);
  let stderr = '';
  holder.stderr.on('data', (bytes) => { stderr += bytes; });
  const gone = new Promise((done) => holder.once('close', done));
  const { stdout: probe } = await promisify(execFile)('sh', ['-c',
    `i=0; until ! flock -n "$0" true; do i=$((i+1)); [ $i -gt 2000 ] && exit 1; done; echo held`, folder]);
  assert.equal(probe.trim(), 'held', stderr);
  const reply = await root.ask('POST', '/admin/backups');
  assertProblem(reply, 409);
  assert.match(reply.body.detail, /a backup is being made/);
  holder.stdin.end();
  await gone;
  await make();
});

test('what a dead process left half-written goes with the next one', async () => {
  const { stdout } = await promisify(execFile)('sh', ['-c', 'echo $$']);
  const dead = `hutong-old.backup.part-${stdout.trim()}`;
  const alive = `hutong-new.backup.part-${process.pid}`;
  for (const name of [dead, `${dead}-wal`, alive]) await writeFile(path.join(folder, name), 'half');
  assert.ok((await list()).every(({ name }) => !name.includes('.part-')));
  await make();
  const left = (await readdir(folder)).filter((name) => name.includes('.part-'));
  assert.deepEqual(left, [alive]);
  await rm(path.join(folder, alive));
});

test('names lead nowhere else', async () => {
  await writeFile(path.join(server.dataDir, 'secret'), 'SECRET');
  await symlink(path.join(server.dataDir, 'secret'), path.join(folder, 'link.backup'));
  await mkdir(path.join(folder, 'inside.backup'));
  await writeFile(path.join(folder, '.hidden'), 'SECRET');
  const [{ name }] = await list();
  for (const bad of ['..%2Fsecret', '..%2f..%2fetc%2fpasswd', '%2e%2e%2fkeys.json', '..', '.hidden', 'link.backup', 'inside.backup',
    `${name}.sha256`, `${name}%2F`, 'x'.repeat(300), '-rf', '%E2%80%A6', 'hutong.db']) {
    for (const method of ['GET', 'DELETE']) {
      const reply = await root.ask(method, `/admin/backups/${bad}`);
      // The client itself takes `..` out of a path; then it is another route, or none.
      if (bad === '..') assert.notEqual(reply.status, 204);
      else assertProblem(reply, 404);
      assert.doesNotMatch(reply.text, /SECRET/);
    }
  }
  assert.ok((await list()).every((one) => one.name.endsWith('.backup') && one.name !== 'link.backup' && one.name !== 'inside.backup'));
  assert.equal(await readFile(path.join(server.dataDir, 'secret'), 'utf8'), 'SECRET');
  await rm(path.join(folder, 'inside.backup'), { recursive: true });
  await rm(path.join(folder, 'link.backup'));
});

test('one that lost its checksum is not called verified, and a deleted one is gone with it', async () => {
  const made = await make();
  await rm(path.join(folder, `${made.name}.sha256`));
  assert.equal((await list()).find(({ name }) => name === made.name).verified, false);
  const other = await make();
  for (const { name } of [made, other]) assert.equal((await root.ask('DELETE', `/admin/backups/${name}`)).status, 204);
  assertProblem(await root.ask('DELETE', `/admin/backups/${made.name}`), 404);
  assertProblem(await root.ask('GET', `/admin/backups/${made.name}`), 404);
  assert.ok((await readdir(folder)).every((name) => !name.startsWith(made.name) && !name.startsWith(other.name)));
});

// By something that also stops root, as whom the tests may run.
test('a folder that cannot be written is an honest failure', async () => {
  await rename(folder, `${folder}.aside`);
  await writeFile(folder, 'not a folder');
  for (const method of ['GET', 'POST']) assertProblem(await root.ask(method, '/admin/backups'), 500);
  await rm(folder);
  await rename(`${folder}.aside`, folder);
  await make();
});

test('nobody but administrators sees backups or settings', async () => {
  const warden = await withRole(server, 'warden_backup', 'moderator');
  const [{ name }] = await list();
  for (const [method, target] of [['GET', '/admin/backups'], ['POST', '/admin/backups'], ['GET', `/admin/backups/${name}`],
    ['DELETE', `/admin/backups/${name}`], ['GET', '/admin/settings'], ['GET', '/admin/town'], ['GET', '/admin/models']]) {
    assertProblem(await warden.ask(method, target), 403);
    assertProblem(await server.api(method, target), 401);
  }
});

test('settings say what they are and from where, and no secret', async (t) => {
  const data = await newFolder(t);
  await writeFile(path.join(data, '.env'), 'HUTONG_CHAT_TITLES=off\nOPENAI_API_KEY=sk-hushed-file\nHUTONG_LOOPS=1\n');
  const one = kept(await startServer({
    dataDir: data, args: ['--live-ping', '20'],
    env: { HUTONG_JWT_SECRET: 'hushed-jwt-0123456789abcdef0123456789', HUTONG_COMFYUI_WORKFLOW: fileURLToPath(new URL('../../docs/comfyui-workflow.json', import.meta.url)),
      HUTONG_COMFYUI_URL: 'http://me:hushed-pass@127.0.0.1:1/',
      HUTONG_LLM_SITES: 'lab=http://u:hushed-lab@127.0.0.1:1/v1,other=http://127.0.0.1:2/v1', HUTONG_LOOPS: '2' },
  }));
  const keeper = await asAdmin(one);
  const reply = await keeper.ask('GET', '/admin/settings');
  const { items } = assertOk(reply);
  assert.doesNotMatch(reply.text, /hushed/);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  const of = (name) => items.find((item) => item.name === name);
  const short = (name) => { const { value, origin } = of(name); return [value, origin]; };
  assert.deepEqual(short('chat-titles'), ['off', '.env']);
  assert.deepEqual(short('loops'), ['2', 'environment'], 'the stronger one');
  assert.deepEqual(short('live-ping'), ['20', 'command line']);
  assert.deepEqual(short('gzip'), ['on', 'default']);
  assert.deepEqual(short('openai-key'), ['set', '.env']);
  assert.deepEqual(short('google-key'), ['not set', 'default']);
  assert.deepEqual(short('jwt-secret'), ['set', 'environment']);
  assert.deepEqual(short('comfyui-url'), ['http://me:***@127.0.0.1:1/', 'environment']);
  assert.equal(of('llm-sites').value, 'lab=http://u:***@127.0.0.1:1/v1,other=http://127.0.0.1:2/v1');
  assert.deepEqual([of('loops').type, of('loops').min, of('loops').max, of('loops').default], ['number', 0, 256, '0']);
  assert.deepEqual(of('loops').choices, []);
  assert.deepEqual(of('log-level').choices, ['error', 'warn', 'info', 'debug']);
  assert.deepEqual(of('openai-key').variables.includes('OPENAI_API_KEY'), true);
  const { out } = await hutong(['settings', '--data', data]);
  for (const item of items) {
    assert.ok(out.includes(`--${item.name} `), item.name);
    assert.ok(item.help.length > 0, item.name);
  }
  assertProblem(await keeper.ask('PUT', '/admin/settings', { loops: '3' }), 405);
  await one.stop();
});

test('who made, fetched and deleted a backup stands in the audit log', async () => {
  const { name } = await make();
  await fetchBytes(name);
  await root.must('DELETE', `/admin/backups/${name}`, undefined, 204);
  const { items } = await root.must('GET', '/admin/audit?limit=3');
  assert.deepEqual(items.map(({ action }) => action), ['backup.deleted', 'backup.taken', 'backup.made']);
  for (const { actor, kind, detail } of items) assert.deepEqual([actor.id, kind, detail], [root.id, 'backup', name]);
});
