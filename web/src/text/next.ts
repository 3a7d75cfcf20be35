// SPDX-License-Identifier: AGPL-3.0-or-later
import type { LocationQueryValue } from 'vue-router';

/** Where to go after a log-in: what the address asks for, if it is a page of ours. */
export function pageAfter(next: LocationQueryValue | LocationQueryValue[] | undefined): string {
  return typeof next === 'string' && next.startsWith('/') && !next.startsWith('//') ? next : '/';
}
