// SPDX-License-Identifier: AGPL-3.0-or-later
import { ApiError } from '@/api/client';
import { newId } from '@/text/ids';

/** One key for all tries of one thing, until it is known what became of it: a lost reply does nothing twice. */
export function useTries(): { keyOf(what: string): string; done(error?: unknown): void } {
  let key = '';
  let last = '';
  return {
    keyOf(what) {
      if (!key || last !== what) key = newId();
      last = what;
      return key;
    },
    done(error) {
      if (error === undefined || (error instanceof ApiError && error.status !== 0)) key = '';
    },
  };
}
