// SPDX-License-Identifier: AGPL-3.0-or-later
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

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
