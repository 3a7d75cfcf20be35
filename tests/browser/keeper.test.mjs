// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Who runs the community, in a browser: residents that move in, a town on its clock, models that are
// checked, backups that are taken along, options that are read. For every eye and hand, and with
// names that mean harm.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';

import { asAdmin, withRole } from '../support/admin.mjs';
import { logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { newFolder } from '../support/command.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { towns, townEnv, withModel } from '../support/town.mjs';

const WAIT = { timeout: 240_000 };
const HARM = 'window.harmed=1';
const EVIL = `<img src=x onerror=${HARM}>`;
const SECTIONS = ['community', 'residents', 'town', 'models', 'backups', 'options'];
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { kept } = towns();

let server, browser, provider, root;
before(async () => {
  [browser, provider] = await Promise.all([openBrowser(), startProvider()]);
  server = await startServer({ args: ['--demo'], env: townEnv(withModel(provider, { HUTONG_TOWN_SPEED: '60', HUTONG_LLM_SITES: 'nobody=http://127.0.0.1:9/v1' })) });
  root = await asAdmin(server);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

async function keeperAt(section, options) {
  const page = await visit(browser, server, options);
  page.on('dialog', (dialog) => dialog.accept());
  await logIn(page, server, root.username, root.password);
  await page.goto(`${server.url}/manage/${section}`);
  await settled(page);
  return page;
}

async function settled(page) {
  await page.waitForFunction(() => document.querySelector('main section') && !document.querySelector('.animate-spin'));
}

async function done(page, complaints = []) {
  assert.deepEqual(page.strangers, []);
  assert.deepEqual(page.complaints.filter((said) => !complaints.some((fine) => fine.test(said))), []);
  await page.context().close();
}

test('an administrator makes a resident, who appears in the town', WAIT, async () => {
  const page = await keeperAt('residents');
  await page.getByRole('button', { name: 'New resident' }).click();
  await page.locator('input[name=username]').fill('xiaohe');
  await page.locator('input[name=nickname]').fill('Xiao He');
  await page.locator('input[name=occupation]').fill('painter');
  await page.locator('input[name=age]').fill('3');
  await page.locator('input[name=personality]').fill('curious, kind');
  await page.locator('textarea[name=goals]').fill('a show\nlearn to swim');
  await page.locator('textarea[name=description]').fill('Paints.');
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  await page.getByText('Age must be a whole number from 6 to 120').waitFor();
  assert.equal(await page.locator('input[name=age]').getAttribute('aria-invalid'), 'true');
  await page.locator('input[name=age]').fill('25');
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  const row = page.locator('main li', { hasText: '@xiaohe' });
  await row.getByText('in the town', { exact: true }).waitFor(); // by itself, within seconds
  await row.getByText('painter · 25 · curious, kind').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'resident-new', 'the keyboard is back');
  const { items } = await root.must('GET', '/admin/residents');
  assert.deepEqual(JSON.parse(items.at(-1).bio), { occupation: 'painter', description: 'Paints.', goals: ['a show', 'learn to swim'], age: 25 });

  await page.goto(`${server.url}/t`);
  await page.getByText('Xiao He').first().waitFor();

  // … and changes it.
  await page.goto(`${server.url}/manage/residents`);
  await page.getByRole('button', { name: 'Change Xiao He' }).click();
  await page.locator('input[name=nickname]').fill('He Hua');
  await page.getByText('until it is started again').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.locator('main li', { hasText: '@xiaohe' }).getByText('He Hua').waitFor();
  const after_ = (await root.must('GET', '/admin/residents')).items.at(-1);
  assert.deepEqual([after_.nickname, after_.bio], ['He Hua', items.at(-1).bio]);
  await done(page, [/422/]);
});

test('a resident is given a wiki to know about, and its profile leads there', WAIT, async (t) => {
  const roots = await newFolder(t);
  for (const name of ['teahouse', 'lantern']) {
    await mkdir(path.join(roots, name));
    await writeFile(path.join(roots, name, 'README.md'), `# ${name}\n\nPlain words.\n`);
  }
  const home = kept(await startServer({ env: townEnv({ HUTONG_WIKI_ROOTS: roots }) }));
  const keeper = await asAdmin(home);
  await keeper.must('POST', '/admin/residents', { username: 'tea_keeper', nickname: 'Keeper' }, 201);
  const page = await visit(browser, home);
  await logIn(page, home, keeper.username, keeper.password);
  const change = async () => {
    await page.goto(`${home.url}/manage/residents`);
    await page.getByRole('button', { name: 'Change Keeper' }).click();
  };
  const save = async () => {
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByText('Keeper is saved.').first().waitFor();
  };
  const choice = page.getByLabel('Knows about');
  await change();
  await page.getByText('There is no wiki yet that everyone may see.').waitFor();
  const wiki = await keeper.must('POST', '/wikis', { url: path.join(roots, 'teahouse') }, 201);
  await keeper.must('POST', '/wikis', { url: path.join(roots, 'lantern'), access: 'members' }, 201);
  await change();
  await choice.locator('option', { hasText: 'teahouse' }).waitFor({ state: 'attached' });
  assert.deepEqual(await choice.locator('option').allTextContents(), ['no wiki', 'teahouse'], 'those for everyone alone');
  await choice.selectOption('teahouse');
  await save();
  const row = page.locator('main li', { hasText: '@tea_keeper' });
  await row.getByText('Knows about').waitFor();
  const known = async () => (await keeper.must('GET', '/admin/residents')).items[0];
  assert.equal((await known()).wiki, wiki.id);

  await page.goto(`${home.url}/u/@tea_keeper`);
  await page.getByText('Knows about').waitFor();
  await page.getByRole('link', { name: 'teahouse' }).click();
  await page.waitForURL(`${home.url}/w/${wiki.id}`);

  // One that is no longer for everyone stays chosen, and the rest can be saved all the same.
  await keeper.must('PATCH', `/wikis/${wiki.id}`, { access: 'members' });
  await change();
  await page.getByText('This wiki is no longer for everyone').waitFor();
  await page.locator('textarea[name=description]').fill('Pours.');
  await save();
  assert.deepEqual([(await known()).wiki, (await known()).bio], [wiki.id, 'Pours.']);
  await page.goto(`${home.url}/u/@tea_keeper`);
  await page.getByText('Pours.').waitFor();
  assert.equal(await page.getByText('Knows about').count(), 0);
  await change();
  await choice.selectOption('no wiki');
  await save();
  assert.deepEqual([(await known()).wiki, await row.getByText('Knows about').count()], [null, 0]);

  // … and a new one has it from the beginning.
  await keeper.must('PATCH', `/wikis/${wiki.id}`, { access: 'everyone' });
  await page.reload();
  await page.getByRole('button', { name: 'New resident' }).click();
  await page.locator('input[name=username]').fill('old_wang');
  await choice.selectOption('teahouse');
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  await page.locator('main li', { hasText: '@old_wang' }).getByRole('link', { name: 'teahouse' }).waitFor();
  await done(page, [/404/]); // no town, so nobody is anywhere
  await home.stop();
});

test('a long form leads to what is wrong with it, in the reader\'s language, and is not left without a question', WAIT, async () => {
  const page = await visit(browser, server, { phone: true, locale: 'zh-CN' });
  await logIn(page, server, root.username, root.password);
  await page.goto(`${server.url}/manage/residents`);
  await page.getByRole('button', { name: '新居民' }).click();
  await page.locator('input[name=username]').fill('ai wrong!');
  await page.locator('input[name=age]').fill('many');
  await page.getByRole('button', { name: '创建', exact: true }).click();
  const age = page.locator('input[name=age]');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-invalid') === 'true');
  const note = await page.evaluate(() => document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent);
  assert.match(note, /^\p{Script=Han}/u);
  assert.doesNotMatch(note, /bio\.|must|profile/);
  const { y, height } = await age.boundingBox();
  assert.ok(y > 0 && y + height < 844 - 60, `at ${y}`);
  const asked = [];
  page.on('dialog', (dialog) => { asked.push(dialog.message()); void (asked.length === 1 ? dialog.dismiss() : dialog.accept()); });
  await page.getByRole('link', { name: '选项' }).click();
  await page.getByRole('button', { name: '取消' }).click();
  await page.getByRole('button', { name: '新居民', disabled: false }).waitFor();
  assert.deepEqual(asked, ['更改还没有保存，要离开吗？', '更改还没有保存，要离开吗？']);
  await done(page, [/422/]);
});

test('a model fills in the form, and nothing is saved before a person does', WAIT, async () => {
  const draft = {
    username: 'old_wang', nickname: 'Old Wang', age: 71, gender: 'male', occupation: 'teacher', description: EVIL,
    speaking_style: 'Slowly.', personality: ['calm', 'stubborn'], goals: ['win once'],
  };
  provider.always((asked) => (JSON.stringify(asked.body ?? '').includes('plays chess') ? { deltas: [JSON.stringify(draft)] } : { deltas: ['Good.'] }));
  const page = await keeperAt('residents');
  const before_ = (await root.must('GET', '/admin/residents')).total;
  await page.getByRole('button', { name: 'New resident' }).click();
  await page.locator('textarea[name=words]').fill('an old man who plays chess');
  await page.getByRole('button', { name: 'Fill in' }).click();
  await page.getByText('Filled in by openai/test-model').waitFor();
  assert.equal(await page.locator('input[name=username]').inputValue(), 'old_wang');
  assert.equal(await page.locator('input[name=personality]').inputValue(), 'calm, stubborn');
  assert.equal(await page.locator('textarea[name=description]').inputValue(), EVIL);
  assert.equal((await root.must('GET', '/admin/residents')).total, before_);
  await page.locator('input[name=nickname]').fill(EVIL);
  await page.getByRole('button', { name: 'Make', exact: true }).click();
  await page.locator('main li', { hasText: '@old_wang' }).waitFor();
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  await done(page);
});

test('without a model the form says so', WAIT, async () => {
  const bare = kept(await startServer());
  await asAdmin(bare);
  const page = await visit(browser, bare);
  await logIn(page, bare, 'root_keeper', 'correct horse');
  await page.goto(`${bare.url}/manage/residents`);
  await page.getByText('Nobody lives in the town yet.').waitFor();
  await page.getByRole('button', { name: 'New resident' }).click();
  await page.getByText('No language model is set up').waitFor();
  assert.equal(await page.locator('textarea[name=words]').count(), 0);
  await page.goto(`${bare.url}/manage/town`);
  await page.getByRole('heading', { name: 'No town is run by this server' }).waitFor();
  await page.getByText('Set HUTONG_TOWN=on').waitFor();
  await page.context().close();
  await bare.stop();
});

test('a file of residents comes in whole or not at all, and goes out', WAIT, async (t) => {
  const folder = await newFolder(t);
  const page = await keeperAt('residents');
  const bring = async (list) => {
    const file = path.join(folder, 'in.json');
    await writeFile(file, JSON.stringify(list));
    await page.locator('input[type=file][accept*=json]').setInputFiles(file);
  };
  await bring([{ username: 'fine_one' }, { username: 'ab' }]);
  await page.getByRole('alert').getByText(/entry 2 \(ab\): username has 2 characters/).waitFor();
  await bring([{ username: 'fine_one', nickname: EVIL, bio: EVIL }, { username: 'fine_two' }]);
  await page.locator('main li', { hasText: '@fine_two' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as a file' }).click()]);
  assert.equal(download.suggestedFilename(), 'residents.json');
  const saved = JSON.parse(await readFile(await download.path(), 'utf8'));
  assert.deepEqual(saved.find(({ username }) => username === 'fine_one'), { username: 'fine_one', nickname: EVIL, bio: EVIL });
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  await done(page, [/422/]);
});

test('the town is paused, stepped, sped up and goes on', WAIT, async () => {
  const page = await keeperAt('town');
  await page.getByText('The town runs').waitFor();
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('The town is paused', { exact: true }).waitFor();
  const { minute } = await root.must('GET', '/admin/town');
  await page.getByRole('button', { name: 'One step' }).click();
  await page.getByText('One step further.').waitFor();
  const stepped = await root.must('GET', '/admin/town');
  assert.ok(stepped.minute > minute && !stepped.running);
  await page.locator('select[name=speed]').selectOption('600');
  await page.getByRole('button', { name: 'Set', exact: true }).click();
  await page.getByText('The new speed counts.').waitFor();
  assert.equal((await root.must('GET', '/admin/town')).speed, 600);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByText('The town runs').waitFor();
  await page.getByText('openai/test-model').waitFor();
  await page.getByText('No ComfyUI is set up').waitFor();
  await done(page);
});

test('models are checked: one answers, one does not', WAIT, async () => {
  provider.always({ deltas: ['yes'] });
  const page = await keeperAt('models');
  await page.getByText('When no model is named, openai/test-model answers.').waitFor();
  await page.getByRole('button', { name: 'Check openai' }).click();
  await page.getByText(/It answers, with the first word after/).waitFor();
  await page.getByText('one model: test-model').waitFor();
  await page.getByRole('button', { name: 'Check nobody' }).click();
  await page.getByText('It does not answer.').waitFor();
  await done(page);
});

test('a backup is made, saved and deleted', WAIT, async () => {
  const page = await keeperAt('backups');
  await page.getByText('There are no backups yet.').waitFor();
  await page.getByRole('button', { name: 'Make a backup' }).click();
  const [{ name, bytes }] = await (async () => {
    await page.getByText('verified', { exact: true }).waitFor();
    return (await root.must('GET', '/admin/backups')).items;
  })();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `Save ${name}` }).click()]);
  assert.equal(download.suggestedFilename(), name);
  assert.equal((await readFile(await download.path())).length, bytes);
  await page.getByRole('button', { name: `Delete ${name}` }).click();
  await page.getByText('There are no backups yet.').waitFor();
  assert.deepEqual((await root.must('GET', '/admin/backups')).items, []);
  await done(page);
});

