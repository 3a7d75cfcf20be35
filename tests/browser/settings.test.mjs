// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The settings, as members change them: profile and picture, password, devices, keys for programs.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';

import { forgive, logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 120_000 };
const PASSWORD = 'correct horse';

let provider, server, browser;
before(async () => {
  provider = await startProvider();
  [server, browser] = await Promise.all([
    startServer({ env: {
      HUTONG_OPENAI_BASE: provider.base('openai'),
      HUTONG_LLM_MODEL: 'openai/test-model',
      HUTONG_LLM_PRICES: '*=2/8',
    } }),
    openBrowser(),
  ]);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

/** The settings of somebody of the test's own. */
async function open(t, name, how = {}) {
  const page = await visit(browser, server, how);
  t.after(() => page.context().close());
  await logIn(page, server, name, PASSWORD);
  await page.goto(`${server.url}/settings`);
  return page;
}

function assertClean(page) {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.strangers, []);
}

const toast = (page, text) => page.getByText(text, { exact: true }).first().waitFor();

test('a new nickname is the name in the feed, also for others', WAIT, async (t) => {
  const ada = await server.register('ada', { nickname: 'Ada', password: PASSWORD });
  assertOk(await server.api('POST', '/posts', { token: ada.token, json: { content: 'A fine day' } }), 201);
  const other = await visit(browser, server);
  t.after(() => other.context().close());
  await server.register('eve', { password: PASSWORD });
  await logIn(other, server, 'eve', PASSWORD);
  const seen = other.locator('article', { hasText: 'A fine day' });
  await seen.getByRole('link', { name: 'Ada' }).first().waitFor();

  const page = await open(t, 'ada');
  const save = page.getByRole('button', { name: 'Save' });
  assert.ok(await save.isDisabled(), 'nothing to save yet');
  const name = page.getByLabel('What neighbours call you');
  await name.fill('n'.repeat(51));
  await save.click();
  await page.locator('input[name=nickname][aria-invalid]').waitFor();
  await forgive(page, /422/);
  await name.fill('Countess 阿达');
  await page.getByLabel('About you').fill('Numbers and <b>wings</b>');
  await save.click();
  await toast(page, 'Saved.');
  await page.getByRole('radio', { name: '简体中文' }).check();
  await toast(page, '已保存。'); // what stands there speaks the language, too
  await page.getByRole('radio', { name: 'English' }).check();
  await page.getByRole('banner').getByText('Countess 阿达').waitFor();
  await seen.getByRole('link', { name: 'Countess 阿达' }).first().waitFor();
  await page.getByRole('link', { name: 'Home' }).click();
  await page.locator('article', { hasText: 'A fine day' }).getByRole('link', { name: 'Countess 阿达' }).first().waitFor();
  await page.goto(`${server.url}/u/${ada.id}`);
  await page.getByText('Numbers and <b>wings</b>').waitFor();
  assertClean(page);
  assertClean(other);
});

/** A picture whose left half is red and whose right half is blue. */
async function redAndBlue(page) {
  const base64 = await page.evaluate(() => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [400, 200];
    const pen = canvas.getContext('2d');
    for (const [colour, x] of [['#f00', 0], ['#00f', 200]]) {
      pen.fillStyle = colour;
      pen.fillRect(x, 0, 200, 200);
    }
    return canvas.toDataURL('image/png').split(',')[1];
  });
  return { name: 'flag.png', mimeType: 'image/png', buffer: Buffer.from(base64, 'base64') };
}

/** Size, and the colours near the left and the right edge, of a picture of the server. */
function look(page, path) {
  return page.evaluate(async (src) => {
    const image = await createImageBitmap(await (await fetch(src)).blob());
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const pen = canvas.getContext('2d');
    pen.drawImage(image, 0, 0);
    const colour = (x) => {
      const [red, , blue] = pen.getImageData(Math.round(x * image.width), image.height / 2, 1, 1).data;
      return red > 200 && blue < 50 ? 'red' : blue > 200 && red < 50 ? 'blue' : `${red}, ${blue}`;
    };
    return [image.width, image.height, colour(0.1), colour(0.9)];
  }, path);
}

