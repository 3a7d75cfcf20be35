// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The browser app, as members meet it.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { openBrowser } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';
import { logIn, visit } from '../support/app.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 90_000 };

let server, browser, folder;
const members = {};
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'hutong-app-'));
  [server, browser] = await Promise.all([startServer({ env: { HUTONG_WIKI_ROOTS: folder } }), openBrowser()]);
  for (const name of ['lan', 'tom']) {
    members[name] = await server.register(name, { nickname: name === 'lan' ? '阿兰' : 'Tom', password: 'correct horse' });
  }
});
after(async () => {
  await browser?.close();
  await server?.stop({ keepData: false });
  await rm(folder, { recursive: true, force: true });
});

test('the server gives the app for exactly the pages that the app has', WAIT, async () => {
  const table = await readFile(new URL('../../src/api/routes.c', import.meta.url), 'utf8');
  const served = [...table.matchAll(/NAMED\("([^"]+)", app_page\)/g)].map(([, path]) => path.replace(/\{\w+\}/g, '{}'));
  const router = await readFile(new URL('../../web/src/router.ts', import.meta.url), 'utf8');
  const known = [...router.matchAll(/path: '([^']+)'/g)].map(([, path]) => path)
    .filter((path) => path !== '/' && !path.startsWith('/:rest'))
    .flatMap((path) => (path.endsWith('?') ? [path.replace(/\/[^/]+$/, ''), path] : [path])) // with and without its last part
    .map((path) => path.replace(/:\w+(\([^)]*\))?\??/g, '{}'));
  assert.deepEqual(served.sort(), known.sort());
  const { body: api } = await server.api('GET', '/openapi.json');
  for (const path of served) assert.ok(!(path in api.paths), `${path} is both a page and a route of the API`);
});

test("the app's types are those that the server describes", WAIT, async () => {
  const { SCHEMA, schemaOf } = await import('../../web/tools/schema.mjs');
  const { body: api } = await server.api('GET', '/openapi.json');
  const told = await schemaOf(api);
  assert.ok(told === (await readFile(SCHEMA, 'utf8')), 'web/src/api/schema.d.ts is old: see web/tools/schema.mjs');
});

test('GET / is the app for a browser and JSON for a program', WAIT, async () => {
  const asProgram = await fetch(`${server.url}/`, { headers: { Accept: '*/*' } });
  assert.match((await asProgram.json()).docs, /docs/);
  const asBrowser = await fetch(`${server.url}/`, { headers: { Accept: 'text/html,*/*;q=0.8' } });
  assert.match(await asBrowser.text(), /<div id="app">/);
  assert.match(asBrowser.headers.get('content-security-policy'), /script-src 'self';/);
  assert.doesNotMatch(asBrowser.headers.get('content-security-policy'), /unsafe/);
});

test('assets are kept for a year and come in the coding the browser takes', WAIT, async () => {
  const page = await (await fetch(`${server.url}/login`)).text();
  const [script] = /\/assets\/[\w.-]+\.js/.exec(page);
  const sizes = {};
  for (const coding of ['br', 'gzip', 'identity']) {
    const answer = await fetch(server.url + script, { headers: { 'Accept-Encoding': coding } });
    assert.match(answer.headers.get('cache-control'), /immutable/);
    assert.equal(answer.headers.get('content-encoding') ?? 'identity', coding);
    sizes[coding] = Number(answer.headers.get('content-length'));
    assert.match(await answer.text(), /createElement/);
  }
  assert.ok(sizes.br < sizes.gzip && sizes.gzip < sizes.identity, JSON.stringify(sizes));
  assert.equal((await fetch(`${server.url}/assets/nothing-here.js`)).status, 404);
});

test('no page loads more than 180 kB of JavaScript before it is there, the map apart', WAIT, async () => {
  const { token } = members.lan;
  await writeFile(`${folder}/main.cpp`, 'int main() { return 0; } // coloured\n');
  const wiki = assertOk(await server.api('POST', '/wikis', { token, json: { url: folder } }), 201).id;
  await until(() => server.api('GET', `/wikis/${wiki}`, { token }), ({ body }) => body.state === 'ready' && !body.progress, { what: 'the wiki' });
  const chat = assertOk(await server.api('POST', '/chat/conversations', { token, json: {} }), 201).id;
  await server.api('POST', `/chat/conversations/${chat}/messages`, { token, json: { text: 'Hello', parent: 0 } });
  for (const path of ['/', '/m', '/c', `/c/${chat}`, '/settings', '/search', '/w', `/w/${wiki}`, `/w/${wiki}/source?path=main.cpp`]) {
    const page = await visit(browser, server, { worker: false });
    await logIn(page, server, 'lan', 'correct horse');
    await page.goto(server.url + path);
    await page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('.animate-spin'));
    if (path.startsWith('/c/')) await page.locator('[data-status=complete] .md').waitFor();
    if (path.includes('source')) await page.locator('.hljs-comment').waitFor();
    const bytes = await page.evaluate(() => performance.getEntriesByType('resource')
      .filter(({ name }) => name.endsWith('.js')).reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0));
    assert.ok(bytes > 50_000 && bytes <= 180_000, `${path}: ${bytes} bytes`);
    console.log(`# ${path}: ${bytes} bytes of JavaScript`);
    await page.context().close();
  }
});

