// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong town run|experiment|branch --mind model`: models decide where there is no community; what
// they said is part of the run, and the journal answers for them later.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { BINARY, hutong, newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns } from '../support/town.mjs';

const { startTown } = towns();
const hashOf = ({ out }) => /^run hash: ([0-9a-f]{16})\n$/m.exec(out)?.[1];
const args = (options) => Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
const usage = { input: 1000, output: 100 };

// Decides by what it is asked, always the same, in whatever order it is asked.
const numberOf = (text) => [...text].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);
const optionsOf = (text) => [...text.matchAll(/\\n(\d+)\. \w+: /g)].length;
const isPlan = (text) => /plan their day/.test(text);
function plans(text) {
  const meets = /Neighbours you could meet/.test(text);
  const steps = [
    { from: '12:00', until: '13:00', do: 'lunch', who: null },
    { from: '19:00', until: '21:00', do: meets ? 'meet' : 'free', who: meets ? 1 : null },
  ];
  return { deltas: [JSON.stringify({ steps, reason: 'so be it' })], usage };
}
function decides({ text }) {
  if (isPlan(text)) return plans(text);
  const choice = 1 + (numberOf(text) % optionsOf(text));
  return { deltas: [JSON.stringify({ action_index: choice, reason: 'so it is', custom_duration: null })], usage };
}

async function provide(t, script) {
  const provider = await startProvider();
  provider.always(script);
  let running = true;
  provider.end = async () => { if (running) { running = false; await provider.stop(); } };
  t.after(() => provider.end());
  provider.env = { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_PROBE: 'off', HUTONG_LLM_PRICES: 'openai/*=1/2' };
  return provider;
}
const SMALL = { residents: 12, days: 1, seed: 7, mind: 'model', model: 'openai/test-model', 'model-share': 60 };
const run = (provider, options, env = {}) =>
  hutong(['town', 'run', ...args({ ...SMALL, ...options })], { env: { ...provider?.env, ...env } });
async function ran(...how) {
  const done = await run(...how);
  assert.equal(done.status, 0, done.err);
  assert.equal(done.err, '');
  assert.ok(hashOf(done), done.out);
  return done;
}
const summaryOf = async (dir) => JSON.parse(await readFile(path.join(dir, 'summary.json'), 'utf8'));
const rulesOf = (model) => Object.values(model.rules_decided).reduce((a, b) => a + b, 0);
const linesOf = async (file) => (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line));

test('a model that answers the same gives the same hash at any number of threads, and rules another one', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const journal = path.join(dir, 'a.jsonl');
  const first = await ran(provider, { threads: 1, report: path.join(dir, 'r'), journal });
  const { model, settings, hash } = await summaryOf(path.join(dir, 'r'));
  assert.equal(hash, hashOf(first));
  assert.deepEqual([settings.mind, settings.model_share, model.name], ['model', 60, 'openai/test-model']);
  assert.ok(model.asked > 50 && model.asked === model.decided, JSON.stringify(model));
  assert.deepEqual([rulesOf(model), model.from_journal, provider.requests.length], [0, 0, model.asked]);
  assert.deepEqual([model.input_tokens, model.output_tokens, model.tokens_estimated],
    [1000 * model.asked, 100 * model.asked, false]);
  assert.ok(Math.abs(model.cost - (1.2e-3 * model.asked)) < 1e-6);
  assert.match(first.out, new RegExp(`^${model.asked} decisions put to openai/test-model: ${model.asked} by the model$`, 'm'));
  const page = await readFile(path.join(dir, 'r', 'report.html'), 'utf8');
  assert.match(page, /"model":\{"name":"openai\/test-model","asked":/);

  assert.equal(hashOf(await ran(provider, { threads: 2 })), hash);
  assert.notEqual(hashOf(await ran(provider, { seed: 8 })), hash);
  const ruled = await hutong(['town', 'run', ...args({ residents: 12, days: 1, seed: 7 })]);
  assert.notEqual(hashOf(ruled), hash);
  // Nobody is asked whose answer stands there, whether somebody could be or not.
  const asked = provider.requests.length;
  assert.equal(hashOf(await ran(provider, { journal, threads: 2, report: path.join(dir, 'again') })), hash);
  assert.equal(provider.requests.length, asked);
  await provider.end();
  assert.equal(hashOf(await ran(provider, { journal })), hash);
  const alone = await run(undefined, { journal }, { HUTONG_LLM_PROBE: 'off' });
  assert.equal(hashOf(alone), hash, alone.err);
  const again = (await summaryOf(path.join(dir, 'again'))).model;
  assert.deepEqual({ ...again, from_journal: 0 }, model);
  assert.equal(again.from_journal, model.asked);
});

