// SPDX-License-Identifier: AGPL-3.0-or-later
/** Codes of an older wiki that are of no language, but of a land. */
const CODES: Record<string, string> = { kr: 'ko' };

/** The language's name as the reader calls it; `given` is the server's, in English. */
export function languageName(code: string, given: string, reader: string): string {
  if (reader === 'en') return given;
  try {
    return new Intl.DisplayNames(reader, { type: 'language' }).of(CODES[code] ?? code) ?? given;
  } catch {
    return given; // no code of a language
  }
}
