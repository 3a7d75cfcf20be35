// SPDX-License-Identifier: AGPL-3.0-or-later
// What a row may use: the tools, the servers, data sets that are made once.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { startLiveTown } from './livetown.mjs';
import * as protocol from './protocol.mjs';
import { startSlowModel } from './slowmodel.mjs';
import { adopt, CannotMeasure, freePort, startHutong, startNginx, startTool } from './servers.mjs';

function execute(file, args, seconds, env) {
  return new Promise((done) => {
    const options = { timeout: seconds * 1000, maxBuffer: 16 * 1024 * 1024, env };
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      // `code` is a text for what could not be started, null for what was killed.
      const status = error ? (error.code ?? `signal ${error.signal}`) : 0;
      done({ status, stdout: stdout.trim(), stderr: stderr.trim() });
    });
    adopt(child);
  });
}

function parseLine(text) {
  try {
    return JSON.parse(text.split('\n').at(-1));
  } catch {
    return null;
  }
}

// { key: 1, list: [a, b], flag: true, nothing: undefined } → --key 1 --list a --list b --flag
function toArgs(options) {
  return Object.entries(options).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => {
      if (one === undefined || one === false) return [];
      const word = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
      return one === true ? [word] : [word, String(one)];
    }),
  );
}

const faults = ['broken', 'lost', 'missing', 'duplicates', 'strays', 'post_errors', 'buffer_full'];

export function createContext({ binary, tools, folder, size }) {
  const seeds = new Map();

  async function tool(name, verb, options) {
    const args = [...(verb ? [verb] : []), ...toArgs(options)];
    const { status, stdout, stderr } = await execute(path.join(tools, name), args, 600);
    const result = parseLine(stdout);
    if (status === 0 && result) return result;
    // A run with errors has no figure: work that failed is cheap.
    const counts = result?.errors_by_kind ?? result ?? {};
    const said = Object.keys(counts)
      .filter((key) => counts[key] > 0 && (result.errors_by_kind || faults.includes(key)))
      .map((key) => `${key} ${counts[key]}`);
    throw new CannotMeasure([`${name} (${status})`, stderr, ...said].filter(Boolean).join(', '));
  }

  async function seed(wanted) {
    const data = await mkdtemp(path.join(folder, 'data-'));
    const { status, stdout, stderr } = await execute(binary, protocol.seedArgs(data, wanted), 1800);
    const made = parseLine(stdout);
    if (status !== 0 || !made?.tokens) {
      const said = stderr.split('\n').at(-1) || 'no JSON line with "tokens"';
      throw new CannotMeasure(`hutong bench-data (${status}): ${said}`);
    }
    const first = path.join(data, 'bench-first-token');
    await writeFile(first, `${(await readFile(made.tokens, 'utf8')).split('\n')[0]}\n`);
    return { ...made, data, firstToken: first };
  }

  return {
    size,
    load: (options) => tool('load', null, options),
    fanout: (options) => tool('fanout', null, options),
    floor: (verb, options) => tool('floor', verb, options),
    stream: (options) => tool('stream', null, options),
    first: (options) => tool('first', null, options),
    town: (verb, options) => tool('town', verb, options),
    wiki: (verb, options) => tool('wiki', verb, options),

    // Filled once for all rows. Rows that write get a copy of their own.
    async dataset(wanted, { copy = false } = {}) {
      const key = JSON.stringify(wanted);
      if (!seeds.has(key)) seeds.set(key, await seed(wanted));
      const made = seeds.get(key);
      if (!copy) return made;
      const data = await mkdtemp(path.join(folder, 'copy-'));
      await cp(made.data, data, { recursive: true });
      return { ...made, data };
    },

    freePort,
    hutong: (data, environment) => startHutong(binary, data, folder, environment),
    async command(args, environment) {
      const { status, stdout, stderr } = await execute(binary, args, 600, { ...process.env, ...environment });
      if (status !== 0) throw new CannotMeasure(`hutong ${args[0]} (${status}): ${stderr || stdout}`);
    },
    emptyData: () => mkdtemp(path.join(folder, 'empty-')),

    async liveTown(residents, environment) {
      const data = await mkdtemp(path.join(folder, 'town-'));
      const start = (args, environment) => startHutong(binary, data, folder, environment, args);
      const command = async (args) => {
        const { status, stderr } = await execute(binary, args, 60);
        if (status !== 0) throw new CannotMeasure(`hutong ${args[0]} (${status}): ${stderr}`);
      };
      return startLiveTown({ data, residents, start, command, environment });
    },

    slowModel: (delayMs) => startSlowModel(delayMs),

    nginx: (options) => startNginx(folder, options),
    floorHttp: () => startTool(tools, 'floor', 'http'),
    provider: () => startTool(tools, 'provider'),

    async version() {
      const { status, stdout } = await execute(binary, ['--version'], 10);
      return status === 0 ? stdout.split('\n')[0] : 'unknown';
    },
  };
}
