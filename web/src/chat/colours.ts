// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Colours for code, as soon as those of its language are here. Apart from render.ts: a page of source reads no Markdown.
import { shallowReactive } from 'vue';
import { nameOf, rulesOf } from './languages';

type Colour = (code: string) => string | null;
/** Only of languages in which there was code. */
const colours = shallowReactive(new Map<string, Colour>());
const asked = new Set<string>();
export function wantColours(language: string): void {
  if (!language || asked.has(language)) return;
  asked.add(language);
  const name = nameOf(language);
  if (!name) return;
  Promise.all([import('./heavy-highlight'), rulesOf(name)]).then(
    ([{ learn, highlight }, rules]) => {
      learn(rules);
      colours.set(language, (code) => highlight(code, name));
    },
    () => asked.delete(language), // not loaded: asked for again with the next code
  );
}
/** HTML with all of the code escaped, or null: there are no colours for it, or none yet. Reactive: they come later. */
export const coloured = (code: string, language: string): string | null => colours.get(language)?.(code) ?? null;
