// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What every route has in common: spelling, methods, origins, failures, limits, connections.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem } from '../support/checks.mjs';
import { rawHttp } from '../support/raw_request.mjs';
import { startServer } from '../support/server.mjs';

const FRONT = 'http://localhost:3000';

let server;
let member;
before(async () => {
  server = await startServer({
    env: { HUTONG_CORS_ORIGINS: 'https://web.example, https://two.example', HUTONG_ACCESS_LOG: 'off' },
  });
  member = await server.register('httper');
});
after(() => server.stop());

/* --- spelling --- */

describe('the other spelling of a path', () => {
  const paths = [
    ['GET', '/posts/', '/posts'], ['POST', '/posts/', '/posts'], ['PUT', '/users/me/', '/users/me'],
    ['GET', '/users', '/users/'], ['DELETE', '/posts/5/', '/posts/5'],
    ['GET', '/posts/5/comments/?skip=1&limit=2', '/posts/5/comments?skip=1&limit=2'],
    ['GET', '/users?is_ai=true&q=%E4%B8%AD', '/users/?is_ai=true&q=%E4%B8%AD'],
    ['PATCH', '/posts/', '/posts'], ['OPTIONS', '/posts/', '/posts'], ['HEAD', '/posts/', '/posts'],
    ['POST', '/auth/login/', '/auth/login'],
  ];
  for (const [method, from, to] of paths) {
    test(`${method} ${from} leads to ${to}`, async () => {
      const reply = await server.api(method, from);
      assert.equal(reply.status, 307);
      assert.equal(reply.headers.get('location'), server.url + to);
      assert.equal(reply.text, '');
    });
  }

  test('leads to the host that the client asked for, and to the scheme when a trusted proxy says it', async (t) => {
    const behind = await startServer({ env: { HUTONG_TRUSTED_PROXIES: '127.0.0.1', HUTONG_ACCESS_LOG: 'off' } });
    t.after(() => behind.stop());
    const place = async ({ url }, extra) => {
      const [reply] = (await rawHttp(url, `GET /posts/ HTTP/1.1\r\nHost: hutong.example:8443\r\n${extra}\r\n`)).replies;
      return reply.headers.get('location');
    };
    const secure = 'X-Forwarded-Proto: https\r\n';
    assert.equal(await place(server, ''), 'http://hutong.example:8443/posts');
    assert.equal(await place(server, secure), 'http://hutong.example:8443/posts', 'anybody can say that');
    assert.equal(await place(behind, ''), 'http://hutong.example:8443/posts');
    assert.equal(await place(behind, secure), 'https://hutong.example:8443/posts');
  });

  test('is not guessed at where neither has a route', async () => {
    for (const path of ['/nothing/', '/posts//', '/posts/5/5/', '//posts']) {
      assertProblem(await server.api('GET', path), 404);
    }
  });
});

/* --- methods --- */

