// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Pages of posts, kept true by what happens live. One list per `author` (null: everybody).
import { useInfiniteQuery, useQueryClient, type Query, type QueryClient } from '@tanstack/vue-query';
import { computed, onScopeDispose, ref, shallowRef, toValue, watch, type MaybeRefOrGetter } from 'vue';
import { api, askWhole, type Post, type UserBrief } from '@/api/client';
import { useTopic, type LiveEvent } from '@/live';
import { tellCommunity, type Community } from '@/stores/community';
import { useOutbox } from '@/stores/outbox';
import { useSession } from '@/stores/session';
import { beginning, mend, type Page, type Pages } from './mend';

const PAGE = 20;

/** A query that has nothing yet. */
const isWithout = (query: Pick<Query, 'state'>): boolean => query.state.data === undefined;

async function loadPage(author: number | null, before: number | undefined, signal: AbortSignal): Promise<Page> {
  const { data, headers } = await askWhole(
    api.GET('/posts', { params: { query: { limit: PAGE, before, author_id: author ?? undefined } }, signal }),
  );
  const position = /feed=(\d+)/.exec(headers.get('Live-Position') ?? '')?.[1];
  return { items: data.items, next_before: data.next_before, position: position ? Number(position) : undefined };
}

/** Change every copy of some posts, wherever they are shown: lists and pages of one post. */
export function changePosts(client: QueryClient, change: (post: Post) => Post | null): void {
  client.setQueriesData<Pages>({ queryKey: ['posts'] }, (pages) => {
    if (!pages) return pages;
    let changed = false;
    const list = pages.pages.map((page) => {
      const items = page.items.flatMap((post) => {
        const next = change(post);
        if (next !== post) changed = true;
        return next ?? [];
      });
      return { ...page, items };
    });
    return changed ? { ...pages, pages: list } : pages;
  });
  client.setQueriesData<Post>({ queryKey: ['post'] }, (post) => post && (change(post) ?? undefined));
}

/** An event of `feed` or `post:ID` that changes posts we may show. True: it was one. */
export function applyToPosts(client: QueryClient, { event, data }: LiveEvent): boolean {
  switch (event) {
    case 'post.counts': {
      const { id, likes_count, comments_count } = data as unknown as Post;
      changePosts(client, (post) => (post.id === id ? { ...post, likes_count, comments_count } : post));
      return true;
    }
    case 'post.updated': {
      const next = data as unknown as Post;
      // The event is for everybody: whether we like it is not in it.
      changePosts(client, (post) => (post.id === next.id ? { ...next, is_liked: post.is_liked } : post));
      return true;
    }
    case 'post.deleted':
      changePosts(client, (post) => (post.id === data.id ? null : post));
      return true;
    case 'user.updated': {
      const author = data as unknown as UserBrief;
      changePosts(client, (post) => (post.author.id === author.id ? { ...post, author } : post));
      return true;
    }
    default:
      return false;
  }
}

