// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members' keys for programs: made, listed, changed, revoked. What they open is in gateway.test.mjs.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk, assertProblem, TIME } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

let server;
let mei;
let bo;
before(async () => {
  server = await startServer();
  mei = await server.register('mei_keys');
  bo = await server.register('bo_keys');
});
after(() => server.stop());

const ask = (who, method, path, json) => server.api(method, path, { token: who.token, json });
const make = async (who, json) => assertOk(await ask(who, 'POST', '/keys', json), 201);

test('a key is shown once, and kept as a hash', async () => {
  const made = await make(mei, { name: ' my script ' });
  assert.deepEqual(Object.keys(made), ['id', 'name', 'last_four', 'requests_per_minute',
    'tokens_per_day', 'models', 'created_at', 'last_used_at', 'key']);
  assert.match(made.key, /^sk-hutong-[\w-]{43}$/);
  assert.equal(made.name, 'my script');
  assert.equal(made.last_four, made.key.slice(-4));
  assert.match(made.created_at, TIME);
  assert.equal(made.last_used_at, null);
  assert.equal(made.models, null);
  const list = await ask(mei, 'GET', '/keys');
  const { key, ...shown } = made;
  assert.deepEqual(assertOk(list).items.find(({ id }) => id === made.id), shown);
  assert.ok(!list.text.includes(key));
  const stored = await server.sqlText('SELECT * FROM api_keys; SELECT * FROM idempotency; SELECT * FROM audit');
  assert.ok(stored.includes(made.last_four) && !stored.includes(key));
});

test('an Idempotency-Key does not keep the secret', async () => {
  const again = { 'idempotency-key': 'once' };
  for (let i = 0; i < 2; i++) {
    const reply = await server.api('POST', '/keys', { token: mei.token, json: { name: 'twice' }, headers: again });
    assert.equal(assertOk(reply, 201).name, 'twice');
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.ok(!(await server.sqlText('SELECT * FROM idempotency')).includes(reply.body.key));
  }
});

test('name, limits and models can be changed, and taken away', async () => {
  const { id } = await make(mei, { name: 'a', requests_per_minute: 10, tokens_per_day: 5000, models: ['gpt-*', 'qwen'] });
  const first = assertOk(await ask(mei, 'PATCH', `/keys/${id}`, { name: 'b', tokens_per_day: 7 }));
  assert.deepEqual([first.name, first.requests_per_minute, first.tokens_per_day, first.models],
    ['b', 10, 7, ['gpt-*', 'qwen']]);
  const second = assertOk(await ask(mei, 'PATCH', `/keys/${id}`, { requests_per_minute: null, models: null }));
  assert.deepEqual([second.name, second.requests_per_minute, second.tokens_per_day, second.models],
    ['b', null, 7, null]);
});

test('what makes no sense is refused by name', async () => {
  const wrong = [
    [{}, ['body.name missing']],
    [{ name: '' }, ['body.name string_too_short']],
    [{ name: 'x', requests_per_minute: 0 }, ['body.requests_per_minute int_type']],
    [{ name: 'x', tokens_per_day: 1.5 }, ['body.tokens_per_day int_type']],
    [{ name: 'x', models: 'gpt' }, ['body.models list_type']],
    [{ name: 'x', models: [] }, ['body.models value_error']],
    [{ name: 'x', models: ['a b'] }, ['body.models value_error']],
    [{ name: 'x', models: [7] }, ['body.models value_error']],
    [{ name: 'x', models: Array(51).fill('y') }, ['body.models value_error']],
  ];
  for (const [json, fields] of wrong) {
    assertProblem(await ask(mei, 'POST', '/keys', json), 422, fields);
  }
});

test('a key belongs to one member', async () => {
  const { id } = await make(mei, { name: 'mine' });
  assertProblem(await ask(bo, 'PATCH', `/keys/${id}`, { name: 'x' }), 404);
  assertProblem(await ask(bo, 'DELETE', `/keys/${id}`), 404);
  assert.ok(!assertOk(await ask(bo, 'GET', '/keys')).items.some((key) => key.id === id));
  assertOk(await ask(mei, 'DELETE', `/keys/${id}`), 204);
  assertProblem(await ask(mei, 'DELETE', `/keys/${id}`), 404);
  assert.ok(!assertOk(await ask(mei, 'GET', '/keys')).items.some((key) => key.id === id));
});

test('a hundred keys are enough', async () => {
  for (let i = 0; i < 96; i++) await make(bo, { name: `key ${i}` });
  // At once: on MariaDB each counts what was there before the others.
  const last = await Promise.all(Array.from({ length: 12 }, (_, i) => ask(bo, 'POST', '/keys', { name: `last ${i}` })));
  assert.deepEqual(last.map(({ status }) => status).sort(), [...Array(4).fill(201), ...Array(8).fill(409)]);
  assertProblem(await ask(bo, 'POST', '/keys', { name: 'one more' }), 409);
});

test('a key for programs signs nobody in', async () => {
  const { key } = await make(mei, { name: 'no session' });
  assertProblem(await server.api('GET', '/auth/me', { token: key }), 401);
  assertProblem(await server.api('GET', '/keys', { token: key }), 401);
});

test('usage is empty at first, and takes days only', async () => {
  assert.deepEqual(assertOk(await ask(mei, 'GET', '/usage')), { items: [], more: false });
  assertOk(await ask(mei, 'GET', '/usage?from=2026-02-28&to=2026-03-01'));
  assertProblem(await ask(mei, 'GET', '/usage?from=2026-02-30&to=yesterday'), 422,
    ['query.from date_parsing', 'query.to date_parsing']);
  assertProblem(await ask(mei, 'GET', `/usage?user_id=${bo.id}`), 403);
});
