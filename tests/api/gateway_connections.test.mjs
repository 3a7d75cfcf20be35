// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What becomes of connections to a provider between two questions.
import assert from 'node:assert/strict';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

let provider;
let server;
let key;
let connections = 0; // made to the provider so far
before(async () => {
  provider = await startProvider();
  provider.server.on('connection', () => connections++);
  server = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'sk-upstream', HUTONG_LOOPS: '1' },
  });
  const mei = await server.register('mei_connections');
  key = assertOk(await server.api('POST', '/keys', { token: mei.token, json: { name: 'test' } }), 201).key;
});
after(async () => {
  await server.stop();
  await provider.stop();
});

async function ask(more = {}) {
  const json = { model: 'openai/m', messages: [{ role: 'user', content: 'hello' }], ...more };
  const reply = await server.api('POST', '/v1/chat/completions', { token: key, json });
  assert.equal(reply.status, 200);
  assert.match(reply.text, /there/);
}

const hex = (number) => number.toString(16).toUpperCase().padStart(4, '0');

// The server's descriptors of connections to the provider: [{fd, state}], 1 open, 8 closed over there.
async function lines() {
  const port = hex(Number(new URL(provider.url).port));
  const table = (await readFile(`/proc/${server.pid}/net/tcp`, 'utf8')).split('\n');
  const states = new Map(table.map((row) => row.trim().split(/\s+/))
    .filter((row) => row[2]?.endsWith(`:${port}`)).map((row) => [row[9], parseInt(row[3], 16)]));
  const fds = await readdir(`/proc/${server.pid}/fd`);
  const found = await Promise.all(fds.map(async (fd) => {
    const name = await readlink(`/proc/${server.pid}/fd/${fd}`).catch(() => '');
    return { fd, state: states.get(/^socket:\[(\d+)\]/.exec(name)?.[1]) };
  }));
  return found.filter(({ state }) => state !== undefined);
}

// The descriptors that any epoll of the server waits for.
async function watched() {
  const infos = await readdir(`/proc/${server.pid}/fdinfo`);
  const texts = await Promise.all(infos.map((fd) =>
    readFile(`/proc/${server.pid}/fdinfo/${fd}`, 'utf8').catch(() => '')));
  return texts.flatMap((text) => [...text.matchAll(/^tfd:\s+(\d+)/gm)].map((match) => match[1]));
}

test('questions in turn share one connection, whole and streamed', async () => {
  await ask();
  const made = connections;
  for (let i = 0; i < 5; i++) await ask({ stream: i % 2 === 0 });
  assert.equal(connections, made);
});

test('a resting connection that the provider closes is left alone, and a new one takes its place', async () => {
  await ask();
  const made = connections;
  provider.server.closeIdleConnections();
  const [closed] = await until(
    async () => (await lines()).filter(({ state }) => state === 8), (found) => found.length === 1,
  );
  // Who went on waiting for it would be told without end that it can be read.
  await until(watched, (fds) => !fds.includes(closed.fd));
  await ask();
  assert.equal(connections, made + 1);
  assert.deepEqual((await lines()).map(({ state }) => state), [1]);
});

test('descriptors of closed connections come again as others', async () => {
  for (let round = 0; round < 10; round++) {
    const held = Array.from({ length: 4 }, () => ask({ stream: true }));
    await Promise.all([...held, ask()]);
    provider.server.closeIdleConnections();
    const healths = Array.from({ length: 5 }, () => server.api('GET', '/health'));
    for (const reply of await Promise.all(healths)) assert.equal(reply.status, 200);
  }
});

test('a connection that broke in mid-answer is not used again', async () => {
  await ask();
  const made = connections;
  provider.script([{ deltas: ['a', 'b'], resetAfter: 1 }]);
  const json = { model: 'openai/m', stream: true, messages: [{ role: 'user', content: 'hello' }] };
  const reply = await server.api('POST', '/v1/chat/completions', { token: key, json });
  assert.match(reply.text, /"error"/);
  await ask();
  assert.equal(connections, made + 1);
});
