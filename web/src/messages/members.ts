// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members to choose from: everybody, page by page, or whom the server finds by some words.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/vue-query';
import { computed } from 'vue';
import { api, ask } from '@/api/client';

const PAGE = 100;

export function useMembers(words: () => string) {
  const asked = computed(() => words().trim());
  const everybody = useInfiniteQuery({
    queryKey: ['members'],
    queryFn: ({ pageParam, signal }) => ask(api.GET('/users/', { params: { query: { limit: PAGE, after: pageParam } }, signal })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => (page.length < PAGE ? undefined : page.at(-1)?.id),
  });
  const found = useQuery({
    queryKey: computed(() => ['search-people', asked.value, PAGE]),
    queryFn: ({ signal }) => ask(api.GET('/search/users', { params: { query: { q: asked.value, limit: PAGE } }, signal })),
    enabled: () => asked.value !== '',
    placeholderData: keepPreviousData,
  });
  const query = computed(() => (asked.value ? found : everybody));
  const members = computed(() => (asked.value ? (found.data.value?.items ?? []) : (everybody.data.value?.pages.flat() ?? [])));

  /** Read on, if there is more. */
  function more(): void {
    if (!asked.value && everybody.hasNextPage.value && !everybody.isFetchingNextPage.value) void everybody.fetchNextPage();
  }
  return {
    members,
    more,
    busy: computed(() => query.value.isPending.value),
    fault: computed(() => query.value.error.value),
    retry: () => void query.value.refetch(),
  };
}
