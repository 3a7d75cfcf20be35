// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The topic chat:ID: what happens in a conversation with a model, on every device of its owner.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const base = '/chat/conversations';
let provider;
let server;
let li;
let wu;
const env = () => ({
  HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_LOOPS: '3',
  HUTONG_CHAT_TITLES: 'off',
});
before(async () => {
  provider = await startProvider();
  server = await startServer({ env: env() });
  li = await server.register('li_hears');
  wu = await server.register('wu_hears');
});
after(async () => {
  await server.stop();
  await provider.stop();
});

const make = async (json = {}, at = server, token = li.token) => assertOk(await at.api('POST', base, { token, json }), 201);
// Asks and reads the stream to its end; the promise is of the whole reply.
const ask = (chat, json, at = server, token = li.token) => at.api('POST', `${base}/${chat.id}/messages`, { token, json });

// A device that shows a conversation, as a client of docs/chat.md does.
class Device {
  answers = new Map(); // turn → { text, reasoning, pieces, ended }
  static async open(chat, { at = server, token = li.token, after: from } = {}) {
    const device = new Device();
    device.topic = `chat:${chat.id}`;
    device.live = await Live.open(at, token);
    device.answer = await device.live.subscribe(device.topic, from);
    return device;
  }

  events(kind) {
    return this.live.events(kind).filter(({ topic }) => topic === this.topic);
  }

  asked() {
    return this.live.event('chat.asked').then(({ data }) => data);
  }

  // The words of an answer by now, put together out of all that was said of it.
  text(turn, field = 'delta') {
    let text = '';
    for (const { data } of this.events('chat.piece')) {
      if (data.turn !== turn) continue;
      if (data.type === 'so_far') text = field === 'delta' ? data.text : data.reasoning;
      if (data.type === field) text += data.text;
    }
    return text;
  }

  async until(turn, text) {
    while (this.text(turn) !== text) await this.live.event('chat.piece');
  }

  ended(turn) {
    return this.live.next(({ event, data }) => event === 'chat.answered' && data.turn === turn).then(({ data }) => data);
  }
}

test('a_second_device_sees_the_question_and_its_answer_as_it_is_written', async () => {
  provider.script([{ deltas: ['Hel', 'lo'], reasoning: ['hm'], stallAfter: 'request', usage: { input: 7, output: 2 } }]);
  const at = provider.requests.length;
  const chat = await make();
  const devices = await Promise.all([1, 2, 3].map(() => Device.open(chat)));
  const reply = ask(chat, { text: 'Say hello' });
  for (const device of devices) {
    const { question, answer } = await device.asked();
    assert.deepEqual([question.role, question.content, question.status], ['user', 'Say hello', 'complete']);
    assert.deepEqual([answer.role, answer.content, answer.status, answer.parent], ['assistant', '', 'streaming', question.id]);
    device.turn = answer.id;
  }
  (await provider.request(at)).resume();
  assertOk(await reply);
  for (const device of devices) {
    const end = await device.ended(device.turn);
    assert.deepEqual(end, {
      turn: device.turn, status: 'complete', site: 'openai', model: 'test-model', offline: false, detail: '',
      input_tokens: 7, output_tokens: 2, estimated: false,
    });
    const pieces = device.events('chat.piece');
    for (const { id, data } of pieces) assert.deepEqual([id, data.turn], [undefined, device.turn]);
    const kinds = pieces.map(({ data }) => data.type); // deltas that come together are one
    assert.deepEqual([...new Set(kinds)], ['start', 'reasoning', 'delta']);
    assert.deepEqual([device.text(device.turn, 'reasoning'), device.text(device.turn)], ['hm', 'Hello']);
    const order = device.live.messages.filter(({ topic }) => topic === device.topic).map(({ event, type }) => event ?? type);
    assert.deepEqual(order, ['subscribed', 'chat.updated', 'chat.asked', ...kinds.map(() => 'chat.piece'), 'chat.answered']);
    await device.live.close();
  }
});