test('what is asked in a minute is asked at once, as many as may be', async (t) => {
  const provider = await provide(t, { stallAfter: 'request' });
  const child = spawn(BINARY, ['town', 'run', ...args({ ...SMALL, residents: 200, 'model-share': 100 })], {
    env: { PATH: process.env.PATH, ...provider.env, HUTONG_LLM_AT_ONCE: '3' } });
  const closed = once(child, 'close');
  await provider.until(() => provider.open === 3);
  child.kill('SIGTERM');
  assert.deepEqual(await closed, [1, null]);
  assert.equal(provider.peak, 3);
});

test('several quarters ask, too, and threads do not matter', async (t) => {
  const provider = await provide(t, decides);
  const town = { residents: 1100, days: 1, 'model-share': 2, 'model-calls': 1 };
  assert.equal(hashOf(await ran(provider, { ...town, threads: 2 })), hashOf(await ran(provider, { ...town, threads: 1 })));
  assert.ok(provider.requests.some(({ text }) => /You are at house \d+/.test(text)));
});

test('a run that is saved and goes on is the same as one that was not, and so is its journal', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const [file, journal] = [path.join(dir, 't.town'), path.join(dir, 'a.jsonl')];
  const whole = hashOf(await ran(provider, { days: 2 }));
  await ran(provider, { days: 1, save: file, journal });
  const { residents, seed, ...more } = SMALL;
  const on = (env) => hutong(['town', 'run', ...args({ ...more, from: file, journal })], { env });
  assert.equal(hashOf(await on(provider.env)), whole);
  const asked = provider.requests.length;
  assert.equal(hashOf(await ran(provider, { days: 2, journal })), whole);
  assert.equal(provider.requests.length, asked);
});

test('the plan of a day is asked for once, lived, and lived again from the journal', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const journal = path.join(dir, 'a.jsonl');
  // So few calls that only who has risen is asked: for the day, and for nothing else.
  const town = { days: 3, 'model-share': 100, 'model-calls': 1, journal };
  const hash = hashOf(await ran(provider, { ...town, threads: 1 }));
  const lines = (await linesOf(journal)).slice(1);
  const planned = lines.filter(({ steps }) => steps);
  const days = (who) => planned.filter(({ resident }) => resident === who).map(({ minute }) => Math.floor(minute / 1440));
  for (let who = 0; who < SMALL.residents; who++) {
    assert.ok(days(who).length >= 2, `resident ${who} rises`);
    assert.equal(new Set(days(who)).size, days(who).length, `resident ${who} plans a day once`);
  }
  assert.equal(planned.length, provider.requests.filter(({ text }) => isPlan(text)).length);
  const asked = provider.requests.length;
  assert.equal(hashOf(await ran(provider, { ...town, threads: 2 })), hash);
  assert.equal(provider.requests.length, asked);

  // What somebody wrote into it by hand: a plan that cannot be leaves the rules'.
  const text = await readFile(journal, 'utf8');
  const other = path.join(dir, 'b.jsonl');
  const edited = async (steps) => {
    await writeFile(other, text.replace(/"steps":\[.*?\]\]/g, `"steps":${steps}`));
    return run(provider, { ...town, journal: other });
  };
  assert.ok(hashOf(await edited('[[0,1,1,0]]')));
  await provider.end();
  assert.equal(hashOf(await run(undefined, town, { HUTONG_LLM_PROBE: 'off' })), hash);
  assert.match((await edited('[[0,0,9,0]]')).err, /line \d+ of .* is no answer of a model to a town/);
  assert.match((await edited('7')).err, /is no answer of a model to a town/);
});

