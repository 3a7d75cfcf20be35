// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Every page of the app for those who see, hear or point otherwise: axe-core finds nothing serious
// in both looks and widths, and nothing sticks out of a small phone.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';

import { seriousIn } from '../support/axe.mjs';
import { assertOk } from '../support/checks.mjs';
import { openBrowser } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';
import { logIn, visit } from '../support/app.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 240_000 };
const DOCS = fileURLToPath(new URL('../../docs', import.meta.url));

let server, browser;
const pages = [];
const manage = ['/manage', '/manage/reports', '/manage/members', '/manage/community', '/manage/audit',
  '/setup', '/setup?step=models', '/setup?step=residents', '/setup?step=done']; // nobody has said that it is set up
before(async () => {
  [server, browser] = await Promise.all([startServer({ env: { HUTONG_WIKI_ROOTS: DOCS } }), openBrowser()]);
  const lan = await server.register('lan', { nickname: '阿兰'.repeat(12), password: 'correct horse' });
  const tom = await server.register('tom', { nickname: 'T'.repeat(50), password: 'correct horse' });
  const post = assertOk(await server.api('POST', '/posts', {
    token: tom.token, json: { content: `https://example.org/${'x'.repeat(90)} ${'长'.repeat(60)} @lan #rain` },
  }), 201);
  assertOk(await server.api('POST', `/messages/send/${lan.id}`, { token: tom.token, json: { content: 'hello '.repeat(40) } }));
  const said = assertOk(await server.api('POST', `/posts/${post.id}/comments`, { token: lan.token, json: { content: 'w'.repeat(200) } }), 201);
  for (const parent_id of [said.id, said.id + 1]) {
    assertOk(await server.api('POST', `/posts/${post.id}/comments`, { token: tom.token, json: { content: '长'.repeat(200), parent_id } }), 201);
  }
  assertOk(await server.api('PUT', `/users/${lan.id}/follow`, { token: tom.token }));
  const boss = await server.register('boss', { nickname: 'B'.repeat(50), password: 'correct horse' });
  assertOk(await server.api('POST', '/reports', {
    token: lan.token, json: { kind: 'post', id: post.id, reason: 'spam', note: `${'n'.repeat(120)} ${'长'.repeat(60)}` },
  }), 201);
  await server.sql(`UPDATE users SET role = 'admin' WHERE id = ${boss.id}; UPDATE users SET banned_us = 1 WHERE id = ${tom.id}`);
  const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { form: { username: 'boss', password: 'correct horse' } }));
  for (const role of ['moderator', 'member']) {
    assertOk(await server.api('PUT', `/admin/users/${tom.id}/role`, { token, json: { role } }), 204);
  }
  await server.sql(`UPDATE users SET banned_us = NULL WHERE id = ${tom.id}`);
  pages.push('/', `/p/${post.id}`, `/u/${tom.id}`, `/u/${lan.id}`, '/search?q=rain', '/search?q=hello&in=messages', '/no/such/page', '/settings', '/p/99999',
    '/m', `/m/${tom.id}`, '/c', '/n', '/t?demo=5', '/society');
  const wiki = assertOk(await server.api('POST', '/wikis', { token: lan.token, json: { url: DOCS } }), 201);
  await until(() => server.api('GET', `/wikis/${wiki.id}`, { token: lan.token }), ({ body }) => body.state === 'ready' && !body.progress, { what: 'the wiki' });
  const book = assertOk(await server.api('POST', `/wikis/${wiki.id}/books`, { token: lan.token, json: { model: 'offline/' } }), 201);
  await until(() => server.api('GET', `/wikis/${wiki.id}/books/${book.id}`, { token: lan.token }), ({ body }) => body.state === 'done', { what: 'the outline' });
  const talk = assertOk(await server.api('POST', '/chat/conversations', { token: lan.token, json: { wiki: wiki.id } }), 201);
  const asked = await server.api('POST', `/chat/conversations/${talk.id}/messages`, { token: lan.token, json: { text: 'How is a wiki asked? '.repeat(6) } });
  assert.match(asked.text, /"end":"complete"/);
  pages.push(`/c/${talk.id}`, '/w', `/w/${wiki.id}`, `/w/${wiki.id}?q=wiki`, `/w/${wiki.id}/source`, `/w/${wiki.id}/source?path=wiki.md#L3-L7`, `/w/${wiki.id}/about`, '/w/99999');
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function settled(page) {
  await page.waitForFunction(() => document.querySelector('main h1, main h2, main p') && !document.querySelector('.animate-spin'));
}

