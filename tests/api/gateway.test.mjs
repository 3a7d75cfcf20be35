// SPDX-License-Identifier: AGPL-3.0-or-later
//
// OpenAI's API for members' programs, asked with the official `openai` package, before a scripted
// provider.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import OpenAI from 'openai';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { newFolder } from '../support/command.mjs';
import { startProvider, vectorOf } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until as askUntil } from '../support/watch.mjs';

// What `ask` gives, as soon as it is something.
const until = (ask) => askUntil(ask, Boolean);

let provider;
let server;
let mei;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: {
      HUTONG_OPENAI_BASE: provider.base('openai'),
      OPENAI_API_KEY: 'sk-upstream',
      HUTONG_LLM_PRICES: 'priced=2/10, other*=1/1',
    },
  });
  mei = await server.register('mei_gateway');
});
after(async () => {
  await server.stop();
  await provider.stop();
});

async function makeKey(limits = {}, to = server, who = mei) {
  const reply = await to.api('POST', '/keys', { token: who.token, json: { name: 'test', ...limits } });
  return assertOk(reply, 201);
}
const client = (key, to = server) => new OpenAI({ apiKey: key.key, baseURL: `${to.url}/v1`, maxRetries: 0 });
const question = (more = {}) => ({ model: 'openai/m', messages: [{ role: 'user', content: 'hello' }], ...more });
// Five failures in a row would close the site's circuit.
async function makeGood(key) {
  provider.script([{ deltas: ['fine'] }]);
  await client(key).chat.completions.create(question());
}
const last = () => provider.request(provider.requests.length - 1);
async function rows(key, to = server, who = mei) {
  const { items } = assertOk(await to.api('GET', '/usage', { token: who.token }));
  return items.filter(({ key_id }) => key_id === key.id);
}

test('embeddings are recorded, and repeated without asking anybody', async (t) => {
  const own = await startProvider();
  t.after(() => own.stop());
  const file = path.join(await newFolder(t), 'answers');
  const serve = async (more) => {
    const to = await startServer({ env: { HUTONG_OPENAI_BASE: own.base('openai'), ...more } });
    t.after(() => to.stop());
    const who = await to.register('mei_record');
    return client(await makeKey({}, to, who), to).embeddings;
  };
  const ask = (embeddings, input) => embeddings.create({ model: 'openai/e', input });
  const texts = Array.from({ length: 600 }, (_, i) => `text ${i}`); // two requests upstream
  own.script([{ kind: 'embeddings' }, { kind: 'embeddings' },
    { kind: 'embeddings', status: 401, error: { message: 'no', code: 'invalid_api_key' } }]);
  const recording = await serve({ HUTONG_LLM_RECORD: file });
  const told = await ask(recording, texts);
  await assert.rejects(ask(recording, 'refused'), /does not accept the key/);
  assert.equal(own.requests.length, 3);
  const replaying = await serve({ HUTONG_LLM_REPLAY: file });
  assert.deepEqual(await ask(replaying, texts), told);
  await assert.rejects(ask(replaying, 'refused'), /does not accept the key/);
  await assert.rejects(ask(replaying, texts), /has no answer to this/); // it was asked once
  await assert.rejects(ask(replaying, texts.slice(1)), /has no answer to this/);
  assert.equal(own.requests.length, 3);
});

test('a whole answer', async () => {
  const key = await makeKey();
  provider.script([{ deltas: ['你好', ' world'], usage: { input: 12, output: 3, cached: 4 } }]);
  const reply = await client(key).chat.completions.create(question({ temperature: 0.5, max_tokens: 77, stop: ['x'], seed: 7, user: 'u1' }));
  assert.equal(reply.object, 'chat.completion');
  assert.match(reply.id, /^chatcmpl-/);
  assert.equal(reply.choices[0].message.content, '你好 world');
  assert.equal(reply.choices[0].message.role, 'assistant');
  assert.equal(reply.choices[0].finish_reason, 'stop');
  assert.deepEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens], [12, 3, 15]);
  assert.equal(reply.usage.prompt_tokens_details.cached_tokens, 4);
  assert.equal(reply.usage.estimated, undefined);
  const { body, key: upstream } = await last();
  assert.equal(upstream, 'sk-upstream');
  assert.equal(body.temperature, 0.5);
  assert.equal(body.max_completion_tokens ?? body.max_tokens, 77);
  assert.equal(body.seed, 7);
  assert.deepEqual(body.stop, ['x']);
});

