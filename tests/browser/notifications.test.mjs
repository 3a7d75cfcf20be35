// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Two neighbours and what they tell each other without a word: the bell, its page, and answers under a
// post.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { openBrowser } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';
import { logIn, visit } from '../support/app.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 240_000 };
const PASSWORD = 'correct horse';

let server, browser, lan, tom;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  [lan, tom] = [await server.register('lan', { nickname: '阿兰', password: PASSWORD }), await server.register('tom', { nickname: 'Tom', password: PASSWORD })];
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const ask = async (member, method, path, json, status = 200) => assertOk(await server.api(method, path, { token: member.token, json }), status);
async function enter(name, path, options) {
  const page = await visit(browser, server, options);
  await logIn(page, server, name, PASSWORD);
  await page.goto(`${server.url}${path}`);
  return page;
}
async function leave(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(page.strangers, [], 'nothing comes from elsewhere');
    await page.context().close();
  }
}
const bell = (page) => page.getByRole('link', { name: /^(Notifications|通知)/ });
const rows = (page) => page.locator('main ul > li');
const unreadOf = async (member) => (await ask(member, 'GET', '/notifications/unread_count')).unread_count;

describe('two neighbours', WAIT, () => {
  test('a like moves the bell at once, the bell leads to its page, and that to the post', async () => {
    const post = await ask(lan, 'POST', '/posts', { content: 'who likes this?' }, 201);
    const atLan = await enter('lan', '/m');
    const atTom = await enter('tom', `/p/${post.id}`, { phone: true });
    await bell(atLan).waitFor();
    assert.doesNotMatch(await bell(atLan).innerText(), /\d/);
    await atTom.getByRole('button', { name: /^Like/ }).click();
    await bell(atLan).filter({ hasText: /1/ }).waitFor();

    await bell(atLan).click();
    await atLan.waitForURL(/\/n$/);
    await rows(atLan).filter({ hasText: 'Tom likes your post' }).filter({ hasText: 'who likes this?' }).waitFor();
    // Seen is read, and still marked as new for as long as we are here.
    await until(() => unreadOf(lan), (count) => count === 0, { what: 'read' });
    await bell(atLan).filter({ hasNotText: /\d/ }).waitFor();
    await rows(atLan).filter({ hasText: ', unread' }).waitFor();

    // One more like of it is the same line; it goes when it is taken back.
    const ann = await server.register('ann', { nickname: 'Ann' });
    await ask(ann, 'PUT', `/posts/${post.id}/like`);
    await rows(atLan).filter({ hasText: 'Ann and one other like your post' }).waitFor();
    assert.equal(await rows(atLan).count(), 1);
    await ask(ann, 'DELETE', `/posts/${post.id}/like`);
    await rows(atLan).filter({ hasText: 'Tom likes your post' }).waitFor();
    await rows(atLan).getByRole('link').click();
    await atLan.waitForURL(`${server.url}/p/${post.id}`);
    await atLan.locator('article', { hasText: 'who likes this?' }).waitFor();
    await leave(atLan, atTom);
  });

  test('answers come live under what they answer, and their notification leads to them', async () => {
    const post = await ask(lan, 'POST', '/posts', { content: 'a thread' }, 201);
    const first = await ask(lan, 'POST', `/posts/${post.id}/comments`, { content: 'the first word' }, 201);
    await ask(lan, 'POST', `/posts/${post.id}/comments`, { content: 'something else' }, 201);
    const atLan = await enter('lan', `/p/${post.id}`, { locale: 'zh-CN', phone: true });
    const atTom = await enter('tom', `/p/${post.id}`);
    const said = (page, id) => page.locator(`#comment-${id}`);
    const texts = (page) => page.locator('main section [id^=comment-] .whitespace-pre-wrap').allInnerTexts();

    await said(atTom, first.id).getByRole('button', { name: 'Reply to 阿兰' }).click();
    // The box has the focus; Escape leaves it for the comment and keeps the words, Cancel does not.
    await atTom.keyboard.type('never mind');
    await atTom.keyboard.press('Escape');
    assert.equal(await atTom.evaluate(() => document.activeElement.id), `comment-${first.id}`);
    await said(atTom, first.id).getByRole('button', { name: 'Reply to 阿兰' }).click();
    assert.equal(await atTom.getByRole('textbox', { name: 'Reply to 阿兰' }).inputValue(), 'never mind');
    await atTom.getByRole('button', { name: 'Cancel' }).click();
    await said(atTom, first.id).getByRole('button', { name: 'Reply to 阿兰' }).click();
    await atTom.keyboard.type('an answer');
    await atTom.keyboard.press('Control+Enter');
    const answers = atLan.getByRole('list', { name: '对阿兰的回复' });
    await answers.getByText('an answer').waitFor();
    await answers.getByRole('button', { name: '回复Tom' }).click();
    await answers.getByRole('textbox', { name: '回复Tom' }).fill('an answer to that');
    await answers.getByRole('button', { name: '发送' }).click();
    const deeper = atTom.getByRole('list', { name: 'Answers to 阿兰' }).getByRole('listitem').filter({ hasText: 'an answer to that' });
    await deeper.getByText('answers Tom').waitFor();
    for (const page of [atLan, atTom]) assert.deepEqual(await texts(page), ['the first word', 'an answer', 'an answer to that', 'something else']);

    await atTom.goto(`${server.url}/n`);
    await rows(atTom).filter({ hasText: '阿兰 answered your comment' }).getByRole('link').click();
    await atTom.waitForURL(/#comment-\d+$/);
    await atTom.waitForFunction(() => document.activeElement?.id === location.hash.slice(1));
    assert.match(await atTom.evaluate(() => document.activeElement.innerText), /an answer to that/);

    // The first word goes; what answered it stays.
    await ask(lan, 'DELETE', `/posts/${post.id}/comments/${first.id}`, undefined, 204);
    await said(atTom, first.id).waitFor({ state: 'detached' });
    assert.deepEqual(await texts(atTom), ['something else', 'an answer', 'an answer to that']);
    await leave(atLan, atTom);
  });

  test('a notification leads to a comment behind the first page of them', async () => {
    const post = await ask(tom, 'POST', '/posts', { content: 'much said' }, 201);
    for (let i = 0; i < 60; i += 1) await ask(tom, 'POST', `/posts/${post.id}/comments`, { content: `word ${i}` }, 201);
    const named = await ask(tom, 'POST', `/posts/${post.id}/comments`, { content: 'look, @lan!' }, 201);
    const atLan = await enter('lan', '/n');
    await rows(atLan).filter({ hasText: 'Tom named you in a comment' }).getByRole('link').click();
    await atLan.waitForFunction((id) => document.activeElement?.id === `comment-${id}`, named.id);
    await leave(atLan);
  });

  test('it leads there also when the comments are here before their post is', async () => {
    const post = await ask(tom, 'POST', '/posts', { content: 'slow to come' }, 201);
    const said = await ask(tom, 'POST', `/posts/${post.id}/comments`, { content: 'quick' }, 201);
    const atLan = await enter('lan', '/', { worker: false });
    let comments;
    const here = new Promise((told) => { comments = told; });
    atLan.on('response', async (answer) => {
      if (answer.url().includes(`/posts/${post.id}/comments`)) await answer.finished().then(comments);
    });
    await atLan.route(`**/posts/${post.id}`, async (route) => {
      await here;
      // And the page has had its turn with them.
      await atLan.evaluate(() => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); }));
      await route.continue();
    });
    await atLan.goto(`${server.url}/p/${post.id}#comment-${said.id}`);
    await atLan.waitForFunction((id) => document.activeElement?.id === `comment-${id}`, said.id);
    await leave(atLan);
  });

  test('more of them come as one scrolls, only what was seen is read, and one button reads all', async () => {
    const fay = await server.register('fay', { nickname: 'Fay', password: PASSWORD });
    const atFay = await enter('fay', '/n', { phone: true });
    await atFay.getByText('Nobody has told you anything yet.').waitFor();
    await atFay.goto(`${server.url}/settings`);
    const post = await ask(fay, 'POST', '/posts', { content: 'much to say' }, 201);
    for (let i = 0; i < 70; i += 1) await ask(tom, 'POST', `/posts/${post.id}/comments`, { content: `number ${i}.` }, 201);
    await atFay.goto(`${server.url}/n`);
    await rows(atFay).first().filter({ hasText: 'number 69.' }).waitFor();
    assert.equal(await unreadOf(fay), 70, 'most of them are further down');
    while (!(await rows(atFay).filter({ hasText: 'number 0.' }).count())) {
      await rows(atFay).last().scrollIntoViewIfNeeded();
    }
    assert.equal(await rows(atFay).count(), 70);
    await ask(tom, 'PUT', `/users/${fay.id}/follow`);
    await rows(atFay).filter({ hasText: 'Tom follows you' }).waitFor();
    await atFay.getByRole('button', { name: 'Mark all read' }).click();
    await until(() => unreadOf(fay), (count) => count === 0, { what: 'read' });
    await rows(atFay).filter({ hasText: ', unread' }).first().waitFor({ state: 'detached' });
    await rows(atFay).filter({ hasText: 'Tom follows you' }).getByRole('link').click();
    await atFay.waitForURL(`${server.url}/u/${tom.id}`);
    await leave(atFay);
  });

  test('after a broken connection the bell says what came meanwhile, on a phone at the top of the feed', async () => {
    const gus = await server.register('gus', { nickname: 'Gus', password: PASSWORD });
    const atGus = await enter('gus', '/', { phone: true });
    await ask(tom, 'PUT', `/users/${gus.id}/follow`);
    await bell(atGus).filter({ hasText: '1' }).waitFor();
    await server.stop({ keepData: true });
    await atGus.getByText('No connection.').waitFor();
    server = await startServer({ dataDir: server.dataDir, listen: new URL(server.url).host });
    tom.token = assertOk(await server.api('POST', '/auth/login', { json: { username: 'tom', password: PASSWORD } })).access_token;
    await ask(tom, 'POST', '/posts', { content: 'have you heard, @gus?' }, 201);
    await bell(atGus).filter({ hasText: '2' }).waitFor();
    await bell(atGus).click();
    await rows(atGus).filter({ hasText: 'Tom named you in a post' }).waitFor();
    await atGus.context().close(); // the console complains of the connection
  });
});
