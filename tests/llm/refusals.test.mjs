// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What a model refuses: what it lacks is left out for all who ask it later; what one program asked
// wrongly is told to that program, and changes nothing for others.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

let provider;
let server;
let key;
before(async () => {
  provider = await startProvider();
  server = await startServer({ env: { HUTONG_LLM_SITES: `lab=${provider.base('openai')}` } });
  const { token } = await server.register('mei_refused');
  key = assertOk(await server.api('POST', '/keys', { token, json: { name: 'k' } }), 201).key;
});
beforeEach(() => { provider.requests.length = 0; });
after(async () => {
  await server.stop();
  await provider.stop();
});

const refusal = (message, more) => ({ status: 400, error: { type: 'invalid_request_error', message, ...more } });
const schema = { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'], additionalProperties: false };
const response_format = { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } };
const ask = (model, more) => server.api('POST', '/v1/chat/completions', {
  token: key, json: { model: `lab/${model}`, messages: [{ role: 'user', content: 'hi' }], ...more } });
const bodies = () => provider.requests.map(({ body }) => body);

test('what one program asked wrongly is told, and asked of others as before', async () => {
  const wrong = [
    ['Invalid max_tokens value, the valid range of max_tokens is [1, 8192]', { max_tokens: 99999 }],
    ['temperature must be between 0 and 1', { temperature: 1.5 }],
    ["Invalid schema for response_format 'x': In context=(), 'additionalProperties' is required to be supplied and to be false.", { response_format }],
    ["Invalid schema for function 'get_temperature': object schema missing properties.",
      { tools: [{ type: 'function', function: { name: 'get_temperature', parameters: { type: 'object' } } }] }],
  ];
  for (const [message, more] of wrong) {
    provider.script([refusal(message)]);
    const reply = await ask('m', more);
    assert.equal(reply.status, 400, reply.text);
    assert.match(reply.body.error.message, new RegExp(`lab did not accept the request: ${message.slice(0, 20).replace(/[()]/g, '.')}`));
  }
  assert.equal(provider.requests.length, wrong.length);
  provider.requests.length = 0;
  assertOk(await ask('m', { max_tokens: 50, temperature: 0.2, seed: 7, response_format }));
  const [body] = bodies();
  assert.deepEqual([body.max_tokens, body.temperature, body.seed, body.response_format?.type], [50, 0.2, 7, 'json_schema']);
});

test('what a model does not know is left out, for all who ask it later', async () => {
  const model = 'thinker';
  provider.script([
    refusal("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
      { code: 'unsupported_parameter', param: 'max_tokens' }),
    refusal("Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
      { code: 'unsupported_value', param: 'temperature' }),
  ]);
  for (let i = 0; i < 2; i++) assertOk(await ask(model, { max_tokens: 50, temperature: 0.2 }));
  assert.deepEqual(bodies().map((body) => [body.max_tokens, body.max_completion_tokens, body.temperature]),
    [[50, undefined, 0.2], [undefined, 50, 0.2], [undefined, 50, undefined], [undefined, 50, undefined]]);
});

test('a question that moderation stopped costs no key its good name, and goes nowhere else', async (t) => {
  const two = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'one,two',
    HUTONG_LLM_SITES: `other=${provider.base('openai')}`, HUTONG_LLM_FALLBACK: 'other/m' } });
  t.after(() => two.stop());
  const { token } = await two.register('mei_moderated');
  const other = assertOk(await two.api('POST', '/keys', { token, json: { name: 'k' } }), 201).key;
  const askTwo = () => two.api('POST', '/v1/chat/completions', {
    token: other, json: { model: 'openai/m', messages: [{ role: 'user', content: 'hi' }] } });
  const error = { code: 403, message: 'Your chosen model requires moderation and your input was flagged for "violence".',
    metadata: { reasons: ['violence'], flagged_input: 'hi', provider_name: 'x', model_slug: 'm' } };
  provider.script([{ status: 403, body: JSON.stringify({ error }) }]);
  const reply = await askTwo();
  assert.deepEqual([reply.status, reply.body.error.code], [400, 'content_filter']);
  assert.match(reply.body.error.message, /the content filter of openai stopped this answer/);
  for (let i = 0; i < 2; i++) assertOk(await askTwo());
  assert.deepEqual(provider.requests.map(({ key: used }) => used), ['one', 'two', 'one']);
});

test('what did not help is not remembered', async () => {
  const unknown = refusal('Unrecognized request argument supplied: temperature');
  provider.script([unknown, refusal('and something else')]);
  assert.equal((await ask('other', { temperature: 0.2 })).status, 400);
  assertOk(await ask('other', { temperature: 0.2 }));
  assert.deepEqual(bodies().map(({ temperature }) => temperature), [0.2, undefined, 0.2]);
});

test('a program is not answered in another format than it asked for', async (t) => {
  const lack = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model. Learn more about supported models.";
  provider.script([refusal(lack)]);
  const reply = await ask('plain', { response_format });
  assert.equal(reply.status, 400, reply.text);
  assert.match(reply.body.error.message, /'response_format' of type 'json_schema' is not supported/);
  assert.equal(provider.requests.length, 1);
  // Where it is known before, the model is not asked.
  const two = await startServer({ env: {
    HUTONG_LLM_SITES: `lab=${provider.base('openai')}`, HUTONG_LLM_QUIRKS: 'lab:no-schema' } });
  t.after(() => two.stop());
  const { token } = await two.register('mei_formats');
  const other = assertOk(await two.api('POST', '/keys', { token, json: { name: 'k' } }), 201).key;
  const question = { model: 'lab/m', messages: [{ role: 'user', content: 'hi' }] };
  const askTwo = (format) => two.api('POST', '/v1/chat/completions', { token: other, json: { ...question, response_format: format } });
  const refused = await askTwo(response_format);
  assert.deepEqual([refused.status, refused.body.error.message], [400,
    'lab did not accept the request: m has no response_format of type json_schema; leave it out or choose another model']);
  assert.equal(provider.requests.length, 1);
  assertOk(await askTwo({ type: 'json_object' }));
  assertOk(await askTwo({ type: 'text' }));
  assert.deepEqual(bodies().slice(1).map((body) => body.response_format?.type), ['json_object', undefined]);
});
