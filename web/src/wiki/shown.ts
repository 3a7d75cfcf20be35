// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Which book of a wiki is read, and which of its pages: as the address says, or else the newest with
// something in it, from its beginning.
import { computed, type Ref } from 'vue';
import { useRoute } from 'vue-router';
import { sectionsOf } from './tree';
import { useBook, useBooks } from './wikis';

export function useShownBook(wiki: Ref<number>) {
  const route = useRoute();
  const list = useBooks(wiki);
  const books = computed(() => list.data.value?.pages.flatMap(({ items }) => items) ?? []);
  const bookId = computed(() => Number(route.query.book) || (books.value.find((one) => one.pages_done > 0) ?? books.value[0])?.id || 0);
  const query = useBook(wiki, bookId);
  const book = computed(() => (bookId.value ? query.data.value : undefined));
  const sections = computed(() => (book.value ? sectionsOf(book.value) : []));
  const pages = computed(() => sections.value.flatMap((one) => one.pages));
  const page = computed(() => pages.value.find(({ id }) => id === route.query.page) ?? (route.query.page ? undefined : pages.value[0]));
  const at = computed(() => (page.value ? pages.value.indexOf(page.value) : -1));
  const before = computed(() => pages.value[at.value - 1]);
  const after = computed(() => (at.value < 0 ? undefined : pages.value[at.value + 1]));
  /** The address of a page of this book. */
  const to = (slug: string) => ({ path: `/w/${wiki.value}`, query: { ...(route.query.book && { book: route.query.book }), page: slug } });
  return { list, books, bookId, query, book, sections, pages, page, before, after, to };
}
export type ShownBook = ReturnType<typeof useShownBook>;
