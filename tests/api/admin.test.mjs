// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Looking after the community: accounts, roles and bans, the overview, and the log of what was done.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { ON_MARIADB, startServer } from '../support/server.mjs';

const PASSWORD = 'correct horse';
let server, root, mod, ada, bob;

async function signIn(member) {
  const reply = await server.api('POST', '/auth/login', { form: { username: member.username, password: PASSWORD } });
  member.token = assertOk(reply).access_token;
}

before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
  [root, mod, ada, bob] = await Promise.all(['root', 'mod', 'ada', 'bob'].map(
    (name) => server.register(`${name}_admin`, { nickname: `${name} 小`, password: PASSWORD })));
  await server.sql(`UPDATE users SET role = 'moderator' WHERE id = ${mod.id};
    UPDATE users SET role = 'admin' WHERE id = ${root.id}; DELETE FROM audit;`);
  await signIn(root);
  await signIn(mod);
});
after(() => server.stop());

const get = (who, path) => server.api('GET', path, { token: who?.token });
const setRole = (who, whom, role) => server.api('PUT', `/admin/users/${whom.id}/role`, { token: who.token, json: { role } });
const setBanned = (who, whom, banned) => server.api('PUT', `/admin/users/${whom.id}/banned`, { token: who.token, json: { banned } });
const audit = async (query = '') => assertOk(await get(root, `/admin/audit?${query}`)).items;

describe('who may', () => {
  for (const [path, least] of [['/admin/users', 'mod'], ['/admin/overview', 'mod'], ['/admin/reports', 'mod'], ['/admin/audit', 'root']]) {
    test(`read ${path}`, async () => {
      assertProblem(await get(null, path), 401);
      assertProblem(await get(ada, path), 403);
      if (least === 'root') assertProblem(await get(mod, path), 403);
      else assertOk(await get(mod, path));
      assertOk(await get(root, path));
    });
  }
});

describe('accounts', () => {
  const list = async (query, who = mod) => assertOk(await get(who, `/admin/users?${query}`));
  const names = ({ items }) => items.map(({ user }) => user.username);

  test('are found by a part of either name, role and ban, newest first, page by page', async () => {
    const wren = await server.register('wren_admin', { nickname: '100%_!' });
    await server.register('marsh_wren_admin', { nickname: 'Nobody' });
    assertOk(await server.api('POST', '/posts', { token: wren.token, json: { content: 'tweet' } }), 201);
    await server.sql(`UPDATE users SET banned_us = 1 WHERE id = ${wren.id}`);
    assert.deepEqual(names(await list('q=WREN')), ['marsh_wren_admin', 'wren_admin']);
    assert.deepEqual(names(await list('q=@wren')), ['marsh_wren_admin', 'wren_admin']);
    assert.deepEqual(names(await list(`q=${encodeURIComponent('100%')}`)), ['wren_admin']);
    assert.deepEqual(names(await list('q=marsh%25')), []);
    assert.deepEqual(names(await list('banned=true')), ['wren_admin']);
    assert.deepEqual(names(await list('q=wren&banned=no')), ['marsh_wren_admin']);
    assert.deepEqual(names(await list('role=moderator')), ['mod_admin']);
    const first = await list('q=wren&limit=1');
    assert.deepEqual(names(first), ['marsh_wren_admin']);
    const second = await list(`q=wren&limit=1&before=${first.next_before}`);
    assert.deepEqual(names(second), ['wren_admin']);
    assert.deepEqual(names(await list(`q=wren&after=${wren.id}`)), ['marsh_wren_admin']);
    const [one] = second.items;
    assert.deepEqual(Object.keys(one), ['user', 'role', 'banned', 'posts_count', 'created_at', 'seen_at']);
    assertShape(one.user, 'userBrief');
    assert.equal(one.banned, true);
    assert.equal(one.posts_count, 1);
    assert.match(one.seen_at, /^\d{4}-\d\d-\d\dT/, 'who registers here is logged in');
    const reply = await get(mod, '/admin/users');
    assert.doesNotMatch(reply.text, /hash|password|token|address/);
  });

  test('say what is wrong with a question', async () => {
    for (const [query, fault] of [['role=king', 'role enum'], ['banned=maybe', 'banned bool_parsing'], ['limit=0', 'limit greater_than_equal'],
      ['limit=101', 'limit less_than_equal'], ['before=x', 'before int_parsing'], ['before=1&after=1', 'after value_error']]) {
      assertProblem(await get(mod, `/admin/users?${query}`), 422, [`query.${fault}`]);
    }
    assertProblem(await get(root, '/admin/audit?action=flew'), 422, ['query.action enum']);
  });
});

