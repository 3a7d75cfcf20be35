// SPDX-License-Identifier: AGPL-3.0-or-later
//
// The markdown of wikis: as in conversations (chat/blocks.ts), and citations become links to their
// lines, links to files lead to them, headings can be linked to, and diagrams stand apart. Pages come
// from models and strangers: of their HTML a few bare elements are left, the rest is text.
import MarkdownIt from 'markdown-it';
import { harmless } from '@/chat/blocks';
import { citationAt, fileOf, sourceOf } from './links';

export interface Heading {
  id: string;
  level: number;
  text: string;
}

/** What one text is read with. */
export interface Reading {
  wiki: number;
  headings: Heading[];
}

export const wikiMarkdown = new MarkdownIt('default', { html: true, linkify: true });
wikiMarkdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
const OUTSIDE = /^(https?:\/\/|mailto:)/i;
wikiMarkdown.validateLink = (address) => OUTSIDE.test(address) || /^#/.test(address) || fileOf(address) !== null;

export function slugOf(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'part';
}

const { escapeHtml } = wikiMarkdown.utils;
const BARE = new Set(['b', 'br', 'dd', 'details', 'dl', 'dt', 'em', 'i', 'kbd', 'li', 'ol', 'p', 's', 'strong', 'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul']);
const LINK = 'target="_blank" rel="noopener noreferrer nofollow"';
const valueOf = (tag: string, name: string): string => {
  const [, , double, single] = new RegExp(`\\s${name}\\s*=\\s*("([^"]*)"|'([^']*)')`, 'i').exec(tag) ?? [];
  return double ?? single ?? '';
};

/** HTML of strangers: elements without what they want, links out, words for pictures; the rest is text. */
export function tamed(html: string): string {
  let out = '';
  let at = 0;
  for (const found of html.matchAll(/<!--[^]{0,2000}?-->|<(\/?)([a-z][a-z0-9]*)\b[^<>]*>/gi)) {
    const [whole, end, name = ''] = found;
    const element = name.toLowerCase();
    out += escapeHtml(html.slice(at, found.index));
    at = found.index + whole.length;
    if (BARE.has(element)) out += `<${end}${element}>`;
    else if (element === 'img' && !end) out += escapeHtml(valueOf(whole, 'alt'));
    else if (element === 'a' && end) out += '</a>';
    else if (element === 'a' && OUTSIDE.test(valueOf(whole, 'href'))) out += `<a href="${escapeHtml(valueOf(whole, 'href'))}" ${LINK}>`;
  }
  return out + escapeHtml(html.slice(at));
}
wikiMarkdown.renderer.rules.html_block = wikiMarkdown.renderer.rules.html_inline = (tokens, i) => tamed(tokens[i]?.content ?? '');

function plain(escaped: string): string {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}

// Before links and emphasis: [src/__init__.py:1-2] is neither.
wikiMarkdown.inline.ruler.before('link', 'citation', (state, silent) => {
  if (state.src[state.pos] !== '[' || (state as unknown as { linkLevel: number }).linkLevel > 0) return false;
  const cited = citationAt(state.src, state.pos);
  if (!cited) return false;
  if (!silent) {
    const open = state.push('link_open', 'a', 1);
    open.attrs = [['href', sourceOf((state.env as Reading).wiki, cited.path, cited)], ['class', 'md-cite']];
    state.push('text', '', 0).content = `${cited.path}:${cited.first}${cited.last > cited.first ? `-${cited.last}` : ''}`;
    state.push('link_close', 'a', -1);
  }
  state.pos += cited.length;
  return true;
});

wikiMarkdown.core.ruler.push('harmless', harmless);
wikiMarkdown.core.ruler.push('inside', (state) => {
  const env = state.env as Reading;
  const known = new Set(env.headings.map(({ id }) => id));
  state.tokens.forEach((token, i) => {
    if (token.type === 'heading_close') token.tag = `h${Math.min(6, Number(token.tag[1]) + 1)}`;
    if (token.type === 'heading_open') {
      const level = Number(token.tag[1]);
      token.tag = `h${Math.min(6, level + 1)}`; // the page has its first heading already
      const text = (state.tokens[i + 1]?.children ?? []).map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : '')).join('');
      let id = `h-${slugOf(text)}`;
      for (let n = 2; known.has(id); n++) id = `h-${slugOf(text)}-${n}`;
      known.add(id);
      token.attrSet('id', id);
      env.headings.push({ id, level, text });
    }
    for (const child of token.children ?? []) {
      const address = child.attrGet('href');
      if (child.type !== 'link_open' || address === null || child.attrGet('class') === 'md-cite') continue;
      if (OUTSIDE.test(address)) {
        child.attrSet('target', '_blank');
        child.attrSet('rel', 'noopener noreferrer nofollow');
        continue;
      }
      const file = fileOf(address);
      child.attrSet('href', file ? sourceOf(env.wiki, file) : `#h-${slugOf(plain(address.slice(1)))}`);
    }
  });
});
export interface Part {
  source: string;
  /** A diagram in mermaid's language: `source` is what stands in the fence. */
  diagram: boolean;
}

/** A text between its diagrams. */
export function partsOf(text: string, reading: Reading): Part[] {
  const lines = text.split('\n');
  const parts: Part[] = [];
  let from = 0;
  const put = (to: number): void => {
    if (to > from) parts.push({ source: lines.slice(from, to).join('\n'), diagram: false });
  };
  for (const token of wikiMarkdown.parse(text, { ...reading, headings: [] })) {
    if (token.level > 0 || token.type !== 'fence' || !token.map || !/^mermaid\b/i.test(token.info.trim())) continue;
    put(token.map[0]);
    parts.push({ source: token.content, diagram: true });
    from = token.map[1];
  }
  put(lines.length);
  return parts;
}
