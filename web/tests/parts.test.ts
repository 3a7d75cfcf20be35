// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { partsOf } from '../src/text/parts';

const seen = (text: string): string[] => partsOf(text).map(({ kind, text: said }) => `${kind}:${said}`);

describe('the parts of a text', () => {
  test('together are the text, whatever it is', () => {
    const odd = ['', 'a', '@', '#', 'http://', 'https://[', '@@x', '😀@tom😀', 'x'.repeat(10_000), '\u0000<b>&amp;', '\ud800'];
    for (const text of odd) expect(partsOf(text).map((part) => part.text).join('')).toBe(text);
  });
  test('names and tags of any script', () => {
    expect(seen('去问 @小明同学，#胡同生活 好')).toEqual(['text:去问 ', 'mention:@小明同学', 'text:，', 'tag:#胡同生活', 'text: 好']);
  });
  test('an address ends before the mark that ends the sentence', () => {
    expect(seen('see https://a.example/b(c).')).toEqual(['text:see ', 'link:https://a.example/b(c', 'text:).']);
    expect(seen('看https://a.example/一。')).toEqual(['text:看', 'link:https://a.example/一', 'text:。']);
  });
  test('names are those whose members are told: the rows of tests/unit/test_mention.c', () => {
    const rows: [string, string][] = [
      ['', ''], ['@', ''], ['@tom', 'tom'], ['@to', ''], ['hi @tom, and @Li_2!', 'tom Li_2'], ['去问 @小明同学，好', '小明同学'],
      ['去问@小明同学', ''], ['(@tom) "@ann" -@bob #@liu', 'tom ann bob liu'], ['@tom.', 'tom'], ['@tom...', 'tom'],
      ['@tom.x-y_z.', 'tom.x-y_z'], ['@tom--x', 'tom'], ['@-tom @.tom', ''], ['@tom@ann', 'tom'],
      ['@@tom a@tom .@tom /@tom _@tom 7@tom', ''], ['tom@example.org', ''], ['@हिन्दी हिन्दी@tom', 'हिन्दी'],
      ['https://a.example/?x=@tom @ann', 'ann'], ['https://a.example/，@tom', 'tom'], ['https:// @tom http://x@tom', 'tom'],
      ['看https://a.example/一@tom。@ann', 'ann'], ['@abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijx', ''], ['😀@tom😀', 'tom'],
    ];
    for (const [text, names] of rows) {
      const found = partsOf(text).filter(({ kind }) => kind === 'mention').map((part) => part.text.slice(1));
      expect([text, found.join(' ')]).toEqual([text, names]);
    }
  });
  test('mails and anchors are no names and tags', () => {
    expect(seen('tom@example.org a/@b x#y')).toEqual(['text:tom@example.org a/@b x#y']);
  });
  test('only http addresses lead anywhere', () => {
    for (const text of ['javascript:alert(1)', 'data:text/html,x', 'vbscript:x', '//evil.example']) {
      expect(seen(text)).toEqual([`text:${text}`]);
    }
    expect(partsOf('https://a.example/"onclick=x')[0]).toEqual({ kind: 'link', text: 'https://a.example/', to: 'https://a.example/' });
  });
});
