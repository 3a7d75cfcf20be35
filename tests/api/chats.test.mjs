// SPDX-License-Identifier: AGPL-3.0-or-later
//
// /chat/conversations: what a member and a model said, kept; streams that can be rejoined.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { AnswerStream as Stream, isDelta, textOf } from '../support/answer_stream.mjs';
import { assertOk, assertProblem } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

let provider;
let server;
let li;
let wu;
const env = () => ({
  HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model',
  HUTONG_CHAT_TITLES: 'off', // scripts are for answers; titles: tests/live/titles.test.mjs
});
before(async () => {
  provider = await startProvider();
  server = await startServer({ env: { ...env(), HUTONG_CHAT_LINGER_SECONDS: '1' } });
  li = await server.register('li_chats');
  wu = await server.register('wu_chats');
});
after(async () => {
  await server.stop();
  await provider.stop();
});

const base = '/chat/conversations';
const make = async (json = {}, token = li.token) => assertOk(await server.api('POST', base, { token, json }), 201);
const ask = (chat, json) => Stream.open(server, 'POST', `${base}/${chat.id}/messages`, { token: li.token, json });
const turns = async (chat, at = server) => assertOk(await at.api('GET', `${base}/${chat.id}/messages`, { token: li.token })).items;

test('a_question_is_answered_in_a_stream_and_both_are_kept', async () => {
  provider.script([{ deltas: ['Hel', 'lo'], usage: { input: 7, output: 2 } }]);
  const chat = await make({ system: 'be kind' });
  const events = await (await ask(chat, { text: 'Say hello to me' })).until();
  // Pieces that come together leave together: one delta or two.
  const types = events.map(({ type }) => type);
  assert.deepEqual([...new Set(types)], ['turns', 'start', 'delta', 'done']);
  assert.deepEqual([types.indexOf('delta'), types.indexOf('done')], [2, types.length - 1]);
  assert.equal(textOf(events), 'Hello');
  const [question, answer] = await turns(chat);
  assert.deepEqual([question.role, question.content, question.parent], ['user', 'Say hello to me', 0]);
  assert.deepEqual([answer.role, answer.content, answer.status, answer.parent, answer.site, answer.offline],
    ['assistant', 'Hello', 'complete', question.id, 'openai', false]);
  assert.deepEqual([answer.input_tokens, answer.output_tokens, answer.estimated], [7, 2, false]);
  const sent = provider.requests.at(-1).body.messages;
  assert.deepEqual(sent.map(({ role, content }) => [role, content]), [['system', 'be kind'], ['user', 'Say hello to me']]);
  assert.equal(assertOk(await server.api('GET', `${base}/${chat.id}`, { token: li.token })).title, 'Say hello to me');
});

test('conversations_are_listed_in_pages_renamed_exported_and_deleted', async () => {
  const own = await server.register('own_chats');
  const made = [];
  for (let i = 0; i < 3; i++) made.push(await make({ title: `t${i}` }, own.token));
  const get = (query) => server.api('GET', `${base}${query}`, { token: own.token });
  const page = assertOk(await get('?limit=2'));
  assert.deepEqual(page.items.map(({ title }) => title), ['t2', 't1']);
  const rest = assertOk(await get(`?limit=2&before=${page.next_before}`));
  assert.deepEqual([rest.items.map(({ title }) => title), rest.next_before], [['t0'], null]);
  const to = `${base}/${made[0].id}`;
  assert.equal(assertOk(await server.api('PATCH', to, { token: own.token, json: { title: '新' } })).title, '新');
  assertProblem(await server.api('PATCH', to, { token: own.token, json: { title: '' } }), 422);
  provider.script([{ deltas: ['an answer'] }]);
  await (await Stream.open(server, 'POST', `${to}/messages`, { token: own.token, json: { text: 'why?' } })).until();
  const markdown = await server.api('GET', `${to}/export`, { token: own.token });
  assert.equal(markdown.text, '# 新\n\n## Question\n\nwhy?\n\n## Answer\n\nan answer\n');
  const json = assertOk(await server.api('GET', `${to}/export?format=json`, { token: own.token }));
  assert.deepEqual(json.messages.map(({ content }) => content), ['why?', 'an answer']);
  assertOk(await server.api('DELETE', to, { token: own.token }), 204);
  assertProblem(await server.api('GET', to, { token: own.token }), 404);
});

