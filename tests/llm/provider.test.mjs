// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The test provider itself: what it promises its users is true, seen by a plain HTTP client.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';

import { PROVIDERS, startProvider, vectorOf } from '../support/provider.mjs';

let p;
before(async () => { p = await startProvider(); });
after(() => p.stop());

const PATHS = {
  openai: '/chat/completions',
  azure: '/openai/deployments/m/chat/completions?api-version=2024-10-21',
  google: '/models/m:streamGenerateContent?alt=sse',
  anthropic: '/v1/messages',
  ollama: '/api/chat',
  dashscope: '/api/v1/services/aigc/text-generation/generation',
};
const WHOLE_PATHS = { ...PATHS, google: '/models/m:generateContent' };

// The pieces as they came, the status, and how it ended: 'end', or a code such as ECONNRESET.
function ask(provider, { path, body = {}, headers = {}, onData = () => {} } = {}) {
  return new Promise((done) => {
    const request = http.request(p.base(provider) + path, { method: 'POST', headers });
    const got = { pieces: [], status: undefined, headers: undefined, text: '', request };
    const over = (fate) => done({ ...got, fate });
    request.on('error', (error) => over(error.code));
    request.on('response', (response) => {
      got.status = response.statusCode;
      got.headers = response.headers;
      response.setEncoding('utf8');
      response.on('data', (piece) => {
        got.pieces.push(piece);
        got.text += piece;
        onData(got);
      });
      response.on('error', (error) => over(error.code));
      response.on('end', () => over('end'));
    });
    request.end(JSON.stringify(body));
  });
}

function askStream(provider, options = {}) {
  return ask(provider, {
    path: PATHS[provider],
    body: provider === 'google' || provider === 'dashscope' ? {}
      : { model: 'm', stream: true, stream_options: { include_usage: true } },
    headers: provider === 'dashscope' ? { 'x-dashscope-sse': 'enable' } : {},
    ...options,
  });
}

