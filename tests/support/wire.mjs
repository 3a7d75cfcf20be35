// SPDX-License-Identifier: AGPL-3.0-or-later
//
// HTTP/1.1 by hand, for tests that must see what fetch() hides: which connection a
// request took, whether it ended by FIN or by a reset, what came before it did.
//
//     const wire = await Wire.open(port);
//     const reply = await wire.ask('GET', '/health');   // { status, headers, text, json() }
//     wire.close();
//
// ask() fails with an error whose `fate` is 'closed' (a clean end before the first byte of
// a reply: RFC 9112, 9.3.1 lets a client ask again) or 'broken' (everything else).
import net from 'node:net';

const ASK_MS = 20000;

function failure(fate, message) {
  return Object.assign(new Error(message), { fate });
}

export class Wire {
  static open(port, { host = '127.0.0.1' } = {}) {
    return new Promise((done, fail) => {
      const socket = net.connect({ port, host, noDelay: true });
      socket.once('error', (error) => fail(failure('broken', `connect: ${error.code}`)));
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        done(new Wire(socket));
      });
    });
  }

  constructor(socket) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.ended = false; // nothing more will come
    this.finished = false; // the peer said FIN
    this.last = false; // the reply said Connection: close
    this.wake = () => {};
    socket.on('data', (bytes) => { this.bytes = Buffer.concat([this.bytes, bytes]); this.wake(); });
    socket.on('end', () => { this.ended = this.finished = true; this.wake(); });
    socket.on('error', (error) => { this.error = error; this.ended = true; this.wake(); });
    socket.on('close', () => { this.ended = true; this.wake(); });
  }

  send(method, target, { token, json, headers = {} } = {}) {
    const body = json === undefined ? '' : JSON.stringify(json);
    const all = { host: 'localhost', ...headers };
    if (token) all.authorization = `Bearer ${token}`;
    if (json !== undefined) all['content-type'] = 'application/json';
    if (json !== undefined) all['content-length'] = Buffer.byteLength(body);
    const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    this.socket.write(`${method} ${target} HTTP/1.1\r\n${head}\r\n${body}`);
  }

  async more(late) {
    if (this.ended) {
      if (this.bytes.length === 0 && this.finished && !this.error) throw failure('closed', 'closed');
      throw failure('broken', this.error ? this.error.code : `cut off after ${this.bytes.length} bytes`);
    }
    await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(failure('broken', 'no answer')), late - Date.now());
      this.wake = () => { clearTimeout(timer); done(); };
    });
  }

  // The next reply; its length must be given by Content-Length.
  async reply() {
    const late = Date.now() + ASK_MS;
    let end;
    while ((end = this.bytes.indexOf('\r\n\r\n')) < 0) await this.more(late);
    const [first, ...lines] = this.bytes.toString('latin1', 0, end).split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const length = Number(headers['content-length'] ?? 0);
    while (this.bytes.length < end + 4 + length) await this.more(late);
    const text = this.bytes.toString('utf8', end + 4, end + 4 + length);
    this.bytes = this.bytes.subarray(end + 4 + length);
    this.last = headers.connection === 'close';
    return { status: Number(first.split(' ')[1]), headers, text, json: () => JSON.parse(text) };
  }

  async ask(method, target, options) {
    this.send(method, target, options);
    return this.reply();
  }

  // Until the peer has ended the connection; what came meanwhile.
  async end() {
    const late = Date.now() + ASK_MS;
    while (!this.ended) await this.more(late);
    return { clean: this.finished && !this.error, bytes: this.bytes };
  }

  close() {
    this.socket.destroy();
  }
}
