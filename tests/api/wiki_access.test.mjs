// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Who may do what with wikis: guests, the access code of older pages, the pages of others.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

const CODE = 'open sesame';

describe('without a code', () => {
  let server;
  before(async () => { server = await startServer(); });
  after(() => server.stop());

  test('none is asked for, and none opens anything', async () => {
    for (const path of ['/auth/status', '/api/auth/status']) {
      assert.deepEqual(assertOk(await server.api('GET', path)), { auth_required: false });
    }
    for (const code of ['', CODE]) {
      const reply = await server.api('POST', '/auth/validate', { json: { code } });
      assert.deepEqual(assertOk(reply), { success: false });
      assert.equal(reply.headers.get('set-cookie'), null);
    }
    assertProblem(await server.api('POST', '/auth/validate', { json: {} }), 422, ['body.code missing']);
    assertProblem(await server.api('POST', '/auth/validate', { json: { code: 7 } }), 422, ['body.code string_type']);
  });

  test('failures say the sentence under both names where the older page looks for `error`', async () => {
    const reply = await server.api('POST', '/api/auth/validate', { json: {} });
    assert.equal(reply.status, 422);
    assert.equal(reply.body.error, reply.body.detail);
    assert.match(reply.body.error, /code is missing/);
  });
});

describe('with a code', () => {
  let server;
  before(async () => {
    // As compose files of the older program write it.
    server = await startServer({
      env: { DEEPWIKI_AUTH_MODE: 'True', DEEPWIKI_AUTH_CODE: CODE, HUTONG_TRUSTED_PROXIES: '127.0.0.1' },
    });
  });
  after(() => server.stop());
  const validate = (code, headers) => server.api('POST', '/auth/validate', { json: { code }, headers });

  test('the right one gives a cookie that no script reads and no other site sends', async () => {
    assert.deepEqual(assertOk(await server.api('GET', '/auth/status')), { auth_required: true });
    for (const wrong of ['', 'open', `${CODE} `, CODE.toUpperCase()]) {
      const reply = await validate(wrong);
      assert.deepEqual(assertOk(reply), { success: false });
      assert.equal(reply.headers.get('set-cookie'), null);
    }
    const reply = await validate(CODE);
    assert.deepEqual(assertOk(reply), { success: true });
    assert.match(reply.headers.get('set-cookie'),
      /^hutong_wiki=\d+\.[\w-]+\.[\w-]{43}; Path=\/; Max-Age=86400; HttpOnly; SameSite=Lax$/);
    assert.ok(!reply.headers.get('set-cookie').includes(CODE));
    const safe = await validate(CODE, { 'x-forwarded-proto': 'https' });
    assert.match(safe.headers.get('set-cookie'), /; SameSite=Lax; Secure$/);
  });
});

test('guesses are counted by address', async () => {
  const server = await startServer({
    env: { DEEPWIKI_AUTH_MODE: '1', DEEPWIKI_AUTH_CODE: CODE, HUTONG_RATE_LOGIN: '5', HUTONG_TRUSTED_PROXIES: '127.0.0.1' },
  });
  const guess = (address) => server.api('POST', '/auth/validate', { json: { code: 'guess' }, headers: { 'x-forwarded-for': address } });
  for (let i = 0; i < 5; i += 1) assertOk(await guess('203.0.113.1'));
  const refused = await guess('203.0.113.1');
  assertProblem(refused, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assertOk(await guess('203.0.113.2'));
  await server.stop();
});

test('the server does not start with a mode that any empty code would open', async () => {
  await assert.rejects(startServer({ env: { DEEPWIKI_AUTH_MODE: 't' } }),
    /setting wiki-auth-mode is on, but there is no code that strangers could show/);
  await assert.rejects(startServer({ env: { DEEPWIKI_AUTH_MODE: 'perhaps', DEEPWIKI_AUTH_CODE: CODE } }),
    /setting wiki-auth-mode is "perhaps"/);
  const server = await startServer({ env: { DEEPWIKI_AUTH_MODE: 'False' } });
  await server.stop();
});

test('nobody allows the whole machine by accident', async () => {
  for (const roots of ['/', '//', 'code', '/srv/code:..']) {
    await assert.rejects(startServer({ env: { HUTONG_WIKI_ROOTS: roots } }), /setting wiki-roots: ".*" is no folder to allow/);
  }
});
