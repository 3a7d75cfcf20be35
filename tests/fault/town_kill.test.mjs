// SPDX-License-Identifier: AGPL-3.0-or-later
//
// kill -9 at two hundred random moments, some of them while the server still starts: every time the
// town comes back, and in the end it has lived the life it would have lived, once.
//
// The moments come from a seed, which is printed: HUTONG_TEST_SEED repeats a run as far as the
// machine's own timing lets it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as pass } from 'node:timers/promises';

import { assertOk } from '../support/checks.mjs';
import { BINARY, hutong } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const env = { HUTONG_TOWN: 'on', HUTONG_TOWN_SPEED: '6000', HUTONG_TOWN_SEED: '7' };
const DEMO = { username: 'demo_lan', password: 'hutong-demo' };
const SEED = Number(process.env.HUTONG_TEST_SEED ?? Date.now() % 1_000_000);
const COMPLAINT = /(ERROR|WARNING): \w*Sanitizer|runtime error:|assert\.failed|level=error/;

// Park and Miller 1988: even enough for moments, and the same everywhere.
function dice(seed) {
  let state = (seed % 2147483646) + 1;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

async function asMember(server) {
  const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { json: DEMO }));
  server.town = async () => assertOk(await server.api('GET', '/town', { token }));
  server.token = token;
  return server;
}

const start = async (dataDir, args = []) => asMember(await startServer({ dataDir, args, env }));

// One that is killed `ms` after it was begun, whatever it has come to.
async function killEarly(dataDir, ms) {
  const child = spawn(BINARY, ['serve', '--listen', '127.0.0.1:0', '--data', dataDir], {
    cwd: dataDir,
    env: { PATH: process.env.PATH, HOME: dataDir, HUTONG_LLM_PROBE: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const out of [child.stdout, child.stderr]) out.on('data', (bytes) => { said += bytes; });
  const gone = once(child, 'close');
  await pass(ms);
  child.kill('SIGKILL');
  const [, signal] = await gone;
  assert.equal(signal, 'SIGKILL', `it ended by itself: ${said}`);
  assert.doesNotMatch(said, COMPLAINT);
}

const asLine = (e) => [e.game_day, e.game_time, e.character_id, e.action_name, e.location_id, e.duration].join(' ');

// What they did, in order; and what they said, whose words come at no fixed moment.
const WORDED = new Set(['conversation', 'like', 'comment', 'message']);
async function lives(server) {
  const entries = await server.sql('SELECT * FROM action_logs ORDER BY id');
  return {
    deeds: entries.filter((e) => !WORDED.has(e.action_name)).map(asLine),
    talks: entries.filter((e) => e.action_name === 'conversation').map(asLine),
    onPosts: entries.filter((e) => /^(like|comment)$/.test(e.action_name)).map((e) => `${asLine(e)} ${e.description}`),
  };
}

async function replayAgrees(dataDir) {
  const { status, out, err } = await hutong(['town', 'replay', '--data', dataDir]);
  assert.equal(status, 0, out + err);
  assert.match(out, /^the same as from the checkpoint of /m);
}

test('killed_at_150_moments_the_town_lives_the_life_of_one_that_was_not', async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const roll = dice(SEED);
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-kill-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  await (await start(dataDir, ['--demo'])).kill();
  let minute = 0;
  for (let kill = 0; kill < 150; kill += 1) {
    if (roll(10) > 0) {
      await killEarly(dataDir, roll(900));
      continue;
    }
    // One in ten is looked at before: it has not gone back.
    const server = await start(dataDir);
    const now = (await until(server.town, () => true)).minute;
    assert.ok(now >= minute, `${now} after ${minute}`);
    minute = now;
    await server.kill();
  }
  const last = await start(dataDir);
  // A slow machine has hardly begun to live between its kills: ten hours have more than fifty deeds.
  await until(last.town, (town) => town.minute > minute && town.minute > 480 + 600, { ms: 60_000 });
  const { minute: at } = await last.town();
  const killed = await lives(last);
  await last.stop();
  await replayAgrees(dataDir);

  const whole = await asMember(await startServer({ args: ['--demo'], env: { ...env, HUTONG_TOWN_SPEED: '60000' } }));
  // A game hour more: then the words of every talk before it are there.
  await until(whole.town, (town) => town.minute > at + 60, { ms: 60_000 });
  const straight = await lives(whole);
  await whole.stop();
  assert.ok(killed.deeds.length > 50, `${killed.deeds.length}`);
  const count = Math.min(killed.deeds.length, straight.deeds.length);
  assert.deepEqual(killed.deeds.slice(0, count), straight.deeds.slice(0, count));
  assert.ok(killed.talks.length > 0);
  assert.equal(new Set(killed.talks).size, killed.talks.length, 'a talk is told twice');
  assert.equal(new Set(killed.onPosts).size, killed.onPosts.length, 'a like or comment is told twice');
  for (const talk of killed.talks) assert.ok(straight.talks.includes(talk), `${talk} is not of this life`);
});

test('what_members_told_it_between_50_kills_is_told_once', async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const roll = dice(SEED + 1);
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-kill-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const first = await start(dataDir, ['--demo']);
  const [{ id }] = (await first.town()).residents;
  await first.kill();
  const sent = [];
  for (let kill = 0; kill < 50; kill += 1) {
    if (kill % 2) {
      await killEarly(dataDir, roll(900));
      continue;
    }
    const server = await start(dataDir);
    const content = `letter ${kill}`;
    assertOk(await server.api('POST', `/messages/send/${id}`, { token: server.token, json: { content } }));
    sent.push(content); // acknowledged: it must be there for ever
    await pass(roll(400));
    await server.kill();
  }
  const last = await start(dataDir);
  const told = () => last.sql("SELECT COUNT(*) AS n FROM town_inputs WHERE hex(substr(input, 15, 1)) = '00'");
  await until(told, ([{ n }]) => n >= sent.length);
  const letters = await last.sql(`SELECT content FROM messages WHERE receiver_id = ${id} AND content LIKE 'letter %' ORDER BY id`);
  assert.deepEqual(letters.map(({ content }) => content), sent);
  assert.equal((await told())[0].n, sent.length);
  const [answers] = await last.sql(`SELECT COUNT(*) AS n FROM messages WHERE sender_id = ${id} AND receiver_id =
    (SELECT id FROM users WHERE username = 'demo_lan')`);
  assert.ok(answers.n <= sent.length, `${answers.n} answers to ${sent.length}`);
  await last.stop();
  await replayAgrees(dataDir);
});

