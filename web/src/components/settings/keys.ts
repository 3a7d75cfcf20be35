// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What members write about their keys, see docs/gateway.md.

export interface KeyTerms {
  name: string;
  requests_per_minute: number | null;
  tokens_per_day: number | null;
  models: string[] | null;
}

/** null: no limit; undefined: that is no limit at all. */
export function limitOf(text: string): number | null | undefined {
  const digits = text.trim();
  if (digits === '') return null;
  return /^[1-9]\d{0,14}$/.test(digits) ? Number(digits) : undefined;
}

export function namesOf(text: string): string[] | null {
  const names = text.split(/[\s,，、]+/).filter(Boolean);
  return names.length ? names : null;
}
