// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The two ends of a server's life: stopping in order, and not starting at all.
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { startServer } from '../support/server.mjs';
import { Wire } from '../support/wire.mjs';

const BINARY = process.env.HUTONG_BIN ?? path.resolve('build/test/hutong');

async function started(t, options) {
  const server = await startServer(options);
  t.after(() => server.kill());
  return Object.assign(server, { port: Number(new URL(server.url).port) });
}

// A reader that asks for much and takes nothing: more than the kernel keeps for it.
async function stuckReader(server, token) {
  for (let i = 0; i < 20; i++) {
    const posted = await server.api('POST', '/posts', { token, json: { content: `${i} ${'字'.repeat(4900)}` } });
    assert.equal(posted.status, 201, posted.text);
  }
  const wire = await Wire.open(server.port);
  wire.socket.pause();
  const request = 'GET /posts?page_size=20 HTTP/1.1\r\nhost: localhost\r\n\r\n';
  wire.socket.write(request.repeat(100));
  return wire;
}

// Until the log says so.
async function logged(server, pattern) {
  const late = Date.now() + 20000;
  while (!pattern.test(server.log())) {
    assert.ok(Date.now() < late, `no ${pattern} in the log:\n${server.log()}`);
    await new Promise((turn) => { setTimeout(turn, 5); });
  }
}

// Until a file has it.
async function written(file, pattern) {
  const late = Date.now() + 20000;
  while (!(existsSync(file) && pattern.test(readFileSync(file, 'utf8')))) {
    assert.ok(Date.now() < late, `no ${pattern} in ${file}`);
    await new Promise((turn) => { setTimeout(turn, 5); });
  }
}

describe('SIGTERM', () => {
  test('running requests finish, idle connections and live readers are told', async (t) => {
    const server = await started(t);
    const { password, token } = await server.register('lilei');
    const idle = await Wire.open(server.port);
    assert.equal((await idle.ask('GET', '/health')).headers.connection, undefined);
    const live = new WebSocket(`${server.url.replace('http', 'ws')}/live`, { headers: { authorization: `Bearer ${token}` } });
    const legacy = new WebSocket(`${server.url.replace('http', 'ws')}/messages/ws?token=${token}`);
    await Promise.all([once(live, 'open'), once(legacy, 'open')]);

    const wires = await Promise.all(Array.from({ length: 8 }, () => Wire.open(server.port)));
    // Hashing takes tens of milliseconds, one after the other on each core: they are on their way.
    for (const wire of wires.slice(0, 6)) wire.send('POST', '/auth/login', { json: { username: 'lilei', password } });
    wires[6].send('POST', '/posts', { token, json: { content: 'just in time' } });
    wires[7].send('GET', '/posts');
    const closed = Promise.all([once(live, 'close'), once(legacy, 'close')]);
    const stopped = server.stop({ keepData: true });

    const replies = await Promise.all(wires.map((wire) => wire.reply()));
    assert.deepEqual(replies.map((reply) => reply.status), [200, 200, 200, 200, 200, 200, 201, 200]);
    // Quick ones may have been answered before; who is answered after is told to go.
    assert.ok(replies.slice(0, 6).some((reply) => reply.headers.connection === 'close'));
    for (const wire of [...wires, idle]) {
      assert.deepEqual(await wire.end(), { clean: true, bytes: Buffer.alloc(0) });
    }
    for (const [code] of await closed) assert.equal(code, 1012);
    await stopped;
    assert.match(server.log(), /info serve\.stopped/);
    rmSync(server.dataDir, { recursive: true });
  });

  test('who keeps a connection gets one more answer on it, and hears that it was the last', async (t) => {
    const server = await started(t);
    const { token } = await server.register('lilei');
    const [kept, idle] = [await Wire.open(server.port), await Wire.open(server.port)];
    for (const wire of [kept, idle]) await wire.ask('GET', '/health');
    const live = new WebSocket(`${server.url.replace('http', 'ws')}/live`, { headers: { authorization: `Bearer ${token}` } });
    await once(live, 'open');
    const told = once(live, 'close');
    const stopped = server.stop({ keepData: true });
    await told; // it is going: a proxy that has not heard of it sends on
    const last = await kept.ask('POST', '/posts', { token, json: { content: 'not lost' } });
    assert.deepEqual([last.status, last.headers.connection], [201, 'close']);
    for (const wire of [kept, idle]) {
      assert.deepEqual(await wire.end(), { clean: true, bytes: Buffer.alloc(0) });
    }
    await stopped;
    assert.match(await server.sqlText('SELECT content FROM posts'), /not lost/);
    rmSync(server.dataDir, { recursive: true });
  });

  test('the database is one file afterwards, so that whoever copies it has it all', async (t) => {
    const server = await started(t);
    await server.register('lilei');
    assert.ok(readdirSync(server.dataDir).includes('hutong.db-wal'));
    await server.stop({ keepData: true });
    assert.deepEqual(readdirSync(server.dataDir).sort(), ['hutong.db', 'keys.json', 'uploads']);
    assert.match(await server.sqlText('SELECT username FROM users'), /lilei/);
  });

  test('a connection that says nothing does not hold it up', async (t) => {
    const server = await started(t, { env: { HUTONG_DRAIN_TIMEOUT: '60' } });
    const silent = await Wire.open(server.port);
    await server.stop();
    assert.equal((await silent.end()).clean, true);
  });

  test('a stuck reader holds it up for the drain time, no longer', async (t) => {
    const server = await started(t, { env: { HUTONG_DRAIN_TIMEOUT: '1' } });
    const { token } = await server.register('lilei');
    const stuck = await stuckReader(server, token);
    const began = Date.now();
    await server.stop();
    const took = Date.now() - began;
    assert.ok(took >= 900 && took < 5000, `took ${took} ms`);
    assert.match(server.log(), /warn serve\.drain left=1/);
    stuck.close();
  });

  test('asked twice it stops at once', async (t) => {
    const server = await started(t, { env: { HUTONG_DRAIN_TIMEOUT: '600' } });
    const { token } = await server.register('lilei');
    const stuck = await stuckReader(server, token);
    process.kill(server.pid, 'SIGTERM');
    await logged(server, /serve\.stopping/);
    await server.stop(); // the second time
    assert.match(server.log(), /serve\.drain left=\d+ reason="asked twice"/);
    stuck.close();
  });
});

