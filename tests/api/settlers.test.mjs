// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The first residents and places of a new community: once, by whoever is quicker, and a town lives.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { assertOk, assertProblem } from '../support/checks.mjs';
import { newFolder } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';
import { townEnv, towns } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const { kept } = towns();
const USUAL = ['ai_xiaoming', 'ai_xiaohong', 'ai_xiaoli'];

async function fresh(options) {
  const server = kept(await startServer(options));
  const root = await asAdmin(server);
  return { server, root, places: async () => assertOk(await server.api('GET', '/places')).items };
}

test('whoever is listed is one who can come, in either language', async () => {
  const { server, root } = await fresh();
  const zh = await root.must('GET', '/admin/settlers?language=zh');
  const en = await root.must('GET', '/admin/settlers?language=en');
  assert.deepEqual([zh.residents, zh.places, zh.items.length], [0, 0, en.items.length]);
  assert.deepEqual(zh.items.filter(({ usual }) => usual).map(({ username }) => username), USUAL);
  assert.deepEqual(zh.items.map(({ username }) => username), en.items.map(({ username }) => username));
  assert.equal(new Set(zh.items.flatMap(({ nickname, about }) => [nickname, about])).size, 2 * zh.items.length);
  for (const one of zh.items) assert.match(one.nickname + one.about, /^\p{Script=Han}/u);
  for (const one of en.items) assert.doesNotMatch(JSON.stringify(one), /\p{Script=Han}/u);
  // Without a word the community's own, and English where it has none.
  assert.deepEqual(await root.must('GET', '/admin/settlers'), en);
  await root.must('PATCH', '/community', { language: 'zh' });
  assert.deepEqual(await root.must('GET', '/admin/settlers'), zh);
  assertProblem(await root.ask('GET', '/admin/settlers?language=fr'), 422, ['query.language enum']);
  await server.stop();
});

test('they move in with their places, and a second time is refused politely', async () => {
  const { server, root, places } = await fresh();
  const body = { usernames: USUAL, language: 'zh' };
  // Four tabs at once.
  const replies = await Promise.all([1, 2, 3, 4].map(() => root.ask('POST', '/admin/settlers', body)));
  assert.deepEqual(replies.map(({ status }) => status).sort(), [201, 409, 409, 409]);
  assert.deepEqual(replies.find(({ status }) => status === 201).body, { people: 3, places: 7 });
  for (const late of replies.filter(({ status }) => status === 409)) {
    assertProblem(late, 409);
    assert.match(late.body.detail, /residents live here already/);
  }
  const { items } = await root.must('GET', '/admin/residents');
  assert.deepEqual(items.map(({ username, nickname }) => [username, nickname]), [['ai_xiaoming', '小明'], ['ai_xiaohong', '小红'], ['ai_xiaoli', '小李']]);
  const of = items.map(({ bio }) => JSON.parse(bio)).map(({ age, occupation }) => [age, occupation]);
  assert.deepEqual(of, [[28, '程序员'], [31, '画家'], [25, '体育老师']], 'a town draws what is not said');
  // As the demo has them.
  const demo = kept(await startServer({ args: ['--demo'] }));
  assert.deepEqual(await places(), assertOk(await demo.api('GET', '/places')).items);
  assert.deepEqual((await (await asAdmin(demo)).must('GET', '/admin/residents')).items, items.map((one) => ({ ...one, id: one.id - 1 })));
  await demo.stop();
  const audit = (await root.must('GET', '/admin/audit')).items.map(({ action, detail }) => [action, detail]);
  assert.deepEqual(audit.slice(0, 4), [['resident.added', 'ai_xiaoli'], ['resident.added', 'ai_xiaohong'], ['resident.added', 'ai_xiaoming'], ['places.added', '7']]);
  assert.deepEqual(await root.must('GET', '/admin/settlers?language=zh').then(({ residents, places: n }) => [residents, n]), [3, 7]);
  await server.stop();
});

