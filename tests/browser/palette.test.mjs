// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Ways through the app: the palette, the keys, search in messages, lists of followers, #words, and the
// page for addresses that are none.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { forgive, logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 180_000 };
const PASSWORD = 'correct horse';

let server, browser, ada, bob;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  ada = await server.register('ada', { nickname: 'Ada', password: PASSWORD });
  bob = await server.register('bob', { nickname: 'Bob 波', password: PASSWORD });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, path = '/', how = {}) {
  const page = await visit(browser, server, how);
  t.after(() => page.context().close());
  await logIn(page, server, 'ada', PASSWORD);
  if (path !== '/') await page.goto(server.url + path);
  return page;
}
const assertClean = (page) => assert.deepEqual([page.complaints, page.strangers], [[], []]);
const focused = (locator) => locator.and(locator.page().locator(':focus')).waitFor();

test('Ctrl+K leads to pages, people and deeds, and Escape gives the keyboard back', WAIT, async (t) => {
  const page = await open(t);
  const box = page.getByRole('textbox', { name: 'Commands' }).or(page.getByRole('combobox', { name: 'Commands' })).first();
  const search = page.getByRole('link', { name: 'Search' }).first();
  await search.focus();
  await page.keyboard.press('Control+k');
  await focused(box);
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'detached' });
  await focused(search);

  await page.keyboard.press('Control+k');
  await box.fill('sett');
  await page.getByRole('option', { name: 'Settings' }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/settings/);

  await page.keyboard.press('Control+k');
  await box.fill('bob');
  await page.getByRole('option', { name: /Bob 波/ }).click();
  await page.waitForURL(`${server.url}/u/${bob.id}`);

  await page.keyboard.press('Control+k');
  await box.fill('dark');
  await page.getByRole('option', { name: 'Dark colours' }).click();
  await page.locator('html[data-look=dark]').waitFor();

  for (const [words, path] of [['notif', '/n'], ['society', '/society']]) {
    await page.keyboard.press('Control+k');
    await box.fill(words);
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL(server.url + path);
  }
  await forgive(page, /404/); // there is no town
  await page.goto(`${server.url}/`);
  await search.waitFor();

  await page.keyboard.press('Control+k');
  await box.fill('write');
  await page.getByRole('option', { name: 'Write a post' }).waitFor();
  await page.keyboard.press('Enter');
  const composer = page.getByRole('textbox').first();
  await focused(composer);
  // A letter is a letter while somebody writes.
  await page.keyboard.type('why?');
  assert.equal(await composer.inputValue(), 'why?');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await composer.fill('');
  assertClean(page);
});

test('? lists the keys of the page', WAIT, async (t) => {
  const page = await open(t, '/m');
  await page.getByRole('main').focus();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keys' });
  await help.getByText('find pages, people and commands').waitFor();
  await help.getByText('a new line').waitFor();
  assert.equal(await help.getByText('complete a name').count(), 0);
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'detached' });
  await page.goto(`${server.url}/u/${bob.id}`);
  await page.getByRole('main').focus();
  await page.keyboard.press('?');
  await help.getByText('complete a name').waitFor();
  assertClean(page);
});

test('a hit among one\'s messages leads to its place in the conversation', WAIT, async (t) => {
  const tell = async (from, to, content) => assertOk(await server.api('POST', `/messages/send/${to.id}`, { token: from.token, json: { content } }));
  const first = await tell(bob, ada, 'the kingfisher by the river');
  for (let i = 0; i < 150; i += 1) await tell(i % 2 ? ada : bob, i % 2 ? bob : ada, `later ${i}`);
  const page = await open(t, `/m/${bob.id}`);
  await page.getByRole('link', { name: 'Search this conversation' }).click();
  await page.waitForURL(/\/search\?in=messages&with=/);
  const words = page.getByRole('searchbox');
  await words.fill('KINGF');
  await words.press('Enter');
  await page.getByRole('list', { name: 'Messages' }).getByRole('link', { name: /kingfisher/ }).click();
  await page.waitForURL(`${server.url}/m/${bob.id}?at=${first.id}`);
  await focused(page.locator(`[data-id="${first.id}"]`));
  assert.ok(await page.getByText('the kingfisher by the river').isVisible());
  assertClean(page);
});

test('a profile shows who follows and who is followed', WAIT, async (t) => {
  assertOk(await server.api('PUT', `/users/${bob.id}/follow`, { token: ada.token }));
  const page = await open(t, `/u/${bob.id}`, { phone: true });
  await page.getByRole('button', { name: '1 follower' }).click();
  const list = page.getByRole('dialog', { name: 'Who follows Bob 波' });
  await list.getByRole('link', { name: /Ada/ }).click();
  await page.waitForURL(`${server.url}/u/${ada.id}`);
  await list.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: /follower/ }).click();
  await page.getByRole('dialog', { name: 'Who follows Ada' }).getByText('Nobody yet.').waitFor();
  assertClean(page);
});

test('a #word completes with what others used', WAIT, async (t) => {
  for (const content of ['#hutong_walks', 'more #hutong_walks', '#hutong_food']) {
    assertOk(await server.api('POST', '/posts', { token: bob.token, json: { content } }), 201);
  }
  const page = await open(t);
  const composer = page.getByRole('textbox').first();
  await composer.click();
  await page.keyboard.type('On #hut');
  const words = page.getByRole('listbox', { name: 'Suggestions' }).getByRole('option');
  await words.first().waitFor();
  assert.match((await words.allInnerTexts()).join('|'), /^#hutong_walks\s+2 posts\|#hutong_food\s+one post|1 post/);
  await page.keyboard.press('Enter');
  assert.equal(await composer.inputValue(), 'On #hutong_walks ');
  await composer.fill('');
  assertClean(page);
});

test('an address that is none gets the app\'s own page', WAIT, async (t) => {
  const page = await open(t);
  await page.goto(`${server.url}/p/99999`);
  const note = page.getByRole('alert');
  await note.getByRole('link', { name: 'Search' }).waitFor();
  assert.equal(await note.getByRole('button').count(), 0);
  const answer = await page.goto(`${server.url}/no/such/page`);
  assert.equal(answer.status(), 404);
  await page.getByRole('main').getByRole('link', { name: 'Home' }).click();
  await page.waitForURL(`${server.url}/`);
  page.complaints = page.complaints.filter((text) => !text.includes('404'));
  assertClean(page);
});
