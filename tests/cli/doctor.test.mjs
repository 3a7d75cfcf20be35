// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong doctor`: each thing it can find is made wrong once. Whatever it
// finds, it must leave the folder as it was.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmod, chown, copyFile, lstat, mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile,
} from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { BINARY, hutong, newFolder } from '../support/command.mjs';
import { startComfyui } from '../support/comfyui.mjs';
import { startMariadb } from '../support/mariadb.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const COLUMNS = 79;

// Every name below a folder with what a change would change.
async function picture(dir) {
  const lines = [];
  for (const name of (await readdir(dir, { recursive: true })).sort()) {
    const info = await lstat(path.join(dir, name));
    lines.push(`${name} ${info.mode.toString(8)} ${info.uid} ${info.size} ${info.mtimeMs}`);
  }
  return lines.join('\n');
}

// "WRONG  name   text\n   -> mend": { name: [{ state, text, mend }] }
function parse(out) {
  const found = {};
  let last;
  for (const line of out.split('\n\n')[0].split('\n')) {
    const head = /^(ok|warn|WRONG) /.exec(line);
    if (head) {
      last = { state: head[1], text: line.slice(23), mend: '' };
      (found[line.slice(7, 23).trim()] ??= []).push(last);
    } else if (/^ {23}-> /.test(line)) {
      last.mend = line.slice(26);
    } else if (last.mend) {
      last.mend += ` ${line.trim()}`;
    } else {
      last.text += ` ${line.trim()}`;
    }
  }
  return found;
}

// `status` follows from what was found, and the folder is as it was.
async function visit(dir, args = [], options = {}) {
  const before = await picture(dir);
  const { status, out, err } = await hutong(
    ['doctor', '--data', path.join(dir, 'd'), '--listen', '127.0.0.1:0', ...args], options);
  assert.equal(err, '');
  assert.equal(await picture(dir), before, 'doctor changed something');
  const found = parse(out);
  const wrong = Object.values(found).flat().filter(({ state }) => state === 'WRONG');
  assert.equal(status, wrong.length > 0 ? 1 : 0, out);
  for (const { mend } of wrong) assert.notEqual(mend, '', `no word on how to mend it\n${out}`);
  return { found, wrong, out, status };
}

// One WRONG (or warn) thing called `name`, saying `text`, mended by `mend`.
function assertFinds({ found, out }, state, name, text, mend) {
  assert.ok(found[name], `nothing about ${name}\n${out}`);
  const hit = found[name].find((one) => one.state === state && text.test(one.text));
  assert.ok(hit, out);
  assert.match(hit.mend, mend);
}

function assertOnlyWrong(result, name) {
  const names = Object.keys(result.found)
    .filter((one) => result.found[one].some(({ state }) => state === 'WRONG'));
  assert.deepEqual(names, [name], result.out);
}

// A community that has run once and has an administrator: nothing to complain about.
async function healthy(t) {
  const dir = await newFolder(t);
  const data = path.join(dir, 'd');
  await mkdir(data, { mode: 0o700 });
  const server = await startServer({ dataDir: data });
  await server.stop({ keepData: true });
  const made = await hutong(['user', 'add', 'mei', '--role', 'admin', '--data', data],
    { input: 'correct horse\n' });
  assert.equal(made.status, 0, made.err);
  return { dir, data };
}

const QUIET = ['--connections-max', '100'];

test('a healthy community is in order, line by line', async (t) => {
  const { dir } = await healthy(t);
  const { found, status, out } = await visit(dir, QUIET);
  assert.equal(status, 0);
  assert.deepEqual(Object.keys(found), [
    'settings', 'data folder', 'disk', 'signing keys', 'uploads', 'database', 'schema',
    'soundness', 'people', 'address', 'open files', 'clock', 'wikis',
  ]);
  for (const [name, [{ state }]] of Object.entries(found)) {
    if (name !== 'disk') assert.equal(state, 'ok', out); // the machine's own affair
  }
  for (const line of out.split('\n')) assert.ok(!line.includes('\u001b'));
});

