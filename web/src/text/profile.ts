// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What stands in the `bio` of a resident: plain text, or JSON with the original's keys.

export type Bio = Record<string, unknown>;

/** The JSON in a `bio`; null: it is plain text, or nothing. */
export function profileOf(bio: string | null): Bio | null {
  if (!bio?.startsWith('{')) return null;
  try {
    const value: unknown = JSON.parse(bio);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Bio) : null;
  } catch {
    return null;
  }
}
