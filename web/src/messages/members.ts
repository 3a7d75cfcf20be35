// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Members to choose from. The server lists them by their number and cannot search, so they are read
// page by page, while there is a need for more.
import { ref, shallowRef } from 'vue';
import { api, ask, type UserBrief } from '@/api/client';

const PAGE = 100;

export function useMembers() {
  const members = shallowRef<UserBrief[]>([]);
  const all = ref(false);
  const busy = ref(false);
  const fault = shallowRef<unknown>(null);

  /** Read on until `enough`, or all are here. */
  async function read(enough: () => boolean): Promise<void> {
    if (busy.value) return;
    busy.value = true;
    fault.value = null;
    try {
      while (!all.value && !enough()) {
        const page = await ask(api.GET('/users/', { params: { query: { limit: PAGE, after: members.value.at(-1)?.id } } }));
        members.value = [...members.value, ...page];
        all.value = page.length < PAGE;
      }
    } catch (error) {
      fault.value = error;
    } finally {
      busy.value = false;
    }
  }
  return { members, all, busy, fault, read };
}

/** Does the name, or the user name, have these words? */
export function isCalled(user: UserBrief, words: string): boolean {
  const wanted = words.trim().replace(/^@/, '').toLocaleLowerCase();
  return user.nickname.toLocaleLowerCase().includes(wanted) || user.username.toLocaleLowerCase().includes(wanted);
}
