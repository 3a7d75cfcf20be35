// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A model that is slower than the clock (HUTONG_TOWN_LATE): the clock waits for it, the rules decide
// for it, or the decision is dropped and its resident waits.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns, withModel } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const { kept, startTown } = towns();

// At this speed the pace leaves a model an hour of the game (twenty seconds would be more).
const SPEED = 6000;
const LEFT_MIN = 60;
const SKIPPED_MIN = 10;

const DECISION = /decide what they do next/;
const SAYS = { deltas: ['{"action_index":1,"reason":"because"}'] };

// Every decision waits for its resume().
async function startSlow(late) {
  const provider = kept(await startProvider());
  provider.always(({ text }) => (DECISION.test(text) ? { ...SAYS, stallAfter: 'request' } : {}));
  const server = await startTown({
    env: withModel(provider, { HUTONG_TOWN_LATE: late, HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '200', HUTONG_TOWN_SPEED: String(SPEED) }),
  });
  await provider.until(() => provider.requests.some((asked) => asked.stalled));
  return { provider, server };
}

const minuteOf = ({ game_day: day, game_time: time }) => {
  const [hour, minute] = time.split(':').map(Number);
  return (day - 1) * 1440 + hour * 60 + minute;
};

// What everybody did from its beginning on: [{ id, action, minutes, at, reason }], oldest first.
async function deeds(server) {
  const rows = await server.sql(
    "SELECT * FROM action_logs WHERE llm_response IS NULL AND action_name NOT IN ('conversation', 'encounter') ORDER BY id");
  return rows.map((row) => ({
    id: row.character_id, action: row.action_name, minutes: row.duration, at: minuteOf(row), reason: row.reason,
  }));
}

// [deliberation that ran out of time, what its resident did then].
async function lateOnes(server) {
  const all = await deeds(server);
  const late = all.filter(({ action, minutes }) => action === 'think' && minutes === LEFT_MIN);
  const then = (one) => all.find(({ id, at }) => id === one.id && at === one.at + LEFT_MIN);
  return late.map((one) => [one, then(one)]).filter(([, next]) => next);
}

const decided = async (server) => (await server.sql(
  "SELECT COUNT(*) AS n FROM action_logs WHERE llm_response LIKE '%because%' AND success = 1"))[0].n;

// All that is asked from now on is answered at once, and so is what waits.
function wakeUp(provider) {
  provider.always(({ text }) => (DECISION.test(text) ? SAYS : {}));
  for (const asked of provider.requests) asked.resume();
}

const later = async (server, minutes) => {
  const { minute } = await server.town();
  return until(server.town, (town) => town.minute > minute + minutes, { ms: 60_000, what: `${minutes} minutes more` });
};

test('wait_holds_the_clock_before_anybody_runs_out_of_time_and_lets_it_go_with_the_answer', async () => {
  const { provider, server } = await startSlow('wait');
  // Two seconds would be 200 game minutes for a clock that goes.
  const since = performance.now();
  const seen = [];
  await until(async () => { seen.push((await server.town()).minute); return performance.now() - since; }, (ms) => ms > 2000);
  const held = seen.at(-1);
  assert.ok(seen.filter((minute) => minute === held).length > seen.length / 4, 'it stands');
  assert.ok(held < 480 + 2 * LEFT_MIN, `it stands at ${held}`);
  assert.equal(await decided(server), 0);
  // What needs no clock goes on meanwhile.
  assert.equal((await server.api('POST', '/posts', { token: server.token, json: { content: '还在等' } })).status, 201);
  const waiting = provider.requests.filter((asked) => asked.stalled).length;
  assert.ok(waiting >= 1 && waiting <= 3, `${waiting} wait`);

  wakeUp(provider);
  await later(server, 3 * LEFT_MIN);
  assert.ok(await decided(server) >= waiting, 'what was waited for counts');
  assert.deepEqual(await lateOnes(server), [], 'nobody ran out of time');
  await server.stop();
  await provider.stop();
});

test('degrade_lets_the_rules_decide_when_the_time_is_up_and_a_late_answer_is_none', async () => {
  const { provider, server } = await startSlow('degrade');
  const late = await until(() => lateOnes(server), (found) => found.length >= 5, { ms: 60_000, what: 'five late ones' });
  // The rules' choice is one of the list that was put to the model, and most have a reason.
  assert.ok(late.some(([, next]) => next.reason), JSON.stringify(late));
  for (const [, next] of late) assert.ok(!(next.action === 'wait' && next.minutes === SKIPPED_MIN && !next.reason), JSON.stringify(next));
  assert.equal(await decided(server), 0);

  const asked = provider.requests.filter(({ stalled }) => stalled).length;
  wakeUp(provider);
  await later(server, LEFT_MIN);
  const answers = async () => (await server.sql("SELECT COUNT(*) AS n FROM action_logs WHERE llm_response LIKE '%because%' AND success = 0"))[0].n;
  await until(answers, (refused) => refused >= Math.min(asked - 3, late.length), { what: 'late answers are in the log, and did nothing' });
  await server.stop();
  await provider.stop();
});

test('skip_drops_the_decision_and_its_resident_waits_ten_minutes', async () => {
  const { provider, server } = await startSlow('skip');
  const late = await until(() => lateOnes(server), (found) => found.length >= 5, { ms: 60_000, what: 'five late ones' });
  for (const [, next] of late) {
    assert.deepEqual([next.action, next.minutes, next.reason || ''], ['wait', SKIPPED_MIN, ''], JSON.stringify(next));
  }
  // And then it decides anew.
  const all = await deeds(server);
  const [, waited] = late[0];
  assert.ok(all.some(({ id, at }) => id === waited.id && at === waited.at + SKIPPED_MIN));
  wakeUp(provider);
  await until(() => decided(server), (count) => count > 0, { ms: 60_000, what: 'a model in time decides again' });
  await server.stop();
  await provider.stop();
});

test('a_step_waits_for_who_decides', async () => {
  const provider = kept(await startProvider());
  provider.always(({ text }) => (DECISION.test(text) ? { ...SAYS, everyMs: 250 } : {}));
  const server = await startTown({
    env: withModel(provider, { HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '200', HUTONG_TOWN_SPEED: '1' }),
  });
  const root = await asAdmin(server);
  await root.must('POST', '/town/control', { action: 'pause' });
  for (let i = 0; i < 20; i++) await root.must('POST', '/town/control', { action: 'step' });
  assert.ok(await decided(server) >= 3, 'models have decided');
  const late = await server.sql("SELECT COUNT(*) AS n FROM action_logs WHERE action_name = 'think' AND reason IN ('在想做什么', 'making up its mind')");
  assert.equal(late[0].n, 0, 'nobody ran out of time');
  await server.stop();
  await provider.stop();
});
