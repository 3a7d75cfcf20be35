// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Coming in, staying in, going out: accounts, tokens, log-ins, roles.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { decode, nowS, sign } from '../support/jwt.mjs';
import { Live } from '../support/live.mjs';
import { rawHttp } from '../support/raw_request.mjs';
import { startServer } from '../support/server.mjs';

const BINARY = process.env.HUTONG_BIN
  ?? fileURLToPath(new URL('../../build/test/hutong', import.meta.url));
const OLD_SECRET = 'xK3v9QmT7rWz2LpB8nYc5HdJ4sFgA6eU';
const PASSWORD = 'correct horse';
// bcrypt, cost 6, of "旧的密码 old", by crypt(3).
const BCRYPT = '$2b$06$abcdefghijklmnopqrstuueE.rY23ZNN0TeKmDF17DZE83EfoEs7G';

let server;
let admin;
before(async () => {
  server = await startServer({
    env: { HUTONG_JWT_SECRET: OLD_SECRET, HUTONG_LOOPS: '2', HUTONG_ACCESS_LOG: 'off' },
  });
});
after(() => server.stop());

const register = (json) => server.api('POST', '/auth/register', { json });
const login = (json) => server.api('POST', '/auth/login', { json });
const me = (token) => server.api('GET', '/auth/me', { token });
const refresh = (token) => server.api('POST', '/auth/refresh', { json: { refresh_token: token } });

// A new log-in of the app: access and refresh token.
async function signIn(username, password = PASSWORD) {
  return assertOk(await login({ username, password }));
}

function assertNobody(reply) {
  assertProblem(reply, 401);
}

/* --- the first account --- */

test('the code of an empty community makes one administrator, however many use it at once', async () => {
  const [, code] = /^ {4}([0-9a-f]{32})$/m.exec(server.output());
  const wrong = await register({
    username: 'impostor', password: PASSWORD, nickname: 'x', admin_code: '0'.repeat(32),
  });
  assertProblem(wrong, 403);
  const names = ['root_a', 'root_b', 'root_c', 'root_d'];
  const replies = await Promise.all(names.map((username) => register({
    username, password: PASSWORD, nickname: username, admin_code: code,
  })));
  const made = replies.filter(({ status }) => status === 201);
  assert.equal(made.length, 1, replies.map(({ status }) => status).join(' '));
  assert.equal(made[0].body.role, 'admin');
  for (const other of replies.filter(({ status }) => status !== 201)) assertProblem(other, 403);
  const late = await register({
    username: 'root_e', password: PASSWORD, nickname: 'late', admin_code: code,
  });
  assertProblem(late, 403);
  admin = { ...made[0].body, ...await signIn(made[0].body.username) };
});

test('a registration that fails leaves the code of an empty community unused', async () => {
  const fresh = await startServer({ env: { HUTONG_ACCESS_LOG: 'off' } });
  try {
    const [, code] = /^ {4}([0-9a-f]{32})$/m.exec(fresh.output());
    await fresh.register('first_here');
    const ask = (username) => fresh.api('POST', '/auth/register', {
      json: { username, password: PASSWORD, nickname: 'x', admin_code: code },
    });
    assertProblem(await ask('FIRST_HERE'), 400);
    assert.equal(assertOk(await ask('second_here'), 201).role, 'admin');
  } finally {
    await fresh.stop();
  }
});

/* --- register --- */

