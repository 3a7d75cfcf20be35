// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members report what should not be here; moderators answer.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startServer } from '../support/server.mjs';

const PASSWORD = 'correct horse';
let server, root, mod, ada, bob, eve;
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
  [root, mod, ada, bob, eve] = await Promise.all(['root', 'mod', 'ada', 'bob', 'eve'].map(
    (name) => server.register(`${name}_reports`, { password: PASSWORD })));
  await server.sql(`UPDATE users SET role = 'moderator' WHERE id = ${mod.id};
    UPDATE users SET role = 'admin' WHERE id = ${root.id}`);
  for (const one of [root, mod]) {
    one.token = assertOk(await server.api('POST', '/auth/login', { form: { username: one.username, password: PASSWORD } })).access_token;
  }
});
after(() => server.stop());

const post = async (who, content) => assertOk(await server.api('POST', '/posts', { token: who.token, json: { content } }), 201);
const comment = async (who, where, content) =>
  assertOk(await server.api('POST', `/posts/${where.id}/comments`, { token: who.token, json: { content } }), 201);
const send = async (who, whom, content) =>
  assertOk(await server.api('POST', `/messages/send/${whom.id}`, { token: who.token, json: { content } }));
const report = (who, kind, id, more = {}) => server.api('POST', '/reports', { token: who?.token, json: { kind, id, reason: 'abuse', ...more } });
const list = async (query = '', who = mod) => assertOk(await server.api('GET', `/admin/reports?${query}`, { token: who.token }));
const resolve = (who, id, outcome) => server.api('POST', `/admin/reports/${id}/resolve`, { token: who?.token, json: { outcome } });
const audit = async () => assertOk(await server.api('GET', '/admin/audit', { token: root.token })).items;

describe('reporting', () => {
  test('once is enough, and what was said then stays, whatever becomes of it', async () => {
    const bad = await post(eve, 'you all stink');
    const { id } = assertOk(await report(ada, 'post', bad.id, { reason: 'spam', note: ' look\nat this ' }), 201);
    assert.equal(assertOk(await report(ada, 'post', bad.id), 201).id, id);
    assert.notEqual(assertOk(await report(bob, 'post', bad.id), 201).id, id);
    assertOk(await server.api('PUT', `/posts/${bad.id}`, { token: eve.token, json: { content: 'you are all lovely' } }));
    const page = await list();
    const one = page.items.find((each) => each.id === id);
    assert.deepEqual(Object.keys(one), ['id', 'created_at', 'kind', 'object_id', 'post_id', 'content', 'reason', 'note', 'reporter',
      'author', 'author_banned', 'outcome', 'resolved_at', 'resolver']);
    assert.deepEqual([one.kind, one.object_id, one.content, one.reason, one.note, one.reporter.id, one.author.id, one.outcome],
      ['post', bad.id, 'you all stink', 'spam', 'look\nat this', ada.id, eve.id, null]);
    assertShape(one.author, 'userBrief');
    assert.equal(page.open, 2);
    assertOk(await server.api('DELETE', `/posts/${bad.id}`, { token: eve.token }), 204);
    assert.equal((await list()).open, 2);
    assertOk(await resolve(mod, id, 'removed'), 204); // gone already: as it should be
    assert.equal((await list()).open, 0);
  });

  test('is for members, of what is there and is not one’s own', async () => {
    const mine = await post(ada, 'mine');
    assertProblem(await report(null, 'post', mine.id), 401);
    for (const [who, kind, id] of [[ada, 'post', mine.id], [ada, 'user', ada.id]]) {
      const refused = await report(who, kind, id);
      assertProblem(refused, 400);
      assert.match(refused.body.detail, /your own/);
    }
    for (const kind of ['post', 'comment', 'message', 'user']) assertProblem(await report(ada, kind, 999999), 404);
    assertProblem(await report(ada, 'town', 1), 422, ['body.kind enum']);
    assertProblem(await report(ada, 'post', mine.id, { reason: 'boring' }), 422, ['body.reason enum']);
    assertProblem(await report(ada, 'post', 'x'), 422, ['body.id int_type']);
    assertProblem(await report(bob, 'post', mine.id, { note: 'x'.repeat(501) }), 422, ['body.note string_too_long']);
    assertProblem(await report(bob, 'post', mine.id, { note: 7 }), 422, ['body.note string_type']);
    assertProblem(await server.api('POST', '/reports', { token: bob.token, json: {} }), 422,
      ['body.kind missing', 'body.reason missing', 'body.id int_type']);
    assert.equal((await list()).open, 0);
  });

  test('of a message only by who received it, alone or in a group', async () => {
    const letter = await send(eve, ada, 'SECRET words');
    assertProblem(await report(bob, 'message', letter.id), 404);
    assertProblem(await report(mod, 'message', letter.id), 404);
    assertProblem(await report(eve, 'message', letter.id), 400);
    const { id } = assertOk(await report(ada, 'message', letter.id), 201);
    const group = assertOk(await server.api('POST', '/groups', { token: eve.token, json: { name: 'us', members: [ada.id] } }), 201);
    const said = assertOk(await server.api('POST', `/groups/${group.id}/messages`, { token: eve.token, json: { content: 'in a group' } }), 201);
    assertProblem(await report(bob, 'message', said.id), 404);
    assertOk(await report(ada, 'message', said.id), 201);
    const { items } = await list();
    assert.deepEqual(items.map(({ kind, content, author }) => [kind, content, author.id]),
      [['message', 'in a group', eve.id], ['message', 'SECRET words', eve.id]]);
    // Taken away for both, and the log keeps no private words.
    const live = await Live.open(server, ada.token);
    await live.subscribe('me');
    assertOk(await resolve(mod, id, 'removed'), 204);
    const told = await live.next((m) => m.event === 'message.deleted');
    assert.deepEqual(told.data, { id: letter.id, sender_id: eve.id });
    await live.close();
    const history = assertOk(await server.api('GET', `/messages/history/${eve.id}`, { token: ada.token }));
    assert.deepEqual(history.items, []);
    const log = await audit();
    assert.deepEqual(log.slice(0, 2).map(({ action }) => action), ['report.resolved', 'message.removed']);
    assert.doesNotMatch(JSON.stringify(log), /SECRET/);
    assertOk(await resolve(mod, items[0].id, 'dismissed'), 204);
  });

  test('nobody fills the list alone', async () => {
    const flood = await server.register('flood_reports');
    const many = [];
    for (let i = 0; i < 51; i += 1) many.push(await post(eve, `number ${i}`));
    for (const one of many.slice(0, 50)) assertOk(await report(flood, 'post', one.id), 201);
    const refused = await report(flood, 'post', many[50].id);
    assertProblem(refused, 409);
    assert.match(refused.body.detail, /50 of your reports are still open/);
    assertOk(await report(flood, 'post', many[0].id), 201); // what is reported already stays so
    const first = await list('limit=20');
    assert.equal(first.open, 50);
    const second = await list(`limit=40&before=${first.next_before}`);
    assert.equal(second.items.length, 30);
    assert.equal(second.next_before, null);
    await server.sql('DELETE FROM reports');
  });
});

