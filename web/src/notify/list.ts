// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Pages of notifications, kept true by what happens live.
import { useInfiniteQuery, useQueryClient, type InfiniteData } from '@tanstack/vue-query';
import { computed } from 'vue';
import { api, ask, askWhole, type Notification } from '@/api/client';
import { useTopic, type LiveEvent } from '@/live';
import { useBell } from '@/stores/bell';
import { useSession } from '@/stores/session';

const PAGE = 30;
export interface Page {
  items: Notification[];
  next_before?: number | null;
  /** Where the topic `me` stood when the page was read. */
  position?: number;
}
type Pages = InfiniteData<Page, number | undefined>;

/** One more, or one that is there in a newer form. Behind pages that are not loaded it comes with them. */
function withOne(pages: Page[], one: Notification): Page[] {
  const rest = pages.map((page) => ({ ...page, items: page.items.filter(({ id }) => id !== one.id) }));
  const at = rest.findIndex((page) => page.next_before == null || one.id > page.next_before);
  if (at < 0) return rest;
  const items = [...rest[at]!.items, one].sort((a, b) => b.id - a.id);
  return rest.map((page, i) => (i === at ? { ...page, items } : page));
}

/** What a live event makes of them. */
export function afterEvent(pages: Page[], { event, data }: Pick<LiveEvent, 'event' | 'data'>): Page[] {
  const each = (change: (items: Notification[]) => Notification[]): Page[] =>
    pages.map((page) => ({ ...page, items: change(page.items) }));
  switch (event) {
    case 'notification.created':
      return withOne(pages, data as unknown as Notification);
    case 'notification.deleted':
      return each((items) => items.filter(({ id, post_id }) => (data.post_id ? post_id !== data.post_id : id !== data.id)));
    case 'notification.read':
      return each((items) => items.map((one) => (one.id <= Number(data.up_to) ? { ...one, is_read: true } : one)));
    default:
      return pages;
  }
}

export function useNotifications() {
  const client = useQueryClient();
  const session = useSession();
  const bell = useBell();
  const key = computed(() => ['notifications', session.me?.id ?? 0]);
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam, signal }): Promise<Page> => {
      const { data, headers } = await askWhole(
        api.GET('/notifications', { params: { query: { limit: PAGE, before: pageParam } }, signal }),
      );
      const position = /me=(\d+)/.exec(headers.get('Live-Position') ?? '')?.[1];
      bell.set(data.unread_count);
      return { items: data.items, next_before: data.next_before, position: position ? Number(position) : undefined };
    },
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next_before ?? undefined,
  });
  const items = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []);
  const position = computed(() => query.data.value?.pages[0]?.position);

  function apply(event: Pick<LiveEvent, 'event' | 'data'>): void {
    client.setQueryData<Pages>(key.value, (data) => data && { ...data, pages: afterEvent(data.pages, event) });
  }
  useTopic(() => (session.me && position.value !== undefined ? 'me' : null), apply, {
    after: () => position.value,
    reload: () => void query.refetch(),
  });

  /** Up to and with the newest that is shown. */
  async function markRead(): Promise<void> {
    const up_to = items.value[0]?.id;
    if (!up_to) return;
    const { unread_count } = await ask(api.POST('/notifications/read', { body: { up_to } }));
    bell.set(unread_count);
    apply({ event: 'notification.read', data: { up_to } });
  }
  return { query, items, markRead };
}
