// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createI18n } from 'vue-i18n';
import { compile } from '../src/i18n/compile';

const root = fileURLToPath(new URL('../src', import.meta.url));
type Sentences = { [key: string]: string | Sentences };

function flat(sentences: Sentences, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(sentences).flatMap(([key, value]) =>
      typeof value === 'string' ? [[prefix + key, value]] : [...flat(value, `${prefix}${key}.`)],
    ),
  );
}
const read = (language: string, file: string): Map<string, string> =>
  flat(JSON.parse(readFileSync(path.join(root, 'i18n', language, file), 'utf8')) as Sentences);
const partsOf = (language: string): string[] =>
  (readdirSync(path.join(root, 'i18n', language), { recursive: true }) as string[]).filter((file) => file.endsWith('.json') && !file.startsWith('server/'));
const parts = partsOf('en');
/** What src/i18n/compile.ts reads. */
const readable = (text: string): boolean => !/[{}@\\%]|\| *\||^ *\||\| *$/.test(text.replaceAll(/\{\w+\}/g, ''));
const named = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!))].sort();

test('both languages have the same parts', () => {
  expect(partsOf('zh-CN').sort()).toEqual([...parts].sort());
});

describe.each(parts)('%s', (file) => {
  const en = read('en', file);
  const zh = read('zh-CN', file);
  test('has the same sentences in both languages', () => {
    expect([...zh.keys()].sort()).toEqual([...en.keys()].sort());
  });
  test('names the same things in both', () => {
    for (const [key, text] of en) {
      // English forms of one and none may leave the number out, Chinese has one form with {n}.
      const plural = text.includes('|');
      if (!plural) expect([key, named(zh.get(key)!)]).toEqual([key, named(text)]);
    }
  });
  test('has names in braces and forms between bars, and no more', () => {
    for (const [key, text] of [...en, ...zh]) expect([key, text, readable(text)]).toEqual([key, text, true]);
  });
  test('has no empty sentence and no Chinese one left in English', () => {
    for (const [key, text] of en) expect([key, text]).not.toEqual([key, expect.stringMatching(/^\s*$|\p{Script=Han}/u)]);
    for (const text of zh.values()) expect(text.trim()).not.toBe('');
  });
});

test('every sentence that the code asks for is there', () => {
  const known = new Set(parts.flatMap((file) => [...read('en', file).keys()].map((key) => `${path.basename(file, '.json')}.${key}`)));
  const files = (readdirSync(root, { recursive: true }) as string[]).filter((file) => /\.(vue|ts)$/.test(file));
  const missing = files.flatMap((file) =>
    [...readFileSync(path.join(root, file), 'utf8').matchAll(/\bt\('([\w.-]+)'|title: '([a-z]\w*\.\w+)'/g)]
      .map(([, said, title]) => (said ?? title)!)
      .filter((key) => !known.has(key))
      .map((key) => `${file}: ${key}`),
  );
  expect(missing).toEqual([]);
});

test('names and forms come into a sentence as they are said', () => {
  const i18n = createI18n({ legacy: false, locale: 'en', messageCompiler: compile, messages: { en: {
    plain: 'Nothing', who: '{name} and { other } met', likes: 'nobody | one | {n} of {all}', two: '{n} time | {n} times',
  } } });
  const { t } = i18n.global;
  expect(t('plain')).toBe('Nothing');
  expect(t('who', { name: 'Lan', other: '{name}' })).toBe('Lan and {name} met');
  expect(t('who', { name: 0 })).toBe('0 and  met');
  expect([0, 1, 2, 7].map((n) => t('likes', { all: 9 }, n))).toEqual(['nobody', 'one', '2 of 9', '7 of 9']);
  expect(t('likes', { n: '1,000', all: 'many' }, 1000)).toBe('1,000 of many');
  expect([1, 2].map((n) => t('two', n))).toEqual(['1 time', '2 times']);
});
