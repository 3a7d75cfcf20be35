// SPDX-License-Identifier: AGPL-3.0-or-later
import { onScopeDispose, ref, type Ref } from 'vue';

/** Whether the window is at least so wide ("48rem"). */
export function useWidth(least: string): Ref<boolean> {
  const query = window.matchMedia(`(min-width: ${least})`);
  const wide = ref(query.matches);
  const hear = (): void => void (wide.value = query.matches);
  query.addEventListener('change', hear);
  onScopeDispose(() => query.removeEventListener('change', hear));
  return wide;
}
