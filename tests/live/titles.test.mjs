// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A conversation gets a title by itself, from the model that gave its first answer.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const base = '/chat/conversations';
let provider;
let server;
let li;
let silent; // a provider that never gives a title; asked for one before everything else
let late; // { asked, chat }
before(async () => {
  provider = await startProvider();
  silent = await startProvider();
  silent.always((asked) => (isForTitle(asked) ? { deltas: ['Too late'], stallAfter: 'request' } : { deltas: ['yes'] }));
  server = await startServer({
    env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_LLM_FALLBACK: 'offline', HUTONG_LLM_SITES: `silent=${silent.base('openai')}` },
  });
  li = await server.register('li_titles');
  const chat = await make({ model: 'silent/m' });
  await ask(chat, 'Who waits for ever?');
  late = { chat, asked: await silent.until(() => silent.requests.find(isForTitle)) };
});
after(async () => {
  await server.stop();
  await provider.stop();
  await silent.stop();
});

const make = async (json = {}) => assertOk(await server.api('POST', base, { token: li.token, json }), 201);
const ask = (chat, text) => server.api('POST', `${base}/${chat.id}/messages`, { token: li.token, json: { text } });
const titleOf = async (chat) => assertOk(await server.api('GET', `${base}/${chat.id}`, { token: li.token })).title;
const isForTitle = (asked) => /You name conversations/.test(asked.text);
// How often a title was asked for where that is in the question.
const titlesAsked = (question) => provider.requests.filter((asked) => isForTitle(asked) && asked.text.includes(question)).length;
const questionWith = (words) => provider.until(() => provider.requests.find((asked) => !isForTitle(asked) && asked.text.includes(words)));

// What comes is decided by what is asked: an answer, or its title.
function scripts(answer, title) {
  provider.always((asked) => (isForTitle(asked) ? title : answer));
}

async function listener(chat) {
  const live = await Live.open(server, li.token);
  await live.subscribe('me');
  await live.subscribe(`chat:${chat.id}`);
  live.title = (topic, title) => live.next((m) => m.event === 'chat.updated' && m.topic === topic && m.data.title === title);
  return live;
}

test('a_title_comes_after_the_first_answer_and_is_told', async () => {
  scripts({ deltas: ['Flour', ' and water.'] }, { deltas: ['"Baking', ' bread"\n'], reasoning: ['hm'] });
  const chat = await make();
  const live = await listener(chat);
  const reply = await ask(chat, 'How do I bake bread?');
  assert.equal(reply.status, 200);
  await live.title(`chat:${chat.id}`, 'How do I bake bread?');
  await live.title(`chat:${chat.id}`, 'Baking bread');
  assert.equal(await titleOf(chat), 'Baking bread');
  assert.deepEqual(live.events('chat.updated').filter(({ topic }) => topic === 'me').map(({ data }) => data.title),
    ['How do I bake bread?', 'Baking bread']);
  const { body } = provider.requests.find((asked) => isForTitle(asked));
  assert.match(body.messages.at(-1).content, /How do I bake bread\?[^]*Flour and water\./);
  assert.ok((body.max_tokens ?? body.max_completion_tokens) <= 100);
  await ask(chat, 'And rolls?'); // it has one
  const again = await make();
  await live.subscribe(`chat:${again.id}`);
  await ask(again, 'Something else');
  await live.title(`chat:${again.id}`, 'Baking bread'); // asked for after what "And rolls?" would have asked
  assert.deepEqual(['bake bread?', 'And rolls?', 'Something else'].map(titlesAsked), [1, 0, 1]);
  await live.close();
});

test('a_members_own_title_stays', async () => {
  scripts({ deltas: ['yes'] }, { deltas: ['Not wanted'], stallAfter: 'request' });
  const chat = await make();
  const at = provider.requests.length;
  await ask(chat, 'Is it so?');
  const asked = await provider.request(at + 1);
  assert.ok(isForTitle(asked));
  const to = `${base}/${chat.id}`;
  assertOk(await server.api('PATCH', to, { token: li.token, json: { title: 'Mine' } }));
  const live = await listener(chat);
  asked.resume();
  await provider.until(() => asked.endedAt);
  // A title that comes after that one has been through the same queues.
  scripts({ deltas: ['yes'] }, { deltas: ['Wanted'] });
  const other = await make();
  await live.subscribe(`chat:${other.id}`);
  await ask(other, 'And this?');
  await live.title(`chat:${other.id}`, 'Wanted');
  assert.equal(await titleOf(chat), 'Mine');
  assert.deepEqual(live.events('chat.updated').filter(({ data }) => data.id === chat.id), []);
  const named = await make({ title: 'Named before' });
  await ask(named, 'What?');
  await ask(other, 'What?');
  assert.equal(titlesAsked('What?'), 0);
  assert.equal(await titleOf(named), 'Named before');
  await live.close();
});

