// SPDX-License-Identifier: AGPL-3.0-or-later
/** Older sentences of the server come in both languages: 中文 (English). */
export function englishOf(sentence: string): { english: string; chinese: string | null } {
  const [, chinese, english] = /^((?:file )?\p{Script=Han}[^(]*?) \((.*)\)$/su.exec(sentence) ?? [];
  return { english: english ?? sentence, chinese: chinese ?? null };
}