const events = (text) => text.split(/\r?\n/).filter((line) => /^data:|^\{/.test(line))
  .map((line) => line.replace(/^data: ?/, '')).filter((data) => data !== '[DONE]')
  .map((data) => JSON.parse(data));

const TEXTS = {
  openai: (event) => event.choices[0]?.delta?.content,
  azure: (event) => event.choices[0]?.delta?.content,
  google: (event) => event.candidates[0].content.parts.map((part) => (
    part.thought ? '' : part.text ?? '')).join(''),
  anthropic: (event) => event.delta?.text,
  ollama: (event) => event.message.content,
  dashscope: (event) => event.output.choices[0].message.content,
};

test('every provider streams the text of its script, whole or byte by byte', async () => {
  const deltas = ['你好', ', ', '🌏', ' done'];
  for (const provider of PROVIDERS) {
    for (const split of [undefined, 'bytes', 7]) {
      p.script({ provider, deltas, split, cumulative: false, reasoning: ['hm'],
        tool: { name: 'add', arguments: { a: 1 } } });
      const got = await askStream(provider);
      assert.equal(got.fate, 'end', provider);
      const text = events(got.text).map((event) => TEXTS[provider](event) ?? '').join('');
      assert.equal(text, deltas.join(''), `${provider} split ${split}`);
      assert.match(got.text, /"hm"/);
      assert.match(got.text, /"add"/);
    }
  }
});

test('every provider answers in one body', async () => {
  for (const provider of PROVIDERS) {
    p.script({ deltas: ['a', 'b'], finish: 'length', usage: { input: 3, output: 2 } });
    const got = await ask(provider, { path: WHOLE_PATHS[provider], body: { stream: false } });
    assert.equal(got.headers['content-type'], 'application/json');
    assert.match(JSON.stringify(JSON.parse(got.text)), /"ab"/);
  }
});

test('DashScope repeats what came before unless asked not to', async () => {
  p.script({ deltas: ['a', 'b'] });
  const got = await askStream('dashscope');
  assert.deepEqual(events(got.text).map(TEXTS.dashscope), ['a', 'ab', 'ab']);
  assert.match(got.text, /^id:1\nevent:result\n:HTTP_STATUS\/200\ndata:\{/);
});

test('failures have the form and status of their provider', async () => {
  for (const provider of PROVIDERS) {
    p.script({ status: 429, headers: { 'retry-after': '7' }, error: { message: 'slower' } });
    const got = await askStream(provider);
    assert.equal(got.status, 429);
    assert.equal(got.headers['retry-after'], '7');
    assert.match(JSON.stringify(JSON.parse(got.text)), /slower/);
  }
  p.script({ html: true });
  const page = await askStream('openai');
  assert.equal(page.status, 502);
  assert.match(page.text, /^<html>/);
});

test('faults come after as many pieces as the script says', async () => {
  for (const provider of PROVIDERS) {
    p.script([{ deltas: ['one', 'two', 'three'], cumulative: false, endAfter: 2 },
      { deltas: ['one', 'two', 'three'], cumulative: false, resetAfter: 2 },
      { deltas: ['one', 'two', 'three'], cumulative: false, errorAfter: 2, error: { message: 'broke' } },
      { resetAfter: 'request' }]);
    const half = await askStream(provider);
    assert.equal(half.fate, 'end');
    assert.match(half.text, /two/);
    assert.doesNotMatch(half.text, /three/);
    const reset = await askStream(provider);
    assert.equal(reset.fate, 'ECONNRESET');
    assert.match(reset.text, /two/);
    const broke = await askStream(provider);
    assert.match(broke.text, /two[^]*broke/);
    assert.doesNotMatch(broke.text, /three/);
    assert.equal((await askStream(provider)).status, undefined);
  }
});

test('a stalled answer goes on when told to, with signs of life meanwhile', async () => {
  p.script({ deltas: ['one', 'two'], stallAfter: 1, commentsEveryMs: 1 });
  const first = p.requests.length;
  let alive;
  const commented = new Promise((done) => { alive = done; });
  const answer = askStream('openai', { onData: ({ text }) => { if (text.includes(': keep-alive')) alive(); } });
  const asked = await p.request(first);
  await p.until(() => asked.stalled);
  await commented;
  asked.resume();
  const got = await answer;
  assert.match(got.text, /one[^]*keep-alive[^]*two[^]*\[DONE\]/);
  assert.ok(asked.endedAt > asked.at && asked.closedAt === undefined);
});

test('a client that goes is seen, and when', async () => {
  p.script({ deltas: ['one', 'two'], stallAfter: 1 });
  const first = p.requests.length;
  const before = performance.now();
  askStream('ollama', { onData: ({ request }) => request.destroy() });
  const asked = await p.request(first);
  await p.until(() => asked.closedAt !== undefined);
  assert.ok(asked.closedAt >= before && asked.closedAt <= performance.now());
  assert.equal(asked.endedAt, undefined);
  assert.equal(asked.pieces, 1);
  await p.until(() => p.open === 0);
});

test('requests are kept with key, body and what they were for', async () => {
  const first = p.requests.length;
  p.script([() => ({ deltas: ['from a function'] })]);
  await askStream('openai', { headers: { authorization: 'Bearer k-1' } });
  const { provider, kind, key, body } = p.requests[first];
  assert.deepEqual({ provider, kind, key }, { provider: 'openai', kind: 'chat', key: 'k-1' });
  assert.equal(body.stream, true);
});

test('models and embeddings have each provider\'s form', async () => {
  const paths = { openai: '/models', azure: '/openai/v1/models', google: '/models',
    anthropic: '/v1/models', ollama: '/api/tags', dashscope: '/compatible-mode/v1/models' };
  for (const provider of PROVIDERS) {
    p.script({ provider, kind: 'models', models: ['m-1', 'm-2'] });
    const headers = provider === 'anthropic' ? { 'anthropic-version': '2023-06-01' } : {};
    const reply = await fetch(p.base(provider) + paths[provider], { headers });
    assert.match(await reply.text(), /m-1.*m-2/);
  }
  const reply = await ask('ollama', { path: '/api/embed', body: { model: 'e', input: ['x', 'y'] } });
  assert.deepEqual(JSON.parse(reply.text).embeddings, [vectorOf('x'), vectorOf('y')]);
});

test('a huge line and a wrong content type are sent as asked', async () => {
  p.script({ hugeLine: 100_000, contentType: 'text/plain' });
  const got = await askStream('anthropic');
  assert.equal(got.headers['content-type'], 'text/plain');
  assert.ok(got.text.split('\n').some((line) => line.length > 100_000));
});