test('what is wrong is named, and nobody comes', async () => {
  const { server, root, places } = await fresh();
  for (const [body, faults] of [
    [{ language: 'zh' }, ['body.usernames enum']], [{ usernames: USUAL }, ['body.language missing']],
    [{ usernames: ['root_keeper'], language: 'zh' }, ['body.usernames enum']], [{ usernames: [7], language: 'en' }, ['body.usernames enum']],
    [{ usernames: {}, language: 'en' }, ['body.usernames enum']], [{ usernames: USUAL, language: 'fr' }, ['body.language enum']],
  ]) assertProblem(await root.ask('POST', '/admin/settlers', body), 422, faults);
  // A member has a settler's name: all or none.
  await server.register('ai_xiaohong');
  const taken = await root.ask('POST', '/admin/settlers', { usernames: USUAL, language: 'zh' });
  assertProblem(taken, 409);
  assert.match(taken.body.detail, /ai_xiaohong\): the name is taken/);
  assert.deepEqual([await places(), (await root.must('GET', '/admin/residents')).items], [[], []]);
  await server.stop();
});

test('all of them live in the town they founded, each in a house of their own and at their hours', async (t) => {
  const dataDir = await newFolder(t);
  const { server, root } = await fresh({ dataDir, env: townEnv() });
  assert.equal((await root.must('GET', '/admin/town')).state, 'none');
  const { items } = await root.must('GET', '/admin/settlers?language=en');
  assert.deepEqual(await root.must('POST', '/admin/settlers', { usernames: items.map(({ username }) => username), language: 'en' }, 201), { people: 8, places: 12 });
  // By itself, without a restart.
  await until(() => root.must('GET', '/admin/town'), ({ state, residents }) => state === 'here' && residents === 8, { ms: 30_000, what: 'the town' });
  const town = await until(() => root.must('GET', '/town'), ({ minute }) => minute > 480 + 300, { ms: 60_000, what: 'a day' });
  const homes = new Map();
  for (const { id, name } of town.residents) {
    const card = await root.must('GET', `/town/residents/${id}`);
    const home = town.locations.find((one) => one.id === card.home_location_id);
    assert.equal(home.name, `${name}'s home`);
    homes.set(home.id, home);
    if (name === 'Old Chen') assert.deepEqual([card.age, card.occupation], [68, 'retired teacher']);
    if (name === 'Mei') assert.ok(card.plan.length > 0);
  }
  assert.equal(homes.size, 8);
  const overlap = (a, b) => a !== b && a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  for (const one of town.locations) assert.ok(!town.locations.some((other) => overlap(one, other)), `${one.name} stands in another place`);
  assert.doesNotMatch(server.log(), /town\.(take|commit|stopped)/);
  await server.stop();
});

test('places alone come where there are none: houses for who lives here, and for whoever comes', async () => {
  const { server, root, places } = await fresh({ env: townEnv() });
  await root.must('POST', '/admin/residents', { username: 'by_hand', nickname: 'Nüwa "N"' }, 201);
  assert.equal((await root.must('GET', '/admin/town')).state, 'none', 'a resident and nowhere to live');
  assertProblem(await root.ask('POST', '/admin/settlers', { usernames: USUAL, language: 'en' }), 409);
  assert.deepEqual(await root.must('POST', '/admin/settlers', { usernames: [], language: 'en' }, 201), { people: 0, places: 12 });
  const made = await places();
  assert.deepEqual(made.slice(0, 6).map(({ name }) => name), ['Central Square', 'Café', 'Library', 'Park', 'Nüwa "N"\'s home', 'House 2']);
  const again = await root.ask('POST', '/admin/settlers', { usernames: [], language: 'en' });
  assertProblem(again, 409);
  assert.match(again.body.detail, /there are places already/);
  const town = await until(() => root.ask('GET', '/town'), ({ status }) => status === 200, { ms: 30_000, what: 'the town' });
  assert.deepEqual(town.body.residents.map(({ name }) => name), ['Nüwa "N"']);
  // Who was here is gone: others may come, and the places stay.
  await root.must('DELETE', `/admin/residents/${town.body.residents[0].id}`, undefined, 204);
  assert.deepEqual(await root.must('POST', '/admin/settlers', { usernames: ['ai_amei'], language: 'en' }, 201), { people: 1, places: 0 });
  await until(() => root.must('GET', '/town'), ({ residents }) => residents.length === 1 && residents[0].name === 'Mei', { ms: 30_000, what: 'Mei' });
  await server.stop();
});