describe('answering', () => {
  test('is for moderators', async () => {
    const bad = await post(eve, 'bad');
    const { id } = assertOk(await report(ada, 'post', bad.id), 201);
    assertProblem(await resolve(null, id, 'removed'), 401);
    for (const who of [ada, eve]) assertProblem(await resolve(who, id, 'removed'), 403);
    assertProblem(await server.api('GET', '/admin/reports', { token: ada.token }), 403);
    assertProblem(await resolve(mod, id, 'burned'), 422, ['body.outcome enum']);
    assertProblem(await resolve(mod, 999999, 'removed'), 404);
    assertProblem(await server.api('GET', '/admin/reports?state=lost', { token: mod.token }), 422, ['query.state enum']);
    assert.equal((await list()).open, 1);
    assertOk(await resolve(mod, id, 'dismissed'), 204);
    assertOk(await server.api('GET', `/posts/${bad.id}`));
  });

  test('one decision answers all who reported the thing, once', async () => {
    const where = await post(ada, 'fine');
    const bad = await comment(eve, where, 'awful');
    const ids = [];
    for (const who of [ada, bob]) ids.push(assertOk(await report(who, 'comment', bad.id), 201).id);
    assert.deepEqual((await list()).items.map(({ post_id: at }) => at), [where.id, where.id]);
    const both = await Promise.all([resolve(mod, ids[0], 'removed'), resolve(root, ids[1], 'removed')]);
    assert.deepEqual(both.map(({ status }) => status).sort(), [204, 409]);
    assert.equal(assertOk(await server.api('GET', `/posts/${where.id}/comments`)).total, 0);
    const { items, open } = await list('state=resolved&limit=2');
    assert.equal(open, 0);
    assert.deepEqual(items.map(({ outcome, author_banned: banned }) => [outcome, banned]), [['removed', false], ['removed', false]]);
    assertShape(items[0].resolver, 'userBrief');
    assert.match(items[0].resolved_at, /^\d{4}-/);
    const log = (await audit()).slice(0, 2);
    assert.deepEqual(log.map(({ action }) => action), ['report.resolved', 'comment.removed']);
    assert.equal(log[0].detail, `removed: comment ${bad.id} @eve_reports (abuse × 2)`);
    for (const id of ids) assertProblem(await resolve(mod, id, 'dismissed'), 409);
  });

  test('a ban is one like any other, and what may not be done leaves the report open', async () => {
    const villain = await server.register('villain_reports', { nickname: '<b>V</b>' });
    const { id } = assertOk(await report(ada, 'user', villain.id, { reason: 'illegal' }), 201);
    const [one] = (await list()).items;
    assert.match(one.content, /^<b>V<\/b> \(@villain_reports\)/);
    const refused = await resolve(mod, id, 'removed');
    assertProblem(refused, 422, ['body.outcome value_error']);
    assert.match(refused.body.detail, /ban them, or dismiss/);
    assertOk(await resolve(mod, id, 'banned'), 204);
    assertProblem(await server.api('GET', '/auth/me', { token: villain.token }), 401);
    assert.deepEqual((await audit()).slice(0, 2).map(({ action, object_id: at }) => [action, at]),
      [['report.resolved', id], ['banned', villain.id]]);
    const boss = assertOk(await report(ada, 'user', root.id), 201);
    assertProblem(await resolve(mod, boss.id, 'banned'), 403);
    const open = await list();
    assert.deepEqual([open.open, open.items[0].outcome], [1, null]);
    assertOk(await resolve(mod, boss.id, 'dismissed'), 204);
  });

  test('a report outlives the accounts it names', async () => {
    const temp = await server.register('temp_reports');
    const bad = await post(temp, 'short life');
    const { id } = assertOk(await report(ada, 'post', bad.id), 201);
    await server.sql(`DELETE FROM users WHERE id = ${temp.id}`);
    const [one] = (await list()).items;
    assert.deepEqual([one.id, one.author, one.content], [id, null, 'short life']);
    assertProblem(await resolve(mod, id, 'banned'), 404);
    assertOk(await resolve(mod, id, 'removed'), 204);
  });
});
