// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Posts, the feed and its pages, likes, comments, search, and what text may be.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk, assertProblem, assertShape } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

let server;
let ada; // writes
let bob; // reads
let judge; // a moderator
before(async () => {
  server = await startServer({ env: { HUTONG_ACCESS_LOG: 'off', HUTONG_LOOPS: '2' } });
  ada = await server.register('ada_posts');
  bob = await server.register('bob_posts');
  judge = await server.register('judge_posts');
  await server.sql(`UPDATE users SET role = 'moderator' WHERE id = ${judge.id}`);
  assertOk(await server.api('POST', '/auth/logout', { token: judge.token }), 204);
  const login = await server.api('POST', '/auth/login', {
    form: { username: 'judge_posts', password: judge.password },
  });
  judge.token = login.body.access_token;
});
after(() => server.stop());

const get = (path, member, headers = {}) => server.api('GET', path, { token: member?.token, headers });
const write = (member, json, headers = {}) => server.api('POST', '/posts', { token: member?.token, json, headers });
const post = async (member, content) => assertOk(await write(member, { content }), 201);
const like = (method, id, member, headers = {}) => server.api(method, `/posts/${id}/like`, { token: member?.token, headers });
const comment = (id, member, content) => server.api('POST', `/posts/${id}/comments`, { token: member?.token, json: { content } });
const ids = (reply) => assertOk(reply).items.map(({ id }) => id);

// Numbers a path may hold that are no post, comment or member here.
const NOT_THERE = ['0', '-1', '999999', '9223372036854775807'];
const NO_NUMBER = ['x', '1.5', '9223372036854775808', '99999999999999999999999', '1%2F2', '０'];

/* --- one post --- */

describe('a post', () => {
  test('comes back as it was stored, field by field', async () => {
    const made = assertOk(await write(ada, { content: '  第一帖 first\n\ttwo \n' }), 201);
    assertShape(made, 'post');
    assert.equal(made.content, '第一帖 first\n\ttwo');
    assert.equal(made.image_path, null);
    assert.equal(made.author_id, ada.id);
    assert.equal(made.author.username, 'ada_posts');
    assert.deepEqual([made.likes_count, made.comments_count, made.is_liked, made.edited_at],
      [0, 0, false, null]);
    assert.ok(Math.abs(Date.parse(`${made.created_at}Z`) - Date.now()) < 60000, 'the time is UTC');
    assert.deepEqual(assertOk(await get(`/posts/${made.id}`)), made);
    assert.deepEqual(assertOk(await get('/posts?limit=1')).items[0], made);
  });

  test('takes a picture that was uploaded here, and no other address', async () => {
    const good = ['/files/images/20261121_0a1b2c3d.png', '/files/avatars/avatar_1_0a1b2c.jpg'];
    for (const path of good) {
      assertProblem(await write(ada, { content: 'look', image_path: path }), 422,
        ['body.image_path value_error']);
      await server.leavePicture(path);
      const made = assertOk(await write(ada, { content: 'look', image_path: path }), 201);
      assert.equal(made.image_path, path);
    }
    for (const path of [null, '', undefined]) {
      assert.equal(assertOk(await write(ada, { content: 'look', image_path: path }), 201).image_path, null);
    }
    const bad = ['https://evil.example/pixel.png', '//evil.example/x.png', 'javascript:alert(1)',
      '/files/images/../../etc/passwd', '/files/images/', '/files/images/a/b.png', '/avatars/x.png',
      '/files/images/.hidden', '/files/images/plain', '/files/images/nothing.png', '/files/images/x.png?y', '/files/images/图.png',
      `/files/images/${'x'.repeat(500)}.png`];
    for (const path of bad) {
      assertProblem(await write(ada, { content: 'look', image_path: path }), 422,
        ['body.image_path value_error']);
    }
    assertProblem(await write(ada, { content: 'look', image_path: 5 }), 422, ['body.image_path string_type']);
  });

  test('needs a text', async () => {
    assertProblem(await write(ada, {}), 422, ['body.content missing']);
    for (const content of [null, 5, true, ['x'], { a: 1 }]) {
      assertProblem(await write(ada, { content }), 422, ['body.content string_type']);
    }
    assertProblem(await write(ada, { content: 1, image_path: 2 }), 422,
      ['body.content string_type', 'body.image_path string_type']);
    assertProblem(await write(undefined, { content: 'x' }), 401);
  });

  test('is changed by its author alone, and says so', async () => {
    const made = await post(ada, 'before');
    const edit = (member, content, id = made.id) => server.api('PUT', `/posts/${id}`, { token: member?.token, json: { content } });
    assertProblem(await edit(bob, 'mine now'), 403);
    assertProblem(await edit(judge, 'mine now'), 403);
    assertProblem(await edit(undefined, 'x'), 401);
    assertProblem(await edit(ada, ''), 422, ['body.content string_too_short']);
    assertProblem(await edit(ada, 7), 422, ['body.content string_type']);
    assertOk(await like('PUT', made.id, bob));
    const edited = assertOk(await edit(ada, ' after '));
    assertShape(edited, 'post');
    assert.equal(edited.content, 'after');
    assert.notEqual(edited.edited_at, null);
    assert.equal(edited.likes_count, 1);
    assert.equal(edited.is_liked, false);
    assert.deepEqual(assertOk(await get(`/posts/${made.id}`)), edited);
    for (const id of NOT_THERE) assertProblem(await edit(ada, 'x', id), 404);
    for (const id of NO_NUMBER) assertProblem(await edit(ada, 'x', id), 422, ['path.post_id int_parsing']);
  });

  test('is deleted by its author or a moderator, with its comments and likes', async () => {
    const [one, two] = [await post(ada, 'one'), await post(ada, 'two')];
    const kept = assertOk(await comment(one.id, bob, 'gone soon'), 201);
    assertOk(await like('PUT', one.id, bob));
    const remove = (id, member) => server.api('DELETE', `/posts/${id}`, { token: member?.token });
    const { total } = assertOk(await get('/posts'));
    const { posts_count: count } = assertOk(await get(`/users/${ada.id}`));
    assertProblem(await remove(one.id), 401);
    assertProblem(await remove(one.id, bob), 403);
    assertOk(await remove(one.id, ada), 204);
    assertOk(await remove(two.id, judge), 204);
    assert.equal(assertOk(await get('/posts')).total, total - 2);
    assert.equal(assertOk(await get(`/users/${ada.id}`)).posts_count, count - 2);
    for (const path of [`/posts/${one.id}`, `/posts/${one.id}/comments`]) assertProblem(await get(path), 404);
    assertProblem(await like('POST', one.id, bob), 404);
    assertProblem(await comment(one.id, bob, 'x'), 404);
    assertProblem(await remove(one.id, ada), 404);
    assertProblem(await server.api('DELETE', `/posts/${one.id}/comments/${kept.id}`, { token: bob.token }), 404);
    assert.deepEqual(await server.sql(`SELECT * FROM post_likes WHERE post_id = ${one.id}`), []);
    for (const id of NOT_THERE) assertProblem(await remove(id, ada), 404);
    for (const id of NO_NUMBER) assertProblem(await remove(id, ada), 422, ['path.post_id int_parsing']);
  });

  test('that is not there is 404, and what is no number 422', async () => {
    for (const id of NOT_THERE) assertProblem(await get(`/posts/${id}`), 404);
    for (const id of NO_NUMBER) assertProblem(await get(`/posts/${id}`), 422, ['path.post_id int_parsing']);
    for (const id of ['%00', '%ff', '1%00']) assertProblem(await get(`/posts/${id}`), 400);
  });
});

