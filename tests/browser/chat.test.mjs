// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Conversations with models in the browser app: answers as they are written, branches, other devices,
// and models that mean harm.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { logIn, visit } from '../support/app.mjs';
import { openBrowser } from '../support/browser.mjs';
import { assertOk } from '../support/checks.mjs';
import { startProvider } from '../support/provider.mjs';
import { startServer } from '../support/server.mjs';

const WAIT = { timeout: 120_000 };
const PASSWORD = 'correct horse';
const base = '/chat/conversations';

let provider, server, browser, lan;
before(async () => {
  provider = await startProvider();
  [server, browser] = await Promise.all([
    startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/test-model', HUTONG_CHAT_TITLES: 'off' } }),
    openBrowser(),
  ]);
  lan = await server.register('lan', { password: PASSWORD });
});
after(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

const box = (page) => page.getByRole('textbox', { name: 'Ask something' });
const answers = (page) => page.getByRole('article', { name: 'Answer' });
const complete = (page, text) => page.locator('article[data-status=complete]', { hasText: text }).waitFor();
const chatOf = (page) => Number(/\/c\/(\d+)/.exec(page.url())[1]);

async function open(t, path = '/c', { at = server, ...how } = {}) {
  const page = await visit(browser, at, how);
  t.after(() => page.context().close());
  await logIn(page, at, 'lan', PASSWORD);
  await page.goto(at.url + path);
  return page;
}

async function ask(page, text) {
  await box(page).fill(text);
  await box(page).press('Enter');
}

// The request for the answer to what is asked next (lists of models are asked for, too).
function nextAsked() {
  const at = provider.requests.length;
  return () => provider.until(() => provider.requests.slice(at).find(({ kind, body }) => kind === 'chat' && body), { what: 'a question' });
}

// A conversation that has an answer.
async function begin(t, question = 'First?', answer = 'First answer.', how) {
  const page = await open(t, '/c', how);
  provider.script([{ deltas: [answer] }]);
  await ask(page, question);
  await complete(page, answer);
  await page.waitForURL(/\/c\/\d+$/);
  return page;
}

function clean(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(page.strangers, [], 'nothing comes from elsewhere');
  }
}

test('a question begins a conversation, and its answer is seen as it is written', WAIT, async (t) => {
  const page = await open(t);
  await page.getByText('No conversations yet').waitFor();
  provider.script([{ deltas: ['Hel', 'lo **world**', '\n\nThe end'], reasoning: ['hm', ' ha'], stallAfter: 3, usage: { input: 1234, output: 5 } }]);
  const request = nextAsked();
  await ask(page, 'Say hello');
  const asked = await request();
  await provider.until(() => asked.stalled);
  await page.waitForURL(/\/c\/\d+$/);
  const answer = answers(page);
  await answer.getByText('Hel', { exact: true }).waitFor();
  assert.equal(await answer.getAttribute('data-status'), 'streaming');
  assert.equal(await answer.getAttribute('aria-busy'), 'true');
  assert.equal(await answer.locator('details').evaluate((details) => details.open), false, 'thoughts are folded when the answer begins');
  assert.equal(await page.getByRole('status').filter({ hasText: 'Answer:' }).count(), 0, 'nothing is announced word by word');
  assert.equal(await box(page).inputValue(), '');
  asked.resume();
  await complete(page, 'Hello world');
  assert.equal(await answer.locator('strong').textContent(), 'world');
  assert.equal(await answer.locator('details p').textContent(), 'hm ha');
  await answer.getByText('openai/test-model · 1,234 tokens in, 5 out').waitFor();
  await page.getByRole('status').filter({ hasText: 'Answer: Hello world' }).waitFor({ state: 'attached' });
  await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link', { name: 'Say hello' }).waitFor();
  clean(page);
});

test('a conversation whose making was answered on a dead network is made once', WAIT, async (t) => {
  const page = await open(t);
  const before = assertOk(await server.api('GET', base, { token: lan.token })).items.length;
  let lost = false;
  await page.route((url) => url.pathname === base, async (route) => {
    if (lost || route.request().method() !== 'POST') return route.continue();
    lost = true;
    await route.fetch(); // it reached the server
    return route.abort();
  });
  await ask(page, 'Is anybody there?');
  await page.getByText('The server was not reached.').waitFor();
  assert.equal(await box(page).inputValue(), 'Is anybody there?');
  provider.script([{ deltas: ['Yes.'] }]);
  await box(page).press('Enter');
  await complete(page, 'Yes.');
  assert.equal(assertOk(await server.api('GET', base, { token: lan.token })).items.length, before + 1);
  assert.deepEqual(page.strangers, []);
});

