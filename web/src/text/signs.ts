// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Signs as readers count them: an emoji or a Chinese character is one, whatever it takes to write it.

let signs: Intl.Segmenter | undefined; // takes a millisecond to make

/** Empty of an empty text. */
export function firstSign(text: string): string {
  signs ??= new Intl.Segmenter();
  for (const { segment } of signs.segment(text)) return segment;
  return '';
}