/* --- text --- */

describe('text', () => {
  const kept = [
    ['emoji with skin, families and flags', '👩🏽‍🚀👨‍👩‍👧‍👦🇨🇳 ok'],
    ['right to left', 'שלום עולם مرحبا'],
    ['newline and tab inside', 'a\n\n\tb'],
    ['markup as text', '<script>alert("x")</script> & \' " \\ / \u007e'],
    ['combining accents', 'e\u0301\u0323'],
    ['characters past the basic plane', '𠮷𝒳🀄'],
    ['what SQL and format strings would trip on', "'; DROP TABLE posts; -- %s %n ${x} {{y}}"],
  ];
  for (const [what, content] of kept) {
    test(`keeps ${what}`, async () => {
      const made = await post(ada, content);
      assert.equal(made.content, content);
      assert.equal(assertOk(await get(`/posts/${made.id}`)).content, content);
    });
  }

  const trimmed = [[' a ', 'a'], ['\n\t a b \r\n', 'a b'], ['\u3000你好\u3000', '你好'], ['\u00a0x\u2003', 'x'], ['一\r\n二\r\n\r\n三', '一\n二\n\n三']];
  test('loses the blanks around it, of any width', async () => {
    for (const [content, left] of trimmed) assert.equal((await post(ada, content)).content, left);
  });

  const refused = [
    ['nothing', '', 'string_too_short'], ['a blank', ' ', 'string_too_short'],
    ['blanks of all kinds', ' \t\n\u3000\u00a0\u2003\u200b', 'string_too_short'],
    ['5001 characters', '中'.repeat(5001), 'string_too_long'],
    ['a bell', 'ding\u0007', 'value_error'], ['an escape', '\u001b[31mred', 'value_error'],
    ['a delete', 'a\u007fb', 'value_error'], ['a C1 control', 'a\u0085b', 'value_error'],
    ['a lone carriage return', 'a\rb', 'value_error'],
    ['a line separator', 'a\u2028b', 'value_error'],
  ];
  for (const [what, content, type] of refused) {
    test(`refuses ${what}`, async () => {
      assertProblem(await write(ada, { content }), 422, [`body.content ${type}`]);
    });
  }

  const bytes = [
    ['a lone high surrogate', '{"content":"\\ud83d"}'], ['a lone low surrogate', '{"content":"\\ude00x"}'],
    ['surrogates the wrong way round', '{"content":"\\ude00\\ud83d"}'],
    ['an escaped NUL', '{"content":"a\\u0000b"}'],
    ['a raw NUL', Buffer.from('{"content":"a\0b"}')],
    ['a cut character', Buffer.from([...Buffer.from('{"content":"'), 0xe4, 0xb8, ...Buffer.from('"}')])],
    ['an overlong slash', Buffer.from([...Buffer.from('{"content":"'), 0xc0, 0xaf, ...Buffer.from('"}')])],
    ['a surrogate in UTF-8', Buffer.from([...Buffer.from('{"content":"'), 0xed, 0xa0, 0x80, ...Buffer.from('"}')])],
  ];
  for (const [what, body] of bytes) {
    test(`refuses ${what} in the JSON itself`, async () => {
      assertProblem(await server.api('POST', '/posts', {
        token: ada.token, headers: { 'content-type': 'application/json' }, body,
      }), 422);
    });
  }

  test('may have 5000 characters of 4 bytes, even each escaped', async () => {
    const long = '😀'.repeat(5000);
    assert.equal((await post(ada, long)).content, long);
    const escaped = await server.api('POST', '/posts', {
      token: ada.token,
      headers: { 'content-type': 'application/json' },
      body: `{"content":"${'\\ud83d\\ude00'.repeat(5000)}"}`,
    });
    assert.equal(assertOk(escaped, 201).content, long);
  });
});