test('SIGHUP opens the log file anew after it was moved', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hutong-log-'));
  const [file, moved] = ['log', 'log.1'].map((name) => path.join(folder, name));
  const server = await started(t, { env: { HUTONG_LOG_FILE: file } });
  await server.api('GET', '/health', { headers: { 'x-request-id': 'before' } });
  await written(file, /id=before /); // its line may leave after its reply
  renameSync(file, moved);
  process.kill(server.pid, 'SIGHUP');
  await written(file, /log\.reopened/);
  await server.api('GET', '/health', { headers: { 'x-request-id': 'after' } });
  await server.stop();
  assert.match(readFileSync(moved, 'utf8'), /id=before /);
  assert.match(readFileSync(file, 'utf8'), /id=after [^]*serve\.stopped/);
  assert.doesNotMatch(readFileSync(moved, 'utf8'), /id=after/);
  rmSync(folder, { recursive: true });
});

test('a log file that cannot be opened anew is told in the old one, and not as opened', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'hutong-log-'));
  t.after(() => rmSync(`${folder}.away`, { recursive: true }));
  const server = await started(t, { env: { HUTONG_LOG_FILE: path.join(folder, 'log') } });
  renameSync(folder, `${folder}.away`);
  process.kill(server.pid, 'SIGHUP');
  const old = path.join(`${folder}.away`, 'log');
  await written(old, /log\.reopen .*cannot open the log file/);
  await server.stop();
  assert.doesNotMatch(readFileSync(old, 'utf8'), /log\.reopened/);
});

