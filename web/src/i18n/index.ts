// SPDX-License-Identifier: AGPL-3.0-or-later
//
// Simplified Chinese and English. Each part of the app has its own file of sentences per language;
// tests/i18n.test.ts holds the two languages to the same keys. Those in `later/` are not loaded with
// the app: whatever needs one learns it before it is shown.
import { createI18n } from 'vue-i18n';
import { compile } from './compile';
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
  messageCompiler: compile,
  messages: {} as Record<string, Record<string, Sentences>>,
});

// Below a thousand a number is its digits in both languages; what writes others takes a phone's browser a
// twentieth of a second to make, and most pages have no such number.
const { n } = i18n.global;
i18n.global.n = ((value: number, ...more: []) =>
  (Number.isInteger(value) && Math.abs(value) < 1000 && !more.length ? String(value) : n(value, ...more))) as typeof n;

const later = import.meta.glob<Sentences>('./*/later/*.json', { import: 'default' });
export type Later = 'keeper' | 'leaving' | 'moderate' | 'palette' | 'setup' | 'society' | 'wiki';
const learnt = new Set<Later>();

async function learnIn(language: string, part: Later): Promise<void> {
  i18n.global.mergeLocaleMessage(language as Language, { [part]: await later[`./${language}/later/${part}.json`]!() });
}

/** Such parts, in whatever language is spoken now and later. */
export async function learn(...parts: Later[]): Promise<void> {
  const unknown = parts.filter((part) => !learnt.has(part));
  await Promise.all(unknown.flatMap((part) => i18n.global.availableLocales.map((language) => learnIn(language, part))));
  for (const part of unknown) learnt.add(part);
}

export async function speak(language: Language): Promise<void> {
  if (!i18n.global.availableLocales.includes(language)) {
    i18n.global.setLocaleMessage(language, (await files[language]()).default);
    await Promise.all([...learnt].map((part) => learnIn(language, part)));
  }
  i18n.global.locale.value = language;
  document.documentElement.lang = language;
}
