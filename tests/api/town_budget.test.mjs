// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What models may cost the town in a day: when it is used up nobody asks any more, the clock goes
// on, whoever looks is told, and a restart gives nothing back.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { towns, townEnv, withModel } from '../support/town.mjs';
import { metric, until } from '../support/watch.mjs';

const { kept, startTown } = towns();

const DECISION = /decide what they do next/;
const usage = { input: 1000, output: 100 };
const decides = ({ text }) => ({
  deltas: [DECISION.test(text) ? '{"action_index":1,"reason":"because"}' : 'A fine evening.'], usage,
});

const asksMuch = (provider, more) => withModel(provider, {
  HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '200', HUTONG_TOWN_SPEED: '6000', ...more,
});

const aDayMore = async (server) => {
  const { minute } = await server.town();
  await until(server.town, (town) => town.minute > minute + 1440, { ms: 90_000, what: 'a day more' });
};

const folder = () => mkdtemp(path.join(tmpdir(), 'hutong-budget-'));

// 1,000 tokens at 1000 and 100 at 2000 a million: 1.2 a call.
test('money_that_is_used_up_ends_all_asking_the_clock_goes_on_and_a_restart_gives_nothing_back', async () => {
  const provider = kept(await startProvider());
  provider.always(decides);
  const dataDir = await folder();
  const env = asksMuch(provider, { HUTONG_LLM_PRICES: 'openai/test-*=1000/2000', HUTONG_TOWN_MODEL_MONEY: '6' });
  try {
    const server = await startTown({ env, dataDir });
    assert.deepEqual((await server.town()).models, { asked: true, spent: null });
    await until(() => metric(server, 'hutong_town_budget_spent'), (spent) => spent === 1, { ms: 60_000, what: 'all spent' });
    await until(async () => provider.open, (open) => open === 0, { what: 'what was under way is over' });
    const asked = provider.requests.length;
    assert.ok(asked >= 1 && asked <= 5, `${asked} calls of 1.2 are within a budget of 6`);
    await aDayMore(server);
    assert.equal(provider.requests.length, asked);
    assert.deepEqual((await server.town()).models, { asked: false, spent: "the day's money is used up" });
    const spent = await metric(server, 'hutong_town_money_today');
    assert.ok(Math.abs(spent - asked * 1.2) < 1e-6, `${asked} calls cost ${spent}`);
    assert.equal(await metric(server, 'hutong_town_money_a_day'), 6);
    // The step that had the answers had what they cost.
    const [row] = await server.sql('SELECT cost_micro FROM town_spending');
    assert.equal(row.cost_micro, Math.round(spent * 1e6));
    await server.kill();

    const again = await startTown({ env, dataDir, args: [] });
    await until(() => metric(again, 'hutong_town_budget_spent'), (is) => is === 1, { what: 'spent still' });
    await aDayMore(again);
    assert.equal(provider.requests.length, asked);
    await again.stop();
  } finally {
    await rm(dataDir, { recursive: true });
  }
  await provider.stop();
});

test('tokens_that_are_used_up_leave_words_to_the_model_and_a_restart_gives_nothing_back', async () => {
  const provider = kept(await startProvider());
  // The first is no decision, so it is asked twice: both rounds count.
  provider.script([{ deltas: ['Hm.'], usage }]);
  provider.always(decides);
  const dataDir = await folder();
  const env = asksMuch(provider, { HUTONG_TOWN_MODEL_TOKENS: '5000' });
  const minds = () => provider.requests.filter(({ text }) => /decide what they do next|what residents of a small town say/.test(text)).length;
  try {
    const server = await startTown({ env, dataDir });
    await until(() => metric(server, 'hutong_town_budget_spent'), (spent) => spent === 1, { ms: 60_000, what: 'all spent' });
    const asked = await until(async () => [minds(), await metric(server, 'hutong_town_tokens_today')],
      ([count, tokens]) => tokens === count * 1100, { what: 'every round is counted' });
    assert.ok(asked[1] <= 5000, `${asked[1]} tokens are within a budget of 5000`);
    // Words are none of that budget's: a member is answered by the model.
    const [{ id }] = (await server.town()).residents;
    await server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content: '你好' } });
    await until(() => server.get(`/messages/history/${id}`), ({ items }) => items.some(({ content }) => content === 'A fine evening.'), { ms: 60_000, what: 'words from the model' });
    assert.equal(minds(), asked[0]);
    assert.equal((await server.town()).models.spent, "the day's tokens are used up");
    await server.stop();
    const again = await startTown({ env, dataDir, args: [] });
    await aDayMore(again);
    assert.equal(minds(), asked[0]);
    await again.stop();
  } finally {
    await rm(dataDir, { recursive: true });
  }
  await provider.stop();
});

