// SPDX-License-Identifier: AGPL-3.0-or-later
//
// /chat, with npm's `ws` as the browser and a scripted provider as the model: docs/chat.md.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Chat, textOf } from '../support/chat.mjs';
import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

describe('/chat with no model at all', () => {
  let server;
  before(async () => { server = await startServer(); });
  after(() => server.stop());

  test('an_old_client_gets_an_answer_in_pieces_and_one_blank_frame', async () => {
    const chat = await Chat.open(server, { typed: false });
    chat.say('你好，你是谁？');
    const pieces = await chat.plainAnswer();
    assert.ok(pieces.length > 1, 'it streams');
    for (const piece of pieces) assert.notEqual(piece.trim(), '');
    assert.doesNotMatch(pieces.join(''), /^Error/);
    await chat.close();
  });

  test('a_typed_client_is_told_that_no_language_model_writes', async () => {
    const chat = await Chat.open(server);
    assert.equal(chat.ws.protocol, 'hutong.chat.v1');
    chat.say({ type: 'ask', text: 'Hello, who are you?' });
    const frames = await chat.until('done', 'error');
    assert.equal(frames[0].type, 'start');
    assert.equal(frames[0].offline, true);
    assert.ok(textOf(frames).length > 10);
    const { type, end, usage } = frames.at(-1);
    assert.deepEqual([type, end], ['done', 'complete']);
    assert.deepEqual(Object.keys(usage), ['input', 'output', 'cached', 'reasoning', 'estimated']);
    await chat.close();
  });

  test('what_is_no_message_is_answered_with_a_sentence_and_the_connection_stays', async () => {
    const chat = await Chat.open(server);
    for (const wrong of ['{"type":', '{"type":"sing"}', '{"type":"ask"}', '{"type":"ask","text":"   "}',
      '{"type":"ask","text":"hi","model":7}', '{"type":"ask","text":"hi","wait":"yes"}', '[]']) {
      chat.say(wrong);
      const { type, fault, detail } = JSON.parse(await chat.next());
      assert.deepEqual([type, fault], ['error', 'bad_request'], wrong);
      assert.ok(detail.length > 5, detail);
    }
    chat.ws.send(Buffer.from([1, 2, 3]), { binary: true });
    assert.equal(JSON.parse(await chat.next()).fault, 'bad_request');
    chat.say({ type: 'ask', text: 'still there?' });
    assert.equal((await chat.until('done')).at(-1).end, 'complete');
    await chat.close();
  });

  test('an_empty_question_of_an_old_client_gets_an_error_and_the_blank_frame', async () => {
    const chat = await Chat.open(server, { typed: false });
    chat.say('  ');
    const [error, ...rest] = await chat.plainAnswer();
    assert.match(error, /^Error: ./);
    assert.deepEqual(rest, []);
    await chat.close();
  });

  test('a_message_over_380_KiB_closes_with_1009_and_broken_UTF_8_with_1007', async () => {
    const large = await Chat.open(server);
    large.say('x'.repeat(390 * 1024));
    assert.equal((await large.closed).code, 1009);
    const broken = await Chat.open(server, { typed: false });
    broken.ws.send(Buffer.from([0xff, 0xfe]), { binary: false });
    assert.equal((await broken.closed).code, 1007);
  });

  test('a_bad_token_is_refused_and_a_log_out_ends_the_connection', async () => {
    const bad = new Chat(server, { query: '?token=garbage' });
    assert.equal((await bad.closed).code, 4002);
    const li = await server.register('li_chat');
    const chat = await Chat.open(server, { headers: { authorization: `Bearer ${li.token}` } });
    chat.say({ type: 'ask', text: 'hello' });
    await chat.until('done');
    assertOk(await server.api('POST', '/auth/logout', { token: li.token }), 204);
    assert.equal((await chat.closed).code, 4401);
  });

  test('a_plain_request_is_answered_426', async () => {
    assert.equal((await server.api('GET', '/chat')).status, 426);
  });
});

