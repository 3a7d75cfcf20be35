// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { firstSign } from '@/text/signs';
import { ago, dayName, shortDate } from '@/text/time';

test.each([['', ''], ['Ada', 'A'], ['小明', '小'], ['👩‍👩‍👧 family', '👩‍👩‍👧'], ['e\u0301te', 'e\u0301'], ['🇨🇳x', '🇨🇳']])(
  'the first sign of %s', (text, first) => expect(firstSign(text)).toBe(first));

describe('times', () => {
  const now = new Date(2026, 10, 29, 12, 0).getTime();
  const before = (ms: number): Date => new Date(now - ms);
  test('are said as people say them, in both languages', () => {
    expect(ago(before(5_000), now, 'en')).toBe('now');
    expect(ago(before(300_000), now, 'en')).toBe('5 minutes ago');
    expect(ago(before(300_000), now, 'zh-CN')).toBe('5分钟前');
    expect(ago(before(86_400_000), now, 'en')).toBe('yesterday');
    expect(ago(before(20 * 86_400_000), now, 'en')).toBe(shortDate(before(20 * 86_400_000), now, 'en'));
  });
  test('name the year when it is another', () => {
    expect(shortDate(new Date(2026, 4, 3), now, 'en')).toBe('May 3');
    expect(shortDate(new Date(2025, 4, 3), now, 'en')).toBe('May 3, 2025');
    expect(shortDate(new Date(2025, 4, 3), now, 'zh-CN')).toBe('2025年5月3日');
  });
  test('separate days', () => {
    expect(dayName(before(0), now, 'en')).toBe('today');
    expect(dayName(before(24 * 3_600_000), now, 'zh-CN')).toBe('昨天');
    expect(dayName(new Date(2026, 10, 20), now, 'en')).toBe('Friday, November 20, 2026');
  });
});
