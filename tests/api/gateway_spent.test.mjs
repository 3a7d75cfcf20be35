// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Programs and what goes wrong between us and a provider: what is booked, what counts as whole, keys.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';

import OpenAI from 'openai';

import { assertOk } from '../support/checks.mjs';
import { newFolder } from '../support/command.mjs';
import { parseMetrics, valueOf } from '../support/metrics.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until as askUntil } from '../support/watch.mjs';

const until = (ask) => askUntil(ask, Boolean);

let provider, server, mei;
before(async () => {
  provider = await startProvider();
  server = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'sk-upstream' } });
  mei = await server.register('mei_spent');
});
after(async () => {
  await server.stop();
  await provider.stop();
});

async function makeKey(limits = {}, to = server, who = mei) {
  return assertOk(await to.api('POST', '/keys', { token: who.token, json: { name: 'test', ...limits } }), 201);
}
const client = (key, to = server) => new OpenAI({ apiKey: key.key, baseURL: `${to.url}/v1`, maxRetries: 0 });
const question = (more = {}) => ({ model: 'openai/m', messages: [{ role: 'user', content: 'hello' }], ...more });
const last = () => provider.request(provider.requests.length - 1);
async function rows(key) {
  const { items } = assertOk(await server.api('GET', '/usage', { token: mei.token }));
  return items.filter(({ key_id }) => key_id === key.id);
}

test('what a provider counted is booked whatever came of it, also of attempts that came to nothing', async () => {
  const key = await makeKey();
  const ask = (more) => client(key).chat.completions.create(question(more));
  const used = async (want) => until(async () => {
    const [row] = await rows(key);
    return row?.input_tokens === want[0] && row.output_tokens === want[1];
  });
  // Thoughts and not a word: no answer, but they were made.
  provider.script([{ reasoning: ['hm'], deltas: [], finish: 'stop', usage: { input: 1000, output: 5000 } }]);
  await assert.rejects(ask());
  await used([1000, 5000]);
  // Nothing at all, twice, then an answer: three were paid for.
  provider.script([
    { deltas: [], usage: { input: 10, output: 1 } },
    { deltas: [], usage: { input: 10, output: 2 } },
    { deltas: ['fine'], usage: { input: 10, output: 3 } },
  ]);
  const reply = await ask();
  assert.deepEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens], [30, 6]);
  await used([1030, 5006]);
});

test('what attempts took at a site that was given up has the price of that site', async (t) => {
  const [dear, cheap] = [await startProvider(), await startProvider()];
  const file = path.join(await newFolder(t), 'answers');
  const env = {
    HUTONG_LLM_SITES: `dear=${dear.base('openai')},cheap=${cheap.base('openai')}`, HUTONG_LLM_MODEL: 'dear/m',
    HUTONG_LLM_FALLBACK: 'cheap/n', HUTONG_LLM_PRICES: 'dear/*=100/1000,cheap/*=1/10',
  };
  const servers = [];
  t.after(() => Promise.all([...servers, dear, cheap].map((one) => one.stop())));
  const costs = async (more) => {
    const two = await startServer({ env: { ...env, ...more } });
    servers.push(two);
    const who = await two.register('two_prices');
    const reply = await client(await makeKey({}, two, who), two).chat.completions.create(question({ model: 'dear/m' }));
    assert.deepEqual([reply.usage.prompt_tokens, reply.usage.completion_tokens], [20, 5]);
    const found = await until(async () => {
      const { items } = assertOk(await two.api('GET', '/usage', { token: who.token }));
      return items.length === 2 && items;
    });
    return Object.fromEntries(found.map((row) => [`${row.site}/${row.model}`, [row.requests, row.input_tokens, row.output_tokens, row.cost_micro]]));
  };
  dear.always({ deltas: [], usage: { input: 10, output: 1 } }); // nothing, some times
  cheap.always({ deltas: ['fine'], usage: { input: 20, output: 5 } });
  const booked = await costs({ HUTONG_LLM_RECORD: file });
  const tried = dear.requests.length;
  assert.ok(tried > 0);
  assert.deepEqual(booked, { 'dear/m': [1, 10 * tried, tried, 2000 * tried], 'cheap/n': [1, 20, 5, 70] });
  const metrics = parseMetrics((await servers[0].api('GET', '/metrics')).text);
  for (const [site, input] of [['dear', 10 * tried], ['cheap', 20]]) {
    assert.equal(valueOf(metrics, 'hutong_llm_tokens_total', { site, direction: 'input' }), input);
  }
  assert.deepEqual(await costs({ HUTONG_LLM_REPLAY: file }), booked);
  assert.deepEqual([dear.requests.length, cheap.requests.length], [tried, 1]);
});