test('while a repository is on its way, the answer that waits for it says so', WAIT, async () => {
  const { token } = members.lan;
  await writeFile(`${folder}/main.cpp`, 'int main() { return 0; } // coloured\n');
  const wiki = (await server.api('POST', '/wikis', { token, json: { url: folder } })).body.id; // made, or there already
  const chat = assertOk(await server.api('POST', '/chat/conversations', { token, json: { wiki } }), 201).id;
  const page = await visit(browser, server, { worker: false }); // what goes through one is not ours to answer
  await logIn(page, server, 'lan', 'correct horse');
  const turn = (id, role, more) => ({ id, parent: id - 1, role, status: 'complete', content: '', reasoning: '', site: '', model: '', offline: false,
    detail: '', input_tokens: null, output_tokens: null, estimated: false, asked: null, found: null, created_at: '2026-01-01T00:00:00Z', ...more });
  const events = [{ type: 'turns', question: { ...turn(9001, 'user', { content: 'Where?' }), parent: 0 }, answer: turn(9002, 'assistant', { status: 'streaming' }) },
    { type: 'waiting', stage: 'receiving', percent: 42 }];
  await page.route(new RegExp(`/chat/conversations/${chat}/messages$`), (route) => route.fulfill({
    contentType: 'text/event-stream', body: events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('') }));
  await page.route(/messages\/9002\/stream$/, () => undefined); // joined, and nothing yet
  await page.goto(`${server.url}/c/${chat}`);
  await page.getByRole('textbox', { name: 'Ask something' }).fill('Where?');
  await page.keyboard.press('Enter');
  await page.getByText('Fetching 42 %').waitFor();
  await page.context().close();
});

test('before the app itself is there it is dark where it shall be, and what the page needs is on its way, once', WAIT, async () => {
  const page = await visit(browser, server, { worker: false, dark: true });
  await logIn(page, server, 'lan', 'correct horse');
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname + new URL(request.url()).search));
  let go;
  const held = new Promise((done) => { go = done; });
  await page.route(/assets\/main-.*\.js$/, async (route) => { await held; await route.continue(); });
  await page.goto(`${server.url}/`, { waitUntil: 'commit' });
  await page.locator('.splash').waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.look), 'dark');
  await until(() => asked, (all) => all.includes('/posts?limit=20') && all.some((path) => /FeedPage/.test(path)) && all.some((path) => /assets\/en-/.test(path)), { what: 'the feed and its page' });
  go();
  await page.locator('main h1').first().waitFor({ state: 'attached' });
  await page.waitForFunction(() => !document.querySelector('.animate-spin, .splash'));
  assert.equal(asked.slice(asked.findIndex((path) => path.includes('/boot-'))).filter((path) => path.startsWith('/posts?')).length, 1, asked.join('\n'));
  assert.equal(asked.filter((path) => /FeedPage/.test(path)).length, 1);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
});

test('the app opens while the server is away, and may be installed', WAIT, async () => {
  const other = await startServer();
  const page = await visit(browser, other);
  await page.goto(`${other.url}/login`);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  const tools = await page.context().newCDPSession(page);
  const { installabilityErrors } = await tools.send('Page.getInstallabilityErrors');
  // Contexts of tests are private windows, from which nothing can be installed.
  assert.deepEqual(installabilityErrors.map(({ errorId }) => errorId), ['in-incognito']);
  await other.stop();
  await page.goto(`${other.url}/p/1`);
  await page.getByRole('navigation').first().waitFor();
  await page.getByRole('alert').getByText('The server was not reached.').waitFor();
  await page.context().close();
});