/* --- the feed --- */

describe('the feed', () => {
  let writer;
  let made;
  before(async () => {
    writer = await server.register('feeder');
    made = [];
    for (let i = 0; i < 25; i++) made.push((await post(writer, `feed ${i}`)).id);
  });
  const page = (query) => get(`/posts?author_id=${writer.id}&${query}`);
  const newest = () => [...made].reverse();

  test('is an object of items, total, page and size, newest first', async () => {
    const body = assertOk(await page('page=1&page_size=10'));
    assert.deepEqual(Object.keys(body), ['items', 'total', 'page', 'page_size', 'next_before']);
    assert.deepEqual([body.total, body.page, body.page_size], [25, 1, 10]);
    for (const item of body.items) assertShape(item, 'post');
    assert.deepEqual(body.items.map(({ id }) => id), newest().slice(0, 10));
    assert.deepEqual(ids(await page('page=2&page_size=10')), newest().slice(10, 20));
    assert.deepEqual(ids(await page('page=3&page_size=10')), newest().slice(20));
    const all = assertOk(await get('/posts'));
    assert.deepEqual([all.page, all.page_size, all.items.length], [1, 20, 20]);
  });

  test('has a true total and no items past its end', async () => {
    for (const number of [4, 1000, 2147483647]) {
      const body = assertOk(await page(`page=${number}&page_size=100`));
      assert.deepEqual([body.items, body.total, body.page, body.next_before], [[], 25, number, null]);
    }
  });

  test('of an author who has nothing, or is nobody, is empty', async () => {
    for (const id of [999999, bob.id]) {
      const body = assertOk(await get(`/posts?author_id=${id}`));
      assert.deepEqual([body.items, body.total], [[], 0]);
    }
    const everybody = assertOk(await get('/posts?author_id=0'));
    assert.ok(everybody.total > 25, '0 counts as absent');
  });

  const faults = [
    ['page=0', 'page greater_than_equal'], ['page=-1', 'page greater_than_equal'],
    ['page=2147483648', 'page less_than_equal'], ['page=9223372036854775808', 'page int_parsing'],
    ['page=x', 'page int_parsing'], ['page=1.5', 'page int_parsing'], ['page=', 'page int_parsing'],
    ['page_size=0', 'page_size greater_than_equal'], ['page_size=101', 'page_size less_than_equal'],
    ['page_size=-9223372036854775808', 'page_size greater_than_equal'],
    ['limit=0', 'limit greater_than_equal'], ['limit=101', 'limit less_than_equal'],
    ['before=-1', 'before greater_than_equal'], ['after=x', 'after int_parsing'],
    ['before=5&after=5', 'after value_error'], ['author_id=-1', 'author_id greater_than_equal'],
    ['author_id=99999999999999999999', 'author_id int_parsing'],
  ];
  for (const [query, fault] of faults) {
    test(`refuses ${query}`, async () => {
      assertProblem(await get(`/posts?${query}`), 422, [`query.${fault}`]);
    });
  }

  test('names all faults of a question at once', async () => {
    assertProblem(await get('/posts?page=0&page_size=x&author_id=-1&before=-2&limit=1000'), 422,
      ['query.page greater_than_equal', 'query.page_size int_parsing',
        'query.author_id greater_than_equal', 'query.before greater_than_equal',
        'query.limit less_than_equal']);
  });

  test('read by cursor meets each post once, while others are added and removed', async () => {
    const seen = [];
    let before = '';
    for (let i = 0; ; i++) {
      const body = assertOk(await page(`limit=4${before}`));
      seen.push(...body.items.map(({ id }) => id));
      made.push((await post(writer, `added meanwhile ${i}`)).id);
      if (body.next_before === null) break;
      before = `&before=${body.next_before}`;
    }
    assert.deepEqual(seen, made.slice(0, 25).reverse());
  });

  test('read onwards from a post gives what came after it, oldest first', async () => {
    const start = made[20];
    const seen = [];
    let after = start;
    while (after !== null) {
      const body = assertOk(await page(`limit=3&after=${after}`));
      assert.ok('next_after' in body && !('next_before' in body));
      seen.push(...body.items.map(({ id }) => id));
      after = body.next_after;
    }
    assert.deepEqual(seen, made.slice(21));
  });

  test('keeps its order among posts of the same microsecond', async () => {
    await server.sql(`UPDATE posts SET created_us = 1700000000000000 WHERE author_id = ${writer.id}`);
    assert.deepEqual(ids(await page('page_size=100')), newest());
    const pages = [];
    for (let i = 1; i <= 4; i++) pages.push(...ids(await page(`page=${i}&page_size=9`)));
    assert.deepEqual(pages, newest());
  });
});