test('a picture is cut with keys, pointer and slider, shows everywhere, and goes again', WAIT, async (t) => {
  const bob = await server.register('bob', { password: PASSWORD });
  const page = await open(t, 'bob');
  const picture = page.getByRole('group', { name: 'Picture' });
  const input = picture.locator('input[type=file]');
  const window = page.getByRole('application', { name: 'The part of the picture that shows' });
  const current = async () => assertOk(await server.api('GET', `/users/${bob.id}`)).avatar_path;
  const use = async () => {
    await page.getByRole('button', { name: 'Use this part' }).click();
    await picture.getByRole('button', { name: 'Choose a picture' }).waitFor();
  };

  await input.setInputFiles({ name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await toast(page, 'This file is no picture that can be shown.');

  // As it comes: the middle, both colours.
  await input.setInputFiles(await redAndBlue(page));
  await window.waitFor();
  await use();
  const first = await current();
  assert.deepEqual(await look(page, first), [512, 512, 'red', 'blue']);
  await page.getByRole('banner').locator(`img[src="${first}"]`).waitFor();

  // The keyboard is in the window at once: the picture goes left, its right half shows.
  await input.setInputFiles(await redAndBlue(page));
  await page.waitForFunction(() => document.activeElement?.getAttribute('role') === 'application');
  for (let i = 0; i < 3; i++) await page.keyboard.press('Shift+ArrowLeft');
  await use();
  assert.deepEqual(await look(page, await current()), [512, 512, 'blue', 'blue']);

  // Dragged to the other side, and zoomed.
  await input.setInputFiles(await redAndBlue(page));
  await window.waitFor();
  const slider = page.getByRole('slider', { name: 'Zoom' });
  await slider.fill('2');
  const box = await window.boundingBox();
  await page.mouse.move(box.x + 20, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 20, box.y + box.height / 2, { steps: 4 });
  await page.mouse.up();
  await use();
  assert.deepEqual(await look(page, await current()), [512, 512, 'red', 'red']);

  await picture.getByRole('button', { name: 'Remove the picture' }).click();
  await toast(page, 'The picture is removed.');
  assert.equal(await current(), null);
  assert.equal(await page.getByRole('banner').locator('img[src^="/files/avatars"]').count(), 0);
  assertClean(page);
});

test('with a new password one logs in anew; other devices have to', WAIT, async (t) => {
  await server.register('cem', { password: PASSWORD });
  const elsewhere = await open(t, 'cem');
  const page = await open(t, 'cem');
  const old = page.getByLabel('Password until now');
  const send = page.getByRole('button', { name: 'Change the password' });
  await old.fill('not mine');
  await page.getByLabel('New password', { exact: true }).fill('battery staple');
  await page.getByLabel('Password again').fill('battery stable');
  await send.click();
  await page.getByText('The two passwords differ.').waitFor();
  await page.getByLabel('Password again').fill('battery staple');
  await send.click();
  await page.locator('input[name=old][aria-invalid]').waitFor();
  await forgive(page, /403/);
  await old.fill(PASSWORD);
  await send.click();
  await toast(page, 'The password is changed. Other devices are logged out.');
  assert.equal(await old.inputValue(), '');

  await elsewhere.waitForURL(/\/login/);
  await elsewhere.locator('input[name=username]').fill('cem');
  await elsewhere.locator('input[name=password]').fill(PASSWORD);
  await elsewhere.locator('button[type=submit]').click();
  await elsewhere.getByRole('alert').waitFor();
  await elsewhere.locator('input[name=password]').fill('battery staple');
  await elsewhere.locator('button[type=submit]').click();
  await elsewhere.waitForURL(`${server.url}/settings`);

  // Here one is still who one was.
  await page.reload();
  await page.getByText('This device').waitFor();
  assertClean(page);
});

test('another device is logged out, then all are', WAIT, async (t) => {
  await server.register('dora', { password: PASSWORD });
  const other = await open(t, 'dora', { phone: true });
  const page = await open(t, 'dora');
  page.on('dialog', (dialog) => dialog.accept());
  const devices = page.getByRole('region', { name: 'Devices' }).getByRole('listitem');
  const others = devices.filter({ has: page.getByRole('button', { name: /^Log out/ }) });
  await devices.first().getByText('This device').waitFor();
  // The one that registered, and the phone: the newest is the first after this device.
  assert.equal(await others.count(), 2);
  await others.first().getByRole('button', { name: /^Log out .* on / }).click();
  await toast(page, 'That device is logged out.');
  await other.waitForURL(/\/login/);
  await other.getByText('You were logged out. Please log in again.').waitFor();
  assertClean(page);

  await logIn(other, server, 'dora', PASSWORD);
  await page.getByRole('button', { name: 'Log out everywhere' }).click();
  await page.waitForURL(/\/login/);
  await toast(page, 'You are logged out everywhere.');
  await other.waitForURL(/\/login/);
  assert.equal(await page.evaluate(() => localStorage.getItem('hutong.session')), null);
  assertClean(page);
});

test('a key is made, shown once, used, edited and deleted; what it used stands below', WAIT, async (t) => {
  await server.register('finn', { password: PASSWORD });
  const page = await open(t, 'finn');
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  page.on('dialog', (dialog) => dialog.accept());
  const keys = page.getByRole('region', { name: 'API keys' });
  await keys.getByText('You have no keys.').waitFor();
  await keys.getByRole('button', { name: 'New key' }).click();
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.id === 'key-new');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement?.getAttribute('name') === 'key');
  await keys.getByLabel('Name').fill('notes');
  await keys.getByLabel('Requests per minute').fill('many');
  await keys.getByRole('button', { name: 'Make the key' }).click();
  await keys.getByText('A whole number from 1, or nothing.').waitFor();
  await keys.getByLabel('Requests per minute').fill('30');
  await keys.getByLabel('Tokens per day').fill('9000000000000');
  await keys.getByRole('button', { name: 'Make the key' }).click();
  await page.locator('input[name=tokens][aria-invalid]').waitFor();
  await forgive(page, /422/);
  await keys.getByLabel('Tokens per day').fill('50000');
  await keys.getByRole('button', { name: 'Make the key' }).click();

  await keys.getByRole('button', { name: 'Copy' }).click();
  await toast(page, 'Copied.');
  const key = await keys.getByLabel('The new key').inputValue();
  assert.match(key, /^sk-hutong-/);
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
  await keys.getByText('30 requests per minute · 50,000 tokens per day').waitFor();
  await keys.getByRole('button', { name: 'I have kept it' }).click();

  const ask = () => server.api('POST', '/v1/chat/completions', {
    token: key, json: { model: 'openai/test-model', messages: [{ role: 'user', content: 'hello' }] },
  });
  provider.script([{ deltas: ['Hi'], usage: { input: 1200, output: 300 } }]);
  assertOk(await ask());
  // Usage is written a moment behind the answer.
  const row = page.getByRole('region', { name: 'Usage' }).first().getByRole('row', { name: /^Total/ });
  for (let tries = 0; tries < 20 && (await row.count()) === 0; tries++) {
    await page.reload();
    await page.waitForFunction(() => !document.querySelector('.animate-spin'));
  }
  assert.match(await row.innerText(), /Total\s+1\s+1,200\s+300\s+0\.0048/);
  assert.equal(await page.getByText(key).count(), 0, 'it was shown once');

  await keys.getByRole('button', { name: 'Edit the key notes' }).click();
  await keys.getByLabel('Tokens per day').fill('');
  await keys.getByLabel('Models').fill('openai/*');
  await keys.getByRole('button', { name: 'Save' }).click();
  await keys.getByText('30 requests per minute · openai/*').waitFor();

  await keys.getByRole('button', { name: 'Delete the key notes' }).click();
  await keys.getByText('You have no keys.').waitFor();
  assert.equal((await ask()).status, 401);
  assertClean(page);
});

