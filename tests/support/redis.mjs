// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A real Redis for a test file: keeps nothing, on a free port of this machine, ended with the
// process. It can be killed and started again where it was.
//
//     const redis = await startRedis({ password: 'p@ss' });
//     redis.url                    // redis://:p%40ss@127.0.0.1:PORT/1
//     await redis.kill();
//     await redis.start();
//     await redis.stop();
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const START_MS = 20_000;

const alive = new Set();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

function freePort() {
  return new Promise((found, fail) => {
    const probe = net.createServer().once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

// Resolves when it accepts connections, with null when it ended before that (the port was taken).
function launch(dir, port, password) {
  const child = spawn('redis-server', [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'no',
    '--daemonize', 'no', ...(password ? ['--requirepass', password] : []),
  ], { stdio: ['ignore', 'pipe', 'pipe'] });
  alive.add(child);
  child.gone = new Promise((done) => {
    child.once('close', () => {
      alive.delete(child);
      done();
    });
  });
  return new Promise((done, fail) => {
    let text = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`Redis did not start\n${text}`));
    }, START_MS);
    child.once('error', fail);
    child.gone.then(() => done(null)).finally(() => clearTimeout(timer));
    child.stdout.on('data', (bytes) => {
      text += bytes;
      if (/Ready to accept connections/.test(text)) done(child);
    });
  });
}

export async function startRedis({ password = '' } = {}) {
  const dir = await mkdtemp(path.join(tmpdir(), 'hutong-redis-'));
  let port, child = null;
  for (let tries = 0; child === null && tries < 10; tries++) { // another may be quicker
    port = await freePort();
    child = await launch(dir, port, password);
  }
  if (child === null) throw new Error('no port for Redis');
  const redis = {
    url: `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}/1`,
    port,
    async start() {
      child = await launch(dir, port, password);
      if (child === null) throw new Error(`Redis did not come back on port ${port}`);
    },
    async kill() {
      child.kill('SIGKILL');
      await child.gone;
    },
    // Nothing it was told before is answered until go().
    freeze() { child.kill('SIGSTOP'); },
    go() { child.kill('SIGCONT'); },
    async stop() {
      child.kill('SIGKILL');
      await child.gone;
      await rm(dir, { recursive: true, force: true });
    },
    // One command, by hand; resolves to the first line of the answer.
    command(...words) {
      return new Promise((done, fail) => {
        const socket = net.connect(port, '127.0.0.1');
        const text = (list) => `*${list.length}\r\n${list.map((w) => `$${Buffer.byteLength(w)}\r\n${w}\r\n`).join('')}`;
        let got = '';
        socket.once('error', fail);
        socket.on('data', (bytes) => {
          got += bytes;
          const lines = got.split('\r\n');
          if (lines.length <= (password ? 2 : 1)) return;
          socket.destroy();
          done(lines[password ? 1 : 0]);
        });
        socket.write((password ? text(['AUTH', password]) : '') + text(words));
      });
    },
  };
  return redis;
}
