// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Whoever leaves ends the request to the provider, whatever it was doing: waiting for a place,
// asking for the model's name, sending, waiting for the first byte, between tokens, resting before
// it tries again. The site takes one request at a time here, so that each next answer proves that
// the place is free. One loop: what a client did before another's round trip has been heard then.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, beforeEach, describe, test } from 'node:test';

import { Chat, textOf } from '../support/chat.mjs';
import { assertOk } from '../support/checks.mjs';
import { startMariadb } from '../support/mariadb.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const patience = () => ({ signal: AbortSignal.timeout(15_000) });

let provider;
let deaf;
let server;
let mei;
let key;
before(async () => {
  provider = await startProvider();
  deaf = await startDeaf();
  server = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_SITES: `deaf=${deaf.base}`,
      HUTONG_LLM_AT_ONCE: '1', HUTONG_LOOPS: '1', HUTONG_CHAT_OPEN: 'on', HUTONG_CHAT_OPEN_MODELS: 'openai/*, deaf/*' },
  });
  mei = await server.register('mei_cancel');
  key = assertOk(await server.api('POST', '/keys', { token: mei.token, json: { name: 'k' } }), 201).key;
});
beforeEach(() => { provider.requests.length = 0; });
after(async () => {
  await server.stop();
  await deaf.stop();
  await provider.stop();
});