test('who_comes_in_the_middle_gets_the_answer_from_its_first_token_and_each_once', async () => {
  const words = Array.from({ length: 40 }, (_, i) => `w${i} `);
  provider.script([{ deltas: words, reasoning: ['think', ' hard'], stallAfter: 22 }]);
  const at = provider.requests.length;
  const chat = await make();
  const first = await Device.open(chat);
  const reply = ask(chat, { text: 'go' });
  const turn = (await first.asked()).answer.id;
  const half = words.slice(0, 20).join('');
  await first.until(turn, half);
  const late = await Promise.all([1, 2, 3, 4].map(() => Device.open(chat)));
  for (const device of late) {
    await device.until(turn, half);
    const [piece, ...more] = device.events('chat.piece');
    assert.deepEqual([piece.data.type, piece.data.reasoning, piece.data.text, more.length], ['so_far', 'think hard', half, 0]);
    assert.deepEqual([piece.data.site, piece.data.model, piece.data.offline], ['openai', 'test-model', false]);
  }
  (await provider.request(at)).resume();
  await reply;
  for (const device of [first, ...late]) {
    assert.equal((await device.ended(turn)).status, 'complete');
    assert.equal(device.text(turn), words.join(''));
    assert.equal(device.text(turn, 'reasoning'), 'think hard');
    await device.live.close();
  }
});

test('a_device_that_was_away_gets_the_events_and_then_the_answer_under_way', async () => {
  const chat = await make();
  const first = await Device.open(chat);
  const { id } = first.answer;
  await first.live.close();
  provider.script([{ deltas: ['one'] }, { deltas: ['t', 'wo'], stallAfter: 1 }]);
  const at = provider.requests.length;
  await ask(chat, { text: 'first' });
  const reply = ask(chat, { text: 'second' });
  const asked = await provider.request(at + 1);
  await provider.until(() => asked.stalled);
  const back = await Device.open(chat, { after: id });
  const turn = back.events('chat.asked').at(-1).data.answer.id;
  await back.until(turn, 't');
  asked.resume();
  await reply;
  assert.equal((await back.ended(turn)).status, 'complete');
  assert.equal(back.text(turn), 'two');
  const numbered = back.events().filter((m) => m.id);
  assert.deepEqual(numbered.map(({ event }) => event).filter((event) => event !== 'chat.updated'),
    ['chat.asked', 'chat.answered', 'chat.asked', 'chat.answered']);
  await back.live.close();
});

test('a_stranger_may_not_hear_it_and_neither_may_its_owner_when_it_is_gone', async () => {
  const chat = await make();
  const live = await Live.open(server, wu.token);
  for (const topic of [`chat:${chat.id}`, 'chat:999999']) {
    const said = await live.subscribe(topic);
    assert.deepEqual([said.type, said.detail], ['error', 'no such conversation, or it is not yours']);
  }
  await ask(chat, { text: 'a secret' });
  await live.settle();
  assert.deepEqual(live.events(), []);
  await live.close();
});

test('stop_and_a_failure_are_heard_with_their_status', async () => {
  const chat = await make();
  const device = await Device.open(chat);
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  const reply = ask(chat, { text: 'go' });
  const turn = (await device.asked()).answer.id;
  await device.until(turn, 'half');
  assertOk(await server.api('POST', `${base}/${chat.id}/messages/${turn}/stop`, { token: li.token }), 204);
  await reply;
  assert.equal((await device.ended(turn)).status, 'interrupted');
  provider.script([{ status: 401, error: { message: 'no' } }]);
  await server.api('POST', `${base}/${chat.id}/messages/${turn}/regenerate`, { token: li.token });
  const again = (await device.asked()).answer;
  const end = await device.ended(again.id);
  assert.deepEqual([end.status, end.site === '' || end.site === 'openai'], ['failed', true]);
  assert.ok(end.detail.length > 5);
  await device.live.close();
});

