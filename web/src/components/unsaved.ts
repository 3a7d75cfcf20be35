// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What was changed in a form and not saved is not lost without a question: on the way to another page, or
// out of the app.
import { onBeforeUnmount, onMounted } from 'vue';
import { useI18n } from 'vue-i18n';
import { onBeforeRouteLeave, onBeforeRouteUpdate } from 'vue-router';

/** Gives what asks where the form itself is to be shut. */
export function useUnsaved(isChanged: () => boolean): () => boolean {
  const { t } = useI18n();
  const mayGo = (): boolean => !isChanged() || window.confirm(t('app.unsaved'));
  const stop = (event: BeforeUnloadEvent): void => {
    if (isChanged()) event.preventDefault();
  };
  onBeforeRouteLeave(mayGo);
  onBeforeRouteUpdate((to, from) => to.path === from.path || mayGo());
  onMounted(() => window.addEventListener('beforeunload', stop));
  onBeforeUnmount(() => window.removeEventListener('beforeunload', stop));
  return mayGo;
}
