// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Wikis without a browser: citations and links, the events of an answer, trees, lines of source.
import { describe, expect, test } from 'vitest';
import type { ChatTurn } from '../src/api/client';
import { answerOf, historyOf, isOver, newAnswer, takeEvent } from '../src/wiki/answer';
import { citationAt, fileOf, hashOf, linesOf, sourceOf } from '../src/wiki/links';
import { partsOf, tamed, wikiMarkdown, type Reading } from '../src/wiki/markdown';
import { cutLines, languageOf, windowOf } from '../src/wiki/source';
import { filesNamed, foldersOf, rowsOf, sectionsOf, type BookPage, type WikiFile } from '../src/wiki/tree';

const reading = (): Reading => ({ wiki: 3, headings: [] });
const html = (text: string): string => wikiMarkdown.render(text, reading());

describe('lines in addresses', () => {
  test.each([['#L4', 4, 4], ['#L4-L7', 4, 7], ['#L7-L4', 4, 7], ['#L4-7', 4, 7]])('%s', (hash, first, last) => {
    expect(linesOf(hash)).toEqual({ first, last });
  });
  test.each(['', '#h-4', '#L0', '#L', '#L4-L', '#L4x', '#L99999999999'])('%s is none', (hash) => expect(linesOf(hash)).toBeNull());
  test('there and back', () => {
    expect(hashOf({ first: 4, last: 4 })).toBe('#L4');
    expect(sourceOf(3, 'docs/说明 & more.md', { first: 1, last: 2 })).toBe('/w/3/source?path=docs/%E8%AF%B4%E6%98%8E%20%26%20more.md#L1-L2');
  });
});

describe('citations', () => {
  test('their path and lines, and how long they are', () => {
    expect(citationAt('see [src/pot.c:4-7].', 4)).toEqual({ path: 'src/pot.c', first: 4, last: 7, length: 15 });
    expect(citationAt('[a.c:9]', 0)).toMatchObject({ path: 'a.c', first: 9, last: 9 });
    expect(citationAt('[a.c:9-12]()', 0)).toMatchObject({ last: 12, length: 12 });
  });
  test.each(['[a.c]', '[a.c:x]', '[:4]', '[http://evil.example:80]', '[a.c:0-4]', 'a.c:4'])('%s is none', (text) => expect(citationAt(text, 0)).toBeNull());
  test('become links to their lines, whatever is in their path', () => {
    expect(html('In [src/__init__.py:1-2] and [b*c*.rs:3].')).toBe(
      '<p>In <a href="/w/3/source?path=src/__init__.py#L1-L2" class="md-cite">src/__init__.py:1-2</a> and '
      + '<a href="/w/3/source?path=b*c*.rs#L3" class="md-cite">b*c*.rs:3</a>.</p>\n');
  });
  test('a link keeps its own address', () => expect(html('[a.c:4](https://example.org/)')).toContain('href="https://example.org/"'));
  test('in code they are code', () => expect(html('`[a.c:4]`')).toBe('<p><code>[a.c:4]</code></p>\n'));
});

describe('links', () => {
  test.each([['docs/x.md', 'docs/x.md'], ['./a/../b.md#part', 'b.md'], ['/README.md', 'README.md'], ['../../x', 'x'], ['a%20b', 'a b']])('%s is the file %s', (address, path) => {
    expect(fileOf(address)).toBe(path);
  });
  test.each(['https://x.org', 'javascript:alert(1)', 'JAVASCRIPT:x', '//evil.example', 'data:text/html,x', '#part', '', '..', '\\\\evil\\x'])('%s is no file', (address) => {
    expect(fileOf(address)).toBeNull();
  });
  test('lead to files and headings of here', () => {
    expect(html('[more](docs/x.md) [up](#First-steps)')).toContain('href="/w/3/source?path=docs/x.md"');
    expect(html('[up](#First-steps)')).toContain('href="#h-first-steps"');
    expect(html('[x](javascript:alert(1))')).not.toContain('href');
  });
});

