// SPDX-License-Identifier: AGPL-3.0-or-later
import { describe, expect, test } from 'vitest';
import { clientOf } from '@/components/settings/clients';
import { cropOf, moved, placed, side, zoomed, ZOOM_MAX } from '@/components/avatar/crop';
import { limitOf, namesOf } from '@/components/settings/keys';
import { sums, total, type UsageRow } from '@/components/settings/usage';

describe('the square part of a picture', () => {
  const wide = cropOf(400, 200);
  test('is the largest of the middle at first', () => {
    expect(side(wide)).toBe(200);
    expect(wide).toMatchObject({ x: 200, y: 100 });
    expect(placed(wide)).toEqual({ width: '200%', height: '100%', left: '-50%', top: '0%' });
  });
  test('never leaves the picture, however far it is pushed', () => {
    expect(moved(wide, 9, 9)).toMatchObject({ x: 300, y: 100 });
    expect(moved(wide, -9, -9)).toMatchObject({ x: 100, y: 100 });
    expect(placed(moved(wide, 9, 0)).left).toBe('-100%');
  });
  test('zooms about its middle, and back into the picture', () => {
    const corner = moved(zoomed(wide, 2), 9, -9);
    expect(side(corner)).toBe(100);
    expect(corner).toMatchObject({ x: 350, y: 50 });
    expect(zoomed(corner, 1)).toMatchObject({ x: 300, y: 100, zoom: 1 });
    expect(zoomed(wide, 99).zoom).toBe(ZOOM_MAX);
    expect(zoomed(wide, 0).zoom).toBe(1);
  });
});

describe('what a browser calls itself', () => {
  const webkit = 'AppleWebKit/537.36 (KHTML, like Gecko)';
  test.each([
    [`Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${webkit} Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0`, 'Edge', 'Windows', false],
    [`Mozilla/5.0 (Linux; Android 14) ${webkit} Chrome/130.0.0.0 Mobile Safari/537.36`, 'Chrome', 'Android', true],
    ['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1', 'Safari', 'iPhone', true],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0', 'Firefox', 'Linux', false],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15', 'Safari', 'macOS', false],
  ])('%s', (agent, browser, system, pocket) => expect(clientOf(agent)).toEqual({ browser, system, pocket }));
  test('a program is none', () => expect(clientOf('curl/8.5.0')).toBeNull());
});

test('a limit is a whole number from 1, or none', () => {
  expect(['', '  ', '60', ' 7 '].map(limitOf)).toEqual([null, null, 60, 7]);
  expect(['0', '-1', '1.5', '1e3', 'many', '060'].map(limitOf)).toEqual(Array(6).fill(undefined));
});

test('names of models stand apart by spaces or commas', () => {
  expect(namesOf('openai/* , gpt-4o，qwen')).toEqual(['openai/*', 'gpt-4o', 'qwen']);
  expect(namesOf('  ')).toBeNull();
});

describe('usage', () => {
  const row = (day: string, key_id: number, model: string, input_tokens: number, cost_micro: number | null): UsageRow => ({
    day, key_id, key_name: 'notes', user_id: 1, username: 'lan', site: 'a', model, requests: 1, shared_requests: 0,
    unknown_requests: 0, unpriced_requests: cost_micro === null ? 1 : 0, input_tokens, output_tokens: 1, cached_tokens: 0,
    estimated_tokens: 0, cost_micro,
  });
  const rows = [row('2026-11-01', 1, 'x', 10, 5), row('2026-11-02', 2, 'x', 20, null), row('2026-11-02', 1, 'y', 30, null)];
  test('by day, the newest first', () => {
    expect(sums(rows, 'day').map(({ name, input }) => [name, input])).toEqual([['2026-11-02', 50], ['2026-11-01', 10]]);
  });
  test('by key, also when two have one name; by model, the most used first', () => {
    expect(sums(rows, 'key').map(({ name, input }) => [name, input])).toEqual([['notes', 40], ['notes', 20]]);
    expect(sums(rows, 'model').map(({ name, input }) => [name, input])).toEqual([['a/x', 30], ['a/y', 30]]);
  });
  test('what nobody knows the price of is not free', () => {
    expect(total(rows)).toMatchObject({ cost: 5, unpriced: true, requests: 3 });
    expect(sums(rows, 'model').at(-1)).toMatchObject({ name: 'a/y', cost: null, unpriced: true });
    expect(total([])).toMatchObject({ cost: null, unpriced: false });
  });
});