describe('a server that cannot start says why in one sentence', () => {
  // What `hutong serve` says and how it ends, as somebody who may not write everywhere.
  // `limit`: of prlimit, which holds for all of its life. Stopped as soon as it is ready.
  function serve(args, { env = {}, cwd, as, limit } = {}) {
    const [command, ...before] = [
      ...(limit ? ['prlimit', limit] : []),
      ...(as && process.getuid() === 0 ? ['setpriv', `--reuid=${as}`, `--regid=${as}`, '--clear-groups'] : []), BINARY];
    const child = spawn(command, [...before, 'serve', ...args], { cwd, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { out: '', err: '' };
    child.stdout.on('data', (bytes) => {
      said.out += bytes;
      if (/^ready/m.test(said.out)) child.kill('SIGTERM');
    });
    child.stderr.on('data', (bytes) => { said.err += bytes; });
    const timer = setTimeout(() => child.kill('SIGKILL'), 20000);
    return new Promise((done, fail) => {
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        if (/Sanitizer/.test(said.err)) fail(new Error(said.err)); // what was not closed, also
        else done({ ...said, end: signal ?? code });
      });
    });
  }

  async function refuses(t, { args = [], expected, end = 1, prepare, left, ...rest }) {
    const folder = mkdtempSync(path.join(tmpdir(), 'hutong-start-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const data = path.join(folder, 'data');
    await prepare?.({ folder, data });
    const before = left ? undefined : readdirSync(folder, { recursive: true }).sort();
    const said = await serve(['--listen', '127.0.0.1:0', '--data', data, ...args], { cwd: folder, ...rest });
    assert.equal(said.end, end, said.err);
    const sentences = said.err.split('\n').filter((line) => line.startsWith('hutong: '));
    assert.equal(sentences.length, 1, said.err);
    assert.match(sentences[0], expected);
    assert.doesNotMatch(said.out, /ready/);
    if (before) assert.deepEqual(readdirSync(folder, { recursive: true }).sort(), before, 'nothing was made');
  }

  // A data folder of a server that ran once.
  async function used({ data }) {
    mkdirSync(data);
    const server = await startServer({ dataDir: data });
    await server.stop();
  }

  for (const host of ['127.0.0.1', '[::1]', 'localhost']) {
    test(`the port of ${host} is another program's, and nothing is made, not even a log`, async (t) => {
      const other = net.createServer().listen(0, host === 'localhost' ? '::' : host.replace(/[[\]]/g, ''));
      await once(other, 'listening');
      t.after(() => other.close());
      const listen = `${host}:${other.address().port}`;
      await refuses(t, {
        args: ['--listen', listen, '--log-file', 'log'],
        expected: new RegExp(`cannot listen on ${listen.replace(/[[\].]/g, '\\$&')}: address already in use$`, 'i'),
      });
    });
  }

  test('the address is none of this machine, and nothing is made', (t) => refuses(t, {
    args: ['--listen', '192.0.2.1:8000'], expected: /cannot listen on 192\.0\.2\.1:8000: cannot assign requested address/i,
  }));

  test('its MariaDB does not answer, and nothing is made', (t) => refuses(t, {
    env: { HUTONG_DATABASE: 'mysql://mei:secret@127.0.0.1:1/hutong' }, expected: /127\.0\.0\.1.*1.*database/i,
  }));

  test('a setting is wrong', (t) => refuses(t, { env: { HUTONG_LOOPS: 'many' }, end: 2, expected: /setting loops is "many" \(from environment HUTONG_LOOPS\); allowed: a whole number from 0 to 256/ }));
  test('a choice is none of those offered', (t) => refuses(t, { args: ['--log-level', 'loud'], end: 2, expected: /setting log-level is "loud".*; allowed: error warn info debug/ }));
  test('the data folder may not be written', (t) => refuses(t, {
    as: 65534, prepare: ({ folder }) => { chmodSync(folder, 0o555); }, expected: /setting data is ".*data"; allowed: a folder that is there or can be made, but .*data cannot: Permission denied/,
  }));
  test('the data folder is a file', (t) => refuses(t, {
    end: 2, prepare: ({ data }) => { writeFileSync(data, ''); }, expected: /setting data is ".*data", which is no folder/,
  }));
  test('the keys may be read by others', (t) => refuses(t, {
    prepare: async (place) => { await used(place); chmodSync(path.join(place.data, 'keys.json'), 0o644); },
    expected: /keys\.json may be read by others \(mode 0644\)/,
  }));
  test('the database is newer than the program', (t) => refuses(t, {
    prepare: async (place) => {
      await used(place);
      execFileSync('sqlite3', [path.join(place.data, 'hutong.db'), "INSERT INTO schema_migrations SELECT version + 1, 'later', checksum, state, applied_us FROM schema_migrations ORDER BY version DESC LIMIT 1"]);
    },
    expected: /the database is newer than this program/,
  }));
  test('the database is no database', (t) => refuses(t, {
    prepare: async (place) => { await used(place); writeFileSync(path.join(place.data, 'hutong.db'), 'x'.repeat(8192)); },
    expected: /hutong\.db is damaged or no SQLite database; restore a backup/,
  }));

  // Every step of a start that takes one of something fails once, the last loops' as well. What was
  // opened before is closed: nothing hangs, and the sanitizers find nothing that is lost.
  async function startsWithMore(t, what, least, { as, steps }) {
    const folder = mkdtempSync(path.join(tmpdir(), 'hutong-start-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o777);
    const args = ['--listen', '127.0.0.1:0', '--data', path.join(folder, 'data'), '--loops', '4', '--workers', '2'];
    const sentences = [];
    // Only root can become somebody who runs nothing yet.
    const others = as && process.getuid() !== 0
      ? execFileSync('ps', ['-L', '-u', String(process.getuid()), '--no-headers'], { encoding: 'utf8' }).split('\n').length : 0;
    for (let most = least + others; ; most++) {
      assert.ok(most < 200 + others, 'it never started');
      const said = await serve(args, { cwd: folder, as, limit: `--${what}=${most}` });
      if (/^ready/m.test(said.out)) {
        assert.equal(said.end, 0, said.err);
        break;
      }
      assert.equal(said.end, 1, `${what}=${most}: ${said.end}\n${said.err}`);
      const told = said.err.split('\n').filter((line) => line.startsWith('hutong: '));
      assert.equal(told.length, 1, said.err);
      sentences.push(told[0]);
    }
    t.diagnostic(`${what}: ${sentences.length} starts failed, in ${new Set(sentences).size} ways`);
    for (const step of steps) assert.ok(sentences.some((line) => step.test(line)), `${step}\n${sentences.join('\n')}`);
  }

  test('there are too few open files, however far it came', (t) => startsWithMore(t, 'nofile', 8, {
    steps: [/cannot listen on/, /cannot make an event loop/],
  }));

  test('there are too few threads, however far it came', (t) => startsWithMore(t, 'nproc', 2, {
    as: 20000 + Math.floor(Math.random() * 40000), // the limit counts all of a user's
    steps: [/cannot start a worker thread/, /cannot start a thread/],
  }));
});