test('a_list_on_another_device_follows_what_is_made_renamed_and_deleted', async () => {
  const live = await Live.open(server, li.token);
  const { id: from } = await live.subscribe('me');
  const chat = await make({ title: 'old' });
  const device = await Device.open(chat);
  assert.equal((await live.event('chat.updated')).data.title, 'old');
  const { id: inTopic } = device.answer;
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  const at = provider.requests.length;
  const reply = ask(chat, { text: 'my secret' });
  const turn = (await device.asked()).answer.id;
  await device.until(turn, 'half');
  assertOk(await server.api('PATCH', `${base}/${chat.id}`, { token: li.token, json: { title: 'new' } }));
  for (const hears of [live, device.live]) assert.equal((await hears.event('chat.updated')).data.title, 'new');
  assertOk(await server.api('DELETE', `${base}/${chat.id}`, { token: li.token }), 204);
  for (const hears of [live, device.live]) assert.deepEqual((await hears.event('chat.deleted')).data, { id: chat.id });
  // Nobody pays for an answer that nobody can see any more, and its words are in no log.
  const asked = await provider.request(at);
  await provider.until(() => asked.closedAt);
  await reply;
  assert.equal((await device.live.subscribe(device.topic, inTopic)).type, 'error');
  const left = await server.sql("SELECT COUNT(*) AS n FROM events WHERE payload LIKE '%my secret%'");
  assert.deepEqual(left, [{ n: 0 }]);
  await Promise.all([live.close(), device.live.close()]);
  // Who was away gets the last word alone.
  const back = await Live.open(server, li.token);
  await back.subscribe('me', from);
  assert.deepEqual(back.events().map(({ event, data }) => [event, data.id]), [['chat.deleted', chat.id]]);
  await back.close();
});

test('unsubscribing_a_log_out_and_a_vanished_socket_end_it', async () => {
  const other = await startServer({ env: { ...env(), HUTONG_CHAT_LINGER_SECONDS: '1' } });
  const me = await other.register('me_hears');
  const here = { at: other, token: me.token };
  provider.script([{ deltas: ['a', 'b', 'c'], stallAfter: 1 }]);
  const at = provider.requests.length;
  const chat = await make({}, other, me.token);
  const devices = await Promise.all([1, 2, 3].map(() => Device.open(chat, here)));
  const left = AbortSignal.timeout(20_000), stop = new AbortController();
  const reply = fetch(`${other.url}${base}/${chat.id}/messages`, {
    method: 'POST', signal: AbortSignal.any([left, stop.signal]), body: JSON.stringify({ text: 'go' }),
    headers: { authorization: `Bearer ${me.token}`, 'content-type': 'application/json' },
  });
  const [one, two, three] = devices;
  const turn = (await one.asked()).answer.id;
  for (const device of devices) await device.until(turn, 'a');
  await (await reply).body.getReader().read();
  stop.abort(); // now those who hear it are the only ones
  await one.live.ask({ type: 'unsubscribe', topic: one.topic }, (m) => m.type === 'unsubscribed');
  two.live.destroy();
  await two.live.closed;
  const asked = await provider.request(at);
  // While the third is there it goes on, longer than it would alone (1 s, seen within two more).
  const began = Date.now();
  await until(() => other.api('GET', '/health'), () => Date.now() - began > 4000);
  assert.equal(asked.closedAt, undefined);
  assert.equal((await other.api('POST', '/auth/logout', { token: me.token })).status < 300, true);
  assert.equal((await three.live.closed).code, 4401);
  await provider.until(() => asked.closedAt);
  await one.live.closed;
  assert.equal(one.text(turn), 'a');
  await other.stop();
});