test('a streamed answer, with usage when it is asked for', async () => {
  const key = await makeKey();
  for (const include_usage of [true, false]) {
    provider.script([{ deltas: ['a', 'b', '🏮'], reasoning: ['hm'], usage: { input: 5, output: 4 } }]);
    const stream = await client(key).chat.completions.create(question({ stream: true, stream_options: { include_usage } }));
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const deltas = chunks.flatMap(({ choices }) => choices);
    assert.equal(deltas.map(({ delta }) => delta.content ?? '').join(''), 'ab🏮');
    assert.equal(deltas.map(({ delta }) => delta.reasoning_content ?? '').join(''), 'hm');
    assert.equal(deltas[0].delta.role, 'assistant');
    assert.deepEqual(deltas.map(({ finish_reason }) => finish_reason).filter(Boolean), ['stop']);
    const usage = chunks.filter((chunk) => chunk.usage);
    assert.equal(usage.length, include_usage ? 1 : 0);
    if (include_usage) assert.deepEqual([usage[0].usage.prompt_tokens, usage[0].choices], [5, []]);
  }
});

test('who asks for a stream gets one, also of an answer without a word', async () => {
  const key = await makeKey();
  const silent = { deltas: [], finish: 'length', usage: { input: 5, output: 9 } };
  provider.script([silent, silent]);
  const asked = question({ stream: true, stream_options: { include_usage: true } });
  const chunks = [];
  for await (const chunk of await client(key).chat.completions.create(asked)) chunks.push(chunk);
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.equal(choices[0].delta.role, 'assistant');
  assert.equal(choices.at(-1).finish_reason, 'length');
  assert.equal(chunks.at(-1).usage.completion_tokens, 9);
  const raw = await server.api('POST', '/v1/chat/completions', { token: key.key, json: asked });
  assert.match(raw.headers.get('content-type'), /^text\/event-stream/);
  assert.ok(raw.text.endsWith('data: [DONE]\n\n'), raw.text);
});

test('tools go there and calls come back, whole and streamed', async () => {
  const key = await makeKey();
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }];
  const script = { tools: [{ id: 'call_1', name: 'weather', arguments: '{"city":"北京"}' }], finish: 'tool' };
  provider.script([script, script, { deltas: ['sunny'] }]);
  const ask = question({ tools, tool_choice: 'auto' });
  const whole = await client(key).chat.completions.create(ask);
  const [call] = whole.choices[0].message.tool_calls;
  assert.deepEqual([call.id, call.type, call.function.name, JSON.parse(call.function.arguments)],
    ['call_1', 'function', 'weather', { city: '北京' }]);
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  assert.equal(whole.choices[0].message.content, null);
  assert.deepEqual((await last()).body.tools, tools);

  const streamed = await client(key).chat.completions.stream(ask).finalChatCompletion();
  assert.equal(streamed.choices[0].message.tool_calls[0].function.arguments, '{"city":"北京"}');

  const back = await client(key).chat.completions.create(question({
    messages: [...ask.messages, whole.choices[0].message, { role: 'tool', tool_call_id: 'call_1', content: '25' }],
  }));
  assert.equal(back.choices[0].message.content, 'sunny');
  const { messages } = (await last()).body;
  assert.equal(messages[1].tool_calls[0].id, 'call_1');
  assert.equal(messages[2].tool_call_id, 'call_1');
});

test('a long id of a tool call comes whole, streamed or not', async () => {
  const key = await makeKey();
  const id = `call_1~${'s'.repeat(9000)}`; // Gemini's signed thoughts travel in it
  const script = { tools: [{ id, name: 'weather', arguments: `{"city":"${'北'.repeat(60_000)}"}` }], finish: 'tool' };
  provider.script([script, script]);
  const whole = await client(key).chat.completions.create(question());
  const streamed = await client(key).chat.completions.stream(question()).finalChatCompletion();
  for (const { choices } of [whole, streamed]) {
    assert.ok(choices[0].message.tool_calls[0].id === id);
    assert.ok(choices[0].message.tool_calls[0].function.arguments === script.tools[0].arguments);
  }
});

