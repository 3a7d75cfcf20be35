#!/usr/bin/env node
// SPDX-License-Identifier: AGPL-3.0-or-later
// Stands in for the server where bench/run itself is tried: same commands, same answers, no
// substance. STANDIN_FAULT names something to do wrong.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { listen } from './wsserver.mjs';

const fault = process.env.STANDIN_FAULT;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  strict: false,
  options: Object.fromEntries(
    ['listen', 'data', 'members', 'posts', 'partners', 'messages'].map((n) => [n, { type: 'string' }]),
  ),
});

async function seed() {
  await mkdir(values.data, { recursive: true });
  const tokens = path.join(values.data, 'tokens');
  const names = Array.from({ length: Number(values.members) }, (_, i) => `token-${i + 1}`);
  await writeFile(tokens, `${names.join('\n')}\n`);
  await writeFile(path.join(values.data, 'posts'), values.posts);
  console.log(JSON.stringify({ tokens, login_body: 'username=bench%d&password=secret' }));
}

// A model's answer, passed on as it comes; when nobody waits for it any more, it is not asked for.
function relay(response, body) {
  const asked = http.request(`${process.env.HUTONG_OPENAI_BASE}/chat/completions`, { method: 'POST' });
  asked.on('response', (answer) => {
    response.writeHead(answer.statusCode, { 'Content-Type': answer.headers['content-type'] });
    if (fault !== 'mumble') answer.pipe(response);
    else answer.resume().on('end', () => response.end('{"answer":"hm"}'));
  });
  response.on('close', () => fault !== 'linger' && asked.destroy());
  asked.on('error', () => response.destroy());
  asked.end(body);
}

// A resident's decision is put to the model; nobody waits for it.
function think() {
  const asked = http.request(`${process.env.HUTONG_OPENAI_BASE}/chat/completions`, { method: 'POST' });
  asked.on('response', (answer) => answer.resume()).on('error', () => {});
  asked.end('{"messages":[{"content":"What you can do now"}]}');
}

async function serve() {
  let posts = Number(await readFile(path.join(values.data, 'posts'), 'utf8').catch(() => '0'));
  let issued = 0;
  let town = 480;
  const tickets = new Set();
  const readers = new Set();
  const signedIn = (request) => /^Bearer token-\d+$/.test(request.headers.authorization);
  const routes = {
    'GET /health': () => [200, { status: fault === 'health' ? 'ill' : 'healthy' }],
    'GET /posts': () => [200, { items: [], total: posts }],
    'GET /messages/conversations': () => [200, { conversations: [] }],
    'POST /auth/login': () => [200, { access_token: 'token-1' }],
    'POST /live/ticket': () => {
      tickets.add(`t${++issued}`);
      return [200, { ticket: `t${issued}` }];
    },
    'GET /town': () => [200, { topic: 'town:1', minute: (town += 10), residents: Array(100).fill({}) }],
    'GET /metrics': () => {
      town += 1;
      if (Number(process.env.HUTONG_TOWN_MODEL_SHARE ?? 0) > 0) think();
      return [200, `hutong_town_words_total ${town}\nhutong_town_minute ${town}\n`];
    },
    'GET /live/events': () => [200, 'data: {}\n\n'],
    'POST /keys': () => [201, { key: 'token-1' }],
    'POST /posts': (body) => {
      if (fault !== 'forget') posts++;
      const event = JSON.stringify({ type: 'post', content: JSON.parse(body).content });
      for (const reader of readers) reader.send(event);
      return [201, { id: posts }];
    },
  };
  const open = ['/health', '/auth/login', '/posts', '/metrics'];
  const { url } = await listen({
    request(request, response, body) {
      const { pathname } = new URL(request.url, 'http://standin');
      if (pathname.startsWith('/v1/')) return relay(response, body);
      const route = routes[`${request.method} ${pathname}`];
      const allowed = signedIn(request) || (open.includes(pathname) && body === '') ||
        pathname === '/auth/login';
      const [status, reply] = !route ? [404, {}] : allowed ? route(body) : [401, {}];
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(typeof reply === 'string' ? reply : JSON.stringify(reply));
    },
    refuse: (request) =>
      !tickets.delete(new URL(request.url, 'http://standin').searchParams.get('ticket')),
    member(member) {
      member.onMessage = (text) => {
        if (JSON.parse(text).topic === 'feed') readers.add(member);
        member.send('{"type":"subscribed"}');
      };
      member.onClose = () => readers.delete(member);
    },
  });
  if (fault !== 'silent') console.log(`ready ${url} pid=${process.pid}`);
  if (fault === 'crash') process.exit(7);
  process.on('SIGTERM', () => process.exit(0));
}

const commands = { serve, 'bench-data': seed, resident: () => {} };
if (process.argv.includes('--version')) console.log('stand-in 1');
else await commands[positionals[0]]();
