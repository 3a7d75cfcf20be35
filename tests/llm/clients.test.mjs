// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The official clients of Ollama and OpenAI before the test provider: what they understand of it
// they would understand of the real ones, so that what Hutong reads there is no form of our own.
// And what Hutong sends to an Ollama is what its own client sends.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Ollama } from 'ollama';
import OpenAI from 'openai';

import { assertOk } from '../support/checks.mjs';
import { startProvider, vectorOf } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

let p;
let ollama;
let openai;
before(async () => {
  p = await startProvider();
  ollama = new Ollama({ host: p.base('ollama') });
  openai = new OpenAI({ apiKey: 'k', baseURL: p.base('openai'), maxRetries: 0 });
});
after(() => p.stop());

const messages = [{ role: 'user', content: '你好' }];
const tools = [{ type: 'function', function: { name: 'weather', description: 'how it is there',
  parameters: { type: 'object', required: ['city'], properties: { city: { type: 'string' } } } } }];
const all = async (stream) => { const parts = []; for await (const part of stream) parts.push(part); return parts; };

test('ollama: a stream with thinking, text, a call and counts, however it is cut', async () => {
  for (const split of [undefined, 'bytes', 5]) {
    p.script({ deltas: ['你', '好 🏮', '\n'], reasoning: ['hm', ' …'], split, usage: { input: 9, output: 4 },
      tool: { name: 'weather', arguments: { city: '北京' } } });
    const parts = await all(await ollama.chat({ model: 'm', messages, tools, stream: true }));
    const join = (member) => parts.map(({ message }) => message[member] ?? '').join('');
    assert.equal(join('content'), '你好 🏮\n');
    assert.equal(join('thinking'), 'hm …');
    assert.deepEqual(parts.flatMap(({ message }) => message.tool_calls ?? []).map((call) => call.function),
      [{ index: 0, name: 'weather', arguments: { city: '北京' } }]);
    assert.deepEqual(parts.map(({ done }) => done).filter(Boolean), [true]);
    const { done_reason, prompt_eval_count, eval_count, model } = parts.at(-1);
    assert.deepEqual([done_reason, prompt_eval_count, eval_count, model], ['stop', 9, 4, 'm']);
  }
});

test('ollama: whole, up to a limit', async () => {
  p.script({ deltas: ['a', 'b'], finish: 'length' });
  const whole = await ollama.chat({ model: 'm', messages });
  assert.deepEqual([whole.message, whole.done, whole.done_reason], [{ role: 'assistant', content: 'ab' }, true, 'length']);
});

test('ollama: failures, before an answer and inside of one', async () => {
  p.script([{ status: 404, error: { message: 'model "m" not found, try pulling it first' } },
    { deltas: ['half', 'more'], errorAfter: 1, error: { message: 'llama runner process has terminated' } },
    { deltas: ['half', 'more'], endAfter: 1 }]);
  await assert.rejects(ollama.chat({ model: 'm', messages }), { status_code: 404, error: /try pulling/ });
  for (const how of [/has terminated/, /Did not receive done/]) {
    const heard = [];
    const stream = await ollama.chat({ model: 'm', messages, stream: true });
    await assert.rejects(async () => { for await (const { message } of stream) heard.push(message.content); }, how);
    assert.deepEqual(heard, ['half']);
  }
});

test('ollama: who gives up is seen, and the next is served', async () => {
  p.script({ deltas: ['a', 'b'], stallAfter: 1 });
  const first = p.requests.length;
  const stream = await ollama.chat({ model: 'm', messages, stream: true });
  const read = all(stream);
  const asked = await p.request(first);
  await p.until(() => asked.stalled);
  stream.abort();
  await assert.rejects(read, { name: 'AbortError' });
  await p.until(() => asked.closedAt !== undefined);
  p.script({ deltas: ['next'] });
  assert.equal((await ollama.chat({ model: 'm', messages })).message.content, 'next');
});

test('ollama: models and embeddings', async () => {
  p.script({ kind: 'models', models: ['qwen3:8b', 'bge-m3'] });
  assert.deepEqual((await ollama.list()).models.map(({ name }) => name), ['qwen3:8b', 'bge-m3']);
  const { embeddings, prompt_eval_count } = await ollama.embed({ model: 'bge-m3', input: ['x', '茶'] });
  assert.deepEqual(embeddings, ['x', '茶'].map((text) => vectorOf(text)));
  assert.equal(prompt_eval_count, 6);
});

