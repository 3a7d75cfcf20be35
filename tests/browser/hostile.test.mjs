// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What members write may be meant to do harm: names, lines about oneself, posts, comments, messages
// and groups, on every page that shows them. Nothing of it runs, and nothing comes from elsewhere.
// (Answers of models: chat.test.mjs.)
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { assertOk } from '../support/checks.mjs';
import { openBrowser } from '../support/browser.mjs';
import { startServer } from '../support/server.mjs';
import { logIn, visit } from '../support/app.mjs';

const WAIT = { timeout: 240_000 };
// Each would set window.harmed, or ask another host, in a page that took it for more than text.
const HARM = 'window.harmed=1';
const CORPUS = [
  `<script>${HARM}</script>`,
  `<img src=x onerror=${HARM}>`,
  `<img src="https://evil.example/pixel.png">`,
  `<svg/onload=${HARM}>`,
  `<iframe srcdoc="<script>parent.${HARM}</script>"></iframe>`,
  `<a href="javascript:${HARM}">click</a> javascript:${HARM}`,
  `"><input autofocus onfocus=${HARM}>`,
  `' onmouseover='${HARM}`,
  `{{constructor.constructor('${HARM}')()}}`,
  `\${${HARM}}`,
  `<style>@import "https://evil.example/x.css";body{background:url(https://evil.example/y)}</style>`,
  `<link rel=stylesheet href=https://evil.example/z.css>`,
  `<base href="https://evil.example/">`,
  `<form action="https://evil.example"><button>x</button></form>`,
  `<math><mtext></mtext><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${HARM}&gt;">`,
  `![x](https://evil.example/md.png) [y](javascript:${HARM}) <https://evil.example/auto>`,
  `@<b>name</b> #<i>tag</i> https://evil.example/"onclick="${HARM}`,
  '\uD83D\uDE00 Z\u0351\u036B\u0343a\u0363l\u0341go \u05E9\u05DC\u05D5\u05DD',
  '</textarea></title></script>--><!--]]>',
];

let server, browser, evil, victim, judge, post, group;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  victim = await server.register('victim', { nickname: 'Victim' });
  evil = await server.register('evil', { nickname: `<img src=x onerror=${HARM}>` });
  const as = async (method, path, json, status) => assertOk(await server.api(method, path, { token: evil.token, json }), status);
  await as('PUT', '/users/me', { bio: CORPUS.join('\n').slice(0, 1900) }, 200);
  group = await as('POST', '/groups', { name: `<svg/onload=${HARM}>`, members: [victim.id] }, 201);
  for (const content of CORPUS) {
    post = await as('POST', '/posts', { content }, 201);
    await as('POST', `/messages/send/${victim.id}`, { content }, 200);
    await as('POST', `/groups/${group.id}/messages`, { content }, 201);
  }
  let answered = null;
  for (const content of CORPUS) answered = (await as('POST', `/posts/${post.id}/comments`, { content, parent_id: answered }, 201)).id;
  // What the victim is told shows all of it too.
  const own = assertOk(await server.api('POST', '/posts', { token: victim.token, json: { content: CORPUS[0] } }), 201);
  for (const content of CORPUS) await as('POST', `/posts/${own.id}/comments`, { content }, 201);
  await as('PUT', `/posts/${own.id}/like`, undefined, 200);
  await as('PUT', `/users/${victim.id}/follow`, undefined, 200);
  // A moderator reads what was reported, what the report says, and what was taken away.
  judge = await server.register('judge', { nickname: 'Judge' });
  await server.sql(`UPDATE users SET role = 'admin' WHERE id = ${judge.id}`);
  const gone = await as('POST', '/posts', { content: CORPUS.join(' ') }, 201);
  const { access_token: token } = assertOk(await server.api('POST', '/auth/login', { form: { username: 'judge', password: 'correct horse' } }));
  assertOk(await server.api('DELETE', `/posts/${gone.id}`, { token }), 204);
  await server.sql(`UPDATE users SET nickname = '${CORPUS[0]}' WHERE id = ${victim.id}`);
  for (const [i, note] of CORPUS.entries()) {
    const one = await as('POST', '/posts', { content: CORPUS[i] }, 201);
    assertOk(await server.api('POST', '/reports', { token: victim.token, json: { kind: 'post', id: one.id, reason: 'other', note } }), 201);
  }
  assertOk(await server.api('POST', '/reports', { token: victim.token, json: { kind: 'user', id: evil.id, reason: 'other' } }), 201);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** As this member, on these pages, each of which shows that. */
