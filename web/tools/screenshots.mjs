// SPDX-License-Identifier: AGPL-3.0-or-later
//
// node web/tools/screenshots.mjs FOLDER: every page of the app, in both languages and looks, on a phone
// and a desktop, from a demo community that is begun for it. To be looked at, and for the README.
// HUTONG_BIN names another server than build/release/hutong; PAGES="/ /t" takes some of the pages.
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openBrowser } from '../../tests/support/browser.mjs';
import { logIn, visit } from '../../tests/support/app.mjs';
import { startServer } from '../../tests/support/server.mjs';

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error('usage: node web/tools/screenshots.mjs FOLDER');
  process.exit(2);
}
process.env.HUTONG_BIN ??= fileURLToPath(new URL('../../build/release/hutong', import.meta.url));
const STRANGERS = ['/login', '/register'];
const MEMBERS = (process.env.PAGES ?? '/ /p/3 /u/2 /u/4 /search?q=小 /m /m/2 /c /t /settings').split(' ');
/** For what is drawn, not for what is loaded: the map moves, pictures decode. */
const DRAW_MS = 1500;
const SEND = /^(发送|提问|Send|Ask)$/;

await mkdir(folder, { recursive: true });
const server = await startServer({ args: ['--demo'], env: { HUTONG_TOWN: 'on', HUTONG_TOWN_SPEED: '60' } });
const browser = await openBrowser();

/** Somebody has written to a resident and asked a model, so that those pages show something. */
async function liveALittle(page) {
  await page.goto(`${server.url}/m/2`);
  await page.locator('textarea').fill('小红，下午一起去公园吗？');
  await page.getByRole('button', { name: SEND }).click();
  await page.getByText('小红，下午一起去公园吗？').first().waitFor();
  await page.goto(`${server.url}/c`);
  await page.locator('textarea').last().fill('What is a hutong? 胡同是什么？');
  await page.getByRole('button', { name: SEND }).click();
  await page.waitForURL(/\/c\/\d+/);
  MEMBERS.push(new URL(page.url()).pathname);
}

async function shoot(page, path, name) {
  await page.goto(server.url + path);
  await page.waitForFunction(() => document.querySelector('main, [role=main]') && !document.querySelector('.animate-spin'));
  await page.waitForTimeout(DRAW_MS);
  const file = `${folder}/${path.split('?')[0].slice(1).replaceAll('/', '-') || 'home'}-${name}.jpeg`;
  await page.screenshot({ path: file, type: 'jpeg', quality: 85 });
  console.log(file);
}

let first = true;
for (const [phone, locale, dark] of [[true, 'zh-CN', false], [true, 'en', true], [false, 'zh-CN', true], [false, 'en', false]]) {
  const page = await visit(browser, server, { phone, locale, dark });
  const name = `${phone ? 'phone' : 'desktop'}-${locale}-${dark ? 'dark' : 'light'}`;
  for (const path of STRANGERS) await shoot(page, path, name);
  await logIn(page, server, 'demo_lan', 'hutong-demo');
  if (first) await liveALittle(page);
  first = false;
  for (const path of MEMBERS) await shoot(page, path, name);
  await page.context().close();
}
await browser.close();
await server.stop();