/* --- not again --- */

describe('the tag of the feed', () => {
  const tagged = async (member, query = '?limit=5') => {
    const reply = await get(`/posts${query}`, member);
    assertOk(reply);
    return reply.headers.get('etag');
  };
  const again = (tag, member, query = '?limit=5') => get(`/posts${query}`, member, { 'if-none-match': tag });

  test('is good while nothing changes', async () => {
    for (const member of [undefined, ada]) {
      const tag = await tagged(member);
      assert.match(tag, /^W\/"[^"]+"$/);
      for (const asked of [tag, `"other", ${tag}`, '*', tag.slice(2)]) {
        const reply = await again(asked, member);
        assert.equal(reply.status, 304, asked);
        assert.equal(reply.text, '');
        assert.equal(reply.headers.get('etag'), tag);
        assert.match(reply.headers.get('cache-control'), /private/);
      }
      assert.equal((await again('"other"', member)).status, 200);
    }
  });

  test('belongs to one reader and one question', async () => {
    const tag = await tagged(ada);
    assert.equal((await again(tag, bob)).status, 200);
    assert.equal((await again(tag)).status, 200);
    assert.equal((await again(tag, ada, '?limit=6')).status, 200);
  });

  test('changes with everything that the page shows', async () => {
    const mine = await post(ada, 'tagged');
    const said = assertOk(await comment(mine.id, bob, 'first'), 201);
    const deeds = [
      ['a post', () => post(bob, 'new')],
      ['an edit', () => server.api('PUT', `/posts/${mine.id}`, { token: ada.token, json: { content: 'tagged anew' } })],
      ['a like', () => like('PUT', mine.id, bob)],
      ['a like taken back', () => like('DELETE', mine.id, bob)],
      ['a comment', () => comment(mine.id, bob, 'second')],
      ['a comment deleted', () => server.api('DELETE', `/posts/${mine.id}/comments/${said.id}`, { token: bob.token })],
      ['a nickname', () => server.api('PUT', '/users/me', { token: ada.token, json: { nickname: 'Ada the second' } })],
      ['a post deleted', () => server.api('DELETE', `/posts/${mine.id}`, { token: ada.token })],
    ];
    for (const [what, deed] of deeds) {
      for (const member of [undefined, ada, bob]) assert.equal((await again(await tagged(member), member)).status, 304);
      const old = [await tagged(), await tagged(ada), await tagged(bob)];
      await deed();
      assert.equal((await again(old[0])).status, 200, `${what}, a stranger`);
      assert.equal((await again(old[1], ada)).status, 200, `${what}, ada`);
      assert.equal((await again(old[2], bob)).status, 200, `${what}, bob`);
    }
  });
});

/* --- likes --- */