test('headings are a level lower and can be linked to, each by its own name', () => {
  const env = reading();
  const made = wikiMarkdown.render('# Pots\n\n## How `hot`?\n\n## 泡茶\n\n## Pots\n', env);
  expect(env.headings).toEqual([
    { id: 'h-pots', level: 1, text: 'Pots' }, { id: 'h-how-hot', level: 2, text: 'How hot?' },
    { id: 'h-泡茶', level: 2, text: '泡茶' }, { id: 'h-pots-2', level: 2, text: 'Pots' },
  ]);
  expect(made).toContain('<h2 id="h-pots">Pots</h2>');
});

test('diagrams stand apart from the text', () => {
  const text = '# A\n\n```mermaid\ngraph TD\n a-->b\n```\n\nmore\n\n- ```mermaid\n  x\n  ```\n';
  expect(partsOf(text, reading()).map(({ diagram, source }) => [diagram, source.trim()])).toEqual([
    [false, '# A'], [true, 'graph TD\n a-->b'], [false, 'more\n\n- ```mermaid\n  x\n  ```'],
  ]);
});

describe('HTML of strangers', () => {
  test.each([
    ['<details open ontoggle=x><summary class="fixed">A</summary>B</details>', '<details><summary>A</summary>B</details>'],
    ['<script>alert(1)</script>', 'alert(1)'],
    ['<img src=x onerror=alert(1) alt="A & B">', 'A &amp; B'], ['<img alt="A <b>">', '&lt;img alt=&quot;A <b>&quot;&gt;'],
    ['<a href="https://x.org/?a=1&b" onclick=x>x</a>', '<a href="https://x.org/?a=1&amp;b" target="_blank" rel="noopener noreferrer nofollow">x</a>'],
    ['<a href="javascript:alert(1)">x</a>', 'x</a>'],
    ['<img src=x onerror=alert(1)', '&lt;img src=x onerror=alert(1)'],
    ['<p title=">" onclick="x">', '<p>&quot; onclick=&quot;x&quot;&gt;'],
    ['<!-- <script> --><br/>', '<br>'], ['<svg/onload=alert(1)>', ''], ['a < b & c', 'a &lt; b &amp; c'],
  ])('%s', (text, made) => expect(tamed(text)).toBe(made));
});

describe('an answer', () => {
  const after = (...events: Record<string, unknown>[]) => {
    const answer = newAnswer();
    for (const event of events) takeEvent(answer, event as { type: string });
    return answer;
  };
  const source = { path: 'a.c', first: 1, last: 9, symbol: 'f' };
  test('goes through its events', () => {
    expect(after({ type: 'waiting', stage: 'indexing', percent: 40 })).toMatchObject({ state: 'fetching', stage: 'indexing', percent: 40 });
    expect(after({ type: 'start' }).state).toBe('looking');
    const done = after({ type: 'start' }, { type: 'context', sources: [source] }, { type: 'model', site: 'openai', model: 'm' },
      { type: 'delta', text: 'It ' }, { type: 'delta', text: 'pours' }, { type: 'done', removed: 2 });
    expect(done).toMatchObject({ state: 'done', text: 'It pours', model: 'openai/m', removed: 2, sources: [source] });
    expect(isOver(done)).toBe(true);
  });
  test('rounds stand apart, and a source that comes again is one', () => {
    const all = after({ type: 'round', round: 1 }, { type: 'context', sources: [source] }, { type: 'delta', text: 'Plan' },
      { type: 'round', round: 2, last: true }, { type: 'context', sources: [source] }, { type: 'delta', text: 'End' });
    expect(all).toMatchObject({ text: 'Plan\n\nEnd', round: 2, lastRound: true });
    expect(all.sources).toHaveLength(1);
  });
  test('what failed keeps its text; nothing comes behind an end; the unknown is passed over', () => {
    const failed = after({ type: 'delta', text: 'Half' }, { type: 'error', fault: 'upstream', detail: 'gone' }, { type: 'delta', text: 'x' });
    expect(failed).toMatchObject({ state: 'failed', text: 'Half', detail: 'gone' });
    expect(after({ type: 'later-invention' })).toEqual(newAnswer());
  });
  test('one that is kept says how far it is, and how it ended', () => {
    const kept = (more: Partial<ChatTurn>) => answerOf({
      id: 2, parent: 1, role: 'assistant', status: 'streaming', content: '', reasoning: '', site: '', model: '', offline: false, detail: '',
      input_tokens: null, output_tokens: null, estimated: false, asked: null, found: null, created_at: '2026-01-01T00:00:00', ...more,
    });
    const found = { round: 2, last: false, sources: [source], notices: [], cited: 0, removed: 1 };
    expect([kept({}), kept({ found }), kept({ found, content: 'x' })].map(({ state }) => state)).toEqual(['looking', 'reading', 'writing']);
    const ends = (['complete', 'failed', 'refused', 'interrupted', 'cut_off'] as const).map((status) => kept({ status }).state);
    expect(ends).toEqual(['done', 'failed', 'failed', 'stopped', 'cut']);
    expect(kept({ status: 'complete', content: 'Yes', found, site: 'openai', model: 'm' }))
      .toMatchObject({ state: 'done', text: 'Yes', round: 2, sources: [source], removed: 1, model: 'openai/m' });
  });
  test('the history is what has an answer', () => {
    const talk = [{ question: 'a', answer: { ...newAnswer(), text: 'A' } }, { question: 'b', answer: newAnswer() }];
    expect(historyOf(talk)).toEqual([{ role: 'user', content: 'a' }, { role: 'assistant', content: 'A' }]);
  });
});

