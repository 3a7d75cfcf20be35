// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What residents leave unsaid: more than so much in an hour of the town's clock, and the same again.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk } from '../support/checks.mjs';
import { newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns, withModel } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const { kept, startTown } = towns();

const ofResidents = 'SELECT COUNT(*) AS n FROM posts p JOIN users u ON u.id = p.author_id WHERE u.is_ai = 1';

test('a_resident_writes_so_often_in_an_hour_and_a_restart_forgets_nothing', async (t) => {
  const dataDir = await newFolder(t);
  const limits = { HUTONG_TOWN_POSTS_HOUR: '0', HUTONG_TOWN_COMMENTS_HOUR: '0', HUTONG_TOWN_MESSAGES_HOUR: '1', HUTONG_TOWN_SPEED: '1' };
  const server = await startTown({ dataDir, env: limits });
  const root = await asAdmin(server);
  const [{ n: before }] = await server.sql(ofResidents);
  const [{ id }] = (await server.town()).residents;
  const history = async (one) => assertOk(await one.api('GET', `/messages/history/${id}`, { token: server.token })).items;
  const answers = async (one) => (await history(one)).filter(({ sender_id: from }) => from === id).length;
  const read = async (one) => (await history(one)).filter(({ sender_id: from, is_read: read }) => from !== id && read).length;
  const write = async (one, content) => assertOk(await one.api('POST', `/messages/send/${id}`, { token: server.token, json: { content } }));
  const stepUntil = async (one, done) => {
    for (let steps = 0; !await done(); steps++) {
      assert.ok(steps < 400, 'it does not come to it');
      assertOk(await one.api('POST', '/town/control', { token: root.token, json: { action: 'step' } }));
      await until(() => one.sql('SELECT COUNT(*) AS n FROM town_todo'), ([{ n }]) => n === 0);
    }
  };
  assertOk(await root.ask('POST', '/town/control', { action: 'pause' }));
  await write(server, '早上好！');
  await stepUntil(server, async () => await answers(server) === 1);
  const { minute } = await server.town();
  await server.stop();

  // Started anew it knows that it has written in this hour: it reads, and says nothing.
  const next = await startTown({ dataDir, args: [], env: limits });
  await write(next, '今天忙吗？');
  await stepUntil(next, async () => await read(next) === 2 || (await next.town()).minute > minute + 55);
  assert.equal(await answers(next), 1);
  // An hour later it writes again.
  await stepUntil(next, async () => (await next.town()).minute > minute + 61);
  await write(next, '晚上见？');
  await stepUntil(next, async () => await answers(next) === 2);

  // And nobody has posted or commented, whatever they meant to.
  const silent = async () => assertOk(await next.api('GET', '/town/log?limit=200&type=post', { token: root.token })).items.some(({ success, extra_data: extra }) => !success && extra?.silent === 'hour');
  await stepUntil(next, silent);
  assert.equal((await next.sql(ofResidents))[0].n, before);
  assert.equal((await next.sql('SELECT COUNT(*) AS n FROM comments c JOIN users u ON u.id = c.author_id JOIN action_logs a ON a.character_id = u.id AND a.action_type = \'comment\''))[0].n, 0);
  await next.stop();
});

test('a_model_that_says_the_same_again_is_not_heard_twice', async () => {
  const provider = kept(await startProvider());
  let asked = 0;
  // Nearly the same: other signs, other letters' size, one character more.
  const same = ['What a lovely evening it is in our quiet little town tonight', 'what a LOVELY evening - it is - in our quiet, little town: tonight!!', 'What a lovely evening it is in our quiet little towns tonight.'];
  provider.always(() => ({ deltas: [same[asked++ % same.length]] }));
  const server = await startTown({ env: withModel(provider, { HUTONG_TOWN_SPEED: '20000' }) });
  const root = await asAdmin(server);
  const [{ id }] = (await server.town()).residents;
  for (const content of ['早上好！', '今天忙吗？', '明天见？']) {
    const answers = async () => assertOk(await server.api('GET', `/messages/history/${id}`, { token: server.token })).items.filter(({ sender_id: from }) => from === id);
    const { length } = await answers();
    assertOk(await server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content } }));
    await until(answers, (all) => all.length > length, { ms: 60_000, what: 'an answer' });
  }
  const log = async () => (await root.must('GET', '/town/log?limit=200&type=post')).items;
  await until(log, (all) => all.some(({ extra_data: extra }) => extra?.unused === 'repeated'), { ms: 60_000, what: 'a post that was another one' });
  const lovely = "content LIKE '%lovely evening%'";
  const other = 'receiver_id IN (SELECT user_id FROM town_people)';
  for (const [table, per, where] of [['posts', 'author_id', '1'], ['comments', 'author_id, post_id', '1'], ['messages', 'sender_id, receiver_id', other]]) {
    const rows = await server.sql(`SELECT COUNT(*) AS n FROM ${table} WHERE ${where} AND LOWER(content) LIKE '%lovely%evening%' GROUP BY ${per} HAVING COUNT(*) > 1`);
    assert.deepEqual(rows, [], `${table}: ${lovely}`);
  }
  // A member who asks thrice is answered thrice.
  assert.equal((await server.sql(`SELECT COUNT(*) AS n FROM messages WHERE sender_id = ${id} AND LOWER(content) LIKE '%lovely%' AND NOT (${other})`))[0].n, 3);
  await server.stop();
  await provider.stop();
});
