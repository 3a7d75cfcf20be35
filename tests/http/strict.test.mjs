// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What a request may look like (RFC 9112), byte by byte, and in which order replies come.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawHttp } from '../support/raw_http.mjs';
import { startServer } from '../support/server.mjs';

const HOST = 'Host: hutong.test\r\n';
const PLAIN = `GET /health/live HTTP/1.1\r\n${HOST}\r\n`;
const WAIT = { timeout: 20_000 };

let server, li;
before(async () => {
  server = await startServer();
  li = await server.register('lili');
});
after(() => server.stop());

async function withPeer(work) {
  const peer = await RawHttp.connect(server.url);
  try {
    return await work(peer);
  } finally {
    peer.destroy();
  }
}

const get = (headers, version = 'HTTP/1.1') => `GET /health/live ${version}\r\n${headers}\r\n`;
// A POST that would make a post, with the given framing headers and body.
const post = (framing, body = '', version = '1.1') =>
  `POST /posts HTTP/${version}\r\n${HOST}Authorization: Bearer ${li.token}\r\n` +
  `Content-Type: application/json\r\n${framing}\r\n${body}`;
const JSON_BODY = '{"content":"hello"}'; // 19 bytes, 13 in hexadecimal
const LENGTH = `Content-Length: ${JSON_BODY.length}\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked\r\n';
const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;
const LAST = '0\r\n\r\n';
const CHUNKS = chunk(JSON_BODY) + LAST;

const coding = (value) => () => post(`Transfer-Encoding:${value}\r\n`, CHUNKS);
const length = (value) => () => post(`Content-Length:${value}\r\n`, JSON_BODY);

// Whatever two parsers could read differently is refused, and the connection ends: what follows
// on it is nobody's request.
const REFUSED = [
  ['both lengths', () => post(LENGTH + CHUNKED, CHUNKS)],
  ['both lengths, the other way round', () => post(CHUNKED + LENGTH, CHUNKS)],
  ['two lengths that differ', () => post(`Content-Length: 5\r\n${LENGTH}`, JSON_BODY)],
  ['the same length twice', () => post(LENGTH + LENGTH, JSON_BODY)],
  ['a list of lengths', length(' 19, 19')],
  ['a negative length', length(' -1')],
  ['a length with a plus', length(' +19')],
  ['a length in hexadecimal', length(' 0x13')],
  ['an empty length', length(' ')],
  ['a length with a blank inside', length(' 1 9')],
  ['a length past 64 bits', length(' 18446744073709551617')],
  ['chunked, identity', coding(' chunked, identity')],
  ['identity', coding(' identity')],
  ['xchunked', coding(' xchunked')],
  ['chunkedx', coding(' chunkedx')],
  ['chunked;q=1', coding(' chunked;q=1')],
  ['"chunked" in quotes', coding(' "chunked"')],
  ['gzip, chunked, which is not offered', coding(' gzip, chunked')],
  ['chunked, chunked', coding(' chunked, chunked')],
  ['chunked behind a vertical tab', coding(' \x0bchunked')],
  ['an empty transfer coding', coding(' ')],
  ['chunked on two lines', () => post(CHUNKED + CHUNKED, CHUNKS)],
  ['chunked and identity on two lines', () => post(`${CHUNKED}Transfer-Encoding: identity\r\n`, CHUNKS)],
  ['identity and chunked on two lines', () => post(`Transfer-Encoding: identity\r\n${CHUNKED}`, CHUNKS)],
  ['a transfer coding in HTTP/1.0', () => post(CHUNKED, CHUNKS, '1.0')],
  ['a folded header', () => post(`X-Folded: one\r\n two\r\n${LENGTH}`, JSON_BODY)],
  ['a header folded by a tab', () => post(`X-Folded: one\r\n\ttwo\r\n${LENGTH}`, JSON_BODY)],
  ['a folded transfer coding', coding('\r\n chunked')],
  ['a blank before the first header', () => get(` ${HOST}`)],
  ['a blank before the colon', () => post('Content-Length : 19\r\n', JSON_BODY)],
  ['a blank before the colon of a name of ours', () => get(`${HOST}X-Request-Id : x\r\n`)],
  ['a blank in a name', () => get(`${HOST}Foo Bar: x\r\n`)],
  ['a second Host with a blank before its colon', () => get(`${HOST}Host : evil\r\n`)],
  ['a tab before the colon', () => post('Transfer-Encoding\t: chunked\r\n', CHUNKS)],
  ['a header without a colon', () => get(`${HOST}Nonsense\r\n`)],
  ['a header without a name', () => get(`${HOST}: nothing\r\n`)],
  ['a name that is no token', () => get(`${HOST}X(Y): z\r\n`)],
  ['bare LF after the request line', () => `GET /health/live HTTP/1.1\n${HOST}\r\n`],
  ['bare LF after a header', () => get('Host: x\nX-A: b\r\n')],
  ['bare LF all along', () => 'GET /health/live HTTP/1.1\nHost: x\n\n'],
  ['a bare CR in a value', () => get(`${HOST}X-A: b\rTransfer-Encoding: chunked\r\n`)],
  ['a bare CR at the end of a header', () => get(`${HOST}X-A: b\r\r\n`)],
  ['a bare CR in the request line', () => get(HOST, '\rHTTP/1.1')],
  ['NUL in a value', () => get(`${HOST}X-A: b\0c\r\n`)],
  ['NUL in a name', () => get(`${HOST}X\0A: b\r\n`)],
  ['NUL in the target', () => `GET /health\0/live HTTP/1.1\r\n${HOST}\r\n`],
  ['a control character in a value', () => get(`${HOST}X-A: b\x01c\r\n`)],
  ['two Hosts', () => get(`${HOST}Host: other\r\n`)],
  ['the same Host twice', () => get(HOST + HOST)],
  ['no Host', () => get('')],
  ['a Host with a blank inside', () => get('Host: a b\r\n')],
  ['a Host with a user', () => get('Host: mei@x\r\n')],
  ['a Host with a path', () => get('Host: x/y\r\n')],
  ['a Host whose port is none', () => get('Host: x:http\r\n')],
  ['no version', () => `GET /health/live\r\n${HOST}\r\n`],
  ['HTTP/2.0', () => get(HOST, 'HTTP/2.0')],
  ['HTTP/0.9', () => get(HOST, 'HTTP/0.9')],
  ['HTTP/1.2', () => get(HOST, 'HTTP/1.2')],
  ['http/1.1 in small letters', () => get(HOST, 'http/1.1')],
  ['a version with too many digits', () => get(HOST, 'HTTP/1.10')],
  ['the preface of HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a method in small letters', () => `get /health/live HTTP/1.1\r\n${HOST}\r\n`, 501],
  ['a method nobody knows', () => `FROB /health/live HTTP/1.1\r\n${HOST}\r\n`, 501],
  ['a method that is no token', () => `GE(T /health/live HTTP/1.1\r\n${HOST}\r\n`],
  ['a blank in the target', () => `GET /health /live HTTP/1.1\r\n${HOST}\r\n`],
  ['a tab in the request line', () => `GET\t/health/live HTTP/1.1\r\n${HOST}\r\n`],
  ['a target without a slash', () => `GET health/live HTTP/1.1\r\n${HOST}\r\n`],
  ['TLS where plain text is spoken', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
];

async function isTheEnd(peer, status) {
  const reply = await peer.reply();
  assert.ok(reply, `no answer: ${peer.error}`);
  assert.equal(reply.status, status, reply.text);
  assert.match(reply.headers['content-type'], /problem\+json/);
  assert.equal(reply.headers.connection, 'close');
  assert.ok(JSON.parse(reply.text).detail.length > 10);
  assert.equal(await peer.reply(), null, 'what followed was answered');
}

describe('a request that two parsers could read differently is refused and the connection ends', () => {
  for (const [name, build, status = 400] of REFUSED) {
    test(name, WAIT, () => withPeer(async (peer) => {
      await peer.write(build() + PLAIN);
      await isTheEnd(peer, status);
    }));
  }
});

const BAD_CHUNKS = [
  ['a size that is no number', `xyz\r\n${JSON_BODY}\r\n${LAST}`],
  ['an empty size', `\r\n${JSON_BODY}\r\n${LAST}`],
  ['a negative size', `-13\r\n${JSON_BODY}\r\n${LAST}`],
  ['a size with 0x', `0x13\r\n${JSON_BODY}\r\n${LAST}`],
  ['a blank before the size', ` 13\r\n${JSON_BODY}\r\n${LAST}`],
  ['a size past 64 bits', `10000000000000013\r\n${JSON_BODY}\r\n${LAST}`],
  ['bare LF behind the size', `13\n${JSON_BODY}\r\n${LAST}`],
  ['bare CR behind the size', `13\r${JSON_BODY}\r\n${LAST}`],
  ['CR and another letter behind the size', `13\rX${JSON_BODY}\r\n${LAST}`],
  ['data longer than its size', `12\r\n${JSON_BODY}\r\n${LAST}`],
  ['data shorter than its size', `14\r\n${JSON_BODY}\r\n${LAST}`],
  ['bare LF behind the data', `13\r\n${JSON_BODY}\n${LAST}`],
  ['CR and another letter behind the data', `13\r\n${JSON_BODY}\rX${LAST}`],
  ['bare LF in an extension', `13;a=b\nX\r\n${JSON_BODY}\r\n${LAST}`],
  ['bare CR in an extension', `13;a=\rb\r\n${JSON_BODY}\r\n${LAST}`],
  ['NUL in an extension', `13;a=\0b\r\n${JSON_BODY}\r\n${LAST}`],
  ['bare LF behind the last chunk', `${chunk(JSON_BODY)}0\n\n`],
  ['bare LF in a trailer', `${chunk(JSON_BODY)}0\r\nX-A: b\nX-C: d\r\n\r\n`],
  ['bare CR in a trailer', `${chunk(JSON_BODY)}0\r\nX-A: b\rX-C: d\r\n\r\n`],
  ['a folded trailer', `${chunk(JSON_BODY)}0\r\nX-A: b\r\n c\r\n\r\n`],
  ['a blank before the colon of a trailer', `${chunk(JSON_BODY)}0\r\nX-A : b\r\n\r\n`],
];

describe('a badly chunked body is refused, nothing is stored and the connection ends', () => {
  for (const [name, body] of BAD_CHUNKS) {
    test(name, WAIT, () => withPeer(async (peer) => {
      const count = (await server.api('GET', '/posts')).body.total;
      await peer.write(post(CHUNKED, body) + PLAIN);
      await isTheEnd(peer, 400);
      assert.equal((await server.api('GET', '/posts')).body.total, count);
    }));
  }
});

const TAKEN = [
  ['a length', () => post(LENGTH, JSON_BODY), 201],
  ['chunks', () => post(CHUNKED, CHUNKS), 201],
  ['CHUNKED in capitals', () => post('TRANSFER-ENCODING: CHUNKED\r\n', CHUNKS), 201],
  ['chunks of one byte', () => post(CHUNKED, [...JSON_BODY].map(chunk).join('') + LAST), 201],
  ['sizes with leading zeros', () => post(CHUNKED, `000013\r\n${JSON_BODY}\r\n000\r\n\r\n`), 201],
  ['chunk extensions, which mean nothing here', () =>
    post(CHUNKED, `13;name=value\r\n${JSON_BODY}\r\n0;last\r\n\r\n`), 201],
  ['trailers, which are dropped', () =>
    post(CHUNKED, `${chunk(JSON_BODY)}0\r\nX-Sum: 1\r\nAuthorization: Bearer no\r\n\r\n`), 201],
  ['an empty line before the request', () => `\r\n${PLAIN}`, 200],
  ['absolute-form', () => `GET http://hutong.test/health/live HTTP/1.1\r\n${HOST}\r\n`, 200],
  ['absolute-form with a query', () => `GET http://hutong.test/posts?page_size=1 HTTP/1.1\r\n${HOST}\r\n`, 200],
  ['no blank behind the colon', () => get('Host:x\r\n'), 200],
  ['blanks around a value', () => get('Host: \t x \t \r\n'), 200],
  ['an empty Host', () => get('Host: \r\n'), 200],
  ['letters past ASCII in a value', () => get(`${HOST}X-A: \xe8\x83\xa1\r\n`), 200],
  ['an upgrade nobody offers', () => get(`${HOST}Connection: Upgrade\r\nUpgrade: h2c\r\n`), 200],
  ['an upgrade with a body', () => post(`Connection: Upgrade\r\nUpgrade: websocket\r\n${LENGTH}`, JSON_BODY), 201],
];