describe('likes', () => {
  const liked = async (id, member) => {
    const body = assertOk(await get(`/posts/${id}`, member));
    const inFeed = assertOk(await get('/posts?page_size=100', member)).items.find((item) => item.id === id);
    assert.equal(inFeed.is_liked, body.is_liked, 'the feed says the same');
    assert.equal(inFeed.likes_count, body.likes_count);
    return [body.is_liked, body.likes_count];
  };

  test('toggle, for older clients', async () => {
    const { id } = await post(ada, 'toggle me');
    assert.deepEqual(assertOk(await like('POST', id, bob)), { liked: true, likes_count: 1 });
    assert.deepEqual(assertOk(await like('POST', id, ada)), { liked: true, likes_count: 2 });
    assert.deepEqual(assertOk(await like('POST', id, bob)), { liked: false, likes_count: 1 });
  });

  test('are put and taken back as often as one likes, with one effect', async () => {
    const { id } = await post(ada, 'like me');
    for (let i = 0; i < 3; i++) assert.deepEqual(assertOk(await like('PUT', id, bob)), { liked: true, likes_count: 1 });
    for (let i = 0; i < 3; i++) assert.deepEqual(assertOk(await like('DELETE', id, bob)), { liked: false, likes_count: 0 });
  });

  test('show to each reader whether it is their own', async () => {
    const { id } = await post(ada, 'whose heart');
    assertOk(await like('PUT', id, bob));
    assert.deepEqual(await liked(id, bob), [true, 1]);
    assert.deepEqual(await liked(id, ada), [false, 1]);
    assert.deepEqual(await liked(id, undefined), [false, 1]);
    assertOk(await like('DELETE', id, bob));
    assert.deepEqual(await liked(id, bob), [false, 0]);
  });

  test('are counted exactly when fifty come at once', async () => {
    const crowd = await Promise.all(Array.from({ length: 10 }, (_, i) => server.register(`crowd_${i}`)));
    const { id } = await post(ada, 'everybody likes this');
    const many = (method, members) => Promise.all(Array.from({ length: 50 },
      (_, i) => like(method, id, members[i % members.length]))).then((all) => all.map((r) => assertOk(r)));
    await many('PUT', crowd);
    assert.deepEqual(await liked(id, crowd[3]), [true, 10]);
    await many('DELETE', crowd.slice(0, 4));
    assert.deepEqual(await liked(id, crowd[3]), [false, 6]);
    // Fifty toggles of one member: an even number of steps, each counted.
    const steps = await many('POST', crowd.slice(9));
    assert.equal(steps.filter((step) => step.liked).length, 25);
    assert.deepEqual(await liked(id, crowd[9]), [true, 6]);
    await Promise.all(Array.from({ length: 50 }, (_, i) => like(i % 2 ? 'PUT' : 'DELETE', id, crowd[i % 7])));
    const [{ n }] = await server.sql(`SELECT COUNT(*) AS n FROM post_likes WHERE post_id = ${id}`);
    assert.equal((await liked(id))[1], n);
  });

  test('need somebody who likes and something to like', async () => {
    const { id } = await post(ada, 'x');
    for (const method of ['POST', 'PUT', 'DELETE']) {
      assertProblem(await like(method, id), 401);
      for (const other of NOT_THERE) assertProblem(await like(method, other, bob), 404);
      for (const other of NO_NUMBER) {
        assertProblem(await like(method, other, bob), 422, ['path.post_id int_parsing']);
      }
    }
  });
});

/* --- once --- */

describe('an Idempotency-Key', () => {
  const key = (name) => ({ 'idempotency-key': name });

  test('makes a repeated change one change with the same answer', async () => {
    const first = await write(ada, { content: 'only once' }, key('k1'));
    const second = await write(ada, { content: 'only once' }, key('k1'));
    assert.deepEqual(assertOk(second, 201), assertOk(first, 201));
    assert.equal(first.headers.get('idempotency-replayed'), null);
    assert.equal(second.headers.get('idempotency-replayed'), 'true');
    assert.equal(second.headers.get('content-type'), first.headers.get('content-type'));
    const [{ n }] = await server.sql(`SELECT COUNT(*) AS n FROM posts WHERE content = 'only once'`);
    assert.equal(n, 1);
  });

  test('holds when the repetitions come at once', async () => {
    const replies = await Promise.all(Array.from({ length: 20 },
      () => write(ada, { content: 'once at once' }, key('k2'))));
    const made = new Set(replies.map((reply) => assertOk(reply, 201).id));
    assert.equal(made.size, 1);
    const { id } = await post(ada, 'toggled once');
    const toggles = await Promise.all(Array.from({ length: 9 }, () => like('POST', id, bob, key('k3'))));
    for (const reply of toggles) assert.deepEqual(assertOk(reply), { liked: true, likes_count: 1 });
  });

  test('also repeats an answer without a body', async () => {
    const { id } = await post(ada, 'deleted once');
    const remove = () => server.api('DELETE', `/posts/${id}`, { token: ada.token, headers: key('k4') });
    assertOk(await remove(), 204);
    const again = await remove();
    assertOk(again, 204);
    assert.equal(again.headers.get('idempotency-replayed'), 'true');
  });

  test('used for something else is a conflict: other body, path or method', async () => {
    const { id } = await post(ada, 'liked under a key');
    assertOk(await like('PUT', id, bob, key('k5')));
    assertProblem(await like('DELETE', id, bob, key('k5')), 409);
    assertProblem(await like('PUT', id - 1, bob, key('k5')), 409);
    assertProblem(await write(bob, { content: 'x' }, key('k5')), 409);
    assert.equal(assertOk(await get(`/posts/${id}`)).likes_count, 1);
  });

  test('belongs to one member', async () => {
    const [a, b] = [await write(ada, { content: 'same key' }, key('k6')), await write(bob, { content: 'same key' }, key('k6'))];
    assert.notEqual(assertOk(a, 201).id, assertOk(b, 201).id);
  });

  test('of a change that failed may be used again', async () => {
    assertProblem(await write(ada, { content: '' }, key('k7')), 422);
    assertOk(await write(ada, { content: 'now right' }, key('k7')), 201);
  });

  test('is not endless', async () => {
    assertOk(await write(ada, { content: 'long key' }, key('k'.repeat(200))), 201);
    assertProblem(await write(ada, { content: 'long key' }, key('k'.repeat(201))), 400);
  });

  test('is over after a day', async () => {
    const first = assertOk(await write(ada, { content: 'daily' }, key('k8')), 201);
    await server.sql(`UPDATE idempotency SET at_us = at_us - 86401000000 WHERE idempotency_key = 'k8'`);
    const next = assertOk(await write(ada, { content: 'daily' }, key('k8')), 201);
    assert.notEqual(next.id, first.id);
    assert.equal(assertOk(await write(ada, { content: 'daily' }, key('k8')), 201).id, next.id);
  });
});