test('what a name of a sign stands for is read, a line break too', WAIT, async (t) => {
  const page = await open(t);
  provider.script([{ deltas: ['one&NewLine;two &hellip; &notit; &amp;lt;'] }]);
  await ask(page, 'Signs?');
  await complete(page, 'two');
  assert.equal(await answers(page).locator('.md p').first().textContent(), 'one\ntwo … &notit; &lt;');
  clean(page);
});

test('while a model only thinks, its thoughts are open', WAIT, async (t) => {
  const page = await open(t);
  provider.script([{ deltas: ['Done'], reasoning: ['let me', ' see'], stallAfter: 2 }]);
  const request = nextAsked();
  await ask(page, 'Think');
  const details = answers(page).locator('details');
  await details.getByText('let me see').waitFor();
  await details.getByText('Thinking …').waitFor();
  (await request()).resume();
  await complete(page, 'Done');
  await details.getByText('Thoughts').waitFor();
  clean(page);
});

test('stop ends an answer, and another try is offered', WAIT, async (t) => {
  const page = await open(t);
  provider.script([{ deltas: ['half', ' never'], stallAfter: 1 }, { deltas: ['the whole'] }]);
  const request = nextAsked();
  await ask(page, 'At length');
  await answers(page).getByText('half', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Stop the answer' }).click();
  await answers(page).getByText('Stopped.').waitFor();
  const asked = await request();
  await provider.until(() => asked.closedAt);
  await page.getByRole('button', { name: 'Try again' }).click();
  await complete(page, 'the whole');
  clean(page);
});

test('a reload in the middle of an answer loses no word', WAIT, async (t) => {
  const page = await open(t);
  const words = Array.from({ length: 30 }, (_, i) => `w${i} `);
  provider.script([{ deltas: words, stallAfter: 15 }]);
  const request = nextAsked();
  await ask(page, 'Count');
  const asked = await request();
  await provider.until(() => asked.stalled);
  const half = words.slice(0, 15).join('').trim();
  await answers(page).getByText(half, { exact: true }).waitFor();
  await page.waitForURL(/\/c\/\d+$/);
  await page.reload();
  await answers(page).getByText(half, { exact: true }).waitFor();
  asked.resume();
  await complete(page, words.join('').trim());
  assert.equal((await answers(page).locator('.md').textContent()).trim(), words.join('').trim());
  clean(page);
});

test('what is asked while a conversation is loading goes when it is there, and belongs to what was said', WAIT, async (t) => {
  const page = await begin(t);
  let go;
  const held = new Promise((resolve) => (go = resolve));
  await page.route(`**${base}/${chatOf(page)}/messages?*`, async (route) => {
    await held;
    await route.continue();
  });
  await page.reload();
  await ask(page, 'And then?');
  const send = page.getByRole('button', { name: 'Send' });
  assert.ok(await send.isDisabled());
  assert.equal(await box(page).inputValue(), 'And then?');
  provider.script([{ deltas: ['Then the second.'] }]);
  const request = nextAsked();
  go();
  await complete(page, 'Then the second.');
  assert.equal(await box(page).inputValue(), '');
  assert.ok((await request()).body.messages.some(({ content }) => String(content).includes('First answer.')), 'what was said goes along');
  clean(page);
});

test('another answer is a branch beside the first', WAIT, async (t) => {
  const page = await begin(t, 'Which colour?', 'Red.');
  provider.script([{ deltas: ['Blue.'] }]);
  await page.getByRole('button', { name: 'Another answer' }).click();
  await complete(page, 'Blue.');
  await page.getByText('2 of 2').waitFor();
  assert.equal(await answers(page).count(), 1);
  await page.getByRole('button', { name: 'Previous version' }).click();
  await complete(page, 'Red.');
  await page.getByText('1 of 2').waitFor();
  // What is asked now goes on from the answer that is shown.
  provider.script([{ deltas: ['As roses.'] }]);
  const request = nextAsked();
  await ask(page, 'Why?');
  await complete(page, 'As roses.');
  const { body } = await request();
  assert.deepEqual(body.messages.map(({ content }) => content), ['Which colour?', 'Red.', 'Why?']);
  await page.reload();
  await complete(page, 'As roses.');
  clean(page);
});

test('an edited question is a branch with an answer of its own', WAIT, async (t) => {
  const page = await begin(t, 'How tall is it?', 'Ten metres.');
  provider.script([{ deltas: ['Three metres.'] }]);
  await page.getByRole('button', { name: 'Edit question' }).click();
  await page.getByRole('textbox', { name: 'Edit question' }).fill('How wide is it?');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await complete(page, 'Three metres.');
  assert.equal(await page.getByText('How tall is it?', { exact: true }).and(page.locator('article p')).count(), 0);
  await page.getByRole('button', { name: 'Previous version' }).click();
  await complete(page, 'Ten metres.');
  await page.locator('article p', { hasText: 'How tall is it?' }).waitFor();
  const { items } = assertOk(await server.api('GET', `${base}/${chatOf(page)}/messages`, { token: lan.token }));
  assert.deepEqual(items.filter(({ role }) => role === 'user').map(({ parent }) => parent), [0, 0]);
  clean(page);
});

test('another device sees what is asked, written, renamed and deleted', WAIT, async (t) => {
  const desk = await begin(t, 'Hello there', 'Hello.');
  const phone = await open(t, new URL(desk.url()).pathname, { phone: true });
  await complete(phone, 'Hello.');
  provider.script([{ deltas: ['on', ' its', ' way'], stallAfter: 1 }]);
  const request = nextAsked();
  await ask(desk, 'And now?');
  for (const page of [desk, phone]) await answers(page).getByText('on', { exact: true }).waitFor();
  await phone.getByText('And now?').waitFor();
  (await request()).resume();
  for (const page of [desk, phone]) await complete(page, 'on its way');
  await phone.getByRole('button', { name: 'Options for “Hello there”' }).click();
  await phone.getByRole('menuitem', { name: 'Rename' }).click();
  await phone.getByRole('textbox', { name: 'Name of the conversation' }).fill('Greetings');
  await phone.keyboard.press('Enter');
  await desk.getByRole('heading', { name: 'Greetings' }).waitFor();
  await desk.getByRole('link', { name: 'Greetings' }).waitFor();
  const download = desk.waitForEvent('download');
  await desk.getByRole('main').getByRole('button', { name: 'Options for “Greetings”' }).last().click();
  await desk.getByRole('menuitem', { name: 'Export as Markdown' }).click();
  assert.equal((await download).suggestedFilename(), 'Greetings.md');
  desk.on('dialog', (dialog) => dialog.accept());
  await desk.getByRole('main').getByRole('button', { name: 'Options for “Greetings”' }).last().click();
  await desk.getByRole('menuitem', { name: 'Delete' }).click();
  for (const page of [desk, phone]) await page.waitForURL(`${server.url}/c`);
  await phone.getByRole('navigation', { name: 'Conversations' }).waitFor();
  assert.equal(await phone.getByRole('link', { name: 'Greetings' }).count(), 0);
  clean(desk, phone);
});

const HOSTILE = [
  '<script>window.pwned = 1</script>', '<img src=x onerror="window.pwned = 1">', '<svg onload="window.pwned = 1">',
  '<iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>', '<style>body { display: none }</style>',
  '<a href="javascript:window.pwned = 1">a</a>', '[one](javascript:window.pwned=1)', '[two](JaVaScRiPt&colon;window.pwned=1)',
  '[three](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)', '[four](vbscript:x)', '[five](java\nscript:window.pwned=1)',
  '![pixel](https://tracker.example/pixel.png?who=lan)', '![by name][t]', '[t]: https://tracker.example/t.png',
  '[![inside](https://tracker.example/i.png)](https://good.example/)', '![](//tracker.example/none.png)', '![d](data:image/svg+xml,<svg/onload=alert(1)>)',
  '| a | b |\n|:-:|--:|\n| <b>x</b> | `"><script>window.pwned = 1</script>` |', '<https://auto.example/">x>', '<javascript:alert(1)>',
  '```"><img src=x onerror=window.pwned=1>\n</code></pre><script>window.pwned = 1</script>\n```',
  '```html\n<script>window.pwned = 1</script><img src=https://tracker.example/c.png>\n```', '[q](https://good.example/"onmouseover="window.pwned=1)',
  '<math><mtext><table><mglyph><style><img src=x onerror=window.pwned=1>', '<form action=https://tracker.example><button>Log in again</button></form>',
  '\u202e</div></article>', '<details open ontoggle=window.pwned=1>', '[s](/settings)', '<base href=https://tracker.example/>',
];

test('hostile answers, thoughts, questions and titles are words and no more', WAIT, async (t) => {
  const all = HOSTILE.join('\n\n');
  const page = await open(t);
  page.on('dialog', (dialog) => { page.complaints.push(`a dialog: ${dialog.message()}`); void dialog.dismiss(); });
  // In small pieces, so that every half of it is shown as well.
  const pieces = all.match(/[\s\S]{1,7}/g);
  provider.script([{ deltas: [...pieces, 'Harmless end.'], reasoning: [HOSTILE[0], HOSTILE[1]] }]);
  await ask(page, HOSTILE.slice(0, 6).join(' '));
  await complete(page, 'Harmless end.');
  const chat = chatOf(page);
  assertOk(await server.api('PATCH', `${base}/${chat}`, { token: lan.token, json: { title: HOSTILE[1] } }));
  await page.getByRole('heading', { name: HOSTILE[1] }).waitFor();
  for (let visitNo = 0; visitNo < 2; visitNo++) {
    const found = await page.evaluate(() => ({
      pwned: window.pwned,
      elements: [...document.querySelectorAll('main :is(script, img, iframe, object, embed, style, form[action], base, video, audio, link, math)')].map(({ outerHTML }) => outerHTML),
      handlers: [...document.querySelectorAll('.md *')].filter((one) => [...one.attributes].some(({ name }) => /^on|^style$|^src|^srcset|^id$/.test(name))).length,
      links: [...document.querySelectorAll('.md a')].map((one) => [one.getAttribute('href'), one.target, one.rel]),
      buttons: [...document.querySelectorAll('.md button')].map(({ textContent }) => textContent),
    }));
    assert.equal(found.pwned, undefined);
    assert.deepEqual(found.elements, []);
    assert.equal(found.handlers, 0);
    assert.ok(found.links.length >= 4);
    for (const [href, target, rel] of found.links) {
      assert.match(href, /^https?:\/\//);
      assert.deepEqual([target, rel], ['_blank', 'noopener noreferrer nofollow']);
    }
    assert.deepEqual([...new Set(found.buttons)], ['Copy']);
    // A picture is its words and a link.
    assert.equal(await page.getByRole('link', { name: 'pixel' }).getAttribute('href'), 'https://tracker.example/pixel.png?who=lan');
    await page.getByRole('link', { name: 'by name' }).waitFor();
    clean(page);
    await page.goto(`${server.url}/c/${chat}`);
    await complete(page, 'Harmless end.');
  }
});

test('colours for code are loaded with the first code, which can be copied', WAIT, async (t) => {
  const page = await open(t);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  const heavy = [];
  page.on('request', (request) => { if (/heavy-(highlight|code)/.test(request.url())) heavy.push(/heavy-(highlight|code-[a-z]+)/.exec(request.url())[1]); });
  provider.script([{ deltas: ['| a | b |\n|---|---|\n| 1 | 2 |\n\n- x\n'] }, { deltas: ['```python\nif x:\n', '    print("<hi>")\n', '```\nBehind it.'] }]);
  await ask(page, 'A table');
  await complete(page, 'x');
  assert.equal(await answers(page).locator('td').count(), 2);
  assert.deepEqual(heavy, []);
  await ask(page, 'Some code');
  await complete(page, 'Behind it.');
  await page.locator('.hljs-keyword', { hasText: 'if' }).waitFor();
  assert.deepEqual(heavy.sort(), ['code-python', 'highlight'], 'only the language that is needed');
  await page.locator('figcaption', { hasText: 'python' }).getByRole('button', { name: 'Copy' }).click();
  await page.getByText('Copied').waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'if x:\n    print("<hi>")\n');
  clean(page);
});

test('an answer that failed says why, and can be tried again', WAIT, async (t) => {
  const page = await open(t);
  provider.script([{ status: 401, error: { message: 'no' } }, { deltas: ['the half'], endAfter: 1 }, { deltas: [], finish: 'filter' }, { deltas: ['Now it works.'] }]);
  await ask(page, 'Will it work?');
  await answers(page).getByText(/There is no answer\. .*openai does not accept/).waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await answers(page).getByText('The answer is not whole.').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await answers(page).getByText('The model did not answer this.').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await complete(page, 'Now it works.');
  await page.getByText('4 of 4').waitFor();
  clean(page);
});

test('the view stays at the end only if the reader is there', WAIT, async (t) => {
  const page = await open(t);
  const lines = Array.from({ length: 80 }, (_, i) => `line ${i}\n\n`);
  provider.script([{ deltas: [lines.slice(0, 40).join(''), lines.slice(40, 60).join(''), lines.slice(60).join('')], stallAfter: 1 }]);
  const request = nextAsked();
  await ask(page, 'Many lines');
  const inView = (text) => page.getByText(text, { exact: true }).evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= window.innerHeight;
  });
  await page.getByText('line 39', { exact: true }).waitFor();
  await page.waitForFunction(() => {
    const view = document.querySelector('section > div.overflow-y-auto');
    return view.scrollTop > 0 && view.scrollHeight - view.scrollTop - view.clientHeight < 4;
  });
  assert.equal(await inView('line 39'), true);
  await page.getByText('line 5', { exact: true }).hover();
  await page.mouse.wheel(0, -5000);
  await page.getByRole('button', { name: 'Jump to the newest' }).waitFor();
  (await request()).resume();
  await complete(page, 'line 79');
  assert.equal(await inView('line 79'), false);
  assert.equal(await inView('line 0'), true);
  await page.getByRole('button', { name: 'Jump to the newest' }).click();
  assert.equal(await inView('line 79'), true);
  await page.getByRole('button', { name: 'Jump to the newest' }).waitFor({ state: 'hidden' });
  clean(page);
});

