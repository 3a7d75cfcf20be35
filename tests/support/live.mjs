// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Clients of everything live, on npm's `ws`: what came is kept, tests wait for what they need.
//
//     const li = await Live.open(server, lili.token);      // hello has come
//     await li.subscribe('feed');                          // the answer has come
//     const event = await li.next((m) => m.event === 'post.created');
//     li.say({ type: 'ping' });
//     const { code, reason } = await li.closed;
//
// next() looks through what came since its last answer; nothing that came is lost.
import { createHmac } from 'node:crypto';
import WebSocket from 'ws';

const PATIENCE_MS = 15_000;

export function socketUrl(server, target) {
  return server.url.replace(/^http/, 'ws') + target;
}

export class Live {
  messages = [];
  #at = 0;
  #wake = new Set();

  constructor(url, protocols, options) {
    this.ws = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
    this.refusal = new Promise((told) => {
      this.ws.on('unexpected-response', (request, response) => {
        told(response.statusCode);
        response.destroy();
        request.destroy();
      });
    });
    this.closed = new Promise((told) => {
      this.ws.on('close', (code, reason) => {
        this.over = { code, reason: reason.toString() };
        this.#stir();
        told(this.over);
      });
    });
    this.ws.on('error', () => {}); // `closed` tells
    this.ws.on('message', (bytes, isBinary) => {
      this.messages.push(isBinary ? bytes : JSON.parse(bytes.toString()));
      this.#stir();
    });
    this.opened = new Promise((done, fail) => {
      this.ws.on('open', done);
      this.ws.on('close', () => fail(new Error('closed before it was open')));
    });
    this.opened.catch(() => {});
  }

  // On /live, with the token in a header; hello has come.
  static async open(server, token, options = {}) {
    const live = new Live(socketUrl(server, '/live'), [], { headers: { authorization: `Bearer ${token}` }, ...options });
    await live.next((m) => m.type === 'hello');
    return live;
  }

  // On /messages/ws, as the old web client opens it.
  static async openLegacy(server, token) {
    const live = new Live(socketUrl(server, `/messages/ws?token=${token}`));
    await live.opened;
    return live;
  }

  #stir() {
    for (const wake of this.#wake) wake();
  }

  say(message) {
    this.ws.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  // The next message, from the last one next() gave, that is right.
  async next(right = () => true) {
    const late = Date.now() + PATIENCE_MS;
    for (;;) {
      while (this.#at < this.messages.length) {
        const message = this.messages[this.#at++];
        if (right(message)) return message;
      }
      if (this.over) throw new Error(`closed with ${this.over.code} while waiting for ${right}`);
      if (Date.now() > late) {
        throw new Error(`waited in vain for ${right}; heard ${JSON.stringify(this.messages.slice(-5))}`);
      }
      let wake, timer;
      await new Promise((done) => {
        wake = done;
        this.#wake.add(wake);
        timer = setTimeout(done, PATIENCE_MS);
      });
      clearTimeout(timer);
      this.#wake.delete(wake);
    }
  }

  event(kind) {
    return this.next((m) => m.type === 'event' && m.event === kind);
  }

  async ask(message, right) {
    this.say(message);
    return this.next(right);
  }

  subscribe(topic, after) {
    return this.ask({ type: 'subscribe', topic, after },
      (m) => ['subscribed', 'reload', 'error'].includes(m.type) && m.topic === topic);
  }

  // Everything that the server had to say by now has come: it answers in order. Events of other
  // members' changes are on their way before those changes' answers, so this proves absence too.
  async settle() {
    for (let i = 0; i < 2; i++) await this.ask({ type: 'ping' }, (m) => m.type === 'pong');
  }

  events(kind) {
    return this.messages.filter((m) => m.type === 'event' && (!kind || m.event === kind));
  }

  close() {
    this.ws.close(1000);
    return this.closed;
  }

  destroy() {
    this.ws.terminate();
  }
}

// A token of the system before this one, under the shared secret. Issued a little later than any
// account of the test was made: an account that is younger than a token has nothing to do with it.
export function legacyToken(secret, sub, seconds) {
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: String(sub), iat: now + 2, exp: now + seconds })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}