/* --- comments --- */

describe('comments', () => {
  let mine;
  let made;
  const list = (query = '', id = mine.id) => get(`/posts/${id}/comments${query}`);
  const remove = (id, member, under = mine.id) => server.api('DELETE', `/posts/${under}/comments/${id}`, { token: member?.token });
  before(async () => {
    mine = await post(ada, 'discuss');
    made = [];
    for (let i = 0; i < 12; i++) made.push(assertOk(await comment(mine.id, i % 2 ? ada : bob, `word ${i}`), 201));
  });

  test('come back as they were stored, oldest first, and are counted', async () => {
    for (const one of made) assertShape(one, 'comment');
    assert.equal(made[0].post_id, mine.id);
    assert.equal(made[0].author_id, bob.id);
    assert.equal(made[0].author.username, 'bob_posts');
    const body = assertOk(await list());
    assert.deepEqual(Object.keys(body), ['items', 'total', 'next_after']);
    assert.equal(body.total, 12);
    assert.equal(body.items.length, 12);
    // Since then ada has another nickname, which all of hers show.
    assert.deepEqual(body.items.map(({ id, content }) => [id, content]), made.map(({ id, content }) => [id, content]));
    assert.equal(assertOk(await get(`/posts/${mine.id}`)).comments_count, 12);
  });

  test('are read by skip and limit, or by cursor in both directions', async () => {
    const all = made.map(({ id }) => id);
    assert.deepEqual(ids(await list('?skip=5&limit=3')), all.slice(5, 8));
    assert.deepEqual(assertOk(await list('?skip=100')), { items: [], total: 12, next_after: null });
    const seen = [];
    for (let after = 0; after !== null;) {
      const body = assertOk(await list(`?limit=5&after=${after}`));
      seen.push(...body.items.map(({ id }) => id));
      after = body.next_after;
    }
    assert.deepEqual(seen, all);
    const backwards = [];
    for (let before = '9223372036854775807'; before !== null;) {
      const body = assertOk(await list(`?limit=5&before=${before}`));
      backwards.push(...body.items.map(({ id }) => id));
      before = body.next_before;
    }
    assert.deepEqual(backwards, [...all].reverse());
  });

  test('refuse questions that make no sense', async () => {
    for (const [query, fault] of [['skip=-1', 'skip greater_than_equal'], ['limit=0', 'limit greater_than_equal'],
      ['limit=101', 'limit less_than_equal'], ['skip=x', 'skip int_parsing'],
      ['skip=99999999999', 'skip less_than_equal'], ['before=2&after=1', 'after value_error']]) {
      assertProblem(await list(`?${query}`), 422, [`query.${fault}`]);
    }
    for (const id of NOT_THERE) {
      assertProblem(await list('', id), 404);
      assertProblem(await comment(id, bob, 'x'), 404);
    }
    for (const id of NO_NUMBER) assertProblem(await list('', id), 422, ['path.post_id int_parsing']);
  });

  test('have 1 to 1000 characters and an author', async () => {
    assertProblem(await comment(mine.id, undefined, 'x'), 401);
    assertProblem(await comment(mine.id, bob, ''), 422, ['body.content string_too_short']);
    assertProblem(await comment(mine.id, bob, 'x'.repeat(1001)), 422, ['body.content string_too_long']);
    assertProblem(await comment(mine.id, bob, 5), 422, ['body.content string_type']);
    assertProblem(await comment(mine.id, bob, undefined), 422, ['body.content missing']);
    const long = assertOk(await comment(mine.id, bob, '😀'.repeat(1000)), 201);
    assertOk(await remove(long.id, bob), 204);
  });

  test('are deleted by their author or a moderator, on their own post only', async () => {
    const other = await post(bob, 'another');
    const [a, b] = [assertOk(await comment(mine.id, bob, 'a'), 201), assertOk(await comment(mine.id, bob, 'b'), 201)];
    assertProblem(await remove(a.id), 401);
    assertProblem(await remove(a.id, ada), 403, undefined);
    assertProblem(await remove(a.id, bob, other.id), 404);
    assertOk(await remove(a.id, bob), 204);
    assertProblem(await remove(a.id, bob), 404);
    assertOk(await remove(b.id, judge), 204);
    for (const id of NOT_THERE) assertProblem(await remove(id, bob), 404);
    for (const id of NO_NUMBER) assertProblem(await remove(id, bob), 422, ['path.comment_id int_parsing']);
    assertProblem(await remove('x', bob, 'y'), 422, ['path.post_id int_parsing', 'path.comment_id int_parsing']);
    assert.equal(assertOk(await get(`/posts/${mine.id}`)).comments_count, 12);
    assert.equal(assertOk(await list()).total, 12);
  });

  // MariaDB lets the one and the other begin at once.
  test('come to what is being deleted or are told that it is gone', async () => {
    const posts = await Promise.all(Array.from({ length: 12 }, () => post(ada, 'soon gone')));
    const at = (id, json) => server.api('POST', `/posts/${id}/comments`, { token: ada.token, json });
    const allowed = (replies, ...statuses) => {
      for (const { status, text } of replies) assert.ok(statuses.includes(status), `${status} ${text}`);
    };
    allowed(await Promise.all(posts.map(async ({ id }) => {
      const parent_id = assertOk(await comment(id, bob, 'what is answered'), 201).id;
      const [, ...replies] = await Promise.all([remove(parent_id, bob, id),
        ...[1, 2, 3, 4].map((i) => at(id, { content: `answer ${i}`, parent_id }))]);
      const [shown, listed] = [assertOk(await get(`/posts/${id}`)), assertOk(await list('', id))];
      assert.deepEqual([shown.comments_count, listed.items.length], [listed.total, listed.total]);
      return replies;
    })).then((all) => all.flat()), 201, 422);
    allowed(await Promise.all(posts.map(async ({ id }) => {
      const [, ...replies] = await Promise.all([server.api('DELETE', `/posts/${id}`, { token: ada.token }),
        ...[1, 2, 3, 4].map((i) => at(id, { content: `comment ${i}` })), like('PUT', id, bob)]);
      return replies;
    })).then((all) => all.flat()), 200, 201, 204, 404);
  });

  test('answer one another on the same post, and answers outlive what they answer', async () => {
    const one = await post(ada, 'a thread');
    const answer = async (member, content, parent_id) => server.api('POST', `/posts/${one.id}/comments`,
      { token: member.token, json: { content, parent_id } });
    const first = assertOk(await answer(bob, 'first'), 201);
    const second = assertOk(await answer(ada, 'second', null), 201);
    const below = assertOk(await answer(ada, 'below', first.id), 201);
    const deeper = assertOk(await answer(bob, 'deeper', below.id), 201);
    for (const said of [first, second, below, deeper]) assertShape(said, 'comment');
    const tree = async () => assertOk(await list('', one.id)).items.map(({ content, parent_id }) => [content, parent_id]);
    assert.deepEqual(await tree(), [['first', null], ['second', null], ['below', first.id], ['deeper', below.id]]);

    for (const parent_id of [made[0].id, 999999]) {
      const reply = await answer(bob, 'lost', parent_id);
      assertProblem(reply, 422, ['body.parent_id value_error']);
      assert.match(reply.body.detail, /no such comment on this post/);
    }
    for (const parent_id of ['1', 0, -1, 1.5, true, {}]) {
      assertProblem(await answer(bob, 'lost', parent_id), 422, ['body.parent_id int_type']);
    }
    assertOk(await remove(below.id, ada, one.id), 204);
    assert.deepEqual(await tree(), [['first', null], ['second', null], ['deeper', null]]);
    assertProblem(await answer(bob, 'too late', below.id), 422, ['body.parent_id value_error']);
    assert.equal(assertOk(await get(`/posts/${one.id}`)).comments_count, 3);
  });

  test('are counted exactly when many come at once', async () => {
    const { id } = await post(ada, 'hot');
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => comment(id, i % 2 ? ada : bob, `c${i}`)));
    const some = all.map((reply) => assertOk(reply, 201)).slice(0, 20);
    await Promise.all(some.map((one) => server.api('DELETE', `/posts/${id}/comments/${one.id}`,
      { token: one.author_id === ada.id ? ada.token : bob.token })));
    assert.equal(assertOk(await get(`/posts/${id}`)).comments_count, 10);
    assert.equal(assertOk(await list('', id)).total, 10);
  });
});