describe('registering', () => {
  test('gives the new member as a profile and no token', async () => {
    const reply = await register({ username: 'Plain.Name-1', password: PASSWORD, nickname: ' 小兰 ' });
    const user = assertOk(reply, 201);
    assertShape(user, 'user');
    assert.equal(user.username, 'Plain.Name-1');
    assert.equal(user.nickname, '小兰', 'blanks around a text are not kept');
    assert.equal(user.role, 'member');
    assert.equal(user.is_ai, false);
    assert.equal(user.avatar_path, null);
    assert.equal(user.bio, null);
    assert.doesNotMatch(reply.text, /token|hash|password/);
  });

  test('ignores fields it does not know, above all roles', async () => {
    const reply = await register({
      username: 'sneaky', password: PASSWORD, nickname: 'x', role: 'admin', is_ai: true, id: 1,
    });
    const user = assertOk(reply, 201);
    assert.equal(user.role, 'member');
    assert.equal(user.is_ai, false);
    assert.notEqual(user.id, 1);
  });

  const wide = '长'.repeat(50);
  const limits = [
    ['a username of 3 characters', { username: 'abc' }, 201],
    ['a username of 50 characters', { username: wide }, 201],
    ['a password of 6 characters', { username: 'pass_6', password: '123456' }, 201],
    ['a password of 100 characters of 4 bytes', { username: 'pass_100', password: '😀'.repeat(100) }, 201],
    ['a nickname of 1 character', { username: 'nick_1', nickname: '兰' }, 201],
    ['a nickname of 50 characters', { username: 'nick_50', nickname: '😀'.repeat(50) }, 201],
    ['a username of 2 characters', { username: 'ab' }, ['body.username string_too_short']],
    ['a username of 51 characters', { username: `${wide}长` }, ['body.username string_too_long']],
    ['a username of blanks', { username: '     ' }, ['body.username string_too_short']],
    ['a username with a blank inside', { username: 'a b c' }, ['body.username value_error']],
    ['a username with a line end', { username: 'abc\ndef' }, ['body.username value_error']],
    ['a username with an invisible letter', { username: 'abc\u200bdef' }, ['body.username value_error']],
    ['a username that turns the line round', { username: 'abc\u202edef' }, ['body.username value_error']],
    ['a password of 5 characters', { password: '12345' }, ['body.password string_too_short']],
    ['a password of 101 characters', { password: 'x'.repeat(101) }, ['body.password string_too_long']],
    ['no nickname to speak of', { nickname: ' \u3000\t' }, ['body.nickname string_too_short']],
    ['a nickname of 51 characters', { nickname: 'x'.repeat(51) }, ['body.nickname string_too_long']],
    ['a number for a name', { username: 12345 }, ['body.username string_type']],
    ['a list for a password', { password: ['123456'] }, ['body.password string_type']],
    ['null for a nickname', { nickname: null }, ['body.nickname string_type']],
    ['an object for a code', { admin_code: {} }, ['body.admin_code string_type']],
    ['nothing', { username: undefined, password: undefined, nickname: undefined },
      ['body.username missing', 'body.password missing', 'body.nickname missing']],
    ['wrong types everywhere', { username: 1, password: true, nickname: {} },
      ['body.username string_type', 'body.password string_type', 'body.nickname string_type']],
    ['too little everywhere', { username: 'x', password: 'y', nickname: '' },
      ['body.username string_too_short', 'body.password string_too_short',
        'body.nickname string_too_short']],
    ['a bit of everything', { username: undefined, password: 'short', nickname: 3 },
      ['body.username missing', 'body.password string_too_short', 'body.nickname string_type']],
  ];
  for (const [what, change, expected] of limits) {
    test(`${Array.isArray(expected) ? 'refuses' : 'takes'} ${what}`, async () => {
      const reply = await register({
        username: 'never_made', password: PASSWORD, nickname: 'x', ...change,
      });
      if (Array.isArray(expected)) assertProblem(reply, 422, expected);
      else assertOk(reply, expected);
    });
  }

  const bodies = [
    ['no body', undefined, 'missing'],
    ['broken JSON', '{"username":', 'json_invalid'],
    ['two values', '{} {}', 'json_invalid'],
    ['a list', '[]', 'model_attributes_type'],
    ['null', 'null', 'model_attributes_type'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'json_invalid'],
    ['endless depth', '['.repeat(50000), 'json_invalid'],
  ];
  for (const [what, body, type] of bodies) {
    test(`refuses ${what} for a body`, async () => {
      const reply = await server.api('POST', '/auth/register', {
        headers: { 'content-type': 'application/json' }, body,
      });
      assertProblem(reply, 422, [`body ${type}`]);
    });
  }

  test('refuses a form, and takes JSON by any of its names', async () => {
    const form = await server.api('POST', '/auth/register', { form: { username: 'formed' } });
    assertProblem(form, 422, ['body model_attributes_type']);
    const body = (username) => JSON.stringify({ username, password: PASSWORD, nickname: 'x' });
    const vendor = await server.api('POST', '/auth/register', {
      headers: { 'content-type': 'application/vnd.hutong+json; charset=utf-8' }, body: body('vendored'),
    });
    assertOk(vendor, 201);
    const untyped = await server.api('POST', '/auth/register', {
      headers: { 'content-type': '' }, body: Buffer.from(body('untyped')),
    });
    assertOk(untyped, 201);
  });

  test('refuses a taken name in any case, width or composition, with 400', async () => {
    await server.register('Ångström');
    for (const name of ['Ångström', 'ångström', 'ÅNGSTRÖM', 'A\u030angstro\u0308m', ' ångström ',
      'Ａｎｇｓｔｒｏｍ'.replace('Ａ', 'Å').replace('ｏ', 'ö')]) {
      assertProblem(await register({ username: name, password: PASSWORD, nickname: 'x' }), 400);
    }
    assertOk(await register({ username: 'angstrom', password: PASSWORD, nickname: 'x' }), 201);
  });

  test('gives a name to exactly one of many who want it at once', async () => {
    const names = ['race_me', 'RACE_ME', 'Race_Me', 'race_ME', 'rACE_mE', 'race_me', 'race_me', 'race_me'];
    const replies = await Promise.all(names.map((username) => register({
      username, password: PASSWORD, nickname: 'x',
    })));
    const statuses = replies.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [201, ...Array(7).fill(400)]);
  });

  test('is refused where the operator has closed it', async () => {
    const closed = await startServer({ env: { HUTONG_REGISTRATION: 'off' } });
    try {
      assertProblem(await closed.api('POST', '/auth/register', {
        json: { username: 'newcomer', password: PASSWORD, nickname: 'x' },
      }), 403);
    } finally {
      await closed.stop();
    }
  });
});

