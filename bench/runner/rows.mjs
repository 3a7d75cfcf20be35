// SPDX-License-Identifier: AGPL-3.0-or-later
// The table, row by row. A row has
//   lines    what it prints: key, work, aim, unit, what the reference is, how it is judged
//   prepare  starts servers and makes data, once
//   once     one run: { key: { measured, reference } } for each line; repeated, medians are quoted
// Servers that a row started are ended after it.

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import * as protocol from './protocol.mjs';
import { CannotMeasure } from './servers.mjs';
import { wikiAskRow } from './wikiask.mjs';
import { wikiRow } from './wikirow.mjs';

// ---- judging ----

// `measured` and `ratio` are medians over the runs.
const ratioAtMost = (most) => ({ ratio }) => (ratio <= most ? 'met' : 'missed');
const atMost =
  (most, goal = 0) =>
  ({ measured }) =>
    measured <= goal ? `met, and the goal of ${goal}` : measured <= most ? 'met' : 'missed';
const atLeast =
  (least, goal = Infinity) =>
  ({ measured }) =>
    measured >= goal ? `met, and the goal of ${goal}` : measured >= least ? 'met' : 'missed';
const forComparison = () => '–';

// A bigger B-tree is a level deeper and its pages are colder; a scan would be hundreds of times slower.
const growth = ratioAtMost(1.25);
// Percentiles of short runs scatter; what this must show is that nobody waits for hashes.
const unmoved = ratioAtMost(1.5);

const cpu = 'µs CPU';

// ---- shared steps ----

const measureLoad = (ctx, server, options) =>
  ctx.load({
    connections: 64,
    seconds: ctx.size.seconds,
    warmup: Math.min(0.5, ctx.size.seconds / 2),
    pid: server.pids,
    ...options,
  });

const members = (ctx) => ctx.size.members;
const community = (ctx, posts) => ({ members: members(ctx), posts, partners: 50, messages: 4000 });

async function startSeeded(ctx, posts, options) {
  const data = await ctx.dataset(community(ctx, posts), options);
  return { data, server: await ctx.hutong(data.data) };
}

async function feedCpu(ctx, { data, server }) {
  const url = server.url + protocol.paths.feed;
  return (await measureLoad(ctx, server, { url, tokens: data.tokens, expect: '"items"' }))
    .server_cpu_us;
}

async function conversationsCpu(ctx, { data, server }, question = '') {
  const url = server.url + protocol.paths.conversations + question;
  const options = { url, tokens: data.firstToken, expect: '"conversations"' };
  return (await measureLoad(ctx, server, options)).server_cpu_us;
}

// ---- GET /health ----

const health = {
  name: 'health',
  lines: [
    {
      key: 'nginx',
      work: 'GET /health, 64 connections',
      aim: '≤ nginx `return 200`',
      unit: cpu,
      against: 'nginx, 2 workers',
      judge: ratioAtMost(1),
    },
    {
      key: 'epoll',
      work: 'the same',
      aim: '–',
      unit: cpu,
      against: 'bare epoll',
      judge: forComparison,
    },
  ],
  async prepare(ctx) {
    return {
      hutong: await ctx.hutong(await ctx.emptyData()),
      nginx: await ctx.nginx(),
      floor: await ctx.floorHttp(),
    };
  },
  async once(ctx, servers) {
    const used = {};
    for (const [name, server] of Object.entries(servers)) {
      const url = server.url + protocol.paths.health;
      used[name] = (await measureLoad(ctx, server, { url, expect: protocol.healthy })).server_cpu_us;
    }
    return {
      nginx: { measured: used.hutong, reference: used.nginx },
      epoll: { measured: used.hutong, reference: used.floor },
    };
  },
};

// ---- reading ----

const feed = {
  name: 'feed',
  lines: [
    {
      key: 'feed',
      work: 'GET /posts?page_size=20, signed in, 100,000 posts, 1,000 members',
      aim: '≤ 45, then 20',
      unit: cpu,
      against: 'the original: 16,000',
      judge: atMost(45, 20),
    },
  ],
  prepare: (ctx) => startSeeded(ctx, ctx.size.posts),
  once: async (ctx, state) => ({ feed: { measured: await feedCpu(ctx, state) } }),
};

