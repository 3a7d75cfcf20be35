// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A conversation of 2,000 turns in the browser app: few of them are in the page, and nobody notices.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { logIn, visit } from '../support/app.mjs';
import { until } from '../support/watch.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 300_000 };
const PASSWORD = 'correct horse';
const QUESTIONS = 1000;
/** Of turns in the page, whatever is done. */
const MOST = 60;
const base = '/chat/conversations';

let provider, server, browser, lan, chat;

// Of all lengths, some with code, lists and tables.
function answerTo(n) {
  const words = `Answer ${n}. ${'It depends on the weather, the day and the neighbours. '.repeat(1 + (n * 7) % 9)}`;
  if (n % 10 === 3) return `${words}\n\n\`\`\`python\nfor i in range(${n}):\n    print(i)  # one after the other\n\`\`\`\n\nThat is all.`;
  if (n % 10 === 6) return `${words}\n\n- one\n- **two**\n- three\n\n| a | b |\n|---|---|\n| 1 | 2 |`;
  return words;
}

async function put(n, parent) {
  const text = `Question ${n}${n % 4 ? '' : `: ${'and what about it? '.repeat(n % 23)}`}`;
  const { text: said } = await server.api('POST', `${base}/${chat}/messages`, { token: lan.token, json: { text, parent } });
  const blocks = said.split('\n').filter((line) => line.startsWith('data: ')).map((line) => JSON.parse(line.slice(6)));
  return blocks.find(({ type }) => type === 'turns').answer.id;
}

before(async () => {
  provider = await startProvider();
  provider.always(({ body }) => ({ deltas: [answerTo(Number(/^Question (\d+)/.exec(body?.messages?.at(-1).content)?.[1] ?? 0))] }));
  [server, browser] = await Promise.all([
    startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_CHAT_TITLES: 'off', HUTONG_RATE_CHAT: '0' } }),
    openBrowser(),
  ]);
  lan = await server.register('lan', { password: PASSWORD });
  chat = assertOk(await server.api('POST', base, { token: lan.token, json: {} }), 201).id;
  for (let n = 1, parent = 0; n <= QUESTIONS; n += 1) parent = await put(n, parent);
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

const box = (page) => page.getByRole('textbox', { name: 'Ask something' });
const said = (page) => page.getByRole('region', { name: 'What was said' });
const question = (page, n) => page.getByRole('article', { name: 'You' }).filter({ hasText: new RegExp(`^Question ${n}\\b`) });
const turns = (page) => page.locator('[data-turn]').count();
/** How many requests for turns were made since the page came. */
const fetched = (page) => page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /\/messages\?/.test(name)).length);
const distance = (page) => said(page).evaluate((view) => view.scrollHeight - view.scrollTop - view.clientHeight);
const frames = (page, n = 3) => page.evaluate(async (count) => {
  for (let i = 0; i < count; i += 1) await new Promise((done) => requestAnimationFrame(done));
}, n);

async function open(t, { settle = true, ...how } = {}) {
  const page = await visit(browser, server, how);
  t.after(() => page.context().close());
  await logIn(page, server, 'lan', PASSWORD);
  await page.goto(`${server.url}/c/${chat}`);
  await page.locator('[data-turn]').first().waitFor();
  if (settle) await frames(page, 10);
  return page;
}

function clean(page) {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.strangers, [], 'nothing comes from elsewhere');
}

/** Where in the view the topmost turn in sight is, and which that is. */
const topmost = (page) => said(page).evaluate((view) => {
  const { top } = view.getBoundingClientRect();
  const turn = [...view.querySelectorAll('[data-turn]')].find((one) => one.getBoundingClientRect().bottom > top);
  return { turn: turn.dataset.turn, at: turn.getBoundingClientRect().top - top };
});
const placeOf = (page, turn) => said(page).evaluate((view, id) =>
  view.querySelector(`[data-turn="${id}"]`).getBoundingClientRect().top - view.getBoundingClientRect().top, turn);

