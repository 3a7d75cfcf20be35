// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Readers that are slower than the model: it is held back, the server's memory stays, and when they
// read on every token is there, once and in order.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { Chat, textOf } from '../support/chat.mjs';
import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

// Every event carries a long name of the model, so that fifty megabytes and more pass: more than all
// systems between the provider and the reader take off their hands (a socket's buffer may grow to 32).
const COUNT = 40_000;
const TOKENS = Array.from({ length: COUNT }, (_, i) => ` ${i}`);
const WIDE = { deltas: TOKENS, model: 'm'.repeat(1400) };
const WIRE_BYTES = COUNT * 1550;
// The same for a browser, whose frames are small: what a browser gets is longer than what was said.
const DENSE = { deltas: Array.from({ length: 30_000 }, (_, i) => ` ${i}${'\u0001'.repeat(40)}`), model: 'm'.repeat(1400) };
const DENSE_BYTES = 30_000 * 1750;
// What is long even when it is told in few events, as to a reader on another loop, who gets together
// what came together: nearly four megabytes of text, most of it six bytes a character on the wire.
const LONG = { deltas: Array.from({ length: 30_000 }, (_, i) => ` ${i}${'\u0001'.repeat(120)}`), model: 'm'.repeat(900) };
const LONG_BYTES = 30_000 * 1770;
const GROWTH_KB = 64 * 1024;
const TSAN = /tsan/.test(process.env.HUTONG_BIN ?? '');

let provider;
let server;
let mei;
let key;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: {
      HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_CHAT_OPEN: 'on',
      HUTONG_LLM_SHARE: 'on', HUTONG_LOOPS: '2', HUTONG_LLM_IDLE_TIMEOUT: '4',
      // What was freed would otherwise be kept to catch mistakes, and taken for growth.
      ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? 'handle_abort=1'}:quarantine_size_mb=4`,
    },
  });
  mei = await server.register('mei_slow');
  key = assertOk(await server.api('POST', '/keys', { token: mei.token, json: { name: 'k' } }), 201).key;
});
after(async () => {
  await server.stop();
  await provider.stop();
});

async function memoryKb() {
  return Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${server.pid}/status`, 'latin1'))[1]);
}

// Until the provider gets rid of nothing while the server answers many others.
async function untilHeldBack(asked, wireBytes = WIRE_BYTES) {
  let before = -1;
  await until(async () => {
    const was = before;
    before = asked.bytes;
    for (let i = 0; i < 50; i++) assertOk(await server.api('GET', '/health'));
    return asked.bytes === was && was > 0;
  }, Boolean, { ms: 60_000, what: 'the provider' });
  assert.ok(asked.bytes < wireBytes * 0.75, `${asked.bytes} of ${wireBytes} went out`);
  assert.equal(asked.endedAt, undefined);
}

