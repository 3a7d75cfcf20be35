// SPDX-License-Identifier: AGPL-3.0-or-later
//
// `hutong town`: the town of a community from the terminal: one process has it, what is typed is
// obeyed, what happens is told, and its whole life can be lived again to the last bit.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';

import { BINARY, hutong, newFolder } from '../support/command.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const env = { HUTONG_TOWN_SEED: '7', HUTONG_TOWN_SPEED: '6000' };

// A community with residents and places, and nobody who runs it.
async function community(t) {
  const data = await newFolder(t);
  const server = await startServer({ dataDir: data, args: ['--demo'], env: { HUTONG_TOWN: 'off' } });
  await server.stop();
  const run = (words, input) => hutong(['town', ...words, '--data', data], { input, env });
  const must = async (lines, words = []) => {
    const { status, out, err } = await run(words, lines.map((line) => `${line}\n`).join(''));
    assert.equal(err, '');
    assert.equal(status, 0);
    return out;
  };
  return { data, run, must };
}

// One that goes on while we look at it.
function converse(t, file, args) {
  const child = spawn(file, args, { env: { PATH: process.env.PATH, HOME: '/nonexistent', TERM: 'xterm', SHELL: '/bin/sh', ...env } });
  const said = { out: '', err: '' };
  let look = () => {};
  child.stdout.on('data', (bytes) => { said.out += bytes; look(); });
  child.stderr.on('data', (bytes) => { said.err += bytes; });
  const ended = new Promise((done) => { child.once('close', (code, signal) => done(code ?? signal)); });
  t.after(() => child.kill('SIGKILL'));
  const hear = (what) => new Promise((done, failed) => {
    const right = typeof what === 'function' ? what : (out) => what.test(out);
    const timer = setTimeout(() => failed(new Error(`waited for ${what}, heard ${said.out}${said.err}`)), 20_000);
    look = () => {
      if (!right(said.out)) return;
      clearTimeout(timer);
      done();
    };
    look();
  });
  return { child, said, ended, hear, say: (text) => child.stdin.write(text) };
}

test('what_is_typed_is_obeyed', async (t) => {
  const { must } = await community(t);
  const out = await must(['', '  STATUS  ', 'pause', 'resume', 'stop', 'step', 'step', 'who', 'where',
    'speed 0', 'speed 120', 'dance', 'memory', 'memory nobody', 'log x', 'tell 小明 hello', 'save', 'log 2', 'q', 'never'], []);
  assert.match(out, /^3 residents, Day 1, 08:00\. The town stands; `start`, `step`, `help`\.\n/);
  assert.match(out, /\nstopped, 6000 game minutes in a real one\nDay 1, 08:00, spring, \w+, 1\d\.\d °C outdoors\npending: 0\n小明: idle, fatigue \d+ %\n小红: /);
  assert.match(out, /the town is stopped, not running\nthe town is stopped, not paused\nthe town stands already\n/);
  assert.match(out, /\nDay 1, 08:\d\d -> Day 1, 08:\d\d, \d+ minutes? skipped\n\[Day 1, 08:\d\d\] (-- \d+ minutes on|>> \S+: \S+ \(\w+, \d+ min\))\n/);
  assert.match(out, /\n小明 \(ai_xiaoming\): \S+ \(\w+\) until \d\d:\d\d\n/);
  assert.match(out, /\n(小明的家|on the way): /);
  assert.match(out, /\nspeed takes game minutes in a real one, 1 to 600000\n120 game minutes in a real one\n/);
  assert.match(out, /\nthere is no command "dance"; `help` lists them\nof whom\? .*\nnobody in the town is called "nobody"; .*\nlog takes how many/);
  assert.match(out, /\nwho tells it\? Start `hutong town --as USERNAME`\nsaved: Day 1, 08:\d\d\n/);
  assert.doesNotMatch(out, /never/);
  // Where the input ends, it leaves, and the next one finds the town where it was.
  const [, saved] = /saved: (Day 1, 08:\d\d)/.exec(out);
  assert.match(await must([]), new RegExp(`^3 residents, ${saved}\\.`));
  assert.match(await must(['help', 'exit']), /\n {2}tell NAME TEXT +write to a resident/);
});

