// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the community is called, as a browser shows it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { logIn, visit } from '../support/app.mjs';
import { seriousIn } from '../support/axe.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';
import { towns } from '../support/town.mjs';

const WAIT = { timeout: 240_000 };
const PASSWORD = 'correct horse';
const { kept } = towns();

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const community = async (server) => assertOk(await server.api('GET', '/community'));

async function done(page, complaints = []) {
  assert.deepEqual(page.strangers, []);
  assert.deepEqual(page.complaints.filter((said) => !complaints.some((fine) => fine.test(said))), []);
  await page.context().close();
}

/** For every eye and hand, and on a small phone. */
async function isSound(page) {
  await page.waitForFunction(() => !document.querySelector('.animate-spin'));
  assert.deepEqual(await seriousIn(page), [], page.url());
  await noWider(page);
}

async function noWider(page) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${page.url()} sticks out by ${wide} pixels`);
}

describe('later, under /manage', WAIT, () => {
  test('the name is changed, and a member who looks at the feed sees it at once', async () => {
    const server = kept(await startServer());
    const root = await asAdmin(server);
    await server.register('mei');
    const mei = await visit(browser, server);
    await logIn(mei, server, 'mei', PASSWORD);
    await mei.getByRole('banner').getByText('Hutong').waitFor();
    await mei.getByText('Nothing has been written yet.').waitFor();
    const page = await visit(browser, server);
    await logIn(page, server, root.username, PASSWORD);
    await page.goto(`${server.url}/manage/community`);
    await page.locator('input[name=name]').fill('<b>Lane</b> & Co');
    await page.getByRole('button', { name: 'Save' }).click();
    await mei.getByRole('banner').getByText('<b>Lane</b> & Co').waitFor();
    assert.equal(await mei.title(), 'Home · <b>Lane</b> & Co');
    await page.getByText('Everybody may join.').waitFor();
    // What the server refuses stands at its field.
    await page.locator('input[name=name]').evaluate((field) => field.removeAttribute('maxlength'));
    await page.locator('input[name=name]').fill('x'.repeat(51));
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('input[name=name][aria-invalid=true]').waitFor();
    assert.equal((await community(server)).name, '<b>Lane</b> & Co');
    await done(mei);
    await done(page, [/422/]);
    // However long it is, and one word.
    await root.must('PATCH', '/community', { name: 'W'.repeat(50), about: 'w'.repeat(200) });
    const stranger = await visit(browser, server, { phone: true });
    for (const path of ['/', '/login', '/register']) {
      await stranger.goto(server.url + path);
      await stranger.getByText('w'.repeat(200)).waitFor();
      await isSound(stranger);
    }
    await done(stranger);
    await server.stop();
  });
});
