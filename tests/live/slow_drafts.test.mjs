// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Drafts repeat everything from the first word on, so that a long answer is many times its length on
// the way. A device that does not read them is bounded and dropped; the others, and the one who
// writes, notice nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { assertOk } from '../support/checks.mjs';
import { Live } from '../support/live.mjs';
import { startProvider } from '../support/provider.mjs';
import { towns, withModel } from '../support/town.mjs';
import { metric, until } from '../support/watch.mjs';

const { kept, startTown } = towns();

const QUEUE = 65536;
const LONG = '🏮'.repeat(1500); // 6 kB in every draft
const EVERY_MS = 65; // a little more than what is folded into one

const drafts = (live) => live.messages.filter(({ event }) => event === 'message.draft');
const key = ({ data }) => `${data.user_id} ${data.text.length}`;

test('a_device_that_does_not_read_drafts_is_dropped_and_the_other_reads_on', { timeout: 180_000 }, async () => {
  const provider = kept(await startProvider());
  let over = false;
  provider.always(({ text }) => (text.includes('private message')
    ? { deltas: [LONG, ...Array.from({ length: 300 }, (_, i) => `${i % 10}`)], pace: (n) => (over || n === 0 ? undefined : pause(EVERY_MS)) }
    : { deltas: ['Good.'] }));
  const server = await startTown({
    env: withModel(provider, { HUTONG_TOWN_SPEED: '6000', HUTONG_LIVE_QUEUE_BYTES: String(QUEUE), HUTONG_LIVE_PING: '600' }),
  });
  const quick = await Live.open(server, server.token);
  const slow = await Live.open(server, server.token);
  for (const device of [quick, slow]) await device.subscribe('me');
  slow.ws.pause();

  // The kernel's buffers take megabytes before our own queue begins to fill.
  const { residents } = await server.town();
  const write = () => Promise.all(residents.map(({ id }) =>
    server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content: 'Tell me a long story.' } }).then(assertOk)));
  const heard = [];
  let worst = 0;
  quick.ws.on('message', (bytes) => {
    const message = JSON.parse(bytes);
    if (message.event === 'message.draft') heard.push(performance.now());
  });
  await until(() => metric(server, 'hutong_live_connections'), (devices) => devices === 2, { what: 'both are there' });
  await write();
  let stories = 1;
  await until(async () => {
    const open = provider.requests.some((asked) => asked.text.includes('private message') && !asked.endedAt);
    const began = performance.now();
    await server.town();
    worst = Math.max(worst, performance.now() - began);
    if (!open && drafts(quick).length > 200 * stories && stories < 5) { stories += 1; await write(); }
    return server.said();
  }, (said) => said.includes('ws.slow'), { ms: 120_000, what: 'it is too slow' });
  assert.ok(worst < 2000, `others waited ${worst} ms`);

  // The one that reads has never had to wait for the one that does not.
  const seen = heard.length;
  await quick.next((m) => m.event === 'message.draft' && heard.length > seen);
  slow.ws.resume();
  assert.deepEqual(await slow.closed, { code: 4010, reason: 'too slow: come back and resume' });
  const all = drafts(quick).map(key), some = drafts(slow).map(key);
  assert.ok(some.length > 0 && some.length < all.length, `${some.length} of ${all.length}`);
  assert.deepEqual(some, all.slice(0, some.length), 'what came before the close has no gap');

  // It comes back in the middle, and has the next draft from its first word.
  const back = await Live.open(server, server.token);
  await back.subscribe('me');
  const { data } = await back.next((m) => m.event === 'message.draft');
  assert.ok(data.text.startsWith(LONG));
  over = true;
  const whole = await back.next((m) => m.event === 'message.created' && m.data.sender_id === data.user_id);
  assert.ok(whole.data.content.startsWith(data.text));
  for (const device of [quick, back]) await device.close();
  await server.stop();
  await provider.stop();
});
