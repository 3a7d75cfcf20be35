// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Conversations in the browser app: two people at once, groups, and a resident who answers.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { openBrowser } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';
import { logIn, visit } from '../support/app.mjs';
import { DEMO, towns } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 300_000 };
const PASSWORD = 'correct horse';

let server, browser;
const members = {};
const { startTown } = towns();
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  for (const [name, nickname] of [['lan', '阿兰'], ['tom', 'Tom'], ['mei', '小梅'], ['ned', 'Ned']]) {
    members[name] = await server.register(name, { nickname, password: PASSWORD });
  }
});
after(async () => {
  await browser?.close();
  await server?.stop({ keepData: false });
});

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
async function say(from, to, content) {
  return assertOk(await server.api('POST', `/messages/send/${to.id}`, { token: from.token, json: { content } }));
}
const bubble = (page, text) => page.locator('[data-row]', { hasText: text });
const field = (page) => page.getByRole('textbox', { name: /Write a message|写消息/ });
async function write(page, text) {
  await field(page).fill(text);
  await page.getByRole('button', { name: /^(Send|发送)$/ }).click();
}
const history = async (token, other) => (assertOk(await server.api('GET', `/messages/history/${other.id}?limit=100`, { token }))).items;

describe('two neighbours', WAIT, () => {
  test('talk: typing, the message, the read mark, the badge; and what they write is text', async () => {
    const { lan, tom } = members;
    const atLan = await enter('lan', '/m', { locale: 'zh-CN', phone: true });
    await atLan.getByText('还没有会话。').waitFor();
    const atTom = await enter('tom', `/m/${lan.id}`);
    await atTom.getByText('Nothing has been said here yet.').waitFor();

    const hostile = '<img src=x onerror="document.title=1"> **b** {{1+1}} https://example.org/?a=<b>';
    await field(atTom).fill(hostile);
    await field(atTom).press('Shift+Enter');
    await field(atTom).pressSequentially('second line');
    await field(atTom).press('Enter');
    await bubble(atTom, 'second line').waitFor();
    assert.equal(await field(atTom).inputValue(), '');
    assert.equal(await bubble(atTom, 'second line').locator('img, b, strong').count(), 0);
    assert.deepEqual((await history(lan.token, tom)).map(({ content }) => content), [`${hostile}\nsecond line`]);
    assert.equal(await bubble(atTom, 'second line').locator('[data-receipt]').textContent(), 'Sent');

    // Lan's list hears of it, with a badge; nothing is read until she opens it.
    const entry = atLan.getByRole('link', { name: /Tom/ });
    await entry.getByText('1 条未读').waitFor();
    await atLan.getByRole('link', { name: /消息.*条未读/ }).waitFor();
    await entry.click();
    await bubble(atLan, 'second line').waitFor();
    await bubble(atTom, 'second line').getByText('Read').waitFor();
    await atLan.getByRole('link', { name: /消息.*条未读/ }).waitFor({ state: 'detached' });

    await field(atLan).pressSequentially('好');
    await atTom.getByText('阿兰 is writing …').waitFor();
    await field(atLan).fill('好的 🌸');
    await atLan.getByRole('button', { name: '发送' }).click();
    await bubble(atTom, '好的 🌸').waitFor();
    await atTom.getByText('阿兰 is writing …').waitFor({ state: 'detached' });
    await bubble(atLan, '好的 🌸').getByText('已读').waitFor();
    // Who looks at a conversation has no unread messages in it.
    await atTom.getByText('unread').first().waitFor({ state: 'detached' });
    await atTom.getByText('Online').first().waitFor();

    atTom.on('dialog', (dialog) => dialog.accept());
    await bubble(atTom, 'second line').hover();
    await bubble(atTom, 'second line').getByRole('button', { name: 'What to do with this message' }).click();
    await bubble(atTom, 'second line').getByRole('button', { name: 'Delete for everybody' }).click();
    await bubble(atLan, 'second line').waitFor({ state: 'detached' });
    await bubble(atTom, 'second line').waitFor({ state: 'detached' });
    await leave(atLan, atTom);
  });

  test('Enter of an input method that composes sends nothing', async () => {
    const page = await enter('tom', `/m/${members.ned.id}`);
    await field(page).fill('ni hao');
    await field(page).evaluate((area) => {
      for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
        area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...init }));
      }
    });
    assert.equal(await field(page).inputValue(), 'ni hao');
    assert.equal(await page.locator('[data-row], [data-letter]').count(), 0);
    // What was begun is there after a reload, and the list tells of it once there is a conversation.
    await page.reload();
    assert.equal(await field(page).inputValue(), 'ni hao');
    await field(page).press('Enter');
    await bubble(page, 'ni hao').waitFor();
    await page.reload();
    await bubble(page, 'ni hao').waitFor();
    assert.equal(await field(page).inputValue(), '');
    await leave(page);
  });

  test('what is written while the server is away waits, over a reload, and arrives once and in order', async () => {
    const { lan, mei } = members;
    const page = await enter('mei', `/m/${lan.id}`);
    await write(page, 'before the break');
    await bubble(page, 'before the break').waitFor();
    // The app itself opens from the service worker's store.
    await page.evaluate(() => navigator.serviceWorker.ready);
    await page.reload();
    await bubble(page, 'before the break').waitFor();

    await server.stop({ keepData: true });
    for (const text of ['first', 'second', 'thrown away', 'third']) await write(page, text);
    const letters = page.locator('[data-letter]');
    await page.getByText('Waits for the connection').nth(3).waitFor();
    await letters.filter({ hasText: 'thrown away' }).getByRole('button', { name: 'Throw away' }).click();
    await letters.nth(3).waitFor({ state: 'detached' });
    await page.reload();
    await page.getByRole('alert').first().waitFor(); // there is nobody to load it from
    assert.equal(await letters.count(), 3);

    server = await startServer({ dataDir: server.dataDir, listen: new URL(server.url).host });
    await bubble(page, 'third').waitFor();
    await letters.first().waitFor({ state: 'detached' });
    const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { json: { username: 'mei', password: PASSWORD } }));
    const words = ['before the break', 'first', 'second', 'third'];
    assert.deepEqual((await history(token, lan)).map(({ content }) => content), words);
    assert.deepEqual((await page.locator('[data-row]').allTextContents()).map((text) => words.find((word) => text.includes(word))), words);
    assert.deepEqual(page.strangers, []);
    await page.context().close();
    for (const name of Object.keys(members)) {
      members[name].token = assertOk(await server.api('POST', '/auth/login', { json: { username: name, password: PASSWORD } })).access_token;
    }
  });

  test('what the server refuses stays in sight, to be sent again or thrown away', async () => {
    const page = await enter('mei', `/m/${members.tom.id}`);
    let refuse = true;
    await page.route('**/messages/send/*', (route) => (refuse
      ? route.fulfill({ status: 403, json: { detail: 'not now' } }) : route.continue()));
    await write(page, 'stubborn');
    await page.getByText('Not sent. not now').waitFor();
    await page.reload();
    await page.getByText('Not sent. not now').waitFor();
    refuse = false;
    await page.getByRole('button', { name: 'Send again' }).click();
    await bubble(page, 'stubborn').waitFor();
    assert.equal(await page.locator('[data-letter]').count(), 0);
    await page.context().close();
  });

  test('a long conversation: older pages come without a jump, few bubbles are in the page, news are counted', async () => {
    const { ned, lan } = members;
    const count = 700;
    await say(lan, ned, 'line 0.');
    for (let i = 1; i <= count; i += 1) await say(lan, ned, `line ${i}${i % 7 ? '' : ' and more words'.repeat(i % 11)}.`);
    const page = await enter('ned', `/m/${lan.id}`);
    await bubble(page, `line ${count}`).first().waitFor();
    const log = page.getByRole('region', { name: 'Messages with' });
    assert.ok(await log.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 2), 'it opens at the newest');

    // Up in steps, as a wheel does. The row that is seen stays where it is but for the step itself.
    const oldest = () => page.locator('[data-row]').first().textContent();
    for (let step = 0; step < 400 && !/line 0\./.test(await oldest()); step += 1) {
      const moved = await log.evaluate(async (box) => {
        const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        const top = box.getBoundingClientRect().top;
        box.scrollTop -= Math.min(box.scrollTop, 500);
        const row = [...box.querySelectorAll('[data-row]')].find((one) => one.getBoundingClientRect().bottom > top);
        const was = row.getBoundingClientRect().top;
        const had = box.querySelector('[data-row]');
        // Until the window has grown above, or there was no need to.
        for (let i = 0; i < 30 && box.querySelector('[data-row]') === had && box.scrollTop < 700; i += 1) await frame();
        await frame();
        return { by: row.isConnected ? row.getBoundingClientRect().top - was : 0, rows: box.querySelectorAll('[data-row]').length };
      });
      assert.ok(Math.abs(moved.by) < 2, `it jumped by ${moved.by}`);
      assert.ok(moved.rows <= 300, `${moved.rows} bubbles in the page`);
    }
    assert.match(await oldest(), /line 0\./);

    await say(lan, ned, 'news');
    await page.getByRole('button', { name: 'one new message' }).waitFor();
    // Nobody has seen it yet.
    const unread = async () => assertOk(await server.api('GET', '/messages/conversations', { token: ned.token }))
      .conversations.find(({ user }) => user.id === lan.id).unread_count;
    assert.equal(await unread(), 1);
    await page.getByRole('button', { name: 'one new message' }).click();
    await bubble(page, 'news').waitFor();
    await until(unread, (n) => n === 0);
    await leave(page);
  });
});