test('an answer that is longer than we pass on is broken off, not shortened', async () => {
  const key = await makeKey();
  provider.script([{ deltas: Array(50).fill('x'.repeat(100_000)) }]);
  const raw = await server.api('POST', '/v1/chat/completions', { token: key.key, json: question({ stream: true }) });
  assert.match(raw.text.slice(-400), /"error":\{"message":/);
  assert.ok(!raw.text.includes('[DONE]'));
  await makeGood(key);
});

test('pictures and formats pass through', async () => {
  const key = await makeKey();
  provider.script([{ deltas: ['{}'] }]);
  const content = [{ type: 'text', text: 'what is it?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }];
  const response_format = { type: 'json_schema', json_schema: { name: 'thing', schema: { type: 'object' } } };
  await client(key).chat.completions.create(question({ messages: [{ role: 'user', content }], response_format }));
  const { body } = await last();
  assert.deepEqual(body.messages[0].content, content);
  assert.equal(body.response_format.json_schema.name, 'thing');
});

test('a NUL in an answer costs that character, whole and streamed', async () => {
  const key = await makeKey();
  const script = { deltas: ['be\0fore', '\\u0000', 'after\0'] };
  provider.script([script, script]);
  const told = 'be\ufffdfore\\u0000after\ufffd';
  assert.equal((await client(key).chat.completions.create(question())).choices[0].message.content, told);
  let text = '';
  for await (const { choices } of await client(key).chat.completions.create(question({ stream: true }))) text += choices[0].delta.content ?? '';
  assert.equal(text, told);
});

test('what a program says of its schema goes up as it said it', async () => {
  const key = await makeKey();
  const form = { name: 'thing', schema: { type: 'object' } };
  for (const said of [{}, { strict: true }, { strict: false }, { description: 'A thing.' }, { strict: null, description: null }]) {
    provider.script([{ deltas: ['{}'] }]);
    const response_format = { type: 'json_schema', json_schema: { ...form, ...said } };
    await client(key).chat.completions.create(question({ response_format }));
    const { strict, description } = (await last()).body.response_format.json_schema;
    assert.deepEqual({ strict, description }, { strict: said.strict ?? undefined, description: said.description ?? undefined });
  }
  for (const said of [{ strict: 'yes' }, { description: 7 }]) {
    const asked = client(key).chat.completions.create(question({ response_format: { type: 'json_schema', json_schema: { ...form, ...said } } }));
    await assert.rejects(asked, (error) => error.status === 400 && error.param === 'response_format');
  }
});

test('an answer that was cut short never looks complete', async () => {
  const key = await makeKey();
  for (const script of [
    { deltas: ['half', 'more'], resetAfter: 1 },
    { deltas: ['half', 'more'], endAfter: 1 },
    { deltas: ['half'], finish: null, marker: false },
    { deltas: ['half', 'more'], errorAfter: 1, error: { message: 'boom' } },
  ]) {
    provider.script([script]);
    const stream = await client(key).chat.completions.create(question({ stream: true }));
    let text = '';
    const reasons = [];
    await assert.rejects(async () => {
      for await (const { choices } of stream) {
        text += choices[0]?.delta.content ?? '';
        if (choices[0]?.finish_reason) reasons.push(choices[0].finish_reason);
      }
    }, OpenAI.APIError, JSON.stringify(script));
    assert.equal(text, 'half');
    assert.deepEqual(reasons, []);
    await makeGood(key);
    provider.script([script]);
    const raw = await server.api('POST', '/v1/chat/completions', { token: key.key, json: question({ stream: true }) });
    assert.match(raw.text, /"error":\{"message":/);
    assert.doesNotMatch(raw.text, /\[DONE\]|"finish_reason":"/);
    await makeGood(key);
  }
  provider.script([{ deltas: ['up to the limit'], finish: 'length' }]);
  const limited = await client(key).chat.completions.create(question({ max_tokens: 3 }));
  assert.equal(limited.choices[0].finish_reason, 'length');
});

test('whoever leaves closes the connection to the provider, in every phase', async () => {
  const key = await makeKey();
  for (const [stream, script] of [
    [true, { deltas: ['a', 'b', 'c'], stallAfter: 2 }],
    [true, { deltas: ['a'], stallAfter: 'request' }],
    [false, { deltas: ['a'], stallAfter: 'request' }],
  ]) {
    provider.script([script]);
    const before = provider.requests.length;
    const abort = new AbortController();
    const asked = client(key).chat.completions.create(question({ stream }), { signal: abort.signal })
      .then(async (reply) => { if (stream) for await (const _ of reply) { /* until it breaks */ } });
    asked.catch(() => {});
    const upstream = await provider.request(before);
    await provider.until(() => upstream.stalled);
    abort.abort();
    await assert.rejects(asked);
    await provider.until(() => upstream.closedAt);
  }
});

test('who waits for a silent model hears that it is waited for, and later how it failed', async (t) => {
  const own = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'sk-upstream', HUTONG_LIVE_PING: '1' } });
  t.after(() => own.stop());
  const key = await makeKey({}, own, await own.register('mei_patient'));
  const ask = async (comments) => {
    const at = provider.requests.length;
    const reply = await fetch(`${own.url}/v1/chat/completions`, {
      method: 'POST', headers: { authorization: `Bearer ${key.key}`, 'content-type': 'application/json' },
      body: JSON.stringify(question({ stream: true })), signal: AbortSignal.timeout(15_000),
    });
    assert.equal(reply.status, 200);
    assert.match(reply.headers.get('content-type'), /^text\/event-stream/);
    let text = '';
    const waited = await provider.request(at);
    assert.ok(waited.stalled); // the head came all the same
    for await (const piece of reply.body.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (text.split('\n\n: ').length >= comments) waited.resume();
    }
    assert.match(text, /^: [^\n]*\n\n/);
    return text;
  };
  provider.script([{ deltas: ['late'], stallAfter: 'request' }]);
  const told = await ask(2);
  assert.match(told, /"role":"assistant"[^]*"content":"late"/);
  assert.ok(told.endsWith('data: [DONE]\n\n'));

  const refused = { stallAfter: 'request', status: 401, error: { message: 'no', code: 'invalid_api_key' } };
  provider.script([refused]);
  const failed = await ask(1);
  assert.match(failed, /\n\ndata: \{"error":\{"message":"[^]*"code":"bad_key"\}\}\n\n$/);
  provider.script([refused]);
  const at = provider.requests.length;
  const stream = await client(key, own).chat.completions.create(question({ stream: true }));
  (await provider.request(at)).resume();
  await assert.rejects(async () => { for await (const chunk of stream) assert.fail(JSON.stringify(chunk)); }, /does not accept the key/);
});

test('a model of a site that is none is not there, also where no site is set up', async (t) => {
  const key = await makeKey();
  provider.script([{ status: 404, error: { code: 'model_not_found', message: 'no' } },
    { kind: 'embeddings', status: 404, error: { code: 'model_not_found', message: 'no' } }]);
  const sentence = /openai has no model nowhere\/m, and there is no model site "nowhere"; there are: openai, offline/;
  await assert.rejects(client(key).chat.completions.create(question({ model: 'nowhere/m' })), { status: 404, code: 'model_not_found', message: sentence });
  await assert.rejects(client(key).embeddings.create({ model: 'nowhere/m', input: 'x' }), { status: 404, message: sentence });
  const falls = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_FALLBACK: 'offline' } });
  t.after(() => falls.stop());
  const fallen = client(await makeKey({}, falls, await falls.register('mei_falls')), falls);
  const unknown = { status: 404, error: { code: 'model_not_found', message: 'no' } };
  provider.script([unknown, unknown]);
  await assert.rejects(fallen.chat.completions.create(question({ model: 'nowhere/m' })), { status: 404, message: sentence });
  assert.equal((await fallen.chat.completions.create(question())).model, 'hutong-offline'); // a fall-back as any
  const alone = await startServer({ env: { HUTONG_LLM_PROBE: 'off' } });
  t.after(() => alone.stop());
  const openai = client(await makeKey({}, alone, await alone.register('mei_alone')), alone);
  const none = { status: 404, code: 'model_not_found', message: /there is no model site "nowhere"; there are: offline/ };
  await assert.rejects(openai.chat.completions.create(question({ model: 'nowhere/m' })), none);
  await assert.rejects(openai.embeddings.create({ model: 'nowhere/m', input: 'x' }), none);
  const reply = await openai.chat.completions.create(question({ model: 'm' }));
  assert.equal(reply.model, 'hutong-offline');
});

test('the offline engine keeps to stop and max_tokens, streamed or not', async () => {
  const openai = client(await makeKey());
  const base = question({ model: 'offline/', seed: 7 });
  const ask = async (more) => {
    const { message, finish_reason: finish } = (await openai.chat.completions.create({ ...base, ...more })).choices[0];
    const stream = await openai.chat.completions.create({ ...base, ...more, stream: true });
    let text = '', end;
    for await (const { choices: [choice] } of stream) {
      text += choice.delta.content ?? '';
      end = choice.finish_reason ?? end;
    }
    assert.deepEqual([text, end], [message.content, finish]);
    return [text, finish];
  };
  const [whole, finish] = await ask({});
  assert.equal(finish, 'stop');
  const words = whole.split(' ');
  assert.ok(words.length > 8, whole);
  assert.deepEqual(await ask({ stop: [words[5], 'nothing of that'] }), [whole.slice(0, whole.indexOf(words[5])), 'stop']);
  assert.deepEqual(await ask({ stop: whole.slice(0, 3) }), ['', 'stop']);
  const [short, cut] = await ask({ max_tokens: 5 });
  assert.equal(cut, 'length');
  assert.ok(short.length > 0 && short.length < whole.length && whole.startsWith(short), short);
  assert.deepEqual(await ask({ max_tokens: 5000 }), [whole, 'stop']);
});

test('names of speakers go where there is a place for them', async () => {
  const key = await makeKey();
  const calls = [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{}' } }];
  const messages = [
    { role: 'system', content: 'talk', name: 'host' }, { role: 'user', content: 'hi', name: '小明' },
    { role: 'assistant', content: null, tool_calls: calls, name: 'bot-1' },
    { role: 'tool', content: 'sunny', tool_call_id: 'c1', name: 'look' }, { role: 'user', content: 'so?', name: null }];
  await client(key).chat.completions.create(question({ messages }));
  assert.deepEqual((await last()).body.messages.map(({ name }) => name), ['host', '小明', 'bot-1', undefined, undefined]);
});

test('what cannot be passed on is refused by name', async () => {
  const key = await makeKey();
  const wrong = {
    n: 2, logprobs: true, top_logprobs: 3, logit_bias: { 5: 1 }, audio: {}, modalities: ['audio'],
    functions: [], function_call: 'auto', prediction: {}, store: true, metadata: { a: 'b' },
    parallel_tool_calls: false, reasoning_effort: 'high', service_tier: 'flex', top_k: 5,
    temperature: 3, top_p: -1, max_tokens: 0, stop: ['a', 'b', 'c', 'd', 'e'], seed: -1,
    response_format: { type: 'xml' }, tools: [{ type: 'web' }], messages: [], model: 7, stream: 'yes',
    verbosity: 'low', web_search_options: {},
  };
  const before = provider.requests.length;
  for (const [name, value] of Object.entries(wrong)) {
    const error = await client(key).chat.completions.create(question({ [name]: value })).then(
      () => assert.fail(`${name} was taken`), (e) => e);
    assert.equal(error.status, 400, name);
    assert.equal(error.param, name);
    assert.equal(error.type, 'invalid_request_error');
    assert.match(error.message, new RegExp(name));
  }
  for (const [member, value] of [['name', 'two words'], ['name', ''], ['name', 7], ['name', 'x'.repeat(65)], ['refuse', 'x']]) {
    const named = await server.api('POST', '/v1/chat/completions', { token: key.key, json: question({ messages: [{ role: 'user', content: 'x', [member]: value }] }) });
    assert.equal(named.status, 400);
    assert.equal(named.body.error.param, `messages[0].${member}`);
  }
  const broken = await server.api('POST', '/v1/chat/completions', { token: key.key, headers: { 'content-type': 'application/json' }, body: '{"model":' });
  assert.equal(broken.status, 400);
  assert.equal(broken.body.error.type, 'invalid_request_error');
  assert.equal(provider.requests.length, before);
});

test('no key, no answer', async () => {
  const bad = [{ key: 'sk-hutong-nobody' }, { key: mei.token }, { key: `sk-hutong-${'A'.repeat(43)}` }];
  for (const key of bad) {
    await assert.rejects(client(key).chat.completions.create(question()), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.code, 'invalid_api_key');
      return true;
    });
  }
  const none = await server.api('POST', '/v1/chat/completions', { json: question() });
  assert.equal(none.status, 401);
  assert.match(none.body.error.message, /POST \/keys/);
});

test('a revoked key opens nothing more, and ends what runs', async () => {
  const key = await makeKey();
  const before = provider.requests.length;
  provider.script([{ deltas: ['a', 'b'], stallAfter: 1 }]);
  const stream = await client(key).chat.completions.create(question({ stream: true }));
  const upstream = await provider.request(before);
  assertOk(await server.api('DELETE', `/keys/${key.id}`, { token: mei.token }), 204);
  await assert.rejects(async () => { for await (const _ of stream) { /* until it ends */ } },
    (error) => /revoked/.test(error.message) && error.code === 'invalid_api_key');
  await provider.until(() => upstream.closedAt);
  const other = await makeKey();
  const at = provider.requests.length;
  provider.script([{ deltas: ['a'], stallAfter: 'request' }]);
  const refused = assert.rejects(client(other).chat.completions.create(question()),
    (error) => error instanceof OpenAI.AuthenticationError && error.code === 'invalid_api_key');
  await provider.request(at);
  assertOk(await server.api('DELETE', `/keys/${other.id}`, { token: mei.token }), 204);
  await refused;
  await assert.rejects(client(key).chat.completions.create(question()), OpenAI.AuthenticationError);
});

test('a key may ask only its models', async () => {
  const key = await makeKey({ models: ['openai/good*'] });
  provider.script([{ deltas: ['yes'] }]);
  const reply = await client(key).chat.completions.create(question({ model: 'openai/good-one' }));
  assert.equal(reply.choices[0].message.content, 'yes');
  await assert.rejects(client(key).chat.completions.create(question()), OpenAI.PermissionDeniedError);
});

test('failures of the provider keep their kind', async () => {
  const key = await makeKey();
  for (const [script, status, code] of [
    [{ status: 401, error: { message: 'bad key' } }, 502, undefined],
    [{ status: 404, error: { message: 'The model does not exist', code: 'model_not_found' } }, 404, 'model_not_found'],
    [{ status: 400, error: { message: 'maximum context length is 5', code: 'context_length_exceeded' } }, 400, 'context_length_exceeded'],
  ]) {
    provider.script([script]);
    const error = await client(key).chat.completions.create(question()).then(() => assert.fail('no error'), (e) => e);
    assert.equal(error.status, status, error.message);
    if (code) assert.equal(error.code, code);
    await makeGood(key);
  }
});

test('a failure has one code, before the first word and after', async () => {
  const key = await makeKey();
  const error = { message: 'slow down', code: 'rate_limit_exceeded' };
  const codeOf = async (script) => {
    await makeGood(key);
    provider.script([script]);
    const at = await client(key).chat.completions.create(question({ stream: true })).then(async (stream) => {
      for await (const _ of stream) { /* until it ends */ }
      return assert.fail('it was told as whole');
    }, (e) => e).catch((e) => e);
    return at.code;
  };
  assert.equal(await codeOf({ deltas: ['a', 'b'], errorAfter: 1, error: { status: 429, ...error } }), 'rate_limit_exceeded');
  assert.equal(await codeOf({ deltas: ['a', 'b'], errorAfter: 1, error: { status: 429, message: 'no', code: 'insufficient_quota' } }), 'insufficient_quota');
});

test('an address of v1 that is none, or takes other methods, says so in the form of v1', async () => {
  const asked = [['GET', '/v1/chat/completions', 405, 'method_not_allowed'], ['POST', '/v1/responses', 404, 'unknown_url'], ['GET', '/v1/nothing', 404, 'unknown_url']];
  for (const [method, to, status, code] of asked) {
    const reply = await server.api(method, to, {});
    assert.equal(reply.status, status);
    assert.match(reply.headers.get('content-type'), /^application\/json/);
    assert.deepEqual([reply.body.error.type, reply.body.error.code, reply.body.error.param], ['invalid_request_error', code, null]);
    assert.equal(reply.headers.get('allow') !== null, status === 405);
  }
  assertProblem(await server.api('GET', '/v2/nothing', {}), 404);
});

test('requests a minute are limited, with what to do about it', async () => {
  const key = await makeKey({ requests_per_minute: 2 });
  provider.script([{ deltas: ['1'] }, { deltas: ['2'] }]);
  for (let i = 0; i < 2; i++) await client(key).chat.completions.create(question());
  await assert.rejects(client(key).chat.completions.create(question()), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.code, 'rate_limit_exceeded');
    const wait = Number(error.headers.get('retry-after'));
    assert.ok(wait >= 1 && wait <= 30, String(wait));
    assert.equal(error.headers.get('ratelimit-limit'), '2');
    return true;
  });
});

