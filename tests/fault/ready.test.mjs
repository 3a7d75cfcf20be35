// SPDX-License-Identifier: AGPL-3.0-or-later
//
// /health/ready when the server should get no more members: its database takes no changes, or it
// is about to stop.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';

import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';
import { Wire } from '../support/wire.mjs';

const WAIT = { timeout: 60_000 };

// Another program holds the database's only place for a writer until release().
async function hold(server) {
  const shell = spawn('sqlite3', [path.join(server.dataDir, 'hutong.db')], { stdio: ['pipe', 'pipe', 'inherit'] });
  shell.stdin.write('.timeout 10000\nBEGIN IMMEDIATE;\n.print held\n');
  await once(shell.stdout, 'data');
  return async () => {
    const gone = once(shell, 'exit');
    shell.stdin.end('ROLLBACK;\n');
    await gone;
  };
}

const failing = ({ body }) => Object.entries(body.checks).filter(([, { ok }]) => !ok).map(([name]) => name);

// The engine gives up after five seconds: longer than that is one group refused after the other.
test('not ready while changes cannot be written, group after group, and ready again by itself', WAIT, async (t) => {
  const server = await startServer({ env: { HUTONG_COMMIT_GROUP_MAX: '1', HUTONG_READY_WRITER_SECONDS: '6' } });
  t.after(() => server.kill());
  const { token } = await server.register('lilei');
  const post = (content) => server.api('POST', '/posts', { token, json: { content } });
  const ready = () => server.api('GET', '/health/ready');
  assert.equal((await ready()).status, 200);
  const release = await hold(server);
  const began = Date.now();
  const posts = ['one', 'two', 'three'].map(post);
  const stuck = await until(ready, ({ status }) => status === 503);
  const took = Date.now() - began;
  assert.ok(took > 5500 && took < 9000, `${took} ms`);
  assert.deepEqual(failing(stuck), ['writer']);
  assert.match(stuck.body.checks.writer.detail, /changes have waited .* \d+ s/);
  await release();
  assert.deepEqual((await Promise.all(posts)).map(({ status }) => status).sort(), [201, 201, 503]);
  await until(ready, ({ status }) => status === 200);
  await server.stop();
});

test('one refused change does not keep a server out that nobody asks any more', WAIT, async (t) => {
  const server = await startServer({ env: { HUTONG_READY_WRITER_SECONDS: '1' } });
  t.after(() => server.kill());
  const { token } = await server.register('lilei');
  const ready = () => server.api('GET', '/health/ready');
  const release = await hold(server);
  const post = server.api('POST', '/posts', { token, json: { content: 'x' } });
  await until(ready, ({ status }) => status === 503);
  assert.equal((await post).status, 503);
  await until(ready, ({ status }) => status === 200);
  await release();
  await server.stop();
});

test('not ready while it stops, told to whoever is half-way through asking', WAIT, async (t) => {
  const server = await startServer();
  t.after(() => server.kill());
  const { token } = await server.register('lilei');
  const live = await Live.open(server, token); // is told when the stop begins
  const wire = await Wire.open(Number(new URL(server.url).port));
  wire.socket.write('GET /health/ready HTTP/1.1\r\nHost: localhost\r\n');
  // Its loop has read that by the time another connection of the same loop is answered; with
  // several loops: by the time all that came before has been.
  for (let i = 0; i < 20; i++) await server.api('GET', '/health');
  const stopped = server.stop({ keepData: false });
  assert.equal((await live.closed).code, 1012);
  wire.socket.write('\r\n');
  const reply = await wire.reply();
  assert.equal(reply.status, 503);
  assert.deepEqual(failing({ body: reply.json() }), ['serving']);
  assert.match(reply.json().checks.serving.detail, /about to stop/);
  await stopped;
});
