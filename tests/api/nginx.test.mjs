// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The site of deploy/nginx.conf in a real nginx in front of a real server. Only what belongs to a
// machine is put in by the test: ports, certificate, the name of the host.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import WebSocket from 'ws';
import { AnswerStream } from '../support/answer_stream.mjs';
import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const run = promisify(execFile);
const HOST = 'community.example.org';
const WAIT_MS = 20000;
let provider;
let server;
let nginx;

function freePort() {
  return new Promise((found, fail) => {
    const probe = net.createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => found(port));
    });
  });
}

// Whether somebody listens there; nginx prints no ready line.
function answers(port) {
  return new Promise((found) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => { socket.destroy(); found(true); });
    socket.once('error', () => found(false));
  });
}

function put(text, from, to) {
  assert.ok(from.test(text), `deploy/nginx.conf has no ${from}`);
  return text.replaceAll(new RegExp(from, 'gm'), to);
}

// The shipped site with this machine's ports and certificate.
async function site(folder, ports, upstream) {
  let text = await readFile(new URL('../../deploy/nginx.conf', import.meta.url), 'utf8');
  text = put(text, /^    listen \[::\].*\n/m, '');
  text = put(text, /proxy_read_timeout 60s;/, 'proxy_read_timeout 3s;'); // nobody waits here for a minute
  text = put(text, /listen 80;/, `listen 127.0.0.1:${ports.plain};`);
  text = put(text, /listen 443 ssl http2;/, `listen 127.0.0.1:${ports.tls} ssl http2;`);
  text = put(text, /server 127\.0\.0\.1:8000;/, `server ${upstream};`);
  text = put(text, /ssl_certificate     .*;/, `ssl_certificate ${folder}/certificate.pem;`);
  text = put(text, /ssl_certificate_key .*;/, `ssl_certificate_key ${folder}/key.pem;`);
  return text;
}

async function startNginx(upstream) {
  const folder = await mkdtemp(path.join(tmpdir(), 'hutong-nginx-'));
  await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-days', '2', '-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST}`,
    '-keyout', `${folder}/key.pem`, '-out', `${folder}/certificate.pem`]);
  const ports = { plain: await freePort(), tls: await freePort() };
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  for (const place of places) await mkdir(path.join(folder, place));
  await writeFile(`${folder}/site.conf`, await site(folder, ports, upstream));
  await writeFile(`${folder}/nginx.conf`, [
    'daemon off;', 'master_process off;', `pid ${folder}/pid;`, `error_log ${folder}/error.log warn;`,
    'events { worker_connections 256; }', 'http {', `  access_log ${folder}/access.log;`,
    ...places.map((place) => `  ${place}_temp_path ${folder}/${place};`),
    `  include ${folder}/site.conf;`, '}', ''].join('\n'));
  const child = spawn('nginx', ['-p', folder, '-c', `${folder}/nginx.conf`, '-e', `${folder}/error.log`],
    { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const last = () => child.kill('SIGKILL');
  process.on('exit', last);
  const log = () => readFile(`${folder}/error.log`, 'utf8').catch(() => '');
  const until = Date.now() + WAIT_MS;
  while (!(await answers(ports.tls))) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`nginx did not start\n${await log()}`);
    }
  }
  return {
    ports,
    ca: await readFile(`${folder}/certificate.pem`),
    log,
    accessLog: () => readFile(`${folder}/access.log`, 'utf8'),
    async stop() {
      child.kill('SIGTERM');
      await ended;
      process.off('exit', last);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const tls = () => ({ ca: nginx.ca, servername: HOST });
const origin = () => `https://127.0.0.1:${nginx.ports.tls}`;

// One HTTP/2 connection, closed when the work is done.
async function overHttp2(work, options = {}) {
  const session = http2.connect(origin(), { ...tls(), ...options });
  try {
    await once(session, 'connect');
    return await work(session);
  } finally {
    session.close();
  }
}