describe('a proper request is taken and the connection stays', () => {
  for (const [name, build, status] of TAKEN) {
    test(name, WAIT, () => withPeer(async (peer) => {
      await peer.write(build());
      const reply = await peer.reply();
      assert.equal(reply?.status, status, reply?.text);
      await peer.write(PLAIN);
      assert.equal((await peer.reply())?.status, 200);
    }));
    test(`${name}, byte by byte`, WAIT, () => withPeer(async (peer) => {
      for (const byte of build()) await peer.write(byte);
      await peer.write(PLAIN);
      assert.equal((await peer.reply())?.status, status);
      assert.equal((await peer.reply())?.status, 200);
    }));
  }
});

test('an absolute target names the host, whatever Host says (RFC 9112, 3.2.2)', WAIT, () => withPeer(async (peer) => {
  await peer.write(`GET http://real.test:81/posts/ HTTP/1.1\r\nHost: other.test\r\n\r\n`);
  const reply = await peer.reply();
  assert.equal(reply.status, 307, reply.text);
  assert.equal(reply.headers.location, 'http://real.test:81/posts');
}));

test('a broken WebSocket handshake is 400, another version 426 (RFC 6455, 4.2.2 and 4.4)', WAIT, () => withPeer(async (peer) => {
  const shake = (version, key) => `GET /live HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n`
    + `Sec-WebSocket-Version: ${version}\r\n${key}\r\n`;
  for (const [bytes, status] of [[shake(13, ''), 400], [shake(13, 'Sec-WebSocket-Key: no\r\n'), 400], [shake(12, ''), 426]]) {
    await peer.write(bytes);
    assert.equal((await peer.reply()).status, status);
  }
}));

