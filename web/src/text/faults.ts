// SPDX-License-Identifier: AGPL-3.0-or-later
//
// One sentence for whatever went wrong.
import { ApiError } from '@/api/client';
import { serverSays } from '@/i18n/server';

type Say = (key: string, named?: Record<string, unknown>) => string;

export function sentenceOf(error: unknown, t: Say): string {
  if (!(error instanceof ApiError)) return t('fault.unknown');
  if (error.status === 0) return t('fault.network');
  // Too much at once, or too much altogether: only the first is over after a while.
  if (error.status === 429 && (error.retryAfter || !error.detail)) return t('fault.tooMany', { seconds: error.retryAfter || 60 });
  if (error.detail) return serverSays(error.detail);
  if (error.status === 404) return t('fault.missing');
  return error.status >= 500 ? t('fault.server') : t('fault.unknown');
}