test('drafts, line breaks, compositions, model and instructions; on a phone one thing at a time', WAIT, async (t) => {
  const page = await open(t, '/c', { phone: true });
  await box(page).fill('not sent');
  await page.reload();
  assert.equal(await box(page).inputValue(), 'not sent');
  await box(page).fill('ni');
  await box(page).dispatchEvent('keydown', { key: 'Enter', isComposing: true });
  await box(page).dispatchEvent('keydown', { key: 'Enter', keyCode: 229 });
  await box(page).press('Shift+Enter');
  await box(page).pressSequentially('hao');
  assert.equal(await box(page).inputValue(), 'ni\nhao');
  await page.getByRole('button', { name: 'Instructions' }).click();
  await page.getByRole('textbox', { name: 'Instructions' }).fill('Be short.');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('combobox', { name: 'Model' }).selectOption('openai/test-model');
  provider.script([{ deltas: ['Hao.'] }]);
  const request = nextAsked();
  await box(page).press('Enter');
  await complete(page, 'Hao.');
  const { body } = await request();
  assert.deepEqual(body.messages.map(({ role, content }) => [role, content]), [['system', 'Be short.'], ['user', 'ni\nhao']]);
  const made = assertOk(await server.api('GET', `${base}/${chatOf(page)}`, { token: lan.token }));
  assert.deepEqual([made.model, made.system], ['openai/test-model', 'Be short.']);
  assert.equal(await page.getByRole('navigation', { name: 'Conversations' }).isVisible(), false);
  await page.getByRole('link', { name: 'All conversations' }).click();
  await page.getByRole('navigation', { name: 'Conversations' }).waitFor();
  assert.equal(await answers(page).count(), 0);
  clean(page);
});

