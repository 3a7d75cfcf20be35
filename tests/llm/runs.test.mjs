// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Answers of conversations (src/api/chat_run.c) and readers that come late, or fall behind: the
// answer goes on, nobody gets a part of it for the whole.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';


let provider;
let server;
let li;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_LOOPS: '2' },
  });
  li = await server.register('li_runs');
});
after(async () => {
  await server.stop();
  await provider.stop();
});

const patience = () => ({ signal: AbortSignal.timeout(30_000) });

// A stream of events on a bare socket, so that a test decides when it is read.
class Reader {
  static async open(method, target, json) {
    const reader = new Reader();
    const { hostname, port } = new URL(server.url);
    reader.socket = net.connect(Number(port), hostname);
    reader.socket.on('error', () => {});
    reader.socket.setEncoding('utf8').pause();
    await once(reader.socket, 'connect');
    const body = json ? JSON.stringify(json) : '';
    reader.socket.write(`${method} ${target} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer ${li.token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    reader.reply = '';
    reader.socket.on('data', (text) => { reader.reply += text; });
    return reader;
  }

  get events() {
    return this.reply.split('\n').filter((line) => line.startsWith('data: ') && line.endsWith('}'))
      .map((line) => JSON.parse(line.slice(6)));
  }

  // Read until what came holds `text`, then no more.
  async until(text) {
    const { signal } = patience();
    this.socket.resume();
    while (!this.reply.includes(text)) await once(this.socket, 'data', { signal });
    this.socket.pause();
  }

  async all() {
    const over = once(this.socket, 'close', patience());
    this.socket.resume();
    await over;
    return this.events;
  }
}

const base = '/chat/conversations';
const words = (count, size) => Array.from({ length: count }, (_, i) => `[${i}]${'x'.repeat(size)}`);
const textOf = (events) => events.filter(({ type }) => type === 'delta').map(({ text }) => text).join('');
const stored = async (chat) => assertOk(await server.api('GET', `${base}/${chat.id}/messages`, { token: li.token })).items[1];

// The same events, whatever pieces came together.
function assertSame(events, others) {
  const rest = (list) => list.filter(({ type }) => type !== 'delta');
  assert.deepEqual(rest(events), rest(others));
  assert.ok(textOf(events) === textOf(others), `${textOf(events).length} characters`);
}

// For the provider: goes on behind every 500th piece only when that reader has it.
function paceOf(readerOf) {
  const heard = (n) => readerOf()?.reply.lastIndexOf(`[${n}]`) >= 0;
  return (n) => n % 500 === 1 && until(() => heard(n - 1) || server.api('GET', '/health'), (seen) => seen === true);
}

async function begin(script) {
  const at = provider.requests.length;
  provider.script([script]);
  const chat = assertOk(await server.api('POST', base, { token: li.token, json: {} }), 201);
  const reader = await Reader.open('POST', `${base}/${chat.id}/messages`, { text: 'go' });
  await reader.until('"turns"');
  const asked = await provider.request(at);
  return { chat, reader, asked, stream: `${base}/${chat.id}/messages/${reader.events[0].answer.id}/stream` };
}

test('who joins late gets everything from the first word, on any loop', async () => {
  const deltas = words(2000, 20);
  const { chat, reader, asked, stream } = await begin({ deltas, stallAfter: 1500 });
  await provider.until(() => asked.stalled);
  const late = await Promise.all(Array.from({ length: 8 }, () => Reader.open('GET', stream)));
  await Promise.all(late.map((one) => one.until('[1499]')));
  asked.resume();
  const first = await reader.all();
  assert.equal(textOf(first), deltas.join(''));
  for (const one of late) assertSame(await one.all(), first);
  assert.equal((await stored(chat)).content, deltas.join(''));
});

test('who joins a long answer late gets all of it, once', async () => {
  const deltas = words(3000, 200); // 600 kB
  let first;
  const { chat, reader, asked, stream } = await begin({ deltas, stallAfter: 2900, pace: paceOf(() => first) });
  first = reader;
  const whole = reader.all();
  await provider.until(() => asked.stalled);
  await until(() => reader.reply.includes('[2899]') || server.api('GET', '/health'), (seen) => seen === true);
  const late = await Reader.open('GET', stream);
  await late.until('[2899]');
  asked.resume();
  assertSame(await late.all(), await whole);
  assert.ok(textOf(await whole) === deltas.join(''));
  assert.equal((await stored(chat)).content, deltas.join(''));
});

test('a reader who falls behind holds nobody back, and gets what it missed in larger pieces', async () => {
  // More than the systems between take, and our queue: a control character is six times as long in
  // a frame.
  const deltas = Array.from({ length: 25_000 }, (_, i) => `[${i}]${'\u0001'.repeat(30)}`);
  let quick;
  const pace = paceOf(() => quick);
  const { chat, reader: slow, asked, stream } = await begin({ deltas, pace });
  quick = await Reader.open('GET', stream);
  const whole = await quick.all();
  assert.equal(whole.at(-1).type, 'done');
  assert.ok(textOf(whole) === deltas.join(''));
  assert.ok(asked.endedAt);
  assert.ok((await stored(chat)).content === deltas.join(''));
  assertSame(await slow.all(), whole);
});
