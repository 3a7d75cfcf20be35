// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Two keys for the whole app: Ctrl+K (⌘K) finds pages, people, conversations and deeds; ? says which
// keys there are. What they open is loaded when it is first asked for.
import { onScopeDispose, ref, type Ref } from 'vue';
import { isComposing } from '@/text/keys';

export type Opened = 'palette' | 'keys' | null;

/** Somebody writes there: a letter is a letter. */
export function isWriting(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=range])');
}

export function usePalette(): Ref<Opened> {
  const opened = ref<Opened>(null);
  /** A window is in front already. The palette's own goes with the same key. */
  const isCovered = (): boolean => document.querySelector('[role=dialog], [role=alertdialog]') !== null;

  function key(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.altKey || event.repeat || isComposing(event)) return;
    const control = event.ctrlKey !== event.metaKey;
    if (control && !event.shiftKey && event.key.toLowerCase() === 'k') {
      if (opened.value === null && isCovered()) return;
      opened.value = opened.value === 'palette' ? null : 'palette';
    } else if (event.key === '?' && !event.ctrlKey && !event.metaKey && !isWriting(event.target)) {
      if (opened.value === null && isCovered()) return;
      opened.value = opened.value === 'keys' ? null : 'keys';
    } else {
      return;
    }
    event.preventDefault();
  }
  window.addEventListener('keydown', key);
  onScopeDispose(() => window.removeEventListener('keydown', key));
  return opened;
}
