// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The plan of a resident's day, made by a model: asked for once, in the morning, beside the rules'
// plan, which holds until there is an answer that fits.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk } from '../support/checks.mjs';
import { hutong, newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns, withModel } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const { kept, startTown } = towns();

const isPlan = ({ text }) => /plan their day/.test(text);
// Also of the second round, which says what was wrong with the answer.
const askedOf = ({ body }) => body.messages.find(({ role }) => role === 'user').content;
const nameIn = (asked) => /^You are ([^,]+),/.exec(askedOf(asked))[1];
const dayIn = (asked) => Number(/Day (\d+), /.exec(askedOf(asked))[1]);
const firstFriend = (asked) => /^1\. (.+) \(you know/m.exec(askedOf(asked))?.[1];
const says = (steps, reason = 'long awaited') => ({ deltas: [JSON.stringify({ steps, reason })] });

// One call a day: who has risen is asked for the day, and for nothing else.
async function startPlanned(t, plan, env = {}) {
  const provider = kept(await startProvider());
  provider.always((asked) => (isPlan(asked) ? plan(asked) : { deltas: ['{"action_index":1,"reason":"so"}'] }));
  const server = await startTown({
    dataDir: await newFolder(t), args: ['--demo'],
    env: withModel(provider, { HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '1', HUTONG_TOWN_SPEED: '12000', ...env }),
  });
  return { provider, server };
}

const planned = async (server) => (await server.log('&type=think')).filter(({ action_name: name }) => name === 'plan_day');

async function replayAgrees(server) {
  const { status, out, err } = await hutong(['town', 'replay', '--data', server.dataDir], { env: server.env });
  assert.equal(status, 0, out + err);
  assert.match(out, /^the same as from the checkpoint of /m);
}

test('who_has_risen_is_asked_for_its_day_once_and_lives_what_the_model_planned', async (t) => {
  const friends = new Map();
  const { provider, server } = await startPlanned(t, (asked) => {
    const friend = firstFriend(asked);
    assert.match(askedOf(asked), /You (work today from \d\d:\d\d to \d\d:\d\d|do not work today)/);
    if (dayIn(asked) === 2) friends.set(nameIn(asked), friend);
    // Two that overlap, a number that is of no use, and no word of the night.
    return says([
      { from: '10:00', until: '16:00', do: friend ? 'meet' : 'free', who: friend ? 1 : null },
      { from: '15:00', until: '17:00', do: 'free', who: 7 },
    ]);
  });
  const { residents } = await server.town();
  const all = await until(() => planned(server), (found) => found.filter((one) => one.game_day === 2).length === residents.length, { ms: 60_000, what: 'all have planned' });
  for (const { id, name } of residents) {
    const entry = all.find((one) => one.character_id === id && one.game_day === 2);
    assert.deepEqual([entry.success, entry.reason, entry.description], [true, 'long awaited', '安排一天'], JSON.stringify(entry));
    assert.match(entry.result, new RegExp(`^10:00 (见${friends.get(name)}|自由时间)，16:00 自由时间，\\d\\d:\\d\\d 睡觉$`));
    const { plan } = await server.get(`/town/residents/${id}`);
    assert.deepEqual(plan.map(({ activity }) => activity), [friends.get(name) ? 'meet' : 'free time', 'free time', 'bed'], name);
    assert.deepEqual(plan.slice(0, 2).map(({ time, duration }) => [time, duration]), [['10:00', 360], ['16:00', 60]]);
  }
  assert.ok([...friends.values()].some(Boolean), 'somebody knows somebody');

  // Long before the rules would have let anybody go.
  const idOf = (name) => residents.find((one) => one.name === name)?.id;
  const meets = async () => (await server.sql("SELECT * FROM action_logs WHERE game_day = 2 AND game_time BETWEEN '10:00' AND '14:59' AND action_type IN ('move', 'talk')"))
    .filter((one) => [...friends].some(([name, friend]) => idOf(name) === one.character_id && idOf(friend) === one.target_character_id));
  await until(meets, (found) => found.length > 0, { ms: 60_000, what: 'one goes to meet whom it meant to' });

  await until(server.town, ({ minute }) => minute > 3 * 1440 - 60, { ms: 60_000, what: 'another morning' });
  const mornings = provider.requests.filter(isPlan).map((asked) => `${nameIn(asked)} ${dayIn(asked)}`);
  assert.equal(new Set(mornings).size, mornings.length, mornings.join());
  // What it was asked and said is for administrators.
  const { token } = await asAdmin(server);
  const whole = assertOk(await server.api('GET', `/town/log/${all[0].id}`, { token }));
  assert.match(whole.input_prompt, /Plan your day until bed/);
  assert.match(whole.llm_response, /long awaited/);
  await server.stop();
  await replayAgrees(server);
  await provider.stop();
});

const bed = { from: '23:00', until: '07:00', do: 'bed', who: null };
const free = (more) => ({ from: '10:00', until: '12:00', do: 'free', who: null, ...more });
const RUBBISH = [
  says([]), says([bed]), says([free({ from: '9' })]), says([free({ from: '25:00' })]), says([free({ until: '10:00' })]),
  says([free({ until: '10:60' })]), says([free({ do: 'dance' })]), says([free({ do: 'work', from: '03:00', until: '03:30' })]),
  says([free({ do: 'meet' })]), says([free({ do: 'meet', who: 0 })]), says([free({ do: 'meet', who: 99 })]),
  says([free(), { ...bed, from: '13:00' }]), says(Array(9).fill(free())), says('all day long'),
  { deltas: ['I shall stay in bed.'] }, { deltas: ['{"steps":['] }, { deltas: ['no'], finish: 'filter' },
  { status: 500, error: { message: 'broken' } },
];

test('what_is_no_plan_or_comes_too_late_leaves_the_rules_plan_and_nobody_waits', async (t) => {
  const mornings = [];
  const stalled = [];
  const { provider, server } = await startPlanned(t, (request) => {
    if (dayIn(request) === 2 && stalled.length === 0) {
      stalled.push(request);
      return { ...says([free()]), stallAfter: 'request' };
    }
    const morning = `${nameIn(request)} ${dayIn(request)}`;
    if (!mornings.includes(morning)) mornings.push(morning);
    return RUBBISH[mornings.indexOf(morning) % RUBBISH.length];
  }, { HUTONG_TOWN_LATE: 'wait', HUTONG_TOWN_SPEED: '20000' });
  await provider.until(() => stalled.length > 0, { ms: 60_000, what: 'the first who rises' });
  // The clock does not wait for it, though it waits for decisions.
  const { minute } = await server.town();
  const { residents } = await until(server.town, (town) => town.minute > minute + 240, { what: 'four hours' });
  stalled[0].resume();
  await until(() => planned(server), (found) => found.some(({ success, result }) => !success && result === 'came too late'), { what: 'the late one is in the log' });
  const late = residents.find(({ name }) => name === nameIn(stalled[0]));
  const usual = async (id) => (await server.get(`/town/residents/${id}`)).plan.map(({ activity }) => activity);
  for (const { id } of [late, ...residents]) {
    const plan = await usual(id);
    assert.ok(plan.length >= 5 && plan.includes('breakfast') && plan.includes('lunch'), plan.join());
  }
  await provider.until(() => mornings.length > RUBBISH.length, { ms: 120_000, what: 'all the rubbish' });
  const all = await until(() => planned(server), (found) => found.length >= RUBBISH.length, { what: 'their entries' });
  for (const { success, result } of all) assert.equal(success, false, result);
  assert.ok(all.some(({ result }) => /no plan for this day/.test(result)));
  for (const { id } of residents) assert.ok((await usual(id)).includes('breakfast'));
  await server.stop();
  await replayAgrees(server);
  await provider.stop();
});

test('nobody_is_asked_for_a_plan_when_the_budget_is_used_up_or_no_call_is_allowed', async (t) => {
  for (const env of [{ HUTONG_TOWN_MODEL_TOKENS: '1' }, { HUTONG_TOWN_MODEL_CALLS: '0' }, { HUTONG_TOWN_MODEL_SHARE: '0' }]) {
    const { provider, server } = await startPlanned(t, () => says([free()]), { HUTONG_TOWN_SPEED: '60000', ...env });
    await until(server.town, ({ minute }) => minute > 2 * 1440, { ms: 60_000, what: 'a second day' });
    assert.equal(provider.requests.filter(isPlan).length, 0, JSON.stringify(env));
    await server.stop();
    await provider.stop();
  }
});
