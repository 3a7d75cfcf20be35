// SPDX-License-Identifier: AGPL-3.0-or-later
// A community with a town that goes as fast as it can, and what can be read from outside of it.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import * as protocol from './protocol.mjs';
import { CannotMeasure } from './servers.mjs';

const LOOK_MS = 50;

async function ask(server, method, where, { token, form } = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const body = form && new URLSearchParams(form);
  const answer = await fetch(server.url + where, { method, headers, body });
  if (!answer.ok) throw new CannotMeasure(`${method} ${where} answered ${answer.status}`);
  return answer;
}

// Milliseconds of user and system time; the kernel counts in hundredths of a second.
async function cpuMs(pid) {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

// `start(args, environment)` starts the server on `data`, `command(args)` runs one of its commands.
// `environment` is of the server with the town.
export async function startLiveTown({ data, residents, start, command, environment = protocol.townOn }) {
  const founders = await start(protocol.demoArgs, protocol.townOff);
  await founders.stop();
  const file = path.join(path.dirname(data), `residents-${path.basename(data)}.json`);
  await writeFile(file, JSON.stringify(protocol.residents(residents - protocol.demoResidents)));
  await command(protocol.importArgs(data, file));
  const server = await start([], environment);
  const { access_token: token } = await (
    await ask(server, 'POST', protocol.paths.login, { form: protocol.demoMember })
  ).json();
  const look = async () => (await ask(server, 'GET', protocol.paths.town, { token })).json();
  const { topic, residents: people } = await look();
  if (people.length !== residents) throw new CannotMeasure(`${people.length} residents live there`);

  return {
    stop: () => server.stop(),

    // One reader of the map; close() tells how many bytes came.
    async follow() {
      const leave = new AbortController();
      let bytes = 0;
      const url = server.url + protocol.paths.events(topic);
      const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` }, signal: leave.signal });
      if (!answer.ok) throw new CannotMeasure(`GET ${url} answered ${answer.status}`);
      const read = async () => {
        for await (const piece of answer.body) bytes += piece.length;
      };
      const gone = read().catch(() => {});
      return { close: () => (leave.abort(), void gone, bytes) };
    },

    cpuMs: () => cpuMs(server.pids),

    // The clock's hands as they are seen from outside, for so long: the longest time they stood, ms.
    async watchClock(seconds) {
      const end = performance.now() + seconds * 1000;
      let seen, since, longest = 0;
      for (;;) {
        const metrics = await (await ask(server, 'GET', protocol.paths.metrics)).text();
        const now = performance.now();
        const minute = Number(protocol.townMinute.exec(metrics)?.[1]);
        if (!(minute >= 0)) throw new CannotMeasure('the town has no minute');
        if (since !== undefined) longest = Math.max(longest, now - since);
        if (minute !== seen) since = now;
        seen = minute;
        if (now > end) return longest;
        await new Promise((done) => { setTimeout(done, LOOK_MS); });
      }
    },

    async figures() {
      const metrics = await (await ask(server, 'GET', protocol.paths.metrics)).text();
      const words = Number(protocol.wordsDone.exec(metrics)?.[1]);
      const { minute } = await look();
      return { minute, words, at_ms: performance.now(), cpu_ms: await cpuMs(server.pids) };
    },
  };
}
