// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What was begun and not sent stays on this device, for the member who wrote it alone. `place` is the
// path of the page where it belongs: '/' a post, '/m/7' a message, '/c/3' a question.
import { defineStore } from 'pinia';
import { reactive } from 'vue';
import { useSession } from './session';

export const useDrafts = defineStore('drafts', () => {
  const session = useSession();
  /** Key in the browser's store → text; of those that were looked at. */
  const known = reactive(new Map<string, string>());
  const keyOf = (place: string): string => `hutong.draft.${session.me?.id ?? 0}${place}`;

  function of(place: string): string {
    const key = keyOf(place);
    return known.get(key) ?? localStorage.getItem(key) ?? '';
  }
  function keep(place: string, text: string): void {
    const key = keyOf(place);
    known.set(key, text);
    try {
      if (text.trim()) localStorage.setItem(key, text);
      else localStorage.removeItem(key);
    } catch {
      // A full store: the draft lives as long as the page.
    }
  }
  return { of, keep };
});