/** Some 250 turns up, as a wheel does. The turn that is seen moves by each step and no more. */
async function wayUp(page) {
  const moved = await said(page).evaluate(async (view) => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const { top } = view.getBoundingClientRect();
    const seen = new Set();
    let worst = 0;
    let most = 0;
    for (let step = 0; step < 150; step += 1) {
      const all = [...view.querySelectorAll('[data-turn]')];
      for (const one of all.slice(0, -1)) seen.add(Number(one.dataset.turn)); // the last is always there
      most = Math.max(most, all.length);
      const row = all.find((one) => one.getBoundingClientRect().bottom > top);
      const was = row.getBoundingClientRect().top;
      view.scrollTop -= 300;
      await frame();
      await frame();
      if (row.isConnected) worst = Math.max(worst, Math.abs(row.getBoundingClientRect().top - was - 300));
    }
    return { worst, most, low: Math.min(...seen), high: Math.max(...seen), count: seen.size };
  });
  assert.ok(moved.worst < 2, `it jumped by ${moved.worst}`);
  assert.ok(moved.most <= MOST, `${moved.most} turns in the page`);
  assert.equal(moved.count, moved.high - moved.low + 1, 'none is left out');
}

test('it opens at its newest turn with one request, and with few turns in the page, which know how many there are when all are known', WAIT, async (t) => {
  const page = await open(t);
  await question(page, QUESTIONS).waitFor();
  assert.ok(await distance(page) < 2, 'it is at its end');
  assert.ok(await turns(page) <= MOST, `${await turns(page)} turns in the page`);
  const rows = await page.getByRole('listitem').filter({ has: page.locator('[data-turn]') })
    .evaluateAll((all) => all.map((row) => [row.ariaPosInSet, row.ariaSetSize].map(Number)));
  rows.forEach(([, all]) => assert.equal(all, -1, 'not known'));
  assert.ok(await fetched(page) <= 2, `${await fetched(page)} requests`); // the second: what came before it listened
  await said(page).focus();
  await page.keyboard.press('Home');
  await question(page, 1).waitFor();
  const known = await page.getByRole('listitem').filter({ has: page.locator('[data-turn]') })
    .evaluateAll((all) => all.map((row) => [row.ariaPosInSet, row.ariaSetSize].map(Number)));
  known.slice(0, -1).forEach((row, i) => assert.deepEqual(row, [i + 1, 2 * QUESTIONS]));
  assert.deepEqual(known.at(-1), [2 * QUESTIONS, 2 * QUESTIONS]);
  assert.ok(await fetched(page) <= 22, `${await fetched(page)} requests`);
  clean(page);
});

test('somebody who scrolls up meets every turn, and nothing jumps', WAIT, async (t) => {
  const page = await open(t);
  await wayUp(page);
  await page.getByRole('button', { name: 'Jump to the newest' }).click();
  await question(page, QUESTIONS).waitFor();
  await frames(page, 10);
  assert.ok(await distance(page) < 2, 'it is at its end again');
  clean(page);
});

test('the keyboard leads to the first turn and back to the last', WAIT, async (t) => {
  const page = await open(t, { phone: true, dark: true });
  await said(page).focus();
  // To the top of what is there; older turns come, and have a top of their own.
  await until(async () => {
    await page.keyboard.press('Home');
    await frames(page, 10);
    return question(page, 1).isVisible();
  }, (there) => there, { what: 'the first question' });
  await page.keyboard.press('End');
  await question(page, QUESTIONS).waitFor();
  await frames(page, 10);
  assert.ok(await distance(page) < 2);
  clean(page);
});

