// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A browser at /chat, on npm's `ws`.
//
//     const chat = await Chat.open(server, { typed: true });
//     chat.say({ type: 'ask', text: 'hello' });
//     textOf(await chat.until('done'))
import assert from 'node:assert/strict';
import WebSocket from 'ws';

import { socketUrl } from './live.mjs';

const WAIT_MS = 15_000;

// One connection to /chat; `frames` are texts as they came.
export class Chat {
  frames = [];
  #at = 0;
  #wake = () => {};

  constructor(server, { typed = true, query = '', headers } = {}) {
    this.ws = new WebSocket(socketUrl(server, `/chat${query}`), typed ? ['hutong.chat.v1'] : [], { headers });
    this.closed = new Promise((told) => this.ws.on('close', (code, reason) => {
      this.over = true;
      this.#wake();
      told({ code, reason: reason.toString() });
    }));
    this.ws.on('error', () => {});
    this.ws.on('message', (bytes) => {
      this.frames.push(bytes.toString());
      this.#wake();
    });
    this.opened = new Promise((done) => this.ws.on('open', done));
  }

  static async open(server, options) {
    const chat = new Chat(server, options);
    await chat.opened;
    return chat;
  }

  say(message) {
    this.ws.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async next() {
    const late = Date.now() + WAIT_MS;
    while (this.#at === this.frames.length) {
      assert.ok(!this.over, `closed; came: ${this.frames.join('|')}`);
      assert.ok(Date.now() < late, `nothing more came; came: ${this.frames.join('|')}`);
      await new Promise((wake) => {
        this.#wake = wake;
        setTimeout(wake, 500).unref();
      });
    }
    return this.frames[this.#at++];
  }

  // Old dialect: the frames up to the blank one, without it.
  async plainAnswer() {
    const pieces = [];
    for (;;) {
      const piece = await this.next();
      if (piece.trim() === '') return pieces;
      pieces.push(piece);
    }
  }

  // Frames up to the one of this type, with it.
  async until(...types) {
    const seen = [];
    for (;;) {
      seen.push(JSON.parse(await this.next()));
      if (types.includes(seen.at(-1).type)) return seen;
    }
  }

  async close() {
    this.ws.close(1000);
    await this.closed;
  }
}

export const textOf = (frames) => frames.filter((f) => f.type === 'delta').map((f) => f.text).join('');
