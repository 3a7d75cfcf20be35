// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A community as its administrator begins it and looks after it, in a browser: its name, its models, its
// residents.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { logIn, visit } from '../support/app.mjs';
import { seriousIn } from '../support/axe.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';
import { towns, townEnv } from '../support/town.mjs';

const WAIT = { timeout: 240_000 };
const PASSWORD = 'correct horse';
const { kept } = towns();

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const community = async (server) => assertOk(await server.api('GET', '/community'));

/** What listens on this machine is nobody's business here: the server's answer, with that put in. */
async function listening(page, sites) {
  await page.route('**/admin/models/look', async (route) => {
    const answer = await route.fetch();
    const json = await answer.json();
    json.items = json.items.map((one) => ({ ...one, listens: sites.includes(one.site) }));
    await route.fulfill({ response: answer, json });
  });
}

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

describe('models', WAIT, () => {
  test('one that listens and is not set up: what is to be done depends on how this server looks', async () => {
    for (const [env, told] of [
      [{ HUTONG_LLM_PROBE: 'off' }, 'write HUTONG_OLLAMA_BASE=http://127.0.0.1:11434 into .env'],
      [{ HUTONG_LLM_PROBE: 'on', HUTONG_LLM_SITES: 'nobody=http://127.0.0.1:9/v1' }, 'write HUTONG_OLLAMA_BASE=http://127.0.0.1:11434 into .env'],
    ]) {
      const server = kept(await startServer({ env }));
      const root = await asAdmin(server);
      const page = await visit(browser, server);
      await logIn(page, server, root.username, PASSWORD);
      await listening(page, ['ollama']);
      await page.goto(`${server.url}/manage/models`);
      await page.getByRole('button', { name: 'Look for model servers' }).click();
      await page.locator('[data-place=ollama]').getByText(told).waitFor();
      assert.equal(await page.getByText('One of these is enough').count(), 0);
      await done(page);
      await server.stop();
    }
  });
});

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

  test('residents are sent away for good, and ready-made ones come where nobody lives', async () => {
    const server = kept(await startServer({ env: townEnv({ HUTONG_TOWN_SPEED: '60' }) }));
    const root = await asAdmin(server);
    await root.must('POST', '/admin/settlers', { usernames: ['ai_xiaoming', 'ai_amei'], language: 'en' }, 201);
    const page = await visit(browser, server);
    await logIn(page, server, root.username, PASSWORD);
    await page.goto(`${server.url}/manage/residents`);
    const row = (username) => page.locator('main li', { hasText: `@${username}` });
    await row('ai_amei').getByText('in the town', { exact: true }).waitFor();
    assert.equal(await page.getByRole('checkbox').count(), 0, 'no ready-made ones beside others');

    // With a second word, which may be no.
    await page.getByRole('button', { name: 'Send Mei away' }).click();
    const dialog = page.getByRole('dialog', { name: 'Send away for good?' });
    await dialog.getByText('@ai_amei').waitFor();
    await dialog.getByText('There is no way back.').waitFor();
    await isSound(page);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal((await root.must('GET', '/admin/residents')).total, 2);
    await page.getByRole('button', { name: 'Send Mei away' }).click();
    await dialog.getByRole('button', { name: 'Send away' }).click();
    await row('ai_amei').waitFor({ state: 'detached' });
    await page.getByText('Mei is gone.').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), 'resident-new', 'the keyboard is somewhere');
    assert.deepEqual((await root.must('GET', '/admin/residents')).items.map(({ username }) => username), ['ai_xiaoming']);

    await page.getByRole('button', { name: /^Send .* away$/ }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send away' }).click();
    await page.getByText('Nobody lives in the town yet.').waitFor();
    await page.getByRole('checkbox').first().waitFor();
    for (const one of ['ai_xiaoming', 'ai_xiaohong', 'ai_xiaoli']) await page.locator(`input[value=${one}]`).uncheck();
    assert.equal(await page.getByRole('button', { name: 'Nobody moves in' }).isDisabled(), true);
    await page.locator('input[value=ai_amei]').check();
    await page.getByRole('button', { name: 'One moves in' }).click();
    await row('ai_amei').getByText('in the town', { exact: true }).waitFor();
    await done(page);
    await server.stop();
  });

  test('who made residents by hand and has no places gets them', async () => {
    const server = kept(await startServer());
    const root = await asAdmin(server);
    await root.must('POST', '/admin/residents', { username: 'by_hand', nickname: 'Nüwa' }, 201);
    const page = await visit(browser, server);
    await logIn(page, server, root.username, PASSWORD);
    await page.goto(`${server.url}/manage/residents`);
    await page.getByRole('button', { name: 'Make the places' }).click();
    await page.getByText('12 places were made.').waitFor();
    await page.getByRole('button', { name: 'Make the places' }).waitFor({ state: 'detached' });
    assert.equal(assertOk(await server.api('GET', '/places')).items.length, 12);
    await done(page);
    await server.stop();
  });
});