test('a budget stops a program whose answers are all empty', async () => {
  const key = await makeKey({ tokens_per_day: 2000 });
  const empty = { reasoning: ['hm'], deltas: [], finish: 'stop', usage: { input: 1000, output: 5000 } };
  provider.script([empty]);
  await assert.rejects(client(key).chat.completions.create(question({ max_tokens: 50 })));
  await until(async () => (await rows(key)).length > 0);
  const before = provider.requests.length;
  await assert.rejects(client(key).chat.completions.create(question({ max_tokens: 50 })), { status: 429 });
  assert.equal(provider.requests.length, before);
});

test('nought from a server that does not count is not believed', async () => {
  const key = await makeKey();
  provider.script([{ deltas: ['hello there my friends'], usage: { input: 0, output: 0 } }]);
  const reply = await client(key).chat.completions.create(question());
  assert.ok(reply.usage.prompt_tokens > 0 && reply.usage.completion_tokens > 0);
  assert.equal(reply.usage.estimated, true);
});

test('where nobody counts, tools, schemas and pictures are in the estimate, and budgets hold', async () => {
  const key = await makeKey({ tokens_per_day: 30_000 });
  provider.always({ deltas: ['fine'], usage: false });
  const tools = [{ type: 'function', function: { name: 'do', description: 'word '.repeat(8000), parameters: {} } }];
  const ask = (more) => client(key).chat.completions.create(question({ max_tokens: 10, ...more }));
  const first = await ask({ tools });
  assert.ok(first.usage.prompt_tokens > 4000, `${first.usage.prompt_tokens}`);
  const seen = await ask({ messages: [{ role: 'user', content: [{ type: 'text', text: 'What?' }, { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }] });
  assert.ok(seen.usage.prompt_tokens >= 1000, `${seen.usage.prompt_tokens}`);
  let passed = 0;
  await assert.rejects(async () => {
    for (; passed < 12; passed += 1) await ask({ tools });
  }, { status: 429 });
  assert.ok(passed < 8, `${passed} more`);
  provider.always({ deltas: ['fine'] });
});

test('a price is of the model that was asked for, whatever it calls itself', async (t) => {
  const env = { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_PRICES: 'gpt-4o=2.5/10' };
  const two = await startServer({ env });
  t.after(() => two.stop());
  const who = await two.register('dated');
  provider.script([{ deltas: ['fine'], model: 'gpt-4o-2024-08-06', usage: { input: 1000, output: 100 } }]);
  const reply = await client(await makeKey({}, two, who), two).chat.completions.create(question({ model: 'openai/gpt-4o' }));
  assert.match(reply.model, /gpt-4o-2024-08-06$/);
  const [row] = await until(async () => {
    const { items } = assertOk(await two.api('GET', '/usage', { token: who.token }));
    return items.length > 0 && items;
  });
  assert.deepEqual([row.model, row.cost_micro, row.unpriced_requests], ['gpt-4o', 3500, 0]);
});

test('who was too slow for us is booked, by estimate', async (t) => {
  const two = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_FIRST_TIMEOUT: '1' } });
  t.after(() => two.stop());
  const who = await two.register('slow_one');
  provider.script([{ deltas: ['late'], stallAfter: 'headers' }]);
  await assert.rejects(client(await makeKey({}, two, who), two).chat.completions.create(
    question({ stream: true, messages: [{ role: 'user', content: 'word '.repeat(1000) }] })), { status: 504 });
  const [row] = await until(async () => {
    const { items } = assertOk(await two.api('GET', '/usage', { token: who.token }));
    return items.length > 0 && items;
  });
  assert.equal(row.requests, 1);
  assert.ok(row.input_tokens > 500 && row.estimated_tokens >= row.input_tokens, JSON.stringify(row));
});