/* --- log in --- */

describe('logging in', () => {
  let member;
  before(async () => { member = await server.register('Loginner', { password: 'pass 密码 %+&=' }); });
  const fields = { username: 'loginner', password: 'pass 密码 %+&=' };

  test('with a form gives one long-lived token, as older clients expect', async () => {
    const reply = await server.api('POST', '/auth/login', { form: fields });
    const token = assertOk(reply);
    assert.deepEqual(Object.keys(token), ['access_token', 'token_type', 'expires_in']);
    assert.equal(token.token_type, 'bearer');
    assert.equal(token.expires_in, 1440 * 60);
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.equal(assertOk(await me(token.access_token)).id, member.id);
  });

  test('with JSON gives a short token and one to refresh it', async () => {
    const token = assertOk(await login(fields));
    assert.deepEqual(Object.keys(token),
      ['access_token', 'token_type', 'expires_in', 'refresh_token']);
    assert.equal(token.expires_in, 15 * 60);
    assert.match(token.refresh_token, /^[\w-]{65}$/);
  });

  test('with a multipart form works as with the other one', async () => {
    const body = new FormData();
    for (const [name, value] of Object.entries({ grant_type: 'password', scope: '', ...fields })) {
      body.set(name, value);
    }
    const token = assertOk(await server.api('POST', '/auth/login', { body }));
    assert.deepEqual(Object.keys(token), ['access_token', 'token_type', 'expires_in']);
    assert.equal(assertOk(await me(token.access_token)).id, member.id);
  });

  test('with a form that leaves its other fields empty works, as FastAPI takes it', async () => {
    const empty = { grant_type: '', scope: '', client_id: '', client_secret: '' };
    assertOk(await server.api('POST', '/auth/login', { form: { ...empty, ...fields } }));
  });

  const broken = [
    ['without its fields', [], 422, ['body.username missing', 'body.password missing']],
    ['of another grant', [['username', 'loginner'], ['password', 'x'], ['grant_type', 'implicit']],
      422, ['body.grant_type string_pattern_mismatch']],
  ];
  for (const [what, pairs, status, faults] of broken) {
    for (const kind of ['form', 'multipart form']) {
      test(`with a ${kind} ${what} names every fault`, async () => {
        const body = kind === 'form' ? new URLSearchParams(pairs) : new FormData();
        if (kind !== 'form') for (const [name, value] of pairs) body.set(name, value);
        if (kind !== 'form' && pairs.length === 0) body.set('other', 'x');
        assertProblem(await server.api('POST', '/auth/login', { body }), status, faults);
      });
    }
  }

  test('with a file where a text belongs, or half a multipart form, is refused', async () => {
    const filed = new FormData();
    filed.set('username', new Blob(['loginner']), 'name.txt');
    filed.set('password', fields.password);
    assertProblem(await server.api('POST', '/auth/login', { body: filed }), 422,
      ['body value_error']);
    const half = await server.api('POST', '/auth/login', {
      headers: { 'content-type': 'multipart/form-data; boundary=xyz' },
      body: '--xyz\r\nContent-Disposition: form-data; name="username"\r\n\r\nlogi',
    });
    assertProblem(half, 422, ['body value_error']);
    const none = await server.api('POST', '/auth/login', {
      headers: { 'content-type': 'multipart/form-data' }, body: '--xyz--\r\n',
    });
    assertProblem(none, 422, ['body value_error']);
  });

  test('with JSON names every missing or mistyped field', async () => {
    assertProblem(await login({}), 422, ['body.username missing', 'body.password missing']);
    assertProblem(await login({ username: 1, password: null }), 422,
      ['body.username string_type', 'body.password string_type']);
  });

  test('takes the name in any case and width, with blanks around', async () => {
    for (const username of ['LOGINNER', '  loginner ', 'ＬＯＧＩＮＮＥＲ']) {
      assertOk(await login({ ...fields, username }));
    }
    assertNobody(await login({ ...fields, username: 'lögínner' }));
  });

  test('says the same of a wrong password, a name nobody has, and a resident', async () => {
    await server.sql(`INSERT INTO users (username, username_key, nickname, is_ai, role, created_us,
      updated_us) VALUES ('ai_resident', 'ai_resident', '小明', 1, 'resident', 1, 1)`);
    const told = [];
    for (const username of ['loginner', 'nobody_at_all', 'ai_resident']) {
      const reply = await login({ username, password: 'not the right one' });
      assertNobody(reply);
      const { request_id: id, ...rest } = reply.body;
      assert.ok(id);
      const headers = [...reply.headers.keys()].sort().join();
      told.push(JSON.stringify([rest, headers]));
    }
    assert.equal(new Set(told).size, 1, told.join('\n'));
  });

  test('takes as long for a name nobody has as for a wrong password', async () => {
    const took = async (username) => {
      const times = [];
      for (let i = 0; i < 5; i++) {
        const began = performance.now();
        await login({ username, password: 'not the right one' });
        times.push(performance.now() - began);
      }
      return times.sort((a, b) => a - b)[2];
    };
    const [wrong, nobody, resident] = [await took('loginner'), await took('nobody_here'),
      await took('ai_resident')];
    assert.ok(nobody > wrong / 4 && resident > wrong / 4, `${wrong} ${nobody} ${resident} ms`);
  });

  test('survives names and passwords of any kind and length', async () => {
    const odd = ['', ' ', 'x'.repeat(100000), '😀'.repeat(5000), '\u0001', "' OR 1=1 --", '%', '\u202e'];
    for (const text of odd) {
      assertNobody(await login({ username: text, password: fields.password }));
      assertNobody(await login({ username: 'loginner', password: text }));
    }
    assertNobody(await server.api('POST', '/auth/login', {
      form: { username: 'loginner', password: 'a'.repeat(100000) },
    }));
    const bytes = await server.api('POST', '/auth/login', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'username=%ff%fe&password=%00',
    });
    assert.ok([400, 401, 422].includes(bytes.status), bytes.text);
  });
});