test('options are found, and secrets stay secret', WAIT, async () => {
  const page = await keeperAt('options');
  await page.locator('input[name=find]').fill('jwt');
  await page.getByText('HUTONG_JWT_SECRET').waitFor();
  await page.getByText('not set', { exact: true }).waitFor();
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByRole('button', { name: 'Copy HUTONG_JWT_SECRET=' }).click();
  await page.getByText('Copied.').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'HUTONG_JWT_SECRET=');
  assert.equal(await page.getByText('HUTONG_LISTEN').count(), 0);
  await page.locator('input[name=find]').fill('');
  await page.getByRole('checkbox').check();
  await page.getByText('HUTONG_TOWN_SPEED').waitFor();
  assert.equal(await page.getByText('HUTONG_GZIP').count(), 0);
  await done(page);
});

test('moderators and members find none of it', WAIT, async () => {
  const warden = await withRole(server, 'warden_keeper', 'moderator');
  const page = await visit(browser, server);
  await logIn(page, server, warden.username, warden.password);
  for (const id of SECTIONS) {
    await page.goto(`${server.url}/manage/${id}`);
    await page.waitForFunction(() => document.querySelector('main h1'));
    for (const name of SECTIONS) assert.equal(await page.locator(`main nav a[href="/manage/${name}"]`).count(), 0);
  }
  await page.context().close();
});