test('two_of_one_name_are_told_apart_and_a_talk_is_listed_once_for_each', async (t) => {
  const { data, must } = await community(t);
  const twin = JSON.stringify([{ username: 'other_ming', nickname: '小明' }]);
  assert.equal((await hutong(['resident', 'import', '-', '--data', data], { input: twin })).status, 0);
  const out = await must(['memory 小明', 'memory other_ming', ...Array(60).fill('step'), 'log 400']);
  assert.match(out, /several are called "小明"; by their usernames: ai_xiaoming other_ming\n\[Day 1, 08:00\] .+ \(common, 10 of 10\)\n/);
  assert.match(out, /\((talk_to|greet), \d+ min\)\n/);
  assert.doesNotMatch(out, /\(conversation, /);
});

test('a_town_that_runs_tells_what_happens_and_a_server_goes_on_with_it', async (t) => {
  const { data, must } = await community(t);
  const console = converse(t, BINARY, ['town', '--data', data, '--as', 'demo_lan']);
  console.say('start\nstart\nstep\ntell 小明 今天忙吗？\n');
  await console.hear(/the town runs\nthe town is already running\nthe town is running; stop or pause it first\ntold 小明, who notices/);
  await console.hear(/\[Day \d+, \d\d:\d\d\] >> .*\n(.*\n)*\[Day \d+, \d\d:\d\d\] << /);
  await console.hear(/\[Day \d+, \d\d:\d\d\] -- \d+ minutes on\n/);
  await console.hear(/小明 writes to 阿兰: ./);
  await console.hear(/posts: ./);
  console.say('pause\nmemory 小明\n');
  await console.hear(/\npaused\n/);
  console.say('resume\nstop\nlog 3\n');
  await console.hear(/the town runs again\nthe town stands\n(\[Day \d+, \d\d:\d\d\] .*\n){3}/);
  console.child.kill('SIGTERM');
  assert.equal(await console.ended, 0);
  assert.equal(console.said.err, '');
  const [, day] = /residents, Day (\d+),/.exec(await must([]));

  const server = await startServer({ dataDir: data, env: { ...env, HUTONG_TOWN: 'on' } });
  t.after(() => server.stop());
  const { body } = await server.api('POST', '/auth/login', { json: { username: 'demo_lan', password: 'hutong-demo' } });
  const town = await until(async () => server.api('GET', '/town', { token: body.access_token }), ({ status }) => status === 200, { what: 'the town' });
  assert.ok(town.body.running);
  assert.ok(town.body.day >= Number(day));

  // One process has it: who comes second is told which, and how to go on.
  const { status, out, err } = await hutong(['town', '--data', data], { env });
  assert.equal(status, 1);
  assert.equal(out, '');
  assert.match(err, new RegExp(`^hutong: the town is run by process ${server.pid ?? '\\d+'} on \\S+; stop that one \\(kill \\d+\\), or steer the town there with POST /town/control\n$`));
  // The replay looks only, so it may.
  assert.match((await hutong(['town', 'replay', '--data', data], { env })).out, /\nrun hash: [0-9a-f]{16}\n$/);
});

test('who_knows_about_a_wiki_answers_out_of_it_here_too', async (t) => {
  const { data } = await community(t);
  const roots = await newFolder(t);
  await mkdir(path.join(roots, 'teahouse'));
  await writeFile(path.join(roots, 'teahouse/pot.c'), '/* Pours a cup. */\nint pot_pour(int left, int cup)\n{\n    return left - cup;\n}\n');
  for (const words of [['wiki', 'add', path.join(roots, 'teahouse')], ['resident', 'set', 'ai_xiaoming', '--wiki', 'teahouse']]) {
    const { status, err } = await hutong([...words, '--data', data], { env: { HUTONG_WIKI_ROOTS: roots } });
    assert.equal(status, 0, err);
  }
  const console = converse(t, BINARY, ['town', '--data', data, '--as', 'demo_lan']);
  console.say('start\ntell 小明 Where does it pour a cup?\n');
  await console.hear(/小明 writes to 阿兰: I can't say for sure, but I'd look in pot\.c:1–5 \(teahouse\)\.\n/);
  console.say('q\n');
  assert.equal(await console.ended, 0);
  assert.equal(console.said.err, '');
});

test('steps_wait_for_enter', async (t) => {
  const { must, run } = await community(t);
  const out = await must(['', '', ''], ['--step', '3']);
  assert.equal(out.match(/^step \d of 3: Enter, or q to end$/gm).length, 3);
  assert.equal(out.match(/^Day 1, \d\d:\d\d -> Day 1, \d\d:\d\d/gm).length, 3);
  const [, end] = /\nthe end: (Day 1, \d\d:\d\d)\n$/.exec(out);
  assert.equal(await must([' Q '], ['--step', '9']), `step 1 of 9: Enter, or q to end\nthe end: ${end}\n`);
  for (const step of ['0', 'x', '-1']) {
    const { status, err } = await run(['--step', step]);
    assert.equal(status, 2);
    assert.match(err, /--step is "\S+"; allowed: a whole number from 1/);
  }
});

test('the_whole_life_again_is_the_same_life', async (t) => {
  const { run, must } = await community(t);
  const day = Array(250).fill('step');
  await must([...day.slice(0, 100), 'tell 小红 早', ...day, 'save', ...day.slice(0, 20)], ['--as', 'demo_tom']);
  const whole = await run(['replay']);
  assert.equal(whole.status, 0, whole.out + whole.err);
  assert.match(whole.out, /^from Day 1, 08:00 to Day \d, \d\d:\d\d: [1-9]\d* inputs told again, \d+ effects\nthe same as from the checkpoint of Day \d, \d\d:\d\d\nrun hash: [0-9a-f]{16}\n$/);
  assert.equal((await run(['replay'])).out, whole.out);
  const early = await run(['replay', '--until', '900']);
  assert.equal(early.status, 0);
  assert.match(early.out, /to Day 1, 15:00: /);
  for (const [minute, status] of [['99999', 1], ['0', 1], ['x', 2]]) {
    assert.equal((await run(['replay', '--until', minute])).status, status, minute);
  }
});

test('a_life_that_differs_is_found_out', async (t) => {
  const { data, run, must } = await community(t);
  await must(Array(60).fill('step'));
  const server = await startServer({ dataDir: data, env: { HUTONG_TOWN: 'off' } });
  await server.sql('UPDATE towns SET effects = effects + 1');
  await server.stop();
  const { status, out } = await run(['replay']);
  assert.equal(status, 1);
  assert.match(out, /^DIFFERS from the \d+ effects that were performed$/m);
});

test('who_comes_later_moves_in_and_is_there_when_the_town_is_founded_anew', async (t) => {
  const { data, run, must } = await community(t);
  await must(['step', 'step']);
  const add = (name) => hutong(['resident', 'add', name, '--data', data]);
  assert.match((await add('newcomer')).out, /^added resident newcomer, id \d+\nIt moves into the town within seconds, or when it is next run\n$/);
  const list = async () => (await hutong(['resident', 'list', '--data', data])).out;
  assert.match(await list(), /newcomer {2}\(not in the town\)\n$/);
  assert.match(await must(['memory newcomer', 'step', 'who']), /^4 residents.*newcomer: /s);
  assert.doesNotMatch(await list(), /not in the town/);
  assert.equal((await run(['replay'])).status, 0);

  // While somebody is at the console, too.
  const looking = converse(t, BINARY, ['town', '--data', data]);
  await looking.hear(/4 residents/);
  assert.equal((await add('latecomer')).status, 0);
  await looking.hear(/\] latecomer moves in\n/);
  looking.say('memory latecomer\nq\n');
  assert.equal(await looking.ended, 0);
  assert.doesNotMatch(looking.said.out, /nobody in the town is called/);
  const asked = await run(['forget']);
  assert.deepEqual([asked.status, /add --yes/.test(asked.err)], [2, true]);
  const console = converse(t, BINARY, ['town', '--data', data]);
  await console.hear(/5 residents/);
  const held = await run(['forget', '--yes']);
  assert.deepEqual([held.status, /the town is run by process \d+ on /.test(held.err)], [1, true]);
  console.say('q\n');
  assert.equal(await console.ended, 0);
  const { status, out } = await run(['forget', '--yes']);
  assert.equal(status, 0);
  assert.match(out, /^the town of Day 1, 08:\d\d is forgotten; /);
  assert.match(await must(['step']), /^5 residents, Day 1, 08:00\./);
  assert.doesNotMatch(await list(), /not in the town/);
  assert.equal((await run(['replay'])).status, 0);
});