test('before the first start there is nothing wrong and nothing is made', async (t) => {
  const dir = await newFolder(t);
  const { found, wrong, out } = await visit(dir, QUIET);
  assert.equal(wrong.length, 0, out);
  for (const name of ['data folder', 'uploads', 'signing keys', 'database']) {
    assert.match(found[name][0].text, /first start makes/);
  }
  assert.deepEqual(await readdir(dir), []);
});

test('settings that make no sense are listed, all of them', async (t) => {
  const dir = await newFolder(t);
  const bad = {
    listen: 'nowhere',
    database: 'oracle:x',
    'cors-origins': 'example.org',
    'trusted-proxies': 'proxy',
    'live-origins': 'example.org',
    redis: 'localhost',
  };
  const args = Object.entries(bad).flatMap(([name, value]) => [`--${name}`, value]);
  bad['jwt-secret'] = 'changeme';
  const result = await visit(dir, args, { env: { HUTONG_JWT_SECRET: bad['jwt-secret'] } });
  for (const name of Object.keys(bad)) {
    assertFinds(result, 'WRONG', name, /./, new RegExp(`--${name} or HUTONG_`));
  }
  assert.equal(result.wrong.length, Object.keys(bad).length, result.out);
});

// What is made wrong, under which name it is told, what is seen, what to do.
const FOLDERS = [
  {
    title: 'a data folder others can change',
    spoil: ({ data }) => chmod(data, 0o770),
    finds: ['WRONG', 'data folder', /others may change .* \(mode 0770\)/, /^chmod 700 /],
  },
  {
    title: 'a data folder others can look into',
    spoil: ({ data }) => chmod(data, 0o755),
    finds: ['warn', 'data folder', /others may look into .* \(mode 0755\)/, /^chmod 700 /],
  },
  {
    title: 'an upload folder that is a file',
    spoil: async ({ data }) => {
      await rm(path.join(data, 'uploads'), { recursive: true });
      await writeFile(path.join(data, 'uploads'), '');
    },
    finds: ['WRONG', 'uploads', /is no folder/, /another folder/],
  },
  {
    title: 'signing keys that others can read',
    spoil: ({ data }) => chmod(path.join(data, 'keys.json'), 0o644),
    finds: ['WRONG', 'signing keys', /may be read by others \(mode 0644\)/, /^chmod 600 /],
  },
  {
    title: 'signing keys that are damaged',
    spoil: ({ data }) => writeFile(path.join(data, 'keys.json'), '[{"kid":'),
    finds: ['WRONG', 'signing keys', /is damaged/, /restore it from a backup/],
  },
  {
    title: 'a database that everybody can read',
    spoil: ({ data }) => chmod(path.join(data, 'hutong.db'), 0o644),
    finds: ['WRONG', 'database', /everybody .* may read/, /^chmod 600 /],
  },
  {
    title: 'a database that is none',
    spoil: ({ data }) => writeFile(path.join(data, 'hutong.db'), 'x'.repeat(5000)),
    finds: ['WRONG', 'database', /no SQLite database/, /hutong db restore FILE/],
  },
  {
    title: 'a database with damaged pages',
    spoil: async ({ data }) => {
      const file = path.join(data, 'hutong.db');
      const bytes = await readFile(file);
      bytes.fill(0x5a, 40960, 45056);
      await writeFile(file, bytes);
    },
    finds: ['WRONG', 'soundness', /damaged/, /hutong db restore FILE/],
  },
  {
    title: 'a database without its schema',
    spoil: ({ data }) => writeFile(path.join(data, 'hutong.db'), ''),
    finds: ['warn', 'schema', /older than this program/, /hutong db migrate/],
  },
  {
    title: 'a clock that went back',
    spoil: ({ data }) => utimes(path.join(data, 'hutong.db'), 4e9, 4e9),
    finds: ['WRONG', 'clock', /before the last change/, /timedatectl/],
  },
];

for (const { title, spoil, finds } of FOLDERS) {
  test(`finds ${title}`, async (t) => {
    const place = await healthy(t);
    await spoil(place);
    const result = await visit(place.dir, QUIET);
    assertFinds(result, ...finds);
    if (finds[0] === 'WRONG') assertOnlyWrong(result, finds[1]);
    else assert.equal(result.status, 0, result.out);
  });
}

