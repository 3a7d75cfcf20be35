// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Pages of posts, kept true by what happens live. One list per `author` (null: everybody).
import { useInfiniteQuery, useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/vue-query';
import { computed, ref, toValue, watch, type MaybeRefOrGetter } from 'vue';
import { api, ask, askWhole, type Post, type UserBrief } from '@/api/client';
import { useTopic, type LiveEvent } from '@/live';
import { tellCommunity, type Community } from '@/stores/community';
import { useSession } from '@/stores/session';

const PAGE = 20;
interface Page {
  items: Post[];
  next_before?: number | null;
  /** Where the topic `feed` stood when the page was read. */
  position?: number;
}
type Pages = InfiniteData<Page, number | undefined>;

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
  });
  /** New posts that wait above the list until somebody wants to see them. */
  const waiting = ref<Post[]>([]);
  const posts = computed(() => query.data.value?.pages.flatMap((page) => page.items) ?? []);
  const position = computed(() => query.data.value?.pages[0]?.position);
  watch(key, () => (waiting.value = []));

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
    add(waiting.value);
    waiting.value = [];
  }

  useTopic(
    () => (session.me && position.value !== undefined ? 'feed' : null),
    (event) => {
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
    },
    { after: () => position.value, reload: () => void query.refetch() },
  );
  return { query, posts, waiting, showWaiting, add };
}

/** Like or take it back: shown at once, put back when the server says no. */
export function useLiking() {
  const client = useQueryClient();
  return async (post: Post): Promise<void> => {
    const liked = !post.is_liked;
    const show = (is: boolean, count: (was: number) => number): void =>
      changePosts(client, (one) => (one.id === post.id ? { ...one, is_liked: is, likes_count: Math.max(0, count(one.likes_count)) } : one));
    show(liked, (was) => was + (liked ? 1 : -1));
    const path = { params: { path: { post_id: post.id } } };
    try {
      const { likes_count } = await ask(liked ? api.PUT('/posts/{post_id}/like', path) : api.DELETE('/posts/{post_id}/like', path));
      show(liked, () => likes_count);
    } catch (error) {
      show(!liked, () => post.likes_count);
      throw error;
    }
  };
}
