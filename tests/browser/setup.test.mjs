// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The first run, in a browser: an empty data folder, the code that the server printed, an account, a
// name, a model or none, the first residents, and then a community that people call by its name.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { asAdmin } from '../support/admin.mjs';
import { logIn, visit } from '../support/app.mjs';
import { seriousIn } from '../support/axe.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { towns, townEnv } from '../support/town.mjs';

const WAIT = { timeout: 240_000 };
const CODE = /^ {4}([0-9a-f]{32})$/m;
const PASSWORD = 'correct horse';
const { kept } = towns();

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const community = async (server) => assertOk(await server.api('GET', '/community'));
const codeOf = (server) => CODE.exec(server.output())[1];

async function register(page, { code, username = 'keeper', join = /^(Join|加入)$/ }) {
  for (const [name, value] of Object.entries({ username, nickname: 'Zhou', password: PASSWORD, again: PASSWORD, ...(code ? { code } : {}) })) {
    await page.locator(`input[name=${name}]`).fill(value);
  }
  await page.getByRole('button', { name: join }).click();
}

/** What listens on this machine is nobody's business here: the server's answer, with that put in. */
async function listening(page, sites, more = {}) {
  await page.route('**/admin/models/look', async (route) => {
    const answer = await route.fetch();
    const json = await answer.json();
    json.items = json.items.map((one) => ({ ...one, listens: sites.includes(one.site) }));
    await route.fulfill({ response: answer, json: { ...json, ...more } });
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

test('from an empty folder to a town with a name', WAIT, async (t) => {
  const dataDir = await newFolder(t);
  const server = kept(await startServer({ dataDir, env: townEnv({ HUTONG_TOWN_SPEED: '60' }) }));
  const page = await visit(browser, server);
  await page.getByRole('heading', { name: 'This community is new, and nobody is here yet' }).waitFor();
  await page.getByText('The server printed it when it started').waitFor();
  await isSound(page);
  await page.getByRole('link', { name: 'I have the code' }).click();

  // Nobody joins here by mistake without the code, and a wrong one is said at its field.
  const code = page.locator('input[name=code]');
  await code.waitFor();
  assert.equal(await code.evaluate((field) => field.required), true);
  await register(page, { code: 'f'.repeat(32) });
  await page.getByText('the admin code is wrong or was used already').waitFor();
  assert.equal(await code.getAttribute('aria-invalid'), 'true');
  await isSound(page);
  assert.equal((await community(server)).members, 0);
  await code.fill(` ${codeOf(server)} `);
  await page.getByRole('button', { name: 'Join' }).click();

  await page.waitForURL(`${server.url}/setup`);
  await page.getByRole('heading', { name: 'What is it called?' }).waitFor();
  await page.locator('input[name=name]').fill('a'.repeat(50));
  await page.locator('input[name=name]').fill('Locust Tree Lane');
  await page.locator('input[name=about]').fill('Neighbours under a locust tree.');
  await page.getByRole('radio', { name: 'English' }).check();
  await page.getByRole('button', { name: 'Save and go on' }).click();

  await page.getByRole('heading', { name: 'Is there a language model?' }).waitFor();
  await page.getByRole('banner').getByText('Locust Tree Lane').waitFor();
  assert.deepEqual(await community(server), {
    name: 'Locust Tree Lane', about: 'Neighbours under a locust tree.', language: 'en', registration_open: true, needs_setup: true, members: 1, residents: 0,
  });
  await listening(page, []);
  await page.getByText('No model is set up now.').waitFor();
  await page.getByRole('button', { name: 'Look for model servers' }).click();
  await page.getByText('Ollama was not found at http://127.0.0.1:11434.').waitFor();
  await page.getByText('ollama pull').waitFor();
  await page.getByText('OPENAI_API_KEY=').waitFor();
  await isSound(page);

  // A reload loses neither the step nor what was saved.
  await page.reload();
  await page.getByRole('heading', { name: 'Is there a language model?' }).waitFor();
  await page.getByRole('link', { name: /^1? ?Name/ }).click();
  await page.waitForFunction(() => document.querySelector('input[name=name]')?.value === 'Locust Tree Lane');
  await page.goBack();
  await page.getByRole('button', { name: 'Go on' }).click();

  await page.getByRole('heading', { name: 'Who lives here first?' }).waitFor();
  await page.getByRole('checkbox').first().waitFor();
  assert.equal(await page.getByRole('checkbox').count(), 8);
  assert.equal(await page.getByRole('checkbox', { checked: true }).count(), 3);
  await page.locator('input[value=ai_amei]').check();
  await page.getByRole('button', { name: '4 move in' }).click();
  await page.getByRole('heading', { name: 'That is all' }).waitFor();
  await page.getByText('4 residents live here.').waitFor();
  assert.equal((await community(server)).needs_setup, true, 'not before it is said');

  // The town is founded while one looks on.
  await page.getByRole('button', { name: 'To the town' }).click();
  await page.waitForURL(`${server.url}/t`);
  await page.getByText('Mei').first().waitFor();
  const now = await community(server);
  assert.deepEqual([now.needs_setup, now.residents], [false, 4]);
  await page.goto(`${server.url}/setup`);
  await page.getByText('This community is set up already.').waitFor();
  await page.goto(`${server.url}/`);
  await page.getByLabel('Write a post').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Set up' }).count(), 0);
  assert.equal(await page.title(), 'Home · Locust Tree Lane');
  await done(page, [/403/]);

  // Whoever comes now reads where they are.
  const stranger = await visit(browser, server, { locale: 'zh-CN', phone: true });
  await stranger.getByRole('heading', { name: '欢迎来到 Locust Tree Lane' }).waitFor();
  await stranger.getByText('Neighbours under a locust tree.').waitFor();
  for (const path of ['/login', '/register']) {
    await stranger.goto(server.url + path);
    await stranger.getByText('Locust Tree Lane').first().waitFor();
    await stranger.getByText('Neighbours under a locust tree.').waitFor();
    await noWider(stranger);
  }
  assert.equal(await stranger.locator('input[name=code]').count(), 0);
  await done(stranger);
  await server.stop();
});

test('on a phone, in Chinese: every step may be left out, and the hint stays until one says that it is done', WAIT, async () => {
  const server = kept(await startServer());
  const page = await visit(browser, server, { locale: 'zh-CN', phone: true, dark: true });
  await page.getByRole('heading', { name: '这个社区刚刚建好，还没有人' }).waitFor();
  await isSound(page);
  await page.getByRole('link', { name: '我有代码' }).click();
  await register(page, { code: codeOf(server) });
  await page.waitForURL(`${server.url}/setup`);
  assert.equal(await page.getByRole('radio', { name: '简体中文' }).isChecked(), true, 'the language of whoever sets it up');
  for (const [heading, button] of [['社区叫什么名字？', '跳过'], ['有语言模型吗？', '继续'], ['谁先住进来？', '跳过']]) {
    await page.getByRole('heading', { name: heading }).waitFor();
    await isSound(page);
    for (const box of await page.locator('main button, main label:has(input), main nav a').evaluateAll((all) => all.map((one) => one.getBoundingClientRect().height))) {
      assert.ok(box >= 44, `a touch target of ${box} pixels`);
    }
    await page.getByRole('button', { name: button }).click();
  }
  await page.getByRole('heading', { name: '都好了' }).waitFor();
  await noWider(page);
  await page.getByRole('link', { name: '以后再说' }).click();
  await page.getByRole('link', { name: '去设置' }).waitFor();
  assert.deepEqual(await community(server), {
    name: null, about: null, language: null, registration_open: true, needs_setup: true, members: 1, residents: 0,
  });
  await page.goto(`${server.url}/manage`);
  await page.getByRole('link', { name: '去设置' }).click();
  await page.getByRole('link', { name: /完成/ }).last().click();
  await page.getByRole('button', { name: '去首页' }).click();
  await page.getByLabel('写动态').waitFor();
  assert.equal(await page.getByRole('link', { name: '去设置' }).count(), 0);
  assert.equal((await community(server)).needs_setup, false);
  await done(page);
  await server.stop();
});

test('two tabs take nothing from each other, and only an administrator is asked', WAIT, async () => {
  const server = kept(await startServer());
  const root = await asAdmin(server);
  const page = await visit(browser, server);
  await logIn(page, server, root.username, PASSWORD);
  await page.getByRole('link', { name: 'Set up' }).click();
  await page.getByRole('heading', { name: 'What is it called?' }).waitFor();
  const other = await page.context().newPage();
  await other.goto(`${server.url}/setup`);
  await other.locator('input[name=name]').fill('The Other Lane');
  await other.getByRole('button', { name: 'Save and go on' }).click();
  await other.getByRole('heading', { name: 'Is there a language model?' }).waitFor();
  // This tab has not heard of the name, and sends only what was written here.
  await page.locator('input[name=about]').fill('A lane with two ends.');
  await page.getByRole('button', { name: 'Save and go on' }).click();
  await page.getByRole('banner').getByText('The Other Lane').waitFor();
  for (const tab of [page, other]) {
    await tab.goto(`${server.url}/setup?step=residents`);
    await tab.getByRole('button', { name: '3 move in' }).waitFor();
  }
  await other.getByRole('button', { name: '3 move in' }).click();
  await other.getByRole('button', { name: 'To the feed' }).click();
  await other.getByLabel('Write a post').waitFor();
  assert.equal((await community(server)).needs_setup, false);
  await page.getByRole('button', { name: '3 move in' }).click();
  await page.getByRole('alert').getByText('residents live here already').waitFor();
  await page.getByText('3 residents live here already.').waitFor();
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('The community is called The Other Lane.').waitFor();
  await page.getByRole('button', { name: 'To the feed' }).click();
  await page.getByLabel('Write a post').waitFor();
  const { name, about, residents } = await community(server);
  assert.deepEqual([name, about, residents], ['The Other Lane', 'A lane with two ends.', 3]);
  await done(page, [/409/]);

  await root.must('PATCH', '/community', { needs_setup: true });
  await server.register('mei');
  const mei = await visit(browser, server);
  await logIn(mei, server, 'mei', PASSWORD);
  await mei.getByLabel('Write a post').waitFor();
  assert.equal(await mei.getByRole('link', { name: 'Set up' }).count(), 0);
  await mei.goto(`${server.url}/setup`);
  await mei.getByText('This page is for administrators.').waitFor();
  await done(mei);
  await server.stop();
});

test('a code that somebody else has used meanwhile is refused, and the form asks for it no more', WAIT, async () => {
  const server = kept(await startServer());
  const page = await visit(browser, server);
  await page.goto(`${server.url}/register`);
  await page.locator('input[name=code]').waitFor();
  const first = { username: 'quicker', password: PASSWORD, nickname: 'Quicker', admin_code: codeOf(server) };
  assertOk(await server.api('POST', '/auth/register', { json: first }), 201);
  await register(page, { code: codeOf(server) });
  await page.getByRole('alert').getByText('was used already').waitFor();
  await page.locator('input[name=code]').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Join' }).click();
  await page.getByLabel('Write a post').waitFor();
  await done(page, [/403/]);
  await server.stop();
});

test('where nobody may join that is said before a form is filled in', WAIT, async () => {
  const server = kept(await startServer({ env: { HUTONG_REGISTRATION: 'off' } }));
  const page = await visit(browser, server);
  await page.getByRole('link', { name: 'I have the code' }).waitFor(); // the first one may
  await asAdmin({ ...server, register: async (username) => {
    const made = assertOk(await server.api('POST', '/auth/register', { json: { username, password: PASSWORD, nickname: username, admin_code: codeOf(server) } }), 201);
    return { ...made, password: PASSWORD };
  } });
  await page.reload();
  await page.getByRole('link', { name: 'Log in' }).first().waitFor();
  assert.equal(await page.getByRole('link', { name: 'Join' }).count(), 0);
  await page.goto(`${server.url}/register`);
  await page.getByText('This community takes no new members at the moment.').waitFor();
  assert.equal(await page.locator('form').count(), 0);
  await done(page);
  await server.stop();
});

describe('models', WAIT, () => {
  test('one that is set up is asked, and its models are shown', async () => {
    const provider = kept(await startProvider());
    provider.script([{ kind: 'models', models: ['small-model', 'large-model'] }, { deltas: ['yes'], usage: { input: 9, output: 1 } }]);
    const server = kept(await startServer({ env: { HUTONG_OLLAMA_BASE: provider.base('ollama'), HUTONG_LLM_MODEL: 'ollama/small-model' } }));
    const root = await asAdmin(server);
    const page = await visit(browser, server);
    await logIn(page, server, root.username, PASSWORD);
    await listening(page, []);
    await page.goto(`${server.url}/setup?step=models`);
    const site = page.locator('[data-site=ollama]');
    await site.waitFor();
    await page.getByRole('button', { name: 'Look for model servers' }).click();
    await site.getByText('It answers').waitFor();
    await site.getByText('2 models: small-model, large-model').waitFor();
    await page.locator('[data-place=ollama]').getByText('Ollama is set up.').waitFor();
    assert.equal(await page.getByText('One of these is enough').count(), 0);
    await page.getByRole('link', { name: /Done/ }).last().click();
    await page.getByText('A model is set up.').waitFor();
    await done(page);
    await server.stop();
    await provider.stop();
  });

  test('one that listens and is not set up: what is to be done depends on how this server looks', async () => {
    for (const [env, told, more] of [
      [{}, 'Ollama runs at http://127.0.0.1:11434. Start Hutong again and it is used.', { at_start: true }],
      [{ HUTONG_LLM_PROBE: 'off' }, 'write HUTONG_OLLAMA_BASE=http://127.0.0.1:11434 into .env'],
      [{ HUTONG_LLM_PROBE: 'on', HUTONG_LLM_SITES: 'nobody=http://127.0.0.1:9/v1' }, 'write HUTONG_OLLAMA_BASE=http://127.0.0.1:11434 into .env'],
    ]) {
      const server = kept(await startServer({ env }));
      const root = await asAdmin(server);
      const page = await visit(browser, server);
      await logIn(page, server, root.username, PASSWORD);
      await listening(page, ['ollama'], more);
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
