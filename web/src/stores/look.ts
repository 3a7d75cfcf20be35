// SPDX-License-Identifier: AGPL-3.0-or-later
//
// How the app looks and in which language it speaks, on this device.
import { defineStore } from 'pinia';
import { computed, ref, watch, watchEffect } from 'vue';
import { speak, type Language } from '@/i18n';
import { learnServer } from '@/i18n/server';

export type Look = 'device' | 'light' | 'dark';

function stored<T extends string>(key: string, choices: readonly T[], otherwise: T): T {
  const value = localStorage.getItem(key) as T;
  return choices.includes(value) ? value : otherwise;
}

function languageOfBrowser(): Language {
  for (const tag of navigator.languages) {
    if (tag.startsWith('zh')) return 'zh-CN';
    if (tag.startsWith('en')) return 'en';
  }
  return 'en';
}

export const useLook = defineStore('look', () => {
  const look = ref(stored<Look>('hutong.look', ['device', 'light', 'dark'], 'device'));
  const language = ref(stored<Language>('hutong.language', ['zh-CN', 'en'], languageOfBrowser()));
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const deviceIsDark = ref(dark.matches);
  dark.addEventListener('change', (event) => (deviceIsDark.value = event.matches));

  const isDark = computed(() => look.value === 'dark' || (look.value === 'device' && deviceIsDark.value));
  watchEffect(() => {
    document.documentElement.dataset.look = isDark.value ? 'dark' : 'light';
  });
  watch(look, (value) => localStorage.setItem('hutong.look', value));
  watch(language, (value) => {
    localStorage.setItem('hutong.language', value);
    void speak(value).then(learnServer);
  });
  return { look, language, isDark };
});