test('finds a data folder that cannot be made', async (t) => {
  const dir = await newFolder(t);
  await writeFile(path.join(dir, 'd'), '');
  assertFinds(await visit(dir), 'WRONG', 'data folder', /is no folder/, /another folder/);
  assertFinds(await visit(dir, ['--data', path.join(dir, 'd', 'e')]),
    'WRONG', 'data folder', /cannot be made: .*d is no folder/, /choose another folder/);
});

// As with systemd's DynamicUser: an administrator looks, and must not be told to take it over. Only
// root can give files away, so only root has this test.
if (process.getuid() === 0) {
  test('root may look at a community of another user', async (t) => {
    const { dir, data } = await healthy(t);
    for (const name of ['.', ...await readdir(data)]) await chown(path.join(data, name), 65534, 65534);
    const result = await visit(dir, QUIET);
    assert.equal(result.wrong.length, 0, result.out);
    assert.match(result.found['signing keys'][0].text, /only for user 65534/);
    await chown(data, 0, 0);
    assertFinds(await visit(dir, QUIET), 'WRONG', 'signing keys', /belongs to user 65534/, /^chown 0 /);
  });
}

// As somebody who is not allowed: root is allowed everything, so it becomes nobody here.
test('finds folders it may not write to', async (t) => {
  const dir = await newFolder(t);
  await chmod(dir, 0o755);
  await mkdir(path.join(dir, 'd'), { mode: 0o555 });
  await mkdir(path.join(dir, 'locked'), { mode: 0o555 });
  const binary = path.join(dir, 'hutong');
  await copyFile(BINARY, binary);
  const through = process.getuid() === 0
    ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] : [];
  // Under ./dev cov a program ends by writing its counters, and nobody may not do that in build/.
  const counters = await newFolder(t);
  await chmod(counters, 0o777);
  const env = { GCOV_PREFIX: counters };
  const args = ['--upload-dir', path.join(dir, 'locked', 'u')];
  const result = await visit(dir, args, { through, binary, cwd: '/', env });
  assertFinds(result, 'WRONG', 'data folder', /is not writable for user \d+/, /^chown -R \d+ .* chmod 700 /);
  assertFinds(result, 'WRONG', 'uploads', /cannot be made: .*locked is not writable/, /mkdir -m 700 /);
});

test('finds a data folder that lies in memory', async (t) => {
  const dir = await mkdtemp('/dev/shm/hutong-cli-');
  t.after(() => rm(dir, { recursive: true }));
  assertFinds(await visit(dir), 'warn', 'file system', /in memory \(tmpfs\)/, /--data/);
});

test('finds a schema of a newer program', async (t) => {
  const { dir, data } = await healthy(t);
  execFileSync('sqlite3', [path.join(data, 'hutong.db'),
    "INSERT INTO schema_migrations VALUES (99, 'x', 'x', 'done', 1)"]);
  const result = await visit(dir);
  assertFinds(result, 'WRONG', 'schema', /newer than this program/, /hutong db status/);
});

test('says who could become administrator while there is none', async (t) => {
  const dir = await newFolder(t);
  const data = ['--data', path.join(dir, 'd')];
  await hutong(['db', 'migrate', ...data]);
  assertFinds(await visit(dir), 'warn', 'people', /nobody is here yet/, /the code that `hutong serve` prints/);
  assertFinds(await visit(dir, ['--registration', 'off']), 'warn', 'people',
    /nobody is here yet/, /hutong user add NAME --role admin/);
  await hutong(['user', 'add', 'mei', ...data], { input: 'correct horse\n' });
  assertFinds(await visit(dir), 'warn', 'people',
    /1 member, and no administrator, while anyone may register/, /hutong user role NAME admin/);
});

