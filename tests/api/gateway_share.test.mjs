// SPDX-License-Identifier: AGPL-3.0-or-later
//
// llm-share across the loops of a process: connections of many programs land on different loops, and
// all who ask the same share one call of the model.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { parseMetrics, valueOf } from '../support/metrics.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const PROGRAMS = 24; // the kernel spreads them over four loops: all on one, once in 4^23

let provider;
let server;
let mei;
before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_SHARE: 'on', HUTONG_LOOPS: '4' },
  });
  mei = await server.register('mei_shares');
});
after(async () => {
  await server.stop();
  await provider.stop();
});

const makeKey = async (to = server, who = mei) => assertOk(
  await to.api('POST', '/keys', { token: who.token, json: { name: 'k' } }), 201);

// What the keys have been booked, when that many requests are.
async function booked(keys, requests) {
  const ids = new Set(keys.map(({ id }) => id));
  const all = await until(async () => {
    const { items } = assertOk(await server.api('GET', '/usage', { token: mei.token }));
    return items.filter(({ key_id }) => ids.has(key_id));
  }, (rows) => rows.reduce((sum, row) => sum + row.requests, 0) === requests);
  return Object.fromEntries(keys.map(({ id }) => [id, all.find(({ key_id }) => key_id === id)]));
}

async function sharers() {
  const families = parseMetrics((await server.api('GET', '/metrics')).text);
  return valueOf(families, 'hutong_gateway_answers_total', { from: 'shared' });
}

