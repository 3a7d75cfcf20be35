// SPDX-License-Identifier: AGPL-3.0-or-later
// bench/run as a whole, against a stand-in for the server, and the arithmetic of its table.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { figure, median, page, summarize, table, unmeasured } from '../runner/report.mjs';
import { rows } from '../runner/rows.mjs';

const main = fileURLToPath(new URL('../runner/main.mjs', import.meta.url));
const standin = fileURLToPath(new URL('standin.mjs', import.meta.url));
const tools =
  process.env.BENCH_TOOLS ?? fileURLToPath(new URL('../../build/release/bench', import.meta.url));
let folder;

before(async () => (folder = await mkdtemp(path.join(tmpdir(), 'bench-run-'))));
after(() => rm(folder, { recursive: true }));

const usual = () => ['--server', standin, '--tools', tools, '--scratch', path.join(folder, 'scratch')];

function bench(args, fault) {
  const env = { ...process.env, STANDIN_FAULT: fault ?? '' };
  return new Promise((done) => {
    execFile(process.execPath, [main, ...usual(), ...args], { env }, (error, stdout, stderr) =>
      done({ status: error ? error.code : 0, stdout, stderr }),
    );
  });
}

// Processes with our scratch folder in their command line.
async function leftovers() {
  const found = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(`${folder}/scratch/`)) found.push(line.replaceAll('\0', ' '));
  }
  return found;
}

test('every row measures a server that does what it should', async () => {
  const { status, stdout, stderr } = await bench(['--quick', '--seconds', '0.2']);
  assert.equal(status, 0, stderr);
  const lines = stdout.split('\n').filter((line) => line.startsWith('| '));
  assert.equal(lines.length, 2 + rows.flatMap((row) => row.lines).length);
  for (const line of lines.slice(2)) {
    assert.match(line, /\| not judged \|$/);
    assert.doesNotMatch(line, /NaN|undefined|null/);
  }
  assert.deepEqual(await readdir(path.join(folder, 'scratch')), []);
});

const faults = [
  ['health', 'health', /not measured: load \(1\), body \d+/],
  ['crash', 'health', /not measured: hutong ended with 7/],
  ['forget', 'posts', /answered, \d+ sent, but 0 stored/],
  ['mumble', 'gateway', /not measured: load \(1\), body \d+/],
  ['mumble', 'first', /not measured: first \(2\), .*an answer without the expected text/],
  ['linger', 'cancel', /not measured: stream \(1\), lost 1/],
];
for (const [fault, row, said] of faults) {
  test(`a server with the fault "${fault}" gets no figure`, async () => {
    const { status, stdout } = await bench(['--quick', '--seconds', '0.2', row], fault);
    assert.equal(status, 1);
    assert.match(stdout, said);
    assert.deepEqual(await readdir(path.join(folder, 'scratch')), []);
  });
}

test('a row alone is judged, and saved when asked', async () => {
  const out = path.join(folder, 'results');
  const args = ['--seconds', '0.2', '--runs', '2', '--save', '--out', out, 'health'];
  const { status, stdout, stderr } = await bench(args);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /\| missed \|/); // a server in Node is no nginx
  const [file] = await readdir(out);
  assert.match(file, /^\d{4}-\d\d-\d\d-.*-health\.md$/);
  const text = await readFile(path.join(out, file), 'utf8');
  assert.ok(text.includes(stdout.trim()));
  assert.match(text, /- server: stand-in 1/);
  assert.equal((await bench([...args, '--strict'])).status, 3);
});

