// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The town in numbers, as a member and an administrator see it, and runs compared from real reports.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { hutong } from '../support/command.mjs';
import { DEMO, towns } from '../support/town.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 240_000 };
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const { startTown } = towns();

let server, browser, folder;
before(async () => {
  [server, browser] = await Promise.all([startTown({ env: { HUTONG_TOWN_SPEED: '600000' } }), openBrowser()]);
  folder = await mkdtemp(path.join(tmpdir(), 'hutong-runs-'));
  await until(() => server.get('/town/ties'), ({ ties }) => ties.length > 0, { what: 'friends', ms: 120_000 });
});
after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** How many of the canvas' points somebody painted. */
const painted = (canvas) => canvas.evaluate((one) => {
  const { data } = one.getContext('2d').getImageData(0, 0, one.width, one.height);
  return data.filter((value, at) => at % 4 === 3 && value > 0).length;
});

async function enter(options) {
  const page = await visit(browser, server, options);
  await logIn(page, server, DEMO.username, DEMO.password);
  await page.goto(`${server.url}/society`);
  return page;
}

test('a member sees what the town does, feels and who is close to whom', WAIT, async () => {
  const page = await enter({ locale: 'en' });
  const plots = page.locator('canvas');
  await plots.nth(1).waitFor();
  assert.equal(await plots.count(), 2, 'hours and needs; what models cost is no member’s business');
  for (const at of [0, 1]) assert.ok(await painted(plots.nth(at)) > 500, `plot ${at} is empty`);

  const hours = page.getByRole('region', { name: 'Deeds by hour of the day' });
  await hours.getByText('As a table').click();
  const rows = hours.locator('tbody tr');
  const all = (await rows.locator('td').allTextContents()).map((text) => Number(text.replaceAll(',', '')));
  assert.equal(all.length, 24);
  await hours.getByLabel('Kind of deed').selectOption({ label: 'sleep' });
  const asleep = (await rows.locator('td').allTextContents()).map((text) => Number(text.replaceAll(',', '')));
  assert.ok(asleep.reduce((a, b) => a + b) < all.reduce((a, b) => a + b));

  const ties = page.getByRole('region', { name: 'Who is close to whom' });
  await ties.locator('circle').nth(2).waitFor();
  assert.equal(await ties.locator('circle').count(), 3);
  assert.ok(await ties.locator('line').count() > 0);
  await ties.getByText('As a list').click();
  await ties.getByText(/bond \d+/).first().waitFor();
  const busiest = page.getByRole('region', { name: 'The busiest residents' });
  assert.equal(await busiest.getByRole('listitem').count(), 3);
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.strangers, []);
  await page.context().close();
});

test('it can be read by everybody, in both looks and on a phone', WAIT, async () => {
  for (const [dark, phone] of [[false, false], [true, true]]) {
    const page = await enter({ dark, phone, locale: dark ? 'zh-CN' : 'en' });
    await page.locator('canvas').nth(1).waitFor();
    await page.locator('svg[data-turn] circle').nth(2).waitFor();
    if (phone) await page.setViewportSize({ width: 360, height: 3600 });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }));
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(serious.map(({ id, nodes }) => `${id} ${nodes[0].html}`), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
    await page.context().close();
  }
});

test('an administrator also sees what models cost', WAIT, async () => {
  const { username } = await server.register('purser', { password: 'correct horse' });
  await server.sql(`UPDATE users SET role = 'admin' WHERE username = '${username}'`);
  await server.sql(`INSERT INTO town_spending (day, tokens, cost_micro) VALUES (${Math.floor(Date.now() / 86_400_000)}, 4321, 2500000)`);
  const page = await visit(browser, server, { locale: 'en' });
  await logIn(page, server, username, 'correct horse');
  await page.goto(`${server.url}/society`);
  const cost = page.getByRole('region', { name: 'What models cost' });
  await cost.getByRole('cell', { name: '4,321' }).waitFor();
  await cost.getByRole('cell', { name: '2.5' }).waitFor();
  await page.context().close();
});

test('runs are compared from their reports, and what is none is named', WAIT, async () => {
  const file = path.join(folder, 'experiment.json');
  await writeFile(file, JSON.stringify({ name: 'Memories', seeds: 3, settings: { residents: 30, days: 2 }, arms: [{ name: 'usual' }, { name: 'small', memory_slots: 16 }] }));
  for (const args of [['town', 'experiment', file, '--report', path.join(folder, 'compared')],
    ['town', 'run', '--residents', '30', '--days', '2', '--seed', '5', '--report', path.join(folder, 'one')]]) {
    const { status, err } = await hutong(args);
    assert.equal(status, 0, err);
  }
  await writeFile(path.join(folder, 'poem.json'), '"The lanes at dusk"');
  const page = await enter({ locale: 'en' });
  const runs = page.getByRole('region', { name: 'Compare runs' }).first();
  await page.locator('input[type=file]').setInputFiles([path.join(folder, 'compared', 'comparison.json'), path.join(folder, 'one', 'summary.json'), path.join(folder, 'poem.json')]);
  await runs.getByRole('columnheader', { name: 'usual' }).waitFor();
  assert.deepEqual((await runs.getByRole('columnheader').allTextContents()).slice(1), ['usual', 'small', 'summary.json']);
  const told = JSON.parse(await readFile(path.join(folder, 'one', 'summary.json'), 'utf8'));
  const meals = runs.getByRole('row', { name: /^Meals \(per resident and day\)/ });
  assert.match((await meals.getByRole('cell').last().textContent()).trim(), new RegExp(`^${Number(told.values.meals.toPrecision(4))}`));
  assert.match(await runs.getByRole('alert').textContent(), /poem\.json/);
  await page.context().close();
});
