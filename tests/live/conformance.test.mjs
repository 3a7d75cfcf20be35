// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The 301 cases of RFC 6455 against our own WebSocket, under the sanitizers.
// The endpoint is tests/live/echo_server.c; `make all` builds it beside hutong.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { conformance } from './ws_conformance.mjs';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const HUTONG = process.env.HUTONG_BIN ?? path.join(ROOT, 'build/test/hutong');
const ECHO = path.join(path.dirname(HUTONG), 'tests/live/echo_server');

let child, port, complaints = '';

before(async () => {
  child = spawn(ECHO, [], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stderr.on('data', (bytes) => { complaints += bytes; });
  const [line] = await once(child.stdout, 'data');
  port = Number(/^port (\d+)/.exec(line)[1]);
}, { timeout: 20_000 });

after(async () => {
  if (child.exitCode === null) {
    const gone = once(child, 'exit');
    child.stdin.end();
    await gone;
  }
  assert.equal(child.exitCode, 0, complaints); // leaks and sanitizer findings too
}, { timeout: 20_000 });

// All are registered before the first runs: once the runner has nothing left to do it calls after().
await conformance((...args) => { test(...args); }, () => ({ host: '127.0.0.1', port, path: '/' }));
