// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Simplified Chinese and English. Each part of the app has its own file of sentences per language;
// tests/i18n.test.ts holds the two languages to the same keys.
import { createI18n } from 'vue-i18n';
import type { Sentences } from './parts';

export type Language = 'zh-CN' | 'en';

const files: Record<Language, () => Promise<{ default: Record<string, Sentences> }>> = {
  'zh-CN': () => import('./zh-CN'),
  en: () => import('./en'),
};

export const i18n = createI18n({
  legacy: false,
  locale: 'en' as Language,
  fallbackLocale: 'en',
  missingWarn: false,
  fallbackWarn: false,
  messages: {} as Record<string, Record<string, Sentences>>,
});

/** Parts that one page alone needs, which learns them before it is there. Adding one? en.ts and zh-CN.ts leave it out. */
const later = import.meta.glob<Sentences>('./*/keeper.json', { import: 'default' });
const learnt = new Set<string>();

async function learnIn(language: string, part: string): Promise<void> {
  i18n.global.mergeLocaleMessage(language as Language, { [part]: await later[`./${language}/${part}.json`]!() });
}

/** Such a part, in whatever language is spoken now and later. */
export async function learn(part: string): Promise<void> {
  if (learnt.has(part)) return;
  await Promise.all(i18n.global.availableLocales.map((language) => learnIn(language, part)));
  learnt.add(part);
}

export async function speak(language: Language): Promise<void> {
  if (!i18n.global.availableLocales.includes(language)) {
    i18n.global.setLocaleMessage(language, (await files[language]()).default);
    await Promise.all([...learnt].map((part) => learnIn(language, part)));
  }
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
}