test('who was too slow and had counted already is booked once, as counted', async (t) => {
  const two = await startServer({ env: { HUTONG_ANTHROPIC_BASE: provider.base('anthropic'), ANTHROPIC_API_KEY: 'sk-a', HUTONG_LLM_MODEL: 'anthropic/m', HUTONG_LLM_FIRST_TIMEOUT: '1' } });
  t.after(() => two.stop());
  const who = await two.register('slow_counter');
  const begun = { type: 'message_start', message: { id: 'x', type: 'message', role: 'assistant', model: 'm', content: [], usage: { input_tokens: 1234, output_tokens: 1 } } };
  provider.script([{ deltas: ['late'], rawAfter: [0, `event: message_start\ndata: ${JSON.stringify(begun)}\n\n`], stallAfter: 0 }]);
  await assert.rejects(client(await makeKey({}, two, who), two).chat.completions.create(question({ model: 'anthropic/m', stream: true })));
  const [row] = await until(async () => {
    const { items } = assertOk(await two.api('GET', '/usage', { token: who.token }));
    return items.length > 0 && items;
  });
  assert.equal(row.input_tokens, 1234);
});

test('a question that is given up before its answer begins is booked under the model that was asked', async (t) => {
  const two = await startServer({ env: {
    HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_SHARE: 'on', HUTONG_LLM_PRICES: 'openai/m=1000/1000' } });
  t.after(() => two.stop());
  const who = await two.register('impatient');
  const keys = [await makeKey({}, two, who), await makeKey({}, two, who)];
  const begin = (key) => {
    const abort = new AbortController();
    const reply = client(key, two).chat.completions.create(question(), { signal: abort.signal }).catch(() => {});
    return () => { abort.abort(); return reply; };
  };
  const before = provider.requests.length;
  provider.script([{ deltas: ['never'], stallAfter: 'request' }]);
  const leaveFirst = begin(keys[0]);
  const upstream = await provider.request(before);
  const leaveSecond = begin(keys[1]);
  await until(async () => valueOf(parseMetrics((await two.api('GET', '/metrics')).text),
    'hutong_gateway_answers_total', { from: 'shared' }) === 1);
  await leaveSecond();
  const booked = (count) => until(async () => {
    const { items } = assertOk(await two.api('GET', '/usage', { token: who.token }));
    return items.length === count && items;
  });
  await booked(1);
  await leaveFirst();
  await provider.until(() => upstream.closedAt);
  const rows = await booked(2);
  assert.deepEqual(rows.map((row) => [row.site, row.model, row.requests]), [['openai', 'm', 1], ['openai', 'm', 1]]);
  const [paid, shared] = keys.map(({ id }) => rows.find(({ key_id }) => key_id === id));
  assert.ok(paid.estimated_tokens > 0 && paid.cost_micro > 0, JSON.stringify(paid));
  assert.equal(shared.cost_micro, 0);
});

test('embeddings that a later batch spoils are booked as far as they came', async () => {
  const key = await makeKey();
  provider.script([{ kind: 'embeddings' }, { kind: 'embeddings', status: 401, error: { message: 'bad' } }]);
  await assert.rejects(client(key).embeddings.create({ model: 'openai/e', input: Array.from({ length: 600 }, (_, i) => `text ${i}`) }));
  const [row] = await until(async () => {
    const found = await rows(key);
    return found.length > 0 && found;
  });
  assert.ok(row.input_tokens > 0 && row.unknown_requests === 0, JSON.stringify(row));
});

