// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Colours for code, loaded with the first block of it; the rules of each language come with its first
// (languages.ts).
import type { LanguageFn } from 'highlight.js';
import hljs from 'highlight.js/lib/core';

// Beyond this the colours cost more time than they are worth.
const LONGEST = 100_000;

export function learn(all: [string, LanguageFn][]): void {
  for (const [name, rules] of all) if (!hljs.getLanguage(name)) hljs.registerLanguage(name, rules);
}

/** HTML with everything of `code` escaped, or null: it is too much. The language was learnt. */
export function highlight(code: string, language: string): string | null {
  return code.length > LONGEST ? null : hljs.highlight(code, { language, ignoreIllegals: true }).value;
}
