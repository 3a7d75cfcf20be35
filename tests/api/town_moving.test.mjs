// SPDX-License-Identifier: AGPL-3.0-or-later
//
// People come to a town that lives and leave it, while it runs and while nobody runs it; the others
// go on, and a replay comes to the same town.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk } from '../support/checks.mjs';
import { hutong, newFolder } from '../support/command.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns, withModel } from '../support/town.mjs';
import { metric, until } from '../support/watch.mjs';

const { kept, startTown } = towns();

const NAME = 'ai_xiaohe';
const ids = ({ residents }) => residents.map(({ id }) => id);
const without = (id) => (town) => !ids(town).includes(id);
const named = (name) => ({ residents }) => residents.some((one) => one.name === name);
const bornAs = (server, id) => server.sql(`SELECT number FROM town_people WHERE user_id = ${id}`);
const idOf = async (server) => (await server.sql(`SELECT id FROM users WHERE username = '${NAME}'`))[0].id;

// By hand, as whoever keeps the database does it: foreign keys hold.
const removeAccount = (server, id) => server.sqlText(
  `${server.env.HUTONG_DATABASE ? '' : 'PRAGMA foreign_keys = ON; '}DELETE FROM users WHERE id = ${id}`);

async function addResident(server, name = NAME) {
  const bio = JSON.stringify({ occupation: 'painter', age: 25 });
  const { status, out, err } = await hutong(['resident', 'add', name, '--nickname', `The ${name}`, '--bio', bio,
    '--data', server.dataDir], { env: server.env });
  assert.equal(status, 0, err);
  return out;
}

async function replayAgrees(server) {
  const { status, out, err } = await hutong(['town', 'replay', '--data', server.dataDir], { env: server.env });
  assert.equal(status, 0, out + err);
  assert.match(out, /^the same as from the checkpoint of /m);
}


const again = (server, options = {}) => startTown({ dataDir: server.dataDir, args: [], ...options });
const hours = (count) => async (server) => {
  const { minute } = await server.town();
  return until(server.town, (town) => town.minute > minute + count * 60, { what: `${count} hours more` });
};

async function asModerator(server) {
  const { username } = await server.register(`warden${Math.random().toString(36).slice(2, 8)}`);
  await server.sql(`UPDATE users SET role = 'admin' WHERE username = '${username}'`);
  const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { form: { username, password: 'correct horse' } }));
  return {
    ban: async (id, banned = true) => assert.equal(
      (await server.api('PUT', `/admin/users/${id}/banned`, { token, json: { banned } })).status, 204),
    control: async (action) => assertOk(await server.api('POST', '/town/control', { token, json: { action } })),
  };
}

// The known defect: "town has 3 residents, community knows 2".
test('residents_whose_accounts_were_deleted_while_nobody_ran_the_town_have_moved_out', async (t) => {
  for (const end of ['stop', 'kill']) {
    const first = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
    const { residents: [{ id }, ...others] } = await until(first.town, ({ minute }) => minute > 480 + 120);
    await first[end]();
    await removeAccount(first, id);
    const server = await again(first);
    const now = await hours(4)(server);
    assert.deepEqual(ids(now), others.map((one) => one.id));
    assert.equal(await metric(server, 'hutong_town_residents'), 2);
    assert.equal((await server.api('GET', `/town/residents/${id}`, { token: server.token })).status, 404);
    for (const one of others) assert.ok((await server.get(`/town/residents/${one.id}`)).relations.every((r) => r.id > 0 && r.id !== id));
    await server.stop();
    await replayAgrees(server);
  }
});

test('one_whose_account_is_deleted_leaves_the_living_town_and_maps_hear_it', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const live = await Live.open(server, server.token);
  const { topic, residents: [{ id }, { id: stays }] } = await server.town();
  await live.subscribe(topic);
  await removeAccount(server, id);
  const heard = await live.next((m) => m.topic === topic && m.data.happened?.some(({ what }) => what === 'left'));
  const left = heard.data.happened.find(({ what }) => what === 'left');
  assert.equal(left.id, id);
  assert.ok(without(id)(await server.town()));
  assert.equal((await server.api('GET', `/town/residents/${id}`, { token: server.token })).status, 404);
  // What goes on has nothing of it.
  const before = await server.town();
  const after = await hours(6)(server);
  assert.deepEqual(ids(after), ids(before));
  assert.ok(after.residents.every(({ with_id: other }) => other !== id));
  assert.ok((await server.log(`&character_id=${stays}`)).length > 0);
  await live.close();
  await server.stop();
  await replayAgrees(server);
  const back = await again(server);
  assert.deepEqual(ids(await back.town()), ids(before));
  await back.stop();
});

