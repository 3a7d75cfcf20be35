// SPDX-License-Identifier: AGPL-3.0-or-later
//
// GET /docs, as somebody with a browser meets it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser, openPage } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 90_000 };

let server, browser;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  await server.register('lili', { password: 'correct horse' });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function openDocs(asked = []) {
  const page = await openPage(browser, 'about:blank');
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(`${server.url}/docs`);
  await page.waitForSelector('details');
  return page;
}

const routeOf = (page, method, path) => page.locator(`#routes details`, {
  has: page.locator('.verb', { hasText: new RegExp(`^${method}$`) }),
}).filter({ has: page.locator('.path', { hasText: new RegExp(`^${path}$`) }) });

test('the page shows every route and asks nobody but its own server', WAIT, async () => {
  const asked = [];
  const page = await openDocs(asked);
  for (const route of await page.locator('summary').all()) await route.click();
  const { body: api } = await server.api('GET', '/openapi.json');
  const routes = Object.values(api.paths).flatMap((methods) => Object.keys(methods));
  assert.equal(await page.locator('.inside').count(), routes.length);
  const own = [`${server.url}/docs`, `${server.url}/openapi.json`];
  assert.deepEqual([...new Set(asked)].filter((url) => !url.startsWith('data:')).sort(), own);
  assert.deepEqual(page.complaints, []);
});

test('its own policy keeps it from asking another host', WAIT, async () => {
  const page = await openDocs();
  const other = await startServer();
  const answer = await page.evaluate((url) => fetch(url, { mode: 'no-cors' }).then(() => 'asked', String), other.url);
  assert.match(answer, /Failed to fetch/);
  assert.match(page.complaints.join('\n'), /Content Security Policy/);
  await other.stop();
});

test('one can log in with it, and what follows carries the token', WAIT, async () => {
  const page = await openDocs();
  const login = routeOf(page, 'POST', '/auth/login');
  await login.locator('summary').click();
  await login.locator('textarea').fill('{"username":"lili","password":"correct horse"}');
  await login.getByRole('button', { name: 'Send' }).click();
  await login.locator('pre', { hasText: 'access_token' }).waitFor();
  const write = routeOf(page, 'POST', '/posts');
  await write.locator('summary').click();
  await write.locator('textarea').fill('{"content":"大家好！"}');
  await write.getByRole('button', { name: 'Send' }).click();
  await write.locator('pre', { hasText: '201 Created' }).waitFor();
  assert.match(await write.locator('pre').innerText(), /大家好！/);
  assert.doesNotMatch(await page.locator('body').innerText(), /`/);
  assert.deepEqual(page.complaints, []);
});

test('words find a route, on a phone as well, and nothing sticks out', WAIT, async () => {
  const page = await openDocs();
  await page.setViewportSize({ width: 360, height: 740 });
  for (const route of await page.locator('summary').all()) await route.click();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 360, `${wide} pixels wide`);
  await page.getByLabel('Look for').fill('live ticket');
  const shown = await page.locator('details:visible .path').allInnerTexts();
  assert.deepEqual(shown, ['/live/ticket']);
});
