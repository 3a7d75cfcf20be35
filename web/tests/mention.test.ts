// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, test } from 'vitest';
import { mentionAt } from '../src/text/mention';

test('a name is begun where the caret stands behind a part of it', () => {
  expect(mentionAt('去问 @小明', 6)).toEqual({ from: 3, to: 6, name: '小明' });
  expect(mentionAt('@to', 2)).toEqual({ from: 0, to: 3, name: 't' });
  expect(mentionAt('hi @tom there', 5)).toEqual({ from: 3, to: 7, name: 't' });
});
test('mails, a bare sign and what is behind a blank are none', () => {
  for (const [text, caret] of [['me@tom', 6], ['@', 1], ['@tom ', 5], ['@@t', 3], ['', 0]] as const) {
    expect(mentionAt(text, caret)).toBeNull();
  }
});