test('an interrupted run leaves nothing behind', async () => {
  const child = spawn(process.execPath, [main, ...usual(), '--seconds', '60', 'health'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await once(child.stderr, 'data'); // "health: run 1 of 5": servers and load are running
  child.kill('SIGINT');
  const [status] = await once(child, 'exit');
  assert.equal(status, 130);
  assert.deepEqual(await readdir(path.join(folder, 'scratch')), []);
  // What was told to end may take a moment to be gone.
  for (let tries = 0; tries < 100 && (await leftovers()).length; tries++) {
    await new Promise((done) => setTimeout(done, 20));
  }
  assert.deepEqual(await leftovers(), []);
});

test('what cannot be understood is refused before anything starts', async () => {
  for (const args of [
    ['--nonsense'],
    ['nosuchrow'],
    ['--runs', 'many'],
    ['--server', '/nonexistent'],
    ['--tools', '/nonexistent'],
  ]) {
    const { status, stderr } = await bench(args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, /^bench\/run: /);
  }
});

test('medians and figures are what they should be', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(figure(6.12345), '6.12');
  assert.equal(figure(16000.4), '16,000');
  assert.equal(figure(0.0309), '0.0309');
});

const line = { key: 'x', work: 'w', aim: 'a', unit: 'µs', against: 'ref' };

test('a ratio is taken within each run', () => {
  const runs = [
    { measured: 10, reference: 10 },
    { measured: 30, reference: 20 },
    { measured: 12, reference: 10 },
  ];
  const seen = [];
  const result = summarize({ ...line, judge: (medians) => (seen.push(medians), 'met') }, runs);
  assert.deepEqual(seen, [{ measured: 12, ratio: 1.2 }]);
  assert.equal(result.measured, '12 (10–30) µs');
  assert.equal(result.ratio, '1.2 (1–1.5)');
});

test('a run without a figure is never averaged away', () => {
  const judge = () => 'met';
  assert.throws(() => summarize({ ...line, judge }, [{ measured: 1 }, { measured: null }]));
  assert.throws(() => summarize({ ...line, judge }, [{ measured: NaN }]));
});

test('each aim of the table judges at its border', () => {
  const judge = (row, key, medians) =>
    rows.find((r) => r.name === row).lines.find((l) => l.key === key).judge(medians);
  const cases = [
    ['health', 'nginx', { ratio: 1 }, 'met'],
    ['health', 'nginx', { ratio: 1.01 }, 'missed'],
    ['feed', 'feed', { measured: 45 }, 'met'],
    ['feed', 'feed', { measured: 46 }, 'missed'],
    ['feed', 'feed', { measured: 20 }, 'met, and the goal of 20'],
    ['conversations', 'conversations', { measured: 81 }, 'missed'],
    ['posts', 'posts', { measured: 5999 }, 'missed'],
    ['posts', 'posts', { measured: 6000 }, 'met'],
    ['posts', 'posts', { measured: 10000 }, 'met, and the goal of 10000'],
    ['fanout', 'cpu', { ratio: 1.15 }, 'met'],
    ['fanout', 'cpu', { ratio: 1.16 }, 'missed'],
    ['fanout16', 'cpu', { ratio: 1.5 }, 'met'],
    ['fanout16', 'time', { measured: 51 }, 'missed'],
    ['idle', 'memory', { measured: 6001 }, 'missed'],
    ['login', 'others', { ratio: 1.51 }, 'missed'],
    ['stream', 'cpu', { measured: 14 }, 'met'],
    ['stream', 'memory', { measured: 24001 }, 'missed'],
    ['cancel', 'p99', { measured: 5 }, 'met'],
    ['cancel', 'p99', { measured: 5.01 }, 'missed'],
    ['first', 'p50', { measured: 0.1 }, 'met'],
    ['first', 'p99', { measured: 0.51 }, 'missed'],
    ['gateway', 'rate', { measured: 15000 }, 'met'],
    ['gateway', 'rate', { measured: 14999 }, 'missed'],
  ];
  for (const [row, key, medians, verdict] of cases) {
    assert.equal(judge(row, key, medians), verdict, `${row} ${key} ${JSON.stringify(medians)}`);
  }
});

test('a reason with a bar or a line break stays in its cell', () => {
  const text = table([unmeasured(line, 'a | b\nc')]);
  assert.equal(text.split('\n').length, 3);
  assert.match(text, /not measured: a \\\| b c \|$/);
  const whole = page([{ ...unmeasured(line, 'x'), row: 'r' }], { date: 'd', host: 'h', runs: 1 });
  assert.match(whole, /- r, w: none/);
});