async function ask(session, method, target, { headers = {}, json } = {}) {
  const stream = session.request({
    ':method': method, ':path': target, ':authority': HOST,
    ...(json === undefined ? {} : { 'content-type': 'application/json' }), ...headers,
  });
  stream.setEncoding('utf8');
  stream.end(json === undefined ? undefined : JSON.stringify(json));
  const [reply] = await once(stream, 'response', { signal: AbortSignal.timeout(WAIT_MS) });
  let text = '';
  for await (const piece of stream) text += piece;
  return { status: reply[':status'], headers: reply, text };
}

function next(socket, wanted) {
  return new Promise((found, fail) => {
    const timer = setTimeout(() => fail(new Error('no such message came')), WAIT_MS);
    socket.on('message', (bytes) => {
      const message = JSON.parse(bytes);
      if (!wanted(message)) return;
      clearTimeout(timer);
      found(message);
    });
    socket.once('close', (code) => fail(new Error(`closed with ${code}`)));
  });
}

before(async () => {
  provider = await startProvider();
  server = await startServer({
    env: {
      HUTONG_TRUSTED_PROXIES: '127.0.0.1,::1', HUTONG_LIVE_PING: '1',
      HUTONG_OPENAI_BASE: provider.base('openai'), OPENAI_API_KEY: 'sk-upstream', HUTONG_LLM_MODEL: 'openai/m',
    },
  });
  nginx = await startNginx(new URL(server.url).host);
});
after(async () => {
  await nginx?.stop();
  await server?.stop();
  await provider?.stop();
});

test('plain HTTP is sent on to HTTPS with its method kept', async () => {
  const reply = await fetch(`http://127.0.0.1:${nginx.ports.plain}/posts?page=2`, {
    method: 'POST', redirect: 'manual', headers: { host: HOST },
  });
  assert.equal(reply.status, 308);
  assert.match(reply.headers.get('location'), /^https:\/\/[^/]+\/posts\?page=2$/);
});

test('the server answers over HTTPS with HTTP/1.1 and with HTTP/2', async () => {
  const old = await new Promise((found, fail) => {
    https.get(`${origin()}/health`, { ...tls(), headers: { host: HOST }, agent: false }, found).once('error', fail);
  });
  assert.equal(old.statusCode, 200);
  assert.equal(old.httpVersion, '1.1');
  assert.match(old.headers['strict-transport-security'], /max-age=\d+/);
  old.resume();
  await once(old, 'end');
  await overHttp2(async (session) => {
    assert.equal(session.alpnProtocol, 'h2');
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask(session, 'GET', '/health/live')));
    for (const reply of replies) assert.match(reply.text, /^\{"status":"healthy"/);
  });
});

test('a post goes in over HTTP/2 and comes out the same', async () => {
  const member = await server.register('nginx_poster');
  const headers = { authorization: `Bearer ${member.token}` };
  await overHttp2(async (session) => {
    const made = await ask(session, 'POST', '/posts', { headers, json: { content: '经过 nginx' } });
    assert.equal(made.status, 201, made.text);
    const read = await ask(session, 'GET', `/posts/${JSON.parse(made.text).id}`);
    assert.equal(JSON.parse(read.text).content, '经过 nginx');
    assert.ok(read.headers['x-request-id']);
  });
});

test('failures keep their sentence on the way through', async () => {
  await overHttp2(async (session) => {
    const reply = await ask(session, 'POST', '/posts', { json: { content: 'x' } });
    assert.equal(reply.status, 401);
    assert.equal(reply.headers['content-type'], 'application/problem+json');
    assert.equal(typeof JSON.parse(reply.text).detail, 'string');
  });
});

test('an upload near the limit passes, and one far beyond it does not', async () => {
  const member = await server.register('nginx_upload');
  const head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n';
  const send = (bytes) => new Promise((found, fail) => {
    const body = Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 1), Buffer.from('\r\n--b--\r\n')]);
    const request = https.request(`${origin()}/files/upload`, {
      ...tls(), method: 'POST', agent: false, timeout: WAIT_MS,
      headers: {
        host: HOST,
        authorization: `Bearer ${member.token}`,
        'content-type': 'multipart/form-data; boundary=b',
        'content-length': body.length,
        expect: '100-continue', // whoever is refused sends nothing
      },
    });
    request.once('continue', () => request.end(body));
    request.once('response', (reply) => {
      reply.resume();
      found({ status: reply.statusCode, type: reply.headers['content-type'] });
      if (!request.writableEnded) request.destroy();
    });
    request.once('error', fail);
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.flushHeaders();
  });
  const fits = await send(9 * 1024 * 1024); // no picture: Hutong itself says so
  assert.equal(fits.status, 422);
  assert.equal(fits.type, 'application/problem+json');
  assert.equal((await send(14 * 1024 * 1024)).status, 413);
});

