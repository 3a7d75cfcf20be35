// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Relaying streamed tokens: Hutong's gateway and, as reference, nginx as a plain streaming proxy,
// each with bench/stream's provider and readers.
//
//     make VARIANT=release all bench && node bench/stream.mjs [--streams 2000] [--runs 3] [--loops 1]
//
// Prints a line for each run; medians at the end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const option = (name, initial) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? initial : process.argv[at + 1];
};
const STREAMS = option('streams', '2000');
const RUNS = Number(option('runs', '3'));
const LOOPS = option('loops', '1');
const BINARY = option('binary', 'build/release/hutong');
const BODY = JSON.stringify({ model: 'openai/m', stream: true, messages: [{ role: 'user', content: 'hello' }] });

async function waitFor(ready) {
  for (let i = 0; i < 400; i++) {
    const value = ready();
    if (value) return value;
    await pause(25);
  }
  throw new Error('nothing came within 10 s');
}

async function post(url, body, token) {
  const headers = { 'content-type': 'application/json' };
  if (token) headers.authorization = `Bearer ${token}`;
  const reply = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${url}: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

async function startHutong(dir, provider) {
  const child = spawn(path.resolve(BINARY), ['serve', '--listen', '127.0.0.1:0', '--data', `${dir}/d`,
    '--loops', LOOPS, '--access-log', 'off', '--log-level', 'error', '--llm-at-once', '100000'],
  { cwd: dir, env: { PATH: process.env.PATH, HUTONG_OPENAI_BASE: `http://127.0.0.1:${provider}/v1` },
    stdio: ['ignore', 'pipe', 'inherit'] });
  let out = '';
  child.stdout.on('data', (bytes) => { out += bytes; });
  const url = await waitFor(() => /^ready (\S+)/m.exec(out)?.[1]);
  const member = { username: 'mei', password: 'secret-123', nickname: 'Mei' };
  await post(`${url}/auth/register`, member);
  const { access_token: token } = await post(`${url}/auth/login`, member);
  const { key } = await post(`${url}/keys`, { name: 'bench' }, token);
  return { child, pids: [child.pid], url: `${url}/v1/chat/completions`, token: key };
}

async function startNginx(dir, provider) {
  const port = 20000 + Math.floor(Math.random() * 20000);
  writeFileSync(`${dir}/nginx.conf`, `daemon off; worker_processes ${LOOPS}; pid ${dir}/pid;
error_log ${dir}/error.log; worker_rlimit_nofile 20000; events { worker_connections 10000; }
http { access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://127.0.0.1:${provider};
proxy_http_version 1.1; proxy_buffering off; proxy_set_header Connection ""; } } }\n`);
  const child = spawn('nginx', ['-c', `${dir}/nginx.conf`, '-p', dir], { stdio: ['ignore', 'ignore', 'inherit'] });
  const pids = await waitFor(() => {
    try {
      const found = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
      return found && found.split(' ');
    } catch { return undefined; }
  });
  return { child, pids, url: `http://127.0.0.1:${port}/v1/chat/completions`, token: 'none' };
}

async function once1(start) {
  const dir = mkdtempSync(path.join(tmpdir(), 'hutong-stream-'));
  const bench = spawn('build/release/bench/stream', ['--port-file', `${dir}/port`, '--streams', STREAMS,
    '--body', BODY], { stdio: ['pipe', 'pipe', 'inherit'] });
  let out = '';
  bench.stdout.on('data', (bytes) => { out += bytes; });
  const port = await waitFor(() => existsSync(`${dir}/port`) && readFileSync(`${dir}/port`, 'utf8').trim());
  const server = await start(dir, port);
  bench.stdin.end(`${server.url} ${server.pids.join(',')} ${server.token}\n`);
  await once(bench, 'close');
  server.child.kill('SIGTERM');
  await once(server.child, 'close');
  rmSync(dir, { recursive: true, force: true });
  return JSON.parse(out);
}

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const results = { hutong: [], nginx: [] };
for (let run = 0; run < RUNS; run++) {
  for (const [name, start] of [['hutong', startHutong], ['nginx', startNginx]]) {
    const result = await once1(start);
    results[name].push(result);
    console.log(name, JSON.stringify(result));
  }
}
for (const [name, list] of Object.entries(results)) {
  console.log(`${name}: median ${median(list.map((r) => r.server_cpu_us_per_token)).toFixed(1)} µs CPU a token, ` +
    `${Math.round(median(list.map((r) => r.bytes_per_stream)))} bytes a stream, ` +
    `p99 ${median(list.map((r) => r.delay_us.p99))} µs from provider to reader, ${STREAMS} streams`);
}
