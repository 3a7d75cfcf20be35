// SPDX-License-Identifier: AGPL-3.0-or-later
import { useI18n } from 'vue-i18n';
import { useToasts } from './toasts';

/** Only pages over https have a clipboard. */
export const mayCopy = 'clipboard' in navigator;

/** Copy words, and say so. False: it was not allowed; the words can be selected by hand. */
export function useCopy(): (text: string) => Promise<boolean> {
  const { t } = useI18n();
  const toasts = useToasts();
  return async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      toasts.say(() => t('app.copied'));
      return true;
    } catch {
      toasts.say(() => t('app.notCopied'), true);
      return false;
    }
  };
}