test('an_export_begins_with_the_first_question_however_long_the_line_is', async (t) => {
  const own = await startServer({ env: { HUTONG_LLM_SITES: 'nobody=http://127.0.0.1:9/v1', HUTONG_CHAT_TITLES: 'off', HUTONG_RATE_CHAT: '0' } });
  t.after(() => own.stop());
  const { token } = await own.register('long_line');
  const chat = assertOk(await own.api('POST', base, { token, json: { title: 'long' } }), 201);
  const to = `${base}/${chat.id}`;
  const say = (text, parent) => own.api('POST', `${to}/messages`, { token, json: { text, parent } });
  const wide = '字'.repeat(9000);
  for (let i = 1; i <= 60; i++) await say(`question ${i}: ${i % 2 ? wide : ''}`);
  const { items } = assertOk(await own.api('GET', `${to}/messages?limit=4&after=0`, { token }));
  const numbers = (text) => [...text.matchAll(/question (\w+):/g)].map(([, n]) => n);
  const all = Array.from({ length: 60 }, (_, i) => `${i + 1}`);
  const markdown = await own.api('GET', `${to}/export`, { token });
  assert.deepEqual(numbers(markdown.text), all);
  const json = assertOk(await own.api('GET', `${to}/export?format=json`, { token }));
  assert.deepEqual(numbers(json.messages.map(({ content }) => content).join('\n')), all);
  assert.equal(json.messages.length, 120);

  await say('question branch:', items[1].id);
  const branch = assertOk(await own.api('GET', `${to}/export?format=json`, { token }));
  assert.deepEqual(branch.messages.map(({ id }) => id).slice(0, 2), [items[0].id, items[1].id]);
  assert.equal(branch.messages.length, 4);
  assertProblem(await own.api('GET', `${to}/export?format=pdf`, { token }), 422);
  const empty = assertOk(await own.api('POST', base, { token, json: { title: 'none' } }), 201);
  assert.equal((await own.api('GET', `${base}/${empty.id}/export`, { token })).text, '# none\n');
});

test('a_second_device_joins_an_answer_from_its_first_token_and_gets_each_once', async () => {
  provider.script([{ deltas: ['a', 'b', 'c', 'd'], stallAfter: 2 }]);
  const at = provider.requests.length;
  const chat = await make();
  const first = await ask(chat, { text: 'go' });
  await first.heard('b');
  const { answer } = first.events[0];
  assert.equal(answer.status, 'streaming');
  const to = `${base}/${chat.id}/messages/${answer.id}/stream`;
  const others = await Promise.all(Array.from({ length: 6 }, () => Stream.open(server, 'GET', to, { token: li.token })));
  for (const other of others) await other.heard('b');
  (await provider.request(at)).resume();
  const all = await first.until();
  assert.equal(textOf(all), 'abcd');
  for (const other of others) {
    const events = await other.until();
    assert.equal(textOf(events), 'abcd');
    assert.deepEqual(events.filter((event) => !isDelta(event)), all.filter((event) => !isDelta(event)));
  }
  const late = await (await Stream.open(server, 'GET', to, { token: li.token })).until();
  assert.deepEqual([late.length, late[0].type, late[0].answer.content], [1, 'stored', 'abcd']);
  assertProblem(await server.api('GET', to, { token: wu.token }), 404);
});

test('while_a_model_is_silent_its_stream_is_not', async (t) => {
  const own = await startServer({ env: { ...env(), HUTONG_LIVE_PING: '1' } });
  t.after(() => own.stop());
  const { token } = await own.register('patient');
  const { id } = assertOk(await own.api('POST', base, { token, json: {} }), 201);
  const at = provider.requests.length;
  provider.script([{ deltas: ['a', 'b'], stallAfter: 1 }]);
  const stream = await Stream.open(own, 'POST', `${base}/${id}/messages`, { token, json: { text: 'go' } });
  await stream.heard('a');
  await stream.commented(2);
  (await provider.request(at)).resume();
  assert.equal(textOf(await stream.until()), 'ab');
});

test('stop_is_answered_when_the_interrupted_answer_is_stored', async () => {
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  const at = provider.requests.length;
  const chat = await make();
  const stream = await ask(chat, { text: 'go' });
  await stream.until(isDelta);
  const { answer } = stream.events[0];
  assertProblem(await server.api('POST', `${base}/${chat.id}/messages`, { token: li.token, json: { text: 'again' } }), 409);
  const to = `${base}/${chat.id}/messages/${answer.id}/stop`;
  assertProblem(await server.api('POST', to, { token: wu.token }), 404);
  assertOk(await server.api('POST', to, { token: li.token }), 204);
  const stored = (await turns(chat))[1];
  assert.deepEqual([stored.status, stored.content], ['interrupted', 'half']);
  assert.equal((await stream.until()).at(-1).type, 'interrupted');
  const asked = await provider.request(at);
  await provider.until(() => asked.closedAt);
  assertOk(await server.api('POST', to, { token: li.token }), 204);
});

