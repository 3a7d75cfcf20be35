// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the server refuses, as a Chinese and as an English reader see it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 120_000 };
const PASSWORD = 'correct horse';

let server, browser, lan;
before(async () => {
  [server, browser] = await Promise.all([
    // Nobody listens at port 9.
    startServer({ env: { HUTONG_LLM_SITES: 'nobody=http://127.0.0.1:9/v1', HUTONG_LLM_MODEL: 'nobody/model', HUTONG_LLM_FALLBACK: '', HUTONG_CHAT_TITLES: 'off' } }),
    openBrowser(),
  ]);
  lan = await server.register('lan', { nickname: '阿兰', password: PASSWORD });
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, how = {}) {
  const page = await visit(browser, server, { locale: 'zh-CN', phone: true, ...how });
  t.after(() => page.context().close());
  page.sentences = [];
  page.context().on('request', (request) => /zh-CN-server/.test(request.url()) && page.sentences.push(request.url()));
  return page;
}

/** What a careful form would not send: the server's own word is wanted. */
const careless = (page) => page.locator('input, textarea').evaluateAll((all) => all.forEach((one) => {
  for (const rule of ['minlength', 'maxlength', 'required']) one.removeAttribute(rule);
}));
const alert = (page, text) => page.getByRole('alert').getByText(text).first().waitFor();

async function tryToLogIn(page, password) {
  await page.goto(`${server.url}/login`);
  await page.locator('input[name=username]').fill('lan');
  await page.locator('input[name=password]').fill(password);
  await page.locator('button[type=submit]').click();
}

test('a wrong password', WAIT, async (t) => {
  const page = await open(t);
  await tryToLogIn(page, 'wrong horse');
  await alert(page, /^用户名或密码不对$/);
  assert.deepEqual(page.strangers, []);
});

test('a name that is taken, and a password that is too short', WAIT, async (t) => {
  const page = await open(t);
  await page.goto(`${server.url}/register`);
  await careless(page);
  const send = async (username, password) => {
    await page.locator('input[name=username]').fill(username);
    await page.locator('input[name=nickname]').fill('新邻居');
    await page.locator('input[name=password]').fill(password);
    await page.locator('input[name=again]').fill(password);
    await page.getByRole('button', { name: '加入' }).click();
  };
  await send('lan', PASSWORD);
  await page.getByText(/^(用户名“lan”|这个用户名)已被使用$/).waitFor();
  await send('meimei', 'abc');
  await page.getByText('密码有 3 个字符，至少要 6 个').waitFor();
  await send('a b', PASSWORD);
  await page.getByText('用户名不能有空格').waitFor();
});

test('a picture that is none, and a comment that is too long', WAIT, async (t) => {
  const page = await open(t);
  await logIn(page, server, 'lan', PASSWORD);
  await page.locator('input[type=file][accept*=png]').setInputFiles({ name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.getByText('这个文件不是能识别的图片（JPEG、PNG、GIF 或 WebP）').waitFor();

  await page.getByLabel('写动态').fill('今天天气真好');
  await page.getByRole('button', { name: '发布' }).click();
  await page.getByRole('article').getByText('今天天气真好').waitFor();
  const { items: [post] } = assertOk(await server.api('GET', '/posts', { token: lan.token }));
  await page.goto(`${server.url}/p/${post.id}`);
  const comment = page.getByLabel('说点什么');
  await comment.waitFor();
  await careless(page);
  await comment.fill('长'.repeat(1001));
  await page.getByRole('button', { name: '发送' }).click();
  await page.getByText('内容有 1001 个字符，最多 1000 个').waitFor();
});

test('a model that is away, in the language of whoever reads it', WAIT, async (t) => {
  const page = await open(t);
  await logIn(page, server, 'lan', PASSWORD);
  await page.goto(`${server.url}/c`);
  await page.getByRole('textbox', { name: '提个问题' }).fill('有人在吗？');
  await page.getByRole('textbox', { name: '提个问题' }).press('Enter');
  const answer = page.getByRole('article', { name: '回答' });
  await answer.getByText('连不上 nobody，或连接断了；请检查它是否在运行，地址是否正确').waitFor();
  await page.waitForURL(/\/c\/\d+$/);

  const english = await open(t, { locale: 'en' });
  await logIn(english, server, 'lan', PASSWORD);
  await english.goto(page.url());
  await english.getByRole('article', { name: 'Answer' }).getByText('nobody cannot be reached, or the connection broke').waitFor();

  // What was said is kept as it was said: another language needs no other answer.
  await english.evaluate(() => localStorage.setItem('hutong.language', 'zh-CN'));
  await english.reload();
  await english.getByText('连不上 nobody，或连接断了').waitFor();
});

test('who reads English loads no Chinese sentence, and sees none where the server says both', WAIT, async (t) => {
  const page = await open(t, { locale: 'en' });
  await tryToLogIn(page, 'wrong horse');
  await alert(page, /^wrong user name or password$/);
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  assert.deepEqual(page.sentences, []);
});

test('when the sentences do not come, the server is heard as it speaks', WAIT, async (t) => {
  const page = await open(t, { worker: false });
  await page.context().route(/zh-CN-server/, (route) => route.abort());
  await tryToLogIn(page, 'wrong horse');
  await alert(page, /^用户名或密码错误$/);
});