test('a budget reserves before the call and settles after it', async () => {
  const key = await makeKey({ tokens_per_day: 1000 });
  await assert.rejects(client(key).chat.completions.create(question({ max_tokens: 2000 })), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.type, 'tokens');
    assert.equal(error.headers.get('x-should-retry'), 'false');
    assert.ok(Number(error.headers.get('retry-after')) > 0);
    return true;
  });
  // One that is under way holds what it may take …
  const before = provider.requests.length;
  provider.script([{ deltas: ['a'], stallAfter: 'request', usage: { input: 10, output: 20 } }, { deltas: ['b'], usage: { input: 400, output: 100 } }]);
  const first = client(key).chat.completions.create(question({ max_tokens: 600 }));
  const upstream = await provider.request(before);
  await assert.rejects(client(key).chat.completions.create(question({ max_tokens: 600 })), OpenAI.RateLimitError);
  upstream.resume();
  assert.equal((await first).usage.total_tokens, 30);
  // … and gives back what it did not.
  assert.equal((await client(key).chat.completions.create(question({ max_tokens: 600 }))).usage.total_tokens, 500);
  await assert.rejects(client(key).chat.completions.create(question({ max_tokens: 600 })), OpenAI.RateLimitError);
});

test('usage is booked by key, day and model, and unknown is not nothing', async () => {
  const key = await makeKey();
  provider.script([
    { deltas: ['a'], usage: { input: 100, output: 10, cached: 40 } },
    { deltas: ['some words without any count'], usage: false },
    { deltas: ['b'], usage: { input: 1, output: 1 } },
  ]);
  for (const model of ['openai/priced', 'openai/priced', 'openai/cheap']) await client(key).chat.completions.create(question({ model }));
  const items = await until(async () => {
    const found = await rows(key);
    return found.reduce((sum, { requests }) => sum + requests, 0) === 3 && found;
  });
  const priced = items.find(({ model }) => model === 'priced');
  const cheap = items.find(({ model }) => model === 'cheap');
  assert.equal(priced.day, new Date().toISOString().slice(0, 10));
  assert.equal(priced.site, 'openai');
  assert.deepEqual([priced.requests, priced.unknown_requests, priced.cached_tokens], [2, 1, 40]);
  assert.ok(priced.estimated_tokens > 5 && priced.input_tokens > 100 && priced.output_tokens > 10);
  assert.equal(priced.input_tokens + priced.output_tokens, 110 + priced.estimated_tokens);
  assert.equal(priced.cost_micro, priced.input_tokens * 2 + priced.output_tokens * 10);
  assert.deepEqual([cheap.input_tokens, cheap.output_tokens, cheap.unknown_requests, cheap.cost_micro], [1, 1, 0, null]);
  const { items: keys } = assertOk(await server.api('GET', '/keys', { token: mei.token }));
  assert.ok(keys.find(({ id }) => id === key.id).last_used_at);
});