/** The posts of everybody, or of one author, newest first. */
export function usePosts(author: MaybeRefOrGetter<number | null>) {
  const client = useQueryClient();
  const session = useSession();
  const key = computed(() => ['posts', toValue(author), session.me?.id ?? 0]);
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal, queryKey }) => loadPage(queryKey[1] as number | null, pageParam, signal),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: (page) => page.next_before ?? undefined,
    // That would be a request for each page there is; see catchUp().
    refetchOnMount: isWithout,
    refetchOnReconnect: isWithout,
  });
  /** New posts that wait above the list until somebody wants to see them. */
  const waiting = ref<Post[]>([]);
  /** More than these wait: where the oldest of them came from, its page, which does not reach the list. */
  const apart = shallowRef<Page | null>(null);
  const posts = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []);
  const position = computed(() => query.data.value?.pages[0]?.position);

  function add(fresh: Post[]): void {
    client.setQueryData<Pages>(key.value, (pages) => {
      const [first, ...rest] = pages?.pages ?? [];
      if (!pages || !first) return pages;
      const known = new Set(first.items.map((post) => post.id));
      const items = [...fresh.filter((post) => !known.has(post.id)), ...first.items];
      return { ...pages, pages: [{ ...first, items }, ...rest] };
    });
  }
  function showWaiting(): void {
    const page = apart.value;
    if (page) client.setQueryData<Pages>(key.value, { pages: [{ ...page, items: beginning(waiting.value, posts.value) }], pageParams: [undefined] });
    else add(waiting.value);
    waiting.value = [];
    apart.value = null;
  }

  // --- what was missed ---

  /** Posts that may have changed unheard: each is looked at again when it is in sight. */
  let stale = new Set<number>();
  let inSight: number[] = [];
  /** What is told while an answer is on its way may be newer than the answer. */
  let meanwhile: LiveEvent[] | null = null;
  /** The newest ones are to be looked for. */
  let missed = false;

  /** The newest posts, or those from `from` on; what the list has of them is then as the server has it. */
  async function look(from?: number): Promise<void> {
    const list = key.value;
    const page = await client.fetchQuery({
      queryKey: ['postsAgain', ...list, from],
      queryFn: ({ signal }) => loadPage(list[1] as number | null, from === undefined ? undefined : from + 1, signal),
      staleTime: 0,
      gcTime: 0,
    });
    const pages = client.getQueryData<Pages>(list);
    if (!pages || list !== key.value) return;
    const next = mend(pages, page, from);
    client.setQueryData<Pages>(list, next.pages);
    for (const id of stale) if (next.covers(id)) stale.delete(id);
    if (from !== undefined) return;
    const newest = page.items[0]?.id ?? 0;
    waiting.value = [...waiting.value.filter(({ id }) => id > newest), ...next.fresh];
    apart.value = next.apart ? page : null;
  }

  const firstStale = (): number | undefined => inSight.find((id) => stale.has(id));

  async function lookAround(): Promise<void> {
    if (meanwhile) return;
    meanwhile = [];
    for (let from = firstStale(); missed || from !== undefined; from = firstStale()) {
      const newest = missed;
      missed = false;
      try {
        await look(newest ? undefined : from);
      } catch {
        missed ||= newest; // when something is told, or comes in sight
        break;
      }
      if (!newest) stale.delete(from!);
    }
    const kept: LiveEvent[] = meanwhile;
    meanwhile = null;
    for (const event of kept) hear(event);
  }

  /** Things happened that were not told: a request or two, however long the list; nothing moves before the reader. */
  function catchUp(): void {
    if (!posts.value.length) return void query.refetch();
    stale = new Set(posts.value.map(({ id }) => id));
    missed = true;
    void lookAround();
  }

  /** These are what the reader has before them. */
  function seen(ids: number[]): void {
    inSight = ids;
    if (missed || firstStale() !== undefined) void lookAround();
  }

  watch(key, () => {
    waiting.value = [];
    apart.value = null;
    stale.clear();
    missed = false;
  });
  if (query.data.value && query.isStale.value) catchUp();
  const online = (): void => {
    if (!session.me) catchUp(); // members are told
  };
  window.addEventListener('online', online);
  onScopeDispose(() => window.removeEventListener('online', online));

  function hear(event: LiveEvent): void {
    meanwhile?.push(event);
    if (event.event === 'post.created') {
      const post = event.data as unknown as Post;
      const wanted = toValue(author);
      if (wanted !== null && wanted !== post.author_id) return;
      if (posts.value.some(({ id }) => id === post.id)) return;
      if (post.author_id === session.me?.id) add([post]);
      else if (!waiting.value.some(({ id }) => id === post.id)) waiting.value = [post, ...waiting.value];
      return;
    }
    if (event.event === 'community.updated') tellCommunity(client, event.data as Partial<Community>);
    if (event.event === 'post.deleted') waiting.value = waiting.value.filter(({ id }) => id !== event.data.id);
    applyToPosts(client, event);
  }
  useTopic(() => (session.me && position.value !== undefined ? 'feed' : null), hear, { after: () => position.value, reload: catchUp });
  return { query, posts, waiting, more: computed(() => apart.value !== null), showWaiting, add, seen };
}

/** Like or take it back: shown at once, put back when the server says no; without a connection it is told later. */
export function useLiking() {
  const client = useQueryClient();
  return async (post: Post): Promise<void> => {
    const liked = !post.is_liked;
    const show = (is: boolean, count: (was: number) => number): void =>
      changePosts(client, (one) => (one.id === post.id ? { ...one, is_liked: is, likes_count: Math.max(0, count(one.likes_count)) } : one));
    show(liked, (was) => was + (liked ? 1 : -1));
    try {
      const likes_count = await useOutbox().like(post.id, liked);
      if (likes_count !== null) show(liked, () => likes_count);
    } catch (error) {
      show(!liked, () => post.likes_count);
      throw error;
    }
  };
}
