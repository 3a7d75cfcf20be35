// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What members write is plain text. Addresses, @names and #words in it become links; nothing else
// is anything but text.

export interface Part {
  kind: 'text' | 'link' | 'mention' | 'tag';
  text: string;
  /** Where it leads. */
  to?: string;
}

// A name or a tag does not begin inside a word (mails, anchors); addresses end before closing marks.
// A name is words joined by a single '-' or '.', so a full stop behind it is none of it. Whoever is
// named is told (src/auth/mention.c): both find the same names, and their tests have the same rows.
const FOUND = /(https?:\/\/[^\s<>"'，。！？、；：）】》]+)|(?<![\p{L}\p{M}\p{N}_@./])@([\p{L}\p{N}_][\p{L}\p{M}\p{N}_]*(?:[.-][\p{L}\p{M}\p{N}_]+)*)|(?<![\p{L}\p{N}_#&/])#([\p{L}\p{N}_]{1,50})/gu;
const isLength = (name: string): boolean => [...name].length >= 3 && [...name].length <= 50;
/** Without any of these there is nothing to find, and most texts have none. */
const MARKS = /[@#]|:\/\//;
const TRAILING = /[.,!?;:)\]}]+$/;

export function partsOf(text: string): Part[] {
  if (!MARKS.test(text)) return text ? [{ kind: 'text', text }] : [];
  const parts: Part[] = [];
  let at = 0;
  const plain = (end: number): void => {
    if (end > at) parts.push({ kind: 'text', text: text.slice(at, end) });
  };
  for (const found of text.matchAll(FOUND)) {
    let [whole] = found;
    const [, address, name, tag] = found;
    if (address) {
      whole = whole.replace(TRAILING, '');
      if (!URL.canParse(whole)) continue;
    }
    if (name && !isLength(name)) continue;
    plain(found.index);
    if (address) parts.push({ kind: 'link', text: whole, to: whole });
    else if (name) parts.push({ kind: 'mention', text: whole, to: `/u/@${encodeURIComponent(name)}` });
    else parts.push({ kind: 'tag', text: whole, to: `/search?q=${encodeURIComponent(`#${tag}`)}` });
    at = found.index + whole.length;
  }
  plain(text.length);
  return parts;
}
