// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A MariaDB that goes and comes back under a server: what asks for it hears that it does not
// answer and when to ask again, nothing is half done, and all goes on without a restart.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { startMariadb } from '../support/mariadb.mjs';
import { startServer } from '../support/server.mjs';

describe('while MariaDB does not answer', () => {
  let mariadb;
  let server;
  let mei;
  before(async () => {
    mariadb = await startMariadb();
    server = await startServer({ env: { HUTONG_DATABASE: await mariadb.newDatabase() } });
    mei = await server.register('mei_away');
    assertOk(await server.api('POST', '/posts', { token: mei.token, json: { content: 'before' } }), 201);
    await mariadb.goAway();
  });
  after(async () => {
    await server?.stop();
    await mariadb?.stop();
  });

  const ask = (method, path, json) => server.api(method, path, { token: mei.token, json });

  for (const [method, path, json] of [
    ['GET', '/posts'], ['GET', '/auth/me'], ['GET', '/users/'], ['GET', '/messages/conversations'],
    ['POST', '/posts', { content: 'meanwhile' }], ['POST', '/groups', { name: 'meanwhile', members: [] }],
    ['POST', '/auth/login', { username: 'mei_away', password: 'not the right one' }],
    ['POST', '/auth/register', { username: 'late_away', password: 'long enough', nickname: 'x' }],
    ['GET', '/live/events?topics=feed'],
  ]) {
    test(`${method} ${path} is 503 and says when to come again`, async () => {
      for (let i = 0; i < 2; i++) { // on a connection that broke, and on none
        const reply = await ask(method, path, json);
        assert.equal(reply.status, 503, reply.text);
        assert.equal(reply.body.type, 'urn:hutong:problem:database_away');
        assert.match(reply.body.detail, /the database does not answer; nothing was changed/);
        assert.ok(Number(reply.headers.get('retry-after')) >= 1);
      }
    });
  }

  test('programs hear it in their own form', async () => {
    const reply = await server.api('GET', '/v1/models', { token: `sk-hutong-${'x'.repeat(43)}` });
    assert.equal(reply.status, 503, reply.text);
    assert.match(reply.body.error.message, /the database does not answer/);
  });

  test('it goes on when it is back, and nothing of what was refused is there', async () => {
    await mariadb.comeBack();
    const posts = assertOk(await ask('GET', '/posts')).items.map(({ content }) => content);
    assert.deepEqual(posts, ['before']);
    assertOk(await ask('POST', '/posts', { content: 'after' }), 201);
  });
});