// Nobody can look for a process of another machine: only its lease tells.
test('forget_says_whose_lease_it_waits_for_and_how_long', async (t) => {
  const { data, must } = await community(t);
  await must(['step']);
  const file = path.join(data, 'hutong.db');
  const sql = (text) => execFileSync('sqlite3', ['-cmd', '.timeout 5000', file, text]);
  const hold = (seconds) => sql(`UPDATE towns SET holder = 'elsewhere:17:0', lease_us = ${(Date.now() + seconds * 1000) * 1000}`);
  const forget = () => converse(t, BINARY, ['town', 'forget', '--yes', '--data', data]);
  const waits = /held by process 17 on elsewhere; waiting until that lets go, or for (\d+) seconds/;
  const told = async ({ child, said }) => {
    while (!waits.test(said.err)) await once(child.stderr, 'data', { signal: AbortSignal.timeout(20_000) });
    return said.err;
  };

  hold(600);
  const refused = forget();
  const [, seconds] = waits.exec(await told(refused));
  assert.ok(seconds > 500 && seconds <= 600, seconds);
  hold(601); // it lives, and renews its lease
  assert.equal(await refused.ended, 1);
  assert.match(refused.said.err, /the town is run by process 17 on elsewhere; stop that one/);
  assert.equal(refused.said.err.match(/waiting/g).length, 1);

  hold(600);
  const patient = forget();
  await told(patient);
  sql("UPDATE towns SET holder = ''"); // it lets go
  assert.equal(await patient.ended, 0);
  assert.match(patient.said.out, /is forgotten/);

  await must(['step']);
  hold(1);
  const late = forget(); // and one that died there
  assert.equal(await late.ended, 0);
});