test('an answer is followed as it is written, and no older turn is touched; a reader further up stays there', WAIT, async (t) => {
  const page = await open(t);
  const words = Array.from({ length: 400 }, (_, i) => `word${i}${i % 20 ? ' ' : '\n\n'}`);
  provider.script([{ deltas: words, stallAfter: 200, everyMs: 2 }]);
  const at = provider.requests.length;
  await box(page).fill('At length, please');
  await box(page).press('Enter');
  const asked = await provider.until(() => provider.requests.slice(at).find(({ kind, body }) => kind === 'chat' && body), { what: 'a question' });
  const answer = page.locator('article[data-status=streaming]');
  await answer.getByText('word5 ').waitFor();
  await page.evaluate(() => {
    window.touched = [];
    const streaming = document.querySelector('article[data-status=streaming]');
    for (const turn of document.querySelectorAll('[data-turn]')) {
      if (turn !== streaming) new MutationObserver(() => window.touched.push(turn.dataset.turn)).observe(turn, { subtree: true, childList: true, characterData: true, attributes: true });
    }
  });
  await provider.until(() => asked.stalled);
  await answer.getByText('word199').waitFor();
  await frames(page);
  assert.ok(await distance(page) < 2, 'the newest word is in sight');
  assert.deepEqual(await page.evaluate(() => window.touched), []);

  // Up to the middle of the answer, and from there on nothing moves.
  await said(page).evaluate((view) => { view.scrollTop -= 400; });
  await frames(page);
  const was = await topmost(page);
  asked.resume();
  await page.locator('article[data-status=complete]', { hasText: 'word399' }).waitFor();
  await page.getByRole('status').filter({ hasText: 'Answer: word0' }).waitFor({ state: 'attached' });
  await frames(page);
  assert.ok(Math.abs(await placeOf(page, was.turn) - was.at) < 2, 'it stayed');
  assert.ok(await distance(page) > 300);
  clean(page);
});

test('a question in the middle is edited: its words outlast scrolling away, and versions change in place', WAIT, async (t) => {
  const page = await open(t);
  await said(page).focus();
  await page.keyboard.press('Home'); // all of it
  await question(page, 1).waitFor();
  await said(page).evaluate((view) => { view.scrollTop = view.scrollHeight / 2; });
  await frames(page, 10);
  const { turn } = await topmost(page);
  const row = page.locator('li').filter({ has: page.getByRole('button', { name: 'Edit question' }) })
    .filter({ hasNot: page.locator(`[data-turn="${turn}"]`) }).nth(4);
  const n = Number(/Question (\d+)/.exec(await row.innerText())[1]);
  await question(page, n).getByRole('button', { name: 'Edit question' }).click();
  const field = page.getByRole('textbox', { name: 'Edit question' });
  await field.fill(`Question ${n} asked anew`);
  // Far away, with the focus elsewhere, and back.
  await box(page).focus();
  const top = await said(page).evaluate((view) => view.scrollTop);
  for (const to of [0, top]) {
    await said(page).evaluate((view, where) => { view.scrollTop = where; }, to);
    await frames(page, 10);
  }
  assert.equal(await field.inputValue(), `Question ${n} asked anew`);
  await field.press('Control+Enter');
  await page.getByText('2 of 2').waitFor();
  await page.locator('article[data-status=complete]', { hasText: `Answer ${n}.` }).waitFor();
  assert.equal(await page.locator('li[aria-setsize]').last().getAttribute('aria-setsize'), String(2 * n));

  const back = page.getByRole('button', { name: 'Previous version' });
  await back.focus();
  const before = (await back.boundingBox()).y;
  await back.press('Enter');
  await page.getByText('1 of 2').waitFor();
  await question(page, n + 1).waitFor();
  const next = page.getByRole('button', { name: 'Next version' });
  assert.ok(await next.evaluate((button) => button === document.activeElement), 'the focus is still at the choice');
  assert.ok(Math.abs((await next.boundingBox()).y - before) < 2, 'it stands where it stood');
  assert.ok(await turns(page) <= MOST);
  clean(page);
});

test('on paper are all turns', WAIT, async (t) => {
  const page = await open(t);
  await said(page).focus();
  // To the top of what is there; older turns come, and have a top of their own.
  await until(async () => {
    await page.keyboard.press('Home');
    await frames(page, 10);
    return question(page, 1).isVisible();
  }, (there) => there, { what: 'the first question' });
  await page.keyboard.press('End');
  await frames(page, 10);
  const all = Number(await page.locator('li[aria-setsize]').last().getAttribute('aria-setsize'));
  const count = await page.evaluate(() => {
    const all = () => document.querySelectorAll('[data-turn]').length;
    window.dispatchEvent(new Event('beforeprint'));
    const printed = all();
    window.dispatchEvent(new Event('afterprint'));
    return printed;
  });
  assert.ok(all > QUESTIONS / 2);
  assert.equal(count, all, 'turns on paper');
  await frames(page, 10);
  assert.ok(await turns(page) <= MOST);
  assert.ok(await distance(page) < 2, 'it is where it was');
  clean(page);
});
