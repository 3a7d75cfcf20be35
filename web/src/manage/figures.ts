// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Numbers as people read them.

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

/** 1,536 → "1.5 kB", in thousands, as disks are sold. */
export function bytesOf(bytes: number, locale: string): string {
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < UNITS.length - 1) {
    value /= 1000;
    at++;
  }
  return new Intl.NumberFormat(locale, { style: 'unit', unit: UNITS[at], unitDisplay: 'short', maximumFractionDigits: value < 10 && at > 0 ? 1 : 0 }).format(value);
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
