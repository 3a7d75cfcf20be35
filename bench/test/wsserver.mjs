// SPDX-License-Identifier: AGPL-3.0-or-later
// A small HTTP and WebSocket server for trying the measuring tools: it does what it is told,
// also what a server must never do. Only what the tools need; the product's codec is in C.
import { createHash } from 'node:crypto';
import http from 'node:http';

const opcodes = { text: 1, close: 8, ping: 9, pong: 10 };

export function frame(opcode, payload) {
  const body = Buffer.from(payload);
  const head =
    body.length < 126
      ? Buffer.from([0x80 | opcode, body.length])
      : Buffer.from([0x80 | opcode, 126, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([head, body]);
}

// Frames of a client, which are always masked. Returns [{opcode, payload}], keeps the rest.
function takeFrames(state, bytes) {
  state.rest = Buffer.concat([state.rest, bytes]);
  const frames = [];
  for (;;) {
    const at = state.rest;
    if (at.length < 6) return frames;
    let length = at[1] & 0x7f;
    let head = 2;
    if (length === 126) {
      if (at.length < 8) return frames;
      length = at.readUInt16BE(2);
      head = 4;
    }
    if (!(at[1] & 0x80)) throw new Error('a client must mask');
    if (at.length < head + 4 + length) return frames;
    const mask = at.subarray(head, head + 4);
    const payload = Buffer.from(at.subarray(head + 4, head + 4 + length));
    for (let i = 0; i < length; i++) payload[i] ^= mask[i % 4];
    frames.push({ opcode: at[0] & 0x0f, payload: payload.toString() });
    state.rest = at.subarray(head + 4 + length);
  }
}

// Socket of one member: onMessage(text) and onClose() are its owner's.
function upgrade(request, socket, accepted) {
  const key = request.headers['sec-websocket-key'];
  const accept = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.setNoDelay(true);
  const member = {
    request,
    pongs: 0,
    onMessage: () => {},
    onClose: () => {},
    send: (text) => socket.write(frame(opcodes.text, text)),
    ping: (text) => socket.write(frame(opcodes.ping, text)),
    close: (code) => socket.end(frame(opcodes.close, Buffer.from([code >> 8, code & 0xff]))),
    raw: (bytes) => socket.write(bytes),
  };
  const state = { rest: Buffer.alloc(0) };
  socket.on('data', (bytes) => {
    for (const { opcode, payload } of takeFrames(state, bytes)) {
      if (opcode === opcodes.text) member.onMessage(payload);
      if (opcode === opcodes.pong) member.pongs++;
    }
  });
  socket.on('error', () => {});
  accepted(member);
}

// handlers: {request(request, response, body), member(member)}. Port of the kernel's choice.
export async function listen(handlers) {
  const members = new Set();
  const sockets = new Set();
  const server = http.createServer((request, response) => {
    let body = '';
    request.on('data', (piece) => (body += piece));
    request.on('end', () => handlers.request(request, response, body));
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request, socket) => {
    if (handlers.refuse?.(request)) {
      socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    upgrade(request, socket, (member) => {
      members.add(member);
      socket.on('close', () => {
        members.delete(member);
        member.onClose();
      });
      handlers.member?.(member);
    });
  });
  await new Promise((done) => server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }, done));
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}`,
    ws: `ws://127.0.0.1:${port}`,
    members,
    close: () =>
      new Promise((done) => {
        for (const socket of sockets) socket.destroy();
        server.close(done);
      }),
  };
}
