// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the community is called and says of itself. The server writes both into the page, so its name
// stands there from the first moment on; what it answers later counts more. Members who see the feed hear
// of a change at once (feed/posts.ts), others when they come back to the window.
import { useQuery, type QueryClient } from '@tanstack/vue-query';
import { computed } from 'vue';
import { useI18n } from 'vue-i18n';
import { api, ask, type Schemas } from '@/api/client';

export type Community = Schemas['Community'];

const KEY = ['community'];
/** As index.html was built: a community that has not chosen. */
const BUILT_NAME = '胡同 Hutong';

const served = {
  name: document.title === BUILT_NAME ? '' : document.title,
  about: (document.querySelector<HTMLMetaElement>('meta[name=description]')?.content ?? '').replace(new RegExp(`^${BUILT_NAME}: .*`, 's'), ''),
};

export function useCommunity() {
  const { t } = useI18n();
  const query = useQuery({
    queryKey: KEY,
    queryFn: ({ signal }) => ask(api.GET('/community', { signal })),
    refetchOnWindowFocus: true,
  });
  const community = computed(() => query.data.value);
  /** What people call it: its own name, or the program's. */
  const name = computed(() => (community.value ? community.value.name : served.name) || t('app.name'));
  const about = computed(() => (community.value ? community.value.about : served.about) || '');
  /** Nobody is here yet: whoever has the server's code becomes its administrator. */
  const isFresh = computed(() => community.value?.members === 0);
  return { query, community, name, about, isFresh };
}

/** The server has said what it is now: an answer, or an event with a part of it. */
export function tellCommunity(client: QueryClient, now: Partial<Community>): void {
  client.setQueryData<Community>(KEY, (before) => (before ? { ...before, ...now } : before));
}

/** Somebody came or went: the numbers are others. */
export const lookAtCommunity = (client: QueryClient): Promise<void> => client.invalidateQueries({ queryKey: KEY });