/* --- tokens --- */

describe('an access token', () => {
  let member;
  before(async () => { member = await server.register('tokener'); });

  test('is a JWT of HS256 with the claims that older clients and RFC 8725 ask for', () => {
    const { header, claims } = decode(member.token);
    assert.equal(header.alg, 'HS256');
    assert.equal(header.typ, 'JWT');
    assert.match(header.kid, /^[0-9a-f]+$/);
    assert.equal(claims.sub, String(member.id));
    assert.ok(Math.abs(claims.iat - nowS()) < 30);
    assert.equal(claims.exp - claims.iat, 1440 * 60);
    assert.ok(claims.jti.length >= 20);
    assert.ok(Number.isInteger(claims.sid));
  });

  test('opens with the scheme in any case', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const reply = await server.api('GET', '/auth/me', {
        headers: { authorization: `${scheme} ${member.token}` },
      });
      assertShape(assertOk(reply), 'user');
    }
  });

  test('that is missing, garbage, forged or over is 401 and says how to sign in', async () => {
    const { header, claims } = decode(member.token);
    const [head, body, mac] = member.token.split('.');
    const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
    const bad = [
      '', 'x', 'a.b.c', `${head}.${body}`, `${head}.${body}.`, `${none}.${body}.`,
      `${none}.${body}.${mac}`, `${head}.${body}.${'A'.repeat(43)}`, `${member.token}x`,
      `${head}.${Buffer.from(JSON.stringify({ ...claims, sub: '1' })).toString('base64url')}.${mac}`,
      sign(claims, 'guessed', header), sign(claims, '', header), sign(claims, OLD_SECRET, header),
      sign(claims, OLD_SECRET, { alg: 'HS512', typ: 'JWT' }),
      sign(claims, OLD_SECRET, { alg: 'hs256', typ: 'JWT' }),
      sign({ ...claims, exp: nowS() - 1 }, OLD_SECRET), 'x'.repeat(5000),
      sign({ sub: String(member.id) }, OLD_SECRET),
      sign({ sub: String(member.id), exp: String(nowS() + 60) }, OLD_SECRET),
      sign({ sub: member.id, exp: nowS() + 60 }, OLD_SECRET),
      sign({ sub: 'me', exp: nowS() + 60 }, OLD_SECRET),
      sign({ sub: '', exp: nowS() + 60 }, OLD_SECRET),
      sign({ sub: '-1', exp: nowS() + 60 }, OLD_SECRET),
      sign({ sub: '99999999999999999999', exp: nowS() + 60 }, OLD_SECRET),
      sign({ sub: '999999', exp: nowS() + 60 }, OLD_SECRET),
    ];
    assertNobody(await server.api('GET', '/auth/me'));
    for (const token of bad) {
      const reply = await server.api('GET', '/auth/me', { headers: { authorization: `Bearer ${token}` } });
      assertNobody(reply);
      const feed = await server.api('GET', '/posts', { headers: { authorization: `Bearer ${token}` } });
      assert.equal(feed.status, 200, 'where a token is optional, a bad one counts as none');
    }
    const basic = Buffer.from(`tokener:${PASSWORD}`).toString('base64');
    assertNobody(await server.api('GET', '/auth/me', { headers: { authorization: `Basic ${basic}` } }));
  });

  test('is asked for before anything else is looked at', async () => {
    for (const [method, target] of [['POST', '/posts'], ['PUT', '/users/me'], ['POST', '/groups'],
      ['POST', '/messages/send/abc'], ['GET', '/messages/history/abc?page=0'],
      ['DELETE', '/posts/abc']]) {
      assertNobody(await server.api(method, target, {
        headers: { 'content-type': 'application/json' },
        body: method === 'GET' ? undefined : '{broken',
      }));
    }
  });
});