const conversations = {
  name: 'conversations',
  lines: [
    {
      key: 'conversations',
      work: 'GET /messages/conversations, 50 partners, 4,000 messages',
      aim: '≤ 80',
      unit: cpu,
      against: 'the original: 800,000',
      judge: atMost(80),
    },
    {
      key: 'unasked',
      work: 'the same, each list asked for the first time',
      aim: '≤ 80',
      unit: cpu,
      against: 'the original: 800,000',
      judge: atMost(80),
    },
  ],
  prepare: (ctx) => startSeeded(ctx, ctx.size.posts),
  once: async (ctx, state) => ({
    conversations: { measured: await conversationsCpu(ctx, state) },
    unasked: { measured: await conversationsCpu(ctx, state, protocol.unaskedConversations) },
  }),
};

const growthRow = {
  name: 'growth',
  lines: [
    {
      key: 'feed',
      work: 'feed at 1,000,000 posts',
      aim: '≤ 1.25 × at 1,000',
      unit: cpu,
      against: 'the same at 1,000 posts',
      judge: growth,
    },
    {
      key: 'conversations',
      work: 'conversations at 1,000,000 posts',
      aim: '≤ 1.25 × at 1,000',
      unit: cpu,
      against: 'the same at 1,000 posts',
      judge: growth,
    },
  ],
  async prepare(ctx) {
    return {
      small: await startSeeded(ctx, ctx.size.postsFew),
      large: await startSeeded(ctx, ctx.size.postsMany),
    };
  },
  async once(ctx, { small, large }) {
    return {
      feed: { reference: await feedCpu(ctx, small), measured: await feedCpu(ctx, large) },
      conversations: {
        reference: await conversationsCpu(ctx, small, protocol.unaskedConversations),
        measured: await conversationsCpu(ctx, large, protocol.unaskedConversations),
      },
    };
  },
};

// ---- writing ----

async function countPosts(server) {
  const response = await fetch(`${server.url}${protocol.paths.posts}?page_size=1`);
  if (!response.ok) throw new CannotMeasure(`counting posts: status ${response.status}`);
  return (await response.json()).total;
}

// What was in flight when a load ended is stored a moment later: the count that stays.
async function countSettledPosts(server) {
  for (let last = -1; ; ) {
    const count = await countPosts(server);
    if (count === last) return count;
    last = count;
    await pause(100);
  }
}

// Numbers for marks and bodies never come twice on one data set.
function takeNumbers(state, result) {
  state.first = result.next_number;
  return result;
}

const posts = {
  name: 'posts',
  lines: [
    {
      key: 'posts',
      work: 'POST /posts durable, 64 clients',
      aim: '≥ 6,000/s, then 10,000',
      unit: '/s',
      against: '–',
      judge: atLeast(6000, 10000),
    },
    { key: 'cpu', work: 'the same', aim: '–', unit: cpu, against: '–', judge: forComparison },
  ],
  async prepare(ctx) {
    return { ...(await startSeeded(ctx, ctx.size.posts, { copy: true })), first: 1 };
  },
  async once(ctx, state) {
    const { data, server, first } = state;
    const before = await countSettledPosts(server);
    const result = takeNumbers(
      state,
      await measureLoad(ctx, server, {
        url: server.url + protocol.paths.posts,
        method: 'POST',
        bodyTemplate: protocol.postBody,
        tokens: data.tokens,
        first,
      }),
    );
    const stored = (await countSettledPosts(server)) - before;
    const sent = result.next_number - first;
    // Measured ones were answered; those of the warm-up and the last in flight may be more.
    if (stored < result.requests || stored > sent) {
      throw new CannotMeasure(`${result.requests} answered, ${sent} sent, but ${stored} stored`);
    }
    return { posts: { measured: result.rps }, cpu: { measured: result.server_cpu_us } };
  },
};

// ---- live ----

const liveSockets = (server, data, subscribe) => ({
  url: server.ws + protocol.paths.live,
  ticketUrl: server.url + protocol.paths.ticket,
  ticketMember: protocol.ticketMember,
  tokens: data.tokens,
  sources: 50,
  hello: subscribe.hello,
  ack: subscribe.ack,
  pid: server.pids,
});

// Bytes of a frame on the wire: unmasked, a head of 2, 4 or 10.
const wireBytes = (payload) => Math.round(payload) + (payload < 126 ? 2 : payload < 65536 ? 4 : 10);