describe('for every eye and hand', WAIT, () => {
  for (const [dark, phone, locale] of [[false, false, 'en'], [true, true, 'zh-CN'], [true, false, 'en'], [false, true, 'en']]) {
    test(`${dark ? 'dark' : 'light'}, on a ${phone ? 'phone' : 'desktop'}`, async () => {
      const page = await keeperAt('residents', { dark, phone, locale });
      // So high that nothing lies under the tabs, which axe would take for hidden.
      if (phone) await page.setViewportSize({ width: 360, height: 3200 });
      for (const id of SECTIONS) {
        await page.goto(`${server.url}/manage/${id}`);
        await settled(page);
        if (id === 'residents') await page.locator('#resident-new').click();
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
        const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
          .flatMap(({ id: rule, nodes }) => nodes.map(({ html, failureSummary }) => `${rule}: ${html.slice(0, 200)} ${failureSummary}`));
        assert.deepEqual(serious, [], id);
        assert.equal(await page.evaluate(() => window.harmed), undefined, id);
        const made = await page.evaluate(() => document.querySelectorAll('main [onerror], main script, main img[src="x"]').length);
        assert.equal(made, 0, id);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${id} sticks out by ${wide} pixels`);
        const small = await page.evaluate(() => [...document.querySelectorAll('main section button, main section select')]
          .filter((one) => one.offsetParent && one.offsetHeight < 40).map(({ outerHTML }) => outerHTML.slice(0, 120)));
        assert.deepEqual(small, [], id);
      }
      await done(page);
    });
  }
});
