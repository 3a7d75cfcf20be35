// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Short words about what just happened, for some seconds.
import { defineStore } from 'pinia';
import { ref } from 'vue';

export interface Toast {
  id: number;
  /** Asked for whenever it is shown: it stands in the language that is spoken then. */
  text: () => string;
  bad: boolean;
}

const SHOWN_MS = 5000;

export const useToasts = defineStore('toasts', () => {
  const list = ref<Toast[]>([]);
  let next = 1;

  function dismiss(id: number): void {
    list.value = list.value.filter((toast) => toast.id !== id);
  }

  /** Gives its number, for dismiss() when it is true no longer. */
  function say(text: () => string, bad = false): number {
    const now = text();
    const there = list.value.find((toast) => toast.text() === now);
    if (there) return there.id;
    const id = next++;
    list.value.push({ id, text, bad });
    setTimeout(dismiss, bad ? SHOWN_MS * 2 : SHOWN_MS, id);
    return id;
  }
  return { list, say, dismiss };
});