test('a_reader_that_takes_nothing_is_dropped_and_has_the_whole_answer_when_it_is_back', { timeout: 120_000 }, async () => {
  const other = await startServer({ env: { ...env(), HUTONG_LIVE_QUEUE_BYTES: '65536' } });
  const me = await other.register('me_slow');
  const chat = await make({}, other, me.token);
  const device = await Device.open(chat, { at: other, token: me.token });
  const { id } = device.answer;
  device.live.ws.pause();
  const piece = 'x'.repeat(4000);
  const deltas = Array.from({ length: 240 }, () => piece); // below the megabyte that is kept
  // The kernel's buffers take megabytes before our own queue begins to fill.
  for (let asked = 0; !/ws\.slow/.test(other.log()); asked++) {
    assert.ok(asked < 40, '40 MB wait for a reader that does not read');
    provider.script([{ deltas }]);
    assertOk(await ask(chat, { text: 'go' }, other, me.token));
    const newest = async () => (await other.api('GET', `${base}/${chat.id}/messages?after=${2 * asked}`, { token: me.token })).body.items;
    await until(newest, (items) => items.at(-1).status === 'complete');
  }
  device.live.ws.resume();
  assert.equal((await device.live.closed).code, 4010);
  provider.script([{ deltas, stallAfter: 239 }]);
  const at = provider.requests.length;
  const reply = ask(chat, { text: 'go' }, other, me.token);
  const asked = await provider.request(at);
  await provider.until(() => asked.stalled);
  const back = await Device.open(chat, { at: other, token: me.token, after: id });
  const turn = back.events('chat.asked').at(-1).data.answer.id;
  await back.until(turn, piece.repeat(239)); // a frame of nearly a megabyte, past a queue of 64 kB
  asked.resume();
  await reply;
  assert.equal((await back.ended(turn)).status, 'complete');
  assert.equal(back.text(turn), piece.repeat(240));
  await back.live.close();
  await other.stop();
});

const eventsOf = (text) => text.trim().split('\n\n').map((block) => JSON.parse(block.slice('data: '.length)));
const said = (events, type) => events.filter((event) => event.type === type).map(({ text }) => text).join('');

test('a_long_answer_is_joined_late_from_its_first_word', { timeout: 60_000 }, async () => {
  const deltas = Array.from({ length: 6000 }, (_, i) => ` ${i} ${'词'.repeat(20)}`); // 400 kB, and its events a megabyte
  provider.script([{ deltas, reasoning: ['hm', ' ha'], stallAfter: 6001 }]);
  const at = provider.requests.length;
  const chat = await make();
  const device = await Device.open(chat);
  const first = ask(chat, { text: 'At length' });
  const asked = await provider.request(at);
  const turn = (await device.asked()).answer.id;
  await provider.until(() => asked.stalled);
  await device.until(turn, deltas.slice(0, 5999).join(''));
  const joined = await fetch(`${server.url}${base}/${chat.id}/messages/${turn}/stream`, {
    headers: { authorization: `Bearer ${li.token}` }, signal: AbortSignal.timeout(20_000),
  });
  asked.resume();
  for (const text of [(await first).text, await joined.text()]) {
    const events = eventsOf(text);
    assert.deepEqual([events[0].type, events[1].type, events.at(-1).type], ['turns', 'start', 'done']);
    assert.equal(said(events, 'reasoning'), 'hm ha');
    assert.ok(said(events, 'delta') === deltas.join(''));
    const others = events.filter(({ type }) => !['reasoning', 'delta'].includes(type));
    assert.equal(others.length, 3);
  }
  assert.ok(device.text(turn) === deltas.join(''));
  await device.live.close();
});

