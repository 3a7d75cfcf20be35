// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The town in numbers: what the plots are told is what the action log and the residents' cards say.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { towns } from '../support/town.mjs';
import { metric, until } from '../support/watch.mjs';

const { startTown } = towns();
const NEEDS = ['boredom', 'duty', 'fatigue', 'hunger', 'loneliness'];

/** Paused by an administrator, and with nothing left to be put into words. */
async function standStill(server) {
  const { username } = await server.register('clockmaker');
  await server.sql(`UPDATE users SET role = 'admin' WHERE username = '${username}'`);
  server.admin = assertOk(await server.api('POST', '/auth/login', { form: { username, password: 'correct horse' } })).access_token;
  assertOk(await server.api('POST', '/town/control', { token: server.admin, json: { action: 'pause' } }));
  await until(() => metric(server, 'hutong_town_todo'), (left) => left === 0, { what: 'every word is found' });
}

async function lived(days, options = {}) {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '60000' }, ...options });
  await until(server.town, ({ minute }) => minute > days * 1440, { what: `${days} days` });
  await standStill(server);
  return server;
}

async function wholeLog(server) {
  const rows = [];
  for (let before = ''; before !== null;) {
    const page = assertOk(await server.api('GET', `/town/log?limit=200${before && `&before=${before}`}`, { token: server.admin }));
    rows.push(...page.items);
    before = page.next_before;
  }
  return rows;
}

const society = async (server, query = '', token = server.token) => assertOk(await server.api('GET', `/town/society${query}`, { token }));
const countBy = (rows, key) => rows.reduce((sums, row) => sums.set(key(row), (sums.get(key(row)) ?? 0) + 1), new Map());

// Beside the deed of a talk stand its words, for both of them.
const isDone = ({ action_name: name }) => name !== 'conversation';

test('what_was_done_is_counted_once', async () => {
  const server = await lived(1);
  const [{ id: a }, { id: b }] = (await server.town()).residents;
  await server.sql('DELETE FROM action_logs');
  const rows = [
    [a, 'talk', 'talk_to', '09:10', b, 'NULL'], // one talk, and what was said, twice
    [a, 'talk', 'conversation', '09:10', b, "'asked'"],
    [b, 'talk', 'conversation', '09:10', a, "'asked'"],
    [b, 'talk', 'greet', '09:50', a, 'NULL'], // its words were found offline
    [b, 'talk', 'conversation', '09:50', a, 'NULL'],
    [a, 'think', 'think', '10:00', 'NULL', "'What can you do?'"], // a model was asked, and this came of it
    [a, 'eat', 'eat', '10:00', 'NULL', 'NULL'],
    [a, 'think', 'think', '10:30', 'NULL', 'NULL'], // a deed
    [b, 'comment', 'comment', '11:00', a, 'NULL'],
    [b, 'message', 'send_message', '12:10', a, 'NULL'],
    [b, 'use_phone', 'browse_posts', '12:40', 'NULL', 'NULL'],
  ];
  await server.sql(`INSERT INTO action_logs (character_id, action_type, action_name, game_day, game_time, target_character_id,
    input_prompt, duration, success, created_us) VALUES ${rows.map(([who, type, name, time, other, prompt]) =>
    `(${who}, '${type}', '${name}', 2, '${time}', ${other}, ${prompt}, 5, 1, 4000000000000000)`).join(', ')}`);
  const { activity, residents } = await society(server, '?days=30', server.admin);
  const countsOf = (table) => table.flatMap(({ type, hours }) => hours.flatMap((count, hour) => (count ? [`${type} ${hour} ${count}`] : []))).sort();
  const same = ['comment 11 1', 'eat 10 1'];
  assert.deepEqual(countsOf(activity), [...same, 'message 12 1', 'talk 9 2', 'think 10 1', 'use_phone 12 1']);
  const deeds = (id) => Object.fromEntries(residents.find(({ user }) => user.id === id).deeds.map(({ type, count }) => [type, count]));
  assert.deepEqual(deeds(a), { talk: 1, eat: 1, think: 1 });
  assert.deepEqual(deeds(b), { talk: 1, comment: 1, message: 1, use_phone: 1 });
  // Who writes to whom is nobody else's: to members it is time with the phone.
  const told = await society(server, '?days=30');
  assert.deepEqual(countsOf(told.activity), [...same, 'talk 9 2', 'think 10 1', 'use_phone 12 2']);
  assert.deepEqual(told.residents.find(({ user }) => user.id === b).deeds.find(({ type }) => type === 'use_phone').count, 2);
  await server.stop();
});