describe('/chat with a model', () => {
  let provider;
  let server;
  before(async () => {
    provider = await startProvider();
    server = await startServer({
      env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_CHAT_OPEN: 'on' },
    });
  });
  after(async () => {
    await server.stop();
    await provider.stop();
  });
  const asked = () => provider.requests.length;

  test('white_space_alone_waits_for_words_in_the_old_dialect_and_is_a_delta_in_ours', async () => {
    const deltas = ['one', '\n', '\u3000', 'two', ' ', '\n\n'];
    provider.script([{ deltas, split: 'bytes' }, { deltas }]);
    const old = await Chat.open(server, { typed: false });
    old.say('count');
    assert.deepEqual(await old.plainAnswer(), ['one', '\n\u3000two']);
    await old.close();
    const typed = await Chat.open(server);
    typed.say({ type: 'ask', text: 'count' });
    assert.equal(textOf(await typed.until('done')), deltas.join(''));
    await typed.close();
  });

  test('the_history_of_a_connection_goes_along_and_ends_with_it', async () => {
    const at = asked();
    provider.script([{ deltas: ['first'] }, { deltas: ['second'] }, { deltas: ['third'] }]);
    const chat = await Chat.open(server, { typed: false });
    chat.say('a');
    await chat.plainAnswer();
    chat.say('b');
    await chat.plainAnswer();
    await chat.close();
    const other = await Chat.open(server, { typed: false });
    other.say('c');
    await other.plainAnswer();
    await other.close();
    const said = async (i) => (await provider.request(at + i)).body.messages.map(({ role, content }) => `${role}:${content}`);
    assert.deepEqual(await said(1), ['user:a', 'assistant:first', 'user:b']);
    assert.deepEqual(await said(2), ['user:c']);
  });

  for (const typed of [true, false]) {
    test(`a_new_question_interrupts_at_once_and_what_was_said_is_kept (${typed ? 'typed' : 'old'})`, async () => {
      const at = asked();
      provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }, { deltas: ['whole'] }]);
      const chat = await Chat.open(server, { typed });
      const say = (text) => chat.say(typed ? { type: 'ask', text } : text);
      say('first?');
      if (typed) {
        await chat.until('delta');
        say('second?');
        const { usage } = (await chat.until('interrupted')).at(-1);
        assert.ok(usage, 'what was used so far');
        const frames = await chat.until('done');
        assert.equal(textOf(frames), 'whole');
      } else {
        assert.equal(await chat.next(), 'half');
        say('second?');
        assert.deepEqual(await chat.plainAnswer(), [], 'the first answer is over');
        assert.deepEqual(await chat.plainAnswer(), ['whole']);
      }
      const first = await provider.request(at);
      await provider.until(() => first.closedAt);
      const second = await provider.request(at + 1);
      assert.deepEqual(second.body.messages.map(({ content }) => content), ['first?', 'half', 'second?']);
      await chat.close();
    });
  }

  test('stop_ends_the_answer_and_a_browser_that_vanishes_ends_the_request', async () => {
    const at = asked();
    provider.script([{ deltas: ['a', 'b'], stallAfter: 1 }, { deltas: ['c', 'd'], stallAfter: 1 }]);
    const chat = await Chat.open(server);
    chat.say({ type: 'ask', text: 'go' });
    await chat.until('delta');
    chat.say({ type: 'stop' });
    await chat.until('interrupted');
    const stopped = await provider.request(at);
    await provider.until(() => stopped.closedAt);
    chat.say({ type: 'ask', text: 'again' });
    await chat.until('delta');
    chat.ws.terminate();
    const left = await provider.request(at + 1);
    await provider.until(() => left.closedAt);
  });

  test('half_an_answer_is_cut_off_and_a_failure_is_an_error_never_complete', async () => {
    provider.script([{ deltas: ['a', 'b'], endAfter: 1 }, { deltas: ['a', 'b'], endAfter: 1 }, { status: 401, error: { message: 'no' } }]);
    const chat = await Chat.open(server);
    chat.say({ type: 'ask', text: 'go' });
    const cut = (await chat.until('done', 'error')).at(-1);
    assert.deepEqual([cut.type, cut.end], ['done', 'cut_off']);
    assert.ok(cut.detail.length > 5);
    await chat.close();
    const old = await Chat.open(server, { typed: false });
    old.say('go');
    const pieces = await old.plainAnswer();
    assert.equal(pieces[0], 'a');
    assert.match(pieces[1], /^Error: ./);
    await old.close();
    const failed = await Chat.open(server);
    failed.say({ type: 'ask', text: 'go', model: 'openai/test-model' });
    const end = (await failed.until('done', 'error')).at(-1);
    if (end.type === 'error') assert.ok(end.fault && end.detail);
    assert.ok(end.type === 'error', JSON.stringify(end));
    await failed.close();
  });

  test('a_hundred_questions_wait_and_the_next_is_refused', async () => {
    provider.script([{ deltas: ['a', 'b'], stallAfter: 1 }]);
    const at = asked();
    const chat = await Chat.open(server);
    chat.say({ type: 'ask', text: 'first' });
    await chat.until('delta');
    for (let i = 1; i <= 101; i++) chat.say({ type: 'ask', text: `waits ${i}`, wait: true });
    const refusal = (await chat.until('error')).at(-1);
    assert.equal(refusal.fault, 'busy');
    assert.match(refusal.detail, /100/);
    provider.always({ deltas: ['ok'] });
    (await provider.request(at)).resume();
    const ends = [];
    while (ends.length < 101) ends.push((await chat.until('done', 'error')).at(-1).type);
    assert.deepEqual(new Set(ends), new Set(['done']));
    assert.equal(asked(), at + 101);
    assert.equal((await provider.request(at + 100)).body.messages.at(-1).content, 'waits 100');
    await chat.close();
  });
});