test('an_answer_without_a_word_names_who_was_asked', async () => {
  for (const [script, status, type, detail] of [
    [{ deltas: [], finish: 'filter' }, 'refused', 'done', /filter of openai/],
    [{ status: 401, error: { message: 'no' } }, 'failed', 'error', /openai does not accept/],
  ]) {
    const chat = await make();
    const device = await Device.open(chat);
    provider.script([script]);
    const reply = await ask(chat, { text: 'Say nothing' });
    const end = JSON.parse(reply.text.trim().split('\n').at(-1).slice(6));
    assert.deepEqual([end.type, end.site, end.model, end.offline], [type, 'openai', 'test-model', false]);
    assert.match(end.detail, detail);
    const { answer } = await device.asked();
    const told = await device.ended(answer.id);
    assert.deepEqual([told.status, told.site, told.model], [status, 'openai', 'test-model']);
    const { items } = assertOk(await server.api('GET', `${base}/${chat.id}/messages`, { token: li.token }));
    assert.deepEqual([items[1].status, items[1].site, items[1].model], [status, 'openai', 'test-model']);
    assert.match(items[1].detail, detail);
    await device.live.close();
  }
});

test('server_sent_events_bring_the_pieces_too', async () => {
  provider.script([{ deltas: ['p', 'q'], stallAfter: 'request' }]);
  const at = provider.requests.length;
  const chat = await make();
  const leave = new AbortController();
  const stream = await fetch(`${server.url}/live/events?topics=chat:${chat.id}`, {
    headers: { authorization: `Bearer ${li.token}` }, signal: AbortSignal.any([leave.signal, AbortSignal.timeout(20_000)]),
  });
  const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  const upTo = async (word) => { while (!text.includes(word)) text += (await reader.read()).value; };
  await upTo('"subscribed"');
  const reply = ask(chat, { text: 'go' });
  await upTo('chat.asked');
  (await provider.request(at)).resume();
  await reply;
  await upTo('chat.answered');
  const heard = [...text.matchAll(/^data: (.*)$/gm)].map(([, json]) => JSON.parse(json));
  const pieces = heard.filter(({ event }) => event === 'chat.piece').map(({ data }) => data);
  assert.equal(pieces[0].type, 'start');
  assert.equal(said(pieces, 'delta'), 'pq');
  leave.abort();
});

test('who_reads_while_the_server_stops_hears_that_the_answer_was_cut_off_and_why', async () => {
  const one = await startServer({ env: env() });
  const me = await one.register('me_stop');
  const chat = await make({}, one, me.token);
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  const reply = await fetch(`${one.url}${base}/${chat.id}/messages`, {
    method: 'POST', headers: { authorization: `Bearer ${me.token}`, 'content-type': 'application/json' }, body: '{"text":"go"}' });
  const pieces = reply.body.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let text = '';
  while (!text.includes('half')) text += (await pieces.next()).value;
  const stopped = one.stop();
  for (let piece; !(piece = await pieces.next()).done;) text += piece.value;
  const end = JSON.parse(/data: ([^\n]+)\n\n$/.exec(text)[1]);
  assert.deepEqual([end.type, end.end, end.detail], ['done', 'cut_off', 'the server restarts']);
  await stopped;
});

test('after_a_crash_who_comes_back_hears_that_the_answer_was_cut_off', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-hears-'));
  // SQLite in that folder also where others use MariaDB: who dies gives no database back.
  const here = { env: { ...env(), HUTONG_DATABASE: `sqlite:${dataDir}/hutong.db` }, dataDir };
  const one = await startServer(here);
  const me = await one.register('me_crash');
  const chat = await make({}, one, me.token);
  const device = await Device.open(chat, { at: one, token: me.token });
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  const reply = ask(chat, { text: 'go' }, one, me.token).catch(() => {});
  const turn = (await device.asked()).answer.id;
  await device.until(turn, 'half');
  const last = device.events().filter((m) => m.id).at(-1).id;
  await one.kill();
  await reply;
  const two = await startServer(here);
  const back = await Device.open(chat, { at: two, token: me.token, after: last });
  assert.deepEqual(back.events().map(({ event, data }) => [event, data.turn, data.status]), [['chat.answered', turn, 'cut_off']]);
  await back.live.close();
  await two.stop({ keepData: true });
  await rm(dataDir, { recursive: true, force: true });
});
