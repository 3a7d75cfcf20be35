// SPDX-License-Identifier: AGPL-3.0-or-later
//
// tests/live/raw_ws.mjs: a WebSocket client that can say wrong things.
//
// Frames are made by hand and bytes are written as they are told, so tests can
// break every rule of RFC 6455. What the server says is judged strictly: a
// masked, reserved, badly fragmented or needlessly long frame of its own throws.
//
//     const ws = await connect({ host, port, path, headers });
//     await ws.write(frame(OP.text, "hello"));
//     const { op, payload } = await ws.next(); // null when the server has ended
//     ws.destroy();

import { createHash, randomBytes } from "node:crypto";
import net from "node:net";

export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
// Each byte of it turns every bit pattern into another; a test repeats best with a fixed key.
const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

function lengthField(length) {
  if (length < 126) return Buffer.from([0x80 | length]);
  const wide = length > 0xffff;
  const field = Buffer.alloc(wide ? 9 : 3);
  field[0] = 0x80 | (wide ? 127 : 126);
  if (wide) field.writeBigUInt64BE(BigInt(length), 1);
  else field.writeUInt16BE(length, 1);
  return field;
}

// A client's frame. `payload` is text or bytes.
export function frame(op, payload = "", { fin = true, rsv = 0 } = {}) {
  const plain = Buffer.from(payload);
  const head = Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | op]),
    lengthField(plain.length),
    KEY,
  ]);
  const bytes = Buffer.allocUnsafe(head.length + plain.length);
  head.copy(bytes);
  for (let i = 0; i < plain.length; i++) bytes[head.length + i] = plain[i] ^ KEY[i & 3];
  return bytes;
}

export function closePayload(code, reason = "") {
  const bytes = Buffer.from([code >> 8, code & 0xff]);
  return Buffer.concat([bytes, Buffer.from(reason)]);
}

// Code of a close frame's payload, 1005 when it has none.
export function closeCode(payload) {
  return payload.length === 0 ? 1005 : payload.readUInt16BE(0);
}

// Bytes as they came, waited for by number.
class Inbox {
  #chunks = [];
  #length = 0;
  #wake = () => {};
  #over = false;
  error = null;

  constructor(socket) {
    socket.on("data", (chunk) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
      this.#wake();
    });
    socket.on("error", (error) => (this.error = error));
    for (const event of ["end", "close"]) {
      socket.on(event, () => {
        this.#over = true;
        this.#wake();
      });
    }
  }

  // Exactly `count` bytes, or null when the other side ended before the first of them.
  async take(count) {
    while (this.#length < count && !this.#over) {
      await new Promise((resolve) => (this.#wake = resolve));
    }
    if (this.#length < count) {
      if (this.#length > 0) throw new Error("the server ended within a frame");
      return null;
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#length -= count;
    this.#chunks = this.#length > 0 ? [all.subarray(count)] : [];
    return all.subarray(0, count);
  }
}

class RawWebSocket {
  #socket;
  #inbox;

  constructor(socket, inbox) {
    this.#socket = socket;
    this.#inbox = inbox;
  }

  // Resolves when the kernel has the bytes. A server that has hung up already is no error here:
  // what it said before is still to be read.
  async write(bytes) {
    await new Promise((resolve) => this.#socket.write(bytes, resolve));
  }

  // Within a frame there must be more.
  async #must(count) {
    const bytes = await this.#inbox.take(count);
    if (bytes === null) throw new Error("the server ended within a frame");
    return bytes;
  }

  async #frame() {
    const start = await this.#inbox.take(2);
    if (start === null) return null;
    const [first, second] = start;
    if (first & 0x70) throw new Error("the server set a reserved bit");
    if (second & 0x80) throw new Error("the server masked a frame");
    let length = second & 0x7f;
    if (length >= 126) {
      const bytes = length === 126 ? 2 : 8;
      const field = await this.#must(bytes);
      length = bytes === 2 ? field.readUInt16BE(0) : Number(field.readBigUInt64BE(0));
      if (length < (bytes === 2 ? 126 : 0x10000)) throw new Error("the server wasted length bytes");
    }
    const payload = length > 0 ? await this.#must(length) : Buffer.alloc(0);
    return { fin: (first & 0x80) !== 0, op: first & 0x0f, payload };
  }

  // The next control frame or whole message, or null at the server's end of the stream.
  async next() {
    let op = null;
    const parts = [];
    for (;;) {
      const got = await this.#frame();
      if (got === null && op !== null) throw new Error("the server ended within a message");
      if (got === null) return null;
      if (!Object.values(OP).includes(got.op)) throw new Error(`the server sent opcode ${got.op}`);
      if (got.op >= OP.close) {
        if (!got.fin || got.payload.length > 125) throw new Error("bad control frame");
        if (op !== null) throw new Error("control frames within a message are not expected here");
        return { op: got.op, payload: got.payload };
      }
      if ((got.op === OP.continuation) !== (op !== null)) throw new Error("bad fragmentation");
      op ??= got.op;
      parts.push(got.payload);
      if (got.fin) return { op, payload: parts.length === 1 ? parts[0] : Buffer.concat(parts) };
    }
  }

  // What the socket itself had to complain about, or null.
  get error() {
    return this.#inbox.error;
  }

  destroy() {
    this.#socket.destroy();
  }
}

async function readHead(inbox) {
  let head = "";
  while (!head.endsWith("\r\n\r\n")) {
    const byte = await inbox.take(1);
    if (byte === null) throw new Error(`no WebSocket here, the server said: ${head || "nothing"}`);
    head += byte.toString("latin1");
  }
  return head;
}

// Connect and shake hands. `signal` aborts whatever is waited for later.
export async function connect({ host, port, path = "/", headers = {} }, { signal } = {}) {
  const socket = net.connect({ host, port, noDelay: true });
  const inbox = new Inbox(socket);
  signal?.addEventListener("abort", () => socket.destroy(), { once: true });

  const key = randomBytes(16).toString("base64");
  const lines = {
    Host: `${host}:${port}`,
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": key,
    "Sec-WebSocket-Version": "13",
    ...headers,
  };
  const fields = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\n${fields.join("")}\r\n`);
  try {
    const head = await readHead(inbox);
    const accept = createHash("sha1").update(key + GUID).digest("base64");
    const answer = /^sec-websocket-accept:[ \t]*(\S+)[ \t]*\r$/im.exec(head)?.[1];
    if (!/^HTTP\/1\.1 101 /.test(head) || answer !== accept) throw new Error(`refused: ${head}`);
    if (/^sec-websocket-extensions:/im.test(head)) throw new Error("an extension nobody asked for");
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return new RawWebSocket(socket, inbox);
}