// As an administrator does it, in the app.
test('one_whom_an_administrator_sends_away_leaves_the_living_town_and_the_others_go_on', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const keeper = await asAdmin(server);
  const live = await Live.open(server, server.token);
  const { topic } = await server.town();
  const { residents: [{ id }, ...others] } = await until(server.town, ({ minute }) => minute > 480 + 300); // it has said and done things
  await live.subscribe(topic);
  await keeper.must('DELETE', `/admin/residents/${id}`, undefined, 204);
  await live.next((m) => m.topic === topic && m.data.happened?.some(({ what, id: who }) => what === 'left' && who === id));
  await live.close();
  const stays = others.map((one) => one.id);
  const now = await hours(8)(server);
  assert.deepEqual(ids(now), stays);
  for (const [table, column] of [['action_logs', 'character_id'], ['posts', 'author_id'], ['comments', 'author_id'], ['memories', 'user_id'], ['town_people', 'user_id']]) {
    assert.deepEqual(await server.sql(`SELECT COUNT(*) AS n FROM ${table} WHERE ${column} = ${id}`), [{ n: 0 }], table);
  }
  assert.doesNotMatch(server.said(), /town\.(commit|stopped|take)/);
  // Its number is given to nobody else.
  const { id: next } = await keeper.must('POST', '/admin/residents', { username: NAME }, 201);
  await until(server.town, (town) => !without(next)(town));
  assert.deepEqual(await bornAs(server, next), [{ number: 3 }]);
  await server.kill();
  const back = await again(server);
  assert.deepEqual(ids(await back.town()), [...stays, next]);
  await back.stop();
  await replayAgrees(back);
});

test('a_town_whose_residents_are_all_sent_away_at_once_stands_empty_and_takes_others_in', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const keeper = await asAdmin(server);
  const all = ids(await until(server.town, ({ minute }) => minute > 480 + 120));
  await Promise.all(all.map((id) => keeper.must('DELETE', `/admin/residents/${id}`, undefined, 204)));
  await until(server.town, ({ residents }) => residents.length === 0);
  await hours(4)(server);
  assert.equal((await keeper.must('GET', '/admin/town')).state, 'here');
  const { id } = await keeper.must('POST', '/admin/residents', { username: NAME }, 201);
  await until(server.town, (town) => !without(id)(town));
  await server.stop();
  await replayAgrees(server);
});

test('one_who_is_added_moves_into_the_living_town_and_lives_there', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'], env: { HUTONG_TOWN_SPEED: '600' } });
  const live = await Live.open(server, server.token);
  const { topic, locations } = await server.town();
  await live.subscribe(topic);
  assert.match(await addResident(server), /It moves into the town within seconds/);
  const heard = await live.next((m) => m.topic === topic && m.data.happened?.some(({ what }) => what === 'came'));
  const came = heard.data.happened.find(({ what }) => what === 'came');
  const id = await idOf(server);
  assert.deepEqual([came.id, came.name], [id, `The ${NAME}`]);
  const home = locations.find((one) => one.id === came.location_id);
  assert.ok(came.x >= home.x && came.x <= home.x + home.width && came.y >= home.y && came.y <= home.y + home.height);
  const began = await live.next((m) => m.topic === topic && m.data.happened?.some((one) => one.what === 'began' && one.id === id));
  assert.ok(began.data.happened.find((one) => one.id === id).minute <= came.minute + 2);
  await live.close();
  // The row and the input are one: whatever moment it is killed.
  assert.deepEqual(await bornAs(server, id), [{ number: 3 }]);
  await server.kill();
  const next = await again(server);
  assert.equal((await next.town()).residents.length, 4);
  const card = await next.get(`/town/residents/${id}`);
  assert.deepEqual([card.age, card.occupation, card.home_location_id], [25, 'painter', home.id]);
  const times = card.plan.map(({ time }) => time).filter((time) => time >= '05:00'); // a night may begin after midnight
  assert.deepEqual(times, times.toSorted(), 'its day in order');
  assertOk(await next.api('POST', `/messages/send/${id}`, { token: next.token, json: { content: '欢迎！住得惯吗？' } }));
  const history = async () => (await next.get(`/messages/history/${id}`)).items;
  await until(history, (items) => items.some(({ sender_id: from }) => from === id), { ms: 60_000, what: 'an answer' });
  await until(() => next.log(`&character_id=${id}`), (log) => log.length > 5, { what: 'what it does' });
  await next.stop();
  await replayAgrees(next);
});

