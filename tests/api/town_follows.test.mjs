// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Residents follow as members do, and a town hears of what members like and whom they follow: each
// once, whoever holds it and whatever moment its server dies.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { hutong } from '../support/command.mjs';
import { towns } from '../support/town.mjs';
import { metric, until } from '../support/watch.mjs';

const { startTown } = towns();

const residentIds = async (server) => (await server.town()).residents.map(({ id }) => id);

// How often the town was told a thing of that kind (enum input_kind, the 15th byte of struct input).
const LIKE = '02';
const FOLLOW = '04';
const told = async (server, kind) => (await server.sql(
  `SELECT COUNT(*) AS n FROM town_inputs WHERE HEX(SUBSTR(input, 15, 1)) = '${kind}'`))[0].n;
const allTold = (server) => until(
  () => server.sql('SELECT COUNT(*) AS n FROM town_notices WHERE told = 0'), ([{ n }]) => n === 0, { what: 'all told' });
const postsOfTown = (server) => server.sql(`SELECT p.id, p.author_id FROM posts p JOIN town_posts t ON t.post_id = p.id
  JOIN users u ON u.id = p.author_id JOIN towns w ON p.created_us >= w.created_us WHERE u.is_ai = 1 ORDER BY p.id DESC`);

// `server` has stopped.
async function replayAgrees({ dataDir, env }) {
  const { status, out, err } = await hutong(['town', 'replay', '--data', dataDir], { env });
  assert.equal(status, 0, out + err);
  assert.match(out, /^the same as from the checkpoint of /m);
}

test('residents_follow_whom_they_like_as_members_do', async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '60000' } });
  const ids = await residentIds(server);
  const follows = () => server.sql(`SELECT follower_id, followed_id FROM follows WHERE follower_id IN (${ids})`);
  const [{ follower_id: who, followed_id: whom }] = await until(follows, (rows) => rows.length > 0, { ms: 60_000, what: 'a follow' });
  const page = assertOk(await server.api('GET', `/users/${whom}/followers`));
  assert.ok(page.items.some(({ user }) => user.id === who && user.is_ai));
  const card = assertOk(await server.api('GET', `/town/residents/${who}`, { token: server.token }));
  assert.equal(card.relations.find(({ id }) => id === whom).follows, true);
  const events = await server.sql(`SELECT e.payload FROM events e JOIN topics t ON t.id = e.topic_id
    WHERE t.name = 'user:${whom}' AND e.fold = 'follow:${who}'`);
  assert.equal(JSON.parse(events[0].payload).event, 'follow.created');
  await server.stop();
});

test('a_member_who_follows_and_likes_is_noticed_and_remembered_once', async () => {
  const server = await startTown();
  const [id] = await residentIds(server);
  const { id: me } = assertOk(await server.api('GET', '/auth/me', { token: server.token }));
  const card = async () => assertOk(await server.api('GET', `/town/residents/${id}`, { token: server.token }));
  const tie = ({ relations }) => relations.find((relation) => relation.id === me);
  const change = async (method, path) => assertOk(await server.api(method, path, { token: server.token }));

  await change('PUT', `/users/${id}/follow`);
  const followed = await until(card, (seen) => tie(seen)?.followed === true, { what: 'the follow' });
  assert.ok(tie(followed).familiarity > 0 && tie(followed).liking > 0);
  assert.ok(followed.memories.some(({ content }) => /关注了我|follows me now/.test(content)));

  const [post] = await until(() => postsOfTown(server), (rows) => rows.length > 0, { ms: 60_000, what: 'a post' });
  for (let i = 0; i < 3; i += 1) {
    for (const path of [`/users/${id}/follow`, `/posts/${post.id}/like`]) {
      await change('PUT', path);
      await allTold(server);
      await change('DELETE', path);
    }
  }
  await change('POST', `/posts/${post.id}/like`); // the older clients' way
  await allTold(server);
  assert.equal(await told(server, FOLLOW), 1);
  assert.equal(await told(server, LIKE), 1);
  const author = assertOk(await server.api('GET', `/town/residents/${post.author_id}`, { token: server.token }));
  assert.ok(tie(author).liking > 0, 'who likes is liked');

  // What is not the town's is not told: a member, and a post that it has not taken in.
  const other = await server.register('bystander');
  const [old] = await server.sql('SELECT id FROM posts ORDER BY id');
  await server.sql(`DELETE FROM town_posts WHERE post_id = ${old.id}`);
  await change('PUT', `/users/${other.id}/follow`);
  await change('PUT', `/posts/${old.id}/like`);
  assert.equal((await server.sql('SELECT COUNT(*) AS n FROM town_notices'))[0].n, 2);
  await server.stop();
});

test('killed_at_any_moment_the_town_hears_of_every_like_and_follow_once', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-town-'));
  try {
    let likes = 0;
    let follows = 0;
    for (let round = 0; round < 6; round += 1) {
      const server = await startTown({ dataDir, args: round === 0 ? ['--demo'] : [] });
      const ids = await residentIds(server);
      const posts = await until(() => postsOfTown(server), (rows) => rows.length > likes, { ms: 60_000, what: 'a post' });
      const liked = new Set((await server.sql('SELECT post_id FROM town_notices WHERE post_id IS NOT NULL')).map((row) => row.post_id));
      const target = posts.find(({ id }) => !liked.has(id));
      assertOk(await server.api('PUT', `/posts/${target.id}/like`, { token: server.token }));
      likes += 1;
      if (round < ids.length) {
        assertOk(await server.api('PUT', `/users/${ids[round]}/follow`, { token: server.token }));
        follows += 1;
      }
      // Before it was told, in the middle of it, and after.
      const wait = ['nothing', 'one', 'all'][round % 3];
      if (wait === 'one') await until(() => told(server, LIKE), (n) => n === likes);
      if (wait === 'all') await allTold(server);
      await server.kill();
    }
    const last = await startTown({ dataDir, args: [] });
    await allTold(last);
    assert.equal(await told(last, LIKE), likes);
    assert.equal(await told(last, FOLLOW), follows);
    await last.stop({ keepData: true });
    await replayAgrees(last);
  } finally {
    await rm(dataDir, { recursive: true });
  }
});

test('what_is_done_at_another_server_is_heard_once_also_by_the_next_holder_and_of_those_who_left_nothing_is', async () => {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-town-'));
  try {
    const holder = await startTown({ dataDir });
    const [one, two, three] = await residentIds(holder); // it holds the town
    const other = await startTown({ dataDir, args: [] });
    const put = async (id, { token } = other) => assertOk(await other.api('PUT', `/users/${id}/follow`, { token }));
    await put(one);
    await allTold(other);

    await holder.kill();
    await put(two); // nobody hears it now
    const gone = await other.register('gone_again');
    await put(three, gone);
    await other.sql(`DELETE FROM users WHERE id = ${gone.id}`);
    await until(() => metric(other, 'hutong_town_residents'), (n) => n === 3, { ms: 60_000, what: 'the next holder' });
    await put(three);
    await allTold(other);
    assert.equal(await told(other, FOLLOW), 3);
    const { relations } = await other.get(`/town/residents/${three}`);
    assert.deepEqual(relations.filter(({ id }) => id === gone.id), []);
    await other.stop({ keepData: true });
    await replayAgrees(other);
  } finally {
    await rm(dataDir, { recursive: true });
  }
});
