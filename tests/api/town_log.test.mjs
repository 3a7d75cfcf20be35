// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The action log: what came of each act, and what a model was asked and said for it, which
// administrators alone are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns, withModel } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const { kept, startTown } = towns();

const isDecision = (text) => /decide what they do next/.test(text);
const usage = { input: 321, output: 12 };

// Every text is another one, so that nobody repeats itself.
function talkative(provider, decide = () => '{"action_index":1,"reason":"because"}') {
  let said = 0;
  provider.always(({ text }) => ({ usage, deltas: [isDecision(text) ? decide(text) : `Sentence ${'x'.repeat(50)} of mine, ${'abcdefghij'[said % 10].repeat(20)} ${said++}, and then quite a lot more of it.`] }));
}

test('results_say_what_came_of_an_act_and_names_stand_beside_ids', async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '60000' } });
  const { residents, locations } = await server.town();
  const nameOf = (list, id) => list.find((one) => one.id === id)?.name ?? null;
  const results = {
    move: (entry) => new RegExp(`^(到了|at )${entry.location_name}$`),
    eat: () => /^(吃了(早饭|午饭|晚饭|夜宵)|had .+)$/,
    post: () => /./,
    comment: () => /./,
  };
  for (const [type, pattern] of Object.entries(results)) {
    const entry = await until(async () => (await server.log(`&type=${type}`)).find(({ success, result }) => success && result && !/被打断了|broken off/.test(result)), (found) => found, { ms: 60_000, what: type });
    assert.match(entry.result, pattern(entry), JSON.stringify(entry));
    assert.equal(entry.character_name, nameOf(residents, entry.character_id));
    assert.equal(entry.location_name, nameOf(locations, entry.location_id));
    const whom = entry.target_character_id && (await server.get(`/users/${entry.target_character_id}`)).nickname;
    assert.equal(entry.target_character_name, whom);
    assert.ok([...entry.result].length <= 81, entry.result);
    assert.ok(entry.description.length > 0);
  }
  const [comment] = (await server.log('&type=comment'));
  const text = await server.sql(`SELECT content, post_id FROM comments WHERE id = ${comment.extra_data.comment_id}`);
  assert.equal(text[0].post_id, comment.extra_data.post_id);
  assert.ok(text[0].content.startsWith(comment.result.replace(/…$/, '')));
  const post = (await server.log('&type=post')).find(({ extra_data: extra }) => extra);
  const { content } = await server.get(`/posts/${post.extra_data.post_id}`);
  assert.ok(content.replace(/\s+/g, ' ').startsWith(post.result.replace(/…$/, '').replace(/\s+/g, ' ')), post.result);
  const met = await until(() => server.log('&type=encounter'), (all) => all.length > 0, { ms: 60_000, what: 'an encounter' });
  assert.match(met[0].description, /遇见|comes upon/);
  await server.stop();
});

test('administrators_see_what_a_model_was_asked_and_said_and_members_do_not', async () => {
  const provider = kept(await startProvider());
  talkative(provider, () => '{"action_index":2,"reason":"because"}');
  const server = await startTown({ env: withModel(provider, { HUTONG_TOWN_SPEED: '60000', HUTONG_TOWN_MODEL_SHARE: '10' }) });
  const [{ id }] = (await server.town()).residents;
  const member = (await server.get('/auth/me'));
  assertOk(await server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content: '今天忙吗？' } }));
  const root = await asAdmin(server);
  const log = async (query) => (await root.must('GET', `/town/log?limit=200${query}`)).items;
  const whole = async (entry) => root.must('GET', `/town/log/${entry.id}`);
  const withModelOf = async (query, fits = () => true) => until(
    async () => (await log(query)).find((entry) => entry.extra_data?.model && fits(entry)), (found) => found, { ms: 60_000, what: query });

  for (const type of ['post', 'comment', 'think', 'message']) {
    const entry = await withModelOf(`&type=${type}`, ({ action_name: name }) => name !== 'plan_day');
    assert.equal(entry.input_prompt, undefined);
    assert.equal(entry.llm_response, undefined);
    const all = await whole(entry);
    assert.equal(all.extra_data.model, 'openai/test-model');
    assert.deepEqual([all.extra_data.input_tokens, all.extra_data.output_tokens], [usage.input, usage.output]);
    assert.match(all.input_prompt, type === 'think' ? /What you can do now/ : /^\[system\] You are /);
    assert.match(all.llm_response, type === 'think' ? /because/ : /^Sentence x+/);
    if (type === 'post' || type === 'comment') assert.match(entry.result, /^Sentence x{50}.*…$/);
    const { status } = await server.api('GET', `/town/log/${entry.id}`, { token: server.token });
    assert.equal(status, 403);
    const seen = (await server.log(`&type=${type}`)).find((one) => one.id === entry.id);
    if (seen) assert.equal(seen.extra_data?.model, undefined);
  }
  // A private message's words are between the two; the answer says to whom it went.
  const answer = await withModelOf(`&type=message&character_id=${id}`, ({ target_character_id: to }) => to === member.id);
  assert.match(answer.result, new RegExp(`${member.nickname}$`));
  assert.equal(answer.target_character_name, member.nickname);
  assert.match((await whole(answer)).input_prompt, /今天忙吗/);
  assert.equal((await root.ask('GET', '/town/log/999999999')).status, 404);
  await server.stop();
  await provider.stop();
});

