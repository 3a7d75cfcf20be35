// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Waiting for a server to come to something, by asking it.

// Sum of a metric over its labels.
export async function metric(server, name) {
  const { text } = await server.api('GET', '/metrics');
  const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
  if (lines.length === 0) throw new Error(`no metric ${name}`);
  return lines.reduce((sum, line) => sum + Number(line[1]), 0);
}

// Ask until `right` says so; every question is a round trip, so this does not spin.
export async function until(ask, right, { ms = 15_000, what = 'the server' } = {}) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await ask();
    if (right(got)) return got;
    if (Date.now() > end) throw new Error(`${what} is still ${JSON.stringify(got)} after ${ms} ms`);
  }
}
