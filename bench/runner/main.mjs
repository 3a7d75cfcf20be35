// SPDX-License-Identifier: AGPL-3.0-or-later
// bench/run: measures the rows asked for and prints the table. See --help and bench/README.md.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { createContext } from './context.mjs';
import { page, summarize, table, unmeasured } from './report.mjs';
import { rows } from './rows.mjs';
import { CannotMeasure, deaths, killAll, stopAll } from './servers.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

const help = `Usage: bench/run [OPTION…] [ROW…]
Measure the server and print the table of bench/README.md; all rows, or those named.

  --server PATH   the server (build/release/hutong)
  --tools DIR     the built measuring tools (build/release/bench, built first)
  --runs N        runs of each row, whose median is quoted (5)
  --seconds S     length of each measurement (5)
  --out DIR       folder for the page of results (bench/results)
  --scratch DIR   where data folders are made, on the disk to be measured (build)
  --save          write the page also when only some rows were asked for
  --quick         small data, one short run, nothing written: do the benches work?
  --strict        exit status 3 when an aim is missed
  --list          names of the rows

Rows: ${rows.map((row) => row.name).join(' ')}

Exit status: 0 all measured, 1 something could not be, 2 usage, 3 see --strict.
`;

const fullSize = {
  members: 1000,
  posts: 100000,
  postsFew: 1000,
  postsMany: 1000000,
  sockets: 5000,
  rounds: 50,
  idle: 10000,
  streams: 2000,
  minds: 4000,
  modelMs: 15000,
  townMost: 1000000,
  wikiLines: 1000000,
  wikiChunks: 100000,
};
const quickSize = {
  members: 100,
  posts: 1000,
  postsFew: 100,
  postsMany: 10000,
  sockets: 200,
  rounds: 5,
  idle: 300,
  streams: 100,
  minds: 100,
  modelMs: 200,
  townMost: 10000,
  wikiLines: 20000,
  wikiChunks: 1500,
};

function giveUp(sentence) {
  process.stderr.write(`bench/run: ${sentence}\n`);
  process.exit(2);
}

function readOptions() {
  const text = { type: 'string' };
  const flag = { type: 'boolean', default: false };
  const options = {
    server: { ...text, default: path.join(root, 'build/release/hutong') },
    tools: { ...text, default: path.join(root, 'build/release/bench') },
    runs: text,
    seconds: text,
    out: { ...text, default: path.join(root, 'bench/results') },
    scratch: { ...text, default: path.join(root, 'build') },
    save: flag,
    quick: flag,
    strict: flag,
    list: flag,
    help: flag,
  };
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return giveUp(`${error.message}; see --help`);
  }
}

function positive(name, text, usual) {
  const value = text === undefined ? usual : Number(text);
  return value > 0 && Number.isFinite(value) ? value : giveUp(`--${name} takes a positive number`);
}

// What must be there before anything is started.
function readPlan() {
  const { values, positionals } = readOptions();
  if (values.help || values.list) {
    process.stdout.write(values.help ? help : `${rows.map((row) => row.name).join('\n')}\n`);
    process.exit(0);
  }
  const unknown = positionals.find((name) => !rows.some((row) => row.name === name));
  if (unknown) giveUp(`there is no row "${unknown}"; see --list`);
  if (!existsSync(values.server)) giveUp(`there is no server at ${values.server}; build it first`);
  if (!existsSync(path.join(values.tools, 'load'))) giveUp(`there are no tools in ${values.tools}`);
  const size = { ...(values.quick ? quickSize : fullSize) };
  size.seconds = positive('seconds', values.seconds, values.quick ? 0.5 : 5);
  return {
    ...values,
    size,
    runs: Math.ceil(positive('runs', values.runs, values.quick ? 1 : 5)),
    chosen: rows.filter((row) => !positionals.length || positionals.includes(row.name)),
    all: !positionals.length,
  };
}

async function runRow(ctx, row, { runs, quick }) {
  const state = await row.prepare(ctx);
  const done = [];
  for (let i = 0; i < runs; i++) {
    process.stderr.write(`  ${row.name}: run ${i + 1} of ${runs}\n`);
    done.push(await row.once(ctx, state));
  }
  return row.lines.map((line) => summarize(line, done.map((run) => run[line.key]), !quick));
}

// A row that cannot be measured says why; the others still are.
async function measureRow(ctx, row, plan) {
  try {
    return await runRow(ctx, row, plan);
  } catch (error) {
    const said = error instanceof CannotMeasure ? error.message : `bench failed, ${error.stack}`;
    const reason = [...deaths(), said].join('; ');
    process.stderr.write(`  ${row.name}: not measured: ${reason}\n`);
    return row.lines.map((line) => unmeasured(line, reason.split('\n')[0]));
  } finally {
    await stopAll();
  }
}

function output(command, ...args) {
  try {
    const stdio = ['ignore', 'pipe', 'ignore'];
    return execFileSync(command, args, { encoding: 'utf8', stdio }).trim();
  } catch {
    return 'unknown';
  }
}

async function describe(ctx, plan, loadBefore) {
  const changed = output('git', '-C', root, 'status', '--porcelain') ? ', with changes' : '';
  return {
    date: new Date().toISOString().slice(0, 10),
    host: os.hostname().replace(/[^A-Za-z0-9.-]/g, '-'),
    processor: `${os.cpus().length} × ${os.cpus()[0]?.model.trim() ?? 'unknown'}`,
    memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: `${os.type()} ${os.release()}`,
    'file system of the data': output('stat', '-f', '-c', '%T', plan.scratch),
    server: await ctx.version(),
    commit: `${output('git', '-C', root, 'rev-parse', '--short=12', 'HEAD')}${changed}`,
    'load average before': loadBefore,
    runs: plan.runs,
    'seconds each': plan.size.seconds,
    sizes: JSON.stringify(plan.size),
  };
}

async function save(plan, results, machine) {
  const names = plan.all ? '' : `-${plan.chosen.map((row) => row.name).join('-')}`;
  const file = path.join(plan.out, `${machine.date}-${machine.host}${names}.md`);
  await mkdir(plan.out, { recursive: true });
  await writeFile(file, page(results, machine));
  process.stderr.write(`written: ${file}\n`);
}

function exitStatus(plan, results) {
  if (results.some((result) => result.verdict.startsWith('not measured'))) return 1;
  return plan.strict && results.some((result) => result.verdict === 'missed') ? 3 : 0;
}

async function main() {
  const plan = readPlan();
  await mkdir(plan.scratch, { recursive: true });
  const folder = await mkdtemp(path.join(path.resolve(plan.scratch), 'bench-scratch-'));
  process.on('exit', () => {
    killAll();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => process.exit(130));
  }
  const binary = path.resolve(plan.server);
  const ctx = createContext({ binary, tools: plan.tools, folder, size: plan.size });
  const loadBefore = os.loadavg().map((value) => value.toFixed(2)).join(' ');
  const results = [];
  for (const row of plan.chosen) {
    const lines = await measureRow(ctx, row, plan);
    results.push(...lines.map((line) => ({ ...line, row: row.name })));
  }
  if (plan.quick) {
    process.stdout.write('Quick: small data and short runs, whatever the table says. No figures.\n\n');
  }
  process.stdout.write(`${table(results)}\n`);
  if (!plan.quick && (plan.all || plan.save)) {
    await save(plan, results, await describe(ctx, plan, loadBefore));
  }
  process.exitCode = exitStatus(plan, results);
}

await main();
