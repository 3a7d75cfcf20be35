// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members who write to each other at the same moment, on a MariaDB, where every request has a
// transaction of its own: nobody waits for each other in a ring. The database counts such rings.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { startMariadb } from '../support/mariadb.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 120_000 };
const ROUNDS = 40;

let mariadb, server, url, people;
before(async () => {
  mariadb = await startMariadb();
  url = await mariadb.newDatabase();
  server = await startServer({ env: { HUTONG_DATABASE: url, HUTONG_WORKERS: '16' } });
  people = [];
  for (let i = 0; i < 6; i++) people.push(await server.register(`writer${i}`));
}, WAIT);
after(async () => {
  await server?.stop();
  await mariadb?.stop();
});

async function ok(who, method, target, json) {
  const reply = await server.api(method, target, { token: who.token, json });
  assert.ok(reply.status < 300, `${method} ${target}: ${reply.status} ${reply.text}`);
  return reply.body;
}

const rings = async () => Number((await mariadb.sql(null, "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'")).split('\t')[1]);

async function withoutRings(work) {
  const before = await rings();
  const said = server.log().length;
  await work();
  assert.doesNotMatch(server.log().slice(said), /db_failed .*code=(1213|1205)/);
  assert.equal(await rings() - before, 0);
}

// Every pair, in both directions.
const pairs = () => people.flatMap((from) => people.filter((to) => to !== from).map((to) => [from, to]));
const letter = ([from, to]) => ok(from, 'POST', `/messages/send/${to.id}`, { content: 'crossing' });

test('the database counts rings', WAIT, async () => {
  const own = await mariadb.newDatabase();
  await mariadb.sql(own, 'CREATE TABLE t (id INT PRIMARY KEY, n INT) ENGINE=InnoDB; INSERT INTO t VALUES (1, 0), (2, 0)');
  const before = await rings();
  // Each holds its first row until the other waits for it: a lock of the server's tells them when.
  const cross = (first, second) => mariadb.sql(own, `BEGIN; UPDATE t SET n = n + 1 WHERE id = ${first};
    SELECT GET_LOCK('row${first}', 10);
    SELECT IF(IS_USED_LOCK('row${second}'), 0, SLEEP(0.01)) FROM seq_1_to_500;
    UPDATE t SET n = n + 1 WHERE id = ${second}; COMMIT`);
  const ended = await Promise.allSettled([cross(1, 2), cross(2, 1)]);
  assert.equal(ended.filter((one) => one.status === 'rejected').length, 1);
  assert.equal(await rings() - before, 1);
});

test('first letters cross, when nobody has a topic or a conversation yet', WAIT, async () => {
  await withoutRings(() => Promise.all(pairs().map(letter)));
});

test('letters cross, and are read and taken back', WAIT, async () => {
  await withoutRings(async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const sent = await Promise.all(pairs().map(async (pair) => ({ pair, ...await letter(pair) })));
      const reads = pairs().map(([from, to]) => ok(from, 'POST', `/messages/read/${to.id}`));
      const gone = sent.filter((_, i) => i % 3 === 0).map(({ pair: [from], id }) => ok(from, 'DELETE', `/messages/${id}`));
      await Promise.all([...reads, ...gone, ...pairs().map(letter)]);
    }
  });
});

test('groups are made of the same members in every order', WAIT, async () => {
  await withoutRings(async () => {
    for (let round = 0; round < ROUNDS / 4; round++) {
      await Promise.all(people.map((owner, i) => {
        const others = people.filter((one) => one !== owner).map((one) => one.id);
        const members = [...others.slice(i), ...others.slice(0, i)];
        return ok(owner, 'POST', '/groups', { name: `group ${round} ${i}`, members });
      }));
    }
  });
});

test('the numbers of every topic follow each other, whoever met whom', WAIT, async () => {
  assert.equal(await mariadb.sql(url, `SELECT name FROM topics t WHERE head <>
    (SELECT MAX(seq) FROM events e WHERE e.topic_id = t.id)`), '');
  assert.equal(await mariadb.sql(url, `SELECT topic_id FROM events WHERE fold IS NULL GROUP BY topic_id
    HAVING COUNT(*) <> COUNT(DISTINCT seq)`), '');
});