test('another_answer_and_an_edited_question_are_branches', async () => {
  provider.script([{ deltas: ['one'] }, { deltas: ['two'] }, { deltas: ['three'] }]);
  const chat = await make();
  await (await ask(chat, { text: 'q' })).until();
  const [question, one] = await turns(chat);
  const to = `${base}/${chat.id}/messages/${one.id}/regenerate`;
  await (await Stream.open(server, 'POST', to, { token: li.token })).until();
  await (await ask(chat, { text: 'edited', parent: question.parent })).until();
  const all = await turns(chat);
  assert.deepEqual(all.map(({ content }) => content), ['q', 'one', 'two', 'edited', 'three']);
  assert.deepEqual(all.map(({ parent }) => parent), [0, question.id, question.id, 0, all[3].id]);
  assert.deepEqual(provider.requests.at(-1).body.messages.map(({ content }) => content), ['edited']);
  for (const parent of ['x', question.id]) {
    assertProblem(await server.api('POST', `${base}/${chat.id}/messages`, { token: li.token, json: { text: 'q', parent } }), 422);
  }
});

test('turns_come_in_pages_from_either_end', async () => {
  const chat = await make();
  provider.script([{ deltas: ['a'] }, { deltas: ['b'] }, { deltas: ['c'] }]);
  for (const text of ['one', 'two', 'three']) await (await ask(chat, { text })).until();
  const all = (await turns(chat)).map(({ id }) => id);
  const walk = async (cursor, from) => {
    const pages = [];
    for (let at = from; at !== null;) {
      const page = assertOk(await server.api('GET', `${base}/${chat.id}/messages?limit=4&${cursor}=${at}`, { token: li.token }));
      assert.deepEqual(Object.keys(page), ['items', `next_${cursor}`]);
      pages.push(page.items.map(({ id }) => id));
      at = page[`next_${cursor}`];
    }
    return pages;
  };
  assert.deepEqual(await walk('after', 0), [all.slice(0, 4), all.slice(4)]);
  assert.deepEqual(await walk('before', Number.MAX_SAFE_INTEGER), [all.slice(2).reverse(), all.slice(0, 2).reverse()]);
  assertProblem(await server.api('GET', `${base}/${chat.id}/messages?before=9&after=1`, { token: li.token }), 422);
  assertProblem(await server.api('GET', `${base}/${chat.id}/messages?before=9`, { token: wu.token }), 404);
});

test('half_an_answer_is_stored_as_cut_off_and_a_failure_as_failed', async () => {
  const chat = await make();
  provider.script([{ deltas: ['a', 'b'], endAfter: 1 }]);
  const events = await (await ask(chat, { text: 'go' })).until();
  assert.deepEqual([events.at(-1).type, events.at(-1).end], ['done', 'cut_off']);
  provider.script([{ status: 401, error: { message: 'no' } }]);
  assert.equal((await (await ask(chat, { text: 'go on' })).until()).at(-1).type, 'error');
  const all = await turns(chat);
  assert.deepEqual(all.map(({ status }) => status), ['complete', 'cut_off', 'complete', 'failed']);
  assert.ok(all[3].detail.length > 5);
});

test('reasoning_that_is_longer_than_what_is_kept_says_so_and_the_answer_is_whole', async () => {
  const chat = await make();
  provider.script([{ reasoning: Array.from({ length: 11 }, () => '想'.repeat(33_334)), deltas: ['done'] }]);
  const events = await (await ask(chat, { text: 'think' })).until();
  assert.deepEqual([events.at(-1).type, events.at(-1).end], ['done', 'complete']);
  const [, answer] = await turns(chat);
  assert.deepEqual([answer.status, answer.content], ['complete', 'done']);
  const [, kept] = answer.reasoning.match(/^(想+)\n\n\[[^\]]*longer than this server keeps\)\]$/u);
  assert.equal(kept.length, Math.floor(1024 * 1024 / 3));
  assert.equal(events.filter(({ type }) => type === 'reasoning').map(({ text }) => text).join(''), answer.reasoning);
});

test('an_answer_goes_on_without_readers_and_ends_when_nobody_came_back', async () => {
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  const at = provider.requests.length;
  const chat = await make();
  const stream = await ask(chat, { text: 'go' });
  await stream.until(isDelta);
  stream.leave.abort();
  const asked = await provider.request(at);
  await provider.until(() => asked.closedAt);
  const { id } = (await turns(chat))[1];
  const to = `${base}/${chat.id}/messages/${id}/stream`;
  await (await Stream.open(server, 'GET', to, { token: li.token })).until();
  const stored = (await turns(chat))[1];
  assert.deepEqual([stored.status, stored.content], ['interrupted', 'half']);
});