async function fanoutOnce(ctx, state, inFlight) {
  const { data, server } = state;
  const result = takeNumbers(
    state,
    await ctx.fanout({
      ...liveSockets(server, data, protocol.subscribeFeed),
      sockets: ctx.size.sockets,
      rounds: ctx.size.rounds,
      inFlight,
      postUrl: server.url + protocol.paths.posts,
      postBody: protocol.eventBody,
      marker: protocol.eventMarker,
      first: state.first,
    }),
  );
  const bytes = wireBytes(result.payload_bytes);
  const { sockets, rounds } = ctx.size;
  const floor = await ctx.floor('send', { sockets, rounds, bytes, writev: inFlight });
  return {
    cpu: { measured: result.server_cpu_us, reference: floor.cpu_us_per_frame },
    time: {
      measured: result.post_to_last_us.max / 1000,
      reference: floor.round_us.max / 1000,
    },
    spread: {
      measured: result.reply_to_last_us.p50 / 1000,
      reference: floor.round_us.p50 / 1000,
    },
  };
}

const fanoutRow = (name, inFlight, most) => {
  const many = inFlight === 1 ? 'one event' : `${inFlight} events in flight`;
  const floor = inFlight === 1 ? 'bare `send` loop' : `${inFlight}-frame \`writev\` loop`;
  return {
    name,
    lines: [
      {
        key: 'cpu',
        work: `live fan-out, ${many}, to 5,000 sockets, each delivery`,
        aim: `≤ ${most} × floor`,
        unit: cpu,
        against: floor,
        judge: ratioAtMost(most),
      },
      {
        key: 'time',
        work: 'the same: from post to the last delivery, worst round',
        aim: '< 50 ms',
        unit: 'ms',
        against: floor,
        judge: atMost(50),
      },
      {
        key: 'spread',
        work: "the same: from the author's last reply to the last delivery, median round",
        aim: '–',
        unit: 'ms',
        against: `${floor}, median round`,
        judge: forComparison,
      },
    ],
    async prepare(ctx) {
      return { ...(await startSeeded(ctx, ctx.size.postsFew, { copy: true })), first: 1 };
    },
    once: (ctx, state) => fanoutOnce(ctx, state, inFlight),
  };
};

const idle = {
  name: 'idle',
  lines: [
    {
      key: 'memory',
      work: '10,000 idle signed-in sockets, memory each',
      aim: '≤ 6 kB',
      unit: 'bytes',
      against: 'uWebSockets 500, ws 9,000',
      judge: atMost(6000),
    },
  ],
  prepare: async (ctx) => ctx.dataset(community(ctx, ctx.size.postsFew)),
  // A server anew each time: memory once taken is not given back.
  async once(ctx, data) {
    const server = await ctx.hutong(data.data);
    const result = await ctx.fanout({
      ...liveSockets(server, data, protocol.subscribeMe),
      sockets: ctx.size.idle,
      idle: true,
      hold: ctx.size.seconds,
    });
    await server.stop();
    return { memory: { measured: result.pss_bytes_each } };
  },
};

// ---- log-in ----

const loginOptions = (ctx, { data, server }) => ({
  url: server.url + protocol.paths.login,
  method: 'POST',
  header: protocol.formType,
  bodyTemplate: data.login_body,
  first: 1,
  last: members(ctx),
  connections: 50,
  sources: 50,
  timeout: 60,
  pid: server.pids,
});

// Others read the feed at a pace that leaves the machine room: their p99 is then their waiting.
async function othersP99(ctx, { data, server }) {
  const result = await ctx.load({
    url: server.url + protocol.paths.feed,
    connections: 16,
    rate: 500,
    seconds: ctx.size.seconds,
    tokens: data.tokens,
  });
  return result.latency_us.p99;
}

// A load that ends leaves a log-in of each connection in the server's queue; they would be counted
// as the next one's. The queue is served in order: who comes last has waited for all of them.
const passwordsDone = (ctx, logins) => ctx.load({ ...logins, connections: 1, requests: 4 });

