// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Conversations about a wiki: what a repository was asked and said is kept like any other talk, with
// the places that an answer was made from.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { AnswerStream, isDelta, textOf } from '../support/answer_stream.mjs';
import { assertOk, assertProblem } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const FILES = {
  'README.md': '# Teahouse\n\nA server that pours tea. It keeps every pot warm.\n',
  'src/pot.c': '#include "pot.h"\n\n/* Keeps the water at the wanted heat. */\nint pot_heat(int degrees)\n{\n    return degrees > 95 ? 95 : degrees;\n}\n\n/* Pours a cup, and says how much is left. */\nint pot_pour(int left, int cup)\n{\n    return left - cup;\n}\n',
  'src/pot.h': 'int pot_heat(int degrees);\nint pot_pour(int left, int cup);\n',
};
const QUESTION = 'How is a cup poured?';
const RESEARCH = [
  { deltas: ['## Research Plan\nlook\n## Next Steps\npot_heat'] },
  { deltas: ['## Research Update 1\n', 'more'] },
  { deltas: ['## Final Conclusion\nall of it [src/pot.c:4-7]'] },
];
const base = '/chat/conversations';

let roots, folder, provider, server, li, wu, teahouse;
const env = () => ({
  HUTONG_WIKI_ROOTS: roots, HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model',
  HUTONG_LLM_FALLBACK: '', HUTONG_CHAT_TITLES: 'off',
});

// A wiki of the folder, when it can be asked.
async function add(at, token, more = {}, url = folder) {
  const wiki = assertOk(await at.api('POST', '/wikis', { token, json: { url, ...more } }), 201);
  return until(async () => assertOk(await at.api('GET', `/wikis/${wiki.id}`, { token })), ({ state, progress }) => state === 'ready' && !progress, { what: 'the wiki' });
}

before(async () => {
  roots = await mkdtemp(path.join(tmpdir(), 'hutong-wiki-talks-'));
  folder = path.join(roots, 'teahouse');
  for (const [file, text] of Object.entries(FILES)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  }
  provider = await startProvider();
  server = await startServer({ env: { ...env(), HUTONG_CHAT_LINGER_SECONDS: '1' } });
  li = await server.register('li_talks');
  wu = await server.register('wu_talks');
  teahouse = await add(server, li.token);
});
after(async () => {
  await server.stop();
  await provider.stop();
  await rm(roots, { recursive: true, force: true });
});

const make = async (json = { wiki: teahouse.id }, token = li.token) => assertOk(await server.api('POST', base, { token, json }), 201);
const ask = (chat, json, token = li.token) => AnswerStream.open(server, 'POST', `${base}/${chat.id}/messages`, { token, json });
const turns = async (chat, { at = server, token = li.token } = {}) => assertOk(await at.api('GET', `${base}/${chat.id}/messages`, { token })).items;
const kinds = (events) => [...new Set(events.map(({ type }) => type))];
const placesIn = (events) => events.filter(({ type }) => type === 'sources').flatMap(({ sources }) => sources);
// A file that is read beside the question may be found as well.
const once = (places) => places.filter((place, i) => places.findIndex(({ path: at, first }) => at === place.path && first === place.first) === i);

