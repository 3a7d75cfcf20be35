// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The client printed in docs/live.md, as it stands there, against the real server.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import WebSocket from 'ws';

import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

test('the client of docs/live.md hears everything once, over broken connections', { timeout: 60_000 }, async () => {
  const page = await readFile(new URL('../../docs/live.md', import.meta.url), 'utf8');
  const [, code] = /```js\n([\s\S]*?)```/.exec(page);
  const sockets = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...args) {
      super(...args);
      this.on('error', () => {});
      sockets.push(this);
    }
  };
  const { hutong } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

  const server = await startServer({ env: { HUTONG_LIVE_PING: '1' } });
  const lili = await server.register('lili');
  const post = async () => (await server.api('POST', '/posts', { token: lili.token, json: { content: 'x' } })).body.id;
  const heard = [];
  const client = hutong({
    url: server.url.replace('http', 'ws'),
    ticket: async () => (await server.api('POST', '/live/ticket', { token: lili.token })).body.ticket,
    onEvent: (m) => heard.push(m.data.id),
    onReload: () => assert.fail('nothing was too old'),
  });
  const made = [await post()];
  client.subscribe('feed', 0);
  for (let i = 0; i < 4; i++) {
    const all = made.length;
    // Some while the client is away, not more than it can be given when it is back.
    const more = async () => (made.length < all + 100 ? made.push(await post()) : server.api('GET', '/health'));
    await until(more, () => heard.length >= all, { what: 'a list' });
    sockets.at(-1).terminate();
    made.push(await post());
  }
  await until(() => server.api('GET', '/health'), () => heard.length >= made.length);
  assert.ok(sockets.length >= 4);
  assert.deepEqual(heard, made);
  client.close();
  await server.stop();
});