async function assertText(name, paths, shown = 'main') {
  const page = await visit(browser, server);
  page.on('dialog', (dialog) => assert.fail(`a dialog came up: ${dialog.message()}`));
  await logIn(page, server, name, 'correct horse');
  for (const path of paths) {
    await page.goto(server.url + path);
    await page.locator(shown).first().waitFor();
    await page.waitForFunction(() => !document.querySelector('.animate-spin'));
    // Whatever waits for the pointer or the focus gets both.
    await page.evaluate(() => {
      for (const element of document.querySelectorAll('main *')) {
        element.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
      }
    });
    assert.equal(await page.evaluate(() => window.harmed), undefined, path);
    const made = await page.evaluate(() => document.querySelectorAll(
      'main script, main iframe, main base, main link, main style, main [onerror], main [onload], main [onclick], main a[href^="javascript"], main img[src*="evil"]',
    ).length);
    assert.equal(made, 0, path);
  }
  assert.deepEqual(page.strangers, []);
  assert.deepEqual(page.complaints.filter((said) => !/404/.test(said)), []);
  await page.context().close();
}

test('nothing that members wrote is more than text, on any page', WAIT, async () => {
  const q = encodeURIComponent('click');
  await assertText('victim', ['/', `/p/${post.id}`, `/u/${evil.id}`, `/search?q=${q}`, `/search?q=${encodeURIComponent(CORPUS[1])}`,
    `/search?in=messages&q=${q}`, '/n', '/m', `/m/${evil.id}`, `/g/${group.id}`, '/t', `/u/@${encodeURIComponent(CORPUS[1])}`, `/login?next=${encodeURIComponent('//evil.example')}`]);
});

test('nor is what a moderator looks at', WAIT, async () => {
  await assertText('judge', ['/manage/reports', '/manage/members', '/manage/audit'], '[data-report], [data-member], [data-action]');
});

test('a link leads out only in a tab of its own that knows nothing of us', WAIT, async () => {
  const page = await visit(browser, server);
  await logIn(page, server, 'victim', 'correct horse');
  await page.goto(`${server.url}/u/${evil.id}`);
  await page.locator('main a[href^="https://evil.example"]').first().waitFor();
  const links = await page.locator('main a[href^="http"]').evaluateAll((all) => all.map(({ rel, target }) => [rel, target]));
  for (const [rel, target] of links) {
    assert.match(rel, /noopener/);
    assert.match(rel, /noreferrer/);
    assert.equal(target, '_blank');
  }
  await page.context().close();
});

test('after a log-in one stays here, whatever the address asks for', WAIT, async () => {
  for (const next of ['//evil.example', 'https://evil.example', '/\\evil.example', 'javascript:alert(1)']) {
    const page = await visit(browser, server);
    await page.goto(`${server.url}/login?next=${encodeURIComponent(next)}`);
    await page.locator('input[name=username]').fill('victim');
    await page.locator('input[name=password]').fill('correct horse');
    await page.locator('button[type=submit]').click();
    await page.getByLabel('Write a post').or(page.getByText('There is no such page')).first().waitFor();
    assert.equal(new URL(page.url()).origin, server.url, next);
    assert.deepEqual(page.strangers, [], next);
    await page.context().close();
  }
});