describe('roles', () => {
  test('are an administrator’s to give, and each change is in the log, once', async () => {
    assertProblem(await setRole(mod, ada, 'moderator'), 403);
    assertProblem(await setRole(ada, ada, 'admin'), 403);
    assertOk(await setRole(root, ada, 'moderator'), 204);
    assertOk(await setRole(root, ada, 'moderator'), 204);
    assertOk(await setRole(root, ada, 'member'), 204);
    const rows = await audit('action=role.changed');
    assert.deepEqual(rows.map(({ detail }) => detail), ['moderator → member', 'member → moderator']);
    assert.deepEqual(Object.keys(rows[0]), ['id', 'at', 'action', 'actor', 'kind', 'object_id', 'user', 'detail', 'address']);
    assert.deepEqual([rows[0].actor.id, rows[0].kind, rows[0].object_id, rows[0].user.id, rows[0].address],
      [root.id, 'user', ada.id, ada.id, '127.0.0.1']);
    await signIn(ada);
  });

  test('the last administrator stays one, until there is another', async () => {
    const refused = await setRole(root, root, 'member');
    assertProblem(refused, 409);
    assert.match(refused.body.detail, /last administrator: make somebody else one first/);
    assertOk(await setRole(root, bob, 'admin'), 204);
    await signIn(bob);
    await server.sql(`UPDATE users SET banned_us = 1 WHERE id = ${bob.id}`);
    assertProblem(await setRole(root, root, 'member'), 409); // who is banned does not count
    await server.sql(`UPDATE users SET banned_us = NULL WHERE id = ${bob.id}`);
    // Both at once: one of them is the last.
    const both = await Promise.all([setRole(root, bob, 'member'), setRole(bob, root, 'member')]);
    const [{ n }] = await server.sql(`SELECT COUNT(*) AS n FROM users WHERE role = 'admin'`);
    assert.equal(n, 1, both.map(({ status }) => status).join());
    await server.sql(`UPDATE users SET role = 'admin' WHERE id = ${root.id}; UPDATE users SET role = 'member' WHERE id = ${bob.id}`);
    await signIn(root);
  });
});

describe('bans', () => {
  test('end what is open and are taken back; again is the same', async () => {
    const gone = await server.register('gone_admin', { password: PASSWORD });
    assertProblem(await setBanned(ada, gone, true), 403);
    for (let i = 0; i < 2; i += 1) assertOk(await setBanned(mod, gone, true), 204);
    assertProblem(await get(gone, '/auth/me'), 401);
    assertOk(await setBanned(mod, gone, false), 204);
    await signIn(gone);
    const about = (await audit()).filter(({ object_id: id }) => id === gone.id);
    assert.deepEqual(about.map(({ action, actor }) => [action, actor.id]), [['unbanned', mod.id], ['banned', mod.id]]);
  });

  test('never fall on oneself or an administrator, and on a moderator only by an administrator', async () => {
    const other = await server.register('other_admin', { password: PASSWORD });
    assertOk(await setRole(root, other, 'moderator'), 204);
    for (const [who, whom, words] of [[mod, mod, /yourself/], [root, root, /yourself/], [mod, root, /administrator cannot be banned/],
      [mod, other, /only an administrator/]]) {
      const refused = await setBanned(who, whom, true);
      assertProblem(refused, 403);
      assert.match(refused.body.detail, words);
    }
    assertOk(await setBanned(root, other, true), 204);
    assertProblem(await setBanned(mod, other, false), 403);
    assertOk(await setBanned(root, other, false), 204);
    assertProblem(await setBanned(root, { id: 999999 }, true), 404);
  });
});

describe('what moderators take away', () => {
  test('is gone, and noted with whose it was; one’s own is nobody’s business', async () => {
    const post = async (content) => assertOk(await server.api('POST', '/posts', { token: ada.token, json: { content } }), 201);
    const [theirs, own] = [await post(`${'胡'.repeat(4000)} <b>loud</b>`), await post('mine')];
    const comment = assertOk(await server.api('POST', `/posts/${own.id}/comments`, { token: ada.token, json: { content: 'said' } }), 201);
    const drop = (who, path) => server.api('DELETE', path, { token: who.token });
    assertProblem(await drop(bob, `/posts/${theirs.id}`), 403);
    assertOk(await drop(mod, `/posts/${theirs.id}`), 204);
    assertOk(await drop(mod, `/posts/${own.id}/comments/${comment.id}`), 204);
    assertOk(await drop(ada, `/posts/${own.id}`), 204);
    assertProblem(await get(null, `/posts/${theirs.id}`), 404);
    const [second, first] = await audit('limit=2');
    assert.deepEqual([first.action, first.object_id, first.actor.id], ['post.removed', theirs.id, mod.id]);
    assert.match(first.detail, /^@ada_admin: 胡+$/);
    assert.ok(Buffer.byteLength(first.detail) <= 1000);
    assert.deepEqual([second.action, second.detail], ['comment.removed', '@ada_admin: said']);
    assert.ok((await audit()).every(({ object_id: id, action }) => action !== 'post.removed' || id !== own.id));
  });
});