test('a stranger asks the usual model and those that are listed, a member any', async (t) => {
  const other = await startProvider();
  other.always({ deltas: ['yes'] });
  const server = await startServer({ env: {
    HUTONG_OPENAI_BASE: other.base('openai'), HUTONG_LLM_SITES: `lab=${other.base('openai')}`,
    HUTONG_LLM_MODEL: 'openai/usual', HUTONG_CHAT_OPEN_MODELS: 'lab/small-*, lab/tiny' } });
  t.after(() => Promise.all([server.stop(), other.stop()]));
  const stranger = await Chat.open(server);
  const says = async (chat, model) => {
    chat.say({ type: 'ask', text: 'hello', model });
    return (await chat.until('done', 'error')).at(-1);
  };
  for (const model of ['openai/o1-pro', 'lab/large', 'openai', 'openai/', 'o1-pro', 'org/o1-pro', 'lab/tiny-not']) {
    const { type, fault, detail } = await says(stranger, model);
    assert.deepEqual([type, fault], ['error', 'model_not_allowed'], model);
    assert.match(detail, /sign in to choose another/);
  }
  assert.equal(other.requests.length, 0);
  for (const model of [undefined, '', 'openai/usual', 'usual', 'lab/small-1', 'lab/tiny', 'offline/']) {
    assert.equal((await says(stranger, model)).type, 'done', model);
  }
  assert.deepEqual(other.requests.map((r) => r.body.model), ['usual', 'usual', 'usual', 'usual', 'small-1', 'tiny']);
  const { token } = await server.register('any_model');
  const member = await Chat.open(server, { query: `?token=${token}` });
  assert.equal((await says(member, 'openai/o1-pro')).type, 'done');
});

test('who answers in the place of another says why, and no address', async (t) => {
  const gone = await startProvider();
  const base = gone.base('openai');
  await gone.stop(); // its port refuses
  const server = await startServer({ env: { HUTONG_OPENAI_BASE: base, HUTONG_LLM_FALLBACK: 'offline' } });
  t.after(() => server.stop());
  const chat = await Chat.open(server);
  const sentence = 'openai cannot be reached, or the connection broke; check that it runs and that its address is right';
  for (const model of [undefined, 'offline/']) {
    chat.say({ type: 'ask', text: 'hello', model });
    const frames = await chat.until('done', 'error');
    for (const { type, offline, instead } of [frames[0], frames.at(-1)]) {
      assert.deepEqual([offline, instead], [true, model ? undefined : sentence], type);
    }
    assert.ok(!JSON.stringify(frames).includes(new URL(base).port));
  }
  await chat.close();
});

describe('/chat for members only, with a rate', () => {
  let server;
  before(async () => {
    server = await startServer({ env: { HUTONG_CHAT_OPEN: 'off', HUTONG_RATE_CHAT: '3' } });
  });
  after(() => server.stop());

  test('a_stranger_is_refused_and_a_member_comes_in_by_ticket_token_or_subprotocol', async () => {
    assert.equal((await new Chat(server).closed).code, 4001);
    const li = await server.register('li_only');
    const { ticket } = assertOk(await server.api('POST', '/live/ticket', { token: li.token }));
    for (const query of [`?ticket=${ticket}`, `?token=${li.token}`]) {
      const chat = await Chat.open(server, { query });
      chat.say({ type: 'ask', text: 'hello' });
      assert.equal((await chat.until('done')).at(-1).end, 'complete');
      await chat.close();
    }
  });

  test('too_many_questions_are_refused_with_a_sentence', async () => {
    const li = await server.register('li_fast');
    const chat = await Chat.open(server, { query: `?token=${li.token}` });
    for (let i = 0; i < 4; i++) chat.say({ type: 'ask', text: 'hello', wait: true });
    const { fault, detail } = (await chat.until('error')).at(-1);
    assert.equal(fault, 'rate_limited');
    assert.match(detail, /too many/);
    await chat.close();
  });
});

test('a site without a named model is asked once which it has, and again when that is gone', async () => {
  const local = await startProvider();
  const server = await startServer({ env: { HUTONG_OPENAI_BASE: local.base('openai') } });
  local.always({ deltas: ['hi'], models: ['first'] });
  const chat = await Chat.open(server, { typed: false });
  for (let i = 0; i < 2; i++) {
    chat.say('hello');
    assert.deepEqual(await chat.plainAnswer(), ['hi']);
  }
  assert.deepEqual(local.requests.map((r) => r.kind), ['models', 'chat', 'chat']);
  local.always({ deltas: ['hi'], models: ['second'] });
  local.script([{ status: 404, error: { code: 'model_not_found', message: 'first was unloaded' } }]);
  chat.say('hello');
  assert.deepEqual(await chat.plainAnswer(), ['hi']);
  assert.deepEqual(local.requests.slice(3).map((r) => [r.kind, r.body?.model]),
    [['chat', 'first'], ['models', undefined], ['chat', 'second']]);
  chat.ws.close();
  await chat.closed;
  await server.stop();
  await local.stop();
});