test('a message arrives over the WebSocket of the older clients', async () => {
  const from = await server.register('nginx_from');
  const to = await server.register('nginx_to');
  const socket = new WebSocket(`wss://127.0.0.1:${nginx.ports.tls}/messages/ws?token=${to.token}`,
    { ...tls(), headers: { host: HOST } });
  await once(socket, 'open', { signal: AbortSignal.timeout(WAIT_MS) });
  const pong = next(socket, (message) => message.type === 'pong');
  socket.send('{"type":"ping"}');
  await pong; // it is subscribed
  const arrived = next(socket, (message) => message.type === 'new_message');
  await server.api('POST', `/messages/send/${to.id}`, { token: from.token, json: { content: '你好' } });
  assert.equal((await arrived).data.content, '你好');
  socket.close();
  await once(socket, 'close');
});

test('every WebSocket gets through', async () => {
  for (const path of ['/ws/chat', '/chat']) {
    const socket = new WebSocket(`wss://127.0.0.1:${nginx.ports.tls}${path}`, { ...tls(), headers: { host: HOST } });
    await once(socket, 'open', { signal: AbortSignal.timeout(WAIT_MS) });
    socket.terminate();
    await once(socket, 'close');
  }
});

test('a token in the query reaches no log, also when it comes without TLS', async () => {
  const plain = `http://127.0.0.1:${nginx.ports.plain}`;
  const token = 'a.secret.token';
  const reply = await fetch(`${plain}/messages/ws?token=${token}`, { redirect: 'manual', headers: { host: HOST } });
  assert.equal(reply.status, 308);
  await overHttp2(async (session) => {
    assert.equal((await ask(session, 'GET', `/messages/ws?token=${token}`)).status, 426);
  });
  assert.equal(await nginx.accessLog(), '');
  assert.ok(!(await nginx.log()).includes(token));
});

test('the WebSocket to a model passes', async () => {
  const socket = new WebSocket(`wss://127.0.0.1:${nginx.ports.tls}/chat`, { ca: nginx.ca, servername: HOST, headers: { host: HOST } });
  await once(socket, 'open');
  socket.close();
  const [code] = await once(socket, 'close');
  assert.equal(code, 1005);
});

test('the live WebSocket passes', async () => {
  const member = await server.register('nginx_live');
  const socket = new WebSocket(`wss://127.0.0.1:${nginx.ports.tls}/live`,
    { ...tls(), headers: { host: HOST, authorization: `Bearer ${member.token}` } });
  const hello = next(socket, () => true);
  await once(socket, 'open', { signal: AbortSignal.timeout(WAIT_MS) });
  assert.equal(typeof (await hello).type, 'string');
  socket.close();
  await once(socket, 'close');
});

test('each event of a stream comes at once, while the stream goes on', async () => {
  const member = await server.register('nginx_stream');
  await overHttp2(async (session) => {
    const stream = session.request({
      ':path': '/live/events?topics=feed', ':authority': HOST,
      authorization: `Bearer ${member.token}`,
    });
    stream.setEncoding('utf8');
    const [reply] = await once(stream, 'response', { signal: AbortSignal.timeout(WAIT_MS) });
    assert.equal(reply[':status'], 200);
    assert.equal(reply['content-type'], 'text/event-stream');
    let text = '';
    stream.on('data', (piece) => { text += piece; });
    const until = async (words) => {
      while (!text.includes(words)) await once(stream, 'data', { signal: AbortSignal.timeout(WAIT_MS) });
    };
    await until('subscribed');
    for (const content of ['streamed-one', 'streamed-two']) {
      await server.api('POST', '/posts', { token: member.token, json: { content } });
      await until(content); // before the next is posted: nothing waits for a buffer to fill
    }
    stream.close();
  });
});

