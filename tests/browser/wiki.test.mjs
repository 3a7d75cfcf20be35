// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Wikis in a browser: a folder becomes one, is read, asked with and without a model, and followed to
// its lines; on a phone, by a stranger, and with pages that mean harm.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { forgive, logIn, visit } from '../support/app.mjs';
import { assertOk } from '../support/checks.mjs';
import { openBrowser } from '../support/browser.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';
import { until } from '../support/watch.mjs';

const WAIT = { timeout: 240_000 };
const HARM = 'window.harmed=1';
const EVIL = [
  `<script>${HARM}</script>`, `<img src=x onerror=${HARM}>`, `<svg/onload=${HARM}>`, `<a href="javascript:${HARM}">x</a>`, `[y](javascript:${HARM})`,
  `<iframe src="https://evil.example"></iframe>`, `<style>body{display:none}</style>`, `<div class="fixed inset-0 z-50" style="position:fixed">cover</div>`,
  `<details open ontoggle=${HARM}><summary>more</summary>inside</details>`, `![p](https://evil.example/p.png)`, `<form action="https://evil.example"><input autofocus onfocus=${HARM}></form>`,
  `<math><mtext></mtext><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${HARM}&gt;">`, `[a"onmouseover=${HARM}.c:1-2]`,
].join('\n\n');
const lines = (count) => Array.from({ length: count }, (_, i) => `int tea_${i + 1} = ${i + 1};`).join('\n');
const FILES = {
  'README.md': `# Teahouse\n\nKeeps every pot warm, see [the pot](src/pot.c).\n\n${EVIL}\n`,
  'src/pot.c': '#include "pot.h"\n\n/* Keeps the water\n * at the wanted heat. */\nint pot_heat(int degrees)\n{\n    return degrees > 95 ? 95 : degrees;\n}\n\nint pot_pour(int left, int cup)\n{\n    return left - cup;\n}\n',
  'src/pot.h': 'int pot_heat(int degrees);\nint pot_pour(int left, int cup);\n',
  'src/long.c': `${lines(9000)}\n`,
  'src/<img src=x onerror=alert(1)>.c': 'int odd;\n',
  '.env': 'SECRET=1\n',
};

let roots, folder, provider, server, alone, browser;
before(async () => {
  roots = await mkdtemp(path.join(tmpdir(), 'hutong-wiki-pages-'));
  folder = path.join(roots, 'teahouse');
  for (const [file, text] of Object.entries(FILES)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  }
  [provider, browser] = await Promise.all([startProvider(), openBrowser()]);
  [server, alone] = await Promise.all([
    startServer({ env: { HUTONG_WIKI_ROOTS: roots, HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_LLM_FALLBACK: '', HUTONG_CHAT_TITLES: 'off' } }),
    startServer({ env: { HUTONG_WIKI_ROOTS: roots, HUTONG_LLM_MODEL: 'offline' } }),
  ]);
  for (const one of [server, alone]) one.li = await one.register('lili', { nickname: 'Li', password: 'correct horse' });
  const wiki = assertOk(await server.api('POST', '/wikis', { token: server.li.token, json: { url: folder } }), 201);
  await until(() => server.api('GET', `/wikis/${wiki.id}`, { token: server.li.token }), ({ body }) => body.state === 'ready' && !body.progress, { what: 'the wiki' });
  server.wiki = `${server.url}/w/${wiki.id}`;
  server.id = wiki.id;
});
after(async () => {
  await browser?.close();
  for (const one of [server, alone]) await one?.stop();
  await provider?.stop();
  await rm(roots, { recursive: true, force: true });
});

async function enter(at, options) {
  const page = await visit(browser, at, options);
  page.on('dialog', (dialog) => dialog.accept());
  await logIn(page, at, 'lili', 'correct horse');
  return page;
}
/** Nothing was complained about, nobody else was asked, and the page is left. */
async function leave(page) {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual(page.strangers, []);
  assert.equal(await page.evaluate(() => window.harmed), undefined);
  await page.context().close();
}
const inSight = (page, selector) => page.waitForFunction((one) => {
  const box = document.querySelector(one)?.getBoundingClientRect();
  return box && box.top >= 0 && box.bottom <= innerHeight;
}, selector);
async function ask(page, words) {
  const panel = page.getByRole('region', { name: 'Ask this repository' });
  await panel.getByRole('textbox', { name: 'Ask about the code' }).fill(words);
  await panel.getByRole('button', { name: 'Ask', exact: true }).click();
  return panel;
}

