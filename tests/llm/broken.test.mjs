// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The n-th read from a provider fails, for every n until an answer is untouched: after each write
// and in the middle of each, by reset and by an early end, streamed and whole, for every provider.
// And a storm of them at once. What was told is a beginning of what was said; nobody hears a word
// twice or another's; `complete` is said of whole answers only.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Chat } from '../support/chat.mjs';
import { assertOk } from '../support/checks.mjs';
import { PROVIDERS, startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const SITES = (p) => ({
  HUTONG_OPENAI_BASE: p.base('openai'), OPENAI_API_KEY: 'k',
  AZURE_OPENAI_ENDPOINT: p.base('azure'), AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_VERSION: '2024-10-21',
  HUTONG_GOOGLE_BASE: p.base('google'), GOOGLE_API_KEY: 'k',
  ANTHROPIC_BASE_URL: p.base('anthropic'), ANTHROPIC_API_KEY: 'k',
  OLLAMA_HOST: p.base('ollama'),
  DASHSCOPE_BASE_URL: p.base('dashscope'), DASHSCOPE_API_KEY: 'k',
});

let provider;
let server;
let key;
before(async () => {
  provider = await startProvider();
  server = await startServer({ env: { ...SITES(provider), HUTONG_LLM_MODEL: 'openai/m', HUTONG_CHAT_OPEN: 'on' } });
  const { token } = await server.register('mei_broken');
  key = assertOk(await server.api('POST', '/keys', { token, json: { name: 'k' } }), 201).key;
});
after(async () => {
  await server.stop();
  await provider.stop();
});

// One answer through the gateway: its pieces, and how it ended.
async function ask(site, content, stream) {
  const json = { model: `${site}/m`, stream, messages: [{ role: 'user', content }] };
  const reply = await server.api('POST', '/v1/chat/completions', { token: key, json });
  if (reply.status !== 200) {
    assert.ok(reply.body.error.message, reply.text);
    return { end: 'failed', text: '', reasoning: '' };
  }
  if (!stream) {
    const { message } = reply.body.choices[0];
    return { end: 'complete', text: message.content, reasoning: message.reasoning_content ?? '' };
  }
  const blocks = reply.text.split('\n\n');
  assert.equal(blocks.pop(), '', 'a reply ends with a whole event');
  const done = blocks.at(-1) === 'data: [DONE]';
  const events = (done ? blocks.slice(0, -1) : blocks).map((block) => JSON.parse(block.replace(/^data: /, '')));
  const join = (member) => events.map(({ choices }) => choices?.[0]?.delta[member] ?? '').join('');
  const reasons = events.map(({ choices }) => choices?.[0]?.finish_reason).filter(Boolean);
  const errors = events.filter(({ error }) => error);
  // Exactly one end: a reason and [DONE], or an error; and it is the last.
  assert.equal(reasons.length + errors.length, 1, reply.text);
  assert.equal(done, reasons.length === 1, reply.text);
  assert.ok(done ? events.at(-1).choices?.[0].finish_reason : events.at(-1).error, reply.text);
  return { end: done ? 'complete' : 'cut', text: join('content'), reasoning: join('reasoning_content') };
}

const SAID = ['你好', ', 世界', ' 🌏', '!'];
const THOUGHT = ['想', '一想'];

// What says that the model came to its end, in each provider's notation.
const FINISH = /"finish_reason":"stop"|"finishReason":"STOP"|"stop_reason":"end_turn"|"done":true/;

async function everyReadFails(site, stream) {
  const script = { provider: site, deltas: SAID, reasoning: THOUGHT };
  const good = async () => {
    provider.script([{ ...script, deltas: ['fine'] }]);
    assert.deepEqual(await ask(site, 'good', stream), { end: 'complete', text: 'fine', reasoning: THOUGHT.join('') });
  };
  for (let i = 0; i < 3; i++) await good(); // more than half may not fail, or the circuit opens
  let retried = 0;
  let cuts = 0;
  for (let n = 0; ; n++) {
    const name = `${stream}-${n}.`;
    const how = n % 4 < 2 ? 'reset' : 'end';
    const from = provider.requests.length;
    provider.script([{ ...script, cut: { writes: n >> 1, half: n % 2 === 1, how } }]);
    const { end, text, reasoning } = await ask(site, name, stream);
    const mine = provider.requests.slice(from).filter((asked) => asked.provider === site && asked.text.includes(name));
    const label = `${site} ${name} ${how}: ${end} "${reasoning}" "${text}" after ${mine.length} requests`;
    const all = text === SAID.join('') && reasoning === THOUGHT.join('');
    assert.ok(SAID.join('').startsWith(text) && THOUGHT.join('').startsWith(reasoning), label);
    const sawEnd = stream ? FINISH.test(mine[0].sent) : !mine[0].cut;
    if (mine.length > 1) { // tried again: so nothing of the first had been told
      retried++;
      assert.ok(end === 'complete' && all && !sawEnd, label);
    } else if (end === 'complete') {
      assert.ok(all && sawEnd, label);
    } else {
      cuts++;
      assert.ok(end === 'cut' && (text || reasoning), label);
    }
    if (!mine[0].cut) break; // untouched
    await good(); // and the site, its connections and the next to ask are well
  }
  assert.ok(retried >= 2, `${site}: ${retried} were cut before their first piece`);
  assert.ok(!stream || cuts >= 5, `${site}: ${cuts} were cut between pieces`);
}

describe('the n-th read fails', { concurrency: true }, () => {
  before(() => provider.always({ deltas: SAID, reasoning: THOUGHT }));
  for (const site of PROVIDERS) {
    test(site, async () => {
      await everyReadFails(site, true);
      await everyReadFails(site, false);
    });
  }
});

// A stream of numbers with the name of who asked in each.
const words = (name, count) => Array.from({ length: count }, (_, i) => `<${name}:${i}>`);

test('a storm of answers with resets, ends and errors: no word lost, twice, or another\'s', async () => {
  const STREAMS = 90;
  const COUNT = 40;
  let seed = 7;
  const random = (below) => { // the same faults in every run
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor(seed / 65536) % below;
  };
  const faults = Array.from({ length: STREAMS }, () => [{}, {}, { resetAfter: random(COUNT) + 1 },
    { endAfter: random(COUNT) + 1 }, { errorAfter: random(COUNT) + 1 }, { split: random(40) + 1 }, {}][random(7)]);
  const nameOf = (asked) => Number(/storm-(\d+)-/.exec(asked.text)?.[1]);
  provider.always((asked) => {
    const i = nameOf(asked);
    return { deltas: words(i, COUNT), everyMs: i % 3 ? 0 : 1, ...faults[i] };
  });
  const judge = (i, { end, text }) => {
    const all = words(i, COUNT).join('');
    assert.ok(all.startsWith(text), `${i}: ${text.slice(-60)}`);
    if (end === 'complete') assert.equal(text, all);
    if (end === 'failed') assert.equal(text, ''); // the site's circuit may have opened
    return end;
  };
  const browser = async (i, site) => {
    const chat = await Chat.open(server, { typed: true });
    chat.say({ type: 'ask', text: `storm-${i}-`, model: `${site}/m` });
    const frames = await chat.until('done', 'error');
    await chat.close();
    assert.equal(frames.filter(({ type }) => type === 'done' || type === 'error').length, 1);
    const text = frames.filter(({ type }) => type === 'delta').map((frame) => frame.text).join('');
    const last = frames.at(-1);
    return { end: last.type === 'error' ? 'failed' : last.end === 'complete' ? 'complete' : 'cut', text };
  };
  const ends = await Promise.all(faults.map(async (_, i) => {
    const site = PROVIDERS[i % PROVIDERS.length];
    return judge(i, await (i % 2 ? browser(i, site) : ask(site, `storm-${i}-`, i % 4 === 0)));
  }));
  const count = (what) => ends.filter((end) => end === what).length;
  assert.ok(count('complete') >= STREAMS / 3, JSON.stringify(ends));
  assert.ok(count('cut') >= 5, JSON.stringify(ends));
});