test('a WebSocket handshake may say its lists in several lines (RFC 9110, 5.3)', WAIT, () => withPeer(async (peer) => {
  await peer.write(`GET /live HTTP/1.1\r\n${HOST}Connection: keep-alive\r\nConnection: Upgrade\r\n`
    + 'Upgrade: h2c\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
    + 'Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: hutong.v1\r\n\r\n');
  const { status, headers } = await peer.reply('HEAD');
  assert.equal(status, 101);
  assert.equal(headers['sec-websocket-protocol'], 'hutong.v1');
}));

test('HEAD of a stream is its head, and the next request is answered', WAIT, () => withPeer(async (peer) => {
  await peer.write(`HEAD /live/events?topics=feed HTTP/1.1\r\n${HOST}Authorization: Bearer ${li.token}\r\n\r\n${PLAIN}`);
  const { status, headers } = await peer.reply('HEAD');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'text/event-stream');
  assert.equal(headers['transfer-encoding'], 'chunked');
  const next = await peer.reply();
  assert.deepEqual([next.status, next.headers['content-type']], [200, 'application/json']);
}));

describe('a body that went through a coding', () => {
  test('is refused with what would be taken, and nothing is stored', WAIT, () => withPeer(async (peer) => {
    const count = (await server.api('GET', '/posts')).body.total;
    await peer.write(post(`Content-Encoding: gzip\r\n${LENGTH}`, JSON_BODY));
    const reply = await peer.reply();
    assert.equal(reply.status, 415, reply.text);
    assert.equal(reply.headers['accept-encoding'], 'identity');
    assert.match(JSON.parse(reply.text).detail, /without Content-Encoding/);
    assert.equal((await server.api('GET', '/posts')).body.total, count);
  }));

  test('called identity is none', WAIT, () => withPeer(async (peer) => {
    await peer.write(post(`Content-Encoding: identity\r\n${LENGTH}`, JSON_BODY));
    assert.equal((await peer.reply()).status, 201);
  }));
});