test('an aborted stream is booked with what is known of it', async () => {
  const key = await makeKey();
  const before = provider.requests.length;
  provider.script([{ deltas: ['one two three', ' four', ' five'], stallAfter: 2 }]);
  const stream = await client(key).chat.completions.create(question({ stream: true }));
  for await (const { choices } of stream) if (choices[0]?.delta.content === ' four') break;
  const upstream = await provider.request(before);
  await provider.until(() => upstream.closedAt);
  const [row] = await until(async () => { const found = await rows(key); return found.length && found; });
  assert.equal(row.unknown_requests, 1);
  assert.ok(row.output_tokens >= 3, JSON.stringify(row));
});

test('what was given up before it was asked costs nothing', async () => {
  const own = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_AT_ONCE: '1' } });
  const bo = await own.register('bo_waits');
  const [busy, waits] = [await makeKey({}, own, bo), await makeKey({ tokens_per_day: 2000 }, own, bo)];
  const before = provider.requests.length;
  provider.script([{ deltas: ['at last'], stallAfter: 'request' }]);
  const first = client(busy, own).chat.completions.create(question());
  const upstream = await provider.request(before);
  const ask = (signal) => client(waits, own).chat.completions.create(question({ max_tokens: 1500 }), { signal });
  const given = new AbortController();
  const waiting = ask(given.signal).catch((error) => error);
  // While it waits its tokens are reserved, so that another one like it is too much.
  await until(async () => (await ask(AbortSignal.timeout(200)).catch((error) => error)).status === 429);
  given.abort();
  await waiting;
  upstream.resume();
  assert.equal((await first).choices[0].message.content, 'at last');
  provider.script([{ deltas: ['and me'], usage: { input: 5, output: 2 } }]);
  const reply = await until(() => ask().catch(() => undefined)); // its tokens are free again
  assert.equal(reply.choices[0].message.content, 'and me');
  const [row] = await until(async () => { const found = await rows(waits, own, bo); return found.length && found; });
  assert.deepEqual([row.requests, row.input_tokens, row.output_tokens], [1, 5, 2]);
  assert.equal(provider.requests.length, before + 2);
  await own.stop();
});

