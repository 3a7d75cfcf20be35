// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A real server for a test: its own data folder, port 0, a ready line, bounded
// waits. Ends only what it began, and fails when the program complained.
//
//     const server = await startServer({ env: { HUTONG_UPLOADS_AT_ONCE: '2' } });
//     const li = await server.register('lili');            // { id, username, token, … }
//     const reply = await server.api('POST', '/posts', { token: li.token, json: { content: '你好' } });
//     reply.status, reply.body, reply.headers
//     await server.stop();
//
// HUTONG_BIN names another binary than build/test/hutong.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const READY_MS = 20000;
const STOP_MS = 20000;
const SANITIZER = /(ERROR|WARNING): \w*Sanitizer|runtime error:|assert\.failed/;
// Tests ask much more than a member does. What they are about, they set themselves.
const QUIET = {
  HUTONG_RATE_READ: '0',
  HUTONG_RATE_WRITE: '0',
  HUTONG_RATE_LOGIN: '0',
  HUTONG_RATE_UPLOAD: '0',
  HUTONG_RATE_CHAT: '0',
  HUTONG_LLM_PROBE: 'off', // nobody's model server is part of a test
  HUTONG_TOWN: 'off', // residents who act by themselves are for the tests of the town
};

// As ./dev sets them; by hand, a failed assertion at least tells where it happened.
const SANITIZERS = { ASAN_OPTIONS: 'handle_abort=1', UBSAN_OPTIONS: 'print_stacktrace=1' };
for (const name of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS']) {
  if (process.env[name]) SANITIZERS[name] = process.env[name];
}

// HUTONG_TEST_STORE=mariadb: every data folder whose server is not told its database has one of a
// MariaDB that lives as long as such a folder does.
export const ON_MARIADB = process.env.HUTONG_TEST_STORE === 'mariadb';
let house; // a promise
const borrowed = new Map(); // folder → a promise of { mariadb, url }

async function newDatabase() {
  house ??= import('./mariadb.mjs').then((module) => module.startMariadb());
  const mariadb = await house;
  return { mariadb, url: await mariadb.newDatabase() };
}

function borrowDatabase(folder) {
  if (!borrowed.has(folder)) borrowed.set(folder, newDatabase());
  return borrowed.get(folder);
}

async function returnDatabase(folder) {
  if (!borrowed.delete(folder) || borrowed.size > 0) return;
  const last = house;
  house = undefined;
  await (await last).stop();
}

// Rows of mariadb --batch as objects; whole numbers as such, as sqlite3 -json has them.
function parseBatch(text) {
  const [names, ...rows] = text.split('\n').filter((line) => line).map((line) => line.split('\t'));
  const value = (cell) => (cell === 'NULL' ? null : /^-?\d{1,15}$/.test(cell) ? Number(cell) : cell);
  return rows.map((row) => Object.fromEntries(row.map((cell, i) => [names[i], value(cell)])));
}

const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what} took more than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function readyLine(child, log) {
  return new Promise((found, fail) => {
    child.stdout.on('data', (bytes) => {
      log.output += bytes;
      const line = /^ready (http:\/\/\S+)/m.exec(log.output);
      if (line) found(line[1].replace(/\/$/, ''));
    });
    child.once('error', fail);
    child.once('exit', (code, signal) => {
      fail(new Error(`the server ended with ${signal ?? code} before it was ready\n${log.text}`));
    });
  });
}