test('finds demo members whose password everybody knows', async (t) => {
  const dir = await newFolder(t);
  const data = path.join(dir, 'd');
  await mkdir(data, { mode: 0o700 });
  const first = await startServer({ dataDir: data, args: ['--demo'] });
  await first.stop({ keepData: true });
  assertFinds(await visit(dir), 'warn', 'demo members',
    /password of demo_lan or demo_tom; fine while only this/, /PUT \/auth\/password/);
  const open = ['--listen', '0.0.0.0:0'];
  assertFinds(await visit(dir, open), 'WRONG', 'demo members', /everybody knows/, /PUT \/auth\/password/);

  const server = await startServer({ dataDir: data });
  for (const username of ['demo_lan', 'demo_tom']) {
    const { body } = await server.api('POST', '/auth/login', { form: { username, password: 'hutong-demo' } });
    const changed = await server.api('PUT', '/auth/password', {
      token: body.access_token, json: { old_password: 'hutong-demo', new_password: 'nobody knows' },
    });
    assert.equal(changed.status, 204);
  }
  await server.stop({ keepData: true });
  assert.equal((await visit(dir, open)).found['demo members'], undefined);
});

test('finds too few open files for the connections', async (t) => {
  const dir = await newFolder(t);
  const through = ['prlimit', '--nofile=400:400', '--'];
  assertFinds(await visit(dir, ['--connections-max', '500'], { through }), 'warn', 'open files',
    /allows 400, and 500 connections need 700/, /LimitNOFILE=700 .*--connections-max 200/);
  const { found } = await visit(dir, ['--connections-max', '200'], { through });
  assert.equal(found['open files'][0].state, 'ok');
});

// A port somebody answers at: `answer(socket)` for each connection.
async function listen(t, answer) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    answer(socket);
  });
  await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address().port;
}