test('usage and budgets outlive a restart', async () => {
  const env = { HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'k' };
  let own = await startServer({ env });
  const bo = await own.register('bo_gateway');
  const key = await makeKey({ tokens_per_day: 1000 }, own, bo);
  provider.script([{ deltas: ['x'], usage: { input: 500, output: 300 } }]);
  await client(key, own).chat.completions.create(question({ max_tokens: 100 }));
  const { dataDir } = own;
  await own.stop({ keepData: true });
  own = await startServer({ env, dataDir });
  try {
    assert.equal((await rows(key, own, bo))[0].output_tokens, 300);
    await assert.rejects(client(key, own).chat.completions.create(question({ max_tokens: 300 })), OpenAI.RateLimitError);
  } finally {
    await own.stop({ keepData: false });
  }
});

test('with llm-share identical requests share one call; with llm-cache the answer is kept', async () => {
  const own = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'k', HUTONG_LLM_SHARE: 'on', HUTONG_LLM_CACHE: 'on', HUTONG_LOOPS: '1' },
  });
  try {
    const bo = await own.register('bo_share');
    const key = await makeKey({}, own, bo);
    const before = provider.requests.length;
    provider.script([{ deltas: ['one', ' two', ' three'], stallAfter: 2, usage: { input: 9, output: 9 } }]);
    const ask = question({ temperature: 0, stream: true });
    const read = async (stream) => { let text = ''; for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''; return text; };
    const first = read(await client(key, own).chat.completions.create(ask));
    const upstream = await provider.request(before);
    await provider.until(() => upstream.stalled);
    const late = read(await client(key, own).chat.completions.create(ask)); // hears the past as well
    const leaver = await client(key, own).chat.completions.create(ask);
    leaver.controller.abort();
    upstream.resume();
    assert.deepEqual(await Promise.all([first, late]), ['one two three', 'one two three']);
    assert.equal(upstream.closedAt, undefined);
    const kept = await client(key, own).chat.completions.create(question({ temperature: 0 }));
    assert.equal(kept.choices[0].message.content, 'one two three');
    assert.equal(await read(await client(key, own).chat.completions.create(ask)), 'one two three');
    assert.equal(provider.requests.length, before + 1);
    const [row] = await until(async () => {
      const found = await rows(key, own, bo);
      return found[0]?.requests === 5 && found;
    });
    assert.deepEqual([row.shared_requests, row.input_tokens, row.output_tokens], [4, 9, 9]);
    assert.equal(row.cost_micro, null); // no price is set, and four for nothing do not make it 0
    provider.script([{ deltas: ['warm'] }, { deltas: ['warmer'] }]);
    for (const word of ['warm', 'warmer']) {
      const reply = await client(key, own).chat.completions.create(question({ temperature: 0.1 }));
      assert.equal(reply.choices[0].message.content, word);
    }
  } finally {
    await own.stop();
  }
});