test('an address leads to its section, and strangers have language and look', WAIT, async (t) => {
  await server.register('gil', { password: PASSWORD });
  const page = await open(t, 'gil', { phone: true, locale: 'zh-CN' });
  await page.getByRole('navigation', { name: '设置分类' }).getByRole('link', { name: 'API 密钥' }).click();
  await page.waitForFunction(() => document.activeElement?.id === 'keys');
  assert.match(page.url(), /\/settings#keys$/);
  await page.reload();
  await page.waitForFunction(() => document.activeElement?.id === 'keys');
  assertClean(page);

  const stranger = await visit(browser, server);
  t.after(() => stranger.context().close());
  await stranger.goto(`${server.url}/settings`);
  await stranger.getByLabel('简体中文').check();
  await stranger.getByRole('heading', { name: '语言和外观' }).waitFor();
  assert.equal(await stranger.locator('h2').count(), 1);
  assertClean(stranger);
});

test('one\'s data is saved as a file', WAIT, async (t) => {
  const uma = await server.register('uma', { password: PASSWORD });
  assertOk(await server.api('POST', '/posts', { token: uma.token, json: { content: '带走我的话' } }), 201);
  const page = await open(t, 'uma', { phone: true });
  const section = page.getByRole('region', { name: 'Export my data' });
  const [file] = await Promise.all([page.waitForEvent('download'), section.getByRole('button', { name: 'Export my data' }).click()]);
  assert.match(file.suggestedFilename(), /^hutong-uma-\d{4}-\d\d-\d\d\.json$/);
  const copy = JSON.parse(await readFile(await file.path(), 'utf8'));
  assert.deepEqual(copy.posts.map(({ content }) => content), ['带走我的话']);
  await section.getByText(`Saved as ${file.suggestedFilename()}.`).waitFor();
  assertClean(page);
});

test('an account is deleted with its password and its name typed, and nothing else does it', WAIT, async (t) => {
  const pia = await server.register('pia', { password: PASSWORD });
  assertOk(await server.api('POST', '/posts', { token: pia.token, json: { content: 'Pia was here' } }), 201);
  const page = await open(t, 'pia');
  const section = page.getByRole('region', { name: 'Delete my account' });
  const begin = section.getByRole('button', { name: 'Delete my account…' });
  await begin.click();
  await page.keyboard.press('Escape');
  await begin.and(page.locator(':focus')).waitFor();
  await begin.click();
  const name = section.getByLabel(/To be sure/);
  await name.and(page.locator(':focus')).waitFor();
  await name.fill('pi');
  await section.getByLabel('Password').fill(PASSWORD);
  const now = section.getByRole('button', { name: 'Delete everything now' });
  await now.click();
  await section.getByText('This is not your user name.').waitFor();
  await name.fill('@pia');
  await section.getByLabel('Password').fill('guessed it');
  await now.click();
  await section.getByText(/the password is wrong/).waitFor();
  assert.equal((await server.api('GET', `/users/${pia.id}`)).status, 200);
  await forgive(page, /403/);
  await section.getByLabel('Password').fill(PASSWORD);
  await now.click();
  await toast(page, 'Your account is deleted. Farewell.');
  await page.waitForURL(`${server.url}/`);
  assert.equal((await server.api('GET', `/users/${pia.id}`)).status, 404);
  assert.equal(await page.evaluate(() => localStorage.getItem('hutong.session')), null);
  await page.getByRole('link', { name: 'Log in' }).first().waitFor();
  assert.equal(await page.getByText('Pia was here').count(), 0);
  // The browser notes that its log-in has ended under it.
  page.complaints = page.complaints.filter((text) => !text.includes('401'));
  assertClean(page);
});
