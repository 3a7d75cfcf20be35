// SPDX-License-Identifier: AGPL-3.0-or-later
// From a question about a wiki to the request at the provider: what a reader waits for before any model
// has been asked. Asker and provider are this process, so both moments are of one clock.
import { once } from 'node:events';
import http from 'node:http';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { CannotMeasure } from './servers.mjs';
import { codeBelow, makeTree } from './wikirow.mjs';

const WARM = 20;
const EMBEDDING = Array.from({ length: 768 }, (_, i) => Math.sin(i));

// An OpenAI that answers at once, and says when it was asked for what.
async function startModel() {
  let asked = () => {};
  const server = http.createServer(async (request, response) => {
    const came = performance.now();
    const pieces = [];
    for await (const piece of request) pieces.push(piece);
    const body = JSON.parse(Buffer.concat(pieces));
    if (request.url.endsWith('/embeddings')) {
      const list = [body.input].flat();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({
        data: list.map((_, index) => ({ index, embedding: EMBEDDING.map((value) => value + Math.random() / 2) })), usage: { prompt_tokens: 1 },
      }));
      return;
    }
    asked(came, body);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: {"choices":[{"index":0,"delta":{"content":"Yes."}}]}\n\n');
    response.end('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref(); // it need not be stopped
  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    next: () => new Promise((done) => { asked = (came, body) => done({ came, body }); }),
  };
}

// Eight words in a row out of the middle of a file.
async function questionsOf(tree, count) {
  const files = [];
  for await (const file of codeBelow(tree)) files.push(file);
  const questions = [];
  for (let i = 0; i < count; i++) {
    const text = await readFile(files[(i * 7919) % files.length], 'latin1');
    const words = text.slice(text.length / 2).match(/[A-Za-z_]{4,}/g) ?? ['nothing'];
    questions.push(`Where is ${words.slice(0, 8).join(' ')}?`);
  }
  return questions;
}

async function ask(url, model, question) {
  const request = model.next();
  const began = performance.now();
  const reply = await fetch(`${url}/wikis/tree/ask`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ question }),
  });
  const text = await reply.text();
  if (reply.status !== 200 || !text.includes('"done"')) throw new CannotMeasure(`status ${reply.status}: ${text.slice(0, 200)}`);
  const { came, body } = await request;
  if (!JSON.stringify(body.messages).includes('1| ')) throw new CannotMeasure('no line of the repository was in the request');
  return came - began;
}

async function p50(url, model, questions) {
  const times = [];
  for (const question of questions) times.push(await ask(url, model, question));
  const counted = times.slice(WARM).sort((a, b) => a - b);
  return counted[Math.floor(counted.length / 2)];
}

export function wikiAskRow({ atMost, forComparison }) {
  return {
    name: 'wiki-ask',
    lines: [
      { key: 'words', work: 'question about 1,000,000 lines to request at the provider, p50', aim: '≤ 20 ms', unit: 'ms', against: '–', judge: atMost(20) },
      { key: 'vectors', work: 'the same with an embedder of 768 numbers that answers at once', aim: '–', unit: 'ms', against: '–', judge: forComparison },
    ],
    async prepare(ctx) {
      const folder = await ctx.emptyData();
      await makeTree(folder, ctx.size.wikiLines);
      const tree = path.join(folder, 'tree');
      const model = await startModel();
      const environment = {
        HUTONG_WIKI_ROOTS: folder, HUTONG_OPENAI_BASE: model.url, HUTONG_LLM_MODEL: 'openai/m', HUTONG_RATE_CHAT: '100000',
      };
      const embedder = { ...environment, HUTONG_WIKI_EMBEDDER: 'openai/e' };
      const [plain, rich] = [path.join(folder, 'plain'), path.join(folder, 'rich')];
      await ctx.command(['wiki', 'add', tree, '--data', plain], environment);
      await ctx.command(['wiki', 'add', tree, '--data', rich], embedder);
      return {
        model, plain: await ctx.hutong(plain, environment), rich: await ctx.hutong(rich, embedder),
        questions: await questionsOf(tree, 200 + WARM),
      };
    },
    async once(ctx, { model, plain, rich, questions }) {
      return {
        words: { measured: await p50(plain.url, model, questions) },
        vectors: { measured: await p50(rich.url, model, questions) },
      };
    },
  };
}