/* --- search --- */

describe('search', () => {
  const find = async (q, rest = '', member = undefined) => assertOk(
    await get(`/search/posts?q=${encodeURIComponent(q)}${rest}`, member));
  const found = async (q) => (await find(q)).items.map(({ content }) => content);
  before(async () => {
    for (const content of ['胡同里的猫在晒太阳', 'Café au lait in the morning', '小明喜欢 Rust 和 SQLite3',
      'NEAR misses AND other words', 'zebra one', 'zebra two', 'zebra three', 'the cat sleeps']) {
      await post(ada, content);
    }
  });

  test('finds two Chinese characters inside a sentence, in their order', async () => {
    assert.deepEqual(await found('胡同'), ['胡同里的猫在晒太阳']);
    assert.deepEqual(await found('太阳'), ['胡同里的猫在晒太阳']);
    assert.deepEqual(await found('的猫'), ['胡同里的猫在晒太阳']);
    assert.deepEqual(await found('同胡'), []);
    assert.deepEqual(await found('胡同 太阳'), ['胡同里的猫在晒太阳']);
  });

  test('finds words in any case, without accents, and both scripts together', async () => {
    assert.deepEqual(await found('CAFE'), ['Café au lait in the morning']);
    assert.deepEqual(await found('café LAIT'), ['Café au lait in the morning']);
    assert.deepEqual(await found('喜欢rust'), ['小明喜欢 Rust 和 SQLite3']);
    assert.deepEqual(await found('sqlite3 小明'), ['小明喜欢 Rust 和 SQLite3']);
    assert.deepEqual(await found('rust java'), [], 'all of the words');
  });

  test('gives whole posts, newest first, in pages', async () => {
    assertOk(await like('PUT', (await find('zebra two')).items[0].id, bob));
    const first = await find('zebra', '&limit=2', bob);
    assert.deepEqual(Object.keys(first), ['items', 'next_before']);
    for (const item of first.items) assertShape(item, 'post');
    assert.deepEqual(first.items.map((item) => [item.content, item.is_liked]), [['zebra three', false], ['zebra two', true]]);
    const second = await find('zebra', `&limit=2&before=${first.next_before}`);
    assert.deepEqual(second.items.map(({ content }) => content), ['zebra one']);
    assert.equal(second.next_before, null);
  });

  test('takes no operators from strangers', async () => {
    assert.deepEqual(await found('near AND'), ['NEAR misses AND other words']);
    const odd = ['"', '""', '"zebra', 'zebra"', '*', 'zeb*', 'NOT zebra', 'zebra OR cat', 'content:zebra',
      '{content} : zebra', 'NEAR(zebra one)', '^zebra', 'zebra - one', '(', ')))', '+', '-', '\\', "'", '%',
      '; DROP TABLE posts', '😀', '，。！', '\u0001', '中'.repeat(400), 'a '.repeat(200), '"中" OR "文"',
      'x'.repeat(3000), '中a'.repeat(200), '😀😀 zebra'];
    for (const q of odd) assertOk(await get(`/search/posts?q=${encodeURIComponent(q)}`));
    assert.deepEqual(await found('zebra OR cat'), [], 'OR is a word like others');
    assert.deepEqual(await found('zeb*'), []);
  });

  test('takes a whole sentence without blanks', async () => {
    const sentence = '春眠不觉晓处处闻啼鸟夜来风雨声花落知多少'.repeat(9);
    await post(ada, `${sentence}。`);
    assert.deepEqual(await found(sentence), [`${sentence}。`]);
    assert.deepEqual(await found(`${sentence}啊`), [`${sentence}。`], 'of a long question the beginning counts');
    assert.deepEqual(await found(`啊${sentence}`), []);
  });

  test('follows edits and deletions', async () => {
    const { id } = await post(ada, 'quagga old');
    assertOk(await server.api('PUT', `/posts/${id}`, { token: ada.token, json: { content: 'quagga new' } }));
    assert.deepEqual(await found('quagga'), ['quagga new']);
    assert.deepEqual(await found('quagga old'), []);
    assertOk(await server.api('DELETE', `/posts/${id}`, { token: ada.token }), 204);
    assert.deepEqual(await found('quagga'), []);
  });

  test('needs words', async () => {
    assertProblem(await get('/search/posts'), 422, ['query.q missing']);
    assertProblem(await get('/search/posts?q='), 422, ['query.q missing']);
    assertProblem(await get('/search/posts?q=x&limit=0&before=-1'), 422,
      ['query.limit greater_than_equal', 'query.before greater_than_equal']);
    assert.deepEqual(await find('  '), { items: [], next_before: null });
  });
});