const HOSTILE = [
  'It is a fine day.', '{"action_index":0,"reason":"x"}', '{"action_index":99,"reason":"x"}', '{"action_index":"1"}',
  '{"action_index":1.5,"reason":"x"}', '[]', '{"action_index":1e300,"reason":"x"}', '{"action_index":-1,"reason":"\\u0000"}',
  '{"action_index":1,"reason":"x","custom_duration":-5}', '{"action_index":1,"reason":"x","custom_duration":1000000000}',
  `{"action_index":1,"reason":"${'x'.repeat(20000)}"}`, '{"action_index":1,"action_index":9999,"reason":"</script>"}',
];

test('what is no answer leaves the decision to the rules, and the journal knows', async (t) => {
  const provider = await provide(t, ({ text }) => {
    const number = numberOf(text) % 20;
    if (number === 15) return { status: 500, error: { message: 'broken' } };
    if (number === 16) return { resetAfter: 'request' };
    if (number === 17) return { deltas: ['no'], finish: 'filter', usage };
    return number < HOSTILE.length ? { deltas: [HOSTILE[number]], usage: { input: 10 ** 15, output: 5 } } : decides({ text });
  });
  const dir = await newFolder(t);
  const journal = path.join(dir, 'a.jsonl');
  const first = await ran(provider, { journal, report: dir });
  const { model, hash } = await summaryOf(dir);
  assert.ok(model.decided > 0 && model.rules_decided.unfit > 0, JSON.stringify(model));
  assert.equal(model.decided + rulesOf(model), model.asked);
  await provider.end();
  assert.equal(hashOf(await ran(provider, { journal, threads: 2 })), hash);
  assert.equal(hashOf(first), hash);
  const lines = (await linesOf(journal)).slice(1);
  assert.equal(lines.length, model.asked);
  assert.equal(lines.filter(({ how }) => how === 'unfit').length, model.rules_decided.unfit);
  assert.ok((await stat(journal)).size < lines.length * 10_000);
});

test('errors and silence are answered by the rules in time, and lived again so', async (t) => {
  for (const [script, how] of [[{ status: 500, error: { message: 'broken' } }, 'failed'], [{ stallAfter: 'request' }, 'late']]) {
    const provider = await provide(t, script);
    const dir = await newFolder(t);
    const journal = path.join(dir, 'a.jsonl');
    const few = { residents: 2, 'model-calls': 2, 'model-share': 100, 'answer-seconds': 1, journal };
    const first = await ran(provider, { ...few, report: dir });
    const { model } = await summaryOf(dir);
    // What is tried again may be late, too.
    assert.deepEqual([model.decided, rulesOf(model)], [0, model.asked]);
    assert.ok(model.rules_decided[how] > 0, JSON.stringify(model));
    assert.ok(model.asked >= 2);
    await provider.end();
    assert.equal(hashOf(await ran(provider, few)), hashOf(first));
  }
});

test('a budget holds for a run, the rules go on, and the journal knows', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const cases = [[{ HUTONG_TOWN_MODEL_TOKENS: '20000' }, (model) => [model.input_tokens + model.output_tokens, 20000]],
    [{ HUTONG_TOWN_MODEL_MONEY: '0.02' }, (model) => [model.cost, 0.02]]];
  for (const [i, [env, spent]] of cases.entries()) {
    const journal = path.join(dir, `${i}.jsonl`);
    const first = await ran(provider, { journal, report: dir }, env);
    const { model } = await summaryOf(dir);
    const [took, most] = spent(model);
    assert.ok(took > most / 2 && took <= most, `${took} of ${most}`);
    assert.ok(model.decided > 0 && model.rules_decided.spent > 0);
    const asked = provider.requests.length;
    assert.equal(hashOf(await ran(provider, { journal }, {})), hashOf(first));
    assert.equal(provider.requests.length, asked);
    assert.equal(hashOf(await ran(provider, { threads: 2 }, env)), hashOf(first));
  }
  const calls = { 'model-calls': 1, 'model-share': 100, residents: 3, report: dir };
  await ran(provider, calls);
  assert.ok((await summaryOf(dir)).model.asked <= 3 * 2, 'one a resident and calendar day');
});