test('a group is made, spoken in by several, renamed, and left', WAIT, async () => {
  const { tom } = members;
  const [atLan, atTom] = [await enter('lan', '/m'), await enter('tom', '/m', { phone: true })];
  await atLan.getByRole('button', { name: 'New group' }).click();
  await atLan.getByLabel('Name of the group').fill('Tea & <b>cake</b>');
  await atLan.getByLabel('Search by name').fill('to');
  await atLan.getByRole('checkbox', { name: /Tom/ }).check();
  await atLan.getByLabel('Search by name').fill('小梅');
  await atLan.getByRole('checkbox', { name: /小梅/ }).check();
  await atLan.getByRole('button', { name: 'Open the group' }).click();
  await atLan.getByRole('heading', { name: 'Tea & <b>cake</b>' }).waitFor();
  await atLan.getByText('3 members').first().waitFor();
  await write(atLan, 'Who wants tea?');

  await atTom.getByRole('link', { name: /Tea/ }).getByText('one unread').waitFor();
  await atTom.getByRole('link', { name: /Tea/ }).click();
  await bubble(atTom, 'Who wants tea?').waitFor();
  await bubble(atLan, 'Who wants tea?').getByText('Read by one').waitFor();
  await field(atTom).pressSequentially('I ');
  await atLan.getByText('Tom is writing …').waitFor();
  await write(atTom, 'I do');
  await bubble(atLan, 'I do').getByRole('link', { name: 'Tom' }).waitFor();

  await atLan.getByRole('button', { name: 'About this group' }).click();
  const about = atLan.getByRole('dialog');
  await about.getByLabel('Name of the group').fill('Tea');
  await about.getByRole('button', { name: 'Rename' }).click();
  await atTom.getByRole('heading', { name: 'Tea', exact: true }).waitFor();
  await about.getByRole('button', { name: 'Add members' }).click();
  await about.getByRole('checkbox', { name: /Ned/ }).check();
  await about.getByRole('button', { name: 'Add one' }).click();
  await about.getByText('4 members').waitFor();
  atLan.on('dialog', (dialog) => dialog.accept());
  await about.getByRole('button', { name: 'Remove Tom' }).click();
  await about.getByText('3 members').waitFor();
  await atTom.waitForURL(`${server.url}/m`);
  await atTom.getByRole('link', { name: /Tea/ }).waitFor({ state: 'detached' });
  await about.getByRole('button', { name: 'Leave the group' }).click();
  await atLan.waitForURL(`${server.url}/m`);
  const groups = assertOk(await server.api('GET', '/groups', { token: members.ned.token })).items;
  assert.deepEqual(groups.map(({ name, members_count: n }) => [name, n]), [['Tea', 2]]);
  assert.equal((await server.api('GET', `/groups/${groups[0].id}`, { token: tom.token })).status, 404);
  await leave(atLan, atTom);
});

