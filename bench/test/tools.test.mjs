// SPDX-License-Identifier: AGPL-3.0-or-later
// Do the measuring tools see what is there, and say so? Against servers that behave and servers
// that do not. Run: node --test bench/test (BENCH_TOOLS: folder of the built tools).
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listen } from './wsserver.mjs';

const tools =
  process.env.BENCH_TOOLS ?? fileURLToPath(new URL('../../build/release/bench', import.meta.url));

// {status, result (the JSON line, or null), stderr}
function run(tool, ...args) {
  return new Promise((done) => {
    execFile(path.join(tools, tool), args, { timeout: 60000 }, (error, stdout, stderr) => {
      const line = stdout.trim();
      done({
        status: error ? error.code : 0,
        result: line.startsWith('{') ? JSON.parse(line) : null,
        stdout,
        stderr,
      });
    });
  });
}

async function withServer(handlers, use) {
  const server = await listen(handlers);
  try {
    return await use(server);
  } finally {
    await server.close();
  }
}

// A server that writes the given bytes for each request head it sees.
async function withRaw(onRequest, use) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      for (const _ of bytes.toString('latin1').matchAll(/\r\n\r\n/g)) onRequest(socket);
    });
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    return await use(`http://127.0.0.1:${server.address().port}/`);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((done) => server.close(done));
  }
}

async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

const load = (url, ...more) => run('load', '--url', url, '--connections', '4', ...more);

test('load counts exactly the requests it was asked for', async () => {
  let seen = 0;
  await withServer(
    { request: (_, response) => (seen++, response.end('hello')) },
    async ({ url }) => {
      const { status, result } = await load(`${url}/`, '--requests', '500');
      assert.equal(status, 0);
      assert.equal(result.requests, 500);
      assert.equal(result.errors, 0);
      assert.equal(result.body_bytes, 5);
      assert.equal(seen, 500);
      assert.ok(result.latency_us.p50 <= result.latency_us.p99);
      assert.equal(result.server_cpu_us, null, 'no --pid, no figure');
    },
  );
});

test('load reads chunked, length and closing replies to the same body', async () => {
  const bodies = {
    chunked: (socket) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n, my world\r\n0\r\nT: 1\r\n\r\n',
      ),
    length: (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nhello, my world'),
    close: (socket) => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello, my world'),
  };
  for (const [name, answer] of Object.entries(bodies)) {
    await withRaw(answer, async (url) => {
      const { status, result } = await load(url, '--requests', '40', '--expect', 'hello, my world');
      assert.equal(status, 0, `${name}: ${JSON.stringify(result)}`);
      assert.equal(result.body_bytes, 15, name);
      assert.equal(result.requests, 40, name);
    });
  }
});

test('load reads replies that arrive byte by byte', async () => {
  const bytes =
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
  const drip = (socket, at = 0) => {
    if (at === bytes.length || socket.destroyed) return;
    socket.setNoDelay(true);
    socket.write(bytes[at], () => setImmediate(drip, socket, at + 1));
  };
  await withRaw(
    (socket) => drip(socket),
    async (url) => {
      const { status, result } = await load(url, '--requests', '20', '--expect', 'abc');
      assert.equal(status, 0, JSON.stringify(result));
      assert.equal(result.requests, 20);
      assert.equal(result.body_bytes, 3);
    },
  );
});

test('load keeps pipelined replies in order and counts each', async () => {
  await withServer({ request: (_, response) => response.end('x') }, async ({ url }) => {
    const { status, result } = await load(`${url}/`, '--requests', '800', '--pipeline', '8');
    assert.equal(status, 0);
    assert.equal(result.requests, 800);
  });
});

test('load reports unexpected statuses and fails', async () => {
  let n = 0;
  await withServer(
    {
      request: (_, response) => {
        response.statusCode = ++n % 10 === 0 ? 503 : 200;
        response.end('x');
      },
    },
    async ({ url }) => {
      const { status, result } = await load(`${url}/`, '--requests', '100');
      assert.equal(status, 1);
      assert.deepEqual(result.errors_by_kind, { status: 10 });
      assert.equal(result.first_bad_status, 503);
    },
  );
});