// Whoever is added, banned, let in again or deleted between the kills: the accounts say who lives there,
// no number is given out twice, and the journal leads to the very town.
test('people_come_and_go_between_40_kills_and_none_is_lost_or_there_twice', async (t) => {
  t.diagnostic(`seed ${SEED}`);
  const roll = dice(SEED + 2);
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-kill-'));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const first = await start(dataDir, ['--demo']);
  await first.kill();
  const numbers = new Map(); // account → its number, as soon as it has one
  const accounts = () => first.sql(`SELECT u.id AS id, u.banned_us AS banned, p.number AS number FROM users u
    LEFT JOIN town_people p ON p.user_id = u.id WHERE u.is_ai = 1 ORDER BY u.id`);
  const some = async (banned) => {
    const all = (await accounts()).filter((one) => (one.banned !== null) === banned);
    return all.length > (banned ? 0 : 2) ? all[roll(all.length)].id : undefined;
  };
  async function change(number) {
    const kind = roll(5);
    if (kind < 2) {
      const { status, err } = await hutong(['resident', 'add', `comer_${number}`, '--data', dataDir], { env: first.env });
      assert.equal(status, 0, err);
      return;
    }
    const id = await some(kind === 4);
    if (id === undefined) return;
    const statement = kind === 2 ? `DELETE FROM users WHERE id = ${id}`
      : `UPDATE users SET banned_us = ${kind === 3 ? 1 : 'NULL'} WHERE id = ${id}`;
    await first.sqlText(`${first.env.HUTONG_DATABASE ? '' : 'PRAGMA foreign_keys = ON; '}${statement}`);
  }
  for (let kill = 0; kill < 40; kill += 1) {
    // Half of it happens while somebody runs the town, and is noticed or not when it is killed.
    if (kill % 4 === 0) {
      const server = await start(dataDir);
      await change(kill);
      await pass(roll(1500));
      await server.kill();
    } else {
      await change(kill);
      await killEarly(dataDir, roll(1200));
    }
    for (const { id, number } of await accounts()) {
      if (number === null) continue;
      assert.equal(numbers.get(id) ?? number, number, `${id} has another number`);
      numbers.set(id, number);
    }
  }
  assert.equal(new Set(numbers.values()).size, numbers.size, 'a number was given out twice');
  const last = await start(dataDir);
  const lives = async () => (await last.town()).residents.map(({ id }) => id).sort((a, b) => a - b);
  const wanted = (await accounts()).filter(({ banned }) => banned === null).map(({ id }) => id);
  assert.deepEqual(await lives(), wanted);
  const { minute } = await last.town();
  await until(last.town, (town) => town.minute > minute + 120);
  assert.deepEqual(await lives(), wanted);
  await last.stop();
  await replayAgrees(dataDir);
});
