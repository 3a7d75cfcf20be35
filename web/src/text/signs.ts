// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Signs as readers count them: an emoji or a Chinese character is one, whatever it takes to write it.

let signs: Intl.Segmenter | undefined; // takes ten milliseconds to make
/** A letter or Chinese character with another behind it, or nothing: nothing is joined to it. */
const PLAIN = /^[A-Za-z0-9\u3400-\u9fff](?=[ -~\u3400-\u9fff]|$)/;

/** Empty of an empty text. */
export function firstSign(text: string): string {
  const plain = PLAIN.exec(text);
  if (plain) return plain[0];
  signs ??= new Intl.Segmenter();
  for (const { segment } of signs.segment(text)) return segment;
  return '';
}

/** As it stands behind Chinese without a blank of its own: "欢迎来到 Hutong", "欢迎来到胡同". */
export function besideHan(text: string, language: string): string {
  return language === 'zh-CN' && /^[\p{Script=Latin}\p{N}]/u.test(text) ? ` ${text}` : text;
}