for (const dark of [false, true]) {
  for (const phone of [false, true]) {
    describe(`${dark ? 'dark' : 'light'}, on a ${phone ? 'phone' : 'desktop'}`, WAIT, () => {
      test('strangers’ pages', async () => {
        const page = await visit(browser, server, { dark, phone });
        for (const path of ['/', '/w', '/login', '/register']) {
          await page.goto(server.url + path);
          await settled(page);
          assert.deepEqual(await seriousIn(page), [], path);
        }
        await page.context().close();
      });
      test('members’ pages', async () => {
        const page = await visit(browser, server, { dark, phone, locale: dark ? 'zh-CN' : 'en' });
        await logIn(page, server, 'lan', 'correct horse');
        // So high that nothing lies under the tabs, which axe would take for hidden.
        if (phone) await page.setViewportSize({ width: 360, height: 2400 });
        for (const path of pages) {
          await page.goto(server.url + path);
          await settled(page);
          assert.deepEqual(await seriousIn(page), [], path);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${path} sticks out by ${wide} pixels`);
        }
        await page.context().close();
      });
      // Both looks and both widths, but not all four of them: a minute less.
      if (dark !== phone) return;
      test('the pages of who runs the community, and the window for reports', async () => {
        const page = await visit(browser, server, { dark, phone, locale: dark ? 'en' : 'zh-CN' });
        await logIn(page, server, 'boss', 'correct horse');
        if (phone) await page.setViewportSize({ width: 360, height: 2400 });
        for (const path of manage) {
          await page.goto(server.url + path);
          await page.locator('main nav + *').first().waitFor();
          await settled(page);
          assert.deepEqual(await seriousIn(page), [], path);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${path} sticks out by ${wide} pixels`);
        }
        await page.goto(server.url + pages[1]);
        await page.locator('article header button').click();
        await page.getByRole('menuitem').first().click();
        await page.getByRole('dialog').getByRole('radio').first().waitFor();
        assert.deepEqual(await seriousIn(page), [], 'the window');
        await page.context().close();
      });
      test('members’ windows', async () => {
        const page = await visit(browser, server, { dark, phone, locale: dark ? 'zh-CN' : 'en' });
        await logIn(page, server, 'lan', 'correct horse');
        if (phone) await page.setViewportSize({ width: 360, height: 800 });
        const windows = [
          ['/', () => page.keyboard.press('Control+k')],
          ['/', () => page.keyboard.press('?')],
          [pages.find((path) => path.startsWith('/u/')), () => page.locator('button[aria-haspopup=dialog]').first().click()],
          ...(phone ? [0, 1].map((n) => [pages.find((path) => path.startsWith('/w/')), () => page.locator('main header button').nth(n).click()]) : []),
        ];
        for (const [path, open] of windows) {
          await page.goto(server.url + path);
          await settled(page);
          await open();
          const dialog = page.getByRole('dialog');
          await dialog.waitFor();
          await page.waitForFunction(() => !document.querySelector('.animate-spin'));
          assert.deepEqual(await seriousIn(page), [], `${path} ${open}`);
          const { x, width } = await dialog.boundingBox();
          assert.ok(x >= 0 && x + width <= page.viewportSize().width, `${open} sticks out`);
        }
        await page.goto(`${server.url}/settings#leaving`);
        await page.locator('section[aria-labelledby=leaving] button').click();
        await page.locator('section[aria-labelledby=leaving] form').waitFor();
        assert.deepEqual(await seriousIn(page), [], 'deleting the account');
        await page.context().close();
      });
    });
  }
}