const login = {
  name: 'login',
  lines: [
    {
      key: 'cost',
      work: 'a log-in',
      aim: '≤ 1.1 × one argon2id',
      unit: cpu,
      against: 'libargon2, 7 MiB, t=5',
      judge: ratioAtMost(1.1),
    },
    {
      key: 'others',
      work: "others' p99 while 50 log in (feed, 500/s)",
      aim: 'unmoved (≤ 1.5 ×)',
      unit: 'µs',
      against: 'nobody logging in',
      judge: unmoved,
    },
  ],
  async prepare(ctx) {
    const state = await startSeeded(ctx, ctx.size.postsFew, { copy: true });
    if (!state.data.login_body) throw new CannotMeasure('bench-data gives no "login_body"');
    return state;
  },
  async once(ctx, state) {
    const logins = loginOptions(ctx, state);
    await passwordsDone(ctx, logins);
    const cost = await ctx.load({ ...logins, requests: 50 });
    const hash = await ctx.floor('hash', { rounds: 20 });
    const alone = await othersP99(ctx, state);
    // Begins before and ends after the others are measured.
    const [, together] = await Promise.all([
      ctx.load({ ...logins, warmup: 0, seconds: ctx.size.seconds + 1 }),
      othersP99(ctx, state),
    ]);
    return {
      cost: { measured: cost.server_cpu_us, reference: hash.cpu_us_per_hash },
      others: { measured: together, reference: alone },
    };
  },
};

// ---- streams of models ----

// An API key of the first member, in a file as the tools take it.
async function makeKey(server, { data, firstToken }) {
  const token = (await readFile(firstToken, 'utf8')).trim();
  const response = await fetch(server.url + protocol.paths.keys, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"name":"bench"}',
  });
  if (!response.ok) throw new CannotMeasure(`making a key: status ${response.status}`);
  const file = path.join(data, 'bench-key');
  await writeFile(file, `${(await response.json()).key}\n`);
  return file;
}

// The tool is provider and readers; a server anew each time, for memory once taken is not given back.
async function streamed(ctx, start, options) {
  const providerPort = await ctx.freePort();
  const { url, stop, ...more } = await start(providerPort);
  const result = await ctx.stream({
    providerPort,
    url: url + protocol.paths.chat,
    body: protocol.streamedQuestion,
    seconds: ctx.size.seconds,
    ...options,
    ...more,
  });
  await stop();
  return result;
}

// What can stand between the provider at a port and its readers.
const between = (ctx, data) => ({
  async hutong(port) {
    const server = await ctx.hutong(data.data, { ...protocol.modelsAt(port), ...protocol.oneLoop });
    const { url, pids, stop } = server;
    return { url, stop, pid: pids, tokens: await makeKey(server, data) };
  },
  async nginx(port) {
    const { url, pids, stop } = await ctx.nginx({ workers: 1, upstream: port });
    return { url, stop, pid: pids };
  },
  nobody: async (port) => ({ url: `http://127.0.0.1:${port}`, stop() {} }),
});

const aCopy = (ctx) => ctx.dataset(community(ctx, ctx.size.postsFew), { copy: true });

const stream = {
  name: 'stream',
  lines: [
    {
      key: 'cpu',
      work: 'relaying a streamed token, 2,000 answers at 50 tokens/s, one loop',
      aim: '≤ 14',
      unit: cpu,
      against: 'nginx as a plain proxy, 1 worker',
      judge: atMost(14),
    },
    {
      key: 'memory',
      work: 'the same: memory of an open answer',
      aim: '≤ 24 kB',
      unit: 'bytes',
      against: 'nginx',
      judge: atMost(24000),
    },
    {
      key: 'delay',
      work: 'the same with 500 answers: p99 from provider to reader, beyond that without a server',
      aim: '≤ 1 ms',
      unit: 'ms',
      against: 'nginx',
      judge: atMost(1),
    },
  ],
  prepare: aCopy,
  async once(ctx, data) {
    const { hutong, nginx, nobody } = between(ctx, data);
    const { streams } = ctx.size;
    const [ours, theirs] = [
      await streamed(ctx, hutong, { streams }),
      await streamed(ctx, nginx, { streams }),
    ];
    const p99 = async (start) =>
      (await streamed(ctx, start, { streams: streams / 4 })).delay_us.p99 / 1000;
    const [late, lateNginx, lateAlone] = [await p99(hutong), await p99(nginx), await p99(nobody)];
    return {
      cpu: { measured: ours.server_cpu_us, reference: theirs.server_cpu_us },
      memory: { measured: ours.bytes_each, reference: theirs.bytes_each },
      delay: { measured: late - lateAlone, reference: lateNginx - lateAlone },
    };
  },
};