test('an experiment compares a model with the rules', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const [file, journal] = [path.join(dir, 'e.json'), path.join(dir, 'a.jsonl')];
  await writeFile(file, JSON.stringify({ name: 'Who decides?', seeds: 2, settings: { residents: 8, days: 1 },
    arms: [{ name: 'rules' }, { name: 'model', mind: 'model', model_share: 50 }, { name: 'as much', mind: 'model', model_share: 50 }] }));
  const compare = (threads, env = provider.env) => hutong(['town', 'experiment', file,
    ...args({ report: path.join(dir, 'r'), threads, journal, model: 'openai/test-model' })], { env });
  const first = await compare(2);
  assert.equal(first.status, 0, first.err);
  const { arms } = JSON.parse(await readFile(path.join(dir, 'r', 'comparison.json'), 'utf8'));
  assert.deepEqual(arms.map(({ settings }) => settings.mind), ['rule', 'model', 'model']);
  assert.deepEqual([arms[0].model, arms[1].model.asked > 0], [undefined, true]);
  const runs = (await readFile(path.join(dir, 'r', 'runs.csv'), 'utf8')).trimEnd().split('\n').slice(1).map((row) => row.split(','));
  const hashes = runs.map(([, , hash]) => hash);
  assert.deepEqual(hashes.slice(2, 4), hashes.slice(4), 'the same answers, so the same life');
  const alone = await run(provider, { residents: 8, seed: 2, 'model-share': 50 });
  assert.equal(hashOf(alone), hashes[3]);
  await provider.end();
  assert.equal(hashOf(await compare(1)), hashOf(first));
  await writeFile(file, JSON.stringify({ name: 'x', seeds: 1, arms: [{ name: 'a', mind: 'dog' }] }));
  const wrong = await compare(1);
  assert.equal(wrong.status, 2);
  assert.match(wrong.err, /arms\[0\]: mind is "dog"; allowed: rule, model/);
});

test('a signal ends a run that waits, and the same command goes on with what was answered', async (t) => {
  let stalls = false;
  const provider = await provide(t, (asked) => (stalls && provider.requests.length > 40 ? { stallAfter: 'request' } : decides(asked)));
  const dir = await newFolder(t);
  const journal = path.join(dir, 'a.jsonl');
  const whole = hashOf(await ran(provider, {}));
  provider.requests.length = 0;
  stalls = true;
  const child = spawn(BINARY, ['town', 'run', ...args({ ...SMALL, journal, report: dir })], {
    env: { PATH: process.env.PATH, ...provider.env } });
  let said = '';
  child.stderr.on('data', (bytes) => { said += bytes; });
  const closed = once(child, 'close');
  await provider.until(() => provider.requests.length > 40 && provider.open > 0);
  child.kill('SIGINT');
  assert.deepEqual(await closed, [1, null], said);
  assert.match(said, /ended by a signal at day 1/);
  const { model, whole: over } = await summaryOf(dir);
  assert.equal(over, false);
  assert.ok(model.asked > 0);
  stalls = false;
  const before = provider.requests.length;
  assert.equal(hashOf(await ran(provider, { journal, report: dir })), whole);
  const { model: now } = await summaryOf(dir);
  assert.ok(now.from_journal >= model.asked);
  assert.equal(provider.requests.length - before, now.asked - now.from_journal);
});

