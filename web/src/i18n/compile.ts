// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Sentences for vue-i18n. Ours have names in braces, '{name} likes it', and forms for none, one and more
// with a bar between them, 'nobody | one | {n}'; tests/i18n.test.ts holds them to that. What vue-i18n
// brings for all that its sentences may have is large, and a slow phone would read it before the first post.
import type { MessageContext } from 'vue-i18n';

type Said = (ctx: MessageContext) => string;

const FORMS = / *\| */;
const NAME = /\{ *(\w+) *\}/;

function said(form: string): Said {
  const pieces = form.split(NAME); // texts, and names between them
  if (pieces.length === 1) return () => form;
  return ({ named }) => pieces.map((piece, i) => (i % 2 ? String(named(piece) ?? '') : piece)).join('');
}

export function compile(sentence: unknown): Said {
  const [only, ...more] = String(sentence).split(FORMS).map(said);
  const forms = [only!, ...more];
  return more.length ? (ctx) => ctx.plural(forms.map((form) => form(ctx))) : only!;
}
