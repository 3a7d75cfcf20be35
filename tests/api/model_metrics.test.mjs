// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What /metrics says of models: calls and how they ended, the gates before the sites, tokens, times.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { parseMetrics, valueOf } from '../support/metrics.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

let provider;
let server;
let key;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: {
      HUTONG_OPENAI_BASE: provider.base('openai'),
      HUTONG_LLM_AT_ONCE: '1',
      HUTONG_LLM_CACHE: 'on',
      HUTONG_LLM_SHARE: 'on',
    },
  });
  const mei = await server.register('mei_counts');
  key = assertOk(await server.api('POST', '/keys', { token: mei.token, json: { name: 'test' } }), 201).key;
});
after(async () => {
  await server.stop();
  await provider.stop();
});

const site = 'openai';
const question = (more) => ({ model: 'openai/m', messages: [{ role: 'user', content: 'hello' }], ...more });
const ask = (more) => server.api('POST', '/v1/chat/completions', { token: key, json: question(more) });
// One that its program may give up.
const askUntil = (signal, more) => fetch(`${server.url}/v1/chat/completions`, {
  method: 'POST', signal, body: JSON.stringify(question(more)),
  headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
}).catch((error) => error);
const metrics = async () => parseMetrics((await server.api('GET', '/metrics')).text);

// What grew while `happen` ran, by family and labels.
async function grown(happen) {
  const old = await metrics();
  await happen();
  const now = await metrics();
  return (name, labels = {}) => {
    const all = { site, ...labels };
    return valueOf(now, `hutong_llm_${name}`, all) - valueOf(old, `hutong_llm_${name}`, all);
  };
}

const count = (families, name) => families.get(`hutong_llm_${name}`).samples
  .find((sample) => sample.name.endsWith('_count') && sample.labels.site === site).value;

test('an answer counts with its tokens and its times', async () => {
  const times = await metrics();
  const grew = await grown(async () => {
    provider.script([{ deltas: ['a', 'b'], usage: { input: 12, output: 3 } }]);
    assertOk(await ask());
  });
  assert.equal(grew('calls_total', { kind: 'chat' }), 1);
  assert.equal(grew('ends_total', { kind: 'chat', end: 'complete', fault: 'none' }), 1);
  assert.equal(grew('ends_total'), 1);
  assert.equal(grew('requests_total'), 1);
  assert.equal(grew('retries_total'), 0);
  assert.equal(grew('failures_total'), 0);
  assert.equal(grew('tokens_total', { direction: 'input' }), 12);
  assert.equal(grew('tokens_total', { direction: 'output' }), 3);
  assert.equal(grew('estimated_total'), 0);
  const later = await metrics();
  for (const name of ['first_piece_seconds', 'answer_seconds']) {
    assert.equal(count(later, name) - count(times, name), 1, name);
  }
});

test('a failure that was mended is a retry and a failed request, not a failed call', async () => {
  const grew = await grown(async () => {
    provider.script([{ status: 503, error: { message: 'down' } }, { deltas: ['fine'], usage: false }]);
    assertOk(await ask());
  });
  assert.equal(grew('calls_total'), 1);
  assert.equal(grew('requests_total'), 2);
  assert.equal(grew('retries_total'), 1);
  assert.equal(grew('failures_total'), 1);
  assert.equal(grew('ends_total', { end: 'complete' }), 1);
  assert.equal(grew('ends_total'), 1);
  assert.equal(grew('estimated_total'), 1);
});

test('failures count by kind, embeddings apart', async () => {
  const grew = await grown(async () => {
    provider.script([{ status: 401, error: { message: 'bad key' } }]);
    assert.equal((await ask()).status, 502);
    assertOk(await server.api('POST', '/v1/embeddings', { token: key, json: { model: 'openai/e', input: 'x' } }));
  });
  assert.equal(grew('ends_total', { kind: 'chat', end: 'failed', fault: 'bad_key' }), 1);
  assert.equal(grew('failures_total', { fault: 'bad_key' }), 1);
  assert.equal(grew('calls_total', { kind: 'embedding' }), 1);
  assert.equal(grew('ends_total', { kind: 'embedding', end: 'complete' }), 1);
  assert.equal(grew('requests_total'), 2);
});

test('the gate shows who is in, who waits and how many it lets through', async () => {
  const asked = provider.requests.length;
  provider.script([{ deltas: ['a'], stallAfter: 'request' }]);
  const abort = new AbortController();
  const left = new AbortController();
  const first = askUntil(abort.signal, { seed: 1 });
  const upstream = await provider.request(asked);
  await provider.until(() => upstream.stalled);
  const second = askUntil(left.signal, { seed: 2 });
  const gauge = (families, name, labels = {}) => valueOf(families, `hutong_llm_${name}`, { site, ...labels });
  const held = await until(metrics, (families) => gauge(families, 'waiting') === 1);
  assert.equal(gauge(held, 'waiting', { class: 'program' }), 1);
  assert.equal(gauge(held, 'running'), 1);
  assert.equal(gauge(held, 'limit'), 1);
  assert.equal(gauge(held, 'circuit', { state: 'closed' }), 1);
  assert.equal(gauge(held, 'circuit'), 1);
  const ended = (families) => gauge(families, 'ends_total', { end: 'cancelled', fault: 'none' });
  left.abort();
  await second;
  abort.abort();
  await first;
  const free = await until(metrics, (families) => ended(families) === ended(held) + 2);
  assert.equal(gauge(free, 'running'), 0);
  assert.equal(gauge(free, 'waiting'), 0);
});

test('the gateway says where its answers come from', async () => {
  const name = 'hutong_gateway_answers_total';
  const before = await metrics();
  const asked = provider.requests.length;
  provider.script([{ deltas: ['once'], stallAfter: 'request' }]);
  const shared = { temperature: 0, messages: [{ role: 'user', content: 'share me' }] };
  const both = [ask(shared), ask(shared)];
  const upstream = await provider.request(asked);
  await until(metrics, (families) => valueOf(families, name, { from: 'shared' })
    > valueOf(before, name, { from: 'shared' }));
  upstream.resume();
  for (const reply of await Promise.all(both)) assertOk(reply);
  assertOk(await ask(shared));
  const now = await metrics();
  for (const from of ['model', 'shared', 'kept']) {
    assert.equal(valueOf(now, name, { from }) - valueOf(before, name, { from }), 1, from);
  }
});

test('five failures in a row show as an open circuit, and what it turns away', async () => {
  const grew = await grown(async () => {
    for (let i = 0; i < 5; i++) {
      provider.script([{ body: 'no model server says this' }]);
      await ask({ seed: i });
    }
    await ask({ seed: 9 });
  });
  assert.equal(grew('circuit', { state: 'open' }), 1);
  assert.equal(grew('circuit', { state: 'closed' }), -1);
  assert.equal(grew('circuit_opened_total'), 1);
  assert.equal(grew('turned_away_total'), 1);
});
