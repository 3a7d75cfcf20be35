// SPDX-License-Identifier: AGPL-3.0-or-later
// What the benches know of the product: paths, texts, commands. When one of them changes,
// this is the one file to follow.

export const paths = {
  health: '/health',
  feed: '/posts?page_size=20',
  posts: '/posts',
  conversations: '/messages/conversations',
  login: '/auth/login',
  live: '/live?ticket=%t',
  ticket: '/live/ticket',
  keys: '/keys',
  chat: '/v1/chat/completions',
};

// The same list under a question of its own, so that it comes from the store and not from a cache.
export const unaskedConversations = '?before=9000000%d';

export const healthy = '"healthy"';
export const ticketMember = 'ticket';

// Said first on a live socket, and what the answer must hold. `me` is what every open page has,
// so an idle member is one that listens to it.
export const subscribeFeed = { hello: '{"type":"subscribe","topic":"feed"}', ack: '"subscribed"' };
export const subscribeMe = { hello: '{"type":"subscribe","topic":"me"}', ack: '"subscribed"' };

// The event of the fan-out rows: a short post. How large its frame really is, is measured, and the
// floor sends frames of just that size.
export const eventBody = '{"content":"bench-event-%d"}';
export const eventMarker = 'bench-event-';

// The post of the durable row: what members write, some 120 bytes, Chinese and English.
export const postBody =
  '{"content":"Post number %d from the bench: 胡同里的邻居们今天都在做什么？ A line about tea, rain and the market."}';

// A question to a model behind the gateway, on one core, at a provider on that port.
export const question = '{"model":"openai/m","stream":true,"messages":[{"role":"user","content":"hello"}]}';
export const modelsAt = (port) => ({
  HUTONG_OPENAI_BASE: `http://127.0.0.1:${port}/v1`,
  HUTONG_LLM_AT_ONCE: '100000',
  HUTONG_LOOPS: '1',
});

export const formType = 'Content-Type: application/x-www-form-urlencoded';

// Settings that would measure the limits instead of the work: many callers share few addresses here.
// No line per request either: the references write none.
export const environment = {
  HUTONG_RATE_READ: '0',
  HUTONG_RATE_WRITE: '0',
  HUTONG_RATE_LOGIN: '0',
  HUTONG_ACCESS_LOG: 'off',
};

export const serveArgs = (data) => ['serve', '--listen', '127.0.0.1:0', '--data', data];
export const readyLine = /^ready (http:\/\/127\.0\.0\.1:\d+) pid=(\d+)\s*$/m;

// Fills an empty data folder and prints one line of JSON:
//   tokens      file, an access token a line; the first is of the member with --partners partners
//   login_body  form body of a log-in, %d a number from 1 to `members`
//   members, posts, messages   as they now are
export const seedArgs = (data, { members, posts, partners, messages }) => [
  'bench-data',
  ...['--data', data],
  ...['--members', String(members)],
  ...['--posts', String(posts)],
  ...['--partners', String(partners)],
  ...['--messages', String(messages)],
];
