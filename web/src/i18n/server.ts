// SPDX-License-Identifier: AGPL-3.0-or-later
//
// What the server says, in the reader's language. Its API speaks English to everybody (programs, older
// clients and logs read the same sentences), so the app has a catalogue of them: zh-CN/server/, a file a
// room of src/. Its keys are formats as they stand in the server's source; tests/server.test.ts holds
// the two together. Every sentence of the server passes through here where it is shown, not before: so
// what is kept (letters, turns) stays what was said, and follows the reader to another language.
import { shallowRef } from 'vue';
import { i18n } from '.';
import { englishOf } from './english';
import type { Translate } from './formats';

const translate = shallowRef<Translate | null>(null);
let coming: Promise<void> | null = null;

async function load(): Promise<void> {
  translate.value = (await import('./zh-CN-server')).translate;
}

/** Only who reads Chinese needs it. When it does not come, sentences stay as they were said. */
export function learnServer(): void {
  if (i18n.global.locale.value !== 'zh-CN') return;
  coming ??= load().catch(() => void (coming = null));
}

/** As a person names a field: 'bio.speaking_style must be text' is for programs. */
function plain(english: string): string {
  return english.replace(/^bio\.(\w)(\w*)(?= )/, (_, first: string, rest: string) => first.toUpperCase() + rest.replaceAll('_', ' '));
}

/** One sentence of the server, as this reader is to see it. What is not known is shown as it is. */
export function serverSays(sentence: string): string {
  const { english: said, chinese } = englishOf(sentence);
  // Of one profile, whoever reads it knows which: that is for lists and terminals.
  const english = said.replace(/^the profile(?: \(.*?\))?: /, '');
  if (i18n.global.locale.value !== 'zh-CN') return plain(english);
  if (!translate.value) learnServer();
  return translate.value?.(english) ?? chinese ?? english;
}
