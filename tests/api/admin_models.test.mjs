// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Which models are set up, and whether one answers now.
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertProblem } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { towns } from '../support/town.mjs';

const KEY = 'sk-SECRET-0123456789';
const { kept } = towns();
let provider;
let server;
let root;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: {
      HUTONG_OPENAI_BASE: provider.base('openai').replace('http://', 'http://me:SECRET-pass@'), OPENAI_API_KEY: KEY,
      HUTONG_LLM_SITES: 'nobody=http://127.0.0.1:9/v1,token=http://SECRET-token@127.0.0.1:9/v1?key=SECRET-key&SECRET-bare', HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_LLM_FALLBACK: 'nobody/other',
      HUTONG_DRAIN_TIMEOUT: '0',
    },
  });
  root = await asAdmin(server);
});
after(async () => {
  await server.stop();
  await provider.stop();
});

// As anybody on this machine finds it.
const listens = (address) => new Promise((found) => {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(address).port) }, () => found(socket.destroy() && true));
  socket.once('error', () => found(false));
});

test('a look says whether model servers listen here, and changes nothing', async () => {
  const before_ = await root.must('GET', '/admin/models');
  const { at_start: atStart, items } = await root.must('POST', '/admin/models/look');
  assert.equal(atStart, false, 'the setting of this server');
  assert.deepEqual(items.map(({ site, address, set_up: setUp }) => [site, address, setUp]), [
    ['lmstudio', 'http://127.0.0.1:1234/v1', false], ['ollama', 'http://127.0.0.1:11434', false]]);
  for (const one of items) assert.equal(one.listens, await listens(one.address), one.site);
  assert.deepEqual(await root.must('GET', '/admin/models'), before_);
  const other = kept(await startServer({ env: { HUTONG_LLM_PROBE: 'on', HUTONG_OLLAMA_BASE: provider.base('ollama') } }));
  const told = await (await asAdmin(other)).must('POST', '/admin/models/look');
  assert.deepEqual([told.at_start, told.items.map(({ set_up: setUp }) => setUp)], [true, [false, true]]);
  await other.stop();
});

const check = (site) => root.must('POST', '/admin/models/check', { site });

test('sites are listed with what was asked of them, and without their keys', async () => {
  const reply = await root.ask('GET', '/admin/models');
  assert.equal(reply.status, 200);
  assert.doesNotMatch(reply.text, /SECRET/);
  const { default: standard, fallback, items } = reply.body;
  assert.deepEqual([standard, fallback], ['openai/test-model', ['nobody/other']]);
  const openai = items.find(({ site }) => site === 'openai');
  assert.match(openai.address, /^http:\/\/me:\*\*\*@127\.0\.0\.1:\d+\/v1$/);
  assert.deepEqual([openai.keys, openai.offline, openai.requests], [1, false, 0]);
  assert.equal(items.find(({ site }) => site === 'token').address, 'http://***@127.0.0.1:9/v1?key=***&***');
  assert.deepEqual(items.find(({ site }) => site === 'offline'), {
    site: 'offline', address: null, model: items.at(-1).model, keys: 0, offline: true, requests: 0, failures: 0, input_tokens: 0, output_tokens: 0,
  });
});

test('a check says that a site answers, with what, and how soon', async () => {
  provider.script([{ kind: 'models', models: ['test-model', 'other-model'] }, { deltas: ['yes'], usage: { input: 9, output: 1 } }]);
  const found = await check('openai');
  assert.deepEqual({ ...found, listed_ms: 0, first_ms: 0 }, {
    site: 'openai', reachable: true, answers: true, listed_ms: 0, first_ms: 0, model_count: 2, models: ['test-model', 'other-model'],
    model: 'test-model', fault: null, detail: null,
  });
  assert.ok(found.listed_ms >= 0 && found.first_ms >= 0);
  const { items } = await root.must('GET', '/admin/models');
  const openai = items.find(({ site }) => site === 'openai');
  assert.ok(openai.requests >= 1);
  assert.deepEqual([openai.input_tokens, openai.output_tokens], [9, 1]);
});

test('a site that lists its models and does not answer is told from one that cannot be reached', async () => {
  provider.script([{ kind: 'models', models: ['test-model'] }, { status: 404, error: { code: 'model_not_found', message: 'no such model' } }]);
  const silent = await check('openai');
  assert.deepEqual([silent.reachable, silent.answers, silent.first_ms, silent.model_count, silent.fault], [true, false, null, 1, 'no_such_model']);
  assert.ok(silent.detail.length > 10);

  provider.script([{ kind: 'models', status: 401, error: { message: `your key ${KEY} is wrong` } }]);
  const refused = await root.ask('POST', '/admin/models/check', { site: 'openai' });
  assert.deepEqual([refused.body.reachable, refused.body.answers, refused.body.fault], [false, false, 'bad_key']);
  assert.doesNotMatch(refused.text, /SECRET/);

  const away = await check('nobody');
  assert.deepEqual([away.reachable, away.answers, away.listed_ms, away.models], [false, false, null, []]);
  assert.match(away.detail, /nobody/);
});

test('the offline engine answers, and says what it is', async () => {
  const found = await check('offline');
  assert.deepEqual([found.reachable, found.answers, found.fault], [true, true, null]);
});

test('what is no site is said', async () => {
  assertProblem(await root.ask('POST', '/admin/models/check', { site: 'elsewhere' }), 404);
  assertProblem(await root.ask('POST', '/admin/models/check', {}), 422, ['body.site missing']);
  assertProblem(await root.ask('POST', '/admin/models/check', { site: 7 }), 422, ['body.site string_type']);
});

test('a site that stays silent holds up nobody, and who leaves ends the question', async () => {
  // Silent when it is asked for its models, and when it is asked for a word.
  for (const [kind, scripts] of [['models', [{ kind: 'models', stallAfter: 'request' }]],
    ['chat', [{ kind: 'models', models: ['test-model'] }, { stallAfter: 'request' }]]]) {
    provider.script(scripts);
    const leaving = new AbortController();
    const left = fetch(`${server.url}/admin/models/check`, {
      method: 'POST', headers: { authorization: `Bearer ${root.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ site: 'openai' }), signal: leaving.signal,
    }).catch(() => {});
    const stalled = await provider.until(() => provider.requests.find((one) => one.stalled && one.kind === kind));
    assert.equal((await server.api('GET', '/health')).status, 200);
    await root.must('GET', '/admin/models');
    leaving.abort();
    await left;
    if (kind === 'chat') await provider.until(() => stalled.closedAt);
    else stalled.resume();
  }
  provider.script([{ kind: 'models', models: ['test-model'] }, { deltas: ['yes'] }]);
  assert.equal((await check('openai')).answers, true, 'as before');
});

test('a server that stops ends a check that waits', async () => {
  const other = await startProvider();
  const one = kept(await startServer({ env: { HUTONG_OPENAI_BASE: other.base('openai'), HUTONG_DRAIN_TIMEOUT: '0' } }));
  const keeper = await asAdmin(one);
  other.always({ stallAfter: 'request' });
  const first = keeper.ask('POST', '/admin/models/check', { site: 'openai' }).catch(() => ({ status: 0 }));
  await other.request(0);
  await one.stop();
  assert.ok([0, 503].includes((await first).status));
  await other.stop();
});