// A program with a connection of its own.
class Program {
  constructor(content, key, { stream = true, to = server } = {}) {
    this.reply = '';
    const { hostname, port } = new URL(to.url);
    const body = JSON.stringify({ model: 'openai/m', stream, messages: [{ role: 'user', content }] });
    this.socket = net.connect(Number(port), hostname).setEncoding('utf8');
    this.socket.on('error', () => {});
    this.closed = once(this.socket, 'close');
    this.socket.on('data', (text) => { this.reply += text; this.changed?.(); });
    this.socket.write('POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\n' +
      `Authorization: Bearer ${key.key}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  get text() {
    return this.reply.split('\n').filter((line) => line.startsWith('data: {'))
      .map((line) => JSON.parse(line.slice(6)).choices?.[0]?.delta.content ?? '').join('');
  }

  get whole() {
    return this.reply.endsWith('data: [DONE]\n\n');
  }

  // Until its text is that far.
  heard(text) {
    return new Promise((done) => {
      this.changed = () => { if (this.text.startsWith(text)) done(); };
      this.changed();
    });
  }

  leave() {
    this.socket.destroy();
  }
}

// The first, and then the others, when the model has said `deltas` up to `stallAfter`.
async function share(content, keys, script, options) {
  const asked = provider.requests.length;
  const before = await sharers();
  provider.script([script]);
  const programs = [new Program(content, keys[0], options)];
  const upstream = await provider.request(asked);
  await provider.until(() => upstream.stalled);
  for (const key of keys.slice(1)) programs.push(new Program(content, key, options));
  await until(sharers, (now) => now === before + keys.length - 1);
  return { programs, upstream, asked };
}

const DELTAS = ['one', ' two', ' 三', ' four'];
const SCRIPT = { deltas: DELTAS, reasoning: ['hm'], stallAfter: 3, usage: { input: 9, output: 5 } };
const all = (key) => Array(PROGRAMS).fill(key);

test('who asks the same on any loop hears one answer, from its first word', async () => {
  const key = await makeKey();
  const { programs, upstream, asked } = await share('everywhere', all(key), SCRIPT);
  await Promise.all(programs.map((program) => program.heard('one two')));
  upstream.resume();
  await Promise.all(programs.map(({ closed }) => closed));
  for (const program of programs) {
    assert.equal(program.text, DELTAS.join(''));
    assert.ok(program.whole);
    assert.equal(program.reply.split('"role":"assistant"').length, 2, 'one beginning');
    assert.match(program.reply, /"reasoning_content":"hm"/);
  }
  assert.equal(provider.requests.length, asked + 1);
  const { [key.id]: row } = await booked([key], PROGRAMS);
  assert.deepEqual([row.shared_requests, row.input_tokens, row.output_tokens], [PROGRAMS - 1, 9, 5]);
});

test('tools come whole to every loop', async () => {
  const key = await makeKey();
  const { programs, upstream } = await share('call', all(key), {
    deltas: ['let me see'], stallAfter: 1, finish: 'tool',
    tools: [{ id: 'call_1', name: 'weather', arguments: '{"city":"北京"}' }, { id: 'call_2', name: 'time', arguments: '{}' }],
  });
  upstream.resume();
  await Promise.all(programs.map(({ closed }) => closed));
  for (const { reply } of programs) {
    const calls = [];
    for (const line of reply.split('\n').filter((text) => text.startsWith('data: {'))) {
      for (const piece of JSON.parse(line.slice(6)).choices[0]?.delta.tool_calls ?? []) {
        const call = calls[piece.index] ??= { id: '', name: '', arguments: '' };
        call.id += piece.id ?? '';
        call.name += piece.function.name ?? '';
        call.arguments += piece.function.arguments;
      }
    }
    assert.deepEqual(calls, [
      { id: 'call_1', name: 'weather', arguments: '{"city":"北京"}' },
      { id: 'call_2', name: 'time', arguments: '{}' }]);
    assert.match(reply, /"finish_reason":"tool_calls"/);
  }
});

test('whole answers are shared across loops, and so are failures', async () => {
  const key = await makeKey();
  const { programs, upstream } = await share('whole', all(key), { deltas: ['all of it'], stallAfter: 'request' }, { stream: false });
  upstream.resume();
  await Promise.all(programs.map(({ closed }) => closed));
  for (const { reply } of programs) assert.match(reply, /^HTTP\/1.[01] 200 [\s\S]*"content":"all of it"/);
  await booked([key], PROGRAMS);

  const broken = await share('broken', all(key), { deltas: ['half', 'more'], stallAfter: 1, resetAfter: 1 });
  await Promise.all(broken.programs.map((program) => program.heard('half')));
  broken.upstream.resume();
  await Promise.all(broken.programs.map(({ closed }) => closed));
  for (const program of broken.programs) {
    assert.equal(program.text, 'half');
    assert.match(program.reply, /"error":\{"message"/);
    assert.ok(!program.whole);
  }
});

test('the first pays; if it leaves, the next; who leaves last closes the connection upstream', async () => {
  const keys = await Promise.all(Array.from({ length: PROGRAMS }, () => makeKey()));
  const { programs, upstream } = await share('payers', keys, SCRIPT);
  const left = programs.slice(0, PROGRAMS / 2);
  for (const program of left) program.leave();
  await booked(keys.slice(0, left.length), left.length);
  assert.equal(upstream.closedAt, undefined);
  upstream.resume();
  await Promise.all(programs.slice(left.length).map(({ closed }) => closed));
  const rows = await booked(keys, PROGRAMS);
  const paid = keys.filter(({ id }) => rows[id].input_tokens > 0);
  assert.equal(paid.length, 1);
  assert.ok(keys.indexOf(paid[0]) >= left.length, 'who left pays nothing');
  assert.deepEqual([rows[paid[0].id].input_tokens, rows[paid[0].id].output_tokens], [9, 5]);
  for (const program of programs.slice(left.length)) assert.equal(program.text, DELTAS.join(''));

  for (let round = 0; round < 4; round++) { // the last one is on any loop
    const again = await share(`leavers ${round}`, all(keys[0]), SCRIPT);
    for (const program of again.programs.slice(1)) program.leave();
    assert.equal(again.upstream.closedAt, undefined);
    again.programs[0].leave();
    await provider.until(() => again.upstream.closedAt);
    // One who comes now is answered by a call of its own.
    provider.script([{ deltas: ['anew'] }]);
    const late = new Program(`leavers ${round}`, keys[0]);
    await late.closed;
    assert.equal(late.text, 'anew');
  }
});

test('a revoked key ends its own on every loop, and no other', async () => {
  const [good, bad] = [await makeKey(), await makeKey()];
  const keys = Array.from({ length: PROGRAMS }, (_, i) => (i % 2 ? good : bad)); // the first goes
  const { programs, upstream } = await share('revoked', keys, SCRIPT);
  assertOk(await server.api('DELETE', `/keys/${bad.id}`, { token: mei.token }), 204);
  await Promise.all(programs.filter((_, i) => i % 2 === 0).map(({ closed }) => closed));
  for (const { reply } of programs.filter((_, i) => i % 2 === 0)) assert.match(reply, /revoked/);
  assert.equal(upstream.closedAt, undefined);
  upstream.resume();
  for (const program of programs.filter((_, i) => i % 2)) {
    await program.closed;
    assert.equal(program.text, DELTAS.join(''));
  }
  const rows = await booked([good, bad], PROGRAMS);
  assert.equal(rows[bad.id].input_tokens, 0);
  assert.deepEqual([rows[good.id].input_tokens, rows[good.id].shared_requests], [9, PROGRAMS / 2 - 1]);

  const last = await makeKey();
  const alone = await share('all revoked', all(last), SCRIPT);
  assertOk(await server.api('DELETE', `/keys/${last.id}`, { token: mei.token }), 204);
  await provider.until(() => alone.upstream.closedAt);
});

test('one who does not read holds nobody up, and gets all of it later', async () => {
  const key = await makeKey();
  const deltas = Array.from({ length: 20_000 }, (_, i) => ` ${i}`);
  const { programs, upstream } = await share('slow ones', all(key), { deltas, stallAfter: 1, model: 'm'.repeat(600) });
  const slow = programs.filter((_, i) => i % 6 === 0);
  for (const { socket } of slow) socket.pause();
  upstream.resume();
  await Promise.all(programs.filter((_, i) => i % 6).map(({ closed }) => closed));
  for (const program of programs.filter((_, i) => i % 6)) assert.ok(program.text === deltas.join(''));
  for (const { socket } of slow) socket.resume();
  for (const program of slow) {
    await program.closed;
    assert.ok(program.text === deltas.join('') && program.whole, `${program.text.length} characters`);
  }
});

test('a stop in the middle ends it everywhere, and books it', async () => {
  const own = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_SHARE: 'on', HUTONG_LOOPS: '4', HUTONG_DRAIN_TIMEOUT: '1' },
  });
  const bo = await own.register('bo_shares');
  const key = await makeKey(own, bo);
  const asked = provider.requests.length;
  provider.script([SCRIPT]);
  const programs = Array.from({ length: PROGRAMS }, () => new Program('stop', key, { to: own }));
  const upstream = await provider.request(asked);
  await Promise.all(programs.map((program) => program.heard('one two')));
  assert.equal(provider.requests.length, asked + 1);
  const { dataDir } = own;
  await own.stop({ keepData: true });
  await provider.until(() => upstream.closedAt);
  await Promise.all(programs.map(({ closed }) => closed));
  for (const program of programs) assert.ok(!program.whole);
  const again = await startServer({ dataDir });
  try {
    const { items: [row] } = assertOk(await again.api('GET', '/usage', { token: bo.token }));
    assert.deepEqual([row.requests, row.shared_requests], [PROGRAMS, PROGRAMS - 1]);
    assert.ok(row.output_tokens > 0);
  } finally {
    await again.stop({ keepData: false });
  }
});

test('who is answered at once, while its key is looked up elsewhere, is answered', async (t) => {
  const other = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_CACHE: 'on', HUTONG_LOOPS: '2' } });
  t.after(() => other.stop());
  const who = await other.register('mei_kept');
  // So long that a request takes several pieces of memory, of which all but one are given back.
  const json = { model: 'openai/m', temperature: 0, messages: [{ role: 'user', content: 'the same again '.repeat(2000) }] };
  provider.script([{ deltas: ['Kept.'] }]);
  for (let i = 0; i < 20; i++) {
    const { key } = await makeKey(other, who); // known to no loop yet
    const { choices } = assertOk(await other.api('POST', '/v1/chat/completions', { token: key, json }));
    assert.equal(choices[0].message.content, 'Kept.');
  }
});
