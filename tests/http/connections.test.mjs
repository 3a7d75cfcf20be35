// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How long and how many: slow, silent, greedy and vanished clients.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { RawHttp } from '../support/raw_http.mjs';
import { startServer } from '../support/server.mjs';
import { metric, until } from '../support/watch.mjs';

const HOST = 'Host: hutong.test\r\n';
const PLAIN = `GET /health/live HTTP/1.1\r\n${HOST}\r\n`;
const WAIT = { timeout: 60_000 };

const jsonPost = (token, body, headers = '') =>
  `POST /posts HTTP/1.1\r\n${HOST}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
  `Content-Length: ${body.length}\r\n${headers}\r\n${body}`;

// A trickle of bytes until the server ends; returns its replies' statuses and the seconds it took.
async function trickle(peer, start, drop) {
  const began = Date.now();
  await peer.write(start);
  const timer = setInterval(() => peer.socket.write(drop), 100);
  try {
    const reply = await peer.reply();
    const end = reply ? await peer.reply() : null;
    return { reply, end, seconds: (Date.now() - began) / 1000 };
  } finally {
    clearInterval(timer);
    peer.destroy();
  }
}

describe('slow clients', { concurrency: true }, () => {
  let server, li;
  before(async () => {
    server = await startServer({
      env: { HUTONG_HEAD_TIMEOUT: '1', HUTONG_BODY_TIMEOUT: '1', HUTONG_IDLE_TIMEOUT: '2' },
    });
    li = await server.register('lili');
  });
  after(() => server.stop());

  test('a head that trickles in is ended with 408 in time', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const { reply, end, seconds } = await trickle(peer, `GET /health/live HTTP/1.1\r\n${HOST}X-Slow: `, 'a');
    assert.equal(reply?.status, 408);
    assert.equal(end, null);
    assert.ok(seconds < 6, `${seconds} s`);
  });

  test('a second request that trickles in is ended too', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    await peer.write(PLAIN);
    assert.equal((await peer.reply()).status, 200);
    const { reply, seconds } = await trickle(peer, 'GET /health/li', 'v');
    assert.equal(reply?.status, 408);
    assert.ok(seconds < 6, `${seconds} s`);
  });

  test('a body whose first byte never comes is ended with 408', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const began = Date.now();
    await peer.write(jsonPost(li.token, 'x'.repeat(100)).slice(0, -100));
    assert.equal((await peer.reply())?.status, 408);
    assert.equal(await peer.reply(), null);
    assert.ok(Date.now() - began < 6000);
    peer.destroy();
  });

  test('a body that stops half-way is ended with 408', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    await peer.write(jsonPost(li.token, JSON.stringify({ content: 'half' })).slice(0, -5));
    assert.equal((await peer.reply())?.status, 408);
    assert.equal(await peer.reply(), null);
    peer.destroy();
  });

  test('an upload that stops half-way is ended with 408', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    await peer.write(['POST /files/upload HTTP/1.1', 'Host: x', `Authorization: Bearer ${li.token}`,
      'Content-Type: multipart/form-data; boundary=b', 'Content-Length: 5000', '',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\nhalf'].join('\r\n'));
    assert.equal((await peer.reply())?.status, 408);
    assert.equal(await peer.reply(), null);
    peer.destroy();
  });

  test('a body that trickles in is ended with 408, however long it could go on', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const head = jsonPost(li.token, 'x'.repeat(20_000)).slice(0, -20_000);
    const { reply, end, seconds } = await trickle(peer, head, 'x');
    assert.equal(reply?.status, 408);
    assert.equal(end, null);
    assert.ok(seconds < 6, `${seconds} s`);
  });

  test('a body that comes slowly but surely is taken', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const body = JSON.stringify({ content: 'slow', unknown: 'x'.repeat(12_000) });
    const began = Date.now();
    await peer.write(jsonPost(li.token, body).slice(0, -body.length));
    const timer = setInterval(() => {
      peer.socket.write(body.slice(sent, sent + 400));
      sent += 400;
    }, 100);
    let sent = 0;
    const reply = await peer.reply();
    clearInterval(timer);
    assert.equal(reply?.status, 201);
    assert.ok(Date.now() - began > 2000, 'longer than the pause that a body may make');
    peer.destroy();
  });

  test('a client that says nothing is let go without a word', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    assert.equal(await peer.reply(), null);
    peer.destroy();
  });

  test('an idle connection is let go after its time, not earlier', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const began = Date.now();
    await peer.write(PLAIN);
    assert.equal((await peer.reply()).status, 200);
    assert.equal(await peer.reply(), null);
    const seconds = (Date.now() - began) / 1000;
    assert.ok(seconds >= 1.9 && seconds < 7, `${seconds} s`);
    peer.destroy();
  });

  test('blank lines do not keep a connection open for ever', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const { seconds } = await trickle(peer, '\r\n', '\r\n');
    assert.ok(seconds < 8, `${seconds} s`);
  });
});

describe('how many', () => {
  test('connections past the limit for one address are told 429, and there is room again after', WAIT, async () => {
    const server = await startServer({ env: { HUTONG_CONNECTIONS_PER_ADDRESS: '5', HUTONG_LOOPS: '2' } });
    const peers = [];
    for (let i = 0; i < 5; i++) {
      const peer = await RawHttp.connect(server.url);
      await peer.write(PLAIN);
      assert.equal((await peer.reply()).status, 200);
      peers.push(peer);
    }
    const sixth = await RawHttp.connect(server.url);
    const refusal = await sixth.reply();
    assert.equal(refusal.status, 429);
    assert.ok(Number(refusal.headers['retry-after']) > 0);
    assert.match(JSON.parse(refusal.text).detail, /too many connections/);
    assert.equal(await sixth.reply(), null);
    for (const peer of peers) peer.destroy();
    await until(async () => {
      const peer = await RawHttp.connect(server.url);
      peer.write(PLAIN);
      const { status } = await peer.reply();
      peer.destroy();
      return status;
    }, (status) => status === 200);
    await server.stop();
  });

  test('connections past the limit in all are told 503', WAIT, async () => {
    const server = await startServer({ env: { HUTONG_CONNECTIONS_MAX: '3' } });
    const peers = [];
    for (let i = 0; i < 3; i++) {
      const peer = await RawHttp.connect(server.url);
      await peer.write(PLAIN);
      assert.equal((await peer.reply()).status, 200);
      peers.push(peer);
    }
    const fourth = await RawHttp.connect(server.url);
    const refusal = await fourth.reply();
    assert.equal(refusal.status, 503);
    assert.ok(Number(refusal.headers['retry-after']) > 0);
    for (const peer of [...peers, fourth]) peer.destroy();
    await server.stop();
  });
});

describe('slow readers and clients that leave', () => {
  let server, li, pageBytes;
  const PAGE = `GET /posts?page_size=100 HTTP/1.1\r\n${HOST}`;
  before(async () => {
    server = await startServer();
    li = await server.register('lili');
    for (let i = 0; i < 100; i++) {
      const made = await server.api('POST', '/posts', { token: li.token, json: { content: `${i} ${'胡同'.repeat(2400)}` } });
      assert.equal(made.status, 201);
    }
    pageBytes = (await fetch(`${server.url}/posts?page_size=100`)
      .then((reply) => reply.arrayBuffer())).byteLength;
    assert.ok(pageBytes > 1_400_000);
  });
  after(() => server.stop());

  // Reads with pauses, so that the server has to wait for room again and again.
  async function readSlowly(peer) {
    let paused = 0;
    const timer = setInterval(() => {
      peer.socket.pause();
      paused++;
      setImmediate(() => peer.socket.resume());
    }, 5);
    try {
      return await peer.reply();
    } finally {
      clearInterval(timer);
    }
  }

  for (const [name, headers, half] of [
    ['keep-alive', '', false],
    ['Connection: close', 'Connection: close\r\n', false],
    ['half-close', '', true],
  ]) {
    test(`a reply larger than the socket's buffers arrives whole (${name})`, WAIT, async () => {
      const peer = await RawHttp.connect(server.url);
      peer.socket.pause();
      await peer.write(`${PAGE}${headers}\r\n`);
      if (half) await peer.end();
      // The server has answered as far as the buffers go once it has counted the request.
      await until(() => metric(server, 'hutong_http_requests_total'), (n) => n > 100);
      peer.socket.resume();
      const reply = await readSlowly(peer);
      assert.equal(reply.body.length, pageBytes);
      assert.equal(JSON.parse(reply.text).items.length, 100);
      peer.destroy();
    });
  }

  test('a reader that takes a nap longer than the goodbye still gets a closing reply whole', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    peer.socket.pause();
    await peer.write(`${PAGE}Connection: close\r\n\r\n`);
    const napUntil = Date.now() + 7000; // the goodbye is 5 s
    await until(() => metric(server, 'hutong_http_connections'), () => Date.now() > napUntil);
    peer.socket.resume();
    const reply = await peer.reply();
    assert.equal(reply.body.length, pageBytes);
    peer.destroy();
  });

  test('one that has closed its half still gets all its replies', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    const change = jsonPost(li.token, '{"content":"half"}');
    await peer.write(PLAIN + change + PLAIN + change);
    await peer.end();
    for (const status of [200, 201, 200, 201]) assert.equal((await peer.reply())?.status, status);
    assert.equal(await peer.reply(), null);
    peer.destroy();
  });

  test('half a request and a half-close is just the end', WAIT, async () => {
    const peer = await RawHttp.connect(server.url);
    await peer.write('GET /health/live HTTP/1.1\r\nHost:');
    await peer.end();
    assert.equal(await peer.reply(), null);
    peer.destroy();
  });

  test('vanishing in the middle of anything leaves no connection behind', WAIT, async () => {
    const starts = [
      '', 'GET', `GET /health/live HTTP/1.1\r\n${HOST}`, jsonPost(li.token, '{"content":"x"}').slice(0, -3),
      jsonPost(li.token, '{"content":"x"}'), PLAIN.repeat(50), `${PAGE}\r\n`.repeat(3),
      `POST /posts HTTP/1.1\r\n${HOST}Authorization: Bearer ${li.token}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"c`,
      `GET /live/events HTTP/1.1\r\n${HOST}Authorization: Bearer ${li.token}\r\n\r\n`,
    ];
    for (const start of starts) {
      for (let i = 0; i < 10; i++) {
        const peer = await RawHttp.connect(server.url);
        if (start) await peer.write(start);
        if (i % 2) peer.socket.resetAndDestroy();
        else peer.destroy();
      }
    }
    // fetch() keeps a connection or two of its own.
    await until(() => metric(server, 'hutong_http_connections'), (n) => n <= 3, { what: 'connections' });
    await until(() => metric(server, 'hutong_live_connections'), (n) => n === 0, { what: 'live connections' });
  });
});