test('an answer that was stopped is recorded as far as it came, and keeps its place', async (t) => {
  const file = path.join(await newFolder(t), 'answers');
  const env = { HUTONG_OPENAI_BASE: provider.base('openai') };
  const said = [];
  for (const kind of ['HUTONG_LLM_RECORD', 'HUTONG_LLM_REPLAY']) {
    const two = await startServer({ env: { ...env, [kind]: file } });
    const open = client(await makeKey({}, two, await two.register('stopper')), two);
    provider.script(kind === 'HUTONG_LLM_RECORD' ? [{ deltas: ['half', 'never'], stallAfter: 1 }, { deltas: ['whole'] }] : []);
    const stopped = [];
    try {
      for await (const { choices: [choice] } of await open.chat.completions.create(question({ stream: true }))) {
        stopped.push(choice?.delta?.content ?? '');
        if (stopped.join('') === 'half' && kind === 'HUTONG_LLM_RECORD') break; // the connection closes
      }
    } catch {
      // cut off, as it is told in a replay
    }
    if (kind === 'HUTONG_LLM_RECORD') await provider.until(() => provider.requests.at(-1).closedAt);
    const whole = await open.chat.completions.create(question({ stream: true }));
    let text = '';
    for await (const { choices: [choice] } of whole) text += choice?.delta?.content ?? '';
    said.push([stopped.join(''), text]);
    await two.stop();
  }
  assert.deepEqual(said, [['half', 'whole'], ['half', 'whole']]);
});

test('an answer that stands in for another is not kept', async (t) => {
  const two = await startServer({ env: {
    HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_CACHE: 'on', HUTONG_LLM_FALLBACK: 'offline' } });
  t.after(() => two.stop());
  const key = await makeKey({}, two, await two.register('kept_by'));
  const ask = async () => (await client(key, two).chat.completions.create(question({ temperature: 0 }))).model;
  provider.script(Array.from({ length: 3 }, () => ({ status: 503, error: { message: 'down' } })));
  assert.match(await ask(), /offline/);
  provider.always({ deltas: ['here again'] });
  assert.doesNotMatch(await ask(), /offline/);
});

test('an answer that ends for a reason of its own is not told as whole', async () => {
  const key = await makeKey();
  for (const [finish, told] of [['model_length', 'length'], ['EOS', 'stop']]) {
    provider.script([{ deltas: ['half an'], finish }]);
    const reply = await client(key).chat.completions.create(question());
    assert.equal(reply.choices[0].finish_reason, told, finish);
  }
});

test('what parse() gives can be sent back', async () => {
  const key = await makeKey();
  const messages = [
    { role: 'user', content: 'hi' },
    { role: 'assistant', content: '{"a":1}', parsed: { a: 1 }, refusal: null },
    { role: 'user', content: 'more' },
  ];
  provider.script([{ deltas: ['fine'] }]);
  await client(key).chat.completions.create(question({ messages }));
  assert.equal((await last()).body.messages[1].parsed, undefined);
});