test('load accepts the one status it is told to expect', async () => {
  await withServer(
    { request: (_, response) => ((response.statusCode = 404), response.end('x')) },
    async ({ url }) => {
      const { status, result } = await load(`${url}/`, '--requests', '10', '--status', '404');
      assert.equal(status, 0);
      assert.equal(result.errors, 0);
    },
  );
});

test('load reports bodies without the expected text', async () => {
  await withServer({ request: (_, response) => response.end('sick') }, async ({ url }) => {
    const { status, result } = await load(`${url}/`, '--requests', '10', '--expect', 'healthy');
    assert.equal(status, 1);
    assert.deepEqual(result.errors_by_kind, { body: 10 });
  });
});

const broken = {
  'a reply cut off': [(s) => s.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'), 'closed'],
  'a connection closed without a reply': [(s) => s.destroy(), 'closed'],
  'a reply that is no HTTP': [(s) => s.write('hello\r\n\r\n'), 'broken'],
  'two lengths that disagree': [
    (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
    'broken',
  ],
  'both length and chunks': [
    (s) =>
      s.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    'broken',
  ],
  'a bad chunk size': [
    (s) => s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
    'broken',
  ],
  'more than was asked for': [
    (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc'),
    'broken',
  ],
};
for (const [what, [answer, kind]] of Object.entries(broken)) {
  test(`load reports ${what}`, async () => {
    let n = 0;
    // Every fourth request is answered badly, so that the run comes to its end.
    const mostly = (socket) =>
      ++n % 4 === 0 ? answer(socket) : socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    await withRaw(mostly, async (url) => {
      const { status, result, stderr } = await load(url, '--requests', '40');
      assert.equal(status, 1, stderr);
      assert.ok(result.errors_by_kind[kind] >= 1, JSON.stringify(result));
    });
  });
}

test('load gives up on a server that is not there', async () => {
  const { status, stderr } = await load(`http://127.0.0.1:${await freePort()}/`, '--requests', '1');
  assert.equal(status, 2);
  assert.match(stderr, /lost without a reply/);
});

test('load reports replies that come too late', async () => {
  let n = 0;
  await withRaw(
    (socket) => {
      if (n++ > 0) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    },
    async (url) => {
      const { status, result } = await load(url, '--seconds', '0.8', '--warmup', '0', '--timeout', '0.2');
      assert.equal(status, 1);
      assert.deepEqual(result.errors_by_kind, { timeout: 1 });
    },
  );
});

test('load in an open loop asks at the rate it was told and does not hide a stall', async () => {
  let n = 0;
  await withServer(
    {
      request: (_, response) => {
        if (++n === 200) {
          const until = Date.now() + 300; // the whole server stands still
          while (Date.now() < until);
        }
        response.end('x');
      },
    },
    async ({ url }) => {
      const { status, result } = await load(
        `${url}/`, '--rate', '400', '--seconds', '1.5', '--warmup', '0', '--connections', '4',
      );
      assert.equal(status, 0);
      assert.ok(Math.abs(result.requests - 600) <= 40, `${result.requests} requests`);
      // 300 ms of 1,500 stood still: a fifth of the requests saw it, not four of them.
      assert.ok(result.latency_us.p90 > 50000, `p90 ${result.latency_us.p90}`);
    },
  );
});

test('load fills in numbers and tokens', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  const file = path.join(folder, 'tokens');
  await writeFile(file, 'one\ntwo\n');
  const bodies = [];
  const tokens = new Set();
  await withServer(
    {
      request: (request, response, body) => {
        bodies.push(JSON.parse(body).n);
        tokens.add(request.headers.authorization);
        assert.equal(request.headers['content-type'], 'application/json');
        response.end('{}');
      },
    },
    async ({ url }) => {
      const { status, result } = await load(
        `${url}/x`, '--method', 'POST', '--body-template', '{"n":%d,"percent":"%%"}',
        '--tokens', file, '--requests', '40', '--first', '100', '--connections', '2',
      );
      assert.equal(status, 0);
      assert.equal(result.next_number, 140);
    },
  );
  await rm(folder, { recursive: true });
  assert.deepEqual(bodies.sort((a, b) => a - b), Array.from({ length: 40 }, (_, i) => 100 + i));
  assert.deepEqual([...tokens].sort(), ['Bearer one', 'Bearer two']);
});

test('load measures the CPU time of the server', async () => {
  await withServer({ request: (_, response) => response.end('x') }, async ({ url }) => {
    const before = process.cpuUsage();
    const { result } = await load(
      `${url}/`, '--seconds', '1', '--warmup', '0', '--pid', String(process.pid),
    );
    const { user, system } = process.cpuUsage(before);
    const ours = (user + system) / result.requests;
    assert.ok(result.server_cpu_us > 0.7 * ours && result.server_cpu_us < 1.1 * ours,
      `${result.server_cpu_us} against ${ours}`);
  });
});

// ---- fan-out ----

// A community of one topic: whoever said hello gets every post. `deliver` may misbehave.
function community(deliver, extra = {}) {
  const subscribed = [];
  return {
    member(member) {
      member.onMessage = (text) => {
        assert.deepEqual(JSON.parse(text), { type: 'subscribe', topic: 'feed' });
        member.index = subscribed.push(member) - 1;
        member.send('{"type":"subscribed"}');
      };
    },
    request(_, response, body) {
      const { content } = JSON.parse(body);
      subscribed.forEach((member, i) => deliver(member, `{"event":"${content}"}`, i));
      response.statusCode = 201;
      response.end('{}');
    },
    ...extra,
  };
}

const fanout = (server, ...more) =>
  run(
    'fanout', '--url', `${server.ws}/live`, '--sockets', '50', '--rounds', '5', '--timeout', '1',
    '--hello', '{"type":"subscribe","topic":"feed"}', '--ack', '"subscribed"',
    '--post-url', `${server.url}/posts`, '--post-body', '{"content":"bench-event-%d"}', ...more,
  );

test('fanout counts every delivery once', async () => {
  for (const inFlight of ['1', '16']) {
    await withServer(community((member, text) => member.send(text)), async (server) => {
      const { status, result, stderr } = await fanout(server, '--in-flight', inFlight);
      assert.equal(status, 0, stderr);
      assert.equal(result.deliveries, 50 * 5 * Number(inFlight));
      assert.equal(result.rounds, 5);
      assert.ok(result.post_to_last_us.p50 > 0);
      assert.ok(result.payload_bytes > 20);
    });
  }
});

test('fanout reads frames in pieces and answers pings', async () => {
  let pongs = 0;
  await withServer(
    community((member, text) => {
      member.ping('are you there');
      const bytes = Buffer.from(`\x81${String.fromCharCode(text.length)}${text}`, 'latin1');
      member.raw(bytes.subarray(0, 1));
      setImmediate(() => member.raw(bytes.subarray(1, 9)));
      setTimeout(() => {
        member.raw(bytes.subarray(9));
        pongs = Math.max(pongs, member.pongs);
      }, 5);
    }),
    async (server) => {
      const { status, result, stderr } = await fanout(server);
      assert.equal(status, 0, stderr);
      assert.equal(result.deliveries, 250);
    },
  );
  assert.ok(pongs > 0);
});

const misdeeds = {
  missing: (member, text, i) => i !== 7 && member.send(text),
  duplicates: (member, text, i) => {
    member.send(text);
    if (i === 7) member.send(text);
  },
  strays: (member, text, i) => {
    member.send(text);
    if (i === 7) member.send('{"event":"bench-event-0"}');
  },
  lost: (member, text, i) => (i === 7 ? member.close(1013) : member.send(text)),
};
for (const [kind, deliver] of Object.entries(misdeeds)) {
  test(`fanout reports ${kind} and fails`, async () => {
    await withServer(community(deliver), async (server) => {
      const { status, result } = await fanout(server);
      assert.equal(status, 1);
      assert.ok(result[kind] >= 1, JSON.stringify(result));
    });
  });
}

test('fanout reports posts that are refused', async () => {
  const refusing = community(() => {}, {
    request: (_, response) => ((response.statusCode = 429), response.end('{}')),
  });
  await withServer(refusing, async (server) => {
    const { status, result } = await fanout(server, '--timeout', '0.3');
    assert.equal(status, 1);
    assert.ok(result.post_errors >= 1);
    assert.ok(result.missing >= 50);
  });
});

test('fanout says so when sockets are refused', async () => {
  await withServer(community(() => {}, { refuse: () => true }), async (server) => {
    const { status, stderr } = await fanout(server);
    assert.equal(status, 2);
    assert.match(stderr, /status 401/);
  });
});

test('fanout fetches a ticket for every socket', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  const file = path.join(folder, 'tokens');
  await writeFile(file, 'alpha\nbeta\n');
  let issued = 0;
  const used = new Set();
  const handlers = community((member, text) => member.send(text));
  const post = handlers.request;
  handlers.request = (request, response, body) => {
    assert.match(request.headers.authorization, /^Bearer (alpha|beta)$/);
    if (request.url === '/live/ticket') return response.end(`{"ticket":"t${issued++}"}`);
    return post(request, response, body);
  };
  handlers.refuse = (request) => {
    const ticket = new URL(request.url, 'http://x').searchParams.get('ticket');
    if (used.has(ticket) || !/^t\d+$/.test(ticket)) return true;
    used.add(ticket);
    return false;
  };
  await withServer(handlers, async (server) => {
    const { status, result, stderr } = await fanout(
      server, '--url', `${server.ws}/live?ticket=%t`, '--ticket-url', `${server.url}/live/ticket`,
      '--tokens', file,
    );
    assert.equal(status, 0, stderr);
    assert.equal(result.deliveries, 250);
  });
  await rm(folder, { recursive: true });
  assert.equal(used.size, 50);
});

test('fanout in idle mode compares memory', async () => {
  await withServer(community(() => {}), async (server) => {
    const { status, result, stderr } = await run(
      'fanout', '--idle', '--url', `${server.ws}/live`, '--sockets', '300', '--hold', '0.2',
      '--sources', '3', '--hello', '{"type":"subscribe","topic":"feed"}', '--ack', 'subscribed',
      '--pid', String(process.pid),
    );
    assert.equal(status, 0, stderr);
    assert.equal(result.sockets, 300);
    assert.ok(result.rss_bytes_after > 0);
    assert.equal(typeof result.pss_bytes_each, 'number');
  });
});

// ---- models ----

// A tool that serves, until `use` is over. It goes when its standard input is closed.
async function withTool(args, use) {
  const child = spawn(path.join(tools, args[0]), args.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = once(child, 'exit');
  try {
    const [line] = await once(child.stdout, 'data');
    return await use(/http:\S+/.exec(line)[0]);
  } finally {
    child.stdin.end();
    assert.deepEqual(await gone, [0, null]);
  }
}

const post = (url, body) => fetch(url, { method: 'POST', body: JSON.stringify(body) });
const asking = (content) => ({ messages: [{ role: 'user', content }] });

test('provider answers a question as a whole or as events, and nothing else', async () => {
  await withTool(['provider'], async (url) => {
    const whole = await (await post(url, asking('question 17'))).json();
    assert.equal(whole.choices[0].message.content, 'answer 17.');
    const events = await (await post(url, { stream: true, ...asking('question 18') })).text();
    const said = events.split('\n\n').slice(0, -1).map((event) => event.slice('data: '.length));
    assert.equal(said.pop(), '[DONE]');
    const deltas = said.map((event) => JSON.parse(event).choices[0].delta.content ?? '');
    assert.equal(deltas.join(''), 'answer 18.');
    assert.equal((await post(url, asking('how are you?'))).status, 400);
  });
});

test('provider hears a question that comes in pieces, and the next on the same connection', async () => {
  await withTool(['provider'], async (url) => {
    const socket = net.connect(new URL(url).port, '127.0.0.1');
    let heard = '';
    socket.setNoDelay(true).on('data', (bytes) => (heard += bytes));
    for (const number of ['41', '42']) {
      const text = `POST / HTTP/1.1\r\ncontent-length: 11\r\n\r\nquestion ${number}`;
      for (const byte of text) await new Promise((done) => socket.write(byte, () => setImmediate(done)));
      while (!heard.includes(`answer ${number}.`)) await once(socket, 'data');
    }
    socket.destroy();
    assert.equal(heard.split('HTTP/1.1 200').length, 3);
  });
});

test('load reports an answer to another question', async () => {
  let n = 0;
  const number = (body) => Number(/\d+/.exec(body)[0]);
  await withServer(
    { request: (_, response, body) => response.end(`answer ${number(body) + (++n === 7 ? 1 : 0)}.`) },
    async ({ url }) => {
      const { status, result } = await load(
        `${url}/`, '--method', 'POST', '--body-template', 'question %d', '--expect', 'answer %d.',
        '--requests', '40',
      );
      assert.equal(status, 1);
      assert.deepEqual(result.errors_by_kind, { body: 1 });
    },
  );
});

const first = (...urls) =>
  run(
    'first', ...urls.flatMap((url) => ['--url', url]), '--body', '{"stream":true,"q":"question %d"}',
    '--expect', 'answer %d.', '--seconds', '1', '--warmup', '0.2',
  );

test('first says what a detour adds, up to the first word and no further', async () => {
  await withTool(['provider'], async (direct) => {
    const detour = {
      async request(_, response, body) {
        const answer = await (await fetch(direct, { method: 'POST', body })).text();
        const words = answer.indexOf('."') + 2;
        await new Promise((done) => setTimeout(done, 10));
        response.write(answer.slice(0, words));
        setTimeout(() => response.end(answer.slice(words)), 300);
      },
    };
    await withServer(detour, async ({ url }) => {
      const { status, result, stderr } = await first(direct, url);
      assert.equal(status, 0, stderr);
      assert.ok(result.rounds >= 1);
      assert.equal(result.ways[0].added_us.max, 0);
      const { p50 } = result.ways[1].added_us;
      assert.ok(p50 >= 10000 && p50 < 300000, `${p50} µs`);
    });
  });
});

const wrongAnswers = {
  'status 503': (response) => ((response.statusCode = 503), response.end('answer')),
  'an answer without the expected text': (response) => response.end('answer 1.'),
  'an answer was cut off': (response, right) => {
    response.write(right);
    setImmediate(() => response.socket.destroy());
  },
  'more came than was asked for': (response, right) => {
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${right.length}\r\n\r\n`;
    response.socket.write(`${head}${right} and more`);
  },
};
for (const [said, answer] of Object.entries(wrongAnswers)) {
  test(`first gives no figure: ${said}`, async () => {
    const right = (body) => `answer ${/question (\d+)/.exec(body)[1]}.`;
    let n = 0;
    const request = (_, response, body) =>
      ++n < 3 ? response.end(right(body)) : answer(response, right(body));
    await withServer({ request }, async ({ url }) => {
      const { status, result, stderr } = await first(url);
      assert.equal(status, 2);
      assert.equal(result, null);
      assert.match(stderr, new RegExp(`${said}$`, 'm'));
    });
  });
}

// A relay that asks the provider at a port for each reader; `left` is what it does when one leaves.
function relay(port, left, passOn = (answer, response) => answer.pipe(response)) {
  const asked = [];
  let answers = 0;
  return {
    request(_, response, body) {
      const question = http.request({ port, host: '127.0.0.1', method: 'POST', agent: false });
      asked.push(question);
      question.on('response', (answer) => {
        response.writeHead(200);
        passOn(answer, response, ++answers);
      });
      question.on('error', () => response.destroy());
      response.on('close', () => left(question, asked));
      question.end(body);
    },
  };
}

async function streamThrough(handlers, ...more) {
  const port = await freePort();
  return withServer(handlers(port), ({ url }) =>
    run('stream', '--provider-port', String(port), '--url', url, '--body', 'question %d',
      '--streams', '20', '--seconds', '0.4', ...more));
}

const leaves = (question) => question.destroy();

test('stream counts the tokens that came and how late they were', async () => {
  const { status, result, stderr } = await streamThrough((port) => relay(port, leaves));
  assert.equal(status, 0, stderr);
  assert.ok(result.got > 200, `${result.got} tokens`); // 20 streams, 50/s, 0.4 s: 400
  assert.ok(result.delay_us.p50 > 0);
  assert.equal(result.cancelled, 0);
});

test('stream reports an answer that breaks off', async () => {
  const breaks = (answer, response, nth) => {
    answer.pipe(response);
    if (nth === 7) setTimeout(() => response.destroy(), 1200);
  };
  const { status, result } = await streamThrough((port) => relay(port, leaves, breaks));
  assert.equal(status, 1);
  assert.ok(result.broken >= 1);
});

test('stream sees who stops asking when a reader leaves', async () => {
  const { status, result, stderr } = await streamThrough((port) => relay(port, leaves), '--cancel', '8');
  assert.equal(status, 0, stderr);
  assert.equal(result.cancelled, 8);
  assert.ok(result.cancel_us.p50 > 0 && result.cancel_us.max < 1e6);
});

test('stream measures how late that is', async () => {
  const late = (question) => setTimeout(() => question.destroy(), 100);
  const { result } = await streamThrough((port) => relay(port, late), '--cancel', '3');
  assert.equal(result.cancelled, 3);
  assert.ok(result.cancel_us.p50 >= 100000, `${result.cancel_us.p50} µs`);
});

test('stream reports who goes on asking for a reader who has left', async () => {
  const { status, result } = await streamThrough((port) => relay(port, () => {}), '--cancel', '3');
  assert.equal(status, 1);
  assert.equal(result.lost, 1);
  assert.equal(result.cancelled, 0);
});

test("stream reports who stops another reader's answer", async () => {
  const another = (question, asked) => asked.at(-1).destroy();
  const { status, result } = await streamThrough((port) => relay(port, another), '--cancel', '1');
  assert.equal(status, 1);
  assert.equal(result.lost, 1);
  assert.ok(result.broken >= 1);
});

// ---- floor ----

test('floor sends what it is told', async () => {
  const { status, result } = await run(
    'floor', 'send', '--sockets', '20', '--bytes', '100', '--rounds', '10', '--writev', '16',
  );
  assert.equal(status, 0);
  assert.equal(result.sends, 200);
  assert.equal(result.frames, 3200);
  assert.ok(result.cpu_us_per_send > 0);
  assert.ok(Math.abs(result.cpu_us_per_send / 16 - result.cpu_us_per_frame) < 0.01);
});

test('tools refuse what they do not understand', async () => {
  for (const args of [
    ['load', '--url', 'https://example.org/'],
    ['load', '--connections', '0'],
    ['load', '--nonsense'],
    ['load'],
    ['fanout', '--url', 'ws://127.0.0.1:1/'],
    ['floor', 'dance'],
    ['first', '--url', 'http://127.0.0.1:1/'],
    ['provider', '--nonsense'],
    ['stream', '--provider-port', '1'],
    ['load', '--url', 'http://127.0.0.1:1/', '--pid', '999999999'],
  ]) {
    const { status, stderr } = await run(...args);
    assert.equal(status, 2, args.join(' '));
    assert.ok(stderr.length > 10);
  }
});
