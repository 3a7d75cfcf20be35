// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What each setting of the server is for, in Chinese: that none is missing, and none is left over.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import chinese from '../src/manage/options.zh-CN.json';
import { everyLiteral } from './sentences';

/** The last literal of each row of settings_table[], by the row's macro or brace. */
function helps(): string[] {
  const code = readFileSync(fileURLToPath(new URL('../../src/base/settings.c', import.meta.url)), 'utf8');
  const table = code.slice(code.indexOf('settings_table[] = {'), code.indexOf('settings_count ='));
  const last = [...table.matchAll(/"((?:[^"\\]|\\.)*)"(?=\)?\}?,?\n\s*(?:TEXT|INT|BOOL|\{"|\};))/g)];
  return last.map(([, text]) => text!.replaceAll('\\"', '"'));
}

test('every setting says in Chinese what it is for', () => {
  const said = new Set(helps());
  expect(said.size).toBeGreaterThan(100);
  const known = new Set(everyLiteral().filter(({ file }) => file === 'base/settings.c').map(({ text }) => text));
  expect([...said].filter((help) => !known.has(help))).toEqual([]);
  expect([...said].filter((help) => !(help in chinese)), 'translate these in web/src/manage/options.zh-CN.json').toEqual([]);
  expect(Object.keys(chinese).filter((help) => !said.has(help))).toEqual([]);
  for (const text of Object.values(chinese)) expect(text).toMatch(/\p{Script=Han}/u);
});
