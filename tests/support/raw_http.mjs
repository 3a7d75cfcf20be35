// SPDX-License-Identifier: AGPL-3.0-or-later
//
// An HTTP/1.1 client that can say wrong things: bytes out as told, replies in one by one.
//
//     const peer = await RawHttp.connect(server.url);
//     peer.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
//     const { status, headers, text } = await peer.reply();   // null at the server's end
//     await peer.end();       // half-close: our FIN, still reading
//     peer.destroy();
//
// Replies are read strictly: wrong framing throws.
import { once } from 'node:events';
import net from 'node:net';

export class RawHttp {
  #chunks = [];
  #length = 0;
  #wake = () => {};
  over = false; // the server has ended, or the connection broke
  error = null;

  static async connect(url, options = {}) {
    const { hostname, port } = new URL(url);
    const socket = net.connect({ host: hostname, port: Number(port), noDelay: true, allowHalfOpen: true, ...options });
    await once(socket, 'connect');
    return new RawHttp(socket);
  }

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#chunks.push(bytes);
      this.#length += bytes.length;
      this.#wake();
    });
    socket.on('error', (error) => { this.error = error; });
    for (const event of ['end', 'close']) {
      socket.on(event, () => {
        this.over = true;
        this.#wake();
      });
    }
  }

  write(bytes) {
    return new Promise((done) => this.socket.write(bytes, 'latin1', () => done()));
  }

  async end() {
    this.socket.end();
    if (!this.socket.writableFinished) await once(this.socket, 'finish');
  }

  destroy() {
    this.socket.destroy();
  }

  #all() {
    if (this.#chunks.length !== 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #use(count) {
    const bytes = this.#all();
    this.#chunks = [bytes.subarray(count)];
    this.#length -= count;
    return bytes.subarray(0, count);
  }

  async #more() {
    if (this.over) return false;
    await new Promise((done) => { this.#wake = done; });
    return true;
  }

  async #take(count) {
    while (this.#length < count) {
      if (!(await this.#more())) throw new Error(`the server ended ${count - this.#length} bytes too early`);
    }
    return this.#use(count);
  }

  async #through(mark) {
    for (;;) {
      const at = this.#all().indexOf(mark);
      if (at >= 0) return this.#use(at + mark.length).toString('latin1');
      if (!(await this.#more())) return null;
    }
  }

  // Resolves to everything that still comes, at the server's end.
  async rest() {
    while (await this.#more()) continue;
    return this.#use(this.#length);
  }

  async #body(method, status, headers) {
    if (method === 'HEAD' || status === 204 || status === 304 || status < 200) return Buffer.alloc(0);
    if (headers['transfer-encoding'] === 'chunked') {
      const parts = [];
      for (;;) {
        const size = parseInt(await this.#through('\r\n'), 16);
        parts.push(await this.#take(size));
        if ((await this.#take(2)).toString() !== '\r\n') throw new Error('a chunk without its end');
        if (size === 0) return Buffer.concat(parts);
      }
    }
    if (headers['content-length'] === undefined) return this.rest();
    return this.#take(Number(headers['content-length']));
  }

  // The next reply, or null when the server ended before the first byte of one.
  async reply(method = 'GET') {
    const head = await this.#through('\r\n\r\n');
    if (head === null) {
      if (this.#length > 0) throw new Error(`the server ended within a head: ${this.#all()}`);
      return null;
    }
    const [first, ...lines] = head.slice(0, -4).split('\r\n');
    const match = /^HTTP\/1\.1 (\d{3}) [A-Z][A-Za-z ]+$/.exec(first);
    if (!match) throw new Error(`no status line: ${first}`);
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(': ');
      const name = line.slice(0, colon).toLowerCase();
      if (colon < 1 || (name in headers && name === 'content-length')) throw new Error(`bad header: ${line}`);
      headers[name] = line.slice(colon + 2);
    }
    const status = Number(match[1]);
    const body = await this.#body(method, status, headers);
    return { status, headers, body, text: body.toString() };
  }
}