const cancel = {
  name: 'cancel',
  lines: [
    {
      key: 'p99',
      work: 'a reader leaves in mid-answer, 500 answers at 50 tokens/s: p99 to the close at the provider',
      aim: '≤ 5 ms',
      unit: 'ms',
      against: 'nginx as a plain proxy, 1 worker',
      judge: atMost(5),
    },
    { key: 'p50', work: 'the same, p50', aim: '–', unit: 'ms', against: 'nginx', judge: forComparison },
  ],
  prepare: aCopy,
  async once(ctx, data) {
    const { hutong, nginx } = between(ctx, data);
    const streams = ctx.size.streams / 4; // what queues on a busy machine would be measured instead
    const left = async (start) =>
      (await streamed(ctx, start, { streams, cancel: Math.floor(streams / 2) })).cancel_us;
    const [ours, theirs] = [await left(hutong), await left(nginx)];
    const line = (name) => ({ measured: ours[name] / 1000, reference: theirs[name] / 1000 });
    return { p99: line('p99'), p50: line('p50') };
  },
};

// ---- short answers of models ----

// A provider, and both servers in front of it.
async function startGateway(ctx, environment) {
  const data = await aCopy(ctx);
  const provider = await ctx.provider();
  const server = await ctx.hutong(data.data, { ...protocol.modelsAt(provider.port), ...environment });
  const nginx = await ctx.nginx({ upstream: provider.port });
  return { provider, server, nginx, tokens: await makeKey(server, data) };
}

const first = {
  name: 'first',
  lines: [
    {
      key: 'p50',
      work: 'first token of a streamed answer, one client: p50 of what we add to a direct question',
      aim: '≤ 0.1 ms',
      unit: 'ms',
      against: 'nginx as a plain proxy',
      judge: atMost(0.1),
    },
    {
      key: 'p99',
      work: 'the same, p99',
      aim: '≤ 0.5 ms',
      unit: 'ms',
      against: 'nginx',
      judge: atMost(0.5),
    },
  ],
  prepare: (ctx) => startGateway(ctx),
  async once(ctx, { provider, server, nginx, tokens }) {
    const result = await ctx.first({
      url: [provider, nginx, server].map(({ url }) => url + protocol.paths.chat),
      body: protocol.streamedQuestion,
      expect: protocol.answer,
      tokens,
      seconds: ctx.size.seconds,
    });
    const [, theirs, ours] = result.ways.map((way) => way.added_us);
    const line = (name) => ({ measured: ours[name] / 1000, reference: theirs[name] / 1000 });
    return { p50: line('p50'), p99: line('p99') };
  },
};

const gateway = {
  name: 'gateway',
  lines: [
    {
      key: 'rate',
      work: 'a whole answer of a model, 64 clients, load and provider on the same cores',
      aim: '≥ 15,000/s',
      unit: '/s',
      against: 'nginx as a plain proxy, 2 workers',
      judge: atLeast(15000),
    },
    { key: 'cpu', work: 'the same', aim: '–', unit: cpu, against: 'nginx', judge: forComparison },
    {
      key: 'kept',
      work: 'an answer kept by `llm-cache`, 64 clients',
      aim: '–',
      unit: '/s',
      against: 'asked each time',
      judge: forComparison,
    },
    { key: 'keptCpu', work: 'the same', aim: '–', unit: cpu, against: 'asked each time', judge: forComparison },
  ],
  prepare: (ctx) => startGateway(ctx, protocol.keepsAnswers),
  async once(ctx, { server, nginx, tokens }) {
    const ask = (at, bodyTemplate, expect) =>
      measureLoad(ctx, at, {
        url: at.url + protocol.paths.chat,
        method: 'POST',
        bodyTemplate,
        expect,
        tokens,
      });
    const ours = await ask(server, protocol.question, protocol.answer);
    const theirs = await ask(nginx, protocol.question, protocol.answer);
    const kept = await ask(server, protocol.sameQuestion, protocol.sameAnswer);
    return {
      rate: { measured: ours.rps, reference: theirs.rps },
      cpu: { measured: ours.server_cpu_us, reference: theirs.server_cpu_us },
      kept: { measured: kept.rps, reference: ours.rps },
      keptCpu: { measured: kept.server_cpu_us, reference: ours.server_cpu_us },
    };
  },
};

// ---- the simulated town ----