test('forget_waits_for_no_process_that_is_dead', async (t) => {
  const data = await newFolder(t);
  const server = await startServer({ dataDir: data, args: ['--demo'], env: { ...env, HUTONG_TOWN: 'on' } });
  await until(async () => (await server.sql('SELECT holder FROM towns'))[0]?.holder, (holder) => holder);
  await server.kill();
  const { status, out, err } = await hutong(['town', 'forget', '--yes', '--data', data], { env });
  assert.deepEqual([status, err], [0, '']);
  assert.match(out, /is forgotten/);
});

test('a_branch_lives_on_with_another_setting_and_leaves_the_town_alone', async (t) => {
  const { data, run, must } = await community(t);
  const file = path.join(data, 'now.town');
  const dir = path.join(data, 'live');
  const out = await must([...Array(120).fill('step'), `save ${file}`, 'save no/where', `branch ${dir} days=2 seed=5`,
    `branch ${dir} days=2`, 'branch', 'branch days=2', `branch ${dir} size=2`, `branch ${dir} seed=x`, `branch ${dir} days=0`, 'status'], []);
  // Between the answers stands what the residents say meanwhile.
  for (const line of [`saved: Day \\d+, \\d\\d:\\d\\d, in ${file}`, 'cannot write no/where: No such file or directory',
    '3 residents, from day \\d+ \\d\\d:\\d\\d to day \\d+ \\d\\d:\\d\\d', ' +as it was +changed', ' +decisions +\\d.*', '\\(rules decided in both, whatever decides in the town itself; .*',
    'a branch needs a setting that is another one: seed, .*', 'branch takes a folder for its report, .*',
    'no setting is called "size"; .*', 'seed is "x"; .*', 'days is 0; allowed: .*']) {
    assert.match(out, new RegExp(`^${line}$`, 'm'));
  }
  const before = (await run(['replay'])).out;
  assert.deepEqual((await readdir(dir)).sort(), ['as-it-was', 'changed', 'comparison.csv']);

  // From any minute of its life, the newest when none is given; the same every time.
  const branch = async (name, ...more) => {
    const report = path.join(data, name);
    const done = await run(['branch', '--report', report, '--days', '2', ...more]);
    assert.deepEqual([done.status, done.err], [0, '']);
    const summary = async (one) => JSON.parse(await readFile(path.join(report, one, 'summary.json'), 'utf8'));
    return { out: done.out, was: await summary('as-it-was'), changed: await summary('changed'), csv: await readFile(path.join(report, 'comparison.csv'), 'utf8') };
  };
  const now = await branch('now', '--seed', '5');
  const [live, again] = await Promise.all([dir, path.join(data, 'now')].map((at) => readFile(path.join(at, 'comparison.csv'), 'utf8')));
  assert.equal(live.replace(/^bytes.*$/m, ''), again.replace(/^bytes.*$/m, ''));
  assert.notEqual(now.was.hash, now.changed.hash);
  assert.deepEqual([now.was.settings.seed, now.changed.settings.seed, now.was.minutes], [7, 5, 2880]);
  assert.match(now.csv, /^measure,unit,as_it_was,changed,difference\ndecisions,/);
  const early = await branch('early', '--at', '481', '--extraversion', '90');
  assert.equal(early.was.from, 481);
  // What nothing was changed in goes on as the town saved at that minute does.
  const on = await hutong(['town', 'run', '--from', file, '--days', '2']);
  assert.ok(on.out.endsWith(`run hash: ${now.was.hash}\n`), on.out + on.err);
  assert.equal((await run(['replay'])).out, before);
  for (const [more, status, sentence] of [
    [[], 2, /a branch needs a setting that is another one/],
    [['--at', '999999', '--seed', '1'], 2, /--at is 999999; the town has lived from minute 480 to \d+/],
    [['--residents', '9', '--seed', '1'], 2, /residents cannot be chosen here: the town has 3/]]) {
    const done = await run(['branch', '--report', path.join(data, 'x'), ...more]);
    assert.equal(done.status, status);
    assert.match(done.err, sentence);
  }
});

