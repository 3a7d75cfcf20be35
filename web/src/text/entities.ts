// SPDX-License-Identifier: AGPL-3.0-or-later
//
// In the place of the package `entities`, of which markdown-it asks only these (vite.config.ts): what
// `&hellip;` stands for. The browser knows them all; the package brings its own table of 2,000, which is
// a quarter of what reading Markdown costs.
const field = document.createElement('textarea');

/** `text` is one entity. In a text area there are no elements, whatever is written in it. */
export function decodeHTML(text: string): string {
  field.innerHTML = `.${text}`; // a line break at its beginning would be none
  return field.value.slice(1);
}

/** The same, but all of it has to be the entity's name: not `&notit;`, of which a browser reads `&not`. */
export function decodeHTMLStrict(text: string): string {
  const said = decodeHTML(text);
  return said.length > 1 && said.endsWith(';') ? text : said;
}