const ns = 'ns CPU';

// A whole day, because more is decided in the morning than at night. Sizes have the same settings, so that
// they differ in nothing else.
const town = {
  name: 'town',
  lines: [
    {
      key: 'cpu',
      work: 'a decision in a town of 1,000,000 residents, 2 threads, a whole day',
      aim: '–',
      unit: ns,
      against: '–',
      judge: forComparison,
    },
    {
      key: 'rate',
      work: 'the same: simulated days an hour',
      aim: '≥ 100/h',
      unit: '/h',
      against: '–',
      judge: atLeast(100),
    },
    {
      key: 'memory',
      work: 'the same: growth of the resident set, for each resident',
      aim: '≤ 1 kB',
      unit: 'bytes',
      against: '–',
      judge: atMost(1000),
    },
  ],
  prepare: async () => ({}),
  async once(ctx) {
    const residents = ctx.size.townMost;
    const result = await ctx.town('run', { residents, threads: 2, warmHours: 1, hours: 24 });
    return {
      cpu: { measured: result.cpu_ns_per_decision },
      rate: { measured: result.days_per_hour },
      memory: { measured: result.rss_bytes_each },
    };
  },
};

const townSizes = [
  ['10k', '10,000', 100],
  ['100k', '100,000', 10],
  ['1m', '1,000,000', 1],
];

const townGrowth = {
  name: 'town-growth',
  lines: townSizes.map(([key, residents]) => ({
    key,
    work: `a decision in a town of ${residents} residents, 1 thread`,
    aim: '≤ 2 × at 1,000',
    unit: ns,
    against: 'the same at 1,000 residents',
    judge: ratioAtMost(2),
  })),
  prepare: async () => ({}),
  async once(ctx) {
    const cost = async (residents) =>
      (await ctx.town('run', { residents, threads: 1, warmHours: 1, hours: 1 })).cpu_ns_per_decision;
    const reference = await cost(1000);
    const made = {};
    for (const [key, , part] of townSizes) {
      made[key] = { measured: await cost(ctx.size.townMost / part), reference };
    }
    return made;
  },
};

// A town in its community: rules decide, the offline engine finds the words, all of it is stored, and one
// reader follows the map. The clock goes as fast as it can, which is until words are behind.
const townLive = {
  name: 'town-live',
  lines: [
    {
      key: 'rate',
      work: '100 residents in their community, texts and map: game minutes in a real one',
      aim: '≥ 1,000',
      unit: '×',
      against: '–',
      judge: atLeast(1000),
    },
    { key: 'cpu', work: 'the same, a game day', aim: '–', unit: 'ms CPU', against: '–', judge: forComparison },
    { key: 'words', work: 'the same: posts, comments, likes, messages', aim: '–', unit: '/s', against: '–', judge: forComparison },
  ],
  prepare: async () => ({}),
  async once(ctx) {
    const town = await ctx.liveTown(100);
    const map = await town.follow();
    const before = await town.figures();
    await new Promise((done) => setTimeout(done, ctx.size.seconds * 1000));
    const after = await town.figures();
    const bytes = map.close();
    await town.stop();
    if (bytes === 0) throw new CannotMeasure('nothing came to the map');
    const minutes = after.minute - before.minute;
    return {
      rate: { measured: minutes / ((after.at_ms - before.at_ms) / 60000) },
      cpu: { measured: (after.cpu_ms - before.cpu_ms) / (minutes / 1440) },
      words: { measured: (after.words - before.words) / ((after.at_ms - before.at_ms) / 1000) },
    };
  },
};

// Questions of clients through the gateway, as many at once, to a model that is quicker, since `load` takes a
// client that waits as long for lost.
async function bareQuestions(ctx, connections) {
  const delayMs = Math.min(ctx.size.modelMs, 3000);
  const model = await ctx.slowModel(delayMs);
  const data = await aCopy(ctx);
  const server = await ctx.hutong(data.data, protocol.modelsAt(model.port));
  const tokens = await makeKey(server, data);
  const seconds = 3 * delayMs / 1000;
  const { server_cpu_us } = await ctx.load({
    url: server.url + protocol.paths.chat, method: 'POST', bodyTemplate: protocol.question, expect: protocol.answer,
    tokens, connections, seconds, warmup: delayMs / 1000, pid: server.pids,
  });
  await server.stop();
  await model.stop();
  return server_cpu_us;
}

