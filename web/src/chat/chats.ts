// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The list of a member's conversations with models, as this page holds it, and what is done to them.
import { useInfiniteQuery, useQuery, useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/vue-query';
import { computed, type Ref } from 'vue';
import { api, ask, type Chat } from '@/api/client';
import { saveFile } from '@/api/save';
import { useTopic, type LiveEvent } from '@/live';

interface Page {
  items: Chat[];
  next_before: number | null;
}
type Pages = InfiniteData<Page, number | undefined>;
const LIST = ['chats'];

/** It was made or changed: at its place in the list, newest first. */
export function putChat(client: QueryClient, chat: Chat): void {
  client.setQueryData(['chat', chat.id], chat);
  client.setQueryData<Pages>(LIST, (data) => {
    if (!data) return data;
    const known = data.pages.some((page) => page.items.some(({ id }) => id === chat.id));
    const pages = data.pages.map((page, i) => {
      if (known) return { ...page, items: page.items.map((one) => (one.id === chat.id ? chat : one)) };
      const first = i === 0 && (page.items[0]?.id ?? 0) < chat.id;
      return first ? { ...page, items: [chat, ...page.items] } : page;
    });
    return { ...data, pages };
  });
}

export function dropChat(client: QueryClient, id: number): void {
  client.removeQueries({ queryKey: ['chat', id] });
  client.setQueryData<Pages>(LIST, (data) =>
    data && { ...data, pages: data.pages.map((page) => ({ ...page, items: page.items.filter((one) => one.id !== id) })) });
}

function apply(client: QueryClient, { event, data }: LiveEvent): void {
  if (event === 'chat.updated') putChat(client, data as unknown as Chat);
  if (event === 'chat.deleted') dropChat(client, Number(data.id));
}

/** All that are loaded, kept as they are by what is heard. */
export function useChatList() {
  const client = useQueryClient();
  const query = useInfiniteQuery({
    queryKey: LIST,
    queryFn: ({ pageParam, signal }): Promise<Page> =>
      ask(api.GET('/chat/conversations', { params: { query: { before: pageParam } }, signal })),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next_before ?? undefined,
  });
  useTopic(() => 'me', (event) => apply(client, event), { reload: () => void query.refetch() });
  const chats = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []);
  return { query, chats };
}

export function useChat(id: Ref<number>) {
  return useQuery({
    queryKey: computed(() => ['chat', id.value]),
    queryFn: ({ signal }) => ask(api.GET('/chat/conversations/{chat_id}', { params: { path: { chat_id: id.value } }, signal })),
    enabled: computed(() => id.value > 0),
  });
}

export function changeChat(id: number, change: { title?: string; model?: string; system?: string }): Promise<Chat> {
  return ask(api.PATCH('/chat/conversations/{chat_id}', { params: { path: { chat_id: id } }, body: change }));
}

/** A file of the browser's, with the line that ends with the newest message. */
export async function exportChat(chat: Chat, format: 'markdown' | 'json'): Promise<void> {
  // What no file system minds: letters, numbers, and dashes for the rest.
  const name = chat.title.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '').slice(0, 60);
  const end = format === 'json' ? 'json' : 'md';
  await saveFile(`/chat/conversations/${chat.id}/export?format=${format}`, `${name || `chat-${chat.id}`}.${end}`);
}