// A program that reads when it is told to.
class Program {
  static async ask(content) {
    const program = new Program();
    const { hostname, port } = new URL(server.url);
    const body = JSON.stringify({ model: 'openai/m', stream: true, messages: [{ role: 'user', content }] });
    program.socket = net.connect(Number(port), hostname);
    program.socket.pause();
    program.socket.on('error', () => {});
    await once(program.socket, 'connect');
    const asked = 'POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\n' +
      `Authorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await new Promise((written) => program.socket.write(asked, written));
    for (let i = 0; i < 3; i++) assertOk(await server.api('GET', '/health')); // it has been heard
    return program;
  }

  // Everything to the end: the text, and whether that was said.
  async read() {
    let reply = '';
    this.socket.setEncoding('utf8').on('data', (text) => { reply += text; });
    const over = once(this.socket, 'close', { signal: AbortSignal.timeout(60_000) });
    this.socket.resume();
    await over;
    const events = reply.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)));
    return {
      text: events.map(({ choices }) => choices?.[0]?.delta.content ?? '').join(''),
      whole: reply.endsWith('data: [DONE]\n\n'),
      error: events.find(({ error }) => error)?.error,
    };
  }

  leave() {
    this.socket.destroy();
  }
}

// A provider that is silent for so long (llm-idle-timeout) is given up; one that we hold back, not.
async function untilAnotherIsGivenUp() {
  provider.script([{ deltas: ['a', 'b'], stallAfter: 1 }]);
  const { text, error } = await (await Program.ask('who is silent?')).read();
  assert.equal(text, 'a');
  assert.equal(error.code, 'timeout');
}

async function assertBounded(work) {
  const before = await memoryKb();
  await work();
  const grown = await memoryKb() - before;
  if (!TSAN) assert.ok(grown < GROWTH_KB, `grew by ${grown} kB`); // there it remembers all accesses
}

test('a program that stops reading holds the model back, and loses nothing', async () => {
  const at = provider.requests.length;
  provider.script([WIDE]);
  let program;
  let asked;
  await assertBounded(async () => {
    program = await Program.ask('slow program');
    asked = await provider.request(at);
    await untilHeldBack(asked);
    await untilAnotherIsGivenUp();
  });
  const { text, whole, error } = await program.read();
  assert.equal(error, undefined, error?.message);
  assert.ok(whole);
  assert.ok(text === TOKENS.join(''), `${text.length} characters`);
});

test('a browser that stops reading holds the model back, and loses nothing', async () => {
  const at = provider.requests.length;
  provider.script([DENSE]);
  const chat = await Chat.open(server);
  let asked;
  await assertBounded(async () => {
    chat.ws.pause();
    chat.say({ type: 'ask', text: 'slow browser' });
    asked = await provider.request(at);
    await untilHeldBack(asked, DENSE_BYTES);
    await untilAnotherIsGivenUp();
  });
  chat.ws.resume();
  const frames = await chat.until('done', 'error');
  assert.deepEqual([frames.at(-1).type, frames.at(-1).end], ['done', 'complete'], frames.at(-1).detail);
  assert.ok(textOf(frames) === DENSE.deltas.join(''));
  await chat.close();
});

test('a slow reader who leaves a shared answer does not leave it held back', async () => {
  const at = provider.requests.length;
  provider.script([WIDE]);
  const slow = await Program.ask('shared');
  const asked = await provider.request(at);
  await untilHeldBack(asked);
  const quick = await Program.ask('shared');
  slow.leave();
  const { text, whole, error } = await quick.read();
  assert.equal(error, undefined, error?.message);
  assert.ok(whole);
  assert.equal(provider.requests.length, at + 1);
  assert.ok(text === TOKENS.join(''), text.slice(0, 50));
});

test('readers who share an answer are not held back by a slow one', async () => {
  const at = provider.requests.length;
  const deltas = TOKENS.slice(0, 15_000);
  provider.script([{ deltas, stallAfter: 1 }]);
  const slow = await Program.ask('shared by two');
  const asked = await provider.request(at);
  await provider.until(() => asked.stalled);
  const quick = (await Program.ask('shared by two')).read();
  asked.resume();
  for (const { text, whole } of [await quick, await slow.read()]) {
    assert.ok(whole);
    assert.ok(text === deltas.join(''));
  }
  assert.equal(provider.requests.length, at + 1);
});

test('nor by one who is very far behind: it gets what it missed in larger pieces, and costs no memory', async () => {
  const at = provider.requests.length;
  provider.script([{ ...WIDE, stallAfter: 1 }]);
  const slow = await Program.ask('shared for long');
  const asked = await provider.request(at);
  await provider.until(() => asked.stalled);
  const quick = (await Program.ask('shared for long')).read();
  asked.resume();
  await assertBounded(() => quick);
  for (const { text, whole } of [await quick, await slow.read()]) {
    assert.ok(whole);
    assert.ok(text === TOKENS.join(''));
  }
  assert.equal(provider.requests.length, at + 1);
});

test('when all who share an answer are slow, the model is held back', async () => {
  const at = provider.requests.length;
  provider.script([{ ...LONG, stallAfter: 1 }]);
  const slow = [await Program.ask('all slow')];
  const asked = await provider.request(at);
  await provider.until(() => asked.stalled);
  slow.push(await Program.ask('all slow'));
  asked.resume();
  await assertBounded(() => untilHeldBack(asked, LONG_BYTES));
  for (const { text, whole } of await Promise.all(slow.map((program) => program.read()))) {
    assert.ok(whole);
    assert.ok(text === LONG.deltas.join(''));
  }
  assert.equal(provider.requests.length, at + 1);
});