const REFUSED = [
  [{ HUTONG_LLM_PRICES: 'gpt-*=1/2' }, /there is no price for openai\/test-model.*llm-prices/s],
  [{ HUTONG_LLM_PRICES: 'openai/*=1/2', HUTONG_LLM_SITES: 'lab=http://127.0.0.1:9/v1', HUTONG_LLM_FALLBACK: 'lab/big' }, /there is no price for lab\/big/],
  [{ HUTONG_LLM_PRICES: '*=1/2', HUTONG_TOWN_MODEL_MONEY: 'lots' }, /"lots" is no amount/],
  [{ HUTONG_LLM_PRICES: '*=1/2', HUTONG_TOWN_MODEL_MONEY: '-1' }, /"-1" is no amount/],
];

test('a_budget_that_could_not_be_counted_is_refused_at_start', async () => {
  const provider = kept(await startProvider());
  for (const [more, sentence] of REFUSED) {
    const env = townEnv(asksMuch(provider, { HUTONG_TOWN_MODEL_MONEY: '2.5', ...more }));
    await assert.rejects(startServer({ args: ['--demo'], env }), sentence);
  }
  assert.equal(provider.requests.length, 0);
  await provider.stop();
});

// Its own name is in no setting, so there is no price for it before it is known.
test('a_model_that_turns_up_without_a_price_ends_the_asking', async () => {
  const provider = kept(await startProvider());
  provider.always(decides);
  const server = await startTown({
    env: asksMuch(provider, { HUTONG_LLM_SITES: `lab=${provider.base('openai')}`, HUTONG_LLM_MODEL: 'lab', HUTONG_LLM_PRICES: 'lab/=0/0', HUTONG_TOWN_MODEL_MONEY: '1000' }),
  });
  const { models } = await until(server.town, (town) => town.models.spent, { ms: 60_000, what: 'it was seen' });
  assert.match(models.spent, /no price/);
  assert.equal(models.asked, false);
  await until(async () => provider.open, (open) => open === 0);
  const asked = provider.requests.length;
  await aDayMore(server);
  assert.equal(provider.requests.length, asked);
  await server.stop();
  await provider.stop();
});

// Decisions and conversations are not asked for here, so that nothing else is ever counted.
test('words_that_were_cut_short_because_who_would_say_them_moved_out_are_counted', async () => {
  const provider = kept(await startProvider());
  provider.always(() => ({ deltas: ['Well'], stallAfter: 'request' }));
  const server = await startTown({ env: withModel(provider, {
    HUTONG_TOWN_MODEL_SHARE: '0', HUTONG_TOWN_MODEL_CALLS: '0', HUTONG_TOWN_SPEED: '600',
    HUTONG_LLM_PRICES: 'openai/test-*=1000/2000', HUTONG_TOWN_MODEL_MONEY: '1000000',
  }) });
  const [{ id }] = (await server.town()).residents;
  await server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content: 'are you there?' } });
  await provider.until(() => provider.requests.some(({ text }) => text.includes('are you there?')));
  assert.equal(await metric(server, 'hutong_town_money_today'), 0);
  await server.sql(`UPDATE users SET banned_us = 1 WHERE id = ${id}`);
  await until(() => metric(server, 'hutong_town_money_today'), (money) => money > 0, { what: 'it is counted' });
  await server.stop();
  await provider.stop();
});