describe('the log', () => {
  test('goes back page by page, and tells log-ins only to who asks for them', async () => {
    const all = await audit('limit=100');
    assert.ok(all.length > 5 && all.every(({ action }) => !/login|key|account/.test(action)));
    const first = assertOk(await get(root, '/admin/audit?limit=2'));
    const second = assertOk(await get(root, `/admin/audit?limit=2&before=${first.next_before}`));
    assert.deepEqual([...first.items, ...second.items], all.slice(0, 4));
    const accounts = await audit('accounts=true&limit=100');
    assert.ok(accounts.length > 0 && accounts.every(({ action }) => !/ban|role|removed|report/.test(action)));
    assert.ok(accounts.some(({ action, address }) => action === 'login' && address === '127.0.0.1'));
    assert.ok((await audit('action=login')).every(({ action }) => action === 'login'));
  });

  test('keeps what was done when the account goes', async () => {
    const temp = await server.register('temp_admin', { password: PASSWORD });
    assertOk(await setBanned(mod, temp, true), 204);
    await server.sql(`DELETE FROM users WHERE id = ${temp.id}`);
    const [row] = await audit('limit=1');
    assert.deepEqual([row.action, row.user, row.object_id], ['banned', null, temp.id]);
  });
});

describe('the overview', () => {
  test('says that all is well, and counts what is there', async () => {
    const before = assertOk(await get(mod, '/admin/overview'));
    assert.equal(before.ok, true);
    assert.deepEqual(Object.keys(before.checks), ['database', 'writer', 'disk', 'serving']);
    for (const check of Object.values(before.checks)) assert.equal(check.ok, true, check.detail);
    assert.equal(before.database, ON_MARIADB ? 'mariadb' : 'sqlite');
    assert.ok(before.database_bytes > 10_000 && before.disk_free_bytes > 0 && before.disk_bytes >= before.disk_free_bytes);
    assert.match(before.version, /^\d/);
    assert.ok(before.uptime_s >= 0 && before.sites.some(({ site }) => site === 'offline'));
    assertOk(await server.api('POST', '/posts', { token: ada.token, json: { content: 'one more' } }), 201);
    const old = assertOk(await server.api('POST', '/posts', { token: ada.token, json: { content: 'of old' } }), 201);
    await server.sql(`UPDATE posts SET created_us = 1 WHERE id = ${old.id}`);
    await server.register('more_admin');
    const later = assertOk(await get(mod, '/admin/overview'));
    assert.equal(later.members, before.members + 1);
    assert.equal(later.posts, before.posts + 2);
    assert.equal(later.posts_today, before.posts_today + 1);
  });

  test('adds up what models cost today', async (t) => {
    const small = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
    t.after(() => small.stop());
    const boss = await small.register('boss', { password: PASSWORD });
    await small.sql(`UPDATE users SET role = 'admin' WHERE id = ${boss.id}`);
    const key = assertOk(await small.api('POST', '/keys', { token: boss.token, json: { name: 'program' } }), 201);
    const day = Math.floor(Date.now() / 86_400_000);
    await small.sql(`INSERT INTO llm_usage (key_id, day, site, model, user_id, requests, shared, unknown, unpriced, input_tokens,
      output_tokens, cached_tokens, estimated_tokens, cost_micro) VALUES (${key.id}, ${day}, 's', 'm', ${boss.id}, 7, 0, 0, 2, 1, 1, 0, 0, 1500000);
      INSERT INTO town_spending (day, tokens, cost_micro) VALUES (${day}, 5, 250000)`);
    const login = assertOk(await small.api('POST', '/auth/login', { form: { username: 'boss', password: PASSWORD } }));
    const now = assertOk(await small.api('GET', '/admin/overview', { token: login.access_token }));
    assert.deepEqual([now.key_requests_today, now.key_unpriced_today, now.key_cost_today_micro, now.town_cost_today_micro],
      [7, 2, 1500000, 250000]);
  });
});
