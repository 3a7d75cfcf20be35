// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong town`: a run is a function of seed and settings, reports add up, and what is wrong is said.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { BINARY, hutong, newFolder } from '../support/command.mjs';

const EXAMPLE = fileURLToPath(new URL('../../docs/town-experiment.json', import.meta.url));
const run = (options) =>
  hutong(['town', 'run', ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`])]);
const hashOf = ({ out }) => /^run hash: ([0-9a-f]{16})\n$/m.exec(out)?.[1];

async function ran(options) {
  const done = await run(options);
  assert.equal(done.status, 0, done.err);
  assert.equal(done.err, '', 'quiet where standard error is no terminal');
  assert.ok(hashOf(done), done.out);
  return done;
}

// [{ column: text }]; names in quotes are the only ones with commas.
async function readCsv(...where) {
  const text = await readFile(path.join(...where), 'utf8');
  assert.ok(text.endsWith('\n'));
  const rows = text.trimEnd().split('\n').map((line) =>
    [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
      quoted?.replaceAll('""', '"') ?? plain));
  const [names, ...values] = rows;
  for (const row of values) assert.equal(row.length, names.length, row.join());
  return values.map((row) => Object.fromEntries(row.map((value, i) => [names[i], value])));
}
const sum = (rows, column) => rows.reduce((total, row) => total + Number(row[column]), 0);

// What its page holds for its script.
async function readPage(dir) {
  const page = await readFile(path.join(dir, 'report.html'), 'utf8');
  assert.doesNotMatch(page.replaceAll('http://www.w3.org/2000/svg', ''), /(?:src|href)=|https?:\/\//);
  return JSON.parse(/<script type="application\/json" id="data">(.*)\n?<\/script>/.exec(page)[1]);
}

test('the same seed gives the same hash with 1, 2 and 3 threads, another seed another one', async () => {
  const options = { residents: 2500, days: 1, seed: 5 };
  const hash = hashOf(await ran({ ...options, threads: 1 }));
  assert.equal(hashOf(await ran({ ...options, threads: 2 })), hash);
  assert.equal(hashOf(await ran({ ...options, threads: 3 })), hash);
  assert.notEqual(hashOf(await ran({ ...options, seed: 6 })), hash);
});

test('every setting is part of what happens', async () => {
  const usual = { residents: 60, days: 2 };
  const hash = hashOf(await ran(usual));
  assert.equal(hashOf(await ran({ ...usual, seed: 1, 'memory-slots': 120, mind: 'rule' })), hash);
  for (const other of [{ 'memory-slots': 16 }, { 'relation-slots': 4 }, { 'mail-minutes': 15 }, { 'feed-slots': 64 },
    { extraversion: 40 }]) {
    assert.notEqual(hashOf(await ran({ ...usual, ...other })), hash, JSON.stringify(other));
  }
});

test('a report parses and adds up', async (t) => {
  const dir = path.join(await newFolder(t), 'r');
  const done = await ran({ residents: 80, days: 3, seed: 9, report: dir });
  assert.deepEqual((await readdir(dir)).sort(), ['activity.csv', 'cascades.csv', 'needs.csv', 'phone.csv',
    'relations.csv', 'report.html', 'summary.json']);
  const summary = JSON.parse(await readFile(path.join(dir, 'summary.json'), 'utf8'));
  assert.equal(summary.hash, hashOf(done));
  assert.equal(summary.whole, true);
  assert.equal(summary.minutes, 3 * 1440);
  assert.deepEqual([summary.settings.residents, summary.settings.days, summary.settings.seed], [80, 3, 9]);
  assert.equal(summary.values.posts, summary.totals.posts / 240);

  const phone = await readCsv(dir, 'phone.csv');
  assert.equal(phone.length, 3);
  for (const kind of ['posts', 'likes', 'comments', 'messages']) {
    assert.equal(sum(phone, kind), summary.totals[kind], kind);
  }
  for (const day of phone) assert.ok(Number(day.answered) <= Number(day.openings));
  assert.ok(sum(phone, 'openings') <= summary.totals.messages);

  // What is done fills the day, but for the last deed of each.
  const activity = await readCsv(dir, 'activity.csv');
  assert.equal(activity.length, 24);
  const minutes = Object.keys(activity[0]).slice(1).reduce((all, deed) => all + sum(activity, deed), 0);
  assert.ok(minutes > 0.9 * 80 * 3 * 1440 && minutes <= 80 * 3 * 1440, `${minutes}`);

  const needs = await readCsv(dir, 'needs.csv');
  assert.equal(needs.length, 3 * 24 * 5);
  for (const row of needs) {
    const [low, middle, high] = [row.quartile_1, row.median, row.quartile_3].map(Number);
    assert.ok(low <= middle && middle <= high && high <= 10000 && Number(row.mean) <= 10000);
  }
  const relations = await readCsv(dir, 'relations.csv');
  const degrees = relations.filter((row) => row.what === 'residents');
  assert.equal(sum(degrees, 'count'), 80);
  const [ties] = relations.filter((row) => row.what === 'ties');
  assert.equal(degrees.reduce((all, row) => all + row.degree * row.count, 0), Number(ties.count));
  assert.equal(sum(await readCsv(dir, 'cascades.csv'), 'posts'), summary.totals.posts);

  const page = await readPage(dir);
  assert.deepEqual(page.values, summary.values);
  // Running it anew replaces it.
  assert.equal(hashOf(await ran({ residents: 80, days: 3, seed: 9, report: dir })), summary.hash);
});

test('a large town keeps no effects, and its report says which figures there are none of', async (t) => {
  const dir = await newFolder(t);
  await ran({ residents: 100, days: 1, 'keep-effects': 0, report: dir });
  const { values } = JSON.parse(await readFile(path.join(dir, 'summary.json'), 'utf8'));
  assert.equal(values.unanswered, null);
  assert.ok(values.messages >= 0);
  const [day] = await readCsv(dir, 'phone.csv');
  assert.equal(day.unanswered_share, '');
});

test('a signal ends a run with what was reached and status 1', async (t) => {
  const dir = await newFolder(t);
  const child = spawn(BINARY, ['town', 'run', '--residents', '1', '--days', '36500', '--report', dir]);
  const said = { out: '', err: '' };
  child.stdout.on('data', (bytes) => { said.out += bytes; });
  child.stderr.on('data', (bytes) => { said.err += bytes; });
  const closed = once(child, 'close');
  // It must have begun to listen: asked again until it ends. The second signal ends it at once,
  // so it is only asked when nobody heard the first, which would have ended it too.
  const caught = async () => {
    const line = (await readFile(`/proc/${child.pid}/status`, 'utf8')).match(/^SigCgt:\s*(\w+)$/m);
    return (BigInt(`0x${line[1]}`) & 2n) !== 0n;
  };
  while (!(await caught())) await new Promise(setImmediate);
  child.kill('SIGINT');
  const [status] = await closed;
  assert.equal(status, 1);
  assert.match(said.err, /ended by a signal at day \d+ \d\d:\d\d/);
  const summary = JSON.parse(await readFile(path.join(dir, 'summary.json'), 'utf8'));
  assert.equal(summary.whole, false);
  assert.equal(summary.hash, hashOf(said));
});

test('a wrong option is a sentence that says what is allowed', async (t) => {
  const cwd = await newFolder(t);
  await writeFile(path.join(cwd, 'file'), '');
  const cases = [
    [['town', 'build'], 2, /town has no "build"; there are replay, forget, branch, run and experiment/],
    [['town', 'run', 'fast'], 2, /takes options only, and not "fast"/],
    [['town', 'run', '--residents', '0'], 2, /residents is 0; allowed: a whole number from 1 to 4000000/],
    [['town', 'run', '--residents', 'many'], 2, /--residents is "many"; allowed: a whole number from 1/],
    [['town', 'run', '--days', '-1'], 2, /days is -1; allowed: a whole number from 1 to 36500/],
    [['town', 'run', '--mail-minutes', '7'], 2, /mail_minutes is 7; allowed: a divisor of 60 from 1 to 60/],
    [['town', 'run', '--feed-slots', '100'], 2, /feed_slots is 100; allowed: a power of two from 64 to 1048576/],
    [['town', 'run', '--openness', '101'], 2, /openness is 101; allowed: a whole number from -100 to 100/],
    [['town', 'run', '--seed', '-1'], 2, /--seed is "-1"; allowed: a whole number from 0/],
    [['town', 'run', '--threads', '0'], 2, /--threads is "0"; allowed: a whole number from 1 to 256/],
    [['town', 'run', '--mind', 'dog'], 2, /--mind is "dog"; allowed: rule, model/],
    [['town', 'run', '--mind', 'model', '--llm-probe', 'off'], 1, /no model is set up, so nobody could decide/],
    [['town', 'run', '--report', 'file'], 1, /file is no folder/],
    [['town', 'run', '--report', 'no/where'], 1, /cannot make the folder no\/where/],
    [['town', 'run', '--from', 'none'], 1, /cannot open none: No such file/],
    [['town', 'run', '--from', 'file'], 1, /file is no town; `hutong town run --save FILE` writes one/],
    [['town', 'run', '--from', '.'], 1, /\. is no file/],
    // Before anything is lived: these days would take hours.
    [['town', 'run', '--days', '36500', '--residents', '1000', '--save', 'no/where'], 1, /cannot write no\/where: No such file/],
    [['town', 'run', '--days', '36500', '--residents', '1000', '--save', '.'], 1, /cannot write \.: Is a directory/],
    [['town', 'run', '--step', '3'], 2, /--step belongs to `town`/],
    [['town', 'run', '--until', '5'], 2, /--until belongs to `town replay`/],
    [['town', 'run', '--seed', '1', '--seed', '2'], 2, /--seed is given twice/],
    [['town', 'replay', '--report', 'r'], 2, /--report belongs to `town run`/],
    [['town', '--residents', '5'], 2, /--residents belongs to `town run`/],
    [['town', 'stroll', '--seed', '5'], 2, /town has no "stroll"/],
    [['town', 'run', '--at', '900'], 2, /--at belongs to `town branch`/],
    [['town', 'branch'], 2, /town branch needs --report DIR/],
    [['town', 'branch', '--at', 'noon', '--report', 'r'], 2, /--at is "noon"; allowed: game minutes/],
    [['town', 'branch', '--report', 'r', '--save', 'f'], 2, /--save belongs to `town run`/],
    [['town', 'experiment'], 2, /town experiment needs one FILE/],
    [['town', 'experiment', 'file'], 2, /needs --report DIR/],
    [['town', 'experiment', 'none', '--report', 'r'], 1, /cannot open none: No such file/],
    [['town', 'experiment', 'file', '--report', 'r', '--days', '2'], 2, /takes --days out of its FILE/],
  ];
  for (const [args, wanted, sentence] of cases) {
    const { status, out, err } = await hutong(args, { cwd });
    assert.equal(status, wanted, `${args.join(' ')}: ${err}`);
    assert.equal(out, '');
    assert.match(err, sentence);
  }
  assert.deepEqual(await readdir(cwd), ['file']);
});

// ---- from where it stands ----

test('a town that was saved goes on as if nothing had been', async (t) => {
  const cwd = await newFolder(t);
  const file = path.join(cwd, 't.town');
  const options = { residents: 60, seed: 4, extraversion: 20 };
  const whole = hashOf(await ran({ ...options, days: 5 }));
  const half = hashOf(await ran({ ...options, days: 2, save: file }));
  assert.notEqual(half, whole);
  assert.deepEqual(await readdir(cwd), ['t.town'], 'nothing beside it');
  const report = path.join(cwd, 'r');
  const on = await ran({ from: file, days: 3, report, save: file }); // over itself, once it is read
  assert.equal(hashOf(on), whole);
  assert.match(on.out, /^60 residents, until day 6 08:00$/m);
  const summary = JSON.parse(await readFile(path.join(report, 'summary.json'), 'utf8'));
  assert.deepEqual([summary.from, summary.minutes], [480 + 2 * 1440, 3 * 1440]);
  assert.deepEqual([summary.settings.residents, summary.settings.seed, summary.settings.extraversion], [60, 4, 20]);
  // Figures are of these days alone: what was done fills them and no more.
  const activity = await readCsv(report, 'activity.csv');
  const minutes = Object.keys(activity[0]).slice(1).reduce((all, deed) => all + sum(activity, deed), 0);
  assert.ok(minutes > 0.85 * 60 * 3 * 1440 && minutes < 1.15 * 60 * 3 * 1440, `${minutes}`);
  assert.equal((await readCsv(report, 'needs.csv'))[0].day, '3');
  assert.equal(hashOf(await ran({ residents: 60, seed: 4, extraversion: 20, days: 6 })), hashOf(await ran({ from: file, days: 1 })));
});

test('a town that goes on can have other settings, and what does not fit is said', async (t) => {
  const cwd = await newFolder(t);
  const file = path.join(cwd, 't.town');
  await ran({ residents: 50, days: 2, save: file });
  const hashes = new Set();
  for (const more of [{}, { seed: 9 }, { 'memory-slots': 8 }, { 'memory-slots': 240 }, { 'relation-slots': 4 },
    { 'feed-slots': 64 }, { extraversion: 60 }]) {
    hashes.add(hashOf(await ran({ from: file, days: 2, ...more })));
  }
  assert.equal(hashes.size, 7);
  const wrong = async (options, status, sentence) => {
    const done = await run(options);
    assert.deepEqual([done.status, done.out], [status, '']);
    assert.match(done.err, sentence);
  };
  await wrong({ from: file, residents: 60 }, 2, /residents cannot be chosen here: the town has 50 and keeps them/);
  const bytes = await readFile(file);
  const damaged = async (change, sentence) => {
    const other = path.join(cwd, 'other');
    await writeFile(other, change(Buffer.from(bytes)));
    await wrong({ from: other }, 1, sentence);
  };
  await damaged((copy) => { copy[9000] ^= 1; return copy; }, /other is damaged: its checksum is another one/);
  await damaged((copy) => { copy[8] = 99; return copy; }, /other was written by another version of the program/);
  await damaged((copy) => copy.subarray(0, -1), /other is cut short or has grown/);
  await damaged((copy) => copy.subarray(0, 20), /other is no town/);
});

// ---- experiments ----

const SMALL = {
  name: 'Small </script><b> "test"',
  seeds: 3,
  settings: { residents: 20, days: 2 },
  arms: [{ name: 'usual' }, { name: 'loud, "very"', extraversion: 60 }],
};

async function experiment(t, content, ...more) {
  const dir = await newFolder(t);
  const file = path.join(dir, 'e.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return { dir, ...(await hutong(['town', 'experiment', file, '--report', path.join(dir, 'r'), ...more])) };
}

test('an experiment compares arms over seeds', async (t) => {
  const done = await experiment(t, SMALL, '--threads', '2');
  assert.equal(done.status, 0, done.err);
  assert.match(done.out, /^6 runs, compared in /);
  const dir = path.join(done.dir, 'r');

  const runs = await readCsv(dir, 'runs.csv');
  assert.deepEqual(runs.map((row) => `${row.arm} ${row.seed}`),
    ['usual 1', 'usual 2', 'usual 3', 'loud, "very" 1', 'loud, "very" 2', 'loud, "very" 3']);
  // A run of an experiment is the run of that seed and those settings.
  assert.equal(runs[4].hash, hashOf(await ran({ residents: 20, days: 2, seed: 2, extraversion: 60 })));

  const comparison = await readCsv(dir, 'comparison.csv');
  const talks = comparison.filter((row) => row.measure === 'talks');
  const values = runs.slice(0, 3).map((row) => Number(row.talks));
  const mean = values.reduce((a, b) => a + b) / 3;
  const sd = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 2);
  const near = (text, value) => assert.ok(Math.abs(Number(text) - value) < 1e-4 * Math.abs(value) + 1e-6, `${text} ${value}`);
  near(talks[0].mean, mean);
  near(talks[0].sd, sd);
  near(talks[0].high_95, mean + (4.303 * sd) / Math.sqrt(3));
  near(talks[1].difference, talks[1].mean - talks[0].mean);
  assert.equal(talks[0].difference, '');
  assert.ok(Number(talks[1].difference) > 0, 'who is outgoing talks more');

  const json = JSON.parse(await readFile(path.join(dir, 'comparison.json'), 'utf8'));
  assert.deepEqual(await readPage(dir), json);
  assert.equal(json.name, SMALL.name);
  assert.equal(json.arms[1].settings.extraversion, 60);
  near(talks[1].difference_low_95, json.arms[1].differences.talks.low);

  const again = await experiment(t, SMALL, '--threads', '1');
  assert.equal(hashOf(again), hashOf(done));
});

test('the example of the manual is one', async (t) => {
  const example = JSON.parse(await readFile(EXAMPLE, 'utf8'));
  const short = { ...example, seeds: 1, settings: { residents: 10, days: 1 } };
  const { status, err } = await experiment(t, short);
  assert.equal(status, 0, err);
});

test('a wrong file is a sentence with its line or field', async (t) => {
  const but = (changes) => ({ ...SMALL, ...changes });
  const cases = [
    ['{\n "name": "x",\n oops\n}', /e\.json: line 3 is not JSON/],
    ['[]', /must hold an object/],
    ['', /line 1 is not JSON/],
    [but({ title: 'x' }), /there is no field "title"; allowed: name seeds settings arms/],
    [but({ name: '' }), /name must be a text of 1 to 80 bytes/],
    [but({ seeds: [] }), /seeds must be a list of 1 to 1000 whole numbers, or how many/],
    [but({ seeds: 0 }), /seeds must be a list/],
    [but({ seeds: [1, 2, 1] }), /seeds\[2\] stands there already/],
    [but({ seeds: [1, -2] }), /seeds\[1\] must be a whole number/],
    [but({ settings: 7 }), /settings must be an object/],
    [but({ settings: { speed: 7 } }), /settings has no setting "speed"; allowed: residents days memory_slots/],
    [but({ settings: { days: 1.5 } }), /settings: days must be a whole number from 1 to 36500/],
    [but({ arms: [] }), /arms must be a list of 1 to 32 objects/],
    [but({ arms: [7] }), /arms\[0\] must be an object with a name and settings/],
    [but({ arms: [{}] }), /arms\[0\]\.name must be a text/],
    [but({ arms: [{ name: 'a' }, { name: 'a' }] }), /arms\[1\] has the name of arms\[0\]/],
    [but({ arms: [{ name: 'a', feed_slots: 100 }] }), /arms\[0\]: feed_slots is 100; allowed: a power of two/],
  ];
  for (const [content, sentence] of cases) {
    const { status, out, err, dir } = await experiment(t, content);
    assert.equal(status, 2, err);
    assert.equal(out, '');
    assert.match(err, sentence);
    assert.deepEqual(await readdir(dir), ['e.json']);
  }
});