test('an_answer_about_a_wiki_is_kept_with_its_sources_and_asked_on', async () => {
  const chat = await make();
  assert.deepEqual(chat.wiki, { id: teahouse.id, name: 'teahouse' });
  provider.script([{ deltas: ['It pours [src/pot', '.c:10-12], as ', '[src/invented.c:1-3]', ' says.'], usage: { input: 70, output: 20 } }]);
  const events = await (await ask(chat, { text: QUESTION, file: 'src/pot.h', language: 'en' })).until();
  assert.deepEqual(kinds(events), ['turns', 'sources', 'start', 'delta', 'done']);
  assert.equal(textOf(events), 'It pours [src/pot.c:10-12], as  says.');
  const { end, site, model, cited, removed, rounds, usage } = events.at(-1);
  assert.deepEqual([end, site, model, cited, removed, rounds], ['complete', 'openai', 'test-model', 1, 1, 1]);
  assert.deepEqual([usage.input, usage.output, usage.estimated], [70, 20, false]);

  const [question, answer] = await turns(chat);
  assert.deepEqual([question.asked, question.found], [{ research: false, file: 'src/pot.h', language: 'en' }, null]);
  assert.deepEqual([answer.status, answer.content, answer.asked], ['complete', textOf(events), null]);
  assert.deepEqual([answer.input_tokens, answer.output_tokens, answer.site, answer.offline], [70, 20, 'openai', false]);
  assert.deepEqual([answer.found.cited, answer.found.removed, answer.found.round, answer.found.notices], [1, 1, 0, []]);
  assert.deepEqual(answer.found.sources, once(placesIn(events)));
  assert.ok(answer.found.sources.some((place) => place.path === 'src/pot.c' && place.first <= 10 && place.last >= 12));
  const sent = provider.requests.at(-1).body.messages;
  assert.match(sent.map(({ content }) => content).join('\n'), /int pot_pour\(int left, int cup\);/);

  provider.script([{ deltas: ['Slowly.'] }]);
  await (await ask(chat, { text: 'And how fast?' })).until();
  const told = provider.requests.at(-1).body.messages.map(({ content }) => content);
  assert.ok(told.includes(QUESTION) && told.includes(answer.content), 'what was said before is told');
  const here = assertOk(await server.api('GET', `${base}?wiki=${teahouse.id}`, { token: li.token })).items;
  assert.ok(here.some(({ id, title }) => id === chat.id && title === QUESTION));
  assert.deepEqual(assertOk(await server.api('GET', `${base}?wiki=${teahouse.id}`, { token: wu.token })).items, []);

  const markdown = (await server.api('GET', `${base}/${chat.id}/export`, { token: li.token })).text;
  assert.match(markdown, /^# How is a cup poured\?\n\nAbout the wiki: teahouse\n\n## Question\n/);
  assert.match(markdown, /says\.\n\nSources:\n\n(- `[^`]+:\d+-\d+`\n)+\n## Question\n/);
  const file = assertOk(await server.api('GET', `${base}/${chat.id}/export?format=json`, { token: li.token }));
  assert.deepEqual(file.messages[1].found, answer.found);
  const copy = await server.api('GET', '/users/me/export', { token: li.token });
  assert.equal(copy.status, 200);
  const taken = JSON.parse(copy.text).chats.find(({ conversation }) => conversation.id === chat.id);
  assert.deepEqual([taken.conversation.wiki, taken.messages[1].found], [chat.wiki, answer.found]);
});

test('only_a_wiki_that_one_may_see_can_be_talked_about_and_only_there_it_is_asked_so', async () => {
  const own = await add(server, wu.token, { name: 'wus-own', access: 'owner' });
  for (const wiki of [own.id, 999999]) assertProblem(await server.api('POST', base, { token: li.token, json: { wiki } }), 404);
  assertProblem(await server.api('POST', base, { token: li.token, json: { wiki: 'x' } }), 422);
  assertProblem(await server.api('POST', base, { token: li.token, json: { wiki: teahouse.id, system: 'be kind' } }), 422);
  const chat = await make();
  assertProblem(await server.api('PATCH', `${base}/${chat.id}`, { token: li.token, json: { system: 'be kind' } }), 422);
  const to = `${base}/${chat.id}/messages`;
  assertProblem(await server.api('POST', to, { token: li.token, json: { text: 'x', language: 'klingon' } }), 422);
  assertProblem(await server.api('POST', to, { token: li.token, json: { text: 'x', research: 'deep' } }), 422);
  const plain = await make({});
  assert.equal(plain.wiki, null);
  for (const want of [{ research: true }, { file: 'README.md' }, { language: 'en' }]) {
    assertProblem(await server.api('POST', `${base}/${plain.id}/messages`, { token: li.token, json: { text: 'x', ...want } }), 422);
  }
  assert.deepEqual([await turns(chat), await turns(plain)], [[], []]);
});

test('who_may_not_see_the_wiki_any_more_reads_on_and_is_told_so_when_asking', async () => {
  const ours = await add(server, li.token, { name: 'ours', access: 'members' });
  const chat = await make({ wiki: ours.id }, wu.token);
  provider.script([{ deltas: ['one [src/pot.c:10-12]'] }]);
  await (await ask(chat, { text: QUESTION }, wu.token)).until();
  const kept = await turns(chat, { token: wu.token });
  const refused = async () => {
    for (const to of ['', `/${kept[1].id}/regenerate`]) {
      const refusal = await server.api('POST', `${base}/${chat.id}/messages${to}`,
        { token: wu.token, json: to ? undefined : { text: 'and now?' } });
      assertProblem(refusal, 409);
      assert.match(refusal.body.detail, /is gone, or is not for you to see any more/);
    }
    assert.deepEqual(await turns(chat, { token: wu.token }), kept);
    assert.deepEqual(assertOk(await server.api('GET', `${base}/${chat.id}`, { token: wu.token })).wiki, { id: ours.id, name: 'ours' });
  };
  assertOk(await server.api('PATCH', `/wikis/${ours.id}`, { token: li.token, json: { access: 'owner', name: 'secretly' } }));
  await refused();
  // Seen again, it is called what it is called now.
  assertOk(await server.api('PATCH', `/wikis/${ours.id}`, { token: li.token, json: { access: 'members' } }));
  provider.script([{ deltas: ['two'] }]);
  await (await ask(chat, { text: 'and now?', parent: kept[1].id }, wu.token)).until();
  assert.equal(assertOk(await server.api('GET', `${base}/${chat.id}`, { token: wu.token })).wiki.name, 'secretly');
  assertOk(await server.api('PATCH', `/wikis/${ours.id}`, { token: li.token, json: { name: 'ours' } }));
  provider.script([{ deltas: ['three'] }]);
  const again = await AnswerStream.open(server, 'POST', `${base}/${chat.id}/messages/${kept[1].id}/regenerate`, { token: wu.token });
  assert.equal(textOf(await again.until()), 'three');
  kept.splice(0, Infinity, ...(await turns(chat, { token: wu.token })));
  assertOk(await server.api('DELETE', `/wikis/${ours.id}`, { token: li.token }), 204);
  await refused();
  assert.match((await server.api('GET', `${base}/${chat.id}/export`, { token: wu.token })).text, /Sources:/);
});

test('who_vanished_joins_again_and_gets_sources_and_words_once_each', async () => {
  const at = provider.requests.length;
  provider.script([{ deltas: ['It ', 'pours ', '[src/pot.c:10-12].'], stallAfter: 2 }]);
  const chat = await make();
  const live = await Live.open(server, li.token);
  await live.subscribe(`chat:${chat.id}`);
  const first = await ask(chat, { text: QUESTION });
  await first.heard('pours ');
  const { answer } = first.events[0];
  assert.deepEqual([answer.status, answer.found], ['streaming', null]);
  const heard = async (right) => (await live.next(({ event, data }) => event === 'chat.piece' && right(data))).data;
  // The places themselves, or with all that was said when it began to listen.
  const early = await heard(({ type, found }) => type === 'sources' || found);
  const { sources } = early.found ?? early;
  assert.deepEqual(sources, placesIn(first.events));
  const to = `${base}/${chat.id}/messages/${answer.id}/stream`;
  const second = await AnswerStream.open(server, 'GET', to, { token: li.token });
  await second.heard('pours ');
  first.leave.abort();
  // Another device that comes in the middle has all of it in one event.
  const late = await Live.open(server, li.token);
  await late.subscribe(`chat:${chat.id}`);
  const { data: soFar } = await late.next(({ event, data }) => event === 'chat.piece' && data.type === 'so_far');
  assert.deepEqual([soFar.text, soFar.found.sources], ['It pours ', sources]);
  (await provider.request(at)).resume();
  const events = await second.until();
  assert.equal(textOf(events), 'It pours [src/pot.c:10-12].');
  assert.deepEqual(kinds(events), ['turns', 'sources', 'start', 'delta', 'done']);
  assert.deepEqual(placesIn(events), sources);
  for (const one of [live, late]) {
    const { data } = await one.next(({ event }) => event === 'chat.answered');
    assert.deepEqual([data.turn, data.status], [answer.id, 'complete']);
    one.ws.close();
  }
  const past = await (await AnswerStream.open(server, 'GET', to, { token: li.token })).until();
  assert.deepEqual([past.length, past[0].type, past[0].answer.found.sources], [1, 'stored', sources]);
  assertProblem(await server.api('GET', to, { token: wu.token }), 404);
});

test('who_comes_before_the_first_word_hears_what_was_found', async () => {
  const at = provider.requests.length;
  provider.script([{ deltas: ['Here.'], stallAfter: 'headers' }]);
  const chat = await make();
  const stream = await ask(chat, { text: QUESTION });
  await stream.until(({ type }) => type === 'sources');
  const live = await Live.open(server, li.token);
  await live.subscribe(`chat:${chat.id}`);
  const piece = async (kind) => (await live.next(({ event, data }) => event === 'chat.piece' && data.type === kind)).data;
  const soFar = await piece('so_far');
  assert.deepEqual([soFar.text, soFar.found.sources], ['', placesIn(stream.events)]);
  (await provider.request(at)).resume();
  assert.deepEqual([(await piece('start')).site, (await piece('delta')).text], ['openai', 'Here.']);
  assert.equal(textOf(await stream.until()), 'Here.');
  live.ws.close();
});

test('a_wiki_that_is_still_being_fetched_is_waited_for', async () => {
  const { id } = assertOk(await server.api('POST', '/wikis', { token: li.token, json: { url: folder, name: 'fresh', exclude: 'README.md' } }), 201);
  const chat = await make({ wiki: id });
  provider.script([{ deltas: ['At last.'] }]);
  const events = await (await ask(chat, { text: QUESTION })).until();
  assert.deepEqual([events.at(-1).end, textOf(events)], ['complete', 'At last.']);
  assert.ok(placesIn(events).length > 0);
});

test('an_answer_without_readers_ends_but_a_research_goes_on_to_its_end', async () => {
  provider.script([{ deltas: ['half', 'never'], stallAfter: 1 }]);
  let at = provider.requests.length;
  const plain = await make();
  const stream = await ask(plain, { text: QUESTION });
  await stream.heard('half');
  stream.leave.abort();
  const asked = await provider.request(at);
  await provider.until(() => asked.closedAt);
  const given = await until(() => turns(plain), ([, { status }]) => status !== 'streaming');
  assert.deepEqual([given[1].status, given[1].content, given[1].found.sources.length > 0], ['interrupted', 'half', true]);

  // Longer than a plain answer may go on alone: one second, seen within two more.
  const pace = { deltas: Array.from({ length: 12 }, (_, i) => `${i} `), everyMs: 400 };
  provider.script([RESEARCH[0], { ...pace, usage: { input: 5, output: 3 } }, { ...RESEARCH[2], usage: { input: 6, output: 4 } }]);
  at = provider.requests.length;
  const chat = await make();
  const deep = await ask(chat, { text: 'How warm is the water?', research: true });
  await deep.until(({ type, round }) => type === 'round' && round === 2);
  deep.leave.abort();
  const [question, answer] = await until(() => turns(chat), ([, { status }]) => status !== 'streaming', { what: 'the research' });
  assert.deepEqual([question.asked.research, answer.status], [true, 'complete']);
  assert.match(answer.content, /Next Steps\npot_heat\n\n0 1 2 [\d ]+\n\n## Final Conclusion/);
  assert.deepEqual([answer.found.round, answer.found.cited, answer.output_tokens >= 7], [3, 1, true]);
  const places = answer.found.sources.map((place) => JSON.stringify(place));
  assert.equal(new Set(places).size, places.length, 'what two rounds found stands there once');
});

test('a_research_is_joined_again_and_stopped_and_begun_anew_in_the_same_way', async () => {
  const at = provider.requests.length;
  provider.script([RESEARCH[0], { ...RESEARCH[1], stallAfter: 1 }]);
  const chat = await make();
  const first = await ask(chat, { text: 'How warm is the water?', research: true });
  await first.heard('Update 1\n');
  const { answer } = first.events[0];
  first.leave.abort();
  const second = await AnswerStream.open(server, 'GET', `${base}/${chat.id}/messages/${answer.id}/stream`, { token: li.token });
  await second.heard('Update 1\n');
  assert.deepEqual(second.events.filter(({ type }) => type === 'round').map(({ round, last }) => [round, last]), [[1, false], [2, false]]);
  assert.ok(second.events.findIndex(isDelta) > second.events.findLastIndex(({ type }) => type === 'sources'));
  assertOk(await server.api('POST', `${base}/${chat.id}/messages/${answer.id}/stop`, { token: li.token }), 204);
  assert.equal((await second.until()).at(-1).type, 'interrupted');
  const asked = await provider.request(at + 1);
  await provider.until(() => asked.closedAt);
  const [, stopped] = await turns(chat);
  assert.deepEqual([stopped.status, stopped.found.round], ['interrupted', 2]);
  assert.match(stopped.content, /Research Plan[^]*Research Update 1\n$/);

  provider.script(RESEARCH);
  const again = await (await AnswerStream.open(server, 'POST', `${base}/${chat.id}/messages/${answer.id}/regenerate`, { token: li.token })).until();
  assert.deepEqual([again.at(-1).end, again.at(-1).rounds], ['complete', 3]);
});

// A research of which the model is at its second round, and nobody reads it.
async function leaveResearch(token) {
  const at = provider.requests.length;
  provider.script([RESEARCH[0], { ...RESEARCH[1], stallAfter: 1 }]);
  const chat = await make({ wiki: teahouse.id }, token);
  const stream = await ask(chat, { text: 'How warm is the water?', research: true }, token);
  await stream.heard('Update 1\n');
  stream.leave.abort();
  return { chat, asked: await provider.request(at + 1) };
}

test('a_research_ends_with_the_account_of_who_asked', async () => {
  const root = await asAdmin(server, 'root_talks');
  const sun = await server.register('sun_talks');
  const { asked } = await leaveResearch(sun.token);
  assert.equal((await root.ask('PUT', `/admin/users/${sun.id}/banned`, { banned: true })).status, 204);
  await provider.until(() => asked.closedAt);

  const qian = await server.register('qian_talks');
  const other = await leaveResearch(qian.token);
  const report = assertOk(await server.api('POST', '/reports', { token: li.token, json: { kind: 'user', id: qian.id, reason: 'abuse' } }), 201);
  assert.equal((await root.ask('POST', `/admin/reports/${report.id}/resolve`, { outcome: 'banned' })).status, 204);
  await provider.until(() => other.asked.closedAt);
});

test('a_wiki_that_is_closed_to_a_member_is_read_no_further_by_their_research', async () => {
  const ours = await add(server, wu.token, { name: 'closing', access: 'everyone', exclude: 'docs/' });
  const at = provider.requests.length;
  provider.script([{ deltas: ['## Research Plan\n', '## Next Steps\npot_heat'], stallAfter: 1 }]);
  const chat = await make({ wiki: ours.id });
  const stream = await ask(chat, { text: 'How warm is the water?', research: true });
  await stream.heard('## Research Plan\n');
  assertOk(await server.api('PATCH', `/wikis/${ours.id}`, { token: wu.token, json: { access: 'owner' } }));
  (await provider.request(at)).resume();
  const events = await stream.until();
  assert.deepEqual([events.at(-1).end ?? events.at(-1).type], ['cut_off']);
  const [, kept] = await turns(chat);
  assert.equal(kept.status, 'cut_off');
  assert.match(kept.detail, /not for you to see any more/);
  assert.equal(provider.requests.length, at + 1);
});

test('a_research_ends_soon_when_another_instance_deleted_its_conversation', async () => {
  const { chat, asked } = await leaveResearch(li.token);
  await server.sql(`DELETE FROM chats WHERE id = ${chat.id}`);
  await provider.until(() => asked.closedAt, { ms: 30_000 });
  assertProblem(await server.api('GET', `${base}/${chat.id}`, { token: li.token }), 404);
});

test('what_a_research_said_before_it_failed_is_a_part_of_an_answer', async () => {
  provider.script([RESEARCH[0], { status: 401, error: { message: 'no' } }]);
  const chat = await make();
  const events = await (await ask(chat, { text: 'How warm is the water?', research: true })).until();
  assert.deepEqual([events.at(-1).type, events.at(-1).end], ['done', 'cut_off']);
  provider.script([{ status: 401, error: { message: 'no' } }]);
  const failed = await (await ask(chat, { text: 'And now?' })).until();
  assert.deepEqual([failed.at(-1).type, failed.at(-1).fault], ['error', 'bad_key']);
  const all = await turns(chat);
  assert.deepEqual(all.map(({ status }) => status), ['complete', 'cut_off', 'complete', 'failed']);
  assert.ok(all[3].detail.length > 5);
});

test('what_is_said_of_what_the_model_cannot_read_is_kept', async () => {
  const tooLong = { status: 400, error: { code: 'context_length_exceeded', message: 'maximum context length is 100 tokens' } };
  provider.script([tooLong, { deltas: ['short'] }]);
  const chat = await make();
  const events = await (await ask(chat, { text: QUESTION })).until();
  const notices = events.filter(({ type }) => type === 'notice');
  assert.deepEqual(notices.map(({ cause }) => cause), ['less']);
  assert.deepEqual((await turns(chat))[1].found.notices, notices);
});

for (const signal of ['kill', 'stop']) {
  test(`after_a_${signal}_a_research_is_cut_off_with_what_it_found_and_can_be_asked_again`, async () => {
    provider.script([RESEARCH[0], { ...RESEARCH[1], stallAfter: 1 }]);
    // Given a folder, it is SQLite whatever the others use: who dies gives no database back.
    const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-wiki-talks-data-'));
    const first = await startServer({ env: env(), dataDir });
    const me = await first.register('left_talks');
    const wiki = await add(first, me.token);
    const chat = assertOk(await first.api('POST', base, { token: me.token, json: { wiki: wiki.id } }), 201);
    const stream = await AnswerStream.open(first, 'POST', `${base}/${chat.id}/messages`, { token: me.token, json: { text: 'How warm is the water?', research: true } });
    await stream.heard('Update 1\n');
    const ended = stream.until().catch(() => {});
    if (signal === 'kill') {
      // Stored every five seconds or so, with what it was made of until then.
      await until(() => turns(chat, { at: first, token: me.token }), ([, { content }]) => content !== '');
      await first.kill();
    } else {
      await first.stop({ keepData: true });
    }
    await ended;
    const second = await startServer({ env: env(), dataDir });
    const [, answer] = await turns(chat, { at: second, token: me.token });
    assert.deepEqual([answer.status, answer.found.round], ['cut_off', 2]);
    assert.deepEqual(answer.found.sources, once(placesIn(stream.events)));
    provider.script(RESEARCH);
    const again = await AnswerStream.open(second, 'POST', `${base}/${chat.id}/messages/${answer.id}/regenerate`, { token: me.token });
    assert.equal((await again.until()).at(-1).end, 'complete');
    await second.stop({ keepData: true });
    await rm(dataDir, { recursive: true, force: true });
  });
}

test('without_a_model_the_places_are_the_answer_and_say_so', async () => {
  const alone = await startServer({ env: { HUTONG_WIKI_ROOTS: roots, HUTONG_LLM_MODEL: 'offline' } });
  const me = await alone.register('alone_talks');
  const wiki = await add(alone, me.token);
  const chat = assertOk(await alone.api('POST', base, { token: me.token, json: { wiki: wiki.id } }), 201);
  const stream = await AnswerStream.open(alone, 'POST', `${base}/${chat.id}/messages`, { token: me.token, json: { text: QUESTION } });
  const events = await stream.until();
  assert.deepEqual([events.find(({ type }) => type === 'start').offline, events.at(-1).end], [true, 'complete']);
  const [, answer] = await turns(chat, { at: alone, token: me.token });
  assert.deepEqual([answer.offline, answer.status, answer.input_tokens], [true, 'complete', null]);
  assert.match(answer.content, /\[src\/pot\.c:\d+-\d+\]/);
  assert.ok(answer.found.cited > 0);
  await alone.stop();
});

test('when_the_fall_back_is_no_model_the_places_are_the_answer_and_say_why', async () => {
  const gone = await startProvider();
  gone.always({ status: 401, error: { code: 'invalid_api_key', message: 'no' } });
  const at = await startServer({ env: { ...env(), HUTONG_OPENAI_BASE: gone.base('openai'), HUTONG_LLM_FALLBACK: 'offline' } });
  const me = await at.register('fallen_talks');
  const wiki = await add(at, me.token);
  const chat = assertOk(await at.api('POST', base, { token: me.token, json: { wiki: wiki.id } }), 201);
  const stream = await AnswerStream.open(at, 'POST', `${base}/${chat.id}/messages`, { token: me.token, json: { text: QUESTION, research: true } });
  const events = await stream.until();
  assert.deepEqual([events.find(({ type }) => type === 'start').offline, events.at(-1).end], [true, 'complete']);
  const sentence = 'openai does not accept the key; set a valid key for it';
  const told = events.filter(({ type }) => type === 'notice').map(({ cause, detail }) => [cause, detail]);
  assert.deepEqual(told, [['instead', sentence]]);
  const [, answer] = await turns(chat, { at, token: me.token });
  assert.deepEqual([answer.offline, answer.status, answer.found.notices.length], [true, 'complete', 1]);
  assert.match(answer.content, /\[src\/pot\.c:\d+-\d+\]/);
  assert.ok(answer.found.cited > 0);
  await at.stop();
  await gone.stop();
});
