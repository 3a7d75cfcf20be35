// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Requests byte by byte, for what fetch would never send.
import net from 'node:net';
import { gunzipSync } from 'node:zlib';

const TIMEOUT_MS = 20000;

// One whole reply at the start of `bytes`, or undefined when there is none yet.
function parseReply(bytes, method) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [line, ...rows] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const headers = new Headers();
  for (const row of rows) {
    const colon = row.indexOf(':');
    headers.append(row.slice(0, colon), row.slice(colon + 1).trim());
  }
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)[1]);
  const bodiless = method === 'HEAD' || status === 204 || status === 304 || status < 200;
  const length = bodiless ? 0 : Number(headers.get('content-length') ?? 0);
  const whole = end + 4 + length;
  if (bytes.length < whole) return undefined;
  const body = bytes.subarray(end + 4, whole);
  const text = (headers.get('content-encoding') === 'gzip' ? gunzipSync(body) : body).toString();
  const isJson = /json/.test(headers.get('content-type') ?? '');
  return { reply: { status, headers, text, body: isJson && text ? JSON.parse(text) : undefined }, whole };
}

// Send `text` as it is; gives the replies when there are `count` of them or the server has closed.
// `methods`: of the requests, where one is HEAD. `goOn`: gives what to send after the first reply,
// which may be 100 Continue.
export function rawHttp(url, text, { count = 1, methods = [], goOn } = {}) {
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    const socket = net.connect(Number(port), hostname);
    const replies = [];
    let bytes = Buffer.alloc(0);
    const finish = (closed) => {
      clearTimeout(timer);
      socket.destroy();
      done({ replies, closed, rest: bytes.toString('latin1') });
    };
    const timer = setTimeout(() => {
      socket.destroy();
      fail(new Error(`${replies.length} of ${count} replies came in ${TIMEOUT_MS} ms`));
    }, TIMEOUT_MS);
    socket.on('connect', () => socket.write(text));
    socket.on('data', (piece) => {
      bytes = Buffer.concat([bytes, piece]);
      for (let found; (found = parseReply(bytes, methods[replies.length])) !== undefined;) {
        bytes = bytes.subarray(found.whole);
        replies.push(found.reply);
        if (goOn && replies.length === 1) goOn().then((more) => socket.write(more), fail);
      }
      if (replies.length >= count) finish(false);
    });
    socket.on('close', () => finish(true));
    socket.on('error', (error) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return; // 'close' follows
      clearTimeout(timer);
      fail(error);
    });
  });
}