// A provider that does not read what the client sends that comes after `nextIsUnheard()`.
async function startDeaf() {
  const sockets = new Set();
  let first;
  const listener = net.createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    if (first) {
      first(socket);
      first = undefined;
      return;
    }
    let text = '';
    socket.on('data', (bytes) => {
      text += bytes;
      const head = text.indexOf('\r\n\r\n');
      const length = Number(/^content-length: (\d+)/im.exec(text)?.[1]);
      if (head < 0 || text.length < head + 4 + length) return;
      const body = JSON.stringify({ id: 'a', object: 'chat.completion', created: 1, model: 'm', choices: [
        { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'next' } }] });
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`);
    });
    socket.resume();
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    base: `http://127.0.0.1:${listener.address().port}/v1`,
    nextIsUnheard: () => new Promise((told) => { first = told; }),
    async stop() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

// Everything that was said to the server before is heard, and the turns that follow are over.
async function settle() {
  for (let i = 0; i < 3; i++) assertOk(await server.api('GET', '/health'));
}

const post = (stream, model, content) => {
  const body = JSON.stringify({ model, stream, messages: [{ role: 'user', content }] });
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

class Program {
  constructor(streams) { this.streams = streams; }

  async ask(model, text = 'go') {
    const { hostname, port } = new URL(server.url);
    this.socket = net.connect(Number(port), hostname);
    this.socket.on('error', () => {});
    this.heard = '';
    this.socket.on('data', (bytes) => { this.heard += bytes; });
    await new Promise((written) => this.socket.write(post(this.streams, model, text), written));
    await settle();
  }

  async hears() {
    while (!this.heard.includes('"content":"a"')) await once(this.socket, 'data', patience());
  }

  async leave() {
    this.socket.destroy();
    await settle();
  }
}

class Browser {
  streams = true;

  async ask(model, text = 'go') {
    this.chat = await Chat.open(server);
    this.chat.say({ type: 'ask', text, model });
    this.chat.say({ type: 'what' }); // is answered at once, whatever the model does
    await this.chat.until('error');
    await settle();
  }

  async hears() {
    if (!this.chat.frames.some((frame) => frame.includes('"delta"'))) await this.chat.until('delta');
  }

  async leave() {
    this.chat.ws.terminate();
    await settle();
  }
}

class Stopper extends Browser {
  async leave() {
    this.chat.say({ type: 'stop' });
    await this.chat.until('interrupted');
    await this.chat.close();
  }
}

const CLIENTS = {
  'a stream of the gateway': () => new Program(true),
  'a whole answer of the gateway': () => new Program(false),
  'a browser that vanishes': () => new Browser(),
  'a browser that says stop': () => new Stopper(),
};

// The place is free, and nothing of the one that left is asked any more.
async function nextIsAnswered() {
  const at = provider.requests.length;
  provider.script([{ deltas: ['next'] }]);
  const chat = await Chat.open(server);
  chat.say({ type: 'ask', text: 'mine', model: 'openai/m' });
  assert.equal(textOf(await chat.until('done')), 'next');
  await chat.close();
  assert.equal(provider.requests.length, at + 1);
  assert.equal(provider.requests[at].body.messages.at(-1).content, 'mine');
  assert.equal(provider.open, 0);
}

for (const [name, client] of Object.entries(CLIENTS)) {
  describe(name, () => {
    for (const phase of ['request', 'headers']) {
      test(`before the first byte (stalled after ${phase})`, async () => {
        provider.script([{ deltas: ['a'], stallAfter: phase }]);
        const one = client();
        await one.ask('openai/m');
        const asked = await provider.request(0);
        await provider.until(() => asked.stalled);
        await one.leave();
        await provider.until(() => asked.closedAt);
        await nextIsAnswered();
      });
    }

    if (client().streams) test('between tokens', async () => {
      provider.script([{ deltas: ['a', 'b'], stallAfter: 1 }]);
      const one = client();
      await one.ask('openai/m');
      const asked = await provider.request(0);
      await provider.until(() => asked.stalled);
      await one.hears();
      await one.leave();
      await provider.until(() => asked.closedAt);
      await nextIsAnswered();
    });

    test('while the site is asked which models it has', async () => {
      provider.script([{ kind: 'models', stallAfter: 'request', models: ['m'] }]);
      const one = client();
      await one.ask('openai/');
      const asked = await provider.request(0);
      assert.equal(asked.kind, 'models');
      await provider.until(() => asked.stalled);
      await one.leave();
      await provider.until(() => asked.closedAt);
      await nextIsAnswered();
    });

    test('while it waits for a place', async () => {
      provider.script([{ deltas: ['held'], stallAfter: 'request' }]);
      const holder = new Browser();
      await holder.ask('openai/m');
      const held = await provider.request(0);
      const one = client();
      await one.ask('openai/m', 'left before its turn');
      await one.leave();
      assert.equal(provider.requests.length, 1);
      held.resume();
      await holder.hears();
      await nextIsAnswered();
      assert.equal(held.closedAt, undefined);
      await holder.leave();
    });

    test('while it rests before it tries again', async () => {
      provider.script([{ status: 429, headers: { 'retry-after-ms': '400' } }]);
      const one = client();
      await one.ask('openai/m', 'left while it rested');
      const asked = await provider.request(0);
      await provider.until(() => asked.endedAt);
      await settle();
      await one.leave();
      // Another rests longer than what was left of its rest.
      provider.script([{ status: 429, headers: { 'retry-after-ms': '600' } }, { deltas: ['at last'] }]);
      const chat = await Chat.open(server);
      chat.say({ type: 'ask', text: 'stays', model: 'openai/m' });
      assert.equal(textOf(await chat.until('done')), 'at last');
      await chat.close();
      assert.deepEqual(provider.requests.map(({ body }) => body.messages.at(-1).content),
        ['left while it rested', 'stays', 'stays']);
    });
  });
}

for (const stream of [true, false]) {
  test(`while its body is being sent (${stream ? 'streamed' : 'whole'})`, async () => {
    const came = deaf.nextIsUnheard();
    const one = new Program(stream);
    const size = 7 * 1024 * 1024; // more than the system takes off our hands
    await one.ask('deaf/m', 'x'.repeat(size));
    const upstream = await Promise.race([came, once(patience().signal, 'abort')]);
    await one.leave();
    const next = await server.api('POST', '/v1/chat/completions', { token: key, json: { model: 'deaf/m', messages: [{ role: 'user', content: 'mine' }] } });
    assert.equal(assertOk(next).choices[0].message.content, 'next');
    let got = 0;
    upstream.on('data', (bytes) => { got += bytes.length; });
    const closed = once(upstream, 'close', patience());
    upstream.resume();
    await closed;
    assert.ok(got < size, `all of it was sent: ${got}`);
  });
}

test('what was given up before a question was under way costs nothing', async () => {
  key = assertOk(await server.api('POST', '/keys', { token: mei.token, json: { name: 'counted' } }), 201);
  const { id } = key;
  key = key.key;
  provider.script([{ kind: 'models', stallAfter: 'request', models: ['m'] }]);
  const naming = new Program(true);
  await naming.ask('openai/');
  const asked = await provider.request(0);
  await naming.leave();
  await provider.until(() => asked.closedAt);
  provider.script([{ status: 429, headers: { 'retry-after-ms': '15000' } }]);
  const resting = new Program(true);
  await resting.ask('openai/m');
  await provider.until(() => provider.requests[1]?.endedAt);
  await settle();
  await resting.leave();
  provider.script([{ deltas: ['x'], usage: { input: 5, output: 2 } }]);
  assertOk(await server.api('POST', '/v1/chat/completions', { token: key, json: { model: 'openai/m', messages: [{ role: 'user', content: 'mine' }] } }));
  const rows = await until(async () => assertOk(await server.api('GET', '/usage', { token: mei.token })).items.filter(({ key_id }) => key_id === id), (items) => items.some(({ model }) => model === 'm'));
  assert.deepEqual(rows.map((row) => [row.model, row.requests, row.input_tokens, row.output_tokens]), [['m', 1, 5, 2]]);
});

test('while its key is looked up (MariaDB, where a worker does that)', async () => {
  const mariadb = await startMariadb();
  const url = await mariadb.newDatabase();
  const first = server;
  server = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LOOPS: '1', HUTONG_DATABASE: url } });
  const ours = key;
  const session = spawn('mariadb', ['--no-defaults', '-uroot', '--batch', '--unbuffered',
    `--socket=${mariadb.socket}`, /@\/([^?]+)/.exec(url)[1]], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const { token } = await server.register('mei_maria');
    key = assertOk(await server.api('POST', '/keys', { token, json: { name: 'k' } }), 201).key;
    session.stdin.write("LOCK TABLES api_keys WRITE;\nSELECT 'locked';\n");
    await once(session.stdout, 'data', patience());
    const one = new Program(true);
    await one.ask('openai/m', 'left before it was known');
    await one.leave();
    provider.script([{ deltas: ['next'] }]);
    const next = server.api('POST', '/v1/chat/completions', { token: key, json: { model: 'openai/m', messages: [{ role: 'user', content: 'mine' }] } });
    await settle();
    session.stdin.end('UNLOCK TABLES;\n');
    assert.equal(assertOk(await next).choices[0].message.content, 'next');
    await settle();
    assert.deepEqual(provider.requests.map(({ body }) => body.messages.at(-1).content), ['mine']);
  } finally {
    session.stdin.end();
    await server.stop();
    await mariadb.stop();
    server = first;
    key = ours;
  }
});
