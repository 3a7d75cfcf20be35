// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The server is killed (SIGKILL) at random moments while members write, again and again on
// one data folder. What it has acknowledged is there exactly once; what it was doing is
// asked again with the same key and takes effect once; counters equal what they count;
// no event is missing or told twice.
//
// FAULT_SEED repeats a run's choices, FAULT_KILLS changes how often.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import WebSocket from 'ws';

import { startServer } from '../support/server.mjs';
import { Wire } from '../support/wire.mjs';

const KILLS = Number(process.env.FAULT_KILLS ?? 100);
const SEED = Number(process.env.FAULT_SEED ?? Date.now() % 1000000);
const MEMBERS = 10;
const BUSY = 60; // at most so many answers between a start and a kill

// mulberry32: small, seeded, good enough to choose with.
function randomness(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

// The sqlite3 program looks into the file while the server has it open.
async function sql(file, statement) {
  const { stdout } = await promisify(execFile)('sqlite3', ['-readonly', '-json', file, statement], { maxBuffer: 1 << 26 });
  return stdout.trim() ? JSON.parse(stdout) : [];
}

function notOnce(event, expected, topics) {
  return `WITH expected AS (${expected}),
    told AS (SELECT name || ' ' || json_extract(payload, '$.data.id') AS what FROM events JOIN topics t ON t.id = topic_id
      WHERE ${topics} AND payload LIKE '{"event":"${event}"%')
    SELECT what FROM expected WHERE what NOT IN (SELECT what FROM told)
    UNION ALL SELECT what FROM told GROUP BY what HAVING count(*) > 1 OR what NOT IN (SELECT what FROM expected)`;
}

// Each finds what must not be; the name says what that would be.
const WRONG = {
  'post counts its likes or comments wrongly': `SELECT id FROM posts p
    WHERE likes_count <> (SELECT count(*) FROM post_likes WHERE post_id = p.id)
       OR comments_count <> (SELECT count(*) FROM comments WHERE post_id = p.id)`,
  'member counts posts wrongly': `SELECT id FROM users u
    WHERE posts_count <> (SELECT count(*) FROM posts WHERE author_id = u.id)`,
  'total of posts': `SELECT value FROM counters WHERE name = 'posts' AND value <> (SELECT count(*) FROM posts)`,
  'conversation counts wrongly': `SELECT user_id, partner_id FROM conversations c
    WHERE unread_count <> (SELECT count(*) FROM messages
            WHERE sender_id = partner_id AND receiver_id = user_id AND id > c.read_id)
       OR messages_count <> (SELECT count(*) FROM messages WHERE group_id IS NULL
            AND low_id = min(user_id, partner_id) AND high_id = max(user_id, partner_id))
       OR last_message_id <> (SELECT max(id) FROM messages WHERE group_id IS NULL
            AND low_id = min(user_id, partner_id) AND high_id = max(user_id, partner_id))`,
  'message without its conversation': `SELECT id FROM messages m WHERE group_id IS NULL AND NOT EXISTS
    (SELECT 1 FROM conversations WHERE user_id = m.receiver_id AND partner_id = m.sender_id)`,
  'group counts its messages wrongly': `SELECT id FROM chat_groups g
    WHERE messages_count <> (SELECT count(*) FROM messages WHERE group_id = g.id)
       OR last_message_id <> (SELECT coalesce(max(id), 0) FROM messages WHERE group_id = g.id)`,
  'topic whose head is not its last event': `SELECT name FROM topics t
    WHERE head <> (SELECT max(seq) FROM events WHERE topic_id = t.id)`,
  'events missing from a topic that folds none': `SELECT name FROM topics t WHERE name LIKE 'group:%'
    AND head <> (SELECT count(*) FROM events WHERE topic_id = t.id)`,
  'post not told once': notOnce('post.created', "SELECT 'feed ' || id AS what FROM posts", "name = 'feed'"),
  'message not told to its readers once': notOnce('message.created', `
    SELECT iif(group_id, 'group:' || group_id, 'user:' || receiver_id) || ' ' || id AS what FROM messages
    UNION ALL SELECT 'user:' || sender_id || ' ' || id FROM messages WHERE group_id IS NULL`, 'true'),
  'thing stored twice': `SELECT content FROM posts GROUP BY content HAVING count(*) > 1
    UNION ALL SELECT content FROM comments GROUP BY content HAVING count(*) > 1
    UNION ALL SELECT content FROM messages GROUP BY content HAVING count(*) > 1`,
  'reference to nothing': 'PRAGMA foreign_key_check',
  'damage': "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
};

// What the server has said yes to.
class Ledger {
  constructor() {
    this.posts = new Map(); // content → id
    this.comments = new Map();
    this.messages = new Map();
    this.likes = new Map(); // "post user" → liked
    this.count = 0;
  }

  keep({ kind, key, liked }, body) {
    this.count++;
    if (kind === 'likes') this.likes.set(key, liked);
    else if (kind) this[kind].set(key, body.id);
  }

  // `unsure`: likes on their way when the server was killed; they may be either until asked again.
  async check(file, unsure = new Set()) {
    for (const table of ['posts', 'comments', 'messages']) {
      const stored = new Map((await sql(file, `SELECT id, content FROM ${table}`)).map((row) => [row.content, row.id]));
      for (const [content, id] of this[table]) {
        assert.equal(stored.get(content), id, `${table}: "${content}" was acknowledged with id ${id}`);
      }
    }
    const liked = new Set((await sql(file, 'SELECT post_id, user_id FROM post_likes')).map((row) => `${row.post_id} ${row.user_id}`));
    for (const [key, yes] of this.likes) {
      if (!unsure.has(key)) assert.equal(liked.has(key), yes, `like ${key}`);
    }
    for (const [what, statement] of Object.entries(WRONG)) {
      assert.deepEqual(await sql(file, statement), [], what);
    }
  }
}

// One member with one connection: does one thing after the other; what was cut off is done first
// when the server is back.
class Writer {
  constructor(number, me, others, group, random, ledger) {
    Object.assign(this, { number, me, others, group, random, ledger, next: 0 });
  }

  invent() {
    const { random, ledger } = this;
    const key = `${this.number}.${this.next++}`;
    const posts = [...ledger.posts.values()];
    const post = posts.length > 0 ? posts[Math.max(0, posts.length - 1 - random(20))] : undefined;
    const to = this.others[random(this.others.length)];
    const once = { 'idempotency-key': key };
    const choice = random(post ? 12 : 4);
    if (choice < 3) return { kind: 'posts', key, method: 'POST', target: '/posts', json: { content: key }, headers: once };
    if (choice < 4) return { method: 'POST', target: `/messages/read/${to.id}` };
    if (choice < 7) return { kind: 'messages', key, method: 'POST', target: `/messages/send/${to.id}`, json: { content: key, client_id: key } };
    if (choice < 8) return { kind: 'messages', key, method: 'POST', target: `/groups/${this.group}/messages`, json: { content: key, client_id: key } };
    if (choice < 10) return { kind: 'comments', key, method: 'POST', target: `/posts/${post}/comments`, json: { content: key }, headers: once };
    const liked = choice < 11;
    return { kind: 'likes', key: `${post} ${this.me.id}`, liked, method: liked ? 'PUT' : 'DELETE', target: `/posts/${post}/like` };
  }

  // Until the connection breaks or `enough()`.
  async run(port, acknowledged, enough) {
    let wire;
    try {
      wire = await Wire.open(port);
      while (this.pending || !enough()) {
        this.pending ??= this.invent();
        const { method, target, json, headers } = this.pending;
        const reply = await wire.ask(method, target, { json, headers, token: this.me.token });
        assert.ok(reply.status === 200 || reply.status === 201, `${method} ${target}: ${reply.status} ${reply.text}`);
        this.ledger.keep(this.pending, reply.json());
        this.pending = undefined;
        acknowledged();
      }
    } catch (error) {
      if (!error.fate) throw error;
    } finally {
      wire?.close();
    }
  }
}

// A member who only listens, and comes back with the last numbers after each crash.
class Listener {
  constructor(me, group) {
    Object.assign(this, { me, topics: { feed: 0, me: 0, [`group:${group}`]: 0 }, posts: [], messages: [] });
  }

  open(url) {
    this.resumed = new Set();
    return new Promise((done, fail) => {
      const ws = new WebSocket(`${url.replace('http', 'ws')}/live`, { headers: { authorization: `Bearer ${this.me.token}` } });
      this.ws = ws;
      ws.on('error', () => {}); // a kill in the middle; what counts is what arrives
      ws.on('close', () => done());
      ws.on('open', () => ws.send(JSON.stringify({ type: 'resume', topics: this.topics })));
      ws.on('message', (bytes) => {
        try {
          this.hear(JSON.parse(bytes));
          if (this.resumed.size === Object.keys(this.topics).length) done();
        } catch (error) {
          fail(error);
          this.wrong ??= error;
        }
      });
    });
  }

  hear({ type, topic, id, event, data }) {
    assert.notEqual(type, 'error');
    assert.notEqual(type, 'reload', 'events were lost');
    if (type === 'subscribed') {
      assert.ok(id >= this.topics[topic]);
      this.topics[topic] = id;
      this.resumed.add(topic);
    }
    if (type !== 'event' || !id) return;
    if (this.resumed.has(topic)) {
      assert.equal(id, this.topics[topic] + 1, `${topic}: a number is missing while listening`);
    } else {
      assert.ok(id > this.topics[topic], `${topic}: ${id} was told twice`); // folded ones may be missing
    }
    this.topics[topic] = id;
    if (event === 'post.created') this.posts.push(data.id);
    if (event === 'message.created') this.messages.push(data.id);
  }
}

async function settle(dataDir, kills) {
  const server = await startServer({ dataDir, env: { HUTONG_ACCESS_LOG: 'off' } });
  const members = [];
  for (let i = 0; i <= MEMBERS; i++) members.push(await server.register(`member${i}`));
  const made = await server.api('POST', '/groups', { token: members[0].token, json: { name: 'all', members: members.slice(1).map((m) => m.id) } });
  assert.equal(made.status, 201, made.text);
  if (kills === 0) await server.stop();
  else await server.kill();
  return { members, group: made.body.id };
}

test(`what was acknowledged survives ${KILLS} kills, exactly once (seed ${SEED})`, async (t) => {
  const random = randomness(SEED);
  const dataDir = await mkdtemp(path.join(tmpdir(), 'hutong-durability-'));
  const file = path.join(dataDir, 'hutong.db');
  const { members, group } = await settle(dataDir, KILLS);
  const ledger = new Ledger();
  const writers = members.slice(1).map((me, i) =>
    new Writer(i, me, members.filter((other) => other !== me), group, random, ledger));
  const listener = new Listener(members[0], group);
  let server;
  t.after(() => server.kill());

  for (let kill = 0; kill <= KILLS; kill++) {
    const last = kill === KILLS;
    server = await startServer({ dataDir, env: { HUTONG_ACCESS_LOG: 'off' } });
    const port = Number(new URL(server.url).port);
    const heard = listener.open(server.url);
    if (last || random(2)) await heard;
    let left = last ? 0 : 1 + random(BUSY);
    let killed;
    const acknowledged = () => {
      if (--left === 0) killed = server.kill();
    };
    await Promise.all(writers.map((writer) => writer.run(port, acknowledged, () => left <= 0 || killed)));
    if (last) break;
    // Every writer was done before the number was reached: the kill comes while nothing is on its way.
    killed ??= server.kill();
    await killed;
    await heard;
    if (listener.wrong) throw listener.wrong;

    server = await startServer({ dataDir, env: { HUTONG_ACCESS_LOG: 'off' } });
    await ledger.check(file, new Set(writers.map((writer) => writer.pending?.key)));
    // Now and then the kill comes right after the start.
    await server.kill();
  }

  assert.ok(writers.every((writer) => writer.pending === undefined), 'all asked again got their answer');
  await ledger.check(file);
  const posts = (await sql(file, 'SELECT id FROM posts ORDER BY id')).map((row) => row.id);
  const messages = (await sql(file, `SELECT id FROM messages WHERE group_id OR receiver_id = ${members[0].id} ORDER BY id`)).map((row) => row.id);
  const { head } = (await sql(file, "SELECT head FROM topics WHERE name = 'feed'"))[0];
  while (listener.topics.feed < head) await new Promise((heard) => { listener.ws.once('message', heard); });
  assert.equal(listener.wrong, undefined);
  assert.deepEqual(listener.posts, posts, 'the listener heard of every post once');
  assert.deepEqual(listener.messages.sort((a, b) => a - b), messages, 'and of every message to it');
  const total = await server.api('GET', '/posts?page_size=1');
  assert.equal(total.body.total, posts.length);
  t.diagnostic(`${ledger.count} changes acknowledged: ${posts.length} posts, ${messages.length} messages to the listener, ${ledger.comments.size} comments`);
  assert.ok(ledger.count >= KILLS * 5, 'the kills came while there was work');
  listener.ws.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
});