test('openai: streamed, whole, failing, models and embeddings', async () => {
  const script = { deltas: ['你', '好'], usage: { input: 3, output: 2 }, tool: { id: 'c', name: 'weather', arguments: { city: '北京' } } };
  p.script([{ ...script, split: 'bytes' }, script, { status: 429, headers: { 'retry-after': '1' } },
    { deltas: ['half', 'more'], errorAfter: 1, error: { message: 'boom' } }]);
  const ask = { model: 'm', messages, tools };
  const streamed = await openai.chat.completions.stream({ ...ask, stream_options: { include_usage: true } }).finalChatCompletion();
  const whole = await openai.chat.completions.create(ask);
  for (const { choices: [{ message, finish_reason }], usage } of [streamed, whole]) {
    assert.deepEqual([message.content, finish_reason, usage.total_tokens], ['你好', 'tool_calls', 5]);
    assert.deepEqual(message.tool_calls.map((call) => [call.id, call.function.arguments]), [['c', '{"city":"北京"}']]);
  }
  await assert.rejects(openai.chat.completions.create(ask), OpenAI.RateLimitError);
  const heard = [];
  const broken = await openai.chat.completions.create({ ...ask, stream: true });
  await assert.rejects(async () => { for await (const { choices } of broken) heard.push(choices[0].delta.content); }, /boom/);
  assert.deepEqual(heard, ['', 'half']);
  p.script({ kind: 'models', models: ['m-1', 'm-2'] });
  assert.deepEqual((await openai.models.list()).data.map(({ id }) => id), ['m-1', 'm-2']);
  const { data } = await openai.embeddings.create({ model: 'e', input: ['x', '茶'], encoding_format: 'float' });
  for (const { index, embedding } of data) assert.deepEqual(embedding, vectorOf(['x', '茶'][index]));
});

test('hutong asks an Ollama as its own client does', async () => {
  const server = await startServer({ env: { HUTONG_OLLAMA_BASE: p.base('ollama') } });
  try {
    const { token } = await server.register('mei_ollama');
    const { key } = assertOk(await server.api('POST', '/keys', { token, json: { name: 'k' } }), 201);
    const mine = new OpenAI({ apiKey: key, baseURL: `${server.url}/v1`, maxRetries: 0 });
    const picture = 'iVBORw0KGgo=';
    const format = { type: 'object', properties: { a: { type: 'string' } } };
    const common = { model: 'm', stream: true };
    const cases = [ // as OpenAI says it, as Ollama does
      [{ messages, temperature: 0.5, top_p: 0.9, seed: 7, stop: ['x'], max_tokens: 20 },
        { messages, options: { temperature: 0.5, top_p: 0.9, seed: 7, stop: ['x'], num_predict: 20 } }],
      [{ messages: [{ role: 'user', content: [{ type: 'text', text: '?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${picture}` } }] }] },
        { messages: [{ role: 'user', content: '?', images: [picture] }] }],
      [{ messages, tools, reasoning_effort: 'none' }, { messages, tools, think: false }],
      [{ messages, response_format: { type: 'json_schema', json_schema: { name: 'a', schema: format } } }, { messages, format }],
    ];
    for (const [ours, theirs] of cases) {
      const at = p.requests.length;
      p.script([{ deltas: ['{}'] }, { deltas: ['{}'] }]);
      await all(await mine.chat.completions.create({ ...common, ...ours, model: 'ollama/m' }));
      await all(await ollama.chat({ ...common, ...theirs }));
      const [sent, wanted] = [await p.request(at), await p.request(at + 1)];
      assert.deepEqual([sent.method, sent.path, sent.headers['content-type']], [wanted.method, wanted.path, wanted.headers['content-type']]);
      // Ours alone: Ollama must be told how much it may read, and not to drop what is more.
      const { options: { num_ctx, ...options }, truncate, ...body } = sent.body;
      assert.deepEqual([num_ctx, truncate], [8192, false]);
      assert.deepEqual({ ...body, options }, { ...wanted.body, options: wanted.body.options ?? {} });
    }
  } finally {
    await server.stop();
  }
});
