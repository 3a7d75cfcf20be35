// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members and their profiles, the door, the places of the town.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

let server;
let ada;
before(async () => {
  server = await startServer({ args: ['--demo'], env: { HUTONG_ACCESS_LOG: 'off' } });
  ada = await server.register('ada_users');
});
after(() => server.stop());

const get = (path) => server.api('GET', path);

describe('the list of members', () => {
  test('is a bare array of briefs in a stable order', async () => {
    const all = assertOk(await get('/users/'));
    assert.ok(Array.isArray(all));
    for (const user of all) assertShape(user, 'userBrief');
    const ids = all.map(({ id }) => id);
    assert.deepEqual(ids, [...ids].sort((a, b) => a - b));
    assert.ok(ids.includes(ada.id));
  });

  test('is told apart by who is a resident, in any spelling of yes and no', async () => {
    const all = assertOk(await get('/users/?limit=100'));
    for (const yes of ['true', '1', 'yes', 'on', 't', 'y', 'TRUE', 'Yes']) {
      const residents = assertOk(await get(`/users/?is_ai=${yes}`));
      assert.ok(residents.length >= 3 && residents.every(({ is_ai: ai }) => ai), yes);
    }
    for (const no of ['false', '0', 'no', 'off', 'f', 'n', 'False']) {
      const people = assertOk(await get(`/users/?is_ai=${no}&limit=100`));
      assert.deepEqual(people, all.filter(({ is_ai: ai }) => !ai), no);
    }
    for (const neither of ['maybe', '2', '', ' ']) {
      assertProblem(await get(`/users/?is_ai=${encodeURIComponent(neither)}`), 422, ['query.is_ai bool_parsing']);
    }
  });

  test('is read by skip or by cursor, within bounds', async () => {
    const all = assertOk(await get('/users/?limit=100')).map(({ id }) => id);
    const ids = async (query) => assertOk(await get(`/users/?${query}`)).map(({ id }) => id);
    assert.deepEqual(await ids('skip=2&limit=2'), all.slice(2, 4));
    assert.deepEqual(await ids('skip=1000'), []);
    const seen = [];
    for (let after = 0; ;) {
      const some = await ids(`after=${after}&limit=2`);
      seen.push(...some);
      if (some.length < 2) break;
      after = some.at(-1);
    }
    assert.deepEqual(seen, all);
    const residents = await ids('is_ai=true&limit=100');
    assert.deepEqual(await ids(`is_ai=true&after=${residents[0]}`), residents.slice(1));
    for (const [query, fault] of [['skip=-1', 'skip greater_than_equal'], ['limit=-1', 'limit greater_than_equal'],
      ['limit=0', 'limit greater_than_equal'], ['limit=101', 'limit less_than_equal'],
      ['limit=99999999999999999999', 'limit int_parsing'], ['skip=9223372036854775807', 'skip less_than_equal']]) {
      assertProblem(await get(`/users/?${query}`), 422, [`query.${fault}`]);
    }
  });
});

describe('looking for somebody', () => {
  const found = async (q, rest = '') => assertOk(await get(`/search/users?q=${encodeURIComponent(q)}${rest}`))
    .items.map(({ username }) => username);
  before(async () => {
    for (const [username, nickname] of [['wren', 'Zaunkönig'], ['Wrenfield', '小小明'], ['marsh_wren', '100%_!']]) {
      await server.register(username, { nickname });
    }
  });

  test('a user name is found by its beginning, whatever the case, the exact one first', async () => {
    assert.deepEqual(await found('WREN'), ['wren', 'Wrenfield']);
    assert.deepEqual(await found('@wrenf'), ['Wrenfield']);
    assert.deepEqual(await found('ＷＲＥＮＦ'), ['Wrenfield']);
    assert.deepEqual(await found('wren', '&limit=1'), ['wren']);
  });

  test('a nickname is found by any part', async () => {
    assert.deepEqual(await found('小小'), ['Wrenfield']);
    assert.deepEqual(await found('nkön'), ['wren']);
  });

  test('signs of patterns mean themselves', async () => {
    assert.deepEqual(await found('100%'), ['marsh_wren']);
    assert.deepEqual(await found('_!'), ['marsh_wren']);
    assert.deepEqual(await found('marsh%wren'), []);
    assert.deepEqual(await found('%'), ['marsh_wren']);
  });

  test('who is banned is not found, and nothing to look for is an error', async () => {
    const gone = await server.register('wrenegade');
    await server.sql(`UPDATE users SET banned_us = 1 WHERE id = ${gone.id}`);
    assert.deepEqual(await found('wrenegade'), []);
    assertProblem(await get('/search/users'), 422, ['query.q missing']);
    assertProblem(await get('/search/users?q=%20'), 422, ['query.q missing']);
    assertOk(await get(`/search/users?q=${'长'.repeat(600)}`));
  });
});

