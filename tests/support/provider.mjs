// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A model provider for tests: speaks the format of each real one, from scripts, with faults.
//
//     const p = await startProvider();
//     … HUTONG_…_BASE_URL: p.base('openai') …
//     p.script([{ deltas: ['你', '好'] }, { status: 429, headers: { 'retry-after': '0' } }]);
//     const asked = await p.request(0);        // the first request, when it has come
//     await p.until(() => asked.closedAt);     // … until its connection is closed
//     await p.stop();
//
// Which provider is meant, and whether chat, models or embeddings, is told by the path. Each
// request takes the next script of the queue, for its provider if the script names one; when the
// queue is empty, what always() set. A script may be a function of the request.
//
// What an answer says:
//   deltas, reasoning   lists of pieces · tool / tools: {id, name, arguments}
//   usage               {input, output, cached, reasoning}; false: none
//   finish              stop, length, tool, filter, or the provider's own word; null: never says
//   marker: false       the end marker is missing ([DONE], message_stop)
//   cumulative          DashScope repeats all that came before · lateFilter: Azure's verdict behind
//   model, models       the name that answers; the list of names
//   vectorOf            (text, dimensions) => its vector, instead of ours
//   reasoningField      of OpenAI's form, 'reasoning_content' if not said
// How it comes:
//   split               'bytes', or a number: pieces of so many bytes, each a write of its own
//   everyMs             pause between pieces · pace: (n) => a promise before piece n + 1
//   comments: n         signs of life before the first piece · commentsEveryMs: while it stalls
//   whole: true         one JSON body though a stream was asked for
//   status, headers, contentType, error: {code, message, details}: a failure (status ≥ 400)
//   body                these bytes instead of everything · html: true: a proxy's page, 502
//   hugeLine            true (2 MiB) or the number of bytes in one line
// Faults. PLACE is 'request' (nothing is sent), 'headers' (only those), or a number of pieces of
// text, reasoning or tool call after which it happens:
//   stallAfter          waits until request.resume(), or until the client goes
//   resetAfter          the connection is reset · endAfter: ends in good order, half an answer
//   errorAfter          an error inside the stream (not before 'headers'), in the provider's
//                       notation, from `error`
//   rawAfter: [PLACE, bytes]  these bytes in between
//   cut: { writes, half, how }  behind so many writes of the body, or in the middle of the next one,
//                       it is over, by 'reset' or by an 'end' in good order; request.cut says that
//                       it came to that, and request.sent what had been sent
import { once } from 'node:events';
import http from 'node:http';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';

import {
  chatForm, completeError, embeddingsOf, modelsOf, PROVIDERS, streamOf, vectorOf, wholeOf,
} from './provider_forms.mjs';

export { PROVIDERS, vectorOf };

const WAIT_MS = 15_000;
const PAGE = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>';

const BASES = { openai: '/v1', azure: '', google: '/v1beta', anthropic: '', ollama: '', dashscope: '' };

// The first that fits says who is asked for what.
const ROUTES = [
  [/^POST \/openai\/.*\/chat\/completions$/, 'azure', 'chat'],
  [/^POST \/openai\/.*\/embeddings$/, 'azure', 'embeddings'],
  [/^GET \/openai\/.*models$/, 'azure', 'models'],
  [/^POST \/v1beta\/models\/[^/]+:(streamGenerate|generate)Content$/, 'google', 'chat'],
  [/^POST \/v1beta\/models\/[^/]+:(batchEmbedContents|embedContent)$/, 'google', 'embeddings'],
  [/^GET \/v1beta\/models$/, 'google', 'models'],
  [/^POST \/v1\/messages$/, 'anthropic', 'chat'],
  [/^POST \/api\/chat$/, 'ollama', 'chat'],
  [/^POST \/api\/embed$/, 'ollama', 'embeddings'],
  [/^GET \/api\/tags$/, 'ollama', 'models'],
  [/^POST \/api\/v1\/services\/aigc\/[a-z-]+\/generation$/, 'dashscope', 'chat'],
  [/^POST \/api\/v1\/services\/embeddings\/[a-z/-]+$/, 'dashscope', 'embeddings'],
  [/^GET \/compatible-mode\/v1\/models$/, 'dashscope', 'models'],
  [/^POST .*\/chat\/completions$/, 'openai', 'chat'],
  [/^POST .*\/embeddings$/, 'openai', 'embeddings'],
  [/^GET .*\/models$/, 'openai', 'models'],
];

