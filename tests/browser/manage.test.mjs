// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Looking after the community in the app: a member reports, a moderator answers, an administrator bans.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 120_000 };
const PASSWORD = 'correct horse';

let server, browser, root, mod, ada, eve;
before(async () => {
  [server, browser] = await Promise.all([startServer(), openBrowser()]);
  [root, mod, ada, eve] = await Promise.all([['root', 'Root'], ['mod', 'Mod'], ['ada', 'Ada'], ['eve', 'Eve']].map(
    ([name, nickname]) => server.register(name, { nickname, password: PASSWORD })));
  await server.sql(`UPDATE users SET role = 'moderator' WHERE id = ${mod.id};
    UPDATE users SET role = 'admin' WHERE id = ${root.id}`);
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

async function open(t, name, path, how = {}) {
  const page = await visit(browser, server, how);
  t.after(() => page.context().close());
  await logIn(page, server, name, PASSWORD);
  await page.goto(server.url + path);
  return page;
}
const toast = (page, text) => page.getByText(text, { exact: true }).first().waitFor();
const post = async (content) => assertOk(await server.api('POST', '/posts', { token: eve.token, json: { content } }), 201);
const yes = (page) => page.on('dialog', (dialog) => void dialog.accept());

async function fillReport(page, reason, note) {
  const window = page.getByRole('dialog', { name: 'Report to the moderators' });
  await window.waitFor();
  assert.equal(await window.getByRole('button', { name: 'Send the report' }).isDisabled(), true, 'without a reason');
  await window.getByLabel(reason).check();
  if (note) await window.getByLabel(/Anything they should know/).fill(note);
  await window.getByRole('button', { name: 'Send the report' }).click();
  await toast(page, 'Thank you. The moderators will look at it.');
  await window.waitFor({ state: 'detached' });
}

test('a member reports a post, a comment, a message and a member, and nobody their own', WAIT, async (t) => {
  const bad = await post('a bad post');
  assertOk(await server.api('POST', `/posts/${bad.id}/comments`, { token: eve.token, json: { content: 'a bad comment' } }), 201);
  assertOk(await server.api('POST', `/messages/send/${ada.id}`, { token: eve.token, json: { content: 'a bad message' } }));
  const page = await open(t, 'ada', `/p/${bad.id}`);
  // By keyboard alone.
  await page.getByRole('button', { name: 'More about this post' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Report' }).waitFor();
  assert.equal(await page.getByRole('menuitem', { name: 'Delete' }).count(), 0);
  await page.keyboard.press('Enter');
  await fillReport(page, 'Spam or advertising', 'The third time today.');
  await page.locator('li', { hasText: 'a bad comment' }).getByRole('button', { name: 'Report' }).click();
  await fillReport(page, 'Insults, threats or harassment');
  await page.goto(`${server.url}/u/${eve.id}`);
  await page.getByRole('button', { name: 'Report' }).click();
  await fillReport(page, 'Something else');
  await page.goto(`${server.url}/m/${eve.id}`);
  const bubble = page.locator('[data-row]', { hasText: 'a bad message' });
  await bubble.hover();
  await bubble.getByRole('button', { name: 'Actions' }).or(bubble.locator('button[aria-expanded]')).first().click();
  await bubble.getByRole('button', { name: 'Report' }).click();
  await page.getByText('Moderators will see this one message.').waitFor();
  await fillReport(page, 'Against the law');
  const kept = await server.sql('SELECT kind, reason, note FROM reports ORDER BY id');
  assert.deepEqual(kept.map(({ kind, reason, note }) => [kind, reason, note]), [['post', 'spam', 'The third time today.'],
    ['comment', 'abuse', null], ['user', 'other', null], ['message', 'illegal', null]]);
  assert.deepEqual(page.complaints, []);

  const own = await open(t, 'eve', `/p/${bad.id}`);
  await own.getByRole('button', { name: 'More about this post' }).click();
  await own.getByRole('menuitem', { name: 'Delete' }).waitFor();
  assert.equal(await own.getByRole('menuitem', { name: 'Report' }).count(), 0);
  await server.sql('DELETE FROM reports');
});

test('a moderator answers a report: the post is gone, and the list says who did it', WAIT, async (t) => {
  const bad = await post('sell sell sell');
  assertOk(await server.api('POST', '/reports', { token: ada.token, json: { kind: 'post', id: bad.id, reason: 'spam', note: 'again!' } }), 201);
  const page = await open(t, 'mod', '/manage', { phone: true });
  yes(page);
  await page.getByText('Everything is working.').waitFor();
  await page.getByRole('link', { name: 'Open reports' }).click();
  const card = page.locator('[data-report]', { hasText: 'sell sell sell' });
  await card.getByText('again!').waitFor();
  await page.getByText('Open (1)').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Audit log' }).count(), 0, 'for administrators');
  await card.getByRole('button', { name: 'Remove it' }).click();
  await page.getByText('Nothing waits for you.').waitFor();
  await page.getByLabel('Resolved').check();
  await card.getByText('Removed').waitFor();
  await card.getByRole('link', { name: 'Mod' }).waitFor();
  assert.equal((await server.api('GET', `/posts/${bad.id}`)).status, 404);
  assert.deepEqual(page.complaints, []);
});

test('an administrator finds a member, makes a moderator of one, bans another, and finds it all in the log', WAIT, async (t) => {
  await server.register('villain', { nickname: 'Villain', password: PASSWORD });
  const page = await open(t, 'root', '/manage/members');
  yes(page);
  const row = (name) => page.locator(`[data-member="${name}"]`);
  await row('ada').waitFor();
  assert.equal(await row('root').getByRole('button').count(), 0, 'nobody bans oneself');
  await page.getByLabel('Part of a user name or nickname').fill('vill');
  await row('ada').waitFor({ state: 'detached' });
  await row('villain').getByRole('button', { name: 'Ban Villain' }).click();
  await row('villain').getByRole('button', { name: 'Let in again' }).waitFor();
  await page.getByLabel('Part of a user name or nickname').fill('');
  await page.getByLabel('Banned or not').selectOption('Banned');
  await row('ada').waitFor({ state: 'detached' });
  await row('villain').waitFor();
  await page.getByLabel('Banned or not').selectOption('Everybody');
  await row('ada').getByLabel('Role of Ada').selectOption('moderator');
  await page.waitForFunction(() => document.querySelector('[data-member="ada"] select')?.value === 'moderator');
  // What the server refuses is said, and the choice goes back.
  await row('root').getByLabel('Role of Root').selectOption('member');
  await page.getByText(/last administrator/).first().waitFor();
  await page.waitForFunction(() => document.querySelector('[data-member="root"] select')?.value === 'admin');

  await page.getByRole('link', { name: 'Audit log' }).click();
  const log = page.locator('[data-action]');
  await log.first().waitFor();
  assert.deepEqual(await log.evaluateAll((all) => all.slice(0, 2).map((one) => one.dataset.action)), ['role.changed', 'banned']);
  await log.first().getByText('member → moderator').waitFor();
  await page.getByLabel('What to show').selectOption('Log-ins and accounts');
  await page.locator('[data-action="login"]').first().waitFor();
  const complaints = page.complaints.filter((said) => !/409/.test(said));
  assert.deepEqual(complaints, []);
});

test('a member has no such page, and one on a disk that is full is warned', WAIT, async (t) => {
  const member = await open(t, 'eve', '/manage');
  await member.getByText('This page is for administrators and moderators.').waitFor();
  const page = await visit(browser, server, { worker: false });
  t.after(() => page.context().close());
  await logIn(page, server, 'root', PASSWORD);
  await page.route('**/admin/overview', async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    body.ok = false;
    body.checks.disk = { ok: false, detail: '3 MiB are free for the data folder' };
    body.sites[0].circuit = 'open';
    await route.fulfill({ response: answer, json: body });
  });
  await page.goto(`${server.url}/manage/overview`);
  await page.getByText('Something needs attention.').waitFor();
  await page.locator('[data-check=disk]').getByText('3 MiB are free for the data folder').waitFor();
  await page.getByText(/fails so often that it is not asked/).waitFor();
});

test('on a phone the chosen matter is in sight, however far along the list it stands', WAIT, async (t) => {
  const page = await open(t, 'root', '/manage/audit', { phone: true });
  const chosen = page.locator('nav a[aria-current=page]', { hasText: 'Audit log' });
  await chosen.waitFor();
  const inSight = () => chosen.evaluate((one) => {
    const { left, right } = one.getBoundingClientRect();
    return left >= 0 && right <= innerWidth;
  });
  assert.ok(await inSight(), 'after coming by its address');
  await page.locator('nav a', { hasText: 'Overview' }).click();
  await page.locator('nav a[aria-current=page]', { hasText: 'Overview' }).waitFor();
  await page.goBack();
  await chosen.waitFor();
  assert.ok(await inSight(), 'after coming back');
});