describe('HTTP/1.0', () => {
  test('needs no Host and ends the connection', WAIT, () => withPeer(async (peer) => {
    await peer.write('GET /health/live HTTP/1.0\r\n\r\n');
    const reply = await peer.reply();
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.connection, 'close');
    assert.equal(await peer.reply(), null);
  }));

  test('keeps the connection when asked to', WAIT, () => withPeer(async (peer) => {
    for (let i = 0; i < 3; i++) {
      await peer.write('GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      const reply = await peer.reply();
      assert.equal(reply.status, 200);
      assert.equal(reply.headers.connection, 'keep-alive');
    }
  }));

  test('is not told to continue (RFC 9110, 10.1.1)', WAIT, () => withPeer(async (peer) => {
    await peer.write(post(`Expect: 100-continue\r\n${LENGTH}`, '', '1.0'));
    await peer.write(JSON_BODY);
    assert.equal((await peer.reply()).status, 201);
  }));
});

describe('keep-alive and pipelining', () => {
  test('a hundred requests in one write are answered in order', WAIT, () => withPeer(async (peer) => {
    let all = '';
    for (let i = 0; i < 100; i++) all += get(`${HOST}X-Request-Id: n${i}\r\n`);
    await peer.write(all);
    for (let i = 0; i < 100; i++) {
      const reply = await peer.reply();
      assert.equal(reply.status, 200);
      assert.equal(reply.headers['x-request-id'], `n${i}`);
    }
  }));

  test('changes, reads and errors in one write keep their order', WAIT, () => withPeer(async (peer) => {
    const steps = [];
    let all = '';
    for (let i = 0; i < 10; i++) {
      const body = JSON.stringify({ content: `pipelined ${i}` });
      const id = (kind) => `X-Request-Id: ${kind}${i}\r\n`;
      all += post(`${id('write')}Content-Length: ${body.length}\r\n`, body);
      all += `GET /posts?page_size=1 HTTP/1.1\r\n${HOST}${id('read')}\r\n`;
      all += `GET /nowhere HTTP/1.1\r\n${HOST}${id('none')}\r\n`;
      all += post(`${id('chunked')}${CHUNKED}`, CHUNKS);
      steps.push([`write${i}`, 201], [`read${i}`, 200, `pipelined ${i}`], [`none${i}`, 404], [`chunked${i}`, 201]);
    }
    await peer.write(all);
    for (const [id, status, content] of steps) {
      const reply = await peer.reply();
      assert.equal(reply.headers['x-request-id'], id);
      assert.equal(reply.status, status, reply.text);
      if (content) assert.equal(JSON.parse(reply.text).items[0].content, content);
    }
  }));

  test('a client that pipelines more than is held is held back and loses nothing', WAIT, () => withPeer(async (peer) => {
    const one = get(`${HOST}X-Filler: ${'f'.repeat(2000)}\r\n`);
    peer.write(post(LENGTH, JSON_BODY) + one.repeat(500)); // 1 MiB behind one that waits for its commit
    assert.equal((await peer.reply()).status, 201);
    for (let i = 0; i < 500; i++) assert.equal((await peer.reply())?.status, 200);
  }));

  test('Connection: close ends it after the reply', WAIT, () => withPeer(async (peer) => {
    await peer.write(get(`${HOST}Connection: close\r\n`) + PLAIN);
    assert.equal((await peer.reply()).headers.connection, 'close');
    assert.equal(await peer.reply(), null, 'what followed was answered');
  }));

  test('HEAD is GET without the body', WAIT, () => withPeer(async (peer) => {
    await peer.write(`HEAD /posts HTTP/1.1\r\n${HOST}\r\n${PLAIN}`);
    const head = await peer.reply('HEAD');
    assert.equal(head.status, 200);
    assert.ok(Number(head.headers['content-length']) > 20);
    assert.equal((await peer.reply()).status, 200);
  }));

  test('CONNECT is refused and ends the connection: to a proxy a tunnel begins here', WAIT, () => withPeer(async (peer) => {
    await peer.write(`CONNECT hutong.test:80 HTTP/1.1\r\n${HOST}\r\n${PLAIN}`);
    const reply = await peer.reply();
    assert.ok(reply.status >= 400 && reply.status < 500, String(reply.status));
    assert.equal(await peer.reply(), null, 'what followed was answered');
  }));
});