function whatIsAsked(request) {
  const target = `${request.method} ${request.url.split('?')[0]}`;
  const found = ROUTES.find(([pattern]) => pattern.test(target));
  if (!found) return { provider: undefined, kind: 'unknown' };
  const [, provider, kind] = found;
  const claude = provider === 'openai' && kind === 'models' && request.headers['anthropic-version'];
  return { provider: claude ? 'anthropic' : provider, kind };
}

function keyOf({ authorization, ...headers }) {
  return headers['api-key'] ?? headers['x-api-key'] ?? headers['x-goog-api-key'] ??
    authorization?.replace(/^Bearer /, '');
}

function isStreamed(record) {
  switch (record.provider) {
    case 'google': return record.path.includes(':streamGenerateContent');
    case 'dashscope': return record.headers['x-dashscope-sse'] === 'enable';
    case 'ollama': return record.body?.stream !== false;
    default: return record.body?.stream === true;
  }
}

class Gone extends Error {}

// One request, from its arrival to the end of its connection. Times are of performance.now().
class Asked {
  constructor(request, changed) {
    Object.assign(this, whatIsAsked(request), {
      method: request.method, path: request.url, headers: request.headers,
      key: keyOf(request.headers), at: performance.now(),
      text: '', body: undefined, // as text, and parsed
      pieces: 0, // of text, reasoning and tool calls sent
      bytes: 0, // of the answer sent
      stalled: false,
      endedAt: undefined, // we said all
      closedAt: undefined, // the client closed before that
    });
    this.changed = changed;
    this.open = new Promise((done) => { this.release = done; });
  }

  // Go on after stallAfter.
  resume() {
    this.release();
  }
}

class Answer {
  constructor(asked, response, script) {
    Object.assign(this, { asked, response, script, writes: 0 });
  }

  get gone() {
    return this.asked.closedAt !== undefined || this.response.destroyed;
  }

  async cutAt(all) {
    const { cut } = this.script;
    this.asked.sent ??= '';
    if (this.writes++ < cut.writes) {
      this.asked.sent += all.toString('latin1');
      return;
    }
    const half = all.subarray(0, cut.half ? all.length / 2 : 0);
    this.asked.sent += half.toString('latin1');
    this.asked.cut = true;
    if (half.length > 0) await new Promise((done) => { this.response.write(half, done); });
    if (cut.how === 'end') this.response.end();
    else this.response.socket?.resetAndDestroy();
    throw new Gone();
  }

  async write(bytes) {
    const { split, cut } = this.script;
    const all = Buffer.from(bytes);
    if (cut) await this.cutAt(all);
    const size = split === 'bytes' ? 1 : split ?? all.length;
    for (let at = 0; at < all.length; at += size) {
      if (this.gone) throw new Gone();
      const piece = all.subarray(at, at + size);
      this.asked.bytes += piece.length;
      // Its callback comes when the system has taken the bytes, or the client has gone.
      await new Promise((done) => { this.response.write(piece, done); });
      if (split) await turn(); // so that each write leaves alone
    }
  }

  async stall(comment) {
    const { commentsEveryMs } = this.script;
    this.asked.stalled = true;
    this.asked.changed();
    const timer = commentsEveryMs && comment !== undefined &&
      setInterval(() => { if (!this.gone) this.response.write(comment); }, commentsEveryMs);
    await this.asked.open;
    clearInterval(timer || undefined);
    this.asked.stalled = false;
    if (this.gone) throw new Gone();
  }

  // The faults that wait at this place.
  async at(place, form) {
    const { script, response } = this;
    if (script.rawAfter?.[0] === place) await this.write(script.rawAfter[1]);
    if (script.stallAfter === place) await this.stall(form?.comment);
    if (script.resetAfter === place) {
      response.socket?.resetAndDestroy();
      throw new Gone();
    }
    if (script.errorAfter === place) {
      await this.write(form.error(completeError(this.asked.provider, script.error)));
    }
    if (script.errorAfter === place || script.endAfter === place) {
      response.end();
      throw new Gone();
    }
  }

  head(status, type) {
    const { headers, contentType } = this.script;
    this.response.writeHead(status, { 'content-type': contentType ?? type, ...headers });
    this.response.flushHeaders();
  }

  async json(status, value) {
    await this.at('request');
    this.head(status, 'application/json');
    await this.at('headers');
    await this.write(JSON.stringify(value));
    this.response.end();
  }

