// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The action log: what came of each act, and what a model was asked and said for it, which
// administrators alone are told.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk } from '../support/checks.mjs';
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
    assert.equal(entry.target_character_name, nameOf(residents, entry.target_character_id));
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
    const entry = await withModelOf(`&type=${type}`);
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
