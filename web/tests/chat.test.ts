// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Conversations with models without a browser: the tree of turns, markdown in blocks, streams.
import { describe, expect, test } from 'vitest';
import type { ChatTurn } from '../src/api/client';
import { blocksOf, markdown, type Block } from '../src/chat/blocks';
import { blockReader } from '../src/chat/stream';
import { newerTurn } from '../src/chat/talks';
import { chooseTo, lineOf } from '../src/chat/tree';

const turn = (id: number, parent: number): ChatTurn => ({
  id, parent, role: id % 2 ? 'user' : 'assistant', status: 'complete', content: `${id}`, reasoning: '', site: '', model: '',
  offline: false, detail: '', input_tokens: null, output_tokens: null, estimated: false, asked: null, found: null, created_at: '2026-01-01T00:00:00',
});
const shown = (turns: ChatTurn[], chosen = new Map<number, number>()): string =>
  lineOf(turns, chosen).map(({ turn: { id }, beside }) => (beside.length > 1 ? `${id}(${beside.indexOf(id) + 1}/${beside.length})` : id)).join(' ');

describe('the line through the tree', () => {
  const straight = [turn(1, 0), turn(2, 1), turn(3, 2), turn(4, 3)];
  test('nothing, and one line', () => {
    expect(shown([])).toBe('');
    expect(shown(straight)).toBe('1 2 3 4');
    expect(shown([...straight].reverse())).toBe('1 2 3 4');
  });
  test('another answer: the newest branch, or the chosen one, with what follows it', () => {
    const turns = [...straight, turn(6, 1)];
    expect(shown(turns)).toBe('1 6(2/2)');
    expect(shown(turns, new Map([[1, 2]]))).toBe('1 2(1/2) 3 4');
    expect(shown(turns, new Map([[1, 99]]))).toBe('1 6(2/2)');
  });
  test('what was said last in an older branch makes that one the newest', () => {
    expect(shown([...straight, turn(6, 1), turn(7, 4), turn(8, 7)])).toBe('1 2(1/2) 3 4 7 8');
  });
  test('the first question edited: two beginnings', () => {
    expect(shown([...straight, turn(5, 0), turn(6, 5)])).toBe('5(2/2) 6');
  });
  test('chooseTo leads to a turn through all its branches', () => {
    const turns = [...straight, turn(5, 0), turn(6, 5), turn(8, 3)];
    const chosen = new Map<number, number>();
    chooseTo(new Map(turns.map((one) => [one.id, one])), 4, chosen);
    expect(shown(turns, chosen)).toBe('1(1/2) 2 3 4(1/2)');
  });
  test('of a conversation whose earlier part is not here: what ends with the newest, and goes on being it', () => {
    expect(shown(straight.slice(2))).toBe('3 4');
    expect(shown([...straight.slice(2), turn(6, 1)])).toBe('6');
    expect(shown([...straight.slice(2), turn(6, 1)], new Map([[2, 3]]))).toBe('3 4');
    expect(shown([...straight.slice(2), turn(5, 0), turn(6, 5)])).toBe('5 6');
  });
  test('ten thousand turns are no matter', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => turn(i + 1, i));
    expect(lineOf(many)).toHaveLength(10_000);
  });
});

const TEXT = `# Title

A paragraph that is
two lines long.

1. one

   still one
2. two

| a | b |
|---|--:|
| 1 | 2 |

\`\`\`python
print('x')

# no heading
\`\`\`
> quoted

- a
  - b

last [ref] and **bold**

[ref]: https://example.org/
`;

