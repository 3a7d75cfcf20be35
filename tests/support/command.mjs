// SPDX-License-Identifier: AGPL-3.0-or-later
//
// One run of the program, to its end: { status, out, err }. Its working
// directory is a temporary one, so no .env of the developer's counts, and a
// report of a sanitizer fails whoever ran it.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BINARY = process.env.HUTONG_BIN ?? path.join(ROOT, 'build/test/hutong');
const RUN_MS = 60000;
const SANITIZER = /Sanitizer|runtime error:|assert\.failed/;

// A folder for one test, gone after it: `t` is the test's context.
export async function newFolder(t) {
  const dir = await mkdtemp(path.join(tmpdir(), 'hutong-cli-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

// `through`: words before the program, to run it under another one. `binary`: a copy of it.
export async function hutong(args, options = {}) {
  const { cwd, env = {}, input = '', through = [], binary = BINARY } = options;
  const own = cwd === undefined ? await mkdtemp(path.join(tmpdir(), 'hutong-cwd-')) : null;
  const [file, ...rest] = [...through, binary, ...args];
  const child = spawn(file, rest, {
    cwd: cwd ?? own,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const said = { out: '', err: '' };
  child.stdout.on('data', (bytes) => { said.out += bytes; });
  child.stderr.on('data', (bytes) => { said.err += bytes; });
  child.stdin.on('error', () => {}); // it need not read what we offer
  child.stdin.end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS);
  const status = await new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code, signal) => done(code ?? signal));
  });
  clearTimeout(timer);
  if (own) await rm(own, { recursive: true, force: true });
  if (SANITIZER.test(said.err)) throw new Error(`hutong ${args.join(' ')}\n${said.err}`);
  return { status, ...said };
}