test('those_who_were_added_and_banned_while_nobody_ran_the_town_have_come_and_gone', async (t) => {
  const first = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const [one, two] = ids(await until(first.town, ({ minute }) => minute > 480 + 60));
  await first.kill();
  await addResident(first);
  await addResident(first, 'ai_second');
  await first.sqlText(`UPDATE users SET banned_us = 1 WHERE id IN (${one}, (SELECT id FROM (SELECT id FROM users WHERE username = 'ai_second') AS x))`);
  const server = await again(first);
  const now = await server.town();
  assert.ok(without(one)(now) && !without(two)(now) && named(`The ${NAME}`)(now) && !named('The ai_second')(now));
  assert.equal(now.residents.length, 3);
  await hours(2)(server);
  await server.stop();
  await replayAgrees(server);
});

test('who_is_banned_moves_out_and_comes_back_as_who_it_was', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const { ban } = await asModerator(server);
  const [id] = ids(await server.town());
  const cardOf = () => server.get(`/town/residents/${id}`);
  await until(cardOf, ({ relations }) => relations.length > 0, { ms: 60_000, what: 'somebody it knows' });
  await ban(id);
  await until(server.town, without(id));
  const number = await bornAs(server, id);
  assert.equal(number.length, 1);
  const silent = async () => (await server.sql(`SELECT COUNT(*) AS n FROM action_logs WHERE character_id = ${id}`))[0].n;
  const logged = await silent();
  await hours(12)(server);
  assert.equal(await silent(), logged, 'it does nothing');
  const { out } = await hutong(['resident', 'list', '--data', server.dataDir], { env: server.env });
  assert.equal(out.match(/\(not in the town\)/g)?.length, 1);
  await ban(id, false);
  await until(server.town, (town) => !without(id)(town));
  assert.deepEqual(await bornAs(server, id), number);
  assert.ok((await cardOf()).relations.length > 0);
  await until(silent, (n) => n > logged, { what: 'what it does again' });
  await server.stop();
  await replayAgrees(server);
});

test('a_town_that_is_paused_or_that_all_have_left_is_moved_into_too', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const { control } = await asModerator(server);
  const { minute } = await control('pause');
  for (const id of ids(await server.town())) await removeAccount(server, id);
  await until(server.town, ({ residents }) => residents.length === 0);
  assert.equal((await server.town()).minute, minute);
  await server.kill();
  const empty = await again(server);
  const warden = await asModerator(empty);
  assert.equal((await empty.town()).residents.length, 0);
  await warden.control('resume');
  await hours(12)(empty);
  await warden.control('pause');
  await addResident(empty);
  const { residents: [{ id, location_id: home }] } = await until(empty.town, ({ residents }) => residents.length === 1);
  assert.ok(home > 0);
  await warden.control('resume');
  await until(() => empty.log(`&character_id=${id}`), (log) => log.length > 5, { what: 'what it does alone' });
  await empty.stop();
  await replayAgrees(empty);
});

// Asked as this resident, to decide or to write.
const asked = (provider, name) => provider.requests.filter(({ text }) => text.includes(`You are ${name}`));