describe('two neighbours', WAIT, () => {
  test('register, post, like and comment, each seen live by the other', async () => {
    const tom = await visit(browser, server, { phone: true });
    await logIn(tom, server, 'tom', 'correct horse');
    await tom.waitForSelector('text=Nothing has been written yet.');

    const ying = await visit(browser, server, { locale: 'zh-CN' });
    await ying.goto(`${server.url}/register`);
    await ying.getByLabel('用户名').fill('xiaoying');
    await ying.getByLabel('邻居们怎么称呼你').fill('小樱🌸');
    await ying.getByLabel('密码', { exact: true }).fill('correct horse');
    await ying.getByLabel('再输一次密码').fill('correct horse');
    await ying.getByRole('button', { name: '加入' }).click();
    await ying.getByLabel('写动态').fill('今天的雨下得真好 <b>粗</b> #雨天 @tom');
    await ying.getByRole('button', { name: '发布' }).click();
    await ying.locator('article', { hasText: '今天的雨' }).waitFor();

    await tom.getByRole('button', { name: 'one new post' }).click();
    const card = tom.locator('article', { hasText: '今天的雨下得真好 <b>粗</b>' });
    await card.waitFor();
    assert.equal(await card.locator('b').count(), 0, 'what members write is text');
    await card.getByRole('button', { name: /^Like/ }).click();
    await ying.getByRole('button', { name: '点赞，1 人赞过' }).waitFor();

    await card.getByRole('link', { name: 'no comments' }).click();
    await tom.getByLabel('Say something about it').fill('Nice rain!');
    await tom.getByRole('button', { name: 'Send' }).click();
    await tom.locator('li', { hasText: 'Nice rain!' }).waitFor();
    await ying.getByRole('link', { name: '1 条评论' }).click();
    await ying.locator('li', { hasText: 'Nice rain!' }).waitFor();
    await tom.getByLabel('Say something about it').fill('Again');
    await tom.getByRole('button', { name: 'Send' }).click();
    await ying.locator('li', { hasText: 'Again' }).waitFor();

    for (const page of [tom, ying]) {
      assert.deepEqual(page.complaints, []);
      assert.deepEqual(page.strangers, [], 'nothing comes from elsewhere');
      await page.context().close();
    }
  });

  test('what a server says is wrong stands at its field', async () => {
    const page = await visit(browser, server);
    await page.goto(`${server.url}/register`);
    await page.getByLabel('User name').fill('a b c');
    await page.getByLabel('What neighbours call you').fill('Ada');
    await page.getByLabel('Password', { exact: true }).fill('correct horse');
    await page.getByLabel('Password again').fill('correct horse');
    await page.getByRole('button', { name: 'Join' }).click();
    const field = page.getByLabel('User name');
    await page.waitForFunction(() => document.querySelector('[aria-invalid]'));
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    await page.context().close();
  });

  test('names complete while one types, and lead to their page; people are found by name', async () => {
    const page = await visit(browser, server);
    await logIn(page, server, 'tom', 'correct horse');
    const box = page.getByLabel('Write a post');
    await box.pressSequentially('Ask @la');
    await page.getByRole('option', { name: '@lan' }).waitFor();
    await box.press('Enter');
    assert.equal(await box.inputValue(), 'Ask @lan ');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.locator('article', { hasText: 'Ask @lan' }).getByRole('link', { name: '@lan' }).click();
    await page.getByRole('heading', { name: '阿兰' }).waitFor();
    await page.getByRole('link', { name: 'Search' }).click();
    await page.getByRole('searchbox').fill('阿兰');
    await page.getByRole('searchbox').press('Enter');
    await page.getByLabel('People').getByRole('link', { name: '阿兰' }).waitFor();
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('a click on a button while names are offered is none on what comes to lie there', async () => {
    const page = await visit(browser, server);
    await logIn(page, server, 'tom', 'correct horse');
    const press = async (name) => {
      const { x, y, width, height } = await page.getByRole('button', { name, exact: true }).boundingBox();
      await page.mouse.click(x + width / 2, y + height / 2, { delay: 30 });
    };
    await page.getByLabel('Write a post').pressSequentially('A walk with @la');
    await page.getByRole('option', { name: '@lan' }).waitFor();
    await press('Post');
    const post = page.locator('article', { hasText: 'A walk with @la' });
    await post.getByRole('link', { name: 'no comments' }).click();
    await page.getByLabel('Say something about it').pressSequentially('and @la');
    await page.getByRole('option', { name: '@lan' }).waitFor();
    await press('Send');
    await page.getByRole('listitem').getByText('and @la').waitFor();
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('a comment outlives a reload before it is sent, and a lost reply does not say it twice', async () => {
    const { id } = assertOk(await server.api('POST', '/posts', { token: members.tom.token, json: { content: 'who is there?' } }), 201);
    const page = await visit(browser, server, { worker: false });
    await logIn(page, server, 'lan', 'correct horse');
    await page.goto(`${server.url}/p/${id}`);
    await page.getByLabel('Say something about it').fill('I am');
    await page.reload();
    assert.equal(await page.getByLabel('Say something about it').inputValue(), 'I am');
    let lost = 0;
    await page.route(/comments$/, async (route) => {
      if (route.request().method() !== 'POST' || lost++) return route.continue();
      await route.fetch();
      await route.abort();
    });
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByRole('listitem').getByText('I am', { exact: true }).waitFor();
    const { items } = assertOk(await server.api('GET', `/posts/${id}/comments`, { token: members.tom.token }));
    assert.deepEqual([lost, items.map(({ content }) => content)], [2, ['I am']]);
    await page.context().close();
  });

  test('what is posted while the network is away waits in sight, and arrives', async () => {
    const page = await visit(browser, server);
    await logIn(page, server, 'lan', 'correct horse');
    await page.locator('article').first().waitFor(); // the page is whole
    await page.context().setOffline(true);
    await page.getByText('No connection.').waitFor();
    await page.getByLabel('Write a post').fill('from the tunnel');
    await page.getByRole('button', { name: 'Post', exact: true }).click();
    await page.getByText('Waits for the connection').waitFor();
    assert.equal(await page.getByLabel('Write a post').inputValue(), '');
    await page.context().setOffline(false);
    await page.locator('article', { hasText: 'from the tunnel' }).waitFor();
    await page.locator('[data-letter]').waitFor({ state: 'detached' });
    await page.getByText('No connection.').waitFor({ state: 'detached' });
    await page.context().close();
  });

  test('what is liked while the network is away is liked afterwards, also in the next visit', async () => {
    const { id } = assertOk(await server.api('POST', '/posts', { token: members.tom.token, json: { content: 'to be liked in a tunnel' } }), 201);
    const likes = async () => assertOk(await server.api('GET', `/posts/${id}`, { token: members.tom.token })).likes_count;
    const page = await visit(browser, server);
    await logIn(page, server, 'lan', 'correct horse');
    const heart = page.locator('article', { hasText: 'to be liked in a tunnel' }).getByRole('button', { name: /^Like, / });
    await heart.waitFor();
    await page.context().setOffline(true);
    await page.getByText('No connection.').waitFor();
    await heart.click();
    await heart.and(page.locator('[aria-pressed=true]')).waitFor();
    await page.close();
    assert.equal(await likes(), 0);
    await page.context().setOffline(false);
    const again = await page.context().newPage();
    await again.goto(server.url);
    await until(likes, (count) => count === 1, { what: 'the like that waited' });
    await again.locator('article', { hasText: 'to be liked in a tunnel' }).getByRole('button', { name: 'Like, 1 likes it' }).waitFor();
    await page.context().close();
  });

  test('in a low window every tab of the navigation can be reached', async () => {
    const page = await visit(browser, server);
    await logIn(page, server, 'lan', 'correct horse');
    await page.setViewportSize({ width: 844, height: 390 });
    const last = page.getByRole('navigation').getByRole('link', { name: 'Settings' });
    await last.scrollIntoViewIfNeeded();
    const { y, height } = await last.boundingBox();
    assert.ok(y >= 0 && y + height <= 390, `at ${y}`);
    await page.context().close();
  });

  test('somebody is followed, and no longer', async () => {
    const page = await visit(browser, server, { locale: 'zh-CN', phone: true });
    await logIn(page, server, 'tom', 'correct horse');
    await page.goto(`${server.url}/u/${members.lan.id}`);
    await page.getByRole('button', { name: '关注', exact: true }).click();
    await page.getByText('1 人关注').waitFor();
    await page.reload();
    await page.getByText('1 人关注').waitFor();
    await page.getByRole('button', { name: '已关注', pressed: true }).click();
    await page.getByText('0 人关注').waitFor();
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('a log-in lasts over a reload, and its end in one tab is its end in all', async () => {
    const page = await visit(browser, server);
    await logIn(page, server, 'lan', 'correct horse');
    await page.reload();
    await page.getByLabel('Write a post').waitFor();
    const other = await page.context().newPage();
    await other.goto(`${server.url}/settings`);
    const third = await page.context().newPage();
    await third.goto(`${server.url}/m`);
    await third.getByRole('heading', { name: 'Messages' }).waitFor();
    await other.getByRole('button', { name: 'Log out', exact: true }).click();
    await third.getByText('You logged out in another tab').waitFor();
    await page.getByRole('link', { name: 'Join', exact: true }).waitFor();
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('while the server is away the app says so, and afterwards nothing is missing', async () => {
    const page = await visit(browser, server);
    assertOk(await server.api('POST', '/posts', { token: members.tom.token, json: { content: 'before the break' } }), 201);
    await logIn(page, server, 'lan', 'correct horse');
    await page.locator('article', { hasText: 'before the break' }).waitFor();
    await server.stop({ keepData: true });
    await page.getByText('No connection.').waitFor();
    server = await startServer({ dataDir: server.dataDir, listen: new URL(server.url).host });
    const token = assertOk(await server.api('POST', '/auth/login', { json: { username: 'tom', password: 'correct horse' } })).access_token;
    assertOk(await server.api('POST', '/posts', { token, json: { content: 'written after the break' } }), 201);
    await page.getByRole('button', { name: 'one new post' }).click();
    await page.waitForFunction(() => document.activeElement?.textContent.includes('written after the break'));
    await page.locator('article', { hasText: 'written after the break' }).waitFor();
    await page.getByText('No connection.').waitFor({ state: 'detached' });
    await page.context().close();
  });

  test('what was missed costs a long feed two requests, and the reader keeps the place', async () => {
    const say = async (content) => assertOk(await server.api('POST', '/posts', { token: members.tom.token, json: { content } }), 201);
    const logInTom = async () => { members.tom.token = assertOk(await server.api('POST', '/auth/login', { json: { username: 'tom', password: 'correct horse' } })).access_token; };
    await logInTom();
    const all = [];
    for (let i = 0; i < 90; i++) all.push(await say(`of many, number ${i}.`));
    const page = await visit(browser, server, { worker: false });
    await logIn(page, server, 'lan', 'correct horse');
    const post = (i) => page.locator('article', { hasText: `of many, number ${i}.` });
    await post(89).waitFor();
    // Whoever comes so far down has the page that follows loaded, too.
    const beforeOf = (url) => Number(new URL(url).searchParams.get('before') ?? Infinity);
    const further = page.waitForResponse((answer) => /\/posts\?/.test(answer.url()) && beforeOf(answer.url()) <= all[20].id);
    await page.getByRole('feed').hover();
    while (!(await post(20).count())) await page.mouse.wheel(0, 900);
    await post(20).scrollIntoViewIfNeeded();
    await (await further).finished();
    // In the list: the line above it, that there is no connection, comes and goes.
    const placeOf = (one) => one.evaluate((box) => box.getBoundingClientRect().top - box.closest('[role=feed]').getBoundingClientRect().top);
    const isInSight = (one) => one.evaluate((box) => box.getBoundingClientRect().top >= 0 && box.getBoundingClientRect().bottom <= window.innerHeight);
    const asked = [];
    page.on('request', (request) => request.method() === 'GET' && /\/posts\?/.test(request.url()) && asked.push(new URL(request.url()).search));

    // While it is away more happens than is kept to be told.
    await server.stop({ keepData: true });
    await page.getByText('No connection.').waitFor();
    const place = await placeOf(post(20));
    await server.sql(`UPDATE posts SET content = 'mended, number 20.' WHERE id = ${all[20].id}`);
    await server.sql(`UPDATE topics SET head = head + 5000, tail = head + 5000 WHERE name = 'feed'`);
    server = await startServer({ dataDir: server.dataDir, listen: new URL(server.url).host });
    const mended = page.locator('article', { hasText: 'mended, number 20.' });
    await mended.waitFor();
    await page.getByText('No connection.').waitFor({ state: 'detached' });
    assert.deepEqual([asked.length, asked[0]], [2, '?limit=20'], asked.join(' '));
    const moved = await placeOf(mended) - place;
    assert.ok(Math.abs(moved) < 2, `moved by ${moved}`);
    assert.ok(await isInSight(mended));

    // What comes now is told as ever, and the rest of the list goes on being true.
    await logInTom();
    await say('after all that');
    await page.getByRole('button', { name: 'one new post' }).click();
    await page.locator('article', { hasText: 'after all that' }).waitFor();
    assert.equal(await post(89).count(), 1);
    assert.deepEqual(page.complaints.filter((one) => !/Failed to load|WebSocket/.test(one)), []);
    await page.context().close();
  });
});
