// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Embeddings and what may happen on their way to a provider: a site that fails while they wait for
// a place, keys that are refused, programs that leave.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { parseMetrics, valueOf } from '../support/metrics.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

// A provider of its own, a server that knows it as "openai", and a member with a key.
async function setUp(t, env) {
  const provider = await startProvider();
  const server = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), ...env } });
  t.after(() => Promise.all([server.stop(), provider.stop()]));
  const { token } = await server.register('mei_embeds');
  const { key } = assertOk(await server.api('POST', '/keys', { token, json: { name: 'k' } }), 201);
  const embed = (input = 'x') => server.api('POST', '/v1/embeddings', { token: key, json: { model: 'openai/e', input } });
  const gauge = async (name) => valueOf(
    parseMetrics((await server.api('GET', '/metrics')).text), `hutong_llm_${name}`, { site: 'openai' });
  return { provider, server, token, key, embed, gauge };
}

test('those who wait for a site that fails meanwhile are told so', async (t) => {
  const { provider, server, embed, gauge } = await setUp(t, { HUTONG_LLM_AT_ONCE: '1' });
  provider.always({ body: 'no model server says this' });
  provider.script([{ kind: 'embeddings', body: 'nor this', stallAfter: 'request' }]);
  const all = Array.from({ length: 8 }, () => embed());
  const first = await provider.request(0);
  await until(() => gauge('waiting'), (waiting) => waiting === 7);
  first.resume();
  const statuses = (await Promise.all(all)).map(({ status }) => status).sort();
  assert.deepEqual(statuses, [502, 502, 502, 502, 502, 503, 503, 503]);
  assert.equal(provider.requests.length, 5);
  assert.equal(await gauge('running'), 0);
  assertOk(await server.api('GET', '/health'));
});

test('what only waited for its place costs nothing, what was asked does', async (t) => {
  const { provider, server, token, key, gauge } = await setUp(t, { HUTONG_LLM_AT_ONCE: '1' });
  const begin = (model) => {
    const abort = new AbortController();
    const reply = fetch(`${server.url}/v1/embeddings`, { method: 'POST', signal: abort.signal,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: `openai/${model}`, input: 'a word or two' }) }).catch(() => {});
    return () => { abort.abort(); return reply; };
  };
  provider.script([{ kind: 'embeddings', stallAfter: 'request' }]);
  const leaveAsked = begin('asked');
  const upstream = await provider.request(0);
  const leaveWaiting = begin('waiting');
  await until(() => gauge('waiting'), (waiting) => waiting === 1);
  await leaveWaiting();
  await until(() => gauge('waiting'), (waiting) => waiting === 0);
  await leaveAsked();
  await provider.until(() => upstream.closedAt);
  const rows = await until(async () => assertOk(await server.api('GET', '/usage', { token })).items,
    (items) => items.some(({ model }) => model === 'asked'));
  assert.deepEqual(rows.map((row) => [row.model, row.requests, row.unknown_requests]), [['asked', 1, 1]]);
  assert.ok(rows[0].estimated_tokens > 0);
});

test('a key that is refused rests, and another is taken', async (t) => {
  const { provider, embed } = await setUp(t, { OPENAI_API_KEY: 'dead,good' });
  provider.always(({ key }) => (key === 'dead'
    ? { status: 401, error: { code: 'invalid_api_key', message: 'no' } } : {}));
  for (let i = 0; i < 3; i++) assertOk(await embed());
  assert.deepEqual(provider.requests.map(({ key }) => key), ['dead', 'good', 'good', 'good']);
});

test('keys of which too much was asked rest for as long as they are told to', async (t) => {
  const { provider, embed } = await setUp(t, { OPENAI_API_KEY: 'one,two' });
  const busy = { kind: 'embeddings', status: 429, headers: { 'retry-after-ms': '50' }, error: { message: 'slow down' } };
  provider.script([busy, busy]);
  assertOk(await embed());
  assert.deepEqual(provider.requests.map(({ key }) => key).slice(0, 2), ['one', 'two']);
  assert.equal(provider.requests.length, 3);
});