describe('a path or method without a route', () => {
  test('is 404 for the path, in the words older clients know', async () => {
    for (const path of ['/nothing', '/posts/1/2/3', '/api/posts', '/.env', '/files/images/a/b']) {
      const reply = await server.api('GET', path);
      assertProblem(reply, 404);
      assert.equal(reply.body.detail, 'Not Found');
    }
  });

  test('is the app with its own 404 for a browser, and JSON for whoever takes anything', async () => {
    const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';
    for (const method of ['GET', 'HEAD']) {
      const page = await server.api(method, '/no/such/page', { headers: { accept: browser } });
      assert.equal(page.status, 404);
      assert.match(page.headers.get('content-type'), /^text\/html/);
      assert.match(page.headers.get('content-security-policy'), /default-src 'none'/);
      assert.equal(page.headers.get('cache-control'), 'no-store');
      assert.match(page.headers.get('vary'), /Accept(,|$)/);
      if (method === 'GET') assert.match(page.text, /<div id="app"/);
    }
    for (const accept of ['*/*', 'application/json', 'application/json, text/html', '']) {
      const reply = await server.api('GET', '/no/such/page', { headers: { accept } });
      assertProblem(reply, 404);
      assert.equal(reply.body.detail, 'Not Found');
      assert.match(reply.headers.get('vary'), /Accept(,|$)/);
    }
    assertProblem(await server.api('POST', '/no/such/page', { headers: { accept: browser } }), 404);
    // What a route knows keeps its own answer, also for a browser.
    assertProblem(await server.api('GET', '/posts/999999', { headers: { accept: browser } }), 404);
  });

  const allows = [
    ['PATCH', '/posts', 'GET, HEAD, POST'], ['DELETE', '/posts', 'GET, HEAD, POST'],
    ['PUT', '/users/5', 'GET, HEAD'], ['POST', '/posts/5', 'GET, HEAD, PUT, DELETE'],
    ['GET', '/auth/login', 'POST'], ['GET', '/posts/5/like', 'POST, PUT, DELETE'],
    ['OPTIONS', '/health', 'GET, HEAD'], ['HEAD', '/auth/login', 'POST'],
  ];
  for (const [method, path, allow] of allows) {
    test(`is 405 for ${method} ${path}, and tells what it takes`, async () => {
      const reply = await server.api(method, path);
      assert.equal(reply.status, 405);
      assert.deepEqual(reply.headers.get('allow').split(', ').sort(), allow.split(', ').sort());
      if (method === 'HEAD') return;
      assertProblem(reply, 405);
      assert.equal(reply.body.detail, 'Method Not Allowed');
    });
  }

  test('is refused, not obeyed, for methods nobody has heard of', async () => {
    for (const method of ['BREW', 'TRACE', 'CONNECT', 'PROPFIND']) {
      const { replies } = await rawHttp(server.url, `${method} /posts HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.ok([400, 405, 501].includes(replies[0]?.status), `${method} ${replies[0]?.status}`);
    }
  });
});

test('HEAD answers as GET does, without the body', async () => {
  for (const path of ['/', '/health', '/posts', '/users/', `/users/${member.id}`, '/posts/999']) {
    const [get, head] = [await server.api('GET', path), await server.api('HEAD', path)];
    assert.equal(head.status, get.status, path);
    assert.equal(head.text, '');
    for (const name of ['content-type', 'etag']) {
      assert.equal(head.headers.get(name), get.headers.get(name), `${path} ${name}`);
    }
    // A problem names its request, so its length may differ by the id's.
    if (get.status === 200) {
      assert.equal(head.headers.get('content-length'), get.headers.get('content-length'), path);
    }
  }
  assert.equal((await server.api('HEAD', '/auth/me')).status, 401);
});

/* --- origins --- */

describe('cross-origin requests', () => {
  const corsOf = (reply) => [reply.headers.get('access-control-allow-origin'),
    reply.headers.get('access-control-allow-credentials')];

  test('from the front end are allowed, whatever comes of them', async () => {
    const origins = [FRONT, 'http://127.0.0.1:3000', 'https://web.example', 'https://two.example'];
    const asks = [['GET', '/posts', 200], ['GET', '/nothing', 404], ['PATCH', '/posts', 405],
      ['GET', '/auth/me', 401], ['GET', '/posts?page=0', 422], ['GET', '/posts/', 307],
      ['GET', '/posts/999', 404], ['GET', '/health', 200], ['GET', '/messages/ws', 426]];
    for (const origin of origins) {
      for (const [method, path, status] of asks) {
        const reply = await server.api(method, path, { headers: { origin } });
        if (status !== 426) assert.equal(reply.status, status, path);
        assert.deepEqual(corsOf(reply), [origin, 'true'], `${method} ${path}`);
        assert.match(reply.headers.get('vary'), /\bOrigin\b/);
      }
    }
  });

  test('see also why a request was too much to be read', async () => {
    const reply = await server.api('POST', '/posts', {
      token: member.token,
      headers: { origin: FRONT, 'content-type': 'application/json' },
      body: 'x'.repeat(200000),
    });
    assertProblem(reply, 413);
    assert.deepEqual(corsOf(reply), [FRONT, 'true']);
  });

  test('from elsewhere get no leave', async () => {
    for (const origin of ['https://evil.example', 'null', 'http://localhost:3001',
      'https://localhost:3000', 'https://web.example.evil.example', 'https://web.exampl']) {
      const reply = await server.api('GET', '/posts', { headers: { origin } });
      assert.equal(reply.status, 200);
      assert.deepEqual(corsOf(reply), [null, null], origin);
    }
  });

  test('ask first, and hear what is allowed for ten minutes', async () => {
    for (const [path, method] of [['/posts', 'POST'], ['/posts/7', 'DELETE'], ['/nothing', 'GET'],
      ['/users/', 'GET']]) {
      const reply = await server.api('OPTIONS', path, {
        headers: {
          origin: FRONT,
          'access-control-request-method': method,
          'access-control-request-headers': 'authorization,content-type,idempotency-key',
        },
      });
      assert.equal(reply.status, 200);
      assert.equal(reply.text, 'OK');
      assert.match(reply.headers.get('content-type'), /^text\/plain/);
      assert.deepEqual(corsOf(reply), [FRONT, 'true']);
      assert.equal(reply.headers.get('access-control-allow-methods'),
        'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT');
      assert.equal(reply.headers.get('access-control-allow-headers'),
        'authorization,content-type,idempotency-key');
      assert.equal(reply.headers.get('access-control-max-age'), '600');
      assert.match(reply.headers.get('vary'), /Origin/);
    }
  });

  test('from elsewhere that ask first are refused', async () => {
    const reply = await server.api('OPTIONS', '/posts', {
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    assert.equal(reply.status, 400);
    assert.equal(reply.text, 'Disallowed CORS origin');
    assert.match(reply.headers.get('content-type'), /^text\/plain/);
    assert.deepEqual(corsOf(reply), [null, null]);
  });

  test('let a page read what it needs to behave', async () => {
    const reply = await server.api('GET', '/posts', { headers: { origin: FRONT } });
    const exposed = reply.headers.get('access-control-expose-headers').toLowerCase().split(', ');
    for (const name of ['x-request-id', 'retry-after', 'ratelimit-limit', 'live-position', 'etag']) {
      assert.ok(exposed.includes(name), name);
    }
  });
});

/* --- request ids --- */

describe('the id of a request', () => {
  test('is the client\'s where that is plain, else ours, and stands in the problem too', async () => {
    const given = await server.api('GET', '/nothing', { headers: { 'x-request-id': 'trace-1.a_B' } });
    assert.equal(given.headers.get('x-request-id'), 'trace-1.a_B');
    assert.equal(given.body.request_id, 'trace-1.a_B');
    for (const id of ['', 'a b', 'x'.repeat(65), '<script>', '"', '密']) {
      const { replies: [reply] } = await rawHttp(server.url, Buffer.from(
        `GET /nothing HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\n\r\n`));
      assert.notEqual(reply.headers.get('x-request-id'), id);
      assert.match(reply.headers.get('x-request-id'), /^[\w.-]{3,64}$/);
    }
  });

  test('is another for each request', async () => {
    const ids = new Set();
    for (let i = 0; i < 20; i++) ids.add((await server.api('GET', '/health')).headers.get('x-request-id'));
    assert.equal(ids.size, 20);
  });
});

/* --- bodies --- */

describe('a body', () => {
  test('larger than the route takes is 413, announced or not', async () => {
    const big = 'x'.repeat(300000);
    const announced = await server.api('POST', '/posts', {
      token: member.token, headers: { 'content-type': 'application/json' }, body: big,
    });
    assertProblem(announced, 413);
    const stream = new ReadableStream({
      pull(controller) {
        controller.enqueue(Buffer.from('x'.repeat(50000)));
        this.sent = (this.sent ?? 0) + 50000;
        if (this.sent >= 300000) controller.close();
      },
    });
    const chunked = await server.api('POST', '/auth/login', {
      headers: { 'content-type': 'application/json' }, body: stream,
    }).catch((error) => error);
    // The connection may break before all was sent; the answer is the same.
    if (!(chunked instanceof Error)) assertProblem(chunked, 413);
    assertProblem(await server.api('POST', '/auth/logout-all', { body: big }), 401);
  });

  test('of a route that wants none is passed over', async () => {
    const fresh = await server.api('POST', '/auth/login', {
      form: { username: 'httper', password: member.password },
    });
    const { access_token: token } = assertOk(fresh);
    assertOk(await server.api('POST', '/auth/logout', { token, body: 'whatever' }), 204);
  });
});

/* --- queries --- */

describe('a query', () => {
  test('with too many parameters is refused and harms nobody', async () => {
    for (const count of [200, 201, 2000]) {
      const reply = await server.api('GET', `/posts?${'a=1&'.repeat(count)}`);
      if (count <= 200) assertOk(reply);
      else assertProblem(reply, 400);
    }
    assertOk(await server.api('GET', '/health'));
  });

  test('that is no text is refused', async () => {
    for (const query of ['page=%ff', 'q=%00', '%c3=1', 'page=%ed%a0%80']) {
      assertProblem(await server.api('GET', `/posts?${query}`), 400);
    }
  });

  test('with unknown parameters, blanks and odd escapes is read as far as it goes', async () => {
    for (const query of ['', 'x', '=', '&&&', 'unknown=1', 'page=%201%20', 'page=+1', 'page=%31',
      'page=1&page=1', 'page=1%', 'x=%zz']) {
      const reply = await server.api('GET', `/posts?${query}`);
      assert.ok([200, 400, 422].includes(reply.status), `${query}: ${reply.status}`);
    }
  });

  test('longer than anybody needs is refused', async () => {
    const reply = await server.api('GET', `/posts?q=${'x'.repeat(9000)}`);
    assert.ok([414, 431].includes(reply.status), `${reply.status}`);
  });
});

/* --- compression --- */

test('text is compressed for who asks, and only then', async () => {
  for (let i = 0; i < 3; i++) {
    assertOk(await server.api('POST', '/posts', {
      token: member.token, json: { content: `${i} ${'胡同 '.repeat(500)}` },
    }), 201);
  }
  const ask = async (path, extra = '') => (await rawHttp(server.url,
    `GET ${path} HTTP/1.1\r\nHost: x\r\n${extra}\r\n`)).replies[0];
  const plain = await ask('/posts');
  for (const coding of ['br, deflate', 'gzip;q=0', 'identity', 'gzip;q=0.5, identity;q=1']) {
    const reply = await ask('/posts', `Accept-Encoding: ${coding}\r\n`);
    assert.equal(reply.headers.get('content-encoding'), null, coding);
    assert.equal(reply.text, plain.text);
  }
  for (const coding of ['gzip', 'deflate, GZIP;q=0.5', '*']) {
    const reply = await ask('/posts', `Accept-Encoding: ${coding}\r\n`);
    assert.equal(reply.headers.get('content-encoding'), 'gzip', coding);
    assert.match(reply.headers.get('vary'), /Accept-Encoding/);
    assert.ok(Number(reply.headers.get('content-length')) < plain.text.length / 4);
    assert.equal(reply.text, plain.text);
  }
  const split = await ask('/posts', 'Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n');
  assert.equal(split.headers.get('content-encoding'), 'gzip', 'a list in two lines');
  const same = await ask('/posts', `Authorization: Bearer ${member.token}\r\nIf-None-Match: "x"\r\n`
    + `If-None-Match: ${(await ask('/posts', `Authorization: Bearer ${member.token}\r\n`)).headers.get('etag')}\r\n`);
  assert.equal(same.status, 304);
  assert.match(same.headers.get('vary'), /Accept-Encoding/, 'as the 200 says');
  const small = await ask('/health', 'Accept-Encoding: gzip\r\n');
  assert.equal(small.headers.get('content-encoding'), null, 'a few bytes are not worth it');
});

/* --- the access log --- */

test('an address may escape what it need not, and names the same', async () => {
  const { body } = await server.api('GET', '/posts');
  assert.deepEqual(assertOk(await server.api('GET', '/%70ost%73')).items, body.items);
  assert.equal((await server.api('GET', '/posts%2F1')).status, 404, 'an escaped slash parts nothing');
});

test('OPTIONS * is answered for the server (RFC 9110, 9.3.7)', async () => {
  const [reply, next] = (await rawHttp(server.url,
    'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n', { count: 2 })).replies;
  assert.equal(reply.status, 204);
  assert.equal(next.status, 200);
});

test('the access log names who asked, behind a trusted proxy and on live connections, too', async (t) => {
  const behind = await startServer({ env: { HUTONG_TRUSTED_PROXIES: '127.0.0.1', HUTONG_LOOPS: '1' } });
  t.after(() => behind.kill());
  const mei = await behind.register('mei_log');
  const send = (id, line, headers = '') => rawHttp(behind.url,
    `${line} HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\nX-Forwarded-For: 203.0.113.9\r\n`
    + `Authorization: Bearer ${mei.token}\r\n${headers}\r\n`);
  await send('plain', 'GET /posts');
  await send('socket', 'GET /live', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
    + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n');
  await send('stream', 'HEAD /live/events?topics=feed');
  await send('odd', 'GET /a"_status=200_\\b');
  await behind.stop();
  const line = (id) => behind.log().split('\n').find((text) => text.includes(` id=${id} `)) ?? `none of ${id}`;
  for (const [id, route] of [['plain', '/posts'], ['socket', '/live'], ['stream', '/live/events']]) {
    assert.match(line(id), new RegExp(` route="${route}" status=\\d+ .* peer=203\\.0\\.113\\.9 user=${mei.id}$`));
  }
  assert.match(line('odd'), / route="\/a%22_status=200_%5Cb" status=400 /);
});

/* --- connections --- */

describe('a connection', () => {
  const get = (path, extra = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;
  const bearer = () => `Authorization: Bearer ${member.token}\r\n`;

  test('answers what was sent ahead in the order in which it came', async () => {
    const post = (text) => {
      const body = JSON.stringify({ content: text });
      return `POST /posts HTTP/1.1\r\nHost: x\r\n${bearer()}Content-Type: application/json\r\n`
        + `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
    };
    // Loop, writer and worker take turns: the slow ones must not be overtaken.
    const text = get('/health') + post('ahead one') + get('/posts?limit=1') + post('ahead two')
      + get('/nothing') + get('/posts?limit=1') + get('/auth/me', bearer());
    const { replies } = await rawHttp(server.url, text, { count: 7 });
    assert.deepEqual(replies.map(({ status }) => status), [200, 201, 200, 201, 404, 200, 200]);
    assert.equal(replies[1].body.content, 'ahead one');
    assert.equal(replies[2].body.items[0].content, 'ahead one');
    assert.equal(replies[5].body.items[0].content, 'ahead two');
    assert.equal(replies[6].body.id, member.id);
  });

  test('takes a hundred requests ahead, however they are cut', async () => {
    const { replies } = await rawHttp(server.url, get('/health').repeat(100), { count: 100 });
    assert.equal(replies.length, 100);
    assert.ok(replies.every(({ status }) => status === 200));
  });

  test('stays open until the client or the protocol says otherwise', async () => {
    const open = await rawHttp(server.url, get('/health') + get('/health'), { count: 2 });
    assert.equal(open.closed, false);
    const close = await rawHttp(server.url, get('/health', 'Connection: close\r\n') + get('/health'),
      { count: 2 });
    assert.deepEqual([close.replies.length, close.closed], [1, true]);
    const old = await rawHttp(server.url, 'GET /health HTTP/1.0\r\n\r\n', { count: 2 });
    assert.deepEqual([old.replies.length, old.closed], [1, true]);
    const kept = await rawHttp(server.url, 'GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'.repeat(2),
      { count: 2 });
    assert.equal(kept.replies.length, 2);
  });

  test('stays open after a HEAD request', async () => {
    const { replies } = await rawHttp(server.url,
      'HEAD /posts HTTP/1.1\r\nHost: x\r\n\r\n' + get('/health'), { count: 2, methods: ['HEAD'] });
    assert.deepEqual(replies.map(({ status }) => status), [200, 200]);
  });

  test('stays open after a refusal that was read whole', async () => {
    const body = '{"content":""}';
    const text = `POST /auth/register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`
      + `Content-Length: ${body.length}\r\n\r\n${body}`;
    const { replies } = await rawHttp(server.url, text + get('/health'), { count: 2 });
    assert.deepEqual(replies.map(({ status }) => status), [422, 200]);
  });

  const broken = [
    ['both lengths', 'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'],
    ['a negative length', 'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n'],
    ['no host', 'GET /posts HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET /posts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['a folded header', 'GET /posts HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n'],
    ['a blank before the colon', 'GET /posts HTTP/1.1\r\nHost : x\r\n\r\n'],
    ['bare line feeds', 'GET /posts HTTP/1.1\nHost: x\n\n'],
    ['noise', '\u0000\u0001\u0002\r\n\r\n'],
    ['another protocol', 'GET /posts HTTP/3.0\r\nHost: x\r\n\r\n'],
    ['a bad chunk', 'POST /posts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a path that is none', 'GET posts HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['endless headers', `GET /posts HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(40000)}\r\n\r\n`],
  ];
  for (const [what, text] of broken) {
    test(`that brings ${what} is refused and closed, with nothing behind it obeyed`, async () => {
      const { replies, closed } = await rawHttp(server.url, text + get('/health'), { count: 3 });
      assert.equal(closed, true);
      assert.ok(replies.length <= 1, `${replies.length}`);
      if (replies.length) assert.match(String(replies[0].status), /^4\d\d$|^50[15]$/);
    });
  }
});

/* --- rates --- */

describe('rates', () => {
  let strict;
  let [ada, bob] = [];
  before(async () => {
    strict = await startServer({
      env: {
        HUTONG_RATE_READ: '30', HUTONG_RATE_WRITE: '25', HUTONG_RATE_LOGIN: '22',
        HUTONG_TRUSTED_PROXIES: '127.0.0.1', HUTONG_ACCESS_LOG: 'off',
      },
    });
    ada = await strict.register('ada_rate');
    bob = await strict.register('bob_rate');
  });
  after(() => strict.stop());

  const headersOf = (reply) => ['retry-after', 'ratelimit-limit', 'ratelimit-remaining',
    'ratelimit-reset'].map((name) => Number(reply.headers.get(name) ?? NaN));

  function assertTooMany(reply) {
    assertProblem(reply, 429);
    const [retry, limit, remaining, reset] = headersOf(reply);
    assert.ok(retry >= 1 && retry <= 60, `Retry-After ${retry}`);
    assert.ok(limit >= 1, `RateLimit-Limit ${limit}`);
    assert.equal(remaining, 0);
    assert.ok(reset >= retry, `RateLimit-Reset ${reset}`);
    assert.match(reply.body.detail, new RegExp(`\\b${retry}\\b`));
  }

  // Until it is too much; how many were not.
  async function drain(ask) {
    for (let i = 0; i < 100; i++) {
      const reply = await ask();
      if (reply.status === 429) {
        assertTooMany(reply);
        return i;
      }
    }
    throw new Error('never too much');
  }

  test('hold each member for themselves, reads and changes apart', async () => {
    const read = (token) => strict.api('GET', '/posts', { token });
    const change = (token) => strict.api('POST', '/posts', { token, json: { content: 'again' } });
    assert.ok(await drain(() => read(ada.token)) >= 15);
    assertOk(await read(bob.token));
    assertOk(await change(ada.token), 201);
    assert.ok(await drain(() => change(ada.token)) >= 15);
    assertOk(await change(bob.token), 201);
    assertOk(await strict.api('GET', '/health'));
  });

  test('hold strangers by their address, as the trusted proxy tells it', async () => {
    const read = (address) => strict.api('GET', '/posts', { headers: { 'x-forwarded-for': address } });
    assert.ok(await drain(() => read('203.0.113.5')) >= 15);
    assertOk(await read('203.0.113.6'));
    assert.equal((await read('198.51.100.9, 203.0.113.5')).status, 429, 'what a client adds counts for nothing');
    // The proxy may add a line of its own to what a client said.
    const twice = await rawHttp(strict.url, 'GET /posts HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.10\r\n'
      + 'Accept: */*\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n');
    assert.equal(twice.replies[0].status, 429, 'what a client adds as a line of its own counts for nothing either');
    let host = 0;
    assert.ok(await drain(() => read(`2001:db8:0:7::${(++host).toString(16)}`)) >= 15, 'a /64 is one customer');
    assertOk(await read('2001:db8:0:8::1'));
  });

  test('hold log-ins by account, whether or not there is one, and from wherever they come', async () => {
    let i = 0;
    const attempt = (username) => strict.api('POST', '/auth/login', {
      json: { username, password: 'not the right one' },
      headers: { 'x-forwarded-for': `192.0.2.${++i % 250}` },
    });
    const known = await drain(() => attempt('bob_rate'));
    const unknown = await drain(() => attempt('nobody_rate'));
    // On a busy machine a hash takes long enough for the one or other attempt to be given back.
    assert.ok(Math.abs(known - unknown) <= 3, `${known} ${unknown}`);
    assert.ok(await drain(() => attempt('BOB_RATE')) < known / 2);
    const right = await strict.api('POST', '/auth/login', {
      json: { username: 'bob_rate', password: bob.password },
      headers: { 'x-forwarded-for': '192.0.2.251' },
    });
    assertTooMany(right);
  });

  test('are told in every answer of a route that has one', async () => {
    const from = (address, method, path, more = {}) => strict.api(method, path, {
      ...more, headers: { 'x-forwarded-for': address, ...more.headers },
    });
    const told = (reply) => headersOf(reply).slice(1);
    const first = await from('203.0.113.20', 'GET', '/posts');
    const [limit, remaining, reset] = told(assertOk(first) && first);
    assert.equal(limit, 20);
    assert.equal(remaining, 19);
    assert.ok(reset >= 1 && reset <= 60, `RateLimit-Reset ${reset}`);
    assert.equal(first.headers.get('retry-after'), null, 'of refusals alone');
    // Found, not found, unchanged, wrong, refused, nothing, a stream: all of the caller's room.
    const member = { token: bob.token };
    const etag = { 'if-none-match': (await from('203.0.113.21', 'GET', '/posts', member)).headers.get('etag') };
    const cases = [
      [404, 'GET', '/posts/99999'], [422, 'GET', '/posts/none'], [200, 'HEAD', '/posts'],
      [304, 'GET', '/posts', { ...member, headers: etag }],
      [401, 'POST', '/auth/login', { json: { username: 'nobody_told', password: 'guessed' } }],
      [422, 'POST', '/auth/login', { json: {} }],
      [404, 'GET', '/messages/history/99999', member], [204, 'DELETE', '/posts/99999/like', member, 404],
    ];
    for (const [status, method, path, more, or = status] of cases) {
      const reply = await from('203.0.113.22', method, path, more);
      assert.ok([status, or].includes(reply.status), `${method} ${path}: ${reply.status}`);
      const [most, left, until] = told(reply);
      assert.ok(most > 0 && left < most && left >= 0 && until > 0, `${method} ${path}: ${told(reply)}`);
    }
    for (const path of ['/health', '/health/ready', '/nothing', '/v1/models']) {
      const reply = await from('203.0.113.23', 'GET', path);
      assert.deepEqual(told(reply), [NaN, NaN, NaN], path);
    }
  });

  test('are told where a stream begins', async () => {
    const stop = new AbortController();
    const stream = await fetch(`${strict.url}/live/events?topics=feed`, {
      headers: { authorization: `Bearer ${bob.token}` }, signal: stop.signal,
    });
    assert.equal(stream.status, 200);
    assert.equal(stream.headers.get('ratelimit-limit'), '20');
    assert.match(stream.headers.get('ratelimit-remaining'), /^1?\d$/);
    stop.abort();
  });

  test('say the same to a page of another origin', async () => {
    const ask = () => strict.api('GET', '/users/', {
      headers: { origin: FRONT, 'x-forwarded-for': '203.0.113.77' },
    });
    await drain(ask);
    const reply = await ask();
    assertTooMany(reply);
    assert.equal(reply.headers.get('access-control-allow-origin'), FRONT);
  });
});