/** A book by the provider: its one page says that. */
async function write(text) {
  const plan = { title: 'Teahouse', description: 'Tea.', sections: [{ title: 'All', pages: [{ title: 'Pots', description: 'x', importance: 'high', files: ['src/pot.c'] }] }] };
  provider.script([{ deltas: [JSON.stringify(plan)] }, { deltas: [text] }]);
  const { id } = assertOk(await server.api('POST', `/wikis/${server.id}/books`, { token: server.li.token, json: {} }), 201);
  await until(() => server.api('GET', `/wikis/${server.id}/books/${id}`, { token: server.li.token }), ({ body }) => body.state === 'done', { what: 'the book' });
  return `${server.wiki}?book=${id}`;
}

/** Questions to the model alone: pages ask for the names of models as well. */
const chatsAsked = () => provider.requests.filter(({ kind }) => kind === 'chat');
async function chatAsked(at) {
  await provider.until(() => chatsAsked().length > at);
  return chatsAsked()[at];
}

test('a folder becomes a wiki, gets an outline, and leads to its lines; without a model it says where to look', WAIT, async () => {
  const page = await enter(alone);
  await page.getByRole('link', { name: 'Wikis' }).click();
  await page.getByText('There are no wikis yet.').waitFor();
  const address = page.getByLabel('Address or folder');
  await address.fill('no address at all');
  await page.getByRole('button', { name: 'Add repository' }).click();
  await page.getByRole('alert').filter({ hasText: 'an address is one word' }).waitFor();
  await address.fill(folder);
  await page.getByRole('button', { name: 'Add repository' }).click();
  await page.getByText('Nothing has been written about it yet.').waitFor();
  await page.getByText('No language model is set up here').waitFor();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('en');
  await page.getByRole('button', { name: 'Write a wiki' }).click();
  const article = page.getByRole('article', { name: 'Overview' });
  await article.getByRole('heading', { name: 'Overview' }).waitFor();

  await article.getByRole('link', { name: /^README\.md:1-/ }).click();
  await page.waitForURL(/\/source\?path=README\.md#L1-L\d+$/);
  await page.locator('#L1[data-marked]').waitFor();
  await inSight(page, '#L1');

  const panel = await ask(page, 'How is a cup poured?');
  await panel.getByText('No language model is set up here').waitFor();
  await panel.locator('[data-asked=done]').waitFor();
  const cited = panel.locator('a.md-cite').filter({ hasText: 'src/pot.c' }).first();
  await cited.click();
  await page.waitForURL(/path=src\/pot\.c#L\d+-L\d+$/);
  await page.locator('.src-line[data-marked] .hljs-type, .src-line[data-marked] .hljs-keyword').first().waitFor();
  await page.getByRole('link', { name: 'Wikis' }).first().click();
  await page.getByRole('list', { name: 'Wikis' }).getByRole('link', { name: 'teahouse' }).waitFor();
  await page.getByText('Ready').waitFor();
  page.complaints = page.complaints.filter((said) => !/400/.test(said));
  await leave(page);
});

test('a model’s answer streams in, can be stopped, and is followed up', WAIT, async () => {
  const page = await enter(server);
  await page.goto(`${server.wiki}/source?path=src/pot.c`);
  await page.locator('#L1').waitFor();
  provider.script([{ deltas: ['It pours ', 'with care [src/pot.c:10-13].'], stallAfter: 1 }]);
  let before = chatsAsked().length;
  const panel = await ask(page, 'How is a cup poured?');
  await panel.getByText('It pours').waitFor();
  assert.equal(await panel.locator('a.md-cite').count(), 0, 'the rest has not come yet');
  const first = await chatAsked(before);
  first.resume();
  await panel.getByRole('link', { name: 'src/pot.c:10-13' }).first().waitFor();
  await panel.locator('[data-asked=done]').waitFor();
  await panel.getByText(/sources?$/).first().click();
  await panel.locator('footer').getByText('openai/test-model').waitFor();

  provider.script([{ deltas: ['Slowly', ' and'], stallAfter: 1 }]);
  before = chatsAsked().length;
  await ask(page, 'And how fast?');
  await panel.getByText('Slowly').waitFor();
  const second = await chatAsked(before);
  assert.ok(second.body.messages.some(({ content }) => String(content).includes('It pours with care')), 'what was said goes along');
  await panel.getByRole('button', { name: 'Stop the answer' }).click();
  await panel.getByText('Stopped.').waitFor();
  await provider.until(() => second.closedAt !== undefined);

  provider.script([{ deltas: ['## Research Plan\nlook\n## Next Steps\npot_heat'] }, { deltas: ['## Research Update 1\nmore'], stallAfter: 1 }, { deltas: ['## Final Conclusion\nall of it'] }]);
  before = chatsAsked().length;
  await panel.getByLabel('Research').check();
  await ask(page, 'How warm is the water?');
  await panel.getByText('Round 2').waitFor();
  (await chatAsked(before + 1)).resume();
  await panel.getByRole('heading', { name: 'Final Conclusion' }).waitFor();
  await panel.getByLabel('Research').uncheck();

  provider.script([{ status: 401, error: { message: 'bad key' } }]);
  await ask(page, 'Once more?');
  await panel.getByText('There is no answer.').waitFor();
  await leave(page);
});

test('an answer goes on while the page is reloaded, and earlier talks are found again', WAIT, async () => {
  const page = await enter(server);
  await page.goto(`${server.wiki}/source?path=src/pot.c`);
  const panel = page.getByRole('region', { name: 'Ask this repository' });
  provider.script([{ deltas: ['It pours ', 'with care [src/pot.c:10-13].'], stallAfter: 1 }]);
  let before = chatsAsked().length;
  await ask(page, 'Who pours the first cup?');
  await panel.getByText('It pours').waitFor();
  await page.reload();
  await panel.getByText('It pours').waitFor(); // joined again, in the middle
  await panel.getByRole('button', { name: 'Stop the answer' }).waitFor();
  assert.equal(await panel.locator('a.md-cite').count(), 0);
  (await chatAsked(before)).resume();
  await panel.locator('[data-asked=done] a.md-cite').first().waitFor();
  assert.equal(chatsAsked().length, before + 1, 'nothing was asked twice');

  // A research, which is joined on its way as well.
  await panel.getByRole('button', { name: 'New talk', exact: true }).click();
  await panel.getByText('Who pours the first cup?').waitFor({ state: 'detached' });
  provider.script([{ deltas: ['## Research Plan\nlook\n## Next Steps\npot_heat'] }, { deltas: ['## Research Update 1\nmore [src/pot.c:5-8]'], stallAfter: 1 }, { deltas: ['## Final Conclusion\nall of it'] }]);
  before = chatsAsked().length;
  await panel.getByLabel('Research').check();
  await ask(page, 'How warm is the water?');
  await panel.getByText('Round 2').waitFor();
  await page.reload();
  await panel.getByText('Round 2').waitFor();
  (await chatAsked(before + 1)).resume();
  await panel.getByRole('heading', { name: 'Final Conclusion' }).waitFor();
  await panel.locator('[data-asked=done]').waitFor();

  await panel.getByRole('button', { name: /^Earlier talks/ }).click();
  const talks = panel.getByRole('list', { name: 'Earlier talks' });
  await talks.getByRole('button', { name: /^How warm is the water/ }).waitFor();
  await talks.getByRole('button', { name: /^Who pours the first cup/ }).click();
  await panel.getByText('It pours with care').waitFor();
  await panel.getByText(/sources?$/).first().waitFor();

  // The same talk among the conversations with models: it says of what, leads to the lines, and goes on.
  await panel.getByRole('link', { name: 'Open among the conversations' }).click();
  await page.waitForURL(/\/c\/\d+$/);
  const list = page.getByRole('navigation', { name: 'Conversations' });
  await list.getByRole('link', { name: /Who pours the first cup\?\s*teahouse/ }).waitFor();
  const answer = page.getByRole('article', { name: 'Answer' }).first();
  await answer.locator('a.md-cite', { hasText: 'src/pot.c:10-13' }).waitFor();
  await answer.getByText(/sources?$/).waitFor();
  provider.script([{ deltas: ['Slowly [src/pot.c:10-13].'] }]);
  before = chatsAsked().length;
  await page.getByRole('textbox', { name: 'Ask something' }).fill('And how fast?');
  await page.getByRole('button', { name: 'Send' }).click();
  const second = page.getByRole('article', { name: 'Answer' }).nth(1);
  await second.locator('a.md-cite').waitFor();
  const told = (await chatAsked(before)).body.messages.map(({ content }) => String(content));
  assert.ok(told.some((one) => one.includes('It pours with care')) && told.some((one) => one.includes('pot_pour(int left')), 'the code goes along');
  await second.locator('a.md-cite').click();
  await page.waitForURL(/path=src\/pot\.c#L10-L13$/);
  await page.locator('#L10[data-marked]').waitFor();
  await panel.getByText('Slowly').waitFor(); // here it is open still, with what was asked there

  // Deleted, it is nowhere any more.
  await panel.getByRole('button', { name: /^Earlier talks/ }).click();
  await panel.getByRole('button', { name: 'Options for “Who pours the first cup?”' }).click();
  await page.getByRole('menuitem', { name: 'Delete' }).click();
  await talks.getByRole('button', { name: /^Who pours/ }).waitFor({ state: 'detached' });
  await panel.getByText('It pours with care').waitFor({ state: 'detached' });
  await leave(page);
});

/** Holds what the page asks of this address and method, until it is let go. */
function hold(page, address, method) {
  let go;
  const held = new Promise((resolve) => (go = resolve));
  const come = new Promise((resolve) => {
    page.route(address, async (route) => {
      if (route.request().method() !== method) return route.continue();
      resolve(route.request());
      await held;
      return route.continue();
    });
  });
  return { come, go };
}

test('a talk stays with its wiki, and is gone on with only where all of it is known', WAIT, async () => {
  const other = assertOk(await server.api('POST', '/wikis', { token: server.li.token, json: { url: path.join(folder, 'src') } }), 201);
  await until(() => server.api('GET', `/wikis/${other.id}`, { token: server.li.token }), ({ body }) => body.state === 'ready' && !body.progress, { what: 'the other wiki' });
  const page = await enter(server);
  const panel = page.getByRole('region', { name: 'Ask this repository' });
  const stored = (wiki) => page.evaluate((end) => Object.entries(localStorage).find(([key]) => key.startsWith('hutong.talk.') && key.endsWith(end))?.[1], `/w/${wiki}`);
  await page.goto(`${server.url}/w/${other.id}`);
  await page.locator('#page').getByRole('link', { name: 'Wikis' }).click();
  await page.locator(`a[href="/w/${server.id}"]`).first().click();
  await panel.waitFor();

  // The first question makes the talk; before that is known, the page shows the other wiki.
  const making = hold(page, '**/chat/conversations', 'POST');
  provider.script([{ deltas: ['It pours with care.'] }]);
  let before = chatsAsked().length;
  await ask(page, 'Whose cup is it?');
  assert.ok((await making.come).headers()['idempotency-key']);
  assert.ok(await panel.getByRole('button', { name: 'Stop the answer' }).isDisabled(), 'nothing is being answered yet');
  await page.evaluate(() => history.go(-2));
  await page.waitForURL(`${server.url}/w/${other.id}`);
  making.go();
  await chatAsked(before);
  await until(() => stored(server.id), Boolean, { what: 'the talk under its own wiki' });
  assert.equal(await stored(other.id), undefined);
  assert.equal(await panel.getByText('Whose cup is it?').count(), 0);

  // One that was stored under another wiki is not opened there.
  const talk = await stored(server.id);
  await page.evaluate(([from, to]) => {
    const key = Object.keys(localStorage).find((one) => one.startsWith('hutong.talk.') && one.endsWith(from));
    localStorage.setItem(key.slice(0, -from.length) + to, localStorage.getItem(key));
  }, [`/w/${server.id}`, `/w/${other.id}`]);
  await page.reload();
  await until(() => stored(other.id), (now) => now === undefined, { what: 'the wrong talk to be forgotten' });
  await panel.getByText('Whose cup is it?').waitFor({ state: 'detached' });

  // While it is loading, nothing is asked: it would begin anew.
  const loading = hold(page, `**/chat/conversations/${talk}/messages?*`, 'GET');
  await page.goto(server.wiki);
  await loading.come;
  await panel.getByRole('textbox', { name: 'Ask about the code' }).fill('And whose pot?');
  const button = panel.getByRole('button', { name: 'Ask', exact: true });
  assert.ok(await button.isDisabled());
  loading.go();
  provider.script([{ deltas: ['Everybody’s.'] }]);
  before = chatsAsked().length;
  await button.click();
  assert.ok((await chatAsked(before)).body.messages.some(({ content }) => String(content).includes('It pours with care')), 'what was said goes along');
  await panel.getByText('Everybody’s.').waitFor();
  await leave(page);
});

test('a book is read page by page, with its diagrams, in both looks', WAIT, async () => {
  const book = await write('# Pots\n\n## Heat\n\nHot [src/pot.c:5-8].\n\n```mermaid\ngraph TD\n  Pot -->|pours| Cup["<b>Cup</b>"]\n```\n\n## Broken\n\n```mermaid\ngitGraph\n  commit\n  merge nowhere\n```\n');
  for (const dark of [false, true]) {
    const page = await enter(server, { dark });
    await page.goto(book);
    const figures = page.locator('[data-diagram]');
    const drawn = page.locator('[data-diagram=drawn] img');
    await drawn.waitFor();
    await page.waitForFunction(() => document.querySelector('[data-diagram=drawn] img').naturalWidth > 50);
    assert.equal(await figures.count(), 2);
    await page.locator('[data-diagram=text]').getByText('This diagram could not be drawn.').waitFor();
    await page.locator('[data-diagram=text]').getByText('merge nowhere').waitFor();
    await page.getByRole('button', { name: 'Enlarge' }).click();
    const dialog = page.getByRole('dialog', { name: 'Diagram' });
    const width = () => dialog.locator('img').evaluate((one) => one.clientWidth);
    await page.waitForFunction(() => document.querySelector('[role=dialog] img')?.clientWidth > 0);
    const usual = await width();
    await dialog.getByRole('button', { name: 'Smaller' }).click();
    await page.waitForFunction((was) => document.querySelector('[role=dialog] img').clientWidth < was, usual);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await page.getByRole('list', { name: 'On this page' }).getByRole('link', { name: 'Broken' }).click();
    await inSight(page, '#h-broken');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.getByRole('region', { name: 'Ask this repository' }).isVisible(), false);
    assert.equal(await page.getByRole('heading', { name: 'Heat' }).isVisible(), true);
    await leave(page);
  }
});

test('the frame of the diagrams is an origin of its own', WAIT, async () => {
  const answer = await fetch(`${server.url}/diagram.html`);
  assert.match(answer.headers.get('content-security-policy'), /sandbox allow-scripts$/);
  const page = await enter(server);
  await page.goto(await write('# One\n\n```mermaid\ngraph TD\n  a-->b\n```\n'));
  await page.locator('[data-diagram=drawn]').waitFor();
  const frame = page.frames().find((one) => one.url().endsWith('/diagram.html'));
  assert.equal(await frame.evaluate(() => window.origin), 'null');
  assert.equal(await frame.evaluate(() => {
    try {
      return localStorage.length;
    } catch {
      return 'none';
    }
  }), 'none');
  await leave(page);
});

test('pages and files that mean harm are text', WAIT, async () => {
  const page = await enter(server);
  await page.goto(await write(`# Pots\n\n${EVIL}\n`));
  const article = page.getByRole('article', { name: 'Pots' });
  await article.getByText('inside').waitFor();
  await page.evaluate(() => {
    for (const element of document.querySelectorAll('main *')) element.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
  });
  const made = () => page.evaluate(() => document.querySelectorAll(
    'article :is(script, style, iframe, form, input, svg image, [onerror], [onload], [onclick], [onmouseover], [style*=fixed], .fixed, a[href^="javascript"], img:not([src^=blob]))').length);
  assert.equal(await made(), 0);
  for (const [rel, target] of await article.locator('a[href^="https:"]').evaluateAll((all) => all.map((one) => [one.rel, one.target]))) {
    assert.match(rel, /noopener noreferrer/);
    assert.equal(target, '_blank');
  }
  await page.goto(`${server.wiki}/source?path=README.md`);
  await page.locator('#L3').waitFor();
  await page.getByRole('button', { name: 'src' }).click();
  await page.getByText('<img src=x onerror=alert(1)>.c').click();
  await page.locator('#L1').getByText('odd').waitFor();
  assert.equal(await page.locator('.src img, .src script').count(), 0);
  await leave(page);
});

test('long files, lines that are chosen, names, and what was left out', WAIT, async () => {
  const page = await enter(server);
  await page.goto(`${server.wiki}/source?path=src/long.c#L8000-L8002`);
  await page.locator('#L8001[data-marked]').getByText('tea_8001').waitFor();
  await inSight(page, '#L8000');
  assert.ok(await page.locator('.src-line').count() <= 3000);
  await page.locator('#L8004 > a').click();
  await page.waitForURL(/#L8004$/);
  await page.locator('#L8006 > a').click({ modifiers: ['Shift'] });
  await page.waitForURL(/#L8004-L8006$/);
  assert.equal(await page.locator('[data-marked]').count(), 3);
  await page.getByLabel('Find a file by name').fill('pot h');
  await page.getByRole('navigation', { name: 'Files' }).getByRole('link', { name: 'src/pot.h' }).click();
  await page.locator('#L1').getByText('pot_heat').waitFor();
  await page.getByText('2 lines').waitFor();
  await page.goto(`${server.wiki}/source?path=.env`);
  await page.getByText('.env was left out of the index.').waitFor();
  await forgive(page, /404/);
  await page.getByLabel(/left out/).check();
  await page.getByRole('navigation', { name: 'Files' }).getByText('.env').waitFor();
  await page.getByRole('navigation', { name: 'Files' }).getByText('secret').waitFor();

  await page.getByRole('link', { name: 'Read', exact: true }).click();
  await page.getByRole('searchbox', { name: 'Search the code' }).fill('how is a cup poured');
  await page.getByRole('searchbox').press('Enter');
  await page.getByRole('list', { name: 'Lines of the code' }).getByRole('link', { name: /src\/pot\.c/ }).first().click();
  await page.waitForURL(/path=src\/pot\.c#L/);
  await leave(page);
});

test('a book that is being written shows how far it is, and stops and goes on', WAIT, async () => {
  const plan = { title: 'Slow', description: 'x', sections: [{ title: 'All', pages: ['One', 'Two'].map((title) => ({ title, description: 'x', importance: 'high', files: ['src/pot.c'] })) }] };
  provider.script([{ deltas: [JSON.stringify(plan)] }, { deltas: ['# P'], stallAfter: 'headers' }, { deltas: ['# S'], stallAfter: 'headers' }]);
  const page = await enter(server);
  await page.goto(`${server.wiki}/about`);
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Web page' }).first().click()]);
  assert.match(file.suggestedFilename(), /^teahouse_wiki_\d+_\d+\.html$/);
  await page.getByRole('button', { name: 'Write a wiki' }).click();
  await page.getByText('0 of 2 pages').waitFor();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.locator('[data-book=stopped]').waitFor();
  provider.script([{ deltas: ['# One\n\nfirst words'] }, { deltas: ['# Two\n\nsecond words'] }]);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText(/first words|second words/).waitFor();
  await page.getByRole('link', { name: 'Two' }).first().click();
  await page.getByRole('article', { name: 'Two' }).getByText(/words/).waitFor();
  await page.getByRole('link', { name: 'About' }).click();
  const row = page.getByRole('listitem').filter({ hasText: 'Slow' });
  await row.getByRole('button', { name: 'Delete' }).click();
  await row.waitFor({ state: 'detached' });
  await page.getByRole('textbox', { name: 'Name' }).fill('tea-house');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  await page.getByRole('heading', { name: 'tea-house' }).waitFor();
  await leave(page);
});

test('on a phone the contents are a drawer and questions a sheet; a stranger may read and ask', WAIT, async () => {
  const book = await write('# Pots\n\nHot [src/pot.c:5-8].\n');
  const page = await visit(browser, server, { phone: true });
  await page.goto(`${server.url}/`);
  await page.getByRole('link', { name: 'Wikis' }).click();
  await page.getByRole('list', { name: 'Wikis' }).getByRole('link').first().click();
  await page.goto(book);
  await page.getByRole('article', { name: 'Pots' }).waitFor();
  await page.getByRole('button', { name: 'Contents' }).click();
  await page.getByRole('dialog', { name: 'Contents' }).getByRole('link', { name: 'Pots' }).waitFor();
  await page.keyboard.press('Escape');
  provider.script([{ deltas: ['With care [src/pot.c:10-13].'] }]);
  await page.getByRole('button', { name: 'Ask' }).click();
  const sheet = page.getByRole('dialog', { name: 'Ask this repository' });
  await sheet.getByRole('textbox').fill('How is a cup poured?');
  await sheet.getByRole('button', { name: 'Ask', exact: true }).click();
  await sheet.locator('a.md-cite').first().click();
  await page.locator('#L10[data-marked]').waitFor();
  await sheet.waitFor({ state: 'detached' });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing sticks out');
  await page.getByRole('button', { name: 'Ask' }).click();
  await sheet.getByText('With care').waitFor(); // it is still there
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Source' }).click();
  await page.getByRole('navigation', { name: 'Files' }).getByRole('link', { name: 'README.md' }).click();
  await page.locator('#L3').getByText('Keeps every pot warm').waitFor();

  await page.goto(`${server.url}/w`);
  await page.getByLabel('Address or folder').fill('git/git');
  await page.getByRole('button', { name: 'Add repository' }).click();
  await page.getByRole('alert').filter({ hasText: 'log in first' }).waitFor();
  await forgive(page, /401/);
  await leave(page);
});

test('a stranger shows the access code, where one is wanted', WAIT, async () => {
  const closed = await startServer({ env: { HUTONG_WIKI_ROOTS: roots, HUTONG_LLM_MODEL: 'offline', HUTONG_WIKI_AUTH_MODE: 'true', HUTONG_WIKI_AUTH_CODE: 'open sesame' } });
  const page = await visit(browser, closed);
  await page.goto(`${closed.url}/w`);
  const code = page.getByLabel('Access code');
  await code.fill('open barley');
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByText('That is not the code.').waitFor();
  await code.fill('open sesame');
  await page.getByRole('button', { name: 'Enter' }).click();
  await page.getByText('The code is right.').waitFor();
  await page.getByLabel('Address or folder').fill(folder);
  await page.getByRole('button', { name: 'Add repository' }).click();
  await page.getByText('Nothing has been written about it yet.').waitFor();
  await leave(page);
  await closed.stop();
});

test('a diagram that means harm does none, not even in its frame', WAIT, async () => {
  const page = await enter(server);
  await page.goto(await write(`# Pots\n\n\`\`\`mermaid\ngraph TD\n  a["<img src=x onerror=${HARM}>"]-->b\n  click a "javascript:${HARM}"\n  style b fill:url(https://evil.example/x)\n\`\`\`\n`));
  await page.locator('[data-diagram=drawn], [data-diagram=text]').waitFor();
  const frame = page.frames().find((one) => one.url().endsWith('/diagram.html'));
  assert.equal(await frame.evaluate(() => window.harmed), undefined);
  page.complaints = page.complaints.filter((said) => !/Content Security Policy/.test(said)); // what the frame was kept from
  await leave(page);
});
