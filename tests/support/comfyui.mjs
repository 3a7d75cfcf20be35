// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A ComfyUI for tests: its protocol (POST /prompt, GET /history/ID, /queue, /view, /system_stats),
// with pictures made at once, or when the test says so, and with faults.
//
//     const comfy = await startComfyui();
//     comfy.hold();                          // what is asked from now on is not finished …
//     comfy.finish();                        // … until here
//     comfy.next({ prompt: { status: 500 } });   // one answer that is something else; of `prompt`,
//                                            // `history` or `view`: { status, body } or a function
//     comfy.asked                            // bodies of POST /prompt, in order
//     await comfy.until((c) => c.asked.length === 1);
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import { crc32, deflateSync } from 'node:zlib';

const WAIT_MS = 20_000;
export const SECRET = 'prompt and workflow, as ComfyUI leaves them in its PNGs';

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

// A PNG of one colour, another for each seed, with text beside it.
export function png(seed, side = 64) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head[8] = 8;
  head[9] = 2;
  const line = Buffer.alloc(1 + side * 3);
  for (let i = 1; i < line.length; i++) line[i] = (seed >> ((i % 3) * 8)) & 0xff;
  const lines = Buffer.concat(Array.from({ length: side }, () => line));
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head),
    chunk('tEXt', Buffer.from(`prompt\0${SECRET}`, 'latin1')), chunk('IDAT', deflateSync(lines)), chunk('IEND', Buffer.alloc(0))]);
}

async function read(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text ? JSON.parse(text) : undefined;
}

// `ownIds`: as older ones, which do not take the ID they are given.
export async function startComfyui({ ownIds = false } = {}) {
  const jobs = new Map(); // ID → { seed, done }
  const once_ = { prompt: [], history: [], view: [] };
  const waiting = new Set();
  let held = false;

  const answers = {
    async prompt(body) {
      if (typeof body.prompt !== 'object') return { status: 400, body: { error: 'no prompt', node_errors: [] } };
      const id = ownIds ? randomUUID() : body.prompt_id ?? randomUUID();
      const sampler = Object.values(body.prompt).find((node) => 'seed' in node.inputs);
      jobs.set(id, { seed: sampler.inputs.seed, done: !held });
      return { body: { prompt_id: id, number: jobs.size, node_errors: {} } };
    },
    async history(id) {
      const job = jobs.get(id);
      if (!job?.done) return { body: {} };
      return {
        body: {
          [id]: {
            prompt: [1, id, {}, {}, ['7']],
            outputs: { 7: { images: [{ filename: `hutong_${job.seed}_ü&.png`, subfolder: 'a b', type: 'output' }] } },
            status: { status_str: 'success', completed: true, messages: [] },
          },
        },
      };
    },
    async view(query) {
      const seed = /^hutong_(\d+)_ü&\.png$/.exec(query.get('filename'))?.[1];
      if (!seed || query.get('subfolder') !== 'a b' || query.get('type') !== 'output') return { status: 404, body: '' };
      return { body: png(Number(seed)), type: 'image/png' };
    },
  };

  const comfy = {
    asked: [],
    looked: [], // IDs of GET /history
    forgotten: [],
    hold() { held = true; },
    finish() {
      held = false;
      for (const job of jobs.values()) job.done = true;
    },
    forget() { jobs.clear(); },
    next(some) { for (const [what, answer] of Object.entries(some)) once_[what].push(answer); },
    async until(right) {
      const end = Date.now() + WAIT_MS;
      while (!right(comfy)) {
        await new Promise((done, fail) => {
          const timer = setTimeout(() => fail(new Error(`ComfyUI was asked for ${comfy.asked.length}, looked at ${comfy.looked.length} times`)), end - Date.now());
          waiting.add(() => { clearTimeout(timer); done(); });
        });
      }
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };

  function stir() {
    for (const wake of waiting) wake();
    waiting.clear();
  }

  async function answer(what, ...args) {
    const other = once_[what].shift();
    if (!other) return answers[what](...args);
    return typeof other === 'function' ? other(...args) : other;
  }

  async function handle(request, response) {
    const url = new URL(request.url, 'http://comfy');
    const body = request.method === 'POST' ? await read(request) : undefined;
    let reply = { status: 404, body: { error: 'no such path' } };
    if (request.method === 'POST' && url.pathname === '/prompt') {
      comfy.asked.push(body);
      stir(); // its answer may take as long as a test wants
      reply = await answer('prompt', body);
    } else if (url.pathname.startsWith('/history/')) {
      const id = url.pathname.slice('/history/'.length);
      comfy.looked.push(id);
      reply = await answer('history', id);
    } else if (url.pathname === '/view') {
      reply = await answer('view', url.searchParams);
    } else if (url.pathname === '/queue' && request.method === 'POST') {
      comfy.forgotten.push(...body.delete);
      reply = { body: '' };
    } else if (url.pathname === '/queue') {
      const open = [...jobs].filter(([, { done }]) => !done).map(([id], i) => [i, id, {}, {}, ['7']]);
      reply = { body: { queue_running: open.slice(0, 1), queue_pending: open.slice(1) } };
    } else if (url.pathname === '/system_stats') {
      reply = { body: { system: { comfyui_version: '0.3.0' }, devices: [{ name: 'cpu' }] } };
    }
    const { status = 200, body: what, type = 'application/json', endless } = reply;
    const raw = typeof what === 'string' || Buffer.isBuffer(what);
    response.writeHead(status, { 'content-type': type });
    if (endless) {
      const more = () => { while (!response.destroyed && response.write(endless)); };
      response.on('drain', more);
      response.on('error', () => {});
      more();
    } else {
      response.end(raw ? what : JSON.stringify(what));
    }
    stir();
  }

  const server = http.createServer((request, response) => {
    handle(request, response).catch((error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  comfy.url = `http://127.0.0.1:${server.address().port}`;
  return comfy;
}