test('an_answer_that_is_read_goes_on_for_longer_than_it_would_without_readers', async () => {
  const deltas = Array.from({ length: 12 }, (_, i) => `${i} `);
  provider.script([{ deltas, everyMs: 400 }]); // 4.8 s; alone it may go on for one, seen within two more
  const events = await (await ask(await make(), { text: 'go' })).until();
  assert.deepEqual([events.at(-1).type, events.at(-1).end, textOf(events)], ['done', 'complete', deltas.join('')]);
});

test('a_repeated_question_with_its_Idempotency_Key_is_asked_once', async () => {
  provider.script([{ deltas: ['once'] }]);
  const chat = await make();
  const send = () => server.api('POST', `${base}/${chat.id}/messages`, {
    token: li.token, json: { text: 'go' }, headers: { 'idempotency-key': `key-${chat.id}` },
  });
  await send();
  const again = assertOk(await send());
  const all = await turns(chat);
  assert.equal(all.length, 2);
  assert.equal(again.answer.id, all[1].id);
});

for (const signal of ['kill', 'stop']) {
  test(`after_a_${signal}_in_the_middle_the_answer_is_cut_off_never_complete`, async () => {
    provider.script([{ deltas: ['half', 'never'], reasoning: ['hm'], stallAfter: 2 }]);
    // Given a folder, it is SQLite whatever the others use: who dies gives no database back.
    const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-chats-'));
    const first = await startServer({ env: env(), dataDir });
    const me = await first.register('killed');
    const chat = assertOk(await first.api('POST', base, { token: me.token, json: {} }), 201);
    const stream = await Stream.open(first, 'POST', `${base}/${chat.id}/messages`, { token: me.token, json: { text: 'go' } });
    await stream.until(isDelta);
    const ended = stream.until().catch(() => {});
    const kept = async (at) => assertOk(await at.api('GET', `${base}/${chat.id}/messages`, { token: me.token })).items;
    if (signal === 'kill') {
      // Stored every five seconds or so, and not the end of it.
      const [, half] = await until(() => kept(first), ([, { content }]) => content !== '');
      assert.deepEqual([half.status, half.content, half.reasoning, half.site], ['streaming', 'half', 'hm', 'openai']);
      await first.kill();
    } else {
      await first.stop({ keepData: true });
    }
    await ended;
    const second = await startServer({ env: env(), dataDir });
    const [question, answer] = await kept(second);
    assert.deepEqual([question.status, answer.status], ['complete', 'cut_off']);
    assert.deepEqual([answer.content, answer.reasoning, answer.site], ['half', 'hm', 'openai']);
    await second.stop({ keepData: true });
    await rm(dataDir, { recursive: true, force: true });
  });
}

test('a_conversation_too_long_for_the_model_is_asked_again_with_the_question_alone', async () => {
  const chat = await make({ system: 'be brief' });
  const before = provider.requests.length;
  provider.script([
    { deltas: ['one'] },
    { status: 400, error: { code: 'context_length_exceeded', message: 'too long' } },
    { deltas: ['two'] },
  ]);
  await (await ask(chat, { text: 'first' })).until();
  const stream = await ask(chat, { text: 'second' });
  assert.equal(textOf(await stream.until()), 'two');
  assert.deepEqual(provider.requests.slice(before).map((r) => r.body.messages.map((m) => m.content)),
    [['be brief', 'first'], ['be brief', 'first', 'one', 'second'], ['be brief', 'second']]);
});

test('a_member_sees_which_models_there_are_to_choose_from', async (t) => {
  assertProblem(await server.api('GET', '/chat/models'), 401);
  const own = await startServer({ env: { ...env(), HUTONG_LOOPS: '1' } });
  t.after(() => own.stop());
  const me = await own.register('chooses');
  provider.script([{ kind: 'models', models: ['qwen3', 'org/model'] }]);
  const asked = [1, 2].map(() => own.api('GET', '/chat/models', { token: me.token }));
  for (const reply of await Promise.all(asked)) {
    const { default: usual, items } = assertOk(reply);
    assert.equal(usual, 'openai/test-model');
    assert.deepEqual(items.sort((a, b) => (a.id < b.id ? -1 : 1)), [
      { id: 'offline/hutong-offline', site: 'offline', offline: true },
      { id: 'openai/org/model', site: 'openai', offline: false },
      { id: 'openai/qwen3', site: 'openai', offline: false },
    ]);
  }
});