test('the offline engine answers programs too', async () => {
  const own = await startServer({ env: { HUTONG_LLM_PROBE: 'off' } });
  try {
    const key = await makeKey({}, own, await own.register('bo_offline'));
    const reply = await client(key, own).chat.completions.create(question({ model: 'offline/' }));
    assert.ok(reply.choices[0].message.content.length > 10);
    assert.equal(reply.model, 'hutong-offline');
  } finally {
    await own.stop();
  }
});

test('embeddings, in either encoding, in batches of what the provider takes', async () => {
  const key = await makeKey();
  const openai = client(key);
  const input = ['北京', 'a lantern', 'a lane'];
  const decoded = await openai.embeddings.create({ model: 'openai/e', input });
  const plain = await openai.embeddings.create({ model: 'openai/e', input, encoding_format: 'float' });
  assert.equal(decoded.data.length, 3);
  for (const [i, { embedding, index }] of plain.data.entries()) {
    assert.equal(index, i);
    assert.ok(embedding.length > 1);
    assert.deepEqual(decoded.data[i].embedding.map(Math.fround), embedding.map(Math.fround));
    assert.deepEqual(embedding.map(Math.fround), [...vectorOf(input[i])].map(Math.fround));
  }
  assert.ok(plain.usage.prompt_tokens > 0);
  const before = provider.requests.length;
  const many = await openai.embeddings.create({ model: 'openai/e', input: Array.from({ length: 600 }, (_, i) => `text ${i}`) });
  assert.deepEqual(many.data[599].embedding.map(Math.fround), [...vectorOf('text 599')].map(Math.fround));
  assert.deepEqual(provider.requests.slice(before).map(({ body }) => body.input.length), [512, 88]);
  const [row] = await until(async () => { const found = await rows(key); return found[0]?.requests === 3 && found; });
  assert.ok(row.input_tokens > 0);
  assert.equal(row.output_tokens, 0);

  for (const wrong of [{ input: [] }, { input: [1, 2] }, { input: '' }, { encoding_format: 'hex' }, { dimensions: 0 }, { input_type: 'x' }]) {
    const [name] = Object.keys(wrong);
    await assert.rejects(openai.embeddings.create({ model: 'openai/e', input: 'x', ...wrong }), { status: 400, param: name });
  }
  await assert.rejects(openai.embeddings.create({ model: 'offline/', input: 'x' }), { status: 400 });
});