test('no_model_is_asked_for_who_has_moved_out_and_what_it_was_asked_is_broken_off', async (t) => {
  const provider = kept(await startProvider());
  provider.always(() => ({ deltas: ['{"action_index":1,"reason":"so"}'], stallAfter: 'request' }));
  const server = await startTown({
    dataDir: await newFolder(t), args: ['--demo'],
    env: withModel(provider, { HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '200', HUTONG_TOWN_SPEED: '600' }),
  });
  const { ban } = await asModerator(server);
  const [{ id, name }] = (await server.town()).residents;
  assertOk(await server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content: '在吗？' } }));
  const writing = () => asked(provider, name).find(({ text }) => text.includes('在吗'));
  const deciding = () => asked(provider, name).find(({ text }) => text.includes('What you can do now'));
  await provider.until(() => writing() && deciding());
  const open = asked(provider, name).filter((request) => !request.closedAt);
  assert.ok(open.includes(writing()));
  await ban(id);
  await until(server.town, without(id));
  await provider.until(() => open.every((request) => request.closedAt));
  const count = asked(provider, name).length;
  await hours(1)(server);
  assert.equal(asked(provider, name).length, count);
  assert.equal((await server.get(`/messages/history/${id}`)).items.length, 1, 'nobody answers');
  assert.ok(asked(provider, (await server.town()).residents[0].name).length > 0, 'others are asked');
  await server.stop();
  await replayAgrees(server);
  await provider.stop();
});

// Then the answer is told before anybody has looked at the accounts, and there is nobody to log it for.
test('an_answer_for_one_whose_account_has_just_gone_stops_nothing', async (t) => {
  const provider = kept(await startProvider());
  provider.always(({ text }) => ({
    deltas: ['{"action_index":1,"reason":"so"}'], ...(text.includes('What you can do now') ? { stallAfter: 'request' } : {}),
  }));
  const server = await startTown({
    dataDir: await newFolder(t), args: ['--demo'],
    env: withModel(provider, { HUTONG_TOWN_MODEL_SHARE: '100', HUTONG_TOWN_MODEL_CALLS: '200', HUTONG_TOWN_SPEED: '120' }),
  });
  const deciding = () => provider.requests.filter(({ text, closedAt }) => text.includes('What you can do now') && !closedAt);
  await provider.until(() => deciding().length >= 3);
  const left = ids(await server.town()).slice(0, 2);
  for (const id of left) await removeAccount(server, id);
  for (const request of deciding()) request.resume();
  const now = await until(server.town, (town) => left.every((id) => without(id)(town)));
  assert.equal(now.residents.length, 1);
  await until(server.town, ({ minute }) => minute > now.minute + 10);
  assert.doesNotMatch(server.said(), /town\.(commit|stopped|take)/);
  await server.stop();
  await replayAgrees(server);
  await provider.stop();
});

test('a_member_whom_residents_know_deletes_the_account_and_the_town_goes_on', async (t) => {
  const server = await startTown({ dataDir: await newFolder(t), args: ['--demo'] });
  const { residents: [{ id }] } = await server.town();
  const guest = await server.register('guest_leaves');
  const as = async (method, target, json) => server.api(method, target, { token: guest.token, json });
  const live = await Live.open(server, guest.token);
  await live.subscribe('me');
  assertOk(await as('PUT', `/users/${id}/follow`));
  assertOk(await as('POST', `/messages/send/${id}`, { content: 'How is your garden?' }));
  await live.next((m) => m.event === 'message.created' && m.data.sender_id === id);
  // Another question is under way, and its answer finds nobody.
  assertOk(await as('POST', `/messages/send/${id}`, { content: 'And your neighbours?' }));
  assertOk(await as('POST', '/posts', { content: 'Goodbye everybody' }), 201);
  assertOk(await as('DELETE', '/users/me', { password: guest.password }), 204);
  await live.closed;
  const now = await hours(8)(server);
  assert.ok(ids(now).includes(id));
  assert.deepEqual(await server.sql(`SELECT id FROM messages WHERE sender_id = ${guest.id} OR receiver_id = ${guest.id}`), []);
  const { relations } = await server.get(`/town/residents/${id}`);
  assert.ok(relations.every((relation) => relation.id !== guest.id));
  await server.stop();
  await replayAgrees(server);
});
