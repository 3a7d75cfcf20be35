// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A real MariaDB for a test file: a temporary folder of its own, reachable by
// its socket and nowhere else, ended with the process. Its system tables come
// from the template that tests/support/mariadb.c keeps under build/, made here
// under the same lock when it is not there yet.
//
//     const server = await startMariadb();
//     const url = await server.newDatabase();   // mysql://root@/NAME?socket=PATH
//     await server.sql(url, 'CREATE TABLE …');
//     await server.goAway();                    // ended, its data kept …
//     await server.comeBack();                  // … and there again, where it was
//     await server.stop();
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { access, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const BUILD = path.join(ROOT, 'build');
const TEMPLATE = path.join(BUILD, 'mariadb-template');
const START_MS = 60000;
const POLL_MS = 20;
const exec = promisify(execFile);
const asRoot = process.getuid() === 0 ? ['--user=root'] : [];

// flock(1), so that C and Node programs that start at once wait for each other.
async function makeTemplate() {
  await mkdir(BUILD, { recursive: true });
  const make = [
    `[ -e "$1/ready" ] && exit 0; rm -rf "$1"`,
    `mariadb-install-db --no-defaults --datadir="$1" --skip-test-db \\
       --auth-root-authentication-method=normal --innodb-log-file-size=8M \\
       --innodb-flush-log-at-trx-commit=0 ${asRoot.join(' ')} && : >"$1/ready"`,
  ].join('\n');
  await exec('flock', [`${TEMPLATE}.lock`, 'sh', '-c', make, 'sh', TEMPLATE]);
}

const alive = new Map(); // child → its folder
process.on('exit', () => {
  for (const [child, dir] of alive) {
    child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});

export async function startMariadb() {
  await makeTemplate();
  const dir = await mkdtemp(path.join(tmpdir(), 'hutong-db-'));
  const socket = path.join(dir, 's');
  await cp(TEMPLATE, path.join(dir, 'data'), { recursive: true });
  const launch = () => spawn('mariadbd', [
    '--no-defaults', `--datadir=${dir}/data`, `--tmpdir=${dir}`, `--socket=${socket}`,
    `--pid-file=${dir}/pid`, `--log-error=${dir}/log`, '--skip-networking',
    '--innodb-flush-log-at-trx-commit=0', '--innodb-log-file-size=8M',
    '--innodb-buffer-pool-size=32M', '--innodb-doublewrite=0', '--sync-binlog=0',
    '--performance-schema=0', '--key-buffer-size=1M', ...asRoot,
  ], { stdio: 'ignore' });
  let child;

  async function sql(url, text) {
    const name = url ? /@\/([^?]+)/.exec(url)[1] : 'mysql';
    const { stdout } = await exec('mariadb', [
      '--no-defaults', '-uroot', `--socket=${socket}`, '--batch', '--skip-column-names', name,
      '-e', text,
    ], { maxBuffer: 1 << 26 });
    return stdout.trim();
  }

  async function start() {
    const started = child = launch();
    alive.set(started, dir);
    started.once('exit', () => alive.delete(started));
    started.unref(); // a test that fails before it stops us must still come to its end
    const until = Date.now() + START_MS;
    for (;;) {
      try {
        await access(socket);
        await sql(null, 'SELECT 1');
        return;
      } catch (error) {
        if (started.exitCode !== null || Date.now() > until) {
          started.kill('SIGKILL');
          const log = await readFile(`${dir}/log`, 'utf8').catch(() => '');
          throw new Error(`MariaDB did not start: ${error.message}\n${log}`);
        }
        await pause(POLL_MS);
      }
    }
  }

  async function end(signal) {
    child.ref();
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null;
    child.kill(signal);
    await gone;
  }

  await start();

  let databases = 0;
  return {
    socket,
    sql,
    async newDatabase() {
      databases += 1;
      const name = `hutong_test_${databases}`;
      await sql(null, `CREATE DATABASE ${name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`);
      return `mysql://root@/${name}?socket=${socket}`;
    },
    goAway: () => end('SIGTERM'),
    comeBack: start,
    // Its data is thrown away: nothing to save.
    async stop() {
      await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
}