test('deeds_are_counted_as_the_action_log_has_them', async () => {
  const server = await lived(3);
  const told = await society(server, '?days=30', server.admin);
  const log = (await wholeLog(server)).filter(isDone);
  assert.equal(told.from_day, 1);
  assert.equal(told.to_day, Math.floor(told.minute / 1440) + 1);
  const byHour = countBy(log, (row) => `${row.action_type} ${Number(row.game_time.slice(0, 2))}`);
  for (const { type, hours } of told.activity) {
    assert.equal(hours.length, 24);
    hours.forEach((count, hour) => assert.equal(count, byHour.get(`${type} ${hour}`) ?? 0, `${type} at ${hour}`));
  }
  const sum = told.activity.reduce((all, { hours }) => all + hours.reduce((a, b) => a + b, 0), 0);
  assert.equal(sum, log.length);

  assert.equal(told.residents.length, 3);
  const byDoer = countBy(log, (row) => `${row.character_id} ${row.action_type}`);
  for (const { user, total, deeds } of told.residents) {
    assert.equal(total, log.filter((row) => row.character_id === user.id).length);
    for (const { type, count } of deeds) assert.equal(count, byDoer.get(`${user.id} ${type}`), `${user.nickname}: ${type}`);
  }
  assert.deepEqual(told.residents.map(({ total }) => total), told.residents.map(({ total }) => total).sort((a, b) => b - a));

  const lastDay = await society(server, '?days=1', server.admin);
  assert.equal(lastDay.from_day, told.to_day);
  assert.equal(lastDay.activity.flatMap(({ hours }) => hours).reduce((a, b) => a + b, 0), log.filter((row) => row.game_day === told.to_day).length);
  await server.stop();
});

test('needs_are_kept_hour_by_hour_and_outlive_a_restart', async (t) => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-society-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const server = await lived(2, { dataDir });
  const { needs, minute } = await society(server, '?days=30');
  const hours = [...new Set(needs.map(({ hour }) => hour))];
  assert.ok(hours.length > 12, `${hours.length} hours of two days`);
  for (const hour of hours) {
    assert.ok(hour >= 8 && hour <= minute / 60, `hour ${hour} at minute ${minute}`);
    assert.deepEqual(needs.filter((one) => one.hour === hour).map(({ need }) => need).sort(), NEEDS);
  }
  for (const { need, mean, low, middle, high } of needs) {
    assert.ok(low >= 0 && low <= middle && middle <= high && high <= 100, need);
    assert.ok(mean + 0.01 >= low && mean <= 100, need);
  }
  const fatigue = needs.filter(({ need }) => need === 'fatigue').map(({ mean }) => mean);
  assert.ok(Math.max(...fatigue) - Math.min(...fatigue) > 20, 'a night makes a difference');

  await server.kill();
  const again = await startTown({ dataDir, args: [] });
  const sameHours = ({ hour }) => hour < Math.floor(minute / 60);
  assert.deepEqual((await society(again, '?days=30')).needs.filter(sameHours), needs.filter(sameHours));
  await again.stop();
});

test('a_tie_is_a_bond_between_two_who_live_there', async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '600000' } });
  const graph = (query = '') => server.get(`/town/ties${query}`);
  await until(graph, ({ ties }) => ties.length > 1, { what: 'friends', ms: 120_000 });
  await standStill(server);
  const { living, residents, ties } = await graph();
  assert.equal(living, 3);
  const ids = residents.map(({ id }) => id);
  assert.deepEqual([...ids].sort(), (await server.town()).residents.map(({ id }) => id).sort());
  for (const { from, to, bond, liking } of ties) {
    assert.ok(ids.includes(from) && ids.includes(to) && from !== to);
    assert.ok(bond > 30 && bond <= 100);
    const card = await server.get(`/town/residents/${from}`);
    const relation = card.relations.find(({ id }) => id === to);
    assert.equal(relation.liking, liking);
    assert.equal(Math.floor((relation.liking + relation.familiarity) / 2), bond);
  }
  for (const { id, ties: count } of residents) assert.equal(count, ties.filter(({ from }) => from === id).length);
  const one = await graph('?limit=1');
  assert.deepEqual([one.residents.map(({ id }) => id), one.ties], [[ids[0]], []]);
  await server.stop();
});

test('what_models_cost_is_for_administrators_and_a_wrong_question_is_told_so', async () => {
  const server = await lived(1);
  assert.deepEqual((await society(server, '', server.admin)).spending, []);
  assert.equal((await society(server)).spending, null);
  await server.sql("INSERT INTO town_spending (day, tokens, cost_micro) VALUES (1000, 5, 5)");
  const today = Math.floor(Date.now() / 86_400_000);
  await server.sql(`INSERT INTO town_spending (day, tokens, cost_micro) VALUES (${today}, 1234, 567)`);
  const { spending } = await society(server, '', server.admin);
  assert.deepEqual(spending.map(({ tokens, cost_micro }) => [tokens, cost_micro]), [[1234, 567]]);
  assertProblem(await server.api('GET', '/town/society?days=0', { token: server.token }), 422, ['query.days greater_than_equal']);
  assertProblem(await server.api('GET', '/town/ties?limit=501', { token: server.token }), 422, ['query.limit less_than_equal']);
  await server.stop();
});
