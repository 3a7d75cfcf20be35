// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Pages of wikis as HTML that may be shown. markdown.ts has made nothing dangerous; DOMPurify lets only
// these elements and attributes through, whatever it made, and addresses of the web and of wikis.
import DOMPurify from 'dompurify';
import { dress, PURE, type Env } from '@/chat/render';
import { wikiMarkdown, type Reading } from './markdown';

dress(wikiMarkdown);
const WIKI_PURE = {
  ...PURE,
  ALLOWED_TAGS: [...PURE.ALLOWED_TAGS, 'details', 'summary', 'b', 'i', 'sub', 'sup', 'kbd', 'dl', 'dt', 'dd'],
  ALLOWED_ATTR: [...PURE.ALLOWED_ATTR, 'id'],
  ALLOWED_URI_REGEXP: /^(?:https?:\/\/|mailto:|\/w\/\d+(?:\/source)?(?:[?#]|$)|#h-)/i,
};

/** Reactive: the colours of code come later. Adds to the headings of `reading`. */
export function renderWiki(source: string, reading: Reading, words: Env['words'], colours = true): string {
  const env: Env & Reading = Object.assign(reading, { words, colours });
  return DOMPurify.sanitize(wikiMarkdown.render(source, env), WIKI_PURE);
}
