// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What operators and tools ask: health, metrics, the description of the API and its page.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseMetrics, valueOf } from '../support/metrics.mjs';
import { ON_MARIADB, startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const BINARY = process.env.HUTONG_BIN
  ?? fileURLToPath(new URL('../../build/test/hutong', import.meta.url));
let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

/* --- asking --- */

async function metrics() {
  const reply = await server.api('GET', '/metrics');
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  return parseMetrics(reply.text);
}

// What only a loop may look at is published once a second: ask until it is there.
async function metricsWith(holds) {
  const until = Date.now() + 10000;
  for (;;) {
    const families = await metrics();
    if (holds(families)) return families;
    assert.ok(Date.now() < until, 'the figures never came');
  }
}

/* --- health --- */

test('health is an answer of the loop, and a fixed one for orchestrators', async () => {
  const live = await server.api('GET', '/health/live');
  assert.equal(live.status, 200);
  assert.match(live.text, /^\{"status":"healthy","community":"[\w-]{1,16}"\}$/);
  const said = await server.api('GET', '/health');
  assert.equal(said.status, 200);
  assert.deepEqual({ ...said.body, timestamp: 0 }, { status: 'healthy', timestamp: 0, service: 'hutong' });
  assert.match(said.body.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
  const head = await server.api('HEAD', '/health');
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
});

test('ready says in sentences what was looked at', async () => {
  const reply = await server.api('GET', '/health/ready');
  assert.equal(reply.status, 200);
  assert.equal(reply.body.status, 'ready');
  assert.deepEqual(Object.keys(reply.body.checks), ['database', 'writer', 'disk', 'serving']);
  for (const check of Object.values(reply.body.checks)) {
    assert.equal(check.ok, true);
    assert.match(check.detail, /\w+ \w+/);
  }
});

/* --- metrics --- */

test('metrics are Prometheus text with every family that is promised', async () => {
  const families = await metrics();
  const promised = ['hutong_http_requests_total', 'hutong_http_request_duration_seconds',
    'hutong_http_request_bytes_total', 'hutong_http_reply_bytes_total', 'hutong_http_connections',
    'hutong_http_accepted_total', 'hutong_http_refused_total', 'hutong_http_upgraded_total',
    'hutong_live_connections', 'hutong_hub_published_total', 'hutong_hub_delivered_total',
    'hutong_hub_gaps_total', 'hutong_hub_present', 'hutong_workers_waiting',
    'process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds',
    'hutong_llm_calls_total', 'hutong_llm_ends_total', 'hutong_llm_requests_total',
    'hutong_llm_retries_total', 'hutong_llm_running', 'hutong_llm_waiting', 'hutong_llm_limit',
    'hutong_llm_circuit', 'hutong_llm_circuit_opened_total', 'hutong_llm_turned_away_total',
    'hutong_llm_tokens_total', 'hutong_llm_estimated_total', 'hutong_llm_first_piece_seconds',
    'hutong_llm_answer_seconds', 'process_start_time_seconds', 'hutong_build_info', 'hutong_gateway_answers_total'];
  for (const name of promised) assert.ok(families.get(name)?.samples.length > 0, name);
  // There is a writer of ours only where the database has none: no figure of it, not one of 0.
  for (const name of ['hutong_writer_waiting', 'hutong_writer_group_size', 'hutong_writer_commit_seconds_total']) {
    assert.equal(families.get(name)?.samples.length > 0, !ON_MARIADB, name);
  }
  const [build] = families.get('hutong_build_info').samples;
  const version = await readFile(new URL('../../VERSION', import.meta.url), 'utf8');
  assert.equal(build.labels.version, version.trim());
  assert.ok(valueOf(families, 'process_resident_memory_bytes') > 1e6);
  assert.ok(valueOf(families, 'process_open_fds') > 5);
  const started = valueOf(families, 'process_start_time_seconds');
  assert.ok(Math.abs(Date.now() / 1000 - started) < 600);
});

test('each answer counts once under its route, method and status', async () => {
  const before = await metrics();
  for (let i = 0; i < 5; i++) await server.api('GET', '/health');
  await server.api('GET', '/posts/999999');
  await server.api('GET', '/nothing/here');
  const api = await server.api('GET', '/openapi.json');
  await server.api('GET', '/openapi.json', { headers: { 'if-none-match': api.headers.get('etag') } });
  // An answer is counted when it has left: whoever asks at once, on another loop, may be faster.
  const since = (families, labels) => valueOf(families, 'hutong_http_requests_total', labels)
    - valueOf(before, 'hutong_http_requests_total', labels);
  const now = await until(metrics, (families) => since(families, { route: '/openapi.json', status: '304' }) > 0);
  const grew = (labels) => since(now, labels);
  assert.equal(grew({ method: 'GET', route: '/health', status: '200' }), 5);
  assert.equal(grew({ method: 'GET', route: '/posts/{post_id}', status: '404' }), 1);
  assert.equal(grew({ method: '(none)', route: '(none)', status: '404' }), 1);
  assert.equal(grew({ route: '/openapi.json', status: '200' }), 1);
  assert.equal(grew({ route: '/openapi.json', status: '304' }), 1);
  const bytes = (families) => valueOf(families, 'hutong_http_reply_bytes_total', { route: '/health' });
  assert.equal(bytes(now) - bytes(before), 5 * '{"status":"healthy","timestamp":"2026-11-21T03:23:22.123456","service":"hutong"}'.length);
  const timed = (families) => families.get('hutong_http_request_duration_seconds').samples
    .find((s) => s.name.endsWith('_count') && s.labels.route === '/health')?.value ?? 0;
  assert.equal(timed(now) - timed(before), 5);
});

test('changes show in the figures of the writer and the hub', async () => {
  const member = await server.register('counted');
  const before = await metrics();
  const made = await server.api('POST', '/posts', { token: member.token, json: { content: 'one more' } });
  assert.equal(made.status, 201);
  const now = await metrics();
  const changes = (families) => families.get('hutong_writer_group_size')?.samples
    .find((s) => s.name.endsWith('_sum')).value;
  if (!ON_MARIADB) assert.equal(changes(now) - changes(before), 1);
  assert.ok(valueOf(now, 'hutong_hub_published_total') > valueOf(before, 'hutong_hub_published_total'));
});

test('an open event stream shows as a live connection until it ends', async () => {
  const member = await server.register('listener');
  const stream = await fetch(`${server.url}/live/events?topics=feed`, {
    headers: { authorization: `Bearer ${member.token}` },
  });
  assert.equal(stream.status, 200);
  await metricsWith((families) => valueOf(families, 'hutong_live_connections') === 1);
  await stream.body.cancel();
  await metricsWith((families) => valueOf(families, 'hutong_live_connections') === 0);
});

test('metrics are refused to whoever came through a proxy, and given to an administrator', async () => {
  const headers = { 'x-forwarded-for': '203.0.113.9' };
  const stranger = await server.api('GET', '/metrics', { headers });
  assert.equal(stranger.status, 403);
  assert.equal(stranger.headers.get('content-type'), 'application/problem+json');
  const member = await server.register('nosy');
  assert.equal((await server.api('GET', '/metrics', { headers, token: member.token })).status, 403);
  await promisify(execFile)(BINARY, ['user', 'role', 'nosy', 'admin', '--data', server.dataDir],
    { env: { ...process.env, ...server.env } });
  // Roles are looked up again within a second; logging in makes it at once.
  const login = await server.api('POST', '/auth/login', {
    form: { username: 'nosy', password: member.password },
  });
  const asAdmin = await server.api('GET', '/metrics', { headers, token: login.body.access_token });
  assert.equal(asAdmin.status, 200);
  parseMetrics(asAdmin.text);
});

/* --- the description --- */

// The rows of src/api/routes.c: "{HTTP_GET_, "/posts", …".
async function tableOfRoutes() {
  const source = await readFile(new URL('../../src/api/routes.c', import.meta.url), 'utf8');
  return [...source.matchAll(/^\s*\{HTTP_([A-Z]+)_, "([^"]+)"/gm)]
    .map(([, method, path]) => `${method.toLowerCase()} ${path}`);
}

function references(value, found = []) {
  if (value === null || typeof value !== 'object') return found;
  if (typeof value.$ref === 'string') found.push(value.$ref);
  for (const part of Object.values(value)) references(part, found);
  return found;
}

function operations(api) {
  return Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods)
    .map(([method, operation]) => ({ path, method, operation })));
}

test('the description names every route of the table and no other', async () => {
  const { body: api } = await server.api('GET', '/openapi.json');
  const described = operations(api).map(({ method, path }) => `${method} ${path}`);
  const listed = await tableOfRoutes();
  assert.ok(listed.length > 40);
  assert.deepEqual(described.sort(), listed.sort());
});

test('the description is sound: references lead somewhere, ids are unique, parameters are all there', async () => {
  const { body: api } = await server.api('GET', '/openapi.json');
  assert.equal(api.openapi, '3.1.0');
  assert.equal(api.info.title, 'Hutong API');
  assert.equal(api.components.securitySchemes.oauth2.flows.password.tokenUrl, '/auth/login');
  for (const reference of references(api)) {
    const parts = reference.slice(2).split('/');
    assert.ok(parts.reduce((at, part) => at?.[part], api), `${reference} leads nowhere`);
  }
  const ids = new Set();
  for (const { path, method, operation } of operations(api)) {
    const where = `${method} ${path}`;
    assert.match(operation.operationId, /^[a-z][a-z0-9_]*$/);
    assert.ok(!ids.has(operation.operationId), `${where}: operationId twice`);
    ids.add(operation.operationId);
    assert.ok(operation.summary.length > 3, where);
    assert.equal(operation.tags.length, 1);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const given = operation.parameters.filter((p) => p.in === 'path');
    assert.deepEqual(given.map((p) => p.name), inPath, where);
    assert.ok(given.every((p) => p.required === true), where);
    assert.ok(Object.keys(operation.responses).some((status) => /^[123]\d\d$/.test(status)), where);
    assert.ok(operation.responses.default, where);
    if (operation.requestBody) {
      for (const media of Object.values(operation.requestBody.content)) {
        assert.equal(media.schema.type, 'object', where);
        assert.ok(Object.keys(media.schema.properties).length > 0, where);
      }
    }
  }
});

test('the description says who may, and how they say who they are', async () => {
  const { body: api } = await server.api('GET', '/openapi.json');
  const ways = (operation) => (operation.security ?? [{}]).map((way) => Object.keys(way)[0] ?? 'nobody').join();
  const told = (path) => {
    const operation = api.paths[path].get;
    return [operation['x-who'].split(';')[0], ways(operation), Object.keys(operation.responses).filter((status) => /40[13]/.test(status)).join()];
  };
  assert.deepEqual(told('/places'), ['anyone', 'nobody', '']);
  assert.deepEqual(told('/posts'), ['anyone', 'nobody,oauth2,bearer', '']);
  assert.deepEqual(told('/auth/me'), ['members', 'oauth2,bearer', '401']);
  assert.deepEqual(told('/live'), ['members', 'oauth2,bearer,ticket', '403']);
  assert.deepEqual(told('/live/events'), ['members', 'oauth2,bearer,ticket', '401,403']);
  assert.deepEqual(told('/v1/models'), [told('/v1/models')[0], 'bearer', '401']);
  assert.deepEqual(told('/messages/ws'), ['members', 'oauth2,bearer,tokenInQuery', '403']);
  for (const { path, method, operation } of operations(api)) {
    for (const way of operation.security ?? []) {
      for (const name of Object.keys(way)) assert.ok(api.components.securitySchemes[name], `${path}: ${name}`);
    }
    // What can be asked by just anybody: everything that changes nothing and is no WebSocket.
    if (method !== 'get' || path.includes('{') || operation.responses[101] || path === '/metrics') continue;
    const needed = operation.parameters.filter((p) => p.required).map((p) => `${p.name}=x`).join('&');
    const reply = await server.api('GET', `${path}?${needed}`);
    const closed = !ways(operation).includes('nobody');
    // What strangers may do with wikis is the operator's choice: by default they read.
    const chosen = path.startsWith('/api/') || path === '/local_repo/structure';
    assert.equal(reply.status, closed || path === '/local_repo/structure' ? 401 : 200, path);
    if (!chosen) assert.equal('401' in operation.responses, closed, path);
  }
});

// Enough of JSON Schema for what the description uses.
function conforms(api, schema, value, where) {
  if (schema.$ref) {
    conforms(api, api.components.schemas[schema.$ref.split('/').pop()], value, where);
    return;
  }
  if (schema.anyOf) {
    if (value === null && schema.anyOf.some((one) => one.type === 'null')) return;
    conforms(api, schema.anyOf[0], value, where);
    return;
  }
  const kinds = [].concat(schema.type);
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array'
    : Number.isInteger(value) && !kinds.includes('number') ? 'integer' : typeof value;
  assert.ok(kinds.includes(kind), `${where} is ${kind}, described as ${kinds}`);
  if (schema.enum) assert.ok(schema.enum.includes(value), `${where}: ${value}`);
  if (kind === 'array') value.forEach((one, i) => conforms(api, schema.items, one, `${where}[${i}]`));
  if (kind !== 'object' || !schema.properties) return;
  for (const name of schema.required) assert.ok(name in value, `${where}.${name} is missing`);
  for (const [name, part] of Object.entries(value)) {
    assert.ok(schema.properties[name], `${where}.${name} is not described`);
    conforms(api, schema.properties[name], part, `${where}.${name}`);
  }
}

test('answers are what the description says they are', async () => {
  const { body: api } = await server.api('GET', '/openapi.json');
  const ada = await server.register('ada_ops');
  const bob = await server.register('bob_ops');
  const { body: post } = await server.api('POST', '/posts', { token: ada.token, json: { content: 'hi' } });
  const ask = async (method, route, { path = route, ...options } = {}) => {
    const reply = await server.api(method.toUpperCase(), path, { token: ada.token, ...options });
    const described = api.paths[route][method].responses;
    const given = described[reply.status];
    assert.ok(given, `${method} ${path}: ${reply.status} ${reply.text} is not described`);
    const schema = given.content?.['application/json']?.schema;
    if (schema) conforms(api, schema, reply.body, `${method} ${path}`);
    else if (!given.$ref) assert.equal(reply.body, undefined);
    return reply;
  };
  await ask('post', '/posts/{post_id}/comments', { path: `/posts/${post.id}/comments`, json: { content: 'c' } });
  await ask('post', '/messages/send/{user_id}', { path: `/messages/send/${bob.id}`, json: { content: 'm' } });
  const { body: group } = await ask('post', '/groups', { json: { name: 'g', members: [bob.id] } });
  await ask('post', '/groups/{group_id}/messages', { path: `/groups/${group.id}/messages`, json: { content: 'x' } });
  await ask('post', '/auth/login', { json: { username: 'ada_ops', password: ada.password } });
  await ask('post', '/auth/login', { form: { username: 'ada_ops', password: ada.password } });
  await ask('post', '/auth/login', { json: { username: 'ada_ops', password: 'wrong' } });
  await ask('post', '/auth/refresh', { json: { refresh_token: 'none' } });
  await ask('put', '/users/me', { json: { bio: 'b' } });
  await ask('put', '/posts/{post_id}/like', { path: `/posts/${post.id}/like` });
  await ask('post', '/messages/read/{user_id}', { path: `/messages/read/${bob.id}` });
  await ask('get', '/posts', { path: '/posts?page=1&page_size=2' });
  await ask('get', '/posts', { path: '/posts?limit=1' });
  await ask('get', '/posts/{post_id}', { path: `/posts/${post.id}` });
  await ask('get', '/posts/{post_id}/comments', { path: `/posts/${post.id}/comments` });
  await ask('get', '/search/posts', { path: '/search/posts?q=hi' });
  await ask('get', '/search/users', { path: '/search/users?q=ada' });
  await ask('get', '/messages/history/{user_id}', { path: `/messages/history/${bob.id}` });
  await ask('get', '/groups/{group_id}', { path: `/groups/${group.id}` });
  await ask('get', '/groups/{group_id}/messages', { path: `/groups/${group.id}/messages` });
  await ask('get', '/users/{user_id}', { path: `/users/${bob.id}` });
  await ask('post', '/live/ticket');
  for (const path of ['/', '/health', '/health/ready', '/auth/me', '/auth/sessions', '/users/',
    '/messages/conversations', '/messages/unread_count', '/groups', '/places']) await ask('get', path);
  const problem = await server.api('POST', '/posts', { token: ada.token, json: {} });
  assert.equal(problem.status, 422);
  conforms(api, api.components.schemas.Problem, problem.body, 'problem');
});

// Failures that the row of a route does not imply, and those it does; what a stranger or the wrong
// member gets is held against the description by the walk.
test('failures are described where they happen, and nowhere else', async () => {
  const { body: api } = await server.api('GET', '/openapi.json');
  const [ada, bob] = [await server.register('ada_fails'), await server.register('bob_fails')];
  const { body: post } = await server.api('POST', '/posts', { token: ada.token, json: { content: 'hi' } });
  const { body: group } = await server.api('POST', '/groups', { token: ada.token, json: { name: 'g', members: [bob.id] } });
  const { body: key } = await server.api('POST', '/keys', { token: ada.token, json: { name: 'k' } });
  const register = (more) => ({ json: { username: 'cyd_fails', password: 'correct horse', nickname: 'c', ...more } });
  const broken = { body: '{', headers: { 'content-type': 'application/json' } };
  const odd = { headers: { 'idempotency-key': 'x'.repeat(300) }, json: { content: 'x' } };
  const cases = [
    [400, 'post', '/auth/register', { ...register({ username: 'ada_fails' }), token: '' }],
    [422, 'post', '/auth/register', { ...broken, token: '' }],
    [403, 'post', '/auth/register', { ...register({ admin_code: 'guessed' }), token: '' }],
    [413, 'post', '/auth/register', { ...register({ nickname: 'x'.repeat(2 << 20) }), token: '' }],
    [422, 'post', '/auth/register', { ...register({ password: 'x' }), token: '' }],
    [401, 'post', '/auth/login', { form: { username: 'ada_fails', password: 'guessed' }, token: '' }],
    [400, 'post', '/posts', odd], [422, 'post', '/posts', { json: {} }],
    [404, 'get', '/posts/{post_id}', { path: '/posts/999999' }],
    [422, 'get', '/posts', { path: '/posts?page=none' }], [400, 'get', '/posts', { path: '/posts?page=%00%ff' }],
    [403, 'put', '/posts/{post_id}', { path: `/posts/${post.id}`, json: { content: 'x' }, token: bob.token }],
    [404, 'post', '/groups', { json: { name: 'g', members: [999999] } }],
    [409, 'post', '/groups/{group_id}/members', { path: `/groups/${group.id}/members`, json: { user_id: bob.id } }],
    [400, 'post', '/messages/send/{user_id}', { path: `/messages/send/${ada.id}`, json: { content: 'me' } }],
    [403, 'get', '/usage', { path: `/usage?user_id=${bob.id}` }], [426, 'get', '/live'],
    [400, 'post', '/v1/chat/completions', { json: { model: 'offline/', messages: 'x' }, token: key.key }],
    [404, 'get', '/v1/models/{model}', { path: '/v1/models/nothing', token: key.key }],
    [401, 'get', '/v1/models', { token: 'guessed' }],
  ];
  for (const [status, method, route, { path = route, ...options } = {}] of cases) {
    const where = `${method} ${path}`;
    const reply = await server.api(method.toUpperCase(), path, { token: ada.token, ...options });
    assert.equal(reply.status, status, `${where}: ${reply.text}`);
    const { $ref } = api.paths[route][method].responses[status] ?? {};
    assert.ok($ref, `${where}: ${status} is not described`);
    const [[type, { schema }]] = Object.entries(api.components.responses[$ref.split('/').pop()].content);
    assert.equal(reply.headers.get('content-type'), type, where);
    conforms(api, schema, reply.body, where);
  }
  const failures = (method, path) => Object.keys(api.paths[path][method].responses).filter((status) => status >= '400').join(' ');
  assert.equal(failures('get', '/health'), 'default');
  assert.equal(failures('get', '/health/ready'), '503 default');
  assert.equal(failures('get', '/places'), '429 default');
  assert.equal(failures('get', '/auth/me'), '401 429 default');
  assert.equal(failures('post', '/auth/register'), '400 403 413 415 422 429 503 default');
  assert.equal(failures('put', '/posts/{post_id}'), '400 401 403 404 409 413 415 422 429 503 507 default');
  assert.equal(failures('get', '/v1/models'), '401 503 default');
});

test('the description is asked for again with its tag only', async () => {
  const first = await server.api('GET', '/openapi.json');
  const etag = first.headers.get('etag');
  assert.match(etag, /^"\w+"$/);
  const again = await server.api('GET', '/openapi.json', { headers: { 'if-none-match': etag } });
  assert.equal(again.status, 304);
  assert.equal(again.text, '');
});

test('the page may run what stands in it and nothing else', async () => {
  for (const path of ['/docs', '/redoc']) {
    const reply = await server.api('GET', path);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('content-type'), 'text/html; charset=utf-8');
    const policy = reply.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    for (const tag of ['script', 'style']) {
      const pieces = [...reply.text.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))];
      assert.equal(pieces.length, 1);
      const hash = createHash('sha256').update(pieces[0][1]).digest('base64');
      assert.ok(policy.includes(`${tag}-src 'sha256-${hash}'`), `${tag}: ${policy}`);
    }
    assert.doesNotMatch(reply.text, /(src|href)="(https?:)?\/\//, 'asks somebody else');
    assert.doesNotMatch(reply.text, /\son\w+="|style="/, 'the policy forbids these');
  }
});
