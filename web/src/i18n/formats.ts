// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Sentences, matched back to the printf formats that they were made from. Pure.
//
//     '%s has %zu characters, at least %d needed' → '{1}有 {2} 个字符，至少要 {3} 个'
//
// {1} is what the first conversion of the format became; where sentences are put together by hand (%1,
// %2) the number is the format's own. What was put in may be a sentence of the catalogue itself.

import { englishOf } from './english';

export interface Catalogue {
  sentences: Record<string, string>;
  /** What may follow the name of a field: 'avatar_path' + ' ' + 'must be text'. */
  ofFields: Record<string, string>;
  /** Names of fields. */
  names: Record<string, string>;
}
/** null: not one of these. */
export type Translate = (sentence: string) => string | null;

export const CONVERSION = /%(?:([1-9])(?!\d*\$|[.\dhlzjt]*[diouxXeEfgGcs])|[-+ #0]*(?:\d+|\*)?(?:\.(?:\d+|\*)?)?(?:hh|h|ll|l|z|j|t)?([diouxXeEfgGcs])|%)/g;
const NUMBER = /[diouxXeEfgG]/;
/** Sentences within sentences, no deeper: texts of strangers may be among them. */
const DEPTH_MAX = 4;
const DEEP_BYTES_MAX = 4_000;

interface Pattern {
  match: RegExp;
  /** Position in `match` → number in the translation. */
  numbers: number[];
  says: string;
  literal: number;
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');

/** The numbers that a format's conversions have in its translation, in the order in which they stand. */
export function numbersOf(format: string): number[] {
  let next = 0;
  return [...format.matchAll(CONVERSION)].filter(([all]) => all !== '%%').map(([, own]) => (own ? Number(own) : ++next));
}

function compile(format: string, says: string): Pattern {
  let source = '';
  let literal = 0;
  let at = 0;
  for (const { 0: all, 2: kind, index } of format.matchAll(CONVERSION)) {
    const before = format.slice(at, index);
    source += escaped(before) + (all === '%%' ? '%' : kind && NUMBER.test(kind) ? '([-+\\w.]+)' : '(.*?)');
    literal += before.length;
    at = index + all.length;
  }
  const rest = format.slice(at);
  return { match: new RegExp(`^${source}${escaped(rest)}$`, 's'), numbers: numbersOf(format), says, literal: literal + rest.length };
}

const HAN = /\p{Script=Han}/u;
const LATIN = /[\w`]/;

/** Chinese and Latin next to each other have a blank between them. */
function put(says: string, values: Map<number, string>): string {
  let text = '';
  for (const piece of says.split(/(\{\d\})/)) {
    const number = /^\{(\d)\}$/.exec(piece)?.[1];
    const next = number ? (values.get(Number(number)) ?? piece) : piece;
    const left = text.at(-1) ?? '';
    const right = next[0] ?? '';
    text += ((HAN.test(left) && LATIN.test(right)) || (LATIN.test(left) && HAN.test(right)) ? ' ' : '') + next;
  }
  return text;
}

export function translator({ sentences, ofFields, names }: Catalogue): Translate {
  const patterns = Object.entries(sentences)
    .filter(([format]) => numbersOf(format).length)
    .map(([format, says]) => compile(format, says))
    .sort((a, b) => b.literal - a.literal);
  const known = (text: string, of: Record<string, string>): string | undefined => (Object.hasOwn(of, text) ? of[text] : undefined);

  function made(sentence: string, depth: number): string | null {
    for (const { match, numbers, says } of patterns) {
      const found = match.exec(sentence);
      if (!found) continue;
      const values = found.slice(1).map((text, i): [number, string] => [numbers[i]!, within(text, depth + 1)]);
      return put(says, new Map(values));
    }
    return null;
  }

  /** 'summary: what is behind it', where only the summary is a sentence of its own. */
  function headed(sentence: string, depth: number): string | null {
    const at = sentence.indexOf(': ');
    const head = at > 0 ? whole(sentence.slice(0, at), depth + 1) : null;
    return head && `${head}：${within(sentence.slice(at + 2), depth + 1)}`;
  }

  function ofField(sentence: string): string | null {
    const at = sentence.indexOf(' ');
    const says = at > 0 ? known(sentence.slice(at + 1), ofFields) : undefined;
    return says === undefined ? null : put('{1}{2}', new Map([[1, within(sentence.slice(0, at), DEPTH_MAX)], [2, says]]));
  }

  function whole(sentence: string, depth: number): string | null {
    if (depth > DEPTH_MAX || sentence.length > DEEP_BYTES_MAX) return null;
    return known(sentence, sentences) ?? made(sentence, depth) ?? ofField(sentence) ?? headed(sentence, depth);
  }

  function within(text: string, depth: number): string {
    const { english, chinese } = englishOf(text);
    return known(text, names) ?? whole(english, depth) ?? chinese ?? text;
  }

  return (sentence) => whole(sentence, 0);
}