describe('a token of the older server', () => {
  test('opens when the old secret signed it, with and without the time it was made', async () => {
    const { id } = await server.register('veteran');
    const bare = sign({ sub: String(id), exp: nowS() + 60 }, OLD_SECRET);
    const dated = sign({ sub: String(id), exp: nowS() + 60, iat: nowS() }, OLD_SECRET);
    for (const token of [bare, dated]) {
      assert.equal(assertOk(await me(token)).id, id);
      const post = await server.api('POST', '/posts', { token, json: { content: 'from the past' } });
      assertOk(post, 201);
    }
  });

  test('is over after logging out everywhere', async () => {
    const member = await server.register('leaver');
    const bare = sign({ sub: String(member.id), exp: nowS() + 60 }, OLD_SECRET);
    const dated = sign({ sub: String(member.id), exp: nowS() + 60, iat: nowS() - 5 }, OLD_SECRET);
    assertOk(await me(bare));
    assertOk(await me(dated));
    assertOk(await server.api('POST', '/auth/logout-all', { token: member.token }), 204);
    for (const token of [bare, dated, member.token]) assertNobody(await me(token));
  });

  test('is over after logging out with it', async () => {
    const member = await server.register('leaver_too');
    const bare = sign({ sub: String(member.id), exp: nowS() + 60 }, OLD_SECRET);
    assertOk(await server.api('POST', '/auth/logout', { token: bare }), 204);
    assertNobody(await me(bare));
  });

  test('needs a secret nobody knows: with a public one the server does not start', async () => {
    const data = await mkdtemp(path.join(tmpdir(), 'hutong-test-'));
    const secrets = ['secret', 'changeme', 'your-secret-key-change-in-production',
      '09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7', 'short'];
    for (const secret of secrets) {
      for (const name of ['HUTONG_JWT_SECRET', 'JWT_SECRET_KEY']) {
        const { status, stderr, stdout } = spawnSync(BINARY,
          ['serve', '--listen', '127.0.0.1:0', '--data', data],
          { cwd: data, env: { PATH: process.env.PATH, HOME: data, [name]: secret }, timeout: 20000 });
        assert.ok(status > 0, `${secret}: ${status}`);
        assert.match(`${stderr}`, /jwt-secret/);
        assert.doesNotMatch(`${stdout}`, /^ready/m);
      }
    }
    await rm(data, { recursive: true });
  });
});

/* --- refresh --- */