describe('trees', () => {
  const page = (id: string): BookPage => ({ id, title: id, importance: 'high', files: [], related: [], state: 'done', note: '' });
  const file = (path: string, left_out: string | null = null): WikiFile => ({ path, bytes: 1, lines: 1, language: '', left_out });
  test('each page once; what no section names comes last; empty sections go', () => {
    const found = sectionsOf({
      sections: [{ id: 's', title: 'S', pages: ['b', 'a', 'b', 'ghost'] }, { id: 'e', title: 'E', pages: ['a'] }], pages: ['a', 'b', 'c'].map(page),
    });
    expect(found.map(({ title, pages }) => [title, pages.map(({ id }) => id)])).toEqual([['S', ['b', 'a']], ['', ['c']]]);
  });
  const files = [file('z.c'), file('src/b/x.c'), file('src/a.c'), file('src/b/y.c', 'binary'), file('a10.c'), file('a9.c')];
  test('folders first, closed ones keep what is in them', () => {
    expect(rowsOf(files, new Set()).map(({ path }) => path)).toEqual(['src', 'a9.c', 'a10.c', 'z.c']);
    expect(rowsOf(files, new Set(['src', 'src/b'])).map(({ path, depth }) => `${depth} ${path}`).slice(0, 5))
      .toEqual(['0 src', '1 src/b', '2 src/b/x.c', '2 src/b/y.c', '1 src/a.c']);
    expect(foldersOf('src/b/x.c')).toEqual(['src', 'src/b']);
  });
  test('files by name', () => {
    expect(filesNamed(files, 'SRC b').map(({ path }) => path)).toEqual(['src/b/x.c', 'src/b/y.c']);
    expect(filesNamed(files, 'a').map(({ path }) => path)).toEqual(['src/a.c', 'a10.c', 'a9.c']);
  });
});

describe('source', () => {
  test('lines are whole, also inside of what spans several', () => {
    expect(cutLines('<span class="hljs-comment">/* a\n b */</span> x\n')).toEqual(
      ['<span class="hljs-comment">/* a</span>', '<span class="hljs-comment"> b */</span> x', '']);
  });
  test('which lines are fetched', () => {
    expect(windowOf(5, 1, 100)).toBe(1);
    expect(windowOf(500, 1, 100)).toBe(490);
    expect(windowOf(3, 490, 100)).toBe(1);
  });
  test.each([['src/a.h', 'c'], ['Makefile', 'makefile'], ['x.test.mjs', 'javascript'], ['a.py', 'python'], ['LICENSE', '']])('%s is %s', (path, language) => {
    expect(languageOf(path)).toBe(language);
  });
});
