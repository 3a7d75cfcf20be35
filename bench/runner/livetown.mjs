// SPDX-License-Identifier: AGPL-3.0-or-later
// A community with a town that goes as fast as it can, and what can be read from outside of it.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import * as protocol from './protocol.mjs';
import { CannotMeasure } from './servers.mjs';

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
export async function startLiveTown({ data, residents, start, command }) {
  const founders = await start(protocol.demoArgs, protocol.townOff);
  await founders.stop();
  const file = path.join(path.dirname(data), `residents-${path.basename(data)}.json`);
  await writeFile(file, JSON.stringify(protocol.residents(residents - protocol.demoResidents)));
  await command(protocol.importArgs(data, file));
  const server = await start([], protocol.townOn);
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

    async figures() {
      const metrics = await (await ask(server, 'GET', protocol.paths.metrics)).text();
      const words = Number(protocol.wordsDone.exec(metrics)?.[1]);
      const { minute } = await look();
      return { minute, words, at_ms: performance.now(), cpu_ms: await cpuMs(server.pids) };
    },
  };
}
