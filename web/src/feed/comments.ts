// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The comments of a post, kept true by what happens live.
import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/vue-query';
import { computed } from 'vue';
import { api, ask, type Comment } from '@/api/client';
import { threadsOf } from './threads';

interface Page {
  items: Comment[];
  next_after?: number | null;
}
const PAGE = 50;

export function useComments(post: number) {
  const client = useQueryClient();
  const key = ['comments', post];
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }): Promise<Page> =>
      ask(api.GET('/posts/{post_id}/comments', { params: { path: { post_id: post }, query: { limit: PAGE, after: pageParam } }, signal })),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next_after ?? undefined,
  });
  const comments = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []);
  const threads = computed(() => threadsOf(comments.value));
  const has = (id: number): boolean => comments.value.some((one) => one.id === id);

  function change(items: (page: Page, i: number, count: number) => Comment[]): void {
    client.setQueryData<InfiniteData<Page, number>>(
      key,
      (data) => data && { ...data, pages: data.pages.map((page, i) => ({ ...page, items: items(page, i, data.pages.length) })) },
    );
  }
  /** Behind pages that are not loaded it comes with them, unless it answers what is there or is `own`. */
  function add(comment: Comment, own = false): void {
    if (has(comment.id)) return;
    if (query.hasNextPage.value && !own && !(comment.parent_id && has(comment.parent_id))) return;
    change((page, i, count) => (i === count - 1 ? [...page.items, comment] : page.items));
  }
  /** Its answers stay and answer the post, as they do on the server. */
  function drop(id: number): void {
    change((page) =>
      page.items.flatMap((one) => (one.id === id ? [] : one.parent_id === id ? { ...one, parent_id: null } : one)),
    );
  }
  return { query, comments, threads, has, add, drop };
}
