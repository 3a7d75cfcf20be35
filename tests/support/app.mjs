// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A member's browser: a profile of its own, and what it should not do is noted.
//
//     const page = await visit(browser, server, { locale: 'zh-CN', phone: true });
//     await logIn(page, server, 'lan', 'correct horse');
//     page.complaints; page.strangers;   // errors of the console; addresses elsewhere that were asked
//     await forgive(page, /404/);        // one that had to come

import { until } from './watch.mjs';

export async function visit(browser, server, { locale = 'en', phone = false, dark = false, calm = true, worker = true } = {}) {
  const context = await browser.newContext({
    locale,
    colorScheme: dark ? 'dark' : 'light',
    viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
    hasTouch: phone,
    serviceWorkers: worker ? 'allow' : 'block', // which keeps files unpacked
    reducedMotion: calm ? 'reduce' : 'no-preference',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  page.complaints = [];
  page.strangers = [];
  page.on('console', (said) => {
    if (said.type() === 'error') page.complaints.push(said.text());
  });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (/^(data|blob):/.test(url.protocol)) return;
    if (url.host !== new URL(server.url).host) page.strangers.push(request.url());
  });
  await page.goto(`${server.url}/`);
  return page;
}

// What a browser notes of an answer may reach us after the page shows what came of it.
export async function forgive(page, pattern) {
  await until(() => page.evaluate(() => true), () => page.complaints.some((said) => pattern.test(said)), { what: `a complaint of ${pattern}` });
  page.complaints = page.complaints.filter((said) => !pattern.test(said));
}

export async function logIn(page, server, username, password) {
  await page.goto(`${server.url}/login`);
  await page.locator('input[name=username]').fill(username);
  await page.locator('input[name=password]').fill(password);
  await page.locator('button[type=submit]').click();
  await page.waitForURL(`${server.url}/`);
}
