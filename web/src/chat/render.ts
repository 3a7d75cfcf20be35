// SPDX-License-Identifier: AGPL-3.0-or-later
//
// A block of markdown as HTML that may be shown. markdown-it is told to make nothing dangerous
// (blocks.ts); DOMPurify lets only these elements and attributes through, whatever it made.
import DOMPurify from 'dompurify';
import { markdown } from './blocks';
import { coloured, wantColours } from './colours';

const { escapeHtml } = markdown.utils;
export const PURE = {
  ALLOWED_TAGS: ['p', 'br', 'hr', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'strong', 'em', 's', 'a', 'ul', 'ol', 'li', 'blockquote',
    'code', 'pre', 'table', 'thead', 'tbody', 'tr', 'th', 'td', 'div', 'span', 'figure', 'figcaption', 'button'],
  ALLOWED_ATTR: ['href', 'title', 'class', 'target', 'rel', 'start', 'type', 'tabindex', 'data-copy'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:)/i,
  // Without this they would have to be addresses, too.
  ADD_URI_SAFE_ATTR: ['target', 'rel', 'start', 'type', 'tabindex'],
};

export interface Words {
  copy: string;
}

export interface Env {
  words: Words;
  colours: boolean;
  references?: unknown;
}

function code(text: string, language: string, env: Env): string {
  wantColours(language);
  const html = (env.colours ? coloured(text, language) : null) ?? escapeHtml(text);
  return `<figure class="md-code"><figcaption><span>${escapeHtml(language)}</span><button type="button" data-copy="">${escapeHtml(env.words.copy)}</button></figcaption><pre tabindex="0"><code>${html}</code></pre></figure>\n`;
}

/** Code with its colours and a way to copy it, and tables that scroll. */
export function dress({ renderer: { rules } }: typeof markdown): void {
  rules.fence = (tokens, i, _options, env: Env) => {
    const { content = '', info = '' } = tokens[i] ?? {};
    return code(content, /^[\w+#.-]{1,30}/.exec(info.trim())?.[0] ?? '', env);
  };
  rules.code_block = (tokens, i, _options, env: Env) => code(tokens[i]?.content ?? '', '', env);
  rules.table_open = () => '<div class="md-table" tabindex="0"><table>\n';
  rules.table_close = () => '</table></div>\n';
}
dress(markdown);
markdown.renderer.rules.link_open = (tokens, i, options, _env, self) => {
  tokens[i]?.attrSet('target', '_blank');
  tokens[i]?.attrSet('rel', 'noopener noreferrer nofollow');
  return self.renderToken(tokens, i, options);
};

/** What `[words][name]` can mean anywhere in the text. */
export function referencesIn(text: string): unknown {
  const env: { references?: unknown } = {};
  markdown.parse(text, env);
  return env.references;
}

/** `colours`: code is coloured; not while it is still being written. Reactive: colours come later. */
export function render(source: string, words: Words, colours: boolean, references?: unknown): string {
  const env: Env = { words, colours, references };
  return DOMPurify.sanitize(markdown.render(source, env), PURE);
}