test('a_member_who_chose_just_the_first_words_has_chosen_them', async () => {
  const words = 'What is a lantern?';
  scripts({ deltas: ['a light'], stallAfter: 'request' }, { deltas: ['Not wanted'] });
  const renamed = await make();
  const reply = ask(renamed, words);
  const asked = await questionWith(words);
  assert.equal(await titleOf(renamed), words);
  assertOk(await server.api('PATCH', `${base}/${renamed.id}`, { token: li.token, json: { title: words } }));
  asked.resume();
  assert.equal((await reply).status, 200);

  scripts({ deltas: ['a light'] }, { deltas: ['Not wanted'] });
  const named = await make({ title: words });
  await ask(named, words);
  // Another setting is no name.
  const other = await make();
  scripts({ deltas: ['yes'], stallAfter: 'request' }, { deltas: ['Wanted'] });
  const live = await listener(other);
  const last = ask(other, 'And this for a name?');
  const held = await questionWith('And this for a name?');
  assertOk(await server.api('PATCH', `${base}/${other.id}`, { token: li.token, json: { system: 'Be short.' } }));
  held.resume();
  await last;
  await live.title(`chat:${other.id}`, 'Wanted'); // asked for behind those
  assert.deepEqual([await titleOf(renamed), await titleOf(named)], [words, words]);
  await live.close();
});

const failures = {
  a_failing_provider: { status: 500, error: { message: 'no' } },
  half_a_title: { deltas: ['Half a', ' title'], finish: 'length' },
  an_empty_title: { deltas: ['""'] },
};
for (const [name, script] of Object.entries(failures)) {
  test(`${name}_leaves_the_first_words`, async () => {
    const words = `First words of ${name}`;
    provider.always((asked) => {
      if (!isForTitle(asked)) return { deltas: ['yes'] };
      return asked.text.includes(words) ? script : { deltas: ['Well'] };
    });
    const chat = await make();
    await ask(chat, words);
    await provider.until(() => titlesAsked(words) > 0 && provider.open === 0);
    const other = await make();
    const live = await listener(other);
    await ask(other, 'And this?');
    await live.title(`chat:${other.id}`, 'Well');
    assert.equal(await titleOf(chat), words);
    await live.close();
  });
}

test('a_title_that_does_not_come_is_given_up_after_half_a_minute', { timeout: 60_000 }, async () => {
  const { asked, chat } = late;
  await silent.until(() => asked.closedAt, { ms: 45_000 });
  const took = asked.closedAt - asked.at; // the clock is a coarse one, and looks every two seconds
  assert.ok(took > 29_000 && took < 36_000, `${took} ms`);
  assert.equal(await titleOf(chat), 'Who waits for ever?');
});

test('an_answer_that_was_cut_short_or_offline_is_not_asked_for_a_title_but_the_first_whole_one_is', async () => {
  scripts({ deltas: ['a', 'b'], endAfter: 1 }, { deltas: ['At last'] });
  const chat = await make();
  const live = await listener(chat);
  await ask(chat, 'Tell me');
  assert.equal((await live.event('chat.answered')).data.status, 'cut_off');
  scripts({ status: 500, error: { message: 'no' } }, { deltas: ['Never'] });
  const offline = await make();
  await live.subscribe(`chat:${offline.id}`);
  await ask(offline, 'Hello');
  const end = (await live.event('chat.answered')).data;
  assert.deepEqual([end.status, end.offline], ['complete', true]);
  assert.equal(end.detail, 'openai had an error of its own; try again or choose another model');
  assert.deepEqual(['Tell me', 'Hello'].map(titlesAsked), [0, 0]);
  scripts({ deltas: ['whole'] }, { deltas: ['At last'] });
  await ask(chat, 'Go on');
  await live.title(`chat:${chat.id}`, 'At last');
  assert.equal(await titleOf(offline), 'Hello');
  await live.close();
});