describe('blocks', () => {
  const sources = (blocks: Block[]): string[] => blocks.map(({ source }) => source);
  test('are the text, cut', () => {
    const blocks = blocksOf(TEXT, [], true);
    expect(sources(blocks).join('')).toBe(TEXT);
    expect(sources(blocks).map((source) => source.trim().split(/\s/)[0])).toEqual(['#', 'A', '1.', '|', '```python', '>', '-', 'last']);
    expect(blocks.every(({ over }) => over)).toBe(true);
  });
  test('growing sign by sign they end up the same, and what is over never changes', () => {
    let blocks: Block[] = [];
    for (let end = 1; end <= TEXT.length; end++) {
      const next = blocksOf(TEXT.slice(0, end), blocks);
      const over = blocks.filter((block) => block.over);
      expect(next.slice(0, over.length)).toEqual(over);
      expect(next.map(({ source }) => source).join('')).toBe(next.length ? TEXT.slice(0, end) : '');
      blocks = next;
    }
    expect(sources(blocks)).toEqual(sources(blocksOf(TEXT, [], true)));
  });
  test('an earlier text that is not the beginning of this one is forgotten', () => {
    const before = blocksOf('one\n\ntwo\n\nthree', []);
    expect(sources(blocksOf('other\n\ntwo', before))).toEqual(['other\n\n', 'two']);
  });
  test('nothing, blanks and Windows', () => {
    expect(blocksOf('')).toEqual([]);
    expect(blocksOf('\n \n')).toEqual([]);
    expect(sources(blocksOf('a\r\n\r\nb', [], true))).toEqual(['a\n\n', 'b']);
  });
});

describe('what markdown-it makes of hostile words', () => {
  test.each([
    ['<script>alert(1)</script>', /<script/i],
    ['<img src=x onerror=alert(1)>', /<img/i],
    ['[x](javascript:alert(1))', /href/],
    ['[x](JaVaScRiPt&colon;alert(1))', /href="java/i],
    ['[x](data:text/html,hi)', /href/],
    ['[x](vbscript:x)', /href/],
    ['![x](https://example.org/a.png)', /<img/],
    ['![x][y]\n\n[y]: https://example.org/a.png', /<img/],
    ['| a |\n|:-:|\n| b |', /style=/],
    ['[x](https://example.org/"onmouseover="alert(1))', /" ?onmouseover=/],
  ])('%s', (source, bad) => {
    expect(markdown.render(source)).not.toMatch(bad);
  });
  test('a picture is a link with its words, inside of a link just its words', () => {
    expect(markdown.render('![a *cat*](https://example.org/a.png)')).toContain('<a href="https://example.org/a.png" class="md-picture">');
    const inside = markdown.render('[![cat](https://example.org/a.png)](https://example.org/)');
    expect(inside.match(/<a /g)).toHaveLength(1);
    expect(inside).toContain('>cat<');
  });
});

test('blocks of a stream, cut anywhere', () => {
  const whole = 'data: {"type":"start"}\n\ndata: {"type":"delta","text":"你\\n"}\n\n';
  for (let at = 0; at <= whole.length; at++) {
    const cut = blockReader();
    expect([...cut(whole.slice(0, at)), ...cut(whole.slice(at))]).toEqual([{ type: 'start' }, { type: 'delta', text: '你\n' }]);
  }
});

describe('of two copies of a turn the newer one is kept', () => {
  const found = (round: number, ...paths: string[]): NonNullable<ChatTurn['found']> =>
    ({ round, last: false, sources: paths.map((path) => ({ path, first: 1, last: 2, symbol: '' })), notices: [], cited: 0, removed: 0 });
  const turn = (content: string, of: ChatTurn['found'], status: ChatTurn['status'] = 'streaming'): ChatTurn =>
    ({ id: 2, parent: 1, role: 'assistant', status, content, reasoning: '', found: of }) as ChatTurn;

  test('what an answer is made of came by its stream, and is not stored yet', () => {
    for (const stored of [null, found(0), found(1, 'a.c')]) {
      expect(newerTurn(turn('', found(1, 'a.c', 'b.c')), turn('more', stored))).toMatchObject({ content: 'more', found: found(1, 'a.c', 'b.c') });
    }
    expect(newerTurn(turn('more', null), turn('', found(1, 'a.c')))).toMatchObject({ content: 'more', found: found(1, 'a.c') });
    expect(newerTurn(turn('', found(1, 'a.c')), turn('', found(2, 'a.c')))).toMatchObject({ found: found(2, 'a.c') });
  });
  test('once it is over, what is stored is all of it', () => {
    expect(newerTurn(turn('much', found(1, 'a.c')), turn('end', null, 'complete'))).toMatchObject({ content: 'end', found: null });
    expect(newerTurn(turn('end', null, 'complete'), turn('much', found(1, 'a.c')))).toMatchObject({ content: 'end', found: null });
  });
});
