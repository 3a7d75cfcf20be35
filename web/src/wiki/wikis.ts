// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Wikis as this page asks for them. Nothing tells it when one moves on, so while something does it asks
// again, and not while nobody looks.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/vue-query';
import { computed, type MaybeRefOrGetter, toValue } from 'vue';
import { api, ask, type Schemas } from '@/api/client';
import type { WINDOW } from './source';

export type Wiki = Schemas['Wiki'];
export type Book = Schemas['WikiBook'];
type Id = MaybeRefOrGetter<number>;

const AGAIN_MS = 1500;
const again = (moves: boolean): number | false => (moves ? AGAIN_MS : false);
const pathOf = (id: Id): { wiki: string } => ({ wiki: String(toValue(id)) });

/** It is being fetched or indexed. One that is ready can be, too: it is brought up to date. */
export function isMoving(wiki: Wiki): boolean {
  return wiki.progress !== null || wiki.state === 'new' || wiki.state === 'working';
}
/** Vectors are being made of it; while the embedder fails it rests, and there is nothing to watch. */
export function isEmbedding({ vectors }: Wiki): boolean {
  return vectors !== null && vectors !== undefined && vectors.under_way && vectors.note === '';
}
/** There is an index to read and to ask. */
export function canBeRead(wiki: Wiki): boolean {
  return wiki.state === 'ready' || wiki.indexed_at !== null;
}
export function isWritten({ state }: Book): boolean {
  return state === 'planning' || state === 'writing';
}

export function useWikis() {
  return useInfiniteQuery({
    queryKey: ['wikis'],
    queryFn: ({ pageParam, signal }) => ask(api.GET('/wikis', { params: { query: { before: pageParam, limit: 20 } }, signal })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next_before ?? undefined,
    refetchInterval: ({ state }) => again(state.data?.pages.some(({ items }) => items.some((wiki) => isMoving(wiki) || isEmbedding(wiki))) ?? false),
    staleTime: 0,
  });
}

export function useWiki(id: Id) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id)]),
    queryFn: ({ signal }) => ask(api.GET('/wikis/{wiki}', { params: { path: pathOf(id) }, signal })),
    refetchInterval: ({ state }) => again(state.data ? isMoving(state.data) || isEmbedding(state.data) : false),
    staleTime: 0,
  });
}

export function useBooks(id: Id) {
  return useInfiniteQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'books']),
    queryFn: ({ pageParam, signal }) =>
      ask(api.GET('/wikis/{wiki}/books', { params: { path: pathOf(id), query: { before: pageParam, limit: 20 } }, signal })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next_before ?? undefined,
    refetchInterval: ({ state }) => again(state.data?.pages.some(({ items }) => items.some(isWritten)) ?? false),
    staleTime: 0,
  });
}

export function useBook(id: Id, book: Id) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'book', toValue(book)]),
    queryFn: ({ signal }) =>
      ask(api.GET('/wikis/{wiki}/books/{book_id}', { params: { path: { ...pathOf(id), book_id: toValue(book) } }, signal })),
    refetchInterval: ({ state }) => again(state.data ? isWritten(state.data) : false),
    enabled: () => toValue(book) > 0,
  });
}

/** `state`: that of the page in its book; when it changes the text is another. */
export function useBookPage(id: Id, book: Id, slug: MaybeRefOrGetter<string>, state: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'book', toValue(book), toValue(slug), toValue(state)]),
    queryFn: ({ signal }) => ask(api.GET('/wikis/{wiki}/books/{book_id}/pages/{slug}', {
      params: { path: { ...pathOf(id), book_id: toValue(book), slug: toValue(slug) } }, signal,
    })),
    enabled: () => toValue(slug) !== '',
    staleTime: Infinity,
  });
}

/** `version`: when it was indexed, so that an update shows. */
export function useFiles(id: Id, version: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'files', toValue(version)]),
    queryFn: ({ signal }) => ask(api.GET('/wikis/{wiki}/files', { params: { path: pathOf(id) }, signal })),
    enabled: () => toValue(version) !== '',
    placeholderData: keepPreviousData,
    staleTime: Infinity,
  });
}

/** Lines of a file from `first` on, at most `WINDOW` of them. */
export function useFile(id: Id, path: MaybeRefOrGetter<string>, first: Id, size: typeof WINDOW) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'file', toValue(path), toValue(first)]),
    queryFn: ({ signal }) => ask(api.GET('/wikis/{wiki}/file', {
      params: { path: pathOf(id), query: { path: toValue(path), first: toValue(first), last: toValue(first) + size - 1 } }, signal,
    })),
    enabled: () => toValue(path) !== '',
  });
}

export function useSymbols(id: Id, path: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'symbols', toValue(path)]),
    queryFn: ({ signal }) =>
      ask(api.GET('/wikis/{wiki}/symbols', { params: { path: pathOf(id), query: { path: toValue(path), limit: 500 } }, signal })),
    enabled: () => toValue(path) !== '',
  });
}

export function useHits(id: Id, words: MaybeRefOrGetter<string>) {
  return useQuery({
    queryKey: computed(() => ['wiki', toValue(id), 'hits', toValue(words)]),
    queryFn: ({ signal }) =>
      ask(api.GET('/wikis/{wiki}/search', { params: { path: pathOf(id), query: { q: toValue(words), limit: 20 } }, signal })),
    enabled: () => toValue(words) !== '',
  });
}

/** Languages that can be asked for: code → name. */
export function useLanguages() {
  return useQuery({
    queryKey: ['wiki-languages'],
    queryFn: ({ signal }) => ask(api.GET('/lang/config', { signal })),
    staleTime: Infinity,
  });
}