describe('a refresh token', () => {
  before(async () => { await server.register('refresher'); });

  test('is good once and gives the next pair of the same log-in', async () => {
    const first = await signIn('refresher');
    const reply = await refresh(first.refresh_token);
    const second = assertOk(reply);
    assert.deepEqual(Object.keys(second),
      ['access_token', 'token_type', 'expires_in', 'refresh_token']);
    assert.equal(reply.headers.get('cache-control'), 'no-store');
    assert.notEqual(second.refresh_token, first.refresh_token);
    assert.equal(decode(second.access_token).claims.sid, decode(first.access_token).claims.sid);
    assertOk(await me(second.access_token));
    assertOk(await refresh(second.refresh_token));
  });

  test('used by two tabs at once is replaced for one and a conflict for the other', async () => {
    const { refresh_token: token } = await signIn('refresher');
    const replies = await Promise.all([refresh(token), refresh(token), refresh(token)]);
    const statuses = replies.map(({ status }) => status).sort();
    assert.deepEqual(statuses, [200, 409, 409]);
    const won = replies.find(({ status }) => status === 200).body;
    assertOk(await me(won.access_token));
    assertProblem(await refresh(token), 409);
    assertOk(await refresh(won.refresh_token));
  });

  // As if the ten seconds in which two tabs may race were over.
  const letRaceEnd = ({ sid }) => server.sql(
    `UPDATE sessions SET used_us = used_us - 11000000 WHERE id = ${sid}`);
  // A token that was replaced comes back: the log-in, its tokens and its sockets are over.
  async function assertTheftNoticed(first, old, newest) {
    const { sid } = decode(first.access_token).claims;
    const socket = await Live.open(server, newest.access_token);
    assertNobody(await refresh(old.refresh_token));
    assert.deepEqual(await socket.closed, { code: 4401, reason: 'signed out' });
    assertNobody(await refresh(newest.refresh_token));
    for (const pair of [first, newest]) assertNobody(await me(pair.access_token));
    const lines = server.log().split('\n').filter((line) => line.includes(`session=${sid} `)
      && line.includes('auth.refresh_stolen'));
    assert.equal(lines.length, 1, 'told to the operator, once');
    assert.match(lines[0], / warn /);
    for (const { refresh_token: text } of [first, old, newest]) {
      assert.ok(!server.log().includes(text.slice(0, 22)) && !server.log().includes(text.slice(22)));
    }
  }

  test('that comes back later was stolen: the log-in ends for both', async () => {
    const first = await signIn('refresher');
    const second = assertOk(await refresh(first.refresh_token));
    await letRaceEnd(decode(first.access_token).claims);
    await assertTheftNoticed(first, first, second);
    const [{ n }] = await server.sql(
      `SELECT COUNT(*) AS n FROM audit WHERE action = 'refresh.stolen'`);
    assert.equal(n, 1, 'the operator can look it up');
  });

  for (const times of [2, 3, 5]) {
    test(`of the owner tells on a thief who has refreshed ${times} times`, async () => {
      const owner = await signIn('refresher');
      let thief = owner;
      for (let i = 0; i < times; i++) thief = assertOk(await refresh(thief.refresh_token));
      await assertTheftNoticed(owner, owner, thief);
    });
  }

  test('of a thief tells on itself when the owner has refreshed meanwhile', async () => {
    const stolen = await signIn('refresher');
    let owner = stolen;
    for (let i = 0; i < 3; i++) owner = assertOk(await refresh(owner.refresh_token));
    await assertTheftNoticed(stolen, stolen, owner);
  });

  test('of one log-in, stolen, ends no other of the same member', async () => {
    const [here, there] = [await signIn('refresher'), await signIn('refresher')];
    let newest = here;
    for (let i = 0; i < 2; i++) newest = assertOk(await refresh(newest.refresh_token));
    await assertTheftNoticed(here, here, newest);
    assertOk(await me(there.access_token));
    assertOk(await refresh(there.refresh_token));
  });

  test('made up out of two, or changed by a letter, opens nothing and ends what it was made of', async () => {
    const other = await signIn('refresher');
    const mixed = await signIn('refresher');
    const text = mixed.refresh_token.slice(0, 22) + other.refresh_token.slice(22);
    assertNobody(await refresh(text));
    assertNobody(await refresh(mixed.refresh_token));
    assertNobody(await me(mixed.access_token));
    assertNobody(await refresh(other.refresh_token.slice(0, 22)));
    const strange = (other.refresh_token[0] === 'A' ? 'B' : 'A') + other.refresh_token.slice(1);
    assertNobody(await refresh(strange));
    assertOk(await refresh(other.refresh_token));
  });

  test('ends with its log-in, its time and its member', async () => {
    const gone = await signIn('refresher');
    assertOk(await server.api('POST', '/auth/logout', { token: gone.access_token }), 204);
    assertNobody(await refresh(gone.refresh_token));
    const late = await signIn('refresher');
    const { sid } = decode(late.access_token).claims;
    await server.sql(`UPDATE sessions SET expires_us = 1 WHERE id = ${sid}`);
    assertNobody(await refresh(late.refresh_token));
  });

  test('that is none is 401, and no text is 422', async () => {
    for (const token of ['', 'x', 'A'.repeat(43), 'A'.repeat(65), '密码', 'x'.repeat(10000)]) {
      assertNobody(await refresh(token));
    }
    assertProblem(await refresh(undefined), 422, ['body.refresh_token missing']);
    assertProblem(await refresh(5), 422, ['body.refresh_token string_type']);
    const { access_token: access } = await signIn('refresher');
    assertNobody(await refresh(access));
  });
});

/* --- going out --- */

describe('logging out', () => {
  test('ends this log-in and no other', async () => {
    await server.register('two_homes');
    const [here, there] = [await signIn('two_homes'), await signIn('two_homes')];
    assertOk(await me(here.access_token));
    assertOk(await server.api('POST', '/auth/logout', { token: here.access_token }), 204);
    assertNobody(await me(here.access_token));
    assertNobody(await server.api('POST', '/auth/logout', { token: here.access_token }));
    assertOk(await me(there.access_token));
  });

  test('everywhere ends all, and only of this member', async () => {
    await server.register('many_homes');
    const other = await server.register('bystander');
    const all = [await signIn('many_homes'), await signIn('many_homes'), await signIn('many_homes')];
    assertOk(await server.api('POST', '/auth/logout-all', { token: all[0].access_token }), 204);
    for (const one of all) {
      assertNobody(await me(one.access_token));
      assertNobody(await refresh(one.refresh_token));
    }
    assertOk(await me(other.token));
    assertOk(await signIn('many_homes') && await login({ username: 'many_homes', password: PASSWORD }));
  });
});