const townMinds = {
  name: 'town-minds',
  lines: [
    {
      key: 'median',
      work: 'decisions under way at the model, which takes 15 s for each; 4,000 residents, two game minutes a second: median',
      aim: '≥ 1,000',
      unit: 'at once',
      against: '–',
      judge: atLeast(1000),
    },
    { key: 'peak', work: 'the same: the most', aim: '≥ 1,000', unit: 'at once', against: '–', judge: atLeast(1000) },
    {
      key: 'cpu',
      work: 'the same: a decision, with all that the town does meanwhile',
      aim: '–',
      unit: 'ms CPU',
      against: 'a question of one of 1,000 clients through the gateway, to a model that takes 3 s',
      judge: forComparison,
    },
    {
      key: 'stood',
      work: 'the same: the longest the clock stood at a minute, which lasts 500 ms',
      aim: '≤ 1.5 × without a model',
      unit: 'ms',
      against: 'such a town where rules alone decide',
      judge: unmoved,
    },
  ],
  prepare: async () => ({}),
  async once(ctx) {
    const { minds, modelMs, seconds } = ctx.size;
    const watched = Math.max(4 * seconds, 2 * modelMs / 1000);
    const rules = await ctx.liveTown(minds, { ...protocol.townThinks, ...protocol.rulesAlone });
    const usual = await rules.watchClock(watched);
    await rules.stop();
    const model = await ctx.slowModel(modelMs);
    try {
      const bare = await bareQuestions(ctx, Math.min(minds, 1000));
      const town = await ctx.liveTown(minds, { ...protocol.modelsAt(model.port), ...protocol.townThinks });
      await town.watchClock(3 * modelMs / 1000); // until answers come as evenly as questions go
      model.figures();
      const before = await town.cpuMs();
      const stood = await town.watchClock(watched);
      const spent = (await town.cpuMs()) - before;
      const { decided, peak, median } = model.figures();
      await town.stop();
      if (decided === 0) throw new CannotMeasure('the model was asked for no decision');
      return {
        median: { measured: median },
        peak: { measured: peak },
        cpu: { measured: spent / decided, reference: bare / 1000 },
        stood: { measured: stood, reference: usual },
      };
    } finally {
      await model.stop();
    }
  },
};

const agendaLines = (key, pending) => [
  {
    key: `${key}-hold`,
    work: `agenda, ${pending}: the next out, one in; each an operation`,
    aim: '≥ 50 M/s',
    unit: 'M/s',
    against: 'binary heap with positions',
    judge: atLeast(50),
  },
  {
    key: `${key}-cancel`,
    work: 'the same: one in, and taken back',
    aim: '≥ 50 M/s',
    unit: 'M/s',
    against: 'binary heap with positions',
    judge: atLeast(50),
  },
];

const agenda = {
  name: 'agenda',
  lines: [
    ...agendaLines('one', '1,000,000 pending in one'),
    ...agendaLines('many', '1,000 pending in each of 1,000, a quarter of an hour at a time, as a large town has it'),
  ],
  prepare: async () => ({}),
  async once(ctx) {
    const seconds = Math.min(ctx.size.seconds, 1);
    const many = ctx.size.townMost / 1000;
    const one = await ctx.town('agenda', { pending: ctx.size.townMost, agendas: 1, seconds });
    const each = await ctx.town('agenda', { pending: 1000, agendas: many, minutes: 15, seconds });
    const million = (measured, reference) => ({ measured: measured / 1e6, reference: reference / 1e6 });
    return {
      'one-hold': million(one.hold_per_second, one.heap_hold_per_second),
      'one-cancel': million(one.cancel_per_second, one.heap_cancel_per_second),
      'many-hold': million(each.hold_per_second, each.heap_hold_per_second),
      'many-cancel': million(each.cancel_per_second, each.heap_cancel_per_second),
    };
  },
};

export const rows = [
  health,
  feed,
  conversations,
  growthRow,
  posts,
  fanoutRow('fanout', 1, 1.15),
  fanoutRow('fanout16', 16, 1.5),
  idle,
  login,
  stream,
  cancel,
  first,
  gateway,
  town,
  townGrowth,
  townLive,
  townMinds,
  agenda,
  wikiRow({ atMost, forComparison }),
  wikiAskRow({ atMost, forComparison }),
];
