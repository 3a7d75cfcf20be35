// SPDX-License-Identifier: AGPL-3.0-or-later
// Starting, finding ready and ending the servers that are measured. Ends only what it began.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';

import * as protocol from './protocol.mjs';

// Why a row has no figure. Anything else that is thrown is a mistake of ours.
export class CannotMeasure extends Error {}

const started = new Set();
const helpers = new Set();

// A tool or command that runs to its end by itself, unless we end first.
export function adopt(child) {
  helpers.add(child);
  child.once('exit', () => helpers.delete(child));
}

// "hutong ended with 7": what died by itself, which is why the rest failed.
export function deaths() {
  return [...started]
    .filter(({ child }) => ended(child))
    .map(({ name, child }) => `${name} ended with ${child.signalCode ?? child.exitCode}`);
}

// Between rows.
export async function stopAll() {
  await Promise.all([...started].map((server) => server.stop()));
}

// nginx's master, killed outright, would leave its workers behind.
const stops = new WeakMap();

// For process.on('exit'), where nothing can be awaited any more: nothing of ours outlives us.
export function killAll() {
  for (const child of helpers) child.kill('SIGKILL');
  for (const { child } of started) child.kill(stops.get(child) ?? 'SIGKILL');
}

function ended(child) {
  return child.exitCode !== null || child.signalCode !== null;
}

function track(child, fields) {
  const gone = new Promise((done) => child.once('exit', done));
  const server = {
    child,
    ...fields,
    async stop() {
      started.delete(server);
      if (ended(child)) return;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10000);
      await gone;
      clearTimeout(late);
    },
  };
  started.add(server);
  return server;
}

// Resolves with the match of `pattern` in what `child` prints; bounded.
function waitForLine(child, pattern, seconds, name, logFile) {
  return new Promise((done, failed) => {
    let printed = '';
    const fail = (what) => {
      clearTimeout(timer);
      const said = logFile ? readFileSync(logFile, 'utf8').trim().split('\n').slice(-3) : [];
      failed(new CannotMeasure([`${name} ${what}`, ...said].join(' | ')));
    };
    const timer = setTimeout(fail, seconds * 1000, `was not ready within ${seconds} s`);
    child.once('error', (error) => fail(`does not start: ${error.message}`));
    child.once('exit', (code, signal) => fail(`ended with ${signal ?? code} before it was ready`));
    child.stdout.on('data', (piece) => {
      printed += piece;
      const match = pattern.exec(printed);
      if (!match) return;
      clearTimeout(timer);
      done(match);
    });
  });
}

export async function startHutong(binary, data, folder, environment = {}, args = []) {
  const logFile = path.join(await mkdtemp(path.join(folder, 'log-')), 'stderr');
  const log = openSync(logFile, 'a');
  const child = spawn(binary, [...protocol.serveArgs(data), ...args], {
    env: { ...process.env, ...protocol.environment, ...environment },
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  const server = track(child, { name: 'hutong' });
  const [, url, pid] = await waitForLine(child, protocol.readyLine, 30, 'hutong', logFile);
  return Object.assign(server, { url, ws: url.replace('http:', 'ws:'), pids: pid });
}

// A tool that is a server: `floor http`, `provider`.
export async function startTool(tools, name, ...args) {
  const child = spawn(path.join(tools, name), args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const server = track(child, { name });
  const [, url, pid] = await waitForLine(child, protocol.readyLine, 5, name);
  return Object.assign(server, { url, port: Number(new URL(url).port), pids: pid });
}

export function freePort() {
  return new Promise((done, failed) => {
    const server = net.createServer();
    server.once('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

// Answers by itself, or, as a plain streaming proxy, passes on what is asked below /v1.
function nginxConf(folder, port, { workers = 2, upstream } = {}) {
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const provider = `upstream provider {
        server 127.0.0.1:${upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }`;
  const proxy = `location /v1 {
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }`;
  return `${process.getuid() === 0 ? 'user root;\n' : ''}worker_processes ${workers};
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 10000; }
http {
    access_log off;
    keepalive_requests 1000000000;
${temps.map((name) => `    ${name}_temp_path ${folder}/${name};`).join('\n')}
    ${upstream ? provider : ''}
    server {
        listen 127.0.0.1:${port} backlog=4096;
        ${upstream ? proxy : ''}
        location / {
            default_type application/json;
            return 200 '{"status":"healthy"}';
        }
    }
}
`;
}

// True once something answers; false when nginx has ended instead (the port was taken meanwhile).
async function answers(url, child) {
  for (let tries = 0; tries < 200 && !ended(child); tries++) {
    try {
      return (await fetch(url)).ok && !ended(child);
    } catch {
      await new Promise((done) => setTimeout(done, 25));
    }
  }
  return false;
}

const nginxPlaces = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'];

async function spawnNginx(folder, port, options) {
  const conf = path.join(folder, 'nginx.conf');
  await writeFile(conf, nginxConf(folder, port, options));
  const args = ['-e', `${folder}/error.log`, '-p', folder, '-c', conf, '-g', 'daemon off;'];
  for (const binary of nginxPlaces) {
    const child = spawn(binary, args, { stdio: 'ignore' });
    const fine = await new Promise((done) => {
      child.once('spawn', () => done(true));
      child.once('error', () => done(false));
    });
    if (fine) return child;
  }
  throw new CannotMeasure('nginx is missing (Debian package nginx-light)');
}

// Its workers: they do the work, the master only waits.
async function workersOf(pid) {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return children.trim().split(/\s+/).join(',');
}

export async function startNginx(parent, options) {
  // nginx cannot choose its own port, and somebody may take the free one first: try again then.
  for (let tries = 0; tries < 5; tries++) {
    const folder = await mkdtemp(path.join(parent, 'nginx-'));
    await mkdir(path.join(folder, 'logs'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = track(await spawnNginx(folder, port, options), { name: 'nginx', url });
    stops.set(server.child, 'SIGTERM');
    if (await answers(url, server.child)) {
      return Object.assign(server, { pids: await workersOf(server.child.pid) });
    }
    await server.stop();
  }
  throw new CannotMeasure('nginx does not start');
}