describe('a profile', () => {
  const change = (json) => server.api('PUT', '/users/me', { token: ada.token, json });

  test('shows what everybody may know', async () => {
    const reply = await get(`/users/${ada.id}`);
    assertShape(assertOk(reply), 'user');
    assert.doesNotMatch(reply.text, /hash|token|banned|address|personality/);
  });

  test('that is not there is 404; "me" is no number', async () => {
    for (const id of ['0', '-5', '999999', '9223372036854775807']) assertProblem(await get(`/users/${id}`), 404);
    for (const id of ['me', 'ada_users', '1e3', '9223372036854775808', '%20']) {
      assertProblem(await get(`/users/${id}`), 422, ['path.user_id int_parsing']);
    }
  });

  test('is changed field by field; what is absent or null stays', async () => {
    await server.leavePicture('/files/avatars/avatar_1_0a1b2c.png');
    const first = assertOk(await change({ nickname: ' 阿达 ', bio: 'Hello\nworld', avatar_path: '/files/avatars/avatar_1_0a1b2c.png' }));
    assertShape(first, 'user');
    assert.deepEqual([first.nickname, first.bio, first.avatar_path],
      ['阿达', 'Hello\nworld', '/files/avatars/avatar_1_0a1b2c.png']);
    for (const nothing of [{}, { nickname: null, bio: null, avatar_path: null }, { unknown: 1 }]) {
      assert.deepEqual(assertOk(await change(nothing)), first);
    }
    assert.equal(assertOk(await change({ bio: 'other' })).nickname, '阿达');
    assert.equal(assertOk(await change({ bio: ' \n\u3000' })).bio, null, 'blanks are none');
    const cleared = assertOk(await change({ bio: '', avatar_path: '' }));
    assert.deepEqual([cleared.bio, cleared.avatar_path, cleared.nickname], [null, null, '阿达']);
    assert.deepEqual(assertOk(await get(`/users/${ada.id}`)), cleared);
  });

  test('keeps a picture of old whatever it is, but takes no new one that is not there', async () => {
    const old = 'https://old.example/me.png';
    await server.sql(`UPDATE users SET avatar_path = '${old}' WHERE id = ${ada.id}`);
    assert.equal(assertOk(await change({ bio: 'new', avatar_path: old })).avatar_path, old);
    const refused = await change({ avatar_path: '/files/avatars/nothing.png' });
    assertProblem(refused, 422, ['body.avatar_path value_error']);
    assert.match(refused.body.detail, /no such picture .*upload it first/);
    assert.equal(assertOk(await change({ avatar_path: '' })).avatar_path, null);
  });

  test('does not let one become somebody else', async () => {
    const before = assertOk(await get(`/users/${ada.id}`));
    const after = assertOk(await change({ id: 1, username: 'root', role: 'admin', is_ai: true, posts_count: 99, created_at: '2000-01-01T00:00:00' }));
    assert.deepEqual(after, before);
  });

  const refused = [
    [{ nickname: 'two\nlines' }, 'nickname value_error'], [{ nickname: 'na\u202eme' }, 'nickname value_error'],
    [{ nickname: '' }, 'nickname string_too_short'], [{ nickname: ' \u3000' }, 'nickname string_too_short'],
    [{ nickname: 'x'.repeat(51) }, 'nickname string_too_long'], [{ nickname: 5 }, 'nickname string_type'],
    [{ nickname: 'a\u0007' }, 'nickname value_error'], [{ bio: '中'.repeat(2001) }, 'bio string_too_long'],
    [{ bio: [] }, 'bio string_type'], [{ avatar_path: 'https://evil.example/me.png' }, 'avatar_path value_error'],
    [{ avatar_path: `/files/avatars/${'x'.repeat(600)}` }, 'avatar_path value_error'],
    [{ avatar_path: false }, 'avatar_path string_type'],
  ];
  for (const [json, fault] of refused) {
    test(`refuses ${JSON.stringify(json).slice(0, 50)}`, async () => {
      assertProblem(await change(json), 422, [`body.${fault}`]);
    });
  }

  test('may have a long line about oneself', async () => {
    const bio = '😀'.repeat(2000);
    assert.equal(assertOk(await change({ bio })).bio, bio);
  });

  test('names every wrong type at once and needs a token', async () => {
    assertProblem(await change({ nickname: 1, bio: 2, avatar_path: 3 }), 422,
      ['body.nickname string_type', 'body.bio string_type', 'body.avatar_path string_type']);
    assertProblem(await server.api('PUT', '/users/me', { json: { nickname: 'x' } }), 401);
    assertProblem(await server.api('PUT', `/users/${ada.id}`, { token: ada.token, json: {} }), 405);
  });
});

describe('the door', () => {
  test('says what this is', async () => {
    const body = assertOk(await get('/'));
    assert.deepEqual(Object.keys(body), ['message', 'docs', 'version']);
    assert.deepEqual([body.docs, body.version], ['/docs', '1.0.0']);
  });

  test('shows the places of the town', async () => {
    const { items } = assertOk(await get('/places'));
    assert.equal(items.length, 7);
    assert.deepEqual(Object.keys(items[0]),
      ['id', 'name', 'location_type', 'x', 'y', 'width', 'height', 'description']);
    const cafe = items.find(({ name }) => name === '咖啡馆');
    assert.deepEqual([cafe.location_type, cafe.x, cafe.y, cafe.width, cafe.height], ['commercial', 100, 50, 20, 15]);
  });
});