test("a resident's answer is seen while it is written, and then is a message like any other", WAIT, async () => {
  const town = await startTown({ env: { HUTONG_TOWN_SPEED: '600' } });
  const [{ id }] = (await town.town()).residents;
  const page = await visit(browser, town);
  await logIn(page, town, DEMO.username, DEMO.password);
  await page.goto(`${town.url}/m/${id}`);
  await field(page).waitFor();
  const rows = await page.locator('[data-row]').count();
  await page.evaluate(() => {
    window.drafts = [];
    new MutationObserver(() => {
      const draft = document.querySelector('[data-draft] p')?.textContent;
      if (draft && draft !== window.drafts.at(-1)) window.drafts.push(draft);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  await write(page, '早上好，今天忙吗？');
  await page.locator('[data-row]').nth(rows + 1).waitFor({ timeout: 60_000 });
  await page.locator('[data-draft]').waitFor({ state: 'detached' });
  const drafts = await page.evaluate(() => window.drafts);
  assert.ok(drafts.length >= 2, `${drafts.length} drafts were seen`);
  const answer = (await town.get(`/messages/history/${id}`)).items.at(-1);
  assert.equal(answer.sender_id, id);
  assert.ok(answer.content.startsWith(drafts[0].trim()));
  await bubble(page, answer.content).last().waitFor();
  await page.getByRole('heading').getByText('Resident', { exact: true }).waitFor();
  await page.getByRole('main').getByText('Built-in engine').waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole('heading', { level: 1 }).waitFor();
  await page.goto(`${town.url}/u/${id}`);
  await page.getByText('写代码的人，喜欢新东西，也喜欢帮忙。', { exact: true }).waitFor(); // not the JSON around it
  await page.getByRole('main').getByText('Built-in engine').waitFor();
  await leave(page);
  await town.stop();
});