// Everything that others can see of a resident says no more than that it uses the phone.
test('who_waited_for_a_model_and_got_its_answer_has_done_nothing_meanwhile', async () => {
  const provider = kept(await startProvider());
  talkative(provider);
  const server = await startTown({ env: withModel(provider, { HUTONG_TOWN_SPEED: '1200', HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '200' }) });
  await until(() => server.sql("SELECT id FROM action_logs WHERE llm_response LIKE '%because%' AND success = 1"), (rows) => rows.length >= 10, { ms: 60_000, what: 'ten decisions' });
  // Not a deed of its own, broken off at once, and no reason of another one's.
  const waits = await server.sql("SELECT game_time, duration, result, reason FROM action_logs WHERE action_name = 'think' AND llm_response IS NULL AND reason IN ('在想做什么', 'making up its mind') AND result <> ''");
  assert.deepEqual(waits, []);
  const broken = await server.sql("SELECT * FROM action_logs WHERE action_name = 'think' AND llm_response IS NULL AND result IN ('被打断了', 'broken off') AND reason = 'because'");
  assert.deepEqual(broken, []);
  await server.stop();
  await provider.stop();
});

test('who_writes_to_a_resident_and_when_is_between_the_two', async () => {
  const provider = kept(await startProvider());
  const me = { id: 0, nickname: '' };
  // A model that blurts out whom it has to do with, once it is told of anybody.
  talkative(provider, (text) => (me.nickname && text.includes(me.nickname) ? `{"action_index":1,"reason":"because ${me.nickname} wrote to me"}` : '{"action_index":1,"reason":"because"}'));
  const server = await startTown({ env: withModel(provider, { HUTONG_TOWN_SPEED: '3000', HUTONG_TOWN_MODEL_SHARE: '50' }) });
  Object.assign(me, await server.register('zebedee', { nickname: 'Zebedee' })); // whose posts nobody has read
  const asMe = async (target) => assertOk(await server.api('GET', target, { token: me.token }));
  const other = await server.register('onlooker');
  const root = await asAdmin(server);
  const asOther = async (target) => assertOk(await server.api('GET', target, { token: other.token }));
  const [{ id }] = (await server.town()).residents;
  const live = await Live.open(server, other.token);
  const { topic } = await server.town();
  await live.subscribe(topic);
  const seen = [];
  assertOk(await server.api('POST', `/messages/send/${id}`, { token: me.token, json: { content: '今天忙吗？' } }));

  // Its friend sees the whole of it.
  const mine = (all) => all.filter(({ target_character_id: to }) => to === me.id);
  const own = mine(await until(async () => (await asMe(`/town/log?limit=200&type=message&character_id=${id}`)).items, (all) => mine(all).length >= 2, { ms: 60_000, what: 'my own entries' }));
  assert.ok(own.every(({ target_character_name: name, result }) => name === me.nickname && (!result || result.includes(me.nickname))));
  const card = await until(() => asMe(`/town/residents/${id}`), ({ relations }) => relations.some((one) => one.id === me.id), { what: 'a relation' });
  assert.ok(card.memories.some(({ content }) => content.includes(me.nickname)));
  await until(async () => (await root.must('GET', '/town/log?type=think&limit=200')).items, (all) => all.some(({ reason }) => reason?.includes(me.nickname)), { ms: 60_000, what: 'a thought of it' });

  // Others see that it used the phone; administrators see all.
  for (const target of [`/town/log?limit=200&character_id=${id}`, '/town/log?limit=200', '/town/log?limit=200&type=think', '/town', ...(await server.town()).residents.map((one) => `/town/residents/${one.id}`)]) {
    const text = JSON.stringify(await asOther(target));
    assert.ok(!text.includes(me.nickname), `${target}: ${text.slice(Math.max(0, text.indexOf(me.nickname) - 400), text.indexOf(me.nickname) + 100)}`);
  }
  for (const entry of own) {
    const phone = (await asOther(`/town/log?limit=200&type=use_phone&character_id=${id}`)).items.find((one) => one.id === entry.id);
    assert.deepEqual([phone.action_name, phone.description, phone.target_character_id, phone.result, phone.reason, phone.extra_data],
      ['use_phone', '看手机', null, null, null, null]);
    assert.ok(!(await asOther('/town/log?limit=200&type=message')).items.some((one) => one.id === entry.id));
    assert.ok((await root.must('GET', `/town/log?limit=200&type=message&character_id=${id}`)).items.some((one) => one.id === entry.id && one.target_character_name === me.nickname));
  }
  assert.ok(!(await asOther(`/town/residents/${id}`)).relations.some((one) => one.id === me.id));
  assert.ok((await root.must('GET', `/town/residents/${id}`)).relations.some((one) => one.id === me.id));
  const phone = await live.next((m) => { seen.push(JSON.stringify(m)); return m.topic === topic && m.data.happened?.some(({ action }) => action === 'use_phone'); });
  assert.ok(phone.data.happened.filter(({ action }) => action === 'use_phone').every((one) => one.with_id === undefined && one.doing === '看手机'));
  assert.ok(seen.every((text) => !text.includes(me.nickname) && !text.includes(`"with_id":${me.id}}`) && !text.includes(`"with_id":${me.id},`)));
  await live.close();
  await server.stop();
  await provider.stop();
});