describe('the #words of posts', () => {
  const tags = async (q, rest = '') => assertOk(await server.api('GET', `/search/tags?q=${encodeURIComponent(q)}${rest}`)).items;
  test('are found by their beginning, the most used first, as they were written last', async () => {
    const ida = await server.register('ida_tags');
    const post = async (content) => assertOk(await server.api('POST', '/posts', { token: ida.token, json: { content } }), 201).id;
    const kept = await post('#quokka #Quokka and #quokkas, #q_1');
    await post('about #QUOKKA');
    await post('twice #quokkas，还有 #胡同生活 和 #胡同');
    await post('no tags: a#quokkax &#quokkay /#quokkaz ##quokkaw # quokkav https://x.example/#quokkau');
    assert.deepEqual(await tags('quok'), [{ tag: 'quokkas', posts_count: 2 }, { tag: 'QUOKKA', posts_count: 2 }]);
    assert.deepEqual(await tags('#QUOKKA', '&limit=1'), [{ tag: 'quokkas', posts_count: 2 }]);
    assert.deepEqual(await tags('胡同'), [{ tag: '胡同生活', posts_count: 1 }, { tag: '胡同', posts_count: 1 }]);
    assert.deepEqual(await tags('q_'), [{ tag: 'q_1', posts_count: 1 }]);
    assert.deepEqual(await tags('nobody'), []);
    assert.ok((await tags('')).length >= 5);
    assertOk(await server.api('DELETE', `/posts/${kept}`, { token: ida.token }), 204);
    assert.deepEqual(await tags('quok'), [{ tag: 'quokkas', posts_count: 1 }, { tag: 'QUOKKA', posts_count: 1 }]);
    assertProblem(await server.api('GET', '/search/tags?limit=51'), 422, ['query.limit less_than_equal']);
  });
});
