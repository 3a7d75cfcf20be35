// SPDX-License-Identifier: AGPL-3.0-or-later
//
// node web/tools/screenshots.mjs FOLDER: every page of the app, in both languages and looks, on a phone
// and a desktop, from a demo community that is begun for it. To be looked at, and for the README.
// HUTONG_BIN names another server than build/release/hutong; PAGES="/ /t /manage/audit" takes some of the pages.
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
const PAGES = (process.env.PAGES ?? '/ /p/3 /u/2 /u/4 /n /search?q=小 /search?in=messages&q=公园 /m /m/2 /c /t /society /settings '
  + '/w /w/1 /w/1?page=connections /w/1/source?path=src/api/routes.c#L40-L60 /w/1/about '
  + '/manage/overview /manage/reports /manage/members /manage/community /manage/residents /manage/town /manage/models /manage/backups /manage/options /manage/audit').split(' ');
const MEMBERS = PAGES.filter((path) => !path.startsWith('/manage'));
const KEEPERS = PAGES.filter((path) => path.startsWith('/manage'));
/** For what is drawn, not for what is loaded: the map moves, pictures decode. */
const DRAW_MS = 1500;
const SEND = /^(发送|提问|Send|Ask)$/;

await mkdir(folder, { recursive: true });
const server = await startServer({ args: ['--demo'], env: { HUTONG_TOWN: 'on', HUTONG_TOWN_SPEED: '600', HUTONG_WIKI_ROOTS: fileURLToPath(new URL('../..', import.meta.url)) } });
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

/** Others have liked, answered, followed and reported; a second administrator is there. */
async function makeNews() {
  const keeper = await server.register('keeper', { nickname: '老周' });
  await server.sql(`UPDATE users SET role = 'admin' WHERE id = ${keeper.id}`);
  const as = (token, method, path, json) => server.api(method, path, { token, json });
  const { body: lan } = await server.api('POST', '/auth/login', { json: { username: 'demo_lan', password: 'hutong-demo' } });
  const { body: post } = await as(lan.access_token, 'POST', '/posts', { content: '胡同口的槐树开花了。 #春天' });
  await as(keeper.token, 'PUT', `/posts/${post.id}/like`);
  await as(keeper.token, 'POST', `/posts/${post.id}/comments`, { content: '我也闻到了！ @demo_lan' });
  await as(keeper.token, 'PUT', `/users/${post.author_id}/follow`);
  await as(lan.access_token, 'POST', '/reports', { kind: 'post', id: 3, reason: 'other', note: '图片好像不对。' });
  await as(keeper.token, 'POST', '/admin/backups');
  await as(lan.access_token, 'POST', '/wikis/1/books', { model: 'offline/' });
  const { body: talk } = await as(lan.access_token, 'POST', '/chat/conversations', { wiki: 1 });
  await as(lan.access_token, 'POST', `/chat/conversations/${talk.id}/messages`, { text: '路由是怎么查找的？ How is a route found?' });
  MEMBERS.push(`/c/${talk.id}`);
}

async function shoot(page, path, name) {
  await page.goto(server.url + path);
  await page.waitForFunction(() => document.querySelector('main, [role=main]') && !document.querySelector('.animate-spin'));
  await page.waitForTimeout(DRAW_MS);
  const file = `${folder}/${path.replace(/[?#].*$/, (rest) => (path.startsWith('/w') ? rest : '')).slice(1).replace(/[^\w-]+/g, '-') || 'home'}-${name}.jpeg`;
  await page.screenshot({ path: file, type: 'jpeg', quality: 85 });
  console.log(file);
}

await makeNews();
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
  if (KEEPERS.length === 0) continue;
  const keeper = await visit(browser, server, { phone, locale, dark });
  await logIn(keeper, server, 'keeper', 'correct horse');
  for (const path of KEEPERS) await shoot(keeper, path, name);
  await keeper.context().close();
}
await browser.close();
await server.stop();