test('without_a_community_or_residents_it_says_what_to_do', async (t) => {
  const folder = await newFolder(t);
  const data = path.join(folder, 'd');
  const none = await hutong(['town', '--data', data]);
  assert.equal(none.status, 1);
  assert.match(none.err, /there is no community in /);
  assert.deepEqual(await readdir(folder), []);
  await hutong(['user', 'add', 'mei', '--data', data], { input: 'correct horse\n' });
  const empty = await hutong(['town', '--data', data]);
  assert.equal(empty.status, 1);
  assert.match(empty.err, /^hutong: there are no residents, or no places for them; .*`hutong resident add NAME`/);
  const replay = await hutong(['town', 'replay', '--data', data]);
  assert.deepEqual([replay.status, /there is no town/.test(replay.err)], [1, true]);
  const stranger = await hutong(['town', '--as', 'nobody_here', '--data', data]);
  assert.deepEqual([stranger.status, /no member is called "nobody_here"/.test(stranger.err)], [1, true]);
  assert.equal((await hutong(['town', 'dance', '--data', data])).status, 2);
});

test('at_a_terminal_tab_completes_and_ctrl_c_leaves', async (t) => {
  const { data } = await community(t);
  const words = ['exec', BINARY, 'town', '--data', data, '--as', 'demo_lan'];
  const console = converse(t, 'script', ['-qefc', words.join(' '), '/dev/null']);
  await console.hear(/town> /);
  console.say('sta\t');
  await console.hear(/start {2}status/);
  console.say('tus\r');
  await console.hear(/stopped, 6000 game minutes in a real one/);
  console.say('tell ai_xiaom\t早上好\r');
  await console.hear(/told 小明, who notices/);
  console.say('start\r');
  await console.hear(/>> 小/);
  console.say('wher'); // what happens meanwhile stands above the line, and leaves it whole
  await console.hear((out) => out.split('<< 小').length > 3);
  console.say('e\r');
  await console.hear(/(的家|on the way|图书馆|公园|咖啡馆|中心广场): 小/);
  console.say('\u0003');
  assert.equal(await console.ended, 0, console.said.out);
  assert.doesNotMatch(console.said.out, /Sanitizer|runtime error/);
});