test('a model may think for longer than nginx waits elsewhere', async () => {
  const member = await server.register('nginx_patient');
  const json = (value, token) => ({ json: value, headers: { authorization: `Bearer ${token}` } });
  const { key } = assertOk(await server.api('POST', '/keys', { token: member.token, json: { name: 'k' } }), 201);
  const chat = assertOk(await server.api('POST', '/chat/conversations', { token: member.token, json: { title: 'long' } }), 201);
  provider.always({ deltas: ['thought'], stallAfter: 'request' });
  await overHttp2(async (session) => {
    const asked = { model: 'openai/m', messages: [{ role: 'user', content: 'q' }] };
    const whole = ask(session, 'POST', '/v1/chat/completions', json(asked, key));
    const events = ask(session, 'POST', '/v1/chat/completions', json({ ...asked, stream: true }, key));
    const kept = ask(session, 'POST', `/chat/conversations/${chat.id}/messages`, json({ text: 'q' }, member.token));
    const [, first, second] = await Promise.all([provider.request(0), provider.request(1), provider.request(2)]);
    assert.ok(first && second);
    const { items: [, answer] } = assertOk(await server.api('GET', `/chat/conversations/${chat.id}/messages`, { token: member.token }));
    const past = await AnswerStream.open(server, 'GET', `/chat/conversations/${chat.id}/messages/${answer.id}/stream`, { token: member.token });
    await past.commented(4); // a second apart, at least
    for (const request of provider.requests) request.resume();
    const replies = await Promise.all([whole, events, kept]);
    for (const { status, text } of replies) {
      assert.equal(status, 200, text);
      assert.match(text, /thought/);
    }
    assert.match(replies[1].text, /^: /);
    assert.match(replies[2].text, /\n\n: /);
  });
});

test('metrics are not reachable through the proxy', async () => {
  await overHttp2(async (session) => {
    assert.equal((await ask(session, 'GET', '/metrics')).status, 404);
  });
});

test('the address of the client is the one nginx saw, not the one it claims', async () => {
  const member = await server.register('nginx_address');
  const login = { username: 'nginx_address', password: member.password };
  // All of 127.0.0.0/8 is this machine, but only 127.0.0.1 is a trusted proxy.
  await overHttp2(async (session) => {
    const reply = await ask(session, 'POST', '/auth/login', {
      headers: { 'x-forwarded-for': '198.51.100.7' }, json: login,
    });
    assert.equal(reply.status, 200, reply.text);
  }, { localAddress: '127.0.0.2' });
  const sessions = await server.api('GET', '/auth/sessions', { token: member.token });
  const addresses = sessions.body.items.map((one) => one.address);
  assert.deepEqual(addresses.sort(), ['127.0.0.1', '127.0.0.2']); // register() asked directly
});

test('nginx names the client in X-Forwarded-For', async () => {
  const told = new Promise((found) => {
    const echo = net.createServer((socket) => {
      socket.once('data', (bytes) => {
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
        echo.close();
        found(bytes.toString());
      });
    });
    echo.listen(0, '127.0.0.1', async () => {
      const second = await startNginx(`127.0.0.1:${echo.address().port}`);
      const session = http2.connect(`https://127.0.0.1:${second.ports.tls}`, { ca: second.ca, servername: HOST });
      await ask(session, 'GET', '/users/', { headers: { 'x-forwarded-for': '198.51.100.7' } });
      session.close();
      await second.stop();
    });
  });
  const head = await told;
  assert.match(head, /^X-Forwarded-For: 198\.51\.100\.7, 127\.0\.0\.1\r$/m);
  assert.match(head, /^X-Forwarded-Proto: https\r$/m);
  assert.match(head, new RegExp(`^Host: ${HOST}\r$`, 'm'));
  assert.match(head, /^X-Request-Id: [0-9a-f]{32}\r$/m);
});

test('nginx had nothing to complain about but the upload it refused', async () => {
  const lines = (await nginx.log()).split('\n')
    .filter((line) => /\[(warn|error|crit|alert|emerg)\]/.test(line))
    .filter((line) => !/intended to send too large|too large body/.test(line));
  assert.deepEqual(lines, []);
});
