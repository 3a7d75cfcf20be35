// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A list of posts that may be old in part, mended with one page of what the server has. Pure.
import type { InfiniteData } from '@tanstack/vue-query';
import type { Post } from '@/api/client';

export interface Page {
  items: Post[];
  next_before?: number | null;
  /** Where the topic `feed` stood when the page was read. */
  position?: number;
}
export type Pages = InfiniteData<Page, number | undefined>;

export interface Mended {
  pages: Pages;
  /** Posts of the answer that are newer than all of the list. */
  fresh: Post[];
  /** Between these and the list there may be others. */
  apart: boolean;
  /** The answer says how this post is, or that it is no more. */
  covers(id: number): boolean;
}

/** The list, where `answer`, a page of the newest posts or of those from `from` on, says how its posts are now. */
export function mend(list: Pages, answer: Page, from = Infinity): Mended {
  const newest = list.pages.find(({ items }) => items.length)?.items[0]?.id ?? 0;
  const least = answer.next_before == null ? 0 : (answer.items.at(-1)?.id ?? 0);
  const now = new Map(answer.items.map((post) => [post.id, post]));
  const covers = (id: number): boolean => id >= least && id <= from;
  const pages = list.pages.map((page, i) => ({
    ...page,
    items: page.items.flatMap((post) => (covers(post.id) ? (now.get(post.id) ?? []) : post)),
    position: i === 0 && from === Infinity ? answer.position : page.position,
  }));
  const fresh = from === Infinity ? answer.items.filter(({ id }) => id > newest) : [];
  return { pages: { ...list, pages }, fresh, apart: fresh.length > 0 && least > newest, covers };
}

/** What waits, and of what is shown the member's own that are as new. */
export function beginning(waiting: Post[], shown: Post[]): Post[] {
  const least = waiting.at(-1)?.id ?? 0;
  const known = new Set(waiting.map(({ id }) => id));
  return [...waiting, ...shown.filter(({ id }) => id > least && !known.has(id))].sort((a, b) => b.id - a.id);
}
