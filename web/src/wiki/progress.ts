// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What happens to a repository, in words.
import { useI18n } from 'vue-i18n';

const STAGES = new Set(['waiting', 'looking', 'connecting', 'preparing', 'receiving', 'resolving', 'indexing']);
const REASONS = new Set(['secret', 'ignored', 'vendored', 'generated', 'minified', 'binary', 'huge', 'link', 'name', 'encoding', 'excluded']);

export function useWords() {
  const { t } = useI18n();
  /** A stage that this page does not know yet is shown as it is. */
  const stage = (name: string): string => (STAGES.has(name) ? t(`wiki.stage.${name}`) : name || t('wiki.stage.waiting'));
  const leftOut = (reason: string): string => (REASONS.has(reason) ? t(`wiki.leftOut.${reason}`) : reason);
  return { stage, leftOut };
}