describe('the list of log-ins', () => {
  test('shows one\'s own, newest first, and which is this one', async () => {
    await server.register('lister');
    const a = await signIn('lister');
    const last = await server.api('POST', '/auth/login', {
      json: { username: 'lister', password: PASSWORD }, headers: { 'user-agent': 'phone/1' },
    });
    const b = assertOk(last);
    const { items } = assertOk(await server.api('GET', '/auth/sessions', { token: a.access_token }));
    assert.equal(items.length, 3);
    for (const item of items) assertShape(item, 'session');
    assert.deepEqual(items.map(({ id }) => id), items.map(({ id }) => id).sort((x, y) => y - x));
    const current = items.filter((item) => item.current);
    assert.deepEqual(current.map(({ id }) => id), [decode(a.access_token).claims.sid]);
    assert.equal(items[0].id, decode(b.access_token).claims.sid);
    assert.equal(items[0].address, '127.0.0.1');
    assert.equal(items[0].client, 'phone/1');
  });

  test('lets one end any of them, and nobody else\'s', async () => {
    await server.register('ender');
    const stranger = await server.register('no_ender');
    const [a, b] = [await signIn('ender'), await signIn('ender')];
    const { sid } = decode(b.access_token).claims;
    const end = (id, token) => server.api('DELETE', `/auth/sessions/${id}`, { token });
    assertProblem(await end(sid, stranger.token), 404);
    assertOk(await me(b.access_token));
    assertOk(await end(sid, a.access_token), 204);
    assertNobody(await me(b.access_token));
    assertOk(await me(a.access_token));
    const { items } = assertOk(await server.api('GET', '/auth/sessions', { token: a.access_token }));
    assert.ok(items.every(({ id }) => id !== sid));
    for (const id of ['0', '-1', '999999', '9223372036854775807']) {
      assertProblem(await end(id, a.access_token), 404);
    }
    assertProblem(await end('99999999999999999999', a.access_token), 422, ['path.session_id int_parsing']);
    assertProblem(await end('x', a.access_token), 422, ['path.session_id int_parsing']);
  });
});

describe('changing the password', () => {
  const change = (token, json) => server.api('PUT', '/auth/password', { token, json });

  test('ends the other log-ins, keeps this one, and the old password is worth nothing', async () => {
    await server.register('changer');
    const [here, there] = [await signIn('changer'), await signIn('changer')];
    const json = { old_password: PASSWORD, new_password: '新的密码 new' };
    assertOk(await change(here.access_token, json), 204);
    assertOk(await me(here.access_token));
    assertOk(await refresh(here.refresh_token));
    assertNobody(await me(there.access_token));
    assertNobody(await refresh(there.refresh_token));
    assertNobody(await login({ username: 'changer', password: PASSWORD }));
    assertOk(await login({ username: 'changer', password: '新的密码 new' }));
  });

  test('needs the old one, and a new one within the limits', async () => {
    const { token } = await server.register('kept');
    assertProblem(await change(token, { old_password: 'wrong', new_password: 'abcdef' }), 403);
    assertProblem(await change(token, {}), 422,
      ['body.old_password missing', 'body.new_password missing']);
    assertProblem(await change(token, { old_password: PASSWORD, new_password: 'short' }), 422,
      ['body.new_password string_too_short']);
    assertProblem(await change(token, { old_password: PASSWORD, new_password: 'x'.repeat(101) }), 422,
      ['body.new_password string_too_long']);
    assertProblem(await change(token, { old_password: 1, new_password: 2 }), 422,
      ['body.old_password string_type', 'body.new_password string_type']);
    assertOk(await login({ username: 'kept', password: PASSWORD }));
  });
});

/* --- imported members --- */

test('the bcrypt hash of an imported member is accepted and replaced', async () => {
  await server.sql(`INSERT INTO users (username, username_key, password_hash, nickname, created_us,
    updated_us) VALUES ('Old Member', 'old member', '${BCRYPT}', '老人', 1, 1)`);
  assertNobody(await login({ username: 'Old Member', password: 'not this' }));
  assertOk(await login({ username: 'OLD member ', password: '旧的密码 old' }));
  const [{ password_hash: hash }] = await server.sql(
    `SELECT password_hash FROM users WHERE username = 'Old Member'`);
  assert.match(hash, /^\$argon2id\$/);
  assertOk(await login({ username: 'Old Member', password: '旧的密码 old' }));
  assertNobody(await login({ username: 'Old Member', password: 'not this' }));
});

/* --- roles and bans --- */

const role = (token, id, to) => server.api('PUT', `/admin/users/${id}/role`, { token, json: { role: to } });
const ban = (token, id, banned) => server.api('PUT', `/admin/users/${id}/banned`, { token, json: { banned } });

// One request on a connection of its own: the system chooses the loop.
function alone(target, token) {
  return new Promise((done, fail) => {
    const request = http.get(server.url + target, {
      agent: false, headers: { authorization: `Bearer ${token}` },
    }, (reply) => {
      reply.resume();
      reply.on('end', () => done(reply.statusCode));
    });
    request.on('error', fail);
  });
}

