// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Markdown in blocks: while an answer is written only its last block changes, so only that is parsed
// and shown anew. What models write is hostile until shown otherwise: no HTML of theirs, no addresses
// but those of the web and of mail, no pictures (one would tell another host who reads it), no styles.
import MarkdownIt, { type StateCore, type Token } from 'markdown-it';

const GOOD_ADDRESS = /^(https?:\/\/|mailto:)/i;

export const markdown = new MarkdownIt('default', { html: false, linkify: true, breaks: true });
markdown.validateLink = (address) => GOOD_ADDRESS.test(address.trim());
// "main.rs" and "setup.py" are files, not addresses.
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });

/** A picture becomes a link with its words; inside of a link just its words. */
function pictureAsLink(token: Token, all: Token[], inLink: boolean, make: typeof Token): void {
  const text = new make('text', '', 0);
  text.content = token.content || token.attrGet('src') || '';
  if (inLink) return void all.push(text);
  const open = new make('link_open', 'a', 1);
  open.attrs = [['href', token.attrGet('src') ?? ''], ['class', 'md-picture']];
  all.push(open, text, new make('link_close', 'a', -1));
}

/** Pictures become links, and cells of tables have a class where they had a style. */
export function harmless(state: StateCore): void {
  for (const token of state.tokens) {
    if (token.type === 'th_open' || token.type === 'td_open') {
      const [, side] = /text-align:\s*(\w+)/.exec(token.attrGet('style') ?? '') ?? [];
      token.attrs = side ? [['class', `md-${side}`]] : null;
    }
    if (token.type !== 'inline' || !token.children) continue;
    const children: Token[] = [];
    let links = 0;
    for (const child of token.children) {
      if (child.type === 'image') {
        pictureAsLink(child, children, links > 0, state.Token);
        continue;
      }
      if (child.type === 'link_open') links++;
      if (child.type === 'link_close') links--;
      children.push(child);
    }
    token.children = children;
  }
}
markdown.core.ruler.push('harmless', harmless);

export interface Block {
  source: string;
  /** Nothing that comes later changes it. */
  over: boolean;
}

/** Where the blocks of a text begin, as numbers of lines. */
function beginnings(text: string): number[] {
  const lines: number[] = [];
  for (const token of markdown.parse(text, {})) {
    if (token.level === 0 && token.nesting >= 0 && token.map) lines.push(token.map[0]);
  }
  return lines;
}

/** What of `text` follows these lines, each with its end. */
function offsetsOf(text: string, lines: number[]): number[] {
  const offsets: number[] = [];
  let line = 0;
  let at = 0;
  for (const wanted of lines) {
    for (; line < wanted; line++) at = text.indexOf('\n', at) + 1;
    offsets.push(at);
  }
  return offsets;
}

/**
 * The blocks of a text that grows at its end. Told the blocks of before, it parses what came behind
 * those that are over. A block is over when the next one has begun with a whole line: half a line
 * can still turn out to belong to it ("2" to a list, as "2. two").
 */
export function blocksOf(said: string, before: Block[] = [], ended = false): Block[] {
  const text = said.replaceAll('\r\n', '\n');
  const kept: Block[] = [];
  let at = 0;
  for (const block of before) {
    if (!block.over || !text.startsWith(block.source, at)) break;
    kept.push(block);
    at += block.source.length;
  }
  const rest = text.slice(at);
  const offsets = offsetsOf(rest, beginnings(rest));
  const blocks = offsets.map((from, i): Block => {
    const next = offsets[i + 1];
    const over = ended || (next !== undefined && rest.indexOf('\n', next) >= 0);
    return { source: rest.slice(i === 0 ? 0 : from, next), over };
  });
  return [...kept, ...blocks];
}