test('what a model thought before a tool call goes back to it, unless it refuses that', async () => {
  const key = await makeKey();
  const calls = { tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }] };
  const result = { role: 'tool', tool_call_id: 'a', content: '42' };
  const ask = (model, more) => client(key).chat.completions.create(question({
    model, tools: [{ type: 'function', function: { name: 'f' } }],
    messages: [{ role: 'user', content: 'q' }, { role: 'assistant', content: null, ...calls, ...more }, result,
      { role: 'assistant', content: 'It is 42.', reasoning_content: 'easy' }, { role: 'user', content: 'sure?' }],
  }));
  const sent = async () => (await last()).body.messages.map(({ reasoning_content }) => reasoning_content);
  const hm = { reasoning_content: 'hm' };
  const refuse = (message) => ({ status: 400, error: { message, code: 'invalid_request_error' } });
  const fine = { deltas: ['fine'] };
  provider.script([fine, fine, fine]);
  await ask('openai/m', hm);
  assert.deepEqual(await sent(), [undefined, 'hm', undefined, undefined, undefined]);
  await ask('openai/m', { reasoning: 'hm' });
  assert.equal((await sent())[1], 'hm');
  await ask('openai/m', {});
  assert.equal((await sent())[1], undefined);

  provider.script([refuse("'messages.1': property 'reasoning_content' is unsupported"), fine]);
  await ask('openai/strict', hm);
  assert.equal((await sent())[1], undefined);
  provider.script([refuse('The `reasoning_content` in the thinking mode must be passed back to the API.'), fine]);
  await ask('openai/wants', {});
  assert.equal((await sent())[1], '');
});

test('several keys: a storm of 429 is waited out, and refused keys are told as such', async () => {
  const site = await startProvider();
  const two = await startServer({
    env: { HUTONG_OPENAI_BASE: site.base('openai'), OPENAI_API_KEY: 'sk-one,sk-two' },
  });
  const who = await two.register('two_keys');
  const key = await makeKey({}, two, who);
  const ask = () => client(key, two).chat.completions.create(question());
  site.always({ status: 429, error: { code: 'rate_limit_exceeded', message: 'slow down' } });
  await assert.rejects(ask(), { status: 429 });
  const seen = site.requests.length;
  assert.ok(seen >= 2 && seen <= 4, `${seen} requests`);
  site.always({ status: 401, error: { code: 'invalid_api_key', message: 'no' } });
  await until(async () => {
    const error = await ask().catch((e) => e);
    return error.status === 502 && /does not accept the key/.test(error.message);
  });
  // Again, and it is still the key; and when it is accepted again, there is an answer.
  await assert.rejects(ask(), /does not accept the key/);
  site.always({ deltas: ['fine'] });
  assert.equal((await ask()).choices[0].message.content, 'fine');
  await two.stop();
  await site.stop();
});

test('a key that may not list models may still be good for questions', async (t) => {
  const site = await startProvider();
  const two = await startServer({ env: { HUTONG_OPENAI_BASE: site.base('openai'), OPENAI_API_KEY: 'sk-dead,sk-chats,sk-all' } });
  t.after(() => Promise.all([two.stop(), site.stop()]));
  const open = client(await makeKey({}, two, await two.register('three_keys')), two);
  const no = (status) => ({ status, error: { message: 'no' } });
  site.always(({ key, kind }) => {
    if (key === 'sk-dead') return no(401);
    return kind === 'models' && key === 'sk-chats' ? no(403) : { models: ['m'], deltas: ['fine'] };
  });
  const { data } = await open.models.list();
  assert.ok(data.some(({ id }) => id === 'openai/m'), JSON.stringify(data));
  const used = async () => {
    await open.chat.completions.create(question());
    return site.requests.at(-1).key;
  };
  assert.deepEqual([await used(), await used()].sort(), ['sk-all', 'sk-chats']);
  assert.equal(site.requests.filter(({ key }) => key === 'sk-dead').length, 1);
});

test('the offline engine refuses what only a model can do', async () => {
  const alone = await startServer({ env: { HUTONG_LLM_PROBE: 'off' } });
  const who = await alone.register('alone');
  const key = await makeKey({}, alone, who);
  const ask = (more) => client(key, alone).chat.completions.create({ model: 'offline', messages: [{ role: 'user', content: 'hi' }], ...more });
  await assert.rejects(ask({ response_format: { type: 'json_object' } }), { status: 400 });
  await assert.rejects(ask({ response_format: { type: 'json_object' } }), /plain text only/);
  assert.ok((await ask()).choices[0].message.content.length > 0);
  await alone.stop();
});
