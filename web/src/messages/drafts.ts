// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What was begun in a conversation and not sent stays on this device.
import { reactive } from 'vue';

const PREFIX = 'hutong.draft.to.';
const drafts = reactive(new Map<string, string>());
const loaded = new Set<string>();

const keyOf = (me: number, path: string): string => `${PREFIX}${me}${path}`;

export function draftOf(me: number, path: string): string {
  const key = keyOf(me, path);
  if (!loaded.has(key)) {
    loaded.add(key);
    const kept = localStorage.getItem(key);
    if (kept) drafts.set(key, kept);
  }
  return drafts.get(key) ?? '';
}

export function keepDraft(me: number, path: string, text: string): void {
  const key = keyOf(me, path);
  loaded.add(key);
  if (text.trim()) drafts.set(key, text);
  else drafts.delete(key);
  try {
    if (text.trim()) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // A full store: the draft lives as long as the page.
  }
}