test('models are listed, and one is found', async () => {
  const key = await makeKey();
  const { data } = await client(key).models.list();
  const ids = data.map(({ id }) => id);
  assert.ok(ids.includes('offline/hutong-offline'), ids.join());
  const theirs = ids.find((id) => id.startsWith('openai/'));
  assert.ok(theirs, ids.join());
  assert.deepEqual(await client(key).models.retrieve(theirs), { id: theirs, object: 'model', created: 0, owned_by: 'openai' });
  const plain = await server.api('GET', `/v1/models/${theirs}`, { token: key.key });
  assert.equal(assertOk(plain).id, theirs);
  await assert.rejects(client(key).models.retrieve('openai/none'), OpenAI.NotFoundError);
  const few = await client(await makeKey({ models: ['offline/*'] })).models.list();
  assert.deepEqual(few.data.map(({ id }) => id), ['offline/hutong-offline']);
});

test('a site that hangs holds up the lists once, shortly, and is in them when it has answered', async (t) => {
  const other = await startProvider();
  const own = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_SITES: `slow=${other.base('openai')}`, HUTONG_LOOPS: '1' },
  });
  t.after(() => Promise.all([own.stop(), other.stop()]));
  const me = await own.register('lists');
  other.script([{ kind: 'models', models: ['late'], stallAfter: 'headers' }]);
  const list = async () => {
    const began = performance.now();
    const { items } = assertOk(await own.api('GET', '/chat/models', { token: me.token }));
    return { took: performance.now() - began, sites: new Set(items.map(({ site }) => site)) };
  };
  for (const { took, sites } of await Promise.all([list(), list()])) {
    assert.ok(took < 8000, `${took} ms`); // asking takes ten seconds to give up
    assert.deepEqual(sites, new Set(['openai', 'offline']));
  }
  const next = await list();
  assert.ok(next.took < 2000, `${next.took} ms`);
  const asked = await other.request(0);
  assert.equal(other.requests.length, 1);
  asked.resume();
  await until(async () => (await list()).sites.has('slow'));
  assert.equal(other.requests.length, 1, 'once a minute at most');
});

test('other routes take no such key, and v1 no sign-in', async () => {
  const key = await makeKey();
  assertProblem(await server.api('GET', '/auth/me', { token: key.key }), 401);
});

test('who has waited too long for a place is answered by the next site', async (t) => {
  const other = await startProvider();
  const own = await startServer({
    env: {
      HUTONG_OPENAI_BASE: provider.base('openai'),
      HUTONG_LLM_SITES: `lab=${other.base('openai')}`,
      HUTONG_LLM_FALLBACK: 'lab/m',
      HUTONG_LLM_AT_ONCE: '1',
      HUTONG_LLM_QUEUE_TIMEOUT: '1',
    },
  });
  t.after(async () => {
    await own.stop();
    await other.stop();
  });
  const who = await own.register('mei_patience');
  const key = await makeKey({}, own, who);
  const asked = provider.requests.length;
  provider.script([{ deltas: ['late'], stallAfter: 'request' }]);
  other.script([{ deltas: ['here'] }]);
  const first = client(key, own).chat.completions.create(question());
  const held = await provider.request(asked);
  const second = await client(key, own).chat.completions.create(question());
  assert.equal(second.choices[0].message.content, 'here');
  held.resume();
  assert.equal((await first).choices[0].message.content, 'late');
});