test('tells a free address, a Hutong and another program apart', async (t) => {
  const { dir } = await healthy(t);
  const server = await startServer();
  t.after(() => server.kill().catch(() => {}));
  const ours = new URL(server.url).host;
  assertFinds(await visit(dir, [...QUIET, '--listen', ours]), 'WRONG', 'address', /a Hutong of another data folder answers/, /--data/);
  let result = await visit(dir, [...QUIET, '--listen', ours, '--data', server.dataDir]);
  assert.match(result.found.address[0].text, new RegExp(`a Hutong answers at ${ours} already`));
  await server.stop();
  result = await visit(dir, [...QUIET, '--listen', ours]);
  assert.match(result.found.address[0].text, /is free/);

  const talks = await listen(t, (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nhello'));
  assertFinds(await visit(dir, ['--listen', `127.0.0.1:${talks}`]),
    'WRONG', 'address', /another program answers/, /--listen/);
  const silent = await listen(t, () => {});
  assertFinds(await visit(dir, ['--listen', `127.0.0.1:${silent}`]),
    'WRONG', 'address', /another program answers/, /--listen/);
});

test('finds an address that is not of this machine', async (t) => {
  const dir = await newFolder(t);
  assertFinds(await visit(dir, ['--listen', '192.0.2.1:8000']), 'WRONG', 'address',
    /192\.0\.2\.1:8000 cannot be had: Cannot assign/, /no such address/);
});

test('asks the broker, with its password', async (t) => {
  const dir = await newFolder(t);
  let password = '';
  const port = await listen(t, (socket) => {
    let known = false;
    socket.on('data', (bytes) => {
      const words = bytes.toString().split('\r\n').filter((_, i) => i > 0 && i % 2 === 0);
      if (words[0] === 'AUTH') known = words.at(-1) === password;
      if (words[0] === 'AUTH') socket.write(known ? '+OK\r\n' : '-WRONGPASS no\r\n');
      else socket.write(password === '' || known ? '+PONG\r\n' : '-NOAUTH Authentication required.\r\n');
    });
  });
  const ask = (url) => visit(dir, QUIET, { env: { HUTONG_REDIS: url } }); // a password is no matter for ps
  assert.equal((await ask(`redis://127.0.0.1:${port}`)).found.redis[0].state, 'ok');
  password = 'p@ss';
  assertFinds(await ask(`redis://127.0.0.1:${port}`), 'WRONG', 'redis', /NOAUTH/, /right password/);
  assertFinds(await ask(`redis://:wrong@127.0.0.1:${port}`), 'WRONG', 'redis', /WRONGPASS/, /right password/);
  const good = await ask(`redis://default:p%40ss@127.0.0.1:${port}/0`);
  assert.equal(good.found.redis[0].state, 'ok', good.out);
  assert.doesNotMatch(good.out, /p@ss|p%40ss/);
});

test('finds a broker that is not there, or is none', async (t) => {
  const dir = await newFolder(t);
  assertFinds(await visit(dir, ['--redis', 'redis://127.0.0.1:1']), 'WRONG', 'redis',
    /127\.0\.0\.1:1 cannot be reached: Connection refused/, /start it/);
  const port = await listen(t, (socket) => socket.end('220 mail.example ESMTP\u001b[2J\r\n'));
  const result = await visit(dir, ['--redis', `redis://127.0.0.1:${port}`]);
  assertFinds(result, 'WRONG', 'redis', /says: 220 mail/, /Redis/);
  assert.ok(!result.out.includes('\u001b'), 'what strangers send must not steer the terminal');
});

test('a budget of money needs a price for every model residents may ask', async (t) => {
  const { dir } = await healthy(t);
  const models = ['--llm-model', 'openai/gpt-4o', '--town-model-money', '2.5', '--llm-prices'];
  const env = { OPENAI_API_KEY: 'sk-none', HUTONG_LLM_PROBE: 'off' };
  const result = await visit(dir, [...models, 'qwen*=1/2'], { env });
  assertFinds(result, 'WRONG', 'residents', /there is no price for openai\/gpt-4o/, /--llm-prices/);
  assertOnlyWrong(result, 'residents');
  const priced = await visit(dir, [...models, 'gpt-4o=2.5/10'], { env });
  assertFinds(priced, 'ok', 'residents', /has a price/, /^$/);
  const amount = await visit(dir, ['--town-model-money', 'lots']);
  assertFinds(amount, 'WRONG', 'town-model-money', /"lots" is no amount/, /--town-model-money/);
});

test('asks the ComfyUI for pictures, and looks at its workflow', async (t) => {
  const dir = await newFolder(t);
  const comfy = await startComfyui();
  t.after(() => comfy.stop());
  const workflow = ['--comfyui-workflow', path.resolve(import.meta.dirname, '../../docs/comfyui-workflow.json')];
  const fine = await visit(dir, ['--comfyui-url', `${comfy.url}/`, ...workflow]);
  assert.match(fine.found.pictures[0].text, /^ComfyUI answers at /);
  assertFinds(await visit(dir, ['--comfyui-url', comfy.url]), 'WRONG', 'comfyui-workflow', /no workflow/, /comfyui-workflow/);
  assertFinds(await visit(dir, ['--comfyui-url', 'ftp://x', ...workflow]), 'WRONG', 'comfyui-url', /http:/, /comfyui-url/);
  assertFinds(await visit(dir, ['--comfyui-url', 'http://127.0.0.1:1', ...workflow]), 'WRONG', 'pictures', /cannot be reached/, /start ComfyUI/);
});

describe('MariaDB', () => {
  let server;
  before(async () => { server = await startMariadb(); });
  after(() => server.stop());

  test('an empty database is fine, but its schema is pending', async (t) => {
    const dir = await newFolder(t);
    const url = await server.newDatabase();
    const result = await visit(dir, [...QUIET, '--database', url]);
    assert.match(result.found.database[0].text, /answers/);
    assertFinds(result, 'warn', 'schema', /migrations are pending/, /hutong db migrate/);
    assert.equal(await server.sql(url, 'SHOW TABLES'), '');
    await hutong(['db', 'migrate', '--data', path.join(dir, 'd'), '--database', url]);
    const after = await visit(dir, [...QUIET, '--database', url]);
    assert.equal(after.found.schema[0].state, 'ok', after.out);
    assertFinds(after, 'warn', 'people', /nobody is here yet/, /serve/);
  });

  test('finds several instances that nothing connects, as the second of them does', async (t) => {
    const env = { HUTONG_DATABASE: await server.newDatabase() };
    const first = await startServer({ env });
    t.after(() => first.kill());
    const dir = await newFolder(t);
    const alone = await visit(dir, [...QUIET, '--database', env.HUTONG_DATABASE]);
    assert.equal(alone.found.instances, undefined, alone.out);
    const second = await startServer({ env });
    t.after(() => second.kill());
    assert.match(second.log(), /warn serve\.unconnected reason="another instance .*set redis on both \(HUTONG_REDIS=/);
    assert.doesNotMatch(first.log(), /serve\.unconnected/);
    const both = await visit(dir, [...QUIET, '--database', env.HUTONG_DATABASE]);
    assertFinds(both, 'warn', 'instances', /several run on this database/, /HUTONG_REDIS/);
    await first.stop();
    await second.stop();
    const third = await startServer({ env });
    await third.stop();
    assert.doesNotMatch(third.log(), /serve\.unconnected/);
  });

  test('finds a database that does not exist', async (t) => {
    const dir = await newFolder(t);
    const result = await visit(dir, ['--database', `mysql://root@/none?socket=${server.socket}`]);
    assertFinds(result, 'WRONG', 'database', /none/, /CREATE DATABASE/);
  });

  test('finds passwords anyone would try, and does not print them', async (t) => {
    const dir = await newFolder(t);
    for (const [account, text] of [
      ['hutong', /is empty/],
      ['hutong:', /is empty/],
      ['hutong:123456', /anyone would try/],
      ['mei:mei', /is the name of the user/],
    ]) {
      const result = await visit(dir, [], { env: { HUTONG_DATABASE: `mysql://${account}@127.0.0.1:1/hutong` } });
      assertFinds(result, 'WRONG', 'password', text, /ALTER USER/);
      assertFinds(result, 'WRONG', 'database', /127\.0\.0\.1:1/, /server runs/);
      assert.doesNotMatch(result.out, /123456/);
    }
    const good = await visit(dir, [], {
      env: { HUTONG_DATABASE: 'mysql://mei:Zx81-kite-Lamp@127.0.0.1:1/hutong' },
    });
    assert.equal(good.found.password[0].state, 'ok');
    assert.doesNotMatch(good.out, /Zx81/);
  });

  test('warns of a database spoken to in clear text over a network', async (t) => {
    const dir = await newFolder(t);
    const url = 'mysql://mei:Zx81-kite-Lamp@0.0.0.0:1/hutong';
    const visitAt = (HUTONG_DATABASE) => visit(dir, [], { env: { HUTONG_DATABASE } });
    assertFinds(await visitAt(url), 'warn', 'encryption', /clear text/, /tls=verify/);
    const safe = await visitAt(`${url}?tls=verify`);
    assert.equal(safe.found.encryption, undefined);
  });
});

test('every line fits a terminal, but for what must stay whole', async (t) => {
  const dir = await newFolder(t);
  const { out } = await visit(dir, ['--redis', 'redis://127.0.0.1:1', '--listen', '192.0.2.1:8000',
    '--connections-max', '1000000']);
  for (const line of out.split('\n')) {
    const longest = Math.max(...line.trim().split(' ').map((word) => word.length));
    assert.ok(line.length <= COLUMNS || longest > COLUMNS - 30, line);
  }
});

test('what wikis need of the machine', async (t) => {
  const { dir } = await healthy(t);
  const without = await visit(dir, QUIET, { env: { PATH: dir } });
  assertFinds(without, 'warn', 'wikis', /no git/, /install git/);
  assertFinds(without, 'warn', 'wikis', /no Universal Ctags/, /install universal-ctags/);
  const { found } = await visit(dir, QUIET);
  assert.match(found.wikis.map(({ text }) => text).join('\n'), /^git version .*\nUniversal Ctags \d/);
});

test('an embedder that gives vectors, one that does not, one that is none', async (t) => {
  const { dir } = await healthy(t);
  const provider = await startProvider();
  t.after(() => provider.stop());
  const at = (embedder) => visit(dir, [...QUIET, '--wiki-embedder', embedder],
    { env: { HUTONG_OPENAI_BASE: provider.base('openai') } });
  assertFinds(await at('openai/small'), 'ok', 'wiki embedder', /vectors of 8 numbers/, /^$/);
  assertFinds(await at('nowhere/small'), 'WRONG', 'wiki embedder', /SITE\/MODEL/, /--wiki-embedder/);
  assertFinds(await at('openai'), 'WRONG', 'wiki embedder', /SITE\/MODEL/, /--wiki-embedder/);
  provider.always({ status: 401, error: { message: 'Incorrect API key' } });
  const refused = await at('openai/small');
  assertFinds(refused, 'WRONG', 'wiki embedder', /key/, /--wiki-embedder/);
  assertOnlyWrong(refused, 'wiki embedder');
});
