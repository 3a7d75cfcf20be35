// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Figures as people read them.

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** "1.4 GB". */
export function bytes(count: number, locale: string): string {
  const power = Math.min(Math.floor(Math.log10(Math.max(count, 1)) / 3), UNITS.length - 1);
  const format = { style: 'unit', unit: UNITS[power], unitDisplay: 'short', maximumFractionDigits: power > 1 ? 1 : 0 } as const;
  return new Intl.NumberFormat(locale, format).format(count / 1000 ** power);
}

/** Millionths of whatever unit prices are in. */
export function money(micro: number, locale: string): string {
  return new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 }).format(micro / 1e6);
}

/** The largest unit that fits: the key of a sentence and how many. */
export function span(seconds: number): { unit: 'days' | 'hours' | 'minutes'; count: number } {
  if (seconds >= 2 * 86_400) return { unit: 'days', count: Math.floor(seconds / 86_400) };
  if (seconds >= 2 * 3600) return { unit: 'hours', count: Math.floor(seconds / 3600) };
  return { unit: 'minutes', count: Math.floor(seconds / 60) };
}