test("the built-in engine's answers are marked as such", WAIT, async (t) => {
  const other = await startServer();
  t.after(() => other.stop());
  await other.register('lan', { password: PASSWORD });
  const page = await open(t, '/c', { at: other, locale: 'zh-CN' });
  await page.getByRole('textbox', { name: '提个问题' }).fill('你好');
  await page.keyboard.press('Enter');
  const answer = page.locator('article[data-status=complete]');
  await answer.waitFor();
  await answer.getByText('内置引擎').waitFor();
  await answer.getByText(/没有语言模型作答/).waitFor({ state: 'attached' });
  clean(page);
});

test('why another than the chosen model answers is said, also after a reload', WAIT, async (t) => {
  const other = await startServer({ env: { HUTONG_OPENAI_BASE: provider.base('openai'), HUTONG_LLM_MODEL: 'openai/m', HUTONG_LLM_FALLBACK: 'offline', HUTONG_CHAT_TITLES: 'off' } });
  t.after(() => other.stop());
  await other.register('lan', { password: PASSWORD });
  provider.script([{ status: 401, error: { code: 'invalid_api_key', message: 'no' } }]);
  const page = await open(t, '/c', { at: other, locale: 'zh-CN' });
  await page.getByRole('textbox', { name: '提个问题' }).fill('你好');
  await page.keyboard.press('Enter');
  const why = page.locator('article[data-status=complete] [data-instead]');
  await why.waitFor();
  assert.match(await why.textContent(), /没有由所选模型作答的原因：openai 不接受/);
  await page.reload();
  await why.waitFor();
  clean(page);
});