describe('Expect: 100-continue', () => {
  test('is told to go on, then answered', WAIT, () => withPeer(async (peer) => {
    await peer.write(post(`Expect: 100-continue\r\n${LENGTH}`));
    assert.equal((await peer.reply()).status, 100);
    await peer.write(JSON_BODY);
    assert.equal((await peer.reply()).status, 201);
  }));

  test('is refused before the body when the head says enough', WAIT, () => withPeer(async (peer) => {
    await peer.write(`POST /posts HTTP/1.1\r\n${HOST}Expect: 100-continue\r\n${LENGTH}\r\n`);
    await isTheEnd(peer, 401);
  }));

  test('is refused when the body would be too large', WAIT, () => withPeer(async (peer) => {
    await peer.write(post('Expect: 100-continue\r\nContent-Length: 10000000\r\n'));
    await isTheEnd(peer, 413);
  }));
});

describe('sizes', () => {
  const filled = (bytes) => {
    let head = `GET /health/live HTTP/1.1\r\n${HOST}`;
    while (head.length + 2 < bytes) head += `X-F: ${'f'.repeat(Math.max(0, Math.min(1000, bytes - head.length - 9)))}\r\n`;
    return `${head}\r\n`;
  };

  test('a head just below 16 KiB is taken', WAIT, () => withPeer(async (peer) => {
    await peer.write(filled(16 * 1024 - 20));
    assert.equal((await peer.reply()).status, 200);
  }));

  test('a head over 16 KiB is refused with 431', WAIT, () => withPeer(async (peer) => {
    await peer.write(filled(16 * 1024 + 20) + PLAIN);
    await isTheEnd(peer, 431);
  }));

  test('a head without end is refused at 16 KiB', WAIT, () => withPeer(async (peer) => {
    peer.write(`GET /health/live HTTP/1.1\r\nX-F: ${'f'.repeat(1024 * 1024)}`);
    await isTheEnd(peer, 431);
  }));

  test('64 headers are taken, 65 are refused with 431', WAIT, () => withPeer(async (peer) => {
    const many = (count) => get(HOST + 'X-A: b\r\n'.repeat(count - 1));
    await peer.write(many(64));
    assert.equal((await peer.reply()).status, 200);
    await peer.write(many(65));
    await isTheEnd(peer, 431);
  }));

  for (const length of [9000, 70_000]) {
    test(`an address of ${length} bytes is refused with 414`, WAIT, () => withPeer(async (peer) => {
      peer.write(`GET /posts?q=${'a'.repeat(length)} HTTP/1.1\r\n${HOST}\r\n`);
      await isTheEnd(peer, 414);
    }));
  }

  test('a chunked body over its ceiling is refused with 413 while it comes', WAIT, () => withPeer(async (peer) => {
    peer.write(post(CHUNKED, chunk('x'.repeat(60_000)).repeat(20)));
    await isTheEnd(peer, 413);
  }));
});