// `dataDir`: start again on what an earlier server left; else a new folder, removed by stop().
// `listen`: take over this address from a server that still runs.
export async function startServer({ env = {}, args = [], dataDir, listen = '127.0.0.1:0' } = {}) {
  const own = dataDir === undefined;
  const data = dataDir ?? (await mkdtemp(path.join(tmpdir(), 'hutong-test-')));
  const binary = process.env.HUTONG_BIN ?? path.join(ROOT, 'build/test/hutong');
  const database = ON_MARIADB && !env.HUTONG_DATABASE ? await borrowDatabase(data) : undefined;
  const store = database ? { HUTONG_DATABASE: database.url } : {};
  const child = spawn(binary, ['serve', '--listen', listen, '--data', data, ...args], {
    cwd: data, // no .env of the developer's
    env: { PATH: process.env.PATH, HOME: data, ...SANITIZERS, ...QUIET, ...store, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  alive.add(child);
  const log = { text: '', output: '' };
  for (const out of [child.stdout, child.stderr]) out.on('data', (bytes) => { log.text += bytes; });
  const gone = new Promise((done) => {
    child.once('close', (code, signal) => {
      alive.delete(child);
      done({ code, signal });
    });
  });
  let url;
  try {
    url = await within(READY_MS, readyLine(child, log), 'starting the server');
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }

  async function end(signal) {
    child.kill(signal);
    try {
      return await within(STOP_MS, gone, 'stopping the server');
    } catch (error) {
      child.kill('SIGKILL');
      throw new Error(`${error.message}\n${log.text}`);
    }
  }

  const server = {
    url,
    dataDir: data,
    // What names its store to other commands: `--data` alone is not enough on MariaDB.
    env: store,
    pid: child.pid,
    log: () => log.text,
    // What it said on standard output: the one-time code of an empty community, the ready line.
    output: () => log.output,
    // Look into, or change, what the embedded database holds; rows as objects.
    async sql(statement) {
      const text = await server.sqlText(statement);
      if (!text.trim()) return [];
      return database ? parseBatch(text) : JSON.parse(text);
    },
    // What several statements give, to be compared as it is.
    async sqlText(statements) {
      const run = promisify(execFile);
      if (database) {
        const name = /@\/([^?]+)/.exec(database.url)[1];
        const { stdout } = await run('mariadb', ['--no-defaults', '-uroot', '--batch',
          '--default-character-set=utf8mb4', `--socket=${database.mariadb.socket}`, name, '-e', statements]);
        return stdout;
      }
      // As the server has them: what goes takes along what refers to it.
      const { stdout } = await run('sqlite3', ['-json', '-cmd', '.timeout 10000', '-cmd', 'PRAGMA foreign_keys = ON',
        path.join(data, 'hutong.db'), statements]);
      return stdout;
    },
    // SIGTERM: it must drain, end with 0 and have nothing to complain about.
    async stop({ keepData = !own } = {}) {
      const { code, signal } = await end('SIGTERM');
      if (!keepData) await returnDatabase(data);
      if (!keepData) await rm(data, { recursive: true, force: true });
      if (code !== 0 || SANITIZER.test(log.text)) {
        throw new Error(`the server ended with ${signal ?? code}\n${log.text}`);
      }
    },
    // As a power cut does; the data folder stays.
    async kill() {
      await end('SIGKILL');
    },
    async api(method, target, { token, json, form, headers = {}, body } = {}) {
      const all = { ...headers };
      if (token) all.authorization = `Bearer ${token}`;
      if (json !== undefined) all['content-type'] = 'application/json';
      const reply = await fetch(url + target, {
        method,
        headers: all,
        redirect: 'manual',
        body: json !== undefined ? JSON.stringify(json) : form ? new URLSearchParams(form) : body,
        ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
        signal: AbortSignal.timeout(20000),
      });
      const text = await reply.text();
      const isJson = /json/.test(reply.headers.get('content-type') ?? '');
      return {
        status: reply.status,
        headers: reply.headers,
        text,
        body: isJson && text ? JSON.parse(text) : undefined,
      };
    },
    // A picture as an older system left it: "/files/images/NAME", of which nobody looks inside.
    async leavePicture(target) {
      const file = path.join(data, 'uploads', target.replace('/files/', ''));
      await mkdir(path.dirname(file), { recursive: true });
      await writeFile(file, 'a picture');
      return target;
    },
    // A new member who has logged in.
    async register(username, { password = 'correct horse', nickname = username } = {}) {
      const made = await server.api('POST', '/auth/register', {
        json: { username, password, nickname },
      });
      if (made.status !== 201) throw new Error(`register ${username}: ${made.status} ${made.text}`);
      const login = await server.api('POST', '/auth/login', { form: { username, password } });
      if (login.status !== 200) throw new Error(`login ${username}: ${login.status} ${login.text}`);
      return { ...made.body, password, token: login.body.access_token };
    },
  };
  return server;
}