  async stream(form) {
    await this.at('request', form);
    this.head(this.script.status ?? 200, form.type);
    await this.at('headers', form);
    await this.at(0, form);
    for (const { bytes, counts } of streamOf(form, this.script)) {
      if (this.script.everyMs) await pause(this.script.everyMs);
      if (this.script.pace && counts) await this.script.pace(this.asked.pieces);
      await this.write(bytes);
      if (!counts) continue;
      this.asked.pieces++;
      this.asked.changed();
      await this.at(this.asked.pieces, form);
    }
    this.response.end();
  }

  async chat() {
    const { asked, script } = this;
    const form = chatForm(asked.provider, asked.body ?? {}, script);
    if (isStreamed(asked) && !script.whole) return this.stream(form);
    return this.json(200, wholeOf(form, script));
  }

  async give() {
    const { asked, script } = this;
    const { provider, kind } = asked;
    if (script.html || script.body !== undefined) {
      await this.at('request');
      this.head(script.status ?? (script.html ? 502 : 200), script.html ? 'text/html' : 'application/json');
      await this.write(script.html ? PAGE : script.body);
      return this.response.end();
    }
    if (kind === 'unknown') return this.json(404, { error: { message: 'no such path' } });
    if (script.status >= 400) {
      const error = completeError(provider, { status: script.status, ...script.error });
      return this.json(script.status, chatForm(provider, {}, script).failure(error));
    }
    if (kind === 'models') return this.json(200, modelsOf(provider, script.models ?? ['test-model']));
    if (kind === 'embeddings') return this.json(200, embeddingsOf(provider, asked.body, script.vectorOf));
    return this.chat();
  }
}

class Provider {
  constructor() {
    this.requests = [];
    this.queue = [];
    this.otherwise = { deltas: ['Hello', ' there', '.'] };
    this.waiting = new Set();
    this.open = 0; // requests under way, and the most there were at once
    this.peak = 0;
    this.faults = []; // what went wrong in here: stop() complains
    this.server = http.createServer((request, response) => this.take(request, response));
    this.server.on('connection', (socket) => socket.setNoDelay(true));
    this.server.keepAliveTimeout = 60_000;
    this.server.requestTimeout = 0;
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  // What to configure as the address of a site of that provider.
  base(provider) {
    return this.url + BASES[provider];
  }

  script(scripts) {
    this.queue.push(...[scripts].flat());
  }

  always(script) {
    this.otherwise = script;
  }

  next(asked) {
    const fits = (script) => typeof script === 'function' ||
      ((script.provider ?? asked.provider) === asked.provider && (script.kind ?? 'chat') === asked.kind);
    const at = this.queue.findIndex(fits);
    const script = at >= 0 ? this.queue.splice(at, 1)[0] : this.otherwise;
    return (typeof script === 'function' ? script(asked) : script) ?? {};
  }

  changed() {
    for (const look of [...this.waiting]) look();
  }

  // Until `is` gives something true; it is asked again whenever something happened here.
  until(is, { ms = WAIT_MS, what = String(is) } = {}) {
    return new Promise((done, fail) => {
      const look = () => {
        const value = is();
        if (!value) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        done(value);
      };
      const timer = setTimeout(() => {
        this.waiting.delete(look);
        fail(new Error(`not within ${ms} ms: ${what}`));
      }, ms);
      this.waiting.add(look);
      look();
    });
  }

  // The n-th request since the start, when its body has come.
  request(n) {
    return this.until(() => this.requests[n], { what: `request ${n}` });
  }

  async take(request, response) {
    const asked = new Asked(request, () => this.changed());
    this.open++;
    this.peak = Math.max(this.peak, this.open);
    response.on('error', () => {}); // the client went; 'close' tells
    response.on('close', () => {
      if (response.writableFinished) asked.endedAt = performance.now();
      else asked.closedAt = performance.now();
      this.open--;
      asked.release();
      this.changed();
    });
    try {
      for await (const bytes of request) asked.text += bytes.toString('latin1');
      asked.text = Buffer.from(asked.text, 'latin1').toString('utf8');
      if (asked.text) asked.body = JSON.parse(asked.text);
      this.requests.push(asked);
      const script = this.next(asked);
      this.changed();
      await new Answer(asked, response, script).give();
    } catch (error) {
      if (error instanceof Gone || asked.closedAt !== undefined) return;
      this.faults.push(error);
      response.destroy();
    }
  }

  async stop() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
    if (this.faults.length > 0) throw this.faults[0];
  }
}

export async function startProvider() {
  const provider = new Provider();
  provider.server.listen(0, '127.0.0.1');
  await once(provider.server, 'listening');
  return provider;
}
