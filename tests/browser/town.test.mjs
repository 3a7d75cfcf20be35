// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The town's page: the map moves, and everything on it can be reached without it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { openBrowser } from '../support/browser.mjs';
import { logIn, visit } from '../support/app.mjs';
import { startServer } from '../support/server.mjs';
import { DEMO, towns } from '../support/town.mjs';

const WAIT = { timeout: 120_000 };
const { kept, startTown } = towns();

let browser;
before(async () => { browser = await openBrowser(); });
after(() => browser?.close());

async function openTown(server, options) {
  const page = await visit(browser, server, options);
  await logIn(page, server, DEMO.username, DEMO.password);
  await page.goto(`${server.url}/t`);
  await page.getByRole('application').waitFor();
  return page;
}

async function end(page, complaints = []) {
  assert.deepEqual(page.complaints, complaints);
  assert.deepEqual(page.strangers, []);
  await page.context().close();
}

// The clock shows another minute than `than`.
const clockMoves = (page, than) => page.waitForFunction(
  (old) => document.querySelector('[data-town-clock]').textContent !== old, than);
const clockOf = (page) => page.locator('[data-town-clock]').textContent();
const figures = (page) => page.locator('[data-town-debug]').textContent();

test('the town opens and moves, and a resident is followed from the list by keyboard alone', WAIT, async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '600' } });
  const page = await openTown(server);
  const map = page.getByRole('application', { name: 'Map of the town' });
  await clockMoves(page, await clockOf(page));

  // D shows figures; the frames go on while people walk.
  await map.focus();
  await page.keyboard.press('d');
  await page.waitForFunction(() => Number(/frames=(\d+)/.exec(document.querySelector('[data-town-debug]').textContent)?.[1]) > 2);
  const { residents } = await server.town();
  assert.match(await figures(page), new RegExp(`residents=${residents.length} `));
  const zoom = async () => Number(/zoom=([\d.]+)/.exec(await figures(page))[1]);
  const before = await zoom();
  await page.keyboard.press('+');
  await page.waitForFunction((old) => Number(/zoom=([\d.]+)/.exec(document.querySelector('[data-town-debug]').textContent)[1]) > old, before);
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Map and keys' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });

  const [first] = residents;
  const row = page.getByRole('list', { name: 'Residents' }).getByRole('button', { name: new RegExp(`^${first.name}`) });
  await row.focus();
  await page.keyboard.press('Enter');
  const card = page.getByRole('region', { name: first.name });
  await card.getByRole('meter', { name: 'Hungry' }).waitFor();
  assert.ok(Number(await card.getByRole('meter', { name: 'Hungry' }).getAttribute('aria-valuenow')) >= 0);
  assert.equal(await card.getByRole('link', { name: 'Write' }).getAttribute('href'), `/m/${first.id}`);
  assert.equal(await card.getByRole('link', { name: 'Profile' }).getAttribute('href'), `/u/${first.id}`);
  await card.getByRole('button', { name: 'Follow' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: `Stop following ${first.name}` }).click();
  assert.equal(await card.getByRole('button', { name: 'Follow' }).getAttribute('aria-pressed'), 'false');
  await card.getByRole('button', { name: 'Back' }).focus();
  await page.keyboard.press('Enter');
  await row.waitFor();
  assert.ok(await row.evaluate((one) => one === document.activeElement), 'the keyboard is back where it was');

  await page.getByRole('tab', { name: 'Residents' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.getByRole('list', { name: 'Places' }).getByRole('button').first().click();
  await page.getByText(/(Nobody|One person|\d+ people) (is|are) here/).waitFor();
  await end(page);
});

test('what happens comes into the timeline, by resident and by kind', WAIT, async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '3000' } });
  const page = await openTown(server, { phone: true, locale: 'zh-CN' });
  await page.getByRole('tab', { name: '动静' }).click();
  const rows = page.locator('[data-town-timeline] li');
  await rows.first().waitFor();
  const count = await rows.count();
  await page.waitForFunction((old) => document.querySelectorAll('[data-town-timeline] li').length > old, count);
  const [first] = (await server.town()).residents;
  await page.getByLabel('谁', { exact: true }).selectOption(String(first.id));
  // What others do with them is theirs, too.
  await page.waitForFunction((name) => [...document.querySelectorAll('[data-town-timeline] li')]
    .every((one) => one.textContent.includes(name)), first.name);
  await page.getByLabel('什么事', { exact: true }).selectOption('move');
  await rows.first().waitFor();
  for (const text of await rows.allTextContents()) assert.match(text, /去|走/);
  await end(page);
});

