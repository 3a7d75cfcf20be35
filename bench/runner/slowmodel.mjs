// SPDX-License-Identifier: AGPL-3.0-or-later
// A model that takes its time: decisions of residents, and questions "question N", are answered after
// `delayMs`, all else at once. It counts what is under way.
import { once } from 'node:events';
import http from 'node:http';

const SAMPLE_MS = 100;
const DECISION = /What you can do now/;

const reply = (text) => JSON.stringify({
  id: 'chatcmpl-1', object: 'chat.completion', created: 1700000000, model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 9, completion_tokens: 4, total_tokens: 13 },
});

export async function startSlowModel(delayMs) {
  let open = 0, decided = 0, samples = [];
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const piece of request) body += piece;
    const decision = DECISION.test(body);
    const number = /question (\d+)/.exec(body)?.[1];
    const text = decision ? '{"action_index":1,"reason":"because"}' : number ? `answer ${number}.` : 'A fine evening.';
    const answer = () => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(reply(text));
    };
    if (!decision && !number) return answer();
    open += 1;
    const due = setTimeout(() => { decided += decision; answer(); }, delayMs);
    response.on('close', () => { open -= 1; clearTimeout(due); });
  });
  server.keepAliveTimeout = 600_000;
  server.requestTimeout = 0;
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  const timer = setInterval(() => samples.push(open), SAMPLE_MS);
  return {
    port: server.address().port,
    get open() { return open; },
    // Since the last time: decisions answered; under way at most, and in the middle of the samples.
    figures() {
      const sorted = [...samples, open].sort((a, b) => a - b);
      const told = { decided, peak: sorted.at(-1), median: sorted[Math.floor(sorted.length / 2)] };
      samples = [];
      decided = 0;
      return told;
    },
    async stop() {
      clearInterval(timer);
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