const round = (token) => Promise.all(Array.from({ length: 12 }, () => alone('/auth/me', token)));

describe('roles', () => {
  test('are given by administrators only, and to people only', async () => {
    const member = await server.register('plain_member');
    const other = await server.register('plain_other');
    assertProblem(await role(member.token, other.id, 'admin'), 403);
    assertProblem(await ban(member.token, other.id, true), 403);
    assertOk(await role(admin.access_token, member.id, 'moderator'), 204);
    assert.equal(assertOk(await me(member.token)).role, 'moderator');
    assertProblem(await role(member.token, other.id, 'moderator'), 403);
    const [{ id: resident }] = await server.sql(
      `SELECT id FROM users WHERE username = 'ai_resident'`);
    assertProblem(await role(admin.access_token, resident, 'admin'), 400);
    assertProblem(await role(admin.access_token, other.id, 'resident'), 400);
    assertProblem(await role(admin.access_token, other.id, 'king'), 422, ['body.role enum']);
    assertProblem(await role(admin.access_token, other.id, 7), 422, ['body.role string_type']);
    assertProblem(await role(admin.access_token, other.id, undefined), 422, ['body.role missing']);
    assertProblem(await role(admin.access_token, 999999, 'member'), 404);
    assertProblem(await role(admin.access_token, 0, 'member'), 404);
  });

  test('let moderators ban members, but nobody an administrator', async () => {
    const moderator = await server.register('judge');
    const member = await server.register('judged');
    assertOk(await role(admin.access_token, moderator.id, 'moderator'), 204);
    assertProblem(await ban(moderator.token, admin.id, true), 403);
    assertProblem(await ban(moderator.token, member.id, 'yes'), 422, ['body.banned bool_type']);
    assertProblem(await ban(moderator.token, 999999, true), 404);
    assertOk(await ban(moderator.token, member.id, true), 204);
    assertNobody(await me(member.token));
    const refused = await login({ username: 'judged', password: PASSWORD });
    assertProblem(refused, 403);
    assertNobody(await login({ username: 'judged', password: 'wrong one' }));
    assertOk(await ban(moderator.token, member.id, false), 204);
    assertNobody(await me(member.token));
    assertOk(await login({ username: 'judged', password: PASSWORD }));
  });

  test('taken away count at once', async () => {
    const moderator = await server.register('demoted');
    const member = await server.register('almost_banned');
    assertOk(await role(admin.access_token, moderator.id, 'moderator'), 204);
    assertOk(await role(admin.access_token, moderator.id, 'member'), 204);
    assertProblem(await ban(moderator.token, member.id, true), 403);
    assertOk(await me(member.token));
  });
});

test('a ban reaches every loop within a second, also for tokens of the older server', async () => {
  for (const kind of ['ours', 'older']) {
    const member = await server.register(`banned_${kind}`);
    const token = kind === 'ours' ? member.token
      : sign({ sub: String(member.id), exp: nowS() + 60 }, OLD_SECRET);
    assert.ok((await round(token)).every((status) => status === 200));
    assertOk(await ban(admin.access_token, member.id, true), 204);
    const since = performance.now();
    let statuses;
    do {
      assert.ok(performance.now() - since < 1000, `${statuses}`);
      statuses = await round(token);
    } while (!statuses.every((status) => status === 401));
  }
});

test('a ban also meets a request whose body was still on its way', async () => {
  const member = await server.register('slow_writer');
  const body = JSON.stringify({ content: 'begun before the ban, finished after it' });
  const head = `POST /posts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${member.token}\r\n`
    + `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`
    + 'Expect: 100-continue\r\n\r\n';
  assert.ok((await round(member.token)).every((status) => status === 200), 'every loop knows them');
  const { replies } = await rawHttp(server.url, head, {
    count: 2,
    async goOn() {
      assertOk(await ban(admin.access_token, member.id, true), 204);
      const since = performance.now();
      while (!(await round(member.token)).every((status) => status === 401)) {
        assert.ok(performance.now() - since < 1000);
      }
      return body;
    },
  });
  assert.deepEqual(replies.map(({ status }) => status), [100, 401]);
  assert.deepEqual(await server.sql(`SELECT id FROM posts WHERE author_id = ${member.id}`), []);
});

test('a member whose account is gone is nobody', async () => {
  const member = await server.register('vanishing');
  // Their log-ins first: sqlite3 leaves foreign keys alone unless told.
  await server.sql(`DELETE FROM sessions WHERE user_id = ${member.id}`);
  await server.sql(`DELETE FROM users WHERE id = ${member.id}`);
  // Not a deed of this server: the store is asked again within a second.
  const since = performance.now();
  while ((await me(member.token)).status !== 401) {
    assert.ok(performance.now() - since < 5000);
  }
});