test('an administrator holds the clock; others are not offered it', WAIT, async () => {
  const server = await startTown({
    env: { HUTONG_TOWN_SPEED: '600' },
    prepare: (one) => one.sql(`UPDATE users SET role = 'admin' WHERE username = '${DEMO.username}'`),
  });
  const page = await openTown(server);
  await page.getByRole('button', { name: 'Pause the town' }).click();
  await page.getByText('paused', { exact: true }).waitFor();
  assert.equal((await server.town()).running, false);
  const { minute } = await server.town();
  const controlled = () => page.waitForResponse((answer) => answer.url().endsWith('/town/control'));
  const step = controlled();
  await page.getByRole('button', { name: 'One step' }).click();
  await step;
  const slower = controlled();
  await page.getByLabel('Speed').selectOption('60');
  assert.equal((await (await slower).json()).speed, 60);
  const stepped = await server.town();
  assert.ok(stepped.minute > minute && !stepped.running && stepped.speed === 60, JSON.stringify(stepped.minute));
  await page.getByLabel('Speed').selectOption('6000');
  await page.getByRole('button', { name: 'Let the town go on' }).click();
  await page.getByText('paused', { exact: true }).waitFor({ state: 'hidden' });
  await clockMoves(page, await clockOf(page));
  await end(page);

  const other = await visit(browser, server);
  await logIn(other, server, 'demo_tom', DEMO.password);
  await other.goto(`${server.url}/t`);
  await other.getByRole('button', { name: 'Look back' }).waitFor();
  assert.equal(await other.getByRole('button', { name: /Pause|One step/ }).count(), 0);
  await end(other);
});

test('back through the day by the action log, and to now again', WAIT, async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '6000' }, prepare: (one) => one.sql(`UPDATE users SET role = 'admin' WHERE username = '${DEMO.username}'`) });
  let state = await server.town();
  const noon = state.day === 1 ? 13 * 60 : state.minute + 120;
  while (state.minute < noon) state = await server.town();
  await server.api('POST', '/town/control', { token: server.token, json: { action: 'pause' } });
  const page = await openTown(server);
  await page.getByRole('button', { name: 'Look back' }).click();
  const past = page.getByRole('group', { name: 'Looking back' });
  await past.getByText(/residents are known of at this minute/).waitFor();
  const slider = past.getByRole('slider', { name: 'Time of day' });
  const { minute } = await server.town();
  await slider.fill(String(Math.max(0, (minute % 1440) - 60)));
  assert.equal(await slider.getAttribute('aria-valuetext'), await clockOf(page), 'one time on the page');
  await past.getByText(new RegExp(`^${state.residents.length} of ${state.residents.length} residents`)).waitFor();
  await past.getByRole('button', { name: 'Back to now' }).click();
  await past.waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Look back' }).waitFor();
  await end(page);
});

test('where no town runs, a made-up one moves and says that it is made up', WAIT, async () => {
  const server = kept(await startServer({ args: ['--demo'], env: { HUTONG_TOWN: 'off' } }));
  const page = await openTown(server);
  await page.getByText('No town runs on this server.').waitFor();
  await clockMoves(page, await clockOf(page));
  await page.getByRole('button', { name: 'Pause the town' }).click();
  await page.getByRole('button', { name: 'Let the town go on' }).click();
  await page.getByRole('list', { name: 'Residents' }).getByRole('button').first().click();
  await page.getByText('This resident is made up.').waitFor();
  assert.equal(await page.getByRole('link', { name: 'Write' }).count(), 0, 'nobody to write to');
  // The browser itself notes that GET /town said 404, which is how the page learns that there is none.
  await end(page, ['Failed to load resource: the server responded with a status of 404 (Not Found)']);
});

test('where nothing can be painted in a worker the page paints the map itself', WAIT, async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '600' } });
  const page = await visit(browser, server, { calm: false });
  await page.addInitScript(() => delete HTMLCanvasElement.prototype.transferControlToOffscreen);
  await logIn(page, server, DEMO.username, DEMO.password);
  await page.goto(`${server.url}/t`);
  await page.locator('[data-town-sketch]').waitFor({ state: 'detached' });
  await page.getByRole('application').focus();
  await page.keyboard.press('d');
  await page.waitForFunction(() => Number(/frames=(\d+)/.exec(document.querySelector('[data-town-debug]').textContent)?.[1]) > 2);
  assert.equal(page.workers().length, 0);
  await end(page);
});

test('without WebGL, in the worker and in the page, a sketch and the lists are there', WAIT, async () => {
  const server = await startTown({ env: { HUTONG_TOWN_SPEED: '600' } });
  const page = await visit(browser, server, { worker: false }); // what goes through one is not ours to answer
  await page.addInitScript(() => {
    const real = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function getContext(kind, ...more) {
      return /webgl/.test(kind) ? null : real.call(this, kind, ...more);
    };
    const off = OffscreenCanvas.prototype.getContext;
    OffscreenCanvas.prototype.getContext = function getContext(kind, ...more) {
      return /webgl/.test(kind) ? null : off.call(this, kind, ...more);
    };
  });
  await page.route(/heavy-picture/, async (route) => {
    const answer = await route.fetch();
    const none = 'if (typeof document === "undefined") OffscreenCanvas.prototype.getContext = () => null;';
    await route.fulfill({ response: answer, body: none + await answer.text() });
  });
  await logIn(page, server, DEMO.username, DEMO.password);
  await page.goto(`${server.url}/t`);
  await page.getByText('This browser cannot draw the moving map').waitFor();
  assert.equal(await page.locator('[data-town-sketch] circle').count() >= (await server.town()).residents.length, true);
  await page.getByRole('list', { name: 'Residents' }).getByRole('button').first().click();
  await page.getByRole('meter', { name: 'Tired' }).waitFor();
  await end(page);
});