test('what cannot be is a sentence before anything begins', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const file = (name) => path.join(dir, name);
  await writeFile(file('notes'), 'shopping');
  await writeFile(file('list'), 'shopping\n');
  await ran(provider, { journal: file('a.jsonl'), residents: 2 });
  const nobody = { HUTONG_LLM_PROBE: 'off' };
  const cases = [
    [{ model: 'offline' }, nobody, 1, /no model is set up, so nobody could decide with --mind model/],
    [{}, nobody, 1, /there is no model site "openai\/test-model"/],
    [{ journal: file('none') }, nobody, 1, /there is no model site/],
    [{ journal: file('a.jsonl'), residents: 3 }, nobody, 1, /a\.jsonl has no answer for resident \d+ at day 1 \d\d:\d\d/],
    [{ journal: file('a.jsonl'), model: 'openai/other' }, provider.env, 1, /has answers of openai\/test-model, and this run asks openai\/other/],
    [{ journal: file('notes') }, provider.env, 1, /line 1 of .*notes is no answer/],
    [{ journal: file('list') }, provider.env, 1, /line 1 of .*list is no answer/],
    [{ journal: dir }, provider.env, 1, /cannot open|is no file/],
    [{ mind: 'dog' }, provider.env, 2, /--mind is "dog"; allowed: rule, model/],
    [{ mind: 'rule' }, provider.env, 2, /--model is for --mind model/],
    [{ 'model-share': 101 }, provider.env, 2, /model_share is 101/],
    [{ 'answer-seconds': 0 }, provider.env, 2, /--answer-seconds is "0"/],
    [{}, { ...provider.env, HUTONG_LLM_PRICES: 'x=1/2', HUTONG_TOWN_MODEL_MONEY: '1' }, 1, /there is no price for openai\/test-model/],
  ];
  const asked = provider.requests.length;
  for (const [options, env, status, sentence] of cases) {
    const done = await run(undefined, options, env);
    assert.equal(done.status, status, `${JSON.stringify(options)} ${done.err}`);
    assert.match(done.err, sentence);
  }
  assert.equal(provider.requests.length, asked);
  assert.equal(await readFile(file('notes'), 'utf8'), 'shopping');
  // What was being written when the program died is cut off, and asked again.
  const bytes = await readFile(file('a.jsonl'), 'utf8');
  await writeFile(file('a.jsonl'), bytes.slice(0, -20));
  await ran(provider, { journal: file('a.jsonl'), residents: 2 });
  assert.equal(provider.requests.length, asked + 1);
  assert.equal(await readFile(file('a.jsonl'), 'utf8'), bytes);
});

test('both copies of a branch ask the model for residents with their names, and the community knows nothing of it', async (t) => {
  const provider = await provide(t, decides);
  const dir = await newFolder(t);
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '6000' }, dataDir: dir });
  const names = (await server.town()).residents.map(({ name }) => name);
  while ((await server.town()).minute < 600) await new Promise(setImmediate);
  await server.stop();
  const branch = (report, env) => hutong(['town', 'branch', ...args({ data: dir, at: 540, days: 1, seed: 3, mind: 'model',
    model: 'openai/test-model', 'model-share': 50, journal: path.join(dir, 'a.jsonl'), report: path.join(dir, report) })], { env });
  const first = await branch('r', provider.env);
  assert.equal(first.status, 0, first.err);
  for (const copy of ['as-it-was', 'changed']) {
    const { model, settings } = await summaryOf(path.join(dir, 'r', copy));
    assert.equal(settings.mind, 'model');
    assert.ok(model.asked > 0 && model.decided === model.asked);
  }
  assert.ok(names.some((name) => provider.requests.some(({ text }) => text.includes(`You are ${name}`))));
  await provider.end();
  const again = await branch('s', provider.env);
  assert.equal(again.status, 0, again.err);
  for (const copy of ['as-it-was', 'changed']) {
    assert.equal((await summaryOf(path.join(dir, 's', copy))).hash, (await summaryOf(path.join(dir, 'r', copy))).hash);
  }
});
