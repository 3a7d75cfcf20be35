// SPDX-License-Identifier: AGPL-3.0-or-later
import { expect, test } from 'vitest';
import type { Post } from '../src/api/client';
import { mend, type Page, type Pages } from '../src/feed/mend';

const post = (id: number, likes_count = 0): Post => ({ id, likes_count }) as Post;
const posts = (from: number, to: number, likes = 0): Post[] => Array.from({ length: from - to + 1 }, (_, i) => post(from - i, likes));
const list: Pages = {
  pages: [{ items: posts(60, 41), next_before: 41, position: 7 }, { items: posts(40, 21), next_before: 21, position: 7 }, { items: posts(20, 1), next_before: null }],
  pageParams: [undefined, 41, 21],
};
const ids = ({ pages }: Pages): number[] => pages.flatMap(({ items }) => items.map(({ id }) => id));
const liked = ({ pages }: Pages): number[] => pages.flatMap(({ items }) => items.filter(({ likes_count }) => likes_count).map(({ id }) => id));

test('the newest posts wait, and those they reach down to are as the server has them', () => {
  const answer: Page = { items: [...posts(63, 50, 3), ...posts(48, 43, 3)], next_before: 43, position: 9 };
  const next = mend(list, answer);
  expect(next.fresh.map(({ id }) => id)).toEqual([63, 62, 61]);
  expect(next.apart).toBe(false);
  expect(ids(next.pages)).toEqual(ids(list).filter((id) => id !== 49));
  expect(liked(next.pages)).toEqual([...posts(60, 50), ...posts(48, 43)].map(({ id }) => id));
  expect(next.pages.pages.map(({ position }) => position)).toEqual([9, 7, undefined]);
  expect([64, 63, 43, 42].map(next.covers)).toEqual([true, true, true, false]);
});

test('more new ones than a page has are apart from the list, which stays as it is', () => {
  const next = mend(list, { items: posts(99, 80), next_before: 80, position: 9 });
  expect(next.apart).toBe(true);
  expect(next.fresh.length).toBe(20);
  expect(ids(next.pages)).toEqual(ids(list));
  // That none are left between is told by there being no more.
  expect(mend(list, { items: posts(61, 61), next_before: null }).apart).toBe(false);
});

test('a page from somewhere in the list changes what it covers alone', () => {
  const next = mend(list, { items: [...posts(45, 38, 2), ...posts(35, 24, 2)], next_before: 24, position: 9 }, 45);
  expect(next.fresh).toEqual([]);
  expect(next.apart).toBe(false);
  expect(ids(next.pages)).toEqual(ids(list).filter((id) => id !== 37 && id !== 36));
  expect(liked(next.pages)).toEqual([...posts(45, 38), ...posts(35, 24)].map(({ id }) => id));
  expect(next.pages.pages[0]!.position).toBe(7);
  expect([46, 45, 24, 23].map(next.covers)).toEqual([false, true, true, false]);
});

test('an answer without a next page says that what is below it is gone', () => {
  expect(ids(mend(list, { items: posts(60, 50), next_before: null }).pages)).toEqual(posts(60, 50).map(({ id }) => id));
});
