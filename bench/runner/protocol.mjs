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
  town: '/town',
  metrics: '/metrics',
  events: (topic) => `/live/events?topics=${topic}`,
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

// Questions to a model behind the gateway, each with a number of its own. What `provider` answers
// holds the number, as a whole and as the first word of a stream.
const asking = (text, more = '') =>
  `{"model":"openai/m",${more}"messages":[{"role":"user","content":"${text}"}]}`;
export const question = asking('question %d');
export const streamedQuestion = asking('question %d', '"stream":true,');
export const sameQuestion = asking('question 1', '"temperature":0,');
export const answer = '"answer %d."';
export const sameAnswer = '"answer 1."';

// A model behind the gateway is at the provider on that port, and all may ask it at once.
export const modelsAt = (port) => ({
  HUTONG_OPENAI_BASE: `http://127.0.0.1:${port}/v1`,
  HUTONG_LLM_AT_ONCE: '100000',
});
export const oneLoop = { HUTONG_LOOPS: '1' };
export const keepsAnswers = { HUTONG_LLM_CACHE: 'on' };

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

// A town in its community: the demo's places, its residents and more of them.
export const demoArgs = ['--demo'];
export const demoResidents = 3;
export const demoMember = { username: 'demo_lan', password: 'hutong-demo' };
export const townOff = { HUTONG_TOWN: 'off' };
export const townOn = { HUTONG_TOWN: 'on', HUTONG_TOWN_SPEED: '600000', HUTONG_TOWN_SEED: '7' };
// The same where a model decides whatever it may, at two game minutes a second.
export const townThinks = {
  HUTONG_TOWN: 'on',
  HUTONG_TOWN_SPEED: '120',
  HUTONG_TOWN_SEED: '7',
  HUTONG_TOWN_MODEL_SHARE: '100',
  HUTONG_TOWN_MODEL_CALLS: '250',
  HUTONG_LLM_MODEL: 'openai/m',
};
export const rulesAlone = { HUTONG_LLM_MODEL: 'offline', HUTONG_TOWN_MODEL_SHARE: '0' };
export const residents = (count) =>
  Array.from({ length: count }, (_, i) => ({ username: `resident_${i + 1}`, nickname: `邻居${i + 1}` }));
export const importArgs = (data, file) => ['resident', 'import', file, '--data', data];
export const townMinute = /^hutong_town_minute (\d+)$/m;
export const wordsDone = /^hutong_town_words_total (\d+)$/m;
